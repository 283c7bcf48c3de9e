"""A problem of a worksheet: a circuit with blanks; and a sheet of problems."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from microgrid.course.mistakes import Gradients, gradient_mistakes, value_mistakes
from microgrid.course.worksheets.kinds import Kind
from microgrid.engine.calculus import gradients
from microgrid.engine.hints import Hinted
from microgrid.engine.value import Value, topological
from microgrid.views.notation import TEXT, Notation, write
from microgrid.views.picture import Layout


class Blank(NamedTuple):
    """A number to fill in: the value or the gradient of a node."""

    key: str  # a for node a; da for its gradient on a sheet that asks for values, too
    node: Value
    gradient: bool
    right: int


@dataclass(frozen=True, eq=False)
class Problem:
    """A circuit with blanks: values, gradients or both."""

    root: Value
    kind: Kind
    decimals: int = 0  # of the numbers in the picture
    layout: Layout | None = None  # what lays it out

    @cached_property
    def order(self) -> list[Value]:
        return topological(self.root)

    @cached_property
    def gradients(self) -> dict[Value, int]:
        """The gradient of each node."""
        return dict(zip(self.order, gradients(self.root, self.order)))

    @cached_property
    def expression(self) -> str:
        """The circuit as a line of text, like f = (a·b + c)·a."""
        return ", ".join(self.statements(TEXT))

    def statements(self, notation: Notation) -> list[str]:
        """f = …, and before it each gate that is used more than once."""
        uses = Counter(p for v in self.order for p in v.parents)
        named = [v for v in self.order if v.op and (uses[v] > 1 or v is self.root)]
        names = {v: notation.name(v.label) for v in named}
        return [f"{name} = {write(v, notation, names)}" for v, name in names.items()]

    @property
    def leaves(self) -> list[str]:
        return [v.label for v in self.order if v.label and not v.op]

    @property
    def given(self) -> dict[str, int]:
        """The values that the sheet tells."""
        return {v.label: v.data for v in self.order if not (self.kind.values and v.op)}

    @cached_property
    def blanks(self) -> tuple[Blank, ...]:
        """What is to be filled in, each blank after those that it depends on."""
        values = [Blank(v.label, v, False, v.data) for v in self.order if v.op]
        prefix = "d" if self.kind.values else ""
        passed = [
            Blank(prefix + v.label, v, True, self.gradients[v])
            for v in reversed(self.order)
            if v is not self.root
        ]
        return (*values * self.kind.values, *passed * self.kind.gradients)

    @property
    def answers(self) -> dict[str, int]:
        """The right numbers."""
        return {blank.key: blank.right for blank in self.blanks}

    @cached_property
    def gradient_mistakes(self) -> list[tuple[str, Gradients]]:
        return gradient_mistakes(self.root)

    def mistakes(self, blank: Blank) -> list[tuple[str, Any]]:
        """The hint of each usual mistake, and the number that it gives in this blank."""
        v = blank.node
        if blank.gradient:
            return [(hint, wrong[v]) for hint, wrong in self.gradient_mistakes if v in wrong]
        return list(value_mistakes(v, [p.data for p in v.parents]))


@dataclass(frozen=True, eq=False)
class Sheet(Hinted):
    """Problems of one kind, made from a seed."""

    seed: int
    kind: str
    problems: tuple[Problem, ...]

    @property
    def command(self) -> str:
        """How to make this sheet again."""
        return f"microgrid worksheet --seed {self.seed} --kind {self.kind} -n {len(self.problems)}"
