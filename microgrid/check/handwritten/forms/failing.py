"""Why a forward fails on floats: the shapes that do not fit, or the error and its line."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from microgrid.check.handwritten.crash import innermost
from microgrid.check.handwritten.forms.modules import modules_of

LONGEST = 80  # characters of an error
PURE = ("reshape", "transpose", "ravel", "flatten", "len", "shape", "prod", "size")  # may be called
ELEMENTWISE = (ast.Add, ast.Sub, ast.Mult, ast.Div)


class Failure(NamedTuple):
    """What went wrong, in a sentence; `of` are the arguments whose shapes do not fit."""

    said: str
    of: frozenset[str] = frozenset()


def failure(error: Exception, function: Callable[..., Any]) -> Failure:
    """Why somebody's function raised.

    >>> def affine(x, w):
    ...     return x @ w
    >>> try:
    ...     affine(np.ones((3, 4)), np.ones((5, 6)))
    ... except ValueError as error:
    ...     print(failure(error, affine).said)
    x (3, 4) and w (5, 6) do not fit in `x @ w` (line 2)
    """
    said = f"{type(error).__name__}: {' '.join(str(error).split())[:LONGEST]}".removesuffix(": ")
    at = innermost(error.__traceback__, files_of(function))
    if at is None:
        return Failure(said)
    frame, number = at.tb_frame, at.tb_lineno
    lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)
    if not 0 < number <= len(lines):
        return Failure(said)
    with suppress(Exception):
        return misfit(expression_at(at, lines), {**frame.f_globals, **frame.f_locals}, number)
    return Failure(f"{said} (line {number}: `{lines[number - 1].strip()}`)")


def files_of(function: Callable[..., Any]) -> set[str]:
    """The file of a function, and those beside it that it uses."""
    function = inspect.unwrap(getattr(function, "__func__", function))
    code = getattr(function, "__code__", None)
    found = {str(getattr(m, "__file__", None)) for m in modules_of([function])}
    return found | ({code.co_filename} if code else set())


def expression_at(at: TracebackType, lines: list[str]) -> ast.expr:
    """The expression that raised, by its place in the source; ValueError if it is not known."""
    places = list(at.tb_frame.f_code.co_positions())
    first, last, start, end = places[at.tb_lasti // 2]
    if first is None or last is None or start is None or end is None:
        raise ValueError("no place is known")
    some = [line.encode() for line in lines[first - 1 : last]]
    some[-1] = some[-1][:end]
    some[0] = some[0][start:]
    return ast.parse(f"({b''.join(some).decode()})", mode="eval").body


def misfit(node: ast.expr, names: dict[str, Any], number: int) -> Failure:
    """The shapes of two arrays that cannot be multiplied or added; ValueError if it is not that.

    >>> product = ast.parse("x @ w", mode="eval").body
    >>> misfit(product, {"x": np.ones((3, 4)), "w": np.ones((5, 6))}, 3).said
    'x (3, 4) and w (5, 6) do not fit in `x @ w` (line 3)'
    """
    match node:
        case ast.BinOp(left=a, op=op, right=b) if isinstance(op, (ast.MatMult, *ELEMENTWISE)):
            pair = a, b
        case ast.Call(func=ast.Attribute(attr="dot" | "matmul"), args=[a, b]):
            pair = a, b
        case ast.Call(func=ast.Attribute(value=a, attr="dot"), args=[b]):
            pair = a, b
        case _:
            raise ValueError("no product and no sum")
    if not all(is_pure(x) for x in pair):
        raise ValueError("it may change something")
    shapes = [np.shape(eval(compile(ast.Expression(x), "", "eval"), names)) for x in pair]
    if fit(node, *shapes):
        raise ValueError("the shapes fit")
    (x, shape), (y, other) = zip(map(ast.unparse, pair), shapes)
    said = f"{x} {shape} and {y} {other} do not fit in `{ast.unparse(node)}` (line {number})"
    of = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    of |= {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
    return Failure(said, frozenset(of))


def fit(node: ast.expr, a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether arrays of these shapes go into a product of matrices, or into a sum."""
    with suppress(ValueError):
        if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.MatMult):
            np.broadcast_shapes(a, b)
            return True
        return not a or not b or a[-1] == b[-2:][0]
    return False


def is_pure(node: ast.expr) -> bool:
    """Whether an expression only looks at arrays, so that it may be evaluated once more."""
    called = [x.func for x in ast.walk(node) if isinstance(x, ast.Call)]
    names = [getattr(f, "attr", getattr(f, "id", "")) for f in called]
    odd = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom, ast.Lambda)
    return set(names) <= set(PURE) and not any(isinstance(x, odd) for x in ast.walk(node))
