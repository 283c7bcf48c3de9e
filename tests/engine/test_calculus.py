"""Derivatives as functions: closed forms, mpmath, SymPy and a forward-mode twin, all orders."""

import math
import operator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from shared.operations import ORACLES, UNARY, roomy
from shared.strategies import QUICK, RATIONAL, Program, fractions, hundredths, programs

import microgrid as mg
import microgrid.engine.arguments
import microgrid.engine.calculus
import microgrid.engine.value
from microgrid import Value, derivative, grad, gradients, hessian, hvp, jacobian, partials
from microgrid.engine import ops
from microgrid.engine.errors import GraphError, NumberError, ShapeError
from microgrid.engine.value import topological

third = Fraction(1, 3)


def second_order(root: Value, x: Value, y: Value) -> Any:
    """∂²root/∂x∂y: in x first, then in y."""
    return gradients(gradients(root, x, create_graph=True), y)


# A forward-mode twin: no graph, no table, no microgrid. Rules from any textbook.


@dataclass(frozen=True)
class Dual:
    """x + x' ε with ε² = 0."""

    x: Any
    dx: Any

    def __add__(self, other: "Dual") -> "Dual":
        return Dual(self.x + other.x, self.dx + other.dx)

    def __sub__(self, other: "Dual") -> "Dual":
        return Dual(self.x - other.x, self.dx - other.dx)

    def __mul__(self, other: "Dual") -> "Dual":
        return Dual(self.x * other.x, self.dx * other.x + self.x * other.dx)

    def __truediv__(self, other: "Dual") -> "Dual":
        slope = (self.dx * other.x - self.x * other.dx) / (other.x * other.x)
        return Dual(self.x / other.x, slope)


# name: (value, slope), written without a look at the table
TWIN_UNARY = {
    "exp": (math.exp, math.exp),
    "sin": (math.sin, math.cos),
    "cos": (math.cos, lambda x: -math.sin(x)),
    "tanh": (math.tanh, lambda x: math.cosh(x) ** -2),
    "sigmoid": (lambda x: 1 / (1 + math.exp(-x)), lambda x: 1 / (2 + 2 * math.cosh(x))),
    "softplus": (lambda x: math.log(1 + math.exp(x)), lambda x: 1 / (1 + math.exp(-x))),
    "arctan": (math.atan, lambda x: 1 / (1 + x * x)),
    "arcsinh": (math.asinh, lambda x: (1 + x * x) ** -0.5),
    "cosh": (math.cosh, math.sinh),
    "expm1": (math.expm1, math.exp),
    "square": (lambda x: x * x, lambda x: x + x),
    "neg": (lambda x: -x, lambda x: -1.0),
    "relu": (lambda x: x if x > 0 else 0.0, lambda x: 1.0 if x > 0 else 0.0),
    "log": (math.log, lambda x: 1 / x),
    "sqrt": (math.sqrt, lambda x: x**-0.5 / 2),
}
BINARY = {name: f for name, (f, _) in RATIONAL.items()}
DOMAIN = {"log": 1e-3, "sqrt": 1e-3}  # the least operand


@st.composite
def smooth_programs(draw: Any) -> tuple[list[float], list[tuple[str, tuple[int, ...]]]]:
    """Leaves, and steps (operation, operands) whose numbers stay below 100."""
    xs = draw(st.lists(hundredths, min_size=1, max_size=3))
    leaves, steps = list(xs), []
    for _ in range(draw(st.integers(1, 10))):
        name = draw(st.sampled_from([*TWIN_UNARY, *BINARY]))
        i, j = (draw(st.integers(0, len(xs) - 1)) for _ in "ij")
        if name in TWIN_UNARY:
            if abs(xs[i]) > 5 or xs[i] < DOMAIN.get(name, -5):
                name = "arctan"
            y, operands = TWIN_UNARY[name][0](xs[i]), (i,)
        else:
            if name == "div" and abs(xs[j]) < 0.1:
                name = "add"
            y, operands = BINARY[name](xs[i], xs[j]), (i, j)
        if abs(y) < 100:
            xs.append(y)
            steps.append((name, operands))
    assume(steps)
    return leaves, steps


def twin_step(name: str, args: list[Dual]) -> Dual:
    if name in BINARY:
        return BINARY[name](*args)
    f, slope = TWIN_UNARY[name]
    return Dual(f(args[0].x), slope(args[0].x) * args[0].dx)


def engine_step(name: str, args: list[Value]) -> Value:
    return BINARY[name](*args) if name in BINARY else ops.TABLE[name](*args)


