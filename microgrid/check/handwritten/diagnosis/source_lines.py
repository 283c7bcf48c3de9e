"""Lines of their code: the text of one, of a function, and the one that writes a gradient."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import textwrap
from collections.abc import Iterator
from pathlib import PurePath
from types import FunctionType
from typing import Any

from microgrid.check.handwritten.results import Line
from microgrid.check.handwritten.trial import Trial


def line(file: str, number: int) -> Line:
    """A line of a file.

    >>> line(linecache.__file__, 1).number
    1
    """
    return Line(number, linecache.getline(file, number).strip(), PurePath(file).name)


def quoted(found: Line) -> str:
    """A line as a sentence names it.

    >>> quoted(Line(24, "var = x.var()"))
    'line 24: `var = x.var()`'
    """
    text = found.text.split("  #")[0].strip()
    return f"line {found.number}: `{text}`" if text else f"line {found.number}"


def source(function: FunctionType) -> str:
    """The text of a function, "" where it is not known.

    >>> source(quoted).splitlines()[0]
    'def quoted(found: Line) -> str:'
    """
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return ""


def backward_line(trial: Trial, input: str) -> Line | None:
    """The line of their backward that writes the gradient of an input; None where none is found.

    That is the last assignment to its name, as `trial.places` knows it, of the function that
    comes last, or else what that returns.

    >>> trial = Trial("f", {}, lambda inputs: None, backwards=[quoted], places={"t": "text"})
    >>> backward_line(trial, "t").text
    'text = found.text.split("  #")[0].strip()'
    """
    place = trial.places.get(input, f"d{input}")
    for name in dict.fromkeys((key(place), f"d{input}")):
        for function in reversed(trial.backwards):
            found = [n for target, n in assignments(function) if target == name]
            if found:
                return line(function.__code__.co_filename, max(found))
    names = list(trial.inputs)
    for function in reversed(trial.backwards):
        if found := returned(function, len(names), names.index(input) if input in names else 0):
            return line(function.__code__.co_filename, max(found))
    return None


def returned(function: FunctionType, n: int, i: int) -> list[int]:
    """The lines that return gradient i of n, an entry of a tuple, or one gradient alone."""
    found = []
    for node in walked(function):
        match node:
            case ast.Return(value=ast.Tuple(elts=entries)) if len(entries) == n:
                found.append(entries[i].lineno)
            case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Tuple):
                found.append(value.lineno)
    first = function.__code__.co_firstlineno - 1
    return [first + number for number in found]


def walked(function: FunctionType) -> Iterator[ast.AST]:
    """The syntax tree of a function, node by node."""
    try:
        yield from ast.walk(ast.parse(source(function)))
    except SyntaxError:
        return


def assignments(function: FunctionType) -> Iterator[tuple[str, int]]:
    """Each name that a function assigns to, as `key` writes it, with the number of the line."""
    first = function.__code__.co_firstlineno - 1
    for node in walked(function):
        for target in targets(node):
            yield key(ast.unparse(target)), first + getattr(node, "lineno", 1)


def targets(node: ast.AST) -> Iterator[ast.expr]:
    """What an assignment writes into, without the indices of single entries."""
    match node:
        case ast.Assign(targets=found):
            every: list[Any] = list(found)
        case ast.AugAssign(target=one) | ast.AnnAssign(target=one):
            every = [one]
        case ast.Call(func=ast.Attribute(attr="at"), args=[first, *_]):
            every = [first]
        case _:
            return
    for target in every:
        yield from target.elts if isinstance(target, ast.Tuple | ast.List) else [target]


def key(place: str) -> str:
    """The name in a place: that of an attribute, or the text in the brackets of a dict.

    >>> key("self.dW"), key("grads['W']"), key("dx[n, :]"), key("self.dx")
    ('dW', 'W', 'dx', 'dx')
    """
    if found := re.fullmatch(r".*\[?['\"](\w+)['\"]\]?(?:\[.*)?", place):
        return found[1]
    return re.split(r"[\[(]", place)[0].split(".")[-1]
