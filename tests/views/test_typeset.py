"""Formulas without LaTeX: MathML that is XML, and text whose columns stand where they should."""

from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shared.strategies import labels, programs

from microgrid import Value, latex
from microgrid.views.typeset import mathml, plain, plain_words


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (r"w_{12} x_1 + b", "w₁₂ x₁ + b"),
        (r"-x - (y - 1)", "−x − (y − 1)"),
        (r"\frac{\partial L}{\partial \mathbf{Y}} \mathbf{W}^T", "∂L/∂Y Wᵀ"),
        (r"\sum_{i=1}^{N} \frac{\partial L}{\partial y_{im}}", "∑(i=1…N) ∂L/∂yᵢₘ"),
        (r"J_y(x)", "J_y(x)"),
        (r"y\colon \mathbb{R}^{4} \to \mathbb{R}^{6}", "y: ℝ⁴ → ℝ⁶"),
        (r"\hat{y}_{nd}", "ŷ_nd"),
        (r"\mathcal{L} = \mathbb{E}", "ℒ = 𝔼"),
        (r"\left(\frac{a}{b}\right)_{ij}", "(a/b)ᵢⱼ"),
        (r"\begin{cases} w & \text{if } i = n \\ 0 & \text{else} \end{cases}",
         "⎧w  if i = n\n⎩0  else"),
        (r"\begin{bmatrix} 1 \\[5pt] -20 \end{bmatrix}^T", "⎡ 1 ⎤ᵀ\n⎣−20⎦"),
        ("\\begin{aligned}x &= 1 \\\\[4pt]\n &= 1\\end{aligned}", "x = 1\n  = 1"),
        (r"a \overset{?}{=} b", "a ≟ b"),
        (r"\unknown{x}", r"\unknown x"),
    ],
)  # fmt: skip
def test_formulas_as_lines_of_text(formula, text):
    assert plain(formula) == text


@settings(deadline=None)
@given(program=programs(), label=labels)
def test_every_formula_of_a_graph_is_set(program, label):
    root = program.nodes(Value)[-1] * Value(2.0, label)
    formula = latex(root)
    words = "".join(ElementTree.fromstring(mathml(formula, display=True)).itertext())
    assert words.strip()
    assert plain(formula).strip()


@given(st.text(r"\{}[]^_&$ab12 \\", max_size=40))
@example(r"\begin{bmatrix} a & b \\ c")
@example(r"\frac{a")
@example(r"\left")
@settings(deadline=None)
def test_text_that_is_no_formula_is_set_somehow(text):
    ElementTree.fromstring(mathml(text))
    plain(text)


@given(st.lists(st.lists(st.integers(-99, 99), min_size=3, max_size=3), min_size=2, max_size=4))
def test_the_entries_of_a_matrix_are_read_back(rows):
    body = r" \\ ".join([" & ".join(map(str, row)) for row in rows])
    lines = plain(rf"\begin{{bmatrix}} {body} \end{{bmatrix}}").splitlines()
    assert len({*map(len, lines)}) == 1
    assert [[*map(int, line[1:-1].replace("−", "-").split())] for line in lines] == rows
    math = ElementTree.fromstring(mathml(rf"\begin{{bmatrix}} {body} \end{{bmatrix}}"))
    cells = ["".join(cell.itertext()) for cell in math.iter("mtd")]
    assert cells == [str(x) for row in rows for x in row]


def test_formulas_within_a_sentence_stand_in_its_line():
    assert plain_words(r"Let $\mathbf{X}$ be $x_{11}$.") == "Let X be x₁₁."
