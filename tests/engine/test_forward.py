"""The two directions agree: tangents from the leaves to the root, gradients from the root back."""

import math
from collections import OrderedDict, namedtuple
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared.operations import EVERY, TABLE, locals_at, roomy, smooth
from shared.strategies import QUICK, Program, fractions, programs

import microgrid as mg
import microgrid.engine.forward
from microgrid import Value, grad, gradients, hvp, jacobian, jvp, nn, partials, tangents, vjp
from microgrid.engine import ops
from microgrid.engine.arguments import holds_value
from microgrid.engine.forward import push_forward
from microgrid.engine.trees import outline, tree_leaves, tree_map
from microgrid.program.tracing import BranchError


def inner(a, b):
    return sum([x * y for x, y in zip(a, b, strict=True)])


def drawn(data, count):
    return data.draw(st.lists(fractions, min_size=count, max_size=count))


@given(programs(), st.data())
def test_a_row_times_jacobian_times_a_column_is_the_same_from_both_sides(program: Program, data):
    """⟨v, J u⟩ = ⟨Jᵀ v, u⟩ exactly, with every node as an output and J u from one pass."""
    f, x = program.compute, list(program.leaves)
    u, v = drawn(data, len(x)), drawn(data, len(x) + len(program.steps))
    value, tangent = jvp(f, (x,), (u,))
    same_value, pullback = vjp(f, x)
    (back,) = pullback(v)
    assert value == same_value == program.numbers()
    assert inner(v, tangent) == inner(back, u)
    assert {*map(type, tangent)} <= {Fraction}


@given(programs(), st.data())
def test_the_tangent_of_a_node_is_the_sum_of_gradient_times_seed(program: Program, data):
    """Wherever the seeds are: inner nodes, too, may move by themselves."""
    nodes = program.nodes(Value)
    where = data.draw(st.lists(st.sampled_from(nodes), min_size=1, max_size=4, unique=True))
    seeds = dict(zip(where, drawn(data, len(where)), strict=True))
    before = [(v.data, v.grad) for v in nodes]
    found = tangents(nodes[-1], seeds)
    assert found.keys() == gradients(nodes[-1]).keys()
    for y, speed in found.items():
        assert speed == inner(gradients(y, list(seeds)), seeds.values())
        assert type(speed) is Fraction
    graph = tangents(nodes[-1], seeds, create_graph=True)
    assert {v: x.data for v, x in graph.items()} == found
    assert [(v.data, v.grad) for v in nodes] == before


@given(programs())
def test_columns_by_forward_mode_are_rows_by_reverse_mode(program: Program):
    nodes = program.nodes(Value)
    inputs = nodes[: len(program.leaves)]
    forward, reverse, fewer = (
        partials(nodes, inputs, mode) for mode in ("forward", "reverse", None)
    )
    assert (forward == reverse).all()
    assert (forward == fewer).all()
    assert {*map(type, forward.ravel())} <= {Fraction}


@settings(max_examples=50)
@given(programs(), st.data())
def test_directions_nest_in_any_order(program: Program, data):
    """uᵀ H v exactly: forward over forward, forward over reverse, reverse over both."""
    n, x = len(program.leaves), list(program.leaves)
    u, v = drawn(data, n), drawn(data, n)

    def f(leaves):
        return program.compute(leaves)[-1]

    def along_v(y):
        return jvp(f, (y,), (v,))[1]

    ways = {
        "forward over forward": jvp(along_v, (x,), (u,))[1],
        "forward over reverse": inner(hvp(f)(x, v), u),
        "reverse over forward": inner(grad(along_v)(x), u),
        "reverse over reverse": inner(grad(lambda y: mg.dot(grad(f)(y), v))(x), u),
        "over a pullback": inner(grad(lambda y: mg.dot(vjp(f, y)[1](1)[0], v))(x), u),
        "in the seed": grad(lambda s: jvp(lambda y: jvp(f, (y,), ([s * a for a in v],))[1],
                                          (x,), (u,))[1])(Fraction(2)),
    }  # fmt: skip
    assert len({*ways.values()}) == 1, ways