def along_leaf(program: Any, values: list[Value], i: int) -> tuple[float, float]:
    """∂root/∂leaf i in forward mode on the given values, and Σ |product along a path|."""
    leaves, steps = program
    slopes = [float(i == j) for j in range(len(leaves))]
    sizes = list(slopes)
    for name, operands in steps:
        xs = [values[k].data for k in operands]
        twin = twin_step(name, [Dual(x, slopes[k]) for x, k in zip(xs, operands, strict=True)])
        assert math.isclose(twin.x, values[len(slopes)].data, rel_tol=1e-12, abs_tol=1e-12)
        size = 0.0
        for place, k in enumerate(operands):
            local = twin_step(name, [Dual(x, float(place == q)) for q, x in enumerate(xs)]).dx
            size += abs(local) * sizes[k]
        slopes.append(twin.dx)
        sizes.append(size)
    return slopes[-1], sizes[-1]


@settings(max_examples=200)
@given(smooth_programs())
def test_forward_mode_and_reverse_mode_agree_to_rounding(program):
    """|difference| ≤ 4 n ULP of Σ |product along a path|, for n steps on the same values.

    A step costs either mode a local gradient, a product and a sum, each to a ULP or two.
    """
    leaves, steps = program
    values = [Value(x) for x in leaves]
    for name, operands in steps:
        values.append(engine_step(name, [values[k] for k in operands]))
    for i, g in enumerate(gradients(values[-1], values[: len(leaves)])):
        slope, size = along_leaf(program, values, i)
        assert abs(slope - g) <= 4 * len(steps) * math.ulp(size)


@given(programs())
def test_forward_mode_and_reverse_mode_agree_exactly_on_fractions(program: Program):
    nodes = program.nodes(Value)
    found = gradients(nodes[-1], nodes[: len(program.leaves)])
    for i, g in enumerate(found):
        assert g == forward(program, unit(len(program.leaves), i))[-1].dx


def unit(n: int, i: int) -> list[Any]:
    return [Fraction(i == j) for j in range(n)]


def forward(program: Program, direction: Any, leaves: Any = None) -> list[Dual]:
    """Every node's derivative along a direction of the leaves, in forward mode."""
    numbers = program.leaves if leaves is None else leaves
    nodes = [Dual(x, d) for x, d in zip(numbers, direction, strict=True)]
    for name, i, j in program.steps:
        nodes.append(RATIONAL[name][0](nodes[i], nodes[j]))
    return nodes


@given(st.builds(Fraction, st.integers(1, 9), st.integers(1, 9)), st.integers(1, 9))
def test_whole_numbers_among_fractions_leave_every_derivative_exact(x, n):
    for f, first, second in [
        (lambda t: t / n, Fraction(1, n), 0),
        (lambda t: n / t, -n / x**2, 2 * n / x**3),
        (lambda t: t * t / n - n, 2 * x / n, Fraction(2, n)),
        (lambda t: mg.mean([t * n, t * t, n]), (n + 2 * x) / 3, Fraction(2, 3)),
        (lambda t: (t + n) ** 2 / (n * t), (1 - n * n / x**2) / n, 2 * n / x**3),
    ]:
        leaf = Value(x)
        f(leaf).backward()
        assert leaf.grad == grad(f)(x) == first
        assert derivative(f, 2)(x) == second
        assert type(leaf.grad) is type(grad(f)(x)) is Fraction


@pytest.mark.parametrize("f", [mg.maximum, mg.minimum])
def test_a_fraction_that_ties_with_whole_numbers_gets_an_exact_share(f):
    x = Value(Fraction(3))
    f(3, x, 3).backward()
    assert x.grad == third
    assert type(x.grad) is Fraction


@given(programs(), st.data())
def test_a_row_times_jv_is_jtu_times_a_column(program: Program, data):
    """⟨u, Jv⟩ = ⟨Jᵀu, v⟩ exactly: Jv in forward mode, Jᵀu in reverse mode, J from partials."""
    nodes = program.nodes(Value)
    n = len(program.leaves)
    xs, ys = nodes[:n], nodes[n:]
    vectors = [st.lists(fractions, min_size=len(z), max_size=len(z)) for z in (ys, xs)]
    u, v = (data.draw(vector) for vector in vectors)
    Jv = [node.dx for node in forward(program, v)[n:]]
    Jtu = gradients(mg.dot(u, ys), xs)
    inner = sum(a * b for a, b in zip(u, Jv, strict=True))
    assert inner == sum(a * b for a, b in zip(Jtu, v, strict=True))
    J = partials(ys, xs)
    assert J.shape == (len(ys), n)
    assert [sum(a * b for a, b in zip(row, v, strict=True)) for row in J.tolist()] == Jv


@settings(max_examples=50)
@given(programs())
def test_second_derivatives_commute_and_equal_dual_numbers_of_dual_numbers(program: Program):
    n = len(program.leaves)
    for i, j in product(range(n), repeat=2):
        nodes = program.nodes(Value)
        found = second_order(nodes[-1], nodes[i], nodes[j])
        inner = [Dual(x, d) for x, d in zip(program.leaves, unit(n, j), strict=True)]
        outer = [Dual(Fraction(i == k), Fraction(0)) for k in range(n)]
        assert found == forward(program, outer, inner)[-1].dx.dx
        assert found == second_order(nodes[-1], nodes[j], nodes[i])


