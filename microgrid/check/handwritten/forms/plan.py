"""How their backward is called, and what of it is whose gradient."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from microgrid.check.handwritten.forms import names
from microgrid.check.handwritten.forms.fit import Parameters
from microgrid.check.handwritten.trial import LayerError

OUTPUT_NAMES = names.words("out output outputs y a s p probs z al result h o cachey")


@dataclass
class Plan:
    """Where the arguments of a backward come from.

    "upstream 0", "result 1" (of what the forward returns), "argument x", "rest" (all that the
    forward returns beyond its outputs). `outputs` are the places of the outputs in the result.
    """

    outputs: list[int] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)

    @property
    def upstream(self) -> bool:
        """Whether the backward takes a gradient from above."""
        return any(source.startswith("upstream") for source in self.sources.values())

    def arguments(
        self, result: Sequence[Any], given: Mapping[str, Any], douts: Sequence[Any]
    ) -> dict[str, Any]:
        """The arguments of the backward, after a forward.

        >>> plan = Plan([0], {"dout": "upstream 0", "cache": "result 1"})
        >>> plan.arguments(["out", "kept"], {}, ["d"])
        {'dout': 'd', 'cache': 'kept'}
        """
        found = {}
        for name, source in self.sources.items():
            where, _, what = source.partition(" ")
            match where:
                case "upstream":
                    d = douts[int(what)]
                    found[name] = d[()] if isinstance(d, np.ndarray) and d.ndim == 0 else d
                case "result":
                    found[name] = result[int(what)]
                case "argument":
                    found[name] = given[what]
                case "rest":
                    found[name] = tuple(r for i, r in enumerate(result) if i not in self.outputs)
        return found


def is_numbers(x: Any) -> bool:
    """Whether a result is an array of floats (or Values) or a float.

    >>> is_numbers(np.ones(3)), is_numbers((1.0, 2.0)), is_numbers(3)
    (True, False, False)
    """
    if isinstance(x, np.ndarray | np.generic):
        return x.dtype.kind in "fO"
    return isinstance(x, float) or type(x).__name__ in ("Value", "Variable")


def planned(
    result: Sequence[Any],
    returned: Sequence[str],
    arguments: Sequence[str],
    backward: Parameters,
    who: str = "its backward",
    *,
    loss: bool = False,
) -> Plan:
    """The plan for a backward with these arguments, after a forward that gave `result`.

    The backward of a `loss` takes no gradient from above. `returned` are the names in the forward's
    return statement, `arguments` those of its arguments.

    >>> plan = planned(["out", "kept"], ["out", "cache"], ["x"], {})
    >>> plan.upstream
    False
    """
    sources: dict[str, str] = {}
    kept: list[str] = []
    lower = {names.short(a): a for a in reversed(arguments)}
    upstream = [n for n in backward if names.is_upstream(n) and n not in arguments]
    upstream = [n for n in upstream if n not in returned or len(returned) < 2]
    for name, parameter in backward.items():
        if name in upstream and parameter.default is inspect.Parameter.empty:
            sources[name] = f"upstream {len([s for s in sources.values() if s[0] == 'u'])}"
        elif name in returned and len(result) > 1 and len(returned) == len(result):
            sources[name] = f"result {returned.index(name)}"
        elif name in arguments:
            sources[name] = f"argument {name}"
        elif names.is_context(name) and any(names.is_context(a) for a in arguments):
            sources[name] = f"argument {next(a for a in arguments if names.is_context(a))}"
        elif names.short(name) in lower and not names.is_cache(name):
            sources[name] = f"argument {lower[names.short(name)]}"
        elif parameter.default is inspect.Parameter.empty or names.is_cache(name):
            kept.append(name)
    return settled(result, returned, arguments, sources, kept, who, loss)


def settled(
    result: Sequence[Any],
    returned: Sequence[str],
    arguments: Sequence[str],
    sources: dict[str, str],
    kept: list[str],
    who: str,
    loss: bool,
) -> Plan:
    """The arguments that say nothing by their names: the upstream gradient, and what was kept."""
    if not loss and (name := unnamed_upstream(result, arguments, sources, kept)):
        sources[name] = "upstream 0"
        kept.remove(name)
    outputs = outputs_of(result, returned, sources, kept)
    asked = results_in(sources)
    rest = [i for i in range(len(result)) if i not in outputs and i not in asked]
    if len(kept) == 1 and len(rest) > 1:
        holds = [i for i in rest if not is_numbers(result[i])]
        sources[kept[0]] = f"result {holds[-1]}" if holds else "rest 0"
        return Plan(outputs, sources)
    for place, name in enumerate(kept):
        found = f"result {rest[place]}" if place < len(rest) else (
            other(name, arguments, sources, outputs)
        )  # fmt: skip
        if found is None:
            raise LayerError(f"{who} asks for {name}, which the forward neither takes nor returns")
        sources[name] = found
    return Plan(outputs, sources)


def results_in(sources: Mapping[str, str]) -> list[int]:
    """The places of those results that the backward asks for by name."""
    return [int(s.split()[1]) for s in sources.values() if s.startswith("result")]


def upstreams(sources: Mapping[str, str]) -> int:
    """How many gradients the backward takes from above."""
    return sum(s.startswith("upstream") for s in sources.values())


def unnamed_upstream(
    result: Sequence[Any],
    arguments: Sequence[str],
    sources: Mapping[str, str],
    kept: Sequence[str],
) -> str:
    """The first argument of no known name, where it has to be the gradient from above; else ""."""
    bare = [n for n in kept if not names.is_cache(n)]
    only = len(result) == 1
    if upstreams(sources) or not bare or (only and np.ndim(result[0]) == 0):
        return ""
    used = {source.split()[1] for source in sources.values() if source.startswith("argument")}
    roles = {names.role(a) for a in arguments if a not in used} - {""}
    meant = not sources or names.role(bare[0]) in roles  # the input of a derivative
    if only and len(kept) == 1 and not results_in(sources) and meant:
        return ""
    return bare[0] if len(kept) > 1 or not any(map(is_scalar, result)) else ""


def outputs_of(
    result: Sequence[Any], returned: Sequence[str], sources: Mapping[str, str], kept: Sequence[str]
) -> list[int]:
    """The places of the outputs: numbers that the backward neither asks for nor keeps."""
    asked, ups = results_in(sources), upstreams(sources)
    numbers = [i for i, r in enumerate(result) if is_numbers(r)]
    outputs = [i for i in numbers if i not in asked and not is_kept(i, returned, kept)] or numbers
    if len(result) > 1 and len(outputs) == len(result) and kept:  # the cache is an array
        outputs = outputs[:-1]
    if ups:
        return outputs[:ups]
    return [i for i in outputs if is_scalar(result[i])][:1] or outputs[:1]


def is_scalar(x: Any) -> bool:
    """Whether a result is one number."""
    return is_numbers(x) and np.ndim(x) == 0


def is_kept(place: int, returned: Sequence[str], kept: Sequence[str]) -> bool:
    """Whether a result is the cache, by its name."""
    name = returned[place] if place < len(returned) else ""
    return bool(kept) and names.is_cache(name) and name != "c"


def other(
    name: str, arguments: Sequence[str], sources: dict[str, str], outputs: list[int]
) -> str | None:
    """An argument of the same role, the output, or the only array that is left."""
    used = {s.split()[1] for s in sources.values() if s.startswith("argument")}
    left = [a for a in arguments if a not in used]
    same = [a for a in left if names.role(a) and names.role(a) == names.role(name)]
    if names.short(name) in OUTPUT_NAMES or names.role(name) == "p":
        return f"result {outputs[0]}"
    if same or len(left) == 1 or (left and not names.is_cache(name)):
        return f"argument {(same or left)[0]}"
    return f"result {outputs[0]}" if names.is_cache(name) and outputs else None


def matched(
    grads: Mapping[str, Any] | Sequence[str], shapes: Sequence[tuple[int, ...] | None],
    inputs: Mapping[str, Any], *, by_key: bool = False, who: str = "its backward",
    order: Sequence[str] = (),
) -> dict[str, int]:  # fmt: skip
    """The place of each input's gradient among those that a backward gives.

    By their names, else by their order, else by their shapes. LayerError if that leaves it open.
    `order` are the arguments of the forward: what is bound of them takes its place, too.

    >>> matched(["dw", "dx"], [(4, 5), (3, 4)], {"x": np.ones((3, 4)), "w": np.ones((4, 5))})
    {'w': 0, 'x': 1}
    """
    found: dict[str, int] = {}
    for exactly in (0, 1) if by_key else (0, 1, 2):  # dZ2 is no gradient of X
        for place, name in enumerate(grads):
            if place not in found.values() and (of := input_of(name, inputs, exactly)) is not None:
                found.setdefault(of, place)
    if by_key:
        if not found:
            keys = ", ".join(map(str, grads)) or "none"
            raise LayerError(
                f"{who} returns no gradient by a name of {', '.join(inputs)}: its keys are {keys}"
            )
        return found
    left = [i for i in range(len(grads)) if i not in found.values()]
    free = [n for n in inputs if n not in found]
    if len(order) == len(grads) > len(inputs):
        left = [i for i in left if order[i] in free]
        free = [n for n in free if n not in order or order.index(n) in left]
        if all(n in order for n in free):
            return found | {n: order.index(n) for n in free}
    if len(left) == len(free):
        return found | dict(zip(free, left))
    for place in list(left):
        fit = [n for n in free if np.shape(inputs[n]) == shapes[place]]
        if len(fit) == 1 or (fit and len(left) == 1):
            found[fit[0]] = place
            free.remove(fit[0])
            left.remove(place)
    if left and len(grads) != len(inputs) and not (found and not free):
        raise LayerError(
            f"{who} returns {len(grads)} gradients for {len(inputs)} inputs "
            f"({', '.join(inputs)}): say which, as in grads={{{next(iter(inputs))!r}: 0}}"
        )
    return found


def input_of(name: str, inputs: Mapping[str, Any], loosely: int) -> str | None:
    """The input that a name is the gradient of: as written, in any case, by its role."""
    for of in [*names.gradient_of(str(name)), str(name)]:
        for known in inputs:
            if (
                of == known
                or (loosely > 0 and names.short(of) == names.short(known))
                or (loosely > 1 and names.role(of) and names.role(of) == names.role(known))
            ):
                return known
    return None
