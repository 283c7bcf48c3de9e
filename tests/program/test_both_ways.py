"""Programs in both directions: tangents, pullbacks and Jacobians, and programs as functions."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared.graphs import GATES, graphs
from shared.operations import EVERY, anywhere, like, operands
from shared.strategies import QUICK, Pair, integer_floats, programs, structures

import microgrid as mg
from microgrid import Value, nn, record
from microgrid.engine import forward
from microgrid.engine.errors import (
    ArgumentError,
    GraphError,
    MicrogridError,
    NumberError,
    ShapeError,
)
from microgrid.engine.trees import tree_map
from microgrid.program.derived import tangent

ENGINES = ["numba", "numpy"]
few = settings(max_examples=40, deadline=None)


def flat(x):
    """The numbers of a structure, in order."""
    x = [*x.values()] if isinstance(x, dict) else x
    return [z for y in x for z in flat(y)] if isinstance(x, list | tuple | np.ndarray) else [x]


def bits(x):
    return [float(y).hex() for y in flat(x)]


def inner(a, b):
    return sum([x * y for x, y in zip(flat(a), flat(b), strict=True)])


def outcome(f, *xs):
    """The bits that f returns, or the error that it raises."""
    try:
        return bits(f(*xs))
    except MicrogridError as error:
        return type(error)


# Integers, and a root that adds, subtracts and multiplies them, are exact in floats.
polynomials = programs(integer_floats, ("add", "sub", "mul"), most=5)
directions = st.lists(integer_floats, min_size=20, max_size=20)


@few
@given(polynomials, directions, directions)
def test_a_row_times_jacobian_times_a_column_is_the_same_from_both_sides(program, u, v):
    """⟨v, J u⟩ = ⟨Jᵀ v, u⟩ exactly, with every node as an output."""
    x = list(program.leaves)
    recorded = record(lambda x: program.compute(x), x)
    value, tangent = recorded.jvp((x,), (u[: len(x)],))
    same_value, pullback = recorded.vjp(x)
    v = v[: len(value)]
    (back,) = pullback(v)
    assert value == same_value == program.numbers()
    assert inner(v, tangent) == inner(back, u[: len(x)])
    matrix = recorded.jacobian()(x)
    assert tangent == (matrix @ u[: len(x)]).tolist()
    assert back == (v @ matrix).tolist()


@few
@given(polynomials)
def test_columns_by_forward_mode_are_rows_by_reverse_mode(program):
    x = list(program.leaves)
    recorded = record(lambda x: program.compute(x), x)
    forward, reverse, fewer = (
        recorded.jacobian(0, mode)(x) for mode in ("forward", "reverse", None)
    )
    assert (forward == reverse).all()
    assert (forward == fewer).all()
    assert (forward == mg.jacobian(lambda x: program.compute(x))(x)).all()


@few
@given(graphs(), st.lists(st.integers(-300, 300), min_size=4, max_size=4))
def test_tangents_of_random_programs_have_the_bits_of_the_engine(graph, speeds):
    f, xs = graph
    us = [s / 100 for s in speeds[: len(xs)]]
    for engine in ENGINES:
        program = record(f, *xs, backend=engine)
        assert outcome(program.jvp, xs, us) == outcome(mg.jvp, f, xs, us)
        assert outcome(program.vjp(*xs)[1], 0.5) == outcome(mg.vjp(f, *xs)[1], 0.5)


@pytest.mark.parametrize("name", EVERY)
def test_the_tangent_of_every_operation_has_the_bits_of_the_engine(name):
    op = EVERY[name]

    @settings(max_examples=15, deadline=None)
    @given(operands(like(name), anywhere), st.floats(-2, 2))
    def check(xs, u):
        xs = [float(x) for x in xs]
        us = [u, *[1.0] * (len(xs) - 1)]
        program = record(lambda *vs: op(*vs), *xs, backend="numpy")
        assert outcome(program.jvp, xs, us) == outcome(mg.jvp, lambda *vs: op(*vs), xs, us)

    check()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("f", GATES)
def test_behind_a_shut_gate_nothing_moves(engine, f):
    program = record(f, 1.0, 1.0, backend=engine)
    for x in (0.0, 0.25, 1.0):
        for y in (0.0, 0.25, 4.0):
            for u in ((1.0, 0.0), (0.0, 1.0), (2.0, 3.0)):
                assert outcome(program.jvp, (x, y), u) == outcome(mg.jvp, f, (x, y), u)


def shaped(p, s):
    """Several results in a structure of their own."""
    numbers = flat(p)
    return {"sum": mg.total([mg.sin(v * (k + 1)) for k, v in enumerate(numbers)]),
            "rest": Pair(numbers[0] * s, [v * v - s for v in numbers])}  # fmt: skip


@few
@given(structures(), st.integers(0, 99))
def test_both_directions_take_and_give_any_structure(x, seed):
    """In the forms of the direct calls, which are checked against each other exactly."""
    program, draw = record(shaped, x, 1.0), np.random.default_rng(seed)
    u = tree_map(lambda _: draw.integers(-8, 8) / 4, x)
    value, tangent = program.jvp((x, 0.5), (u, 0.25))
    for got, want in zip((value, tangent), mg.jvp(shaped, (x, 0.5), (u, 0.25)), strict=True):
        assert str(got) == str(want)
    same, pullback = pickle.loads(pickle.dumps(program)).vjp(x, 0.5)
    assert str(same) == str(value)
    upstream = {"rest": value["rest"], "sum": 2.0}
    back, _ = got = pullback(upstream)
    ordered = {"sum": 2.0, "rest": value["rest"]}
    assert np.allclose(flat(got), flat(mg.vjp(shaped, x, 0.5)[1](ordered)), atol=1e-12)
    assert type(back) is type(x)
    assert math.isclose(inner(got, (u, 0.25)), inner(ordered, tangent), abs_tol=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_tangents_of_a_batch_are_those_of_its_samples(engine):
    program = record(shaped, {"w": [1.0, 2.0], "b": 1.0}, 1.0, backend=engine)
    w, b, s = np.arange(6.0).reshape(3, 2), np.array([1.0, -1.0, 0.5]), np.array([2.0, 3.0, 4.0])
    many = program.batched((0, 0)).jvp(({"w": w, "b": b}, s), ({"w": w + 1, "b": b}, s * 0))
    shared = program.batched((None, 0)).jvp(({"w": [1.0, 2.0], "b": 3.0}, s),
                                            ({"w": [1.0, 0.0], "b": 0.0}, s))  # fmt: skip
    for i in range(3):
        own = {"w": w[i], "b": b[i]}
        one = program.jvp((own, s[i]), ({"w": w[i] + 1, "b": b[i]}, 0.0))
        assert [x[i] for x in flat_arrays(many)] == flat(one)
        one = program.jvp(({"w": [1.0, 2.0], "b": 3.0}, s[i]), ({"w": [1.0, 0.0], "b": 0.0}, s[i]))
        assert [x[i] for x in flat_arrays(shared)] == flat(one)
    again = pickle.loads(pickle.dumps(program.batched((0, 0))))
    assert bits(again.jvp(({"w": w, "b": b}, s), ({"w": w + 1, "b": b}, s * 0))) == bits(many)


def flat_arrays(x):
    """The arrays of a structure, in order."""
    x = [*x.values()] if isinstance(x, dict) else x
    return [z for y in x for z in flat_arrays(y)] if isinstance(x, list | tuple) else [x]


def fall(g, v0):
    """A trajectory: where a ball is at some times."""
    x, v, path = 0.0, v0, []
    for _ in range(5):
        v = v - g * 0.1
        x = x + v * 0.1
        path.append(x)
    return path


def test_a_trajectory_has_gradients():
    program = record(fall, 9.81, 1.0)
    with pytest.raises(GraphError, match=r"a list of 5, not one number.*see jacobian and vjp"):
        program.value_and_grad(9.81, 1.0)
    with pytest.raises(GraphError, match="see jacobian and vjp"):
        program.gradient()
    dg, dv = program.jacobian((0, 1))(9.81, 1.0)
    assert np.allclose(dg.ravel(), [-0.01 * k * (k + 1) / 2 for k in range(1, 6)])
    assert np.allclose(dv.ravel(), [0.1 * k for k in range(1, 6)])
    path, pullback = program.vjp(9.81, 1.0)
    assert path == program(9.81, 1.0)
    assert np.allclose(pullback([0.0, 0.0, 0.0, 0.0, 1.0]), (-0.15, 0.5))
    assert np.allclose(program.jvp((9.81, 1.0), (0.0, 1.0))[1], dv.ravel())
    assert program.jacobian(mode="forward").batched((0, None))(np.ones(4), 1.0).shape == (4, 5, 1)


@pytest.mark.parametrize("mode", ["forward", "reverse", None])
def test_a_jacobian_is_a_program_with_a_listing_a_source_and_a_jacobian(mode):
    program = record(lambda x, y: [x[0] * x[1] * y, x[0] ** 2], [1.0, 1.0], 1.0)
    jacobian = program.jacobian(mode=mode)
    assert jacobian([2.0, 3.0], 4.0).tolist() == [[12.0, 8.0], [4.0, 0.0]]
    space = {}
    exec(jacobian.source(), space)
    assert space["value"]([2.0, 3.0], 4.0) == [[12.0, 8.0], [4.0, 0.0]]
    second = jacobian.jacobian()([2.0, 3.0], 4.0)
    assert second.tolist() == [[0.0, 4.0], [4.0, 0.0], [2.0, 0.0], [0.0, 0.0]]
    assert "v_1 = y·x_2" in str(jacobian.listing()).replace("x_2·y", "y·x_2")


def test_a_jacobian_of_nothing_or_of_a_constant_has_its_shape():
    assert record(lambda x: [], 1.0).jacobian()(1.0).shape == (0, 1)
    assert record(lambda x: [x, 2.0], 1.0).jacobian()(1.0).tolist() == [[1.0], [0.0]]
    assert record(lambda x: 5.0, np.ones((2, 2))).jacobian()(np.ones((2, 2))).tolist() == [
        [0.0] * 4
    ]
    assert record(lambda x: [1.0, 2.0], 1.0).jvp((1.0,), (1.0,)) == ([1.0, 2.0], [0.0, 0.0])
    assert record(lambda x: 2.0, 1.0).vjp(1.0)[1](1.0) == (0.0,)


# A program as a function of the calculus.


def work(p, x):
    return mg.tanh(p["w"][0] * x + p["w"][1]) * p["b"]


P = {"w": [0.5, -0.25], "b": 2.0}


def test_a_program_is_differentiated_like_its_function():
    program = record(work, P, 1.0)
    assert mg.grad(program, (0, 1))(P, 0.5) == mg.grad(work, (0, 1))(P, 0.5)
    assert mg.value_and_grad(program)(P, 0.5) == program.value_and_grad(P, 0.5)
    assert mg.hessian(program)(P, 0.5).tolist() == mg.hessian(work)(P, 0.5).tolist()
    assert np.allclose(mg.hessian(program)(P, 0.5), program.hessian()(P, 0.5), rtol=1e-14)
    assert mg.jvp(program, (P, 0.5), (P, 1.0)) == program.jvp((P, 0.5), (P, 1.0))
    assert mg.vjp(program, P, 0.5)[1](2.0) == mg.vjp(work, P, 0.5)[1](2.0)
    assert mg.jacobian(program, 1)(P, 0.5).tolist() == [[mg.grad(work, 1)(P, 0.5)]]
    assert mg.derivative(lambda x: program(P, x), 3)(0.5) == mg.derivative(lambda x: work(P, x), 3)(
        0.5
    )
    assert mg.gradcheck(program, P, 0.5)
    assert mg.grad(lambda x: program.value_and_grad(P, x, argnums=1)[1])(0.5) == mg.derivative(
        lambda x: work(P, x), 2
    )(0.5)


def test_a_program_is_recorded_in_another():
    program = record(work, P, 1.0)
    both = record(lambda p, x: program(p, x) * program(p, 2.0) + x, P, 1.0)
    direct = record(lambda p, x: work(p, x) * work(p, 2.0) + x, P, 1.0)
    assert both.value_and_grad(P, 0.5) == direct.value_and_grad(P, 0.5)
    tangent = record(lambda x: program.jvp((P, x), (P, 1.0))[1], 1.0)
    assert tangent(0.5) == program.jvp((P, 0.5), (P, 1.0))[1]
    back = record(lambda x: program.vjp(P, x)[1](x)[1], 1.0)
    assert back(0.5) == program.vjp(P, 0.5)[1](0.5)[1]


def test_a_model_is_differentiated_through_its_program():
    model, x = (
        nn.Sequential(nn.Affine(2, 3, seed=1), nn.Tanh(), nn.Affine(3, 1, seed=2)),
        [0.5, 2.0],
    )
    f = lambda m, x: m(x)[0]  # noqa: E731
    program = record(f, model, x)
    want = [v.data for v in mg.grad(f)(model, x).parameters()]
    assert [v.data for v in mg.grad(program)(model, x).parameters()] == want
    assert program.value_and_grad(model, x)[1].tolist() == want


def test_values_that_nobody_differentiates_are_refused_in_words():
    program = record(work, P, 1.0)
    for call in (program, program.value_and_grad):
        with pytest.raises(NumberError, match=r"hand over numbers, like x.data, or differentiate"):
            call(P, Value(1.0))
    for bad in ("1", None, 1j):
        with pytest.raises(MicrogridError) as caught:
            program(P, bad)
        assert "hand over" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda p: p.jvp(P, P), ArgumentError, "primals is a tuple with an entry for each"),
        (lambda p: p.jvp((P, 1.0), 2.0), ArgumentError, "tangents is a tuple"),
        (lambda p: p.jvp((P, 1.0, P), (1.0,)), ShapeError, r"takes 2 arguments .*, got 3"),
        (lambda p: p.jvp((P, 1.0), (P,)), ShapeError, r"takes 2 arguments .*, got 1"),
        (lambda p: p.jvp((P, 1.0), (1.0, P)), ShapeError, "dp: the program takes a dict"),
        (lambda p: p.vjp(P), ShapeError, "takes 2 arguments"),
        (lambda p: p.vjp(P, 1.0)[1]([1.0]), ShapeError, "upstream: the program takes one number"),
        (lambda p: p.jacobian(2), ArgumentError, "the program has 2 arguments"),
        (lambda p: p.jacobian(mode="sideways"), MicrogridError, "'forward' or 'reverse'"),
        (lambda p: p.batched().jvp((1.0,), (1.0,)), ShapeError, "takes 2 arguments"),
    ],
)
def test_what_does_not_fit_is_refused(call, kind, words):
    with pytest.raises(kind, match=words):
        call(record(work, P, 1.0))


def test_errors_of_the_forward_pass_are_the_engines():
    program = record(lambda x: mg.log(x) * x, 1.0)
    for call in (lambda: program.jvp((-1.0,), (1.0,)), lambda: program.vjp(-1.0),
                 lambda: program.jacobian()(-1.0)):  # fmt: skip
        with pytest.raises(MicrogridError, match=r"log\(x = -1.0\)"):
            call()


def test_the_program_of_tangents_is_made_once():
    program = record(work, P, 1.0)
    program.jvp((P, 1.0), (P, 1.0))
    made = program._made(tangent)
    program.jvp((P, 2.0), (P, 1.0))
    assert program._made(tangent) is made
    assert "derived" not in program.__getstate__()


def test_a_tangent_that_forgets_a_share_is_seen(monkeypatch):
    right = forward.carry

    def last_share(order, tangent, as_graph, trace):
        if not as_graph:
            return right(order, tangent, as_graph, trace)
        for v in order:
            for parent, local in forward.edges(v, v.op, True) if v.op else ():
                if parent in tangent:
                    tangent[v] = tangent[parent] * local
        return None

    monkeypatch.setattr(forward, "carry", last_share)
    check = given(polynomials, directions, directions)(
        test_a_row_times_jacobian_times_a_column_is_the_same_from_both_sides.hypothesis.inner_test
    )
    with pytest.raises(AssertionError):
        QUICK(check)()
