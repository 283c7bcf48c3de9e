"""One writer of formulas: what it writes for Python gives the same graph, when it is read again."""

import ast
import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

import microgrid as mg
from microgrid import Value
from microgrid.engine import ops
from microgrid.engine.functions import FUNCTIONS, SIGNS
from microgrid.engine.value import Constant, Op, apply, node, topological
from microgrid.views.expression import ARITHMETIC, CALLS, parse
from microgrid.views.formula import LATEX
from microgrid.views.notation import NAMES, NUMBERS, PYTHON, TEXT, write
from microgrid.views.spelling import lines

LEAVES = "abcd"
PUBLIC = [op for op in ops.PUBLIC.values() if op.name in FUNCTIONS]


@st.composite
def nodes(draw, inner):
    """An operation whose operands are nodes and plain numbers; not all of them are numbers."""
    op = draw(st.sampled_from([*SIGNS.values(), ops.neg]) | st.sampled_from(PUBLIC))
    n = op.arity or draw(st.sampled_from([2, 4, 14]))
    return op, draw(st.permutations([draw(inner), *[draw(inner | numbers) for _ in range(n - 1)]]))


numbers = st.sampled_from([2.0, -3.0, 0.5, 1e-7, -2.5e20, 1.0])
trees = st.recursive(st.sampled_from(LEAVES), nodes, max_leaves=12)


def graph(tree, apply=apply):
    """The graph of a tree of (operation, operands), leaves and numbers."""
    leaves = {name: Value(0.5, name) for name in LEAVES}

    def build(tree):
        if isinstance(tree, tuple):
            return apply(tree[0], *map(build, tree[1]))
        return Constant(tree) if isinstance(tree, float) else leaves[tree]

    return build(tree)


def formal(op, *operands):
    """A node without the computation, which might be out of its domain."""
    a, b = operands if len(operands) == 2 else (operands, None)
    return node(op, a, b, 0.0, 0)


def shape(v):
    """The tree of operations and leaves below a node."""
    found = {}
    for u in topological(v):
        leaf = u.label if type(u) is not Constant else u.data
        found[u] = (u.op.name, *[found[p] for p in u.parents]) if u.op else leaf
    return found[v]


SIGN = {type(ast.parse(f"a {s} b", mode="eval").body.op): op.name for s, op in SIGNS.items()}


CALLED = {name: f.name for name, f in CALLS.items() if isinstance(f, Op)}
CALLED |= {name: f.__name__ for name, f in CALLS.items() if not isinstance(f, Op)}


class Tree(ast.NodeVisitor):
    """The same tree, from Python's own reading of a text."""

    def visit_Expression(self, tree):
        return self.visit(tree.body)

    def visit_Name(self, tree):
        return tree.id

    def visit_Constant(self, tree):
        return float(tree.value)

    def visit_BinOp(self, tree):
        return SIGN[type(tree.op)], self.visit(tree.left), self.visit(tree.right)

    def visit_UnaryOp(self, tree):
        x = self.visit(tree.operand)
        return -x if isinstance(x, float) else ("neg", x)

    def visit_Call(self, tree):
        operands = [e for x in tree.args for e in (x.elts if isinstance(x, ast.List) else [x])]
        return CALLED.get(tree.func.id, tree.func.id), *map(self.visit, operands)


@given(trees)
def test_python_reads_back_the_same_graph_and_no_bracket_is_needless(tree):
    v = graph(tree, formal)
    text = write(v, PYTHON)
    read = ast.parse(text, mode="eval")
    assert Tree().visit(read) == shape(v), text
    assert len(text) <= len(ast.unparse(read))


@given(trees)
def test_the_reader_of_expressions_reads_back_the_same_graph(tree):
    try:
        v = graph(tree)
    except (ArithmeticError, ValueError):
        reject()
    names = {u.label for u in topological(v) if u.label}
    again = parse(write(v, PYTHON), dict.fromkeys(names, 0.5))
    assert shape(again) == shape(v)
    assert again.data == v.data or again.data != again.data


def normal(tree):
    """The tree as people understand it: signs before products, sums of sums and so on as one."""
    if isinstance(tree, float):
        return ("product", math.copysign(1, tree), abs(tree))
    if isinstance(tree, str):
        return ("product", 1.0, tree)
    name, *operands = {
        "neg": lambda x: ("mul", -1.0, x), "square": lambda x: ("power", x, 2.0),
        "reciprocal": lambda x: ("div", 1.0, x), "sub": lambda x, y: ("add", x, ("neg", y)),
    }.get(tree[0], lambda *xs: (tree[0], *xs))(*tree[1:])  # fmt: skip
    parts = [normal(x) for x in operands]
    if name == "add":
        terms = [y for x in parts for y in (x[2][1:] if is_sum(x) and x[1] > 0 else [x])]
        return ("product", 1.0, ("sum", *terms))
    if name in ("mul", "div"):
        sign = parts[0][1] * parts[1][1]
        factors = [tuple(y for y in x[2:] if y != 1.0) for x in parts]
        both = sum(factors, ()) if name == "mul" else [("div", *factors)]
        return ("product", sign, *both)
    return ("product", 1.0, (name, *parts))


def is_sum(product):
    return len(product) == 3 and isinstance(product[2], tuple) and product[2][0] == "sum"


