"""What a question of the page may hold, and what an answer holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Question = Mapping[str, Any]
Answer = dict[str, Any]


class Refused(ValueError):
    """A question that gets no answer; the message says why."""


def text(question: Question, name: str, default: str | None = None) -> str:
    x = question.get(name, default)
    if not isinstance(x, str):
        raise Refused(f"{name}: a text is needed")
    return x


def numbers(question: Question) -> dict[str, float]:
    """The numbers of leaves, by their names."""
    found = question.get("numbers", {})
    if not isinstance(found, dict):
        raise Refused("numbers: an object is needed, such as {'x': 2}")
    return {str(name): number(f"numbers: {name}", x) for name, x in found.items()}


def number(name: str, x: Any) -> float:
    """A finite number."""
    if isinstance(x, int | float) and not isinstance(x, bool) and is_finite(x):
        return float(x)
    raise Refused(f"{name}: a finite number is needed")


def whole(question: Question, name: str, default: int, least: int, most: int) -> int:
    """A whole number in these bounds."""
    x = question.get(name, default)
    if isinstance(x, bool) or not isinstance(x, int) or not least <= x <= most:
        raise Refused(f"{name}: a whole number from {least} to {most} is needed")
    return x


def plain(x: Any) -> float | str:
    """A number as JSON has it, else by its name: inf, -inf, nan."""
    if is_finite(x):
        return float(x) + 0.0  # -0.0 is 0
    return "nan" if x != x else "inf" if x > 0 else "-inf"


def is_finite(x: Any) -> bool:
    try:
        return math.isfinite(x)
    except OverflowError:  # of an int beyond the floats
        return False
