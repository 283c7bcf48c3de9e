"""Optimizers against their papers, fit by the engine and by programs, what ends a training."""

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import hundredths

import microgrid as mg
from microgrid import nn, optim

X = np.random.default_rng(0).normal(size=(40, 2))
Y = (X[:, 0] * X[:, 1] > 0) * 2.0 - 1.0


def model(seed=1):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Affine(2, 6, "he", rng), nn.Tanh(), nn.Affine(6, 1, "lecun", rng))


net, of_its_size = model(), nn.MLP(2, [4, 2, 1])  # 25 parameters each


def hinge(model, x, y):
    return nn.hinge(model(x), y)


def line(w, x, y):
    return (w[0] * x + w[1] - y) ** 2


# One step after the other, in exact fractions.


def sgd_by_hand(gradients, lr, momentum):
    w, v = Fraction(0), Fraction(0)
    for g in gradients:
        v = momentum * v + g
        w -= lr * v
    return w


@given(st.lists(hundredths, min_size=1, max_size=5), st.sampled_from([0, Fraction(1, 2)]))
def test_sgd_adds_up_its_velocity(gradients, momentum):
    optimizer = optim.SGD(lr=0.25, momentum=float(momentum))
    w = np.zeros(1)
    for g in gradients:
        w = optimizer.moved(w, np.array([g]))
    right = sgd_by_hand(map(Fraction, gradients), Fraction(1, 4), momentum)
    assert w[0] == pytest.approx(float(right), abs=1e-12)


def adam_by_hand(gradients, lr, a, b, eps):
    """Algorithm 1 of the paper, with decimal digits to spare."""
    from mpmath import mp, mpf, sqrt

    mp.dps = 40
    w = m = v = mpf(0)
    for t, g in enumerate(gradients, 1):
        m = a * m + (1 - mpf(a)) * g
        v = b * v + (1 - mpf(b)) * mpf(g) ** 2
        w -= lr * (m / (1 - mpf(a) ** t)) / (sqrt(v / (1 - mpf(b) ** t)) + eps)
    return w


@given(st.lists(hundredths, min_size=1, max_size=6))
def test_adam_is_algorithm_1_of_its_paper(gradients):
    optimizer = optim.Adam(lr=0.1, betas=(0.85, 0.99))
    w = np.zeros(1)
    for g in gradients:
        w = optimizer.moved(w, np.array([g]))
    right = adam_by_hand(gradients, 0.1, 0.85, 0.99, 1e-8)
    assert w[0] == pytest.approx(float(right), rel=1e-9, abs=1e-12)


def test_the_first_step_of_adam_has_the_length_of_the_learning_rate():
    for g in (1e-3, 1.0, 1e6):
        assert optim.Adam(lr=0.1).moved(np.zeros(1), np.array([g])) == pytest.approx([-0.1], 1e-4)


def test_the_defaults_are_those_of_the_papers_and_of_pytorch():
    adam = optim.Adam()
    assert (adam.rate, adam.betas, adam.eps) == (0.001, (0.9, 0.999), 1e-8)
    assert (optim.SGD().rate, optim.SGD().momentum) == (0.01, 0.0)


def test_step_moves_values_and_zero_grad_forgets():
    a, b = mg.Value(1.0), mg.Value(2.0)
    optimizer = optim.SGD([[a], np.array([b])], lr=0.5)
    (a * b).backward()
    optimizer.step()
    assert (a.data, b.data) == (0.0, 1.5)
    optimizer.zero_grad()
    assert (a.grad, b.grad) == (0, 0)
    with pytest.raises(
        mg.errors.ParameterError, match="no parameter has a gradient: call backward"
    ):
        optimizer.step()
    assert (a.data, b.data) == (0.0, 1.5)
    assert optimizer.steps == 1


def test_an_optimizer_takes_a_model_and_trains_it_in_a_loop_of_ones_own():
    net = model()
    optimizer = optim.Adam(net, lr=0.05)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = mg.mean([hinge(net, x, y) for x, y in zip(X, Y)])
        loss.backward()
        optimizer.step()
        losses.append(loss.data)
    assert losses[-1] < 0.5 * losses[0]


# Learning rates.


