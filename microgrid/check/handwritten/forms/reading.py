"""What the source of a function says: the names it returns, the keys it looks up."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any


def tree(thing: Callable[..., Any]) -> ast.FunctionDef | ast.ClassDef | None:
    """The syntax tree of a function or a class, None where its source is not to be had.

    >>> tree(len) is None
    True
    """
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(thing)))
        nodes = ast.walk(ast.parse(source))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    return next((n for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)), None)


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of the functions inside of it; of a class all."""
    apart = () if isinstance(node, ast.ClassDef) else (ast.FunctionDef, ast.Lambda, ast.ClassDef)
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, apart):
            yield child
            yield from own_nodes(child)


def name_of(node: ast.AST | None) -> str:
    """The name that an expression goes by: of `dx`, `self.dx`, `grads["dx"]`, `dx.reshape(…)`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self"), attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
        case ast.Call(
            func=ast.Attribute(value=inner, attr="reshape" | "copy" | "squeeze" | "astype")
        ):
            return name_of(inner)
        case ast.Attribute(value=inner, attr="T") | ast.Subscript(value=inner):
            return name_of(inner)
        case ast.BinOp(left=left, op=ast.Div()) if name_of(left)[:1] == "d":
            return name_of(left)  # dx / N
    return ""


def returned(function: Callable[..., Any], deep: bool = False) -> list[str]:
    """The names in the last `return a, b, c` of a function, "" for what is no name; [] if unknown.

    A result that is kept in a variable first is followed: `grads = dx, dw` and `return grads`.
    With `deep` tuples and lists in it are taken apart.
    """
    value = value_returned(function)
    return [] if value is None else [name_of(part) for part in parts(value, deep)]


def count_returned(function: Callable[..., Any]) -> int:
    """How many gradients the last return of a function has, without None; 0 if unknown."""
    value = value_returned(function)
    if isinstance(value, ast.Dict):
        return len(value.keys)
    given = [] if value is None else parts(value, False)
    return sum(not isinstance(part, ast.Constant) for part in given)


def value_returned(function: Callable[..., Any]) -> ast.expr | None:
    """The expression of the last return of a function; None if unknown."""
    node = tree(function)
    if node is None:
        return None
    found = [n.value for n in own_nodes(node) if isinstance(n, ast.Return) and n.value is not None]
    if not found:
        return None
    value = found[-1]
    if isinstance(value, ast.Name):  # what was put into it
        kept = [
            n.value
            for n in own_nodes(node)
            if isinstance(n, ast.Assign) and name_of(n.targets[0]) == value.id
        ]
        if kept and isinstance(kept[-1], ast.Tuple | ast.List):
            value = kept[-1]
    return value


def parts(value: ast.expr, deep: bool) -> list[ast.expr]:
    """The expressions of a tuple; with `deep` also those of tuples and lists in it."""
    if not isinstance(value, ast.Tuple | ast.List):
        return [value]
    return [p for n in value.elts for p in (parts(n, deep) if deep else [n])]


def keys(function: Callable[..., Any], argument: str) -> list[str]:
    """The keys that a function looks up: `argument["stride"]`, `argument.get("pad", 0)`."""
    node, found = tree(function), []
    for n in own_nodes(node) if node is not None else ():
        match n:
            case ast.Subscript(value=place, slice=ast.Constant(value=str(key))):
                pass
            case ast.Call(
                func=ast.Attribute(value=place, attr="get" | "setdefault" | "pop"),
                args=[ast.Constant(value=str(key)), *_],
            ):
                pass
            case _:
                continue
        plain = isinstance(place, ast.Name | ast.Attribute)
        if plain and name_of(place) == argument and key not in found:
            found.append(key)
    return found


def choices(function: Callable[..., Any], argument: str) -> list[str]:
    """The words that a function compares an argument with: `if activation == "relu"`."""
    node, found = tree(function), []
    for n in own_nodes(node) if node is not None else ():
        match n:
            case ast.Compare(left=left, comparators=[ast.Constant(value=str(word))]):
                if name_of(left) == argument and word not in found:
                    found.append(word)
    return found


def mentions(function: Callable[..., Any], *words: str) -> bool:
    """Whether one of these names or strings stands in the function."""
    node = tree(function)
    texts = {
        str(getattr(n, "id", getattr(n, "value", getattr(n, "arg", ""))))
        for n in (ast.walk(node) if node is not None else ())
    }
    return any(word in texts for word in words)


def last_axis(function: Callable[..., Any]) -> bool:
    """Whether a function works along axis=-1."""
    node = tree(function)
    return any(
        isinstance(n, ast.keyword) and n.arg == "axis" and ast.unparse(n.value) == "-1"
        for n in (ast.walk(node) if node is not None else ())
    )
