"""NumPy's functions on a single Value: exp, maximum, … are ours; the rest goes entry by entry."""

from __future__ import annotations

from typing import Any

from microgrid.engine.errors import GradientLostError
from microgrid.engine.functions import FUNCTIONS, maximum, minimum
from microgrid.engine.guards import plain
from microgrid.engine.recorder import as_recorded, is_recorded
from microgrid.engine.value import Value

PREDICATES = {"isnan", "isfinite", "isinf", "signbit"}
IGNORING_NAN = {"fmax": maximum, "fmin": minimum}
COMPARING = {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"}
PIECEWISE_CONSTANT = {"sign", "floor", "ceil", "trunc", "rint", "floor_divide", "fmod"}


def array_ufunc(self: Value, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """What NumPy calls for ufunc(*inputs) where an input or an `out` is a Value."""
    import numpy as np

    name, is_call = ufunc.__name__, method == "__call__" and not options
    if name in PIECEWISE_CONSTANT:
        raise GradientLostError(
            f"{name} is piecewise constant: its derivative is 0 almost everywhere; "
            "use v.data for the number"
        )
    if name in FUNCTIONS and is_call:
        return FUNCTIONS[name](*inputs)
    if name in PREDICATES and is_call:
        return ufunc(inputs[0].data)
    if any(isinstance(x, Value) for x in options.get("out", ())):
        raise GradientLostError(f"np.{name} writes into arrays, not into a Value")
    if name in COMPARING and is_recorded(*inputs):
        options.setdefault("dtype", object)  # nodes, not bools
    needed = "beside a Value stand real numbers"
    boxed = [np.array(x, object) if isinstance(x, Value) else plain(x, needed) for x in inputs]
    if name in IGNORING_NAN and is_call and not any(x.ndim for x in boxed):
        a, b = [x.item() for x in boxed]
        return b if a != a else a if b != b else IGNORING_NAN[name](a, b)
    try:
        return as_recorded(getattr(ufunc, method)(*boxed, **options))
    except TypeError as error:
        if "no callable" in str(error) or "not supported for the input types" in str(error):
            raise GradientLostError(
                f"microgrid knows no derivative of np.{name}: write it with microgrid's "
                "functions, or use v.data for the number"
            ) from None
        if "out" in options or "dtype" in options:  # floats, among which no Value stands
            next(x for x in inputs if isinstance(x, Value))._plain_number()  # GradientLostError
        raise


Value.__array_ufunc__ = array_ufunc  # type: ignore[attr-defined]
