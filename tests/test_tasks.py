"""Ten tasks of ten kinds of users, as each would write them: public names alone, in few lines."""

import csv
import math
import re
from statistics import NormalDist

import numpy as np
import pytest
from sklearn.datasets import load_digits

import microgrid as mg
from microgrid import course, nn, optim, plots


def test_with_the_habits_of_jax_a_dict_has_a_gradient_and_a_hessian():
    """The loss of a line, whose derivatives are those of the normal equations."""
    x, y = np.array([0.0, 1.0, 2.0, 4.0]), np.array([1.0, 3.0, 4.0, 9.0])
    params = {"w": 2.0, "b": 0.5}

    def loss(params, x, y):
        return ((params["w"] * x + params["b"] - y) ** 2).sum()

    value, gradient = mg.value_and_grad(loss)(params, x, y)
    r = 2.0 * x + 0.5 - y
    assert value == pytest.approx((r * r).sum())
    assert gradient == pytest.approx({"w": 2 * r @ x, "b": 2 * r.sum()})
    curvature = mg.hessian(loss)(params, x, y)  # rows and columns in the order of the dict
    assert curvature == pytest.approx(2 * np.array([[x @ x, x.sum()], [x.sum(), 4]]))
    step = np.linalg.solve(curvature, [gradient["w"], gradient["b"]])
    best = {key: p - s for (key, p), s in zip(params.items(), step)}
    assert [*best.values()] == pytest.approx(np.polyfit(x, y, 1))
    moved = mg.jvp(lambda p: loss(p, x, y), (params,), ({"w": 1.0, "b": 0.0},))
    assert moved == pytest.approx((value, gradient["w"]))
    of_x = mg.vmap(mg.grad(lambda p, x, y: (p["w"] * x + p["b"] - y) ** 2), (None, 0, 0))
    assert of_x(params, x, y)["w"] == pytest.approx(2 * r * x)  # a gradient for each sample


def test_with_the_habits_of_pytorch_digits_are_told_apart_in_a_loop_of_ones_own(tmp_path):
    """Batches, a step by a program's gradient, the model's and the optimizer's state in files."""
    digits = load_digits()
    X, y = digits.data[:1200] / 16, digits.target[:1200]
    train, test = slice(0, 1000), slice(1000, 1200)

    def made():
        nn.seed(0)
        model = nn.Sequential(nn.Affine(64, 16), nn.ReLU(), nn.Affine(16, 10))
        return model, optim.AdamW(model, lr=0.02, weight_decay=0.01)

    def loss(model, x, target):
        return nn.cross_entropy(model(x), target)

    model, optimizer = made()
    targets = nn.one_hot(y, 10)
    batched = mg.record(loss, model, X[0], targets[0]).batched((None, 0, 0))

    def epoch(model, optimizer, seed):
        for x, t in nn.batches(X[train], targets[train], size=20, seed=seed):
            losses, gradient = batched.value_and_grad(model, x, t)
            optimizer.step(gradient / len(x))
        return losses.mean()

    first = epoch(model, optimizer, 0)
    for seed in range(1, 4):
        last = epoch(model, optimizer, seed)
    assert last < first / 2
    model.save(tmp_path / "model.npz")
    optimizer.save(tmp_path / "adam.npz")
    epoch(model, optimizer, 4)

    again, resumed = made()
    again.load(tmp_path / "model.npz")
    resumed.load(tmp_path / "adam.npz")
    epoch(again, resumed, 4)
    assert [p.data for p in again.parameters()] == [p.data for p in model.parameters()]
    assert (nn.predict(model, X[test]).argmax(axis=1) == y[test]).mean() > 0.9

    fresh, optimizer = made()  # a class number, a graph, backward, step: as there
    direct = loss(fresh, X[0], y[0])
    optimizer.zero_grad()
    direct.backward()
    optimizer.step()
    assert loss(fresh, X[0], y[0]).item() < direct.item()


def test_with_the_habits_of_numpy_a_net_of_a_blog_learns_with_the_gradients_made_by_hand():
    """Eleven lines of NumPy, two of them changed: leaves go in, and `grads` comes out."""
    X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    y = np.array([[0, 1, 1, 0]]).T
    rng = np.random.default_rng(1)
    start = 2 * rng.random((3, 4)) - 1, 2 * rng.random((4, 1)) - 1

    def forward(a, b):
        hidden = 1 / (1 + np.exp(-np.dot(X, a)))
        return hidden, 1 / (1 + np.exp(-np.dot(hidden, b)))

    a, b = start
    for _ in range(60):
        hidden, out = forward(a, b)
        of_out = 2 * (out - y) * out * (1 - out)
        of_hidden = of_out @ b.T * hidden * (1 - hidden)
        a, b = a - X.T @ of_hidden, b - hidden.T @ of_out

    c, d = start
    losses = []
    for _ in range(60):
        C, D = mg.matrix(c, "c"), mg.matrix(d, "d")  # leaves of this step
        _, out = forward(C, D)
        loss = ((out - y) ** 2).sum()
        loss.backward()
        losses.append(loss.data)
        c, d = c - mg.grads(C), d - mg.grads(D)
    assert np.allclose(c, a, rtol=1e-12)
    assert np.allclose(d, b, rtol=1e-12)
    assert losses[-1] < losses[0]


