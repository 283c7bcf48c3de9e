"""Inputs that are too large for a forward on Values: a number there takes a microsecond or more."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from microgrid.check.handwritten.trial import Array, LayerError, Trial

MOST_PRODUCTS = 400_000  # of two numbers
MOST_SLOPES = 400_000_000  # of every output by every entry of the inputs
SMALL = (3, 4, 5, 7)


def refuse_too_large(trial: Trial, outputs: Sequence[Array]) -> None:
    """LayerError if their forward on Values would take minutes, by the sizes of its arrays.

    >>> from microgrid.check.handwritten.trial import Pass
    >>> x = np.ones((2000, 2000))
    >>> double = Trial("double", {"x": x}, lambda d: Pass([2 * d["x"]], lambda u: {}))
    >>> refuse_too_large(double, [2 * x])
    Traceback (most recent call last):
        ...
    microgrid.check.handwritten.trial.LayerError: x (2000, 2000) is too large to run on Values: ...
    """
    made = sum(np.size(y) for y in outputs)
    slopes = made * sum(np.size(x) for x in trial.inputs.values())
    if slopes <= MOST_SLOPES and products(trial, outputs) <= MOST_PRODUCTS:
        return
    name, x = max(trial.inputs.items(), key=lambda pair: np.size(pair[1]))
    small = (*SMALL, *range(8, 8 + np.ndim(x)))[: np.ndim(x)]
    raise LayerError(
        f"{name} {np.shape(x)} is too large to run on Values: give small shapes, as in "
        f"{name}={small}, which show the same mistakes"
    )


def products(trial: Trial, outputs: Sequence[Array]) -> float:
    """How many numbers are multiplied, about: N·D·M for (N, D) @ (D, M), and never fewer than made.

    That is the root of the sizes of both factors and of what comes out.
    """
    arrays = [x for x in trial.inputs.values() if np.ndim(x) > 1]
    pairs = [(a, b) for a, b in combinations(arrays, 2) if np.shape(a) != np.shape(b)]
    made = [np.size(y) for y in outputs]
    return max(
        [float(np.sqrt(1.0 * np.size(a) * np.size(b) * n)) for a, b in pairs for n in made]
        + [float(sum(made))]
    )