@settings(max_examples=50)
@given(programs(names=("add", "sub", "mul")), st.permutations(range(3)), st.data())
def test_third_mixed_partials_of_polynomials_commute_exactly(program: Program, order, data):
    nodes = program.nodes(Value)
    wrt = [data.draw(st.sampled_from(nodes[: len(program.leaves)])) for _ in range(3)]

    def along(xs):
        y = nodes[-1]
        for x in xs:
            y = gradients(y, x, create_graph=True)
        return y.data

    assert along(wrt) == along([wrt[i] for i in order])


def differentiable(v):
    """A function of three numbers that uses most of the table."""
    x, y, z = v
    return (x * y).sin() * mg.exp(z / 3) + mg.hypot(x, y) * z.sigmoid() + mg.logaddexp(x, z) ** 3


three = st.lists(hundredths.map(lambda x: x + 0.005), min_size=3, max_size=3)


@settings(max_examples=50)
@given(three)
def test_hessians_are_symmetric(xs):
    """To 1e-12 of the largest entry."""
    H = hessian(differentiable)(xs)
    assert H.shape == (3, 3)
    assert np.abs(H - H.T).max() <= 1e-12 * np.abs(H).max()


@settings(max_examples=30)
@given(three, three)
def test_a_hessian_vector_product_is_the_hessian_times_the_vector(xs, v):
    """To 1e-12 of the terms that are summed."""
    H = hessian(differentiable)(xs)
    found = np.array(hvp(differentiable)(xs, v))
    assert np.all(np.abs(found - H @ v) <= 1e-12 * (np.abs(H).max() * np.abs(v).max() + 1))


@settings(max_examples=30)
@given(programs(), st.data())
def test_hessian_vector_products_are_exact_on_fractions(program: Program, data):
    n = len(program.leaves)
    xs = list(program.leaves)
    v = data.draw(st.lists(fractions, min_size=n, max_size=n))

    def f(leaves):
        nodes = list(leaves)
        for name, i, j in program.steps:
            nodes.append(RATIONAL[name][0](nodes[i], nodes[j]))
        return nodes[-1]

    inner = [Dual(x, d) for x, d in zip(xs, v, strict=True)]
    want = [
        forward(program, [Dual(d, Fraction(0)) for d in unit(n, i)], inner)[-1].dx.dx
        for i in range(n)
    ]
    assert hvp(f)(xs, v) == want
    assert hvp(f)(np.array(xs, dtype=object), v).tolist() == want


# mpmath: every function of one number, up to the fourth derivative.

ORDER = 4


@pytest.mark.parametrize("name", UNARY)
def test_derivatives_up_to_the_fourth_agree_with_mpmath(name):
    """To 1e-12 of the largest derivative up to that order: the rules add such terms up."""

    @settings(max_examples=8)
    @given(roomy(name))
    def check(xs):
        found = [derivative(ops.TABLE[name], k)(xs[0]) for k in range(ORDER + 1)]
        with mp.workdps(80):
            want = [mp.diff(ORACLES[name], mpf(xs[0]), k) for k in range(ORDER + 1)]
        for k in range(ORDER + 1):
            scale = max(1, *map(abs, want[: k + 1]))
            assert abs(found[k] - want[k]) <= 1e-12 * scale, (k, xs)

    check()


@pytest.mark.parametrize("x", [0.0, 1e-9, 0.3, -1.0, 4.0, 18.0])
def test_the_fifth_derivative_of_tanh_is_right(x):
    """Even where tanh is flat: it is −32 exp(−2x)·… there, and 1 − tanh² would have no digit."""
    with mp.workdps(120):
        want = float(mp.diff(mp.tanh, mpf(x), 5))
    assert derivative(mg.tanh, 5)(x) == pytest.approx(want, rel=1e-12, abs=1e-12 * (x < 5))


@pytest.mark.parametrize("kind", [float, int, Fraction])
@pytest.mark.parametrize("n", range(7))
def test_every_derivative_of_a_power_at_zero_is_right(n, kind):
    for k in range(n + 3):
        want = math.factorial(n) if k == n else 0
        for exponent in (n, float(n)) if kind is float else (n,):
            assert derivative(lambda x, e=exponent: x**e, k)(kind(0)) == want
        assert derivative(lambda x: math.prod([x] * n), k)(kind(0)) == want


