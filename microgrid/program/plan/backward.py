"""The backward pass of a tape: the gradient of every slot is one sum of products.

    grad[p] = Σ grad[c] · ∂c/∂p        upstream × local, over the children c of p, the last first

This is the order in which `backward` adds up, so that both round alike. The local gradients are the
rules of the table, called once with nodes: what they build is put beside every line of that kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np

from microgrid.engine.errors import BranchError, GradientLostError, RuleError
from microgrid.engine.rules import TABLE, Masked
from microgrid.engine.slopes import NO_PATH, check_slopes, slopes
from microgrid.engine.value import Constant, Op, Value
from microgrid.program.plan.forward import Terms
from microgrid.program.plan.lines import (
    BACKWARD,
    REDUCE,
    SUM,
    Lines,
    by_size,
    operands,
    side,
    window,
)
from microgrid.program.tape import Ints, Tape, tape_of
from microgrid.program.tracing import no_concrete_reads

CLOSED, MASKED, OPEN = range(3)  # the paths from a slot to the output
LAST = 1 << 30  # a depth behind all others


@lru_cache(maxsize=4096)
def template(op: Op, count: int, active: tuple[bool, ...]) -> tuple[Tape, list[tuple[int, bool]]]:
    """The shares that op sends to its active operands, as a tape over (upstream, y, *xs).

    With it, for each output, the operand, and whether it is a local gradient that upstream is yet
    to be multiplied with. A shut gate has none.
    """
    upstream, y, *xs = [Value(0.5) for _ in range(count + 2)]
    outputs, where = [], []
    with no_concrete_reads(f"a rule of {op.name}"):
        try:
            found = slopes(op, y, xs) if op.joint else [
                rule(y, *xs) if wanted else NO_PATH for rule, wanted in zip(op.rules, active)
            ]  # fmt: skip
        except GradientLostError:
            raise RuleError(
                f"a rule of {op.name} takes plain numbers only: written with microgrid's functions "
                "(mg.exp for math.exp) it works in programs and for higher derivatives"
            ) from None
        for i, local in enumerate(found):
            if local is NO_PATH or not active[i]:
                continue
            check_slopes([(op, local)], as_graph=True)
            plain = not isinstance(local, Masked)
            share = local.of(upstream) if isinstance(local, Masked) else local
            outputs.append(share if isinstance(share, Value) else Constant(share))
            where.append((i, plain))
    return tape_of(outputs, [upstream, y, *xs]), where


@contextmanager
def rules_build_graphs(tape: Tape, slots: Sequence[Value]) -> Iterator[None]:
    """While it lasts, the engine may differentiate the nodes of a tape, and asks no rule about a
    constant. RuleError or BranchError, which name the operation, where a rule builds no graph."""
    asked = {v: v.op for v in slots if v.op and v.op.rules and Constant in map(type, v.parents)}
    for v, op in asked.items():
        v.op = about(op, tuple([type(p) is not Constant for p in v.parents]))
    try:
        with no_concrete_reads("a rule"):
            yield
    except (GradientLostError, BranchError):
        for line, code in enumerate(tape.code):
            active = tuple([type(slots[s]) is not Constant for s in tape.operands(line)])
            template(tape.ops[code], len(active), active)
        raise
    finally:
        for v, op in asked.items():
            v.op = op


@lru_cache(maxsize=4096)
def about(op: Op, active: tuple[bool, ...]) -> Op:
    """The same operation, from which no gradient flows to the operands that are not active."""
    rules = [rule if wanted else lambda *_: NO_PATH for rule, wanted in zip(op.rules, active)]
    return Op(op.name, op.forward, *rules)


def adjoint(
    tape: Tape, lines: Lines, terms: Terms, active: Any, seeds: Sequence[tuple[int, int]]
) -> Ints:
    """Add the lines of the backward pass; the slot of the gradient of each slot, −1 for none.

    `active` tells for which slots a gradient is asked for. `seeds` are pairs of an output and the
    slot of what comes back there.
    """
    paths = open_paths(tape, [output for output, _ in seeds])
    there = active & (paths != CLOSED)
    there[: tape.inputs] = active[: tape.inputs]
    there[tape.first :] &= alone(tape, terms)
    asked = np.flatnonzero(there)
    grad = named(lines, asked)
    inner = np.flatnonzero(there & (paths == MASKED))
    opened = named(lines, inner[inner >= tape.first])
    parent, up, local, origin, place, child, through = [
        np.concatenate(column) for column in zip(*edges_of(tape, lines, terms, seeds, grad, opened))
    ]
    used = np.flatnonzero((grad[parent] >= 0) & (up >= 0))
    order = used[np.lexsort((place[used], -origin[used], parent[used]))]
    parent, up, local, origin, child, through = [
        column[order] for column in (parent, up, local, origin, child, through)
    ]
    local = guarded(tape, lines, local, origin, child, through)
    windows = window(len(tape) - origin)
    add_sums(tape, lines, grad, parent, up, local, windows)
    gated = opened[parent] >= 0
    ones = np.full(gated.sum(), lines.constant(1.0))
    add_sums(tape, lines, opened, parent[gated], through[gated], ones, windows[gated])
    never = np.setdiff1d(asked, parent)
    lines.alias(grad[never], np.full(len(never), lines.constant(0.0)))
    return grad


def named(lines: Lines, slots: Ints) -> Ints:
    """A new slot for each of these, −1 for all others: it varies where they do."""
    found = np.full(lines.slots, -1)
    found[slots] = lines.new(len(slots))
    lines.varies[found[slots]] = lines.varies[slots]
    lines.late[found[slots]] = True
    return found


def open_paths(tape: Tape, outputs: Sequence[int]) -> Any:
    """For each slot whether a path to an output is always OPEN, MASKED by where() or always CLOSED.

    Behind a gate that is shut nothing comes back, not even 0: 0 × inf would be nan.
    """
    gates = [op.joint is not None and op.terms is None for op in tape.ops]
    found = bytearray([OPEN if not any(gates) else CLOSED]) * (tape.first + len(tape))
    for output in outputs:
        found[output] = OPEN
    args, start, code = tape.args.tolist(), tape.start.tolist(), tape.code.tolist()
    for line in reversed(range(len(code))) if any(gates) else ():
        here, xs = found[tape.first + line], args[start[line] : start[line + 1]]
        if here and gates[code[line]]:
            for i, plain in template(tape.ops[code[line]], len(xs), (True,) * len(xs))[1]:
                found[xs[i]] = max(found[xs[i]], here if plain else MASKED)
        elif here:
            for x in xs:
                if found[x] < here:
                    found[x] = here
    return np.frombuffer(found, dtype=np.uint8)


def edges_of(
    tape: Tape, lines: Lines, terms: Terms, seeds: Sequence[tuple[int, int]], grad: Ints,
    opened: Ints,
) -> list[Any]:  # fmt: skip
    """A row per edge: the parent, the two factors of its share, the line and the operand that it
    comes from, the child, and the slot that says whether it is open (−1: always)."""
    one = lines.constant(1.0)
    rows: list[Any] = [
        ([output], [seed], [one], [len(tape)], [0], [output], [-1]) for output, seed in seeds
    ]
    child = tape.first + terms.root
    for p, q, place in ((terms.p, terms.q, terms.place_p), (terms.q, terms.p, terms.place_q)):
        rows.append((p, grad[child], q, terms.origin, place, child, opened[child]))
    for k, op in enumerate(tape.ops):
        if op.terms is None:
            for m, group in by_size(tape, np.flatnonzero(tape.code == k)):
                rows += uses(tape, lines, op, group, operands(tape, group, m), grad, opened)
    return rows


def guarded(
    tape: Tape, lines: Lines, local: Ints, origin: Ints, child: Ints, through: Ints
) -> Ints:
    """The local gradients, with 0 in the place of any where nothing comes back."""
    finite = (local == lines.constant(1.0)) | (local == lines.constant(-1.0))
    mine = np.flatnonzero((through >= 0) & ~finite)
    args = np.stack([through[mine], local[mine], np.full(len(mine), lines.constant(0.0))], axis=1)
    out = lines.new(len(mine))
    lines.varies[out], lines.late[out] = lines.varies[args].any(axis=1), True
    rank = tape.level.max() - tape.level[child[mine]]
    lines.add(
        out, lines.code(TABLE.where), 3, args, BACKWARD, window(len(tape) - origin[mine]), rank,
        LAST,
    )  # fmt: skip
    local = local.copy()
    local[mine] = out
    return local


def alone(tape: Tape, terms: Terms) -> Any:
    """Whether a line of the tape is still there, and not part of another's sum."""
    there = np.array([op.terms is None for op in tape.ops], dtype=bool)[tape.code]
    there[terms.root] = True
    return there


