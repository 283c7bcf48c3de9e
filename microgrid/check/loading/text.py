"""The statements of a file: of its text, or of the cells of a notebook."""

from __future__ import annotations

import ast
import json
import linecache
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from microgrid.check.loading.errors import LoadError

OLD = re.compile(  # a line that only Python 2 reads
    r"(print|exec)\s+[^\s(=.]|raise\s+\w+\s*,|except\s+[\w.]+\s*,|.*(<>|`|\b0\d+\b|\d+L\b|\bur['\"])"
)
NEWER = re.compile(r"type\s+\w+(\[.*\])?\s*=|(class|(async\s+)?def)\s+\w+\[|except\s*\*|match\s")
MAGIC = re.compile(
    r"^([ \t]*)(?:(\w+[ \t]*=)[ \t]*)?(?:%(?!%)|!|\?).*$|^([ \t]*)[\w.]+\?{1,2}$", re.M
)
KEPT_CELL = re.compile(r"%%(time|timeit|capture|prun|(writefile|file)\b.*\.py)\b")
IS_OPEN = re.compile("was never closed|unexpected EOF|unterminated triple|expected an indented")

BROKEN = (SyntaxError, ValueError, RecursionError, MemoryError)  # ValueError: null bytes


class Cell(NamedTuple):
    """A piece of source, the line of the file at which it begins, and what it is called."""

    text: str
    first: int
    called: str


class Source(NamedTuple):
    """The statements of a file, the cells of a notebook, and what is told of those left out."""

    path: Path
    tree: ast.Module
    cells: list[Cell]
    remarks: list[str]

    def where(self, line: int) -> str:
        """A line by its number, in a notebook by that in its cell."""
        cell = next((c for c in self.cells[::-1] if c.first <= line), None)
        return f"line {line - cell.first + 1} of {cell.called}" if cell else f"line {line}"


def parsed(path: Path) -> Source:
    """The statements of a file; LoadError with the line that is none.

    A cell of a notebook that is no Python is left out, and told.
    """
    if path.suffix != ".ipynb":
        text = path.read_bytes()
        try:
            return Source(path, ast.Module(statements(text, str(path)), []), [], [])
        except BROKEN as error:
            lines = text.decode("utf-8", "replace").splitlines()
            raise LoadError(problem(error, lines, path.name)) from None
    cells, body, problems = cells_of(path), [], []
    for cell in cells:
        try:
            found = statements(cell.text, str(path))
        except BROKEN as error:
            problems.append(problem(error, cell.text.splitlines(), cell.called))
            continue
        body += [ast.increment_lineno(statement, cell.first - 1) for statement in found]
    if problems and not body:
        raise LoadError(problems[0])
    remember(path, cells)
    return Source(path, ast.Module(body, []), cells, problems)


def statements(source: str | bytes, name: str) -> list[ast.stmt]:
    """The statements of a piece of source; commands of IPython among them do nothing.

    >>> ast.unparse(ast.Module(statements("import re\\n%matplotlib inline\\nfiles = !ls", ""), []))
    'import re\\npass\\nfiles = None'
    """
    try:
        return ast.parse(source, name).body
    except SyntaxError:
        text = source if isinstance(source, str) else source.decode("utf-8", "replace")
        if (without := MAGIC.sub(silent, text)) == text:
            raise
        return ast.parse(without, name).body


def silent(command: re.Match[str]) -> str:
    """What stands for a command of IPython."""
    before, target, named = command.groups()
    return f"{before}{target} None" if target else f"{before or named or ''}pass"


def problem(error: Exception, lines: Sequence[str], called: str) -> str:
    """Why a piece of source is no Python, with the line that is none."""
    number, what = getattr(error, "lineno", None) or 1, str(getattr(error, "msg", error))
    line = lines[number - 1].strip() if number <= len(lines) else ""
    if OLD.match(line):
        return f"line {number} of {called} is Python 2: `{line:.60}`"
    if NEWER.match(line) or "f-string" in what:
        what += ", which a newer Python may read"
    elif IS_OPEN.search(what) and not "".join(lines[number:]).strip():
        what = f"it ends in the middle of a statement: {what}"
    return f"{type(error).__name__}: {what} (line {number} of {called})"


def cells_of(path: Path) -> list[Cell]:
    """The cells of code of a notebook; LoadError if it is none, or one of another language."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        told = notebook.get("metadata", {})
        language = told.get("language_info", {}).get("name", "python")
        found = [*written(notebook)]
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError) as error:
        raise LoadError(f"it is no notebook: {type(error).__name__}: {error}") from None
    if "python" not in str(language).lower():
        raise LoadError(f"it is a notebook of {language}, not of Python")
    cells, line = [], 1
    for number, text in enumerate(found, 1):
        if text.startswith("%%"):
            head, _, rest = text.partition("\n")
            text = "\n" + rest if KEPT_CELL.match(head) else ""
        cells.append(Cell(dedented(text), line, f"cell {number}"))
        line += len(text.splitlines()) + 1
    return cells


def dedented(text: str) -> str:
    """A cell whose first line is indented, as IPython reads it.

    >>> dedented("  x = 3\\n  y = 4\\n")
    'x = 3\\ny = 4\\n'
    """
    before = re.match(r"\n*([ \t]+)\S", text)
    return re.sub(f"^{before[1]}", "", text, flags=re.MULTILINE) if before else text


def written(notebook: Any) -> Iterator[str]:
    """What stands in the cells of code, also of notebooks of the third format."""
    sheets = notebook.get("worksheets", [notebook])
    for cell in (cell for sheet in sheets for cell in sheet["cells"]):
        if cell["cell_type"] == "code":
            text = cell.get("source", cell.get("input", ""))
            yield text if isinstance(text, str) else "".join(text)


def remember(path: Path, cells: Sequence[Cell]) -> None:
    """Let Python show the lines of a notebook in its errors, and find them for `inspect`."""
    lines = [f"{line}\n" for cell in cells for line in [*cell.text.splitlines(), ""]]
    linecache.cache[str(path)] = (sum(map(len, lines)), None, lines, str(path))
