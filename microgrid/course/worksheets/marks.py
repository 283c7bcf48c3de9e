"""The marks of a worksheet and of a class: right, carried on from an earlier blank, or wrong."""

from __future__ import annotations

import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from microgrid.course.question import ExerciseError, is_missing, reading, text
from microgrid.course.worksheets.answers import OF_A_CLASS, read_answers
from microgrid.course.worksheets.diagnosis import Pass
from microgrid.course.worksheets.problem import Blank, Problem, Sheet
from microgrid.views import numerals
from microgrid.views.formula import worded
from microgrid.views.tables import Table, table
from microgrid.views.wording import plural
from microgrid.views.written import Written, as_csv, as_html, as_markdown

RIGHT, CARRIED, WRONG, MISSING, UNKNOWN = "✓", "→", "✗", "…", "?"
VERDICTS = {RIGHT: "right", CARRIED: "carried on", WRONG: "wrong", MISSING: "missing",
            UNKNOWN: "not understood"}  # fmt: skip
FORM = "the answers are a dict like {'1': {'a': 5}} or {'1.a': 5}"
BETWEEN = r"[\s.,:;()'_/-]*"
KEY = re.compile(rf"{BETWEEN}(\d+)(?:\.0)?{BETWEEN}([^\W\d_]\w*)?{BETWEEN}", re.ASCII)


class Mark(NamedTuple):
    """The mark of one blank: its key, like 1.a, what was given, a sign, and a hint.

    The signs: ✓ right, → carried on from an earlier mistake, ✗ wrong, … missing, ? not understood.

    >>> from microgrid.course import worksheet
    >>> marks = worksheet(7, "forks", n=1).check({"1.a": -18, "1.b": "eight"}).marks
    >>> [(mark.key, mark.given, mark.verdict) for mark in marks[-2:]]
    [('1.b', 'eight', '✗'), ('1.a', '-18', '✗')]
    """

    key: str  # problem and blank, like 1.a
    given: str
    verdict: str  # one of the signs above
    hint: str = ""


@dataclass(frozen=True, repr=False)
class Marks(Table):
    """The marks of one sheet of answers: true if all are right; prints as a table.

    `points` counts the right blanks; `carried` those that are wrong only because an earlier one is.

    >>> from microgrid.course import worksheet
    >>> marks = worksheet(7, "forks", n=2).check({"1.a": -18, "1.b": "8"})
    >>> bool(marks), marks.points, marks.total
    (False, 1, 12)
    """

    marks: tuple[Mark, ...]
    total: int
    _head, _left = ("blank", "answer", "", ""), 4
    _title = "The marks of a sheet"

    @property
    def points(self) -> int:
        """How many blanks are right."""
        return sum(mark.verdict == RIGHT for mark in self.marks)

    @property
    def carried(self) -> int:
        """How many blanks are wrong only because an earlier one is."""
        return sum(mark.verdict == CARRIED for mark in self.marks)

    @property
    def mistakes(self) -> Counter[str]:
        """How often each mistake was made; a mistake that is carried on counts once."""
        return Counter(mark.hint for mark in self.marks if mark.verdict == WRONG)

    def __bool__(self) -> bool:
        return all(mark.verdict == RIGHT for mark in self.marks)

    def _cells(self, latex: bool = False) -> list[tuple[str, ...]]:
        word = in_text if latex else str
        return [tuple(map(word, (*m[:3], m.hint.replace("*", "")))) for m in self.marks]

    def csv(self) -> str:
        """A row for each blank, with words for the signs."""
        return as_csv(("blank", "answer", "verdict", "hint"), self.records())

    def records(self) -> list[tuple[str, ...]]:
        return [(m.key, m.given, VERDICTS[m.verdict], m.hint.replace("*", "")) for m in self.marks]

    @property
    def _start(self) -> str:  # type: ignore[override]
        carried = f"; {self.carried} wrong only through an earlier blank" * bool(self.carried)
        count = sum(mark.verdict == UNKNOWN for mark in self.marks)
        unclear = f"; {count} not understood" * bool(count)
        return f"{self.points} of {self.total} right{carried}{unclear}"


def mark(sheet: Sheet, answers: Any) -> Marks:
    """The marks of answers of the form {"1": {"a": 5}} or {"1.a": 5}, like `form` filled in.

    Numbers may be texts, as people and tables write them; an empty cell is no answer. On a sheet
    that asks for values, too, dp is the gradient of p. A wrong number gets the hint of the usual
    mistake that gives it, or the blank from which it follows by a right step. The marks also name
    keys that no blank has, and texts that could be two numbers.

    >>> from microgrid.course import worksheet
    >>> sheet = worksheet(7, n=1)
    >>> marks = sheet.check({"1": {**sheet.answers["1"], "a": 5}})
    >>> marks.points, marks.total, marks.marks[-1].hint[:32]
    (5, 6, 'That is the local gradient alone')
    """
    problems = sheet.problems
    total = sum(len(problem.blanks) for problem in problems)
    if (flat := flattened(answers)) is None:
        return Marks((Mark("", shown(answers), UNKNOWN, FORM),), total)
    found = [line for i, problem in enumerate(problems, 1) for line in lines(i, problem, flat)]
    common = Counter(hint for _, hints in found for hint in hints)
    marks = [
        m._replace(hint=max(hints, key=common.__getitem__)) if hints else m for m, hints in found
    ]
    strays = [
        Mark(clipped(key), shown(x), UNKNOWN, stray(problems, meant))
        for meant, entries in flat.items()
        for key, x in entries
        if not (meant.endswith(".") and is_empty(x))  # the student has left a problem out
    ]
    return Marks((*marks, *strays), total)


