"""The derivations: right in every shape, in fractions and in symbols; a wrong formula is caught."""

import re
from fractions import Fraction
from xml.etree import ElementTree

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from shared.tex import balanced

from microgrid import derive, formulas
from microgrid.engine.errors import ShapeError
from microgrid.engine.labels import LabelError
from microgrid.matrices.claims import read_formula
from microgrid.matrices.equations import DerivationError
from microgrid.matrices.layer import Side, drawn, paths, replay
from microgrid.views.expression import ExpressionError

sizes = st.tuples(*[st.integers(1, 3)] * 3)
LAYERS = [derive.affine, derive.matmul]


@pytest.mark.parametrize("make", LAYERS)
@given(shape=sizes)
@settings(max_examples=5, deadline=None)
def test_every_step_of_every_shape_holds_in_fractions(make, shape):
    d = make(*shape)  # raises where a step does not hold
    assert d.ok
    assert d.failed is None


@pytest.mark.parametrize("make", LAYERS)
def test_every_step_of_the_notes_holds_in_symbols(make):
    d = make(2, 2, 3)
    symbols = {v: sympy.Symbol(v.label) for v in d.layer.variables}
    assert len(d.steps) > 10
    for equation in [equation for step in d.steps for equation in step.equations]:
        left, *others = [side.at(symbols) for side in equation]
        for side in others:
            assert side.shape == left.shape
            assert all(sympy.expand(a - b) == 0 for a, b in zip(left.flat, side.flat, strict=True))


def test_the_jacobians_of_the_affine_note_are_right():
    layer = derive.affine(2, 2, 3).layer

    def jacobian(letter):
        leaves = layer.leaves[letter].ravel()
        rows = [layer.latex(paths(y, leaves).reshape(1, -1)) for y in layer.Y.ravel()]
        return [re.findall(r"[a-z]_(?:\w|\{\d+\})|[01]", row) for row in rows]

    assert jacobian("X") == [
        ["w_{11}", "w_{21}", "0", "0"],
        ["w_{12}", "w_{22}", "0", "0"],
        ["w_{13}", "w_{23}", "0", "0"],
        ["0", "0", "w_{11}", "w_{21}"],
        ["0", "0", "w_{12}", "w_{22}"],
        ["0", "0", "w_{13}", "w_{23}"],
    ]
    assert jacobian("W") == [
        ["x_{11}", "0", "0", "x_{12}", "0", "0"],
        ["0", "x_{11}", "0", "0", "x_{12}", "0"],
        ["0", "0", "x_{11}", "0", "0", "x_{12}"],
        ["x_{21}", "0", "0", "x_{22}", "0", "0"],
        ["0", "x_{21}", "0", "0", "x_{22}", "0"],
        ["0", "0", "x_{21}", "0", "0", "x_{22}"],
    ]
    assert jacobian("b") == [list(row) for row in ["100", "010", "001"] * 2]


def test_the_transpose_is_printed_without_the_misprint_of_the_note():
    text = derive.affine(2, 2, 3).latex()
    assert r"w_{11} & w_{21} \\ w_{12} & w_{22} \\ w_{13} & w_{23}" in text
    assert r"w_{11} & w_{12} \\ w_{12}" not in text


@given(sizes)
@settings(max_examples=5, deadline=None)
def test_the_differences_that_steps_are_compared_with_are_the_closed_forms(shape):
    layer = derive.affine_of(*shape)
    for p in drawn(layer):
        closed = formulas.affine_backward(*[replay(A, p) for A in layer.leaves.values()])
        for letter, right in zip("XWb", closed, strict=True):
            assert (layer.gradients[letter].at(p) == right).all()
    layer = derive.matmul_of(*shape)
    for p in drawn(layer):
        closed = formulas.matmul_backward(*[replay(A, p) for A in layer.leaves.values()])
        for letter, right in zip("WX", closed, strict=True):
            assert (layer.gradients[letter].at(p) == right).all()


