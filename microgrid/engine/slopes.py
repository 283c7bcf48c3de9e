"""What a rule may give: ∂y/∂x as a number or a node, or NO_PATH where nothing flows back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from microgrid.engine.errors import RuleError
from microgrid.engine.guards import is_real
from microgrid.engine.modes import ieee
from microgrid.engine.refusals import is_value


class NoPath:
    """The local gradient of an operand that is not selected: not even 0 × inf comes through."""

    __slots__ = ()

    def __reduce__(self) -> Any:
        return "NO_PATH"  # there is one, also after a copy or in another process


NO_PATH = NoPath()


def slopes(op: Any, y: Any, xs: Sequence[Any]) -> Sequence[Any]:
    """∂y/∂x for each x, as the rules of op give them; RuleError for another number of them."""
    try:
        found = op.joint(y, *xs) if op.joint else [rule(y, *xs) for rule in op.rules]
    except (ArithmeticError, ValueError):
        if not ieee.get() or any(map(is_value, xs)):
            raise
        found = limits(op, y, xs)
    if not isinstance(found, Sequence) and not hasattr(found, "dtype"):  # a set has no order
        raise bad_slope(op, found)
    if len(found) != len(xs):
        raise RuleError(f"op {op.name!r} has {len(xs)} parents but gave {len(found)}")
    checked: Sequence[Any] = found
    return checked


def limits(op: Any, y: Any, xs: Sequence[Any]) -> Sequence[Any]:
    """The slopes where Python's numbers raise and NumPy's do not: 1 / x is inf at 0."""
    import numpy as np

    y, *xs = map(np.float64, (y, *xs))
    with np.errstate(all="ignore"):
        found = op.joint(y, *xs) if op.joint else [rule(y, *xs) for rule in op.rules]
    return [x if isinstance(x, NoPath) else float(x) for x in found]


def check_slopes(found: Iterable[tuple[Any, Any]], as_graph: bool = False) -> None:
    """RuleError for the first of (operation, local gradient) that no rule may give."""
    for op, local in found:
        if not (isinstance(local, NoPath) or is_real(local) or (as_graph and is_value(local))):
            raise bad_slope(op, local)


def bad_slope(op: Any, local: Any) -> RuleError:
    """The error of a rule that gives no number."""
    got = f"{type(local).__name__} {local!r}"
    told = "None (is a return missing?)" if local is None else got
    return RuleError(f"a rule of op {op.name!r} gave {told:.80}: it gives ∂y/∂x as one real number")
