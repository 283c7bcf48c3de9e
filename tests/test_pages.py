"""Every page that the package writes, in a real browser: all can read it, on any screen."""

from html import escape

import pytest
from shared.results import RESULTS

import microgrid as mg
from microgrid import nn
from microgrid.check import layer
from microgrid.course import worksheet
from microgrid.views.theme import PALETTE
from microgrid.views.written import Written, page


def network():
    x = [mg.Value(0.5, "x_1"), mg.Value(-1.0, "x_2")]
    loss = nn.MLP(2, [4, 1], seed=1)(x) ** 2
    loss.label = "L"
    return loss


def wrong_layer():
    """A report with a mistake, a right gradient and terms."""

    def forward(X, W, b):
        return X @ W + b, (X, W)

    def backward(dY, cache):
        X, W = cache
        return dY @ W.T, X.T @ dY / len(X), dY.sum(axis=0)

    return layer(forward, backward)


def made(name):
    def make():
        result = RESULTS[name][0]()
        return result.html() if not isinstance(result, Written) else page(result)

    return make


PAGES = {name: made(name) for name, (_, kinds) in RESULTS.items() if ".html" in kinds} | {
    "steps of a network": lambda: mg.steps(network()).html(),
    "steps forward": lambda: mg.steps(mg.examples.sigmoid_circuit(), mode="forward").html(),
    "answers": lambda: worksheet(7, "forks", n=2).html(answers=True),
    "layers": lambda: wrong_layer().html(),
    "wide": lambda: page(mg.explain(network())),
}
VIEWS = [("light", 1280), ("dark", 400)]  # which have all rules of the palette and of widths
CONTRAST = """() => {
  const light = s => {
    const [r, g, b] = s.match(/[\\d.]+/g).map(x => x / 255).map(
      x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = e => {
    for (; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (color !== "rgba(0, 0, 0, 0)") return color;
    }
  };
  return [...document.querySelectorAll("svg text")].filter(
    e => e.textContent.trim() && getComputedStyle(e).visibility === "visible"
  ).map(e => {
    const [low, high] = [getComputedStyle(e).fill, ground(e)].map(light).sort((a, b) => a - b);
    return [(high + 0.05) / (low + 0.05), e.textContent];
  }).filter(([ratio]) => ratio < 4.5);
}"""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_each_screen_and_all_can_read_it(name, visit):
    from axe_playwright_python.sync_playwright import Axe

    tab = visit(PAGES[name](), viewport={"width": 1280, "height": 800})
    assert [tab.locator(tag).count() for tag in ("main", "h1")] == [1, 1]
    for scheme, width in VIEWS:
        tab.emulate_media(color_scheme=scheme)
        tab.set_viewport_size({"width": width, "height": 800})
        wide = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
        assert tab.evaluate(wide) <= 0, "the page scrolls sideways"
        ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == rgb(PALETTE["bg"][scheme == "dark"])
        found = Axe().run(tab).response["violations"]
        assert [(x["id"], [n["html"][:99] for n in x["nodes"]]) for x in found] == []
        assert tab.evaluate(CONTRAST) == []


def rgb(color):
    return f"rgb({', '.join([str(int(color[i : i + 2], 16)) for i in (1, 3, 5)])})"


def test_every_result_with_html_is_among_the_pages():
    def ends(kind):
        below = [x for each in kind.__subclasses__() for x in ends(each)]
        return below or [kind]

    named = {k.__name__ for k in ends(Written) if k.__module__.startswith("microgrid")}
    assert named - {"LayerReport"} <= {*RESULTS}


def test_the_words_of_users_are_no_tags_on_any_page():
    x = mg.Value(2.0, "<i>&")
    for result in (mg.explain(x * x), mg.explain(x * x, mode="forward"), mg.explain(x * x, of=x)):
        assert "<i>" not in page(result)
        assert escape("<i>&") in page(result)
