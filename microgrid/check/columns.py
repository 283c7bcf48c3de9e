"""Text of at most 80 columns: sentences are wrapped, programs are broken where Python allows it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from contextlib import suppress
from textwrap import wrap

WIDTH = 80


def wrapped(text: str, first: str = "", rest: str | None = None, width: int = WIDTH) -> list[str]:
    """The text in lines; `first` stands before the first one, `rest` before the others.

    A word that is longer than a line, such as a path, stays whole.
    """
    return wrap(
        text, width, initial_indent=first, subsequent_indent=first if rest is None else rest,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def folded(program: Iterable[str], width: int = WIDTH) -> list[str]:
    """The lines of a program, broken between statements, or within brackets, to fit.

    >>> folded(["for _ in range(3): f = f * x; g = g + f"], width=30)
    ['for _ in range(3):', '    f = f * x; g = g + f']
    """
    lines: list[str] = []
    for line in program:
        try:
            tree = ast.parse(line)
        except SyntaxError:  # a line of another language
            lines.append(line)
        else:
            lines += [line] if len(line) <= width else statements(line, tree.body, width)
    return lines


def statements(source: str, body: list[ast.stmt], width: int) -> Iterator[str]:
    """The statements of a line, as many as fit beside each other."""
    line = ""
    for statement in body:
        text = ast.get_source_segment(source, statement) or ""
        inner: list[ast.stmt] = getattr(statement, "body", [])
        joined = f"{line}; {text}" if line else text
        if not inner and len(joined) <= width:
            line = joined
            continue
        yield from [line] if line else []
        line = ""
        if not inner:
            *before, line = bracketed(text, width)
            yield from before
        elif len(text) <= width:
            yield text
        else:
            yield text.encode()[: inner[0].col_offset - statement.col_offset].decode().rstrip()
            yield from (f"    {part}" for part in statements(source, inner, width - 4))
    yield from [line] if line else []


def bracketed(statement: str, width: int) -> list[str]:
    """One statement in lines that end within its brackets; as it is if it has none."""
    lines, line, depth = list[str](), "", 0
    for word in statement.split(" "):
        if line.strip() and len(line) + len(word) + 1 > width and depth > 0:
            lines, line = [*lines, line], "   "
        line = f"{line} {word}" if line else word
        depth += sum(map(word.count, "([{")) - sum(map(word.count, ")]}"))
    lines.append(line)
    with suppress(SyntaxError):
        if ast.dump(ast.parse("\n".join(lines))) == ast.dump(ast.parse(statement)):
            return lines
    return [statement]
