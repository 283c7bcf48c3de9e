"""Classes and objects with a forward and a backward, as layers that are ready to run."""

from __future__ import annotations

import dis
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain as joined
from itertools import islice
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from microgrid.check.handwritten.forms import making, torch_functions
from microgrid.check.handwritten.forms.arguments import arguments, labelled
from microgrid.check.handwritten.forms.making import draw, objects
from microgrid.check.handwritten.forms.matching import match
from microgrid.check.handwritten.forms.passes import again
from microgrid.check.handwritten.forms.sizes import STRIDES, parameters_of
from microgrid.check.handwritten.forms.sources import normal, words
from microgrid.check.handwritten.forms.state import is_floats, taken, walk
from microgrid.check.handwritten.forms.using import RATES, SLOPES, UPDATES, Way, play, study
from microgrid.check.handwritten.trial import Array, LayerError, Pass, Trial

FORWARDS = words(
    "forward forward_pass fwd forward_propagation forward_prop feedforward forwardpass "
    "feed_forward propagate call calculate loss compute_loss compute activate apply function fn f "
    "__call__"
)
BACKWARDS = words(
    "backward backward_pass bwd backprop backpropagate back_propagation backpropagation "
    "backward_propagation backward_prop backwardpass back"
)
FOREIGN = ("builtins", "numpy", "microgrid", "abc", "typing", "collections", "random")
TRIES, AT_FIRST = 800, 16  # ways in all, and of each object before the next
OTHERS = 6  # shapes to compare where the usual ones crash


def trials(
    layer: Any, /, grads: Mapping[str, str] | None = None, seed: int = 0, **given: Any
) -> list[Trial]:
    """Somebody's class, or an object of it, ready to run: one trial a setting.

    What is given are arguments of `__init__` and of forward: shapes, arrays, or what they must be;
    those that are left out are chosen by their names, and by what runs. `grads` says where a
    gradient is: `{"W": "self.grads[0]"}`, `{"W": "(before - after) / lr"}`. LayerError for a class
    that cannot be made, and for a forward that runs on nothing.

    >>> class Double:
    ...     def forward(self, x):
    ...         return 2 * x
    ...     def backward(self, dout):
    ...         return 2 * dout
    >>> [trial] = trials(Double, x=(2, 3))
    >>> trial.run(trial.inputs).pull([np.ones((2, 3))])["x"][0]
    array([2., 2., 2.])
    """
    if torch_functions.is_function(layer):
        return torch_functions.trials(layer, grads, seed, **given)
    names = [normal(p.name) for p in parameters_of(layer)] if isinstance(layer, type) else []
    made: list[Trial] = []
    for which in (0, 1) if set(names) & set(STRIDES) else (0,):
        way = way_of(layer, grads or {}, seed, given, which)
        for each in (way, *other_labels(way, grads or {}, given)):
            trial = trial_of(each)
            if trial.setting not in [t.setting for t in made]:
                made.append(trial)
    return made


def methods(layer: Any) -> tuple[list[str], str]:
    """The forwards of a class, the likeliest first, and its backward.

    LayerError if one is missing.

    >>> class Double:
    ...     def forward(self, x):
    ...         return 2 * x
    ...     def backward(self, dout):
    ...         return 2 * dout
    >>> methods(Double)
    (['forward'], 'backward')
    """
    cls = layer if isinstance(layer, type) else type(layer)
    forwards = written(layer)
    backwards = [n for n in (*BACKWARDS, *SLOPES) if _is_written(cls, n) and n not in forwards]
    if forwards and backwards:
        return forwards, backwards[0]
    missing, like = ("backward", BACKWARDS) if forwards else ("forward", FORWARDS)
    raise LayerError(
        f"{cls.__name__} has no {missing}: write a method named {', '.join(like[:3])} or the like"
    )


