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
from microgrid.matrices.claims import Claim, claimed, in_latex, in_words, read_formula, refute
from microgrid.matrices.equations import Derivation, Step
from microgrid.matrices.examples import weighted
from microgrid.matrices.layer import Layer, Side, bmatrix, bold, partial, paths

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
    layer, letter, x = d.layer, spec.letter, spec.letter.lower()
    A, Y, dY = layer.inputs[letter], layer.Y.reshape(-1, 1), layer.dY.ravel()
    names, outputs = layer.names_of(A), layer.names_of(Y)
    flat = Side(rf"{x} = {bmatrix(names.reshape(-1, 1))} \mapsto {bmatrix(outputs)}", Y)
    local = np.array([paths(y, A.ravel()) for y in Y.flat], dtype=object)
    quotients = bmatrix([[partial(y, v) for v in names.flat] for y in outputs.flat])
    jacobian, gradient = layer.jacobians[letter], layer.gradients[letter].entries
    chain = Side(rf"{layer.latex(dY)} \cdot {layer.latex(local)}", dY @ local)
    dL = entrywise(lambda entry: partial("L", entry), names)
    products = paths(weighted(Y, dY), A)
    vector = Side(bmatrix(dL.ravel()), gradient.ravel())
    d._add(
        f"With respect to {letter}: the layer as a function of a vector",
        f"Flatten row by row and hold everything else constant: $y\\colon "
        f"\\mathbb{{R}}^{{{A.size}}} \\to \\mathbb{{R}}^{{{Y.size}}}$ maps ${x}$ to the entries of "
        "$\\mathbf{Y}$.",
        (flat, layer.side(Y)),
    )
    d._add(
        f"With respect to {letter}: the Jacobian",
        "One row per output, one column per input. Each entry is the sum, over the paths from the "
        "input to the output in the graph, of the product of the local gradients; 0 where there is "
        "no path.",
        (Side(f"J_y({x})", jacobian), Side(quotients, jacobian), layer.side(local)),
    )
    d._add(
        f"With respect to {letter}: the chain rule",
        f"$L = h(y({x}))$, so $J_L({x}) = J_h(y({x})) \\cdot J_y({x})$: a row vector, "
        "whose entries are the upstream gradients, times the Jacobian.",
        (Side(f"J_L({x})", vector.entries), vector, chain, layer.side(products.ravel())),
    )
    rearranged(d, spec, Side(bmatrix(dL), gradient), layer.side(products))
    if d.ok:
        one_element(d, spec, indices, sizes)
    return d.ok


def rearranged(d: Derivation, spec: Letter, *entries: Side) -> None:
    """The step from the row vector to the formula on matrices, or to the claim instead of it."""
    layer, letter = d.layer, spec.letter
    title = f"With respect to {letter}: the rearrangement"
    words = (
        f"The same numbers in the shape of ${bold(letter)}$. This is a rearrangement of the "
        "components of the gradient, which itself is a vector; and it is a product of matrices."
    )
    start, formula = layer.gradients[letter], read_formula(" @ ".join(spec.factors)).side(layer)
    product = layer.side(*[read_formula(factor).side(layer).entries for factor in spec.factors])
    if spec.claim is not None:
        claim = claimed(spec.claim, letter)
        formula = Side(claim.latex, lambda numbers: claim.fitted(layer, letter, numbers))
        if found := refute(layer, letter, claim):
            note = "It fails " + "; and ".join([in_words(layer, letter, c) for c in found]) + "."
            example, d.counterexamples = in_latex(claim.latex, found[-1]), found
            d.steps.append(Step(title, words, ((start, *entries, formula),), note, example))
            return
    d._add(title, words, (start, *entries, product, formula))


