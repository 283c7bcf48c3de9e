"""The two directions in which derivatives travel, and where those that travel forward begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microgrid.engine.errors import ParameterError, describe, several
from microgrid.engine.forward import started
from microgrid.engine.guards import Number
from microgrid.engine.numeric import like
from microgrid.engine.settings import direction
from microgrid.engine.value import Constant, Value

Seeds = Mapping[Value, Any]


def is_forward(mode: str, seeds: Seeds | None) -> bool:
    """Whether a mode is forward mode.

    ParameterError for no mode, and for seeds that a backward pass would not use.
    """
    forward = direction(mode) == "forward"
    if seeds is not None and not forward:
        raise ParameterError("seeds are tangents, which go forward: give mode='forward', too")
    return forward


def leaves_of(order: list[Value]) -> list[Value]:
    """The leaves that can move, those with a label first."""
    leaves = [v for v in order if v.op is None and not isinstance(v, Constant)]
    return sorted(leaves, key=lambda v: not v.label)


def seeded(order: list[Value], seeds: Seeds | None) -> dict[Value, Number]:
    """The tangents that a forward pass starts with; by default the first leaf's alone, which is 1.

    ParameterError unless the seeds are nodes of the graph, NumberError unless they are real.
    """
    root, leaves = order[-1], leaves_of(order) or order
    if seeds is None:
        return {leaves[0]: like(leaves[0], 1)}
    begin = started(seeds)
    if not begin:
        raise ParameterError("seeds are nodes with their tangents, as in {x: 1}, got none")
    inside = {*order}
    for v in begin:
        if v not in inside:
            among = f"its leaves are {several(leaves)}"
            raise ParameterError(f"{describe(v)} is not in the graph of {describe(root)}: {among}")
    return begin
