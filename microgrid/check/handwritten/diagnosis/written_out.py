"""Both gradients of one entry as formulas: their backward, run on Values, is a graph, too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case
from microgrid.check.handwritten.forward.exact import Exact, exact
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.value import Constant, Value, edges
from microgrid.engine.value_array import as_array, bare
from microgrid.matrices.arrays import matrix
from microgrid.views.notation import TEXT, write

ENTRIES, LONGEST = 60, 120
PLAIN = {"exp", "log", "sqrt", "tanh", "sin", "cos", "max", "min", "abs"}


def formulas(case: Case, e: int) -> list[str]:
    """Theirs and the right gradient of entry e, written out; [] where that is long.

    >>> from microgrid.check.handwritten.diagnosis.case import case_of
    >>> from microgrid.check.handwritten.trial import Pass, Trial
    >>> doubled = Trial("f", {"x": np.ones(3)}, lambda d: Pass([2 * d["x"]], lambda u: {"x": u[0]}))
    >>> formulas(case_of(doubled, "x"), 2)
    ['yours: dy₃', 'right: 2·dy₃']
    """
    sizes = [np.size(a) for a in case.trial.inputs.values()] + [len(case.J)]
    if sum(sizes) > ENTRIES or not is_linear(case):
        return []
    found = exact(case.trial)
    dy = upstream(case, found)
    theirs = bare(found.pull([as_array(d) if np.ndim(d) else d for d in dy])[case.input])
    entry = np.ravel(theirs)[e]
    flat = [v for d in dy for v in np.ravel(bare(d))]
    right = gradient(found, flat, found.leaves[case.input][e])
    texts = [text(entry), text(right)]
    if texts[0] == texts[1] or not all(map(readable, texts)):
        return []
    return [f"yours: {texts[0]}", f"right: {texts[1]}"]


def is_linear(case: Case) -> bool:
    return case.S is not None and np.size(case.theirs) == case.J.shape[1]


def upstream(case: Case, found: Exact) -> list[Any]:
    """Leaves for the upstream gradients: dy_{12}; a loss has none."""
    if case.trial.loss:
        return [np.ones(s)[()] for s in found.shapes]
    several = len(found.shapes) > 1
    names = [f"dy{i + 1}" if several else "dy" for i in range(len(found.shapes))]
    made = [matrix(d, name) for d, name in zip(case.dout, names)]
    return [a if a.ndim else a[()] for a in made]


def gradient(found: Exact, dy: Sequence[Any], x: Value) -> Any:
    """∂(dy · outputs)/∂x as a graph, without factors of one."""
    graph = found.graph(None)
    shares: dict[Value, list[Any]] = {}
    for y, d in zip(found.outputs, dy):
        if isinstance(y, Value):
            shares.setdefault(y, []).append(d)
    for v in reversed(graph.nodes):
        if v not in shares or v is x:
            continue
        up = total(shares.pop(v))
        for parent, local in edges(v, v.op, as_graph=True) if v.op is not None else ():
            moves = graph.edges[graph.place[v]]
            if local is not NO_PATH and graph.place[parent] in {p for p, _ in moves}:
                shares.setdefault(parent, []).append(product(local, up))
    return total(shares.get(x, [0.0]))


def total(shares: Sequence[Any]) -> Any:
    """Their sum, in the order of the forward."""
    result = shares[-1]
    for share in shares[-2::-1]:
        result = result + share
    return result


def product(local: Any, up: Any) -> Any:
    """local · up, where a one or minus one is not written."""
    for a, b in ((local, up), (up, local)):
        number = a.data if isinstance(a, Constant) else a if not isinstance(a, Value) else None
        if number is not None and abs(number) == 1:
            return b if number == 1 else -b
    return local * up


def readable(text: str) -> bool:
    """Whether a formula is short, without slopes of our own and drawn numbers."""
    known = {*re.findall(r"(\w+)\(", text)} <= PLAIN
    return known and len(text) <= LONGEST and not re.search(r"\.\d{4}", text)


def text(entry: Any) -> str:
    """The formula of an entry, or its number."""
    return write(entry, TEXT) if isinstance(entry, Value) else f"{float(entry):g}"
