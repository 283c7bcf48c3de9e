"""The forward pass of a tape: every sum of products becomes one line."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from microgrid.program.plan.lines import SUM, Lines, followed, groups
from microgrid.program.tape import Ints


class Terms(NamedTuple):
    """Products of two slots: row r adds p[r]·q[r] to the slot of line `root`, in this order."""

    root: Ints
    p: Ints
    q: Ints
    line: Ints  # of the tape, that the product comes from
    place_p: Ints  # among the operands there
    place_q: Ints


APART = 3  # sums in a sum, from which its first operand is one of them


def forward(lines: Lines, apart: bool = False) -> Terms:
    """Add the lines of the forward pass; the terms of its sums.

    A sum takes in a product that is used once, and as its first operand another sum that is used
    once: so a neuron is one line. The order of the additions stays. With `apart` the first operand
    is a line of its own where several others are: so all entries of Σ Y are alike.
    """
    first = lines.tape.first
    for code, group, xs in groups(lines.tape, of_sums=False):
        lines.add(first + group, code, xs.shape[1], xs, lines.forward_order(group))
    terms = gathered(lines, products(lines), apart)
    roots, counts = np.unique(terms.root, return_counts=True)
    pairs = np.stack([terms.p, terms.q], axis=1)
    lines.add(first + roots, SUM, 2 * counts, pairs, lines.forward_order(roots))
    return terms


def products(lines: Lines) -> list[Ints]:
    """The products of all sums: line, position in it, two factors, their places as operands."""
    rows: list[list[Ints]] = [[np.zeros(0, dtype=np.int64)] * 6]
    for code, group, xs in groups(lines.tape, of_sums=True):
        (p, first), (q, second) = lines.factors(lines.tape.ops[code], xs)
        count, none = p.shape[1], xs.shape[1]  # the place of what is no operand
        places = [[x if isinstance(x, int) else none for x in f] for f in (first, second)]
        position, *both = [np.tile(x, len(group)) for x in (range(count), *places)]
        rows.append([np.repeat(group, count), position, p.ravel(), q.ravel(), *both])
    return [np.concatenate(column) for column in zip(*rows)]


def gathered(lines: Lines, rows: list[Ints], apart: bool) -> Terms:
    """The products of sums, in the order in which they are added, each in its outermost sum."""
    tape = lines.tape
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
    if apart:
        sums = (q == lines.constant(1.0)) & (p >= tape.first) & ~inside & (length[source] > 0)
        root = followed(into)[line]
        count, adds = [np.bincount(x[sums], minlength=len(tape)) for x in (root, line)]
        first = inside & (position == 0) & (adds[line] > 0) & (adds[source] == 0)
        inside &= ~(first & (count[root] >= APART))
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
