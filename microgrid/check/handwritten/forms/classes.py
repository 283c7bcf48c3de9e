"""Classes and objects with a forward and a backward, as layers that are ready to run."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from microgrid.check.handwritten.forms import torch_functions
from microgrid.check.handwritten.forms.failing import failure
from microgrid.check.handwritten.forms.fit import (
    Fit,
    Signature,
    every_input,
    has_default,
    parameters_of,
)
from microgrid.check.handwritten.forms.making import objects
from microgrid.check.handwritten.forms.matching import match
from microgrid.check.handwritten.forms.passes import again
from microgrid.check.handwritten.forms.random_arrays import signed
from microgrid.check.handwritten.forms.search import Search
from microgrid.check.handwritten.forms.state import floats_of, lying_at, walk
from microgrid.check.handwritten.forms.using import UPDATES, Way, play, study
from microgrid.check.handwritten.forms.which_classes import BACKWARDS, FORWARDS, methods, written
from microgrid.check.handwritten.trial import Array, LayerError, Pass, Trial

FOREIGN = ("builtins", "numpy", "microgrid", "abc", "typing", "collections", "random")


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
    return trials_of(ways_of(layer, grads or {}, seed, given), grads or {}, given)


def of_methods(
    thing: Any, forward: str, backward: str, grads: Mapping[str, str], seed: int,
    given: Mapping[str, Any],
) -> list[Trial]:  # fmt: skip
    """An object by two of its methods; its own backward where none is named.

    >>> class Double:
    ...     def there(self, x):
    ...         return 2 * x
    ...     def back_again(self, dout):
    ...         return 2 * dout
    >>> [trial] = of_methods(Double(), "there", "back_again", {}, 0, {"x": (2, 3)})
    >>> trial.places
    {'x': 'dx'}
    """
    named = [forward], backward or methods(thing)[1]
    return trials_of(ways_of(thing, grads, seed, given, named=named), grads, given)


def trials_of(
    ways: Sequence[Way], grads: Mapping[str, str], given: Mapping[str, Any]
) -> list[Trial]:
    """The trials of these ways, a loss with both kinds of labels."""
    made: list[Trial] = []
    for way in ways:
        other = other_labels(way, grads, given)
        for each in other if way.crashed and other else (way, *other):
            trial = trial_of(each, bool(other))
            if kind_of(trial) not in [kind_of(t) for t in made]:
                made.append(trial)
    return made


def kind_of(trial: Trial) -> tuple[str, list[int]]:
    """What tells the trials of one layer apart: the setting, and the axes of the inputs."""
    return trial.setting, [x.ndim for x in trial.inputs.values()]


@dataclass
class Use:
    """A class or an object with one of its forwards: what it is called with."""

    layer: Any
    forward: str
    backward: str  # "": what comes from above is handed through
    seed: int
    grads: Mapping[str, str]
    given: Mapping[str, Any] = field(default_factory=dict)
    failed: Exception | None = None  # of the constructor
    made: bool = False
    last: Any = None  # the last object
    takes: Signature = field(init=False)

    def __post_init__(self) -> None:
        method = inspect.getattr_static(self.cls, self.forward)
        called = dict(arguments_of(method))
        if not called and hasattr(self.cls, "forward"):  # __call__(self, *inputs)
            called = dict(arguments_of(inspect.getattr_static(self.cls, "forward")))
        making = arguments_of(self.cls) if isinstance(self.layer, type) else {}
        making = {n: p for n, p in making.items() if n not in called}
        needs = [n for n, p in called.items() if not has_default(p)]
        every = bool(self.backward) and every_input(getattr(self.cls, self.backward), needs)
        self.takes = Signature(
            self.cls.__name__, method, called | making, frozenset(making), self.cls, every
        )

    @property
    def cls(self) -> type:
        return self.layer if isinstance(self.layer, type) else type(self.layer)

    def way(self, arguments: Mapping[str, Any]) -> Way:
        """The first object with these arguments whose forward runs; else its error."""
        making = {n: x for n, x in arguments.items() if n in self.takes.making}
        called = {n: arguments[n] for n in self.takes.parameters if n in {*arguments} - {*making}}
        error: Exception | None = None
        for thing in self.objects(making, called):
            told = {n: self.given[n] for n in self.behind()}
            way = Way(thing, self.forward, self.backward, called, making, told=told, seed=self.seed)
            way.labelled = not self.takes.every_input
            try:
                study(way)
            except LayerError:
                raise
            except Exception as caught:
                error = error or caught
                continue
            return way
        raise error or ValueError("no object of it can be made")

    def behind(self) -> list[str]:
        """The names of what is given for the backward or an update alone."""
        methods = [getattr(self.cls, name, None) for name in (self.backward, *UPDATES)]
        known = {n for method in methods if callable(method) for n in arguments_of(method)}
        return [n for n in self.given if n in known and n not in self.takes.parameters]

    def objects(self, making: Mapping[str, Any], called: Mapping[str, Any]) -> Any:
        """The object that was given, or those of the class."""
        data = next((x.shape for x in called.values() if isinstance(x, np.ndarray)), ())
        if not isinstance(self.layer, type):
            things: Any = [self.layer]
        else:
            things = objects(self.cls, making, self.seed, data)
        try:
            for self.last in things:
                self.made = True
                yield self.last
        except Exception as caught:
            self.failed = self.failed or caught
            raise

    def run(self, arguments: dict[str, Any]) -> list[Any]:
        return play(self.way(arguments), {}).outputs

    def agrees(self, fit: Fit) -> bool:
        """Whether the backward runs and gives gradients in the shapes of the inputs."""
        try:
            way = self.matched(fit)
            trial = trial_of(way)
            found = play(way, trial.inputs).pull(drawn_upstream(way))
        except Exception:
            return False
        return not way.crashed and all(
            np.shape(found[n]) == x.shape for n, x in trial.inputs.items() if n in found
        )

    def matched(self, fit: Fit) -> Way:
        """The way to use it with these arguments, with the places of its gradients."""
        way = self.way(fit.arguments(fit.inputs))
        way.fit = fit
        match(way, self.grads)
        return way

    def features(self) -> list[int]:
        """The sizes of an object's arrays, and the small numbers that it keeps."""
        if self.last is None and not any(not has_default(p) for p in self.making()):
            next(iter(self.objects({}, {})), None)
        arrays = [np.shape(x) for x in floats_of(self.last).values()]
        held = getattr(self.last, "__dict__", {}).values()
        found = [n for shape in arrays for n in (shape[:1] + shape[-1:] + shape[1:2])]
        found += [n for x in held for n in (x if isinstance(x, tuple) else (x,)) if type(n) is int]
        return [n for n in dict.fromkeys(found) if 1 < n < 100]

    def making(self) -> list[inspect.Parameter]:
        return [p for n, p in self.takes.parameters.items() if n in self.takes.making]


