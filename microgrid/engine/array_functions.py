"""NumPy's other functions on arrays of Values: var, norm, sort, …

Most are NumPy's own code, which arrives at functions of entries (array_ufuncs.py). Here are those
that ask about the numbers, put entries in order, or are compiled for floats alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microgrid.engine import elimination
from microgrid.engine.array_ufuncs import no_room, unknown
from microgrid.engine.value_array import as_array, bare, numbers

Function = Callable[..., Any]
ASKED = {  # they get the numbers of all that they are given
    "argmax", "argmin", "nanargmax", "nanargmin", "argsort", "argpartition", "lexsort",
    "searchsorted", "digitize", "histogram", "histogram2d", "histogramdd", "histogram_bin_edges",
    "bincount", "count_nonzero", "isclose", "allclose", "array_equal", "array_equiv", "isin",
    "iscomplex", "isreal", "isposinf", "isneginf", "result_type",
}  # fmt: skip

CHANGING = {"copyto", "put", "place", "putmask", "put_along_axis"}  # they write into the first


def called(f: Any, args: Any, options: Any) -> Any:
    """What f(*args, **options) gives where an argument is an array of Values."""
    name = f.__name__
    if name in CHANGING and getattr(args[0], "dtype", np.dtype(object)).kind != "O":
        raise no_room(args[0])
    if name in ASKED:
        return f(*asked(args), **asked(options))
    own = FUNCTIONS.get(name)
    if own is not None:
        return dressed(own(*args, **options))
    try:
        return dressed(f._implementation(*args, **options))
    except TypeError as error:
        if any(told in str(error) for told in COMPILED):
            raise unknown(f"np{f.__module__.removeprefix('numpy')}.{name}") from None
        raise


# What NumPy says where only compiled code for floats would do.
COMPILED = ("Cannot cast", "not supported for the input types", "no callable", "unsupported in")


def dressed(x: Any) -> Any:
    """Object arrays in a result as arrays of Values."""
    if isinstance(x, np.ndarray):
        return as_array(x)
    if isinstance(x, list | tuple):
        return getattr(type(x), "_make", type(x))([dressed(y) for y in x])
    return x


def asked(x: Any) -> Any:
    """A structure of arguments with the numbers of each array of Values."""
    if isinstance(x, list | tuple):
        return type(x)([asked(y) for y in x])
    if isinstance(x, dict):
        return {key: asked(y) for key, y in x.items()}
    return numbers(x)


def filled(fill: Any, x: Any, shape: Any, dtype: Any) -> Any:
    """An array like x; one of floats has room for Values."""
    whole = dtype is not None and np.dtype(dtype).kind not in "fO"
    made = np.empty(np.shape(x) if shape is None else shape, dtype=dtype if whole else object)
    made[...] = fill
    return made


def like(fill: int) -> Function:
    """zeros_like, ones_like, empty_like."""

    def made(a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None,
             *, device: Any = None) -> Any:  # fmt: skip
        return filled(fill, a, shape, dtype)

    return made


def full_like(a: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: bool = True,
              shape: Any = None, *, device: Any = None) -> Any:  # fmt: skip
    return filled(bare(fill_value), a, shape, dtype)


def rounded(a: Any, decimals: int = 0, out: Any = None) -> Any:
    made = np.round(numbers(a), decimals).astype(object)
    if out is None:
        return made
    bare(out)[...] = made
    return out


def sort(a: Any, axis: Any = -1, **options: Any) -> Any:
    """The entries in the order of their numbers."""
    flat = (np.ravel(a), 0) if axis is None else (a, axis)
    return np.take_along_axis(
        flat[0], np.argsort(numbers(flat[0]), flat[1], kind="stable"), flat[1]
    )


def partition(a: Any, kth: Any, axis: Any = -1, **options: Any) -> Any:
    return sort(a, axis)


def unique(ar: Any, return_index: bool = False, return_inverse: bool = False,
           return_counts: bool = False, **options: Any) -> Any:  # fmt: skip
    """One entry for each number; the first of equal ones."""
    asked: Any = np.unique
    found = asked(numbers(ar), True, return_inverse, return_counts, **options)
    taken = np.take(ar, found[1], options.get("axis"))
    rest = found[1 if return_index else 2 :]
    return (taken, *rest) if rest else taken


def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """The broken line through the points (xp, fp) at x."""
    if period is not None:
        raise unknown("np.interp with a period")
    x, xp, fp = [as_array(np.asarray(bare(a), dtype=object)) for a in (x, xp, fp)]
    at = np.clip(np.searchsorted(numbers(xp), numbers(x), side="right") - 1, 0, len(xp) - 2)
    slope = (fp[1:] - fp[:-1]) / (xp[1:] - xp[:-1])
    inside = fp[at] + (x - xp[at]) * slope[at]
    low = np.where(x < xp[0], fp[0] if left is None else left, inside)
    return np.where(x > xp[-1], fp[-1] if right is None else right, low)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The norm of a vector or of a matrix, but the matrix norms that need singular values."""
    x = np.asanyarray(x)
    if axis is None and ord is None:
        return np.sqrt(np.sum(x * x, keepdims=keepdims))
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if np.ndim(axis) == 0 else tuple(axis)
    if len(axes) == 1:
        return norm_along(x, 2 if ord is None else ord, axes, keepdims)
    if ord in (None, "fro", "f"):
        return np.sqrt(np.sum(x * x, axis=axes, keepdims=keepdims))
    if ord not in (1, -1, np.inf, -np.inf) or len(axes) != 2:
        raise unknown(f"np.linalg.norm of order {ord!r}")
    row, column = [a % x.ndim for a in axes]
    summed, other = (row, column) if abs(ord) == 1 else (column, row)
    sums = np.sum(abs(x), axis=summed, keepdims=True)
    best = (np.max if ord > 0 else np.min)(sums, axis=other, keepdims=True)
    return best if keepdims else np.squeeze(best, (row, column))[()]


