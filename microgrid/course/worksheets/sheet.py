"""Worksheets: random circuits with blanks, for paper or screen, and marks for the answers.

Nobody has to keep a sheet: the same seed gives the same sheet anywhere.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from microgrid.course.question import ExerciseError
from microgrid.course.worksheets import marks, page
from microgrid.course.worksheets.kinds import KINDS
from microgrid.course.worksheets.problem import Problem, Sheet
from microgrid.course.worksheets.random_circuits import random_problem
from microgrid.engine.settings import whole
from microgrid.views.files import save_by_suffix

MOST = 50  # problems


@dataclass(frozen=True, eq=False)
class Worksheet(Sheet):
    """Problems of one kind: a page to print, its answers, and marks for the answers of others.

    `answers` and `form` have a key for each problem, "1", "2", …, and beneath it one for each
    blank, "a", "b", …; `check` and `mark_all` take this form, and {"1.a": 5} for short. `command`
    is the line for a terminal that makes the same sheet.

    >>> sheet = worksheet(7, n=1)
    >>> sheet.form
    {'1': {'d': None, 'q': None, 'c': None, 'p': None, 'b': None, 'a': None}}
    >>> sheet.check(sheet.answers).points, sheet.command
    (6, 'microgrid worksheet --seed 7 --kind gradients -n 1')
    """

    html, latex = page.html, page.latex
    check, mark_all = marks.mark, marks.mark_all

    @property
    def answers(self) -> dict[str, dict[str, int]]:
        """The right answers: for each problem, counted from "1", a number for each blank."""
        return {str(i): problem.answers for i, problem in enumerate(self.problems, 1)}

    @property
    def form(self) -> dict[str, dict[str, int | None]]:
        """The answers with None instead of each number, to be filled in."""
        return {i: dict.fromkeys(answers) for i, answers in self.answers.items()}

    def save(self, path: str | os.PathLike[str], answers: bool = False) -> Path:
        """Write the sheet or its solution as .html or .tex, as the name says; the path.

        ExerciseError for another suffix.
        """
        makers = {".html": partial(self.html, answers), ".tex": partial(self.latex, answers)}
        return save_by_suffix(path, makers, error=ExerciseError)

    def __str__(self) -> str:
        lines = [f"{i}. {problem.expression}" for i, problem in enumerate(self.problems, 1)]
        return "\n".join([self.command, KINDS[self.kind].says, *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return page.body(self, answers=False)


def worksheet(seed: int, kind: str = "gradients", n: int = 4) -> Worksheet:
    """A sheet of n random circuits with blanks: the same for the same seed, on every machine.

    All numbers are whole, and small enough for pencil and paper. `kind` is one of KINDS: it says
    which numbers are blank, and what the circuits are about. A longer sheet begins with the
    problems of a shorter one; a sheet for each student is a loop over seeds. ExerciseError for
    another kind, a seed that is no whole number, or n outside of 1 to 50. See also `Worksheet`, and
    `microgrid worksheet` on the command line.

    >>> worksheet(7, "forks", n=2)
    microgrid worksheet --seed 7 --kind forks -n 2
    values that are used more than once: the gradients are blank
    1. f = a·b·c² − b − a
    2. p = a·b, f = p + p + p − b
    """
    if kind not in [*KINDS]:
        raise ExerciseError(f"kind {kind!r}: there are {', '.join(KINDS)}")
    seed, n = [whole(name, x, error=ExerciseError) for name, x in (("seed", seed), ("n", n))]
    if not 1 <= n <= MOST:
        raise ExerciseError(f"n {n}: a sheet has 1 to {MOST} problems")
    rng, found = Random(f"{kind} {seed}"), dict[str, Problem]()
    while len(found) < n:
        problem = random_problem(KINDS[kind], rng)
        found.setdefault(problem.expression, problem)
    return Worksheet(seed, kind, tuple(found.values()))
