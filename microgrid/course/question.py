"""An exercise: a question, its right answer, and the usual wrong ones, each with a hint.

Answers are numbers (also written as texts), texts, lists, arrays, dicts of these, or functions,
which are judged by their results. Exercises send nothing anywhere and keep no answer.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Rational, Real
from typing import Any, NamedTuple

from microgrid.engine.errors import MicrogridError, NumberError
from microgrid.engine.hints import Hinted
from microgrid.engine.renamed import renamed
from microgrid.engine.value import Value
from microgrid.views import numerals


class ExerciseError(MicrogridError, LookupError):
    """No exercise of that number; the message has the numbers that there are.

    >>> from microgrid.course import exercise
    >>> exercise(11)
    Traceback (most recent call last):
        ...
    microgrid.course.question.ExerciseError: the course has notebooks 1 to 10, '4b' and '5b', not 11
    """


class Mistake(NamedTuple):
    """A wrong answer that many give, and a hint that does not tell the right one.

    >>> seven = Exercise("3 + 4?", 7, [Mistake(12, "Add, do not multiply.")])
    >>> seven.mistakes[0].answer, seven.mistakes[0].hint
    (12, 'Add, do not multiply.')
    """

    answer: Any
    hint: str


class Either:
    """Several wrong answers that get one hint."""

    def __init__(self, *answers: Any) -> None:
        self.answers = answers


Mistakes = Mapping[str, Any] | Sequence[Mistake]


def listed(mistakes: Mistakes) -> list[Mistake]:
    """The mistakes of a table {hint: wrong answer}, one by one; or those of a list."""
    if not isinstance(mistakes, Mapping):
        return [*mistakes]
    tables = {hint: x.answers if isinstance(x, Either) else (x,) for hint, x in mistakes.items()}
    return [Mistake(answer, hint) for hint, answers in tables.items() for answer in answers]


class Markdown(str):
    """A text that a notebook shows as Markdown, with its formulas.

    >>> Exercise("3 + 4?", 7, why="$3 + 4 = 7$.").solution()
    '**7** $3 + 4 = 7$.'
    """

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Verdict(Hinted):
    """The verdict on an answer: true if the answer is right; prints as a few lines.

    >>> verdict = Exercise("3 + 4?", 7).check(8)
    >>> verdict.ok, verdict.lines
    (False, ('✗ 8 is not it.',))
    """

    ok: bool
    lines: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return "\n".join(self.lines)

    __repr__ = __str__


@dataclass(frozen=True)
class Exercise(Hinted):
    """A question, and `check`, which gives a verdict on an answer.

    Numbers are right if they agree to so many `decimals`; numbers above 10 that are not whole, if
    they agree to the same part of their size. Answers are compared after `probe`, which turns a
    function into its results; where comparing will not do, `judge` gives the verdict. `mistakes`
    are a table {hint: wrong answer}, or a list of Mistakes. `why` is shown with a right answer.

    >>> seven = Exercise("3 + 4?", 7, {"Add, do not multiply.": 12}, why="3 + 4 = 7.")
    >>> seven.check(12)
    ✗ 12 is not it. Add, do not multiply.
    >>> seven.check(7)
    ✓ right. 3 + 4 = 7.
    >>> seven.check(None)
    … no answer yet
    """

    question: str
    right: Any
    mistakes: Mistakes = ()
    why: str = ""
    decimals: int = 2
    probe: Callable[[Any], Any] = lambda answer: answer
    judge: Callable[[Any], Verdict] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "mistakes", listed(self.mistakes))

    def __repr__(self) -> str:
        return self.question

    _repr_markdown_ = __repr__

    def check(self, answer: Any) -> Verdict:
        """Whether the answer is right; a hint where it is one of the usual mistakes."""
        if is_missing(answer):
            return Verdict(False, ("… no answer yet",))
        if callable(self.right) and not isinstance(self.right, type) and not is_function(answer):
            keys = not self.judge and isinstance(found := self.probe(self.right), Mapping) and found
            return Verdict(False, (NO_FUNCTIONS.format(", ".join(keys)) if keys else NO_FUNCTION,))
        if self.judge is not None:
            return self.judge(answer)
        try:
            return self._compared(self.probe(answer))
        except Exception as error:  # a student's function or number may raise anything
            return Verdict(False, (f"✗ {raised(error)}",))

    def _compared(self, given: Any) -> Verdict:
        """The verdict on an answer after `probe`."""
        right = self.probe(self.right)
        mistakes = [Mistake(self.probe(m.answer), m.hint) for m in listed(self.mistakes)]
        if isinstance(right, Mapping):
            return self._entries(given, right, mistakes)
        if agree(given, right, self.decimals):
            return self._praise()
        return Verdict(False, (self._complaint("", given, right, mistakes),))

    def _praise(self) -> Verdict:
        """The verdict on a right answer."""
        return Verdict(True, (f"✓ right. {self.why}".strip(),))

    def solution(self) -> Markdown:
        """The right answer and why; for a function `why` alone."""
        shown = "" if callable(self.right) else f"**{text(self.right)}** "
        return Markdown(f"{shown}{self.why}".strip())

    def _entries(
        self, given: Any, right: Mapping[Any, Any], mistakes: Sequence[Mistake]
    ) -> Verdict:
        """The verdict on a dict of answers: a line for each entry."""
        if not isinstance(given, Mapping):
            return Verdict(False, (f"✗ the answer is a dict with the keys {text(list(right))}",))
        given = respelled(given, right)
        unknown = [f"✗ {key}: is not part of this question" for key in given if key not in right]
        wrong = {
            key: given.get(key)
            for key, x in right.items()
            if is_missing(given.get(key)) or not agree(given[key], x, self.decimals)
        }

        def explained(mistake: Mistake) -> int:
            """How many of the wrong entries this mistake gives."""
            found = mistake.answer
            return sum([k in found and agree(x, found[k], self.decimals) for k, x in wrong.items()])

        mistakes = sorted(mistakes, key=explained, reverse=True)
        lines = {key: f"✓ {key}: right" for key in right}
        for key, x in wrong.items():
            here = [Mistake(m.answer[key], m.hint) for m in mistakes if key in m.answer]
            lines[key] = self._complaint(f"{key}: ", x, right[key], here)
        good = not (wrong or unknown)
        return Verdict(good, (*lines.values(), *unknown, *[self.why] * bool(good and self.why)))

    def _complaint(self, name: str, given: Any, right: Any, mistakes: Sequence[Mistake]) -> str:
        """What is wrong with an answer: a mistake, a missing or unclear number, a wrong kind."""
        judged = callable(self.right)  # whatever a function returns is an answer
        for mistake in mistakes:
            if agree(given, mistake.answer, self.decimals):
                return f"✗ {name}{'' if judged else f'{text(given)} is not it. '}{mistake.hint}"
        numeric = number(right) is not None
        if not judged and (is_missing(given) or (numeric and numerals.missing(given))):
            return f"… {name}no answer yet"
        if numeric and (unclear := reading(given)[1]):
            return f"? {name}{unclear}."
        return f"✗ {name}{misfit(given, right) or f'{text(given)} is not it.'}"


Exercise.__init__ = renamed(digits="decimals")(Exercise.__init__)  # type: ignore[method-assign]


NO_FUNCTION = "✗ a function is asked for: give its name, or lambda …: …, without quotes"
NO_FUNCTIONS = "✗ a dict of functions is asked for, with the keys [{}]"


def is_function(answer: Any) -> bool:
    """Whether an answer is a function, or a dict of functions and missing answers."""
    parts = answer.values() if isinstance(answer, Mapping) else [answer]
    return all(callable(f) or is_missing(f) for f in parts)


def raised(error: Exception) -> str:
    return f"your answer raised {type(error).__name__}: {error}"


def is_missing(answer: Any) -> bool:
    """Whether an answer has not been filled in."""
    if isinstance(answer, Mapping):
        return all(map(is_missing, answer.values()))
    if isinstance(answer, list | tuple):
        return bool(answer) and all(map(is_missing, answer))
    return numerals.unfilled(answer)


def respelled(given: Mapping[Any, Any], right: Mapping[Any, Any]) -> dict[Any, Any]:
    """The answers under the keys of the question, for keys in other case, spacing or type, too.

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
    """A key without case, spaces and the type of a number."""
    return "".join(numerals.plain(str(key)).split()).casefold().removesuffix(".0")


