"""A derivation: equations whose sides are compared, exactly, before they are shown."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from microgrid.engine.errors import MicrogridError
from microgrid.engine.functions import FUNCTIONS
from microgrid.engine.value import Value, accumulate, topological
from microgrid.matrices.arrays import Array
from microgrid.views.formula import latex

DRAWS = 3  # of numbers at which every side of every equation is compared
WIDEST = 30  # columns of a Jacobian: more can be computed but not read
Point = Mapping[str, Array]  # numbers, or symbols, for X, W, b and dY
Claim = Callable[..., Any] | str


class DerivationError(MicrogridError, ValueError):
    """A displayed step does not hold."""


# How matrices and derivatives are written.


def bmatrix(entries: Array) -> str:
    """Rows and columns; a row of more than three sums stands upright, transposed, to fit a page."""
    table = np.atleast_2d(entries)
    upright = len(table) == 1 and table.shape[1] > 3 and any("+" in entry for entry in table[0])
    rows = [" & ".join(row) for row in (table.T if upright else table)]
    apart = r" \\[5pt] " if any(r"\frac" in row for row in rows) else r" \\ "
    return rf"\begin{{bmatrix}} {apart.join(rows)} \end{{bmatrix}}{'^T' if upright else ''}"


def each(f: Callable[[Any], Any], A: Array) -> Array:
    """f of every entry, in A's shape."""
    result = np.empty(A.shape, dtype=object)
    for index, entry in np.ndenumerate(A):
        result[index] = f(entry)
    return result


def partial(above: str, below: str) -> str:
    return rf"\frac{{\partial {above}}}{{\partial {below}}}"


def bold(letter: str) -> str:
    return rf"\mathbf{{{letter}}}"


# One side of an equation, and what its symbolic entries are made of.


class Side(NamedTuple):
    """How one side of an equation is written, and its entries at given numbers."""

    latex: str
    at: Callable[[Point], Array]


Equation = tuple[Side, ...]


class Paths:
    """A sum of products of local gradients: one product for every path from a root to a leaf.

    It takes the place of the upstream gradient in the engine's own backward pass, which multiplies
    and adds without knowing that these are no numbers. So symbolic entries come from the graph.
    """

    def __init__(self, *terms: tuple[Any, ...]) -> None:
        self.terms = terms

    def __mul__(self, local: Any) -> Paths:
        factor = (local,) if isinstance(local, Value) or local != 1 else ()  # a plain 1 is none
        return Paths(*[(*term, *factor) for term in self.terms])

    def __add__(self, other: Paths) -> Paths:
        return Paths(*other.terms, *self.terms)  # backward meets the last output first


def paths(root: Value, leaves: Array) -> Array:
    """∂root/∂leaf for each leaf as a sum over paths."""
    found = accumulate(topological(root), Paths(()), as_graph=True)
    return each(lambda leaf: found.get(leaf, Paths()), leaves)


@dataclass(frozen=True)
class Layer:
    """A layer as a formula on arrays and as a graph of scalars, with L = Σ dY · Y above it."""

    sizes: dict[str, int]  # N, D, M
    forward: Callable[[Point], Array]
    leaves: dict[str, Array]  # X, W, b and dY
    Y: Array
    y: Array  # how the entries of Y are written
    other_sizes: Callable[..., Layer]

    @property
    def L(self) -> Value:
        products = self.Y.ravel() * self.leaves["dY"].ravel()
        root: Value = FUNCTIONS["total"](products)
        return root

    def written(self, v: Value) -> str:
        """A leaf's name; that of an entry of dY says what it is, ∂L/∂y."""
        for g, y in zip(self.leaves["dY"].ravel(), self.y.ravel(), strict=True):
            if v is g:
                return partial("L", y)
        return str(latex(v))

    def names(self, letter: str) -> Array:
        return each(self.written, self.leaves[letter])

    def replay(self, v: Value, p: Point) -> Any:
        """What the graph of v gives at other numbers than its own, or at symbols."""
        found: dict[Value, Any] = {}
        for letter, leaves in self.leaves.items():
            found |= zip(leaves.ravel(), p[letter].ravel(), strict=True)
        for node in topological(v):
            if node.op:
                found[node] = node.op.forward(*[found[parent] for parent in node.parents])
            else:
                found.setdefault(node, node.data)
        return found[v]

    def symbolic(self, entries: Array) -> Side:
        """An array of sums over paths."""

        def product(term: tuple[Any, ...]) -> str:
            return " ".join([self.written(v) for v in term if v.label]) or "1"

        def value(s: Paths, p: Point) -> Any:
            products = [
                np.prod([self.replay(v, p) for v in term], dtype=object) for term in s.terms
            ]
            return sum(products[1:], products[0]) if products else 0

        written = each(lambda s: " + ".join(map(product, s.terms)) or "0", entries)
        return Side(bmatrix(written), lambda p: each(lambda s: value(s, p), entries))

    # What the graph is compared with. Y is affine in X, in W and in b, so a difference quotient
    # is no approximation: with step 1 it is the derivative.

    def jacobian(self, letter: str) -> Callable[[Point], Array]:
        """∂Y/∂letter by differences of the formula on arrays: one row per output, flattened."""

        def at(p: Point) -> Array:
            Y = self.forward(p).ravel()
            columns = []
            for k in range(p[letter].size):
                moved = p[letter].copy()
                moved.flat[k] += 1
                columns.append(self.forward({**p, letter: moved}).ravel() - Y)
            return np.array(columns, dtype=object).T

        return at

    def gradient(self, letter: str) -> Callable[[Point], Array]:
        """∂L/∂letter in the shape of the letter, by differences of L."""
        J = self.jacobian(letter)
        return lambda p: (p["dY"].ravel() @ J(p)).reshape(p[letter].shape)

    def point(self, number: Callable[[str], Any]) -> Point:
        """Numbers or symbols for every leaf, from its label."""
        return {
            letter: each(lambda v: number(v.label), leaves)
            for letter, leaves in self.leaves.items()
        }


