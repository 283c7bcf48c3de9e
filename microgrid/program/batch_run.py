"""One run of a plan over a batch: blocks of samples that stay in the cache, chunks side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from microgrid.program.engines import numpy_engine
from microgrid.program.runner import Runner, Workspace
from microgrid.program.tape import Floats

CHUNK = 2048  # samples whose sums are added up on their own: the same with any number of threads


def run_batch(
    runner: Runner, shared: list[Floats], samples: list[Floats], per_sample: Sequence[bool],
    side_by_side: Callable[..., Any], explain: Callable[[list[int]], None],
) -> list[Floats]:  # fmt: skip
    """The values, and the gradients: a matrix with a row per sample, or a row of sums.

    The prologue of a plan runs, the batch, with the `map` of some threads, and the epilogue.
    `shared` are the inputs of all samples, `samples` those of each, a row per sample; `per_sample`
    says which gradients have a row per sample, too. `explain` gets samples that may have failed.
    """
    plan, run, count = runner.plan, runner.engine.run, len(samples[0])
    numbers, no_rows = runner.workspace.numbers, runner.workspace.rows
    if shared:
        np.concatenate(shared, out=numbers[: sum([len(x) for x in shared])])
    numbers[plan.count], numbers[runner.sums] = count, 0.0
    places = plan.outputs, *plan.gradients
    results = [np.empty((count, len(p))) if single else None
               for p, single in zip(places, (True, *per_sample))]  # fmt: skip
    failed = run(plan.prologue, numbers, no_rows, 0)
    suspects = [0] if failed and count else []

    def chunk(first: int, workspace: Workspace) -> None:
        """Run the samples from the first on, a block at a time."""
        last = min(first + CHUNK, count)
        width = block_width(plan.rows, last - first, runner.engine.cells)
        if workspace.rows.shape != (plan.rows, width):
            workspace.rows = np.zeros((plan.rows, width))
        for lo in range(first, last, width):
            n = min(width, last - lo)
            fill(workspace.rows, samples, lo, n)
            rows = workspace.rows[:, :n]
            if run(plan.batch, workspace.numbers, workspace.rows, n):
                finite = np.isfinite(rows).all(axis=0)
                suspects.extend((lo + np.flatnonzero(~finite)).tolist())
            for p, out in zip(places, results):
                if out is not None:
                    out[lo : lo + n] = numpy_engine.results(p, workspace.numbers, rows)

    def chunk_sums(first: int) -> Any:
        """Run a chunk in the workspace of this thread; what it adds to the sums."""
        workspace = runner.chunk_workspace
        workspace.numbers[:] = numbers
        chunk(first, workspace)
        return workspace.numbers[runner.sums].copy()

    if count > CHUNK:
        for added in list(side_by_side(chunk_sums, range(0, count, CHUNK))):
            numbers[runner.sums] += added
    elif count:
        chunk(0, runner.workspace)
    if suspects:
        explain(sorted(suspects))
    run(plan.epilogue, numbers, no_rows, 0)
    sums = (None, *runner.gradients)
    return [numbers[p].copy() if out is None else out for p, out in zip(sums, results)]


def fill(rows: Floats, samples: list[Floats], first: int, count: int) -> None:
    """Write so many samples into the rows; idle columns repeat the last, within the domain."""
    row = 0
    for x in samples:
        end = row + x.shape[1]
        rows[row:end, :count] = x[first : first + count].T
        if count < rows.shape[1]:
            rows[row:end, count:] = x[first + count - 1][:, None]
        row = end


def block_width(rows: int, samples: int, cells: int) -> int:
    """So many samples at a time that their rows have so many cells, a multiple of 8."""
    most = min(max(cells // max(rows, 1), 32), 512)
    blocks = -(-samples // most)
    return -(-samples // (8 * blocks)) * 8
