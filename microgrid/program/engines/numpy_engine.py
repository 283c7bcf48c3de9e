"""The engine that needs NumPy alone: a run of equal lines is a few operations on arrays.

What can be known before the numbers is done before: for buffers and a number of samples a part is
a list of calls, whose arguments are views of the buffers. To run the part is to make these calls.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterable, Iterator
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
KEPT = 8  # lists of calls that a thread keeps for its buffers
PIECES = 4  # at most of a run whose places jump
LEAST = 8  # lines of a piece, on average: fewer are quicker as copies
MANY = 32  # numbers at least: fewer are quicker one by one
Call = tuple[Callable[..., Any], tuple[Any, ...]]


class Engine:
    """Runs one plan. `numbers` is changed in place; so are rows, which have a column a sample."""

    cells = 2**20  # of the rows of a block of samples: Python's part in it is small then

    def __init__(self, plan: Plan, fast: bool = False) -> None:
        self.plan, self.fast, self.kept = plan, fast, Kept()
        self.added_to = plan.sums  # from zero
        self.parts = {id(p): [*self.steps(p)] for p in (plan.prologue, plan.batch, plan.epilogue)}

    def steps(self, part: Part) -> Iterator[Any]:
        """The runs of equal lines, cut where their places jump, and the blocks."""
        for code, count, size, forward, at in part.runs.tolist():
            if code <= BLOCK:
                yield Product(self.plan.blocks[BLOCK - code], self.plan.memory)
                continue
            table = part.body[at : at + count * (size + 1)].reshape(count, size + 1)
            for lines in pieces(table.astype(np.int64)):
                if code == SUM and count < size and (lines >= 0).all():
                    yield LongSums(lines)
                elif code in (SUM, REDUCE):
                    yield (Sums if code == SUM else OverBatch)(lines, self.plan.memory)
                else:
                    yield Operation(lines, self.plan.ops[code], self.fast, bool(forward))

    def alone(self, part: Part) -> Callable[[Floats], bool]:
        """What runs a part that has no rows, like `run`: a function of the numbers."""
        rows = np.zeros((0, 0))
        return lambda numbers: self.run(part, numbers, rows, 0)

    def run(
        self, part: Part, numbers: Floats, rows: Floats, samples: int, begins: bool = True
    ) -> bool:
        """Run a part; whether a forward line may have left its domain."""
        if not self.parts[id(part)]:
            return False
        buffers = self.kept.buffers(numbers, rows)
        key = id(part), samples
        if key not in buffers.calls:
            if len(buffers.calls) >= KEPT:
                buffers.calls.clear()
            view = View(buffers, samples)
            buffers.calls[key] = [call for x in self.parts[id(part)] for call in x.calls(view)]
        buffers.errors.clear()
        with np.errstate(all="ignore"):
            for f, arguments in buffers.calls[key]:
                f(*arguments)
        return bool(buffers.errors)


class Buffers:
    """Numbers and rows of one thread, and the calls that run parts on them."""

    def __init__(self, numbers: Floats, rows: Floats) -> None:
        self.numbers, self.rows = numbers, rows
        self.calls: dict[tuple[int, int], list[Call]] = {}  # by the part and the samples
        self.errors: list[Exception] = []  # of operations, in the run of a part
        self.spaces: dict[Any, Floats] = {}  # for what no step needs after it


class Kept(threading.local):
    """The buffers that a thread has last used: of its workspace, and that of its chunks."""

    def __init__(self) -> None:
        self.last: dict[int, Buffers] = {}

    def buffers(self, numbers: Floats, rows: Floats) -> Buffers:
        found = self.last.get(id(numbers))  # they are kept: no other array has their id
        if found is None or found.rows is not rows:
            if len(self.last) > 1:
                self.last.clear()
            found = self.last[id(numbers)] = Buffers(numbers, rows)
        return found


class View:
    """The first samples of some buffers, for steps that make their calls.

    Where few columns are idle, they are computed, too: whole rows are quicker.
    """

    def __init__(self, buffers: Buffers, samples: int) -> None:
        self.numbers, self.rows, self.buffers = buffers.numbers, buffers.rows, buffers
        self.samples, width = samples, buffers.rows.shape[1]
        self.columns = width if 8 * (width - samples) <= samples else samples

    def space(self, name: Any, shape: tuple[int, ...]) -> Floats:
        """Room of this shape, which steps share: what stands in it ends with the step."""
        size = int(np.prod(shape))
        if name not in self.buffers.spaces or self.buffers.spaces[name].size < size:
            self.buffers.spaces[name] = np.empty(size)
        return self.buffers.spaces[name][:size].reshape(shape)

    def failed(self, forward: bool, error: Exception) -> None:
        """Note an error; raise that of a rule of the user's own, where it comes first."""
        if not forward and not self.buffers.errors:
            raise error
        self.buffers.errors.append(error)


