"""Layers, networks and losses: exact against formulas, stable at the ends, kept without pickle."""

import errno
import io
import json
import math
import os
import subprocess
import sys
import threading
import warnings
import zipfile
from fractions import Fraction
from functools import partial
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.strategies import affine_problems, hundredths

import microgrid as mg
from microgrid import nn, optim
from microgrid.engine.errors import NumberError
from microgrid.engine.functions import FUNCTIONS
from microgrid.nn.module import entries, groups

mpmath.mp.dps = 60


def network(seed=1):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Affine(2, 3, "he", rng), nn.Tanh(), nn.Affine(3, 2, "glorot", rng))


class Residual(nn.Module):
    """A model with every kind of attribute that can hold parameters."""

    def __init__(self):
        self.scale = mg.Value(2.0)
        self.blocks = [network(1), network(2)]
        self.rows = [mg.Value(0.5), mg.Value(-0.5)]
        self.tied = self.scale  # a second place of the same weight
        self.heads = {"left": nn.Affine(2, 1, seed=3)}
        self.rate, self.pair = 0.1, (nn.ReLU(), "kept")

    def __call__(self, x):
        for block in self.blocks:
            x = x + block(x) * self.scale
        return self.heads["left"](x) * self.rows[0] + self.rows[1] * self.tied


# The affine layer.


@given(affine_problems())
def test_the_affine_layer_is_the_formula_forward_and_backward(problem):
    X, W, b, dY = map(np.array, problem)
    layer = nn.Affine(*W.shape)
    layer.set_parameters([*W.ravel().tolist(), *b.ravel().tolist()])
    leaves = mg.matrix(X, "x")
    Y = layer(leaves)
    assert (mg.values(Y) == mg.formulas.affine_forward(X, W, b)).all()
    (Y * dY).sum().backward()
    dX, dW, db = mg.formulas.affine_backward(X, W, b, dY)
    assert (mg.grads(leaves) == dX).all()
    assert (mg.grads(layer.w) == dW).all()
    assert (mg.grads(layer.b) == db.ravel()).all()


def test_one_row_gives_one_row_and_a_matrix_gives_a_matrix_whatever_the_size():
    for d, m in ((1, 1), (1, 3), (3, 1), (2, 2)):
        layer = nn.Affine(d, m)
        assert layer([1.0] * d).shape == (m,)
        assert layer([[1.0] * d] * 4).shape == (4, m)
        assert isinstance(nn.Layer(d, m)([1.0] * d), list)
        assert len(nn.Layer(d, m)([1.0] * d)) == m


def test_a_network_with_one_output_gives_the_value_as_micrograd_does_and_else_a_list():
    assert isinstance(nn.MLP(2, [3, 1])([1.0, 2.0]), mg.Value)
    assert len(nn.MLP(2, [3, 2])([1.0, 2.0])) == 2


ACTIVATIONS = nn.Activation.__subclasses__()


@pytest.mark.parametrize("layer", [make() for make in ACTIVATIONS], ids=repr)
def test_an_activation_is_its_function_of_each_entry(layer):
    """The function that is called like it: a new activation is tested without a line here."""
    function = {name.replace("_", ""): f for name, f in FUNCTIONS.items()}[repr(layer).lower()[:-2]]
    X = [[0.5, -1.0, 0.0], [2.0, -3.0, 1.0]]
    assert mg.values(layer(mg.matrix(X))).tolist() == [[function(x) for x in row] for row in X]
    assert layer(X[0]).tolist() == [function(x) for x in X[0]]


def test_softmax_goes_row_by_row():
    X = [[1.0, 2.0, 3.0], [1000.0, 1000.0, -1000.0]]
    Y = nn.Softmax()(X)
    assert [mg.softmax(row) for row in X] == Y.tolist()
    assert nn.Softmax()(X[1]).tolist() == [0.5, 0.5, 0.0]


def test_a_network_of_neurons_is_relu_of_sums_and_linear_at_its_end():
    model = nn.MLP(2, [3, 2], seed=4)
    hidden, last = model.layers
    x = [0.5, -1.5]

    def sums(layer, x):
        return [sum(w.data * a for w, a in zip(n.w, x)) + n.b.data for n in layer.neurons]

    right = sums(last, [max(s, 0.0) for s in sums(hidden, x)])
    assert min(right) < 0  # which a relu at the end would hide
    assert [y.data for y in model(x)] == pytest.approx(right, abs=1e-15)
    assert all(n.b.data == 0 for layer in model.layers for n in layer.neurons)
    weights = [w.data for n in nn.Layer(20, 20).neurons for w in n.w]
    assert 0.95 < max(map(abs, weights)) < 1
    assert len(set(weights)) == 400
    assert [p.data for p in nn.MLP(2, [2], seed=1).parameters()] != [
        p.data for p in nn.MLP(2, [2], seed=2).parameters()
    ]


# Where weights begin.


def test_the_same_seed_draws_the_same_and_a_generator_goes_on():
    assert (nn.Affine(3, 4, seed=7).state()["w"] == nn.Affine(3, 4, seed=7).state()["w"]).all()
    rng = np.random.default_rng(7)
    first, second = nn.Affine(3, 3, seed=rng), nn.Affine(3, 3, seed=rng)
    assert (first.state()["w"] != second.state()["w"]).all()
    zero, rng = nn.Affine(3, 4, "lecun", 0), np.random.default_rng(0)
    assert (zero.state()["w"] == rng.normal(0.0, math.sqrt(1 / 3), (3, 4))).all()


