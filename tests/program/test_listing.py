"""A program as it is read: both passes line by line, with numbers that are right."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from shared.operations import EVERY, hundredths, operands, same
from shared.tex import balanced

import microgrid as mg
from microgrid import Value, record


def neuron(x, w, b):
    return mg.sigmoid(w[0] * x[0] + w[1] * x[1] + b)


NEURON = record(neuron, [1.0, 1.0], [1.0, 1.0], 1.0)


def test_both_passes_stand_side_by_side():
    assert str(NEURON.listing()).splitlines() == [
        "   forward ↓               backward ↑",
        "   x_1                 15  dx_1 = dv_1·w_1",
        "   x_2                 14  dx_2 = dv_2·w_2",
        "   w_1                 13  dw_1 = dv_1·x_1",
        "   w_2                 12  dw_2 = dv_2·x_2",
        "   b                   11  db = dv_4",
        "1  v_1 = w_1·x_1       10  dv_1 = dv_3",
        "2  v_2 = w_2·x_2       9   dv_2 = dv_3",
        "3  v_3 = v_1 + v_2     8   dv_3 = dv_4",
        "4  v_4 = v_3 + b       7   dv_4 = dv_5·sigmoid_slope(v_4)",
        "5  v_5 = sigmoid(v_4)  6   dv_5 = 1",
        "",
        "sigmoid_slope: σ(x) (1 − σ(x)) as e / (1 + e)² with e = exp(−|x|)",
    ]


def test_with_inputs_it_has_the_numbers_of_the_lecture():
    lines = str(NEURON.listing([-1.0, -2.0], [2.0, -3.0], -3.0)).splitlines()
    words = [" ".join(line.split()) for line in lines]
    assert words[6] == "1 v_1 = w_1·x_1 -2 10 dv_1 = dv_3 0.1966"
    assert words[10] == "5 v_5 = sigmoid(v_4) 0.7311 6 dv_5 = 1 1"
    gradients = [line.split()[-1] for line in lines[1:6]]
    assert gradients == ["0.3932", "-0.5898", "-0.1966", "-0.3932", "0.1966"]


@pytest.mark.parametrize("name", EVERY)
def test_the_numbers_of_a_listing_are_the_engines(name):
    """The statements, worked off one by one, are an oracle of the engines that run plans."""

    @settings(max_examples=10, deadline=None)
    @given(operands(name, hundredths))
    def check(xs):
        leaves = [Value(float(x)) for x in xs]
        y = EVERY[name](*leaves)
        y.backward()
        listing = record(lambda *vs: EVERY[name](*vs), *leaves).listing(*map(float, xs))
        for i, leaf in enumerate(leaves):
            w = listing.statements
            assert same(w.gradient[w.inputs[i]].data, float(leaf.grad))

    check()


def test_sums_differences_quotients_and_powers_read_like_arithmetic():
    text = str(record(lambda x, y: (x - 2 * y) ** 2 / (1 + y) - 0.5, 1.0, 1.0).listing())
    for line in ("v_1 = 2·y", "v_2 = x - v_1", "v_3 = v_2^2", "v_4 = 1 + y", "v_5 = v_3 / v_4"):
        assert line in text
    assert "dv_4 = dv_5·-(v_5 / v_4)" in text
    assert "dy = dv_4 + dv_1·2" in text


def test_labels_are_kept_and_names_never_clash():
    def f(x):
        y, z, u = x * 2, x * 3, x * 4
        y.label, z.label, u.label = "v_1", "lambda", "exp"
        return y + z + u

    names = record(f, 1.0).listing().names
    assert len(set(names.values())) == len(names)
    assert {"x", "v_1", "lambda_2", "exp_2"} <= set(names.values())


def test_a_function_of_several_results_has_a_forward_pass_alone():
    text = str(record(lambda x: [x * 2, x * 3], 1.0).listing())
    assert "backward" not in text
    assert "v_2 = x·3" in text


def test_html_shows_no_tag_of_the_users():
    def f(x):
        y = x * 2
        y.label = "<b>&amp;"
        return y * y

    page = record(f, 1.0).listing()._repr_html_()
    assert "<b>" not in page
    assert page.count("<tr>") == page.count("</tr>") >= 4


@pytest.mark.parametrize("name", EVERY)
def test_latex_is_balanced_for_every_operation(name):
    n = EVERY[name].arity or 2
    text = record(lambda *vs: EVERY[name](*vs), *[0.5] * n).listing().latex()
    balanced(text)
    assert "nan" not in text.lower()
    rows = text.split("\\hline")[1].split("\\end{array}")[0].split("\\\\\n")
    assert len({row.count(" & ") for row in rows}) == 1


def test_a_legend_says_what_the_operations_of_rules_mean():
    text = str(record(lambda x, y: x**3 + mg.logsumexp(x, y) / y + abs(x), 1.0, 1.0).listing())
    assert "falling1: b a^(b−1)" in text
    assert "exp_difference: exp(a − b)" in text
    assert "sign: −1, 0 or 1" in text
    assert "divide:" not in text
    assert "logsumexp:" not in text


def test_a_long_listing_is_cut_in_print_alone():
    def f(x):
        for _ in range(3000):
            x = x * 0.5 + 1
        return x

    listing = record(f, 1.0).listing()
    assert str(listing).count("\n") < 2010
    assert re.search(r"^… +…", str(listing), re.MULTILINE)
    assert len(listing.rows) == 6001


def test_numbers_outside_of_the_domain_are_refused_as_by_the_program():
    with pytest.raises(mg.MicrogridError, match=r"log\(x = -1.0\)"):
        record(lambda x: mg.log(x), 1.0).listing(-1.0)


@pytest.mark.parametrize(("name", "text"), [("fact", "{}!"), ("odd", "{} ⊕ {}"), ("a-b", "")])
def test_operations_of_the_user_are_listed_by_name(name, text):
    op = mg.custom_op(name, lambda a: a, lambda y, a: 1, text=text)
    assert f"v_1 = {name.replace('-', '_')}(x)" in str(record(lambda x: op(x), 1.0).listing())


def test_long_sums_are_cut():
    text = str(
        record(lambda x: mg.total([mg.sin(x * (i + 0.5)) for i in range(5000)]), 1.0).listing()
    )
    assert "… (5,000 terms)" in text
    assert len(text) < 10**6


def test_values_of_another_shape_are_refused():
    with pytest.raises(mg.MicrogridError, match="takes 3 arguments"):
        NEURON.listing([1.0, 2.0])
    assert math.isfinite(NEURON.listing(np.ones(2), [1.0, 1.0], 0).statements.inputs[0].data)
