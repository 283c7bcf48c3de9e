"""The usual mistakes of a backward pass by hand: each is such a pass, and gives its own numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from microgrid.engine.ops import DISTRIBUTOR, ROUTER, SWITCHER
from microgrid.engine.value import Constant, Value, topological
from microgrid.views.explanation import Row, explain

Gradients = dict[Value, Any]
Local = Callable[[Row], Any]  # the local gradient as somebody takes it
Combine = Callable[[Any, Any], Any]  # what a node holds, and the share that arrives


class Slip(NamedTuple):
    """A way to go wrong, and what helps."""

    hint: str
    run: Callable[[Value, Sequence[Row]], Gradients]


def walked(
    root: Value, rows: Sequence[Row], local: Local = lambda row: row.local,
    combine: Combine = lambda held, share: held + share, upstream: bool = True,
) -> Gradients:  # fmt: skip
    """The backward pass with another local gradient, or another way to put shares together."""
    gradient: Gradients = {root: 1}
    for row in rows:
        share = local(row) * (gradient[row.child_node] if upstream else 1)
        parent = row.parent_node
        gradient[parent] = combine(gradient[parent], share) if parent in gradient else share
    return gradient


def by_role(role: str, local: Local) -> Callable[[Value, Sequence[Row]], Gradients]:
    """A pass in which the gates of one role have another local gradient."""
    return lambda root, rows: walked(
        root, rows, lambda row: local(row) if row.role == role else row.local
    )


def operands(v: Value) -> int:
    return sum(not isinstance(p, Constant) for p in v.parents)


SLIPS = [
    Slip(
        "You have the last share only: a value that is used several times gets the sum of all.",
        lambda root, rows: walked(root, rows, combine=lambda held, share: share),
    ),
    Slip(
        "You have the first share only: a value that is used several times gets the sum of all.",
        lambda root, rows: walked(root, rows, combine=lambda held, share: held),
    ),
    Slip(
        "The shares of several uses are added, not multiplied.",
        lambda root, rows: walked(root, rows, combine=lambda held, share: held * share),
    ),
    Slip(
        "A multiply gate switches: each input gets the upstream times the *other* input.",
        by_role(SWITCHER, lambda row: row.parent_node.data),
    ),
    Slip(
        "A router hands all of its upstream to the input that won, and nothing to the others.",
        by_role(ROUTER, lambda row: 1),
    ),
    Slip(
        "A router hands its upstream to the input that *won*; you gave it to the one that lost.",
        by_role(ROUTER, lambda row: 1 - row.local),
    ),
    Slip(
        "That is the local gradient alone: multiply it by the upstream, what comes from above.",
        lambda root, rows: walked(root, rows, upstream=False),
    ),
    Slip(
        "That is the upstream of the gate: multiply it by the local gradient.",
        lambda root, rows: {row.parent_node: row.upstream for row in rows},
    ),
    Slip(
        "An add gate hands its whole upstream to every input; it does not divide it.",
        by_role(DISTRIBUTOR, lambda row: row.local / operands(row.child_node)),
    ),
    Slip(
        "A minus is missing: where does the sign turn on the way back?",
        lambda root, rows: walked(root, rows, lambda row: abs(row.local)),
    ),
    Slip(
        "That is its value (above the wire). The gradient says how the result moves with it.",
        lambda root, rows: {v: v.data for v in topological(root)},
    ),
    Slip(
        "The sign is wrong: if this number grows a little, does the result rise or fall?",
        lambda root, rows: {v: -g for v, g in walked(root, rows).items()},
    ),
]


def slips(root: Value) -> list[tuple[str, Gradients]]:
    """The numbers that each usual mistake gives in this graph, with its hint; changes no node.

    >>> x = Value(3.0)
    >>> {hint[:31]: g[x] for hint, g in slips(x + x)}["You have the last share only: a"]
    1
    """
    rows = explain(root).rows
    return [(slip.hint, slip.run(root, rows)) for slip in SLIPS]
