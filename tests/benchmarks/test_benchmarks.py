"""The benchmarks' workloads give right numbers on small sizes; nothing here looks at a clock."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import microgrid


def script() -> ModuleType:
    """The script beside this file, which is in no package."""
    spec = importlib.util.spec_from_file_location("bench", Path(__file__).with_name("engine.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bench = script()


class Dual:
    """A number and its derivative along one parameter: forward mode, the oracle."""

    def __init__(self, data: float, slope: float = 0.0) -> None:
        self.data, self.slope = data, slope

    def __add__(self, other: Any) -> Dual:
        b = dual(other)
        return Dual(self.data + b.data, self.slope + b.slope)

    def __mul__(self, other: Any) -> Dual:
        b = dual(other)
        return Dual(self.data * b.data, self.slope * b.data + self.data * b.slope)

    def relu(self) -> Dual:
        return self if self.data > 0 else Dual(0.0)

    __radd__, __rmul__ = __add__, __mul__


def dual(x: Any) -> Dual:
    return x if isinstance(x, Dual) else Dual(x)


def comparable(make: Callable[[], Any]) -> Any:
    """What `make` loads; the test is skipped, with the way to install it, where it is missing."""
    try:
        return make()
    except bench.MissingError as missing:
        pytest.skip(f"NOT COMPARED: {missing}")


def test_the_demo_has_the_loss_and_the_gradients_of_dual_numbers() -> None:
    ours = bench.Demo(microgrid.Value, points=6, hidden=3)
    loss = ours.step()
    oracle = bench.Demo(Dual, points=6, hidden=3)
    slopes = []
    for p in oracle.parameters:
        p.slope = 1.0
        slopes.append(oracle.loss().slope)
        p.slope = 0.0
    assert loss == oracle.loss().data
    assert ours.gradients() == pytest.approx(slopes, rel=1e-12, abs=1e-15)
    assert sum(slope != 0 for slope in slopes) > len(slopes) / 2


def test_a_second_step_of_the_demo_does_not_add_to_the_first() -> None:
    demo = bench.Demo(microgrid.Value, points=4, hidden=2)
    first = demo.step(), demo.gradients()
    assert (demo.step(), demo.gradients()) == first


def test_the_demo_has_the_size_that_is_spoken_of() -> None:
    demo = bench.Demo(microgrid.Value)
    assert len(demo.parameters) == 337
    assert len(bench.topological(demo.loss())) == 65_818


def test_the_demo_on_micrograd_and_on_ours_gives_the_same_numbers() -> None:
    theirs = comparable(lambda: bench.load("micrograd", "micrograd/engine.py").Value)
    demos = [bench.Demo(value, points=5, hidden=4) for value in (theirs, microgrid.Value)]
    with bench.recursion_limit():
        losses = [[demo.step() for _ in range(2)] for demo in demos]
    assert bench.distance(*losses) <= bench.TOLERANCE
    assert bench.distance(*[demo.gradients() for demo in demos]) <= bench.TOLERANCE


def test_microgpt_learns_the_same_with_its_engine_and_with_ours() -> None:
    models = [
        comparable(lambda value=value: bench.MicroGPT(value, width=4))
        for value in (None, microgrid.Value)
    ]
    with bench.recursion_limit():
        losses = [model.train(3) for model in models]
    assert bench.distance(*losses) <= bench.TOLERANCE
    assert len(set(losses[0])) == 3
    weights = [[p.data for p in model.model.params] for model in models]
    assert bench.distance(*weights) <= bench.TOLERANCE
    assert isinstance(models[1].model.params[0], microgrid.Value)
    assert not isinstance(models[0].model.params[0], microgrid.Value)


def test_names_are_reproducible_and_3_to_16_letters_long() -> None:
    assert bench.names(50) == bench.names(50)
    assert {len(name) for name in bench.names(500)} == set(range(3, 17))


@pytest.mark.parametrize("count", [1, 2, 5_000])
def test_a_chain_counts_its_links(count: int) -> None:
    root = bench.chain(count)
    root.backward()
    assert root.data == root.parents[1].grad == count
    assert len(bench.topological(root)) == count + 2


def test_a_fan_sums_twice_the_numbers_below_half_its_size() -> None:
    root = bench.fan(100)
    root.backward()
    assert root.data == 2 * sum(range(50))
    x = root.parents[0].parents[0]
    assert x.grad == sum(range(50))
    assert all(product.parents[1].grad == 2 for product in root.parents)


def test_a_graph_is_freed_without_the_collector() -> None:
    used = bench.memory(lambda: bench.chain(2_000))
    assert used.left < used.forward / 20  # Python keeps some floats for later
    assert used.forward < used.gradients <= 250
    assert used.gradients <= used.peak


def test_distance_is_infinite_where_a_number_is_missing() -> None:
    assert bench.distance([1.0, 2.0], [1.0, 2.5]) == 0.5
    assert bench.distance([float("nan")], [1.0]) == float("inf")


def test_a_race_alternates_and_reports_the_disagreement() -> None:
    turns: list[str] = []

    def block(name: str, loss: float) -> Callable[[], list[float]]:
        return lambda: turns.append(name) or [loss]  # type: ignore[func-returns-value]

    result = bench.race(block("theirs", 1.0), block("ours", 1.25), 2, "test")
    assert turns == ["theirs", "ours", "theirs", "ours", "ours", "theirs"]
    assert result.apart == 0.25


@pytest.mark.parametrize(
    ("distribution", "path", "reason"),
    [("no-such-package", "x.py", "not installed"), ("pytest", "pytest/__init__.py", "pytest is")],
)
def test_what_is_not_installed_is_said(
    distribution: str, path: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(bench.NEEDED, distribution, "0.0")
    monkeypatch.setitem(bench.INSTALL, distribution, "pip install it")
    with pytest.raises(bench.MissingError, match=f"{reason}.*pip install it"):
        bench.load(distribution, path)


def test_a_file_that_another_package_overwrote_is_not_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = importlib.metadata.version("pytest")
    monkeypatch.setitem(bench.NEEDED, "pytest", version)
    monkeypatch.setattr(bench, "digest", lambda file: "another")
    with pytest.raises(bench.MissingError, match="is not that of pytest"):
        bench.load("pytest", "pytest/__init__.py")


def test_the_script_says_what_it_could_not_compare(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise bench.MissingError("micrograd is not installed: pip install it")

    monkeypatch.setattr(bench, "load", missing)
    assert bench.main(["demo", "microgpt", "--quick"]) == 0
    assert capsys.readouterr().out.count("NOT COMPARED: micrograd is not installed") == 2


def test_the_script_ends_with_an_error_where_the_engines_differ(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.platform, "python_version", lambda: "3.15.0rc2+of-a-long-name" * 2)
    wrong = bench.Race(theirs=2.0, ours=1.0, ratio=2.0, apart=1e-6)
    monkeypatch.setattr(bench, "race_demo", lambda pairs, steps: (wrong, 10))
    assert bench.main(["demo", "--quick"]) == 1
    captured = capsys.readouterr()
    assert "missed" in captured.out
    assert "differ by 1.0e-06" in captured.err
    assert all(len(line) <= 80 for line in captured.out.splitlines())


def test_an_unknown_work_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        bench.main(["speed"])
    assert stop.value.code == 2
    assert "no such work: speed" in capsys.readouterr().err
