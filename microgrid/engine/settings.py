"""Settings, looked at where they are made: ParameterError with what was expected and what came."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from microgrid.engine.errors import MicrogridError, ParameterError
from microgrid.engine.guards import real


def whole(
    name: str, x: Any, least: int | None = None, error: type[Exception] = ParameterError
) -> int:
    """x as an int; `error` unless it is one whole number, from `least` on."""
    try:
        number = None if is_bool(x) else operator.index(x)
    except TypeError:  # also from a Value
        number = None
    if number is None or (least is not None and number < least):
        kind = "one whole number" if least is None else f"a whole number from {least} on"
        raise error(f"{name} is {kind}, got {x!r}")
    return number


def number(name: str, x: Any, said: str, fits: Callable[[float], bool]) -> float:
    """x as a float, which must be one real number that fits; `said` tells which do."""
    try:
        found = None if is_bool(x) else float(real(x))
    except (MicrogridError, OverflowError):
        found = None
    if found is None or not fits(found):
        raise ParameterError(f"{name} is a number {said}, got {x!r}")
    return found


def is_bool(x: Any) -> bool:
    return type(x).__name__ in ("bool", "bool_")  # NumPy's, too, without NumPy
