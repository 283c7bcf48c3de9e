"""The playground in a notebook: other numbers in a graph that stays as it is."""

from fractions import Fraction

import pytest
from hypothesis import given
from shared.circuits import numbers, texts
from shared.strategies import programs

import microgrid as mg
from microgrid.engine.errors import GraphError
from microgrid.engine.labels import scope_of
from microgrid.engine.value import Constant, topological
from microgrid.playground import notebook
from microgrid.playground.circuits import Graph, circuit
from microgrid.playground.files import read, script, style
from microgrid.playground.notebook import replied


@given(texts(), numbers, numbers)
def test_a_graph_with_other_numbers_is_that_of_the_same_text_with_them(text, one, two):
    again, anew = Graph(circuit(text, one).root)(two), circuit(text, two)
    assert again.root.data == anew.root.data
    for x, y in zip(topological(again.root), topological(anew.root), strict=True):
        assert (x.data, x.label, x.op) == (y.data, y.label, y.op)


@given(programs())
def test_without_other_numbers_the_graph_is_computed_exactly_as_it_was_and_stays(program):
    root = program.nodes(mg.Value)[-1]
    root.backward()
    before = [(v.data, v.grad, v.label) for v in topological(root)]
    again = Graph(root)({})
    assert type(again.root.data) is Fraction
    assert again.root.data == root.data
    assert mg.gradients(again.root)[again.root] == 1
    assert [(v.data, v.grad, v.label) for v in topological(root)] == before
    assert not {*topological(root)} & {
        v for v in topological(again.root) if not isinstance(v, Constant)
    }


def test_leaves_without_a_name_and_of_one_name_can_be_told_apart():
    a, b, c, x = mg.Value(1.0), mg.Value(2.0, "w"), mg.Value(3.0, "w"), mg.Value(4.0, "x_1")
    shown = mg.play(a * b + c * x)
    assert repr(shown) == "<Play: 3 gates, leaves x_2, w (1), w (2), x_1; a notebook shows it>"
    answer = shown.answer({"ask": "circuit", "numbers": {"w (2)": 10}})
    assert answer["result"]["value"] == 42.0
    gradients = {leaf["name"]: leaf["gradient"] for leaf in answer["leaves"]}
    assert [leaf["shown"] for leaf in answer["leaves"]] == ["x₂", "w (1)", "w (2)", "x₁"]
    assert gradients == {"x_2": 2.0, "w (1)": 1.0, "w (2)": 4.0, "x_1": 10.0}
    assert (a.label, c.data) == ("", 3.0)


def test_scopes_are_blocks_and_operations_of_ones_own_compute_again():
    twice = mg.custom_op("twice", lambda x: 2 * x, lambda y, x: 2.0)
    x = mg.Value(3.0, "x")
    with mg.scope("first"):
        h = mg.tanh(twice(x)) + 1
    with mg.scope("second"):
        y = mg.tanh(twice(h)) + 1
    shown = mg.play(y, decimals=4)
    answer = shown.answer({"ask": "circuit", "numbers": {"x": 0}})
    scopes = [scope_of(v) for v in topological(y)]
    assert [scope_of(v) for v in topological(Graph(y)({}).root)] == scopes
    assert answer["leaves"][0]["gradient"] == pytest.approx(4 * (1 - mg.tanh(2.0) ** 2))
    assert any(span[3] == "0.0000" for span in answer["film"]["spans"])
    assert "made in Python" in shown.answer({"ask": "copy", "as": "python"})["error"]["message"]


