"""What adds up at each wire of a picture, and the paths from it to the result: shown on a click."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microgrid.engine.value import Value
from microgrid.views.explanation import Path, Ways, first_paths, ways_of
from microgrid.views.notation import called, caption
from microgrid.views.rows import Row
from microgrid.views.storyboard import Storyboard
from microgrid.views.tables import shortened
from microgrid.views.wording import lowered, plural, printable

PATHS_UP_TO = 100  # gates; beyond these a list of paths is no help, and takes long to make
MOST_PATHS = 6


def sums(board: Storyboard, prefix: str) -> list[dict[str, Any]]:
    """Of each wire its id and name, the shares that it receives in words, and its paths."""
    received: dict[Value, list[Any]] = {}
    for row, rule in board.ruled:
        receiver = row.parent_node if isinstance(row, Row) else row.child_node
        received.setdefault(receiver, []).append((row, rule))
    few = sum(v.op is not None for v in board.index) <= PATHS_UP_TO
    ways = ways_of(board.order) if few and board.mode == "backward" else {}
    steps = {v: caption(v) for v in board.order if v.op}
    found = list[dict[str, Any]]()
    for v, i in board.index.items():
        count, found_paths = paths(v, board, ways, steps) if ways else ("", [])
        found.append({
            "id": f"{prefix}n{i}", "name": printable(name(v, board)),
            "lines": [printable(line) for line in shares(v, received.get(v, []), board)],
            "paths": printable(count), "ways": found_paths,
        })  # fmt: skip
    return found


def name(v: Value, board: Storyboard) -> str:
    """The name and the value of a wire."""
    return f"{called(v).removeprefix('the ')} = {board.spoken(v.data)}"


def shares(v: Value, ruled: list[Any], board: Storyboard) -> list[str]:
    """Each share that v receives, then their sum; `ruled` are the rows with their rules."""
    total = board.totals.get(v, 0)
    if not ruled:
        return [f"Its {board.word} is {board.spoken(total)}: nothing is added to it"]
    shown = board.balanced(lambda *xs: sum(xs), [row.share for row, _ in ruled], total)
    terms = " + ".join(shown.numbers).replace("+ −", "− ")
    sum_ = f"{terms} {shown.sign} {shown.result}" if len(ruled) > 1 else shown.result
    return [*[board.said(row, rule) for row, rule in ruled], f"Its {board.word}: {sum_}"]


def paths(
    v: Value, board: Storyboard, ways: Ways, steps: Mapping[Value, str]
) -> tuple[str, list[dict[str, Any]]]:
    """How many paths lead from v to the result, and the first of them; `steps` name the gates."""
    count, found = first_paths(v, board.order, ways, MOST_PATHS)
    if v is board.root or not count:
        return "", []
    more = f", the first {MOST_PATHS} of them" * (count > MOST_PATHS)
    told = f"{plural(count, 'path')} to {board.name or 'the result'}{more}:"
    return told, [way(path, board, steps) for path in found]


def way(path: Path, board: Storyboard, steps: Mapping[Value, str]) -> dict[str, Any]:
    """A path in words, and its gates and wires: their ids without the prefix."""
    v, *gates = path.nodes
    product = board.spoken(path.product)
    begin = lowered(v.label) or steps.get(v, "")
    words = " → ".join(shortened([begin, *[steps[gate] for gate in gates]]))
    locals_ = " · ".join(shortened(list(map(board.spoken, path.locals))))
    marks = [f"g{board.index[u]}" for u in gates]
    for a, b in zip(path.nodes, gates):
        marks += [board.wire(b, k) for k, p in enumerate(b.parents) if p is a]
    return {
        "text": printable(f"{words}: {locals_}{f' = {product}' * (len(gates) > 1)}"),
        "marks": marks,
    }
