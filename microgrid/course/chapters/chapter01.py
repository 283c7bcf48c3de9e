"""Exercises of notebook 1: a number that remembers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import microgrid as mg
from microgrid.course.choices import choice
from microgrid.course.question import Exercise


class Number:
    """The number of the notebook, which remembers its parents and its operation.

    >>> Number(2) * Number(3) + Number(1)
    ((2 * 3) + 1)
    """

    def __init__(self, data: Any, parents: tuple[Any, ...] = (), op: str = "") -> None:
        self.data, self.parents, self.op = data, parents, op

    def __add__(self, other: Number) -> Number:
        return Number(self.data + other.data, (self, other), "+")

    def __mul__(self, other: Number) -> Number:
        return Number(self.data * other.data, (self, other), "*")

    def __sub__(self, other: Number) -> Number:
        raise TypeError("a Number knows only + and * so far: subtract the data")

    def __repr__(self) -> str:
        if not self.parents:
            return str(self.data)
        return f"({self.parents[0]} {self.op} {self.parents[1]})"


def remembered(gate: Callable[[Any, Any], Any]) -> str:
    """What the result of a gate on 5 and 3 remembers, and its number on 2 and 7.

    >>> remembered(lambda a, b: a + b)
    "a Number with the data 8 (of 2 and 7: 9), the operation '+' and the parents (a, b)"
    """
    a, b = Number(5), Number(3)
    made = gate(a, b)
    if not hasattr(made, "data"):
        return f"{made} (no Number)"
    who = {id(a): "a", id(b): "b"}
    parents = ", ".join([who.get(id(p), "another number") for p in made.parents])
    if not isinstance(made.parents, list | tuple):
        parents += " in no order"
    other = getattr(gate(Number(2), Number(7)), "data", "no Number")
    return (
        f"a Number with the data {made.data} (of 2 and 7: {other}), the operation {made.op!r} and "
        f"the parents ({parents})"
    )


def subtract(a: Any, b: Any) -> Number:
    """a − b, and where it came from."""
    return Number(a.data - b.data, (a, b), "-")


STEP = 0.01
CHAIN = mg.derivative(lambda x: -2 * (3 * x) * 5)(1.0)
SQUARES = {
    "A": "t = x; y = t * x", "B": "y = x * Value(3)", "C": "y = x ** 2", "D": "y = x.data * x",
    "E": "y = (x + 0) * x",
}  # fmt: skip


def gradient_after(line: str) -> Any:
    """The gradient at x = 3 of the y that a line of Python makes."""
    names: dict[str, Any] = {"Value": mg.Value, "x": mg.Value(3)}
    exec(line, names)
    return mg.gradients(names["y"], names["x"])


EXERCISES = [
    Exercise(
        "**Three gates in a row.** $u = 3x$, then $v = -2u$, then $y = 5v$. Now $x$ grows by "
        f"${STEP}$. How far does $y$ move? Answer with a number.",
        CHAIN * STEP,
        {
            "The slopes of a chain are multiplied, not added.": (3 - 2 + 5) * STEP,
            "The slopes of a chain are multiplied; and a slope is no move yet.": 3 - 2 + 5,
            "A slope is no move yet; and does y rise or fall?": -CHAIN,
            "The distance is right. But does y rise or fall?": -CHAIN * STEP,
            f"That is the slope, the move for a step of 1; x grew by {STEP}.": CHAIN,
            "That is how far u moves. Two more gates follow.": 3 * STEP,
            "That is how far v moves. One more gate follows.": -6 * STEP,
            "That is the last gate alone: v does not move by as much as x.": 5 * STEP,
        },
        why="The slopes are multiplied: 3 · (−2) · 5 = −30, and a step of 0.01 becomes −0.3.",
        decimals=3,
    ),
    Exercise(
        "**Teach it to subtract.** Write a function `subtract(a, b)` of two `Number`s (your class "
        "above). It returns the `Number` a − b, which remembers both parents and the operation "
        '`"-"`. Answer with the function: `answer = subtract`.',
        subtract,
        {
            "It returns nothing: is there a `return`?": lambda a, b: None,
            "It returns a plain number, which has forgotten everything already. "
            "What does `__add__` return?": lambda a, b: a.data - b.data,
            "The value is right, but "
            "the result has no past: who are its parents?": lambda a, b: Number(a.data - b.data),
            "Value and parents are right. "
            "What made it? It does not say.": lambda a, b: Number(a.data - b.data, (a, b)),
            "It says that it is a sum: "
            "did you copy `__add__`?": lambda a, b: Number(a.data - b.data, (a, b), "+"),
            "The parents are there, in the wrong order: "
            "it would print as b − a.": lambda a, b: Number(a.data - b.data, (b, a), "-"),
            "Try it on 5 and 3: "
            "the value should be 2.": lambda a, b: Number(b.data - a.data, (a, b), "-"),
            "It remembers the data of its parents, not the parents. "
            "A plain 5 has no past.": lambda a, b: Number(a.data - b.data, (a.data, b.data), "-"),
            "The value is right, but these are two gates, "
            "× and +. One gate `-` is asked for.": lambda a, b: a + Number(-1) * b,
        },
        why="The same three things as in `__add__`: data, parents, operation.",
        probe=remembered,
    ),
    choice(
        "**Who is still in the graph?** At $x = 3$ each of these lines gives $y = 9$. For which of "
        "them is the gradient at $x$ equal to $6$? Answer with a text of letters, such as "
        '`"AB"`.\n\n' + "\n".join([f"- {name}: `{line}`" for name, line in SQUARES.items()]),
        "".join([name for name, line in SQUARES.items() if gradient_after(line) == 6]),
        {
            "A": "`t = x` makes no new number: it is a second name for the same one.",
            "B": "`Value(3)` is a leaf of its own: does it move when x moves?",
            "C": "both factors of a square are x.",
            "D": "what does `.data` give: a number that remembers, or a plain one?",
            "E": "`x + 0` is a new number, but does it not remember its parents?",
        },
        {
            "The values are all 9. But which factors move when x moves?": "ABCDE",
            "In these one factor stands still: what does that do to the slope?": "BD",
        },
        why="In B and D one factor is a number without a past, and the gradient is 3.",
    ),
]  # fmt: skip