def arguments_of(function: Any) -> dict[str, inspect.Parameter]:
    """The arguments of a method or a constructor, without self."""
    try:
        known = parameters_of(getattr(function, "__func__", function))
    except LayerError:
        return {}
    own = next(iter(known), "") if isinstance(function, classmethod) else "self"
    return {n: p for n, p in known.items() if n != own}


def drawn_upstream(way: Way) -> list[Any]:
    """A gradient from above for each output, from the seed."""
    rng = np.random.default_rng(way.seed)
    return [signed(np.shape(y), rng) for y in play(way, {}).outputs]


def ways_of(
    layer: Any, grads: Mapping[str, str], seed: int, given: Mapping[str, Any],
    through: bool = False, named: tuple[list[str], str] | None = None,
) -> list[Way]:  # fmt: skip
    """The ways to use a layer, one a setting: by the first of its forwards whose backward runs.

    With `through` no backward is looked for: what comes from above is handed through. `named` are
    its forwards and its backward where they are told.
    """
    forwards, backward = named or (methods(layer) if not through else (written(layer), ""))
    crashed: list[Way] = []
    error: LayerError | None = None
    for forward in forwards:
        use = Use(layer, forward, backward, seed, grads, given)
        own = {n: x for n, x in given.items() if n not in use.behind()}
        try:
            search = Search(use.takes, own, seed, use.run, use.agrees, use.features)
            found = search.fits()
        except LayerError as refused:
            error = error or (refused if use.made or not use.failed else unmade(use, given))
            continue
        ways = [use.matched(fit) for fit in found]
        if not ways[0].crashed:
            return ways
        crashed = crashed or ways
    if not crashed:
        raise error or LayerError(f"{forwards} cannot be called")
    if kept := kept_by_call(crashed[0]):
        raise LayerError(
            f"{crashed[0].name}: its backward needs self.{kept}, which is set by a __call__ that "
            "gives no array: it is checked as a part of its framework only"
        )
    return crashed


