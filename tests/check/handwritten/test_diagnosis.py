"""The name of a mistake: found where it was made, by its line, and never told of another."""

import importlib.util
import inspect
import re
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from microgrid.check.handwritten import museum
from microgrid.check.handwritten.diagnosis import rules
from microgrid.check.handwritten.diagnosis.case import case_of
from microgrid.check.handwritten.diagnosis.diagnose import (
    backward_line,
    described,
    diagnose,
    worst,
)
from microgrid.check.handwritten.diagnosis.inside import first_wrong
from microgrid.check.handwritten.diagnosis.rules import transposed
from microgrid.check.handwritten.diagnosis.rules_in_order import RULES, VAGUE
from microgrid.check.handwritten.forward.exact import exact
from microgrid.check.handwritten.trial import Pass, Trial

AFFINE = {"x": (3, 4), "w": (4, 5), "b": (5,)}
NORM = {"x": (5, 3), "gamma": (3,), "beta": (3,)}
LABELS = np.array([1, 0, 4, 1])
LAYERS = {  # of the museum: what is drawn, what is given, and its setting
    "affine_pair": (AFFINE, {}, ""),
    "affine_loops": (AFFINE, {}, ""),
    "relu_pair": ({"x": (3, 4)}, {}, ""),
    "tanh_pair": ({"x": (3, 4)}, {}, ""),
    "batchnorm_pair": (NORM, {}, ""),
    "batchnorm_alt": (NORM, {"bn_param": {}}, ""),
    "layernorm_pair": (NORM, {"ln_param": {}}, ""),
    "conv_naive": (
        {"x": (2, 3, 5, 5), "w": (4, 3, 3, 3), "b": (4,)},
        {"conv_param": {"stride": 2, "pad": 1}},
        "stride=2, pad=1",
    ),
    "max_pool_pair": (
        {"x": (2, 3, 4, 5)},
        {"pool_param": {"pool_height": 2, "pool_width": 2, "stride": 1}},
        "",
    ),
    "embedding_pair": ({"W": (5, 4)}, {"x": np.array([[1, 3, 1], [0, 3, 4]])}, ""),
    "rnn_pair": (
        {"x": (2, 3, 4), "h0": (2, 5), "Wx": (4, 5), "Wh": (5, 5), "b": (5,)},
        {},
        "",
    ),
    "lstm_pair": (
        {
            "x": (2, 3),
            "prev_h": (2, 4),
            "prev_c": (2, 4),
            "Wx": (3, 16),
            "Wh": (4, 16),
            "b": (16,),
        },
        {},
        "",
    ),
    "softmax_loss": ({"x": (4, 5)}, {"y": LABELS}, ""),
    "svm_naive": ({"W": (3, 5)}, {"X": (4, 3), "y": LABELS, "reg": 0.7}, "reg=0.7"),
    "softmax_pair": ({"s": (3, 4)}, {}, ""),
}
SOFTMAX = """
import numpy as np


def softmax_forward(s):
    e = np.exp(s)
    out = e / e.sum(axis=1, keepdims=True)
    return out, out


def softmax_backward(dout, out):
    ds = out * (dout - (dout * out).sum(axis=1, keepdims=True))
    return ds
"""


def source(layer, *changes):
    text = SOFTMAX if layer == "softmax_pair" else museum.source(layer)
    for line, by in changes:
        assert text.count(line) == 1
        text = text.replace(line, by)
    return text


@pytest.fixture
def imported(tmp_path):
    """A function that makes a module of a text, which has a file and so lines."""
    made = []

    def load(text):
        path = tmp_path / f"layers{len(made)}.py"
        path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        made.append(module)
        return module

    return load


def drawn(layer, seed=0):
    rng = np.random.default_rng(seed)
    return {k: rng.normal(size=s) for k, s in LAYERS[layer][0].items()}


