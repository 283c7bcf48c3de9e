"""gradcheck finds wrong gradients and says what it cannot see; first_nonfinite names a node."""

import math
import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from shared.strategies import hundredths, programs

import microgrid as mg
from microgrid import Value, custom_op, first_nonfinite, gradcheck
from microgrid.engine.functions import FUNCTIONS
from microgrid.engine.ops import TABLE
from microgrid.engine.value import Op, topological

UNARY = [name for name in FUNCTIONS if name in TABLE and len(TABLE[name].rules) == 1]


@pytest.mark.parametrize("name", UNARY)
def test_every_function_of_one_number_passes(name):
    for x in (1.5,) if name == "arccosh" else (0.3, 0.75):
        report = gradcheck(FUNCTIONS[name], x)
        assert report.ok, report


def test_arguments_of_any_shape():
    report = gradcheck(lambda A, b, c: (A @ b).sum() * c, np.eye(2) + 1, [2.0, -1.0], 0.5)
    assert report.ok
    assert [e.gradient for e in report.entries] == [1.0, -0.5, 1.0, -0.5, 1.5, 1.5, 3.0]


@given(st.floats(-9, 9), st.sampled_from([0.0, 2.0, 1.0009, -1.0, 1.00001, 1 - 1e-5]))
def test_a_gradient_that_is_off_never_passes(x, factor):
    """0.09 % off and even 0.001 % off must fail, however small the function is."""
    bad = custom_op("bad", lambda x: 1e-7 * math.exp(x), lambda y, x: factor * y)
    report = gradcheck(bad, x)
    assert not report.ok
    assert report.worst.verdict == "wrong"
    assert "bad" in report.first_wrong


@given(hundredths, st.floats(0.5, 20))
def test_right_gradients_pass(x, scale):
    assert gradcheck(lambda x: mg.sin(scale * x) * mg.exp(-x) + 3, x).ok
    assert gradcheck(lambda x: 1e-12 * x * x, x).ok


def test_a_gradient_that_rounding_hides_does_not_pass():
    report = gradcheck(lambda x: 1e6 + 1e-7 * mg.exp(x), 1.0)
    assert not report.ok
    assert report.worst.verdict == "cannot tell"


def test_a_derivative_that_is_zero_passes_and_a_wrong_one_there_fails():
    assert gradcheck(mg.cos, 0.0).ok
    assert gradcheck(lambda x: x**3, 0.0).ok
    bad = custom_op("bad", math.cos, lambda y, x: 1e-6)
    assert not gradcheck(bad, 0.0).ok


def test_the_first_wrong_node_is_named_not_its_successors():
    bad = custom_op("bad", lambda x: x * x, lambda y, x: 3 * x)
    report = gradcheck(lambda x: mg.exp(bad(mg.sin(x)) + 1), 1.0)
    assert report.first_wrong.startswith("bad")
    assert "sin" in report.first_wrong


@pytest.mark.parametrize("x", [0.0, 1e-7, -1e-7])
def test_a_kink_within_the_step_is_said(x):
    report = gradcheck(mg.relu, x)
    assert not report.ok
    assert "relu" in report.kinks[0]
    assert "kink" in str(report)
    assert gradcheck(mg.relu, 0.5).ok
    assert not gradcheck(lambda x: mg.maximum(x[0], x[1]), [1.0, 1.0]).ok


def test_the_curve_falls_and_rises_again():
    """For σ at 1 the error of the central difference is 6e-5 at 1e-1 and 2e-12 at 1e-5."""
    curve = dict(gradcheck(mg.sigmoid, 1.0).entries[0].curve)
    assert curve[0.1] == pytest.approx(6e-5, rel=0.2)
    assert curve[1e-5] < 1e-10
    assert curve[1e-11] > 1e-8


def test_the_report_prints_as_a_table_of_80_columns():
    text = str(gradcheck(lambda x, y: x * y, 2.0, 3.0))
    assert text.splitlines()[0].split()[:3] == ["entry", "verdict", "gradient"]
    assert text.endswith("\nok")
    assert max(map(len, text.splitlines())) <= 80
    assert str(gradcheck(lambda: Value(1.0))) != ""


def test_a_function_without_a_value_beside_the_point_cannot_be_told():
    assert gradcheck(mg.sqrt, 0.0).worst.verdict == "cannot tell"


def test_the_first_node_that_is_not_finite_is_named():
    x = Value(0.0, "x")
    root = x.sqrt()
    assert first_nonfinite(root * root + 1).node is root
    assert str(first_nonfinite(root * 2)) == (
        "sqrt(x = 0.0) sends back the gradient inf: upstream 2 × local inf, to x = 0.0"
    )
    big = Value(1e308, "big")
    y = big * 10 - 1
    found = first_nonfinite(mg.tanh(y))
    assert (found.what, found.node) == ("value", y.parents[0])
    assert str(found) == "the value of mul(big = 1e+308, 10) is inf"
    assert first_nonfinite(Value(1.0) * 2) is None
    assert first_nonfinite((Value(-1.0) * 1) ** 2) is None  # no slope of the constant exponent
    assert first_nonfinite(Value(10**400) * 2) is None


def test_a_nan_that_came_in_as_data_is_the_leafs_own():
    x = Value(math.nan, "x")
    assert str(first_nonfinite(mg.exp(x * 2))) == "the value of the leaf x is nan"


@given(programs(), st.data())
def test_the_gate_that_sends_what_is_not_finite_is_named(program, data):
    _, root = program.build(Value)
    gates = [v for v in topological(root) if v.op]
    assume(gates)
    steep = data.draw(st.sampled_from(gates))
    steep.op = Op("steep", steep.op.forward, joint=lambda y, *xs: [math.inf] * len(xs))
    found = first_nonfinite(root)
    assert (found.node, found.what) == (steep, "gradient")
    assert re.search(r"^steep\(.* × local inf, to ", str(found))


def test_a_product_that_overflows_on_the_way_back_is_named():
    x, big = Value(1.0, "x"), Value(1e200, "big")
    y = (x * big - x * big) * 1e200
    assert str(first_nonfinite(y)) == (
        "mul(x = 1.0, big = 1e+200) sends back the gradient -inf: upstream -1e+200 × local 1e+200, "
        "to x = 1.0"
    )
