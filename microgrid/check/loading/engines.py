"""An engine of a file or a module: the module, and the class of its numbers."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, NamedTuple

from microgrid.check.loading.classes import choose, classes_of, refusal
from microgrid.check.loading.clock import limit
from microgrid.check.loading.errors import LoadError
from microgrid.check.loading.modules import Loaded, load
from microgrid.check.raised import said

TRAINING = 0.1  # of the time, for what is no definition
IMPORTS = 0.5  # of the time, for one import
NOTEBOOK = "of the notebook only what defines something was run: imports, classes, functions"
MOST = 2  # sentences about what was left out


class LoadedEngine(NamedTuple):
    """A module, what makes its numbers (mostly a class), and what is told of the loading."""

    module: ModuleType
    cls: Any
    remarks: list[str]


def load_engine(place: str, is_path: bool, name: str = "", seconds: float = 20.0) -> LoadedEngine:
    """The engine at a path, or of a module's name; LoadError says why there is none.

    Without the name of a class it is found. What is no definition has a part of the seconds.
    """
    os.environ.setdefault("MPLBACKEND", "Agg")  # no plot waits for somebody to close it
    if not is_path:
        return engine_of(imported(place, seconds), name)
    times = (TRAINING * seconds, IMPORTS * seconds)
    if not place.endswith(".ipynb"):
        return engine_of(load(place, *times), name)
    try:
        engine = engine_of(load(place, *times, whole=False), name)
        return engine._replace(remarks=[NOTEBOOK, *engine.remarks])
    except LoadError:
        forget(place)
        return engine_of(load(place, *times, whole=True), name)


def engine_of(loaded: Loaded, name: str) -> LoadedEngine:
    """The engine of a module, with what is told of both."""
    cls, remarks = choose(loaded.module, name, loaded.missing)
    if loaded.absent and (error := refusal(lambda x: cls(x) + cls(x))):
        lacks = f"{cls.__name__} needs {', '.join(loaded.absent)}, which is not installed"
        raise LoadError(f"{lacks}: a sum raises {said(error)}")
    missing = [f"{name}: {why}" for name, why in loaded.missing.items()]
    told = loaded._replace(remarks=[*missing, *loaded.remarks]).first(MOST)
    return LoadedEngine(loaded.module, cls, [*remarks, *told])


def imported(name: str, seconds: float) -> Loaded:
    """The module of that name as Python imports it; if that fails, as a file is loaded."""
    sys.path.insert(0, os.getcwd())
    try:
        with limit(IMPORTS * seconds):
            module = importlib.import_module(name)
    except BaseException as error:  # SystemExit, too
        file = file_of(name)
        if file is None:
            raise LoadError(said(error)) from None
        return load(str(file), TRAINING * seconds, imports=IMPORTS * seconds)
    if hasattr(module, "__path__") and not {*classes_of(module)}:
        parts = ", ".join(part.name for part in iter_modules(module.__path__))
        raise LoadError(f"{name} has no class; its modules are {parts or 'none'}")
    return Loaded(module, {}, [])


def file_of(name: str) -> Path | None:
    """The file of theirs that a module's name means, from the working directory on."""
    path = Path(*name.split("."))
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def forget(place: str) -> None:
    """Let a file be loaded once more."""
    path = str(Path(place).resolve())
    for name, module in [*sys.modules.items()]:
        if getattr(module, "__file__", None) == path:
            del sys.modules[name]