def trial_of(module, layer, seed=0):
    """The layer of a module, ready to run."""
    sizes, given, setting = LAYERS[layer]
    rng = np.random.default_rng(99)
    given = {k: rng.normal(size=v) if isinstance(v, tuple) else v for k, v in given.items()}
    own = [f for f in vars(module).values() if inspect.isfunction(f)]
    backwards = [f for f in own if "backward" in f.__name__] or own
    forwards = [f for f in own if f not in backwards] or own
    order = list(inspect.signature(forwards[-1]).parameters)

    def run(inputs):
        every = {**given, **inputs}
        back = forwards[-1](*[every[k] for k in order])
        if forwards == backwards:
            return Pass([back[0]], lambda _: dict(zip(sizes, [back[1]])))
        *outs, cache = back

        def pull(douts):
            grads = backwards[-1](*douts, cache)
            return dict(zip(sizes, grads if isinstance(grads, tuple) else (grads,)))

        return Pass(outs, pull)

    inputs = drawn(layer, seed)
    N = 4 if forwards == backwards else len(inputs.get("x", inputs.get("s", [0])))
    return Trial(
        layer, inputs, run, [module], forwards, backwards, {k: f"d{k}" for k in sizes},
        setting, forwards == backwards, N,
    )  # fmt: skip


def case(module, layer, input, seed=0):
    return case_of(trial_of(module, layer, seed), input, seed)


