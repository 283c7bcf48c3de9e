"""Formulas of matrices as graphs: one object is written as text or LaTeX, and evaluated.

The leaves are matrices, the operations those of the claims on layers, for stacks of matrices, too.
Sums and products are those of the integers. Every other operation stands for an unknown function:
two formulas that are equal whatever it does are equal.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any
from zlib import crc32

import numpy as np

from microgrid.engine.families import falling
from microgrid.engine.value import Op, Value, node
from microgrid.matrices import claims
from microgrid.matrices.arrays import Array
from microgrid.program.plan.products import mixed
from microgrid.views.formula import LATEX, STANDARD, escaped
from microgrid.views.notation import (
    ANY,
    ATOM,
    FOR_PEOPLE,
    PRODUCT,
    QUOTIENT,
    TEXT,
    UNARY,
    placed,
    spelled,
)

Formula = Value
MOST = 4  # matrices side by side that are all written


def transposed(A: Array) -> Array:
    return np.swapaxes(A, -1, -2)


def on_arrays(op: Op, forward: Callable[..., Any], text: str, name: str = "") -> Op:
    """An operation of the claims for stacks of matrices, and with its text."""
    return Op(name or op.name, forward, *op.rules, latex=op.latex, text=text)


SAME = claims.SAME
MATMUL = on_arrays(claims.MATMUL, np.matmul, "{} @ {}")
SCALE = Op("scale", operator.mul, *claims.MATMUL.rules, latex=claims.MATMUL.latex, text="{} @ {}")
ENTRYWISE = on_arrays(claims.ENTRYWISE, operator.mul, "{} ⊙ {}")
TRANSPOSE = on_arrays(claims.TRANSPOSE, transposed, "{}ᵀ")
OVER_ROWS, OVER_COLUMNS = [
    on_arrays(op, partial(np.sum, axis=axis, keepdims=True), text, name)
    for op, axis, text, name in zip(
        claims.SUMS, (-2, -1), ("1ᵀ @ {}", "{} @ 1"), ("over rows", "over columns")
    )
]
TOTAL = Op("total", lambda A: A.sum(axis=(-1, -2), keepdims=True), *SAME, text="Σ {}",
           latex=r"\sum #1")  # fmt: skip
SAMPLES = Op("samples", lambda A: A.sum(axis=0), *SAME, text="Σₙ {}", latex=r"\sum_n #1")
EACH_ROW = Op("each row", lambda A: A, *SAME, text="1 @ {}", latex=r"\mathbf{1} \, #1")
EACH_COLUMN = Op("each column", lambda A: A, *SAME, text="{} @ 1ᵀ", latex=r"#1 \, \mathbf{1}^T")
NEGATIVE = Op("neg", operator.neg, *SAME, text="-{}", latex="-#1")
PLUS = Op("plus", operator.add, *SAME, *SAME, text="{} + {}", latex="#1 + #2")
MINUS = Op("minus", operator.sub, *SAME, *SAME, text="{} - {}", latex="#1 - #2")


@lru_cache
def side_by_side(count: int, below: bool) -> Op:
    """Matrices beside each other, or one below the other, as one."""
    shown = [f"#{i + 1}" for i in range(count)]
    if count > MOST:
        shown = [shown[0], "…", shown[-1]]
    between, sign = ("; ", r" \\ ") if below else (" ", " & ")
    latex = sign.join(shown).replace("…", r"\vdots" if below else r"\cdots")
    return Op(
        "stacked" if below else "beside", lambda *xs: joined(xs, -2 if below else -1),
        joint=lambda y, *xs: (1,) * len(xs), text=f"[{between.join(shown)}]",
        latex=rf"\begin{{bmatrix}} {latex} \end{{bmatrix}}",
    )  # fmt: skip


def joined(xs: Sequence[Array], axis: int) -> Array:
    """Arrays along their last axis or that before, each repeated along those that it lacks."""
    axis += 2
    outer = np.broadcast_shapes(*[x.shape[:-2] for x in xs])
    other = max([x.shape[-2 if axis else -1] for x in xs])
    shapes = [(*outer, *((x.shape[-2], other) if axis == 0 else (other, x.shape[-1]))) for x in xs]
    return np.concatenate([np.broadcast_to(x, s) for x, s in zip(xs, shapes)], axis - 2)


@lru_cache
def unknown(op: Op, count: int, of: str = "entries") -> Op:
    """An operation of the table on each entry of its operands, or on their "rows" or "column"."""
    word = op.text if "{" in op.text else f"{op.text.removesuffix('_slope')}{'′' * is_slope(op)}"
    text = word if "{" in word else f"{word}({', '.join(['{}'] * count)})"
    latex = str(op.latex(count) if callable(op.latex) else op.latex) if of == "entries" else ""
    if not latex and "{" not in op.text:
        base, places = op.text.removesuffix("_slope"), [f"#{i + 1}" for i in range(count)]
        name = STANDARD.get(base) or rf"\operatorname{{{escaped(base)}}}"
        latex = f"{name}{chr(39) * is_slope(op)}({', '.join(places)})"

    def of_rows(*xs: Array) -> Array:
        if of == "whole":
            xs = tuple([x.reshape(*x.shape[:-2], 1, -1) for x in xs])
        entries = np.moveaxis(
            joined([transposed(x) for x in xs] if of == "column" else xs, -1), -1, 0
        )
        return value_of(op, list(entries))[..., None]

    forward = of_rows if of != "entries" else lambda *xs: value_of(op, xs)
    kind = op.name if of == "entries" else of
    return Op(kind, forward, joint=lambda y, *xs: (1,) * len(xs), text=text, latex=latex)


@lru_cache
def fold(places: tuple[int, ...], shape: tuple[int, int]) -> Op:
    """Adds up what stands at these places of a matrix of this shape, as PyTorch's fold does."""

    def forward(A: Array) -> Array:
        flat = A.reshape(*A.shape[:-2], -1)
        found = np.zeros((*flat.shape[:-1], shape[0] * shape[1]), dtype=A.dtype)
        moved = np.moveaxis(found, -1, 0)  # a view
        np.add.at(moved, np.array(places), np.moveaxis(flat, -1, 0))
        return found.reshape(*flat.shape[:-1], *shape)

    name = "fold" if len({*places}) < len(places) else "reshape"
    latex = rf"\operatorname{{{name}}}(#1)"
    return Op(name, forward, *SAME, text=f"{name}({{}})", latex=latex)


