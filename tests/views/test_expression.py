"""Arithmetic as text: parsed, never evaluated as code."""

import math
import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.strategies import hundredths
from shared.tex import READ

from microgrid import Value, latex
from microgrid.views.expression import CALLS, LISTS, ExpressionError, circuit, parse
from microgrid.views.spelling import label_of, name_in
from microgrid.views.wording import lowered


@given(hundredths, hundredths)
def test_an_expression_means_what_python_means(x, y):
    text = "-x*y + 2*(x - y)**2 / (1 + x*x) - sin(y)"
    right = -x * y + 2 * (x - y) ** 2 / (1 + x * x) - math.sin(y)
    assert parse(text, {"x": x, "y": y}).data == right


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("max(x, 3, 2)", 3.0),
        ("where(x > 0, x, 0)", 1.0),
        ("sum([x, x, 2])", 4.0),
        ("logsumexp(x, x)", 1 + math.log(2)),
        ("abs(-x) + +x", 2.0),
        ("leaky_relu(-x)", -0.01),
        ("cos(pi * x)", -1.0),
        ("cos(π * x)", -1.0),
        ("ln(e * x)", 1.0),
        ("where(x == 1, 5, 0)", 5.0),
        ("where(x != 1, 5, 0)", 0.0),
        ("where(x == x + 0, 5, 0)", 5.0),
        ("where(0 < x < 1, 5, 0)", 0.0),
        ("where(0 < x <= 1 == x, 5, 0)", 5.0),
        ("3·x² − 2×x^3 ÷ 4 – x⁻¹", 1.5),
        ("where(x ≥ 1, 2, 3) + where(x ≠ 1, 5, 0) + where(x ≤ 0, 7, 0)", 2.0),
        ("x +\n  x", 2.0),
        ("sum(x, x, 2)", 4.0),
        ("mean(x, 3)", 2.0),
        ("dot(x, 2, 3, 4)", 11.0),
        ("cross_entropy([x, x], 1)", math.log(2)),
        ("cross_entropy([x, x], [0.25, 0.75])", math.log(2)),
        ("cross_entropy([x, x], [0, 1])", math.log(2)),
    ],
)
def test_functions_and_lists(text, value):
    assert parse(text, {"x": 1.0}).data == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "numbers", "words"),
    [
        ("x +", {"x": 1.0}, ["a number or a name is missing after +"]),
        ("(x", {"x": 1.0}, ["never closed"]),
        ("__import__('os')", {}, ["a text is not arithmetic"]),
        ("x.real", {"x": 1.0}, ["not arithmetic"]),
        ("x if x else 1", {"x": 1.0}, ["not arithmetic"]),
        ("lambda: 1", {}, ["a word of Python"]),
        ("[x for x in [1]]", {}, ["a word of Python"]),
        ("x @ x", {"x": 1.0}, ["not arithmetic"]),
        ("x % 2", {"x": 1.0}, ["not arithmetic"]),
        ("'a'", {}, ["a text is not arithmetic"]),
        ("1j", {}, ["j has no number"]),
        ("True", {}, ["not a real number"]),
        ("x + y", {"x": 1.0}, ["y has no number", "y=", "    ^"]),
        ("x", {"x": 1.0, "y": 2.0}, ["y has a number"]),
        ("log(x - 2)", {"x": 1.0}, ["log", "x > 0"]),
        ("1 / (x - 1)", {"x": 1.0}, ["division by zero"]),
        ("relu(x, x)", {"x": 1.0}, ["takes 1", "2 were given"]),
        ("relu(x=1)", {}, ["== compares"]),
        ("[x]", {"x": 1.0}, ["one number"]),
        ("x > 0", {"x": 1.0}, ["one number", "where(condition, a, b)"]),
        ("x == 1", {"x": 1.0}, ["one number", "where(condition, a, b)"]),
        ("x == 1 and x > 0", {"x": 1.0}, ["where(condition, a, b)"]),
        ("not x", {"x": 1.0}, ["where(condition, a, b)"]),
        ("if x > 0: 1", {"x": 1.0}, ["where(condition, a, b)"]),
        ("x == [1]", {"x": 1.0}, ["wrong operands"]),
        ("where(0 < x < [1], 1, 2)", {"x": 1.0}, ["wrong operands"]),
        ("where(x = 1, 1, 2)", {"x": 1.0}, ["== compares"]),
        ("f(x) = x", {"x": 1.0}, ["a line is name = expression", "== compares"]),
        ("1,5*x", {"x": 1.0}, ["inside of brackets; a decimal number has a point, like 1.5"]),
        ("softmax([x, 1])", {"x": 1.0}, ["not a list of 2"]),
        ("log(x, 2)", {"x": 1.0}, ["takes 1 operand", "base b is log(x) / log(b)"]),
        ("where(x > 0, 1)", {"x": 1.0}, ["where takes 3 operands, but 2 were given"]),
        ("leaky_relu()", {}, ["takes 1 to 2 operands, but 0 were given"]),
        ("max()", {}, ["takes at least 1 operand"]),
        ("cross_entropy([1, 2], 1.9)", {}, ["got 1.9"]),
        ("cross_entropy([1, 2], -0.5)", {}, ["got -0.5"]),
        ("cross_entropy([1, 2], 2)", {}, ["out of range for 2 logits"]),
        ("(1,5)*x", {"x": 1.0}, ["a list where a number is needed", "like 1.5"]),
        ("[x, 2]*3", {"x": 1.0}, ["a list where a number is needed"]),
        ("-[x]", {"x": 1.0}, ["a list where a number is needed"]),
        ("sin([x])", {"x": 1.0}, ["a list where a number is needed"]),
        ("max([x, 2], [3])", {"x": 1.0}, ["a list where a number is needed"]),
        ("sum([x, [2]])", {"x": 1.0}, ["a list where a number is needed"]),
        ("sum([x], x)", {"x": 1.0}, ["takes 1 operand", "it takes 1 list like [x, 2]"]),
        ("dot(x, x, x)", {"x": 1.0}, ["dot takes 2 operands, but 3", "2 lists like [x, 2]"]),
        ("dot([x], x)", {"x": 1.0}, ["dot takes 2 lists like [x, 2]"]),
        ("cross_entropy(x, 0)", {"x": 1.0}, ["cross_entropy takes 1 list like [x, 2]"]),
        ("cross_entropy([x])", {"x": 1.0}, ["takes 2 operands, but 1 was given"]),
        ("np.exp(x)", {"x": 1.0}, ["write exp(…), without a dot"]),
        ("SIGMOID(x)", {"x": 1.0}, ["did you mean sigmoid"]),
        ("x", {"x": 1.0, "y": 2.0, "z": 3.0}, ["y, z have numbers but are not in"]),
        ("x x", {"x": 1.0}, ["a product needs its *"]),
        ("x 2", {"x": 1.0}, ["a product needs its *"]),
        ("x|x|", {"x": 1.0}, ["a product needs its *"]),
        ("|x|x|x|", {"x": 1.0}, ["a product needs its *"]),
        ("0x10", {"x10": 1.0}, ["a product needs its *"]),
        ("1/2x", {"x": 1.0}, ["/2x could mean two things"]),
        ("1/2πx", {"x": 1.0}, ["/2π could mean two things"]),
        ("π 2", {}, ["a product needs its *"]),
        ("lnx", {"x": 1.0}, ["lnx has no number: add lnx=…; did you mean ln(x)?"]),
        ("sin2x + x", {"x": 1.0}, ["did you mean sin(2x)?"]),
        ("tanhh_1", {"h_1": 1.0}, ["did you mean tanh(h_1)?"]),
        ("expected*x", {"x": 1.0}, ["add expected=…\n"]),
        (r"\frac{1}{2}", {}, [r"\frac{1} is no name: one in LaTeX is a letter"]),
        (r"\mathbf{x}", {"x": 1.0}, [r"\mathbf{x} is no name"]),
        ("x^{2}", {"x": 1.0}, ["not arithmetic"]),
        (r"\theta*W^{(1)}", {}, ["θ, W^{(1)} have no numbers: add θ=… W^{(1)}=…"]),
        (r"\infty", {}, ["infinity is written inf"]),
        ("2/(x)(x)", {"x": 1.0}, ["/(x)(… could mean two things"]),
        ("2^2(x)", {"x": 1.0}, ["^2(… could mean two things"]),
        ("1/-2x", {"x": 1.0}, ["could mean two things"]),
        ("x(x + 1)", {"x": 1.0}, ["x is a number: a product is x*(…)"]),
        ("x[1]", {"x": 1.0}, ["write x_1 for x[1]"]),
        ("x!", {"x": 1.0}, ["exp(lgamma(x + 1))"]),
        ("√x", {"x": 1.0}, ["sqrt(x)"]),
        ("sin x", {"x": 1.0}, ["brackets, like sin(x)"]),
        ("sine(x)", {"x": 1.0}, ["did you mean sin"]),
        ("Pi*x", {"x": 1.0}, ["Pi has no number: add Pi=…; did you mean 'pi'?"]),
        ("x*weight", {"x": 1.0, "wieght": 2.0}, ["weight has no number", "did you mean 'wieght'?"]),
        ("sin + x", {"x": 1.0}, ["sin is a function", "sin(x)"]),
        ("|x", {"x": 1.0}, ["this | is never closed"]),
        ("x²y + x²ˣ⁺¹", {"x": 1.0, "y": 1.0}, ["write ^(2x+1) for what is raised here"]),
        ("x = x", {}, ["x is used before this line defines it"]),
        ("x = 1; x = 2", {}, ["x has a line already"]),
        ("sin = 1", {}, ["sin is a function"]),
        ("x; x", {"x": 1.0}, ["only the last line may do without a name"]),
        ("h = 2x; h", {"x": 1.0, "h": 1.0}, ["h is computed by its line"]),
        ("x*1e-400", {"x": 1.0}, ["too small"]),
        ("lambda*x", {"x": 1.0}, ["a word of Python, such as lambda"]),
        ("sigmod(x)", {"x": 1.0}, ["did you mean sigmoid"]),
        ("x*y*z*w", {"x": 1.0}, ["y, z, w have no numbers: add y=… z=… w=…"]),
        ("x*1e400", {"x": 1.0}, ["too large"]),
        ("x + " * 3000 + "x", {"x": 1.0}, ["12001 characters"]),
        ("x + " * 300 + "x", {"x": 1.0}, ["nested deeper"]),
        ("(" * 90 + "x" + ")" * 90 + "+" * 400 + "1", {"x": 1.0}, ["nested"]),
        ("(" * 101 + "x" + ")" * 101, {"x": 1.0}, ["nested too deeply"]),
        ("-" * 101 + "x", {"x": 1.0}, ["nested too deeply"]),
        ("(-" * 50 + "-x" + ")" * 50, {"x": 1.0}, ["nested too deeply"]),
        ("x**-" * 51 + "x", {"x": 1.0}, ["nested too deeply"]),
        ("1" * 400, {}, ["too large"]),
        ("", {}, ["there is no expression: write one, such as w*x + b"]),
        ("\0", {}, ["not arithmetic"]),
    ],
    ids=lambda x: x[:20] if isinstance(x, str) else None,
)
def test_what_is_not_arithmetic_is_refused_with_its_place(text, numbers, words):
    with pytest.raises(ExpressionError) as error:
        parse(text, numbers)
    for word in words:
        assert word in str(error.value)