def pieces(table: Ints) -> list[Ints]:
    """Lines in pieces within which all places stand at even distances, if there are few."""
    steps = np.diff(table, axis=0)
    turns = np.flatnonzero((steps[1:] != steps[:-1]).any(axis=1)) + 1
    cuts: list[int] = []
    for turn in turns[: 2 * PIECES].tolist():
        if turn > (cuts[-1] if cuts else 0):  # a step before it belongs to this piece
            cuts.append(turn + 1)
    few = len(turns) < 2 * PIECES and len(cuts) < PIECES and len(table) >= LEAST * (len(cuts) + 1)
    return np.split(table, cuts) if few else [table]


class Grid:
    """An array of places. Where they stand at even distances the numbers are a view, else a copy.

    Rows, which have a number for each sample, add an axis. Beside them, numbers are repeated.
    """

    __slots__ = ("begin", "in_rows", "index", "mixed", "shape", "steps")

    def __init__(self, places: Ints) -> None:
        self.shape, below = places.shape, places < 0
        self.in_rows, self.mixed = bool(below.any()), bool(below.any() and not below.all())
        index = places if self.mixed or not self.in_rows else -1 - places
        steps = [np.diff(index, axis=axis).ravel() for axis in range(index.ndim)]
        even = not self.mixed and all((x == x[0]).all() for x in steps if x.size)
        self.index = None if even else index
        self.begin = int(index.flat[0])
        self.steps = [int(x[0]) if x.size else 0 for x in steps]

    def shape_in(self, view: View) -> tuple[int, ...]:
        return (*self.shape, view.columns) if self.in_rows else self.shape

    def view(self, view: View) -> Floats:
        """The numbers themselves, at even distances."""
        x = view.rows if self.in_rows else view.numbers
        strides = [step * x.strides[0] for step in self.steps] + [x.itemsize] * self.in_rows
        return np.ndarray(self.shape_in(view), float, x, self.begin * x.strides[0], strides)

    def read(self, view: View, space: Any) -> tuple[Floats, list[Call]]:
        """The numbers, and the calls before they are there, which copy them into a space."""
        if self.index is None:
            return self.view(view), []
        if not self.in_rows:
            x = view.space(space, self.shape)
            return x, [(np.take, (view.numbers, self.index, 0, x, "clip"))]
        x = view.space(space, (*self.shape, view.rows.shape[1]))  # whole rows: else it copies all
        if self.mixed:
            return x[..., : view.columns], [(gather, (view.numbers, view.rows, self.index, x))]
        return x[..., : view.columns], [(np.take, (view.rows, self.index, 0, x, "clip"))]

    def write(self, view: View, space: Any) -> tuple[Floats, list[Call]]:
        """An array for new numbers, and the calls that put them where they belong."""
        if self.index is None:
            return self.view(view), []
        x = self.read(view, space)[0]
        if self.in_rows:
            return x, [(operator.setitem, (view.rows[:, : view.columns], self.index, x))]
        return x, [(operator.setitem, (view.numbers, self.index, x))]

    def column(self, view: View, space: Any, new: bool = False) -> tuple[Floats, list[Call]]:
        """One of both, where numbers have an axis of one sample."""
        x, calls = self.write(view, space) if new else self.read(view, space)
        return x if self.in_rows else x[..., None], calls


