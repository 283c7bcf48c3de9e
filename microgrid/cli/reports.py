"""The reports that `check` and `layers` write: the options for them, and the files."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from microgrid.cli.arguments import distinct

STANDARD_OUTPUT = Path("-")
REPORTS = {
    "html": "a page", "json": "everything as JSON", "junit": "JUnit XML",
    "gradescope": "results.json of Gradescope and Otter",
}  # fmt: skip


class Reported(Protocol):
    """A report on a check."""

    @property
    def verdict(self) -> str: ...
    @property
    def exit_code(self) -> int: ...
    def written(self, format: str) -> str: ...


def add_reports(parser: argparse.ArgumentParser, **pages: str) -> None:
    """The options that name the files; `pages` says more of a kind."""
    for name, what in {**REPORTS, **pages}.items():
        parser.add_argument(
            f"--{name}", type=Path, metavar="FILE", help=f"write {what}; - prints it"
        )
    parser.add_argument("--quiet", action="store_true", help="print the verdict alone")


def report_files(options: argparse.Namespace, checked: Path) -> dict[str, Path]:
    """The files to write, none of them twice, nor the one that is checked.

    One that cannot be written fails here, before the check, and nothing is left of the trial.
    """
    files = {name: path for name in REPORTS if (path := getattr(options, name)) is not None}
    distinct(*files.values(), *([checked] if checked.is_file() else []))
    for path in files.values():
        if path != STANDARD_OUTPUT:
            try_to_write(path)
    return files


def try_to_write(path: Path) -> None:
    """OSError if that fails; a file that is there keeps its text, and no new one stays."""
    path = path.resolve()  # a link stays
    made = [folder for folder in path.parents if not folder.exists()]
    is_new = not path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_new or path.is_file():
            path.open("a").close()
        elif path.is_dir() or not os.access(path, os.W_OK):  # else it may be a pipe, which waits
            raise OSError(f"{path} cannot be written")
    finally:
        with suppress(OSError):  # there is nothing to remove
            if is_new:
                path.unlink()
        with suppress(OSError):
            for folder in made:
                folder.rmdir()


def write_reports(report: Reported, files: Mapping[str, Path], quiet: bool) -> int:
    """Print the report and write its files; the exit code."""
    if STANDARD_OUTPUT not in files.values():
        print(report.verdict if quiet else report)
    for name, path in files.items():
        text = report.written(name)
        if path == STANDARD_OUTPUT:
            print(text, end="")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}", file=sys.stderr)
    return report.exit_code
