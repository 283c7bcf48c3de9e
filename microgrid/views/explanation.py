"""The backward pass as a table: one row for each `+=`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from math import prod
from typing import Any, NamedTuple

from microgrid.engine.numeric import like
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.value import Constant, Value, accumulate, edges, seed, topological
from microgrid.views.tables import html_table, latex_table, short, shortened, table


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


HEAD = ("gate", "role", "to", "local", "upstream", "share", "total")


class Explanation:
    """The rows of one backward pass; prints as a table, and shows as one in a notebook."""

    def __init__(self, root: Value, rows: Sequence[Row], names: dict[Value, str]) -> None:
        self.root, self.rows, self.names = root, rows, names
        self.start = f"{names[root]} = {short(root.data)}, upstream 1"

    def cells(self) -> list[tuple[str, ...]]:
        return [(r.gate, r.role, r.parent, *map(short, r[3:7])) for r in self.rows]

    def __str__(self) -> str:
        return "\n".join([self.start, *table(HEAD, self.cells(), left=3)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(self.start, HEAD, self.cells(), left=3)

    def latex(self) -> str:
        """The table as a LaTeX array."""
        return latex_table(HEAD, self.cells(), left=3)


class Path(NamedTuple):
    """One way from a node to the root: its nodes, and the local gradient of each step."""

    nodes: tuple[Value, ...]
    locals: tuple[Any, ...]
    product: Any


class Paths:
    """The influence paths from a node to the root; the sum of their products is the gradient."""

    def __init__(
        self, paths: Sequence[Path], count: int, gradient: Any, names: dict[Value, str], end: str
    ) -> None:
        self.paths, self.count, self.gradient, self.names = paths, count, gradient, names
        many = "1 path" if count == 1 else f"{count} paths"
        self.start = f"{many}, {end} = {short(gradient)}"

    head = ("path", "local gradients", "product")

    def cells(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [
            (
                " → ".join(shortened([self.names[v] for v in path.nodes])),
                " · ".join(shortened(list(map(short, path.locals)))) or "1",
                short(path.product),
            )
            for path in self.paths
        ]
        left_out = self.count - len(rows)
        return rows + [(f"… and {left_out} more", "", "")] * bool(left_out)

    def __str__(self) -> str:
        sum_ = ("sum over all paths", "", short(self.gradient))
        return "\n".join([self.start, *table(self.head, [*self.cells(), sum_], left=2)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(self.start, self.head, self.cells(), left=2)

    def latex(self) -> str:
        """The table as a LaTeX array."""
        return latex_table(self.head, self.cells(), left=2)


def explain(root: Value, of: Value | None = None, most: int = 20) -> Any:
    """Every `+=` of root's backward pass in order, or the paths to root `of` one of its nodes.

    No node is changed, and no backward pass needs to have run. Inner nodes without a label are
    called n5, n6, … by their place in the topological order. Of the paths at most `most` are
    listed, but all are counted and summed.

    >>> x = Value(3.0, "x")
    >>> print(explain(x * x))
    n1 = 9, upstream 1
    gate        role      to  local  upstream  share  total
    n1 = x * x  switcher  x       3         1      3      3
    n1 = x * x  switcher  x       3         1      3      6
    >>> print(explain(x * x, of=x))
    2 paths, ∂n1/∂x = 6
    path                local gradients  product
    x → n1              3                      3
    x → n1              3                      3
    sum over all paths                         6
    """
    order = topological(root)
    names = names_of(order)
    if of is not None:
        return paths_between(of, order, names, most)
    rows: list[Row] = []
    gates: dict[Value, str] = {}

    def trace(
        child: Value, parent: Value, local: Any, upstream: Any, share: Any, sum_: Any
    ) -> None:
        if not isinstance(parent, Constant):
            assert child.op is not None
            if child not in gates:  # once a gate, not once a share: a sum may have many operands
                gates[child] = f"{names[child]} = {written(child, names)}"
            row = (
                gates[child],
                child.op.role,
                names[parent],
                local,
                upstream,
                share,
                sum_,
                child,
                parent,
            )
            rows.append(Row(*row))

    accumulate(order, seed(root, 1), trace=trace)
    return Explanation(root, rows, names)


def paths_between(of: Value, order: list[Value], names: dict[Value, str], most: int) -> Paths:
    """The paths from a node to the last of a topological order, the first `most` of them listed."""
    root = order[-1]
    count: dict[Value, int] = {}  # the paths from `of` to each node, without listing them
    ways: dict[Value, list[tuple[Value, Any]]] = {}
    for v in order:
        if v is of:
            count[v] = 1
        elif v.op is not None:
            open_ = [(p, local) for p, local in edges(v, v.op) if local is not NO_PATH]
            ways[v] = [(p, local) for p, local in open_ if count.get(p)]
            count[v] = sum(count[p] for p, _ in ways[v])
    found = islice(walk(root, of, ways), most) if count.get(root) else []
    listed = [Path(nodes, locals_, prod(locals_)) for nodes, locals_ in found]
    gradient = accumulate(order, seed(root, 1)).get(of, like(of, 0))
    name = names.get(of, of.label or "a node outside the graph")
    return Paths(listed, count.get(root, 0), gradient, names, f"∂{names[root]}/∂{name}")


def walk(
    root: Value, end: Value, ways: dict[Value, list[tuple[Value, Any]]]
) -> Iterator[tuple[tuple[Value, ...], tuple[Any, ...]]]:
    """Each path from end to root with its local gradients, depth first, without recursion."""
    if root is end:
        yield (root,), ()
        return
    nodes, choices = [root], [iter(ways[root])]
    locals_: list[Any] = []
    while choices:
        step = next(choices[-1], None)
        if step is None:
            choices.pop()
            nodes.pop()
            if locals_:
                locals_.pop()
        elif step[0] is end:
            yield (end, *reversed(nodes)), (step[1], *reversed(locals_))
        else:
            nodes.append(step[0])
            locals_.append(step[1])
            choices.append(iter(ways[step[0]]))


def names_of(order: Iterable[Value]) -> dict[Value, str]:
    """A name for every node: its label, the number of a constant, else n and its place."""
    nodes = list(order)
    auto = "node" if any(re.fullmatch(r"n\d+", v.label) for v in nodes) else "n"
    return {
        v: short(v.data) if isinstance(v, Constant) else v.label or f"{auto}{i}"
        for i, v in enumerate(nodes)
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
