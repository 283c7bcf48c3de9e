"""The derivations of the lecture notes, generated from the scalar graph, each step checked.

Every displayed equation is a chain of sides. A side knows how it is written and what it is at given
numbers, so what is shown is what is checked: exactly, in fractions, when the derivation is made.
"""

from __future__ import annotations

import ast
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from microgrid.errors import ExpressionError, MicrogridError, ShapeError
from microgrid.functions import FUNCTIONS
from microgrid.latex import latex, name
from microgrid.matrix import Array, matrix
from microgrid.matrix import affine as affine_layer
from microgrid.value import Value, accumulate, topological

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
        return Paths(*[term if local == 1 else (*term, local) for term in self.terms])

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


# The steps that every layer and every one of its letters share.


class Letter(NamedTuple):
    """An array that the layer takes in, and what the derivation has to say about it."""

    letter: str  # X
    own: str  # its indices, nd
    same: tuple[str, str]  # the index of y_{ij} that has to equal one of its own: i = n
    other: tuple[str, str]  # what ∂y/∂x then is: w_{dj}; for the bias nothing, so 1
    product: tuple[str, str]  # the formula: dY Wᵀ
    claim: Claim | None


def derive_letter(d: Derivation, spec: Letter, indices: str, sizes: str) -> bool:
    """The derivation for one letter; False if the given formula does not hold."""
    layer, letter = d.layer, spec.letter
    x = letter.lower()
    names, y = layer.names(letter).ravel(), layer.y.ravel()
    n, m = names.size, y.size
    J = np.array([paths(v, layer.leaves[letter].ravel()) for v in layer.Y.ravel()], dtype=object)
    over = np.array([[partial(a, b) for b in names] for a in y], dtype=object)
    jacobian, gradient = layer.jacobian(letter), layer.gradient(letter)
    row = partial_row("L", y)
    flat = f"With respect to {letter}"

    d.step(
        f"{flat}: the layer as a function of a vector",
        f"Flatten row by row and hold everything else constant: $y\\colon \\mathbb{{R}}^{{{n}}} "
        f"\\to \\mathbb{{R}}^{{{m}}}$ maps ${x}$ to the entries of $\\mathbf{{Y}}$.",
        (
            Side(
                rf"{x} = {column(names)} \mapsto {column(y)}",
                lambda p: layer.forward(p).reshape(-1, 1),
            ),
            Side(
                column([str(latex(v, most=2000)) for v in layer.Y.ravel()]),
                lambda p: each(lambda v: layer.replay(v, p), layer.Y.reshape(-1, 1)),
            ),
        ),
    )
    d.step(
        f"{flat}: the Jacobian",
        "One row per output, one column per input. Each entry is the sum, over the paths from the "
        "input to the output in the graph, of the product of the local gradients; 0 where there is "
        "no path.",
        (Side(f"J_y({x})", jacobian), Side(bmatrix(over), jacobian), layer.symbolic(J)),
    )
    products = paths(layer.L, layer.leaves[letter])
    dL = each(lambda v: partial("L", v), layer.names(letter))
    d.step(
        f"{flat}: the chain rule",
        f"$L = h(y({x}))$, so $J_L({x}) = J_h(y({x})) \\cdot J_y({x})$: a row vector, "
        "whose entries are the upstream gradients, times the Jacobian.",
        (
            Side(f"J_L({x})", lambda p: gradient(p).reshape(1, -1)),
            Side(bmatrix(dL.reshape(1, -1)), lambda p: gradient(p).reshape(1, -1)),
            Side(
                rf"{row} \cdot {layer.symbolic(J).latex}",
                lambda p: p["dY"].reshape(1, -1) @ layer.symbolic(J).at(p),
            ),
            layer.symbolic(products.reshape(1, -1)),
        ),
    )
    holds = rearranged(d, spec, dL, products)
    if holds:
        one_element(d, spec, indices, sizes)
    return holds


def column(entries: Any) -> str:
    return bmatrix(np.array(entries, dtype=object).reshape(-1, 1))


def partial_row(above: str, below: Array) -> str:
    return bmatrix(each(lambda v: partial(above, v), below).reshape(1, -1))


