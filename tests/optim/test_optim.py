"""Optimizers against their papers, fit by the engine and by programs, what ends a training."""

import copy
import json
import math
import pickle
import re
import sys
import threading
from fractions import Fraction
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.foreign import FOREIGN_ARRAYS, Tensor
from shared.strategies import hundredths

import microgrid as mg
from microgrid import nn, optim
from microgrid.engine.errors import GraphError
from microgrid.engine.trees import tree_leaves
from microgrid.optim import schedules
from microgrid.optim.training import DivergedError

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
        w = optimizer._updated(w, np.array([g]))
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
        w = optimizer._updated(w, np.array([g]))
    right = adam_by_hand(gradients, 0.1, 0.85, 0.99, 1e-8)
    assert w[0] == pytest.approx(float(right), rel=1e-9, abs=1e-12)


def test_the_first_step_of_adam_has_the_length_of_the_learning_rate():
    for g in (1e-3, 1.0, 1e6):
        assert optim.Adam(lr=0.1)._updated(np.zeros(1), np.array([g])) == pytest.approx(
            [-0.1], 1e-4
        )


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
        new = optimizer._updated(w, np.ones(1))
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
    program = mg.record(hinge, model(), X[0], Y[0], backend=engine)
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
    with pytest.raises(ArithmeticError, match=r"not finite at step 1 \(epoch 1, loss inf\)"):
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
         r"data\[0\]: .*real numbers"),
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


# Weight decay, Nesterov, clipping: by hand, one number after the other, and against PyTorch.


def by_hand(kind, gradients, start, lr, **how):
    """Every step of an optimizer on lists of floats, as its formula says."""
    w, memory = list(start), [[0.0] * len(start), [0.0] * len(start)]
    for t, g in enumerate(gradients, 1):
        rate, decay, most = (
            lr(t - 1),
            how.get("weight_decay", 0.01 * (kind == "AdamW")),
            how.get("clip_norm"),
        )
        length = sum(x * x for x in g) ** 0.5
        if most is not None and length + 1e-6 > most:
            g = [x * most / (length + 1e-6) for x in g]
        for i, x in enumerate(g):
            if kind == "AdamW":
                w[i] -= rate * decay * w[i]
            else:
                x = x + decay * w[i]
            if kind == "SGD":
                mu = how.get("momentum", 0.0)
                memory[0][i] = mu * memory[0][i] + x
                w[i] -= rate * (x + mu * memory[0][i] if how.get("nesterov") else memory[0][i])
            else:
                a, b = how.get("betas", (0.9, 0.999))
                memory[0][i] = a * memory[0][i] + (1 - a) * x
                memory[1][i] = b * memory[1][i] + (1 - b) * x * x
                first, second = memory[0][i] / (1 - a**t), memory[1][i] / (1 - b**t)
                w[i] -= rate * first / (second**0.5 + how.get("eps", 1e-8))
    return w


