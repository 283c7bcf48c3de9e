"""The forward pass of a tape: every sum of products becomes one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from microgrid.program.plan.lines import SUM, Lines, followed, forward_order, groups, side
from microgrid.program.tape import Ints, Tape


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


def forward(tape: Tape, lines: Lines) -> Terms:
    """Add the lines of the forward pass; the terms of its sums.

    A sum takes in a product that is used once, and as its first operand another sum that is used
    once: so a neuron is one line. The order of the additions stays.
    """
    for code, group, xs in groups(tape, of_sums=False):
        lines.add(tape.first + group, code, xs.shape[1], xs, forward_order(tape, group))
    terms = gathered(tape, lines, products(tape, lines))
    roots, counts = np.unique(terms.root, return_counts=True)
    pairs = np.stack([terms.p, terms.q], axis=1)
    lines.add(tape.first + roots, SUM, 2 * counts, pairs, forward_order(tape, roots))
    return terms


def products(tape: Tape, lines: Lines) -> list[Ints]:
    """The products of all sums: line, position in it, two factors, their places as operands."""
    rows: list[list[Ints]] = [[np.zeros(0, dtype=np.int64)] * 6]
    for code, group, xs in groups(tape, of_sums=True):
        m = xs.shape[1]
        terms: Any = tape.ops[code].terms
        factors = [*zip(*terms(*range(m)))]  # the first of each product, and the second
        p, q = [side(lines, xs, f).ravel() for f in factors]
        places = [[x if isinstance(x, int) else m for x in f] for f in factors]
        count = len(factors[0])
        position, *both = [np.tile(x, len(group)) for x in (range(count), *places)]
        rows.append([np.repeat(group, count), position, p, q, *both])
    return [np.concatenate(column) for column in zip(*rows)]


def gathered(tape: Tape, lines: Lines, rows: list[Ints]) -> Terms:
    """The products of sums, in the order in which they are added, each in its outermost sum."""
    line, position, p, q, place_p, place_q = rows
    uses = np.bincount(tape.args, minlength=tape.first + len(tape))
    np.add.at(uses, tape.outputs, 1)
    length = np.bincount(line, minlength=len(tape))
    source = np.maximum(p - tape.first, 0)
    inside = (q == lines.constant(1.0)) & (p >= tape.first) & (uses[p] == 1)
    inside &= length[source] > 0
    receives = np.zeros(len(tape), dtype=bool)  # its products do not stand together with a move
    receives[line[inside]] = True
    inside &= (position == 0) | ((length[source] == 1) & ~receives[source])
    into = np.arange(len(tape))
    into[source[inside]] = line[inside]
    # A line stands before those that it goes into, and so do its products: unless it is a single
    # product that goes to a later place than the first.
    late = inside & (position > 0)
    moved = np.full((2, len(tape)), -1)
    moved[:, source[late]] = line[late], position[late]
    has_moved = moved[0, line] >= 0
    key, at = [np.where(has_moved, m[line], x) for m, x in zip(moved, (line, position))]
    root = followed(into)[line]
    kept = np.flatnonzero(~inside)
    kept = kept[np.lexsort((at[kept], key[kept], root[kept]))]
    return Terms(*[x[kept] for x in (root, p, q, line, place_p, place_q)])
