"""One wrong elementwise formula: yours is s²(1 − s), right is s(1 − s)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Draw, Guess, Index, Of, predicts
from microgrid.check.handwritten.diagnosis.rules.slices import sources
from microgrid.check.handwritten.trial import Array

Formula = Callable[[Array], Array]

FORMULAS: dict[str, Formula] = {
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
    "4{}³": lambda s: 4 * s**3,
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


def rows(case: Case) -> Iterator[Guess]:
    """The right gradient of dout times a formula: a factor of dout is missing, or too often."""
    if case.S is None or case.trial.loss or len(case.first.shapes) != 1:
        return
    norms = np.maximum((case.J * case.J).sum(axis=1), 1e-300)
    r = (case.S * case.J).sum(axis=1) / norms
    if case.same(r[:, None] * case.J, case.S) and np.ptp(r) > 1e-9:
        for words, of in matching(case, case.first.shapes[0], r, np.asarray(case.J.any(axis=1))):
            yield predicts(
                f"yours is the right gradient for dout {words}",
                lambda world, dout, of=of: world.right(dout * of(world)),  # type: ignore[misc]
            )


def columns(case: Case) -> Iterator[Guess]:
    """The right gradient times a formula, entry by entry: γ is missing."""
    r = case.here.theirs.ravel() / case.here.right
    if r.size > 1 and np.isfinite(r).all() and np.ptp(r) > 1e-9 * np.abs(r).max():
        for words, of in matching(case, case.first.shape, r, np.ones(r.shape, bool)):
            yield predicts(
                f"yours is the right gradient {words}",
                lambda world, dout, of=of: world.right(dout) * of(world),  # type: ignore[misc]
            )


def matching(case: Case, shape: Index, r: Array, where: Array) -> Iterator[tuple[str, Of]]:
    """The formulas that are r, in the entries that count."""
    besides = case.first.change.sentence  # another mistake: this one will be simple
    for words, of in factors(case, shape, ["{}"] if besides else FORMULAS):
        f = of(case.first)
        if (np.abs(f - r) <= 1e-8 * (np.abs(f) + np.abs(r)))[where].all():
            yield words, of


def of_dout(text: str) -> str:
    """dout times a formula."""
    if text == "1":
        return "dout itself"
    sign, text = ("−", text[1:]) if text[0] == "−" else ("", text)
    outside = re.sub(r"\([^()]*\)", "", text)
    return f"{sign}dout · ({text})" if " " in outside else f"{sign}dout · {text}"


def factors(case: Case, shape: Index, formulas: Iterable[str]) -> Iterator[tuple[str, Of]]:
    """Formulas in the arrays that fit this shape as divisors and factors: the arrays first."""
    names = [n for n, z in case.first.numbers.items() if fits(z, shape)]
    for text in sorted(formulas, key=lambda text: text != "{}"):
        for name in names if text != "1" else ():
            told, of = text.replace("{}", name), spread(name, FORMULAS[text], shape)
            yield f"divided by {told}: {told} is missing", inverse(of)
            yield f"times {told}: {told} is there once too often", of


def inverse(of: Of) -> Of:
    return lambda world: 1 / of(world)


def fits(z: Array, shape: Index) -> bool:
    try:
        return z.size > 1 and np.broadcast_shapes(z.shape, shape) == shape
    except ValueError:
        return False


def spread(name: str, f: Formula, shape: Index) -> Of:
    return lambda world: np.broadcast_to(f(world.numbers[name]), shape).ravel()


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
