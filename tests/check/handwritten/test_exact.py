"""Their forward on Values: the Jacobian, also without some paths, the lines, the arrays inside."""

import importlib.util
import linecache
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microgrid as mg
from microgrid.check.handwritten.forward.exact import exact
from microgrid.check.handwritten.forward.jacobians import Jacobians
from microgrid.check.handwritten.trial import LayerError, Pass, Trial
from microgrid.engine.value import Value

SOURCE = """
import numpy as np

def helper(v):
    s = v * v
    return s

def batchnorm(x, gamma, beta):
    mu = np.mean(x, axis=0)
    var = np.var(x, axis=0)  # line 10
    std = np.sqrt(
        var + 1e-5
    )
    xhat = (x - mu) / std
    out = gamma * xhat + beta
    return out

def calls(x):
    y = helper(x) + x
    if x[0] > 100:
        y = y * 2
    elif True:
        y = y * 3  # line 23
    for i in range(2):
        y = np.sin(y)
    while i < 2:
        i += 1
        y = y * 1.5  # line 28
    with np.errstate(all="ignore"):
        y = y + 1
    try:
        y = y / 2
    finally:
        z = np.exp(y)  # line 34
    return z

class Layer:
    def __init__(self, w):
        self.w = w

    def forward(self, x):
        self.x = x
        hidden = np.dot(x, self.w)
        self.out = np.tanh(hidden)
        return self.out

def two(x, w):
    a = x @ w
    x += 1
    return a, np.sum(a * a)

def backward(dout, x):
    return {"x": dout * 2 * x}

def conv(x, w, b):
    xp = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = np.zeros((2, 4, 8, 8))
    for n in range(2):
        for f in range(4):
            for i in range(8):
                for j in range(8):
                    out[n, f, i, j] = np.sum(xp[n, :, i:i + 3, j:j + 3] * w[f]) + b[f]
    return out

def affine(x, w, b):
    out = x.dot(w) + b
    return out

def single(x):
    return np.asarray(x * 2, dtype=np.float32)

def escapes(x, w):
    return x * float(np.array([v.data if hasattr(v, "label") else v for v in w.ravel()])[0])

def fails(x):
    a = x * 2
    return np.linalg.nothing(a)

def fails_on_values(x):
    a = np.asarray(x)
    return np.fft.fft(a).real

def other_shape(x):
    return x if hasattr(x[0], "label") else x[None]

def other_numbers(x):
    return x * 2 if hasattr(x[0], "label") else x

def relu(x):
    return np.maximum(0, x)
"""