def one_element(d: Derivation, spec: Letter, indices: str, sizes: str) -> None:
    """The derivation for one entry, with the index that survives the double sum."""
    layer, letter = d.layer, spec.letter
    (i, j), (survivor, own), (other, at) = tuple(indices), spec.surviving, spec.local
    rest, rest_size = (j, sizes[1]) if survivor == i else (i, sizes[0])
    entry, y = f"{letter.lower()}_{{{spec.indices}}}", f"y_{{{i}{j}}}"
    kept = y.replace(survivor, own)
    factor = f"{other.lower()}_{{{at}}}" if other else "1"
    formula = read_formula(" @ ".join(spec.factors)).side(layer)

    jacobian, shape = layer.jacobians[letter], (*layer.Y.shape, *layer.inputs[letter].shape)
    index = dict(zip((i, j, *spec.indices), np.indices(shape), strict=True))
    survives = (index[survivor] == index[own]).astype(int).astype(object)
    local = survives * (layer.inputs[other][tuple(index[k] for k in at)] if other else 1)
    nonzero = rf"{factor} & \text{{if }} {survivor} = {own}"
    cases = rf"\begin{{cases}} {nonzero} \\ 0 & \text{{else}} \end{{cases}}"
    sum_all = rf"\sum_{{{i}=1}}^{{{sizes[0]}}} \sum_{{{j}=1}}^{{{sizes[1]}}} {partial('L', y)}"
    sum_rest = rf"\sum_{{{rest}=1}}^{{{rest_size}}} {partial('L', kept)}"

    def summed(latex: str, partials: Array) -> Side:
        return Side(latex, np.tensordot(layer.dY, partials.reshape(shape), 2))

    d._add(
        f"With respect to {letter}: one element",
        f"Of the double sum over all influence paths ${entry} \\to {y} \\to L$ only the terms with "
        f"${survivor} = {own}$ survive.",
        (Side(partial(y, entry), jacobian), Side(cases, local.reshape(jacobian.shape))),
        (
            Side(partial("L", entry), layer.gradients[letter].entries),
            summed(f"{sum_all} {partial(y, entry)}", jacobian),
            summed(f"{sum_rest} {partial(kept, entry)}", jacobian.reshape(shape) * survives),
            summed(f"{sum_rest} {factor}" if other else sum_rest, local),
            Side(rf"\left({formula.latex}\right)_{{{spec.indices}}}", formula.entries),
        ),
    )


# The two layers.


def affine_of(N: int, D: int, M: int) -> Layer:
    sizes = {"N": N, "D": D, "M": M}
    return Layer(affine_of, sizes, arrays.affine, (N, M), X=(N, D), W=(D, M), b=(M,))


def matmul_of(M: int, N: int, K: int) -> Layer:
    sizes = {"M": M, "N": N, "K": K}
    return Layer(matmul_of, sizes, lambda W, X: W @ X, (M, K), W=(M, N), X=(N, K))


