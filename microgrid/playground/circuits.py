"""What the playground shows: the circuit of a text, or a graph, with numbers at its leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from itertools import count

from microgrid.engine.errors import MicrogridError
from microgrid.engine.labels import scoped
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.value import Constant, Value, apply, edges, topological
from microgrid.playground.questions import Refused
from microgrid.views.expression import Circuit, Text, with_a_name
from microgrid.views.wording import lowered, unique

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
    check_size(topological(found.root))
    return found


def check_size(order: Sequence[Value]) -> None:
    """Refused for a graph that is too large to look at."""
    if (gates := sum(v.op is not None for v in order)) > MOST_GATES:
        raise Refused(f"{gates} gates: there may be {MOST_GATES}")


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


CHOSEN = "What was chosen by a condition stays chosen: the graph does not know the condition."


class Graph:
    """A graph as it is now: called with numbers, it is computed again in nodes of its own.

    Leaves without a name get one; of several with one name each has a number behind it. Refused
    for a graph that is too large to look at, and where an operation of somebody's own fails.
    """

    def __init__(self, root: Value) -> None:
        check_size(topological(root))
        self.order = topological(deepcopy(root))
        leaves = [v for v in self.order if v.op is None and not isinstance(v, Constant)]
        taken = {v.label for v in self.order}
        free = (name for i in count(1) if (name := f"x_{i}") not in taken)
        for v in leaves:
            v.label = v.label or next(free)
        self.leaves = dict(zip(unique([v.label for v in leaves]), leaves))
        fixed = [p for v in self.order if v.op for p, x in edges(v, v.op) if x is NO_PATH]
        self.notes = [CHOSEN] * any(isinstance(p, Constant) for p in fixed)

    def __call__(self, numbers: Mapping[str, float]) -> Circuit:
        made: dict[Value, Value] = {
            v: Value(numbers.get(name, v.data), v.label) for name, v in self.leaves.items()
        }
        for v in self.order:
            if v.op is None:
                made.setdefault(v, v)  # a plain number
                continue
            try:
                made[v] = apply(v.op, *[made[p] for p in v.parents])
            except MicrogridError:
                raise
            except Exception as error:  # of somebody's own operation
                raise Refused(f"{v.op.name}: {error}") from error
            made[v]._label = v._label
        leaves = {name: made[v] for name, v in self.leaves.items()}
        lines = {v.label: made[v] for v in self.order if v.op and v.label}
        return with_a_name(Circuit(made[self.order[-1]], leaves, lines, self.notes))
