"""Worksheets: random circuits with blanks, for paper or screen, that mark themselves.

A sheet is made of a seed, so it need not be kept: the same seed is the same sheet anywhere.
"""

from __future__ import annotations

import copy
import operator
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from microgrid.calculus import gradients
from microgrid.course import worksheet_page
from microgrid.course.worksheet_circuits import KINDS, Kind, circuit
from microgrid.course.worksheet_marks import ClassMarks, Marks, mark, mark_all
from microgrid.errors import ExerciseError
from microgrid.latex import latex
from microgrid.value import Value, topological

__all__ = ["KINDS", "Blank", "Problem", "Worksheet", "worksheet"]
MOST = 50  # problems


class Blank(NamedTuple):
    """A number to fill in: the value or the gradient of a node."""

    key: str  # a for node a; da for its gradient in a sheet that asks for values, too
    node: Value
    gradient: bool
    right: int


@dataclass(frozen=True, eq=False)
class Problem:
    """A circuit, and which of its numbers are to be found."""

    root: Value
    kind: Kind

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
        return ", ".join(map(worksheet_page.readable, self.formulas))

    @cached_property
    def formulas(self) -> list[str]:
        """The circuit in LaTeX: f, and before it each gate that is used more than once."""
        twin = copy.deepcopy(self.root)
        order = topological(twin)
        uses = Counter(p for v in order for p in v.parents)
        shown = [v for v in order if v.op and (uses[v] > 1 or v is order[-1])]
        for v in order:
            if v.op and v not in shown:
                v.label = ""
        return [f"{v.label} = {latex(v, stop_at_labels=True)}" for v in shown]

    @property
    def leaves(self) -> list[str]:
        return [v.label for v in self.order if not v.op]

    @property
    def given(self) -> dict[str, int]:
        """The values that are told."""
        return {v.label: v.data for v in self.order if not (self.kind.values and v.op)}

    @cached_property
    def blanks(self) -> tuple[Blank, ...]:
        """What is to be filled in, in an order in which it can be."""
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


@dataclass(frozen=True, eq=False)
class Worksheet:
    """Problems of one kind: a page to print, its answers, and marks for the answers of others."""

    seed: int
    kind: str
    problems: tuple[Problem, ...]

    @property
    def answers(self) -> dict[str, dict[str, int]]:
        """The right answers: for each problem, counted from "1", a number for each blank."""
        return {str(i): problem.answers for i, problem in enumerate(self.problems, 1)}

    @property
    def form(self) -> dict[str, dict[str, int | None]]:
        """The answers with None instead of each number, to be filled in."""
        return {i: dict.fromkeys(answers) for i, answers in self.answers.items()}

    def check(self, answers: Any) -> Marks:
        """The marks of answers of the form {"1": {"a": 5}} or {"1.a": 5}, like `form` filled in.

        Numbers may be texts, as a table has them. Where values are asked for, too, dp is the
        gradient of p. A wrong number gets the hint of the usual mistake that leads to it; one
        that follows from an earlier wrong blank by a right step is told so.

        >>> sheet = worksheet(7, n=1)
        >>> marks = sheet.check({"1": {**sheet.answers["1"], "a": 5}})
        >>> marks.points, marks.total, marks.marks[-1].hint[:32]
        (5, 6, 'That is the local gradient alone')
        """
        return mark(self.problems, answers)

    def mark_all(self, answers: Mapping[str, Any]) -> ClassMarks:
        """The marks of a class, from each student's answers: points, and who made which mistake."""
        return mark_all(self.problems, answers)

    def html(self, answers: bool = False) -> str:
        """One page without network or script, for screen and A4; with `answers`, the solution."""
        return worksheet_page.html(self, answers)

    def latex(self, answers: bool = False) -> str:
        """A LaTeX document: formulas, and tables with blanks."""
        return worksheet_page.latex(self, answers)

    def save(self, path: str | os.PathLike[str], answers: bool = False) -> Path:
        """Write the sheet or its solution as .html or .tex, as the name says; returns the path."""
        path = Path(path)
        makers = {".html": self.html, ".tex": self.latex}
        if path.suffix.lower() not in makers:
            raise ExerciseError(f"{path}: the name must end in {', '.join(makers)}")
        path.parent.mkdir(parents=True, exist_ok=True)
        written = makers[path.suffix.lower()](answers)
        path.write_text(written, encoding="utf-8", newline="\n")
        return path

    def __str__(self) -> str:
        lines = [f"{i}. {problem.expression}" for i, problem in enumerate(self.problems, 1)]
        return "\n".join([self.command, KINDS[self.kind].says, *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return worksheet_page.body(self, answers=False)

    @property
    def command(self) -> str:
        """How to make this sheet again."""
        return f"microgrid worksheet --seed {self.seed} --kind {self.kind} -n {len(self.problems)}"


def worksheet(seed: int, kind: str = "gradients", n: int = 4) -> Worksheet:
    """A sheet of n random circuits with blanks: the same for the same seed, on every machine.

    All numbers are whole, and small enough for pencil and paper. `kind` is one of KINDS: which
    numbers are blank, and what the circuits are about. The first problems of a longer sheet are
    those of a shorter one. ExerciseError for another kind, a seed that is no whole number, or n
    beyond 1 to 50.

    >>> worksheet(7, "forks", n=2)
    microgrid worksheet --seed 7 --kind forks -n 2
    values that are used more than once: the gradients are blank
    1. f = a·b·c² − b − a
    2. p = a·b, f = p + p + p − b
    """
    if kind not in [*KINDS]:
        raise ExerciseError(f"kind {kind!r}: there are {', '.join(KINDS)}")
    try:
        seed, n = operator.index(seed), operator.index(n)
    except TypeError:
        raise ExerciseError(f"seed {seed!r}, n {n!r}: both are whole numbers") from None
    if not 1 <= n <= MOST:
        raise ExerciseError(f"n {n}: a sheet has 1 to {MOST} problems")
    rng, found = Random(f"{kind} {seed}"), dict[str, Problem]()
    while len(found) < n:
        problem = Problem(circuit(KINDS[kind], rng), KINDS[kind])
        found.setdefault(problem.expression, problem)
    return Worksheet(seed, kind, tuple(found.values()))