UNSEEDED = """
from microgrid import nn
make = [
    lambda: nn.Affine(3, 3), lambda: nn.Neuron(9), lambda: nn.Layer(3, 3), lambda: nn.MLP(3, [3])
]
models = [f() for f in make * 2] + [nn.Sequential(nn.Affine(3, 3), nn.Tanh(), nn.Affine(3, 3))]
weights = [tuple(p.data for p in m.parameters() if p.data) for m in models]
weights += [weights[-1][:9], weights[-1][9:]]
assert len(set(weights)) == len(weights)
assert nn.Affine(3, 3, seed=0).w[0, 0].data == nn.Affine(3, 3, seed=0).w[0, 0].data
print(weights)
"""


def test_layers_without_a_seed_differ_and_are_the_same_in_each_process():
    root = str(Path(mg.__file__).parents[1])
    run = [sys.executable, "-c", UNSEEDED]
    found = [
        subprocess.run(run, env=os.environ | {"PYTHONPATH": root}, capture_output=True, text=True)
        for _ in range(2)
    ]
    assert [x.stderr for x in found] == ["", ""]
    assert found[0].stdout == found[1].stdout


def test_nothing_draws_from_the_global_generators():
    import random

    random.seed(0)
    np.random.seed(0)
    before = random.getstate(), np.random.get_state()[1].tolist()
    network()
    nn.MLP(2, [3, 1])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


@pytest.mark.parametrize("name", nn.INITIAL)
def test_initial_weights_have_the_variance_of_their_paper(name):
    d, m = 200, 300
    w = nn.Affine(d, m, name, seed=1).state()["w"]
    right = {"lecun": 1 / d, "glorot": 2 / (d + m), "he": 2 / d, "uniform": 1 / 3, "zeros": 0.0}
    assert w.var() == pytest.approx(right[name], rel=0.02)
    assert abs(w.mean()) <= 0.01 * max(right[name], 1e-9) ** 0.5 * 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Affine(2, 3, "xavier"), "no initialisation 'xavier': lecun, glorot, he"),
        (lambda: nn.Affine(0, 3), "each size of a layer is a whole number from 1 on, got 0"),
        (lambda: nn.Affine(2.0, 3), "got 2.0"),
        (
            lambda: network().load_state(network().state() | {"layer2.b": [[1], [2, 3]]}),
            "has shape .2,., got ragged rows",
        ),
        (lambda: nn.Affine(2, 3, lambda rng, d, m: np.zeros(d)), r"gave shape \(2,\)"),
        (lambda: nn.Affine(3, 2, 0), r"no initialisation 0: .* a seed is written seed=0"),
        (lambda: nn.Affine(3, 2, None), "no initialisation None"),
        (lambda: nn.Affine(3, True), "each size of a layer is a whole number from 1 on, got True"),
        (lambda: nn.Affine("3", 2), "each size of a layer is a whole number from 1 on, got '3'"),
        (lambda: nn.Affine(3, 2, seed="a"), "seed is a whole number from 0 on or a NumPy"),
        (lambda: nn.Neuron(2, seed=-1), "seed is a whole number from 0 on or a NumPy"),
        (lambda: nn.MLP(2, [4, 1], seed=0.5), "seed is a whole number from 0 on or a NumPy"),
        (lambda: nn.MLP(2, 4), r"nouts are the sizes of the layers, like \[4, 1\], got 4"),
        (lambda: nn.MLP(2, []), "nouts are the sizes of the layers"),
        (lambda: nn.MLP(2, [4, 0]), "nout is a whole number from 1 on, got 0"),
        (lambda: nn.Layer(2, 1.5), "nout is a whole number from 1 on, got 1.5"),
        (lambda: nn.Sequential([nn.ReLU()]), r"layers one by one, .*: layer 0 is \[ReLU\(\)\]"),
        (lambda: nn.Sequential(nn.ReLU(), nn.ReLU), "layer 1 is the class ReLU"),
        (lambda: nn.Sequential(nn.ReLU(), 3), "layer 1 is 3"),
        (lambda: nn.Softmax()(3.0), "Softmax takes a row of numbers or several, got 3.0"),
        (lambda: nn.one_hot([0], 2.5), "classes is a whole number from 1 on, got 2.5"),
        (lambda: nn.Affine(2, 3).save("model.pkl"), r"model.pkl: it is saved as .json or"),
    ],
)
def test_what_cannot_be_made_is_refused_with_a_reason(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert isinstance(caught.value, mg.MicrogridError)


# Parameters: names, exchange, files.


def test_parameters_have_the_names_of_their_places():
    names = list(network().named_parameters())
    assert names[:3] == ["layer0.w_{11}", "layer0.w_{12}", "layer0.w_{13}"]
    assert names[-1] == "layer2.b_2"
    assert [p.label for p in network().parameters()] == names
    named = nn.MLP(2, [3, 1]).named_parameters()
    assert list(named)[:3] == ["layer0.neuron0.w_1", "layer0.neuron0.w_2", "layer0.neuron0.b"]


def test_a_model_of_ones_own_has_all_its_parameters_once():
    model = Residual()
    names = list(model.named_parameters())
    assert len(names) == len(set(names)) == 1 + 2 * (9 + 8) + 2 + 3
    assert {"scale", "block0.layer0.w_{11}", "block1.layer2.b_2", "row_1", "heads.left.b_1"} <= {
        name.replace("rows_", "row_") for name in names
    }
    assert not any("tied" in name for name in names)


def test_a_copy_with_other_parameters_leaves_the_model_alone():
    model = Residual()
    before = [p.data for p in model.parameters()]
    new = [mg.Value(0.25) for _ in before]
    copied = model.with_parameters(new)
    assert copied.parameters() == new
    assert copied.tied is copied.scale
    assert type(copied.pair) is tuple
    assert [p.data for p in model.parameters()] == before
    y = copied(np.array([1.0, 2.0]))[0]
    y.backward()
    assert all(p.grad == 0 for p in model.parameters())
    assert any(p.grad for p in new)
    with pytest.raises(mg.MicrogridError, match=f"has {len(before)} parameters, got 1"):
        model.with_parameters([mg.Value(1.0)])


@pytest.mark.parametrize("name", ["model.json", "model.npz"])
def test_parameters_come_back_from_a_file_to_the_last_bit(tmp_path, name):
    model, other = network(1), network(2)
    model[0].w[0, 0].data = 0.1 + 0.2
    model[2].b[0].data, model[2].b[1].data = -5e-324, 0.25
    model.save(tmp_path / name)
    other.load(tmp_path / name)
    assert [p.data for p in other.parameters()] == [p.data for p in model.parameters()]


def test_a_file_of_another_model_changes_nothing(tmp_path):
    small, large = nn.Sequential(nn.Affine(2, 2)), network()
    before = [p.data for p in large.parameters()]
    small.save(tmp_path / "small.json")
    with pytest.raises(ValueError, match=r"there is no 'layer2.w' for the model of layer0.w"):
        large.load(tmp_path / "small.json")
    large.save(tmp_path / "large.npz")
    with pytest.raises(ValueError, match=r"has no 'layer2.w'"):
        small.load(tmp_path / "large.npz")
    state = large.state() | {"layer2.b": np.zeros(3)}
    with pytest.raises(ValueError, match=r"layer2.b has shape \(2,\), got float64 of shape \(3,\)"):
        large.load_state(state)
    for row in (["1.5", "1.5"], [True, True], [None, None]):
        with pytest.raises(ValueError, match=r"layer2.b has shape \(2,\), got"):
            large.load_state(large.state() | {"layer2.b": row})
    (tmp_path / "broken.json").write_text("[1, 2")
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "broken.npz").write_bytes(b"PK no")
    for name in ("broken.json", "list.json", "broken.npz"):
        with pytest.raises(ValueError, match="holds no parameters"):
            large.load(tmp_path / name)
    assert [p.data for p in large.parameters()] == before


