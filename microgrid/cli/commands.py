"""The commands of `microgrid`, how their words are read, and how they end."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module

import microgrid
from microgrid.engine.errors import MicrogridError
from microgrid.engine.hints import nearest

COMMANDS = {  # name: its help, and the module with add_NAME, its arguments, and run_NAME
    "demo": ("run the worked examples and write their pictures", "demo"),
    "explain": ("print every += of the backward pass", "expressions"),
    "draw": ("draw the graph with values and gradients", "expressions"),
    "steps": ("write the backward pass as a page, frame by frame", "expressions"),
    "play": ("open a page to type circuits into, and to drag their numbers", "playground"),
    "site": ("write the page of `play` as a folder for any web server", "playground"),
    "derive": ("write out the derivation of a layer's gradients, each step checked", "derivations"),
    "check": ("find and name the bugs in anyone's Value", "checks"),
    "layers": ("find and name the mistakes in anyone's backward passes", "layers"),
    "worksheet": ("write a sheet of circuits with blanks to fill in, and its answers", "sheets"),
    "mark": ("mark the answers of a class to a sheet", "sheets"),
}
EXAMPLES = """
  microgrid demo
  microgrid explain "1 / (1 + exp(-(w*x + b)))" w=2 x=-1 b=-3
  microgrid explain "(a*b + a) * a" a=3 b=2 --of a
  microgrid explain "h = 2x − b²; f = |h|" x=0,5 b=−1
  microgrid explain "sigmoid(w*x + b)" w=2 x=-1 b=-3 --rules
  microgrid explain "sigmoid(w*x + b)" w=2 x=-1 b=-3 --tangent w
  microgrid draw "(a*b + a) * a" a=3 b=2 -o fork.svg
  microgrid draw "sigmoid(w*x)" w=2 x=-1 --tangent x --color-by share -o f.svg
  microgrid steps "sigmoid(w*x + b)" w=2 x=-1 b=-3 -o steps.html
  microgrid steps "sigmoid(w*x + b)" w=2 x=-1 b=-3 --tangent x=0.5 -o ahead.html
  microgrid steps "sigmoid(w*x)" w=2 x=-1 --frames slides --choose backward
  microgrid steps "w*x*x" w=2 x=-1 --frames slides --kinds tex --aspect 16:9
  microgrid play
  microgrid play "(a*b + a) * a" a=3 b=2
  microgrid play "h = tanh(w*x + b)" "(h - y)²" x=0.5 y=1 --open
  microgrid site -o site
  microgrid site -o site --runtime runtime
  microgrid derive affine --n 2 --d 2 --m 3 -o affine.tex
  microgrid derive affine --dX "dY @ W"
  microgrid check --example
  microgrid check --example my_engine.py
  microgrid check my_engine.py:Scalar --html report.html
  microgrid check homework.ipynb --data value --backward backprop
  microgrid check micrograd.engine --only reuse,order --draws 200
  microgrid check my_engine.py --require exp,accumulation --gradescope out.json
  microgrid check engine.mjs
  microgrid check --command "node my_adapter.mjs engine.mjs"
  microgrid check --adapter c
  microgrid check --export cases.json
  microgrid layers layers.py
  microgrid layers layers.py:affine x=3x4 w=4x5 b=5 --html report.html
  microgrid layers layers.py:conv conv_param.stride=2 conv_param.pad=1
  microgrid layers layers.py:softmax_loss x=3x5 y=classes --seed 1
  microgrid layers network.py:Linear --grads "W=dW.T" --gradescope results.json
  microgrid worksheet -o sheet.html
  microgrid worksheet --seed 7 --kind forks -n 6 -o sheet.html --answers a.html
  microgrid worksheet --seed 8 --kind mixed -o sheet.tex
  microgrid mark sheet.html answers.csv -o marks.csv
"""
MORE = "\nmicrogrid COMMAND --help tells the options of a command."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it worked, 2 when the input was wrong."""
    for stream in (sys.stdout, sys.stderr):  # a terminal or a pipe that has no ∂, ᵀ or →
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    given = sys.argv[1:] if arguments is None else [*arguments]
    parser = parser_of(given)
    if not given:
        parser.print_help()
        print("microgrid: a COMMAND is required", file=sys.stderr)
        return 2
    if near := given[0] not in COMMANDS and nearest(given[0], COMMANDS):
        parser.error(f"no command {given[0]!r}{near}")
    if given[0] in ("explain", "draw", "steps", "play", "derive"):
        # A word like -x*y is an expression: argparse accepts it with a space before it.
        given[1:] = [f" {word}" if re.match(r"-(?![-oh]).", word) else word for word in given[1:]]
    options, more = parser.parse_known_args(given)
    if "numbers" in options and all("=" in word.lstrip("-") for word in more):
        options.numbers += more  # name=number after an option
    elif more:
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    try:
        code = int(options.run(options) or 0)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (MicrogridError, OSError, ImportError) as error:
        print(f"microgrid {options.command}: {error}", file=sys.stderr)
        return 2


def parser_of(given: Sequence[str]) -> argparse.ArgumentParser:
    """A parser of all commands; of the given one also the arguments, whose module it imports."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="microgrid",
        description="Backpropagation on scalar nodes: tables and pictures of the backward pass,\n"
        "and checkers of anyone's engine and of anyone's layers.",
        epilog=f"examples:{EXAMPLES}{MORE}",
        formatter_class=plain,
    )
    version = f"microgrid {microgrid.__version__}" if "--version" in given else ""
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", help="one of these:"
    )
    for name, (text, module) in COMMANDS.items():
        examples = re.findall(rf"^  microgrid {name}\b.*", EXAMPLES, re.MULTILINE)
        epilog = "\n".join(["examples:", *examples])
        says = f"{text[0].upper()}{text[1:]}."
        add = commands.add_parser(
            name, help=text, description=says, epilog=epilog, formatter_class=plain
        )
        add.add_argument("--version", action="version", version=version)
        if name in given[:1]:
            command = import_module(f"microgrid.cli.{module}")
            getattr(command, f"add_{name}")(add)
            add.set_defaults(run=getattr(command, f"run_{name}"))
    return parser
