"""The table of operations: one entry each, with its value, its local gradients and its looks.

A rule is called with (y, *xs). On numbers it gives a number; on Values it builds a graph, so that
gradients can be differentiated. At a kink the rule is PyTorch's: the subgradient of least norm,
else the limit. So |x| has slope 0 at 0 (JAX 1), clip 1 at its bounds (JAX ½), hypot (0, 0) at 0.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import cache, reduce
from typing import Any

from microgrid import numeric
from microgrid.value import Op, Value

TABLE: dict[str, Op] = {}
DISTRIBUTOR, SWITCHER, ROUTER = "distributor", "switcher", "router"
INF, LOG2_E, LOG10_E = math.inf, 1 / math.log(2), 1 / math.log(10)
REAL, POSITIVE, UNIT, ABOVE_ONE = (-INF, INF), (0.0, INF), (-1.0, 1.0), (1.0, INF)


def op(name: str, forward: Callable[..., Any], *rules: Callable[..., Any], **looks: Any) -> Op:
    """Enter an operation into the table."""
    TABLE[name] = entry = Op(name, forward, *rules, **looks)
    return entry


def one(y: Any, a: Any, b: Any) -> int:
    return 1


def data(x: Any) -> Any:
    """The number of a Value, for rules that are constant between kinks."""
    return x.data if isinstance(x, Value) else x


@cache
def falling(k: int) -> Op:
    """b (b-1) … (b-k+1) a^(b-k), the k-th derivative of a^b in a, as an operation of its own."""

    def along_b(y: Any, a: Any, b: Any) -> Any:
        others = [math.prod([b - j for j in range(k) if j != i]) for i in range(k)]
        return y * ieee_log(a) + falling(0)(a, b - k) * sum(others)

    forward = numeric.falling(k)
    return Op(f"falling{k}", forward, lambda y, a, b: falling(k + 1)(a, b), along_b)


def turn(y: Any, a: Any, b: Any) -> Any:
    """∂a^b/∂b = y log a, and 0 at a = 0."""
    if data(a) == 0 <= data(b):
        return 0
    # an int or a Fraction may lie beyond the floats, and backward never raises
    return y * ieee_log(a) if isinstance(y, Value) else numeric.product(y, numeric.log(a))


def half_circle(x: Any) -> Any:
    """1 / √(1 − x²), which loses no digit near ±1."""
    return divide(1, sqrt((1 - x) * (1 + x)))


def tail(s: Any, x: Any, slope: Any) -> Any:
    """(x s)' = s + x s', where s' may have underflown at x = ±inf."""
    return s + x * slope if data(slope) else s


def extreme(y: Any, *xs: Any) -> list[Any]:
    return numeric.ties(data(y), [data(x) for x in xs])


def shares(y: Any, *xs: Any) -> list[Any]:
    return [exp(x - y) for x in xs] if isinstance(y, Value) else numeric.softmax(xs)


# fmt: off
# Arithmetic. A quotient is no product: a * b**-1 rounds differently for a quarter of all pairs.
add = op("add", operator.add, one, one, text="{} + {}", role=DISTRIBUTOR)
sub = op("sub", operator.sub, one, lambda y, a, b: -1, text="{} - {}", role=DISTRIBUTOR)
mul = op("mul", operator.mul, lambda y, a, b: b, lambda y, a, b: a, text="{} * {}", role=SWITCHER)
neg = op("neg", operator.neg, lambda y, x: -1, text="-{}")
absolute = op("absolute", abs, lambda y, x: numeric.sign(data(x)), text="|{}|", kink=abs)
QUOTIENT = (lambda y, a, b: divide(numeric.unity(data(y)), b), lambda y, a, b: -divide(y, b))
div = op(
    "div", operator.truediv, *QUOTIENT, text="{} / {}", domain=[REAL, POSITIVE],
    hint="the divisor must not be 0")
power = op(
    "power", numeric.real_power, lambda y, a, b: falling(1)(a, b), lambda y, a, b: turn(y, a, b),
    text="{}^{}", domain=[POSITIVE, REAL], hint="0 needs an exponent >= 0; floats end at 1.8e308")

