"""The labels of a picture in the HTML of DOT: wires, gates, ends and tables of sums."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from microgrid.engine.guards import Number
from microgrid.views.labels import parts_of
from microgrid.views.theme import PALETTE
from microgrid.views.tints import PLAIN, Look
from microgrid.views.wording import ABOVE, NOTE, decimals, lowered, moved, printable, signed

BOX = 40  # points: room for a number written by hand
MOST_TERMS = 6  # of a sum of shares
PALE, EDGE, FRAME = [PALETTE[x][0] for x in ("gate", "edge", "line")]  # the last around boxes
Share = tuple[Number | None, Number]  # what came back, None before a pass, and what is expected


class Text(NamedTuple):
    """What stands at a place of a picture, and the words for which there is room.

    So nothing moves when a backward pass, or the next frame of a film, fills in a number.
    """

    html: str
    widest: str


def inked(color: str, numbers: str, *later: str) -> Text:
    """Numbers in their colour, with real minus signs."""
    return Text(colored(color, signed(numbers)), signed(max((numbers, *later), key=extent)))


def wire(
    name: str, value: Text | None, *below: Text | None, note: str = "", look: Look = PLAIN
) -> str:
    """Value over line over gradient; an inner wire that has a name shows it before the value.

    More than a gradient may stand below, and last a note. None is an empty box: its size tells
    nothing of a number.
    """
    before, prefix = (f"{lowered(name)} = ", f"{name_html(name, 12)} = ") if name else ("", "")
    room = extent(before) if name and value is None else 0
    above = room + BOX if value is None else extent(before + value.widest)
    widths = [room + BOX if x is None else extent(x.widest) for x in below]
    width = max(40, above, *widths, extent(note))
    cell = '<td colspan="3" height="{}">{}</td>'.format
    # Edges join the line, port `line`, 2 points from its ends: dot ends them 1 point short of it.
    style = f'bgcolor="{look.color}" cellpadding="0" height="{look.width}"'
    line = f'<td {style} width="{{}}"{{}}></td>'.format
    beside = 18 - look.width // 2  # a thick line takes its room from them: nothing moves
    return table(
        cell(beside, box(prefix, room) if value is None else prefix + value.html),
        line(2, "") + line(width - 4, ' port="line"') + line(2, ""),
        *[cell(18 if k else beside, box("", room) if x is None else x.html)
          for k, x in enumerate(below)],
        *[cell(18, colored(NOTE, text(note)))] * bool(note),
    )  # fmt: skip


def box(before: str = "", room: int = 0) -> str:
    """An empty box, behind a name that takes some room."""
    look = f'border="1" color="{FRAME}" width="{BOX}" height="{BOX // 2 + 2}" fixedsize="true"'
    name = f'<td width="{room}" align="right">{before}</td>' if room else ""
    return table(f"{name}<td {look}></td>")


def gate(words: str) -> dict[str, str]:
    """A circle where the caption fits, else a rounded box around it."""
    width = extent(words)
    look = {"label": text(words), "fillcolor": PALE, "color": EDGE, "fixedsize": "true"}
    if width <= 36:
        return {"shape": "circle", "style": "filled", "width": "0.5", **look}
    size = {"width": f"{(width + 12) / 72:.4f}", "height": "0.4444"}
    return {"shape": "box", "style": "rounded,filled", **size, **look}


def end(label: str, side: str, color: str = "") -> str:
    """A name where a wire begins or ends, aligned to the wire."""
    if not label:  # dot does not draw the arrow back to the number
        return table('<td width="2" height="2"></td>')
    look = f'width="{extent(lowered(label), 14)}" height="18" cellpadding="3" align="{side}"'
    look += f' bgcolor="{color}"' * bool(color)
    return table(f"<td {look}>{name_html(label)}</td>")


def small(share: Text) -> str:
    """The share of one branch, for its edge."""
    return table(f'<td width="{extent(share.widest, 10)}" height="14">{share.html}</td>')


def sum_table(rows: Iterable[tuple[str, Text | None, Text | None, Text]]) -> str:
    """Each repeated leaf with its value, its gradient, and the shares of its uses."""
    head = ["leaf", "value", "gradient", "= sum over its uses"]
    lines = [[Text(f"<b>{words}</b>", words) for words in head]]
    lines += [
        [Text(name_html(label), lowered(label)), *filter(None, cells)] for label, *cells in rows
    ]
    cell = '<td width="{}" height="19">{}</td>'.format
    rows_ = ["".join([cell(extent(x.widest) + 6, x.html) for x in line]) for line in lines]
    return table(*rows_, lines=1)


def terms(shares: Sequence[Number], earlier: Number, digits: int) -> str:
    """+ 0.15 − 1.21, cut short, and what earlier passes left."""
    found = [f"{'−' if x < 0 else '+'} {decimals(abs(x), digits)}" for x in shares[:MOST_TERMS]]
    if len(shares) > MOST_TERMS:
        found.append(f"+ … ({len(shares)} uses)")
    if abs(earlier) > 1e-9 * sum(map(abs, shares)):
        found.append(f"and {decimals(earlier, digits)} from earlier passes")
    return " ".join(found)


def table(*rows: str, lines: int = 0) -> str:
    look = f'cellborder="{lines}" cellspacing="0" cellpadding="1"' + f' color="{FRAME}"' * lines
    return f'<table border="0" {look}>{"".join([f"<tr>{row}</tr>" for row in rows])}</table>'


def extent(words: str, size: int = 12) -> int:
    """Points that the words take at most, roughly, and an even number of them: where the corners
    of boxes are whole points, wires stay unbroken and dot never fails to find its way."""
    narrow, broad = "ijl.,;:|!'()[]-/ ", "mwMW@%—"
    em = [0.34 if c in narrow else 0.9 if c in broad else 1.1 if c > "⺀" else 0.6 for c in words]
    return 2 * math.ceil(size * sum(em) / 2) + 2


def name_html(label: str, size: int = 14) -> str:
    """A name in italics, with its subscripts and superscripts."""
    words = ""
    for part in parts_of(label) if label else ():
        words += f"<b>{text(part.text)}</b>" if part.bold else text(part.text)
        if part.below:
            words += f'<sub><font point-size="9">{text(part.below)}</font></sub>'
        if {*part.above} <= {*ABOVE}:  # small letters: PNG and Firefox do not raise <sup>
            words += text(moved(part.above, ABOVE, ""))
        else:
            words += f'<sup><font point-size="9">{text(part.above)}</font></sup>'
    return f'<font point-size="{size}"><i>{words}</i></font>' if label else ""


def colored(color: str, words: str) -> str:
    return f'<font color="{color}">{words}</font>' if words else ""  # DOT has no empty font


def text(words: str) -> str:
    """The user's words as text of an HTML-like label: no tag, no entity, no backslash escape."""
    return html.escape(printable(words)).replace("\\", "\\\\")
