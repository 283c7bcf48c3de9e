"""What may become a number or a label, and what a Value refuses to become."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import date, timedelta
from fractions import Fraction
from numbers import Real
from typing import TYPE_CHECKING, Any

from microgrid.engine.errors import (
    GradientLostError,
    LabelError,
    NumberError,
    RangeError,
    failure,
    shown,
)

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
        if y - y == 0 and float(y) - float(y) != 0:  # a long double, whose item is itself
            raise RangeError(f"{y} is beyond the floats, the largest is 1.8e308")
        return float(y)
    if isinstance(x, RefusedOperators):
        raise NumberError(f"Value({x!r}) would cut the graph: use v.detach() for a new leaf")
    if hasattr(x, "__len__") and getattr(x, "shape", True) and not (remedy(x) or type(x) is type):
        raise NumberError(
            f"a Value holds one number, got {type(x).__name__} {size(x)}; "
            "use matrix(...) for arrays"
        )
    raise no_number(x, "a Value needs a real number")


def rooted(x: Any) -> Any:
    """x itself; NumberError unless a graph can start there."""
    if not isinstance(x, RefusedOperators):
        raise NumberError(f"a graph starts at a Value, got {type(x).__name__} {x!r}")
    return x


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


REMEDIES = {  # what is no real number, by NumPy's letter of its kind or the name of its type
    "U": "read the text first, like float('0.5')",
    "S": "read the text first, like float('0.5')",
    "c": "take .real, .imag or abs()",
    "M": "count from a day, like (dates - dates[0]) / np.timedelta64(1, 'D')",
    "m": "divide by a unit, like durations / np.timedelta64(1, 'D')",
    "NaTType": "leave out what is missing",
    "NAType": "leave out what is missing",
    "Decimal": "float(x), or Fraction(x) to stay exact",
}


def remedy(x: Any) -> str:
    """What helps where x, alone or an array, is no real number; empty if nobody knows."""
    if is_masked(x):
        out, anew = ("dropna", "fillna") if hasattr(x, "isna") else ("compressed", "filled")
        return f"leave out what is missing, like x.{out}(), or replace it, like x.{anew}(0.0)"
    if in_a_graph(x):
        return "another library's graph would be cut: take the number there first"
    name = type(x).__name__
    kinds = {str: "U", bytes: "S", complex: "c", date: "M", timedelta: "m"}
    known = name if name in REMEDIES else next((kinds[k] for k in kinds if isinstance(x, k)), "")
    return REMEDIES.get(known or getattr(getattr(x, "dtype", None), "kind", ""), "")


def no_number(x: Any, needed: str) -> NumberError:
    """The error for what is no real number, or an array of such, wherever it comes in."""
    got = size(x) if getattr(x, "shape", ()) else shown(x)
    return NumberError(f"{needed}, got {type(x).__name__} {got}{': ' * bool(remedy(x))}{remedy(x)}")


def refuse_foreign(x: Any, needed: str = "real numbers are needed") -> Any:
    """x itself; NumberError if it is an array that holds no real numbers, or hides some.

    So for every array in nested lists.
    """
    if isinstance(x, list | tuple):
        for y in x:
            if hasattr(y, "__len__"):
                refuse_foreign(y, needed)
    elif getattr(getattr(x, "dtype", None), "kind", "O") not in "fiubOV" or (
        hasattr(x, "dtype") and (is_masked(x) or in_a_graph(x))
    ):
        raise no_number(x, needed)
    return x


def elementwise(f: Callable[..., Any], xs: Sequence[Any]) -> Any:
    """f of the entries of arrays, in floats if all results are."""
    import numpy as np

    return as_floats(np.frompyfunc(f, len(xs), 1)(*[np.asarray(refuse_foreign(x)) for x in xs]))


def as_floats(numbers: Any) -> Any:
    """An object array as floats, if all entries are floats, or ints that a float holds exactly."""
    exact = all(type(x) is float or (type(x) is int and abs(x) <= 2**53) for x in numbers.flat)
    return numbers.astype(float) if exact else numbers


def size(x: Any) -> str:
    return f"of shape {tuple(x.shape)}" if hasattr(x, "shape") else f"of length {len(x)}"


recorder: ContextVar[Callable[[Any], None] | None] = ContextVar("recorder", default=None)


other_thread_recorders: list[
    Callable[[Any], None]
] = []  # while functions are recorded: hear other threads


def on_read(v: Any) -> None:
    """Somebody wants the number of a node: while a function is recorded, `recorder` hears of it."""
    watcher = recorder.get()
    if watcher is not None:
        watcher(v)
    else:
        for watcher in tuple(other_thread_recorders):
            watcher(v)


def failed(op: Any, operands: Sequence[Any], error: Exception) -> Number:
    """Raises what op has to say; nan while a function is recorded, where numbers do not matter."""
    if recorder.get() is None or not any(isinstance(x, RefusedOperators) for x in operands):
        raise failure(op, operands, error) from None
    return float("nan")


class ScopedLabel(str):
    """A label that knows the `scope` in which its node was made."""

    __slots__ = ("scope",)
    scope: tuple[str, ...]


def scoped(label: str, scope: tuple[str, ...]) -> str:
    """The label with a scope, or as it is where there is none."""
    if not scope:
        return label
    named = ScopedLabel(label)
    named.scope = scope
    return named


def scope_of_label(label: str) -> tuple[str, ...]:
    return label.scope if isinstance(label, ScopedLabel) else ()


def relabelled(old: str, new: str) -> str:
    """The new label of a node, in the scope of the old one."""
    return scoped(checked_label(new), scope_of_label(old))


def checked_label(label: str) -> str:
    """The label itself; LabelError if it holds a character that no picture can show."""
    if not isinstance(label, str):
        raise NumberError(f"a label is text, got {type(label).__name__} {label!r}")
    if not label.isprintable():
        for i, c in enumerate(label):
            if unicodedata.category(c) in ("Cc", "Cs") or c in "\ufffe\uffff":
                raise LabelError(
                    f"label {label!r}: character {i} is the control character U+{ord(c):04X}; "
                    "leave it out"
                )
    return label


class RefusedOperators:
    """How a Value behaves among Python's numbers: it says no where the gradient would be lost."""

    __slots__ = ()
    _number: Number
    _grad: Number
    _label: str

    def __repr__(self) -> str:
        label = f", label={self._label!r}" if self._label else ""
        grad = "" if self._grad is None else f", grad={self._grad!r}"
        return f"{type(self).__name__}({self._number!r}{label}{grad})"

    def __format__(self, spec: str) -> str:
        on_read(self)
        return format(self._number, spec)

    def __bool__(self) -> bool:
        on_read(self)
        return bool(self._number)

    def __float__(self) -> float:
        raise GradientLostError(
            f"a plain number made from {self!r} would drop the gradient: use v.exp() and the "
            "other functions of microgrid, or v.data for the number (values(A) for an array)"
        )

    def __index__(self) -> int:
        raise GradientLostError(
            f"to count, index or repeat with {self!r} would drop the gradient: use v.data for the "
            "number"
        )

    def _piecewise_constant(self, *_: Any) -> Any:
        raise GradientLostError(
            "//, %, divmod, round, floor, ceil, trunc and sign are piecewise constant: their "
            "derivative is 0 almost everywhere; use v.data for the number"
        )

    def _one_number(self, *_: Any) -> Any:
        raise NumberError("a Value holds one number: no length, no items; use matrix(...)")

    def conjugate(self) -> Any:
        """The Value itself, which is real: np.var, np.std and np.vdot ask for it."""
        return self

    __int__ = __complex__ = __float__
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _piecewise_constant
    __divmod__ = __rdivmod__ = __round__ = __floor__ = __ceil__ = __trunc__ = _piecewise_constant
    __iter__ = __len__ = _one_number  # with a __getitem__ NumPy would speak of a sequence instead

    if TYPE_CHECKING:  # functions.py attaches these, from the table of operations

        def _binary(self, other: Any) -> Any: ...
        def _unary(self) -> Any: ...
        def __getattr__(self, name: str) -> Callable[..., Any]: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _binary
        __truediv__ = __rtruediv__ = __pow__ = __rpow__ = _binary
        __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _binary
        __neg__ = __pos__ = __abs__ = _unary


def seed(root: RefusedOperators, upstream: Any) -> Number:
    """The upstream gradient in the kind of root's number; NumberError unless it is a number."""
    if not is_real(upstream):
        got = f"{type(upstream).__name__} {upstream!r}"
        raise NumberError(f"the upstream gradient must be one real number, got {got}")
    return real(upstream) * type(root._number)(1)
