"""Graphs that several tests draw."""

from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

import microgrid as mg
from microgrid import Value
from microgrid.engine.ops import TABLE
from microgrid.matrices.examples import label_entries


def slow_order(root: Value) -> list[Value]:
    """The nodes by recursion, each behind its parents: slow, obvious, and not for deep graphs."""
    order: dict[Value, None] = {}

    def visit(v: Value) -> None:
        if v not in order:
            for parent in v.parents:
                visit(parent)
            order[v] = None

    visit(root)
    return list(order)


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


UNARY = ["exp", "tanh", "sin", "sigmoid", "relu", "softplus", "absolute", "square", "neg", "cos"]
BINARY = ["add", "sub", "mul", "mul", "add", "maximum", "hypot", "logaddexp", "total", "dot"]


@st.composite
def graphs(draw, most=25):
    """A function of a list of numbers: random operations on what came before, in random order.

    No line is written twice, so that nothing is merged and all sums have the engine's order.
    """
    count = draw(st.integers(1, 4))
    steps = []
    for k in range(draw(st.integers(1, most))):
        one = draw(st.booleans())
        name = draw(st.sampled_from(UNARY if one else BINARY))
        recent = st.integers(max(0, count + k - 6), count + k - 1)
        places = [draw(recent)] if one else [draw(recent), draw(st.integers(0, count + k - 1))]
        if (name, *places) not in [s[:1] + s[1] for s in steps]:
            steps.append((name, tuple(places)))
        else:
            steps.append(("total", (places[0], k % (count + k), places[-1], 0)))
    points = draw(st.lists(st.integers(-300, 300), min_size=count, max_size=count))

    def f(*xs):
        nodes = list(xs)
        for name, places in steps:
            y = TABLE[name](*[nodes[i] for i in places])
            nodes.append(mg.clip(y, -10.0, 10.0) if name in ("exp", "square", "mul", "dot") else y)
        return nodes[-1]

    return f, [p / 100 for p in points]


# Where nothing comes back, not even 0 × inf does.
GATES = [
    lambda x, y: mg.where(mg.sqrt(x), x, 2 * x) + y,
    lambda x, y: mg.where(x, mg.sqrt(x) * 3, 0.0) + x * y,
    lambda x, y: mg.where(y, mg.where(x, mg.sqrt(x), x) * mg.sqrt(y), mg.sqrt(x + 1)) * y,
    lambda x, y: mg.maximum(mg.where(x, mg.sqrt(x), x), mg.hypot(x, y)),
    lambda x, y: mg.where(mg.sqrt(x) * mg.where(mg.sqrt(y), 1, 2), x * y, x + mg.sqrt(mg.exp(y))),
    lambda x, y: mg.where(x, mg.log(x + 1e-320) * y, y) * mg.where(y, mg.sqrt(y), 1.0),
]
