"""Stand-ins for modules that are not installed: a layer rarely needs what its file draws with."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType
from typing import Any


class Absent(ModuleType):
    """A module that is not installed, and anything of it: it may be named, and raises when used.

    A class inherits nothing from it, and as a decorator it changes nothing.

    >>> plt = Absent("matplotlib")
    >>> class Plot(plt.Axes):
    ...     @plt.style(dark=True)
    ...     def draw(self):
    ...         return plt.plot([1, 2])
    >>> Plot().draw()
    Traceback (most recent call last):
        ...
    ModuleNotFoundError: matplotlib is not installed
    """

    __all__ = ()  # of `from matplotlib import *`

    def __getattr__(self, name: str) -> Absent:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(self.__name__)

    def __mro_entries__(self, bases: Any) -> tuple[type, ...]:
        return ()

    def __instancecheck__(self, thing: Any) -> bool:
        return False

    def __call__(self, *given: Any, **named: Any) -> Any:
        if not given:
            return self
        if len(given) == 1 and isinstance(given[0], FunctionType | type):
            return given[0]
        raise ModuleNotFoundError(f"{self.__name__} is not installed")  # no name: see `Loading`


class Finder:
    """Finds an `Absent` for these modules and their parts.

    >>> found = Finder(["seaborn"]).find_spec("seaborn.axes")
    >>> found.loader.create_module(found)("plot")
    Traceback (most recent call last):
        ...
    ModuleNotFoundError: seaborn is not installed
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if self.known(name):
            return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]
        return None

    def known(self, name: str) -> str:
        """The module that is not there, of a name that may be of a part of it."""
        return next((known for known in self.names if f"{name}.".startswith(f"{known}.")), "")

    def create_module(self, spec: ModuleSpec) -> Absent:
        return Absent(self.known(spec.name))

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""


def stand_in_for(names: list[str]) -> None:
    """Let these modules, and those that the list gets later, be imported."""
    sys.meta_path.append(Finder(names))
