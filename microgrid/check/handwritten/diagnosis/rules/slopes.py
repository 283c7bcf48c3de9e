"""A wrong slope of one function in their forward: that of tanh is taken for 1 − x²."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from types import MappingProxyType

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Guess, World, predicts
from microgrid.check.handwritten.diagnosis.rules.elementwise import FORMULAS
from microgrid.check.handwritten.diagnosis.source_lines import line, quoted
from microgrid.check.handwritten.trial import Array
from microgrid.engine.value import Constant, Value
from microgrid.engine.value_array import bare

RIGHT = {
    "tanh": "1 − y²", "exp": "y", "log": "1/x", "sqrt": "1/(2y)", "sigmoid": "y(1 − y)",
    "relu": "(x > 0)", "sin": "cos(x)", "cos": "−sin(x)", "square": "2x",
}  # fmt: skip
NONE: Mapping[int, float] = MappingProxyType({})
MOST = 3_000_000  # edges that are passed for all tries


def slopes(case: Case) -> Iterator[Guess]:
    """The nodes that one line made by one function have another slope in theirs."""
    graph = case.first.exact.graph(None)
    tries = MOST // max(len(graph.nodes), 1)
    for key, nodes in sorted(case.first.exact.lines.items()):
        for name in sorted({op_of(v) for v in nodes} - {""}):
            for text, f, of_result in formulas(name):
                tries -= 1
                if tries < 0:
                    return
                with np.errstate(all="ignore"):
                    predict = with_slope(key, name, f, of_result)
                    if case.draws[0].equals(predict(case.first, case.draws[0].dout)):
                        yield predicts(words(name, text, key, right_of(name, nodes)), predict)


SIMPLE = ("{}", "1 − {}", "{}(1 − {})", "1 − {}²", "({} > 0)")


def factors(case: Case) -> Iterator[Guess]:
    """Where the gradient passes a named array, a factor is missing, or there once too often."""
    tries = MOST // max(len(case.first.exact.graph(None).nodes), 1)
    for name in case.first.exact.inner:
        for text in SIMPLE if name not in case.trial.inputs else ():
            for divided in (True, False):
                tries -= 1
                if tries < 0:
                    return
                predict = with_factor(name, FORMULAS[text], divided)
                with np.errstate(all="ignore"):
                    if case.draws[0].equals(predict(case.first, case.draws[0].dout)):
                        what = "is missing" if divided else "is there once too often"
                        yield predicts(
                            f"where the gradient passes `{name}`, "
                            f"{text.replace('{}', name)} {what}",
                            predict,
                        )


def with_factor(
    name: str, f: Callable[[Array], Array], divided: bool
) -> Callable[[World, Array], Array]:
    """The gradient where that of this array is multiplied, or divided, by a formula in it."""

    def predict(world: World, dout: Array) -> Array:
        graph = world.exact.graph(None)
        entries = np.ravel(bare(world.exact.inner[name]))
        nodes = [v for v in entries if isinstance(v, Value) and v in graph.place]
        c = f(np.array([float(v.data) for v in nodes]))
        factors = (1 / c if divided else c).tolist()
        return gradient(world, dout, {}, {graph.place[v]: c for v, c in zip(nodes, factors)})

    return predict


def right_of(name: str, nodes: set[Value]) -> str:
    """The slope of a function as one writes it, "" where it is not known."""
    exponents = {float(v.parents[1].data) for v in nodes if op_of(v) == name == "power"}
    if len(exponents) == 1 and (n := exponents.pop()) in (2, 3, 4):
        return f"{n:g}x{'⁰¹²³'[int(n) - 1]}".replace("¹", "")
    return RIGHT.get(name, "")


def words(name: str, text: str, key: tuple[str, int], right: str) -> str:
    """The sentence on a slope that is taken for another."""
    legend = ", ".join(
        f"{letter} is its {what}"
        for letter, what in (("x", "operand"), ("y", "result"))
        if letter in text.replace("exp", "") + right.replace("exp", "")
    )
    tail = f", right is {right}" if right and right != text else ""
    meaning = f" ({legend})" if legend else ""
    return f"the slope of {name} in {quoted(line(*key))} is taken for {text}{tail}{meaning}"


def op_of(v: Value) -> str:
    """The function that made a node of one operand, "" where there are two."""
    if v.op is None or v.op.joint is not None:
        return ""
    operands = [p for p in v.parents if not isinstance(p, Constant)]
    if v.op.name == "power" and len(operands) == 1 and isinstance(v.parents[1], Constant):
        return "power"
    return v.op.name if len(v.parents) == 1 and v.op.name not in ("neg", "negative") else ""


def formulas(name: str) -> Iterator[tuple[str, Callable[[Array], Array], bool]]:
    """Slopes that one may write by mistake, of the operand x or the result y."""
    yield "0", np.zeros_like, False
    for text, f in FORMULAS.items():
        for letter in "yx" if "{}" in text else "x":
            yield text.replace("{}", letter), f, letter == "y"


def with_slope(
    key: tuple[str, int], name: str, f: Callable[[Array], Array], of_result: bool
) -> Callable[[World, Array], Array]:
    """The gradient where these nodes have this slope."""

    def predict(world: World, dout: Array) -> Array:
        graph = world.exact.graph(None)
        nodes = [v for v in world.exact.lines.get(key, ()) if op_of(v) == name and v in graph.place]
        at = np.array([float((v if of_result else v.parents[0]).data) for v in nodes])
        other = dict(zip((graph.place[v] for v in nodes), f(at).tolist()))
        return gradient(world, dout, other)

    return predict


def gradient(
    world: World, dout: Array, slope_of: Mapping[int, float], factor_of: Mapping[int, float] = NONE
) -> Array:
    """The gradient of the input, where some nodes, by their places, have slopes of their own.

    That of others is multiplied by their factors.
    """
    graph = world.exact.graph(None)
    bent = copy(graph)
    bent.edges = list(graph.edges)
    for i, slope in slope_of.items():
        bent.edges[i] = [(p, slope) for p, _ in graph.edges[i]]
    for i, factor in factor_of.items():
        bent.edges[i] = [(p, factor * slope) for p, slope in bent.edges[i]]
    found = bent.gradients(dout)
    return np.array([found.get(x, 0.0) for x in world.exact.leaves[world.input]])
