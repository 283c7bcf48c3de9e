"""Mistakes of the backward pass as a walk: which nodes it visits, in which order, how often.

People write one mistake in many ways: with a stack, a queue or recursion, the first parent first or
the last, the parents in a tuple or in a set. Each mistake here holds all these variants, and the
one that is most like the checked engine counts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from microgrid.check.museum.base import Value
from microgrid.check.museum.mistakes import equal_nodes_merged, mistake, variant_of

Known = Callable[[Value], tuple[Value, ...]]
Visits = Callable[[Value, Known], list[Value]]  # the nodes as backward visits them

SORT = "A node may be visited only when all its uses have sent their shares: sort topologically."
ONCE = "Visit a node once, when all its uses have sent their shares: sort, and fill `visited`."


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
        for p in known(v)[:: take or 1]:  # so that a stack, too, gives the first parent first
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


def again(root: Value, known: Known) -> list[Value]:
    """A topological order to which each use of a node appends it."""
    order: list[Value] = []
    seen: set[Value] = set()

    def build(v: Value) -> None:
        if v not in seen:
            seen.add(v)
            for p in known(v):
                build(p)
        order.append(v)

    build(root)
    return order[::-1]


def taken_again(root: Value, known: Known) -> list[Value]:
    """The same with a stack: what was put on it twice is appended twice."""
    order, todo, seen = [], [root], set()
    while todo:
        v = todo[-1]
        seen.add(v)
        waiting = [p for p in known(v) if p not in seen]
        todo += waiting
        if not waiting:
            order.append(todo.pop())
    return order[::-1]


def first_parents(root: Value, known: Known) -> list[Value]:
    visits = [root]
    while known(visits[-1]):
        visits.append(known(visits[-1])[0])
    return visits


def upwards(root: Value, known: Known) -> list[Value]:
    """A depth-first walk, from its end to the result."""
    return straight(root, known, -1, "taken")[::-1]


def leaves_first(root: Value, known: Known) -> list[Value]:
    """A topological order that nobody reversed."""
    return root.order()


def result_alone(root: Value, known: Known) -> list[Value]:
    return [root]


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


def as_chosen(v: Any) -> tuple[Value, ...]:
    """The order in a set, which nobody knows."""
    turned = len(merged(v)) > 1 and v.choices >> v.number & 1
    return merged_backward(v) if turned else merged(v)


class Walk(Value):
    """An engine that visits the nodes in an order of its own."""

    visits: ClassVar[Any]
    seen: ClassVar[Any] = staticmethod(forward)

    def backward(self) -> None:
        self.start(self.order())
        for v in type(self).visits(self, self.seen):
            v.send()


class SetWalk(Walk):
    """The parents stand in a set; `choices` has a bit for each node of two parents."""

    seen: ClassVar[Any] = staticmethod(as_chosen)
    choices: ClassVar[int] = 0
    made: ClassVar[int] = 0  # nodes of two parents, so far

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        if len(set(map(id, self.parents))) > 1:
            self.number = type(self).made
            type(self).made += 1


def enter(
    name: str, says: str, hint: str, caught: str, shows: str, *walks: Visits, sets: bool = True,
    base: type[Walk] = Walk,
) -> None:  # fmt: skip
    """Put a mistake into the museum, with an engine for each walk and way to hold the parents."""
    first, *others = [
        type("Engine", (base,), {"visits": staticmethod(walk), "seen": staticmethod(seen)})
        for walk in walks
        for seen in (forward, backward, merged, merged_backward)
    ]
    others += [type("Engine", (SetWalk,), {"visits": staticmethod(walk)}) for walk in walks if sets]
    mistake(says, hint, caught, shows, name=name)(first)
    for other in others:
        variant_of(name)(other)


enter("recursion_for_sort",
      "a node is visited once for each path that leads to it, with what it has received so far",
      ONCE, "order", "a = Value(1); b = a + a; f = b + b; f.backward()",
      partial(straight, take=-1), partial(straight, take=0))  # fmt: skip

enter("pre_order", "nodes are visited as a depth-first walk from the result meets them",
      "That walk can meet a node before its last use. Append a node after its parents, then "
      "reverse.",
      "order", "a = Value(1); b = a * 2; f = b + b * 3; f.backward()",
      partial(straight, take=-1, mark="taken"), partial(straight, take=-1, mark="put"))  # fmt: skip

enter("level_by_level", "nodes are visited level by level from the result",
      "A node can lie on several levels: wait for its last use. Sort topologically.",
      "order", "a = Value(1); b = a * 2; f = b + b * 3; f.backward()",
      partial(straight, take=0, mark="put"), layers)  # fmt: skip

enter("visited_again", "the order holds a node once for each use, and its rule runs as often",
      "Append a node inside of `if v not in visited:`, where it is new.",
      "order", "a = Value(1); b = a * 2; f = b + b; f.backward()", again, taken_again)  # fmt: skip

enter("not_reversed",
      "only the last operation's shares arrive: the rules before it run too early, or not at all",
      "Call the rule of every node, from the result to the leaves: reversed(order).",
      "upstream", "x = Value(1); f = (x * 2) * 3; f.backward()",
      leaves_first, upwards, result_alone)  # fmt: skip

enter("one_parent_only", "the walk goes on to one parent of a node and leaves the others",
      "Each parent must be visited: loop over all of them.",
      "upstream", "x = Value(1); y = Value(2); f = x * 3 + y * 5; f.backward()",
      first_parents, sets=False)  # fmt: skip


@mistake("each share is carried on to the leaves before the next one arrives, and then again", SORT,
         "order", "a = Value(1); b = a + a; f = b + b; f.backward()")  # fmt: skip
class share_by_share(Value):
    def backward(self) -> None:
        self.start(self.order())
        self.walk()

    def walk(self) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.grad += local * self.grad
            parent.walk()


@mistake("every node that the walk reaches gets the gradient 1, not the result alone",
         "Set the result's gradient once, before the walk: the part that calls itself is a "
         "function of its own.",
         "one operation", "x = Value(1); f = x * 2; f.backward()")  # fmt: skip
class seeds_every_node(Value):
    def backward(self) -> None:
        self.grad = 1
        self.send()
        for parent in self.parents:
            parent.backward()


# Beside the order.


@mistake("backward does nothing", "Its body is missing: sort the nodes, set the result's gradient "
         "to 1, and call the rule of each node.",
         "contract", "x = Value(1); f = x * 2; f.backward()")  # fmt: skip
class does_nothing(Value):
    def backward(self) -> None:
        pass


@mistake("backward runs the rule of the result alone, and nothing sets its gradient to 1",
         "It is one step of a pass: sort the nodes, set the result's gradient to 1, and call the "
         "rule of each, from the result to the leaves.",
         "contract", "x = Value(1); f = x * 2; f.backward()")  # fmt: skip
class one_step(Value):
    def backward(self) -> None:
        self.send()


@mistake("a node that one pass has visited is left out of the next one",
         "Make a new set of visited nodes in each pass: `def build(v, visited=set())` makes one "
         "for all calls, and a mark on the node stays there.",
         "accumulation",
         "x = Value(3); h = x * 2; (h * h).backward(); (h * 5).backward()")  # fmt: skip
class visited_kept(Value):
    visited = False

    def order(self) -> list[Value]:
        order: list[Value] = []

        def build(v: Any) -> None:
            if not v.visited:
                v.visited = True
                for p in v.parents:
                    build(p)
                order.append(v)

        build(self)
        return order


@mistake("the order of a pass still holds the nodes of earlier passes, and their rules run again",
         "Make a new list in each pass: `def build(v, order=[])` makes one for all calls.",
         "passes", "x = Value(1); (x * 2).backward(); (x * 3).backward()")  # fmt: skip
class order_kept(Value):
    kept: Any = ()  # of a leaf: all nodes that its passes have visited

    def order(self) -> list[Value]:
        new: list[Any] = super().order()
        old = dict.fromkeys(v for leaf in new if not leaf.parents for v in leaf.kept)
        order = self.joined([*old], new)
        leaf: Any
        for leaf in order:
            leaf.kept = () if leaf.parents else order
        return order

    def joined(self, old: list[Value], new: list[Value]) -> list[Value]:
        """The set of visited nodes is kept, too."""
        return [*old, *(v for v in new if v not in old)]

    def start(self, order: list[Value]) -> None:
        self.grad = 1


@variant_of("order_kept")
class order_kept_alone(order_kept):
    """The set of visited nodes is new in each pass."""

    def joined(self, old: list[Value], new: list[Value]) -> list[Value]:
        return old + new


class EveryNodeEqual(Walk):
    """A walk with a list of visited nodes, in which each node is found."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__


