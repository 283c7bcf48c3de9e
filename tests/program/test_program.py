"""Recorded programs against the engine: the same bits, the same errors, never a wrong branch."""

import math
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import Context
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared.graphs import GATES, graphs
from shared.operations import EVERY, anywhere, operands, same

import microgrid as mg
from microgrid import Program, Value, record
from microgrid.check.strategies import programs
from microgrid.engine.errors import GraphError, MicrogridError, ShapeError
from microgrid.engine.families import falling
from microgrid.program.engines import numba_engine
from microgrid.program.plan import backward
from microgrid.program.tape import FrozenError
from microgrid.program.tracing import BranchError

ENGINES = ["numba", "numpy"]


def outcome(f, leaves):
    """What f returns or raises."""
    try:
        return f(*leaves)
    except MicrogridError as error:
        return error


def assert_same(f, *xs, recorded=record):
    """Values and gradients of a program on both engines are those of the engine."""
    leaves = [Value(x) for x in xs]
    y = outcome(f, leaves)
    if isinstance(y, MicrogridError):
        for engine in ENGINES:
            with pytest.raises(type(y)) as caught:
                recorded(f, *[0.7] * len(xs), backend=engine)(*xs)
            assert str(caught.value).split("(")[0] == str(y).split("(")[0]
        return
    y.backward()
    for engine in ENGINES:
        program = recorded(f, *[0.7] * len(xs), backend=engine)
        value, grads = program.value_and_grad(*xs, argnums=range(len(xs)))
        assert same(program(*xs), float(y.data)), engine
        assert same(value, float(y.data)), engine
        for g, x in zip(grads, leaves, strict=True):
            assert same(g, float(x.grad)), (engine, grads, [x.grad for x in leaves])


# One operation: its program is recorded once.


def of_arguments(name):
    return lambda *xs: EVERY[name](*xs)


@pytest.mark.parametrize("name", EVERY)
def test_every_operation_has_the_bits_of_the_engine(name):
    f, recorded = of_arguments(name), cache(record)

    @settings(max_examples=25, deadline=None)
    @given(operands(name, anywhere))
    def check(xs):
        assert_same(f, *map(float, xs), recorded=recorded)

    check()


NUMBERS = [0.0, -0.0, 1.0, -1.0, 0.5, 5e-324, 1e308, -1e308, math.inf, -math.inf, math.nan, -3.0]


@pytest.mark.parametrize("name", EVERY)
def test_at_every_special_number_the_bits_or_the_error_are_the_engines(name):
    f, recorded = of_arguments(name), cache(record)

    @settings(max_examples=60, deadline=None)
    @given(st.tuples(*[st.sampled_from(NUMBERS)] * (EVERY[name].arity or 2)))
    def check(xs):
        assert_same(f, *xs, recorded=recorded)

    check()


# Whole graphs.


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_random_graphs_have_the_bits_of_the_engine(graph):
    f, xs = graph
    leaves = [Value(x) for x in xs]
    y = f(*leaves)
    if not isinstance(y, Value):
        return
    y.backward()
    for engine in ENGINES:
        value, grads = record(f, *xs, backend=engine).value_and_grad(*xs, argnums=range(len(xs)))
        assert value == y.data
        # equal lines become one, which adds up in another order
        for g, x in zip(grads, leaves, strict=True):
            assert g == x.grad or abs(g - x.grad) <= 1e-13 * (1 + abs(x.grad)), engine


@settings(max_examples=100, deadline=None)
@given(programs(numbers=st.integers(-300, 300).map(lambda n: n / 100)))
def test_programs_of_existing_graphs_have_the_bits_of_the_engine(drawn):
    leaves, root = drawn.build(Value)
    for engine in ENGINES:
        program = Program.of(root, leaves, backend=engine)
        value, grads = program.value_and_grad(*drawn.leaves, argnums=range(len(leaves)))
        right = mg.gradients(root, leaves)
        assert value == root.data
        for g, want in zip(grads, right, strict=True):
            assert g == want or abs(g - want) <= 4e-15 * largest_share(drawn) or math.isnan(want)


def largest_share(drawn):
    """The largest product along one path: merged lines add up in another order."""
    return sum([abs(x) for x in drawn.gradients()], 1.0) * 1e3


def network(parameters, x):
    """A small network in the notation of the notes: affine, tanh, affine."""
    W, b, V = parameters
    hidden = mg.tanh(mg.affine([x], W, b))
    return (hidden @ V)[0, 0]


SHAPES = [(2, 3), (3,), (3, 1)]


def numbers(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_network_has_the_bits_of_the_engine(engine):
    parameters, x = [numbers(i, *s) for i, s in enumerate(SHAPES)], numbers(9, 2)
    program = record(network, [np.zeros(s) for s in SHAPES], np.zeros(2), backend=engine)
    value, (dP, dx) = program.value_and_grad(parameters, x, argnums=(0, 1))
    nodes, xs = [mg.matrix(p) for p in parameters], mg.matrix(x)
    y = network(nodes, xs)
    y.backward()
    assert value == y.data
    assert all((g == mg.grads(v)).all() for g, v in zip(dP, nodes, strict=True))
    assert (dx == mg.grads(xs)).all()
    assert [g.shape for g in dP] == SHAPES


# A batch.


def by_hand(parameters, X):
    """Values, Σ ∂/∂parameters and ∂/∂x, one sample after the other by the engine."""
    values, dX = [], []
    sums = [np.zeros(s) for s in SHAPES]
    for x in X:
        nodes, xs = [mg.matrix(p) for p in parameters], mg.matrix(x)
        y = network(nodes, xs)
        y.backward()
        values.append(y.data)
        dX.append(mg.grads(xs))
        sums = [s + mg.grads(v) for s, v in zip(sums, nodes, strict=True)]
    return np.array(values), sums, np.array(dX).reshape(len(X), 2)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 100, 513, 2049, 5000])
