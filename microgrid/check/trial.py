"""A trial: a few lines of Python that use `Value`, what to look at after them, and the truth.

The lines are written in one language, microgrid's own function names, so that the parent can run
them on our engine; `dialect` translates them into the names of the engine that is checked.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

from microgrid.engine.functions import FUNCTIONS
from microgrid.engine.value import Value, topological

Numbers = tuple[float, ...]
DIGITS = 1e-8  # relative; a single-precision engine gets SINGLE
SINGLE = 1e-3
TOO_LARGE = 1e3  # numbers beyond this say more about rounding than about rules


@dataclass(frozen=True)
class Trial:
    """Lines of Python, and the expressions to look at when they have run.

    `right` are the right numbers where a closed form says them; else our engine does.
    """

    lines: tuple[str, ...]
    look: tuple[str, ...]
    right: Numbers | None = None

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@dataclass(frozen=True)
class Outcome:
    """What came: the numbers looked at, or how it ended without them."""

    numbers: Numbers = ()
    error: str = ""  # "ZeroDivisionError: division by zero"
    stopped: bool = False  # the process died or did not answer in time

    @property
    def kind(self) -> str:
        """The type of the error, which is what two engines with one mistake have in common."""
        return self.error.partition(":")[0]


@dataclass(frozen=True)
class Truth:
    """The right numbers, and how large the numbers were on the way."""

    numbers: Numbers
    scale: float = 1.0

    def tolerance(self, digits: float = DIGITS) -> float:
        return digits * max(1.0, self.scale)

    def agrees(self, came: Outcome, digits: float = DIGITS) -> bool:
        return not came.error and all(
            close(a, b, self.tolerance(digits))
            for a, b in zip(came.numbers, self.numbers, strict=True)
        )


@dataclass(frozen=True)
class Failure:
    """A trial whose numbers are not right."""

    trial: Trial
    came: Outcome
    right: Truth
    note: str = ""  # what a special judge has to say
    convention: bool = False  # another choice, not an error
    digits: float = DIGITS


Judge = Callable[[Trial, Outcome, Truth, float], Failure | None]


def equal(trial: Trial, came: Outcome, right: Truth, digits: float) -> Failure | None:
    """The usual judge: the numbers must be the right ones."""
    agrees = right.agrees(came, digits)
    return None if agrees else Failure(trial, came, right, digits=digits)


def close(a: float, b: float, tolerance: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or abs(a - b) <= tolerance


def short(x: float) -> str:
    """Six digits; no minus zero."""
    return f"{float(x) + 0.0:.6g}"


def told_apart(a: float, b: float) -> tuple[str, str]:
    """Two numbers, with six digits or as many as show the difference; no minus zero."""
    written = [[f"{x + 0.0:.{n}g}" for x in (a, b)] for n in (6, 9, 12, 17)]
    return next(((x, y) for x, y in written if x != y), (short(a), short(b)))


@lru_cache(maxsize=4096)
def compiled(text: str, mode: str = "exec") -> CodeType:
    return compile(text, "<program>", mode)


@lru_cache(maxsize=4096)
def truth(trial: Trial) -> Truth:
    """The right numbers; our engine raises what plain Python raises."""
    if trial.right is not None:
        return Truth(trial.right, max(map(abs, trial.right), default=1.0))
    space = run(trial, {"Value": Value, **FUNCTIONS})
    numbers = tuple(float(eval(compiled(look, "eval"), space)) for look in trial.look)
    seen: dict[Value, None] = {}
    for root in [v for v in space.values() if isinstance(v, Value) and v not in seen]:
        seen |= dict.fromkeys(topological(root))
    sizes = [abs(float(x)) for v in seen for x in (v.data, v.grad)]
    return Truth(numbers, max([x for x in sizes if math.isfinite(x)], default=1.0))


def sensible(trial: Trial, largest: float = TOO_LARGE) -> bool:
    """Whether it has a finite right answer, with numbers of moderate size on the way."""
    try:
        right = truth(trial)
    except (ArithmeticError, ValueError):
        return False
    return all(map(math.isfinite, right.numbers)) and right.scale <= largest


def run(trial: Trial, names: Mapping[str, Any]) -> dict[str, Any]:
    """The names after the lines have run in this process."""
    space = dict(names)
    exec(compiled(trial.text), space)
    return space


def answer(trial: Trial, names: Mapping[str, Any]) -> Outcome:
    """What engines of our own make of a trial, in this process."""
    try:
        space = run(trial, names)
        return Outcome(tuple(float(eval(compiled(e, "eval"), space)) for e in trial.look))
    except Exception as error:
        return Outcome(error=f"{type(error).__name__}: {error}")


def written(tree: ast.Module) -> str:
    """One line of a trial as people write it."""
    return "; ".join(ast.unparse(statement).replace(":\n    ", ": ") for statement in tree.body)
