"""A batched program over the workers of a Dask cluster: each takes a part of the samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from microgrid.engine.errors import MicrogridError

if TYPE_CHECKING:
    from microgrid.program.batched import Batched


class Spread:
    """A batched program whose samples are divided among the workers of a `distributed.Client`.

    The program travels once; values and gradients are those of one process (sums over the batch up
    to the rounding of their order).
    """

    def __init__(self, batched: Batched, client: Any) -> None:
        self.batched, self.client = batched, client
        # not by its hash: an equal program may be released just now
        self.there = client.scatter(batched, broadcast=True, hash=False)

    def value_and_grad(self, *inputs: Any, argnums: int | Sequence[int] = 0) -> tuple[Any, Any]:
        """The values of all samples, and the gradients of their sum: see Batched."""
        program, axes = self.batched.program, self.batched.axes
        wanted = program.asked(argnums)
        self.batched.divided(inputs)  # ShapeError where they do not fit
        workers = max(len(self.client.nthreads()), 1)
        futures = [
            self.client.submit(run, self.there, part, wanted, pure=False)
            for part in divided(inputs, axes, workers)
        ]
        results = self.client.gather(futures)
        values = np.concatenate([v for v, _ in results])
        found = []
        for i, k in enumerate(wanted):
            parts, form, axis = [grads[i] for _, grads in results], program.forms[k], axes[k]
            if axis is None:
                found.append(form.filled(sum([form.flat(g, program.names[k]) for g in parts])))
            else:
                found.append(np.concatenate(parts, axis=axis))
        return values, tuple(found) if isinstance(argnums, Sequence) else found[0]


def divided(inputs: Sequence[Any], axes: Sequence[int | None], count: int) -> list[list[Any]]:
    """The inputs for each worker: shared ones whole, of the others a part of the samples."""
    pieces = [
        [x] * count if axis is None else np.array_split(np.asarray(x), count, axis=axis)
        for axis, x in zip(axes, inputs)
    ]
    return [list(part) for part in zip(*pieces)]


def run(batched: Batched, inputs: Sequence[Any], wanted: tuple[int, ...]) -> tuple[Any, Any]:
    """What a worker does."""
    try:
        return batched.value_and_grad(*inputs, argnums=wanted)
    except MicrogridError as error:
        error.add_note("counted from the first sample of this worker's part")
        raise
