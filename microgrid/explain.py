"""The backward pass as a table: one row for each `+=`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from microgrid.value import Constant, Value, accumulate, seed, topological


class Row(NamedTuple):
    """One `parent.grad += local × upstream`, in the order of the backward pass."""

    gate: str  # the operation, written with the names of its operands
    role: str  # distributor, switcher, router or nothing
    parent: str  # the node that receives the share
    local: Any  # ∂gate/∂parent
    upstream: Any  # ∂root/∂gate
    share: Any  # local × upstream
    total: Any  # what the parent has received so far
    child_node: Value
    parent_node: Value


class Explanation:
    """The rows of one backward pass; prints as a table."""

    def __init__(self, root: Value, rows: Sequence[Row], names: dict[Value, str]) -> None:
        self.root, self.rows, self.names = root, rows, names

    def __str__(self) -> str:
        head = ("gate", "role", "to", "local", "upstream", "share", "total")
        cells = [
            (r.gate, r.role, r.parent, *map(short, (r.local, r.upstream, r.share, r.total)))
            for r in self.rows
        ]
        start = f"{self.names[self.root]} = {short(self.root.data)}, upstream 1"
        return "\n".join([start, *table(head, cells, left=3)])

    __repr__ = __str__


def explain(root: Value) -> Explanation:
    """Every `+=` of root's backward pass, in order: gate, role, local × upstream, share, total.

    No node is changed, and no backward pass needs to have run. Inner nodes without a label are
    called n5, n6, … by their place in the topological order.

    >>> x = Value(3.0, "x")
    >>> print(explain(x * x))
    n1 = 9, upstream 1
    gate        role      to  local  upstream  share  total
    n1 = x * x  switcher  x       3         1      3      3
    n1 = x * x  switcher  x       3         1      3      6
    """
    order = topological(root)
    names = names_of(order)
    rows: list[Row] = []
    gates: dict[Value, str] = {}

    def trace(
        child: Value, parent: Value, local: Any, upstream: Any, share: Any, sum_: Any
    ) -> None:
        if not isinstance(parent, Constant):
            assert child.op is not None
            gate = gates.setdefault(child, f"{names[child]} = {written(child, names)}")
            row = (gate, child.op.role, names[parent], local, upstream, share, sum_, child, parent)
            rows.append(Row(*row))

    accumulate(order, seed(root, 1), trace=trace)
    return Explanation(root, rows, names)


def names_of(order: Iterable[Value]) -> dict[Value, str]:
    """A name for every node: its label, the number of a constant, else n and its place."""
    return {
        v: short(v.data) if isinstance(v, Constant) else v.label or f"n{i}"
        for i, v in enumerate(order)
    }


def written(v: Value, names: dict[Value, str], most: int = 4) -> str:
    """The operation with the names of its operands, like w_0 * x_0 or exp(n7)."""
    assert v.op is not None
    operands = [names[p] for p in v.parents]
    if "{}" in v.op.text:
        return v.op.text.format(*operands)
    if len(operands) > most:
        operands = [*operands[: most - 1], "…", operands[-1]]
    return f"{v.op.text}({', '.join(operands)})"


def short(x: Any) -> str:
    """A number with four significant digits, for display only."""
    text = str(x) if not isinstance(x, float) else f"{x:.4g}"
    return "0" if text == "-0" else text


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Lines of aligned columns: the first `left` of them to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]
