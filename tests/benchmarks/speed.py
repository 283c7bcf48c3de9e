"""The table of speed in the README: measured here, kept in speed.json, drawn from it.

Every row is a race (`race` of engine.py): two sides that compute the same take turns in one process
with one thread, and a ratio is the median over the pairs of turns, by processor time and by the
clock on the wall. What both compute must agree to 1e-9 of its largest number, or the script ends
with an error and writes nothing. A run replaces the rows that it measured for this version of
Python; the others stay.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before NumPy is imported: one thread, as for PyTorch
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import contextlib
import importlib
import importlib.metadata
import json
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import engine
import numpy as np
import program
from engine import TOLERANCE, Demo, Race, load, no_collector, others_unseen, processor, race
from program import HEADS, TABLE, MissingError, Row, Step, against, contest, gap, limit, line

import microgrid as mg
from microgrid.engine.hints import UnknownKeywordError
from microgrid.program.plan.lines import UNDIVIDED
from microgrid.program.plan.products import discovered
from microgrid.program.plan.schedule import passes

HERE = Path(__file__).parent
KEPT, README = HERE / "speed.json", HERE.parent.parent / "README.md"
BEGIN, END = "<!-- speed.json, drawn by tests/benchmarks/speed.py -->", "<!-- end of speed.json -->"
OURSELVES = ("before matrices", "at most", "recording alone")  # no others to compare with
EXAMPLES = """examples:
  python tests/benchmarks/speed.py --today ../old     all rows, about ten minutes; writes the README
  python tests/benchmarks/speed.py eager --pairs 21   one work, more turns
  python tests/benchmarks/speed.py mlp --dry          nothing is written
  python tests/benchmarks/speed.py --draw             the README from speed.json, nothing measured