SETTINGS = [
    ("SGD", {}),
    ("SGD", {"weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("SGD", {"momentum": 0.5, "weight_decay": 0.25}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "clip_norm": 1.0}),
    ("SGD", {"clip_norm": 0.5}),
    ("Adam", {"weight_decay": 0.1}),
    ("Adam", {"clip_norm": 0.01, "betas": (0.8, 0.95)}),
    ("AdamW", {}),
    ("AdamW", {"weight_decay": 0.5, "eps": 1e-3}),
    ("AdamW", {"weight_decay": 0.2, "clip_norm": 1.0, "betas": (0.5, 0.9)}),
]
rows = st.lists(st.lists(hundredths, min_size=3, max_size=3), min_size=1, max_size=6)


def stepped(kind, gradients, start, lr, **how):
    """The same by an optimizer of ours, through `step` of Values."""
    values = [mg.Value(x) for x in start]
    optimizer = getattr(optim, kind)(values, lr=lr, **how)
    for g in gradients:
        optimizer.step(g)
    return [v.data for v in values]


@pytest.mark.parametrize(("kind", "how"), SETTINGS)
@given(rows, st.lists(hundredths, min_size=3, max_size=3))
def test_every_step_is_the_formula_written_out(kind, how, gradients, start):
    def lr(k):
        return 0.1 / (1 + k)

    actual = stepped(kind, gradients, start, lr, **how)
    assert actual == pytest.approx(by_hand(kind, gradients, start, lr, **how), rel=1e-9, abs=1e-12)


# PyTorch 2.13's parameters after each step, by setting. Where PyTorch is installed, the file is
# compared with it; `json.dumps([pytorch_steps(torch, *row) for row in SETTINGS])` made it.
PYTORCH = json.loads(Path(__file__).with_name("pytorch_steps.json").read_text())
START = [0.5, -1.25, 3.0, -0.01]
GRADIENTS = [
    [math.sin((k + 1) * (i + 2)) * 10.0 ** (k % 4 - 2) for i in range(4)] for k in range(30)
]


def pytorch_steps(torch, kind, how):
    rest = {k: x for k, x in how.items() if k != "clip_norm"}
    parameter = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer, found = getattr(torch.optim, kind)([parameter], lr=0.05, **rest), []
    for g in GRADIENTS:
        parameter.grad = torch.tensor(g, dtype=torch.float64)
        if "clip_norm" in how:
            torch.nn.utils.clip_grad_norm_([parameter], how["clip_norm"])
        optimizer.step()
        found.append(parameter.tolist())
    return found


@pytest.mark.parametrize("row", range(len(SETTINGS)))
def test_every_step_is_pytorchs(row):
    kind, how = SETTINGS[row]
    values = [mg.Value(x) for x in START]
    optimizer = getattr(optim, kind)(values, lr=0.05, **how)
    for g, expected in zip(GRADIENTS, PYTORCH[row], strict=True):
        optimizer.step(g)
        assert [v.data for v in values] == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("row", range(len(SETTINGS)))
def test_what_the_file_says_of_pytorch_is_what_pytorch_does(row):
    torch = pytest.importorskip("torch", reason="the file of its steps is compared with PyTorch")
    expected = pytorch_steps(torch, *SETTINGS[row])
    for stored, found in zip(PYTORCH[row], expected, strict=True):
        assert stored == pytest.approx(found, rel=1e-12, abs=1e-12)


def test_a_gradient_of_any_length_is_clipped():
    for size in (1e-300, 1.0, 1e300):
        moved = optim.SGD(lr=1.0, clip_norm=1.0)._updated(np.zeros(2), np.array([3.0, 4.0]) * size)
        expected = np.array([-0.6, -0.8]) if size >= 1.0 else np.array([-3.0, -4.0]) * size
        assert moved == pytest.approx(expected, rel=1e-6)


def test_what_decays_without_a_gradient_goes_towards_zero():
    for optimizer in (optim.SGD(lr=0.5, weight_decay=0.1), optim.AdamW(lr=0.5, weight_decay=0.1)):
        assert optimizer._updated(np.array([2.0, -1.0]), np.zeros(2)) == pytest.approx([1.9, -0.95])


# A step by a program's gradient.


def test_a_step_takes_the_gradient_of_a_program():
    net, other = model(), model()
    program = mg.record(hinge, net, X[0], Y[0]).batched((None, 0, 0))
    mine, theirs = optim.Adam(net, lr=0.05), optim.Adam(other, lr=0.05)
    for _ in range(5):
        mine.step(program.value_and_grad(net, X, Y)[1])
        theirs.zero_grad()
        mg.total([hinge(other, x, y) for x, y in zip(X, Y)]).backward()
        theirs.step()
    actual, expected = [[p.data for p in m.parameters()] for m in (net, other)]
    assert actual == pytest.approx(expected, rel=1e-9)
    assert actual != [p.data for p in model().parameters()]


def test_a_step_without_any_gradient_is_refused():
    net = model()
    optimizer = optim.SGD(net, lr=0.1)
    before = [p.data for p in net.parameters()]
    mg.record(hinge, net, X[0], Y[0]).value_and_grad(net, X[0], Y[0])  # leaves none behind
    with pytest.raises(ValueError, match=r"hand over the gradient of a program, step\(gradient\)"):
        optimizer.step()
    hinge(net, X[0], -Y[0]).backward()
    net.zero_grad()
    with pytest.raises(ValueError, match="no parameter has a gradient"):
        optimizer.step()
    with pytest.raises(
        ValueError, match="gradient is a list of 2, for 25 parameters: give it the form"
    ):
        optimizer.step([1.0, 2.0])
    assert [p.data for p in net.parameters()] == before
    assert optimizer.steps == 0


# What a loss does to its arguments in place, nobody else sees.


def scale(x):
    x *= 2


def divide(x):
    x /= mg.total(x) + 9


def set_one(x):
    x[0] = x[0] * x[1]


def set_twice(x):
    x[1] = x[1] * 2
    x[1] = x[1] * x[0]


def append(x):
    x.append(x[0] * x[1])


def drop(x):
    x.pop()
    x.insert(0, 3.0)


def swap(x):
    x.reverse()


IN_PLACE = {list: [set_one, set_twice, append, drop, swap], np.array: [scale, divide, set_one]}
CASES = [(kind, change) for kind, changes in IN_PLACE.items() for change in changes]


@pytest.mark.parametrize(("kind", "change"), CASES)
@given(st.data())
def test_what_a_loss_changes_in_place_leaks_nowhere(kind, change, data):
    """The oracle changes copies; the order of the batches is the same."""
    nested, on_sample = data.draw(st.booleans()), data.draw(st.booleans())
    numbers = st.lists(st.integers(-20, 20).map(lambda k: k / 10), min_size=2, max_size=2)
    samples = data.draw(st.lists(numbers, min_size=2, max_size=6))
    how = {
        "batch_size": data.draw(st.sampled_from([1, 2, 3, 6, None])), "epochs": 2,
        "seed": data.draw(st.integers(0, 3)), "progress": False,
        "patience": data.draw(st.sampled_from([None, 2])),
    }  # fmt: skip
    row_change = change if change in IN_PLACE[np.array] else set_one

    def dirty(w, x):
        inner = w[1] if nested else w
        change(inner)
        if on_sample:
            row_change(x)
        return (inner[0] * x[0] + inner[1] * x[1] + inner[-1] - 1) ** 2 / 8

    def pure(w, x):
        return dirty([w[0], copied(w[1])] if nested else copied(w), x.copy())

    start = kind([0.5, -0.25])
    start = [kind([1.0]), start] if nested else start
    arrays = (np.array(samples),)
    before = copy.deepcopy((start, arrays))
    found = []
    for f in (pure, dirty, mg.record(dirty, start, np.zeros(2), backend="numpy")):
        history = optim.fit(f, start, arrays, optimizer=optim.SGD(lr=0.01),
                            validation=arrays, **how)  # fmt: skip
        found.append([history.steps, history["validation"], tree_leaves(history.parameters)])
        assert repr((start, arrays)) == repr(before)
    for other in found[1:]:
        for actual, expected in zip(other, found[0]):
            assert actual == pytest.approx(expected, rel=1e-9, abs=1e-12)


def copied(x):
    return x.copy()


class Careless(nn.Module):
    """A model that changes itself whenever it is called."""

    def __init__(self):
        self.w, self.b = mg.matrix([0.5, -0.5]), [mg.Value(0.25)]
        self.scale, self.parts = mg.Value(1.5), {"last": nn.Affine(1, 1, seed=1)}

    def __call__(self, x):
        self.w *= 2
        self.b[0] = self.b[0] * x[0]
        self.b.append(self.b[0])
        self.scale = self.scale * self.scale
        self.parts["last"].w[0, 0] = self.parts["last"].w[0, 0] * 3
        x -= x.mean()
        return self.parts["last"]([mg.dot(self.w, x) * self.scale + self.b[-1]])[0]


@pytest.mark.parametrize("batch_size", [1, 3, None])
def test_a_model_that_changes_itself_is_the_same_for_every_sample(batch_size):
    def loss(model, x, y):
        return (model(x) - y) ** 2

    def by_copies(model, x, y):
        return loss(model.with_parameters(model.parameters()), x.copy(), y)

    found, before = [], X.copy()
    program = mg.record(loss, Careless(), X[0], 1.0)
    for f in (by_copies, loss, program):
        net = Careless()
        names = list(net.named_parameters())
        history = optim.fit(f, net, (X, Y), optimizer=optim.SGD(lr=0.001), epochs=2,
                            batch_size=batch_size, validation=(X, Y))  # fmt: skip
        found.append([history.steps, history["validation"], [p.data for p in net.parameters()]])
        assert list(net.named_parameters()) == names
        assert (before == X).all()
    for other in found[1:]:
        for actual, expected in zip(other, found[0]):
            assert actual == pytest.approx(expected, rel=1e-9)


class Normalized(nn.Module):
    """A model with state that is no parameter: a running mean, and how often it was called."""

    def __init__(self):
        self.w, self.mean, self.log, self.calls = mg.matrix([0.5, -0.5]), 0.0, [], [0]

    def __call__(self, x):
        self.mean = 0.9 * self.mean + 0.1 * float(x.mean())
        self.calls[0] += 1
        self.log.append(float(x[0]))
        self.w[0] = self.w[0] * 2
        return mg.dot(self.w, x - self.mean)


def test_what_a_model_remembers_besides_its_parameters_stays():
    net, by_hand = Normalized(), Normalized()
    loss = lambda model, x, y: (model(x) - y) ** 2  # noqa: E731
    optim.fit(loss, net, (X, Y), optimizer=optim.SGD(lr=1e-6), epochs=1, batch_size=None)
    for x, y in zip(X, Y):
        loss(by_hand, x, y)
    assert net.calls == [len(X)]
    assert net.mean == pytest.approx(by_hand.mean)
    assert net.log == by_hand.log
    assert all(v.op is None for v in net.w)


# Data: what is understood, and what is refused.


def product(w, x, y):
    return (w[0] * x - y) ** 2


def trained(data, f=product, **how):
    return optim.fit(f, [0.0], data, optimizer=optim.SGD(lr=0.05), epochs=80, **how).parameters[0]


PAIRS = [(1.0, 2.0), (3.0, 6.0)]


@pytest.mark.parametrize(
    "samples",
    [
        lambda: PAIRS, lambda: zip([1, 3], [2, 6]), lambda: (pair for pair in PAIRS),
        lambda: [(np.float32(x), np.array(y)) for x, y in PAIRS], lambda: iter(PAIRS),
        lambda: dict(PAIRS).items(),
    ],
)  # fmt: skip
@pytest.mark.parametrize("recorded", [False, True])
def test_a_list_of_samples_is_understood_as_samples(samples, recorded):
    f = mg.record(product, [0.0], 0.0, 0.0) if recorded else product
    assert trained(samples(), f) == pytest.approx(2.0)
    assert trained(([1.0, 3.0], [2.0, 6.0]), f, validation=samples()) == pytest.approx(2.0)
    rows = [(np.array([x, -x]), y) for x, y in samples()]
    first = lambda w, x, y: product(w, x[0], y)  # noqa: E731
    assert trained(rows, first) == pytest.approx(2.0)


def test_three_triples_are_three_samples():
    samples = [(1.0, 0.0, 2.0), (0.0, 1.0, 3.0), (1.0, 1.0, 5.0)]  # y = 2 a + 3 b
    history = optim.fit(lambda w, a, b, y: (w[0] * a + w[1] * b - y) ** 2, [0.0, 0.0], samples,
                        optimizer=optim.SGD(lr=0.1), epochs=300)  # fmt: skip
    assert history.parameters == pytest.approx([2.0, 3.0])


def test_a_tuple_of_arrays_stays_what_it_is():
    assert trained(((1.0, 3.0), (2.0, 6.0))) == pytest.approx(2.0)
    assert trained(([1.0, 3.0], np.array([2.0, 6.0]))) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([[1.0, 2.0], [3.0, 6.0]], "item 0 of it is of type list"),
        ([np.array([1.0, 3.0]), np.array([2.0, 6.0])], "item 0 of it is of type ndarray"),
        ([1.0, 2.0], "item 0 of it is of type float"),
        (iter([[1.0, 2.0]]), "item 0 of it is of type list"),
        ([(1.0, 2.0), [3.0, 6.0]], "item 1 of it is of type list"),
        ([(1.0, 2.0), (3.0,)], "sample 0 has 2 entries, but sample 1 has 1"),
        ([(1.0, [2.0]), (3.0, [6.0, 7.0])], "ragged"),
        ([], "has no samples"), (iter([]), "has no samples"),
        (X, "got one ndarray"), (Tensor([1.0, 2.0]), "got one Tensor"),
        ({"x": [1.0], "y": [2.0]}, "one dict"),
        ({1.0, 2.0}, "got one set"), ("ab", "got one str"), (None, "one NoneType"), (5, "one int"),
        ((1.0, 2.0), r"arrays of \[0, 0\] samples"),
        (([1.0], [2.0], [3.0]), "is called with 4 arguments here, .*: too many positional"),
        (([1.0],), "is called with 2 arguments here, .*: missing a required"),
    ],
)  # fmt: skip
def test_data_that_could_be_read_otherwise_are_refused(data, said):
    with pytest.raises(mg.errors.ShapeError, match=said):
        trained(data)


