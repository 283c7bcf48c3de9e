"""Functions of plain numbers that lose no digits and, where backward needs them, never raise.

The limits are those of IEEE 754: 1/0 is inf, 0/0 is nan.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial, update_wrapper
from typing import Any

from microgrid.engine.errors import TargetError

Number = Any
INF, NAN = math.inf, math.nan


def on_floats(core: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Marks a function that does to floats what `core` does, and knows exact numbers, too.

    `inspect.unwrap` finds the core, which the compiled engine runs: there 1/0 is inf.
    """

    return partial(update_wrapper, wrapped=core, assigned=(), updated=())


def raising(core: Callable[..., Any]) -> Callable[[Any], Any]:
    """Marks a function that raises where `core`, which arrays are given to, gives inf or nan."""

    def mark(f: Any) -> Any:
        f.raises = True
        return on_floats(core)(f)

    return mark


def one_by_one(f: Callable[..., Any]) -> Callable[..., Any]:
    """f(xs) as a function of any number of operands."""
    return on_floats(f)(lambda *xs: f(xs))


def like(x: Any, n: int) -> Number:
    """n in the kind of the number or Value x: among Fractions 1 / 3 of ints would be a float."""
    return type(getattr(x, "_number", x))(n)


def quotient(a: Number, b: Number) -> Number:
    """a / b, and the limit for b → 0⁺."""
    if b == 0:
        return NAN if a == 0 or a != a else math.copysign(INF, a)
    return a / b


@on_floats(quotient)
def divide(a: Number, b: Number) -> Number:
    """a / b, and the limit where Python raises: for b → 0⁺, or an int beyond the floats."""
    try:
        return quotient(a, b)
    except OverflowError:
        size = INF if abs(a) > abs(b) else 0.0
        return size if (a < 0) == (b < 0) else -size


def float_log(x: Number) -> float:
    """log x, with log 0 = −inf and nan below zero."""
    return math.log(x) if x > 0 else -INF if x == 0 else NAN


@on_floats(float_log)
def log(x: Number) -> float:
    """log x, with log 0 = −inf and nan below zero."""
    if isinstance(x, Fraction) and x > 0 and not 1e-300 < x < 1e300:  # float(x) would overflow
        return math.log(x.numerator) - math.log(x.denominator)
    return float_log(x)


@on_floats(operator.mul)
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


@on_floats(operator.pow)
def real_power(a: Number, b: Number) -> Number:
    """a ** b, with an error where Python goes complex."""
    y = a**b
    if isinstance(y, complex):
        raise ValueError(
            "a negative base with a fractional exponent has no real value; cbrt(x) for a cube root"
        )
    return y


@on_floats(operator.pow)
def power(a: Number, b: Number) -> Number:
    """a ** b, with the limit where Python raises."""
    try:
        return real_power(a, b)
    except ValueError:
        return NAN
    except (OverflowError, ZeroDivisionError):
        if a < 0 and b % 1:
            return NAN
        return -INF if math.copysign(1, a) < 0 and b % 2 == 1 else INF


def times_power(factor: Number, a: Number, b: Number) -> Number:
    """factor · a^b, also where the power alone is beyond the floats."""
    y = power(a, b)
    if (0 < abs(y) < INF and factor - factor == 0) or not 0 < a < INF:
        return product(factor, y)
    root = power(a, b / 2)
    return root * product(factor, root) if root else 0.0


def falling(k: int) -> Callable[[Number, Number], Number]:
    """(a, b) ↦ b (b−1) … (b−k+1) a^(b−k), the k-th derivative of a^b in a."""

    def on_floats_alone(a: Number, b: Number) -> Number:
        factor = 1
        for j in range(k):
            factor = factor * (b - j)
        if factor == 0:
            return factor
        exponent, lost = two_diff(b, k)
        y = times_power(factor, a, exponent)
        if lost and 0 < a < INF and 0 < abs(y) < INF:  # shows where a is far from 1
            y += y * lost * math.log(a)
        return y

    factors = "".join([f" (b−{j})" for j in range(1, k)])
    on_floats_alone.__doc__ = f"b{factors} a^(b−{k})" if k else "a^b"
    return on_floats_alone