def test_the_numbers_drawn_hide_nothing_and_are_the_same_in_every_run():
    layer = derive.affine_of(2, 3, 4)
    points = list(drawn(layer))
    for p, again in zip(points, drawn(layer), strict=True):
        assert p == again
        assert list(p) == layer.variables
        assert all(type(x) is Fraction and x for x in p.values())
        assert len({p[g] for g in layer.dY.flat}) > 1


def test_a_side_that_does_not_hold_stops_the_derivation():
    d = derive.affine(2, 2, 3)
    W = d.layer.leaves["W"]
    right, steps = Side("W", W), len(d.steps)
    for wrong in (W + 1, W.T, W[:1], -W, W * 0):
        with pytest.raises(DerivationError, match="a slip: W = "):
            d._add("a slip", "", (right, Side("?", wrong)))
        with pytest.raises(DerivationError, match="a slip: W = "):
            d._add("a slip", "", (right, right), (right, right, Side("?", wrong)))
    assert len(d.steps) == steps


@pytest.mark.parametrize(
    ("make", "letter", "wrong"),
    [
        (derive.affine, "X", {"factors": ("dY", "W")}),
        (derive.affine, "X", {"surviving": ("j", "n")}),
        (derive.affine, "W", {"factors": ("X.T", "X")}),
        (derive.affine, "W", {"local": ("X", "im")}),
        (derive.matmul, "X", {"factors": ("W", "dY")}),
        (derive.matmul, "W", {"local": ("X", "bj")}),
    ],
)
def test_a_slip_in_what_the_house_says_of_a_layer_is_caught(make, letter, wrong, monkeypatch):
    spec = derive.Letter
    monkeypatch.setattr(
        derive, "Letter", lambda *row: spec(*row)._replace(**wrong if row[0] == letter else {})
    )
    with pytest.raises(ValueError, match=f"to {letter}: |shapes"):  # DerivationError is one
        make(2, 2, 2)


def test_a_wrong_rule_in_the_graph_is_caught(monkeypatch):
    from microgrid.engine import ops

    monkeypatch.setattr(ops.mul, "rules", (lambda y, a, b: a, lambda y, a, b: b))
    with pytest.raises(DerivationError, match="the Jacobian"):
        derive.affine(2, 2, 3)


# What hides a wrong formula, and the smallest shape that shows it: (misfit, wrong numbers).
WRONG = [
    (derive.affine, "dX", "dY @ W", (1, 1, 2), (1, 2, 2)),
    (derive.affine, "dX", "W @ dY.T", (1, 2, 1), (2, 2, 1)),
    (derive.affine, "dW", "dY.T @ X", (1, 1, 2), (1, 2, 2)),
    (derive.affine, "dW", "X.T @ dY + W - W.T", (1, 1, 2), (1, 2, 2)),
    (derive.affine, "db", lambda X, W, dY: dY[0], None, (2, 1, 1)),
    (derive.affine, "db", lambda X, W, dY: dY.mean(axis=0), None, (2, 1, 1)),
    (derive.affine, "db", "dY @ ones", (1, 1, 2), (2, 1, 2)),
    (derive.affine, "db", "dY.sum(axis=1)", (1, 1, 2), (2, 1, 2)),
    (derive.affine, "dX", "-dY @ W.T", None, (1, 1, 1)),
    (derive.matmul, "dX", "W @ dY", (1, 2, 1), (2, 2, 1)),
    (derive.matmul, "dW", "X.T @ dY", (1, 1, 2), (2, 2, 2)),
]


@pytest.mark.parametrize(("make", "which", "formula", "misfit", "wrong"), WRONG)
def test_a_wrong_formula_fails_at_its_step_with_the_smallest_counterexample(
    make, which, formula, misfit, wrong
):
    d = make(2, 2, 3, **{which: formula})
    assert not d.ok
    assert d.failed is d.steps[-1]
    assert d.failed.title == f"With respect to {which[1]}: the rearrangement"
    found = {c.got is None: c for c in d.counterexamples}
    assert (found[True].sizes if True in found else None) == misfit
    assert found[False].sizes == wrong
    assert found[False].got != found[False].right
    small = {0, 1} if len(make(*wrong).layer.variables) <= 11 else {*range(-2, 4)}
    assert {x for A in found[False].numbers.values() for x in np.ravel(A)} <= small
    assert "It fails" in str(d)
    assert r"\neq" in d.failed.latex
    assert repr(d).endswith(f"fails at {d.failed.title!r}>")
    balanced(d.tex())