def test_a_batch_is_its_samples_one_after_the_other(engine, count):
    parameters, X = [numbers(i, *s) for i, s in enumerate(SHAPES)], numbers(9, count, 2)
    program = record(network, parameters, np.zeros(2), backend=engine).batched((None, 0))
    few = slice(None) if count < 600 else slice(0, 600)
    values, (dP, dX) = program.value_and_grad(parameters, X, argnums=(0, 1))
    right, sums, each = by_hand(parameters, X[few])
    assert (values[few] == right).all()
    assert (program(parameters, X) == values).all()
    assert (dX[few] == each).all()
    assert dX.shape == X.shape
    if few == slice(None):
        for g, s in zip(dP, sums, strict=True):
            np.testing.assert_allclose(g, s, rtol=0, atol=1e-15 * max(count, 1))


@pytest.mark.parametrize("engine", ENGINES)
def test_sums_over_a_batch_do_not_depend_on_the_number_of_threads(engine):
    parameters, X = [numbers(i, *s) for i, s in enumerate(SHAPES)], numbers(9, 9000, 2)
    program = record(network, parameters, np.zeros(2), backend=engine)
    runs = [program.batched((None, 0), threads=n).value_and_grad(parameters, X) for n in (1, 2, 5)]
    for values, grads in runs[1:]:
        assert (values == runs[0][0]).all()
        assert all((g == h).all() for g, h in zip(grads, runs[0][1], strict=True))


AFFINE = ((3, 4), (4, 2), (2,))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_batch_axis_gives_the_formulas_of_the_affine_layer(engine):
    """dW = Σ outer products = Xᵀ dY, dX = dY Wᵀ, db = 1ᵀ dY: dyadic numbers, so exactly."""

    def sample(x, W, b, dy):
        return mg.dot((mg.affine([x], W, b)[0]).tolist(), dy.tolist())

    rng = np.random.default_rng(0)
    X, W, b, dY = [rng.integers(-64, 64, s) / 8 for s in (*AFFINE, (3, 2))]
    program = record(sample, X[0], W, b, dY[0], backend=engine).batched((0, None, None, 0))
    values, (dX, dW, db) = program.value_and_grad(X, W, b, dY, argnums=(0, 1, 2))
    for found, right in zip((dX, dW, db), mg.formulas.affine_backward(X, W, b, dY), strict=True):
        assert (found == right).all()
    assert (dW == sum([np.outer(x, dy) for x, dy in zip(X, dY, strict=True)])).all()
    assert (values == ((X @ W + b) * dY).sum(axis=1)).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_the_samples_share_counts_once_for_each(engine):
    """A penalty on shared numbers is in each sample's loss; where() shuts, kinks and ties too."""

    def f(w, x):
        return mg.maximum(w * x, x, 1.0) + 0.5 * w * w + mg.where(w, x * w, x) + mg.exp(w)

    w, X = 0.5, np.array([-2.0, 0.0, 1.0, 4.0, 4.0])
    values, (dw, dX) = (
        record(f, 1.0, 1.0, backend=engine).batched((None, 0)).value_and_grad(w, X, argnums=(0, 1))
    )
    total = 0.0
    for i, x in enumerate(X):
        a, b = Value(w), Value(x)
        y = f(a, b)
        y.backward()
        assert values[i] == y.data
        assert dX[i] == b.grad
        total += a.grad
    assert dw == pytest.approx(total, rel=1e-14)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_output_that_no_sample_changes_counts_once_for_each(engine):
    program = record(lambda w, x: w * w * 3.0, 1.0, 1.0, backend=engine).batched((None, 0))
    values, (dw, dX) = program.value_and_grad(2.0, np.ones(5), argnums=(0, 1))
    assert values.tolist() == [12.0] * 5
    assert dw == 60.0
    assert dX.tolist() == [0.0] * 5


@pytest.mark.parametrize("engine", ENGINES)
def test_the_batch_may_lie_along_any_axis(engine):
    f = record(lambda X, w: mg.total((X * w).ravel()), np.zeros((2, 3)), 1.0, backend=engine)
    X = numbers(0, 2, 3, 5)
    for axis in (0, 1, 2, -1):
        moved = np.moveaxis(X, 2, axis)
        values, (dX, dw) = f.batched((axis, None)).value_and_grad(moved, 2.0, argnums=(0, 1))
        np.testing.assert_allclose(values, 2 * X.sum(axis=(0, 1)))
        assert dX.shape == moved.shape
        assert (dX == 2.0).all()
        np.testing.assert_allclose(dw, X.sum())


def test_lists_have_a_batch_axis_and_results_keep_their_form():
    f = record(lambda x, y: {0: [x[0] * y, x[1]]}[0], [1.0, 2.0], 3.0)
    assert f([1.0, 2.0], 3.0) == [3.0, 2.0]
    first, second = f.batched()([[1.0, 2.0], [3.0, 4.0]], [10.0, 100.0])
    assert first.tolist() == [10.0, 300.0]
    assert second.tolist() == [2.0, 4.0]