def norm_along(x: Any, ord: Any, axes: Any, keepdims: bool) -> Any:
    """(Σ |x|^p)^(1/p), and its limits."""
    options = {"axis": axes, "keepdims": keepdims}
    if abs(ord) == np.inf:
        return (np.max if ord > 0 else np.min)(abs(x), **options)
    if ord == 0:
        return np.sum(x != 0, **options)
    if ord == 1:
        return np.sum(abs(x), **options)
    if ord == 2:
        return np.sqrt(np.sum(x * x, **options))
    return np.sum(abs(x) ** ord, **options) ** (1 / ord)


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    return norm(np.ravel(x) if axis is None else x, ord, 0 if axis is None else axis, keepdims)


def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: Any = None,
        fweights: Any = None, aweights: Any = None, **options: Any) -> Any:  # fmt: skip
    """The covariances of the rows."""
    if fweights is not None or aweights is not None:
        raise unknown("np.cov with weights")
    X = np.atleast_2d(m) if rowvar or np.ndim(m) < 2 else np.transpose(m)
    if y is not None:
        X = np.vstack([X, np.atleast_2d(y) if rowvar or np.ndim(y) < 2 else np.transpose(y)])
    apart = X - np.mean(X, axis=1, keepdims=True)
    n = X.shape[1] - ((0 if bias else 1) if ddof is None else ddof)
    made = (apart @ apart.T) / n
    return np.squeeze(made)[()]


def corrcoef(x: Any, y: Any = None, rowvar: bool = True, **options: Any) -> Any:
    """The correlations of the rows."""
    C = np.atleast_2d(cov(x, y, rowvar))
    root = np.sqrt(np.diag(C))
    return np.squeeze(C / root[:, None] / root)[()]


def quantiles(name: str) -> Function:
    """quantile and percentile: for one q NumPy wants its own scalars, so it is asked for a row."""

    def taken(a: Any, q: Any, *args: Any, **options: Any) -> Any:
        whole: Any = getattr(np, name)
        found = whole._implementation(a, np.atleast_1d(q), *args, **options)
        return found[0] if np.ndim(q) == 0 else found

    return taken


FUNCTIONS: dict[str, Function] = {
    "zeros_like": like(0), "ones_like": like(1), "empty_like": like(0), "full_like": full_like,
    "round": rounded, "around": rounded, "sort": sort, "partition": partition, "unique": unique,
    "interp": interp, "norm": norm, "vector_norm": vector_norm, "cov": cov,
    "corrcoef": corrcoef, "quantile": quantiles("quantile"),
    "percentile": quantiles("percentile"), "nanquantile": quantiles("nanquantile"),
    "nanpercentile": quantiles("nanpercentile"), "inv": elimination.inv, "solve": elimination.solve,
    "det": elimination.det, "slogdet": elimination.slogdet, "cholesky": elimination.cholesky,
    "pinv": elimination.pinv, "lstsq": elimination.lstsq,
}  # fmt: skip
