"""The matrices found again: products of matrices, read off lines that know scalars alone.

A line that adds up products, out = Σₖ pₖ·qₖ, is an entry of a product of matrices if other lines
share its vectors: lines with one vector q are Y = P q, several of them with the same P are Y = P Q.
So a layer is found however it was written: with its terms in any order, its factors in any order, a
bias before or behind. In a batch, a slot with a number for each sample is a row over the samples,
and a sum over the batch is an entry of dW = Σ dY Xᵀ.

The vectors are compared by hashes, whose equality proves nothing. So each product is compared with
its lines entry by entry before it is believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from microgrid.program.plan.lines import REDUCE, SUM, Lines
from microgrid.program.tape import Ints

Hashes = NDArray[np.uint64]
LEAST = 4  # products of scalars, from which lines are a product of matrices
FILL = 0.6  # so much of a matrix with zeros in it must be there
NONE = -1  # in a matrix of slots: no line, or a zero that was filled in
GOLDEN = 0x9E3779B97F4A7C15  # the golden ratio in 64 bits: its multiples are far apart
ROUNDS = 3  # of looking for lines that share most of their vectors


class Sums(NamedTuple):
    """All lines that add up products; their terms, line by line in the order of the addition."""

    out: Ints  # of each line: the slot of its result
    code: Ints  # SUM or REDUCE
    phase: Ints
    window: Ints
    rank: Ints
    depth: Ints
    line: Ints  # of each term: its line, as a place in `out`
    p: Ints  # its factors, as slots
    q: Ints

    def alike(self) -> Ints:
        """A number for each line, equal for those that may run side by side."""
        return numbered(self.code, self.phase, self.window, self.rank, self.depth)


@dataclass(frozen=True, eq=False)
class Product:
    """Lines that are a product of matrices: out[i, j] = Σₖ left[i, k]·right[j, k], all of slots.

    With code REDUCE the sum goes over the samples of the batch, too. `lines[i, j]` is the line of
    an entry, `terms` tells which terms of `Sums` they hold; what else a line adds is no part of the
    product. It is `ordered` if every line adds up in the order of k, with no zeros filled in.
    """

    out: Ints  # M×N
    left: Ints  # M×K
    right: Ints  # N×K
    code: int
    phase: int
    lines: Ints  # M×N, NONE where out is
    terms: Ints
    ordered: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """M, N and K: the product is M×K · K×N."""
        return (*self.out.shape, self.left.shape[1])

    @property
    def volume(self) -> int:
        """How many multiplications the product takes, for each sample."""
        m, n, k = self.shape
        return m * n * k


class Found(NamedTuple):
    """What `discovered` found: the products, and the sums that they stand for.

    `true` says which terms have two factors that are no constants, so that they may be part of a
    product; `taken` says which are.
    """

    products: list[Product]
    sums: Sums
    true: Any
    taken: Any


def sums_of(lines: Lines) -> Sums:
    """The lines that add up products, with the slots that hold the numbers of their factors."""
    to = lines.resolved()
    columns: list[list[Ints]] = [[np.zeros(0, dtype=np.int64)] * 6]
    terms: list[list[Ints]] = [[np.zeros(0, dtype=np.int64)] * 3]
    count = 0
    for (out, _, size, *order), (code, args) in zip(lines.columns, lines.args):
        if code in (SUM, REDUCE):
            columns.append([out, np.full(len(out), code), *order])
            p, q = to[args.reshape(-1, 2)].T
            terms.append([count + np.repeat(np.arange(len(out)), size // 2), p, q])
            count += len(out)
    return Sums(*[np.concatenate(x) for x in (*zip(*columns), *zip(*terms))])


def depths(lines: Lines) -> Ints:
    """For each slot how many lines, one after the other, it takes: equal ones are independent.

    The rank counts operations of the tape instead: rows in which terms are missing differ in it.
    """
    to, depth = lines.resolved(), np.zeros(lines.slots, dtype=np.int64)
    out, _, size, phase, window, rank, within = [np.concatenate(x) for x in zip(*lines.columns)]
    args = to[np.concatenate([own for _, own in lines.args])]
    end = np.cumsum(size)
    order = np.lexsort((within, rank, window, phase))
    key = np.stack([within, rank, window, phase])[:, order]
    cuts = np.flatnonzero((np.diff(key) != 0).any(axis=0)) + 1
    for now in np.split(order, cuts) if len(order) else ():
        begin = np.cumsum(size[now]) - size[now]
        place = np.repeat(end[now] - size[now] - begin, size[now]) + np.arange(size[now].sum())
        deepest = np.maximum.reduceat(depth[args[place]], begin)
        np.maximum.at(depth, out[now], deepest + 1)
    return depth


def discovered(
    lines: Lines, least: int = LEAST, fill: float = FILL, depth: Ints | None = None
) -> Found:
    """The products of matrices among the lines, of at least so many products of scalars each.

    The lines of one product have the same rank, and can run when these run; with the `depths` of
    slots they have the same depth. So more is found, but some lines would run earlier than now.
    """
    sums = sums_of(lines)
    if depth is not None:
        sums = sums._replace(rank=depth[sums.out])
    line, p, q = sums.line, sums.p, sums.q
    constant = np.zeros(lines.slots, dtype=bool)
    constant[[*lines.constants]] = True
    per_sample = lines.per_sample
    true = ~(constant[p] | constant[q])
    reduce = sums.code[line] == REDUCE
    # A product of two rows of samples belongs to each sample alone: they share no matrix.
    open_ = true & (reduce | ~(per_sample[p] & per_sample[q]))
    open_ &= reduce | per_sample[p] | per_sample[q] | ~per_sample[sums.out[line]]
    alike = sums.alike()
    swap = sides(sums, alike, open_, per_sample, lines.slots)
    left, right = np.where(swap, q, p), np.where(swap, p, q)
    search = Search(sums, alike, left, right, open_, least, fill)
    search.grids(max(least, int(true.sum()) // 1000))
    search.with_zeros()
    search.batch_with_zeros()
    search.grids(least, vectors=True)  # small pieces last: they may be parts of a matrix with zeros
    return Found(search.products, sums, true, true & ~search.open)


def sides(sums: Sums, alike: Ints, open_: Any, per_sample: Any, slots: int) -> Any:
    """Whether the factors of each term change sides, so that lines share the right one.

    There are four ways to tell; each line takes that in which most lines have its vector.
    """
    line, p, q = sums.line, sums.p, sums.q
    n, never = len(sums.out), np.zeros(len(line), dtype=bool)
    uses = np.bincount(np.concatenate([p[open_], q[open_]]), minlength=slots)
    by_uses = uses[p] > uses[q]
    by_samples = np.where(per_sample[p] != per_sample[q], per_sample[p], by_uses)
    length = np.bincount(line[open_], minlength=n)
    mixed_p, mixed_q = [np.where(open_, mixed(x, 3), np.uint64(0)) for x in (p, q)]
    best, found = np.zeros(n, dtype=np.int64), never
    for swap in (by_samples, never, ~never, by_uses):
        shared = np.zeros(n, dtype=np.uint64)  # a hash of the slots, in whatever order
        np.add.at(shared, line, np.where(swap, mixed_p, mixed_q))
        group = numbered(alike, length, shared)
        company = np.bincount(group)[group]
        score = np.minimum(company, 64) * (1 + np.minimum(length, 64))
        better = score > best
        best[better] = score[better]
        found = np.where(better[line], swap, found)
    return found


class Search:
    """Looks for products among terms left·right; those that it takes are not `open` any more."""

    def __init__(
        self, sums: Sums, alike: Ints, left: Ints, right: Ints, open_: Any, least: int, fill: float
    ) -> None:
        self.sums, self.alike, self.left, self.right = sums, alike, left, right
        self.open, self.least, self.fill = open_.copy(), least, fill
        self.products: list[Product] = []

    def take(self, lines: Ints, left: Ints, right: Ints, terms: Ints, ordered: bool) -> None:
        """Note a product whose entries have been compared with the lines."""
        sums = self.sums
        first = lines[lines >= 0][0]
        self.open[terms] = False
        out = np.where(lines >= 0, sums.out[lines], NONE)
        code, phase = int(sums.code[first]), int(sums.phase[first])
        self.products.append(Product(out, left, right, code, phase, lines, terms, ordered))

    def grids(self, least: int, vectors: bool = False) -> None:
        """Lines with one vector on the right; then groups of them that share the left vectors.

        With `vectors` also a number times a vector.
        """
        sums, n = self.sums, len(self.sums.out)
        order, line = by_line(sums.line, self.right, self.open)
        length = np.bincount(line, minlength=n)
        begin = np.cumsum(length) - length
        lefts, rights = [hashes(x[order], line, n) for x in (self.left, self.right)]
        alike = self.alike
        group = numbered(alike, length, rights)
        some = np.flatnonzero(length > 0)
        sets = np.zeros(n, dtype=np.uint64)
        np.add.at(sets, group[some], mixed(lefts[some], 5))
        size = np.bincount(group[some], minlength=n)
        grid = numbered(alike, length, sets[group], size[group])
        count, rows, k = np.bincount(grid[some])[grid[some]], size[group[some]], length[some]
        worth = (count > 1) & (count * k >= least) & (count % rows == 0)
        worth &= vectors | (k > 1) | (np.minimum(rows, count // rows) > 1)
        some = some[worth]
        for mine in pieces(some[np.lexsort((some, group[some], grid[some]))], grid):
            k = length[mine[0]]
            block = mine.reshape(-1, size[group[mine[0]]])  # a line for each vector on the right
            by_left = np.argsort(lefts[block], axis=1, kind="stable")
            block = block[np.arange(len(block))[:, None], by_left]
            block = block[:, np.argsort(block[0], kind="stable")]  # rows in the order of the lines
            at = order[begin[block][..., None] + np.arange(k)]
            at = at[..., np.argsort(at[0, 0])]  # the order in which the scalar line adds up
            ordered = bool((at[..., 1:] > at[..., :-1]).all())
            left, right = self.left[at[0]], self.right[at[:, 0]]
            if (self.left[at] == left).all() and (self.right[at] == right[:, None]).all():
                self.take(block.T, left, right, at.ravel(), ordered)

    def with_zeros(self) -> None:
        """Lines that share most of their right vector.

        All that hang together by shared slots, or else groups by a hash of the least slot.
        """
        line, right = self.sums.line, self.right
        terms = np.flatnonzero(self.open & (self.sums.code[line] == SUM))
        vector = numbered(self.alike[line[terms]], right[terms])
        group = connected(line[terms], vector)
        self.take_filled(terms, group)
        # Lines of one hash hang together: no group among them has more than all of these.
        terms = terms[self.open[terms] & self.enough(group, line[terms], right[terms], fill=0.0)]
        for salt in range(ROUNDS if len(terms) else 0):
            low = np.full(len(self.sums.out), np.iinfo(np.uint64).max, dtype=np.uint64)
            np.minimum.at(low, line[terms], mixed(right[terms], salt))
            self.take_filled(terms, numbered(self.alike, low)[line[terms]])
            terms = terms[self.open[terms]]

    def take_filled(self, terms: Ints, group: Ints) -> None:
        """Take each group of terms that is a matrix with zeros."""
        line, right = self.sums.line[terms], self.right[terms]
        for mine, rows, columns, i, k in self.filled(group, line, right):
            left = np.full((len(rows), len(columns)), NONE)
            left[i, k] = self.left[terms[mine]]
            if (left >= 0).sum() == len(mine):  # no line has a slot twice
                self.take(rows[:, None], left, columns[None], terms[mine], False)

    def batch_with_zeros(self) -> None:
        """Sums of one product, upstream × local, over the batch that nearly make a grid."""
        sums = self.sums
        alone = np.bincount(sums.line, minlength=len(sums.out))[sums.line] == 1
        terms = np.flatnonzero(self.open & alone & (sums.code[sums.line] == REDUCE))
        upstream, local = sums.p[terms], sums.q[terms]
        for mine, rows, columns, i, j in self.filled(connected(upstream, local), upstream, local):
            lines = np.full((len(rows), len(columns)), NONE)
            lines[i, j] = sums.line[terms[mine]]
            if (lines >= 0).sum() == len(mine):  # no pair of factors is in two lines
                ordered = lines.size == len(mine)
                self.take(lines, rows[:, None], columns[:, None], terms[mine], ordered)

    def enough(self, group: Ints, row: Ints, column: Ints, fill: float) -> Any:
        """Whether the group of each entry is a matrix, of two rows and columns, that is so full."""
        high, wide = different(group, row), different(group, column)
        least = np.maximum(self.least, fill * high * wide)
        return ((np.bincount(group) >= least) & (np.minimum(high, wide) >= 2))[group]

    def filled(self, group: Ints, row: Ints, column: Ints) -> Iterator[tuple[Ints, ...]]:
        """The groups of entries that are enough for a matrix with zeros.

        For each: which entries they are, its rows, its columns, and where the entries are in it.
        """
        order = np.flatnonzero(self.enough(group, row, column, self.fill))
        for mine in pieces(order[np.argsort(group[order], kind="stable")], group):
            rows, i = np.unique(row[mine], return_inverse=True)
            columns, j = np.unique(column[mine], return_inverse=True)
            yield mine, rows, columns, i, j


def by_line(line: Ints, slot: Ints, open_: Any) -> tuple[Ints, Ints]:
    """The open terms of each line by this slot, and their lines."""
    order = np.flatnonzero(open_)
    order = order[np.lexsort((slot[order], line[order]))]
    return order, line[order]


def pieces(order: Ints, key: Ints) -> Iterator[Ints]:
    """The order cut where the key changes."""
    if len(order):
        yield from np.split(order, np.flatnonzero(np.diff(key[order])) + 1)


def different(group: Ints, x: Ints) -> Ints:
    """How many different numbers each group has."""
    base = x.max(initial=0) + 1
    return np.bincount(np.unique(group * base + x) // base)


def connected(left: Ints, right: Ints) -> Ints:
    """A number for each pair, the same for those that share a left or a right slot, and so on."""
    (rows, i), (columns, j) = [np.unique(x, return_inverse=True) for x in (left, right)]
    label = np.arange(len(rows))
    while True:
        low = np.full(len(columns), len(rows))
        np.minimum.at(low, j, label[i])
        nearer = label.copy()
        np.minimum.at(nearer, i, low[j])
        if (nearer == label).all():
            break
        label = nearer
    return label[i]


def mixed(x: Any, salt: int) -> Hashes:
    """A hash of ints: the finalizer of splitmix64 (Steele, Lea, Flood, 2014)."""
    z = np.asarray(x).astype(np.uint64) + np.uint64(GOLDEN * (salt + 1) % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return z ^ (z >> np.uint64(31))


def numbered(*columns: Any) -> Ints:
    """For each row of the columns a number, the same for equal rows."""
    key = np.zeros(len(columns[0]), dtype=np.uint64)
    for k, column in enumerate(columns):
        key += column.astype(np.uint64) * np.uint64(pow(GOLDEN, k + 1, 2**64))
    found: Ints = np.unique(key, return_inverse=True)[1].ravel()
    return found


def hashes(slot: Ints, line: Ints, count: int) -> Hashes:
    """A hash of the vector of slots of each line; the lines stand in order."""
    begin = np.concatenate([[0], np.cumsum(np.bincount(line, minlength=count))])
    place = (np.arange(len(line)) - begin[line]).astype(np.uint64)
    found = np.zeros(count, dtype=np.uint64)
    np.add.at(found, line, mixed(slot.astype(np.uint64) * np.uint64(1 << 32) + place, 1))
    return found