@pytest.mark.parametrize("name", TABLE)
@given(st.data())
@settings(max_examples=20)
def test_every_operation_moves_by_its_local_gradients(name, data):
    """Σ local × seed, by the rules on numbers; and along a tangent that is a graph."""
    op, xs = EVERY[name], data.draw(roomy(name))
    us = data.draw(st.lists(st.integers(-3, 3), min_size=len(xs), max_size=len(xs)))
    us = [u * (i in smooth(name, xs)) for i, u in enumerate(us)]
    leaves = [Value(x) for x in xs]
    y = op(*leaves)
    expected = inner(locals_at(op, y.data, xs), us)
    moved = tangents(y, dict(zip(leaves, us, strict=True)))[y]
    graph = tangents(y, dict(zip(leaves, us, strict=True)), create_graph=True)[y].data
    size = inner(map(abs, locals_at(op, y.data, xs)), map(abs, us))
    for found in (moved, graph):
        assert abs(found - expected) <= 8 * math.ulp(size)


# Gates that are shut, numbers that are not finite.


def guarded(x):
    return mg.where(x > 0, mg.sqrt(x), 2 * x)


def kinked(x):
    return mg.where(x, mg.sqrt(mg.relu(x)) * mg.cbrt(x), 3 * x)


@pytest.mark.parametrize("x", [0.0, 1e-300, 4.0])
@pytest.mark.parametrize("f", [guarded, kinked, lambda x: mg.maximum(mg.relu(x), x * x)])
def test_nothing_comes_through_a_gate_that_is_shut_in_any_order(f, x):
    assert jvp(f, (x,), (1.0,))[1] == grad(f)(x)
    second = jvp(grad(f), (x,), (1.0,))[1]
    for other in (grad(grad(f))(x), grad(lambda a: jvp(f, (a,), (1.0,))[1])(x)):
        assert other == pytest.approx(second, rel=1e-12, nan_ok=True)


def test_what_does_not_move_adds_nothing_even_beside_an_infinite_slope():
    x, w = Value(0.0), Value(3.0)
    y = mg.sqrt(x) + w * w
    assert tangents(y, {w: 1})[y] == 6.0
    assert tangents(y, {x: 1})[y] == math.inf
    assert tangents(y, {Value(1.0): 1})[y] == 0.0


def test_a_tangent_beyond_the_floats_is_infinite_and_raises_nothing():
    x = Value(1e200)
    y = x * x.detach() * 10**200
    assert tangents(y, {x: 10**300})[y] == math.inf
    z = Value(2**60) * 2**60
    assert type(tangents(z, {z.parents[0]: 1})[z]) is int


def test_data_set_since_is_refused_in_both_directions():
    x = Value(2.0)
    y = x * x
    x.data = 3.0
    for run in (lambda: tangents(y, {x: 1}), lambda: gradients(y)):
        with pytest.raises(mg.errors.GraphError, match="run the forward pass again"):
            run()


def test_a_rule_that_gives_no_number_is_named():
    bad = mg.custom_op("bad", lambda x: x, lambda y, x: "1")
    with pytest.raises(mg.errors.RuleError, match="bad"):
        jvp(lambda x: bad(x), (2.0,), (1.0,))


def test_a_deep_graph_is_no_deeper_in_forward_mode():
    def chain(x):
        for _ in range(20_000):
            x = x + x * 1e-9
        return x

    assert jvp(chain, (1.0,), (1.0,))[1] == pytest.approx(grad(chain)(1.0), rel=1e-12)


def test_tangents_as_numbers_are_heard_by_the_recorder():
    with pytest.raises(BranchError):
        mg.record(lambda x: x * tangents(x * x, {x: 1})[x], 2.0)
    program = mg.record(lambda x: jvp(lambda y: y**3, (x,), (1.0,))[1], 2.0)
    assert (program(2.0), program.value_and_grad(2.0)[1]) == (12.0, 12.0)


def test_a_pullback_may_be_called_again_and_changes_nothing():
    value, pullback = vjp(lambda x, y: {"sum": x + y, "product": [x * y]}, 2.0, 3.0)
    assert value == {"sum": 5.0, "product": [6.0]}
    for _ in range(2):
        assert pullback({"sum": 1.0, "product": [0.0]}) == (1.0, 1.0)
        assert pullback({"sum": 0.0, "product": [1.0]}) == (3.0, 2.0)


# Structures: whatever form the numbers come in.

Pair = namedtuple("Pair", ["left", "right"])
KEYS = st.sampled_from(["w", "b", ("a", 1), 3])


def forms(number):
    """Numbers in nested lists, tuples, named tuples, dicts and arrays."""
    arrays = st.lists(st.lists(number, min_size=2, max_size=2), min_size=1, max_size=3).map(
        lambda rows: np.array(rows, dtype=object)
    )
    return st.recursive(
        number | arrays,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner, inner)
            | st.builds(Pair, inner, inner)
            | st.dictionaries(KEYS, inner, max_size=3)
            | st.dictionaries(KEYS, inner, max_size=2).map(OrderedDict)
        ),
        max_leaves=8,
    )


