"""The course: exercises whose answers are checked, and worksheets for teachers.

Read question.py first (an exercise and its verdicts), choices.py and mistakes.py; then the chapters
as you go through the notebooks, and worksheets/.

>>> from microgrid.course import exercise
>>> exercise(3).check(None)
… no answer yet
"""

from __future__ import annotations

from importlib import import_module
from operator import index

from microgrid.course.question import Exercise, ExerciseError, Markdown, Mistake, Verdict
from microgrid.course.worksheets import Worksheet, worksheet
from microgrid.course.worksheets.marks import ClassMarks, Mark, Marks
from microgrid.engine.lazy import public

__all__ = [
    "ClassMarks", "Exercise", "ExerciseError", "Mark", "Markdown", "Marks", "Mistake", "Verdict",
    "Worksheet", "exercise", "exercises", "worksheet",
]  # fmt: skip
__dir__ = public(__name__)
CHAPTERS: dict[int | str, str] = {  # as exercise() takes it: how its files begin
    1: "01", 2: "02", 3: "03", 4: "04", "4b": "04b", 5: "05", "5b": "05b", 6: "06", 7: "07",
    8: "08", 9: "09", 10: "10",
}  # fmt: skip


def exercise(chapter: int | str, number: int = 1) -> Exercise:
    """An exercise of a notebook of the course; ExerciseError for a number that it does not have.

    The chapter is a whole number, "4b" or "5b". A notebook shows the question; `.check(answer)`
    gives a verdict, `.solution()` the right answer.

    >>> exercise(3).check({"x": -8, "y": 6, "z": 2, "w": 1}).ok
    False
    """
    found = exercises(chapter)
    if not hasattr(number, "__index__") or not 1 <= number <= len(found):
        raise ExerciseError(
            f"notebook {chapter} has the exercises 1 to {len(found)}, not {number!r}"
        )
    return found[number - 1]


def exercises(chapter: int | str) -> list[Exercise]:
    """All exercises of a notebook; ExerciseError for a name that no notebook has.

    >>> len(exercises("5b"))
    4
    """
    name = index(chapter) if hasattr(chapter, "__index__") else chapter
    if not isinstance(name, int | str) or name not in CHAPTERS:
        *most, last = ["1 to 10", *[repr(c) for c in CHAPTERS if isinstance(c, str)]]
        names = f"{', '.join(most)} and {last}"
        raise ExerciseError(f"the course has notebooks {names}, not {chapter!r}")
    found: list[Exercise] = import_module(f"{__name__}.chapters.chapter{CHAPTERS[name]}").EXERCISES
    return found
