"""The playground's page in a real browser, with the real server behind it: what a visitor does."""

import json
import re
import subprocess
import sys
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from shared.playground import running

from microgrid import Value
from microgrid.playground.answer import Playground
from microgrid.playground.files import files, read
from microgrid.views.theme import PALETTE

WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 400, "height": 800}
FORK = {"text": "f = (a*b + a) * a", "numbers": "a:3,b:2"}
PATIENCE = int(re.search(r"PATIENCE = ([\d_]+)", files("server")["page.js"].decode())[1])
NETWORK = "\n".join(
    [f"h_{i} = tanh(u_{i}1*x_1 + u_{i}2*x_2 + c_{i})" for i in (1, 2)]
    + ["p = sigmoid(v_1*h_1 + v_2*h_2 + d)", "L = -log(p)"]
)


@pytest.fixture(scope="module")
def address():
    with running() as server:
        yield server.address


@pytest.fixture
def play(chromium, address):
    """Opens the page in a browser of its own, with the hash of these keys; it must not complain."""
    contexts, complaints = [], []

    def opened(keys=None, at=None, before=None, **options):
        options = {"viewport": WIDE, "permissions": ["clipboard-read", "clipboard-write"]} | options
        context = chromium.new_context(**options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("console", lambda m: m.type in ("error", "warning") and complaints.append(m.text))
        if before:
            before(tab)
        tab.goto((at or address) + (f"#{urlencode(keys)}" if keys else ""))
        tab.locator("#picture svg").wait_for()
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def expect():
    from playwright.sync_api import expect

    return expect


def gradients(f, **numbers):
    leaves = {name: Value(x) for name, x in numbers.items()}
    f(**leaves).backward()
    return {name: f"{leaf.grad:.2f}" for name, leaf in leaves.items()}


def fork(a, b):
    return (a * b + a) * a


def hash_of(address):
    return {name: words for name, (words,) in parse_qs(urlsplit(address).fragment).items()}


def reached(expect, tab, **wanted):
    """Waits until the address has these keys, and says all of them."""
    for name, words in wanted.items():
        expect(tab).to_have_url(re.compile(re.escape(urlencode({name: words}))))
    return hash_of(tab.url)


def asked(tab, kind="circuit"):
    """The questions that the page asks from now on."""
    found = []

    def note(request):
        if request.url.endswith("/ask") and request.post_data_json["ask"] == kind:
            found.append(request.post_data_json)

    tab.on("request", note)
    return found


def slider(tab, leaf):
    return tab.locator(f'input[type=range][data-leaf="{leaf}"]')


def field(tab, leaf):
    return tab.locator(f'input[type=number][data-leaf="{leaf}"]')


def gradient(tab, leaf):
    return tab.locator(f'[data-gradient="{leaf}"]')


def numbers_that_move(tab):
    found = tab.locator("#picture text[id]").all()
    return [e for e in found if e.evaluate("e => getComputedStyle(e).cursor") == "ew-resize"]


def act(tab, name):
    return tab.locator(f"button[data-act={name}]")


def test_a_visitor_types_drags_predicts_is_told_what_was_wrong_and_sends_the_link(play, expect):
    tab = play()
    tab.locator("#source").fill("(a*b + a) * a")
    slider(tab, "a").fill("3")
    field(tab, "b").fill("2")
    for leaf, right in gradients(fork, a=3.0, b=2.0).items():
        expect(gradient(tab, leaf)).to_have_text(right)
    expect(tab.locator("[data-result]")).to_have_text("27.00")
    act(tab, "predict").click()
    expect(gradient(tab, "a")).to_have_text("?")
    form = tab.get_by_role("form", name="Predict")
    first, second = form.get_by_role("textbox").all()
    first.fill("9")  # the gate's own output, to the sum: a switcher sends the other input
    second.fill("9,0")
    form.get_by_role("button", name="Check").click()
    expect(first).to_have_attribute("aria-invalid", "true")
    expect(form.locator(".hint").first).to_have_text(re.compile(r"\w{3}"))
    expect(form.locator(".hint").last).to_have_text("✓ right")
    assert tab.locator(".film").get_attribute("data-step") == "4"
    first.fill("3")
    tab.keyboard.press("Enter")
    expect(tab.locator(".film")).to_have_attribute("data-step", "5")
    for guesses in (["3", "12"], ["18", "9"]):
        form.get_by_role("button", name="Next gate").click()
        for box, guess in zip(form.get_by_role("textbox").all(), guesses, strict=True):
            box.fill(guess)
        tab.keyboard.press("Enter")
    expect(form).to_contain_text("5 of 6")
    expect(gradient(tab, "a")).to_have_text("18.00")
    act(tab, "predict").click()
    act(tab, "link").click()
    expect(tab.locator(".toast")).to_have_text("Link copied")
    link = tab.evaluate("navigator.clipboard.readText()")
    friend = play(at=link)
    expect(gradient(friend, "a")).to_have_text("18.00")
    assert friend.locator("#source").input_value() == "(a*b + a) * a"


def test_an_error_stands_at_its_place_and_the_old_picture_stays(play, expect):
    tab = play(FORK)
    alert, text = tab.get_by_role("alert"), tab.locator("#source")
    expect(alert).to_be_hidden()
    text.fill("h = a*b\nf = h + * a")
    expect(alert).to_have_text(re.compile(r"^Line 2: \w"))
    expect(text).to_have_attribute("aria-invalid", "true")
    assert tab.locator(".mirror mark").text_content() == "*"
    assert tab.locator(".mirror").text_content() == "h = a*b\nf = h + * a\n"
    assert tab.locator("#picture").evaluate("e => getComputedStyle(e).opacity") < "0.9"
    expect(gradient(tab, "a")).to_have_text("18.00")
    text.fill("h = a*b\nf = h + a")
    expect(alert).to_be_hidden()
    expect(gradient(tab, "a")).to_have_text("3.00")


def still(tab):
    """The page's clock goes on where the test moves it, and nowhere else."""
    tab.clock.install(time=0)
    tab.clock.pause_at(1000)


def test_half_a_name_is_no_slider(play, expect):
    tab = play(FORK, before=still)
    questions = asked(tab)
    text = tab.locator("#source")
    text.focus()
    tab.keyboard.press("End")
    for letter in " * weight":
        text.press_sequentially(letter)
        tab.clock.run_for(300)
    tab.clock.run_for(100)
    expect(slider(tab, "weight")).to_be_visible()
    assert {q["text"] for q in questions} == {FORK["text"] + " * weight"}


def test_a_drag_lays_out_nothing_anew_and_only_the_newest_number_waits(play, expect):
    tab = play(FORK)
    tab.evaluate("document.querySelector('#picture svg').dataset.same = 'yes'")
    questions = asked(tab)
    tab.evaluate(
        """() => {
          const range = document.querySelector('input[type=range][data-leaf="a"]');
          for (let i = 0; i <= 50; i++) {
            range.value = i / 100 + 2.6;
            range.dispatchEvent(new Event("input", { bubbles: true }));
          }
        }"""
    )
    expect(gradient(tab, "a")).to_have_text(gradients(fork, a=3.1, b=2.0)["a"])
    expect(tab.locator("#picture svg")).to_have_attribute("data-same", "yes")
    assert len(questions) <= 4
    assert questions[-1]["numbers"] == {"a": 3.1, "b": 2}


def test_a_number_in_the_picture_is_dragged(play, expect):
    tab = play(FORK)
    number = next(e for e in numbers_that_move(tab) if e.text_content() == "3.00")
    box = number.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + 50, y, steps=5)
    tab.mouse.up()
    expect(field(tab, "a")).to_have_value("4")
    expect(gradient(tab, "a")).to_have_text(gradients(fork, a=4.0, b=2.0)["a"])
    expect(tab.locator(".film .sum")).to_be_hidden()  # that was no click on a wire
    tab.keyboard.press("Control+z")
    expect(gradient(tab, "a")).to_have_text("18.00")


