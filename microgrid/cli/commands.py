"""The command line: argparse and printing, no logic."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from microgrid.course.worksheets import KINDS, worksheet
from microgrid.engine.errors import MicrogridError, NumberError
from microgrid.engine.value import Value
from microgrid.matrices import derive, examples, formulas
from microgrid.matrices.arrays import Array, affine, grads, matrix, values
from microgrid.version import __version__
from microgrid.views.drawing import draw
from microgrid.views.explanation import explain
from microgrid.views.expression import ExpressionError, parse, typed
from microgrid.views.files import LayoutError
from microgrid.views.numerals import read
from microgrid.views.picture import Picture
from microgrid.views.stepper import steps

Commands = Any  # argparse names no public type for its subparsers
SIZES = {
    "n": "rows of X (affine), columns of W (matmul)",
    "d": "columns of X (affine)",
    "m": "columns of W (affine), rows of W (matmul)",
    "k": "columns of X (matmul)",
}
RESULTS = ("f", "y", "L", "result", *(f"result_{i}" for i in range(1000)))  # the first free name
EPILOG = """examples:
  microgrid demo
  microgrid explain "1 / (1 + exp(-(w*x + b)))" w=2 x=-1 b=-3
  microgrid explain "(a*b + a) * a" a=3 b=2 --of a
  microgrid draw "(a*b + a) * a" a=3 b=2 -o fork.svg
  microgrid steps "sigmoid(w*x + b)" w=2 x=-1 b=-3 -o steps.html
  microgrid derive affine --n 2 --d 2 --m 3 -o affine.tex
  microgrid derive affine --dX "dY @ W"
  microgrid check my_engine.py --html report.html
  microgrid worksheet --seed 7 --kind forks -n 6 -o sheet.html --answers answers.html

