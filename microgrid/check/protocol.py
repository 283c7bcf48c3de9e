"""Programs as trees of JSON: what is sent to an engine in any language.

The page adapters/README.md describes them. An example is written as lines of Python, since people
read it; here the lines become steps.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Sequence
from functools import lru_cache, reduce
from typing import Any

from microgrid.check.example import Example
from microgrid.engine import functions

Tree = Any  # what JSON can hold
VERSION = 1
OPERATORS = {
    type(ast.parse(f"a {sign} b", mode="eval").body.op): op.name  # type: ignore[attr-defined]
    for op, sign in zip(functions.OPERATORS.values(), functions.SIGNS, strict=True)
}
SET = {"data": "set data", "grad": "set grad"}


class EncodingError(ValueError):
    """A line that is more than names, operators and calls."""


@lru_cache(maxsize=4096)
def encode(example: Example) -> tuple[list[Tree], list[str]]:
    """The steps of an example, and what is looked at.

    >>> encode(Example(("f = x * 2 + x; f.backward()",), ("x.grad",)))[0]
    [{'set': 'f', 'to': {'apply': 'add', 'of': [{'apply': 'mul', 'of': ['x', 2]}, 'x']}}, ...]
    """
    if example.sent:
        program, look = json.loads(example.sent)
        return program, look
    return steps(ast.parse(example.text).body), list(example.look)


def steps(statements: Sequence[ast.stmt]) -> list[Tree]:
    return [step(statement) for statement in statements]


def step(statement: ast.stmt) -> Tree:
    """One statement."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return {"set": name, "to": tree(value)}
        case ast.Assign(targets=[ast.Attribute(ast.Name(id=name), attribute)], value=value):
            return {SET[attribute]: name, "to": tree(value)}
        case ast.AugAssign(ast.Name(id=name), op, value):
            applied = {"apply": OPERATORS[type(op)], "of": [name, tree(value)]}
            return {"set": name, "to": applied | {"in place": True}}
        case ast.Expr(ast.Call(ast.Attribute(node, "backward"))):
            return {"backward": tree(node)}
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(id=name), "zero_grad"))):
            return {"zero": name}
        case ast.For(iter=ast.Call(args=[ast.Constant(count)]), body=body):
            return {"repeat": count, "program": steps(body)}
        case ast.Delete(targets):
            return {"forget": [x.id for x in targets if isinstance(x, ast.Name)]}
    raise EncodingError(ast.unparse(statement))


def tree(e: ast.expr) -> Tree:
    """One expression."""
    match e:
        case ast.Name(id=name):
            return name
        case ast.Constant(value=number):
            return number
        case ast.UnaryOp(ast.USub(), ast.Constant(value=number)):
            return -number  # type: ignore[operator]
        case ast.UnaryOp(ast.USub(), operand):
            return {"apply": "neg", "of": [tree(operand)]}
        case ast.BinOp(left, op, right):
            return {"apply": OPERATORS[type(op)], "of": [tree(left), tree(right)]}
        case ast.Compare(left, [op], [right]):
            return {"compare": type(op).__name__, "of": [tree(left), tree(right)]}
        case ast.Subscript(listed, ast.Constant(value=index)):
            return {"item": index, "of": [tree(listed)]}
        case ast.List(items):
            return {"items": [tree(x) for x in items]}
        case ast.Call(ast.Name(id="bool"), [comparison]):
            return tree(comparison)
        case ast.Call(ast.Name(id="Value"), [number]):
            return {"leaf": tree(number)}
        case ast.Call(ast.Name(id="sum"), [ast.List(terms), *start]):
            begin = tree(start[0]) if start else 0
            return reduce(lambda a, b: {"apply": "add", "of": [a, b]}, map(tree, terms), begin)
        case ast.Call(ast.Name(id=name), [ast.List(operands)]) | ast.Call(
            ast.Name(id=name), operands
        ):
            return {"apply": name, "of": [tree(x) for x in operands]}
    raise EncodingError(ast.unparse(e))


def with_expressions(program: Tree, change: Callable[[Tree], Tree]) -> Tree:
    """The steps with each of their operations changed, from the inside out."""
    match program:
        case list():
            return [with_expressions(x, change) for x in program]
        case {"apply": _, "of": operands}:
            return change(program | {"of": [with_expressions(x, change) for x in operands]})
        case dict():
            return {key: with_expressions(x, change) for key, x in program.items()}
    return program


def operations_of(example: Example) -> set[str]:
    """The operations that a program applies, by name.

    >>> sorted(operations_of(Example(("x = Value(2); f = x * 2 - exp(x)",), ("f.data",))))
    ['exp', 'mul', 'sub']
    """
    names: set[str] = set()

    def note(e: Tree) -> Tree:
        names.add(e["apply"])
        return e

    with_expressions(encode(example)[0], note)
    return names