@pytest.mark.parametrize("n", range(-3, 7))
def test_every_derivative_of_a_power_of_a_fraction_is_exact(n):
    for x in (Fraction(2, 3), Fraction(-5, 7)):
        for k in range(6):
            want = math.prod(n - i for i in range(k)) * x ** (n - k)
            assert derivative(lambda x: x**n, k)(x) == want


def test_derivatives_of_x_to_the_x_go_through_base_and_exponent():
    with mp.workdps(80):
        want = [mp.diff(lambda x: x**x, mpf(1.5), k) for k in range(6)]
    found = [derivative(lambda x: x**x, k)(1.5) for k in range(6)]
    assert found == pytest.approx([float(w) for w in want], rel=1e-12)


# Second derivatives at the far ends of the floats, where a sum of two terms would lose all digits.


def second_difference(f, xs, i, j):
    """∂²f/∂x_i∂x_j in hundreds of digits."""
    with mp.workdps(900):
        xs = [mpf(x) for x in xs]
        steps = [abs(x) * mpf(10) ** -200 for x in xs]

        def at(a, b):
            moved = list(xs)
            moved[i] += a * steps[i]
            moved[j] += b * steps[j]
            return f(*moved)

        return (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * steps[i] * steps[j])


size = st.floats(-18, 3).map(lambda e: 10.0**e)
signed = size | size.map(operator.neg)


def far(low, high):
    """Numbers of every size between two ends, and some as near to these as floats come."""
    near = st.floats(-15, -1).map(lambda e: 1 - 10.0**e)
    numbers = size.map(lambda x: low + x) if -math.inf < low and high == math.inf else signed
    return (numbers | near | near.map(operator.neg)).filter(lambda x: low < x < high and x)


@pytest.mark.parametrize("name", UNARY)
def test_second_derivatives_keep_their_digits_at_the_far_ends(name):
    op = ops.TABLE[name]

    @settings(max_examples=15)
    @given(far(*op.domain[0]) if op.domain else signed)
    def check(x):
        try:
            found = derivative(op, 2)(x)
        except OverflowError:
            return
        with mp.workdps(900):
            want = second_difference(ORACLES[name], [x], 0, 0)
            if abs(want) < 1e-100:  # such an oracle has no digit left
                want = mpf(0)
            assert abs(found - want) <= 1e-12 * abs(want) + 1e-100 * (want == 0)

    check()


FAR = {"power": lambda a, b: mp.exp(b * mp.log(a))} | {
    name: ORACLES[name] for name in ("hypot", "arctan2", "logaddexp")
}


@pytest.mark.parametrize("name", FAR)
def test_hessians_keep_their_digits_at_the_far_ends(name):
    @settings(max_examples=15)
    @given(signed, signed | hundredths.filter(bool))
    def check(a, b):
        a = abs(a) if name == "power" else a
        assume(name != "logaddexp" or abs(a) + abs(b) < 60)
        try:
            found = hessian(lambda v: ops.TABLE[name](*v))([a, b])
        except OverflowError:
            return
        for i, j in product(range(2), repeat=2):
            want = second_difference(FAR[name], [a, b], i, j)
            if 1e-100 < abs(want) < 1e300:
                lost = 1e-15 / (a * a + b * b) if name == "arctan2" else 0  # a² − b² cancels
                assert abs(found[i, j] - want) <= 1e-12 * abs(want) + lost, (i, j)

    check()


def test_the_third_derivative_of_arctan2_far_out_is_right():
    y, x = Value(-218.0), Value(4.8e-15)
    slope = gradients(mg.arctan2(y, x), y, create_graph=True)
    bend = gradients(slope, x, create_graph=True)
    assert gradients(bend, x) == pytest.approx(-1.27516537991735e-23, rel=1e-13)


def test_the_second_derivative_of_a_cube_root_overflows_to_the_right_side():
    assert derivative(mg.cbrt, 2)(1e-236) == -math.inf
    assert derivative(mg.cbrt, 2)(-1e-236) == math.inf


# SymPy: random expressions in two variables.

X, Y = sympy.symbols("x y")
UNARY_TREES = {
    "exp": (lambda u: mg.exp(mg.tanh(u)), lambda u: sympy.exp(sympy.tanh(u))),
    "log": (lambda u: mg.log(2 + u * u), lambda u: sympy.log(2 + u * u)),
    "sin": (mg.sin, sympy.sin),
    "cos": (mg.cos, sympy.cos),
    "tanh": (mg.tanh, sympy.tanh),
    "sigmoid": (mg.sigmoid, lambda u: 1 / (1 + sympy.exp(-u))),
    "softplus": (mg.softplus, lambda u: sympy.log(1 + sympy.exp(u))),
    "arctan": (mg.arctan, sympy.atan),
    "sqrt": (lambda u: mg.sqrt(1 + u**2), lambda u: sympy.sqrt(1 + u**2)),
    "cube": (lambda u: u**3, lambda u: u**3),
    "square": (lambda u: u**2, lambda u: u**2),
    "neg": (lambda u: -u, lambda u: -u),
    "reciprocal": (lambda u: (1 + u * u) ** -1, lambda u: (1 + u * u) ** -1),
}
BINARY_TREES = {
    "+": lambda u, v: u + v,
    "-": lambda u, v: u - v,
    "*": lambda u, v: u * v,
    "/": lambda u, v: u / (1 + v**2),
}
trees = st.recursive(
    st.sampled_from(["x", "y"]) | st.integers(1, 3),
    lambda inner: (
        st.tuples(st.sampled_from(list(UNARY_TREES)), inner)
        | st.tuples(st.sampled_from(list(BINARY_TREES)), inner, inner)
    ),
    max_leaves=5,
)


