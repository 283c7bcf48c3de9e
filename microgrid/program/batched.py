"""One sample's program over a whole batch: this is where scalar graphs meet the matrix formulas."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from microgrid.engine.arguments import Argnums, as_asked
from microgrid.engine.errors import MicrogridError, ShapeError
from microgrid.engine.hints import Hinted
from microgrid.engine.settings import whole
from microgrid.program.batch_run import BatchRun
from microgrid.program.derived import tangent
from microgrid.program.runner import explain_failure
from microgrid.program.tape import LAST_BIT, Floats
from microgrid.program.text.matrices import source

if TYPE_CHECKING:
    from microgrid.program.program import Program
    from microgrid.program.words.matrices import Matrices


class Batched(Hinted):
    """A program that runs once for each sample of a batch; made by `Program.batched`.

    >>> from microgrid import record
    >>> batch = record(lambda w, x: w * x, 1.0, 1.0).batched(in_axes=(None, 0))
    >>> batch(3.0, [1.0, 2.0]).tolist()
    [3.0, 6.0]
    """

    def __init__(self, program: Program, in_axes: Any, threads: int | None) -> None:
        signature = program.signature
        count = len(signature.names)
        axes = axes_of(in_axes, count)
        if threads is not None:
            threads = whole("threads", threads, 1, ShapeError)
        if len(axes) != count:
            raise ShapeError(f"in_axes has {len(axes)} entries, the program {count} arguments")
        if count > LAST_BIT:
            raise ShapeError(f"a batched program takes at most {LAST_BIT} arguments: put numbers "
                             "together in arrays")  # fmt: skip
        for axis, structure, name in zip(axes, signature.arguments, signature.names):
            if axis is None:
                continue
            if not (arrays := list(structure.arrays(name))):
                raise ShapeError(f"{name} is {structure}, without an array for a batch axis")
            for place, shape in arrays:
                if not -len(shape) - 1 <= axis <= len(shape):
                    raise ShapeError(f"{place} has no axis {axis} when it has {len(shape) + 1}")
        self.program, self.signature, self.tape = program, signature, program.tape
        self.axes = axes
        self._has_samples = [axis is not None for axis in axes]
        self._batched = sum([1 << k for k, own in enumerate(self._has_samples) if own])
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        self.threads = threads or available or os.cpu_count() or 1
        self._ready()

    def _ready(self) -> None:
        """Nothing is kept yet."""
        self._threads_of = 0  # the process whose threads are kept
        self._value: BatchRun | None = None
        self._gradient: tuple[Argnums, BatchRun, list[Callable[[Floats], Any]]] | None = None

    def __repr__(self) -> str:
        return f"<Batched of {self.signature}, in_axes={self.axes}>"

    def __call__(self, *inputs: Any) -> Any:
        """The values, an array with the samples along its first axis; lists stay lists."""
        run = self._value or self._run_of(None)
        return self.signature.result.unflatten(self._run(run, inputs)[0])

    def value_and_grad(self, *inputs: Any, argnums: Argnums = 0) -> tuple[Any, Any]:
        """The values, one for each sample, and the gradients of their sum.

        The gradient of a shared argument has its structure, and is summed over the samples; that of
        a batched one is an array with a batch axis like its own.

        >>> from microgrid import record
        >>> batch = record(lambda w, x: w * x, 1.0, 1.0).batched(in_axes=(None, 0))
        >>> values, (dw, dx) = batch.value_and_grad(3.0, [1.0, 2.0], argnums=(0, 1))
        >>> dw, dx.tolist()
        (3.0, [3.0, 3.0])
        """
        asked = self._gradient
        if asked is None or asked[0] is not argnums:  # that of the last call is the same object
            wanted = self.signature.wanted(argnums)
            asked = argnums, self._run_of(wanted), self._shapers(wanted)
            if type(argnums) in (int, tuple):
                self._gradient = asked
        _, run, shapers = asked
        values, *found = self._run(run, inputs)
        gradients = [shaped(rows) for shaped, rows in zip(shapers, found)]
        return values[:, 0], as_asked(gradients, argnums)

    def _shapers(self, wanted: Sequence[int]) -> list[Callable[[Floats], Any]]:
        """For each argument that is asked for the function that gives its gradient its form."""
        asked = [(self.signature.arguments[k], self.axes[k]) for k in wanted]
        return [
            s.unflatten if axis is None else partial(s.batch_of, axis=axis) for s, axis in asked
        ]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """The values and the tangents, both as `batched(…)(…)` gives values: see `Program.jvp`.

        A tangent has the batch axis of its argument; that of a shared one moves all samples.

        >>> from microgrid import record
        >>> batch = record(lambda w, x: w * x, 1.0, 1.0).batched(in_axes=(None, 0))
        >>> values, tangents = batch.jvp((3.0, [1.0, 2.0]), (1.0, [0.0, 0.0]))
        >>> values.tolist(), tangents.tolist()
        ([3.0, 6.0], [1.0, 2.0])
        """
        value, moved = self._of_tangents(*self.signature.moving(primals, tangents))
        return value, moved

    @cached_property
    def _of_tangents(self) -> Batched:
        return Batched(self.program._made(tangent), self.axes * 2, self.threads)

    def source(self, language: str = "numpy") -> str:
        """The batched program as text that runs on its own: "numpy", "jax" or "torch".

        It defines `value` and `value_and_grad`, which take the arrays of a batch: Y = X @ W + b has
        a row for each sample, and dW = X.T @ dY is summed over them. Values and gradients are those
        of `value_and_grad` here. GraphError for "python", which has no arrays.

        >>> from microgrid import record
        >>> batch = record(lambda w, x: w * x, 1.0, 1.0).batched(in_axes=(None, 0))
        >>> space = {}
        >>> exec(batch.source(), space)
        >>> values, (dw, dx) = space["value_and_grad"](3.0, [1.0, 2.0])
        >>> values.tolist(), float(dw), dx.tolist()
        ([3.0, 6.0], 3.0, [3.0, 3.0])
        """
        return source(self.tape, self.signature, language, self.axes)

    def matrices(self) -> Matrices:
        """The program in matrices, with a row for each sample: see `Program.matrices`.

        >>> from microgrid import record
        >>> W, x = [[1, 2]] * 3, [1, 2]
        >>> layer = record(lambda W, x: [x[0] * w[0] + x[1] * w[1] for w in W], W, x)
        >>> layer.batched((None, 0)).matrices().formulas
        ('Y = X Wᵀ',)
        """
        from microgrid.program.words.matrices import Matrices

        return Matrices(self.tape, self.signature, self._batched)

    def on(self, client: Any) -> Spread:
        """The same over the workers of a `distributed.Client` (extra `cluster`)."""
        return Spread(self, client)

    def _run_of(self, wanted: tuple[int, ...] | None) -> BatchRun:
        """What runs the plan of the value, or with `wanted` of the value and its gradients."""
        runner = self.program._runner(self._batched, wanted)
        run = BatchRun(runner, [self._has_samples[k] for k in wanted or ()])
        if wanted is None:
            self._value = run
        return run

    def _run(self, run: BatchRun, inputs: Sequence[Any]) -> list[Floats]:
        """The values, and the gradients: a matrix with a row per sample, or a row of sums."""
        numbers = run.runner.workspace.numbers
        samples = self._divided(numbers, inputs)
        return run(samples, self._side_by_side, partial(self._explain_failure, numbers, samples))

    def _side_by_side(self, f: Callable[..., Any], xs: Sequence[Any]) -> Any:
        """f of each x, in threads, which are kept; a forked process makes its own."""
        if self.threads == 1:
            return map(f, xs)
        if self._threads_of != os.getpid():
            self._kept, self._threads_of = ThreadPoolExecutor(self.threads), os.getpid()
        return self._kept.map(f, xs)

    def __getstate__(self) -> dict[str, Any]:
        made = "_kept", "_threads_of", "_value", "_gradient"
        return {k: v for k, v in vars(self).items() if k not in made}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._ready()

    def _divided(self, row: Floats, inputs: Sequence[Any]) -> list[Floats]:
        """Of batched arguments matrices with a row for each sample.

        The other inputs are written into the beginning of a row.
        """
        self.signature.check_count(inputs)
        samples: list[tuple[str, Floats]] = []
        end = 0
        spans = self.signature.spans
        for x, axis, (structure, name, is_number, *_) in zip(inputs, self.axes, spans):
            if axis is not None:
                structure.batch_into(samples, x, axis, name)
            elif is_number and type(x) is float:  # written out: a loop of training waits for it
                row[end] = x
                end += 1
            else:
                begin, end = end, end + structure.size
                structure.write(row[begin:end], x, name)
        if len(samples) > 1 and len({len(x) for _, x in samples}) > 1:
            said = ", ".join([f"{name} has {len(x)}" for name, x in samples])
            raise ShapeError(f"the batch has one size: {said} samples")
        return [x for _, x in samples]

    def _explain_failure(self, numbers: Floats, samples: list[Floats], suspects: list[int]) -> None:
        """Raise what the engine of Values would raise, for the first sample where it would."""
        own = np.array(self._has_samples)[self.tape.argument]
        row = np.empty(len(own))
        row[~own] = numbers[: len(own) - own.sum()]
        for i in suspects:
            row[own] = np.concatenate([x[i] for x in samples])
            try:
                explain_failure(self.tape, row)
            except MicrogridError as error:
                error.add_note(f"in sample {i} of the batch")
                raise


def axes_of(in_axes: Any, count: int = 1) -> tuple[int | None, ...]:
    """The axes that are given, or one axis for so many arguments; ShapeError where none is one."""
    axes = tuple(in_axes) if isinstance(in_axes, list | tuple) else (in_axes,) * count
    if not all(axis is None or type(axis) is int for axis in axes):
        raise ShapeError(
            f"in_axes are ints or None, one for each (whole) argument, got {in_axes!r}"
        )
    if all(axis is None for axis in axes):
        raise ShapeError("in_axes: at least one argument must have a batch axis")
    return axes


class Spread:
    """A batched program whose samples are divided among the workers of a `distributed.Client`.

    The program travels once; values and gradients are those of one process (sums over the batch up
    to the rounding of their order).
    """

    def __init__(self, batched: Batched, client: Any) -> None:
        self.batched, self.client = batched, client
        # not by its hash: an equal program may be released just now
        self.there = client.scatter(batched, broadcast=True, hash=False)

    def value_and_grad(self, *inputs: Any, argnums: Argnums = 0) -> tuple[Any, Any]:
        """The values of all samples, and the gradients of their sum: see Batched."""
        signature, axes = self.batched.signature, self.batched.axes
        wanted = signature.wanted(argnums)
        self.batched._divided(np.empty(self.batched.tape.inputs), inputs)  # ShapeError
        workers = max(len(self.client.nthreads()), 1)
        pieces = [
            [x] * workers if axis is None else
            [s.batch_of(part, axis) for part in np.array_split(s.columns(x, axis, name), workers)]
            for s, name, axis, x in zip(signature.arguments, signature.names, axes, inputs)
        ]  # fmt: skip
        values, parts = zip(*self.client.gather([
            self.client.submit(work, self.there, piece, wanted, pure=False)
            for piece in zip(*pieces)
        ]))  # fmt: skip
        gradients = []
        for k, found in zip(wanted, zip(*parts)):
            structure, name, axis = signature.arguments[k], signature.names[k], axes[k]
            if axis is None:
                total = sum([structure.flatten(x, name) for x in found])
                gradients.append(structure.unflatten(total))
            else:
                rows = [structure.columns(x, axis, name) for x in found]
                gradients.append(structure.batch_of(np.concatenate(rows), axis))
        return np.concatenate(values), as_asked(gradients, argnums)


def work(batched: Batched, inputs: Sequence[Any], wanted: tuple[int, ...]) -> tuple[Any, Any]:
    """What a worker does."""
    try:
        return batched.value_and_grad(*inputs, argnums=wanted)
    except MicrogridError as error:
        error.add_note("counted from the first sample of this worker's part")
        raise