WRITTEN = {  # by hand, and as Python has it
    "2x": "2*x", "2 x": "2*x", "2(x + 1)": "2*(x + 1)", "(x+1)(x−1)": "(x+1)*(x-1)",
    "-2x^2": "-2*x**2", "2x²(y+1)": "2*x**2*(y+1)", "2sin(x)cos(x)": "2*sin(x)*cos(x)",
    "2pi": "2*pi", "½x": "0.5*x", "x⁻¹": "x**-1", "xʸ": "x**y", "e^-x": "e**-x", "2e−3": "2e-3",
    "x·y × y ÷ 3": "x*y*y/3", "|x|": "abs(x)", "||x| - |−y||": "abs(abs(x) - abs(-y))",
    "2|x|·y": "2*abs(x)*y", "2^|x|": "2**abs(x)", "w₁₂ + w_{12}": "w_12 + w_12", "٣x": "3*x",
    "max(|x|, y)": "max(abs(x), y)", "（x＋y）": "(x+y)", "x\u200b + y": "x + y", "007x": "7*x",
    "y\n\n": "y", "a = 2\nb = a·x  # twice\n\nb²": "(2*x)**2", "b = (x +\n y)\nb": "x + y",
    "b = x; b*y": "x*y", "x −\n  y": "x - y", "x·inf": "x*float('inf')", "2σ(x)": "2*sigmoid(x)",
    "3½x": "3.5*x", "2πx": "2*pi*x", "πx²": "pi*x**2", "2π(x+1)": "2*pi*(x+1)", "1½": "1.5",
    r"2\pi\left(x+1\right)": "2*pi*(x+1)", r"x \cdot y \div 2": "x*y/2", r"\sin(x)\,": "sin(x)",
    r"\sigma(x)": "sigmoid(x)", r"w_{12} \times x": "w_12*x",
    "Φ(−y)": "normal_cdf(-y)", "ψ(x)": "digamma(x)", "σ = x + y\nσ*y": "(x + y)*y",
}  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN)
def test_what_is_written_by_hand_is_what_python_means(text):
    numbers = {"x": 1.5, "y": 2.0, "w_12": 0.25}
    functions = {**CALLS, "pi": math.pi, "e": math.e}
    right = eval(WRITTEN[text], functions | numbers)
    given = {name: x for name, x in numbers.items() if name in circuit(text).leaves}
    assert parse(text, given).data == right


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("w*x +", 1, 6), ("w*x + ", 1, 6), ("a²·q^", 1, 6), ("σ + q", 1, 5), ("2x + )", 1, 6),
        ("a = 1\nf = a·(", 2, 8), ("a = (1\nf = a", 1, 5), ("a = 1 +\nf = a", 1, 8),
        ("a = 1\n\nb = a\nf = a % b", 4, 7), ("f = log(σ − σ)", 1, 5), ("1 + 2/(σ−σ)", 1, 6),
        ("|σ| + (σ)/0", 1, 10), ("f =", 1, 4), ("a = 2\nf = a + q", 2, 9), ("a = [σ, 1]", 1, 5),
        ("f = 2^(σ + 1e400)", 1, 12),
    ],
)  # fmt: skip
def test_an_error_knows_its_line_and_its_column(text, line, column):
    given = {"σ": 1.0} if "σ" in text else {}
    with pytest.raises(ExpressionError) as caught:
        parse(text, given)
    assert (caught.value.line, caught.value.column) == (line, column)
    _, shown, pointer = str(caught.value).splitlines()
    assert shown[2:] == text.split("\n")[line - 1]
    assert pointer.index("^") - 1 == column


