"""The rule beside the gate: what it says is what the table computes, in letters and in numbers."""

import math
import re
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shared.operations import EVERY, FAMILIES, TARGETS, hundredths, operands
from shared.strategies import fractions, labels, programs
from shared.tex import balanced
from shared.written import gives, is_rounded

import microgrid as mg
from microgrid import Value, explain
from microgrid.engine import ops
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.value import Constant, apply, edges
from microgrid.views.algebra import value
from microgrid.views.rows import rules_of
from microgrid.views.rule import MANY, Gate, LocalRule
from microgrid.views.wording import RAISED

SMOOTH = [name for name in EVERY if name not in TARGETS and not name.startswith("stop_gradient")]
SPELLED = {"·": "*", "×": "*", "−": "-", "^": "**", **dict(zip("₁₂₃₄", "1234"))}
RAISES, ON_LINE = f"[{''.join(RAISED.values())}]+", {c: plain for plain, c in RAISED.items()}
SPACE = EVERY | {family(k).name: family(k) for family in FAMILIES for k in range(5)}
SPACE |= {"e": math.e, "π": math.pi, "σ": ops.sigmoid, "Φ": ops.normal_cdf, "ψ": ops.digamma}
SPACE |= {"max": lambda *xs: max(xs), "min": lambda *xs: min(xs), "F": Fraction}


def rules(y):
    """The rule of each operand along which a gradient flows, with its place."""
    found = [(k, p, local) for k, (p, local) in enumerate(edges(y, y.op)) if local is not NO_PATH]
    gate = Gate(y)
    return [LocalRule(gate, k, local) for k, p, local in found if not isinstance(p, Constant)]


def texts(y):
    return [str(rule) for rule in rules(y)]


def computed(text, **letters):
    """The number that a formula says, exactly where it is rational."""
    text = re.sub(RAISES, lambda m: f"**({''.join([ON_LINE[c] for c in m[0]])})", text)
    for sign, python in SPELLED.items():
        text = text.replace(sign, python)
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text)
    text = re.sub(r"(?<![\w.])(\d+(\.\d+)?(e[+-]?\d+)?)(?![\w.])", r"F('\1')", text)
    return eval(text, SPACE | {name.replace("_", ""): x for name, x in letters.items()})


def is_right(text):
    """Whether the numbers of a rule give its result as they stand there, if it has any."""
    _, *sides = re.split(" [=≈] ", text)  # the formula, its numbers, the result
    return len(sides) < 3 or gives("≈" if "≈" in text else "=", computed(sides[1]), sides[2])


@st.composite
def gates(draw, name, numbers):
    """A gate of an operation, inside of its domain."""
    xs = draw(operands(name, numbers))
    try:
        y = apply(EVERY[name], *map(Value, xs))
    except (ArithmeticError, ValueError):
        y = None
    assume(y is not None)
    return y


# What is said is so


@pytest.mark.parametrize("name", SMOOTH)
def test_of_every_operation_letters_and_numbers_give_the_local_gradient(name):
    @settings(max_examples=8)
    @given(gates(name, hundredths), st.integers(1, 4))
    def holds(y, digits):
        xs = [p.data for p in y.parents]
        for rule in rules(y):
            assert rule.formula or name not in ops.PUBLIC
            letters = dict(zip(rule.gate.letters, xs, strict=True))
            facts, _, text = rule.text(digits).rpartition(": ")
            for fact in re.split(r", (?![^()]*\))", facts) if facts else ():
                assert computed(re.sub(" = ", " == ", fact).replace("≠", "!="), **letters), fact
            _, formula, *others = re.split(" [=≈] ", text)
            found = float(computed(formula, **letters))
            assert found == pytest.approx(float(rule.local), rel=2e-5, abs=1e-9), text
            if others:
                assert is_rounded(others[-1], rule.local)
            assert is_right(text), text

    holds()


@pytest.mark.parametrize("name", ["add", "sub", "mul", "neg", "div", "square", "reciprocal", "dot",
                                  "total", "mean", "maximum", "minimum", "relu", "absolute", "clip",
                                  "softsign", "leaky_relu", "identity", "divide"])  # fmt: skip
def test_of_a_rational_operation_it_does_so_exactly(name):
    @settings(max_examples=8)
    @given(gates(name, fractions))
    def holds(y):
        assert type(y.data) is Fraction
        for rule in rules(y):
            assert value(rule.formula, rule.gate.numbers) == rule.local
            assert is_right(rule.text().rpartition(": ")[2]), rule

    holds()


