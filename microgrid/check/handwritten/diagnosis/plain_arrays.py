"""The plain arrays that their forward holds: labels, masks, what its objects keep."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import numpy as np

from microgrid.check.handwritten.trial import Array, Trial, copies


def plain_arrays(trial: Trial) -> dict[str, Array]:
    """The arrays in their functions' locals and in `self`, as a forward on floats leaves them.

    Attributes stand under "self.name"; of several with one name it is the last.

    >>> from microgrid.check.handwritten.trial import Pass
    >>> plain_arrays(Trial("f", {}, lambda inputs: Pass([], dict)))
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
        trial.run(copies(trial.inputs))
    finally:
        sys.setprofile(before)
    return seen
