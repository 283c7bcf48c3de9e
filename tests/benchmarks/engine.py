"""How fast the engine is: side by side with micrograd and microGPT, and per node.

Everything runs in one process with the default garbage collector. The engines take turns, so that
a change of the machine's pace meets both; a ratio is the median over the pairs of turns. What is
compared must agree to 1e-9, or the script ends with an error. It reports targets and never fails
on a time: other work on the machine is not a fault of the engine.
"""

from __future__ import annotations

import argparse
import base64
import gc
import hashlib
import importlib.metadata
import importlib.util
import math
import os
import platform
import random
import statistics
import sys
import textwrap
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from time import perf_counter, process_time
from types import ModuleType
from typing import Any, NamedTuple

import microgrid
from microgrid.engine.value import topological

try:
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # no second thread beside the clock
except ImportError:
    tqdm = None

Engine = Callable[[Any], Any]  # a Value class: number ↦ leaf
Block = Callable[[], list[float]]  # several steps; their losses
TOLERANCE = 1e-9
RECURSION_LIMIT = 20_000  # micrograd and microGPT walk their graphs recursively
NEEDED = {"micrograd": "0.1.0", "strands-microgpt": "0.1.0"}
INSTALL = {
    "micrograd": "pip install micrograd==0.1.0, the extra `bench`",
    "strands-microgpt": "pip install --no-deps strands-microgpt==0.1.0",
}
EXAMPLES = """examples:
  python tests/benchmarks/engine.py                 everything, about two minutes
  python tests/benchmarks/engine.py --quick         fewer turns and smaller graphs
  python tests/benchmarks/engine.py demo --pairs 21 one work, more turns
"""


# The work: micrograd's demo, microGPT's training, chains and fans of nodes.


def moons(count: int, draw: random.Random, noise: float = 0.1) -> list[tuple[float, float, int]]:
    """Points (x, y) on two interleaved half circles, each with its class ±1."""
    points = []
    for i in range(count):
        angle, upper = draw.uniform(0, math.pi), i % 2 == 0
        x, y = math.cos(angle), math.sin(angle)
        x, y = (x, y) if upper else (1 - x, 0.5 - y)
        points.append((draw.gauss(x, noise), draw.gauss(y, noise), -1 if upper else 1))
    return points


