"""The engine that needs NumPy alone: operations on whole arrays, and runs of lines on views."""

import itertools
import math
import random

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid as mg
from microgrid.engine import numeric
from microgrid.engine.families import FAMILIES
from microgrid.engine.numeric import two_diff
from microgrid.engine.op import TABLE, Op
from microgrid.program.engines import arrays, numpy_engine
from microgrid.program.engines.exponential import Exp, sure_exp
from microgrid.program.engines.numpy_engine import Buffers, Grid, View, pieces

# Operations on arrays.

ORDERS = [family(k) for family in FAMILIES for k in range(3)]
OPS = {op.name: op for op in [*TABLE.values(), *ORDERS] if op.terms is None}
EDGES = [0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, 1e-310, 1e300, -1e300, 36.7, -36.7, 700.0, -700.0]
EDGES += [710.0, -745.0, -750.0, 0.5, 2.0, 3.0, 1e-9, 19.0, 20.0, math.inf, -math.inf, math.nan]
NUMBERS = st.one_of(st.sampled_from(EDGES), st.floats(-40, 40), st.floats())


def number(op, row):
    """What the function of numbers gives, as text with all bits; no text where it raises."""
    try:
        return float(op.forward(*row)).hex()
    except (ArithmeticError, ValueError):
        return ""


def answers(op, rows):
    """What the operation on arrays gives for each row, as such texts; None where it gives none."""
    columns, out = np.array(rows).T[:, None], np.full((1, len(rows)), 7.0)
    with np.errstate(all="ignore"):
        f = arrays.on_arrays(op, False)
        y = f(columns if op.arity is None else list(columns), out)
    return None if y is None else [x.hex() for x in np.broadcast_to(y, out.shape)[0].tolist()]


def assert_bits_of_numbers(op, rows):
    """Arrays have the bits of numbers, and no answer where a number raises.

    They have one for each finite number, and for all where the operation never raises.
    """
    right = [number(op, row) for row in rows]
    found = answers(op, rows)
    if found is None and len(rows) > 1:
        half = len(rows) // 2
        for part in (rows[:half], rows[half:]):
            assert_bits_of_numbers(op, part)
    elif found is None:
        assert op.hint or op.domain
        assert right[0] in ("", "inf", "-inf", "nan"), rows
    else:
        assert [x for x in zip(rows, found, right) if x[1] != x[2]] == []


@pytest.mark.parametrize("name", OPS)
def test_an_operation_on_arrays_has_the_bits_of_its_numbers(name):
    op, r = OPS[name], np.random.default_rng(0)
    width = op.arity or 2
    rows = [(*pair, 1.5)[:width] for pair in itertools.product(EDGES, repeat=min(width, 2))]
    drawn = r.normal(size=(99, width)), r.uniform(0, 3, (99, width)), r.normal(0, 99, (99, width))
    assert_bits_of_numbers(op, rows + [tuple(row) for x in drawn for row in x.tolist()])


@given(st.sampled_from([*OPS]), st.lists(st.tuples(*[NUMBERS] * 4), min_size=1, max_size=20))
def test_whatever_the_numbers_are(name, rows):
    op = OPS[name]
    assert_bits_of_numbers(op, [row[: op.arity or 4] for row in rows])


def multiplied(condition, a, b, out=None):
    return condition * a + (1 - condition) * b


PLANTED = {
    "nothing lost": ("exp_difference", numeric.two_diff, lambda a, b, out=None: (a - b, 0.0)),
    "a fast sum": ("exp_sum", numeric.add_exps, arrays.add_exps_fast),
    "the last of equal zeros": (
        "maximum", numeric.largest, lambda xs, out=None: arrays.largest(xs[::-1])
    ),
    "a selection by products": ("softsign", "where", multiplied),
    "another exp": ("sigmoid", math.exp, lambda x, out=None: np.exp(x) * (1 + 2.0**-52)),
}  # fmt: skip


