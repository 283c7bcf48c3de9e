"""The worked examples of the lecture notes as graphs, on the notes' own numbers by default.

Each returns the root of its graph (or an array of Values where the example is a vector); the
leaves are found by name with `named(root)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from microgrid.engine.functions import maximum, total
from microgrid.engine.lazy import public
from microgrid.engine.ops import exp, log, relu, sigmoid
from microgrid.engine.trees import named as named
from microgrid.engine.value import Value
from microgrid.engine.value_array import as_array
from microgrid.matrices.arrays import Array, affine, matrix

__all__ = [
    "ALL",
    "affine_circuit",
    "appended_one_circuit",
    "gates_circuit",
    "label_entries",
    "log_loss",
    "matmul_circuit",
    "named",
    "parallel_branches",
    "relu_layer",
    "sigmoid_circuit",
    "skip_connection",
    "squared_error",
    "weighted",
]
__dir__ = public(__name__)


def called(label: str, y: Value) -> Value:
    """The result y, with this name."""
    y.label = label
    return y


def leaf(x: Any, label: str) -> Value:
    """x itself if it is a Value, else a new leaf with this name."""
    return x if isinstance(x, Value) else Value(x, label)


def leaves(xs: Any, label: str, start: int = 0) -> list[Value]:
    """Leaves x_0, x_1, … for the label x."""
    return [leaf(x, f"{label}_{i}") for i, x in enumerate(xs, start)]


def array(A: Any, label: str) -> Array:
    """A itself if it holds Values, else an array of new leaves with this label."""
    given = isinstance(A, np.ndarray) and A.dtype == object and isinstance(A.flat[0], Value)
    return A if given else matrix(A, label)


def sigmoid_circuit(
    w: Sequence[Any] = (2.0, -3.0, -3.0), x: Sequence[Any] = (-1.0, -2.0), folded: bool = False
) -> Value:
    """f = 1 / (1 + exp(−(w₀x₀ + w₁x₁ + w₂))), gate by gate; `folded` uses one sigmoid gate.

    >>> f = sigmoid_circuit()
    >>> f.backward()
    >>> [round(named(f)[name].grad, 2) for name in ("w_0", "x_0", "w_1", "x_1", "w_2")]
    [-0.2, 0.39, -0.39, -0.59, 0.2]
    """
    (w0, w1, w2), (x0, x1) = leaves(w, "w"), leaves(x, "x")
    score = w0 * x0 + w1 * x1 + w2
    return called("f", sigmoid(score) if folded else 1 / (exp(score * -1) + 1))


def gates_circuit(x: Any = 3.0, y: Any = -4.0, z: Any = 2.0, w: Any = -1.0) -> Value:
    """f = 2 (xy + max(z, w)): add distributes, multiply switches, max routes the gradient.

    >>> f = gates_circuit()
    >>> f.backward()
    >>> f.data, [named(f)[name].grad for name in "xyzw"]
    (-20.0, [-8.0, 6.0, 2.0, 0.0])
    """
    x, y, z, w = leaf(x, "x"), leaf(y, "y"), leaf(z, "z"), leaf(w, "w")
    return called("f", 2 * (x * y + maximum(z, w)))


def score(w: Sequence[Any], x: Sequence[Any]) -> Value:
    """wᵀx."""
    products = [wi * xi for wi, xi in zip(leaves(w, "w", 1), leaves(x, "x", 1), strict=True)]
    h: Value = sum(products[1:], products[0])
    return h


def squared_error(
    w: Sequence[Any] = (2.0, -1.0), x: Sequence[Any] = (3.0, 4.0), y: Any = 1.0
) -> Value:
    """e = (y − wᵀx)²; ∂e/∂w = −2 (y − wᵀx) x.

    >>> e = squared_error()
    >>> e.backward()
    >>> e.data, named(e)["w_1"].grad, named(e)["w_2"].grad
    (1.0, 6.0, 8.0)
    """
    return called("e", (leaf(y, "y") - score(w, x)) ** 2)


def log_loss(w: Sequence[Any] = (2.0, -1.0), x: Sequence[Any] = (3.0, 4.0)) -> Value:
    """e = −log σ(wᵀx), the loss of a sample with y = 1; ∂e/∂w = (σ − 1) x.

    >>> e = log_loss()
    >>> e.backward()
    >>> round(named(e)["w_1"].grad, 4), round(named(e)["w_2"].grad, 4)
    (-0.3576, -0.4768)
    """
    return called("e", -log(sigmoid(score(w, x))))


def skip_connection(x: Any = 2.0, w: Any = 3.0) -> Value:
    """y = x + F(x) with F(x) = relu(w x), as in ResNet: ∂y/∂x = 1 + F'(x).

    >>> y = skip_connection()
    >>> y.backward()
    >>> y.data, named(y)["x"].grad
    (8.0, 4.0)
    """
    x, w = leaf(x, "x"), leaf(w, "w")
    return called("y", x + relu(w * x))


def parallel_branches(x: Any = 2.0, w: Sequence[Any] = (3.0, -1.0, 0.5)) -> Value:
    """y = x + Σ relu(wᵢ x), as in ResNeXt: the branches' gradients are summed at x.

    >>> y = parallel_branches()
    >>> y.backward()
    >>> y.data, named(y)["x"].grad  # the branch of w_2 = -1 is shut
    (9.0, 4.5)
    """
    x = leaf(x, "x")
    return called("y", x + total([relu(wi * x) for wi in leaves(w, "w", 1)]))


def relu_layer(x: Sequence[Any] = (1.5, -2.0, 3.0)) -> Array:
    """z = relu(x) element by element: its Jacobian is diag(𝟙[x > 0]), and −2 is a dead unit.

    >>> [z.data for z in relu_layer()]
    [1.5, 0.0, 3.0]
    """
    z: Array = relu(array(np.asarray(x), "x"))
    return z


def weighted(Y: Array, dY: Any) -> Value:
    """L = Σ dY · Y, a loss whose gradient with respect to Y is dY.

    >>> Y = matrix([1.0, 2.0], "y")
    >>> weighted(Y, [3.0, 4.0]).backward()
    >>> [y.grad for y in Y]
    [3.0, 4.0]
    """
    return called("L", total([y * g for y, g in zip(Y.ravel(), np.ravel(dY), strict=True)]))


X, W, B = ((1.0, 2.0), (3.0, -1.0)), ((2.0, 0.0, -1.0), (1.0, 3.0, 0.5)), (0.5, -1.0, 2.0)
DY = ((1.0, -2.0, 0.5), (3.0, 0.25, -1.0))


def affine_circuit(X: Any = X, W: Any = W, b: Any = B, dY: Any = DY) -> Value:
    """L = Σ dY · (XW + b): after `backward`, X, W and b hold dY Wᵀ, Xᵀ dY and 1ᵀ dY.

    By default N = 2, D = 2, M = 3 as in the note, with numbers that hide no wrong formula: W is not
    symmetric, and dY not all ones.

    >>> L = affine_circuit()
    >>> L.backward()
    >>> L.data, named(L)["x_{11}"].grad
    (12.5, 1.5)
    """
    Y = affine(array(X, "x"), array(W, "w"), array(b, "b"))
    return weighted(label_entries(Y), dY)


def appended_one_circuit(X: Any = X, W: Any = W, b: Any = B, dY: Any = DY) -> Value:
    """The same as [X 1]·[W; b], with the bias as the last row of the weights.

    >>> appended_one_circuit().data == affine_circuit().data
    True
    """
    X, W, b = array(X, "x"), array(W, "w"), array(b, "b")
    ones = as_array(np.array([[Value(1)] for _ in X], dtype=object))
    Y = np.hstack([X, ones]) @ np.vstack([W, b.reshape(1, -1)])
    return weighted(label_entries(Y), dY)


def matmul_circuit(
    W: Any = W, X: Any = ((1.0,), (-2.0,), (3.0,)), dY: Any = ((1.0,), (-2.0,))
) -> Value:
    """L = Σ dY · WX, the column convention: W and X hold dY Xᵀ and Wᵀ dY after `backward`.

    >>> L = matmul_circuit()
    >>> L.backward()
    >>> L.data, named(L)["w_{11}"].grad  # dY_1 x_1
    (6.0, 1.0)
    """
    return weighted(label_entries(array(W, "w") @ array(X, "x")), dY)


def label_entries(Y: Array, label: str = "y") -> Array:
    """Y with the labels of `matrix` on its entries.

    >>> [y.label for y in label_entries(matrix([1.0, 2.0]) * 2)]
    ['y_1', 'y_2']
    """
    for y, leaf in zip(Y.flat, matrix(np.zeros(Y.shape), label).flat, strict=True):
        y.label = leaf.label
    return Y


MAKERS = (
    sigmoid_circuit, gates_circuit, squared_error, log_loss, skip_connection, parallel_branches,
    relu_layer, affine_circuit, appended_one_circuit, matmul_circuit,
)  # fmt: skip
ALL: dict[str, Callable[[], Any]] = {f.__name__: f for f in MAKERS}
"""Every circuit by its name: `ALL["sigmoid_circuit"]()` is its root, or an array of roots."""