# Functions of one number, under NumPy's names.
exp = op("exp", math.exp, lambda y, x: y, hint="above 709.78: sigmoid, softplus or logsumexp")
expm1 = op("expm1", math.expm1, lambda y, x: exp(x), hint="above 709.78 there is no float")
log = op(
    "log", math.log, lambda y, x: 1 / x, domain=[POSITIVE],
    hint="needs x > 0; log_sigmoid(x) for log(sigmoid(x)), logsumexp for the log of a sum")
log2 = op("log2", math.log2, lambda y, x: divide(LOG2_E, x), domain=[POSITIVE], hint="x > 0")
log10 = op("log10", math.log10, lambda y, x: divide(LOG10_E, x), domain=[POSITIVE], hint="x > 0")
log1p = op("log1p", math.log1p, lambda y, x: 1 / (1 + x), domain=[(-1.0, INF)], hint="needs x > -1")
sqrt = op("sqrt", math.sqrt, lambda y, x: divide(0.5, y), latex=r"\sqrt{#1}",
    domain=[POSITIVE], hint="needs x >= 0")
cbrt = op("cbrt", math.cbrt, lambda y, x: y / x / 3 if data(x) else divide(1, y * y),
    latex=r"\sqrt[3]{#1}", kink=abs)
square = op("square", lambda x: x * x, lambda y, x: 2 * x, text="{}^2")
reciprocal = op(
    "reciprocal", lambda x: 1 / x, lambda y, x: -y * y, text="1 / {}", domain=[POSITIVE])
sin = op("sin", math.sin, lambda y, x: cos(x), hint="needs a finite angle")
cos: Op = op("cos", math.cos, lambda y, x: -sin(x), hint="needs a finite angle")
tan = op("tan", math.tan, lambda y, x: 1 + y * y, domain=[(-1.5, 1.5)], hint="needs a finite angle")
arcsin = op("arcsin", math.asin, lambda y, x: half_circle(x), domain=[UNIT], hint="needs |x| <= 1")
arccos = op("arccos", math.acos, lambda y, x: -half_circle(x), domain=[UNIT], hint="needs |x| <= 1")
arctan = op("arctan", math.atan, lambda y, x: 1 / hypot(1, x) / hypot(1, x))
sinh = op("sinh", math.sinh, lambda y, x: hypot(1, y), hint="above 710.47 there is no float")
cosh = op("cosh", math.cosh, lambda y, x: sinh(x), hint="above 710.47 there is no float")
tanh = op("tanh", math.tanh, lambda y, x: tanh_slope(x))
arcsinh = op("arcsinh", math.asinh, lambda y, x: 1 / hypot(1, x))
arccosh = op(
    "arccosh", math.acosh, lambda y, x: divide(1, sqrt(x - 1) * sqrt(x + 1)),
    domain=[ABOVE_ONE], hint="needs x >= 1")
arctanh = op(
    "arctanh", math.atanh, lambda y, x: 1 / ((1 - x) * (1 + x)), domain=[UNIT],
    hint="needs -1 < x < 1")

# Functions of neural networks, stable where exp overflows or 1 - y loses its digits.
sigmoid = op("sigmoid", numeric.sigmoid, lambda y, x: sigmoid_slope(x), latex=r"\sigma(#1)")
softplus = op("softplus", numeric.softplus, lambda y, x: sigmoid(x))
log_sigmoid = op("log_sigmoid", lambda x: -numeric.softplus(-x), lambda y, x: sigmoid(-x))
relu = op("relu", numeric.relu, lambda y, x: numeric.step(data(x)), role=ROUTER, kink=abs)
silu = op("silu", numeric.silu, lambda y, x: tail(sigmoid(x), x, sigmoid_slope(x)))
gelu = op("gelu", numeric.gelu, lambda y, x: tail(normal_cdf(x), x, normal_pdf(x)))
leaky_relu = op(
    "leaky_relu", lambda x, slope: slope * x if x <= 0 else x,
    lambda y, x, slope: 1 if data(x) > 0 else slope,
    lambda y, x, slope: 0 if data(x) > 0 else x,
    role=ROUTER, kink=lambda x, slope: abs(x))
