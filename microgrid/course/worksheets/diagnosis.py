"""Why a number in a blank is wrong: it follows from another, or is one of the usual mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from microgrid.course.mistakes import NOT_KNOWN, alone, gradient_mistakes, value_mistakes
from microgrid.course.worksheets.problem import Blank, Problem
from microgrid.engine.value import Value
from microgrid.views.rows import Row


class Pass:
    """The numbers of a student in one circuit: which of them follow from which."""

    def __init__(self, problem: Problem, written: Mapping[Blank, Fraction | None]) -> None:
        self.problem = problem
        self.written = {b: x for b, x in written.items() if x is not None}
        self.blank_of = {(b.node, b.gradient): b for b in problem.blanks}
        self.children: dict[Value, list[tuple[Value, int]]] = {}
        for v in reversed(problem.order):  # in the order of the backward pass
            for k, p in enumerate(v.parents):
                self.children.setdefault(p, []).append((v, k))

    def number(self, v: Value, gradient: bool) -> Any:
        """The number that the student goes on with: their own, else the right one."""
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
        """The usual mistakes that give the student's number, made everywhere or here alone."""
        v, given = blank.node, self.written[blank]
        if blank.gradient:
            told = alone(self.problem.root, self.rows(v))
            here = [(hint, g.get(v)) for hint, g in gradient_mistakes(self.problem.root, told)]
        else:
            here = list(value_mistakes(v, self.values(v.parents)))
        found = [*self.problem.mistakes(blank), *here]
        return list(dict.fromkeys(hint for hint, x in found if x == given)) or [NOT_KNOWN]
