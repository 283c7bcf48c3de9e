"""Checks of settings: a ParameterError says what is allowed and what was given."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from microgrid.engine.errors import MicrogridError, ParameterError
from microgrid.engine.guards import real

BOUNDS: dict[str, Callable[[float], bool]] = {
    "above 0": lambda x: 0 < x < math.inf,
    "from 0 on": lambda x: 0 <= x < math.inf,
    "from 0 to below 1": lambda x: 0 <= x < 1,
}


def whole(
    name: str, x: Any, least: int | None = None, error: type[Exception] = ParameterError,
    most: int | None = None,
) -> int:  # fmt: skip
    """x as an int; `error` unless it is one whole number, from `least` on, and to `most`."""
    try:
        number = None if is_bool(x) else operator.index(x)
    except TypeError:  # also from a Value
        number = None
    low = number is None or (least is not None and number < least)
    if number is None or low or (most is not None and number > most):
        end = "on" if most is None else f"to {most}"
        kind = "one whole number" if least is None else f"a whole number from {least} {end}"
        raise error(f"{name} is {kind}, got {x!r}")
    return number


def number(name: str, x: Any, bound: str, instead: str = "") -> float:
    """x as a float, which must be one real number within a bound of BOUNDS.

    The error names `instead`, what else may be given, too.
    """
    try:
        found = None if is_bool(x) else float(real(x))
    except (MicrogridError, OverflowError):
        found = None
    if found is None or not BOUNDS[bound](found):
        raise ParameterError(f"{name} is a number {bound}{instead}, got {x!r}")
    return found


def direction(mode: Any) -> str:
    """A mode of differentiation: "forward" or "reverse", which is also called "backward"."""
    found = {"forward": "forward", "reverse": "reverse", "backward": "reverse"}
    if not isinstance(mode, str) or mode not in found:
        raise ParameterError(
            f"mode is 'forward' or 'reverse' (or 'backward', the same), got {mode!r}"
        )
    return found[mode]


def is_bool(x: Any) -> bool:
    return type(x).__name__ in ("bool", "bool_")  # NumPy's, too, without NumPy