# Errors are the engine's.


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("f", "xs", "kind", "words"),
    [
        (lambda x: mg.log(x), [-1.0], ValueError, "log(x = -1.0)"),
        (lambda x: mg.log(x), [0.0], ValueError, "log(x = 0.0)"),
        (lambda x, y: x / y, [1.0, 0.0], ZeroDivisionError, "div(x = 1.0, y = 0.0)"),
        (lambda x: mg.exp(x * x), [30.0], OverflowError, "exp(mul(…) = 900.0)"),
        (lambda x: 1 / mg.exp(x), [1000.0], OverflowError, "exp(x = 1000.0)"),
        (lambda x: mg.maximum(mg.log(x), 1.0), [-1.0], ValueError, "log(x = -1.0)"),
        (lambda x: x**0.5, [-1.0], ValueError, "power(x = -1.0, 0.5)"),
        (lambda x: mg.where(x, mg.log(x), 0), [0.0], ValueError, "log(x = 0.0)"),
        (lambda x: mg.sin(x), [math.inf], ValueError, "sin(x = inf)"),
    ],
)
def test_a_domain_error_names_the_operation_and_the_label(engine, f, xs, kind, words):
    program = record(f, *[2.0] * len(xs), backend=engine)
    for call in (program, program.value_and_grad):
        with pytest.raises(kind) as caught:
            call(*xs)
        assert isinstance(caught.value, MicrogridError)
        assert words in str(caught.value)
    batch = [np.array([2.0, x, 2.0]) for x in xs]
    with pytest.raises(kind) as caught:
        program.batched().value_and_grad(*batch)
    assert words in str(caught.value)
    assert caught.value.__notes__ == ["in sample 1 of the batch"]


@pytest.mark.parametrize("engine", ENGINES)
def test_inf_and_nan_that_come_in_go_through(engine):
    program = record(lambda x: mg.exp(x) + mg.log(mg.absolute(x) + 1), 1.0, backend=engine)
    assert program(math.inf) == math.inf
    assert math.isnan(program(math.nan))
    assert program.value_and_grad(-math.inf) == (math.inf, -0.0)


def test_the_values_of_examples_do_not_matter():
    f = record(lambda x: mg.log(x) / (x - 2) + mg.arccosh(x), 0.0)
    g = record(lambda x: mg.log(x) / (x - 2) + mg.arccosh(x), 3.0)
    assert f(5.0) == g(5.0) == math.log(5) / 3 + math.acosh(5)


def test_what_is_wrong_with_constants_alone_is_said_while_recording():
    with pytest.raises(ValueError, match="log"):
        record(lambda x: x + mg.log(-1.0), 1.0)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (([1.0, 2.0], 1.0, 1.0), "takes 2 arguments (x, W), got 3"),
        (([1.0], np.zeros((2, 2))), "x: the program takes a list of 2"),
        (([1.0, 2.0], np.zeros((3, 2))), "W: the program takes shape (2, 2), got ndarray of shape"),
        (([1.0, [2.0]], np.zeros((2, 2))), "x[1]: the program takes one number"),
    ],
)
def test_inputs_of_another_shape_are_refused(inputs, words):
    program = record(lambda x, W: x[0] * W[0, 0], [1.0, 2.0], np.zeros((2, 2)))
    with pytest.raises(ShapeError) as caught:
        program(*inputs)
    assert words in str(caught.value)


@pytest.mark.parametrize("bad", ["1", None, 1j, Value(1.0), [1.0], object()])
def test_only_real_numbers_go_in(bad):
    with pytest.raises(MicrogridError):
        record(lambda x: x * x, 1.0)(bad)


@pytest.mark.parametrize(
    ("in_axes", "words"),
    [
        ((None, None), "at least one"), ((0,), "in_axes has 1 entries, the program 2"),
        ((3, None), "x has no axis 3"), ((None, 2), "w has no axis 2"),
    ],
)  # fmt: skip
def test_axes_that_do_not_fit_are_refused(in_axes, words):
    with pytest.raises(ShapeError, match=words):
        record(lambda x, w: x[0] * w, [1.0, 2.0], 1.0).batched(in_axes)


def test_batches_that_do_not_fit_are_refused():
    program = record(lambda x, w: x * w, 1.0, 1.0).batched()
    with pytest.raises(ShapeError, match="x has 3, w has 2 samples"):
        program(np.zeros(3), np.zeros(2))
    with pytest.raises(ShapeError, match=r"x: each sample has shape \(\)"):
        program(np.zeros((3, 1)), np.zeros(3))


def test_there_is_no_gradient_of_several_numbers():
    program = record(lambda x: [x, x * 2], 1.0)
    assert program(3.0) == [3.0, 6.0]
    with pytest.raises(GraphError, match="not one number"):
        program.value_and_grad(3.0)
    with pytest.raises(GraphError, match="argnums=1: the program has 1 argument"):
        record(lambda x: x, 1.0).value_and_grad(3.0, argnums=1)


# Never a wrong branch.


def if_positive(x):
    if x > 0:
        return x * 2
    return x * 3


def by_truth(x):
    return x * 2 if x else x * 3


def by_data(x):
    return x * x.data


