"""Who is told when a node's number is read: while a function is recorded, its recorder.

A recorded program replays one way through the function. Code that reads a number may take another
way for other numbers, so program/tracing.py sets a recorder that refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from microgrid.engine.errors import failure
from microgrid.engine.refusals import is_value

Recorder = Callable[[Any], None]
recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)
other_thread_recorders: list[Recorder] = []  # they hear the threads that record nothing themselves


def on_read(v: Any) -> None:
    """Call this before reading a node's number: it tells the recorder."""
    own = recorder.get()
    for told in (own,) if own is not None else tuple(other_thread_recorders):
        told(v)


def failed(op: Any, operands: Sequence[Any], error: Exception) -> Any:
    """Raises what op has to say; nan while a function is recorded, when numbers do not matter."""
    if recorder.get() is None or not any(map(is_value, operands)):
        raise failure(op, operands, error) from None
    return float("nan")
