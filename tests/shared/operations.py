"""The operations as tests draw them: an oracle of each in mpmath, operands inside its domain.

A new operation needs one line in ORACLES; a test fails until it is there.
"""

import math
from functools import cache

from hypothesis import assume
from hypothesis import strategies as st
from mpmath import mp, mpf

from microgrid.engine import ops
from microgrid.engine.families import FAMILIES
from microgrid.engine.ops import TABLE
from microgrid.engine.slopes import NO_PATH

INF = math.inf


def mp_sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def mp_normal_cdf(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2 if abs(x) < 1000 else mpf(x > 0)


def mp_dot(*xs):
    return sum([x * y for x, y in zip(xs[: len(xs) // 2], xs[len(xs) // 2 :], strict=True)])


ORACLES = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "neg": lambda x: -x,
    "absolute": abs,
    "div": lambda a, b: a / b,
    "power": lambda a, b: a**b,
    "exp": mp.exp,
    "expm1": lambda x: mp.exp(x) - 1,
    "log": mp.log,
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": lambda x: mp.log(x) / mp.log(10),
    "log1p": lambda x: mp.log(1 + x),
    "sqrt": mp.sqrt,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "arcsin": mp.asin,
    "arccos": mp.acos,
    "arctan": mp.atan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "arcsinh": mp.asinh,
    "arccosh": mp.acosh,
    "arctanh": mp.atanh,
    "erf": mp.erf,
    "erfc": lambda x: mp.erfc(x) if x < 1e100 else mpf(0),
    "normal_cdf": mp_normal_cdf,
    "lgamma": lambda x: mp.re(mp.loggamma(x)),
    "digamma": mp.digamma,
    "sigmoid": mp_sigmoid,
    "softplus": lambda x: mp.log(1 + mp.exp(x)),
    "log_sigmoid": lambda x: -mp.log(1 + mp.exp(-x)),
    "relu": lambda x: max(x, mpf(0)),
    "silu": lambda x: x * mp_sigmoid(x),
    "gelu": lambda x: x * mp_normal_cdf(x),
    "softsign": lambda x: x / (1 + abs(x)),
    "leaky_relu": lambda x, slope: x if x > 0 else slope * x,
    "elu": lambda x, alpha: x if x > 0 else alpha * (mp.exp(x) - 1),
    "hypot": lambda a, b: mp.sqrt(a * a + b * b),
    "arctan2": mp.atan2,
    "logaddexp": lambda a, b: mp.log(mp.exp(a) + mp.exp(b)),
    "xlogy": lambda x, y: x * mp.log(y) if x else mpf(0),
    "clip": lambda x, low, high: min(max(x, low), high),
    "where": lambda condition, a, b: a if condition else b,
    "stop_gradient": lambda x: x,
    "maximum": lambda *xs: max(xs),
    "minimum": lambda *xs: min(xs),
    "logsumexp": lambda *xs: mp.log(sum(map(mp.exp, xs))),
    "total": lambda *xs: sum(xs),
    "mean": lambda *xs: sum(xs) / len(xs),
    "dot": mp_dot,
    "divide": lambda a, b: a / b,
    "identity": lambda x: x,
    "ieee_log": mp.log,
    "sigmoid_slope": lambda x: mp_sigmoid(x) * mp_sigmoid(-x),
    "tanh_slope": lambda x: mp.sech(x) ** 2,
    "erf_slope": lambda x: 2 * mp.exp(-x * x) / mp.sqrt(mp.pi),
    "zero_or_ratio": lambda a, b: a / b if a else mpf(0),
    "normal_pdf": lambda x: mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi),
    "direction": lambda a, b: a / mp.sqrt(a * a + b * b),
    "over_squares": lambda a, b: a / (a * a + b * b),
    "sigmoid_difference": lambda a, b: mp_sigmoid(a - b),
    "step": lambda x: mpf(x > 0),
    "sign": mp.sign,
    "inside": lambda x, low, high: mpf(low <= x <= high),
    "cbrt_slope": lambda x: abs(x) ** (mpf(-2) / 3) / 3,
    "exceeds": lambda a, b: mpf(a > b),
    "same": lambda a, b: mpf(a == b),
    "greater": lambda a, b: mpf(a > b),
    "greater_equal": lambda a, b: mpf(a >= b),
    "equal": lambda a, b: mpf(a == b),
    "square_difference": lambda a, b: a * a - b * b,
    "stop_gradient_max": lambda *xs: max(xs),
    "exp_difference": lambda a, b: mp.exp(a - b),
    "exp_sum": lambda top, *xs: sum([mp.exp(x - top) for x in xs]),
    "hinge_target": lambda t: t,
    "binary_target": lambda t: t,
    "row_target": lambda *ts: sum(ts),
}
# The condition is true or false; the peak is taken off as a constant; a target has no neighbours.
NO_DERIVATIVE = {("where", 0), ("stop_gradient", 0), ("hinge_target", 0)}
NO_DERIVATIVE |= {(name, i) for name in ("stop_gradient_max", "row_target") for i in range(4)}
BENDS = {"softsign"}  # smooth, but its second derivative jumps at 0
TARGETS = {  # the operands of what looks at its operands
    "hinge_target": st.sampled_from([[-1.0], [1.0]]),
    "binary_target": st.integers(1, 9).map(lambda k: [k / 10]),
    "row_target": st.lists(st.integers(1, 9), min_size=1, max_size=4).map(
        lambda ks: [k / sum(ks) for k in ks]
    ),
}

SPECIAL = [0.0, -0.0, 5e-324, -5e-324, 1e-310, 2.3e-308, 1e-17, -1e-17, 1 - 2**-53, 1 + 2**-52]
SPECIAL += [0.5, -0.5, 1.0, -1.0, 2.0, 3.0, 20.0, -20.0, 37.0, -37.0, 709.0, -745.0, 1e16, 1e308]
hundredths = st.integers(-500, 500).map(lambda k: k / 100)
powers_of_ten = st.builds(lambda s, e: s * 10.0**e, st.sampled_from([-1, 1]), st.floats(-18, 3))
anywhere = hundredths | powers_of_ten | st.sampled_from(SPECIAL) | st.floats(allow_nan=False)


def arity(name):
    """How many operands the tests may give: that of the rules, or 1–4 where any number goes."""
    some = {"dot": [2, 4], "exp_sum": [2, 3, 4]}.get(name, [1, 2, 3, 4])
    return some if TABLE[name].arity is None else [TABLE[name].arity]


def like(name):
    """The operation of the table that takes the same operands as one of a family."""
    alike = {1: "digamma", 2: "power"}
    return name if name in TABLE else alike[EVERY[name].arity]


@cache
def between(numbers, a, b):
    """Those of the numbers between two: made once, as Hypothesis reads the text of a new filter."""
    return numbers.filter(lambda x: a < x < b)


@cache
def arities(name):
    return st.sampled_from(arity(name))


@st.composite
def operands(draw, name, numbers):
    """Operands of an operation inside its domain, away from its kinks."""
    name = like(name)
    if name in TARGETS:
        return draw(TARGETS[name])
    n, op = draw(arities(name)), TABLE[name]
    domain = [*op.domain, *[(-INF, INF)] * n][:n]
    xs = [draw(between(numbers, a, b)) for a, b in domain]
    if name == "where":
        xs[0] = draw(st.booleans())
    assume(op.kink is None or op.kink(*xs) > 0)
    return xs


def locals_at(op, y, xs):
    """Every local gradient of op, as numbers."""
    found = op.joint(y, *xs) if op.joint else [rule(y, *xs) for rule in op.rules]
    return [0 if g is NO_PATH else g for g in found]


def smooth(name, xs):
    return [i for i in range(len(xs)) if (name, i) not in NO_DERIVATIVE]


def roomy(name):
    """Operands on the grid of hundredths, at least 0.05 away from the ends of the domain."""

    def inside(xs):
        op = TABLE[like(name)]
        ends = [e for x, d in zip(xs, op.domain, strict=False) for e in (x - d[0], d[1] - x)]
        if name in BENDS and min(map(abs, xs)) < 0.05:
            return False
        return min([1.0, *ends]) >= 0.05 and (op.kink is None or op.kink(*xs) >= 0.009)

    return operands(name, hundredths).filter(inside)


# The same operation under all its names.

UNARY = [n for n, op in ops.PUBLIC.items() if op.joint is None and len(op.rules) == 1]

EVERY = TABLE | {family(k).name: family(k) for family in FAMILIES for k in range(3)}


def same(a, b):
    """Equal to the last bit; 0 and −0 are equal, and so are nan and nan."""
    return a == b or (a != a and b != b)
