"""Who looks at a number while a function is recorded: other numbers might take another way."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from microgrid.engine.calculus import Variable
from microgrid.engine.errors import MicrogridError
from microgrid.engine.recorder import other_thread_recorders, recorder
from microgrid.engine.value import Constant, Value, topological

LIBRARIES = tuple(
    [str(path) + os.sep for path in (Path(__file__).parents[1], Path(np.__file__).parent)]
)


class BranchError(MicrogridError, RuntimeError):
    """A function that is recorded looks at a number: other numbers might take another way."""


@contextmanager
def no_concrete_reads(what: str, leaves: Collection[Value] = ()) -> Iterator[None]:
    """BranchError, which names the line, where anything inside asks for the number of a node.

    It comes at the end again if somebody on the way has caught it. Another thread may only not look
    at what depends on the leaves.
    """
    seen: list[BranchError] = []

    def looked(v: Any) -> None:
        if not all(map(is_plain, topological(v))):
            seen.append(BranchError(
                f"{what} looks at a number{place()}: the program would be right for numbers like "
                "it alone; write branches with where, maximum, relu or clip"
            ))  # fmt: skip
            raise seen[0]

    def overheard(v: Any) -> None:
        if any(u in leaves for u in topological(v)):
            looked(v)

    token = recorder.set(looked)
    if leaves:  # a rule runs in one thread
        other_thread_recorders.append(overheard)
    try:
        yield
    finally:
        recorder.reset(token)
        if leaves:
            other_thread_recorders.remove(overheard)
    if seen:
        raise seen[0]


def is_plain(v: Value) -> bool:
    """Whether a node is no leaf, or one that stands for a plain number.

    So does the variable of a derivative that has been taken inside of the function.
    """
    return v.op is not None or type(v) is Constant or (type(v) is Variable and not v.active)


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
