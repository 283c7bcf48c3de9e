"""Loops that people write themselves: batches, a step by a given gradient, a state in a file."""

import json
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.strategies import hundredths

import microgrid as mg
from microgrid import Value, nn, optim

X = np.random.default_rng(0).normal(size=(20, 2))
Y = (X[:, 0] * X[:, 1] > 0) * 2.0 - 1.0
KINDS = [
    partial(optim.SGD, lr=0.1),
    partial(optim.SGD, lr=optim.exponential(0.1, 0.9), momentum=0.9, nesterov=True),
    partial(optim.Adam, lr=0.05, weight_decay=0.01),
    partial(optim.AdamW, lr=optim.cosine(0.1, 12, warmup=2), clip_norm=0.5),
]
kinds = pytest.mark.parametrize("make", KINDS, ids=lambda f: f"{f.func.__name__} {f.keywords}")


def model(seed=1):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Affine(2, 3, "he", rng), nn.Tanh(), nn.Affine(3, 1, seed=rng))


def hinge(model, x, y):
    return nn.hinge(model(x), y)


def numbers(net):
    return [p.data for p in net.parameters()]


# Batches and steps.


@kinds
def test_a_loop_of_ones_own_over_a_program_trains_as_fit_does(make):
    mine, fitted = model(), model()
    program = mg.record(hinge, mine, X[0], Y[0])
    optim.fit(program, fitted, (X, Y), optimizer=make(), epochs=3, batch_size=8, seed=5)
    batched, optimizer = program.batched((None, 0, 0)), make(mine)
    rng = np.random.default_rng(5)
    for _ in range(3):
        for x, y in nn.batches(X, Y, size=8, seed=rng):
            _, gradient = batched.value_and_grad(mine, x, y)
            optimizer.step(gradient / len(x))
    assert numbers(mine) == numbers(fitted) != numbers(model())


@pytest.mark.parametrize("size", [1, 3, 20, 100, None])
def test_batches_have_every_sample_once_with_its_own_target(size):
    data, labels = np.arange(20.0), np.arange(20)
    found = list(nn.batches(data, labels, size, seed=1))
    assert all((x == y).all() and y.dtype.kind == "i" for x, y in found)
    assert sorted(y for _, ys in found for y in ys) == [*range(20)]
    assert {len(y) for _, y in found[:-1]} <= {size}
    again = list(nn.batches(data, labels, size, seed=1))
    assert [y.tolist() for _, y in found] == [y.tolist() for _, y in again]


def test_batches_without_a_seed_come_in_another_order_each_time():
    first, second = [np.concatenate([y for _, y in nn.batches(X, Y[:, None], 1)]) for _ in "ab"]
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: nn.batches(X, Y[:3]), r"arrays of \[20, 3\] samples"),
        (lambda: nn.batches(X, [*Y[:-1], np.nan]), r"data\[1\] has nan or inf in sample 19"),
        (lambda: nn.batches(X, Y, 0), "size is a whole number from 1 on, got 0"),
        (lambda: nn.batches(X, Y, seed="a"), "seed is a whole number from 0 on"),
        (lambda: nn.batches([], []), "at least one"),
    ],
)
def test_batches_refuse_at_once_what_does_not_fit(call, said):
    with pytest.raises(mg.MicrogridError, match=said):
        call()