Flat = dict[str, list[tuple[str, Any]]]  # key like 1.a: each key as it was given, and its answer


def lines(i: int, problem: Problem, flat: Flat) -> Iterator[tuple[Mark, list[str]]]:
    """A mark for each blank of a problem, with the usual mistakes that explain it."""
    given = {b: [x for _, x in flat.pop(f"{i}.{b.key}", [])] for b in problem.blanks}
    understood = {blank: number(xs, blank.key) for blank, xs in given.items()}
    pass_ = Pass(problem, {blank: x for blank, (x, _) in understood.items()})
    for blank, xs in given.items():
        x, unclear = understood[blank]
        verdict, hint = (UNKNOWN, unclear) if unclear else judged(pass_, blank, xs, x)
        answer = " or ".join(filter(None, map(shown, xs)))
        recognised = pass_.recognised(blank) if verdict == WRONG and x is not None else []
        yield Mark(f"{i}.{blank.key}", answer, verdict, hint), recognised


def judged(pass_: Pass, blank: Blank, xs: Sequence[Any], x: Fraction | None) -> tuple[str, str]:
    """Verdict and hint of an answer, before its mistakes are looked for."""
    if all(map(is_empty, xs)):
        return MISSING, "no answer yet"
    if x is None:
        return WRONG, "the answer is a number"
    if x == blank.right:
        return RIGHT, ""
    if sources := pass_.carried(blank):
        return CARRIED, f"follows from {' and '.join(sources)}: this step is right"
    return WRONG, "not it"


def flattened(answers: Any) -> Flat | None:
    """The answers by keys like 1.a; None if they are no dict."""
    if getattr(answers, "ndim", None) == 1 and hasattr(answers, "to_dict"):  # a row of pandas
        answers = answers.to_dict()
    if not isinstance(answers, Mapping):
        return None
    flat: Flat = {}
    for key, x in answers.items():
        inside = isinstance(x, Mapping)
        for name, y in x.items() if inside else [("", x)]:
            given = f"{named(key)}.{named(name)}" if inside else named(key)
            flat.setdefault(meaning(given), []).append((given, y))
    return flat


def named(key: Any) -> str:
    try:
        return str(key).strip()
    except ValueError:  # an int of thousands of digits
        return "a huge number"


def meaning(key: str) -> str:
    """The key as the sheet spells it.

    >>> [meaning(key) for key in ("1.A", "1. a", "01.a", "(1) a", "1.0.a", "1.0", "a")]
    ['1.a', '1.a', '1.a', '1.a', '1.a', '1.', 'a']
    """
    parts = KEY.fullmatch(numerals.plain(key).casefold())
    return f"{parts[1].lstrip('0')}.{parts[2] or ''}" if parts else key


def stray(problems: Sequence[Problem], key: str) -> str:
    """The hint for a key that no blank has."""
    number, _, _ = key.partition(".")
    if number.isdecimal() and 1 <= int(number) <= len(problems):
        blanks = [blank.key for blank in problems[int(number) - 1].blanks]
        return f"is not part of this sheet: problem {number} asks for {', '.join(blanks)}"
    count = plural(len(problems), "problem")
    return f"is not part of this sheet: it has {count}, and keys like 1.a"


def is_empty(x: Any) -> bool:
    return is_missing(x) or numerals.missing(x)


def number(xs: Sequence[Any], name: str) -> tuple[Fraction | None, str]:
    """The number that the answers to one blank give, or why it is not clear."""
    readings = {reading(x, name) for x in xs if not is_empty(x)}
    if unclear := [why for _, why in readings if why]:
        return None, unclear[0]
    if len(readings) > 1:
        return None, "these are several answers: leave one"
    x = readings.pop()[0] if readings else None
    if x is None or not math.isfinite(x):
        return None, ""
    return Fraction(x).limit_denominator(10**6), ""  # 2.9999999999 of a program is 3


def in_text(words: str) -> str:
    return rf"\text{{{worded(words)}}}"


def shown(x: Any) -> str:
    """An answer on one line, as the marks repeat it."""
    return "" if is_empty(x) else clipped(text(x))


