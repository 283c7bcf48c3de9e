"""`microgrid check`: the checker of engines, with its reports as files."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from microgrid.check.command import ADAPTERS, command_of, words
from microgrid.cli.arguments import count, seconds, whole
from microgrid.cli.reports import add_reports, report_files, write_reports

NOTES = """

The class needs Value(number), .data, .grad, .backward() and operators;
functions are looked for as methods and as functions of the module. An engine in
another language is run by an adapter, a program of a hundred lines; those for
JavaScript and C are shipped, with a page on what they say (--adapter). Findings
are wrong (a wrong number), fragile (it breaks on depth, overflow, memory) or a
convention. Exit code: 0 passes, 1 fails (something is wrong; with --strict also
if fragile), 2 could not run.

The engine's code runs with your rights, in a process of its own: to grade
strangers, put the whole check into a container."""


def add_check(parser: argparse.ArgumentParser) -> None:
    parser.epilog = f"{parser.epilog}{NOTES}"
    add = parser.add_argument
    target = "default class: Value; a path may be of JavaScript, too"
    add("target", nargs="?", metavar="PATH[:CLASS]|MODULE[:CLASS]", help=target)
    add("--command", dest="words", metavar="COMMAND", help="the adapter of another language")
    add("--adapter", choices=[*ADAPTERS], help="print where this one is shipped, to copy it")
    several: dict[str, Any] = {"action": "extend", "type": split, "default": []}
    add("--only", **several, metavar="PROPERTY", help="repeatable")
    add("--require", **several, metavar="OPERATION", help="fail if it is not offered; repeatable")
    add("--strict", action="store_true", help="what is fragile fails, too")
    drawn = "programs a property draws for each operation (default 20)"
    add("--draws", "--examples", type=count, default=20, metavar="N", help=drawn)
    add("--seed", type=whole, default=0, metavar="N", help="another one draws others")
    limit = "of processor time for the whole check (default 60)"
    add("--timeout", type=seconds, default=60.0, metavar="SECONDS", help=limit)
    add_reports(parser, html="a page with the graph of each counterexample")


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


def target_of(options: argparse.Namespace) -> str | list[str]:
    """What is checked: the engine that is named, or the command of an adapter."""
    from microgrid.check.engine import EngineError

    if (options.target is None) == (options.words is None):
        raise EngineError("name an engine, or else the --command of an adapter")
    if options.target is not None:
        return str(options.target)
    try:
        command = words(options.words)
    except ValueError as error:
        raise EngineError(f"the command cannot be read: {error}") from None
    if not command:
        raise EngineError("the command has no words")
    return command


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
