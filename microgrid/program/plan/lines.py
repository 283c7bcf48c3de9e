"""Lines that compute, in no order yet: what forward.py and backward.py make of a tape.

A line sets one slot to an operation of others, to a SUM of products, or to a REDUCE, which adds
products up over the batch. Its `Order` says when it runs: lines are sorted by

    phase     FORWARD →                          BACKWARD →
    window      0   │   1   │   2   │ …            0   │   1   │ …
              the tape from its first line       the tape from its last line
    rank      the inputs' users first, …         the output's operands first, …
    depth     0                                  the lines of one local gradient, one by one

and then by code and size. Only lines of one window of the tape are reordered among themselves, so
that their numbers stay in the cache; lines that are equal in all of this run side by side.

A slot is `per_sample` where it has a number for each sample of a batch (a row), and not one for
all. It `needs_upstream` where the gradient that comes back matters to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from microgrid.engine.value import Op
from microgrid.program.tape import Ints, Tape

SUM, REDUCE = -1, -2  # codes of lines that add up products of pairs
BLOCK = -3  # the code of the first block (blocks.py); those of the others are below
GO_ON, FUSED = 1, 2  # flags of a block: it adds to what is there; rounds products and sums as one
ALONE = 4  # nothing else adds to its sums over the batch
CHECKED, TOGETHER = 1, 2  # flags of a run: it may fail; its rows all stand side by side
SPARE = 3  # rows behind those of a plan, for numbers that are operands beside rows
CACHE_LINE = 8  # floats in a line of the cache
WINDOW, UNDIVIDED = 8192, 1 << 40  # lines of the tape; more than any tape has
FORWARD, BACKWARD = 0, 1


class Order(NamedTuple):
    """When lines run; a window and a rank for each of them."""

    phase: Any  # of all, or of each
    window: Ints
    rank: Ints
    depth: Any = 0  # of all, or of each

    def take(self, rows: Any) -> Order:
        return self._replace(window=self.window[rows], rank=self.rank[rows])


class Lines:
    """The lines for a tape, the slots that they use, and the constants."""

    def __init__(self, tape: Tape, per_sample: Any, window: int | None = None) -> None:
        self.tape, self.window = tape, window or WINDOW
        self.ops = list(tape.ops)
        self.constants = dict(enumerate(tape.constants.tolist(), tape.inputs))  # by their slots
        self.slot_of = {x.hex(): slot for slot, x in self.constants.items()}
        self.slots = tape.first + len(tape)
        none = np.zeros(0, dtype=np.int64)
        self.columns = [
            [none] * 7
        ]  # of lines: slot of the result, code, number of arguments, order
        self.args = [(0, none)]  # of lines of one code, one after the other
        self.aliases: list[tuple[Ints, Ints]] = []  # slots, and those that hold the same numbers
        self.per_sample = per_sample
        self.needs_upstream = np.zeros(self.slots, dtype=bool)

    def constant(self, x: float) -> int:
        """The slot of a number."""
        key = float(x).hex()
        if key not in self.slot_of:
            self.slot_of[key] = int(self.new(1)[0])
            self.constants[self.slot_of[key]] = float(x)
        return self.slot_of[key]

    def new(self, count: int, per_sample: Any = False, needs_upstream: Any = False) -> Ints:
        self.slots += count
        no = np.zeros(count, dtype=bool)
        self.per_sample = np.concatenate([self.per_sample, no | per_sample])
        self.needs_upstream = np.concatenate([self.needs_upstream, no | needs_upstream])
        return np.arange(self.slots - count, self.slots)

    def code(self, op: Op) -> int:
        if op not in self.ops:
            self.ops.append(op)
        return self.ops.index(op)

    def add(self, out: Ints, code: int, size: Any, args: Ints, order: Order) -> None:
        """Add lines of one code; `size` is the number of arguments, of all or of each."""
        if len(out):
            columns = (out, code, size, *order)
            self.columns.append(
                [x if isinstance(x, np.ndarray) else np.full(len(out), x) for x in columns]
            )
            self.args.append((code, args.ravel()))

    def forward_order(self, line: Ints) -> Order:
        """The order of what computes these lines of the tape."""
        return Order(FORWARD, line // self.window, self.tape.level[self.tape.first + line])

    def backward_order(self, line: Ints, slot: Ints, depth: int = 0) -> Order:
        """The order of what these lines of the tape send back, with the ranks of some slots."""
        level, window = self.tape.level, (len(self.tape) - line) // self.window
        return Order(BACKWARD, window, level.max() - level[slot], depth)

    def factors(self, op: Op, xs: Ints) -> list[tuple[Ints, Sequence[Any]]]:
        """The first factors of all products of an operation, and the second, a row per line.

        With each matrix what its columns are: an operand by its place, or a number.
        """
        terms: Any = op.terms
        return [
            (np.stack([xs[:, f] if isinstance(f, int) else np.full(len(xs), self.constant(f))
                       for f in places], axis=1), places)
            for places in zip(*terms(*range(xs.shape[1])))
        ]  # fmt: skip

    def resolved(self) -> Ints:
        """The slot that holds the number of each slot."""
        to = np.arange(self.slots)
        for slots, others in self.aliases:
            to[slots] = others
        return followed(to)


def followed(to: Ints) -> Ints:
    """Where the arrows end."""
    while True:
        further: Ints = to[to]
        if (further == to).all():
            return to
        to = further


def groups(tape: Tape, of_sums: bool) -> Iterator[tuple[int, Ints, Ints]]:
    """Lines of the tape that are alike: their code, their numbers, their operands, a row each.

    With `of_sums` those whose operation is a sum of products, else all others.
    """
    sizes = np.diff(tape.start)
    for code, op in enumerate(tape.ops):
        if (op.terms is not None) == of_sums:
            lines = np.flatnonzero(tape.code == code)
            for size in np.unique(sizes[lines]):
                alike = lines[sizes[lines] == size]
                yield code, alike, tape.args[tape.start[alike][:, None] + np.arange(size)]
