"""Data of a training: arrays with the samples along their first axis, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from microgrid.engine.errors import NumberError, ShapeError
from microgrid.engine.renamed import renamed
from microgrid.engine.settings import whole
from microgrid.matrices.arrays import Array
from microgrid.nn.initial import Seed, generator
from microgrid.program.structure import matrix_of
from microgrid.program.tape import Ints

EXPECTED = "a tuple of arrays, like (X, y), or a list of samples that are tuples, like [(x, y), …]"


def checked(data: Any, name: str) -> tuple[Array, ...]:
    """Data as arrays: equally many samples in each, at least one, of finite numbers.

    ShapeError or NumberError for all else; `name` is what the error calls the data.
    """
    arrays = tuple([array_of(x, f"{name}[{k}]") for k, x in enumerate(columns(data, name))])
    sizes = [len(x) if x.ndim else 0 for x in arrays]
    if arrays and (len(set(sizes)) > 1 or not sizes[0]):
        raise ShapeError(f"{name} has arrays of {sizes} samples: give equally many, at least one")
    for k, x in enumerate(arrays):
        bad = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))
        if len(bad):
            raise NumberError(f"{name}[{k}] has nan or inf in sample {bad[0]}")
    return arrays


def columns(data: Any, name: str) -> tuple[Any, ...]:
    """The arrays of a tuple; or of a list of samples, one array for each place of a sample.

    A list of lists could mean either: ShapeError.
    """
    if isinstance(data, tuple):
        return data
    unordered = isinstance(data, str | bytes | Mapping | set | frozenset)
    if unordered or not isinstance(data, Iterable) or hasattr(data, "shape"):
        raise ShapeError(f"{name} is {EXPECTED}; got one {type(data).__name__}")
    samples = list(data)
    for i, sample in enumerate(samples):
        if not isinstance(sample, tuple):
            kind = type(sample).__name__
            raise ShapeError(f"{name} is {EXPECTED}; item {i} of it is of type {kind}")
        if len(sample) != len(samples[0]):
            sizes = f"sample 0 has {len(samples[0])} entries, but sample {i} has {len(sample)}"
            raise ShapeError(f"{name}: {sizes}")
    if not samples:
        raise ShapeError(f"{name} has no samples: at least one, or leave it out")
    return tuple(map(list, zip(*samples)))


def array_of(x: Any, name: str) -> Array:
    """Real numbers as floats; but samples that are single integers, like labels, stay integers."""
    array = matrix_of(x, name)
    if array.ndim == 1 and np.asarray(x).dtype.kind in "iu" and (abs(array) < 2**53).all():
        return array.astype(np.int64)
    return array


@renamed(batch_size="size")
def batches(
    X: Any, y: Any = None, size: int | None = 32, seed: Seed = None
) -> Iterator[tuple[Array, ...]]:
    """The samples once, in a random order: (X, y) of `size` samples, the last ones of fewer.

    Without y a batch is (X,), a tuple of one. For your own loop; `fit` draws the same ones from
    the same generator. A seed is the same order each time, None another one each time; size None is
    all of them as they stand. Integers stay integers. ShapeError or NumberError for data that do
    not fit, as in `fit`; ParameterError for a size below 1.

    >>> from microgrid import nn
    >>> for X, y in nn.batches([[0.0], [1.0], [2.0]], [0, 1, 1], size=2, seed=0):
    ...     print(X.tolist(), y)
    [[2.0], [0.0]] [1 0]
    [[1.0]] [1]
    """
    size = None if size is None else whole("size", size, 1)
    data = (X,) if y is None else (X, y)
    return shuffled(checked(data, "data"), size, generator(seed))


def shuffled(
    data: tuple[Array, ...], size: int | None, rng: np.random.Generator
) -> Iterator[tuple[Array, ...]]:
    """The samples in a random order, `size` at a time."""
    for chosen in drawn(data, size, rng):
        yield taken(data, chosen)


def drawn(data: tuple[Array, ...], size: int | None, rng: np.random.Generator) -> list[Ints | None]:
    """Which samples are in each batch of an epoch, in a random order; None: all, as they stand.

    The last batch may be smaller.
    """
    if not data or size is None or size >= len(data[0]):
        return [None]
    order = rng.permutation(len(data[0]))
    return [order[begin : begin + size] for begin in range(0, len(order), size)]


def taken(data: Sequence[Array], chosen: Ints | None) -> tuple[Array, ...]:
    """These samples; None: all of them."""
    return tuple(data) if chosen is None else tuple([x[chosen] for x in data])
