"""Programs of gradients: the engine's own pass, recorded, is the oracle of the planned one."""

import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from shared.graphs import GATES, graphs
from shared.operations import EVERY, anywhere, operands

import microgrid as mg
from microgrid import MicrogridError, Value, record
from microgrid.engine.trees import tree_map
from microgrid.program import tape
from microgrid.program.derived import Graph

ENGINES = ["numba", "numpy"]


def joint(program):
    """The value and the gradients of all arguments, as the results of one forward pass."""
    graph = Graph(program)
    gradient = graph.gradient()
    return graph.program_of([*graph.outputs, tree_map(gradient.__getitem__, graph.arguments)])


def bits(x):
    """The numbers of nested lists and arrays, to the last bit: 0 and −0 are two."""
    if isinstance(x, list | tuple):
        return [b for y in x for b in bits(y)]
    return [y.hex() for y in np.asarray(x, dtype=float).ravel().tolist()]


def assert_one_pass(program, *xs):
    """Run as a forward pass, the engine's pass has the bits of the planned one."""
    try:
        want = program.value_and_grad(*xs, argnums=range(len(xs)))
    except MicrogridError as error:
        with pytest.raises(type(error)):
            joint(program)(*xs)
    else:
        assert bits(joint(program)(*xs)) == bits(want)
        assert bits(program.gradient(range(len(xs)))(*xs)) == bits(want[1])


# One pass in two plans.


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_on_random_programs_both_plans_have_the_same_bits(graph):
    f, xs = graph
    for engine in ENGINES:
        assert_one_pass(record(f, *xs, backend=engine), *xs)


@pytest.mark.parametrize("name", EVERY)
def test_for_every_operation_both_plans_have_the_same_bits(name):
    @settings(max_examples=15, deadline=None)
    @given(operands(name, anywhere))
    def check(xs):
        xs = [float(x) for x in xs]
        assert_one_pass(record(lambda *vs: EVERY[name](*vs), *xs, backend="numpy"), *xs)

    check()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("f", GATES)
def test_behind_a_shut_gate_nothing_comes_back_in_either_plan(engine, f):
    program = record(f, 1.0, 1.0, backend=engine)
    for x in (0.0, 0.25, 1.0):
        for y in (0.0, 0.25, 4.0):
            assert_one_pass(program, x, y)


def network(x, parameters):
    """Two hidden layers with relu, one number out."""
    for W, b in parameters:
        x = mg.affine([x], W, b)[0]
        x = mg.relu(x) if len(b) > 1 else x
    return mg.logsumexp(x[0], 0.5, -x[0]) + mg.hypot(x[0], 1.0) + mg.maximum(x[0], x[0] * x[0], 0.0)


SIZES = (2, 16, 16, 1)


def parameters():
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(m, n)), rng.normal(size=n)) for m, n in pairwise(SIZES)]


@pytest.mark.parametrize("engine", ENGINES)
def test_for_a_network_both_plans_and_the_engine_have_the_same_bits(engine):
    x, weights = np.array([0.3, -1.2]), parameters()
    program = record(network, x, weights, backend=engine)
    assert_one_pass(program, x, weights)
    assert bits(program.gradient(1)(x, weights)) == bits(
        [mg.grads(v) for pair in backward(x, weights) for v in pair]
    )


def backward(x, weights):
    """The parameters as Values after a backward pass of the engine."""
    nodes = [(mg.matrix(W), mg.matrix(b)) for W, b in weights]
    network(mg.matrix(x), nodes).backward()
    return nodes


# The programs.


def f(x, W):
    """Of a list and a matrix, with a gate, a tie and a mean."""
    y = mg.where(x[0], mg.tanh(x[0] * W[0, 1]), x[1] ** 3)
    return mg.logsumexp(y, x[1], W[1, 0]) * mg.maximum(x[0], W[0, 0]) + mg.exp(-y * x[1])


