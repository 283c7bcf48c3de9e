"""`microgrid layers`: the checker of backward passes that are written by hand."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

from microgrid.check.handwritten.forms import names
from microgrid.check.handwritten.process.job import place_of
from microgrid.check.handwritten.trial import LayerError
from microgrid.cli.arguments import seconds, whole
from microgrid.cli.reports import add_reports, report_files, write_reports

NOTES = """

A layer is a pair of functions f_forward and f_backward, a class with forward
and backward, a loss that returns its gradient, or a network that returns a dict
of gradients. Its inputs are drawn by their names; name=3x4 gives a shape, b=5 a
vector, y=classes labels, reg=0.1, stride=2 or mode=train what else it takes,
conv_param.stride=2 an entry of a dict. Exit code: 0 right, 1 something is
wrong, has the wrong shape or crashes, 2 could not run.

The code runs with your rights, in a process of its own: to grade strangers, put
the whole check into a container."""
SHAPE = re.compile(r"\(?\s*\d+(?:\s*[x×*,]\s*\d+)*\s*,?\s*\)?")
CONSTANTS = {"true": True, "false": False, "none": None}
SIZES = re.compile(r"(n|num)_\w+|\w+_(size|dim|features|channels|heads|units)|units|p|G")


def add_layers(parser: argparse.ArgumentParser) -> None:
    parser.epilog = f"{parser.epilog}{NOTES}"
    add = parser.add_argument
    add("target", metavar="FILE[:NAME]", help="a Python file, or one layer of it")
    add(
        "numbers",
        nargs="*",
        default=[],
        metavar="name=SHAPE",
        help="an input: x=3x4, y=classes, reg=0.1",
    )
    where = "where the gradient of an input is: W=dW.T, W=self.grads[0]; repeatable"
    add("--grads", action="append", default=[], metavar="NAME=PLACE", help=where)
    add("--seed", type=whole, default=0, metavar="N", help="another one draws other numbers")
    limit = "for the whole check (default 120)"
    add("--timeout", type=seconds, default=120.0, metavar="SECONDS", help=limit)
    add_reports(parser)


def run_layers(options: argparse.Namespace) -> int:
    """0 if all layers are right, 1 if something is wrong, 2 if nothing could be checked."""
    place, _ = place_of(options.target)
    files = report_files(options, Path(place))
    inputs = inputs_of(options.numbers, names_in(Path(place)))
    grads = dict(halves(word, "--grads W=dW.T") for word in options.grads)
    from microgrid.check.handwritten.entry import layers

    with progress_bar() as bar:

        def progress(name: str, done: int, total: int) -> None:
            if bar is not None:
                bar.total, bar.n = total, done
                bar.set_description(f"{name:.20}")

        report = layers(
            options.target, grads=grads, seed=options.seed, timeout=options.timeout,
            progress=progress, **inputs,
        )  # fmt: skip
    return write_reports(report, files, options.quiet)


def progress_bar() -> AbstractContextManager[Any]:
    """A bar for the layers; nothing where tqdm is not installed, which layers do not need."""
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        return nullcontext()
    return tqdm(leave=False, disable=None, unit="layer")


def halves(word: str, example: str) -> tuple[str, str]:
    """Both sides of name=value; LayerError where there are not both."""
    name, equals, value = (part.strip() for part in word.partition("="))
    if not (equals and value and all(part.isidentifier() for part in name.split("."))):
        raise LayerError(f"{word!r} is not name=value, as in {example}")
    return name, value


def inputs_of(words: Iterable[str], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that the words give; `arguments` are those of the file, with their defaults.

    >>> inputs_of(["x=3x4", "b=5", "y=classes", "stride=2", "conv_param.pad=1"], {})
    {'x': (3, 4), 'b': (5,), 'y': 'classes', 'stride': 2, 'conv_param': {'pad': 1}}
    >>> inputs_of(["W1=5x3"], {"X": None, "parameters": None})
    {'parameters': {'W1': (5, 3)}}
    """
    inputs: dict[str, Any] = {}
    for word in words:
        name, value = halves(word, "x=3x4")
        holder, dot, entry = name.rpartition(".")
        if not dot and arguments and name not in arguments:
            holder = next((n for n in ("parameters", "params") if n in arguments), "")
            entry = name
        into = inputs.setdefault(holder, {}) if holder else inputs
        if not isinstance(into, dict) or entry in into:
            before = into[entry] if isinstance(into, dict) else into
            raise LayerError(f"{word!r}: this was given already, as {before!r}")
        default = arguments.get(name) if not holder else 0 if dot else None
        into[entry] = read(entry, value, default)
    return inputs


def read(name: str, value: str, default: Any) -> Any:
    """A shape, a number, a list, True, False, None or a word.

    A whole number is a number for a name of numbers, or where one is the default, else a length.
    """
    if SHAPE.fullmatch(value):
        sizes = tuple(int(size) for size in re.findall(r"\d+", value))
        return sizes[0] if value.isdecimal() and is_number(name, default) else sizes
    if value.lower() in CONSTANTS:
        return CONSTANTS[value.lower()]
    with suppress(ValueError, SyntaxError):
        return array_of(ast.literal_eval(value))
    if not re.fullmatch(r"[^\W\d][\w-]*", value):
        raise LayerError(
            f"{name}={value} is no input: a shape is written 3x4, labels are written classes, "
            "an array [[1, 2], [3, 4]], and else a number or a word stands there"
        )
    return value


def is_number(name: str, default: Any) -> bool:
    """Whether an argument is one number, by its default or by its name."""
    if type(default) in (int, float) or SIZES.fullmatch(name):
        return True
    return isinstance(names.number(name), int | float) and not names.role(name)


def array_of(given: Any) -> Any:
    """A list as an array; ValueError if its rows differ in length."""
    import numpy as np

    return np.array(given) if isinstance(given, list) else given


def names_in(path: Path) -> dict[str, Any]:
    """The arguments of all functions of a file, with those defaults that are constants."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return {}  # it does not load: the check says why
    found: dict[str, Any] = {}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            a = function.args
            places = [*a.posonlyargs, *a.args]
            pairs = [*zip(places[::-1], a.defaults[::-1]), *zip(a.kwonlyargs, a.kw_defaults)]
            for place in (*places, *a.kwonlyargs):
                found.setdefault(place.arg, None)
            for place, default in pairs:
                if isinstance(default, ast.Constant):
                    found[place.arg] = default.value
    return found
