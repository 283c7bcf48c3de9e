"""The verdicts: each by a small layer that deserves it, and none by one that does not."""

import re

import numpy as np
import pytest

from microgrid.check.handwritten import judge
from microgrid.check.handwritten.examination import Examination
from microgrid.check.handwritten.linear import as_matrix, departures
from microgrid.check.handwritten.misfit import misfit
from microgrid.check.handwritten.results import FAILING
from microgrid.check.handwritten.shapes import about_shape
from microgrid.check.handwritten.sides import Sides
from microgrid.check.handwritten.small_constants import without_small_constants
from microgrid.check.handwritten.trial import LayerError, Pass, Trial

AFFINE = {"x": (3, 4), "w": (4, 5), "b": (5,)}


def layer(forward, backward, shapes, name="f", **more):
    """A trial: `backward(dout, …inputs)` gives a dict; a list of outputs has a list of douts.

    Inputs are shapes, in tuples, or numbers, in lists.
    """
    rng = np.random.default_rng(3)
    inputs = {n: rng.normal(size=s) if type(s) is tuple else np.array(s) for n, s in shapes.items()}

    def run(given):
        found = forward(**given)
        outputs = found if isinstance(found, list) else [found]

        def pull(douts):
            return backward(douts if isinstance(found, list) else douts[0], **given)

        return Pass(outputs, pull)

    return Trial(name, inputs, run, forwards=[forward], backwards=[backward], **more)


def affine(x, w, b):
    return x @ w + b


def right_affine(dout, x, w, b):
    return {"x": dout @ w.T, "w": x.T @ dout, "b": dout.sum(axis=0)}


def but(**changes):
    """The affine layer whose gradients are changed by functions of them."""

    def backward(dout, x, w, b):
        right = right_affine(dout, x, w, b)
        return {n: changes.get(n, lambda g: g)(g) for n, g in right.items()}

    return layer(affine, backward, AFFINE, samples=3)


def verdicts(*trials):
    return {g.input: g.verdict for g in judge.examine(trials).gradients}


def test_the_exact_gradient_is_right_and_so_is_one_off_by_rounding_alone():
    assert {*verdicts(but()).values()} == {"right"}
    assert verdicts(but(w=lambda g: g * (1 + 1e-11)))["w"] == "right"


@pytest.mark.parametrize("factor", [1 + 1e-6, 1 - 1e-6, -1.0, 0.0, np.nan, np.inf])
def test_a_gradient_off_by_a_millionth_or_more_or_no_number_is_wrong_and_the_others_are_right(
    factor,
):
    found = verdicts(but(w=lambda g: g * factor))
    assert found == {"x": "right", "w": "wrong", "b": "right"}


def test_upstream_gradients_have_both_signs_so_that_a_lost_sign_shows():
    assert verdicts(
        layer(lambda x: 2 * x, lambda dout, x: {"x": 2 * abs(dout)}, {"x": (3, 4)})
    ) == {"x": "wrong"}


def one_entry(g):
    g = np.array(g)
    g.flat[0] += 1e-6
    return g


@pytest.mark.parametrize("name", ["x", "w", "b"])
def test_one_entry_that_is_wrong_is_counted_and_shown(name):
    (g,) = (g for g in judge.examine([but(**{name: one_entry})]).gradients if g.input == name)
    assert (g.verdict, g.wrong, g.entries) == ("wrong", 1, np.prod(AFFINE[name]))
    assert g.worst.entry.endswith("[0]" if name == "b" else "[0, 0]")
    assert g.sentences


def test_right_numbers_in_another_shape_are_told_apart_from_wrong_numbers():
    shaped = judge.examine([but(b=lambda g: g.reshape(1, 5))]).gradients[2]
    assert (shaped.verdict, shaped.wrong) == ("shape", 0)
    assert shaped.detail == "it has shape (1, 5), but b has (5,)"
    summed = judge.examine([but(b=np.sum)]).gradients[2]
    assert (summed.verdict, summed.wrong) == ("wrong", 5)
    assert summed.sentences == [
        "it is the sum of dout over all entries: b needs the sum over axis 0"
    ]


