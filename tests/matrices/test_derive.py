"""The derivations: right in every shape, in fractions and in symbols; a wrong formula is caught."""

import re
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from shared.tex import balanced

from microgrid import derive, formulas
from microgrid.engine.errors import ExpressionError, ShapeError
from microgrid.matrices.derivation import DerivationError, Side, Step, drawn, paths

sizes = st.tuples(*[st.integers(1, 3)] * 3)
LAYERS = [derive.affine, derive.matmul]


def same_symbols(a, b) -> bool:
    return sympy.expand(a - b) == 0


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
    symbols = d.layer.point(sympy.Symbol)
    assert len(d.steps) > 10
    for step in d.steps:
        step.check([symbols], same_symbols)


def test_the_jacobians_of_the_affine_note_are_right():
    layer = derive.affine(2, 2, 3).layer

    def jacobian(letter):
        leaves = layer.leaves[letter].ravel()
        rows = [layer.symbolic(paths(y, leaves).reshape(1, -1)).latex for y in layer.Y.ravel()]
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
    text = str(derive.affine(2, 2, 3))
    assert r"w_{11} & w_{21} \\ w_{12} & w_{22} \\ w_{13} & w_{23}" in text
    assert r"w_{11} & w_{12} \\ w_{12}" not in text


@given(sizes)
@settings(max_examples=5, deadline=None)
def test_the_differences_that_steps_are_compared_with_are_the_closed_forms(shape):
    layer = derive.affine_of(*shape)
    for p in drawn(layer):
        closed = formulas.affine_backward(p["X"], p["W"], p["b"], p["dY"])
        for letter, right in zip("XWb", closed, strict=True):
            assert (layer.gradient(letter)(p) == right).all()
    layer = derive.matmul_of(*shape)
    for p in drawn(layer):
        for letter, right in zip("WX", formulas.matmul_backward(p["W"], p["X"], p["dY"])):
            assert (layer.gradient(letter)(p) == right).all()


def test_the_numbers_drawn_hide_nothing_and_are_the_same_in_every_run():
    layer = derive.affine_of(2, 3, 4)
    points = list(drawn(layer))
    for p, again in zip(points, drawn(layer), strict=True):
        assert all((p[k] == again[k]).all() for k in p)
        assert all(type(x) is Fraction and x for A in p.values() for x in A.ravel())
        assert len(set(p["dY"].ravel())) > 1


def test_a_side_that_does_not_hold_stops_the_derivation():
    d = derive.affine(2, 2, 3)
    layer = d.layer
    right = Side("W", lambda p: p["W"])
    for wrong in (lambda p: p["W"] + 1, lambda p: p["W"].T, lambda p: p["W"][:1]):
        with pytest.raises(DerivationError, match="a slip: W = "):
            d.step("a slip", "", (right, Side("?", wrong)))
    with pytest.raises(DerivationError):
        Step("a slip", "", ((right, right, Side("?", lambda p: -p["W"])),)).check(
            list(drawn(layer)), lambda a, b: a == b
        )


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
    assert "It fails" in str(d)
    assert r"\neq" in d.failed.latex
    assert repr(d).endswith(f"fails at {d.failed.title!r}>")
    balanced(d.tex())


@pytest.mark.parametrize(
    ("which", "formula"),
    [
        ("dX", "dY @ W.T"), ("dX", "(W @ dY.T).T"), ("dW", lambda X, W, dY: X.T @ dY),
        ("db", lambda X, W, dY: dY.sum(axis=0, keepdims=True)), ("db", "dY.T @ ones"),
    ],
)  # fmt: skip
def test_a_right_formula_of_another_form_passes(which, formula):
    d = derive.affine(2, 2, 3, **{which: formula})
    assert d.ok
    assert len(d.steps) == len(derive.affine(2, 2, 3).steps)


@pytest.mark.parametrize("text", ["dY @", "dY @ Z", "__import__('os')", "dY.shape", "dY ** 2"])
def test_text_that_is_no_formula_is_refused(text):
    with pytest.raises(ExpressionError):
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
    assert document.count(r"\section") == len(d.steps)
    text = d.save(tmp_path / "d.md").read_text(encoding="utf-8")
    assert text == d._repr_markdown_()
    assert text.count("$$") == 2 * len(d.steps)
    assert all("\n\n" not in block for block in text.split("$$")[1::2])
    with pytest.raises(DerivationError, match=r"\.tex or \.md"):
        d.save(tmp_path / "d.pdf")
    for step in d.steps:
        assert step.title in str(d)
        balanced(step._repr_latex_())


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
