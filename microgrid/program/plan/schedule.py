"""Lines in the order in which they run, equal ones side by side, with the places of all numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from microgrid.engine.value import Op
from microgrid.program.plan.backward import adjoint
from microgrid.program.plan.blocks import Block, Blocks, blocks, none
from microgrid.program.plan.forward import Terms, forward
from microgrid.program.plan.lines import BLOCK, FORWARD, REDUCE, UNDIVIDED, WINDOW, Lines
from microgrid.program.plan.parts import in_parts
from microgrid.program.tape import LAST_BIT, Floats, Ints, Tape

Int32s = NDArray[np.int32]
ENOUGH = 0.5  # of all products, in blocks: then a long tape runs without windows


@dataclass(frozen=True, eq=False)
class Part:
    """Lines that run one after the other.

    A row of `runs` is (code, number of lines, arguments of each, whether forward, where they begin
    in `body`). A line in `body` is the place of its result and those of its arguments. A code from
    BLOCK downwards is block BLOCK − code of the plan.
    """

    runs: Ints
    body: Int32s


@dataclass(frozen=True, eq=False)
class Plan:
    """What an engine runs: the prologue, the `batch` for each block of samples, the epilogue.

    Places from 0 on are numbers, places −1, −2, … are rows with a number for each sample. The
    numbers begin with the inputs that all samples share, the rows with the others.
    """

    ops: tuple[Op, ...]
    prologue: Part
    batch: Part
    epilogue: Part
    memory: Floats  # the numbers as they are at the beginning
    rows: int
    count: int  # the place of the number of samples
    sums: Ints  # numbers that add up over the batch, from zero
    outputs: Ints
    gradients: tuple[Ints, ...]  # for each argument that was asked for
    blocks: tuple[Block, ...] = ()


class Passes(NamedTuple):
    """The lines of a value, and of its gradients; the slots of what they compute."""

    lines: Lines
    outputs: Ints
    gradients: tuple[Ints, ...]  # of the inputs, for each argument that was asked for
    gradient: Ints  # of each slot, −1 where none is asked for
    samples: int  # the slot of the number of samples
    terms: Terms  # of the sums of the forward pass


def passes(
    tape: Tape, batched: int, wanted: tuple[int, ...] | None, window: int | None = None,
    apart: bool = False,
) -> Passes:  # fmt: skip
    """The lines for a value, or with `wanted` for a value and gradients.

    Bit k of `batched` says that argument k has a number for each sample; `apart` see `forward`.
    """
    lines = Lines(tape, (tape.reach & batched) != 0, window)
    terms = forward(lines, apart)
    outputs, count = tape.outputs, int(lines.new(1)[0])
    gradients: tuple[Ints, ...] = ()
    gradient = np.full(lines.slots, -1)
    if wanted is not None:
        # an output that no sample changes counts once for each
        shared = batched and not lines.per_sample[outputs[0]]
        seed = count if shared else lines.constant(1.0)
        active = (tape.reach & sum({1 << min(k, LAST_BIT) for k in wanted})) != 0
        gradient = adjoint(lines, terms, active, int(outputs[0]), seed)
        gradients = tuple(gradient[np.flatnonzero(tape.argument == k)] for k in wanted)
    return Passes(lines, outputs, gradients, gradient, count, terms)


def plan(
    tape: Tape, batched: int, wanted: tuple[int, ...] | None, exact: bool = True,
    matrices: bool = True,
) -> Plan:  # fmt: skip
    """The plan for a value, or with `wanted` for a value and gradients: see `passes`.

    With `exact` values have the bits of the lines; without `matrices` it has lines alone.
    """
    if matrices:
        p = passes(tape, batched, wanted, UNDIVIDED)
        in_parts(p.lines)
        found = blocks(p.lines, bool(batched), exact)
        if found.share >= ENOUGH or len(tape) < WINDOW:  # one window is all of it
            return placed(p, found)
    p = passes(tape, batched, wanted)
    in_parts(p.lines)
    return placed(p, none(p.lines))


def placed(p: Passes, found: Blocks) -> Plan:
    """The places of the slots, and the lines in order."""
    lines, outputs = p.lines, p.outputs
    resolved, per_sample = lines.resolved(), lines.per_sample
    columns = [np.concatenate(column) for column in zip(*found.columns)]
    out, code, size, phase, window, rank, depth = columns
    made = [block.out.ravel() for block in found.blocks]
    used = np.zeros(lines.slots, dtype=bool)
    used[: lines.tape.first] = used[[*lines.constants]] = True
    used[np.concatenate([resolved[outputs], out, *made])] = used[p.samples] = True
    over = [BLOCK - i for i, block in enumerate(found.blocks) if block.over_batch]
    adds = (code == REDUCE) | np.isin(code, over)
    inside = per_sample[out] | adds
    # before the batch run backward lines that need no upstream gradient; without one, all lines
    early = (phase == FORWARD) | ~lines.needs_upstream[out] | (not inside.any())
    part = np.where(inside, 1, np.where(early, 0, 2))
    order = np.lexsort((size, code, depth, rank, window, phase, part))
    turn = np.full(lines.slots, -1)  # of the lines that make a slot; inputs come first
    turn[out[order]] = np.arange(len(order))
    for i, slots in enumerate(made):
        turn[slots] = turn[out[code == BLOCK - i]]
    shared, rows = np.flatnonzero(~per_sample & used), np.flatnonzero(per_sample & used)
    rows = rows[np.argsort(turn[rows], kind="stable")]  # so that equal lines stand side by side
    place = np.zeros(lines.slots, dtype=np.int64)
    place[shared] = np.arange(len(shared))
    place[rows] = -1 - np.arange(len(rows))
    place = place[resolved]
    memory = np.zeros(len(shared))
    memory[place[[*lines.constants]]] = [*lines.constants.values()]
    args = np.concatenate([factors(place[args], code) for code, args in found.args])
    sums = np.concatenate([out[code == REDUCE], *[made[BLOCK - k] for k in over]])
    run_key = np.stack([code, phase, window, rank, depth])  # alike for lines that run side by side
    begin = np.cumsum(size) - size
    prologue, batch, epilogue = [
        assembled(order[part[order] == k], place[out], size, run_key, begin, args) for k in range(3)
    ]
    return Plan(
        tuple(lines.ops), prologue, batch, epilogue, memory, len(rows), int(place[p.samples]),
        np.unique(place[sums[sums != found.bin]]), place[outputs],
        tuple([place[g] for g in p.gradients]),
        tuple([block.placed(place) for block in found.blocks]),
    )  # fmt: skip


def factors(args: Ints, code: int) -> Ints:
    """The places of arguments; in a product a number stands before a row."""
    return -np.sort(-args.reshape(-1, 2), axis=1).ravel() if code < 0 else args


def assembled(order: Ints, out: Ints, size: Ints, run_key: Ints, begin: Ints, args: Ints) -> Part:
    """The lines in this order; those with the same key and size make a run."""
    out, size, begin, run_key = out[order], size[order], begin[order], run_key[:, order]
    n = len(order)
    starts = np.ones(n, dtype=bool)
    starts[1:] = (np.diff(size) != 0) | (np.diff(run_key) != 0).any(axis=0)
    first = np.flatnonzero(starts)
    at = np.cumsum(size + 1) - size - 1  # where each line begins in the body
    body = np.empty(int(size.sum()) + n, dtype=np.int32)
    body[at] = out
    within = np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)
    body[np.repeat(at + 1, size) + within] = args[np.repeat(begin, size) + within]
    code, phase = run_key[:2, first]
    count = np.diff(np.append(first, n))
    columns = [code, count, size[first], phase == FORWARD, at[first]]
    return Part(np.stack(columns, axis=1), body)
