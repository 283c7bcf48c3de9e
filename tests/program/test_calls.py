"""What a call keeps for the next one: forms and places, never numbers, nor what another asked."""

import gc
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.strategies import QUICK, small_integers

import microgrid as mg
from microgrid.engine.errors import ArgumentError, DomainError, ShapeError
from microgrid.program.plan.schedule import plan

BACKENDS = ["numba", "numpy"]


def product(w, x):
    return w[0] * x + w[1] * w[1]


def by_hand(w, x):
    """The value, and the gradients of both arguments."""
    return w[0] * x + w[1] * w[1], ([x, 2 * w[1]], w[0])


PROGRAMS = {name: mg.record(product, [1.0, 1.0], 1.0, backend=name) for name in BACKENDS}
BATCHES = {name: program.batched((None, 0)) for name, program in PROGRAMS.items()}
asked = st.sampled_from(
    [0, 1, -1, (0,), (1, 0), (0, 1), (-1, -2), [0, 1], [1], np.int64(1), (0, 0)]
)
arguments = st.tuples(st.lists(small_integers, min_size=2, max_size=2), small_integers)
forms = st.sampled_from([list, tuple, np.array, lambda w: np.array(w, dtype=float),
                         lambda w: [float(w[0]), w[1]], lambda w: [*map(float, w)]])  # fmt: skip


def gradients_of(found, argnums):
    several = isinstance(argnums, list | tuple)
    chosen = tuple([found[k] for k in (argnums if several else [argnums])])
    return chosen if several else chosen[0]


@pytest.mark.parametrize("backend", BACKENDS)
@QUICK
@given(st.lists(st.tuples(arguments, asked, forms), min_size=1, max_size=5))
def test_each_call_gives_what_it_asks_for_whatever_was_asked_before(backend, calls):
    program, batch = PROGRAMS[backend], BATCHES[backend]
    for (w, x), argnums, form in calls:
        value, found = by_hand(w, x)
        assert program(form(w), x) == value
        y, gradient = program.value_and_grad(form(w), x, argnums=argnums)
        assert (y, gradient) == (value, gradients_of(found, argnums))
        values, sums = batch.value_and_grad(form(w), [x, 0, x], argnums=argnums)
        dw = [2 * x, 6 * w[1]]
        assert values.tolist() == [value, w[1] ** 2, value]
        each = gradients_of((dw, [w[0]] * 3), argnums)
        kept = sums if isinstance(sums, tuple) else (sums,)
        plain = [g.tolist() if isinstance(g, np.ndarray) else g for g in kept]
        assert plain == list(each if isinstance(each, tuple) else (each,))


@pytest.mark.parametrize("callee", [PROGRAMS["numpy"], BATCHES["numpy"]])
def test_a_list_of_argnums_may_change_between_calls(callee):
    argnums, x = [0], 3.0 if callee is PROGRAMS["numpy"] else [3.0]
    one = callee.value_and_grad([1.0, 2.0], x, argnums=argnums)[1]
    argnums.append(1)
    two = callee.value_and_grad([1.0, 2.0], x, argnums=argnums)[1]
    assert (len(one), len(two)) == (1, 2)


@pytest.mark.parametrize("callee", [PROGRAMS["numpy"], BATCHES["numpy"]])
@pytest.mark.parametrize(("good", "bad"), [(1, True), (1, 1.0), ((0, 1), (False, True)), (0, None)])
def test_what_equals_good_argnums_is_refused_after_them(callee, good, bad):
    x = 3.0 if callee is PROGRAMS["numpy"] else [3.0]
    callee.value_and_grad([1.0, 2.0], x, argnums=good)
    with pytest.raises(ArgumentError, match="argnums"):
        callee.value_and_grad([1.0, 2.0], x, argnums=bad)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_call_returned_is_the_callers(backend):
    program = mg.record(lambda w: mg.dot(w, w), np.ones(3), backend=backend)
    several = mg.record(lambda w: w * w, np.ones(3), backend=backend)
    one, other = np.arange(3.0), np.ones(3)
    gradient, value = program.value_and_grad(one)[1], several(one)
    program.value_and_grad(other), several(other)
    assert gradient.tolist() == [0.0, 2.0, 4.0]
    assert value.tolist() == [0.0, 1.0, 4.0]
    gradient[:] = value[:] = np.nan
    assert program.value_and_grad(one)[1].tolist() == [0.0, 2.0, 4.0]
    assert several(one).tolist() == [0.0, 1.0, 4.0]
    assert one.tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_that_ask_for_different_gradients_do_not_meet(backend):
    program, batch = PROGRAMS[backend], BATCHES[backend]

    def work(k):
        argnums, x = [(0, 1), 0, (1, 0), 1][k % 4], float(k)
        for _ in range(200):
            value, found = by_hand([1.0, 2.0], x)
            right = value, gradients_of(found, argnums)
            if program.value_and_grad([1.0, 2.0], x, argnums=argnums) != right:
                return False
            if batch.value_and_grad([1.0, 2.0], [x], argnums=0)[1] != found[0]:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_call_that_fails_leaves_the_next_one_as_it_is(backend):
    program = mg.record(lambda w, x: mg.log(w) * x[0] + x[1], 1.0, [1.0, 1.0], backend=backend)
    right = program.value_and_grad(2.0, [3.0, 4.0], argnums=(0, 1))
    for w, x, error in [(-1.0, [1.0, 1.0], DomainError), (5.0, [1.0], ShapeError),
                        (5.0, [1.0, "a"], mg.errors.NumberError)]:  # fmt: skip
        with pytest.raises(error):
            program.value_and_grad(w, x, argnums=(0, 1))
        assert program.value_and_grad(2.0, [3.0, 4.0], argnums=(0, 1)) == right


def test_what_is_kept_does_not_travel():
    program, batch = PROGRAMS["numpy"], BATCHES["numpy"]
    program.value_and_grad([1.0, 2.0], 3.0)
    batch.value_and_grad([1.0, 2.0], [3.0])
    for callee, x in ((program, 3.0), (batch, [3.0])):
        copy = pickle.loads(pickle.dumps(callee))
        assert str(copy([1.0, 2.0], x)) == str(callee([1.0, 2.0], x))
        assert copy.value_and_grad([1.0, 2.0], x)[1] == callee.value_and_grad([1.0, 2.0], x)[1]


def test_without_a_batch_all_lines_run_at_once():
    found = plan(PROGRAMS["numpy"].tape, 0, (0, 1))
    assert len(found.prologue.runs)
    assert not len(found.batch.runs)
    assert not len(found.epilogue.runs)


@pytest.mark.parametrize("was_on", [True, False])
def test_the_garbage_collector_is_after_a_recording_as_it_was(was_on):
    before = gc.isenabled()
    try:
        (gc.enable if was_on else gc.disable)()
        mg.record(lambda x: x * x, 1.0)
        assert gc.isenabled() == was_on
        with pytest.raises(mg.errors.BranchError):
            mg.record(lambda x: x if x > 0 else -x, 1.0)
        assert gc.isenabled() == was_on
    finally:
        (gc.enable if before else gc.disable)()
