"""One use of an object: a copy of it, its forward, then its backward."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from microgrid.check.handwritten.forms.filling import Optimizer
from microgrid.check.handwritten.forms.fit import Fit, every_parameter, has_default
from microgrid.check.handwritten.forms.modules import modules_of, same_randomness
from microgrid.check.handwritten.forms.names import is_cache, is_label, label_of, short
from microgrid.check.handwritten.forms.sources import Source, is_number
from microgrid.check.handwritten.forms.state import (
    Place,
    copied,
    exchanged,
    is_floats,
    lying_at,
    put,
    walk,
)
from microgrid.check.handwritten.trial import LayerError
from microgrid.engine.value import Value
from microgrid.engine.value_array import as_array

SLOPES = ("grad", "gradient", "derivative", "prime", "deriv", "df", "dloss", "loss_prime")
RATES = {"lr", "learningrate", "eta", "stepsize", "rate", "learnrate", "alpha"}
UPSTREAM = {"dout", "grad", "gradoutput", "upstream", "dl", "dy", "dloss", "gradient"}
OUTPUTS = ("output", "out", "outputs", "y", "a", "A", "Z", "z", "h", "result", "loss")
UPDATES = ("update", "step", "update_params", "update_weights", "update_parameters")
RATE = 0.5


@dataclass
class Way:
    """One way to use an object: its methods, what they are called with, where the gradients are."""

    thing: Any
    forward: str
    backward: str  # "": what comes from above is handed through
    arguments: dict[str, Any]  # of forward
    made: dict[str, Any] = field(default_factory=dict)  # what its constructor was given
    roles: list[tuple[str, str]] = field(default_factory=list)  # of backward: (keyword, role)
    loss: bool = False
    labelled: bool = True  # whether one of the arguments may be the labels
    output: str = ""  # the attribute with the output, where forward returns none
    parameters: dict[str, list[Place]] = field(default_factory=dict)
    gradients: dict[str, Source | None] = field(default_factory=dict)
    rate: float = RATE
    told: dict[str, Any] = field(default_factory=dict)  # by name, to backward or an update
    seed: int = 0
    crashed: bool = False  # backward did, when it was tried
    fit: Fit = field(default_factory=Fit)  # what it was made and called with

    @property
    def name(self) -> str:
        return type(self.thing).__name__

    @property
    def inputs(self) -> list[str]:
        """The arguments of forward that can be differentiated; labels are none."""
        return [n for n, a in self.arguments.items() if is_floats(a) and n != self.label]

    @property
    def label(self) -> str:
        """The argument with the labels of a loss."""
        return label_of(list(self.arguments)) if self.labelled else ""

    @property
    def modules(self) -> list[ModuleType]:
        """Theirs, whose generators every pass finds in the same state."""
        return modules_of([inspect.unwrap(getattr(type(self.thing), self.forward))])

    @property
    def updates_itself(self) -> bool:
        return any(s is not None and "after" in s.expression for s in self.gradients.values())


@dataclass
class Played:
    """An object after its forward, ready for its backward."""

    way: Way
    thing: Any
    given: dict[str, Any]  # the arguments of forward
    outputs: list[Any]
    cache: Any

    def pull(self, upstream: Sequence[Any]) -> dict[str, Any]:
        """Run their backward, and read the gradients: None for one that is not there."""
        before = {n: self._kept(n) for n in self.way.parameters}
        returned = self.backward(upstream)
        return {
            name: None if source is None else self._read(source, returned, name, before.get(name))
            for name, source in self.way.gradients.items()
        }

    def backward(self, upstream: Sequence[Any]) -> Any:
        """What their backward returns; a slope, which takes nothing from above, is multiplied."""
        way, args, words = self.way, [], {}
        if not way.backward:
            return upstream[0]
        for keyword, role in way.roles:
            x = self._argument(role, upstream)
            if keyword:
                words[keyword] = x
            elif role == "*upstream":
                args += list(x)
            else:
                args.append(x)
        with same_randomness(way.seed + 1, way.modules):
            returned = getattr(self.thing, way.backward)(*args, **words)
        taken_up = way.loss or any("upstream" in role for _, role in way.roles)
        return returned if taken_up else times(upstream[0], returned)

    def _argument(self, role: str, upstream: Sequence[Any]) -> Any:
        kind, _, which = role.partition(" ")
        match kind:
            case "upstream":
                return upstream[int(which)]
            case "*upstream":
                return list(upstream)
            case "rate":
                return self.way.rate
            case "told":
                return self.way.told[which]
            case "optimizer":
                return Optimizer()
            case "cache":
                return self.cache
            case "output":
                return getattr(self.thing, which)
        return self.given[which]

    def _kept(self, name: str) -> Any:
        x = lying_at(self.thing, self.way.parameters[name][0].steps)
        return x.copy() if isinstance(x, np.ndarray) else x

    def _read(self, source: Source, returned: Any, name: str, before: Any) -> Any:
        """Evaluate where a gradient is; what goes wrong there is an error of theirs."""
        about = {"np": np, **getattr(self.thing, "__dict__", {}), "self": self.thing}
        about |= {"returned": returned, "lr": self.way.rate, **self.way.told}
        if "after" in source.expression and name in self.way.parameters:
            if np.array_equal(before, self._kept(name)):
                self._update()
            about |= {"before": before, "after": self._kept(name)}
        try:
            return eval(source.expression, about)
        except (NameError, AttributeError, KeyError, IndexError, SyntaxError) as error:
            has = ", ".join(getattr(self.thing, "__dict__", {})) or "nothing"
            raise LayerError(
                f"{self.way.name} has no {source.shown} after its backward "
                f"({type(error).__name__}: {error}); it has {has}"
            ) from error

    def _update(self) -> None:
        """Let the layer take its step, where backward does not."""
        method = next((m for n in UPDATES if (m := getattr(self.thing, n, None))), None)
        if method is not None:
            rated = [p.name for p in every_parameter(method) if short(p.name) in RATES]
            needed = [p.name for p in every_parameter(method) if not has_default(p)]
            told = {p.name: self.way.told.get(p.name) for p in every_parameter(method)}
            rates = dict.fromkeys(rated or needed, self.way.rate)
            method(**rates | {name: x for name, x in told.items() if x is not None})


def times(above: Any, slope: Any) -> Any:
    """A slope times the gradient from above: a Jacobian of rows, or for one number a sample."""
    shape = np.shape(above)
    if isinstance(slope, np.ndarray) and slope.ndim > len(shape) and slope.shape[:-1] == shape:
        if len(shape) == 2 and slope.shape[-1] == shape[-1]:
            return np.einsum("ni,nij->nj", above, slope)
        return np.asarray(above)[..., None] * slope
    return above * slope


def play(way: Way, inputs: Mapping[str, Any]) -> Played:
    """One fresh forward: a copy of the object with these parameters and arguments.

    >>> class Double:
    ...     def forward(self, x):
    ...         return 2 * x
    ...     def backward(self, dout):
    ...         return 2 * dout
    >>> play(Way(Double(), "forward", "backward", {"x": np.ones(2)}), {}).outputs
    [array([2., 2.])]
    """
    thing = copied(way.thing)
    set_inputs(thing, way, inputs)
    bound = {n: copied(a) for n, a in way.arguments.items()}
    return replay(way, thing, bound | {n: form(inputs[n], bound[n]) for n in bound if n in inputs})


def replay(way: Way, thing: Any, given: dict[str, Any]) -> Played:
    """One forward of this very object."""
    with same_randomness(way.seed, way.modules):
        result = call(getattr(thing, way.forward), given)
    if result is None and way.output:
        result = getattr(thing, way.output)
    outputs, cache = outputs_and_cache(result, way)
    return Played(way, thing, given, outputs, cache)


def call(function: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    """Call it with its arguments by place, those behind a * by name."""
    behind = {p.name for p in every_parameter(function) if p.kind == p.KEYWORD_ONLY}
    known = [p.name for p in every_parameter(function)]
    first = [n for n in known if n in given and n not in behind]
    skipped = first != known[: len(first)]  # one with a default lies between
    words = {n: x for n, x in given.items() if n in behind or (skipped and n != first[0])}
    return function(*[x for n, x in given.items() if n not in words], **words)


def set_inputs(thing: Any, way: Way, inputs: Mapping[str, Any]) -> None:
    """Put the inputs in the place of the parameters; on Values every float array makes room."""
    new: dict[int, Any] = {}
    alive = []  # an id is that of one object only as long as this lives
    for name, places in way.parameters.items():
        if name not in inputs:
            continue
        old = lying_at(thing, places[0].steps)
        if isinstance(old, np.ndarray):
            new[id(old)] = form(inputs[name], old)
            alive.append(old)
        else:
            for place in places:
                put(lying_at(thing, place.holder), place.steps[-1], form(inputs[name], old))
    if any(on_values(x) for x in inputs.values()):
        for _, x in walk(thing):
            if isinstance(x, np.ndarray) and x.dtype.kind == "f" and id(x) not in new:
                new[id(x)] = as_array(x.astype(object))
                alive.append(x)
    exchanged(thing, new)


def on_values(x: Any) -> bool:
    """Whether it is an array of Values, or a Value.

    >>> on_values(np.ones(2))
    False
    """
    return isinstance(x, Value) or (isinstance(x, np.ndarray) and x.dtype.kind == "O")


def form(x: Any, old: Any) -> Any:
    """An input as the object has it: an array of its precision, or a number."""
    if on_values(x):
        alone = not isinstance(x, np.ndarray) or not x.ndim
        return as_array(x.copy()) if not alone else x[()] if isinstance(x, np.ndarray) else x
    if not isinstance(old, np.ndarray):
        return float(x)
    return np.array(x, dtype=old.dtype if old.dtype.kind == "f" else float)


def outputs_and_cache(result: Any, way: Way) -> tuple[list[Any], Any]:
    """The outputs of a forward, and the rest: what its backward takes as the cache."""
    if not isinstance(result, tuple | list):
        return [result], None
    upstreams = sum(role.startswith("upstream ") for _, role in way.roles)
    if any(role == "cache" for _, role in way.roles):
        count = max(1, upstreams)
        rest = result[count:]
        return list(result[:count]), rest[0] if len(rest) == 1 else tuple(rest)
    numbers = [x for x in result if is_number(x) or isinstance(x, Value)]
    losses = [x for x in numbers if np.ndim(x) == 0]
    if len(losses) == 1 and way.label:
        return losses, None  # it gives probabilities, too
    return numbers[: max(1, upstreams)] if upstreams or way.loss else numbers, None


def study(way: Way) -> None:
    """Run the forward once on floats: what it returns decides how backward is called.

    ValueError for what is no finite number.
    """
    played = play(way, {})
    if played.outputs and played.outputs[0] is None:
        held = {n: getattr(played.thing, n, None) for n in OUTPUTS}
        way.output = next((n for n, x in held.items() if is_number(x)), "")
        played = play(way, {})
    numbers = [np.asarray(x, float) for x in played.outputs if is_number(x)]
    if not numbers or not all(np.isfinite(x).all() for x in numbers):
        raise ValueError("it returns no finite numbers")
    one = len(numbers) == 1 and numbers[0].size == 1
    way.roles = roles_of(way, one, played.thing)
    way.loss = one and bool(way.backward) and not any("upstream" in r for _, r in way.roles)


def roles_of(way: Way, one: bool, after: Any) -> list[tuple[str, str]]:
    """What each argument of their backward is; `one`: the output is one number."""
    if not way.backward:
        return []
    known = every_parameter(getattr(way.thing, way.backward))
    known = [p for p in known if p.kind != p.VAR_KEYWORD]
    roles: list[tuple[str, str]] = []
    skipped = False
    for i, p in enumerate(known):
        role = role_of(p, i, known, way, one, after)
        if role == "upstream":
            role += f" {sum(r.startswith('upstream') for _, r in roles)}"
        if role:
            named = p.kind == p.KEYWORD_ONLY or skipped
            roles.append((p.name if named else "", role))
        skipped = skipped or not role
    return roles


def role_of(
    p: inspect.Parameter, i: int, known: list[inspect.Parameter], way: Way, one: bool, after: Any
) -> str:
    """The part of one argument, "" where it is left to its default."""
    name, needed, label = short(p.name), not has_default(p), way.label
    own = next((n for n in way.arguments if short(n) == name), "")
    later = {short(q.name) for q in known[1:]}
    with_label = bool(label) and any(is_label(n) or n == short(label) for n in later)
    if p.kind == p.VAR_POSITIONAL:
        return "*upstream"
    if p.name in way.told:
        return f"told {p.name}"
    if name in RATES and (needed or i):
        return "rate"
    if "optim" in name and needed:
        return "optimizer"
    if own and (way.backward in SLOPES or one or len(known) > 1):
        return f"input {own}"
    if with_label and i == 0 and name not in UPSTREAM:
        first = next(n for n in way.arguments if n != label)
        is_output = np.shape(getattr(after, "output", ())) == np.shape(way.arguments[first])
        return "output output" if one and is_output else f"input {first}"
    if label and needed and is_label(name):
        return f"input {label}"
    if is_cache(p.name) and (needed or i):
        return "cache"
    return "upstream" if needed or (i == 0 and not one) else ""
