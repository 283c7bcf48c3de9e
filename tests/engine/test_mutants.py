"""Laws that mutants of the engine once broke unseen: borders of conditions, and what versions say.

`mutmut run` makes the mutants; what survives breaks no law or gives a new test here.
"""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared.strategies import fractions

import microgrid as mg
from microgrid import Value, affine, formulas, gradients, grads, matrix, partials, values
from microgrid.engine import numeric, ops
from microgrid.engine.errors import GraphError, RuleError, ShapeError
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.value import Op, edges, topological

# The node and its versions.


@pytest.mark.parametrize("n", range(6))
def test_the_topological_order_visits_parents_from_left_to_right(n):
    leaves = [Value(float(i)) for i in range(n + 1)]
    for root in (ops.total(*leaves), ops.maximum(*leaves)):
        assert topological(root) == [*leaves, root]


@pytest.mark.parametrize("condition", [True, False])
def test_the_local_gradient_of_a_shut_gate_is_listed_as_zero(condition):
    gate = mg.where(condition, Value(2.0), Value(3.0))
    listed = [local(gate.data, condition, 2.0, 3.0) for local in gate.local_gradients]
    assert listed == [0, condition, not condition]


STEPS = [lambda x: x.exp(), lambda x: x * x, lambda x: ops.total(x, x, x)]


@pytest.mark.parametrize("before", range(5))
@pytest.mark.parametrize("times", [1, 2])
def test_data_set_on_an_inner_node_is_refused_whatever_was_set_before(before, times):
    for steps in [*product(STEPS), *product(STEPS, STEPS)]:
        x = inner = Value(0.5)
        for _ in range(before):
            x.data = 0.5
        for f in steps:
            inner = f(inner)
        for _ in range(times):
            inner.data = 1.0
        for root in (inner, inner * 2, (2 * inner).exp()):
            with pytest.raises(GraphError, match="run the forward pass again"):
                root.backward()
        assert x.grad == 0.0


@pytest.mark.parametrize("times", [1, 255, 256, 257, 1000])
def test_a_parameter_may_be_set_any_number_of_times_between_graphs(times):
    w, x = Value(1.0), Value(2.0)
    for _ in range(times):
        w.data = 3.0
    for f in (lambda: w * x, lambda: w.square(), lambda: ops.total(w, x, x)):
        f().backward()
    assert w.grad == 2.0 + 6.0 + 1.0
    y, z = w * x, w.square()
    w.data = 3.0
    for stale in (y, z):
        with pytest.raises(GraphError):
            stale.backward()


# Shapes: what does not fit is refused, on either side of what fits, and sizes have no limit.

MATRICES = [(), (2,), (2, 2), (2, 3), (3, 2), (3, 3), (2, 2, 2), (1, 2, 2)]


def numbers(shape):
    return np.arange(1.0, 1 + math.prod(shape)).reshape(shape)


@pytest.mark.parametrize("left", MATRICES, ids=str)
@pytest.mark.parametrize("right", MATRICES, ids=str)
def test_a_product_is_of_two_matrices_whose_inner_sizes_are_equal(left, right):
    A, B = numbers(left), numbers(right)
    fits = len(left) == len(right) == 2 and left[1] == right[0]
    dY = numbers((left[0], right[1])) if fits else numbers((2, 2))
    bias = numbers(right[1:2]) if len(right) == 2 else numbers((2,))
    for run in (
        lambda: formulas.matmul_backward(A, B, dY),
        lambda: formulas.affine_backward(A, B, bias, dY),
        lambda: formulas.affine_forward(A, B, bias),
        lambda: affine(matrix(A), matrix(B), matrix(bias)),
    ):
        if fits:
            run()
        else:
            with pytest.raises(ShapeError):
                run()


@pytest.mark.parametrize("shape", [(), (2,), (1, 3), (2, 2), (2, 4), (3, 3), (3,), (2, 3, 1)])
def test_the_upstream_gradient_has_exactly_the_shape_of_the_output(shape):
    X, W, b, dY = numbers((2, 4)), numbers((4, 3)), numbers((3,)), numbers(shape)
    with pytest.raises(ShapeError, match="dY has shape"):
        formulas.affine_backward(X, W, b, dY)
    with pytest.raises(ShapeError, match="dY has shape"):
        formulas.matmul_backward(X, W, dY)


