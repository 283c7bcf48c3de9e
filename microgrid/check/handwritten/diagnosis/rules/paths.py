"""Paths through a line of their forward: missing, counted twice, of the wrong sign."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Guess, Of, World, predicts
from microgrid.check.handwritten.diagnosis.rules.factors import close, known
from microgrid.check.handwritten.diagnosis.source_lines import line, quoted
from microgrid.check.handwritten.trial import Array
from microgrid.engine.value import Value
from microgrid.engine.value_array import bare


class Path(NamedTuple):
    """The share of the Jacobian that passes a place of their forward."""

    place: str
    nodes: Of
    P: Array  # the share, for the inputs of the case


def lines(case: Case) -> Iterator[Guess]:
    """The paths through one line are counted another number of times than once."""
    yield from counted(case, by_line(case), 1)


def names(case: Case) -> Iterator[Guess]:
    """The same for the arrays that their forward has names for."""
    yield from counted(case, by_name(case), 1)


def pairs(case: Case) -> Iterator[Guess]:
    """Two lines or arrays, each counted another number of times than once."""
    yield from counted(case, distinct([*by_line(case), *by_name(case)], case), 2)


def counted(case: Case, paths: Sequence[Path], k: int) -> Iterator[Guess]:
    """Guesses that theirs is the right one with the paths through k places counted c times."""
    if case.S is not None:
        target, shares = np.ravel(case.S - case.J), [np.ravel(p.P) for p in paths]
    else:
        dout = case.draws[0].dout
        target, shares = (case.theirs - case.right).ravel(), [dout @ p.P for p in paths]
    for chosen in combinations(range(len(paths)), k):
        A = np.stack([shares[i] for i in chosen], axis=1)
        gram = A.T @ A
        if np.linalg.cond(gram) > 1e12:
            continue
        extra = np.linalg.solve(gram, A.T @ target)
        apart = np.abs(target - A @ extra).max()
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


def by_name(case: Case) -> list[Path]:
    """The arrays of Values that their forward has names for."""
    names = [n for n in case.first.exact.inner if n not in case.trial.inputs]
    paths = [passing(case, f"`{n}`", partial(of_name, n)) for n in names]
    return distinct([p for p in paths if p is not None], case)


def distinct(paths: Sequence[Path], case: Case) -> list[Path]:
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


def of_line(place: Any, world: World) -> frozenset[Value]:
    return inner(world, world.exact.lines.get(place, ()))


def of_name(name: str, world: World) -> frozenset[Value]:
    entries = np.ravel(bare(world.exact.inner.get(name, [])))
    return inner(world, [v for v in entries if isinstance(v, Value) and v.op])


def inner(world: World, nodes: Any) -> frozenset[Value]:
    """Those that are not outputs."""
    return frozenset(nodes) - {y for y in world.exact.outputs if isinstance(y, Value)}
