"""Forward mode for the eye: a pass of tangents as a table and a film, tangents in a picture."""

import re
from fractions import Fraction
from itertools import groupby
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shared.planting import assert_caught
from shared.strategies import fractions, labels, programs
from shared.written import gives, is_rounded, number

import microgrid as mg
from microgrid import Value, draw, examples, explain, gradients, steps
from microgrid.engine.errors import GraphError, NumberError, ParameterError
from microgrid.engine.value import topological
from microgrid.views import explanation
from microgrid.views.storyboard import ForwardStory
from microgrid.views.wording import BLUE, decimals, typed

PRODUCT = re.compile(r"; local (\S+) × tangent (\S+) of .* ([=≈]) share ([^\s,;]+)")
SVG = "{http://www.w3.org/2000/svg}"


def signed(x) -> str:
    return decimals(x).replace("-", "−")


def leaves_in(root):
    return [v for v in topological(root) if v.op is None]


def texts(svg, color):
    return [t.text for t in svg.iter(f"{SVG}text") if t.get("fill") == color]


def fork() -> tuple[Value, Value]:
    a, b = Value(3.0, "a"), Value(2.0, "b")
    y = (b * a + a) * a
    y.label = "y"
    return a, y


# The table


@given(programs())
def test_every_row_is_local_times_tangent_and_the_last_total_of_the_root_is_the_derivative(program):
    root = program.nodes(Value)[-1]
    for x in leaves_in(root):
        rows, last = explain(root, mode="forward", seeds={x: 1}).rows, {x: 1}
        for r in rows:
            assert r.share == r.local * r.tangent
            assert r.tangent == last[r.parent_node]
            assert r.total == last.get(r.child_node, 0) + r.share
            assert r.value == r.child_node.data
            last[r.child_node] = r.total
        assert last[root] == gradients(root, x)
        assert len(rows) == sum(p in last for v in topological(root) for p in v.parents)


def test_a_table_whose_totals_forget_earlier_shares_is_caught(monkeypatch):
    """A test of the first test."""
    right = explanation.push_forward

    def push_forward(order, seeds, trace):
        return right(order, seeds, trace=lambda *args: trace(*args[:-1], args[-2]))

    monkeypatch.setattr(explanation, "push_forward", push_forward)
    assert_caught(
        test_every_row_is_local_times_tangent_and_the_last_total_of_the_root_is_the_derivative,
        monkeypatch,
    )


@given(programs(), st.lists(fractions, min_size=4, max_size=4))
def test_several_nodes_may_move_each_at_its_rate(program, rates):
    root = program.nodes(Value)[-1]
    seeds = dict(zip(leaves_in(root), rates))
    rows = explain(root, mode="forward", seeds=seeds).rows
    assert rows[-1].total == sum(t * gradients(root, x) for x, t in seeds.items())


def test_the_table_of_the_sigmoid_circuit_is_the_trace_of_tangents_beside_the_values():
    f = examples.sigmoid_circuit()
    lines = [" ".join(line.split()) for line in str(explain(f, mode="forward")).splitlines()]
    assert lines[:3] == [
        "w_0 = 2, tangent 1; f = 0.7311, tangent -0.1966 (another leaf: seeds={x_0: 1})",
        "gate from local tangent share total",
        "n3 = w_0 * x_0 = -2 w_0 -1 1 -1 -1",
    ]
    assert lines[-1] == "f = 1 / n14 = 0.7311 n14 -0.5344 0.3679 -0.1966 -0.1966"
    assert max(map(len, str(explain(f, mode="forward")).splitlines())) <= 80


def test_the_first_leaf_with_a_label_moves_unless_seeds_say_otherwise():
    x, y = Value(2.0), Value(5.0, "y")
    root = x * y
    assert explain(root, mode="forward").rows == explain(root, mode="forward", seeds={y: 1}).rows
    assert "another leaf" not in explain(root, mode="forward", seeds={y: 1})._start
    assert str(explain(Value(2), mode="forward")).startswith("n0 = 2, tangent 1\n")


def test_where_nothing_arrives_there_is_no_row_and_no_node_is_changed():
    x, y = Value(2.0, "x"), Value(3.0, "y")
    root = 2 * mg.where(x > 5, x, y) + 1
    table = explain(root, mode="forward", seeds={x: 1})
    assert table.rows == []
    assert table._start.endswith(" = 7, tangent 0")
    assert {v._grad for v in topological(root)} == {None}


def test_a_node_on_the_way_may_move_by_itself():
    x = Value(Fraction(3), "x")
    h = x * x
    rows = explain(h * x, mode="forward", seeds={x: 1, h: Fraction(1, 2)}).rows
    assert rows[1].total == 6 + Fraction(1, 2)
    assert rows[-1].total == 27 + Fraction(3, 2)