def slope_in_exponent(k: int) -> Callable[[Number, Number], Number]:
    """(a, b) ↦ ∂ᵏ⁺¹ a^b / ∂aᵏ ∂b = a^(b−k) (p log a + p′), where p = b (b−1) … (b−k+1).

    At a = 0 the limit, but 0 for k = 0.
    """

    def on_floats_alone(a: Number, b: Number) -> Number:
        p, slope = 1, 0  # p(b) and p′(b)
        for j in range(k):
            slope = slope * (b - j) + p
            p = p * (b - j)
        if a == 0 and (b > k or (k == 0 and b == b)):
            return 0.0
        logarithm = log(a)
        factor = slope + product(p, logarithm) if p != 0 or logarithm != logarithm else slope
        return times_power(factor, a, b - k)

    order = f"∂/∂b of the derivative of a^b in a, of order {k}"
    on_floats_alone.__doc__ = order if k else "a^b log a"
    return on_floats_alone


def sign(x: Number) -> Number:
    """−1, 0 or 1 (0 at the kink), nan for nan."""
    return x if x != x else (x > 0) - (x < 0)


def exceeds(x: Number, y: Number) -> Number:
    """1 where x > y, else 0; nan where one is nan."""
    return x + y if x != x or y != y else type(x)(x > y)


def same(x: Number, y: Number) -> Number:
    """1 where x = y, else 0; nan where one is nan."""
    return x + y if x != x or y != y else type(x)(x == y)


def greater(x: Number, y: Number) -> Number:
    """1 where x > y, else 0, also beside nan."""
    return type(x)(x > y)


def greater_equal(x: Number, y: Number) -> Number:
    """1 where x ≥ y, else 0, also beside nan."""
    return type(x)(x >= y)


def equal(x: Number, y: Number) -> Number:
    """1 where x = y, else 0, also beside nan."""
    return type(x)(x == y)


def step(x: Number) -> Number:
    """1 for x > 0, else 0; nan for nan."""
    return x if x != x else +(x > 0)


def where(condition: Number, a: Number, b: Number) -> Number:
    """a where the condition is not 0, else b."""
    return a if condition else b


def sigmoid(x: Number) -> float:
    """1 / (1 + exp(−x)) without overflow."""
    e = math.exp(-abs(x))
    return (1.0 if x >= 0 else e) / (1 + e)


def sigmoid_slope(x: Number) -> float:
    """σ(x) (1 − σ(x)) as e / (1 + e)² with e = exp(−|x|)."""
    e = math.exp(-abs(x))
    return e / ((1 + e) * (1 + e))  # s * (1 - s) has no digit left at 37


def tanh_slope(x: Number) -> float:
    """1 − tanh² x as 4 e / (1 + e)² with e = exp(−2 |x|)."""
    return 4 * sigmoid_slope(2 * x)  # 1 - t * t has no digit left at 20


def square_difference(a: Number, b: Number) -> Number:
    """a² − b², which loses no digit near a = b."""
    return (a - b) * (a + b)


def two_diff(a: Number, b: Number) -> tuple[Number, Number]:
    """a − b as rounded, and what rounding lost (Knuth's TwoSum)."""
    d = a - b
    back = d - a
    lost = (a - (d - back)) - (b + back)
    return d, lost if lost == lost else 0.0


def exp_difference(a: Number, b: Number) -> Number:
    """exp(a − b) for a ≤ b, to the last digits even where a − b is rounded."""
    d, lost = two_diff(a, b)
    return math.exp(d) * (1 + lost)


def sigmoid_difference(a: Number, b: Number) -> Number:
    """σ(a − b), to the last digits even where a − b is rounded."""
    d, lost = two_diff(a, b)
    return sigmoid(d) + lost * sigmoid_slope(d)


def softplus(x: Number) -> float:
    """log(1 + exp x) without overflow."""
    return (x if x > 0 else 0.0) + math.log1p(math.exp(-abs(x)))


def log_sigmoid(x: Number) -> float:
    """log σ(x) without overflow."""
    return -softplus(-x)


def exps_below(xs: Sequence[Number], top: Number) -> list[float]:
    """exp(x − top) for each x."""
    return [exp_difference(x, top) for x in xs]


def add_exps(total: float, xs: Sequence[Number], exps: Sequence[float], top: Number) -> float:
    """total + Σ exp(x − top), of which 1 is at the top, also at an infinite one.

    What each rounding loses is put back at the end (Neumaier's sum).
    """
    lost = 0.0
    for x, e in zip(xs, exps):
        total, more = two_diff(total, -1.0 if x == top else -e)
        lost += more
    return total + lost