class Demo:
    """The notebook of micrograd: an MLP, hinge losses and L2, on any engine."""

    def __init__(self, value: Engine, points: int = 100, hidden: int = 16, seed: int = 1) -> None:
        draw = random.Random(seed)
        self.value = value
        self.points = moons(points, draw)
        self.layers = [
            [([value(draw.uniform(-1, 1)) for _ in range(n)], value(0)) for _ in range(m)]
            for n, m in pairwise((2, hidden, hidden, 1))
        ]
        self.parameters = [p for layer in self.layers for w, b in layer for p in (*w, b)]

    def score(self, x: list[Any]) -> Any:
        """The network's output for one point."""
        for layer in self.layers:
            x = [sum((wi * xi for wi, xi in zip(w, x, strict=True)), b) for w, b in layer]
            if layer is not self.layers[-1]:
                x = [act.relu() for act in x]
        return x[0]

    def loss(self) -> Any:
        """Mean hinge loss and 1e-4 Σ p²."""
        scores = [self.score([self.value(x), self.value(y)]) for x, y, _ in self.points]
        labels = [label for *_, label in self.points]
        losses = [(1 + -yi * si).relu() for yi, si in zip(labels, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        return data_loss + 1e-4 * sum(p * p for p in self.parameters)

    def step(self) -> float:
        """Forward, backward, and the graph let go; the loss."""
        for p in self.parameters:
            p.grad = 0
        loss = self.loss()
        loss.backward()
        return float(loss.data)

    def gradients(self) -> list[float]:
        """∂loss/∂p of every parameter, after a step."""
        return [p.grad for p in self.parameters]


def names(count: int, seed: int = 1) -> list[str]:
    """Made-up names of 3 to 16 letters, consonants and vowels by turns."""
    draw = random.Random(seed)
    letters = ("bcdfghjklmnprstvwz", "aeiouy")
    return [
        "".join(draw.choice(letters[i % 2]) for i in range(draw.randint(3, 16)))
        for _ in range(count)
    ]


class MicroGPT:
    """microGPT in training, as its module has it or with another engine put into it."""

    def __init__(self, value: Engine | None = None, layers: int = 1, width: int = 16) -> None:
        module = load("strands-microgpt", "strands_microgpt/engine.py")
        if value is not None:
            module.Value = value  # type: ignore[attr-defined]
        self.docs = names(200)
        self.tokenizer = module.Tokenizer.from_docs(self.docs)
        self.model = module.MicroGPT(self.tokenizer.vocab_size, layers, width, n_head=4)

    def train(self, steps: int) -> list[float]:
        """The losses of so many steps of Adam, going on from the weights there are."""
        docs = list(self.docs)  # which training shuffles
        losses: list[float] = self.model.train_on_docs(docs, self.tokenizer, steps, log_every=0)
        return losses


def chain(count: int) -> Any:
    """The last of `count` additions in a row: as deep as it is long."""
    x, step = microgrid.Value(0.0), microgrid.Value(1.0)
    for _ in range(count):
        x = x + step
    return x


def fan(count: int) -> Any:
    """The sum of count/2 products with a leaf each: three deep, however wide."""
    x = microgrid.Value(2.0)
    return microgrid.total([x * microgrid.Value(float(i)) for i in range(count // 2)])


# The other engines, found by distribution: several claim the import name micrograd.


class MissingError(Exception):
    """A package to compare with is not installed, or not as published."""


def load(distribution: str, path: str) -> ModuleType:
    """A fresh module from one file of an installed distribution, without importing its package."""
    try:
        found = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise MissingError(f"{distribution} is not installed: {INSTALL[distribution]}") from None
    if found.version != NEEDED[distribution]:
        raise MissingError(f"{distribution} is {found.version}: {INSTALL[distribution]}")
    record = next((f for f in found.files or () if f.as_posix() == path), None)
    file = Path(str(found.locate_file(path)))
    if record is None or record.hash is None or digest(file) != record.hash.value:
        raise MissingError(f"{path} is not that of {distribution}: reinstall it alone")
    spec = importlib.util.spec_from_file_location(f"bench_{file.parent.name}", file)
    if spec is None or spec.loader is None:
        raise MissingError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def digest(file: Path) -> str:
    """The SHA-256 of a file as the RECORD of a wheel has it; empty for no file."""
    if not file.exists():
        return ""
    return base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).decode().rstrip("=")


# The clock.


class Race(NamedTuple):
    """Seconds a step for each of two engines, theirs to ours, and how far their numbers are apart.

    The seconds and the first ratio are of processor time, which other work on the machine changes
    least; `wall` is the ratio by the clock on the wall.
    """

    theirs: float
    ours: float
    ratio: float
    apart: float
    wall: float = 0.0


def race(theirs: Block, ours: Block, pairs: int, label: str) -> Race:
    """Let two engines take turns; the collector starts each turn with nothing to do."""
    engines = (theirs, ours)
    turns: list[list[tuple[float, float]]] = []
    apart = distance(theirs(), ours())  # not timed
    for turn in progress(range(pairs), label):
        times, losses = [(0.0, 0.0), (0.0, 0.0)], [[0.0], [0.0]]
        for i in (0, 1) if turn % 2 == 0 else (1, 0):
            gc.collect()
            start, wall = process_time(), perf_counter()
            losses[i] = engines[i]()
            spent, wall = process_time() - start, perf_counter() - wall
            times[i] = (spent / len(losses[i]), wall / len(losses[i]))
        turns.append(times)
        apart = max(apart, distance(*losses))
    middle = statistics.median
    ratio, wall = [middle([a[k] / b[k] for a, b in turns]) for k in (0, 1)]
    theirs_, ours_ = [middle([times[i][0] for times in turns]) for i in (0, 1)]
    return Race(theirs_, ours_, ratio, apart, wall)


def distance(xs: Iterable[float], ys: Iterable[float]) -> float:
    """The largest |x − y|, infinite where one is not a number."""
    gaps = [abs(x - y) for x, y in zip(xs, ys, strict=True)]
    return max([g if g == g else math.inf for g in gaps], default=0.0)


def race_demo(pairs: int, steps: int) -> tuple[Race, int]:
    """Race (a), and the number of nodes of our graph."""
    theirs = Demo(load("micrograd", "micrograd/engine.py").Value)
    ours = Demo(microgrid.Value)
    with recursion_limit():
        result = race(
            lambda: [theirs.step() for _ in range(steps)],
            lambda: [ours.step() for _ in range(steps)],
            pairs,
            "demo",
        )
    apart = max(result.apart, distance(theirs.gradients(), ours.gradients()))
    return result._replace(apart=apart), len(topological(ours.loss()))


def race_microgpt(pairs: int, steps: int) -> tuple[Race, int]:
    """Race (b), and the number of parameters."""
    theirs, ours = MicroGPT(), MicroGPT(microgrid.Value)
    with recursion_limit():
        result = race(lambda: theirs.train(steps), lambda: ours.train(steps), pairs, "microgpt")
    return result, ours.model.num_params


@contextmanager
def recursion_limit(limit: int = RECURSION_LIMIT) -> Iterator[None]:
    """A higher limit for engines that recurse; ours does not."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, before))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def cost(build: Callable[[int], Any], count: int, at_least: int) -> list[float]:
    """Nanoseconds a node, forward, backward and freeing: medians over graphs built in turn."""
    rounds = []
    for _ in range(max(3, at_least // count)):
        marks = [perf_counter()]
        root = build(count)
        marks.append(perf_counter())
        root.backward()
        marks.append(perf_counter())
        del root
        marks.append(perf_counter())
        rounds.append([(b - a) / count * 1e9 for a, b in pairwise(marks)])
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


@contextmanager
def no_collector() -> Iterator[None]:
    """Python's cyclic collector switched off, after it has tidied up."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def others_unseen() -> Iterator[None]:
    """The collector does not look at what is in memory already; it may not before, in a test."""
    gc.collect()
    alone = not gc.get_freeze_count()
    gc.freeze()
    try:
        yield
    finally:
        if alone:
            gc.unfreeze()


class Memory(NamedTuple):
    """Bytes a node by tracemalloc; `left` is what the graph did not give back."""

    forward: float
    gradients: float
    peak: float
    left: float


def memory(build: Callable[[], Any]) -> Memory:
    """Build a graph, go backward and free it, with the collector off: nothing may wait for it."""
    nodes = len(topological(build()))
    with no_collector():
        tracemalloc.start()
        start = tracemalloc.get_traced_memory()[0]
        root = build()
        forward = tracemalloc.get_traced_memory()[0]
        root.backward()
        gradients, peak = tracemalloc.get_traced_memory()
        del root
        left = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    return Memory(*[(bytes_ - start) / nodes for bytes_ in (forward, gradients, peak, left)])


# The report.

TABLE = "{:<36}{:>10}{:>10}{:>8}{:>8}"


def report_races(chosen: list[str], pairs: int, quick: bool) -> list[str]:
    """Print the races (a) and (b); the disagreements, if any."""
    races = {
        "demo": (race_demo, 2 if quick else 3, 6.0, "micrograd's demo, one step", "nodes"),
        "microgpt": (race_microgpt, 4 if quick else 10, 1.25, "microGPT, one step", "parameters"),
    }
    wrong, notes = [], []
    print(TABLE.format("work", "theirs", "ours", "ratio", "target"))
    for work in [name for name in races if name in chosen]:
        run, steps, target, title, unit = races[work]
        try:
            result, size = run(pairs, steps)
        except MissingError as missing:
            print(f"{title:<36}not run")
            notes.append(f"NOT COMPARED: {missing}")
            continue
        print(row(title, result, target))
        notes.append(
            f"{work}: {size:,} {unit}, {pairs} pairs of {steps} steps, "
            f"numbers agree to {result.apart:.1e}"
        )
        if result.apart > TOLERANCE:
            wrong.append(f"{work}: the engines differ by {result.apart:.1e}, more than {TOLERANCE}")
    print(*notes, sep="\n")
    print(f"recursion limit {RECURSION_LIMIT:,} while theirs run; ours needs none\n")
    return wrong


def row(title: str, result: Race, target: float) -> str:
    """One line of the table."""
    times = [f"{t * 1e3:.1f} ms" for t in (result.theirs, result.ours)]
    verdict = "met" if result.ratio >= target else "missed"
    return TABLE.format(title, *times, f"{result.ratio:.2f}×", f"{target:g}×") + f" {verdict}"


def report_nodes(quick: bool) -> list[str]:
    """Print what a node costs in graphs of growing size; an error if a chain is wrong."""
    sizes = [10**k for k in range(3, 6 if quick else 7)]
    print(f"{'ns a node, by number of nodes':<36}" + numbers(sizes))
    for name, build in {"chain": chain, "fan": fan}.items():
        gc.collect()
        work = sizes[-1] // (1 if quick else 5)
        costs = [cost(build, size, work) for size in progress(sizes, name)]
        with no_collector():
            without = [sum(cost(build, size, work)) for size in progress(sizes, name)]
        together = [sum(phases) for phases in costs]
        rows = dict(zip(("forward", "backward", "freeing"), zip(*costs, strict=True), strict=True))
        for phase, row in (rows | {"together": together, "collector off": without}).items():
            print(f"{name + ', ' + phase:<36}{numbers(row)}")
        spread = [max(row) / min(row) for row in (together, without)]
        print(f"    dearest size / cheapest: {spread[0]:.2f}×, collector off {spread[1]:.2f}×")
    return report_chain(sizes[-1])


def numbers(row: Iterable[float]) -> str:
    """The cells of one row of a table."""
    return "".join(f"{x:>10,.0f}" for x in row)


def report_chain(count: int) -> list[str]:
    """Print whether a deep chain has the right value and gradients; an error if not."""
    root = chain(count)
    root.backward()
    step = root.parents[1]
    right = root.data == count and step.grad == count
    print(f"chain of {count:,} additions: forward, backward and freed, numbers right: {right}\n")
    return [] if right else [f"chain of {count:,}: {root.data}, {step.grad}"]


def report_memory(quick: bool) -> None:
    """Print bytes a node; the target is for a graph that holds its gradients."""
    size = 10_000 if quick else 100_000
    builds = {
        "micrograd's demo": Demo(microgrid.Value, 20 if quick else 100).loss,
        f"chain of {size:,}": lambda: chain(size),
        f"fan of {size:,}": lambda: fan(size),
    }
    heads = ("forward", "with grad", "peak", "left")
    print(f"{'bytes a node':<36}" + "".join(f"{h:>10}" for h in heads))
    for title, build in progress(list(builds.items()), "memory"):
        used = memory(build)
        verdict = "met" if used.gradients <= 250 else "missed"
        print(f"{title:<36}" + numbers(used) + f"  {verdict}")
    print("target: at most 250 with gradients; peak is while backward runs; left is what")
    print("the graph did not give back when it was let go, with the collector off\n")


def machine() -> str:
    """The interpreter and the processor, and the collector's thresholds, in lines of 80."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    said = f"{python}, {processor()}, {os.cpu_count()} cores, gc thresholds {gc.get_threshold()}"
    return textwrap.fill(said, 80)


def processor() -> str:
    """What the system calls the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(models), platform.processor() or platform.machine())


def progress(xs: Any, label: str) -> Any:
    """The same things, with a bar on a terminal if tqdm is installed."""
    return xs if tqdm is None else tqdm(xs, label, leave=False, ncols=79, disable=None)


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    works = ["demo", "microgpt", "nodes", "memory"]
    parser = argparse.ArgumentParser(
        description="Benchmarks of the engine, beside micrograd 0.1.0 and strands-microgpt.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("work", nargs="*", help=f"any of {', '.join(works)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer turns and smaller graphs")
    parser.add_argument("--pairs", type=int, help="pairs of turns in a race (default: 11, quick 3)")
    asked = parser.parse_args(argv)
    if unknown := [w for w in asked.work if w not in works]:
        parser.error(f"no such work: {', '.join(unknown)} (choose from {', '.join(works)})")
    if asked.pairs is not None and asked.pairs < 1:
        parser.error("--pairs: at least 1")
    asked.work = asked.work or works
    asked.pairs = asked.pairs or (3 if asked.quick else 11)
    return asked


def main(argv: list[str] | None = None) -> int:
    """Run what is asked for and print it; 1 if any number is wrong."""
    asked = arguments(argv)
    version = importlib.metadata.version("microgrid-autodiff")
    print(f"microgrid {version}\n{machine()}\n")
    wrong = []
    if {"demo", "microgpt"} & set(asked.work):
        wrong += report_races(asked.work, asked.pairs, asked.quick)
    if "nodes" in asked.work:
        wrong += report_nodes(asked.quick)
    if "memory" in asked.work:
        report_memory(asked.quick)
    for line in wrong:
        print(f"WRONG: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
