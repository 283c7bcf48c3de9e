"""The engine that needs NumPy alone: a run of equal lines is a few operations on arrays."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from microgrid.engine.guards import real
from microgrid.engine.value import Op
from microgrid.program.engines.arrays import on_arrays
from microgrid.program.plan.blocks import Block
from microgrid.program.plan.lines import BLOCK, REDUCE, SUM
from microgrid.program.plan.schedule import Part, Plan
from microgrid.program.tape import Floats, Ints

NAME = "numpy"


class Engine:
    """Runs one plan. `numbers` is changed in place; so are rows, which have a column a sample."""

    cells = 2**20  # of the rows of a block of samples: Python's part in it is small then

    def __init__(self, plan: Plan, fast: bool = False) -> None:
        self.plan, self.fast = plan, fast
        self.added_to = plan.sums  # from zero
        self.parts = {id(p): self.steps(p) for p in (plan.prologue, plan.batch, plan.epilogue)}

    def steps(self, part: Part) -> list[Any]:
        """Functions of the numbers, the rows and the samples; with each, whether it is forward."""
        return [(self.step(part, *run), bool(run[3])) for run in part.runs.tolist()]

    def step(self, part: Part, code: int, count: int, size: int, _: int, at: int) -> Any:
        """A run of equal lines, or a block."""
        if code <= BLOCK:
            return product(self.plan.blocks[BLOCK - code], self.plan.memory)
        table = part.body[at : at + count * (size + 1)].reshape(count, size + 1).astype(np.int64)
        out, args = Grid(table[:, 0]), table[:, 1:]
        if code == SUM and len(args) < args.shape[1] and (args >= 0).all():
            return partial(long_sums, out, args)
        columns = [Column(args[:, j]) for j in range(args.shape[1])]
        if code == SUM:
            return partial(sums, out, columns[::2], columns[1::2])
        if code == REDUCE:
            return partial(over_batch, out, columns[::2], columns[1::2])
        return partial(operation, self.plan.ops[code], self.fast, out, columns)

    def run(
        self, part: Part, numbers: Floats, rows: Floats, samples: int, begins: bool = True
    ) -> bool:
        """Run a part; whether a forward line may have left its domain."""
        with np.errstate(all="ignore"):
            failed = False
            for step, forward in self.parts[id(part)]:
                error = step(numbers, rows, samples)
                if error and not forward and not failed:  # a rule of the user's own
                    raise error
                failed |= error is not None
        return failed


class Grid:
    """An array of places, all of numbers or all of rows, which have a number for each sample.

    Where they stand at even distances the numbers are a view, else a copy.
    """

    def __init__(self, places: Ints) -> None:
        self.shape, self.in_rows = places.shape, bool((places < 0).any())
        self.index = -1 - places if self.in_rows else places
        steps = [np.diff(self.index, axis=axis) for axis in range(places.ndim)]
        self.even = all((x == x.ravel()[0]).all() for x in steps if x.size)
        self.begin = int(self.index.ravel()[0])
        self.steps = [int(x.ravel()[0]) if x.size else 0 for x in steps]

    def of(self, numbers: Floats, rows: Floats, samples: int) -> Floats:
        """The numbers at these places; samples stand along the last axis."""
        if not self.even:
            return rows[self.index, :samples] if self.in_rows else numbers[self.index]
        x, shape = (rows, (*self.shape, samples)) if self.in_rows else (numbers, self.shape)
        size = x.strides[0]
        strides = [step * size for step in self.steps] + [x.itemsize] * self.in_rows
        return np.ndarray(shape, float, x, self.begin * size, strides)

    def put(self, y: Floats, numbers: Floats, rows: Floats, samples: int) -> None:
        """Set the numbers at these places."""
        if self.even:
            self.of(numbers, rows, samples)[...] = y
        elif self.in_rows:
            rows[self.index, :samples] = y
        else:
            numbers[self.index] = y


class Column:
    """Places of numbers and of rows; the numbers have one column where no sample changes them."""

    def __init__(self, places: Ints) -> None:
        self.per_sample = places < 0
        mixed = self.per_sample.any() and not self.per_sample.all()
        self.grid = None if mixed else Grid(places)
        self.places = places

    def of(self, numbers: Floats, rows: Floats, samples: int) -> Floats:
        """The numbers at these places, a row each."""
        if self.grid:
            x = self.grid.of(numbers, rows, samples)
            return x if self.grid.in_rows else x[:, None]
        found = np.repeat(numbers[np.maximum(self.places, 0)][:, None], samples, axis=1)
        found[self.per_sample] = rows[-1 - self.places[self.per_sample], :samples]
        return found


def sums(
    out: Grid, left: list[Column], right: list[Column], numbers: Floats, rows: Floats, samples: int
) -> None:
    """out = Σ left·right from the left, for each line."""
    y = np.zeros((1, 0))
    for a, b in zip(left, right):
        product = a.of(numbers, rows, samples) * b.of(numbers, rows, samples)
        if y.shape == product.shape:
            y += product
        else:
            y = y + product if y.size else product
    out.put(y if out.in_rows else y[:, 0], numbers, rows, samples)


def long_sums(out: Grid, pairs: Ints, numbers: Floats, rows: Floats, samples: int) -> None:
    """The same for few long sums of plain numbers."""
    y = np.add.accumulate(numbers[pairs[:, ::2]] * numbers[pairs[:, 1::2]], axis=1)
    out.put(y[:, -1], numbers, rows, samples)


def over_batch(
    out: Grid, left: list[Column], right: list[Column], numbers: Floats, rows: Floats, samples: int
) -> None:
    """out += Σ left·right over the samples, for each line."""
    y = out.of(numbers, rows, samples)
    for a, b in zip(left, right):
        p, q = a.of(numbers, rows, samples), b.of(numbers, rows, samples)
        if q.shape[1] == 1 < samples or p.shape[1] == 1 < samples:
            y = y + (p if q.shape[1] == 1 else q).sum(axis=1) * (q if q.shape[1] == 1 else p)[:, 0]
        else:
            y = y + (p * q).sum(axis=1)
    out.put(y, numbers, rows, samples)


def operation(
    op: Op, fast: bool, out: Grid, columns: list[Column], numbers: Floats, rows: Floats,
    samples: int,
) -> Exception | None:  # fmt: skip
    """out = op(columns), for each line; an error where it has left its domain."""
    y, error = applied(op, [x.of(numbers, rows, samples) for x in columns], fast)
    out.put(y if out.in_rows else y[:, 0], numbers, rows, samples)
    return error


def product(block: Block, memory: Floats) -> Any:
    """The function that runs a block by np.matmul, which adds up in an order of its own.

    So each entry, a sum of n terms, is within n·eps·Σ|terms| of what the lines give.
    """
    left, right, out = map(Grid, (block.left, block.right, block.out.T))
    edges = [block.last] if block.go_on else [block.first, block.last]
    blank = [bool(np.signbit(memory[x]).all() and not memory[x].any()) for x in edges]  # only −0
    added = [Grid(x.T) for x, empty in zip(edges, blank) if not empty]

    def over_batch(numbers: Floats, rows: Floats, samples: int) -> None:
        p, q = [x.of(numbers, rows, samples).reshape(len(x.index), -1) for x in (left, right)]
        y = q @ p.T
        y += out.of(numbers, rows, samples)
        out.put(y, numbers, rows, samples)

    def run(numbers: Floats, rows: Floats, samples: int) -> None:
        p, q = left.of(numbers, rows, samples), right.of(numbers, rows, samples)
        if not out.in_rows:
            y = q @ p.T
        elif len(q) == 1:
            y = (p @ q[0])[None]
        else:
            y = p @ q
        for grid in added:
            x = grid.of(numbers, rows, samples)
            y += x[..., None] if out.in_rows else x
        if block.go_on:
            y += out.of(numbers, rows, samples)
        out.put(y, numbers, rows, samples)

    return over_batch if block.over_batch else run


def results(places: Ints, numbers: Floats, rows: Floats) -> Floats:
    """The numbers at these places, a row for each sample."""
    if len(places) == 1 and places[0] < 0:
        return rows[-1 - places[0], :, None]
    return Column(places).of(numbers, rows, rows.shape[1]).T


def applied(op: Op, operands: list[Floats], fast: bool) -> tuple[Floats, Exception | None]:
    """The operation of every line and sample; nan where it raises, and the last error."""
    if (whole := on_arrays(op, operands, fast)) is not None:
        return whole, None
    forward = op.forward
    columns = np.broadcast_arrays(*operands)
    flat = [x.ravel().tolist() for x in columns]
    failed: Exception | None = None
    try:
        y = list(map(forward, *flat))
    except (ArithmeticError, ValueError):
        y = []
        for xs in zip(*flat):
            try:
                y.append(forward(*xs))
            except (ArithmeticError, ValueError) as error:
                y.append(np.nan)
                failed = error
    if not all(type(x) is float for x in y):  # by an operation of the user's
        y = [as_float(real(x)) for x in y]
    return np.array(y, dtype=float).reshape(columns[0].shape), failed


def as_float(x: Any) -> float:
    try:
        return float(x)
    except OverflowError:
        return np.inf if x > 0 else -np.inf
