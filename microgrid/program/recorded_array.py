"""An array of nodes while a function is recorded: NumPy's comparisons of it are nodes, too.

NumPy asks for a bool where it compares two entries. So the comparisons keep what the entries say,
and a mask, which would make arrays of unknown length, is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from microgrid.engine.conditions import Condition
from microgrid.engine.ops import where
from microgrid.engine.recorder import on_read
from microgrid.engine.value_array import ValueArray, as_array


class RecordedArray(ValueArray):
    """An array of Values whose entries may be nodes of a function that is recorded."""

    compares_as_nodes = True

    def __array_function__(self, f: Any, kinds: Any, args: Any, options: Any) -> Any:
        if f is np.where and len(args) == 3:
            return as_array(where(*args))
        if f is np.select:
            return as_array(selected(*args, **options))
        return super().__array_function__(f, kinds, args, options)

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


def selected(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """np.select: of each place the first choice whose condition holds."""
    made = default
    for condition, choice in reversed(list(zip(condlist, choicelist))):
        made = where(condition, choice, made)
    return made


def refuse_mask(index: Any) -> None:
    """BranchError for A[A > 0], whose length is another for other numbers."""
    for x in index if isinstance(index, tuple) else [index]:
        if isinstance(x, RecordedArray):
            for entry in x.flat:
                if isinstance(entry, Condition):
                    on_read(entry, "mask")
