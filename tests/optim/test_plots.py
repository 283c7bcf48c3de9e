"""Plots hold the numbers they should, show as SVG and PNG, and are the same byte for byte."""

import math
import re

import numpy as np
import pytest

import microgrid as mg
from microgrid import nn, optim, plots

X = np.random.default_rng(0).normal(size=(30, 2))
Y = (X[:, 0] > 0) * 2 - 1


def trained():
    net = nn.Sequential(nn.Affine(2, 3, seed=1), nn.Tanh(), nn.Affine(3, 1, seed=2))
    f = mg.record(lambda m, x, y: nn.hinge(m(x), y), net, X[0], 1.0)
    history = optim.fit(f, net, (X, Y), optimizer=optim.SGD(lr=0.1), epochs=5, batch_size=10,
                        validation=(X, Y), metrics={"one": lambda m: 1.0})  # fmt: skip
    return net, history


def deep(layer, bias=0.0):
    net = nn.Sequential(*[part for i in range(6) for part in (nn.Affine(4, 4, seed=i), layer())])
    for p in net[0].b:
        p.data = bias
    return nn.squared_error(net([1.0, -1.0, 0.5, 2.0]), [1.0] * 4)


EVERY = {
    "history": lambda: trained()[1].plot(),
    "losses": lambda: plots.loss_curve([3.0, 2.0, 1.0]),
    "several": lambda: plots.loss_curve({"a": [3.0, 1.0], "b": trained()[1]}),
    "boundary": lambda: plots.decision_boundary(trained()[0], X, Y),
    "flow": lambda: plots.gradient_flow(deep(nn.Sigmoid)),
    "u curve": lambda: plots.u_curve(mg.gradcheck(lambda x, y: mg.exp(x) * y, 1.0, 2.0)),
    "saliency": lambda: plots.saliency(lambda x: x[0, 0] * x[1, 1], np.eye(2), signed=True),
    "bars": lambda: plots.saliency(lambda x: x[0] - 3 * x[1], [1.0, 2.0]),
    "functions": lambda: plots.functions({"log": mg.log, "relu": mg.relu}),
    "values": lambda: plots.functions({"log": mg.log}, slopes=False),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_plot_shows_itself_as_svg_and_png_the_same_again(name):
    first, second = EVERY[name]()._repr_mimebundle_(), EVERY[name]()._repr_mimebundle_()
    assert first == second
    assert first["image/png"].startswith(b"\x89PNG")
    assert first["image/svg+xml"].startswith("<svg")
    assert not re.search(r"<dc:date>|/(home|root|work)/", first["image/svg+xml"])
    assert len(first["image/svg+xml"]) < 120_000


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_a_plot_is_saved(tmp_path, kind):
    EVERY["losses"]().save(tmp_path / f"p.{kind}")
    assert (tmp_path / f"p.{kind}").stat().st_size > 1000


def test_other_files_are_refused(tmp_path):
    with pytest.raises(mg.MicrogridError, match=r"p.gif: it is saved as .svg or .png or .pdf"):
        EVERY["losses"]().save(tmp_path / "p.gif")


def lines(plot, axis=0):
    return {line.get_label(): line for line in plot.figure.axes[axis].get_lines()}


def test_a_history_has_a_curve_for_each_thing_that_was_measured():
    _, history = trained()
    left, right = lines(history.plot()), lines(history.plot(), 1)
    assert set(left) == {"each step", "loss", "validation"}
    assert list(left["each step"].get_ydata()) == history.steps
    assert left["each step"].get_xdata()[-1] == 5
    assert list(left["validation"].get_ydata()) == history["validation"]
    assert list(right["one"].get_ydata()) == [1.0] * 5


def bars(plot, axis):
    return [bar.get_width() for bar in plot.figure.axes[axis].patches]


def test_vanishing_gradients_are_bars_that_shrink_towards_the_first_layer():
    sigmoids = bars(plots.gradient_flow(deep(nn.Sigmoid)), 0)
    assert sigmoids[0] < 1e-3 * sigmoids[-1]
    assert sigmoids[::2] == sorted(sigmoids[::2])
    assert bars(plots.gradient_flow(deep(nn.Sigmoid)), 1) == [0.0] * 12


def test_dead_relus_are_seen_in_the_layer_before_them():
    dead = bars(plots.gradient_flow(deep(nn.ReLU, bias=-100.0)), 1)
    assert dead[0] == 100  # nothing comes back to the first affine layer
    alive = bars(plots.gradient_flow(deep(nn.LeakyReLU, bias=-100.0)), 1)
    assert alive[0] < 100


def test_the_gradients_of_a_flow_are_those_of_the_engine():
    x = mg.Value(2.0)
    with mg.scope("first"):
        h = x * 3
    with mg.scope("second"):
        y = h * h
    assert bars(plots.gradient_flow(y), 0) == [12.0, 1.0]
    assert x.grad == 0  # a view changes nothing


def test_the_u_curve_has_the_errors_of_the_report():
    report = mg.gradcheck(mg.sigmoid, 1.0)
    (line,) = plots.u_curve(report).figure.axes[0].get_lines()
    assert list(line.get_xdata()) == [h for h, _ in report.entries[0].curve]
    assert list(line.get_ydata()) == [max(e, plots.LEAST) for _, e in report.entries[0].curve]


def test_functions_stand_beside_their_slopes_with_gaps_where_they_have_no_value():
    plot = plots.functions({"log": mg.log}, -1.0, 1.0, resolution=5)
    value, slope = (lines(plot, i)["log"].get_ydata() for i in (0, 1))
    assert list(map(math.isnan, value)) == [True, True, True, False, False]
    assert slope[-1] == 1.0
    assert slope[-2] == 2.0


def test_a_boundary_is_where_the_score_changes_its_sign():
    plot = plots.decision_boundary(lambda points: points[:, 0] - 0.25, X, Y)
    found = plot.figure.axes[0].collections
    (contour,) = [c for c in found if list(getattr(c, "levels", [])) == [0.0]]
    (path,) = contour.get_paths()
    assert path.vertices[:, 0] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.gradient_flow(mg.Value(1.0) * 2), "inside a scope"),
        (lambda: plots.decision_boundary(lambda p: p[:, 0], X[:, :1], Y), r"shape \(n, 2\)"),
        (lambda: plots.decision_boundary(lambda p: p[:, 0], X, Y[:3]), r"and n classes"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_reason(call, message):
    with pytest.raises(mg.MicrogridError, match=message):
        call()


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    with pytest.raises(mg.MicrogridError, match='need matplotlib: pip install "matplotlib>='):
        plots.loss_curve([1.0])


def test_axes_are_one_or_a_row():
    """As notebooks use them."""
    _, ax = plots.axes()
    ax.plot([1, 2])
    _, (left, right) = plots.axes(2)
    assert left is not right


def shown(plot):
    """The numbers of the last picture or of the bars, and the title."""
    ax = [ax for ax in plot.figure.axes if ax.images or ax.patches][-1]
    numbers = (
        ax.images[0].get_array().tolist() if ax.images else [p.get_width() for p in ax.patches]
    )
    return numbers, plot.figure.get_suptitle()


def test_saliency_shows_the_slopes_in_the_form_of_x():
    f = lambda A: A[0][0] - 4 * A[0][1] + A[1][0] ** 2  # noqa: E731
    A = [[1.0, 2.0], [-1.5, 0.0]]
    for x in (A, np.array(A)):
        assert shown(plots.saliency(f, x)) == ([[1, 4], [3, 0]], "largest: |∂f/∂x₁₂| = 4.00")
        found = shown(plots.saliency(f, x, signed=True))
        assert found == ([[1, -4], [-3, 0]], "largest: ∂f/∂x₁₂ = −4.00")
    v, w = mg.Value(2.0, "v"), mg.Value(3.0, "w_1")
    assert shown(plots.saliency(v * w, [v, w])) == ([3, 2], "largest: |∂f/∂v| = 3.00")
    named = shown(plots.saliency(lambda p: p["a"] - 2 * p["b"][1], {"a": 1.0, "b": [2.0, 3.0]}))
    assert named == ([1, 0, 2], "largest: |∂f/∂b₂| = 2.00")
    turned = mg.record(lambda p: p["a"] - 2 * p["b"], {"b": 1.0, "a": 1.0})
    assert shown(plots.saliency(turned, {"a": 1.0, "b": 1.0}))[0] == [1, 2]


def test_saliency_takes_models_programs_and_points_without_a_slope():
    model = nn.Affine(3, 1, seed=0)
    point = [1.0, 2.0, 3.0]
    score = lambda x: model(x)[0]  # noqa: E731
    want = shown(plots.saliency(score, point))
    assert want[0] == [abs(w.data) for w in model.w.ravel()]
    weights = [w.data for w in model.w.ravel()]
    program = mg.record(lambda x: mg.dot(weights, x), point)
    assert shown(plots.saliency(program, point)) == want
    assert shown(plots.saliency(score, [mg.Value(x) for x in point])) == want
    by_weights = shown(plots.saliency(lambda m: m(point)[0], model))
    assert by_weights == ([1, 2, 3, 1], "largest: |∂f/∂w₃₁| = 3.00")
    assert shown(plots.saliency(lambda x: x[0] * 0, point))[1] == "all slopes are 0"
    found = shown(plots.saliency(lambda x: mg.sqrt(x[0]) + x[1], [0.0, 2.0]))
    assert found == ([0, 1], "largest: |∂f/∂x₂| = 1.00; 1 of 2 not finite")
    with pytest.raises(mg.errors.ShapeError, match="without entries"):
        plots.saliency(lambda x: mg.total(x), [])
