"""Pictures: what stands in them, that they are well formed, and that nothing moves."""

import base64
import os
import re
import sys
from fractions import Fraction
from importlib.util import find_spec
from math import inf, nan
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shared.processes import printed
from shared.strategies import labels

from microgrid import Value
from microgrid.engine.functions import FUNCTIONS
from microgrid.engine.labels import LabelError
from microgrid.engine.ops import TABLE
from microgrid.engine.value import Op, apply, topological
from microgrid.views import picture as module
from microgrid.views.drawing import draw
from microgrid.views.files import LayoutError
from microgrid.views.labels import parts_of, split
from microgrid.views.notation import caption
from microgrid.views.picture import LAYOUTS, Picture, lay_out
from microgrid.views.wording import ABOVE, decimals, signed

SVG = "{http://www.w3.org/2000/svg}"

RED, GREEN = "#c62828", "#0a7d20"
OURS = {"svg", "g", "title", "text", "polygon", "polyline", "path", "ellipse"}


def svg(picture: Picture) -> ElementTree.Element:
    return ElementTree.fromstring(picture.pipe("svg"))


def texts(root: ElementTree.Element, color: str | None = None) -> list[str]:
    found = [t for t in root.iter(f"{SVG}text") if color is None or t.get("fill") == color]
    return ["".join(t.itertext()).replace("\xa0", " ") for t in found]


def inside(root: ElementTree.Element, id: str) -> ElementTree.Element:
    return next(g for g in root.iter(f"{SVG}g") if g.get("id") == id)


def fork() -> Value:
    a, b = Value(3.0, "a"), Value(2.0, "b")
    y = (b * a + a) * a
    y.label = "y"
    return y


def sigmoid_circuit() -> Value:
    w0, x0, w1, x1, w2 = map(
        Value, (2.0, -1.0, -3.0, -2.0, -3.0), ("w_0", "x_0", "w_1", "x_1", "w_2")
    )
    f = 1 / (((w0 * x0 + w1 * x1 + w2) * -1).exp() + 1)
    f.label = "f"
    return f


def squared() -> Value:
    x = Value(3.0, "x")
    return x * x


def test_the_sigmoid_circuit_shows_the_numbers_and_gates_of_the_lecture():
    f = sigmoid_circuit()
    f.backward()
    root = svg(draw(f))
    green = "2.00 -1.00 -3.00 -2.00 -3.00 -2.00 6.00 4.00 1.00 -1.00 0.37 1.37 0.73"
    red = "-0.20 0.39 -0.39 -0.59 0.20 0.20 0.20 0.20 0.20 -0.20 -0.53 -0.53 1.00"
    assert sorted(texts(root, GREEN)) == sorted(signed(green).split())
    assert sorted(texts(root, RED)) == sorted(signed(red).split())
    assert {"×", "+", "×−1", "exp", "+1", "1/x", "f"} <= set(texts(root))


# Labels


@pytest.mark.parametrize(
    ("label", "parts"),
    [
        ("x", ("x", "")), ("w_0", ("w", "0")), ("x_12", ("x", "12")), ("x_{12}", ("x", "12")),
        ("x_{i,j}", ("x", "i,j")), ("w_i", ("w", "i")), ("learning_rate", ("learning_rate", "")),
        ("_0", ("_0", "")), ("x_", ("x_", "")), ("x_{}", ("x_{}", "")), ("α_1", ("α", "1")),
        ("layer_1_2", ("layer_1", "2")), ("", ("", "")), ("x₁₂", ("x₁₂", "")),
    ],
)  # fmt: skip
def test_a_subscript_is_digits_a_letter_or_braces_and_all_else_is_verbatim(label, parts):
    assert split(label) == parts