def test_a_sample_is_refused_where_the_program_takes_another_shape():
    digits = mg.record(lambda w, x, t: nn.cross_entropy(w * x, t), 1.0, np.zeros(3), np.zeros(3))
    x = np.ones((4, 3))
    for y in ([0, 1, 2, 1], [0.0, 1.0, 2.0, 1.0]):
        with pytest.raises(ValueError, match=r"nn.one_hot\(t, 3\) makes rows of class numbers"):
            optim.fit(digits, 1.0, (x, y), optimizer=optim.SGD())
    with pytest.raises(
        ValueError, match=r"t: the program takes samples of shape \(3,\), got \(2,\)"
    ):
        optim.fit(digits, 1.0, (x, x[:, :2]), optimizer=optim.SGD())
    with pytest.raises(ValueError, match="x: the program takes samples of shape"):
        optim.fit(digits, 1.0, (x, x / 3), optimizer=optim.SGD(), validation=(x[:, 0], x))


@pytest.mark.parametrize("kind", [list, tuple, np.array, np.uint8, np.int64])
def test_integer_labels_stay_integers_for_a_function(kind):
    seen = []

    def loss(w, x, label):
        seen.append(label)
        return nn.cross_entropy(w * x, label) + 0 * w * table[label]

    table, x = [1.0, 2.0, 3.0], np.ones((3, 3))
    optim.fit(loss, 1.0, (x, kind([2, 0, 1])), optimizer=optim.SGD(lr=0.1), epochs=1)
    assert sorted(seen) == [0, 1, 2]
    assert all(isinstance(label, int | np.int64) for label in seen)


