"""How an optimizer moves parameters, one definition of each step; and whole epochs of steps.

`Optimizer` runs an update on rows of floats, by NumPy. numba compiles the same text for `fit`: an
epoch calls the loops of the program's plan and, one parameter after the other, the update.
"""

import math
from typing import Any

import numpy as np

from microgrid.program.engines import numba_engine
from microgrid.program.tape import Floats, Ints

UPDATE = "float64[::1](float64[::1], float64[:, ::1], float64[::1])"
TYPES = {  # for numba, of the functions that are called from outside
    "sgd_of_each": UPDATE,
    "adam_of_each": UPDATE,
    "epoch": f"void(FunctionType({numba_engine.NUMBERS}), FunctionType({numba_engine.SAMPLES}),"
    "UniTuple(int64[:, ::1], 3),"
    "UniTuple(int32[::1], 3), float64[::1], float64[:, ::1], int64, int64, int64,"
    "int64[:, ::1], int64[:, ::1], float64[:, ::1], int64, int64[::1],"
    f"FunctionType({UPDATE}), float64[:, ::1], float64[:, ::1], float64[::1], float64, boolean,"
    "float64, float64[::1], int64[::1])",
}
REORDERED = ()


def sgd(gradient: Any, velocity: Any, momentum: float, nesterov: float) -> tuple[Any, Any]:
    """v ← μ v + ∂L/∂w: the direction v, with Nesterov's momentum ∂L/∂w + μ v; and v."""
    velocity = momentum * velocity + gradient
    return gradient + momentum * velocity if nesterov else velocity, velocity


def adam(
    gradient: Any, first: Any, second: Any, a: float, b: float, eps: float, p: float, q: float
) -> tuple[Any, Any, Any]:
    """m ← a m + (1 − a) ∂L/∂w, v ← b v + (1 − b) (∂L/∂w)²: the direction, m and v.

    The direction is m̂ / (√v̂ + ε) with m̂ = p m and v̂ = q v, where p = 1/(1 − aᵗ), q = 1/(1 − bᵗ).
    """
    first = a * first + (1 - a) * gradient
    second = b * second + (1 - b) * gradient * gradient
    return p * first / (np.sqrt(q * second) + eps), first, second


def sgd_of_each(gradient: Floats, memory: Floats, settings: Floats) -> Floats:
    """The directions of all parameters; `memory` changes in place."""
    directions, velocity = np.empty(len(gradient)), memory[0]
    momentum, nesterov = settings[0], settings[1]
    for k in range(len(gradient)):
        directions[k], velocity[k] = sgd(gradient[k], velocity[k], momentum, nesterov)
    return directions


def adam_of_each(gradient: Floats, memory: Floats, settings: Floats) -> Floats:
    """The directions of all parameters; `memory` changes in place."""
    directions, first, second = np.empty(len(gradient)), memory[0], memory[1]
    a, b, eps, p, q = settings[0], settings[1], settings[2], settings[3], settings[4]
    for k in range(len(gradient)):
        directions[k], first[k], second[k] = adam(gradient[k], first[k], second[k], a, b, eps, p, q)
    return directions


def clipped(gradient: Floats, longest: float) -> Floats:
    """The gradient, scaled to this length where it is longer."""
    if longest == math.inf or not len(gradient):
        return gradient
    largest = length = float(np.max(np.abs(gradient)))
    if 0 < largest < math.inf:  # a sum of squares would over- or underflow
        length = largest * math.sqrt(np.sum((gradient / largest) ** 2))
    return gradient * min(1.0, longest / (length + 1e-6))  # PyTorch adds 1e-6, too


def decayed(
    numbers: Floats, gradient: Floats, rate: float, decay: float, decoupled: bool
) -> tuple[float, Floats]:
    """What the numbers are multiplied by, and the gradient: the weight decay is in one of them."""
    if decoupled:
        return 1 - rate * decay, gradient
    return 1.0, gradient + decay * numbers if decay else gradient


def fill(rows: Floats, data: Floats, chosen: Ints) -> None:
    """Write the chosen samples into the rows, the last again up to a multiple of 8."""
    n = len(chosen)
    for s in range(-(-n // 8) * 8):
        sample = data[chosen[min(s, n - 1)]]
        for k in range(len(sample)):
            rows[k, s] = sample[k]


def averaged(means: Floats, v: Floats, places: Ints, n: int) -> bool:
    """Write the means of sums over n samples, which stand in v; whether all are finite."""
    filled, bad = 0, False
    for j in range(len(places)):
        sums = v[places[j, 0] : places[j, 1]]
        some = means[filled : filled + len(sums)]
        for k in range(len(sums)):  # one loop, for which no array is made
            some[k] = sums[k] / n
            bad |= not abs(some[k]) < math.inf
        filled += len(sums)
    return not bad


def epoch(
    run_numbers: Any, run_samples: Any, runs: Any, bodies: Any, v: Floats, rows: Floats, width: int,
    count: int, output: int, sums: Ints, places: Ints, data: Floats, size: int, chosen: Ints,
    update: Any, memory: Floats, settings: Floats, rates: Floats, decay: float, decoupled: bool,
    longest: float, losses: Floats, done: Ints,
) -> None:  # fmt: skip
    """Move the parameters, the first numbers of v, once for each batch: `size` chosen rows of data.

    In `rows` there is room for `width` samples, which run at a time. A row of `sums` says from
    where to where numbers stand that add up over a batch, one of `places` the gradient. It writes
    the mean loss of each batch, and how many steps are done. It stops before a step whose loss or
    gradient is not finite, or which may have left the domain of an operation.
    """
    numbers, gradient = v[: memory.shape[1]], np.empty(memory.shape[1])
    for i in range(len(losses)):
        begin = i * size
        end = min(begin + size, len(chosen))
        n = end - begin
        v[count] = n
        for j in range(len(sums)):
            v[sums[j, 0] : sums[j, 1]] = 0.0
        failed = run_numbers(runs[0], bodies[0], v)
        loss = 0.0
        for first in range(begin, end, width):
            m = min(width, end - first)
            fill(rows, data, chosen[first : first + m])
            failed |= run_samples(runs[1], bodies[1], v, rows, m, first == begin)
            for s in range(m):
                loss += rows[-1 - output, s] if output < 0 else v[output]
        failed |= run_numbers(runs[2], bodies[2], v)
        loss /= n
        finite = averaged(gradient, v, places, n)
        if failed or not finite or not abs(loss) < math.inf:
            return
        moving = clipped(gradient, longest)
        shrunk, moving = decayed(numbers, moving, rates[i], decay, decoupled)
        directions = update(moving, memory, settings[i])
        for k in range(len(numbers)):
            numbers[k] = shrunk * numbers[k] - rates[i] * directions[k]
        losses[i] = loss
        done[0] = i + 1
