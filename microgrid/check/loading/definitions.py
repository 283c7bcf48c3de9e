"""What of a file defines something: what is left where the rest of it is not to be run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from symtable import SymbolTable, symtable
from typing import TypeGuard

IMPORT = ast.Import | ast.ImportFrom
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
DEFINITION = FUNCTION | ast.ClassDef
ASSIGNMENT = ast.Assign | ast.AnnAssign | ast.AugAssign
BLOCK = ast.If | ast.Try | ast.For | ast.With
ALWAYS = {"*", "annotations"}  # `from … import *`, and how annotations are read


def definitions(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The classes and functions, what is set on classes, and what gives the names that these use.

    What is computed stands among them only if a class needs it: examples are left out.

    >>> text = "import a\\nx = 2\\ny = a.f()\\ndef h():\\n    return x, y\\nclass C: pass\\nC.h = 1"
    >>> print(ast.unparse(ast.Module(definitions(ast.parse(text).body), [])))
    x = 2
    <BLANKLINE>
    def h():
        return (x, y)
    <BLANKLINE>
    class C:
        pass
    C.h = 1
    """
    own = {s.name for s in inside(body) if isinstance(s, ast.ClassDef)}
    kept = [s for s in body if defines(s, own)]
    functions = {s: {s.name} for s in kept if isinstance(s, FUNCTION)}
    gives = {s: names_given(s) for s in body if s not in kept}
    needed = reached([s for s in kept if s not in functions], functions | gives)
    plain = {s: names for s, names in gives.items() if is_plain(s)}
    chosen = {*kept, *needed, *reached([*kept, *needed], plain)}
    return [s for s in body if s in chosen]


def reached(start: Sequence[ast.stmt], giving: Mapping[ast.stmt, set[str]]) -> set[ast.stmt]:
    """What gives the names that are used from the start, and so on."""
    found, used = {*start}, ALWAYS.union(*map(names_used, start))
    while more := [s for s, names in giving.items() if s not in found and names & used]:
        found.update(more)
        used.update(*map(names_used, more))
    return found


def is_plain(statement: ast.stmt) -> bool:
    """Whether nothing is computed in it: an import, a constant, another name, a lambda."""
    return all(
        not isinstance(s, ast.stmt)
        or isinstance(s, IMPORT | BLOCK | ast.Pass)
        or (isinstance(s, ASSIGNMENT) and s.value is not None and is_constant(s.value))
        for s in inside([statement])
    )


def is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.Lambda | ast.Name | ast.Constant):
        return True
    parts = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)]
    return not isinstance(node, ast.Call) and all(map(is_constant, parts))


def inside(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """The statements, and those in their blocks, of the same scope."""
    for node in body:
        yield node
        if isinstance(node, BLOCK | ast.ExceptHandler) and not is_main(node):
            yield from inside([*ast.iter_child_nodes(node)])


def is_main(node: ast.AST) -> bool:
    """Whether it is run only where the file is the program."""
    return isinstance(node, ast.If) and "__name__" in names_of(node.test)


def defines(statement: ast.stmt, classes: set[str]) -> bool:
    """Whether a class or a function stands in it, or it sets something on a class."""
    return any(isinstance(s, DEFINITION) or bool(classes & set_on(s)) for s in inside([statement]))


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
        elif isinstance(s, ASSIGNMENT):
            targets = s.targets if isinstance(s, ast.Assign) else [s.target]
            given |= {n.id for t in targets for n in ast.walk(t) if is_stored(n)}
    return given


def is_stored(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


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
