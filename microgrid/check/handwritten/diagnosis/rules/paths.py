"""Paths through a line of their forward: missing, counted twice, of the wrong sign."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Guess, World, predicts
from microgrid.check.handwritten.diagnosis.rules.factors import close, known
from microgrid.check.handwritten.diagnosis.source_lines import line, quoted
from microgrid.check.handwritten.trial import Array
from microgrid.engine.value import Value
from microgrid.engine.value_array import bare

Cuts = Callable[[World], set[Value]]  # the nodes of a place of their forward
OPERATIONS = {
    "mul": "products", "add": "sums", "sub": "differences", "div": "quotients", "power": "powers",
    "neg": "minus",
}  # fmt: skip


class Path(NamedTuple):
    """The share of the Jacobian that passes a place of their forward."""

    place: str
    share: Callable[[World], Array]
    P: Array  # it, for the inputs of the case


def lines(case: Case) -> Iterator[Guess]:
    """The paths through one line are counted another number of times than once."""
    yield from counted(case, by_line(case), 1)


def operations(case: Case) -> Iterator[Guess]:
    """The same for one kind of operation in a line."""
    yield from counted(case, by_operation(case), 1)


def names(case: Case) -> Iterator[Guess]:
    """The same for the arrays that their forward has names for."""
    yield from counted(case, by_name(case), 1)


def pairs(case: Case) -> Iterator[Guess]:
    """Two lines, each counted another number of times than once."""
    yield from counted(case, by_line(case), 2)


def counted(case: Case, paths: Sequence[Path], k: int) -> Iterator[Guess]:
    """Guesses that theirs is the right one with the paths through k places counted c times."""
    S = difference_rows(case)
    if S is None:
        return
    target, J = S
    for chosen in combinations(paths, k):
        A = np.stack([np.ravel(p.P if J else case_row(case, p.P)) for p in chosen], axis=1)
        gram, rhs = A.T @ A, A.T @ target
        if np.linalg.cond(gram) > 1e12:
            continue
        extra = np.linalg.solve(gram, rhs)
        rest = target - A @ extra
        if np.abs(rest).max() > 1e-7 * np.abs(target).max() or (np.abs(extra) < 1e-9).any():
            continue
        if k > 1 and not all(simple(case, 1 + e) for e in extra):
            continue
        yield predicts(
            told(case, chosen, extra),
            lambda world, dout, chosen=chosen, extra=extra: (  # type: ignore[misc]
                world.right(dout) + sum(e * (dout @ p.share(world)) for e, p in zip(extra, chosen))
            ),
        )


def difference_rows(case: Case) -> tuple[Array, bool] | None:
    """What theirs has too much: as terms, or as a gradient where it is not linear in dout."""
    if case.S is not None:
        return np.ravel(case.S - case.J), True
    draw = case.draws[0]
    return (
        (draw.theirs.ravel() - draw.right, False) if draw.theirs.size == draw.right.size else None
    )


def case_row(case: Case, P: Array) -> Array:
    row: Array = case.draws[0].dout @ P
    return row


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
    """The lines of their forward, one for those whose paths always go together."""
    return distinct(case, [(k, where(k), only_line(k)) for k in sorted(case.first.exact.lines)])


def by_operation(case: Case) -> list[Path]:
    """The kinds of operations in each line."""
    places = []
    for k, nodes in sorted(case.first.exact.lines.items()):
        for name in sorted({v.op.name for v in nodes if v.op is not None}):
            text = OPERATIONS.get(name, f"`{name}`")
            places.append(((k, name), f"the {text} of {where(k)}", only_operation(k, name)))
    return distinct(case, places)


def by_name(case: Case) -> list[Path]:
    """The arrays of Values that their forward has names for."""
    names = [n for n in case.first.exact.inner if n not in case.trial.inputs]
    return distinct(case, [(n, f"`{n}`", only_name(n)) for n in names])


def only_name(name: str) -> Cuts:
    return lambda world: {
        v for v in np.ravel(bare(world.exact.inner.get(name, []))) if isinstance(v, Value) and v.op
    }


def where(k: Any) -> str:
    return quoted(line(str(k[0]), int(k[1])))


def only_line(k: Any) -> Cuts:
    return lambda world: set(world.exact.lines.get(k, ()))


def only_operation(k: Any, name: str) -> Cuts:
    return lambda world: {
        v for v in world.exact.lines.get(k, ()) if v.op is not None and v.op.name == name
    }


def distinct(case: Case, places: Sequence[tuple[Hashable, str, Cuts]]) -> list[Path]:
    """The places through which some paths pass, but not all; the first of those with the same."""
    found: list[Path] = []
    for _, text, cuts in places:
        share = through(cuts)
        P = share(case.first)
        if case.same(P, 0 * P) or case.same(P, case.J):
            continue
        if not any(case.same(P, path.P) for path in found):
            found.append(Path(text, share, P))
    return found


def through(cuts: Cuts) -> Callable[[World], Array]:
    """The share of a world's Jacobian that passes these nodes."""

    @cache
    def share(world: World) -> Array:
        last = {y for y in world.outputs if isinstance(y, Value)}
        result: Array = world.J - world.exact.jacobian([world.input], frozenset(cuts(world) - last))
        return result

    return share
