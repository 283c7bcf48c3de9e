"""Which part of an array some places are, as an expression: W.T, x[1:], W.reshape(8, 8).

A view is what the text takes of an array that is there. Its places are compared one by one; what is
no slice along the axes becomes a list of indices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import prod

import numpy as np

from microgrid.program.tape import Ints

Shape = tuple[int, ...]
Table = Callable[[Ints], str]  # writes a list of indices


def varying(places: Ints) -> list[int]:
    """The axes along which the places are not all the same."""
    axes = range(places.ndim)
    return [k for k in axes if places.shape[k] > 1 and (places != places.take([0], k)).any()]


def core(places: Ints) -> Ints:
    """The places without the axes along which nothing varies."""
    axes = varying(places)
    return places[tuple([slice(None) if k in axes else 0 for k in range(places.ndim)])]


def part(name: str, shape: Shape, places: Ints, batched: bool, library: str, table: Table) -> str:
    """An expression for the entries at these places of an array of this shape.

    All axes of the places vary. The array may have the samples of a batch along an axis before
    the shape; so has the result.
    """
    if places.shape == shape and (places.ravel() == np.arange(prod(shape))).all():
        return name
    for form, start, stop in forms(shape, places):
        found = sliced(form, places - start, table)
        if found is None:
            continue
        index, order = found
        text = name
        if form != shape:
            if (start, stop) != (0, prod(shape)):
                text = reshaped(text, shape, (prod(shape),), batched)
                text += bracket([f"{start or ''}:{stop if stop < prod(shape) else ''}"], batched)
                shape = (stop - start,)
            text = reshaped(text, shape, form, batched)
        for step in index:
            text += bracket(step, batched)
        return transposed(text, order, batched, library)
    flat = reshaped(name, shape, (prod(shape),), batched)
    return flat + bracket([table(places)], batched)


def forms(shape: Shape, places: Ints) -> Iterator[tuple[Shape, int, int]]:
    """Shapes in which the places may be slices: of a part of the entries, from start to stop."""
    size = prod(shape)
    yield shape, 0, size
    first = places.ravel()[0] if places.size else 0
    unit = np.eye(places.ndim, dtype=int)
    steps = np.array([places[tuple(e)] - first for e in unit], dtype=int)
    affine = first + sum([np.arange(n).reshape(-1, *[1] * (places.ndim - k - 1)) * a
                          for k, (n, a) in enumerate(zip(places.shape, steps))])  # fmt: skip
    if places.ndim and (affine == places).all() and (steps > 0).all():
        order = np.argsort(-steps, kind="stable")
        widths, counts = steps[order], np.array(places.shape)[order]
        inner = [int(a // b) for a, b in zip(widths, [*widths[1:], 1])]
        if all(a % b == 0 for a, b in pairwise(widths)):
            stop = int(first + widths[0] * counts[0])
            start = int(first)
            if stop > size:
                start, stop = start - (stop - size), size
            form = (int(counts[0]), *inner)
            form = form[:-1] if form[-1] == 1 and len(form) > 1 else form
            if start >= 0 and prod(form) == stop - start:
                yield form, start, stop
    yield (size,), 0, size


def sliced(form: Shape, places: Ints, table: Table) -> tuple[list[list[str]], list[int]] | None:
    """Indices of an array of this form that lead to the places, and the axis of each of its axes.

    None where an axis of the places leads along several axes of the array.
    """
    if not ((places >= 0) & (places < prod(form))).all():
        return None
    along: list[int] = []  # for each axis of the array that is not gone, that of the places
    plain: list[str] = []
    listed: list[tuple[int, str]] = []
    for n, index in zip(form, np.unravel_index(places, form)):
        axes = varying(index)
        if len(axes) > 1 or (axes and axes[0] in along):
            return None
        if not axes:
            plain.append(str(index.ravel()[0]))
            continue
        row = np.moveaxis(index, axes[0], 0).reshape(len(np.moveaxis(index, axes[0], 0)), -1)[:, 0]
        text = as_slice(row, n)
        if text is None:
            listed.append((len(along), table(row)))
        plain.append(text or ":")
        along.append(axes[0])
    if sorted(along) != list(range(places.ndim)):
        return None
    steps = [plain] + [[":"] * at + [text] for at, text in listed]
    return steps, along


def as_slice(row: Ints, n: int) -> str | None:
    """An arithmetic progression as a slice of n entries; None where it is none or goes down."""
    step = int(row[1] - row[0])
    if step < 1 or (np.diff(row) != step).any():
        return None
    start, stop = int(row[0]), int(row[-1]) + 1
    ends = f"{start or ''}:{stop if stop + step <= n or (stop < n and step == 1) else ''}"
    return ends + f":{step}" * (step > 1)


def bracket(index: Sequence[str], batched: bool) -> str:
    """Indices in brackets, nothing where they take all."""
    index = [*index]
    while index and index[-1] == ":":
        index.pop()
    return f"[{', '.join([':'] * batched + index)}]" if index else ""


def reshaped(text: str, shape: Shape, form: Shape, batched: bool) -> str:
    if shape == form:
        return text
    sizes = ", ".join(map(str, (-1, *form) if batched else form if len(form) != 1 else (-1,)))
    return f"{text}.reshape({sizes})"


def transposed(text: str, order: Sequence[int], batched: bool, library: str) -> str:
    """The text with its axes in another order: axis `k` comes to stand at `order[k]`."""
    if list(order) == sorted(order):
        return text
    if len(order) == 2:
        return f"{text}.swapaxes(1, 2)" if batched else f"{text}.T"
    axes = [[*order].index(k) for k in range(len(order))]
    axes = [0] * batched + [k + batched for k in axes]
    return f"{text}.{'permute' if library == 'torch' else 'transpose'}({', '.join(map(str, axes))})"


def widened(text: str, vary: Sequence[int], axes: int, batched: bool, leading: bool) -> str:
    """The text with a new axis of length 1 in each place that does not vary.

    Without `leading` those before the first are left out where NumPy adds them itself.
    """
    index = [":" if k in vary else "None" for k in range(axes)]
    if not leading and not batched:
        while index and index[0] == "None":
            index.pop(0)
    if "None" not in index:
        return text
    while not batched and index and index[-1] == ":":
        index.pop()
    return text + bracket(index, batched)
