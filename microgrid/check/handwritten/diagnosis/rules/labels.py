"""Losses of class numbers: what is wrong at the right classes, or at the others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Draw, Guess, predicts
from microgrid.check.handwritten.diagnosis.rules.factors import known
from microgrid.check.handwritten.trial import Array


def labels(case: Case) -> Iterator[Guess]:
    """Each entry of the input is a sample's score of a class."""
    draw = case.draws[0]
    shape = case.first.shape
    if len(shape) != 2 or case.theirs.shape != shape:
        return
    for name, y in class_numbers(case, shape):
        own = np.zeros(shape, bool)
        own[np.arange(shape[0]), y] = True
        column = np.zeros(shape, bool)
        column[:, y] = True
        D = (case.theirs - case.right).ravel()
        parts = [(column & ~own, f"in whole columns: {case.gradient}[:, {name}] stands for"
                  f" {case.gradient}[np.arange(N), {name}]")]  # fmt: skip
        parts += [
            (own, f"for the right class of each sample, {case.gradient}[np.arange(N), {name}]")
        ]
        parts += [(~own, "for the classes that are not the right one of a sample")]
        for part, where in parts:
            if part.all() or not apart(draw, ~part):
                continue
            yield from constants(D, part, where, case)
            if not case.theirs[part].any():
                where += ", where yours is 0"
            elif part is parts[0][0]:
                continue
            yield Guess(f"it is wrong only {where}", lambda d, part=part: apart(d, ~part))  # type: ignore[misc]


def constants(D: Array, part: Array, where: str, case: Case) -> Iterator[Guess]:
    """The same number too much in all entries of a part."""
    off = D[part.ravel()]
    if len(off) and np.ptp(off) <= 1e-9 * np.abs(off).max() and np.abs(off).max() > 0:
        c = float(off[0])
        name = known(case, abs(c), False)
        size = f"{abs(c):.4g}" + (f" = {name}" if name and name != f"{abs(c):.4g}" else "")
        yield predicts(
            f"{size} too {'much' if c > 0 else 'little'} {where}",
            lambda world, dout: world.right(dout) + np.where(part.ravel(), c, 0.0),
        )


def columns(case: Case) -> Iterator[Guess]:
    """The last axis of the input are the classes, as of the weights of a linear classifier."""
    shape = case.first.shape
    if len(shape) != 2 or case.theirs.shape != shape:
        return
    for name, y in class_numbers(case, None):
        for axis in (1, 0):
            if y.max() >= shape[axis]:
                continue
            part = np.zeros(shape, bool)
            part[(slice(None), y) if axis else y] = True
            index = f"[:, {name}]" if axis else f"[{name}]"
            if not part.all() and apart(case.draws[0], ~part):
                yield Guess(
                    f"it is wrong only in {case.gradient}{index}:"
                    " for classes that are the right one of a sample",
                    lambda d, part=part: apart(d, ~part),  # type: ignore[misc]
                )


def class_numbers(case: Case, shape: tuple[int, ...] | None) -> Iterator[tuple[str, Array]]:
    """The vectors of class numbers that their forward has names for."""
    for name, a in case.first.held.items():
        y = np.asarray(a)
        if y.dtype.kind in "iu" and y.ndim == 1 and y.size > 1 and name not in case.trial.inputs:
            y = y.astype(int)
            fits = shape is None or (len(y) == shape[0] and y.max() < shape[1])
            if fits and y.min() >= 0 and y.any():
                yield name, y


def apart(draw: Draw, right: Array) -> bool:
    """Whether theirs is right where `right` holds, and wrong elsewhere."""
    gap = np.abs(draw.theirs.ravel() - draw.right)
    good = gap <= draw.tolerance
    return bool(good[right.ravel()].all() and (~good)[~right.ravel()].any())
