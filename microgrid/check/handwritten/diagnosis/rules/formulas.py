"""Formulas that a slope or a factor may be by mistake, in the arrays of a forward."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case
from microgrid.check.handwritten.diagnosis.world import Index, Of
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
    "(1 − {})²": lambda s: (1 - s) ** 2,
    "exp({})": np.exp,
    "exp(−{})": lambda s: np.exp(-s),
    "log({})": np.log,
    "cos({})": np.cos,
    "sin({})": np.sin,
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


def of_dout(text: str) -> str:
    """dout times a formula."""
    if text == "1":
        return "dout itself"
    sign, text = ("−", text[1:]) if text[0] == "−" else ("", text)
    outside = re.sub(r"\([^()]*\)", "", text)
    return f"{sign}dout · ({text})" if " " in outside else f"{sign}dout · {text}"
