"""Values compare as numbers; while a function is recorded, a comparison is a node of its graph."""

from __future__ import annotations

import operator
from collections.abc import Callable
from numbers import Number as AnyNumber
from typing import Any

from microgrid.engine import ops
from microgrid.engine.guards import in_a_graph, is_masked, is_real, no_number
from microgrid.engine.modes import ieee
from microgrid.engine.op import Op
from microgrid.engine.recorder import is_recorded
from microgrid.engine.value import Value


class Condition(Value):
    """A comparison while a function is recorded: 1 where it holds, else 0; its slope is 0.

    `where`, products and sums take it, and so do `&`, `|`, `^` and `~`. An `if` does not: a program
    goes one way for all numbers.
    """

    __slots__ = ()

    def __and__(self, other: Any) -> Any:
        return condition(ops.mul, self, other) if is_condition(other) else NotImplemented

    def __or__(self, other: Any) -> Any:
        return condition(ops.maximum, self, other) if is_condition(other) else NotImplemented

    def __xor__(self, other: Any) -> Any:
        return ~condition(ops.equal, self, other) if is_condition(other) else NotImplemented

    def __invert__(self) -> Value:
        return condition(ops.sub, 1.0, self)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __array_function__(self, f: Any, kinds: Any, args: Any, options: Any) -> Any:
        """np.where(x > 0, a, b) is ours: NumPy's own would ask whether x > 0."""
        import numpy as np

        if f is np.where and len(args) == 3:
            return ops.where(*args)
        return f._implementation(*args, **options)


def is_condition(x: Any) -> bool:
    """Whether x is 1 or 0: a node that compares, or a bool, also NumPy's."""
    kind = getattr(x, "dtype", None) if getattr(x, "shape", None) == () else None
    return isinstance(x, Condition | bool) or getattr(kind, "kind", "") == "b"


def condition(op: Op, *xs: Any) -> Condition:
    """The node that op makes of these operands, which is 1 or 0."""
    v: Any = op(*xs)
    v.__class__ = Condition
    made: Condition = v
    return made


def comparison(compare: Callable[[Any, Any], bool], op: Op, swapped: bool = False) -> Any:
    """The method that compares the number with another one."""

    def method(self: Value, other: Any) -> Any:
        if not (isinstance(other, Value) or is_real(other)):
            return NotImplemented
        if is_recorded(self, other):
            return condition(op, other, self) if swapped else condition(op, self, other)
        return bool(compare(self._number, getattr(other, "_number", other)))  # not NumPy's bool

    return method


def equals(self: Value, other: object) -> Any:
    """Whether a Value has this number, or is this very node; beside an array, of each entry.

    Two nodes are equal only if they are one, as lists of nodes ask; a function that is recorded
    compares their numbers, and so does `ieee_arithmetic`. Among keys of a dict nobody asks: nodes
    have different hashes. As among floats, nan is not equal to itself.
    """
    if type(other) is float or type(other) is int:  # nearly always
        pass
    elif isinstance(other, Value):
        if self is not other and not (ieee.get() or is_recorded(self, other)):
            return False
    elif is_masked(other) or in_a_graph(other):
        raise no_number(other, "a Value compares with real numbers")
    elif getattr(other, "shape", ()) and not hasattr(other, "__array_ufunc__"):  # a tensor
        import numpy as np

        return np.asarray(other) == self
    elif not (is_real(other) or isinstance(other, AnyNumber)):
        return False if getattr(other, "shape", None) == () else NotImplemented
    if is_recorded(self, other) and not isinstance(other, complex):
        return condition(ops.equal, self, other)
    return bool(self._number == getattr(other, "_number", other))


def differs(self: Value, other: object) -> Any:
    same = equals(self, other)
    if same is NotImplemented:
        return NotImplemented
    return not same if isinstance(same, bool) else ~same


COMPARISONS = {
    "__eq__": equals,
    "__ne__": differs,
    "__lt__": comparison(operator.lt, ops.greater, swapped=True),
    "__le__": comparison(operator.le, ops.greater_equal, swapped=True),
    "__gt__": comparison(operator.gt, ops.greater),
    "__ge__": comparison(operator.ge, ops.greater_equal),
}
for name, compares in COMPARISONS.items():
    setattr(Value, name, compares)
