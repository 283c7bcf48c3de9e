"""The forward pass in matrices: which lines make up one, and in which order its entries stand.

Products of matrices are known. Of the other lines those make up a matrix that do the same to
entries of the same matrices; it stands as these do.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from microgrid.program.plan.lines import FORWARD
from microgrid.program.plan.products import NONE, Product, hashes, numbered
from microgrid.program.tape import Ints
from microgrid.program.text.layouts import grid, layouts
from microgrid.program.text.letters import is_called
from microgrid.program.text.tables import Tables
from microgrid.program.words.names import Matrix, Names


class Group:
    """Lines of the forward pass that make up a matrix."""

    def __init__(
        self, matrix: Matrix, operands: Ints, factors: Ints | None = None, is_function: bool = False
    ) -> None:
        self.matrix, self.is_product = matrix, factors is not None
        self.is_function = is_function and matrix.slots.size > 1  # like tanh, of each entry or row
        self.operands = {*np.unique(operands[operands >= 0]).tolist()}  # the matrices it uses
        self.factors = {*np.unique(factors).tolist()} - {NONE} if factors is not None else set()


def arranged(tables: Tables, names: Names, rows_are_samples: bool) -> list[Group]:
    """The matrices of the forward pass, in the order in which they are computed; all get added."""
    groups: list[Group] = []
    products: dict[int, list[Product]] = {}
    for product in tables.products:
        if product.phase == FORWARD:
            depth = int(tables.depth[product.out].max())
            products.setdefault(depth, []).append(product)
    for level in tables.levels(np.flatnonzero(tables.is_forward)):
        for product in products.get(int(tables.depth[level[0]]), ()):
            if (names.owner[product.out] < 0).all() and (product.out >= 0).all():
                out, is_settled = product_out(tables, names, product, rows_are_samples)
                used = np.concatenate([product.left.ravel(), product.right.ravel()])
                term, _ = tables.terms_of(out.ravel())
                term = term[tables.product[term] < 0]
                rest = np.concatenate([tables.p[term], tables.q[term]])
                matrix = Matrix(out, flexible=not is_settled, is_settled=is_settled)
                if 1 in out.shape and out.size > 1 and not rows_are_samples:
                    joined(names, matrix, [used, rest])
                factors = names.owner[used[used >= 0]]
                operands = np.concatenate([factors, names.owner[rest]])
                names.add(matrix)
                groups.append(Group(matrix, operands, factors))
        for slots in alike(tables, names, level[names.owner[level] < 0]):
            args = arguments(tables, slots)
            operands = names.owner[args.ravel()]
            matrix = Matrix(table_of(tables, names, slots, args))
            if 1 in matrix.slots.shape and matrix.slots.size > 1 and not rows_are_samples:
                joined(names, matrix, [args])
            names.add(matrix)
            factors = names.owner[args.ravel()] if is_dot(tables, names, slots, args) else None
            called = is_function(tables, slots, args)
            groups.append(Group(matrix, operands, factors, called))
    return groups


def is_function(tables: Tables, slots: Ints, args: Ints) -> bool:
    """Whether lines are calls of a function, and not written with signs, like x²."""
    found = None if tables.count[slots[0]] else tables.operation(slots[:1])
    return found is not None and is_called(found[0], args.shape[1])


def is_dot(tables: Tables, names: Names, slots: Ints, args: Ints) -> bool:
    """Whether lines multiply vectors."""
    if not tables.count[slots[0]]:
        return False
    p, q = args[0].reshape(-1, 2).T
    kind = numbered(names.owner[p], names.owner[q])
    true = (names.owner[p] >= 0) & (names.owner[q] >= 0) & (p != q)
    return bool((np.bincount(kind[true]) > 1).any())


def joined(names: Names, matrix: Matrix, args: list[Ints]) -> None:
    """Let a vector turn with those that it is made of entry by entry."""
    ids = {*np.unique(names.owner[np.concatenate([x.ravel() for x in args])]).tolist()} - {NONE}
    others = [m for i in sorted(ids) if 1 in (m := names.matrices[i]).slots.shape]
    others = [m for m in others if m.slots.size == matrix.slots.size]
    if others and not matrix.is_settled:
        matrix.flexible = True
    for other in others:
        matrix.like(other)


def product_out(
    tables: Tables, names: Names, product: Product, rows_are_samples: bool
) -> tuple[Ints, bool]:
    """The entries of a product in the order of its matrices, transposed where these stand so.

    With it, whether that is settled: a vector may be a row or a column.
    """
    out, left, right = product.out, product.left, product.right
    full = left if (left >= 0).all() else right
    k = np.argsort(names.key(full[0]), kind="stable")
    i, j = order_of(names, left[:, k]), order_of(names, right[:, k])
    out, left, right = out[i][:, j], left[i][:, k], right[j][:, k]
    if out.size == 1:
        return out, True
    if rows_are_samples and tables.lines.per_sample[out[0, 0]]:
        return (out if out.shape[0] == 1 else out.T), True
    straight = turns(names, left, False) + turns(names, right, True)
    turned = turns(names, left, True) + turns(names, right, False)
    steps = [int((np.diff(x.ravel()) > 0).sum()) for x in (out, out.T)]
    is_row = is_row_of(names, vector := right if out.shape[1] == 1 else left)
    if straight == turned and 1 in out.shape:
        return (out if is_row is None else out.reshape((1, -1) if is_row else (-1, 1))), False
    is_straight = straight < turned or (straight == turned and steps[0] >= steps[1])
    found = out if is_straight else out.T
    if 1 in found.shape and vector.shape[1] > 1:
        column = found.shape[1] == 1
        names.settle(vector, (-1, 1) if column else (1, -1))
    return found, True


def order_of(names: Names, table: Ints) -> Ints:
    """The rows in the order in which their matrix stands."""
    filled = table >= 0
    if filled.all():
        return np.lexsort(names.key(table).T[::-1])
    first = table[np.arange(len(table)), filled.argmax(axis=1)]
    columns = names.matrices[max(int(names.owner[first[0]]), 0)].slots.shape[1]
    r = names.place[table] // columns
    is_row = (np.where(filled, r, r.max(axis=1)[:, None]) == r.max(axis=1)[:, None]).all()
    place = names.place[first]
    return np.argsort(place // columns if is_row else place % columns, kind="stable")


def turns(names: Names, slots: Ints, transposed: bool) -> int:
    """How many transposes it takes to write a matrix of slots."""
    if 1 in slots.shape and slots.size > 1:
        is_row = is_row_of(names, slots)
        return 0 if is_row is None else int(is_row != ((slots.shape[0] == 1) != transposed))
    steps = [np.diff(names.place[x[x >= 0]][:2]) for x in (slots[0], slots[:, 0])]
    inner, outer = [abs(int(step[0])) if len(step) else 0 for step in steps]
    return int((inner > outer) != transposed)


def is_row_of(names: Names, vector: Ints) -> bool | None:
    """Whether the vector that holds these slots is a row; None while it may be both."""
    owner = names.owner[vector[vector >= 0][0]]
    if owner < 0 or names.matrices[owner].flexible:
        return None
    shape = names.matrices[owner].slots.shape
    return shape[0] == 1 if 1 in shape else None


def alike(tables: Tables, names: Names, slots: Ints) -> Iterator[Ints]:
    """The slots in groups whose lines do the same to entries of the same matrices."""
    sums = slots[tables.count[slots] > 0]
    if len(sums):
        yield from pieces(sums, signatures(tables, names, sums))
    calls = slots[tables.count[slots] == 0]
    for c in np.unique(tables.call[calls]).tolist():
        mine = calls[tables.call[calls] == c]
        yield from pieces(mine, numbered(*known(names, arguments(tables, mine)).T))


def signatures(tables: Tables, names: Names, slots: Ints) -> Ints:
    """A number for each line of sums, equal where they add the same of the same matrices."""
    count = tables.count[slots]
    term, line = tables.terms_of(slots)
    factors = np.stack([tables.p[term], tables.q[term]], axis=1)
    scales = (count[line] == 1)[:, None] & names.is_constant[factors]  # by a matrix of numbers
    p, q = np.sort(np.where(scales, -2, known(names, factors)), axis=1).T
    kind = numbered(p, q, tables.product[term])
    return numbered(hashes(kind, line, len(slots)), count)


def known(names: Names, slots: Ints) -> Ints:
    """The matrix of each slot; for a plain number, or what is in none, a number of its own."""
    return np.where(names.is_constant[slots], -2 - slots, names.owner[slots])


def pieces(slots: Ints, key: Ints) -> Iterator[Ints]:
    order = np.argsort(key, kind="stable")
    groups = np.split(slots[order], np.flatnonzero(np.diff(key[order])) + 1)
    yield from sorted(groups, key=lambda group: int(group[0]))


def arguments(tables: Tables, slots: Ints) -> Ints:
    """The operands of lines that are alike, a row for each: of sums the factors of their terms."""
    if tables.count[slots[0]]:
        term = tables.terms(slots)
        return np.stack([tables.p[term], tables.q[term]], axis=2).reshape(len(slots), -1)
    found: Ints = tables.calls[tables.call[slots[0]]].args[tables.row[slots]]
    return found


def table_of(tables: Tables, names: Names, slots: Ints, args: Ints) -> Ints:
    """The slots as rows and columns: as the entries stand that they are made of."""
    n = len(slots)
    if n == 1:
        return slots[None]
    owner, place = names.owner[args], names.place[args]
    same = [k for k in range(args.shape[1]) if owner[0, k] >= 0 and len({*owner[:, k]}) == 1][:8]
    size = len(names.place)

    def shape(places: Ints) -> tuple[int, ...]:
        own = names.matrices[places[0] // size].slots.shape
        return grid(places % size, own) or (len(places),)

    for index in layouts(n, [owner[:, k] * size + place[:, k] for k in same], shape):
        if index.ndim == 2:
            return slots[index]
        if index.ndim == 4 and index.shape[1] == 1:  # a column and a row
            return slots[index.reshape(len(index), -1)]
    for k in same:  # sums over rows or columns
        like = owner == owner[:, k : k + 1]
        r, c = np.divmod(np.where(like, place, NONE), names.matrices[owner[0, k]].slots.shape[1])
        for line, form in ((r, (-1, 1)), (c, (1, -1))):
            first = line[:, k : k + 1]
            inside = (np.where(like, line, first) == first).all()
            if like.sum(axis=1).min() > 1 and inside and len(np.unique(first)) == n:
                return slots[np.argsort(line[:, k])].reshape(form)
    return slots[None]
