"""Two mistakes in one gradient: one is taken as made, and the rules look for the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, predicts
from microgrid.check.handwritten.diagnosis.rules import formulas, labels, named_numbers, paths
from microgrid.check.handwritten.diagnosis.rules_in_order import Beside, Rule, beside
from microgrid.check.handwritten.diagnosis.world import Change, World
from microgrid.check.handwritten.trial import Array

LARGEST = 20_000  # terms


def two_mistakes(case: Case) -> list[str]:
    """The sentence on two mistakes that explain theirs only together, if there are such."""
    if case.J.size > LARGEST:
        return []
    changes = []
    for c in (*scales(case), *others(case)):
        with suppress(Exception):  # their code may fail on what is tried
            changes.append((c, case.changed(c)))
    for change, _ in changes:
        if case.holds(predicts("", lambda w, dout, c=change: w.changed(c).right(dout))):  # type: ignore[misc]
            return [change.sentence]
    few = [(change, changed) for change, changed in changes if change.cut is None]
    for speed in (Beside.QUICK, Beside.SLOW, Beside.SLOWEST):
        for change, changed in changes if speed == Beside.QUICK else few:
            for rule in beside(speed):
                if said := first(changed, rule):
                    return [f"two mistakes: {change.sentence}; but for that {said}"]
    return []


def first(case: Case, rule: Rule) -> str:
    """What a rule says that holds."""
    with suppress(Exception):  # their code may fail on what is tried
        for guess in rule(case):
            if case.holds(guess):
                return guess.sentence
    return ""


def scales(case: Case) -> Iterator[Change]:
    """A factor everywhere."""
    N = case.trial.samples
    n = f"{N}" if named_numbers.is_written(case, N) else f"N = {N}"
    numbers = {
        -1.0: "the sign is wrong", 1 / N: f"it is divided by {n} once too often",
        float(N): f"a division by {n} is missing", 0.5: "it is halved", 2.0: "it is doubled",
    }  # fmt: skip
    yield from (Change(text, rows=partial(always, c)) for c, text in numbers.items() if c != 1)


def always(c: float, world: object) -> float:
    return c


def others(case: Case) -> Iterator[Change]:
    """A factor that is missing, or a path, or what is added."""
    if case.S is None and not case.trial.loss:
        yield Change("something is added that has nothing to do with dout", plus=at_zero)
    for name, value in named_numbers.settings(case).items() if case.trial.loss else ():
        for k, before in ((1.0, ""), (2.0, "2 · "), (0.5, "½ · ")):
            term = f"{before}{name} · {case.input}"
            yield Change(f"{term} is missing", plus=partial(inputs, -k * value))
            yield Change(f"{term} is too much", plus=partial(inputs, k * value))
    if len(case.first.shapes) == 1 and not case.trial.loss:
        for text, of in formulas.factors(case, case.first.shapes[0], ["{}"]):
            yield Change(text.split(": ")[1], rows=of)
    for text, of in formulas.factors(case, case.first.shape, ["{}"]):
        yield Change(text.split(": ")[1], columns=of)
    for _, own, rest in labels.parts(case):
        for part in (own, rest):
            if not case.theirs.ravel()[part.entries].any():
                yield Change(f"it is 0 {part.where}", columns=partial(only, ~part.entries))
    N = case.trial.samples
    for path in [*paths.by_line(case), *paths.by_operand(case)]:
        for c in (0.0, 2.0, -1.0, 0.5, N / max(N - 1, 1), 1 / N, float(N)):
            if c != 1:
                told = paths.told(case, [path], np.array([c - 1]))
                yield Change(told, cut=path.nodes, times=c)


def at_zero(world: World) -> Array:
    return world.theirs(np.zeros(len(world.exact.outputs))).ravel()


def only(entries: Array, world: World) -> Array:
    return entries


def inputs(c: float, world: World) -> Array:
    result: Array = c * np.ravel(world.trial.inputs[world.input])
    return result
