"""Formulas: read back by an independent reader, they mean what the graph computes."""

import itertools
import operator
import re
import zlib
from contextlib import suppress
from fractions import Fraction
from functools import cache, partial
from math import inf, nan

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from shared.tex import balanced

import microgrid as mg
from microgrid import Value, examples
from microgrid.engine.families import FAMILIES, falling
from microgrid.engine.functions import FUNCTIONS, custom_op
from microgrid.engine.ops import TABLE
from microgrid.engine.value import Op, apply, topological
from microgrid.views.formula import latex, name, number

SIGNS = [r"\frac", r"\cdot", r"\left|", r"\right|", r"\sqrt[3]", r"\sqrt", *"-+^(){},"]
RELATIONS = {">": "greater", r"\geq": "greater_equal", "=": "equal"}
SIGNS += RELATIONS
PATTERNS = {
    "function": r"\\(?:operatorname\{[^{}]+\}|(?!left|right)\w+?(?:_2|_\{\d+\})?)(?=\(|\\left\()",
    "sign": "|".join(map(re.escape, SIGNS)),
    "number": r"\d+(?:\.\d+)?",
}
SPACE = r"\s*(?:\\(?:left|right)(?!\|))?"
READ = {
    "log_2": "log2",
    "log_{10}": "log10",
    "sigma": "sigmoid",
    "Phi": "normal_cdf",
    "psi": "digamma",
    **{f"psi_{k}": f"polygamma{k}" for k in range(1, 3)},
    "max": "maximum",
    "min": "minimum",
}


def power(a: Fraction, b: Fraction) -> Fraction:
    return a ** int(b) if b.denominator == 1 and abs(b) < 400 else unknown("power", a, b)


def unknown(name: str, *xs: Fraction) -> Fraction:
    """A number that stands for a function of which a reader knows the name alone."""
    return Fraction(zlib.crc32(repr((name, xs)).encode()), 1009)


class Reader:
    """The value of a formula by the rules that a reader of mathematics knows: ^ before products
    before signs and sums before relations; factors side by side multiply; a name before a bracket
    is a function."""

    def __init__(self, text: str, names: dict[str, Fraction]) -> None:
        self.tokens, self.names = [], names
        longest = sorted(map(re.escape, names), key=len, reverse=True)
        patterns = PATTERNS | {"name": "|".join(longest) or "(?!)"}
        token = re.compile("|".join([f"{SPACE}(?P<{k}>{x})" for k, x in patterns.items()]))
        end = 0
        while end < len(text.rstrip()):
            match = token.match(text, end)
            assert match, text[end:]
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            end = match.end()

    def read(self) -> Fraction:
        result = self.relation()
        assert not self.tokens, self.tokens
        return result

    def next(self, *signs: str) -> bool:
        """Whether the next token is one of these; then it is taken."""
        if self.tokens and self.tokens[0][1] in signs:
            self.taken = self.tokens.pop(0)[1]
            return True
        return False

    def relation(self) -> Fraction:
        left = self.sum()
        if not self.next(*RELATIONS):
            return left
        return unknown(RELATIONS[self.taken], left, self.sum())

    def sum(self) -> Fraction:
        negative = self.next("-")
        result = -self.product() if negative else self.product()
        while self.next("+", "-"):
            plus = self.taken == "+"
            term = self.product()
            result = result + term if plus else result - term
        return result

    def product(self) -> Fraction:
        alone = self.tokens[:1] and self.tokens[0][0] == "number"
        result = self.power()
        while self.tokens and self.tokens[0][1] not in (
            ")",
            "}",
            "+",
            "-",
            ",",
            r"\right|",
            *RELATIONS,
        ):
            times = self.next(r"\cdot")
            number = self.tokens[0][0] == "number"
            assert times or not (alone and number), "one number, or two?"
            alone = number
            result *= self.power()
        return result

    def power(self) -> Fraction:
        unclear = self.tokens and (self.tokens[0][0] == "function" or self.tokens[0][1] == r"\frac")
        base = self.factor()
        if not self.next("^"):
            return base
        exponent = self.group("{", "}")
        assert not self.next("^"), "a double superscript"
        assert not unclear, "a power of all, or of a part?"
        return power(base, exponent)

    def group(self, opening: str, closing: str) -> Fraction:
        assert self.next(opening), self.tokens
        result = self.relation()
        assert self.next(closing), self.tokens
        return result

    def factor(self) -> Fraction:
        assert self.tokens, "something is missing"
        if self.tokens[0][1] == "(":
            return self.group("(", ")")
        if self.tokens[0][1] == r"\left|":
            return unknown("absolute", self.group(r"\left|", r"\right|"))
        kind, text = self.tokens.pop(0)
        if text == r"\frac":
            above = self.group("{", "}")
            return above / self.group("{", "}")
        if text.startswith(r"\sqrt"):
            return unknown("cbrt" if "3" in text else "sqrt", self.group("{", "}"))
        if kind == "function":
            name = re.sub(r"\\(operatorname)?|\{(?!10)|(?<!10)\}", "", text)
            return unknown(READ.get(name, name), *self.operands())
        assert kind in ("number", "name"), text
        assert self.tokens[:1] != [("sign", "(")], "a factor, or the operand of a function?"
        return Fraction(text) if kind == "number" else self.names[text]

    def operands(self) -> list[Fraction]:
        assert self.next("(")
        found = [self.relation()]
        while self.next(","):
            found.append(self.relation())
        assert self.next(")"), self.tokens
        return found