@pytest.mark.parametrize("numbers", [[200, 100], np.array([200, 100], np.uint8)])
def test_integers_do_not_wrap_around(numbers):
    history = optim.fit(lambda w, x: w * 0 + x * x * 10**6, 1.0, (numbers,), optimizer=optim.SGD(),
                        epochs=1, batch_size=None)  # fmt: skip
    assert history.steps == [25_000 * 10**6]


FOREIGN = [
    np.ma.masked_array([1.0, 999.0], mask=[0, 1]), np.array([1, "NaT"], dtype="m8[D]"),
    np.array(["2020-01-01", "2020-01-02"], dtype="M8[D]"), np.array([1 + 2j, 3]),
    np.array([1, "2"]),
    ["1", "2"], [1.0, None], np.array([1.0, object()], dtype=object), [1 + 2j, 3.0],
    [mg.Value(1.0), 2.0], [[1.0, 2.0], [3.0]],
]  # fmt: skip


@pytest.mark.parametrize("x", FOREIGN, ids=lambda x: f"{type(x).__name__} of {x!r}"[:30])
def test_fit_and_predict_refuse_what_a_program_refuses_in_the_same_words(x):
    def f(w, x):
        return (w - x) ** 2

    def said(call):
        try:
            call()
        except mg.MicrogridError as error:
            return re.sub(r"^(data|validation)?\[0\]|^[xX]\b", "", str(error))
        return ""

    program, how = mg.record(f, 1.0, 0.0), {"optimizer": optim.SGD(), "epochs": 1}
    expected = said(lambda: program.batched((None, 0))(1.0, x))
    for g in (f, program):
        assert said(lambda g=g: optim.fit(g, 1.0, (x,), **how)) == expected
        assert said(lambda g=g: optim.fit(g, 1.0, ([1.0],), validation=(x,), **how)) == expected
    assert said(lambda: nn.predict(Double(), x)) == expected
    if isinstance(x, np.ndarray):  # as one sample of a list
        one = partial(optim.fit, lambda w, x: mg.total((w - x) ** 2), 1.0, **how)
        assert said(lambda: one([(x,)])) == said(lambda: one(([x, x],))) == expected
    assert expected or isinstance(x, np.ma.MaskedArray)


