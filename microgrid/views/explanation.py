"""A pass as a table, one row for each `+=`: the backward pass, or the tangents going forward."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice, repeat
from math import prod
from typing import Any, Literal, NamedTuple, overload

from microgrid.engine.errors import NumberError, ParameterError
from microgrid.engine.forward import push_forward
from microgrid.engine.numeric import like
from microgrid.engine.renamed import renamed
from microgrid.engine.settings import whole
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.value import Constant, Value, accumulate, edges, seed, topological
from microgrid.views.formula import LATEX
from microgrid.views.modes import Seeds, is_forward, leaves_of, seeded
from microgrid.views.notation import NAMES, write
from microgrid.views.rule import Gate, LocalRule, short_name
from microgrid.views.tables import Table, short, shortened
from microgrid.views.wording import lowered, plural


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

    @property
    def rule(self) -> LocalRule:
        """Where the local gradient comes from: (1/x)′ = −1/x² = −1/1.37² = −0.53."""
        return next(rules_of([self]))


class ForwardRow(NamedTuple):
    """One `gate.tangent += local × tangent of an operand`, in the order of the forward pass."""

    gate: str  # the operation, written with the names of its operands
    value: Any  # what the operation computes
    operand: str  # the node whose tangent goes in
    local: Any  # ∂gate/∂operand
    tangent: Any  # of the operand
    share: Any  # local × tangent
    total: Any  # the tangent of the gate so far
    child_node: Value
    parent_node: Value

    @property
    def rule(self) -> LocalRule:
        """Where the local gradient comes from: (1/x)′ = −1/x² = −1/1.37² = −0.53."""
        return next(rules_of([self]))


def rules_of(rows: Iterable[Row | ForwardRow]) -> Iterator[LocalRule]:
    """The rule of each row of a pass, in letters that are no names of other nodes in it."""
    rows = [*rows]
    nodes = {v for row in rows for v in (row.child_node, row.parent_node)}
    taken = {lowered(short_name(v.label)) for v in nodes if v.label}
    for node, group in groupby(rows, lambda row: row.child_node):
        gate, places = Gate(node, taken), [*range(len(node.parents))]
        for row in group:
            here = [i for i in places if gate.operands[i] is row.parent_node]
            rules = [LocalRule(gate, i, row.local) for i in here]
            rule = next((rule for rule in rules if rule.formula), rules[0])
            places = [i for i in places if i != rule.place]  # x * x has a row for each x
            yield rule


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
        self._rules = rules
        self._head = (*self._before, *["rule"] * rules, *self._behind)
        self._left = len(self._before) + rules

    def _words(self, row: Any, names: dict[Value, str], gate: str, latex: bool) -> tuple[str, ...]:
        """The cells before the numbers."""
        raise NotImplementedError

    def _cells(self, latex: bool = False) -> list[tuple[str, ...]]:
        names, gates = latex_gates(self.names) if latex else (self.names, {})
        return [
            (*self._words(r, names, gates.get(r.child_node, r.gate), latex), *rule,
             *map(short, r[3:7]))
            for r, rule in zip(self.rows, self._rule_cells(names, latex))
        ]  # fmt: skip

    def _rule_cells(self, names: dict[Value, str], latex: bool = False) -> Iterator[list[str]]:
        """The cell of each row that says its rule, where there is such a column."""
        if self._rules:
            return ([rule.short(names, latex)] for rule in rules_of(self.rows))
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
        self._foot = (("sum over all paths", "", short(gradient)),)

    def _cells(self, latex: bool = False) -> list[tuple[str, ...]]:
        names, to, times, words = self.names, " → ", " · ", "{}"
        if latex:
            names, to, times, words = latex_names(names), r" \to ", r" \cdot ", r"\text{{{}}}"
        rows = list[tuple[str, ...]]()
        for nodes, locals_, product in self.paths:
            factors = times.join(shortened(list(map(short, locals_)))) or "1"
            rows.append((to.join(shortened([names[v] for v in nodes])), factors, short(product)))
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
    if of is not None:
        if not isinstance(of, Value):
            raise NumberError(f"paths begin at a Value, got {type(of).__name__} {of!r}")
        if forward:
            raise ParameterError("paths are those of both modes: leave out of or mode")
        if rules:
            raise ParameterError("rules are those of the rows of a pass: leave out of or rules")
        return paths_between(of, order, names, whole("max_paths", max_paths, 0))
    gates = {v: f"{names[v]} = {write(v, NAMES, names)}" for v in order if v.op}
    if forward:
        return forward_rows(order, names, gates, seeds, rules)
    rows: list[Row] = []

    def trace(child: Value, parent: Value, *numbers: Any) -> None:
        if child.op is not None and not isinstance(parent, Constant):
            words = gates[child], child.op.role, names[parent]
            rows.append(Row._make((*words, *numbers, child, parent)))

    accumulate(order, seed(root, 1), trace=trace)
    start = f"{names[root]} = {short(root.data)}, upstream 1"
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
    told = [f"{names[v]} = {short(v.data)}, tangent {short(t)}" for v, t in (begin | end).items()]
    others = [names[v] for v in leaves_of(order) if v.label and v not in begin]
    hint = f" (another leaf: seeds={{{others[0]}: 1}})" if seeds is None and others else ""
    return ForwardExplanation(root, rows, names, "; ".join(told) + hint, rules)


def paths_between(of: Value, order: list[Value], names: dict[Value, str], most: int) -> Paths:
    """The paths from a node to the last of a topological order, the first `most` of them listed."""
    root = order[-1]
    count: dict[Value, int] = {}  # the paths from `of` to each node, without listing them
    ways: dict[Value, list[tuple[Value, Any]]] = {}
    for v in order:
        if v is of:
            count[v] = 1
        elif v.op is not None:
            ways[v] = [(p, x) for p, x in edges(v, v.op) if x is not NO_PATH and count.get(p)]
            count[v] = sum(count[p] for p, _ in ways[v])
    listed = list(islice(walk(root, of, ways), most)) if count.get(root) else []
    gradient = accumulate(order, seed(root, 1)).get(of, like(of, 0))
    name = names.get(of, of.label or "a node outside the graph")
    return Paths(listed, count.get(root, 0), gradient, names, f"∂{names[root]}/∂{name}")


def walk(root: Value, end: Value, ways: dict[Value, list[tuple[Value, Any]]]) -> Iterator[Path]:
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
        v: short(v.data) if isinstance(v, Constant) else v.label or f"{auto}{i}"
        for i, v in enumerate(order)
    }


def latex_names(names: dict[Value, str]) -> dict[Value, str]:
    """The names in LaTeX, n_{5} for n5, and of constants the numbers."""
    return {v: LATEX.number(v.data)[0] if isinstance(v, Constant)
            else LATEX.name(v.label or re.sub(r"(?<=\D)(?=\d)(.*)", r"_{\1}", name))
            for v, name in names.items()}  # fmt: skip


def latex_gates(names: dict[Value, str]) -> tuple[dict[Value, str], dict[Value, str]]:
    """The names in LaTeX, and of each gate what it computes."""
    to = latex_names(names)
    return to, {v: f"{to[v]} = {write(v, LATEX, to)}" for v in to if v.op}
