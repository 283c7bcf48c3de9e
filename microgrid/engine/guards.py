"""What may become a number of a graph, and what helps where something may not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from numbers import Real
from typing import Any

from microgrid.engine.errors import NumberError, RangeError, shown
from microgrid.engine.numeric import INF
from microgrid.engine.refusals import is_value

Number = Any  # float, int, Fraction: whatever computes exactly what it says


def real(x: Any) -> Number:
    """x as the Python number of the same value; NumberError unless it is one real number.

    NumPy scalars become Python's: int64 would wrap around, float64 would divide by zero.
    """
    if type(x) is float or type(x) is int or type(x) is Fraction:
        return x
    if is_real(x):
        if not hasattr(x, "item"):
            return +x
        y = x.item()
        if isinstance(y, int | float):
            return y
        if abs(float(y)) == INF != abs(y):  # a long double, whose item is itself
            raise RangeError(f"{y} is beyond the floats, the largest is 1.8e308")
        return float(y)
    if is_value(x):
        raise NumberError(f"Value({x!r}) would cut the graph: use v.detach() for a new leaf")
    if hasattr(x, "__len__") and getattr(x, "shape", True) and not (remedy(x) or type(x) is type):
        several = f"a Value holds one number, got {type(x).__name__} {size(x)}"
        raise NumberError(f"{several}; {one_by_one(x)}")
    raise no_number(x, "a Value needs a real number")


def one_by_one(x: Any) -> str:
    """What makes, or takes, the single numbers of x."""
    if hasattr(x, "keys"):
        return "tree_map(f, x) is f of each of its numbers"
    if any(map(is_value, x if isinstance(x, list | tuple) else ())):
        return "np.array(x) makes an array of Values"
    return "use matrix(...) for arrays"


def is_real(x: Any) -> bool:
    """Whether x is one plain number, which can stand beside a Value in arithmetic.

    So is an array without axes, of NumPy or another library, unless it is masked or in a graph.
    """
    if type(x) is float or type(x) is int or isinstance(x, float):  # so is NumPy's
        return True
    if not hasattr(x, "dtype"):
        return isinstance(x, Real)
    if x.shape != () or is_masked(x) or in_a_graph(x):
        return False
    kind = getattr(x.dtype, "kind", "O")  # PyTorch's have none
    return kind in "fiub" or (kind in "OV" and isinstance(x.item(), Real))


def is_masked(x: Any) -> bool:
    """Whether numbers of x are marked as missing: by NumPy's mask, or by pandas as NA."""
    if not hasattr(x, "dtype"):
        return False
    mask = x.isna() if hasattr(x.dtype, "na_value") else getattr(x, "mask", False)
    return not callable(mask) and bool(getattr(mask, "any", lambda: mask)())


def in_a_graph(x: Any) -> bool:
    """Whether another library differentiates with respect to x: PyTorch, JAX, autograd."""
    kinds = {(kind.__module__.split(".")[0], kind.__name__) for kind in type(x).__mro__}
    traced = kinds & {("jax", "Tracer"), ("autograd", "Box")}
    return bool(traced) or (hasattr(x, "dtype") and bool(getattr(x, "requires_grad", False)))


REMEDIES = {  # what is no real number, by the name of its type or the letter of NumPy's kind
    "<U <S str bytes": "read the text first, like float('0.5')",
    "<c complex": "take .real, .imag or abs()",
    "NaTType NAType": "leave out what is missing",  # pandas' NaT is a date, too
    "<M date": "count from a day, like (dates - dates[0]) / np.timedelta64(1, 'D')",
    "<m timedelta": "divide by a unit, like durations / np.timedelta64(1, 'D')",
    "Decimal": "float(x), or Fraction(x) to stay exact",
}


def remedy(x: Any) -> str:
    """What helps where x, alone or an array, is no real number; empty where nothing is known."""
    if is_masked(x):
        out, anew = ("dropna", "fillna") if hasattr(x, "isna") else ("compressed", "filled")
        return f"leave out what is missing, like x.{out}(), or replace it, like x.{anew}(0.0)"
    if in_a_graph(x):
        return "another library's graph would be cut: take the number there first"
    kinds = {kind.__name__ for kind in type(x).__mro__}
    kinds.add(f"<{getattr(getattr(x, 'dtype', None), 'kind', '')}")
    return next((told for names, told in REMEDIES.items() if kinds & {*names.split()}), "")


def no_number(x: Any, needed: str) -> NumberError:
    """The error for what is no real number, or an array of such, wherever it comes in."""
    got = size(x) if getattr(x, "shape", ()) else shown(x)
    return NumberError(f"{needed}, got {type(x).__name__} {got}{': ' * bool(remedy(x))}{remedy(x)}")


NO_NODES = {  # what is taken for a node, by an attribute that it has
    "listing": "a program has lines in the place of nodes: program.listing(*inputs)",
    "parameters": "call the model, and take one number of what it returns",
    "shape": "take one of its entries, or their sum, like A.sum()",
    "__len__": "take one of its entries, or their sum",
    "__call__": "call it with Values, and take the result: f(Value(2.0))",
    "__float__": "Value(2.0) makes a node of a number",
}


def no_node(x: Any) -> NumberError:
    """The error for what has no graph, where one number with its history is needed."""
    if x is None:
        return NumberError("a graph starts at a Value, got None: does the function end in return?")
    told = next((told for name, told in NO_NODES.items() if hasattr(x, name)), "")
    many = getattr(x, "shape", None) or (hasattr(x, "__len__") and not hasattr(x, "parameters"))
    kind, got = type(x).__name__, size(x) if many else getattr(x, "__name__", f"{x!r:.60}")
    named = got if kind in got else f"{kind} {got}"
    return NumberError(f"a graph starts at a Value, got {named}{': ' * bool(told)}{told}")


def refuse_foreign(x: Any, needed: str = "real numbers are needed") -> Any:
    """x itself; NumberError if it is an array that holds no real numbers, or hides some.

    So for every array in nested lists.
    """
    if is_value(x):
        return x
    if isinstance(x, list | tuple):
        for y in x:
            if not is_value(y) and hasattr(y, "__len__"):
                refuse_foreign(y, needed)
    elif getattr(getattr(x, "dtype", None), "kind", "O") not in "fiubOV" or (
        hasattr(x, "dtype") and (is_masked(x) or in_a_graph(x))
    ):
        raise no_number(x, needed)
    return x


def elementwise(f: Callable[..., Any], xs: Sequence[Any]) -> Any:
    """f of the entries of arrays, in floats if all results are."""
    import numpy as np

    return as_floats(np.frompyfunc(f, len(xs), 1)(*map(plain, xs)))


def plain(x: Any, needed: str = "real numbers are needed") -> Any:
    """x as an array of Python's numbers; NumberError for other entries, and for masked ones."""
    import numpy as np

    array = np.asarray(refuse_foreign(x, needed))
    return array.astype(float) if array.dtype == np.longdouble else array


def as_floats(numbers: Any) -> Any:
    """An object array as floats, if all entries are floats, or ints that a float holds exactly."""
    from microgrid.engine.value_array import as_array, bare

    exact = all(type(x) is float or (type(x) is int and abs(x) <= 2**53) for x in numbers.flat)
    return bare(numbers).astype(float) if exact else as_array(numbers)


def size(x: Any) -> str:
    return f"of shape {tuple(x.shape)}" if hasattr(x, "shape") else f"of length {len(x)}"