def clipped(words: str, most: int = 20) -> str:
    words = " ".join(words.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"


POINTS = ("student", "right", "carried on", "of")
COMMON = ("times", "mistake", "who")
UNCLEAR = ("times", "not understood", "who")


class Row(NamedTuple):
    """The points of one student: right blanks, and those wrong only through an earlier one."""

    student: str
    right: int
    carried: int
    total: int


@dataclass(frozen=True, repr=False)
class ClassMarks(Written):
    """The marks of a class: who has how many points, and which mistakes are common.

    `rows` has the points of each student as numbers, `marks` the marks of each; `save` writes
    .csv (the rows), .html, .md or .txt.

    >>> from microgrid.course import worksheet
    >>> sheet = worksheet(7, "forks", n=2)
    >>> marks = sheet.mark_all({"Ada": {"1.a": -18}, "Kurt": sheet.answers})
    >>> marks.points
    {'Ada': 0, 'Kurt': 12}
    """

    _refusal = ExerciseError
    _title = "The marks of a class"

    marks: Mapping[str, Marks]

    @property
    def mistakes(self) -> list[tuple[str, Counter[str]]]:
        """Each mistake, with how often each student made it, the most common first."""
        return self._ranked(WRONG)

    @property
    def unclear(self) -> list[tuple[str, Counter[str]]]:
        """What was not understood, such as a key that no blank has, with who wrote it."""
        return self._ranked(UNKNOWN)

    def _ranked(self, verdict: str) -> list[tuple[str, Counter[str]]]:
        """Each remark in marks of this verdict, with how often it fell on whom."""
        found = defaultdict[str, Counter[str]](Counter)
        for student, marks in self.marks.items():
            for m in marks.marks:
                if m.verdict == verdict:
                    words = f"{m.key}: {m.hint}" if m.key and verdict == UNKNOWN else m.hint
                    found[words][student] += 1
        return sorted(found.items(), key=lambda item: -item[1].total())

    @property
    def rows(self) -> list[Row]:
        """A row for each student."""
        return [Row(name, m.points, m.carried, m.total) for name, m in self.marks.items()]

    @property
    def points(self) -> dict[str, int]:
        """How many blanks each student has right."""
        return {row.student: row.right for row in self.rows}

    def _tables(self) -> list[tuple[tuple[str, ...], list[tuple[str, ...]], int]]:
        """Head, rows, and the number of columns of text, for each table that has rows."""
        found = [(COMMON, remarks(self.mistakes), 3), (UNCLEAR, remarks(self.unclear), 3)]
        points = [(row.student, *map(str, row[1:])) for row in self.rows]
        return [(POINTS, points, 1), *[table for table in found if table[1]]]

    def __str__(self) -> str:
        written = [table(head, rows, left=left) for head, rows, left in self._tables()]
        return "\n\n".join(["\n".join(lines) for lines in written])

    __repr__ = __str__

    def html(self) -> str:
        """The tables as HTML elements."""
        return "".join([as_html("", *table) for table in self._tables()])

    def _repr_html_(self) -> str:
        return self.html()

    def markdown(self) -> str:
        """The tables in Markdown."""
        return "\n\n".join([as_markdown("", *table) for table in self._tables()])

    def csv(self) -> str:
        """The rows for other programs: student, right, carried, total."""
        return as_csv(Row._fields, self.rows)


def remarks(ranking: Sequence[tuple[str, Counter[str]]]) -> list[tuple[str, ...]]:
    """A row for each remark: how often, the remark, on whom."""
    found: list[tuple[str, ...]] = []
    for remark, who in ranking:
        students = ", ".join([f"{student} {times}" for student, times in who.most_common()])
        found.append((str(who.total()), remark.replace("*", ""), students))
    return found


def mark_all(sheet: Sheet, answers: Mapping[str, Any] | str | os.PathLike[str]) -> ClassMarks:
    """The marks of a class, from each student's answers: points, and who made which mistake.

    The answers are a dict of students, or the path of a file (see `read_answers`): "answers.csv"
    with a row for each student and columns like 1.a. Empty answers stand for a student who handed
    in nothing. ExerciseError for other answers.

    >>> from microgrid.course import worksheet
    >>> sheet = worksheet(7, n=1)
    >>> marks = sheet.mark_all({"Ada": sheet.answers, "Bob": {"1.a": "-3,0"}})
    >>> print(marks.csv())
    student,right,carried,total
    Ada,6,0,6
    Bob,0,0,6
    <BLANKLINE>
    """
    if isinstance(answers, str | os.PathLike):
        answers = read_answers(answers)
    if not isinstance(answers, Mapping):
        frame = "; df.to_dict('index') makes it of a DataFrame" if hasattr(answers, "ndim") else ""
        raise ExerciseError(f"{OF_A_CLASS}, got {type(answers).__name__}{frame}")
    marks: dict[str, Marks] = {}
    for name, given in answers.items():
        if named(name) in marks:
            raise ExerciseError(f"two students are called {named(name)}: give one another name")
        marks[named(name)] = mark(sheet, {} if is_empty(given) else given)
    return ClassMarks(marks)
