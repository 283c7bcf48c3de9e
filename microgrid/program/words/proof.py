"""Every sentence is proved: its formula and the lines give the same integers at random integers.

Both sides are computed exactly, modulo 2⁶⁴, each slot with a name by an integer of its own: the
formula as it is written, by arrays of NumPy; the lines term by term, down to the next names.
A plain number that is no integer is one of these unknowns. A false identity between polynomials
of low degree holds at random integers with a chance of about 1 in a million.
"""

from __future__ import annotations

import numpy as np

from microgrid.matrices.arrays import Array
from microgrid.matrices.layer import replay
from microgrid.program.plan.products import mixed
from microgrid.program.tape import Ints
from microgrid.program.text.tables import Tables
from microgrid.program.words.formulas import value_of
from microgrid.program.words.names import Names
from microgrid.program.words.sentences import Sentence

SAMPLES = 2  # of a batch
LARGEST = 1 << 20


class Proof:
    """The integers at which a program's sentences are tried."""

    def __init__(self, tables: Tables, names: Names, rows_are_samples: bool, seed: int = 1) -> None:
        self.tables, self.names, self.rows_are_samples = tables, names, rows_are_samples
        lines = tables.lines
        self.per_sample = lines.per_sample
        many = SAMPLES if lines.per_sample.any() else 1
        slots = np.arange(lines.slots)[:, None]
        own = np.where(lines.per_sample[:, None], np.arange(many), 0)
        drawn = mixed(slots * many + own, seed) % np.uint64(2 * LARGEST)
        self.numbers: Array = drawn.astype(np.int64) - LARGEST
        for slot, x in lines.constants.items():
            if x.is_integer() and abs(x) < LARGEST:
                self.numbers[slot] = int(x)
        self.numbers[tables.samples] = many
        self.explained = np.zeros(lines.slots, dtype=bool)  # slots that a true sentence covers
        self.known = (names.owner >= 0) & ~np.isin(names.owner, [*names.hidden])
        self.known[[*lines.constants]] = True

    def holds(self, sentence: Sentence) -> bool:
        """Whether the formula gives what the lines of its target compute."""
        true = self.is_true(sentence)
        if true and not sentence.is_same:
            self.explained[sentence.slots] = True
        return true

    def is_true(self, sentence: Sentence) -> bool:
        numbers = {leaf: self.entries(kind, held)
                   for leaf, (kind, held) in self.names.held.items()
                   if leaf in self.leaves(sentence)}  # fmt: skip
        try:
            found = replay(sentence.formula, numbers)
        except ValueError:  # shapes that do not fit
            return False
        slots = sentence.slots.ravel()
        if sentence.is_same:
            self.find(slots)
        computed = self.numbers[slots] if sentence.is_same else self.computed(slots)
        whole = self.shaped(computed.reshape(*sentence.slots.shape, -1), sentence.slots)
        try:
            return bool((np.broadcast_to(found, whole.shape) == whole).all())
        except ValueError:
            return False

    def leaves(self, sentence: Sentence) -> set[object]:
        found, waiting = set(), [sentence.formula]
        while waiting:
            v = waiting.pop()
            found.add(v)
            waiting += v.parents
        return found  # type: ignore[return-value]

    def entries(self, kind: str, held: Ints) -> Array:
        """The numbers of a leaf: a matrix, or one for each sample."""
        if kind != "slots":
            return held
        self.find(held.ravel())
        return self.shaped(self.numbers[held], held)

    def shaped(self, table: Array, slots: Ints) -> Array:
        """Numbers with the samples last: as rows of a matrix, or as matrices."""
        if not self.per_sample[slots].any():
            return table[..., 0]
        return table[0].T if self.rows_are_samples else np.moveaxis(table, -1, 0)

    def computed(self, slots: Ints) -> Array:
        """What the lines of these slots compute."""
        tables = self.tables
        found = np.zeros((len(slots), self.numbers.shape[1]), dtype=np.int64)
        is_sum = tables.count[slots] > 0
        sums = slots[is_sum]
        if len(sums):
            (term, _), count = tables.terms_of(sums), tables.count[sums]
            self.find(np.concatenate([tables.p[term], tables.q[term]]))
            shares = self.numbers[tables.p[term]] * self.numbers[tables.q[term]]
            reduce = tables.reduce[term][:, None]
            shares = np.where(reduce, shares.sum(axis=1, keepdims=True), shares)
            found[is_sum] = np.add.reduceat(shares, np.cumsum(count) - count, axis=0)
        others = np.flatnonzero(~is_sum)
        ids = tables.call[slots[others]]
        for c in np.unique(ids[ids >= 0]).tolist():
            mine = others[ids == c]
            calls = tables.calls[c]
            args = calls.args[tables.row[slots[mine]]]
            self.find(args.ravel())
            found[mine] = value_of(
                calls.op, [self.numbers[args[:, k]] for k in range(args.shape[1])]
            )
        missing = others[ids < 0]  # plain numbers, inputs
        found[missing] = self.numbers[slots[missing]]
        return found

    def find(self, slots: Ints) -> None:
        """Compute the numbers of slots without a name."""
        new = np.unique(slots[~self.known[slots]])
        if len(new):
            self.numbers[new] = self.computed(new)  # which may find some of these first
            self.known[new] = self.explained[new] = True