@pytest.fixture(scope="module")
def their(tmp_path_factory):
    path = tmp_path_factory.mktemp("theirs") / "their_layers.py"
    path.write_text(SOURCE, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("their_layers", path)
    module = sys.modules["their_layers"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["their_layers"]


def trial_of(module, name, shapes, run=None, **more):
    rng = np.random.default_rng(4)
    f = getattr(module, name)

    def plain_run(d):
        out = f(**d)
        return Pass(list(out) if isinstance(out, tuple) else [out], dict)

    inputs = {n: rng.uniform(0.5, 1.5, s) * rng.choice([-1, 1], s) for n, s in shapes.items()}
    return Trial(name, inputs, run or plain_run, [module], [f], **more)


BATCHNORM = {"x": (5, 3), "gamma": (3,), "beta": (3,)}


def numbered(found):
    return {line: nodes for (_, line), nodes in found.lines.items()}


def test_nodes_belong_to_the_line_whose_statement_made_them(their):
    lines = numbered(exact(trial_of(their, "batchnorm", BATCHNORM)))
    assert sorted(lines) == [9, 10, 11, 14, 15]
    assert {v.op.name for v in lines[14]} == {"sub", "div"}
    assert len(lines[14]) == 30
    assert {v.op.name for v in lines[15]} == {"mul", "add"}


def test_functions_that_begin_in_one_line_keep_their_own_code():
    both = [lambda x: x * 2, lambda x: x.sum() * 3, lambda x, w=1: x * w * 4]
    slopes = []
    for f in both:
        trial = Trial("f", {"x": np.ones(1)}, lambda d, f=f: Pass([f(d["x"])], dict), forwards=both)
        slopes.append(exact(trial).jacobian().item())
    assert slopes == [2, 3, 4]


def test_a_file_of_a_line_is_that_of_their_source(their):
    found = exact(trial_of(their, "batchnorm", BATCHNORM))
    texts = {n: linecache.getline(file, n).strip() for file, n in found.lines}
    assert texts[14] == "xhat = (x - mu) / std"


def test_what_a_line_makes_after_a_call_is_the_lines_own(their):
    lines = numbered(exact(trial_of(their, "calls", {"x": (3,)})))
    assert {v.op.name for v in lines[5]} == {"mul"}  # in the helper
    assert {v.op.name for v in lines[19]} == {"add"}  # helper(x) + x
    assert set(lines) == {5, 19, 23, 25, 28, 30, 32, 34}


def test_no_label_of_a_line_stays(their):
    found = exact(trial_of(their, "batchnorm", BATCHNORM))
    assert all(v.label == "" or v.op is None for v in found.graph(None).nodes)
    assert found.leaves["x"][1].label == "x_{12}"
    assert mg.Value(1.0).exp().label == ""


def test_arrays_inside_have_their_names_in_the_order_of_assignment(their):
    found = exact(trial_of(their, "batchnorm", BATCHNORM))
    assert list(found.inner) == ["x", "gamma", "beta", "mu", "var", "std", "xhat", "out"]
    assert found.inner["xhat"].shape == (5, 3)
    x = trial_of(their, "batchnorm", BATCHNORM).inputs["x"]
    assert np.allclose(mg.values(found.inner["var"]), x.var(axis=0))


def test_arrays_that_an_object_holds_are_inside_too(their):
    def run(d):
        return Pass([their.Layer(d["w"]).forward(d["x"])], dict)

    trial = trial_of(their, "Layer", {"x": (2, 3), "w": (3, 4)}, run)
    trial.forwards = [their.Layer.forward]
    assert {"hidden", "self.x", "self.w", "self.out"} <= set(exact(trial).inner)


def test_several_outputs_come_one_after_the_other(their):
    found = exact(trial_of(their, "two", {"x": (2, 3), "w": (3, 2)}))
    assert found.shapes == [(2, 2), ()]
    assert len(found.outputs) == len(found.numbers) == 5
    assert found.jacobian().shape == (5, 12)
    assert np.array_equal(found.jacobian(["w"]), found.jacobian()[:, 6:])


def test_a_forward_that_writes_into_its_inputs_leaves_those_of_the_trial(their):
    trial = trial_of(their, "two", {"x": (2, 3), "w": (3, 2)})
    before = trial.inputs["x"].copy()
    exact(trial)
    assert np.array_equal(trial.inputs["x"], before)


def test_the_jacobian_of_some_inputs_has_their_columns(their):
    found = exact(trial_of(their, "batchnorm", BATCHNORM))
    alone = [found.jacobian([name]) for name in BATCHNORM]
    assert np.array_equal(np.hstack(alone), found.jacobian())
    assert np.array_equal(np.hstack(alone[:0:-1]), found.jacobian([*BATCHNORM][:0:-1]))


def test_gradients_of_all_nodes_are_those_of_the_engine(their):
    found = exact(trial_of(their, "batchnorm", BATCHNORM))
    dout = np.random.default_rng(0).normal(size=(5, 3))
    root = mg.total([y * float(g) for y, g in zip(found.outputs, dout.ravel())])
    expected, got = mg.gradients(root), found.gradients([dout])
    for name in ("var", "xhat", "mu", "x"):
        for v in found.inner[name].ravel():
            assert got[v] == pytest.approx(expected[v], rel=1e-12, abs=1e-12)


def by_engine(found, cut=frozenset()):
    """The Jacobian by one backward pass for each output, edge by edge."""
    leaves = [x for xs in found.leaves.values() for x in xs]
    rows = []
    for y in found.outputs:
        gradient = {y: 1.0}
        for v in reversed(mg.engine.value.topological(y)):
            if v.op is None or v in cut or v not in gradient:
                continue
            for parent, local in mg.engine.value.edges(v, v.op):
                if local is not mg.engine.slopes.NO_PATH:
                    gradient[parent] = gradient.get(parent, 0.0) + gradient[v] * local
        rows.append([gradient.get(x, 0.0) for x in leaves])
    return np.array(rows)


@pytest.mark.parametrize("line", [9, 10, 11, 14, 15])
def test_a_jacobian_without_a_line_leaves_its_paths_out(their, line):
    found = exact(trial_of(their, "batchnorm", BATCHNORM))
    cut = numbered(found)[line] - set(found.outputs)
    assert np.allclose(found.jacobian(cut=cut), by_engine(found, cut), rtol=0, atol=1e-13)
    assert not np.allclose(found.jacobian(cut=cut), found.jacobian())


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 12))
def test_both_ways_through_a_graph_give_the_jacobian_of_the_engine(seed, outputs, nodes):
    rng = np.random.default_rng(seed)
    leaves = [Value(x) for x in rng.normal(size=4)]
    made = [*leaves]
    for _ in range(nodes):
        a, b = rng.choice(len(made), 2)
        made.append(made[a] * made[b] + mg.sin(made[a]) if seed % 2 else made[a] - made[b] * 2)
    ends = [made[k] for k in rng.choice(len(made), outputs)]
    cut = {made[k] for k in rng.choice(len(made), 2)} - set(leaves) if seed % 3 else set()
    graph = Jacobians(ends, leaves)
    whole = graph.jacobian(cut)
    graph.below = None
    assert np.allclose(graph.jacobian(cut), whole, rtol=1e-12, atol=1e-12)
    if not cut:
        assert np.allclose(whole, [mg.gradients(y, leaves) for y in ends], rtol=1e-9, atol=1e-9)


