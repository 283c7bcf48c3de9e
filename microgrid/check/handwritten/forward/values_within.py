"""Values within what their code hands around: arrays, lists, dicts, objects."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from microgrid.engine.value import Value
from microgrid.engine.value_array import ValueArray, as_array, bare

OBJECT = np.dtype(object)


def holds_values(xs: Any) -> bool:
    """Whether a Value, or an array of them, is in these lists."""
    return any(
        isinstance(x, Value | ValueArray)
        or (isinstance(x, list | tuple) and holds_values(x))
        or (isinstance(x, np.ndarray) and x.dtype == OBJECT)
        for x in xs
    )


def dressed(x: Any) -> Any:
    """The arrays of floats in a result as arrays with room for Values."""
    if isinstance(x, np.ndarray):
        if x.dtype.kind == "f":
            return as_array(x.astype(object))
        return as_array(x) if x.dtype == OBJECT and all(map(is_number, x.ravel())) else x
    if type(x) is list or type(x) is tuple:
        return type(x)([dressed(y) for y in x])
    return x


def is_number(x: Any) -> bool:
    return isinstance(x, Value | float | int | np.number)


def values_in(x: Any, seen: set[int]) -> list[Value]:
    """The Values in arrays, lists, dicts and objects."""
    if isinstance(x, Value):
        return [x]
    if id(x) in seen or isinstance(x, str | bytes | type | ModuleType):
        return []
    seen.add(id(x))
    if isinstance(x, np.ndarray):
        return [v for v in bare(x).ravel() if isinstance(v, Value)] if x.dtype == object else []
    inside = list(x.values()) if isinstance(x, dict) else getattr(x, "__dict__", {}).values()
    if isinstance(x, list | tuple | set | frozenset):
        inside = [*x, *inside]
    return [v for y in inside for v in values_in(y, seen)]


def only(x: Any) -> Any:
    """The one entry of an array; ValueError, as Python says it, where there are several."""
    return bare(x).reshape(()).item() if x.size == 1 else x.item()


def number_of(x: Any) -> Any:
    """The number of a Value, also of one in an array of its own."""
    single = only(x) if isinstance(x, ValueArray) else x
    return single.data if isinstance(single, Value) else single
