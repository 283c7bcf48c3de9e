"""The gradient times a number, or plus a multiple of an array."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Guess, predicts
from microgrid.check.handwritten.diagnosis.rules.named_numbers import (
    close,
    named,
    ratio,
    times,
)
from microgrid.check.handwritten.trial import Array


def constant(case: Case) -> Iterator[Guess]:
    """One factor everywhere."""
    draw = case.here
    if draw.right.any():
        c = ratio(draw.theirs.ravel(), draw.right)
        yield predicts(everywhere(case, c), lambda world, dout: c * world.right(dout))


def everywhere(case: Case, c: float) -> str:
    """The sentence for a gradient that is c times the right one."""
    if abs(c) < 1e-12:
        return "it is zero"
    if close(c, -1):
        return "the sign is wrong: it is −1 times the gradient"
    whys = [n.why for n in named(case) if close(n.value, c) and n.why]
    signs = [n.why for n in named(case) if close(n.value, -c) and n.why]
    whys += [f"{why}; and the sign is wrong" for why in signs]
    return f"it is {' or '.join(whys[:2]) or f'{c:.6g} times the gradient, everywhere'}"


def added(case: Case) -> Iterator[Guess]:
    """A multiple of an array too much: a regularization term in one place only."""
    draw = case.here
    N = case.trial.samples
    difference = draw.theirs.ravel() - draw.right
    for name, z in case.first.numbers.items():
        if z.shape != case.first.shape or not z.any() or not z.size:
            continue
        for text, f in ((name, same), (f"sign({name})", np.sign)):
            c = ratio(difference, f(z).ravel())
            if name != case.input and not any(close(abs(c), n) for n in (1, 2, 0.5, N, 1 / N)):
                continue
            size = times(case, abs(c), False)
            words = f"yours is the right gradient {'−' if c < 0 else '+'} {size}{text}"
            hint = ": the regularization stands in one place only, or with another factor"
            yield predicts(
                words + hint * (name == case.input),
                lambda world, dout, c=c, f=f, name=name: (  # type: ignore[misc]
                    world.right(dout) + c * f(world.numbers[name]).ravel()
                ),
            )


def same(x: Array) -> Array:
    return x
