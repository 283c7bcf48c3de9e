"""A wrong gradient beside the right one, and what holds a guess at the mistake against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from microgrid.check.handwritten.diagnosis.held import elsewhere, exact_of, held
from microgrid.check.handwritten.trial import Array, Trial
from microgrid.engine.value import Value
from microgrid.matrices.arrays import values

if TYPE_CHECKING:
    from microgrid.check.handwritten.forward.exact import Exact
    from microgrid.check.handwritten.forward.paths import Paths

Index = tuple[int, ...]
Of = Callable[["World"], Any]  # what is computed anew at other inputs
Cut = frozenset[Any]  # nodes that no path goes through, or (node, k): not by its operand k
Pull = Callable[[Array, Cut], Array]
Bends = Mapping[int, Callable[[float], Any]]  # node -> its slopes, from the right one
MANY = 5000  # nodes of a layer that is run at other inputs only once


@dataclass(frozen=True)
class Change:
    """A mistake that is taken as made, so that one sees what is wrong besides.

    It multiplies dout, the gradient, or the paths through some nodes, or adds to the gradient.
    """

    sentence: str = ""
    rows: Of | None = None  # factors of dout
    columns: Of | None = None  # factors of the gradient
    cut: Of | None = None  # nodes, whose paths count so often:
    times: float = 0.0
    plus: Of | None = None  # what is added to the gradient

    def applied(self, world: World, u: Array, pull: Pull, cut: Cut = frozenset()) -> Array:
        """The gradients for the rows of u; `pull` gives them where there is no mistake."""
        u = world.upstream(u)
        g = pull(u, cut)
        if self.cut is not None:
            g = self.times * g + (1 - self.times) * pull(u, cut | self.cut(world))
        return g if self.columns is None else g * self.columns(world)


class World:
    """A layer at one set of inputs: the exact gradient of one input, and theirs.

    Upstream gradients and gradients are flat: over all outputs, and over the entries of the input.

    >>> from microgrid.check.handwritten.trial import Pass
    >>> doubled = Trial("f", {"x": np.ones(3)}, lambda d: Pass([2 * d["x"]], lambda u: {"x": u[0]}))
    >>> case_of(doubled, "x").first.right(np.ones(3))
    array([2., 2., 2.])
    """

    def __init__(self, trial: Trial, exact: Exact, input: str) -> None:
        self.trial, self.exact, self.input = trial, exact, input
        self.change = Change()
        self.jacobians: dict[Cut, Array] = {}
        self.others: dict[bytes, World] = {}
        self.slopes: tuple[Array | None, dict[Value, float]] = (None, {})

    @cached_property
    def graph(self) -> Paths:
        return self.exact.graph([self.input])

    @cached_property
    def J(self) -> Array:
        return self.jacobian()

    def sizes(self, dout: Array) -> Array:
        """Σ |terms| of each entry, without its mistake."""
        result: Array = np.abs(dout) @ np.abs(self.plain())
        return result

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
            out = values(np.array(list(self.exact.outputs), object))
            found.setdefault("out", out.reshape(self.shapes[0]))
        return found

    @cached_property
    def held(self) -> dict[str, Array]:
        """The plain arrays of their forward, the labels and masks among them."""
        with suppress(Exception):
            return held(self.trial)
        return {}

    def jacobian(self, cut: Cut = frozenset()) -> Array:
        """∂outputs/∂input without the paths through some nodes; its mistake is made in it."""
        if not self.change.sentence:
            return self.plain(cut)
        J = self.change.applied(self, np.eye(len(self.exact.outputs)), self.pulled, cut)
        return J + self.plus if self.trial.loss else J

    @property
    def plus(self) -> Any:
        """What its mistake adds."""
        return 0.0 if self.change.plus is None else self.change.plus(self)

    def pulled(self, u: Array, cut: Cut) -> Array:
        result: Array = u @ self.plain(cut)
        return result

    def plain(self, cut: Cut = frozenset()) -> Array:
        """∂outputs/∂input, where no mistake is made."""
        if cut not in self.jacobians:
            self.jacobians[cut] = without(self.graph, cut).jacobian()
        return self.jacobians[cut]

    def upstream(self, dout: Array) -> Array:
        """dout as its mistake changes it."""
        result: Array = dout if self.change.rows is None else dout * self.change.rows(self)
        return result

    def right(self, dout: Array) -> Array:
        result: Array = self.change.applied(self, dout, self.pulled) + self.plus
        return result

    def along(self, dout: Array, bent: Bends) -> Array:
        """The gradients by one pass through the graph, with other slopes at some nodes.

        Those are vectors: a row of gradients for each of their entries.
        """

        def pull(u: Array, cut: Cut) -> Array:
            graph = without(self.graph, cut)
            found: dict[int, Any] = {}
            for start, g in zip(graph.outputs, u.tolist()):
                if start is not None:
                    found[start] = found.get(start, 0.0) + g
            for i in range(len(graph.nodes) - 1, -1, -1):
                if i in found and graph.edges[i]:
                    up, bend = found[i], bent.get(i)
                    for p, slope in graph.edges[i]:
                        share = up * (slope if bend is None else bend(slope))
                        found[p] = found[p] + share if p in found else share
            zero = np.zeros(1)
            columns = [zero if i is None else found.get(i, zero) for i in graph.leaves]
            return np.stack(np.broadcast_arrays(*columns), axis=-1)

        result: Array = self.change.applied(self, dout, pull) + self.plus
        return result

    def changed(self, change: Change) -> World:
        """This layer, as if a mistake belonged to it."""
        found = copy(self)
        found.change = change
        found.__dict__.pop("J", None)
        return found

    def at(self, inputs: dict[str, Array]) -> World:
        """This layer at other inputs."""
        key = b"".join(np.asarray(a).tobytes() for a in inputs.values())
        if key not in self.others:
            trial = replace(self.trial, inputs=inputs)
            self.others[key] = World(trial, exact_of(trial), self.input)
        return self.others[key].changed(self.change)

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
        fresh = {k: np.array(a) for k, a in self.trial.inputs.items()}
        with np.errstate(all="ignore"):
            grads = self.trial.run(fresh).pull(self.split(dout))
        return np.asarray(grads[self.input], float)


def without(graph: Paths, cut: Cut) -> Paths:
    """A graph without some paths."""
    if not cut:
        return graph
    found = copy(graph)
    found.edges = list(graph.edges)
    for v in cut:
        node, k = v if isinstance(v, tuple) else (v, None)
        if (i := graph.place.get(node)) is not None:
            found.edges[i] = (
                [] if k is None else [e for j, e in enumerate(graph.edges[i]) if j != k]
            )
    return found


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
    change: Change = Change()

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
                    world = world.at(elsewhere(self.trial.inputs, seed, turned=seed == 1))
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
    world = World(trial, exact_of(trial), input)
    n = len(world.J)
    rng = np.random.default_rng(seed)
    dout, second = rng.normal(size=(2, n)) if not trial.loss else np.ones((2, n))
    theirs = world.theirs(dout)
    S = np.array([world.theirs(e).ravel() for e in np.eye(n)])
    near = 1e-9 * (np.abs(S).sum() + np.abs(theirs).max(initial=0))
    linear = all((np.abs(d @ S - world.theirs(d).ravel()) <= near).all() for d in (dout, second))
    right = world.right(dout).reshape(world.shape)
    return Case(trial, world.exact, input, S if linear else None, theirs, right, world.split(dout))
