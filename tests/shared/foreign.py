"""Arrays of other libraries: a stand-in for all of them, and those that are installed."""

import numpy as np
import pytest


class Tensor:
    """An array of another library, as far as NumPy can tell."""

    def __init__(self, numbers, requires_grad=False):
        self.numbers, self.shape = np.array(numbers), np.shape(numbers)
        self.dtype, self.requires_grad = "float64 of its own", requires_grad

    def __array__(self, dtype=None, copy=None):
        return self.numbers.astype(dtype or float)

    def __len__(self):
        return len(self.numbers)

    def __iter__(self):
        return iter(self.numbers)

    def item(self):
        return self.numbers.item()


FOREIGN_ARRAYS = {
    "a stand-in": lambda: Tensor,
    "torch": lambda: pytest.importorskip("torch", reason="its arrays are data, too").tensor,
    "jax": lambda: pytest.importorskip("jax.numpy", reason="its arrays are data, too").array,
    "pandas": lambda: pytest.importorskip("pandas", reason="its arrays are data, too").Series,
}
