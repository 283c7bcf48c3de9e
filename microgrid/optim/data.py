"""Data as `fit` takes it: arrays with the samples along their first axis, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgrid.engine.errors import NumberError, ShapeError
from microgrid.program.structure import matrix_of

Array = NDArray[Any]
MEANT = "a tuple of arrays, like (X, y), or a list of samples that are tuples, like [(x, y), …]"


def checked(data: Any, name: str) -> tuple[Array, ...]:
    """Data as arrays; an error unless all have as many samples, at least one, of finite numbers."""
    arrays = tuple([array_of(x, f"{name}[{k}]") for k, x in enumerate(columns(data, name))])
    sizes = [len(x) if x.ndim else 0 for x in arrays]
    if arrays and (len(set(sizes)) > 1 or not sizes[0]):
        raise ShapeError(f"{name} has arrays of {sizes} samples: as many in each, at least one")
    for k, x in enumerate(arrays):
        bad = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))
        if len(bad):
            raise NumberError(f"{name}[{k}] has nan or inf in sample {bad[0]}")
    return arrays


def columns(data: Any, name: str) -> tuple[Any, ...]:
    """The arrays: those of a tuple, or what the samples of a list have in each place.

    A list of lists could be either, and is refused; a tuple always means arrays.
    """
    if isinstance(data, tuple):
        return data
    listed = isinstance(data, Iterable) and not isinstance(
        data, str | bytes | Mapping | set | frozenset
    )
    if not listed or hasattr(data, "shape"):
        raise ShapeError(f"{name} is {MEANT}; got one {type(data).__name__}")
    samples = list(data)
    for i, sample in enumerate(samples):
        if not isinstance(sample, tuple):
            raise ShapeError(
                f"{name} is {MEANT}; item {i} of it is of type {type(sample).__name__}"
            )
        if len(sample) != len(samples[0]):
            raise ShapeError(f"{name}: sample 0 has {len(samples[0])} entries, but sample {i} has "
                             f"{len(sample)}")  # fmt: skip
    if not samples:
        raise ShapeError(f"{name} has no samples: at least one, or leave it out")
    return tuple(map(list, zip(*samples)))


def array_of(x: Any, name: str) -> Array:
    """Real numbers as floats; where each sample is one integer, as a label is, it stays one."""
    array = matrix_of(x, name)
    if array.ndim == 1 and np.asarray(x).dtype.kind in "iu" and (abs(array) < 2**53).all():
        return array.astype(np.int64)
    return array


def batches(
    data: tuple[Array, ...], size: int | None, rng: np.random.Generator
) -> Iterator[tuple[Array, ...]]:
    """The samples in a new order, so many at a time; the last batch may be smaller."""
    if not data or size is None or size >= len(data[0]):
        yield data
        return
    order = rng.permutation(len(data[0]))
    for first in range(0, len(order), size):
        chosen = order[first : first + size]
        yield tuple([x[chosen] for x in data])