@pytest.mark.parametrize("text", ["sin + x", "sin²(x)", "h = exp\nh*x"])
def test_a_function_without_its_brackets_is_no_leaf(text):
    with pytest.raises(ExpressionError, match="is a function: it needs brackets"):
        circuit(text)


@pytest.mark.parametrize(
    ("names", "label"),
    [
        ([r"\theta_1", r"\theta_{1}", "θ_1", "θ₁", "θ_{1}"], "θ_1"),
        (["W^{(1)}", "W⁽¹⁾"], "W^{(1)}"),
        ([r"\hat{y}", "ŷ", "y\u0302"], "ŷ"),
        ([r"\vec{x}_{12}^{(t)}", r"\vec{x}_12⁽ᵗ⁾", "x\u20d7₁₂⁽ᵗ⁾"], "x\u20d7_{12}^{(t)}"),
        ([r"\bar{\theta}", r"\bar\theta"][:1], "θ\u0304"),
        (["w_{12}", "w₁₂", "w_12"], "w_12"),
        (["theta_1"], "theta_1"),
    ],
)
def test_ways_to_write_one_name(names, label):
    for written in names:
        for name in names:
            found = circuit(f"h = {written}·2; h + {written}", {name: 3.0}, None)
            ((key, leaf),) = found.leaves.items()
            assert (key, leaf.label, leaf.data) == (label, label, 3.0)
            assert found.root.data == 9
            assert name_in(label) == name_in(written)
            assert latex(found.root.parents[1]) == latex(Value(3.0, names[0]))


