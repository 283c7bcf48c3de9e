"""Walks over graphs that meet: the marks and numbers that they leave in nodes mislead no other."""

from __future__ import annotations

import linecache
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import reduce
from operator import add
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.graphs import slow_order
from shared.processes import printed

import microgrid as mg
from microgrid import Value, gradients
from microgrid.engine import value, walks
from microgrid.engine.errors import GraphError
from microgrid.engine.numeric import like
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.value import edges, numbered, seed, topological
from microgrid.program import tape

# The oracle: the order by recursion, the sums in a dict, one line for every edge.


def slow_gradients(root: Value, upstream: Any = 1) -> dict[Value, Any]:
    """The pass as the README has it."""
    order = slow_order(root)
    total = {root: seed(root, upstream)}
    for v in reversed(order):
        for parent, local in edges(v, v.op) if v.op and v in total else ():
            if local is not NO_PATH:
                share = total[v] * local
                total[parent] = total[parent] + share if parent in total else share
    return {v: total[v] for v in order if v in total}


STEPS: dict[str, tuple[int, Callable[..., Any]]] = {
    "+": (2, lambda a, b: a + b), "-": (2, lambda a, b: a - b), "*": (2, lambda a, b: a * b),
    "square": (1, lambda a: a * a), "double": (1, lambda a: a + a), "neg": (1, lambda a: -a),
    "relu": (1, lambda a: a.relu()), "constant": (1, lambda a: 3 * a),
    "where": (3, lambda a, b, c: mg.where(a > 0, b, c)),
    "max": (3, lambda a, b, c: mg.maximum(a, b, c)),
    "dot": (3, lambda a, b, c: mg.dot([a, b, c], [c, c, a])),
    "stop": (2, lambda a, b: a + mg.stop_gradient(b)),
}  # fmt: skip
FLOAT_STEPS = STEPS | {
    "/": (2, lambda a, b: a / (1.0 + b * b)), "tanh": (1, lambda a: a.tanh()),
    "power": (1, lambda a: a**2), "hypot": (2, lambda a, b: mg.hypot(a, b)),
}  # fmt: skip


@st.composite
def graphs(draw: st.DrawFn, kind: type = float) -> tuple[Value, list[Value]]:
    """A root and the leaves that it may depend on; nodes are used again and again."""
    numbers = st.integers(-4, 4).map(lambda k: kind(k) / 2 if kind is float else Fraction(k, 3))
    leaves = [Value(x) for x in draw(st.lists(numbers, min_size=1, max_size=4))]
    nodes, steps = list(leaves), FLOAT_STEPS if kind is float else STEPS
    for name in draw(st.lists(st.sampled_from(sorted(steps)), max_size=14)):
        arity, step = steps[name]
        # counted from the last, so that the graph hangs together
        places = draw(st.lists(st.integers(1, len(nodes)), min_size=arity, max_size=arity))
        nodes.append(step(*[nodes[-k] for k in places]))
    return nodes[-1], leaves


def same_bits(found: dict[Value, Any], right: dict[Value, Any]) -> None:
    assert [*found] == [*right]
    assert [(type(g), repr(g)) for g in found.values()] == [
        (type(g), repr(g)) for g in right.values()
    ]


@given(graphs())
def test_the_pass_is_the_slow_one_to_the_last_bit(made):
    root, _ = made
    assert topological(root) == slow_order(root)
    same_bits(value.accumulate(topological(root), seed(root, 1.5)), slow_gradients(root, 1.5))


@given(graphs(Fraction))
def test_the_pass_is_the_slow_one_in_fractions(made):
    root, _ = made
    same_bits(value.accumulate(topological(root), seed(root, 1)), slow_gradients(root))


