"""`microgrid derive`: the gradients of a layer, derived entry by entry."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from microgrid.cli.arguments import whole
from microgrid.matrices import derive
from microgrid.views.expression import ExpressionError

SIZES = {
    "n": "rows of X (affine), columns of W (matmul)",
    "d": "columns of X (affine)",
    "m": "columns of W (affine), rows of W (matmul)",
    "k": "columns of X (matmul)",
}
LAYERS: dict[str, tuple[Any, dict[str, int], tuple[str, ...]]] = {  # sizes, and claims that it has
    "affine": (derive.affine, {"n": 2, "d": 2, "m": 3}, ("dX", "dW", "db")),
    "matmul": (derive.matmul, {"m": 2, "n": 2, "k": 3}, ("dX", "dW")),
}


def add_derive(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("layer", choices=LAYERS, help="Y = XW + b, or Y = WX")
    for size, meaning in SIZES.items():
        add(f"--{size}", type=whole, metavar=size.upper(), help=meaning)
    for name in ("dX", "dW", "db"):
        add(f"--{name}", metavar="TEXT", help=f"a claim for {name}, like 'dY @ W.T'")
    add("-o", "--output", type=Path, metavar="FILE.tex|.md")
    parser.set_defaults(run=run_derive)


def run_derive(options: argparse.Namespace) -> int:
    """0 if every step holds; 1 if a claim fails, whose step and counterexample are printed."""
    make, sizes, names = LAYERS[options.layer]
    given = {x: vars(options)[x] for x in (*SIZES, "dX", "dW", "db")}
    given = {x: value for x, value in given.items() if value is not None}
    if foreign := [f"--{x}" for x in given if x not in (*sizes, *names)]:
        raise ExpressionError(f"{options.layer} has no {', '.join(foreign)}")
    numbers = [given.get(size, default) for size, default in sizes.items()]
    derivation = make(*numbers, **{name: given[name] for name in names if name in given})
    if options.output is None:
        print(derivation)
    else:
        print(f"wrote {derivation.save(options.output)}")
    if derivation.failed:
        print(f"{derivation.failed.title}: {derivation.failed.note}", file=sys.stderr)
    return 0 if derivation.ok else 1
