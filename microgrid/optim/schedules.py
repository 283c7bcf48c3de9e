"""Learning rates that change: functions from the number of a step, counted from 0, to its rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from microgrid.engine.lazy import public
from microgrid.engine.settings import number, whole

__all__ = ["Schedule", "cosine", "exponential", "linear", "step_decay"]
__dir__ = public(__name__)

Schedule = Callable[[int], float]
"""The number of a step, counted from 0, to its learning rate: what `Optimizer(lr=…)` takes."""
RATES = {"start": "from 0 on", "end": "from 0 on", "factor": "above 0"}
COUNTS = {"steps": 0, "warmup": 0, "every": 1}  # the least of each


class Checked:
    """Its settings are looked at by name: ParameterError for what nothing can mean."""

    def __post_init__(self) -> None:
        for name, x in vars(self).items():
            if name in RATES:
                number(name, x, RATES[name])
            elif name in COUNTS:
                whole(name, x, COUNTS[name])


def power(factor: float, n: int) -> float:
    """factorⁿ; inf for an overflow."""
    try:
        return float(factor**n)
    except OverflowError:
        return math.inf


@dataclass(frozen=True)
class linear(Checked):
    """From start to end in this many steps; then it stays at end.

    >>> [linear(1.0, 0.0, steps=4)(k) for k in (0, 1, 4, 9)]
    [1.0, 0.75, 0.0, 0.0]
    """

    start: float
    end: float
    steps: int

    def __call__(self, k: int) -> float:
        return self.start + (self.end - self.start) * min(k / max(self.steps, 1), 1.0)


@dataclass(frozen=True)
class exponential(Checked):
    """start · factorᵏ.

    >>> [exponential(1.0, 0.5)(k) for k in (0, 1, 2)]
    [1.0, 0.5, 0.25]
    """

    start: float
    factor: float

    def __call__(self, k: int) -> float:
        return self.start * power(self.factor, k)


@dataclass(frozen=True)
class step_decay(Checked):
    """start, multiplied by factor after every `every` steps.

    >>> [step_decay(1.0, 0.5, every=10)(k) for k in (0, 9, 10, 25)]
    [1.0, 1.0, 0.5, 0.25]
    """

    start: float
    factor: float
    every: int

    def __call__(self, k: int) -> float:
        return self.start * power(self.factor, k // self.every)


@dataclass(frozen=True)
class cosine(Checked):
    """Up from 0 to start in `warmup` steps, then down along half a cosine, to end after `steps`.

    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, without restarts.

    >>> [round(cosine(1.0, steps=6, warmup=2)(k), 3) for k in range(7)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146, 0.0]
    """

    start: float
    steps: int
    end: float = 0.0
    warmup: int = 0

    def __call__(self, k: int) -> float:
        if k < self.warmup:
            return self.start * (k + 1) / self.warmup
        done = min((k - self.warmup) / max(self.steps - self.warmup, 1), 1.0)
        return self.end + (self.start - self.end) * (1 + math.cos(math.pi * done)) / 2