EXAMPLE = [0.5, 0.25], np.array([[0.5, -0.75], [1.5, 2.0]])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("argnums", [0, 1, -1, (0,), (1, 0), [0, 1]])
def test_gradients_come_in_the_form_of_their_arguments_with_the_bits_of_grad(engine, argnums):
    program = record(f, *EXAMPLE, backend=engine)
    found, (_, want) = (
        program.gradient(argnums)(*EXAMPLE),
        program.value_and_grad(*EXAMPLE, argnums=argnums),
    )
    assert type(found) is type(want)
    several = isinstance(argnums, tuple | list)
    for g, k in zip(found, argnums, strict=True) if several else [(found, argnums)]:
        assert type(g) is type(EXAMPLE[k])
        assert bits(g) == bits(mg.grad(f, k)(*EXAMPLE))
        assert np.shape(g) == np.shape(EXAMPLE[k])


@settings(max_examples=40, deadline=None)
@given(graphs(most=8))
def test_gradients_and_hessians_of_random_programs_have_the_bits_of_the_engine(graph):
    g, xs = graph
    program = record(lambda v: g(*v) * 1, xs, backend="numpy")
    assert bits(program.gradient()(xs)) == bits(mg.grad(lambda v: g(*v) * 1)(xs))
    assert bits(program.hessian()(xs)) == bits(mg.hessian(lambda v: g(*v) * 1)(xs))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_hessian_of_several_arguments_has_the_entries_of_all(engine):
    program = record(f, *EXAMPLE, backend=engine)
    whole = program.hessian((0, 1))(*EXAMPLE)
    flat = [*EXAMPLE[0], *EXAMPLE[1].ravel()]
    assert bits(whole) == bits(mg.hessian(lambda v: f(v[:2], np.reshape(v[2:], (2, 2))))(flat))
    assert bits(program.hessian(1)(*EXAMPLE)) == bits(whole[2:, 2:])
    assert bits(whole) == bits(whole.T) or np.allclose(whole, whole.T, rtol=1e-14)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_gradient_can_be_differentiated_again_and_again(engine):
    program = record(lambda x: mg.sin(x) * x, 1.0, backend=engine)
    for n in range(5):
        want = mg.derivative(lambda x: mg.sin(x) * x, n)(0.3)
        assert program(0.3) == pytest.approx(
            want, rel=1e-14
        )  # merged lines add up in another order
        program = program.gradient()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_batch_of_gradients_is_its_samples_one_after_the_other(engine):
    X, W = np.array([[0.5, 0.25], [-1.0, 2.0], [0.0, 0.0]]), EXAMPLE[1]
    program = record(f, *EXAMPLE, backend=engine)
    gradients = program.gradient().batched((0, None))(X, W)
    hessians = program.hessian().batched((0, None))(X, W)
    for i, x in enumerate(X.tolist()):
        assert bits([g[i] for g in gradients]) == bits(program.gradient()(x, W))
        assert bits(hessians[i]) == bits(program.hessian()(x, W))


@pytest.mark.parametrize("language", ["python", "numpy", "jax", "torch"])
def test_gradients_and_hessians_have_a_listing_and_a_source(language):
    if language in ("jax", "torch"):
        library = pytest.importorskip(
            language, reason=f"the text for {language} runs in {language}"
        )
        library.config.update("jax_enable_x64", True) if language == "jax" else None
    program = record(f, *EXAMPLE)
    for made in (program.gradient((0, 1)), program.hessian()):
        space = {}
        exec(made.source(language), space)
        np.testing.assert_allclose(
            np.concatenate([np.ravel(x) for x in [*space["value"](*EXAMPLE)]]),
            np.concatenate([np.ravel(x) for x in [*made(*EXAMPLE)]]), rtol=1e-13,
        )  # fmt: skip
        assert "forward" in str(made.listing(*EXAMPLE))
    assert str(record(lambda w, x: (w * x).tanh(), 1.0, 1.0).gradient((0, 1)).listing()) == (
        "   forward ↓\n"
        "   w\n"
        "   x\n"
        "1  v_1 = w·x\n"
        "2  dv_1 = tanh_slope(v_1)\n"
        "3  dw = dv_1·x\n"
        "4  dx = dv_1·w\n\n"
        "tanh_slope: 1 − tanh² x as 4 e / (1 + e)² with e = exp(−2 |x|)"
    )


