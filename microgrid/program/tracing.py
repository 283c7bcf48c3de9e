"""A function that is recorded must not read numbers: others might take another branch."""

from __future__ import annotations

import linecache
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from microgrid.engine.arguments import Variable
from microgrid.engine.conditions import Condition
from microgrid.engine.errors import MicrogridError
from microgrid.engine.functions import FUNCTIONS
from microgrid.engine.recorder import other_thread_recorders, recorder
from microgrid.engine.value import Constant, Value, topological
from microgrid.program.recorded_array import RecordedArray
from microgrid.views.notation import PYTHON, write

LIBRARIES = tuple(
    [str(path) + os.sep for path in (Path(__file__).parents[1], Path(np.__file__).parent)]
)


class BranchError(MicrogridError, RuntimeError):
    """A function that is recorded looks at a number: other numbers might take another way.

    A program is a flat list of operations. Where the function asks a number (`if x > 0`, `while`,
    `x.data`, `sorted`, `range(n)`), the answer would be recorded for ever, and the program would be
    silently wrong for other numbers. The message has the line that asks, and what records instead.

    - A comparison is a node, 1 or 0: `where(x > 0, a, b)`, `(x > 0) * x`. So are `maximum`,
      `minimum`, `relu`, `clip`.
    - What decides how often a loop runs is no input: `record(lambda x: power(x, 3), x)`.
    - `stop_gradient(x)` is what `x.detach()` is elsewhere, `mg.exp(x)` what `math.exp(x)` is.
    - A graph as it is, with the way that it took: `Program.of(root, inputs)`.

    >>> import microgrid as mg
    >>> mg.record(lambda x: x if x > 0 else -x, 1.0)
    Traceback (most recent call last):
        ...
    microgrid.program.tracing.BranchError: <lambda> looks at a number ...
    >>> mg.record(lambda x: mg.where(x > 0, x, -x), 1.0)(-3.0)
    3.0
    """

    explained = True


class Recording:
    """One function while it is recorded: what it is called, and where its arguments are."""

    def __init__(self, what: str, names: Sequence[str] = (), examples: Sequence[Any] = ()) -> None:
        self.what, self.names, self.examples = what, names, examples
        self.argument: dict[Value, int] = {}  # of each leaf, the place of its argument
        self.errors: list[BranchError] = []

    def read(self, v: Value, use: str) -> None:
        """BranchError, which names the line and what helps, unless v is made of plain numbers.

        What a Value refuses everywhere is told here where v follows from an argument.
        """
        if use in REFUSED and not self.depends(v):
            return
        if not all(map(is_plain, topological(v))):
            self.errors.append(BranchError(self.explained(v, use)))
            raise self.errors[0]

    def depends(self, v: Value) -> bool:
        return any(u in self.argument for u in topological(v))

    def array(self, nodes: Any) -> Any:
        return nodes.view(RecordedArray)

    def explained(self, v: Value, use: str) -> str:
        """What the function does with the number of v, where, and what to write instead."""
        frame = users_frame()
        line = line_of(frame) if frame is not None else ""
        loops = use == "truth" and line.startswith("while") and self.is_bindable(v)
        if frame is not None and (loops or (use in COUNTING and self.depends(v))):
            inside = f"{frame.f_code.co_name}, line {frame.f_lineno}"
            does = f"{COUNTING.get(use)} in {inside}" + f", `{line}`" * bool(line)
            if loops or re.search(r"\b(for|while|range)\b", line):
                does = f"decides how often the loop of {inside}, runs"
            return f"{self.deciding(v)} {does}: a program has one length; {self.bound(v)}"
        told = remedy(v, use, line)
        return f"{self.what} looks at a number{place(frame)}: {REASON}; {told}"

    def deciding(self, v: Value) -> str:
        """The arguments from which v follows."""
        return " and ".join([self.names[k] for k in self.arguments_of(v)])

    def is_bindable(self, v: Value) -> bool:
        """Whether v follows from some arguments, and others are left for the program."""
        return 0 < len(self.arguments_of(v)) < len(self.names)

    def arguments_of(self, v: Value) -> list[int]:
        return sorted({self.argument[u] for u in topological(v) if u in self.argument})

    def bound(self, v: Value) -> str:
        """How to record the function with the arguments fixed from which v follows."""
        fixed = self.arguments_of(v)
        free = ", ".join([name for k, name in enumerate(self.names) if k not in fixed])
        args = [
            (short(self.examples[k]) if k in fixed else "") or name
            for k, name in enumerate(self.names)
        ]
        f = self.what if self.what.isidentifier() else "f"
        if not free:
            return f"call {f} itself, without record"
        return f"bind it: record(lambda {free}: {f}({', '.join(args)}), {free})"


