"""NumPy's other functions on arrays of Values: var, norm, sort, …

Most are NumPy's own code, which arrives at functions of entries.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from microgrid.engine import ops
from microgrid.engine.value_array import ValueArray, as_array, bare, numbers


def called(f: Any, args: Any, options: Any) -> Any:
    """What f(*args, **options) gives where an argument is an array of Values."""
    result = np.ndarray.__array_function__(
        as_array(np.empty(0, object)), f, (ValueArray,), args, options
    )
    return dressed(result)


def dressed(x: Any) -> Any:
    """Object arrays in a result as arrays of Values."""
    if isinstance(x, np.ndarray):
        return as_array(x)
    if isinstance(x, list | tuple):
        return getattr(type(x), "_make", type(x))([dressed(y) for y in x])
    return x
