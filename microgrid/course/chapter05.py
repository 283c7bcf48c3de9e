"""Exercises of notebook 5: gradients of gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from microgrid.calculus import derivative, grad, hessian
from microgrid.course.exercise import Exercise, Mistake
from microgrid.functions import custom_op
from microgrid.ops import exp
from microgrid.value import Value

POINT = [1.0, 2.0]


def surface(p: Any) -> Any:
    return p[0] ** 2 * p[1] + p[1] ** 3


SLOPE, BEND = np.array(grad(surface)(POINT)), hessian(surface)(POINT)
BENDS = Exercise(
    "**Four bends.** $f(x, y) = x^2 y + y^3$ at $(x, y) = (1, 2)$. What is its Hessian? "
    "Answer with two rows of two numbers: `[[…, …], […, …]]`, $x$ before $y$.",
    BEND,
    [
        Mistake(SLOPE, "That is the gradient, two numbers. Differentiate each of them again."),
        Mistake(
            hessian(surface)(POINT[::-1]), "Which of the two numbers is x? You have them swapped."
        ),
        Mistake(
            np.diag(np.diag(BEND)),
            "The mixed entries are missing: how does ∂f/∂x move with y?",
        ),
        Mistake(
            np.outer(SLOPE, SLOPE),
            "You multiplied two first derivatives. Differentiate the first derivative instead.",
        ),
        Mistake(BEND[::-1, ::-1], "The first row and the first column belong to x, not to y."),
        Mistake(
            np.triu(BEND),
            "A mixed entry is missing: how does ∂f/∂y move with x?",
        ),
        Mistake(
            np.tril(BEND),
            "A mixed entry is missing: how does ∂f/∂x move with y?",
        ),
        Mistake(
            BEND + np.diag(np.diag(BEND)) * [0, -0.5],
            "Look again at the lower right: y³, differentiated twice.",
        ),
    ],
    why="∂f/∂x = 2xy and ∂f/∂y = x² + 3y²; the mixed entries are both 2x.",
)

START, RATE = 6.0, 0.2


def loss(w: Any) -> Any:
    return (w - 1) ** 2


def stepped(rate: Any, w: Any = START) -> Any:
    return w - rate * grad(loss)(w)


def after(rate: Any, w: Any = START) -> Any:
    return loss(stepped(rate, w))


BEFORE, BEHIND = grad(loss)(START), grad(loss)(stepped(RATE))
LEARNING_RATE = Exercise(
    "**The slope of a learning rate.** The loss is $L(w) = (w - 1)^2$, the weight stands at "
    "$w = 6$, and one step $w' = w - \\eta\\,L'(w)$ is taken with $\\eta = 0.2$. What is the "
    "derivative of the new loss $L(w')$ with respect to $\\eta$? Answer with a number.",
    derivative(after)(RATE),
    [
        Mistake(-derivative(after)(RATE), "Would a larger rate make the new loss larger here?"),
        Mistake(
            -BEFORE * BEFORE,
            "The slope at the old place stands there twice: the loss is taken at the *new* one.",
        ),
        Mistake(-BEFORE, "So far the *weight* moves with the rate. How does the loss follow it?"),
        Mistake(BEHIND, "That is the slope at the new place. How fast does w′ move with the rate?"),
        Mistake(after(RATE), "That is the new loss itself, not how it moves."),
        Mistake(
            grad(after, 1)(RATE, START),
            "That is the derivative with respect to the weight; the question turns the rate.",
        ),
    ],
    why="It is minus the slope before the step times the slope after it: −10 · 6.",
)


def number(x: Any) -> Any:
    return x.data if isinstance(x, Value) else x


def slopes(rule: Callable[[Any, Any], Any]) -> dict[str, float]:
    if not callable(rule):
        raise TypeError("it is no function: write lambda y, x: … without quotes")
    f = custom_op("x_exp", lambda x: x * math.exp(x), rule)
    return {f"f{chr(39) * n}(0.5)": derivative(f, n)(0.5) for n in (1, 2, 3)}


RULE = Exercise(
    "**A rule for any order.** $f(x) = x\\,e^x$ is to be one gate, with "
    '`mg.custom_op("x_exp", lambda x: x * math.exp(x), rule)`. Write its `rule(y, x)` so that the '
    "first, second and third derivative are right. Answer with the function: "
    "`answer = lambda y, x: …`.",
    lambda y, x: y + exp(x),
    [
        Mistake(
            lambda y, x: (1 + number(x)) * exp(number(x)),
            "The rule makes a plain number of the node: from there on no gradient flows.",
        ),
        Mistake(
            lambda y, x: (1 + y) * exp(y),
            "A rule is given the result y first, and the input x second.",
        ),
        Mistake(lambda y, x: exp(x), "Both x and eˣ move: use the product rule."),
        Mistake(lambda y, x: y, "x eˣ is not its own derivative: use the product rule."),
        Mistake(lambda y, x: x * y, "A factor comes down for a power, not for eˣ."),
    ],
    probe=slopes,
    why="(1 + x) eˣ or y + eˣ, in the functions of microgrid: on a node it builds nodes.",
)

EXERCISES = [BENDS, LEARNING_RATE, RULE]
