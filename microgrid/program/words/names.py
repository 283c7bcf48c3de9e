"""Matrices of slots with names, and how other slots are seen as them: Wᵀ, X[:, :3], [X H].

All slots of a program stand in an array, and so do the matrices: `slots[i, j]` is where the number
of an entry is. A vector is a row or a column, whichever a formula needs first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from microgrid.engine.value import Value
from microgrid.matrices.layer import bold
from microgrid.program.plan.products import NONE
from microgrid.program.tape import Ints
from microgrid.program.text.views import as_slice
from microgrid.program.words.formulas import (
    ENTRYWISE,
    SHAPES,
    TRANSPOSE,
    Formula,
    broadcast,
    made,
    side_by_side,
)  # fmt: skip
from microgrid.views.formula import name
from microgrid.views.wording import constant, lowered, plural, split

MOST_BLOCKS = 64  # matrices that are one beside each other
MOST_INDICES = 4  # of single rows or columns


@dataclass(eq=False)
class Matrix:
    """Slots under a name; `origin` says what they are where no formula does."""

    slots: Ints
    name: str = ""
    origin: str = ""
    flexible: bool = False  # a vector that is yet no row and no column
    is_settled: bool = False  # a vector whose product says what it is
    is_gradient: bool = False
    alike: list[Matrix] = field(default_factory=list)  # vectors that turn together

    def turn(self, shape: tuple[int, int]) -> None:
        """Make a vector a row or a column, as this shape is, and all that are alike."""
        if self.flexible:
            self.slots, self.flexible = self.slots.reshape(shape), False
            for other in self.alike:
                other.turn(shape)

    def like(self, other: Matrix) -> None:
        """Let two vectors of one length turn together."""
        self.alike.append(other)
        other.alike.append(self)
        for a, b in ((self, other), (other, self)):
            if not a.flexible:
                b.turn((1, -1) if a.slots.shape[0] == 1 else (-1, 1))


class Place(NamedTuple):
    """Rows and columns of a matrix, which may stand transposed."""

    matrix: Matrix
    rows: Ints
    columns: Ints
    is_transposed: bool


class Names:
    """The matrices of a program, by their slots; and the leaves of formulas.

    A slot belongs to the matrix that took it first.
    """

    def __init__(self, count: int, constants: dict[int, float]) -> None:
        self.matrices: list[Matrix] = []
        self.owner = np.full(count, NONE)
        self.place = np.full(count, NONE)
        self.constants = constants
        self.is_constant = np.zeros(count, dtype=bool)
        self.is_constant[[*constants]] = True
        self.hidden: set[int] = set()  # matrices that are written as what they are made of
        self.leaves: dict[Any, Formula] = {}  # by what they are
        self.of: dict[Formula, Matrix] = {}  # the matrix of a leaf, or that it is a part of
        self.texts: dict[Formula, str] = {}  # how leaves are written
        self.latexes: dict[Formula, str] = {}
        self.picked: list[Matrix] = []  # made of entries of others
        self.held: dict[Formula, tuple[str, Any]] = {}  # what a leaf stands for

    def add(self, matrix: Matrix) -> Matrix:
        """Take the slots that no matrix has yet."""
        flat = matrix.slots.ravel()
        free = np.flatnonzero((flat >= 0) & (self.owner[flat] < 0) & ~self.is_constant[flat])
        self.owner[flat[free]] = len(self.matrices)
        self.place[flat[free]] = free
        self.matrices.append(matrix)
        return matrix

    def key(self, slots: Ints) -> Ints:
        """By what slots are sorted, so that matrices stand as they are stored."""
        size = len(self.place) + 1
        known = self.owner[slots] >= 0
        return np.where(known, self.owner[slots] * size + self.place[slots], slots - size)

    def forget(self) -> None:
        """Make the leaves of matrices anew, whose names have changed."""
        kept = [(k, v) for k, v in self.leaves.items() if not isinstance(k, tuple)
                or k[0] in ("mask", "gathered", "numbers")]  # fmt: skip
        self.leaves = dict(kept)

    def settle(self, vector: Ints, shape: tuple[int, int]) -> None:
        """Let the vector that these slots are be a row or a column, if it may be both."""
        owner = self.owner[vector.ravel()]
        if owner[0] >= 0 and (owner == owner[0]).all():
            self.matrices[owner[0]].turn(shape)

    # How slots are seen.

    def view(self, slots: Ints) -> Formula | None:
        """A matrix of slots, or a part or several of them, as a formula; None for no such thing."""
        filled = slots >= 0
        if not filled.any():
            return None
        if not filled.all():
            return self.masked(slots, filled)
        value = self.constants.get(int(slots.flat[0]))
        if value is not None and (slots == slots.flat[0]).all():
            return self.number(int(slots.flat[0]))
        if self.is_constant[slots].all():
            return self.of_numbers(slots)
        found = self.placed(slots, filled)
        return self.part(found) if found else self.blocks(slots)

    def of_numbers(self, slots: Ints) -> Formula:
        """A matrix of plain numbers."""
        values, times = np.unique([self.constants[x] for x in slots.ravel().tolist()],
                                  return_counts=True)  # fmt: skip
        words = [f"{n} times {constant(x)}" for x, n in zip(values.tolist(), times.tolist())]
        few = len(words) <= MOST_INDICES
        return self.extra("numbers", slots, "C", ", ".join(words) if few else "plain numbers")

    def placed(self, slots: Ints, filled: Any) -> Place | None:
        """Where these slots stand in the one matrix that has them all, but for those not filled."""
        ids = self.owner[slots[filled]]
        if ids[0] < 0 or ids[0] in self.hidden or (ids != ids[0]).any():
            return None
        matrix = self.matrices[ids[0]]
        if 1 in slots.shape and 1 in matrix.slots.shape and slots.size > 1:
            matrix.turn((1, -1) if slots.shape[0] == 1 else (-1, 1))
        places = np.where(filled, self.place[slots], 0)
        r, c = np.divmod(places, matrix.slots.shape[1])
        for is_transposed in (False, True):
            a, b, own, table = r, c, filled, slots
            if is_transposed:
                a, b, own, table = r.T, c.T, filled.T, slots.T
            rows = a[np.arange(len(a)), own.argmax(axis=1)]
            columns = b[own.argmax(axis=0), np.arange(b.shape[1])]
            if (matrix.slots[rows][:, columns][own] == table[own]).all():
                return Place(matrix, rows, columns, is_transposed)
        return None

    def part(self, at: Place) -> Formula:
        """The leaf of a matrix or of a part of it, transposed where it stands so."""
        matrix, rows, columns, is_transposed = at
        m, n = matrix.slots.shape
        texts = [indices(rows, m), indices(columns, n)]
        if 1 in (m, n):  # of a vector one index is enough
            inner = "".join([t for t, size in zip(texts, (m, n)) if size > 1])
        else:
            inner = ", ".join([texts[0] or ":", texts[1]]) if texts[1] else texts[0]
        leaf = self.leaf(matrix, inner, matrix.slots[rows][:, columns])
        return made(TRANSPOSE, leaf) if is_transposed else leaf

    def leaf(self, matrix: Matrix, inner: str, slots: Ints) -> Formula:
        """A matrix, or with indices a part of it."""
        key = id(matrix), slots.shape, slots.tobytes()
        if key not in self.leaves:
            leaf = self.leaves[key] = Value(1, matrix.name)
            self.held[leaf], self.of[leaf] = ("slots", slots), matrix
            self.texts[leaf] = f"{lowered(matrix.name)}[{inner}]" if inner else lowered(matrix.name)
            below = rf"_{{[{inner}]}}" if inner else ""
            self.latexes[leaf] = latex_of(matrix) + below.replace("…", r"\dots")
        return self.leaves[key]

    def whole(self, matrix: Matrix) -> Formula:
        return self.leaf(matrix, "", matrix.slots)

    def number(self, slot: int) -> Formula:
        """A plain number."""
        if slot not in self.leaves:
            x = self.constants[slot]
            leaf = self.leaves[slot] = Value(int(x) if x.is_integer() else x)
            self.held[leaf] = "slots", np.array([[slot]])
        return self.leaves[slot]

    def extra(self, kind: str, slots: Ints, stem: str, origin: str) -> Formula:
        """The leaf of a new matrix, the same for the same slots."""
        key = kind, slots.shape, slots.tobytes()
        if key not in self.leaves:
            count = sum(isinstance(k, tuple) and k[0] == kind for k in self.leaves)
            matrix = Matrix(slots, f"{stem}_{count + 1}", origin)
            self.picked.append(matrix)
            leaf = self.leaves[key] = Value(1, matrix.name)
            self.held[leaf], self.of[leaf] = ("mask" if kind == "mask" else "slots", slots), matrix
            self.texts[leaf], self.latexes[leaf] = lowered(matrix.name), latex_of(matrix)
        return self.leaves[key]

    def sources(self, matrix: Matrix) -> list[Matrix]:
        """The matrices of which another holds entries."""
        if matrix not in self.picked or not self.is_slots(matrix):
            return []
        owners = np.unique(self.owner[matrix.slots])
        return [self.matrices[i] for i in owners.tolist() if i >= 0]

    def is_slots(self, matrix: Matrix) -> bool:
        """Whether a matrix holds slots, and not ones and zeros."""
        return not any(kind == "mask" and self.of.get(x) is matrix
                       for x, (kind, _) in self.held.items())  # fmt: skip

    def plain(self, x: Any) -> Formula:
        """A number that is the product of numbers."""
        leaf = Value(x)
        self.held[leaf] = "number", np.array([[x]])
        return leaf

    def shape(self, formula: Formula) -> tuple[int, int]:
        """The shape of a formula for one sample."""
        if formula.op is None:
            found: tuple[int, int] = self.held[formula][1].shape
            return found
        return SHAPES.get(formula.op.name, broadcast)([self.shape(x) for x in formula.parents])

    def is_number(self, formula: Formula) -> bool:
        return formula.op is None and not formula.label

    def masked(self, slots: Ints, filled: Any) -> Formula | None:
        """M ⊙ W for a matrix of which some entries are not there."""
        found = self.placed(slots, filled)
        if found is None:
            return None
        whole = self.part(found._replace(is_transposed=False))
        masked = made(ENTRYWISE, self.mask(filled.T if found.is_transposed else filled), whole)
        return made(TRANSPOSE, masked) if found.is_transposed else masked

    def mask(self, filled: Any) -> Formula:
        """A matrix of ones, and zeros where nothing is."""
        zeros = int((~filled).sum())
        origin = f"{plural(zeros, 'zero')} and {filled.size - zeros} ones"
        return self.extra("mask", filled.astype(np.int64), "M", origin)

    def gather(self, slots: Ints) -> Formula | None:
        """A new matrix whose entries are some of others, like the windows of an image."""
        ids = np.unique(self.owner[slots[slots >= 0]])
        if (slots < 0).any() or ids[0] < 0 or len(ids) > 8:
            return None
        turned = "gathered", slots.T.shape, slots.T.tobytes()
        if turned in self.leaves:
            return made(TRANSPOSE, self.leaves[turned])
        of = sequence([lowered(self.matrices[i].name) for i in ids.tolist()])
        once = len(np.unique(slots)) == slots.size
        return self.extra("gathered", slots, "P", f"{'reshape' if once else 'unfold'}({of})")

    def blocks(self, slots: Ints) -> Formula | None:
        """Matrices side by side, or one below the other."""
        ids = np.where(self.owner[slots] >= 0, self.owner[slots], -2)
        for table, own, below in ((ids.T, slots.T, False), (ids, slots, True)):
            if (table[:, :1] != table).any():
                continue
            cuts = np.flatnonzero(np.diff(table[:, 0])) + 1
            if not 0 < len(cuts) < MOST_BLOCKS:
                continue
            pieces = np.split(own, cuts)
            parts = [piece if below else piece.T for piece in pieces]
            views = [
                self.of_numbers(x) if x.size > 1 and self.is_constant[x].all() else self.view(x)
                for x in parts
            ]
            if None not in views:
                return made(side_by_side(len(views), below), *[v for v in views if v is not None])
        return None


def latex_of(matrix: Matrix) -> str:
    """The name in LaTeX: matrices and vectors bold, the gradient of X as ∂L/∂X."""
    stem, below = split(matrix.name)
    gradient, stem = ("d", stem[1:]) if matrix.is_gradient else ("", stem)
    shown = name(stem)
    if len(stem) == 1 and matrix.slots.size > 1:
        shown = bold(stem)
    return rf"{gradient and chr(92)}{gradient and 'mathrm{d}'}{shown}" + f"_{{{below}}}" * bool(
        below
    )


def indices(picked: Ints, size: int) -> str:
    """How Python writes rows or columns: "" for all of them, 2:5, [0, 3]."""
    if len(picked) == size and (picked == np.arange(size)).all():
        return ""
    if len(picked) == 1:
        return str(picked[0])
    if (text := as_slice(picked, size)) is not None:
        return text
    some = picked if len(picked) <= MOST_INDICES else picked[: MOST_INDICES - 1]
    return f"[{', '.join(map(str, some))}{', …' * (len(some) < len(picked))}]"


def sequence(words: Sequence[str]) -> str:
    """h₁ … h₈ for many names."""
    return ", ".join(words) if len(words) <= MOST_INDICES else f"{words[0]} … {words[-1]}"