def folded(text):
    return unicodedata.normalize("NFKC", text)


@given(st.sampled_from([*READ]))
def test_what_is_shown_of_a_label_in_latex_is_the_same_name(label):
    if name_in(label):
        shown = label_of(name_in(label))
        assert folded(lowered(shown)) == folded(lowered(label))  # ℒ is L for Python, too
        assert name_in(lowered(label)) in ("", name_in(label))


def test_lines_give_leaves_in_their_order_with_and_without_numbers():
    found = circuit("h = w₁·x + b\nc = 0,5\nf = h^c".replace(",", "."), {"x": 3.0, "c": 2.0})
    assert {name: leaf.data for name, leaf in found.leaves.items()} == {
        "w_1": 1.0, "x": 3.0, "b": 1.0, "c": 2.0,
    }  # fmt: skip
    assert [*found.leaves] == ["w_1", "x", "b", "c"]
    assert [(name, v.data) for name, v in found.lines.items()] == [("h", 4), ("c", 2), ("f", 16)]
    assert found.root is found.lines["f"]
    assert [v.label for v in (*found.leaves.values(), *found.lines.values())] == [
        *found.leaves, *found.lines,
    ]  # fmt: skip
    assert found.notes == ["^ is read as a power: a^2 is a**2"]
    assert circuit("f = a; g = f; g").root.label == "a"


