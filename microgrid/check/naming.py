"""The name of a mistake: the engine of the museum that gives the same wrong numbers.

A mistake is a candidate if the museum's engine with it gives the same outcome of the failing
program. Then both run a handful of probes. The probes that the mistake gets wrong are its symptoms:
the more of them the checked engine shows, the likelier is the mistake.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from microgrid.check.capabilities import OPERATIONS
from microgrid.check.example import Example, Failure, Outcome, expected, outcome_here, sensible
from microgrid.check.museum import MUSEUM, Mistake, composed, namespace
from microgrid.check.properties import PROPERTIES, Property, leaves
from microgrid.check.strategies import LEAVES

ENOUGH = 0.8  # of the symptoms of a mistake
Ask = Callable[[Example], Outcome]


@dataclass(frozen=True)
class Diagnosis:
    """A likely mistake, and the engine of the museum that has it in the same operation.

    It is likely, not certain: the engine of the museum gave the same wrong numbers, and agreed on
    most of the programs that tell mistakes apart. `mistake.hint` says what to change.

    >>> from microgrid.check import check, museum
    >>> report = check(museum.broken("overwrites", "add"), only=["reuse"])
    >>> diagnosis = report.findings[0].diagnosis
    >>> diagnosis, diagnosis.engine
    (<Diagnosis 'overwrites'>, <class 'microgrid.check.museum.mistakes.overwrites...'>)
    >>> print(diagnosis.mistake.hint)
    Every use of a node sends a share: use `+=` where you wrote `=`.
    """

    mistake: Mistake
    engine: Any

    def __repr__(self) -> str:
        return f"<Diagnosis {self.mistake.name!r}>"

    def _explains(self, failure: Failure) -> bool:
        """Whether this mistake alone gives the same wrong numbers."""
        museum = museum_outcome(self.engine, failure.example)
        return same(failure.actual, museum, failure.expected)


def diagnose(failure: Failure, subject: str, found_by: Property, ask: Ask) -> Diagnosis | None:
    """The most likely mistake, or None for one that the museum does not have.

    Of mistakes that agree as often, the one that this property is made to find comes first.
    """
    if failure.actual.stopped:
        return None
    probes = GENERAL + probes_of(subject) if subject in OPERATIONS else GENERAL
    ranked = [
        ((*likeness(x.engine, probes, ask), x.mistake.caught == found_by.name), x)
        for x in candidates(subject, found_by.kind)
        if not (failure.convention and x.mistake.caught != found_by.name) and x._explains(failure)
    ]
    if not ranked:
        return None
    (symptoms, *_), best = max(ranked, key=lambda entry: entry[0])
    return best if symptoms >= ENOUGH else None


def candidates(subject: str, kind: str) -> Iterator[Diagnosis]:
    """The mistakes that this operation can have, each on an engine of both kinds of operators."""
    op = OPERATIONS[subject].entry.name if subject in OPERATIONS else subject
    for mistake in MUSEUM.values():
        possible = mistake.operations is None or mistake.operations(op)
        if possible and PROPERTIES[mistake.caught].kind == kind:
            for engine in mistake.engines(op):
                yield from (Diagnosis(mistake, engine), Diagnosis(mistake, composed(engine)))


def likeness(engine: Any, probes: Sequence[Example], ask: Ask) -> tuple[float, float]:
    """Which part of the symptoms the checked engine shows, and how often both agree at all."""
    shown, symptoms, agreed = 1, 1, 0  # the failing program is one
    for probe in probes:
        museum = museum_outcome(engine, probe)
        alike = same(ask(probe), museum, expected(probe))
        agreed += alike
        if not expected(probe).agrees(museum):
            symptoms += 1
            shown += alike
    return shown / symptoms, agreed / len(probes)


def same(actual: Outcome, museum: Outcome, expected: Outcome) -> bool:
    """Whether two outcomes agree, up to the rounding of the expected one."""
    if actual.error or museum.error:
        return actual.kind == museum.kind
    return replace(expected, numbers=museum.numbers).agrees(actual)


@lru_cache(maxsize=8192)
def museum_outcome(engine: Any, example: Example) -> Outcome:
    return outcome_here(example, namespace(engine))


def probe(lines: str, names: str = "x") -> Example:
    return Example((lines,), tuple(f"{name}.grad" for name in names))


POINTS = ((0.3, 0.5), (1.2, 0.5), (2.0, -0.5), (-0.8, -0.3), (-3.0, 0.5))
GENERAL = (
    probe("x = Value(2); x.backward()"),
    probe("x = Value(2); y = Value(3); f = x + y; f.backward()", "xy"),
    probe("x = Value(2); y = Value(3); f = x * y; f.backward()", "xy"),
    probe("x = Value(5); y = Value(3); f = x - y; f.backward()", "xy"),
    probe("x = Value(3); f = x + x; f.backward()"),
    probe("x = Value(3); f = x * x; f.backward()"),
    probe("x = Value(1); f = (x * 2) * 3; f.backward()"),
    probe("x = Value(1); f = x * 2; f.backward(); f.backward()"),
    probe("x = Value(1); (x * 2).backward(); (x * 3).backward()"),
    probe("x = Value(3); h = x * 2; (h * h).backward(); (h * 5).backward()"),
    probe("x = Value(2); y = Value(2); f = (x + 1) * (y + 1); f.backward()", "xy"),
    probe("x = Value(1); h = x + x; f = h + h; f.backward()"),
    probe("x = Value(1); h = x * 2; f = h + h * 3; f.backward()"),
    probe("x = Value(1); h = x * 2; f = h * 3 + h; f.backward()"),
    probe("x = Value(2); h = x * x; f = (h * x + h) * h; f.backward()"),
    probe("x = Value(1); h = x * 2; k = h + 1; f = k * h + k; f.backward()"),
    probe("x = Value(3); y = x * 1; y += x; y.backward()"),
    probe("x = Value(2); (x * 2).backward(); x.grad = 0; (x * 3).backward()"),
)


@lru_cache(maxsize=256)
def probes_of(subject: str) -> tuple[Example, ...]:
    """One use of an operation as the first, last and inner gate, once and twice, at five points."""
    operation = OPERATIONS[subject]
    found = []
    for (start, step), exponent in zip(POINTS, ("3", "2", "0.5", "-1", "2")):
        xs = {name: start + step * i for i, name in enumerate(LEAVES[: operation.arity or 2])}

        def used(*names: str, n: str = exponent) -> str:
            return operation.write(*([names[0], n] if operation.plain else names))

        one, inner = used(*xs), used(*(f"{x} * 0.5" for x in xs))
        for text in (one, f"({one}) * 3", f"{one} + {one}", inner):
            line = f"{leaves(xs)}; f = {text}; f.backward()"
            found.append(probe(line, "".join(xs)))
    return tuple(example for example in found if sensible(example, math.inf))
