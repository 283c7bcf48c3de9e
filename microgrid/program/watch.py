"""Who looks at a number while a function is recorded: other numbers might take another way."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from microgrid.errors import BranchError
from microgrid.guards import elsewhere, watching
from microgrid.value import Constant, Value, topological

LIBRARIES = str(Path(__file__).parent.parent), str(Path(np.__file__).parent)


@contextmanager
def watched(what: str, leaves: Collection[Value] = ()) -> Iterator[None]:
    """BranchError, which names the line, where anything inside asks for the number of a node.

    It comes at the end again if somebody on the way has caught it. Another thread may only not look
    at what depends on the leaves.
    """
    seen: list[BranchError] = []

    def looked(v: Any) -> None:
        if type(v) is not Constant:
            seen.append(BranchError(
                f"{what} looks at a number{place()}: the program would be right for numbers like "
                "it alone; write branches with where, maximum, relu or clip"
            ))  # fmt: skip
            raise seen[0]

    def overheard(v: Any) -> None:
        if any(u in leaves for u in topological(v)):
            looked(v)

    token = watching.set(looked)
    elsewhere.append(overheard)
    try:
        yield
    finally:
        watching.reset(token)
        elsewhere.remove(overheard)
    if seen:
        raise seen[0]


def place() -> str:
    """The line of the caller's code that runs just now."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(LIBRARIES):
        frame = frame.f_back
    if frame is None:
        return ""
    file, number = frame.f_code.co_filename, frame.f_lineno
    line = linecache.getline(file, number, frame.f_globals).strip()
    where = f"{Path(file).name}, line" if Path(file).exists() else "line"  # a cell has no file
    return f" in {where} {number}" + (f", `{line}`" if line else "")