def rearranged(d: Derivation, spec: Letter, dL: Array, products: Array) -> bool:
    """The step from the row vector to the formula on matrices."""
    layer, letter = d.layer, spec.letter
    gradient = layer.gradient(letter)
    factors = [factor(layer, f) for f in spec.product]
    start = (
        Side(partial("L", bold(letter)), gradient),
        Side(bmatrix(dL), gradient),
        layer.symbolic(products),
    )
    entries = Side(
        " ".join([f.latex for f, _ in factors]), lambda p: factors[0][0].at(p) @ factors[1][0].at(p)
    )
    formula = Side(r" \, ".join([short for _, short in factors]), entries.at)
    words = (
        f"The same numbers in the shape of ${bold(letter)}$. This is a rearrangement of the "
        "components of the gradient, which itself is a vector; and it is a product of matrices."
    )
    title = f"With respect to {letter}: the rearrangement"
    if spec.claim is not None:
        claim = claimed(spec.claim, letter)
        found = counterexamples(layer, letter, claim.at)
        if found:
            sides = (*start, Side(claim.latex, claim.at))
            note = "It fails " + "; and ".join([in_words(layer, letter, c) for c in found]) + "."
            d.counterexamples = found
            example = shown(claim.latex, found[-1])
            d.steps.append(Step(title, words, (sides,), False, note, example))
            return False
        formula = claim._replace(at=lambda p: np.asarray(claim.at(p)).reshape(dL.shape))
    d.step(title, words, (*start, entries, formula))
    return True


def factor(layer: Layer, written: str) -> tuple[Side, str]:
    """A factor like W.T of a formula: its entries, and its name."""
    letter, transposed = written.removesuffix(".T"), written.endswith(".T")
    if letter == "ones":
        rows = len(layer.leaves["dY"])
        ones = np.ones(rows, dtype=int).astype(object)
        return Side(bmatrix(ones.astype(str)), lambda p: ones), r"\mathbf{1}^T"
    names = layer.names(letter)
    side = Side(
        bmatrix(names.T if transposed else names),
        lambda p: p[letter].T if transposed else p[letter],
    )
    short = partial("L", bold("Y")) if letter == "dY" else bold(letter)
    return side, f"{short}^T" if transposed else short


def one_element(d: Derivation, spec: Letter, indices: str, sizes: str) -> None:
    """The derivation for one entry, with the index that survives the double sum."""
    layer, letter = d.layer, spec.letter
    x, (i, j), (survivor, own) = letter.lower(), tuple(indices), spec.same
    rest, rest_size = (j, sizes[1]) if survivor == i else (i, sizes[0])
    entry, y = f"{x}_{{{spec.own}}}", f"y_{{{i}{j}}}"
    kept = y.replace(survivor, own)
    other, at = spec.other
    local = f"{other.lower()}_{{{at}}}" if other else "1"
    gradient, jacobian = layer.gradient(letter), layer.jacobian(letter)
    shape = layer.Y.shape

    def terms(p: Point, local_at: Callable[[dict[str, int], Any], Any], all_: bool) -> Array:
        """Σ over the indices of y, all of them or only those that survive."""
        T = jacobian(p).reshape(*shape, *p[letter].shape)
        result = np.zeros(p[letter].shape, dtype=object)
        for index in np.ndindex(p[letter].shape):
            for a, b in np.ndindex(shape):
                place = {i: a, j: b, **dict(zip(spec.own, index, strict=True))}
                if all_ or place[survivor] == place[own]:
                    result[index] += p["dY"][a, b] * local_at(place, T[(a, b, *index)])
        return result

    def known(p: Point) -> Callable[[dict[str, int], Any], Any]:
        return lambda place, _: p[other][tuple(place[k] for k in at)] if other else 1

    def cases(p: Point) -> Array:
        table = np.zeros((*shape, *p[letter].shape), dtype=object)
        for index in np.ndindex(table.shape):
            place = dict(zip((i, j, *spec.own), index, strict=True))
            table[index] = known(p)(place, None) if place[survivor] == place[own] else 0
        return table.reshape(np.prod(shape), -1)

    sum_all = rf"\sum_{{{i}=1}}^{{{sizes[0]}}} \sum_{{{j}=1}}^{{{sizes[1]}}}"
    sum_rest = rf"\sum_{{{rest}=1}}^{{{rest_size}}}"
    product = r" \, ".join([factor(layer, f)[1] for f in spec.product])
    d.step(
        f"With respect to {letter}: one element",
        f"Of the double sum over all influence paths ${entry} \\to {y} \\to L$ only the terms with "
        f"${survivor} = {own}$ survive.",
        (
            Side(partial(y, entry), jacobian),
            Side(
                rf"\begin{{cases}} {local} & \text{{if }} {survivor} = {own} \\ "
                r"0 & \text{else} \end{cases}",
                cases,
            ),
        ),
        (
            Side(partial("L", entry), gradient),
            Side(
                f"{sum_all} {partial('L', y)} {partial(y, entry)}",
                lambda p: terms(p, lambda place, t: t, True),
            ),
            Side(
                f"{sum_rest} {partial('L', kept)} {partial(kept, entry)}",
                lambda p: terms(p, lambda place, t: t, False),
            ),
            Side(
                f"{sum_rest} {partial('L', kept)} {local if other else ''}".rstrip(),
                lambda p: terms(p, known(p), False),
            ),
            Side(
                rf"\left({product}\right)_{{{spec.own}}}",
                lambda p: (
                    factor(layer, spec.product[0])[0].at(p)
                    @ factor(layer, spec.product[1])[0].at(p)
                ),
            ),
        ),
    )