a checkout of an older state: git worktree add ../old 1db9804
"""


class Settings(NamedTuple):
    """How much is run: `small` are graphs for tests, `today` the checkout to compare with."""

    pairs: int = 11
    today: Path | None = None
    small: bool = False


# The package of another checkout.


class Elsewhere:
    """The benchmark's steps, made with the package of another checkout, in this process.

    Both packages have one name, so whoever runs finds its own modules in sys.modules.
    """

    NAMES = ("microgrid", "microgrid_kernel", "program", "engine")

    def __init__(self, checkout: Path) -> None:
        if not (checkout / "microgrid" / "__init__.py").exists():
            raise MissingError(f"there is no checkout of microgrid at {checkout}")
        self.path, self.modules = [str(checkout), str(HERE)], dict[str, ModuleType]()
        with self:
            self.program = importlib.import_module("program")
            self.engine = importlib.import_module("engine")
            found = Path(str(self.program.mg.__file__)).resolve()
            if checkout.resolve() not in found.parents:
                raise MissingError(f"{found} is not of {checkout}")

    def __enter__(self) -> None:
        self.others = taken(self.NAMES)
        sys.modules.update(self.modules)
        sys.path[:0] = self.path

    def __exit__(self, *_: object) -> None:
        del sys.path[: len(self.path)]
        self.modules = taken(self.NAMES)
        sys.modules.update(self.others)

    def step(self, make: Callable[[ModuleType, ModuleType], Step]) -> Step:
        """A step of the other package, made from its modules program and engine.

        It runs `with` this package; going in and out takes a millisecond.
        """
        with self:
            try:
                return make(self.program, self.engine)
            except self.engine.MissingError as error:  # a class of the other's own
                raise MissingError(*error.args) from None


def taken(names: tuple[str, ...]) -> dict[str, ModuleType]:
    """The modules of these names and below, taken out of sys.modules."""
    found = {k: m for k, m in sys.modules.items() if k.split(".")[0] in names}
    for name in found:
        del sys.modules[name]
    return found


# The rows: the table of what is to be reached, in the order of issue 18.

MLP, WIDE, DEMO = (64, 64, 64, 10), (784, 128, 10), (2, 16, 16, 1)


def rivals(work: str, ours: Callable[[], Step], how: Settings, **others: Any) -> Iterator[Row]:
    """A row for each rival: its step and the ratio that is asked for."""
    for name, (theirs, target) in others.items():
        title = {"torch": "PyTorch", "numpy": "NumPy by hand"}[name]
        yield against(
            work, title, target,
            lambda theirs=theirs, title=title: contest(
                theirs(), tried(ours), how.pairs, f"{work}, {title}"
            ),
        )  # fmt: skip


def tried(make: Callable[[], Step]) -> Step:
    """The step; MissingError where this version of the package has no such option yet."""
    try:
        return make()
    except UnknownKeywordError as error:
        raise MissingError(str(error)) from None


def mlp_rows(how: Settings) -> Iterator[Row]:
    """Layers that are matrix products."""
    works = [
        (MLP, "relu", 100, {}, {"torch": 1.4, "numpy": 0.7}),
        (MLP, "tanh", 100, {"fast": True}, {"torch": 1.3, "numpy": 0.7}),
        (WIDE, "relu", 32, {}, {"torch": 0.8, "numpy": 0.6}),
        (WIDE, "relu", 100, {}, {"torch": 0.8, "numpy": 0.6}),
        (MLP, "relu", 100, {"backend": "numpy"}, {"numpy": 0.5}),
    ]
    for sizes, act, points, options, targets in works:
        given = (9, 8, 7) if how.small else sizes
        said = {"fast": ", fast", "backend": ", without numba"}
        name = "-".join(map(str, given)) + f" {act}, batch of {points}"
        yield from rivals(
            name + "".join(said[k] for k in options),
            partial(program.mlp_batch, points, given, act, options, threads=1), how,
            **{k: (partial(getattr(program, f"mlp_{k}"), points, given, act), target)
               for k, target in targets.items()},
        )  # fmt: skip


def demo_rows(how: Settings) -> Iterator[Row]:
    """Layers that are too small for matrix products."""
    points = 8 if how.small else 100
    yield from rivals(
        f"2-16-16-1 relu, batch of {points}", partial(program.demo_batch, points, threads=1), how,
        numpy=(partial(program.demo_numpy, points), 1.1),
        torch=(partial(program.demo_torch, points), 5),
    )  # fmt: skip


def digits_rows(how: Settings) -> Iterator[Row]:
    """Whole trainings, recording included."""
    import training

    for hidden, target in ((4, 0),) if how.small else ((32, 4), (128, 1.5)):
        epochs = 1 if how.small else 10
        yield against(
            f"digits 64-{hidden}-10, {epochs} epochs", "PyTorch", target,
            partial(training.run, hidden, epochs, max(1, how.pairs // 2)),
        )  # fmt: skip


def eager_rows(how: Settings) -> Iterator[Row]:
    """The engine itself: graphs built, walked and let go."""
    points = 4 if how.small else 100
    target = {"on": 5 if sys.version_info < (3, 12) else 3, "off": 1.5}

    def run() -> Race:
        theirs = Demo(load("micrograd", "micrograd/engine.py").Value, points)
        ours = Demo(mg.Value, points)
        found = race(lambda: [theirs.step()], lambda: [ours.step()], how.pairs, "eager")
        return found._replace(apart=gap(theirs.gradients(), ours.gradients()))

    for collector, held in (("on", contextlib.nullcontext), ("off", no_collector)):
        with held():
            row = against("the demo in the engine, one step", "micrograd", target[collector], run)
        yield row._replace(collector=collector)


def today_rows(how: Settings) -> Iterator[Row]:
    """Nothing may be slower than it was."""
    points, sizes = (5, (9, 8, 7)) if how.small else (100, MLP)
    works: dict[str, tuple[float, Callable[[Any, Any], Step]]] = {
        f"{'-'.join(map(str, sizes))} relu, batch of {points}":
            (2.3, lambda p, e: p.mlp_batch(points, sizes, "relu", threads=1)),
        f"{'-'.join(map(str, sizes))} tanh, batch of {points}":
            (0.97, lambda p, e: p.mlp_batch(points, sizes, threads=1)),
        f"2-16-16-1 relu, batch of {points}":
            (0.97, lambda p, e: p.demo_batch(points, threads=1)),
        f"2-16-16-1 relu, batch of {points}, without numba":
            (0.97, lambda p, e: p.demo_batch(points, backend="numpy")),
        f"demo, flat graph of {points} samples": (0.97, lambda p, e: p.flat_step(points)),
        "a program of two numbers": (0.97, lambda p, e: pair_step(p.mg)),
        "microGPT, one step": (1.9, lambda p, e: gpt_step(p)),
        "the demo in the engine, one step": (0.97, lambda p, e: e.Demo(p.mg.Value, points).step),
    }  # fmt: skip
    for work, (target, make) in works.items():

        def run(make: Any = make, work: str = work) -> Race:
            if how.today is None:
                raise MissingError("--today PATH names a checkout of the older state")
            other = Elsewhere(how.today)
            theirs, ours = other.step(make), make(program, engine)
            return contest(theirs, ours, how.pairs, f"{work}, before", within=other)

        yield against(work, "before matrices", target, run)


def pair_step(package: Any) -> Step:
    """Value and gradient of a program of two numbers."""
    replayed = package.record(lambda x, y: x * y + x, 2.0, 3.0)
    return lambda: replayed.value_and_grad(2.0, 3.0)


def gpt_step(scripts: Any) -> Step:
    """Loss and gradient of one document for microGPT, unbatched."""
    model = scripts.ReplayedGPT()
    return lambda: model.gradient(model.docs[0])


def call_rows(how: Settings) -> Iterator[Row]:
    """What a call costs that computes nearly nothing."""
    batched = mg.record(lambda w, x: w * x, 2.0, 3.0).batched((None, 0), threads=1)
    xs = np.arange(32.0)
    for work, most, step in (
        ("a call of a program of two numbers", 3e-6, pair_step(mg)),
        ("the same, batched, 32 samples", 15e-6, lambda: batched.value_and_grad(2.0, xs)),
    ):
        yield limit(work, most, program.median_time(step))


def discovery_rows(how: Settings) -> Iterator[Row]:
    """What it costs to find the matrices, beside recording."""
    points = 1 if how.small else 5
    loss, p = program.flat_demo(points)

    lines = passes(mg.record(loss, p).tape, 0, (0,), window=UNDIVIDED).lines

    def recorded() -> list[float]:
        mg.record(loss, p)
        return [0.0]

    def found() -> list[float]:
        discovered(lines)
        return recorded()

    def run() -> Race:
        return contest(recorded, found, how.pairs, "discovery")

    yield against("recording, matrices found", "recording alone", 1 / 1.2, run)


WORKS: dict[str, Callable[[Settings], Iterator[Row]]] = {
    "mlp": mlp_rows, "demo": demo_rows, "digits": digits_rows, "eager": eager_rows,
    "today": today_rows, "calls": call_rows, "discovery": discovery_rows,
}  # fmt: skip


# What is kept, and what is drawn.


def kept(row: Row) -> dict[str, Any]:
    """A row as JSON, with what it was measured with."""
    return {
        "work": row.work, "against": row.against, "theirs": row.theirs, "ours": row.ours,
        "ratio": row.ratio, "wall": row.wall, "target": row.target,
        "python": platform.python_version(), "collector": row.collector,
        "processor": processor(), "cores": os.cpu_count(), "threads": 1,
        "date": datetime.now(UTC).date().isoformat(), "version": version(row.against),
    }  # fmt: skip


def version(rival: str) -> str:
    """The version of a rival, empty for none."""
    names = {"PyTorch": "torch", "NumPy by hand": "numpy", "micrograd": "micrograd"}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(names[rival]) if rival in names else ""
    return ""


def key(row: dict[str, Any]) -> tuple[str, ...]:
    """What a newer row replaces: the same work with the same minor version of Python."""
    return row["work"], row["against"], minor(row), row["collector"]


def minor(row: dict[str, Any]) -> str:
    return ".".join(row["python"].split(".")[:2])


def joined(before: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the new ones in the place of older ones, others after them."""
    rows = {key(row): row for row in before}
    return list((rows | {key(row): row for row in new}).values())


