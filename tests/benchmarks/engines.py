"""How well the checker judges engines: false alarms, mutants that it misses, processor time.

`right` checks right engines with many seeds: nothing may be wrong, and every check must find the
same. `mutants` changes the plain engine in one place, in every way that it knows: each change that
alters a result must be found. What the checker does not find is run beside the right engine on
random programs, in this process, to see whether it alters any.
"""

from __future__ import annotations

import argparse
import ast
import copy
import math
import operator
import os
import random
import signal
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

from microgrid.check import check, museum
from microgrid.check.engine import Engine
from microgrid.check.learning import learn
from microgrid.check.properties import PROPERTIES

try:
    from tqdm import tqdm
except ImportError:
    tqdm = None

ENGINES = Path(__file__).parents[1] / "check" / "engines"
PLAIN = ENGINES / "plain.py"
VALUES_ONLY = (  # the textbook engine without plain numbers
    ("return other if isinstance(other, Value) else Value(other)", "return other"),
    ("self * -1", "self * Value(-1)"),
)
RIGHT = ["microgrid", "plain", "textbook", "composed", "values only", "on_autograd", "on_torch"]
EXPECTED = {"plain": set(), "microgrid": set()}  # findings; of the others whatever is fragile


def with_bar(xs: Iterable[Any], total: int, label: str) -> Iterable[Any]:
    """The same things, with a bar on a terminal if tqdm is installed."""
    return xs if tqdm is None else tqdm(xs, label, total, leave=False, ncols=79, disable=None)


def processes(jobs: int, start: Callable[[], None] | None = None) -> ProcessPoolExecutor:
    """Fresh interpreters: a fork of a process whose threads talk to an engine may hang."""
    return ProcessPoolExecutor(jobs, get_context("spawn"), start)


# Right engines.


def target_of(name: str) -> Any:
    """What is checked: the name of a module, a path, or a class."""
    if name == "microgrid":
        return name
    if name == "composed":
        return museum.composed(museum.Value)
    if name == "values only":
        text = (ENGINES / "textbook.py").read_text()
        for old, new in VALUES_ONLY:
            assert old in text, old
            text = text.replace(old, new)
        path = Path(tempfile.gettempdir()) / f"values_only_{os.getpid()}.py"
        path.write_text(text)
        return str(path)
    return str(ENGINES / f"{name}.py")


@cache
def drawn() -> list[str]:
    """The properties whose programs another seed changes; the others have lists of programs."""
    with Engine("microgrid") as engine:
        can = learn(engine)
        return [
            name for name, prop in PROPERTIES.items()
            if not all(isinstance(case.examples, list) for case in prop.cases(can))
        ]  # fmt: skip


def judged(name: str, seed: int, draws: int) -> tuple[str, int, float, list[str]]:
    """The findings on a right engine, and the seconds of processor time.

    Seed 0 checks all; what no seed changes is not run again with the others.
    """
    start, only = sum(os.times()[:4]), drawn() if seed else []
    report = check(target_of(name), only=only, seed=seed, draws=draws, timeout=600)
    found = [f"{f.kind} {f.prop.name}: {f.headline}" for f in report.findings]
    if not report.complete:
        found.append("wrong: not all was run")
    return name, seed, sum(os.times()[:4]) - start, found


def right_engines(
    names: list[str], seeds: int, draws: int, jobs: int, log: TextIO | None = None
) -> int:
    """A table of false alarms; how many there are. Each check is a line of the log."""
    rows: dict[str, list[Any]] = {name: [] for name in names}
    alarms = 0
    with processes(jobs) as pool:
        waiting = [pool.submit(judged, x, seed, draws) for seed in range(seeds) for x in names]
        for done in with_bar(as_completed(waiting), len(waiting), "checks"):
            name, seed, seconds, found = done.result()
            rows[name].append((seconds, found))
            if log is not None:
                print(seed, name, f"{seconds:.1f}", found, file=log, flush=True)
            for line in found:
                if line.startswith("wrong") or name in EXPECTED:
                    alarms += 1
                    print(f"FALSE ALARM {name}, seed {seed}: {line}", flush=True)
    print(f"{'right engine':14} {'checks':>6} {'alarms':>6} {'CPU s':>6}  fragile or a convention")
    for name, checks in rows.items():
        kinds = Counter(line.partition(":")[0] for _, found in checks for line in found)
        wrong = sum(n for kind, n in kinds.items() if kind.startswith("wrong"))
        others = ", ".join(f"{kind} ({n})" for kind, n in kinds.items() if kind[:5] != "wrong")
        seconds = statistics.median(seconds for seconds, _ in checks)
        print(f"{name:14} {len(checks):6} {wrong:6} {seconds:6.1f}  {others or 'nothing'}")
    return alarms


# Mutants.

