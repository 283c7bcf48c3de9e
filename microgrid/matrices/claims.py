"""Formulas that a user claims for a gradient, and the smallest numbers that refute them."""

from __future__ import annotations

import ast
import inspect
import itertools
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from microgrid.matrices.arrays import Array
from microgrid.matrices.derivation import (
    Claim,
    Counterexample,
    Layer,
    Point,
    Side,
    bmatrix,
    bold,
    drawn,
    partial,
)
from microgrid.views.expression import ExpressionError


def claimed(claim: Claim, letter: str) -> Side:
    """A formula for ∂L/∂letter: a function of (X, W, dY), or text like "dY @ W.T"."""
    if isinstance(claim, str):
        return read_claim(claim)
    try:
        inspect.signature(claim).bind("X", "W", "dY")
    except TypeError:
        raise ExpressionError(
            f"the claim for d{letter} must be a function of (X, W, dY), or text; got {claim!r}"
        ) from None
    formula = claim
    return Side(
        rf"\text{{the given d{letter}}}", lambda p: np.asarray(formula(p["X"], p["W"], p["dY"]))
    )


def read_claim(text: str) -> Side:
    """A formula of X, W, dY and ones with @, .T, +, - and *: parsed, never evaluated as code."""
    shown = {"X": bold("X"), "W": bold("W"), "dY": partial("L", bold("Y")), "ones": r"\mathbf{1}"}
    infix: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
        ast.MatMult: (r" \, ", lambda a, b: a @ b),
        ast.Mult: (r" \odot ", lambda a, b: a * b),
        ast.Add: (" + ", lambda a, b: a + b),
        ast.Sub: (" - ", lambda a, b: a - b),
    }

    def read(tree: ast.expr, inside: bool) -> Side:
        match tree:
            case ast.Name(id=letter) if letter in shown:
                return Side(shown[letter], lambda p: p[letter])
            case ast.Attribute(value=inner, attr="T"):
                A = read(inner, True)
                return Side(f"{A.latex}^T", lambda p: A.at(p).T)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in infix:
                sign, compute = infix[type(op)]
                a, b = read(left, True), read(right, True)
                written = f"{a.latex}{sign}{b.latex}"
                if inside:
                    written = f"({written})"
                return Side(written, lambda p: compute(a.at(p), b.at(p)))
        raise ExpressionError(
            f"{text!r}: a formula is made of X, W, dY and ones (a 1 per row of Y) with @, .T, "
            "+, - and * (entry by entry)"
        )

    if len(text) > 200:
        raise ExpressionError("a formula of more than 200 characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise ExpressionError(f"{text!r} cannot be read: {error}") from None
    side = read(tree, False)
    return Side(side.latex, lambda p: np.asarray(side.at({**p, "ones": ones_like(p)})))


def ones_like(p: Point) -> Array:
    return np.ones(len(p["dY"]), dtype=int).astype(object)


def value_of(formula: Callable[[Point], Array], p: Point, shape: tuple[int, ...]) -> Array | None:
    """What a formula gives in this shape, or None where it has no value in it."""
    try:
        A = np.asarray(formula(p), dtype=object)
    except (ValueError, IndexError, TypeError):
        return None
    return A.reshape(shape) if A.shape in (shape, (1, *shape)) else None


def counterexamples(
    layer: Layer, letter: str, formula: Callable[[Point], Array]
) -> list[Counterexample]:
    """The smallest shape at which a formula does not fit, and the smallest with wrong numbers."""
    shapes = sorted(itertools.product((1, 2, 3), repeat=3), key=lambda s: (sum(s), s))
    misfit = wrong = None
    for sizes in [*shapes, tuple(layer.sizes.values())]:
        other = layer.other_sizes(*sizes)
        right = other.gradient(letter)
        shape = other.leaves[letter].shape
        for p in drawn(other):
            got = value_of(formula, p, shape)
            if got is None:
                misfit = misfit or Counterexample(sizes, {}, list(shape), None)
            elif wrong is None and (got != right(p)).any():
                wrong = smallest(other, letter, formula, p)
    return [c for c in (misfit, wrong) if c]


def smallest(
    layer: Layer, letter: str, formula: Callable[[Point], Array], wrong: Point
) -> Counterexample:
    """The counterexample of this shape with small integers, zeros and ones where these do."""
    count = sum(A.size for A in layer.leaves.values())
    source = random.Random(1)
    simple = itertools.product((0, 1), repeat=count) if count <= 11 else ()
    rich = ([source.randint(-2, 3) for _ in range(count)] for _ in itertools.count())
    drawn_small = itertools.chain(simple, itertools.islice(rich, 200))
    tried = (layer.point(partial_next(iter(numbers))) for numbers in drawn_small)
    for p in itertools.chain(tried, [wrong]):  # there may be none with small integers
        right = layer.gradient(letter)(p)
        got = value_of(formula, p, right.shape)
        if got is not None and (got != right).any():
            shown = {k: A.tolist() for k, A in p.items() if k not in ("b", letter)}
            return Counterexample(tuple(layer.sizes.values()), shown, right.tolist(), got.tolist())
    raise AssertionError("endless")


def shown(formula: str, c: Counterexample) -> str:
    """The counterexample as an aligned line; nothing where there is only a shape."""
    if c.got is None:
        return ""
    *numbers, got, right = [
        bmatrix(np.array(A, dtype=object).astype(str))
        for A in (*c.numbers.values(), c.got, c.right)
    ]
    names = [partial("L", bold("Y")) if k == "dY" else bold(k) for k in c.numbers]
    pairs = [f"{k} = {A}" for k, A in zip(names, numbers, strict=True)]
    given = r",\quad ".join(pairs)
    return rf"\text{{but at }} {given}: \quad {formula} &= {got} \neq {right}"


def partial_next(numbers: Iterator[Any]) -> Callable[[Any], Any]:
    """A source of entries, one for each leaf that asks."""
    return lambda _: next(numbers)


def in_words(layer: Layer, letter: str, c: Counterexample) -> str:
    at = ", ".join(f"{k} = {n}" for k, n in zip(layer.sizes, c.sizes, strict=True))
    if c.got is None:
        return f"at {at}: it has no value of shape {tuple(c.right)}, the shape of {letter}"
    numbers = ", ".join(f"{k} = {plainly(A)}" for k, A in c.numbers.items())
    got, right = plainly(c.got), plainly(c.right)
    return f"at {at}, with {numbers}: it gives {got}, but the gradient is {right}"


def plainly(entries: Any) -> str:
    """Nested lists of numbers, with 1/2 for a Fraction."""
    whole = re.sub(r"Fraction\((-?\d+), 1\)", r"\1", str(entries))
    return re.sub(r"Fraction\((-?\d+), (\d+)\)", r"\1/\2", whole)
