"""Whole epochs of a training inside the compiled engine, where nothing is asked after a step."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from itertools import count, islice, repeat
from types import ModuleType
from typing import Any

import numpy as np

from microgrid.engine.errors import ParameterError
from microgrid.optim import schedules, updates
from microgrid.optim.objective import Data, Objective
from microgrid.optim.optimizers import SGD, Adam, AdamW, Optimizer
from microgrid.program import Program
from microgrid.program.batch_run import CHUNK, block_width, empty_rows
from microgrid.program.engines import numba_engine
from microgrid.program.tape import Floats, Ints

AT_A_TIME = 10**8  # numbers that one call reads: Ctrl-C waits for its end
Batches = Sequence[Ints | None]  # the samples of each; None: all, as they stand


class Epochs:
    """The parameters of a training, moved for many batches in one call of the compiled engine."""

    def __init__(self, objective: Objective, data: Data, size: int) -> None:
        batched: Any = objective.run
        runner = batched.program._runner(batched._batched, (0,))
        plan, engine = runner.plan, runner.engine
        self.v = plan.memory.copy()
        self.size = objective.structure.size
        places = objective.structure.unflatten(np.arange(self.size, dtype=float))
        samples = batched._divided(self.v, (places, *data))
        self.data = np.ascontiguousarray(np.concatenate(samples, axis=1))  # a row for each sample
        self.order = self.v[: self.size].astype(np.int64)  # a dict may have its keys in another
        width = block_width(plan.rows, size, engine.cells)
        parts = plan.prologue, plan.batch, plan.epilogue
        runs, bodies = zip(*[engine.parts[id(p)] for p in parts])
        self.program = (
            *map(first_class, (engine.numbers, engine.samples)), runs, bodies, self.v,
            empty_rows(plan.rows, width, True), width, plan.count, int(plan.outputs[0]),
            pieces(plan.sums), pieces(plan.gradients[0]),
            self.data, size,
        )  # fmt: skip
        self.most = max(1, AT_A_TIME // (size * (1 + len(bodies[1]))))

    def run(self, optimizer: Any, batches: Batches, losses: list[float]) -> int:
        """Do steps on these batches, and add their losses; how many steps are done.

        One is left, and those after it, whose loss, gradient or learning rate no step can use.
        """
        if optimizer.steps and optimizer.size != self.size:
            return 0
        remembered = [np.broadcast_to(getattr(optimizer, x), self.size) for x in optimizer.memory]
        memory = np.take(np.array(remembered, dtype=float), self.order, axis=1)
        update = getattr(compiled(), f"{optimizer._update.__name__}_of_each")
        first = 0
        while rates := list(islice(rates_of(optimizer), min(self.most, len(batches) - first))):
            found, done = np.empty(len(rates)), np.zeros(1, dtype=np.int64)
            steps = range(optimizer.steps + 1, optimizer.steps + 1 + len(rates))
            settings = np.array([optimizer._settings_of(t) for t in steps], dtype=float)
            chosen = together(batches[first : first + len(rates)], self.data)
            try:
                compiled().epoch(
                    *self.program, chosen, first_class(update), memory, settings, np.array(rates),
                    float(optimizer.weight_decay), optimizer._decoupled,
                    float(optimizer._longest), found, done,
                )  # fmt: skip
            finally:  # an interrupted training keeps what it has learnt
                if count := int(done[0]):
                    first += count
                    losses += found[:count].tolist()
                    optimizer.steps, optimizer.size = optimizer.steps + count, self.size
                    optimizer._remember(self.in_order(memory))
            if count < len(rates):
                break
        return first

    def start(self, numbers: Floats) -> None:
        """Take the numbers of the parameters."""
        self.v[: self.size] = numbers[self.order]

    def numbers(self) -> Floats:
        """The numbers of the parameters as they are now."""
        return self.in_order(self.v[: self.size])

    def in_order(self, rows: Floats) -> Floats:
        """Rows with a number for each parameter, from the order of the program to that of fit."""
        found = np.empty_like(rows)
        found[..., self.order] = rows
        return found


def together(batches: Batches, data: Floats) -> Ints:
    """The samples of these batches as one, as rows of the data."""
    return np.concatenate([np.arange(len(data)) if b is None else b for b in batches])


def pieces(places: Ints) -> Ints:
    """Where the pieces of places that stand side by side begin and end, a row for each."""
    begins = np.flatnonzero(np.diff(places, prepend=-2) != 1)
    ends = np.append(begins[1:], len(places))[: len(begins)]
    return np.stack([places[begins], places[ends - 1] + 1], axis=1)


def rates_of(optimizer: Optimizer) -> Iterator[float]:
    """The learning rates of the next steps, up to one that is none."""
    with suppress(ParameterError):
        if not callable(optimizer.lr):
            yield from repeat(optimizer._rate_of(optimizer.steps))
        yield from map(optimizer._rate_of, count(optimizer.steps))


def epochs_of(
    objective: Objective, optimizer: Optimizer, data: Data, batch_size: int | None
) -> Epochs | None:
    """What runs epochs of this training in the compiled engine; None where a loop in Python does.

    It needs a program of the compiled engine, an optimizer of this package, and a learning rate
    that is a number or one of `schedules`; of 2,048 samples on, threads share the work of a step.
    """
    f, lr = objective.f, optimizer.lr
    if not (data and isinstance(f, Program) and f.backend == numba_engine.NAME):
        return None
    size = min(batch_size or len(data[0]), len(data[0]))
    ours = type(optimizer) in (SGD, Adam, AdamW)
    known = not callable(lr) or type(lr).__module__ == schedules.__name__
    if not (ours and known and size <= CHUNK and len(f.tape)):
        return None
    return Epochs(objective, data, size)


first_class = cache(numba_engine.first_class)  # numba looks at the type of each anew


@cache
def compiled() -> ModuleType:
    """The functions of `updates`, compiled; this takes a few seconds once on a machine."""
    text = f"{inspect.getsource(updates)}\n# for {numba_engine.SAMPLES}\n"
    with numba_engine.LOADING:
        return numba_engine.machine_code("updates", text, "its training loop", "some seconds")