OPERATORS = {ast.Add: [ast.Sub, ast.Mult], ast.Sub: [ast.Add], ast.Mult: [ast.Add, ast.Div],
             ast.Div: [ast.Mult], ast.Pow: [ast.Mult]}  # fmt: skip
COMPARED = {ast.Gt: [ast.GtE, ast.Lt], ast.Lt: [ast.LtE, ast.Gt], ast.GtE: [ast.Gt, ast.Lt],
            ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.NotIn: [ast.In]}  # fmt: skip
NAMES = {"self": ["other"], "other": ["self"], "max": ["min"], "a": ["b"], "b": ["a"]}
ATTRIBUTES = {"data": ["grad"], "grad": ["data"], "exp": ["sinh"], "log": ["log1p"],
              "sin": ["cos"], "cos": ["sin"], "tanh": ["atan"], "sqrt": ["cbrt"]}  # fmt: skip


def changes(node: ast.AST) -> Iterator[Callable[[], ast.AST | None]]:
    """Other nodes that may stand in the place of this one; None for no statement at all."""
    with_ = lambda **new: lambda: replaced(node, **new)  # noqa: E731
    match node:
        case ast.BinOp(op=op):
            for new in OPERATORS.get(type(op), []):
                yield with_(op=new())
            yield lambda: ast.BinOp(node.right, node.op, node.left)
            yield lambda: node.left
            yield lambda: node.right
        case ast.Compare(ops=[op]):
            for new in COMPARED.get(type(op), []):
                yield with_(ops=[new()])
        case ast.AugAssign(target, ast.Add(), value):
            yield lambda: ast.Assign([target], value)
            yield with_(op=ast.Sub())
            yield lambda: None
        case ast.Assign() | ast.Expr(ast.Call()):
            yield lambda: None
        case ast.Return(value) if value is not None:
            yield lambda: ast.Return(None)
        case ast.Constant(value=number) if type(number) in (int, float):
            for new in {number + 1, -number, 2 * number, 0 * number} - {number}:
                yield lambda new=new: ast.Constant(new)
        case ast.UnaryOp(ast.USub(), operand):
            yield lambda: operand
        case ast.IfExp(test, body, orelse):
            yield lambda: ast.IfExp(test, orelse, body)
            yield lambda: body
            yield lambda: orelse
        case ast.If(test):
            yield with_(test=ast.UnaryOp(ast.Not(), test))
            yield with_(test=ast.Constant(True))
            yield with_(test=ast.Constant(False))
        case ast.Tuple(elts=[first, second], ctx=ast.Load()):
            yield with_(elts=[second, first])
            yield with_(elts=[first])
            yield with_(elts=[first, first])
        case ast.Call(ast.Name("reversed" | "wrap" | "float" | "tuple"), [argument]):
            yield lambda: argument
        case ast.Call(args=[first]):
            yield lambda: first
        case ast.Name(name, ast.Load()):
            for new in NAMES.get(name, []):
                yield with_(id=new)
        case ast.Attribute(attr=name):
            for new in ATTRIBUTES.get(name, []):
                yield with_(attr=new)


def replaced(node: ast.AST, **new: Any) -> ast.AST:
    found = copy.copy(node)
    for name, value in new.items():
        setattr(found, name, value)
    return found


class Change(ast.NodeTransformer):
    """Make the change of one number, and count all."""

    def __init__(self, number: int) -> None:
        self.number, self.count, self.line = number, 0, 0

    def visit(self, node: ast.AST) -> Any:
        for change in changes(node):
            self.count += 1
            if self.count - 1 == self.number:
                self.line = getattr(node, "lineno", 0)
                return change() or (ast.Pass() if isinstance(node, ast.stmt) else node)
        return self.generic_visit(node)


def mutants(text: str) -> list[tuple[int, str]]:
    """(line, text) of every mutant of a program that is another program."""
    counter = Change(-1)
    counter.visit(ast.parse(text))
    found = {}
    right = ast.unparse(ast.parse(text))
    for number in range(counter.count):
        change = Change(number)
        tree = change.visit(ast.parse(text))
        changed = ast.unparse(ast.fix_missing_locations(tree))
        if changed != right:
            found.setdefault(changed, change.line)
    return [(line, changed) for changed, line in found.items()]


QUICK = ["contract", "values", "operands", "one operation", "reuse"]


