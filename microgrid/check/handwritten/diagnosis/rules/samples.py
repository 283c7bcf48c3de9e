"""Terms between samples that do not belong, or between slices of any axis that are missing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Draw, Guess
from microgrid.check.handwritten.trial import Array


def mixed(case: Case) -> Iterator[Guess]:
    """Slices of the input get terms of other slices of the output, or none, as they should not.

    The first holds for all dense wrong gradients: it is told of samples, and of an axis of which
    the others are right to be apart.
    """
    S, J = case.S, case.J
    shapes = case.first.shapes
    if S is None or len(shapes) != 1:
        return
    pairs = enumerate(zip(shapes[0], case.first.shape))
    apart = {axis: across(case, axis) for axis, (n, m) in pairs if n == m > 1}
    kept = [axis for axis, other in apart.items() if not J[other].any() and not S[other].any()]
    for axis, other in apart.items():
        sample = axis == 0 and shapes[0][0] == case.trial.samples
        what, others = ("sample", "samples") if sample else ("slice", f"slices along axis {axis}")
        if (sample or kept) and not J[other].any() and S[other].any():
            words = (
                f"a {what} of yours has terms of other {others} of the output, which do not belong"
            )
            yield Guess(words, lambda draw, axis=axis: mixes(draw, axis))  # type: ignore[misc]
        elif J[other].any() and not S[other].any():
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
