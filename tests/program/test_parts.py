"""Operations in parts: the parts give the bits of the whole, and each of them runs once."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid as mg
from microgrid import record
from microgrid.engine.op import TABLE
from microgrid.program.plan import parts
from microgrid.program.plan.schedule import plan

EDGES = [0.0, -0.0, 5e-324, 1 - 2**-53, 37.0, -745.0, 1e16, 1e308, math.inf, -math.inf, math.nan]
NUMBERS = st.sampled_from(EDGES) | st.floats(-40, 40) | st.floats()


def result(f, xs):
    """The number, to the last bit, or the error."""
    try:
        return float(f(*xs)).hex()
    except (ArithmeticError, ValueError) as error:
        return type(error)


def in_parts(op, xs):
    """What the parts of an operation make of these numbers."""
    tape = parts.tape_of_parts(op, len(xs))
    slots = [*xs, *tape.constants.tolist()]
    for line, code in enumerate(tape.code.tolist()):
        slots.append(tape.ops[code].forward(*[slots[s] for s in tape.operands(line)]))
    return slots[tape.outputs[0]]


def assert_bits_of_the_whole(op, xs):
    assert result(lambda *xs: in_parts(op, xs), xs) == result(op.forward, xs)


@pytest.mark.parametrize("op", parts.PARTS, ids=lambda op: op.name)
def test_parts_give_the_bits_of_the_whole(op):
    for xs in itertools.product(EDGES, repeat=3):
        assert_bits_of_the_whole(op, xs)


@given(st.sampled_from([*parts.PARTS]), st.lists(NUMBERS, min_size=2, max_size=6))
def test_whatever_the_numbers_are(op, xs):
    assert_bits_of_the_whole(op, xs)


PLANTED = {
    "the first as the top": lambda *xs: parts.LOGSUMEXP(*parts.exps_below(xs[0], xs)),
    "one left out": lambda *xs: parts.LOGSUMEXP(
        *parts.exps_below(TABLE.stop_gradient_max(*xs), xs[1:])
    ),
    "digits lost": lambda *xs: (
        TABLE.stop_gradient_max(*xs) + TABLE.log(parts.EXP_SUM(
            *parts.exps_below(TABLE.stop_gradient_max(*xs), xs)))
    ),
}  # fmt: skip


@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bugs_are_found(bug, monkeypatch):
    monkeypatch.setitem(parts.PARTS, TABLE.logsumexp, PLANTED[bug])
    parts.tape_of_parts.cache_clear()
    try:
        with pytest.raises(AssertionError):
            test_parts_give_the_bits_of_the_whole(TABLE.logsumexp)
    finally:
        parts.tape_of_parts.cache_clear()


def softmaxes(X):
    """Two with operands in common."""
    return mg.logsumexp(*X) * mg.logsumexp(*X[1:])


@pytest.mark.parametrize("batched", [0, 1])
def test_each_exponential_of_a_softmax_and_its_gradient_runs_once(batched):
    made = plan(record(softmaxes, np.zeros(5)).tape, batched, (0,))
    lines = Counter[str]()
    for part in (made.prologue, made.batch, made.epilogue):
        for code, count, *_ in part.runs.tolist():
            lines[made.ops[code].name if code >= 0 else ""] += count
    assert lines["stop_gradient_max"] == 2
    assert lines["exp_difference"] == 5 + 4
    assert lines["logsumexp_of_parts"] == lines["exp_sum_of_parts"] == 2


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@given(st.lists(st.floats(-40, 40), min_size=5, max_size=5))
def test_lines_with_other_operands_stay_apart(backend, xs):
    program = record(softmaxes, np.zeros(5), backend=backend)
    y, slopes = program.value_and_grad(np.array(xs))
    right = mg.value_and_grad(softmaxes)(np.array(xs))
    assert (y.hex(), slopes.tolist()) == (float(right[0]).hex(), [*map(float, right[1])])


@pytest.mark.parametrize("samples", [1, 8, 31, 32, 40, 100])
def test_rows_side_by_side_are_one_row_and_idle_columns_fail_nowhere(samples, monkeypatch):
    """log of all numbers; the columns behind the samples hold zeros."""
    X = np.random.default_rng(0).uniform(0.1, 2, (samples, 20))
    program = record(lambda w, x: mg.total([mg.log(w * v) * v for v in x]), 1.0, X[0])
    batched = program.batched((None, 0), threads=1)
    monkeypatch.setattr(batched, "_explain_failure", lambda *_: pytest.fail("nothing failed"))
    values, slopes = batched.value_and_grad(1.5, X, argnums=1)
    right = [program.value_and_grad(1.5, x, argnums=1) for x in X]
    assert values.tolist() == [y for y, _ in right]
    assert slopes.tolist() == [g.tolist() for _, g in right]
    X[-1, -1] = -1.0
    with pytest.raises(mg.errors.DomainError, match="log"):
        program.batched((None, 0), threads=1)(1.5, X)
