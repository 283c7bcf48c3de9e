"""The rows of a pass, one for each `+=`, and what the words for one of them ask of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, groupby
from typing import Any, NamedTuple

from microgrid.engine.guards import Number
from microgrid.engine.value import Value
from microgrid.views.digits import Line, Write, columns, one_kind
from microgrid.views.rule import Gate, LocalRule, short_name
from microgrid.views.wording import lowered


class Ruled:
    """A row that knows its pass, if it stands in a table."""

    told: tuple[Pass, Any] | None = None  # with this row's copy in it: in a circle nothing is freed

    @property
    def rule(self) -> LocalRule:
        """Where the local gradient comes from: (1/x)′ = −1/x² = −1/1.37² = −0.53."""
        row: Any = self
        told, own = self.told or (Pass([row]), row)
        return told.rule(own)


class BackwardFields(NamedTuple):
    gate: str  # the operation, written with the names of its operands
    role: str  # distributor, switcher, router or nothing
    parent: str  # the node that receives the share
    local: Any  # ∂gate/∂parent
    upstream: Any  # ∂root/∂gate
    share: Any  # local × upstream
    total: Any  # what the parent has received so far
    child_node: Value
    parent_node: Value


class ForwardFields(NamedTuple):
    gate: str  # the operation, written with the names of its operands
    value: Any  # what the operation computes
    operand: str  # the node whose tangent goes in
    local: Any  # ∂gate/∂operand
    tangent: Any  # of the operand
    share: Any  # local × tangent
    total: Any  # the tangent of the gate so far
    child_node: Value
    parent_node: Value


class Row(BackwardFields, Ruled):
    """One `parent.grad += local × upstream`, in the order of the backward pass."""

    @property
    def receiver(self) -> Value:
        """The node to which the share is added."""
        return self.parent_node


class ForwardRow(ForwardFields, Ruled):
    """One `gate.tangent += local × tangent of an operand`, in the order of the forward pass."""

    @property
    def receiver(self) -> Value:
        """The node to which the share is added."""
        return self.child_node


class Pass:
    """The rows of a pass, and what the words for one of them ask of the others."""

    def __init__(self, rows: Sequence[Row | ForwardRow]) -> None:
        self.rows = rows
        self.asked: dict[Value, list[tuple[Row | ForwardRow, LocalRule]]] = {}  # of some gates

    @cached_property
    def nodes(self) -> dict[Value, None]:
        return dict.fromkeys(v for row in self.rows for v in (row.child_node, row.parent_node))

    @cached_property
    def taken(self) -> set[str]:
        """The names of nodes, which no letter of a rule may be."""
        return {lowered(short_name(v.label)) for v in self.nodes if v.label}

    @cached_property
    def kind(self) -> Callable[[Number], Number]:
        """How the numbers of this pass become alike."""
        return one_kind(
            [*[v.data for v in self.nodes], *[x for row in self.rows for x in row[3:7]]]
        )

    @cached_property
    def by_gate(self) -> dict[Value, list[Row | ForwardRow]]:
        return {v: [*rows] for v, rows in groupby(self.rows, lambda row: row.child_node)}

    def rule(self, row: Row | ForwardRow) -> LocalRule:
        """The rule of one of the rows."""
        if (v := row.child_node) not in self.asked:
            self.asked[v] = [*zip(self.by_gate[v], self.rules_of(v))]
        return next(rule for other, rule in self.asked[v] if other is row)

    def rules(self) -> Iterator[LocalRule]:
        """The rule of each row."""
        return chain.from_iterable(map(self.rules_of, self.by_gate))

    def rules_of(self, v: Value) -> Iterator[LocalRule]:
        """The rule of each row of a gate."""
        gate, places = Gate(v, self.taken, self.kind), [*range(len(v.parents))]
        for row in self.by_gate[v]:
            here = [i for i in places if gate.operands[i] is row.parent_node]
            rules = [LocalRule(gate, i, row.local) for i in here]
            rule = next((rule for rule in rules if rule.formula), rules[0])
            places = [i for i in places if i != rule.place]  # x * x has a row for each x
            yield rule

    def numbers(self, digits: int, write: Write) -> list[tuple[str, ...]]:
        """The last four numbers of each row, right as they stand there."""
        lines = [
            Line(row.receiver, *[[*map(self.kind, row[3:5])], *map(self.kind, row[5:7])])
            for row in self.rows
        ]
        return columns(lines, digits, write)


def rules_of(rows: Iterable[Row | ForwardRow]) -> Iterator[LocalRule]:
    """The rule of each row of a pass, in letters that are no names of other nodes in it."""
    return Pass([*rows]).rules()