def test_a_transpose_is_named_of_a_square_matrix_too():
    assert verdicts(but(w=np.transpose))["w"] == "transposed"
    square = layer(
        affine, lambda dout, x, w, b: {"w": dout.T @ x, "b": dout.sum(axis=0)},
        {"x": (3, 4), "w": (4, 4), "b": (4,)},
    )  # fmt: skip
    assert verdicts(square) == {"w": "transposed", "b": "right"}


def test_a_gradient_that_is_not_returned_is_refused_but_for_that_of_the_first_input():
    def only(*names):
        right = {"w": lambda dout, x: x.T @ dout, "b": lambda dout, x: dout.sum(axis=0)}
        back = lambda dout, x, w, b: {n: right[n](dout, x) for n in names}  # noqa: E731
        return layer(affine, back, {"x": (3, 4), "w": (4, 5), "b": (5,)})

    assert verdicts(only("w", "b")) == {"w": "right", "b": "right"}
    with pytest.raises(LayerError, match=r"returns 1 gradient for the 3 inputs .* none of b \("):
        verdicts(only("w"))


def cross_entropy(p):
    return -np.sum(np.log(p + 1e-7))


def without_guard(dout, p):
    return {"p": -1 / p}


def test_a_guard_that_the_backward_leaves_out_is_no_mistake():
    trial = layer(cross_entropy, without_guard, {"p": [0.2, 0.7, 1e-3]}, loss=True)
    (g,) = judge.examine([trial]).gradients
    assert g.verdict == "guard"
    assert g.sentences[0].startswith("it leaves out the 1e-07 of the forward")


@pytest.mark.parametrize(
    ("constant", "p"), [(1e-2, [0.2, 0.7]), (5e-4, [0.9, 0.8]), (1e-4, [1e-4, 0.2])]
)
def test_a_constant_that_is_large_or_changes_much_is_no_guard(constant, p):
    def smoothed(p):
        return -np.sum(np.log(p + constant))

    assert verdicts(layer(smoothed, without_guard, {"p": p}, loss=True)) == {"p": "wrong"}


def test_after_a_guard_was_tried_the_forward_has_its_own_numbers_again():
    trial = layer(cross_entropy, lambda dout, p: {"p": -1 / (p + 1e-7)}, {"p": [0.2, 1e-3]})
    examination = Examination(trial, 0)
    before = examination.exact.numbers.copy(), examination.exact.jacobian()
    with without_small_constants(examination.exact) as sizes:
        assert sizes == [1e-7, 1e-7]
        assert (examination.exact.jacobian() != before[1]).all()
    assert (examination.exact.numbers == before[0]).all()
    assert (examination.exact.jacobian() == before[1]).all()


def test_one_nth_in_every_parameter_is_by_design_but_in_one_of_them_it_is_wrong():
    both = verdicts(but(w=lambda g: g / 3, b=lambda g: g / 3))
    assert both == {"x": "right", "w": "by design", "b": "by design"}
    assert verdicts(but(b=lambda g: g / 3))["b"] in FAILING
    every = verdicts(but(x=lambda g: g / 3, w=lambda g: g / 3, b=lambda g: g / 3))
    assert {*every.values()} == {"wrong"}


def relu(x):
    return np.maximum(x, 0)


def relu_backward(dout, x):
    return {"x": dout * (x > 0)}


def test_a_gradient_at_a_kink_is_no_mistake_if_it_is_right_near_by():
    at_kink = {"x": [0.0, 1.0, -1.0]}
    assert verdicts(layer(relu, relu_backward, at_kink)) == {"x": "not differentiable here"}
    wrong = layer(relu, lambda dout, x: {"x": dout * (x < 0)}, at_kink)
    assert verdicts(wrong) == {"x": "wrong"}


@pytest.mark.parametrize("written", [None, ..., NotImplemented])
def test_a_gradient_that_is_not_there_is_not_written(written):
    assert verdicts(but(b=lambda g: written)) == {"x": "right", "w": "right", "b": "not written"}


