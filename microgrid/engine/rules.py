"""What the rules of the table are made of: branches not taken, slopes that lose no digit.

A rule is called with (y, *xs). On numbers it gives a number; on Values it builds nodes, and never
looks at a number: so the same graph is right for all data, also where it is recorded.
"""

from __future__ import annotations

from typing import Any

from microgrid.engine import numeric
from microgrid.engine.numeric import like
from microgrid.engine.op import TABLE
from microgrid.engine.refusals import is_value
from microgrid.engine.slopes import NO_PATH, NoPath


def no_path(y: Any, *xs: Any) -> tuple[NoPath, ...]:
    """The local gradients of what is constant between kinks: no path."""
    return (NO_PATH,) * len(xs)


class Masked(NoPath):
    """The local gradient of a branch of where(c, a, b) in a graph: 1, or NO_PATH, as c decides.

    In a graph c is a node, so it is not known yet whether the branch is selected. A number 0 for
    "not selected" would be wrong: where(x > 0, log(x), 0) at x = 0 gives log the upstream 0, the
    local gradient of log there is inf, and 0 × inf is nan. So the engine's `upstream * local` gets
    a `local` that multiplies in its own way. Python asks the upstream first, which does not
    know a Masked; then it calls `Masked.__rmul__`, which gives a MaskedUpstream: it remembers the
    node `opened` (1 where the branch is selected, else 0), and replaces each further local
    gradient by where(opened, local, 0) before it multiplies.
    """

    __slots__ = ("c", "taken")

    def __init__(self, c: Any, *taken: bool) -> None:
        self.c, self.taken = c, taken

    def of(self, x: Any) -> Any:
        """x if the branch is selected, else 0."""
        return TABLE.where(self.c, *[x if taken else like(x, 0) for taken in self.taken])

    def __rmul__(self, upstream: Any) -> Any:
        return MaskedUpstream(self.of(upstream), self.of(1))

    def __pos__(self) -> Any:
        return self.of(1)


class MaskedUpstream:
    """An upstream gradient in a graph behind branches: `passed` where they are `opened`."""

    def __init__(self, passed: Any, opened: Any) -> None:
        self.passed, self.opened = passed, opened

    def __mul__(self, local: Any) -> MaskedUpstream:
        if isinstance(local, Masked):
            return MaskedUpstream(local.of(self.passed), local.of(self.opened))
        if is_value(local) or local - local != 0:  # a node, or inf
            local = TABLE.where(self.opened, local, like(local, 0))
        return MaskedUpstream(self.passed * local, self.opened)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, MaskedUpstream):
            return MaskedUpstream(self.passed + other.passed, self.opened + other.opened)
        return self.passed + other  # there is a path that no branch can close

    def __radd__(self, other: Any) -> Any:
        return other + self.passed


def select_rule(y: Any, c: Any, a: Any, b: Any) -> Any:
    if is_value(c):
        return NO_PATH, Masked(c, True, False), Masked(c, False, True)
    return (NO_PATH, 1, NO_PATH) if c else (NO_PATH, NO_PATH, 1)


def select(c: Any, a: Any, b: Any) -> Any:
    """a if c else b; a node where c is one, so that no rule depends on a number it has seen."""
    return TABLE.where(c, a, b) if is_value(c) else a if c else b


def negative_part(x: Any) -> Any:
    """x up to 0 included, else 0; nan for nan."""
    s = TABLE.step(x)
    return select(s, s - 1, x)


def one_or(x: Any, slope: Any) -> Any:
    """1 for x > 0, else slope; nan for nan."""
    s = TABLE.step(x)
    return select(s, s, slope)


def arcsin_slope(x: Any) -> Any:
    """1 / √(1 − x²), which loses no digit near ±1."""
    return TABLE.divide(1, TABLE.sqrt(TABLE.square_difference(1, x)))


def product_rule(s: Any, x: Any, slope: Any) -> Any:
    """(x s)' = s + x s', where s' may have underflown at x = ±inf."""
    return s + select(slope, x * slope, 0)


def xlogy_rule(y: Any, a: Any, b: Any) -> Any:
    """log b, and 0 where a = 0 and log b is −inf or nan, like PyTorch's."""
    logarithm, positive = TABLE.ieee_log(b), TABLE.step(b)
    return select(a, logarithm, select(positive, logarithm, positive))


def tie_rule(y: Any, *xs: Any) -> list[Any]:
    """An equal share for each operand that is the extreme one."""
    if not is_value(y):
        return numeric.ties(y, xs)
    winners = [TABLE.same(x, y) for x in xs]
    count = TABLE.total(*winners)
    return [won / count for won in winners]


def softmax_rule(y: Any, *xs: Any) -> list[Any]:
    """exp x / Σ exp x, with the largest taken off first."""
    if not is_value(y):
        return numeric.softmax(xs)
    top = TABLE.stop_gradient_max(*xs)
    scale = TABLE.exp_sum(top, *xs)
    return [TABLE.exp_difference(x, top) / scale for x in xs]
