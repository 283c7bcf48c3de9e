"""Which modules are theirs: those given, what they import that is no library, what lies beside."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

NOT_THEIRS = {"microgrid", "numpy", "scipy", *sys.stdlib_module_names} - {"__main__"}


def family(modules: Sequence[ModuleType]) -> list[ModuleType]:
    """These modules, what they import that is no library, and what lies beside them."""
    near = Near(modules)
    return imported([*modules, *[m for m in list(sys.modules.values()) if near(m)]])


def imported(modules: Sequence[ModuleType]) -> list[ModuleType]:
    """These modules, and what they import that is no library."""
    found = {id(m): m for m in modules}
    waiting = [*modules]
    while waiting:
        module = waiting.pop()
        found[id(module)] = module
        for x in list(vars(module).values()):
            home = x if isinstance(x, ModuleType) else origin(x)
            if isinstance(home, ModuleType) and id(home) not in found and is_no_library(home):
                found[id(home)] = home
                waiting.append(home)
    return list(found.values())


def origin(x: Any) -> Any:
    """The module that a function or a class comes from."""
    known = isinstance(x, FunctionType | type)
    return sys.modules.get(x.__module__) if known and isinstance(x.__module__, str) else None


def is_no_library(module: Any) -> bool:
    """Whether a module is a file of somebody's own."""
    if not isinstance(module, ModuleType) or module.__name__.partition(".")[0] in NOT_THEIRS:
        return False
    file = vars(module).get("__file__")
    parts = Path(file).parts if isinstance(file, str) else ()
    return bool(parts) and not {"site-packages", "dist-packages"}.intersection(parts)


class Near:
    """Whether a module lies in the folders or the packages of some modules."""

    def __init__(self, modules: Sequence[ModuleType]) -> None:
        files = [Path(f) for m in modules if isinstance(f := vars(m).get("__file__"), str)]
        self.folders = {str(p.parent) for p in files} | {str(p.resolve().parent) for p in files}
        tops = {m.__name__.partition(".")[0] for m in modules if "." in m.__name__}
        self.packages = tops - NOT_THEIRS

    def __call__(self, module: Any) -> bool:
        if not isinstance(module, ModuleType):
            return False
        top, file = module.__name__.partition(".")[0], vars(module).get("__file__")
        if top in self.packages or not isinstance(file, str) or top in NOT_THEIRS:
            return top in self.packages
        return os.path.dirname(file) in self.folders