@pytest.mark.parametrize("shape", [(), (3,), (1, 2, 3)])
def test_ones_are_appended_to_matrices_alone(shape):
    with pytest.raises(ShapeError, match="append_ones"):
        formulas.append_ones(numbers(shape))


@pytest.mark.parametrize("sizes", [(300, 1, 1), (1, 300, 1), (1, 1, 300)])
def test_sizes_beyond_the_small_integers_fit_like_small_ones(sizes):
    N, D, M = sizes
    X, W, b, dY = (numbers(shape) for shape in [(N, D), (D, M), (M,), (N, M)])
    dX, dW, db = formulas.affine_backward(X, W, b, dY)
    assert (dX.shape, dW.shape, db.shape) == ((N, D), (D, M), (M,))
    dX, dW = formulas.matmul_backward(X, W, dY)
    assert (dX.shape, dW.shape) == ((N, D), (D, M))
    assert affine(X, W, b).shape == (N, M)
    assert mg.hvp(lambda v: mg.dot(v, v))([1.0] * N * D, [0.5] * N * D) == [1.0] * N * D


@pytest.mark.parametrize("shape", [(3,), (1, 3)])
def test_the_bias_gradient_has_the_shape_and_the_kind_of_its_operands(shape):
    X, W, dY = [[1, 2]], [[3, 4, 5], [6, 7, 8]], [[1, 10, 100]]
    dX, dW, db = formulas.affine_backward(X, W, np.zeros(shape, dtype=int), dY)
    assert db.shape == shape
    assert {d.dtype for d in (dX, dW, db)} == {np.dtype(int)}
    assert formulas.append_ones(X).dtype == int
    exact = np.array([[Fraction(1, 3)]])
    assert formulas.affine_backward(exact, exact, exact, exact)[2].tolist() == [[Fraction(1, 3)]]


# Arrays of Values.


@pytest.mark.parametrize(
    ("shape", "first", "last"),
    [
        ((), "x", "x"),
        ((1,), "x_1", "x_1"),
        ((9,), "x_1", "x_9"),
        ((10,), "x_1", "x_{10}"),
        ((9, 9), "x_{11}", "x_{99}"),
        ((1, 10), "x_{1,1}", "x_{1,10}"),
        ((10, 1), "x_{1,1}", "x_{10,1}"),
        ((2, 3, 4), "x_{111}", "x_{234}"),
        ((11, 1, 1), "x_{1,1,1}", "x_{11,1,1}"),
    ],
    ids=str,
)
def test_a_label_is_the_name_and_the_place_with_commas_from_ten_on(shape, first, last):
    labels = [v.label for v in matrix(numbers(shape), "x").ravel()]
    assert (labels[0], labels[-1]) == (first, last)
    assert len(set(labels)) == math.prod(shape)
    assert {v.label for v in matrix(numbers(shape)).ravel()} == {""}


@pytest.mark.parametrize("b", [(), (1,), (2,), (4,), (2, 3), (3, 1), (1, 2), (1, 4), (1, 1, 3)])
def test_a_bias_has_one_entry_per_column(b):
    X, W = numbers((2, 4)), numbers((4, 3))
    for run in (affine, formulas.affine_forward):
        with pytest.raises(ShapeError, match="b needs one entry per column of W"):
            run(X, W, numbers(b))
        for fits in ((3,), (1, 3)):
            assert run(X, W, numbers(fits)).tolist() == (X @ W + numbers(fits)).tolist()


def test_a_layer_without_inputs_is_refused():
    X, W, b = np.zeros((2, 0)), np.zeros((0, 3)), np.zeros(3)
    for run in (affine, formulas.affine_forward):
        with pytest.raises(ShapeError, match="at least one"):
            run(X, W, b)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_arrays_without_entries_keep_their_shape(shape):
    empty = np.zeros(shape)
    assert matrix(empty).shape == values(matrix(empty)).shape == grads(empty).shape == shape
    x = matrix([1.0, 2.0])
    assert partials(x[:0], x).shape == (0, 2)
    assert partials(x, x[:0]).shape == (2, 0)


@pytest.mark.parametrize("rows", [[[1, 2], [3]], [[], [1]], [[1], [2, 3], [4]], [[[1], [2, 3]]]])
def test_ragged_rows_are_refused(rows):
    with pytest.raises(ShapeError, match="ragged"):
        matrix(rows)


