"""Every row of the lecture notes' worked examples."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.planting import assert_caught, plant_rule
from shared.strategies import floats, hundredths

from microgrid import Value, examples, gradients, grads, matrix, partials
from microgrid.engine.value import Constant, topological
from microgrid.matrices.examples import named

weights = st.lists(hundredths, min_size=3, max_size=3)
inputs = st.lists(hundredths, min_size=2, max_size=2)


def test_the_sigmoid_circuit_has_the_notes_values_and_gradients_at_every_gate():
    f = examples.sigmoid_circuit()
    f.backward()
    inner = [v for v in topological(f) if v.op is not None]
    rows = [(v.data, v.grad) for v in inner]
    expected = [
        (-2, 0.1966119332414819),
        (6, 0.1966119332414819),
        (4, 0.1966119332414819),
        (1, 0.1966119332414819),
        (-1, -0.1966119332414819),
        (0.36787944117144233, -0.534446645388523),
        (1.3678794411714423, -0.534446645388523),
        (0.7310585786300049, 1),
    ]
    for (value, gradient), (right_value, right_gradient) in zip(rows, expected, strict=True):
        assert value == right_value
        assert gradient == pytest.approx(right_gradient, rel=1e-15)
    leaves = {name: v.grad for name, v in named(f).items() if v.op is None}
    assert leaves == pytest.approx(
        {"w_0": -0.19661193, "x_0": 0.39322387, "w_1": -0.39322387, "x_1": -0.58983580,
         "w_2": 0.19661193}, abs=5e-9,
    )  # fmt: skip


def test_rounding_is_for_display_only():
    """Rounded at every gate the slide would read −0.19, 0.38, −0.38, −0.57."""
    f = examples.sigmoid_circuit()
    f.backward()
    shown = [round(named(f)[name].grad, 2) for name in ("w_0", "x_0", "w_1", "x_1", "w_2")]
    assert shown == [-0.20, 0.39, -0.39, -0.59, 0.20]


@given(weights, inputs)
def test_gate_by_gate_equals_the_sigmoid_gate_equals_the_closed_form(w, x):
    gates, folded = examples.sigmoid_circuit(w, x), examples.sigmoid_circuit(w, x, folded=True)
    score = w[0] * x[0] + w[1] * x[1] + w[2]
    e = math.exp(-abs(score))
    slope = e / (1 + e) ** 2
    closed = {
        "w_0": slope * x[0], "w_1": slope * x[1], "w_2": slope,
        "x_0": slope * w[0], "x_1": slope * w[1],
    }  # fmt: skip
    for root in (gates, folded):
        root.backward()
        assert root.data == pytest.approx(1 / (1 + math.exp(-score)), rel=1e-14)
        # gate by gate exp(−score) and + 1 lose digits where the score is large and positive
        for name, expected in closed.items():
            assert named(root)[name].grad == pytest.approx(expected, rel=1e-11, abs=1e-300)


def test_the_folded_circuit_has_one_sigmoid_gate():
    f = examples.sigmoid_circuit(folded=True)
    f.backward()
    assert f.op.name == "sigmoid"
    assert f.parents[0].grad == pytest.approx(0.73 * 0.27, abs=5e-3)


def test_add_distributes_multiply_switches_max_routes():
    f = examples.gates_circuit()
    f.backward()
    assert f.data == -20
    assert [named(f)[name].grad for name in "xyzw"] == [-8, 6, 2, 0]
    assert {v.op.role for v in topological(f) if v.op} == {"distributor", "switcher", "router"}


vectors = st.integers(1, 4).flatmap(
    lambda n: st.tuples(*[st.lists(hundredths, min_size=n, max_size=n)] * 2)
)


@given(vectors, hundredths)
def test_squared_error_pulls_by_minus_twice_the_residual(vectors, y):
    w, x = vectors
    e = examples.squared_error(w, x, y)
    e.backward()
    residual = y - sum(a * b for a, b in zip(w, x, strict=True))
    for i in range(len(w)):
        right = -2 * residual * x[i]
        assert named(e)[f"w_{i + 1}"].grad == pytest.approx(right, rel=1e-9, abs=1e-9)


@given(vectors)
def test_log_loss_pulls_by_sigma_minus_one(vectors):
    w, x = vectors
    e = examples.log_loss(w, x)
    e.backward()
    score = sum(a * b for a, b in zip(w, x, strict=True))
    sigma = 1 / (1 + math.exp(-score))
    for i in range(len(w)):
        right = (sigma - 1) * x[i]
        assert named(e)[f"w_{i + 1}"].grad == pytest.approx(right, rel=1e-9, abs=1e-12)


@given(hundredths, hundredths)
def test_a_skip_connection_adds_one_to_the_gradient(x, w):
    y = examples.skip_connection(x, w)
    y.backward()
    open_gate = w * x > 0
    assert named(y)["x"].grad == 1 + (w if open_gate else 0)


@given(hundredths, st.lists(hundredths, min_size=1, max_size=4))
def test_parallel_branches_sum_up_at_their_common_input(x, w):
    y = examples.parallel_branches(x, w)
    y.backward()
    assert named(y)["x"].grad == pytest.approx(1 + sum(wi for wi in w if wi * x > 0))


@given(st.lists(floats.filter(bool), min_size=1, max_size=4))
def test_the_jacobian_of_an_elementwise_relu_is_diagonal(x):
    leaves = matrix(x, "x")
    z = examples.relu_layer(leaves)
    assert partials(z, leaves).tolist() == np.diag([float(v > 0) for v in x]).tolist()


def test_a_dead_relu_passes_no_gradient_and_its_weight_never_moves():
    w = Value(-1.0, "w")
    for x in (0.5, 1.0, 7.0):  # x w is negative for every sample
        loss = (examples.relu_layer(np.array([w * x], dtype=object))[0] - 1.0) ** 2
        loss.backward()
    assert w.grad == 0.0


def test_the_product_in_the_column_convention():
    root = examples.matmul_circuit()
    root.backward()
    assert named(root)["x_{21}"].grad == 0.0 * 1.0 + 3.0 * -2.0


def test_the_affine_layer_of_the_note_has_its_shape_and_hides_no_wrong_formula():
    W, dY = np.array(examples.W), np.array(examples.DY)
    assert (np.array(examples.X).shape, W.shape, dY.shape) == ((2, 2), (2, 3), (2, 3))
    assert not (dY == dY[0]).all()
    X = matrix(examples.X)
    examples.affine_circuit(X).backward()
    assert grads(X).tolist() == (dY @ W.T).tolist()


def test_one_sample_gives_an_outer_product_and_the_batch_their_sum():
    outer = sum(np.outer(x, dy) for x, dy in zip(examples.X, examples.DY, strict=True))
    W = matrix(examples.W)
    examples.affine_circuit(W=W).backward()
    assert grads(W).tolist() == outer.tolist()


def test_a_gradient_step_lowers_the_error():
    w = [Value(2.0), Value(-1.0)]
    e = examples.squared_error(w)
    for wi, g in zip(w, gradients(e, w), strict=True):
        wi.data -= 0.01 * g
    assert examples.squared_error(w).data < e.data


@pytest.mark.parametrize("name", examples.ALL)
def test_every_example_runs_without_arguments_and_names_its_leaves(name):
    roots = np.ravel(examples.ALL[name]())
    for root in roots:
        root.backward()
        for v in topological(root):
            assert v.label or v.op or isinstance(v, Constant) or v.data == 1


# Tests of the tests.

WRONG_RULES = [
    ("slope_one", "exp", test_gate_by_gate_equals_the_sigmoid_gate_equals_the_closed_form),
    ("value_for_slope", "sigmoid",
     test_gate_by_gate_equals_the_sigmoid_gate_equals_the_closed_form),
    ("slope_one", "relu", test_the_jacobian_of_an_elementwise_relu_is_diagonal),
]  # fmt: skip


@pytest.mark.parametrize(("name", "op", "test"), WRONG_RULES)
def test_a_wrong_rule_is_caught(name, op, test, monkeypatch):
    plant_rule(monkeypatch, name, op)
    assert_caught(test, monkeypatch)
