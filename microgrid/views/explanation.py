"""A pass as a table, one row for each `+=`: the backward pass, or the tangents going forward."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, repeat
from math import prod
from typing import Any, Literal, NamedTuple, overload

from microgrid.engine.errors import NumberError, ParameterError
from microgrid.engine.forward import push_forward
from microgrid.engine.guards import Number
from microgrid.engine.numeric import like
from microgrid.engine.renamed import renamed
from microgrid.engine.settings import whole
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.value import Constant, Value, accumulate, edges, seed, topological
from microgrid.views.digits import Line, columns
from microgrid.views.formula import LATEX
from microgrid.views.modes import Seeds, is_forward, leaves_of, seeded
from microgrid.views.notation import ATOM, NAMES, Notation, leaf, write
from microgrid.views.rows import ForwardRow, Pass, Row
from microgrid.views.tables import DIGITS, Table, short, shortened
from microgrid.views.wording import multiple, plural, typed

Ways = dict[Value, list[tuple[Value, Any]]]  # of a gate: operands, and their local gradients


class PassTable(Table):
    """The rows of a pass; HTML and LaTeX say in a column where each local gradient comes from.

    Text, Markdown and CSV do so with `rules`: they are read in narrow windows, and by programs.
    """

    _before: tuple[str, ...]  # the columns of words
    _behind: tuple[str, ...]  # those of numbers

    def __init__(
        self, root: Value, rows: Sequence[Any], names: dict[Value, str], start: str, rules: bool
    ) -> None:
        self.root, self.rows, self.names, self._start = root, rows, names, start
        self._rules, self._pass = rules, Pass([row._make(row) for row in rows])
        for row, own in zip(rows, self._pass.rows):
            row.told = self._pass, own
        self._head = (*self._before, *["rule"] * rules, *self._behind)
        self._left = len(self._before) + rules

    def _words(self, row: Any, names: dict[Value, str], gate: str, latex: bool) -> tuple[str, ...]:
        """The cells before the numbers."""
        raise NotImplementedError

    def _cells(self, latex: bool = False) -> list[tuple[str, ...]]:
        names = latex_names(self.names) if latex else shown_names(self.names)
        gates = gates_of(names, LATEX if latex else NAMES)
        numbers = self._pass.numbers(DIGITS, short)
        return [
            (*self._words(row, names, gates[row.child_node], latex), *rule, *four)
            for row, rule, four in zip(self.rows, self._rule_cells(names, latex), numbers)
        ]

    def _rule_cells(self, names: dict[Value, str], latex: bool = False) -> Iterator[list[str]]:
        """The cell of each row that says its rule, where there is such a column."""
        if self._rules:
            return ([rule.short(names, latex)] for rule in self._pass.rules())
        return repeat([], len(self.rows))

    def _record(self, row: Any) -> tuple[Any, ...]:
        """The words of a row for other programs."""
        raise NotImplementedError

    def records(self) -> list[tuple[Any, ...]]:
        """The rows with their numbers as they are, for `csv` or a DataFrame."""
        return [
            (*self._record(r), *rule, *r[3:7])
            for r, rule in zip(self.rows, self._rule_cells(self.names))
        ]

    def _with_rules(self) -> PassTable:
        return type(self)(self.root, self.rows, self.names, self._start, True)

    def html(self) -> str:
        """The table as an HTML element; the text of users is escaped."""
        return super().html() if self._rules else self._with_rules().html()

    def latex(self) -> str:
        """The table as a LaTeX array: its cells in math mode, without the line above."""
        return super().latex() if self._rules else self._with_rules().latex()


class Explanation(PassTable):
    """The rows of one backward pass; prints as a table, and shows as one in a notebook.

    A row has the fields gate, role, parent, local, upstream, share and total, the two nodes, and
    `rule`, which says where its local gradient comes from; `names` has the name of each node in the
    table.

    >>> from microgrid import explain
    >>> x = Value(3.0, "x")
    >>> table = explain(x * x)
    >>> [(row.gate, row.local, row.share, row.total) for row in table.rows]
    [('n1 = x * x', 3.0, 3.0, 3.0), ('n1 = x * x', 3.0, 3.0, 6.0)]
    >>> table.rows[0].rule
    ∂(a·b)/∂a = b = 3.00
    >>> print(table.csv())
    gate,role,to,local,upstream,share,total
    n1 = x * x,switcher,x,3.0,1.0,3.0,3.0
    n1 = x * x,switcher,x,3.0,1.0,3.0,6.0
    <BLANKLINE>
    """

    _title = "The backward pass"
    _before, _behind = ("gate", "role", "to"), ("local", "upstream", "share", "total")
    rows: Sequence[Row]

    def _words(self, row: Row, names: dict[Value, str], gate: str, latex: bool) -> tuple[str, ...]:
        role = rf"\text{{{row.role}}}" if latex and row.role else row.role
        return gate, role, names[row.parent_node]

    def _record(self, row: Row) -> tuple[Any, ...]:
        return row[:3]


class ForwardExplanation(PassTable):
    """The rows of one forward pass: each gate's value, and beside it how its tangent adds up.

    >>> from microgrid import explain
    >>> x = Value(3.0, "x")
    >>> table = explain(x * x, mode="forward")
    >>> [(row.gate, row.operand, row.tangent, row.total) for row in table.rows]
    [('n1 = x * x', 'x', 1.0, 3.0), ('n1 = x * x', 'x', 1.0, 6.0)]
    """

    _title = "The pass of tangents"
    _before, _behind = ("gate", "from"), ("local", "tangent", "share", "total")
    rows: Sequence[ForwardRow]

    def _words(
        self, row: ForwardRow, names: dict[Value, str], gate: str, latex: bool
    ) -> tuple[str, ...]:
        return f"{gate} = {short(row.value)}", names[row.parent_node]

    def _record(self, row: ForwardRow) -> tuple[Any, ...]:
        return f"{row.gate} = {row.value}", row.operand


class Path(NamedTuple):
    """One way from a node to the root: its nodes, and the local gradient of each step."""

    nodes: tuple[Value, ...]
    locals: tuple[Any, ...]
    product: Any


class Paths(Table):
    """The influence paths from a node to the root; the sum of their products is the gradient.

    `count` is how many there are, `paths` those that are shown, each with its `nodes`, the `locals`
    on its way and their `product`.

    >>> from microgrid import explain
    >>> x = Value(3.0, "x")
    >>> found = explain(x * x + x, x)
    >>> found.count, found.gradient, [path.product for path in found.paths]
    (3, 7.0, [3.0, 3.0, 1])
    """

    _title = "The paths from a node to the result"
    _head, _left = ("path", "local gradients", "product"), 2

    def __init__(
        self, paths: Sequence[Path], count: int, gradient: Any, names: dict[Value, str], end: str
    ) -> None:
        self.paths, self.count, self.gradient, self.names = paths, count, gradient, names
        self._start = f"{plural(count, 'path')}, {end} = {short(gradient)}"
        sums = [None] * (len(paths) - 1) + [gradient if count == len(paths) else None]
        lines = [Line(None, x.locals, x.product, sum_) for x, sum_ in zip(paths, sums)]
        self._numbers = columns(lines, DIGITS, short)
        total = self._numbers[-1][-1] if lines else ""
        self._foot = (("sum over all paths", "", total or short(gradient)),)

    def _cells(self, latex: bool = False) -> list[tuple[str, ...]]:
        names, to, times, words = shown_names(self.names), " → ", " · ", "{}"
        if latex:
            names, to, times = latex_names(self.names), r" \to ", r" \cdot "
            words = r"\text{{{}}}"
        rows = list[tuple[str, ...]]()
        for nodes, (*locals_, product, _) in zip(
            [path.nodes for path in self.paths], self._numbers
        ):
            factors = times.join(shortened(locals_)) or "1"
            rows.append((to.join(shortened([names[v] for v in nodes])), factors, product))
        left_out = self.count - len(rows)
        return rows + [(words.format(f"… and {left_out} more"), "", "")] * bool(left_out)

    def records(self) -> list[tuple[Any, ...]]:
        names = self.names
        return [
            (" → ".join([names[v] for v in nodes]), " · ".join(map(str, locals_)), product)
            for nodes, locals_, product in self.paths
        ]


@overload
def explain(
    root: Value, of: None = None, max_paths: int = 20, *,
    mode: Literal["backward", "reverse"] = "backward", seeds: None = None, rules: bool = False,
) -> Explanation: ...  # fmt: skip


@overload
def explain(root: Value, of: Value, max_paths: int = 20) -> Paths: ...


@overload
def explain(
    root: Value, *, mode: Literal["forward"], seeds: Seeds | None = None, rules: bool = False
) -> ForwardExplanation: ...


@renamed(most="max_paths")
def explain(
    root: Value, of: Value | None = None, max_paths: int = 20, *,
    mode: str = "backward", seeds: Seeds | None = None, rules: bool = False,
) -> Explanation | Paths | ForwardExplanation:  # fmt: skip
    """Every `+=` of root's backward pass in order, or the paths from the node `of` to root.

    No node is changed, and no backward pass needs to have run. Inner nodes without a label are
    called n5, n6, … by their place in the topological order. Of the paths at most `max_paths`
    are listed, but all are counted and summed. NumberError for what is no Value, ParameterError for
    a mode or a number of paths that cannot be. With `rules` a column says where each local gradient
    comes from; in HTML and LaTeX it is always there.

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
    >>> print(explain(x**2, rules=True))
    n2 = 9, upstream 1
    gate      role  to  rule   local  upstream  share  total
    n2 = x^2        x   2 * x      6         1      6      6

    `mode="forward"` shows the pass of tangents instead: how fast each node moves as the nodes in
    `seeds` move at these rates, by default the first leaf with a label at the rate 1. Only
    operands that move have a row.

    >>> print(explain(x * x, mode="forward", seeds={x: 1}))
    x = 3, tangent 1; n1 = 9, tangent 6
    gate            from  local  tangent  share  total
    n1 = x * x = 9  x         3        1      3      3
    n1 = x * x = 9  x         3        1      3      6

    ParameterError for another mode, for seeds outside of the graph, or for rules of paths.
    """
    forward, order = is_forward(mode, seeds), topological(root)
    names = names_of(order)
    shown = shown_names(names)
    if of is not None:
        if not isinstance(of, Value):
            raise NumberError(f"paths begin at a Value, got {type(of).__name__} {of!r}")
        if forward:
            raise ParameterError("paths are those of both modes: leave out of or mode")
        if rules:
            raise ParameterError("rules are those of the rows of a pass: leave out of or rules")
        return paths_between(of, order, names, whole("max_paths", max_paths, 0))
    gates = gates_of(names, NAMES)
    if forward:
        return forward_rows(order, names, gates, seeds, rules)
    rows: list[Row] = []

    def trace(child: Value, parent: Value, *numbers: Any) -> None:
        if child.op is not None and not isinstance(parent, Constant):
            words = gates[child], child.op.role, names[parent]
            rows.append(Row._make((*words, *numbers, child, parent)))

    accumulate(order, seed(root, 1), trace=trace)
    start = f"{shown[root]} = {short(root.data)}, upstream 1"
    return Explanation(root, rows, names, start, rules)


def forward_rows(
    order: list[Value], names: dict[Value, str], gates: dict[Value, str], seeds: Seeds | None,
    rules: bool = False,
) -> ForwardExplanation:  # fmt: skip
    """Every `+=` of a pass of tangents from these seeds to the last of a topological order."""
    root, rows, begin = order[-1], list[ForwardRow](), seeded(order, seeds)

    def trace(child: Value, parent: Value, *numbers: Any) -> None:
        words = gates[child], child.data, names[parent]
        rows.append(ForwardRow._make((*words, *numbers, child, parent)))

    end = {root: push_forward(order, begin, trace=trace).get(root, like(root, 0))}
    shown = shown_names(names)
    told = [f"{shown[v]} = {short(v.data)}, tangent {short(t)}" for v, t in (begin | end).items()]
    others = [shown[v] for v in leaves_of(order) if v.label and v not in begin]
    hint = f" (another leaf: seeds={{{others[0]}: 1}})" if seeds is None and others else ""
    return ForwardExplanation(root, rows, names, "; ".join(told) + hint, rules)


def paths_between(of: Value, order: list[Value], names: dict[Value, str], most: int) -> Paths:
    """The paths from a node to the last of a topological order, the first `most` of them listed."""
    root = order[-1]
    count, listed = first_paths(of, order, ways_of(order), most)
    gradient = accumulate(order, seed(root, 1)).get(of, like(of, 0))
    shown = shown_names(names)
    name = shown.get(of, typed(of.label) or "a node outside the graph")
    return Paths(listed, count, gradient, names, f"∂{shown[root]}/∂{name}")


def ways_of(order: Sequence[Value]) -> Ways:
    """The ways on which the gates send their gradients back."""
    return {v: [way for way in edges(v, v.op) if way[1] is not NO_PATH] for v in order if v.op}


def first_paths(of: Value, order: Sequence[Value], ways: Ways, most: int) -> tuple[int, list[Path]]:
    """How many paths lead from a node to the last of a topological order, and the first of them."""
    root, count = order[-1], {of: 1}  # to each node, without listing them
    leading: Ways = {}
    for v in order:
        if v is not of and v in ways:
            leading[v] = [way for way in ways[v] if way[0] in count]
            if leading[v]:
                count[v] = sum([count[p] for p, _ in leading[v]])
    if root not in count:
        return 0, []
    return count[root], [*islice(walk(root, of, leading), most)]


def walk(root: Value, end: Value, ways: Ways) -> Iterator[Path]:
    """Each path from end to root, depth first, without recursion."""
    stack: list[tuple[Value, Any]] = [(root, ())]  # a node, and how it goes on to root
    while stack:
        v, onward = stack.pop()
        if v is not end:
            stack += [(p, (local, v, onward)) for p, local in reversed(ways[v])]
            continue
        nodes, locals_ = [end], []
        while onward:
            local, v, onward = onward
            nodes.append(v)
            locals_.append(local)
        yield Path(tuple(nodes), tuple(locals_), prod(locals_))


def names_of(order: Sequence[Value]) -> dict[Value, str]:
    """A name for every node: its label, the number of a constant, else n and its place."""
    auto = "node" if any(re.fullmatch(r"n\d+", v.label) for v in order) else "n"
    return {
        v: leaf(v, SHORT, {})[0].replace("−", "-")
        if isinstance(v, Constant)
        else v.label or f"{auto}{i}"
        for i, v in enumerate(order)
    }


def short_number(x: Number) -> tuple[str, int]:
    """A number in a table, where it is a multiple of π or e by that name."""
    return NAMES.number(x) if multiple(x) else (short(x), ATOM)


SHORT = replace(NAMES, number=short_number)


def shown_names(names: Mapping[Value, str]) -> dict[Value, str]:
    """The names as a line of text has them, where a label may be one in LaTeX."""
    return {v: name if isinstance(v, Constant) else typed(name) for v, name in names.items()}


def latex_names(names: Mapping[Value, str]) -> dict[Value, str]:
    """The names in LaTeX, n_{5} for n5, and of constants the numbers."""
    return {v: leaf(v, LATEX, {})[0] if isinstance(v, Constant)
            else LATEX.name(v.label or re.sub(r"(?<=\D)(?=\d)(.*)", r"_{\1}", name))
            for v, name in names.items()}  # fmt: skip


def gates_of(names: Mapping[Value, str], notation: Notation) -> dict[Value, str]:
    """What each gate computes, in these names."""
    return {v: f"{names[v]} = {write(v, notation, names)}" for v in names if v.op}
