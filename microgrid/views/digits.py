"""The digits of an equation: what is shown gives the shown result, or the sign is ≈."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import Any, NamedTuple

from microgrid.engine.guards import Number
from microgrid.views.wording import decimals, signed

MORE = 4  # digits, at most, that the numbers of an equation get beside those asked for


class Shown(NamedTuple):
    """The numbers of an equation, its sign, = or ≈, and its result, as they are written."""

    numbers: list[str]
    sign: str
    result: str


def balanced(
    compute: Callable[..., Any], numbers: Sequence[Number], result: Number, digits: int
) -> Shown:
    """An equation, result = compute(*numbers), with so many decimals if they do.

    It is right as it stands there if the numbers as they are written give the result as it is
    written, rounded to its last decimal. Where they do not, those that were rounded get more
    decimals, and at last the sign is ≈.

    >>> balanced(lambda a, b: a * b, (-2.0, 0.19661193), -0.39322387, 2)
    Shown(numbers=['−2.00', '0.197'], sign='=', result='−0.39')
    """
    end = decimals(result, digits)
    for more in range(MORE + 1):
        shown = [decimals(x, digits + more * is_rounded(x, digits)) for x in numbers]
        if right(compute, shown, end):
            return Shown([*map(signed, shown)], "=", signed(end))
    return Shown([signed(decimals(x, digits)) for x in numbers], "≈", signed(end))


def product(numbers: Sequence[Number], result: Number, digits: int) -> Shown:
    """Two numbers and their product."""
    return balanced(lambda a, b: a * b, numbers, result, digits)


def total(numbers: Sequence[Number], result: Number, digits: int) -> Shown:
    """Two numbers and their sum."""
    return balanced(lambda a, b: a + b, numbers, result, digits)


def is_rounded(x: Number, digits: int) -> bool:
    """Whether x is written with fewer digits than it has."""
    try:
        return Fraction(decimals(x, digits)) != x
    except ValueError:  # inf and nan
        return False


def right(compute: Callable[..., Any], shown: Sequence[str], end: str) -> bool:
    """Whether the numbers as they are written give the result as it is written."""
    try:
        if not all(map(isfinite, map(rounded, [*shown, end]))):
            found = compute(*map(rounded, shown))
            return bool(found == rounded(end) or found != found)
        found, unit = Fraction(compute(*map(Fraction, shown))), Decimal(1)
        if "/" in end:
            return found == Fraction(end)
        unit = unit.scaleb(int(Decimal(end).as_tuple().exponent))
        return abs(found - Fraction(end)) <= Fraction(unit) / 2
    except (ArithmeticError, ValueError, TypeError):  # out of a domain
        return False


def rounded(text: str) -> float:
    """A number that is written, also as a fraction."""
    return float(Fraction(text)) if "/" in text else float(text)
