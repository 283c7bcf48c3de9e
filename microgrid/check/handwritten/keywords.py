"""The names that inputs may have: arguments of the functions, and what objects keep."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from types import FunctionType, ModuleType
from typing import Any

from microgrid.check.handwritten.trial import LayerError

ANYTHING = "**"  # a function that takes every keyword


def known(inputs: Mapping[str, Any], things: Iterable[Any]) -> None:
    """LayerError for an input that nothing here takes.

    >>> known({"X": (3, 4)}, [lambda x, w: x @ w])
    Traceback (most recent call last):
        ...
    microgrid.check.handwritten.trial.LayerError: there is no argument 'X': did you mean x? ...
    """
    names = dict.fromkeys(name for thing in things for name in names_of(thing))
    for name in inputs:
        if name not in names and ANYTHING not in names:
            lower = {n.lower(): n for n in names}
            near = get_close_matches(name.lower(), lower, 1)
            meant = f"did you mean {lower[near[0]]}? " if near else ""
            shown = ", ".join([n for n in names if n not in ("self", "cls")][:12])
            raise LayerError(f"there is no argument {name!r}: {meant}There are {shown}")


def taken(inputs: Mapping[str, Any], things: Iterable[Any]) -> dict[str, Any]:
    """The inputs that one of these takes.

    >>> taken({"x": 1, "w": 2}, [lambda x: x])
    {'x': 1}
    """
    names = {name for thing in things for name in names_of(thing)}
    return {name: x for name, x in inputs.items() if name in names or ANYTHING in names}


def names_of(thing: Any) -> Iterator[str]:
    """The arguments of a function; of a class or an object also what it keeps in attributes."""
    if isinstance(thing, ModuleType):
        for one in vars(thing).values():
            if getattr(one, "__module__", "") == thing.__name__:
                yield from names_of(one)
    elif isinstance(thing, list | tuple):
        for one in thing:
            yield from names_of(one)
    elif isinstance(thing, type):
        for base in thing.__mro__[:-1]:
            for method in vars(base).values():
                yield from names_of(inspect.unwrap(getattr(method, "__func__", method)))
                if isinstance(method, FunctionType):
                    yield from method.__code__.co_names
    elif isinstance(thing, FunctionType):
        for parameter in inspect.signature(thing).parameters.values():
            yield ANYTHING if parameter.kind is parameter.VAR_KEYWORD else parameter.name
    elif callable(thing) and not hasattr(thing, "backward"):
        yield ANYTHING  # a partial, a compiled function: who knows
    elif thing is not None and hasattr(thing, "__dict__"):
        yield from vars(thing)
        yield from names_of(type(thing))