def test_zeros_are_not_written_where_their_line_only_makes_room():
    def backward(dout, x):
        dx = np.zeros_like(x)
        return {"x": dx}

    unwritten = layer(relu, backward, {"x": (3, 4)}, places={"x": "dx"})
    assert verdicts(unwritten) == {"x": "not written"}

    def zero(dout, x):
        dx = dout * 0
        return {"x": dx}

    assert verdicts(layer(relu, zero, {"x": (3, 4)}, places={"x": "dx"})) == {"x": "wrong"}


@pytest.mark.parametrize("shape", [(), (1,), (3,)])
def test_what_holds_no_numbers_is_wrong_and_shown(shape):
    trial = layer(lambda x: 2 * x, lambda dout, x: {"x": "dx"}, {"x": shape}, samples=3)
    (g,) = judge.examine([trial]).gradients
    assert (g.verdict, g.detail) == ("wrong", "it holds no numbers: 'dx'")


def test_a_backward_that_raises_is_told_by_its_line_and_by_the_transpose_that_fits():
    def backward(dout, x, w, b):
        dx = np.dot(dout, w)
        return {"x": dx}

    (g,) = judge.examine([layer(affine, backward, AFFINE)]).gradients
    assert (g.verdict, g.line.text) == ("crashes", "dx = np.dot(dout, w)")
    assert g.detail.startswith("ValueError: shapes (3,5) and (4,5) not aligned")
    assert g.sentences == ["`dout` is (3, 5) and `w` (4, 5); `dout @ w.T` fits"]


@pytest.mark.parametrize(("line", "fits"), [
    ("dw += np.outer(d[0], x[0])", "dw += np.outer(x[0], d[0])"), ("dw -= t", "dw -= t.T"),
    ("dw += d.T @ x", "dw += x.T @ d"), ("dw = w - t", "w - t.T` or `w.T - t"),
    ("dw = (w + w) * t", "(w + w) * t.T` or `(w + w).T * t"), ("dw[:] = t", "dw[:] = t.T"),
    ("dw[:, :] = np.dot(d.T, x)", "dw[:, :] = np.dot(d.T, x).T"),
    ("dw = w + (t + 1)", "w + (t + 1).T` or `w.T + (t + 1)"), ("dw *= 2 * t", "dw *= (2 * t).T"),
    ("dw = np.dot(d, w)", "d @ w.T"), ("return x.dot(d)", "x.T @ d"), ("dw = d @ (w + w)",
    "d @ (w + w).T"), ("dw = np.sum(w - t)", "w - t.T` or `w.T - t"), ("dw = x / d", ""),
    ("dw += t[0]", ""), ("dw = w + called(t)", ""), ("dw = w + w", ""), ("if w", ""),
    ("dw += np.random.rand(5, 4)", ""), ("w[1, 2] = t", ""), ("dw += t.pop()", ""),
])  # fmt: skip
def test_of_two_arrays_that_do_not_fit_the_transpose_that_does_is_told(line, fits):
    r = np.random.default_rng(0)
    shapes = {"x": (3, 4), "d": (3, 5), "w": (4, 5), "dw": (4, 5), "t": (5, 4)}
    names = {n: r.normal(size=s) for n, s in shapes.items()} | {"np": np, "called": pytest.fail}
    told = misfit(line, names)
    assert told.endswith(f"; `{fits}` fits") if fits else told == ""
    for way in re.findall("`([^`]*)`", told)[2:]:
        exec(way, {n: x.copy() if isinstance(x, np.ndarray) else x for n, x in names.items()})


def test_a_forward_that_raises_is_refused_with_its_line():
    def broken(x):
        return x @ x

    with pytest.raises(LayerError, match=r"fails on floats, too: ValueError.*`return x @ x`"):
        judge.examine([layer(broken, relu_backward, {"x": (3, 4)})])


