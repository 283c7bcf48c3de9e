"""A wrong gradient beside the right one, and what holds a guess at the mistake against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from microgrid.check.handwritten.diagnosis.held import elsewhere, exact_of, held
from microgrid.check.handwritten.trial import Array, Pass, Trial
from microgrid.engine.value import Value
from microgrid.matrices.arrays import values

if TYPE_CHECKING:
    from microgrid.check.handwritten.forward.exact import Exact

Index = tuple[int, ...]
MANY = 5000  # nodes of a layer that is run at other inputs only once


class World:
    """A layer at one set of inputs: the exact gradient of one input, and theirs.

    Upstream gradients and gradients are flat: over all outputs, and over the entries of the input.

    >>> doubled = Trial("f", {"x": np.ones(3)}, lambda d: Pass([2 * d["x"]], lambda u: {"x": u[0]}))
    >>> case_of(doubled, "x").first.right(np.ones(3))
    array([2., 2., 2.])
    """

    def __init__(self, trial: Trial, exact: Exact, input: str) -> None:
        self.trial, self.exact, self.input = trial, exact, input
        self.slopes: tuple[Array | None, dict[Value, float]] = (None, {})

    @cached_property
    def J(self) -> Array:
        return self.exact.jacobian([self.input])

    @cached_property
    def shapes(self) -> list[Index]:
        return [tuple(s) for s in self.exact.shapes]

    @property
    def shape(self) -> Index:
        """That of the input."""
        return np.shape(self.trial.inputs[self.input])

    @cached_property
    def numbers(self) -> dict[str, Array]:
        """What their forward has names for, as floats: its inputs, its locals, its output."""
        found = {k: np.asarray(a, float) for k, a in self.trial.inputs.items()}
        gradients = {*self.trial.places.values(), *(f"d{n}" for n in (*self.exact.inner, *found))}
        for name, a in {**self.held, **self.exact.inner}.items():
            if name.removeprefix("self.") in gradients:
                continue  # of a function that gives both
            with suppress(TypeError, ValueError):
                found.setdefault(name, values(np.asarray(a, object)))
        if len(self.shapes) == 1:
            out = values(np.array(list(self.outputs), object))
            found.setdefault("out", out.reshape(self.shapes[0]))
        return found

    @cached_property
    def held(self) -> dict[str, Array]:
        """The plain arrays of their forward, the labels and masks among them."""
        with suppress(Exception):
            return held(self.trial)
        return {}

    @property
    def outputs(self) -> Sequence[Any]:
        return self.exact.outputs

    def right(self, dout: Array) -> Array:
        result: Array = dout @ self.J
        return result

    def split(self, dout: Array) -> list[Array]:
        """One upstream gradient for each output, in its shape."""
        ends = np.cumsum([int(np.prod(s)) for s in self.shapes])[:-1]
        return [d.reshape(s).copy() for d, s in zip(np.split(dout, ends), self.shapes)]

    def gradient_of(self, name: str, dout: Array) -> Array | None:
        """The exact gradient of an array inside; None if it holds plain numbers."""
        if self.slopes[0] is None or not np.array_equal(self.slopes[0], dout):
            self.slopes = dout, self.exact.gradients(self.split(dout))
        entries = np.asarray(self.exact.inner[name], object)
        if not all(isinstance(v, Value) for v in entries.ravel()):
            return None
        found = [self.slopes[1].get(v, 0.0) for v in entries.ravel()]
        return np.array(found, float).reshape(entries.shape)

    def theirs(self, dout: Array) -> Array:
        """What their backward gives for it after a fresh forward."""
        with np.errstate(all="ignore"):
            grads = self.trial.run(fresh(self.trial)).pull(self.split(dout))
        return np.asarray(grads[self.input], float)


class Draw(NamedTuple):
    """Their gradient for one upstream gradient; `theirs` has their shape, the others are flat."""

    world: World
    dout: Array
    theirs: Array
    right: Array
    tolerance: float

    def equals(self, predicted: Any) -> bool:
        """Whether theirs are these numbers."""
        return self.same(self.theirs.ravel(), predicted)

    def same(self, a: Array, b: Any) -> bool:
        b = np.asarray(b, float).ravel()
        with np.errstate(all="ignore"):
            return a.size == b.size and bool((np.abs(a - b) <= self.tolerance).all())


class Guess(NamedTuple):
    """A sentence on the mistake, and whether it is true of a draw."""

    sentence: str
    test: Callable[[Draw], bool]


def predicts(sentence: str, predict: Callable[[World, Array], Any]) -> Guess:
    """A guess that says which numbers theirs are: world and dout give them."""
    return Guess(sentence, lambda draw: draw.equals(predict(draw.world, draw.dout)))


@dataclass
class Case:
    """A wrong gradient: `J` and `S`, outputs × entries, are the right one and theirs.

    `S` is None where theirs is not linear in dout. `theirs` and `right` belong to `dout`.
    `other(seed)` may give both at other inputs, for callers; guesses are tried at inputs of the
    same kind, also of the other signs.

    >>> doubled = Trial("f", {"x": np.ones(3)}, lambda d: Pass([2 * d["x"]], lambda u: {"x": u[0]}))
    >>> case = case_of(doubled, "x")
    >>> case.S[0], case.J[0]
    (array([1., 0., 0.]), array([2., 0., 0.]))
    """

    trial: Trial
    exact: Exact
    input: str
    J: Array
    S: Array | None
    theirs: Array
    right: Array
    dout: list[Array]
    other: Callable[[int], tuple[Array, Array, dict[str, Array]]] | None = None

    @cached_property
    def first(self) -> World:
        world = World(self.trial, self.exact, self.input)
        world.J = self.J
        return world

    @cached_property
    def others(self) -> list[World]:
        """The layer at other inputs, if it runs there: twice if that is no long work."""
        found: list[World] = []
        most = 2 if len(self.exact.graph(None).nodes) < MANY else 1
        for seed, turned in ((1, True), (2, False)):
            if len(found) == most:
                break
            with suppress(Exception):  # their code may fail on other numbers
                inputs = elsewhere(self.trial.inputs, seed, turned)
                trial = replace(self.trial, inputs=inputs)
                world = World(trial, exact_of(trial), self.input)
                if np.isfinite(world.J).all():
                    found.append(world)
        return found

    @cached_property
    def draws(self) -> list[Draw]:
        """Theirs beside the right one: as it was found, for another dout, at other inputs."""
        flat = np.concatenate([np.ravel(d) for d in self.dout]).astype(float)
        found = [self.draw(self.first, flat, np.asarray(self.theirs, float))]
        rng = np.random.default_rng(16)
        for world in ([] if self.trial.loss else [self.first]) + self.others:
            dout = flat if self.trial.loss else rng.normal(size=flat.size)
            with suppress(Exception):
                found.append(self.draw(world, dout, world.theirs(dout)))
        return found

    def draw(self, world: World, dout: Array, theirs: Array) -> Draw:
        terms = np.abs(dout) @ np.abs(world.J)
        scale = max(terms.max(initial=0), np.abs(theirs).max(initial=0))
        precision = 1e-5 if self.theirs.dtype == np.float32 else 1e-9
        right = world.right(dout)
        gap = np.abs(theirs.ravel() - right).max(initial=0) if theirs.size == right.size else scale
        # What is to explain a small difference must come much closer than that.
        return Draw(world, dout, theirs, right, min(precision * scale, max(1e-3 * gap, 1e-14)))

    def holds(self, guess: Guess) -> bool:
        """Whether it is true of all draws; nothing is, of a gradient that is right."""
        if all(d.equals(d.right) and d.theirs.shape == d.world.shape for d in self.draws):
            return False
        with np.errstate(all="ignore"):
            return all(guess.test(draw) for draw in self.draws)

    def same(self, A: Array, B: Array) -> bool:
        """Whether two matrices of terms are equal, as far as floats can be."""
        precision = 1e-5 if self.theirs.dtype == np.float32 else 1e-9
        scale = max(np.abs(self.J).max(initial=0), np.abs(B).max(initial=0))
        return bool(np.abs(A - B).max(initial=0) <= precision * scale)

    def divided(self, c: float) -> Case:
        """The case of a layer whose gradients are c times smaller."""
        S = None if self.S is None else self.S / c
        trial = replace(self.trial, run=smaller(self.trial.run, c))
        found = replace(self, trial=trial, S=S, theirs=self.theirs / c)
        found.others = [World(smaller_trial(w.trial, c), w.exact, w.input) for w in self.others]
        return found

    @cached_property
    def rows(self) -> list[tuple[int, Index]]:
        """For each row of J: which output, and which entry of it."""
        return [(i, at) for i, s in enumerate(self.first.shapes) for at in np.ndindex(*s)]

    def output(self, i: int = 0) -> str:
        """What an output is called."""
        if self.trial.loss:
            return "loss"
        return "out" if len(self.first.shapes) == 1 else f"out{i + 1}"

    @property
    def gradient(self) -> str:
        """What they call the gradient."""
        return self.trial.places.get(self.input, f"d{self.input}")


def fresh(trial: Trial) -> dict[str, Array]:
    """Copies of the inputs, which a forward may write into."""
    return {k: np.array(a) for k, a in trial.inputs.items()}


def case_of(
    trial: Trial, input: str, seed: int = 0,
    other: Callable[[int], tuple[Array, Array, dict[str, Array]]] | None = None,
) -> Case:  # fmt: skip
    """The case of one gradient of a layer, whether it is wrong or not.

    >>> doubled = Trial("f", {"x": np.ones(3)}, lambda d: Pass([2 * d["x"]], lambda u: {"x": u[0]}))
    >>> case_of(doubled, "x").J[0]
    array([2., 0., 0.])
    """
    world = World(trial, exact_of(trial), input)
    n = len(world.J)
    rng = np.random.default_rng(seed)
    dout, second = rng.normal(size=(2, n)) if not trial.loss else np.ones((2, n))
    theirs = world.theirs(dout)
    S = None
    if theirs.size == world.J.shape[1]:
        units = np.eye(n)
        S = np.array([world.theirs(e).ravel() for e in units]).reshape(world.J.shape)
        scale = np.abs(S).sum() + np.abs(theirs).max(initial=0)
        for d in (dout, second):
            if np.abs(d @ S - world.theirs(d).ravel()).max(initial=0) > 1e-9 * scale:
                S = None
                break
    right = world.right(dout).reshape(world.shape)
    return Case(trial, world.exact, input, world.J, S, theirs, right, world.split(dout), other)


def smaller_trial(trial: Trial, c: float) -> Trial:
    return replace(trial, run=smaller(trial.run, c))


def smaller(
    run: Callable[[Mapping[str, Any]], Pass], c: float
) -> Callable[[Mapping[str, Any]], Pass]:
    """A layer whose gradients are divided by c."""

    def divided(inputs: Mapping[str, Any]) -> Pass:
        outputs, pull = run(inputs)
        return Pass(
            outputs, lambda ups: {n: None if g is None else g / c for n, g in pull(ups).items()}
        )

    return divided