EXPR is ordinary arithmetic: numbers, names, + - * / **, functions such as
exp, log, sigmoid, relu, maximum(x, y), and comparisons inside where(...).
It is parsed, never run as code. A name like w_0 or x_12 is shown with a
subscript; pi and e have their numbers, unless another is given. A number
after a name is written as -2, 0.5, 0,5, 1/3, 1e-3 or 20%."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it worked, 2 when the input was wrong."""
    parser = argparse.ArgumentParser(
        prog="microgrid",
        description="Backpropagation on scalar nodes: tables and pictures of the backward pass,\n"
        "and a checker of anyone's engine.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"microgrid {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add = commands.add_parser("demo", help="run the worked examples and write their pictures")
    add.add_argument("-o", "--output", type=Path, default=Path("microgrid-demo"), metavar="FOLDER")
    add.set_defaults(run=demo)
    add = expression_command(commands, "explain", "print every += of the backward pass")
    add.add_argument("--of", metavar="NAME", help="list the paths from NAME to the result instead")
    add.set_defaults(run=explain_expression)
    add = expression_command(commands, "draw", "draw the graph with values and gradients")
    add.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.svg|.png|.dot")
    add.add_argument("--forward", action="store_true", help="values only, no backward pass")
    add.add_argument("--level", choices=("gates", "blocks"), help="default: blocks above 60 gates")
    add.add_argument("--repeat-leaves", action="store_true", help="a copy of a leaf for each use")
    add.set_defaults(run=draw_expression)
    add = expression_command(commands, "steps", "write the backward pass as a page, frame by frame")
    add.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.html|.svg")
    add.set_defaults(run=step_through)
    derive_command(commands)
    check_command(commands)
    worksheet_command(commands)
    for stream in (sys.stdout, sys.stderr):  # a terminal or a pipe that has no ∂, ᵀ or →
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    given = sys.argv[1:] if arguments is None else arguments
    if not given:
        parser.print_help()
        print("microgrid: a COMMAND is required", file=sys.stderr)
        return 2
    # A word like -x*y is an expression: argparse takes a word that begins with a space as it is.
    if given[0] != "worksheet":
        words = [f" {word}" if re.match(r"-(?![-oh]).", word) else word for word in given[1:]]
        given = [given[0], *words]
    options, more = parser.parse_known_args(given)
    if more and not (hasattr(options, "numbers") and all("=" in word.lstrip("-") for word in more)):
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    if more:
        options.numbers += more  # name=number after an option
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


def derive_command(commands: Commands) -> None:
    add = commands.add_parser(
        "derive",
        help="write out the derivation of a layer's gradients, every step checked",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add.add_argument("layer", choices=("affine", "matmul"), help="Y = XW + b, or Y = WX")
    for size, meaning in SIZES.items():
        add.add_argument(f"--{size}", type=whole, metavar=size.upper(), help=meaning)
    for name in ("dX", "dW", "db"):
        add.add_argument(f"--{name}", metavar="TEXT", help=f"a claim for {name}, like 'dY @ W.T'")
    add.add_argument("-o", "--output", type=Path, metavar="FILE.tex|.md")
    add.set_defaults(run=derive_layer)


def derive_layer(options: argparse.Namespace) -> int:
    """0 if every step holds, 1 if a claim fails: the step and a counterexample are shown."""
    affine_layer = options.layer == "affine"
    sizes = {"n": 2, "d": 2, "m": 3} if affine_layer else {"m": 2, "n": 2, "k": 3}
    names = ("dX", "dW", "db") if affine_layer else ("dX", "dW")
    given = vars(options)
    foreign = [f"--{x}" for x in (*SIZES, "dX", "dW", "db") if given[x] is not None]
    foreign = [x for x in foreign if x[2:] not in (*sizes, *names)]
    if foreign:
        raise ExpressionError(f"{options.layer} has no {', '.join(foreign)}")
    numbers = [default if given[s] is None else given[s] for s, default in sizes.items()]
    claims = {name: given[name] for name in names if given[name] is not None}
    derivation = (derive.affine if affine_layer else derive.matmul)(*numbers, **claims)
    if options.output is None:
        print(derivation)
    else:
        derivation.save(options.output)
        print(f"wrote {options.output}")
    if derivation.failed:
        print(f"{derivation.failed.title}: {derivation.failed.note}", file=sys.stderr)
    return 0 if derivation.ok else 1


CHECK_EPILOG = """examples:
  microgrid check my_engine.py
  microgrid check my_engine.py:Scalar --html report.html
  microgrid check micrograd.engine --only reuse --only order --examples 200
  microgrid check my_engine.py --require exp --require tanh --strict --gradescope results.json

The class needs Value(number), .data, .grad, .backward() and operators;
functions are looked for as methods and as functions of the module. Findings
are wrong (a wrong number), fragile (it breaks on depth, overflow, memory) or a
convention. Exit code: 0 passes, 1 fails (something is wrong; with --strict also
if fragile), 2 could not run.

The engine's code runs with your rights, in a process of its own: to grade
strangers, put the whole check into a container."""


def check_command(commands: Commands) -> None:
    add = commands.add_parser(
        "check",
        help="find and name the bugs in anyone's Value",
        epilog=CHECK_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add.add_argument("target", metavar="PATH[:CLASS]|MODULE[:CLASS]", help="default class: Value")
    add.add_argument("--only", action="append", default=[], metavar="PROPERTY", help="repeatable")
    add.add_argument("--require", action="append", default=[], metavar="OPERATION",
                     help="fail if it is not offered; repeatable")  # fmt: skip
    add.add_argument("--strict", action="store_true", help="what is fragile fails, too")
    add.add_argument("--examples", type=count, default=20, metavar="N",
                     help="programs a property draws for each operation (default 20)")  # fmt: skip
    add.add_argument("--seed", type=whole, default=0, metavar="N", help="another one draws others")
    add.add_argument("--timeout", type=seconds, default=60.0, metavar="SECONDS",
                     help="for the whole check (default 60)")  # fmt: skip
    for name, what in REPORTS.items():
        add.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"write {what}; - prints it")
    add.add_argument("--quiet", action="store_true", help="print the verdict alone")
    add.set_defaults(run=check_engine)


STANDARD_OUTPUT = Path("-")
REPORTS = {
    "html": "a page with the graph of each counterexample", "json": "everything as JSON",
    "junit": "JUnit XML", "gradescope": "results.json of Gradescope and Otter",
}  # fmt: skip


def whole(text: str) -> int:
    """The whole number that an option is given."""
    try:
        number = read(text)
    except NumberError as error:
        raise argparse.ArgumentTypeError(f"invalid int value: {error}") from None
    if number is None or number % 1 != 0:
        raise argparse.ArgumentTypeError(f"invalid int value: {text!r}")
    return int(number)


def count(text: str) -> int:
    with suppress(argparse.ArgumentTypeError):
        if 1 <= whole(text) <= 100_000:
            return whole(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 100000")


def seconds(text: str) -> float:
    with suppress(NumberError):
        number = read(text)
        if number is not None and 1 <= number <= 86_400:
            return float(number)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to 86400")


def check_engine(options: argparse.Namespace) -> int:
    """0 if the engine passes, 1 if it fails, 2 if the check could not run to its end."""
    try:
        from tqdm import tqdm

        from microgrid.check import PROPERTIES, check  # needs hypothesis
        from microgrid.check.engine import parse as parse_target
    except ModuleNotFoundError as error:
        raise ImportError(
            f'the checker needs {error.name}: pip install "microgrid-autodiff[check]"'
        ) from None
    files = {name: path for name in REPORTS if (path := getattr(options, name)) is not None}
    place, kind, _ = parse_target(options.target)
    engine = Path(place if kind == "path" else place.replace(".", os.sep) + ".py")
    distinct(*files.values(), *([engine] if engine.is_file() else []))
    for path in files.values():
        if path != STANDARD_OUTPUT:  # say so now if it cannot be written
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    with tqdm(total=len(PROPERTIES), leave=False, disable=None, unit="property") as bar:

        def progress(prop: Any) -> None:
            bar.set_description(f"{prop.name:15}")
            bar.update()

        report = check(
            options.target, only=split(options.only), examples=options.examples,
            seed=options.seed, timeout=options.timeout, require=split(options.require),
            strict=options.strict, progress=progress,
        )  # fmt: skip
    if STANDARD_OUTPUT not in files.values():
        print(report.verdict if options.quiet else report)
    for name, path in files.items():
        text = report.written(name)
        if path == STANDARD_OUTPUT:
            print(text, end="")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}", file=sys.stderr)
    return report.exit_code


def split(names: Sequence[str]) -> list[str]:
    """Names given one by one, or several with commas between them."""
    return [name for text in names for name in map(str.strip, text.split(",")) if name]


WORKSHEET_EPILOG = """examples:
  microgrid worksheet -o sheet.html
  microgrid worksheet --seed 7 --kind forks -n 6 -o sheet.html --answers answers.html
  microgrid worksheet --seed 8 --kind mixed -o sheet.tex

kinds:
{kinds}

The same seed gives the same sheet on every machine. In Python,
microgrid.course.worksheet(7, "forks", 6).check(answers) marks a student's answers."""


def worksheet_command(commands: Commands) -> None:
    kinds = "\n".join(f"  {name:10} {kind.says}" for name, kind in KINDS.items())
    add = commands.add_parser(
        "worksheet",
        help="write a sheet of circuits with blanks to fill in, and its answers",
        epilog=WORKSHEET_EPILOG.format(kinds=kinds),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add.add_argument(
        "--seed", type=whole, default=0, metavar="N", help="another one, another sheet"
    )
    add.add_argument("--kind", default="gradients", metavar="KIND",
                     help=f"{', '.join(KINDS)} (default gradients)")  # fmt: skip
    add.add_argument("-n", type=whole, default=4, metavar="N", help="problems (default 4)")
    add.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.html|.tex")
    add.add_argument("--answers", type=Path, metavar="FILE.html|.tex", help="the solution, too")
    add.set_defaults(run=write_worksheet)


def write_worksheet(options: argparse.Namespace) -> None:
    for path in (options.output, options.answers):
        if path is not None:
            checked_suffix(path, ".html", ".tex")
    distinct(options.output, options.answers)
    sheet = worksheet(options.seed, options.kind, options.n)
    print(f"wrote {sheet.save(options.output)}")
    if options.answers is not None:
        print(f"wrote {sheet.save(options.answers, answers=True)}")


def expression_command(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=text, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("expression", metavar="EXPR")
    command.add_argument("numbers", nargs="*", metavar="name=number")
    return command


def root_of(options: argparse.Namespace) -> Value:
    """The graph of the expression on the command line, after a backward pass."""
    numbers: dict[str, float] = {}
    for name, number in map(assignment, options.numbers):
        if name in numbers:
            raise ExpressionError(f"{name} has two numbers")
        numbers[name] = number
    root = parse(options.expression, numbers)
    root.label = root.label or next(x for x in RESULTS if x not in numbers)
    return root


def assignment(text: str) -> tuple[str, float]:
    """The name and the number of a word like x=-0.5; ExpressionError if it is no such word."""
    name, _, written = text.partition("=")
    name = unicodedata.normalize("NFKC", typed(name))  # as Python reads the expression
    if not name.isidentifier() or not written.strip():
        raise ExpressionError(
            f"{text!r} is not of the form name=number: after the expression come words like "
            "x=-0.5, without spaces"
        )
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


def explain_expression(options: argparse.Namespace) -> None:
    root = root_of(options)
    if options.of is None:
        print(explain(root))
        return
    nodes = examples.named(root)
    if options.of not in nodes:
        raise ExpressionError(f"--of {options.of}: the expression has {', '.join(nodes)}")
    print(explain(root, of=nodes[options.of]))


def draw_expression(options: argparse.Namespace) -> None:
    root = root_of(options)
    if not options.forward:
        root.backward()
    picture = draw(root, level=options.level, share_leaves=not options.repeat_leaves)
    print(f"wrote {save(picture, options.output)}")


def step_through(options: argparse.Namespace) -> None:
    checked_suffix(options.output, ".html", ".svg")
    print(f"wrote {steps(root_of(options)).save(options.output)}")


def save(picture: Picture, path: Path) -> Path:
    """Write the picture in the format that the file's name asks for."""
    checked_suffix(path, ".svg", ".png", ".dot")
    return Path(picture.save(path))


def checked_suffix(path: Path, *allowed: str) -> str:
    """The suffix, if it is one of these, and a folder for the file."""
    suffix = path.suffix.lower()
    if suffix not in allowed:
        raise ExpressionError(f"{path}: the name must end in {', '.join(allowed)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    return suffix


def distinct(*paths: Path | None) -> None:
    """ExpressionError where two of these are one file, however they are spelled."""
    given = [path for path in paths if path is not None]
    for i, path in enumerate(given):
        for other in given[:i]:
            same = path.exists() and other.exists() and path.samefile(other)
            if same or path.resolve() == other.resolve():
                raise ExpressionError(f"{other} and {path} are one file: give two names")


def demo(options: argparse.Namespace) -> None:
    """The sigmoid circuit and the affine layer: tables, the matrix formulas, pictures."""
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
    show(b=values(b).reshape(1, -1))
    show(Y=values(Y), dY=dY)
    heading("What the graph accumulated, and what the formulas say")
    dX, dW, db = formulas.affine_backward(values(X), values(W), values(b), dY)
    agree("dX = dY · Wᵀ", grads(X), dX)
    agree("dW = Xᵀ · dY", grads(W), dW)
    agree("db = 1ᵀ · dY", grads(b).reshape(1, -1), db.reshape(1, -1))
    heading("Pictures")
    pictures = {"sigmoid_circuit": draw(f), "affine_layer": draw(loss, share_leaves=False)}
    for name, picture in pictures.items():
        for suffix in (".svg", ".png"):
            write_picture(picture, options.output / (name + suffix))


def write_picture(picture: Picture, path: Path) -> None:
    try:
        print(f"wrote {save(picture, path)}")
    except LayoutError as error:
        dot = save(picture, path.with_suffix(".dot"))
        print(f"wrote {dot} instead of {path.name}: {error}")


def heading(text: str) -> None:
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(f"\n\033[1m{text}\033[0m\n" if colour else f"\n{text}\n")


def show(**arrays: Array) -> None:
    """Matrices side by side with their names."""
    blocks = [beside(name, A) for name, A in arrays.items()]
    height = max(map(len, blocks))
    padded = [block + [" " * len(block[0])] * (height - len(block)) for block in blocks]
    print(*("  " + "   ".join(line).rstrip() for line in zip(*padded, strict=True)), sep="\n")


def beside(name: str, A: Array) -> list[str]:
    rows = ["[" + " ".join(f"{x:6.2f}" for x in row) + " ]" for row in A]
    return [(f"{name} = " if i == 0 else " " * (len(name) + 3)) + row for i, row in enumerate(rows)]


def agree(formula: str, graph: Array, closed: Array) -> None:
    same = "equal to the last bit" if np.array_equal(graph, closed) else "DIFFERENT"
    show(**{f"graph {formula[:2]}": graph, formula: closed})
    print(f"  {same}\n")
