"""How names, numbers and gates are written in pictures and tables, as text and as HTML of DOT."""

from __future__ import annotations

import html
import math
import re
from collections import Counter
from collections.abc import Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction

from microgrid.guards import Number
from microgrid.value import Constant, Value

GREEN, RED, INK, NOTE = "#0a7d20", "#c62828", "#333333", "#6a3fa0"
SUBSCRIPT = re.compile(r"(.+)_(?:\{([^{}]+)\}|([0-9]+|[^\W_]))", re.DOTALL)
SIGNS = str.maketrans("*-", "×−", " ")
RAISED = str.maketrans("0123456789−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
BOX = 40  # points: room for a number written by hand
MOST_TERMS = 6  # of a sum of shares
Share = tuple[Number | None, Number]  # what came back, None before a pass, and what is expected
WIDE = Context(prec=17, Emax=MAX_EMAX, Emin=MIN_EMIN)


def split(label: str) -> tuple[str, str]:
    """The name and its subscript: w_0, w_i, x_12 and x_{12} have one, all other text stays whole.

    >>> split("x_{12}"), split("learning_rate")
    (('x', '12'), ('learning_rate', ''))
    """
    match = SUBSCRIPT.fullmatch(label)
    return (match[1], match[2] or match[3]) if match else (label, "")


def subscripted(name: str, index: Sequence[int], comma: str = "") -> str:
    """The name of an entry, counted from 1.

    >>> subscripted("x", (0, 1)), subscripted("b", (2,)), subscripted("x", ())
    ('x_{12}', 'b_3', 'x')
    """
    subscript = comma.join([str(i + 1) for i in index])
    braced = f"{{{subscript}}}" if len(subscript) > 1 else subscript
    return f"{name}_{braced}" if name and subscript else name


def number(x: Number, digits: int = 2) -> str:
    """x with so many decimals; what would be too long or look like zero gets an exponent.

    >>> [number(x) for x in (0.731, -0.0, 1.2e-5, 123456789, Fraction(-2, 3))]
    ['0.73', '0.00', '1.2e-05', '1.2e+08', '-2/3']
    """
    scientific = f".{max(digits - 1, 0)}e"
    if isinstance(x, Fraction) and len(bin(x.numerator)) + len(bin(x.denominator)) < 30:
        return str(x)  # at most 9 characters, and exact
    try:
        near = float(x)
    except OverflowError:
        near = 0.0
    if not near and x:  # an int or a Fraction beyond the floats
        return format(WIDE.divide(*map(Decimal, x.as_integer_ratio())), scientific)
    plain = f"{near or 0.0:.{digits}f}"  # -0.0 or 0.0 is 0.0
    return f"{near:{scientific}}" if near and (abs(near) >= 1e5 or not float(plain)) else plain


def constant(x: Number) -> str:
    """A number inside an expression, without the zeros at its end: 1, −0.5, 1e-06."""
    try:
        return (str(x) if isinstance(x, Fraction) else f"{x:.6g}").replace("-", "−")
    except (OverflowError, ValueError):  # an int of hundreds of digits
        return number(x).replace("-", "−")


def caption(v: Value) -> str:
    """What the gate that made v does to its wires: ×, +1, x², exp; plain numbers are written out.

    >>> x = Value(2.0)
    >>> [caption(y) for y in (x * x, x + 1, 2 * x, 1 / x, x**2, 1 - x, abs(x))]
    ['×', '+1', '2×', '1/x', 'x²', '1−x', '|x|']
    """
    if v.op is None:
        return ""
    template, parents = v.op.text, v.parents
    wires = sum(not isinstance(p, Constant) for p in parents)
    if template.count("{}") != len(parents):
        return template if wires == len(parents) else f"{template}({operands(parents, wires)})"
    if wires > 1:
        return template.replace("{}", "").translate(SIGNS)
    written = ["x" if not isinstance(p, Constant) else constant(p.data) for p in parents]
    return leave_out_x(template.translate(SIGNS).format(*written))


def operands(parents: tuple[Value, ...], wires: int) -> str:
    """The operands of a function: a single wire is x, of several each is a dot."""
    wire = "x" if wires == 1 else "·"
    written = [constant(p.data) if isinstance(p, Constant) else wire for p in parents]
    return ", ".join(written if len(parents) <= 4 else [*written[:3], "…"])


def leave_out_x(formula: str) -> str:
    """x+1 → +1 and 2×x → 2×, where the place of the wire is plain; x^2 → x²; x−−2 → −(−2)."""
    formula = re.sub(r"(?<=[+−])(−.+)$", r"(\1)", formula)
    formula = re.sub(r"(?<=x)\^(−?[0-9]+)$", lambda m: m[1].translate(RAISED), formula)
    return re.sub(r"^x(?=[+×−/])|(?<=[+×])x$", "", formula)


def unique(names: Sequence[str]) -> list[str]:
    """The names, with (1), (2), … where one comes several times."""
    times, seen, found = Counter(names), Counter[str](), []
    for name in names:
        seen[name] += 1
        found.append(f"{name} ({seen[name]})" if times[name] > 1 else name)
    return found


def plural(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


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
