"""Questions about the gradients of a graph, with the usual mistakes of a backward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from microgrid.course.exercise import Exercise, Mistake, Mistakes, listed
from microgrid.course.mistakes import gradient_mistakes
from microgrid.engine.calculus import gradients
from microgrid.engine.value import Value
from microgrid.matrices.examples import named


def gradients_of(
    question: str, build: Callable[[], Value], names: Sequence[str], why: str = "",
    before: Mistakes = (), after: Mistakes = (),
) -> Exercise:  # fmt: skip
    """The exercise to give the gradients of the named nodes, as a dict.

    The mistakes `before` and `after` come before and after the usual ones.
    """
    root = build()
    nodes = {name: named(root)[name] for name in names}
    right = dict(zip(nodes, gradients(root, list(nodes.values()))))
    usual = [
        Mistake({name: wrong[v] for name, v in nodes.items() if v in wrong}, hint)
        for hint, wrong in gradient_mistakes(root)
    ]
    return Exercise(question, right, [*listed(before), *usual, *listed(after)], why)