@settings(max_examples=60)
@given(labels, labels)
@example("&amp;", "&lt;b&gt;")
@example("\\N", "\\\\G")
@example("<br/>", "</i><a href='x'>y</a><script>alert(1)</script>")
@example("  two  spaces ", " ")
@example("]]>", "--><!--")
@example('"', "'")
@example("אבג\u202e", "👩\u200d🔬é")
@example("x" * 300, "\u2028\u2029\xad")
def test_any_label_gives_well_formed_svg_whose_text_is_that_label(outer, middle):
    x = Value(1.0, outer)
    h = x.exp()
    h.label = middle
    y = h + h
    y.label = outer
    root = svg(draw(y))
    for id, label in (("g0", outer), ("n1", middle), ("out", outer)):
        shown = texts(inside(root, id))
        shown = shown[: -2 if id == "n1" else None]  # " = " and the number
        words = ""
        for part in parts_of(label):
            high = "".join([ABOVE.get(c, "") for c in part.above])
            words += part.text + part.below + (high if len(high) == len(part.above) else part.above)
        assert "".join(shown) == words.replace("\xa0", " ")
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= OURS
    assert not [a for e in root.iter() for a in e.attrib if "href" in a or a.startswith("on")]


def test_the_name_of_a_users_operation_is_text_too():
    op = Op("<b>&amp;\\N\x07{", lambda x: x, lambda y, x: 1)
    assert "<b>&amp;\\N\ufffd{" in texts(svg(draw(apply(op, Value(1.0)))))


def test_an_inner_node_shows_its_name_before_its_value():
    h = Value(2.0) * Value(3.0)
    h.label = "z_1"
    assert texts(inside(svg(draw(h.exp())), "n2")) == ["z", "1", " = ", "6.00"]


def test_a_prefix_begins_every_id_and_must_be_a_word():
    ids = [g.get("id") for g in svg(draw(fork(), prefix="left-")).iter(f"{SVG}g")]
    assert len(ids) == len(set(ids)) > 10
    assert all(i.startswith("left-") for i in ids)
    with pytest.raises(LabelError, match="letters"):
        draw(fork(), prefix='"]')


# Numbers


@pytest.mark.parametrize(
    ("x", "shown"),
    [
        (2, "2.00"), (0.7311, "0.73"), (-0.2, "-0.20"), (0.0, "0.00"), (-0.0, "0.00"), (0, "0.00"),
        (1.2e-5, "1.2e-05"), (-0.004, "-0.0040"), (0.006, "0.01"), (99999.0, "99999.00"),
        (1e5, "1.0e+05"), (-2.5e9, "-2.5e+09"), (5e-324, "4.9e-324"), (inf, "inf"), (-inf, "-inf"),
        (nan, "nan"), (10**400, "1.0e+400"), (-(10**900), "-1.0e+900"), (Fraction(-2, 3), "-2/3"),
        (Fraction(3), "3"), (Fraction(0), "0"), (Fraction(10**9 + 1, 10**9), "1.00"),
        (Fraction(1, 10**400), "1.0e-400"), (Fraction(10**400, 3), "3.3e+399"),
    ],
)  # fmt: skip
def test_numbers_are_rounded_for_the_eye_but_never_to_nothing(x, shown):
    assert decimals(x) == shown


@given(st.floats() | st.integers() | st.fractions(), st.integers(0, 6))
def test_only_zero_is_shown_as_zero_and_the_sign_is_kept(x, digits):
    shown = decimals(x, digits)
    if x == x and abs(x) != inf:
        assert (Fraction(shown) == 0) == (x == 0)
    assert shown.startswith("-") == (x < 0)


def test_so_many_decimals_are_shown():
    assert "0.3333" in texts(svg(draw(Value(1 / 3), decimals=4)))


# Gates

x, y = Value(0.5, "x"), Value(0.25, "y")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (x + y, "+"), (x - y, "−"), (x * y, "×"), (x / y, "/"), (x**y, "^"), (x * x, "×"),
        (x + 1, "+1"), (1 + x, "1+"), (x - 0.5, "−0.5"), (1 - x, "1−x"), (x * -1, "×−1"),
        (x - -0.5, "−(−0.5)"), (x + -1, "+(−1)"), (-1 - x, "−1−x"),
        (x - Fraction(-1, 2), "−(−1/2)"),
        (2 * x, "2×"), (x / 2, "/2"), (1 / x, "1/x"), (x**2, "x²"), (x**-1, "x⁻¹"), (x**12, "x¹²"),
        (x**0.5, "x^0.5"), (2**x, "2^x"), (-x, "−x"), (abs(x), "|x|"), (x.exp(), "exp"),
        (x.square(), "x²"), (x.reciprocal(), "1/x"), (x * Fraction(1, 3), "×1/3"),
        (x.leaky_relu(), "leaky_relu(x, 0.01)"), (x.clip(0, 1), "clip(x, 0, 1)"),
        (FUNCTIONS["where"](True, x, y), "where(1, ·, ·)"), (x * 1e-6, "×1e−06"),
        (FUNCTIONS["total"]([x, y, 1]), "sum(·, ·, 1)"), (Value(1) + 10**400, "+1.0e+400"), (x, ""),
    ],
)  # fmt: skip
def test_plain_numbers_are_folded_into_the_caption_of_the_gate(value, shown):
    assert caption(value) == shown
    root = svg(draw(value))
    wires = [g for g in root.iter(f"{SVG}g") if "wire" in g.get("class", "")]
    assert len(wires) == 1 + sum(type(p) is Value for p in set(value.parents))
    assert not shown or shown in texts(root)


