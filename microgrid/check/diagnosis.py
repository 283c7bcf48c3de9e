"""The name of a mistake: the engines of the museum that give the same wrong numbers.

An exhibit is a candidate if it answers the failing program as the engine did. Then both answer a
handful of probes; what speaks for an exhibit is that the engine shows its symptoms, the probes that
the exhibit gets wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from microgrid.check.dialect import OPERATIONS
from microgrid.check.museum import MUSEUM, Exhibit, composed, namespace
from microgrid.check.properties import PROPERTIES, Property, leaves
from microgrid.check.strategies import LEAVES
from microgrid.check.trial import Failure, Outcome, Trial, Truth, answer, sensible, truth

ENOUGH = 0.8  # of an exhibit's symptoms
Ask = Callable[[Trial], Outcome]


@dataclass(frozen=True)
class Diagnosis:
    """A likely mistake, and the engine of the museum that has it in the same operation."""

    exhibit: Exhibit
    engine: Any

    def explains(self, failure: Failure) -> bool:
        """Whether this mistake alone gives the same wrong numbers."""
        return same(museum_answer(self.engine, failure.trial), failure.came, failure.right)


def diagnose(failure: Failure, subject: str, found_by: Property, ask: Ask) -> Diagnosis | None:
    """The most likely mistake, or None for one that the museum does not have.

    Between exhibits that agree as often, the one that this property is there to find comes first.
    """
    if failure.came.stopped:
        return None
    ranked: list[tuple[tuple[float, float, bool], Diagnosis]] = []
    probes = [*GENERAL, *probes_of(subject)] if subject in OPERATIONS else list(GENERAL)
    for exhibit, engine in candidates(subject, found_by.kind):
        diagnosis = Diagnosis(exhibit, engine)
        if failure.convention and exhibit.caught != found_by.name:
            continue
        if diagnosis.explains(failure):
            likely = (*likeness(engine, probes, ask), exhibit.caught == found_by.name)
            ranked.append((likely, diagnosis))
    if not ranked:
        return None
    (symptoms, *_), best = max(ranked, key=lambda entry: entry[0])
    return best if symptoms >= ENOUGH else None


def candidates(subject: str, kind: str) -> Iterator[tuple[Exhibit, Any]]:
    """The exhibits that this operation can have, with operators of their own or composed ones."""
    op = OPERATIONS[subject].entry.name if subject in OPERATIONS else subject
    for exhibit in MUSEUM.values():
        if PROPERTIES[exhibit.caught].kind != kind:
            continue
        if exhibit.operations is None or exhibit.operations(op):
            engine: Any = exhibit.make(op) if exhibit.operations else exhibit.make()
            yield exhibit, engine
            yield exhibit, composed(engine)


def likeness(engine: Any, probes: list[Trial], ask: Ask) -> tuple[float, float]:
    """How many of an exhibit's symptoms the checked one shows, and how often they agree at all."""
    shown, symptoms, agreed = 1, 1, 0  # the failing program is one
    for probe in probes:
        right = truth(probe)
        ours = museum_answer(engine, probe)
        alike = same(ask(probe), ours, right)
        agreed += alike
        if not right.agrees(ours):
            symptoms += 1
            shown += alike
    return shown / symptoms, agreed / len(probes)


def same(came: Outcome, other: Outcome, right: Truth) -> bool:
    if came.error or other.error:
        return came.kind == other.kind
    return Truth(other.numbers, right.scale).agrees(came)


@lru_cache(maxsize=8192)
def museum_answer(engine: Any, trial: Trial) -> Outcome:
    return answer(trial, namespace(engine))


def probe(lines: str, names: str = "x") -> Trial:
    return Trial(tuple(lines.split("\n")), tuple(f"{name}.grad" for name in names))


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
def probes_of(subject: str) -> tuple[Trial, ...]:
    """One use of an operation, first, last and in the middle, once and twice, at several points."""
    operation = OPERATIONS[subject]
    found = []
    for (start, step), exponent in zip(POINTS, ("3", "2", "0.5", "-1", "2")):
        xs = {name: start + step * i for i, name in enumerate(LEAVES[: operation.arity or 2])}

        def used(*names: str, n: str = exponent) -> str:
            return operation.write(*([names[0], n] if operation.plain else names))

        one, inner = used(*xs), used(*(f"{x} * 0.5" for x in xs))
        for text in (one, f"({one}) * 3", f"{one} + {one}", inner):
            found.append(
                probe(f"{leaves(list(xs.values()))}; f = {text}; f.backward()", "".join(xs))
            )
    return tuple(trial for trial in found if sensible(trial, math.inf))
