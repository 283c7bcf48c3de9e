"""Every singular point of the table of conventions: its value and gradients, or its exception."""

import builtins
import json
import math
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest

from microgrid.engine import ops
from microgrid.engine.errors import MicrogridError
from microgrid.engine.functions import FUNCTIONS as F
from microgrid.engine.value import Value

ROWS = json.loads(Path(__file__).with_name("conventions.json").read_text())

# The table's names that are not names of the package, each as the expression it stands for.
EXPRESSIONS = {
    "abs": abs,
    "max": F["maximum"],
    "max3": F["maximum"],
    "min": F["minimum"],
    "atan2": F["arctan2"],
    "asin": F["arcsin"],
    "acos": F["arccos"],
    "atanh": F["arctanh"],
    "acosh": F["arccosh"],
    "logsigmoid": F["log_sigmoid"],
    "logsumexp3": F["logsumexp"],
    "clip_-1_1": lambda x: F["clip"](x, -1, 1),
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "x-x": lambda x: x - x,
    "x/x": lambda x: x / x,
    "x**x": lambda x: x**x,
    "sqrt(x*x)": lambda x: (x * x).sqrt(),
    "naive_sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "naive_log(sigmoid(x))": lambda x: x.sigmoid().log(),
    "bce_with_logits(t=1)": lambda x: F["softplus"](x) - 1 * x,
    "softmax3_xent0": lambda *xs: F["logsumexp"](xs) - xs[0],
    "where(x>0,sqrt(x),0)": lambda x: F["where"](x > 0, x.sqrt(), 0),
    "where(x>0,log(x),0)": lambda x: F["where"](x > 0, x.log(), 0),
    "floor": math.floor,
    "round": round,
    "mod": lambda a, b: a % b,
    "fmod": np.fmod,
    "sign": np.sign,
}

# Where the table has a wrong digit: it gives 2.912516472618217e-32, off by 1.4e-7.
CORRECTED = {("tanh", "37.0"): lambda: mpmath.sech(37) ** 2}


def expression(name):
    """The function that a row's name stands for; pow_const[2] is x**2, const_pow[2] is 2**x."""
    if name.startswith("pow_const["):
        exponent = json.loads(name[10:-1])
        return lambda x: x**exponent
    if name.startswith("const_pow["):
        base = json.loads(name[10:-1])
        return lambda x: base**x
    return EXPRESSIONS[name] if name in EXPRESSIONS else F[name]


def same(got, want):
    """Equal to 1e-12, nan to nan and inf to inf; the sign of zero is free."""
    if math.isnan(want) or math.isnan(got):
        return math.isnan(want) and math.isnan(got)
    return math.isclose(got, want, rel_tol=1e-12, abs_tol=0.0)


def gradients_of(row):
    corrected = CORRECTED.get((row["op"], *row["args"]))
    return [float(corrected())] if corrected else [float(g) for g in row["adopt"]["grads"]]


def words(row):
    return f"{row['op']}({', '.join(row['args'])})"


def test_the_table_has_195_rows():
    assert len(ROWS) == 195


@pytest.mark.parametrize("row", ROWS, ids=words)
def test_the_value_and_the_gradients_follow_the_convention(row):
    f, xs = expression(row["op"]), [Value(float(x)) for x in row["args"]]
    if "raises" in row["adopt"]:
        with pytest.raises(getattr(builtins, row["adopt"]["raises"])) as caught:
            f(*xs)
        assert isinstance(caught.value, MicrogridError)
        return
    y = f(*xs)
    assert same(y.data, float(row["adopt"]["value"]))
    y.backward()  # never raises for a numeric reason
    for x, want in zip(xs, gradients_of(row), strict=True):
        assert same(x.grad, want), (x.grad, want)


@pytest.mark.parametrize("row", [r for r in ROWS if "value" in r["adopt"]], ids=words)
def test_the_sign_of_a_zero_value_follows_the_convention(row):
    want = float(row["adopt"]["value"])
    got = expression(row["op"])(*[Value(float(x)) for x in row["args"]]).data
    assert got != 0 or math.copysign(1, got) == math.copysign(1, want)


def test_a_wrong_convention_is_seen():
    assert not same(1.0, math.nan)
    assert not same(math.nan, 0.0)
    assert not same(math.inf, -math.inf)
    assert not same(1e-300, 0.0)
    assert not same(0.3333333333, 1 / 3)
    assert same(-0.0, 0.0)


@pytest.mark.parametrize("name", ["absolute", "relu", "maximum", "minimum", "clip", "square"])
def test_conventions_hold_for_fractions_too(name):
    operands = {"maximum": 3, "minimum": 3, "clip": 3}.get(name, 1)
    xs = [Value(Fraction(0)) for _ in range(operands)]
    ops.TABLE[name](*xs).backward()
    want = {"maximum": Fraction(1, 3), "minimum": Fraction(1, 3), "clip": 1}.get(name, 0)
    assert xs[0].grad == want
    assert type(xs[0].grad) is Fraction
