"""Losses: how wrong a prediction is, written so that they neither overflow nor lose digits.

Predictions are Values or numbers, alone or in lists or arrays. The loss of several is their mean,
as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microgrid.engine import functions
from microgrid.engine.errors import ShapeError, TargetError
from microgrid.engine.functions import mean
from microgrid.engine.guards import real
from microgrid.engine.ops import binary_target, hinge_target, relu, softplus
from microgrid.engine.settings import whole
from microgrid.engine.value import Value
from microgrid.matrices.arrays import Array, array_of
from microgrid.program.structure import matrix_of


def squared_error(prediction: Any, target: Any) -> Any:
    """(y − t)², the mean over all entries; ShapeError unless there is a target for each.

    >>> squared_error([3.0, 5.0], [1.0, 5.0])
    2.0
    """
    return over_entries(lambda y, t: (y - t) * (y - t), prediction, target)


def hinge(score: Any, target: Any) -> Any:
    """max(0, 1 − t s) for classes t = ±1, the mean over all entries.

    TargetError for other classes, ShapeError unless there is one for each score. The slope at the
    kink, where t s = 1, is that of `relu` at 0: none. Cortes and Vapnik, Support-Vector Networks.

    >>> hinge([2.0, 0.5], [1, 1])
    0.25
    """
    return over_entries(lambda s, t: relu(1 - hinge_target(t) * s), score, target)


def binary_cross_entropy(logit: Any, target: Any) -> Any:
    """−t log σ(s) − (1 − t) log(1 − σ(s)) from the logit s, for t from 0 to 1; the mean.

    TargetError for other t, ShapeError unless there is one for each logit. log σ(s) is computed as
    −softplus(−s), which loses no digit where σ(s) is near 0 or 1.

    >>> binary_cross_entropy(-800.0, 1), binary_cross_entropy(40.0, 1)
    (800.0, 4.248354255291589e-18)
    """

    def loss(s: Any, t: Any) -> Any:
        t = binary_target(t)
        return t * softplus(-s) + (1 - t) * softplus(s)

    return over_entries(loss, logit, target)


def cross_entropy(logits: Any, target: Any) -> Any:
    """−Σ t log softmax(x) of one row of logits x, or the mean over the rows of a matrix.

    The target of a row is the number of its class, counted from 0 (a whole number of any kind, so
    1.0 and True are class 1), or a row of probabilities t, none below 0, with the sum 1 up to the
    rounding of float32. A recorded program takes rows only (see `one_hot`), since a program cannot
    choose a logit by its class number. TargetError for others, ShapeError where the rows are not as
    many as the targets. See also `microgrid.cross_entropy`, for one row.

    >>> cross_entropy([0.0, 1000.0], 1), cross_entropy([[0.0, 1000.0]], [[1.0, 0.0]])
    (0.0, 1000.0)
    """
    logits = array_of(logits)
    if logits.ndim == 1:
        return functions.cross_entropy(logits, target)
    targets = array_of(target)
    if logits.ndim != 2 or targets.shape not in (logits.shape[:1], logits.shape):
        raise ShapeError(
            f"logits of shape {logits.shape} for targets of shape {targets.shape}: to each row of "
            "logits belongs the number of a class (y.ravel() for a column y) or a row of "
            "probabilities"
        )
    return mean([functions.cross_entropy(row, t) for row, t in zip(logits, targets)])


def one_hot(labels: Any, classes: int) -> Array:
    """A row for each class number, with a 1 in its place: labels of shape (…) → (…, classes).

    TargetError unless the labels are whole numbers, of any kind, from 0 to classes − 1;
    ParameterError unless `classes` is a whole number from 1 on.

    >>> one_hot([2, 0], 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    numbers, classes = matrix_of(labels, "labels"), whole("classes", classes, 1)
    if not ((numbers % 1 == 0) & (numbers >= 0) & (numbers < classes)).all():
        raise TargetError(f"labels are whole numbers from 0 to {classes - 1}, got {labels!r}")
    rows: Array = np.eye(classes)[numbers.astype(int)]
    return rows


def over_entries(loss: Callable[[Any, Any], Any], prediction: Any, target: Any) -> Any:
    """The mean of a loss over entries; ShapeError unless there is a target for each."""
    y, t = array_of(prediction), array_of(target)
    if y.shape != t.shape and not y.size == t.size == 1:
        raise ShapeError(f"predictions of shape {y.shape} for targets of shape {t.shape}")
    rows = [[x if isinstance(x, Value) else real(x) for x in A.ravel()] for A in (y, t)]
    losses = list(map(loss, *rows))
    return losses[0] if len(losses) == 1 else mean(losses)
