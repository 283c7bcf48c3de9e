"""Arrays of numbers that hide no mistake, drawn from a seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from microgrid.check.handwritten.trial import Array

Shape = Sequence[int]


def signed(shape: Shape, rng: np.random.Generator) -> NDArray[np.float64]:
    """Numbers of both signs: no two alike, none near 0 (a kink) or 1 (where a factor hides).

    >>> x = signed((3, 4), np.random.default_rng(0))
    >>> bool((x > 0).any() and (x < 0).any() and (abs(x) > 0.05).all())
    True
    """
    n = int(np.prod(shape))
    sizes = np.linspace(0.15, 1.75, n + 1)[:-1] + rng.uniform(0.1, 0.9, n) * 1.6 / max(n, 1)
    sizes = np.where(abs(sizes - 1) < 0.03, sizes + 0.06, sizes)
    signs = np.where(np.arange(n) % 2 == rng.integers(2), 1.0, -1.0)
    rng.shuffle(sizes)
    rng.shuffle(signs)
    return np.asarray(sizes * signs).reshape(shape)


def positive(shape: Shape, rng: np.random.Generator) -> NDArray[np.float64]:
    """Positive numbers, for variances and scales.

    >>> bool((positive((4,), np.random.default_rng(0)) > 0).all())
    True
    """
    return np.asarray(abs(signed(shape, rng)))


def probabilities(shape: Shape, rng: np.random.Generator, axis: int = -1) -> NDArray[np.float64]:
    """Numbers between 0 and 1; along an axis longer than 1 they sum to 1.

    >>> probabilities((2, 3), np.random.default_rng(0)).sum(axis=1)
    array([1., 1.])
    """
    x = signed(shape, rng)
    if len(shape) < 2 or shape[axis] == 1:
        return np.asarray(1 / (1 + np.exp(-x)))
    return np.asarray(np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True))


def labels(shape: Shape, classes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Class numbers that differ and repeat.

    >>> y = labels((3,), 5, np.random.default_rng(0))
    >>> bool(y[0] == y[2] != y[1])
    True
    """
    n = int(np.prod(shape))
    y = rng.integers(classes, size=n)
    if n > 1 and classes > 1:
        y[1] = (y[0] + 1 + rng.integers(classes - 1)) % classes
    if n > 2:
        y[-1] = y[0]
    return np.asarray(y).reshape(shape)


def one_hot(shape: Shape, rng: np.random.Generator, axis: int = -1) -> NDArray[np.float64]:
    """Rows (along the axis) with a single 1, at labels that differ and repeat.

    >>> one_hot((3, 5), np.random.default_rng(0)).sum(axis=1)
    array([1., 1., 1.])
    """
    others = [n for i, n in enumerate(shape) if i != axis % len(shape)]
    rows = np.eye(shape[axis])[labels(others, shape[axis], rng)]
    return np.asarray(np.moveaxis(rows, -1, axis))


def binary(shape: Shape, rng: np.random.Generator) -> NDArray[np.float64]:
    """Zeros and ones, both of them.

    >>> sorted(binary((3,), np.random.default_rng(0)).tolist())
    [0.0, 0.0, 1.0]
    """
    n = int(np.prod(shape))
    bits = (np.arange(n) % 3 == 1).astype(float)
    return np.asarray(rng.permutation(bits)).reshape(shape)


def of_kind(kind: str, shape: Shape, rng: np.random.Generator) -> Array:
    """An array of a kind: "", "positive", "prob", "onehot", "binary", "sign", "mask" or "int:7".

    "prob0" and "onehot0" go along the first axis.

    >>> of_kind("int:7", (2, 3), np.random.default_rng(0)).dtype.kind
    'i'
    """
    kind, _, size = kind.partition(":")
    match kind:
        case "int":
            return labels(shape, int(size), rng)
        case "prob" | "prob0":
            return probabilities(shape, rng, 0 if kind == "prob0" else -1)
        case "onehot" | "onehot0":
            return one_hot(shape, rng, 0 if kind == "onehot0" else -1)
        case "binary":
            return binary(shape, rng)
        case "mask":
            return 1 - binary(shape, rng)
        case "sign":
            return 2 * binary(shape, rng) - 1
        case "positive":
            return positive(shape, rng)
    return signed(shape, rng)
