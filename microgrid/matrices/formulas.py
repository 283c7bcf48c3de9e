"""The closed forms that the scalar graph must agree with, in plain NumPy.

Sources: the lecture notes on Y = XW + B (row convention) and Y = WX (column convention).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from microgrid.engine.errors import ShapeError
from microgrid.engine.lazy import public
from microgrid.matrices.arrays import Array, check_affine

__all__ = ["affine_backward", "affine_forward", "append_ones", "matmul_backward"]
__dir__ = public(__name__)


def affine_forward(X: Any, W: Any, b: Any) -> Array:
    """Y = XW + b, with b added to every row: (N, D)·(D, M) + (M,) → (N, M).

    ShapeError where the shapes do not fit; so do the functions below. See also `affine_backward`,
    and `microgrid.affine`, which makes this of Values.

    >>> affine_forward([[1, 2]], [[3, 4, 5], [6, 7, 8]], [0, 0, 1]).tolist()
    [[15, 18, 22]]
    """
    X, W, b = np.asarray(X), np.asarray(W), np.asarray(b)
    check_affine(X, W, b)
    Y: Array = X @ W + b
    return Y


def affine_backward(X: Any, W: Any, b: Any, dY: Any) -> tuple[Array, Array, Array]:
    """dX = dY Wᵀ (N, D), dW = Xᵀ dY (D, M) and db = 1ᵀ dY in the shape of b.

    X is (N, D), W (D, M) and dY (N, M); ShapeError for others. `derive.affine` shows why.

    >>> dX, dW, db = affine_backward([[1, 2]], [[3, 4, 5], [6, 7, 8]], [0, 0, 0], [[1, 10, 100]])
    >>> dX.tolist(), dW.tolist(), db.tolist()
    ([[543, 876]], [[1, 10, 100], [2, 20, 200]], [1, 10, 100])
    """
    X, W, b, dY = np.asarray(X), np.asarray(W), np.asarray(b), np.asarray(dY)
    check_affine(X, W, b)
    check_upstream(dY, (X.shape[0], W.shape[1]))
    ones = np.ones(len(dY), dtype=dY.dtype)
    return dY @ W.T, X.T @ dY, (ones @ dY).reshape(b.shape)


def matmul_backward(W: Any, X: Any, dY: Any) -> tuple[Array, Array]:
    """For Y = WX: dW = dY Xᵀ (M, N) and dX = Wᵀ dY (N, K).

    W is (M, K), X (K, N) and dY (M, N); ShapeError for others. `derive.matmul` shows why. To
    remember it: swap the operand with its gradient, transpose the other, keep it on its side.

    >>> dW, dX = matmul_backward([[1, 2]], [[3], [4]], [[10]])
    >>> dW.tolist(), dX.tolist()
    ([[30, 40]], [[10], [20]])
    """
    W, X, dY = np.asarray(W), np.asarray(X), np.asarray(dY)
    if W.ndim != 2 or X.ndim != 2 or W.shape[1] != X.shape[0]:
        raise ShapeError(
            f"WX: W has shape {W.shape} and X {X.shape}; the columns of W must be as many as the "
            "rows of X"
        )
    check_upstream(dY, (W.shape[0], X.shape[1]))
    return dY @ X.T, W.T @ dY


def append_ones(X: Any) -> Array:
    """X with a column of ones: [X 1]·[W; b] = XW + b, so db is the last row of d[W; b].

    (N, D) → (N, D + 1); ShapeError for what is no matrix. From the lecture notes on the affine
    layer; as a graph it is `examples.appended_one_circuit`.

    >>> append_ones([[1, 2], [3, 4]]).tolist()
    [[1, 2, 1], [3, 4, 1]]
    """
    X = np.asarray(X)
    if X.ndim != 2:
        raise ShapeError(f"append_ones needs a matrix with a row per sample, got shape {X.shape}")
    return np.hstack([X, np.ones((len(X), 1), dtype=X.dtype)])


def check_upstream(dY: Array, shape: tuple[int, int]) -> None:
    if dY.shape != shape:
        raise ShapeError(f"dY has shape {dY.shape}; it must have the shape of Y, {shape}")
