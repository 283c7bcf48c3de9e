"""Learning rates that change: functions from the number of the step, counted from 0, to a rate."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def linear(start: float, end: float, steps: int) -> Schedule:
    """From start to end in so many steps, and then end.

    >>> [linear(1.0, 0.0, 4)(k) for k in (0, 1, 4, 9)]
    [1.0, 0.75, 0.0, 0.0]
    """
    return lambda k: start + (end - start) * min(k / max(steps, 1), 1.0)


def exponential(start: float, factor: float) -> Schedule:
    """start · factorᵏ."""
    return lambda k: start * factor**k


def step_decay(start: float, factor: float, every: int) -> Schedule:
    """Multiplied by factor after every so many steps."""
    return lambda k: start * factor ** (k // max(every, 1))


def cosine(start: float, steps: int, end: float = 0.0, warmup: int = 0) -> Schedule:
    """Up from 0 to start during the warm-up, then down half a cosine, to end after `steps`.

    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, without restarts.
    """

    def rate(k: int) -> float:
        if k < warmup:
            return start * (k + 1) / warmup
        done = min((k - warmup) / max(steps - warmup, 1), 1.0)
        return end + (start - end) * (1 + math.cos(math.pi * done)) / 2

    return rate
