"""A file of theirs as a module, with the modules beside it and what in it can be run."""

from __future__ import annotations
import __future__

import ast
import importlib
import importlib.machinery
import importlib.util
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from microgrid.check.loading.absent import stand_in_for
from microgrid.check.loading.clock import TooLongError, limit
from microgrid.check.loading.definitions import (
    ASSIGNMENT,
    DEFINITION,
    IMPORT,
    definitions,
    names_given,
)
from microgrid.check.loading.folders import packages, search
from microgrid.check.loading.text import Source, parsed
from microgrid.check.raised import said

ODD = "checked_file"  # stands for a name that is taken, or is none
OF_PYTHON_2 = ("cPickle", "urllib2", "ConfigParser", "Queue", "StringIO", "cStringIO")
LEAST = 0.05  # seconds that a statement has when all others have used up the time
TRAINS = 'put what trains under `if __name__ == "__main__":`'


class Loaded(NamedTuple):
    """A module, and what was left out of it: functions and classes by name, all in sentences."""

    module: ModuleType
    missing: dict[str, str]
    remarks: list[str]
    absent: tuple[str, ...] = ()  # what it imports and is not installed

    def first(self, most: int) -> list[str]:
        """The first remarks, and how many more there are."""
        more = len(self.remarks) - most
        return [*self.remarks[:most], *([f"and {more} more were left out"] if more > 0 else [])]


def load(
    target: str, seconds: float, imports: float = math.inf, whole: bool | None = None
) -> Loaded:
    """The module of a file; LoadError where it is no Python.

    Modules that are not installed are stood in for. Statements that fail are left out, and those
    that together take longer than `seconds`, such as a training, or one import longer than
    `imports`. Of a notebook only the definitions are run, unless `whole` says otherwise.
    """
    path = Path(target).resolve()
    path = path / "__init__.py" if path.is_dir() else path
    source = parsed(path)
    whole = not source.cells if whole is None else whole
    loading = Loading(source, seconds, imports, whole)
    folders = packages(path)
    search(path, folders)
    body = source.tree.body if whole else definitions(source.tree.body)
    module = loading.module(loading.package(folders) if folders else "", body)
    return Loaded(module, loading.missing, loading.remarks(), (*loading.absent,))


class Loading:
    """One file, and what it cannot have."""

    def __init__(self, source: Source, seconds: float, imports: float, whole: bool) -> None:
        self.source, self.path, self.whole = source, source.path, whole
        self.left, self.seconds, self.imports = seconds, seconds, imports
        self.absent: list[str] = []
        self.missing: dict[str, str] = {}
        self.left_out: list[str] = [f"{why}: it was left out" for why in source.remarks]
        stand_in_for(self.absent)

    def remarks(self) -> list[str]:
        """What is told of it, in a sentence each."""
        return [
            f"{name} is " + ("of Python 2" if name in OF_PYTHON_2 else "not installed")
            + ": what uses it cannot be checked"
            for name in self.absent
        ] + self.left_out  # fmt: skip

    def importing(self, action: Callable[[], Any]) -> Any:
        """What the action gives, once all modules that it lacks are stood in for."""
        while True:
            try:
                return action()
            except ModuleNotFoundError as error:
                if not error.name or error.name in self.absent:
                    raise
                self.absent.append(error.name)

    def package(self, folders: list[Path]) -> str:
        """The name under which the innermost folder is a package; the others are around it."""
        names = [folder.name.replace(".", "_") for folder in folders]
        if names[0] in sys.modules or not names[0].isidentifier():
            names[0] = ODD
        for i, folder in enumerate(folders):
            name = ".".join(names[: i + 1])
            try:
                if folder.name != names[i]:
                    raise ImportError(name)
                with limit(self.imports):
                    self.importing(lambda name=name: importlib.import_module(name))  # type: ignore[misc]
            except BaseException:  # its __init__.py fails: a package without it
                parent, _, last = name.rpartition(".")
                sys.modules[name] = bare = ModuleType(name)
                bare.__path__ = [str(folder)]
                if parent:
                    setattr(sys.modules[parent], last, bare)
        return name

    def module(self, package: str, body: Sequence[ast.stmt]) -> ModuleType:
        """The module as a part of a package, made of its statements."""
        stem, inside = self.path.stem, [str(self.path.parent)]
        name = package if stem == "__init__" else f"{package}.{stem}".lstrip(".")
        if name in sys.modules and getattr(sys.modules[name], "__file__", "") == str(self.path):
            return sys.modules[name]  # its package imports it
        if stem != "__init__" and (name in sys.modules or not stem.isidentifier()):
            name = f"{package}.{ODD}".lstrip(".")
        loader = importlib.machinery.SourceFileLoader(name, str(self.path))
        spec = importlib.util.spec_from_file_location(
            name, self.path, loader=loader,
            submodule_search_locations=inside if stem == "__init__" else None,
        )  # fmt: skip
        assert spec is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        module.__doc__ = ast.get_docstring(self.source.tree)
        self.run(body, module)
        return module

    def run(self, body: Sequence[ast.stmt], module: ModuleType) -> None:
        """Run one statement after another; those that fail are left out.

        A definition that lacks a name has a second chance: cells may be run in any order.
        """
        late = []
        for statement in body:
            error = self.one(statement, module)
            if isinstance(statement, DEFINITION):
                self.missing.pop(statement.name, None)  # of an earlier cell
                if isinstance(error, NameError):
                    late.append(statement)
            if error:
                self.leave_out(statement, error)
        for statement in late:
            if statement.name not in vars(module) and self.one(statement, module) is None:
                self.missing.pop(statement.name, None)

    def one(self, statement: ast.stmt, module: ModuleType) -> BaseException | None:
        """Run a statement; what it raised."""
        flags = compiled_with(self.source.tree)
        code = compile(ast.Module([statement], []), str(self.path), "exec", flags, True)
        is_import = isinstance(statement, IMPORT)
        start = time.process_time()
        try:
            with limit(self.imports if is_import else max(LEAST, self.left)):
                self.importing(lambda: exec(code, vars(module)))
        except BaseException as error:  # SystemExit, too
            return error
        finally:
            self.left -= 0 if is_import else time.process_time() - start
        return None

    def leave_out(self, statement: ast.stmt, error: BaseException) -> None:
        """Tell that it failed; of a use of what is not installed that was told."""
        why, where = said(error), self.source.where(statement.lineno)
        if isinstance(error, TooLongError) and isinstance(statement, IMPORT):
            why = f"it takes more than {self.imports:g} s"
        elif isinstance(error, TooLongError):
            why = f"the file takes more than {self.seconds:g} s to load: {TRAINS}"
        if isinstance(statement, DEFINITION):
            self.missing[statement.name] = f"it cannot be defined: {why} ({where})"
        elif self.is_told(statement, why):
            text = ast.unparse(statement).splitlines()[0]
            self.left_out.append(f"{where}, `{text:.60}`, was left out: {why}")

    def is_told(self, statement: ast.stmt, why: str) -> bool:
        """Neither an example of a notebook nor one more use of what is not installed."""
        if isinstance(statement, ASSIGNMENT) and not self.whole:
            return not names_given(statement)
        return not (isinstance(statement, ast.Expr) and why.endswith(" is not installed"))


def compiled_with(tree: ast.Module) -> int:
    """The flag of the one feature of the future that is not Python's own by now."""
    future = (s for s in tree.body if isinstance(s, ast.ImportFrom) and s.module == "__future__")
    names = {alias.name for statement in future for alias in statement.names}
    return __future__.annotations.compiler_flag if "annotations" in names else 0