@pytest.mark.parametrize(
    ("schedule", "right"),
    [
        (optim.linear(1.0, 0.5, 2), [1.0, 0.75, 0.5, 0.5]),
        (optim.exponential(1.0, 0.5), [1.0, 0.5, 0.25, 0.125, 0.0625]),
        (optim.step_decay(1.0, 0.1, 2), [1.0, 1.0, 0.1, 0.1]),
        (optim.cosine(1.0, 2), [1.0, 0.5, 0.0, 0.0]),
        (optim.cosine(1.0, 4, end=0.5, warmup=2), [0.5, 1.0, 1.0, 0.75, 0.5]),
    ],
)
def test_schedules_have_the_rate_of_each_step(schedule, right):
    assert [schedule(k) for k in range(len(right))] == pytest.approx(right)


def test_a_schedule_counts_the_steps_of_the_optimizer():
    optimizer = optim.SGD(lr=optim.linear(1.0, 0.0, 2))
    w = np.zeros(1)
    moves = []
    for _ in range(3):
        new = optimizer.moved(w, np.ones(1))
        moves.append(float((w - new)[0]))
        w = new
    assert moves == [1.0, 0.5, 0.0]


# fit: a function and its program, alike.


@pytest.mark.parametrize("optimizer", [optim.SGD, optim.Adam])
@pytest.mark.parametrize("batch_size", [7, 32, None])
def test_a_function_and_its_program_give_the_same_numbers(optimizer, batch_size):
    found = []
    for f in (hinge, mg.record(hinge, model(), X[0], Y[0])):
        net = model()
        history = optim.fit(
            f, net, (X, Y), optimizer=optimizer(lr=0.05), epochs=4, batch_size=batch_size,
            validation=(X[:9], Y[:9]), progress=False,
        )  # fmt: skip
        found.append((history.steps, history["validation"], [p.data for p in net.parameters()]))
    for a, b in zip(*found):
        assert a == pytest.approx(b, rel=1e-11, abs=1e-13)
    assert len(found[0][0]) == 4 * {7: 6, 32: 2, None: 1}[batch_size]


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_both_engines_train(engine):
    program = mg.record(hinge, model(), X[0], Y[0], engine=engine)
    history = optim.fit(program, model(), (X, Y), optimizer=optim.Adam(lr=0.05), epochs=60)
    assert history["loss"][-1] < 0.5 * history["loss"][0]


def test_the_gradient_of_a_batch_is_the_gradient_of_the_mean():
    w = [0.5, -0.25]
    history = optim.fit(line, w, (X[:, 0], X[:, 1]), optimizer=optim.SGD(lr=1.0), epochs=1,
                        batch_size=None)  # fmt: skip

    def mean_loss(w):
        return mg.mean([line(w, x, y) for x, y in X])

    loss, gradient = mg.value_and_grad(mean_loss)(w)
    assert history.steps == [pytest.approx(loss)]
    assert np.array(w) - history.parameters == pytest.approx(np.array(gradient))
    assert w == [0.5, -0.25]  # numbers are not changed in place


def test_parameters_may_be_nested_lists_and_arrays():
    def f(params, x, y):
        W, (b,) = params
        return nn.squared_error(mg.dot(W, [x, x * x]) + b, y)

    x = np.linspace(-1, 1, 30)
    start = (np.zeros(2), [0.0])
    for g in (f, mg.record(f, start, 0.0, 0.0)):
        history = optim.fit(g, start, (x, 1 + 2 * x - x * x), optimizer=optim.Adam(lr=0.05),
                            epochs=200)  # fmt: skip
        W, (b,) = history.parameters
        assert type(history.parameters) is tuple
        assert [*W, b] == pytest.approx([2, -1, 1], abs=1e-3)


def test_without_data_the_function_is_the_whole_loss():
    def rosenbrock(p):
        return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2

    for f in (rosenbrock, mg.record(rosenbrock, [0.0, 0.0])):
        history = optim.fit(f, [-1.0, 1.0], optimizer=optim.Adam(lr=0.05), epochs=800)
        assert history.parameters == pytest.approx([1.0, 1.0], abs=0.02)
        assert len(history.steps) == len(history) == 800