def log_of_exps(xs: Sequence[Number], exps: Sequence[float], top: Number) -> Number:
    """log Σ exp x, given all exp(x − top); log1p keeps what lies far below the largest."""
    return top + math.log1p(add_exps(-1.0, xs, exps, top)) if top - top == 0 else float(top)


def log_sum_exp(xs: Sequence[Number]) -> Number:
    """log Σ exp x without overflow."""
    top = largest(xs)
    return log_of_exps(xs, exps_below(xs, top), top)


def exp_total(xs: Sequence[Number]) -> float:
    """Σ exp(x − top) of the top and the x that follow it."""
    return add_exps(0.0, xs[1:], exps_below(xs[1:], xs[0]), xs[0])


def exp_total_of_parts(parts: Sequence[Number]) -> float:
    """The same of the top, and of each x with exp(x − top) behind it."""
    return add_exps(0.0, parts[1::2], parts[2::2], parts[0])


def log_sum_exp_of_parts(parts: Sequence[Number]) -> Number:
    """log Σ exp x of the top, and of each x with exp(x − top) behind it."""
    return log_of_exps(parts[1::2], parts[2::2], parts[0])


def softmax(xs: Sequence[Number]) -> list[float]:
    """exp x / Σ exp x, the gradient of logsumexp."""
    top = largest(xs)
    exps = exps_below(xs, top)
    scale = add_exps(0.0, xs, exps, top)
    return [e / scale for e in exps]


def largest(xs: Sequence[Number]) -> Number:
    """The largest; nan if any is nan."""
    top = xs[0]
    for x in xs:
        if x > top or x != x:
            top = x
    return top


def smallest(xs: Sequence[Number]) -> Number:
    """The smallest; nan if any is nan."""
    low = xs[0]
    for x in xs:
        if x < low or x != x:
            low = x
    return low


def average(xs: Sequence[Number]) -> Number:
    """Σ x / n, added up from the left."""
    total = xs[0]
    for x in xs[1:]:
        total = total + x
    return total / len(xs)


maximum, minimum, mean = one_by_one(largest), one_by_one(smallest), one_by_one(average)
logsumexp, exp_sum = one_by_one(log_sum_exp), one_by_one(exp_total)


def logaddexp(a: Number, b: Number) -> Number:
    """log(exp a + exp b)."""
    top, low = largest((a, b)), smallest((a, b))
    return top + math.log1p(exp_difference(low, top)) if top - top == 0 else float(top)


def ties(y: Number, xs: Sequence[Number]) -> list[Number]:
    """An equal share for each x that equals y, zero for the others (nan for all if y is nan)."""
    if y != y:
        return [y] * len(xs)
    winners = [x == y for x in xs]
    count = sum(winners)
    exact = any(isinstance(x, Fraction) for x in xs)  # an int 1 / 2 would leave the Fractions
    share = 1 if count == 1 else (Fraction(1, count) if exact else 1 / count)
    return [share if won else type(x)(0) for won, x in zip(winners, xs)]


def gap_of_maximum(*xs: Number) -> Number:
    """How far the largest is ahead of the next: the distance of a maximum from its kink."""
    top, second = sorted(xs, reverse=True)[:2] if len(xs) > 1 else (INF, 0)
    return top - second


def gap_of_minimum(*xs: Number) -> Number:
    """How far the smallest is below the next."""
    return gap_of_maximum(*[-x for x in xs])


def gap_of_bounds(x: Number, low: Number, high: Number) -> Number:
    """How far x is from the nearer bound, or the bounds from each other."""
    return min(abs(x - low), abs(x - high), abs(high - low))


def clip(x: Number, low: Number, high: Number) -> Number:
    """x brought between the bounds; like NumPy's, high where low > high."""
    return smallest((largest((x, low)), high))


def inside(x: Number, low: Number, high: Number) -> Number:
    """1 from low to high, bounds included, else 0; nan where one is nan."""
    if x != x or low != low or high != high:
        return x + low + high
    return type(x)(low <= x <= high)


def softsign(x: Number) -> Number:
    """x / (1 + |x|), and its limit at ±inf."""
    return x / (1 + abs(x)) if abs(x) < INF else math.copysign(1.0, x) if x == x else x


def zero_or_ratio(a: Number, b: Number) -> Number:
    """a / b, but 0 for a = 0, unless b is nan."""
    return quotient(a, b) if a != 0 or b != b else a * 0.0


def float_xlogy(x: Number, y: Number) -> float:
    """x log y, but 0 for x = 0, unless y is nan."""
    return x * float_log(y) if x != 0 or y != y else 0.0


