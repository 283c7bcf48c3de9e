"""A comparison in a graph: a plain 1 or 0, which is written as it was, where(x > 0, x, 0)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from microgrid.engine.guards import Number
from microgrid.engine.value import Constant, Op, Value, node

IN_LATEX = {"<=": r"\le", ">=": r"\ge", "==": "=", "!=": r"\ne"}


class Compared(Constant):
    """Whether a comparison holds, 1 or 0; `shown` is a graph that is written as the comparison."""

    __slots__ = ("shown",)
    shown: Value

    def __reduce__(self) -> tuple[Any, ...]:
        return restored, (self._number, self.shown)


def restored(number: Number, shown: Value) -> Compared:
    v = Compared(number)
    v.shown = shown
    return v


def formal(op: Any, *operands: Value) -> Value:
    """A node without the computation, which might be out of its domain."""
    a, b = operands if len(operands) == 2 else (operands, None)
    return node(op, a, b, 0.0, 0)


class Comparison(Op):
    """An operation that is written with signs like <, and computes nothing."""

    __slots__ = ("signs",)

    def __init__(self, *signs: str) -> None:
        self.signs = signs
        latex = [f"{IN_LATEX.get(sign, sign)} #{i}" for i, sign in enumerate(signs, 2)]
        text = " ".join(["{}", *[f"{sign} {{}}" for sign in signs]])
        super().__init__(
            "compared", lambda *xs: 0, joint=lambda y, *xs: (0,) * len(xs), text=text,
            latex=" ".join(["#1", *latex]),
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        return comparison, self.signs


@lru_cache
def comparison(*signs: str) -> Comparison:
    return Comparison(*signs)