LEAVES = [1.0, 2.0, 3.0]
FORMS = {  # how parameters are given, and gradients in their form or in one row
    "a row": (lambda a, b, c: [a, b, c], [[1, 2, 3], (1, 2, 3), np.array([1, 2, 3])]),
    "nested": (lambda a, b, c: [[a, b], c], [[[1, 2], 3], (np.array([1, 2]), 3.0), [1, 2, 3]]),
    "a dict": (
        lambda a, b, c: {"w": [a, b], "b": c},
        [{"w": [1, 2], "b": 3}, {"b": 3, "w": np.array([1, 2])}, np.array([1.0, 2.0, 3.0])],
    ),
    "a list of dicts": (lambda a, b, c: [{"w": a, "v": b}, c], [[{"v": 2, "w": 1}, 3]]),
    "an array": (lambda a, b, c: np.array([[a, b, c]]), [[[1, 2, 3]], np.array([[1.0, 2.0, 3.0]])]),
    "an iterator": (lambda a, b, c: iter([a, b, c]), [[1, 2, 3]]),
    "the values of a dict": (lambda a, b, c: {"a": a, "b": b, "c": c}.values(), [[1, 2, 3]]),
    "with one of them twice": (lambda a, b, c: [a, b, a, c], [[1, 2, 3]]),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_gradient_has_the_form_of_the_parameters_or_is_one_row(form):
    given, gradients = FORMS[form]
    for gradient in gradients:
        leaves = [mg.Value(x) for x in LEAVES]
        optim.SGD(given(*leaves), lr=1.0).step(gradient)
        assert [v.data for v in leaves] == [0.0, 0.0, 0.0]


def test_the_gradients_of_a_graph_are_those_of_the_parameters_in_it():
    v, w, elsewhere = Value(2.0), Value(3.0), Value(5.0)
    optimizer = optim.SGD([w, elsewhere, v], lr=1.0)
    optimizer.step(mg.gradients(v * w))
    assert (v.data, w.data, elsewhere.data) == (2.0 - 3.0, 3.0 - 2.0, 5.0)
    with pytest.raises(mg.errors.ShapeError, match="a dict of Value") as error:
        optimizer.step(mg.gradients(sum([Value(1.0) for _ in range(1000)])))
    assert len(str(error.value)) < 500


def test_a_gradient_of_a_model_comes_as_a_model_or_as_its_row():
    nets = [model(), model(), model()]
    loss = lambda net: hinge(net, X[0], Y[0])  # noqa: E731
    loss(nets[0]).backward()
    given = [None, mg.grad(loss)(nets[1]), mg.gradients(loss(nets[2]), nets[2].parameters())]
    for net, gradient in zip(nets, given):
        optim.Adam(net, lr=0.1).step(gradient)
    assert numbers(nets[0]) == numbers(nets[1]) == numbers(nets[2]) != numbers(model())


@pytest.mark.parametrize(
    ("gradient", "said"),
    [
        ([1.0, 2.0], "gradient is a list of 2, for 3 parameters: give it the form of the param"),
        (1.0, "gradient is 1.0, for 3 parameters"),
        (np.ones((1, 3)), r"gradient is shape \(1, 3\), for 3"),
        ({"w": [1, 2], "c": 3}, "gradient is a dict of 'w', 'c'"),
        ({"w": [1, 2, 3], "b": 3}, r"is a dict of 'w', 'b' \('w': a list of 3\)"),
        ("abc", "gradient is 'abc'"),
        ([1.0, 2.0, "3"], "a Value needs a real number, got str '3'"),
    ],
)
def test_a_gradient_of_another_form_is_refused_and_nothing_moves(gradient, said):
    leaves = [mg.Value(x) for x in LEAVES]
    optimizer = optim.SGD({"w": leaves[:2], "b": leaves[2]}, lr=1.0)
    with pytest.raises(mg.MicrogridError, match=said):
        optimizer.step(gradient)
    assert [v.data for v in leaves] == LEAVES
    assert optimizer.steps == 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: optim.SGD([{"params": [mg.Value(1.0)]}]),
            "moves leaves, not groups of them: make one",
        ),
        (lambda: optim.SGD(model().parameters), r"got <bound method .*: call it, parameters\(\)"),
        (lambda: optim.SGD(None), "moves leaves, got None"),
        (lambda: optim.SGD("w"), "moves leaves, got 'w'"),
        (lambda: optim.SGD([mg.Value(1.0), mg.Value(2.0) * 2]), "moves leaves, got Value"),
        (lambda: optim.SGD([mg.Value(1.0)], lr="0.1"), "above 0 or a schedule, got '0.1'"),
    ],
)
def test_what_no_optimizer_can_move_is_refused_where_it_is_made(make, said):
    with pytest.raises(mg.MicrogridError, match=said):
        make()


# The state of an optimizer.


def trained(make, between, steps=6):
    """A training with something in between: between(optimizer, model) gives those that go on."""
    program, net = mg.record(hinge, model(), X[0], Y[0]), model()
    optimizer = make(net)
    for step in range(steps):
        if step == steps // 2:
            optimizer, net = between(optimizer, net)
        k = step % len(X)
        optimizer.step(program.value_and_grad(net, X[k], Y[k])[1])
    return numbers(net), optimizer.state()


@kinds
@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_training_resumed_from_files_is_the_same_to_the_last_bit(make, suffix, tmp_path):
    def through_files(optimizer, net):
        paths = tmp_path / f"model{suffix}", tmp_path / f"optimizer{suffix}"
        assert (net.save(paths[0]), optimizer.save(paths[1])) == paths
        other = model(2)
        again = make(other)
        other.load(paths[0])
        again.load(paths[1])
        return again, other

    whole, state = trained(make, lambda *same: same)
    resumed, again = trained(make, through_files)
    assert resumed == whole
    assert {k: x.tolist() for k, x in again.items()} == {k: x.tolist() for k, x in state.items()}


