"""Who is told when a node's number is read: while a function is recorded, its recorder.

A recorded program replays one way through the function. Code that reads a number may take another
way for other numbers, so program/tracing.py sets a recorder that refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from inspect import unwrap
from typing import Any, Protocol

from microgrid.engine.errors import failure
from microgrid.engine.modes import ieee
from microgrid.engine.refusals import is_value


class Recorder(Protocol):
    """What is recording a function."""

    def read(self, v: Any, use: str) -> None:
        """Told before code uses the number of a node; it raises where that cannot be recorded."""

    def depends(self, v: Any) -> bool:
        """Whether a node follows from the arguments of the function."""

    def array(self, nodes: Any) -> Any:
        """An array of nodes as one whose comparisons can be recorded, too."""


recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)
other_thread_recorders: list[Recorder] = []  # they hear the threads that record nothing themselves


def on_read(v: Any, use: str = "number") -> None:
    """Call this before using a node's number: it tells the recorder for what."""
    own = recorder.get()
    if own is not None:
        own.read(v, use)
    elif other_thread_recorders:
        for other in [r for r in tuple(other_thread_recorders) if r.depends(v)]:
            other.read(v, use)


def is_recorded(*xs: Any) -> bool:
    """Whether what is made of these operands is part of a function that is being recorded."""
    if recorder.get() is not None:
        return True
    others = tuple(other_thread_recorders)  # nearly always none
    return bool(others) and any(r.depends(x) for r in others for x in xs if is_value(x))


def failed(op: Any, operands: Sequence[Any], error: Exception) -> Any:
    """Raises what op has to say; nan while a function is recorded, when numbers do not matter.

    Under `ieee_arithmetic` it gives what NumPy gives of floats.
    """
    if ieee.get():
        return limit(op, operands)
    if recorder.get() is None or not any(map(is_value, operands)):
        raise failure(op, operands, error) from None
    return float("nan")


def limit(op: Any, operands: Sequence[Any]) -> float:
    """What NumPy's function gives where Python's raises: inf, −inf or nan."""
    import numpy as np

    numbers = [float(getattr(x, "_number", x)) for x in operands]
    f = getattr(np, {"div": "divide"}.get(op.name, op.name), None)
    try:
        with np.errstate(all="ignore"):
            return float((f if isinstance(f, np.ufunc) else unwrap(op.forward))(*numbers))
    except (ArithmeticError, ValueError):
        return float("nan")
