"""The museum of broken layers: the right ones are right, each mistake is one, and it is named.

The first judge here is slow and obvious: central differences of floats, nothing of microgrid.
"""

import importlib.util
import sys

import numpy as np
import pytest

from microgrid.check.handwritten import judge, museum
from microgrid.check.handwritten.forms import discover

SIZES = {  # the names of a layer's functions or classes, and of what it is called with
    "affine_pair": ("affine_forward affine_backward", {"x": (3, 4), "w": (4, 5), "b": 5}),
    "affine_loops": ("linear_forward linear_backward", {"x": (3, 4), "w": (4, 5), "b": 5}),
    "relu_pair": ("relu_forward relu_backward", {"x": (3, 4)}),
    "tanh_pair": ("tanh_forward tanh_backward", {"x": (3, 4)}),
    "batchnorm_pair": (
        "batchnorm_forward batchnorm_backward",
        {"x": (5, 3), "gamma": 3, "beta": 3},
    ),
    "batchnorm_alt": (
        "batchnorm_forward batchnorm_backward_alt",
        {"x": (5, 3), "gamma": 3, "beta": 3, "bn_param": {}},
    ),
    "layernorm_pair": (
        "layernorm_forward layernorm_backward",
        {"x": (5, 3), "gamma": 3, "beta": 3, "ln_param": {}},
    ),
    "conv_naive": (
        "conv_forward_naive conv_backward_naive",
        {"x": (2, 3, 5, 5), "w": (4, 3, 3, 3), "b": 4, "conv_param": {"stride": 2, "pad": 1}},
    ),
    "max_pool_pair": (
        "max_pool_forward_naive max_pool_backward_naive",
        {"x": (2, 3, 5, 5), "pool_param": {"pool_height": 3, "pool_width": 3, "stride": 1}},
    ),
    "dropout_pair": (
        "dropout_forward dropout_backward",
        {"x": (3, 4), "dropout_param": {"p": 0.5, "mode": "train", "seed": 1}},
    ),
    "embedding_pair": (
        "word_embedding_forward word_embedding_backward",
        {"x": np.array([[1, 3, 1], [0, 3, 4]]), "W": (5, 4)},
    ),
    "rnn_pair": (
        "rnn_forward rnn_backward",
        {"x": (2, 3, 4), "h0": (2, 5), "Wx": (4, 5), "Wh": (5, 5), "b": 5},
    ),
    "lstm_pair": (
        "lstm_step_forward lstm_step_backward",
        {"x": (2, 3), "prev_h": (2, 4), "prev_c": (2, 4), "Wx": (3, 16), "Wh": (4, 16), "b": 16},
    ),
    "softmax_loss": ("softmax_loss", {"x": (4, 5), "y": np.array([1, 0, 4, 1])}),
    "svm_loss": ("svm_loss", {"x": (4, 5), "y": np.array([1, 0, 4, 1])}),
    "svm_naive": (
        "svm_loss_naive",
        {"W": (3, 5), "X": (4, 3), "y": np.array([1, 0, 4, 1]), "reg": 0.7},
    ),
    "svm_vectorized": (
        "svm_loss_vectorized",
        {"W": (3, 5), "X": (4, 3), "y": np.array([1, 0, 4, 1]), "reg": 0.7},
    ),
    "softmax_vectorized": (
        "softmax_loss_vectorized",
        {"W": (3, 5), "X": (4, 3), "y": np.array([1, 0, 4, 1]), "reg": 0.7},
    ),
    "affine_class": ("Affine", {"W": (4, 5), "b": 5, "x": (3, 4)}),
    "affine_updates": ("Dense", {"W": (4, 5), "b": 5, "x": (3, 4)}),
    "relu_class": ("ReLU", {"x": (3, 4)}),
    "leaky_relu_class": ("LeakyReLU", {"x": (3, 4)}),
    "sigmoid_class": ("Sigmoid", {"x": (3, 4)}),
    "gelu_class": ("GELU", {"x": (3, 4)}),
    "softmax_class": ("Softmax", {"x": (3, 4)}),
    "softmax_chain": ("Softmax CrossEntropyLoss", {"x": (3, 4), "y": np.array([2, 0, 2])}),
    "batchnorm_class": ("BatchNorm", {"gamma": 3, "beta": 3, "x": (5, 3)}),
    "layernorm_class": ("LayerNorm", {"gamma": 5, "beta": 5, "x": (3, 4, 5)}),
    "rmsnorm_class": ("RMSNorm", {"gamma": 4, "x": (3, 4)}),
    "conv_im2col": ("Convolution", {"W": (4, 3, 3, 3), "b": 4, "x": (2, 3, 5, 5)}),
    "avg_pool_class": ("AvgPool", {"x": (2, 3, 5, 5)}),
    "attention_class": (
        "SelfAttention",
        {"Wq": (4, 4), "Wk": (4, 4), "Wv": (4, 4), "Wo": (4, 4), "x": (2, 3, 4)},
    ),
    "cross_attention": (
        "CrossAttention",
        {"Wq": (4, 4), "Wk": (4, 4), "Wv": (4, 4), "x": (2, 3, 4), "context": (2, 3, 4)},
    ),
    "mse_class": ("MSELoss", {"y_pred": (3, 4), "y_true": np.arange(12.0).reshape(3, 4) / 5}),
    "bce_class": ("BinaryCrossEntropy", {"y_pred": (3, 4), "y_true": np.eye(3, 4)}),
    "huber_class": ("HuberLoss", {"y_pred": (3, 4), "y_true": np.arange(12.0).reshape(3, 4) / 5}),
    "two_layer_net": (
        "forward_propagation backward_propagation",
        {
            "X": np.arange(12.0).reshape(3, 4) / 5,
            "Y": np.eye(2, 4),
            "W1": (5, 3),
            "b1": (5, 1),
            "W2": (2, 5),
            "b2": (2, 1),
        },
    ),
}
FLOAT = (np.float64,)
MADE_WITH = ("W", "b", "gamma", "beta", "Wq", "Wk", "Wv", "Wo")


