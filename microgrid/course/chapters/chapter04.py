"""Exercises of notebook 4: from scalars to matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from microgrid.course.choices import choice
from microgrid.course.exercise import Either, Exercise, is_missing
from microgrid.engine.calculus import gradients
from microgrid.engine.functions import FUNCTIONS
from microgrid.matrices.arrays import Array, affine, matrix, partials

total = FUNCTIONS["total"]

# The weights lying down. Everything is square, so that every formula has the right shape, and
# nothing is symmetric, so that no two formulas agree.
LYING = tuple(
    np.array(rows)
    for rows in (
        [[1, 2, 0], [3, -1, 2], [-2, 4, 5]],
        [[2, 0, 1], [-1, 3, 4], [5, 1, -2]],
        [[1, -2, 3], [4, 6, -2], [0, 1, 7]],
    )
)


def lying_down(X: Array, W: Array, dY: Array) -> tuple[Array, Array]:
    """dX and dW of Y = XWᵀ, from the graph."""
    A, V = matrix(X), matrix(W)
    dX, dW = gradients(total((dY * (A @ V.T)).ravel()), [A, V])
    return dX, dW


def on_squares(answer: Any) -> Any:
    """The results of two formulas, or of one function for both, for the square matrices."""
    if callable(answer):
        found = dict(zip(("dX", "dW"), answer(*LYING), strict=True))
    elif isinstance(answer, Mapping):
        found = {name: None if is_missing(f) else f(*LYING) for name, f in answer.items()}
    else:
        return answer
    return {name: None if A is None else np.asarray(A).tolist() for name, A in found.items()}


WEIGHTS_LYING_DOWN = Exercise(
    "**The weights lying down.** PyTorch's linear layer stores its weights the other way round: "
    "$W$ is $M \\times D$, and $Y = XW^\\top$. What are $dX$ and $dW$ now? Use the mnemonic, or "
    "one entry and its paths. Answer with two functions: "
    '`{"dX": lambda X, W, dY: …, "dW": lambda X, W, dY: …}`. (The check uses $3 \\times 3$ '
    "matrices, where every formula has the right shape. Only the numbers tell.)",
    lying_down,
    {
        "That belongs to Y = XW. Here the operand beside X is Wᵀ as a whole: transpose that.": {
            "dX": lambda X, W, dY: dY @ W.T
        },
        "In XWᵀ the weights stand on the right, and they keep their side.": Either(
            {"dX": lambda X, W, dY: W @ dY},
            {"dX": lambda X, W, dY: W.T @ dY},
        ),
        "dY takes the place of X as it is: its rows are the samples.": Either(
            {"dX": lambda X, W, dY: dY.T @ W},
            {"dX": lambda X, W, dY: dY.T @ W.T},
        ),
        "`*` multiplies entry by entry; `@` is needed.": {"dX": lambda X, W, dY: dY * W},
        "That is the gradient of Wᵀ, which has the shape D × M. W itself is M × D: its entries lie "
        "in the mirrored places.": {"dW": lambda X, W, dY: X.T @ dY},
        "That belongs to Y = WX, with a sample in each *column*. Here a sample is a row.": Either(
            {"dW": lambda X, W, dY: dY @ X.T},
            {"dW": lambda X, W, dY: X @ dY.T},
        ),
        "The sum runs over the samples. They are the rows of X and of dY: look which index of each "
        "your product adds over.": Either(
            {"dW": lambda X, W, dY: dY @ X},
            {"dW": lambda X, W, dY: X @ dY},
            {"dW": lambda X, W, dY: X.T @ dY.T},
            {"dW": lambda X, W, dY: dY.T @ X.T},
        ),
    },
    why="Call Wᵀ = V: the layer is Y = XV, so dX = dY Vᵀ = dY W, and dW = (Xᵀ dY)ᵀ = dYᵀ X.",
    probe=on_squares,
)

TESTS = {
    "A": [[1, 2], [3, 4]],
    "B": [[1, 2], [2, 5]],
    "C": [[1, 1], [1, 1]],
    "D": [[1, 2, 3], [4, 5, 6]],
    "E": [[0, 1, 2], [2, 0, 1], [1, 2, 0]],
    "F": [[4, 7]],
}


def hiding() -> str:
    """The letters of the tests that the wrong sum passes, found by computing both sums."""
    sums = {c: (np.sum(rows, axis=0), np.sum(rows, axis=1)) for c, rows in TESTS.items()}
    return "".join([c for c, (down, across) in sums.items() if np.array_equal(down, across)])


HIDES = choice(
    "**What hides it?** A student sums over the wrong axis: `db = dY.sum(axis=1)`. Right is "
    "`dY.sum(axis=0)`. A test compares shape and numbers for one of these $dY$:\n\n"
    + "\n".join([f"- {letter}: `{rows}`" for letter, rows in TESTS.items()])
    + '\n\nWith which of them does the test pass all the same? Answer with a set: `{"A", …}`.',
    hiding(),
    {
        "A": "it has the right *shape*, but what are the sums of its rows, and of its columns?",
        "B": "it is symmetric: compare the sums of its rows with those of its columns.",
        "C": "all ones: compare the sums of its rows with those of its columns.",
        "D": "how many entries has db, and how many has the sum over the wrong axis?",
        "E": "it is not symmetric, but compare the sums of its rows with those of its columns.",
        "F": "a single sample hides a mean, or the first row. Here the sum over its entries is "
        "one number, and db has two.",
    },
    {
        "These *find* the mistake. The question is which ones hide it.": "ADF",
    },
    why="A symmetric dY, all ones, and E, whose rows and columns all add up to 3. Different N and "
    "M, as in D and F, find it by the shape alone.",
)


def jacobian_size() -> Exercise:
    """Rows, columns and entries that are not zero, counted in the Jacobian itself."""
    X, W = matrix(np.arange(1, 13).reshape(4, 3)), matrix(np.arange(1, 16).reshape(3, 5))
    Y = affine(X, W, [0] * 5)

    def counts(J: Array) -> dict[str, int]:
        return dict(zip(("rows", "columns", "not zero"), (*J.shape, int(np.count_nonzero(J)))))

    J = partials(Y, W)
    right, of_x = counts(J), counts(partials(Y, X))
    return Exercise(
        "**How large is it?** $X$ is $4 \\times 3$ and $W$ is $3 \\times 5$. How many rows and "
        "columns does $J_y(w)$ have, and how many of its entries are not zero (if no $x$ is)? "
        'Answer with a dict: `{"rows": …, "columns": …, "not zero": …}`.',
        right,
        {
            "X has so many entries. The question is J_y(w).": {"columns": of_x["columns"]},
            "A row for each *output*, "
            "a column for each *input*.": {"rows": W.size, "columns": Y.size},
            "The matrices are written as vectors: "
            "each of their entries counts.": {"rows": len(X), "columns": len(W)},
            "Most are zero: how many weights does one y use?": {"not zero": J.size},
            "That many *are* zero.": {"not zero": J.size - right["not zero"]},
            "One y uses several weights.": {"not zero": Y.size},
            "Each weight stands in several rows: samples share it.": {"not zero": W.size},
        },
        why="20 outputs, 15 weights; each output uses 3 of them, so 60 entries of 300 are not 0.",
    )  # fmt: skip


EXERCISES = [WEIGHTS_LYING_DOWN, HIDES, jacobian_size()]
