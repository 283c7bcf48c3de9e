"""Inside of their backward: the first gradient that is wrong, held against their forward's names.

Who writes dvar, dxhat and dZ2 means the gradients of var, xhat and Z2. Their forward's names hold
nodes, whose gradients are exact; their backward's names hold numbers. A pair that differs is told
if their backward gives a right gradient once the exact numbers are put in its place.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile
from types import CodeType, FrameType
from typing import Any, NamedTuple

import numpy as np

from microgrid.check.handwritten.diagnosis.source_lines import key, line, quoted
from microgrid.check.handwritten.forward.exact import Exact
from microgrid.check.handwritten.trial import Array, Trial, copies

FORMS = (r"d_?(\w+)", r"(\w+)_grad", r"grad_(\w+)", r"delta_(\w+)")
VERSIONS, ENTRIES, REPAIRS, MOMENTS = 200, 20_000, 4, 5


@dataclass
class Held:
    """The arrays that one name of their backward held, one after the other."""

    versions: list[Array] = field(default_factory=list)
    lines: list[tuple[str, int]] = field(default_factory=list)  # that assigned them

    def put(self, x: Array, file: str, number: int) -> None:
        last = self.versions[-1] if self.versions else None
        new = last is None or last.shape != x.shape or not np.array_equal(last, x, equal_nan=True)
        if new and len(self.versions) < VERSIONS:
            self.versions.append(np.array(x, float))
            self.lines.append((file, number))


class State(NamedTuple):
    """What one run of their backward gave."""

    wrong: set[str]  # inputs
    differing: list[str]  # names inside
    held: dict[str, Held]

    def bad(self) -> int:
        return len(self.wrong) + len(self.differing)


def first_wrong(trial: Trial, exact: Exact, douts: Sequence[Array]) -> str:
    """The sentence on the first wrong gradient inside of their backward, "" if none is sure.

    >>> from microgrid.check.handwritten.forward.exact import exact
    >>> from microgrid.check.handwritten.trial import Pass
    >>> doubled = Trial("f", {"x": np.ones(3)}, lambda d: Pass([2 * d["x"]], lambda u: {"x": u[0]}))
    >>> first_wrong(doubled, exact(doubled), [np.ones(3)])
    ''
    """
    with suppress(Exception), np.errstate(all="ignore"):
        return Inside(trial, exact, douts).sentence()
    return ""


class Inside:
    """One backward pass, watched, and the exact gradients of the names of its forward."""

    def __init__(self, trial: Trial, known: Exact, douts: Sequence[Array]) -> None:
        self.trial, self.douts = trial, [np.array(d, float) for d in douts]
        slopes = known.gradients(self.douts)
        found = {name: known.gradient_of(name, slopes) for name in known.inner}
        self.exact = {name: g for name, g in found.items() if g is not None}
        self.right = {
            n: np.array([slopes.get(x, 0.0) for x in xs]) for n, xs in known.leaves.items()
        }
        self.codes = {f.__code__ for f in trial.backwards}

    def sentence(self) -> str:
        """What must be mended for what comes after it to be right, in the order of theirs."""
        state = self.run({})
        self.first = state.held
        if not state.wrong:
            return ""
        mended: dict[str, int] = {}
        start = state
        while state.differing and len(mended) < REPAIRS:
            name = state.differing[0]
            tries = [mended | {name: k} for k in self.moments(name)]
            states = [(self.run(one), one) for one in tries]
            state, mended = min(states, key=lambda pair: (pair[0].bad(), -pair[1][name]))
        for name in list(mended):  # those that mend nothing but themselves are no mistakes
            rest = {n: k for n, k in mended.items() if n != name}
            without = self.run(rest)
            if without.bad() - (name in without.differing) <= state.bad():
                mended, state = rest, without
        return self.told(start, mended, state)

    def moments(self, name: str) -> list[int]:
        """The numbers of the last versions of a name that the exact gradient fits."""
        g, versions = self.exact[self.partner(name)], self.first[name].versions
        fit = [k + 1 for k, x in enumerate(versions) if squeezed(x.shape) == squeezed(g.shape)]
        return fit[-MOMENTS:]

    def run(self, mended: Mapping[str, int]) -> State:
        """What comes out wrong.

        `mended` tells in the place of which version of a name the exact gradient is put.
        """
        numbers = {}
        for name, k in mended.items():
            shape = self.first[name].versions[k - 1].shape
            numbers[name] = self.exact[self.partner(name)].reshape(shape)
        fresh = copies(self.trial.inputs)
        watch = Watch(self.codes, lambda n: self.partner(n) != "", numbers, mended)
        with watch:
            grads = self.trial.run(fresh).pull([d.copy() for d in self.douts])
        wrong = {n for n, g in grads.items() if not self.is_right(n, g)}
        names = [n for n in watch.held if n not in mended and self.inner(n, watch.held)]
        differing = [n for n in names if self.differs(n, watch.held[n])]
        return State(wrong, differing, watch.held)

    def is_right(self, name: str, g: Any) -> bool:
        if g is None or np.size(g) != self.right[name].size:
            return False
        return same(np.ravel(np.asarray(g, float)), self.right[name])

    def partner(self, name: str) -> str:
        """The name of their forward whose gradient this one is, "" if there is none."""
        for form in FORMS:
            if found := re.fullmatch(form, key(name)):
                for partner in (found[1], f"self.{found[1]}"):
                    if partner in self.exact:
                        return partner
        return ""

    def differs(self, name: str, held: Held) -> bool:
        """Whether no number that it held is the exact gradient, though its last shape fits."""
        g = self.exact[self.partner(name)]
        fits = squeezed(held.versions[-1].shape) == squeezed(g.shape)
        return fits and not any(
            x.size == g.size and same(x.ravel(), g.ravel()) for x in held.versions
        )

    def told(self, start: State, mended: Mapping[str, int], end: State) -> str:
        """The sentence on the names that had to be mended."""
        # What may stay as it is while all comes out right means something else.
        other = [] if end.wrong else [n for n in start.differing if n not in mended]
        inner = [n for n in start.held if self.inner(n, start.held) and n not in other]
        first = next((n for n in inner if n in mended or n in start.differing), "")
        right = [f"`{n}`" for n in takewhile(lambda n: n != first, inner)]
        before = (
            f"{listed(right[-3:])} before it {'are' if right[1:] else 'is'} right" if right else ""
        )
        last = [n for n in start.held if self.partner(n) in end.wrong and n not in inner]
        if not start.differing:  # the gradients of the inputs have verdicts of their own
            if not right or not last:
                return ""
            names = f"{listed(right[-3:])} inside {'are' if right[1:] else 'is'} right"
            return f"{names}: what is wrong is {place(last[0], start.held[last[0]])}"
        if not mended or first not in mended:
            return ""
        at = [place(n, start.held[n], k) for n, k in mended.items()]
        words = f"{at[0]} is the first wrong gradient inside"
        words += f", {listed(at[1:])} the next" if at[1:] else ""
        words += f"; {before}" if before else ""
        if end.wrong and (end.differing or not end.wrong <= start.wrong):
            return words
        if last and end.wrong:
            ends = [place(n, start.held[n]) for n in last]
            return f"{words}; with the exact numbers in place of it still wrong: {listed(ends)}"
        return f"{words}; with the exact numbers there the rest comes out right"

    def inner(self, name: str, held: Mapping[str, Held]) -> bool:
        """Whether a name is a gradient inside, and fits."""
        partner = self.partner(name)
        shapes = [x.shape for x in (held[name].versions[-1], self.exact[partner])]
        own = partner.removeprefix("self.") in self.trial.inputs
        return not own and squeezed(shapes[0]) == squeezed(shapes[1])


def place(name: str, held: Held, k: int = 0) -> str:
    """A name with the line of its version k."""
    return f"`{name}` ({quoted(line(*held.lines[k - 1]))})"


def listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def same(a: Array, b: Array) -> bool:
    scale = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    return bool((np.abs(a - b) <= 1e-7 * scale).all())


class Watch:
    """While it is open, the frames of some functions are read line by line.

    `mended` are numbers to put in the place of the version of a name that `moments` tells.
    """

    def __init__(
        self, codes: set[CodeType], wanted: Callable[[str], bool],
        mended: Mapping[str, Array], moments: Mapping[str, int],
    ) -> None:  # fmt: skip
        self.codes, self.wanted, self.mended, self.moments = codes, wanted, mended, moments
        self.held: dict[str, Held] = {}
        self.at: dict[FrameType, int] = {}  # the line that a frame is in

    def __enter__(self) -> Watch:
        self.old = sys.gettrace()
        sys.settrace(self.enter)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self.old)
        self.at.clear()

    def enter(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code not in self.codes:
            return None
        self.at[frame] = frame.f_lineno
        return self.step

    def step(self, frame: FrameType, event: str, _: Any) -> Any:
        """Read the names after each line, and mend those whose time has come."""
        file, number = frame.f_code.co_filename, self.at[frame]
        given = frame.f_code.co_varnames[: frame.f_code.co_argcount]
        for name, space, k in [*gradients(frame.f_locals)]:
            if name in given or not self.wanted(name):
                continue
            held = self.held.setdefault(name, Held())
            before = len(held.versions)
            held.put(space[k], file, number)
            if before < len(held.versions) == self.moments.get(name):
                space[k] = self.mended[name].copy()
                held.versions[-1] = self.mended[name].copy()
        self.at[frame] = frame.f_lineno
        return self.step


def gradients(space: dict[str, Any], before: str = "{}") -> Iterator[tuple[str, Any, str]]:
    """The names that may be gradients with the dict that they stand in, and with their key there.

    Those of a frame, of the attributes of its `self`, and of the dicts in both.
    """
    for name, x in list(space.items()):
        if isinstance(x, np.ndarray | float) and np.size(x) <= ENTRIES:
            if getattr(x, "dtype", np.dtype(float)).kind == "f":
                yield before.format(name), space, name
        elif isinstance(x, dict) and "[" not in before:
            if all(isinstance(k, str) for k in x):
                yield from gradients(x, before.format(name) + '["{}"]')
        elif name == "self" and hasattr(x, "__dict__"):
            yield from gradients(vars(x), "self.{}")