def build(tree: Any, leaves: dict[str, Any], which: int) -> Any:
    """The tree as our graph (which = 0) or as SymPy's (1)."""
    if not isinstance(tree, tuple):
        return leaves.get(tree, tree)
    args = [build(t, leaves, which) for t in tree[1:]]
    return UNARY_TREES[tree[0]][which](*args) if len(args) == 1 else BINARY_TREES[tree[0]](*args)


@settings(max_examples=60)
@given(trees.filter(lambda t: isinstance(t, tuple)), hundredths, hundredths)
def test_first_and_second_derivatives_of_random_expressions_are_sympys(tree, a, b):
    """To 1e-10 of the largest number on the way (values and derivatives, squared for order two)."""
    x, y = Value(a), Value(b)
    root = build(tree, {"x": x, "y": y}, 0)
    assume(isinstance(root, Value))
    formula = build(tree, {"x": X, "y": Y}, 1)
    point = {X: sympy.Rational(a), Y: sympy.Rational(b)}

    def exact(*symbols):
        d = sympy.diff(formula, *symbols) if symbols else formula
        with mp.workdps(50):
            return float(sympy.lambdify((X, Y), d, "mpmath")(mpf(a), mpf(b)))

    assert point
    scale = max(1.0, *(abs(v.data) for v in topological(root)))
    scale = max(scale, *(abs(float(g)) for g in gradients(root).values()))
    assume(scale < 1e4)
    slopes = gradients(root, [x, y], create_graph=True)
    assert abs(root.data - exact()) <= 1e-10 * scale
    for slope, s in zip(slopes, (X, Y), strict=True):
        assert abs(slope.data - exact(s)) <= 1e-10 * scale
        for second, t in zip(gradients(slope, [x, y]), (X, Y), strict=True):
            assert abs(second - exact(s, t)) <= 1e-10 * scale**2


# Nesting.


def test_inner_derivatives_do_not_confuse_their_variable_with_an_outer_one():
    assert grad(lambda x: x * grad(lambda y: x * y)(x))(3.0) == 6.0
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert grad(lambda x: x * grad(lambda y: x * x * y * y)(x))(2.0) == 2 * 4 * 2.0**3
    f = grad(lambda x: grad(lambda y: grad(lambda z: x * y * z * z)(y))(x))  # 2xy² → 4x² → 8x
    assert f(3.0) == 24.0


def test_an_inner_derivative_at_a_plain_number_depends_on_an_outer_variable():
    """The variable is closed over: no argument of the inner function shows it."""
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0) == 6.0
    assert grad(lambda x: grad(lambda y: x * x * y * y)(2.0))(3.0) == 24.0
    assert grad(lambda x: derivative(lambda y: x * y**3, 2)(2.0))(3.0) == 12.0
    assert derivative(lambda x: grad(lambda y: x**3 * y)(2.0), 2)(5.0) == 30.0
    assert derivative(lambda x: derivative(lambda y: x**2 * y**2, 1)(x), 1)(2.0) == 6 * 2.0**2
    assert grad(lambda x: mg.value_and_grad(lambda y: x * x * y)(2.0)[0])(3.0) == 12.0
    assert grad(lambda x: hvp(lambda v: x * x * v[0] ** 2)([2.0], [1.0])[0])(3.0) == 12.0
    assert grad(lambda x: grad(lambda y: y * grad(lambda z: x * x * z)(1.0))(2.0))(3.0) == 6.0


@pytest.mark.parametrize("at", [lambda x: x, lambda x: 2.0], ids=["a Value", "a number"])
def test_jacobians_and_hessians_inside_of_a_derivative_are_never_silently_constant(at):
    def inner(x):
        return jacobian(lambda v: [x * v[0] ** 2, v[0]])([at(x)])[0, 0]

    def curved(x):
        return hessian(lambda v: x * x * v[0] ** 3)([at(x)])[0, 0]

    assert grad(inner)(2.0) == (8.0 if at(1.0) == 1.0 else 4.0)
    assert grad(curved)(2.0) == (6 * 3 * 2.0**2 if at(1.0) == 1.0 else 6 * 2 * 2.0 * 2)


