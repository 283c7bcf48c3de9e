"""An array of Values with the manners of an array of floats: NumPy's functions go through ours.

It is an object array of NumPy, so `@`, `.T`, slices and broadcasting are NumPy's own. NumPy asks
`__array_ufunc__` for functions of entries (array_ufuncs.py) and `__array_function__` for all others
(array_functions.py). Only Python reads an entry's number: no compiled code sees it.

This file and those two import NumPy, so the engine imports them where an array comes in.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from microgrid.engine.recorder import on_read, recorder
from microgrid.engine.value import Value, peek


class ValueArray(np.ndarray[Any, Any]):
    """An array whose entries are Values and plain numbers.

    What NumPy computes of it is such an array again, a full sum a Value. Comparisons, isnan, sign,
    floor and the like ask for the numbers and have slope 0. Ties of a maximum share the gradient.

    >>> import microgrid as mg
    >>> A = mg.matrix([[1.0, -2.0], [3.0, 4.0]])
    >>> np.maximum(A[0], 0)
    ValueArray([1.0, 0])
    >>> np.var(A)
    Value(5.25, op='div')
    """

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        from microgrid.engine.array_ufuncs import applied

        return applied(ufunc, method, inputs, options)

    def __array_function__(self, f: Any, kinds: Any, args: Any, options: Any) -> Any:
        from microgrid.engine.array_functions import called

        return called(f, args, options)

    def __repr__(self) -> str:
        return f"ValueArray({np.array2string(shown(self), separator=', ', prefix='ValueArray(')})"

    def __str__(self) -> str:
        return np.array2string(shown(self))

    def astype(self, dtype: Any, *args: Any, **options: Any) -> Any:
        """A copy for float and object; for other types the numbers."""
        if np.dtype(dtype).kind in "fO":
            return self.copy()
        return numbers(self).astype(dtype, *args, **options)

    def dot(self, other: Any, out: Any = None) -> Any:
        """np.dot(self, other)."""
        return np.dot(self, other, out=out)

    def round(self, decimals: Any = 0, out: Any = None) -> Any:
        """The rounded numbers, which have no gradient."""
        return np.round(self, decimals, out=out)

    def argmax(self, *args: Any, **options: Any) -> Any:
        """Where the largest number is."""
        return numbers(self).argmax(*args, **options)

    def argmin(self, *args: Any, **options: Any) -> Any:
        """Where the smallest number is."""
        return numbers(self).argmin(*args, **options)

    def argsort(self, *args: Any, **options: Any) -> Any:
        """The indices that put the numbers in order."""
        return numbers(self).argsort(*args, **options)

    def sort(self, axis: Any = -1, *args: Any, **options: Any) -> None:
        """Put the entries in the order of their numbers, in place."""
        self[...] = np.sort(self, axis)


def as_array(x: Any) -> Any:
    """An object array as a ValueArray, while a function is recorded as one whose comparisons are
    nodes; all else as it is.

    >>> as_array(np.array([Value(1.0), 2.0], dtype=object))
    ValueArray([1.0, 2.0])
    >>> as_array(3.0)
    3.0
    """
    if not isinstance(x, np.ndarray):
        return x
    if x.dtype.kind != "O":
        return bare(x)
    own = recorder.get()
    return x.view(ValueArray) if own is None else own.array(x)


def bare(x: Any) -> Any:
    """A ValueArray as a plain object array that shares its entries; all else as it is.

    >>> type(bare(as_array(np.array([1.0], dtype=object)))) is np.ndarray
    True
    """
    return x.view(np.ndarray) if isinstance(x, ValueArray) else x


def exact_numbers(x: Any) -> Any:
    """An array with the number of each Value in its place, exact as it is."""
    if isinstance(x, Value):
        return asked(x)
    if not holds_objects(x):
        return bare(x)
    entries = [asked(v) if isinstance(v, Value) else v for v in bare(x).ravel().tolist()]
    made = np.empty(len(entries), dtype=object)
    made[:] = entries
    return made.reshape(x.shape)


def holds_objects(x: Any) -> bool:
    """Whether x is an array among whose entries Values may stand."""
    return isinstance(x, np.ndarray) and x.dtype.kind == "O"


def asked(v: Value) -> Any:
    """The number of v, on which something depends: a recorder refuses it."""
    on_read(v, "truth")
    return peek(v)


def numbers(x: Any) -> Any:
    """The numbers of an array of Values as floats; all else as it is."""
    found = exact_numbers(x)
    return found.astype(float) if holds_objects(found) else found


def shown(A: ValueArray) -> Any:
    """The entries as they are written, by their numbers."""
    made = np.empty(A.shape, dtype=object)
    made[...] = np.frompyfunc(lambda x: peek(x) if isinstance(x, Value) else x, 1, 1)(bare(A))
    return made
