"""The arguments of a program as matrices, with the short names that formulas have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import numpy as np

from microgrid.program.signature import Signature
from microgrid.program.structure import Structure
from microgrid.program.tape import Ints, Tape
from microgrid.program.words.names import Matrix
from microgrid.views.labels import split

SYMBOLS = {"w": "W", "weight": "W", "weights": "W", "bias": "b"}


class Held(NamedTuple):
    """An array of numbers in an argument."""

    path: str  # like layers0.W
    shape: tuple[int, ...]
    slots: Ints


def matrices_of(
    tape: Tape, signature: Signature, per_sample: Any, rows_are_samples: bool
) -> list[Matrix]:
    """The arrays that the arguments hold: a matrix for each, with its rows along the first axis.

    A vector may be a row or a column, but where samples are rows. A one-letter name of a matrix is
    an upper one; equal names get numbers. `origin` keeps the whole name.
    """
    found, begin = list[Matrix](), 0
    for structure, name in zip(signature.arguments, signature.names):
        for path, shape, slots in arrays_in(structure, begin, tape.labels, name):
            is_row = rows_are_samples and bool(per_sample[slots[0]])
            table = slots.reshape(shape[0] if len(shape) > 1 else 1, -1)
            found.append(Matrix(table, path, path, flexible=len(shape) == 1 and not is_row))
        begin += structure.size
    wide = [min(m.slots.shape) > 1 or (m.slots.size > 1 and not m.flexible) for m in found]
    symbols = [symbol(m.name, is_wide) for m, is_wide in zip(found, wide)]
    uses, count = Counter(symbols), Counter[str]()
    for m, short in zip(found, symbols):
        count[short] += 1
        numbered = short if "_" in short else f"{short}_{count[short]}"
        m.name = short if uses[short] == 1 else m.name if "_" in short else numbered
    return found


def symbol(path: str, is_wide: bool) -> str:
    """The letter of an array: W for layers0.weight or a matrix ws[0], X for a matrix x."""
    stem, below = split(path.rpartition(".")[2])
    if stem.endswith("]"):
        return "W" if is_wide else "b"
    stem = SYMBOLS.get(stem, stem)
    if len(stem) == 1 and stem not in "b":
        stem = stem.upper() if is_wide else stem.lower() if stem == "W" else stem
    return f"{stem}_{below}" if below else stem


def arrays_in(
    structure: Structure, begin: int, labels: dict[int, str], name: str
) -> Iterator[Held]:
    """The arrays of an argument whose first number is in this slot."""
    slots = np.arange(begin, begin + structure.size)
    lists = all(part.kind is not np.ndarray for part in structure.parts)
    alone = structure.kind in (float, np.ndarray)
    if not alone and (structure.common_shape is None or not lists):
        for part in structure.parts:
            yield from arrays_in(part, begin, labels, name)
            begin += part.size
    elif len(slots):
        shape = structure.common_shape or ()
        (stem, below), (last, _) = [split(labels.get(int(s), name)) for s in slots[[0, -1]]]
        if len(shape) == 1 and stem != last:
            yield from in_a_row(slots, labels)
        else:
            index = index_of(below)
            before = index[: len(index) - len(shape)]
            if len(stem.rpartition(".")[2]) > 1:  # ws[0] has no letter of its own
                path = stem + "".join([f"[{int(i) - 1}]" for i in before])
            else:
                path = f"{stem}_{''.join(before)}" if before else stem
            yield Held(path, shape, slots)


def in_a_row(slots: Ints, labels: dict[int, str]) -> Iterator[Held]:
    """The arrays that are one row of numbers: the parameters of a model, told by their labels.

    Neurons of one layer, like layer0.neuron2.w, are the rows of one matrix.
    """
    stems = [labels.get(s, "").rpartition("_")[0] or labels.get(s, "") for s in slots.tolist()]
    cuts = [0, *[i for i in range(1, len(stems)) if stems[i] != stems[i - 1]], len(stems)]
    layers: dict[str, list[Held]] = {}
    for a, b in pairwise(cuts):
        index = index_of(split(labels.get(int(slots[b - 1]), ""))[1])
        shape = tuple([int(i) for i in index if i.isdigit()])
        owner, _, name = stems[a].rpartition(".")
        layer = f"{owner.rpartition('.')[0]}.{name}" if "." in owner else stems[a]
        held = Held(stems[a], shape if prod(shape) == b - a else (b - a,), slots[a:b])
        layers.setdefault(layer, []).append(held)
    for path, neurons in layers.items():
        shapes = {held.shape for held in neurons}
        if len(neurons) == 1 or len(shapes) > 1 or len(neurons[0].shape) > 1:
            yield from neurons
        else:
            table = np.concatenate([held.slots for held in neurons])
            yield Held(path, (len(neurons), *shapes.pop()), table)


def index_of(below: str) -> list[str]:
    """The indices of a label's subscript."""
    return below.split(",") if "," in below else list(below)
