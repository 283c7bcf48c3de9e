"""Losses: how wrong a prediction is, in a form that neither overflows nor loses its digits.

Predictions are Values or numbers, alone or in lists or arrays; of several the mean is taken, as by
PyTorch's losses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microgrid import functions
from microgrid.errors import ShapeError, TargetError
from microgrid.functions import mean
from microgrid.guards import is_real
from microgrid.matrix import Array, as_array
from microgrid.ops import relu, softplus


def squared_error(prediction: Any, target: Any) -> Any:
    """(y − t)², the mean over all entries.

    >>> squared_error([3.0, 5.0], [1.0, 5.0])
    2.0
    """
    return over_entries(lambda y, t: (y - t) * (y - t), prediction, target)


def hinge(score: Any, target: Any) -> Any:
    """max(0, 1 − t s) for classes t = ±1, the mean over all entries; TargetError for others."""
    check_targets(target, {-1, 1}, "classes of hinge are −1 and 1")
    return over_entries(lambda s, t: relu(1 - t * s), score, target)


def binary_cross_entropy(logit: Any, target: Any) -> Any:
    """−t log σ(s) − (1 − t) log(1 − σ(s)) from the logit s, for t from 0 to 1; the mean.

    TargetError for a t beyond. Written with log σ(s) = −softplus(−s): no digit is lost where σ(s)
    is near 0 or 1.

    >>> binary_cross_entropy(-800.0, 1), binary_cross_entropy(40.0, 1)
    (800.0, 4.248354255291589e-18)
    """
    check_targets(target, (0, 1), "targets of binary_cross_entropy go from 0 to 1")
    return over_entries(lambda s, t: t * softplus(-s) + (1 - t) * softplus(s), logit, target)


def cross_entropy(logits: Any, target: Any) -> Any:
    """−Σ t log softmax(x) of one row of logits x, or the mean over the rows of a matrix.

    The target of a row is the number of its class, or a row of probabilities t (see `one_hot`):
    in a recorded program the latter, since no program can depend on which class it is. TargetError
    for a class beyond the logits or what is no class.

    >>> cross_entropy([0.0, 1000.0], 1), cross_entropy([[0.0, 1000.0]], [[1.0, 0.0]])
    (0.0, 1000.0)
    """
    logits = as_array(logits)
    if logits.ndim == 1:
        return functions.cross_entropy(logits, target)
    if logits.ndim != 2 or len(logits) != len(target):
        raise ShapeError(f"logits of shape {logits.shape} for targets of shape {np.shape(target)}")
    return mean([functions.cross_entropy(row, t) for row, t in zip(logits, target)])


def one_hot(labels: Any, classes: int) -> Array:
    """For each class number a row with a 1 in its place: labels of any shape, (…) → (…, classes).

    >>> one_hot([2, 0], 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    numbers = np.asarray(labels)
    if numbers.dtype.kind not in "iu" or (numbers < 0).any() or (numbers >= classes).any():
        raise TargetError(f"labels are whole numbers from 0 to {classes - 1}, got {labels!r}")
    rows: Array = np.eye(classes)[numbers]
    return rows


def check_targets(target: Any, allowed: set[int] | tuple[int, int], said: str) -> None:
    """TargetError unless all plain numbers are allowed: in a set, or from one to the other."""
    for t in as_array(target).ravel():
        if is_real(t):
            fits = t in allowed if isinstance(allowed, set) else allowed[0] <= t <= allowed[1]
            if not fits:
                raise TargetError(f"{said}, got {t!r}")


def over_entries(loss: Callable[[Any, Any], Any], prediction: Any, target: Any) -> Any:
    """The mean of a loss over entries; ShapeError unless there is a target for each."""
    y, t = as_array(prediction), as_array(target)
    if y.size == t.size == 1:
        return loss(y.item(), t.item())
    if y.shape != t.shape:
        raise ShapeError(f"predictions of shape {y.shape} for targets of shape {t.shape}")
    return mean([loss(a, b) for a, b in zip(y.ravel(), t.ravel())])
