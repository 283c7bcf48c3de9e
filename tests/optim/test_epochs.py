"""Whole epochs in the compiled engine: they do what the loop in Python does, step for step."""

import math
import signal
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared.strategies import QUICK, hundredths

import microgrid as mg
from microgrid import nn, optim
from microgrid.optim import epochs, training, updates
from microgrid.optim.epochs import CHUNK
from microgrid.optim.training import DivergedError, Training

pytest.importorskip("numba")

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


def model(seed=1):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Affine(3, 4, "he", rng), nn.Tanh(), nn.Affine(4, 2, "lecun", rng))


def line(w, x, y):
    return (w[0] * x[0] + w[1] * x[1] + w[2] - y) ** 2


def logarithm(w, x, y):
    return mg.log(w[0] + 2.0) + (w[1] * x[1] - y) ** 2 + 0 * w[2]


def shared(w, x, y):
    return w[0] ** 2 + w[1] * w[2]  # no sample changes it


def in_a_dict(params, x, y):
    (b,) = params["b"]
    return (mg.dot(params["W"], x[:2]) + b - y) ** 2


def network(m, x, y):
    return nn.cross_entropy(m(x), [1 - y, y])


PROGRAMS = [mg.record(f, [0.0] * 3, X[0], 0.0) for f in (line, logarithm, shared)]
OF_A_DICT = mg.record(in_a_dict, {"b": [0.0], "W": np.zeros(2)}, X[0], 0.0)
NETWORK = mg.record(network, model(), X[0], 0.0)
START = [1.0, -0.5, 0.25]

rates = st.one_of(
    st.sampled_from([0.01, 0.1]),
    st.builds(optim.linear, st.just(0.2), st.just(0.0), st.integers(1, 9)),
    st.builds(optim.exponential, st.just(0.1), st.just(0.9)),
    st.builds(optim.step_decay, st.just(0.1), st.just(0.5), st.integers(1, 5)),
    st.builds(optim.cosine, st.just(0.1), st.integers(3, 9), warmup=st.integers(0, 3)),
)
common = {"lr": rates, "weight_decay": st.sampled_from([0.0, 0.1]),
          "clip_norm": st.sampled_from([None, None, 0.5])}  # fmt: skip
betas = st.sampled_from([(0.9, 0.999), (0.0, 0.5)])
optimizers = st.one_of(
    st.fixed_dictionaries({"kind": st.just(optim.SGD), **common,
                           "momentum": st.sampled_from([0.0, 0.5])}),
    st.fixed_dictionaries({"kind": st.just(optim.SGD), **common, "momentum": st.just(0.9),
                           "nesterov": st.just(True)}),
    st.fixed_dictionaries({"kind": st.sampled_from([optim.Adam, optim.AdamW]), **common,
                           "betas": betas}),
)  # fmt: skip


@contextmanager
def by_the_loop():
    """While it lasts, fit does every step in Python."""
    real = training.epochs_of
    training.epochs_of = lambda *_: None
    try:
        yield
    finally:
        training.epochs_of = real


def trained(f, start, data, optimizer, **options):
    """What a training leaves: all numbers, and how it ended."""
    parameters = start() if callable(start) else start
    history, told = None, None
    try:
        history = optim.fit(f, parameters, data, optimizer=optimizer, **options)
    except mg.MicrogridError as error:
        history = getattr(error, "history", None)
        place = getattr(error, "epoch", None), getattr(error, "step", None)
        told = type(error), place, getattr(error, "__notes__", [])
    found = {"told": told, "state": {name: x.tolist() for name, x in optimizer.state().items()}}
    if history is not None:
        parameters = history.parameters
        found |= {"ended": (history.stopped, history.best), "losses": history.steps,
                  "epochs": [[*row.values()] for row in history.epochs]}  # fmt: skip
    found["parameters"] = [
        x.data if isinstance(x, mg.Value) else x for x in mg.tree_leaves(parameters)
    ]
    return found


def same(a, b, exact):
    """Two trainings left the same: the numbers of all steps, with `exact` the bits of the last."""
    assert a.keys() == b.keys()
    for name in a:
        if name in ("losses", "epochs") or (name == "parameters" and not exact):
            assert len(a[name]) == len(b[name])
            for x, y in zip(a[name], b[name], strict=True):
                assert x == pytest.approx(y, rel=1e-12, abs=1e-14), name
        elif name == "state" and not exact:
            for key, x in a[name].items():
                assert x == pytest.approx(b[name][key], rel=1e-12, abs=1e-14)
        else:
            assert a[name] == b[name], name


