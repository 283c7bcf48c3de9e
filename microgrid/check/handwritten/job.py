"""What is to be checked, and a layer of it that waits for its turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from microgrid.check.handwritten.trial import Trial


@dataclass
class Job:
    """A file, or the layer itself: functions, a class, an object, a chain of these."""

    target: str  # the path of a file; of the layer itself, its name
    name: str = ""  # of one layer of the file
    layer: tuple[Any, Any] | None = None  # forward and backward; None: those of the file
    grads: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0


class Task(NamedTuple):
    """A layer by its name, and the trials of it, which are made when its turn comes."""

    name: str
    trials: Callable[[], list[Trial]]
