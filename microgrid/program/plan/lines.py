"""Lines that compute, in no order yet: what forward.py and adjoint.py make of a tape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from microgrid.engine.value import Op
from microgrid.program.tape import Ints, Tape

SUM, REDUCE = -1, -2  # codes of lines that add up products of pairs; REDUCE over the batch, too
WINDOW = 8192  # lines of the tape that are reordered among themselves: they stay in the cache
FORWARD, BACKWARD = 0, 1


@dataclass
class Block:
    """Lines of one code. What is said by one number holds for all of them."""

    out: Ints
    code: int
    size: Any  # number of arguments
    args: Ints  # one after the other
    phase: int
    window: Any
    rank: Any
    depth: int  # among the lines of one local gradient


class Lines:
    """Lines in no order yet: `window` and `rank` tell which must come first."""

    def __init__(self, tape: Tape, varying: Any = None) -> None:
        self.ops = list(tape.ops)
        self.constants = list(tape.constants)
        self.slot_of = {float(x).hex(): tape.inputs + i for i, x in enumerate(tape.constants)}
        self.constant_slots = [*range(tape.inputs, tape.first)]
        self.slots = tape.first + len(tape)
        self.blocks: list[Block] = []
        self.aliases: list[tuple[Ints, Ints]] = []
        self.varies = np.zeros(self.slots, dtype=bool)  # has a number for each sample
        self.late = np.zeros(self.slots, dtype=bool)  # needs what comes back
        if varying is not None:
            self.varies[:] = varying

    def constant(self, x: float) -> int:
        """The slot of a number."""
        key = float(x).hex()
        if key not in self.slot_of:
            self.slot_of[key] = int(self.new(1)[0])
            self.constants.append(float(x))
            self.constant_slots.append(self.slot_of[key])
        return self.slot_of[key]

    def new(self, count: int) -> Ints:
        """So many new slots."""
        self.slots += count
        more = np.zeros(count, dtype=bool)
        self.varies, self.late = [np.concatenate([x, more]) for x in (self.varies, self.late)]
        return np.arange(self.slots - count, self.slots)

    def code(self, op: Op) -> int:
        if op not in self.ops:
            self.ops.append(op)
        return self.ops.index(op)

    def add(
        self, out: Ints, code: int, size: Any, args: Ints, phase: int, window: Any, rank: Any,
        depth: int = 0,
    ) -> None:  # fmt: skip
        if len(out):
            self.blocks.append(Block(out, code, size, args.ravel(), phase, window, rank, depth))

    def alias(self, slots: Ints, to: Ints) -> None:
        """Let slots stand for others, which hold the same number."""
        self.aliases.append((slots, to))

    def resolved(self) -> Ints:
        """The slot that holds the number of each slot."""
        to = np.arange(self.slots)
        for slots, others in self.aliases:
            to[slots] = others
        return followed(to)


def window(line: Any) -> Any:
    """The window that a line of the tape is in, counted from its beginning or its end."""
    return line // WINDOW


def operands(tape: Tape, lines: Ints, count: int) -> Ints:
    """The operands of lines that have `count` each, a row per line."""
    found: Ints = tape.args[tape.start[lines][:, None] + np.arange(count)]
    return found


def by_size(tape: Tape, lines: Ints) -> list[tuple[int, Ints]]:
    """The lines in groups that have equally many operands."""
    sizes = np.diff(tape.start)[lines]
    return [(int(m), lines[sizes == m]) for m in np.unique(sizes)]


def side(lines: Lines, xs: Ints, factors: Sequence[int | float]) -> Ints:
    """One factor of each product, a row per line: an operand by its place, or a number."""
    columns = [
        xs[:, f] if isinstance(f, int) else np.full(len(xs), lines.constant(f)) for f in factors
    ]
    return np.stack(columns, axis=1)


def followed(to: Ints) -> Ints:
    """Where the arrows end."""
    while True:
        further: Ints = to[to]
        if (further == to).all():
            return to
        to = further