@pytest.mark.parametrize(
    ("which", "formula"),
    [
        ("dX", "dY @ W.T"), ("dX", "(W @ dY.T).T"), ("dW", lambda X, W, dY: X.T @ dY),
        ("db", lambda X, W, dY: dY.sum(axis=0, keepdims=True)), ("db", "dY.T @ ones"),
        ("db", "dY.sum(axis=0)"), ("db", "1ᵀ @ dY"), ("dX", "dY @ Wᵀ"), ("dW", "(dYᵀ @ X)ᵀ"),
        ("db", "-(X @ W - dY - X @ W).sum(axis=0)"),
    ],
)  # fmt: skip
def test_a_right_formula_of_another_form_passes(which, formula):
    d = derive.affine(2, 2, 3, **{which: formula})
    assert d.ok
    assert len(d.steps) == len(derive.affine(2, 2, 3).steps)


def test_a_formula_is_written_with_the_brackets_that_it_needs():
    written = {
        "dY @ W.T": r"dY \, W^T",
        "W @ dY @ X": r"W \, dY \, X",
        "(X.T @ dY + W) - (W - X)": r"X^T \, dY + W - (W - X)",
        "(W @ X).T": r"(W \, X)^T",
        "X.T.T": "(X^T)^T",
        "(X + W) @ dY": r"(X + W) \, dY",
        "-X @ W": r"-X \, W",
        "X * W @ dY": r"(X \odot W) \, dY",
        "X * (W + dY)": r"X \odot (W + dY)",
        "ones.T @ dY": r"\mathbf{1}^T \, dY",
        "dY.sum(axis=0) + (X - W).sum(axis=1)": r"\mathbf{1}^T \, dY + (X - W) \, \mathbf{1}",
    }
    for text, latex in written.items():
        found = read_formula(text).latex.replace(r"\frac{\partial L}{\partial \mathbf{Y}}", "dY")
        found = found.replace(r"\left(", "(").replace(r"\right)", ")")
        assert re.sub(r"\\mathbf{([XW])}", r"\1", found) == latex


LEAVES = st.sampled_from(["X", "W", "dY", "ones"])
FORMULAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("@*+-"), inner).map(lambda t: "({} {} {})".format(*t)),
        inner.map("(-{})".format), inner.map("{}.T".format),
        st.tuples(inner, st.integers(0, 1)).map(lambda t: "{}.sum(axis={})".format(*t)),
    ),
    max_leaves=6,
)  # fmt: skip


@given(text=FORMULAS, entries=st.lists(st.integers(-9, 9), min_size=12, max_size=12))
def test_a_formula_that_is_read_gives_what_numpy_gives(text, entries):
    X, W, dY = np.array(entries, dtype=object).reshape(3, 2, 2)
    ones = np.ones(2, dtype=int).astype(object)
    try:
        right = eval(text, {"X": X, "W": W, "dY": dY, "ones": ones})  # our own text, in a test
    except (ValueError, AttributeError):  # NumPy refuses the shapes, or the T of a number
        return
    got = read_formula(text).function(X, W, dY)
    assert np.shape(got) == np.shape(right)
    assert (np.asarray(got) == np.asarray(right)).all()


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("dY @ Z", 5, "a formula is made of"),
        ("__import__('os')", 11, "a formula is made of"),
        ("dY @ dY.shape", 5, "a formula is made of"),
        ("dY ** 2", 3, "a formula is made of"),
        ("dY @ W.sum(axis=2)", 5, "a formula is made of"),
        ("dY @ [W]", 5, "a formula is made of"),
        ("dY + 2 * X", 5, "a formula is made of"),
        ("dY @ (X < W)", 8, "a formula is made of"),
        ("pi @ dY", 0, "a formula is made of"),
        ("dY W.T", 3, "a product of matrices needs its @"),
        ("dY @ (W.T", 5, "is never closed"),
    ],
)
def test_text_that_is_no_formula_is_refused_with_the_place(text, column, message):
    with pytest.raises(ExpressionError, match=message) as caught:
        derive.affine(2, 2, 3, dX=text)
    _, line, pointer = str(caught.value).splitlines()
    assert line == f"  {text}"
    assert pointer == f"  {' ' * column}^"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dY @", "missing after @"),
        ("", "such as dY @ W.T"),
        (f"dY{' + X - X' * 30}", "at most 200"),
    ],
)
def test_text_that_is_unfinished_or_too_long_is_refused(text, message):
    with pytest.raises(ExpressionError, match=message):
        derive.affine(2, 2, 3, dX=text)


