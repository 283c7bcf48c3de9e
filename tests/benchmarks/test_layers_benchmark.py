"""The benchmark of layers measures what it says; nothing here looks at a clock."""

from __future__ import annotations

import layers
import pytest

from microgrid.check.handwritten import museum


def test_the_table_has_a_row_for_each_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert layers.main(["--quick"]) == 0
    assert "affine (3, 4)·(4, 5)" in capsys.readouterr().out


@pytest.mark.parametrize("work", [*layers.WORKS.values(), *layers.QUICK.values()])
def test_every_work_is_a_layer_with_a_mistake_of_it(work: layers.Work) -> None:
    assert museum.MUSEUM[work.mistake].of == work.layer


def test_a_right_layer_gives_no_alarm_and_a_wrong_one_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--seeds", "2", "--layer", "affine_pair"]
    assert layers.main(asked) == 0
    assert "1 right layers at 2 seeds: 0 false alarms" in capsys.readouterr().out
    monkeypatch.setattr(museum, "source", lambda name: museum.broken("db is a mean"))
    assert layers.main(asked) == 1
    assert "affine, seed 1: {'b': 'wrong'}" in capsys.readouterr().err