def test_any_name_of_an_attribute_can_be_saved(tmp_path):
    model = nn.Module()
    model.file, model.allow_pickle = mg.Value(0.1), [mg.Value(2.0)]
    model.save(tmp_path / "m.npz")
    model.file.data = 5.0
    model.load(tmp_path / "m.npz")
    assert [p.data for p in model.parameters()] == [0.1, 2.0]


def test_what_a_model_has_computed_and_kept_is_no_parameter():
    model = network()
    names = list(model.named_parameters())
    model.last = model(np.array([1.0, 2.0]))
    model.sum = model.last.sum()
    assert list(model.named_parameters()) == names
    assert list(model.state()) == list(network().state())


def test_two_groups_of_one_name_are_refused_and_none_is_lost(tmp_path):
    model = nn.Module()
    model.layers, model.layer0 = [nn.Affine(1, 1)], nn.Affine(1, 1)
    for use in (model.state, model.named_parameters, lambda: model.save(tmp_path / "m.json")):
        with pytest.raises(ValueError, match=r"the name 'layer0.w.*': rename one"):
            use()
    model = nn.Module()
    a = mg.Value(1.0)
    for mixed in (np.array([a, 2.0], dtype=object), np.array([a, a * 2]), [a, a * 2]):
        model.mixed = mixed
        with pytest.raises(ValueError, match="holds leaves only"):
            model.parameters()


def test_a_list_of_layers_is_named_in_the_singular():
    model = nn.Module()
    model.layers, model.bias, model.steps = [nn.Affine(1, 1)], [nn.Affine(1, 1)], (nn.Module(),)
    assert list(model.state()) == ["layer0.w", "layer0.b", "bias0.w", "bias0.b"]


def test_a_model_of_plain_numbers_computes_plain_numbers():
    for model in (network(), nn.MLP(2, [3, 2]), Residual()):
        plain = model.with_parameters([p.data for p in model.parameters()])
        x = np.array([0.5, -1.5])
        assert np.ravel(plain(x)).tolist() == mg.values(model(x)).tolist()
        assert {type(y) for y in np.ravel(plain(x)).tolist()} == {float}


