"""One run of a plan over a batch: blocks of samples that stay in the cache, chunks side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from microgrid.program.engines import numpy_engine
from microgrid.program.runner import Runner, Workspace
from microgrid.program.tape import Floats

CHUNK = 2048  # samples whose sums are added up on their own: the same with any number of threads


class BatchRun:
    """The prologue of a plan, the batch, and the epilogue, one after the other.

    `shared` are the inputs of all samples, `samples` those of each, a row per sample; `per_sample`
    says which gradients have a row per sample, too, and are not summed.
    """

    def __init__(
        self, runner: Runner, shared: list[Floats], samples: list[Floats],
        per_sample: Sequence[bool],
    ) -> None:  # fmt: skip
        self.runner, self.plan = runner, runner.plan
        self.samples, self.count = samples, len(samples[0])
        self.numbers = numbers = runner.workspace.numbers
        if shared:
            np.concatenate(shared, out=numbers[: sum([len(x) for x in shared])])
        numbers[self.plan.count], numbers[runner.sums] = self.count, 0.0
        places = zip((self.plan.outputs, *self.plan.gradients), (True, *per_sample))
        self.results = [np.empty((self.count, len(p))) if single else None for p, single in places]
        failed = runner.engine.run(self.plan.prologue, numbers, runner.workspace.rows, 0)
        self.suspects = [0] if failed and self.count else []  # samples that may have failed

    def batch(self, side_by_side: Callable[..., Any]) -> list[int]:
        """Run all samples, with the `map` of some threads; those that may have failed."""
        if self.count > CHUNK:
            for sums in list(side_by_side(self.chunk_sums, range(0, self.count, CHUNK))):
                self.numbers[self.runner.sums] += sums
        elif self.count:
            self.chunk(0, self.runner.workspace)
        return sorted(self.suspects)

    def chunk_sums(self, first: int) -> Floats:
        """Run a chunk in the workspace of this thread; what it adds to the sums."""
        workspace = self.runner.chunk_workspace
        workspace.numbers[:] = self.numbers
        self.chunk(first, workspace)
        sums: Floats = workspace.numbers[self.runner.sums].copy()
        return sums

    def chunk(self, first: int, workspace: Workspace) -> None:
        """Run the samples from the first on, a block at a time."""
        plan, last = self.plan, min(first + CHUNK, self.count)
        width = block_width(plan.rows, last - first)
        if workspace.rows.shape != (plan.rows, width):
            workspace.rows = np.zeros((plan.rows, width))
        for lo in range(first, last, width):
            n = min(width, last - lo)
            fill(workspace.rows, self.samples, lo, n)
            rows = workspace.rows[:, :n]
            if self.runner.engine.run(plan.batch, workspace.numbers, workspace.rows, n):
                finite = np.isfinite(rows).all(axis=0)
                self.suspects.extend((lo + np.flatnonzero(~finite)).tolist())
            for places, out in zip((plan.outputs, *plan.gradients), self.results):
                if out is not None:
                    out[lo : lo + n] = numpy_engine.results(places, workspace.numbers, rows)

    def epilogue(self) -> list[Floats]:
        """The values, and the gradients: a matrix with a row per sample, or a row of sums."""
        self.runner.engine.run(self.plan.epilogue, self.numbers, self.runner.workspace.rows, 0)
        sums = (None, *self.runner.gradients)
        return [
            self.numbers[places].copy() if out is None else out
            for places, out in zip(sums, self.results)
        ]


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
