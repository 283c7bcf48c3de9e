"""Classes and objects with a forward and a backward, as layers that are ready to run.

The object is copied for every pass. Its parameters are found by the gradients that belong to them.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from microgrid.check.handwritten import making, sources
from microgrid.check.handwritten.making import has_default, labelled, parameters_of
from microgrid.check.handwritten.sources import Source, normal
from microgrid.check.handwritten.state import (
    Place,
    copied,
    exchanged,
    floats_of,
    is_floats,
    put,
    seeded,
    taken,
    walk,
)
from microgrid.check.handwritten.trial import Array, LayerError, Pass, Trial

FORWARDS = ("forward", "forward_pass", "fwd", "forward_propagation", "forward_prop", "feedforward")
FORWARDS += ("forwardpass", "feed_forward", "propagate", "call", "calculate", "__call__", "loss")
FORWARDS += ("compute_loss", "compute", "activate", "apply", "function", "fn", "f")
BACKWARDS = ("backward", "backward_pass", "bwd", "backprop", "backpropagate", "back_propagation")
BACKWARDS += ("backpropagation", "backward_propagation", "backward_prop", "backwardpass", "back")
SLOPES = ("grad", "gradient", "derivative", "prime", "deriv", "df", "backward_derivative", "dloss")
RATES = {"lr", "learningrate", "eta", "stepsize", "rate", "learnrate", "alpha"}
CACHES = {"cache", "ctx", "caches", "saved", "memory", "context"}
OUTPUTS = ("output", "out", "outputs", "y", "a", "A", "Z", "z", "h", "result", "loss")
UPDATES = ("update", "step", "update_params", "update_weights", "update_parameters", "apply_gradients")
CLEARERS = ("zero_grad", "zero_grads", "clear_grad", "clear_grads", "zero_gradients", "reset_grads")
RATE = 0.5
TRIES = 600


@dataclass
class Way:
    """One way to use an object: its methods, and what its forward is called with."""

    thing: Any
    forward: str
    backward: str
    arguments: dict[str, Any]
    made: dict[str, Any] = field(default_factory=dict)  # what its constructor was given
    roles: list[tuple[str, str]] = field(default_factory=list)  # of backward: (argument, role)
    loss: bool = False
    output: str = ""  # the attribute with the output, where forward returns none
    parameters: dict[str, list[Place]] = field(default_factory=dict)
    gradients: dict[str, Source | None] = field(default_factory=dict)
    rate: float = RATE
    seed: int = 0

    @property
    def name(self) -> str:
        return type(self.thing).__name__

    @property
    def inputs(self) -> list[str]:
        """The arguments of forward that can be differentiated; labels are none."""
        label = labelled(list(self.arguments))
        return [n for n, a in self.arguments.items() if is_floats(a) and n != label]


@dataclass
class Played:
    """An object after its forward, ready for its backward."""

    way: Way
    thing: Any
    given: dict[str, Any]  # the arguments of forward
    outputs: list[Any]
    cache: Any

    def pull(self, upstream: Sequence[Any]) -> dict[str, Any]:
        """Run their backward, and read the gradients."""
        way = self.way
        before = {n: _kept(taken(self.thing, p[0].steps)) for n, p in way.parameters.items()}
        returned = self.backward(upstream)
        found = {}
        for name, source in way.gradients.items():
            found[name] = None
            if source is not None:
                found[name] = self.read(source, returned, name, before.get(name))
        return found

    def backward(self, upstream: Sequence[Any]) -> Any:
        """What their backward returns; a slope, which takes no upstream gradient, is multiplied."""
        way, args, words = self.way, [], {}
        for name, role in way.roles:
            x = self.argument(role, upstream)
            if role.startswith("*"):
                args += list(x)
            elif name:
                words[name] = x
            else:
                args.append(x)
        with seeded(way.seed + 1):
            returned = getattr(self.thing, way.backward)(*args, **words)
        return _times(upstream[0], returned) if self.slope else returned

    @property
    def slope(self) -> bool:
        return not self.way.loss and not any("upstream" in role for _, role in self.way.roles)

    def argument(self, role: str, upstream: Sequence[Any]) -> Any:
        kind, _, which = role.partition(" ")
        if kind == "upstream":
            return upstream[int(which)]
        if kind in ("*upstream", "upstreams"):
            return list(upstream)
        if kind == "rate":
            return self.way.rate
        if kind == "optimizer":
            return making.Optimizer()
        return self.cache if kind == "cache" else self.given[which]

    def read(self, source: Source, returned: Any, name: str, before: Any) -> Any:
        """One gradient; None where it is not there. AttributeError and the like are theirs."""
        about = {**getattr(self.thing, "__dict__", {}), "np": np, "self": self.thing}
        about |= {"returned": returned, "lr": self.way.rate}
        if before is not None:
            changes = "after" in source.expression
            place = self.way.parameters[name][0]
            if changes and _same(before, taken(self.thing, place.steps)):
                self.update()
            about |= {"before": before, "after": taken(self.thing, place.steps)}
        return eval(source.expression, about)

    def update(self) -> None:
        """Let the layer take its step, where backward does not."""
        for name in UPDATES:
            method = getattr(self.thing, name, None)
            if method:
                rated = [p.name for p in parameters_of(method) if normal(p.name) in RATES]
                needed = [p.name for p in parameters_of(method) if not has_default(p)]
                method(**{n: self.way.rate for n in rated or needed})
                return


def _kept(x: Any) -> Any:
    return x.copy() if isinstance(x, np.ndarray) else x


def _same(a: Any, b: Any) -> bool:
    return bool(np.array_equal(np.asarray(a), np.asarray(b)))


def _times(upstream: Any, slope: Any) -> Any:
    """A slope times the upstream gradient; of one number a sample, axes are added."""
    if isinstance(slope, np.ndarray) and np.ndim(upstream) < slope.ndim:
        if np.shape(upstream) == slope.shape[: np.ndim(upstream)]:
            more = (1,) * (slope.ndim - np.ndim(upstream))
            upstream = np.reshape(upstream, np.shape(upstream) + more)
    return upstream * slope


def play(way: Way, inputs: Mapping[str, Any]) -> Played:
    """One fresh forward: a copy of the object with these parameters and arguments."""
    thing = copied(way.thing)
    on_values = any(getattr(x, "dtype", None) == object for x in inputs.values())
    _set(thing, way, inputs, on_values)
    bound = {n: copied(a) for n, a in way.arguments.items()}
    given = bound | {n: _in_form(inputs[n], bound[n]) for n in bound if n in inputs}
    with seeded(way.seed):
        result = _call(getattr(thing, way.forward), given)
    if result is None and way.output:
        result = getattr(thing, way.output)
    outputs, cache = _parts(result, way)
    return Played(way, thing, given, outputs, cache)


def _call(function: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    """Call it with all arguments by name; those behind a * are none."""
    kinds = {p.name: p.kind for p in parameters_of(function)}
    if all(kinds.get(n) in (2 - 1, 3) for n in given):  # positional or keyword, keyword only
        return function(**given)
    words = {n: x for n, x in given.items() if kinds.get(n) == inspect.Parameter.KEYWORD_ONLY}
    return function(*[x for n, x in given.items() if n not in words], **words)


def _set(thing: Any, way: Way, inputs: Mapping[str, Any], on_values: bool) -> None:
    """Put the inputs in the place of the parameters; on Values every float array makes room."""
    new: dict[int, Any] = {}
    for name, places in way.parameters.items():
        if name not in inputs:
            continue
        old = taken(thing, places[0].steps)
        if isinstance(old, np.ndarray):
            new[id(old)] = _in_form(inputs[name], old)
        else:
            for place in places:
                put(taken(thing, place.holder), place.steps[-1], _in_form(inputs[name], old))
    if on_values:
        for _, x in walk(thing):
            if isinstance(x, np.ndarray) and x.dtype.kind == "f" and id(x) not in new:
                new[id(x)] = _roomy(x)
    exchanged(thing, new)


def _roomy(x: Array) -> Any:
    from microgrid.engine.value_array import as_array

    return as_array(x.astype(object))


def _in_form(x: Any, old: Any) -> Any:
    """An input as the place in the object has it: an array of its precision, or a number."""
    if not isinstance(old, np.ndarray):
        return x[()] if getattr(x, "dtype", None) == object else float(x)
    if getattr(x, "dtype", None) == object:
        from microgrid.engine.value_array import as_array

        return as_array(x.copy())
    return np.array(x, dtype=old.dtype if old.dtype.kind == "f" else float)


def _parts(result: Any, way: Way) -> tuple[list[Any], Any]:
    """The outputs of a forward, and the rest: what its backward takes as the cache."""
    if not isinstance(result, tuple | list):
        return [result], None
    upstreams = sum(role.startswith("upstream ") for _, role in way.roles)
    if any("cache" in role for _, role in way.roles):
        count = max(1, upstreams)
        rest = list(result[count:])
        return list(result[:count]), rest[0] if len(rest) == 1 else tuple(rest)
    numbers = [x for x in result if sources.is_number(x) or hasattr(x, "_data")]
    return numbers[: max(1, upstreams)] if upstreams or way.loss else numbers, None


def trials(
    layer: Any, grads: Mapping[str, str] | None = None, seed: int = 0, **given: Any
) -> list[Trial]:
    """Somebody's class, or an object of it, ready to run: one trial a setting.

    The arguments are those of `__init__` and of forward: shapes, arrays, or what they must be;
    those that are left out are chosen by their names, and by what runs. `grads` says where a
    gradient is: `{"W": "self.grads[0]"}`, `{"W": "(before - after) / lr"}`.

    >>> class Double:
    ...     def forward(self, x):
    ...         return 2 * x
    ...     def backward(self, dout):
    ...         return 2 * dout
    >>> [trial] = trials(Double, x=(2, 3))
    >>> trial.run(trial.inputs).pull([np.ones((2, 3))])["x"][0, 0]
    np.float64(2.0)
    """
    chosen = isinstance(layer, type) and any(normal(p.name) in making.CHOSEN for p in parameters_of(layer))
    made = []
    for which in (0, 1) if chosen else (0,):
        trial = trial_of(way_of(layer, grads, seed, given, which), grads or {})
        if trial.setting not in [t.setting for t in made]:
            made.append(trial)
    return made


def methods(layer: Any) -> tuple[list[str], str]:
    """Their forwards, the likeliest first, and their backward; LayerError if one is missing."""
    has = lambda names: [n for n in names if _is_written(layer, n)]  # noqa: E731
    forwards, backwards = has(FORWARDS), has(BACKWARDS) or has(SLOPES)
    backwards = [b for b in backwards if b not in forwards]
    if "calculate" in forwards:
        forwards.sort(key=lambda n: n != "calculate")  # of nnfs: the mean of forward's losses
    if not forwards or not backwards:
        cls = layer if isinstance(layer, type) else type(layer)
        missing, like = ("backward", BACKWARDS) if forwards else ("forward", FORWARDS)
        raise LayerError(
            f"{cls.__name__} has no {missing}: a method named {', '.join(like[:3])} or the like"
        )
    return forwards, backwards[0]


def _is_written(layer: Any, name: str) -> bool:
    cls = layer if isinstance(layer, type) else type(layer)
    function = inspect.getattr_static(cls, name, None)
    if function is None or (name == "__call__" and isinstance(function, type)):
        return False
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    return code is not None and not _is_abstract(function)


def _is_abstract(function: Any) -> bool:
    """Whether it is a method of a base: it raises NotImplementedError, or does nothing."""
    if getattr(function, "__isabstractmethod__", False):
        return True
    code = function.__code__
    nothing = set(code.co_consts) <= {None, function.__doc__} and not code.co_names
    return "NotImplementedError" in code.co_names or (nothing and len(code.co_code) < 24 and code.co_argcount > 0)


def way_of(
    layer: Any, grads: Mapping[str, str] | None, seed: int, given: Mapping[str, Any], which: int = 0
) -> Way:
    """The first way whose forward and backward run; else the first whose forward does."""
    forwards, backward = methods(layer)
    first, error, used = None, None, set()
    for way in _islice(_ways(layer, forwards, backward, seed, given, which), TRIES):
        used |= {*way.arguments, *way.made}
        try:
            _study(way)
        except Exception as caught:
            error = error or (way, caught)
            continue
        try:
            if _learn(way, grads or {}):
                return _checked(way, given)
        except LayerError:
            raise
        except Exception:
            pass  # it is told as a crash, if nothing else runs
        first = first or way
    if first is not None:
        return _checked(first, given)
    raise LayerError(_no_forward(layer, error))


def _checked(way: Way, given: Mapping[str, Any]) -> Way:
    unknown = [n for n in given if n not in way.arguments and n not in way.made]
    if unknown:
        known = list(dict.fromkeys([*way.arguments, *way.made])) or ["none"]
        raise LayerError(f"{way.name} takes no {unknown[0]}: its arguments are {', '.join(known)}")
    return way


def _islice(ways: Iterator[Way], count: int) -> Iterator[Way]:
    return (way for way, _ in zip(ways, range(count)))


def _no_forward(layer: Any, error: tuple[Way, Exception] | None) -> str:
    name = layer.__name__ if isinstance(layer, type) else type(layer).__name__
    if error is None:
        return f"{name}: nothing is known of the arguments of its forward: give them, x=(3, 4)"
    way, said = error
    shapes = ", ".join(f"{n} {np.shape(a)}" for n, a in way.arguments.items())
    how = ", ".join(f"{n}=(3, 4)" for n in way.arguments)
    return (
        f"{name}: its forward runs on none of the inputs that were tried (on {shapes} Python said "
        f"{type(said).__name__}: {said}): give their shapes, as in {how}"
    )


def _ways(
    layer: Any, forwards: list[str], backward: str, seed: int, given: Mapping[str, Any], which: int
) -> Iterator[Way]:
    rng = np.random.default_rng(seed)
    if isinstance(layer, type):
        with seeded(seed):
            things: Iterator[tuple[Any, dict[str, Any]]] = iter(list(making.objects(layer, given, rng, which)))
    else:
        things = iter([(layer, {})])
    for thing, made in things:
        for forward in forwards:
            if forward == "__call__" and len(forwards) > 1:
                continue
            for args in making.arguments(thing, forward, given, rng, made):
                yield Way(thing, forward, backward, args, made, seed=seed)


def _study(way: Way) -> None:
    """Run the forward once on floats: what it returns decides how backward is called."""
    played = play(way, {})
    result = played.outputs[0] if played.outputs else None
    if result is None:
        way.output = next((n for n in OUTPUTS if sources.is_number(getattr(played.thing, n, None))), "")
        played = play(way, {})
    outputs = [x for x in played.outputs if sources.is_number(x)]
    if not outputs or not all(np.isfinite(np.asarray(x, float)).all() for x in outputs):
        raise ValueError("it returns no finite numbers")
    scalar = np.size(outputs[0]) == 1 and len(outputs) == 1
    way.roles = _roles(way, scalar)
    way.loss = scalar and not any("upstream" in role for _, role in way.roles)


def _roles(way: Way, scalar: bool) -> list[tuple[str, str]]:
    """What each argument of their backward is."""
    inputs = {normal(n): n for n in way.arguments}
    label, roles, upstreams = labelled(list(way.arguments)), [], 0
    known = [p for p in parameters_of(getattr(way.thing, way.backward)) if p.kind != p.VAR_KEYWORD]
    slope = way.backward in SLOPES
    takes_label = label and any(normal(p.name) == normal(label) or p.name == labelled([p.name, ""]) for p in known[1:])
    for i, p in enumerate(known):
        name, required = normal(p.name), not has_default(p)
        keyword = p.name if p.kind == p.KEYWORD_ONLY else ""
        free = not upstreams and (i == 0 or required)
        if p.kind == p.VAR_POSITIONAL:
            roles.append(("", "*upstream"))
            upstreams += 1
        elif name in RATES:
            roles.append((p.name, "rate"))
        elif name in CACHES:
            roles.append((p.name, "cache"))
        elif "optim" in name and required:
            roles.append((p.name, "optimizer"))
        elif name in inputs and (slope or scalar or len(known) > 1):
            roles.append((p.name, f"input {inputs[name]}"))
        elif takes_label and scalar and not upstreams and i == 0:
            first = next(n for n in way.arguments if n != label)
            roles.append((keyword, f"input {first}"))
        elif label and required and normal(p.name) in sum(making.LABELS, []):
            roles.append((p.name, f"input {label}"))
        elif required or (free and not scalar):
            roles.append((keyword, f"upstream {upstreams}"))
            upstreams += 1
    return [(n if r.split()[0] != "upstream" else n, r) for n, r in roles]


def _learn(way: Way, grads: Mapping[str, str]) -> bool:
    """Run the backward once: which gradients are there, and of which parameters."""
    played = play(way, {})
    unlike = {p: _kept(x) for p, x in floats_of(played.thing).items()}
    rng = np.random.default_rng(way.seed)
    upstream = [making.draw("x", np.shape(o), rng) for o in played.outputs]
    way.rate = _rate(way)
    _find(way, played, None, unlike, grads)  # what is known if backward crashes
    returned = played.backward(upstream)
    _find(way, played, returned, unlike, grads)
    found = played.pull_again(upstream) if False else None
    del found
    return True


def _rate(way: Way) -> float:
    """The learning rate: ours, if backward takes it, else theirs."""
    if any(role == "rate" for _, role in way.roles):
        return RATE
    theirs = [x for p, x in walk(way.thing) if normal(p.name) in RATES - {"alpha", "rate"}]
    return next((float(x) for x in theirs if isinstance(x, int | float) and x), RATE)


def _find(
    way: Way, played: Played, returned: Any, unlike: dict[Place, Any], grads: Mapping[str, str]
) -> None:
    """Fill in the parameters and where each gradient is."""
    after = floats_of(played.thing)
    held = _by_array(way.thing)
    names = sources.returned_names(getattr(type(way.thing), way.backward))
    named = {n: p for n, p in zip(_names(way, held), held)}
    count = len(way.inputs)
    way.parameters, way.gradients = {}, {}
    for i, name in enumerate(way.inputs):
        way.gradients[name] = (
            _told(grads, name)
            or sources.of_returned(name, i, count + len(_expected(named)), returned, names)
            or _attribute(name, i, after)
        )
    order = [n for n in named if n in _expected(named)]
    for name, places in named.items():
        source = _told(grads, name, places)
        position = count + order.index(name) if name in order else 99
        source = source or sources.of_parameter(places, after)
        if returned is not None and source is None and (isinstance(returned, dict) or name in order or names):
            source = sources.of_returned(name, position, count + len(order), returned, names)
        if source is None and is_floats(after.get(places[0])) and not _same(after[places[0]], unlike[places[0]]) and name in order:
            source = Source("(before - after) / lr", f"the change of {places[0]}")
        if source is not None or name in order:
            way.parameters[name], way.gradients[name] = places, source
    _refuse_unknown(way, grads, named)


def _told(grads: Mapping[str, str], name: str, places: Sequence[Place] = ()) -> Source | None:
    keys = [name, *(str(p) for p in places), *(str(p)[5:] for p in places), *(p.name for p in places)]
    told = next((grads[k] for k in keys if k in grads), None)
    return told and Source(told, told)


def _refuse_unknown(way: Way, grads: Mapping[str, str], named: Mapping[str, list[Place]]) -> None:
    every = [n for n in named] + list(way.inputs)
    known = {k for n, ps in named.items() for k in (n, *(str(p) for p in ps), *(str(p)[5:] for p in ps), *(p.name for p in ps))}
    for name in grads:
        if name not in known and name not in way.inputs:
            raise LayerError(f"grads: {way.name} has no parameter {name}, but {', '.join(every)}")


def _by_array(thing: Any) -> list[list[Place]]:
    """The places of each float array (and float) of an object; one array may lie in several."""
    places: dict[Any, list[Place]] = {}
    for place, x in floats_of(thing).items():
        places.setdefault(id(x) if isinstance(x, np.ndarray) else place, []).append(place)
    return list(places.values())


def _names(way: Way, held: list[list[Place]]) -> list[str]:
    """A name for each: that of the constructor's array, its last name, or with its object's."""
    last = [_last_name(p[0]) for p in held]
    names = []
    for places, name in zip(held, last):
        x = taken(way.thing, places[0].steps)
        mine = [n for n, a in way.made.items() if isinstance(a, np.ndarray) and a.size and np.array_equal(a, x)]
        whole = str(places[0])[5:]
        names.append(mine[0] if mine else name if last.count(name) == 1 and name not in way.inputs else whole)
    return names


def _last_name(place: Place) -> str:
    """W of self.W, of self.params["W"] and of self.W.data; weights[0] of a list."""
    if isinstance(place.key, int):
        return f"{place.name}[{place.key}]"
    if normal(place.key) in sources.DATA - {"w", "weight"} and len(place.steps) > 1:
        return _last_name(Place(place.steps[:-1]))
    return str(place.key)


EXPECTED = {"w", "weight", "weights", "b", "bias", "biases", "gamma", "beta", "kernel", "kernels"}
EXPECTED |= {"filters", "filter", "wx", "wh"}


def _expected(named: Mapping[str, list[Place]]) -> list[str]:
    """Those that are parameters by their names, even without a gradient."""
    good = lambda n, ps: normal(n.split(".")[-1]) in EXPECTED or any(  # noqa: E731
        p.steps[-1][0] == "[]" and normal(p.holder[-1][1]) in ("params", "parameters") for p in ps
    )
    return [n for n, ps in named.items() if good(n, ps)]


def _attribute(name: str, position: int, after: Mapping[Place, Any]) -> Source | None:
    """The gradient of an input among the attributes of the object itself."""
    ranked = [
        (rank, str(p))
        for p in after
        if len(p.steps) == 1 and (rank := sources.named_as_gradient(p.key, name)) >= 0
    ]
    if not ranked and position == 0:
        ranked = [(9, str(p)) for p in after if str(p) in ("self.dinputs", "self.dx", "self.dinput", "self.dX")]
    return Source(min(ranked)[1], min(ranked)[1]) if ranked else None


def trial_of(way: Way, grads: Mapping[str, str]) -> Trial:
    """A trial of one way to use an object."""
    rng = np.random.default_rng(way.seed + 1)
    inputs: dict[str, Array] = {}
    for name in way.inputs:
        if way.gradients.get(name) is not None or len(way.inputs) == 1:
            inputs[name] = np.array(way.arguments[name])
        else:
            way.gradients.pop(name, None)
    for name, places in way.parameters.items():
        old = taken(way.thing, places[0].steps)
        drawn = old if name in way.made else making.draw(_last_name(places[0]), np.shape(old), rng)
        inputs[name] = np.array(drawn, dtype=getattr(old, "dtype", float))

    def run(given: Mapping[str, Any]) -> Pass:
        played = play(way, given)
        return Pass(played.outputs, played.pull)

    return Trial(
        name=way.name,
        inputs=inputs,
        run=run,
        modules=_modules(way.thing),
        forwards=_functions(way.thing, (way.forward, *FORWARDS)),
        backwards=_functions(way.thing, (way.backward, *BACKWARDS)),
        places={n: s.shown for n, s in way.gradients.items() if s is not None},
        setting=_setting(way),
        loss=way.loss,
        samples=_samples(way),
        again=None if way.loss else lambda a, b: again(way, a, b),
    )


def _setting(way: Way) -> str:
    """How the layer is called beyond its inputs: "stride=2, pad=1"."""
    told = {n: v for n, v in way.made.items() if not is_floats(v)}
    told |= {n: v for n, v in way.arguments.items() if n not in way.inputs and not isinstance(v, np.ndarray)}
    return ", ".join(f"{n}={v!r}" for n, v in told.items() if not isinstance(v, making.Optimizer))


def _samples(way: Way) -> int:
    first = next(iter(way.inputs), "")
    shape = np.shape(way.arguments[first]) if first else ()
    out = np.shape(play(way, {}).outputs[0])
    if shape and out and len(shape) == 2 and shape[0] != out[0] and shape[-1] == out[-1]:
        return shape[-1]  # samples in columns
    return shape[0] if shape else 1


def _own(thing: Any) -> list[type]:
    """The classes of an object and of its parts that are somebody's, not Python's nor NumPy's."""
    things = [thing, *(x for _, x in walk(thing))]
    classes = dict.fromkeys(c for x in things for c in type(x).__mro__)
    foreign = ("builtins", "numpy", "microgrid", "abc", "typing", "collections", "random")
    return [c for c in classes if c.__module__.split(".")[0] not in foreign]


def _modules(thing: Any) -> list[ModuleType]:
    found = [sys.modules[c.__module__] for c in _own(thing) if c.__module__ in sys.modules]
    return list(dict.fromkeys(found))


def _functions(thing: Any, names: Sequence[str]) -> list[FunctionType]:
    found = [f for c in _own(thing) for n in names if isinstance(f := vars(c).get(n), FunctionType)]
    return list(dict.fromkeys(found))


def again(way: Way, a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """What is wrong with a second forward and backward on the same object, or ""."""
    return ""


def classes_of(module: ModuleType) -> list[type]:
    """The classes of a module that have a forward and a backward, as they stand in its source."""
    found = []
    for thing in vars(module).values():
        if isinstance(thing, type) and thing.__module__ == module.__name__ and thing not in found:
            try:
                methods(thing)
            except LayerError:
                continue
            found.append(thing)
    return found