def test_every_operation_of_the_table_has_a_caption():
    for op in TABLE.values():
        operands = op.arity or 1
        v = Value(0.5) + 0
        v.op, v._a, v._b = op, tuple(Value(0.5) for _ in range(operands)), None
        assert caption(v)
        assert "{" not in caption(v)


def test_a_long_caption_fits_into_its_box():
    box = inside(svg(draw(x.leaky_relu())), "g2")
    corners = next(p for p in box if p.tag == f"{SVG}path").get("d")
    xs = [float(point.split(",")[0]) for point in re.findall(r"[-\d.]+,[-\d.]+", corners)]
    assert max(xs) - min(xs) > 6 * len("leaky_relu(x, 0.01)")


# Before and after the backward pass


def test_before_a_backward_pass_there_is_nothing_red():
    for root in (fork(), sigmoid_circuit(), squared()):
        assert texts(svg(draw(root)), RED) == []


def test_a_gradient_of_zero_that_was_computed_is_shown():
    m = FUNCTIONS["maximum"](Value(1.0), Value(2.0))
    m.backward()
    assert sorted(texts(svg(draw(m)), RED)) == ["0.00", "1.00", "1.00"]


@pytest.mark.parametrize("make", [fork, sigmoid_circuit, squared, lambda: 1e4 * fork() ** 3])
def test_nothing_moves_when_the_gradients_appear(make):
    root = make()
    pictures = [svg(draw(root))]
    root.backward()
    pictures.append(svg(draw(root)))
    before, after = (
        [(e.tag, e.attrib) for e in p.iter() if e.tag != f"{SVG}text"] for p in pictures
    )
    assert before == after
    assert len(texts(pictures[0])) < len(texts(pictures[1]))


def test_at_a_fork_each_branch_carries_its_share():
    root = fork()
    root.backward()
    picture = svg(draw(root))
    edges = {"e0_2_0": [], "e1_2_1": ["6.00"], "e1_3_1": ["3.00"], "e1_4_1": ["9.00"]}
    assert {i: texts(inside(picture, i), RED) for i in edges} == edges
    assert texts(inside(picture, "n1")) == ["3.00", "18.00"]


def test_a_large_picture_has_no_shares():
    a = Value(0.5)
    y = a
    for _ in range(13):
        y = y * a
    y.backward()
    assert len(texts(svg(draw(y)), RED)) == 14


def test_x_times_x_has_two_wires():
    root = squared()
    root.backward()
    picture = svg(draw(root))
    assert [texts(inside(picture, f"e0_1_{k}"), RED) for k in (0, 1)] == [["3.00"], ["3.00"]]


def test_the_first_operand_comes_in_above_the_second():
    a, b, c, d = (Value(float(i), name) for i, name in enumerate("abcd"))
    picture = svg(draw((a - b) / (c - d) - Value(1.0)))
    names = [next(inside(picture, f"g{i}").iter(f"{SVG}text")) for i in (0, 1, 3, 4)]
    assert ["".join(name.itertext()) for name in names] == ["a", "b", "c", "d"]
    heights = [float(name.attrib["y"]) for name in names]
    assert heights == sorted(heights)