elu = op(
    "elu", lambda x, alpha: alpha * math.expm1(x) if x <= 0 else x,
    lambda y, x, alpha: 1 if data(x) > 0 else alpha * exp(x),
    lambda y, x, alpha: 0 if data(x) > 0 else expm1(x),
    kink=lambda x, alpha: abs(x))

# Functions of several numbers.
hypot: Op = op(
    "hypot", math.hypot, lambda y, a, b: unit(a, b), lambda y, a, b: unit(b, a), kink=math.hypot)
arctan2 = op(
    "arctan2", math.atan2, lambda y, a, b: inversion(b, a), lambda y, a, b: -inversion(a, b),
    domain=[REAL, POSITIVE])
logaddexp = op(
    "logaddexp", numeric.logsumexp,
    lambda y, a, b: sigmoid_difference(a, b), lambda y, a, b: sigmoid_difference(b, a))
clip = op(
    "clip", numeric.clip,
    lambda y, x, low, high: numeric.inside(data(x), data(low), data(high)),
    lambda y, x, low, high: numeric.step(data(low) - data(x)) * (data(low) <= data(high)),
    lambda y, x, low, high: numeric.step(max(data(x), data(low)) - data(high)),
    role=ROUTER, kink=lambda x, low, high: min(abs(x - low), abs(x - high), abs(high - low)))
where = op(
    "where", lambda condition, a, b: a if condition else b,
    joint=lambda y, c, a, b: (None, 1, None) if c else (None, None, 1), role=ROUTER)
maximum = op("maximum", numeric.maximum, joint=extreme, text="max", role=ROUTER, kink=numeric.lead)
minimum = op("minimum", numeric.minimum, joint=extreme, text="min", role=ROUTER, kink=numeric.trail)
logsumexp = op("logsumexp", numeric.logsumexp, joint=shares)
total = op(
    "total", lambda *xs: reduce(operator.add, xs), joint=lambda y, *xs: (1,) * len(xs),
    text="sum", latex=lambda n: " + ".join(f"#{i + 1}" for i in range(n)), role=DISTRIBUTOR)
dot = op(
    "dot", lambda *xs: numeric.dot(xs[: len(xs) // 2], xs[len(xs) // 2 :]),
    joint=lambda y, *xs: xs[len(xs) // 2 :] + xs[: len(xs) // 2], role=SWITCHER,
    latex=lambda n: " + ".join(f"#{i + 1} #{i + 1 + n // 2}" for i in range(n // 2)))

PUBLIC = dict(TABLE)  # what stands above is for everyone
# What the rules above need. These follow IEEE arithmetic, so that no backward pass raises.
identity: Op = op("identity", lambda x: x, lambda y, x: 1)
divide: Op = op(
    "divide", numeric.divide, *QUOTIENT, text="{} / {}", domain=[REAL, POSITIVE])
ieee_log: Op = op("ieee_log", numeric.log, lambda y, x: divide(1, x), domain=[POSITIVE])
sigmoid_slope: Op = op("sigmoid_slope", numeric.sigmoid_slope, lambda y, x: -y * tanh(x / 2))
tanh_slope: Op = op("tanh_slope", numeric.tanh_slope, lambda y, x: -2 * y * tanh(x))
normal_cdf: Op = op("normal_cdf", numeric.normal_cdf, lambda y, x: normal_pdf(x))
normal_pdf: Op = op("normal_pdf", numeric.normal_pdf, lambda y, x: -x * y)
unit: Op = op(
    "unit", numeric.unit,
    lambda y, a, b: unit(b, a) * inversion(b, a), lambda y, a, b: -y * inversion(b, a),
    domain=[POSITIVE, POSITIVE])
inversion: Op = op(
    "inversion", numeric.inversion,
    lambda y, a, b: (inversion(b, a) - y) * (inversion(b, a) + y),
    lambda y, a, b: -2 * y * inversion(b, a), domain=[POSITIVE, POSITIVE])
sigmoid_difference: Op = op(
    "sigmoid_difference", numeric.sigmoid_difference,
    lambda y, a, b: y * sigmoid_difference(b, a), lambda y, a, b: -y * sigmoid_difference(b, a))
# fmt: on
