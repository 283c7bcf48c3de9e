"""The digits of an equation: what is shown gives the shown result, or the sign is ≈."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

from microgrid.engine.guards import Number
from microgrid.views.wording import decimals, signed

MORE = 4  # digits, at most, that the numbers of an equation get beside those asked for
ABOUT = "≈ "
Write = Callable[[Number, int], str]  # a number with so many digits


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
    shown, sign = fitted(compute, numbers, end, digits, decimals)
    return Shown([*map(signed, shown)], sign, signed(end))


def fitted(
    compute: Callable[..., Any], numbers: Sequence[Number], end: str, digits: int, write: Write
) -> tuple[list[str], str]:
    """The numbers with as many digits as give the written result, and the sign before that."""
    tries = with_more(numbers, digits, write)
    found = next((shown for shown in tries if right(compute, shown, end)), None)
    return (found, "=") if found else ([write(x, digits) for x in numbers], "≈")


def with_more(numbers: Sequence[Number], digits: int, write: Write) -> Iterator[list[str]]:
    """The numbers as they are written, then those that are rounded with more and more digits."""
    shown = [write(x, digits) for x in numbers]
    yield shown
    rounded = [is_rounded(x, text) for x, text in zip(numbers, shown)]
    for more in range(1, MORE + 1) if any(rounded) else ():
        yield [
            write(x, digits + more) if short else text
            for x, text, short in zip(numbers, shown, rounded)
        ]


class Line(NamedTuple):
    """A line of a table: share = product of the factors, which adds up to the total of its sum."""

    sum: Hashable
    factors: Sequence[Number]
    share: Number
    total: Number | None  # so far; None where it is not shown


def columns(lines: Sequence[Line], digits: int, write: Write) -> list[tuple[str, ...]]:
    """The factors, the share and the total of each line, right as they stand there.

    The shares as they are written give each total as it is written, and the factors give the share;
    those that were rounded get more digits until they do, else ≈ stands before the result. What a
    sum begins with, beside its shares, is taken as it is.

    >>> columns([Line("x", (0.0564, 0.0564), 0.00318, 0.00318)], 1, "{:.{}g}".format)
    [('0.056', '0.056', '0.003', '0.003')]
    """
    sums: dict[Hashable, list[int]] = {}
    for i, line in enumerate(lines):
        sums.setdefault(line.sum, []).append(i)
    found: dict[int, tuple[str, ...]] = {}
    for places in sums.values():
        these = [lines[i] for i in places]
        for i, share, total in zip(places, *summands(these, digits, write), strict=True):
            factors, sign = fitted(product, lines[i].factors, share, digits, write)
            found[i] = *factors, about(sign, share), total
    return [found[i] for i in range(len(lines))]


def summands(lines: Sequence[Line], digits: int, write: Write) -> tuple[list[str], list[str]]:
    """The shares of one sum, with as many digits as give its totals, and the totals."""
    shares, begin = [line.share for line in lines], lines[0].total
    first = 0 if begin is None or begin == shares[0] else begin - shares[0]
    ends = ["" if line.total is None else write(line.total, digits) for line in lines]

    def signs(shown: Sequence[str]) -> list[str]:
        so_far = accumulate(map(number_of, shown), plus, initial=exactly(first))
        next(so_far)
        return ["=" if not end or fits(x, end) else "≈" for x, end in zip(so_far, ends)]

    for shown in with_more(shares, digits, write):
        if "≈" not in signs(shown):
            return shown, ends
    shown = [write(x, digits) for x in shares]
    return shown, [*map(about, signs(shown), ends)]


def about(sign: str, end: str) -> str:
    return ABOUT * (sign == "≈") + end


def product(*factors: Any) -> Any:
    return math.prod(factors)


def plus(a: Any, b: Any) -> Any:
    try:
        return a + b
    except OverflowError:  # an int beyond the floats, and inf
        return math.nan


def exactly(x: Number) -> Fraction | float:
    return Fraction(x) if x - x == 0 else float(x)


def is_rounded(x: Number, text: str) -> bool:
    """Whether x is written with fewer digits than it has."""
    shown = number_of(text)
    return isinstance(shown, Fraction) and shown != x


LARGE = 10_000


def right(compute: Callable[..., Any], shown: Sequence[str], end: str) -> bool:
    """Whether the numbers as they are written give the result as it is written.

    They do so exactly, or as floats where a function takes no others, or a number is so large that
    an exact power could be endless.
    """
    sizes: list[Any] = [abs(number_of(x)) for x in shown]
    exact = all(x <= LARGE for x in sizes)
    beyond = not exact and max(sizes) < math.inf  # then inf is no result, but stands for one
    for kind in (number_of, nearest)[not exact :]:
        with suppress(Exception):  # anyone's function
            found = compute(*map(kind, shown))
            return fits(found, end) and not (beyond and abs(found) == math.inf)
    return False


def fits(found: Any, end: str) -> bool:
    """Whether a number is written so, rounded to the last decimal."""
    result = number_of(end)
    if not isinstance(result, Fraction) or found - found != 0:
        return bool(found == result or (found != found and result != result))
    least, most = bounds(end)
    return bool(least <= found <= most)


@lru_cache(1024)
def bounds(end: str) -> tuple[Fraction, Fraction]:
    """The least and the largest number that is written so; a fraction is exact."""
    room = Fraction(0) if "/" in end else Fraction(Decimal(1).scaleb(exponent(end))) / 2
    return Fraction(end) - room, Fraction(end) + room


def one_kind(numbers: Iterable[Number]) -> Callable[[Number], Number]:
    """How numbers become alike that stand beside each other, so that 1.00 stands by no 1/3.

    Where one is a Fraction, whole numbers become Fractions; where others are rounded, all floats.

    >>> [*map(one_kind([Fraction(1, 3), 2, 1.0]), [1, 2.0])]
    [Fraction(1, 1), Fraction(2, 1)]
    >>> one_kind([Fraction(1, 3), 0.25])(Fraction(1, 2))
    0.5
    """
    given = [*numbers]
    if not any(isinstance(x, Fraction) for x in given):
        return lambda x: x
    exact = all(isinstance(x, int | Fraction) or x % 1 == 0 for x in given)
    return exactly if exact else nearest_float


def nearest_float(x: Number) -> Number:
    try:
        return float(x)
    except OverflowError:  # beyond the floats
        return x


@lru_cache(1024)
def number_of(text: str) -> Fraction | float:
    """A number that decimals() wrote, exactly; inf and nan are floats."""
    try:
        return Fraction(text)
    except ValueError:
        return float(text)


def nearest(text: str) -> float:
    return float(number_of(text))


def exponent(text: str) -> int:
    """The place of the last decimal: −2 for 0.73."""
    return int(Decimal(text).as_tuple().exponent)
