"""A derivation: equations whose sides are compared, exactly, before they are shown."""

from __future__ import annotations

import itertools
import math
import operator
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, reduce
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from microgrid.engine.errors import MicrogridError, ShapeError
from microgrid.engine.value import Constant, Value, accumulate, topological
from microgrid.matrices.arrays import Array, matrix
from microgrid.matrices.examples import label_entries
from microgrid.views.files import save_by_suffix
from microgrid.views.formula import LATEX, name
from microgrid.views.notation import write

DRAWS = 3  # of numbers at which every side of every equation is compared
WIDEST = 30  # columns of a Jacobian: more can be computed but not read
Numbers = dict[Value, Any]  # of the leaves, and of the nodes that were computed from them
Claim = Callable[..., Any] | str


class DerivationError(MicrogridError, ValueError):
    """A displayed step does not hold."""


def entrywise(f: Callable[[Any], Any], A: Array) -> Array:
    """f of every entry, in A's shape."""
    result: Array = np.frompyfunc(f, 1, 1)(A)
    return result


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
    return rf"\mathbf{{{letter}}}"


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


Equation = tuple[Side, ...]


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


class Layer:
    """A layer's formula on arrays of leaves, and the upstream gradient dY = ∂L/∂Y as leaves, too.

    `build` makes the same layer of other sizes; `forward` maps arrays by name, like X and W, to Y,
    which has this shape. ShapeError for sizes below 1 or too large to read.
    """

    def __init__(
        self, build: Callable[..., Layer], sizes: dict[str, int], forward: Callable[..., Array],
        shape: tuple[int, ...], **shapes: tuple[int, ...],
    ) -> None:  # fmt: skip
        for letter, size in sizes.items():
            if not isinstance(size, int) or size < 1:
                raise ShapeError(f"{letter} = {size!r}: the sizes of a layer are 1 or more")
        if max(map(math.prod, (shape, *shapes.values()))) > WIDEST:
            raise ShapeError(f"{sizes}: Jacobians of more than {WIDEST} rows or columns, take less")
        self.build, self.sizes, self.forward = build, sizes, forward
        arrays = {k: matrix(np.ones(shapes[k], dtype=int), k.lower()) for k in shapes}
        self.Y, self.dY = label_entries(forward(**arrays)), matrix(np.ones(shape, dtype=int), "g")
        self.inputs, self.leaves = arrays, {**arrays, "dY": self.dY}
        self.arguments = [self.leaves[letter] for letter in ("X", "W", "dY")]  # of a claim
        self.names = {v: name(v.label) for v in [*self.variables, *self.Y.flat]}
        self.names |= {g: partial("L", self.names[y]) for y, g in zip(self.Y.flat, self.dY.flat)}

    @property
    def variables(self) -> list[Value]:
        """Every leaf, array by array."""
        return list(itertools.chain.from_iterable([A.flat for A in self.leaves.values()]))

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

    def side(self, A: Array) -> Side:
        """An array that is written entry by entry."""
        return Side(self.latex(A), A)

    def product(self, A: Array, B: Array) -> Side:
        """The product of two arrays that are written entry by entry."""
        return Side(f"{self.latex(A)} {self.latex(B)}", A @ B)

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
        return {
            letter: Side(partial("L", bold(letter)), flat[letter].reshape(A.shape))
            for letter, A in self.inputs.items()
        }


def drawn(layer: Layer) -> Iterator[Numbers]:
    """The same small fractions for every run, none of them zero."""
    source = random.Random(1)
    for _ in range(DRAWS):
        yield {
            v: Fraction(source.choice((-1, 1)) * source.randint(1, 9), source.randint(1, 4))
            for v in layer.variables
        }


# Steps.


@dataclass(frozen=True)
class Step:
    """A title, some words, and equations."""

    title: str
    words: str
    equations: tuple[Equation, ...]
    note: str = ""  # why it does not hold
    example: str = ""  # numbers at which it does not

    @property
    def holds(self) -> bool:
        return not self.note

    @property
    def latex(self) -> str:
        """The equations, aligned at their = signs, for display."""
        lines = []
        for left, *others in self.equations:
            right = [f"&= {side.latex}" for side in others]
            if not self.holds:
                right[-1] = right[-1].replace("=", r"\overset{?}{=}", 1)
            lines += [f"{left.latex} {right[0]}", *right[1:]]
        body = " \\\\[4pt]\n".join([*lines, self.example] if self.example else lines)
        return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"

    @property
    def verdict(self) -> str:
        """What the check found, in words."""
        count = sum(map(len, self.equations))
        checked = f"Checked: {count} sides compared exactly at {DRAWS} draws of fractions."
        return self.note or checked

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"


