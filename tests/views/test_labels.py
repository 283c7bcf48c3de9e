r"""Labels in LaTeX: \theta_1 is θ₁ in words, pictures and formulas; all else stays as typed."""

import subprocess
from shutil import which
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shared.strategies import labels
from shared.tex import READ, balanced

from microgrid import Value, draw, explain, latex, steps
from microgrid.views.dot_labels import name_html
from microgrid.views.formula import IN_TEX, escaped, name
from microgrid.views.labels import ACCENTS, ALPHABETS, SYMBOLS, parts_of, split
from microgrid.views.wording import lowered

AS_TYPED = (
    r"\input{x}", r"\frac{1}{2}", r"\theta_", "x^", "^2", "a^b^c", r"\hat{}", r"\hat{xy}", r"x^}",
    r"\mathcal{ab}", r"x^{", "\\", "50%", "{", r"{\theta", "a\\",
)  # fmt: skip
COMMANDS = ["\\" + word for word in (*SYMBOLS, *ACCENTS, *ALPHABETS, "mathbf", "text", "input")]
IN_LATEX = st.lists(
    st.sampled_from([*COMMANDS, *"_^{}{}{}", *"xW12 ,(-)", "ab", "<", "&", '"']), max_size=9
).map("".join)


@pytest.mark.parametrize("label", READ)
def test_a_label_is_shown_as_mathematics_in_words_pictures_and_formulas(label):
    words, formula = READ[label]
    assert (lowered(label), name(label)) == (words, formula)
    inside = "".join(ElementTree.fromstring(name_html(label)).itertext())
    raised = [lowered(f"x^{{{part.above}}}")[1:].strip("^{}") for part in parts_of(label)]
    assert inside == "".join([p.text + p.below + up for p, up in zip(parts_of(label), raised)])


@pytest.mark.parametrize("label", AS_TYPED)
def test_what_is_not_known_stays_as_typed(label):
    assert lowered(label) == label
    inside = "".join(ElementTree.fromstring(name_html(label)).itertext())
    assert inside.replace("\\\\", "\\") == label


@given(label=st.one_of(IN_LATEX, labels))
@example(label=r"\hat{\hat{x}}_{\bar y}^{\mathcal{L}}")
@example(label="{" * 500 + "^")
@example(label=r"x^{" + r"\hat{" * 500)
@settings(deadline=None)
def test_every_label_is_shown_somehow(label):
    assert lowered(label) or label == ""
    ElementTree.fromstring(f"<p>{name_html(label)}</p>")
    balanced(name(label))
    assert r"\input" not in name(label)


@given(label=labels.filter(lambda label: not {*"\\^{}"} & {*label}))
def test_without_tex_a_label_is_its_name_and_its_subscript(label):
    assert parts_of(label) == ((*split(label), "", False),)


@given(label=IN_LATEX.filter(str.strip))
@settings(max_examples=25, deadline=None)
def test_pictures_pages_and_films_of_any_label_are_well_formed(label):
    x = Value(2.0, label)
    y = x * 3.0 + x
    y.label = label
    ElementTree.fromstring(draw(y).pipe("svg"))
    film = steps(y)
    ElementTree.fromstring(film.animated_svg())
    ElementTree.fromstring(f"<p>{explain(y).html()}</p>")
    balanced(latex(y**2))


def test_the_square_of_a_name_with_a_superscript_has_brackets():
    assert latex(Value(2.0, "W^{(1)}") ** 2) == r"\left(W^{(1)}\right)^{2}"
    assert latex(Value(2.0, r"\Delta w") ** 2) == r"(\Delta w)^{2}"
    assert latex(Value(2.0, r"a+b") ** 2) == r"\mathit{a+b}^{2}"
    assert latex(Value(2.0, r"\theta_1") ** 2) == r"\theta_1^{2}"


@pytest.mark.skipif(which("pdflatex") is None, reason="needs LaTeX")
def test_latex_knows_every_symbol_of_the_table(tmp_path):
    shown = [*map(name, READ), *map(name, AS_TYPED), *IN_TEX.values()]
    shown += [name(rf"\{accent}{{x}}_{{\{accent}{{\theta}}}}") for accent in ACCENTS]
    shown += [escaped("".join(IN_TEX))]
    body = "\n\n".join([f"${formula}$" for formula in shown])
    packages = r"\usepackage[T1]{fontenc}\usepackage{amsmath,amssymb}"
    text = rf"\documentclass{{article}}{packages}\begin{{document}}{body}\end{{document}}"
    (tmp_path / "a.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stdout[-800:]
