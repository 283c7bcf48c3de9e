"""A gradient in another shape than its input: the right numbers, or sums over other axes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations

import numpy as np

from microgrid.check.handwritten.results import SHAPE, TRANSPOSED, WRONG
from microgrid.check.handwritten.trial import Array


def about_shape(theirs: Array, right: Array, dout: Array, input: str) -> tuple[str, list[str]]:
    """The verdict on a gradient whose shape is not that of its input, and what it is.

    >>> about_shape(np.array([[1.0, 2.0]]), np.array([1.0, 2.0]), np.ones((1, 2)), "b")[0]
    'shape'
    """
    if theirs.shape == right.T.shape and right.ndim > 1 and near(theirs, right.T):
        return TRANSPOSED, ["it is the transpose of the gradient"]
    if theirs.size == right.size and near(theirs.ravel(), right.ravel()):
        return SHAPE, [f"the numbers are right: reshape it to {right.shape}"]
    if is_jacobian(theirs, right, dout):
        return WRONG, [
            "it is the Jacobian of each row, without dout: np.einsum('ni,nij->nj', dout, J)"
        ]
    return WRONG, [*sums(theirs, right, dout, input)][:1]


def is_jacobian(theirs: Array, right: Array, dout: Array) -> bool:
    """Whether it has the slopes of every output of a row, (N, C, C), not yet times dout."""
    rows = dout.ndim == 2 and theirs.shape == (*dout.shape, right.shape[-1])
    return rows and near(np.einsum("ni,nij->nj", dout, theirs), right)


def near(a: Array, b: Array) -> bool:
    """Whether two arrays are equal up to rounding.

    >>> near(np.ones(2), np.ones(2) + 1e-12), near(np.ones(2), np.ones((1, 2)))
    (True, False)
    """
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-8, atol=1e-10))


def axes(x: Array) -> list[tuple[int, ...]]:
    """Every choice of axes, one axis first, then two, …

    >>> axes(np.ones((3, 4)))
    [(0,), (1,), (0, 1)]
    """
    return [*chain.from_iterable(combinations(range(x.ndim), n) for n in range(1, x.ndim + 1))]


def named(which: tuple[int, ...]) -> str:
    """Axes as a sentence names them.

    >>> named((0,)), named((0, 2))
    ('axis 0', 'axes 0 and 2')
    """
    return f"ax{'i' if len(which) == 1 else 'e'}s {' and '.join(map(str, which))}"


def sums(theirs: Array, right: Array, dout: Array, input: str) -> Iterator[str]:
    """What their gradient is, if it is a sum that leaves out too many axes, too few or others."""
    if not theirs.any():
        yield "it is zero"
        return
    for which in axes(theirs):  # not summed
        if near(theirs.sum(which).ravel(), right.ravel()):
            yield f"it is not summed: {input} is used along {named(which)}, so sum over it"
        if near(theirs.mean(which).ravel(), right.ravel()):
            yield f"it is not averaged over {named(which)}"
    needed = [w for w in axes(dout) if near(dout.sum(w).ravel(), right.ravel())]
    for which in axes(dout):
        for word, total in (("sum", dout.sum(which)), ("mean", dout.mean(which))):
            if near(theirs.ravel(), total.ravel()):
                over = "all entries" if len(which) == dout.ndim else named(which)
                right_one = f": {input} needs the sum over {named(needed[0])}" if needed else ""
                yield f"it is the {word} of dout over {over}{right_one}"
    for which in axes(right):
        if near(theirs.ravel(), right.sum(which).ravel()):
            yield f"it is summed over {named(which)} of {input}, too"
