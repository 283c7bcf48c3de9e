"""What may become a number or a label, and what a Value refuses to become."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from fractions import Fraction
from numbers import Real
from typing import TYPE_CHECKING, Any

from microgrid.errors import GradientLostError, LabelError, NumberError, failure

Number = Any  # float, int, Fraction: whatever computes exactly what it says


def real(x: Any) -> Number:
    """x as the Python number of the same value; NumberError unless it is one real number.

    NumPy scalars become Python's: int64 would wrap around, float64 would divide by zero.
    """
    if type(x) is float or type(x) is int or type(x) is Fraction:
        return x
    if isinstance(x, Manners):
        raise NumberError(f"Value({x!r}) would cut the graph: use v.detach() for a new leaf")
    if isinstance(x, Real):
        return x.item() if hasattr(x, "item") else +x
    if getattr(x, "shape", None) == ():  # NumPy's bool is no Real, and a 0-d array holds one number
        return real(x.item())
    if hasattr(x, "__len__") and not isinstance(x, str | bytes):
        size = f"of shape {x.shape}" if hasattr(x, "shape") else f"of length {len(x)}"
        raise NumberError(
            f"a Value holds one number, got {type(x).__name__} {size}; use matrix(...) for arrays"
        )
    raise NumberError(f"a Value needs a real number, got {type(x).__name__} {x!r}")


def rooted(x: Any) -> Any:
    """x itself; NumberError unless a graph can start there."""
    if not isinstance(x, Manners):
        raise NumberError(f"a graph starts at a Value, got {type(x).__name__} {x!r}")
    return x


def is_real(x: Any) -> bool:
    """Whether x can stand beside a Value in arithmetic."""
    return type(x) is float or type(x) is int or isinstance(x, Real)


watching: ContextVar[Callable[[Any], None] | None] = ContextVar("watching", default=None)


elsewhere: list[Callable[[Any], None]] = []  # while functions are recorded: hear other threads


def look(v: Any) -> None:
    """Somebody wants the number of a node: while a function is recorded, `watching` hears of it."""
    watcher = watching.get()
    if watcher is not None:
        watcher(v)
    else:
        for watcher in tuple(elsewhere):
            watcher(v)


def failed(op: Any, operands: Sequence[Any], error: Exception) -> Number:
    """Raises what op has to say; nan while a function is recorded, where numbers do not matter."""
    if watching.get() is None or not any(isinstance(x, Manners) for x in operands):
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


class Manners:
    """How a Value behaves among Python's numbers: it says no where the gradient would be lost."""

    __slots__ = ()
    _data: Number
    _grad: Number
    _label: str

    def __repr__(self) -> str:
        label = f", label={self._label!r}" if self._label else ""
        grad = "" if self._grad is None else f", grad={self._grad!r}"
        return f"{type(self).__name__}({self._data!r}{label}{grad})"

    def __format__(self, spec: str) -> str:
        look(self)
        return format(self._data, spec)

    def __bool__(self) -> bool:
        look(self)
        return bool(self._data)

    def __float__(self) -> float:
        raise GradientLostError(
            f"a plain number made from {self!r} would drop the gradient: use v.exp() and the "
            "other functions of microgrid, or v.data for the number"
        )

    def _piecewise_constant(self, *_: Any) -> Any:
        raise GradientLostError(
            "//, %, divmod, round, floor, ceil, trunc and sign are piecewise constant: their "
            "derivative is 0 almost everywhere; use v.data for the number"
        )

    def _one_number(self, *_: Any) -> Any:
        raise NumberError("a Value holds one number: no length, no items; use matrix(...)")

    __int__ = __index__ = __complex__ = __float__
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _piecewise_constant
    __divmod__ = __rdivmod__ = __round__ = __floor__ = __ceil__ = __trunc__ = _piecewise_constant
    __iter__ = __len__ = __getitem__ = _one_number

    if TYPE_CHECKING:  # functions.py attaches these, from the table of operations

        def _binary(self, other: Any) -> Any: ...
        def _unary(self) -> Any: ...
        def __getattr__(self, name: str) -> Callable[..., Any]: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _binary
        __truediv__ = __rtruediv__ = __pow__ = __rpow__ = _binary
        __lt__ = __le__ = __gt__ = __ge__ = _binary
        __neg__ = __pos__ = __abs__ = _unary


def seed(root: Manners, upstream: Any) -> Number:
    """The upstream gradient in the kind of root's number; NumberError unless it is a number."""
    if not is_real(upstream):
        got = f"{type(upstream).__name__} {upstream!r}"
        raise NumberError(f"the upstream gradient must be one real number, got {got}")
    return real(upstream) * type(root._data)(1)