def reading(x: Any, name: str = "") -> tuple[float | None, str]:
    """The number that x is or says, if any; and why x is unclear, if it may mean two numbers."""
    try:
        found = numerals.read(x, name)
        return None if found is None else float(found), ""
    except NumberError as error:
        return None, str(error)
    except OverflowError:  # of a whole number beyond the floats
        return math.inf if (found or 0) > 0 else -math.inf, ""


def number(x: Any) -> float | None:
    return reading(x)[0]


def agree(given: Any, right: Any, decimals: int) -> bool:
    """Whether an answer equals the right one, numbers to so many decimals."""
    if isinstance(right, str):
        return isinstance(given, str) and given.strip().casefold() == right.strip().casefold()
    if is_truth(right):
        return is_truth(given) and bool(given) == bool(right)
    if isinstance(right, set | frozenset):
        several = isinstance(given, set | frozenset | list | tuple)
        return several and len(given) == len(right) and all(x in given for x in right)
    if isinstance(right, Mapping):
        same = isinstance(given, Mapping) and set(given) == set(right)
        return same and all(agree(given[key], x, decimals) for key, x in right.items())
    b = number(right)
    if b is not None:
        a = number(given)
        if a is None:
            return False
        if not math.isfinite(b):
            return a == b or (a != a and b != b)
        large = abs(b) / 10 if b % 1 else 1.0  # whole numbers count something: they are exact
        return abs(a - b) <= 0.501 * 10.0**-decimals * max(1.0, large)
    if isinstance(right, list | tuple) or is_array(right):
        several = isinstance(given, list | tuple | range) or is_array(given)
        same = several and len(given) == len(right)
        return same and all(agree(x, y, decimals) for x, y in zip(given, right))
    return bool(given == right)


