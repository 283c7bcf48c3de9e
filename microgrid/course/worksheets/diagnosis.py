"""Why a number in a blank is wrong: it follows from another, or is one of the usual mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from microgrid.course.mistakes import SLIPS, slips
from microgrid.course.worksheets.problem import Blank, Problem
from microgrid.engine import ops
from microgrid.engine.value import Op, Value, topological
from microgrid.views.explanation import Row

NOT_KNOWN = "This number is not one of the usual mistakes: go through the step again."
SIGN = "The sign is wrong."
MISREAD: dict[Op, list[tuple[str, Callable[..., Any]]]] = {  # gates: the usual wrong values
    ops.add: [
        ("An add gate adds; you multiplied.", lambda a, b: a * b),
        ("Add with the signs: a negative number makes the sum smaller.", lambda a, b: a - b),
    ],
    ops.sub: [
        ("First minus second: the upper wire is the first.", lambda a, b: b - a),
        ("This gate takes the second number away; you added it.", lambda a, b: a + b),
    ],
    ops.mul: [
        ("A multiply gate multiplies; you added.", lambda a, b: a + b),
        ("The sign of a product: minus times minus is plus.", lambda a, b: -a * b),
    ],
    ops.maximum: [
        ("max hands on the larger of the two; you took the smaller.", min),
        ("max hands on one of the two numbers; it does not add them.", lambda a, b: a + b),
    ],
    ops.relu: [
        ("relu hands on what is above 0, and gives 0 for what is below.", lambda x: x),
        ("relu gives 0 only for what is below 0.", lambda x: 0 * x),
        ("relu is not |x|: what is below 0 becomes 0.", abs),
    ],
    ops.square: [
        ("x² is x · x, not 2 · x.", lambda x: 2 * x),
        ("The square of a negative number is positive.", lambda x: -x * x),
    ],
    ops.neg: [("This gate turns the sign.", lambda x: x)],
}


def misread(v: Value, operands: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """The usual wrong values of v's gate at these operands, each with a hint."""
    if v.op:
        for hint, wrong in MISREAD.get(v.op, []):
            yield hint, wrong(*operands)
        yield SIGN, -v.op.forward(*operands)


class Pass:
    """One circuit with the numbers of a student: what follows from what."""

    def __init__(self, problem: Problem, written: Mapping[Blank, Fraction | None]) -> None:
        self.problem, self.root = problem, problem.root
        self.written = {b: x for b, x in written.items() if x is not None}
        self.blank_of = {(b.node, b.gradient): b for b in problem.blanks}
        self.children: dict[Value, list[tuple[Value, int]]] = {}
        for v in reversed(topological(self.root)):  # in the order of the backward pass
            for k, p in enumerate(v.parents):
                self.children.setdefault(p, []).append((v, k))

    def number(self, v: Value, gradient: bool) -> Any:
        """What the student goes on with: their own number, else the right one."""
        blank = self.blank_of.get((v, gradient))
        right = self.problem.gradients[v] if gradient else v.data
        return self.written.get(blank, right) if blank else right

    def values(self, nodes: Sequence[Value]) -> list[Any]:
        return [self.number(v, False) for v in nodes]

    def rows(self, v: Value) -> list[Row]:
        """The shares that v gets, by the student's own numbers."""
        found = []
        for child, k in self.children[v]:
            assert child.op is not None
            xs = self.values(child.parents)
            local = child.local_gradients[k](child.op.forward(*xs), *xs)
            upstream = self.number(child, True)
            role, share = child.op.role, local * upstream
            found.append(Row("", role, "", local, upstream, share, share, child, v))
        return found

    def follows(self, blank: Blank) -> Any:
        """The right number for this blank, if all the others were right."""
        v = blank.node
        if blank.gradient:
            return sum(row.share for row in self.rows(v))
        assert v.op is not None
        return v.op.forward(*self.values(v.parents))

    def carried(self, blank: Blank) -> list[str]:
        """The wrong blanks that this one follows from; none if it does not follow."""
        if self.written[blank] != self.follows(blank):
            return []
        near: list[tuple[Value, bool]] = [(p, False) for p in blank.node.parents]
        if blank.gradient:
            near = [(child, True) for child, _ in self.children[blank.node]]
            near += [(v, False) for c, _ in self.children[blank.node] for v in c.parents]
        blanks = dict.fromkeys(b for at in near if (b := self.blank_of.get(at)))
        return [b.key for b in blanks if self.written.get(b, b.right) != b.right]

    def recognised(self, blank: Blank) -> list[str]:
        """The usual mistakes that give the student's number, made all along or here alone."""
        v, given = blank.node, self.written[blank]
        if blank.gradient:
            found = [(hint, made.get(v)) for hint, made in slips(self.root)]
            found += [(slip.hint, slip.run(self.root, self.alone(v)).get(v)) for slip in SLIPS]
        else:
            right = [p.data for p in v.parents]
            found = [*misread(v, right), *misread(v, self.values(v.parents))]
        return list(dict.fromkeys(hint for hint, x in found if x == given)) or [NOT_KNOWN]

    def alone(self, v: Value) -> list[Row]:
        """A pass that hands each gate behind v the student's gradient, and then comes to v."""
        into = self.rows(v)
        handed = {
            gate: row._replace(role="", local=row.upstream, upstream=1, parent_node=gate)
            for row in into
            if (gate := row.child_node) is not self.root
        }
        return [*[row._replace(child_node=self.root) for row in handed.values()], *into]
