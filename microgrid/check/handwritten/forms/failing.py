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
from microgrid.check.handwritten.misfit import fit, operation, value

LONGEST = 80  # characters of an error


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
    if (found := operation(node)) is None:
        raise ValueError("no product and no sum")
    left, sign, right = found
    shape, other = np.shape(value(left, names)), np.shape(value(right, names))
    if fit(shape, sign, other):
        raise ValueError("the shapes fit")
    x, y, whole = map(ast.unparse, (left, right, node))
    said = f"{x} {shape} and {y} {other} do not fit in `{whole}` (line {number})"
    of = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    of |= {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
    return Failure(said, frozenset(of))
