"""The folders around a file of theirs: which are its packages, and where its imports are found."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

OURS = Path(__file__).parents[2]
ROOTS = (".git", "pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "README*")
DEEPEST = 6  # folders above a file
DOTS = re.compile(rb"^\s*from\s+(\.+)", re.MULTILINE)


def is_theirs(file: str) -> bool:
    """Whether a file is neither ours nor one of what is installed."""
    return not file.startswith((str(OURS), "<frozen", sys.prefix, sys.base_prefix))


def packages(path: Path) -> list[Path]:
    """The folders that are packages, for their __init__.py or for relative imports; inner last."""
    count = max(written(path), levels(path.parent))
    return [*path.parents][:count][::-1]


def written(path: Path) -> int:
    """How many of the folders above a file have an __init__.py, and a name to be imported by."""
    for count, folder in enumerate(path.parents):
        if not (folder.name.isidentifier() and (folder / "__init__.py").exists()):
            return count
    return 0


def levels(folder: Path) -> int:
    """How many folders up the files of a folder import from: 2 for `from ..utils import x`."""
    files = (f for f in folder.glob("*.py") if f.is_file() and os.access(f, os.R_OK))
    return max((len(dots) for file in files for dots in DOTS.findall(file.read_bytes())), default=0)


def search(path: Path, packages: Sequence[Path]) -> None:
    """Let Python look around the packages, in the file's folder, and up to the repository's root,
    and in the working directory.

    What comes with Python goes before the folders above; they go before what is installed.
    """
    begin = next((i for i, place in enumerate(sys.path) if "-packages" in place), len(sys.path))
    sys.path[begin:begin] = [*above(path), os.getcwd()]
    sys.path[:0] = [str(p.parent) for p in (*packages[:1], path)]


def above(path: Path) -> list[str]:
    """The folders above that of a file, up to the root of its repository."""
    folders = [*path.parents][: DEEPEST + 1]
    for mark in ROOTS:
        for i, folder in enumerate(folders):
            if any(folder.glob(mark)):
                return [str(f) for f in folders[1 : i + 1]]
    return []
