"""The node and its backward pass."""

import gc
import math
import subprocess
import sys
import weakref
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.planting import assert_caught, plant_rule
from shared.processes import printed
from shared.strategies import Program, fractions, programs, small_integers

import microgrid as mg
from microgrid import Value, gradients
from microgrid.check import museum
from microgrid.engine import numeric
from microgrid.engine.errors import GraphError
from microgrid.engine.value import topological


def grads(nodes):
    return [v.grad for v in nodes]


of_two_engines = pytest.mark.parametrize("Value", [Value, museum.Value], ids=["ours", "museum"])


@of_two_engines
@given(program=programs())
def test_backward_sums_over_every_path(program: Program, Value):
    nodes = program.nodes(Value)
    nodes[-1].backward()
    for i, v in enumerate(nodes):
        assert v.grad == program.sum_over_paths(i)


@given(programs())
def test_gradients_equals_backward_and_changes_nothing(program):
    nodes = program.nodes(Value)
    pure = gradients(nodes[-1])
    assert all(v._grad is None for v in nodes)
    nodes[-1].backward()
    assert all(type(v.grad) is Fraction for v in nodes)
    assert all(pure[v] == v.grad for v in topological(nodes[-1]))


@given(programs(), fractions)
def test_backward_is_linear_in_the_upstream(program, upstream):
    nodes = program.nodes(Value)
    nodes[-1].backward()
    ones = grads(nodes)
    nodes = program.nodes(Value)
    nodes[-1].backward(upstream)
    assert grads(nodes) == [upstream * g for g in ones]


@given(programs(), programs())
def test_the_gradient_of_a_sum_is_the_sum_of_the_gradients(left, right):
    shared = [Value(Fraction(n, 3)) for n in range(1, 5)]

    def root(program):
        graph = [*shared[: len(program.leaves)]]
        for name, i, j in program.steps:
            # the operations that divide by nothing: the leaves are not the program's own
            graph.append(graph[i] - graph[j] if name in ("sub", "div") else graph[i] * graph[j])
        return graph[-1]

    f, g = root(left), root(right)
    separately = [a + b for a, b in zip(gradients(f, shared), gradients(g, shared), strict=True)]
    assert gradients(f + g, shared) == separately


polynomials = programs(names=("add", "sub", "mul"))


@of_two_engines
@given(passes=st.lists(st.tuples(polynomials, fractions), min_size=1, max_size=3))
def test_leaves_sum_up_several_passes_and_inner_nodes_hold_the_last(passes, Value):
    x = Value(Fraction(2, 3))
    expected = 0
    h = x * x - 1
    for program, upstream in passes:
        same_leaves = replace(program, leaves=[h.data] * len(program.leaves))
        root = program.compute([h] * len(program.leaves))[-1] * upstream
        root.backward()
        dh = sum(same_leaves.gradients()) * upstream
        assert h.grad == dh
        expected += dh * 2 * x.data
        assert x.grad == expected


def test_accumulation_where_published_engines_give_58():
    x = Value(3.0)
    h = x * 2
    (h * h).backward()
    (h * 5).backward()
    assert x.grad == 34
    assert h.grad == 5


def test_the_same_root_twice_counts_twice():
    x = Value(3.0)
    y = x * x * x
    y.backward()
    y.backward()
    assert x.grad == 54
    assert y.grad == 1


def test_a_leaf_that_is_the_root_adds_the_upstream():
    x = Value(3.0)
    x.backward()
    x.backward(0.5)
    assert x.grad == 1.5


def test_zero_grad_reaches_every_node():
    x = Value(3.0)
    y = (x * 2).exp()
    y.backward()
    y.zero_grad()
    assert grads(topological(y)) == [0.0] * 4


def test_detach_cuts_the_graph():
    x = Value(3.0, "x")
    y = x.detach() * x
    y.backward()
    assert x.grad == 3.0
    assert x.detach().op is None


def test_parents_and_local_gradients_are_tuples_one_for_one():
    x, y = Value(3.0), Value(4.0)
    product = x * y
    assert product.parents == (x, y)
    assert [local(12.0, 3.0, 4.0) for local in product.local_gradients] == [4.0, 3.0]
    assert product.local_gradients is (y * x).local_gradients  # shared, not made per node
    assert (x * x).parents == (x, x)
    assert x.parents == () == x.local_gradients
    assert mg.total([x, y, x]).parents == (x, y, x)
    assert [local(3, 1, 1, 1) for local in mg.total([x, y, x]).local_gradients] == [1, 1, 1]


def test_a_local_gradient_on_values_is_a_value():
    x = Value(0.5)
    y = x.tanh()
    local = y.local_gradients[0](y, x)
    assert isinstance(local, Value)
    assert local.data == y.local_gradients[0](y.data, x.data)


