"""The table of operations: one entry each, with its value, its local gradients and its looks.

A rule is called with (y, *xs). On numbers it gives a number; on Values it builds a graph, so that
gradients can be differentiated. Rules run late, when a gradient is asked for: so a rule may use an
operation that is defined further down.

At a kink the rule is PyTorch's: the subgradient of least norm, else the limit. So |x| has slope 0
at 0 (JAX 1), clip 1 at its bounds (JAX ½), hypot and arctan2 (0, 0) at the origin. Where nan comes
in, nan comes back.
"""

from __future__ import annotations

import math
import operator
from functools import reduce
from typing import Any

from microgrid.engine import families, numeric, rules
from microgrid.engine.numeric import INF, like
from microgrid.engine.op import POSITIVE, REAL, Op, op
from microgrid.engine.op import TABLE as TABLE

DISTRIBUTOR, SWITCHER, ROUTER = "distributor", "switcher", "router"
LOG2_E, LOG10_E = 1 / math.log(2), 1 / math.log(10)
UNIT, ABOVE_ONE = (-1.0, 1.0), (1.0, INF)
QUOTIENT = (lambda y, a, b: divide(like(y, 1), b), lambda y, a, b: -divide(y, b))


def one(y: Any, a: Any, b: Any) -> int:
    """The rule of what is added as it is: a backward pass leaves out the × 1."""
    return 1


# fmt: off
# Arithmetic. A quotient is no product: a * b**-1 rounds differently for a quarter of all pairs.
add = op(
    "add", operator.add, one, one, text="{} + {}", role=DISTRIBUTOR,
    terms=lambda a, b: [(a, 1.0), (b, 1.0)], doc="The sum of two numbers.")
sub = op(
    "sub", operator.sub, one, lambda y, a, b: -1, text="{} - {}", role=DISTRIBUTOR,
    terms=lambda a, b: [(a, 1.0), (b, -1.0)], doc="The difference of two numbers.")
mul = op(
    "mul", operator.mul, lambda y, a, b: b, lambda y, a, b: a, text="{} * {}", role=SWITCHER,
    terms=lambda a, b: [(a, b)], doc="The product of two numbers.")
neg = op("neg", operator.neg, lambda y, x: -1, text="-{}", terms=lambda x: [(x, -1.0)],
    doc="The number with the other sign: -x.")
absolute = op("absolute", abs, lambda y, x: sign(x), text="|{}|", kink=abs,
    doc="The distance of x from 0: abs(x).")
div = op(
    "div", operator.truediv, *QUOTIENT, text="{} / {}", domain=[REAL, POSITIVE],
    hint="the divisor must not be 0", doc="The quotient of two numbers.")
power = op(
    "power", numeric.real_power,
    lambda y, a, b: families.falling(1)(a, b),
    lambda y, a, b: families.slope_in_exponent(0)(a, b),
    text="{}^{}", domain=[POSITIVE, REAL], hint="0 needs an exponent >= 0; floats end at 1.8e308",
    doc="The number a to the power of b: a**b.")

# Functions of one number, under NumPy's names.
exp = op(
    "exp", math.exp, lambda y, x: y,
    hint="needs x <= 709.78; sigmoid, softplus and logsumexp do not overflow",
    doc="The exponential function: e to the power of x.", meaning=lambda x: math.e**x)
expm1 = op("expm1", math.expm1, lambda y, x: exp(x), hint="above 709.78 there is no float",
    doc="exp(x) - 1, to the last digits also near 0.")
log = op(
    "log", math.log, lambda y, x: 1 / x, domain=[POSITIVE],
    hint="needs x > 0; log_sigmoid(x) for log(sigmoid(x)), logsumexp for the log of a sum",
    doc="The natural logarithm.")
log2 = op("log2", math.log2, lambda y, x: divide(LOG2_E, x), domain=[POSITIVE], hint="needs x > 0",
    doc="The logarithm to base 2.")