@st.composite
def trainings(draw):
    """A training: what makes its optimizer, what runs it, whether its bits are to be the same."""
    asked = draw(optimizers)
    kind = asked.pop("kind")
    count = draw(st.integers(1, 20))
    options = {
        "epochs": draw(st.integers(0, 4)), "seed": draw(st.integers(0, 9)),
        "batch_size": draw(st.one_of(st.none(), st.integers(1, 24))),
        "patience": draw(st.sampled_from([None, None, 1, 3])),
    }  # fmt: skip
    x = np.array(draw(st.lists(st.tuples(hundredths, hundredths, hundredths), min_size=count,
                               max_size=count)), dtype=float)  # fmt: skip
    y = draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
    if draw(st.booleans()):
        options["validation"] = (x[:2], y[:2])
    if draw(st.booleans()):
        options["callbacks"] = lambda history: len(history) == 2
    starts = {NETWORK: model, OF_A_DICT: {"W": np.array(START[:2]), "b": START[2:]}}
    f = draw(st.sampled_from([NETWORK, OF_A_DICT, *PROGRAMS]))
    start = starts.get(f, START)
    exact = asked["clip_norm"] is None
    return lambda: kind(**asked), lambda o: trained(f, start, (x, y), o, **options), exact


@settings(QUICK, max_examples=100)
@given(trainings())
def test_whole_epochs_leave_what_the_loop_leaves(found):
    made, run, exact = found
    one, other = made(), made()
    for _ in range(2):  # and once more, from the state of the first
        whole = run(one)
        with by_the_loop():
            same(whole, run(other), exact)


@pytest.mark.parametrize(
    ("owner", "name", "wrong"),
    [
        (epochs, "together", lambda batches, data: np.sort(np.concatenate(batches))),
        (optim.Adam, "_settings_of", lambda self, step: (0.9, 0.999, 1e-8, 1.0, 1.0)),
        (optim.Optimizer, "_longest", math.inf),
        (optim.AdamW, "_decoupled", False),
    ],
)
def test_an_epoch_that_does_something_else_is_seen(monkeypatch, owner, name, wrong):
    data, options = (X, Y), {"batch_size": 7, "epochs": 2}

    def run():
        optimizer = optim.AdamW(lr=0.1, weight_decay=0.5, clip_norm=0.1)
        return trained(NETWORK, model, data, optimizer, **options)

    with by_the_loop():
        right = run()
    same(run(), right, exact=False)
    monkeypatch.setattr(owner, name, wrong)
    with pytest.raises(AssertionError):
        same(run(), right, exact=False)


OPTIMIZERS = [
    optim.SGD(lr=0.1), optim.SGD(lr=0.1, momentum=0.5, nesterov=True), optim.Adam(), optim.AdamW(),
    optim.Adam(lr=optim.cosine(0.1, 100), clip_norm=1.0, weight_decay=0.1),
]  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("size", [1, 7, 40, None])
def test_no_step_is_done_in_python(monkeypatch, optimizer, size):
    monkeypatch.delattr(Training, "step")
    history = optim.fit(NETWORK, model(), (X, Y), optimizer=optimizer, epochs=2, batch_size=size)
    assert len(history.steps) == 2 * math.ceil(40 / (size or 40))


class Own(optim.Adam):
    """An optimizer of one's own."""


@pytest.mark.parametrize(
    ("f", "optimizer", "data", "size"),
    [
        (NETWORK, Own(), (X, Y), 7),
        (NETWORK, optim.SGD(lr=lambda step: 0.1), (X, Y), 7),
        (mg.record(network, model(), X[0], 0.0, backend="numpy"), optim.SGD(), (X, Y), 7),
        (network, optim.SGD(), (X[:3], Y[:3]), 7),
        (NETWORK, optim.SGD(), (np.repeat(X, 52, axis=0), np.repeat(Y, 52)), CHUNK + 1),
    ],
)
def test_where_something_is_asked_after_a_step_the_loop_does_it(f, optimizer, data, size):
    run = Training(f, model(), [*map(np.asarray, data)], (), None)
    assert epochs.epochs_of(run.objective, optimizer, run.data, size) is None
    optim.fit(f, model(), data, optimizer=optimizer, epochs=1, batch_size=size)
    assert optimizer.steps == math.ceil(len(data[0]) / size)


@pytest.mark.parametrize("f", PROGRAMS[:2])
@pytest.mark.parametrize("lr", [0.3, 30.0, 1e200])
def test_a_training_that_ends_in_an_error_ends_at_the_same_step(f, lr):
    def run():
        return trained(f, START, (X, Y), optim.SGD(lr=lr), batch_size=7, epochs=60)

    with np.errstate(all="ignore"):
        whole = run()
        with by_the_loop():
            loop = run()
    assert whole["told"] == loop["told"]
    assert whole["parameters"] == loop["parameters"]


