"""draw(color_by=…): which wires matter, and how that is seen."""

import re
from fractions import Fraction
from math import inf, nan
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared.strategies import fractions, programs

import microgrid as mg
from microgrid import Value, draw, examples
from microgrid.engine.errors import GraphError, ParameterError
from microgrid.engine.value import topological
from microgrid.views.drawing import Numbers
from microgrid.views.tints import MEASURES, NOTHING, PLAIN, look_of, top_of

SVG = "{http://www.w3.org/2000/svg}"
numbers = st.floats(0) | st.integers(0, 10**400) | st.fractions(0)


def strokes(picture):
    """The colour and the width of every edge, by its id."""
    found = {}
    for g in ElementTree.fromstring(picture.pipe("svg")).iter(f"{SVG}g"):
        if "edge" in g.get("class", ""):
            path = next(g.iter(f"{SVG}path"))
            found[g.get("id")] = path.get("stroke"), float(path.get("stroke-width", 1))
    return found


def dark(color: str) -> int:
    return -sum(int(color[i : i + 2], 16) for i in (1, 3, 5))


# The scale


@given(st.lists(numbers, min_size=1, max_size=5))
def test_what_matters_more_is_never_paler_nor_thinner_and_nothing_is_grey(weights):
    top = top_of(weights)
    looks = [look_of(x, top) for x in sorted(weights)]
    for x, shown in zip(sorted(weights), looks):
        assert (shown.color == NOTHING) == (x == 0)
        assert shown.width in (1, 3, 5)
    seen = [shown for shown in looks if shown.color != NOTHING]
    assert [dark(s.color) for s in seen] == sorted(dark(s.color) for s in seen)
    assert [s.width for s in seen] == sorted(s.width for s in seen)
    if max(weights) > 0:
        assert looks[-1].width == 5


def test_nan_matters_nothing_and_infinity_the_most():
    assert look_of(nan, 1.0).color == NOTHING
    assert look_of(inf, 1.0) == look_of(1.0, 1.0)
    assert top_of([1.0, inf, nan]) == 1.0
    assert top_of([inf]) == 0


# What is measured


@given(programs())
def test_the_share_of_a_factor_is_that_of_the_product_and_a_fork_splits_it(program):
    root = program.nodes(Value)[-1]
    order = topological(root)
    seen = Numbers(order, 2, color_by="share").tints
    signed = lambda v, k: v.parents[k].data * seen.sent(v)[k][1]  # noqa: E731
    for v in order:
        for k in range(len(v.parents)):
            assert seen.weight(v, k) == abs(signed(v, k))
            if v.op.name == "mul":
                assert seen.weight(v, k) == seen.weight(v)
        if v.op and v.op.name == "add":
            whole = v.data * seen.gradient.get(v, 0)
            assert signed(v, 0) + signed(v, 1) == whole
        if v is not root:
            uses = [signed(c, k) for c in order for k, p in enumerate(c.parents) if p is v]
            assert abs(sum(uses)) == seen.weight(v)


@given(st.lists(fractions, min_size=1, max_size=6))
def test_of_a_sum_each_term_has_the_share_that_it_adds_and_all_have_one_gradient(terms):
    xs = [Value(x, f"x_{i}") for i, x in enumerate(terms)]
    root = mg.total([x * 1000 for x in xs])
    order = topological(root)
    assert [Numbers(order, 2, color_by="share").tints.weight(x) for x in xs] == [
        abs(1000 * x) for x in terms
    ]
    assert {Numbers(order, 2, color_by="gradient").tints.weight(x) for x in xs} == {1000}


@pytest.mark.parametrize("x", [10**400, -0.0, inf, Fraction(1, 3), -2])
def test_any_number_has_a_weight(x):
    share, gradient = (
        Numbers(topological(root), 2, color_by=measure).tints.weight(root.parents[0])
        for measure in MEASURES
        for root in [Value(x, "x") * -2]
    )
    assert (share, gradient) == (abs(x) * 2, 2)


# The picture


def test_the_thickest_wires_of_the_sigmoid_circuit_are_those_of_the_largest_product():
    drawn = strokes(draw(examples.sigmoid_circuit(), color_by="share"))
    widest = {id for id, (_, width) in drawn.items() if width == 5}
    assert widest == {"e4", "e5", "e6", "e4_6_0", "e5_6_1", "e6_7_1"}  # w₁ x₁ = 6


def test_no_backward_pass_is_needed_and_no_node_is_changed():
    f = examples.sigmoid_circuit()
    before = strokes(draw(f, color_by="share"))
    assert {v._grad for v in topological(f)} == {None}
    f.backward()
    f.backward()  # gradients of two passes: shares are of one
    assert strokes(draw(f, color_by="share")) == before


def test_what_does_not_matter_is_grey_and_its_name_has_no_ground():
    x, y = Value(1.0, "x"), Value(2.0, "y")
    picture = draw(x + mg.relu(-y), color_by="share")
    drawn = strokes(picture)
    assert drawn["e1"] == drawn["e1_2_0"] == (NOTHING, 1)
    assert drawn["e0"][0] not in (NOTHING, PLAIN.color)
    (of_y,) = re.findall(r"g1 \[label=<(.*?)> ", picture.source)
    (of_x,) = re.findall(r"g0 \[label=<(.*?)> ", picture.source)
    assert "bgcolor" not in of_y
    assert f'bgcolor="{drawn["e0"][0]}"' in of_x


def test_the_legend_says_what_is_measured_and_how_much_it_is_at_most():
    f = examples.sigmoid_circuit()
    assert "thick: |value × gradient|, at most 1.18; grey: 0" in draw(f, color_by="share").source
    assert "thick: |gradient|, at most 1.00; grey: 0" in draw(f, color_by="gradient").source
    assert "thick" not in draw(f).source


def test_copies_of_a_leaf_have_each_their_own_share():
    x = Value(3.0, "x")
    drawn = strokes(draw(x * x * x + 0.001 * x, color_by="share", share_leaves=False))
    assert sorted(drawn[id][1] for id in drawn if re.fullmatch(r"e0-.*", id)) == [1, 3, 3, 3]


@settings(max_examples=20)
@given(programs())
def test_colours_change_no_number(program):
    root = program.nodes(Value)[-1]
    plain, tinted = (
        [
            t.text.rpartition("; ")[2]  # the legend of the tints comes first
            for t in ElementTree.fromstring(picture.pipe("svg")).iter(f"{SVG}text")
        ]
        for picture in (draw(root), draw(root, color_by="share"))
    )
    assert sorted(plain) == sorted(words for words in tinted if words != "grey: 0")


def test_wrong_requests_are_told():
    f = examples.sigmoid_circuit()
    with pytest.raises(ParameterError, match="color_by 'size': there are 'share' and 'gradient'"):
        draw(f, color_by="size")
    with pytest.raises(ParameterError, match="level 'blocks': seeds and color_by need"):
        draw(f, color_by="share", level="blocks")
    with pytest.raises(ParameterError, match="blanks: seeds and color_by need"):
        draw(f, color_by="share", blank_gradients=[f])
    examples.named(f)["w_0"].data = 5.0
    with pytest.raises(GraphError, match="run the forward pass again"):
        draw(f, color_by="share")