log10 = op("log10", math.log10, lambda y, x: divide(LOG10_E, x), domain=[POSITIVE],
    hint="needs x > 0", doc="The logarithm to base 10.")
log1p = op("log1p", math.log1p, lambda y, x: 1 / (1 + x), domain=[(-1.0, INF)], hint="needs x > -1",
    doc="log(1 + x), to the last digits also near 0.")
sqrt = op("sqrt", math.sqrt, lambda y, x: divide(0.5, y), latex=r"\sqrt{#1}",
    domain=[POSITIVE], hint="needs x >= 0", doc="The square root.")
cbrt = op("cbrt", math.cbrt, lambda y, x: cbrt_slope(x), latex=r"\sqrt[3]{#1}", kink=abs,
    doc="The cube root, also of negative numbers.")
square = op("square", lambda x: x * x, lambda y, x: 2 * x, text="{}^2",
    doc="The square: x times x.", meaning=lambda x: x * x)
reciprocal = op(
    "reciprocal", lambda x: 1 / x, lambda y, x: -y * y, text="1 / {}", domain=[POSITIVE],
    doc="One divided by x.", meaning=lambda x: 1 / x)
sin = op("sin", math.sin, lambda y, x: cos(x), hint="needs a finite angle",
    doc="The sine of an angle in radians.")
cos: Op = op("cos", math.cos, lambda y, x: -sin(x), hint="needs a finite angle",
    doc="The cosine of an angle in radians.")
tan = op("tan", math.tan, lambda y, x: 1 + y * y, domain=[(-1.5, 1.5)], hint="needs a finite angle",
    doc="The tangent of an angle in radians.")
arcsin = op(
    "arcsin", math.asin, lambda y, x: rules.arcsin_slope(x), domain=[UNIT], hint="needs |x| <= 1",
    doc="The angle from -π/2 to π/2 whose sine is x.")
arccos = op(
    "arccos", math.acos, lambda y, x: -rules.arcsin_slope(x), domain=[UNIT], hint="needs |x| <= 1",
    doc="The angle from 0 to π whose cosine is x.")
arctan = op("arctan", math.atan, lambda y, x: 1 / hypot(1, x) / hypot(1, x),
    doc="The angle between -π/2 and π/2 whose tangent is x.")
sinh = op("sinh", math.sinh, lambda y, x: hypot(1, y), hint="above 710.47 there is no float",
    doc="The hyperbolic sine: (exp(x) - exp(-x)) / 2.")
cosh = op("cosh", math.cosh, lambda y, x: sinh(x), hint="above 710.47 there is no float",
    doc="The hyperbolic cosine: (exp(x) + exp(-x)) / 2.")
tanh = op("tanh", math.tanh, lambda y, x: tanh_slope(x),
    doc="The hyperbolic tangent: sinh(x) / cosh(x), from -1 to 1.")
arcsinh = op("arcsinh", math.asinh, lambda y, x: 1 / hypot(1, x),
    doc="The number whose hyperbolic sine is x.")
arccosh = op(
    "arccosh", math.acosh, lambda y, x: divide(1, sqrt(x - 1) * sqrt(x + 1)),
    domain=[ABOVE_ONE], hint="needs x >= 1",
    doc="The number from 0 on whose hyperbolic cosine is x.")
arctanh = op(
    "arctanh", math.atanh, lambda y, x: divide(1, square_difference(1, x)), domain=[UNIT],
    hint="needs -1 < x < 1", doc="The number whose hyperbolic tangent is x.")
erf: Op = op("erf", math.erf, lambda y, x: erf_slope(x),
    doc="The error function: 2 / sqrt(π) times the integral of exp(-t²) from 0 to x.")
erfc = op("erfc", math.erfc, lambda y, x: -erf_slope(x),
    doc="The complementary error function: 1 - erf(x), to the last digits also far out.")
