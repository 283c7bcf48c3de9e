"""The blocks of a film: a frame around the gates of each, or a closed box in their place."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence

from microgrid.engine.labels import scope_of
from microgrid.engine.value import Value
from microgrid.views.blocks import MOST_BLOCKS, ids_of
from microgrid.views.dot_labels import EDGE, Text, extent, name_html, table, text
from microgrid.views.notation import NO_NAMES
from microgrid.views.picture import Picture
from microgrid.views.theme import PALETTE
from microgrid.views.wording import lowered, plural

MOST_ROWS = 6  # leaves in a closed box
WIDEST = 84  # points of a name in one line
Below = Callable[[Value], list[Text | None]]  # the numbers of a leaf, one below the other


def by_home(order: list[Value]) -> dict[Value, str]:
    """The home of each gate that was made in a scope, and of each leaf that one home alone uses.

    A home is a scope, or a part of it: gates that use `layer0.neuron2.w_1` in the scope `layer0`,
    and those to which such gates alone lead, are `layer0.neuron2`. None where there are fewer than
    two, or more than 40.
    """
    homes: dict[Value, str] = {}
    users: dict[Value, set[str]] = {}
    for v in order:
        if not v.op:
            continue
        scope = ".".join(scope_of(v))
        named = [p.label.rpartition(".")[0] for p in v.parents if not p.op]
        from_ = [homes.get(p, "") for p in v.parents if p.op]
        parts = {part for part in (*named, *from_) if part.startswith(f"{scope}.")}
        homes[v] = parts.pop() if scope and len(parts) == 1 else scope
        for p in v.parents:
            users.setdefault(p, set()).add(homes[v])
    for v, into in users.items():
        if not v.op and v.label and len(into) == 1:
            homes[v] = min(into)
    found = {v: home for v, home in homes.items() if home}
    return found if 2 <= len(set(found.values())) <= MOST_BLOCKS else {}


class Homes:
    """Where nodes are at home, and which homes are closed.

    A closed home is one box with its leaves in it. Of its gates those alone are seen that others
    use: as wires behind the box.
    """

    def __init__(
        self, order: Sequence[Value] = (), homes: Mapping[Value, str] = NO_NAMES,
        closed: Container[str] = (),
    ) -> None:  # fmt: skip
        self.homes = homes
        self.members: dict[str, list[Value]] = {}
        for v in order:
            if v in homes:
                self.members.setdefault(homes[v], []).append(v)
        self.ids = {home: f"home{i}" for i, home in enumerate(self.members)}
        self.boxes = {v: self.ids[home] for v, home in homes.items() if home in closed}
        self.small = len(self.boxes) < len(homes)  # beside an open home a box has its name alone
        self.exits = {*order[-1:]}
        self.entries: dict[tuple[Value, str], tuple[Value, int]] = {}
        for v in order:
            for k, p in enumerate(v.parents):
                if homes.get(p) != homes.get(v):
                    self.exits.add(p)
                    self.entries.setdefault((p, homes.get(v, "")), (v, k))

    def hides(self, v: Value) -> bool:
        """Whether nothing of v is seen but what its box says."""
        return v in self.boxes and not (v.op and v in self.exits)

    def enters(self, v: Value, k: int) -> bool:
        """Whether the wire from operand k to v leads to the box of v: one wire for each operand."""
        return self.entries.get((v.parents[k], self.homes[v])) == (v, k)

    def short(self, v: Value) -> str:
        """The name of a node, without that of its home."""
        return v.label.removeprefix(f"{self.homes[v]}.") if v in self.homes else v.label

    def rows(self, home: str) -> list[Value]:
        """The leaves that a closed box shows, by their names: w_2 comes before w_10."""
        leaves = [v for v in self.members[home] if not (v.op or self.small)]
        leaves.sort(key=lambda v: [x.zfill(9) for x in re.split(r"(\d+)", v.label)])
        return leaves if len(leaves) <= MOST_ROWS else leaves[: MOST_ROWS - 1]


NO_HOMES = Homes()


def put_homes(picture: Picture, homes: Homes, index: Mapping[Value, int], numbers: Below) -> None:
    """A frame around each open home, behind which stands what it computes for others; the closed
    ones as boxes, with the `numbers` of their leaves.
    """
    for home, members in homes.members.items():
        if members[0] in homes.boxes:
            look = {"shape": "box", "style": "rounded,filled", "margin": "0.06,0.03"}
            look |= {"fillcolor": PALETTE["folded"][0], "color": EDGE}
            picture._put(homes.ids[home], "block", closed(homes, home, numbers), **look)
        else:
            inside = list[str]()
            for v in members:
                ids = ids_of(v, str(index[v]))
                inside += ids[1:] if v.op and v in homes.exits else ids
            # Wires come from the left, over a name that stands there.
            picture._frame(homes.ids[home], f"<b>{text(home)}</b>", inside, "r")


def closed(homes: Homes, home: str, numbers: Below) -> str:
    """The label of a closed box: its name, how many gates it has, some of its leaves in rows; the
    name alone where another is open.
    """
    gates = sum(v.op is not None for v in homes.members[home])
    leaves, shown = len(homes.members[home]) - gates, homes.rows(home)
    rows = [(homes.short(v), [x for x in numbers(v) if x]) for v in shown]
    columns = 1 + max([len(texts) for _, texts in rows], default=0)
    line = f'<td colspan="{columns}" height="{{}}">', '<font point-size="{}">{}</font></td>'
    across = "".join(line).format
    lines = [across(17, 13, f"<b>{text(part)}</b>") for part in broken(home)]
    if homes.small:
        return table(*lines)
    lines.append(across(15, 11, text(plural(gates, "gate"))))
    cell = '<td width="{}" height="16" align="{}">{}</td>'.format
    for name, texts in rows:
        first = cell(extent(lowered(name)), "right", name_html(name, 12))
        lines.append(first + "".join([cell(extent(x.widest) + 4, "right", x.html) for x in texts]))
    if len(shown) < leaves:
        more = plural(leaves - len(shown), "more leaf", "more leaves")
        lines.append(across(15, 11, text(f"… {more}")))
    return table(*lines)


def broken(home: str) -> list[str]:
    """The name of a home in lines, broken behind its points where it is long."""
    if extent(home, 13) <= WIDEST:
        return [home]
    return [part for part in re.split(r"(?<=\.)", home) if part]
