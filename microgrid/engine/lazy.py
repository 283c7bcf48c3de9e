"""What a module shows, and names that are imported where they are first asked for (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from microgrid.engine.extras import explained
from microgrid.engine.hints import UnknownNameError


def lazily(
    module: str, rooms: Mapping[str, str], package: str = ""
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a module: `rooms` has the names that each room gives.

    The rooms are modules of the package, or of the module itself, which stand in the room "".
    """
    homes = {name: room for room, names in rooms.items() for name in names.split()}

    def found(name: str) -> Any:
        if name not in homes:
            raise unknown(module, name)
        home = f"{package or module}.{homes[name]}".rstrip(".")
        try:
            room = import_module(home) if homes[name] else None
            return getattr(room, name) if hasattr(room, name) else import_module(f"{home}.{name}")
        except ModuleNotFoundError as error:
            raise explained(error, f"{module}.{name} needs") from None

    return found, public(module, *homes)


def public(module: str, *later: str) -> Callable[[], list[str]]:
    """`__dir__` of a module: `__all__`, and what Python writes with two underscores.

    So `dir`, completion, `help` and the reference show the same. A name that is not there comes
    with a hint.
    """

    def absent(name: str) -> Any:
        raise unknown(module, name)

    vars(sys.modules[module]).setdefault("__getattr__", absent)

    def shown() -> list[str]:
        names = vars(sys.modules[module])
        return sorted({*names["__all__"], *[n for n in (*names, *later) if n.startswith("__")]})

    return shown


def unknown(module: str, name: str) -> UnknownNameError:
    """The error for a name that a module does not have."""
    said = f"module {module!r} has no attribute {name!r}"
    return UnknownNameError(said, sys.modules[module], name)
