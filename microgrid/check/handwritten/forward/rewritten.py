"""Their functions, compiled anew from their source, so that each statement says its line.

A trace function would hear every call of the engine, four times the time of a forward. Here each
statement is preceded by a call of `LINE`, which labels the nodes that it makes, and each function
tells its locals to `LEAVE` when it ends. `OF` reads the attributes that NumPy's numbers have and
Python's have not, `TOLD` gives the numbers that a text is made of, and `type(x) is int` compares as
`==`, since `int` has a stand-in. Nothing else of their code is changed.
"""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

LINE, ENTER, LEAVE = "__microgrid_line__", "__microgrid_enter__", "__microgrid_leave__"
OF, TOLD = "__microgrid_of__", "__microgrid_told__"
OF_NUMBERS = {
    "dtype", "shape", "ndim", "size", "T", "item", "astype", "sum", "mean", "max", "min", "std",
    "var", "prod", "any", "all", "copy", "reshape", "squeeze", "flatten", "ravel", "tolist",
    "round", "dot", "transpose", "clip", "argmax", "argmin", "cumsum", "itemsize", "nbytes",
}  # fmt: skip
Start = tuple[str, int, Any]


def rewritten(f: FunctionType) -> CodeType | None:
    """The code of a function that says its lines; None where its source is not known.

    >>> from microgrid.check.handwritten import trial
    >>> LINE in rewritten(trial.plain).co_names
    True
    """
    code = f.__code__
    source = "".join(linecache.getlines(code.co_filename, f.__globals__))
    found = codes(source, code.co_filename).get(start(code))
    fits = found is not None and found.co_freevars == code.co_freevars
    return found if fits and LINE not in code.co_names else None


@lru_cache(maxsize=256)
def codes(source: str, file: str) -> dict[Start, CodeType]:
    """The code of each function of a file, by where it starts."""
    try:
        tree = Rewriter(file).visit(ast.parse(source, file))
        whole = compile(ast.fix_missing_locations(tree), file, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):  # a cell with %magic, say
        return {}
    found: dict[Start, CodeType] = {}
    waiting = [whole]
    while waiting:
        for code in waiting.pop().co_consts:
            if isinstance(code, CodeType):
                found[start(code)] = code
                waiting.append(code)
    return found


def start(code: CodeType) -> Start:
    """The name and the first line of a function; of a lambda, beside others in its line, its place.

    >>> one, other = lambda x: x + 1, lambda x: x + 2
    >>> start(one.__code__) == start(other.__code__)
    False
    """
    at = [(line, column) for line, _, column, end in code.co_positions() if line and end]
    return code.co_qualname, code.co_firstlineno, code.co_name == "<lambda>" and min(at)


class Rewriter(ast.NodeTransformer):
    """Puts the calls into the bodies of functions."""

    def __init__(self, file: str) -> None:
        self.file, self.inside = file, False

    def visit_FunctionDef(self, node: Any) -> Any:
        before, self.inside = self.inside, True
        self.generic_visit(node)
        self.inside = before
        if not any(isinstance(n, ast.Yield | ast.YieldFrom | ast.Await) for n in ast.walk(node)):
            end = ast.Try(node.body, [], [], [said(LEAVE, "locals()", node.body[-1])])
            node.body = [said(ENTER, "", node.body[0]), ast.copy_location(end, node.body[0])]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        if node.attr not in OF_NUMBERS or not isinstance(node.ctx, ast.Load):
            return node
        return called(OF, node, node.value, ast.Constant(node.attr))

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        text = isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
        if text and isinstance(node.op, ast.Mod):
            node.right = called(TOLD, node.right, node.right)
        return node

    def visit_Compare(self, node: ast.Compare) -> Any:
        self.generic_visit(node)
        for i, (op, x) in enumerate(zip(node.ops, node.comparators)):
            if isinstance(x, ast.Name) and x.id in ("int", "float"):
                node.ops[i] = {ast.Is: ast.Eq, ast.IsNot: ast.NotEq}.get(type(op), type(op))()
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        before, self.inside = self.inside, False
        self.generic_visit(node)
        self.inside = before
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if self.inside and isinstance(block, list):
                setattr(node, name, [s for statement in block for s in self.named(statement)])
        return node

    def named(self, statement: ast.stmt) -> list[ast.stmt]:
        """A statement behind the call that says its line."""
        if isinstance(statement, ast.Global | ast.Nonlocal):
            return [statement]
        return [said(LINE, repr(label(self.file, statement.lineno)), statement), statement]


def called(name: str, place: ast.AST, *arguments: ast.expr) -> ast.expr:
    """The expression name(*arguments), at the place of another one."""
    call = ast.Call(ast.Name(name, ast.Load()), [*arguments], [])
    return ast.fix_missing_locations(ast.copy_location(call, place))


def said(name: str, argument: str, place: ast.AST) -> ast.stmt:
    """The statement name(argument), at the place of another one."""
    call = ast.parse(f"{name}({argument})").body[0]
    for node in ast.walk(call):
        ast.copy_location(node, place)
    return call


def label(file: str, number: int) -> str:
    """The label of the nodes that a line makes; no label of a user begins so."""
    return f"\0{number}\0{file}"


def place(label: str) -> tuple[str, int] | None:
    """(file, line) of a label of ours."""
    _, number, file = label.split("\0", 2) if label.startswith("\0") else ("", "", "")
    return (file, int(number)) if number else None
