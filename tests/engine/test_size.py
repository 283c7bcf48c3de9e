"""Graphs of a million nodes, in depth and in width: time, memory, threads, reproducibility."""

import copy
import gc
import math
import pickle
import sys
import threading
import time
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import pytest
from shared.graphs import slow_order
from shared.processes import printed

import microgrid as mg
from microgrid import Value, gradients
from microgrid.engine.value import topological

MILLION = 1_000_000  # where size itself may break something
MANY = 30_000  # where only time could


def chain(x: Value, n: int) -> Value:
    """A chain of n nodes: ten steps take off 1, and the slope is 1."""
    y = x
    for i in range(n):
        y = -y if i % 10 else 1 - y
    return y


def leaves(n: int) -> list[Value]:
    return [Value(float(i % 7 + 1)) for i in range(n)]


# Depth.


def test_a_chain_of_a_million_nodes_goes_forward_and_backward():
    x = Value(0.25)
    y = chain(x, MILLION)
    assert y.data == 0.25 - MILLION / 10
    y.backward()
    assert (x.grad, y.grad) == (1.0, 1.0)
    y.zero_grad()
    assert (x.grad, y.grad) == (0.0, 0.0)
    assert gradients(y, [x]) == [1.0]
    assert len(topological(y)) == 1 + 1.1 * MILLION  # with a constant for each tenth


def test_paths_that_double_at_every_step_are_summed_in_linear_time():
    """2¹⁰⁰⁰ paths; and the same in Fractions, exactly."""
    for kind in (float, Fraction):
        x = y = Value(kind(1))
        for _ in range(1000):
            y = (y + y) / 2
        z = y * y
        assert gradients(z, x) == 2
        y = x
        for _ in range(1000):
            y = y + y
        assert gradients(y, x) == 2**1000


def test_derivatives_of_derivatives_need_no_recursion_either():
    x = Value(1.0)
    y = x
    for _ in range(20_000):
        y = y * 1.0 + x * 0.0
    root = y * y * x
    dx = gradients(root, x, create_graph=True)
    assert dx.data == 3.0
    assert gradients(dx, x) == 6.0


@pytest.mark.parametrize(
    "through",
    [lambda v: pickle.loads(pickle.dumps(v)), copy.deepcopy],
    ids=["pickle", "deepcopy"],
)
def test_deep_and_wide_graphs_are_copied(through):
    x = Value(0.25)
    xs = leaves(MANY)
    y = mg.total([*xs, chain(x, MANY)]) * mg.dot(xs, xs[::-1])
    y2, x2, first = through((y, x, xs[0]))
    assert y2.data == y.data
    assert gradients(y2, [x2, first]) == gradients(y, [x, xs[0]])


# Width.


def test_a_sum_of_a_million_values_is_one_node():
    xs = leaves(MILLION)
    y = mg.total(xs)
    assert y.data == sum(x.data for x in xs)
    y.backward(2.0)
    assert {x.grad for x in xs} == {2.0}
    y.zero_grad()
    assert {x.grad for x in xs} == {0.0}
    assert set(gradients(y, xs)) == {1.0}