def written(layer: Any) -> list[str]:
    """The names of its forwards, the likeliest first."""
    cls = layer if isinstance(layer, type) else type(layer)
    found = [n for n in FORWARDS if _is_written(cls, n)]
    if "calculate" in found:  # of nnfs: the mean of what forward gives
        found.sort(key=lambda n: n != "calculate")
    return found


def _is_written(cls: type, name: str) -> bool:
    """Whether a class has this method, and it is not one that a base leaves to others."""
    function = inspect.getattr_static(cls, name, None)
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType) or getattr(function, "__isabstractmethod__", False):
        return False
    done = {i.opname for i in dis.get_instructions(function)}
    empty = done <= {"RESUME", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "NOP"}
    return "NotImplementedError" not in function.__code__.co_names and not empty


def way_of(
    layer: Any,
    grads: Mapping[str, str],
    seed: int,
    given: Mapping[str, Any],
    which: int = 0,
    through: bool = False,
) -> Way:
    """The first way whose forward and backward run; else the first whose forward does.

    With `through` no backward is looked for: what comes from above is handed through.
    """
    forwards, backward = methods(layer) if not through else (written(layer), "")
    crashing: list[Way] = []
    running: list[Way] = []
    error: tuple[Way, Exception] | None = None
    for way in islice(_ways(layer, forwards, backward, seed, given, which), TRIES):
        try:
            with np.errstate(all="ignore"):
                study(way)
        except LayerError:
            raise
        except Exception as caught:
            error = error or (way, caught)
            continue
        (running if match(way, grads) else crashing).append(way)
        if (running and not crashing) or len(running) == OTHERS:
            break
    if not running and not crashing:
        raise LayerError(_no_forward(layer, error))
    if not running and (kept := _kept_by_call(crashing[0])):
        raise LayerError(
            f"{crashing[0].name}: its backward needs self.{kept}, which is set by a __call__ that "
            "gives no array: it is checked as a part of its framework only"
        )
    fitting = (w for w in running if len(running) > 1 and agrees(w))
    return _refuse_unused(next(fitting, [*running, *crashing][0]))


def agrees(way: Way) -> bool:
    """Whether its gradients are right in one direction, by finite differences.

    Only asked where the usual shapes crash: a layer for one column is then tried as one.
    """
    trial, rng = trial_of(way), np.random.default_rng(0)
    move = {n: draw("x", x.shape, rng) for n, x in trial.inputs.items()}
    step = trial.run({n: x.copy() for n, x in trial.inputs.items()})
    upstream = [draw("x", np.shape(y), rng) if not way.loss else 1.0 for y in step.outputs]

    def total(h: float) -> float:
        outputs = trial.run({n: x + h * move[n] for n, x in trial.inputs.items()}).outputs
        return float(sum(np.sum(np.asarray(y, float) * u) for y, u in zip(outputs, upstream)))

    try:
        found = step.pull(upstream)
        theirs = sum(float(np.sum(np.asarray(found[n], float) * m)) for n, m in move.items())
    except Exception:
        return False
    return abs(theirs - (total(1e-5) - total(-1e-5)) / 2e-5) <= 1e-5 * (1 + abs(theirs))


def _ways(
    layer: Any, forwards: list[str], backward: str, seed: int, given: Mapping[str, Any], which: int
) -> Iterator[Way]:
    """The ways to try, the likeliest first."""
    made = objects(layer, given, seed, which) if isinstance(layer, type) else [(layer, {})]

    def of(thing: Any, chosen: dict[str, Any]) -> Iterator[Way]:
        for forward in forwards:
            rng = np.random.default_rng(seed)
            for args in arguments(thing, forward, given, rng, chosen):
                told = {n: x for n, x in given.items() if n not in args and n not in chosen}
                yield Way(thing, forward, backward, args, chosen, told=told, seed=seed)

    later = []
    for thing, chosen in made:  # a few shapes for each object, then the rest of them
        ways = of(thing, chosen)
        yield from islice(ways, AT_FIRST)
        later.append(ways)
    yield from joined.from_iterable(later)