normal_cdf: Op = op(
    "normal_cdf", numeric.normal_cdf, lambda y, x: normal_pdf(x), latex=r"\Phi(#1)",
    doc="The distribution function of the standard normal distribution, from 0 to 1.")
lgamma = op(
    "lgamma", numeric.lgamma, lambda y, x: families.polygamma(0)(x), domain=[POSITIVE],
    latex=r"\log(\left|\Gamma(#1)\right|)", hint="x is not 0, -1, -2, …, and below 2.5e305",
    doc="The logarithm of |Γ(x)|, to the last digits also near 1 and 2; Γ(n) = (n - 1)!.")
digamma = op(
    "digamma", numeric.digamma, lambda y, x: families.polygamma(1)(x), domain=[POSITIVE],
    latex=r"\psi(#1)", hint="needs another x than 0, -1, -2, …",
    doc="The slope of lgamma, Γ'(x) / Γ(x).")

# Functions of neural networks, stable where exp overflows or 1 - y loses its digits.
sigmoid = op("sigmoid", numeric.sigmoid, lambda y, x: sigmoid_slope(x), latex=r"\sigma(#1)",
    doc="The logistic function: 1 / (1 + exp(-x)), from 0 to 1.")
softplus = op("softplus", numeric.softplus, lambda y, x: sigmoid(x),
    doc="The smooth relu: log(1 + exp(x)), without overflow.")
log_sigmoid = op("log_sigmoid", numeric.log_sigmoid, lambda y, x: sigmoid(-x),
    doc="The logarithm of sigmoid(x), without overflow.")
relu = op(  # nan stays nan
    "relu", lambda x: type(x)(0) if x <= 0 else x, lambda y, x: step(x), role=ROUTER, kink=abs,
    doc="The rectified linear unit: x above zero, 0 below.")
silu = op("silu", numeric.silu, lambda y, x: rules.product_rule(sigmoid(x), x, sigmoid_slope(x)),
    doc="The sigmoid linear unit, also called swish: x * sigmoid(x).")
gelu = op("gelu", numeric.gelu, lambda y, x: rules.product_rule(normal_cdf(x), x, normal_pdf(x)),
    doc="The Gaussian error linear unit: x Φ(x), with the normal distribution function Φ.")
softsign = op(
    "softsign", numeric.softsign, lambda y, x: square(reciprocal(1 + absolute(x))),
    doc="A smooth sign: x / (1 + |x|), from -1 to 1.")
leaky_relu = op(
    "leaky_relu", lambda x, slope: slope * x if x <= 0 else x,
    lambda y, x, slope: rules.one_or(x, slope), lambda y, x, slope: rules.negative_part(x),
    role=ROUTER, kink=lambda x, slope: abs(x))
elu = op(
    "elu", lambda x, alpha: alpha * math.expm1(x) if x <= 0 else x,
    lambda y, x, alpha: rules.one_or(x, alpha * exp(rules.negative_part(x))),
    lambda y, x, alpha: expm1(rules.negative_part(x)), kink=lambda x, alpha: abs(x))

# Functions of several numbers.
hypot: Op = op(
    "hypot", numeric.hypot, lambda y, a, b: direction(a, b), lambda y, a, b: direction(b, a),
    kink=numeric.hypot, doc="The length of the vector (a, b): sqrt(a**2 + b**2), without overflow.",
    meaning=lambda a, b: sqrt(a * a + b * b))
arctan2 = op(
    "arctan2", math.atan2, lambda y, a, b: over_squares(b, a), lambda y, a, b: -over_squares(a, b),
    domain=[REAL, POSITIVE], kink=numeric.hypot,
    doc="The angle of the point with height a and abscissa b, from -π to π.")
logaddexp = op(
    "logaddexp", numeric.logaddexp,
    lambda y, a, b: sigmoid_difference(a, b), lambda y, a, b: sigmoid_difference(b, a),
    doc="log(exp(a) + exp(b)), without overflow.")
