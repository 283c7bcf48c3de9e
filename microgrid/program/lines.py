"""From a tape to lines that compute: sums of products in one piece, and the backward pass.

The gradient of a slot is one sum of products, upstream × local over all its uses:

    grad[p] = Σ grad[c] · ∂c/∂p        over the children c of p, the last first

which is the order in which `backward` adds up, so that both round alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from microgrid.program.tape import Ints, Tape, tape_of
from microgrid.program.watch import watched
from microgrid.rules import Gate
from microgrid.value import Constant, Op, Value

SUM, REDUCE = -1, -2  # codes of lines that add up products of pairs; REDUCE over the batch, too
WINDOW = 8192  # lines of the tape that are reordered among themselves: they stay in the cache
FORWARD, BACKWARD = 0, 1


@dataclass
class Block:
    """Lines of one code with equally many arguments, or sums of any length (`size`)."""

    out: Ints
    code: int
    size: Ints
    args: Ints  # one after the other
    phase: int
    window: Ints
    rank: Ints
    depth: int = 0  # among the lines of one local gradient
    early: bool = False  # of the backward pass, but needs nothing that comes back


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
        self.varies = np.concatenate([self.varies, np.zeros(count, dtype=bool)])
        return np.arange(self.slots - count, self.slots)

    def code(self, op: Op) -> int:
        if op not in self.ops:
            self.ops.append(op)
        return self.ops.index(op)

    def add(
        self, out: Ints, code: int, size: Any, args: Ints, phase: int, window: Any, rank: Any,
        depth: int = 0, early: bool = False,
    ) -> None:  # fmt: skip
        n = len(out)
        if n:
            ints = [np.broadcast_to(np.asarray(x), n) for x in (size, window, rank)]
            self.blocks.append(
                Block(out, code, ints[0], args.ravel(), phase, ints[1], ints[2], depth, early)
            )

    def alias(self, slots: Ints, to: Ints) -> None:
        """Let slots stand for others, which hold the same number."""
        self.aliases.append((slots, to))

    def resolved(self) -> Ints:
        """The slot that holds the number of each slot."""
        to = np.arange(self.slots)
        for slots, others in self.aliases:
            to[slots] = others
        return followed(to)


@dataclass
class Terms:
    """Products of two slots: row r adds p[r]·q[r] to the slot of line `root`, in this order.

    `origin` is the line of the tape that the product comes from, `place` its operand there.
    """

    root: Ints
    p: Ints
    q: Ints
    origin: Ints
    place_p: Ints
    place_q: Ints


def operands(tape: Tape, lines: Ints, count: int) -> Ints:
    """The operands of lines that have `count` each, a row per line."""
    found: Ints = tape.args[tape.start[lines][:, None] + np.arange(count)]
    return found


def by_size(tape: Tape, lines: Ints) -> list[tuple[int, Ints]]:
    """The lines in groups that have equally many operands."""
    sizes = np.diff(tape.start)[lines]
    return [(int(m), lines[sizes == m]) for m in np.unique(sizes)]


def forward(tape: Tape, lines: Lines) -> Terms:
    """Add the lines of the forward pass; the terms of its sums.

    A product that is used once, and a sum that is used once as the first operand of another, go
    into that sum: so a neuron is one line. The order of the additions stays.
    """
    rows: list[Sequence[Ints]] = []
    summed = np.zeros(len(tape), dtype=bool)
    for k, op in enumerate(tape.ops):
        mine = np.flatnonzero(tape.code == k)
        for m, group in by_size(tape, mine):
            xs = operands(tape, group, m)
            if op.terms is None:
                where = tape.first + group
                lines.add(where, k, m, xs, FORWARD, group // WINDOW, tape.level[where])
                continue
            summed[group] = True
            pairs = op.terms(*range(m))
            p, q = [side(lines, xs, factors) for factors in zip(*pairs)]
            places = [np.array([x if isinstance(x, int) else m for x in f]) for f in zip(*pairs)]
            line = np.repeat(group, len(pairs))
            tiled = [np.tile(x, len(group)) for x in (np.arange(len(pairs)), *places)]
            rows.append((line, tiled[0], p.ravel(), q.ravel(), *tiled[1:]))
    if not rows:
        return Terms(*[np.zeros(0, dtype=np.int64)] * 6)
    line, position, p, q, place_p, place_q = [np.concatenate(column) for column in zip(*rows)]

    uses = np.bincount(tape.args, minlength=tape.first + len(tape))
    np.add.at(uses, tape.outputs, 1)
    length = np.bincount(line, minlength=len(tape))
    source = np.maximum(p - tape.first, 0)
    inside = (q == lines.constant(1.0)) & (p >= tape.first) & (uses[p] == 1)
    inside &= summed[source] & ((position == 0) | (length[source] == 1))
    into = np.arange(len(tape))
    into[source[inside]] = line[inside]
    key, at = line.copy(), position.copy()
    moved = np.full((2, len(tape)), -1)
    late = inside & (position > 0)
    moved[:, source[late]] = line[late], position[late]
    has_moved = moved[0, line] >= 0
    key[has_moved], at[has_moved] = moved[:, line[has_moved]]
    into = followed(into)
    kept = np.flatnonzero(~inside)
    kept = kept[np.lexsort((at[kept], key[kept], into[line[kept]]))]
    terms = Terms(into[line[kept]], p[kept], q[kept], line[kept], place_p[kept], place_q[kept])
    roots, counts = np.unique(terms.root, return_counts=True)
    pairs_ = np.stack([terms.p, terms.q], axis=1)
    out = tape.first + roots
    lines.add(out, SUM, 2 * counts, pairs_, FORWARD, roots // WINDOW, tape.level[out])
    return terms


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


@lru_cache(maxsize=4096)
def template(op: Op, count: int, active: tuple[bool, ...]) -> tuple[Tape, list[tuple[int, bool]]]:
    """The shares that op sends to its active operands, as a tape over (upstream, y, *xs).

    With it, for each output, the operand, and whether it is a local gradient that upstream is yet
    to be multiplied with. A shut gate has none.
    """
    upstream, y, *xs = [Value(0.5) for _ in range(count + 2)]
    outputs, where = [], []
    with watched(f"a rule of {op.name}"):
        found = op.joint(y, *xs) if op.joint else [
            rule(y, *xs) if wanted else None for rule, wanted in zip(op.rules, active)
        ]  # fmt: skip
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
    window = (last - origin) // WINDOW
    order = np.lexsort((place, -origin, ~batched, parent))
    parent, up, local, batched, window = [
        column[order] for column in (parent, up, local, batched, window)
    ]
    never = np.setdiff1d(asked, parent)
    single = np.bincount(parent, minlength=len(grad))[parent] == 1
    same = single & ~batched & (varies[parent] == varies[up]) & (local == one)
    lines.alias(grad[parent[same]], up[same])
    parent, up, local, batched, window = [
        column[~same] for column in (parent, up, local, batched, window)
    ]
    rank = tape.level.max() - tape.level[parent]
    add_sums(lines, grad[parent], up, local, batched, window, rank)
    lines.alias(grad[never], np.full(len(never), lines.constant(0.0)))
    return grad


def alone(tape: Tape, terms: Terms) -> Any:
    """Whether a line of the tape is still there, and not part of another's sum."""
    there = np.array([op.terms is None for op in tape.ops], dtype=bool)[tape.code]
    there[terms.root] = True
    return there