class Double(nn.Module):
    def __call__(self, x):
        return 2 * x


@pytest.mark.parametrize("library", FOREIGN_ARRAYS)
def test_arrays_of_other_libraries_are_plain_numbers(library):
    kind = FOREIGN_ARRAYS[library]()
    data = kind([1.0, 3.0]), kind([2.0, 6.0])
    for f in (product, mg.record(product, [0.0], 0.0, 0.0)):
        assert trained(data, f, validation=data) == pytest.approx(2.0)
    assert nn.predict(Double(), kind([1.0, 3.0])).tolist() == [2.0, 6.0]


# Settings, each looked at where it is made.


def ones(**how):
    return optim.fit(lambda w, x: (w - x) ** 2, 0.5, ([1.0, 2.0],),
                     **{"optimizer": optim.SGD(), "epochs": 1} | how)  # fmt: skip


def of(name, values, make, said):
    return [(partial(make, **{name: x}), said) for x in values]


NO_NUMBER, INF = ["0.1", None, [0.1], (0.1, 0.2), 1j, math.nan, True, mg.Value(0.1), "a"], math.inf
NO_RATE = [x for x in NO_NUMBER if x is not None] + [None, 0, -0.1, INF]
WRONG = [
    *of("lr", NO_RATE, optim.SGD, "the learning rate is a number above 0 or a schedule, got"),
    *of("lr", NO_RATE, optim.AdamW, "the learning rate is a number above 0 or a schedule, got"),
    *of("lr", [lambda k, x=x: x for x in [*NO_NUMBER, -0.1, INF]], optim.Adam,
        "the learning rate of step 0 is a number from 0 on, got"),
    *of("momentum", [*NO_NUMBER, 2, 2.0, 1, -1, -3, INF], optim.SGD, "momentum is a number from 0"),
    *of("nesterov", [True, 1], optim.SGD, "nesterov needs a momentum above 0"),
    *of("weight_decay", [*NO_NUMBER, -0.1, INF], optim.AdamW, "weight_decay is a number from 0 on"),
    *of("clip_norm", [*NO_NUMBER[2:], 0, -1, INF], optim.SGD, "clip_norm is a number above 0, got"),
    *of("betas", [0.9, None, (0.9,), (0.9, 0.99, 0.999), "ab"], optim.Adam, "betas are two"),
    *of("betas", [(1, 1), (1.0, 0.999), (0.9, -0.1), ("a", 0.9), (0.9, None)], optim.Adam,
        "each of betas is a number from 0 to below 1, got"),
    *of("eps", [*NO_NUMBER, 0, -1e-8], optim.AdamW, "eps is a number above 0, got"),
    *of("parameters", [5, 0.1, lambda k: k, None, "ab", {"w": 1.0}, [{"params": []}]], optim.SGD,
        "parameters come first|moves leaves"),
    *of("batch_size", [1.5, "32", True, 0, -1, [32], math.nan], ones, "batch_size is a whole"),
    *of("epochs", [1.5, "3", True, -1, None, np.True_], ones, "epochs is a whole number from 0 on"),
    *of("patience", [1.5, "3", True, 0], ones, "patience is a whole number from 1 on, got"),
    *of("seed", ["a", 1.5, -1, True, [1.5]], ones, "seed is a whole number from 0 on or a NumPy"),
    *of("metrics", ["loss", [abs]], ones, "metrics are functions by name"),
    *of("metrics", [{"a": 3}], ones, "metrics and callbacks are functions, got 3"),
    *of("callbacks", [3, [abs, "b"]], ones, "metrics and callbacks are functions, got"),
    *of("start", [*NO_NUMBER, -1.0, INF], partial(optim.linear, end=0.0, steps=3), "start is a"),
    *of("end", [*NO_NUMBER, -1.0, INF], partial(optim.cosine, 1.0, 3), "end is a number from 0 on"),
    *of("steps", [1.5, "3", -5, True, None], partial(optim.linear, 1.0, 0.0), "steps is a whole"),
    *of("steps", [1.5, "3", -5, True, None], partial(optim.cosine, 1.0), "steps is a whole number"),
    *of("warmup", [1.5, -5, True, None], partial(optim.cosine, 1.0, 3), "warmup is a whole number"),
    *of("factor", [*NO_NUMBER, 0, -0.5, INF], partial(optim.exponential, 1.0), "factor is a"),
    *of("factor", [*NO_NUMBER, 0, -0.5], partial(optim.step_decay, 1.0, every=2), "factor is a"),
    *of("every", [1.5, 0, -2, True], partial(optim.step_decay, 1.0, 0.5), "every is a whole"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "said"), WRONG)