def test_zero_grad_clears_every_parameter():
    model = network()
    nn.squared_error(model([1.0, 2.0]), [0.0, 0.0]).backward()
    assert any(p.grad for p in model.parameters())
    model.zero_grad()
    assert all(p.grad == 0 for p in model.parameters())


def test_parameters_are_set_all_or_none():
    model = network()
    before = [p.data for p in model.parameters()]
    with pytest.raises(ValueError, match="has 17 parameters, got 2"):
        model.set_parameters([7.0, 8.0])
    assert [p.data for p in model.parameters()] == before


def test_what_begins_with_an_underscore_is_no_parameter():
    model = nn.Module()
    model.w, model._parent_versions = mg.Value(1.0), mg.Value(2.0)
    assert list(model.named_parameters()) == ["w"]


def test_pickles_are_refused_even_under_an_honest_name(tmp_path):
    np.savez(tmp_path / "evil.npz", **{"layer0.w": np.array([[object()]])})
    with pytest.raises(ValueError, match="holds no parameters"):
        network().load(tmp_path / "evil.npz")


def test_a_file_is_plain_json(tmp_path):
    nn.Sequential(nn.Affine(1, 2, init="zeros")).save(tmp_path / "m.json")
    told = json.loads((tmp_path / "m.json").read_text())
    assert told == {"layer0.w": [[0.0, 0.0]], "layer0.b": [0.0, 0.0]}


def test_entries_count_with_commas_where_one_index_exceeds_9():
    names = [name for name, _ in entries(groups(nn.Affine(2, 10)))]
    assert names[0] == "w_{1,1}"
    assert names[-1] == "b_{10}"


# Losses, against sixty digits.


def right_cross_entropy(x, t):
    others = [mpmath.mpf(a) - mpmath.mpf(x[t]) for i, a in enumerate(x) if i != t]
    return mpmath.log1p(sum(map(mpmath.exp, others)))


def right_binary(s, t):
    s = mpmath.mpf(s)
    return t * mpmath.log1p(mpmath.exp(-s)) + (1 - t) * mpmath.log1p(mpmath.exp(s))


scores = st.floats(-700, 700) | st.floats(-1e-3, 1e-3)


@given(st.lists(scores, min_size=2, max_size=6), st.data())
def test_cross_entropy_is_right_where_it_is_tiny_and_where_it_is_large(logits, data):
    t = data.draw(st.integers(0, len(logits) - 1))
    right = float(right_cross_entropy(logits, t))
    hot = nn.one_hot([t], len(logits))[0]
    for target in (t, hot):
        assert nn.cross_entropy(logits, target) == pytest.approx(right, rel=1e-13, abs=1e-300)
    nodes = mg.matrix(logits)
    nn.cross_entropy(nodes, t).backward()
    assert mg.grads(nodes) == pytest.approx(mg.softmax(logits) - hot, abs=1e-13)
    assert mg.grads(nodes).sum() == pytest.approx(0, abs=1e-13)


@given(scores, st.sampled_from([0.0, 1.0, 0.25]))
def test_binary_cross_entropy_is_right_where_it_is_tiny_and_where_it_is_large(s, t):
    right = float(right_binary(s, t))
    assert nn.binary_cross_entropy(s, t) == pytest.approx(right, rel=1e-13, abs=1e-300)
    v = mg.Value(s)
    nn.binary_cross_entropy(v, t).backward()
    assert v.grad == pytest.approx(mg.sigmoid(s) - t, abs=1e-15)


@given(st.lists(st.tuples(hundredths, st.integers(1, 9)), min_size=2))
def test_cross_entropy_is_its_formula_for_any_probabilities(pairs):
    logits, counts = map(list, zip(*pairs))
    t = [k / sum(counts) for k in counts]
    log_softmax = [x - mg.logsumexp(logits) for x in logits]
    right = -sum(a * b for a, b in zip(t, log_softmax))
    assert nn.cross_entropy(logits, t) == pytest.approx(right, abs=1e-9)
    nodes = mg.matrix(t)
    assert nn.cross_entropy(logits, nodes).data == pytest.approx(right, abs=1e-9)


@pytest.mark.parametrize(
    ("logits", "t"),
    [([1e16, 1e16 + 4, 0.0], [0.1, 0.9, 0.0]), ([1e8, 1e8 + 1], [0.3, 0.7]),
     ([50.0, 0.0, 0.0], [1.0, 1e-20, 0.0]), ([0.0, 60.0], [0.0, 1.0]), ([0.0, 60.0], [1.0, 0.0])],
)  # fmt: skip
def test_a_row_of_probabilities_loses_no_digit_either(logits, t):
    x, p = [mpmath.mpf(a) for a in logits], [mpmath.mpf(a) for a in t]
    total = sum(mpmath.exp(a - max(x)) for a in x)
    lse = mpmath.log1p(total - 1)
    right = sum(p) * lse + sum(b * (max(x) - a) for a, b in zip(x, p))
    assert nn.cross_entropy(logits, t) == pytest.approx(float(right), rel=1e-14)
    nodes = mg.matrix(logits)
    nn.cross_entropy(nodes, t).backward()
    softmax = [sum(t) * float(mpmath.exp(a - max(x)) / total) for a in x]
    assert mg.grads(nodes) == pytest.approx(np.array(softmax) - t, abs=1e-15)