def other_labels(way: Way, grads: Mapping[str, str], given: Mapping[str, Any]) -> list[Way]:
    """A loss that takes rows with a 1 and class numbers alike: once more with the others."""
    label = labelled(list(way.arguments))
    y = np.asarray(way.arguments.get(label))
    if not way.loss or label in given or y.ndim < 2 or y.shape[-1] < 2:
        return []
    if not np.array_equal(np.sort(y, axis=-1)[..., :-1], np.zeros_like(y)[..., :-1]):
        return []
    other = replace(way, arguments={**way.arguments, label: np.argmax(y, axis=-1)})
    try:
        study(other)
        same = np.allclose(play(other, {}).outputs[0], play(way, {}).outputs[0], rtol=1e-12)
        return [other] if same and match(other, grads) else []
    except Exception:
        return []


def _kept_by_call(way: Way) -> str:
    """The attribute that backward misses and __call__ would set, "" if that is not why."""
    call = inspect.getattr_static(type(way.thing), "__call__", None)
    if way.forward == "__call__" or not isinstance(call, FunctionType):
        return ""
    played = play(way, {})
    try:
        played.backward([np.ones(np.shape(y)) for y in played.outputs])
    except AttributeError as error:
        missing = error.name or ""
        return missing if error.obj is played.thing and missing in call.__code__.co_names else ""
    except Exception:
        return ""
    return ""


def _refuse_unused(way: Way) -> Way:
    methods = (getattr(way.thing, name, None) for name in (way.backward, *UPDATES))
    behind = [p.name for method in methods if callable(method) for p in parameters_of(method)]
    unknown = [n for n in way.told if n not in behind]
    if unknown:
        own = [n for n in behind if normal(n) in RATES]
        known = ", ".join(dict.fromkeys([*way.arguments, *way.made, *own])) or "none"
        raise LayerError(f"{way.name} takes no {unknown[0]}: its arguments are {known}")
    return way


def _no_forward(layer: Any, error: tuple[Way, Exception] | None) -> str:
    name = layer.__name__ if isinstance(layer, type) else type(layer).__name__
    if error is None:
        return f"{name}: nothing fits the arguments of its forward: give them, as in x=(3, 4)"
    way, said = error
    arrays = {n: a.shape for n, a in way.arguments.items() if isinstance(a, np.ndarray)}
    shapes = ", ".join(f"{n} {shape}" for n, shape in arrays.items())
    how = ", ".join(f"{n}=(3, 4)" for n in arrays)
    made = "".join(f", {n}=…" for n in way.made)
    return (
        f"{name}: its forward runs on none of the inputs that were tried (on {shapes} Python says "
        f"{type(said).__name__}: {said}): give their shapes, as in {how}{made}"
    )


def trial_of(way: Way) -> Trial:
    """The trial of one way to use an object: its parameters are drawn anew."""

    def run(given: Mapping[str, Any]) -> Pass:
        played = play(way, given)
        return Pass(played.outputs, played.pull)

    inputs = _inputs(way)
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


def _inputs(way: Way) -> dict[str, Array]:
    """What to differentiate with respect to.

    An input beside others that has no gradient is bound.
    """
    rng = np.random.default_rng(way.seed + 1)
    found = {}
    for name in way.inputs:
        if way.gradients.get(name) is not None or len(way.inputs) == 1 or way.crashed:
            found[name] = np.array(way.arguments[name])
        else:
            way.gradients.pop(name, None)
    for name, places in way.parameters.items():
        old = taken(way.thing, places[0].steps)
        new = old if name in way.made else draw(places[0].name, np.shape(old), rng)
        found[name] = np.array(new, dtype=getattr(old, "dtype", float))
    return found


