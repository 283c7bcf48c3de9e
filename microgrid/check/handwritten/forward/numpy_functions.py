"""Functions of NumPy, copy and Python that Values need in another way than floats."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from microgrid.check.handwritten.forward.math_names import of_one_number
from microgrid.check.handwritten.forward.scipy_names import scipy_function
from microgrid.check.handwritten.forward.values_within import (
    OBJECT,
    dressed,
    holds_values,
    number_of,
    values_in,
)
from microgrid.engine.value import Value
from microgrid.engine.value_array import ValueArray, as_array, bare, numbers

Function = Callable[..., Any]
HOMES = ("numpy", "math", "scipy", "copy")


def home(module: str) -> str:
    """The package of a module."""
    return module.partition(".")[0]


def special(f: Function, name: str, module: str) -> Function | None:
    """A function that Values need in another way than NumPy's arrays, or None."""
    if f is round:
        return lambda x, *digits: round(number_of(x), *digits)
    if module == "copy":
        return deep_copy if name == "deepcopy" else f
    if module == "math":
        return of_one_number(f, name)
    if home(module) == "scipy":
        found = scipy_function(f, name)
        if found is not None:
            return lambda *args, **options: dressed(found(*args, **options))
    if name in CONVERSIONS and home(module) == "numpy":
        return converted(f)
    return {"isscalar": lambda x: isinstance(x, Value) or np.isscalar(x)}.get(name)


CONVERSIONS = {"array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray",
               "asarray_chkfinite", "require", "asfarray"}  # fmt: skip


def converted(f: Function) -> Function:
    """np.array and its like: Values stay, whatever float type is asked for."""

    def convert(x: Any, dtype: Any = None, **options: Any) -> Any:
        if not holds_values([x]):
            asked = float if isinstance(dtype, np.dtype) and dtype == OBJECT else dtype
            return dressed(f(x, dtype, **options) if dtype is None else f(x, asked, **options))
        if dtype is not None and np.dtype(dtype).kind not in "fO":
            return f(numbers(as_array(np.array(x, dtype=object))), dtype, **options)
        return as_array(f(bare(x), dtype=object, **options))

    return convert


def vectorized(real: Any) -> Function:
    """np.vectorize of a function: results that hold Values are an array of them."""

    def call(*args: Any, **options: Any) -> Any:
        if real.signature is not None or options or not holds_values(args):
            return dressed(real(*args, **options))
        xs = [bare(x) if isinstance(x, ValueArray) else x for x in args]
        first = real.pyfunc(*[np.asarray(x, dtype=object).ravel()[0] for x in xs])
        count = len(first) if isinstance(first, tuple) else 1
        found = np.frompyfunc(real.pyfunc, len(xs), count)(*xs)
        return tuple(map(settled, found)) if count > 1 else settled(found)

    return call


def settled(x: Any) -> Any:
    """An object array as an array of Values, or of what its entries are where none is a Value."""
    if not isinstance(x, np.ndarray) or holds_values(x.ravel()):
        return dressed(x)
    return dressed(np.array(x.tolist()))


def deep_copy(x: Any, memo: Any = None) -> Any:
    """copy.deepcopy, which copies arrays but not the nodes in them: of floats it copies none."""
    return copy.deepcopy(x, {**(memo or {}), **{id(v): v for v in values_in(x, set())}})