def drawn(layer, seed=0):
    """What to call it with: floats for shapes."""
    rng = np.random.default_rng(seed)
    given = SIZES[layer][1].items()
    inputs = {k: rng.normal(size=v) if isinstance(v, int | tuple) else v for k, v in given}
    if layer == "bce_class":
        inputs["y_pred"] = rng.uniform(0.1, 0.9, (3, 4))
    return inputs


def floats(layer, inputs):
    """Those with respect to which their backward gives a gradient."""
    fixed = ("y_true", "X", "Y")
    return [k for k, x in inputs.items() if getattr(x, "dtype", None) in FLOAT and k not in fixed]


def copied(inputs):
    return {k: v.copy() if hasattr(v, "copy") else v for k, v in inputs.items()}


def run(text, layer, inputs):
    """The outputs, and the function of upstream gradients that gives the gradients by name."""
    module: dict = {}
    exec(text, module)
    names = [module[name] for name in SIZES[layer][0].split()]
    inputs, wanted = copied(inputs), floats(layer, inputs)
    if layer == "two_layer_net":
        X, Y = inputs.pop("X"), inputs.pop("Y")
        cost, cache = names[0](X, Y, inputs)
        return [cost], lambda _: {k[1:]: v for k, v in names[1](X, Y, cache).items()}
    if layer == "softmax_chain":
        softmax, loss = (kind() for kind in names)
        cost = loss.forward(softmax.forward(inputs["x"]), inputs["y"])
        return [cost], lambda _: {"x": softmax.backward(loss.backward())}
    if isinstance(names[0], type):
        return run_class(names[0], layer, inputs)
    if len(names) == 1:
        loss, gradient = names[0](**inputs)
        return [loss], lambda _: {wanted[0]: gradient}
    *outputs, cache = names[0](**inputs)
    return outputs, lambda ups: dict(zip(wanted, listed(names[1](*ups, cache))))


