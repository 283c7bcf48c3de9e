"""The verdicts in one setting: what their backward gives, held against the exact gradient.

Both sides see the same numbers: upstream gradients of both signs. What differs goes to the
diagnosis, for which their backward is written as a matrix: it is a linear map of the upstream.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from microgrid.check.handwritten.crash import Crash, guarded
from microgrid.check.handwritten.diagnosis.diagnose import (
    Case,
    backward_line,
    described,
    diagnose,
    worst,
)
from microgrid.check.handwritten.diagnosis.inside import first_wrong
from microgrid.check.handwritten.forward.exact import Exact, exact, on_floats
from microgrid.check.handwritten.habits import habits
from microgrid.check.handwritten.linear import as_matrix, departures
from microgrid.check.handwritten.results import (
    BY_DESIGN,
    CRASHES,
    GUARD,
    NOT_WRITTEN,
    SHAPE,
    TIE,
    TRANSPOSED,
    WRONG,
    Found,
    Gradient,
)
from microgrid.check.handwritten.shapes import about_shape, near
from microgrid.check.handwritten.sides import DOUBLE, SINGLE, Sides, is_single
from microgrid.check.handwritten.small_constants import without_small_constants
from microgrid.check.handwritten.too_large import refuse_too_large
from microgrid.check.handwritten.trial import Array, LayerError, Trial, copies

NTH = "it is 1/N of the gradient"  # what a loss may have left to its layers


class Examination:
    """One layer in one setting: its forward on floats and on Values, its backward on floats.

    LayerError where the forward fails.

    >>> from microgrid.check.handwritten.trial import Pass
    >>> same = Trial("f", {"x": np.ones(3)}, lambda d: Pass([1 * d["x"]], lambda u: {"x": u[0]}))
    >>> [gradient.verdict for gradient in Examination(same, seed=0).found().gradients]
    ['right']
    """

    def __init__(self, trial: Trial, seed: int) -> None:
        self.trial = trial
        self.random = np.random.default_rng(seed)
        outputs = on_floats(trial)
        if getattr(trial, "exact", None) is None:  # PyTorch's graph may be larger
            refuse_too_large(trial, outputs)
        self.exact: Exact = exact(trial)
        self.dout = self.upstream(outputs)
        self.single = self.exact.single or any(map(is_single, outputs))

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

    def sides(self, name: str, theirs: Any, exact: Exact | None = None) -> Sides:
        """Theirs and the right gradient of one input; theirs may have any shape."""
        J = (exact or self.exact).jacobian([name])
        flat = np.concatenate([d.ravel() for d in self.dout])
        shape = np.shape(self.trial.inputs[name])
        right, scale = (flat @ J).reshape(shape), (np.abs(flat) @ np.abs(J)).reshape(shape)
        tolerance = SINGLE if self.single or is_single(theirs) else DOUBLE
        return Sides(np.asarray(theirs, dtype=float), right, scale, tolerance)

    def found(self, told: Collection[str] = ()) -> Found:
        """The verdicts, and what is the matter with the wrong ones, but for those told before."""
        found = Found(self.trial.name, setting(self.trial))
        try:
            grads = self.pull(self.dout)
        except Crash as crash:
            found.gradients = [self.crashed(crash)]
            return found
        found.gradients = [self.verdict(name, g) for name, g in grads.items()]
        self.refuse_fewer(found.gradients)
        self.by_design(found.gradients, grads)
        wrong = [g for g in found.gradients if g.verdict == WRONG and g.input not in told]
        if wrong:
            self.explain(wrong, grads)
            self.by_design(found.gradients, grads)
            with suppress(Crash):
                found.inside = first_wrong(self.trial, self.exact, self.dout)
        found.habits = [*habits(self.trial, self.dout)]
        return found

    def refuse_fewer(self, gradients: Sequence[Gradient]) -> None:
        """LayerError where their backward has no gradient of an argument behind the first.

        A loss may have some of its arguments only, and the first layer of a network no dx.
        """
        first, *others = self.trial.inputs
        known = {first, *(g.input for g in gradients)}
        missing = [n for n in others if n not in known and self.exact.jacobian([n]).any()]
        if missing and not self.trial.loss:
            verdicts = ", ".join(f"{g.name} is {g.verdict}" for g in gradients)
            returned = f"{len(gradients)} gradient{'s' * (len(gradients) != 1)}"
            raise LayerError(
                f"its backward returns {returned} for the {len(others) + 1} inputs "
                f"{', '.join(self.trial.inputs)}: there is none of {' and '.join(missing)} "
                f"({verdicts})"
            )

    def crashed(self, crash: Crash) -> Gradient:
        """The verdict on all gradients of a backward that raises."""
        return Gradient(
            "", "backward", CRASHES, detail=crash.said, line=crash.line,
            sentences=[*filter(None, (crash.hint, self.trial.hint))], setting=self.trial.setting,
        )  # fmt: skip

    def verdict(self, name: str, theirs: Any) -> Gradient:
        """The verdict on one gradient, without what is the matter."""
        place = self.trial.places.get(name, "")
        given = {*arguments(self.trial), *(n for n in self.trial.inputs if n != name)}
        if (
            not place or place.removesuffix(".T").split(".")[-1] in given
        ):  # it returns its dout, or W
            place = f"d{name}"
        line = backward_line(self.trial, name)
        g = Gradient(name, place, line=line, setting=self.trial.setting)
        if theirs is None or theirs is ... or theirs is NotImplemented:
            return replace(g, verdict=NOT_WRITTEN)
        try:
            sides = self.sides(name, theirs)
        except (TypeError, ValueError):
            return replace(g, verdict=WRONG, detail=f"it holds no numbers: {theirs!r:.60}")
        g.entries = sides.right.size
        if not sides.theirs.any() and sides.right.any() and line and "zero" in line.text:
            return replace(g, verdict=NOT_WRITTEN)
        if sides.theirs.shape != sides.right.shape:
            return self.misshaped(g, sides)
        g.wrong, g.error = int(sides.wrong.sum()), sides.error
        if g.wrong:
            g.verdict, g.sentences = self.unequal(name, sides)
        return g

    def misshaped(self, g: Gradient, sides: Sides) -> Gradient:
        """A gradient in another shape than its input."""
        dout, n = self.dout[0], self.trial.samples
        verdict, sentences = about_shape(sides.theirs, sides.right, dout, g.input)
        if verdict == WRONG and n > 1 and not self.trial.loss:
            other, more = about_shape(n * sides.theirs, sides.right, dout, g.input)
            if more and (other != WRONG or not sentences):
                verdict = other
                sentences = [f"{NTH}, N = {n}; but for that {told}" for told in more]
        detail = f"it has shape {sides.theirs.shape}, but {g.input} has {sides.right.shape}"
        if not sentences and not self.trial.loss and self.is_constant(g.input, sides.theirs):
            sentences = ["it does not depend on dout: multiply with the upstream gradient"]
        wrong = 0 if verdict == SHAPE else g.entries
        return replace(g, verdict=verdict, detail=detail, sentences=sentences, wrong=wrong)

    def is_constant(self, name: str, theirs: Array) -> bool:
        """Whether their gradient is the same for another upstream one."""
        with suppress(Crash):
            return np.array_equal(self.pull([-2 * d for d in self.dout])[name], theirs)
        return False

    def unequal(self, name: str, sides: Sides) -> tuple[str, list[str]]:
        """The verdict on a gradient with other numbers than the right one, and what is clear."""
        if sides.right.ndim > 1 and near(sides.theirs, sides.right.T):
            return TRANSPOSED, ["it is the transpose of the gradient"]
        if guard := self.guard(name, sides):
            return GUARD, [guard]
        return (TIE if self.at_tie(name) else WRONG), []

    def guard(self, name: str, sides: Sides) -> str:
        """What is left out, if it is right but for small constants, as in log(p + 1e-7); or ""."""
        if not sides.almost_equal:
            return ""
        with without_small_constants(self.exact) as constants:
            there = replace(self.sides(name, sides.theirs), tolerance=sides.tolerance)
        if not constants or there.wrong.any():
            return ""
        sizes = " and ".join(f"{c:g}" for c in sorted(set(constants)))
        return f"it leaves out the {sizes} of the forward: {sides.apart:.0e} of the largest entry"

    def at_tie(self, name: str) -> bool:
        """Whether it is right at every other place near by: the numbers stand on a kink."""
        with suppress(Crash, LayerError):
            for seed in (1, 2):
                inputs = near_by(self.trial.inputs, seed)
                theirs = self.pull(self.dout, inputs)[name]
                there = exact(replace(self.trial, inputs=inputs))
                if self.sides(name, theirs, there).wrong.any():
                    return False
            return True
        return False

    def by_design(self, gradients: Sequence[Gradient], grads: Mapping[str, Any]) -> None:
        """1/N in every parameter, beside a right dx: the mean that a loss may leave out.

        Where one is wrong besides, the others are by design if that has the 1/N, too.
        """
        n = self.trial.samples
        others = [g for g in gradients if not g.ok]
        right = sum(g.verdict != BY_DESIGN for g in gradients) - len(others)
        if n < 2 or self.trial.loss or right != 1:
            return
        nth = [g for g in others if self.is_nth(g, grads[g.input], n)]
        if all(g in nth or any(NTH in told for told in g.sentences) for g in others):
            for g in nth:
                g.verdict, g.worst = BY_DESIGN, None
                g.sentences = [f"{NTH}, N = {n}: fine if your loss does not divide by N"]

    def is_nth(self, g: Gradient, theirs: Any, n: int) -> bool:
        """Whether a wrong gradient is 1/n of the right one, in its shape."""
        shape = np.shape(self.trial.inputs[g.input])
        if g.verdict != WRONG or not g.entries or np.shape(theirs) != shape:
            return False
        return not self.sides(g.input, n * np.asarray(theirs)).wrong.any()

    def explain(self, wrong: Sequence[Gradient], grads: Mapping[str, Any]) -> None:
        """Say of wrong gradients in the shape of their input what is the matter."""
        read = {g.input: self.sides(g.input, grads[g.input]) for g in wrong if g.entries}
        both = {name: s for name, s in read.items() if s.theirs.shape == s.right.shape}
        bent = {} if self.trial.loss else departures(self.pull, self.dout, both)
        straight = {name: sides.theirs for name, sides in both.items() if name not in bent}
        terms = as_matrix(self.trial, self.pull, self.dout, straight) or {}
        for g in wrong:
            if g.input not in both:
                continue
            name, sides = g.input, both[g.input]
            theirs = sides.theirs.astype(np.float32 if sides.tolerance == SINGLE else float)
            case = Case(
                self.trial, self.exact, name, terms.get(name), theirs, sides.right, self.dout
            )
            g.sentences = diagnose(case) or [*filter(None, [bent.get(name)])] or described(case)
            g.worst = worst(case)


def setting(trial: Trial) -> str:
    """The shapes, and how it is called beyond them.

    >>> setting(Trial("f", {"x": np.ones((3, 4))}, lambda inputs: None, setting="stride=2"))
    'x (3, 4), stride=2'
    """
    shapes = [f"{name} {np.shape(x)}" for name, x in trial.inputs.items()]
    return ", ".join(filter(None, [*shapes, trial.setting]))


def arguments(trial: Trial) -> set[str]:
    """The names of the arguments of their backward."""
    codes = [f.__code__ for f in trial.backwards]
    return {name for code in codes for name in code.co_varnames[: code.co_argcount]}


def near_by(inputs: Mapping[str, Array], seed: int) -> dict[str, Array]:
    """The inputs, each number a millionth from where it was.

    >>> moved = near_by({"x": np.array([0.0, 2.0])}, seed=1)["x"]
    >>> bool((moved != [0, 2]).all()), np.allclose(moved, [0, 2], atol=3e-6)
    (True, True)
    """
    random = np.random.default_rng(seed)
    return {
        name: x + 1e-6 * random.uniform(-1, 1, np.shape(x)) * np.where(x == 0, 1, np.abs(x))
        if np.asarray(x).dtype.kind == "f" else x
        for name, x in inputs.items()
    }  # fmt: skip