def test_the_reach_of_a_slider_grows_with_its_number(play, expect):
    tab = play(FORK)
    expect(slider(tab, "a")).to_have_attribute("max", "5")
    field(tab, "a").fill("70")
    expect(slider(tab, "a")).to_have_attribute("max", "100")
    assert slider(tab, "a").input_value() == "70"
    field(tab, "a").blur()
    act(tab, "undo").click()
    expect(slider(tab, "a")).to_have_attribute("max", "5")  # and falls with it
    field(tab, "a").fill("1e308")  # twice that is no float
    expect(gradient(tab, "a")).to_have_text("inf")
    assert 1e306 < float(slider(tab, "a").get_attribute("max")) < 1e308


@pytest.mark.parametrize(
    ("typed", "read"), [("1,5", "1.5"), ("−2,5", "-2.5"), ("1e400", "1e+40"), ("-", "3")]
)
def test_a_typed_number_is_read_as_it_is_meant_or_as_it_stands_there_afterwards(
    play, expect, typed, read
):
    tab = play(FORK)
    field(tab, "a").fill("")
    field(tab, "a").press_sequentially(typed)
    field(tab, "a").blur()
    expect(field(tab, "a")).to_have_value(read)
    reached(expect, tab, numbers=f"a:{read},b:2")


