"""Tables of text as aligned lines, as HTML and as LaTeX; numbers in short."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any


def shortened(items: list[str], most: int = 9) -> list[str]:
    """The beginning and the end of a long list."""
    return items if len(items) <= most else [*items[:4], "…", *items[-3:]]


def short(x: Any) -> str:
    """A number with four significant digits, for display only."""
    text = str(x) if not isinstance(x, float) else f"{x:.4g}"
    return "0" if text == "-0" else text


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Lines of aligned columns: the first `left` of them to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    line = "  ".join(f"{{:{'<' if i < left else '>'}{w}}}" for i, w in enumerate(widths)).format
    return [line(*row).rstrip() for row in (head, *rows)]


class Table:
    """Rows under a line and a head: prints as aligned text, and shows as HTML in a notebook."""

    start: str
    head: tuple[str, ...]
    left: int  # columns of words, before those of numbers
    foot: tuple[tuple[str, ...], ...] = ()

    def cells(self, latex: bool = False) -> list[tuple[str, ...]]:
        raise NotImplementedError

    def __str__(self) -> str:
        return "\n".join([self.start, *table(self.head, [*self.cells(), *self.foot], self.left)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(self.start, self.head, self.cells(), self.left)

    def latex(self) -> str:
        """The table as a LaTeX array: its cells in math mode, without the line above."""
        columns = "l" * self.left + "r" * (len(self.head) - self.left)
        top = " & ".join(rf"\text{{{name}}}" for name in self.head) + r" \\ \hline"
        rows = [" & ".join(row).replace("…", r"\dots") for row in self.cells(latex=True)]
        body = " \\\\\n".join(rows)
        return "\n".join([rf"\begin{{array}}{{{columns}}}", top, body, r"\end{array}"])


STYLE = {True: "text-align:left", False: "text-align:right;font-variant-numeric:tabular-nums"}


def html_table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """The table as HTML; the text of users is escaped."""

    def line(kind: str, cells: Sequence[str]) -> str:
        return "".join(
            f'<{kind} style="{STYLE[i < left]}">{escape(cell)}</{kind}>'
            for i, cell in enumerate(cells)
        )

    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    top = f"<caption>{escape(caption)}</caption><thead><tr>{line('th', head)}</tr></thead>"
    return f"<table>{top}<tbody>{body}</tbody></table>"
