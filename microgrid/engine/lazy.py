"""Names of a package that are imported where they are first asked for (PEP 562)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, rooms: Mapping[str, str]) -> Callable[[str], Any]:
    """A `__getattr__` for the package: `rooms` has the names that each of its modules gives.

    A module of the package itself stands in the room "".
    """
    homes = {name: room for room, names in rooms.items() for name in names.split()}

    def found(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = f"{package}.{homes[name]}".rstrip(".")
        module = import_module(home) if homes[name] else None
        return getattr(module, name) if hasattr(module, name) else import_module(f"{home}.{name}")

    return found
