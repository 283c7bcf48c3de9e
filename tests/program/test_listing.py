"""A program as it is read: both passes line by line, with numbers that are right."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from shared.graphs import graphs
from shared.operations import EVERY, hundredths, operands, same
from shared.tex import balanced

import microgrid as mg
from microgrid import Value, record
from microgrid.views.theme import variable
from microgrid.views.wording import BLUE, GREEN


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
            w = listing._statements
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

    names = record(f, 1.0).listing()._names
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
    assert len(listing._rows) == 6001


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
    assert math.isfinite(NEURON.listing(np.ones(2), [1.0, 1.0], 0)._statements.inputs[0].data)


# Forward mode: each line beside its tangent.


def test_each_line_stands_beside_its_tangent():
    assert str(NEURON.listing(mode="forward")).splitlines() == [
        "   primal ↓            tangent ↓",
        "   x_1                 dx_1",
        "   x_2                 dx_2",
        "   w_1                 dw_1",
        "   w_2                 dw_2",
        "   b                   db",
        "1  v_1 = w_1·x_1       dv_1 = dw_1·x_1 + dx_1·w_1",
        "2  v_2 = w_2·x_2       dv_2 = dw_2·x_2 + dx_2·w_2",
        "3  v_3 = v_1 + v_2     dv_3 = dv_1 + dv_2",
        "4  v_4 = v_3 + b       dv_4 = dv_3 + db",
        "5  v_5 = sigmoid(v_4)  dv_5 = dv_4·sigmoid_slope(v_4)",
        "",
        "sigmoid_slope: σ(x) (1 − σ(x)) as e / (1 + e)² with e = exp(−|x|)",
    ]


def test_without_a_direction_the_first_input_moves_and_it_says_so():
    point = [-1.0, -2.0], [2.0, -3.0], -3.0
    first, *lines = str(NEURON.listing(*point, mode="forward")).splitlines()
    assert first == "seeds: dx_1 = 1, all others 0"
    words = [" ".join(line.split()) for line in lines]
    assert words[1:3] == ["x_1 -1 dx_1 1", "x_2 -2 dx_2 0"]
    assert words[10] == "5 v_5 = sigmoid(v_4) 0.7311 dv_5 = dv_4·sigmoid_slope(v_4) 0.3932"
    direction = ([0.0, 0.0], [0.0, 1.0], 1.0)
    lines = str(NEURON.listing(*point, mode="forward", tangents=direction)).splitlines()
    assert "seeds" not in lines[0]
    assert lines[10].split()[-1] == "-0.1966"  # of w_2 −0.3932, of b 0.1966
    alone = str(record(lambda x: x * x, 1.0).listing(3.0, mode="forward")).splitlines()
    assert alone[0] == "seeds: dx = 1"


@pytest.mark.parametrize("name", EVERY)
def test_the_tangents_of_a_listing_are_the_engines(name):
    f = lambda *vs: EVERY[name](*vs)  # noqa: E731

    @settings(max_examples=10, deadline=None)
    @given(operands(name, hundredths))
    def check(xs):
        xs = [float(x) for x in xs]
        us = [float(i + 1) for i in range(len(xs))]
        w = record(f, *xs).listing(*xs, mode="forward", tangents=us)._statements
        assert same(w.tangent[w.outputs[0]].data, float(mg.jvp(f, xs, us)[1]))

    check()


def assert_in_order(listing):
    """Each cell, a row from left to right, is made of what stands before it."""
    names, known = listing._names, set()

    def used(v):
        return {v} if v in names else {n for p in v.parents for n in used(p)}

    for row in listing._rows:
        for v in row:
            if v is not None:
                assert {n for p in v.parents for n in used(p)} <= known, names[v]
                known.add(v)
    assert known == {*names}


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_what_a_line_and_its_tangent_need_stands_before_them(graph):
    f, xs = graph
    assert_in_order(record(f, *xs).listing(mode="forward"))


@pytest.mark.parametrize("name", EVERY)
def test_the_forward_listing_of_every_operation_is_in_order_and_balanced(name):
    n = EVERY[name].arity or 2
    listing = record(lambda *vs: EVERY[name](*vs), *[0.5] * n).listing(mode="forward")
    assert_in_order(listing)
    balanced(listing.latex())
    rows = listing.latex().split("\\hline")[1].split("\\end{array}")[0].split("\\\\\n")
    assert {row.count(" & ") for row in rows} == {2}


def test_a_function_of_several_results_has_tangents_of_all():
    listing = record(lambda x: [x * 2, 5.0, x], 1.0).listing(4.0, mode="forward")
    assert "1  v_1 = x·2  8  dv_1 = dx·2  2" in str(listing)


def test_what_does_not_move_has_the_tangent_zero():
    text = str(record(lambda x: mg.stop_gradient(x) * x, 1.0).listing(2.5, mode="forward"))
    assert re.search(r"v_1 = stop_gradient\(x\) +2.5 +dv_1 = 0 +0$", text, re.MULTILINE)


def test_the_page_colours_values_and_tangents():
    page = NEURON.listing([1.0, 2.0], [1.0, 2.0], 0, mode="forward").html()
    assert ">seeds: <i>dx</i><sub>1</sub> = 1, all others 0</caption>" in page
    head = page.partition("<tbody>")[0]
    colors = re.findall(r"<t[hd] style=\"text-align:left;color:([^\"]+)", head)
    assert len(colors) == 5
    assert (colors[2], colors[4]) == (variable(GREEN), variable(BLUE))


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda p: p.listing(mode="up"), "'forward' or 'reverse'"),
        (lambda p: p.listing([1, 2], [1, 2], 1, tangents=([1, 2], [1, 2], 1)), "tangents belong"),
        (lambda p: p.listing(mode="forward", tangents=([1, 2], [1, 2], 1)), "tangents belong"),
        (lambda p: p.listing([1, 2], [1, 2], 1, mode="forward", tangents=1.0), "is a tuple"),
        (lambda p: p.listing([1, 2], [1, 2], 1, mode="forward", tangents=(1.0,)), "takes 3 arg"),
    ],
)
def test_directions_that_mean_nothing_are_refused(ask, words):
    with pytest.raises(mg.MicrogridError, match=words):
        ask(NEURON)
