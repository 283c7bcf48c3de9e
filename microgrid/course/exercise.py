"""An exercise: a question, its right answer, and the usual wrong ones, each with a hint.

Answers are numbers, also written as texts, texts, lists, arrays, dicts of such, or functions, which
are judged by what they do. Nothing is asked of the network, and no answer is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from microgrid.engine.errors import MicrogridError, NumberError
from microgrid.engine.value import Value
from microgrid.views import numerals


class ExerciseError(MicrogridError, LookupError):
    """No exercise of that number."""


class Mistake(NamedTuple):
    """A wrong answer that many give, and what helps them further without telling the right one."""

    answer: Any
    hint: str


class Markdown(str):
    """Text that a notebook shows with its formulas."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Verdict:
    """What is said of an answer; it is true if the answer is right, and prints as a few lines."""

    ok: bool
    lines: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return "\n".join(self.lines)

    __repr__ = __str__


@dataclass(frozen=True)
class Exercise:
    """A question whose answers are checked by a call.

    Numbers are right to `digits` decimals; above 10, where they are not whole, to as good a part of
    their size.
    `probe` turns an answer into what is compared (of a function, its results); `judge` says by
    itself what it thinks of an answer, where comparing will not do. `why` is told to those who are
    right.

    >>> seven = Exercise("3 + 4?", 7, [Mistake(12, "Add, do not multiply.")], why="3 + 4 = 7.")
    >>> seven.check(12)
    ✗ 12 is not it. Add, do not multiply.
    >>> seven.check(7)
    ✓ right. 3 + 4 = 7.
    >>> seven.check(None)
    … no answer yet
    """

    question: str
    right: Any
    mistakes: Sequence[Mistake] = ()
    why: str = ""
    digits: int = 2
    probe: Callable[[Any], Any] = field(default=lambda answer: answer, repr=False)
    judge: Callable[[Any], Verdict] | None = field(default=None, repr=False)

    def _repr_markdown_(self) -> str:
        return self.question

    def __repr__(self) -> str:
        return self.question

    def check(self, answer: Any) -> Verdict:
        """Whether the answer is right; a hint where it is one of the usual mistakes."""
        if is_missing(answer):
            return Verdict(False, ("… no answer yet",))
        if self.judge is not None:
            return self.judge(answer)
        try:
            return self.judged(self.probe(answer))
        except Exception as error:  # whatever a student's function or number raises
            return Verdict(False, (f"✗ your answer raised {type(error).__name__}: {error}",))

    def judged(self, given: Any) -> Verdict:
        """The verdict on what the probe has made of an answer."""
        right = self.probe(self.right)
        mistakes = [Mistake(self.probe(m.answer), m.hint) for m in self.mistakes]
        if isinstance(right, Mapping):
            return self.entries(given, right, mistakes)
        if agree(given, right, self.digits):
            return self.praise()
        return Verdict(False, (self.complaint("", given, right, mistakes),))

    def praise(self) -> Verdict:
        """What those who are right are told."""
        return Verdict(True, (f"✓ right. {self.why}".strip(),))

    def solution(self) -> Markdown:
        """The right answer and why; a function is told by its `why` alone."""
        shown = "" if callable(self.right) else f"**{text(self.right)}** "
        return Markdown(f"{shown}{self.why}".strip())

    def entries(self, given: Any, right: Mapping[Any, Any], mistakes: Sequence[Mistake]) -> Verdict:
        """The verdict on a dict of answers: a line for each entry."""
        if not isinstance(given, Mapping):
            return Verdict(False, (f"✗ the answer is a dict with the keys {text(list(right))}",))
        given = respelled(given, right)
        unknown = [f"✗ {key}: nobody has asked for it" for key in given if key not in right]
        wrong = {
            k: x for k, x in given.items() if k in right and not agree(x, right[k], self.digits)
        }

        def explained(mistake: Mistake) -> int:
            """How many of the wrong entries it gives."""
            told = mistake.answer
            return sum([k in told and agree(x, told[k], self.digits) for k, x in wrong.items()])

        mistakes = sorted(mistakes, key=explained, reverse=True)
        lines, good = [], not unknown
        for key, wanted in right.items():
            answer = given.get(key)
            ok = not is_missing(answer) and agree(answer, wanted, self.digits)
            good = good and ok
            if ok:
                lines.append(f"✓ {key}: right")
            else:
                here = [Mistake(m.answer[key], m.hint) for m in mistakes if key in m.answer]
                lines.append(self.complaint(f"{key}: ", answer, wanted, here))
        if good and self.why:
            lines.append(self.why)
        return Verdict(good, (*lines, *unknown))

    def is_empty(self, given: Any, right: Any) -> bool:
        """Whether nothing stands where an answer is asked for; what a function gives is one."""
        empty = is_missing(given) or (number(right) is not None and numerals.missing(given))
        return empty and not callable(self.right)

    def complaint(self, name: str, given: Any, right: Any, mistakes: Sequence[Mistake]) -> str:
        """Why an answer is wrong, as far as can be told."""
        for mistake in mistakes:
            if agree(given, mistake.answer, self.digits):
                break
        else:
            if self.is_empty(given, right):
                return f"… {name}no answer yet"
            if number(right) is not None and (unclear := ambiguity(given)):
                return f"? {name}{unclear}."
            return f"✗ {name}{misfit(given, right) or f'{text(given)} is not it.'}"
        told = "" if callable(self.right) else f"{text(given)} is not it. "
        return f"✗ {name}{told}{mistake.hint}"


