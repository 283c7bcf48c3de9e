"""What of a file defines something: what is left where the rest of it is not to be run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from symtable import SymbolTable, symtable

IMPORT = ast.Import | ast.ImportFrom
DEFINITION = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
BLOCK = ast.If | ast.Try | ast.For | ast.With
ALWAYS = {"*", "annotations"}  # `from … import *`, and how annotations are read


def definitions(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The classes and functions, what is set on them, and what gives the names that these use.

    >>> text = "import a, b\\nx = a.f()\\ndef f():\\n    return x\\nf.w = 1\\nu = b.g()\\nu.h()"
    >>> print(ast.unparse(ast.Module(definitions(ast.parse(text).body), [])))
    import a, b
    x = a.f()
    <BLANKLINE>
    def f():
        return x
    f.w = 1
    """
    own = {s.name for s in inside(body) if isinstance(s, DEFINITION)}
    kept = [s for s in body if defines(s, own)]
    used = ALWAYS.union(*map(names_used, kept))
    while found := [s for s in body if s not in kept and names_given(s) & used]:
        kept += found
        used.update(*map(names_used, found))
    return [s for s in body if s in kept]


def inside(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """The statements, and those in their blocks, of the same scope."""
    for node in body:
        yield node
        if isinstance(node, BLOCK | ast.ExceptHandler) and not is_main(node):
            yield from inside([*ast.iter_child_nodes(node)])


def is_main(node: ast.AST) -> bool:
    """Whether it is run only where the file is the program."""
    return isinstance(node, ast.If) and "__name__" in names_of(node.test)


def defines(statement: ast.stmt, own: set[str]) -> bool:
    """Whether a class or a function stands in it, or it sets something on one of these."""
    return any(isinstance(s, DEFINITION) or bool(own & set_on(s)) for s in inside([statement]))


def set_on(statement: ast.AST) -> set[str]:
    """What it sets something on: of `Value.__radd__ = …` and `setattr(Value, …)` that is Value."""
    match statement:
        case ast.Assign(targets=targets):
            return {root(t) for t in targets if isinstance(t, ast.Attribute | ast.Subscript)}
        case ast.Expr(value=ast.Call(func=ast.Name(id="setattr"), args=[ast.Name(id=name), *_])):
            return {name}
    return set()


def root(node: ast.expr) -> str:
    """The name at the beginning of `a.b[0].c`."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def names_given(statement: ast.stmt) -> set[str]:
    """The names that an import, an assignment, or a block of these gives."""
    given: set[str] = set()
    for s in inside([statement]):
        if isinstance(s, IMPORT):
            given |= {(a.asname or a.name).partition(".")[0] for a in s.names}
        elif isinstance(s, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = s.targets if isinstance(s, ast.Assign) else [s.target]
            given |= {name for t in targets for name in names_of(t)}
    return given


def names_of(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def names_used(statement: ast.stmt) -> set[str]:
    """The names of the module that it reads, also in the bodies of its functions."""
    return {*read_in(symtable(ast.unparse(statement), "", "exec"))}


def read_in(table: SymbolTable) -> Iterator[str]:
    top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (top or symbol.is_global()):
            yield symbol.get_name()
    for inner in table.get_children():
        yield from read_in(inner)