xlogy = op(
    "xlogy", numeric.xlogy, rules.xlogy_rule, lambda y, a, b: zero_or_ratio(a, b),
    domain=[REAL, POSITIVE], hint="needs b > 0, unless a = 0", latex=r"#1 \cdot \log(#2)",
    doc="a log(b), and 0 where a = 0, as the terms of an entropy need it.")
clip = op(
    "clip", numeric.clip,
    lambda y, x, low, high: inside(x, low, high),
    lambda y, x, low, high: exceeds(low, x) * exceeds(high, low),
    lambda y, x, low, high: exceeds(maximum(x, low), high),
    role=ROUTER, kink=numeric.gap_of_bounds)
where = op("where", numeric.where, joint=rules.select_rule, role=ROUTER,
    doc="a where c is not 0, else b; c is no part of the derivative.")
stop_gradient = op("stop_gradient", lambda x: x, joint=lambda y, x: rules.no_path(y, x),
    doc="x itself, through which no gradient flows back: x + stop_gradient(step(x) - x) has the "
        "value of step(x) and slope 1.")
maximum: Op = op(
    "maximum", numeric.maximum, joint=rules.tie_rule, text="max", role=ROUTER,
    kink=numeric.gap_of_maximum)
minimum = op(
    "minimum", numeric.minimum, joint=rules.tie_rule, text="min", role=ROUTER,
    kink=numeric.gap_of_minimum)
logsumexp = op("logsumexp", numeric.logsumexp, joint=rules.softmax_rule)
total = op(
    "total", lambda *xs: reduce(operator.add, xs), joint=lambda y, *xs: (1,) * len(xs),
    text="sum", latex=lambda n: " + ".join(f"#{i + 1}" for i in range(n)), role=DISTRIBUTOR,
    terms=lambda *xs: [(x, 1.0) for x in xs])
mean = op(
    "mean", numeric.mean, joint=lambda y, *xs: (divide(like(y, 1), len(xs)),) * len(xs),
    latex=lambda n: rf"\frac{{{' + '.join(f'#{i + 1}' for i in range(n))}}}{{{n}}}")