def test_a_setting_that_nothing_can_mean_is_refused_where_it_is_made(make, said):
    with pytest.raises(mg.errors.ParameterError, match=said):
        make()


def test_what_is_no_function_is_not_trained():
    with pytest.raises(mg.errors.NumberError, match="fit takes a function, got 3"):
        optim.fit(3, 0.5, optimizer=optim.SGD())


def test_a_schedule_is_heard_at_every_step():
    optimizer = optim.SGD(lr=lambda k: [0.5, 0.0, None][k])
    w = np.ones(1)
    for expected in (0.5, 0.5):  # a rate of 0 moves nothing: so schedules end
        w = optimizer._updated(w, np.ones(1))
        assert w == expected
    with pytest.raises(
        mg.errors.ParameterError, match="rate of step 2 is a number from 0 on, got N"
    ):
        optimizer._updated(w, np.ones(1))
    grows = optim.SGD(lr=optim.exponential(1.0, 1e200))
    with pytest.raises(mg.errors.ParameterError, match=r"rate of step 2 .* got inf"):
        optim.fit(lambda w: 0 * w, 1.0, optimizer=grows, epochs=5)


def test_numbers_of_any_kind_are_settings():
    for x in (Fraction(1, 2), np.float32(0.5), np.array(0.5)):
        assert optim.SGD(lr=x, momentum=x).rate == 0.5
    assert len(ones(epochs=np.int8(2), batch_size=np.array(1), seed=np.int64(3)).steps) == 4
    assert optim.Adam(betas=np.array([0.5, 0.75])).betas == (0.5, 0.75)