def weighted(xs):
    """Σ k x² over the leaves, whose gradient is 2 k x and whose Hessian is 2 k on the diagonal."""
    return mg.total([k * x * x for k, x in enumerate(tree_leaves(xs), 1)])


def types(xs):
    """The containers of a structure, array for array and key for key."""
    if isinstance(xs, dict):
        return type(xs), [(key, types(x)) for key, x in xs.items()]
    if isinstance(xs, list | tuple):
        return type(xs), [types(x) for x in xs]
    return ("array", xs.shape) if isinstance(xs, np.ndarray) else "number"


@given(forms(fractions))
def test_every_function_of_calculus_takes_any_form_and_gives_it_back(xs):
    leaves = tree_leaves(xs)
    expected = [2 * k * x for k, x in enumerate(leaves, 1)]
    products = [2 * k * x for k, x in enumerate(leaves, 1)]  # of the Hessian with xs itself
    pairs = {
        "grad": (grad(weighted)(xs), expected),
        "value_and_grad": (mg.value_and_grad(weighted)(xs)[1], expected),
        "several": (grad(lambda a, b: weighted(a), (1, 0))(xs, xs)[1], expected),
        "hvp": (hvp(weighted)(xs, xs), products),
        "vjp": (vjp(weighted, xs)[1](1)[0], expected),
        "jvp": (jvp(lambda a: a, (xs,), (xs,))[1], leaves),
        "jvp's value": (jvp(lambda a: a, (xs,), (xs,))[0], leaves),
    }
    nodes = tree_map(Value, xs)
    pairs["gradients"] = gradients(root_of(nodes), nodes), expected
    for name, (found, numbers) in pairs.items():
        assert types(found) == types(xs), name
        assert tree_leaves(found) == numbers, name
    assert jvp(weighted, (xs,), (xs,))[1] == inner(expected, leaves)
    slopes = jacobian(lambda a: a)(xs)
    assert slopes.tolist() == np.eye(len(leaves)).tolist()
    curves = [2.0 * k for k in range(1, len(leaves) + 1)]
    assert (
        mg.hessian(weighted)(xs).tolist()
        == (np.diag(curves) if curves else np.zeros((0, 0))).tolist()
    )
    assert len(mg.gradcheck(weighted, xs).entries) == len(leaves)


def root_of(nodes):
    root = weighted(nodes)
    return root if isinstance(root, Value) else Value(root)


def test_an_array_of_fractions_stays_exact_and_one_of_floats_is_of_floats():
    third = np.array([Fraction(1, 3)], dtype=object)
    assert grad(weighted)(third).tolist() == [Fraction(2, 3)]
    assert grad(weighted)({"w": np.array([1.5])})["w"].dtype == float


def squares(model, x):
    return (model(x) ** 2).sum()


def test_a_model_is_an_argument_and_its_gradient_is_a_model():
    model, x = (
        nn.Sequential(nn.Affine(2, 3, seed=1), nn.Tanh(), nn.Affine(3, 1, seed=2)),
        [1.0, -1.0],
    )
    value, gradient = mg.value_and_grad(squares)(model, x)
    root = squares(model, x)
    assert value == root.data
    assert type(gradient) is nn.Sequential
    numbers = gradients(root, model.parameters())
    assert [p.data for p in gradient.parameters()] == numbers
    assert list(gradient.named_parameters()) == list(model.named_parameters())
    assert [p.data for p in gradients(root, model).parameters()] == numbers
    assert all(p.grad == 0 for p in model.parameters())
    assert [type(g) for g in grad(squares, argnums=1)(model, x)] == [float, float]
    tangent = jvp(squares, (model, x), (gradient, [0.0, 0.0]))[1]
    assert tangent == pytest.approx(inner(numbers, numbers), rel=1e-12)
    H = mg.hessian(squares)(model, x)
    assert H.shape == (13, 13)
    product = [p.data for p in hvp(squares)(model, x, gradient).parameters()]
    assert product == pytest.approx(H @ numbers, rel=1e-9, abs=1e-12)
    assert mg.gradcheck(squares, model, x)