@given(graphs())
def test_a_pass_with_a_trace_and_one_as_a_graph_give_the_same(made):
    root, leaves = made
    right = slow_gradients(root)
    rows: list[Any] = []
    same_bits(value.accumulate(topological(root), seed(root, 1), trace=lambda *r: rows.append(r)),
              right)  # fmt: skip
    assert {row[1] for row in rows} | {root} == {*right}
    found = gradients(root, leaves, create_graph=True)
    assert [g.data for g in found] == [right.get(v, 0.0) for v in leaves]


@given(graphs(), graphs())
def test_backward_stores_what_the_slow_pass_gives_and_leaves_add_up(first, second):
    (y, leaves), (z, _) = first, second
    root = y * z + leaves[0]
    zero = {v: like(v, 0) for v in topological(root)}
    first_pass, second_pass = zero | slow_gradients(root), zero | slow_gradients(root, 2.0)
    root.backward()
    assert [repr(v.grad) for v in zero] == [repr(first_pass[v]) for v in zero]
    root.backward(2.0)
    for v in zero:
        before = [first_pass[v]] if v.op is None else []
        assert repr(v.grad) == repr(reduce(add, [*before, second_pass[v]]))


# A graph for what follows: each node is used twice, all kinds of gates, some reached by no path.


class Meeting:
    """Two graphs that share leaves and inner nodes, the first with gradients of an older pass."""

    def __init__(self) -> None:
        self.x, self.w = Value(0.5), Value(-1.5)
        h = self.x * self.w + self.x
        k = h * h - self.w * h
        shut = mg.where(k > 100.0, k, h)
        self.other = mg.maximum(h, k, self.w) * self.x + k
        self.root = mg.total([shut, k * shut, h.tanh()]) + self.w * k
        for v in topological(self.root):
            v._grad = 7.0

    def grads(self) -> list[float]:
        return [v.grad for v in slow_order(self.root)]

    def right(self) -> list[float]:
        """What `grads` are after a pass."""
        found = slow_gradients(self.root)
        return [
            found.get(v, 0.0) + (7.0 if v.op is None else 0.0) for v in slow_order(self.root)
        ]  # fmt: skip


FILES = {value.__file__, walks.__file__}


def on_with(file: str, line: int) -> bool:
    """Whether a `with` stands there: between its last line and its end Python runs no handler."""
    return linecache.getline(file, line).lstrip().startswith("with ")


@contextmanager
def at_line(k: int, act: Callable[[], None], functions: set[str] | None = None) -> Iterator[list]:
    """Call `act` before the k-th line of the engine that runs; the list tells whether it came."""
    came: list[bool] = []
    lines = iter(range(sys.maxsize))

    def trace(frame: Any, event: str, _: Any) -> Any:
        code = frame.f_code
        if code.co_filename not in FILES or (functions and code.co_name not in functions):
            return None if event == "call" else trace
        if event == "line" and not on_with(code.co_filename, frame.f_lineno) and next(lines) == k:
            came.append(True)
            sys.settrace(None)
            act()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield came
    finally:
        sys.settrace(before)


def every_line(
    run: Callable[[Meeting, Callable[[Callable[[], None]], Any]], None]
) -> int:  # fmt: skip
    """`run(meeting, at)` once for each line of a pass; how many there are."""
    for k in range(10_000):
        arrived: list[list[bool]] = []

        @contextmanager
        def at(act: Callable[[], None], *functions: str) -> Iterator[None]:
            with at_line(k, act, {*functions} or None) as came:  # noqa: B023 - called at once
                arrived.append(came)  # noqa: B023
                yield

        run(Meeting(), at)
        if not arrived[0]:
            return k
    raise AssertionError("the pass has no end")


