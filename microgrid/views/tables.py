"""Tables of text as aligned lines, as HTML, LaTeX, Markdown and CSV; numbers in short."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from microgrid.views.wording import plural
from microgrid.views.written import Written, as_csv, as_html, as_latex, as_markdown

DIGITS = 4  # of a number in a table
MANY = 100  # lines that a prompt shows of a table


def shortened(items: list[str], most: int = 9) -> list[str]:
    """The beginning and the end of a long list."""
    return items if len(items) <= most else [*items[:4], "…", *items[-3:]]


def short(x: Any, digits: int = DIGITS) -> str:
    """A number with so many significant digits, for display only."""
    text = str(x) if not isinstance(x, float) else f"{x:.{digits}g}"
    return "0" if text == "-0" else text


def width(text: str) -> int:
    """How many columns of a terminal a text takes: x\u20d7 has one."""
    marks = 0 if text.isascii() else sum(map(bool, map(unicodedata.combining, text)))
    return len(text) - marks


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Lines of aligned columns: the first `left` of them to the left, numbers to the right."""
    widths = [max(map(width, column)) for column in zip(head, *rows, strict=True)]

    def cell(text: str, i: int) -> str:
        room = " " * (widths[i] - width(text))
        return text + room if i < left else room + text

    return ["  ".join(map(cell, row, range(len(row)))).rstrip() for row in (head, *rows)]


class Table(Written):
    """Rows under a line and a head: prints as aligned text, and shows as HTML in a notebook.

    `html()`, `latex()`, `markdown()` and `csv()` write it, and `save(path)` as the suffix says:
    .txt, .html, .tex, .md or .csv.
    """

    _start: str
    _head: tuple[str, ...]
    _left: int  # columns of words, before those of numbers
    _foot: tuple[tuple[str, ...], ...] = ()

    def _cells(self, latex: bool = False) -> list[tuple[str, ...]]:
        raise NotImplementedError

    def records(self) -> Sequence[Sequence[Any]]:
        """The rows with their numbers as they are, for `csv` or a DataFrame."""
        return self._cells()

    def __str__(self) -> str:
        return "\n".join(
            [self._start, *table(self._head, [*self._cells(), *self._foot], self._left)]
        )

    def __repr__(self) -> str:
        """The table as it prints, of a long one the beginning and the end."""
        lines = str(self).splitlines()
        between = len(lines) - MANY
        if between > 0:
            lines[MANY - 20 : -20] = [f"… {plural(between, 'more line')}: print(…) shows all"]
        return "\n".join(lines)

    def html(self) -> str:
        """The table as an HTML element; the text of users is escaped."""
        return as_html(self._start, self._head, self._cells(), self._left)

    def _repr_html_(self) -> str:
        shown = self.html()
        if shown.count("<tr>") < MANY:
            return shown
        return f'<div tabindex="0" style="max-height:36em;overflow:auto">{shown}</div>'

    def latex(self) -> str:
        """The table as a LaTeX array: its cells in math mode, without the line above."""
        return as_latex(self._head, self._cells(latex=True), self._left)

    def markdown(self) -> str:
        """The table in Markdown."""
        return as_markdown(self._start, self._head, self._cells(), self._left)

    def csv(self) -> str:
        """The table for other programs, its numbers as exact as they are."""
        return as_csv(self._head, self.records())