def drawn(rows: list[dict[str, Any]]) -> str:
    """The rows against others in Markdown, and below them what they were measured with.

    Limits, and rows against an older state, are for those who work on the package.
    """
    rows = [row for row in rows if row["against"] not in OURSELVES]
    lines = [
        "| work | against | CPython | collector | processor time | wall time |",
        "| --- | --- | --- | --- | ---: | ---: |",
    ]
    for row in rows:
        rival = f"{row['against']} {row['version'].partition('+')[0]}".strip()
        cells = (
            row["work"], rival, minor(row), row["collector"], f"{row['ratio']:.2g} ×",
            f"{row['wall']:.2g} ×" if row["wall"] else "–",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    sets = {(r["python"], r["processor"], r["cores"], r["threads"], r["date"]) for r in rows}
    lines.append("")
    lines += [
        f"CPython {python}, {threads} thread on {cores} cores of {cpu}, {date}.  "
        for python, cpu, cores, threads, date in sorted(sets)
    ]
    lines[-1] = lines[-1].rstrip()
    return "\n".join(lines)


def placed(text: str, table: str) -> str:
    """The text with the table between its marks."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"the README has no place between {BEGIN} and {END}")
    return f"{head}{BEGIN}\n{table}\n{END}{tail}"


def draw() -> None:
    """Write the table into the README."""
    text = README.read_text(encoding="utf-8")
    README.write_text(placed(text, drawn(json.loads(KEPT.read_text()))), encoding="utf-8")


def measured(works: list[str], how: Settings) -> list[Row]:
    """Race and print; what else is in memory is not looked at by the collector."""
    rows: list[Row] = []
    print(TABLE.format(*HEADS))
    for work in works:
        with others_unseen():
            for row in WORKS[work](how):
                rows.append(row)
                print(line(row), flush=True)
    return rows


def main(argv: list[str] | None = None) -> int:
    """Run what is asked for, keep and draw it; 1 if any number is wrong."""
    parser = argparse.ArgumentParser(
        description="The README's table of speed.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("work", nargs="*", help=f"any of {', '.join(WORKS)} (default: all)")
    parser.add_argument("--today", type=Path, help="a checkout of the state to compare with")
    parser.add_argument("--pairs", type=int, default=11, help="pairs of turns (default: 11)")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    parser.add_argument("--draw", action="store_true", help="draw the README and end")
    parser.add_argument("--small", action="store_true", help="small graphs, to try it; with --dry")
    asked = parser.parse_args(argv)
    if unknown := [w for w in asked.work if w not in WORKS]:
        parser.error(f"no such work: {', '.join(unknown)} (choose from {', '.join(WORKS)})")
    if asked.draw:
        draw()
        return 0
    how = Settings(max(1, asked.pairs), asked.today, asked.small)
    rows = measured(asked.work or list(WORKS), how)
    wrong = [row for row in rows if not row.apart <= TOLERANCE]
    for row in wrong:
        print(f"WRONG: {row.work}: {row.apart:.1e} from {row.against}", file=sys.stderr)
    if not wrong and not asked.dry and not asked.small:
        before = json.loads(KEPT.read_text()) if KEPT.exists() else []
        new = joined(before, [kept(row) for row in rows if not row.missing])
        KEPT.write_text(json.dumps(new, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        draw()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
