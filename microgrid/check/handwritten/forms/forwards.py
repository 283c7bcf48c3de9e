"""The forward of a layer of functions, alone or with the cost that follows it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from microgrid.check.handwritten.forms import names, pairing, reading
from microgrid.check.handwritten.forms.fit import parameters_of
from microgrid.check.handwritten.forms.modules import module_of
from microgrid.check.handwritten.forms.plan import is_numbers

Function = Callable[..., Any]
LOSS = {*names.words("loss cost mse mae bce ce crossentropy entropy hinge huber nll")}
COSTS = ("cost", "loss", "costs", "totalloss", "j", "l")


@dataclass
class Forward:
    """A forward, perhaps with the cost that follows it: called by names, it gives a tuple."""

    function: Function
    parameters: dict[str, inspect.Parameter]
    returned: list[str]
    cost: Function | None = None
    extra: dict[str, str] = field(default_factory=dict)  # of the cost: name -> source

    def __call__(self, given: Mapping[str, Any]) -> list[Any]:
        mine = {n: v for n, v in given.items() if n in parameters_of(self.function)}
        result = called(self.function, mine)
        several = isinstance(result, tuple) or (
            isinstance(result, list) and len(result) == len(self.returned) > 1
        )
        found = list(result) if several else [result]
        if self.cost is not None:
            first = next((r for r in found if is_numbers(r)), found[0])
            sources = self.extra.items()
            rest = {n: first if s == "result" else given[s] for n, s in sources}
            found.append(called(self.cost, rest))
        return found


def called(function: Function, given: Mapping[str, Any]) -> Any:
    """A function by the names of its arguments, those that have no name by their place."""
    alone = [
        n
        for n, p in parameters_of(function).items()
        if p.kind is inspect.Parameter.POSITIONAL_ONLY and n in given
    ]
    return function(
        *[given[n] for n in alone], **{n: v for n, v in given.items() if n not in alone}
    )


def with_cost(forward: Function, backward: Function) -> Forward:
    """The forward; with the cost of its module where the backward asks for labels, too."""
    plain = Forward(forward, parameters_of(forward), reading.returned(forward))
    asked = [n for n in parameters_of(backward) if names.role(n) == "y"]
    module = module_of(forward)
    own = [n for n in plain.returned if names.short(n) in COSTS]
    if not asked or own or any(names.is_upstream(n) for n in parameters_of(backward)):
        return plain
    if module is None or LOSS & set(pairing.words(forward.__name__)):
        return plain
    costs = [
        f
        for n, f in vars(module).items()
        if inspect.isfunction(f) and f is not forward and LOSS & set(pairing.words(n))
        if not pairing.is_backward(n) and len(reading.returned(f)) < 2
    ]
    found = [joined for cost in costs if (joined := with_this_cost(plain, cost)) is not None]
    found.sort(key=lambda f: "result" not in [f.extra.get(n) for n in plain.returned])
    return found[0] if found else plain


def with_this_cost(plain: Forward, cost: Function) -> Forward | None:
    """The forward and then the cost of its first output; None if the cost has no place for it."""
    needs = {n: p for n, p in parameters_of(cost).items() if p.default is p.empty}
    of = [n for n in needs if n in plain.returned] or [n for n in needs if names.role(n) == "p"]
    of = of or [n for n in needs if names.role(n) != "y" and n not in plain.parameters]
    if not of:
        return None
    known = {names.short(n): n for n in plain.parameters}
    extra = {n: known.get(names.short(n), n) for n in needs} | {of[0]: "result"}
    more = {n: p for n, p in needs.items() if extra[n] == n and n not in plain.parameters}
    returned = [*plain.returned, "cost"]
    return Forward(plain.function, plain.parameters | more, returned, cost, extra)
