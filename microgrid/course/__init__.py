"""The course: exercises whose answers are checked, and worksheets for teachers.

Read question.py first (an exercise and its verdicts), choices.py and mistakes.py; then the chapters
as you go through the notebooks, and worksheets/.

>>> from microgrid.course import exercise
>>> exercise(3).check(None)
… no answer yet
"""

from __future__ import annotations

from importlib import import_module

from microgrid.course.question import Exercise, ExerciseError, Markdown, Mistake, Verdict
from microgrid.course.worksheets import Worksheet, worksheet
from microgrid.course.worksheets.marks import ClassMarks, Mark, Marks
from microgrid.engine.lazy import public

__all__ = [
    "ClassMarks", "Exercise", "ExerciseError", "Mark", "Markdown", "Marks", "Mistake", "Verdict",
    "Worksheet", "exercise", "exercises", "worksheet",
]  # fmt: skip
__dir__ = public(__name__)
CHAPTERS = range(1, 11)


def exercise(chapter: int, number: int = 1) -> Exercise:
    """An exercise of a notebook of the course; ExerciseError for a number that it does not have.

    A notebook shows its question; `.check(answer)` gives a verdict, `.solution()` the right answer.

    >>> exercise(3).check({"x": -8, "y": 6, "z": 2, "w": 1}).ok
    False
    """
    found = exercises(chapter)
    if not hasattr(number, "__index__") or not 1 <= number <= len(found):
        raise ExerciseError(
            f"notebook {chapter} has the exercises 1 to {len(found)}, not {number!r}"
        )
    return found[number - 1]


def exercises(chapter: int) -> list[Exercise]:
    """All exercises of a notebook; ExerciseError for a number that no notebook has.

    >>> len(exercises(3))
    4
    """
    if not hasattr(chapter, "__index__") or chapter not in CHAPTERS:
        raise ExerciseError(f"the course has the notebooks 1 to {CHAPTERS[-1]}, not {chapter!r}")
    found: list[Exercise] = import_module(f"{__name__}.chapters.chapter{chapter:02}").EXERCISES
    return found
