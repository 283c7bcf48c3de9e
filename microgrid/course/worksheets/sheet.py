"""Worksheets: random circuits with blanks, for paper or screen, that mark themselves.

A sheet is made of a seed, so it need not be kept: the same seed is the same sheet anywhere.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from microgrid.course.exercise import ExerciseError
from microgrid.course.worksheets import page
from microgrid.course.worksheets.kinds import KINDS
from microgrid.course.worksheets.marks import ClassMarks, Marks, mark, mark_all
from microgrid.course.worksheets.problem import Problem, Sheet
from microgrid.course.worksheets.random_circuits import circuit

MOST = 50  # problems


@dataclass(frozen=True, eq=False)
class Worksheet(Sheet):
    """Problems of one kind: a page to print, its answers, and marks for the answers of others."""

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

        Numbers may be texts, as people and tables write them; an empty cell is no answer. Where
        values are asked for, too, dp is the gradient of p. A wrong number gets the hint of the
        usual mistake that leads to it; one that follows from an earlier wrong blank by a right step
        is told so. A key that no blank has and a text that could be two numbers are told, too.

        >>> sheet = worksheet(7, n=1)
        >>> marks = sheet.check({"1": {**sheet.answers["1"], "a": 5}})
        >>> marks.points, marks.total, marks.marks[-1].hint[:32]
        (5, 6, 'That is the local gradient alone')
        """
        return mark(self.problems, answers)

    def mark_all(self, answers: Mapping[str, Any]) -> ClassMarks:
        """The marks of a class, from each student's answers: points, and who made which mistake.

        ExerciseError if the answers are no dict of students.
        """
        return mark_all(self.problems, answers)

    def html(self, answers: bool = False) -> str:
        """One page without network or script, for screen and A4; with `answers`, the solution."""
        return page.html(self, answers)

    def latex(self, answers: bool = False) -> str:
        """A LaTeX document: formulas, and tables with blanks."""
        return page.latex(self, answers)

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
        return page.body(self, answers=False)


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
