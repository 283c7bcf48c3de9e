"""Pickle and copy.deepcopy of graphs of any depth, with every shared node still shared."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from microgrid.engine import ops, rules
from microgrid.engine.value import Op, Value, node, topological


class Writing(threading.local):
    """Whether the nodes below some root are being written just now, parents first."""

    ancestors = False


writing = Writing()


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
            writing.ancestors = False


def reduce_value(v: Value) -> tuple[Any, ...]:
    state = v._number, v._grad, v._label, v._version, v._parent_versions
    if v.op is None:
        return restore_leaf, (type(v), *state)
    first = None if writing.ancestors else Ancestors(v)
    return restore, (first, v.op, v._a, v._b, *state)


def restore_leaf(kind: type[Value], data: Any, grad: Any, label: str, *versions: int) -> Value:
    v = kind(data)
    v._grad, v._label, (v._version, v._parent_versions) = grad, label, versions
    return v


def restore(
    first: Any, op: Op, a: Any, b: Any, data: Any, grad: Any, label: str, version: int, seen: int
) -> Value:
    v = node(op, a, b, data, seen)
    v._grad, v._label, v._version = grad, label, version
    return v


def reduce_op(op: Op) -> tuple[Any, ...]:
    """An operation of the table goes by name; a user's own goes with its functions."""
    if ops.TABLE.get(op.name) is op:
        return entry, (op.name,)
    for family in rules.falling, rules.slope_in_exponent:
        order = op.name.removeprefix(family.__name__)
        if order.isdecimal() and family(int(order)) is op:
            return family, (int(order),)
    looks = {
        name: getattr(op, name) for name in Op.__slots__ if name not in ("name", "forward", "rules")
    }
    return restore_op, (op.name, op.forward, op.rules, looks)


def entry(name: str) -> Op:
    return ops.TABLE[name]


def restore_op(name: str, forward: Any, rules: tuple[Any, ...], looks: dict[str, Any]) -> Op:
    return Op(name, forward, *rules, **looks)


Value.__reduce__ = reduce_value  # type: ignore[assignment, method-assign]
Op.__reduce__ = reduce_op  # type: ignore[assignment, method-assign]
Op.__deepcopy__ = lambda op, memo: op  # type: ignore[attr-defined]
