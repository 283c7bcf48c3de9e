"""A program in matrices: what it says is what the notes say, and it is true of its lines."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared.graphs import graphs
from shared.planting import assert_caught
from shared.tex import balanced

import microgrid as mg
from microgrid.engine import ops
from microgrid.engine.errors import ArgumentError
from microgrid.program.words import calculus, reading, sentences
from microgrid.program.words.formulas import value_of
from microgrid.program.words.proof import Proof


def said(program, in_axes=None):
    """All formulas, none of which is without a proof."""
    matrices = (program if in_axes is None else program.batched(in_axes)).matrices()
    assert matrices._reading.unproved == []
    return matrices.formulas


def matching(formulas, *wanted):
    assert {*wanted} <= {*formulas}, formulas


ones = np.ones


def attention(X, Wq, Wk, Wv):
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    A = mg.exp(Q @ K.T / 2.0)
    A = A / A.sum(axis=1, keepdims=True)
    return ((A @ V) ** 2).sum()


def convolution(X, K, b):
    total = 0.0
    for k, c in zip(K, b):
        for i in range(3):
            for j in range(3):
                total = total + mg.relu((X[i : i + 2, j : j + 2] * k).sum() + c) ** 2
    return total


def recurrent(U, W, b, xs):
    h = np.zeros(4)
    for x in xs:
        h = mg.tanh(x @ W + h @ U + b)
    return (h * h).sum()


def pruned(W, x):
    rows = [[W[i, j] * x[j] for j in range(5) if j != i] for i in range(5)]
    return sum(mg.tanh(sum(row)) for row in rows)


def two_layers(layers, X, T):
    H = X
    for i, layer in enumerate(layers):
        H = (mg.tanh(H) if i else H) @ layer["W"] + layer["b"]
    return ((H - T) ** 2).sum()


LAYERS = [{"W": ones((3, 4)), "b": ones(4)}, {"W": ones((4, 2)), "b": ones(2)}]
MODEL = mg.nn.Sequential(mg.nn.Affine(3, 4, seed=0), mg.nn.Tanh(), mg.nn.Affine(4, 2, seed=1))
TWO_LAYERS = [
    "Y₁ = X W₁ + b₁", "H₁ = tanh(Y₁)", "Y₂ = H₁ W₂ + b₂", "dL = 1", "dY₂ = 2 (Y₂ − T)",
    "dH₁ = dY₂ W₂ᵀ", "dY₁ = dH₁ ⊙ tanh′(Y₁)", "dT = −dY₂", "dX = dY₁ W₁ᵀ", "db₂ = 1ᵀ dY₂",
    "dW₂ = H₁ᵀ dY₂", "db₁ = 1ᵀ dY₁", "dW₁ = Xᵀ dY₁",
]  # fmt: skip
CASES = {  # what is recorded, the axes of a batch, all that is said
    "affine, as the notes have it": (
        lambda X, W, b, G: ((X @ W + b) * G).sum(),
        [ones((5, 3)), ones((3, 4)), ones(4), ones((5, 4))], None,
        ["Y = X W + b", "L = Σ Y ⊙ G", "dL = 1", "dY = G", "dG = Y", "db = 1ᵀ dY", "dW = Xᵀ dY",
         "dX = dY Wᵀ"],
    ),
    "the other convention": (
        lambda W, X, G: ((W @ X) * G).sum(), [ones((4, 3)), ones((3, 5)), ones((4, 5))], None,
        ["Y = W X", "L = Σ Y ⊙ G", "dL = 1", "dY = G", "dG = Y", "dX = Wᵀ dY", "dW = dY Xᵀ"],
    ),
    "nothing but its sum": (
        lambda X, W: (X @ W).sum(), [ones((4, 3)), ones((3, 2))], None,
        ["Y = X W", "L = Σ Y", "dL = 1", "dY = 1", "dX = dY Wᵀ", "dW = Xᵀ dY"],
    ),
    "a bias that all samples share": (
        lambda w, b, x: w * x + b, [1.0, 1.0, 1.0], (None, None, 0),
        ["L = w x + b", "dL = 1", "dx = w", "db = N", "dw = 1ᵀ x"],
    ),
    "its bias": (
        lambda W, X, b: mg.tanh(W @ X + b[:, None]).sum(), [ones((4, 3)), ones((3, 5)), ones(4)],
        None,
        ["Y = W X + b", "H = tanh(Y)", "L = Σ H", "dL = 1", "dH = 1", "dY = tanh′(Y)", "db = dY 1",
         "dX = Wᵀ dY", "dW = dY Xᵀ"],
    ),
    "PyTorch's linear layer": (
        lambda X, W, b: mg.tanh(X @ W.T + b).sum(), [ones((5, 3)), ones((4, 3)), ones(4)], None,
        ["Y = X Wᵀ + b", "H = tanh(Y)", "L = Σ H", "dL = 1", "dH = 1", "dY = tanh′(Y)",
         "db = 1ᵀ dY", "dW = dYᵀ X", "dX = dY W"],
    ),
    "one sample, by loops over lists": (
        lambda W, b, x: sum(mg.tanh(sum(w * u for w, u in zip(row, x)) + c)
                            for row, c in zip(W, b)),
        [[[1.0] * 3] * 4, [0.0] * 4, [1.0] * 3], None,
        ["y = W x + b", "h = tanh(y)", "L = Σ h", "dL = 1", "dh = 1", "dy = tanh′(y)",
         "dx = Wᵀ dy", "db = dy", "dW = dy xᵀ"],
    ),
    "a batch of samples": (
        lambda x, W, b, t: ((mg.relu(W @ x + b) - t) ** 2).sum(),
        [ones(3), ones((4, 3)), ones(4), ones(4)], (0, None, None, 0),
        ["Y = X Wᵀ + b", "H = relu(Y)", "L = (H − T)² 1", "dL = 1", "dH = 2 (H − T)",
         "dY = dH ⊙ step(Y)", "dT = −dH", "db = 1ᵀ dY", "dW = dYᵀ X", "dX = dY W"],
    ),
    "two layers": (two_layers, [LAYERS, ones((5, 3)), ones((5, 2))], None,
                   [*TWO_LAYERS[:3], "L = Σ (Y₂ − T)²", *TWO_LAYERS[3:]]),
    "two layers, a batch": (two_layers, [LAYERS, ones(3), ones(2)], (None, 0, 0),
                            [*TWO_LAYERS[:3], "L = (Y₂ − T)² 1", *TWO_LAYERS[3:]]),
    "a model of nn, a batch": (lambda m, x, t: ((m(x) - t) ** 2).sum(), [MODEL, ones(3), ones(2)],
                               (None, 0, 0), [*TWO_LAYERS[:3], "L = (Y₂ − T)² 1", *TWO_LAYERS[3:]]),
    "micrograd's neurons": (
        lambda m, x, t: (m(x) - t) ** 2, [mg.nn.MLP(2, [3, 1]), ones(2), 1.0], (None, 0, 0),
        ["Y = b₁ + X Wᵀ", "H = relu(Y)", "s = b₂ + H w", "L = (s − t)²", "dL = 1", "ds = 2 (s − t)",
         "dH = ds wᵀ", "dY = dH ⊙ step(Y)", "dt = −ds", "dX = dY W", "db₂ = 1ᵀ ds", "dw = Hᵀ ds",
         "db₁ = 1ᵀ dY", "dW = dYᵀ X"],
    ),
    "tied weights": (
        lambda W, X: ((mg.tanh(X @ W) @ W.T - X) ** 2).sum(), [ones((5, 3)), ones((4, 5))], None,
        ["Y₁ = X W", "H₁ = tanh(Y₁)", "Y₂ = H₁ Wᵀ", "L = Σ (Y₂ − X)²", "dL = 1",
         "dY₂ = 2 (Y₂ − X)", "dH₁ = dY₂ W", "dY₁ = dH₁ ⊙ tanh′(Y₁)", "dX = −dY₂ + dY₁ Wᵀ",
         "dW = dY₂ᵀ H₁ + Xᵀ dY₁"],
    ),
    "some weights left out": (
        pruned, [ones((5, 5)), ones(5)], (None, 0),
        ["Y = X (M₁ ⊙ W)ᵀ", "H = tanh(Y)", "L = H 1", "dL = 1", "dH = 1", "dY = tanh′(Y)",
         "dX = dY (M₁ ⊙ W)", "dW = M₁ ⊙ (dYᵀ X)"],
    ),
    "a convolution": (
        convolution, [ones((4, 4)), ones((2, 2, 2)), ones(2)], None,
        ["Y = K P₁ + b", "H = relu(Y)", "L = Σ H²", "dL = 1", "dH = 2 H", "dY = dH ⊙ step(Y)",
         "db = dY 1", "dK = dY P₁ᵀ", "dX = fold(Kᵀ dY)"],
    ),
    "queries, keys and values are one product": (
        attention, [ones((4, 3)), ones((3, 5)), ones((3, 5)), ones((3, 5))], None,
        ["Y₁ = X [Wq Wk Wv]", "Y₂ = Y₁[:, :5] Y₁[:, 5:10]ᵀ", "H = exp(Y₂ / 2)", "Z = H / (H 1)",
         "Y₃ = Z Y₁[:, 10:]", "L = Σ Y₃²", "dL = 1", "dY₃ = 2 Y₃", "dZ = dY₃ Y₁[:, 10:]ᵀ",
         "dH = dZ ⊙ (1 / (H 1)) + (dZ ⊙ (−Z / (H 1))) 1", "dY₂ = (1 / 2) (dH ⊙ H)",
         "dY₁[:, :5] = dY₂ Y₁[:, 5:10]", "dY₁[:, 5:10] = dY₂ᵀ Y₁[:, :5]", "dY₁[:, 10:] = Zᵀ dY₃",
         "dWv = Xᵀ dY₁[:, 10:]", "dWk = Xᵀ dY₁[:, 5:10]", "dWq = Xᵀ dY₁[:, :5]",
         "dX = dY₁ [Wqᵀ; Wkᵀ; Wvᵀ]"],
    ),
    "steps in time": (
        recurrent, [ones((4, 4)), ones((3, 4)), ones(4), ones((3, 3))], None,
        ["y₁ = xs[0] W + b", "h₁ = tanh(y₁)", "y₂ = xs[1] W + h₁ U + b", "h₂ = tanh(y₂)",
         "y₃ = xs[2] W + h₂ U + b", "h₃ = tanh(y₃)", "L = Σ h₃ ⊙ h₃", "dL = 1", "dh₃ = 2 h₃",
         "dy₃ = dh₃ ⊙ tanh′(y₃)", "dh₂ = dy₃ Uᵀ", "dy₂ = dh₂ ⊙ tanh′(y₂)", "dh₁ = dy₂ Uᵀ",
         "dy₁ = dh₁ ⊙ tanh′(y₁)", "dxs[0] = dy₁ Wᵀ", "dxs[1] = dy₂ Wᵀ", "dxs[2] = dy₃ Wᵀ",
         "db = dy₃ + dy₂ + dy₁", "dW = xsᵀ [dy₁; dy₂; dy₃]", "dU = h₁ᵀ dy₂ + h₂ᵀ dy₃"],
    ),
    "side by side": (
        lambda U, W, x, h: mg.tanh(np.concatenate([x, h]) @ np.concatenate([U, W])).sum(),
        [ones((3, 4)), ones((2, 4)), ones(3), ones(2)], None,
        ["y = x U + h W", "h₁ = tanh(y)", "L = Σ h₁", "dL = 1", "dh₁ = 1", "dy = tanh′(y)",
         "dh = dy Wᵀ", "dx = dy Uᵀ", "dW = hᵀ dy", "dU = xᵀ dy"],
    ),
    "the bias inside": (
        lambda W, x: mg.tanh(np.concatenate([x, [1.0]]) @ W).sum(), [ones((4, 4)), ones(3)], None,
        ["y = x W[:3] + W[3]", "h = tanh(y)", "L = Σ h", "dL = 1", "dh = 1", "dy = tanh′(y)",
         "dx = dy W[:3]ᵀ", "dW[:3] = xᵀ dy", "dW[3] = tanh′(y)"],
    ),
    "logistic regression": (
        lambda w, b, X, t: -(t * mg.log_sigmoid(X @ w + b)).sum(),
        [ones(5), 0.0, ones((8, 5)), ones(8)], None,
        ["y = X w + b", "h = log_sigmoid(y)", "L = −t h", "dL = 1", "dh = −t", "dt = −h"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_says_what_the_notes_say(name):
    f, examples, in_axes, expected = CASES[name]
    formulas = said(mg.record(f, *examples), in_axes)
    if name == "logistic regression":
        matching(formulas, "y = X w + b", "dw = Xᵀ dy", "dX = dy wᵀ", "db = Σ dy")
    else:
        assert sorted(formulas) == sorted(expected)


# Layers written in many ways


@st.composite
def written(draw, batched):
    """An affine layer of some size, with its terms in some order; its loss, its examples."""
    n, d, m = [draw(st.integers(2, 4)) for _ in range(3)]
    source = draw(st.randoms(use_true_random=False))
    order = source.sample(range(d), d)
    swapped, bias_first, stored = [draw(st.booleans()) for _ in range(3)]

    def entry(W, k, j):
        return W[j, k] if stored else W[k, j]

    def neuron(W, b, x, j):
        terms = [x[k] * entry(W, k, j) if swapped else entry(W, k, j) * x[k] for k in order]
        found = b[j] if bias_first else terms.pop(0)
        for term in terms:
            found = found + term
        return found if bias_first else found + b[j]

    def loss(X, W, b):
        rows = [X] if batched else X
        return mg.total([mg.tanh(neuron(W, b, x, j)) for x in rows for j in range(m)])

    W, bias = ("Wᵀ" if stored else "W"), ("b + X {}" if bias_first else "X {} + b")
    expected = [
        f"Y = {bias.format(W)}", "db = 1ᵀ dY",
        "dX = dY W" if stored else "dX = dY Wᵀ", "dW = dYᵀ X" if stored else "dW = Xᵀ dY",
    ]  # fmt: skip
    shape = (m, d) if stored else (d, m)
    return loss, [ones(d) if batched else ones((n, d)), ones(shape), ones(m)], expected


@given(written(batched=False))
def test_the_three_formulas_come_out_of_any_way_of_writing(layer):
    loss, examples, expected = layer
    matching(said(mg.record(loss, *examples, pure=True)), *expected)


@given(written(batched=True))
def test_the_three_formulas_come_out_of_a_batch(layer):
    loss, examples, expected = layer
    matching(said(mg.record(loss, *examples, pure=True), (0, None, None)), *expected)


def test_a_layer_with_one_weight_in_a_wrong_place_is_no_affine_layer():
    def loss(X, W):
        W = W.copy()
        W[0, 0], W[1, 1] = W[1, 1], W[0, 0]
        return mg.tanh(X @ W).sum()

    formulas = said(mg.record(loss, ones((3, 2)), ones((2, 4))))
    assert any("P₁" in s and s.startswith("Y = ") for s in formulas)
    assert not any(re.search(r"X W|W X", s) for s in formulas)


# The proof


def test_what_is_not_true_is_not_said(monkeypatch):
    """Planted: a transpose that does nothing."""
    for module in (sentences, calculus):
        monkeypatch.setattr(module, "turned", lambda x: x)
    found = mg.record(lambda X, W: mg.tanh(X @ W).sum(), ones(3), ones((3, 4)))
    matrices = found.batched((0, None)).matrices()
    assert matrices._reading.unproved
    assert not any(s.startswith("dW = ") for s in matrices.formulas)


def test_a_wrong_sign_is_not_proved(monkeypatch):
    real = sentences.total
    monkeypatch.setattr(
        sentences, "total", lambda xs: real([*xs[:-1], sentences.made(sentences.NEGATIVE, xs[-1])])
    )
    assert_caught(test_the_three_formulas_come_out_of_any_way_of_writing, monkeypatch)


def test_one_swapped_entry_is_not_proved():
    matrices = mg.record(lambda X, W: mg.tanh(X @ W).sum(), ones((3, 2)), ones((2, 4))).matrices()
    r = matrices._reading
    proof = Proof(r.tables, r.names, r.rows_are_samples)
    for table in (r.forward, r.backward):
        for sentence in [s for each in table.values() for s in each]:
            assert proof.holds(sentence)
            if sentence.slots.size > 1 and sentence.formula.op is not None:
                swapped = sentence.slots.copy()
                swapped[0, 0], swapped[-1, -1] = swapped[-1, -1], swapped[0, 0]
                assert not proof.holds(sentence._replace(slots=swapped))


def test_unknown_functions_are_none_in_particular():
    """Two functions, or one at two places, differ; sums of products are what they are."""
    x, y = np.arange(50), np.arange(50)[::-1]
    found = [value_of(op, [x, y]) for op in (ops.maximum, ops.minimum)]
    found.append(value_of(ops.maximum, [y, x]))
    assert len({tuple(z.tolist()) for z in found}) == 3
    assert abs(np.array(found)).max() <= 9


@settings(max_examples=25)
@given(graphs(most=12))
def test_nothing_is_said_of_any_program_that_is_not_proved(graph):
    f, point = graph
    program = mg.record(lambda v: f(*v), point, pure=True)
    assert "dL = 1" in said(program)
    said(program, 0)


# What is told, and how it is written


def test_what_is_in_no_product_is_told_with_its_reason():
    program = mg.record(two_layers, LAYERS, ones(3), ones(2))
    assert str(program.batched((None, 0, 0)).matrices()).splitlines()[-2:] == [
        "60 of 66 products of scalars are in 6 products of matrices; of the others",
        "  6 are of two factors that belong to each sample",
    ]
    assert "whose vectors no other line has" in str(program.matrices())


def test_it_prints_as_the_notes_do():
    text = str(mg.record(two_layers, LAYERS, ones((5, 3)), ones((5, 2))).matrices())
    assert text.splitlines()[:11] == [
        "lines   forward ↓        shape  backward ↑",
        "        X                5×3    dX = dY₁ W₁ᵀ",
        "        W₁ = layers0.W   3×4    dW₁ = Xᵀ dY₁",
        "        b₁ = layers0.b   1×4    db₁ = 1ᵀ dY₁",
        "1–231   Y₁ = X W₁ + b₁   5×4    dY₁ = dH₁ ⊙ tanh′(Y₁)",
        "7–232   H₁ = tanh(Y₁)    5×4    dH₁ = dY₂ W₂ᵀ",
        "",
        "        W₂ = layers1.W   4×2    dW₂ = H₁ᵀ dY₂",
        "        b₂ = layers1.b   1×2    db₂ = 1ᵀ dY₂",
        "8–246   Y₂ = H₁ W₂ + b₂  5×2    dY₂ = 2 (Y₂ − T)",
        "        T                5×2    dT = −dY₂",
    ]
    assert max(map(len, text.splitlines())) < 100


def test_the_lines_are_those_of_the_listing():
    program = mg.record(lambda W, x: mg.tanh(W @ x).sum(), ones((3, 2)), ones(2))
    rows = str(program.matrices()).splitlines()
    ((first, last),) = [
        map(int, re.match(r"(\d+)–(\d+)", r).groups()) for r in rows if " y = " in r
    ]
    listed = str(program.listing()).splitlines()
    tanh = [int(r.split()[0]) for r in listed if " = tanh(" in r.split("  dv")[0]]
    products = [int(r.split()[0]) for r in listed if re.match(r"\d+ +v_\d+ = W_\{?\d+\}?·x", r)]
    assert first == min(products or [1])
    assert last == max(tanh) - 1


def test_latex_html_and_markdown_hold_the_same_formulas():
    matrices = mg.record(lambda X, W, b: mg.tanh(X @ W + b).sum(), ones((5, 3)), ones((3, 4)),
                         ones(4)).matrices()  # fmt: skip
    latex = matrices.latex()
    balanced(latex)
    assert r"\mathbf{Y} = \mathbf{X} \, \mathbf{W} + \mathbf{b}" in latex
    assert r"\mathrm{d}\mathbf{W} = \mathbf{X}^T \, \mathrm{d}\mathbf{Y}" in latex
    assert r"\tanh'(\mathbf{Y})" in latex
    for text in (matrices.html(), matrices.markdown()):
        assert "Y = X W + b" in text
        assert "dW = Xᵀ dY" in text


def test_the_picture_has_a_box_for_each_matrix():
    source = mg.record(two_layers, LAYERS, ones((5, 3)), ones((5, 2))).matrices().draw().source
    for formula in ("Y₁ = X W₁ + b₁", "dW₂ = H₁ᵀ dY₂", "L = Σ (Y₂ − T)²"):
        assert formula in source
    assert source.count("class=block") == 4


def test_a_listing_writes_a_product_as_one_line():
    program = mg.record(lambda W, x: mg.tanh(W @ x).sum(), ones((3, 2)), ones(2))
    assert str(program.listing(matrices=True)).splitlines()[:9] == [
        "      forward ↓              backward ↑",
        "      W                      dW = dy xᵀ",
        "      x                      dx = Wᵀ dy",
        "1–12  y = W x                dy = tanh′(y)",
        "4     v_4 = tanh(y[0])   25  dv_4 = dv_9",
        "8     v_8 = tanh(y[1])   21  dv_8 = dv_9",
        "9     v_9 = v_4 + v_8    20  dv_9 = dv_14",
        "13    v_13 = tanh(y[2])  16  dv_13 = dv_14",
        "14    v_14 = v_9 + v_13  15  dv_14 = 1",
    ]
    balanced(program.listing(matrices=True).latex())
    with pytest.raises(ArgumentError, match="reverse"):
        program.listing(ones((3, 2)), ones(2), mode="forward", matrices=True)


def test_a_listing_with_matrices_shows_numbers_of_single_lines():
    program = mg.record(lambda W, x: mg.tanh(W @ x).sum(), ones((3, 2)), ones(2))
    text = str(program.listing(ones((3, 2)), ones(2), matrices=True))
    assert "0.964" in text
    assert "y = W x" in text


def test_programs_without_matrices_say_so():
    matrices = mg.record(lambda w, x: mg.tanh(w * x), 1.0, 1.0).matrices()
    assert "0 products of matrices" in str(matrices)
    assert matrices.formulas[0] == "L = tanh(w x)"
    several = mg.record(lambda x: [x[0] * x[1], x[0] + x[1]], [1.0, 1.0])
    assert "Z" in str(several.matrices()) or "s" in str(several.matrices())
    assert str(mg.record(lambda x: x, 1.0).matrices())


def test_results_that_are_several_have_no_backward_pass():
    formulas = said(mg.record(lambda X, W, b: X @ W + b, ones((5, 3)), ones((3, 4)), ones(4)))
    assert formulas == ("Y = X W + b",)


def test_reading_is_the_same_each_time():
    program = mg.record(attention, ones((4, 3)), *[ones((3, 5))] * 3)
    assert str(program.matrices()) == str(program.matrices())
    assert isinstance(program.matrices()._reading, reading.Reading)
