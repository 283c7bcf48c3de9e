"""All rules, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from microgrid.check.handwritten.diagnosis.case import Case, Guess
from microgrid.check.handwritten.diagnosis.rules import (
    elementwise,
    factors,
    labels,
    missing_factor,
    near,
    overwriting,
    paths,
    products,
    samples,
    slices,
    slopes,
    transposed,
    upstream,
)

Rule = Callable[[Case], Iterator[Guess]]


class Beside(IntEnum):
    """Whether a rule also looks for a second mistake beside one that is taken as made, and when."""

    QUICK, SLOW, SLOWEST, NEVER = range(4)


class Entry(NamedTuple):
    """A rule. Those of a tier are tried together: what one says makes the tiers below needless."""

    tier: int
    rule: Rule
    beside: Beside = Beside.NEVER


# The most specific first.
RULES: Sequence[Entry] = (
    Entry(0, elementwise.formula, Beside.SLOW),
    Entry(0, factors.constant, Beside.QUICK),
    Entry(0, upstream.forgotten),
    Entry(0, upstream.masked, Beside.SLOW),
    Entry(0, upstream.updated),
    Entry(1, near.nearly, Beside.QUICK),
    Entry(2, transposed.transposed, Beside.SLOW),
    Entry(3, elementwise.piecewise),
    Entry(3, elementwise.diagonal_only),
    Entry(4, slices.alone, Beside.QUICK),
    Entry(5, paths.lines, Beside.SLOW),
    Entry(5, factors.added, Beside.SLOW),
    Entry(5, products.products),
    Entry(5, missing_factor.columns, Beside.SLOW),
    Entry(5, labels.labels, Beside.QUICK),
    Entry(6, overwriting.last_term, Beside.SLOW),
    Entry(6, missing_factor.rows, Beside.SLOW),
    Entry(6, slopes.slopes, Beside.SLOWEST),
    Entry(7, paths.names),
    Entry(7, paths.operands, Beside.SLOWEST),
    Entry(7, slopes.factors),
    Entry(7, transposed.shifted),
    Entry(8, paths.pairs),
    Entry(8, near.twins),
    Entry(8, labels.elsewhere, Beside.SLOWEST),
)
# What these say is true of some terms, and explains no gradient.
VAGUE: Sequence[Entry] = (Entry(0, slices.partly), Entry(1, samples.mixed))


def beside(when: Beside) -> list[Rule]:
    """The rules that look for a second mistake, of one speed.

    >>> [rule.__name__ for rule in beside(Beside.QUICK)]
    ['constant', 'nearly', 'alone', 'labels']
    """
    return [entry.rule for entry in RULES if entry.beside == when]