def test_a_derivative_of_a_plain_function_is_a_plain_number_of_the_same_kind():
    for x, kind in [(2.0, float), (2, int), (Fraction(2), Fraction)]:
        for f in (grad(lambda t: t * t), derivative(lambda t: t * t), derivative(lambda t: t, 0)):
            assert type(f(x)) is kind
    assert type(grad(lambda x: grad(lambda y: x * y * y)(2.0))(3.0)) is float
    w = Value(5.0)
    assert isinstance(grad(lambda t: t * t)(w), Value)
    assert grad(lambda t, s: t * t * s)(w, 2.0).data == 20.0


def test_grad_nests_as_often_as_one_likes():
    f = lambda x: x**6  # noqa: E731
    for k in range(8):
        assert f(Value(2)).data == (math.perm(6, k) * 2 ** (6 - k) if k <= 6 else 0)
        f = grad(f)


@given(st.integers(0, 4), st.integers(0, 4), fractions)
def test_a_derivative_of_a_derivative_is_the_derivative_of_the_summed_order(m, n, x):
    f = lambda t: t**5 - 3 * t**4 + t * t / 7  # noqa: E731
    assert derivative(derivative(f, m), n)(x) == derivative(f, m + n)(x)


# gradients: pure, and a graph where asked.


@given(programs())
def test_gradients_change_no_node_even_as_a_graph(program: Program):
    nodes = program.nodes(Value)
    nodes[-1].backward(third)
    slots = ("_number", "_grad", "_label", "op", "_a", "_b", "_version", "_parent_versions")
    before = [[getattr(v, s) for s in slots] for v in nodes]
    numbers = gradients(nodes[-1], nodes)
    graph = gradients(nodes[-1], nodes, create_graph=True)
    gradients(mg.total(graph), nodes)
    assert [[getattr(v, s) for s in slots] for v in nodes] == before
    assert [g.data for g in graph] == numbers
    assert all(type(g) is Fraction for g in numbers)


def test_gradients_come_in_the_shape_of_what_was_asked():
    x, y, z = Value(2.0), Value(3.0), Value(4.0)
    root = x * y + y
    assert gradients(root, x) == 3.0
    assert gradients(root, [x, [y, (z, x)]]) == [3.0, [3.0, (0.0, 3.0)]]
    array = gradients(root, np.array([[x, y], [z, x]], dtype=object))
    assert array.dtype == float
    assert array.tolist() == [[3.0, 3.0], [0.0, 3.0]]
    everything = gradients(root)
    assert everything == {x: 3.0, y: 3.0, root: 1.0, root.parents[0]: 1.0}
    for g in gradients(root, [x, z], create_graph=True):
        assert isinstance(g, Value)


# Shapes of arguments.


def quadratic(v):
    return mg.total([x * x * k for k, x in enumerate(np.ravel(np.array(v, dtype=object)), 1)])


@pytest.mark.parametrize(
    ("x", "want"),
    [
        (3.0, 6.0),
        ([3.0], [6.0]),
        ([1.0, 2.0], [2.0, 8.0]),
        ([[1.0, 2.0], [3.0, 4.0]], [[2.0, 8.0], [18.0, 32.0]]),
        ((1.0, 2.0), (2.0, 8.0)),
        ([Fraction(1, 2), Fraction(1, 3)], [Fraction(1), Fraction(4, 3)]),
    ],
)
def test_gradients_of_functions_have_the_shape_of_the_argument(x, want):
    assert grad(quadratic)(x) == want
    assert mg.value_and_grad(quadratic)(x)[1] == want
    zeros = grad(lambda v: 1.5)(x)
    assert np.array(zeros).shape == np.array(x).shape
    assert not np.any(np.array(zeros, dtype=float))


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 1), (2, 1, 2), (0,), (0, 3)])
def test_gradients_at_arrays_are_arrays_of_that_shape(shape):
    x = np.arange(1.0, 1 + math.prod(shape)).reshape(shape)
    f = lambda v: mg.total(v.ravel() ** 2)  # noqa: E731
    for found in (grad(f)(x), hvp(f)(x, x), grad(lambda v: 0.0)(x)):
        assert found.shape == shape
    assert np.array_equal(grad(f)(x).astype(float), 2 * x)
    assert np.array_equal(hvp(f)(x, x).astype(float), 2 * x)
    assert hessian(f)(x).shape == (x.size, x.size)


