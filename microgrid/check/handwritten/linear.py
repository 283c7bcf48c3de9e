"""Their backward as a matrix: it is a linear map of the upstream gradient, or it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from microgrid.check.handwritten.forward.paths import Paths
from microgrid.check.handwritten.forward.stand_in import standing_in
from microgrid.check.handwritten.trial import Array, Trial
from microgrid.matrices.arrays import matrix, values

Pull = Callable[[Sequence[Array]], Mapping[str, Any]]  # a fresh forward, then their backward
FEW, MOST = 64, 600  # outputs: so many unit vectors are quick, more are not tried


def is_zero(x: Array, beside: Array) -> bool:
    return bool(np.abs(x).max(initial=0.0) <= 1e-9 * (1e-3 + np.abs(beside).max(initial=0.0)))


def departures(pull: Pull, dout: Sequence[Array], names: Sequence[str]) -> dict[str, str]:
    """For each gradient that is no linear function of dout: how one sees that."""
    turned = [np.roll(d, 1) * 0.7 for d in dout]
    one, zero, minus, other, both = (
        pull(d)
        for d in (
            dout, [0 * d for d in dout], [-d for d in dout], turned,
            [a + b for a, b in zip(dout, turned)],
        )
    )  # fmt: skip
    told = {}
    for name in names:
        a, z, m, o, s = (np.asarray(g[name], float) for g in (one, zero, minus, other, both))
        if is_zero(a - z, a) and not is_zero(a, a):
            told[name] = "it does not depend on dout: multiply with the upstream gradient"
        elif not is_zero(z, a):
            told[name] = "it is not 0 where dout is 0: something is added that does not belong"
        elif not is_zero(a + m, a) or not is_zero(s - a - o, a):
            told[name] = "it is not linear in dout: a mask or a condition looks at dout"
    return told


def as_matrix(
    trial: Trial, pull: Pull, dout: Sequence[Array], grads: Mapping[str, Array]
) -> dict[str, Array] | None:
    """What one unit of each output gives: for each gradient outputs × entries.

    None where there are too many outputs for one pass each, and their backward refuses Values.
    """
    outputs = sum(d.size for d in dout)
    if trial.loss:
        return {name: g.reshape(1, -1) for name, g in grads.items()}
    if outputs > FEW and (found := on_values(trial, dout, grads)) is not None:
        return found
    if outputs > MOST:
        return None
    rows: dict[str, list[Array]] = {name: [] for name in grads}
    for k in range(outputs):
        unit = np.zeros(outputs)
        unit[k] = 1.0
        got = pull(split(unit, [d.shape for d in dout]))
        for name, row in rows.items():
            row.append(np.asarray(got[name], float).ravel())
    return {name: np.array(row) for name, row in rows.items()}


def on_values(
    trial: Trial, dout: Sequence[Array], grads: Mapping[str, Array]
) -> dict[str, Array] | None:
    """The same by one pass of their backward on Values; None where it does not run on them."""
    upstream = [matrix(d, "dy") for d in dout]
    leaves = [v for d in upstream for v in d.ravel()]
    try:
        with standing_in(trial.modules):
            floats = {name: np.array(x) for name, x in trial.inputs.items()}
            got = trial.run(floats).pull([d.copy() for d in upstream])
        found = {}
        for name, g in grads.items():
            entries = np.asarray(got[name], dtype=object)
            if not np.allclose(values(entries), g, rtol=1e-6, atol=1e-9):
                return None
            found[name] = Paths(list(entries.ravel()), leaves).jacobian().T
    except Exception:
        return None
    return found


def split(vector: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    """A vector as arrays of these shapes, one after another."""
    ends = np.cumsum([int(np.prod(s)) for s in shapes])
    return [v.reshape(s).copy() for v, s in zip(np.split(vector, ends[:-1]), shapes)]