@given(labels)
def test_no_label_gets_out_of_the_html_table(label):
    x = Value(2.0, label)
    tree = ElementTree.fromstring(explain(x * x, mode="forward")._repr_html_())
    tags = {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert {e.tag for e in tree.iter()} <= tags
    assert typed(label) in "".join(tree.itertext())


def test_the_latex_table_keeps_subscripts_and_balances():
    text = explain(examples.sigmoid_circuit(), mode="forward").latex()
    assert r"n_3 = w_0 x_0 = -2 & w_0 & x_0 & -1 & 1 & -1 & -1" in text
    assert text.count("{") == text.count("}")
    assert r"\mathit{50\%\_\#}" in explain(Value(1.0, "50%_#") * 2, mode="forward").latex()


def test_the_csv_has_the_numbers_as_they_are():
    x = Value(Fraction(1, 3), "x")
    text = explain(x * x, mode="forward").csv()
    assert text.splitlines()[1] == "n1 = x * x = 1/9,x,1/3,1,1/3,1/3"


WRONG = [
    ({"mode": "sideways"}, ParameterError, "mode is 'forward' or 'reverse' .* got 'sideways'"),
    ({"mode": None}, ParameterError, "mode is 'forward' or 'reverse' .* got None"),
    ({"seeds": {}}, ParameterError, "give mode='forward', too"),
    ({"mode": "forward", "seeds": {}}, ParameterError, r"as in \{x: 1\}"),
    ({"mode": "forward", "seeds": 1}, ParameterError, r"as in \{x: 1\}, got 1"),
    ({"mode": "forward", "seeds": {"a": 1}}, ParameterError, r"as in \{x: 1\}"),
]


@pytest.mark.parametrize("show", [explain, steps])
@pytest.mark.parametrize(("keywords", "error", "message"), WRONG)
def test_a_wrong_mode_or_wrong_seeds_are_told(show, keywords, error, message):
    with pytest.raises(error, match=message):
        show(fork()[1], **keywords)


@pytest.mark.parametrize(
    "show",
    [
        lambda root, seeds: explain(root, mode="forward", seeds=seeds),
        lambda root, seeds: steps(root, mode="forward", seeds=seeds),
        lambda root, seeds: draw(root, seeds=seeds),
    ],
)
def test_seeds_are_real_numbers_of_nodes_of_the_graph(show):
    a, y = fork()
    with pytest.raises(ParameterError, match=r"q = 1.0 is not in the graph of y .* a = 3.0"):
        show(y, {Value(1.0, "q"): 1})
    for wrong in ("1", None, 1j, a, [1]):
        with pytest.raises(NumberError, match=r"the tangent of a = 3.0 is one real number"):
            show(y, {a: wrong})
    a.data = 4.0
    with pytest.raises(GraphError, match="run the forward pass again"):
        show(y, {a: 1})


def test_reverse_is_another_word_for_backward():
    _, y = fork()
    assert explain(y, mode="reverse").rows == explain(y).rows
    assert steps(y, mode="reverse").frames == steps(y).frames


def test_paths_have_no_direction():
    a, y = fork()
    with pytest.raises(ParameterError, match="paths are those of both modes"):
        explain(y, of=a, mode="forward")


# The film


def test_a_value_and_its_tangent_come_in_one_frame():
    f = examples.sigmoid_circuit()
    film = steps(f, mode="forward")
    assert film.title == "Forward mode of f: w₀ moves"
    assert [frame.phase for frame in film.frames] == ["start", "seed", *["forward"] * 8, "done"]
    assert film.frames[1].text == "The tangents to begin with: w₀ = 1.00; no other leaf moves"
    assert film.frames[2].lines == (
        "× computes 2.00 × (−1.00) = −2.00",
        "its tangent: ∂(w₀·x₀)/∂w₀ = x₀ = −1.00; local −1.00 × tangent 1.00 of w₀ = share −1.00",
    )
    assert film.frames[3].lines[1] == "its tangent is 0.00: no operand moves"
    assert film.frames[-1].text == (
        "The tangent of f is ∂f/∂w₀ = −0.20; each other leaf takes a pass of its own"
    )


def test_shares_that_add_up_at_a_gate_are_told_and_stand_at_its_wires():
    a, y = fork()
    film = steps(y, mode="forward", seeds={a: 1}, prefix="p-")
    assert film.frames[3].lines == (
        "+ computes 6.00 + 3.00 = 9.00",
        "its tangent: ∂(u + a)/∂u = 1; local 1.00 × tangent 2.00 of the output of × (6.00) = share "
        "2.00, the first of 2 shares",
        "its tangent: ∂(u + a)/∂a = 1; local 1.00 × tangent 1.00 of a = share 1.00; 2.00 + 1.00 = "
        "3.00 in all",
    )
    assert film.frames[3].ink == BLUE
    assert film.frames[-1].text.startswith("The tangent of y is ∂y/∂a = 18.00")
    svg = ElementTree.fromstring(film._film.picture(len(film.frames) - 1).pipe("svg"))
    edges = [g for g in svg.iter(f"{SVG}g") if "edge" in g.get("class")]
    assert sorted(x for g in edges for x in texts(g, BLUE)) == ["1.00", "2.00", "9.00", "9.00"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_the_last_frame_shows_the_derivative_and_each_frame_the_rows_of_explain(program):
    root = program.nodes(Value)[-1]
    order = topological(root)
    x = leaves_in(root)[-1]
    film = steps(root, mode="forward", seeds={x: 1}, prefix="p-")
    rows = explain(root, mode="forward", seeds={x: 1}).rows
    assert [row for frame in film.frames for row in frame.rows] == rows
    parts = [tuple(group) for _, group in groupby(rows, lambda row: row.child_node)]
    assert [frame.rows for frame in film.frames if frame.rows] == parts
    for row, line in zip(rows, [li for f in film.frames for li in f.lines if " × tangent" in li]):
        a, b, sign, end = PRODUCT.search(line).groups()
        assert all(map(is_rounded, (a, b, end), row[3:6]))
        assert gives(sign, number(a) * number(b), end)
        assert end == signed(row.share)
    last = film._film.picture(len(film.frames) - 1)
    wires = {
        g.get("id"): texts(g, BLUE)
        for g in ElementTree.fromstring(last.pipe("svg")).iter(f"{SVG}g")
    }
    assert wires[f"p-n{len(order) - 1}"] == [signed(gradients(root, x))]
    moved = {x} | {row.child_node for row in rows}
    for i, v in enumerate(order):
        arrivals = [k for k, p in enumerate(v.parents) if p in moved]
        shares = [signed(row.share) for row in rows if row.child_node is v]
        for k, share in zip(arrivals, shares, strict=True):
            place = f"p-e{order.index(v.parents[k])}_{i}_{k}"
            assert wires[place] == [share] * (len(shares) > 1)
    assert film.frames[-1].text.endswith(f" is {signed(gradients(root, x))}")


def test_a_film_that_writes_a_share_at_another_wire_is_caught(monkeypatch):
    """A test of the last one."""
    right = ForwardStory.paths
    monkeypatch.setattr(ForwardStory, "paths", lambda self, v: right(self, v)[::-1])
    assert_caught(
        test_the_last_frame_shows_the_derivative_and_each_frame_the_rows_of_explain, monkeypatch
    )


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_no_label_of_any_slide_has_another_size_than_in_the_last(program):
    film = steps(program.nodes(Value)[-1], mode="forward")
    sizes = [re.findall(r' width="\d+"', film.picture(k).source) for k in range(len(film.frames))]
    assert all(of_frame == sizes[-1] for of_frame in sizes)


def test_a_lone_leaf_and_a_node_without_a_name_have_a_film():
    x = Value(2.0)
    assert [f.phase for f in steps(x, mode="forward").frames] == ["start", "seed", "done"]
    film = steps(x * 3, mode="forward")
    assert film.title == "Forward mode: a leaf (2.00) moves"
    assert film.frames[-1].text == "The tangent of the result is 3.00"
    both = steps(x * Value(3.0), mode="forward", seeds={x: 1}).frames[-1].text
    assert both == "The tangent of the result is 3.00"


def test_the_page_and_the_animation_say_tangent_and_never_gradient():
    film = steps(examples.sigmoid_circuit(), mode="forward")
    page = film.page()
    words = page.replace(re.search("(?s)<style>.*</style>", page)[0], "") + film.animated_svg()
    assert "Every += of the forward pass, as a table" in words
    assert 'alt="Forward mode of f: w₀ moves: all values and tangents"' in words
    assert not re.search('gradient|upstream|backward(?!")', re.sub("(?s)<script>.*", "", words))
    assert film.table().count("<tr>") == 1 + len(film._film.board.rows)


# The picture


def test_a_picture_shows_both_directions_beside_each_other():
    f = examples.sigmoid_circuit()
    w = examples.named(f)["w_0"]
    f.backward()
    svg = ElementTree.fromstring(draw(f, seeds={w: 1}).pipe("svg"))
    blue = "1.00 0.00 0.00 0.00 0.00 -1.00 0.00 -1.00 -1.00 1.00 0.37 0.37 -0.20"
    assert sorted(texts(svg, BLUE)) == sorted(blue.replace("-", "−").split())
    assert texts(svg, "#c62828").count("−0.20") == 2
    said = ["".join(t.itertext()) for t in svg.iter(f"{SVG}text")]
    assert "green: values, blue: tangents, red: gradients; w₀ moves at 1.00" in [
        line.replace("\xa0", " ") for line in said
    ]


@given(programs())
def test_through_every_cut_flows_the_same_tangent_times_gradient(program):
    """Why both stand on one wire: the wires into the leaves and the one out of the root agree."""
    root = program.nodes(Value)[-1]
    seeds = {v: Fraction(i, 3) for i, v in enumerate(leaves_in(root))}
    tangent = mg.engine.calculus.tangents(root, seeds)
    assert tangent[root] * 1 == sum(tangent[v] * gradients(root, v) for v in seeds)


def test_tangents_need_every_gate_and_no_blanks():
    a, y = fork()
    for keywords in ({"level": "blocks"}, {"blank_values": [a]}):
        with pytest.raises(ParameterError, match="need every gate with its numbers"):
            draw(y, seeds={a: 1}, **keywords)
    assert draw(y, seeds={a: 1}, max_gates=0).source.count("class=gate") == 3  # folds nothing
