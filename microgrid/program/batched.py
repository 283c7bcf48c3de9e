"""One sample's program over a whole batch: this is where scalar graphs meet the matrix formulas."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from microgrid.engine.errors import MicrogridError, ShapeError
from microgrid.program.cluster import Spread
from microgrid.program.engines import numpy_engine as vectors
from microgrid.program.forms import Form, like, matrix_of
from microgrid.program.runner import Runner, Scratch, explain_failure
from microgrid.program.tape import LAST_BIT, Floats

if TYPE_CHECKING:
    from microgrid.program.program import Program

CHUNK = 2048  # samples whose sums are added up on their own: the same with any number of threads


class Batched:
    """A program that runs once for each sample of a batch."""

    def __init__(self, program: Program, in_axes: Any, threads: int | None) -> None:
        count = len(program.forms)
        axes = tuple(in_axes) if isinstance(in_axes, list | tuple) else (in_axes,) * count
        if not all(axis is None or type(axis) is int for axis in axes):
            raise ShapeError(f"in_axes are ints or None, one for each argument, got {in_axes!r}")
        if threads is not None and (type(threads) is not int or threads < 1):
            raise ShapeError(f"threads is a whole number from 1 on, got {threads!r}")
        if len(axes) != count:
            raise ShapeError(f"in_axes has {len(axes)} entries, the program {count} arguments")
        if count > LAST_BIT:
            raise ShapeError(f"a batched program takes at most {LAST_BIT} arguments: put numbers "
                             "together in arrays")  # fmt: skip
        if all(axis is None for axis in axes):
            raise ShapeError("in_axes: at least one argument must have a batch axis")
        for axis, form, name in zip(axes, program.forms, program.names):
            if axis is not None and not -len(s := form.rectangle(name)) - 1 <= axis <= len(s):
                raise ShapeError(f"{name} has no axis {axis} when it has {len(s) + 1}")
        self.program, self.axes = program, axes
        self.threads = threads or available_cpus()
        self.threads_of = 0  # the process whose threads are kept
        self.varying = sum([1 << k for k, axis in enumerate(axes) if axis is not None])

    def __repr__(self) -> str:
        return f"<Batched {self.program!r}, in_axes={self.axes}>"

    def __call__(self, *inputs: Any) -> Any:
        """The values, an array with the samples along its first axis; lists stay lists."""
        values, _, _ = self.run(inputs, None)
        return split(self.program.result, values)

    def value_and_grad(self, *inputs: Any, argnums: int | Sequence[int] = 0) -> tuple[Any, Any]:
        """The values, one for each sample, and the gradients of their sum.

        The gradient of a shared argument has its form, and is summed over the samples; that of a
        batched one is an array with a batch axis like its own.
        """
        wanted = self.program.asked(argnums)
        values, summed, single = self.run(inputs, wanted)
        found = []
        for k in wanted:
            form, axis = self.program.forms[k], self.axes[k]
            if axis is None:
                found.append(form.filled(summed[k]))
            else:
                shape = (len(values), *form.rectangle(self.program.names[k]))
                array = single[k].reshape(shape)
                found.append(np.moveaxis(array, 0, axis) if axis else array)
        return values[:, 0], tuple(found) if isinstance(argnums, Sequence) else found[0]

    def on(self, client: Any) -> Spread:
        """The same over the workers of a `distributed.Client` (extra `cluster`)."""
        return Spread(self, client)

    def run(
        self, inputs: Sequence[Any], wanted: tuple[int, ...] | None
    ) -> tuple[Floats, dict[int, Floats], dict[int, Floats]]:
        """Values, the gradients of shared arguments, those of batched arguments, a row a sample."""
        shared, samples = self.divided(inputs)
        count = len(samples[0])
        runner = self.program.runner(self.varying, wanted)
        plan, engine, scratch = runner.plan, runner.engine, runner.scratch
        numbers = scratch.numbers
        if shared:
            np.concatenate(shared, out=numbers[: sum([len(x) for x in shared])])
        numbers[plan.count], numbers[runner.sums] = count, 0.0
        bad = engine.run(plan.before, numbers, scratch.rows, 0)
        suspects = [0] if bad and count else []  # samples with a number that is not finite
        asked = [plan.outputs, *plan.gradients]
        batched = [True] + [self.axes[k] is not None for k in wanted or ()]
        found = [np.empty((count, len(p))) if b else None for p, b in zip(asked, batched)]
        wanted_rows = [(places, out) for places, out in zip(asked, found) if out is not None]

        def chunk(first: int, scratch: Scratch) -> None:
            """Run the samples from the first on, a block at a time."""
            last = min(first + CHUNK, count)
            width = block_width(plan.rows, last - first)
            if scratch.rows.shape != (plan.rows, width):
                scratch.rows = np.zeros((plan.rows, width))
            rows = scratch.rows
            for lo in range(first, last, width):
                n = min(width, last - lo)
                fill(rows, samples, lo, n)
                if engine.run(plan.block, scratch.numbers, rows, n):
                    finite = np.isfinite(rows[:, :n]).all(axis=0)
                    suspects.extend((lo + np.flatnonzero(~finite)).tolist())
                for places, out in wanted_rows:
                    out[lo : lo + n] = vectors.results(places, scratch.numbers, rows[:, :n])

        if count > CHUNK:
            self.in_chunks(chunk, runner, numbers, count)
        elif count:
            chunk(0, scratch)
        if suspects:
            self.explain_failure(shared, samples, sorted(suspects))
        engine.run(plan.after, numbers, scratch.rows, 0)
        gradients = list(zip(wanted or (), runner.gradients, found[1:]))
        summed = {k: numbers[places].copy() for k, places, out in gradients if out is None}
        single = {k: out for k, _, out in gradients if out is not None}
        return found[0], summed, single  # type: ignore[return-value]

    def in_chunks(
        self, chunk: Callable[[int, Scratch], None], runner: Runner, numbers: Floats, count: int
    ) -> None:
        """Run chunks side by side and add up their sums in order."""

        def run(first: int) -> Floats:
            scratch = runner.worker  # of the thread that runs this chunk
            scratch.numbers[:] = numbers
            chunk(first, scratch)
            sums: Floats = scratch.numbers[runner.sums].copy()
            return sums

        each = self.pool().map if self.threads > 1 else map
        for sums in list(each(run, range(0, count, CHUNK))):
            numbers[runner.sums] += sums

    def pool(self) -> ThreadPoolExecutor:
        """The threads, which are kept; a forked process makes its own."""
        if self.threads_of != os.getpid():
            self.kept, self.threads_of = ThreadPoolExecutor(self.threads), os.getpid()
        return self.kept

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k != "kept"} | {"threads_of": 0}

    def divided(self, inputs: Sequence[Any]) -> tuple[list[Floats], list[Floats]]:
        """The shared inputs in pieces; of other arguments a matrix with a row for each sample."""
        program = self.program
        program.check(inputs)
        shared: list[Floats] = []
        samples: list[Floats] = []
        for axis, form, name, x in zip(self.axes, program.forms, program.names, inputs):
            if axis is None:
                form.pieces(x, name, shared)
                continue
            shape = form.rectangle(name)
            array = x if type(x) is np.ndarray and x.dtype == float else matrix_of(x, name)
            moved = np.moveaxis(array, axis, 0) if axis and array.ndim == len(shape) + 1 else array
            if moved.ndim != len(shape) + 1 or moved.shape[1:] != shape:
                raise ShapeError(
                    f"{name}: each sample has shape {shape}, with the batch along axis {axis}; "
                    f"got shape {array.shape}"
                )
            samples.append(moved.reshape(len(moved), form.size))
        if len({len(x) for x in samples}) > 1:
            names = [n for n, axis in zip(program.names, self.axes) if axis is not None]
            said = ", ".join([f"{name} has {len(x)}" for name, x in zip(names, samples)])
            raise ShapeError(f"the batch has one size: {said} samples")
        return shared, samples

    def explain_failure(
        self, shared: list[Floats], samples: list[Floats], suspects: list[int]
    ) -> None:
        """Raise what the engine of Values would raise, for the first sample where it would."""
        argument = self.program.tape.argument.tolist()
        varies = np.array([self.axes[k] is not None for k in argument], dtype=bool)
        row = np.empty(len(varies))
        row[~varies] = np.concatenate([np.zeros(0), *shared])
        for i in suspects:
            row[varies] = np.concatenate([x[i] for x in samples])
            try:
                explain_failure(self.program.tape, row)
            except MicrogridError as error:
                error.add_note(f"in sample {i} of the batch")
                raise


def fill(rows: Floats, samples: list[Floats], first: int, count: int) -> None:
    """Write so many samples into the rows; idle columns repeat the last, within the domain."""
    row = 0
    for x in samples:
        end = row + x.shape[1]
        rows[row:end, :count] = x[first : first + count].T
        if count < rows.shape[1]:
            rows[row:end, count:] = x[first + count - 1][:, None]
        row = end


def block_width(rows: int, samples: int) -> int:
    """So many samples at a time that their rows stay in the cache, a multiple of 8."""
    most = min(max(2**16 // max(rows, 1), 32), 512)
    blocks = -(-samples // most)
    return -(-samples // (8 * blocks)) * 8


def split(form: Form, rows: Floats) -> Any:
    """Rows of results, one for each sample, in the form of a result with a batch axis."""
    if form.kind is float:
        return rows[:, 0]
    if form.kind is np.ndarray:
        return rows.reshape(len(rows), *form.shape)
    ends = np.cumsum([part.size for part in form.parts])[:-1]
    return like(form.kind)([split(p, r) for p, r in zip(form.parts, np.split(rows, ends, axis=1))])


def available_cpus() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