def test_a_shut_gate_passes_not_even_nothing_times_infinity():
    x = Value(0.0)
    root = x.sqrt()
    y = mg.where(x > 0, root, 0.0)
    y.backward()
    assert (y.data, x.grad, root.grad) == (0.0, 0.0, 0.0)


def test_a_shut_gate_clears_what_an_earlier_pass_left_on_inner_nodes():
    x = Value(4.0)
    root = x.sqrt()
    root.backward()
    mg.where(x < 0, root, 0.0).backward()
    assert root.grad == 0.0
    assert x.grad == 0.25


@pytest.mark.parametrize(
    ("leaf", "kind"), [(2.5, float), (Fraction(1, 3), Fraction), (3, int)], ids=str
)
def test_gradients_keep_the_kind_of_the_data(leaf, kind):
    x = Value(leaf)
    assert type(x.grad) is kind
    y = x + x * x - 2
    y.backward()
    assert type(x.grad) is kind
    assert type(y.grad) is kind
    assert x.grad == 1 + 2 * leaf
    assert type(gradients(y, x)) is kind


@given(small_integers, small_integers)
def test_data_set_after_the_forward_pass_is_never_silently_wrong(a, b):
    x, y = Value(float(a), "x"), Value(float(b), "y")
    product = x * y
    total = product + 1
    x.data = 7.0
    for root in (product, total):
        with pytest.raises(GraphError, match=r"mul\(x = 7.0, y = .*run the forward pass again"):
            root.backward()
    assert x.grad == y.grad == 0.0
    (x * y).backward()
    assert x.grad == b


def test_data_set_on_an_inner_node_is_refused_by_backward():
    x = Value(2.0)
    h = x.exp()
    y = h * 3
    h.data = 1.0
    for root in (h, y, h * 3):
        with pytest.raises(GraphError, match="exp"):
            root.backward()


def test_a_training_step_may_set_data_between_graphs():
    w = Value(1.0)
    for _ in range(3):
        w.zero_grad()
        loss = (w - 3) ** 2
        loss.backward()
        w.data -= 0.25 * w.grad
    assert w.data == 3 - 2 * 0.5**3


def test_a_cycle_made_by_hand_is_an_error():
    x = Value(1.0)
    h = x * 2
    y = h + 1
    h._a = y
    with pytest.raises(GraphError, match="cycle"):
        y.backward()


def test_failure_leaves_every_gradient_alone():
    def broken(y, x):
        raise RuntimeError("my own rule")

    bad = mg.custom_op("bad", lambda x: x, broken)
    x = Value(2.0)
    h = x * 3
    h.backward()
    y = bad(h) * h
    before = grads(topological(y))
    with pytest.raises(RuntimeError, match="my own rule"):
        y.backward()
    assert grads(topological(y)) == before