def test_a_wrong_backward_that_refuses_other_upstreams_is_wrong_still():
    def backward(dout, x):
        assert (dout != 0).all()
        return {"x": 3 * dout * (x > 0)}

    (g,) = judge.examine([layer(relu, backward, {"x": (3, 4)})]).gradients
    assert (g.verdict, bool(g.sentences)) == ("wrong", True)


def in_place(dout, x):
    dout[x <= 0] = 0
    return {"x": dout}


def changes_x(dout, x):
    x[x <= 0] = 0
    return {"x": dout * (x > 0)}


def clipping(x):
    x[x <= 0] = 0
    return x * 1.0


@pytest.mark.parametrize(
    ("forward", "backward", "habit"),
    [
        (relu, in_place, "its backward changes dout in place"),
        (relu, changes_x, "its backward changes x in place"),
        (clipping, relu_backward, "its forward changes x in place"),
    ],
)
def test_a_habit_is_told_of_a_gradient_that_is_right(forward, backward, habit):
    found = judge.examine([layer(forward, backward, {"x": (3, 4)})])
    assert [g.verdict for g in found.gradients] == ["right"]
    assert [h[: len(habit)] for h in found.habits] == [habit]
    assert judge.examine([layer(relu, relu_backward, {"x": (3, 4)})]).habits == []


def test_a_second_use_is_tried_at_other_inputs_whatever_the_gradients_are():
    seen = []
    trial = layer(relu, lambda dout, x: {"x": None}, {"x": (3, 4)})
    trial.again = lambda a, b: seen.append((a, b)) or "it is used up"
    assert judge.examine([trial]).habits == ["it is used up"]
    ((a, b),) = seen
    assert (a["x"] == trial.inputs["x"]).all()
    assert b["x"].shape == a["x"].shape
    assert (b["x"] != a["x"]).all()


def square_loss(x, w):
    return np.sum((x @ w) ** 2)


def test_a_loss_takes_no_upstream_gradient():
    def backward(dout, x, w):
        return {"x": 2 * x @ w @ w.T, "w": x.T @ x @ w}

    trial = layer(square_loss, backward, {"x": (3, 4), "w": (4, 5)}, loss=True)
    found = judge.examine([trial])
    assert {g.input: g.verdict for g in found.gradients} == {"x": "right", "w": "wrong"}
    assert found.gradients[1].sentences == ["it is half of the gradient"]


def test_of_a_loss_it_is_not_said_that_its_gradient_does_not_depend_on_dout():
    odd = np.random.default_rng(1).normal(size=(3, 4))
    trial = layer(square_loss, lambda dout, x, w: {"x": odd}, {"x": (3, 4), "w": (4, 5)}, loss=True)
    (g,) = judge.examine([trial]).gradients
    assert g.verdict == "wrong"
    assert "dout" not in " ".join(g.sentences)


def both(x, w):
    return [x * w, x + w]


def test_each_of_several_outputs_has_an_upstream_of_its_own():
    def backward(douts, x, w):
        a, b = douts
        return {"x": a * w + b, "w": a * x}

    found = judge.examine([layer(both, backward, {"x": (3,), "w": (3,)})])
    assert {g.input: g.verdict for g in found.gradients} == {"x": "right", "w": "wrong"}
    assert found.gradients[1].sentences == ["nothing comes from out2"]


def single(dout, x, w):
    return {"x": np.float32(dout * w), "w": dout * x}


def test_float32_is_allowed_its_rounding_but_a_gradient_of_doubles_beside_it_is_not():
    def product(x, w):
        return x * w

    shapes = {"x": (3, 4), "w": (3, 4)}
    assert {*verdicts(layer(product, single, shapes)).values()} == {"right"}

    def off(factor):
        def backward(dout, x, w):
            return {n: np.float32(factor) * g for n, g in single(dout, x, w).items()}

        return backward

    assert verdicts(layer(product, off(1 + 1e-3), shapes)) == {"x": "wrong", "w": "wrong"}

    def rounded(dout, x, w):
        return {**single(dout, x, w), "w": dout * x * (1 + 1e-6)}

    assert verdicts(layer(product, rounded, shapes)) == {"x": "right", "w": "wrong"}


