"""The verdicts: what their backward gives, held against the exact gradient of their forward.

Both sides see the same numbers: upstream gradients of both signs. What differs goes to the
diagnosis, for which their backward is written as a matrix: it is a linear map of the upstream.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from microgrid.check.handwritten.crash import Crash, guarded
from microgrid.check.handwritten.diagnosis.diagnose import (
    Case,
    backward_line,
    counted,
    diagnose,
    worst,
)
from microgrid.check.handwritten.diagnosis.inside import first_wrong
from microgrid.check.handwritten.forward.exact import Exact, exact
from microgrid.check.handwritten.linear import as_matrix, departures
from microgrid.check.handwritten.results import (
    BY_DESIGN,
    CRASHES,
    FAILING,
    GUARD,
    NOT_WRITTEN,
    ORDER,
    SHAPE,
    TIE,
    TRANSPOSED,
    WRONG,
    Found,
    Gradient,
)
from microgrid.check.handwritten.shapes import about_shape, near
from microgrid.check.handwritten.trial import Array, LayerError, Trial
from microgrid.engine.modes import ieee_arithmetic
from microgrid.engine.op import evaluate

DOUBLE, SINGLE = 1e-9, 1e-5  # of the sum of |terms|
GUARDED = 1e-3  # what a guard like the 1e-7 of log(p + 1e-7) may change of a gradient
LARGEST_GUARD = 1e-4
PART = re.compile(r", (?=\w+(?:=| \())")  # between the parts of a setting


def examine(trials: Sequence[Trial], seed: int = 0) -> Found:
    """What is right and what is wrong with one layer, in all of its settings.

    LayerError where no setting could be run.
    """
    start = time.perf_counter()
    founds: list[Found] = []
    refused = []
    for trial in trials:
        told = {g.input for found in founds for g in found.gradients if g.verdict == WRONG}
        try:
            founds.append(Examination(trial, seed).found(told))
        except LayerError as error:
            refused.append(error)
    if not founds:
        raise refused[0]
    return replace(combined(founds), seconds=time.perf_counter() - start)


def combined(founds: Sequence[Found]) -> Found:
    """The verdicts of several settings as one: of each gradient the worst."""
    first, *others = founds
    gradients: dict[str, Gradient] = {}
    for name in dict.fromkeys(g.input for found in founds for g in found.gradients):
        seen = [(g, found) for found in founds for g in found.gradients if g.input == name]
        g, where = min(seen, key=lambda one: ORDER.index(one[0].verdict))
        fine = next((found for h, found in seen if h.ok), None)
        if fine is not None and g.verdict in FAILING:  # told by what is different there
            hidden, own = besides(where.setting, fine.setting), besides(fine.setting, where.setting)
            gradients[name] = replace(g, setting=own, hidden=hidden)
        else:
            gradients[name] = g if where is first else replace(
                g, setting=besides(first.setting, where.setting))  # fmt: skip
    also = [besides(first.setting, found.setting) for found in others]
    return replace(
        first, gradients=[*gradients.values()], also=[*filter(None, dict.fromkeys(also))],
        habits=[*dict.fromkeys(habit for found in founds for habit in found.habits)],
        inside=next((found.inside for found in founds if found.inside), ""),
    )  # fmt: skip


def besides(one: str, other: str) -> str:
    """What the other setting has that the one has not; the shapes only where nothing else differs.

    >>> besides("x (3, 4), stride=2, pad=1", "x (3, 5), stride=1, pad=1")
    'stride=1'
    """
    more = [part for part in PART.split(other) if part not in PART.split(one)]
    return ", ".join([part for part in more if "=" in part] or more)


@dataclass
class Sides:
    """One gradient from both sides, at one upstream gradient."""

    theirs: Array
    right: Array  # in the shape of the input
    scale: Array  # Σ |terms| of each entry

    def differs(self, tolerance: float) -> Array:
        """Which entries are wrong; the shapes are equal."""
        floor = 0.01 * self.scale.max(initial=0.0) + 1e-9
        with np.errstate(invalid="ignore"):
            off = np.abs(self.theirs - self.right)
        return np.asarray(~(off <= tolerance * (self.scale + floor)))

    @property
    def error(self) -> float:
        """The largest difference, over the sum of |terms|."""
        off = np.abs(self.theirs - self.right) / (self.scale + 1e-300)
        return float(np.max(off[self.scale > 0], initial=0.0))

    @property
    def near(self) -> bool:
        """Whether they differ by no more than a guard changes, beside the largest entry."""
        off = np.abs(self.theirs - self.right).max(initial=0.0)
        return bool(off <= GUARDED * self.scale.max(initial=0.0))


class Examination:
    """One layer in one setting: its forward on floats and on Values, its backward on floats."""

    def __init__(self, trial: Trial, seed: int) -> None:
        self.trial = trial
        self.random = np.random.default_rng(seed)
        outputs = self.on_floats()
        self.exact: Exact = exact(trial)
        self.dout = self.upstream(outputs)
        single = any(getattr(y, "dtype", None) == np.float32 for y in outputs)
        self.tolerance = SINGLE if single else DOUBLE

    def on_floats(self) -> list[Any]:
        """Their forward as they run it; LayerError where it fails."""
        try:
            with guarded(self.trial):
                return self.trial.run(copies(self.trial.inputs)).outputs
        except Crash as crash:
            raise LayerError(f"its forward fails on floats, too: {crash}") from None

    def upstream(self, outputs: Sequence[Any]) -> list[Array]:
        """Upstream gradients of both signs, no two alike; 1 for a loss."""
        if self.trial.loss:
            return [np.ones(np.shape(y)) for y in outputs]
        drawn = [self.random.uniform(0.3, 1.7, np.shape(y)) for y in outputs]
        return [d * self.random.choice([-1.0, 1.0], d.shape) for d in drawn]

    def pull(self, dout: Sequence[Array], inputs: Mapping[str, Array] | None = None) -> Any:
        """Their gradients for these upstream ones, after a fresh forward; Crash if it raises."""
        with guarded(self.trial):
            step = self.trial.run(copies(inputs or self.trial.inputs))
            return dict(step.pull([d.copy() for d in dout]))

    def sides(
        self, name: str, gradient: Any, exact: Exact, cut: frozenset[Any] = frozenset()
    ) -> Sides:
        """Theirs and the right gradient of one input; theirs may have any shape."""
        J = exact.jacobian([name], cut=cut)
        flat = np.concatenate([d.ravel() for d in self.dout])
        shape = np.shape(self.trial.inputs[name])
        right, scale = (flat @ J).reshape(shape), (np.abs(flat) @ np.abs(J)).reshape(shape)
        return Sides(np.asarray(gradient, dtype=float), right, scale)

    def moved(self, seed: int) -> dict[str, Array]:
        """The inputs, each number a millionth from where it was."""
        random = np.random.default_rng(seed)
        return {
            name: x + 1e-6 * random.uniform(-1, 1, np.shape(x)) * np.where(x == 0, 1, np.abs(x))
            if np.asarray(x).dtype.kind == "f" else x
            for name, x in self.trial.inputs.items()
        }  # fmt: skip

    def found(self, told: Collection[str] = ()) -> Found:
        """The verdicts, and what is the matter with the wrong ones, but for those told before."""
        trial = self.trial
        found = Found(trial.name, self.setting())
        try:
            grads = self.pull(self.dout)
        except Crash as crash:
            said = [crash.hint] if crash.hint else []
            found.gradients = [
                Gradient("", "backward", CRASHES, detail=crash.said, sentences=said,
                         line=crash.line, setting=trial.setting)
            ]  # fmt: skip
            return found
        found.gradients = [self.verdict(name, g) for name, g in grads.items()]
        self.by_design(found.gradients, grads)
        wrong = [g for g in found.gradients if g.verdict == WRONG and g.input not in told]
        if wrong:
            self.explain(wrong, grads)
            with suppress(Crash):
                found.inside = first_wrong(trial, self.exact, self.dout)
        found.habits = [*self.habits(grads)]
        return found

    def setting(self) -> str:
        """The shapes, and how it is called beyond them."""
        shapes = [f"{name} {np.shape(x)}" for name, x in self.trial.inputs.items()]
        return ", ".join([*shapes, *([self.trial.setting] if self.trial.setting else [])])

    def verdict(self, name: str, theirs: Any) -> Gradient:
        """The verdict on one gradient, without what is the matter."""
        place = self.trial.places.get(name, "")
        if not place or place in arguments(self.trial):  # it returns its changed dout
            place = f"d{name}"
        line = backward_line(self.trial, name)
        g = Gradient(name, place, line=line, setting=self.trial.setting)
        if theirs is None or theirs is ... or theirs is NotImplemented:
            return replace(g, verdict=NOT_WRITTEN)
        try:
            sides = self.sides(name, theirs, self.exact)
        except (TypeError, ValueError):
            return replace(g, verdict=WRONG, detail=f"it holds no numbers: {theirs!r:.60}")
        if sides.theirs.dtype == np.float32 or getattr(theirs, "dtype", None) == np.float32:
            self.tolerance = SINGLE
        g.entries = sides.right.size
        if not sides.theirs.any() and sides.right.any() and line and "zero" in line.text:
            return replace(g, verdict=NOT_WRITTEN)
        if sides.theirs.shape != sides.right.shape:
            return self.misshaped(g, sides)
        off = sides.differs(self.tolerance)
        g.wrong, g.error = int(off.sum()), sides.error
        if g.wrong and sides.right.ndim > 1 and near(sides.theirs, sides.right.T):
            return replace(g, verdict=TRANSPOSED, sentences=["it is the transpose of the gradient"])
        if g.wrong:
            g.verdict = WRONG
            if guard := self.guard(name, sides):
                g.verdict, g.sentences = GUARD, [guard]
            elif self.at_tie(name):
                g.verdict = TIE
        return g

    def misshaped(self, g: Gradient, sides: Sides) -> Gradient:
        """A gradient in another shape than its input."""
        verdict, sentences = about_shape(sides.theirs, sides.right, self.dout[0], g.input)
        detail = f"it has shape {sides.theirs.shape}, but {g.input} has {sides.right.shape}"
        wrong = 0 if verdict == SHAPE else g.entries
        return replace(g, verdict=verdict, detail=detail, sentences=sentences, wrong=wrong)

    def guard(self, name: str, sides: Sides) -> str:
        """What is left out, if it is right but for small constants, as in log(p + 1e-7); or ""."""
        if not sides.near:
            return ""
        with without_guards(self.exact) as guards:
            if not guards:
                return ""
            there = self.sides(name, sides.theirs, self.exact)
        if there.differs(self.tolerance).any():
            return ""
        sizes = " and ".join(f"{n:g}" for n in sorted(set(guards)))
        return f"it leaves out the {sizes} of the forward: a relative error of {sides.error:.0e}"

    def at_tie(self, name: str) -> bool:
        """Whether it is right at every other place near by: the numbers stand on a kink."""
        with suppress(Crash, LayerError):
            for seed in (1, 2):
                inputs = self.moved(seed)
                gradient = self.pull(self.dout, inputs)[name]
                there = self.sides(name, gradient, exact(replace(self.trial, inputs=inputs)))
                if there.differs(self.tolerance).any():
                    return False
            return True
        return False

    def by_design(self, gradients: Sequence[Gradient], grads: Mapping[str, Any]) -> None:
        """1/N in every parameter, beside a right dx: the mean that a loss may leave out."""
        n, trial = self.trial.samples, self.trial
        others = [g for g in gradients if not g.ok]
        if n < 2 or trial.loss or len(gradients) - len(others) != 1 or not others:
            return
        told = f"it is 1/N of the gradient, N = {n}: fine if your loss does not divide by N"
        for g in others:
            shape = np.shape(trial.inputs[g.input])
            if g.verdict != WRONG or np.size(grads[g.input]) != np.prod(shape):
                return
            gradient = np.asarray(grads[g.input], dtype=float).reshape(shape)
            if self.sides(g.input, gradient * n, self.exact).differs(self.tolerance).any():
                return
        for g in others:
            g.verdict, g.sentences = BY_DESIGN, [told]

    def explain(self, wrong: Sequence[Gradient], grads: Mapping[str, Any]) -> None:
        """Say of wrong gradients what is the matter."""
        whole = [
            g for g in wrong if np.shape(grads[g.input]) == np.shape(self.trial.inputs[g.input])
        ]
        arrays = {g.input: np.asarray(grads[g.input], dtype=float) for g in whole}
        bent = {} if self.trial.loss else departures(self.pull, self.dout, [*arrays])
        straight = {name: x for name, x in arrays.items() if name not in bent}
        S = as_matrix(self.trial, self.pull, self.dout, straight) if straight else {}
        for g in whole:
            name = g.input
            sides = self.sides(name, arrays[name], self.exact)
            case = Case(
                self.trial, self.exact, name, (S or {}).get(name),
                sides.theirs, sides.right, self.dout,
            )  # fmt: skip
            g.sentences = diagnose(case)
            if name in bent and g.sentences == [counted(case)]:
                g.sentences = [bent[name]]
            g.worst = worst(case)

    def habits(self, grads: Mapping[str, Any]) -> Iterator[str]:
        """What a right backward may do, too, and what hurts at the next use."""
        trial = self.trial
        inputs, dout = copies(trial.inputs), [d.copy() for d in self.dout]
        with guarded(trial):
            step = trial.run(inputs)
            for name, x in inputs.items():
                if not np.array_equal(x, trial.inputs[name]):
                    yield f"its forward changes {name} in place"
            kept = copies(inputs)
            step.pull(dout)
        for i, d in enumerate(dout):
            if not np.array_equal(d, self.dout[i]):
                yield "its backward changes dout in place: who called it may need it again"
                break
        for name, x in inputs.items():
            if not np.array_equal(x, kept[name]):
                yield f"its backward changes {name} in place"
        if trial.again is not None:
            with suppress(Crash), guarded(trial):
                if told := trial.again(copies(trial.inputs), grads):
                    yield told + self.written_at(told)

    def written_at(self, told: str) -> str:
        """The line that writes the gradient which a sentence names."""
        for name, place in self.trial.places.items():
            line = backward_line(self.trial, name) if f"into {place}:" in told else None
            if line is not None:
                return f" (line {line.number}: `{line.text}`)"
        return ""


def arguments(trial: Trial) -> set[str]:
    """The names of the arguments of their backward."""
    codes = [f.__code__ for f in trial.backwards]
    return {name for code in codes for name in code.co_varnames[: code.co_argcount]}


def copies(inputs: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.array(x) for name, x in inputs.items()}


@contextmanager
def without_guards(exact: Exact) -> Iterator[list[float]]:
    """For the `with` block the small constants of the forward, which it gives, are 0."""
    order = exact.graph(None).nodes
    leaves = {v for row in exact.leaves.values() for v in row}
    small = {
        v for v in order
        if v.op is None and v not in leaves and 0 < abs(v._number) <= LARGEST_GUARD
    }  # fmt: skip
    numbers, slopes = [v._number for v in order], exact.paths
    exact.paths = {}  # slopes of the other numbers
    try:
        if small:
            for v in small:
                v._number = 0.0
            for v in order:
                if v.op is not None:
                    with ieee_arithmetic():
                        v._number = evaluate(v.op, [p._number for p in v.parents], v.parents)
        yield [abs(n) for v, n in zip(order, numbers) if v in small]
    finally:
        exact.paths = slopes
        for v, number in zip(order, numbers):
            v._number = number