OPERATIONS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "neg": lambda a, b: -a,
    "square": lambda a, b: mg.square(a),
    "cube": lambda a, b: a**3,
    "inverse": lambda a, b: a**-1,
    "reciprocal": lambda a, b: mg.reciprocal(a),
    "twice": lambda a, b: 2 * a,
    "minus": lambda a, b: a * -3,
    "half": lambda a, b: a + Fraction(-1, 2),
    "total": lambda a, b: mg.total([a, b, a]),
    "total of one": lambda a, b: mg.total([a]),
    "dot": lambda a, b: mg.dot([a, b], [b, a]),
    "dot of one": lambda a, b: mg.dot([a], [b]),
}


# (operation, left, right), down to None for a leaf; every leaf gets a name of its own.
trees = st.recursive(
    st.none(),
    lambda inner: st.tuples(st.sampled_from(sorted(OPERATIONS)), inner, inner),
    max_leaves=6,
)


def graph(tree) -> Value:
    """The graph of a tree, on primes, so that no two formulas are equal by accident."""
    primes = iter((101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163))

    def build(tree) -> Value:
        if tree is None:
            prime = next(primes)
            return Value(Fraction(1, prime), f"x_{{{prime}}}")
        operation, left, right = tree
        return OPERATIONS[operation](build(left), build(right))

    try:
        return build(tree)
    except ZeroDivisionError:
        reject()


def value(text: str, root: Value, move: int = 0) -> Fraction:
    leaves = {v.label: v.data + move for v in topological(root) if v.label}
    return Reader(text, {name(label): x for label, x in leaves.items()}).read()


@given(trees)
def test_a_formula_read_back_means_what_the_graph_computes(tree):
    root = graph(tree)
    assert value(latex(root), root) == root.data