SCHEDULES = [optim.linear(1.0, 0.5, 4), optim.exponential(1.0, 0.5), optim.step_decay(1.0, 0.5, 2),
             optim.cosine(1.0, 4, end=0.5, warmup=2)]  # fmt: skip


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_each_setting_of_a_schedule_is_looked_at(schedule):
    assert {*vars(schedule)} <= {*schedules.RATES, *schedules.COUNTS}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_and_optimizers_pickle_and_go_on(schedule):
    again = pickle.loads(pickle.dumps(schedule))
    assert again == schedule
    assert [again(k) for k in range(6)] == [schedule(k) for k in range(6)]
    for make in (partial(optim.SGD, momentum=0.9, nesterov=True), optim.Adam, optim.AdamW):
        w = [mg.Value(1.0), mg.Value(2.0)]
        optimizer = make(w, lr=schedule)
        optimizer.step([1.0, 2.0])
        again, numbers = pickle.loads(pickle.dumps((optimizer, w)))
        for one in (optimizer, again):
            one.step([0.5, 0.25])
        assert [v.data for v in numbers] == [v.data for v in w]


def test_optimizers_and_schedules_say_what_they_are():
    assert repr(SCHEDULES[3]) == "cosine(start=1.0, steps=4, end=0.5, warmup=2)"
    optimizer = optim.Adam(model(), lr=optim.exponential(0.1, 0.5))
    optimizer.step(np.ones(25))
    expected = "Adam(25 parameters, lr=exponential(start=0.1, factor=0.5), step 1)"
    assert repr(optimizer) == expected


# A search in several processes.


def diverges(lr):
    data = np.array([1.0, 2.0]), np.array([1.0, 2.0])
    return optim.fit(product, [0.0], data, optimizer=optim.SGD(lr=lr), epochs=400)["loss"][-1]


