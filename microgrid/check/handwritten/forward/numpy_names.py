"""What the names np, math, float and scipy.special stand for while a forward runs on Values.

Each stand-in asks the real function, and makes its floats an array with room for Values. What the
functions do with Values is in `engine/array_ufuncs.py` and `engine/array_functions.py`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from microgrid.check.handwritten.forward.scipy_names import scipy_function
from microgrid.engine.functions import FUNCTIONS
from microgrid.engine.value import Value
from microgrid.engine.value_array import ValueArray, as_array, bare, numbers

FLOATS = ("float64", "float32", "float16", "longdouble", "double", "single", "half")
ABSTRACT = ("floating", "inexact", "number")
OF_NUMBERS = ("numpy.random", "numpy.testing")  # what samples or tests has no gradient
OF_SEQUENCES = {
    "concatenate", "concat", "stack", "hstack", "vstack", "dstack", "column_stack", "row_stack",
    "block", "meshgrid", "broadcast_arrays", "select", "choose", "piecewise", "ix_", "multi_dot",
}  # fmt: skip
RANDOM = (np.random.RandomState, np.random.Generator)
FLOAT, OBJECT, DTYPE, ARRAY = np.dtype(float), np.dtype(object), np.dtype, np.array
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
        if isinstance(x, DTYPE):
            return FLOAT if x == OBJECT else x
        if isinstance(x, list | tuple) and x:
            if inner:
                return type(x)([self.given(y, samples, False) for y in x])
            if holds_values(x):
                made = as_array(ARRAY(x, dtype=object))
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


# Numbers


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
            return as_array(ARRAY(x, dtype=object))
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


def only(x: Any) -> Any:
    """The one entry of an array; ValueError, as Python says it, where there are several."""
    return bare(x).reshape(()).item() if x.size == 1 else x.item()


def number_of(x: Any) -> Any:
    """The number of a Value, also of one in an array of its own."""
    single = only(x) if isinstance(x, ValueArray) else x
    return single.data if isinstance(single, Value) else single


# Functions of their own


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
            asked = FLOAT if isinstance(dtype, DTYPE) and dtype == OBJECT else dtype
            return dressed(f(x, dtype, **options) if dtype is None else f(x, asked, **options))
        if dtype is not None and np.dtype(dtype).kind not in "fO":
            return f(numbers(as_array(ARRAY(x, dtype=object))), dtype, **options)
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
    return dressed(ARRAY(x.tolist()))


def deep_copy(x: Any, memo: Any = None) -> Any:
    """copy.deepcopy, which copies arrays but not the nodes in them: of floats it copies none."""
    return copy.deepcopy(x, {**(memo or {}), **{id(v): v for v in values_in(x, set())}})


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


# math


def of_one_number(f: Function, name: str) -> Function:
    """A function of math: of a Value a node, or a number where it is whole or a question."""
    ours = MATH.get(name) or FUNCTIONS.get(name)

    def call(*args: Any, **options: Any) -> Any:
        xs = [only(x) if isinstance(x, ValueArray) else x for x in args]
        if ours is not None and holds_values(xs):
            return ours(*xs, **options)
        if name in QUESTIONS:
            xs = [number_of(x) for x in xs]
        return f(*xs, **options)

    return call


QUESTIONS = {"floor", "ceil", "trunc", "isnan", "isinf", "isfinite", "isclose"}
MATH: dict[str, Function] = {
    "log": lambda x, base=None: np.log(x) if base is None else np.log(x) / np.log(base),
    "pow": lambda a, b: a**b,
    "fabs": abs,
    "exp2": lambda x: 2.0**x,
    "degrees": lambda x: x * (180.0 / math.pi),
    "radians": lambda x: x * (math.pi / 180.0),
    "prod": lambda xs, start=1: math.prod(list(xs), start=start),
    "fsum": lambda xs: sum(xs, 0.0),
    "sumprod": lambda a, b: sum([x * y for x, y in zip(a, b)]),
    "dist": lambda a, b: np.sqrt(sum([(x - y) ** 2 for x, y in zip(a, b)])),
    "fmod": lambda a, b: np.fmod(a, b),
}


# Which is theirs

HOMES = ("numpy", "math", "scipy", "copy")


def home(module: str) -> str:
    """The package of a module."""
    return module.partition(".")[0]


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
