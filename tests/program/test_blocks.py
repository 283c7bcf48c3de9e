"""Programs with matrices: blocks give what the lines that they stand for give."""

import inspect
import math
import pickle
import sys
from functools import cache

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid as mg
from microgrid.engine.op import TABLE
from microgrid.program.engines import arrays
from microgrid.program.plan import blocks as blocks_module
from microgrid.program.plan.schedule import plan
from microgrid.program.runner import Runner

numba = pytest.importorskip("numba")
fast, tiles = [
    pytest.importorskip(f"microgrid.program.engines.{name}") for name in ("fast", "tiles")
]

ENGINES = ["numba", "numpy"]
N, M = 12, 10  # numbers of a sample, and of a hidden layer


def in_order(W, x, order):
    return [mg.total([W[i, k] * x[k] for k in order]) for i in range(len(W))]


def convolved(W, x):
    """Each row of W along x."""
    width = W.shape[1]
    starts = range(len(x) - width + 1)
    return [mg.total([w * v for w, v in zip(row, x[s : s + width])]) for s in starts for row in W]


def recurrent(W, V, x):
    h = mg.relu(W @ x)
    for _ in range(3):
        h = mg.relu(V @ h + W @ x)
    return h


SHUFFLED = [7, 2, 11, 0, 5, 9, 1, 3, 10, 4, 8, 6]
WAYS = {  # of a hidden layer: W is M×N, V is M×M, b has M numbers
    "W x + b": lambda W, V, b, x: V @ mg.relu(W @ x + b),
    "x Wᵀ": lambda W, V, b, x: V @ mg.relu(x @ W.T),
    "b first": lambda W, V, b, x: [b[i] + W[i] @ x for i in range(M)],
    "any order": lambda W, V, b, x: in_order(W, x, SHUFFLED),
    "each line in an order of its own": lambda W, V, b, x: [
        mg.total([W[i, (i + k) % N] * x[(i + k) % N] for k in range(N)]) for i in range(M)
    ],
    "residual": lambda W, V, b, x: (h := mg.relu(W @ x + b)) + V @ h,
    "residual behind": lambda W, V, b, x: V @ (h := mg.relu(W @ x)) + b + h,
    "rows of samples in between": lambda W, V, b, x: [
        mg.total([*(W[i, :6] * x[:6]), x[i] * x[0], *(W[i, 6:] * x[6:])]) for i in range(M)
    ],
    "a square before": lambda W, V, b, x: [
        mg.total([x[i] * x[i], *(W[i] * x)]) for i in range(M)
    ],
    "one line has a bias": lambda W, V, b, x: [*(W[:-1] @ x), b[0] + W[-1] @ x + b[1]],
    "masked": lambda W, V, b, x: [
        mg.total([W[i, k] * x[k] for k in range(N) if (i + k) % 5]) for i in range(M)
    ],
    "W twice": lambda W, V, b, x: V @ mg.relu(V @ mg.relu(W @ x)),
    "heads": lambda W, V, b, x: [*(V @ (h := mg.relu(W @ x))), *(V.T @ h)],
    "convolution": lambda W, V, b, x: convolved(W[:5, :4], x),
    "recurrent": lambda W, V, b, x: recurrent(W, V, x),
}  # fmt: skip
SQUARE = {name for name in WAYS if "each" not in name and "rows" not in name and "mask" not in name}


def loss_of(way):
    def loss(W, V, b, x):
        return mg.total([mg.relu(y) * y for y in WAYS[way](W, V, b, x)])

    return loss


@cache
def recorded(way, backend, matrices=True, batched=True, **options):
    """The program of a way, its plan with blocks or with lines alone."""
    shapes = (np.zeros((M, N)), np.zeros((M, M)), np.zeros(M), np.zeros(N))
    program = mg.record(loss_of(way), *shapes, backend=backend, **options)
    for wanted in (None, (0, 1, 2, 3)):
        key = 8 * batched, wanted
        made = plan(program.tape, *key, backend == "numba", matrices)
        program._plans[key] = Runner(program.tape, made, backend, program.fast)
    return program


def drawn(seed, samples, whole=False):
    r = np.random.default_rng(seed)
    shapes = (M, N), (M, M), (M,), (samples, N) if samples else (N,)
    return [r.integers(-3, 4, s).astype(float) if whole else r.normal(size=s) for s in shapes]


