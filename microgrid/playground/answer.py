"""The playground's questions and answers: a dict in, a dict out, or both as JSON.

The same answers stand behind `microgrid play`, in a browser's Python and in a notebook; nothing
here needs NumPy. An answer depends on its question alone. What is kept are drawings: one may have
numbers of an earlier question, in whose place the film of the answer puts its own.

Each question has `ask`, and about a circuit `text`, `numbers` of leaves by name, and `digits`:

- circuit: its film, result, leaves and trouble; with `table` and `rows` these, too. `svg` is there
  unless the page `have`s its key, or there are more than `most` gates; `folded` are the pictures
  with closed blocks. While a number moves, `brief` asks for what moves, with the words of `frame`.
- guess: whether `guess` is the total of row `to` of a `frame`; the hint of a usual mistake if not
- nudge: how far the result moves when a `leaf` moves `by` a little, and what the gradient says
- descend: `steps` of descent at a `rate`, in which the `fixed` leaves do not move
- copy: the circuit `as` python, latex, svg or worksheet
- examples: the menu
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from microgrid.engine.errors import MicrogridError
from microgrid.engine.value import Value, topological
from microgrid.playground import copies, moves
from microgrid.playground.circuits import Source, circuit, put_in_blocks, read
from microgrid.playground.examples import EXAMPLES
from microgrid.playground.predict import asked, judged
from microgrid.playground.questions import (
    Answer,
    Question,
    Refused,
    is_finite,
    number,
    numbers,
    plain,
    text,
    whole,
)
from microgrid.views.expression import Circuit, ExpressionError
from microgrid.views.files import LayoutError
from microgrid.views.notation import called, caption
from microgrid.views.picture import Layout, lay_out
from microgrid.views.rows import Row
from microgrid.views.stepper import Steps, steps
from microgrid.views.storyboard import QuietStory
from microgrid.views.tables import short
from microgrid.views.wording import MOST_DECIMALS, lowered, plural, printable, signed

MOST_DRAWINGS = 50
MOST_FOLDED = 20  # blocks: there is a picture for each
SECONDS = 10.0  # for one layout
COPIES = {"python": ("py", "text/x-python"), "latex": ("tex", "text/x-tex"),
          "svg": ("svg", "image/svg+xml"), "worksheet": ("html", "text/html")}  # fmt: skip


class Playground:
    """Answers the questions of the page, several at once if need be.

    `layout` is that of `steps`; by default a layout program gets ten seconds. With a `source`, such
    as `Graph(root)`, the questions are about its circuit, and not about a text.

    >>> answer = Playground().answer({"ask": "circuit", "text": "w*x + b", "numbers": {"x": -2}})
    >>> answer["result"]["value"], [leaf["gradient"] for leaf in answer["leaves"]]
    (-1.0, [-2.0, 1.0, 1.0])
    """

    def __init__(
        self, layout: Layout | None = None, source: Source | None = None, prefix: str = "p-"
    ) -> None:
        self.layout = layout or partial(lay_out, format="svg", dpi=72, timeout=SECONDS)
        self.source, self.prefix = source, prefix
        self.drawings: dict[str, list[str]] = {}  # by the keys of films
        self.questions: dict[str, Callable[[Question], Answer]] = {
            "circuit": self.circuit, "guess": self.guess, "nudge": self.nudge,
            "descend": self.descend, "copy": self.copy, "examples": self.examples,
        }  # fmt: skip

    def reply(self, question: str) -> str:
        """The answer to a question, both as JSON."""
        try:
            asked = json.loads(question)
        except (ValueError, RecursionError):
            asked = None
        answer = self.answer(asked)
        return json.dumps(answer, allow_nan=False, separators=(",", ":"), ensure_ascii=False)

    def answer(self, question: Any) -> Answer:
        """The answer to a question; {"error": …} for one that cannot be answered."""
        try:
            if not isinstance(question, dict) or question.get("ask") not in [*self.questions]:
                raise Refused(f"a question is an object that asks for {', '.join(self.questions)}")
            return self.questions[question["ask"]](question)
        except ExpressionError as error:
            return failed(error.reason, error.line or 0, error.column or 0)
        except (MicrogridError, Refused) as error:
            return failed(str(error))
        except Exception as error:  # of somebody's own operation, or of ours: a page has no log
            return failed(f"a fault of the engine: {type(error).__name__}: {error}")

    # What a question is about

    def source_of(self, question: Question) -> Source:
        return self.source or partial(circuit, text(question, "text"))

    def circuit_of(self, question: Question) -> Circuit:
        found = self.source_of(question)(numbers(question))
        if self.source is None:
            put_in_blocks([*found.lines.values(), found.root])
        return found

    def film_of(self, question: Question) -> tuple[Circuit, Steps]:
        found = self.circuit_of(question)
        return found, steps(found.root, digits(question), self.layout, self.prefix)

    def quiet(self, found: Circuit, question: Question, frame: int) -> Steps:
        """The film with the words of one frame alone."""
        board = QuietStory(found.root, digits(question), frame)
        return Steps(found.root, board, self.layout, self.prefix)

    # The answers

    def circuit(self, question: Question) -> Answer:
        return (question.get("brief") and self.moving(question)) or self.at_rest(question)

    def moving(self, question: Question) -> Answer | None:
        """What changes while a number moves: None where the drawing does."""
        found, k = self.circuit_of(question), whole(question, "frame", 0, 0, 999)
        film = self.quiet(found, question, k)
        if film.key != question.get("have"):
            return None
        data = film.data()
        frames = dict([*enumerate(data["frames"])][k : k + 1])
        told_now = {"spans": data["spans"], "frames": frames}
        return {"key": film.key, "film": told_now, **told(found, film)}

    def at_rest(self, question: Question) -> Answer:
        found, film = self.film_of(question)
        answer = {"film": film.data(), **told(found, film)}
        if question.get("table"):
            answer["table"] = film.table()
        if question.get("rows"):
            answer["rows"] = rows(film)
        most, drawn = whole(question, "most", 200, 0, 200), question.get("have") == film.key
        try:
            if answer["gates"] > most and not drawn:
                raise LayoutError(f"{plural(answer['gates'], 'gate')}: to draw them takes a while")
            if not drawn:
                answer["svg"], *_ = self.drawn(film.key, lambda: [film.svg()])
        except LayoutError as error:
            return answer | {"undrawn": str(error)}
        if question.get("folded"):
            answer["folded"] = []
            with suppress(LayoutError):  # the whole picture is there
                if len(answer["film"]["homes"]) <= MOST_FOLDED:
                    answer["folded"] = self.drawn(f"{film.key} folded", film.folded)
        return answer | {"key": film.key}

    def drawn(self, key: str, draw: Callable[[], list[str]]) -> list[str]:
        """The pictures of a film, or those of another one with the same key."""
        found = self.drawings[key] = self.drawings.pop(key, []) or draw()
        for old in [*self.drawings][:-MOST_DRAWINGS]:
            self.drawings.pop(old, [])
        return found

    def guess(self, question: Question) -> Answer:
        found = self.circuit_of(question)
        film = self.quiet(found, question, -1)
        k = whole(question, "frame", -1, 0, len(film.frames) - 1)
        here = film.frames[k].rows
        if not here:
            raise Refused(f"frame: nothing is sent back in {k}")
        i = whole(question, "to", -1, 0, len(here) - 1)
        before = [row for frame in film.frames[:k] for row in frame.rows]
        so_far = [*before, *here[: i + 1]]
        return judged(found.root, so_far, digits(question), text(question, "guess"))

    def nudge(self, question: Question) -> Answer:
        source, by = self.source_of(question), number("by", question.get("by", 0.01))
        leaf = text(question, "leaf")
        return moves.nudge(source, numbers(question), leaf, by, digits(question))

    def descend(self, question: Question) -> Answer:
        rate, fixed = number("rate", question.get("rate", 0.1)), question.get("fixed", [])
        if not isinstance(fixed, list):
            raise Refused("fixed: a list of names is needed")
        count = whole(question, "steps", 1, 1, 1000)
        return moves.descend(self.source_of(question), numbers(question), rate, count, fixed)

    def copy(self, question: Question) -> Answer:
        kind = text(question, "as")
        if kind not in COPIES:
            raise Refused(f"as: there are {', '.join(COPIES)}")
        suffix, mime = COPIES[kind]
        name = f"circuit.{suffix}"
        found, film = self.film_of(question)
        if kind == "python":
            if self.source:
                raise Refused("this graph was made in Python")
            written = copies.python(read(text(question, "text")), found)
        elif kind == "latex":
            written = copies.formulas(found)
        elif kind == "svg":
            written = film.layout.pipe("svg", encoding="utf-8")
        else:
            written = copies.worksheet(found, digits(question), self.layout)
        return {"text": written, "name": name, "kind": mime}

    def examples(self, question: Question) -> Answer:
        return {"examples": [example.told() for example in EXAMPLES]}


def digits(question: Question) -> int:
    return whole(question, "digits", 2, 0, MOST_DECIMALS)


def failed(message: str, line: int = 0, column: int = 0) -> Answer:
    message = printable(" ".join(message.split("\n")[0].split()))
    return {"error": {"message": message, "line": line, "column": column}}


# What is said beside the film


def told(found: Circuit, film: Steps) -> Answer:
    """The result and the leaves, with the gradients that have arrived there."""
    place = {v: i for i, v in enumerate(topological(found.root))}
    gradient = {found.root: 1.0} | {row.parent_node: row.total for row in all_rows(film)}
    end = found.root
    return {
        "gates": sum(v.op is not None for v in place),
        "result": {"name": end.label, "shown": lowered(end.label), "value": plain(end.data),
                   "wire": f"{film.prefix}n{place[end]}"},
        "leaves": [
            {"name": name, "shown": lowered(name), "value": plain(v.data),
             "gradient": plain(gradient.get(v, 0.0)),
             "wire": f"{film.prefix}n{place[v]}" if v in place else None}
            for name, v in found.leaves.items()
        ],
        "notes": [*found.notes, *unused(found, place)],
        "trouble": trouble(film, place),
    }  # fmt: skip


def unused(found: Circuit, used: Collection[Value]) -> list[str]:
    """That some leaves and lines do nothing for the result, if it is so."""
    aside = [name for name, v in {**found.leaves, **found.lines}.items() if v not in used]
    names = ", ".join(map(lowered, aside))
    end = lowered(found.root.label)
    return [f"{end} does not depend on {names}: not drawn"] * bool(aside)


def all_rows(film: Steps) -> list[Row]:
    return [row for frame in film.frames for row in frame.rows]


def rows(film: Steps) -> dict[str, list[Answer]]:
    """The rows of each frame that has some, each with its question to the reader."""
    questions = asked(all_rows(film))
    return {
        str(k): [
            {"to": called(row.parent_node),
             "gate": caption(row.child_node), "local": plain(row.local),
             "upstream": plain(row.upstream), "share": plain(row.share),
             "total": plain(row.total), "rule": row.rule.symbols(), "question": next(questions)}
            for row in frame.rows
        ]
        for k, frame in enumerate(film.frames) if frame.rows
    }  # fmt: skip


def trouble(film: Steps, place: Mapping[Value, int]) -> Answer | None:
    """The first number of the pass that is not finite, and where it stands."""

    def shown(x: Any) -> str:
        return signed(short(x))

    for v, i in place.items():
        if not is_finite(v.data):
            words = f"{called(v)} is {shown(v.data)}, the first number that is not finite"
            return {"words": words, "node": f"{film.prefix}n{i}"}
    for row in all_rows(film):
        if not is_finite(row.total):
            factors = f"local {shown(row.local)} × upstream {shown(row.upstream)}"
            sends = f"{caption(row.child_node)} sends {factors} = {shown(row.share)} to"
            end = f"{called(row.parent_node)}: the first gradient that is not finite"
            return {"words": f"{sends} {end}", "node": f"{film.prefix}g{place[row.child_node]}"}
    return None