def by_max(x):
    return max(x, x * 2)


def by_sorting(x):
    return sorted([x, x * 2])[0]


def by_numpy(x):
    return np.maximum(np.array([x, x]), np.array([x * 2, x]))[0]


def by_loop(x):
    while x < 10:
        x = x * 2
    return x


def by_gradient(x):
    y = x * x
    y.backward()
    return y * x.grad


def by_gradients(x):
    return x * mg.gradients(x * x, [x])[0]


def by_explaining(x):
    return x * mg.explain(x * x).rows[0].local


def by_values(x):
    return x * mg.values([x])[0]


def caught_inside(x):
    try:
        return if_positive(x)
    except BranchError:
        return x * 2


BRANCHES = [if_positive, by_truth, by_data, by_max, by_sorting, by_numpy, by_loop, by_gradient]
BRANCHES += [by_gradients, by_explaining, by_values, caught_inside]


@pytest.mark.parametrize("f", BRANCHES, ids=lambda f: f.__name__)
def test_a_function_that_looks_at_a_number_is_not_recorded(f):
    with pytest.raises(BranchError) as caught:
        record(f, 1.0)
    said = str(caught.value)
    assert "test_program.py, line " in said
    assert "where" in said
    line = int(said.split("line ")[1].split(",")[0])
    code = if_positive.__code__ if f is caught_inside else f.__code__
    assert code.co_firstlineno < line <= code.co_firstlineno + 4


def test_looking_is_free_again_after_recording():
    with pytest.raises(BranchError):
        record(if_positive, 1.0)
    assert Value(1.0) > 0
    assert if_positive(Value(2.0)).data == 4.0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_derivative_inside_sees_the_arguments_outside_of_it(engine):
    """As grad does: what is differentiated by x must not be a plain number on the way."""
    program = record(lambda x: mg.grad(lambda z: z * z * x)(2.0) * x, 1.0, backend=engine)
    assert program.value_and_grad(3.0) == (4.0 * 3 * 3, 8.0 * 3)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("f", [mg.maximum, mg.minimum, mg.logsumexp, mg.mean, mg.total])
def test_operations_on_thousands_of_numbers_have_the_gradients_of_the_engine(engine, f):
    xs = np.arange(1300) % 7 / 4.0
    leaves = mg.matrix(xs)
    (f(list(leaves)) * 2.0).backward()
    _, g = record(lambda x: f(list(x)) * 2.0, xs, backend=engine).value_and_grad(xs)
    assert (g == mg.grads(leaves)).all()


def test_the_variable_of_an_outer_derivative_is_not_frozen():
    with pytest.raises(FrozenError):
        mg.grad(lambda z: z * record(lambda x: x * z, 1.0)(2.0))(3.0)


SOMEWHERE_ELSE = Value(2.0, "w")


def test_a_rule_that_looks_at_a_number_is_named():
    abs_ = mg.custom_op("my_abs", abs, lambda y, x: 1 if x > 0 else -1)
    program = record(lambda x: abs_(x), 1.0)
    assert program(-2.0) == 2.0
    with pytest.raises(BranchError, match="a rule of my_abs looks at a number"):
        program.value_and_grad(-2.0)


@pytest.mark.parametrize(
    "f", [lambda x: x * SOMEWHERE_ELSE, lambda x: x * Value(3.0), lambda x: x * x.detach()]
)
def test_a_leaf_that_is_no_input_is_not_frozen(f):
    with pytest.raises((FrozenError, BranchError)):
        record(f, 1.0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "f",
    [
        lambda x: mg.where(mg.relu(x), x * 2, x * 3),
        lambda x: mg.softmax([x, x * 2, -x])[1],
        lambda x: mg.cross_entropy([x, 2 * x, 1.0], 1),
        lambda x: mg.maximum(x, 0.5, -x),
        lambda x: mg.leaky_relu(x) + mg.elu(x) + mg.clip(x, -1, 1),
        lambda x: mg.grad(lambda z: mg.relu(z) * z * z)(x),
        lambda x: mg.grad(mg.grad(mg.tanh))(x) * x,
        lambda x: mg.derivative(lambda z: z**5, 3)(x),
        lambda x: mg.grad(lambda z: mg.maximum(z, z * z, 1.0))(x),
        lambda x: mg.total(mg.jacobian(lambda z: [z[0] * x, z[1] * z[0]])([x, 3.0]).ravel()),
    ],
)
def test_a_recording_is_right_on_both_sides_of_a_branch(engine, f):
    program = record(f, 1.0, backend=engine)
    for x in (-2.0, -1.0, -0.3, 0.0, 0.3, 0.5, 1.0, 2.0):
        leaf = Value(x)
        y = f(leaf)
        y.backward()
        value, slope = program.value_and_grad(x)
        assert value == y.data
        assert slope == pytest.approx(leaf.grad, rel=1e-14, abs=1e-300)


# What a program is.


def test_a_program_survives_pickling_and_holds_no_value():
    program = record(network, [np.zeros(s) for s in SHAPES], np.zeros(2))
    parameters, x = [numbers(i, *s) for i, s in enumerate(SHAPES)], numbers(9, 2)
    program.value_and_grad(parameters, x)
    text = pickle.dumps(program)
    assert b"microgrid.engine.value" not in text
    copy = pickle.loads(text)
    assert copy(parameters, x) == program(parameters, x)
    assert repr(copy) == repr(program)


