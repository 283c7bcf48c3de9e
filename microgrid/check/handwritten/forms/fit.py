"""The arguments that a layer is called with."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from microgrid.check.handwritten.forms import names, reading
from microgrid.check.handwritten.trial import Array, LayerError

Parameters = Mapping[str, inspect.Parameter]
Shape = tuple[int, ...]
DULL = ("eps", "epsilon", "momentum", "seed", "verbose", "optimizer", "opt")  # not worth telling


@dataclass(frozen=True)
class Signature:
    """What a layer is called with: the arguments of a function, or of a constructor and a forward.

    >>> Signature("square", lambda x: x * x, {}).keys("x")
    []
    """

    name: str
    function: Callable[..., Any]
    parameters: Parameters
    making: frozenset[str] = frozenset()  # those of the constructor
    cls: type | None = None
    every_input: bool = (
        False  # whether all that the forward needs are inputs: no labels, no numbers
    )
    known: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)  # read once

    def keys(self, name: str) -> list[str]:
        """The keys that the code looks up in an argument."""
        return self._read(name)[0]

    def choices(self, name: str) -> list[str]:
        """The words that the code compares an argument with."""
        return self._read(name)[1]

    def _read(self, name: str) -> tuple[list[str], list[str]]:
        if name not in self.known:
            whole = self.cls if self.cls is not None and name in self.making else self.function
            self.known[name] = reading.keys(whole, name), reading.choices(whole, name)
        return self.known[name]

    @property
    def label(self) -> str:
        """The argument with the labels of a class that is a loss."""
        forward = [n for n in self.parameters if n not in self.making]
        return names.label_of(forward) if self.cls is not None and not self.every_input else ""


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
        """What is bound and does not follow from the shapes: "stride=2, pad=1"."""
        return self.told([*self.inputs.values(), *self.bound.values()])

    def told(self, arrays: Iterable[Any]) -> str:
        """The setting, without the sizes of these arrays."""
        sizes = {n for x in arrays if not isinstance(x, dict) for n in np.shape(x)}
        chosen = {k: self.bound[k] for k in self.chosen}
        flat = {k: v for k, v in chosen.items() if not isinstance(v, dict)}
        flat |= {k: v for d in chosen.values() if isinstance(d, dict) for k, v in d.items()}
        return ", ".join(f"{k}={v!r}" for k, v in flat.items() if is_told(k, v, sizes))

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


def is_told(name: str, value: Any, sizes: set[int]) -> bool:
    """Whether a setting says more than the shapes do."""
    if isinstance(value, np.ndarray | list) or names.short(name) in DULL:
        return False
    parts = value if isinstance(value, tuple) else (value,)
    window = names.count(name) == "window" or names.HIDING.match(names.short(name))
    return bool(window) or any(type(n) is not int for n in parts) or not sizes.issuperset(parts)


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The arguments of a function by name, without *args and **kwargs.

    >>> list(parameters_of(lambda x, w=1: x))
    ['x', 'w']
    """
    try:
        if isinstance(function, np.ufunc):
            raise TypeError
        found = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise LayerError(
            f"the arguments of {function!r} cannot be read: wrap it in a def"
        ) from error
    stars = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: p for name, p in found.items() if p.kind not in stars}


def every_parameter(function: Any) -> list[inspect.Parameter]:
    """The parameters of a function or a class, with those behind stars; none if unknown.

    >>> [p.name for p in every_parameter(lambda x, *more: x)]
    ['x', 'more']
    """
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def has_default(p: inspect.Parameter) -> bool:
    """Whether an argument may be left out of a call.

    >>> has_default(parameters_of(lambda x: x)["x"])
    False
    """
    return p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)


def every_input(backward: Callable[..., Any], arguments: Iterable[str]) -> bool:
    """Whether a backward gives a gradient for each argument, labels and numbers by name included.

    >>> def backward(dout):
    ...     return dout, -dout
    >>> every_input(backward, ["x", "y"])
    True
    """
    needed = list(arguments)
    doubtful = [n for n in needed if names.is_label(n) or names.role(n) in names.BOUND]
    doubtful += [
        n
        for n in needed
        if names.number(n) is not None and names.role(n) in ("", "p", "q", "k", "v")
    ]
    return len(needed) > 1 and bool(doubtful) and reading.count_returned(backward) == len(needed)


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


def is_whole(told: Any) -> bool:
    """Whether the user gave an array or a list of whole numbers.

    >>> is_whole([3, 4]), is_whole(np.ones(2)), is_whole((3, 4))
    (True, False, False)
    """
    if not isinstance(told, np.ndarray | list):
        return False
    try:
        return np.asarray(told).dtype.kind in "iu"
    except ValueError:  # rows of several lengths
        return False
