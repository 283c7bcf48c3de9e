"""`microgrid explain`, `draw` and `steps`: the graph of an expression as table, picture, page."""

from __future__ import annotations

import argparse
import unicodedata
from pathlib import Path

from microgrid.cli.arguments import whole, writable
from microgrid.engine.errors import NumberError
from microgrid.engine.value import Value
from microgrid.matrices.examples import named
from microgrid.views.drawing import draw
from microgrid.views.explanation import explain
from microgrid.views.expression import ExpressionError, parse, typed
from microgrid.views.numerals import read
from microgrid.views.stepper import steps

PICTURES = (".svg", ".png", ".dot")
RESULTS = ("f", "y", "L", "result", *(f"result_{i}" for i in range(1000)))  # the first free name
EXPRESSION = """

EXPR is ordinary arithmetic: numbers, names, + - * / **, functions such as
exp, log, sigmoid, relu, maximum(x, y), and comparisons inside where(...).
It is parsed, never run as code. A name like w_0 or x_12 is shown with a
subscript; pi and e have their numbers, unless another is given. A number
after a name is written as -2, 0.5, 0,5, 1/3, 1e-3 or 20%."""


def add_explain(parser: argparse.ArgumentParser) -> None:
    add_expression(parser)
    add = parser.add_argument
    add("--of", metavar="NAME", help="list the paths from NAME to the result instead")


def add_draw(parser: argparse.ArgumentParser) -> None:
    add_expression(parser)
    add = parser.add_argument
    add("-o", "--output", type=Path, required=True, metavar="FILE.svg|.png|.dot")
    add("--forward", action="store_true", help="values only, no backward pass")
    add("--level", choices=("gates", "blocks"), help="default: blocks above 60 gates")
    add("--repeat-leaves", action="store_true", help="a copy of a leaf for each use")
    add_look(parser)


def add_steps(parser: argparse.ArgumentParser) -> None:
    add_expression(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.html|.svg")
    add_look(parser)


def add_look(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--decimals", "--digits", type=whole, default=2, metavar="N", help="default 2")
    add("--layout", "--engine", metavar="PROGRAM", help="default: dot, else graphviz-pure")


def add_expression(parser: argparse.ArgumentParser) -> None:
    parser.epilog = f"{parser.epilog}{EXPRESSION}"
    parser.add_argument("expression", metavar="EXPR")
    parser.add_argument("numbers", nargs="*", metavar="name=number")


def run_explain(options: argparse.Namespace) -> None:
    root = root_of(options)
    nodes = named(root)
    if options.of is not None and options.of not in nodes:
        raise ExpressionError(f"--of {options.of}: the expression has {', '.join(nodes)}")
    print(explain(root, of=nodes.get(options.of)))


def run_draw(options: argparse.Namespace) -> None:
    root = root_of(options)
    if not options.forward:
        root.backward()
    look = options.decimals, options.layout
    picture = draw(root, *look, level=options.level, share_leaves=not options.repeat_leaves)
    print(f"wrote {picture.save(writable(options.output, *PICTURES))}")


def run_steps(options: argparse.Namespace) -> None:
    writable(options.output, ".html", ".svg")
    film = steps(root_of(options), options.decimals, options.layout)
    print(f"wrote {film.save(options.output)}")


def root_of(options: argparse.Namespace) -> Value:
    """The graph of the expression on the command line, with a name for its result."""
    numbers: dict[str, float] = {}
    for name, number in map(assignment, options.numbers):
        if name in numbers:
            raise ExpressionError(f"{name} has two numbers")
        numbers[name] = number
    root = parse(options.expression, numbers)
    root.label = root.label or next(x for x in RESULTS if x not in numbers)
    return root


def assignment(text: str) -> tuple[str, float]:
    """The name and the number of a word like x=-0.5; ExpressionError for other words."""
    name, _, written = text.partition("=")
    name = unicodedata.normalize("NFKC", typed(name))  # as Python reads the expression
    if not name.isidentifier() or not written.strip():
        form = "name=number: after the expression come words like x=-0.5, without spaces"
        raise ExpressionError(f"{text!r} is not of the form {form}")
    try:
        number = read(written)
    except NumberError as error:
        raise ExpressionError(f"{name}={error}") from None
    if number is None:
        raise ExpressionError(f"{name}={written!r} is not a number, such as 2, -0.5, 1/3 or 1e-3")
    try:
        near = float(number)
    except OverflowError:
        raise ExpressionError(f"{name}={written!r} is too large for a float") from None
    if number and not near:
        raise ExpressionError(f"{name}={written!r} is too small for a float")
    return name, near
