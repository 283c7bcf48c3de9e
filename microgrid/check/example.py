"""An example: a few lines of Python that use `Value`, what to look at after them, what to expect.

The lines use microgrid's own function names, so that our engine can run them, too; `Capabilities`
translates them into the names of the engine that is checked.
"""

from __future__ import annotations

import ast
import gc
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

from microgrid.check.raised import category
from microgrid.engine.functions import FUNCTIONS
from microgrid.engine.value import Value, topological

Numbers = tuple[float, ...]
DIGITS = 1e-8  # relative; a single-precision engine gets SINGLE
SINGLE = 1e-3
UNSUITED = ("TypeError", "AttributeError", "NotImplementedError", "AssertionError")
TOO_LARGE = 1e3  # numbers beyond this say more about rounding than about rules


@dataclass(frozen=True)
class Example:
    """Lines of Python, and the expressions to look at when they have run.

    `expected` are the right numbers where a closed form gives them; else our engine does. `sent`
    is what an engine is sent where `protocol.encode` cannot read the lines.

    >>> print(Example(("x = Value(3)", "(x * x).backward()"), look=("x.grad",)).text)
    x = Value(3)
    (x * x).backward()
    """

    lines: tuple[str, ...]
    look: tuple[str, ...]
    expected: Numbers | None = None
    as_written: bool = False  # plain numbers stay plain where the engine takes none
    sent: str = ""  # as JSON, where the lines are more than names, operators and calls

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)


@dataclass(frozen=True)
class Outcome:
    """The numbers that an engine gave, or how it ended without them.

    `category` is the kind of its error in any language (overflow, domain, depth or other), `where`
    the line of the engine that raised it; `refused` is true if the engine's own code did.

    >>> Outcome((2.0,)).agrees(Outcome((2.0 + 1e-12,)))
    True
    >>> Outcome(error="ZeroDivisionError: division by zero").kind
    'ZeroDivisionError'
    """

    numbers: Numbers = ()
    error: str = ""  # "ZeroDivisionError: division by zero"
    stopped: bool = False  # the process died or did not answer in time
    scale: float = 1.0  # the largest number on the way, which bounds the rounding
    category: str = ""  # of an error in any language: overflow, domain, depth or other
    where: str = ""  # the line of the engine that raised it: "line 7: return self.value"
    refused: bool = False  # the engine's own code raised it: it says that it cannot do that

    @property
    def kind(self) -> str:
        """The type of the error, which is what two engines with one mistake have in common."""
        return self.error.partition(":")[0]

    @property
    def unsuited(self) -> bool:
        """Whether an engine refused the operands: an error of types, or one of its own."""
        return bool(self.error) and (self.refused or self.kind in UNSUITED)

    def tolerance(self, digits: float = DIGITS) -> float:
        """How far numbers may lie apart: a part of the largest number on the way, or of 1."""
        return digits * max(1.0, self.scale)

    def agrees(self, actual: Outcome, digits: float = DIGITS) -> bool:
        """Whether the actual numbers are these expected ones, up to rounding."""
        return not actual.error and all(
            close(a, b, self.tolerance(digits))
            for a, b in zip(actual.numbers, self.numbers, strict=True)
        )


@dataclass(frozen=True)
class Failure:
    """An example whose actual numbers are not the expected ones.

    >>> from microgrid.check import check, museum
    >>> report = check(museum.broken("overwrites", "add"), only=["reuse"])
    >>> failure = report.findings[0].failure
    >>> failure.actual.numbers, failure.expected.numbers
    ((1.0,), (2.0,))
    """

    example: Example
    actual: Outcome
    expected: Outcome
    note: str = ""  # what a special judge has to say
    convention: bool = False  # another choice, not an error
    digits: float = DIGITS


Verdict = Failure | None
Judge = Callable[[Example, Outcome, Outcome, float], Verdict]


def equal(example: Example, actual: Outcome, expected: Outcome, digits: float) -> Verdict:
    """The usual judge: the actual numbers must be the expected ones."""
    agrees = expected.agrees(actual, digits)
    return None if agrees else Failure(example, actual, expected, digits=digits)


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
def expected(example: Example) -> Outcome:
    """The right numbers; our engine raises what plain Python raises."""
    if example.expected is not None:
        return Outcome(example.expected, scale=max(map(abs, example.expected), default=1.0))
    space = run(example, {"Value": Value, **FUNCTIONS})
    nodes: dict[Value, None] = {}
    for root in [v for v in space.values() if isinstance(v, Value) and v not in nodes]:
        nodes |= dict.fromkeys(topological(root))
    sizes = [abs(float(x)) for v in nodes for x in (v.data, v.grad)]
    scale = max([x for x in sizes if math.isfinite(x)], default=1.0)
    return Outcome(looked_at(example, space), scale=scale)


def sensible(example: Example, largest: float = TOO_LARGE) -> bool:
    """Whether it has a finite right answer, with numbers of moderate size on the way."""
    try:
        outcome = expected(example)
    except (ArithmeticError, ValueError):
        return False
    return all(map(math.isfinite, outcome.numbers)) and outcome.scale <= largest


def run(example: Example, names: Mapping[str, Any]) -> dict[str, Any]:
    """The names after the lines have run in this process."""
    space = dict(names)
    exec(compiled(example.text), space)
    return space


def looked_at(example: Example, space: dict[str, Any]) -> Numbers:
    return tuple(number(look, eval(compiled(look, "eval"), space)) for look in example.look)


def number(look: str, x: Any) -> float:
    """What was looked at, which must be a number."""
    if hasattr(x, "backward") and not isinstance(x, Value):
        raise TypeError(f"{look} is a {type(x).__name__}, not a number")
    return float(x)


def outcome_here(example: Example, names: Mapping[str, Any]) -> Outcome:
    """The outcome of an engine of our own, in this process."""
    with few_objects() if "gc." in example.text else nullcontext():
        try:
            return Outcome(looked_at(example, run(example, names)))
        except Exception as error:
            return Outcome(error=f"{type(error).__name__}: {error}", category=category(error))


@contextmanager
def few_objects() -> Iterator[None]:
    """The garbage collector leaves alone what there is by now, which would take it long."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def in_one_line(tree: ast.Module) -> str:
    """The statements of a line as people write them."""
    return "; ".join(ast.unparse(statement).replace(":\n    ", ": ") for statement in tree.body)