@pytest.mark.parametrize(
    "op", [op for op in TABLE.values() if op.arity == 2], ids=lambda op: op.name
)
def test_where_two_operands_are_not_alike_the_wire_of_the_first_is_marked(op):
    a, b = Value(0.25, "a"), Value(0.5, "b")
    y = apply(op, a, b)
    marks = [op.forward(0.25, 0.5) != op.forward(0.5, 0.25), False]
    drawn = svg(draw(y))
    edges = [inside(drawn, f"e{topological(y).index(p)}_2_{k}") for k, p in enumerate((a, b))]
    titles = [edge.find(f"{SVG}title") for edge in edges]
    assert [t is not None and t.text == "first operand" for t in titles] == marks
    assert [texts(edge) == ["1"] for edge in edges] == marks
    assert ("1: the first operand" in texts(drawn)) == marks[0]
    assert "1" not in texts(svg(draw(a - 1)))  # its caption says it


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=6))
@example([(0, 1), (2, 1), (0, 1), (4, 1), (3, 5)])
def test_where_wires_fork_the_first_operand_arrives_above_the_second(steps):
    nodes = [Value(1.0, "x"), Value(2.0, "y")]
    for i, j in steps:
        nodes.append(nodes[i % len(nodes)] - nodes[j % len(nodes)])
    picture = draw(nodes[-1])
    order = topological(nodes[-1])
    uses = [p for v in order for p in v.parents]
    drawn = svg(picture)
    for i, v in enumerate(order):
        if any(uses.count(p) > 1 for p in v.parents):
            tips = []
            for k, p in enumerate(v.parents):
                edge = inside(drawn, f"e{order.index(p)}_{i}_{k}")
                tips.append(next(edge.iter(f"{SVG}polygon")).get("points").split()[1])
            first, second = (float(tip.split(",")[1]) for tip in tips)
            assert first < second


@pytest.mark.parametrize("make", [lambda: Value(-1234.5), squared, lambda: squared() - 1])
def test_an_arrow_without_a_name_ends_clear_of_the_number(make):
    root = make()
    drawn = svg(draw(root))
    arrow = next(inside(drawn, "e_out").iter(f"{SVG}polygon")).get("points")
    line = list(inside(drawn, f"n{len(topological(root)) - 1}").iter(f"{SVG}polygon"))[-1]
    right = max(float(point.split(",")[0]) for point in line.get("points").split())
    assert min(float(point.split(",")[0]) for point in arrow.split()) > right + 3


def test_drawing_changes_no_node_and_needs_no_backward_pass():
    root = fork()
    draw(root).pipe("svg")
    assert root._grad is None
    assert root.parents[0]._grad is None


def test_a_graph_whose_data_was_set_is_drawn_all_the_same():
    root = fork()
    root.backward()
    root.parents[1].data = 7.0
    assert "7.00" in texts(svg(draw(root)))


def test_a_deep_graph_has_a_source():
    y = Value(1.0)
    for _ in range(20_000):
        y = y + 1
    assert draw(y, level="gates").source.count("class=gate") == 20_000


def test_the_text_is_the_same_in_every_process():
    program = (
        "from microgrid import Value, draw\n"
        "a, b = Value(3.0, 'a'), Value(2.0, 'b'); y = (b*a + a)*a + 2*b; y.backward()\n"
        "print(draw(y).source)"
    )
    assert "18.00" in printed(program)


# Engines and files


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_program_that_is_here_gives_svg_and_png(layout, capfd):
    try:
        image = draw(fork(), layout=layout).pipe("png")
    except LayoutError:
        assert not (find_spec("pygraphviz") if layout == "pygraphviz" else False)
        pytest.skip(f"{layout} is not installed")
    assert image.startswith(b"\x89PNG")
    assert {"a", "b", "y", "3.00"} <= set(texts(svg(draw(fork(), layout=layout))))
    assert capfd.readouterr().err == "" or layout == "pygraphviz"


def test_without_a_layout_program_the_error_says_what_to_install_and_the_text_is_there(monkeypatch):
    monkeypatch.setattr(module, "LAYOUTS", ("no-such-dot", "no_such_package"))
    picture = draw(fork())
    with pytest.raises(LayoutError, match='pip install "graphviz-pure>=') as e:
        picture.pipe("svg")
    assert isinstance(e.value, RuntimeError)
    assert "digraph" in picture.source