@pytest.mark.parametrize("shape", [(0, 1, 1), (1, -1, 1), (2, 2.0, 3), (20, 2, 20)])
def test_sizes_that_no_page_can_hold_are_refused(shape):
    with pytest.raises(ShapeError):
        derive.affine(*shape)


@pytest.mark.parametrize("make", LAYERS)
def test_documents_are_written_whole(make, tmp_path):
    d = make(2, 3, 2)
    document = d.save(tmp_path / "new" / "d.tex").read_text(encoding="utf-8")
    balanced(document)
    assert document.startswith(r"\documentclass")
    assert document.rstrip().endswith(r"\end{document}")
    assert document.isascii()
    assert document.count(r"\section") == len(d.parts)
    assert document.count(r"\fitted{\begin") == len(d.steps)
    text = d.save(tmp_path / "d.md").read_text(encoding="utf-8")
    assert text == d._repr_markdown_()
    assert text.count("$$") == 2 * len(d.steps)
    assert all("\n\n" not in block for block in text.split("$$")[1::2])
    page = ElementTree.fromstring(f"<main>{d.html()}</main>")
    assert [len(page.findall(f".//{tag}")) for tag in ("h2", "div/math")] == [
        len(d.parts),
        len(d.steps),
    ]
    with pytest.raises(DerivationError, match=r"\.html or \.tex or \.md"):
        d.save(tmp_path / "nowhere" / "d.pdf")
    assert not (tmp_path / "nowhere").exists()
    for step in d.steps:
        assert step.title.partition(": ")[0] in str(d)
        balanced(step._repr_latex_())


@pytest.mark.parametrize("write", ["__str__", "html", "markdown", "latex"])
def test_each_sentence_is_said_once(write):
    text = " ".join(getattr(derive.affine(2, 2, 3), write)().split())
    assert text.count("Checked: ") == 1
    for step in derive.affine(1, 1, 1).steps:
        for sentence in filter(None, [step.general, *re.split(r"(?<=\.) ", step.words)]):
            if "$" not in sentence:
                assert text.count(sentence) == 1, sentence
    wrong = " ".join(getattr(derive.affine(dX="dY @ W"), write)().split())
    assert wrong.count("It fails at") == 1
    assert "Checked" not in wrong


def test_it_prints_without_latex_in_lines_that_fit():
    for d in (derive.affine(2, 2, 3), derive.affine(dW="X @ dY"), derive.matmul(2, 2, 2)):
        text = str(d)
        assert not re.search(r"[\\{}&$]", text)
        assert max(map(len, text.splitlines())) <= 100


def test_sections_are_written_alone():
    d = derive.affine(1, 2, 1)
    assert d.parts == ["layer", "X", "W", "b", "batch", "bias", "formulas"]
    some = d.only("W", "formulas")
    assert [step.part for step in some.steps] == ["W"] * 5 + ["formulas"]
    assert some.steps[0].general in str(some)  # though X, which says it first, is left out
    assert len(d.steps) == 19
    with pytest.raises(DerivationError, match="part 'w': there are layer, X, W, b"):
        d.only("w")


RENAMED = {"X": "A", "W": "Θ", "b": "c", "Y": "Z", "L": "E"}


