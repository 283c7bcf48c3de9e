"""Questions about a graph: its numbers are right, and its slips are the usual mistakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from microgrid.course.exercise import Exercise, Mistake
from microgrid.course.mistakes import slips
from microgrid.engine.calculus import gradients
from microgrid.engine.value import Value
from microgrid.matrices.examples import named


def gradients_of(
    question: str, build: Callable[[], Value], names: Sequence[str], **options: Any
) -> Exercise:
    """The exercise to give the gradients of the named nodes, as a dict."""
    root = build()
    nodes = {name: named(root)[name] for name in names}
    right = dict(zip(nodes, gradients(root, list(nodes.values()))))
    mistakes = [
        Mistake({name: wrong[v] for name, v in nodes.items() if v in wrong}, hint)
        for hint, wrong in slips(root)
    ]
    return Exercise(question, right, mistakes, **options)