def test_a_line_that_is_written_anew_gives_its_name_its_number(play, expect):
    tab = play({"text": "x₁ = 5; w_{2} = 3\nf = x₁*w_{2}", "numbers": "x_1:7,w_2:1"})
    expect(tab.locator("[data-result]")).to_have_text("7.00")  # as it was sent
    tab.locator("#source").fill("x₁ = 6; w_{2} = 3\nf = x₁*w_{2}")
    expect(tab.locator("[data-result]")).to_have_text("6.00")
    tab.locator("#source").fill("x₁ = 6; w_{2} = 4\nf = x₁*w_{2}")
    expect(tab.locator("[data-result]")).to_have_text("24.00")


def test_a_number_is_undone_in_the_field_that_has_the_focus(play, expect):
    tab = play(FORK)
    field(tab, "a").fill("4")
    expect(act(tab, "undo")).to_be_disabled()  # not yet settled
    field(tab, "a").press("Enter")
    field(tab, "a").press("Control+z")
    expect(field(tab, "a")).to_be_focused()
    expect(field(tab, "a")).to_have_value("3")


def test_a_page_without_a_circuit_takes_no_step(play, expect, address):
    tab = play(FORK)
    tab.goto("about:blank")  # else the page may write its own address over the next one
    tab.goto(f"{address}#text=(")
    expect(tab.get_by_role("alert")).to_be_visible()
    expect(tab.locator(".film")).to_have_attribute("inert", "")
    tab.locator("#source").fill("a*b")
    expect(gradient(tab, "a")).to_have_text("1.00")
    act(tab, "first").click()
    expect(tab.locator(".words")).to_contain_text("Step 1")


def test_the_player_steps_with_the_rule_beside_the_gate(play, expect):
    tab = play(FORK)
    act(tab, "first").click()
    for _ in range(5):
        act(tab, "next").click()
    expect(tab.locator(".film .words")).to_contain_text("× is a switcher")
    expect(tab.locator("#picture .lit")).to_have_count(1)
    act(tab, "previous").click()
    assert reached(expect, tab, step="4") == FORK | {"step": "4"}
    act(tab, "last").click()
    expect(tab.locator(".film")).to_have_attribute("data-step", "8")


def test_a_nudge_says_what_moved_and_what_the_gradient_says(play, expect):
    tab = play(FORK)
    tab.get_by_role("button", name="Nudge a by 0.01").click()
    moved = fork(3.01, 2) - fork(3, 2)
    expect(tab.locator(".leaf .said").first).to_contain_text(f"{moved:.2f}")
    slider(tab, "a").fill("2")
    expect(tab.locator(".leaf .said").first).to_be_empty()