def test_a_forward_in_float32_is_allowed_the_rounding_of_float32():
    def forward(x):
        return x.astype(np.float32) ** 2

    trial = layer(forward, lambda dout, x: {"x": 2 * dout * np.float32(x)}, {"x": (3, 4)})
    assert verdicts(trial) == {"x": "right"}


def test_a_forward_that_rounds_inside_is_allowed_the_rounding_of_float32():
    def forward(x):
        h = x.astype(np.float32)
        return h.astype(np.float64) ** 2

    trial = layer(forward, lambda dout, x: {"x": 2 * dout * np.float32(x)}, {"x": (3, 4)})
    assert verdicts(trial) == {"x": "right"}


def test_a_wrong_gradient_in_float32_has_its_name_as_one_of_doubles():
    def half(dout, x):
        return {"x": np.float32(dout * x)}

    (g,) = judge.examine([layer(lambda x: x * x, half, {"x": (3, 4)})]).gradients
    assert g.verdict == "wrong"
    assert "it is half of the gradient" in g.sentences


def strided(stride, forgotten):
    """Every other entry, with a backward that may forget the stride."""

    def forward(x):
        return x[::stride] * 2

    def backward(dout, x):
        dx = np.zeros(len(x))
        dx[:: 1 if forgotten else stride][: len(dout)] = 2 * dout
        return {"x": dx}

    return layer(forward, backward, {"x": (6,)}, name="strided", setting=f"stride={stride}, pad=0")


def test_the_worst_of_several_settings_counts_and_the_one_that_hides_it_is_named():
    found = judge.examine([strided(1, True), strided(2, True)])
    (g,) = found.gradients
    assert (g.verdict, g.setting, g.hidden) == ("wrong", "stride=2", "stride=1")
    assert found.also == ["stride=2"]
    (right,) = judge.examine([strided(1, False), strided(2, False)]).gradients
    assert (right.verdict, right.hidden) == ("right", "")


def test_a_setting_that_cannot_be_run_leaves_the_others_and_alone_it_is_refused():
    def broken(x):
        raise ValueError("no")

    refused = layer(broken, relu_backward, {"x": (3,)}, setting="stride=1")
    runs = layer(relu, relu_backward, {"x": (3,)}, setting="stride=2")
    found = judge.examine([refused, runs])
    assert [g.verdict for g in found.gradients] == ["right"]
    (told,) = found.refused
    assert told.startswith("stride=1: its forward fails on floats, too: ValueError: no")
    with pytest.raises(LayerError):
        judge.examine([refused])


def test_the_same_seed_finds_the_same():
    trial = but(w=lambda g: g * 1.5)
    first, second = (judge.examine([trial], 4).gradients[1] for _ in range(2))
    assert first == second


# What is not linear in dout, and their backward as a matrix


@pytest.mark.parametrize(
    ("backward", "told"),
    [
        (lambda d: 0 * d + 1, "does not depend on dout"),
        (lambda d: d + 1, "not 0 where dout is 0"),
        (lambda d: d * (d > 0), "not linear in dout"),
        (lambda d: d * np.abs(d), "not linear in dout"),
        (lambda d: 3 * d, None),
    ],
)
def test_a_backward_that_is_no_linear_map_of_dout_is_told_by_how_it_departs(backward, told):
    dout = np.array([1.0, -2.0, 0.5])
    sides = {"x": Sides(backward(dout), 2 * dout, abs(dout))}
    found = departures(lambda douts: {"x": backward(douts[0])}, [dout], sides)
    assert ("x" in found) == (told is not None)
    assert told is None or told in found["x"]


def test_the_rounding_of_float32_is_no_departure_from_a_linear_map():
    dout = np.random.default_rng(2).normal(size=7)
    single = Sides(dout, dout, abs(dout), tolerance=1e-5)
    assert departures(lambda douts: {"x": np.float32(1.37 * douts[0])}, [dout], {"x": single}) == {}


def softmax(x):
    e = np.exp(x)
    return e / e.sum(axis=1, keepdims=True)