def gather(numbers: Floats, rows: Floats, places: Ints, x: Floats) -> None:
    """Copy what is at some places, numbers and rows, into x, which has a row for each."""
    per_sample = places < 0
    x[per_sample] = rows[-1 - places[per_sample]]
    x[~per_sample] = numbers[places[~per_sample], None]


def factor(places: Ints, memory: Floats) -> Grid | float:
    """A column of factors; a number where all are 1, or −1, as only constants are at first."""
    first = float(memory[max(int(places[0]), 0)])
    same = abs(first) == 1 and (places >= 0).all() and (memory[places] == first).all()
    return first if same else Grid(places)


class Sums:
    """out = Σ left·right from the left, for each line."""

    def __init__(self, lines: Ints, memory: Floats) -> None:
        self.out = Grid(lines[:, 0])
        columns = [factor(lines[:, j], memory) for j in range(1, lines.shape[1])]
        self.pairs = [sorted(pair, key=is_number) for pair in zip(columns[::2], columns[1::2])]

    def calls(self, view: View) -> Iterator[Call]:
        y, after = self.out.column(view, "result", new=True)
        for i, pair in enumerate(self.pairs):
            (a, before), (b, more) = [column(x, view, k) for k, x in enumerate(pair)]
            yield from (*before, *more)
            if i:
                yield from added(y, a, b, view)
            else:
                yield (np.copyto, (y, a)) if is_number(b) and b == 1 else (np.multiply, (a, b, y))
        yield from after


class OverBatch(Sums):
    """out += Σ left·right over the samples, for each line."""

    def calls(self, view: View) -> Iterator[Call]:
        y, before = self.out.read(view, "result")
        y, after = self.out.write(view, "result")
        yield from before
        for pair in self.pairs:
            (a, before), (b, more) = [column(x, view, k) for k, x in enumerate(pair)]
            a, b = [x if is_number(x) else x[:, : view.samples] for x in (a, b)]
            yield from (*before, *more)
            if not is_number(b) and a.shape == b.shape:
                x = view.space("product", a.shape)
                yield np.multiply, (a, b, x)
                a, b = x, 1.0
            elif not is_number(b):  # one of them is the same for all samples
                a, b = (a, b[:, 0]) if b.shape[1] == 1 else (b, a[:, 0])
            x = view.space("sum", y.shape)
            yield np.matmul, (a, np.ones(a.shape[1]), x)
            yield from added(y, x, b, view)
        yield from after


def is_number(x: Any) -> bool:
    return isinstance(x, float)


def column(x: Grid | float, view: View, space: Any) -> tuple[Any, list[Call]]:
    """A column of factors, and the calls before it is there."""
    return (x, []) if isinstance(x, float) else x.column(view, space)


def added(y: Floats, a: Any, b: Any, view: View) -> Iterator[Call]:
    """y = y + a·b"""
    if not is_number(b):
        x = view.space("product", np.broadcast_shapes(a.shape, b.shape))
        yield np.multiply, (a, b, x)
        a, b = x, 1.0
    yield np.add if b == 1 else np.subtract, (y, a, y)


class LongSums:
    """out = Σ left·right, for few long sums of plain numbers."""

    def __init__(self, lines: Ints) -> None:
        self.out, self.left, self.right = lines[:, 0], lines[:, 1::2], lines[:, 2::2]

    def calls(self, view: View) -> Iterator[Call]:
        yield self.run, (view.numbers,)

    def run(self, x: Floats) -> None:
        x[self.out] = np.add.accumulate(x[self.left] * x[self.right], axis=1)[:, -1]


