"""The Jacobian of a graph, also without the paths through some of its nodes.

The slopes of all edges are computed once, so that each further Jacobian costs little.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from microgrid.check.handwritten.trial import Array
from microgrid.engine import ops
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.value import Value, edges, node, topological

Edges = list[tuple[int, float]]


class Jacobians:
    """The edges of the graphs of some outputs that lead to some leaves.

    >>> x, y = Value(2.0), Value(3.0)
    >>> p = x * y
    >>> graph = Jacobians([p + x, 1.0], [x, y])
    >>> graph.jacobian()
    array([[4., 2.],
           [0., 0.]])
    >>> graph.jacobian(cut={p})
    array([[1., 0.],
           [0., 0.]])
    """

    def __init__(self, outputs: Sequence[Any], leaves: Sequence[Value]) -> None:
        ends = [y for y in outputs if isinstance(y, Value)]
        order = topological(node(ops.identity, tuple(ends), None, 0.0, 0))[:-1] if ends else []
        self.nodes = order
        self.place = {v: i for i, v in enumerate(order)}
        self.outputs = [self.place[y] if isinstance(y, Value) else None for y in outputs]
        self.leaves = [self.place.get(x) for x in leaves]
        self.edges: list[Edges] = []
        moves = [False] * len(order)
        for i in self.leaves:
            if i is not None:
                moves[i] = True
        for i, v in enumerate(order):
            found: Edges = []
            if v.op is not None:
                for parent, local in edges(v, v.op):
                    p = self.place[parent]
                    if moves[p] and local is not NO_PATH:
                        found.append((p, float(local)))
                moves[i] = moves[i] or bool(found)
            self.edges.append(found)
        self.below: list[list[int]] | None = self.subgraphs()

    def subgraphs(self) -> list[list[int]] | None:
        """The nodes below each output, children first; None where the outputs share most of them.

        Then one pass that carries a vector for each node is faster than a pass for each output.
        """
        found, total, most = [], 0, 12 * len(self.nodes) + 1000
        for start in self.outputs:
            seen = set() if start is None else {start}
            waiting = list(seen)
            while waiting:
                for p, _ in self.edges[waiting.pop()]:
                    if p not in seen:
                        seen.add(p)
                        waiting.append(p)
            found.append(sorted(seen, reverse=True))
            total += len(seen)
            if total > most:
                return None
        return found

    def reach(self) -> Array:
        """Whether a path leads from each output to each leaf, also with slopes of 0."""
        columns = {i: column for column, i in enumerate(self.leaves) if i is not None}
        table = np.zeros((len(self.outputs), len(self.leaves)), dtype=bool)
        for row, start in enumerate(self.outputs):
            seen = set() if start is None else {start}
            waiting = list(seen)
            while waiting:
                fresh = {p for p, _ in self.edges[waiting.pop()]} - seen
                seen |= fresh
                waiting += fresh
            table[row, [columns[i] for i in seen & columns.keys()]] = True
        return table

    def jacobian(self, cut: Collection[Value] = ()) -> Array:
        """∂output/∂leaf, a row for each output; no path goes through a node of `cut`."""
        closed = {self.place[v] for v in cut if v in self.place}
        rows = self.by_vectors(closed) if self.below is None else self.one_by_one(closed)
        table = np.zeros((len(self.outputs), len(self.leaves)))
        for column, i in enumerate(self.leaves):
            if i is not None:
                table[:, column] = rows[i]
        return table

    def one_by_one(self, closed: set[int]) -> Array:
        """The gradients of the leaves, of one output after the other."""
        assert self.below is not None
        slots = {i for i in self.leaves if i is not None}
        rows = np.zeros((len(self.nodes) if slots else 0, len(self.outputs)))
        gradient = [0.0] * len(self.nodes)
        for k, (start, below) in enumerate(zip(self.outputs, self.below)):
            if start is None:
                continue
            gradient[start] = 1.0
            for i in below:
                upstream = gradient[i]
                if upstream != 0.0:
                    gradient[i] = 0.0
                    if i in slots:
                        rows[i, k] = upstream
                    if i not in closed:
                        for p, local in self.edges[i]:
                            gradient[p] += upstream * local
        return rows

    def by_vectors(self, closed: set[int]) -> dict[int, Any]:
        """The same in one pass: each node holds the gradients of all outputs."""
        n = len(self.outputs)
        found: dict[int, Any] = {}
        for k, start in enumerate(self.outputs):
            if start is not None:
                found.setdefault(start, np.zeros(n))[k] += 1.0
        rows: dict[int, Any] = {i: np.zeros(n) for i in self.leaves if i is not None}
        for i in range(len(self.nodes) - 1, -1, -1):
            upstream = found.pop(i, None)
            if upstream is None:
                continue
            if i in rows:
                rows[i] = upstream
            for p, local in self.edges[i] if i not in closed else ():
                share = upstream * local
                if p in found:
                    found[p] += share
                else:
                    found[p] = share
        return rows

    def gradients(self, upstream: Iterable[float]) -> dict[Value, float]:
        """∂(upstream · outputs)/∂v of every node v of the graphs."""
        gradient = [0.0] * len(self.nodes)
        for start, g in zip(self.outputs, upstream):
            if start is not None:
                gradient[start] += float(g)
        for i in range(len(self.nodes) - 1, -1, -1):
            if gradient[i] != 0.0:
                for p, local in self.edges[i]:
                    gradient[p] += gradient[i] * local
        return {v: gradient[i] for v, i in self.place.items()}
