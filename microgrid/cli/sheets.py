"""`microgrid worksheet` and `mark`: a sheet of circuits to fill in, its answers, their marks."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from microgrid.cli.arguments import distinct, whole, writable
from microgrid.course.question import ExerciseError
from microgrid.course.worksheets import KINDS, worksheet
from microgrid.views.files import LayoutError
from microgrid.views.picture import layout_program

NOTES = """

kinds:
{kinds}

The same seed gives the same sheet on every machine. In Python
microgrid.course.worksheet(7, "forks", 6).check(answers) marks the answers of a
student."""
MARKED = """

SHEET is a file that `microgrid worksheet` wrote. ANSWERS is a table with the
students in its first column and a column for each blank, such as 1.a, or JSON
like {"Ada": {"1.a": 5}}. Without -o the marks are printed alone."""
COMMAND = re.compile(r"microgrid worksheet --seed (-?\d+) --kind (\w+) -n (\d+)")
MARKS = (".csv", ".html", ".md", ".txt")


def add_worksheet(parser: argparse.ArgumentParser) -> None:
    kinds = "\n".join(f"  {name:10} {kind.says}" for name, kind in KINDS.items())
    parser.epilog = f"{parser.epilog}{NOTES.format(kinds=kinds)}"
    add, default = parser.add_argument, "gradients"
    add("--seed", type=whole, default=0, metavar="N", help="which sheet of its kind (default 0)")
    add("--kind", default=default, metavar="KIND", help=f"{', '.join(KINDS)} (default {default})")
    add("-n", type=whole, default=4, metavar="N", help="how many problems (default 4)")
    add("-o", "--output", type=Path, required=True, metavar="FILE.html|.tex", help="the sheet")
    add("--answers", type=Path, metavar="FILE.html|.tex", help="its solution, in another file")


def run_worksheet(options: argparse.Namespace) -> None:
    paths = [path for path in (options.output, options.answers) if path is not None]
    for path in paths:
        writable(path, ".html", ".tex")
    distinct(*paths)
    sheet = worksheet(options.seed, options.kind, options.n)
    for path in paths:
        print(f"wrote {sheet.save(path, answers=path is options.answers)}")
    if any(path.suffix.lower() == ".html" for path in paths):
        try:
            layout_program()
        except LayoutError as error:
            note = f"microgrid worksheet: note: tables stand in the place of pictures; {error}"
            print(note, file=sys.stderr)


def add_mark(parser: argparse.ArgumentParser) -> None:
    parser.epilog = f"{parser.epilog}{MARKED}"
    add = parser.add_argument
    add("sheet", type=Path, metavar="SHEET.html|.tex", help="the sheet, as it was written")
    add("answers", type=Path, metavar="ANSWERS.csv|.json", help="the answers of the class")
    add("-o", "--output", type=Path, metavar="FILE.csv|.html|.md|.txt", help="write the marks")


def run_mark(options: argparse.Namespace) -> None:
    """The marks of a class, printed and written."""
    distinct(*filter(None, (options.sheet, options.answers, options.output)))
    if options.output:
        writable(options.output, *MARKS)
    text = options.sheet.read_text(encoding="utf-8", errors="replace").replace("{}", "")
    made = COMMAND.search(text)
    if made is None:
        raise ExerciseError(f"{options.sheet.name} is no sheet that `microgrid worksheet` wrote")
    seed, kind, n = made.groups()
    marks = worksheet(int(seed), kind, int(n)).mark_all(options.answers)
    print(marks)
    if options.output:
        print(f"\nwrote {marks.save(options.output)}")