def unmade(use: Use, given: Mapping[str, Any]) -> LayerError:
    """The refusal of a class whose constructor fails: what it wants to be given."""
    unknown = [p.name for p in use.making() if not has_default(p) and p.name not in given]
    how = ", ".join(f"{n}=…" for n in unknown)
    give = f"give its arguments ({how}: a number, or a shape such as (4, 5) for an array), or"
    constructor = inspect.getattr_static(use.cls, "__init__")
    said = failure(use.failed or ValueError(), constructor).said
    return LayerError(
        f"{use.cls.__name__} cannot be made ({said}): {give if unknown else 'give'} an object of it"
    )


def other_labels(way: Way, grads: Mapping[str, str], given: Mapping[str, Any]) -> list[Way]:
    """A loss that takes rows with a 1 and class numbers alike: once more with the others."""
    y, x = np.asarray(way.arguments.get(way.label)), way.arguments.get(next(iter(way.inputs), ""))
    if not way.loss or way.label in given or not isinstance(x, np.ndarray) or x.ndim < 2:
        return []
    whole = y.dtype.kind == "i" and y.ndim < x.ndim
    classes = [x.shape[-1], *(n for n in way.made.values() if type(n) is int)]
    others = [np.eye(n)[y] for n in classes if n > y.max()] if whole else [np.argmax(y, axis=-1)]
    if not whole and not (set(np.unique(y)) == {0, 1} and (y.sum(axis=-1) == 1).all()):
        return []
    for labels in others:
        other = replace(way, arguments={**way.arguments, way.label: labels}, crashed=False)
        with suppress(Exception):
            study(other)
            same = np.allclose(play(other, {}).outputs[0], play(way, {}).outputs[0], rtol=1e-12)
            if same and match(other, grads):
                return [other]
    return []


def kept_by_call(way: Way) -> str:
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


def trial_of(way: Way, told: bool = False) -> Trial:
    """The trial of one way to use an object: its parameters are drawn anew.

    `told` says that its setting names the kind of the labels.
    """

    def run(given: Mapping[str, Any]) -> Pass:
        played = play(way, given)
        return Pass(played.outputs, played.pull)

    inputs = drawn_inputs(way)
    setting = way.fit.told([*inputs.values(), *way.arguments.values(), *play(way, {}).outputs])
    if told:
        whole = np.asarray(way.arguments[way.label]).dtype.kind == "i"
        setting = f"{way.label}={'class numbers' if whole else 'rows with a 1'}"
    bound = {n: x for n, x in way.arguments.items() if n not in inputs and is_array(x)}
    unchecked = [f"{n} is not checked" for n in bound if n != way.label or not way.loss]
    return Trial(
        name=way.name,
        inputs=inputs,
        run=run,
        modules=their_modules(way.thing),
        forwards=their_functions(way.thing, (way.forward, *FORWARDS)),
        backwards=their_functions(way.thing, (way.backward, *BACKWARDS)),
        places={n: s.shown for n, s in way.gradients.items() if s is not None},
        setting=", ".join([setting] * bool(setting) + unchecked),
        loss=way.loss,
        samples=way.fit.samples,
        again=None if way.loss else lambda a, b: again(way, a, b),
    )


def is_array(x: Any) -> bool:
    """Whether it is an array of floats that are no flags: no mask, no rows with a 1."""
    return isinstance(x, np.ndarray) and x.dtype.kind == "f" and not np.isin(x, (0, 1)).all()


def drawn_inputs(way: Way) -> dict[str, Array]:
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
        old = lying_at(way.thing, places[0].steps)
        scale = np.size(old) ** -0.35 if np.ndim(old) > 1 else 1.0  # no probability is near 0
        new = old if name in way.made else scale * signed(np.shape(old), rng)
        found[name] = np.array(new, dtype=getattr(old, "dtype", float))
    return found


def own_classes(thing: Any) -> list[type]:
    """The classes of an object and of its parts that somebody wrote."""
    things = [thing, *(x for _, x in walk(thing))]
    classes = dict.fromkeys(c for x in things for c in type(x).__mro__)
    return [c for c in classes if c.__module__.split(".")[0] not in FOREIGN]


def their_modules(thing: Any) -> list[ModuleType]:
    """The modules of an object's classes."""
    found = [sys.modules[c.__module__] for c in own_classes(thing) if c.__module__ in sys.modules]
    return list(dict.fromkeys(found))


def their_functions(thing: Any, names: Sequence[str]) -> list[FunctionType]:
    """The methods of these names that an object and its parts have."""
    found = [vars(c).get(n) for c in own_classes(thing) for n in names]
    return list(dict.fromkeys(f for f in found if isinstance(f, FunctionType)))