def test_argnum_says_which_argument():
    f = lambda x, y, k: x * y * y * k  # noqa: E731
    assert [grad(f, i)(2.0, 3.0, 5.0) for i in range(3)] == [45.0, 60.0, 18.0]
    assert grad(f, argnum=-1)(2.0, 3.0, 5.0) == 18.0
    assert mg.value_and_grad(f, 1)(2.0, 3.0, 5.0) == (90.0, 60.0)
    mixed = grad(grad(f, 0), 1)(2.0, 3.0, 5.0)
    assert mixed == grad(grad(f, 1), 0)(2.0, 3.0, 5.0) == 30.0
    with pytest.raises(IndexError):
        grad(f, 3)(2.0, 3.0, 5.0)


def test_the_function_sees_values_in_the_shape_of_the_argument_and_other_arguments_untouched():
    seen = []
    other = object()
    grad(lambda x, o: seen.append((x, o)) or x[0][0])([[1.0], (2.0,)], other)
    ((x, o),) = seen
    assert o is other
    assert type(x[1]) is tuple
    assert all(isinstance(v, Value) for row in x for v in row)


def test_a_constant_function_has_zero_derivatives_everywhere():
    assert grad(lambda x: 3.0)(2.0) == 0.0
    assert mg.value_and_grad(lambda x: 3)(2.0) == (3, 0.0)
    assert [derivative(lambda x: 7.0, k)(2.0) for k in range(4)] == [7.0, 0.0, 0.0, 0.0]
    assert hessian(lambda x: 3.0)([1.0, 2.0]).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert hessian(lambda x: x[0] + 2 * x[1])([1.0, 2.0]).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert jacobian(lambda x: [1.0, x[1]])([1.0, 2.0]).tolist() == [[0.0, 0.0], [0.0, 1.0]]
    assert hvp(lambda x: 3.0)([1.0, 2.0], [1.0, 1.0]) == [0.0, 0.0]
    assert grad(grad(lambda x: 2 * x))(5.0) == 0.0
    assert grad(lambda x: Value(4.0))(1.0) == 0.0


def test_jacobians_have_a_row_per_output_and_a_column_per_input():
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    J = jacobian(lambda v: v.T * 2)(x)
    assert J.dtype == float
    want = np.zeros((6, 6))
    for i, j in np.ndindex(2, 3):
        want[j * 2 + i, i * 3 + j] = 2  # outputs of the transpose, row by row
    assert np.array_equal(J, want)
    assert jacobian(lambda t: [t, t * t])(3.0).tolist() == [[1.0], [6.0]]
    assert jacobian(lambda t: t * t)(3.0).tolist() == [[6.0]]
    assert jacobian(lambda v: [])([1.0, 2.0]).shape == (0, 2)
    assert hessian(lambda t: t**3)(2.0).tolist() == [[12.0]]


def test_partials_are_the_jacobian_of_existing_nodes():
    x, y = Value(2.0), Value(3.0)
    outputs = [x * y, x + y, x]
    assert partials(outputs, [x, y]).tolist() == [[3.0, 2.0], [1.0, 1.0], [1.0, 0.0]]
    assert partials(outputs, [[x], [y]]).shape == (3, 2)
    a = Value(third)
    exact = partials([a * a, a / 2], [a])
    assert exact.tolist() == [[2 * third], [Fraction(1, 2)]]
    assert all(type(d) is Fraction for d in exact.ravel())


# Errors.


@pytest.mark.parametrize("f", [lambda x: [x], lambda x: (x, x), lambda x: np.array([x])])
def test_a_function_that_returns_several_numbers_has_a_jacobian_but_no_gradient(f):
    for d in (grad(f), mg.value_and_grad(f), derivative(f)):
        with pytest.raises(GraphError, match=r"(list|tuple|ndarray), not one number; see jacobian"):
            d(1.0)
    assert jacobian(f)(1.0)[0].tolist() == [1.0]


def test_bad_arguments_are_clear_errors():
    with pytest.raises(NumberError, match="None"):
        grad(lambda x: None)(1.0)
    with pytest.raises(NumberError, match="'3'"):
        grad(lambda x: x)("3")
    with pytest.raises(GraphError, match="order -1"):
        derivative(lambda x: x, -1)


@pytest.mark.parametrize("v", [[1.0], [1.0, 2.0, 3.0], 1.0])
def test_a_vector_of_the_wrong_length_is_an_error_of_hvp(v):
    with pytest.raises(ShapeError, match="2"):
        hvp(lambda x: x[0] * x[1])([2.0, 3.0], v)


# Tests of the tests.


def wrong_rules(name: str, *rules: Any) -> Any:
    return lambda p: p.setattr(ops.TABLE[name], "rules", rules)


def no_graph(p: Any) -> None:
    """Second derivatives without the path through the local gradients."""
    right = microgrid.engine.value.accumulate
    p.setattr(
        microgrid.engine.calculus,
        "accumulate",
        lambda order, upstream, as_graph=False: right(order, upstream),
    )


def disconnected(p: Any) -> None:
    """Nested derivatives cut the graph: an inner variable is a new leaf."""
    p.setattr(microgrid.engine.arguments, "identity", lambda x: x.detach())


