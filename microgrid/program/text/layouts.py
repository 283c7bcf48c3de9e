"""The order in which lines stand in an array: as the entries stand that they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod

import numpy as np

from microgrid.program.tape import Ints

Shape = tuple[int, ...]
Grid = Callable[[Ints], Shape]  # the shape of what places of an array are


def grid(places: Ints, shape: Shape) -> Shape | None:
    """The shape of the part of an array of this shape that these places are; None for no part."""
    index = np.unravel_index(places, shape) if shape else ()
    sizes = tuple([len(np.unique(x)) for x in index])
    return sizes if prod(sizes) == len(places) else None


def layouts(n: int, columns: Sequence[Ints], shape: Grid) -> Iterator[Ints]:
    """Orders of n lines, as indices in the shape of an array; each column is one of the operands.

    First as one operand stands, then with a row for each entry of one and a column for each of
    another, or several such blocks; last as they come.
    """
    if n == 1:
        yield np.zeros((), dtype=int)
        return
    columns = [c for i, c in enumerate(columns) if not any((c == d).all() for d in columns[:i])]
    uniques = [np.unique(c, return_inverse=True) for c in columns]
    for places, inverse in uniques:
        if len(places) == n:
            yield np.argsort(inverse.ravel()).reshape(shape(places))
    for i, (a, x) in enumerate(uniques):
        for j, (b, y) in enumerate(uniques):
            if i != j and 1 < len(a) < n and 1 < len(b) < n:
                yield from blocks(a, x.ravel(), b, y.ravel(), shape)
    yield np.arange(n)


def blocks(a: Ints, x: Ints, b: Ints, y: Ints, shape: Grid) -> Iterator[Ints]:
    """An order of lines with operands a[x] and b[y], if these are all pairs, or blocks of them."""
    low = np.full(len(a), len(b))
    np.minimum.at(low, x, y)
    _, block = np.unique(low[x], return_inverse=True)
    count = block.max() + 1
    number = np.lexsort((y, x, block))
    size = len(x) // count
    rows = x[number].reshape(count, -1) if len(x) == count * size else None
    if rows is None or (np.bincount(block) != size).any():
        return
    width = int((rows == rows[:, :1]).sum(axis=1)[0])
    if size % width:
        return
    index = number.reshape(count, -1, width)
    xs, ys = x[index], y[index]
    if (xs != xs[:, :, :1]).any() or (ys != ys[:, :1]).any() or (np.diff(ys) <= 0).any():
        return
    if count == 1:
        yield number.reshape(*shape(a), *shape(b))
    else:
        yield index
        yield index.swapaxes(0, 1)