def outcome(program, numbers, samples):
    """The values and the gradients, by one call."""
    run = program.batched((None, None, None, 0), threads=1) if samples else program
    value, found = run.value_and_grad(*numbers, argnums=(0, 1, 2, 3))
    return [np.asarray(value), *map(np.asarray, found)]


def blocks_of(program):
    return [runner.plan.blocks for runner in program._plans.values()]


def same_bits(x, y):
    return x.shape == y.shape and x.tobytes() == y.tobytes()


@given(
    st.sampled_from([*WAYS]), st.sampled_from([0, 1, 7, 8, 9, 100, 600]), st.integers(0, 2**32 - 1)
)
def test_numba_has_the_bits_of_the_lines(way, samples, seed):
    """Values always, gradients unless they are sums over the batch, of which the order is free."""
    numbers = drawn(seed, samples)
    with_blocks, lines = [
        outcome(recorded(way, "numba", matrices, bool(samples)), numbers, samples)
        for matrices in (True, False)
    ]
    exact = [0, 4] if samples else range(5)
    for k in exact:
        assert same_bits(with_blocks[k], lines[k])
    for x, y in zip(with_blocks, lines):
        assert np.allclose(x, y, rtol=1e-12, atol=1e-12 * np.abs(y).max())


@pytest.mark.parametrize("backend", ENGINES)
@given(
    way=st.sampled_from([*WAYS]), samples=st.sampled_from([0, 1, 9, 40]),
    seed=st.integers(0, 2**32 - 1), quick=st.booleans(),
)  # fmt: skip
def test_among_whole_numbers_all_is_exact(backend, way, samples, seed, quick):
    numbers = drawn(seed, samples, whole=True)
    found = outcome(recorded(way, backend, True, bool(samples), fast=quick), numbers, samples)
    lines = outcome(recorded(way, "numpy", False, bool(samples)), numbers, samples)
    for x, y in zip(found, lines):
        assert np.array_equal(x, y)


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("way", WAYS)
def test_layers_run_as_blocks(way, backend):
    value, both = blocks_of(recorded(way, backend))
    exact_lines_differ = backend == "numba" and way not in SQUARE
    assert bool(value) == (way in SQUARE or (backend == "numpy" and way != "masked")) or (
        exact_lines_differ
    )
    if way in SQUARE:
        assert any(block.over_batch for block in both)


@pytest.mark.parametrize("f", [lambda w, x: w @ x, lambda w, x: mg.total([*w, *x])])
def test_what_is_small_stays_lines(f):
    program = mg.record(f, np.zeros(3), np.zeros(3))
    program(np.ones(3), np.ones(3))
    program.batched((None, 0))(np.ones(3), np.ones((5, 3)))
    assert blocks_of(program) == [(), ()]


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("x", [math.inf, -math.inf, math.nan, 1e308])
def test_inf_and_nan_go_where_the_lines_send_them(way, backend, x):
    """Half of the weights are 0: a zero that is filled in would make nan of inf."""
    numbers = drawn(0, 9)
    numbers[0][:, ::2] = 0.0
    numbers[3][3, 4] = x
    found, lines = [
        outcome(recorded(way, backend, matrices), numbers, 9) for matrices in (True, False)
    ]
    for a, b in zip(found, lines):
        if x != 1e308:  # beyond it the order of a sum says what overflows
            assert np.array_equal(np.isnan(a), np.isnan(b))
        assert np.array_equal(np.isfinite(a), np.isfinite(b))


@pytest.mark.parametrize("backend", ENGINES)
def test_long_sums_and_many_threads_give_the_same(backend):
    """More terms than a tile takes at a time, more samples than a chunk."""
    f = lambda W, x: mg.total(mg.relu(W @ x))  # noqa: E731
    program = mg.record(f, np.zeros((5, 600)), np.zeros(600), backend=backend)
    r = np.random.default_rng(0)
    W, X = r.integers(-3, 4, (5, 600)) * 1.0, r.integers(-3, 4, (4500, 600)) * 1.0
    H = X @ W.T
    for threads in (1, 3):
        value, dW = program.batched((None, 0), threads=threads).value_and_grad(W, X)
        assert np.array_equal(value, np.maximum(H, 0).sum(axis=1))
        assert np.array_equal(dW, (H > 0).T @ X)


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("way", ["W x + b", "W twice"])
def test_each_batch_begins_anew(way, backend):
    """Sums over a batch that a block sets, and those to which several blocks add."""
    program = recorded(way, backend)
    expected = outcome(program, drawn(1, 9), 9)
    outcome(program, drawn(2, 600), 600)
    assert all(map(same_bits, outcome(program, drawn(1, 9), 9), expected))
    for gradient in outcome(program, [*drawn(1, 0)[:3], np.zeros((0, N))], 1)[1:]:
        assert not gradient.any()