def test_a_caller_deep_in_calls_gets_an_error_and_no_crash():
    def deep(calls):
        return deep(calls - 1) if calls else parse("sin(" * 99 + "x" + ")" * 99, {"x": 1.0})

    outcomes = set()
    for calls in range(0, sys.getrecursionlimit() - 200, 50):
        try:
            outcomes.add(type(deep(calls)))
        except ExpressionError as error:
            outcomes.add(str(error))
        except RecursionError:  # nothing was left to say it with
            break
    assert outcomes == {Value, "nested too deeply: give the parts names"}


def test_towers_of_powers_end_at_once():
    start = time.perf_counter()
    with pytest.raises(ExpressionError):
        parse("9**9**9**9", {})
    assert time.perf_counter() - start < 5  # Python's integers would compute until the machine ends


@pytest.mark.parametrize("name", sorted(CALLS))
@pytest.mark.parametrize("count", range(5))
def test_a_function_takes_the_operands_that_it_takes_in_python_and_no_others(name, count):
    words = (["[x, 0.25]"] * LISTS.get(name, (0,))[0] + ["x", "0.25", "0.5", "1"])[:count]
    x = Value(0.5)
    try:
        right = CALLS[name](*[eval(word, {"x": x}) for word in words])
        assert not isinstance(right, list)  # of softmax
    except Exception:
        with pytest.raises(ExpressionError):
            parse(f"{name}({', '.join(words)})", {"x": 0.5})
    else:
        assert parse(f"{name}({', '.join(words)})", {"x": 0.5}).data == right.data


PIECES = st.sampled_from([
    "x", "y", "2", "0.5", "1e400", "(", ")", "[", "]", "|", "+", "−", "*", "/", "^", "²", "⁻¹", "ˣ",
    "₁", ",", ".", "=", "==", "<", "\n", ";", "#", " ", "sin", "max", "sum", "e", "½", "if", "½x",
    "π", "\\theta", "\\hat", "{x}", "_", "^{(1)}", "⁽¹⁾", "{", "\\cdot",
])  # fmt: skip


@given(st.text(max_size=60) | st.lists(PIECES, max_size=12).map("".join))
def test_any_text_gives_a_graph_or_one_clear_error_with_its_place(text):
    try:
        line, column = None, isinstance(circuit(text).root, Value)
    except ExpressionError as error:
        line, column = error.line, error.column or True
    lengths = [len(line) for line in text.split("\n")]
    assert column if line is None else 1 <= column <= lengths[line - 1] + 1