@kinds
def test_what_the_state_leaves_out_is_seen(make):
    """The test of the test: a new optimizer in the middle of a training is another training."""
    whole = trained(make, lambda *same: same)[0]
    if make is not KINDS[0]:  # which remembers nothing
        assert trained(make, lambda optimizer, net: (make(net), net))[0] != whole


@given(st.lists(hundredths, min_size=2, max_size=5), st.sampled_from(KINDS))
def test_a_state_goes_through_json_and_is_a_copy(gradient, make):
    one, other = [make([mg.Value(1.0) for _ in gradient]) for _ in "ab"]
    one.step(gradient)
    state = one.state()
    kept = json.dumps(state, default=np.ndarray.tolist)
    one.step(gradient)
    other.load_state(json.loads(kept))
    assert json.dumps(state, default=np.ndarray.tolist) == kept
    assert json.dumps(other.state(), default=np.ndarray.tolist) == kept


def test_fit_goes_on_from_a_saved_state(tmp_path):
    def run(resume):
        net, optimizer = model(), optim.Adam(lr=0.05)
        optim.fit(hinge, net, (X, Y), optimizer=optimizer, epochs=2, seed=1)
        if resume:
            optimizer.save(tmp_path / "adam.npz")
            optimizer = optim.Adam(lr=0.05)
            optimizer.load(tmp_path / "adam.npz")
        optim.fit(hinge, net, (X, Y), optimizer=optimizer, epochs=2, seed=2)
        return numbers(net)

    assert run(True) == run(False)


def test_the_state_before_the_first_step_begins_anew():
    used, new = optim.Adam([mg.Value(1.0)]), optim.Adam([mg.Value(1.0), mg.Value(2.0)])
    used.step([2.0])
    used.load_state(new.state())
    assert (used.steps, used.first, used.second) == (0, 0.0, 0.0)
    used.step([2.0])


ADAM = {"steps": 1, "size": 1, "first": [0.5], "second": [0.5]}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (optim.SGD().state(), "there is no 'first' for Adam, which remembers steps, size, first"),
        (model().state(), "there is no 'steps' for Adam"),
        (ADAM | {"velocity": [0.5]}, "Adam, which remembers steps, .* has no 'velocity'"),
        (ADAM | {"size": 2, "first": [1, 2], "second": [1, 2]}, "state of 2 .* moves 1"),
        (ADAM | {"first": [1, 2]}, r"first has shape \(1,\), got int64 of shape \(2,\)"),
        (ADAM | {"first": [[1, 2], [3]]}, r"first has shape \(1,\), got ragged rows"),
        (ADAM | {"second": [np.nan]}, "second has nan or inf"),
        (ADAM | {"steps": 1.5}, r"steps and size are whole numbers, got 1\.5"),
        (ADAM | {"steps": -1}, "whole numbers, got -1"),
        (ADAM | {"steps": "one"}, r"steps has shape \(\), got <U3"),
    ],
)
def test_a_state_of_something_else_is_refused_and_changes_nothing(state, said):
    optimizer = optim.Adam([mg.Value(1.0)])
    optimizer.step([3.0])
    before = {k: x.tolist() for k, x in optimizer.state().items()}
    with pytest.raises(mg.MicrogridError, match=said):
        optimizer.load_state(state)
    assert {k: x.tolist() for k, x in optimizer.state().items()} == before


def test_the_file_of_a_model_is_no_state_of_an_optimizer_nor_the_other_way_round(tmp_path):
    net = model()
    optimizer = optim.SGD(net)
    net.save(tmp_path / "model.npz")
    optimizer.save(tmp_path / "sgd.npz")
    with pytest.raises(ValueError, match="there is no 'steps' for SGD"):
        optimizer.load(tmp_path / "model.npz")
    with pytest.raises(ValueError, match=r"there is no 'layer0\.w' for the model"):
        net.load(tmp_path / "sgd.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK no")
    with pytest.raises(ValueError, match=r"broken\.npz holds no state of an optimizer"):
        optimizer.load(tmp_path / "broken.npz")
    with pytest.raises(ValueError, match=r"sgd\.pt: it is saved as \.json or \.npz"):
        optimizer.save(tmp_path / "sgd.pt")


def test_the_repr_of_an_optimizer_shows_what_was_set():
    w = mg.Value(1.0)
    assert repr(optim.SGD([w], lr=0.1)) == "SGD(1 parameter, lr=0.1, step 0)"
    shown = repr(optim.AdamW([w], betas=(0.8, 0.9), clip_norm=1.0))
    assert shown == "AdamW(1 parameter, lr=0.001, betas=(0.8, 0.9), clip_norm=1.0, step 0)"
