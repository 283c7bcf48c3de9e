"""Terms that meet in an entry and overwrite each other: `=` where `+=` belongs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Draw, Guess
from microgrid.check.handwritten.diagnosis.source_lines import sources
from microgrid.check.handwritten.trial import Array


def last_term(case: Case) -> Iterator[Guess]:
    """Of the terms of an entry only the last counts, or only the first."""
    if case.S is None or case.trial.loss or not dropped(case):
        return
    reasons = "where they meet, `=` must be `+=`"
    if any("+=" in source for source in sources(case.trial)):
        reasons += ", and `a[index] += …` with repeated indices must be `np.add.at`"
    yield kept(last_of, f"of the terms of an entry only the last counts: {reasons}")
    yield kept(first_of, "of the terms of an entry only the first counts")
    words = "where windows overlap only the last counts: `=` must be `+=`"
    yield Guess(words, lambda draw: draw.equals(overlap(draw)))


def dropped(case: Case) -> bool:
    """Whether the terms of theirs are right or zero, and some are gone."""
    assert case.S is not None
    gone = np.abs(case.S) <= 1e-12
    return case.same(np.where(gone, 0.0, case.J), case.S) and bool((gone & (case.J != 0)).any())


def last_of(J: Array) -> Array:
    """J with the last term of each entry only."""
    seen = np.cumsum(J[::-1] != 0, axis=0)[::-1]
    result: Array = np.where(seen == 1, J, 0.0)
    return result


def first_of(J: Array) -> Array:
    """J with the first term of each entry only."""
    return last_of(J[::-1])[::-1]


def kept(keep: Callable[[Array], Array], words: str) -> Guess:
    """A guess that theirs has only the terms that `keep` leaves."""
    return Guess(words, lambda draw: draw.equals(draw.dout @ keep(draw.world.J)))


def overlap(draw: Draw) -> Array:
    """The right gradient without the terms in windows that a later window covers."""
    covers = draw.world.graph.reach()
    later = np.cumsum(covers[::-1], axis=0)[::-1]
    result: Array = draw.dout @ np.where(later == 1, draw.world.J, 0.0)
    return result