# Formulas given by the user.


def claimed(claim: Claim, letter: str) -> Side:
    """A formula for ∂L/∂letter: a function of (X, W, dY), or text like "dY @ W.T"."""
    if isinstance(claim, str):
        return read_claim(claim)
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
                wrong = smallest(other, letter, formula)
    return [c for c in (misfit, wrong) if c]


def smallest(layer: Layer, letter: str, formula: Callable[[Point], Array]) -> Counterexample:
    """The counterexample of this shape with small integers, zeros and ones where these do."""
    count = sum(A.size for A in layer.leaves.values())
    source = random.Random(1)
    simple = itertools.product((0, 1), repeat=count) if count <= 11 else ()
    rich = ([source.randint(-2, 3) for _ in range(count)] for _ in itertools.count())
    for numbers in itertools.chain(simple, rich):
        left = iter(numbers)
        p = layer.point(lambda _, left=left: next(left))  # type: ignore[misc]
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


def in_words(layer: Layer, letter: str, c: Counterexample) -> str:
    at = ", ".join(f"{k} = {n}" for k, n in zip(layer.sizes, c.sizes, strict=True))
    if c.got is None:
        return f"at {at} it has no value of shape {tuple(c.right)}, the shape of {letter}"
    numbers = ", ".join(f"{k} = {A}" for k, A in c.numbers.items())
    return f"at {at} with {numbers} it gives {c.got}, but the gradient is {c.right}"


# The two layers.


def layer_of(
    build: Callable[..., Layer], sizes: dict[str, int], forward: Callable[[Point], Array],
    graph: Callable[[dict[str, Array]], Array], shapes: dict[str, tuple[int, ...]],
) -> Layer:  # fmt: skip
    for letter, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ShapeError(f"{letter} = {size!r}: the sizes of a layer are 1 or more")
    rows, columns = shapes["dY"]
    if max(rows * columns, *[int(np.prod(shape)) for shape in shapes.values()]) > WIDEST:
        raise ShapeError(f"{sizes}: Jacobians of more than {WIDEST} rows or columns, take less")
    leaves = {
        letter: matrix(np.ones(shape, dtype=int), "g" if letter == "dY" else letter.lower())
        for letter, shape in shapes.items()
    }
    y = each(lambda v: name(v.label), matrix(np.zeros(shapes["dY"]), "y"))
    return Layer(sizes, forward, leaves, graph(leaves), y, build)


def affine_of(N: int, D: int, M: int) -> Layer:
    return layer_of(
        affine_of, {"N": N, "D": D, "M": M},
        lambda p: p["X"] @ p["W"] + p["b"],
        lambda a: affine_layer(a["X"], a["W"], a["b"]),
        {"X": (N, D), "W": (D, M), "b": (M,), "dY": (N, M)},
    )  # fmt: skip


def matmul_of(M: int, N: int, K: int) -> Layer:
    return layer_of(
        matmul_of, {"M": M, "N": N, "K": K},
        lambda p: p["W"] @ p["X"],
        lambda a: a["W"] @ a["X"],
        {"W": (M, N), "X": (N, K), "dY": (M, K)},
    )  # fmt: skip


