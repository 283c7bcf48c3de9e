"""Habits: what a right backward may do, too, and what hurts at the next use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from microgrid.check.handwritten.crash import Crash, guarded
from microgrid.check.handwritten.diagnosis.other_inputs import other_inputs
from microgrid.check.handwritten.diagnosis.source_lines import backward_line
from microgrid.check.handwritten.trial import Array, Trial, copies


def habits(trial: Trial, upstream: Sequence[Array]) -> Iterator[str]:
    """Sentences on what one forward and backward change in place, and on a second use.

    >>> from microgrid.check.handwritten.trial import Pass
    >>> def run(inputs):
    ...     inputs["x"] *= 2
    ...     return Pass([inputs["x"]], lambda upstream: {"x": 2 * upstream[0]})
    >>> list(habits(Trial("double", {"x": np.ones(2)}, run), [np.ones(2)]))
    ['its forward changes x in place']
    """
    inputs, given = copies(trial.inputs), [d.copy() for d in upstream]
    with guarded(trial):
        step = trial.run(inputs)
        after_forward = copies(inputs)
        grads = step.pull(given)
    for name, x in trial.inputs.items():
        if not np.array_equal(after_forward[name], x):
            yield f"its forward changes {name} in place"
    if not all(map(np.array_equal, given, upstream)):
        yield "its backward changes dout in place: who called it may need it again"
    for name, x in inputs.items():
        if not np.array_equal(x, after_forward[name]):
            yield f"its backward changes {name} in place"
    if trial.again is not None and all(map(is_finite, grads.values())):  # nan is not nan
        with suppress(Crash), guarded(trial):
            others = other_inputs(trial.inputs, 1, turned=True)
            if told := trial.again(copies(trial.inputs), copies(others)):
                yield f"{told}{written_at(trial, told)}"


def is_finite(x: Any) -> bool:
    """Whether it holds no nan and no inf.

    >>> is_finite(np.ones(2)), is_finite(np.array([np.nan])), is_finite(None)
    (True, False, True)
    """
    array = np.asarray(x)
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def written_at(trial: Trial, told: str) -> str:
    """The line that writes the gradient which a sentence names."""
    for name, place in trial.places.items():
        line = backward_line(trial, name) if f"into {place}:" in told else None
        if line is not None:
            return f" (line {line.number}: `{line.text}`)"
    return ""
