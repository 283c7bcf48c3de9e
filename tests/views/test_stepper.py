"""The step-through: what each frame says and shows, and how the page behaves in a real browser."""

import base64
import json
import re
from collections import Counter
from fractions import Fraction
from html.parser import HTMLParser
from io import BytesIO
from itertools import groupby
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, example, given, settings
from PIL import Image
from shared.processes import printed
from shared.strategies import labels, programs
from shared.written import gives, is_rounded, number

from microgrid import Value, custom_op, examples, scope
from microgrid.engine.functions import FUNCTIONS
from microgrid.engine.labels import LabelError
from microgrid.engine.value import topological
from microgrid.views.drawing import draw
from microgrid.views.explanation import explain
from microgrid.views.files import LayoutError
from microgrid.views.stepper import escape, part, steps
from microgrid.views.storyboard import BackwardStory
from microgrid.views.theme import PALETTE
from microgrid.views.wording import decimals, signed

SVG = "{http://www.w3.org/2000/svg}"
TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
OURS = TABLE | {"html", "head", "meta", "title", "style", "body", "div", "figure", "img", "script"}
OURS |= {"details", "summary", "main", "h1"}
DRAWN = {"svg", "g", "text", "polygon", "path", "ellipse", "style"}
PRODUCT = re.compile(r"; local (\S+) × upstream (\S+) ([=≈]) share (\S+) to ")
SUM = re.compile(r"; (\S+) \+ (\S+) ([=≈]) (\S+) (?:so far|in all)$")


def fork() -> Value:
    a, b = Value(3.0, "a"), Value(2.0, "b")
    y = (b * a + a) * a
    y.label = "y"
    return y


def shown(x) -> str:
    return signed(decimals(x))


def page(root, tmp_path, **options) -> str:
    steps(root, **options).save(tmp_path / "page.html")
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def picture_of(html: str) -> ElementTree.Element:
    return ElementTree.fromstring(base64.b64decode(re.search('base64,([^"]+)', html)[1]))


def data_of(html: str) -> dict:
    return json.loads(re.search(r"^const data = (.*);$", html, re.MULTILINE)[1])


