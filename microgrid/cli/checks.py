"""`microgrid check`: the checker of engines, with its reports as files."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import microgrid
from microgrid.check.command import ADAPTERS, command_of, read_words
from microgrid.cli.arguments import count, seconds, whole
from microgrid.cli.reports import add_reports, report_files, write_reports
from microgrid.views.files import write

NOTES = """

An engine is a class with + or *, which is made of a number and goes backward.
Functions are looked for as methods and as functions of the module. Engines in
other languages are run by an adapter, a program of a hundred lines; those for
JavaScript and C are shipped, beside a page on what an adapter says. Findings:
  wrong        a number is wrong: the check fails
  fragile      it breaks on depth, overflow, memory, a second pass
  not offered  a usual form is missing, such as a plain number before the sign
  convention   another choice than PyTorch's where there is no derivative
With --strict what is fragile or not offered fails, too. Exit code: 0 passes,
1 fails, 2 could not run.

The engine's code runs with your rights, in a process of its own: to grade
strangers, put the whole check into a container."""


def add_check(parser: argparse.ArgumentParser) -> None:
    parser.epilog = f"{parser.epilog}{NOTES}"
    add = parser.add_argument
    place = "the engine, a file or a module; default class: Value"
    add("target", metavar="PATH[:CLASS]|MODULE[:CLASS]", nargs="?", help=place)
    sample = "check a small engine with two mistakes; with a PATH, write it there before"
    add("--example", action="store_true", help=sample)
    add("--command", dest="words", metavar="COMMAND", help="the adapter of another language")
    add("--adapter", choices=[*ADAPTERS], help="print where this one is shipped, to copy it")
    several: dict[str, Any] = {"action": "extend", "type": split, "default": []}
    add("--only", **several, metavar="PROPERTY", help="check this one alone; repeatable")
    add("--require", **several, metavar="OPERATION", help="fail if it is not offered; repeatable")
    add("--strict", action="store_true", help="what is fragile or not offered fails, too")
    drawn = "programs a property draws for each operation (default 20)"
    add("--draws", "--examples", type=count, default=20, metavar="N", help=drawn)
    add("--seed", type=whole, default=0, metavar="N", help="another one draws others")
    limit = "of processor time for the whole check (default 60)"
    add("--timeout", type=seconds, default=60.0, metavar="SECONDS", help=limit)
    add_reports(parser, html="a page with the graph of each counterexample")


def target_of(options: argparse.Namespace) -> str | list[str]:
    """What is to be checked: an engine, the shipped one or a copy of it, or a command."""
    from microgrid.check.engine import EngineError

    if options.words is not None:
        if options.target is not None or options.example:
            raise EngineError("name an engine, or else the --command of an adapter")
        try:
            return read_words(options.words)
        except ValueError as error:
            raise EngineError(str(error)) from None
    shipped = Path(microgrid.__file__).parent / "check" / "example_engine.py"
    if not options.example:
        if options.target is None:
            raise EngineError("name a file, or try `microgrid check --example`")
        return str(options.target)
    if options.target is None:
        return str(shipped)
    if Path(options.target).suffix != ".py" or Path(options.target).exists():
        raise EngineError(f"--example is written to a new .py file, which {options.target} is not")
    write(options.target, shipped.read_bytes())
    print(f"wrote {options.target}", file=sys.stderr)
    return str(options.target)


def run_check(options: argparse.Namespace) -> int:
    """0 if the engine passes, 1 if it fails, 2 if the check could not run to its end."""
    if options.adapter:
        print(ADAPTERS[options.adapter])
        return 0
    try:
        from tqdm import tqdm

        from microgrid.check import PROPERTIES, check  # needs hypothesis
    except ModuleNotFoundError as error:
        raise ImportError(
            f'the checker needs {error.name}: pip install "microgrid-autodiff[check]"'
        ) from None
    target = target_of(options)
    files = report_files(options, file_of(target))
    with tqdm(total=len(PROPERTIES), leave=False, disable=None, unit="property") as bar:

        def progress(prop: Any) -> None:
            bar.set_description(f"{prop.name:15}")
            bar.update()

        report = check(
            target, only=options.only, draws=options.draws, seed=options.seed,
            timeout=options.timeout, require=options.require, strict=options.strict,
            progress=progress,
        )  # fmt: skip
    return write_reports(report, files, options.quiet)


def file_of(target: str | list[str]) -> Path:
    """The file that is checked, which no report may overwrite."""
    if command := command_of(target):
        return next((p for p in map(Path, reversed(command)) if p.is_file()), Path(command[0]))
    from microgrid.check.engine import parse

    place, kind, _ = parse(str(target))
    return Path(place if kind == "path" else place.replace(".", os.sep) + ".py")


def split(names: str) -> list[str]:
    """One name, or several with commas between them."""
    return [name for name in map(str.strip, names.split(",")) if name]
