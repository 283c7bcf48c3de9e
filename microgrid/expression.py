"""Arithmetic written as text, turned into a graph: parsed and checked, never evaluated as code."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from microgrid import ops
from microgrid.errors import ExpressionError, MicrogridError
from microgrid.functions import FUNCTIONS
from microgrid.value import Value

LONGEST, DEEPEST = 10_000, 250
BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: ops.power,
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
CALLS = {**FUNCTIONS, "abs": FUNCTIONS["absolute"], "max": FUNCTIONS["maximum"]}
CALLS["cross_entropy"] = lambda xs, target: FUNCTIONS["cross_entropy"](xs, int(target))
CALLS |= {"min": FUNCTIONS["minimum"], "sum": FUNCTIONS["total"]}
ALLOWED = "allowed are numbers, names, + - * / **, < <= > >=, lists and the functions of microgrid"


def parse(text: str, numbers: Mapping[str, float]) -> Value:
    """The graph of an arithmetic expression, with a labelled leaf for every name in it.

    ExpressionError, with the place, for anything that is not arithmetic, for a name without a
    number and for a number without a use. Every literal is a float, so 9**9**9 overflows at once.

    >>> f = parse("x * y + sin(x)", {"x": 0.0, "y": 2.0})
    >>> f.backward()
    >>> f.parents[0].parents[0].grad
    3.0
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression of {len(text)} characters; at most {LONGEST} here")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise at(text.strip(), (error.offset or 1) - 1, f"{error.msg}; {ALLOWED}") from None
    except (ValueError, MemoryError, RecursionError) as error:
        raise ExpressionError(f"cannot be read: {str(error) or 'nested too deeply'}") from None
    reader = Reader(text.strip(), {name: Value(x, name) for name, x in numbers.items()})
    root = reader.read(tree, 0)
    unused = [name for name in numbers if name not in reader.used]
    if unused:
        raise ExpressionError(f"{', '.join(unused)} has a number but is not in {text.strip()!r}")
    if isinstance(root, list | bool):
        raise ExpressionError("the expression must give one number")
    return root if isinstance(root, Value) else Value(root)


class Reader:
    """Walks the syntax tree; `used` holds the names that it met."""

    def __init__(self, text: str, leaves: Mapping[str, Value]) -> None:
        self.text, self.leaves = text, leaves
        self.used: set[str] = set()

    def read(self, tree: ast.expr, depth: int) -> Any:
        if depth > DEEPEST:
            raise self.error(tree, f"nested deeper than {DEEPEST} levels: give the parts names")
        match tree:
            case ast.Constant(value=bool() | complex() | str() | bytes() | None):
                raise self.error(tree, f"{tree.value!r} is not a real number")
            case ast.Constant(value=int() | float()):
                return self.number(tree)
            case ast.Name(id=name):
                return self.leaf(tree, name)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
                a, b = self.read(left, depth + 1), self.read(right, depth + 1)
                return self.compute(tree, BINARY[type(op)], a, b)
            case ast.UnaryOp(op=sign, operand=x) if type(sign) in UNARY:
                return self.compute(tree, UNARY[type(sign)], self.read(x, depth + 1))
            case ast.Compare(left=a, ops=[op], comparators=[b]) if type(op) in COMPARE:
                sides = self.read(a, depth + 1), self.read(b, depth + 1)
                return self.compute(tree, COMPARE[type(op)], *sides)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self.read(x, depth + 1) for x in items]
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                if name not in CALLS:
                    raise self.error(tree, f"no function {name!r}; there are {', '.join(CALLS)}")
                return self.compute(tree, CALLS[name], *[self.read(x, depth + 1) for x in args])
        raise self.error(tree, f"not arithmetic; {ALLOWED}")

    def number(self, tree: ast.Constant) -> float:
        try:
            return float(tree.value)  # type: ignore[arg-type]
        except OverflowError:
            raise self.error(tree, "too large for a float") from None

    def leaf(self, tree: ast.expr, name: str) -> Any:
        if name in self.leaves:
            self.used.add(name)
            return self.leaves[name]
        if name == "pi":
            return math.pi
        raise self.error(tree, f"{name} has no number: add {name}=…")

    def compute(self, tree: ast.expr, function: Callable[..., Any], *xs: Any) -> Any:
        try:
            return function(*xs)
        except (MicrogridError, ArithmeticError, ValueError) as error:
            raise self.error(tree, str(error.args[-1])) from None
        except TypeError as error:
            raise self.error(tree, f"wrong operands: {error}") from None

    def error(self, tree: ast.expr, message: str) -> ExpressionError:
        column = len(self.text.encode()[: tree.col_offset].decode())  # ast counts bytes
        return at(self.text, column, message)


def at(text: str, column: int, message: str, width: int = 60) -> ExpressionError:
    """The error with a pointer under its place in the text."""
    line = text.replace("\n", " ")
    start = max(0, min(column, len(line)) - width // 2)
    return ExpressionError(
        f"{message}\n  {line[start : start + width]}\n  {' ' * (column - start)}^"
    )
