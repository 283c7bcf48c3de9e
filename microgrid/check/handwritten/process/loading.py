"""A file of theirs as a module, with the modules beside it and what in it can be run."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from microgrid.check.handwritten.process.absent import stand_in_for
from microgrid.check.handwritten.process.folders import packages, search
from microgrid.check.handwritten.trial import LayerError
from microgrid.check.worker import said

ODD = "checked_layers"  # stands for a name that is taken, or is none
MOST = 4  # sentences about a file
OLD = re.compile(  # a line that only Python 2 reads
    r"(print|exec)\s+[^\s(=.]|raise\s+\w+\s*,|except\s+[\w.]+\s*,|.*(<>|`|\b0\d+\b|\d+L\b|\bur['\"])"
)
OF_PYTHON_2 = ("cPickle", "urllib2", "ConfigParser", "Queue", "StringIO", "cStringIO")


class TooLongError(BaseException):
    """A statement takes too long: no `except Exception` of theirs may catch that."""


class Loaded(NamedTuple):
    """A module, and what was left out of it: functions and classes by name, all in sentences."""

    module: ModuleType
    missing: dict[str, str]
    remarks: list[str]


def load(target: str, seconds: float) -> Loaded:
    """The module of a file; LayerError where it is no Python.

    Modules that are not installed are stood in for. Statements that fail, or that together take
    longer than `seconds`, such as a training, are left out.
    """
    path = Path(target).resolve()
    tree = parsed(path)
    loading = Loading(path, seconds)
    folders = packages(path)
    search(path, folders)
    module = loading.module(loading.package(folders) if folders else "", tree)
    return Loaded(module, loading.missing, loading.remarks())


def parsed(path: Path) -> ast.Module:
    """The statements of a file; LayerError with the line that is none."""
    try:
        return ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes
        number, what = getattr(error, "lineno", None) or 1, getattr(error, "msg", error)
        line = path.read_bytes().decode("utf-8", "replace").splitlines()[number - 1 :][:1]
        if line and OLD.match(line[0].strip()):
            told = f"line {number} of it is Python 2: `{line[0].strip():.60}`"
        else:
            told = f"{type(error).__name__}: {what} (line {number} of {path.name})"
        raise LayerError(f"{path} could not be loaded: {told}") from None


class Loading:
    """One file, and what it cannot have."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.path, self.end, self.seconds = path, time.monotonic() + seconds, seconds
        self.absent: list[str] = []
        self.missing: dict[str, str] = {}
        self.left_out: list[str] = []
        stand_in_for(self.absent)

    def remarks(self) -> list[str]:
        """What is told of it, the first few things in a sentence each."""
        told = [
            f"{name} is " + ("of Python 2" if name in OF_PYTHON_2 else "not installed")
            + ": what uses it cannot be checked"
            for name in self.absent
        ] + self.left_out  # fmt: skip
        more = len(told) - MOST
        return [*told[:MOST], *([f"and {more} more were left out"] if more > 0 else [])]

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
                self.importing(lambda name=name: importlib.import_module(name))  # type: ignore[misc]
            except BaseException:  # its __init__.py fails: a package without it
                parent, _, last = name.rpartition(".")
                sys.modules[name] = bare = ModuleType(name)
                bare.__path__ = [str(folder)]
                if parent:
                    setattr(sys.modules[parent], last, bare)
        return name

    def module(self, package: str, tree: ast.Module) -> ModuleType:
        """The module as a part of a package, made of its statements."""
        stem, inside = self.path.stem, [str(self.path.parent)]
        name = package if stem == "__init__" else f"{package}.{stem}".lstrip(".")
        if name in sys.modules and getattr(sys.modules[name], "__file__", "") == str(self.path):
            return sys.modules[name]  # its package imports it
        if stem != "__init__" and (name in sys.modules or not stem.isidentifier()):
            name = f"{package}.{ODD}".lstrip(".")
        spec = importlib.util.spec_from_file_location(
            name, self.path, submodule_search_locations=inside if stem == "__init__" else None
        )
        assert spec is not None  # its name ends with .py
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        self.run(tree, module)
        return module

    def run(self, tree: ast.Module, module: ModuleType) -> None:
        """Run one statement after another; those that fail are left out."""
        module.__doc__ = ast.get_docstring(tree)
        flags = 0
        for statement in tree.body:
            if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
                flags = annotations.compiler_flag  # all other features are Python's own by now
            code = compile(ast.Module([statement], []), str(self.path), "exec", flags, True)
            try:
                with self.in_time(statement):
                    self.importing(lambda code=code: exec(code, vars(module)))  # type: ignore[misc]
            except TooLongError:
                self.leave_out(
                    statement, f"the file takes more than {self.seconds:g} s to load: put what "
                    'trains under `if __name__ == "__main__":`',
                )  # fmt: skip
            except BaseException as error:  # SystemExit, too
                self.leave_out(statement, said(error))

    @contextmanager
    def in_time(self, statement: ast.stmt) -> Iterator[None]:
        """TooLongError for one that trains; what is imported may take its time."""
        if isinstance(statement, ast.Import | ast.ImportFrom) or not hasattr(signal, "setitimer"):
            yield
            return

        def stop(*_: Any) -> None:
            raise TooLongError

        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, max(0.05, self.end - time.monotonic()))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def leave_out(self, statement: ast.stmt, why: str) -> None:
        """Tell that it failed; of a use of what is not installed that was told."""
        why = " ".join(why.split())
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            self.missing[statement.name] = f"it cannot be defined: {why} (line {statement.lineno})"
        elif not (isinstance(statement, ast.Expr) and why.endswith(" is not installed")):
            text = ast.unparse(statement).splitlines()[0]
            self.left_out.append(f"line {statement.lineno}, `{text:.60}`, was left out: {why}")