def confused(p: Any) -> None:
    """No variable of its own: the inner derivative is along the outer variable too."""
    p.setattr(microgrid.engine.arguments, "identity", lambda x: x)


def impure(p: Any) -> None:
    right = microgrid.engine.calculus.topological
    p.setattr(
        microgrid.engine.calculus, "topological", lambda root: [root.zero_grad(), *right(root)][1:]
    )


def with_case(test: Any, *case: Any) -> Any:
    return lambda: test(*case)


FORWARD = test_forward_mode_and_reverse_mode_agree_to_rounding
EXACT = test_forward_mode_and_reverse_mode_agree_exactly_on_fractions
TRANSPOSE = test_a_row_times_jv_is_jtu_times_a_column
COMMUTE = test_second_derivatives_commute_and_equal_dual_numbers_of_dual_numbers
SYMPY = test_first_and_second_derivatives_of_random_expressions_are_sympys
MPMATH = test_derivatives_up_to_the_fourth_agree_with_mpmath
NESTED = test_inner_derivatives_do_not_confuse_their_variable_with_an_outer_one
TANH = test_the_fifth_derivative_of_tanh_is_right
AT_ZERO = test_every_derivative_of_a_power_at_zero_is_right
PURE = test_gradients_change_no_node_even_as_a_graph
slow_slope = wrong_rules("sigmoid", lambda y, x: ops.sigmoid_slope(x) * (1 + 1e-9))
frozen_slope = wrong_rules("tanh", lambda y, x: ops.tanh_slope.forward(getattr(x, "data", x)))
by_log = wrong_rules("power", lambda y, a, b: b * y / a, ops.power.rules[1])
BUGS = {
    "a slope that is a billionth too large": (slow_slope, FORWARD),
    "a slope that is a billionth too large, for SymPy": (slow_slope, SYMPY),
    "sums that forget the right": (wrong_rules("add", lambda *_: 1, lambda *_: 0), EXACT),
    "a product with swapped factors": (
        wrong_rules("mul", lambda y, a, b: a, lambda y, a, b: b), TRANSPOSE),
    "−a/b for −a/b², seen by commuting": (
        wrong_rules("div", lambda y, a, b: ops.divide(1, b), lambda y, a, b: -y), COMMUTE),
    "no second order": (no_graph, COMMUTE),
    "no second order, seen by the Hessian's product": (
        no_graph, test_hessian_vector_products_are_exact_on_fractions),
    "a local gradient that is no graph": (frozen_slope, with_case(MPMATH, "tanh")),
    "a local gradient that is no graph, fifth order": (frozen_slope, with_case(TANH, 0.3)),
    "1 − tanh² where tanh is flat": (
        wrong_rules("tanh", lambda y, x: 1 - y * y), with_case(TANH, 18.0)),
    "b y / a at a = 0": (by_log, with_case(AT_ZERO, 3, float)),
    "inner variables that cut the graph": (disconnected, NESTED),
    "perturbation confusion": (confused, NESTED),
    "gradients that change nodes": (impure, PURE),
    "an asymmetric hypot": (
        wrong_rules("hypot", lambda y, a, b: a / y, lambda y, a, b: b / getattr(y, "data", y)),
        test_hessians_are_symmetric),
}  # fmt: skip


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_in_the_calculus_is_caught(name, monkeypatch):
    plant, test = BUGS[name]
    monkeypatch.setattr(test, "_hypothesis_internal_use_settings", QUICK, raising=False)
    plant(monkeypatch)
    with pytest.raises((AssertionError, ArithmeticError, AttributeError)):
        test()


def test_the_oracles_here_cover_every_function_of_one_number():
    assert set(UNARY) <= set(ORACLES)


def test_an_inner_derivative_in_another_thread_still_depends_on_the_outer_variable():
    def f(x):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(grad(lambda y: x * y * y), 2.0).result()

    assert grad(f)(3.0) == 4.0


def test_a_users_values_from_outside_are_constants_of_the_function():
    W = mg.matrix([[1.0, 2.0]])
    J = jacobian(lambda X: mg.affine(X, W, [0.0, 0.0]))([[3.0]])
    assert J.dtype == float
    assert J.tolist() == [[1.0], [2.0]]
    assert type(grad(lambda x: W[0, 1] * x)(3.0)) is float


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: mg.gradients(Value(1.0) * 2, [3.0]),
        lambda: derivative(mg.sin)([1.0, 2.0]),
        lambda: derivative(mg.sin, 1.5),
        lambda: derivative(mg.sin, -1),
    ],
)
def test_wrong_arguments_end_in_a_clear_error(wrong):
    with pytest.raises(mg.MicrogridError, match=r"Values|one number|whole number"):
        wrong()
