"""Exercises of notebook 10: a small GPT."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

import microgrid as mg
from microgrid.course.mistakes import gradients_of
from microgrid.course.question import Either, Exercise

KEYS, QUERY = np.diag([0.0, 1.0, 2.0, 0.0])[:3], np.array([2.0, 2.0, 2.0, 2.0])
SCORES = KEYS @ QUERY  # 0, 2 and 4
SCALED = SCORES / np.sqrt(len(QUERY))
SEEN = mg.softmax(SCALED[:2])


def causal(weights: Iterable[float]) -> list[float]:
    """The weights of the first two places, and 0 for the third."""
    return [*weights, 0.0]


ATTENDED = Exercise(
    "**Who looks at whom?** Three places with $d = 4$. The query of the *second* place is "
    "$(2, 2, 2, 2)$; the keys of the three places are $(0, 0, 0, 0)$, $(0, 1, 0, 0)$ and "
    "$(0, 0, 2, 0)$. The attention is causal. How much does the second place look at each of "
    "the three? Answer with a list of three numbers.",
    causal(SEEN),
    {
        "Before softmax the scores are divided by the square root of d, "
        "the length of a query.": causal(mg.softmax(SCORES[:2])),
        "That is divided by d; the scores are divided by its square root.": causal(
            mg.softmax(SCORES[:2] / len(QUERY))
        ),
        "The third place is in the future of the second: it must not be seen.": mg.softmax(SCALED),
        "The third place is in the future, and the scores must be divided by √d.": mg.softmax(
            SCORES
        ),
        "These do not sum to 1: leave the future out *before* softmax, not after it.": causal(
            mg.softmax(SCALED)[:2]
        ),
        "A score of 0 is not a weight of 0: softmax makes exp(0) = 1 of it.": mg.softmax(
            causal(SCALED[:2])
        ),
        "Softmax takes the exponential of each score before it divides by their sum.": causal(
            SCALED[:2] / SCALED[:2].sum()
        ),
        "The other way round: the larger score gets the larger weight.": causal(SEEN[::-1]),
        "Those are the scores. Softmax makes weights of them.": SCALED.tolist(),
        "Those are the products. "
        "Divide them by √d; then softmax makes weights of them.": SCORES.tolist(),
        "Those are the exponentials. Weights sum to 1.": causal(np.exp(SCALED[:2])),
        "Causal: a place sees itself and what is to its left, not what is to its right.": [
            0.0,
            *mg.softmax(SCALED[1:]),
        ],
        "That is in percent: weights are shares of 1.": Either(
            *[causal(100 * np.array(shares)) for shares in (SEEN, np.round(SEEN, 2))]
        ),
        "And the third place? It gets a number, too.": SEEN,
        "That is right for equal scores "
        "and with the third place in view: what does the second place see?": [1 / 3] * 3,
        "That is right for equal scores. What are the scores of the two places?": [
            0.5,
            0.5,
            0.0,
        ],
    },
    why="Scores 0 and 2/√4 = 1, so 1 to e, which is σ(−1) and σ(1); the future gets 0.",
)

X, W, V = 2.0, 3.0, -2.5  # x, w and v of the residual stream


def down(first: int = 1, second: int = 1) -> dict[str, float]:
    """The gradients of y = (second + v)(first + w) x; 0 leaves out a layer's way straight on."""
    return {"x": (second + V) * (first + W), "w": (second + V) * X, "v": (first + W) * X}


def down_the_stream() -> Exercise:
    """The gradients of x and of the weights of two residual layers."""
    x, w, v = mg.Value(X, "x"), mg.Value(W, "w"), mg.Value(V, "v")
    h = x + w * x
    lost = "The way straight on is missing in"
    swapped = "Each weight multiplies what comes into its own layer: w has x, and v has h."
    return gradients_of(
        "**Down the stream.** Two layers of a residual stream, $h = x + w\\,x$ and then "
        "$y = h + v\\,h$, at $x = 2$, $w = 3$, $v = -2.5$. Which gradients arrive at $x$, $w$ and "
        '$v$? Answer with a dict: `{"x": …, "w": …, "v": …}`.',
        h + v * h,
        "xwv",
        {
            f"{lost} the first layer: h is x + w x.": down(first=0),
            f"{lost} the second layer: y is h + v h.": down(second=0),
            f"{lost} both layers: each adds to what comes in.": down(first=0, second=0),
            swapped: Either({"w": (1 + V) * h.data, "v": X}, {"w": h.data}),
        },
        why="Each layer multiplies by 1 for the way straight on plus its own slope: "
        "(1 − 2.5)(1 + 3) at x.",
    )


def tempered(logits: Sequence[float], temperature: float) -> list[float]:
    """Softmax of logits / temperature."""
    return mg.softmax([x / temperature for x in logits])


def heated(f: Callable[..., Any]) -> list[Any]:
    """The results of a function for three logits at three temperatures."""
    try:
        return [f(np.array([0.0, 1.0, 3.0]), heat) for heat in (0.5, 1.0, 2.0)]
    except TypeError as error:
        if "'list'" not in str(error):
            raise
        raise TypeError(
            f"{error}: mg.softmax gives a list. Does the temperature divide probabilities?"
        ) from None


TEMPERATURE = Exercise(
    "**Temperature.** Write the function that turns the logits of one place, an array, and a "
    "temperature into the probabilities from which a letter is drawn. Answer with a function: "
    "`lambda logits, temperature: …`; `mg.softmax` may help.",
    tempered,
    {
        "The wrong way round: with yours a *high* temperature makes the likely letters "
        "likelier still.": lambda logits, T: mg.softmax([x * T for x in logits]),
        "These are the probabilities at temperature 1, "
        "whatever the temperature is.": lambda logits, T: mg.softmax(logits),
        "These do not sum to 1. The temperature comes in before softmax.": lambda logits, T: [
            p / T for p in mg.softmax(logits)
        ],
        "That is softmax twice: divide the logits, not the probabilities.": lambda logits, T: (
            tempered(mg.softmax(logits), T)
        ),
        "A good way, but not yet the end: these powers do not sum to 1.": lambda logits, T: [
            p ** (1 / T) for p in mg.softmax(logits)
        ],
        "A minus too many: with yours the letter with the highest logit "
        "is the rarest.": lambda logits, T: tempered(logits, -T),
        "Those are still logits: what makes probabilities of them?": lambda logits, T: [
            x / T for x in logits
        ],
        "The exponentials are right; probabilities also sum to 1.": lambda logits, T: np.exp(
            np.array(logits) / T
        ),
        "That takes the likeliest letter for certain, as at a temperature "
        "near 0.": lambda logits, T: [float(x == max(logits)) for x in logits],
    },
    why="softmax(logits / T): T < 1 stretches the differences between logits, T > 1 shrinks them.",
    decimals=4,
    probe=heated,
)

EXERCISES = [ATTENDED, down_the_stream(), TEMPERATURE]