def add_sums(
    lines: Lines, out: Ints, up: Ints, local: Ints, batched: Any, window: Ints, rank: Ints
) -> None:
    """Σ up·local for every `out`; rows are in the order of the addition, those of one out together.

    A sum comes in pieces, one for each window, of which the later ones begin with what there is:
    so a pass over the lines stays near to the numbers that it needs.
    """
    if not len(out):
        return
    begins = np.ones(len(out), dtype=bool)
    begins[1:] = (np.diff(out) != 0) | (np.diff(window) != 0) | np.diff(batched)
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
        lines.add(out[at], code, size, pairs, BACKWARD, window[at], rank[at])


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
            window = (len(tape) - group[mine]) // WINDOW
            rank = tape.level.max() - tape.level[y[mine]]
            found = instantiated(lines, shares, columns, window, rank)
            for (k, plain), share in zip(targets, found):
                factors = (upstream[mine], share) if plain else (share, np.full(len(mine), one))
                rows.append((xs[mine, k], *factors, group[mine], np.full(len(mine), k)))
    return rows


def instantiated(
    lines: Lines, tape: Tape, columns: list[Ints], window: Ints, rank: Ints
) -> list[Ints]:
    """The slots of a tape's outputs, once for each row of inputs; adds its lines."""
    n = len(window)
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
        lines.add(out, kind, size, args, BACKWARD, window, rank, depth, early)
        slots.append(out)
    return [slots[s] for s in tape.outputs]
