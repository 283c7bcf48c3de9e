"""What matrices are made of: formulas read off the lines that compute them, entry by entry.

    W used by Y = X W + b:   the lines of dW add up  Σₙ x[n, i]·dy[n, j]:   dW = Xᵀ dY
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from microgrid.engine.families import falling
from microgrid.engine.value import Op
from microgrid.program.plan.lines import REDUCE
from microgrid.program.plan.products import NONE
from microgrid.program.tape import Ints
from microgrid.program.words.formulas import (
    EACH_COLUMN, EACH_ROW, ENTRYWISE, MATMUL, MINUS, NEGATIVE, OVER_COLUMNS, OVER_ROWS, PLUS,
    SAMPLES, SCALE, TOTAL, TRANSPOSE, Formula, fold, made, unknown,
)  # fmt: skip
from microgrid.program.words.arrangement import signatures
from microgrid.program.words.names import Matrix, Names, Place
from microgrid.program.words.tables import Tables

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
        self.values = lines.constants
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

    def guessed(
        self, matrix: Matrix, gradient: Matrix, forward: Iterable[Sentence]
    ) -> Sentence | None:
        """The gradient that matrix calculus gives for what products are made of; yet to be proved.

        It serves where lines of the gradient look different: at borders of an image, beside zeros.
        """
        names, summands = self.names, list[Formula]()
        for sentence in forward:
            for product in products_in(sentence.formula):
                upstream = names.view(self.tables.to[self.tables.gradient[sentence.slots]])
                if upstream is None:
                    return None
                a, b = product.parents
                for operand, share in ((a, made(MATMUL, upstream, turned(b))),
                                       (b, made(MATMUL, turned(a), upstream))):  # fmt: skip
                    found = self.sent_to(matrix, operand, share)
                    if found is not None:
                        summands.append(found)
        if not summands:
            return None
        shared = self.per_sample.any() and not self.per_sample[matrix.slots].any()
        formula = total(summands)
        if shared and not self.rows_are_samples:
            formula = made(SAMPLES, formula)
        return Sentence(names.whole(gradient), formula, gradient.slots)

    def sent_to(self, matrix: Matrix, operand: Formula, share: Formula) -> Formula | None:
        """What a factor of a product sends to a matrix, given what comes back to the factor."""
        names = self.names
        if operand.op is TRANSPOSE:
            return self.sent_to(matrix, operand.parents[0], turned(share))
        if operand.op is ENTRYWISE and names.held.get(operand.parents[0], ("",))[0] == "mask":
            mask, inner = operand.parents
            found = self.sent_to(matrix, inner, share)
            return None if found is None else made(ENTRYWISE, mask, found)
        own = names.of.get(operand)
        if own is matrix:
            return share if names.held[operand][1].shape == matrix.slots.shape else None
        slots = own.slots if own in names.picked and names.is_slots(own) else np.zeros((0, 0), int)
        if not slots.size or names.matrices[names.owner[slots[0, 0]]] is not matrix:
            return None
        return made(fold(tuple(names.place[slots].ravel().tolist()), matrix.slots.shape), share)

    def parts(self, slots: Ints) -> list[tuple[Ints, Ints]]:
        """The rows and columns of slots whose lines are alike."""
        has = (self.tables.count[slots] > 0)
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
        p, q = self.shape(formula)
        if p < m:
            formula = made(EACH_ROW, formula)
        return made(EACH_COLUMN, formula) if q < n else formula

    def shape(self, formula: Formula) -> tuple[int, int]:
        """The shape of a formula for one sample."""
        kind, held = self.names.held.get(formula, ("", None))
        if held is not None:
            found: tuple[int, int] = held.shape
            return found
        assert formula.op is not None
        return SHAPES.get(formula.op.name, broadcast)([self.shape(x) for x in formula.parents])

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
        cuts = np.flatnonzero(np.diff(self.kinds(table[0]))) + 1
        pieces = np.split(table, cuts, axis=1)
        read = [self.read(piece.T if is_column else piece, depth + 1) for piece in pieces]
        found = [x for x in read if x is not None]
        if len(found) < len(pieces):
            return None
        return made(unknown(op, len(found), "column" if is_column else "rows"), *found)

    def added(self, slots: Ints, depth: int) -> Formula | None:
        """A sum: the products of matrices in it, and what else its lines add, in their order."""
        tables = self.tables
        every = tables.start[slots].ravel()
        count = tables.count[slots].ravel()
        line = np.repeat(np.arange(slots.size), count)
        term = every[line] + np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count)
        of = tables.product[term]
        summands: list[tuple[int, Formula]] = []
        for product in np.unique(of[of >= 0]).tolist():
            formula = self.multiplied(product, slots, term[of == product])
            if formula is None:
                return None
            begin = int(term[(of == product) & (line == 0)][0] - every[0])
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
            summands.append((int(table[0, 0, begin] - every[0]), formula))
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
        if (rows < 0).any() or len(terms) != self.true_terms(product, slots, rows, columns):
            return None
        left, right = product.left, product.right
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

    def true_terms(self, product: Any, slots: Ints, rows: Ints, columns: Ints) -> int:
        """How many terms the entries at these rows and columns have."""
        there = (product.left[rows] >= 0) & (product.right[columns] >= 0)
        return int(there.sum())

    def named(self, slots: Ints) -> Formula | None:
        """Slots as a matrix that has them, or as a new one of entries of others."""
        found = self.names.view(slots)
        return self.names.gather(slots) if found is None else found

    def runs(self, term: Ints) -> list[tuple[int, int]]:
        """Terms that follow each other with factors of the same matrices."""
        if not len(term):
            return []
        names, tables = self.names, self.tables
        owners = [self.kinds(x) for x in (tables.p[term], tables.q[term])]
        key = np.stack([*np.sort(owners, axis=0), tables.reduce[term]])
        cuts = [0, *(np.flatnonzero((np.diff(key) != 0).any(axis=0)) + 1).tolist(), len(term)]
        return [*zip(cuts, cuts[1:])]

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
        return made(op, formula) if self.shape(formula) == shape else None

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
        if not self.rows_are_samples:
            return made(SAMPLES, self.product_of(a, b))
        for row, weight in ((a, b), (b, a)):  # Σₙ wₙ rowₙ is a product of matrices
            numbers = self.names.is_number(row) or self.names.is_number(weight)
            if self.shape(row)[1] > 1 == self.shape(weight)[1] and not numbers:
                return made(MATMUL, turned(row), weight) if is_column else made(
                    MATMUL, turned(weight), row)  # fmt: skip
        found = made(OVER_ROWS, self.product_of(a, b))
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
        numbers = [x for x in (a, b) if self.names.is_number(x)]
        for one, other in ((a, b), (b, a)):
            if one in numbers:
                return self.scaled(one, other)
        for one, other in ((a, b), (b, a)):
            if self.shape(one) == (1, 1):
                return made(SCALE, one, other)
        return made(ENTRYWISE, a, b)

    def scaled(self, number: Formula, other: Formula) -> Formula:
        """A number times a matrix."""
        if number.data in (1, 0):
            return other if number.data else number
        if self.names.is_number(other) and {type(number.data), type(other.data)} == {int}:
            return self.names.plain(number.data * other.data)
        return made(NEGATIVE, other) if number.data == -1 else made(SCALE, number, other)


def broadcast(shapes: list[tuple[int, int]]) -> tuple[int, int]:
    return max([m for m, _ in shapes]), max([n for _, n in shapes])


SHAPES = {
    TRANSPOSE.name: lambda s: s[0][::-1], MATMUL.name: lambda s: (s[0][0], s[1][1]),
    OVER_ROWS.name: lambda s: (1, s[0][1]), OVER_COLUMNS.name: lambda s: (s[0][0], 1),
    "rows": lambda s: (s[0][0], 1), "column": lambda s: (1, 1), TOTAL.name: lambda s: (1, 1),
    "beside": lambda s: (s[0][0], sum([n for _, n in s])),
    "stacked": lambda s: (sum([m for m, _ in s]), s[0][1]),
}  # fmt: skip


def products_in(formula: Formula) -> Iterator[Formula]:
    """The products of matrices that a sum adds up."""
    if formula.op is MATMUL:
        yield formula
    elif formula.op in (PLUS, MINUS):
        for x in formula.parents[: 1 + (formula.op is PLUS)]:
            yield from products_in(x)


def turned(formula: Formula | None) -> Formula:
    """The transpose, without two that cancel; of a product it is that of the transposes."""
    assert formula is not None
    if formula.op is MATMUL:
        a, b = formula.parents
        return made(MATMUL, turned(b), turned(a))
    return formula.parents[0] if formula.op is TRANSPOSE else made(TRANSPOSE, formula)


def total(summands: list[Formula]) -> Formula:
    """The sum, without zeros; what is subtracted follows a minus."""
    summands = [x for x in summands if x.label or x.op or x.data] or summands[:1]
    op = summands[0].op
    if len(summands) > 1 and op in (SAMPLES, OVER_ROWS) and all(x.op is op for x in summands):
        return made(op, total([x.parents[0] for x in summands]))
    found = summands[0]
    for x in summands[1:]:
        is_negative = x.op is NEGATIVE
        found = made(MINUS, found, x.parents[0]) if is_negative else made(PLUS, found, x)
    return found
