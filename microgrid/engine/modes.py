"""Whether Values are to NumPy code what its floats are, also where Python raises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

ieee: ContextVar[bool] = ContextVar("ieee", default=False)


@contextmanager
def ieee_arithmetic() -> Iterator[None]:
    """While it is open, Values are to NumPy code what its floats are: nothing raises.

    log(0) is −inf, 1 / 0 is inf, sqrt(−1) is nan, as NumPy's functions say; slopes are by the
    rules. Two Values are equal if their numbers are, np.sign of a Value is a number, and a Value
    has the attributes of a NumPy scalar (shape, item, astype, …).

    >>> import microgrid as mg
    >>> with ieee_arithmetic():
    ...     mg.log(mg.Value(0.0))
    Value(-inf, op='log')
    """
    token = ieee.set(True)
    try:
        yield
    finally:
        ieee.reset(token)