def test_a_save_that_fails_leaves_the_old_file(tmp_path):
    network().save(tmp_path / "m.npz")
    before = (tmp_path / "m.npz").read_bytes()
    model = nn.Module()
    model.layers, model.layer0 = [nn.Affine(1, 1)], nn.Affine(1, 1)
    with pytest.raises(ValueError, match="rename one"):
        model.save(tmp_path / "m.npz")
    assert (tmp_path / "m.npz").read_bytes() == before


CHILDREN = '''
import os, random, resource, signal, sys, time
from microgrid import nn

name, seen = sys.argv[1], set()
model = nn.Affine(64, 40)
size = len(model.parameters())
model.set_parameters([-1.0] * size)
model.save(name)


def saving(out, before):
    """Save again and again, and tell of the first time."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & has it ignored
    try:
        before()
        for k in range(10**6):
            model.set_parameters([k % 7 + 0.125] * size)
            model.save(name)
            if k == 0:
                os.write(out, b"x")
    except OSError:
        os._exit(3)
    except KeyboardInterrupt:
        os._exit(4)


def exited(pid):
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)


def ended(how=None, before=lambda: None):
    """The exit status of a child that saves until a signal ends it at any moment."""
    read, out = os.pipe()
    pid = os.fork()
    if pid == 0:
        saving(out, before)
    os.close(out)
    os.read(read, 1)
    os.close(read)
    while how and not exited(pid):
        time.sleep(random.random() * 0.03)
        os.kill(pid, how)
        again = time.monotonic() + 10  # Python drops an interrupt that falls into a __del__
        while not exited(pid) and time.monotonic() < again:
            time.sleep(0.001)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def check():
    model.load(name)
    numbers = {p.data for p in model.parameters()}
    assert len(numbers) == 1, "half of a file"
    seen.update(numbers)


for _ in range(40):
    assert ended(signal.SIGKILL) == -signal.SIGKILL
    check()
assert -1.0 not in seen, "the children save indeed"
for draft in os.listdir("."):
    if draft != name:
        os.unlink(draft)
for _ in range(20):
    assert ended(signal.SIGINT) == 4
    check()
    assert os.listdir(".") == [name]


def full():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))


before = open(name, "rb").read()
assert ended(before=full) == 3
assert open(name, "rb").read() == before
assert os.listdir(".") == [name]
'''


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are made by fork")
@pytest.mark.parametrize("name", ["model.json", "model.npz"])
def test_a_kill_an_interrupt_or_a_full_disk_leaves_the_old_file_or_the_new_one(tmp_path, name):
    run = [sys.executable, "-c", CHILDREN, name]
    root = Path(mg.__file__).parents[1]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(root)})  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_save_follows_links_and_keeps_permissions(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    file, link = tmp_path / "elsewhere" / "m.json", tmp_path / "link.json"
    link.symlink_to(file)
    nn.Affine(1, 1).save(link)  # a link to what is not there yet
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o666 & ~umask()
    file.chmod(0o640)
    network().save(link)
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    network().load(link)
    assert [x.name for x in tmp_path.rglob("*.*")] == ["link.json", "m.json"]


def umask():
    old = os.umask(0)
    os.umask(old)
    return old


def test_a_file_that_cannot_be_written_is_named_as_the_caller_names_it(tmp_path):
    for path in (tmp_path / "nowhere" / "m.json", tmp_path / "folder.npz"):
        (tmp_path / "folder.npz").mkdir(exist_ok=True)
        with pytest.raises(OSError, match=str(path)):
            network().save(path)
    assert [x.name for x in tmp_path.iterdir()] == ["folder.npz"]


@pytest.mark.parametrize("name", ["m.JSON", "m.Npz"])
def test_a_suffix_may_be_written_in_any_case(tmp_path, name):
    network(1).save(tmp_path / name)
    other = network(2)
    other.load(tmp_path / name)
    assert other.state()["layer0.w"].tolist() == network(1).state()["layer0.w"].tolist()


def archive(*members, flag=None, method=None):
    """A .npz of these names, each a number; flags or method of the last one are changed."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that comes twice
        for name in members:
            array = io.BytesIO()
            np.save(array, np.ones(()))
            file.writestr(f"{name}.npy", array.getvalue())
    data = bytearray(made.getvalue())
    for at in (data.rindex(b"PK\x01\x02") + 8, data.rindex(b"PK\x03\x04") + 6):
        if flag is not None:
            data[at] |= flag
        if method is not None:
            data[at + 2] = method
    return bytes(data)


BROKEN = {
    "nan.json": (b'{"a": NaN, "b": 1}', "a has nan or inf"),
    "inf.json": (b'{"a": 1, "b": 1e999}', "b has nan or inf"),
    "minus.json": (b'{"a": -Infinity, "b": 1}', "a has nan or inf"),
    "twice.json": (b'{"a": 1, "b": 1, "a": 2}', "have the name 'a'"),
    "deep.json": (b"[" * 100_000 + b"]" * 100_000, "holds no parameters: it is damaged"),
    "huge.json": (b'{"a": 1' + b"0" * 400 + b', "b": 1}', "a has shape"),
    "digits.json": (b'{"a": 1' + b"0" * 9000 + b', "b": 1}', "holds no parameters: it is damaged"),
    "latin.json": ('{"a": 1, "b": "é"}'.encode("latin-1"), "holds no parameters"),
    "text.json": (b'"a"', "holds no parameters by name"),
    "twice.npz": (archive("a", "b", "a"), "have the name 'a'"),
    "locked.npz": (archive("a", "b", flag=1), "holds no parameters"),
    "method.npz": (archive("a", "b", method=99), "holds no parameters"),
    "patch.npz": (archive("a", "b", flag=32), "holds no parameters"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_with_what_is_no_parameter_changes_nothing(tmp_path, name):
    data, said = BROKEN[name]
    (tmp_path / name).write_bytes(data)
    model = nn.Module()
    model.a, model.b = mg.Value(3.0), mg.Value(4.0)
    with pytest.raises(mg.errors.ParameterError, match=said) as caught:
        model.load(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert [p.data for p in model.parameters()] == [3.0, 4.0]


@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf, 10**400, -(Fraction(10) ** 400)])
def test_numbers_that_are_no_floats_are_neither_saved_nor_loaded(tmp_path, x):
    model = nn.Module()
    model.w = mg.matrix([1.0, 2.0])
    for name in ("m.json", "m.npz"):
        model.save(tmp_path / name)
        before = (tmp_path / name).read_bytes()
        model.w[1].data = x
        with pytest.raises(mg.errors.ParameterError, match=r"w has (nan or inf|a number beyond)"):
            model.save(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
        model.w[1].data = 2.0
        for state in ([1.0, x], np.array([1.0, x]), np.longdouble([1.0, "1e400"])):
            with pytest.raises(mg.errors.ParameterError, match=r"w has (nan or inf|shape)"):
                model.load_state({"w": state})
    masked = np.ma.masked_array([1.0, 2.0], mask=[0, 1])
    with pytest.raises(mg.errors.ParameterError, match="w has nan or inf"):
        model.load_state({"w": masked})
    assert [p.data for p in model.parameters()] == [1.0, 2.0]


def test_a_weight_in_two_places_cannot_have_two_numbers():
    model = nn.Module()
    model.a = model.b = mg.Value(1.0)
    with pytest.raises(mg.errors.ParameterError, match="b is a weight that has another number"):
        model.load_state({"a": 2.0, "b": 3.0})
    assert model.a.data == 1.0
    model.load_state({"a": 2.0, "b": 2.0})
    assert model.b.data == 2.0


def test_the_naive_formulas_fail_where_ours_do_not():
    assert 1 / (1 + math.exp(-40.0)) == 1.0  # so −log σ(40) came out as 0
    assert nn.binary_cross_entropy(40.0, 1) == pytest.approx(math.exp(-40), rel=1e-12)
    assert nn.cross_entropy([0.0, 50.0], 1) == pytest.approx(math.exp(-50), rel=1e-12)
    assert nn.cross_entropy([-1e308, 1e308], 1) == 0.0


@given(st.lists(st.tuples(hundredths, st.sampled_from([-1, 1])), min_size=1, max_size=5))
def test_of_several_predictions_the_mean_is_taken(pairs):
    scores, targets = zip(*pairs)
    for loss in (nn.squared_error, nn.hinge):
        single = [loss(s, t) for s, t in pairs]
        assert loss(scores, targets) == pytest.approx(np.mean(single))
    zero_one = [(t + 1) // 2 for t in targets]
    single = [nn.binary_cross_entropy(s, t) for s, t in zip(scores, zero_one)]
    assert nn.binary_cross_entropy(scores, zero_one) == pytest.approx(np.mean(single))
    rows = [[s, -s, 0.5] for s in scores]
    single = [nn.cross_entropy(row, t) for row, t in zip(rows, zero_one)]
    assert nn.cross_entropy(rows, zero_one) == pytest.approx(np.mean(single))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.cross_entropy([1.0, 2.0, 3.0], 5), IndexError, "5 is out of range for 3"),
        (lambda: nn.cross_entropy([1.0, 2.0], [1.0]), ValueError, "1 values on the left and 2"),
        (lambda: nn.cross_entropy([1.0, 2.0], []), ValueError, "0 values on the left and 2"),
        (lambda: nn.cross_entropy([[1.0, 2.0]], [1, 0]), ValueError, r"\(1, 2\) for targets"),
        (lambda: nn.cross_entropy([[1.0, 2.0]] * 2, [1]), ValueError, r"\(2, 2\) for targets"),
        (lambda: nn.squared_error([1.0, 2.0], [1.0]), ValueError, r"\(2,\) for targets of shape"),
        (lambda: nn.squared_error(1.0, [1.0, 2.0]), ValueError, r"\(\) for targets of shape"),
        (lambda: nn.hinge([[1.0], [2.0]], [1, -1]), ValueError, r"\(2, 1\) for targets"),
        (lambda: nn.cross_entropy([1.0, 2.0], 0.5), IndexError, "got 0.5; nn.one_hot makes rows"),
        (lambda: nn.cross_entropy([[1.0], [2.0]], [[1], [0]]), ValueError, "one logit; use binary"),
        (lambda: nn.cross_entropy([1.0], [1]), ValueError, "one logit; use binary"),
        (lambda: nn.cross_entropy([[1.0, 2.0]] * 2, [[1], [0]]), ValueError, r"y.ravel\(\) for a"),
        (lambda: nn.cross_entropy([[1.0, 2.0]], 1), ValueError, r"targets of shape \(\): to each"),
        (lambda: nn.hinge(0.5, None), TypeError, "a real number, got NoneType"),
        (lambda: nn.one_hot(["a"], 3), TypeError, "real numbers"),
        (lambda: nn.cross_entropy([1.0, 2.0], -1), IndexError, "-1 is out of range for 2"),
        (lambda: nn.MLP(2, [1])(np.ones((2, 2))), ValueError, "one sample at a time"),
        (lambda: nn.MLP(2, [1])([1.0]), ValueError, "a neuron of 2 inputs got 1 numbers"),
        (lambda: nn.predict(network(), []), ValueError, r"a row each; got shape \(0,\)"),
        (lambda: nn.binary_cross_entropy([1.0, 2.0], [1, -1]), IndexError, "from 0 to 1, got -1"),
        (lambda: nn.hinge(0.5, 0), IndexError, "classes of hinge are −1 and 1, got 0"),
        (lambda: nn.one_hot([3], 3), IndexError, "whole numbers from 0 to 2"),
        (lambda: nn.one_hot([0.5], 3), IndexError, "whole numbers from 0 to 2"),
        (lambda: nn.one_hot([-1], 3), IndexError, "whole numbers from 0 to 2"),
    ],
)
def test_targets_that_do_not_fit_are_refused(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert isinstance(caught.value, mg.MicrogridError)


@pytest.mark.parametrize("one", [1, 1.0, True, np.True_, np.int8(1), np.float32(1), np.array(1)])
def test_a_class_number_is_a_whole_number_of_any_kind(one):
    assert nn.cross_entropy([0.5, 2.0], one) == nn.cross_entropy([0.5, 2.0], [0, 1])
    assert nn.cross_entropy([[0.5, 2.0]], [one]) == nn.cross_entropy([0.5, 2.0], [0, 1])
    assert nn.one_hot([one], 2).tolist() == [[0.0, 1.0]]


# Of each loss: targets that it means, and targets that it cannot mean.
TARGETS = {
    nn.hinge: ([-1, 1, -1.0, True], [0, 0.5, -2, math.inf, math.nan, False]),
    nn.binary_cross_entropy: ([0, 1, 0.25, False], [-1, 1.0001, 2, -math.inf, math.nan]),
    nn.cross_entropy: (
        [[0, 1, 0], [0.25, 0.25, 0.5], [1 / 3] * 3, np.float32([0.1, 0.2, 0.7])],
        [[2, 0, 1], [-1, 1, 1], [0.5, 0.5, 0.1], [0, 0, 0], [0.5, 0.5, math.nan], [1e-4, 0, 1]],
    ),
}


def doors(loss, t):
    """Every way to a loss at a target t, among a hundred of which the others are right."""
    x = 0.75 if np.ndim(t) == 0 else np.array([0.75, -0.5, 0.1])
    good = TARGETS[loss][0][0]

    def plain(w, x, t):
        return loss(w * x, t)

    def hidden(w, x, t):
        return mg.where(t * 0 if np.ndim(t) == 0 else t[0] * 0, plain(w, x, t), 0.0)

    yield lambda: loss(x, t)
    yield lambda: loss(mg.matrix(x) if np.ndim(x) else mg.Value(x), t)
    yield lambda: loss(x, mg.matrix(t) if np.ndim(t) else mg.Value(t))
    xs, ts = np.array([x] * 100), np.array([good] * 99 + [t], dtype=float)
    for f in (plain, hidden):
        for engine in ("numpy", "numba"):
            program = mg.record(f, 1.0, x, x * 0, backend=engine)
            batched = program.batched((None, 0, 0))
            yield lambda program=program: program(1.0, x, t)
            yield lambda program=program: program.value_and_grad(1.0, x, t)
            yield lambda batched=batched: batched(1.0, xs, ts)
            yield lambda batched=batched: batched.value_and_grad(1.0, xs, ts)
            for g in (program, f):
                fit = partial(optim.fit, g, 1.0, optimizer=optim.SGD(lr=0.01), epochs=1)
                yield lambda fit=fit: fit((xs, ts))
                yield lambda fit=fit: fit((xs[:2], ts[:2]), validation=(xs, ts))


@pytest.mark.parametrize(("loss", "t"), [(f, t) for f in TARGETS for t in TARGETS[f][1]])
def test_a_target_that_a_loss_cannot_mean_is_refused_at_every_door(loss, t):
    missing = not np.isfinite(t).all()
    for i, door in enumerate(doors(loss, t)):
        with pytest.raises(mg.MicrogridError) as caught:
            door()
        assert isinstance(caught.value, mg.errors.TargetError) or missing, i


@pytest.mark.parametrize(("loss", "t"), [(f, t) for f in TARGETS for t in TARGETS[f][0]])
def test_a_target_that_a_loss_means_is_taken_at_every_door(loss, t):
    for door in doors(loss, t):
        door()


def test_a_recorded_gradient_refuses_the_targets_of_its_loss():
    for loss, (good, bad) in TARGETS.items():
        x = 0.75 if np.ndim(good[0]) == 0 else np.array([0.75, -0.5, 0.1])
        slope = mg.grad(lambda x, t, loss=loss: loss(x, t))
        program = mg.record(slope, x, x * 0)
        assert program(x, good[0]) == pytest.approx(slope(x, good[0]))
        with pytest.raises(mg.errors.TargetError):
            program(x, bad[0])


# Recorded, drawn.


def squared(model, x, t):
    return nn.squared_error(model(x), t)


@pytest.mark.parametrize("make", [network, Residual, lambda: nn.MLP(2, [3, 2], seed=4)])
def test_a_recorded_model_has_the_numbers_of_the_graph(make):
    model, x = make(), np.array([0.5, -1.5])
    t = np.zeros(len(model(x)))
    program = mg.record(squared, model, x, t)
    loss = squared(model, x, t)
    loss.backward()
    value, gradient = program.value_and_grad(model, x, t)
    assert value == loss.data
    assert gradient == pytest.approx([p.grad for p in model.parameters()], rel=1e-14, abs=1e-15)


def test_a_recorded_model_takes_its_numbers_when_it_is_called():
    model, x = network(), [1.0, 1.0]
    program = mg.record(lambda model, x: model(x), model, x)
    first = program(model, x)
    for p in model.parameters():
        p.data = 2 * p.data
    assert (program(model, x) != first).any()
    assert (program(model, x) == mg.values(model(x))).all()
    assert (program(np.array([p.data for p in model.parameters()]), x) == program(model, x)).all()
    assert "layer0.w_{11}" in program.tape.labels.values()


def test_predict_gives_a_row_for_each_sample():
    X = np.linspace(-1, 1, 10).reshape(5, 2)
    model = network()
    assert nn.predict(model, X) == pytest.approx(mg.values(model(X)), abs=1e-15)
    assert nn.predict(nn.MLP(2, [3, 2]), X).shape == (5, 2)
    single = nn.MLP(2, [3, 1])
    assert nn.predict(single, X) == pytest.approx([single(x).data for x in X], abs=1e-15)


def test_a_picture_folds_each_layer_into_a_block():
    y = nn.Sequential(nn.Affine(3, 8), nn.ReLU(), np.sum)([1.0, 2.0, 3.0])
    source = mg.draw(y, level="blocks").source
    for block in ("layer0 Affine", "layer1 ReLU", "layer2 sum"):
        assert block in source


def test_models_say_what_they_are():
    assert repr(nn.Sequential(nn.Affine(2, 3), nn.ReLU(), mg.tanh, lambda x: x)) == (
        "Sequential(Affine(2, 3), ReLU(), tanh, lambda)"
    )


# Files that are no ordinary ones.


def test_a_save_through_a_link_to_a_pipe_writes_into_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "m.json").symlink_to("pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    nn.Affine(1, 1, seed=1).save(tmp_path / "m.json")
    reader.join(30)
    assert b'"w"' in read[0]
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_save_keeps_the_owner(tmp_path):
    model = nn.Affine(1, 1, seed=1)
    model.save(tmp_path / "m.json")
    os.chown(tmp_path / "m.json", 1000, 1000)
    model.save(tmp_path / "m.json")
    found = (tmp_path / "m.json").stat()
    assert (found.st_uid, found.st_gid) == (1000, 1000)


def test_what_cannot_be_replaced_is_written_to_and_leaves_no_draft(tmp_path, monkeypatch):
    """As a file that is mounted alone into a container."""

    def busy(self, target):
        raise OSError(errno.EBUSY, "busy")

    model = nn.Affine(1, 1, seed=1)
    model.save(tmp_path / "m.json")
    monkeypatch.setattr(Path, "replace", busy)
    model.b[0].data = 5.0
    model.save(tmp_path / "m.json")
    monkeypatch.undo()
    other = nn.Affine(1, 1)
    other.load(tmp_path / "m.json")
    assert other.b[0].data == 5.0
    assert os.listdir(tmp_path) == ["m.json"]


def test_parameters_are_all_set_or_none():
    model = nn.Affine(2, 1, init="zeros")
    with pytest.raises(NumberError):
        model.set_parameters([1.0, 2.0, "x"])
    assert [p.data for p in model.parameters()] == [0.0] * 3


def test_a_step_by_tree_map_makes_a_model_of_new_leaves():
    """As with JAX: parameters and gradients have one form, and nothing is changed in place."""
    model = nn.Affine(2, 1, seed=0)

    def loss(model, x):
        return model(x)[0] ** 2

    for _ in range(3):  # a graph that grew would make the parameters results
        slopes = mg.grad(loss)(model, [1.0, 2.0])
        moved = mg.tree_map(lambda w, g: w - 0.1 * g, model, slopes)
        for before, g, after in zip(*(m.parameters() for m in (model, slopes, moved))):
            assert after.op is None
            assert after.data == before.data - 0.1 * g.data
        model = moved


def test_the_repr_of_a_model_of_ones_own_shows_its_layers():
    class Net(nn.Module):
        def __init__(self):
            self.first, self.rest = nn.Affine(2, 3), [nn.ReLU(), nn.Affine(3, 1)]
            self.scale = mg.Value(1.0)

    assert repr(Net()) == "Net(first=Affine(2, 3), rest=[ReLU(), Affine(3, 1)])"