def test_a_program_of_gradients_is_pickled_and_keeps_its_engine():
    program = record(f, *EXAMPLE, backend="numpy").gradient((0, 1))
    assert program.backend == "numpy"
    copy = pickle.loads(pickle.dumps(program))
    assert bits(copy(*EXAMPLE)) == bits(program(*EXAMPLE))


def test_what_leads_nowhere_has_the_gradient_zero():
    program = record(lambda x, y: [x[0] * 2.0 + 1.0][0], [1.0, 2.0], 3.0)
    assert program.gradient((0, 1))([5.0, 6.0], 7.0) == ([2.0, 0.0], 0.0)
    assert program.hessian((0, 1))([5.0, 6.0], 7.0).tolist() == [[0.0] * 3] * 3
    assert record(lambda x: 7.0, 1.0).gradient()(1.0) == 0.0
    assert record(lambda x: x, 1.0).gradient()(5.0) == 1.0
    assert record(lambda x: mg.total([*x, 1.0]), np.ones(0)).gradient()(np.ones(0)).shape == (0,)


def test_errors_are_those_of_value_and_grad():
    program = record(f, *EXAMPLE)
    several = record(lambda x: [x, x], 1.0)
    for ask in (
        program.gradient,
        program.hessian,
        lambda k: program.value_and_grad(*EXAMPLE, argnums=k),
    ):
        for wrong in (2, -3, "x", (0, 2), None):
            with pytest.raises(MicrogridError) as caught:
                ask(wrong)
            with pytest.raises(type(caught.value)) as asked:
                program.signature.wanted(wrong)
            assert str(asked.value) == str(caught.value)
    for make in (several.gradient, several.hessian):
        with pytest.raises(MicrogridError, match="not one number"):
            make()
    with pytest.raises(MicrogridError, match=r"log\(x = -1.0\)"):
        record(lambda x: mg.log(x) * x, 1.0).gradient()(-1.0)


def test_a_rule_that_builds_no_graph_is_named():
    plain = mg.custom_op("my_exp", math.exp, lambda y, x: math.exp(x))
    looking = mg.custom_op("my_abs", abs, lambda y, x: 1 if x > 0 else -1)
    for op, words in ((plain, "my_exp takes plain numbers only"), (looking, "my_abs looks at")):
        program = record(lambda x, op=op: op(x), 1.0)
        for make in (program.gradient, program.hessian, program.listing, program.source):
            with pytest.raises(MicrogridError, match=words):
                make()


def test_a_rule_of_a_constant_operand_is_not_asked():
    scaled = mg.custom_op(
        "scaled", lambda x, n: x * n, lambda y, x, n: n, lambda y, x, n: math.floor(x)
    )
    program = record(lambda x: scaled(x, 3.0), 1.0)
    assert program.gradient()(2.0) == program.value_and_grad(2.0)[1] == 3.0
    assert "3·" in str(program.listing()) or "·3" in str(program.listing())


# The tests see what is wrong.


def last_share(order, upstream, as_graph=False, trace=None):
    """The last share that arrives is the gradient."""
    gradient = {order[-1]: upstream}
    for v in reversed(order):
        if v.op is not None and v in gradient:
            for parent, local in mg.engine.value.edges(v, v.op, as_graph):
                gradient[parent] = gradient[v] * local
    return gradient


def test_an_overwritten_share_is_seen(monkeypatch):
    monkeypatch.setattr("microgrid.engine.calculus.accumulate", last_share)
    with pytest.raises(AssertionError):
        assert_one_pass(record(lambda x: x * x + x, 1.0), 3.0)


def test_a_factor_that_is_not_one_is_seen(monkeypatch):
    monkeypatch.setattr(tape, "is_one", lambda x: x.op is None if isinstance(x, Value) else x == 1)
    with pytest.raises(AssertionError):
        assert_one_pass(record(lambda x, y: x * y, 1.0, 1.0), 3.0, 2.0)
