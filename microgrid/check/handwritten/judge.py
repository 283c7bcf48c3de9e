"""A layer in all of its settings: of each gradient the worst verdict, and where it hides."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from microgrid.check.handwritten.examination import Examination, setting
from microgrid.check.handwritten.results import FAILING, ORDER, WRONG, Found, Gradient
from microgrid.check.handwritten.trial import LayerError, Trial

PART = re.compile(r", (?=\w+(?:=| \())")  # between the parts of a setting


def examine(trials: Sequence[Trial], seed: int = 0) -> Found:
    """What is right and what is wrong with one layer, in all of its settings.

    A setting that cannot be run is `refused`; LayerError where that is so of all of them.

    >>> import numpy as np
    >>> from microgrid.check.handwritten.trial import Pass
    >>> x = np.array([0.5, -2.0, 3.0])
    >>> doubled = Trial("f", {"x": x}, lambda d: Pass([2 * d["x"]], lambda u: {"x": u[0]}))
    >>> [(g.input, g.verdict, g.sentences[-1]) for g in examine([doubled]).gradients]
    [('x', 'wrong', 'it is half of the gradient')]
    """
    start = time.perf_counter()
    founds: list[Found] = []
    refused: list[tuple[Trial, LayerError]] = []
    for trial in trials:
        told = {g.input for found in founds for g in found.gradients if g.verdict == WRONG}
        try:
            with np.errstate(all="ignore"):  # theirs may hold anything
                founds.append(Examination(trial, seed).found(told))
        except LayerError as error:
            refused.append((trial, error))
    if not founds:
        raise refused[0][1]
    return replace(
        combined(founds),
        refused=[*dict.fromkeys(why_not(founds[0], trial, error) for trial, error in refused)],
        seconds=time.perf_counter() - start,
    )


def why_not(found: Found, trial: Trial, error: LayerError) -> str:
    """Why a setting was not run, by what is different there from one that was."""
    there = setting(trial)
    return f"{besides(found.setting, there) or there}: {error}"


def combined(founds: Sequence[Found]) -> Found:
    """The verdicts in several settings as one: of each gradient the worst.

    >>> narrow = Found("f", "x (3,), stride=1", [Gradient("x", "dx")])
    >>> wide = Found("f", "x (3,), stride=2", [Gradient("x", "dx", WRONG)])
    >>> both = combined([narrow, wide])
    >>> both.gradients[0].verdict, both.gradients[0].setting, both.gradients[0].hidden, both.also
    ('wrong', 'stride=2', 'stride=1', ['stride=2'])
    """
    first, *others = founds
    names = dict.fromkeys(g.input for found in founds for g in found.gradients)
    also = [besides(first.setting, found.setting) for found in others]
    return replace(
        first,
        gradients=[worst(name, founds) for name in names],
        also=[*filter(None, dict.fromkeys(also))],
        habits=[*dict.fromkeys(habit for found in founds for habit in found.habits)],
        inside=next((found.inside for found in founds if found.inside), ""),
    )


def worst(name: str, founds: Sequence[Found]) -> Gradient:
    """The worst verdict on the gradient of one input, with where it was found."""
    seen = [(g, found) for found in founds for g in found.gradients if g.input == name]
    g, where = min(seen, key=lambda one: ORDER.index(one[0].verdict))
    fine = next((found for other, found in seen if other.ok), None)
    if fine is not None and g.verdict in FAILING:  # told by what is different there
        hidden, own = besides(where.setting, fine.setting), besides(fine.setting, where.setting)
        return replace(g, setting=own, hidden=hidden)
    return (
        g if where is founds[0] else replace(g, setting=besides(founds[0].setting, where.setting))
    )


def besides(one: str, other: str) -> str:
    """What the other setting has that the one has not; the shapes only where nothing else differs.

    >>> besides("x (3, 4), stride=2, pad=1", "x (3, 5), stride=1, pad=1")
    'stride=1'
    """
    more = [part for part in PART.split(other) if part not in PART.split(one)]
    return ", ".join([part for part in more if "=" in part] or more)
