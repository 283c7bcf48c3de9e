"""The benchmark of recorded programs compares right numbers; nothing here looks at a clock."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import microgrid as mg


def script() -> ModuleType:
    """The script beside this file, which imports the other script beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        patch.delitem(sys.modules, "engine", raising=False)
        patch.delitem(sys.modules, "program", raising=False)
        import program

        found = program
        sys.modules.pop("engine"), sys.modules.pop("program")
    return found


bench = script()
SIZES = (5, 4, 4, 3)


def comparable(make: Any) -> Any:
    """What `make` makes; the test is skipped where a package to compare with is missing."""
    try:
        return make()
    except bench.MissingError as missing:
        pytest.skip(f"NOT COMPARED: {missing}")


def central(f: Any, x: Any, h: float = 1e-6) -> Any:
    """Central differences of a function of an array, which is changed and put back."""
    slopes = np.zeros(x.size)
    for i, index in enumerate(np.ndindex(x.shape)):
        before = x[index]
        sides = []
        for sign in (1, -1):
            x[index] = before + sign * h
            sides.append(f())
        x[index] = before
        slopes[i] = (sides[0] - sides[1]) / (2 * h)
    return slopes


@pytest.mark.parametrize("other", ["demo_numpy", "demo_torch", "demo_batch"])
def test_the_demo_on_a_batch_is_the_same_for_all(other: str) -> None:
    ours, theirs = (
        bench.demo_batch(6, backend="numpy"),
        comparable(lambda: getattr(bench, other)(6)),
    )
    assert bench.gap(theirs(), ours()) <= bench.TOLERANCE
    assert bench.gap(ours(), ours()) == 0


def test_the_flat_demo_is_the_batched_demo_and_the_engine() -> None:
    loss, gradient = bench.flat_step(6)()
    mean, arrays = bench.demo_batch(6, bench.DECAY)()
    demo = bench.Demo(mg.Value, points=6)
    assert bench.gap(loss, demo.step()) <= bench.TOLERANCE
    assert bench.gap(loss, mean) <= bench.TOLERANCE
    assert bench.gap(gradient, demo.gradients()) <= bench.TOLERANCE
    assert bench.gap(gradient, bench.by_neuron(arrays)) <= bench.TOLERANCE


@pytest.mark.parametrize("other", ["casadi_step", "micrograd_step"])
def test_the_flat_demo_is_that_of_others(other: str) -> None:
    theirs = comparable(lambda: getattr(bench, other)(4))
    with bench.recursion_limit():
        assert bench.gap(theirs(), bench.flat_step(4)()) <= bench.TOLERANCE


@pytest.mark.parametrize("other", ["mlp_numpy", "mlp_torch"])
def test_the_mlp_is_the_same_for_all(other: str) -> None:
    theirs = comparable(lambda: getattr(bench, other)(7, SIZES))
    assert bench.gap(theirs(), bench.mlp_batch(7, SIZES)()) <= bench.TOLERANCE


def test_microgpt_replayed_learns_what_the_published_learns() -> None:
    theirs = comparable(lambda: bench.MicroGPT(width=4))
    ours = bench.ReplayedGPT(width=4)
    with bench.recursion_limit():
        losses = theirs.train(3)
    assert bench.gap(losses, ours.train(3)) <= bench.TOLERANCE
    assert bench.gap([p.data for p in theirs.model.params], ours.flat) <= bench.TOLERANCE
    assert 1 <= len(ours.programs) <= 3
    assert ours.recording > 0


def test_microgpt_replayed_has_the_gradient_of_differences() -> None:
    ours = comparable(lambda: bench.ReplayedGPT(width=4))
    _, gradient = ours.gradient(ours.docs[0])
    slopes = central(lambda: ours.gradient(ours.docs[0])[0], ours.flat)
    assert np.abs(gradient - slopes).max() < 1e-7
    assert np.count_nonzero(gradient) > len(gradient) / 2


def test_training_comes_down_and_is_that_of_micrograd() -> None:
    losses, accuracy = bench.train(3)
    assert len(losses) == 3
    assert 0 <= accuracy <= 1
    theirs = comparable(lambda: bench.train_micrograd)
    with bench.recursion_limit():
        assert bench.gap(comparable(lambda: theirs(2)), losses[:2]) <= bench.TOLERANCE


def test_instructions_are_lines_and_products() -> None:
    program = mg.record(lambda p: mg.dot(p, p), np.ones(3))
    lines, terms = bench.instructions(program)
    assert lines == 4  # the sum, and a gradient each
    assert terms == 9


def test_recording_is_measured_in_a_process_of_its_own() -> None:
    found = bench.child("recording", 700)
    assert found["lines"] > 600
    assert found["total"] >= found["growth"]


@pytest.mark.parametrize(
    ("x", "y", "apart"),
    [([1.0, [2.0]], np.array([1.0, 2.5]), 0.25), ([0.0], [0.0], 0.0), ([1.0], [1.0, 1.0], np.inf),
     ([np.nan], [1.0], np.inf)],
)  # fmt: skip
def test_a_gap_is_relative_to_the_largest_number(x: Any, y: Any, apart: float) -> None:
    assert bench.gap(x, y) == apart


def test_a_row_fits_and_says_what_it_means() -> None:
    row = bench.Row("microGPT, 200 steps and recording", "strands-microgpt", 85.7, 1e-6, 2, 1)
    assert bench.line(row).endswith("yes")
    assert bench.line(row._replace(target=3)).endswith("missed")
    assert bench.line(row._replace(apart=1e-3)).endswith("WRONG")
    assert "not run: no such" in bench.line(row._replace(missing="no such"))
    assert len(bench.line(row._replace(apart=1e-3))) <= 100


def test_what_is_missing_is_said_and_is_no_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise bench.MissingError("it is not installed")

    monkeypatch.setattr(bench, "micrograd_step", missing)
    monkeypatch.setattr(bench, "casadi_step", missing)
    assert bench.main(["demo", "--quick"]) == 0
    assert capsys.readouterr().out.count("not run: it is not installed") == 2


def test_wrong_numbers_end_with_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = bench.Row("work", "them", 2.0, 1.0, 2.0, apart=1e-6)
    monkeypatch.setitem(bench.WORKS, "demo", lambda how: iter([wrong]))
    assert bench.main(["demo", "--quick"]) == 1
    captured = capsys.readouterr()
    assert "WRONG" in captured.out
    assert "1.0e-06" in captured.err


def test_an_unknown_work_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        bench.main(["speed"])
    assert stop.value.code == 2
    assert "no such work: speed" in capsys.readouterr().err