def test_many_threads_may_run_one_program():
    program = record(network, [np.zeros(s) for s in SHAPES], np.zeros(2))
    parameters, X = [numbers(i, *s) for i, s in enumerate(SHAPES)], numbers(9, 400, 2)
    right = [program.value_and_grad(parameters, x) for x in X]
    barrier = threading.Barrier(8)

    def work(k):
        barrier.wait()
        return [program.value_and_grad(parameters, x) for x in X[k::8]]

    with ThreadPoolExecutor(8) as pool:
        for k, results in enumerate(pool.map(work, range(8))):
            for (v, g), (value, grads) in zip(results, right[k::8], strict=True):
                assert v == value
                assert all((a == b).all() for a, b in zip(g, grads, strict=True))


def test_results_are_the_callers_own():
    program = record(lambda x: x * 2, np.zeros(3))
    first = program(np.ones(3))
    second = program(np.zeros(3))
    assert first.tolist() == [2.0] * 3
    assert second.tolist() == [0.0] * 3
    square = record(lambda x: mg.total(x * x), np.zeros(3))
    x = np.ones(3)
    _, g = square.value_and_grad(x)
    square.value_and_grad(np.zeros(3))
    assert g.tolist() == [2.0] * 3


def test_equal_lines_become_one_and_constants_are_folded():
    program = record(lambda x: mg.exp(x + 1) * mg.exp(x + 1) + (mg.exp(x * 0 + 2) * 0), 1.0)
    assert [op.name for op in program.tape.ops].count("exp") == 1
    assert len(record(lambda x: x * (Value.exp(mg.total([x, 0]) * 0 + 1)), 1.0).tape) <= 5
    f = record(lambda x: mg.exp(x) + 1, 1.0)
    g = record(lambda x: [mg.exp(x), mg.sin(x)][0] + 1, 1.0)  # the sine leads nowhere
    assert len(f.tape) == len(g.tape) == 2


def test_zero_and_minus_zero_are_two_constants():
    program = record(lambda x: [mg.arctan2(0.0, x), mg.arctan2(-0.0, x)], 1.0)
    assert program(-1.0) == [math.pi, -math.pi]


def test_the_order_of_inputs_and_their_use_do_not_matter():
    program = record(lambda x, y, z: z - x, 1.0, 1.0, 1.0)
    value, grads = program.value_and_grad(1.0, 2.0, 4.0, argnums=(0, 1, 2))
    assert value == 3.0
    assert grads == (-1.0, 0.0, 1.0)
    assert record(lambda x: x, 1.0).value_and_grad(5.0) == (5.0, 1.0)
    assert record(lambda x: 7.0, 1.0).value_and_grad(5.0) == (7.0, 0.0)
    assert record(lambda x: np.array([[x, 2.0]]), 1.0)(5.0).tolist() == [[5.0, 2.0]]


def test_a_custom_operation_runs_in_numpy_and_says_so():
    cube = mg.custom_op("cube", lambda x: x**3, lambda y, x: 3 * x * x)
    program = record(lambda x: cube(x) + x, 1.0)
    assert program.backend == "numpy"
    assert program.value_and_grad(2.0) == (10.0, 13.0)
    with pytest.raises(GraphError, match="cube is not compiled"):
        record(lambda x: cube(x), 1.0, backend="numba")
    with pytest.raises(GraphError, match="no backend 'cuda'"):
        record(lambda x: x, 1.0, backend="cuda")


def test_without_numba_a_program_runs_in_numpy(monkeypatch):
    monkeypatch.setattr("microgrid.program.runner.find_spec", lambda name: None)
    program = record(lambda x: mg.tanh(x), 1.0)
    assert program.backend == "numpy"
    assert program(0.5) == math.tanh(0.5)
    with pytest.raises(GraphError, match='pip install "numba>='):
        record(lambda x: x, 1.0, backend="numba")


def test_data_that_was_set_since_is_refused():
    x = Value(1.0)
    y = x * 2
    x.data = 3.0
    with pytest.raises(GraphError, match="run the forward pass again"):
        Program.of(y, [x])


def test_a_cycle_made_by_hand_is_refused():
    x = Value(1.0)
    y = x * 2
    z = y + 1
    y._a = z
    with pytest.raises(GraphError, match="cycle"):
        Program.of([z, 1.0], [x])


def test_arguments_of_an_existing_graph_have_the_names_of_their_leaves():
    w, b, rate = mg.matrix([1.0, 2.0], "w"), Value(1.0, "b"), Value(0.5, "learning_rate")
    program = Program.of(mg.total(w) * rate + b, [w, rate, b])
    with pytest.raises(ShapeError, match=r"3 arguments \(w, learning_rate, b\)"):
        program(1.0)
    with pytest.raises(ShapeError, match=r"2 arguments \(x_1, x_2\)"):
        Program.of(w[0] * w[1], [w[0], w[1]])()


def test_several_results_of_one_existing_graph_share_its_lines():
    x = mg.matrix(np.arange(3.0), "x")
    y = mg.tanh(mg.total(x))
    program = Program.of([y, [y * 2, 5.0], x[0]], [x])
    assert program(np.zeros(3)) == [0.0, [0.0, 5.0], 0.0]
    assert len(program.tape) == 3


