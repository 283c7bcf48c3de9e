"""The arrays of a text, the places of slots in them, and what is gathered from places.

A slot of a plan is a number; in the text it is an entry of an array. Operands that lie in one array
are a view of it (views.py), those in several are stacked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any, NamedTuple

import numpy as np

from microgrid.engine.value import Op, Value
from microgrid.program.plan.lines import FORWARD
from microgrid.program.tape import Ints
from microgrid.program.text.views import Shape, core, part, varying, widened

CONSTANTS, NOWHERE = 0, -1  # the array of the plain numbers; the place of what is not computed yet
BITS = 32  # a place is array << BITS | entry


class Text(NamedTuple):
    """An expression, and whether it has the samples along a first axis."""

    text: str
    batched: bool


@dataclass(eq=False)
class Array:
    """A variable of the text: its shape without the axis of samples, its slots, its expression."""

    shape: Shape
    batched: bool
    slots: Ints
    text: str = ""
    phase: int = FORWARD
    kind: str = ""
    name: str = ""
    origin: str = ""  # where the arguments have it, if the name does not say so
    primal: int = NOWHERE  # the array of which it is the gradient


class Writer(NamedTuple):
    """What writes operations, numbers and tables in the language."""

    prefix: str
    array: str  # the function that makes an array of a number
    operation: Callable[[Value, dict[Value, str]], str]
    several: Callable[[Op, Sequence[tuple[str, str]]], str]
    number: Callable[[float], str]
    indices: Callable[[Ints], str]
    table: Callable[[Any], str]


class Gathering:
    """The arrays of a text; `place` says where slots lie, or NOWHERE."""

    def __init__(self, slots: int, constants: dict[int, float], write: Writer) -> None:
        """Room for so many slots, of which some are plain numbers."""
        self.write = write
        self.place = np.full(slots, NOWHERE, dtype=np.int64)
        self.numbers = [*constants.values()]
        self.place_of = {x.hex(): i for i, x in enumerate(self.numbers)}
        self.place[[*constants]] = np.arange(len(self.numbers))
        self.arrays = [Array((len(self.numbers),), False, np.array([*constants]))]
        self.samples = ""  # the text of the number of samples

    def add(
        self, slots: Ints, text: str, batched: bool, phase: int = FORWARD, kind: str = ""
    ) -> int:
        """A new array that holds these slots."""
        self.arrays.append(Array(slots.shape, batched, slots.ravel(), text, phase, kind))
        at = len(self.arrays) - 1
        self.place[slots.ravel()] = (at << BITS) + np.arange(slots.size)
        return at

    def new(self, count: int) -> Ints:
        """New slots, which lie nowhere yet."""
        self.place = np.append(self.place, np.full(count, NOWHERE))
        return np.arange(len(self.place) - count, len(self.place))

    def places(self, slots: Ints) -> Ints:
        """Where slots lie that are computed."""
        found: Ints = self.place[slots]
        assert (found >= 0).all(), "lines that wait for each other"
        return found

    def constant(self, places: Ints) -> Any:
        """The numbers at places that are constants, nan elsewhere."""
        found = np.full(places.shape, nan)
        mine = places >> BITS == CONSTANTS
        found[mine] = np.array([*self.numbers, 0.0])[places[mine]]
        return found

    def number(self, x: float) -> int:
        """The place of a plain number."""
        at = self.place_of.setdefault(x.hex(), len(self.numbers))
        if at == len(self.numbers):
            self.numbers.append(x)
        return at

    def gathered(self, places: Ints) -> Text:
        """The entries at these places, for one that adds axes as NumPy does."""
        axes = varying(places)
        text, batched = self.inner(core(places))
        if axes or not self.is_number(places):
            text = widened(text, axes, places.ndim, batched, leading=False)
        return Text(text, batched)

    def is_number(self, places: Ints) -> bool:
        """Whether one plain number stands at all places."""
        return (places >> BITS == CONSTANTS).all() and not varying(places)

    def exactly(self, places: Ints, batched: bool = False) -> Text:
        """The entries as an array of this shape, with an axis of samples if asked for."""
        array = self.write.array
        if not places.size:
            return Text(self.spread(f"{array}(0.0)", places.shape, batched), batched)
        axes = varying(places)
        inner = self.inner(core(places))
        batched |= inner.batched
        if any(n > 1 and k not in axes for k, n in enumerate(places.shape)):
            text = self.gathered(places).text
        elif self.is_number(places):
            text = inner.text
        else:
            text = widened(inner.text, axes, places.ndim, inner.batched, leading=True)
            if batched == inner.batched:
                return Text(text, batched)
        text = f"{array}({text})" if self.is_number(places) else text
        alone = not places.ndim and not batched
        return Text(text if alone else self.spread(text, places.shape, batched), batched)

    def spread(self, text: str, shape: Shape, batched: bool) -> str:
        sizes = [self.samples] * batched + [*map(str, shape)]
        comma = "," * (len(sizes) == 1)
        return f"{self.write.prefix}.broadcast_to({text}, ({', '.join(sizes)}{comma}))"

    def inner(self, places: Ints) -> Text:
        """The entries at places that vary along all axes."""
        owner = places >> BITS
        owners = np.unique(owner)
        if len(owners) == 1 and owners[0] == CONSTANTS:
            numbers = self.constant(places)
            if not places.ndim:
                return Text(self.write.number(float(numbers)), False)
            return Text(self.write.table(numbers.tolist()), False)
        if len(owners) == 1:
            a = self.arrays[owners[0]]
            entries = places - (owner << BITS)
            return Text(self.part(f"«{owners[0]}»", a.shape, entries, a.batched), a.batched)
        batched = any(self.arrays[k].batched for k in owners)
        prefix = self.write.prefix
        cuts = []
        for k in range(places.ndim):
            across = np.moveaxis(owner, k, 0).reshape(places.shape[k], -1)
            if (across == across[:, :1]).all():
                cuts.append((np.count_nonzero(np.diff(across[:, 0])), k, across[:, 0]))
        if cuts:
            _, k, along = min(cuts, key=lambda x: x[:2])
            ends = np.flatnonzero(np.diff(along)) + 1
            pieces: list[Ints] = np.split(places, ends, axis=k)
            stacked = all(x.shape[k] == 1 for x in pieces)
            if stacked:
                pieces = [np.take(x, 0, k) for x in pieces]
            texts = [self.exactly(x, batched).text for x in pieces]
            name, axis = ("stack", k - places.ndim) if stacked else ("concatenate", k - places.ndim)
            whole = not batched and axis == -places.ndim
            return Text(f"{prefix}.{name}([{', '.join(texts)}]{'' if whole else f', {axis}'})",
                        batched)  # fmt: skip
        flat = np.unique(places)
        text = self.inner(flat).text
        return Text(self.part(text, flat.shape, np.searchsorted(flat, places), batched), batched)

    def part(self, text: str, shape: Shape, entries: Ints, batched: bool) -> str:
        return part(text, shape, entries, batched, self.write.prefix, self.write.indices)