def test_a_wrong_meaning_is_caught(monkeypatch):
    """A test of the first test: the formula is held against the number, and not shown."""
    monkeypatch.setattr(ops.TABLE.sigmoid_slope, "meaning", lambda x: ops.sigmoid(x))
    assert texts(mg.sigmoid(Value(1.0))) == ["(σ(x))′ = 0.20"]
    with pytest.raises(AssertionError):
        test_of_every_operation_letters_and_numbers_give_the_local_gradient("sigmoid")


@given(programs())
def test_every_row_has_a_rule_in_both_directions(program):
    root = program.nodes(Value)[-1]
    for row in [*explain(root).rows, *explain(root, mode="forward").rows]:
        assert row.rule.formula
        assert row.rule.local == row.local
        balanced(row.rule.latex())


@given(programs(), st.sampled_from(["backward", "forward"]))
def test_a_rule_asked_of_one_row_says_what_the_pass_says(program, mode):
    nodes = program.nodes(Value)
    for v, name in zip(nodes, "abuxv", strict=False):
        v.label = name
    table = explain(nodes[-1], mode=mode, rules=True)
    alone = [row.rule.text() for row in reversed(table.rows)][::-1]
    assert alone == [rule.text() for rule in rules_of(table.rows)]


# As people write it

x, w, h = Value(2.0, "x"), Value(-3.0, "w_1"), Value(5.0)
halved = mg.custom_op("halved", lambda x: x / 2, lambda y, x: 0.5)
cubed = mg.custom_op("cubed", lambda x: x**3, lambda y, x: 3 * x**2, text="{}³")
bent = mg.custom_op("bent", lambda x: x * abs(x), lambda y, x: 2 * math.fabs(x))
wrong = mg.custom_op("wrong", math.exp, lambda y, x: y if isinstance(x, Value) else 2 * y)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (mg.reciprocal(Value(1.37)), ["(1/x)′ = −1/x² = −1/1.37² = −0.53"]),
        (1 / Value(1.3679), ["(1/x)′ = −1/x² = −1/1.37² = −0.53"]),
        (mg.exp(Value(-1.0)), ["(eˣ)′ = eˣ = 0.37"]),
        (mg.exp(w), ["(e^w₁)′ = e^w₁ = 0.05"]),
        (w * x, ["∂(w₁·x)/∂w₁ = x = 2.00", "∂(w₁·x)/∂x = w₁ = −3.00"]),
        (Value(3.0) * Value(-2.0), ["∂(a·b)/∂a = b = −2.00", "∂(a·b)/∂b = a = 3.00"]),
        (x * x, ["∂(a·b)/∂a = b = 2.00", "∂(a·b)/∂b = a = 2.00"]),
        (h * Value(1.0, "a"), ["∂(u·a)/∂u = a = 1.00", "∂(u·a)/∂a = u = 5.00"]),
        (h - x, ["∂(a − x)/∂a = 1", "∂(a − x)/∂x = −1"]),
        (2 * x, ["(2·x)′ = 2"]),
        (x - 3, ["(x − 3)′ = 1"]),
        (3 - x, ["(3 − x)′ = −1"]),
        (x / 4, ["(x/4)′ = 0.25"]),
        (x / 3, ["(x/3)′ = 1/3 ≈ 0.33"]),
        (x**1, ["(x¹)′ = 1"]),
        (x**0, ["(x⁰)′ = 0"]),
        (x**2, ["(x²)′ = 2·x = 2 × 2.00 = 4.00"]),
        (w**3, ["(w₁³)′ = 3·w₁² = 3 × (−3.00)² = 27.00"]),
        (x**-1, ["(x⁻¹)′ = −1/x² = −1/2.00² = −0.25"]),
        (x**0.5, ["(x^0.5)′ = 1/(2·sqrt(x)) = 1/(2 × sqrt(2.00)) = 0.35"]),
        (2**x, ["(2ˣ)′ = 2ˣ·log(2) = 4.00 × log(2) = 2.77"]),
        (math.pi * x, ["(π·x)′ = π ≈ 3.14"]),
        (mg.sigmoid(x), ["(σ(x))′ = σ(x)·(1 − σ(x)) = 0.881 × (1 − 0.881) = 0.10"]),
        (mg.tanh(h), ["(tanh(x))′ = 1 − tanh(x)² = 1 − 0.99991² = 0.00018"]),
        (mg.log2(x), ["(log2(x))′ = 1/(log(2)·x) = 1/(log(2) × 2.00) = 0.72"]),
        (mg.hypot(x, w), ["∂sqrt(x² + w₁²)/∂x = x/sqrt(x² + w₁²) = 2.00/3.61 = 0.55",
                          "∂sqrt(x² + w₁²)/∂w₁ = w₁/sqrt(x² + w₁²) = −3.00/3.61 = −0.83"]),
        (mg.relu(x), ["x > 0: (relu(x))′ = 1"]),
        (mg.relu(w), ["w₁ < 0: (relu(w₁))′ = 0"]),
        (abs(w), ["w₁ < 0: (|w₁|)′ = −1"]),
        (mg.maximum(x, w), ["x > w₁: ∂max(x, w₁)/∂x = 1", "w₁ < x: ∂max(x, w₁)/∂w₁ = 0"]),
        (mg.minimum(h, Value(5.0)), ["a = b: ∂min(a, b)/∂a = 0.5", "b = a: ∂min(a, b)/∂b = 0.5"]),
        (mg.maximum(x, 0), ["x > 0: (max(x, 0))′ = 1"]),
        (mg.maximum([x, w, h]),
         ["x < max(x, w₁, c): ∂max(x, w₁, c)/∂x = 0",
          "w₁ < max(x, w₁, c): ∂max(x, w₁, c)/∂w₁ = 0",
          "c = max(x, w₁, c): ∂max(x, w₁, c)/∂c = 1"]),
        (mg.where(Value(1.0, "c"), x, w), ["c ≠ 0: ∂where(c, x, w₁)/∂x = 1"]),
        (mg.clip(x, 0, 1), ["1 < x: (clip(x, 0, 1))′ = 0"]),
        (mg.clip(x, 0, 5), ["0 < x < 5: (clip(x, 0, 5))′ = 1"]),
        (mg.elu(w), ["w₁ < 0: (elu(w₁, 1))′ = e^w₁ = e^(−3.00) = 0.05"]),
        (mg.leaky_relu(w), ["w₁ < 0: (leaky_relu(w₁, 0.01))′ = 0.01"]),
        (mg.mean([x, w, h]), [f"∂mean(x, w₁, c)/∂{v} = 1/3 ≈ 0.33" for v in ("x", "w₁", "c")]),
        (mg.logsumexp([x, h]),
         ["∂logsumexp(x, b)/∂x = eˣ/(eˣ + eᵇ) = e^2.00/(e^2.00 + e^5.00) = 0.05",
          "∂logsumexp(x, b)/∂b = eᵇ/(eˣ + eᵇ) = e^5.00/(e^2.00 + e^5.00) = 0.95"]),
        (mg.dot([x], [w]), ["∂dot(x, w₁)/∂x = w₁ = −3.00", "∂dot(x, w₁)/∂w₁ = x = 2.00"]),
        (halved(x), ["(halved(x))′ = 0.5"]),
        (cubed(x), ["(x³)′ = 3·x² = 3 × 2.00² = 12.00"]),
        (bent(x), ["(bent(x))′ = 4.00"]),  # its rule takes numbers alone
        (wrong(x), ["(wrong(x))′ = 14.78"]),  # its rule gives another number for a symbol
        (Value(1.0, "layer0.w_1") * Value(2.0, "rather_long_name"),
         ["∂(w₁·b)/∂w₁ = b = 2.00", "∂(w₁·b)/∂b = w₁ = 1.00"]),
        (Value(1.0, "a+b") * Value(2.0, "v2.5"), ["∂(a·b)/∂a = b = 2.00", "∂(a·b)/∂b = a = 1.00"]),
        (Value(Fraction(1, 3), "p") * Value(Fraction(2), "q"),
         ["∂(p·q)/∂p = q = 2", "∂(p·q)/∂q = p = 1/3"]),
        (Value(Fraction(1, 3), "p") / Value(Fraction(2, 7), "q"),
         ["∂(p/q)/∂p = 1/q = 1/(2/7) = 7/2", "∂(p/q)/∂q = −p/q² = −(1/3)/(2/7)² = −49/12"]),
        (Value(1e-9, "t") ** 3, ["(t³)′ = 3·t² = 3 × (1.0e−09)² = 3.0e−18"]),
        (math.e**x, ["(eˣ)′ = eˣ = 7.39"]),
        (Value(math.inf, "p") * x, ["∂(p·x)/∂p = x = 2.00", "∂(p·x)/∂x = p = inf"]),
    ],
    ids=str,
)  # fmt: skip
def test_rules_as_they_are_written(y, expected):
    assert texts(y) == expected