def norm(x, g, b):
    return g * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5) + b


def right_norm(dout, x, g, b):
    s = np.sqrt(x.var(axis=0) + 1e-5)
    h, d = (x - x.mean(axis=0)) / s, dout * g
    dx = (d - d.mean(axis=0) - h * (d * h).mean(axis=0)) / s
    return {"x": dx, "g": (dout * h).sum(axis=0), "b": dout.sum(axis=0)}


RIGHT_LAYERS = {
    "affine": (affine, right_affine, AFFINE),
    "tanh": (
        lambda x: np.tanh(x),
        lambda dout, x: {"x": dout * (1 - np.tanh(x) ** 2)},
        {"x": (3, 4)},
    ),
    "softmax": (
        softmax,
        lambda dout, x: {"x": softmax(x) * (dout - (dout * softmax(x)).sum(axis=1, keepdims=True))},
        {"x": (3, 4)},
    ),
    "norm": (norm, right_norm, {"x": (5, 3), "g": (3,), "b": (3,)}),
}


def third(g):
    return np.arange(g.size).reshape(g.shape) % 3 == 0


NONSENSE = {  # what no student writes: the right gradient, and the same random numbers each time
    "noise as a factor": lambda g, r: g * r.normal(size=g.shape),
    "noise": lambda g, r: g + 0.1 * r.normal(size=g.shape) * np.abs(g).mean(),
    "sine": lambda g, r: np.sin(3 * g),
    "cube": lambda g, r: g**3,
    "a ramp": lambda g, r: g * 0.37 * np.arange(g.shape[-1]),
    "all mixed": lambda g, r: (r.normal(size=(g.size, g.size)) @ g.ravel()).reshape(g.shape),
    "rows mixed": lambda g, r: g @ r.normal(size=(g.shape[-1], g.shape[-1])),
    "a third as noise": lambda g, r: np.where(third(g), g * r.normal(size=g.shape), g),
    "a third gone": lambda g, r: np.where(third(g), 0, 1.37 * g),
    "rolled": lambda g, r: 1.1 * np.roll(g, 2),
    "size": lambda g, r: 1.3 * np.abs(g),
    "clipped": lambda g, r: 0.9 * np.clip(g, -0.5, 0.5),
}
NO_NAME = (  # all that is true of it
    r"\d+ of \d+ terms right|it is not linear in dout|"
    r"a sample of yours has terms of other samples|"
    r"a slice of yours has terms of other slices along axis 1|"
    r"it is right for the terms of out\[[^]]*\] only$|nothing comes from out\[[^]]*\]$"
)


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("name", RIGHT_LAYERS)
def test_a_nonsense_gradient_gets_no_name_but_the_count_of_its_terms(name, nonsense):
    forward, right, shapes = RIGHT_LAYERS[name]

    def backward(dout, **inputs):
        r = np.random.default_rng(7)
        return {n: NONSENSE[nonsense](g, r) for n, g in right(dout, **inputs).items()}

    trial = layer(forward, backward, shapes, samples=shapes["x"][0])
    for g in judge.examine([trial]).gradients:
        assert g.verdict == "wrong"
        assert all(re.match(NO_NAME, sentence) for sentence in g.sentences), g.sentences
        assert "terms right" in g.sentences[-1] or "not linear" in g.sentences[-1]


def test_samples_that_are_mixed_are_told_beside_the_count():
    """Of slices of another axis it is told where samples are apart, not of a dense gradient."""
    r = np.random.default_rng(5)
    samples = r.normal(size=(3, 3))
    found = judge.examine([but(x=lambda g: samples @ g, w=lambda g: g @ np.ones((5, 5)) / 7)])
    x, w, _ = found.gradients
    assert x.sentences[0].startswith("a sample of yours has terms of other samples")
    assert x.sentences[1].startswith("0 of 60 terms right")
    assert w.sentences == ["0 of 60 terms right, 60 of another size, 240 that do not belong"]
    forward, right, shapes = RIGHT_LAYERS["tanh"]
    rows = r.normal(size=(4, 4))
    mixed = layer(forward, lambda dout, x: {"x": right(dout, x)["x"] @ rows}, shapes, samples=3)
    (g,) = judge.examine([mixed]).gradients
    assert [" ".join(s.split()[:4]) for s in g.sentences] == ["a slice of yours", "0 of 12 terms"]


