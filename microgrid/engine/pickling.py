"""Pickle and copy.deepcopy of graphs of any depth, with every shared node still shared."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from operator import attrgetter
from typing import Any

from microgrid.engine import ops
from microgrid.engine.families import FAMILIES
from microgrid.engine.value import Op, Value, topological

slots = attrgetter("_a", "_b", "_grad", "_label", "_number", "_parent_versions", "_version", "op")
writing = threading.local()  # has `ancestors` while the nodes below some root are being written


class Ancestors:
    """Stands before a node in its pickle and writes all nodes below it, parents before children.

    So the node itself finds its parents already written, and nothing recurses.
    """

    def __init__(self, root: Value) -> None:
        self.root = root

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (), None, self.in_order()

    def in_order(self) -> Iterator[Value]:
        writing.ancestors = True
        try:
            yield from topological(self.root)[:-1]
        finally:
            del writing.ancestors


def reduce_value(v: Value) -> tuple[Any, ...]:
    first = None if v.op is None or hasattr(writing, "ancestors") else Ancestors(v)
    return restore, (type(v), first, *slots(v))


def restore(kind: type[Value], first: Any, *state: Any) -> Value:
    v = kind(0)  # in the order of `slots`:
    v._a, v._b, v._grad, v._label, v._number, v._parent_versions, v._version, v.op = state
    return v


def reduce_op(op: Op) -> tuple[Any, ...]:
    """An operation of the table goes by name; a user's own goes with its functions."""
    if ops.TABLE.get(op.name) is op:
        return entry, (op.name,)
    for family in FAMILIES:
        order = op.name.removeprefix(family.__name__)
        if order.isdecimal() and family(int(order)) is op:
            return family, (int(order),)
    looks = {k: getattr(op, k) for k in Op.__slots__ if k not in ("name", "forward", "rules")}
    return partial(Op, op.name, op.forward, *op.rules, **looks), ()


def entry(name: str) -> Op:
    return ops.TABLE[name]


Value.__reduce__ = reduce_value  # type: ignore[assignment, method-assign]
Op.__reduce__ = reduce_op  # type: ignore[assignment, method-assign]
Op.__deepcopy__ = lambda op, memo: op  # type: ignore[attr-defined]
