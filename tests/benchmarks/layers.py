"""How long the check of a layer takes, and whether right layers are called right at many seeds.

The layers are those of the museum: the forward on Values with and without the lines of its nodes,
the Jacobian, and the whole examination of the right layer and of one with a mistake. Medians of
turns, and the processor time of the examination. A false alarm ends it with an error; it reports
targets and never fails on a time.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import perf_counter, process_time
from types import ModuleType
from typing import Any, NamedTuple
from unittest import mock

from engine import machine, progress

import microgrid as mg
from microgrid.check.handwritten import judge, museum
from microgrid.check.handwritten.forms import discover
from microgrid.check.handwritten.forward import stand_in
from microgrid.check.handwritten.forward.exact import exact
from microgrid.check.handwritten.trial import Trial

EXAMPLES = """examples:
  python tests/benchmarks/layers.py               the table, about two minutes
  python tests/benchmarks/layers.py --quick       small sizes, one turn
  python tests/benchmarks/layers.py --seeds 200   each right layer at 200 seeds, half an hour
"""


class Work(NamedTuple):
    """A layer of the museum with a mistake of it, its inputs, and the seconds that it may take."""

    layer: str
    mistake: str
    inputs: Mapping[str, Any]
    target: float


WORKS = {
    "affine (16, 32)·(32, 16)": Work(
        "affine_pair", "db is a mean", {"x": (16, 32), "w": (32, 16), "b": (16,)}, 1.0),
    "batch normalization (16, 16)": Work(
        "batchnorm_pair", "no path through the mean",
        {"x": (16, 16), "gamma": (16,), "beta": (16,)}, 1.0),
    "conv 2×3×8×8, 4 filters": Work(
        "conv_naive", "dw forgets the stride",
        {"x": (2, 3, 8, 8), "w": (4, 3, 3, 3), "b": (4,),
         "conv_param": {"stride": 2, "pad": 1}}, 2.0),
}  # fmt: skip
QUICK = {
    "affine (3, 4)·(4, 5)": Work(
        "affine_pair", "db is a mean", {"x": (3, 4), "w": (4, 5), "b": (5,)}, 1.0),
}  # fmt: skip
TABLE = "{:<29}{:>8}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>8}"


def loaded(source: str, folder: str) -> ModuleType:
    """The source as a module of a file, in which lines are found."""
    name = f"layers_{len(list(Path(folder).iterdir()))}"
    path = Path(folder, f"{name}.py")
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def trials(source: str, folder: str, inputs: Mapping[str, Any]) -> list[Trial]:
    [layer] = discover.layers_of(loaded(source, folder))
    return layer.trials(given=inputs)


def median(work: Callable[[], Any], turns: int) -> float:
    taken = []
    for _ in range(turns):
        start = perf_counter()
        work()
        taken.append(perf_counter() - start)
    return statistics.median(taken)


def on_values(trial: Trial) -> None:
    """Their forward on Values."""
    with stand_in.standing_in(trial.modules, trial.forwards):
        trial.run({name: mg.matrix(x) for name, x in trial.inputs.items()})


def measured(work: Work, turns: int) -> Iterator[float]:
    """Nodes; then seconds: forward, without lines, exact and Jacobian, right, wrong, processor."""
    with tempfile.TemporaryDirectory() as folder:
        right = trials(museum.source(work.layer), folder, work.inputs)
        wrong = trials(museum.broken(work.mistake), folder, work.inputs)
        trial = right[0]
        yield len(exact(trial).graph(None).nodes)
        yield median(lambda: on_values(trial), turns)
        with mock.patch.object(stand_in, "rewritten", return_value=None):
            yield median(lambda: on_values(trial), turns)
        yield median(lambda: exact(trial).jacobian(), turns)
        yield median(lambda: judge.examine(right), turns)
        yield median(lambda: judge.examine(wrong), turns)
        start = process_time()
        judge.examine(wrong)
        yield process_time() - start


def report_times(works: Mapping[str, Work], turns: int) -> None:
    """Print the table."""
    heads = ("nodes", "forward", "no lines", "Jacobian", "right", "wrong", "its CPU", "target")
    print(TABLE.format("seconds, medians", *heads))
    for title, work in progress(list(works.items()), "layers"):
        nodes, *times = measured(work, turns)
        verdict = "met" if times[-2] <= work.target else "missed"
        cells = [f"{seconds:.3f}" for seconds in times]
        print(TABLE.format(title, f"{nodes:,}", *cells, f"{work.target:g} s"), verdict)


def false_alarms(layers: list[str], seeds: int) -> list[str]:
    """Right layers that are not called right, with their seeds."""
    alarms = []
    with tempfile.TemporaryDirectory() as folder:
        modules = {name: loaded(museum.source(name), folder) for name in layers}
        for module in progress([*modules.values()], "seeds"):
            for layer in discover.layers_of(module):
                for seed in range(seeds):
                    found = judge.examine(layer.trials(seed=seed), seed)
                    said = {g.input: g.verdict for g in found.gradients if g.verdict != "right"}
                    if said or found.habits:
                        alarms.append(f"{layer.name}, seed {seed}: {said} {found.habits}")
    return alarms


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description="Benchmarks of `microgrid layers`.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="small sizes, one turn")
    parser.add_argument("--seeds", type=int, default=0, help="hold the right layers to their seeds")
    parser.add_argument("--layer", action="append", help="of the museum; repeatable (default: all)")
    asked = parser.parse_args(argv)
    if unknown := {*(asked.layer or ())} - {*museum.LAYERS}:
        parser.error(f"no such layer: {', '.join(sorted(unknown))}")
    return asked


def main(argv: list[str] | None = None) -> int:
    """Print what is asked for; 1 if a right layer is not called right."""
    asked = arguments(argv)
    print(f"microgrid {importlib.metadata.version('microgrid-autodiff')}\n{machine()}\n")
    alarms = []
    if asked.seeds:
        layers = asked.layer or [*museum.LAYERS]
        alarms = false_alarms(layers, asked.seeds)
        print(f"{len(layers)} right layers at {asked.seeds} seeds: {len(alarms)} false alarms")
    else:
        report_times(QUICK if asked.quick else WORKS, 1 if asked.quick else 5)
    for line in alarms:
        print(f"WRONG: {line}", file=sys.stderr)
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main())
