"""The backward pass of a tape: the gradient of every slot is one sum of products.

    grad[p] = Σ grad[c] · ∂c/∂p        upstream × local, over the children c of p, the last first

This is the order in which `backward` adds up, so that both round alike. The local gradients are the
rules of the table, called once with nodes: what they build is put beside every line of that kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from microgrid.errors import GradientLostError, RuleError
from microgrid.program.forward import Terms
from microgrid.program.lines import BACKWARD, REDUCE, SUM, Lines, by_size, operands, side, window
from microgrid.program.tape import Ints, Tape, tape_of
from microgrid.program.watch import watched
from microgrid.rules import Gate
from microgrid.value import Constant, Op, Value


@lru_cache(maxsize=4096)
def template(op: Op, count: int, active: tuple[bool, ...]) -> tuple[Tape, list[tuple[int, bool]]]:
    """The shares that op sends to its active operands, as a tape over (upstream, y, *xs).

    With it, for each output, the operand, and whether it is a local gradient that upstream is yet
    to be multiplied with. A shut gate has none.
    """
    upstream, y, *xs = [Value(0.5) for _ in range(count + 2)]
    outputs, where = [], []
    with watched(f"a rule of {op.name}"):
        try:
            found = op.joint(y, *xs) if op.joint else [
                rule(y, *xs) if wanted else None for rule, wanted in zip(op.rules, active)
            ]  # fmt: skip
        except GradientLostError:
            raise RuleError(
                f"a rule of {op.name} takes plain numbers only: written with microgrid's functions "
                "(mg.exp for math.exp) it works in programs and for higher derivatives"
            ) from None
        if len(found) != count:
            raise RuleError(f"op {op.name!r} has {count} parents but gave {len(found)}")
        for i, local in enumerate(found):
            if local is None or not active[i]:
                continue
            plain = not isinstance(local, Gate)
            share = local if plain else upstream * local
            outputs.append(share if isinstance(share, Value) else Constant(share))
            where.append((i, plain))
    return tape_of(outputs, [upstream, y, *xs]), where


def adjoint(
    tape: Tape, lines: Lines, terms: Terms, active: Any, seeds: Sequence[tuple[int, int]]
) -> Ints:
    """Add the lines of the backward pass; the slot of the gradient of each slot, −1 for none.

    `active` tells for which slots a gradient is asked for. `seeds` are pairs of an output and the
    slot of what comes back there.
    """
    one, last = lines.constant(1.0), len(tape)
    grad = np.full(lines.slots, -1)
    asked = active.copy()
    asked[tape.first :] &= alone(tape, terms)
    asked = np.flatnonzero(asked)
    grad[asked] = lines.new(len(asked))
    lines.varies[grad[asked]] = lines.varies[asked]

    # A row per edge: the parent, the two factors of its share, the line and operand it comes from.
    rows: list[Any] = [([output], [seed], [one], [last], [0]) for output, seed in seeds]
    back = grad[tape.first + terms.root]
    rows.append((terms.p, back, terms.q, terms.origin, terms.place_p))
    rows.append((terms.q, back, terms.p, terms.origin, terms.place_q))
    for k, op in enumerate(tape.ops):
        if op.terms is None:
            for m, group in by_size(tape, np.flatnonzero(tape.code == k)):
                rows += uses(tape, lines, op, group, operands(tape, group, m), grad)
    columns = [np.concatenate(column) for column in zip(*rows)]
    parent, up = columns[:2]
    used = np.flatnonzero((grad[parent] >= 0) & (up >= 0))
    parent, up, local, origin, place = [column[used] for column in columns]

    varies = lines.varies
    batched = ~varies[parent] & (varies[up] | varies[local])  # to be summed over the batch
    windows = window(last - origin)
    order = np.lexsort((place, -origin, ~batched, parent))
    parent, up, local, batched, windows = [
        column[order] for column in (parent, up, local, batched, windows)
    ]
    never = np.setdiff1d(asked, parent)
    single = np.bincount(parent, minlength=len(grad))[parent] == 1
    same = single & ~batched & (varies[parent] == varies[up]) & (local == one)
    lines.alias(grad[parent[same]], up[same])
    parent, up, local, batched, windows = [
        column[~same] for column in (parent, up, local, batched, windows)
    ]
    rank = tape.level.max() - tape.level[parent]
    add_sums(lines, grad[parent], up, local, batched, windows, rank)
    lines.alias(grad[never], np.full(len(never), lines.constant(0.0)))
    return grad


def alone(tape: Tape, terms: Terms) -> Any:
    """Whether a line of the tape is still there, and not part of another's sum."""
    there = np.array([op.terms is None for op in tape.ops], dtype=bool)[tape.code]
    there[terms.root] = True
    return there


def add_sums(
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


def uses(tape: Tape, lines: Lines, op: Op, group: Ints, xs: Ints, grad: Ints) -> list[Any]:
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
            for (k, plain), share in zip(targets, found):
                factors = (upstream[mine], share) if plain else (share, np.full(len(mine), one))
                rows.append((xs[mine, k], *factors, group[mine], np.full(len(mine), k)))
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
        early = not tape.reach[tape.first + i] & 1  # input 0 is what comes back
        if op.terms is None:
            args, size, kind = np.stack(xs, 1), len(xs), lines.code(op)
        else:
            pairs = [side(lines, np.stack(xs, 1), f) for f in zip(*op.terms(*range(len(xs))))]
            args, size, kind = np.stack(pairs, 2), 2 * pairs[0].shape[1], SUM
        depth = int(tape.level[tape.first + i])
        lines.add(out, kind, size, args, BACKWARD, windows, rank, depth, early)
        slots.append(out)
    return [slots[s] for s in tape.outputs]