def test_a_model_that_was_computed_stays_in_the_graph():
    """One step of gradient descent is differentiated in its rate, and in where it began."""
    model, x = nn.Affine(2, 2, seed=1), [1.0, -1.0]

    def after_a_step(model, rate):
        gradient = grad(squares)(model, x)
        pairs = zip(model.parameters(), gradient.parameters(), strict=True)
        return squares(model.with_parameters([p - rate * g for p, g in pairs]), x)

    assert mg.gradcheck(after_a_step, model, 0.01)
    assert grad(lambda rate: after_a_step(model, rate))(0.01) < 0


def test_a_value_among_the_arguments_makes_the_result_a_value():
    w = Value(3.0)
    for xs in ({"a": [w]}, Pair(1.0, w), [np.array([w, 2.0], dtype=object)], w):
        assert holds_value(xs)
        assert all(isinstance(g, Value) for g in tree_leaves(grad(weighted)(xs)))
    for xs in ({"a": [1.0]}, np.zeros(3), "w", None, nn.Affine(1, 1), [], object()):
        assert not holds_value(xs)


def test_the_forms_of_structures_are_compared_key_by_key():
    assert outline({"a": [1, np.zeros((2, 1))]}) == {"a": [None, [[None], [None]]]}
    assert outline({"a": 1.0}) != outline({"b": 1.0})
    assert outline([1.0, 2.0]) == outline(np.zeros(2)) == outline((1.0, 2.0))


def test_trees_are_mapped_together_key_by_key():
    """One step of gradient descent on a dict, and on a model."""
    p, g = {"w": [1.0, 2.0], "b": (3.0,)}, {"b": [4.0], "w": np.array([6.0, 8.0])}
    assert mg.tree_map(lambda x, d: x - d / 2, p, g) == {"w": [-2.0, -2.0], "b": (1.0,)}
    model = nn.Affine(1, 2)
    gradient = grad(squares)(model, [1.0])
    moved = mg.tree_map(lambda x, d: x - 0.1 * d, model, gradient)
    expected = [
        x.data - 0.1 * d.data for x, d in zip(mg.tree_leaves(model), mg.tree_leaves(gradient))
    ]
    assert [x.data for x in moved.parameters()] == expected
    assert {x.op for x in moved.parameters()} == {None}  # no graph grows from step to step
    with pytest.raises(mg.errors.ShapeError, match="a list of 1 beside a list of 2"):
        mg.tree_map(lambda x, d: x, [1.0, 2.0], [1.0])


def turned(xs):
    """The same structure, with the keys of each dict in the opposite order."""
    if isinstance(xs, dict):
        return {key: turned(xs[key]) for key in reversed(xs)}
    return list(map(turned, xs)) if isinstance(xs, list) else xs


def test_a_direction_may_have_its_keys_in_another_order():
    x = {"w": [2.0, {"b": 3.0, "a": 5.0}], "v": 7.0}
    v = {"w": [0.0, {"b": 1.0, "a": 0.0}], "v": 1.0}
    assert jvp(weighted, (x,), (turned(v),)) == jvp(weighted, (x,), (v,))
    assert hvp(weighted)(x, turned(v)) == hvp(weighted)(x, v)
    pullback = vjp(lambda x: x, x)[1]
    assert pullback(turned(v)) == pullback(v) == (v,)


def test_an_argument_that_is_named_twice_gets_its_gradient_twice_as_in_programs():
    def f(x, y):
        return x * x * y

    for same in [(0, 0), (0, -2), [-2, 0]]:
        assert grad(f, same)(2.0, 3.0) == (12.0, 12.0)
        assert grad(f, same)(2.0, 3.0) == mg.record(f, 2.0, 3.0).gradient(same)(2.0, 3.0)
        assert [J.tolist() for J in jacobian(f, same)(2.0, 3.0)] == [[[12.0]]] * 2
        assert mg.hessian(f, same)(2.0, 3.0).tolist() == [[6.0, 6.0]] * 2
        assert mg.gradcheck(f, 2.0, 3.0, argnums=same)
        with pytest.raises(mg.errors.ArgumentError, match="name it once"):
            hvp(f, same)(2.0, 3.0, (1.0, 1.0))


@pytest.mark.parametrize("seeds", [None, 3.0, [Value(1.0)], "x"])
def test_seeds_are_a_dict(seeds):
    with pytest.raises(mg.errors.ParameterError, match=r"as in \{x: 1\}, got"):
        tangents(Value(1.0), seeds)


def test_what_is_no_speed_is_called_a_tangent():
    with pytest.raises(mg.errors.NumberError, match=r"the tangent of 1\.0 is one real number"):
        jvp(lambda x: x, (1.0,), ("a",))
    with pytest.raises(mg.errors.NumberError, match=r"the tangent of 1\.0 is one real number"):
        tangents(x := Value(1.0), {x: Value(1.0)})