dot = op(
    "dot",
    lambda *xs: reduce(operator.add, map(operator.mul, xs[: len(xs) // 2], xs[len(xs) // 2 :])),
    joint=lambda y, *xs: xs[len(xs) // 2 :] + xs[: len(xs) // 2], role=SWITCHER,
    latex=lambda n: " + ".join(f"#{i + 1} #{i + 1 + n // 2}" for i in range(n // 2)),
    terms=lambda *xs: list(zip(xs[: len(xs) // 2], xs[len(xs) // 2 :])))
PUBLIC = dict(TABLE)

# What only the rules and the losses need: as in IEEE arithmetic 1/0 is inf and 0/0 is nan, so that
# no backward pass raises.
identity = op("identity", lambda x: x, lambda y, x: 1, meaning=lambda x: x)
divide: Op = op("divide", numeric.divide, *QUOTIENT, text="{} / {}", domain=[REAL, POSITIVE],
    meaning=lambda a, b: a / b)
zero_or_ratio: Op = op(
    "zero_or_ratio", numeric.zero_or_ratio, QUOTIENT[0], lambda y, a, b: -zero_or_ratio(y, b),
    text="{} / {}", domain=[REAL, POSITIVE], meaning=lambda a, b: a / b)
ieee_log = op("ieee_log", numeric.log, lambda y, x: divide(1, x), domain=[POSITIVE],
    meaning=lambda x: log(x))
sigmoid_slope: Op = op("sigmoid_slope", numeric.sigmoid_slope, lambda y, x: -y * tanh(x / 2),
    meaning=lambda x: sigmoid(x) * (1 - sigmoid(x)))
tanh_slope: Op = op("tanh_slope", numeric.tanh_slope, lambda y, x: -2 * y * tanh(x),
    meaning=lambda x: 1 - tanh(x) ** 2)
erf_slope: Op = op("erf_slope", numeric.erf_slope, lambda y, x: -2 * (x * y),
    meaning=lambda x: 2 * exp(-x * x) / sqrt(math.pi))
normal_pdf: Op = op("normal_pdf", numeric.normal_pdf, lambda y, x: -x * y,
    meaning=lambda x: exp(-x * x / 2) / sqrt(2 * math.pi))
direction: Op = op(
    "direction", numeric.direction,
    lambda y, a, b: direction(b, a) * over_squares(b, a), lambda y, a, b: -y * over_squares(b, a),
    domain=[POSITIVE, POSITIVE], kink=numeric.hypot, meaning=lambda a, b: a / hypot(a, b))
over_squares: Op = op(
    "over_squares", numeric.over_squares,
    lambda y, a, b: square_difference(over_squares(b, a), y),
    lambda y, a, b: -2 * y * over_squares(b, a), domain=[POSITIVE, POSITIVE], kink=numeric.hypot,
    meaning=lambda a, b: a / (a * a + b * b))
cbrt_slope: Op = op(  # 0 × inf at 0, since the limits from the left and the right are ±inf
    "cbrt_slope", numeric.cbrt_slope, lambda y, x: -2 * y * over_squares(x, 0) / 3, kink=abs,
    meaning=lambda x: 1 / (3 * cbrt(x) ** 2))
square_difference: Op = op(
    "square_difference", numeric.square_difference, lambda y, a, b: 2 * a, lambda y, a, b: -2 * b,
    latex="#1^{2} - #2^{2}", meaning=lambda a, b: a * a - b * b)
step: Op = op("step", numeric.step, joint=rules.no_path, kink=abs)
sign: Op = op("sign", numeric.sign, joint=rules.no_path, kink=abs)
inside: Op = op("inside", numeric.inside, joint=rules.no_path, kink=numeric.gap_of_bounds)
exceeds: Op = op("exceeds", numeric.exceeds, joint=rules.no_path, kink=lambda a, b: abs(a - b))
same = op("same", numeric.same, joint=rules.no_path, kink=lambda a, b: abs(a - b))
# Comparisons of a function that is recorded: as among Python's floats, nan compares false.
greater = op(
    "greater", numeric.greater, joint=rules.no_path, text="{} > {}", kink=lambda a, b: abs(a - b))
greater_equal = op(
    "greater_equal", numeric.greater_equal, joint=rules.no_path, text="{} >= {}",
    latex=r"#1 \geq #2", kink=lambda a, b: abs(a - b))
equal = op(
    "equal", numeric.equal, joint=rules.no_path, text="{} == {}", latex="#1 = #2",
    kink=lambda a, b: abs(a - b))
stop_gradient_max = op("stop_gradient_max", numeric.maximum, joint=rules.no_path, text="max")
exp_difference = op(
    "exp_difference", numeric.exp_difference, lambda y, a, b: y, lambda y, a, b: -y, hint="a <= b",
    meaning=lambda a, b: exp(a) / exp(b))
exp_sum = op(
    "exp_sum", numeric.exp_sum,
    joint=lambda y, top, *xs: (-y, *[exp_difference(x, top) for x in xs]), hint="x <= top",
    meaning=lambda top, *xs: total(*map(exp, xs)) / exp(top))
sigmoid_difference: Op = op(
    "sigmoid_difference", numeric.sigmoid_difference,
    lambda y, a, b: y * sigmoid_difference(b, a), lambda y, a, b: -y * sigmoid_difference(b, a),
    meaning=lambda a, b: sigmoid(a - b))
# A target as it is, or the sum of a row; TargetError for what the loss cannot mean.
hinge_target = op("hinge_target", numeric.hinge_target, lambda y, t: 1, hint="−1 or 1")
binary_target = op("binary_target", numeric.binary_target, lambda y, t: 1, hint="0 to 1")
row_target = op(
    "row_target", numeric.row_target, joint=lambda y, *ts: (1,) * len(ts), hint="the sum is 1")
# fmt: on