def reads_back(v, notation):
    """Whether the expression of v is read as the same one, but for what people leave out."""
    [line] = lines(write(v, replace(notation, shown=PYTHON.shown)), ARITHMETIC)
    return normal(Tree().visit(ast.parse(line.python, mode="eval"))) == normal(shape(v))


@given(trees, st.sampled_from([TEXT, NUMBERS, NAMES]))
def test_what_is_written_for_people_is_read_back_with_the_same_value(tree, notation):
    v = graph(tree, formal)
    assert reads_back(v, notation), write(v, notation)


def test_where_brackets_are_left_out_another_value_is_read():
    assert not reads_back(a - (b - c), replace(TEXT, brackets="{}".format))


def test_a_factor_of_one_and_what_equals_it_by_value_stay():
    x = Value(2.0, "x")
    assert write(1 * x * 1.0 / 1, PYTHON) == "1 * x * 1.0 / 1"


a, b, c, w = (Value(2.0, name) for name in ("a", "b", "c", "w_{12}"))


@pytest.mark.parametrize(
    ("root", "text", "python"),
    [
        (a - (b + c), "a − (b + c)", "a - (b + c)"),
        (a + (b + c), "a + b + c", "a + (b + c)"),
        (a * (b * c), "a·b·c", "a * (b * c)"),
        (a / b / c, "(a / b) / c", "a / b / c"),
        (a / b * c, "(a / b)·c", "a / b * c"),
        (a * b / (b * c), "a·b / (b·c)", "a * b / (b * c)"),
        (-(a * b), "−a·b", "-(a * b)"),
        (-a * b, "−a·b", "-a * b"),
        (a * -b, "a·(−b)", "a * -b"),
        (a - -b, "a − (−b)", "a - -b"),
        (-1 * -(-a), "−1·(−(−a))", "-1 * --a"),  # noqa: B002
        ((-a) ** 2, "(−a)²", "(-a) ** 2"),
        (-(a**2), "−a²", "-a ** 2"),
        (a**-1, "a⁻¹", "a ** -1"),
        (a ** (b**c), "a^(b^c)", "a ** b ** c"),
        ((a**b) ** c, "(a^b)^c", "(a ** b) ** c"),
        (a**0.5, "a^0.5", "a ** 0.5"),
        (2**a, "2^a", "2 ** a"),
        (mg.square(a + b), "(a + b)²", "square(a + b)"),
        (mg.square(a) * b, "a²·b", "square(a) * b"),
        (mg.maximum(a, b) ** 2, "max(a, b)²", "maximum(a, b) ** 2"),
        (abs(a - b) * c, "|a − b|·c", "absolute(a - b) * c"),
        (w * Fraction(2, 3), "w₁₂·(2/3)", "w_12 * Fraction(2, 3)"),
        (a * Fraction(-2, 3), "a·(−2/3)", "a * Fraction(-2, 3)"),
        (mg.dot([a, b], [b, c]), "dot(a, b, b, c)", "dot([a, b], [b, c])"),
        (mg.total([a]), "sum(a)", "total([a])"),
        (a * 1e-7 - math.inf, "a·1e−07 − inf", "a * 1e-07 - float('inf')"),
    ],
)
def test_expressions_as_they_are_written(root, text, python):
    assert write(root, TEXT) == text
    assert write(root, PYTHON) == python


def test_other_nodes_are_written_by_their_names():
    h = a * b
    y = h - h * -c
    names = {h: "h", c: "-3", y: "y"}
    assert write(y, PYTHON, names) == "h - h * --3"
    assert write(h, PYTHON, names) == "a * b"
    assert write(a, TEXT, {a: "no"}) == "a"
    assert write(y, TEXT, {c: "−3"}) == "a·b − a·b·(−(−3))"
    assert write(y, LATEX, {h: r"\hat{h}"}) == r"\hat{h} - \hat{h} \cdot (-c)"


def test_a_deep_graph_is_written_without_recursion():
    deep = a
    for _ in range(3000):
        deep = mg.sin(deep + 1)
    assert write(deep, PYTHON).count("sin") == write(deep, TEXT).count("sin") == 3000


def test_a_notation_can_call_in_its_own_way():
    """A call is a template: its operands get brackets where it asks for them."""
    numpy = replace(PYTHON, call=lambda op, xs: f"np.where({xs[0]} != 0, {xs[1]}, {xs[2]})")
    v = mg.where(a, b + c, b) * c
    assert write(v, numpy) == "np.where(a != 0, b + c, b) * c"
    squares = replace(PYTHON, call=lambda op, xs: f"{xs[0]} * {xs[0]}")
    assert write(2 / mg.square(a + b), squares) == "2 / ((a + b) * (a + b))"


def test_many_operands_are_cut_short():
    many = [Value(1.0, f"x_{i}") for i in range(20)]
    assert write(mg.maximum(many), replace(TEXT, shown=(4, 3, 1))) == "max(x₀, x₁, x₂, …, x₁₉)"
    assert write(mg.maximum(many), PYTHON).count("x_") == 20


@pytest.mark.parametrize("entry", ops.TABLE.values(), ids=lambda entry: entry.name)
@pytest.mark.parametrize("notation", [TEXT, PYTHON, LATEX])
def test_every_operation_is_written_with_all_its_operands(entry, notation):
    xs = [Value(0.5, f"x_{i}") for i in range(entry.arity or 4)]
    text = write(formal(entry, *xs), notation)
    assert all(notation.name(x.label) in text for x in xs)
