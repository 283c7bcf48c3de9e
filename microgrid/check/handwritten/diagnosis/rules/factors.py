"""The gradient times a number, and what that number is; or plus a multiple of an array."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Guess, predicts
from microgrid.check.handwritten.trial import Array


class Named(NamedTuple):
    """A number, how it is written, and what a gradient is that many times too large."""

    value: float
    text: str
    why: str


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
    whys = [n.why for n in named(case) if close(n.value, c) and "− 1" not in n.text]
    whys += [f"{n.why}; and the sign is wrong" for n in named(case) if close(n.value, -c)]
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


def named(case: Case, sizes: bool = True) -> Iterator[Named]:
    """The numbers that a gradient is often too large by, the likeliest first.

    Without `sizes` only N and what the setting names.
    """
    N = case.trial.samples
    yield Named(2, "2", "twice the gradient")
    yield Named(0.5, "1/2", "half of the gradient")
    if N > 1:
        yield from sized(N, "N", f"N = {N}")
        yield Named(N / (N - 1), "N/(N − 1)", f"N/(N − 1) times the gradient, with N = {N}")
        yield Named((N - 1) / N, "(N − 1)/N", f"(N − 1)/N times the gradient, with N = {N}")
    for name, value in settings(case).items():
        for k, before in ((1.0, ""), (2.0, "2 · "), (0.5, "½ · ")):
            yield Named(k * value, f"{before}{name}", f"{before}{name} times the gradient")
        if value:
            yield Named(1 / value, f"1/{name}", f"1/{name} times the gradient: {name} is missing")
    log = math.log(10)
    yield Named(log, "log(10)", "2.303 = log(10) times the gradient: log10 is not log")
    yield Named(1 / log, "1/log(10)", "1/log(10) = 0.4343 times the gradient: log10 is not log")
    yield Named(math.log(2), "log(2)", "log(2) = 0.6931 times the gradient: log2 is not log")
    yield Named(1 / math.log(2), "1/log(2)", "1/log(2) = 1.443 times the gradient")
    if sizes:
        yield from lengths(case, {1, 2, N})


def lengths(case: Case, known: set[int]) -> Iterator[Named]:
    """Lengths of axes, and numbers of entries."""
    outs = [(case.output(i), s) for i, s in enumerate(case.first.shapes)]
    arrays = [*((k, np.shape(a)) for k, a in case.trial.inputs.items()), *outs]
    for name, shape in arrays:
        for axis, n in enumerate(shape):
            if n not in known:
                yield from sized(n, f"{name}.shape[{axis}]", f"{name}.shape[{axis}] = {n}")
                known = known | {n}
    for name, shape in arrays:
        if (n := math.prod(shape)) not in known:
            yield from sized(n, f"{name}.size", f"{name}.size = {n}")
            known = known | {n}


def sized(n: int, text: str, full: str) -> Iterator[Named]:
    """A length as a factor, a divisor and a root."""
    yield Named(n, text, f"{full} times the gradient: a division by {text} is missing")
    yield Named(1 / n, f"1/{text}", f"1/{text} of the gradient: divided by {full} once too often")
    if math.isqrt(n) ** 2 != n:
        yield Named(math.sqrt(n), f"√{text}", f"√{text} times the gradient, with {full}")
        yield Named(1 / math.sqrt(n), f"1/√{text}", f"1/√{text} of the gradient, with {full}")


def settings(case: Case) -> dict[str, float]:
    """The numbers of the setting by name: those of "stride=2, reg=0.1"."""
    pairs = re.findall(r"(\w+)['\"]?\s*[=:]\s*(-?\d+\.?\d*(?:e-?\d+)?)", case.trial.setting)
    return {name: float(value) for name, value in pairs}


def known(case: Case, c: float, sizes: bool = True) -> str:
    """How this number is written, "" if it has no name."""
    if close(c, 1):
        return "1"
    texts = [n.text for n in named(case, sizes) if close(n.value, c)]
    texts += [f"−{n.text}" for n in named(case, sizes) if close(n.value, -c)]
    return " or ".join(texts[:2])


def times(case: Case, c: float, sizes: bool = True) -> str:
    """A factor before a text: "N · ", "0.37 · ", "" for one."""
    return "" if close(c, 1) else f"{known(case, c, sizes) or format(c, '.4g')} · "


def ratio(a: Array, b: Array) -> float:
    """The number c for which a is closest to c·b."""
    return float(a @ b / max(b @ b, 1e-300))


def close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-7, abs_tol=1e-12)


def same(x: Array) -> Array:
    return x