def test_what_cannot_be_is_said():
    x = mg.Value(3.0, "x")
    chosen = mg.play(mg.where(x > 0, x, 5.0)).answer({"ask": "circuit", "numbers": {"x": -1}})
    assert (chosen["result"]["value"], len(chosen["notes"])) == (-1.0, 1)
    failing = mg.custom_op("half", lambda x: {3.0: 1.5}[x], lambda y, x: 0.5)
    told = mg.play(failing(x)).answer({"ask": "circuit", "numbers": {"x": 4}})
    assert told["error"]["message"] == "half: 4.0"
    nudged = mg.play(failing(x)).answer({"ask": "nudge", "leaf": "x"})
    assert "has no value there: half: 3.01" in nudged["sentence"]
    without_slope = mg.custom_op("half", lambda x: x / 2, lambda y, x: {3.0: 0.5}[x])
    told = replied(mg.play(without_slope(x)), {"question": {"ask": "circuit", "numbers": {"x": 4}}})
    assert told["answer"]["error"]["message"] == "a fault of the engine: KeyError: 4.0"
    with pytest.raises(GraphError, match="201 gates: there may be 200"):
        mg.play(sum([x] * 201, x))


def shown_in_a_notebook(monkeypatch, shown):
    """What it displays, piece by piece."""
    pieces = []
    monkeypatch.setattr("IPython.display.display", lambda x, **_: pieces.append(x))
    shown._ipython_display_()
    return pieces


def test_a_notebook_shows_the_film_and_over_it_the_page(monkeypatch):
    film, page = shown_in_a_notebook(monkeypatch, mg.play(mg.Value(2.0, "x") ** 2))
    assert "<img" in film["text/html"]
    assert f'data-play="{page.film}"' in film["text/html"]
    sent = []
    page.send = sent.append
    page._handle_custom_msg({"id": "7", "question": {"ask": "circuit", "most": 0}}, [])
    page._handle_custom_msg("hello", [])
    assert (sent[0]["id"], sent[0]["answer"]["result"]["value"]) == ("7", 4.0)
    assert "error" in sent[1]["answer"]


def test_without_anywidget_there_is_the_film_and_the_word_to_install(monkeypatch):
    monkeypatch.setattr(notebook, "widget", lambda: None)
    (film,) = shown_in_a_notebook(monkeypatch, mg.play(mg.Value(2.0, "x") ** 2))
    assert "anywidget" in film["text/html"]


HOST = """async ([code, film]) => {  // what anywidget does with a module
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const { default: { render } } = await import(url);
  const hear = new Set();
  const model = {
    get: () => film, on: (_, f) => hear.add(f), off: (_, f) => hear.delete(f),
    send: async message => { const found = await reply(message); for (const f of hear) f(found); },
  };
  window.dispose = render({ model, el: document.querySelector("#out") });
}"""


def test_the_page_asks_the_kernel_and_stands_in_the_place_of_the_film(chromium):
    x, w = mg.Value(2.0, "x"), mg.Value(3.0, "w")
    shown = mg.play(w * x * x)
    tab = chromium.new_page()
    wrong = []

    def film(id):  # each session counts its pages anew
        return f'<p id="{id}" data-play="{shown._prefix}">film</p>'

    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.expose_function("reply", lambda message: replied(shown, message))
    tab.set_content(
        f'<style>{style("")}</style>{film("older")}{film("own")}<div id="out"></div>{film("below")}'
    )
    tab.evaluate(HOST, [f"{script()}\n{read('notebook.js')}", shown._prefix])
    tab.get_by_text("12.00").first.wait_for()
    assert [tab.locator(id).is_hidden() for id in ("#older", "#own", "#below")] == [0, 1, 0]
    assert tab.locator("textarea").first.is_hidden()
    tab.locator("input[type=number][data-leaf=x]").fill("5")
    tab.locator("[data-gradient=x]", has_text="30.00").wait_for()
    assert tab.locator("[data-result]").inner_text() == "75.00"
    tab.keyboard.press("Control+y")  # nothing to do again
    tab.locator("input[type=range][data-leaf=x]").focus()
    tab.keyboard.press("Control+z")
    tab.locator("[data-gradient=x]", has_text="12.00").wait_for()
    tab.evaluate("dispose()")
    assert tab.locator("#own").is_visible()
    assert wrong == []
    assert x.data == 2.0
    tab.close()
