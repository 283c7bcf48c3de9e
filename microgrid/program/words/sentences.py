"""What matrices are made of: formulas read off the lines that compute them, entry by entry.

W used by Y = X W + b:   the lines of dW add up  Σₙ x[n, i]·dy[n, j]:   dW = Xᵀ dY
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from microgrid.engine.families import falling
from microgrid.engine.value import Op
from microgrid.program.plan.lines import REDUCE
from microgrid.program.plan.products import NONE
from microgrid.program.tape import Ints
from microgrid.program.text.tables import Tables
from microgrid.program.words.arrangement import signatures
from microgrid.program.words.formulas import (
    EACH_COLUMN,
    EACH_ROW,
    ENTRYWISE,
    MATMUL,
    NEGATIVE,
    OVER_COLUMNS,
    OVER_ROWS,
    SAMPLES,
    SCALE,
    TOTAL,
    Formula,
    leaves_of,
    made,
    total,
    turned,
    unknown,
)  # fmt: skip
from microgrid.program.words.names import Matrix, Names, Place

DEEPEST = 12  # lines without a name inside of a formula
MOST_TERMS = 24  # of a formula
MOST_SUMMANDS = 3  # products of matrices that are one, for weights that are used several times
MOST_PARTS = 8  # of a matrix that have formulas of their own


class Sentence(NamedTuple):
    """target = formula, for these slots; `is_same` where the slots have another name, too."""

    target: Formula
    formula: Formula
    slots: Ints
    is_same: bool = False


class Reader:
    """Reads formulas off the lines; `rows_are_samples` where a sample is one row of each matrix.

    Then a matrix has a row for each sample, and a sum over the batch is 1ᵀ A; else it is Σₙ.
    """

    def __init__(self, tables: Tables, names: Names, rows_are_samples: bool) -> None:
        self.tables, self.names, self.rows_are_samples = tables, names, rows_are_samples
        lines = tables.lines
        self.per_sample = lines.per_sample
        self.at = np.full(lines.slots, NONE), np.full(lines.slots, NONE)  # of a product at work

    def sentences(self, matrix: Matrix) -> list[Sentence]:
        """What a matrix is made of: one formula, or one for each part whose lines are alike."""
        names, slots = self.names, matrix.slots
        owner = names.owner[slots]
        matrix.turn(slots.shape)
        is_same = bool((owner < 0).any()) or names.matrices[owner[0, 0]] is not matrix
        whole = self.read(slots, 0) if is_same else self.computed(slots, 0)
        if whole is None and names.is_constant[slots].any():
            whole, is_same = self.around_zeros(slots), False
        if whole is not None:
            return [Sentence(names.whole(matrix), self.spread(whole, slots), slots, is_same)]
        found = []
        for rows, columns in self.parts(slots):
            part = slots[np.ix_(rows, columns)]
            formula = self.computed(part, 0)
            if formula is not None:
                target = names.part(Place(matrix, rows, columns, False))
                found.append(Sentence(target, self.spread(formula, part), part))
        return found

    def around_zeros(self, slots: Ints) -> Formula | None:
        """M ⊙ (dY Xᵀ): a product of which some entries are the number 0."""
        filled, tables = ~self.names.is_constant[slots], self.tables
        if not filled.any() or (tables.count[slots[filled]] != 1).any():
            return None
        of = tables.product[tables.start[slots[filled]]]
        if of[0] < 0 or (of != of[0]).any():
            return None
        product = tables.products[int(of[0])]
        (i, j), (row, column) = np.nonzero(product.out >= 0), self.at
        row[product.out[i, j]], column[product.out[i, j]] = i, j
        for a, b, one, other in ((row, column, product.left, product.right),
                                 (column, row, product.right, product.left)):  # fmt: skip
            rows = np.where(filled, a[slots], NONE).max(axis=1)
            columns = np.where(filled, b[slots], NONE).max(axis=0)
            fits = (a[slots] == rows[:, None]) & (b[slots] == columns)
            if min(rows.min(), columns.min()) >= 0 and fits[filled].all():
                found = self.product(one[rows], other[columns], product.code)
                return None if found is None else made(ENTRYWISE, self.names.mask(filled), found)
        return None

    def parts(self, slots: Ints) -> list[tuple[Ints, Ints]]:
        """The rows and columns of slots whose lines are alike."""
        has = self.tables.count[slots] > 0
        key = np.full(slots.shape, NONE)
        if has.any():
            key[has] = signatures(self.tables, self.names, slots[has])
        key[~has] = -2 - self.tables.call[slots[~has]]
        found = []
        for k in np.unique(key).tolist():
            i, j = np.nonzero(key == k)
            rows, columns = np.unique(i), np.unique(j)
            if len(rows) * len(columns) == len(i) < slots.size:
                found.append((rows, columns))
        return sorted(found, key=lambda part: (part[0][0], part[1][0]))[:MOST_PARTS]

    def spread(self, formula: Formula, slots: Ints) -> Formula:
        """A formula of one row or one column for all rows or columns."""
        if self.names.is_number(formula):
            return formula
        m, n = slots.shape
        p, q = self.names.shape(formula)
        if p < m:
            formula = made(EACH_ROW, formula)
        return made(EACH_COLUMN, formula) if q < n else formula

    # Slots as formulas.

    def read(self, slots: Ints, depth: int) -> Formula | None:
        """Slots by the name of their matrix, else what their lines compute."""
        if slots.size > 1 and (slots == slots[:1]).all() and len(slots) > 1:
            return self.read(slots[:1], depth)
        if slots.shape[1] > 1 and (slots == slots[:, :1]).all():
            return self.read(slots[:, :1], depth)
        if depth > DEEPEST:
            return None
        found = self.names.view(slots)
        return self.computed(slots, depth) if found is None else found

    def computed(self, slots: Ints, depth: int) -> Formula | None:
        """What the lines of these slots compute; None where that is no formula of matrices."""
        counts = self.tables.count[slots]
        if (counts == 0).all():
            return self.called(slots, depth)
        return self.added(slots, depth) if (counts > 0).all() else None

    def called(self, slots: Ints, depth: int) -> Formula | None:
        """An operation on each entry of matrices, or on each row of one."""
        found = self.tables.operation(slots)
        if found is None:
            return None
        op, args = found
        if op.arity is None:
            return self.of_rows(op, slots, args, depth)
        operands = [self.read(args[..., k], depth + 1) for k in range(args.shape[-1])]
        if None in operands:
            return None
        xs = [x for x in operands if x is not None]
        if op is falling(1) and self.names.is_number(xs[1]) and xs[1].data == 2:
            return self.scaled(xs[1], xs[0])
        return made(unknown(op, len(xs)), *xs)

    def of_rows(self, op: Op, slots: Ints, args: Ints, depth: int) -> Formula | None:
        """An operation on the rows of matrices, or on all entries of a vector."""
        if slots.shape[1] > 1:
            return None
        table, is_column = args[:, 0], False
        if slots.size == 1:  # of a vector, however it stands
            own = self.names.owner[table[0]]
            shapes = {self.names.matrices[i].slots.shape for i in own[own >= 0].tolist()}
            is_column = any(m > n == 1 for m, n in shapes)
            whole = self.whole_matrix(table[0])
            if whole is not None:
                return made(unknown(op, 1, "whole"), whole)
        again = (table[:, 1:] == table[:, :-1]).all(axis=0)  # the same number twice
        cuts = np.flatnonzero((np.diff(self.kinds(table[0])) != 0) | again) + 1
        pieces = np.split(table, cuts, axis=1)
        read = [self.read(piece.T if is_column else piece, depth + 1) for piece in pieces]
        found = [x for x in read if x is not None]
        if len(found) < len(pieces):
            return None
        return made(unknown(op, len(found), "column" if is_column else "rows"), *found)

    def whole_matrix(self, slots: Ints) -> Formula | None:
        """The matrix of two dimensions whose entries these are, row by row."""
        owner = self.names.owner[slots]
        matrix = self.names.matrices[owner[0]] if owner[0] >= 0 else None
        if matrix is None or 1 in matrix.slots.shape or matrix.slots.size != len(slots):
            return None
        is_all = (matrix.slots.ravel() == slots).all() and owner[0] not in self.names.hidden
        return self.names.whole(matrix) if is_all else None

    def added(self, slots: Ints, depth: int) -> Formula | None:
        """A sum: the products of matrices in it, and what else its lines add, in their order."""
        tables = self.tables
        term, line = tables.terms_of(slots.ravel())
        of, first = tables.product[term], term[0]
        summands: list[tuple[int, Formula]] = []
        for product in np.unique(of[of >= 0]).tolist():
            formula = self.multiplied(product, slots, term[of == product])
            if formula is None:
                return None
            begin = int(term[(of == product) & (line == 0)][0] - first)
            summands.append((begin, formula))
        rest, own = term[of < 0], line[of < 0]
        each = np.bincount(own, minlength=slots.size)
        if (each != each[0]).any():
            return None
        table = rest[np.argsort(own, kind="stable")].reshape(*slots.shape, int(each[0]))
        for begin, end in self.runs(table[0, 0]):
            if len(summands) > MOST_TERMS:
                return None
            formula = self.run(table[..., begin:end], slots, depth)
            if formula is None:
                return None
            summands.append((int(table[0, 0, begin] - first), formula))
        return total([formula for _, formula in sorted(summands, key=lambda x: x[0])])

    def multiplied(self, index: int, slots: Ints, terms: Ints) -> Formula | None:
        """A product of matrices, whose entries are all of these slots."""
        product = self.tables.products[index]
        row, column = self.at
        i, j = np.nonzero(product.out >= 0)
        out = product.out[i, j]
        row[out], column[out] = i, j
        rows, columns = row[slots], column[slots]
        row[out] = column[out] = NONE
        left, right = product.left, product.right
        if (rows < 0).any() or len(terms) != ((left[rows] >= 0) & (right[columns] >= 0)).sum():
            return None
        if (rows != rows[:, :1]).any() or (columns != columns[:1]).any():
            rows, columns, left, right = columns, rows, right, left
            if (rows != rows[:, :1]).any() or (columns != columns[:1]).any():
                return None
        left, right = left[rows[:, 0]], right[columns[0]]
        if self.rows_are_samples and slots.size == 1 and self.per_sample[right.max()]:
            left, right = right, left  # the row of samples stands first
        names = self.names
        full = [x[0] for x in (left, right) if (x[0] >= 0).all()] or [left.max(axis=0)]
        lead = min(full, key=lambda x: names.owner[x[0]])  # as the older matrix is stored
        k = np.argsort(names.key(lead), kind="stable")
        left, right = left[:, k], right[:, k]
        owners = np.stack([names.owner[left.max(axis=0)], names.owner[right.max(axis=0)]])
        cuts = np.flatnonzero((np.diff(owners) != 0).any(axis=0)) + 1
        pieces = zip(np.split(left, cuts, axis=1), np.split(right, cuts, axis=1))
        if len(cuts) >= MOST_SUMMANDS or not (np.diff(owners) != 0).all(axis=0)[cuts - 1].all():
            pieces = zip([left], [right])
        summands = [self.product(a, b, product.code) for a, b in pieces]
        return None if None in summands else total([x for x in summands if x is not None])

    def product(self, left: Ints, right: Ints, code: int) -> Formula | None:
        """left · rightᵀ, of slots; with code REDUCE its sum over the samples."""
        if self.rows_are_samples and code == REDUCE:
            a, b = self.names.view(left.T), self.names.view(right.T)
            return None if a is None or b is None else made(MATMUL, turned(a), b)
        a, b = self.named(left), self.named(right.T)
        if a is None or b is None:
            return None
        found = made(MATMUL, a, b)
        return made(SAMPLES, found) if code == REDUCE else found

    def named(self, slots: Ints) -> Formula | None:
        """Slots as a matrix that has them, or as a new one of entries of others."""
        found = self.names.view(slots)
        return self.names.gather(slots) if found is None else found

    def runs(self, term: Ints) -> list[tuple[int, int]]:
        """Terms that follow each other with factors of the same matrices."""
        if not len(term):
            return []
        tables = self.tables
        owners = [self.kinds(x) for x in (tables.p[term], tables.q[term])]
        key = np.stack([*np.sort(owners, axis=0), tables.reduce[term]])
        cuts = [0, *(np.flatnonzero((np.diff(key) != 0).any(axis=0)) + 1).tolist(), len(term)]
        return [*pairwise(cuts)]

    def kinds(self, slots: Ints) -> Ints:
        """The matrix of each slot; where there is none, what sets it."""
        names, count = self.names, len(self.tables.calls)
        own = np.where(names.is_constant[slots], -2 - count - slots, -2 - self.tables.call[slots])
        return np.where(names.owner[slots] < 0, own, names.owner[slots])

    def run(self, term: Ints, slots: Ints, depth: int) -> Formula | None:
        """Terms of the same kind: one for each entry, or a sum over rows, columns or all."""
        p, q = self.tables.p[term], self.tables.q[term]
        reduce = self.tables.reduce[term]
        lead = p[0, 0] if (p[0, 0] != p[0, 0, 0]).any() else q[0, 0]
        k = np.argsort(self.names.key(lead), kind="stable")  # as the matrices are stored
        p, q = p[..., k], q[..., k]
        if (reduce != reduce.flat[0]).any():
            return None
        if term.shape[-1] == 1:
            p, q = p[..., 0], q[..., 0]
            return self.over_samples(p, q, depth) if reduce.flat[0] else self.times(p, q, depth)
        m, n, many = term.shape
        if (p == p[..., :1]).all() and (q == q[..., :1]).all():
            found = self.run(term[..., :1], slots, depth)
            return None if found is None else self.scaled(self.names.plain(many), found)
        if reduce.flat[0]:
            return None
        if m == n == 1:
            return self.whole_sum(p[0, 0], q[0, 0], depth)
        if n == 1:
            return self.over(OVER_COLUMNS, self.times(p[:, 0], q[:, 0], depth), (m, many))
        if m == 1:
            return self.over(OVER_ROWS, self.times(p[0].T, q[0].T, depth), (many, n))
        if (p == p[:, :1]).all() and (q == q[:, :1]).all():
            return self.run(term[:, :1], slots[:, :1], depth)
        if (p == p[:1]).all() and (q == q[:1]).all():
            return self.run(term[:1], slots[:1], depth)
        return None

    def over(self, op: Op, formula: Formula | None, shape: tuple[int, int]) -> Formula | None:
        """The sum of a formula over its rows or columns, if it has this shape."""
        if formula is None:
            return None
        many = shape[0] if op is OVER_ROWS else shape[1]
        if self.names.is_number(formula):
            return self.scaled(self.names.plain(many), formula)
        return made(op, formula) if self.names.shape(formula) == shape else None

    def over_samples(self, p: Ints, q: Ints, depth: int) -> Formula | None:
        """The sum of p ⊙ q over the samples."""
        is_column = self.rows_are_samples and p.shape[0] > 1
        if is_column and p.shape[1] > 1:
            return None
        if is_column:
            p, q = p.T, q.T
        a, b = self.read(p, depth + 1), self.read(q, depth + 1)
        if a is None or b is None:
            return None
        whole = self.product_of(a, b)
        if self.names.is_number(whole):  # once for each sample
            count = self.names.view(np.array([[self.tables.samples]]))
            return None if count is None else self.scaled(whole, count)
        if not self.rows_are_samples:
            return made(SAMPLES, whole)
        for row, weight in ((a, b), (b, a)):  # Σₙ wₙ rowₙ is a product of matrices
            numbers = self.names.is_number(row) or self.names.is_number(weight)
            if self.names.shape(row)[1] > 1 == self.names.shape(weight)[1] and not numbers:
                return made(MATMUL, turned(row), weight) if is_column else made(
                    MATMUL, turned(weight), row)  # fmt: skip
        found = made(OVER_ROWS, whole)
        return turned(found) if is_column else found

    def whole_sum(self, p: Ints, q: Ints, depth: int) -> Formula | None:
        """The sum of all entries of a matrix, or of two, entry by entry."""
        names = self.names
        for main, other in ((p, q), (q, p)):
            owner = names.owner[main]
            if owner[0] < 0 or (owner != owner[0]).any() or len(np.unique(main)) < len(main):
                continue
            matrix = names.matrices[owner[0]]
            k = np.argsort(names.place[main])
            r, c = np.divmod(names.place[main][k], matrix.slots.shape[1])
            rows, columns = np.unique(r), np.unique(c)
            if len(rows) * len(columns) != len(main):
                continue
            shape = len(rows), len(columns)
            is_row = self.rows_are_samples and self.per_sample[main[0]] and shape[0] == 1
            if self.rows_are_samples and self.per_sample[other[0]] > self.per_sample[main[0]]:
                continue  # the row of samples stands first
            dot = self.dotted(main[k], other[k], is_row) if 1 in shape else None
            if dot is not None:
                return dot
            found = self.times(main[k].reshape(shape), other[k].reshape(shape), depth)
            if found is not None:
                return made(OVER_COLUMNS if is_row else TOTAL, found)
        return None

    def dotted(self, p: Ints, q: Ints, is_row: bool) -> Formula | None:
        """The product of a row and a column: of vectors, where these have names."""
        names = self.names
        if (p == q).all() or (names.owner[p] < 0).any() or (names.owner[q] < 0).any():
            return None
        if self.rows_are_samples and self.per_sample[q[0]]:
            return None
        a, b = names.view(p[None]), names.view(q[:, None])
        return None if a is None or b is None else made(MATMUL, a, b)

    def times(self, p: Ints, q: Ints, depth: int) -> Formula | None:
        """p ⊙ q, of slots."""
        a, b = self.read(p, depth + 1), self.read(q, depth + 1)
        return None if a is None or b is None else self.product_of(a, b)

    def product_of(self, a: Formula, b: Formula) -> Formula:
        """a ⊙ b, without a factor of 1."""
        for one, other in ((a, b), (b, a)):
            if self.names.is_number(one):
                return self.scaled(one, other)
        for one, other in ((a, b), (b, a)):
            if self.names.shape(one) == (1, 1):
                if not (self.rows_are_samples and self.has_samples(one)):
                    return made(SCALE, one, other)
                if not self.has_samples(other):  # a column of samples times a row
                    return made(MATMUL, one, other)
        return made(ENTRYWISE, a, b)

    def has_samples(self, formula: Formula) -> bool:
        """Whether a formula has a value for each sample."""
        held = [self.names.held[x] for x in leaves_of(formula)]
        return any(kind == "slots" and self.per_sample[slots].any() for kind, slots in held)

    def scaled(self, number: Formula, other: Formula) -> Formula:
        """A number times a matrix."""
        if number.data in (1, 0):
            return other if number.data else number
        if self.names.is_number(other) and {type(number.data), type(other.data)} == {int}:
            return self.names.plain(number.data * other.data)
        return made(NEGATIVE, other) if number.data == -1 else made(SCALE, number, other)