def test_of_a_gradient_that_is_nan_somewhere_that_is_told_and_no_departure():
    found = judge.examine([but(b=lambda g: g / np.where(np.arange(5) == 1, np.nan, 1))])
    assert found.gradients[2].sentences == ["1 of its 5 entries are no numbers: nan, or infinite"]


def test_a_mask_that_looks_at_the_only_entry_of_dout_is_told():
    dout = np.array([1.0])
    found = departures(
        lambda douts: {"x": douts[0] * (douts[0] > 0)}, [dout], {"x": Sides(*[dout] * 3)}
    )
    assert "not linear in dout" in found["x"]


@pytest.mark.parametrize("outputs", [3, 80])
def test_the_matrix_of_a_backward_has_a_row_for_each_output_by_unit_vectors_and_by_values(outputs):
    A = np.random.default_rng(0).normal(size=(outputs, 4))
    trial = layer(lambda x: A @ x, lambda dout, x: {"x": A.T @ dout}, {"x": (4,)})
    examination = Examination(trial, 0)
    grads = examination.pull(examination.dout)
    found = as_matrix(trial, examination.pull, examination.dout, grads)
    np.testing.assert_allclose(found["x"], A, rtol=1e-12)


def test_a_gradient_that_is_no_number_says_so_and_nothing_else():
    for odd in (np.nan, np.inf):
        found = judge.examine([but(w=lambda g, odd=odd: g * odd)])
        (g,) = [g for g in found.gradients if g.verdict != "right"]
        assert (g.input, g.verdict, found.habits) == ("w", "wrong", [])
        assert g.sentences == ["20 of its 20 entries are no numbers: nan, or infinite"]


def test_the_weights_for_a_gradient_are_told_to_forget_the_upstream():
    found = judge.examine([layer(affine, lambda dout, x, w, b: right_affine(dout, x, w, b) | {
        "x": w.T}, AFFINE, samples=3)])  # fmt: skip
    assert found.gradients[0].sentences == [
        "it does not depend on dout: multiply with the upstream gradient"
    ]


@pytest.mark.parametrize(
    ("db", "verdict"),
    [(lambda g: g / 3, "by design"), (lambda g: g[None] / 3, "shape"), (lambda g: g * 0, "wrong")],
)
def test_one_nth_is_by_design_where_every_parameter_has_it_whatever_else_is_wrong(db, verdict):
    found = verdicts(but(w=lambda g: g / 3, b=db))
    assert found["b"] == verdict
    assert found["w"] == ("wrong" if verdict == "wrong" else "by design")


def test_of_a_gradient_that_is_nan_no_second_pass_is_compared():
    trial = layer(affine, lambda dout, x, w, b: right_affine(dout, x, w, b) | {"x": x * np.nan},
                  AFFINE, again=lambda *_: "dx of a second pass is another")  # fmt: skip
    assert judge.examine([trial]).habits == []


def test_a_zero_in_another_shape_is_no_sum_though_the_right_one_adds_up_to_it():
    said = about_shape(np.array(0.0), np.array([[1.0, -1.0]]), np.ones((1, 2)), "x")
    assert said == ("wrong", ["it is zero"])


def test_a_factor_of_a_window_is_named_by_the_window_and_not_by_a_length_that_equals_it():
    x = np.random.default_rng(0).normal(size=(5, 9))
    trial = layer(lambda a: a.mean(axis=1), lambda dout, a: {"a": dout[:, None] * np.ones(9)},
                  {"a": x.tolist()}, setting="k=3")  # fmt: skip
    assert judge.examine([trial]).gradients[0].sentences == [
        "it is k² = 9 times the gradient: a division by k² is missing"
    ]
