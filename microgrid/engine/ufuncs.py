"""NumPy's functions on a single Value: exp, maximum, … are ours; the rest goes entry by entry."""

from __future__ import annotations

from typing import Any

from microgrid.engine.errors import GradientLostError
from microgrid.engine.functions import FUNCTIONS
from microgrid.engine.modes import ieee
from microgrid.engine.value import Value


def array_ufunc(self: Value, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """What NumPy calls for ufunc(*inputs) where an input or an `out` is a Value."""
    name = ufunc.__name__
    if name in FUNCTIONS and method == "__call__" and not options:
        return FUNCTIONS[name](*inputs)
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
