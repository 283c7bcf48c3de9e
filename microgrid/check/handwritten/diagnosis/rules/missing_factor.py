"""The right gradient but for a factor that is an array: γ is missing, or there twice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Guess, predicts
from microgrid.check.handwritten.diagnosis.rules.formulas import FORMULAS, factors
from microgrid.check.handwritten.diagnosis.world import Index, Of
from microgrid.check.handwritten.trial import Array


def rows(case: Case) -> Iterator[Guess]:
    """The right gradient of dout times a formula: a factor of dout is missing, or too often."""
    if case.S is None or case.trial.loss or len(case.first.shapes) != 1:
        return
    norms = np.maximum((case.J * case.J).sum(axis=1), 1e-300)
    r = (case.S * case.J).sum(axis=1) / norms
    if case.same(r[:, None] * case.J, case.S) and np.ptp(r) > 1e-9:
        for words, of in matching(case, case.first.shapes[0], r, np.asarray(case.J.any(axis=1))):
            yield predicts(
                f"yours is the right gradient for dout {words}",
                lambda world, dout, of=of: world.right(dout * of(world)),  # type: ignore[misc]
            )


def columns(case: Case) -> Iterator[Guess]:
    """The right gradient times a formula, entry by entry: γ is missing."""
    r = case.here.theirs.ravel() / case.here.right
    if r.size > 1 and np.isfinite(r).all() and np.ptp(r) > 1e-9 * np.abs(r).max():
        for words, of in matching(case, case.first.shape, r, np.ones(r.shape, bool)):
            yield predicts(
                f"yours is the right gradient {words}",
                lambda world, dout, of=of: world.right(dout) * of(world),  # type: ignore[misc]
            )


def matching(case: Case, shape: Index, r: Array, where: Array) -> Iterator[tuple[str, Of]]:
    """The formulas that are r, in the entries that count."""
    besides = case.first.change.sentence  # another mistake: this one will be simple
    for words, of in factors(case, shape, ["{}"] if besides else FORMULAS):
        f = of(case.first)
        if (np.abs(f - r) <= 1e-8 * (np.abs(f) + np.abs(r)))[where].all():
            yield words, of
