"""Learning rates that change: functions from the number of a step, counted from 0, to its rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from microgrid.engine.settings import number, whole

Schedule = Callable[[int], float]


def check_rates(**rates: float) -> None:
    """ParameterError unless all are finite and none is negative."""
    for name, x in rates.items():
        number(name, x, "from 0 on")


def power(factor: float, n: int) -> float:
    """factorⁿ; inf for an overflow."""
    try:
        return float(factor**n)
    except OverflowError:
        return math.inf


@dataclass(frozen=True)
class linear:
    """From start to end in this many steps; then it stays at end.

    >>> [linear(1.0, 0.0, steps=4)(k) for k in (0, 1, 4, 9)]
    [1.0, 0.75, 0.0, 0.0]
    """

    start: float
    end: float
    steps: int

    def __post_init__(self) -> None:
        check_rates(start=self.start, end=self.end)
        whole("steps", self.steps, 0)

    def __call__(self, k: int) -> float:
        return self.start + (self.end - self.start) * min(k / max(self.steps, 1), 1.0)


@dataclass(frozen=True)
class exponential:
    """start · factorᵏ."""

    start: float
    factor: float

    def __post_init__(self) -> None:
        check_rates(start=self.start)
        number("factor", self.factor, "above 0")

    def __call__(self, k: int) -> float:
        return self.start * power(self.factor, k)


@dataclass(frozen=True)
class step_decay:
    """start, multiplied by factor after every `every` steps."""

    start: float
    factor: float
    every: int

    def __post_init__(self) -> None:
        check_rates(start=self.start)
        number("factor", self.factor, "above 0")
        whole("every", self.every, 1)

    def __call__(self, k: int) -> float:
        return self.start * power(self.factor, k // self.every)


@dataclass(frozen=True)
class cosine:
    """Up from 0 to start in `warmup` steps, then down along half a cosine, to end after `steps`.

    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, without restarts.
    """

    start: float
    steps: int
    end: float = 0.0
    warmup: int = 0

    def __post_init__(self) -> None:
        check_rates(start=self.start, end=self.end)
        whole("steps", self.steps, 0)
        whole("warmup", self.warmup, 0)

    def __call__(self, k: int) -> float:
        if k < self.warmup:
            return self.start * (k + 1) / self.warmup
        done = min((k - self.warmup) / max(self.steps - self.warmup, 1), 1.0)
        return self.end + (self.start - self.end) * (1 + math.cos(math.pi * done)) / 2
