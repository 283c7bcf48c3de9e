"""The marks of a worksheet and of a class: right, carried on from an earlier blank, or wrong."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from microgrid.course.exercise import is_missing, number, text
from microgrid.course.worksheets.diagnosis import Pass
from microgrid.course.worksheets.problem import Blank, Problem
from microgrid.explain import html_table, table

RIGHT, CARRIED, WRONG, MISSING, UNKNOWN = "✓", "→", "✗", "…", "?"


class Mark(NamedTuple):
    """What is said of one blank."""

    key: str  # problem and blank, like 1.a
    given: str
    verdict: str  # one of the signs above
    hint: str = ""


HEAD = ("blank", "answer", "", "")


@dataclass(frozen=True)
class Marks:
    """The marks of one sheet of answers: true if all is right; prints as a table.

    `points` are the blanks that are right; `carried` are those which are wrong only because an
    earlier one is.
    """

    marks: tuple[Mark, ...]
    total: int

    @property
    def points(self) -> int:
        return sum(mark.verdict == RIGHT for mark in self.marks)

    @property
    def carried(self) -> int:
        return sum(mark.verdict == CARRIED for mark in self.marks)

    @property
    def mistakes(self) -> Counter[str]:
        """How often each mistake was made; what is carried on counts once, where it began."""
        return Counter(mark.hint for mark in self.marks if mark.verdict == WRONG)

    def __bool__(self) -> bool:
        return all(mark.verdict == RIGHT for mark in self.marks)

    def cells(self) -> list[tuple[str, ...]]:
        return [(*m[:3], m.hint.replace("*", "")) for m in self.marks]

    @property
    def heading(self) -> str:
        carried = f"; {self.carried} more would be, but for an earlier blank" * bool(self.carried)
        return f"{self.points} of {self.total} right{carried}"

    def __str__(self) -> str:
        return "\n".join([self.heading, *table(HEAD, self.cells(), left=4)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(self.heading, HEAD, self.cells(), left=4)


def mark(problems: Sequence[Problem], answers: Any) -> Marks:
    """The marks of answers like {"1": {"a": 5}} or {"1.a": 5}."""
    flat, marks, findings = flattened(answers), [], {}
    total = sum(len(problem.blanks) for problem in problems)
    if flat is None:
        said = "the answers are a dict like {'1': {'a': 5}} or {'1.a': 5}"
        return Marks((Mark("", shown(answers), UNKNOWN, said),), total)
    for i, problem in enumerate(problems, 1):
        given = {blank: flat.pop(f"{i}.{blank.key}", None) for blank in problem.blanks}
        pass_ = Pass(problem, {blank: read(x) for blank, x in given.items()})
        for blank, x in given.items():
            key = f"{i}.{blank.key}"
            marks.append(Mark(key, shown(x), *judged(pass_, blank, x)))
            if marks[-1].verdict == WRONG and read(x) is not None:
                findings[key] = pass_.recognised(blank)
    common = Counter(hint for hints in findings.values() for hint in hints)
    marks = [
        m._replace(hint=max(hints, key=lambda hint: common[hint]))
        if (hints := findings.get(m.key)) else m
        for m in marks
    ]  # fmt: skip
    unknown = [
        Mark(shown(key), shown(x), UNKNOWN, "nobody has asked for it") for key, x in flat.items()
    ]
    return Marks((*marks, *unknown), total)


def judged(pass_: Pass, blank: Blank, x: Any) -> tuple[str, str]:
    """Verdict and hint, as far as no mistake has to be recognised."""
    if is_missing(x) or (isinstance(x, str) and not x.strip()):
        return MISSING, "no answer yet"
    if read(x) is None:
        return WRONG, "the answer is a number"
    if pass_.written[blank] == blank.right:
        return RIGHT, ""
    if sources := pass_.carried(blank):
        return CARRIED, f"follows from {' and '.join(sources)}: this step is right"
    return WRONG, "not it"


def flattened(answers: Any) -> dict[str, Any] | None:
    """Answers by keys like 1.a; None if they are no dict."""
    if not isinstance(answers, Mapping):
        return None
    flat: dict[str, Any] = {}
    for key, x in answers.items():
        if isinstance(x, Mapping):
            flat |= {f"{key}.{name}".strip(): y for name, y in x.items()}
        else:
            flat[str(key).strip()] = x
    return flat


WRITTEN = re.compile(r"[+-]?(\d{1,9}(\.\d{0,9})?|\d{1,9}/[1-9]\d{0,8})", re.ASCII)


def read(x: Any) -> Fraction | None:
    """A number as a student or a table writes it; None for all else."""
    if isinstance(x, str):
        words = x.strip().replace("−", "-")
        return Fraction(words) if WRITTEN.fullmatch(words) else None
    try:
        near = None if isinstance(x, bool) else number(x)
    except OverflowError:
        return None
    if near is None or not math.isfinite(near):
        return None
    return Fraction(near).limit_denominator(10**6)  # 2.9999999999 of a program is 3


def shown(x: Any) -> str:
    """An answer or a key as it is repeated, on one line."""
    try:
        words = "" if is_missing(x) else " ".join(text(x).split())
    except ValueError:  # an int of thousands of digits
        words = "a huge number"
    return words if len(words) <= 20 else f"{words[:19]}…"


POINTS = ("student", "right", "carried on", "of")
COMMON = ("times", "mistake", "who")


@dataclass(frozen=True)
class ClassMarks:
    """The marks of a class: who has how many points, and which mistakes are common."""

    marks: Mapping[str, Marks]

    @property
    def mistakes(self) -> list[tuple[str, Counter[str]]]:
        """Each mistake with who made it how often, the most common first."""
        who: dict[str, Counter[str]] = {}
        for student, marks in self.marks.items():
            for hint, times in marks.mistakes.items():
                who.setdefault(hint, Counter())[student] += times
        return sorted(who.items(), key=lambda item: -item[1].total())

    def points(self) -> list[tuple[str, ...]]:
        """A row for each student."""
        return [
            (student, *map(str, (m.points, m.carried, m.total)))
            for student, m in self.marks.items()
        ]

    def common(self) -> list[tuple[str, ...]]:
        """A row for each mistake."""
        return [
            (
                str(who.total()),
                hint.replace("*", ""),
                ", ".join([f"{student} {times}" for student, times in who.most_common()]),
            )
            for hint, who in self.mistakes
        ]

    def __str__(self) -> str:
        points = table(POINTS, self.points(), left=1)
        common = table(COMMON, self.common(), left=3) if self.mistakes else []
        return "\n".join([*points, *[""] * bool(common), *common])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        points = html_table("", POINTS, self.points(), left=1)
        return points + html_table("", COMMON, self.common(), left=3)


def mark_all(problems: Sequence[Problem], answers: Mapping[str, Any]) -> ClassMarks:
    """The marks of a class."""
    return ClassMarks({str(name): mark(problems, given) for name, given in answers.items()})