# Planted bugs, which the properties find.


def backwards(block, place):
    """A block whose terms are added up from the last."""
    turned = blocks_module.replace(block, left=block.left[:, ::-1], right=block.right[:, ::-1])
    return placed(turned, place)


def edges_swapped(block, place):
    """A bias goes to the other end of the sum."""
    return placed(blocks_module.replace(block, first=block.last, last=block.first), place)


def goes_not_on(block, place):
    """What the line has before its block is lost."""
    return placed(blocks_module.replace(block, go_on=False), place)


placed = blocks_module.Block.placed
PLANTED = {
    "terms from the last": ("Block.placed", backwards, "W x + b"),
    "first and last swapped": ("Block.placed", edges_swapped, "W x + b"),
    "the beginning lost": ("Block.placed", goes_not_on, "a square before"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_in_blocks_is_caught(name, monkeypatch):
    target, bug, way = PLANTED[name]
    monkeypatch.setattr(f"{blocks_module.__name__}.{target}", bug)
    numbers = drawn(1, 9)
    found, lines = [
        outcome(recorded.__wrapped__(way, "numba", matrices), numbers, 9)
        for matrices in (True, False)
    ]
    assert not same_bits(found[0], lines[0])


@pytest.mark.parametrize("way", ["each line in an order of its own", "rows of samples in between"])
def test_lines_of_another_order_are_no_block(way, monkeypatch):
    """What the exact plan refuses would have other bits: so the refusal is needed."""
    numbers = drawn(1, 100)
    program = recorded.__wrapped__(way, "numba")
    lines = outcome(recorded(way, "numba", False), numbers, 100)
    assert same_bits(outcome(program, numbers, 100)[0], lines[0])
    for key in [*program._plans]:
        made = plan(program.tape, *key, False)
        program._plans[key] = Runner(program.tape, made, "numba")
    assert any(blocks_of(program))
    assert not same_bits(outcome(program, numbers, 100)[0], lines[0])


# The pieces: machine code against the Python that says what it computes.


def compiled(f):
    """f as machine code calls it."""
    arguments = ", ".join(inspect.signature(f).parameters)
    space = {"f": f}
    exec(f"def call({arguments}):\n    return f({arguments})", space)
    return numba.njit(error_model="numpy")(space["call"])


@pytest.fixture(scope="module")
def pieces():
    return {f.__name__: compiled(f) for f in (tiles.tile, tiles.dot, tiles.total, tiles.transposed)}


@pytest.mark.parametrize("size", tiles.SIZES)
@pytest.mark.parametrize("go_on", [False, True])
@pytest.mark.parametrize("k", [1, 2, 7])
def test_tiles_compute_what_they_say(pieces, size, go_on, k):
    r = np.random.default_rng(k)
    a, x, first, last = r.normal(size=200), r.normal(size=400), r.normal(size=9), r.normal(size=9)
    at = [np.arange(9) * 11, np.arange(k) * 40 + 3, np.arange(9) * 50]
    found = np.array([r.normal(size=500)] * 2)
    for out, tile in zip(found, (pieces["tile"], tiles.tile)):
        tile(*size, 1, a, at[0], 3, 2, k, x, at[1], 1, out, at[2], 2, go_on, first, last)
    if size[0]:  # fused
        assert np.allclose(*found, rtol=1e-13)
    else:
        assert same_bits(*found)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 31, 32, 33, 40, 64, 100, 333])
def test_sums_over_a_batch_have_one_order_on_every_machine(pieces, n):
    x = np.random.default_rng(n).normal(size=1000)
    assert pieces["dot"](x, 3, 500, n).hex() == float(tiles.dot(x, 3, 500, n)).hex()
    assert pieces["total"](x, 3, n).hex() == float(tiles.total(x, 3, n)).hex()
    assert math.isclose(tiles.total(x, 3, n), math.fsum(x[3 : 3 + n]), abs_tol=1e-13)


