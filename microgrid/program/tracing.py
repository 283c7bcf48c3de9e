"""A function that is recorded must not read numbers: others might take another branch."""

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
    """A function that is recorded looks at a number: other numbers might take another way.

    A program is a flat list of operations. Where the function asks a number (`if x > 0`, `while`,
    `x.data`, `sorted`, `range(n)`), the answer would be recorded for ever, and the program would be
    silently wrong for other numbers. The message has the line that asks.

    - A choice between two values is an operation: `where`, `maximum`, `minimum`, `relu`, `clip`.
    - What decides how often a loop runs is no input: `record(lambda x: power(x, 3), x)`.
    - A graph as it is, with the way that it took: `Program.of(root, inputs)`.

    >>> import microgrid as mg
    >>> mg.record(lambda x: x if x > 0 else -x, 1.0)
    Traceback (most recent call last):
        ...
    microgrid.program.tracing.BranchError: <lambda> looks at a number ...
    >>> mg.record(lambda x: mg.maximum(x, -x), 1.0)(-3.0)
    3.0
    """

    explained = True


@contextmanager
def no_concrete_reads(what: str, inputs: Collection[Value] = ()) -> Iterator[None]:
    """BranchError, which names the line, where code inside reads the number of a node.

    If user code catches the error, it is raised again at the end. Other threads may read numbers
    that do not depend on the inputs.
    """
    errors: list[BranchError] = []

    def refuse(v: Any) -> None:
        if not all(map(is_plain, topological(v))):
            errors.append(BranchError(
                f"{what} looks at a number{place()}: the program would be right for numbers like "
                "it alone; write branches with where, maximum, relu or clip"
            ))  # fmt: skip
            raise errors[0]

    def refuse_dependent(v: Any) -> None:
        if any(u in inputs for u in topological(v)):
            refuse(v)

    token = recorder.set(refuse)
    if inputs:  # a rule has none: it runs in one thread
        other_thread_recorders.append(refuse_dependent)
    try:
        yield
    finally:
        recorder.reset(token)
        if inputs:
            other_thread_recorders.remove(refuse_dependent)
    if errors:
        raise errors[0]


def is_plain(v: Value) -> bool:
    """Whether a node is no leaf, or a leaf that stands for a plain number.

    The variable of a derivative that has been taken inside of the function is such a leaf.
    """
    return v.op is not None or type(v) is Constant or (type(v) is Variable and not v.active)


def place() -> str:
    """The line of the caller's code that runs now."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(LIBRARIES):
        frame = frame.f_back
    if frame is None:
        return ""
    file, number = frame.f_code.co_filename, frame.f_lineno
    line = linecache.getline(file, number, frame.f_globals).strip()
    where = f"{Path(file).name}, line" if Path(file).exists() else "line"  # a cell has no file
    return f" in {where} {number}" + (f", `{line}`" if line else "")