def test_descent_takes_one_step_or_many_and_keeps_what_is_held(play, expect):
    tab = play({"text": "loss = (w*x - 4)^2", "numbers": "w:0,x:2"})
    tab.locator(".descent summary").click()
    tab.get_by_role("button", name="Hold x in the descent").click()
    tab.get_by_role("button", name="1 step", exact=True).click()
    expect(field(tab, "w")).to_have_value("1.6")  # 0 + 0.1 · 2 · 4 · 2
    expect(field(tab, "x")).to_have_value("2")
    tab.get_by_role("button", name="100 steps").click()
    expect(tab.get_by_role("img", name="The loss over 101 steps: from 16 to")).to_be_visible()
    expect(field(tab, "w")).to_have_value("2")
    tab.keyboard.press("Control+z")
    expect(field(tab, "w")).to_have_value("1.6")
    assert reached(expect, tab, numbers="w:1.6,x:2")["hold"] == "x"


def test_steps_of_descent_follow_each_other_however_fast_they_are_wished_for(play, expect):
    tab = play({"text": "loss = w^2", "numbers": "w:1"})
    tab.locator(".descent summary").click()
    tab.locator("[data-steps='1']").evaluate("e => { for (let i = 0; i < 3; i++) e.click(); }")
    expect(tab.get_by_role("img", name="The loss over 3 steps: from 1 to 0.2621")).to_be_visible()
    expect(field(tab, "w")).to_have_value("0.512")


def thick(tab):
    """What is written in the gates whose outlines are thick."""
    return tab.locator("#picture svg").evaluate(
        """svg => [...svg.querySelectorAll("g > ellipse")]
          .filter(e => getComputedStyle(e).strokeWidth === "3px")
          .map(e => e.parentElement.textContent.trim())"""
    )


def test_what_is_not_finite_is_named_and_marked(play, expect):
    tab = play({"text": "f = sqrt(x) * y", "numbers": "x:1,y:2"})
    expect(tab.locator(".trouble")).to_be_hidden()
    field(tab, "x").fill("0")
    expect(tab.locator(".trouble")).to_contain_text("sqrt")
    assert thick(tab) == ["sqrt"]
    field(tab, "x").fill("1")
    expect(tab.locator(".trouble")).to_be_hidden()
    assert thick(tab) == []


def test_lines_are_blocks_that_open(play, expect):
    tab = play({"text": NETWORK}, viewport=NARROW)
    expect(tab.get_by_role("button", name="Open h₁: 5 gates")).to_be_visible()
    tab.get_by_role("button", name="Open h₁: 5 gates").press("Enter")
    expect(tab.get_by_role("button", name="Open h₁: 5 gates")).to_be_hidden()


def test_what_stands_beside_an_example_goes_with_its_link(play, expect):
    tab = play()
    tab.get_by_label("Example").select_option(label="An affine layer, entry by entry")
    field(tab, "x_11").fill("7")
    reached(expect, tab, numbers="x_11:7")
    friend = play(at=tab.url)
    for seen in (".beside", ".point", ".try"):
        expect(friend.locator(seen)).to_be_visible()
    lesson = play(at=f"{tab.url}&task=Think!")
    expect(lesson.locator(".task")).to_be_visible()
    expect(lesson.locator(".point")).to_be_hidden()


def test_every_example_makes_its_point(play, expect):
    tab = play()
    menu = tab.get_by_label("Example")
    names = menu.locator("option").all_text_contents()[1:]
    assert len(names) >= 8
    points = set()
    for name in names:
        menu.select_option(label=name)
        expect(tab.locator(".point")).to_be_visible()
        expect(tab.get_by_role("alert")).to_be_hidden()
        points.add(tab.locator(".point").text_content())
    assert len(points) == len(names)


def test_a_large_circuit_is_drawn_when_it_is_wished_for(play, expect):
    tab = play(FORK)
    tab.locator("#source").fill("f = " + " + ".join([f"a*b*{k}" for k in range(2, 40)]))
    expect(tab.locator(".large")).to_contain_text("gates")
    expect(slider(tab, "a")).to_be_enabled()
    act(tab, "draw").click()
    expect(tab.locator(".large")).to_be_hidden(timeout=30_000)
    expect(tab.locator("#picture g.edge").nth(60)).to_be_attached()