def test_a_dot_product_and_a_maximum_of_half_a_million_values():
    xs = leaves(MILLION // 2)
    mg.dot(xs, xs).backward()
    assert all(x.grad == 2 * x.data for x in xs)
    xs[-1].data = 9.0
    assert mg.dot(xs[:3], xs[-3:]).data == sum(
        a.data * b.data for a, b in zip(xs[:3], xs[-3:], strict=True)
    )
    y = mg.maximum(xs)
    assert gradients(y, [xs[-1], xs[0]]) == [1.0, 0.0]
    z = mg.logsumexp(xs[:MANY])
    assert math.isclose(math.fsum(gradients(z, xs[:MANY])), 1.0, rel_tol=1e-12)


def test_a_node_that_is_used_a_million_times_gets_every_share():
    x = Value(3)
    assert gradients(mg.total([x] * MILLION), x) == MILLION
    y = Value(0)
    for _ in range(MANY):
        y = y + x
    y.backward()
    assert x.grad == MANY


# The table of the backward pass.


def test_the_rows_of_deep_graphs_and_of_wide_ones_come_in_linear_time():
    x = Value(0.25, "x")
    deep = mg.explain(chain(x, MANY)).rows
    assert len(deep) == MANY
    assert (deep[-1].parent, deep[-1].total) == ("x", 1.0)
    xs = leaves(20_000)
    wide = mg.explain(mg.dot(xs, xs)).rows
    assert len(wide) == 2 * len(xs)
    assert wide[-1].total == 2 * xs[-1].data
    assert len({r.gate for r in wide}) == 1


def seconds(f: Any) -> float:
    """The time that this thread has computed: a busy machine does not matter."""
    start = time.thread_time()
    f()
    return time.thread_time() - start


@pytest.mark.parametrize(
    "use",
    [mg.explain, gradients, Value.backward, Value.zero_grad, pickle.dumps, copy.deepcopy],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("make", [mg.total, lambda xs: mg.dot(xs, xs), mg.maximum, sum])
def test_eight_times_the_nodes_take_no_more_than_thirty_times_the_time(make, use):
    """Quadratic would be 64 times. The best of five, without the collector's own passes."""
    gc.collect()
    gc.disable()
    try:
        small, large = make(leaves(1000)), make(leaves(8000))
        best = [min(seconds(lambda y=y: use(y)) for _ in range(5)) for y in (small, large)]
    finally:
        gc.enable()
    assert best[1] < 30 * best[0]


# Memory.


@pytest.mark.parametrize("make", ["deep", "wide", "products", "sum"])
def test_a_node_takes_at_most_250_bytes_with_its_gradient(make):
    tracemalloc.start()
    try:
        if make == "deep":
            y, nodes = chain(Value(0.25), MANY), 1 + 11 * MANY // 10
        elif make == "wide":
            y, nodes = mg.total(leaves(MANY)), MANY + 1
        elif make == "sum":
            y, nodes = sum(leaves(MANY)), 2 * MANY
        else:
            xs = leaves(300)
            y, nodes = mg.total([a * b for a in xs for b in xs]), 300 + 300**2 + 1
        forward = tracemalloc.get_traced_memory()[0] / nodes
        y.backward()
        backward, peak = (m / nodes for m in tracemalloc.get_traced_memory())
    finally:
        tracemalloc.stop()
    assert forward <= 250
    assert backward <= 250
    assert peak <= 700  # the pass needs an order and its gradients, and gives them back


class Watched(float):
    """A float that can be watched."""


@pytest.mark.parametrize("make", ["chain", "sum", "fan", "second order", "a failure", "grad"])
def test_graphs_are_freed_by_reference_counts_alone(make):
    gc.collect()
    gc.disable()
    try:
        x = Value(1.0)
        x._number = watched = Watched(0.5)
        alive = weakref.ref(watched)
        if make == "chain":
            y = chain(x, MANY)
            y.backward()
        elif make == "sum":
            y = mg.total([x * k for k in range(MANY)])
            y.backward()
            mg.explain(mg.total([x, x]))
        elif make == "fan":
            y = mg.total([x] * MANY)
            gradients(y)
        elif make == "second order":
            y = gradients((x * x).tanh() ** 3 / x, x, create_graph=True)
            y.backward()
        elif make == "grad":
            y = mg.grad(mg.grad(lambda t: t.sigmoid() * t))(x)
            mg.hessian(lambda v: v[0] * v[1])([x.data, 2.0])
        else:
            y = (x * x).exp()
            x.data = watched
            with pytest.raises(ValueError, match="run the forward pass again"):
                y.backward()
        del x, y, watched
        assert alive() is None
        assert gc.collect() < 1000 if make == "a failure" else True  # pytest keeps a traceback
    finally:
        gc.enable()


# The same bits each time, and in threads.

PROGRAM = """
import microgrid as mg
xs = [mg.Value(0.1 * i, f"x{i}") for i in range(1, 9)]
ys = [mg.tanh(a * b + c) for a in xs for b in xs for c in xs]
zs = [mg.logsumexp(ys[k:k + 9]) * mg.maximum(ys[k:k + 3]) / ys[k] for k in range(0, 500, 5)]
root = mg.total(zs) + mg.dot(zs, zs[::-1])
slopes = mg.gradients(root, xs, create_graph=True)
mg.total([s * s for s in slopes]).backward()
print([x.grad.hex() for x in xs])
print([g.hex() for g in mg.gradients(root).values()])
print(mg.explain(zs[0]))
print(mg.hessian(lambda v: mg.softmax(v)[0] * mg.hypot(v[1], v[2]))([0.1, 0.2, 0.3]).tolist())
"""


def test_bits_and_orders_do_not_depend_on_the_hash_seed():
    """Derivatives of derivatives, the order of the dict of gradients, and the rows of the table."""
    assert "0x" in printed(PROGRAM)


def test_threads_that_only_read_the_parameters_get_the_right_gradients():
    """Each thread has its own graph over the same leaves, and asks with `gradients`."""
    weights = [Value(0.1 * k) for k in range(1, 30)]
    before = [(w.data, w._grad, w._version) for w in weights]

    def loss(k: int) -> Value:
        return mg.total([mg.tanh(w * k) * w**2 + mg.logsumexp(w, k) for w in weights])

    def task(k: int) -> list[Any]:
        barrier.wait(timeout=60)
        return [gradients(loss(k + 1), weights) for _ in range(20)]

    workers = 8
    barrier = threading.Barrier(workers)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(workers) as pool:
            found = list(pool.map(task, range(workers)))
    finally:
        sys.setswitchinterval(interval)
    for k, results in enumerate(found):
        assert results == [gradients(loss(k + 1), weights)] * 20
    assert [(w.data, w._grad, w._version) for w in weights] == before


def test_threads_differentiate_and_pickle_without_getting_into_each_others_way():
    f = lambda x: mg.exp(x) * x**3  # noqa: E731
    graph = f(Value(0.5))

    def task(k: int) -> Any:
        x = k / 10
        third = mg.derivative(f, 3)(x)
        inner = mg.grad(lambda t: t * mg.grad(lambda s: t * s)(t))(x)
        same = pickle.loads(pickle.dumps(graph)).data == graph.data
        return third, inner, same, mg.hessian(lambda v: v[0] * v[1] ** 2)([x, 1.0]).tolist()

    alone = [task(k) for k in range(40)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(task, range(40))) == alone
    finally:
        sys.setswitchinterval(interval)


# Tests of the tests.


def test_a_recursive_walk_is_seen(monkeypatch):
    monkeypatch.setattr("microgrid.engine.value.topological", slow_order)
    monkeypatch.setitem(globals(), "MILLION", 3000)
    with pytest.raises(RecursionError):
        test_a_chain_of_a_million_nodes_goes_forward_and_backward()


def test_quadratic_time_is_seen():
    def quadratic(y: Value) -> None:
        for p in y.parents[::4]:
            sum([1 for q in y.parents if q is p])

    with pytest.raises(AssertionError):
        test_eight_times_the_nodes_take_no_more_than_thirty_times_the_time(mg.total, quadratic)


def test_a_node_that_keeps_itself_alive_is_seen(monkeypatch):
    right = Value.backward

    def backward(self: Value, upstream: Any = 1) -> None:
        right(self, upstream)
        for v in topological(self):
            if v.op is None:
                v._a = (v,)

    monkeypatch.setattr(Value, "backward", backward)
    with pytest.raises(AssertionError):
        test_graphs_are_freed_by_reference_counts_alone("sum")


def test_a_fat_node_is_seen(monkeypatch):
    right = Value.backward

    def backward(self: Value, upstream: Any = 1) -> None:
        right(self, upstream)
        for v in topological(self):
            v._label = {"grad": v._grad}

    monkeypatch.setattr(Value, "backward", backward)
    with pytest.raises(AssertionError):
        test_a_node_takes_at_most_250_bytes_with_its_gradient("deep")


def test_gradients_that_write_to_shared_leaves_are_seen(monkeypatch):
    right = gradients

    def impure(root: Value, wrt: Any = None) -> Any:
        root.backward()
        return right(root, wrt)

    monkeypatch.setitem(globals(), "gradients", impure)
    with pytest.raises(AssertionError):
        test_threads_that_only_read_the_parameters_get_the_right_gradients()