def listed(back):
    return back if isinstance(back, tuple) else (back,)


def run_class(kind, layer, inputs):
    weights = {k: inputs.pop(k) for k in [*inputs] if k in MADE_WITH}
    it = kind(**weights, **({"stride": 2, "pad": 1} if layer == "conv_im2col" else {}))
    outputs = [it.forward(**inputs)]
    rate = [0.5] if layer == "affine_updates" else []

    def pull(upstream):
        before = copied(weights)
        back = it.backward(*(upstream if np.ndim(outputs[0]) else []), *rate)
        found = dict(zip(inputs, listed(back)))
        for k in weights:
            found[k] = (before[k] - weights[k]) / 0.5 if rate else getattr(it, f"d{k}")
        return found

    return outputs, pull


def central(text, layer, inputs, upstream):
    """The gradient of Σ upstream · output by central differences."""

    def total(name, at, step):
        moved = copied(inputs)
        moved[name][at] += step
        return sum(np.sum(u * y) for u, y in zip(upstream, run(text, layer, moved)[0]))

    found = {}
    for name in floats(layer, inputs):
        found[name] = np.zeros_like(inputs[name])
        for at in np.ndindex(inputs[name].shape):
            found[name][at] = (total(name, at, 1e-6) - total(name, at, -1e-6)) / 2e-6
    return found


def wrong(text, layer, seed=0):
    """The inputs whose gradients have other numbers or another shape, or all if it crashes."""
    inputs = drawn(layer, seed)
    outputs, pull = run(text, layer, inputs)
    rng = np.random.default_rng(seed + 1)
    upstream = [rng.normal(size=y.shape) if np.ndim(y) else 1.0 for y in outputs]
    right = central(text, layer, inputs, upstream)
    try:
        back = pull(upstream)
    except ValueError:
        return {*right}
    return {
        k
        for k, g in right.items()
        if np.shape(back[k]) != g.shape or np.abs(back[k] - g).max() > 1e-7 * (1 + np.abs(g).max())
    }


@pytest.mark.parametrize("layer", museum.LAYERS)
def test_a_right_layer_agrees_with_central_differences_for_every_input(layer):
    assert wrong(museum.source(layer), layer) == set()


FALSE = [m for m in museum.MUSEUM.values() if m.gradients]
HABITS = [m for m in museum.MUSEUM.values() if not m.gradients]


@pytest.mark.parametrize("mistake", FALSE, ids=lambda m: m.name)
def test_a_mistake_gives_the_wrong_gradients_that_it_names(mistake):
    found = wrong(museum.broken(mistake.name), mistake.of)
    assert (
        {*mistake.gradients} <= found
        if mistake.verdict == "crashes"
        else found == {*mistake.gradients}
    )


@pytest.mark.parametrize("mistake", HABITS, ids=lambda m: m.name)
def test_a_habit_shows_at_the_second_use_alone(mistake):
    """The first gradients are right; what was given is changed, or the second are others."""
    text, layer = museum.broken(mistake.name), mistake.of
    assert wrong(text, layer) == set()
    module: dict = {}
    exec(text, module)
    x, dout = np.array([[1.0, -2.0]]), np.array([[3.0, 4.0]])
    if layer == "affine_class":
        it = module["Affine"](np.eye(2), np.zeros(2))
        it.forward(x), it.backward(dout)
        once = it.dW.copy()
        it.forward(x), it.backward(dout)
        assert (it.dW == 2 * once).any()
    else:
        _, cache = module["relu_forward"](x)
        module["relu_backward"](dout, cache)
        assert (x.tolist(), dout.tolist()) != ([[1, -2]], [[3, 4]])