def test_of_many_operands_the_rule_shows_the_first_and_the_last():
    xs = [Value(i / 4, f"x_{i}") for i in range(1, 10)]
    assert texts(mg.logsumexp(xs))[3] == (
        "∂logsumexp(x₁, x₂, x₃, …, x₉)/∂x₄ = e^x₄/(e^x₁ + e^x₂ + e^x₃ + … + e^x₉) = "
        "e^1.00/(e^0.25 + e^0.50 + e^0.75 + … + e^2.25) = 0.07"
    )
    assert r"+ \dots + e^{x_9}}" in rules(mg.logsumexp(xs))[0].latex()


def test_of_very_many_operands_it_is_the_number_alone_where_all_of_them_count():
    xs = [Value(i / 100, f"x_{{{i}}}") for i in range(MANY + 1)]
    assert texts(mg.logsumexp(xs))[0] == "∂logsumexp(x₀, x₁, x₂, …, x₅₀)/∂x₀ = 0.02"
    assert texts(mg.total(xs))[-1] == "∂sum(x₀, x₁, x₂, …, x₅₀)/∂x₅₀ = 1"


def test_far_from_the_floats_the_formula_stands_and_the_sign_says_so():
    (first, _) = texts(mg.logsumexp([1000 * x, w]))
    assert first.endswith("= e^2000.00/(e^2000.00 + e^(−3.00)) ≈ 1.00")


