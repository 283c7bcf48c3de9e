"""What the rules of the table are made of: gates that shut, slopes that lose no digit.

A rule is called with (y, *xs). On numbers it gives a number; on Values it builds nodes, and never
looks at a number: so the same graph is right for all data, also where it is recorded.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from microgrid import numeric
from microgrid.value import Op, Value


class Table(dict[str, Op]):
    """Operations by name; TABLE.exp is TABLE["exp"]."""

    def __getattr__(self, name: str) -> Op:
        if name not in self:
            raise AttributeError(name)
        return self[name]


TABLE = Table()


def one(y: Any, a: Any, b: Any) -> int:
    return 1


def shut(y: Any, *xs: Any) -> tuple[None, ...]:
    """The local gradients of what is constant between kinks: no path."""
    return (None,) * len(xs)


class Gate:
    """The local gradient of a branch of where: 1, or shut: not even 0 × inf comes through."""

    def __init__(self, c: Any, *taken: bool) -> None:
        self.c, self.taken = c, taken

    def __rmul__(self, upstream: Any) -> Any:
        return TABLE.where(self.c, *[upstream if taken else 0 for taken in self.taken])

    def __pos__(self) -> Any:
        return 1 * self


def gates(y: Any, c: Any, a: Any, b: Any) -> Any:
    if isinstance(c, Value):
        return None, Gate(c, True, False), Gate(c, False, True)
    return (None, 1, None) if c else (None, None, 1)


def either(c: Any, a: Any, b: Any) -> Any:
    """a if c else b; a node where c is one, so that no rule depends on a number it has seen."""
    return TABLE.where(c, a, b) if isinstance(c, Value) else a if c else b


def below(x: Any) -> Any:
    """x up to 0 included, else 0."""
    return either(TABLE.step(x), 0, x)


@cache
def falling(k: int) -> Op:
    """b (b-1) … (b-k+1) a^(b-k), the k-th derivative of a^b in a, as an operation of its own."""

    def along_b(y: Any, a: Any, b: Any) -> Any:
        others = [math.prod([b - j for j in range(k) if j != i]) for i in range(k)]
        return y * TABLE.ieee_log(a) + falling(0)(a, b - k) * sum(others)

    forward = numeric.falling(k)
    factors = " ".join(["#2", *[f"(#2 - {j})" for j in range(1, k)]][:k])
    look = f"{factors} #1^{{#2 - {k}}}" if k else "#1^{#2}"
    return Op(
        f"falling{k}", forward, lambda y, a, b: falling(k + 1)(a, b), along_b, latex=look.strip()
    )


def turn(y: Any, a: Any, b: Any) -> Any:
    """∂a^b/∂b = y log a, and 0 at a = 0."""
    # an int or a Fraction may lie beyond the floats, and backward never raises
    graph = isinstance(y, Value)
    slope = y * TABLE.ieee_log(a) if graph else numeric.product(y, numeric.log(a))
    return either(a, slope, y * 0)


def half_circle(x: Any) -> Any:
    """1 / √(1 − x²), which loses no digit near ±1."""
    return TABLE.divide(1, TABLE.sqrt((1 - x) * (1 + x)))


def tail(s: Any, x: Any, slope: Any) -> Any:
    """(x s)' = s + x s', where s' may have underflown at x = ±inf."""
    return s + either(slope, x * slope, 0)


def extreme(y: Any, *xs: Any) -> list[Any]:
    """An equal share for each operand that is the extreme one."""
    if not isinstance(y, Value):
        return numeric.ties(y, xs)
    winners = [TABLE.same(x, y) for x in xs]
    count = TABLE.total(*winners)
    return [won / count for won in winners]


def shares(y: Any, *xs: Any) -> list[Any]:
    """exp x / Σ exp x, with the largest taken off first."""
    if not isinstance(y, Value):
        return numeric.softmax(xs)
    top = TABLE.peak(*xs)
    scale = TABLE.exp_sum(top, *xs)
    return [TABLE.exp_difference(x, top) / scale for x in xs]