def test_a_search_in_several_processes_ends_with_the_error_of_the_one_that_diverged():
    with get_context("spawn").Pool(2) as pool:
        assert pool.apply(diverges, (0.01,)) < 1.0
        search = pool.map_async(diverges, [0.01, 10.0, 0.02])
        with pytest.raises(mg.errors.DivergedError, match="try a smaller learning rate") as caught:
            search.get(timeout=120)
    assert len(caught.value.history.steps) == caught.value.step > 0


# What a tester found.


def test_whole_numbers_in_data_do_not_wrap_around():
    loss = lambda w, x, y: (w[0] - y + x**6 * 1e-20 + x**-1) ** 2  # noqa: E731
    data = np.array([2000, 2010, 2020]), np.array([1.0, 2.0, 3.0])
    for f in (loss, mg.record(loss, [0.0], 1.0, 1.0, backend="numpy")):
        found = optim.fit(f, [0.0], data, optimizer=optim.SGD(lr=1e-3), epochs=1, batch_size=None)
        expected = np.mean([(-y + float(x) ** 6 * 1e-20 + 1 / x) ** 2 for x, y in zip(*data)])
        assert found["loss"] == pytest.approx([expected])


class Tied(nn.Module):
    def __init__(self):
        self.a = self.b = mg.matrix([1.0])
        self.parts = {"a": self.a}


def test_what_a_model_holds_twice_stays_one_in_a_copy():
    def loss(model, x):
        model.a[0] = model.a[0] * 2
        return (model.b[0] * x + model.parts["a"][0] - 3.0) ** 2

    copied = Tied().with_parameters([mg.Value(1.0)])
    assert copied.a is copied.b is copied.parts["a"]
    found = []
    for f in (loss, mg.record(loss, Tied(), 1.0, backend="numpy")):
        net = Tied()
        history = optim.fit(f, net, ([1.0, 2.0],), optimizer=optim.SGD(lr=0.01), epochs=2)
        found.append([*history["loss"], net.a[0].data])
    assert found[0] == pytest.approx(found[1])


def test_a_model_with_a_parameter_that_cannot_be_written_trains():
    net = Tied()
    net.a.flags.writeable = False
    loss = lambda model, x: (model.a[0] * x - 1) ** 2  # noqa: E731
    assert optim.fit(loss, net, ([1.0, 2.0],), optimizer=optim.SGD(lr=0.1), epochs=1)["loss"]


def test_a_model_that_keeps_what_cannot_be_copied_trains():
    net = Tied()
    net.parts |= {"lock": threading.Lock(), "log": [nn.Tanh(), sys.stderr]}
    loss = lambda model, x: (model.a[0] * x - 1) ** 2  # noqa: E731
    assert optim.fit(loss, net, ([1.0, 2.0],), optimizer=optim.SGD(lr=0.1), epochs=1)["loss"]


def test_a_sample_may_have_a_loss_without_parameters_but_not_every_one():
    hinge_by_max = lambda w, x, y: max(0.0, 1 - y * w[0] * x)  # noqa: E731
    data = np.array([3.0, -2.0, 0.1, -0.1]), np.array([1.0, -1.0, 1.0, -1.0])
    for seed in range(4):
        optim.fit(hinge_by_max, [1.0], data, optimizer=optim.SGD(lr=0.1), epochs=1, batch_size=1,
                  seed=seed)  # fmt: skip
    with pytest.raises(GraphError, match="does not depend on the parameters"):
        optim.fit(lambda w, x, y: 0.0, [1.0], data, optimizer=optim.SGD(lr=0.1), batch_size=1)


def test_divergence_of_a_model_that_cannot_be_pickled_is_told_in_another_process():
    net = nn.Sequential(nn.Affine(1, 1, seed=1), lambda h: h[0])
    loss = lambda model, x: (model([x]) * 1e200) ** 2 * 1e200  # noqa: E731
    with pytest.raises(DivergedError) as caught:
        optim.fit(loss, net, ([1.0, 2.0],), optimizer=optim.SGD(lr=1.0), epochs=3)
    copied = pickle.loads(pickle.dumps(caught.value))
    assert (type(copied), str(copied)) == (DivergedError, str(caught.value))
    assert copied.history.parameters is None
    assert caught.value.history.parameters is net