@raising(float_xlogy)
def xlogy(x: Number, y: Number) -> float:
    """x log y, but 0 for x = 0, unless y is nan."""
    if x != 0 and y <= 0:
        raise ValueError("math domain error")
    return product(x, log(y)) if x != 0 or y != y else 0.0


def silu(x: Number) -> float:
    """x σ(x); far below zero as x exp(x/2)², where σ(x) itself has few digits or none."""
    if x < -700:
        half = math.exp(x / 2)
        return x * half * half if half else -0.0
    return float(x * sigmoid(x))


def hypot(a: Number, b: Number) -> float:
    """√(a² + b²) to the last digit, scaled against overflow and underflow.

    What the root has lost is put back as by C. F. Borges, An Improved Algorithm for hypot(a, b).
    """
    x, y = abs(float(a)), abs(float(b))
    if x == INF or y == INF:
        return INF
    if x < y:
        x, y = y, x
    if not y > x * 1e-9:  # y² is nothing beside x²; nan stays nan
        return x + 0 * y
    scale = 2.0**-600 if x > 1e150 else 2.0**600 if y < 1e-150 else 1.0
    x, y = x * scale, y * scale
    h = math.sqrt(x * x + y * y)
    if h <= 2 * y:
        d = h - y
        lost = x * (2 * d - x) + (d - 2 * (x - y)) * d
    else:
        d = h - x
        lost = 2 * d * (x - 2 * y) + (4 * d - y) * y + d * d
    return (h - lost / (2 * h)) / scale


def direction(a: Number, b: Number) -> Number:
    """a / √(a² + b²), scaled against overflow and underflow; 0 at the origin."""
    h = hypot(a, b)
    if h == 0:
        return 0.0
    if 1e-290 < h < 1e300:
        return a / h
    scale = 2.0**600 if h < 1 else 2.0**-600
    return a * scale / hypot(a * scale, b * scale)


def cbrt_slope(x: Number) -> Number:
    """1 / (3 ∛x²), the slope of the cube root; inf at 0."""
    if x == 0 or abs(x) == INF:
        return quotient(1.0, abs(x))
    return math.cbrt(x) / x / 3


def over_squares(a: Number, b: Number) -> Number:
    """a / (a² + b²), scaled against overflow and underflow; 0 at the origin."""
    size = largest((abs(a), abs(b)))
    if size == 0 or size == INF:
        return math.copysign(0.0, a)
    scale = 2.0**-600 if size > 1e150 else 2.0**600 if size < 1e-150 else 1.0
    s, t = a * scale, b * scale
    return s / (s * s + t * t) * scale


def exp_of_square(x: Number, scale: float) -> float:
    """exp(−scale x²) for a scale of 1 or ½; x² as a whole would cost hundreds of ULP."""
    if abs(x) > 40:
        return 0.0
    high = round(x * 65536) / 65536 if x == x else x
    rest = (x - high) * (x + high)
    return math.exp(-high * high * scale) * math.exp(-rest * scale)


def normal_pdf(x: Number) -> float:
    """exp(−x²/2) / √(2π)."""
    return exp_of_square(x, 0.5) / math.sqrt(2 * math.pi)


def erf_slope(x: Number) -> float:
    """2 exp(−x²) / √π."""
    return exp_of_square(x, 1.0) * 1.1283791670955126


def normal_cdf(x: Number) -> float:
    """Φ(x) = erfc(−x/√2) / 2, corrected for the rounding of x/√2."""
    root, rest = math.sqrt(2), -9.667293313452913e-17  # their sum is √2 with 107 bits
    z = -x / root
    if abs(z) > 28 or z != z:
        return math.erfc(z) / 2
    # z √2 + x is what the division lost, times √2; erfc'(z) = −2 exp(−z²) / √π
    high, low = two_product(z, root)
    lost = (high + x) + (low + z * rest)
    return float(math.erfc(z) / 2 + lost * normal_pdf(x))


def two_product(a: float, b: float) -> tuple[float, float]:
    """a b as rounded, and what rounding lost (Dekker's product)."""
    p, s, t = a * b, 134217729 * a, 134217729 * b  # 2^27 + 1
    a_high, b_high = s - (s - a), t - (t - b)
    a_low, b_low = a - a_high, b - b_high
    return p, a_low * b_low - (((p - a_high * b_high) - a_low * b_high) - a_high * b_low)


