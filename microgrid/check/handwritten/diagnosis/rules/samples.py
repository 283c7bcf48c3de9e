"""Terms between samples that do not belong, or between slices of any axis that are missing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Draw, Guess
from microgrid.check.handwritten.trial import Array


def mixed(case: Case) -> Iterator[Guess]:
    """Samples get terms of others, or slices of an axis do not get those that they should.

    The first is told of samples only: of another axis it holds for all dense wrong gradients.
    """
    S, J = case.S, case.J
    shapes = case.first.shapes
    if S is None or len(shapes) != 1:
        return
    for axis, (n, m) in enumerate(zip(shapes[0], case.first.shape)):
        if n != m or n < 2:
            continue
        apart = across(case, axis)
        sample = axis == 0 and n == case.trial.samples
        if sample and not J[apart].any() and S[apart].any():
            words = (
                "a sample of yours has terms of other samples of the output, which do not belong"
            )
            yield Guess(words, lambda draw, axis=axis: mixes(draw, axis))  # type: ignore[misc]
        elif J[apart].any() and not S[apart].any():
            others = "samples" if sample else f"slices along axis {axis}"
            words = f"the terms of other {others} are missing: each is alone in yours"
            yield Guess(words, lambda draw, axis=axis: not mixes(draw, axis))  # type: ignore[misc]


def across(case: Case, axis: int) -> Array:
    """Where the row and the column of J belong to different slices."""
    out = np.indices(case.first.shapes[0])[axis].ravel()
    into = np.indices(case.first.shape)[axis].ravel()
    result: Array = out[:, None] != into[None, :]
    return result


def mixes(draw: Draw, axis: int) -> bool:
    """Whether theirs changes in the first slice where dout does in the others."""
    shape = draw.world.shapes[0]
    first = np.indices(shape)[axis].ravel() == 0
    alone = draw.world.theirs(np.where(first, draw.dout, 0.0))
    return not draw.same(np.take(alone, 0, axis).ravel(), np.take(draw.theirs, 0, axis))
