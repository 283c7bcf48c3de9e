"""The numbers that a gradient is often too large by: N, the length of an axis, 2, log 10."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case
from microgrid.check.handwritten.trial import Array


class Named(NamedTuple):
    """A number, how it is written, and what a gradient is that many times too large."""

    value: float
    text: str
    why: str


def named(case: Case, sizes: bool = True) -> Iterator[Named]:
    """These numbers, the likeliest first; without `sizes` N is the only length.

    A length that stands in their backward as a number is left out: it is that number.
    """
    N = case.trial.samples
    yield Named(2, "2", "twice the gradient")
    yield Named(0.5, "1/2", "half of the gradient")
    if N > 1:
        yield from sized(N, "N", f"N = {N}") if not is_written(case, N) else ()
        yield Named(N / (N - 1), "N/(N − 1)", "")
        yield Named((N - 1) / N, "(N − 1)/N", "")
    for name, value in settings(case).items():
        for k, before in ((1.0, ""), (2.0, "2 · "), (0.5, "½ · ")):
            yield Named(k * value, f"{before}{name}", f"{before}{name} times the gradient")
        if value:
            yield Named(1 / value, f"1/{name}", f"1/{name} times the gradient: {name} is missing")
    whole = [(n, int(v)) for n, v in settings(case).items() if v > 1 and v == int(v)]
    numbers = [n for _, n in whole]
    for (a, m), (b, n) in combinations_with_replacement(whole, 2):  # windows, say
        text = f"{a}²" if a == b else f"{a} · {b}"
        yield from sized(m * n, text, f"{text} = {m * n}")
    for base in (10, 2):
        log, text = math.log(base), f"log({base})"
        why = f"times the gradient: log{base} is not log"
        yield Named(log, text, f"{log:.4g} = {text} {why}")
        yield Named(1 / log, f"1/{text}", f"1/{text} = {1 / log:.4g} {why}")
    if sizes:
        yield from lengths(case, {1, 2, N, *(m * n for m in numbers for n in numbers)})


def lengths(case: Case, known: set[int]) -> Iterator[Named]:
    """Lengths of axes, and then numbers of entries, each once; none that two axes share."""
    arrays = {k: np.shape(a) for k, a in case.trial.inputs.items()}
    arrays |= {case.output(i): s for i, s in enumerate(case.first.shapes)}
    found = [(n, f"{k}.shape[{axis}]") for k, s in arrays.items() for axis, n in enumerate(s)]
    found += [(math.prod(s), f"{k}.size") for k, s in arrays.items()]
    known = known | {n for s in arrays.values() for n in s if s.count(n) > 1}
    for n, text in found:
        if n not in known and not is_written(case, n):
            yield from sized(n, text, f"{text} = {n}")
            known = known | {n}


def is_written(case: Case, n: int) -> bool:
    """Whether their backward has this number, or its inverse, as a factor."""
    return any(close(n, c) or close(1, n * c) for c in case.first.written)


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
