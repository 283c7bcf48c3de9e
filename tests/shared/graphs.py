"""Graphs that several tests draw."""

from itertools import pairwise

import numpy as np

import microgrid as mg
from microgrid import Value
from microgrid.matrices.examples import label_entries


def chain(length, **_):
    y = Value(0.5, "x")
    for _ in range(length):
        y = (y * 0.999).tanh()
    return y


def mlp(samples=1, sizes=(2, 16, 16, 1), scope=mg.scope):
    rng = np.random.default_rng(0)
    H = mg.matrix(rng.uniform(-1, 1, (samples, sizes[0])), "x")
    for i, (m, n) in enumerate(pairwise(sizes)):
        W, b = mg.matrix(rng.uniform(-1, 1, (m, n)), "w"), mg.matrix(rng.uniform(-1, 1, n), "b")
        with scope(f"layer {i}"):
            H = mg.affine(H, W, b)
            H = mg.relu(H) if i + 2 < len(sizes) else H
    with scope("loss"):
        loss = mg.mean([(h - 1) ** 2 for h in H.ravel()])
    return loss


def squared_affine():
    X, W = (
        mg.matrix([[-1.5, 1.4], [1.1, -1.0]], "x"),
        mg.matrix([[0.0, -0.1, 0.3], [0.6, -0.8, -0.9]], "w"),
    )
    Y = label_entries(mg.affine(X, W, mg.matrix([0.0, 0.1, 0.2], "b")))
    loss = mg.total([(y - t) ** 2 for y, t in zip(Y.ravel(), (0.7, -0.1, 0.5, -1.0, -0.1, 0.4))])
    loss.label = "L"
    return loss
