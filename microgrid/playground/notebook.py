"""The playground in a notebook: the page of a graph that is there already."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from itertools import count
from typing import Any

from microgrid.engine.errors import GraphError
from microgrid.engine.extras import install
from microgrid.engine.hints import Hinted
from microgrid.engine.settings import whole
from microgrid.engine.value import Value
from microgrid.playground.answer import Playground
from microgrid.playground.circuits import Graph
from microgrid.playground.files import read, script, style
from microgrid.playground.questions import Refused
from microgrid.views.picture import Layout
from microgrid.views.stepper import steps
from microgrid.views.wording import MOST_DECIMALS

NUMBERS = count(1)  # of the pages of this process: each has ids of its own


def play(root: Value, decimals: int = 2, layout: Layout | None = None) -> Play:
    """The playground for a graph: sliders on its leaves, its picture, its passes step by step.

    A notebook shows it in place, where `anywidget` is installed and the kernel answers; elsewhere
    the film of `steps` stands there. The graph is computed again by its own operations in nodes of
    its own: no node of yours changes. `decimals` and `layout` are those of `steps`. GraphError for
    more than 200 gates, ParameterError for decimals that cannot be. For a circuit that is typed,
    there is `microgrid play` on the command line.

    >>> x, w = Value(2.0, "x"), Value(3.0, "w")
    >>> play(w * x + x)
    <Play: 2 gates, leaves w, x; a notebook shows it>
    """
    return Play(root, whole("decimals", decimals, 0, most=MOST_DECIMALS), layout)


class Play(Hinted):
    """A graph to play with in a notebook; `play` makes it.

    >>> from microgrid import play
    >>> shown = play(Value(2.0, "x") ** 2)
    >>> shown.answer({"ask": "circuit", "numbers": {"x": 5}})["result"]["value"]
    25.0
    """

    def __init__(self, root: Value, decimals: int, layout: Layout | None) -> None:
        try:
            self._source = Graph(root)
        except Refused as error:
            raise GraphError(f"{error} in a graph to play with") from None
        self._film = steps(root, decimals, layout)
        self._decimals, self._prefix = decimals, f"play{next(NUMBERS)}-"
        self._playground = Playground(layout, self._source, self._prefix)

    def __repr__(self) -> str:
        gates = sum(v.op is not None for v in self._source.order)
        leaves = ", ".join(self._source.leaves)
        return f"<Play: {gates} gates, leaves {leaves}; a notebook shows it>"

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """The answer to a question of the page, such as {"ask": "circuit", "numbers": {"x": 2}}."""
        return self._playground.answer({**question, "digits": self._decimals})

    def _ipython_display_(self) -> None:
        """The film, for whoever has no kernel; and the page, which hides it where there is one."""
        made, more = widget(), ""
        if made is None:
            more = f"<p>With sliders, where anywidget is installed: {install('play')}</p>"
        html = f'<div data-play="{self._prefix}">{self._film._repr_html_()}{more}</div>'
        display: Callable[..., None] = import_module("IPython.display").display
        display({"text/html": html, "text/plain": repr(self)}, raw=True)
        if made is not None:
            display(made(self))


@cache
def widget() -> Any:
    """The class of the page as a widget; None where anywidget is not installed."""
    try:
        anywidget, traitlets = import_module("anywidget"), import_module("traitlets")
    except ModuleNotFoundError:
        return None

    class Page(anywidget.AnyWidget):  # type: ignore[misc,name-defined]
        """The page: its questions are the widget's messages."""

        _esm, _css = f"{script()}\n{read('notebook.js')}", style(ground="")
        film = traitlets.Unicode().tag(sync=True)  # the prefix of what it stands for

        def __init__(self, shown: Play) -> None:
            super().__init__(film=shown._prefix)
            self.on_msg(lambda _, message, __: self.send(replied(shown, message)))

    return Page


def replied(shown: Play, message: Any) -> dict[str, Any]:
    """The answer to a message of the page."""
    known = message if isinstance(message, dict) else {}
    question = known.get("question")
    answer = shown.answer(question if isinstance(question, dict) else {})
    return {"id": known.get("id"), "answer": answer}