def drawn(layer: Layer) -> Iterator[Point]:
    """The same small fractions for every run, none of them zero."""
    source = random.Random(1)
    for _ in range(DRAWS):
        yield layer.point(
            lambda label: Fraction(
                source.choice((-1, 1)) * source.randint(1, 9), source.randint(1, 4)
            )
        )


# Steps.


@dataclass(frozen=True)
class Step:
    """A title, some words, and equations; `check` compares all their sides."""

    title: str
    words: str
    equations: tuple[Equation, ...]
    holds: bool = True
    note: str = ""  # why it does not hold
    example: str = ""  # numbers at which it does not

    @property
    def latex(self) -> str:
        """The equations, aligned at their = signs, for display."""
        lines = []
        for first, *others in self.equations:
            sign = "=" if self.holds else r"\overset{?}{=}"
            signs = ["="] * (len(others) - 1) + [sign] if others else []
            rest = [f"&{sign} {side.latex}" for sign, side in zip(signs, others, strict=True)]
            lines += [f"{first.latex} {rest[0] if rest else ''}".strip(), *rest[1:]]
        lines += [self.example] if self.example else []
        body = " \\\\[4pt]\n".join(lines)
        return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"

    def check(self, points: Sequence[Point], same: Callable[[Any, Any], bool]) -> None:
        """DerivationError unless the sides of each equation are the same, entry by entry."""
        for equation in self.equations:
            for p in points:
                sides = [np.asarray(side.at(p), dtype=object) for side in equation]
                for side, A in zip(equation[1:], sides[1:], strict=True):
                    if A.shape != sides[0].shape or not all(map(same, sides[0].ravel(), A.ravel())):
                        raise DerivationError(
                            f"{self.title}: {equation[0].latex} = {sides[0].tolist()}, but "
                            f"{side.latex} = {A.tolist()}"
                        )


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
        self.steps: list[Step] = []
        self.counterexamples: list[Counterexample] = []

    @property
    def ok(self) -> bool:
        return all(step.holds for step in self.steps)

    @property
    def failed(self) -> Step | None:
        """The step that does not hold."""
        return next((step for step in self.steps if not step.holds), None)

    def step(self, title: str, words: str, *equations: Equation) -> None:
        """Add a step; DerivationError if it does not hold."""
        step = Step(title, words, equations)
        step.check(list(drawn(self.layer)), lambda a, b: bool(a == b))
        self.steps.append(step)

    def __str__(self) -> str:
        lines = [self.title, "=" * len(self.title)]
        for k, step in enumerate(self.steps, 1):
            lines += ["", f"{k}. {step.title}", "", step.words, "", step.latex, "", verdict(step)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        state = "all checked" if self.ok else f"fails at {self.steps[-1].title!r}"
        return f"<Derivation {self.title!r}: {len(self.steps)} steps, {state}>"

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def markdown(self) -> str:
        """The derivation as Markdown with formulas between dollar signs."""
        parts = [f"# {self.title}"]
        for k, step in enumerate(self.steps, 1):
            parts += [f"## {k}. {step.title}", step.words, f"$$\n{step.latex}\n$$"]
            parts.append(f"*{verdict(step)}*")
        return "\n\n".join(parts) + "\n"

    def tex(self) -> str:
        """The derivation as a complete LaTeX document; wide formulas are shrunk to the page."""
        body = []
        for step in self.steps:
            formula = f"\\fitted{{{step.latex}}}"
            body += [f"\\section{{{step.title}}}", step.words, formula]
            body.append(f"\\emph{{{verdict(step)}}}")
        return PREAMBLE.replace("TITLE", self.title) + "\n\n".join(body) + "\n\n\\end{document}\n"

    def save(self, path: str | Path) -> Path:
        """Write a .tex document or a .md text, as the name says; returns the path."""
        path = Path(path)
        makers = {".tex": self.tex, ".md": self.markdown}
        if path.suffix not in makers:
            raise DerivationError(f"{path}: a derivation is written as .tex or .md")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(makers[path.suffix](), encoding="utf-8")
        return path


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


def verdict(step: Step) -> str:
    """What the check of a step found, in words."""
    sides = sum(map(len, step.equations))
    return step.note or f"Checked: {sides} sides compared exactly at {DRAWS} draws of fractions."