def is_missing(answer: Any) -> bool:
    """Whether nothing has been filled in."""
    if isinstance(answer, Mapping):
        return all(map(is_missing, answer.values()))
    if isinstance(answer, list | tuple):
        return bool(answer) and all(map(is_missing, answer))
    return numerals.unfilled(answer)


def respelled(given: Mapping[Any, Any], right: Mapping[Any, Any]) -> dict[Any, Any]:
    """The answers under the keys that are asked for, also where these are written otherwise.

    >>> respelled({" X_0": "x_0=1", "2": "A", "y": 3}, {"x_0": 5, 2: "B"})
    {'x_0': '1', 2: 'A', 'y': 3}
    """
    asked: dict[str, list[Any]] = {}
    for key in right:
        asked.setdefault(spelling(key), []).append(key)
    found: dict[Any, Any] = {}
    for key, x in given.items():
        near = asked.get(spelling(key), [])
        taken = len(near) != 1 or near[0] in given or near[0] in found
        name, equals, rest = x.partition("=") if isinstance(x, str) else ("", "", "")
        again = equals and spelling(name) == spelling(key)  # "x = 3" under x
        found[key if taken else near[0]] = rest if again else x
    return found


def spelling(key: Any) -> str:
    """What counts of a key: neither case nor spaces nor the type of a number."""
    return "".join(numerals.plain(str(key)).split()).casefold().removesuffix(".0")


def number(x: Any) -> float | None:
    """A number, or that of a Value or a text; None for all else, and for what could be two."""
    try:
        found = numerals.read(x)
    except NumberError:
        return None
    if found is None:
        return None
    try:
        return float(found)
    except OverflowError:
        return math.inf if found > 0 else -math.inf


def agree(given: Any, right: Any, digits: int) -> bool:
    """Whether an answer says the same as another, numbers to so many decimals."""
    if isinstance(right, str):
        return isinstance(given, str) and given.strip().casefold() == right.strip().casefold()
    if isinstance(right, bool | np.bool_):
        return isinstance(given, bool | np.bool_) and bool(given) == bool(right)
    if isinstance(right, set | frozenset):
        several = isinstance(given, set | frozenset | list | tuple)
        return several and len(given) == len(right) and all(x in given for x in right)
    if isinstance(right, Mapping):
        same = isinstance(given, Mapping) and set(given) == set(right)
        return same and all(agree(given[key], x, digits) for key, x in right.items())
    b = number(right)
    if b is not None:
        a = number(given)
        if a is None:
            return False
        if not math.isfinite(b):
            return a == b or (a != a and b != b)
        large = abs(b) / 10 if b % 1 else 1.0  # what counts is counted exactly
        return abs(a - b) <= 0.501 * 10.0**-digits * max(1.0, large)
    if isinstance(right, list | tuple | np.ndarray):
        return (
            isinstance(given, list | tuple | range | np.ndarray)
            and len(given) == len(right)
            and all(agree(x, y, digits) for x, y in zip(given, right))
        )
    return bool(given == right)


def misfit(given: Any, right: Any) -> str:
    """What kind of answer is asked for, where another kind was given."""
    if isinstance(right, str):
        return "" if isinstance(given, str) else "the answer is a text in quotes."
    if number(right) is not None:
        return "" if number(given) is not None else f"the answer is a number, not {quoted(given)}."
    if isinstance(right, list | tuple | np.ndarray):
        try:
            shapes = np.shape(given), np.shape(right)
        except ValueError:
            return "the rows have different lengths."
        if shapes[0] != shapes[1]:
            return f"the shape is {shapes[0]}; it should be {shapes[1]}."
    return ""


def ambiguity(given: Any) -> str:
    """Why a text could be two numbers; nothing for all else."""
    try:
        numerals.read(given)
    except NumberError as error:
        return str(error)
    return ""


def quoted(x: Any) -> str:
    """The same, a text with its quotes."""
    return repr(x) if isinstance(x, str) else text(x)


def text(x: Any, most: int = 200) -> str:
    """An answer as it is repeated to the student, not more than a few lines of it."""
    written = plain(x)
    return written if len(written) <= most else f"{written[:most]}…"


def plain(x: Any) -> str:
    """An answer in words."""
    if isinstance(x, Value):
        x = x.data
    if isinstance(x, float | np.floating):
        return f"{float(x):.6g}"
    if isinstance(x, np.ndarray):
        return plain(x.tolist())
    if isinstance(x, list | tuple):
        return f"[{', '.join(map(plain, x))}]"
    if isinstance(x, set | frozenset):
        return f"{{{', '.join(sorted(map(plain, x)))}}}"
    if isinstance(x, Mapping):
        return ", ".join([f"{key}: {plain(y)}" for key, y in x.items()])
    return str(x)