def test_layout_programs_are_looked_for_on_the_path_then_beside_python_then_as_a_package(
    monkeypatch, tmp_path
):
    asked = []
    monkeypatch.setattr(module.shutil, "which", lambda name, path: asked.append((name, path)))
    monkeypatch.setattr(module, "find_spec", lambda name: asked.append((name, "")))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LayoutError):
        lay_out("digraph {}", "svg")
    assert [name for name, _ in asked] == ["dot", "graphviz-pure", "pygraphviz", "pygraphviz"]
    places = asked[0][1].split(os.pathsep)
    assert places[0] == str(tmp_path)
    assert os.path.dirname(sys.executable) in places


def test_a_layout_program_that_fails_is_an_error_with_its_words():
    with pytest.raises(LayoutError, match="foo"):
        draw(fork()).pipe("foo")


def test_a_layout_may_be_a_function_from_dot_to_svg():
    asked = []

    def layout(dot: str) -> str:
        asked.append(dot)
        return lay_out(dot, "svg", dpi=72).decode()

    picture = draw(fork(), layout=layout)
    assert asked == []
    assert picture.pipe("svg") == draw(fork()).pipe("svg")
    assert asked == [picture.source]
    with pytest.raises(LayoutError, match="a layout function writes no png"):
        picture.pipe("png")


def test_a_layout_program_that_takes_too_long_is_ended(tmp_path):
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    with pytest.raises(LayoutError, match=r"slow took more than 0\.05 s"):
        lay_out("digraph {}", "svg", str(slow), timeout=0.05)


def test_a_notebook_gets_an_image_that_fits_its_cell_and_svg_and_png():
    bundle = draw(fork())._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/svg+xml", "image/png"}
    assert ElementTree.fromstring(bundle["image/svg+xml"].encode()).tag == f"{SVG}svg"
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert 'style="max-width:100%;height:auto"' in bundle["text/html"]
    assert 'alt="the graph of y: 3 gates"' in bundle["text/html"]
    image = base64.b64decode(re.search('base64,([^"]+)', bundle["text/html"])[1])
    assert texts(ElementTree.fromstring(image)) == texts(svg(draw(fork())))
    assert set(draw(fork())._repr_mimebundle_(include={"image/svg+xml"})) == {"image/svg+xml"}


def test_only_a_picture_without_tints_has_a_dark_side():
    for options, dark in (({}, True), ({"color_by": "share"}, False)):
        html = draw(fork(), **options)._repr_mimebundle_()["text/html"]
        image = base64.b64decode(re.search('base64,([^"]+)', html)[1]).decode()
        assert ("light-dark" in image) == dark


def test_files_are_written(tmp_path):
    picture = draw(fork())
    picture.save_svg(tmp_path / "f.svg")
    picture.save_png(str(tmp_path / "f.png"))
    assert (tmp_path / "f.svg").read_bytes() == picture.pipe("svg")
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")
    assert picture.render(outfile=tmp_path / "g.png", cleanup=True) == str(tmp_path / "g.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.png", "f.svg", "g.png"]


KINDS = {
    ".svg": b"<?xml",
    ".png": b"\x89PNG",
    ".dot": b"digraph",
    ".gv": b"digraph",
    ".SVG": b"<?xml",
}


@pytest.mark.parametrize("suffix", KINDS)
def test_a_picture_is_saved_as_its_name_says(suffix, tmp_path):
    path = draw(Value(2.0, "x") * 3).save(tmp_path / f"f{suffix}")
    assert path == tmp_path / f"f{suffix}"
    assert path.read_bytes().lstrip().startswith(KINDS[suffix])


def test_a_picture_is_no_other_kind_of_file(tmp_path):
    picture = draw(Value(2.0, "x") * 3)
    for save in (
        lambda: picture.save(tmp_path / "f.jpg"),
        lambda: picture.save(tmp_path / "f.html"),
        lambda: picture.save_svg(tmp_path / "f.png"),
        lambda: picture.save_png(tmp_path / "f.svg"),
        lambda: picture.render(tmp_path / "f.svg"),
    ):
        with pytest.raises(LayoutError, match=r"f\.\w+"):
            save()
    assert not list(tmp_path.iterdir())