class Product:
    """A block by np.matmul, which adds up in an order of its own.

    So each entry, a sum of n terms, is within n·eps·Σ|terms| of what the lines give.
    """

    def __init__(self, block: Block, memory: Floats) -> None:
        m, n = in_order(block.out[:, 0]), in_order(block.out[0])  # for views, as far as it goes
        k = in_order(block.right[0])
        at = np.ix_(n, m)
        self.left, self.right = Grid(block.left[np.ix_(m, k)]), Grid(block.right[np.ix_(n, k)])
        self.out = Grid(block.out.T[at])
        edges = [block.last] if block.go_on else [block.first, block.last]
        self.added = [Grid(x.T[at]) for x in edges if not only_minus_zero(memory[x])]
        self.over_batch, self.go_on = block.over_batch, block.go_on

    def calls(self, view: View) -> Iterator[Call]:
        p, before = self.left.read(view, 0)
        q, more = self.right.read(view, 1)
        yield from (*before, *more)
        y, after = self.out.write(view, "result")
        x = y
        if self.over_batch or self.go_on:  # as it stands in memory
            turned = not self.out.in_rows and y.strides[0] < y.strides[1]
            x = view.space("product", y.T.shape).T if turned else view.space("product", y.shape)
        if self.over_batch:
            p, q = p[..., : view.samples], q[..., : view.samples]
            for k, factor in enumerate((p, q)):
                if factor.shape[1] > 1:
                    flat = view.space(("flat", k), factor.shape)
                    yield np.copyto, (flat, factor)
                    p, q = (flat, q) if k == 0 else (p, flat)
            yield np.matmul, (q.reshape(len(q), -1), p.reshape(len(p), -1).T, x)
        elif not self.out.in_rows:
            yield np.matmul, (q, p.T, x)
        elif len(q) == 1:
            yield np.matmul, (p, q[0], x[0])
        else:
            yield np.matmul, (p, q, x)
        for k, grid in enumerate(self.added):
            edge, before = grid.read(view, ("added", k))
            yield from before
            yield np.add, (x, edge[..., None] if self.out.in_rows else edge, x)
        if x is not y:
            yield from self.out.read(view, "result")[1]
            yield np.add, (y, x, y)
        yield from after


def in_order(places: Ints) -> Ints:
    """What sorts places as they stand in memory."""
    return np.argsort(np.where(places < 0, -1 - places, places), kind="stable")


def only_minus_zero(x: Floats) -> bool:
    """Whether a matrix adds nothing."""
    return bool(np.signbit(x).all() and not x.any())


class Operation:
    """out = op(operands), for each line."""

    def __init__(self, lines: Ints, op: Op, fast: bool, forward: bool) -> None:
        self.op, self.forward, self.on_arrays = op, forward, on_arrays(op, fast)
        self.out = Grid(lines[:, 0])
        alone = op.arity is None  # all operands are one array then
        self.operands = [Grid(lines[:, 1:].T)] if alone else [*map(Grid, lines[:, 1:].T)]

    def calls(self, view: View) -> Iterator[Call]:
        y, after = self.out.column(view, "result", new=True)
        operands = []
        for k, grid in enumerate(self.operands):
            x, before = grid.column(view, k)
            yield from before
            operands.append(x)
        f = self.on_arrays if y.size >= MANY else None
        yield self.run, (f, operands if self.op.arity is not None else operands[0], y, view)
        yield from after

    def run(self, f: Any, operands: Any, y: Floats, view: View) -> None:
        found = f(operands, y) if f else None
        if found is None:
            found, error = number_by_number(self.op, operands)
            if error:
                view.failed(self.forward, error)
        if found is not y:
            y[...] = found


def number_by_number(op: Op, operands: Iterable[Floats]) -> tuple[Floats, Exception | None]:
    """The operation of every line and sample; nan where it raises, and the last error."""
    columns = np.broadcast_arrays(*operands)
    flat = [x.ravel().tolist() for x in columns]
    failed: Exception | None = None
    try:
        y = list(map(op.forward, *flat))
    except (ArithmeticError, ValueError):
        y = []
        for xs in zip(*flat):
            try:
                y.append(op.forward(*xs))
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


def results(places: Ints, numbers: Floats, rows: Floats) -> Floats:
    """The numbers at these places, a row for each sample."""
    found = np.empty((len(places), rows.shape[1]))
    gather(numbers, rows, places, found)
    return found.T