def test_a_teacher_hands_out_a_worksheet_marks_the_class_and_makes_a_figure(tmp_path):
    sheet = course.worksheet(7, kind="gradients", n=2)
    page = sheet.save(tmp_path / "sheet.html")
    assert "<svg" in page.read_text(encoding="utf-8")
    keys = [f"{i}.{key}" for i, blanks in sheet.answers.items() for key in blanks]
    right = [x for blanks in sheet.answers.values() for x in blanks.values()]
    wrong = [str(right[0] + 1), *right[1:]]
    with (tmp_path / "answers.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["student", *keys], ["Ada", *right], ["Bob", *wrong]])
    marks = sheet.mark_all(tmp_path / "answers.csv").save(tmp_path / "marks.csv")
    with marks.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["student"] for row in rows] == ["Ada", "Bob"]
    assert rows[0]["right"] == rows[0]["total"] == str(len(right))
    assert int(rows[1]["right"]) < len(right)

    x, w = mg.Value(2.0, "x"), mg.Value(-3.0, "w")
    figure = mg.draw(mg.sigmoid(w * x)).save(tmp_path / "circuit.svg")
    assert figure.read_text(encoding="utf-8").lstrip().startswith("<")
    assert "<svg" in figure.read_text(encoding="utf-8")


def test_a_nan_is_found_where_it_begins():
    """In the data, in a value, in a gradient, in an array, in a program."""
    probability = mg.Value(0.0, "p")
    with pytest.raises(ValueError, match=r"log\(p = 0.0\).*log_sigmoid"):
        mg.log(probability)
    loss = mg.sqrt(probability) * 2
    assert str(mg.first_nonfinite(loss)).startswith("sqrt(p = 0.0) sends back the gradient inf")
    outputs = np.array([probability + 1, mg.Value(1e200) * 1e200])
    assert mg.first_nonfinite(outputs).node is outputs[1]

    def distance(a, b):
        return mg.sqrt((a - b) ** 2)

    program = mg.record(distance, 1.0, 2.0)
    assert mg.first_nonfinite(program, 1.0, 2.0) is None
    assert "sqrt" in str(mg.first_nonfinite(program, 1.0, 1.0))
    model, X = nn.Affine(2, 1), np.array([[0.0, 1.0], [math.nan, 1.0]])
    with pytest.raises(mg.MicrogridError, match=r"data\[0\] has nan or inf in sample 1"):
        optim.fit(lambda m, x: m(x)[0] ** 2, model, (X,), optimizer=optim.SGD(lr=0.1))
    with pytest.raises(mg.MicrogridError, match="smaller learning rate"):
        optim.fit(lambda w: w**4, 10.0, optimizer=optim.SGD(lr=1.0))


def leapfrog(g, angle, steps, dt=0.05):
    """The angles of a pendulum of one metre."""
    speed, angles = 0.0, []
    for _ in range(steps):
        speed = speed - g * mg.sin(angle) * dt / 2
        angle = angle + speed * dt
        speed = speed - g * mg.sin(angle) * dt / 2
        angles.append(angle)
    return angles


def test_a_physicist_finds_g_from_the_recorded_path_of_a_pendulum():
    seen = leapfrog(9.81, 0.7, 60)
    path = mg.record(lambda g: leapfrog(g, 0.7, 60), 1.0)
    assert path(9.81) == pytest.approx(seen)

    value, pullback = path.vjp(9.0)
    residuals = [p - s for p, s in zip(value, seen)]
    column = path.jacobian()(9.0)
    assert column.shape == (60, 1)
    assert path.jvp((9.0,), (1.0,))[1] == pytest.approx(column[:, 0])
    assert pullback(residuals)[0] == pytest.approx(residuals @ column[:, 0])
    h = 1e-6
    slopes = (np.array(path(9 + h)) - np.array(path(9 - h))) / (2 * h)
    assert column[:, 0] == pytest.approx(slopes, abs=1e-6)

    g = 9.0
    for _ in range(6):  # Gauss and Newton
        slope, miss = path.jacobian()(g)[:, 0], np.array(path(g)) - seen
        g -= slope @ miss / (slope @ slope)
    assert g == pytest.approx(9.81, abs=1e-12)

    def error(g):
        return sum([(a - s) ** 2 for a, s in zip(leapfrog(g, 0.7, 60), seen)])

    found = mg.Value(9.5, "g")
    optim.fit(mg.record(error, 1.0), found, optimizer=optim.Adam(lr=0.02), epochs=150)
    assert found.data == pytest.approx(9.81, abs=0.02)


