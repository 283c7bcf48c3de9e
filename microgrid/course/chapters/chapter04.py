"""Exercises of notebook 4: from scalars to matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import microgrid as mg
from microgrid.course.choices import choice
from microgrid.course.question import Either, Exercise, is_missing
from microgrid.matrices.arrays import Array
from microgrid.matrices.claims import read_formula

# X, W and dY. They are square, so that every formula has the right shape, and not symmetric, so
# that no two formulas agree.
SQUARES = (
    np.array([[1, 2, 0], [3, -1, 2], [-2, 4, 5]]),
    np.array([[2, 0, 1], [-1, 3, 4], [5, 1, -2]]),
    np.array([[1, -2, 3], [4, 6, -2], [0, 1, 7]]),
)


def lying_down(X: Array, W: Array, dY: Array) -> tuple[Array, Array]:
    """dX and dW of Y = XWᵀ, from the graph."""
    A, V = mg.matrix(X), mg.matrix(W)
    dX, dW = mg.gradients(mg.total((dY * (A @ V.T)).ravel()), [A, V])
    return dX, dW


def formulas(text: str) -> Either:
    """The answers that a text like "dX: W @ dY, W.T @ dY" stands for."""
    name, several = text.split(": ")
    return Either(*[{name: read_formula(formula).function} for formula in several.split(", ")])


def on_squares(answer: Any) -> Any:
    """The results of two formulas, or of one function for both, for the square matrices."""
    if callable(answer):
        found = dict(zip(("dX", "dW"), answer(*SQUARES), strict=True))
    elif isinstance(answer, Mapping):
        found = {name: None if is_missing(f) else f(*SQUARES) for name, f in answer.items()}
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
        "That belongs to Y = XW. Here the operand beside X is Wᵀ as a whole: "
        "transpose that.": formulas("dX: dY @ W.T"),
        "In XWᵀ the weights stand on the right, and they keep their side.": formulas(
            "dX: W @ dY, W.T @ dY"
        ),
        "dY takes the place of X as it is: its rows are the samples.": formulas(
            "dX: dY.T @ W, dY.T @ W.T"
        ),
        "`*` multiplies entry by entry; `@` is needed.": formulas("dX: dY * W"),
        "That is the gradient of Wᵀ, which has the shape D × M. W itself is M × D: its entries lie "
        "in the mirrored places.": formulas("dW: X.T @ dY"),
        "That belongs to Y = WX, with a sample in each *column*. Here a sample is a row.": formulas(
            "dW: dY @ X.T, X @ dY.T"
        ),
        "The sum runs over the samples. They are the rows of X and of dY: look which index of each "
        "your product adds over.": formulas("dW: dY @ X, X @ dY, X.T @ dY.T, dY.T @ X.T"),
    },
    why="Call Wᵀ = V: the layer is Y = XV, so dX = dY Vᵀ = dY W, and dW = (Xᵀ dY)ᵀ = dYᵀ X.",
    probe=on_squares,
)

TESTS = {
    "A": [[1, 2], [3, 4]], "B": [[1, 2], [2, 5]], "C": [[1, 1], [1, 1]],
    "D": [[1, 2, 3], [4, 5, 6]], "E": [[0, 1, 2], [2, 0, 1], [1, 2, 0]], "F": [[4, 7]],
}  # fmt: skip
HIDES = choice(
    "**What hides it?** A student sums over the wrong axis: `db = dY.sum(axis=1)`. Right is "
    "`dY.sum(axis=0)`. A test compares shape and numbers for one of these $dY$:\n\n"
    + "\n".join([f"- {letter}: `{rows}`" for letter, rows in TESTS.items()])
    + '\n\nWith which of them does the test pass all the same? Answer with a set: `{"A", …}`.',
    "".join([c for c, dY in TESTS.items() if np.array_equal(np.sum(dY, 0), np.sum(dY, 1))]),
    {
        "A": "it has the right *shape*, but what are the sums of its rows, and of its columns?",
        "B": "it is symmetric: compare the sums of its rows with those of its columns.",
        "C": "all ones: compare the sums of its rows with those of its columns.",
        "D": "how many entries has db, and how many has the sum over the wrong axis?",
        "E": "it is not symmetric, but compare the sums of its rows with those of its columns.",
        "F": "a single sample hides a mean, or the first row. Here the sum over its entries is "
        "one number, and db has two.",
    },
    {"These *find* the mistake. The question is which ones hide it.": "ADF"},
    why="A symmetric dY, all ones, and E, whose rows and columns all add up to 3. Different N and "
    "M, as in D and F, find it by the shape alone.",
)


def jacobian_size() -> Exercise:
    """Rows, columns and entries that are not zero, counted in the Jacobian itself."""
    X, W = mg.matrix(np.arange(1, 13).reshape(4, 3)), mg.matrix(np.arange(1, 16).reshape(3, 5))
    Y = mg.affine(X, W, [0] * 5)
    J = mg.partials(Y, W)
    used = int(np.count_nonzero(J))
    return Exercise(
        "**How large is it?** $X$ is $4 \\times 3$ and $W$ is $3 \\times 5$. How many rows and "
        "columns does $J_y(w)$ have, and how many of its entries are not zero (if no $x$ is)? "
        'Answer with a dict: `{"rows": …, "columns": …, "not zero": …}`.',
        {"rows": len(J), "columns": len(J.T), "not zero": used},
        {
            "X has so many entries. The question is J_y(w).": {"columns": X.size},
            "A row for each *output*, a column for each *input*.": {
                "rows": W.size,
                "columns": Y.size,
            },
            "The matrices are written as vectors: each of their entries counts.": {
                "rows": len(X),
                "columns": len(W),
            },
            "Most are zero: how many weights does one y use?": {"not zero": J.size},
            "That many *are* zero.": {"not zero": J.size - used},
            "One y uses several weights.": {"not zero": Y.size},
            "Each weight stands in several rows: samples share it.": {"not zero": W.size},
        },
        why="20 outputs, 15 weights; each output uses 3 of them, so 60 entries of 300 are not 0.",
    )


EXERCISES = [WEIGHTS_LYING_DOWN, HIDES, jacobian_size()]