def test_all_is_in_the_address_and_the_browser_goes_back_and_forward(play, expect):
    keys = FORK | {"step": "5", "mode": "predict", "hold": "b"}
    tab = play(keys)
    expect(tab.locator(".film")).to_have_attribute("data-step", "5")
    expect(act(tab, "predict")).to_have_attribute("aria-pressed", "true")
    field(tab, "b").fill("1.5")
    assert reached(expect, tab, numbers="a:3,b:1.5") == keys | {"numbers": "a:3,b:1.5"}
    tab.locator("#source").fill("a + b")
    reached(expect, tab, text="a + b")
    tab.go_back()
    expect(tab.locator("#source")).to_have_value(FORK["text"])
    expect(field(tab, "b")).to_have_value("1.5")
    tab.go_forward()
    expect(tab.locator("#source")).to_have_value("a + b")
    tab.evaluate("location.hash = '#text=x*y&numbers=x:6,y:7'")
    expect(tab.locator("[data-result]")).to_have_text("42.00")


@pytest.mark.parametrize(
    "bits",
    [
        "text=a*b&numbers=a:nan,b:inf,c", "text=a&step=-1", "text=a*b&step=99999", "text=", "%%%",
        "text=a*b&numbers=__proto__:3,constructor:2&lock=__proto__&hide=nothing", "text=(",
        "text=a*b%0D%0A+",
    ],
)  # fmt: skip
def test_a_broken_address_breaks_nothing(play, expect, bits):
    tab = play(FORK)
    tab.evaluate("bits => (location.hash = bits)", bits)
    tab.locator("#source").fill("x*y")
    expect(slider(tab, "x")).to_be_visible()
    expect(tab.get_by_role("alert")).to_be_hidden()


def test_names_of_javascript_are_names_as_any_other(play, expect):
    tab = play({"text": "constructor * __proto__ + toString", "numbers": "toString:1"})
    for leaf, x in {"constructor": "2", "__proto__": "3", "toString": "4"}.items():
        expect(slider(tab, leaf)).to_have_attribute("max", "5")
        field(tab, leaf).fill(x)
    expect(tab.locator("[data-result]")).to_have_text("10.00")
    assert reached(expect, tab, numbers="constructor:2,__proto__:3,toString:4")


def test_numbers_and_text_are_undone_and_done_again(play, expect):
    tab = play(FORK)
    expect(act(tab, "undo")).to_be_disabled()
    slider(tab, "a").fill("4")
    slider(tab, "a").fill("1")
    tab.locator("#source").fill("a * b")
    expect(gradient(tab, "a")).to_have_text("2.00")
    act(tab, "undo").click()
    expect(tab.locator("#source")).to_have_value(FORK["text"])
    expect(field(tab, "a")).to_have_value("1")
    slider(tab, "b").focus()
    for key, value in [("z", "4"), ("z", "3"), ("Shift+z", "4"), ("y", "1")]:
        tab.keyboard.press(f"Control+{key}")
        expect(field(tab, "a")).to_have_value(value)
    text = tab.locator("#source")
    text.focus()
    tab.keyboard.press("End")
    tab.keyboard.type("+ 7")
    tab.keyboard.press("Control+z")  # its own undo
    assert text.input_value().startswith(FORK["text"])
    assert text.input_value() != f"{FORK['text']}+ 7"


def test_a_circuit_is_copied_in_every_kind(play, expect):
    tab = play(FORK)
    for kind, sign in [("Python", "import microgrid as mg"), ("LaTeX", "f = (a b + a) a")]:
        tab.get_by_text("Copy as …").click()
        tab.get_by_role("button", name=kind, exact=True).click()
        expect(tab.locator(".toast")).to_have_text(f"{kind} copied")
        assert sign in tab.evaluate("navigator.clipboard.readText()")
    for kind, magic in [("SVG", b"<"), ("PNG", b"\x89PNG"), ("Worksheet", b"<")]:
        tab.get_by_text("Copy as …").click()
        with tab.expect_download() as download:
            tab.get_by_role("button", name=kind, exact=True).click()
        data = download.value.path().read_bytes()
        assert data.startswith(magic)
        assert len(data) > 500


