"""Runs of a plan over a batch: blocks of samples that stay in the cache, chunks side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from microgrid.program.engines import numpy_engine
from microgrid.program.plan.lines import CACHE_LINE, SPARE
from microgrid.program.runner import Runner, Workspace, span
from microgrid.program.tape import Floats, Ints

CHUNK = 2048  # samples whose sums are added up on their own: the same with any number of threads
Found = list[Floats | None]  # the results that have a row for each sample
Columns = Callable[[Floats, Floats], Floats]  # of numbers and rows


class BatchRun:
    """Runs the prologue of a plan, its batch, and its epilogue.

    Values, and those gradients that `per_sample` marks, are matrices with a row for each sample;
    other gradients are rows of sums over the samples.
    """

    def __init__(self, runner: Runner, per_sample: Sequence[bool]) -> None:
        self.runner, plan = runner, runner.plan
        results = [*zip((plan.outputs, *plan.gradients), (True, *per_sample))]
        self.spans = [span(places) for places, _ in results]
        self.columns = [columns(places) if own else None for places, own in results]
        self.widths = [len(places) for places, _ in results]
        self.begins, self.ends = [len(part.runs) > 0 for part in (plan.prologue, plan.epilogue)]

    def __call__(
        self, samples: list[Floats], side_by_side: Callable[..., Any],
        explain: Callable[[list[int]], None],
    ) -> list[Floats]:  # fmt: skip
        """The values and the gradients of samples, given as matrices with a row for each.

        The inputs of all samples are in the numbers of this thread already. Chunks run with the
        `map` of some threads. `explain` gets samples that may have failed.
        """
        runner, count = self.runner, len(samples[0])
        plan, run, workspace = runner.plan, runner.engine.run, runner.workspace
        numbers = workspace.numbers
        numbers[plan.count] = count
        numbers[runner.added_to if 0 < count <= CHUNK else runner.sums] = 0.0
        found = [of and np.empty((count, width)) for of, width in zip(self.columns, self.widths)]
        failed = self.begins and run(plan.prologue, numbers, workspace.rows, 0)
        suspects = [0] if failed and count else []
        if count > CHUNK:
            chunk = partial(self.chunk, numbers, samples, found, suspects)
            for added in list(side_by_side(chunk, range(0, count, CHUNK))):
                numbers[runner.sums] += added
        elif count:
            self.blocks(workspace, samples, found, suspects, 0, count)
        if suspects:
            explain(sorted(suspects))
        if self.ends:
            run(plan.epilogue, numbers, workspace.rows, 0)
        return [numbers[p].copy() if out is None else out for p, out in zip(self.spans, found)]

    def chunk(
        self, numbers: Floats, samples: list[Floats], found: Found, suspects: list[int], first: int
    ) -> Floats:
        """Run a chunk in the workspace of this thread; what it adds to the sums."""
        workspace = self.runner.chunk_workspace
        workspace.numbers[:] = numbers
        last = min(first + CHUNK, len(samples[0]))
        self.blocks(workspace, samples, found, suspects, first, last)
        sums: Floats = workspace.numbers[self.runner.sums].copy()
        return sums

    def blocks(
        self, workspace: Workspace, samples: list[Floats], found: Found, suspects: list[int],
        first: int, last: int,
    ) -> None:  # fmt: skip
        """Run the samples from the first to before the last, a block at a time."""
        plan, run, numbers = self.runner.plan, self.runner.engine.run, workspace.numbers
        width = block_width(plan.rows, last - first, self.runner.engine.cells)
        if workspace.width != width:
            workspace.rows = empty_rows(plan.rows, width, self.runner.tiled)
            workspace.width = width
        for lo in range(first, last, width):
            n = min(width, last - lo)
            fill(workspace.rows, samples, lo, n)
            rows = workspace.rows[: plan.rows, :n]
            if run(plan.batch, numbers, workspace.rows, n, lo == first):
                finite = np.isfinite(rows).all(axis=0)
                suspects.extend((lo + np.flatnonzero(~finite)).tolist())
            for of, out in zip(self.columns, found):
                if of and out is not None:
                    out[lo : lo + n] = of(numbers, rows)


def empty_rows(count: int, width: int, tiled: bool) -> Floats:
    """So many rows of zeros; for tiles also the spare ones, and the width may be larger.

    Then each begins with a line of the cache, and it is an odd number of lines from one to the
    next: so they are spread over all of the cache.
    """
    if not tiled:
        return np.zeros((count, width))
    height, stride = count + SPARE, (-(-width // CACHE_LINE) | 1) * CACHE_LINE
    room = np.zeros((height + 1) * stride)
    skip = -(room.ctypes.data // room.itemsize) % CACHE_LINE
    return room[skip : skip + height * stride].reshape(height, stride)


def columns(places: Ints) -> Columns:
    """The function of numbers and rows that gives those at some places, a row for each sample."""
    if (places >= 0).any():
        return partial(numpy_engine.results, places)
    where = span(-1 - places)
    return lambda numbers, rows: rows[where].T


def fill(rows: Floats, samples: list[Floats], first: int, count: int) -> None:
    """Write so many samples into the rows; idle columns repeat the last, within the domain."""
    end, wide = 0, -(-count // 8) * 8
    for x in samples:
        begin, end = end, end + x.shape[1]
        rows[begin:end, :count] = x[first : first + count].T
    if count < wide:
        rows[:end, count:wide] = rows[:end, count - 1 : count]


@cache
def block_width(rows: int, samples: int, cells: int) -> int:
    """So many samples at a time that their rows have about so many cells, a multiple of 8."""
    usual = min(max(cells // max(rows, 1), 32), 512)
    blocks = max(round(samples / usual), 1)
    return -(-samples // (8 * blocks)) * 8