def test_depth_needs_no_recursion():
    x = Value(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.backward()
    y.zero_grad()
    y.backward(2.0)
    assert x.grad == 2.0
    assert gradients(y, x) == 1.0


def test_width_needs_no_quadratic_time():
    xs = [Value(float(i)) for i in range(100_000)]
    mg.dot(xs, xs).backward()
    assert xs[10].grad == 20.0
    mg.maximum(xs).backward()
    assert xs[-1].grad == 2 * 99_999.0 + 1


def test_graphs_are_freed_without_the_cyclic_collector():
    class Number(float):  # a float that can be watched
        pass

    gc.disable()
    try:
        x = Value(1.0)
        x._number = watched = Number(1.5)
        y = (x * x).exp() / x
        y.backward()
        alive = weakref.ref(watched)
        del x, y, watched
        assert alive() is None
    finally:
        gc.enable()


def test_gradients_do_not_depend_on_the_hash_seed():
    code = """
import microgrid as mg
xs = [mg.Value(0.1 * i, f"x{i}") for i in range(1, 9)]
ys = [mg.tanh(a * b + c) for a in xs for b in xs for c in xs]
mg.total([y * z for y, z in zip(ys, reversed(ys))]).backward()
print([x.grad.hex() for x in xs])
"""
    assert "0x" in printed(code)


def test_nan_never_disappears():
    x = Value(math.nan)
    y = mg.maximum(x * 0, 1.0) + 2
    y.backward()
    assert math.isnan(y.data)
    assert math.isnan(x.grad)


@pytest.mark.parametrize("big", [10**400, Fraction(10) ** 400])
def test_backward_never_raises_where_exact_numbers_lie_beyond_the_floats(big):
    for f, upstream, right in [
        (lambda x: x**2, 1, 2 * big),  # the exponent's own share, y log x, is beyond the floats
        (lambda x: x * x, 1.0, math.inf),
    ]:
        x = Value(big)
        f(x).backward(upstream)
        assert x.grad == right
    x = Value(10**400)  # of a Fraction so large Python has no logarithm
    mg.log(x * x).backward()
    assert x.grad == 0.0


def test_a_derivatives_graph_beyond_the_floats_is_right_or_an_error():
    x = Value(10**400)
    first = mg.gradients(x * x, x, create_graph=True)
    assert (first.data, mg.gradients(first, x)) == (2 * 10**400, 2)
    with pytest.raises(OverflowError, match="an int of 1329 bits"):
        numeric.product(x, 0.5)


@pytest.mark.parametrize("result", [1j, None, "3", np.ones(2), Value(3.0)])
def test_an_operation_that_gives_no_number_is_refused(result):
    bad = mg.custom_op("bad", lambda x: result, lambda y, x: 1)
    with pytest.raises(mg.MicrogridError):
        bad(Value(1.0))


def test_numpys_own_numbers_become_pythons():
    zero = mg.custom_op("zero", lambda x: np.float64(0.0), lambda y, x: 0)
    with pytest.raises(ZeroDivisionError):
        1 / zero(Value(1.0))
    assert mg.where(np.float64(1) > 0, Value(2.0), 0).data == 2.0
    assert Value(np.array(2.5)).data == 2.5


def test_gradients_that_a_shut_gate_gives_keep_their_kind():
    for number in (5.0, Fraction(5)):
        x = Value(number)
        (mg.clip(x, 0, 1) + mg.maximum(x, 7)).backward()
        assert x.grad == 0
        assert type(x.grad) is type(number)


READERS = [mg.gradients, mg.draw, mg.explain, mg.steps]


@pytest.mark.parametrize("read", READERS, ids=lambda f: f.__name__)
def test_a_number_is_no_graph(read):
    with pytest.raises(mg.MicrogridError, match=r"starts at a Value|float"):
        read(3.0)


def test_equality_is_identity_and_values_are_hashable():
    a, b = Value(1.0), Value(1.0)
    assert a != b
    assert a == a
    assert len({a, b}) == 2


def test_a_representation_shows_what_is_there():
    x = Value(2.0, "x")
    assert repr(x) == "Value(2.0, label='x')"
    (x * x).backward()
    assert repr(x) == "Value(2.0, label='x', grad=4.0)"
    assert f"{x:.3f}" == "2.000"


# Tests of the tests.

PATHS = test_backward_sums_over_every_path
PASSES = test_leaves_sum_up_several_passes_and_inner_nodes_hold_the_last
BROKEN = [
    (PATHS, "overwrites", "mul"), (PATHS, "forgets_upstream", "mul"), (PATHS, "swapped", "mul"),
    (PATHS, "right_sign", "sub"), (PATHS, "divides_once", "div"), (PATHS, "parents_in_a_set", ""),
    (PATHS, "level_by_level", ""), (PATHS, "pre_order", ""), (PATHS, "recursion_for_sort", ""),
    (PATHS, "equal_nodes_merged", ""), (PASSES, "inner_keep", ""), (PASSES, "leaves_forget", ""),
]  # fmt: skip


@pytest.mark.parametrize(("test", "name", "op"), BROKEN)
def test_a_broken_engine_is_caught(test, name, op, monkeypatch):
    assert_caught(test, monkeypatch, Value=museum.broken(name, op))


def test_a_backward_pass_that_forgets_its_upstream_is_caught(monkeypatch):
    right = Value.backward
    monkeypatch.setattr(Value, "backward", lambda v, upstream=1: right(v))
    assert_caught(test_backward_is_linear_in_the_upstream, monkeypatch)


def test_a_sum_that_forgets_its_right_side_is_caught(monkeypatch):
    plant_rule(monkeypatch, "left_only", "add")
    assert_caught(test_the_gradient_of_a_sum_is_the_sum_of_the_gradients, monkeypatch)


def test_what_a_value_does_does_not_depend_on_the_rooms_that_are_imported():
    """The rooms are imported where they are first asked for: none may change the engine then."""
    code = """
import importlib, pkgutil
import microgrid
from microgrid.engine.op import TABLE, Op
from microgrid.engine.value import Value

before = [dict(vars(x)) for x in (Value, Op, TABLE)] + [dict(TABLE)]
for module in pkgutil.walk_packages(microgrid.__path__, "microgrid."):
    if module.name.split(".")[-1] not in ("__main__", "_microgrid_pytest"):
        importlib.import_module(module.name)
assert before == [dict(vars(x)) for x in (Value, Op, TABLE)] + [dict(TABLE)]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
