"""A layer at one set of inputs: the exact gradient of one input, theirs, and changes of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from microgrid.check.handwritten.diagnosis.plain_arrays import plain_arrays
from microgrid.check.handwritten.diagnosis.source_lines import written_factors
from microgrid.check.handwritten.forward.exact import Exact, exact
from microgrid.check.handwritten.forward.jacobians import Jacobians
from microgrid.check.handwritten.trial import Array, Trial, copies
from microgrid.engine.value import Value
from microgrid.matrices.arrays import values

Index = tuple[int, ...]
Of = Callable[["World"], Any]  # what is computed anew at other inputs
Cut = frozenset[Any]  # nodes that no path goes through, or (node, k): not by its operand k
Pull = Callable[[Array, Cut], Array]
Bends = Mapping[int, Callable[[float], Any]]  # node -> its slopes, from the right one


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
    >>> World(doubled, exact(doubled), "x").right(np.ones(3))
    array([2., 2., 2.])
    """

    def __init__(self, trial: Trial, exact: Exact, input: str) -> None:
        self.trial, self.exact, self.input = trial, exact, input
        self.change = Change()
        self.jacobians: dict[Cut, Array] = {}
        self.others: dict[bytes, World] = {}
        self.slopes: tuple[Array | None, dict[Value, float]] = (None, {})

    @cached_property
    def graph(self) -> Jacobians:
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
            return plain_arrays(self.trial)
        return {}

    @cached_property
    def written(self) -> set[float]:
        """The numbers that stand as factors in their backward, as in `4 / m` or `c = 4`."""
        return {number for f in self.trial.backwards for number in written_factors(f)}

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
            self.others[key] = World(trial, exact(trial), self.input)
        return self.others[key].changed(self.change)

    def split(self, dout: Array) -> list[Array]:
        """One upstream gradient for each output, in its shape."""
        ends = np.cumsum([int(np.prod(s)) for s in self.shapes])[:-1]
        return [d.reshape(s).copy() for d, s in zip(np.split(dout, ends), self.shapes)]

    def gradient_of(self, name: str, dout: Array) -> Array | None:
        """The exact gradient of an array inside; None if it holds plain numbers."""
        if self.slopes[0] is None or not np.array_equal(self.slopes[0], dout):
            self.slopes = dout, self.exact.gradients(self.split(dout))
        return self.exact.gradient_of(name, self.slopes[1])

    def theirs(self, dout: Array) -> Array:
        """What their backward gives for it after a fresh forward."""
        with np.errstate(all="ignore"):
            grads = self.trial.run(copies(self.trial.inputs)).pull(self.split(dout))
        return np.asarray(grads[self.input], float)


def without(graph: Jacobians, cut: Cut) -> Jacobians:
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
