"""A wrong gradient beside the right one, and what holds a guess at the mistake against it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from microgrid.check.handwritten.diagnosis.other_inputs import other_inputs
from microgrid.check.handwritten.diagnosis.world import Change, Index, World
from microgrid.check.handwritten.forward.exact import Exact, exact
from microgrid.check.handwritten.trial import Array, Trial

MANY = 5000  # nodes of a layer that is run at other inputs only once


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
    """A wrong gradient, theirs; `S`, outputs × entries, are its terms, `J` those of the right one.

    `S` is None where theirs is not linear in dout. `theirs` and `right`, which have the shape of
    the input, belong to `dout`.

    >>> from microgrid.check.handwritten.trial import Pass
    >>> doubled = Trial("f", {"x": np.ones(3)}, lambda d: Pass([2 * d["x"]], lambda u: {"x": u[0]}))
    >>> case = case_of(doubled, "x")
    >>> case.S[0], case.J[0]
    (array([1., 0., 0.]), array([2., 0., 0.]))
    """

    trial: Trial
    exact: Exact
    input: str
    S: Array | None
    theirs: Array
    right: Array
    dout: list[Array]

    base: Case | None = None  # beside which this one has a mistake made
    change: Change = field(default_factory=Change)

    @cached_property
    def first(self) -> World:
        if self.base is not None:
            return self.base.first.changed(self.change)
        return World(self.trial, self.exact, self.input)

    @property
    def J(self) -> Array:
        return self.first.J

    @cached_property
    def here(self) -> Draw:
        """Theirs beside the right one as it was found."""
        flat = np.concatenate([np.ravel(d) for d in self.dout]).astype(float)
        return self.draw(self.first, flat, np.asarray(self.theirs, float))

    @cached_property
    def elsewhere(self) -> list[Draw]:
        """The same for another dout, and at other inputs.

        Those are of the same kind, once with the other signs; one place will do for long work.
        """
        if self.base is not None:
            draws = self.base.elsewhere
            return [self.draw(d.world.changed(self.change), d.dout, d.theirs) for d in draws]
        found: list[Draw] = []
        rng = np.random.default_rng(16)
        places = 1 if len(self.first.graph.nodes) >= MANY else 2
        for seed in range(1 if self.trial.loss else 0, places + 1):
            with suppress(Exception):  # their code may fail on other numbers
                world = self.first
                if seed:
                    world = world.at(other_inputs(self.trial.inputs, seed, turned=seed == 1))
                dout = self.here.dout
                dout = dout if self.trial.loss else rng.normal(size=dout.size)
                if np.isfinite(world.right(dout)).all():
                    found.append(self.draw(world, dout, world.theirs(dout)))
        return found

    def draw(self, world: World, dout: Array, theirs: Array) -> Draw:
        right = world.right(dout)
        scale = max(world.sizes(dout).max(initial=0), np.abs(theirs).max(initial=0))
        gap = np.abs(theirs.ravel() - right).max(initial=0)
        # What is to explain a small difference must come much closer than that.
        return Draw(world, dout, theirs, right, min(self.precision * scale, max(1e-3 * gap, 1e-14)))

    @property
    def precision(self) -> float:
        return 1e-5 if self.theirs.dtype == np.float32 else 1e-9

    def always(self, test: Callable[[Draw], bool]) -> bool:
        """Whether something is true here and elsewhere."""
        with np.errstate(all="ignore"):
            return test(self.here) and all(test(draw) for draw in self.elsewhere)

    def holds(self, guess: Guess) -> bool:
        """Whether it is always true; nothing is, of a gradient that is right."""
        return self.always(guess.test) and not self.always(lambda d: d.equals(d.right))

    def same(self, A: Array, B: Array) -> bool:
        """Whether two matrices of terms are equal, as far as floats can be."""
        scale = max(np.abs(self.J).max(initial=0), np.abs(B).max(initial=0))
        return bool(np.abs(A - B).max(initial=0) <= self.precision * scale)

    def changed(self, change: Change) -> Case:
        """The case beside a gradient in which a mistake is made."""
        found = replace(self, base=self, change=change)
        first = found.first
        found.right = found.here.right.reshape(first.shape)
        if change.plus is not None and not self.trial.loss:
            S = np.array([first.theirs(e).ravel() for e in np.eye(len(first.exact.outputs))])
            found.S = S - first.plus
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


def case_of(trial: Trial, input: str, seed: int = 0) -> Case:
    """The case of one gradient of a layer, whether it is wrong or not.

    >>> from microgrid.check.handwritten.trial import Pass
    >>> doubled = Trial("f", {"x": np.ones(3)}, lambda d: Pass([2 * d["x"]], lambda u: {"x": u[0]}))
    >>> case_of(doubled, "x").J[0]
    array([2., 0., 0.])
    """
    world = World(trial, exact(trial), input)
    n = len(world.J)
    rng = np.random.default_rng(seed)
    dout, second = rng.normal(size=(2, n)) if not trial.loss else np.ones((2, n))
    theirs = world.theirs(dout)
    S = np.array([world.theirs(e).ravel() for e in np.eye(n)])
    near = 1e-9 * (np.abs(S).sum() + np.abs(theirs).max(initial=0))
    linear = all((np.abs(d @ S - world.theirs(d).ravel()) <= near).all() for d in (dout, second))
    right = world.right(dout).reshape(world.shape)
    return Case(trial, world.exact, input, S if linear else None, theirs, right, world.split(dout))
