"""Lines of their code: the text of one, of a function, and the one that writes a gradient."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import textwrap
from collections.abc import Iterator, Sequence
from functools import partial
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


def sources(trial: Trial) -> list[str]:
    """The text of their backward, as far as it is known.

    >>> sources(Trial("f", {}, dict, backwards=[quoted]))[0].splitlines()[0]
    'def quoted(found: Line) -> str:'
    """
    return [source(f) for f in trial.backwards]


def backward_line(trial: Trial, input: str) -> Line | None:
    """The line of their backward that writes the gradient of an input; None where none is found.

    That is the last one to assign to its name, as `trial.places` knows it, in the function that
    comes last; or else what that returns, where that is an expression.

    >>> trial = Trial("f", {}, lambda inputs: None, backwards=[quoted], places={"t": "text"})
    >>> backward_line(trial, "t").text
    'text = found.text.split("  #")[0].strip()'
    """
    place = trial.places.get(input, "")
    names = list(dict.fromkeys((key(place), f"d{input}")))
    ways = [partial(assigned, name=name) for name in (spelled(place), *names)]
    if input in trial.inputs and (key(place) == place or place.endswith(".T")):
        order = list(trial.inputs)
        i, n = order.index(input), len(order)
        ways.insert(0, partial(returned, i=i, n=n, names=names))
        if trial.loss:  # which stands before them
            ways.append(partial(returned, i=i + 1, n=n + 1, names=names))
    for lines in ways:
        for function in reversed(trial.backwards):
            if found := lines(function):
                first = function.__code__.co_firstlineno - 1
                return line(function.__code__.co_filename, first + max(found))
    return None


def assigned(function: FunctionType, name: str) -> list[int]:
    """The lines that assign to a place, or a name as `key` writes it, or write it into a dict."""
    found = []
    for node in walked(function):
        written = [ast.unparse(t) for t in targets(node)]
        found += [node.lineno for t in written if name in (t, key(t))]  # type: ignore[attr-defined]
        for k, v in zip(node.keys, node.values) if isinstance(node, ast.Dict) else ():
            if isinstance(k, ast.Constant) and k.value == name:
                named = isinstance(v, ast.Name) and (v.id == name or assigned(function, v.id))
                found += named if isinstance(named, list) else [] if named else [v.lineno]
    return found


def returned(function: FunctionType, i: int, n: int, names: Sequence[str]) -> list[int]:
    """The lines with gradient i of n in what is returned, where no name stands for it."""
    found = []
    for node in walked(function):
        match node:
            case (
                ast.Return(value=ast.Tuple(elts=entries)) | ast.Lambda(body=ast.Tuple(elts=entries))
            ):
                found += entries[i : i + 1] if len(entries) == n else []
            case ast.Return(value=ast.expr() as one) | ast.Lambda(body=one):
                found.append(one)
    plain = (ast.Constant, ast.Dict, ast.Name, ast.Attribute, ast.Subscript)
    if any(isinstance(e, ast.Name) and e.id in names for e in found):
        return []
    turned = [e for e in found if isinstance(e, ast.Attribute) and e.attr == "T"]
    return [e.lineno for e in found if e in turned or not isinstance(e, plain)]


def written_factors(function: FunctionType) -> Iterator[float]:
    """The numbers that are multiplied or divided in a function, and those that get a name."""
    for node in walked(function):
        match node:
            case ast.BinOp(left=left, op=ast.Mult() | ast.Div(), right=right):
                places = [left, right]
            case ast.AugAssign(op=ast.Mult() | ast.Div(), value=value) | ast.Assign(value=value):
                places = [value]
            case _:
                continue
        for place in places:
            if isinstance(place, ast.UnaryOp):
                place = place.operand
            if isinstance(place, ast.Constant) and isinstance(place.value, int | float):
                yield abs(float(place.value))


def walked(function: FunctionType) -> Iterator[ast.AST]:
    """The syntax tree of a function, node by node."""
    try:
        yield from ast.walk(ast.parse(source(function)))
    except SyntaxError:
        return


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


def spelled(place: str) -> str:
    """A place as the syntax tree writes it.

    >>> spelled('self.grads["W"]')
    "self.grads['W']"
    """
    try:
        return ast.unparse(ast.parse(place, mode="eval"))
    except SyntaxError:
        return place


def key(place: str) -> str:
    """The name in a place: that of an attribute, or the text in the brackets of a dict.

    >>> key("self.dW"), key("grads['W']"), key("dx[n, :]"), key("self.dx")
    ('dW', 'W', 'dx', 'dx')
    """
    if found := re.fullmatch(r".*\[?['\"](\w+)['\"]\]?(?:\[.*)?", place):
        return found[1]
    return re.split(r"[\[(]", place)[0].split(".")[-1]