def misfit(given: Any, right: Any) -> str:
    """The kind of answer that the question wants, where the given one is of another kind."""
    if isinstance(right, str):
        return "" if isinstance(given, str) else "the answer is a text in quotes."
    if number(right) is not None:
        said = repr(given) if isinstance(given, str) else text(given)
        return "" if number(given) is not None else f"the answer is a number, not {said}."
    if isinstance(right, list | tuple) or is_array(right):
        import numpy as np

        try:
            shapes = np.shape(given), np.shape(right)
        except ValueError:
            return "the rows have different lengths."
        if shapes[0] != shapes[1]:
            return f"the shape is {shapes[0]}; it should be {shapes[1]}."
    return ""


def is_array(x: Any) -> bool:
    """Whether x is an array of NumPy; where nobody has imported NumPy there is none."""
    return isinstance(x, getattr(sys.modules.get("numpy"), "ndarray", ()))


def is_truth(x: Any) -> bool:
    """Whether x is true or false, of Python or of NumPy."""
    return isinstance(x, bool | getattr(sys.modules.get("numpy"), "bool_", bool))


def text(x: Any, most: int = 200) -> str:
    """An answer as the verdict repeats it, cut after a few lines."""
    written = plain(x)
    return written if len(written) <= most else f"{written[:most]}…"


def plain(x: Any) -> str:
    """An answer in words."""
    if isinstance(x, Value):
        x = x.data
    if isinstance(x, Real) and not isinstance(x, Rational):
        return f"{float(x):.6g}"
    if is_array(x):
        return plain(x.tolist())
    if isinstance(x, list | tuple):
        return f"[{', '.join(map(plain, x))}]"
    if isinstance(x, set | frozenset):
        return f"{{{', '.join(sorted(map(plain, x)))}}}"
    if isinstance(x, Mapping):
        return ", ".join([f"{key}: {plain(y)}" for key, y in x.items()])
    try:
        return str(x)
    except ValueError:  # an int of thousands of digits
        return "a huge number"
