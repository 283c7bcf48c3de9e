"""Mistakes of the backward pass as a walk: which nodes it visits, in which order, how often.

People write one mistake in many ways: with a stack, a queue or recursion, the first parent first or
the last, the parents in a tuple or in a set. Each mistake here holds all these variants, and the
one that is most like the checked engine counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

from microgrid.check.museum.base import Value
from microgrid.check.museum.mistakes import mistake, variant

Known = Callable[[Value], tuple[Value, ...]]
Visits = Callable[[Value, Known], list[Value]]  # the nodes as backward visits them

SORT = "A node may be visited only when all its uses have sent their shares: sort topologically."


# The nodes in the order of their visits, from the result on.


def straight(root: Value, known: Known, take: int, mark: str = "") -> list[Value]:
    """From a list of what is to do, of which the last (a stack) or the first (a queue) is taken.

    A node is marked as seen when it is put on the list, when it is taken, or never.
    """
    todo, visits, seen = [root], [], {root} if mark == "put" else set()
    while todo:
        v = todo.pop(take)
        if mark == "taken" and v in seen:
            continue
        visits.append(v)
        seen |= {v} if mark == "taken" else set()
        for p in known(v):
            if mark != "put" or p not in seen:
                todo.append(p)
                seen |= {p} if mark == "put" else set()
    return visits


def layers(root: Value, known: Known) -> list[Value]:
    """Level by level, each node once a level."""
    level, visits = [root], []
    while level:
        visits += level
        level = list(dict.fromkeys(p for v in level for p in known(v)))
    return visits


def again(root: Value, known: Known, filled: bool) -> list[Value]:
    """A topological order that holds a node once for each use: it is appended in spite of `seen`,
    or `seen` is never filled."""
    order: list[Value] = []
    seen: set[Value] = set()

    def build(v: Value) -> None:
        if v not in seen:
            seen.update([v] if filled else [])
            for p in known(v):
                build(p)
        order.append(v)

    build(root)
    return order[::-1]


def first_parents(root: Value, known: Known) -> list[Value]:
    visits = [root]
    while known(visits[-1]):
        visits.append(known(visits[-1])[0])
    return visits


def all_nodes_upwards(root: Value, known: Known) -> list[Value]:
    """A depth-first walk, from its end to its begin."""
    return straight(root, known, -1, "taken")[::-1]


# The parents as a walk sees them.


def forward(v: Value) -> tuple[Value, ...]:
    return v.parents


def backward(v: Value) -> tuple[Value, ...]:
    return v.parents[::-1]


def merged(v: Value) -> tuple[Value, ...]:
    """Each parent once, as in a set that happens to keep the order."""
    return tuple(dict.fromkeys(v.parents))


def merged_backward(v: Value) -> tuple[Value, ...]:
    return merged(v)[::-1]


class Walk(Value):
    """An engine that visits the nodes in an order of its own."""

    visits: ClassVar[Visits]
    seen: ClassVar[Known] = staticmethod(forward)

    def backward(self) -> None:
        self.start(self.order())
        for v in type(self).visits(self, self.seen):
            v.send()


class SetWalk(Walk):
    """The parents stand in a set, whose order nobody knows: `choices` has a bit for each node."""

    choices: ClassVar[int] = 0
    made: ClassVar[int] = 0  # nodes of two parents, so far

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        if len(set(map(id, self.parents))) > 1:
            self.number = type(self).made
            type(self).made += 1

    @staticmethod
    def seen(v: Any) -> tuple[Value, ...]:
        turned = len(merged(v)) > 1 and v.choices >> v.number & 1
        return merged_backward(v) if turned else merged(v)


def variants(*walks: Visits) -> tuple[type[Value], ...]:
    """An engine for each walk and each way to hold the parents."""
    ways = (forward, backward, merged, merged_backward)
    return tuple(
        type("Engine", (Walk,), {"visits": staticmethod(walk), "seen": staticmethod(seen)})
        for walk in walks
        for seen in ways
    ) + tuple(type("Engine", (SetWalk,), {"visits": staticmethod(walk)}) for walk in walks)


def walk(name: str, says: str, hint: str, caught: str, shows: str, *walks: Visits) -> None:
    first, *others = variants(*walks)
    first.variants = tuple(others)
    mistake(says, hint, caught, shows, name=name)(first)
