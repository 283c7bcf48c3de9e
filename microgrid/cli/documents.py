"""`microgrid derive` and `worksheet`: a checked derivation; a sheet to fill in, and its answers."""

from __future__ import annotations

import argparse
import sys
from inspect import signature
from pathlib import Path

from microgrid.cli.arguments import distinct, whole, writable
from microgrid.course.worksheets import KINDS, worksheet
from microgrid.matrices import derive
from microgrid.views.expression import ExpressionError

SIZES = {
    "N": "rows of X (affine), columns of W (matmul)",
    "D": "columns of X (affine)",
    "M": "columns of W (affine), rows of W (matmul)",
    "K": "columns of X (matmul)",
}
CLAIMS = ("dX", "dW", "db")


def add_derive(parser: argparse.ArgumentParser) -> None:
    add, absent = parser.add_argument, argparse.SUPPRESS
    add("layer", choices=("affine", "matmul"), help="Y = XW + b, or Y = WX")
    for x, says in SIZES.items():
        add(f"--{x.lower()}", type=whole, dest=x, metavar=x, default=absent, help=says)
    for x in CLAIMS:
        add(f"--{x}", metavar="TEXT", default=absent, help=f"a claim for {x}, like 'dY @ W.T'")
    add("-o", "--output", type=Path, metavar="FILE.tex|.md")


def run_derive(options: argparse.Namespace) -> int:
    """0 if every step holds; 1 if a claim fails, whose step and counterexample are printed."""
    make = getattr(derive, options.layer)
    given = {x: vars(options)[x] for x in (*SIZES, *CLAIMS) if x in options}
    if foreign := [x for x in given if x not in signature(make).parameters]:
        words = [f"--{x.lower() if x in SIZES else x}" for x in foreign]
        raise ExpressionError(f"{options.layer} has no {', '.join(words)}")
    derivation = make(**given)
    print(f"wrote {derivation.save(options.output)}" if options.output else derivation)
    if derivation.failed:
        print(f"{derivation.failed.title}: {derivation.failed.note}", file=sys.stderr)
    return 0 if derivation.ok else 1


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
