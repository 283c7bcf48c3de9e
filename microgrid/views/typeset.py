r"""The LaTeX that this package writes, set without LaTeX: as MathML, and as lines of text.

A formula is read into boxes: letters, fractions, scripts, and tables, which are matrices, cases and
aligned equations. What is not known is shown as it stands.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from microgrid.views.formula import STANDARD
from microgrid.views.labels import ACCENTS, ALPHABETS, BOLD, CAPITALS, PLAIN, SYMBOLS
from microgrid.views.wording import ABOVE, LOWERED, moved

TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\s+|.", re.DOTALL)
OPENING, ONE_SIDED = ("(", "[", "∂"), (")", "]", ",", ":")
BRACKETS = {  # of MathML: as high as a letter, with no space around them
    sign: f' form="{form}" stretchy="false"'
    for signs, form in (("([", "prefix"), (")]", "postfix")) for sign in signs
}  # fmt: skip
SPACE = '<mspace width="0.2em"></mspace>'
SIDES = {"aligned": ("right", "left"), "cases": ("left", "left")}
FENCES = {"bmatrix": ("[", "]"), "pmatrix": ("(", ")"), "cases": ("{", "")}
MORE = {"colon": ":", "mapsto": "↦", "quad": "  "}
CAPITAL = {written: letter for letter, written in CAPITALS.items()}


class Box(NamedTuple):
    """A piece of a formula; its parts are boxes, those of a table row by row.

    The kinds are row, letters, words, fraction, scripts (base, below, above), over (base, above),
    fence (opened and closed by `text`, a character each or a space), and table, whose text is the
    environment.
    """

    kind: str
    text: str = ""
    parts: tuple[Box, ...] = ()
    rows: tuple[tuple[Box, ...], ...] = ()
    bold: bool = False


def box_of(latex: str) -> Box:
    """The formula as a box."""
    return Reader(latex).row()


class Reader:
    """Reads LaTeX of math mode, one token after the other."""

    def __init__(self, latex: str) -> None:
        self.tokens, self.at = TOKEN.findall(latex), 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1] if self.at <= len(self.tokens) else ""

    def row(self, *ends: str) -> Box:
        """Boxes side by side up to one of these tokens, which is left."""
        found = list[Box]()
        while (token := self.peek()) and token not in ends:
            if token in ("_", "^"):
                found[-1:] = [self.scripts(found[-1] if found else Box("row"))]
            elif (box := self.box()) is not None:
                found.append(box)
        return Box("row", parts=tuple(found)) if len(found) != 1 else found[0]

    def argument(self) -> Box:
        """A group, or one box."""
        while self.peek().isspace():
            self.next()
        if self.peek() != "{":
            return self.box() or Box("row")
        self.next()
        inner = self.row("}")
        self.next()
        return inner

    def raw(self) -> str:
        """The text of a group."""
        depth, text = 0, ""
        while token := self.next():
            depth += (token == "{") - (token == "}")
            text += token
            if not depth:
                break
        return text[1:-1] if text[:1] == "{" else text

    def scripts(self, base: Box) -> Box:
        if base.kind != "scripts":
            base = Box("scripts", parts=(base, Box("row"), Box("row")))
        inner, below, above = base.parts
        sign, script = self.next(), self.argument()
        return base._replace(
            parts=(inner, script, above) if sign == "_" else (inner, below, script)
        )

    def box(self) -> Box | None:
        """The box that begins here; None for a space."""
        token = self.next()
        command = token[1:] if token[:1] == "\\" else ""
        if not token:
            return Box("row")
        if token == "{":
            self.at -= 1
            return self.argument()
        if not command:
            return None if token.isspace() else Box("letters", token)
        if command == "frac":
            return Box("fraction", parts=(self.argument(), self.argument()))
        if command == "overset":
            above, base = self.argument(), self.argument()
            return Box("over", parts=(base, above))
        if command in ACCENTS:
            mark = ACCENTS[command]
            inner = self.argument()
            return inner._replace(text=unicodedata.normalize("NFC", inner.text + mark))
        if command in BOLD:
            return self.argument()._replace(bold=True)
        if command == "left":
            return self.fence()
        if command == "begin":
            return self.table(self.raw())
        if command in ("text", "operatorname") or command in PLAIN:
            return Box("words", re.sub(r"\\([_{}#$%& ])", r"\1", self.raw()))
        if command in ALPHABETS:
            words = self.raw()
            return Box("letters", CAPITAL.get(f"{token}{{{words}}}", words or token))
        if f"\\{command}" in STANDARD.values():
            return Box("words", command)
        text = MORE.get(command, SYMBOLS.get(command, token))
        return Box("letters", text) if text.strip() else Box("words", text) if text else None

    def fence(self) -> Box:
        opens = self.next()
        inner = self.row("\\right")
        self.next()
        return Box("fence", f"{opens[-1:]:1}{self.next()[-1:]:1}".replace(".", " "), (inner,))

    def table(self, name: str) -> Box:
        """The rows of an environment."""
        if name == "array":
            self.raw()
        rows, row = list[tuple[Box, ...]](), list[Box]()
        while self.peek():
            row.append(self.row("&", "\\\\", "\\end"))
            token = self.next()
            if token != "&":
                rows.append(tuple(row))
                row = []
            if token == "\\\\" and self.peek() == "[":  # the distance to the next row
                while self.next() != "]":
                    pass
            if token == "\\end":
                self.raw()
                break
        return Box("table", name, rows=tuple(rows))


# MathML, which every browser of today shows without a script


def mathml(latex: str, display: bool = False) -> str:
    """A formula as an element of a page.

    >>> mathml("x_1")
    '<math><mrow><msub><mi>x</mi><mn>1</mn></msub></mrow></math>'
    """
    style = ' display="block"' if display else ""
    return f"<math{style}><mrow>{element(box_of(latex))}</mrow></math>"


def element(box: Box) -> str:
    inner = [element(part) for part in box.parts]
    if box.kind == "words":
        return f"<mtext>{escape(box.text)}</mtext>" if box.text.strip() else SPACE
    if box.kind == "letters":
        tag = "mn" if box.text[0].isdigit() else "mi" if box.text[0].isalpha() else "mo"
        tag = "mi" if box.text in ("∂", "∇", "∞") else tag
        look = ' mathvariant="normal" style="font-weight:bold"' if box.bold else ""
        look += BRACKETS.get(box.text, "")
        return f"<{tag}{look}>{escape(box.text)}</{tag}>"
    if box.kind == "fraction":
        return f"<mfrac><mrow>{inner[0]}</mrow><mrow>{inner[1]}</mrow></mfrac>"
    if box.kind == "over":
        return f"<mover><mrow>{inner[0]}</mrow><mrow>{inner[1]}</mrow></mover>"
    if box.kind == "fence":
        opens, closes = (f"<mo>{escape(c)}</mo>" * (c != " ") for c in box.text)
        return f"<mrow>{opens}{inner[0]}{closes}</mrow>"
    if box.kind == "scripts":
        return scripted(box, inner)
    if box.kind == "table":
        return table(box)
    return f"<mrow>{''.join(inner)}</mrow>"


def scripted(box: Box, inner: Sequence[str]) -> str:
    _, below, above = box.parts
    large = box.parts[0].text in ("∑", "∏")
    kinds = ("munder", "mover", "munderover") if large else ("msub", "msup", "msubsup")
    if empty(above):
        return f"<{kinds[0]}>{inner[0]}{inner[1]}</{kinds[0]}>"
    if empty(below):
        return f"<{kinds[1]}>{inner[0]}{inner[2]}</{kinds[1]}>"
    return f"<{kinds[2]}>{''.join(inner)}</{kinds[2]}>"


def empty(box: Box) -> bool:
    return box.kind == "row" and not box.parts


def table(box: Box) -> str:
    """A matrix, cases, or equations aligned where their second column begins."""
    aligned = box.text == "aligned"
    rows, space = "", ";padding:.3em .1em" * aligned
    for row in box.rows:
        cells = ""
        for i, cell in enumerate(row):
            side = SIDES.get(box.text, ("", ""))[i % 2]
            style = f' style="text-align:{side}{space}"' if side else ""
            cells += f"<mtd{style}>{element(cell)}</mtd>"
        rows += f"<mtr>{cells}</mtr>"
    opens, closes = (f"<mo>{c}</mo>" * bool(c) for c in FENCES.get(box.text, ("", "")))
    style = ' displaystyle="true"' * aligned
    grid = f"<mtable{style}>{rows}</mtable>"
    return f"<mrow>{opens}{grid}{closes}</mrow>"


# Text: lines of one width, and which of them is that of the letters


class Lines(NamedTuple):
    """A formula in lines, and the number of the line on which its letters stand."""

    lines: tuple[str, ...]
    base: int = 0

    @property
    def width(self) -> int:
        return len(self.lines[0])


def plain(latex: str) -> str:
    r"""A formula as lines of text.

    >>> print(plain(r"\begin{bmatrix} w_{11} & 0 \\ 0 & 1 \end{bmatrix} \cdot \mathbf{X}^T"))
    ⎡w₁₁  0⎤ · Xᵀ
    ⎣ 0   1⎦
    """
    return "\n".join([line.rstrip() for line in lines_of(box_of(latex)).lines])


def plain_words(words: str) -> str:
    """A sentence with formulas between dollar signs, in one line."""
    return re.sub(r"\$([^$]*)\$", lambda found: " ".join(plain(found[1]).split()), words)


def lines_of(box: Box, tight: bool = False) -> Lines:
    """A box in lines; `tight` without spaces, as in a subscript."""
    if box.kind in ("letters", "words"):
        return Lines((box.text.replace("-", "−") if box.kind == "letters" else box.text,))
    if box.kind == "row":
        return beside(box.parts, tight)
    if box.kind == "over":
        base, above = (lines_of(part, tight) for part in box.parts)
        return Lines(("≟",)) if (base.lines, above.lines) == (("=",), ("?",)) else base
    if box.kind == "fraction":
        above, below = (lines_of(part, True) for part in box.parts)
        return joined([above, Lines(("/",)), below])
    if box.kind == "scripts":
        return with_scripts(*box.parts)
    if box.kind == "fence":
        return fenced(lines_of(box.parts[0], tight), box.text[0], box.text[1])
    return rows_of(box)


def beside(boxes: Sequence[Box], tight: bool) -> Lines:
    """Boxes side by side, with spaces around signs and between factors."""
    found = list[Lines]()
    for before, box in zip([None, *boxes], boxes):
        if before is not None and not tight and apart(before, box, len(found) == 1):
            found.append(Lines((" ",)))
        found.append(lines_of(box, tight))
    return joined(found)


def apart(left: Box, right: Box, first: bool) -> bool:
    """Whether there is a space between two boxes; `first` if the left one is the first of all."""
    if left.text[-1:] == " " or right.text[:1] == " ":  # words
        return False
    one, other = (box.text if box.kind == "letters" else "" for box in (left, right))
    if other in ONE_SIDED or one in OPENING or (one in ("-", "+") and first):
        return False
    if other in OPENING:
        return not (one.isalpha() or left.kind == "scripts")
    return True


def joined(pieces: Sequence[Lines]) -> Lines:
    """Pieces side by side, their letters on one line."""
    if not pieces:
        return Lines(("",))
    base = max(piece.base for piece in pieces)
    height = base + max(len(piece.lines) - piece.base for piece in pieces)
    columns = []
    for piece in pieces:
        above = [" " * piece.width] * (base - piece.base)
        below = [" " * piece.width] * (height - len(above) - len(piece.lines))
        columns.append([*above, *piece.lines, *below])
    return Lines(tuple(map("".join, zip(*columns))), base)


def with_scripts(base: Box, below: Box, above: Box) -> Lines:
    """Small letters where Unicode has them; at a table they stand at its corners."""
    letters, low, high = (lines_of(box, True) for box in (base, below, above))
    if base.text in ("∑", "∏"):
        return Lines((f"{base.text}({low.lines[0]}…{high.lines[0]})",))
    under, over = (("", "") if empty(x) else None for x in (below, above))
    small_low = "" if under else moved(low.lines[0], LOWERED, "_", False)
    small_high = "" if over else moved(high.lines[0], ABOVE, "^", False)
    if len(letters.lines) == 1:
        return Lines((f"{letters.lines[0]}{small_low}{small_high}",))
    width = max(len(small_low), len(small_high))
    column = [" " * width] * len(letters.lines)
    column[0], column[-1] = small_high.ljust(width), small_low.ljust(width)
    return joined([letters, Lines(tuple(column), letters.base)])


def fenced(inner: Lines, opens: str, closes: str) -> Lines:
    """Lines between brackets as high as they are."""
    return joined([bracket(opens, inner), inner, bracket(closes, inner)])


def bracket(sign: str, inner: Lines) -> Lines:
    height = len(inner.lines)
    if sign == " " or not sign:
        return Lines(("",) * height, inner.base)
    if height == 1 or sign not in TALL:
        return Lines((sign,) * height, inner.base)
    top, middle, bottom = tuple(TALL[sign])
    return Lines((top, *[middle] * (height - 2), bottom), inner.base)


def rows_of(box: Box) -> Lines:
    """A table: its columns have one width each; aligned equations have space between them."""
    rows = [[lines_of(cell) for cell in row] for row in box.rows]
    columns = max(map(len, rows))
    widths = [max(row[i].width for row in rows if i < len(row)) for i in range(columns)]
    lines = list[str]()
    roomy = box.text == "aligned" and any(len(cell.lines) > 1 for row in rows for cell in row)
    for row in rows:
        cells = list[Lines]()
        for i, (cell, width) in enumerate(zip(row, widths)):
            side = SIDES.get(box.text, ("", ""))[i % 2]
            place = {"right": str.rjust, "left": str.ljust}.get(side, str.center)
            cells += [Lines(("  " if box.text != "aligned" else " ",))] * bool(i)
            cells.append(Lines(tuple(place(line, width) for line in cell.lines), cell.base))
        lines += [*[""] * (roomy and bool(lines)), *joined(cells).lines]
    width = max(map(len, lines))
    inner = Lines(tuple(line.ljust(width) for line in lines), (len(lines) - 1) // 2)
    return fenced(inner, *FENCES[box.text]) if box.text in FENCES else inner


TALL = {"[": "⎡⎢⎣", "]": "⎤⎥⎦", "(": "⎛⎜⎝", ")": "⎞⎟⎠", "{": "⎧⎨⎩", "|": "|||"}
