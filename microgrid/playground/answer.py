"""The playground's questions and answers: a dict in, a dict out, or both as JSON.

The same answers stand behind `microgrid play` and in a browser's Python; nothing here needs NumPy.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from microgrid.engine.errors import MicrogridError
from microgrid.engine.value import topological
from microgrid.playground.circuits import Refused, circuit
from microgrid.views.expression import Circuit, ExpressionError
from microgrid.views.notation import caption
from microgrid.views.picture import Layout
from microgrid.views.stepper import Steps, steps
from microgrid.views.wording import lowered

PREFIX = "p-"
MOST_DRAWINGS = 50
Answer = dict[str, Any]


class Playground:
    """Answers the questions of the page; what it keeps are drawings, which change no answer."""

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout
        self.drawings: dict[str, str] = {}
        self.questions: dict[str, Callable[[Answer], Answer]] = {"circuit": self.circuit}

    def reply(self, text: str) -> str:
        """The answer to a question, both as JSON."""
        try:
            question = json.loads(text)
        except (ValueError, RecursionError):
            return written({"error": error("the question is no JSON")})
        return written(self.answer(question))

    def answer(self, question: Any) -> Answer:
        """The answer to a question; {"error": …} for one that cannot be answered."""
        start = time.perf_counter()
        try:
            if not isinstance(question, dict) or question.get("ask") not in self.questions:
                raise Refused(f"a question asks for one of {', '.join(self.questions)}")
            found = self.questions[question["ask"]](question)
        except ExpressionError as wrong:
            return {"error": error(wrong.reason, wrong.line or 0, wrong.column or 0)}
        except (MicrogridError, Refused) as wrong:
            return {"error": error(str(wrong))}
        return {**found, "ms": round((time.perf_counter() - start) * 1e3, 1)}

    def circuit(self, question: Answer) -> Answer:
        found = circuit(text_of(question), numbers_of(question))
        film = steps(found.root, whole(question, "digits", 2, 0, 6), self.layout, PREFIX)
        answer = {"key": film.key, "film": film.data(), "table": film.table(), **told(found, film)}
        if question.get("have") != film.key and question.get("draw", True):
            answer["svg"] = self.drawing(film)
        return answer

    def drawing(self, film: Steps) -> str:
        """The picture of a film, or of another one with the same key."""
        self.drawings[film.key] = self.drawings.pop(film.key, "") or film.svg()
        for key in [*self.drawings][:-MOST_DRAWINGS]:
            del self.drawings[key]
        return self.drawings[film.key]


def told(found: Circuit, film: Steps) -> Answer:
    """What the page says beside the film."""
    order = topological(found.root)
    place = {v: i for i, v in enumerate(order)}
    rows = [row for frame in film.frames for row in frame.rows]
    gradient = {found.root: 1.0} | {row.parent_node: row.total for row in rows}
    return {
        "gates": sum(v.op is not None for v in order),
        "result": {"name": lowered(found.root.label), "value": plain(found.root.data)},
        "leaves": [
            {"name": name, "shown": lowered(name), "value": plain(v.data),
             "gradient": plain(gradient.get(v, 0.0)),
             "wire": f"{PREFIX}n{place[v]}" if v in place else None}
            for name, v in found.leaves.items()
        ],
        "rows": {k: [row_told(row) for row in f.rows] for k, f in enumerate(film.frames) if f.rows},
        "notes": found.notes,
        "trouble": None,
    }  # fmt: skip


def row_told(row: Any) -> Answer:
    return {
        "to": lowered(row.parent_node.label) or caption(row.parent_node),
        "gate": caption(row.child_node), "local": plain(row.local),
        "upstream": plain(row.upstream), "share": plain(row.share), "total": plain(row.total),
        "rule": row.rule.symbols(),
    }  # fmt: skip


# What a question holds


def text_of(question: Mapping[str, Any]) -> str:
    text = question.get("text")
    if not isinstance(text, str):
        raise Refused("text: a circuit is needed, such as w*x + b")
    return text


def numbers_of(question: Mapping[str, Any]) -> dict[str, float]:
    numbers = question.get("numbers", {})
    if not isinstance(numbers, dict):
        raise Refused("numbers: an object is needed, such as {'x': 2}")
    return {name: number(f"numbers: {name}", x) for name, x in numbers.items()}


def number(name: str, x: Any) -> float:
    """A finite number."""
    try:
        if isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x):
            return float(x)
    except OverflowError:
        pass
    raise Refused(f"{name} needs a finite number")


def whole(question: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    x = question.get(name, default)
    if isinstance(x, bool) or not isinstance(x, int) or not least <= x <= most:
        raise Refused(f"{name}: a whole number from {least} to {most} is needed")
    return x


# What an answer holds


def plain(x: Any) -> float | str:
    """A number as JSON has it, else by its name: inf, -inf, nan."""
    near = float(x)
    return near if math.isfinite(near) else str(near)


def error(message: str, line: int = 0, column: int = 0) -> Answer:
    return {"message": message, "line": line, "column": column}


def written(answer: Answer) -> str:
    return json.dumps(answer, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