def gelu(x: Number) -> float:
    """x Φ(x), and its limit −0 at −inf."""
    p = normal_cdf(x)
    return x * p if p else -0.0


# log |Γ| and its derivatives. Coefficients of polynomials stand from the highest power down.


def horner(x: Number, coefficients: Sequence[float]) -> Number:
    """The polynomial with these coefficients at x."""
    y = 0.0
    for c in coefficients:
        y = y * x + c
    return y


def zeta(s: Number, x: Number) -> Number:
    """Σ (x + n)^−s over n ≥ 0, Hurwitz's zeta function, for x > 0 and s > 1.

    After 12 terms Euler's and Maclaurin's formula: DLMF 25.11.28 has the remainder.
    """
    t = 1.0 / (x + 12.0)
    tail, term, j = 1 / (s - 1) + t / 2, s * t * t / 2, 0.0
    for b in BERNOULLI:
        tail += b * term
        j += 2
        term *= (s + j - 1) * (s + j) * t * t / ((j + 1) * (j + 2))
    y = 0.0
    for n in range(11, -1, -1):
        y += power(x + n, -s)
    return y + tail * power(x + 12.0, 1 - s)


BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)  # B₂, B₄, …
PAIRS = [(2 * j, b) for j, b in enumerate(BERNOULLI, 1)][::-1]
DIGAMMA_FAR = (*[b / n for n, b in PAIRS],)  # of 1/x², from its first power on
LGAMMA_FAR = (*[b / n / (n - 1) for n, b in PAIRS],)
# (−1)ᵏ (ζ(k) − 1) / k and (−1)ᵏ ζ(k) / k; Euler's constant stands for ζ(1).
LGAMMA_AT_2 = (*[(-1.0) ** k * zeta(k, 2.0) / k for k in range(37, 1, -1)], 0.42278433509846713)
LGAMMA_AT_1 = (
    *[(-1.0) ** k * (zeta(k, 2.0) + 1) / k for k in range(37, 1, -1)],
    -0.5772156649015329,
)
DIGAMMA_ZERO, DIGAMMA_ZERO_REST = 1.4616321449683622, 9.549995429965697e-17  # ψ is 0 at their sum


def from_whole(x: Number) -> Number:
    """x minus the nearest whole number, exactly, for x < 0; nan at −inf."""
    return x - round(x) if abs(x) < 2**52 else x * 0.0  # beyond, all floats are whole


def positive_lgamma(x: Number) -> Number:
    """log Γ(x) for x > 0, to the last digits also beside its zeros 1 and 2.

    Taylor's series there (Abramowitz and Stegun 6.1.33), Γ(x) = (x − 1) Γ(x − 1) up to 9.75, then
    Stirling's series (6.1.41).
    """
    if x < 0.375:
        return x * horner(x, LGAMMA_AT_1) - math.log(x)
    if x < 0.625:
        return (x - 1) * horner(x - 1, LGAMMA_AT_2) - math.log(x)
    if x < 1.375:
        return (x - 1) * horner(x - 1, LGAMMA_AT_1) + 0.0  # not −0 at 1
    if x > 9.75:
        far = horner(1 / (x * x), LGAMMA_FAR) / x
        return (x - 0.5) * (math.log(x) - 1) + (0.4189385332046727 + far)  # (log 2π − 1) / 2
    factor = 1.0
    for _ in range(7):
        if x > 2.75:
            x = x - 1
            factor = factor * x
    return (x - 2) * horner(x - 2, LGAMMA_AT_2) + math.log(factor)


def float_lgamma(x: Number) -> Number:
    """log |Γ(x)|; inf at a pole.

    Below 0 by Γ(x) Γ(1 − x) = π / sin πx (Abramowitz and Stegun 6.1.17).
    """
    if x > 0 or x - x != 0:
        return positive_lgamma(abs(x))
    if x > -0.5:
        return positive_lgamma(1 + x) - float_log(-x)
    r = from_whole(x)
    return math.log(math.pi / abs(math.sin(math.pi * r))) - positive_lgamma(1 - x) if r else INF


@raising(float_lgamma)
def lgamma(x: Number) -> Number:
    """log |Γ(x)|; it raises where math.lgamma does."""
    y = float_lgamma(float(x))
    if y == INF and abs(x) != INF:
        raise OverflowError("math range error") if x > 1 else ValueError("math domain error")
    return y


