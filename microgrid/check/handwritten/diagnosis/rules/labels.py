"""Losses of class numbers: what is wrong at the right classes, or at the others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Draw, Guess, predicts
from microgrid.check.handwritten.diagnosis.rules.named_numbers import known
from microgrid.check.handwritten.trial import Array


class Part(NamedTuple):
    """Some entries of a gradient, flat, and where they are in words."""

    entries: Array
    where: str


def labels(case: Case) -> Iterator[Guess]:
    """A number too much; each entry of the input is a sample's score of a class."""
    for part in chain(*parts(case)):
        yield from shifted(case, part)


def elsewhere(case: Case) -> Iterator[Guess]:
    """All that is wrong are the right classes, or the others."""
    for _, *both in parts(case):
        for part in both:
            zero = "" if case.theirs.ravel()[part.entries].any() else ", where yours is 0"
            yield Guess(
                f"it is wrong only {part.where}{zero}",
                lambda draw, part=part: apart(draw, ~part.entries),  # type: ignore[misc]
            )


def parts(case: Case) -> Iterator[tuple[Part, Part, Part]]:
    """For each vector of class numbers: whole columns, the right classes, all other entries."""
    shape = case.first.shape
    for name, y in case.first.held.items() if len(shape) == 2 else ():
        if y.dtype.kind not in "iu" or y.shape != shape[:1] or name in case.trial.inputs:
            continue
        if y.min() >= 0 and y.max() < shape[1] and y.any():
            own, column = np.zeros(shape, bool), np.zeros(shape, bool)
            own[np.arange(len(y)), y] = True
            column[:, y] = True
            index = f"{case.gradient}[np.arange(N), {name}]"
            whole = f"in whole columns: {case.gradient}[:, {name}] stands for {index}"
            others = "for the classes that are not the right one of a sample"
            yield (
                Part((column & ~own).ravel(), whole),
                Part(own.ravel(), f"for the right class of each sample, {index}"),
                Part(~own.ravel(), others),
            )


def shifted(case: Case, part: Part) -> Iterator[Guess]:
    """The same number is too much in all entries of a part."""
    off = (case.theirs - case.right).ravel()[part.entries]
    if not off.size or np.ptp(off) > 1e-9 * np.abs(off).max() or not off.any():
        return
    c = float(off[0])
    name, number = known(case, abs(c), False), f"{abs(c):.4g}"
    size = number + (f" = {name}" if name and name != number else "")
    yield predicts(
        f"{size} too {'much' if c > 0 else 'little'} {part.where}",
        lambda world, dout: world.right(dout) + np.where(part.entries, c, 0.0),
    )


def apart(draw: Draw, right: Array) -> bool:
    """Whether theirs is right where `right` holds, and wrong elsewhere."""
    good = np.abs(draw.theirs.ravel() - draw.right) <= draw.tolerance
    return bool(good[right].all() and (~good)[~right].any())