def test_the_seed_decides_the_order_and_every_sample_comes_once_an_epoch():
    seen = []

    def f(w, x):
        seen.append(float(x))
        return w[0] * x

    optim.fit(f, [0.0], (np.arange(10.0),), optimizer=optim.SGD(), epochs=2, batch_size=3, seed=5)
    first, second = seen[:10], seen[10:]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    again, seen[:] = list(seen), []
    optim.fit(f, [0.0], (np.arange(10.0),), optimizer=optim.SGD(), epochs=2, batch_size=3, seed=5)
    assert seen == again


# What ends a training, and what it leaves.


def test_patience_ends_it_and_goes_back_to_the_best():
    optimizer = optim.SGD(lr=lambda k: 0.25 if k < 2 else 2.0)  # two steps down, then up
    history = optim.fit(lambda w: w[0] * w[0], [4.0], optimizer=optimizer, epochs=10, patience=2)
    assert history["loss"] == [16.0, 4.0, 1.0, 9.0]
    assert history.parameters == [1.0]
    assert history.stopped == "loss has not fallen for 2 epochs"
    assert history.best == 1


def test_a_function_may_use_the_model_itself_or_its_argument():
    found = []
    for net, own in ((model(), False), (model(), True)):
        optim.fit(
            lambda m, x, y, net=net, own=own: hinge(net if own else m, x, y), net, (X, Y),
            optimizer=optim.SGD(lr=0.1), epochs=2,
        )  # fmt: skip
        found.append([p.data for p in net.parameters()])
    assert found[0] == found[1] != [p.data for p in model().parameters()]


@pytest.mark.parametrize("recorded", [False, True])
def test_validation_is_the_mean_loss_of_other_samples_and_decides(recorded):
    f = mg.record(line, [0.0, 0.0], 0.0, 0.0) if recorded else line
    x = np.linspace(-1, 1, 10)
    data, other = (x, 2 * x), (x, -2 * x)  # what is learnt makes the other worse
    history = optim.fit(f, [0.0, 0.0], data, optimizer=optim.SGD(lr=0.1), epochs=9,
                        validation=other, patience=3)  # fmt: skip
    assert history["loss"] == sorted(history["loss"], reverse=True)
    assert history["validation"] == sorted(history["validation"])
    assert len(history) == 4
    assert history.best == 0
    right = np.mean([line(history.parameters, *sample) for sample in zip(*other)])
    assert history["validation"][0] == pytest.approx(right)


def test_of_equally_good_epochs_the_first_is_kept():
    history = optim.fit(lambda w: 0 * w[0], [1.0], optimizer=optim.SGD(), epochs=9, patience=2)
    assert (len(history), history.best) == (3, 0)


def test_another_seed_gives_another_order():
    def steps(seed):
        return optim.fit(line, [0.0, 0.0], (X[:, 0], Y), optimizer=optim.SGD(lr=0.1), epochs=1,
                         batch_size=4, seed=seed).steps  # fmt: skip

    assert steps(1) == steps(1) == steps(np.random.default_rng(1)) != steps(2)


def test_a_gradient_that_is_not_finite_ends_the_training():
    root = mg.custom_op("steep", lambda x: x, lambda y, x: float("inf"))
    with pytest.raises(ArithmeticError, match=r"step 0 \(epoch 1, loss 1.0\)"):
        optim.fit(lambda w: root(w[0]), [1.0], optimizer=optim.SGD(), epochs=2)


def test_the_same_weight_given_twice_moves_once():
    w = mg.Value(1.0)
    optimizer = optim.SGD([w, w], lr=0.1)
    (w * w).backward()
    optimizer.step()
    assert w.data == pytest.approx(0.8)


def test_patience_goes_by_the_loss_of_the_parameters_that_it_keeps():
    rng = np.random.default_rng(3)
    x = rng.normal(size=30)
    data, start = (x, 2 * x + rng.normal(size=30)), [5.0, 5.0]
    seen = []
    history = optim.fit(
        line, start, data, optimizer=optim.SGD(lr=0.4, momentum=0.9), epochs=15, batch_size=5,
        patience=15, callbacks=lambda history: seen.append(list(history.parameters)),
    )  # fmt: skip

    def whole(w):
        return np.mean([line(w, *sample) for sample in zip(*data)])

    assert history.parameters == min(seen, key=whole) == seen[history.best]