DW, DB = "dw = np.dot(rows.T, dout)", "db = np.sum(dout, axis=0)"
DX, DXHAT = "dx = dout * (x > 0)", "dxhat = dout * gamma"
DVAR = "dxmu += 2.0 / N * xmu * dvar"
TANH = "dx = dout * (1 - out**2)"
DS = "ds = out * (dout - (dout * out).sum(axis=1, keepdims=True))"
POOL = "dx[n, c, i * S + h, j * S + w] += dout[n, c, i, j]"
OWN = "dx[np.arange(N), y] -= 1"
REG = "dW += 2 * reg * W"
MISTAKES = [
    ("affine_pair", DW, "dw = 0 * w", "w", r"^it is zero$"),
    ("affine_pair", DW, "dw = -np.dot(rows.T, dout)", "w", "sign is wrong"),
    ("affine_pair", DW, "dw = 2 * np.dot(rows.T, dout)", "w", "twice the gradient"),
    ("affine_pair", DW, "dw = np.dot(rows.T, dout) / 2", "w", "half of the gradient"),
    ("affine_pair", DB, "db = dout.mean(axis=0)", "b", "1/N of the gradient: divided by N = 3"),
    ("affine_pair", DB, "db = len(x) * dout.sum(axis=0)", "b", "N = 3 times the gradient"),
    ("affine_pair", DB, "db = dout.sum(axis=0) / np.sqrt(3)", "b", "1/√N of the gradient"),
    ("affine_pair", DB, "db = dout.sum(axis=0) * 1.234", "b", "1.234 times the gradient"),
    ("affine_pair", DB, "db = np.full(b.shape, dout.sum())", "b", "summed over everything"),
    ("affine_pair", DB, "db = np.full(b.shape, 3.0)", "b", "dout is not used"),
    ("affine_pair", DW, "dw = np.dot(rows.T, dout) + 0.1 * w", "w", r"\+ 0\.1 · w: the regul"),
    ("affine_loops", "db += dout[n]", "db = dout[n]", "b", "only the last sample counts"),
    ("affine_loops", "db += dout[n]", "db = -dout[n]", "b", r"two.*sign is wrong.* only out\[2, :"),
    ("relu_pair", DX, "dx = dout * (dout > 0)", "x", "mask looks at dout, not at x"),
    ("relu_pair", DX, "dx = dout * (dout > 0) * (x > 0)", "x", "a mask looks at dout, too"),
    ("relu_pair", DX, "dx = np.where(x > 0, 0.5, 0.25) * dout", "x", r"0\.5 · dout where x > 0"),
    ("tanh_pair", TANH, "dx = dout * (1 - x**2)", "x", r"yours is dout · \(1 − x²\), right"),
    ("tanh_pair", TANH, "dx = dout * out * (1 - out)", "x", r"yours is dout · out\(1 − out\)"),
    ("tanh_pair", TANH, "dx = 1 - out**2", "x", "dout is not used"),
    ("batchnorm_pair", "dx = dxmu + dmu / N", "dx = dxmu", "x", "line 8: `mu = .*` is missing"),
    ("batchnorm_pair", DVAR, "", "x", r"line 10: `var = .*` \(and on through lines 11 and 12\) is"),
    ("batchnorm_pair", DVAR, DVAR.replace("2.0", "4.0"), "x", "line 10: .* is counted twice"),
    ("batchnorm_pair", DVAR, DVAR.replace("+=", "-="), "x", "line 10: .* has the wrong sign"),
    ("batchnorm_pair", DVAR, DVAR.replace("N", "(N - 1)"), "x", r"1\.25 times \(N/\(N − 1\)\)"),
    ("batchnorm_pair", DXHAT, "dxhat = dout", "x", "gamma is missing"),
    ("batchnorm_pair", "np.sum(dout * xhat", "np.sum(dout * xmu", "gamma", r"\* xmu.*\* xhat"),
    ("batchnorm_pair", "dstd / np.sqrt(var + eps)", "dstd / np.sqrt(var)", "x", "line 11: .*eps"),
    ("batchnorm_alt", "(N * dx_hat - dx_hat.sum(axis=0) - x_hat * (dx_hat * x_hat).sum(axis=0))",
     "(N * dx_hat)", "x", "paths through line 8: .* and line 9: .* are missing"),
    ("softmax_pair", DS, "ds = dout * out * (1 - out)", "s", "only the diagonal of the Jacobian"),
    ("softmax_pair", DS, "ds = dout", "s", "dout itself: the layer is passed over"),
    ("softmax_pair", DS, DS.replace("axis=1, keepdims=True", "axis=0"), "s", "of other samples"),
    ("conv_naive", "dw[f] += dout[n, f, i, j] * x_pad[n, :, hs : hs + HH, ws : ws + WW]",
     "dw[f] += dout[n, f, i, j] * x_pad[n, :, hs : hs + HH, j : j + WW]", "w",
     r"out\[:, :, :, 0\] only: the stride is forgotten"),
    ("conv_naive", "dx_pad[:, :, pad : pad + H, pad : pad + W]", "dx_pad[:, :, :H, :W]", "x",
     "shifted by .* padding"),
    ("max_pool_pair", POOL, POOL.replace("+=", "="), "x", "only the last counts"),
    ("max_pool_pair", POOL, "window = dx[n, c, i * S : i * S + HH, j * S : j * S + WW]\n" + 20 * " "
     + "window[:] = 0\n" + 20 * " " + "window[h, w] = dout[n, c, i, j]", "x",
     "where windows overlap only the last counts"),
    ("embedding_pair", "np.add.at(dW, x, dout)", "dW[x] += dout", "W", r"np\.add\.at"),
    ("rnn_pair", "dnext_h * (1 - next_h**2)", "dnext_h * (1 - next_h)", "Wh",
     "slope of tanh in line 7: .* taken for 1 − y, right is 1 − y²"),
    ("lstm_pair", "di = dc * g * i * (1 - i)", "di = dc * g * i", "x", "`i`, 1 − i is missing"),
    ("softmax_loss", "dx /= N", "", "x", "N = 4 times the gradient"),
    ("softmax_loss", OWN, "dx[:, y] -= 1", "x", r"whole columns: dx\[:, y\]"),
    ("softmax_loss", OWN, "dx[np.arange(N), y] -= 1 / N", "x", "for the right class of each"),
    ("svm_naive", REG, "", "W", r"line 24: .* is missing.*− 2 · reg · W"),
    ("svm_naive", REG, "dW += reg * W", "W", "line 24: .* is halved"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("layer", "line", "by", "input", "says"), MISTAKES, ids=lambda x: str(x)[:40]
)
def test_a_mistake_is_named(imported, layer, line, by, input, says):
    one = case(imported(source(layer, (line, by))), layer, input)
    said = diagnose(one) or described(one)
    assert re.search(says, "; ".join(said)), said


MEAN, ROOT = "dx = dxmu + dmu / N", "dvar = 0.5 * dstd / np.sqrt(var + eps)"
GAMMA = (DXHAT, "dxhat = dout")
TWO = [  # changes of one gradient, and what must be said of each
    ("batchnorm_pair", [GAMMA, (MEAN, "dx = dxmu")], "x", "gamma is missing", "line 8: .* missing"),
    ("batchnorm_pair", [GAMMA, (DVAR, "")], "x", "gamma is missing", "line 10: .* is missing"),
    ("batchnorm_pair", [GAMMA, (DVAR, DVAR.replace("N", "(N - 1)"))], "x", "gamma is missing",
     r"line 10: .* 1\.25 times \(N/\(N − 1\)\)"),
    ("batchnorm_pair", [(MEAN, "dx = dxmu"), (ROOT, ROOT.replace(" + eps", ""))], "x",
     "line 8: .* is missing", "where eps stands"),
    ("batchnorm_pair", [(MEAN, "dx = dxmu"), (DVAR, DVAR.replace("+=", "-="))], "x",
     "line 8: .* is missing", "line 10: .* has the wrong sign"),
    ("affine_pair", [(DW, "dw = np.dot(rows.T, dout) / x.shape[0] + 0.1 * w")], "w",
     "divided by N = 3 once too often", r"\+ 0\.1 · w"),
    ("affine_loops", [("db += dout[n]", "db = dout[n] / x.shape[0]")], "b",
     "divided by N = 3 once too often", "only the last sample counts"),
    ("relu_pair", [(DX, "dx = -dout * (dout > 0)")], "x", "sign is wrong", "mask looks at dout"),
    ("relu_pair", [(DX, "dx = -1.0 * (x > 0)")], "x", "dout is not used", "with the wrong sign"),
    ("tanh_pair", [(TANH, "dx = dout * (1 - out) / 2")], "x",
     "halved", r"dout · \(1 − out\), right"),
    ("softmax_loss", [(OWN, "dx[:, y] -= 1"), ("dx /= N", "")], "x", "N = 4 is missing", "columns"),
    ("softmax_loss", [(OWN, OWN + " / N"), ("dx /= N", "")], "x",
     "N = 4 is missing", "right class"),
    ("svm_naive", [(REG, "dW += reg * W"), ("dW[:, y[i]] -= X[i]", "")], "W",
     "line 24: .* is halved", "right side of `−` in .*correct_class_score.* is missing"),
    ("svm_naive", [(REG, ""), ("dW /= num_train", "")], "W",
     "line 24: .* is missing|reg · W is missing", r"4 times \(N\)|N = 4 is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "changes", "input", "one", "other"), TWO, ids=str)
def test_two_mistakes_in_one_gradient_are_both_told(imported, layer, changes, input, one, other):
    (said, *_) = diagnose(case(imported(source(layer, *changes)), layer, input))
    assert re.search(one, said), said
    assert re.search(other, said), said


STABLE = [m for m in MISTAKES if not m[0].startswith(("conv", "max_pool", "rnn", "lstm"))]


@pytest.mark.parametrize(("layer", "line", "by", "input", "says"), STABLE[::3], ids=str)
def test_what_is_said_does_not_depend_on_the_numbers_drawn(imported, layer, line, by, input, says):
    module = imported(source(layer, (line, by)))
    cases = [case(module, layer, input, seed) for seed in (0, 1, 2)]
    said = [diagnose(one) or described(one) for one in cases]
    exact = [[re.sub(r"\d\S*|line \S+", "", s) for s in one] for one in said]
    assert exact[0] == exact[1] == exact[2]


@pytest.mark.parametrize("layer", ["affine_pair", "relu_pair", "batchnorm_pair", "softmax_loss"])
def test_no_rule_says_anything_of_a_right_gradient(imported, layer):
    module = imported(source(layer))
    for input in LAYERS[layer][0]:
        one = case(module, layer, input)
        for entry in (*RULES, *VAGUE):
            with np.errstate(all="ignore"):
                assert [g.sentence for g in entry.rule(one) if one.holds(g)] == []


def test_every_rule_of_every_file_stands_in_the_table_once_and_tiers_ascend():
    folder = Path(rules.__file__).parent
    modules = [import_module(f"{rules.__name__}.{path.stem}") for path in folder.glob("[a-z]*.py")]
    takes_a_case = {
        f for module in modules for f in vars(module).values()
        if inspect.isgeneratorfunction(f) and f.__module__ == module.__name__
        and list(inspect.signature(f).parameters) == ["case"]
        and inspect.signature(f).return_annotation == "Iterator[Guess]"
    }  # fmt: skip
    takes_a_case -= {transposed.reordered}  # a part of transposed.transposed
    assert sorted(map(repr, takes_a_case)) == sorted(repr(e.rule) for e in (*RULES, *VAGUE))
    for table in (RULES, VAGUE):
        tiers = [entry.tier for entry in table]
        assert tiers == sorted(tiers)


def test_of_a_map_that_has_no_name_only_the_terms_are_counted(imported):
    by = "db = np.random.default_rng(5).normal(size=(5, 15)) @ dout.ravel()"
    one = case(imported(source("affine_pair", (DB, by))), "affine_pair", "b")
    assert diagnose(one) == []
    assert described(one) == ["0 of 15 terms right, 15 of another size, 60 that do not belong"]


def test_a_coincidence_of_the_first_numbers_is_not_told(imported):
    """At the first inputs it is twice the gradient, at others it is not."""
    x = float(drawn("tanh_pair")["x"][0, 0])
    text = source("tanh_pair", (TANH, f"{TANH} * (2 + (x[0, 0] - ({x!r})))"))
    assert not any("twice" in s for s in diagnose(case(imported(text), "tanh_pair", "x")))


@pytest.mark.parametrize(("by", "says"), [
    ("len(x) * dout.sum(axis=0)", "it is N = 3 times the gradient: a division by N is missing"),
    ("3 * dout.sum(axis=0)", "it is 3 times the gradient, everywhere"),
    ("dout.sum(axis=0) / 3.0", "it is 0.333333 times the gradient, everywhere"),
    ("x.shape[1] * dout.sum(axis=0)",
     "it is x.shape[1] = 4 times the gradient: a division by x.shape[1] is missing"),
    ("4 / 1 * dout.sum(axis=0)", "it is 4 times the gradient, everywhere"),
    ("-0.25 * dout.sum(axis=0)", "it is -0.25 times the gradient, everywhere"),
    ("dout.sum(axis=0)\n    c = 4\n    db = c * db", "it is 4 times the gradient, everywhere"),
    ("dout.sum(axis=0)\n    db /= 4", "it is 0.25 times the gradient, everywhere"),
])  # fmt: skip
def test_a_factor_that_stands_there_as_a_number_is_not_taken_for_a_length(imported, by, says):
    text = source("affine_pair", (DB, f"db = {by}"))
    assert diagnose(case(imported(text), "affine_pair", "b")) == [says]


def test_a_factor_that_two_axes_have_is_not_taken_for_one_of_them():
    def run(inputs):
        return Pass([2 * inputs["x"]], lambda douts: {"x": 5 * 2 * douts[0]})

    for shape, says in (((3, 5, 5), "5 times the gradient, everywhere"), ((3, 4, 5), "x.shape[2]")):
        trial = Trial("f", {"x": np.arange(1.0, 1 + np.prod(shape)).reshape(shape)}, run, samples=3)
        assert says in diagnose(case_of(trial, "x"))[0]


def test_numbers_that_are_none_are_counted(imported):
    text = source("affine_pair", (DB, "db = np.sum(dout, axis=0) / np.array([1, 0, 1, 1, 1])"))
    one = case(imported(text), "affine_pair", "b")
    assert diagnose(one) == []
    assert described(one) == ["1 of its 5 entries are no numbers: nan, or infinite"]


def inside(module, layer):
    one = case(module, layer, next(iter(LAYERS[layer][0])))
    return first_wrong(one.trial, one.exact, one.dout)


@pytest.mark.parametrize(
    ("line", "by", "says"),
    [
        (DXHAT, "dxhat = dout", r"`dxhat` \(line 24: `dxhat = dout`\) is the first wrong"),
        ("dvar = 0.5 * dstd", "dvar = dstd", r"`dvar` \(line 27: .*`dstd` before it are right"),
        ("dstd = -distd", "dstd = distd", r"`dstd` \(line 26: .*`dxhat` and `distd` before it are"),
        (DVAR, DVAR.replace("2.0", "1.0"), r"`dxmu` \(line 29: `dxmu \+= 1.0"),
        ("dx = dxmu + dmu / N", "dx = dxmu", r"`dxmu` and `dmu` inside are right: .*line 31"),
    ],
)  # fmt: skip
def test_the_first_wrong_gradient_inside_is_named_with_its_line(imported, line, by, says):
    assert re.search(says, inside(imported(source("batchnorm_pair", (line, by))), "batchnorm_pair"))


def test_two_wrong_gradients_inside_are_both_named(imported):
    changes = (DXHAT, "dxhat = dout"), ("dstd = -distd", "dstd = distd")
    said = inside(imported(source("batchnorm_pair", *changes)), "batchnorm_pair")
    assert re.search("`dxhat` .* is the first wrong gradient inside, `dstd` .* the next", said)


@pytest.mark.parametrize("layer", [*LAYERS])
def test_nothing_inside_of_a_right_layer_is_called_wrong(imported, layer):
    assert inside(imported(source(layer)), layer) == ""


def test_parts_and_other_meanings_of_a_name_are_not_called_wrong(imported):
    """dxmu comes in two parts; dstd means something else; the mistake is in dxhat alone."""
    text = source(
        "batchnorm_pair",
        (DXHAT, "dxhat = dout"),
        ("dxmu = dxhat * istd", "dxmu1 = dxhat * istd\n    dstd = 7 * dstd\n    dxmu = 1 * dxmu1"),
    )
    said = inside(imported(text), "batchnorm_pair")
    assert "`dxhat` (line 24: `dxhat = dout`) is the first wrong gradient" in said
    assert "dxmu1" not in said
    assert "dstd" not in said


NAMES = """
import numpy as np


def layer_forward(s):
    scores = s * s
    t = np.tanh(scores)
    out = t * t
    return out, (s, t)


def layer_backward(dout, cache):
    s, t = cache
    dt = 1 - t**2
    dscores = dout * t * dt
    dscores = dscores * 2 * s
    ds = dscores
    return ds
"""


def test_a_name_that_is_used_for_two_gradients_is_named_at_the_wrong_one(imported):
    """dt is a slope here, no gradient of t; dscores becomes that of s."""
    module = imported(NAMES)
    trial = trial_of(module, "softmax_pair")  # for its one input, s
    said = first_wrong(trial, exact(trial), [np.ones((3, 4)) + np.arange(4)])
    assert said.startswith("`dscores` (line 15: `dscores = dout * t * dt`) is the first wrong")
    assert "`dt`" not in said


def test_the_trace_function_is_as_before_also_after_a_crash(imported):
    before = sys.gettrace()
    text = source("batchnorm_pair", (DXHAT, "dxhat = dout @ gamma\n    dxhat @ dout @ dout"))
    module = imported(text)
    trial = trial_of(module, "batchnorm_pair")

    assert first_wrong(trial, exact(trial), [np.ones((5, 3))]) == ""
    assert sys.gettrace() is before


def test_the_line_that_writes_a_gradient_is_the_last_assignment_to_it(imported):
    trial = trial_of(imported(source("batchnorm_pair")), "batchnorm_pair")
    assert backward_line(trial, "x").text == "dx = dxmu + dmu / N"
    assert backward_line(trial, "gamma").text == "dgamma = np.sum(dout * xhat, axis=0)"
    naive = trial_of(imported(source("svm_naive")), "svm_naive")
    assert backward_line(naive, "W").text == REG
    assert backward_line(Trial("f", {}, lambda inputs: None), "x") is None


BACKWARDS = """
def f(dout, x, w):
    return dout * w, dout * x


def g(dout, x, w):
    return (
        dout * w,
        dout * x,
    )


def h(dout, x, w):
    if x is None:
        return None
    return {"dx": dout * w,
            "dw": dout * x}


def k(dout, x, w):
    dw = dout * x
    return dout * w, dw


m = lambda dout, x, w: (dout * w, dout * x)
"""


@pytest.mark.parametrize(("name", "first", "second"), [
    ("f", 3, 3), ("g", 8, 9), ("h", 16, 17), ("k", 22, 21), ("m", 25, 25)])  # fmt: skip
def test_the_line_of_what_is_returned_is_that_of_the_expression(imported, name, first, second):
    function = getattr(imported(BACKWARDS), name)
    inputs = {"x": np.ones(2), "w": np.ones(2)}
    places = {n: f'grads["d{n}"]' if name == "h" else f"d{n}" for n in inputs}
    trial = Trial("f", inputs, lambda inputs: None, backwards=[function], places=places)
    assert [backward_line(trial, n).number for n in inputs] == [first, second]


def test_the_line_of_a_gradient_without_a_name_is_what_returns_it(imported):
    returned = imported(
        source("relu_pair", ("    return dx\n", "    return 2 * dout\n"), (DX, "pass"))
    )
    assert backward_line(trial_of(returned, "relu_pair"), "x").text == "return 2 * dout"


def test_the_worst_entry_has_its_terms_and_both_formulas(imported):
    text = source("affine_loops", ("dw += np.outer(x[n], dout[n])", "dw = np.outer(x[n], dout[n])"))
    found = worst(case(imported(text), "affine_loops", "w"))
    row, column = re.fullmatch(r"dw\[(\d), (\d)\]", found.entry).groups()
    assert [(t.output, t.note) for t in found.terms] == [
        (f"out[0, {column}]", "missing"), (f"out[1, {column}]", "missing"),
    ]  # fmt: skip
    small = {"0": "₁", "1": "₂", "2": "₃", "3": "₄", "4": "₅"}
    i, j = small[row], small[column]
    assert found.formulas == [
        f"yours: x₃{i}·dy₃{j}",
        f"right: x₁{i}·dy₁{j} + x₂{i}·dy₂{j} + x₃{i}·dy₃{j}",
    ]


def test_long_formulas_are_left_out(imported):
    text = source("batchnorm_pair", (DVAR, ""))
    assert worst(case(imported(text), "batchnorm_pair", "x")).formulas == []


def mean_square(p, y):
    d = p - y
    return np.mean(d * d), 2 * d / len(d)


def test_the_line_of_a_gradient_beside_its_loss_is_that_of_the_expression():
    trial = Trial("f", {"p": np.ones(3)}, dict, backwards=[mean_square], loss=True)
    assert backward_line(trial, "p").text == "return np.mean(d * d), 2 * d / len(d)"
