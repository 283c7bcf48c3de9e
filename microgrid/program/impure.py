"""A function that is recorded runs twice: a number that has changed would be kept for ever."""

from __future__ import annotations

import numpy as np

from microgrid.engine.errors import MicrogridError
from microgrid.program.tape import Tape


class ImpureError(MicrogridError, RuntimeError):
    """A function that is recorded computes something else when it runs again.

    A program keeps the numbers that the function reads from elsewhere. So `record` runs it twice,
    and refuses what differs: a random number, the clock, a global or an iterator that moves.

    - What changes from call to call is an argument: the noise, the mask of a dropout.
    - What stays is drawn before the function is recorded.
    - `record(f, x, pure=True)` runs f once, and notices nothing.

    >>> import microgrid as mg
    >>> import random
    >>> mg.record(lambda x: x * random.random(), 1.0)
    Traceback (most recent call last):
        ...
    microgrid.program.impure.ImpureError: <lambda> uses the number ... when it runs again: ...
    >>> mg.record(lambda x, noise: x * noise, 1.0, 1.0)(2.0, random.Random(0).choice([3.0]))
    6.0
    """

    explained = True


def refuse_changes(what: str, first: Tape, second: Tape) -> None:
    """ImpureError unless both runs of a function made the same lines from the same constants."""
    for name in ("code", "args", "start", "outputs"):
        if not np.array_equal(getattr(first, name), getattr(second, name)):
            counts = f"{len(first)} lines, and {len(second)}"
            raise impure(what, f"has {counts if len(first) != len(second) else 'other lines'}")
    if [op.name for op in first.ops] != [op.name for op in second.ops]:
        raise impure(what, "has other operations")
    before, after = first.constants, second.constants
    changed = np.flatnonzero((before != after) & ((before == before) | (after == after)))
    if len(changed):
        k = changed[0]
        raise impure(what, f"uses the number {before[k].item()!r}, and {after[k].item()!r}")


def impure(what: str, changed: str) -> ImpureError:
    return ImpureError(
        f"{what} {changed} when it runs again: a random number, the clock or something else "
        "outside would stay in the program as it is now; draw it before: as an argument, like "
        "record(lambda x, noise: x * noise, 1.0, 0.5), or as a number that stays"
    )