def test_keywords_reach_the_function_and_several_arguments_give_a_tuple():
    def f(x, y, *, scale=1.0):
        return x * x * y * scale

    assert grad(f, argnums=(0, 1))(2.0, 3.0, scale=10.0) == (120.0, 40.0)
    assert grad(f, argnums=(-1,))(2.0, 3.0) == (4.0,)
    assert mg.value_and_grad(f, [1, 0])(2.0, 3.0) == (12.0, (4.0, 12.0))
    Jx, Jy = jacobian(f, argnums=(0, 1))(2.0, 3.0, scale=1.0)
    assert (Jx.tolist(), Jy.tolist()) == ([[12.0]], [[4.0]])
    assert mg.hessian(f)(2.0, 3.0, scale=2.0).tolist() == [[12.0]]
    assert mg.hessian(f, argnums=(0, 1))(2.0, 3.0).tolist() == [[6.0, 4.0], [4.0, 0.0]]
    assert hvp(f)(2.0, 3.0, 1.0, scale=2.0) == 12.0
    assert hvp(f, (0, 1))(2.0, 3.0, (1.0, 1.0)) == (10.0, 4.0)
    assert mg.derivative(lambda x, k: x**3 * k, 2)(2.0, k=2.0) == 24.0
    assert mg.gradcheck(lambda x, n, k: x**n * k, 2.0, 3, argnums=0, k=2.0)
    w = Value(2.0)
    assert isinstance(grad(f)(2.0, 3.0, scale=w), Value)


def test_the_fewer_passes_are_taken(monkeypatch):
    passes = []
    right = microgrid.engine.forward.push_forward
    monkeypatch.setattr(
        "microgrid.engine.calculus.push_forward", lambda *a, **k: passes.append(1) or right(*a, **k)
    )
    tall, wide = (lambda x: [x[0] * k for k in range(5)]), (lambda x: [mg.total(x)])
    assert jacobian(tall)([1.0, 2.0]).shape == (5, 2)
    assert len(passes) == 2
    assert jacobian(wide)([1.0, 2.0, 3.0]).shape == (1, 3)
    assert len(passes) == 2
    assert jacobian(wide, mode="forward")([1.0, 2.0, 3.0]).tolist() == [[1.0, 1.0, 1.0]]
    assert len(passes) == 5
    assert jacobian(tall, mode="backward")([1.0, 2.0])[:, 0].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert len(passes) == 5


# Tests of the tests.

DUALITY = test_a_row_times_jacobian_times_a_column_is_the_same_from_both_sides
SEEDS = test_the_tangent_of_a_node_is_the_sum_of_gradient_times_seed
COLUMNS = test_columns_by_forward_mode_are_rows_by_reverse_mode
ORDERS = test_directions_nest_in_any_order


def last_share_alone(order, seeds, as_graph=False, trace=None):
    """A tangent that the last += overwrites."""
    tangent = dict(seeds)
    for v in order:
        for parent, local in microgrid.engine.value.edges(v, v.op, as_graph) if v.op else ():
            if parent in tangent:
                tangent[v] = tangent[parent] * local
    return tangent


def plain_graph(order, seeds, as_graph=False, trace=None):
    """Tangents as numbers where they have to be graphs."""
    numbers = {v: getattr(x, "data", x) for v, x in seeds.items()}
    return push_forward(order, numbers)


BUGS = {
    "the last share alone, by duality": ("calculus.push_forward", last_share_alone, DUALITY),
    "the last share alone, by seeds": ("calculus.push_forward", last_share_alone, SEEDS),
    "the last share alone, by columns": ("calculus.push_forward", last_share_alone, COLUMNS),
    "tangents that are no graph": ("calculus.push_forward", plain_graph, ORDERS),
    "a product's slopes swapped": (
        "ops.mul.rules", (lambda y, a, b: a, lambda y, a, b: b), ORDERS),
}  # fmt: skip


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_in_forward_mode_is_caught(name, monkeypatch):
    place, bug, test = BUGS[name]
    monkeypatch.setattr(test, "_hypothesis_internal_use_settings", QUICK, raising=False)
    if place.startswith("ops."):
        monkeypatch.setattr(ops.mul, "rules", bug)
    else:
        monkeypatch.setattr(f"microgrid.engine.{place}", bug)
    with pytest.raises((AssertionError, AttributeError)):
        test()
