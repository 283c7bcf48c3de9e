"""Operations of the table on whole arrays, to the bits of their functions of one number.

What IEEE arithmetic rounds correctly, NumPy rounds alike; exp, log and their kind differ from one
library to the next, and are asked of `math` number by number, as a graph of Values asks it. Where a
function of one number raises, or looks at inf and nan of its own, an array has no finite number:
then the caller asks number by number.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from microgrid.engine.op import TABLE
from microgrid.engine.value import Op
from microgrid.program.tape import Floats

MANY = 32  # numbers at least: fewer are quicker one by one


def each(f: Callable[[float], float]) -> Callable[[Floats], Floats]:
    """The array of f of each number."""
    return lambda x: np.array(list(map(f, x.ravel().tolist()))).reshape(x.shape)


exp, log1p = each(math.exp), each(math.log1p)


def sigmoid(x: Floats) -> Floats:
    e = exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def sigmoid_slope(x: Floats) -> Floats:
    e = exp(-np.abs(x))
    return e / ((1 + e) * (1 + e))


def exp_difference(a: Floats, b: Floats) -> Floats:
    d, lost = two_diff(a, b)
    return exp(d) * (1 + lost)


def two_diff(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """a − b as rounded, and what rounding lost."""
    d = a - b
    back = d - a
    return d, (a - (d - back)) - (b + back)


def largest(*xs: Floats) -> Floats:
    top = xs[0]
    for x in xs[1:]:
        top = np.where(x > top, x, top)
    return top


def smallest(*xs: Floats) -> Floats:
    low = xs[0]
    for x in xs[1:]:
        low = np.where(x < low, x, low)
    return low


def add_exps(total: float, xs: Sequence[Floats], top: Floats) -> Floats:
    y, lost = np.full(top.shape, total), np.zeros(top.shape)
    for x in xs:
        y, more = two_diff(y, np.where(x == top, -1.0, -exp_difference(x, top)))
        lost += more
    return y + lost


def logsumexp(*xs: Floats) -> Floats:
    top = largest(*xs)
    return top + log1p(add_exps(-1.0, xs, top))


def softplus(x: Floats) -> Floats:
    return np.where(x > 0, x, 0.0) + log1p(exp(-np.abs(x)))


def whole(x: Any) -> Floats:
    """Truth as 1 and 0."""
    return x.astype(float)  # type: ignore[no-any-return]


ARRAYS: dict[str, Callable[..., Floats]] = {
    "absolute": np.abs, "div": np.divide, "divide": np.divide, "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x, "sqrt": np.sqrt, "identity": lambda x: x,
    "stop_gradient": lambda x: x, "square_difference": lambda a, b: (a - b) * (a + b),
    "relu": lambda x: np.where(x <= 0, 0.0, x), "step": lambda x: whole(x > 0),
    "leaky_relu": lambda x, slope: np.where(x <= 0, slope * x, x),
    "sign": lambda x: whole(x > 0) - whole(x < 0),
    "where": lambda c, a, b: np.where(c != 0, a, b),
    "exceeds": lambda x, y: whole(x > y), "greater": lambda x, y: whole(x > y),
    "greater_equal": lambda x, y: whole(x >= y), "equal": lambda x, y: whole(x == y),
    "same": lambda x, y: whole(x == y),
    "inside": lambda x, low, high: whole((low <= x) & (x <= high)),
    "clip": lambda x, low, high: smallest(largest(x, low), high),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "mean": lambda *xs: reduce(operator.add, xs) / len(xs), "maximum": largest, "minimum": smallest,
    "stop_gradient_max": largest,
    "exp": exp, "tanh": each(math.tanh), "log": each(math.log), "sin": each(math.sin),
    "cos": each(math.cos), "sigmoid": sigmoid, "sigmoid_slope": sigmoid_slope,
    "tanh_slope": lambda x: 4 * sigmoid_slope(2 * x), "exp_difference": exp_difference,
    "softplus": softplus, "log_sigmoid": lambda x: -softplus(-x), "logsumexp": logsumexp,
    "logaddexp": logsumexp, "exp_sum": lambda top, *xs: add_exps(0.0, xs, top),
    "silu": lambda x: np.where(x < -700, np.nan, x * sigmoid(x)),
}  # fmt: skip


def on_arrays(op: Op, operands: Sequence[Floats]) -> Floats | None:
    """The operation of every number; None where it has to be asked number by number."""
    f = ARRAYS.get(op.name)
    if f is None or TABLE.get(op.name) is not op or max(x.size for x in operands) < MANY:
        return None
    if not all(np.isfinite(x).all() for x in operands):
        return None
    try:
        y = f(*operands)
    except (ArithmeticError, ValueError):
        return None
    return y if np.isfinite(y).all() else None
