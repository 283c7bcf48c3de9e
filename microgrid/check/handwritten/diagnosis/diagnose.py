"""What is the matter with a wrong gradient, in sentences that hold for every entry of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case as Case
from microgrid.check.handwritten.diagnosis.rules_in_order import RULES, VAGUE, Entry
from microgrid.check.handwritten.diagnosis.source_lines import backward_line as backward_line
from microgrid.check.handwritten.diagnosis.two_mistakes import first, two_mistakes
from microgrid.check.handwritten.diagnosis.world import Index
from microgrid.check.handwritten.results import Term, Worst

MOST, ROWS = 3, 4  # sentences on a gradient, terms of an entry


def diagnose(case: Case) -> list[str]:
    """Sentences on what is the matter with a wrong gradient, likeliest first.

    Each was tried on all entries, and at other inputs: it explains the whole gradient. The list is
    empty where none does.

    >>> from microgrid.check.handwritten.diagnosis.case import case_of
    >>> from microgrid.check.handwritten.trial import Pass, Trial
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> doubled = Trial("f", {"x": x}, lambda d: Pass([2 * d["x"]], lambda u: {"x": u[0]}))
    >>> diagnose(case_of(doubled, "x"))
    ['it is half of the gradient']
    """
    if not np.isfinite(case.theirs).all():
        return []
    with np.errstate(all="ignore"):
        return first_tier(case, RULES) or two_mistakes(case)


def described(case: Case) -> list[str]:
    """What is true of a gradient that no rule explains: of some slices, then of how many terms.

    >>> from microgrid.check.handwritten.diagnosis.case import case_of
    >>> from microgrid.check.handwritten.trial import Pass, Trial
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> doubled = Trial("f", {"x": x}, lambda d: Pass([2 * d["x"]], lambda u: {"x": u[0]}))
    >>> described(case_of(doubled, "x"))
    ['0 of 3 terms right, 3 of another size']
    """
    if not np.isfinite(case.theirs).all():
        return [counted(case)]
    with np.errstate(all="ignore"):
        return [*first_tier(case, VAGUE), counted(case)]


def first_tier(case: Case, rules: Sequence[Entry]) -> list[str]:
    """What the first tier says that says anything."""
    for _, tier in groupby(rules, key=lambda entry: entry.tier):
        found = list(dict.fromkeys(s for entry in tier if (s := first(case, entry.rule))))
        if found:
            return found[:MOST]
    return []


def counted(case: Case) -> str:
    """How many terms are right, missing, or do not belong."""
    S, J = case.S, case.J
    if odd := int((~np.isfinite(case.theirs)).sum()):
        return f"{odd} of its {case.theirs.size} entries are no numbers: nan, or infinite"
    if S is None:
        draw = case.here
        right = np.abs(case.theirs.ravel() - draw.right) <= draw.tolerance
        return f"{int(right.sum())} of {right.size} entries right"
    tiny = 1e-12 * max(np.abs(J).max(initial=0), np.abs(S).max(initial=0))
    ours, theirs = np.abs(J) > tiny, np.abs(S) > tiny
    right = ours & (np.abs(S - J) <= 1e-9 * (np.abs(J) + np.abs(J).max(initial=0)))
    parts = [f"{int(right.sum())} of {int(ours.sum())} terms right"]
    for n, words in (
        (int((ours & ~theirs).sum()), "missing"),
        (int((ours & theirs & ~right).sum()), "of another size"),
        (int((~ours & theirs).sum()), "that do not belong"),
    ):
        parts += [f"{n} {words}"] * (n > 0)
    return ", ".join(parts)


def worst(case: Case) -> Worst:
    """The entry that is most wrong, with the terms that are, yours beside the right ones.

    >>> from microgrid.check.handwritten.diagnosis.case import case_of
    >>> from microgrid.check.handwritten.trial import Pass, Trial
    >>> doubled = Trial("f", {"x": np.ones(3)}, lambda d: Pass([2 * d["x"]], lambda u: {"x": u[0]}))
    >>> found = worst(case_of(doubled, "x"))
    >>> found.entry, found.terms[0].output, found.terms[0].note
    ('dx[2]', 'out[2]', '0.5 ×')
    """
    theirs, right = np.ravel(case.theirs).astype(float), np.ravel(case.right)
    gap = np.abs(theirs - right)
    e = int(np.argmax(np.where(np.isfinite(gap), gap, np.inf)))
    at = np.unravel_index(e, case.first.shape) if case.first.shape else ()
    found = Worst(entry(case.gradient, tuple(map(int, at))), float(theirs[e]), float(right[e]))
    if case.S is not None and not case.trial.loss:
        apart = np.abs(case.S[:, e] - case.J[:, e])
        most = [k for k in np.argsort(-apart, kind="stable")[:ROWS] if apart[k] > 0]
        found.terms = [term(case, int(k), e) for k in sorted(most)]
    with suppress(Exception):
        from microgrid.check.handwritten.diagnosis.written_out import formulas

        found.formulas = formulas(case, e)
    return found


def term(case: Case, k: int, e: int) -> Term:
    """The share of entry e that comes from entry k of the output."""
    assert case.S is not None
    i, at = case.rows[k]
    theirs, right = float(case.S[k, e]), float(case.J[k, e])
    tiny = 1e-12 * max(np.abs(case.J).max(initial=0), np.abs(case.S).max(initial=0))
    note = "missing" if abs(theirs) <= tiny else "does not belong" if abs(right) <= tiny else ""
    note = note or ("" if abs(theirs - right) <= 1e-9 * abs(right) else f"{theirs / right:.4g} ×")
    return Term(entry(case.output(i), at), theirs, right, note)


def entry(name: str, at: Index) -> str:
    """An entry as one writes it."""
    return f"{name}[{', '.join(str(int(i)) for i in at)}]" if at else name