def positive_digamma(x: Number) -> Number:
    """ψ(x) = Γ′(x) / Γ(x) for x > 0, to the last digits also beside its zero, z.

    Up to 10 it is (x − z) times the sum of 1 / ((z + n) (x + n)) over n ≥ 0, as by Abramowitz and
    Stegun 6.3.16. From n = 10 on this sum is the divided difference of the series for large x,
    which is log x − 1/(2x) − Σ B₂ₖ / (2k x²ᵏ) (6.3.18).
    """
    if x > 10:
        t = 1 / (x * x)
        return math.log(x) - (0.5 / x + t * horner(t, DIGAMMA_FAR))
    d = (x - DIGAMMA_ZERO) - DIGAMMA_ZERO_REST
    a, b = DIGAMMA_ZERO + 10, x + 10
    u, v = 1 / (a * a), 1 / (b * b)
    p, q = 0.0, 0.0  # the polynomial at u, and its divided difference from u to v
    for c in DIGAMMA_FAR:
        q = q * v + p
        p = p * u + c
    y = math.log1p(d / a) / d + 0.5 / (a * b) + (a + b) * u * v * (q * v + p)
    for n in range(9, -1, -1):
        y += 1 / ((DIGAMMA_ZERO + n) * (x + n))
    return d * y


def float_digamma(x: Number) -> Number:
    """ψ(x) = Γ′(x) / Γ(x), the slope of log |Γ(x)|; nan at a pole.

    Below 0 it is ψ(1 − x) − π / tan πx (Abramowitz and Stegun 6.3.7).
    """
    if x > 0 or x != x:
        return positive_digamma(x)
    r = from_whole(x)
    return positive_digamma(1 - x) - math.pi / math.tan(math.pi * r) if r else NAN


@raising(float_digamma)
def digamma(x: Number) -> Number:
    """ψ(x), the slope of log |Γ(x)|."""
    if x <= 0 and float(x) % 1 == 0:
        raise ValueError("math domain error")
    return float_digamma(float(x))


def polygamma(k: int) -> Callable[[Number], Number]:
    """ψ⁽ᵏ⁾, the derivative of order k of ψ, with no error at a pole."""

    def on_floats_alone(x: Number) -> Number:
        factor = -1.0  # (−1)ᵏ⁺¹ k!, for the sum of 1 / (x + n)ᵏ⁺¹: A. and S. 6.4.10
        for j in range(1, k + 1):
            factor = -j * factor
        s = k + 1.0
        if x > 0 or x != x:
            return factor * zeta(s, x)
        # Σ (r + n)^−s over all whole n, without those terms that belong to 1 − x
        r, other = from_whole(x), 1.0 if k % 2 else -1.0
        rest = zeta(s, 1 - r) - zeta(s, 1 - x)
        return factor * (power(r, -s) + zeta(s, 1 + r) + other * rest)

    on_floats_alone.__doc__ = f"ψ⁽ᵏ⁾(x) for k = {k}"
    return on_floats(core := on_floats_alone if k else float_digamma)(lambda x: core(float(x)))


# What a loss can mean by a target; nan is what a compiled program has for everything else.


def target(allowed: str, advice: str) -> Callable[..., Any]:
    """Marks a function of one target or of a row: TargetError where it gives nan."""

    def mark(core: Callable[..., Any]) -> Callable[..., Any]:
        @on_floats(core)
        def checked(*ts: Number) -> Number:
            y = core(*ts)
            if y != y:
                got = list(ts) if len(ts) > 1 else ts[0]
                raise TargetError(f"{allowed}, got {got!r}; {advice}")
            return y

        return checked

    return mark


@target("classes of hinge are −1 and 1", "2 * t - 1 makes them of 0 and 1")
def hinge_target(t: Number) -> Number:
    """t where it is −1 or 1."""
    return t if t * t == 1 else NAN


@target("targets of binary_cross_entropy go from 0 to 1", "(t + 1) / 2 makes them of −1 and 1")
def binary_target(t: Number) -> Number:
    """t from 0 to 1."""
    return t if 0 <= t <= 1 else NAN


@target(
    "a row of probabilities has no number below 0, and their sum is 1",
    "nn.one_hot makes rows of class numbers",
)
@one_by_one
def row_target(ts: Sequence[Number]) -> Number:
    """Σ t, added up from the left, where it is 1 but for rounding, and no t is below 0."""
    total = ts[0]
    for t in ts[1:]:
        total = total + t
    float32 = 1e-5  # what rounding may take from the sum of thousands of them
    return total if smallest(ts) >= 0 and abs(total - 1) <= float32 else NAN
