"""The benchmark of training compares equal losses; nothing here looks at a clock."""

from __future__ import annotations

import numpy as np
import pytest
import training

from microgrid import nn, optim


def test_the_program_trains_as_the_engine_does() -> None:
    X, y = training.digits(40)
    history = optim.fit(
        training.loss, training.network(4), (X, nn.one_hot(y, 10)),
        optimizer=optim.Adam(lr=training.RATE), epochs=1, batch_size=training.BATCH,
    )  # fmt: skip
    assert training.train(4, 1, 40) == pytest.approx(history.steps, rel=1e-12)
    assert len(history.steps) == 2


def test_pytorch_has_the_same_losses() -> None:
    pytest.importorskip("torch", reason="NOT COMPARED: PyTorch is not installed")
    assert training.train(4, 2, 70) == pytest.approx(training.train_torch(4, 2, 70), rel=1e-12)


def test_the_script_says_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert training.main(["4", "--epochs", "1", "--pairs", "1"]) == 0
    assert "digits 64-4-10, 1 epochs" in capsys.readouterr().out


def test_other_losses_end_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "peer", lambda name: None)
    monkeypatch.setattr(training, "train_torch", lambda *_: [np.nan])
    monkeypatch.setattr(training, "train", lambda *_: [1.0])
    assert training.main(["4", "--epochs", "1", "--pairs", "1"]) == 1
