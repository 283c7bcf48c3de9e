"""Tests of the tests: the engines with planted bugs are those of the museum."""

from __future__ import annotations

from typing import Any

import pytest
from shared.strategies import QUICK

from microgrid.check import museum
from microgrid.engine import ops


def assert_caught(test: Any, monkeypatch: Any, **given: Any) -> None:
    """The property finds the planted bug, with few draws and no shrinking."""
    monkeypatch.setattr(test, "_hypothesis_internal_use_settings", QUICK, raising=False)
    with pytest.raises(AssertionError):
        test(**given)


def plant_rule(monkeypatch: Any, name: str, op: str) -> None:
    """Our own engine gets the wrong local gradients of a mistake of the museum."""
    entry, wrong = ops.PUBLIC[op], museum.broken(name, op).rules[op]
    if entry.joint is not None:
        monkeypatch.setattr(entry, "joint", wrong)
    places = range(len(entry.rules))
    rules = tuple(lambda y, *xs, i=i: wrong(y, *xs)[i] for i in places)
    monkeypatch.setattr(entry, "rules", rules)
