"""Exercises of notebook 5: gradients of gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import microgrid as mg
from microgrid.course.question import Either, Exercise, Verdict, agree, listed, misfit, raised

POINT = [1.0, 2.0]


def surface(p: Any) -> Any:
    return p[0] ** 2 * p[1] + p[1] ** 3


SLOPE, BEND = np.array(mg.grad(surface)(POINT)), mg.hessian(surface)(POINT)
ENTRIES = ("row 1, column 1", "row 1, column 2", "row 2, column 1", "row 2, column 2")


def by_entry(rows: Any) -> dict[str, Any]:
    """The entries of two rows of two numbers by their places."""
    return dict(zip(ENTRIES, [x for row in np.asarray(rows, dtype=object) for x in np.ravel(row)]))


WHOLE = {
    "That is the gradient, two numbers. Differentiate each of them again.": SLOPE,
    "Which of the two numbers is x? You have them swapped.": mg.hessian(surface)(POINT[::-1]),
    "You multiplied two first derivatives. Differentiate the first derivative instead.": np.outer(
        SLOPE, SLOPE
    ),
    "The first row and the first column belong to x, not to y.": BEND[::-1, ::-1],
}
ONE_ENTRY = {  # hint: (∂²f/∂x², ∂²f/∂x∂y, ∂²f/∂y∂x, ∂²f/∂y²) with this mistake in one of them
    "That is a first derivative. Once more.": (None, SLOPE[1], SLOPE[0], SLOPE[1]),
    "Twice by x: does the factor y go away, when x moves?": (2, None, None, None),
    "x² bends: its slope is no constant.": (0, None, None, None),
    "A mixed entry is not 0: how does ∂f/∂x move with y?": (None, 0, 0, None),
    "x² is the slope by y alone; differentiate it by x as well.": (None, 1, 1, None),
    "Once by x and once by y; you took x twice.": (None, 4, None, None),
    "Once by y and once by x; you took x twice.": (None, None, 4, None),
    "Once by x and once by y; you took y twice.": (None, 12, 12, None),
    "y³ twice: the second time, one factor y is left.": (None, None, None, 6),
    "x²y has no y in its slope by y: it does not bend along y.": (None, None, None, 14),
    "y³ twice by y: 3 · 2 is 6, and one factor y is left, not y².": (None, None, None, 24),
}
BENDS_BY_ENTRY = Exercise(
    "?",
    by_entry(BEND),
    {
        hint: {k: x for k, x in zip(ENTRIES, numbers) if x is not None}
        for hint, numbers in ONE_ENTRY.items()
    },
)


def bends(answer: Any) -> Verdict:
    """The verdict on a Hessian: a mistake that changes all of it, else entry by entry."""
    for mistake in listed(BENDS.mistakes):
        if agree(answer, mistake.answer, BENDS.decimals):
            return Verdict(False, (f"✗ {mistake.hint}",))
    if misfit(answer, BEND):
        return Verdict(False, ("✗ the answer has two rows of two numbers: [[…, …], […, …]].",))
    verdict = BENDS_BY_ENTRY.check(by_entry(answer))
    return BENDS._praise() if verdict else verdict


BENDS = Exercise(
    "**Four bends.** $f(x, y) = x^2 y + y^3$ at $(x, y) = (1, 2)$. What is its Hessian? "
    "Answer with two rows of two numbers: `[[…, …], […, …]]`, $x$ before $y$.",
    BEND,
    WHOLE,
    why="∂f/∂x = 2xy and ∂f/∂y = x² + 3y²; the mixed entries are both 2x.",
    judge=bends,
)

START, RATE = 6.0, 0.2


def loss(w: Any) -> Any:
    return (w - 1) ** 2


def stepped(rate: Any, w: Any = START) -> Any:
    return w - rate * mg.grad(loss)(w)


def after(rate: Any, w: Any = START) -> Any:
    return loss(stepped(rate, w))


OLD, NEW = mg.grad(loss)(START), mg.grad(loss)(stepped(RATE))  # slopes before and after the step
LEARNING_RATE = Exercise(
    "**The slope of a learning rate.** The loss is $L(w) = (w - 1)^2$, the weight stands at "
    "$w = 6$, and one step $w' = w - \\eta\\,L'(w)$ is taken with $\\eta = 0.2$. What is the "
    "derivative of the new loss $L(w')$ with respect to $\\eta$? Answer with a number.",
    mg.derivative(after)(RATE),
    {
        "Does a larger rate make the new loss larger here?": -mg.derivative(after)(RATE),
        "You use the slope at the old place twice: the loss is that of the *new* place.": -(OLD**2),
        "Nearly: a factor of 2 is missing. Both slopes have one, from the square.": -OLD * NEW / 2,
        "Nearly: both slopes are those of a square, and each has a factor of 2.": -OLD * NEW / 4,
        "That is minus the slope before the step times the new *weight*. "
        "How fast does the loss rise there?": -OLD * stepped(RATE),
        "The slope after the step is that of (w − 1)², not of w².": -OLD * 2 * stepped(RATE),
        "That is the slope at the old place. What of the loss at the new one?": OLD,
        "You use the slope at the new place twice: the weight moves by the *old* slope.": -(NEW**2),
        "That is how the loss moves with the weight. How does w′ move with η?": -NEW,
        "That is how the *weight* moves with the rate. How does the loss move?": -OLD,
        "That is the slope at the new place. How fast does w′ move with the rate?": NEW,
        "That is the new loss itself, not how it moves.": after(RATE),
        "That is the derivative with respect to the weight; "
        "the question is about the rate.": mg.grad(after, 1)(RATE, START),
    },
    why="It is minus the slope before the step times the slope after it: −10 · 6.",
)


def number(x: Any) -> Any:
    return x.data if isinstance(x, mg.Value) else x


PLACES = (0.5, -1.0, 2.0)


def slopes(rule: Callable[..., Any], order: int) -> list[float]:
    """The derivatives of this order of a gate with this rule."""
    f = mg.custom_op("x_exp", lambda x: x * math.exp(x), rule)
    return [mg.derivative(f, order)(x) for x in PLACES]


def true_rule(y: Any, x: Any) -> Any:
    return y + mg.exp(x)


CUT_OFF = "The rule makes a plain number of a node: from there on no gradient flows."


def of_any_order(rule: Any) -> Verdict:
    """The verdict on a rule: a line for each order, and a hint for the first that is wrong."""
    lines, ok = list[str](), True
    for order in (1, 2, 3):
        name = f"f{chr(39) * order}({PLACES[0]})"
        try:
            found, right = slopes(rule, order), slopes(true_rule, order)
        except Exception as error:  # a student's rule may raise anything
            return Verdict(False, (*lines, f"✗ {name}: {raised(error)}"))
        if agree(found, right, 4):
            lines.append(f"✓ {name}: right")
        else:
            hint = hint_for(found) if order == 1 else CUT_OFF if ok else ""
            lines.append(f"✗ {name}: {found[0]:.6g} is not it. {hint}".rstrip())
            ok = False
    return Verdict(ok, (*lines, RULE.why) if ok else tuple(lines))


def hint_for(found: list[float]) -> str:
    """The hint of the mistake that gives these first derivatives."""
    for mistake in listed(RULE.mistakes):
        if mistake.hint != CUT_OFF and agree(found, slopes(mistake.answer, 1), 4):
            return mistake.hint
    return "What does the product rule say of x · eˣ?"


RULE = Exercise(
    "**A rule for any order.** $f(x) = x\\,e^x$ is to be one gate, with "
    '`mg.custom_op("x_exp", lambda x: x * math.exp(x), rule)`. Write its `rule(y, x)` so that the '
    "first, second and third derivative are right. Answer with the function: "
    "`answer = lambda y, x: …`.",
    true_rule,
    {
        CUT_OFF: Either(
            lambda y, x: (1 + number(x)) * mg.exp(number(x)), lambda y, x: number(y) + mg.exp(x)
        ),
        "A rule is given the result y first, and the input x second.": lambda y, x: (
            (1 + y) * mg.exp(y)
        ),
        "Both x and eˣ move: use the product rule.": lambda y, x: mg.exp(x),
        "x eˣ is not its own derivative: use the product rule.": lambda y, x: y,
        "A factor comes down for a power, not for eˣ.": Either(
            lambda y, x: x * y, lambda y, x: x * mg.exp(x - 1)
        ),
        "The product rule: each factor moves, the *other* stays.": lambda y, x: 1 + mg.exp(x),
        "y has a factor eˣ already: which two terms are added?": lambda y, x: y * mg.exp(x),
        "The rule gives the local gradient alone; "
        "the engine multiplies by the upstream.": lambda y, x: y * (y + mg.exp(x)),
        "The product rule adds its two terms.": lambda y, x: y - mg.exp(x),
    },
    why="(1 + x) eˣ or y + eˣ, in the functions of microgrid: on a node it builds nodes.",
    judge=of_any_order,
)

EXERCISES = [BENDS, LEARNING_RATE, RULE]
