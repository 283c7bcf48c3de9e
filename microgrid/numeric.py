"""Functions of plain numbers that lose no digits and, where backward needs them, never raise.

The limits are those of IEEE 754: 1/0 is inf, 0/0 is nan.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

Number = Any
INF, NAN = math.inf, math.nan


def unity(x: Number) -> Number:
    """1 of the kind of x: among Fractions the int 1 divided by 3 would be a float."""
    return type(x)(1)


def divide(a: Number, b: Number) -> Number:
    """a / b, and the limit where Python raises: for b → 0⁺, or an int beyond the floats."""
    try:
        return a / b
    except ZeroDivisionError:
        return NAN if a == 0 or a != a else math.copysign(INF, a)
    except OverflowError:
        size = INF if abs(a) > abs(b) else 0.0
        return size if (a < 0) == (b < 0) else -size


def log(x: Number) -> float:
    """log x, with log 0 = −inf and nan below zero."""
    if not x > 0:
        return -INF if x == 0 else NAN
    if isinstance(x, Fraction) and not 1e-300 < x < 1e300:  # float(x) would overflow or be 0
        return math.log(x.numerator) - math.log(x.denominator)
    return math.log(x)


def product(a: Number, b: Number) -> Number:
    """a b, and its limit where one factor is exact and beyond the floats."""
    try:
        return a * b
    except OverflowError:
        if not isinstance(a, int | float | Fraction) or not isinstance(b, int | float | Fraction):
            raise  # nodes of a derivative's graph: its forward pass says what is wrong
        exact, factor = (b, a) if isinstance(a, float) else (a, b)
    if factor - factor != 0:  # inf or nan
        return factor * sign(exact)
    y = Fraction(exact) * Fraction(factor)
    try:
        return float(y)
    except OverflowError:
        return INF if y > 0 else -INF


def float_sum(a: Number, b: Number) -> float:
    """a + b as floats, also where one of them is exact and beyond the floats."""
    return float(product(a, 1.0) + product(b, 1.0))


def real_power(a: Number, b: Number) -> Number:
    """a ** b, with an error where Python goes complex."""
    y = a**b
    if isinstance(y, complex):
        raise ValueError(
            "a negative base with a fractional exponent has no real value; cbrt(x) for a cube root"
        )
    return y


def power(a: Number, b: Number) -> Number:
    """a ** b, with the limit where Python raises."""
    try:
        return real_power(a, b)
    except ValueError:
        return NAN
    except (OverflowError, ZeroDivisionError):
        return -INF if math.copysign(1, a) < 0 and b % 2 == 1 else INF


def falling(k: int) -> Callable[[Number, Number], Number]:
    """(a, b) ↦ b (b−1) … (b−k+1) a^(b−k), the k-th derivative of a^b in a."""

    def derivative(a: Number, b: Number) -> Number:
        factor = math.prod([b - j for j in range(k)])
        if factor == 0:
            return factor
        exponent, lost = difference(b, k)
        y = power(a, exponent)
        if lost and a > 0 and 0 < y < INF:  # shows where a is far from 1
            y += y * lost * math.log(a)
        return product(factor, y)

    return derivative


def sign(x: Number) -> Number:
    """−1, 0 or 1 (0 at the kink), nan for nan."""
    return x if x != x else (x > 0) - (x < 0)


def step(x: Number) -> Number:
    """1 for x > 0, else 0; nan for nan."""
    return x if x != x else +(x > 0)


def sigmoid(x: Number) -> float:
    """1 / (1 + exp(−x)) without overflow."""
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    e = math.exp(x)
    return e / (1 + e)


def sigmoid_slope(x: Number) -> float:
    """σ(x) (1 − σ(x)) as e / (1 + e)² with e = exp(−|x|): s * (1 - s) has no digit left at 37."""
    e = math.exp(-abs(x))
    return e / ((1 + e) * (1 + e))


def tanh_slope(x: Number) -> float:
    """1 − tanh² x, in the same way."""
    e = math.exp(-2 * abs(x))
    return 4 * e / ((1 + e) * (1 + e))


def difference(a: Number, b: Number) -> tuple[Number, Number]:
    """a − b as rounded, and what rounding lost (Knuth's TwoSum)."""
    d = a - b
    back = d - a
    lost = (a - (d - back)) - (b + back)
    return d, lost if lost == lost else 0.0


def exp_difference(a: Number, b: Number) -> Number:
    """exp(a − b) for a ≤ b, to the last digits even where a − b is rounded."""
    d, lost = difference(a, b)
    return math.exp(d) * (1 + lost)


def sigmoid_difference(a: Number, b: Number) -> Number:
    """σ(a − b), to the last digits even where a − b is rounded."""
    d, lost = difference(a, b)
    return sigmoid(d) + lost * sigmoid_slope(d)


def softplus(x: Number) -> float:
    """log(1 + exp x) without overflow."""
    return (x if x > 0 else 0.0) + math.log1p(math.exp(-abs(x)))


def logsumexp(*xs: Number) -> Number:
    """log Σ exp x without overflow; log1p keeps what lies far below the largest."""
    top = maximum(*xs)
    if not math.isfinite(top):
        return float(top)
    others = list(xs)
    others.remove(top)
    return top + math.log1p(math.fsum([exp_difference(x, top) for x in others]))


def softmax(xs: Sequence[Number]) -> list[float]:
    """exp x / Σ exp x, the gradient of logsumexp."""
    top = maximum(*xs)
    exps = [exp_difference(x, top) if x != top or not math.isfinite(x) else 1.0 for x in xs]
    if math.isinf(top) and top > 0:
        return [NAN if x == top else 0.0 for x in xs]
    scale = math.fsum(exps)
    return [e / scale for e in exps]


def maximum(*xs: Number) -> Number:
    """The largest; nan if any is nan."""
    top = xs[0]
    for x in xs:
        if x != x:
            return x
        if x > top:
            top = x
    return top


def minimum(*xs: Number) -> Number:
    """The smallest; nan if any is nan."""
    low = xs[0]
    for x in xs:
        if x != x:
            return x
        if x < low:
            low = x
    return low


def ties(y: Number, xs: Sequence[Number]) -> list[Number]:
    """An equal share for each x that equals y, zero for the others (nan for all if y is nan)."""
    if y != y:
        return [y] * len(xs)
    winners = [x == y for x in xs]
    count = sum(winners)
    exact = any(isinstance(x, Fraction) for x in xs)  # an int 1 / 2 would leave the Fractions
    share = 1 if count == 1 else (Fraction(1, count) if exact else 1 / count)
    return [share if won else type(x)(0) for won, x in zip(winners, xs)]


def lead(*xs: Number) -> Number:
    """How far the largest is ahead of the next: the distance of a maximum from its kink."""
    top, second = sorted(xs, reverse=True)[:2] if len(xs) > 1 else (INF, 0)
    return top - second


def trail(*xs: Number) -> Number:
    """How far the smallest is below the next."""
    return lead(*[-x for x in xs])


def clip(x: Number, low: Number, high: Number) -> Number:
    """x brought between the bounds; like NumPy's, high where low > high."""
    return minimum(maximum(x, low), high)


def inside(x: Number, low: Number, high: Number) -> Number:
    """1 from low to high, bounds included, else 0; nan for nan."""
    return x if x != x else type(x)(low <= x <= high)


def dot(xs: Sequence[Number], ys: Sequence[Number]) -> Number:
    """Σ x y, added up from the left."""
    products = [x * y for x, y in zip(xs, ys)]
    return reduce(operator.add, products)


def relu(x: Number) -> Number:
    return x if x > 0 or x != x else type(x)(0)


def silu(x: Number) -> float:
    """x σ(x); far below zero as x exp(x/2)², where σ(x) itself has few digits or none."""
    if x < -700:
        half = math.exp(x / 2)
        return x * half * half if half else -0.0
    return float(x * sigmoid(x))


def unit(a: Number, b: Number) -> Number:
    """a / √(a² + b²), scaled against overflow and underflow; 0 at the origin."""
    h = math.hypot(a, b)
    if h == 0:
        return 0.0
    if 1e-290 < h < 1e300:
        return a / h
    scale = 2.0**600 if h < 1 else 2.0**-600
    return a * scale / math.hypot(a * scale, b * scale)


def inversion(a: Number, b: Number) -> float:
    """a / (a² + b²), scaled against overflow and underflow; nan at the origin."""
    size = maximum(abs(a), abs(b))
    if size == 0:
        return NAN
    if a == 0 or size == INF:
        return math.copysign(0.0, a)
    k = math.frexp(size)[1]
    s, t = math.ldexp(a, -k), math.ldexp(b, -k)
    m, e = math.frexp(a)
    n = e - 2 * k
    # in two factors: ldexp raises where the product is inf
    return math.ldexp(m / (s * s + t * t), n // 2) * math.ldexp(1.0, n - n // 2)


def normal_pdf(x: Number) -> float:
    """exp(−x²/2) / √(2π); the rounding of x² as a whole would cost hundreds of ULP."""
    if abs(x) > 40:
        return x * 0.0 if x != x else 0.0
    high = round(x * 65536) / 65536 if x == x else x
    rest = (x - high) * (x + high)
    return math.exp(-high * high / 2) * math.exp(-rest / 2) / math.sqrt(2 * math.pi)


def normal_cdf(x: Number) -> float:
    """Φ(x) = erfc(−x/√2) / 2, corrected for the rounding of x/√2."""
    z = -x / math.sqrt(2)
    if abs(z) > 28 or z != z:
        return math.erfc(z) / 2
    # z √2 + x is what the division lost, times √2; erfc'(z) = −2 exp(−z²) / √π
    exact = Fraction(z) * SQRT2 + Fraction(x)
    return math.erfc(z) / 2 + float(exact) * normal_pdf(x)


SQRT2 = Fraction(math.isqrt(2 * 10**60), 10**30)


def gelu(x: Number) -> float:
    """x Φ(x), and its limit −0 at −inf."""
    p = normal_cdf(x)
    return x * p if p else -0.0
