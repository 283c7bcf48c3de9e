"""The usual mistakes by hand: of a backward pass, and of the value of a gate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import add, mul
from typing import Any

from microgrid.course.question import Exercise, Mistake, listed
from microgrid.engine import ops
from microgrid.engine.calculus import gradients
from microgrid.engine.ops import DISTRIBUTOR, ROUTER, SWITCHER
from microgrid.engine.trees import named
from microgrid.engine.value import Constant, Op, Value, topological
from microgrid.views.explanation import explain
from microgrid.views.rows import Row

Gradients = dict[Value, Any]
Pass = Callable[[Value, Sequence[Row]], Gradients]
Share = Callable[[Row, Any], Any]  # (row, upstream) -> the share that the student sends
Combine = Callable[[Any, Any], Any]  # (gradient so far, share that arrives) -> new gradient


def backward_pass(
    root: Value, rows: Sequence[Row], combine: Combine = add,
    share: Share = lambda row, upstream: row.local * upstream,
) -> Gradients:  # fmt: skip
    """A backward pass, right or with another share or another way to combine shares."""
    gradient: Gradients = {root: 1}
    for row in rows:
        v, sent = row.parent_node, share(row, gradient.get(row.child_node, 0))
        gradient[v] = combine(gradient[v], sent) if v in gradient else sent
    return gradient


def by_role(role: str, local: Callable[[Row], Any]) -> Pass:
    """A pass in which the gates of one role have another local gradient."""
    return partial(
        backward_pass,
        share=lambda row, upstream: (local(row) if row.role == role else row.local) * upstream,
    )


def operands(v: Value) -> int:
    return sum(not isinstance(p, Constant) for p in v.parents)


GRADIENT_MISTAKES: dict[str, Pass] = {  # hint: the backward pass with this mistake
    "You have the last share only: a value that is used several "
    "times gets the sum of all.": partial(backward_pass, combine=lambda held, share: share),
    "You have the first share only: a value that is used "
    "several times gets the sum of all.": partial(backward_pass, combine=lambda held, share: held),
    "The shares of several uses are added, not multiplied.": partial(backward_pass, combine=mul),
    "A multiply gate switches: each input gets the upstream times the *other* input.": by_role(
        SWITCHER, lambda row: row.parent_node.data
    ),
    "A router hands all of its upstream to the input that won, and nothing to the others.": by_role(
        ROUTER,
        lambda row: row.local if 0 < row.local < 1 else 1,  # a tie has no one winner
    ),
    "A router hands its upstream to the input that *won*; "
    "you gave it to the one that lost.": by_role(ROUTER, lambda row: 1 - row.local),
    "That is the local gradient alone: multiply it by the upstream, "
    "what comes from above.": partial(backward_pass, share=lambda row, upstream: row.local),
    "That is the upstream of the gate: multiply it by the local gradient.": lambda root, rows: {
        row.parent_node: row.upstream for row in rows
    },
    "An add gate hands its whole upstream to every input; it does not divide it.": by_role(
        DISTRIBUTOR, lambda row: row.local / operands(row.child_node)
    ),
    "A minus is missing: where does the sign turn on the way back?": partial(
        backward_pass, share=lambda row, upstream: abs(row.local) * upstream
    ),
    "That is its value (above the wire). The gradient says "
    "how the result moves with it.": lambda root, rows: {v: v.data for v in topological(root)},
    "The sign is wrong: if this number grows a little, does the result "
    "rise or fall?": lambda root, rows: {v: -g for v, g in backward_pass(root, rows).items()},
}


def gradient_mistakes(root: Value, rows: Sequence[Row] = ()) -> list[tuple[str, Gradients]]:
    """The hint of each usual mistake, and the numbers that it gives in this graph.

    The rows are those of `explain(root)`, unless others are given. No node changes.

    >>> x = Value(3.0)
    >>> {hint[:31]: g[x] for hint, g in gradient_mistakes(x + x)}["You have the last share only: a"]
    1
    """
    rows = rows or explain(root).rows
    return [(hint, run(root, rows)) for hint, run in GRADIENT_MISTAKES.items()]


def alone(root: Value, rows: Sequence[Row]) -> list[Row]:
    """A pass that gives the gates of these rows their upstreams, right away, and then sends these.

    So a mistake can be made in these rows, or in their sum, and nowhere before.
    """
    gates = {row.child_node: row.upstream for row in rows if row.child_node is not root}
    return [*[given(root, gate, upstream) for gate, upstream in gates.items()], *rows]


def given(root: Value, v: Value, gradient: Any) -> Row:
    """The row of a pass that gives a node its gradient."""
    return Row("", "", "", gradient, 1, gradient, gradient, root, v)


def share_mistakes(root: Value, rows: Sequence[Row]) -> Iterator[tuple[str, Any]]:
    """The hint of each usual mistake in the last of these rows of a pass, and its wrong total.

    It is made there alone, first beside the right total of the shares before, then without them;
    and then in all of the pass.

    >>> x = Value(3.0)
    >>> [(hint[:31], wrong) for hint, wrong in share_mistakes(x + x, explain(x + x).rows)][0]
    ('You have the last share only: a', 1.0)
    """
    *_, last = rows
    v = last.parent_node
    before = [row.total for row in rows[:-1] if row.parent_node is v][-1:]
    here = alone(root, [last])
    for told in ([*[given(root, v, x) for x in before], *here], here, rows):
        for hint, wrong in gradient_mistakes(root, told):
            if v in wrong:
                yield hint, wrong[v]


def gradients_of(
    question: str, root: Value, names: Iterable[str], own: Mapping[str, Any], why: str = ""
) -> Exercise:
    """The exercise to give the gradients of the named nodes, as a dict.

    Its `own` mistakes, {hint: wrong gradients by name or by node}, come before the usual ones.
    """
    nodes = {name: named(root)[name] for name in names}
    mistakes = [*listed(own), *[Mistake(wrong, hint) for hint, wrong in gradient_mistakes(root)]]
    for i, (wrong, hint) in enumerate(mistakes):
        keys = {name: v if v in wrong else name for name, v in nodes.items()}
        mistakes[i] = Mistake({k: wrong[key] for k, key in keys.items() if key in wrong}, hint)
    right = dict(zip(nodes, gradients(root, list(nodes.values()))))
    return Exercise(question, right, mistakes, why)


NOT_KNOWN = "This number is not one of the usual mistakes: go through the step again."
SIGN = "The sign is wrong."
VALUE_MISTAKES: dict[Op, dict[str, Callable[..., Any]]] = {  # gate: hint: the wrong value
    ops.add: {
        "An add gate adds; you multiplied.": lambda a, b: a * b,
        "Add with the signs: a negative number makes the sum smaller.": lambda a, b: a - b,
    },
    ops.sub: {
        "First minus second: the upper wire is the first.": lambda a, b: b - a,
        "This gate takes the second number away; you added it.": lambda a, b: a + b,
    },
    ops.mul: {
        "A multiply gate multiplies; you added.": lambda a, b: a + b,
        "The sign of a product: minus times minus is plus.": lambda a, b: -a * b,
    },
    ops.maximum: {
        "max hands on the larger of the two; you took the smaller.": min,
        "max hands on one of the two numbers; it does not add them.": lambda a, b: a + b,
    },
    ops.relu: {
        "relu hands on what is above 0, and gives 0 for what is below.": lambda x: x,
        "relu gives 0 only for what is below 0.": lambda x: 0 * x,
        "relu is not |x|: what is below 0 becomes 0.": abs,
    },
    ops.square: {
        "x² is x · x, not 2 · x.": lambda x: 2 * x,
        "The square of a negative number is positive.": lambda x: -x * x,
    },
    ops.neg: {"This gate turns the sign.": lambda x: x},
}


def value_mistakes(v: Value, operands: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """The hint of each usual mistake, and the value that it gives at v with these operands."""
    if v.op:
        for hint, wrong in VALUE_MISTAKES.get(v.op, {}).items():
            yield hint, wrong(*operands)
        yield SIGN, -v.op.forward(*operands)
