"""Objects of a class, made with given arguments and, where it has one, by a second constructor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from microgrid.check.handwritten.forms import names
from microgrid.check.handwritten.forms.filling import Optimizer
from microgrid.check.handwritten.forms.fit import has_default, parameters_of
from microgrid.check.handwritten.forms.kinds import SIZES
from microgrid.check.handwritten.forms.modules import same_randomness

SECOND = ("initialize", "build", "init_weights", "initialize_parameters", "init_params")


def objects(
    cls: type, arguments: Mapping[str, Any], seed: int, data: tuple[int, ...] = ()
) -> Iterator[Any]:
    """Objects of a class: as the constructor makes it, then after what people call next.

    `data` is the shape of an input, for a `build(input_shape)`.

    >>> class Linear:
    ...     def __init__(self, n_in):
    ...         self.n_in = n_in
    >>> next(objects(Linear, {"n_in": 4}, 0)).n_in
    4
    """
    with same_randomness(seed):
        thing = cls(**arguments)
    yield thing
    shapes = [data[1:], (data[-1:] or (SIZES["D"],))[0], data]
    for setter in ("set_input_shape", *(n for n in SECOND if hasattr(cls, n))):
        for shape in shapes if hasattr(cls, setter) else ():
            with suppress(Exception), same_randomness(seed):
                thing = cls(**arguments)
                if hasattr(cls, "set_input_shape"):
                    thing.set_input_shape(shape=shape)
                if setter in SECOND:
                    call(getattr(thing, setter), shape)
                yield thing


def call(method: Any, shape: Any) -> None:
    """Call a second constructor with what its arguments are called: `initialize(optimizer)`."""
    needed = [n for n, p in parameters_of(method).items() if not has_default(p)]
    method(**{n: Optimizer() if "optim" in n.lower() else first(n, shape) for n in needed})


def first(name: str, shape: Any) -> Any:
    """What an argument of a second constructor is given, by its name."""
    known = names.number(name)
    return SIZES["M"] if names.count(name) == "out" else shape if known is None else known