def is_slope(op: Op) -> bool:
    return op.text.endswith("_slope")


def value_of(op: Op, xs: Sequence[Any]) -> Array:
    """What an operation that is no sum of products gives: integers that nobody can foresee.

    Only the slope of a square is known: 2 x.
    """
    if op is falling(1) and (np.asarray(xs[1]) == 2).all():
        twice: Array = 2 * np.asarray(xs[0])
        return twice
    found = mixed(np.array([crc32(op.name.encode())]), 11)
    for i, x in enumerate(xs):
        found = mixed(found + mixed(np.asarray(x, dtype=np.int64), i), 13)
    return (found % np.uint64(19)).astype(np.int64) - 9


def made(op: Op, *xs: Formula) -> Formula:
    """The formula that an operation makes of others."""
    a, b = xs if len(xs) == 2 else (xs, None)
    return node(op, a, b, 0, 0)


SIGNS = FOR_PEOPLE | {
    "@": (PRODUCT, UNARY, PRODUCT), "⊙": (QUOTIENT, UNARY, QUOTIENT), "ᵀ": (ATOM, ATOM, ATOM),
    "Σ": (ANY, QUOTIENT, QUOTIENT), "Σₙ": (ANY, QUOTIENT, QUOTIENT), ";": (ANY, ANY, ANY),
    r"\odot": (QUOTIENT, UNARY, QUOTIENT), r"\sum": (ANY, QUOTIENT, QUOTIENT),
    r"\sum_n": (ANY, QUOTIENT, QUOTIENT), "&": (ANY, ANY, ANY),
}  # fmt: skip
IN_TEXT = replace(
    TEXT, join=spelled({" @ ": " ", " * ": "·", "-": "−"}), signs=SIGNS,
    formula=lambda op, n: op.text if "#" in op.text else placed(op.text, n),
)  # fmt: skip
IN_LATEX = replace(LATEX, signs={**SIGNS, r"\,": LATEX.signs["*"]})


def operations_of(formula: Formula) -> set[Op | None]:
    return {formula.op}.union(*[operations_of(x) for x in formula.parents])


def leaves_of(formula: Formula) -> list[Formula]:
    """The matrices and numbers of a formula, from the left."""
    return [x for p in formula.parents for x in leaves_of(p)] if formula.parents else [formula]


def products_in(formula: Formula) -> Iterator[Formula]:
    """The products of matrices that a sum adds up."""
    if formula.op is MATMUL:
        yield formula
    elif formula.op in (PLUS, MINUS):
        for x in formula.parents[: 1 + (formula.op is PLUS)]:
            yield from products_in(x)


def turned(formula: Formula) -> Formula:
    """The transpose, without two that cancel; of a product it is that of the transposes."""
    if formula.op is MATMUL:
        a, b = formula.parents
        return made(MATMUL, turned(b), turned(a))
    return formula.parents[0] if formula.op is TRANSPOSE else made(TRANSPOSE, formula)


def total(summands: list[Formula]) -> Formula:
    """The sum, without zeros; what is subtracted follows a minus."""
    summands = [x for x in summands if x.label or x.op or x.data] or summands[:1]
    op = summands[0].op
    if len(summands) > 1 and op in (SAMPLES, OVER_ROWS) and all(x.op is op for x in summands):
        return made(op, total([x.parents[0] for x in summands]))
    found = summands[0]
    for x in summands[1:]:
        is_negative = x.op is NEGATIVE
        found = made(MINUS, found, x.parents[0]) if is_negative else made(PLUS, found, x)
    return found


Shapes = list[tuple[int, int]]


def broadcast(shapes: Shapes) -> tuple[int, int]:
    """The shape of what is computed entry by entry."""
    return max([m for m, _ in shapes]), max([n for _, n in shapes])


SHAPES: dict[str, Callable[[Shapes], tuple[int, int]]] = {  # for one sample, by operations
    TRANSPOSE.name: lambda s: (s[0][1], s[0][0]), MATMUL.name: lambda s: (s[0][0], s[1][1]),
    OVER_ROWS.name: lambda s: (1, s[0][1]), OVER_COLUMNS.name: lambda s: (s[0][0], 1),
    "rows": lambda s: (s[0][0], 1), "column": lambda s: (1, 1), "whole": lambda s: (1, 1),
    TOTAL.name: lambda s: (1, 1),
    "beside": lambda s: (s[0][0], sum([n for _, n in s])),
    "stacked": lambda s: (sum([m for m, _ in s]), s[0][1]),
}  # fmt: skip
