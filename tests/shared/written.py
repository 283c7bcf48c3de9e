"""Numbers as pages write them, read back exactly."""

from decimal import Decimal
from fractions import Fraction
from math import prod


def number(text: str) -> Fraction:
    return Fraction(text.strip("()").replace("−", "-"))


def unit(text: str) -> Fraction:
    """The last place of a decimal; 0 for a fraction, which is exact."""
    if "/" in text:
        return Fraction(0)
    exponent = Decimal(text.strip("()").replace("−", "-")).as_tuple().exponent
    return Fraction(Decimal(1).scaleb(int(exponent)))


def is_rounded(text: str, x) -> bool:
    """Whether a text is x, rounded to its last place."""
    return abs(number(text) - Fraction(x)) <= unit(text) * Fraction(50001, 100000)


def table_is_right(lines) -> bool:
    """Whether in each line (sum, *factors, share, total) the shown factors give the shown share,
    and the shown shares so far the shown total, or ≈ says that they do not."""
    so_far: dict[object, Fraction] = {}
    right = []
    for key, *factors, share, total in lines:
        sign, end = ("≈", share[2:]) if share.startswith("≈ ") else ("=", share)
        right.append(gives(sign, prod(map(number, factors)), end))
        so_far[key] = so_far.get(key, Fraction(0)) + number(end)
        sign, end = ("≈", total[2:]) if total.startswith("≈ ") else ("=", total)
        right.append(gives(sign, so_far[key], end))
    return all(right)


def gives(sign: str, found: Fraction | float, result: str) -> bool:
    """Whether an equation is right as it stands, or says by its sign that it is not."""
    return sign == "≈" or abs(Fraction(found) - number(result)) <= unit(result) / 2