def test_an_interruption_at_any_line_leaves_all_gradients_or_none_and_no_lock():
    def run(m: Meeting, at: Any) -> None:
        def interrupt() -> None:
            raise KeyboardInterrupt

        before, right = m.grads(), m.right()
        try:
            with at(interrupt):
                m.root.backward()
        except KeyboardInterrupt:
            assert m.grads() in (before, right)
        else:
            assert m.grads() == right
        free = []
        thread = threading.Thread(target=lambda: free.append(gradients(m.other, m.x)))
        thread.start()
        thread.join(timeout=20)
        assert free == [slow_gradients(m.other)[m.x]]
        assert gradients(m.root, m.x) == slow_gradients(m.root)[m.x]

    assert every_line(run) > 200


def test_a_pass_that_starts_at_any_line_of_another_disturbs_neither():
    """As where a finalizer or a signal starts one, on the same thread, also within the walk."""

    def run(m: Meeting, at: Any) -> None:
        found: list[Any] = []
        right = m.right()
        with at(lambda: found.append(gradients(m.other))):
            m.root.backward()
        assert m.grads() == right
        assert found in ([], [gradients(m.other)])

    assert every_line(run) > 200


def test_a_pass_that_starts_at_any_line_while_a_tape_is_written_disturbs_neither(monkeypatch):
    monkeypatch.setitem(globals(), "FILES", {*FILES, tape.__file__})

    def run(m: Meeting, at: Any) -> None:
        found: list[Any] = []
        inputs = [v for v in topological(m.root) if type(v) is Value and v.op is None]
        right = repr(tape.tape_of([m.root, m.other], inputs))
        with at(lambda: found.append(gradients(m.other)), "walked", "undisturbed"):
            assert repr(tape.tape_of([m.root, m.other], inputs)) == right
        assert found in ([], [slow_gradients(m.other)])

    assert every_line(run) > 100


def test_an_error_of_a_walk_is_its_own_or_that_of_the_one_between():
    met: list[int] = []

    def walk() -> str:
        met.append(len(met))
        if len(met) == 1:  # another walk comes in between
            topological(Value(1.0))
        if len(met) < 3:
            raise ValueError("an input without its mark")
        return "done"

    with pytest.raises(ValueError, match="without its mark"):
        walks.undisturbed(walk)
    assert met == [0, 1]
    assert walks.undisturbed(walk) == "done"


def in_a_thread(f: Callable[[], Any]) -> Any:
    """What f returns in a thread of its own, which is waited for."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(f()), daemon=True)
    thread.start()
    thread.join(timeout=20)
    assert found, "the thread waits for a lock"
    return found[0]


def test_a_pass_of_another_thread_at_any_line_disturbs_neither():
    """While a pass sends its shares it holds no lock, so the other one need not wait."""

    def run(m: Meeting, at: Any) -> None:
        found: list[Any] = []
        right = m.right()
        with at(
            lambda: found.append(in_a_thread(lambda: gradients(m.other))), "send_back", "place"
        ):
            m.root.backward()
        assert m.grads() == right
        assert found in ([], [gradients(m.other)])

    assert every_line(run) > 50


@pytest.mark.parametrize("through", [lambda f: f(), in_a_thread], ids=["nested", "in a thread"])
@pytest.mark.parametrize("how", ["gradients", "as a graph", "backward"])
def test_a_rule_may_start_a_pass_over_the_same_nodes_and_wait_for_it(how, through):
    m = Meeting()
    passes: list[Any] = []

    def inner() -> float:
        if how == "backward":
            m.other.backward()
            return 3.0
        found = gradients(m.other, m.x, create_graph=how == "as a graph")
        passes.append(mg.values(found) if how == "as a graph" else found)
        return 3.0

    triple = mg.custom_op("triple", lambda t: 3.0 * t, lambda y, t: through(inner))
    root = triple(m.root) * m.x + triple(m.x) * m.root
    plain = 3.0 * m.root * m.x + 3.0 * m.x * m.root
    assert gradients(root, [m.x, m.w]) == pytest.approx(gradients(plain, [m.x, m.w]), rel=1e-14)
    assert {float(x) for x in passes} <= {slow_gradients(m.other)[m.x]}
    assert how == "backward" or len(passes) == 2


def test_where_a_rule_raises_no_gradient_has_changed_and_the_next_pass_is_right():
    m = Meeting()
    armed = [True]

    def rule(y: float, t: float) -> float:
        if armed[0]:
            raise RuntimeError("my own rule")
        return 1.0

    same = mg.custom_op("same", lambda t: t, rule)
    root = m.root + same(m.x) * m.root
    before = m.grads()
    with pytest.raises(RuntimeError, match="my own rule"):
        root.backward()
    assert m.grads() == before
    armed[0] = False
    assert gradients(root, [m.x, m.w]) == gradients(m.root + m.x * m.root, [m.x, m.w])


@pytest.mark.parametrize("wide", [True, False])
def test_a_cycle_is_told_whichever_parent_it_goes_through(wide):
    for k in range(3 if wide else 2):
        x = Value(1.0)
        h = mg.total([x * 1, x * 2, x * 3]) if wide else (x * 1) * (x * 2)
        y = h + 1
        if wide:
            h._a = (*h._a[:k], y, *h._a[k + 1 :])
        else:
            setattr(h, "_b" if k else "_a", y)
        for root in (y, h, y * x):
            with pytest.raises(GraphError, match="cycle"):
                topological(root)


def test_what_a_walk_left_is_in_no_pickle():
    m = Meeting()
    before = pickle.dumps(m.root)
    gradients(m.other)
    gradients(m.root)
    assert pickle.dumps(m.root) == before


FORKED = """
import os, sys, threading
import microgrid as mg
from microgrid.engine.walks import walking