class Tags(HTMLParser):
    """Every tag and attribute of a page, and whether each tag is closed in turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen, self.attributes, self.open, self.script = [], [], [], ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.attributes += attributes
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


# Frames


def test_the_sigmoid_circuit_goes_forward_gate_by_gate_and_back_again():
    frames = steps(examples.sigmoid_circuit()).frames
    phases = ["start", *["forward"] * 8, "seed", *["backward"] * 8, "done"]
    assert [f.phase for f in frames] == phases
    assert frames[1].text == "× computes 2.00 × (−1.00) = −2.00"
    assert frames[8].text == "1/x computes f = 1 / 1.37 = 0.73"
    assert frames[14].lines == (
        "+ is a distributor: ∂(a + w₂)/∂a = 1; local 1.00 × upstream 0.20 = share 0.20 to the "
        "output of + (4.00)",
        "+ is a distributor: ∂(a + w₂)/∂w₂ = 1; local 1.00 × upstream 0.20 = share 0.20 to w₂",
    )
    assert frames[10].text == (
        "1/x: (1/x)′ = −1/x² = −1/1.37² = −0.53; local −0.53 × upstream 1.00 = share −0.53 to the "
        "output of +1 (1.37)"
    )
    assert frames[16].lines[0] == (
        "× is a switcher: ∂(w₁·x₁)/∂w₁ = x₁ = −2.00; local −2.00 × upstream 0.197 = share −0.39 "
        "to w₁"
    )
    assert frames[-1].text == (
        "Every gradient is there: ∂f/∂w₀ = −0.20, ∂f/∂x₀ = 0.39, ∂f/∂w₁ = −0.39, "
        "∂f/∂x₁ = −0.59, ∂f/∂w₂ = 0.20"
    )


def test_at_a_fork_the_sum_so_far_is_told():
    told = [line for f in steps(fork()).frames for line in f.lines if " to a" in line]
    assert [line.split(" to a")[1] for line in told] == [
        ", the first of 3 shares", "; 9.00 + 3.00 = 12.00 so far", "; 12.00 + 6.00 = 18.00 in all",
    ]  # fmt: skip


@settings(max_examples=30)
@given(programs())
def test_the_numbers_of_the_frames_are_those_of_explain(program):
    root = program.nodes(Value)[-1]
    rows, result = explain(root).rows, steps(root)
    back = [f for f in result.frames if f.phase == "backward"]
    assert [row for f in back for row in f.rows] == rows
    assert [list(f.rows) for f in back] == [
        list(group) for _, group in groupby(rows, lambda row: row.child_node)
    ]
    received = Counter()
    for frame in back:
        for line, row in zip(frame.lines, frame.rows, strict=True):
            a, b, sign, end = PRODUCT.search(line).groups()
            assert all(map(is_rounded, (a, b, end), row[3:6]))
            assert gives(sign, number(a) * number(b), end)
            assert end == shown(row.share)
            if received[row.parent_node]:
                a, b, sign, end = SUM.search(line).groups()
                before = Fraction(row.total) - Fraction(row.share)
                assert all(map(is_rounded, (a, b, end), (before, row.share, row.total)))
                assert gives(sign, number(a) + number(b), end)
                assert end == shown(row.total)
            received[row.parent_node] += 1


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_the_picture_of_a_frame_shows_the_totals_so_far(program):
    root = program.nodes(Value)[-1]
    result, order = steps(root, prefix="p-"), topological(root)
    ids = {id: e for e in result._canvas.iter() if (id := e.get("id"))}
    totals = {root: type(root.data)(1)}
    for k, frame in enumerate(result.frames):
        totals |= {row.parent_node: row.total for row in frame.rows}
        if frame.phase == "backward":
            red = {
                id.split("_")[0]: ids[id].text for id, span in result._film.placed()
                if span.first <= k < span.end and span.color == "#c62828" and "p-n" in id
            }  # fmt: skip
            assert red == {f"p-n{order.index(v)}": shown(x) for v, x in totals.items()}
            assert frame.marks[0] == f"g{order.index(frame.rows[0].child_node)}"


def test_nothing_is_changed_and_no_backward_pass_is_needed(tmp_path):
    root = fork()
    root.parents[1].grad = 7.0
    before = [(v._number, v._grad, v._label, v._version) for v in topological(root)]
    result = steps(root)
    result.save(tmp_path / "f.html")
    result.animated_svg()
    assert before == [(v._number, v._grad, v._label, v._version) for v in topological(root)]
    assert result.frames[-1].text.endswith("∂y/∂a = 18.00")


def test_a_lone_leaf_and_an_exact_fraction_have_frames():
    assert [f.phase for f in steps(Value(2.0, "x")).frames] == ["start", "seed", "done"]
    x = Value(Fraction(1, 3), "x")
    assert steps(x * x).frames[-1].text == "Every gradient is there: x = 2/3"


def test_what_no_path_reaches_ends_with_a_gradient_of_zero():
    a, b = Value(1.0, "a"), Value(2.0, "b")
    result = steps(FUNCTIONS["where"](True, a, b))
    assert result.frames[-1].text == "Every gradient is there: a = 1.00, b = 0.00"
    assert [s.first for s in result._film.lifetimes if s.shown == "0.00"] == [
        len(result.frames) - 1
    ] * 2


def test_a_sum_of_two_hundred_terms_and_a_deep_chain_have_frames():
    assert len(steps(FUNCTIONS["total"]([Value(float(i)) for i in range(200)])).frames) == 5
    y = Value(1.0, "x")
    for _ in range(3000):
        y = -y
    assert len(steps(y).frames) == 6003


# The page


def test_the_page_of_the_sigmoid_circuit_is_small(tmp_path):
    assert len(page(examples.sigmoid_circuit(), tmp_path).encode()) < 100_000


def test_the_page_is_the_same_in_every_process(tmp_path):
    program = (
        "from microgrid import examples, steps; import sys\n"
        "s = steps(examples.parallel_branches())\n"
        "sys.stdout.write(s._repr_html_() + s.animated_svg())"
    )
    assert "relu" in printed(program)


@settings(max_examples=25)
@given(labels, labels)
@example("</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>")
@example("-->", "<!--")
@example("@@data@@", "xmlns:ns0=")
@example('"', "' id=n1 ]")
@example("\u2028\\u003c", "${x}`")
@example("</style>", "]]>&amp;")
def test_any_label_is_text_and_nothing_else(tmp_path_factory, outer, middle):
    x = Value(1.0, outer)
    h = x.exp()
    h.label = middle
    html = page(h * x, tmp_path_factory.mktemp("page"))
    tags = Tags(html)
    assert set(tags.seen) <= OURS
    assert tags.seen.count("script") == tags.seen.count("img") == 1
    assert not [a for a, _ in tags.attributes if a.startswith("on") or a == "href"]
    picture = picture_of(html)
    assert {e.tag.removeprefix(SVG) for e in picture.iter()} <= DRAWN
    assert any(
        outer in line or len(outer) < 30 for f in data_of(html)["frames"] for line in f["lines"]
    )
    assert "<" not in re.search("^const data = (.*);$", html, re.MULTILINE)[1]
    moving = ElementTree.fromstring(steps(h * x).animated_svg())
    assert {e.tag.removeprefix(SVG) for e in moving.iter()} <= DRAWN | {"rect"}
    steps(h * x).picture(2).pipe("svg")


def test_the_name_of_a_users_operation_is_text_too(tmp_path):
    odd = custom_op("<b>\x07{", lambda x: x, lambda y, x: 1)
    html = page(odd(Value(1.0, "x")), tmp_path)
    assert "b" not in Tags(html).seen
    assert "<b>\ufffd{" in data_of(html)["frames"][1]["lines"][0]


def test_without_scripts_there_are_the_final_picture_and_the_table(tmp_path):
    root = examples.sigmoid_circuit()
    html = page(root, tmp_path)
    visible = [
        t.text for t in picture_of(html).iter(f"{SVG}text")
        if t.get("visibility") != "hidden" and t.get("fill") == "#c62828"
    ]  # fmt: skip
    red = "-0.20 0.39 -0.39 -0.59 0.20 0.20 0.20 0.20 0.20 -0.20 -0.53 -0.53 1.00"
    assert sorted(visible) == sorted(signed(red).split())
    for cells in BackwardStory(root, 2).cells():
        assert "".join([f"<td>{escape(cell)}</td>" for cell in cells]) in html


def test_at_a_fork_only_the_total_is_visible_in_the_final_picture(tmp_path):
    picture = picture_of(page(fork(), tmp_path, prefix="p-"))
    wire = next(g for g in picture.iter(f"{SVG}g") if g.get("id") == "p-n1")
    red = [t for t in wire if t.get("fill") == "#c62828"]
    assert [t.text for t in red if not t.get("visibility")] == ["18.00"]
    assert [t.text for t in red if t.get("visibility")] == ["9.00", "12.00"]


def test_every_id_begins_with_the_prefix_and_must_be_a_word(tmp_path):
    picture = picture_of(page(fork(), tmp_path, prefix="left-"))
    ids = [e.get("id") for e in picture.iter() if e.get("id")]
    assert len(ids) == len(set(ids)) > 20
    assert all(id.startswith("left-") for id in ids)
    assert steps(fork()).prefix == steps(fork()).prefix != steps(Value(1.0)).prefix
    with pytest.raises(LabelError, match="letters"):
        steps(fork(), prefix='"]')


def test_colours_have_a_contrast_of_at_least_4_5():
    def light(color: str) -> float:
        color = "".join(c * 2 for c in color[1:]) if len(color) == 4 else color[1:]
        parts = [int(color[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True)) + 0.05

    def contrast(a: str, b: str) -> float:
        return max(light(a), light(b)) / min(light(a), light(b))

    words = ("fg", "soft", "ink", "value", "gradient", "tangent", "note", "focus")
    for scheme in (0, 1):
        colors = {name: pair[scheme] for name, pair in PALETTE.items()}
        for ground in ("bg", "gate", "box", "folded"):
            for name in words if ground == "bg" else ("fg",):
                assert contrast(colors[name], colors[ground]) >= 4.5
        assert contrast(colors["line"], colors["bg"]) >= 3  # borders of controls
        assert contrast(colors["on-lit"], colors["lit"]) >= 4.5


def test_a_notebook_gets_html_and_a_line_of_text():
    bundle = steps(fork())._repr_mimebundle_()
    assert bundle["text/html"] == steps(fork())._repr_html_()
    assert bundle["text/plain"] == "<Steps: 9 frames; a notebook shows them, else save(path)>"


# Slides and the animation


def test_slides_are_one_svg_and_one_png_of_one_size_for_each_frame(tmp_path):
    result = steps(fork())
    paths = result.save_frames(tmp_path / "new", dpi=72)
    assert sorted(p.name for p in paths) == [
        f"frame-{k:02}.{kind}" for k in range(1, 10) for kind in ("png", "svg")
    ]
    sizes, places = set(), set()
    for path in paths:
        data = path.read_bytes()
        if path.suffix == ".png":
            sizes.add(data[16:24])
            continue
        root = ElementTree.fromstring(data)
        places.add(tuple(e.get("cx") for e in root.iter(f"{SVG}ellipse")))
        words = " ".join("".join(t.itertext()) for t in root.iter(f"{SVG}text")).replace(
            "\xa0", " "
        )
        assert all(line in words for line in result.frames[int(path.stem[-2:]) - 1].lines)
    assert len(sizes) == len(places) == 1


@settings(max_examples=20)
@given(programs())
def test_no_label_of_any_slide_has_another_size_than_in_the_last(program):
    result = steps(program.nodes(Value)[-1])
    sizes = [
        re.findall(r' width="\d+"', result.picture(k).source) for k in range(len(result.frames))
    ]
    assert all(of_frame == sizes[-1] for of_frame in sizes)


def test_in_a_film_that_folds_no_label_changes_its_size_while_one_block_is_open():
    film, sizes = steps(network())._film, {}
    for k in range(len(film.frames)):
        view = film.view(k)
        widths = re.findall(r' width="\d+"', film.picture(k, view).source)
        assert sizes.setdefault(view, widths) == widths
    assert {*sizes} == {1, 2, 3, 4}


def test_slides_show_the_graph_as_it_was():
    root = fork()
    result = steps(root)
    before = result.picture(4).source
    root.label, root.parents[1].data = "other", 100.0
    assert result.picture(4).source == before


def test_a_slide_marks_its_gate_and_shows_only_what_is_known():
    result = steps(fork())
    svg = ElementTree.fromstring(result.picture(6).pipe("svg"))  # the + sends back
    lit = [e for e in svg.iter(f"{SVG}ellipse") if e.get("stroke-width") == "3"]
    assert [e.get("fill") for e in lit] == ["#ffe08a"]
    red = [t for t in svg.iter(f"{SVG}text") if t.get("fill") == "#c62828"]
    assert sorted(t.text for t in red) == ["1.00", "12.00", "3.00", "3.00", "3.00", "9.00"]
    assert sorted(t.text for t in red if t.get("font-weight") == "bold") == [
        "12.00",
        "3.00",
        "3.00",
    ]


def test_the_animation_has_no_script_and_every_selector_finds_its_element():
    result = steps(fork())
    text = result.animated_svg()
    svg = ElementTree.fromstring(text)
    ids = {e.get("id") for e in svg.iter()}
    style = next(svg.iter(f"{SVG}style")).text
    assert "script" not in text
    assert "prefers-reduced-motion" in style
    assert set(re.findall(r"animation:(\S+) ", style)) == set(
        re.findall(r"@keyframes (\S+?)\{", style)
    )
    assert set(re.findall(r"#(s[\w-]+)", style)) <= ids
    assert {id for id, _ in result._film.placed()} <= set(re.findall(r"#(s[\w-]+)", style))
    words = ["".join(t.itertext()) for t in svg.iter(f"{SVG}text")]
    assert all(line in words for f in result.frames for line in f.lines)


# In a real browser


def step_of(tab, which: int = 0) -> int:
    return int(tab.locator(".microgrid-steps").nth(which).get_attribute("data-step"))


def words_on(tab) -> list[str]:
    return tab.locator(".now .words p").all_text_contents()


def test_every_button_goes_where_it_says(visit, tmp_path):
    tab = visit(page(fork(), tmp_path))
    at = []
    for name in ("Next", "Next", "Previous", "Last", "Next", "First", "Previous"):
        tab.get_by_role("button", name=f"{name} step").click()
        at.append(step_of(tab))
    assert at == [1, 2, 1, 8, 8, 0, 0]


def test_every_key_goes_where_it_says_at_once_on_a_page_of_its_own(visit, tmp_path):
    tab = visit(page(fork(), tmp_path))
    keys = {
        "ArrowRight": 1, "PageDown": 2, "ArrowDown": 3, "ArrowLeft": 2, "PageUp": 1, "ArrowUp": 0,
        "End": 8, "PageDown ": 8, "Home": 0, "PageUp ": 0, "Control+ArrowRight": 0,
    }  # fmt: skip
    at = {}
    for key in keys:
        tab.keyboard.press(key.strip())
        at[key] = step_of(tab)
    assert at == keys
    tab.keyboard.press("Space")
    assert tab.get_by_role("button", name="Pause").is_visible()
    tab.keyboard.press("Space")
    assert tab.get_by_role("button", name="Play").is_visible()
    tab.get_by_role("button", name="Next step").focus()
    tab.keyboard.press("Space")  # presses the button, once
    assert step_of(tab) == 1
    tab.get_by_role("slider").focus()
    tab.keyboard.press("ArrowRight")
    assert step_of(tab) == 2
    tab.get_by_label("Speed").focus()
    tab.keyboard.press("ArrowRight")  # belongs to the select
    assert step_of(tab) == 2


def test_beside_other_things_the_keys_need_the_focus(visit):
    tab = visit(f"<!DOCTYPE html><title>a</title><p>words</p>{steps(fork())._repr_html_()}")
    tab.keyboard.press("ArrowRight")
    assert step_of(tab) == 0
    tab.keyboard.press("Tab")
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.keyboard.press("ArrowRight")
    assert step_of(tab) == 1


def test_each_frame_shows_what_the_frames_of_python_say(visit, tmp_path):
    root = fork()
    result = steps(root)
    tab = visit(page(root, tmp_path))
    slider = tab.get_by_role("slider")
    for k, frame in enumerate(result.frames):
        slider.fill(str(k))
        assert step_of(tab) == k
        assert words_on(tab) == list(frame.lines)
        assert f"Step {k + 1} of 9: {frame.phase}" == slider.get_attribute("aria-valuetext")
        seen = tab.evaluate(
            "[...document.querySelectorAll('.view svg text[id]')].map(e => [e.id, e.textContent,"
            "getComputedStyle(e).visibility, getComputedStyle(e).fontWeight])"
        )
        spans = dict(result._film.placed())
        assert {id for id, *_ in seen} == set(spans)
        for id, text, visibility, weight in seen:
            span = spans[id]
            assert text == span.shown
            assert (visibility == "visible") == (span.first <= k < span.end)
            assert (weight == "700") == (span.first == k and 0 < k < 8)
        lit = tab.locator(".view .lit")
        assert lit.count() == (frame.phase in ("forward", "backward"))
        if lit.count():
            assert lit.get_attribute("id") == result.prefix + frame.marks[0]
            assert tab.locator(".view .lit .pointer").is_visible()
        assert tab.locator(".view .flow").count() == max(0, len(frame.marks) - 1)


def test_in_forward_mode_the_wires_along_which_tangents_flow_are_blue(visit, tmp_path):
    result = steps(examples.sigmoid_circuit(), mode="forward")
    tab = visit(result.page(), viewport={"width": 400, "height": 700})
    for k, frame in enumerate(result.frames):
        tab.get_by_role("slider").fill(str(k))
        assert words_on(tab) == list(frame.lines)
        assert tab.locator("svg.ahead").count() == bool(frame.rows)
        assert tab.locator(".view .flow").count() == max(0, len(frame.marks) - 1)
        if frame.rows:
            flow = tab.locator(".view .flow path").first
            assert flow.evaluate("e => getComputedStyle(e).stroke") == "rgb(11, 87, 208)"
    assert tab.locator(".view").evaluate("e => e.scrollLeft") > 100  # where the result is


def test_it_plays_to_the_end_at_the_chosen_speed_and_stops(visit, tmp_path):
    html = page(fork(), tmp_path)
    tab = visit("<p>")
    tab.clock.install(time=0)
    tab.clock.pause_at(1000)  # else it goes on by itself
    tab.set_content(html)
    tab.get_by_role("button", name="Play").click()
    tab.clock.run_for(4100)
    assert step_of(tab) == 2
    tab.get_by_role("button", name="Pause").click()
    tab.clock.run_for(9000)
    assert step_of(tab) == 2
    tab.get_by_label("Speed").select_option("4")
    tab.get_by_role("button", name="Play").click()
    tab.clock.run_for(1100)
    assert step_of(tab) == 4
    tab.get_by_label("Speed").select_option("0.5")
    tab.clock.run_for(4100)
    assert step_of(tab) == 5
    tab.clock.run_for(60_000)
    assert step_of(tab) == 8
    tab.get_by_role("button", name="Play").click()  # from the end it begins again
    assert step_of(tab) == 0
    tab.get_by_role("button", name="Next step").click()  # to step by hand is to pause
    tab.clock.run_for(9000)
    assert step_of(tab) == 1


def test_two_on_one_page_are_independent_even_with_the_same_prefix(visit, tmp_path):
    same, other = steps(fork())._repr_html_(), steps(examples.sigmoid_circuit())._repr_html_()
    tab = visit(f"<!DOCTYPE html><title>three</title>{same}{other}{same}")
    third = tab.locator(".microgrid-steps").nth(2)
    third.get_by_role("button", name="Last step").click()
    tab.locator(".microgrid-steps").nth(1).focus()
    tab.keyboard.press("ArrowRight")
    assert [step_of(tab, i) for i in range(3)] == [0, 1, 8]
    assert third.locator("text.new").count() == 0
    assert third.locator(".view").get_by_text("18.00", exact=True).is_visible()
    first = tab.locator(".microgrid-steps").nth(0)
    assert not first.locator(".view").get_by_text("18.00", exact=True).is_visible()


def test_all_frames_are_shown_on_demand_and_on_paper(visit, tmp_path):
    result = steps(fork())
    tab = visit(page(fork(), tmp_path))
    frames = tab.locator(".all figure")
    assert frames.count() == 0
    button = tab.get_by_role("button", name="All frames")
    button.click()
    assert (frames.count(), button.get_attribute("aria-pressed")) == (9, "true")
    for k, frame in enumerate(result.frames):
        assert frames.nth(k).locator("p").all_text_contents() == list(frame.lines)
    assert frames.nth(8).get_by_text("18.00", exact=True).is_visible()
    assert not frames.nth(7).get_by_text("9.00", exact=True).first.is_hidden()
    button.click()
    assert not frames.first.is_visible()
    assert tab.evaluate("new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size") == (
        tab.locator("[id]").count()
    )


def test_printing_gives_every_frame_and_no_buttons(visit, tmp_path):
    tab = visit(page(fork(), tmp_path), color_scheme="dark")
    tab.emulate_media(media="print", color_scheme="dark")
    tab.wait_for_function("document.querySelectorAll('.all figure').length == 9")
    assert tab.locator(".all figure").last.is_visible()
    assert not tab.get_by_role("button", name="Play").is_visible()
    ground = "getComputedStyle(document.querySelector('.microgrid-steps')).backgroundColor"
    assert tab.evaluate(ground) == "rgb(255, 255, 255)"
    assert tab.pdf().startswith(b"%PDF")


def network() -> Value:
    """A layer of two neurons and a layer of one, as `nn` makes them."""
    x = [Value(0.5, "x_1"), Value(-1.0, "x_2")]

    def neuron(name: str, inputs: list[Value]) -> Value:
        with scope(name.partition(".")[0]):
            terms = [Value(0.3 * k - 0.5, f"{name}.w_{k}") * v for k, v in enumerate(inputs, 1)]
            return (FUNCTIONS["total"](terms) + Value(0.1, f"{name}.b")).tanh()

    return neuron("layer1.neuron0", [neuron(f"layer0.neuron{i}", x) for i in (0, 1)])


INSIDE = """e => {
  const a = e.getBoundingClientRect(), b = e.closest(".view").getBoundingClientRect();
  return ["left", "top"].every(k => a[k] > b[k] - 1) &&
    ["right", "bottom"].every(k => a[k] < b[k] + 1);
}"""
LETTERS = """e => Math.min(...[...e.querySelectorAll("text")]
  .filter(t => t.textContent.trim() && getComputedStyle(t).visibility == "visible")
  .map(t => parseFloat(getComputedStyle(t).fontSize) * e.clientWidth / e.viewBox.baseVal.width))"""
SCALE = "e => e.getBoundingClientRect().width / (parseFloat(e.getAttribute('width')) * 4 / 3)"


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("make", [examples.sigmoid_circuit, network])
def test_the_gate_in_turn_is_in_view_and_large_enough_and_the_page_is_no_wider(visit, make, width):
    result = steps(make())
    tab = visit(result.html(), viewport={"width": width, "height": 700})
    picture = tab.locator(".view > svg")
    for k, frame in enumerate(result.frames):
        tab.get_by_role("slider").fill(str(k))
        assert 0.699 <= picture.evaluate(SCALE) <= 1
        assert picture.evaluate(LETTERS) > 8  # pixels, of subscripts
        if frame.marks:
            assert tab.locator(".view .lit").evaluate(INSIDE), k
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    if make is examples.sigmoid_circuit and width == 1280:
        assert picture.evaluate(INSIDE)


def test_the_picture_grows_and_moves_under_mouse_and_keys(visit, tmp_path):
    tab = visit(page(examples.sigmoid_circuit(), tmp_path), viewport={"width": 900, "height": 700})
    picture, view = tab.locator(".view > svg"), tab.locator(".view")
    fits = picture.evaluate(SCALE)
    assert 0.7 < fits < 1
    button = tab.get_by_role("button", name="Actual size")
    for size in (1, fits):
        button.click()
        assert picture.evaluate(SCALE) == pytest.approx(size, abs=0.01)
    tab.get_by_role("button", name="Zoom in").click()
    tab.keyboard.press("+")
    assert picture.evaluate(SCALE) == pytest.approx(fits * 1.25**2, abs=0.01)
    view.hover(position={"x": 400, "y": 100})
    under = "e => (e.scrollLeft + 400) / e.scrollWidth"
    before = view.evaluate(under)
    tab.keyboard.down("Control")
    tab.mouse.wheel(0, -100)
    tab.keyboard.up("Control")
    tab.wait_for_function(f"({SCALE})(document.querySelector('.view > svg')) > {fits * 1.8}")
    assert view.evaluate(under) == pytest.approx(before, abs=0.01)  # what is under the mouse stays
    left = view.evaluate("e => e.scrollLeft")
    tab.mouse.down()
    tab.mouse.move(view.bounding_box()["x"] + 300, view.bounding_box()["y"] + 100, steps=4)
    tab.mouse.up()
    assert view.evaluate("e => e.scrollLeft") == pytest.approx(left + 100, abs=2)
    assert tab.locator(".sum").is_hidden()  # that was no click on a wire
    view.focus()
    tab.keyboard.press("ArrowLeft")
    assert step_of(tab) == 0
    tab.wait_for_function(f"document.querySelector('.view').scrollLeft < {left + 99}")


def test_a_swipe_is_a_step(visit, tmp_path):
    tab = visit(page(fork(), tmp_path), viewport={"width": 400, "height": 700}, has_touch=True)
    swipe = """([by, where]) => {
      const e = document.querySelector(where);
      const at = x => [new Touch({ identifier: 1, target: e, clientX: x, clientY: 9 })];
      const send = (kind, touches, changedTouches) =>
        e.dispatchEvent(new TouchEvent(kind, { bubbles: true, touches, changedTouches }));
      send("touchstart", at(200), at(200));
      send("touchend", [], at(200 + by));
    }"""
    at = []
    for by, where in (
        (-90, ".words"),
        (-90, ".words"),
        (90, ".words"),
        (-9, ".words"),
        (-90, "input"),
    ):
        tab.evaluate(swipe, [by, where])
        at.append(step_of(tab))
    assert at == [1, 2, 1, 1, 1]


def test_a_wire_tells_its_whole_sum_and_its_paths(visit):
    root = fork()
    result, order = steps(root), topological(root)
    tab = visit(result.html())
    a = next(v for v in order if v.label == "a")
    panel = tab.get_by_role("region", name="a = 3.00")
    tab.locator(f"#{result.prefix}n{order.index(a)} text").first.click()
    said = [result._film.board.sentence(*pair) for pair in result._film.board.ruled
            if pair[0].parent_node is a]  # fmt: skip
    lines = panel.locator("p:not(.paths)").all_text_contents()
    assert lines == [*said, "Its gradient: 9.00 + 3.00 + 6.00 = 18.00"]
    assert panel.locator(".paths").text_content() == f"{explain(root, of=a).count} paths to y:"
    ways = panel.get_by_role("listitem")
    assert ways.count() == 3
    for path, way in zip(explain(root, of=a).paths, ways.all(), strict=True):
        way.get_by_role("button").click()
        lit = tab.locator(".view g.way").evaluate_all("es => es.map(e => e.id)")
        gates = {f"{result.prefix}g{order.index(v)}" for v in path.nodes[1:]}
        assert gates == {id for id in lit if "-g" in id}
    tab.keyboard.press("Escape")
    assert panel.is_hidden()
    assert tab.locator(".view .picked, .view .way").count() == 0
    tab.keyboard.press("ArrowRight")
    assert step_of(tab) == 1
    tab.get_by_label("Sum at").focus()  # by keyboard alone
    tab.keyboard.type("a")
    assert panel.is_visible()
    tab.keyboard.press("Escape")
    assert (panel.is_hidden(), step_of(tab)) == (True, 1)


def test_a_network_folds_into_blocks_and_the_one_in_turn_is_open(visit):
    root = network()
    result = steps(root)
    tab = visit(result.html(), viewport={"width": 400, "height": 700})
    blocks = {home["name"]: home for home in result.data()["homes"]}
    assert set(blocks) == {"layer0.neuron0", "layer0.neuron1", "layer1.neuron0"}
    assert sum(len(home["gates"]) for home in blocks.values()) == 15
    names = ["".join(e.itertext()) for e in result._canvas.iter("g") if e.get("class") == "name"]
    assert Counter(names) == Counter(["x1", "x2", "", *["w1", "w2", "b"] * 3])
    closed = tab.get_by_role("button", name="Open layer")
    assert closed.count() == 3
    for k, frame in enumerate(result.frames):
        if frame.marks:
            tab.get_by_role("slider").fill(str(k))
            gate = result.prefix + frame.marks[0]
            home = next(name for name, home in blocks.items() if gate in home["gates"])
            shut = {b.get_attribute("aria-label") for b in closed.all()}
            assert shut == {f"Open {name}: 5 gates" for name in blocks if name != home}
            assert tab.locator(".view g.flow").count() == len(frame.marks) - 1
    tab.keyboard.press("Home")
    closed.first.press("Enter")
    assert (closed.count(), step_of(tab)) == (2, 0)
    tab.get_by_role("button", name="Close layer0.neuron0").press("Enter")
    assert closed.count() == 3
    for b in closed.all():  # the first frame has the numbers of all leaves
        assert b.locator("text[id]").filter(visible=True).count() == 3
    tab.get_by_role("button", name="All frames").click()
    assert tab.locator(".all svg").count() == len(result.frames)
    assert tab.locator(".all [role=button], .all svg[role]").count() == 0


def test_each_number_has_a_place_in_the_folded_pictures():
    """Those of leaves in their box while all are closed; those that leave it, behind it."""
    result = steps(network(), prefix="p-")
    film = result._film
    index, homes = film.index, film.views[0].homes
    assert len(result.folded()) == 4
    for open_, text in zip([None, *film.blocks], result.folded(), strict=True):
        seen = set()
        for v, i in index.items():
            at_home = v in homes and homes[v] != open_
            goes = any(homes.get(child) != homes.get(v) for child in index if v in child.parents)
            row = not v.op and open_ is None
            if not at_home or row or (v.op and goes) or v is film.order[-1]:
                seen.add(f"n{i}")
        ids = {e.get("id") for e in ElementTree.fromstring(text).iter(f"{SVG}text")} - {None}
        assert ids == {id for id, life in film.placed() if life.place in seen}


STROKES = """() => [...document.querySelectorAll(".view .flow")]
  .flatMap(g => [...g.querySelectorAll(g.matches(".wire") ? "polygon" : "path:not(.hit)")])
  .map(e => getComputedStyle(e).stroke)"""


def test_while_going_backward_lit_wires_are_red_from_end_to_end_and_their_arrows_turned(visit):
    result = steps(examples.sigmoid_circuit())
    tab = visit(result.html())
    seen = """selector => [...document.querySelectorAll(`.view ${selector}`)]
      .filter(e => getComputedStyle(e).visibility == "visible").length"""
    edges = tab.locator(".view .edge > polygon").count()
    for k, frame in enumerate(result.frames):
        tab.get_by_role("slider").fill(str(k))
        back = len(frame.branches) if frame.phase == "backward" else 0
        assert tab.evaluate(seen, ".flow .turned") == tab.evaluate(seen, ".turned") == back
        assert tab.evaluate(seen, ".edge > polygon") == edges - back
        slide = result.picture(k).source
        assert slide.count("arrowhead=inv") == back
        wires = {mark for mark in frame.marks if mark[0] == "n"}
        assert slide.count('bgcolor="#c62828"') == 3 * len(wires) * (back > 0)
        assert len(frame.marks) == 1 + 3 * len(wires) if frame.marks else back == 0
        if back:
            assert {*tab.evaluate(STROKES)} == {f"rgb{tuple(bytes.fromhex('c62828'))}"}


THEMES = {  # the tags of a notebook's page, and whether it is dark; the system is not
    "<body data-jp-theme-light=false>": True,
    "<body data-jp-theme-light=true>": False,
    "<body class=vscode-dark data-vscode-theme-kind=vscode-dark>": True,
    "<body class=vscode-light data-vscode-theme-kind=vscode-light>": False,
    "<body data-vscode-theme-kind=vscode-high-contrast>": True,
    "<body data-vscode-theme-kind=vscode-high-contrast-light>": False,
    "<html theme=dark>": True,  # Colab
    "<html theme=light>": False,
}


def test_the_theme_is_that_of_the_notebook_else_of_the_system(visit):
    shown = draw(fork())._repr_mimebundle_()["text/html"] + steps(fork())._repr_html_()
    tab = visit("<p>", viewport={"width": 700, "height": 700})
    cases = [(tags, not dark, dark) for tags, dark in THEMES.items()]
    for tags, system, dark in [("", False, False), ("", True, True), *cases]:
        tab.emulate_media(color_scheme="dark" if system else "light")
        tab.set_content(f"<!DOCTYPE html>{tags}<title>a</title>{shown}")
        rgb = tuple(bytes.fromhex(PALETTE["bg"][dark][1:]))
        player = tab.locator(".microgrid-steps")
        assert player.evaluate("e => getComputedStyle(e).backgroundColor") == f"rgb{rgb}", tags
        picture = Image.open(BytesIO(tab.locator("img.microgrid-picture").screenshot()))
        assert picture.convert("RGB").getpixel((3, 3)) == rgb, tags
        assert picture.width <= 684


def test_the_player_takes_new_numbers_without_a_picture_and_can_be_held_back(visit):
    first = steps(fork(), prefix="p-")
    script = f"<script>{part('player.js')}</script>"
    tab = visit(f'<!DOCTYPE html><title>a</title><div class="microgrid-steps"></div>{script}')
    tab.evaluate(
        """([data, svg]) => {
          const root = document.querySelector("div");
          window.film = player(root);
          film.load(data, svg);
          root.addEventListener("beforestep", e => e.detail.to > 2 && e.preventDefault());
          window.steps = [];
          root.addEventListener("step", e => steps.push(e.detail));
        }""",
        [first.data(), first.svg()],
    )
    for _ in range(4):
        tab.get_by_role("button", name="Next step").click()
    assert tab.evaluate("[film.at, ...steps]") == [2, 1, 2]
    tab.evaluate("film.show(8)")
    assert tab.evaluate("film.at") == 8
    other = Value(30.0, "a")
    other_root = (Value(2.0, "b") * other + other) * other
    other_root.label = "y"
    tab.evaluate("data => film.load(data)", steps(other_root, prefix="p-").data())
    assert tab.evaluate("film.at") == 8
    assert tab.locator(".view").get_by_text("180.00", exact=True).is_visible()


def test_the_numbers_of_the_player_need_no_layout():
    def none(dot: str) -> str:
        raise AssertionError(dot)

    for root in (
        fork(),
        examples.sigmoid_circuit(),
        network(),
        FUNCTIONS["total"]([Value(1.0)] * 14),
    ):
        ids = {id for id, *_ in steps(root, layout=none, prefix="p-").data()["spans"]}
        found = {e.get("id") for e in steps(root, prefix="p-")._canvas.iter("text")} - {None}
        assert ids == found


def test_a_screen_reader_hears_the_words_and_knows_every_control(visit, tmp_path):
    tab = visit(page(fork(), tmp_path))
    assert tab.locator("[aria-live=polite] p").all_text_contents() == words_on(tab)
    assert tab.get_by_role("region", name="The backward pass of y").count() == 1
    assert tab.get_by_role("slider", name="Step").count() == 1
    assert tab.get_by_role("combobox", name="Speed").count() == 1
    names = ["First step", "Previous step", "Play", "Next step", "Last step", "All frames"]
    assert [tab.get_by_role("button", name=name).count() for name in names] == [1] * 6
    assert tab.get_by_role("img", name="The backward pass of y; the step is").count() == 1


def test_without_scripts_the_browser_shows_the_picture_and_the_table(visit, tmp_path):
    tab = visit(page(fork(), tmp_path), java_script_enabled=False)
    assert tab.locator("img").bounding_box()["width"] > 300
    assert tab.get_by_role("button").count() == 0
    tab.locator("summary").click()
    assert tab.locator("tbody tr").count() == 6


def test_of_the_table_words_stand_left_and_numbers_right(visit, tmp_path):
    tab = visit(page(fork(), tmp_path))
    aligned = "es => es.map(e => [e.textContent, getComputedStyle(e).textAlign])"
    found = dict(tab.locator("thead th").evaluate_all(aligned))
    words, numbers = {"gate", "role", "to", "rule"}, {"local", "upstream", "share", "total so far"}
    assert {name for name, side in found.items() if side == "right"} == numbers
    assert found.keys() == words | numbers


def test_hostile_labels_stay_words_in_the_browser(visit, tmp_path):
    x = Value(1.0, "</script><script>document.title='bad'</script>")
    h = x.exp()
    h.label = "<img src=x onerror=\"document.title='bad'\">"
    tab = visit(page(h * x, tmp_path))
    tab.get_by_role("button", name="All frames").click()
    assert tab.locator("img, a, script").count() == 1
    assert "bad" not in tab.title()


def test_the_animation_moves_in_the_browser(visit):
    result = steps(fork())
    tab = visit(f"<!DOCTYPE html><title>a</title>{result.animated_svg()}")
    assert tab.locator("script").count() == 0
    seconds = 2000
    for k, frame in enumerate(result.frames):
        now = k * seconds + seconds / 2
        tab.evaluate(f"document.getAnimations().forEach(a => (a.pause(), a.currentTime = {now}))")
        visible = tab.evaluate(
            "[...document.querySelectorAll('text')].filter(e => "
            "getComputedStyle(e).visibility == 'visible').map(e => e.id || e.textContent)"
        )
        spans = {id for id, span in result._film.placed() if span.first <= k < span.end}
        assert spans == {id for id in visible if id in dict(result._film.placed())}
        assert set(frame.lines) <= set(visible)


def test_who_wants_no_motion_sees_the_end(visit):
    tab = visit(f"<!DOCTYPE html><title>a</title>{steps(fork()).animated_svg()}",
                reduced_motion="reduce")  # fmt: skip
    assert tab.evaluate("document.getAnimations().length") == 0
    assert tab.get_by_text("18.00", exact=True).is_visible()
    assert not tab.get_by_text("12.00", exact=True).is_visible()


@pytest.mark.parametrize("label", ["L_{reg}", "y_{i,j}", "x_{}", "{", "{}", "{0}", "%s"])
def test_a_root_of_any_name_has_its_steps(label):
    root = Value(2.0, "x") * 3
    root.label = label
    assert steps(root).frames[-1].text.endswith("/∂x = 3.00")


def test_a_page_is_saved_as_its_name_says(tmp_path):
    result = steps(Value(2.0, "x") * 3)
    assert result.save(tmp_path / "f.html").read_text().startswith("<!DOCTYPE html>")
    assert "<svg" in result.save(tmp_path / "f.svg").read_text()[:500]
    for save, name in (
        (result.save, "f.gif"),
        (result.save, "f"),
        (result.save_animation, "f.gif"),
    ):
        with pytest.raises(LayoutError, match="saved as"):
            save(tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {"f.html", "f.svg"}


@pytest.mark.parametrize(
    ("x", "seen", "not_seen"),
    [
        (Fraction(1, 3), "local 1 × upstream 1/2 = share 1/2", "1.00"),
        (1 / 3, "local 1.00 × upstream 0.50 = share 0.50", "1/2"),
    ],
)
def test_the_numbers_of_a_film_are_of_one_kind(x, seen, not_seen):
    a, b = Value(x, "a"), Value(2, "b")
    words = "\n".join(frame.text for frame in steps((a + b) * Value(Fraction(1, 2), "c")).frames)
    assert seen in words
    assert not_seen not in words
    assert not_seen not in re.sub("<[^>]*>", "", draw((a + b) * b).source.partition("label")[2])
