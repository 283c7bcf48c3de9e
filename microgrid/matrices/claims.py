"""Formulas on arrays: read from text, and refuted by small numbers where a user's is wrong."""

from __future__ import annotations

import ast
import inspect
import itertools
import operator
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from microgrid.engine import ops
from microgrid.engine.value import Op, Value
from microgrid.matrices.arrays import Array, entrywise
from microgrid.matrices.layer import Layer, Numbers, Side, bmatrix, bold, drawn, partial, replay
from microgrid.views.expression import ExpressionError, Reader
from microgrid.views.formula import LATEX, name
from microgrid.views.notation import write
from microgrid.views.spelling import Language, name_in

CALLED = {x: x for x in ("X", "W", "b", "Y", "L")}
ALLOWED = (
    "a formula is made of {X}, {W}, d{Y} and ones (a 1 per row of {Y}) with @, .T, .sum(axis=0) or "
    ".sum(axis=1), +, - and * (entry by entry)"
)
Claim = Callable[..., Any] | str
MATRICES = replace(LATEX, signs={**LATEX.signs, r"\,": LATEX.signs["*"]})

# Operations on arrays. Of 1 × 1 matrices, which are numbers, these are the local gradients.
SAME = ops.identity.rules
MATMUL = Op("matmul", np.dot, *ops.mul.rules, latex=r"#1 \, #2")
ENTRYWISE = Op("entrywise", operator.mul, *ops.mul.rules, latex=r"#1 \odot #2")
TRANSPOSE = Op("transpose", lambda A: getattr(A, "T", A), *SAME, latex="#1^T")
SUMS = [  # over the rows, and over the columns
    Op("sum", lambda A: np.sum(A, 0), *SAME, latex=r"\mathbf{1}^T \, #1"),
    Op("sum", lambda A: np.sum(A, 1) if np.ndim(A) else A, *SAME, latex=r"#1 \, \mathbf{1}"),
]


class ArrayReader(Reader):
    """Reads arithmetic on arrays: products with @ and *, sums, and transposes."""

    binary = MappingProxyType({
        ast.MatMult: MATMUL, ast.Mult: ENTRYWISE, ast.Add: operator.add, ast.Sub: operator.sub,
    })  # fmt: skip
    attributes = MappingProxyType({"T": TRANSPOSE})

    def __init__(self, text: str, leaves: Mapping[str, Value], called: Mapping[str, str]) -> None:
        example = "d{Y} @ {W}.T".format_map(called)
        self.language = Language(
            signs="+ - * @ . = ( )", allowed=ALLOWED.format_map(called), lines=False, longest=200,
            example=example, product=f"a product of matrices needs its @, like {example}",
        )  # fmt: skip
        super().__init__(text, leaves)

    def read(self, tree: ast.expr, depth: int) -> Any:
        match tree:
            case ast.Name(id=name) if name in self.leaves:
                return super().read(tree, depth)
            case ast.Attribute() | ast.BinOp() | ast.UnaryOp(op=ast.USub()):
                return super().read(tree, depth)
            case ast.Call(
                func=ast.Attribute(value=A, attr="sum"), args=[],
                keywords=[ast.keyword(arg="axis", value=ast.Constant(value=int() as axis))],
            ) if axis in (0, 1):  # fmt: skip
                return self.compute(tree, SUMS[axis], self.one(A, depth))
        raise self.error(tree, self.language.allowed)


class Formula(NamedTuple):
    """A formula of X, W and dY: how it is written, and the function that it is."""

    latex: str
    function: Callable[[Array, Array, Array], Any]

    def side(self, layer: Layer) -> Side:
        """Its entries as nodes over the layer's leaves."""
        return Side(self.latex, np.asarray(self.function(*layer.arguments), dtype=object))

    def fitted(self, layer: Layer, letter: str, numbers: Numbers) -> Array | None:
        """Its value in the shape of the letter, or None where it has none in it."""
        shape = layer.leaves[letter].shape
        try:
            value = self.function(*[replay(A, numbers) for A in layer.arguments])
            entries = np.asarray(value, dtype=object)
        except (ValueError, IndexError, TypeError):
            return None
        return entries.reshape(shape) if entries.shape in (shape, (1, *shape)) else None


def read_formula(text: str, called: Mapping[str, str] = CALLED) -> Formula:
    """A formula like "dY @ W.T" or "1ᵀ @ dY": parsed, never evaluated as code.

    It is read as a graph on numbers, which are 1 × 1 matrices; arrays are what it is replayed at.
    `called` says what X, W, Y and L are called in it.
    """
    gradient = partial(name(called["L"]), bold(called["Y"]))
    latex = {called[x]: bold(called[x]) for x in ("X", "W")}
    latex |= {f"d{called['Y']}": gradient, "ones": r"\mathbf{1}"}
    symbols = {name_in(letter): Value(1, letter) for letter in latex}  # 𝒜 is read as A
    text = text.replace("1ᵀ", "ones.T").replace("ᵀ", ".T")
    root = ArrayReader(text, symbols, called).root()

    def function(X: Array, W: Array, dY: Array) -> Any:
        ones = np.ones(len(dY), dtype=int).astype(object)
        return replay(root, dict(zip(symbols.values(), (X, W, dY, ones), strict=True)))

    names = dict(zip(symbols.values(), latex.values()))
    return Formula(names.get(root) or write(root, MATRICES, names), function)