x = mg.Value(2.0)
y = x * x
holds, go_on = threading.Event(), threading.Event()

def hold():
    with walking:
        holds.set()
        go_on.wait()

thread = threading.Thread(target=hold)
thread.start()
holds.wait()
threading.Timer(0.1, go_on.set).start()
child = os.fork()
if child == 0:
    import signal
    signal.alarm(60)
    os._exit(0 if mg.gradients(y, x) == 4.0 else 1)
thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), mg.gradients(y, x))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_process_that_is_forked_while_a_thread_walks_can_walk():
    assert printed(FORKED).split() == ["0", "4.0"]


# Tests of the tests.


def test_numbers_without_a_mark_are_seen(monkeypatch):
    def careless(order: list[Value]) -> Any:
        _, _ = numbered(order)
        for v in order:
            v._walk = careless
        return careless, lambda v: v._place

    monkeypatch.setattr(value, "numbered", careless)
    test_the_pass_is_the_slow_one_in_fractions()
    for test in (
        test_a_pass_that_starts_at_any_line_of_another_disturbs_neither,
        test_a_pass_of_another_thread_at_any_line_disturbs_neither,
    ):
        with pytest.raises((AssertionError, IndexError)):
            test()


def test_gradients_that_are_stored_one_by_one_are_seen(monkeypatch):
    def backward(self: Value) -> None:
        for v, g in value.accumulate(topological(self), seed(self, 1)).items():
            value.set_grad(v, g if v.op is not None else v._grad + g)
            pause()

    def pause() -> None: ...

    monkeypatch.setitem(globals(), "FILES", {*FILES, __file__})
    monkeypatch.setattr(Value, "backward", backward)
    with pytest.raises(AssertionError):
        test_an_interruption_at_any_line_leaves_all_gradients_or_none_and_no_lock()


def test_another_order_of_the_sums_is_seen(monkeypatch):
    right = topological

    def turned(root: Value) -> list[Value]:
        order, seen = [], set()
        for v in right(root):
            if v not in seen:
                seen.add(v)
                order.append(v)
        return sorted(order, key=lambda v: v.op is not None)  # the leaves first

    monkeypatch.setitem(globals(), "topological", turned)
    with pytest.raises(AssertionError):
        test_the_pass_is_the_slow_one_to_the_last_bit()
