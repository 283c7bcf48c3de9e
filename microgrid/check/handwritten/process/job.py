"""What is to be checked, and a layer of it that waits for its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from microgrid.check.handwritten.trial import LayerError, Trial


@dataclass
class Job:
    """A file, or the layer itself: functions, a class, an object, a chain of these."""

    target: str  # the path of a file; of the layer itself, its name
    name: str = ""  # of one layer of the file
    layer: tuple[Any, Any] | None = None  # forward and backward; None: those of the file
    grads: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        """LayerError for a seed that is none, and for an input without entries."""
        if not isinstance(self.seed, int | np.integer) or not 0 <= self.seed < 2**32 - 1:
            raise LayerError(f"a seed is a whole number from 0 on, not {self.seed!r}")
        for name, x in entries(self.inputs):
            shape = x if isinstance(x, tuple) else np.shape(x) if isinstance(x, np.ndarray) else ()
            if any(isinstance(n, float) for n in shape) and is_like_a_shape(shape):
                raise LayerError(f"{name} {shape} is no shape: its lengths are whole numbers")
            if any(type(n) is int and n < 1 for n in shape):
                raise LayerError(f"{name} {shape} has no entries: give lengths from 1 on")


def is_like_a_shape(told: tuple[Any, ...]) -> bool:
    """Whether a tuple is meant as a shape: numbers, one of them at least 2; (0.9, 0.999) is not.

    >>> is_like_a_shape((3.5, 4)), is_like_a_shape((0.9, 0.999))
    (True, False)
    """
    return all(isinstance(n, int | float) for n in told) and max(told, default=0) >= 2


def entries(inputs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The inputs by name, and those in dicts such as `parameters`."""
    for name, x in inputs.items():
        if isinstance(x, Mapping):
            yield from entries(x)
        else:
            yield name, x


class Task(NamedTuple):
    """A layer by its name, and the trials of it, which are made when its turn comes."""

    name: str
    trials: Callable[[], list[Trial]]


def place_of(target: str) -> tuple[str, str]:
    """The file and the name of FILE[:NAME]; LayerError if it is neither Python nor a notebook.

    >>> place_of("missing.py:affine")
    Traceback (most recent call last):
        ...
    microgrid.check.handwritten.trial.LayerError: there is no file missing.py
    """
    place, name = target, ""
    before, colon, after = target.rpartition(":")
    if colon and not Path(target).exists() and len(before) > 1:  # C:\\ begins with a drive
        place, name = before, after
    path = Path(place)
    if not path.exists():
        raise LayerError(f"there is no file {place}")
    if path.is_dir():
        raise LayerError(f"{place} is a folder: name the file, as in {path / 'layers.py'}")
    if path.suffix not in (".py", ".ipynb"):
        raise LayerError(f"{place} is not a Python file: its name must end with .py or .ipynb")
    return place, name


def name_of(thing: Any) -> str:
    """What the report calls a layer that is given itself."""
    if isinstance(thing, list | tuple):
        return " + ".join(map(name_of, thing))
    return str(getattr(thing, "__name__", type(thing).__name__))
