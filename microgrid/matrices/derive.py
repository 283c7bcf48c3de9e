"""The derivations of the lecture notes, generated from the scalar graph, each step checked.

Every displayed equation is a chain of sides. A side is an array of nodes over the layer's leaves,
and how it is written; so what is shown is what is checked: exactly, in fractions, when the
derivation is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from microgrid.engine.hints import hinted
from microgrid.engine.lazy import public
from microgrid.matrices import arrays
from microgrid.matrices.arrays import Array, entrywise
from microgrid.matrices.claims import (
    Claim,
    Formula,
    claimed,
    in_latex,
    in_words,
    read_formula,
    refute,
)
from microgrid.matrices.equations import Derivation, Step
from microgrid.matrices.examples import weighted
from microgrid.matrices.layer import (
    NO_LETTERS,
    Layer,
    Letters,
    Side,
    bmatrix,
    bold,
    partial,
    paths,
)
from microgrid.views.formula import name

__all__ = ["affine", "matmul"]
__dir__ = public(__name__)

# The steps that every layer and every one of its arrays share.


class Letter(NamedTuple):
    """An array that the layer takes in, and what the derivation has to say about it."""

    letter: str  # X
    indices: str  # of one of its entries, nd
    surviving: tuple[str, str]  # ∂y_{ij}/∂x_{nd} is zero unless i = n
    local: tuple[str, str]  # what it then is: w_{dj}; for the bias nothing, so 1
    factors: tuple[str, str]  # of the gradient: dY Wᵀ
    claim: Claim | None


def derive_letter(d: Derivation, spec: Letter, indices: str, sizes: str) -> bool:
    """The derivation for one letter; False if the given formula does not hold."""
    layer, letter = d.layer, spec.letter
    x, shown = name(layer.small(letter)), layer.shown[letter]
    A, Y, dY = layer.inputs[letter], layer.Y.reshape(-1, 1), layer.dY.ravel()
    names, outputs = layer.names_of(A), layer.names_of(Y)
    flat = Side(rf"{x} = {bmatrix(names.reshape(-1, 1))} \mapsto {bmatrix(outputs)}", Y)
    local = np.array([paths(y, A.ravel()) for y in Y.flat], dtype=object)
    quotients = bmatrix([[partial(y, v) for v in names.flat] for y in outputs.flat])
    jacobian, gradient = layer.jacobians[letter], layer.gradients[letter].entries
    chain = Side(rf"{layer.latex(dY)} \cdot {layer.latex(local)}", dY @ local)
    dL = entrywise(layer.slope, names)
    products = paths(weighted(Y, dY), A)
    vector = Side(bmatrix(dL.ravel()), gradient.ravel())
    y, L = name(layer.small("Y")), name(layer.shown["L"])
    d._add(
        f"With respect to {shown}: the layer as a function of a vector",
        f"${y}\\colon \\mathbb{{R}}^{{{A.size}}} \\to \\mathbb{{R}}^{{{Y.size}}}$ maps ${x}$ to "
        f"the entries of ${layer.bold('Y')}$.",
        (flat, layer.side(Y)),
        part=letter, general="Flatten row by row and hold everything else constant.",
    )  # fmt: skip
    d._add(
        f"With respect to {shown}: the Jacobian",
        "",
        (Side(f"J_{y}({x})", jacobian), Side(quotients, jacobian), layer.side(local)),
        part=letter,
        general="One row per output, one column per input. Each entry is the sum, over the paths "
        "from the input to the output in the graph, of the product of the local gradients; 0 where "
        "there is no path.",
    )
    d._add(
        f"With respect to {shown}: the chain rule",
        f"${L} = h({y}({x}))$, so $J_{L}({x}) = J_h({y}({x})) \\cdot J_{y}({x})$.",
        (Side(f"J_{L}({x})", vector.entries), vector, chain, layer.side(products.ravel())),
        part=letter,
        general="A row vector, whose entries are the upstream gradients, times the Jacobian.",
    )
    rearranged(d, spec, Side(bmatrix(dL), gradient), layer.side(products))
    if d.ok:
        one_element(d, spec, indices, sizes)
    return d.ok


def rearranged(d: Derivation, spec: Letter, *entries: Side) -> None:
    """The step from the row vector to the formula on matrices, or to the claim instead of it."""
    layer, letter = d.layer, spec.letter
    title = f"With respect to {layer.shown[letter]}: the rearrangement"
    words = f"The same numbers in the shape of ${layer.bold(letter)}$."
    general = (
        "This is a rearrangement of the components of the gradient, which itself is a vector; and "
        "it is a product of matrices."
    )
    start, formula = layer.gradients[letter], product_of(layer, spec.factors).side(layer)
    product = layer.side(*[read_formula(factor).side(layer).entries for factor in spec.factors])
    if spec.claim is not None:
        claim = claimed(spec.claim, layer, letter)
        formula = Side(claim.latex, lambda numbers: claim.fitted(layer, letter, numbers))
        if found := refute(layer, letter, claim):
            note = "It fails " + "; and ".join([in_words(layer, letter, c) for c in found]) + "."
            example, d.counterexamples = in_latex(layer, claim.latex, found[-1]), found
            equations = ((start, *entries, formula),)
            d.steps.append(Step(title, words, equations, note, example, letter, general))
            return
    d._add(title, words, (start, *entries, product, formula), part=letter, general=general)


def product_of(layer: Layer, factors: Sequence[str]) -> Formula:
    """The formula of the house for a gradient, in the letters of the layer."""
    formula = read_formula(" @ ".join(factors))
    return formula._replace(
        latex=read_formula(layer.renamed(" @ ".join(factors)), layer.shown).latex
    )


def one_element(d: Derivation, spec: Letter, indices: str, sizes: str) -> None:
    """The derivation for one entry, with the index that survives the double sum."""
    layer, letter = d.layer, spec.letter
    (i, j), (survivor, own), (other, at) = tuple(indices), spec.surviving, spec.local
    rest, rest_size = (j, sizes[1]) if survivor == i else (i, sizes[0])
    entry, y = layer.entry(letter, spec.indices), layer.entry("Y", f"{i}{j}")
    kept = layer.entry("Y", f"{i}{j}".replace(survivor, own))
    factor = layer.entry(other, at) if other else "1"
    formula = product_of(layer, spec.factors).side(layer)

    jacobian, shape = layer.jacobians[letter], (*layer.Y.shape, *layer.inputs[letter].shape)
    index = dict(zip((i, j, *spec.indices), np.indices(shape), strict=True))
    survives = (index[survivor] == index[own]).astype(int).astype(object)
    local = survives * (layer.inputs[other][tuple(index[k] for k in at)] if other else 1)
    nonzero = rf"{factor} & \text{{if }} {survivor} = {own}"
    cases = rf"\begin{{cases}} {nonzero} \\ 0 & \text{{else}} \end{{cases}}"
    sum_all = rf"\sum_{{{i}=1}}^{{{sizes[0]}}} \sum_{{{j}=1}}^{{{sizes[1]}}} {layer.slope(y)}"
    sum_rest = rf"\sum_{{{rest}=1}}^{{{rest_size}}} {layer.slope(kept)}"

    def summed(latex: str, partials: Array) -> Side:
        return Side(latex, np.tensordot(layer.dY, partials.reshape(shape), 2))

    d._add(
        f"With respect to {layer.shown[letter]}: one element",
        f"Of the double sum over all influence paths ${entry} \\to {y} \\to "
        f"{name(layer.shown['L'])}$ only the terms with ${survivor} = {own}$ survive.",
        (Side(partial(y, entry), jacobian), Side(cases, local.reshape(jacobian.shape))),
        (
            Side(layer.slope(entry), layer.gradients[letter].entries),
            summed(f"{sum_all} {partial(y, entry)}", jacobian),
            summed(f"{sum_rest} {partial(kept, entry)}", jacobian.reshape(shape) * survives),
            summed(f"{sum_rest} {factor}" if other else sum_rest, local),
            Side(rf"\left({formula.latex}\right)_{{{spec.indices}}}", formula.entries),
        ),
        part=letter,
    )


# The two layers.


def affine_of(N: int, D: int, M: int, letters: Letters = NO_LETTERS) -> Layer:
    sizes = {"N": N, "D": D, "M": M}
    return Layer(affine_of, sizes, arrays.affine, (N, M), letters, X=(N, D), W=(D, M), b=(M,))


def matmul_of(M: int, N: int, K: int, letters: Letters = NO_LETTERS) -> Layer:
    sizes = {"M": M, "N": N, "K": K}
    return Layer(matmul_of, sizes, lambda W, X: W @ X, (M, K), letters, W=(M, N), X=(N, K))


@hinted
def affine(
    N: int = 2, D: int = 2, M: int = 3, *,
    dX: Claim | None = None, dW: Claim | None = None, db: Claim | None = None,
    letters: Letters = NO_LETTERS,
) -> Derivation:  # fmt: skip
    r"""The derivation of dX = dY Wᵀ, dW = Xᵀ dY and db = 1ᵀ dY for Y = XW + b, row by row.

    X is (N, D), W (D, M) and b (M,); `letters={"X": "A", "W": "Θ", "L": "E"}` calls them otherwise,
    LabelError for what is no letter. Instead of a right formula another can be given, as text of
    X, W, dY and ones like "dY @ W.T", or as a function of (X, W, dY): where it is wrong, the
    derivation ends at the step that fails, with the smallest counterexample. ShapeError for sizes
    below 1 or too large to read. From the lecture notes on the affine layer and on the linear layer
    with batches.

    >>> affine(2, 2, 3)
    <Derivation 'Backpropagation through an affine layer': 19 steps, all checked>
    >>> wrong = affine(2, 2, 3, dX="dY @ W")
    >>> wrong.failed.title
    'With respect to X: the rearrangement'
    >>> print(wrong.counterexamples[1].numbers)
    {'W': [[0, 0], [1, 0]], 'dY': [[0, 1]]}
    """
    layer = affine_of(N, D, M, letters)
    d = Derivation("Backpropagation through an affine layer", layer)
    X, W, b, _ = layer.leaves.values()
    define(
        d,
        "The layer",
        f"${layer.bold('X')}$ has a row for each of {N} samples, and every sample gets the same "
        f"bias. From the upstream ${layer.gradient('Y')}$, which has the shape of "
        f"${layer.bold('Y')}$, three gradients are wanted, each in the shape of its array.",
        Side(
            rf"{layer.bold('X')} {layer.bold('W')} + \mathbf{{1}} {layer.bold('b')}",
            X @ W + np.outer([1] * N, b),
        ),
    )
    specs = (
        Letter("X", "nd", ("i", "n"), ("W", "dj"), ("dY", "W.T"), dX),
        Letter("W", "dm", ("j", "m"), ("X", "id"), ("X.T", "dY"), dW),
        Letter("b", "m", ("j", "m"), ("", ""), ("ones.T", "dY"), db),
    )
    if all(derive_letter(d, spec, "ij", "NM") for spec in specs):
        outer_products(d)
        appended_one(d)
        summary(d, specs)
    return d


@hinted
def matmul(
    M: int = 2, N: int = 2, K: int = 3, *, dX: Claim | None = None, dW: Claim | None = None,
    letters: Letters = NO_LETTERS,
) -> Derivation:  # fmt: skip
    """The derivation of dX = Wᵀ dY and dW = dY Xᵀ for Y = WX, the column convention.

    W is (M, N) and X (N, K). Other formulas can be given and fail as those of `affine` do.
    From the lecture note on the gradient of a matrix product.

    >>> matmul(1, 1, 1).ok
    True
    """
    layer = matmul_of(M, N, K, letters)
    d = Derivation("Backpropagation through a matrix product", layer)
    W, X, _ = layer.leaves.values()
    define(
        d,
        "The product",
        f"An entry of ${layer.gradient('Y')}$ says how much the loss changes when that entry of "
        f"${layer.bold('Y')}$ increases slightly.",
        Side(f"{layer.bold('W')} {layer.bold('X')}", np.dot(W, X)),
    )
    a, b = ("p", "q") if {"a", "b"} & {*map(layer.small, "XWY")} else ("a", "b")
    specs = (
        Letter("X", "ij", (b, "j"), ("W", f"{a}i"), ("W.T", "dY"), dX),
        Letter("W", "ij", (a, "i"), ("X", f"j{b}"), ("dY", "X.T"), dW),
    )
    if all(derive_letter(d, spec, a + b, "MK") for spec in specs):
        summary(d, specs)
    return d


def define(d: Derivation, title: str, words: str, formula: Side) -> None:
    """The entries of every array, and of Y by their names and as formulas that the graph gives."""
    layer, Y = d.layer, d.layer.Y
    inputs = [(Side(layer.bold(letter), A), layer.side(A)) for letter, A in layer.inputs.items()]
    names = Side(bmatrix(layer.names_of(Y)), Y)
    output = (Side(layer.bold("Y"), Y), formula, names, layer.side(Y))
    d._add(title, words, *inputs, output, part="layer")


def outer_products(d: Derivation) -> None:
    """∂L/∂W of one sample, and the sum over the batch."""
    layer = d.layer
    X, W, _, dY = layer.leaves.values()
    samples = [layer.side(x[:, None], g[None]) for x, g in zip(X, dY, strict=True)]
    x, y = (bold(layer.small(letter)) for letter in "XY")
    outer = rf"\sum_{{n=1}}^{{N}} {x}_n^T \, {layer.slope(f'{y}_n')}"
    written_out = " + ".join([sample.latex for sample in samples])
    d._add(
        "One sample, and the sum over the batch",
        "Of one sample, the gradient of the weights is the outer product of its input and its "
        "upstream; of a batch it is the sum of these.",
        (
            layer.gradients["W"],
            Side(outer, np.tensordot(X, dY, (0, 0))),
            Side(written_out, sum([sample.entries for sample in samples])),
            layer.side(paths(weighted(layer.Y, dY), W)),
            product_of(layer, ("X.T", "dY")).side(layer),
        ),
        part="batch",
    )


def appended_one(d: Derivation) -> None:
    """The bias as the last row of the weights."""
    layer = d.layer
    X, W, b, dY = layer.leaves.values()
    X1, Wb = np.hstack([X, [[1]] * len(X)]), np.vstack([W, b])
    with_ones = bmatrix([[layer.bold("X"), bold("1")]])
    dW, db = layer.gradients["W"], layer.gradients["b"]
    stacked = Side(bmatrix([[dW.latex], [db.latex]]), np.vstack([dW.entries, db.entries]))
    d._add(
        "The bias by an appended 1",
        "With a column of ones beside the inputs the bias is one more row of weights, and its "
        "gradient is the last row of theirs: the same as above.",
        (
            Side(layer.bold("Y"), layer.Y),
            Side(f"{with_ones} {bmatrix([[layer.bold('W')], [layer.bold('b')]])}", X1 @ Wb),
            layer.side(X1, Wb),
        ),
        (
            stacked,
            Side(f"{with_ones}^T {layer.gradient('Y')}", X1.T @ dY),
            layer.side(X1.T, dY),
            layer.side(paths(weighted(X1 @ Wb, dY), Wb)),
        ),
        part="bias",
    )


def summary(d: Derivation, specs: Sequence[Letter]) -> None:
    """All formulas, each beside what the graph gives."""
    read = {spec.letter: product_of(d.layer, spec.factors) for spec in specs}
    d._add(
        "The formulas",
        "To remember them: swap the operand with its gradient, transpose the other, keep it on its "
        "side. The gradient of the input is passed on to the layer before; the others update this "
        "layer.",
        *[(d.layer.gradients[letter], formula.side(d.layer)) for letter, formula in read.items()],
        part="formulas",
    )
