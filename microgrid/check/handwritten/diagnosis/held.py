"""The plain arrays that their forward holds: labels, masks, what its objects keep."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import numpy as np

from microgrid.check.handwritten.forward.exact import Exact, exact
from microgrid.check.handwritten.trial import Array, Trial


def held(trial: Trial) -> dict[str, Array]:
    """The arrays in their functions' locals and in `self`, as a forward on floats leaves them.

    Attributes stand under "self.name"; of several with one name it is the last.

    >>> from microgrid.check.handwritten.trial import Pass
    >>> held(Trial("f", {}, lambda inputs: Pass([], dict)))
    {}
    """
    files = {f.__code__.co_filename for f in (*trial.forwards, *trial.backwards)}
    seen: dict[str, Array] = {}

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code.co_filename in files:
            own = getattr(frame.f_locals.get("self"), "__dict__", {})
            for name, x in [*frame.f_locals.items(), *[(f"self.{k}", x) for k, x in own.items()]]:
                if isinstance(x, np.ndarray) and x.dtype.kind in "fiub":
                    seen[name] = x

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        trial.run({k: np.array(a) for k, a in trial.inputs.items()})
    finally:
        sys.setprofile(before)
    return seen


def exact_of(trial: Trial) -> Exact:
    """The exact side of a layer: its own, where it brings one.

    >>> from microgrid.check.handwritten.trial import Pass
    >>> exact_of(Trial("f", {"x": np.ones(3)}, lambda d: Pass([2 * d["x"]], dict))).shapes
    [(3,)]
    """
    own = getattr(trial, "exact", None)
    found: Exact = own() if callable(own) else own or exact(trial)
    return found


def elsewhere(inputs: dict[str, Any], seed: int, turned: bool) -> dict[str, Any]:
    """Other numbers of the same kind; `turned` ones have the other sign, where both occur.

    >>> elsewhere({"x": np.array([1.0, -1.0]), "n": np.array([3])}, 0, True)["x"] > 0
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