@pytest.mark.parametrize("size", [(20, 10), (30_000, 20)])
def test_a_large_picture_is_a_png_too(play, size):
    tab, script = play(FORK), read("parts.js").replace("import.meta.url", "location")
    wide, tall = size
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{tall}"/>'
    made = f"async svg => {{ {script}; return createImageBitmap(await pngOf(svg)); }}"
    bitmap = tab.evaluate_handle(made, svg)
    found = [bitmap.get_property(side).json_value() for side in ("width", "height")]
    assert found == ([60, 30] if wide < 5000 else [16_000, 11])


def test_where_the_clipboard_is_closed_the_link_is_shown(play, expect):
    tab = play(FORK, permissions=[])
    tab.evaluate("void (navigator.clipboard.writeText = () => Promise.reject(Error('closed')))")
    act(tab, "link").click()
    assert hash_of(tab.get_by_role("dialog").get_by_role("textbox").input_value()) == FORK
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("dialog")).to_be_hidden()


def test_a_lesson_has_a_task_hides_and_locks(play, expect):
    tab = play(FORK)
    act(tab, "lesson").click()
    form = tab.get_by_role("dialog", name="Make a lesson")
    form.get_by_label("Task").fill("Predict <b>all</b> of them.")
    for group, box in [("Hide", "the text"), ("Hide", "the table"), ("Lock", "the text")]:
        form.get_by_role("group", name=group).get_by_label(box).check()
    form.get_by_label("leaves").fill("b")
    form.get_by_label("begin with predicting").check()
    form.get_by_role("button", name="Copy lesson link").click()
    expect(tab.locator(".toast")).to_have_text("Lesson link copied")
    pupil = play(at=tab.evaluate("navigator.clipboard.readText()"))
    expect(pupil.locator(".task")).to_have_text("Predict <b>all</b> of them.")
    for hidden in ("#source", ".ledger", ".menu"):
        expect(pupil.locator(hidden)).to_be_hidden()
    expect(slider(pupil, "b")).to_be_disabled()
    expect(slider(pupil, "a")).to_be_enabled()
    assert [e.text_content() for e in numbers_that_move(pupil)] == ["3.00"]
    expect(pupil.get_by_role("form", name="Predict")).to_be_visible()
    assert hash_of(pupil.url) == FORK | {
        "task": "Predict <b>all</b> of them.", "mode": "predict", "hide": "text,table",
        "lock": "text,b",
    }  # fmt: skip


def test_hidden_gradients_are_nowhere(play):
    tab = play(FORK | {"hide": "gradients"})
    words = tab.locator("main").evaluate(
        """e => [...e.querySelectorAll("*")].filter(x => !x.children.length &&
          x.checkVisibility({ visibilityProperty: true })).map(x => x.textContent)"""
    )
    assert not [w for w in words if "18.00" in w]


def test_predicting_gives_nothing_away_before_it_was_tried(play, expect):
    tab = play(FORK | {"mode": "predict"})
    for hidden in (".ledger", ".nudge >> nth=0", ".descent", ".wires"):
        expect(tab.locator(hidden)).to_be_hidden()
    tab.locator("#picture g.wire").first.click()
    expect(tab.locator(".film .sum")).to_be_hidden()
    act(tab, "last").click()
    form = tab.get_by_role("form", name="Predict")
    expect(tab.locator(".film")).to_have_attribute("data-step", "4")
    expect(form.get_by_role("textbox").first).to_be_focused()
    field(tab, "a").fill("2")  # other numbers, the same question
    expect(form).to_contain_text("× has the gradient 1")
    form.get_by_role("button", name="Show me").click()
    expect(tab.locator(".film")).to_have_attribute("data-step", "5")
    act(tab, "previous").click()
    act(tab, "next").click()  # it was told
    expect(tab.locator(".film")).to_have_attribute("data-step", "5")


def test_two_tabs_keep_their_own_circuits(play, expect):
    one, two = play(FORK), play({"text": "x / y", "numbers": "x:1,y:4"})
    slider(one, "a").fill("2")
    slider(two, "x").fill("2")
    expect(one.locator("[data-result]")).to_have_text("12.00")
    expect(two.locator("[data-result]")).to_have_text("0.50")
    expect(gradient(two, "y")).to_have_text("-0.12")