def test_inputs_of_an_existing_graph_are_different_leaves():
    x = Value(1.0)
    with pytest.raises(GraphError, match="leaves"):
        Program.of(x * 2, [x * 2])
    with pytest.raises(GraphError, match="different"):
        Program.of(x * 2, [x, x])
    with pytest.raises(FrozenError, match="not among the inputs"):
        Program.of(x * Value(2.0, "w"), [x])


@pytest.mark.parametrize("engine", ENGINES)
def test_deep_and_wide_graphs_have_the_bits_of_the_engine(engine):
    """Beyond one window of lines: a chain, and a leaf that is used ten thousand times."""

    def f(x, w):
        for _ in range(10_000):
            x = x * w + 0.00025
        return mg.tanh(x)

    x, w = Value(0.3), Value(0.9999)
    y = f(x, w)
    y.backward()
    program = record(f, 1.0, 1.0, backend=engine)
    assert program.value_and_grad(0.3, 0.9999, argnums=(0, 1)) == (y.data, (x.grad, w.grad))


@settings(max_examples=60, deadline=None)
@given(graphs(most=12), st.data())
def test_a_batch_of_a_random_graph_is_its_samples_one_by_one(graph, data):
    """Whatever is shared: also where all samples share what a local gradient is made of."""
    f, xs = graph

    def g(*vs):  # with a quotient and an exponential of what may be shared
        return f(*vs) / (vs[0] * vs[0] + 2) + mg.exp(-vs[-1] * vs[-1]) * vs[0]

    axes = data.draw(st.lists(st.sampled_from([0, None]), min_size=len(xs), max_size=len(xs)))
    axes[data.draw(st.integers(0, len(xs) - 1))] = 0
    count = data.draw(st.integers(1, 4))
    inputs = [x if a is None else x + np.arange(count) / 4 for x, a in zip(xs, axes, strict=True)]
    samples = [
        [Value(x if a is None else x[k]) for x, a in zip(inputs, axes, strict=True)]
        for k in range(count)
    ]
    values = []
    for leaves in samples:
        y = g(*leaves)
        y.backward()
        values.append(y.data)
    for engine in ENGINES:
        batched = record(g, *xs, backend=engine).batched(tuple(axes))
        found, grads = batched.value_and_grad(*inputs, argnums=range(len(xs)))
        assert found.tolist() == values
        for i, axis in enumerate(axes):
            each = np.array([leaves[i].grad for leaves in samples])
            right = each if axis == 0 else each.sum()
            np.testing.assert_allclose(grads[i], right, rtol=1e-12, atol=1e-12 * np.abs(each).max())


# In pieces: windows of the tape, chunks of a batch.


@pytest.mark.parametrize("window", [1, 3])
def test_windows_of_any_size_give_the_same_bits(window, monkeypatch):
    for module in ("lines", "schedule"):  # their length; when there are any
        monkeypatch.setattr(f"microgrid.program.plan.{module}.WINDOW", window)
    test_random_graphs_have_the_bits_of_the_engine()
    test_a_batch_of_a_random_graph_is_its_samples_one_by_one()


@pytest.mark.parametrize("chunk", [1, 3])
def test_chunks_of_any_size_give_the_same_numbers(chunk, monkeypatch):
    monkeypatch.setattr("microgrid.program.batch_run.CHUNK", chunk)
    test_a_batch_of_a_random_graph_is_its_samples_one_by_one()


@pytest.mark.parametrize("count", [10, 1000, 5000])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_sum_over_a_batch_is_right_to_the_rounding_of_its_order(engine, count):
    """At most √n roundings of the largest partial sum (and at least 4)."""
    W, X = numbers(0, 4), numbers(1, count, 4)
    loss = record(lambda w, x: mg.tanh(mg.dot(w, x)), W, X[0], backend=engine)
    _, dw = loss.batched((None, 0)).value_and_grad(W, X)
    _, each = loss.batched((0, 0)).value_and_grad(np.broadcast_to(W, X.shape), X)
    for k in range(4):
        exact = math.fsum(each[:, k])
        largest = max(abs(np.cumsum(each[:, k])).max(), abs(each[:, k]).max())
        assert abs(dw[k] - exact) <= max(4, count**0.5) * math.ulp(largest)


# The compiled engine on disk.


def test_the_next_process_does_not_compile():
    code = "import microgrid as mg; print(mg.record(lambda x: mg.tanh(x * x), 1.0)(0.5))"
    before = None
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == repr(math.tanh(0.25))
        times = {p: p.stat().st_mtime_ns for p in numba_engine.folder().glob("*/__pycache__/*")}
        assert times
        assert before is None or times == before
        before = times
    assert "compiles" not in done.stderr


def test_the_text_of_the_engine_has_every_operation():
    text = numba_engine.kernel_source()
    for name, op in numba_engine.compiled_ops().items():
        fast = name in numba_engine.FAST  # in a batch there is another function for it
        assert text.count(f"  # {name}\n") == 2 + fast, name
        assert op.terms is None


# Planted bugs.


def no_swap(args, code):
    return args


def unresolved(to):
    return to


def no_check(self, *args):
    run(self, *args)
    return False


run = numba_engine.Engine.run
add_pieces = backward.add_pieces


def last_piece_alone(lines, out, up, local, batched, order):
    """A sum in pieces begins anew in each window."""
    keep = np.ones(len(out), dtype=bool)
    keep[:-1] = (np.diff(out) != 0) | (np.diff(order.window) == 0)
    add_pieces(lines, *[x[keep] for x in (out, up, local, batched)], order.take(keep))


