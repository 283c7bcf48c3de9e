"""The table of speed in the README is what speed.json says; nothing here looks at a clock."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import microgrid as mg

ROOT = Path(__file__).parent.parent.parent
NAMES = ("engine", "program", "speed", "training")


@pytest.fixture(scope="module")
def speed() -> Iterator[ModuleType]:
    """The script, which imports the others beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        for name in NAMES:
            patch.delitem(sys.modules, name, raising=False)
        import speed

        yield speed
        for name in NAMES:
            sys.modules.pop(name, None)


@pytest.fixture
def kept(speed: ModuleType) -> list[dict[str, Any]]:
    return json.loads(speed.KEPT.read_text())


def test_the_readme_shows_what_is_kept(speed, kept):
    text = speed.README.read_text(encoding="utf-8")
    assert speed.placed(text, speed.drawn(kept)) == text, "run speed.py --draw"


def test_a_ratio_that_someone_wrote_into_the_readme_is_seen(speed, kept):
    text = speed.README.read_text(encoding="utf-8")
    table = speed.drawn(kept)
    praised = text.replace(f"{kept[0]['ratio']:.2g} ×", "1000 ×")
    assert praised != text
    assert speed.placed(praised, table) == text


def test_every_row_says_with_what_it_was_measured(speed, kept):
    assert len({speed.key(row) for row in kept}) == len(kept) > 0
    for row in kept:
        assert {*row} == {
            "work", "against", "theirs", "ours", "ratio", "wall", "target", "python", "collector",
            "processor", "cores", "threads", "date", "version",
        }  # fmt: skip
        assert row["collector"] in ("on", "off")
        assert row["ratio"] > 0
        if row["against"] not in speed.OURSELVES:
            shown = speed.drawn([row])
            for told in (row["python"], row["processor"], row["date"], row["work"], row["against"]):
                assert told in shown


def test_a_new_run_replaces_the_rows_of_its_python_and_leaves_others(speed, kept):
    row = kept[0]
    newer, other = row | {"ratio": 9.0}, row | {"python": "3.99.1"}
    assert speed.joined([row, other], [newer]) == [newer, other]
    assert speed.joined([row], [other, newer | {"collector": "off"}])[0] == row


def test_a_readme_without_the_marks_is_refused(speed):
    with pytest.raises(SystemExit, match="no place"):
        speed.placed("no table here", "| work |")


@pytest.mark.parametrize("work", ["mlp", "demo", "digits", "eager", "calls", "discovery"])
def test_both_sides_of_every_row_compute_the_same(speed, work):
    for row in speed.WORKS[work](speed.Settings(1, None, small=True)):
        assert row.missing or row.apart <= speed.TOLERANCE, row


def test_the_older_state_is_another_package_and_computes_the_same(speed):
    """Here the checkout itself stands for the older state."""
    before = {name: sys.modules[name] for name in sys.modules if name.startswith("microgrid")}
    for row in speed.WORKS["today"](speed.Settings(1, ROOT, small=True)):
        assert row.missing or row.apart <= speed.TOLERANCE, row
        assert not row.missing or "strands" in row.missing
    other = speed.Elsewhere(ROOT)
    assert other.program.mg.Value is not mg.Value
    assert {name: sys.modules.get(name) for name in before} == before


@pytest.mark.parametrize("today", [None, ROOT / "nowhere"])
def test_without_a_checkout_the_rows_say_what_is_missing(speed, today):
    rows = list(speed.WORKS["today"](speed.Settings(1, today, small=True)))
    assert all("checkout" in row.missing for row in rows)


def test_what_this_version_cannot_do_is_said(speed):
    with pytest.raises(speed.MissingError, match="wings"):
        speed.tried(lambda: mg.record(lambda x: x, 1.0, wings=2))


@pytest.mark.parametrize("act", ["relu", "tanh"])
@pytest.mark.parametrize("sizes", [(5, 3), (5, 4, 3), (5, 4, 6, 3)])
def test_networks_of_any_depth_are_the_same_by_hand(speed, act, sizes):
    ours = speed.program.mlp_batch(7, sizes, act)()
    assert speed.gap(speed.program.mlp_numpy(7, sizes, act)(), ours) <= speed.TOLERANCE


def test_wrong_numbers_are_neither_kept_nor_drawn(speed, monkeypatch, capsys, tmp_path):
    wrong = speed.Row("work", "them", 2.0, 1.0, 2.0, apart=1e-6)
    right = wrong._replace(apart=0.0, wall=1.5)
    kept = tmp_path / "speed.json"
    monkeypatch.setattr(speed, "KEPT", kept)
    monkeypatch.setattr(speed, "README", tmp_path / "README.md")
    speed.README.write_text(f"before\n{speed.BEGIN}\n{speed.END}\nafter", encoding="utf-8")
    monkeypatch.setitem(speed.WORKS, "demo", lambda how: iter([wrong]))
    assert speed.main(["demo"]) == 1
    assert "WRONG: work" in capsys.readouterr().err
    assert not kept.exists()
    monkeypatch.setitem(speed.WORKS, "demo", lambda how: iter([right]))
    assert speed.main(["demo", "--dry"]) == 0
    assert not kept.exists()
    assert speed.main(["demo"]) == 0
    assert [row["ratio"] for row in json.loads(kept.read_text())] == [2.0]
    assert "| 2 × | 1.5 × |" in speed.README.read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        speed.main(["speed"])