TEMPLATES = {  # of users: signs inside of brackets ask for brackets as outside of them
    r"\frac{#1 #2}{#3}": lambda a, b, c: a * b / c,
    r"\frac{-#1}{1 + #2^{2}}": lambda a, b: -a / (1 + b * b),
    r"\sigma(-#1) #2 #3": lambda a, b, c: unknown("sigmoid", -a) * b * c,
    r"\sigma(#1 #2) \sigma(#3)": lambda a, b, c: unknown("sigmoid", a * b) * unknown("sigmoid", c),
    r"(#1 - #2) #3": lambda a, b, c: (a - b) * c,
    r"\left|#1 #2\right| \cdot #3": lambda a, b, c: unknown("absolute", a * b) * c,
    r"\max(2 #1, #2 - #3)": lambda a, b, c: unknown("maximum", 2 * a, b - c),
    r"#1^{2} #2": lambda a, b: a * a * b,
}
EVERY = [
    *TABLE.values(),
    *[family(k) for family in FAMILIES for k in range(3)],
    falling(3),
    *[Op(text, max, *"xyz"[: text.count("#")], latex=text) for text in TEMPLATES],
]
MEANINGS = TEMPLATES | {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "neg": lambda x: -x,
    "div": lambda a, b: a / b,
    "divide": lambda a, b: a / b,
    "power": power,
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "stop_gradient_max": lambda *xs: unknown("maximum", *xs),
    "total": lambda *xs: sum(xs),
    "mean": lambda *xs: sum(xs) / len(xs),
    "dot": lambda *xs: sum(map(operator.mul, xs[: len(xs) // 2], xs[len(xs) // 2 :])),
    "lgamma": lambda x: unknown("log", unknown("absolute", unknown("Gamma", x))),
    "polygamma0": lambda x: unknown("digamma", x),
    "xlogy": lambda a, b: a * unknown("log", b),
    "zero_or_ratio": lambda a, b: a / b,
    "falling0": power,
    "falling1": lambda a, b: b * power(a, b - 1),
    "falling2": lambda a, b: b * (b - 1) * power(a, b - 2),
    "falling3": lambda a, b: b * (b - 1) * (b - 2) * power(a, b - 3),
    "square_difference": lambda a, b: a * a - b * b,
    "slope_in_exponent0": lambda a, b: power(a, b) * unknown("log", a),
    "slope_in_exponent1": lambda a, b: power(a, b - 1) * (b * unknown("log", a) + 1),
    "slope_in_exponent2": lambda a, b: (
        power(a, b - 2) * (b * (b - 1) * unknown("log", a) + b - 1 + b)
    ),
}
LABELS = ["x", "y_1", "w_{12}", "sigma", "alpha_0", "learning_rate", "f", "e"]
CONSTANTS = [0, 1, 2, -3, 12, 0.5, -0.25, 1e-7, 2.5e20, -1e9, Fraction(1, 3), Fraction(-2, 3)]


@cache
def formal(op: Op) -> Op:
    """The operation as far as it is written, with operands from any domain."""
    return Op(op.name, lambda *xs: 0.0, *op.rules, joint=op.joint, latex=op.latex, text=op.text)


@st.composite
def nodes(draw, inner):
    op = draw(st.sampled_from(EVERY))
    count = op.arity or draw(st.sampled_from([2, 4] if op.name == "dot" else [1, 2, 3]))
    return apply(formal(op), *[draw(inner) for _ in range(count)])


formulas = st.recursive(
    st.sampled_from(LABELS).map(lambda x: Value(0.0, x)) | st.sampled_from(CONSTANTS).map(Value),
    nodes, max_leaves=8,
)  # fmt: skip


def meaning(root: Value, names: dict[str, Fraction]) -> Fraction:
    """What the graph means, where a function gives a number that stands for it."""
    found: dict[Value, Fraction] = {}
    for v in topological(root):
        if v.op is None:
            found[v] = names[v.label] if v.label else Fraction(str(v.data))
        else:
            means = MEANINGS.get(v.op.name, partial(unknown, v.op.name))
            found[v] = means(*[found[p] for p in v.parents])
    return found[root]


LEAVES = dict(zip(LABELS, [Fraction(1, p) for p in (101, 103, 107, 109, 113, 127, 131, 137)]))


def means_what_it_says(root: Value) -> bool:
    """Whether the formula, read back, means what the graph means; an error where it means none."""
    read = Reader(text := latex(root), {name(x): number for x, number in LEAVES.items()}).read
    right = meaning(root, LEAVES)
    assert read() == right, text
    return True


@settings(max_examples=500)
@given(formulas)
def test_a_formula_of_the_whole_table_read_back_means_what_the_graph_means(root):
    try:
        assert means_what_it_says(root)
    except (ZeroDivisionError, OverflowError):
        reject()


def nodes_of(op: Op, *operands: Value) -> list[Value]:
    """The operation on leaves, with each of these in each place among them."""
    leaves = [Value(0.0, x) for x in LABELS]
    found = []
    for count in [op.arity] if op.arity else [2, 4] if op.name == "dot" else [1, 3]:
        for x, k in itertools.product(operands, range(count)):
            xs = [*leaves[:k], x, *leaves[k + 1 : count]]
            found.append(apply(formal(op), *xs))
    return found


INNER = [v for op in EVERY for v in nodes_of(op, Value(0.0, "e"), Value(-3))]


@pytest.mark.parametrize("op", EVERY, ids=lambda op: op.name)
def test_every_operation_in_every_place_of_every_other_is_bracketed_where_it_must_be(op):
    for v in nodes_of(op, *INNER):
        with suppress(ZeroDivisionError, OverflowError):
            assert means_what_it_says(v)


@given(trees)
def test_no_brackets_can_be_left_out(tree):
    root = graph(tree)
    text = latex(root)
    opened = []
    for match in re.finditer(r"(?:\\left|\\right)?[()]", text):
        if match[0].endswith("("):
            opened.append(match)
            continue
        opening = opened.pop()
        inside = text[opening.end() : match.start()]
        shorter = f"{text[: opening.start()]} {inside} {text[match.end() :]}"
        if not inside.startswith("-"):  # a + -b can be read, but is not written
            assert means_something_else(shorter, root)


def means_something_else(text: str, root: Value) -> bool:
    try:
        return value(text, root) != root.data
    except (AssertionError, ArithmeticError):
        return True


a, b, c = (Value(2.0, letter) for letter in "abc")
w, x = Value(2.0, "w_0"), Value(-1.0, "x_0")


@pytest.mark.parametrize(
    ("root", "formula"),
    [
        (a - (b + c), "a - (b + c)"),
        (a - (b - c), "a - (b - c)"),
        ((a - b) - c, "a - b - c"),
        (a + (b + c), "a + b + c"),
        (a * (b * c), "a b c"),
        ((a * b) ** 2, "(a b)^{2}"),
        (-(a + b), "-(a + b)"),
        (-(a * b), "-a b"),
        (mg.sin(-(b - a)), r"\sin(-(b - a))"),
        (-(a * -1 * -b), r"-a \cdot (-1) (-b)"),
        (a - -b, "a - (-b)"),
        (a + -b, "a + (-b)"),
        (a * -b, r"a \cdot (-b)"),
        (a / (b + c), r"\frac{a}{b + c}"),
        (a / b / c, r"\frac{\frac{a}{b}}{c}"),
        ((a / b) ** 2, r"\left(\frac{a}{b}\right)^{2}"),
        ((a**b) ** c, r"\left(a^{b}\right)^{c}"),
        (a ** (b**c), "a^{b^{c}}"),
        (a ** (b + c), "a^{b + c}"),
        ((-a) ** 2, "(-a)^{2}"),
        (2 * a, "2 a"),
        (a * 2, r"a \cdot 2"),
        (a * (b + c), r"a \cdot (b + c)"),
        ((a + b) * (b + c), "(a + b) (b + c)"),
        (1e-7 * a, "10^{-7} a"),
        (a / 1e-7, r"\frac{a}{10^{-7}}"),
        (2.5e20 - a, r"2.5 \cdot 10^{20} - a"),
        (mg.sin(a) * b, r"\sin(a) b"),
        (mg.sin(a) ** 2, r"(\sin(a))^{2}"),
        (mg.sin(a / b), r"\sin\left(\frac{a}{b}\right)"),
        (mg.sqrt(a) ** 2, r"\sqrt{a}^{2}"),
        (mg.cbrt(a + b), r"\sqrt[3]{a + b}"),
        (abs(a - b), r"\left|a - b\right|"),
        (abs(-a), r"\left|-a\right|"),
        (mg.maximum(a, b, c), r"\max(a, b, c)"),
        (mg.relu(-a), r"\operatorname{relu}(-a)"),
        (mg.log10(a), r"\log_{10}(a)"),
        (mg.reciprocal(a), r"\frac{1}{a}"),
        (mg.square(a + b), "(a + b)^{2}"),
        (mg.total([a, b * c]), "a + b c"),
        (c - mg.total([a - b]), "c - (a - b)"),
        (mg.total([a + b]) * c, "(a + b) c"),
        (mg.total([mg.total([a * b])]) ** 2, "(a b)^{2}"),
        (-mg.total([-a]), "-(-a)"),
        (mg.dot([a + b], [c]), "(a + b) c"),
        (apply(falling(2), a, b), r"b \cdot (b - 1) a^{b - 2}"),
        (mg.dot([a, b + c], [b, a]), "a b + (b + c) a"),
        (Value(1, "learning_rate") * a, r"\mathit{learning\_rate} \cdot a"),
        (w * x, "w_0 x_0"),
        (Value(1, "w_{12}") ** 2, "w_{12}^{2}"),
        (Value(2.5), "2.5"),
        (examples.sigmoid_circuit(folded=True), r"\sigma(w_0 x_0 + w_1 x_1 + w_2)"),
        (
            examples.sigmoid_circuit(),
            r"\frac{1}{\exp((w_0 x_0 + w_1 x_1 + w_2) (-1)) + 1}",
        ),
    ],
)  # fmt: skip
def test_formulas_as_they_are_written(root, formula):
    assert latex(root) == formula


def test_a_formula_can_stop_at_inner_nodes_that_have_a_name():
    h = a * b
    h.label = "h_1"
    y = h + h * c
    y.label = "y"
    assert latex(y) == "a b + a b c"
    assert latex(y, stop_at_labels=True) == "h_1 + h_1 c"
    assert latex(h, stop_at_labels=True) == "a b"


def test_a_deep_a_wide_and_a_much_shared_graph_are_cut_off():
    chain, nested, shared = a, a, a
    for _ in range(100_000):
        chain, nested = chain + b, mg.sin(nested)
    for _ in range(100):
        shared = shared * shared + 1
    assert latex(chain).startswith(r"\dots + b + b")
    assert latex(chain).count("b") == 400
    assert r"\sin(\dots)" in latex(nested)
    assert latex(nested).count("(") < 40
    assert latex(shared).count(r"\dots") > 2
    assert len(latex(shared)) < 10_000
    many = [Value(1, f"x_{i}") for i in range(1000)]
    assert latex(mg.total(many)).endswith(r"x_7 + \dots + x_{998} + x_{999}")
    assert latex(mg.dot(many, many)).startswith("x_0 x_0 + x_1 x_1 + ")
    assert latex(mg.maximum(many)).count(r"\dots") == 1


@pytest.mark.parametrize("entry", TABLE.values(), ids=lambda entry: entry.name)
def test_every_operation_has_a_formula_with_all_its_operands(entry: Op):
    count = entry.arity or 4
    above_one = entry.domain[:1] == [(1.0, inf)]
    at = {"hinge_target": 1.0, "row_target": 0.25}.get(entry.name, 1.5 if above_one else 0.5)
    parents = [Value(at, f"x_{i}") for i in range(count)]
    text = latex(apply(entry, *parents))
    assert all(f"x_{i}" in text for i in range(len(parents)))
    balanced(text)


def test_a_users_operation_is_written_by_its_name_or_by_its_own_template():
    cube = custom_op("my_cube", lambda x: x * x * x, lambda y, x: 3 * x * x)
    assert latex(cube(a + b)) == r"\operatorname{my\_cube}(a + b)"
    choose = Op("choose", lambda n, k: n, None, None, latex=r"\binom{#1}{#2}")
    assert latex(apply(choose, a + b, c)) == r"\binom{a + b}{c}"
    strange = Op("strange", lambda x, y: x, None, None, text="{} % {}")
    assert latex(apply(strange, a + b, c) * c) == r"((a + b) \% c) c"
    itself = Op("itself", lambda x: x, None, latex="{#1}")
    assert latex(apply(itself, a + b) * c) == "(a + b) c"
    beside_one = Op("complement", lambda x: 1 - x, None, latex="1 - #1")
    assert latex(apply(beside_one, a - b) * c) == "(1 - (a - b)) c"
    two = Op("two", lambda x, y: x, None, None, latex=r"\sigma(#1) \sigma(#2)")
    assert latex(apply(two, a / b, c)) == r"\sigma(\frac{a}{b}) \sigma(c)"


@given(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=12))
def test_no_name_can_break_a_formula(label):
    text = name(label)
    balanced(text)
    assert not re.search(r"(?<!\\)[%#&$~]|<\w|<[/!]", text)
    assert latex(Value(1.0, label)) == text


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (3, "3"), (-2, "-2"), (0.1 + 0.2, "0.3"), (1e-7, "10^{-7}"), (-1e300, "-10^{300}"),
        (1.5e-9, r"1.5 \cdot 10^{-9}"), (Fraction(-2, 3), r"-\frac{2}{3}"), (Fraction(4), "4"),
        (inf, r"\infty"), (-inf, r"-\infty"), (nan, r"\mathrm{NaN}"), (10**400, "10^{400}"),
        (Fraction(10**40, 3), r"3.33333 \cdot 10^{39}"), (-0.0, "0"),
    ],
)  # fmt: skip
def test_numbers_as_they_are_written(x, text):
    assert number(x)[0] == text


def test_a_notebook_shows_the_formula_and_no_node_is_changed():
    y = a * b
    assert latex(y)._repr_latex_() == r"$\displaystyle a b$"
    assert y._grad is None
    assert y.label == ""
    assert set(FUNCTIONS) <= set(dir(mg))
