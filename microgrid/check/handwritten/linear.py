"""Their backward as a matrix: it is a linear map of the upstream gradient, or it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from microgrid.check.handwritten.crash import Crash
from microgrid.check.handwritten.forward.jacobians import Jacobians
from microgrid.check.handwritten.forward.stand_in import standing_in
from microgrid.check.handwritten.sides import Sides
from microgrid.check.handwritten.trial import Array, Trial, copies
from microgrid.matrices.arrays import matrix, values

Pull = Callable[[Sequence[Array]], Mapping[str, Any]]  # a fresh forward, then their backward
FEW, MOST = 64, 600  # outputs: so many unit vectors are quick, more are not tried


def departures(pull: Pull, dout: Sequence[Array], gradients: Mapping[str, Sides]) -> dict[str, str]:
    """For each gradient that is no linear function of dout: how one sees that.

    None is told where their backward refuses such upstream gradients.

    >>> ones = np.ones(2)
    >>> departures(lambda douts: {"x": douts[0] + 1}, [ones], {"x": Sides(ones, ones, ones)})
    {'x': 'it is not 0 where dout is 0: something is added that does not belong'}
    """
    turned = [np.roll(d, 1) * 0.7 for d in dout]
    zero, minus, sums = [0 * d for d in dout], [-d for d in dout], list(map(np.add, dout, turned))
    try:
        pulled = [pull(d) for d in (dout, zero, minus, turned, sums)]
    except Crash:
        return {}
    told = {}
    for name, sides in gradients.items():
        a, z, m, o, s = (np.asarray(g[name], float) for g in pulled)
        if not np.isfinite(a).all():
            continue  # nan is no sum of terms, but that is not what is wrong with it
        largest = 1e-3 + np.abs(a).max(initial=0.0)

        def is_zero(x: Array, most: float = sides.tolerance * largest) -> bool:
            return bool(np.abs(x).max(initial=0.0) <= most)

        if is_zero(a - z) and not is_zero(a):
            told[name] = "it does not depend on dout: multiply with the upstream gradient"
        elif not is_zero(z):
            told[name] = "it is not 0 where dout is 0: something is added that does not belong"
        elif not is_zero(a + m) or not is_zero(s - a - o):
            told[name] = "it is not linear in dout: a mask or a condition looks at dout"
    return told


def as_matrix(
    trial: Trial, pull: Pull, dout: Sequence[Array], grads: Mapping[str, Array]
) -> dict[str, Array] | None:
    """What one unit of each output gives: for each gradient outputs × entries.

    None where there are too many outputs for one pass each, and their backward refuses Values.

    >>> trial = Trial("f", {"x": np.ones(2)}, lambda inputs: None)
    >>> as_matrix(trial, lambda u: {"x": 3 * u[0]}, [np.ones(2)], {"x": np.ones(2)})["x"]
    array([[3., 0.],
           [0., 3.]])
    """
    outputs = sum(d.size for d in dout)
    if not grads:
        return {}
    if outputs > FEW and (found := on_values(trial, dout, grads)) is not None:
        return found
    if outputs > MOST:
        return None
    shapes = [d.shape for d in dout]
    with suppress(Crash):
        rows = [pull(split(unit, shapes)) for unit in np.eye(outputs)]
        return {n: np.array([np.asarray(row[n], float).ravel() for row in rows]) for n in grads}
    return None


def on_values(
    trial: Trial, dout: Sequence[Array], grads: Mapping[str, Array]
) -> dict[str, Array] | None:
    """The same by one pass of their backward on Values; None where it does not run on them."""
    upstream = [matrix(d, "dy") for d in dout]
    leaves = [v for d in upstream for v in d.ravel()]
    try:
        with standing_in(trial.modules):
            got = trial.run(copies(trial.inputs)).pull([d.copy() for d in upstream])
        found = {}
        for name, g in grads.items():
            entries = np.asarray(got[name], dtype=object)
            if not np.allclose(values(entries), g, rtol=1e-6, atol=1e-9):
                return None
            found[name] = Jacobians(list(entries.ravel()), leaves).jacobian().T
    except Exception:
        return None
    return found


def split(vector: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    """A vector as arrays of these shapes, one after another.

    >>> split(np.arange(3.0), [(), (2,)])
    [array(0.), array([1., 2.])]
    """
    ends = np.cumsum([int(np.prod(s)) for s in shapes])
    return [v.reshape(s).copy() for v, s in zip(np.split(vector, ends[:-1]), shapes)]
