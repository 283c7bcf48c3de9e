"""`microgrid worksheet`: a sheet of circuits to fill in, and its answers."""

from __future__ import annotations

import argparse
from pathlib import Path

from microgrid.cli.arguments import distinct, whole, writable
from microgrid.course.worksheets import KINDS, worksheet

NOTES = """

kinds:
{kinds}

The same seed gives the same sheet on every machine. In Python,
microgrid.course.worksheet(7, "forks", 6).check(answers) marks a student's answers."""


def add_worksheet(parser: argparse.ArgumentParser) -> None:
    kinds = "\n".join(f"  {name:10} {kind.says}" for name, kind in KINDS.items())
    parser.epilog = f"{parser.epilog}{NOTES.format(kinds=kinds)}"
    add, default = parser.add_argument, "gradients"
    add("--seed", type=whole, default=0, metavar="N", help="another one, another sheet")
    add("--kind", default=default, metavar="KIND", help=f"{', '.join(KINDS)} (default {default})")
    add("-n", type=whole, default=4, metavar="N", help="problems (default 4)")
    add("-o", "--output", type=Path, required=True, metavar="FILE.html|.tex")
    add("--answers", type=Path, metavar="FILE.html|.tex", help="the solution, too")


def run_worksheet(options: argparse.Namespace) -> None:
    paths = [path for path in (options.output, options.answers) if path is not None]
    for path in paths:
        writable(path, ".html", ".tex")
    distinct(*paths)
    sheet = worksheet(options.seed, options.kind, options.n)
    for path in paths:
        print(f"wrote {sheet.save(path, answers=path is options.answers)}")
