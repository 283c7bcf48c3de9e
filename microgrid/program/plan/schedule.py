"""Lines in the order in which they run, equal ones side by side, with the places of all numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgrid.engine.value import Op
from microgrid.program.plan.backward import adjoint
from microgrid.program.plan.forward import forward
from microgrid.program.plan.lines import FORWARD, REDUCE, Lines
from microgrid.program.tape import LAST_BIT, Floats, Ints, Tape

Int32s = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Part:
    """Lines that run one after the other.

    A row of `runs` is (code, number of lines, arguments of each, whether forward, where they begin
    in `body`). A line in `body` is the place of its result and those of its arguments.
    """

    runs: Ints
    body: Int32s


@dataclass(frozen=True, eq=False)
class Plan:
    """What an engine runs: `before` the batch, for each block of its samples, and `after` it.

    Places from 0 on are numbers, places −1, −2, … are rows with a number for each sample. The
    numbers begin with the inputs that all samples share, the rows with the others.
    """

    ops: tuple[Op, ...]
    before: Part
    block: Part
    after: Part
    memory: Floats  # the numbers as they are at the beginning
    rows: int
    count: int  # the place of the number of samples
    sums: Ints  # numbers that add up over the batch, from zero
    outputs: Ints
    gradients: tuple[Ints, ...]  # for each argument that was asked for


def plan(tape: Tape, varying: int, wanted: tuple[int, ...] | None) -> Plan:
    """The plan for a value, or with `wanted` for a value and gradients.

    Bit k of `varying` says that argument k has a number for each sample.
    """
    lines = Lines(tape, (tape.reach & varying) != 0)
    terms = forward(tape, lines)
    outputs, count = tape.outputs, lines.new(1)
    gradients: tuple[Ints, ...] = ()
    if wanted is not None:
        # where no sample matters to the output, each of them sends its 1 back
        constant = varying and not lines.varies[outputs[0]]
        seed = int(count[0]) if constant else lines.constant(1.0)
        active = (tape.reach & sum({1 << min(k, LAST_BIT) for k in wanted})) != 0
        grad = adjoint(tape, lines, terms, active, [(int(outputs[0]), seed)])
        gradients = tuple(grad[np.flatnonzero(tape.argument == k)] for k in wanted)
    return placed(tape, lines, outputs, gradients, int(count[0]))


def placed(
    tape: Tape, lines: Lines, outputs: Ints, gradients: tuple[Ints, ...], count: int
) -> Plan:
    """The places of the slots, and the lines in order."""
    resolved, varies = lines.resolved(), lines.varies
    used = np.zeros(lines.slots, dtype=bool)
    used[: tape.first] = used[lines.constant_slots] = used[resolved[outputs]] = used[count] = True
    for block in lines.blocks:
        used[block.out] = True
    shared, rows = np.flatnonzero(~varies & used), np.flatnonzero(varies & used)
    place = np.zeros(lines.slots, dtype=np.int64)
    place[shared] = np.arange(len(shared))
    place[rows] = -1 - np.arange(len(rows))
    place = place[resolved]
    memory = np.zeros(len(shared))
    memory[place[lines.constant_slots]] = lines.constants

    parts, sums = in_order(lines, place)
    return Plan(
        ops=tuple(lines.ops), before=parts[0], block=parts[1], after=parts[2], memory=memory,
        rows=len(rows), count=int(place[count]), sums=sums, outputs=place[outputs],
        gradients=tuple([place[g] for g in gradients]),
    )  # fmt: skip


def in_order(lines: Lines, place: Ints) -> tuple[list[Part], Ints]:
    """The lines before the batch, inside of it and after it; the places of sums over the batch."""
    blocks = lines.blocks
    if not blocks:
        none = np.zeros(0, dtype=np.int64)
        return [Part(none.reshape(0, 5), none.astype(np.int32))] * 3, none

    def column(name: str) -> Any:
        return np.concatenate([np.broadcast_to(getattr(b, name), len(b.out)) for b in blocks])

    names = ("out", "size", "code", "phase", "window", "rank", "depth")
    out, size, code, phase, window, rank, depth = map(column, names)
    args = np.concatenate([factors(place[b.args], b.code) for b in blocks])
    inside = lines.varies[out] | (code == REDUCE)
    # what the block may need of the backward pass, without what comes back, is there before it
    early = ~lines.late[out] & inside.any()
    step = np.where(inside, 1, np.where(early | (phase == FORWARD), 0, 2))
    order = np.lexsort((size, code, depth, rank, window, phase, step))
    turn = np.stack([code, phase, window, rank, depth])  # alike for lines that run side by side
    begin = np.cumsum(size) - size
    parts = [part(order[step[order] == k], place[out], size, turn, begin, args) for k in range(3)]
    return parts, np.unique(place[out[code == REDUCE]])


def factors(args: Ints, code: int) -> Ints:
    """The places of arguments; in a product a number stands before a row."""
    return -np.sort(-args.reshape(-1, 2), axis=1).ravel() if code < 0 else args


def part(order: Ints, out: Ints, size: Ints, turn: Ints, begin: Ints, args: Ints) -> Part:
    """The lines in this order; those whose turn is the same, and whose size, make a run."""
    out, size, begin, turn = out[order], size[order], begin[order], turn[:, order]
    n = len(order)
    starts = np.ones(n, dtype=bool)
    starts[1:] = (np.diff(size) != 0) | (np.diff(turn) != 0).any(axis=0)
    first = np.flatnonzero(starts)
    at = np.cumsum(size + 1) - size - 1  # where each line begins in the body
    body = np.empty(int(size.sum()) + n, dtype=np.int32)
    body[at] = out
    within = np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)
    body[np.repeat(at + 1, size) + within] = args[np.repeat(begin, size) + within]
    code, phase = turn[:2, first]
    count = np.diff(np.append(first, n))
    columns = [code, count, size[first], phase == FORWARD, at[first]]
    return Part(np.stack(columns, axis=1), body)
