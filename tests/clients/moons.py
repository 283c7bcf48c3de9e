"""A client of micrograd: its demo's calls, in our words. Two moons, an MLP, hinge loss with L2."""

import numpy as np
from micrograd.engine import Value
from micrograd.nn import MLP
from sklearn.datasets import make_moons

X, y = make_moons(n_samples=POINTS, noise=0.1, random_state=1)  # noqa: F821
y = y * 2 - 1  # the classes are −1 and 1
model = MLP(2, [16, 16, 1])
for p, number in zip(model.parameters(), START(len(model.parameters()))):  # noqa: F821
    p.data = number


def objective():
    """The loss over all points, and the share that is classified right."""
    inputs = [list(map(Value, row)) for row in X]
    scores = list(map(model, inputs))
    margins = [(1 + -yi * score).relu() for yi, score in zip(y, scores)]
    data_loss = sum(margins) * (1.0 / len(margins))
    decay = 1e-4 * sum(p * p for p in model.parameters())
    right = [(yi > 0) == (score.data > 0) for yi, score in zip(y, scores)]
    return data_loss + decay, sum(right) / len(right)


losses, accuracies = [], []
for k in range(STEPS):  # noqa: F821
    loss, accuracy = objective()
    model.zero_grad()
    loss.backward()
    rate = 1.0 - 0.9 * k / 100
    for p in model.parameters():
        p.data -= rate * p.grad
    losses.append(loss.data)
    accuracies.append(accuracy)

mesh = np.c_[np.linspace(-1, 2, 5), np.linspace(-1, 1, 5)]
signs = np.array([s.data > 0 for s in map(model, [list(map(Value, row)) for row in mesh])])