def claimed(claim: Claim, layer: Layer, letter: str) -> Formula:
    """A formula for ∂L/∂letter: a function of (X, W, dY), or text like "dY @ W.T"."""
    if isinstance(claim, str):
        return read_formula(claim, layer.shown)
    try:
        inspect.signature(claim).bind("X", "W", "dY")
    except TypeError:
        raise ExpressionError(
            f"the claim for d{letter} must be a function of (X, W, dY), or text; got {claim!r}"
        ) from None
    return Formula(rf"\text{{the given d{letter}}}", claim)


class Counterexample(NamedTuple):
    """The smallest numbers at which a formula is wrong; `got` is None where it has no value.

    `sizes` are those of the layer, such as N, D and M; `numbers` are its matrices, and `right` is
    the gradient, or its shape where `got` is None.

    >>> from microgrid import derive
    >>> for found in derive.affine(dW="dY.T @ X").counterexamples:
    ...     print(found.sizes, found.right, found.got)
    (1, 1, 2) [1, 2] None
    (1, 2, 2) [[0, 0], [1, 0]] [[0, 1], [0, 0]]
    """

    sizes: tuple[int, ...]
    numbers: dict[str, list[Any]]
    right: list[Any]
    got: Any


def refute(layer: Layer, letter: str, formula: Formula) -> list[Counterexample]:
    """The smallest shape at which a formula does not fit, and the smallest with wrong numbers."""
    shapes = sorted(itertools.product((1, 2, 3), repeat=3), key=lambda s: (sum(s), s))
    misfit = wrong = None
    for sizes in [*shapes, tuple(layer.sizes.values())]:
        other = layer.build(*sizes)
        gradient = other.gradients[letter]
        for numbers in drawn(other):
            got = formula.fitted(other, letter, numbers)
            if got is None:
                shape = other.leaves[letter].shape
                misfit = misfit or Counterexample(sizes, {}, list(shape), None)
            elif wrong is None and (got != gradient.at(numbers)).any():
                wrong = smallest(other, letter, formula, numbers)
    return [c for c in (misfit, wrong) if c]


def smallest(layer: Layer, letter: str, formula: Formula, wrong: Numbers) -> Counterexample:
    """The counterexample of this shape with small integers, zeros and ones where these do."""
    variables, gradient = layer.variables, layer.gradients[letter]
    source = random.Random(1)
    simple = itertools.product((0, 1), repeat=len(variables)) if len(variables) <= 11 else ()
    rich = ([source.randint(-2, 3) for _ in variables] for _ in range(200))
    drawn_small = (dict(zip(variables, xs, strict=True)) for xs in itertools.chain(simple, rich))
    for numbers in itertools.chain(drawn_small, [wrong]):  # small integers may hide the mistake
        right, got = gradient.at(numbers), formula.fitted(layer, letter, numbers)
        if got is not None and (got != right).any():
            shown = {k: A for k, A in layer.leaves.items() if k not in ("b", letter)}
            given = {k: replay(A, numbers).tolist() for k, A in shown.items()}
            return Counterexample(tuple(layer.sizes.values()), given, right.tolist(), got.tolist())
    raise AssertionError("the last of these numbers are a counterexample")


def in_latex(layer: Layer, formula: str, c: Counterexample) -> str:
    """The counterexample as an aligned line; nothing where there is only a shape."""
    if c.got is None:
        return ""

    def numbers(entries: list[Any]) -> str:
        return bmatrix(np.array(entries, dtype=object).astype(str))

    latex = {**{k: layer.bold(k) for k in layer.inputs}, "dY": layer.gradient("Y")}
    given = r",\quad ".join([f"{latex[k]} = {numbers(A)}" for k, A in c.numbers.items()])
    return rf"\text{{but at }} {given}: \quad {formula} &= {numbers(c.got)} \neq {numbers(c.right)}"


def in_words(layer: Layer, letter: str, c: Counterexample) -> str:
    at = ", ".join(f"{k} = {n}" for k, n in zip(layer.sizes, c.sizes, strict=True))
    if c.got is None:
        of = layer.shown[letter]
        return f"at {at}: it has no value of shape {tuple(c.right)}, the shape of {of}"
    called = {**layer.shown, "dY": f"d{layer.shown['Y']}"}
    numbers = ", ".join(f"{called[k]} = {plainly(A)}" for k, A in c.numbers.items())
    got, right = plainly(c.got), plainly(c.right)
    return f"at {at}, with {numbers}: it gives {got}, but the gradient is {right}"


def plainly(entries: Any) -> str:
    """Nested lists of numbers, with 1/2 for a Fraction."""
    return str(entrywise(str, np.array(entries, dtype=object)).tolist()).replace("'", "")
