"""What the names np, math, float and scipy.special stand for while a forward runs on Values.

Each stand-in asks the real function, and makes its floats an array with room for Values. What the
functions do with Values is in `engine/array_ufuncs.py` and `engine/array_functions.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from microgrid.check.handwritten.forward.number_types import NUMPY_FLOATS, AnyInt, any_float
from microgrid.check.handwritten.forward.numpy_functions import HOMES, home, special, vectorized
from microgrid.check.handwritten.forward.scipy_names import scipy_function
from microgrid.check.handwritten.forward.values_within import OBJECT, dressed, holds_values
from microgrid.engine.value import Value
from microgrid.engine.value_array import as_array, numbers

OF_NUMBERS = ("numpy.random", "numpy.testing")  # what samples or tests has no gradient
OF_SEQUENCES = {
    "concatenate", "concat", "stack", "hstack", "vstack", "dstack", "column_stack", "row_stack",
    "block", "meshgrid", "broadcast_arrays", "select", "choose", "piecewise", "ix_", "multi_dot",
}  # fmt: skip
RANDOM = (np.random.RandomState, np.random.Generator)
FLOAT = np.dtype(float)
ROWS = ("r_", "c_", "mgrid", "ogrid")
Function = Callable[..., Any]


class StandIns:
    """The stand-ins of one run, each made once.

    >>> names = StandIns()
    >>> names.of(np).zeros(2)
    ValueArray([0.0, 0.0])
    >>> names.of(print) is print
    True
    """

    def __init__(self) -> None:
        self.made: dict[int, Any] = {}
        self.kept: list[Any] = []  # so that no id is given twice
        self.real: dict[int, Any] = {}

    def of(self, x: Any) -> Any:
        """What stands for x, or x itself."""
        if id(x) not in self.made:
            made = self.make(x)
            if made is x:
                return x
            self.kept += (x, made)
            self.made[id(x)], self.real[id(made)] = made, x
        return self.made[id(x)]

    def behind(self, x: Any) -> Any:
        """What x stands for, or x itself."""
        return self.real.get(id(x), x)

    def make(self, x: Any) -> Any:
        if isinstance(x, ModuleType):
            return StandInModule(x, self) if home(x.__name__) in HOMES else x
        if isinstance(x, type):
            return self.make_type(x)
        if isinstance(x, RANDOM):
            return StandIn(x, no_call, lambda name, f: self.function(f, of_numbers=True))
        if isinstance(x, np.vectorize):
            return StandIn(x, vectorized(x))
        if isinstance(x, np.ndarray):  # a table of the module, into a copy of which they may write
            return dressed(x) if x.size <= 10_000 and x.dtype.kind == "f" else x
        if type(x).__module__.startswith("numba.") and hasattr(x, "py_func"):
            return x.py_func  # compiled code takes no Values
        if type(x).__name__ == "norm_gen":  # scipy.stats.norm
            return StandIn(x, no_call, lambda name, f: scipy_function(f, name) or f)
        owner = getattr(x, "__self__", None)
        if isinstance(owner, RANDOM):  # np.random.randn
            return self.function(x, of_numbers=True)
        module = getattr(x, "__module__", None) or getattr(owner, "__name__", None)
        if isinstance(module, str) and callable(x) and home(module) in HOMES:
            return self.function(x)
        if x is round or isinstance(x, np.ufunc):  # those of scipy say no module
            return self.function(x)
        return x

    def make_type(self, x: type) -> Any:
        if x is float or x in NUMPY_FLOATS:
            return any_float(x)
        if x is int:
            return AnyInt
        if x is np.vectorize or x in RANDOM:
            return StandIn(x, lambda *args, **options: self.of(x(*args, **options)))
        if x is np.finfo:
            return StandIn(x, lambda asked: x(self.given(asked, False, False)))
        if x is np.nditer:
            return StandIn(x, lambda op, flags=(), *a, **k: x(op, [*flags, "refs_ok"], *a, **k))
        return x

    def function(self, f: Function, of_numbers: bool = False) -> Any:
        """A stand-in for a function of NumPy, math, scipy or copy."""
        name, module = getattr(f, "__name__", ""), getattr(f, "__module__", None) or ""
        own = special(f, name, module)
        if own is not None:
            return StandIn(f, own)
        samples = of_numbers or module.startswith(OF_NUMBERS)
        inner = name in OF_SEQUENCES

        def call(*args: Any, **options: Any) -> Any:
            given = [self.given(x, samples, inner) for x in args]
            named = {k: self.given(x, samples, inner) for k, x in options.items()}
            return self.result(f(*given, **named))

        return StandIn(f, call, lambda name, g: self.function(g) if name == "outer" else g)

    def given(self, x: Any, samples: bool, inner: bool) -> Any:
        """An argument as NumPy takes it: lists of Values are arrays, the dtype of such is float."""
        if isinstance(x, np.ndarray):
            return numbers(x) if samples else x
        if isinstance(x, Value):
            return x.data if samples else x
        if isinstance(x, np.dtype):
            return FLOAT if x == OBJECT else x
        if isinstance(x, list | tuple) and x:
            if inner:
                return type(x)([self.given(y, samples, False) for y in x])
            if holds_values(x):
                made = as_array(np.array(x, dtype=object))
                return numbers(made) if samples else made
        return self.behind(x)

    def result(self, x: Any) -> Any:
        return self.of(x) if isinstance(x, (*RANDOM, np.vectorize)) else dressed(x)


class StandIn:
    """A callable that stands for another one, with its attributes."""

    def __init__(
        self, real: Any, call: Function, attribute: Callable[[str, Any], Any] | None = None
    ) -> None:
        self.real, self.call, self.attribute = real, call, attribute

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.call(*args, **options)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.real, name)
        return self.attribute(name, found) if self.attribute and callable(found) else found

    def __instancecheck__(self, x: Any) -> bool:
        return isinstance(x, self.real)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # isinstance asks for it
        return type(self.real)

    def __repr__(self) -> str:
        return repr(self.real)


def no_call(*args: Any, **options: Any) -> Any:
    raise TypeError("this is no function")


class StandInModule(ModuleType):
    """A module whose functions are stand-ins."""

    def __init__(self, real: ModuleType, names: StandIns) -> None:
        super().__init__(real.__name__, real.__doc__)
        self.__dict__.update(_real=real, _names=names)
        if real is np:
            self.__dict__.update({name: Rows(getattr(np, name)) for name in ROWS})

    def __getattr__(self, name: str) -> Any:
        found = self._names.of(getattr(self._real, name))
        self.__dict__[name] = found
        return found


class Rows:
    """np.r_ and its like, whose results have room for Values."""

    def __init__(self, real: Any) -> None:
        self.real = real

    def __getitem__(self, key: Any) -> Any:
        return dressed(self.real[key])
