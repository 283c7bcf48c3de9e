"""Layers that are written for one sample: a batch crashes in their backward."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from microgrid.check.handwritten.trial import LayerError, Trial, copies

Make = Callable[[Mapping[str, Any]], list[Trial]]  # what is given -> the trials


def with_hint(trials: list[Trial], make: Make, given: Mapping[str, Any]) -> list[Trial]:
    """The trials; where the backward crashes on a batch and runs on one sample, they say so.

    >>> x = np.ones((3, 4))
    >>> from microgrid.check.handwritten.trial import Pass
    >>> double = Trial("double", {"x": x}, lambda d: Pass([2 * d["x"]], lambda u: {"x": 2 * u[0]}))
    >>> with_hint([double], lambda given: [double], {})[0].hint
    ''
    """
    first = next(iter(trials[0].inputs), "") if trials else ""
    if not first or np.ndim(trials[0].inputs[first]) != 2 or runs(trials[0]):
        return trials
    features = trials[0].inputs[first].shape
    for shape in ((1, features[-1]), (features[0], 1), features[-1:]):
        with suppress(LayerError):
            if runs(make({**given, first: shape})[0]):
                shown = ", ".join(map(str, shape)) + "," * (len(shape) == 1)
                for trial in trials:
                    trial.hint = f"for a layer of one sample give {first}=({shown})"
                break
    return trials


def runs(trial: Trial) -> bool:
    """Whether its backward runs and gives gradients of the sizes of the inputs."""
    random = np.random.default_rng(0)
    try:
        with np.errstate(all="ignore"):
            step = trial.run(copies(trial.inputs))
            found = step.pull([random.normal(size=np.shape(y)) for y in step.outputs])
    except Exception:
        return False
    return all(x is None or np.size(x) == trial.inputs[n].size for n, x in found.items())
