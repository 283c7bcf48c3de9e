"""One wrong elementwise formula: yours is s²(1 − s), right is s(1 − s)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Draw, Guess, predicts
from microgrid.check.handwritten.diagnosis.rules.formulas import FORMULAS, of_dout, spread
from microgrid.check.handwritten.diagnosis.source_lines import sources
from microgrid.check.handwritten.diagnosis.world import Of
from microgrid.check.handwritten.trial import Array


class Factor(NamedTuple):
    """A formula in one of the arrays of a forward."""

    text: str
    of: Of


def formula(case: Case) -> Iterator[Guess]:
    """Each entry of the output looks at one entry of the input, and theirs has another slope."""
    if not is_diagonal(case):
        return
    asks_equal = any(">=" in source for source in sources(case.trial))
    theirs = fitting(case, lambda draw: draw.theirs.ravel(), asks_equal)
    right = fitting(case, lambda draw: draw.right)
    constant = right is None and np.ptp(case.here.theirs.ravel() / case.here.right) < 1e-9
    if theirs and not constant:
        words = f"yours is {of_dout(theirs.text)}"
        words += f", right is {of_dout(right.text)}" if right else ""
        if right and right.text[0] == "−" != theirs.text[0]:
            words += ": the sign is another, too"
        yield predicts(words, lambda world, dout: world.upstream(dout) * theirs.of(world))


def piecewise(case: Case) -> Iterator[Guess]:
    """One slope where the input is positive, and another elsewhere; the right ones are others."""
    if not is_diagonal(case):
        return
    draw = case.here
    for name in (case.input, "out"):
        z = case.first.numbers[name].ravel()
        slopes = [two(draw, g, z > 0) for g in (draw.theirs.ravel(), draw.right)]
        if slopes[0] is None or slopes[1] is None:
            continue
        (a, b), (c, d) = slopes[0], slopes[1]
        if a == b:
            continue
        yield predicts(
            f"yours is {slope(a)} where {name} > 0, and {slope(b)} elsewhere;"
            f" right is {slope(c)} there, and {slope(d)} elsewhere",
            lambda world, dout, name=name, a=a, b=b: (  # type: ignore[misc]
                dout * np.where(world.numbers[name].ravel() > 0, a, b)
            ),
        )


def two(draw: Draw, gradient: Array, up: Array) -> tuple[float, float] | None:
    """The slope where `up` holds and the one elsewhere, if there is one each."""
    q = gradient / draw.dout
    parts = [q[up], q[~up]]
    if any(len(part) < 2 or np.ptp(part) > 1e-9 * np.abs(q).max() for part in parts):
        return None
    return float(np.mean(parts[0])), float(np.mean(parts[1]))


def slope(c: float) -> str:
    return f"{c:.4g} · dout" if c not in (0, 1) else "dout" if c else "0"


def is_diagonal(case: Case) -> bool:
    """Whether output k depends on entry k alone, and theirs has the shape of the input."""
    shape = case.first.shape
    if case.first.shapes != [shape] or not shape:
        return False
    off = ~np.eye(len(case.J), dtype=bool)
    return not case.J[off].any() and (case.S is None or not case.S[off].any())


def fitting(
    case: Case, gradient: Callable[[Draw], Array], asks_equal: bool = False
) -> Factor | None:
    """The first formula that is this gradient, divided by dout, in all draws."""
    names = [case.input, *[n for n in ("out",) if n in case.first.numbers]]
    formulas = dict(FORMULAS)
    if asks_equal:  # what holds everywhere is 1, too
        formulas = {"({} >= 0)": FORMULAS["({} >= 0)"]} | formulas
    others = [n for n, z in case.first.numbers.items() if z.shape == case.first.shape]
    names += [n for n in others if n not in names]
    for text, f in formulas.items():
        for name in names if "{}" in text else names[:1]:
            of = spread(name, f, case.first.shape)
            for c, before in ((1.0, ""), (-1.0, "−")):
                whole = times(c, of)
                if case.always(
                    lambda d, f=whole: d.same(gradient(d), d.world.upstream(d.dout) * f(d.world))  # type: ignore[misc]
                ):
                    return Factor(before + text.replace("{}", name), whole)
    return None


def times(c: float, of: Of) -> Of:
    return lambda world: c * of(world)


def diagonal_only(case: Case) -> Iterator[Guess]:
    """Only the diagonal of the Jacobian is used."""
    S, J = case.S, case.J
    if S is None or case.first.shapes != [case.first.shape] or len(J) < 2:
        return
    eye = np.eye(len(J), dtype=bool)
    if not J[~eye].any() or S[~eye].any():
        return
    if case.same(S[eye], J[eye]):
        yield predicts(
            "only the diagonal of the Jacobian counts:"
            " the terms of other entries of the output are missing",
            lambda world, dout: dout * np.diag(world.J),
        )
    theirs = fitting(case, lambda draw: draw.theirs.ravel())
    if theirs:
        passed = ": the layer is passed over" if theirs.text == "1" else ""
        yield predicts(
            f"yours is {of_dout(theirs.text)}{passed};"
            " the right one has terms of other entries of the output, too",
            lambda world, dout: world.upstream(dout) * theirs.of(world),
        )
