"""A result written down: as text, HTML, LaTeX, Markdown or CSV, and in files of these kinds."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from microgrid.engine.errors import MicrogridError
from microgrid.engine.hints import Hinted
from microgrid.views.files import LayoutError, save_by_suffix
from microgrid.views.theme import GROUND, palette, theme, variable


class Written(Hinted):
    """A result that is saved as its file's suffix says, in each of these kinds that it can be.

    A class offers `html()`, `latex()`, `markdown()`, `csv()`, `json()`, `junit()`, or some of them.
    """

    __slots__ = ()
    _title: ClassVar[str] = ""  # of its page
    _refusal: ClassVar[type[MicrogridError]] = LayoutError  # of another suffix

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a file of the kind that the path's suffix names; the path.

        A MicrogridError for another suffix, which says which kinds there are.
        """
        offered = {suffix: f for suffix, (name, f) in KINDS.items() if hasattr(self, name)}
        makers = {suffix: partial(f, self) for suffix, f in offered.items()}
        return save_by_suffix(path, makers, error=self._refusal)


def page(result: Any) -> str:
    """The HTML of a result as a whole page."""
    text = str(result.html())
    if text[:9].lower() == "<!doctype":
        return text
    title = result._title or type(result).__name__
    wide = f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">{text}</div>'
    body = f'<main class="microgrid-page"><h1>{title}</h1>{wide}</main>'
    return whole_page(title, GROUND + theme("microgrid-page", with_pictures=False), body)


def whole_page(title: str, style: str, body: str, xml: bool = False) -> str:
    """A page that needs no network; with `xml` it is XML, too, if its body is."""
    end = "/>" if xml else ">"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"{end}'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"{end}'
        f"<title>{escape(title)}</title><style>{style}</style></head>"
        f"<body>\n{body}\n</body></html>\n"
    )


def colored(table: str) -> str:
    """A table with colours as a notebook shows it, in its own theme."""
    style = palette(".microgrid-colors")
    return f'<div class="microgrid-colors"><style>{style}</style>{table}</div>'


def inline(svg: str) -> str:
    """A picture for a page: where it does not fit it shrinks, to three quarters of its size."""
    svg = re.sub(r"^.*?(?=<svg)", "", svg, flags=re.DOTALL)
    return re.sub(r'<svg width="([\d.]+)pt"', r'<svg style="min-width:\1px" width="\1pt"', svg)


def document(result: Any) -> str:
    """The LaTeX of a result as a whole document, cut to its size where it is a formula."""
    text = str(result.latex())
    return text if r"\documentclass" in text else DOCUMENT.replace("FORMULA", text)


DOCUMENT = r"""\documentclass[border=4pt]{standalone}
\usepackage[T1]{fontenc}
\usepackage{amsmath,amssymb}
\begin{document}
$\displaystyle
FORMULA
$
\end{document}
"""


def spreadsheet(result: Any) -> str:
    """The CSV of a result; with a mark for Excel where there are letters that it would misread."""
    text = str(result.csv())
    return text if text.isascii() else f"\ufeff{text}"


def line_ended(name: str, result: Any) -> str:
    return str(getattr(result, name)()).rstrip("\n") + "\n"


KINDS: dict[str, tuple[str, Callable[[Any], str]]] = {  # suffix: who makes it, as a whole file
    ".txt": ("__str__", partial(line_ended, "__str__")),
    ".html": ("html", page),
    ".tex": ("latex", document),
    ".md": ("markdown", partial(line_ended, "markdown")),
    ".csv": ("csv", spreadsheet),
    ".json": ("json", partial(line_ended, "json")),
    ".xml": ("junit", partial(line_ended, "junit")),
}


NO_COLORS: Mapping[int, str] = MappingProxyType({})


def as_html(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], left: int,
    shown: Callable[[str], str] = escape, colors: Mapping[int, str] = NO_COLORS,
) -> str:  # fmt: skip
    """A table as HTML, its first `left` columns words; `shown` escapes the text of users.

    `colors` are those of some columns.
    """
    styles = [ALIGNED[i < left] for i in range(len(head))]
    for i, color in colors.items():
        styles[i] += f";color:{variable(color)}"

    def row(kind: str, cells: Sequence[str]) -> str:
        kinds = [kind if c else "td" for c in cells]  # a head without words is none
        each = [f'<{k} style="{s}">{shown(c)}</{k}>' for k, s, c in zip(kinds, styles, cells)]
        return f"<tr>{''.join(each)}</tr>"

    top = f'<caption style="text-align:left">{shown(caption)}</caption>' * bool(caption)
    body = "\n".join([row("td", cells) for cells in rows])
    return f"<table>{top}<thead>{row('th', head)}</thead>\n<tbody>\n{body}</tbody></table>"


ALIGNED = {True: "text-align:left", False: "text-align:right;font-variant-numeric:tabular-nums"}


def as_latex(head: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    r"""A table as a LaTeX array, whose cells are in math mode.

    >>> print(as_latex(("node", "value"), [("x_1", "3")], left=1))
    \begin{array}{lr}
    \text{node} & \text{value} \\ \hline
    x_1 & 3
    \end{array}
    """
    columns = "l" * left + "r" * (len(head) - left)
    top = " & ".join([rf"\text{{{name}}}" for name in head]) + r" \\ \hline"
    lines = [" & ".join(map(powers, row)).replace("…", r"\dots") for row in rows]
    body = " \\\\\n".join(lines)
    return "\n".join([rf"\begin{{array}}{{{columns}}}", top, body, r"\end{array}"])


NO_NUMBERS = {"inf": r"\infty", "-inf": r"-\infty", "nan": r"\text{nan}"}
EXPONENT = re.compile(r"(-?[\d.]+)e\+?(-?)0*(\d+)")


def powers(cell: str) -> str:
    """A number of a table as formulas write it: 3 · 10⁻¹⁴ for 3e-14; all other cells as they are.

    >>> print(powers("3e-14"), powers("≈ -2.5e+07"), powers("-inf"), powers("x_1"))
    3 \\cdot 10^{-14} \\approx -2.5 \\cdot 10^{7} -\\infty x_1
    """
    about, number = (r"\approx ", cell[2:]) if cell.startswith("≈ ") else ("", cell)
    match = EXPONENT.fullmatch(number)
    shown = match.expand(r"\1 \\cdot 10^{\2\3}") if match else NO_NUMBERS.get(number, number)
    return about + shown


def as_markdown(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    """A table as Markdown, under its caption.

    >>> print(as_markdown("", ("node", "value"), [("a|b", "3")], left=1))
    | node | value |
    | --- | ---: |
    | a\\|b | 3 |
    """
    rule = ["---" if i < left else "---:" for i in range(len(head))]
    lines = [f"| {' | '.join(map(marked, row))} |" for row in (head, *rows)]
    above = [marked(caption), ""] if caption else []
    return "\n".join([*above, lines[0], f"| {' | '.join(rule)} |", *lines[1:]])


def marked(text: str) -> str:
    """Plain text as Markdown shows it."""
    return re.sub(r"[\\`*_<>|\[\]$~#]", r"\\\g<0>", " ".join(text.split()))


def as_csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    r"""A table for other programs: numbers as exact as they are.

    >>> as_csv(("node", "value"), [("x, y", 1 / 3)])
    'node,value\n"x, y",0.3333333333333333\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    return text.getvalue()