def test_a_square_is_transposed(pieces):
    x, x_at = np.arange(100.0), np.array([3, 20, 12, 40, 41, 60, 70, 80])
    found = np.zeros((2, 200))
    for out, transposed in zip(found, (pieces["transposed"], tiles.transposed)):
        transposed(x, x_at, 2, out, 5, 16)
    assert same_bits(*found)
    square = found[0][5 : 5 + 8 * 16].reshape(8, 16)[:, :8]
    assert (square == (x_at[:, None] + 2 + np.arange(8)).T).all()


# Last digits for speed.

MP = {
    "exp": mpmath.exp, "tanh": mpmath.tanh, "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "tanh_slope": lambda x: mpmath.sech(x) ** 2,
    "sigmoid_slope": lambda x: 1 / (2 + mpmath.exp(x) + mpmath.exp(-x)),
}  # fmt: skip
LIMITS = {
    "exp": (0.0, math.inf), "tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "tanh_slope": (0.0, 0.0),
    "sigmoid_slope": (0.0, 0.0),
}  # fmt: skip
POINTS = [0.0, -0.0, 5e-324, -5e-324, 1e-310, 1e-20, -1e-20, 709.7, 709.78, -708.4, -745.1, -745.2]
POINTS += [354.0, 372.0, 373.0, -372.0, 36.0, 20.0, 19.06, 0.34657, 1e308, -1e308]


def vector_of(engine, name):
    """The fast function of one engine, on an array."""
    if engine == "numpy":
        return arrays.arrays(True).of(TABLE[name].forward)
    f = getattr(fast, name)

    @numba.njit(error_model="numpy")
    def each(x):
        y = np.empty_like(x)
        for i in range(len(x)):
            y[i] = f(x[i])
        return y

    return each


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", MP)
def test_fast_functions_are_within_4_ulp(engine, name):
    x = np.concatenate([POINTS, np.linspace(-760, 709, 2001), np.linspace(-3, 3, 2001)])
    with np.errstate(all="ignore"):
        found = vector_of(engine, name)(x)
    for point, y in zip(x.tolist(), found.tolist()):
        with mpmath.workprec(200):
            exact = MP[name](mpmath.mpf(point)) if abs(point) < 1e5 else LIMITS[name][point > 0]
            if exact <= sys.float_info.max:
                assert abs(y - exact) <= 4 * math.ulp(float(exact)), point
            else:
                assert y == math.inf
    assert math.copysign(1, found[1]) == (-1 if name == "tanh" else 1)


@pytest.mark.parametrize("name", MP)
def test_fast_functions_at_the_ends(name):
    """NumPy's are asked for finite numbers alone."""
    x = np.array([-math.inf, math.inf, math.nan])
    low, high, lost = vector_of("numba", name)(x).tolist()
    assert (low, high) == LIMITS[name]
    assert lost != lost


@pytest.mark.parametrize("backend", ENGINES)
def test_fast_programs_are_exact_to_rounding(backend):
    def loss(W, V, b, x):
        return mg.logsumexp([*mg.tanh(V @ mg.sigmoid(W @ x + b))]) + mg.exp(W[0] @ x / 9)

    shapes = (np.zeros((M, N)), np.zeros((M, M)), np.zeros(M), np.zeros(N))
    quick, exact = [mg.record(loss, *shapes, backend=backend, fast=f) for f in (True, False)]
    assert (quick.fast, exact.fast, quick.gradient().fast) == (True, False, True)
    assert pickle.loads(pickle.dumps(quick)).fast
    for samples in (0, 1, 33, 100):
        numbers = drawn(samples, samples)
        for x, y in zip(*[outcome(program, numbers, samples) for program in (quick, exact)]):
            assert np.allclose(x, y, rtol=1e-12, atol=1e-13 * np.abs(y).max())


@pytest.mark.parametrize("backend", ENGINES)
def test_a_fast_program_raises_as_an_exact_one_does(backend):
    program = mg.record(lambda w, x: mg.exp(w * x), 1.0, 1.0, backend=backend, fast=True)
    with pytest.raises(OverflowError, match="exp"):
        program.batched((None, 0))(1.0, np.linspace(0, 800, 40))


def test_the_exact_property_finds_fused_roundings():
    """Were blocks fused by default, the bits would tell."""
    program = recorded.__wrapped__("W x + b", "numba")
    numbers = drawn(3, 100)
    lines = outcome(recorded("W x + b", "numba", False), numbers, 100)
    for key in [*program._plans]:
        program._plans[key] = Runner(program.tape, plan(program.tape, *key), "numba", fast=True)
    assert not same_bits(outcome(program, numbers, 100)[0], lines[0])
