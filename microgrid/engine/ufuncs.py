"""NumPy's functions on a single Value: exp, maximum, … are ours; the rest goes entry by entry."""

from __future__ import annotations

import operator
from typing import Any

from microgrid.engine.errors import GradientLostError
from microgrid.engine.functions import FUNCTIONS
from microgrid.engine.guards import is_real, real
from microgrid.engine.modes import ieee
from microgrid.engine.value import Value

ARITHMETIC = {  # of two numbers: the operators of Value, without arrays
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul,
    "divide": operator.truediv, "true_divide": operator.truediv, "power": operator.pow,
}  # fmt: skip


def array_ufunc(self: Value, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """What NumPy calls for ufunc(*inputs) where an input or an `out` is a Value."""
    name = ufunc.__name__
    if method == "__call__" and not options:
        if name in FUNCTIONS:
            return FUNCTIONS[name](*inputs)
        f = ARITHMETIC.get(name)
        if f is not None and all(isinstance(x, Value) or is_real(x) for x in inputs):
            return f(*[x if isinstance(x, Value) else real(x) for x in inputs])
    from microgrid.engine.array_ufuncs import STEPS, applied, unknown

    alone = not any(getattr(x, "shape", None) for x in inputs) and not ieee.get()
    if alone and name in {*STEPS, "remainder", "fmod"}:
        raise GradientLostError(
            f"{name} is piecewise constant: its derivative is 0 almost everywhere; "
            "use v.data for the number"
        )
    if alone and name == "heaviside":
        raise unknown(f"np.{name}")
    return applied(ufunc, method, inputs, options)


Value.__array_ufunc__ = array_ufunc  # type: ignore[attr-defined]
