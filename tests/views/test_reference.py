"""The documentation made from an entry of the table: what it says is what the operation does."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.operations import EVERY, operands

import microgrid as mg
from microgrid.engine.ops import PUBLIC, TABLE
from microgrid.engine.slopes import NO_PATH, slopes
from microgrid.views.reference import call_of, describe

SPELLED = {"·": " * ", "−": "-", "²": "**2", "^": "**", "₁": "_1", "₂": "_2"}
SPACE = EVERY | {"max": max, "sum": TABLE.total, "e": math.e, "π": math.pi}


def slopes_written(op):
    """(operand, its slope in Python) for each slope that the documentation writes."""
    text = describe(op)
    for sign, python in SPELLED.items():
        text = text.replace(sign, python)
    text = re.sub(r"\|(\w+)\|", r"abs(\1)", text)
    return re.findall(r"`∂[yz]/∂(\w+) =\s+([^`]+)`", text)


@pytest.mark.parametrize("name", PUBLIC)
def test_the_slopes_as_written_are_those_of_the_rules_everywhere(name):
    op = PUBLIC[name]
    names, written = call_of(op).names, slopes_written(op)
    assert written

    @given(operands(name, st.integers(-300, 300).map(lambda k: k / 100)))
    def holds(xs):
        if len(xs) != len(names):
            return
        y = op.forward(*xs)
        space = {**SPACE, **dict(zip(names, xs)), "y" if "y" not in names else "z": y}
        expected = dict(zip(names, slopes(op, y, xs)))
        for x, text in written:
            number = 0 if expected[x] is NO_PATH else float(expected[x])
            assert eval(text, space) == pytest.approx(number, rel=1e-4, abs=1e-12), (x, text)

    holds()


def test_a_slip_in_a_rule_would_be_seen():
    wrong = mg.custom_op("wrong", lambda x: x**3, lambda y, x: 2 * x)
    assert slopes_written(wrong) == [("x", "2 * x")]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("log", "- `log(0.0)` raises `DomainError`: needs x > 0; log_sigmoid(x) for"),
        ("div", "- `1.0 / 0.0` raises `DivisionError`: the divisor must not be 0"),
        ("power", "`(-0.5) ** (-0.5)` raises `DomainError`"),
        ("exp", "- `exp(1000.0)` raises `RangeError`: needs x <= 709.78"),
        ("relu", "- slope at `relu(0.0)`: 0"),
        ("absolute", "- slope at `absolute(0.0)`: 0"),
        ("leaky_relu", "- slopes at `leaky_relu(0.0)`: 0.01, 0"),
        ("maximum", "- slopes at `maximum(1.0, 1.0)`: 0.5, 0.5"),
        ("clip", "- slopes at `clip(0.0, 0.0, 1.0)`: 1, 0, 0"),
        ("hypot", "- slopes at `hypot(0.0, 0.0)`: 0, 0"),
        ("tanh", "- `∂y/∂x = 1 − y²`"),
        ("power", "- `∂y/∂a = b·a^(b − 1)`, `∂y/∂b = y·log(a)`"),
        ("relu", "- `step(x)`: 1 for x > 0, else 0; nan for nan"),
        ("tanh", "- see also `Value.tanh`, `numpy.tanh`"),
        ("dot", ">>> mg.dot([2.0, 3.0], [4.0, 5.0])\n23.0"),
        ("where", "- `∂y/∂c = 0`, `∂y/∂a = where(c, 1, 0)`, `∂y/∂b = where(c, 0, 1)`"),
    ],
)
def test_the_documentation_tells_errors_kinks_helpers_and_relatives(name, line):
    assert line in " ".join(describe(PUBLIC[name]).split("\n  ")) or line in describe(PUBLIC[name])


def test_an_operation_that_never_raises_and_has_no_kink_tells_of_neither():
    assert "raises" not in describe(PUBLIC["sigmoid"])
    assert "slope at" not in describe(PUBLIC["sigmoid"])
