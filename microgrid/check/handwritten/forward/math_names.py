"""What the functions of math do with Values: nodes, or numbers where they ask."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from microgrid.check.handwritten.forward.values_within import holds_values, number_of, only
from microgrid.engine.functions import FUNCTIONS
from microgrid.engine.value_array import ValueArray

Function = Callable[..., Any]


def of_one_number(f: Function, name: str) -> Function:
    """A function of math: of a Value a node, or a number where it is whole or a question."""
    ours = MATH.get(name) or FUNCTIONS.get(name)

    def call(*args: Any, **options: Any) -> Any:
        xs = [only(x) if isinstance(x, ValueArray) else x for x in args]
        if ours is not None and holds_values(xs):
            return ours(*xs, **options)
        if name in QUESTIONS:
            xs = [number_of(x) for x in xs]
        return f(*xs, **options)

    return call


QUESTIONS = {"floor", "ceil", "trunc", "isnan", "isinf", "isfinite", "isclose"}
MATH: dict[str, Function] = {
    "log": lambda x, base=None: np.log(x) if base is None else np.log(x) / np.log(base),
    "pow": lambda a, b: a**b,
    "fabs": abs,
    "exp2": lambda x: 2.0**x,
    "degrees": lambda x: x * (180.0 / math.pi),
    "radians": lambda x: x * (math.pi / 180.0),
    "prod": lambda xs, start=1: math.prod(list(xs), start=start),
    "fsum": lambda xs: sum(xs, 0.0),
    "sumprod": lambda a, b: sum([x * y for x, y in zip(a, b)]),
    "dist": lambda a, b: np.sqrt(sum([(x - y) ** 2 for x, y in zip(a, b)])),
    "fmod": lambda a, b: np.fmod(a, b),
}