def test_a_training_that_diverges_tells_its_epoch_and_its_step():
    with np.errstate(all="ignore"), pytest.raises(DivergedError) as caught:
        optim.fit(PROGRAMS[0], START, (X, Y), optimizer=optim.SGD(lr=30.0), batch_size=7, epochs=99)
    error, steps = caught.value, len(caught.value.history.steps)
    assert (error.epoch, error.step) == (steps // 6, steps)
    assert steps > 6


def test_an_error_of_the_domain_names_the_sample():
    with pytest.raises(mg.errors.DomainError) as caught:
        optim.fit(PROGRAMS[1], [-1.9, 0.0, 0.0], (X, Y), optimizer=optim.SGD(lr=0.1), batch_size=7)
    assert caught.value.__notes__ == ["in sample 0 of the batch"]


@pytest.fixture
def ctrl_c():
    """Ctrl-C raises KeyboardInterrupt, also where the shell that runs the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("calls", [1, 2, 5])
def test_an_interrupted_epoch_keeps_what_it_has_learnt(monkeypatch, calls):
    """Ctrl-C comes while the engine runs: Python hears of it when the call has returned."""
    monkeypatch.setattr(epochs, "AT_A_TIME", 1)  # a step in a call
    net, optimizer, heard = model(), optim.Adam(lr=0.1), []
    real = epochs.compiled().epoch

    def interrupted(*arguments):
        real(*arguments)
        heard.append(1)
        if len(heard) == calls:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(epochs.compiled(), "epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        optim.fit(NETWORK, net, (X, Y), optimizer=optimizer, batch_size=7)
    assert optimizer.steps == calls
    right, other = model(), optim.Adam(model(), lr=0.1)
    other = optim.Adam(right, lr=0.1)
    batched = NETWORK.batched((None, 0, 0))
    for x, y in list(nn.batches(X, Y, size=7, seed=0))[:calls]:
        losses, gradient = batched.value_and_grad(right, x, y)
        other.step(gradient / len(losses))
    assert [p.data for p in net.parameters()] == [p.data for p in right.parameters()]
    assert {k: x.tolist() for k, x in optimizer.state().items()} == {
        k: x.tolist() for k, x in other.state().items()
    }


def test_a_callback_may_change_the_settings_and_the_weights():
    def run():
        net, optimizer = model(), optim.Adam(lr=0.1)

        def callback(history):
            optimizer.lr, optimizer.weight_decay = 0.01, 0.1
            optimizer.betas = (0.5, 0.9)

        history = optim.fit(NETWORK, net, (X, Y), optimizer=optimizer, epochs=3, callbacks=callback)
        return history.steps, [p.data for p in net.parameters()]

    losses, numbers = run()
    with by_the_loop():
        right, others = run()
    assert losses == pytest.approx(right, rel=1e-12)
    assert numbers == others


def test_a_rate_that_is_none_is_refused_at_its_step():
    for context in (contextmanager(lambda: iter([None])), by_the_loop):
        optimizer = optim.SGD(lr=optim.exponential(1e-3, 1e60))
        with context(), pytest.raises(mg.errors.ParameterError, match="of step 6"):
            optim.fit(PROGRAMS[0], [0.0] * 3, (X * 0, Y * 0), optimizer=optimizer, batch_size=7)
        assert optimizer.steps == 6


# The updates themselves.


@given(st.lists(hundredths, min_size=1, max_size=9), st.integers(1, 5))
def test_an_update_of_a_row_is_that_of_each_number_to_the_last_bit(gradient, step):
    row = np.array(gradient, dtype=float)
    for optimizer in (optim.SGD(momentum=0.9, nesterov=True), optim.SGD(), optim.Adam()):
        constants = optimizer._settings_of(step)
        memory = [np.full(len(row), 0.5) for _ in optimizer.memory]
        direction, *kept = optimizer._update(row, *memory, *constants)
        for module in (updates, epochs.compiled()):
            each = getattr(module, f"{optimizer._update.__name__}_of_each")
            rows = np.array(memory)
            found = each(row, rows, np.array(constants, dtype=float))
            assert found.tolist() == direction.tolist()
            assert rows.tolist() == np.array(kept).tolist()


@given(st.lists(st.floats(-1e300, 1e300), max_size=9), st.floats(1e-3, 1e3))
def test_a_clipped_gradient_has_at_most_this_length_and_its_direction(gradient, longest):
    row = np.array(gradient, dtype=float)
    for module in (updates, epochs.compiled()):
        found = module.clipped(row, longest)
        length = math.hypot(*gradient)
        assert math.hypot(*found) <= min(length, longest) * (1 + 1e-9)
        scale = min(1.0, longest / (length + 1e-6))
        assert found == pytest.approx(row * scale, rel=1e-12, abs=1e-320)


@pytest.mark.parametrize("x", [0.0, 5e-324, 1e-200, 1e200, math.inf])
def test_gradients_of_every_size_are_clipped_as_hypot_says(x):
    with np.errstate(all="ignore"):
        found = updates.clipped(np.array([x, 0.0]), 1.0)
        right = np.array([x, 0.0]) * min(1.0, 1.0 / (math.hypot(x, 0.0) + 1e-6))
    np.testing.assert_array_equal(found, right)


def test_the_samples_of_an_epoch_are_those_of_its_batches_in_their_order():
    assert epochs.together([np.array([5, 3]), np.array([1])], X).tolist() == [5, 3, 1]
    assert epochs.together([None], X[:3]).tolist() == [0, 1, 2]