@pytest.mark.parametrize("make", LAYERS)
def test_other_letters_stand_everywhere_and_change_nothing_else(make):
    letters = RENAMED if make is derive.affine else {"X": "V", "W": "Θ", "Y": "Z", "L": "E"}
    renamed = make(2, 2, 3, letters=letters)
    for step, other in zip(make(2, 2, 3).steps, renamed.steps, strict=True):
        assert step.latex != other.latex
        back = other.latex.replace(r"\boldsymbol{\Theta}", r"\mathbf{W}").replace(r"\theta", "w")
        for k, x in letters.items():
            back = re.sub(rf"(?<![\\A-Za-z]){x}(?![A-Za-z])", k, back)
            back = re.sub(rf"(?<![\\A-Za-z]){x.lower()}(?![A-Za-z])", k.lower(), back)
        assert sorted(re.findall(r"[^\W_]+", back)) == sorted(re.findall(r"[^\W_]+", step.latex))
    assert not re.search(r"\b[XWYL]\b|[xwyb][₁₂₃]", str(renamed))


def test_an_index_makes_room_for_a_letter():
    step = derive.matmul(letters={"W": "A"}).only("X").steps[-1]
    assert r"y_{pq}}{\partial x_{ij}" in step.latex
    assert "a_{pi}" in step.latex


def test_claims_are_read_in_these_letters():
    d = derive.affine(2, 2, 3, letters=RENAMED, dX="dZ @ Θ.T")
    assert d.ok
    wrong = derive.affine(2, 2, 3, letters=RENAMED, dX="dZ @ Θ")
    assert "Θ = [[" in wrong.failed.note
    assert r"\boldsymbol{\Theta}" in wrong.failed.latex
    balanced(wrong.latex())
    assert wrong.latex().isascii()
    with pytest.raises(ExpressionError, match="made of A, Θ, dZ and ones"):
        derive.affine(2, 2, 3, letters=RENAMED, dX="dY @ W")


def test_letters_that_python_reads_as_others_are_read_as_these():
    letters = {"X": r"\mathcal{A}", "W": r"\varepsilon"}  # 𝒜 is A to Python, and ϵ is ε
    d = derive.affine(1, 1, 1, letters=letters, dX="dY @ ε.T", dW=r"A.T @ dY")
    assert d.ok
    assert "∂L/∂𝒜 = ∂L/∂Y ϵᵀ" in str(d)
    assert "<mi>𝒜</mi>" in d.html().replace(' mathvariant="normal" style="font-weight:bold"', "")


@pytest.mark.parametrize(
    ("letters", "message"),
    [
        ({"Q": "A"}, "letters 'Q': there are X, W, b, Y, L"),
        ({"X": "AB"}, "letters X='AB': one letter"),
        ({"X": ""}, "one letter"),
        ({"X": "A_1"}, "one letter"),
        ({"X": 1}, "one letter"),
        ({"X": "1"}, "one letter"),
        ({"X": "W"}, "it would mean two things"),
        ({"X": "B"}, "it would mean two things"),
        ({"X": "I"}, "it would mean two things"),
        ({"W": "N"}, "it would mean two things"),
        ({"L": "J"}, "it would mean two things"),
        ({"X": "A", "W": r"\mathcal{A}"}, "it would mean two things"),
    ],
)
def test_what_is_no_letter_of_its_own_is_refused(letters, message):
    with pytest.raises(LabelError, match=message):
        derive.affine(letters=letters)


def test_the_last_row_of_the_extended_weights_is_the_bias():
    step = next(s for s in derive.affine(2, 2, 3).steps if "appended" in s.title)
    assert r"x_{11} & x_{12} & 1 \\ x_{21} & x_{22} & 1" in step.latex
    assert r"b_1 & b_2 & b_3 \end{bmatrix}" in step.latex
    assert np.all([len(e) > 2 for e in step.equations])


def test_a_claim_that_is_right_on_all_small_integers_is_refuted_all_the_same():
    zero_there = "X*(X-ones)*(X+ones)*(X-ones-ones)*(X+ones+ones)*(X-ones-ones-ones)"
    derivation = derive.affine(1, 1, 1, dX=f"dY @ W.T + {zero_there}")
    assert not derivation.ok
    assert "it gives" in derivation.failed.note