def add_sums(
    tape: Tape, lines: Lines, target: Ints, parent: Ints, up: Ints, local: Ints, windows: Ints
) -> None:
    """Let target[parent] be Σ up·local; rows are in the order of the addition, parent by parent.

    What is to be summed over the batch comes first. A single term with a factor of 1 is no line.
    """
    varies = lines.varies
    batched = ~varies[parent] & (varies[up] | varies[local])
    single = np.bincount(parent, minlength=len(target))[parent] == 1
    one = lines.constant(1.0)
    same = single & ~batched & (varies[parent] == varies[up]) & (local == one)
    lines.alias(target[parent[same]], up[same])
    order = np.flatnonzero(~same)
    order = order[np.lexsort((~batched[order], parent[order]))]
    rank = tape.level.max() - tape.level[parent]
    rows: list[Any] = [x[order] for x in (target[parent], up, local, batched, windows, rank)]
    add_pieces(lines, *rows)


def add_pieces(
    lines: Lines, out: Ints, up: Ints, local: Ints, batched: Any, windows: Ints, rank: Ints
) -> None:
    """Σ up·local for every `out`; rows are in the order of the addition, those of one out together.

    A sum comes in pieces, one for each window, of which the later ones begin with what there is:
    so a pass over the lines stays near to the numbers that it needs.
    """
    if not len(out):
        return
    begins = np.ones(len(out), dtype=bool)
    begins[1:] = (np.diff(out) != 0) | (np.diff(windows) != 0) | np.diff(batched)
    begin = np.flatnonzero(begins)
    piece = np.cumsum(begins) - 1
    goes_on = np.zeros(len(begin), dtype=bool)
    goes_on[1:] = np.diff(out[begin]) == 0
    one = lines.constant(1.0)
    for code in (REDUCE, SUM):
        kind = batched == (code == REDUCE)
        heads = np.flatnonzero(kind[begin])
        pairs, which = np.stack([up, local], axis=1)[kind], piece[kind]
        if code == SUM:  # a REDUCE always adds to what there is
            later = heads[goes_on[heads]]
            so_far = np.stack([out[begin[later]], np.full(len(later), one)], axis=1)
            pairs, which = np.concatenate([so_far, pairs]), np.concatenate([later, which])
            pairs = pairs[np.argsort(which, kind="stable")]
        size = 2 * np.bincount(which, minlength=len(begin))[heads]
        at = begin[heads]
        lines.add(out[at], code, size, pairs, BACKWARD, windows[at], rank[at])


