"""What the playground shows: a circuit that a text says, with numbers at its leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from microgrid.engine.labels import scoped
from microgrid.engine.value import Value, topological
from microgrid.playground.questions import Refused
from microgrid.views.expression import Circuit, Text, with_a_name
from microgrid.views.wording import lowered

LONGEST, MOST_LINES, MOST_GATES = 4000, 60, 200
Source = Callable[[Mapping[str, float]], Circuit]  # the circuit with these numbers at its leaves


@lru_cache(8)
def read(text: str) -> Text:
    """The text, read: while numbers alone change, it is not read again."""
    if len(text) > LONGEST:
        raise Refused(f"{len(text)} characters: there may be {LONGEST}")
    if (lines := text.count("\n") + 1) > MOST_LINES:
        raise Refused(f"{lines} lines: there may be {MOST_LINES}")
    return Text(text)


def circuit(text: str, numbers: Mapping[str, float]) -> Circuit:
    """The circuit of a text, whose result has a name; numbers without a use are left aside."""
    found = with_a_name(read(text).circuit(numbers, lenient=True))
    if (gates := count_gates(found.root)) > MOST_GATES:
        raise Refused(f"{gates} gates: there may be {MOST_GATES}")
    return found


def count_gates(root: Value) -> int:
    return sum(v.op is not None for v in topological(root))


def put_in_blocks(lines: Sequence[Value]) -> None:
    """Make a block of each line of several gates, if there are several such lines."""
    met, parts = set[Value](), dict[Value, list[Value]]()
    for y in dict.fromkeys(lines):
        parts[y] = [v for v in topological(y) if v.op and v not in met]
        met |= {*parts[y]}
    blocks = {lowered(y.label): part for y, part in parts.items() if len(part) > 1}
    for name, part in blocks.items() if len(blocks) > 1 else ():
        for v in part:
            v._label = scoped(v.label, (name,))
