"""What a Value refuses, since the gradient would be lost; `is_value` for files below value.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from microgrid.engine.errors import GradientLostError, NumberError
from microgrid.engine.hints import FOREIGN, Absent
from microgrid.engine.modes import ieee

FOREIGN_NAMES = " ".join(FOREIGN["Value"]).split()


class ScalarName(Absent):
    """An attribute of NumPy's scalars, which a Value has under `ieee_arithmetic` alone."""

    def __get__(self, owner: Any, kind: type) -> Any:
        if owner is None or not ieee.get():
            return super().__get__(owner, kind)
        import numpy as np

        from microgrid.engine.value_array import as_array

        box = np.empty((), dtype=object)
        box[()] = owner
        return getattr(as_array(box), self.name)


SCALAR_NAMES = (
    "shape", "ndim", "size", "dtype", "T", "astype", "copy", "sum", "mean", "max", "min", "prod",
    "var", "std", "reshape", "squeeze", "ravel", "flatten", "round", "any", "all", "tolist", "dot",
)  # fmt: skip


def stepping(name: str, swapped: bool = False) -> Any:
    """A method for what jumps: an error, under `ieee_arithmetic` what NumPy's function gives."""

    def method(self: Any, *others: Any) -> Any:
        if ieee.get():
            import numpy as np

            return getattr(np, name)(*others, self) if swapped else getattr(np, name)(self, *others)
        self._told("round")
        raise GradientLostError(
            "//, %, divmod, round, floor, ceil, trunc and sign are piecewise constant: their "
            "derivative is 0 almost everywhere; use v.data for the number"
        )

    return method


class RefusedOperators:
    """The base of Value: operations of Python's numbers that would drop the gradient raise."""

    __slots__ = ()

    if TYPE_CHECKING:

        def _told(self, use: str) -> None: ...

    def _plain_number(self) -> float:
        self._told("float")
        raise GradientLostError(
            f"a plain number made from {self!r} would drop the gradient: use v.exp() and the "
            "other functions of microgrid, or v.data for the number (values(A) for an array)"
        )

    def _whole_number(self) -> int:
        self._told("int")
        return int(self._plain_number())  # which raises

    def _count(self) -> int:
        self._told("count")
        raise GradientLostError(
            f"to count, index or repeat with {self!r} would drop the gradient: use v.data for the "
            "number, or differentiate by the other arguments alone, like argnums=0"
        )

    def _one_number(self, *_: Any) -> Any:
        raise NumberError("a Value holds one number: no length, no items; use matrix(...)")

    if not TYPE_CHECKING:  # a type checker refuses float(x), x // 2 and len(x) itself
        __float__ = __complex__ = _plain_number
        __int__, __index__ = _whole_number, _count
        __floordiv__, __rfloordiv__ = stepping("floor_divide"), stepping("floor_divide", True)
        __mod__, __rmod__ = stepping("remainder"), stepping("remainder", True)
        __divmod__, __rdivmod__ = stepping("divmod"), stepping("divmod", True)
        __round__, __floor__ = stepping("round"), stepping("floor")
        __ceil__, __trunc__ = stepping("ceil"), stepping("trunc")
        __iter__ = __len__ = _one_number  # with a __getitem__ NumPy would speak of a sequence
        for _name in FOREIGN_NAMES:
            locals()[_name] = Absent()
        for _name in SCALAR_NAMES:
            locals()[_name] = ScalarName()
        del _name

    def __dir__(self) -> list[str]:
        absent = {*FOREIGN_NAMES, *SCALAR_NAMES}
        return [name for name in object.__dir__(self) if name not in absent]


def is_value(x: Any) -> bool:
    """Whether x is a Value."""
    return isinstance(x, RefusedOperators)
