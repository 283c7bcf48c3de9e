"""The outputs of a model for many samples, as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgrid.engine.errors import ShapeError
from microgrid.program import record
from microgrid.program.structure import matrix_of


def predict(model: Any, X: Any) -> NDArray[np.float64]:
    """The outputs of the model for each row of X, as floats: a column for each output.

    A model that returns one Value gives one number for each row. The model is recorded on the first
    row and replayed on all: BranchError if it decides by a number. ShapeError for what are no rows.

    >>> from microgrid import nn
    >>> predict(nn.Affine(2, 3, init="zeros"), np.ones((5, 2))).shape
    (5, 3)
    """
    X = matrix_of(X, "X")
    if not X.ndim or not len(X):
        raise ShapeError(f"predict takes one sample or more, a row each; got shape {X.shape}")
    program = record(lambda model, x: model(x), model, X[0])
    outputs = program.batched((None, 0))(model, X)
    rows = np.stack(outputs, axis=1) if isinstance(outputs, list | tuple) else outputs
    return np.asarray(rows, dtype=float)