PLANTED = {
    "a row where a number is expected": (
        "microgrid.program.plan.schedule.factors", no_swap,
        lambda: test_the_batch_axis_gives_the_formulas_of_the_affine_layer("numba")),
    "sums that are not put together": (
        "microgrid.program.plan.forward.followed", unresolved,
        lambda: test_a_network_has_the_bits_of_the_engine("numpy")),
    "errors that nobody looks for": (
        "microgrid.program.engines.numba_engine.Engine.run", no_check,
        lambda: test_a_domain_error_names_the_operation_and_the_label(
            "numba", lambda x: mg.log(x), [-1.0], ValueError, "log(x = -1.0)")),
    "numbers that nobody watches": (
        "microgrid.program.program.no_concrete_reads", lambda *_: nullcontext(),
        lambda: test_a_function_that_looks_at_a_number_is_not_recorded(if_positive)),
    "pieces of sums that are forgotten": (
        "microgrid.program.plan.backward.add_pieces", last_piece_alone,
        lambda: test_deep_and_wide_graphs_have_the_bits_of_the_engine("numba")),
    "0 in the place of nothing": (
        "microgrid.program.plan.backward.masked", lambda lines, edges: edges.local,
        lambda: test_behind_a_shut_gate_nothing_comes_back("numpy", GATES[1])),
    "0 and −0 as one constant": (
        "microgrid.program.tape.number_of", lambda v: v._number,
        test_zero_and_minus_zero_are_two_constants),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_in_programs_is_caught(name, monkeypatch):
    target, bug, test = PLANTED[name]
    monkeypatch.setattr(target, bug)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test()


# Behind gates that are shut nothing comes back, not even 0 × inf does.


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("f", GATES)
def test_behind_a_shut_gate_nothing_comes_back(engine, f):
    points = [(x, y) for x in (0.0, 0.25, 1.0) for y in (0.0, 0.25, 4.0)]
    program = record(f, 1.0, 1.0, backend=engine)
    X, Y = map(np.array, zip(*points, strict=True))
    _, (dX, dY) = program.batched().value_and_grad(X, Y, argnums=(0, 1))
    for (x, y), dx, dy in zip(points, dX, dY, strict=True):
        a, b = Value(x), Value(y)
        root = f(a, b)
        root.backward()
        value, grads = program.value_and_grad(x, y, argnums=(0, 1))
        assert (value, *grads) == (root.data, a.grad, b.grad)
        assert (dx, dy) == (a.grad, b.grad)
        listing = program.listing(x, y)
        found = [listing._statements.gradient[v].data for v in listing._statements.inputs]
        assert found == [a.grad, b.grad]
        own: dict = {}
        exec(program.source("python"), own)
        assert own["value_and_grad"](x, y) == (value, grads)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("f", GATES)
def test_behind_a_gate_that_samples_share_nothing_comes_back(engine, f):
    X = np.array([0.0, 0.25, 1.0])
    for y in (0.0, 0.25):
        batched = record(f, 1.0, 1.0, backend=engine).batched((0, None))
        _, (dX, dy) = batched.value_and_grad(X, y, argnums=(0, 1))
        total = 0.0
        for x, dx in zip(X, dX, strict=True):
            a, b = Value(x), Value(y)
            f(a, b).backward()
            assert dx == a.grad
            total += b.grad
        assert dy == pytest.approx(total, rel=1e-14)


# What a tester has found.


@pytest.mark.parametrize("engine", ENGINES)
def test_a_product_that_has_taken_another_in_keeps_its_place(engine):
    def f(a, b, c):
        return mg.total([a, b, (c * c) * 1.0])

    assert record(f, 1.0, 1.0, 1.0, backend=engine)(1e16, -1e16, 1.0) == 1.0


def test_a_joint_rule_with_too_few_or_too_many_gradients_is_refused():
    for wrong in (lambda y, a, b: (b,), lambda y, a, b: (b, a, a)):
        bad = mg.Op("bad", lambda a, b: a * b, joint=wrong)
        program = record(lambda a, b, op=bad: op(a, b), 2.0, 3.0)
        with pytest.raises(ValueError, match="'bad' has 2 parents"):
            program.value_and_grad(2.0, 3.0)


def test_a_rule_for_plain_numbers_only_is_named():
    op = mg.custom_op("my_exp", math.exp, lambda y, x: math.exp(x))
    with pytest.raises(ValueError, match=r"my_exp takes plain numbers only.*mg\.exp"):
        record(lambda x: op(x), 1.0).value_and_grad(1.0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_slope_of_a_power_that_is_not_real_is_nan_everywhere(engine):
    slope = falling(1)
    a, b = -7.046187323569368e-83, -2.0136954925128614
    assert math.isnan(slope(a, b))
    assert math.isnan(record(lambda x, y: slope(x, y), 1.0, 1.0, backend=engine)(a, b))


def in_a_thread(x):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(if_positive, x).result()


def in_another_context(x):
    return Context().run(if_positive, x)


def by_setting(x):
    x.data = 5.0
    return x * 2


def by_text(x):
    return x * float(f"{x}")


@pytest.mark.parametrize("f", [in_a_thread, in_another_context, by_setting, by_text])
def test_no_way_round_leads_to_a_number(f):
    with pytest.raises(BranchError):
        record(f, 1.0)


def test_other_threads_go_on_while_one_records():
    looked = []

    def elsewhere():
        looked.append(Value(2.0) * 3.0 > 5)

    def f(x):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return x * 2

    assert record(f, 1.0)(4.0) == 8.0
    assert looked == [True, True]  # f runs twice


def test_a_variable_of_an_earlier_recording_is_not_frozen():
    kept = []
    record(lambda x: kept.append(x) or x * x, 7.0)
    with pytest.raises(FrozenError):
        record(lambda y: y * kept[0], 1.0)


def test_a_derivative_at_a_plain_number_is_a_constant():
    program = record(lambda x: x * mg.grad(lambda z: z**3)(2.0), 1.0)
    assert program.value_and_grad(3.0) == (36.0, 12.0)


@pytest.mark.parametrize("name", [n for n, op in EVERY.items() if not (op.hint or op.domain)])
def test_an_operation_without_hint_and_domain_never_raises(name):
    """So the compiled engine need not look whether its results are finite."""
    op = EVERY[name]

    @settings(max_examples=200, deadline=None)
    @given(st.tuples(*[st.sampled_from(NUMBERS) | st.floats()] * (op.arity or 2)))
    def check(xs):
        assert isinstance(op.forward(*xs), int | float)

    check()


def test_threads_load_one_compiled_engine(monkeypatch):
    loaded = []
    monkeypatch.setattr(numba_engine, "kernel", cache(lambda: loaded.append(1) or slow_kernel()))
    batched = record(lambda x: mg.tanh(x), 1.0, backend="numba").batched(threads=8)
    batched(np.zeros(9 * 2048))
    assert loaded == [1]


def slow_kernel(kernel=numba_engine.kernel):
    time.sleep(0.05)
    return kernel()


def test_more_arguments_than_bits():
    program = record(lambda *xs: mg.total(xs), *[1.0] * 70)
    value, grads = program.value_and_grad(*[2.0] * 70, argnums=(0, 61, 62, 65, 69))
    assert value == 140.0
    assert grads == (1.0,) * 5
    with pytest.raises(ShapeError, match="at most 62 arguments"):
        program.batched()


def test_integers_do_not_grow_while_recording():
    def f(x):
        for _ in range(40):
            x = x * x + 1
        return x

    assert len(record(f, 3).tape) == 80
    assert record(lambda x: x, 10**400)(1) == 1.0


def test_thousands_of_operations_are_refused_in_words():
    def f(x):
        for i in range(2100):
            x = mg.custom_op(f"op{i}", lambda v: v + 1, lambda y, v: 1)(x)
        return x

    with pytest.raises(GraphError, match="operations"):
        record(f, 1.0)


@pytest.mark.parametrize(
    ("example", "given"),
    [
        (np.ones((2, 2)), [[1.0], [2.0, 3.0]]), (1.0, [[1.0], [2.0, 3.0]]),
        ([1.0, 2.0, 3.0], [[1.0], [2.0, 3.0]]),
    ],
)  # fmt: skip
def test_ragged_lists_are_refused(example, given):
    program = record(lambda x: mg.total(np.array(x).ravel()), example)
    for call in (program, program.batched()):
        with pytest.raises(ShapeError):
            call(given)


class Point(NamedTuple):
    x: float
    y: float


def test_named_tuples_stay_what_they_are():
    program = record(lambda p: Point(p.x * p.y, p.x), Point(1.0, 1.0))
    assert program(Point(2.0, 3.0)) == Point(6.0, 2.0)
    _, g = record(lambda p: p.x * p.y, Point(1.0, 1.0)).value_and_grad(Point(2.0, 3.0))
    assert g == Point(3.0, 2.0)
    assert type(g) is Point


@pytest.mark.parametrize("bad", [None, "0", {0}, slice(1), ["a"], 1.0, np.array([0])])
def test_argnums_that_are_no_numbers_are_refused(bad):
    with pytest.raises(GraphError, match="argnums"):
        record(lambda x: x, 1.0).value_and_grad(1.0, argnums=bad)


@pytest.mark.parametrize("bad", ["0", ([0],), {0: 0}, (0.0,)])
def test_axes_that_are_no_numbers_are_refused(bad):
    with pytest.raises(ShapeError):
        record(lambda x: x, 1.0).batched(bad)


@pytest.mark.parametrize("bad", ["2", -1, 0, 2.5])
def test_threads_that_are_no_number_are_refused(bad):
    with pytest.raises(ShapeError, match="threads"):
        record(lambda x: x, 1.0).batched(0, threads=bad)


def test_an_operation_that_gives_no_real_number_is_refused():
    op = mg.custom_op("root", lambda x: x**0.5, lambda y, x: 1)
    with pytest.raises(MicrogridError, match="real number"):
        record(lambda x: op(x), 1.0)(-1.0)
    huge = mg.custom_op("huge", lambda x: 10**400, lambda y, x: 1)
    assert record(lambda x: huge(x), 1.0)(1.0) == math.inf


def test_a_batch_with_a_legitimate_inf_looks_at_that_sample_alone(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "microgrid.program.batched.explain_failure", lambda tape, row: calls.append(row)
    )
    X = np.zeros(5000)
    X[1234] = math.inf
    assert record(lambda x: mg.exp(x), 1.0).batched()(X)[1234] == math.inf
    assert len(calls) == 1
