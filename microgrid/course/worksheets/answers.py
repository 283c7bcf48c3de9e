"""The answers of a class from a file: a table with a row for each student, or JSON."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from microgrid.course.question import ExerciseError

SEPARATORS = ";\t,"  # where commas are decimal, spreadsheets write semicolons between cells
OF_A_CLASS = "the answers of a class are a dict of students like {'Ada': {'1.a': 5}}"
HEAD = "the first line names the columns: student;1.a;1.b;…"


def read_answers(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The answers of each student: {"Ada": {"1.a": "5"}}.

    A .csv has the students in its first column and a column for each blank, with commas, semicolons
    or tabs between them; a .json has the dict. ExerciseError for other files, and for a table that
    could be read in two ways.
    """
    path = Path(path)
    readers: dict[str, Callable[[str], Any]] = {".csv": students, ".json": json.loads}
    if path.suffix.lower() not in readers:
        raise ExerciseError(f"{path.name}: answers are read from .csv or .json")
    if not path.exists():
        raise ExerciseError(f"{OF_A_CLASS}, got {str(path)!r}, and there is no such file")
    try:
        found = readers[path.suffix.lower()](decoded(path.read_bytes()))
    except (ValueError, csv.Error, ExerciseError) as error:
        raise ExerciseError(f"{path.name}: {error}") from None
    if not isinstance(found, Mapping):
        raise ExerciseError(f'{path.name} holds no students like {{"Ada": {{"1.a": 5}}}}')
    return dict(found)


def decoded(data: bytes) -> str:
    """The text of a file as spreadsheets write it: UTF-8, UTF-16 with its mark, or Windows-1252."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def students(text: str) -> dict[str, dict[str, str]]:
    """The rows of a table by their first cell."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(SEPARATORS, key=first.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    full = [(lines.line_num, row) for row in lines if any(map(str.strip, row))]
    (_, head), *rows = full or [(0, [])]
    keys = [key.strip() for key in head[1:]]
    if not keys:
        raise ExerciseError(f"there are no columns of answers; {HEAD}")
    for key, times in Counter(filter(None, keys)).items():
        if times > 1:
            raise ExerciseError(f"there are {times} columns {key!r}")
    found: dict[str, dict[str, str]] = {}
    for number, (name, *cells) in rows:
        if any(map(str.strip, cells[len(keys) :])):
            hint = "a decimal comma stands in quotes, or between semicolons" * (separator == ",")
            count = f"line {number} has {len(cells) + 1} cells, the first line {len(head)}"
            raise ExerciseError(f"{count}: {hint or 'one is too many'}")
        if not name.strip():
            raise ExerciseError(f"line {number} names no student; {HEAD}")
        if name.strip() in found:
            raise ExerciseError(f"two students are called {name.strip()}: give one another name")
        found[name.strip()] = {k: x for k, x in zip(keys, cells) if k or x.strip()}
    return found
