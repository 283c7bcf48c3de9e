"""The arrays that their objects hold in attributes: self.xhat of a layer normalization."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np

from microgrid.check.handwritten.exact import Exact, exact
from microgrid.check.handwritten.trial import Trial
from microgrid.engine.value import Value
from microgrid.engine.value_array import as_array


def observed(trial: Trial) -> Exact:
    """The exact forward, whose `inner` also has what their objects hold: self.xhat.

    >>> from microgrid.check.handwritten.trial import Pass
    >>> observed(Trial("f", {"x": np.ones(3)}, lambda d: Pass([2 * d["x"]], dict))).shapes
    [(3,)]
    """
    if not any("self" in f.__code__.co_varnames[:1] for f in trial.forwards):
        return exact(trial)
    found, owned = attributes(trial, lambda: exact(trial))
    for name, x in owned.items():
        found.inner.setdefault(name, as_array(np.asarray(x, dtype=object)))
    return found  # type: ignore[no-any-return]


def attributes(trial: Trial, run: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """What `run()` gives, and the arrays of the objects whose methods of theirs it called.

    They stand under "self.name". Of floats and Values the Values are kept.

    >>> trial = Trial("f", {}, lambda inputs: None)
    >>> attributes(trial, lambda: 3)
    (3, {})
    """
    files = {f.__code__.co_filename for f in (*trial.forwards, *trial.backwards)}
    seen: dict[str, Any] = {}

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code.co_filename in files:
            owner = frame.f_locals.get("self")
            for name, x in getattr(owner, "__dict__", {}).items():
                if isinstance(x, np.ndarray | Value):
                    keep(seen, f"self.{name}", x)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        return run(), seen
    finally:
        sys.setprofile(before)


def keep(seen: dict[str, Any], name: str, x: Any) -> None:
    """Enter an array, but no floats for Values."""
    if of_values(x) or not of_values(seen.get(name)):
        seen[name] = x


def of_values(x: Any) -> bool:
    return isinstance(x, Value) or getattr(x, "dtype", None) == np.dtype(object)