@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bugs_are_found(bug, monkeypatch):
    name, where, wrong = PLANTED[bug]
    table = arrays.Arrays(False)
    monkeypatch.setattr(arrays, "arrays", lambda fast: table)
    if isinstance(where, str):
        monkeypatch.setattr(arrays, where, wrong)
    else:
        table.made[where] = wrong
        table.names.exp = table.made[math.exp]
    with pytest.raises(AssertionError):
        test_an_operation_on_arrays_has_the_bits_of_its_numbers(name)


def bent(x, y):
    """A function as the table may have it one day: branches, a loop, another function."""
    if x > 1 and not y > x:
        low, lost = two_diff(x, y)
        return low * math.exp(-low) + lost if low < 3 else low
    total = 0.0
    for c in (0.5, -2.0, 3.0):
        total = total * x + c
    return total if y == y else math.copysign(1.0, x)


def test_a_new_operation_runs_on_arrays_unasked(monkeypatch):
    op = Op("bent", bent, lambda y, a, b: 1.0, lambda y, a, b: 1.0)
    assert arrays.on_arrays(op, False) is None  # it is a user's own, which may do anything
    monkeypatch.setitem(TABLE, "bent", op)
    assert_bits_of_numbers(op, [*itertools.product(EDGES, repeat=2)])


@given(st.data())
def test_a_selection_is_that_of_numpy(data):
    shape = (3, 4)
    c = np.array(data.draw(st.lists(st.booleans(), min_size=12, max_size=12))).reshape(shape)
    sizes = st.sampled_from([(), (1, 4), (3, 1), shape])
    a, b = [np.reshape(data.draw(st.lists(NUMBERS, min_size=n, max_size=n)), s) for s in
            (data.draw(sizes), data.draw(sizes)) for n in [math.prod(s)]]  # fmt: skip
    expected, out = np.where(c, a, b), np.empty(shape)
    for found in (arrays.where(c, a, b), arrays.where(c, a, b, out=out)):
        assert np.broadcast_to(found, shape).tobytes() == expected.tobytes()


# exp.


def by_number(x):
    return arrays.each(math.exp)(x)


def test_exp_of_an_array_has_the_bits_of_math():
    r = np.random.default_rng(5)
    exp = Exp(by_number)
    for x in (r.normal(size=4000), r.uniform(-760, 720, 4000), np.array([*EDGES] * 60)):
        with np.errstate(all="ignore"):
            assert exp(x).tobytes() == by_number(x).tobytes()
            assert exp(x[::-1]).tobytes() == by_number(x[::-1]).tobytes()


def test_what_exp_is_sure_of_is_nearest_by_far():
    x = np.random.default_rng(6).uniform(-700, 700, 600)
    y, sure = sure_exp(x)
    assert 0.9 < sure.mean() < 0.97
    with mpmath.workprec(200):
        for point, value in zip(x[sure].tolist(), y[sure].tolist()):
            assert abs(mpmath.exp(mpmath.mpf(point)) - value) < 0.47 * math.ulp(value)


def test_a_library_that_errs_by_more_is_asked_for_every_number():
    def worse(x):
        y = by_number(x)
        return np.where(x * 1e6 % 1 < 0.03, np.nextafter(y, 9), y)

    assert Exp(by_number).sure
    x = np.random.default_rng(7).normal(size=4000)
    assert Exp(worse)(x).tobytes() == worse(x).tobytes()


def test_exp_knows_numbers_that_change_in_place():
    exp, x = Exp(by_number), np.linspace(-3, 0, 2000)
    for shift in (0.0, 1.0, 0.5, 0.5):
        x += shift
        assert exp(x).tobytes() == exp(x.reshape(2, -1)).tobytes() == by_number(x).tobytes()


