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
    add = parser.add_argument
    add("--seed", type=whole, default=0, metavar="N", help="another one, another sheet")
    add(
        "--kind",
        default="gradients",
        metavar="KIND",
        help=f"{', '.join(KINDS)} (default gradients)",
    )
    add("-n", type=whole, default=4, metavar="N", help="problems (default 4)")
    add("-o", "--output", type=Path, required=True, metavar="FILE.html|.tex")
    add("--answers", type=Path, metavar="FILE.html|.tex", help="the solution, too")
    parser.set_defaults(run=run_worksheet)


def run_worksheet(options: argparse.Namespace) -> None:
    for path in filter(None, (options.output, options.answers)):
        writable(path, ".html", ".tex")
    distinct(options.output, options.answers)
    sheet = worksheet(options.seed, options.kind, options.n)
    print(f"wrote {sheet.save(options.output)}")
    if options.answers is not None:
        print(f"wrote {sheet.save(options.answers, answers=True)}")