@pytest.mark.parametrize("mistake", museum.MUSEUM.values(), ids=lambda m: m.name)
def test_a_mistake_differs_from_the_right_layer_in_its_line_alone(mistake):
    right, broken = (museum.source(mistake.of), museum.broken(mistake.name))
    before, _, after = right.partition(mistake.line)
    assert broken.startswith(before.rstrip())
    assert broken.endswith(after.lstrip())
    assert mistake.line not in right.replace(mistake.line, "", 1)


def test_each_kind_of_the_study_has_an_exhibit_and_a_hint():
    kinds = {mistake.kind for mistake in museum.MUSEUM.values()}
    assert kinds - {0} == {*range(1, 37)}
    assert all(mistake.hint.endswith(".") for mistake in museum.MUSEUM.values())


def test_two_mistakes_of_a_layer_are_made_together():
    text = museum.broken("db is a mean", "dw the other way round")
    assert wrong(text, "affine_pair") == {"b", "w"}


def test_a_mistake_that_is_not_there_comes_with_names_that_are():
    with pytest.raises(KeyError, match="the museum has no 'db is mean': there are db is a mean"):
        museum.broken("db is mean")


# What microgrid says of them: the layer stands in a file, and no size and no option is given.


@pytest.fixture
def examined(tmp_path, monkeypatch):
    """What is found out about each layer of a source, without a process of its own."""
    monkeypatch.syspath_prepend(tmp_path)

    def examine(text, seed=0):
        name = f"layers_of_{tmp_path.name}"
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        monkeypatch.delitem(sys.modules, name, raising=False)
        spec = importlib.util.spec_from_file_location(name, tmp_path / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return [judge.examine(x.trials(seed=seed), seed) for x in discover.layers_of(module)]

    return examine


def told(founds):
    """All that is said, as a text."""
    gradients = [g for found in founds for g in found.gradients if g.verdict != "right"]
    said = [line for g in gradients for line in (g.detail, *g.sentences)]
    said += [line for found in founds for line in (*found.habits, found.inside)]
    return "\n".join(line for line in said if line)


@pytest.mark.parametrize("layer", museum.LAYERS)
def test_a_right_layer_is_called_right(layer, examined):
    founds = examined(museum.source(layer), len(layer))  # a seed; all: tests/benchmarks/layers.py
    assert told(founds) == ""
    assert {g.verdict for found in founds for g in found.gradients} == {"right"}


@pytest.mark.parametrize("mistake", museum.MUSEUM.values(), ids=[*museum.MUSEUM])
def test_a_mistake_is_found_and_named_without_an_option(mistake, examined):
    founds = examined(museum.broken(mistake.name))
    verdicts = {g.input: g.verdict for f in founds for g in f.gradients if g.verdict != "right"}
    if mistake.verdict == "crashes":
        assert {*verdicts.values()} == {"crashes"}
    else:
        assert {x: verdicts.get(x) for x in mistake.gradients} == dict.fromkeys(
            mistake.gradients, mistake.verdict
        )
        assert verdicts.keys() - mistake.gradients <= {"prev_h"}  # of the step that rnn uses
    assert mistake.named_by(told(founds)), told(founds)


def test_two_mistakes_of_a_layer_are_both_named(examined):
    for one, other in (
        ("db is a mean", "dw the other way round"),
        ("no path through the mean", "dgamma of what was centered"),
        ("N minus 1 for N", "no path through the mean"),
        ("gamma forgotten", "no path through the variance"),
        ("gamma forgotten", "eps in one of two roots"),
        ("softmax loss without 1/N", "whole columns minus 1"),
        ("only the right class", "1/N on one part only"),
        ("regularization forgotten", "the right class forgotten"),
    ):
        said = told(examined(museum.broken(one, other)))
        assert museum.MUSEUM[one].named_by(said), said
        assert museum.MUSEUM[other].named_by(said), said
