"""What the playground shows: a circuit that a text says, with numbers at its leaves."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from microgrid.engine.labels import scoped
from microgrid.engine.value import Value, topological
from microgrid.views.expression import Circuit, Text

RESULTS = ("f", "y", "L", "result")
LONGEST, MOST_LINES, MOST_GATES = 4000, 60, 200


class Refused(ValueError):
    """A question that gets no answer; the message says why."""


@lru_cache(4)
def read(text: str) -> Text:
    """The text, read; while numbers alone change, it is not read again."""
    if len(text) > LONGEST:
        raise Refused(f"{len(text)} characters: there may be {LONGEST}")
    if (lines := text.count("\n") + 1) > MOST_LINES:
        raise Refused(f"{lines} lines: there may be {MOST_LINES}")
    return Text(text)


def circuit(text: str, numbers: Mapping[str, float]) -> Circuit:
    """The circuit of a text; its result has a name, and its lines are blocks."""
    found = read(text).circuit(numbers, lenient=True)
    gates = sum(v.op is not None for v in topological(found.root))
    if gates > MOST_GATES:
        raise Refused(f"{gates} gates: there may be {MOST_GATES}")
    taken = {*found.leaves, *found.lines}
    found.root.label = found.root.label or next((x for x in RESULTS if x not in taken), "")
    put_in_blocks([*found.lines.values(), found.root])
    return found


def put_in_blocks(lines: list[Value]) -> None:
    """Make a block of each line of several gates, if there are several such lines."""
    met, parts = set[Value](), list[list[Value]]()
    for y in lines:
        parts.append([v for v in topological(y) if v.op and v not in met])
        met |= {*parts[-1]}
    blocks = [(y.label, part) for y, part in zip(lines, parts) if len(part) > 1]
    for name, part in blocks * (len(blocks) > 1):
        for v in part:
            v._label = scoped(v.label, (name,))