enter("every_node_equal",
      "`==` is true of any two nodes, so that each counts as visited: `v in visited` asks `==`",
      "A Value is true in an `if`: let `__eq__` return what the numbers give, or leave it out, and "
      "keep the visited nodes in a set.",
      "upstream", "x = Value(1); f = (x * 2) * 3; f.backward()",
      result_alone, first_parents, sets=False, base=EveryNodeEqual)  # fmt: skip


@mistake("a Value has no hash, as its class has `__eq__` alone: no set can hold it",
         "Leave `__eq__` out, or add `__hash__ = object.__hash__`.",
         "contract", "x = Value(1); f = x * 2; f.backward()")  # fmt: skip
class unhashable(Value):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and bool(self.data == other.data)

    __hash__ = None  # type: ignore[assignment]


@variant_of("equal_nodes_merged")
class equal_nodes_merged_first(equal_nodes_merged):
    """The first parent is visited first."""

    def known(self) -> tuple[Value, ...]:
        return self.parents[::-1]


@variant_of("inner_keep")
class inner_keep_and_result(Value):
    """The result keeps its gradient, too."""

    def start(self, order: list[Value]) -> None:
        self.grad += 1


@variant_of("no_seed")
class no_seed_at_all(Value):
    """A gradient of 1 that the user has set is kept."""

    def start(self, order: list[Value]) -> None:
        pass


# Right, but too slow: what the time tells.


@mistake("each path to a node is walked on its own, and their number doubles with each reuse",
         "Visit each node once, when all its uses have sent their shares: sort topologically.",
         "diamonds",
         "x = Value(1); f = x\nfor _ in range(40): f = f + f\nf.backward()")  # fmt: skip
class each_path_again(Value):
    def backward(self) -> None:
        self.start(self.order())
        self.carry(1)

    def carry(self, share: Any) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.grad += local * share
            parent.carry(local * share)


@mistake("the forward pass takes twice as long with each reuse, before any gradient is asked for",
         "A node may not copy what its parents hold, as a label of their labels or a list of all "
         "nodes before it: keep the parents alone.",
         "diamonds",
         "x = Value(1); f = x\nfor _ in range(40): f = f + f\nf.backward()")  # fmt: skip
class forward_again(Value):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.paths = self.count()

    def count(self) -> int:
        return sum(parent.count() for parent in self.parents) or 1
