"""The arguments that a layer is called with."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from microgrid.check.handwritten.trial import Array, LayerError

Parameters = Mapping[str, inspect.Parameter]
_DULL = ("eps", "epsilon", "momentum", "seed", "verbose")  # not worth telling


@dataclass
class Fit:
    """The arguments of a layer: the arrays to differentiate, and all that is bound.

    `within` says of an input that is an entry of a dict which argument and which key it has.

    >>> Fit(bound={"pad": 1, "eps": 1e-5}, chosen=["pad", "eps"]).setting
    'pad=1'
    """

    inputs: dict[str, Array] = field(default_factory=dict)
    bound: dict[str, Any] = field(default_factory=dict)
    within: dict[str, tuple[str, Any]] = field(default_factory=dict)
    samples: int = 1
    kind: str = ""
    chosen: list[str] = field(default_factory=list)  # the bound arguments that a report tells

    @property
    def setting(self) -> str:
        """What is bound, as a report tells it: "stride=2, pad=1"."""
        told = {k: self.bound[k] for k in self.chosen}
        flat = {k: v for k, v in told.items() if not isinstance(v, dict)}
        flat |= {k: v for d in told.values() if isinstance(d, dict) for k, v in d.items()}
        shown = {k: v for k, v in flat.items() if np.ndim(v) == 0 and k not in _DULL}
        return ", ".join(f"{k}={v!r}" for k, v in shown.items())

    def arguments(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by name; what is bound is copied, as a forward may write into it.

        >>> Fit(inputs={"x": np.ones(3)}, bound={"stride": 2}).arguments({"x": 1.0})
        {'stride': 2, 'x': 1.0}
        """
        given = copy.deepcopy(self.bound)
        for name, value in inputs.items():
            argument, key = self.within.get(name, (name, None))
            if key is None:
                given[argument] = value
            else:
                given.setdefault(argument, {})[key] = value
        return given


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The arguments of a function by name, without *args and **kwargs.

    >>> list(parameters_of(lambda x, w=1: x))
    ['x', 'w']
    """
    try:
        found = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise LayerError(
            f"the arguments of {function!r} cannot be read: wrap it in a def"
        ) from error
    stars = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: p for name, p in found.items() if p.kind not in stars}


def is_shape(told: Any) -> bool:
    """Whether the user gave a shape: a tuple of ints.

    >>> is_shape((3, 4)), is_shape(()), is_shape([3, 4])
    (True, True, False)
    """
    return isinstance(told, tuple) and all(isinstance(n, int) for n in told)


def shape_of(told: Any) -> tuple[int, ...]:
    """The shape that the user gave, or that of their array.

    >>> shape_of((3, 4)), shape_of(np.ones(2))
    ((3, 4), (2,))
    """
    return tuple(told) if is_shape(told) else np.shape(told)
