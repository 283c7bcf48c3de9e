"""The digits of an equation: what is shown gives the shown result, or the sign is ≈."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
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

    >>> import operator
    >>> balanced(operator.mul, (-2.0, 0.19661193), -0.39322387, 2)
    Shown(numbers=['−2.00', '0.197'], sign='=', result='−0.39')
    """
    end = decimals(result, digits)
    for more in range(MORE + 1):
        shown = [decimals(x, digits + more * is_rounded(x, digits)) for x in numbers]
        if right(compute, shown, end):
            return Shown([*map(signed, shown)], "=", signed(end))
    return Shown([signed(decimals(x, digits)) for x in numbers], "≈", signed(end))


def is_rounded(x: Number, digits: int) -> bool:
    """Whether x is written with fewer digits than it has."""
    shown = read(decimals(x, digits))
    return isinstance(shown, Fraction) and shown != x


def right(compute: Callable[..., Any], shown: Sequence[str], end: str) -> bool:
    """Whether the numbers as they are written give the result as it is written."""
    for kind in (read, nearest):  # exactly, or as floats where a function takes no others
        with suppress(Exception):  # anyone's function
            found, result = compute(*map(kind, shown)), read(end)
            if not isinstance(result, Fraction) or found - found != 0:
                return bool(found == result or (found != found and result != result))
            room = 0 if "/" in end else Fraction(Decimal(1).scaleb(exponent(end))) / 2
            return abs(Fraction(found) - result) <= room
    return False


def read(text: str) -> Fraction | float:
    """A number that decimals() wrote, exactly; inf and nan are floats."""
    try:
        return Fraction(text)
    except ValueError:
        return float(text)


def nearest(text: str) -> float:
    return float(read(text))


def exponent(text: str) -> int:
    """The place of the last decimal: −2 for 0.73."""
    return int(Decimal(text).as_tuple().exponent)
