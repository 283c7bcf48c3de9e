"""Only the terms of some slices of the output are right, or count at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Draw, Guess
from microgrid.check.handwritten.diagnosis.rules.named_numbers import settings
from microgrid.check.handwritten.trial import Array


def alone(case: Case) -> Iterator[Guess]:
    """Only some slices of the output count, and nothing comes from the others."""
    S, J = case.S, case.J
    if S is None or case.trial.loss:
        return
    live = np.array([row.any() for row in J])
    silent = live & ~np.array([row.any() for row in S])
    right = live & ~silent
    if not silent.any() or not right.any() or not case.same(S[right], J[right]):
        return
    if len(case.first.shapes) > 1:
        yield from one_output(case, silent)
        return
    shape = case.first.shapes[0]
    index = np.array([at for _, at in case.rows])
    values = [sorted({*index[right][:, axis].tolist()}) for axis in range(len(shape))]
    inside = np.all([np.isin(index[:, axis], v) for axis, v in enumerate(values)], axis=0)
    if ((inside & live) != right).any():
        return
    cut = [axis for axis, n in enumerate(shape) if len(values[axis]) < n]
    words = f"only {chosen(case, 0, dict(zip(cut, (values[a] for a in cut))))} counts"
    if len(cut) == 1:
        rest = [v for v in range(shape[cut[0]]) if v not in values[cut[0]]]
        words += f", nothing comes from {chosen(case, 0, {cut[0]: rest})}"
    yield missing(case, silent, words + reason(case, 0, cut, values, True))


def one_output(case: Case, silent: Array) -> Iterator[Guess]:
    """Nothing comes from one of several outputs."""
    for i in range(len(case.first.shapes)):
        ours = np.array([k == i for k, _ in case.rows])
        if (silent == (ours & case.J.any(axis=1))).all():
            yield missing(case, ours, f"nothing comes from {case.output(i)}")


def partly(case: Case) -> Iterator[Guess]:
    """The terms of some slices of the output are right, or missing; others are wrong."""
    if case.S is None or case.trial.loss:
        return
    for i, shape in enumerate(case.first.shapes):
        for axis, n in enumerate(shape):
            if n > 1:
                yield from along(case, i, axis, n)


def along(case: Case, i: int, axis: int, n: int) -> Iterator[Guess]:
    """What holds of the slices of one output along one axis."""
    assert case.S is not None
    part = [np.array([k == i and at[axis] == v for k, at in case.rows]) for v in range(n)]
    live = [v for v in range(n) if case.J[part[v]].any()]
    right = [v for v in live if case.same(case.S[part[v]], case.J[part[v]])]
    silent = [v for v in live if v not in right and not case.S[part[v]].any()]
    if len(right) == len(live) or (not right and not silent):
        return
    rows = np.any([part[v] for v in right or silent], axis=0)
    if right:
        words = f"it is right for the terms of {chosen(case, i, {axis: right})} only"
        why = reason(case, i, [axis], [right if a == axis else [] for a in range(axis + 1)], False)
        yield part_right(rows, words + why)
    else:
        yield silence(rows, f"nothing comes from {chosen(case, i, {axis: silent})}")


def chosen(case: Case, i: int, which: Mapping[int, Sequence[int]]) -> str:
    """Slices as one writes them: out[:, 0 or 1]."""
    parts = [spelt(which.get(axis)) for axis in range(len(case.first.shapes[i]))]
    return f"{case.output(i)}[{', '.join(parts)}]"


def spelt(which: Sequence[int] | None) -> str:
    """The indices of one axis."""
    if which is None:
        return ":"
    return " or ".join(map(str, which)) if len(which) < 5 else f"{which[0]} … {which[-1]}"


def reason(
    case: Case, i: int, cut: Sequence[int], values: Sequence[Sequence[int]], alone: bool
) -> str:
    """What such slices come from, where that is known."""
    shape = case.first.shapes[i]
    only = [list(values[axis]) for axis in cut]
    stride = [v for k, v in settings(case).items() if "strid" in k.lower() or k == "s"]
    if not alone:
        forgotten = only == [[0]] and cut[0] > 0 and any(v > 1 for v in stride)
        return ": the stride is forgotten on this axis" if forgotten else ""
    what = "entry"
    if len(cut) == 1:
        samples = cut[0] == 0 and shape[0] == case.trial.samples
        what = "sample" if samples else f"slice of axis {cut[0]}"
    if only == [[shape[axis] - 1] for axis in cut]:
        return f": only the last {what} counts, as with `=` in a loop instead of `+=`"
    if only == [[0]] * len(cut):
        return f": only the first {what} counts, as with a `return` inside of the loop"
    return ""


def missing(case: Case, gone: Array, words: str) -> Guess:
    """A guess that theirs is right without the terms of these rows."""

    def test(draw: Draw) -> bool:
        return draw.equals(draw.world.right(np.where(gone, 0.0, draw.dout)))

    return Guess(words, test)


def part_right(rows: Array, words: str) -> Guess:
    """A guess that theirs is right where dout is zero but for these rows."""

    def test(draw: Draw) -> bool:
        alone = np.where(rows, draw.dout, 0.0)
        return draw.same(draw.world.theirs(alone).ravel(), draw.world.right(alone))

    return Guess(words, test)


def silence(rows: Array, words: str) -> Guess:
    """A guess that theirs does not look at these rows."""

    def test(draw: Draw) -> bool:
        return draw.equals(draw.world.theirs(np.where(rows, 0.0, draw.dout)))

    return Guess(words, test)
