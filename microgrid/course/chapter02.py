"""Exercises of notebook 2: the chain rule, and the order in which gates are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from microgrid.calculus import gradients
from microgrid.course.circuits import gradients_of
from microgrid.course.exercise import Exercise, Mistake, letters
from microgrid.examples import named
from microgrid.ops import maximum
from microgrid.value import Value

Order = Sequence[Value]


def difference_and_router() -> Value:
    """y = (a − b) · max(b, c): b goes into two gates."""
    a, b, c = Value(7, "a"), Value(3, "b"), Value(2, "c")
    y: Value = (a - b) * maximum(b, c)
    return y


def diamond() -> Value:
    """y = c · d with c = 3b, d = b + 1 and b = 2a."""
    b = Value(1, "a") * 2
    c, d = b * 3, b + 1
    y: Value = c * d
    for v, name in zip((b, c, d, y), "bcdy"):
        v.label = name
    return y


ORDERS = {"A": "ycdb", "B": "ydcb", "C": "ycbd", "D": "bcdy", "E": "ybcd", "F": "ycdbb"}


def gates(order: str) -> list[Value]:
    """The gates of the diamond, in this order."""
    nodes = named(diamond())
    return [nodes[name] for name in order]


def asked(root: Value, order: Order) -> dict[Value, Any]:
    """The gradients of a backward pass that asks the gates in this order, right or not."""
    gradient: dict[Value, Any] = {root: 1}
    for v in order:
        for parent, local in zip(v.parents, v.local_gradients):
            share = gradient.get(v, 0) * local(v.data, *[p.data for p in v.parents])
            gradient[parent] = gradient.get(parent, 0) + share
    return gradient


def gives_the_gradient(order: str) -> bool:
    """Whether this order brings the right gradient to a."""
    nodes = named(root := diamond())
    found = asked(root, [nodes[name] for name in order])
    return bool(found[nodes["a"]] == gradients(root, nodes["a"]))


def in_order(order: Order) -> bool:
    """Whether no gate comes twice, and none before a gate that it feeds."""
    done: set[Value] = set()
    for v in order:
        if v in done or not done.isdisjoint(v.parents):
            return False
        done.add(v)
    return True


def parents_first(order: Order) -> bool:
    return in_order(order[::-1])


def repeats_allowed(order: Order) -> bool:
    return in_order(list(dict.fromkeys(order)))


def each_once(order: Order) -> bool:
    return len(set(order)) == len(order)


def accepted(judge: Callable[[Order], Any]) -> str:
    """Which of the orders a function calls right.

    >>> accepted(in_order)
    'a function that accepts y c d b and y d c b'
    """
    if not callable(judge):
        return f"{judge} (no function: give its name, without quotes or brackets)"
    good = [" ".join(order) for order in ORDERS.values() if judge(gates(order))]
    return f"a function that accepts {' and '.join(good) or 'none'}"


EXERCISES = [
    gradients_of(
        "**A fork and three roles.** $y = (a - b) \\cdot \\max(b, c)$ at $a = 7$, $b = 3$, "
        "$c = 2$. Which gradients arrive at the leaves? Answer with a dict: "
        '`{"a": …, "b": …, "c": …}`.',
        difference_and_router, "abc",
        why="The product sends 3 to the difference and 4 to the max; b gets −3 from the one and "
        "4 from the other; c lost the max.",
    ),
    Exercise(
        "**In which order?** $b = 2a$, then $c = 3b$ and $d = b + 1$, then $y = c \\cdot d$. The "
        "gates are asked in one of these orders. Which of them bring the right gradient to $a$? "
        'Answer with a text of letters, such as `"CD"`.\n\n'
        + "\n".join([f"- {name}: {', '.join(ORDERS[name])}" for name in "ABCDE"]),
        "".join([name for name in "ABCDE" if gives_the_gradient(ORDERS[name])]),
        [
            Mistake("A", "Does d have to wait for c? It does not feed it."),
            Mistake("B", "Does c have to wait for d? It does not feed it."),
            Mistake("ABC", "In C, has b got all of its shares when it is asked?"),
            Mistake("ABE", "In E, has b got any share when it is asked?"),
            Mistake("ABCE", "To begin with the root is not enough: b must wait for two shares."),
            Mistake("D", "That is the order of the forward pass. Who has a gradient at the start?"),
            Mistake("C", "b feeds two gates. Have both been asked before it?"),
            Mistake("E", "b feeds two gates. Have both been asked before it?"),
            Mistake("ABCDE", "Play it through by hand: what does b hold when it is asked?"),
        ],
        why="b must come after c and d, and both after y. Between c and d there is no rule.",
        probe=letters,
    ),
    Exercise(
        "**A judge of orders.** Write a function `in_order(order)`: `order` is a list of gates. It "
        "returns `True` if no gate is asked twice and none before a gate that it feeds, else "
        "`False`. No gradient is needed for that, only `v.parents`. Answer with the function: "
        "`answer = in_order`.",
        in_order,
        [
            Mistake(
                parents_first,
                "That is the order of the forward pass: parents first. Who is first going back?",
            ),
            Mistake(
                repeats_allowed,
                "You let a gate be asked twice; then it sends its shares twice.",
            ),
            Mistake(
                each_once,
                "Each gate once is not enough, pre-order does that. How long must a parent wait?",
            ),
            Mistake(lambda order: True, "It calls every order right."),
            Mistake(lambda order: False, "It calls every order wrong. Try y, c, d, b."),
        ],
        why="Keep the set of those that were asked: when a gate comes, neither itself nor any of "
        "its parents may be in it.",
        probe=accepted,
    ),
]  # fmt: skip
