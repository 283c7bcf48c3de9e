"""Arrays of Values: arrays of NumPy with the manners of floats, so that NumPy code runs on them.

`@`, `.T`, slices and broadcasting are NumPy's own; np.exp, np.maximum, np.var, A.max() and the
others make nodes. Comparisons, np.sign, np.floor and the like give numbers, of slope 0. What such
an array is, engine/value_array.py says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from microgrid.engine.calculus import jacobian_rows
from microgrid.engine.errors import NumberError, ShapeError
from microgrid.engine.guards import plain, real, refuse_foreign
from microgrid.engine.renamed import renamed
from microgrid.engine.trees import is_model, tree_leaves, tree_map
from microgrid.engine.value import Value
from microgrid.engine.value_array import as_array
from microgrid.views.wording import entry_names

Array = NDArray[Any]


@renamed(name="label")
def matrix(data: Any, label: str = "") -> Array:
    """An array of new leaves in the shape of `data`, labelled w_{11}, w_{12}, … for the label w.

    A vector gives w_1, w_2, …; indices count from 1, with a comma where one exceeds 9. It is an
    array of NumPy, whose functions make nodes; `values` and `grads` give its numbers. NumberError
    for entries that are no real numbers.

    >>> matrix([[1.0, 2.0], [3.0, 4.0]], "x")[0, 1]
    Value(2.0, label='x_{12}')
    """
    numbers = array_of(data)
    comma = "," if max(numbers.shape, default=0) > 9 else ""
    names = entry_names(label, numbers.shape, comma)
    leaves = np.empty(len(names), dtype=object)
    leaves[:] = list(map(Value, numbers.ravel().tolist(), names))
    return as_array(leaves.reshape(numbers.shape))  # type: ignore[no-any-return]


def array_of(data: Any) -> Array:
    """Nested lists or an array as an object array; ShapeError for ragged rows.

    NumberError for an array that holds no real numbers, or hides some behind a mask.
    """
    if hasattr(data, "__array__"):  # of any library; a data frame iterates over its column names
        return as_array(np.array(plain(data), dtype=object))  # type: ignore[no-any-return]
    refuse_foreign(data)
    try:
        lengths = {len(row) for row in data}
    except TypeError:  # a vector or one number
        lengths = set()
    if len(lengths) > 1:
        raise ShapeError(f"ragged rows: their lengths are {[len(row) for row in data]}")
    array: Array = as_array(np.asarray(data, dtype=object))
    if any(isinstance(x, list | tuple) for x in array.ravel()):
        raise ShapeError(f"ragged rows below shape {array.shape}")
    return array


@overload
def values(A: Mapping[Any, Any]) -> dict[Any, Any]: ...


@overload
def values(A: Any) -> NDArray[np.float64]: ...


def values(A: Any) -> Any:
    """The numbers of an array (or nested lists) of Values, as floats in its shape.

    Those of a dict or a model of `nn` in its form. Plain numbers stay as they are. What NumPy
    computes from them has no gradient.

    >>> A = matrix([[1.0, 2.0]], "A")
    >>> values(A * A)
    array([[1., 4.]])
    >>> values({"w": Value(2.0), "A": A})
    {'w': 2.0, 'A': array([[1., 2.]])}
    """
    return floats(A, lambda x: x.data if isinstance(x, Value) else real(x))


@overload
def grads(A: Mapping[Any, Any]) -> dict[Any, Any]: ...


@overload
def grads(A: Any) -> NDArray[np.float64]: ...


def grads(A: Any) -> Any:
    """The gradients of an array (or nested lists) of Values, as floats in its shape.

    Those of a dict or a model of `nn` in its form. NumberError where an entry is a plain number,
    which has none. Without a backward pass they are zero. `gradients(root, A)` needs no backward
    pass.

    >>> A = matrix([[1.0, 2.0]], "A")
    >>> (A * A).sum().backward()
    >>> grads(A)
    array([[2., 4.]])
    """

    def read(v: Any) -> Any:
        if isinstance(v, Value):
            return v.grad
        raise NumberError(
            f"the plain number {v!r} has no gradient: make the array with matrix(...)"
        )

    return floats(A, read)


def floats(A: Any, read: Callable[[Any], Any]) -> Any:
    """What is read of each entry: as an array, or in the form of what has names."""
    if has_names(A):
        return tree_map(lambda x: float(read(x)), A)
    return np.asarray(entrywise(lambda x: float(read(x)), array_of(A)), dtype=float)


def has_names(A: Any) -> bool:
    """Whether a dict or a model is in these lists, which no array can hold."""
    inside = isinstance(A, list | tuple) and any(map(has_names, A))
    return inside or isinstance(A, Mapping) or is_model(A)


def entrywise(f: Callable[[Any], Any], A: Array) -> Array:
    """f of every entry, in A's shape; without axes, f of the entry itself."""
    result: Array = np.frompyfunc(f, 1, 1)(A)
    return result


def affine(X: Any, W: Any, b: Any) -> Array:
    """Y = XW + b from scalar nodes: y_{nm} = x_{n1} w_{1m} + … + x_{nD} w_{Dm} + b_m.

    X is (N, D), W (D, M), b (M,) or (1, M), each an array or nested lists of Values or numbers;
    Y is (N, M). ShapeError where they do not fit. Its gradients: `formulas.affine_backward`.

    >>> W, b = matrix([[1.0, 2.0]], "W"), matrix([0.5, 0.5], "b")
    >>> Y = affine([[3.0], [4.0]], W, b)
    >>> values(Y).tolist()
    [[3.5, 6.5], [4.5, 8.5]]
    >>> Y.sum().backward()
    >>> grads(W).tolist()
    [[7.0, 7.0]]
    """
    X, W, b = array_of(X), array_of(W), array_of(b)
    check_affine(X, W, b)
    Y: Array = X @ W + b.ravel()
    return Y


def check_affine(X: Array, W: Array, b: Array) -> None:
    """ShapeError unless XW + b makes sense."""
    if X.ndim != 2 or W.ndim != 2 or X.shape[1] != W.shape[0] or not len(W):
        raise ShapeError(
            f"XW + b: X has shape {X.shape} and W {W.shape}; the columns of X must be as many as "
            "the rows of W, and at least one"
        )
    if b.shape not in ((W.shape[1],), (1, W.shape[1])):
        raise ShapeError(
            f"XW + b: b has shape {b.shape} and W {W.shape}; b needs one entry per column of W"
        )


def partials(outputs: Any, inputs: Any, mode: str | None = None) -> Array:
    """The Jacobian of existing nodes: ∂output/∂input, one row per output, one column per input.

    Both may have any form, and are flattened row by row; `mode` is that of `jacobian`. Floats, or
    exact Fractions where the data are.

    >>> x, y = Value(2.0), Value(3.0)
    >>> partials([x * y, x + y], [x, y]).tolist()
    [[3.0, 2.0], [1.0, 1.0]]
    """
    ends, wrt = tree_leaves(outputs), tree_leaves(inputs)
    table = np.array(jacobian_rows(ends, wrt, mode)).reshape(len(ends), len(wrt))
    return table.astype(float) if table.dtype.kind in "iub" else table