REASON = "the program would be right for numbers like it alone"
COUNTING = {"count": "counts or indexes", "int": "becomes an int", "list": "stands beside a list"}
JOINED = re.compile(r"\b(and|or|not)\b|<=?[^<>,()]+<|>=?[^<>,()]+>")  # also 0 < x < 1
REFUSED = {"float", "round", *COUNTING}
ROUNDING = "mg.custom_op('rounded', round, lambda y, x: 0)(x)"


def remedy(v: Value, use: str, line: str) -> str:
    """What records instead of this use of the number of v."""
    where = "where(x > 0, a, b)"
    if use == "truth" and line.startswith("while"):
        return f"a program has one length: loop a fixed number of times, with {choice(v)} inside"
    if use == "truth" and JOINED.search(line):
        return "write & for and, | for or, ~ for not, like where((x > 0) & (x < 1), a, b)"
    if use == "truth":
        return f"write {choice(v)}, or maximum, minimum, relu or clip"
    if use == "mask":
        return f"what a mask selects has no fixed length: write {choice(v)}"
    if use == "detach":
        return f"use mg.stop_gradient(x) for x.detach(), {where} for a branch"
    if use == "float":
        ours = [name for name in re.findall(r"\bmath\.(\w+)", line) if name in FUNCTIONS]
        told = ", ".join([f"mg.{name} for math.{name}" for name in dict.fromkeys(ours)])
        return f"use {told or 'x for float(x), mg.exp for math.exp'}, {where} for a branch"
    if use in ("round", *COUNTING):
        return f"a function with steps is an operation of its own, like {ROUNDING}, or {where}"
    return f"compute with x itself, not with x.data; write branches with {where}, maximum or clip"


def choice(v: Value) -> str:
    """The call of `where` that decides by v."""
    text = "condition"
    if isinstance(v, Condition) and v.op is not None and v.op.text in SWAPPED:
        (a, b), sign = v.parents, v.op.text
        if type(a) is Constant:
            a, b, sign = b, a, SWAPPED[sign]
        text = sign.format(write(a, PYTHON, most=8), write(b, PYTHON, most=8))
    return f"where({text if len(text) < 40 else 'condition'}, a, b)"


SWAPPED = {"{} > {}": "{} < {}", "{} >= {}": "{} <= {}", "{} == {}": "{} == {}"}


def short(x: Any) -> str:
    """A number or a list as it is written in Python; empty where it is long or something else."""
    x = x.item() if isinstance(x, np.generic) else x
    plain = isinstance(x, int | float | list | tuple)
    return repr(x) if plain and len(repr(x)) <= 40 else ""


@contextmanager
def no_concrete_reads(recording: Recording) -> Iterator[None]:
    """BranchError, which names the line, where code inside reads the number of a node.

    If user code or a library catches the error, it is raised again at the end. Other threads may
    read numbers that do not depend on the inputs.
    """
    token = recorder.set(recording)
    if recording.names:  # a rule has none: it runs in one thread
        other_thread_recorders.append(recording)
    try:
        yield
    except Exception as error:
        if recording.errors and not isinstance(error, BranchError):
            raise recording.errors[0] from None
        raise
    finally:
        recorder.reset(token)
        if recording.names:
            other_thread_recorders.remove(recording)
    if recording.errors:
        raise recording.errors[0]


def is_plain(v: Value) -> bool:
    """Whether a node is no leaf, or a leaf that stands for a plain number.

    The variable of a derivative that has been taken inside of the function is such a leaf.
    """
    return v.op is not None or type(v) is Constant or (type(v) is Variable and not v.active)


def users_frame() -> FrameType | None:
    """Where the caller's code runs now."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(LIBRARIES):
        frame = frame.f_back
    return frame


def line_of(frame: FrameType) -> str:
    return linecache.getline(frame.f_code.co_filename, frame.f_lineno, frame.f_globals).strip()


def place(frame: FrameType | None) -> str:
    """The line of the caller's code in words."""
    if frame is None:
        return ""
    file, line = frame.f_code.co_filename, line_of(frame)
    where = f"{Path(file).name}, line" if Path(file).exists() else "line"  # a cell has no file
    return f" in {where} {frame.f_lineno}" + (f", `{line}`" if line else "")
