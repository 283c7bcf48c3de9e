"""The labels of a picture in the HTML of DOT: wires, gates, ends and tables of sums."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence

from microgrid.engine.guards import Number
from microgrid.engine.value import Value
from microgrid.views.wording import GREEN, INK, NOTE, RED, number, split

BOX = 40  # points: room for a number written by hand
MOST_TERMS = 6  # of a sum of shares
Share = tuple[Number | None, Number]  # what came back, None before a pass, and what is expected


# HTML-like labels of DOT: what a wire, a gate and a name look like. How wide a number is depends on
# what it is expected to be, not on whether it is there yet: so nothing moves when the backward pass
# fills it in.


def wire(
    name: str, value: Number, gradient: Number, expected: Number, digits: int, note: str = "",
    boxes: tuple[bool, bool] = (False, False),
) -> str:  # fmt: skip
    """Value over line over gradient; an inner wire that has a name shows it before the value.

    A note stands beneath the gradient; `boxes` stand in place of the value or the gradient.
    """
    if any(boxes):
        return boxed(name, value, gradient, digits, note, boxes)
    above, below, later = (number(x or 0, digits) for x in (value, gradient, expected))
    width = max(40, *map(extent, (f"{name} = {above}" if name else above, below, later, note)))
    prefix = f"{named(name, 12)} = " if name else ""
    passed = below if gradient is not None else ""
    remark = colored(NOTE, text(note))
    return over_line(prefix + colored(GREEN, above), colored(RED, passed), width, remark)


def boxed(
    name: str, value: Number, gradient: Number | None, digits: int, note: str,
    boxes: tuple[bool, bool],
) -> str:  # fmt: skip
    """A wire with a box to write into: its size tells nothing about the number."""
    prefix = f"{named(name, 12)} = " if name else ""
    above = number(value, digits)
    passed = "" if gradient is None else number(gradient, digits)
    room = extent(f"{name} = ") if name else 0
    shown = "" if boxes[0] else above, "" if boxes[1] else passed
    width = max(BOX + room, *(extent(words) + room for words in shown), extent(note))
    return over_line(
        box(prefix, room) if boxes[0] else prefix + colored(GREEN, above),
        box("", room if boxes[0] else 0) if boxes[1] else colored(RED, passed),
        width, colored(NOTE, text(note)),
    )  # fmt: skip


def box(before: str = "", room: int = 0) -> str:
    """An empty box, behind a name that takes some room."""
    look = f'border="1" color="#8093ab" width="{BOX}" height="{BOX // 2 + 2}" fixedsize="true"'
    name = f'<td width="{room}" align="right">{before}</td>' if room else ""
    return table(f"{name}<td {look}></td>")


def gate(words: str) -> dict[str, str]:
    """A circle where the caption fits, else a rounded box around it."""
    width = extent(words)
    look = {"label": text(words), "fillcolor": "#f4f7fb", "color": "#34495e", "fixedsize": "true"}
    if width <= 36:
        return {"shape": "circle", "style": "filled", "width": "0.5", **look}
    size = {"width": f"{(width + 12) / 72:.4f}", "height": "0.4444"}
    return {"shape": "box", "style": "rounded,filled", **size, **look}


def end(label: str, side: str) -> str:
    """A name where a wire begins or ends, aligned to the wire."""
    look = f'width="{extent(label, 14)}" height="18" cellpadding="3" align="{side}"'
    return table(f"<td {look}>{named(label)}</td>") if label else ""


def small(share: Number | None, expected: Number, digits: int) -> str:
    """The share of one branch, for its edge; as much empty room before there is one."""
    shown = number(expected if share is None else share, digits)
    look = f'width="{extent(shown, 9)}" height="14"'
    return table(f"<td {look}>{colored(RED, shown) if share is not None else ''}</td>")


def sum_table(sums: dict[Value, list[Share]], expected: dict[Value, Number], digits: int) -> str:
    """Each repeated leaf with its value, its gradient, and the shares of its uses."""
    head = ["leaf", "value", "gradient", "= sum over its uses"]
    rows = ["".join(cell(f"<b>{words}</b>", words) for words in head)]
    for v, shares in sums.items():
        sent = [share for share, _ in shares if share is not None]
        grad = "" if v._grad is None else number(v._grad, digits)
        later = written_sum([share for _, share in shares], 0, digits)
        earlier = v._grad - sum(sent) if v._grad is not None and sent else 0
        terms = written_sum(sent, earlier, digits)
        rows.append(
            cell(named(v.label), v.label)
            + cell(colored(GREEN, number(v.data, digits)), number(v.data, digits))
            + cell(colored(RED, grad), grad or number(expected.get(v, 0), digits))
            + cell(colored(RED, terms), terms or later)
        )
    return table(*rows, lines=1)


def written_sum(shares: Sequence[Number], earlier: Number, digits: int) -> str:
    """+ 0.15 − 1.21, cut short; and what passes before the last have left."""
    terms = [f"{'−' if x < 0 else '+'} {number(abs(x), digits)}" for x in shares[:MOST_TERMS]]
    if len(shares) > MOST_TERMS:
        terms.append(f"+ … ({len(shares)} uses)")
    if abs(earlier) > 1e-9 * sum(map(abs, shares)):
        terms.append(f"and {number(earlier, digits)} from earlier passes")
    return " ".join(terms)


def cell(html: str, words: str) -> str:
    return f'<td width="{extent(words) + 6}" height="19">{html}</td>'


def over_line(above: str, below: str, width: int, note: str = "") -> str:
    """A wire: what is written above and below its line, which edges join at port `line`."""
    # The edges join the line 2 points from its ends: dot ends them 1 point short of a port.
    line = f'<td bgcolor="{INK}" cellpadding="0" height="1" width="{{}}"{{}}></td>'.format
    return table(
        f'<td colspan="3" height="18">{above}</td>',
        line(2, "") + line(width - 4, ' port="line"') + line(2, ""),
        f'<td colspan="3" height="18">{below}</td>',
        *([f'<td colspan="3" height="18">{note}</td>'] if note else []),
    )


def table(*rows: str, lines: int = 0) -> str:
    look = f'border="0" cellborder="{lines}" cellspacing="0" cellpadding="1" color="#8093ab"'
    look = look if lines else look[: look.rindex(" ")]
    return f"<table {look}>{''.join([f'<tr>{row}</tr>' for row in rows])}</table>"


def extent(words: str, size: int = 12) -> int:
    """Points that the words take at most, roughly, and an even number of them: where the corners
    of boxes are whole points, wires stay unbroken and dot never fails to find its way."""
    narrow, broad = "ijl.,;:|!'()[]-/ ", "mwMW@%—"
    em = [0.34 if c in narrow else 0.9 if c in broad else 1.1 if c > "⺀" else 0.6 for c in words]
    return 2 * math.ceil(size * sum(em) / 2) + 2


def named(label: str, size: int = 14) -> str:
    """A name in italics, with its subscript."""
    base, below = split(label)
    sub = f'<sub><font point-size="9">{text(below)}</font></sub>' if below else ""
    return f'<font point-size="{size}"><i>{text(base)}{sub}</i></font>' if label else ""


def colored(color: str, words: str) -> str:
    return f'<font color="{color}">{words}</font>' if words else ""  # DOT has no empty font


def html_like(label: str) -> str:
    return f"<{label}>" if label else ""


def text(words: str) -> str:
    """The user's words as text of an HTML-like label: no tag, no entity, no backslash escape."""
    printable = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\ufffd", words)
    return html.escape(printable).replace("\\", "\\\\")


# An end without a name, from which dot does not draw the arrow back to the number.
NOWHERE = table('<td width="2" height="2"></td>')