@pytest.mark.parametrize(
    ("data", "kind"), [([2, 3], float), ([2.0, 3.0], float), ([Fraction(2), Fraction(3)], Fraction)]
)
def test_partials_are_floats_or_the_fractions_of_the_data(data, kind):
    x = matrix(data)
    J = partials([x[0] * x[1], x[0]], x).tolist()
    assert J == [[3, 2], [1, 0]]
    assert {type(entry) for row in J for entry in row} == {kind}


def test_numpys_functions_with_options_and_their_other_methods_go_element_by_element():
    x, y = Value(2.0), Value(3.0)
    out = np.empty(1, dtype=object)
    np.exp(x, out=out)
    assert out[0].data == math.exp(2.0)
    assert out[0].parents == (x,)
    assert np.maximum.reduce([x, y, 1.0]) is y
    assert np.add.reduce([x, y]).parents == (x, y)
    outer = np.maximum.outer(np.array([x, 2.5], dtype=object), y)
    assert [v.data for v in outer] == [3.0, 3.0]
    assert np.multiply.outer([1.0, 2.0], x)[1].data == 4.0
    lows = np.array([1.0, 5.0], dtype=object)
    np.maximum.at(lows, [0, 1], x)
    assert [(v.data, v.op) for v in lows] == [(2.0, ops.maximum), (5.0, ops.maximum)]
    larger = np.maximum(x, y)
    assert (larger.data, larger.op, larger.parents) == (3.0, ops.maximum, (x, y))


# Gates and rules.


@given(st.lists(st.just(NO_PATH) | st.integers(-3, 3), min_size=1, max_size=4), st.integers(1, 3))
def test_open_gates_pass_upstream_times_local_wherever_shut_ones_stand(locals_, upstream):
    gate = Op("gate", lambda *xs: xs[0], joint=lambda y, *xs: locals_)
    leaves = [Value(i) for i in range(len(locals_))]
    gate(*leaves).backward(upstream)
    assert [x.grad for x in leaves] == [0 if g is NO_PATH else upstream * g for g in locals_]


def test_edges_are_numbers_and_where_a_graph_is_asked_for_nodes():
    x, y = Value(2.0, "x"), Value(3.0, "y")
    for root, locals_ in [(x * y, [3.0, 2.0]), (ops.dot(x, y), [3.0, 2.0]), (x.square(), [4.0])]:
        assert list(edges(root, root.op)) == [*zip(root.parents, locals_)]
        assert [p for p, _ in edges(root, root.op, as_graph=True)] == [*root.parents]
        assert [local.data for _, local in edges(root, root.op, as_graph=True)] == locals_


@pytest.mark.parametrize("parents", [1, 2, 3, 300])
@pytest.mark.parametrize("rules", [0, 1, 2, 3, 4, 300])
def test_an_operation_without_one_rule_per_parent_is_refused_when_it_is_applied(parents, rules):
    op = Op("odd", lambda *xs: xs[0], *[lambda y, *xs: 1] * rules)
    xs = [Value(1.0) for _ in range(parents)]
    if rules == parents:
        assert op(*xs).parents == tuple(xs)
    else:
        with pytest.raises(RuleError, match=f"{parents} parents but gave {rules}"):
            op(*xs)


# What the table says about its operations: where they are smooth, and the rule where they are not.


def singular(op, xs):
    """Whether op has no value at xs, or a local gradient that is no finite number."""
    try:
        y = op.forward(*xs)
    except (ArithmeticError, ValueError):
        return True
    locals_ = op.joint(y, *xs) if op.joint else [rule(y, *xs) for rule in op.rules]
    return not all(g is NO_PATH or math.isfinite(g) for g in [y, *locals_])


@pytest.mark.parametrize("name", [n for n, op in ops.TABLE.items() if op.domain])
def test_a_domain_ends_where_the_operation_or_its_derivative_does(name):
    op = ops.TABLE[name]
    for i, interval in enumerate(op.domain):
        for end in filter(math.isfinite, interval):
            if name == "tan":  # it stops short of the pole, on both sides alike
                assert math.cos(end) > 0
                assert -end in interval
                assert not math.cos(1.1 * end) > 0
                continue
            others = [[0.0, 0.5] if j != i else [end] for j in range(len(op.domain))]
            ends = [*product(*others)]
            at_kink = op.kink is not None and any(op.kink(*xs) == 0 for xs in ends)
            assert at_kink or any(singular(op, xs) for xs in ends), (name, end)