def affine(
    N: int = 2, D: int = 2, M: int = 3, *,
    dX: Claim | None = None, dW: Claim | None = None, db: Claim | None = None,
) -> Derivation:  # fmt: skip
    r"""The derivation of dX = dY Wᵀ, dW = Xᵀ dY and db = 1ᵀ dY for Y = XW + b, row by row.

    X is (N, D), W (D, M) and b (M,). Instead of a right formula another can be given, as text of
    X, W, dY and ones, or as a function of (X, W, dY): where it is wrong, the derivation ends at the
    step that fails, with the smallest counterexample. ShapeError for sizes below 1 or too large to
    read. From the lecture notes on the affine layer and on the linear layer with batches.

    >>> affine(2, 2, 3)
    <Derivation 'Backpropagation through an affine layer': 19 steps, all checked>
    >>> wrong = affine(2, 2, 3, dX="dY @ W")
    >>> wrong.failed.title
    'With respect to X: the rearrangement'
    >>> print(wrong.counterexamples[1].numbers)
    {'W': [[0, 0], [1, 0]], 'dY': [[0, 1]]}
    """
    d = Derivation("Backpropagation through an affine layer", affine_of(N, D, M))
    layer = d.layer
    d.step(
        "The layer",
        f"$\\mathbf{{X}}$ has a row for each of {N} samples, and every sample gets the same bias. "
        "From the upstream $\\frac{\\partial L}{\\partial \\mathbf{Y}}$, which has the shape of "
        "$\\mathbf{Y}$, three gradients are wanted, each in the shape of its array.",
        *definitions(layer, "X", "W", "b"),
        (
            Side(r"\mathbf{Y}", layer.forward),
            Side(
                r"\mathbf{X} \mathbf{W} + \mathbf{1} \mathbf{b}",
                lambda p: p["X"] @ p["W"] + np.outer(ones_like(p), p["b"]),
            ),
            Side(bmatrix(layer.y), layer.forward),
            entry_by_entry(layer),
        ),
    )
    letters = (
        Letter("X", "nd", ("i", "n"), ("W", "dj"), ("dY", "W.T"), dX),
        Letter("W", "dm", ("j", "m"), ("X", "id"), ("X.T", "dY"), dW),
        Letter("b", "m", ("j", "m"), ("", ""), ("ones", "dY"), db),
    )
    if all(derive_letter(d, spec, "ij", "NM") for spec in letters):
        outer_products(d)
        appended_one(d)
        summary(d, letters)
    return d


def matmul(
    M: int = 2, N: int = 2, K: int = 3, *, dX: Claim | None = None, dW: Claim | None = None
) -> Derivation:
    """The derivation of dX = Wᵀ dY and dW = dY Xᵀ for Y = WX, the column convention.

    W is (M, N) and X (N, K). Other formulas can be given and fail as those of `affine` do.
    From the lecture note on the gradient of a matrix product.
    """
    d = Derivation("Backpropagation through a matrix product", matmul_of(M, N, K))
    layer = d.layer
    d.step(
        "The product",
        "An entry of $\\frac{\\partial L}{\\partial \\mathbf{Y}}$ says how much the loss changes "
        "when that entry of $\\mathbf{Y}$ increases slightly.",
        *definitions(layer, "W", "X"),
        (
            Side(r"\mathbf{Y}", layer.forward),
            Side(r"\mathbf{W} \mathbf{X}", lambda p: p["W"] @ p["X"]),
            Side(bmatrix(layer.y), layer.forward),
            entry_by_entry(layer),
        ),
    )
    letters = (
        Letter("X", "ij", ("b", "j"), ("W", "ai"), ("W.T", "dY"), dX),
        Letter("W", "ij", ("a", "i"), ("X", "jb"), ("dY", "X.T"), dW),
    )
    if all(derive_letter(d, spec, "ab", "MK") for spec in letters):
        summary(d, letters)
    return d


def definitions(layer: Layer, *letters: str) -> list[Equation]:
    def of(a: str) -> Equation:
        return Side(bold(a), lambda p: p[a]), Side(bmatrix(layer.names(a)), lambda p: p[a])

    return [of(a) for a in letters]


def entry_by_entry(layer: Layer) -> Side:
    """Y as the formulas that its graph gives."""
    return Side(
        bmatrix(each(lambda v: str(latex(v, most=2000)), layer.Y)),
        lambda p: each(lambda v: layer.replay(v, p), layer.Y),
    )