def caught(number: int, line: int, text: str) -> tuple[int, int, str, str]:
    """What the checker says of a mutant: the quick properties first, then all; "" for nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.py"
        path.write_text(text)
        for options in ({"only": QUICK, "draws": 5}, {}):
            try:
                report = check(str(path), timeout=60, **options)
            except Exception as error:
                return number, line, text, f"{type(error).__name__}: {error}"
            # What is no longer offered is told, too.
            lost = {*report.missing} - MISSING
            if report.findings or lost or not report.complete:
                headline = report.findings[0].headline if report.findings else f"lost {lost}"
                return number, line, text, headline
        refused = [x for r in report.results for x in r.absent if x not in USUALLY_ABSENT]
        return number, line, text, f"not offered: {refused}" if refused else ""


def all_mutants(count: int, seed: int, jobs: int) -> int:
    """How many mutants that alter a result are not caught."""
    found = mutants(PLAIN.read_text())
    chosen = random.Random(seed).sample(found, min(count, len(found))) if count else found
    missed, same, caught_ = 0, 0, 0
    with processes(jobs, baseline) as pool:
        waiting = [pool.submit(caught, i, *mutant) for i, mutant in enumerate(chosen)]
        for done in with_bar(as_completed(waiting), len(waiting), "mutants"):
            number, line, text, said = done.result()
            if said:
                caught_ += 1
                continue
            difference = alters(text)
            if difference:
                missed += 1
                print(f"MISSED mutant {number}, line {line}: {difference}", flush=True)
                for old, new in zip(right_lines(), text.splitlines()):
                    if old != new:
                        print(f"    {old.strip()}  →  {new.strip()}")
                        break
            else:
                same += 1
    print(f"{len(chosen)} of {len(found)} mutants: {caught_} caught, {missed} missed, "
          f"{same} alter no result")  # fmt: skip
    return missed


def right_lines() -> list[str]:
    return ast.unparse(ast.parse(PLAIN.read_text())).splitlines()


# The oracle: random programs, on the right engine and on the mutant.


def module_of(text: str) -> ModuleType:
    module = ModuleType("engine")
    exec(compile(text, "<engine>", "exec"), vars(module))
    return module


def alters(text: str, programs: int = 3000) -> str:
    """The first random program of which the mutant gives another result; "" for none."""
    right, wrong = module_of(PLAIN.read_text()), module_of(text)
    for seed in range(programs):
        a, b = (
            with_limit(lambda m=m, s=seed: numbers_of(m, random.Random(s))) for m in (right, wrong)
        )
        if not alike(a, b):
            return f"program {seed}: {b} for {a}"
    return ""


def with_limit(run: Callable[[], Any]) -> Any:
    """What it gives within two seconds, or the type of its error."""

    def stop(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(2)
    try:
        return run()
    except Exception as error:
        return type(error).__name__
    finally:
        signal.alarm(0)


def alike(a: Any, b: Any) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return bool(a == b)
    return len(a) == len(b) and all(
        math.isclose(x, y, rel_tol=1e-6, abs_tol=1e-9) or (x != x and y != y)
        for x, y in zip(a, b)
    )  # fmt: skip


BINARY = (operator.add, operator.sub, operator.mul, operator.truediv)
UNARY = ("exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu", "__neg__", "__abs__")


def numbers_of(engine: ModuleType, draw: random.Random) -> list[float]:
    """The values and gradients of a random program with one or two passes."""
    number = lambda: draw.choice((draw.randint(-3, 3), draw.uniform(-3, 3)))  # noqa: E731
    leaves = [engine.Value(number()) for _ in range(draw.randint(1, 3))]
    nodes = list(leaves)
    for _ in range(draw.randint(1, 6)):
        x, y = draw.choice(nodes), draw.choice((draw.choice(nodes), nodes[-1]))
        z = draw.choice((y, y, number()))
        kind = draw.randrange(8)
        if kind < 3:
            new = draw.choice(BINARY)(x, z)
        elif kind == 3:
            new = draw.choice(BINARY)(number(), x)
        elif kind == 4:
            new = draw.choice((lambda v: v, abs))(x) ** draw.choice((2, 3, -1, 1, 0))
        elif kind == 5:
            several = [draw.choice(nodes) for _ in range(draw.randint(1, 4))]
            new = draw.choice((engine.total, engine.mean))(several)
        elif kind == 6:
            new = engine.maximum(x, y)
        else:
            new = getattr(x, draw.choice(UNARY))()
        nodes.append(new)
    nodes[-1].backward()
    if draw.random() < 0.3:
        draw.choice(leaves).zero_grad()
    if draw.random() < 0.3:
        draw.choice(nodes[len(leaves) :]).backward()
    return [v.data for v in nodes] + [v.grad for v in leaves]


def baseline() -> None:
    """Note what the plain engine does not offer, in the words of a report."""
    report = check(str(PLAIN), draws=3)
    MISSING.update(report.missing)
    USUALLY_ABSENT.update(x for r in report.results for x in r.absent)


MISSING: set[str] = set()
USUALLY_ABSENT: set[str] = set()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["right", "mutants"])
    parser.add_argument("engines", nargs="*", default=RIGHT, help=f"of {', '.join(RIGHT)}")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--count", type=int, default=0, help="a sample of the mutants; 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--log", type=argparse.FileType("w"), help="a line for each check of right")
    options = parser.parse_args()
    if options.what == "right":
        o = options
        return bool(right_engines(o.engines, o.seeds, o.draws, o.jobs, o.log))
    return bool(all_mutants(options.count, options.seed, options.jobs))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