class Counterexample(NamedTuple):
    """The smallest numbers at which a formula is wrong; `got` says why where it has no value."""

    sizes: tuple[int, ...]
    numbers: dict[str, list[Any]]
    right: list[Any]
    got: Any


class Derivation:
    """Steps that were checked when they were made; shows itself in a notebook.

    `ok` says whether all hold; only a formula given by the user may fail, and then it is the last
    step, `counterexamples` has the smallest shape at which it does not fit and the smallest at
    which it fits and gives wrong numbers.
    """

    def __init__(self, title: str, layer: Layer) -> None:
        self.title, self.layer = title, layer
        self.points = list(drawn(layer))
        self.steps: list[Step] = []
        self.counterexamples: list[Counterexample] = []

    @property
    def ok(self) -> bool:
        return self.failed is None

    @property
    def failed(self) -> Step | None:
        """The step that does not hold."""
        return next((step for step in self.steps if not step.holds), None)

    def step(self, title: str, words: str, *equations: Equation) -> None:
        """Add a step; DerivationError unless the sides of each equation are the same."""
        for (left, *others), numbers in itertools.product(equations, self.points):
            expected = left.at(numbers)
            for side in others:
                actual = side.at(numbers)
                if actual.shape != expected.shape or (actual != expected).any():
                    raise DerivationError(
                        f"{title}: {left.latex} = {expected.tolist()}, but "
                        f"{side.latex} = {actual.tolist()}"
                    )
        self.steps.append(Step(title, words, equations))

    def __str__(self) -> str:
        steps = [
            f"{k}. {step.title}\n\n{step.words}\n\n{step.latex}\n\n{step.verdict}"
            for k, step in enumerate(self.steps, 1)
        ]
        return "\n\n".join([f"{self.title}\n{'=' * len(self.title)}", *steps])

    def __repr__(self) -> str:
        state = "all checked" if self.ok else f"fails at {self.steps[-1].title!r}"
        return f"<Derivation {self.title!r}: {len(self.steps)} steps, {state}>"

    def markdown(self) -> str:
        """The derivation as Markdown with formulas between dollar signs."""
        steps = [
            f"## {k}. {step.title}\n\n{step.words}\n\n$$\n{step.latex}\n$$\n\n*{step.verdict}*\n"
            for k, step in enumerate(self.steps, 1)
        ]
        return "\n".join([f"# {self.title}\n", *steps])

    _repr_markdown_ = markdown

    def tex(self) -> str:
        """The derivation as a complete LaTeX document; wide formulas are shrunk to the page."""
        steps = [
            f"\\section{{{step.title}}}\n\n{step.words}\n\n\\fitted{{{step.latex}}}\n\n"
            f"\\emph{{{step.verdict}}}\n\n"
            for step in self.steps
        ]
        return f"{PREAMBLE.replace('TITLE', self.title)}{''.join(steps)}\\end{{document}}\n"

    def save(self, path: str | Path) -> Path:
        """Write a .tex document or a .md text, as the name says; returns the path."""
        path, makers = Path(path), {".tex": self.tex, ".md": self.markdown}
        if path.suffix.lower() not in makers:
            raise DerivationError(f"{path}: a derivation is written as .tex or .md")
        path.parent.mkdir(parents=True, exist_ok=True)
        return save_by_suffix(path, makers)


PREAMBLE = r"""\documentclass{article}
\usepackage[a4paper,margin=2.5cm]{geometry}
\usepackage{amsmath,amssymb,graphicx}
\setcounter{MaxMatrixCols}{40}
\renewcommand{\arraystretch}{1.2}
\setlength{\parindent}{0pt}
\setlength{\parskip}{6pt}
\newsavebox{\formula}
\newcommand{\fitted}[1]{\sbox{\formula}{$\displaystyle #1$}%
  \par\nopagebreak{\centering\ifdim\wd\formula>\linewidth
  \resizebox{\linewidth}{!}{\usebox{\formula}}\else\usebox{\formula}\fi\par}\nopagebreak}
\title{TITLE}
\author{}
\date{}
\begin{document}
\maketitle

"""