def _setting(way: Way) -> str:
    """How the layer is called beyond its inputs: "stride=2, pad=1"."""
    told = {n: v for n, v in way.made.items() if not is_floats(v)}
    told |= {n: v for n, v in way.arguments.items() if not isinstance(v, np.ndarray)}
    label = labelled(list(way.arguments)) if way.loss else ""
    if label and way.arguments[label].dtype.kind == "i":
        first = next(np.shape(way.arguments[n]) for n in way.inputs)
        bits = np.shape(way.arguments[label]) == first
        told[label] = Told("ones and zeros" if bits else "class numbers")
    return ", ".join(f"{n}={v!r}" for n, v in told.items() if not isinstance(v, making.Optimizer))


class Told(str):
    """A text that is shown without quotes."""

    def __repr__(self) -> str:
        return str(self)


def _samples(way: Way) -> int:
    """N: the first axis of the first input, or the last where samples are columns."""
    shape: tuple[int, ...] = next((np.shape(way.arguments[n]) for n in way.inputs), ())
    out = np.shape(play(way, {}).outputs[0])
    columns = len(shape) == len(out) == 2 and shape[0] != out[0] and shape[1] == out[1]
    return shape[1] if columns else shape[0] if shape else 1


def _own(thing: Any) -> list[type]:
    """The classes of an object and of its parts that somebody wrote."""
    things = [thing, *(x for _, x in walk(thing))]
    classes = dict.fromkeys(c for x in things for c in type(x).__mro__)
    return [c for c in classes if c.__module__.split(".")[0] not in FOREIGN]


def _modules(thing: Any) -> list[ModuleType]:
    found = [sys.modules[c.__module__] for c in _own(thing) if c.__module__ in sys.modules]
    return list(dict.fromkeys(found))


def _functions(thing: Any, names: Sequence[str]) -> list[FunctionType]:
    found = [vars(c).get(n) for c in _own(thing) for n in names]
    return list(dict.fromkeys(f for f in found if isinstance(f, FunctionType)))


def classes_of(module: ModuleType) -> list[type]:
    """The classes of a module that have a forward and a backward, in the order of its source.

    >>> import math
    >>> classes_of(math)
    []
    """
    own = [c for c in vars(module).values() if isinstance(c, type)]
    own = [c for c in dict.fromkeys(own) if c.__module__ == module.__name__]
    bases = {b for c in own for b in c.__mro__[1:]}
    layers = [c for c in own if _is_layer(c) and not (c in bases and _is_abstract(c))]
    return [c for c in layers if torch_functions.is_function(c) or not _calls_abstract(c)]


def _is_abstract(cls: type) -> bool:
    """Whether it leaves a method to others."""
    return any(_is_left(f) for f in vars(cls).values())


def _is_left(function: Any) -> bool:
    return isinstance(function, FunctionType) and (
        "NotImplementedError" in function.__code__.co_names
    )


def _calls_abstract(cls: type) -> bool:
    """Whether its forward or backward calls a method that is left to others."""
    forwards, backward = methods(cls)
    passes = [inspect.getattr_static(cls, n) for n in (forwards[0], backward)]
    codes = [f.__code__ for f in passes if isinstance(f, FunctionType)]
    used = {name for code in codes for name in code.co_names}
    return any(_is_left(inspect.getattr_static(cls, name, None)) for name in used)


def _is_layer(cls: type) -> bool:
    try:
        methods(cls)
    except LayerError:
        return False
    return True


def chain(
    layers: Sequence[Any], /, grads: Mapping[str, str] | None = None, seed: int = 0, **given: Any
) -> list[Trial]:
    """Classes or objects one after another as one layer: see `chains.chain`.

    >>> chain([])
    Traceback (most recent call last):
        ...
    microgrid.check.handwritten.trial.LayerError: a chain needs layers: ...
    """
    from microgrid.check.handwritten.forms.chains import chain as chained

    return chained(layers, grads, seed, **given)
