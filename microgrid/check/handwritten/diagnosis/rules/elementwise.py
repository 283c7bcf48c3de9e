"""One wrong elementwise formula: yours is s²(1 − s), right is s(1 − s)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Draw, Guess, World, predicts
from microgrid.check.handwritten.diagnosis.rules.slices import sources
from microgrid.check.handwritten.trial import Array

Of = Callable[[World], Array]  # an array of a world, flat, in the order of dout

FORMULAS: dict[str, Callable[[Array], Array]] = {
    "1": np.ones_like,
    "{}": lambda s: s,
    "{}(1 − {})": lambda s: s * (1 - s),
    "1 − {}²": lambda s: 1 - s * s,
    "1 − {}": lambda s: 1 - s,
    "{}²": lambda s: s * s,
    "2{}": lambda s: 2 * s,
    "3{}²": lambda s: 3 * s * s,
    "3{}³": lambda s: 3 * s**3,
    "3{}": lambda s: 3 * s,
    "2{}²": lambda s: 2 * s * s,
    "{}³": lambda s: s**3,
    "1/{}": lambda s: 1 / s,
    "1/{}²": lambda s: 1 / (s * s),
    "√{}": np.sqrt,
    "1/√{}": lambda s: 1 / np.sqrt(s),
    "1/(2√{})": lambda s: 0.5 / np.sqrt(s),
    "({} > 0)": lambda s: (s > 0) * 1.0,
    "({} < 0)": lambda s: (s < 0) * 1.0,
    "({} >= 0)": lambda s: (s >= 0) * 1.0,
    "sign({})": np.sign,
    "{}²(1 − {})": lambda s: s * s * (1 - s),
    "{}(1 − {})²": lambda s: s * (1 - s) ** 2,
    "{}(1 − {}²)": lambda s: s * (1 - s * s),
    "{}²(1 − {}²)": lambda s: s * s * (1 - s * s),
    "{}(1 + {})": lambda s: s * (1 + s),
    "1 + {}": lambda s: 1 + s,
    "1 + {}²": lambda s: 1 + s * s,
    "{} − 1": lambda s: s - 1,
    "(1 − {})²": lambda s: (1 - s) ** 2,
    "{}² − 1": lambda s: s * s - 1,
    "exp({})": np.exp,
    "exp(−{})": lambda s: np.exp(-s),
    "log({})": np.log,
    "cos({})": np.cos,
    "−cos({})": lambda s: -np.cos(s),
    "sin({})": np.sin,
    "−sin({})": lambda s: -np.sin(s),
    "tanh({})": np.tanh,
    "1 − tanh({})²": lambda s: 1 - np.tanh(s) ** 2,
    "1 − tanh({})": lambda s: 1 - np.tanh(s),
    "1/cosh({})": lambda s: 1 / np.cosh(s),
    "1/(1 + {}²)": lambda s: 1 / (1 + s * s),
    "1/(1 + exp({}))": lambda s: 1 / (1 + np.exp(s)),
    "1/(1 + exp(−{}))": lambda s: 1 / (1 + np.exp(-s)),
    "exp(−{})/(1 + exp(−{}))": lambda s: np.exp(-s) / (1 + np.exp(-s)),
    "exp({})/(1 + exp({}))²": lambda s: np.exp(s) / (1 + np.exp(s)) ** 2,
    "exp(−{}²)": lambda s: np.exp(-s * s),
    "exp(−{}²/2)": lambda s: np.exp(-s * s / 2),
}


class Factor(NamedTuple):
    """A formula in one of the arrays of a forward."""

    text: str
    of: Of


def formula(case: Case) -> Iterator[Guess]:
    """Each entry of the output looks at one entry of the input, and theirs has another slope."""
    if not is_diagonal(case):
        return
    asks_equal = any(">=" in source for source in sources(case))
    theirs = fitting(case, lambda draw: draw.theirs.ravel(), asks_equal)
    right = fitting(case, lambda draw: draw.right)
    if theirs:
        words = f"yours is {of_dout(theirs.text)}"
        words += f", right is {of_dout(right.text)}" if right else ""
        yield predicts(words, lambda world, dout: dout * theirs.of(world))


def piecewise(case: Case) -> Iterator[Guess]:
    """One slope where the input is positive, and another elsewhere; the right ones are others."""
    if not is_diagonal(case):
        return
    draw = case.draws[0]
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


def rows(case: Case) -> Iterator[Guess]:
    """The right gradient of dout times a formula: a factor of dout is missing, or too often."""
    if case.S is None or case.trial.loss or len(case.first.shapes) != 1:
        return
    r = quotients(case.S, case.J)
    if r is None or np.ptp(r) < 1e-9:
        return
    for factor in factors(case, case.first.shapes[0]):
        for words, of in variants(factor):
            if close(of(case.first), r, np.asarray(case.J.any(axis=1))):
                yield predicts(
                    "yours is the right gradient for dout " + words,
                    lambda world, dout, of=of: world.right(dout * of(world)),  # type: ignore[misc]
                )
                return


def columns(case: Case) -> Iterator[Guess]:
    """The right gradient times a formula, entry by entry: γ is missing."""
    draw = case.draws[0]
    if draw.theirs.size != draw.right.size or not draw.right.all():
        return
    r = draw.theirs.ravel() / draw.right
    if r.size < 2 or np.ptp(r) < 1e-9 * np.abs(r).max():
        return
    for factor in factors(case, case.first.shape):
        for words, of in variants(factor):
            if close(of(case.first), r, np.ones(r.shape, bool)):
                yield predicts(
                    "yours is the right gradient " + words,
                    lambda world, dout, of=of: world.right(dout) * of(world),  # type: ignore[misc]
                )
                return


def of_dout(text: str) -> str:
    """dout times a formula."""
    outside = re.sub(r"\([^()]*\)", "", text)
    return (
        "dout itself" if text == "1" else f"dout · ({text})" if " " in outside else f"dout · {text}"
    )


def variants(factor: Factor) -> Iterator[tuple[str, Of]]:
    """A formula as a factor, and as a divisor, with what that says."""

    def inverse(world: World) -> Array:
        with np.errstate(all="ignore"):
            return 1 / factor.of(world)

    yield f"divided by {factor.text}: {factor.text} is missing", inverse
    yield f"times {factor.text}: {factor.text} is there once too often", factor.of


def factors(case: Case, shape: tuple[int, ...]) -> Iterator[Factor]:
    """Formulas in the arrays that fit this shape: the arrays themselves first."""
    names = [n for n, z in case.first.numbers.items() if fits(z, shape)]
    for text, f in sorted(FORMULAS.items(), key=lambda item: item[0] != "{}"):
        if text != "1":
            for name in names:
                yield Factor(text.replace("{}", name), spread(name, f, shape))


def fits(z: Array, shape: tuple[int, ...]) -> bool:
    try:
        return z.size > 1 and np.broadcast_shapes(z.shape, shape) == shape
    except ValueError:
        return False


def spread(name: str, f: Callable[[Array], Array], shape: tuple[int, ...]) -> Of:
    def of(world: World) -> Array:
        with np.errstate(all="ignore"):
            return np.broadcast_to(f(world.numbers[name]), shape).ravel()

    return of


def quotients(S: Array, J: Array) -> Array | None:
    """The r for which S is diag(r)·J; None where there are none."""
    norms = np.maximum((J * J).sum(axis=1), 1e-300)
    r: Array = (S * J).sum(axis=1) / norms
    fits = np.abs(S - r[:, None] * J).max(initial=0) <= 1e-9 * np.abs(S).max(initial=0)
    return r if fits else None


def close(a: Array, b: Array, where: Array) -> bool:
    with np.errstate(all="ignore"):
        return bool((np.abs(a - b) <= 1e-8 * (np.abs(a) + np.abs(b)))[where].all())


def is_diagonal(case: Case) -> bool:
    """Whether output k depends on entry k alone, and theirs has the shape of the input."""
    shape = case.first.shape
    if case.first.shapes != [shape] or case.theirs.shape != shape or not shape:
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
                whole = scaled(of, c)
                if all(d.same(gradient(d), d.dout * whole(d.world)) for d in case.draws):
                    return Factor(before + text.replace("{}", name), whole)
    return None


def scaled(of: Of, c: float) -> Of:
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
            lambda world, dout: dout * theirs.of(world),
        )
