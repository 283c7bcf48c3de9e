"""Paths through a line of their forward: missing, counted twice, of the wrong sign."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Guess, predicts
from microgrid.check.handwritten.diagnosis.rules.named_numbers import close, known
from microgrid.check.handwritten.diagnosis.source_lines import line, quoted
from microgrid.check.handwritten.diagnosis.world import Cut, Of, World
from microgrid.check.handwritten.trial import Array
from microgrid.engine.value import Value

SIGNS = {"add": "+", "sub": "−", "mul": "*", "div": "/"}


class Path(NamedTuple):
    """The share of the Jacobian that passes a place of their forward."""

    place: str
    nodes: Of
    P: Array  # the share, for the inputs of the case


def lines(case: Case) -> Iterator[Guess]:
    """The paths through one line are counted another number of times than once."""
    yield from counted(case, by_line(case), 1)


def operands(case: Case) -> Iterator[Guess]:
    """The same for one side of an operation in a line."""
    yield from counted(case, by_operand(case), 1)


def names(case: Case) -> Iterator[Guess]:
    """The same for an array of theirs, where one line makes several."""
    found = [passing(case, f"`{n}`", partial(of_name, n)) for n in case.first.exact.inner]
    yield from counted(case, distinct(case, [p for p in found if p is not None]), 1)


def pairs(case: Case) -> Iterator[Guess]:
    """Two lines or sides, each counted another number of times than once."""
    yield from counted(case, distinct(case, [*by_line(case), *by_operand(case)]), 2)


def counted(case: Case, paths: Sequence[Path], k: int) -> Iterator[Guess]:
    """Guesses that theirs is the right one with the paths through k places counted c times."""
    if case.S is not None:
        target, shares = np.ravel(case.S - case.J), [np.ravel(p.P) for p in paths]
    else:
        dout = case.here.dout
        target, shares = (case.theirs - case.right).ravel(), [dout @ p.P for p in paths]
    M = np.array(shares).reshape(len(paths), target.size)
    products, projections = M @ M.T, M @ target
    for chosen in map(list, combinations(range(len(paths)), k)):
        gram = products[np.ix_(chosen, chosen)]
        if np.linalg.cond(gram) > 1e12:
            continue
        extra = np.linalg.solve(gram, projections[chosen])
        if np.abs(target @ target - projections[chosen] @ extra) > 1e-7 * (target @ target):
            continue
        apart = np.abs(target - extra @ M[chosen]).max()
        if apart > 1e-7 * np.abs(target).max() or (np.abs(extra) < 1e-9).any():
            continue
        alone = k == 1 and not case.first.change.sentence  # one number may be any
        if alone or all(simple(case, 1 + e) for e in extra):
            places = [paths[i] for i in chosen]
            yield predicts(told(case, places, extra), partial(recounted, places, extra))


def recounted(paths: Sequence[Path], extra: Array, world: World, dout: Array) -> Array:
    """The right gradient with the paths through some places counted 1 + extra times."""
    shares = [e * (dout @ share(world, p.nodes)) for p, e in zip(paths, extra)]
    result: Array = world.right(dout) + np.sum(shares, axis=0)
    return result


def simple(case: Case, c: float) -> bool:
    """Whether a path is counted as often as a mistake does: never, twice, N times, …"""
    return any(close(c, s) for s in (0, -1)) or bool(known(case, c))


def told(case: Case, chosen: Sequence[Path], extra: Array) -> str:
    """The sentence on paths that are counted 1 + extra times."""
    said: dict[str, list[str]] = {}
    for path, e in zip(chosen, extra):
        said.setdefault(often(case, 1 + e), []).append(path.place)
    return "; ".join(
        f"the path through {places[0]} {words}"
        if len(places) == 1
        else f"the paths through {' and '.join(places)} {plural(words)}"
        for words, places in said.items()
    )


def plural(words: str) -> str:
    return words.replace("is ", "are ").replace("has ", "have ")


def often(case: Case, c: float) -> str:
    """How often a path is counted, in words."""
    words = {0: "is missing", 2: "is counted twice", -1: "has the wrong sign", 0.5: "is halved"}
    if said := next((w for n, w in words.items() if close(c, n)), ""):
        return said
    name = known(case, c)
    number = f"{c:.4g}"
    return f"is counted {number} times" + (f" ({name})" if name and name != number else "")


def by_line(case: Case) -> list[Path]:
    """The lines of their forward; of those whose paths always go together the first."""
    places = [line(*k) for k in sorted(case.first.exact.lines)]
    nodes = [partial(of_line, k) for k in sorted(case.first.exact.lines)]
    found: list[Path] = []
    ways: dict[int, list[str]] = {}
    for place, of in zip(places, nodes):
        if (path := passing(case, quoted(place), of)) is None:
            continue
        same = next((i for i, p in enumerate(found) if case.same(path.P, p.P)), len(found))
        ways.setdefault(same, []).append(str(place.number))
        if same == len(found):
            found.append(path)
    return [p._replace(place=p.place + onward(ways[i][1:])) for i, p in enumerate(found)]


def onward(numbers: Sequence[str]) -> str:
    """The lines that a path passes next."""
    if not numbers:
        return ""
    which = " and ".join([*[", ".join(numbers[:-1])] * (len(numbers) > 1), numbers[-1]])
    return f" (and on through line{'s' if numbers[1:] else ''} {which})"


def by_operand(case: Case) -> list[Path]:
    """The sides of the sums, differences, products and quotients in each line."""
    found = []
    for place, nodes in sorted(case.first.exact.lines.items()):
        written = line(*place).text.replace("**", "").replace("-", "−")
        signs = {op for op, sign in SIGNS.items() if sign in written}
        for op in sorted({v.op.name for v in nodes if v.op} & signs):
            for k, side in enumerate(("left", "right")):
                text = f"the {side} side of `{SIGNS[op]}` in {quoted(line(*place))}"
                found.append(passing(case, text, partial(of_operand, place, op, k)))
    return distinct(case, [p for p in found if p is not None])


def distinct(case: Case, paths: Sequence[Path]) -> list[Path]:
    """Of those with the same share the first."""
    found: list[Path] = []
    for path in paths:
        if not any(case.same(path.P, p.P) for p in found):
            found.append(path)
    return found


def passing(case: Case, place: str, nodes: Of) -> Path | None:
    """The paths through some nodes; None if they are none, or all."""
    P = share(case.first, nodes)
    return None if case.same(P, 0 * P) or case.same(P, case.J) else Path(place, nodes, P)


def share(world: World, nodes: Of) -> Array:
    """The share of a world's Jacobian that passes these nodes."""
    result: Array = world.J - world.jacobian(nodes(world))
    return result


def of_line(place: Any, world: World) -> Cut:
    """The nodes that a line made, but for the outputs."""
    outputs = {y for y in world.exact.outputs if isinstance(y, Value)}
    return frozenset(world.exact.lines.get(place, ())) - outputs


def of_name(name: str, world: World) -> Cut:
    """The nodes of an array of theirs, but for the outputs."""
    entries = np.asarray(world.exact.inner.get(name, ()), dtype=object).ravel()
    outputs = {y for y in world.exact.outputs if isinstance(y, Value)}
    return frozenset(v for v in entries if isinstance(v, Value)) - outputs


def of_operand(place: Any, op: str, k: int, world: World) -> Cut:
    """Operand k of the operations of one kind in a line, where both have paths.

    Those of a long sum, which adds to what it made, are none.
    """
    graph = world.graph
    nodes = {v for v in world.exact.lines.get(place, ()) if v.op and v.op.name == op}
    both = [v for v in nodes if v in graph.place and len(graph.edges[graph.place[v]]) == 2]
    return frozenset((v, k) for v in both if nodes.isdisjoint(v.parents))
