"""Other numbers of the same kind, at which what is said of a gradient must hold, too."""

from __future__ import annotations

from typing import Any

import numpy as np


def other_inputs(inputs: dict[str, Any], seed: int, turned: bool) -> dict[str, Any]:
    """Other numbers of the same kind; `turned` ones have the other sign, where both occur.

    >>> other_inputs({"x": np.array([1.0, -1.0]), "n": np.array([3])}, 0, True)["x"] > 0
    array([False,  True])
    """
    random = np.random.default_rng(seed)
    found = {}
    for name, a in inputs.items():
        x = np.asarray(a)
        if x.dtype.kind == "f":
            scale = 1 + 0.25 * random.uniform(-1, 1, x.shape)
            both = (x > 0).any() and (x < 0).any()
            shares = (x >= 0).all() and (x <= 1).all()  # probabilities, perhaps
            inside = np.where(x == 1, 1 - np.abs(scale - 1), x**scale)  # no power moves a 1
            new = inside if shares else x * (-scale if turned and both else scale)
            x = np.asarray(new, x.dtype)
        found[name] = x
    return found
