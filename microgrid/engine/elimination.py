"""Linear systems of Values: Gauss's elimination, which NumPy has for floats alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from microgrid.engine.array_ufuncs import unknown
from microgrid.engine.errors import ShapeError
from microgrid.engine.value_array import as_array, bare, numbers


def square(A: Any) -> Any:
    """A matrix, or a stack of them, as objects; ShapeError unless they are square."""
    A = np.asarray(bare(A), dtype=object)
    if A.ndim < 2 or A.shape[-1] != A.shape[-2]:
        raise ShapeError(f"a square matrix is needed, got shape {A.shape}")
    return A


def each(f: Callable[..., Any], *stacks: Any) -> Any:
    """f of each matrix of stacks, which are broadcast against each other."""
    outer = np.broadcast_shapes(*[S.shape[:-2] for S in stacks])
    if not outer:
        return f(*stacks)
    full = [np.broadcast_to(S, outer + S.shape[-2:]) for S in stacks]
    found = [f(*[S[i] for S in full]) for i in np.ndindex(outer)]
    made = np.empty((len(found), *np.shape(found[0])), dtype=object)
    for place, x in enumerate(found):
        made[place] = x
    return made.reshape(outer + made.shape[1:])


def eliminated(A: Any, B: Any) -> tuple[Any, Any, int]:
    """A as an upper triangle, B with the same steps, and the sign of the exchanges of rows.

    Each pivot is the largest number of its column. LinAlgError where all are 0.
    """
    A, B, sign = as_array(np.array(A)), as_array(np.array(B)), 1
    for k in range(len(A)):
        p = k + int(np.argmax(np.abs(numbers(A[k:, k]))))
        if numbers(A[p, k]) == 0:
            raise np.linalg.LinAlgError("Singular matrix")
        if p != k:
            A[[k, p]], B[[k, p]], sign = A[[p, k]], B[[p, k]], -sign
        for i in range(k + 1, len(A)):
            factor = A[i, k] / A[k, k]
            A[i, k:] = A[i, k:] - factor * A[k, k:]
            B[i] = B[i] - factor * B[k]
    return A, B, sign


def solved(A: Any, B: Any) -> Any:
    """X with A X = B, of one matrix A and the columns of B."""
    U, Y, _ = eliminated(A, B)
    for k in reversed(range(len(U))):
        for i in range(k + 1, len(U)):
            Y[k] = Y[k] - U[k, i] * Y[i]
        Y[k] = Y[k] / U[k, k]
    return bare(Y)


def solve(a: Any, b: Any) -> Any:
    """np.linalg.solve."""
    A, B = square(a), np.asarray(bare(b), dtype=object)
    if B.ndim == 1:
        return each(solved, A, B[:, None])[..., 0]
    return each(solved, A, B)


def inv(a: Any) -> Any:
    """np.linalg.inv."""
    A = square(a)
    return each(lambda M: solved(M, np.eye(len(M), dtype=object)), A)


def determinant(A: Any) -> Any:
    """The determinant of one matrix: a sum of products, right also where it is 0."""
    try:
        U, _, sign = eliminated(A, np.zeros((len(A), 0), dtype=object))
    except np.linalg.LinAlgError:
        return by_minors(A)
    y = sign
    for k in range(len(U)):
        y = y * U[k, k]
    return y


def by_minors(A: Any) -> Any:
    """The determinant by its first row."""
    if len(A) == 1:
        return A[0, 0]
    rest = [np.delete(A[1:], j, axis=1) for j in range(len(A))]
    return sum([(-1) ** j * A[0, j] * by_minors(M) for j, M in enumerate(rest)])


def det(a: Any) -> Any:
    """np.linalg.det."""
    return each(determinant, square(a))


class Slogdet(NamedTuple):
    """The sign of a determinant, and the logarithm of its size."""

    sign: Any
    logabsdet: Any


def slogdet(a: Any) -> Slogdet:
    """np.linalg.slogdet."""
    d = as_array(np.asarray(det(a), dtype=object))
    return Slogdet(np.sign(numbers(d))[()], np.log(abs(d)))


def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """np.linalg.cholesky."""
    L = each(triangle, square(a))
    return np.swapaxes(L, -1, -2) if upper else L


def triangle(A: Any) -> Any:
    """L with L Lᵀ = A, a lower triangle."""
    L = np.zeros(A.shape, dtype=object)
    for i in range(len(A)):
        for j in range(i + 1):
            rest = A[i, j] - sum([L[i, k] * L[j, k] for k in range(j)])
            if i == j and not numbers(as_array(np.array([rest], dtype=object)))[0] > 0:
                raise np.linalg.LinAlgError("Matrix is not positive definite")
            L[i, j] = rest**0.5 if i == j else rest / L[j, j]
    return L


def pinv(a: Any, *args: Any, **options: Any) -> Any:
    """np.linalg.pinv of a matrix whose rows or columns are independent."""
    A = as_array(np.asarray(bare(a), dtype=object))
    T = np.swapaxes(A, -1, -2)
    return T @ as_array(inv(A @ T)) if A.shape[-2] < A.shape[-1] else as_array(inv(T @ A)) @ T


def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, int, Any]:
    """np.linalg.lstsq of independent columns, without the singular values."""
    A, B = [as_array(np.asarray(bare(x), dtype=object)) for x in (a, b)]
    if A.shape[0] < A.shape[1]:
        raise unknown("np.linalg.lstsq with fewer rows than columns")
    X = as_array(solve(A.T @ A, A.T @ B))
    apart = B - A @ X
    return X, np.sum(apart * apart, axis=0), A.shape[1], None
