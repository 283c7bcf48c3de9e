"""`microgrid explain`, `draw` and `steps`: the graph of an expression as table, picture, page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from microgrid.check.gradient_check import first_nonfinite
from microgrid.cli.arguments import numbers_of, whole, writable
from microgrid.cli.slides import add_frames, write_frames
from microgrid.engine.trees import named
from microgrid.engine.value import Value
from microgrid.views.drawing import draw
from microgrid.views.explanation import explain
from microgrid.views.expression import ExpressionError, circuit, with_a_name
from microgrid.views.spelling import label_of, name_in
from microgrid.views.stepper import steps
from microgrid.views.tints import MEASURES

PICTURES = (".svg", ".png", ".pdf", ".tex", ".dot")
EXPRESSION = """

EXPR is ordinary arithmetic: numbers, names, + - * / ^, functions such as
exp, log, sigmoid, relu, max(x, y), and comparisons inside where(...). It may be
written by hand, as 2x, 2(x + 1), a·b², |x|; a ^ is a power. Lines, or parts
between semicolons, may be name = expression: the last is the result. It is
parsed, never run as code. A name like w_0 or x_12 is shown with a subscript; pi
and e have their numbers, unless another is given. A name may be in LaTeX, as
\\hat{y}, W^{(1)}, or \\theta_1, which is θ₁ (and theta_1 is another). A number
after a name is written as -2, 0.5, 0,5, 1/3, 1e-3 or 20%."""


def add_explain(parser: argparse.ArgumentParser) -> None:
    add_expression(parser)
    add = parser.add_argument
    add("--of", metavar="NAME", help="list the paths from NAME to the result instead")
    add("--rules", action="store_true", help="a column says where local gradients come from")
    add_tangent(parser, "the pass of forward mode instead")


def add_draw(parser: argparse.ArgumentParser) -> None:
    add_expression(parser)
    add = parser.add_argument
    kinds = f"FILE{'|'.join(PICTURES)}"
    add("-o", "--output", type=Path, required=True, metavar=kinds, help="the picture")
    add("--forward", action="store_true", help="values only, no backward pass")
    add("--level", choices=("gates", "blocks"), help="default: blocks above 60 gates")
    add("--repeat-leaves", action="store_true", help="a copy of a leaf for each use")
    add_look(parser)
    add("--color-by", choices=[*MEASURES], help="tint and thicken each wire by how much it matters")
    add_tangent(parser, "the tangents of forward mode, too")


def add_steps(parser: argparse.ArgumentParser) -> None:
    add_expression(parser)
    add, kinds = parser.add_argument, "FILE.html|.svg"
    add("-o", "--output", type=Path, metavar=kinds, help="the page or animation")
    add_look(parser)
    add_tangent(parser, "the pass of forward mode instead")
    add_frames(parser)


def add_look(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    behind, program = "behind the point (default 2)", "default: dot, else graphviz-pure"
    add("--decimals", "--digits", type=whole, default=2, metavar="N", help=behind)
    add("--layout", "--engine", metavar="PROGRAM", help=f"what lays it out ({program})")


def add_expression(parser: argparse.ArgumentParser) -> None:
    parser.epilog = f"{parser.epilog}{EXPRESSION}"
    add = parser.add_argument
    add("expression", metavar="EXPR", help="arithmetic, in quotes, such as 'w*x + b'")
    add("numbers", nargs="*", metavar="name=number", help="a number for each of its names")


def add_tangent(parser: argparse.ArgumentParser, what: str) -> None:
    text = f"{what}, as NAME moves at the rate NUMBER, or 1; may be given for several names"
    parser.add_argument("--tangent", metavar="NAME[=NUMBER]", action="append", help=text)


def run_explain(options: argparse.Namespace) -> None:
    root = root_of(options)
    if options.of is None:
        print(explain(root, rules=options.rules, **forward(root, options)))
    elif options.tangent:
        raise ExpressionError("--of lists paths, which are those of both modes: no --tangent")
    elif options.rules:
        raise ExpressionError("--of lists paths, --rules are those of the rows of a pass")
    else:
        print(explain(root, of=node_of(root, options.of, "--of")))


def run_draw(options: argparse.Namespace) -> None:
    root = root_of(options)
    if not options.forward:
        root.backward()
    seeds = forward(root, options).get("seeds")
    leaves = not options.repeat_leaves
    picture = draw(
        root, options.decimals, options.layout, level=options.level, share_leaves=leaves,
        seeds=seeds, color_by=options.color_by,
    )  # fmt: skip
    print(f"wrote {picture.save(writable(options.output, *PICTURES))}")


def run_steps(options: argparse.Namespace) -> None:
    if options.output is None and options.frames is None:
        raise ExpressionError("give -o FILE.html, or --frames FOLDER for slides")
    if options.output:
        writable(options.output, ".html", ".svg")
    root = root_of(options)
    film = steps(root, options.decimals, options.layout, **forward(root, options))
    if options.output:
        print(f"wrote {film.save(options.output)}")
    write_frames(film, options)


def forward(root: Value, options: argparse.Namespace) -> dict[str, Any]:
    """The arguments for forward mode, where a tangent is given."""
    words = [word if "=" in word else f"{word}=1" for word in options.tangent or []]
    seeds = {node_of(root, name, "--tangent"): x for name, x in numbers_of(words).items()}
    return {"mode": "forward", "seeds": seeds} if seeds else {}


def node_of(root: Value, name: str, option: str) -> Value:
    """The node of this name; ExpressionError if the expression has none."""
    nodes, name = named(root), label_of(name_in(name)) or name
    if name not in nodes:
        raise ExpressionError(f"{option} {name}: the expression has {', '.join(nodes)}")
    return nodes[name]


def root_of(options: argparse.Namespace) -> Value:
    """The graph of the expression on the command line, with a name for its result.

    What was read in one of two ways is noted, and the first number that is not finite.
    """
    found = with_a_name(circuit(options.expression, numbers_of(options.numbers), missing=None))
    bad = first_nonfinite(found.root)
    for note in [*found.notes, *([str(bad)] if bad else [])]:
        print(f"microgrid {options.command}: note: {note}", file=sys.stderr)
    return found.root
