"""The arrays that the arguments of a program consist of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import prod
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from microgrid.program.structure import Structure
from microgrid.program.tape import Ints
from microgrid.views.labels import split

Shape = tuple[int, ...]


class Held(NamedTuple):
    """An array: where it stands in the arguments, like layers0.W, and its slots in its shape."""

    path: str
    slots: Ints


def holds_list(form: Structure) -> bool:
    """Whether there is a list of numbers in a structure."""
    return any(x.kind is float or holds_list(x) for x in form.parts)


def is_regular(form: Structure) -> bool:
    """Whether nested lists of numbers could be an array."""
    if form.kind is np.ndarray:
        return True
    plain = form.kind is not dict and not hasattr(form.kind, "_fields")
    alone = all(x.kind is float or (x.kind is not np.ndarray and is_regular(x)) for x in form.parts)
    return plain and alone and form.common_shape is not None


def is_array(form: Structure, as_batch: bool) -> bool:
    """Whether a structure is read as one array; `as_batch` if it has an axis of samples."""
    return form.has_one_axis if as_batch else form.kind is float or is_regular(form)


def pieces_of(form: Structure, as_batch: bool) -> Iterator[tuple[Shape, int]]:
    """The arrays that a structure consists of: the shape of each, and where it begins."""
    if is_array(form, as_batch):
        yield form.common_shape or (), 0
        return
    begin = 0
    for inner in form.parts:
        for shape, offset in pieces_of(inner, as_batch):
            yield shape, begin + offset
        begin += inner.size


def arrays_of(
    form: Structure, begin: int, labels: dict[int, str], name: str, as_batch: bool
) -> Iterator[list[Held]]:
    """For each array of an argument, whose first number is in this slot, the arrays in it.

    It is one, but for a row with the parameters of a model.
    """
    for shape, offset in pieces_of(form, as_batch):
        slots = begin + offset + np.arange(prod(shape)).reshape(shape)
        ends = (
            [split(labels.get(int(s), name)) for s in slots.ravel()[[0, -1]]] if prod(shape) else []
        )
        if len(shape) == 1 and len({stem for stem, _ in ends}) > 1:
            yield [*in_a_row(slots, labels)]
            continue
        stem, below = ends[0] if ends else (name, "")
        index = index_of(below)
        before = index[: len(index) - len(shape)]
        if len(stem.rpartition(".")[2]) > 1:  # ws[0] has no letter of its own
            path = stem + "".join([f"[{i - 1}]" for i in before])
        else:
            path = f"{stem}_{''.join(map(str, before))}" if before else stem
        yield [Held(path, slots)]


def in_a_row(slots: Ints, labels: dict[int, str]) -> Iterator[Held]:
    """The arrays that are one row of numbers: the parameters of a model, told by their labels.

    Neurons of one layer, like layer0.neuron2.w, are the rows of one matrix.
    """
    names = [split(labels.get(s, "")) for s in slots.tolist()]
    arrays, begin = list[Held](), 0
    for stem, some in groupby(names, key=itemgetter(0)):
        shape = shape_of([below for _, below in some])
        arrays.append(Held(stem, slots[begin : begin + prod(shape)].reshape(shape)))
        begin += prod(shape)
    for layer, found in groupby(arrays, key=lambda x: owner(owner(x.path))):
        own = [*found]
        neurons = [[*some] for _, some in groupby(own, key=lambda x: owner(x.path))]
        kinds = {tuple([(x.path.rpartition(".")[2], x.slots.shape) for x in n]) for n in neurons}
        if not layer or len(neurons) == 1 or len(kinds) > 1 or max([x.slots.ndim for x in own]) > 1:
            yield from own
            continue
        for (name, _), *same in zip(*kinds, *neurons):
            yield Held(f"{layer}.{name}", np.stack([x.slots for x in same]))


def owner(path: str) -> str:
    return path.rpartition(".")[0]


def index_of(below: str) -> list[int]:
    """The indices in a label's subscript; none in one of words."""
    index = below.split(",") if "," in below else list(below)
    return [*map(int, index)] if all(map(str.isdecimal, index)) else []


def shape_of(subscripts: Sequence[str]) -> Shape:
    """The shape of an array with entries of these subscripts: (2, 2) for 11, 12, 21, 22."""
    index = [tuple(index_of(x)) for x in subscripts]
    shape = index[-1]
    regular = {*map(len, index)} == {len(shape)}
    if regular and index == [tuple([i + 1 for i in place]) for place in np.ndindex(shape)]:
        return shape
    return (len(subscripts),)
