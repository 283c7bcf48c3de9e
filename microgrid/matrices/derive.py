"""The derivations of the lecture notes, generated from the scalar graph, each step checked.

Every displayed equation is a chain of sides. A side knows how it is written and what it is at given
numbers, so what is shown is what is checked: exactly, in fractions, when the derivation is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from microgrid.engine.errors import ShapeError
from microgrid.engine.value import Value
from microgrid.matrices.arrays import Array, matrix
from microgrid.matrices.arrays import affine as affine_layer
from microgrid.matrices.claims import claimed, counterexamples, in_words, ones_like, shown
from microgrid.matrices.derivation import (
    WIDEST,
    Claim,
    Derivation,
    Equation,
    Layer,
    Point,
    Side,
    Step,
    bmatrix,
    bold,
    each,
    partial,
    paths,
)
from microgrid.views.formula import latex, name

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