def test_a_last_step_out_of_the_floats_is_told_as_well():
    with pytest.raises(ArithmeticError, match="not finite"):
        optim.fit(lambda w: w[0] * w[0], [1e154], optimizer=optim.SGD(lr=1e200), epochs=1)


def test_patience_keeps_the_best_even_if_all_epochs_run():
    optimizer = optim.SGD(lr=lambda k: [0.5, 3.0][k])
    history = optim.fit(lambda w: (w[0] - 1) ** 2, [0.0], optimizer=optimizer, epochs=2, patience=5)
    assert not history.stopped
    assert min(history["loss"]) == history["loss"][1] == 0.0


def test_a_callback_hears_each_epoch_and_can_end_it():
    heard = []

    def callback(history):
        heard.append(history["loss"][-1])
        return np.bool_(len(heard) == 3)

    history = optim.fit(line, [0.0, 0.0], (X[:, 0], X[:, 1]), optimizer=optim.SGD(lr=0.1),
                        callbacks=[lambda history: None, callback])  # fmt: skip
    assert heard == history["loss"]
    assert len(history) == 3
    assert history.stopped == "stopped by a callback"


def test_metrics_are_measured_with_the_trained_model():
    net = model()
    history = optim.fit(
        hinge,
        net,
        (X, Y),
        optimizer=optim.SGD(lr=0.1),
        epochs=2,
        metrics={"norm": lambda m: sum(p.data**2 for p in m.parameters())},
    )
    assert history.names == ["loss", "norm"]
    assert history["norm"][-1] == pytest.approx(sum(p.data**2 for p in net.parameters()))
    assert history.parameters is net


def test_the_loss_of_an_epoch_weighs_a_small_last_batch_less():
    history = optim.fit(lambda w, x: x + 0 * w[0], [0.0], (np.array([0.0, 0.0, 0.0, 0.0, 10.0]),),
                        optimizer=optim.SGD(), epochs=1, batch_size=4)  # fmt: skip
    assert history["loss"] == [pytest.approx(2.0)]


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_training_that_explodes_says_so_and_keeps_its_history():
    f = mg.record(lambda w: (w[0] * w[0]) ** 2, [1.0])
    with pytest.raises(mg.MicrogridError) as caught:
        optim.fit(f, [10.0], optimizer=optim.SGD(lr=10.0), epochs=100)
    assert isinstance(caught.value, ArithmeticError)
    assert len(caught.value.history.steps) > 0
    assert str(caught.value).startswith("the loss or its gradient is not finite at step")