def uses(
    tape: Tape, lines: Lines, op: Op, group: Ints, xs: Ints, grad: Ints, opened: Ints
) -> list[Any]:
    """The edges from lines of one operation to their operands xs; adds the lines of the shares."""
    rows = []
    upstream, y, one = grad[tape.first + group], tape.first + group, lines.constant(1.0)
    wanted = (grad[xs] >= 0) & (upstream >= 0)[:, None]
    patterns, which = np.unique(wanted, axis=0, return_inverse=True)
    for i, pattern in enumerate(patterns):
        if pattern.any():
            mine = np.flatnonzero(which.ravel() == i)
            shares, targets = template(op, xs.shape[1], tuple(map(bool, pattern)))
            columns = [upstream[mine], y[mine], *xs[mine].T]
            windows = window(len(tape) - group[mine])
            rank = tape.level.max() - tape.level[y[mine]]
            found = instantiated(lines, shares, columns, windows, rank)
            through = [opened[y[mine]]] * len(targets)
            if not all(plain for _, plain in targets):  # what is open behind a gate, as 1 and 0
                columns[0] = np.where(through[0] >= 0, through[0], one)
                through = instantiated(lines, shares, columns, windows, rank)
            ones = np.full(len(mine), one)
            for (k, plain), share, is_open in zip(targets, found, through):
                factors = (upstream[mine], share) if plain else (share, ones)
                rows.append((xs[mine, k], *factors, group[mine], ones * 0 + k, y[mine], is_open))
    return rows


def instantiated(
    lines: Lines, tape: Tape, columns: list[Ints], windows: Ints, rank: Ints
) -> list[Ints]:
    """The slots of a tape's outputs, once for each row of inputs; adds its lines."""
    n = len(windows)
    slots = [*columns, *[np.full(n, lines.constant(x)) for x in tape.constants]]
    for i, code in enumerate(tape.code):
        op, xs = tape.ops[code], [slots[s] for s in tape.operands(i)]
        out = lines.new(n)
        lines.varies[out] = np.any([lines.varies[x] for x in xs], axis=0)
        lines.late[out] = np.any([lines.late[x] for x in xs], axis=0)
        if op.terms is None:
            args, size, kind = np.stack(xs, 1), len(xs), lines.code(op)
        else:
            pairs = [side(lines, np.stack(xs, 1), f) for f in zip(*op.terms(*range(len(xs))))]
            args, size, kind = np.stack(pairs, 2), 2 * pairs[0].shape[1], SUM
        depth = int(tape.level[tape.first + i])
        lines.add(out, kind, size, args, BACKWARD, windows, rank, depth)
        slots.append(out)
    return [slots[s] for s in tape.outputs]
