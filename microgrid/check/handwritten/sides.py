"""A gradient from both sides, theirs and the right one, and how far they may be apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from microgrid.check.handwritten.trial import Array

DOUBLE, SINGLE = 1e-9, 1e-5  # of the sum of |terms|
GUARDED = 1e-3  # what a guard like the 1e-7 of log(p + 1e-7) may change of a gradient


def is_single(x: Any) -> bool:
    """Whether an array, or a number, has less than the precision of a double.

    >>> is_single(np.float32(1)), is_single(np.ones(2)), is_single(1.0)
    (True, False, False)
    """
    dtype = getattr(x, "dtype", None)
    return isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize < 8


@dataclass
class Sides:
    """Their gradient of one input beside the right one, at one upstream gradient.

    `right` and `scale`, Σ |terms| of each entry, have the shape of the input; `theirs` any.

    >>> sides = Sides(np.array([1.0, 2.5]), np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    >>> sides.wrong, sides.error
    (array([False,  True]), 0.25)
    """

    theirs: Array
    right: Array
    scale: Array
    tolerance: float = DOUBLE

    @property
    def wrong(self) -> Array:
        """Which entries are wrong; the shapes are equal."""
        floor = 0.01 * self.scale.max(initial=0.0) + 1e-9
        with np.errstate(invalid="ignore"):
            off = np.abs(self.theirs - self.right)
        return np.asarray(~(off <= self.tolerance * (self.scale + floor)))

    @property
    def error(self) -> float:
        """The largest difference, over the sum of |terms|."""
        off = np.abs(self.theirs - self.right) / (self.scale + 1e-300)
        return float(np.max(off[self.scale > 0], initial=0.0))

    @property
    def apart(self) -> float:
        """The largest difference, over the largest sum of |terms|."""
        off = np.abs(self.theirs - self.right).max(initial=0.0)
        return float(off / (self.scale.max(initial=0.0) + 1e-300))

    @property
    def almost_equal(self) -> bool:
        """Whether they differ by no more than a guard changes, beside the largest entry."""
        return self.apart <= GUARDED