def test_a_loss_that_is_not_finite_names_the_step():
    def f(w, x):
        return w[0] * x * 1e200

    data = (np.array([1.0, 1e200]),)
    with pytest.raises(ArithmeticError, match=r"not finite at step 0 \(epoch 1, loss") as caught:
        optim.fit(f, [1.0], data, optimizer=optim.SGD(), batch_size=None)
    assert len(caught.value.history.steps) == 0
    with pytest.raises(ArithmeticError, match=r"not finite at step 1 \(epoch 1, loss inf"):
        optim.fit(f, [1.0], (np.ones(1),), optimizer=optim.SGD(lr=1e-300), validation=data)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optim.fit(line, [0.0, 0.0], X, optimizer=optim.SGD()), "a tuple of arrays"),
        (lambda: optim.fit(line, [0.0, 0.0], (X[:, 0], Y[:9]), optimizer=optim.SGD()),
         r"\[40, 9\] samples"),
        (lambda: optim.fit(line, [0.0, 0.0], ([], []), optimizer=optim.SGD()), r"\[0, 0\] samples"),
        (lambda: optim.fit(line, [0.0, 0.0], (X[:, 0], Y), optimizer=optim.SGD(),
                           validation=(X,)), "2 arrays of data, but 1 for validation"),
        (lambda: optim.fit(line, [0.0, 0.0], (X[:, 0], Y), optimizer=optim.SGD(), batch_size=0),
         "batch_size is a whole number"),
        (lambda: optim.fit(mg.record(hinge, model(), X[0], Y[0]), [1.0], (X, Y),
                           optimizer=optim.SGD()), "here are 1 parameters and 2 arrays of data"),
        (lambda: optim.SGD([mg.Value(1.0) * 2]), "moves leaves"),
        (lambda: optim.SGD([1.0]), "moves leaves, got 1.0"),
        (lambda: optim.fit(line, [0.0, 0.0], (X[:, 0], [*Y[:-1], np.nan]), optimizer=optim.SGD()),
         r"data\[1\] has nan or inf in sample 39"),
        (lambda: optim.fit(line, [0.0, 0.0], optimizer=optim.SGD), "made first, like"),
        (lambda: optim.fit(hinge, net, (X, Y), optimizer=optim.SGD(net[0])), "made for others"),
        (lambda: optim.fit(line, [0.0], optimizer=optim.SGD(), epochs=1.5), "epochs is a whole"),
        (lambda: optim.fit(line, [0.0], optimizer=optim.SGD(), patience=0), "patience is a whole"),
        (lambda: optim.fit(line, [0.0], optimizer=optim.SGD(), metrics={"loss": abs}),
         "a name of its own, not 'loss'"),
        (lambda: optim.fit(mg.record(hinge, net, X[0], Y[0]), of_its_size, (X, Y),
                           optimizer=optim.SGD()), "is layer0.neuron0.w_1, but layer0"),
        (lambda: optim.SGD(0.1), "parameters come first: write lr=0.1"),
        (lambda: optim.fit(lambda w, x: mg.Value(1.0) * x, [1.0], (X[:, 0],),
                           optimizer=optim.SGD()), "does not depend on the parameters"),
        (lambda: optim.SGD(lr=0), "above 0 or a schedule, got 0"),
        (lambda: optim.SGD(lr=0.1).step(), "has no parameters"),
        (lambda: optim.fit(lambda w, x: w, [1.0], (X,), optimizer=optim.SGD()), "not one number"),
        (lambda: optim.fit(line, [0.0, 0.0], (mg.matrix(X), Y), optimizer=optim.SGD()),
         r"data\[0\]: .* real numbers"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_a_reason(call, message):
    with pytest.raises(mg.MicrogridError, match=message):
        call()


def test_an_optimizer_goes_on_where_it_was_and_refuses_another_model():
    def run(*epochs):
        optimizer, w = optim.Adam(lr=0.1), [4.0]
        for count in epochs:
            w = optim.fit(lambda w: w[0] ** 2, w, optimizer=optimizer, epochs=count).parameters
        return w, optimizer

    assert run(3, 4)[0] == run(7)[0]
    with pytest.raises(ValueError, match="remembers 1 parameters; make a new one for 2"):
        optim.fit(line, [0.0, 0.0], (X[:, 0], Y), optimizer=run(1)[1])


@pytest.mark.parametrize("patience", [None, 3])
def test_what_was_learnt_stays_when_training_is_interrupted(patience):
    net, steps = model(), []

    def interrupted(model, x, y):
        steps.append(1)
        if len(steps) > 30:  # in the first epoch
            raise KeyboardInterrupt
        return hinge(model, x, y)

    start = [p.data for p in net.parameters()]
    with pytest.raises(KeyboardInterrupt):
        optim.fit(interrupted, net, (X, Y), optimizer=optim.SGD(lr=0.1), batch_size=10,
                  patience=patience)  # fmt: skip
    assert [p.data for p in net.parameters()] != start


def test_a_bar_is_shown_where_it_is_asked_for(capsys):
    run = {"optimizer": optim.SGD(lr=0.1), "epochs": 3}
    optim.fit(lambda w: w[0] ** 2, [1.0], **run)
    assert capsys.readouterr().err == ""
    optim.fit(lambda w: w[0] ** 2, [1.0], progress=True, **run)
    assert "epoch" in capsys.readouterr().err


def test_a_history_tells_its_course_in_a_line_and_a_table():
    history = optim.fit(lambda w: w[0] ** 2, [1.0], optimizer=optim.SGD(lr=0.25), epochs=3)
    assert str(history) == "<3 epochs, 3 steps, loss 1 → 0.0625>"
    assert history._repr_html_().count("<tr>") == 4
    assert re.findall(r">(\d+)</td><td", history._repr_html_()) == ["1", "2", "3"]
    assert str(optim.History(None)) == "<0 epochs, 0 steps>"
    assert "<table>" in optim.History(None)._repr_html_()