def test_a_statistician_fits_a_probit_with_standard_errors_and_a_poisson_rate():
    dose = np.repeat([-2.0, -1.0, 0.0, 1.0, 2.0], 20)
    died = np.concatenate([np.arange(20) < n for n in (2, 5, 9, 14, 18)])

    def likelihood(p):
        z = np.where(died, 1.0, -1.0) * (p["slope"] * dose + p["intercept"])
        return np.sum([mg.log(mg.normal_cdf(v)) for v in z])

    p = {"slope": 0.5, "intercept": 0.0}
    for _ in range(8):  # Newton
        gradient, curvature = mg.grad(likelihood)(p), mg.hessian(likelihood)(p)
        step = np.linalg.solve(curvature, [*gradient.values()])
        p = {key: x - s for (key, x), s in zip(p.items(), step)}
    assert [*mg.grad(likelihood)(p).values()] == pytest.approx([0, 0], abs=1e-9)
    errors = dict(zip(p, np.sqrt(np.diag(np.linalg.inv(-mg.hessian(likelihood)(p))))))
    # By Fisher's information, as textbooks have it: the average of what Newton takes as observed.
    density, cdf = NormalDist().pdf, NormalDist().cdf
    z = p["slope"] * dose + p["intercept"]
    weights = np.array([density(v) ** 2 / (cdf(v) * cdf(-v)) for v in z])
    design = np.stack([dose, np.ones(100)])
    expected = np.sqrt(np.diag(np.linalg.inv((weights * design) @ design.T)))
    assert [*errors.values()] == pytest.approx(expected, rel=0.05)

    counts = [3, 0, 2, 4, 1]
    poisson = mg.grad(lambda rate: sum(k * mg.log(rate) - rate - mg.lgamma(k + 1) for k in counts))
    assert poisson(2.0) == pytest.approx(0)  # the mean
    assert mg.grad(mg.erf)(0.0) == pytest.approx(2 / math.sqrt(math.pi))


def rounded(x):
    """0 or 1, with the slope of x: a straight-through estimator."""
    return x + mg.stop_gradient(mg.where(x > 0.5, 1.0, 0.0) - x)


def test_a_straight_through_estimator_is_a_line_in_whatever_runs_it():
    assert mg.value_and_grad(rounded)(0.75) == (1.0, 1.0)
    assert mg.value_and_grad(lambda w, x: rounded(w * x))(0.5, 3.0) == (1.0, 3.0)
    program = mg.record(rounded, 0.5)
    assert [program.value_and_grad(x) for x in (0.25, 0.75)] == [(0.0, 1.0), (1.0, 1.0)]
    values, slopes = program.batched().value_and_grad([0.25, 0.75])
    assert (values.tolist(), slopes.tolist()) == ([0.0, 1.0], [1.0, 1.0])
    assert mg.vmap(mg.grad(rounded))([0.25, 0.75]).tolist() == [1.0, 1.0]
    assert "stop_gradient" in str(program.listing())
    compiled = {}
    exec(program.source("numpy"), compiled)
    assert compiled["value_and_grad"](0.75) == (1.0, 1.0)


def power(x, n):
    y = 1.0
    for _ in range(n):
        y = y * x
    return y


def test_a_loop_that_an_argument_decides_is_told_how_to_be_bound():
    assert mg.grad(power)(2.0, 3) == 12.0
    assert mg.gradcheck(power, 2.0, 3, argnums=0).ok
    with pytest.raises(mg.MicrogridError) as caught:
        mg.record(power, 2.0, 3)
    told = re.search(r"bind it: record\((lambda x: power\(x, 3\)), x\)", str(caught.value))
    assert told, caught.value
    assert mg.record(eval(told[1]), 2.0).value_and_grad(2.0) == (8.0, 12.0)


def test_which_pixels_matter_is_a_picture(tmp_path):
    nn.seed(0)
    model = nn.Sequential(nn.Affine(16, 3), nn.Tanh(), nn.Affine(3, 2))
    image = np.linspace(0, 1, 16).reshape(4, 4)

    def score(x):
        return model(np.ravel(x))[1]

    slopes = mg.grad(score)(image)
    assert slopes.shape == (4, 4)
    plot = plots.saliency(score, image)
    assert f"{abs(slopes).max():.2g}"[:3] in str(plot.figure.get_suptitle())
    assert plot.save(tmp_path / "saliency.png").stat().st_size > 1000

    x, w = mg.Value(2.0, "x"), mg.Value(3.0, "w")
    picture = mg.draw(w * x + mg.Value(0.01, "b"), color_by="share")
    widths = {float(n) for n in re.findall(r"penwidth=\"?([\d.]+)", picture.source)}
    assert max(widths) > 3 * min(widths)  # b hardly matters
