"""Two matrices that do not fit: their shapes, and which transpose would."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

SIGNS: Mapping[type[ast.operator], str] = {
    ast.MatMult: "@", ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
}  # fmt: skip
METHODS = {  # they change no array
    "dot", "sum", "mean", "reshape", "transpose", "ravel", "flatten", "copy", "astype",
}  # fmt: skip
Shape = tuple[int, ...]


def misfit(text: str, names: dict[str, Any]) -> str:
    """What does not fit in a line of theirs, where a transpose would; or "".

    >>> misfit("dx = dout @ w", {"dout": np.ones((3, 5)), "w": np.ones((4, 5))})
    '`dout` is (3, 5) and `w` (4, 5); `dout @ w.T` fits'
    >>> misfit("w -= dw", {"w": np.ones((4, 5)), "dw": np.ones((5, 4))})
    '`w` is (4, 5) and `dw` (5, 4); `w -= dw.T` fits'
    """
    with suppress(SyntaxError, ValueError):
        for node in ast.walk(ast.parse(text)):
            if (found := operation(node)) is not None:
                with suppress(Exception), np.errstate(all="ignore"):
                    if told := transpose_that_fits(*found, names):
                        return told
    return ""


def operation(node: ast.AST) -> tuple[ast.expr, str, ast.expr] | None:
    """Both sides of an operation on arrays, with its sign; None for what is none.

    >>> left, sign, right = operation(ast.parse("np.dot(dout, w.T)", mode="eval").body)
    >>> ast.unparse(left), sign, ast.unparse(right)
    ('dout', '@', 'w.T')
    """
    match node:
        case ast.BinOp(left=a, op=op, right=b) if type(op) in SIGNS:
            return a, SIGNS[type(op)], b
        case ast.AugAssign(target=a, op=op, value=b) if type(op) in SIGNS:
            return a, f"{SIGNS[type(op)]}=", b
        case ast.Assign(targets=[ast.Subscript() as a], value=b):
            return a, "=", b
        case ast.Call(func=ast.Attribute(attr="dot" | "matmul"), args=[a, b]):
            return a, "@", b
        case ast.Call(func=ast.Attribute(value=a, attr="dot"), args=[b]):
            return a, "@", b
    return None


def transpose_that_fits(left: ast.expr, sign: str, right: ast.expr, names: dict[str, Any]) -> str:
    """The shapes of two matrices that do not fit, and which transpose does; or ""."""
    a, b = np.shape(value(left, names)), np.shape(value(right, names))
    if not len(a) == len(b) == 2 or fit(a, sign, b):
        return ""
    assigned = sign.endswith("=")
    x, y = ast.unparse(left), ast.unparse(right)
    ways = [f"`{x if assigned else operand(left)} {sign} {turned(right)}`"] * fit(a, sign, b[::-1])
    if not assigned:
        ways += [f"`{turned(left)} {sign} {operand(right)}`"] * fit(a[::-1], sign, b)
    return f"`{x}` is {a} and `{y}` {b}; {' or '.join(ways)} fits" if ways else ""


def value(node: ast.expr, names: dict[str, Any]) -> Any:
    """What an expression is; ValueError if it calls what may change anything."""
    for call in ast.walk(node):
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=called)):
                if names.get(name) is not np and called not in METHODS:
                    raise ValueError
            case ast.Call(func=ast.Attribute(attr=called)) if called in METHODS:
                pass
            case ast.Call(func=ast.Name(id="len")):
                pass
            case ast.Call() | ast.NamedExpr():
                raise ValueError
    return eval(ast.unparse(node), names)


def fit(a: Shape, sign: str, b: Shape) -> bool:
    """Whether arrays of these shapes go together.

    >>> fit((3, 4), "@", (4, 5)), fit((3, 4), "+", (1, 4)), fit((1, 4), "+=", (3, 4))
    (True, True, False)
    """
    if "@" in sign:
        return not a or not b or a[-1] == b[-2:][0]
    with suppress(ValueError):
        both = np.broadcast_shapes(a, b)
        return both == a or not sign.endswith("=")
    return False


def operand(node: ast.expr) -> str:
    """An expression as it stands in an operation, in brackets if it is one itself."""
    simple = isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
    return ast.unparse(node) if simple else f"({ast.unparse(node)})"


def turned(node: ast.expr) -> str:
    """The transpose of an expression.

    >>> [turned(ast.parse(x, mode="eval").body) for x in ("w", "w.T", "x.T @ y", "np.outer(x, y)")]
    ['w.T', 'w', 'y.T @ x', 'np.outer(y, x)']
    """
    match node:
        case ast.Attribute(value=within, attr="T"):
            return ast.unparse(within)
        case ast.BinOp(left=a, op=ast.MatMult(), right=b):
            return f"{turned(b)} @ {turned(a)}"
        case ast.Call(func=ast.Attribute(attr="outer") as outer, args=[a, b], keywords=[]):
            return f"{ast.unparse(outer)}({ast.unparse(b)}, {ast.unparse(a)})"
    return f"{operand(node)}.T"
