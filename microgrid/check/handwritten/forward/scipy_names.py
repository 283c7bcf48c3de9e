"""Functions of SciPy on Values: softmax, logsumexp, correlate2d, the normal distribution, …

SciPy is not imported here: who uses it has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from microgrid.engine import ops
from microgrid.engine.value import Value
from microgrid.engine.value_array import ValueArray, as_array, numbers

Function = Callable[..., Any]


def scipy_function(f: Any, name: str) -> Function | None:
    """Our function of Values for one of SciPy's, which of floats is theirs; None if none is needed.

    >>> from microgrid import Value
    >>> scipy_function(None, "softmax")(np.array([Value(0.0), Value(0.0)]))
    ValueArray([0.5, 0.5])
    """
    ours = OURS.get(name)
    if ours is None:
        return None

    def call(*args: Any, **options: Any) -> Any:
        if any(isinstance(x, ValueArray | Value) or is_of_values(x) for x in args):
            xs = [as_array(np.asarray(x)) if isinstance(x, list) else as_array(x) for x in args]
            return ours(*xs, **options)
        return f(*args, **options)

    return call


def is_of_values(x: Any) -> bool:
    """Whether x is an array of objects, or a list that NumPy makes one of."""
    return np.array(x).dtype.kind == "O" if isinstance(x, list | np.ndarray) else False


def largest(x: Any, axis: Any) -> Any:
    """The largest number, which is taken off and has no path."""
    return np.max(numbers(x), axis=axis, keepdims=True)


def softmax(x: Any, axis: Any = None) -> Any:
    exps = np.exp(x - largest(x, axis))
    return exps / np.sum(exps, axis=axis, keepdims=True)


def log_softmax(x: Any, axis: Any = None) -> Any:
    return x - logsumexp(x, axis=axis, keepdims=True)


def logsumexp(x: Any, axis: Any = None, b: Any = None, keepdims: bool = False) -> Any:
    top = largest(x, axis)
    exps = np.exp(x - top) if b is None else b * np.exp(x - top)
    found = np.log(np.sum(exps, axis=axis, keepdims=True)) + top
    return found if keepdims else np.squeeze(found, axis=axis)


def correlate2d(
    a: Any, k: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
) -> Any:
    if boundary != "fill" or fillvalue:
        raise ValueError("correlate2d on Values fills with zeros: boundary='fill', fillvalue=0")
    rows, columns = k.shape
    full = np.pad(a, ((rows - 1, rows - 1), (columns - 1, columns - 1)))
    windows = np.lib.stride_tricks.sliding_window_view(full, (rows, columns))
    found = as_array(np.einsum("ijkl,kl->ij", windows, k))
    if mode == "full":
        return found
    sizes = a.shape if mode == "same" else [abs(n - m) + 1 for n, m in zip(a.shape, k.shape)]
    begin = [(n - m) // 2 for n, m in zip(found.shape, sizes)]
    if mode == "same":  # SciPy centres a correlation one entry further
        begin = [n // 2 for n in k.shape]
    return found[begin[0] : begin[0] + sizes[0], begin[1] : begin[1] + sizes[1]]


def convolve2d(
    a: Any, k: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
) -> Any:
    flipped = k[::-1, ::-1]
    full = correlate2d(a, flipped, "full", boundary, fillvalue)
    sizes = a.shape if mode == "same" else [abs(n - m) + 1 for n, m in zip(a.shape, k.shape)]
    if mode == "full":
        return full
    begin = [(n - m) // 2 for n, m in zip(full.shape, sizes)]
    return full[begin[0] : begin[0] + sizes[0], begin[1] : begin[1] + sizes[1]]


def normal_density(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    z = (x - loc) / scale
    return np.exp(-0.5 * z * z) / (math.sqrt(2 * math.pi) * scale)


def normal_cdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    return entrywise(ops.normal_cdf)((x - loc) / scale)


def entrywise(f: Function) -> Function:
    """f of every entry."""
    return lambda x: as_array(np.frompyfunc(f, 1, 1)(np.asarray(x, dtype=object)))[()]


OURS: dict[str, Function] = {
    "softmax": softmax, "log_softmax": log_softmax, "logsumexp": logsumexp,
    "correlate2d": correlate2d, "convolve2d": convolve2d, "cdf": normal_cdf, "pdf": normal_density,
}  # fmt: skip
