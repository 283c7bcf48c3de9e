"""A wrong slope of one function in their forward: that of tanh is taken for 1 − x²."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Guess, predicts
from microgrid.check.handwritten.diagnosis.rules.formulas import FORMULAS, Formula
from microgrid.check.handwritten.diagnosis.source_lines import line, quoted
from microgrid.check.handwritten.diagnosis.world import World
from microgrid.check.handwritten.trial import Array
from microgrid.engine.value import Constant, Value
from microgrid.engine.value_array import bare

RIGHT = {
    "tanh": "1 − y²", "exp": "y", "log": "1/x", "sqrt": "1/(2y)", "sigmoid": "y(1 − y)",
    "relu": "(x > 0)", "sin": "cos(x)", "cos": "−sin(x)", "square": "2x",
}  # fmt: skip
SIMPLE = ("{}", "1 − {}", "{}(1 − {})", "1 − {}²", "({} > 0)")
MOST = 100_000  # nodes that are passed for all tries


class Slope(NamedTuple):
    """A slope that one may write by mistake, of the operand x or the result y."""

    text: str
    formula: Formula
    of_result: bool = False


SLOPES = [Slope("0", np.zeros_like)] + [
    Slope(text.replace("{}", letter), f, letter == "y")
    for text, f in FORMULAS.items()
    for letter in ("yx" if "{}" in text else "x")
]


def slopes(case: Case) -> Iterator[Guess]:
    """The nodes that one line made by one function have another slope in theirs."""
    lines = sorted(case.first.exact.lines.items())
    places = [(k, name) for k, nodes in lines for name in sorted({op_of(v) for v in nodes} - {""})]
    for key, name in places[: MOST // len(case.first.graph.nodes)]:
        tried = with_slopes(key, name, SLOPES, case.first, case.here.dout)
        for slope, predicted in zip(SLOPES, tried):
            if case.here.equals(predicted):
                words = taken_for(key, name, slope.text, case.first.exact.lines[key])
                yield predicts(words, partial(with_slopes, key, name, [slope]))


def factors(case: Case) -> Iterator[Guess]:
    """Where the gradient passes a named array, a factor is missing, or there once too often."""
    names = [n for n in case.first.exact.inner if n not in case.trial.inputs]
    tries = [(text, d) for text in SIMPLE for d in (True, False)]
    for name in names[: MOST // len(case.first.graph.nodes)]:
        tried = with_factors(name, tries, case.first, case.here.dout)
        for (text, divided), predicted in zip(tries, tried):
            if case.here.equals(predicted):
                what = "is missing" if divided else "is there once too often"
                words = f"where the gradient passes `{name}`, {text.replace('{}', name)} {what}"
                yield predicts(words, partial(with_factors, name, [(text, divided)]))


def with_slopes(
    key: tuple[str, int], name: str, slopes: Sequence[Slope], world: World, dout: Array
) -> Array:
    """For each slope the gradient where the nodes of a line and a function have it."""
    place = world.graph.place
    nodes = [v for v in world.exact.lines.get(key, ()) if op_of(v) == name and v in place]
    x, y = numbers([v.parents[0] for v in nodes]), numbers(nodes)
    table = np.array([s.formula(y if s.of_result else x) for s in slopes]).reshape(len(slopes), -1)
    return world.along(dout, {place[v]: replaced(c) for v, c in zip(nodes, table.T)})


def with_factors(
    name: str, tries: Sequence[tuple[str, bool]], world: World, dout: Array
) -> Array:  # fmt: skip
    """For each formula the gradient where that of an array is multiplied, or divided, by it."""
    place = world.graph.place
    nodes = [v for v in np.ravel(bare(world.exact.inner[name])) if v in place]
    z = numbers(nodes)
    table = np.array([1 / FORMULAS[text](z) if d else FORMULAS[text](z) for text, d in tries])
    return world.along(dout, {place[v]: multiplied(c) for v, c in zip(nodes, table.T)})


def replaced(by: Array) -> Callable[[float], Array]:
    return lambda slope: by


def multiplied(by: Array) -> Callable[[float], Array]:
    return lambda slope: by * slope


def numbers(nodes: Sequence[Value]) -> Array:
    return np.array([float(v.data) for v in nodes])


def taken_for(key: tuple[str, int], name: str, text: str, nodes: set[Value]) -> str:
    """The sentence on a slope that is taken for another."""
    right = right_of(name, nodes)
    letters = f"{text} {right}".replace("exp", "")
    meanings = (("x", "operand"), ("y", "result"))
    legend = ", ".join(f"{letter} is its {what}" for letter, what in meanings if letter in letters)
    tail = f", right is {right}" if right and right != text else ""
    meaning = f" ({legend})" if legend else ""
    return f"the slope of {name} in {quoted(line(*key))} is taken for {text}{tail}{meaning}"


def right_of(name: str, nodes: set[Value]) -> str:
    """The slope of a function as one writes it, "" where it is not known."""
    exponents = {float(v.parents[1].data) for v in nodes if op_of(v) == name == "power"}
    if len(exponents) == 1 and (n := exponents.pop()) in (2, 3, 4):
        return f"{n:g}x{'⁰¹²³'[int(n) - 1]}".replace("¹", "")
    return RIGHT.get(name, "")


def op_of(v: Value) -> str:
    """The function that made a node of one operand, "" where there are two."""
    if v.op is None or v.op.joint is not None:
        return ""
    operands = [p for p in v.parents if not isinstance(p, Constant)]
    if v.op.name == "power" and len(operands) == 1 and isinstance(v.parents[1], Constant):
        return "power"
    return v.op.name if len(v.parents) == 1 and v.op.name not in ("neg", "negative") else ""
