"""Exercises of notebook 7: train something."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import microgrid as mg
from microgrid.course.question import Either, Exercise, Mistake

Gradient = list[float]
Choose = Callable[[list[Gradient]], Gradient]  # the gradients so far -> the one that a step uses


class Place(NamedTuple):
    """Where a training stands before a step, or at its end."""

    w: float
    b: float
    loss: float
    gradient: Gradient


def trained(
    w: float, b: float, x: float, y: float, lr: float, steps: int,
    choose: Choose = lambda gradients: gradients[-1],
) -> list[Place]:  # fmt: skip
    """One neuron on one sample, trained with the loss (w x + b − y)²."""
    loss_and_gradient = mg.value_and_grad(lambda p: (p[0] * x + p[1] - y) ** 2)
    walk = list[Place]()
    while True:
        loss, gradient = loss_and_gradient([w, b])
        walk.append(Place(w, b, loss, [*gradient]))
        if len(walk) > steps:
            return walk
        dw, db = choose([place.gradient for place in walk])
        w, b = w - lr * dw, b - lr * db


GIVEN: dict[str, Any] = {"w": 1.0, "b": 0.0, "x": 3.0, "y": 1.0, "lr": 0.02, "steps": 2}
WALK = START, FIRST, LAST = trained(**GIVEN)


def after(choose: Choose) -> float:
    """The weight after two steps that are chosen so."""
    return trained(**GIVEN, choose=choose)[-1].w


TWO_STEPS = Exercise(
    "**Two steps by hand.** The neuron $w\\,x + b$ with the loss $(w\\,x + b - y)^2$ begins at "
    "$w = 1$, $b = 0$. The only sample is $x = 3$, $y = 1$. Take two steps with the learning "
    "rate $0.02$; before each, the gradients are set to zero. What is $w$ then? "
    "Answer with a number, to three decimals.",
    LAST.w,
    {
        "That is w after the first step. Take another.": FIRST.w,
        "Nearly: give three decimals.": round(LAST.w, 2),
        "You went up the hill: the gradient is *subtracted*.": after(lambda g: [-d for d in g[-1]]),
        "What is the derivative of a square? A factor is missing.": after(
            lambda g: [d / 2 for d in g[-1]]
        ),
        "You have used the sum of both gradients in the second step: that is what "
        "happens where `zero_grad` is forgotten.": after(lambda g: [sum(d) for d in zip(*g)]),
        "The multiply gate sends w the upstream times the *other* input.": after(
            lambda g: [g[-1][0] / GIVEN["x"], g[-1][1]]
        ),
        "The bias is a parameter, too: it moves in the first step.": after(
            lambda g: [g[-1][0], 0.0]
        ),
        "In the second step you used the gradient of the first. "
        "The loss has changed, so compute its gradient again.": after(lambda g: g[0]),
        "That is b. And w?": Either(FIRST.b, LAST.b),
        "That is a gradient at w. A step takes the learning rate times it off w.": Either(
            START.gradient[0], FIRST.gradient[0]
        ),
        "That is a loss. And w?": Either(*[place.loss for place in WALK]),
        "That is how far w moves. Where does it arrive?": START.w - LAST.w,
    },
    why="The gradients at w are 12 and then 7.2: 1 − 0.02 · 12 − 0.02 · 7.2.",
    decimals=3,
)

RATES = {"A": 0.4, "B": 0.6, "C": 0.05}
RATE_HINTS = {  # the letter of a training and that of the rate that somebody gives it
    "AC": "That rate moves little and always in the same direction: look for the loss that falls "
    "slowly.",
    "AB": "With that rate the error grows. Does this loss?",
    "BA": "With that rate the step jumps over the bottom, but lands nearer to it than before.",
    "BC": "A rate that is too small makes training slow. It never makes the loss grow.",
    "CA": "That rate jumps over the bottom in each step and is there quickly.",
    "CB": "With that rate the error grows. Does this loss?",
}


def which_rate() -> Exercise:
    """Which learning rate made which losses?"""
    table = ""
    for name, rate in RATES.items():
        losses = [place.loss for place in trained(0.0, 0.0, 1.0, 1.0, rate, steps=3)]
        table += f"| {name} | {' | '.join([f'{y:.2f}' for y in losses])} |\n"
    rates = ", ".join([f"${rate}$" for rate in sorted(RATES.values())])
    return Exercise(
        "**Which learning rate?** The same neuron begins at $w = 0$, $b = 0$; the only sample is "
        "$x = 1$, $y = 1$. Three trainings with the learning rates "
        f"{rates} had these losses:\n\n| | at the start | step 1 | step 2 | step 3 |\n"
        f"| --- | --- | --- | --- | --- |\n{table}\nWhich rate belongs to which? "
        'Answer with a dict: `{"A": …, "B": …, "C": …}`.',
        RATES,
        [Mistake({pair[0]: RATES[pair[1]]}, hint) for pair, hint in RATE_HINTS.items()],
        why="Each step multiplies the error by 1 − 2 (x² + 1) · rate = 1 − 4 · rate: by −0.6, by "
        "−1.4 and by 0.8; the loss by the square of that.",
    )


SIZES = (6, 10, 10, 3)
PAIRS = list(pairwise(SIZES))
ONE, TWO, THREE = [mg.nn.Affine(d, m, "zeros") for d, m in PAIRS]
NETWORK = mg.nn.Sequential(ONE, mg.nn.Tanh(), TWO, mg.nn.Tanh(), THREE)
COUNT = len(NETWORK.parameters())
HOW_MANY = Exercise(
    "**How many parameters?** A `Sequential` of `Affine(6, 10)`, `Tanh()`, `Affine(10, 10)`, "
    "`Tanh()` and `Affine(10, 3)`. How long is its list `parameters()`? Answer with a number.",
    COUNT,
    {
        "Those are the weights. What else does XW + b have?": sum(d * m for d, m in PAIRS),
        "The last layer has biases, too.": COUNT - SIZES[-1],
        "A layer has one bias for each *output*.": sum(d * m + d for d, m in PAIRS),
        "A layer has more than one bias: one for each output.": sum(d * m + 1 for d, m in PAIRS),
        "An activation has no parameters: it does the same with every number.": COUNT
        + sum(SIZES[1:-1]),
        "Those are the numbers that flow through it. How many wires are there?": sum(SIZES),
        "Those are the biases. And the weights?": sum(SIZES[1:]),
        "Those are the affine layers. How many parameters has each?": len(PAIRS),
        "Those are the layers. Which of them have parameters, and how many?": len(NETWORK),
        "The weights of layers add up; only within a layer you multiply.": Either(
            prod(SIZES), prod(SIZES[:-1])
        ),
        "Those are the matrices and rows. The list has every number in them.": 2 * len(PAIRS),
    },
    why="6 · 10 + 10, 10 · 10 + 10 and 10 · 3 + 3. Activations have none.",
)

EXERCISES = [TWO_STEPS, which_rate(), HOW_MANY]
