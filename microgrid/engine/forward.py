"""The other direction: tangents, from what moves to all that moves with it.

The tangent of a node is Σ local × tangent over its parents, in the order of the forward pass. The
local gradients are those of the backward pass, so the two directions share one table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from microgrid.engine import ops
from microgrid.engine.errors import ParameterError, describe
from microgrid.engine.guards import is_real, no_number, real
from microgrid.engine.numeric import like, product
from microgrid.engine.recorder import on_read
from microgrid.engine.rules import MaskedUpstream
from microgrid.engine.slopes import NO_PATH, check_slopes
from microgrid.engine.value import PLAIN, Trace, Value, edges, in_floats, node, topological


def order_of(outputs: Sequence[Value]) -> list[Value]:
    """Every node of the graphs of these outputs once, parents before children."""
    if len(outputs) == 1:
        return topological(outputs[0])
    return topological(node(ops.identity, tuple(outputs), None, 0.0, 0))[:-1]


def started(seeds: Any, as_graph: bool = False) -> dict[Value, Any]:
    """The tangents that a forward pass starts with, in the kinds of the nodes' numbers.

    ParameterError unless the seeds are a dict of nodes, NumberError unless each is one real number,
    or a Value for a pass as a graph.
    """
    if not isinstance(seeds, Mapping) or not all(isinstance(v, Value) for v in seeds):
        raise ParameterError(f"seeds are nodes with their tangents, as in {{x: 1}}, got {seeds!r}")
    tangent = dict(seeds)
    for v, speed in seeds.items():
        if as_graph and isinstance(speed, Value):
            continue
        if not is_real(speed):
            raise no_number(speed, f"the tangent of {describe(v)} is one real number")
        tangent[v] = product(real(speed), like(v, 1))
    return tangent


def push_forward(
    order: list[Value], seeds: dict[Value, Any], as_graph: bool = False, trace: Trace | None = None
) -> dict[Value, Any]:
    """The tangent of every node that moves, of a topological order; changes no node.

    `seeds` says how fast some nodes move by themselves. With `as_graph` the local gradients are
    built from the nodes themselves, so that tangents can be differentiated in turn. `trace` is
    called for each += with (child, parent, local, tangent of the parent, share, total).
    """
    tangent = dict(seeds)
    if order and not as_graph:
        on_read(order[-1])
    try:
        carry(order, tangent, as_graph, trace)
    except TypeError:  # what a rule gave is no number
        check_slopes(used(order), as_graph)
        raise
    if not as_graph and not PLAIN.issuperset(map(type, tangent.values())):
        check_slopes(used(order))
        tangent = {v: real(x) for v, x in tangent.items()}
    return tangent


def carry(
    order: list[Value], tangent: dict[Value, Any], as_graph: bool, trace: Trace | None
) -> None:
    """The forward pass: each node adds up local × tangent over those of its parents that move."""
    for v in order:
        for parent, local in edges(v, v.op, as_graph) if v.op else ():
            if local is NO_PATH or parent not in tangent:
                continue
            moved = tangent[parent]
            try:
                share = moved * local
                if isinstance(share, MaskedUpstream):  # where(c, moved, 0): c decides
                    share = share.passed
                tangent[v] = tangent[v] + share if v in tangent else share
            except OverflowError:
                share, tangent[v] = in_floats(moved, local, tangent.get(v, 0.0))
            if trace is not None:
                trace(v, parent, local, moved, share, tangent[v])


def used(order: list[Value]) -> list[tuple[Any, Any]]:
    """(operation, local gradient) of every edge."""
    return [(v.op, local) for v in order if v.op for _, local in edges(v, v.op)]
