"""What the names float, int and np.float64 stand for: types that leave Values as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from microgrid.check.handwritten.forward.values_within import holds_values, number_of, only
from microgrid.engine.value import Value
from microgrid.engine.value_array import ValueArray, as_array

FLOATS = ("float64", "float32", "float16", "longdouble", "double", "single", "half")
ABSTRACT = ("floating", "inexact", "number")


class Lenient(type):
    """A type of numbers of which Values are instances."""

    real: type

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, cls.real) or (cls.real is not int and isinstance(x, float | Value))

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, cls.real)

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is cls.real or (cls.real is float and other is Value)

    def __hash__(cls) -> int:
        return hash(cls.real)

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls.real, name)


def any_float(real: Any) -> type:
    """What the name of a type of floats stands for: it leaves a Value as it is."""

    def convert(cls: Any, x: Any = 0.0, *more: Any) -> Any:
        if isinstance(x, list | tuple) and holds_values(x):
            return as_array(np.array(x, dtype=object))
        if isinstance(x, ValueArray):
            return only(x) if real is float or not x.ndim else x
        return x if isinstance(x, Value) else real(x, *more)

    names: dict[str, Any] = {"__new__": convert, "real": real}
    if real not in NUMPY_ABSTRACT:
        names["dtype"] = np.dtype(real)  # so NumPy takes it for the type
    return Lenient(real.__name__, (), names)


class AnyInt(metaclass=Lenient):
    """What the name int stands for: of a Value it takes the number."""

    real, dtype = int, np.dtype(int)

    def __new__(cls, x: Any = 0, *more: Any) -> Any:
        return int(number_of(x), *more)


NUMPY_ABSTRACT = {getattr(np, name) for name in ABSTRACT}
NUMPY_FLOATS = {getattr(np, name) for name in FLOATS} | NUMPY_ABSTRACT