def test_outputs_that_share_their_graph_are_swept_at_once():
    x = [Value(k / 300) for k in range(300)]
    top = mg.total([mg.exp(v) for v in x])
    graph = Jacobians([mg.exp(v) / top for v in x], x)
    assert graph.below is None
    p = np.exp(np.arange(300) / 300)
    p /= p.sum()
    assert np.allclose(graph.jacobian(), np.diag(p) - np.outer(p, p), atol=1e-15)


def test_their_backward_may_run_on_values(their):
    def run(d):
        kept = d["x"]
        return Pass([their.relu(kept)], lambda douts: their.backward(douts[0], kept))

    trial = trial_of(their, "relu", {"x": (3,)}, run, backwards=[their.backward])
    found = exact(trial)
    written = found.pull([mg.matrix(np.ones(3), "dy")])
    assert isinstance(written["x"][0], Value)
    assert "\0" not in mg.latex(written["x"][0])


def test_a_forward_that_computes_in_single_precision_is_marked(their):
    assert exact(trial_of(their, "single", {"x": (3,)})).single
    assert not exact(trial_of(their, "relu", {"x": (3,)})).single


REFUSED = {
    "escapes": ({"x": (2,), "w": (2,)}, "loses the gradient of w on Values"),
    "fails": ({"x": (3,)}, r"fails on floats, too: AttributeError: .* \(line 77: `return np"),
    "fails_on_values": ({"x": (3,)}, r"does not run on Values: .*\(line 81: `return np.fft"),
    "other_shape": ({"x": (3,)}, r"other shapes on Values: \[\(3,\)\], on floats \[\(1, 3\)\]"),
    "other_numbers": ({"x": (3,)}, "gives other numbers on Values: 3 of 3, the first is"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_forward_that_cannot_be_trusted_is_refused_in_a_sentence(their, name):
    shapes, message = REFUSED[name]
    with pytest.raises(LayerError, match=message) as caught:
        exact(trial_of(their, name, shapes))
    assert "\n" not in str(caught.value)


def test_a_tie_is_no_lost_gradient(their):
    trial = trial_of(their, "relu", {"x": (3,)})
    trial.inputs["x"] = np.array([0.0, 1.0, -1.0])
    assert exact(trial).jacobian()[1, 1] == 1.0


def test_an_input_may_be_one_number_or_whole_numbers():
    trial = Trial("f", {"x": np.array([1, 3]), "r": np.array(0.5)},
                  lambda d: Pass([d["x"] ** 2 / 2 * d["r"]], dict))  # fmt: skip
    assert exact(trial).jacobian().tolist() == [[0.5, 0.0, 0.5], [0.0, 1.5, 4.5]]


def test_an_output_may_be_a_plain_number():
    trial = Trial("f", {"x": np.ones(2)}, lambda d: Pass([3.0, np.zeros(2), d["x"]], dict))
    found = exact(trial)
    assert found.shapes == [(), (2,), (2,)]
    assert found.jacobian().sum() == 2.0


def test_functions_in_no_module_are_run_as_well():
    space = {"np": np}
    exec("def f(x):\n    out = np.zeros(2)\n    out += x\n    return out", space)
    f = space["f"]
    trial = Trial("f", {"x": np.ones(2)}, lambda d: Pass([f(**d)], dict), [], [f])
    assert exact(trial).jacobian().tolist() == [[1, 0], [0, 1]]
    assert space["np"] is np
    assert set(space) == {"np", "f", "__builtins__"}


def test_the_dtype_of_values_stands_for_float_where_no_source_is_known():
    space = {"np": np}
    body = "out = np.zeros(2, x.dtype)\n    out += x\n    "
    body += (
        "return out if np.issubdtype(x.dtype, np.floating) and np.finfo(x.dtype).eps < 1 else 0 * x"
    )
    exec(f"def f(x):\n    {body}", space)
    trial = Trial("f", {"x": np.ones(2)}, lambda d: Pass([space["f"](**d)], dict), [], [space["f"]])
    assert "out" not in exact(trial).inner  # nothing was compiled anew
    assert exact(trial).jacobian().tolist() == [[1, 0], [0, 1]]


def test_threads_check_different_layers_at_once(their):
    names, shapes = ("batchnorm", "affine"), (BATCHNORM, {"x": (2, 3), "w": (3, 4), "b": (4,)})
    trials = [trial_of(their, *both) for both in zip(names, shapes)]
    expected = [exact(t).jacobian() for t in trials]
    found = [None, None]
    start = threading.Barrier(2)

    def work(k):
        start.wait()
        found[k] = exact(trials[k]).jacobian()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(np.array_equal(a, b) for a, b in zip(found, expected))
    assert their.np is np
