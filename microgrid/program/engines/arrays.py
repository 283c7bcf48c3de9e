"""Operations of the table on whole arrays, made from their functions of one number.

`Branchless` writes these functions for arrays, to the bits of the numbers: what IEEE arithmetic
rounds correctly, NumPy rounds alike. exp, log and their kind differ from one library to the next,
and are asked of `math` number by number, as a graph of Values asks it; in the fast table NumPy's
stand for them, within 4 units in the last place. Only what goes over all operands is written here.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np

from microgrid.engine import numeric
from microgrid.engine.op import TABLE
from microgrid.engine.value import Op
from microgrid.program.engines.exponential import Exp
from microgrid.program.tape import Floats
from microgrid.program.text.branchless import Branchless, Function, Library, Untranslatable

Array = Callable[..., Any]
ROUNDED = "ceil", "copysign", "fabs", "floor", "sqrt", "trunc"  # by NumPy as by math
QUICK = "cos", "exp", "log", "log1p", "sin", "tanh"  # within 4 units in the last place
MATH = [name for name, f in vars(math).items() if callable(f) and name[0] != "_"]


def on_arrays(op: Op, fast: bool) -> Array | None:
    """The operation as a function of its operands, an array each, or one array of them all.

    It gives None where a number may have to raise, and is to be asked for alone. There is no such
    function of a user's operation, which may do anything.
    """
    if TABLE.get(op.name) is not op and op.forward.__module__ != numeric.__name__:
        return None
    try:
        f = arrays(fast).of(op.forward)
    except Untranslatable:
        return None
    may_raise, variadic = bool(op.hint or op.domain), op.arity is None

    def checked(operands: Any) -> Any:
        y = f(operands) if variadic else f(*operands)
        return None if may_raise and not math.isfinite(np.sum(y)) else y

    return checked


@dataclass(frozen=True)
class OfArrays(Library):
    """How the text of a function calls functions of arrays."""

    def core(self, f: Any) -> Any:
        core = inspect.unwrap(f)
        return f if core is operator.pow else core  # NumPy's power differs in last bits

    def fold(self, name: str, operands: Sequence[str]) -> str:
        return self.folded(name, f"({', '.join(operands)})")

    def where(self, condition: str, a: str, b: str) -> str:
        truth = (a, b) == ("1.0", "0.0")
        return f"({condition} * 1.0)" if truth else super().where(condition, a, b)

    def folded(self, name: str, operands: str) -> str:
        return f"arrays.{name}({operands})"


LIBRARY = OfArrays(
    "", "np", "array", {"where": ""}, {name: f"arrays.{name}" for name in MATH}, looks=True
)


class Arrays:
    """Functions of arrays, by the functions of numbers that they are made from when first asked."""

    def __init__(self, fast: bool) -> None:
        there = (*ROUNDED, *QUICK) if fast else ROUNDED
        self.made: dict[Any, Array] = {getattr(math, name): getattr(np, name) for name in there}
        if not fast:
            self.made[math.exp] = Exp(each(math.exp))
        self.made |= {numeric.largest: largest, numeric.smallest: smallest}
        self.made[numeric.add_exps] = self.add_quickly if fast else self.add_exps
        spelled = {name: self.of(getattr(math, name)) for name in MATH}
        self.names = SimpleNamespace(**spelled, maximum=largest, minimum=smallest)

    def of(self, f: Any) -> Array:
        """The function of arrays; Untranslatable where there is none."""
        core = LIBRARY.core(f)
        if core not in self.made:
            if core.__module__ == "math" or inspect.unwrap(core) is operator.pow:
                self.made[core] = each(core)
            else:
                self.made[core] = self.translated(core) if isinstance(core, FunctionType) else core
        return self.made[core]

    def translated(self, core: FunctionType) -> Array:
        space: dict[str, Any] = {"arrays": self.names, "math": math, "np": np, "where": where}

        def take(name: str, meaning: Any) -> None:
            space[name] = self.of(meaning) if callable(meaning) else meaning

        exec(Branchless(Function(core), LIBRARY, take).text("f"), space)
        found: Array = space["f"]
        return found

    def add_exps(self, total: float, xs: Any, top: Floats) -> Floats:
        """numeric.add_exps: what all the roundings lose is found at once."""
        xs = stacked(xs)
        terms = np.where(xs == top, 1.0, self.of(numeric.exp_difference)(xs, top))
        sums, lost = np.zeros((2, len(xs) + 1, *terms.shape[1:]))
        sums[0], sums[1:] = total, terms
        np.add.accumulate(sums, axis=0, out=sums)
        lost[1:] = self.of(numeric.two_diff)(sums[:-1], -terms)[1]
        return sums[-1] + np.add.accumulate(lost, axis=0, out=lost)[-1]

    def add_quickly(self, total: float, xs: Any, top: Floats) -> Floats:
        """The same without what the roundings lose; those at the top first, to keep the others."""
        xs = stacked(xs)
        terms, at_top = np.exp(xs - top), (xs == top) * 1.0
        terms -= at_top
        found: Floats = np.add.reduce(at_top, axis=0) + total + np.add.reduce(terms, axis=0)
        return found


@cache
def arrays(fast: bool) -> Arrays:
    """The functions of arrays: the exact ones, or the fast ones."""
    return Arrays(fast)


def each(f: Callable[..., float]) -> Array:
    """The array of f of each number, or of each pair; nan where it raises."""

    def or_nan(*xs: float) -> float:
        try:
            return f(*xs)
        except (ArithmeticError, ValueError):
            return math.nan

    def on_arrays(*xs: Any) -> Floats:
        columns = np.broadcast_arrays(*xs)
        numbers, size = [x.ravel().tolist() for x in columns], columns[0].size
        try:
            y = np.fromiter(map(f, *numbers), float, size)
        except (ArithmeticError, ValueError):
            y = np.fromiter(map(or_nan, *numbers), float, size)
        return y.reshape(columns[0].shape)

    return on_arrays


def where(condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, else b; quick where it is the same everywhere."""
    count = np.count_nonzero(condition)
    if count == 0 or count == np.size(condition):
        return a if count else b
    # by bits: np.where has a jump for each number, which no processor foresees
    a, b = [np.asarray(x, dtype=float).view(np.int64) for x in (a, b)]
    others = (condition.view(np.int8) - 1).astype(np.int64)  # all bits where it does not hold
    bits = (a ^ b) & others ^ a if a.ndim or a else b & others
    found: Floats = bits.view(float)
    return found


def stacked(xs: Any) -> Floats:
    """Operands as one array."""
    return xs if isinstance(xs, np.ndarray) else np.stack(np.broadcast_arrays(*xs))


def extreme(ufunc: np.ufunc) -> Array:
    """The largest or the smallest of some operands: of zeros the first, as numbers have it."""

    def found(xs: Any) -> Floats:
        xs = stacked(xs)
        y: Floats = ufunc.reduce(xs, axis=0)
        if np.count_nonzero(y) < y.size:
            first = (xs == 0).argmax(axis=0)[None]
            y = np.where(y == 0, np.take_along_axis(xs, first, axis=0)[0], y)
        return y

    return found


largest, smallest = extreme(np.maximum), extreme(np.minimum)
