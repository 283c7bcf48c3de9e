"""`microgrid derive`: the gradients of a layer, derived entry by entry."""

from __future__ import annotations

import argparse
import sys
from inspect import signature
from pathlib import Path

from microgrid.cli.arguments import whole
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
    for x, what in SIZES.items():
        says = f"how many {what}"
        add(f"--{x.lower()}", type=whole, dest=x, metavar=x, default=absent, help=says)
    for x in CLAIMS:
        add(f"--{x}", metavar="TEXT", default=absent, help=f"a claim for {x}, like 'dY @ W.T'")
    letters, kinds = "another letter for X, W, b, Y or L, such as W=Θ", "FILE.tex|.md|.html|.txt"
    add("--only", metavar="PARTS", help="sections: layer, X, W, b, batch, bias, formulas")
    add("--letter", metavar="OLD=NEW", action="append", default=[], help=letters)
    add("-o", "--output", type=Path, metavar=kinds, help="write it, not print it")


def run_derive(options: argparse.Namespace) -> int:
    """0 if every step holds; 1 if a claim fails, whose step and counterexample are printed."""
    make = getattr(derive, options.layer)
    given = {x: vars(options)[x] for x in (*SIZES, *CLAIMS) if x in options}
    if foreign := [x for x in given if x not in signature(make).parameters]:
        words = [f"--{x.lower() if x in SIZES else x}" for x in foreign]
        raise ExpressionError(f"{options.layer} has no {', '.join(words)}")
    letters = dict(word.partition("=")[::2] for word in options.letter)
    derivation = make(**given, letters=letters)
    parts = [part.strip() for part in (options.only or "").split(",")]
    shown = derivation.only(*parts) if options.only else derivation
    print(f"wrote {shown.save(options.output)}" if options.output else shown)
    if derivation.failed and (options.output or derivation.failed not in shown.steps):
        print(f"{derivation.failed.title}: {derivation.failed.note}", file=sys.stderr)
    return 0 if derivation.ok else 1
