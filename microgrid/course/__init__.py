"""The course: exercises whose answers are checked, and worksheets for teachers.

>>> from microgrid.course import exercise
>>> exercise(3).check(None)
… no answer yet
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from microgrid.course.exercise import Exercise, ExerciseError, Markdown, Mistake, Verdict
from microgrid.course.worksheets import worksheet

__all__ = ["Exercise", "Markdown", "Mistake", "Verdict", "exercise", "exercises", "worksheet"]
CHAPTERS = range(1, 11)


def exercise(chapter: int, number: int = 1) -> Exercise:
    """An exercise of a notebook of the course; ExerciseError where there is none.

    It shows its question in a notebook, `.check(answer)` judges, `.solution()` tells.
    """
    found = exercises(chapter)
    if not hasattr(number, "__index__") or not 1 <= number <= len(found):
        raise ExerciseError(
            f"notebook {chapter} has the exercises 1 to {len(found)}, not {number!r}"
        )
    return found[number - 1]


def exercises(chapter: int) -> list[Exercise]:
    """All exercises of a notebook."""
    known = hasattr(chapter, "__index__") and chapter in CHAPTERS
    name = f"microgrid.course.chapters.chapter{chapter:02}" if known else ""
    if not name or find_spec(name) is None:
        raise ExerciseError(f"the course has the notebooks 1 to {CHAPTERS[-1]}, not {chapter!r}")
    found: list[Exercise] = import_module(name).EXERCISES
    return found
