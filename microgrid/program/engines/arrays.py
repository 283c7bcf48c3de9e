"""Operations of the table on whole arrays, made from their functions of one number.

`Branchless` writes these functions for arrays, to the bits of the numbers: what IEEE arithmetic
rounds correctly, NumPy rounds alike. log, tanh and their kind differ from one library to the next,
and are asked of `math` number by number, as a graph of Values asks it; in the fast table NumPy's
stand for them, within 4 units in the last place. Only what goes over all operands is written here.

Each function may fill an array `out` with its result, and returns the array that has it.
"""

from __future__ import annotations

import ast
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
SELECTED = "where", "positive"  # of what a text calls: they fill `out`


def on_arrays(op: Op, fast: bool) -> Array | None:
    """The operation as a function of its operands, an array each or one of them all, and `out`.

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

    def checked(operands: Any, out: Floats | None = None) -> Any:
        y = f(operands, out=out) if variadic else f(*operands, out=out)
        return None if may_raise and not finite(y) else y

    return checked


@dataclass(frozen=True)
class OfArrays(Library):
    """How the text of a function calls functions of arrays."""

    def core(self, f: Any) -> Any:
        core = inspect.unwrap(f)
        return f if core is operator.pow else core  # NumPy's power differs in last bits

    def where(self, condition: str, a: str, b: str) -> str:
        if (a, b) == ("1.0", "0.0"):
            return f"np.asarray({condition}, float)"
        if (condition, a) == (f"(({b} <= (0)))", "(0)"):
            return f"positive({b})"
        return super().where(condition, a, b)

    def fold(self, name: str, operands: Sequence[str]) -> str:
        return self.folded(name, f"({', '.join(operands)})")

    def folded(self, name: str, sequence: str) -> str:
        return f"arrays.{name}({sequence})"


LIBRARY = OfArrays(
    "", "np", "array", {"where": ""}, {name: f"arrays.{name}" for name in MATH}, looks=True
)


class Arrays:
    """Functions of arrays, by the functions of numbers that they are made from when first asked."""

    def __init__(self, fast: bool) -> None:
        there = (*ROUNDED, *QUICK) if fast else ROUNDED
        self.made: dict[Any, Array] = {getattr(math, name): getattr(np, name) for name in there}
        self.made |= {operator.truediv: np.divide, abs: np.absolute}
        self.made |= {numeric.largest: largest, numeric.smallest: smallest}
        if fast:
            self.made |= {numeric.exp_difference: exp_difference, numeric.add_exps: add_exps_fast}
        else:
            self.made |= {math.exp: Exp(each(math.exp)), numeric.add_exps: add_exps}
        spelled = {name: self.of(getattr(math, name)) for name in MATH}
        self.names = SimpleNamespace(**spelled, maximum=largest, minimum=smallest)

    def of(self, f: Any) -> Array:
        """The function of arrays; Untranslatable where there is none."""
        core = LIBRARY.core(f)
        if core not in self.made:
            by_number = core.__module__ == "math" or inspect.unwrap(core) is operator.pow
            self.made[core] = each(core) if by_number else self.translated(core)
        return self.made[core]

    def translated(self, core: Any) -> Array:
        if not isinstance(core, FunctionType):
            raise Untranslatable(f"{core.__name__} is none of Python's functions")
        space: dict[str, Any] = {
            "arrays": self.names, "math": math, "np": np, "positive": positive, "where": where,
        }  # fmt: skip

        def take(name: str, meaning: Any) -> None:
            space[name] = self.of(meaning) if callable(meaning) else meaning

        tree = ast.parse(Branchless(Function(core), LIBRARY, take).text("f"))
        filling(tree.body[0])
        exec(compile(ast.fix_missing_locations(tree), core.__name__, "exec"), space)
        found: Array = space["f"]
        return found


@cache
def arrays(fast: bool) -> Arrays:
    """The functions of arrays: the exact ones, or the fast ones."""
    return Arrays(fast)


def filling(f: Any) -> None:
    """Let a function take `out`, and give it to what selects its result."""
    f.args.kwonlyargs, f.args.kw_defaults = [ast.arg("out")], [ast.Constant(None)]
    match f.body[-1]:
        case ast.Return(value=ast.Call(func=ast.Name(id=name)) as call) if name in SELECTED:
            call.keywords.append(ast.keyword("out", ast.Name("out", ast.Load())))


def each(f: Callable[..., float]) -> Array:
    """The array of f of each number, or of each pair; nan where it raises."""

    def or_nan(*xs: float) -> float:
        try:
            return f(*xs)
        except (ArithmeticError, ValueError):
            return math.nan

    def on_arrays(*xs: Any, out: Floats | None = None) -> Floats:
        columns = np.broadcast_arrays(*xs) if len(xs) > 1 else [np.asarray(xs[0])]
        numbers, size = [x.ravel().tolist() for x in columns], columns[0].size
        try:
            y = np.fromiter(map(f, *numbers), float, size)
        except (ArithmeticError, ValueError):
            y = np.fromiter(map(or_nan, *numbers), float, size)
        return y.reshape(columns[0].shape)

    return on_arrays


def where(condition: Any, a: Any, b: Any, out: Floats | None = None) -> Any:
    """a where the condition holds, else b; quick where it is the same everywhere."""
    count = np.count_nonzero(condition)
    if count == 0 or count == np.size(condition):
        return a if count else b
    # by bits: np.where has a jump for each number, which no processor foresees
    a, b = [np.asarray(x, dtype=float).view(np.int64) for x in (a, b)]
    others = (condition.view(np.int8) - 1).astype(np.int64)  # all bits where it does not hold
    bits = np.bitwise_xor((a ^ b) & others, a, out=None if out is None else out.view(np.int64))
    return bits.view(float) if out is None else out


def positive(x: Any, out: Floats | None = None) -> Any:
    """x above 0, else 0."""
    y = np.maximum(x, 0.0, out=out)
    y += 0.0  # not −0
    return y


def stacked(xs: Any) -> Floats:
    """Operands as one array."""
    return xs if isinstance(xs, np.ndarray) else np.stack(np.broadcast_arrays(*xs))


def extreme(ufunc: np.ufunc) -> Array:
    """The largest or the smallest of some operands: of zeros the first, as numbers have it."""

    def found(xs: Any, out: Floats | None = None) -> Floats:
        xs = stacked(xs)
        y: Floats = ufunc.reduce(xs, axis=0)
        if np.count_nonzero(y) < y.size:
            first = (xs == 0).argmax(axis=0)[None]
            y = np.where(y == 0, np.take_along_axis(xs, first, axis=0)[0], y)
        return y

    return found


largest, smallest = extreme(np.maximum), extreme(np.minimum)


def exp_difference(a: Floats, b: Floats, out: Floats | None = None) -> Floats:
    """numeric.exp_difference without what the rounding of a − b loses."""
    found: Floats = np.exp(np.subtract(a, b, out=out), out=out)
    return found


def finite(x: Floats) -> bool:
    """Whether all of an array is, and its sum."""
    return math.isfinite(np.add.reduce(x, axis=None))


def add_exps(total: float, xs: Any, exps: Any, top: Floats) -> Floats:
    """numeric.add_exps: what all the roundings lose is found at once."""
    terms = stacked(exps)
    if not finite(top):  # else they are 1 at the top
        terms = np.where(stacked(xs) == top, 1.0, terms)
    sums = np.empty((len(terms) + 1, *terms.shape[1:]))
    sums[0], sums[1:] = total, terms
    np.add.accumulate(sums, axis=0, out=sums)
    back = sums[1:] - sums[:-1]  # two_diff
    lost = sums[1:] - back
    np.subtract(sums[:-1], lost, out=lost)
    lost += np.subtract(terms, back, out=back)
    if not finite(lost):
        lost[lost != lost] = 0.0
    found: Floats = sums[-1] + np.add.accumulate(lost, axis=0, out=lost)[-1]
    return found


def add_exps_fast(total: float, xs: Any, exps: Any, top: Floats) -> Floats:
    """numeric.add_exps without what the roundings lose; beside −1 those at the top come first."""
    terms = stacked(exps)
    if total:
        at_top = np.asarray(stacked(xs) == top, float)
        terms = terms - at_top
        total = np.add.reduce(at_top, axis=0) + total
    found: Floats = np.add.reduce(terms, axis=0) + total
    return found
