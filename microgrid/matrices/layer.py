"""A layer on arrays of leaves: its formula, its derivatives by differences and over paths."""

from __future__ import annotations

import math
import operator
import random
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property, reduce
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from microgrid.engine.errors import ShapeError
from microgrid.engine.labels import LabelError
from microgrid.engine.value import Constant, Value, accumulate, topological
from microgrid.matrices.arrays import Array, entrywise, matrix
from microgrid.matrices.examples import label_entries
from microgrid.views.formula import LATEX, name
from microgrid.views.labels import Part, parts_of
from microgrid.views.notation import write

DRAWS = 3  # of numbers at which every side of every equation is compared
WIDEST = 30  # columns of a Jacobian: more can be computed but not read
Letters = Mapping[str, str]
NO_LETTERS: Letters = MappingProxyType({})
Numbers = dict[Value, Any]  # of the leaves, and of the nodes that were computed from them


# How matrices and derivatives are written.


def bmatrix(texts: Any) -> str:
    """Rows and columns; a row of more than three sums stands upright, transposed, to fit a page."""
    table = np.atleast_2d(texts)
    upright = len(table) == 1 and table.shape[1] > 3 and any("+" in text for text in table[0])
    rows = [" & ".join(row) for row in (table.T if upright else table)]
    apart = r" \\[5pt] " if any(r"\frac" in row for row in rows) else r" \\ "
    return rf"\begin{{bmatrix}} {apart.join(rows)} \end{{bmatrix}}{'^T' if upright else ''}"


def partial(above: str, below: str) -> str:
    return rf"\frac{{\partial {above}}}{{\partial {below}}}"


def bold(letter: str) -> str:
    return rf"\mathbf{{{letter}}}" if letter.isascii() else rf"\boldsymbol{{{name(letter)}}}"


# One side of an equation, and the numbers of its entries.


def replay(entries: Any, numbers: Numbers) -> Any:
    """A node or an array of nodes at other numbers of the leaves, or at symbols, or at arrays.

    `numbers` keeps what is computed on the way, so that no node is computed twice.
    """
    if isinstance(entries, np.ndarray):
        return entrywise(lambda v: replay(v, numbers), entries)
    if not isinstance(entries, Value):
        return entries
    for v in topological(entries) if entries not in numbers else ():
        if v not in numbers:
            numbers[v] = v.op.forward(*[numbers[p] for p in v.parents]) if v.op else v.data
    return numbers[entries]


class Side(NamedTuple):
    """How one side of an equation is written, and its entries: nodes over the layer's leaves.

    A formula that the user gives is a function of the numbers instead.
    """

    latex: str
    entries: Any

    def at(self, numbers: Numbers) -> Array:
        given = self.entries(numbers) if callable(self.entries) else replay(self.entries, numbers)
        return np.asarray(given, dtype=object)


class Paths:
    """A sum of products of local gradients: one product for every path from a root to a leaf.

    It takes the place of the upstream gradient in the engine's own backward pass, which only
    multiplies it and adds it up. So symbolic entries come from the graph.
    """

    def __init__(self, *products: Any) -> None:
        self.products = products

    def __mul__(self, local: Any) -> Paths:
        if local == 1 and (not isinstance(local, Value) or type(local) is Constant):
            return self
        return Paths(*[local if product is None else product * local for product in self.products])

    def __add__(self, other: Paths) -> Paths:
        return Paths(*other.products, *self.products)  # backward meets the last output first

    def entry(self) -> Any:
        """The sum as a node; without factors a product is 1, without products the sum is 0."""
        return reduce(operator.add, [1 if p is None else p for p in self.products] or [0])


def paths(root: Value, A: Array) -> Array:
    """∂root/∂leaf for each leaf of an array as a sum over paths."""
    found = accumulate(topological(root), Paths(None), as_graph=True)
    return entrywise(lambda leaf: found.get(leaf, Paths()).entry(), A)


def chosen_letters(letters: Letters, known: Sequence[str], sizes: Iterable[str]) -> dict[str, str]:
    """Each letter and how it is shown, as one letter of its own; LabelError for others."""
    if unknown := [x for x in letters if x not in known]:
        raise LabelError(f"letters {unknown[0]!r}: there are {', '.join(known)}")
    shown = {x: x for x in known}
    for x, letter in letters.items():
        (part, *others) = parts_of(letter) if isinstance(letter, str) and letter else [Part("")]
        if others or part != Part(part.text) or len(part.text) != 1 or not part.text.isalpha():
            raise LabelError(f"letters {x}={letter!r}: one letter, such as A, Θ or \\Theta")
        shown[x] = part.text
    large = [*sizes, "J", *shown.values()]
    small = [*map(str.lower, sizes), *"hij", *[shown[x].lower() for x in known if x != "L"]]
    for taken in large, small:
        read_as = [unicodedata.normalize("NFKC", x) for x in taken]  # in a claim: 𝒜 is A
        if again := [x for x in read_as if read_as.count(x) > 1]:
            raise LabelError(f"letters {again[0]!r}: it would mean two things")
    return shown


