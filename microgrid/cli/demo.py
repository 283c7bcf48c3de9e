"""`microgrid demo`: the sigmoid circuit and the affine layer, as tables, formulas and pictures."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from microgrid.cli.arguments import writable
from microgrid.matrices import examples, formulas
from microgrid.matrices.arrays import Array, affine, grads, matrix, values
from microgrid.views.drawing import draw
from microgrid.views.explanation import explain
from microgrid.views.files import LayoutError
from microgrid.views.picture import Picture


def add_demo(parser: argparse.ArgumentParser) -> None:
    folder = Path("microgrid-demo")
    says = f"where the pictures go (default {folder})"
    parser.add_argument("-o", "--output", type=Path, default=folder, metavar="FOLDER", help=says)


def run_demo(options: argparse.Namespace) -> None:
    heading("The sigmoid circuit: f = 1 / (1 + exp(-(w_0 x_0 + w_1 x_1 + w_2)))")
    f = examples.sigmoid_circuit()
    f.backward()
    print(explain(f))
    heading("The affine layer Y = XW + b, entry by entry from scalar nodes")
    X, W = matrix(examples.X, "x"), matrix(examples.W, "w")
    b, dY = matrix(examples.B, "b"), np.array(examples.DY)
    Y = affine(X, W, b)
    loss = examples.weighted(examples.label_entries(Y), dY)
    loss.backward()
    show(X=values(X), W=values(W))
    show(b=values(b))
    show(Y=values(Y), dY=dY)
    heading("What the graph accumulated, and what the formulas say")
    dX, dW, db = formulas.affine_backward(values(X), values(W), values(b), dY)
    agree("dX = dY · Wᵀ", grads(X), dX)
    agree("dW = Xᵀ · dY", grads(W), dW)
    agree("db = 1ᵀ · dY", grads(b), db)
    heading("Pictures")
    pictures = {"sigmoid_circuit": draw(f), "affine_layer": draw(loss, share_leaves=False)}
    for name, picture in pictures.items():
        for suffix in (".svg", ".png"):
            write_picture(picture, options.output / (name + suffix))


def write_picture(picture: Picture, path: Path) -> None:
    try:
        print(f"wrote {picture.save(writable(path, '.svg', '.png'))}")
    except LayoutError as error:
        dot = picture.save(path.with_suffix(".dot"))
        print(f"wrote {dot} instead of {path.name}: {error}")


def heading(text: str) -> None:
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(f"\n\033[1m{text}\033[0m\n" if colour else f"\n{text}\n")


def show(**arrays: Array) -> None:
    """Print matrices of equally many rows side by side with their names."""
    blocks = [beside(name, np.atleast_2d(A)) for name, A in arrays.items()]
    print(*("  " + "   ".join(line) for line in zip(*blocks, strict=True)), sep="\n")


def beside(name: str, A: Array) -> list[str]:
    rows = ["[" + " ".join(f"{x:6.2f}" for x in row) + " ]" for row in A]
    return [(f"{name} = " if i == 0 else " " * (len(name) + 3)) + row for i, row in enumerate(rows)]


def agree(formula: str, graph: Array, closed: Array) -> None:
    same = "equal to the last bit" if np.array_equal(graph, closed) else "DIFFERENT"
    show(**{f"graph {formula[:2]}": graph, formula: closed})
    print(f"  {same}\n")