@hinted
def affine(
    N: int = 2, D: int = 2, M: int = 3, *,
    dX: Claim | None = None, dW: Claim | None = None, db: Claim | None = None,
) -> Derivation:  # fmt: skip
    r"""The derivation of dX = dY Wᵀ, dW = Xᵀ dY and db = 1ᵀ dY for Y = XW + b, row by row.

    X is (N, D), W (D, M) and b (M,). Instead of a right formula another can be given, as text of
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
    d = Derivation("Backpropagation through an affine layer", affine_of(N, D, M))
    X, W, b, _ = d.layer.leaves.values()
    define(
        d,
        "The layer",
        f"$\\mathbf{{X}}$ has a row for each of {N} samples, and every sample gets the same bias. "
        "From the upstream $\\frac{\\partial L}{\\partial \\mathbf{Y}}$, which has the shape of "
        "$\\mathbf{Y}$, three gradients are wanted, each in the shape of its array.",
        Side(r"\mathbf{X} \mathbf{W} + \mathbf{1} \mathbf{b}", X @ W + np.outer([1] * N, b)),
    )
    letters = (
        Letter("X", "nd", ("i", "n"), ("W", "dj"), ("dY", "W.T"), dX),
        Letter("W", "dm", ("j", "m"), ("X", "id"), ("X.T", "dY"), dW),
        Letter("b", "m", ("j", "m"), ("", ""), ("ones.T", "dY"), db),
    )
    if all(derive_letter(d, spec, "ij", "NM") for spec in letters):
        outer_products(d)
        appended_one(d)
        summary(d, letters)
    return d


@hinted
def matmul(
    M: int = 2, N: int = 2, K: int = 3, *, dX: Claim | None = None, dW: Claim | None = None
) -> Derivation:
    """The derivation of dX = Wᵀ dY and dW = dY Xᵀ for Y = WX, the column convention.

    W is (M, N) and X (N, K). Other formulas can be given and fail as those of `affine` do.
    From the lecture note on the gradient of a matrix product.

    >>> matmul(1, 1, 1).ok
    True
    """
    d = Derivation("Backpropagation through a matrix product", matmul_of(M, N, K))
    W, X, _ = d.layer.leaves.values()
    define(
        d,
        "The product",
        "An entry of $\\frac{\\partial L}{\\partial \\mathbf{Y}}$ says how much the loss changes "
        "when that entry of $\\mathbf{Y}$ increases slightly.",
        Side(r"\mathbf{W} \mathbf{X}", np.dot(W, X)),
    )
    letters = (
        Letter("X", "ij", ("b", "j"), ("W", "ai"), ("W.T", "dY"), dX),
        Letter("W", "ij", ("a", "i"), ("X", "jb"), ("dY", "X.T"), dW),
    )
    if all(derive_letter(d, spec, "ab", "MK") for spec in letters):
        summary(d, letters)
    return d


def define(d: Derivation, title: str, words: str, formula: Side) -> None:
    """The entries of every array, and of Y by their names and as formulas that the graph gives."""
    layer, Y = d.layer, d.layer.Y
    inputs = [(Side(bold(letter), A), layer.side(A)) for letter, A in layer.inputs.items()]
    names = Side(bmatrix(layer.names_of(Y)), Y)
    d._add(title, words, *inputs, (Side(bold("Y"), Y), formula, names, layer.side(Y)))


def outer_products(d: Derivation) -> None:
    """∂L/∂W of one sample, and the sum over the batch."""
    layer = d.layer
    X, W, _, dY = layer.leaves.values()
    samples = [layer.side(x[:, None], g[None]) for x, g in zip(X, dY, strict=True)]
    outer = r"\sum_{n=1}^{N} \mathbf{x}_n^T \, " + partial("L", r"\mathbf{y}_n")
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
            read_formula("X.T @ dY").side(layer),
        ),
    )


def appended_one(d: Derivation) -> None:
    """The bias as the last row of the weights."""
    layer = d.layer
    X, W, b, dY = layer.leaves.values()
    X1, Wb = np.hstack([X, [[1]] * len(X)]), np.vstack([W, b])
    with_ones = bmatrix([[bold("X"), bold("1")]])
    dW, db = layer.gradients["W"], layer.gradients["b"]
    stacked = Side(bmatrix([[dW.latex], [db.latex]]), np.vstack([dW.entries, db.entries]))
    d._add(
        "The bias by an appended 1",
        "With a column of ones beside the inputs the bias is one more row of weights, and its "
        "gradient is the last row of theirs: the same as above.",
        (
            Side(bold("Y"), layer.Y),
            Side(f"{with_ones} {bmatrix([[bold('W')], [bold('b')]])}", X1 @ Wb),
            layer.side(X1, Wb),
        ),
        (
            stacked,
            Side(f"{with_ones}^T {partial('L', bold('Y'))}", X1.T @ dY),
            layer.side(X1.T, dY),
            layer.side(paths(weighted(X1 @ Wb, dY), Wb)),
        ),
    )


def summary(d: Derivation, letters: Sequence[Letter]) -> None:
    """All formulas, each beside what the graph gives."""
    read = {spec.letter: read_formula(" @ ".join(spec.factors)) for spec in letters}
    d._add(
        "The formulas",
        "To remember them: swap the operand with its gradient, transpose the other, keep it on its "
        "side. The gradient of the input is passed on to the layer before; the others update this "
        "layer.",
        *[(d.layer.gradients[letter], formula.side(d.layer)) for letter, formula in read.items()],
    )