class Layer:
    """A layer's formula on arrays of leaves, and the upstream gradient dY = ∂L/∂Y as leaves, too.

    `build` makes the same layer of other sizes; `forward` maps arrays by name, like X and W, to Y,
    which has this shape; `letters` are what X, W, b, Y or L are called instead. ShapeError for
    sizes below 1 or too large to read, LabelError for what is no letter.
    """

    def __init__(
        self, build: Callable[..., Layer], sizes: dict[str, int], forward: Callable[..., Array],
        shape: tuple[int, ...], letters: Letters = NO_LETTERS, **shapes: tuple[int, ...],
    ) -> None:  # fmt: skip
        for letter, size in sizes.items():
            if not isinstance(size, int) or size < 1:
                raise ShapeError(f"{letter} = {size!r}: the sizes of a layer are 1 or more")
        if max(map(math.prod, (shape, *shapes.values()))) > WIDEST:
            raise ShapeError(f"{sizes}: Jacobians of more than {WIDEST} rows or columns, take less")
        self.build, self.sizes, self.forward = build, sizes, forward
        self.shown = chosen_letters(letters, [*shapes, "Y", "L"], sizes)
        arrays = {k: matrix(np.ones(shapes[k], dtype=int), self.small(k)) for k in shapes}
        self.Y = label_entries(forward(**arrays), self.small("Y"))
        self.dY = matrix(np.ones(shape, dtype=int), "g")
        self.inputs, self.leaves = arrays, {**arrays, "dY": self.dY}
        self.arguments = [self.leaves[letter] for letter in ("X", "W", "dY")]  # of a claim
        self.names = {v: name(v.label) for v in [*self.variables, *self.Y.flat]}
        self.names |= {g: self.slope(self.names[y]) for y, g in zip(self.Y.flat, self.dY.flat)}

    # How its arrays are called

    def small(self, letter: str) -> str:
        """The letter of an array's entries."""
        return self.shown[letter].lower()

    def entry(self, letter: str, indices: str) -> str:
        """An entry of an array: x_{nd}."""
        return f"{name(self.small(letter))}_{{{indices}}}"

    def bold(self, letter: str) -> str:
        """An array, in bold."""
        return bold(self.shown[letter])

    def slope(self, below: str) -> str:
        """The derivative of the loss with respect to something."""
        return partial(name(self.shown["L"]), below)

    def renamed(self, formula: str) -> str:
        """A formula like "X.T @ dY" in the letters of this layer."""
        return re.sub("[XWY]", lambda found: self.shown[found[0]], formula)

    def gradient(self, letter: str) -> str:
        """The derivative of the loss with respect to an array."""
        return self.slope(self.bold(letter))

    @property
    def variables(self) -> list[Value]:
        """Every leaf, array by array."""
        return [v for A in self.leaves.values() for v in A.flat]

    def names_of(self, A: Array) -> Array:
        """The names of leaves or of entries of Y; that of an entry of dY says what it is, ∂L/∂y."""
        return entrywise(self.names.__getitem__, A)

    def latex(self, A: Array) -> str:
        """A matrix whose entries are written as formulas of the leaves."""

        def entry(v: Any) -> str:
            if not isinstance(v, Value):
                return str(v)
            return write(v, LATEX, self.names, 2000) if v.op else self.names[v]

        return bmatrix(entrywise(entry, A))

    def side(self, *factors: Array) -> Side:
        """An array, or the product of several, that are written entry by entry."""
        return Side(" ".join(map(self.latex, factors)), reduce(operator.matmul, factors))

    # The graph is compared with differences. Y is affine in X, in W and in b, so a difference
    # quotient is no approximation: with step 1 it is the derivative.

    @cached_property
    def jacobians(self) -> dict[str, Array]:
        """∂Y/∂A by differences of the formula on arrays: one row per output, flattened."""
        found = {}
        for letter, A in self.inputs.items():
            steps = np.eye(A.size, dtype=object).reshape(A.size, *A.shape)
            moved = [self.forward(**{**self.inputs, letter: A + step}) for step in steps]
            found[letter] = np.array([(Y - self.Y).ravel() for Y in moved], dtype=object).T
        return found

    @cached_property
    def gradients(self) -> dict[str, Side]:
        """∂L/∂A in the shape of A, by differences of L."""
        flat = {letter: self.dY.ravel() @ J for letter, J in self.jacobians.items()}
        found = {letter: dA.reshape(self.inputs[letter].shape) for letter, dA in flat.items()}
        return {letter: Side(self.gradient(letter), dA) for letter, dA in found.items()}


def drawn(layer: Layer) -> Iterator[Numbers]:
    """The same small fractions for every run, none of them zero."""
    source = random.Random(1)
    for _ in range(DRAWS):
        yield {
            v: Fraction(source.choice((-1, 1)) * source.randint(1, 9), source.randint(1, 4))
            for v in layer.variables
        }
