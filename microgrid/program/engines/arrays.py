"""Operations of the table on whole arrays, to the bits of their functions of one number.

What IEEE arithmetic rounds correctly, NumPy rounds alike; exp, log and their kind differ from one
library to the next, and are asked of `math` number by number, as a graph of Values asks it: but
for the fast table, where NumPy's are within 4 units in the last place. Where a function of one
number raises, or meets inf or nan, the caller asks number by number.
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

Array = Callable[..., Floats]
MANY = 32  # numbers at least: fewer are quicker one by one


def each(f: Callable[[float], float]) -> Callable[[Floats], Floats]:
    """The array of f of each number."""
    return lambda x: np.fromiter(map(f, x.ravel().tolist()), float, x.size).reshape(x.shape)


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


def chosen(condition: Floats, a: Floats, b: Floats) -> Floats:
    return np.where(condition != 0, a, b)


def whole(x: Any) -> Floats:
    """Truth as 1 and 0."""
    found: Floats = x.astype(float)
    return found


class Elementary:
    """What is made of exp, log and their kind, which are functions of arrays here."""

    def __init__(self, exp: Array, log1p: Array) -> None:
        self.exp, self.log1p = exp, log1p

    def sigmoid(self, x: Floats) -> Floats:
        e = self.exp(-np.abs(x))
        return np.where(x >= 0, 1.0, e) / (1 + e)

    def sigmoid_slope(self, x: Floats) -> Floats:
        e = self.exp(-np.abs(x))
        return e / ((1 + e) * (1 + e))

    def tanh_slope(self, x: Floats) -> Floats:
        return 4 * self.sigmoid_slope(2 * x)

    def silu(self, x: Floats) -> Floats:
        return np.where(x < -700, np.nan, x * self.sigmoid(x))  # nan: asked number by number

    def exp_difference(self, a: Floats, b: Floats) -> Floats:
        d, lost = two_diff(a, b)
        return self.exp(d) * (1 + lost)

    def add_exps(self, total: float, xs: Sequence[Floats], top: Floats) -> Floats:
        stacked = np.stack(xs) if xs else np.zeros((0, *top.shape))
        terms = np.where(stacked == top, -1.0, -self.exp_difference(stacked, top[None]))
        y, lost = np.full(top.shape, total), np.zeros(top.shape)
        for term in terms:
            y, more = two_diff(y, term)
            lost += more
        return y + lost

    def logsumexp(self, *xs: Floats) -> Floats:
        xs = tuple(np.broadcast_arrays(*xs))
        top = largest(*xs)
        return top + self.log1p(self.add_exps(-1.0, xs, top))

    def exp_sum(self, *xs: Floats) -> Floats:
        top, *rest = np.broadcast_arrays(*xs)
        return self.add_exps(0.0, rest, top)

    def softplus(self, x: Floats) -> Floats:
        return np.where(x > 0, x, 0.0) + self.log1p(self.exp(-np.abs(x)))

    def log_sigmoid(self, x: Floats) -> Floats:
        return -self.softplus(-x)


ROUNDED: dict[str, Array] = {  # correctly, by whatever computes them
    "absolute": np.abs, "div": np.divide, "divide": np.divide, "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x, "sqrt": np.sqrt, "identity": lambda x: x,
    "stop_gradient": lambda x: x, "square_difference": lambda a, b: (a - b) * (a + b),
    "relu": lambda x: np.maximum(x, 0.0) + 0.0, "step": lambda x: whole(x > 0),
    "leaky_relu": lambda x, slope: np.where(x <= 0, slope * x, x),
    "sign": lambda x: whole(x > 0) - whole(x < 0),
    "where": chosen,
    "exceeds": lambda x, y: whole(x > y), "greater": lambda x, y: whole(x > y),
    "greater_equal": lambda x, y: whole(x >= y), "equal": lambda x, y: whole(x == y),
    "same": lambda x, y: whole(x == y),
    "inside": lambda x, low, high: whole((low <= x) & (x <= high)),
    "clip": lambda x, low, high: smallest(largest(x, low), high),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "mean": lambda *xs: reduce(operator.add, xs) / len(xs), "maximum": largest,
    "minimum": smallest, "stop_gradient_max": largest,
}  # fmt: skip


class Fast(Elementary):
    """The same with sums as NumPy adds them up."""

    def exp_sum(self, *xs: Floats) -> Floats:
        top, *rest = np.broadcast_arrays(*xs)
        found: Floats = self.exp(np.stack(rest) - top).sum(axis=0)
        return found

    def logsumexp(self, *xs: Floats) -> Floats:
        stacked = np.stack(np.broadcast_arrays(*xs))
        top = stacked.max(axis=0)
        at_top = stacked == top
        others = np.where(at_top, 0.0, self.exp(stacked - top)).sum(axis=0)
        found: Floats = top + self.log1p(others + (at_top.sum(axis=0) - 1))
        return found


TOTAL = {"absolute", "square", "identity", "stop_gradient", "relu"}  # right for inf and nan, too
COMPOSED = [name for name in vars(Elementary) if name[0] != "_" and name != "add_exps"]


def table(kind: type[Elementary], **functions: Array) -> dict[str, Array]:
    """The operations on arrays, with these functions for exp and its kind."""
    made = kind(functions["exp"], functions.pop("log1p"))
    composed = {name: getattr(made, name) for name in COMPOSED}
    return ROUNDED | functions | composed | {"logaddexp": made.logsumexp}


NAMES = {"exp": np.exp, "log1p": np.log1p, "tanh": np.tanh, "log": np.log, "sin": np.sin,
         "cos": np.cos}  # fmt: skip
EXACT = table(Elementary, **{name: each(getattr(math, name)) for name in NAMES})
FAST = table(Fast, **NAMES)


def on_arrays(op: Op, operands: Sequence[Floats], fast: bool) -> Floats | None:
    """The operation of every number; None where it has to be asked number by number."""
    f = (FAST if fast else EXACT).get(op.name)
    if f is None or TABLE.get(op.name) is not op or max(x.size for x in operands) < MANY:
        return None
    if op.name in TOTAL:
        return f(*operands)
    if not all(math.isfinite(x.sum()) for x in operands):
        return None
    try:
        y = f(*operands)
    except (ArithmeticError, ValueError):
        return None
    return y if math.isfinite(y.sum()) else None
