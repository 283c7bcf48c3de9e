"""What a walk over a graph writes in its nodes: that it has met them, and as how many-th.

A slot of the node is read twice as fast as a dict. But a node may stand in several graphs, over
which threads walk at once, and a rule may start a pass of its own: so whatever is written counts
only beside the mark of the walk that wrote it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from itertools import count
from threading import RLock
from typing import Any, TypeVar

Found = TypeVar("Found")

# One walk at a time. A thread waits for that of another, but not for long: a walk calls no code of
# others. Only a finalizer or a signal can start one within a walk, as the numbers of walks tell.
walking, walks = RLock(), count()
if hasattr(os, "register_at_fork"):  # a child has no other thread, which would release it
    os.register_at_fork(
        before=walking.acquire, after_in_parent=walking.release, after_in_child=walking.release
    )


def numbered(order: Sequence[Any]) -> tuple[object, Callable[[Any], int]]:
    """Number the nodes; the mark by which these numbers are known, and the place of any node.

    A node's own number is right where, read before it, the mark is found to be this one: the mark
    is written first. Else another pass came by, and a dict has it.
    """
    mark = object()
    lost = cache(lambda: dict(zip(order, count())))

    def place(v: Any) -> int:
        number: int = v._place
        return number if v._walk is mark else lost()[v]

    with walking:
        for i, v in enumerate(order):
            v._walk, v._place = mark, i
    return mark, place


def undisturbed(walk: Callable[[], Found]) -> Found:
    """What a walk gives that reads what it has written, once no other one came in between."""
    with walking:
        while True:
            number = next(walks)
            try:
                found = walk()
            except Exception:
                if next(walks) == number + 1:
                    raise
            else:
                if next(walks) == number + 1:
                    return found