with_kink = [n for n, op in ops.TABLE.items() if op.kink not in (None, numeric.hypot)]


@pytest.mark.parametrize("name", with_kink)
@settings(max_examples=30)
@given(st.data())
def test_the_kink_is_as_far_as_the_shortest_move_of_one_operand_to_it(name, data):
    kink = ops.TABLE[name].kink
    n = ops.TABLE[name].arity or 3
    xs = data.draw(st.lists(fractions, min_size=n, max_size=n))
    distance = kink(*xs)
    moves = [
        (sign * share, kink(*xs[:i], xs[i] + sign * share * distance, *xs[i + 1 :]))
        for i in range(n)
        for share in (Fraction(1, 2), Fraction(9, 10), 1)
        for sign in (-1, 1)
    ]
    assert distance >= 0
    assert min(found for _, found in moves) == 0
    assert all(found >= (1 - abs(share)) * distance for share, found in moves)


@pytest.mark.parametrize(
    ("name", "xs", "want"),
    [
        ("leaky_relu", (0.0, 0.5), [0.5, 0.0]),
        ("elu", (0.0, 0.5), [0.5, 0.0]),
        ("elu", (0.0, -2.0), [-2.0, 0.0]),
        ("clip", (0.0, 0.0, 1.0), [1, 0, 0]),
        ("clip", (1.0, 0.0, 1.0), [1, 0, 0]),
        ("clip", (0.5, 0.5, 0.5), [1, 0, 0]),
        ("clip", (0.0, 1.0, 1.0), [0, 0, 0]),
        ("clip", (2.0, 1.0, 1.0), [0, 0, 1]),
        ("power", (0.0, 0.0), [0.0, 0.0]),
        ("power", (0.0, 2.0), [0.0, 0.0]),
        ("power", (0, 0), [0, 0]),
        ("power", (0, 2), [0, 0]),
        ("power", (-2.0, 3.0), [12.0, math.nan]),
    ],
)
def test_the_local_gradients_at_a_kink_follow_the_convention(name, xs, want):
    leaves = [Value(x) for x in xs]
    ops.TABLE[name](*leaves).backward()
    assert [x.grad for x in leaves] == pytest.approx(want, rel=0, abs=0, nan_ok=True)


def test_mixed_derivatives_of_a_power_are_those_of_the_formula():
    """∂/∂b ∂²/∂a² a^b = a^(b−2) (b (b−1) log a + 2b − 1), and one order more."""
    a, b = Value(1.7), Value(3.3)
    y = a**b
    for want in (
        1.7**2.3 * (3.3 * math.log(1.7) + 1),
        1.7**1.3 * (3.3 * 2.3 * math.log(1.7) + 2 * 3.3 - 1),
        1.7**0.3 * (3.3 * 2.3 * 1.3 * math.log(1.7) + 3 * 3.3**2 - 6 * 3.3 + 2),
    ):
        y = gradients(y, a, create_graph=True)
        assert gradients(y, b) == pytest.approx(want, rel=1e-13)


def test_where_two_one_sided_limits_differ_in_sign_the_second_derivative_is_nan():
    x = Value(0.0)
    slope = gradients(x.cbrt(), x, create_graph=True)
    assert slope.data == math.inf
    assert math.isnan(gradients(slope, x))


# Derivatives of functions.


def test_gradients_of_several_kinds_each_keep_their_own_in_an_array():
    xs = [Value(2.0), Value(Fraction(1, 3)), Value(2)]
    found = gradients(xs[0] * 3.0, np.array(xs, dtype=object))
    assert found.tolist() == [3.0, 0, 0]
    assert [type(g) for g in found] == [float, Fraction, int]


@given(fractions, fractions)
def test_unless_told_otherwise_derivatives_are_the_first_along_the_first_argument(x, y):
    f = lambda t, u: t**3 * u - 2 * t  # noqa: E731
    slope = 3 * x * x * y - 2
    assert mg.derivative(lambda t: f(t, y))(x) == mg.grad(f)(x, y) == slope
    assert mg.value_and_grad(f)(x, y) == mg.value_and_grad(f, 0)(x, y) == (f(x, y), slope)
