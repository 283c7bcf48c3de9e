"""Which products of matrices run as such, and what is left of the lines that they take.

A block pays where it is large enough in two dimensions; of a batch the samples are one. It takes
only lines that it adds up in their own order: what else such a line adds must stand before the
block or behind it, and remains a line there. So a block gives the bits of its lines. Sums over the
batch have no order that lines promise, and may be divided at will. A matrix with zeros filled in is
no block, since 0 × inf is nan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from microgrid.program.plan.lines import BLOCK, REDUCE, SUM, Lines
from microgrid.program.plan.products import NONE, Found, Product, discovered
from microgrid.program.tape import Ints

NARROW = 4  # rows at least of a block, and of a sum over the batch columns, too
LEAST = 256  # multiplications of a block of numbers
LEAST_ROWS = 16  # of a block of rows, for each sample
STAGES = 3  # of the lines of one depth: before the blocks, with them, behind them
BEFORE, WITHIN, BEHIND = range(STAGES)


@dataclass(frozen=True, eq=False)
class Block:
    """out[i, j] = first[i, j] + Σₖ left[i, k]·right[j, k] + last[i, j], all of slots, then places.

    With `go_on` it begins with what is in `out` instead of `first`. In a batch either `right` and
    `out` are rows, or all factors are and the block adds their sums over the batch to `out`.
    """

    out: Ints  # M×N
    left: Ints  # M×K
    right: Ints  # N×K
    first: Ints  # M×N
    last: Ints  # M×N
    over_batch: bool
    go_on: bool

    def placed(self, place: Ints) -> Block:
        """The block with the place of each slot."""
        slots = {k: place[getattr(self, k)] for k in ("out", "left", "right", "first", "last")}
        return replace(self, **slots)


class Blocks(NamedTuple):
    """The blocks of a plan, and lines: one for each block, in its place, and those that remain."""

    blocks: list[Block]
    columns: list[list[Ints]]  # of lines, and their arguments, as `Lines` has them
    args: list[tuple[int, Ints]]
    bin: int  # a slot for what a block computes that no line has
    share: float  # of all products of two numbers, those in blocks


def none(lines: Lines) -> Blocks:
    """No blocks: the lines as they are."""
    columns = [[*x[:6], x[6] * STAGES + WITHIN] for x in lines.columns]
    to = lines.resolved()
    return Blocks([], columns, [(code, to[args]) for code, args in lines.args], -1, 0.0)


def blocks(lines: Lines, batched: bool, exact: bool) -> Blocks:
    """The blocks among the lines; with `exact` only those that keep the bits of their lines."""
    terms = sum([len(args) // 2 for code, args in lines.args if code in (SUM, REDUCE)])
    if terms < (LEAST_ROWS if batched else LEAST):
        return none(lines)
    division = Division(lines, discovered(lines), batched, exact)
    return division.divided() if division.chosen else none(lines)


class Division:
    """The terms of all sums, and which block takes each."""

    def __init__(self, lines: Lines, found: Found, batched: bool, exact: bool) -> None:
        self.lines, self.found, self.batched, self.exact = lines, found, batched, exact
        sums = self.sums = found.sums
        self.one, self.zero = lines.constant(1.0), lines.constant(-0.0)  # x + −0 is x
        self.bin = int(lines.new(1)[0])
        self.per_sample = lines.per_sample
        self.taken = np.zeros(len(sums.line), dtype=bool)
        self.begin, self.end = np.zeros((2, len(sums.out)), dtype=np.int64)  # of a line's block
        self.whole = np.zeros(len(sums.out), dtype=bool)  # lines of a block that is no REDUCE
        ordered = sorted(found.products, key=lambda p: -p.volume)  # a line is in one block
        self.chosen = [x for p in ordered if (x := self.turned(p)) and self.take(x)]

    def turned(self, p: Product) -> Product | None:
        """The product with the factors that are rows on the right; None where it does not pay."""
        if (p.left == NONE).any():
            return None
        rows = [self.per_sample[x] for x in (p.left, p.right, p.out[p.out >= 0])]
        if any(x.any() != x.all() for x in rows):  # a matrix with numbers and rows in it
            return None
        left, right, _ = [bool(x.any()) for x in rows]
        m, n, k = p.shape
        if p.code == REDUCE:
            return p if left and right and min(m, n) >= NARROW else None
        if left and not right:
            p = replace(p, out=p.out.T, lines=p.lines.T, left=p.right, right=p.left)
            m, n = n, m
        elif left:
            return None
        if left or right:
            return p if min(m, k // 2 * NARROW) >= NARROW and m * k >= LEAST_ROWS else None
        same = len(np.unique(self.lines.needs_upstream[p.out])) == 1  # they run in one part
        pays = min(m, n, k // 2 * NARROW) >= NARROW and p.volume >= LEAST
        return p if same and pays else None

    def take(self, p: Product) -> bool:
        """Take the terms of a product, unless their lines have other terms in between."""
        if p.code == SUM:
            if self.whole[p.lines].any():
                return False
            line = self.sums.line[p.terms]
            self.begin[line], self.end[line] = len(self.taken), -1
            np.minimum.at(self.begin, line, p.terms)
            np.maximum.at(self.end, line, p.terms)
            together = self.end[p.lines] - self.begin[p.lines] == p.shape[2] - 1
            if self.exact and not (p.ordered and together.all()):
                return False
            self.whole[p.lines] = True
        self.taken[p.terms] = True
        return True

    def divided(self) -> Blocks:
        """The blocks, and the lines with what they leave."""
        sums, n, at = self.sums, len(self.sums.out), np.arange(len(self.sums.line))
        self.columns, self.args, to = [], [], self.lines.resolved()
        for column, (code, args) in zip(self.lines.columns, self.lines.args):
            if code not in (SUM, REDUCE):
                self.columns.append([*column[:6], column[6] * STAGES + WITHIN])
                self.args.append((code, to[args]))
        rest = ~self.taken
        inside = self.whole[sums.line]
        self.add(rest & ~inside, WITHIN)
        first, last = np.full((2, n), self.zero)
        before = rest & inside & (at < self.begin[sums.line])
        behind = rest & inside & ~before
        for terms, target in ((before, first), (behind, last)):
            alone = terms & (np.bincount(sums.line[terms], minlength=n)[sums.line] == 1)
            alone &= (sums.q == self.one) & ~self.per_sample[sums.p]
            target[sums.line[alone]] = sums.p[alone]
            terms &= ~alone
        goes_on = np.zeros(n, dtype=bool)
        goes_on[sums.line[before]] = True
        made = [*self.made(first, last, goes_on)]
        self.add(before, BEFORE)
        self.add(behind, BEHIND, also=sums.out)
        true = self.found.true
        share = float((self.taken & true).sum() / max(true.sum(), 1))
        return Blocks(made, self.columns, self.args, self.bin, share)

    def made(self, first: Ints, last: Ints, goes_on: Any) -> Iterator[Block]:
        """The blocks, each with the line that says when it runs."""
        sums, none = self.sums, np.zeros(0, dtype=np.int64)
        for number, p in enumerate(self.chosen):
            one = p.lines[p.lines >= 0][:1]
            go_on = p.code == SUM and bool(goes_on[p.lines].any())
            if go_on:  # all of its lines begin before it, some of them with nothing
                new = p.lines[~goes_on[p.lines]]
                self.lines_of(new, SUM, BEFORE, first[new], np.full(len(new), self.one))
            order = sums.phase[one], sums.window[one], sums.rank[one]
            depth = sums.depth[one] * STAGES + WITHIN
            code = BLOCK - number
            self.columns.append([sums.out[one], np.array([code]), np.array([0]), *order, depth])
            self.args.append((code, none))
            out = np.where(p.lines >= 0, p.out, self.bin)
            blank = np.full(out.shape, self.zero)
            begin, end = [x[p.lines] if p.code == SUM else blank for x in (first, last)]
            yield Block(out, p.left, p.right, begin, end, p.code == REDUCE, go_on)

    def add(self, terms: Any, stage: int, also: Ints | None = None) -> None:
        """Add lines with these terms, where a line has any; each begins with `also`."""
        sums = self.sums
        line, p, q = sums.line[terms], sums.p[terms], sums.q[terms]
        if also is not None:
            some, begin = np.unique(line, return_index=True)
            line, p = np.insert(line, begin, some), np.insert(p, begin, also[some])
            q = np.insert(q, begin, self.one)
        for code in (SUM, REDUCE):
            mine = sums.code[line] == code
            self.lines_of(line[mine], code, stage, p[mine], q[mine])

    def lines_of(self, line: Ints, code: int, stage: int, p: Ints, q: Ints) -> None:
        """Add lines of one code; their terms stand line by line."""
        sums = self.sums
        some, count = np.unique(line, return_counts=True)
        if len(some):
            order = sums.phase[some], sums.window[some], sums.rank[some]
            depth = sums.depth[some] * STAGES + stage
            codes = np.full(len(some), code)
            self.columns.append([sums.out[some], codes, 2 * count, *order, depth])
            self.args.append((code, np.stack([p, q], axis=1).ravel()))