def test_in_latex():
    assert [rule.latex() for rule in rules(w / x)] == [
        r"\frac{\partial \left(\frac{w_1}{x}\right)}{\partial w_1} = \frac{1}{x} = "
        r"\frac{1}{2.00} = 0.50",
        r"\frac{\partial \left(\frac{w_1}{x}\right)}{\partial x} = -\frac{w_1}{x^{2}} = "
        r"-\frac{-3.00}{2.00^{2}} = 0.75",
    ]
    assert rules(mg.relu(w))[0].latex() == r"w_1 < 0:\ (\operatorname{relu}(w_1))' = 0"


def test_the_rule_of_a_row_is_that_of_its_own_operand_also_where_one_comes_twice():
    assert [row.rule.symbols() for row in explain(x - x).rows] == [
        "∂(a − b)/∂a = 1", "∂(a − b)/∂b = −1",
    ]  # fmt: skip
    assert [rule.symbols() for rule in rules_of(explain(x * x).rows)] == [
        "∂(a·b)/∂a = b", "∂(a·b)/∂b = a",
    ]  # fmt: skip
    (only,) = explain(mg.where(False, x, x)).rows
    assert only.rule.symbols() == "∂where(0, a, b)/∂b = 1"


def test_letters_of_a_rule_are_no_names_of_other_nodes():
    """In (a·b + b)·(a + c) both sums lack a name, and b is another node."""
    a, b, c = Value(3.0, "a"), Value(2.0, "b"), Value(7.0, "c")
    found = [rule.symbols() for rule in rules_of(explain((a * b + b) * (a + c)).rows)]
    assert found[:4] == ["∂(u·v)/∂u = v", "∂(u·v)/∂v = u", "∂(a + c)/∂a = 1", "∂(a + c)/∂c = 1"]
    assert found[4:] == ["∂(u + b)/∂u = 1", "∂(u + b)/∂b = 1", "∂(a·b)/∂a = b", "∂(a·b)/∂b = a"]
    many = [Value(1.0, name) for name in "abuvwxyzpqrsthkmn"]
    for rule in rules_of(explain(mg.total(many) * mg.total(many)).rows[:2]):
        assert len({*rule.gate.letters}) == 2


def test_the_letter_of_one_operand_is_that_on_its_gate_or_no_name_of_another_node():
    x = Value(1.0, "x")
    found = [rule.symbols() for rule in rules_of(explain(mg.log(1 / (x * 2))).rows)]
    assert found == ["(log(u))′ = 1/u", "(1/x)′ = −1/x²", "(x·2)′ = 2"]


def test_a_row_whose_node_got_another_number_since_says_the_number_alone():
    a, b = Value(2.0, "a"), Value(3.0, "b")
    rows = explain(a * b).rows
    b.data = 4.0
    assert str(rows[0].rule) == "∂(a·b)/∂a = 3.00"


@given(labels)
def test_any_label_has_a_rule_in_text_and_latex(label):
    row = explain(Value(2.0, label) * 3.0).rows[0]
    assert row.rule.text().endswith("= 3")
    balanced(row.rule.latex())


def test_tables_say_rules_in_the_names_of_their_rows():
    table = explain(mg.exp(w * x) - mg.maximum(x, 1), rules=True)
    assert [cells[3] for cells in table._cells()] == ["1", "-1", "x > 1: 1", "n3", "x", "w_1"]
    assert '<th style="text-align:left">rule</th>' in explain(x * w).html()
    assert "rule" not in str(explain(x * w)) + explain(x * w).csv() + explain(x * w).markdown()
    assert [row[3] for row in table.records()] == [cells[3] for cells in table._cells()]
    with pytest.raises(mg.errors.ParameterError, match="rules are those of the rows"):
        explain(x * w, of=x, rules=True)
