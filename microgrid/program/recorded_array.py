"""An array of nodes while a function is recorded: NumPy's comparisons of it are nodes, too.

NumPy asks for a bool where it compares two entries. So here maximum, minimum and clip are written
as what NumPy does, `where(a >= b, a, b)`, and the comparisons keep what the entries say.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from microgrid.engine.conditions import Condition
from microgrid.engine.ops import where
from microgrid.engine.recorder import on_read
from microgrid.engine.ufuncs import COMPARING
from microgrid.engine.value import Value

larger = np.frompyfunc(lambda a, b: where(a >= b, a, b), 2, 1, identity=None)
smaller = np.frompyfunc(lambda a, b: where(a <= b, a, b), 2, 1, identity=None)
between = np.frompyfunc(lambda x, low, high: smaller(larger(x, low), high), 3, 1)
CHOOSING = {  # by NumPy's names
    "maximum": larger, "fmax": larger, "minimum": smaller, "fmin": smaller, "clip": between,
}  # fmt: skip


class RecordedArray(np.ndarray[Any, Any]):
    """An object array whose entries may be nodes of a function that is recorded."""

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any
    ) -> Any:
        xs = [bare(x) for x in inputs]
        if out is not None:
            options["out"] = tuple(map(bare, out))
        if ufunc.__name__ in COMPARING and method in ("__call__", "outer"):
            options.setdefault("dtype", object)
        value: Any = next((x for x in xs if isinstance(x, Value)), None)
        if value is not None:
            return as_array(value.__array_ufunc__(ufunc, method, *xs, **options))
        chosen = CHOOSING.get(ufunc.__name__, ufunc)
        return as_array(getattr(chosen, method)(*xs, **options))

    def __array_function__(self, f: Any, kinds: Any, args: Any, options: Any) -> Any:
        if f is np.where and len(args) == 3:
            return as_array(where(*args))
        return as_array(super().__array_function__(f, kinds, args, options))

    def __getitem__(self, index: Any) -> Any:
        refuse_mask(index)
        return super().__getitem__(index)

    def __setitem__(self, index: Any, entry: Any) -> None:
        refuse_mask(index)
        super().__setitem__(index, entry)

    def astype(self, dtype: Any, *args: Any, **options: Any) -> Any:
        """Comparisons are numbers already."""
        if self.size and all(isinstance(x, Condition) for x in self.flat):
            return self.copy()
        return super().astype(dtype, *args, **options)


def bare(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, RecordedArray) else x


def as_array(x: Any) -> Any:
    """An array of objects as a RecordedArray; all else as it is."""
    return x.view(RecordedArray) if isinstance(x, np.ndarray) and x.dtype == object else x


def refuse_mask(index: Any) -> None:
    """BranchError for A[A > 0], whose length is another for other numbers."""
    for x in index if isinstance(index, tuple) else [index]:
        if isinstance(x, RecordedArray):
            for entry in x.flat:
                if isinstance(entry, Condition):
                    on_read(entry, "mask")