def test_a_server_that_is_gone_is_told_and_found_again(chromium, expect):
    def started(port):
        command = [sys.executable, "-m", "microgrid", "play", "--port", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        return process, re.search(r"http://\S+?:(\d+)/", process.stdout.readline())

    process, at = started(0)
    tab = chromium.new_page()
    try:
        tab.goto(f"{at[0]}#{urlencode(FORK)}")
        expect(gradient(tab, "a")).to_have_text("18.00")
        process.kill()
        process.wait()
        slider(tab, "a").fill("2")
        expect(tab.get_by_role("alert")).to_contain_text("does not answer")
        slider(tab, "a").fill("1")
        process, _ = started(at[1])
        expect(tab.get_by_role("alert")).to_be_hidden()
        expect(tab.locator("[data-result]")).to_have_text("3.00")
    finally:
        process.kill()
        process.wait()
        tab.close()


WORKER = """
onmessage = async ({ data: { id, text } }) => {
  if (/forever|"folded"/.test(text)) for (postMessage({ said: "a long question" });;);
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: text };
  postMessage({ id, text: await (await fetch("ask", options)).text() });
};
postMessage({ said: "Python" });
fetch("engine.zip").then(() => postMessage({ ready: true }));
"""


def test_examples_are_there_before_the_engine_and_one_that_takes_too_long_is_ended(play, expect):
    engine = Playground()
    example = engine.answer({"ask": "examples"})["examples"][0] | {"baked": "baked.json"}
    circuit = {"ask": "circuit", "text": example["text"], "numbers": example["numbers"]}
    baked = engine.answer(circuit)
    answers = {"examples.json": {"examples": [example]}, "baked.json": baked}
    page = files("pyodide") | {"worker.js": WORKER.encode()}
    page |= {name: json.dumps(answer).encode() for name, answer in answers.items()}
    leaf = baked["leaves"][0]["name"]
    with running(page=page) as server:
        held = []

        def before(tab):
            tab.clock.install()
            tab.route("**/engine.zip", lambda route: held.append(route))

        tab = play(at=server.address, before=before)
        expect(tab.locator(".engine")).to_have_text("The engine is loading: Python is there.")
        expect(slider(tab, leaf)).to_be_disabled()
        act(tab, "first").click()
        expect(tab.locator(".film")).to_have_attribute("data-step", "0")
        held.pop().fulfill(body="")
        expect(tab.locator(".engine")).to_be_hidden()
        slider(tab, leaf).fill("0.5")
        expect(tab.locator(".words")).to_contain_text("= 0.50")
        tab.locator("#source").fill("forever * 2")
        expect(tab.locator(".engine")).to_contain_text("a long question")
        with tab.expect_request("**/engine.zip"):
            tab.clock.fast_forward(PATIENCE)
        expect(tab.get_by_role("alert")).to_contain_text("too long")
        expect(tab.locator(".engine")).to_contain_text("loading")
        tab.locator("#source").fill("a / b")
        held.pop().fulfill(body="")
        expect(slider(tab, "b")).to_be_enabled()
        expect(tab.get_by_role("alert")).to_be_hidden()


def test_pictures_with_closed_blocks_that_take_too_long_are_done_without(play, expect):
    page = files("pyodide") | {"worker.js": WORKER.encode(), "examples.json": b'{"examples":[]}'}
    with running(page=page) as server:

        def before(tab):
            tab.clock.install()
            tab.route("**/engine.zip", lambda route: route.fulfill(body=""))

        tab = play({"text": NETWORK}, server.address, before, viewport=NARROW)
        expect(tab.locator(".engine")).to_contain_text("a long question")
        tab.clock.fast_forward(PATIENCE)
        expect(tab.locator(".engine")).to_be_hidden()
        field(tab, "d").fill("-1")
        expect(field(tab, "d")).to_be_enabled()
        expect(tab.locator("[data-result]")).to_have_text("0.32")
        expect(tab.get_by_role("alert")).to_be_hidden()


def test_the_keyboard_alone_reaches_everything(play, expect):
    tab = play(FORK)
    reached = set()
    for _ in range(60):
        tab.keyboard.press("Tab")
        name, seen = tab.evaluate(
            """() => {
              const e = document.activeElement, style = getComputedStyle(e);
              return [e.dataset.act || e.dataset.leaf || e.className || e.id || e.tagName,
                style.outlineStyle];
            }"""
        )
        if name == "BODY":  # the end
            break
        assert seen != "none", name
        reached.add(name)
    acts = {"first", "previous", "play", "next", "last", "predict", "link", "lesson"}
    assert acts | {"a", "b", "nudge", "SUMMARY", "SELECT"} <= reached
    tab.locator("#source").focus()
    tab.keyboard.press("Control+Enter")  # from the text to the picture
    tab.keyboard.press("Home")
    tab.keyboard.press("ArrowRight")
    expect(tab.locator(".film")).to_have_attribute("data-step", "1")
    slider(tab, "a").focus()
    tab.keyboard.press("ArrowRight")
    expect(field(tab, "a")).to_have_value("3.01")
    expect(tab.locator(".film")).to_have_attribute("data-step", "1")


def test_a_drag_is_not_read_out_number_by_number(play, expect):
    tab = play(FORK, before=still)
    slider(tab, "a").fill("2")
    live = tab.locator(".film .words")
    tab.clock.run_for(1000)
    expect(live).to_have_attribute("aria-live", "off")
    tab.clock.run_for(1000)
    expect(live).to_have_attribute("aria-live", "polite")


STATES = {
    "start": {},
    "error": FORK | {"text": "f = a +"},
    "predict": FORK | {"mode": "predict"},
    "lesson": FORK | {"task": "Move a until the gradient of b is 4.", "hide": "text", "lock": "b"},
    "network": {"text": NETWORK},
    "trouble": {"text": "f = sqrt(x)", "numbers": "x:0"},
    "large": {"text": "f = " + " + ".join([f"a*{k}" for k in range(2, 40)])},
    "form": FORK,
}


@pytest.mark.parametrize("state", STATES)
def test_each_state_fits_each_screen_and_all_can_read_it(play, expect, state):
    from axe_playwright_python.sync_playwright import Axe

    tab = play(FORK, bypass_csp=True)  # axe is put into the page
    tab.evaluate("bits => (location.hash = bits)", urlencode(STATES[state]))
    signs = {
        "error": ".wrong", "predict": ".guess", "lesson": ".task", "trouble": ".trouble",
        "large": ".large",
    }  # fmt: skip
    expect(tab.locator(signs.get(state, "#picture"))).to_be_visible()
    if state == "start":
        tab.locator(".descent summary").click()
        tab.get_by_role("button", name="100 steps").click()
        expect(tab.locator(".plot svg")).to_be_visible()
    if state == "form":
        act(tab, "lesson").click()
    assert [tab.locator(tag).count() for tag in ("main", "h1")] == [1, 1]
    for scheme, size in (("light", WIDE), ("dark", NARROW)):
        tab.emulate_media(color_scheme=scheme)
        tab.set_viewport_size(size)
        wide = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
        assert tab.evaluate(wide) <= 0, "the page scrolls sideways"
        found = Axe().run(tab).response["violations"]
        assert [(x["id"], [n["html"][:99] for n in x["nodes"]]) for x in found] == []


def test_targets_are_large_enough_for_fingers(play):
    tab = play(FORK, viewport=NARROW, has_touch=True, is_mobile=True)
    small = tab.evaluate(
        """() => [...document.querySelectorAll("main :is(button, select, input, summary)")]
          .map(e => [e.getBoundingClientRect(), e.outerHTML])
          .filter(([box]) => box.width && (box.height < 40 || box.width < 40))
          .map(([, html]) => html.slice(0, 80))"""
    )
    assert small == []


def test_no_colour_stands_in_the_page_but_those_of_the_theme():
    colours = {c for pair in PALETTE.values() for c in pair}
    for name in ("page.css", "page.js", "parts.js"):
        text = files_text(name)
        found = set(re.findall(r"#[0-9a-f]{6}\b", text))
        assert found & colours == set() == found


def files_text(name):
    from microgrid.playground.files import PAGE

    return (PAGE / name).read_text(encoding="utf-8")
