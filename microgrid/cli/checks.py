"""`microgrid check`: the checker of engines, with its reports as files."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import microgrid
from microgrid.check.command import ADAPTERS, command_of, read_words
from microgrid.cli.arguments import count, seconds, whole
from microgrid.cli.reports import add_reports, report_files, write_reports
from microgrid.engine.extras import explained
from microgrid.views.files import write

NOTES = """

An engine is a class with + or *, which is made of a number and goes backward.
Functions are looked for as methods and as functions of the module. An engine in
another language is run by an adapter, a program of a hundred lines; those for
JavaScript and C are shipped, with a page on what they say (--adapter).

Findings:
  wrong        a number is wrong: the check fails
  fragile      it breaks on depth, overflow, memory, a second pass
  not offered  a usual form is missing, such as a plain number before the sign
  convention   another choice than PyTorch's where there is no derivative
With --strict what is fragile or not offered fails, too. Exit code: 0 passes,
1 fails, 2 could not run.

The engine's code runs with your rights, in a process of its own: to grade
strangers, put the whole check into a container."""
SHIPPED = Path(microgrid.__file__).parent / "check" / "example_engine.py"


def add_check(parser: argparse.ArgumentParser) -> None:
    parser.epilog = f"{parser.epilog}{NOTES}"
    add = parser.add_argument
    place = "the engine: a file, a notebook or a module, in Python or JavaScript"
    add("target", metavar="PATH[:CLASS]|MODULE[:CLASS]", nargs="?", help=place)
    sample = "check a small engine with two mistakes; with a PATH, write it there before"
    add("--example", action="store_true", help=sample)
    add("--command", dest="words", metavar="COMMAND", help="the adapter of another language")
    add("--adapter", choices=[*ADAPTERS], help="print where this one is shipped, to copy it")
    cases = "write small programs with the right numbers, for tests in any language"
    add("--export", type=Path, metavar="CASES.json", help=cases)
    for name, usual in ("data", ".data"), ("grad", ".grad"), ("backward", ".backward()"):
        add(f"--{name}", default="", metavar="NAME", help=f"how this engine spells {usual}")
    several: dict[str, Any] = {"action": "extend", "type": split, "default": []}
    add("--only", **several, metavar="PROPERTY", help="check this one alone; repeatable")
    required = "an operation or a property that must be there and hold; repeatable"
    add("--require", **several, metavar="NAME", help=required)
    add("--strict", action="store_true", help="what is fragile or not offered fails, too")
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

        from microgrid.check import PROPERTIES, check  # which need hypothesis
    except ModuleNotFoundError as error:
        raise explained(error, "the checker needs") from None
    if options.export:
        return export(options)
    target = target_of(options)
    files = report_files(options, file_of(target))
    with tqdm(total=len(PROPERTIES), leave=False, disable=None, unit="property") as bar:

        def progress(prop: Any) -> None:
            bar.set_description(f"{prop.name:15}")
            bar.update()

        report = check(
            target, only=options.only, draws=options.draws, seed=options.seed,
            timeout=options.timeout, require=options.require, strict=options.strict,
            data=options.data, grad=options.grad, backward=options.backward, progress=progress,
        )  # fmt: skip
    return write_reports(report, files, options.quiet)


def export(options: argparse.Namespace) -> int:
    """Write the cases, with a bar of the properties."""
    from tqdm import tqdm

    from microgrid.check import PROPERTIES
    from microgrid.check.checker import known
    from microgrid.check.conformance import cases

    chosen = known(options.only, PROPERTIES, "property") or [*PROPERTIES]
    with tqdm(chosen, leave=False, disable=None, unit="property") as bar:
        suite = cases(options.seed, bar)
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in suite.pop("cases"))
    head = json.dumps(suite, ensure_ascii=False)[:-1]
    text = f'{head}, "cases": [\n{lines}\n]}}\n'
    write(options.export, text.encode())
    print(f"wrote {options.export}: {lines.count(chr(10)) + 1} cases", file=sys.stderr)
    return 0


def target_of(options: argparse.Namespace) -> str | list[str]:
    """What is checked: the engine that is named, the shipped one, or the command of an adapter."""
    from microgrid.check.engine import EngineError

    place = options.target
    if options.words is not None:
        if place is not None or options.example:
            raise EngineError("name an engine, or else the --command of an adapter")
        try:
            return read_words(options.words)
        except ValueError as error:
            raise EngineError(str(error)) from None
    if not options.example:
        if place is None:
            raise EngineError("name a file, or try `microgrid check --example`")
        return str(place)
    if place is None:
        return str(SHIPPED)
    if Path(place).suffix != ".py" or Path(place).exists():
        raise EngineError(f"--example is written to a new .py file, which {place} is not")
    write(place, SHIPPED.read_bytes())
    print(f"wrote {place}", file=sys.stderr)
    return str(place)


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
