"""Exercises of notebook 8: record and replay."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

import microgrid as mg
from microgrid.course.chapters.chapter04 import SQUARES
from microgrid.course.choices import choice
from microgrid.course.question import Either, Exercise
from microgrid.matrices.arrays import Array

SAMPLES = (SQUARES[0], SQUARES[2], np.array([2, -1, 3]))  # X, dY and c: c fits on each side


def weighted(X: Array, dY: Array, c: Array) -> Array:
    """dW where sample n counts c_n times, from the graph."""
    W = mg.matrix(np.zeros((X.shape[1], dY.shape[1])))
    losses = [factor * ((x @ W) @ u) for x, u, factor in zip(X, dY, c)]
    return np.array(mg.gradients(mg.total(losses), W), dtype=float)


PER_SAMPLE = Exercise(
    "**Some samples count more.** Each sample gets a factor $c_n$: the loss of the batch is "
    "$\\sum_n c_n\\,\\ell_n$. What is $dW$ in matrices, with `X`, `dY` and `c`? Answer with a "
    "function: `lambda X, dY, c: …`.",
    weighted,
    {
        "Here all samples count the same: where is `c`?": lambda X, dY, c: X.T @ dY,
        "Each sample has its own factor: multiply by it *before* you add the samples.": Either(
            lambda X, dY, c: c.sum() * X.T @ dY, lambda X, dY, c: c.mean() * X.T @ dY
        ),
        "Now each sample has its factor twice: once with x, "
        "and once with the upstream.": lambda X, dY, c: (c[:, None] * X).T @ (c[:, None] * dY),
        "That is the transpose of dW: a row "
        "of W belongs to an input, not to an output.": lambda X, dY, c: (c[:, None] * dY).T @ X,
        "`*` multiplies entry by entry. Where is the sum over the samples?": lambda X, dY, c: (
            X.T * c * dY
        ),
        "c_n belongs to sample n, which is a *row* of X and a row of dY; your factor goes along "
        "the other axis. A column `c[:, None]` multiplies rows.": Either(
            lambda X, dY, c: X.T @ (c * dY), lambda X, dY, c: (c * X).T @ dY
        ),
        "The factor is right. But dW is a sum of outer products: the product "
        "must add over the samples, the rows of both.": lambda X, dY, c: X @ (c[:, None] * dY),
        "That is the gradient of the weighted *mean*: it divides by the sum of the factors. "
        "The loss here is the sum.": lambda X, dY, c: X.T @ (c[:, None] * dY) / c.sum(),
        "That is the gradient of a *mean* over the samples. "
        "The loss here is their sum.": lambda X, dY, c: X.T @ (c[:, None] * dY) / len(c),
        "A vector times a matrix is a vector: `c @` has added up numbers that dW keeps apart. The "
        "factors stand *between* Xᵀ and dY, one for each sample.": lambda X, dY, c: c @ X.T @ dY,
        "A matrix times a vector is a vector: `@ c` adds up numbers that dW keeps apart. The "
        "factors stand *between* Xᵀ and dY, one for each sample.": lambda X, dY, c: X.T @ dY @ c,
    },
    why="Sample n sends c_n times its outer product: dW = Xᵀ diag(c) dY, that is "
    "`X.T @ (c[:, None] * dY)`.",
    probe=lambda f: np.asarray(f(*SAMPLES)),
)


CANDIDATES = """
def A(x, w):
    return w * x if x > 0 else w

def B(x, w):
    return mg.relu(w * x)

def C(x, w):
    for _ in range(3): x = w * x
    return x

def D(x, w):
    while x < 10: x = x + w
    return x

def E(x, w):
    return max(x, w) * w

def F(x, w):
    return mg.maximum(x, w) * w
"""


def accepted() -> str:
    """The letters of the functions that can be recorded, found by recording them."""
    functions: dict[str, Any] = {"mg": mg}
    exec(CANDIDATES, functions)
    found = ""
    for letter in "ABCDEF":
        with suppress(mg.MicrogridError):
            mg.record(functions[letter], 1.0, 1.0)
            found += letter
    return found


RECORDABLE = choice(
    f"**Which can be recorded?**\n\n```python{CANDIDATES}```\n\n`record` accepts some of these "
    "functions and refuses the others. Which does it accept? Answer with a text of letters, "
    'such as `"AD"`.',
    accepted(),
    {
        "A": "`if x > 0` asks for a number, also where it stands inside of an expression.",
        "B": "`mg.relu` is an operation: the program can do it with any number.",
        "C": "how often does this loop run, and does that depend on a Value?",
        "D": "how often the loop runs depends on the number in x: it looks at it.",
        "E": "Python's own `max` asks with `>` which one is larger: it looks at numbers.",
        "F": "`mg.maximum` is an operation like `mg.relu`: both ways are in the program.",
    },
    {
        "Those are refused. Which are accepted?": "ADE",
        "Not all. Which of them ask how large a number is, before they go on?": "ABCDEF",
    },
    why="A, D and E look at a number. A loop of fixed length is written out, one line after "
    "the other, and `relu` and `maximum` are operations.",
)


def sizes() -> Exercise:
    """The sizes of gradients, counted in those of a program."""
    X, W, dY = np.ones((100, 4)), np.ones((4, 3)), np.ones((100, 3))
    layer = mg.record(lambda x, W, u: mg.dot(x @ W, u), X[0], W, dY[0])
    _, (dX, dW) = layer.batched((0, None, 0)).value_and_grad(X, W, dY, argnums=(0, 1))
    copies = np.broadcast_to(W, (100, 4, 3))
    _, each = layer.batched((0, 0, 0)).value_and_grad(X, copies, dY, argnums=1)
    return Exercise(
        "**How many numbers?** 100 samples with 4 inputs and 3 outputs each; the layer of this "
        "notebook. How many numbers are in `dX` and in `dW` with `batched((0, None, None, 0))`, "
        "and how many in the gradient of the copies of $W$ with `batched((0, 0, None, 0))`? "
        'Answer with a dict: `{"dX": …, "dW": …, "copies": …}`.',
        {"dX": dX.size, "dW": dW.size, "copies": each.size},
        {
            "What is shared gets one gradient, the sum over the samples; what has a batch axis "
            "gets one for each sample. "
            "Which of the two is it?": {"dX": X[0].size, "dW": each.size, "copies": dW.size},
            "A gradient has the shape of what it belongs to.": {
                "dX": dY.size,
                "dW": X.size,
                "copies": dX.size + dW.size,
            },
            "There is a number for each *entry*: how does the loss move with it?": {
                "dW": 1,
                "dX": 1,
                "copies": 100,
            },
        },
        why="X and the copies have a part for each sample, so their gradients do; W is shared.",
    )


EXERCISES = [PER_SAMPLE, RECORDABLE, sizes()]