# Places, and runs of lines.


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=60), st.integers(1, 3), st.booleans())
def test_a_run_is_cut_where_its_places_jump(jumps, columns, straight):
    """Its pieces are its lines, and of several pieces each has places at even distances."""
    steps = np.repeat(jumps, 9 if straight else 1)
    table = np.cumsum(np.stack([steps] * columns, axis=1), axis=0)
    found = pieces(table)
    assert np.array_equal(np.concatenate(found), table)
    assert len(found) <= numpy_engine.PIECES
    assert len(found) == 1 or all((np.diff(x, 2, axis=0) == 0).all() for x in found)


def test_a_run_of_three_layers_is_three_pieces():
    places = np.concatenate([np.arange(20), np.arange(64, 84), np.arange(200, 230, 3)])
    assert [len(x) for x in pieces(np.stack([places, -1 - places], axis=1))] == [20, 20, 10]


@given(st.data())
def test_a_grid_reads_and_writes_its_places(data):
    numbers, rows = np.arange(50.0), np.arange(400.0).reshape(50, 8) / 8 + 100
    samples = data.draw(st.integers(1, 8))
    low = data.draw(st.sampled_from([-50, 0]))  # with rows, or numbers alone
    begin, steps = data.draw(st.integers(low, 0)), data.draw(st.tuples(*[st.integers(-3, 9)] * 2))
    places = begin + np.add.outer(np.arange(2) * steps[0], np.arange(3) * steps[1])
    if data.draw(st.booleans()):
        places = np.array(data.draw(st.permutations(range(low, 50)))[:6]).reshape(2, 3)
    places = np.clip(places, low, 49)
    view = View(Buffers(numbers, rows), samples)
    grid, n = Grid(places), view.columns

    def slow(p):
        return rows[-1 - p, :n] if p < 0 else numbers[p]

    x, calls = grid.read(view, 0)
    for f, arguments in calls:
        f(*arguments)
    for place, found in zip(places.ravel().tolist(), x.reshape(6, -1)):
        assert (found == slow(place)).all()
    if len(np.unique(places)) == 6 and not grid.mixed:
        y, calls = grid.write(view, "result")
        y[...] = new = np.random.default_rng(0).normal(size=y.shape)
        for f, arguments in calls:
            f(*arguments)
        for place, put in zip(places.ravel().tolist(), new.reshape(6, -1)):
            assert (slow(place) == put).all()


def layers(W, b, x, t):
    y = mg.relu(W @ x + b)
    return mg.logsumexp(y) - mg.dot(y, t) + mg.silu(y[0]) * mg.maximum(y[1], b[2])


@pytest.mark.parametrize("threads", [1, 2])
def test_calls_that_are_kept_fit_every_batch(threads):
    """Of any size, in any order: they give what a program gives that has seen no other batch."""
    r = np.random.default_rng(1)
    W, b, X, T = (r.normal(size=s) for s in ((6, 5), 6, (2500, 5), (2500, 6)))

    def fresh():
        program = mg.record(layers, W, b, X[0], T[0], backend="numpy")
        return program.batched((None, None, 0, 0), threads=threads)

    kept, sizes = fresh(), [*range(1, 20), 100, 97, 2500, 1, 512, 600]
    random.Random(2).shuffle(sizes)
    for n in sizes:
        numbers = W, b, X[:n], T[:n]
        found, right = [p.value_and_grad(*numbers, argnums=(0, 1)) for p in (kept, fresh())]
        assert found[0].tobytes() == right[0].tobytes()
        assert [x.tobytes() for x in found[1]] == [x.tobytes() for x in right[1]]


@pytest.mark.parametrize("samples", [1, 9, 63, 100])
def test_an_error_names_its_sample_where_whole_rows_are_computed(samples):
    batched = mg.record(lambda w, x: mg.log(w * x), 1.0, 1.0, backend="numpy").batched((None, 0))
    x = np.ones(samples)
    x[-1] = -1.0
    with pytest.raises(ValueError, match="log") as error:
        batched(1.0, x)
    assert f"in sample {samples - 1} of the batch" in error.value.__notes__