def outer_products(d: Derivation) -> None:
    """∂L/∂W of one sample, and the sum over the batch."""
    layer = d.layer
    X, g = layer.names("X"), layer.names("dY")

    def outer(p: Point, n: int) -> Array:
        product: Array = np.multiply.outer(p["X"][n], p["dY"][n])
        return product

    every_path = paths(layer.L, layer.leaves["W"])
    one_sample = [rf"{column(X[n])} {bmatrix(g[n])}" for n in range(len(X))]
    d.step(
        "One sample, and the sum over the batch",
        "Of one sample, the gradient of the weights is the outer product of its input and its "
        "upstream; of a batch it is the sum of these.",
        (
            Side(partial("L", bold("W")), layer.gradient("W")),
            Side(
                r"\sum_{n=1}^{N} \mathbf{x}_n^T \, " + partial("L", r"\mathbf{y}_n"),
                lambda p: sum(outer(p, n) for n in range(len(X))) + 0 * outer(p, 0),
            ),
            Side(
                " + ".join(one_sample),
                lambda p: (
                    sum(p["X"][n].reshape(-1, 1) @ p["dY"][n].reshape(1, -1) for n in range(len(X)))
                    + 0 * outer(p, 0)
                ),
            ),
            layer.symbolic(every_path),
            Side(r"\mathbf{X}^T \, " + partial("L", bold("Y")), lambda p: p["X"].T @ p["dY"]),
        ),
    )


def appended_one(d: Derivation) -> None:
    """The bias as the last row of the weights."""
    layer = d.layer
    X, W, b = (layer.leaves[letter] for letter in "XWb")
    N = len(X)
    ones = np.array([[Value(1)] for _ in range(N)], dtype=object)
    weights = np.vstack([W, b])
    Y = np.hstack([X, ones]) @ weights
    extended = Layer(layer.sizes, layer.forward, layer.leaves, Y, layer.y, layer.other_sizes)
    X1 = np.hstack([layer.names("X"), np.full((N, 1), "1", dtype=object)])

    def with_ones(p: Point) -> Array:
        return np.hstack([p["X"], np.ones((N, 1), dtype=int).astype(object)])

    def stacked(p: Point) -> Array:
        return np.vstack([layer.gradient("W")(p), layer.gradient("b")(p)])

    d.step(
        "The bias by an appended 1",
        "With a column of ones beside the inputs the bias is one more row of weights, and its "
        "gradient is the last row of theirs: the same as above.",
        (
            Side(r"\mathbf{Y}", layer.forward),
            Side(
                r"\begin{bmatrix} \mathbf{X} & \mathbf{1} \end{bmatrix} "
                r"\begin{bmatrix} \mathbf{W} \\ \mathbf{b} \end{bmatrix}",
                lambda p: with_ones(p) @ np.vstack([p["W"], p["b"]]),
            ),
            Side(
                f"{bmatrix(X1)} {bmatrix(np.vstack([layer.names('W'), layer.names('b')]))}",
                lambda p: each(lambda v: extended.replay(v, p), Y),
            ),
        ),
        (
            Side(
                r"\begin{bmatrix} \frac{\partial L}{\partial \mathbf{W}} \\ "
                r"\frac{\partial L}{\partial \mathbf{b}} \end{bmatrix}",
                stacked,
            ),
            Side(
                r"\begin{bmatrix} \mathbf{X} & \mathbf{1} \end{bmatrix}^T "
                + partial("L", bold("Y")),
                lambda p: with_ones(p).T @ p["dY"],
            ),
            Side(
                f"{bmatrix(X1.T)} {bmatrix(layer.names('dY'))}",
                lambda p: with_ones(p).T @ p["dY"],
            ),
            extended.symbolic(paths(extended.L, weights)),
        ),
    )


def summary(d: Derivation, letters: Sequence[Letter]) -> None:
    """All formulas, each beside what the graph gives."""
    layer = d.layer
    equations = []
    for spec in letters:
        (a, short_a), (b, short_b) = (factor(layer, f) for f in spec.product)
        equations.append(
            (
                Side(partial("L", bold(spec.letter)), layer.gradient(spec.letter)),
                Side(f"{short_a} \\, {short_b}", lambda p, a=a, b=b: a.at(p) @ b.at(p)),  # type: ignore[misc]
            )
        )
    d.step(
        "The formulas",
        "To remember them: swap the operand with its gradient, transpose the other, keep it on its "
        "side. The gradient of the input is passed on to the layer before; the others update this "
        "layer.",
        *equations,
    )
