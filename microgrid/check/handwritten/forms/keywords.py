"""The names that inputs may have: arguments of the functions, and what objects keep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from inspect import signature, unwrap
from types import FunctionType, ModuleType
from typing import Any

from microgrid.check.handwritten.forms.names import is_cache, is_upstream
from microgrid.check.handwritten.trial import LayerError

ANYTHING = "**"  # a function that takes every keyword


def known(inputs: Mapping[str, Any], things: Iterable[Any]) -> None:
    """LayerError for an input that nothing here takes.

    >>> known({"X": (3, 4)}, [lambda x, w: x @ w])
    Traceback (most recent call last):
        ...
    microgrid.check.handwritten.trial.LayerError: there is no argument 'X': did you mean x? ...
    """
    every = [*things]
    takes = {name for thing in every for name in (*names_of(thing), *attributes_of(thing))}
    for name in inputs:
        if name not in takes and ANYTHING not in takes:
            lower = {n.lower(): n for n in dict.fromkeys(n for x in every for n in names_of(x))}
            near = get_close_matches(name.lower(), lower, 1)
            meant = f"did you mean {lower[near[0]]}? There" if near else "there"
            shown = [n for n in lower.values() if not (is_upstream(n) or is_cache(n))][:12]
            raise LayerError(f"there is no argument {name!r}: {meant} are {', '.join(shown)}")


def taken(inputs: Mapping[str, Any], things: Iterable[Any]) -> dict[str, Any]:
    """The inputs that one of these takes.

    >>> taken({"x": 1, "w": 2}, [lambda x: x])
    {'x': 1}
    """
    every = [*things]
    takes = {name for thing in every for name in (*names_of(thing), *attributes_of(thing))}
    return {name: x for name, x in inputs.items() if name in takes or ANYTHING in takes}


def names_of(thing: Any) -> Iterator[str]:
    """The arguments of a function, and of the methods of a class or an object."""
    if isinstance(thing, ModuleType | list | tuple):
        for one in inside(thing):
            yield from names_of(one)
    elif isinstance(thing, FunctionType):
        for parameter in signature(thing).parameters.values():
            several = parameter.kind is parameter.VAR_KEYWORD
            if parameter.name not in ("self", "cls", "ctx"):
                yield ANYTHING if several else parameter.name
    elif methods := methods_of(thing):
        for method in methods:
            yield from names_of(method)
    elif callable(thing):
        yield ANYTHING  # a partial, a compiled function: who knows


def attributes_of(thing: Any) -> Iterator[str]:
    """What objects keep, parameters above all: the names that their methods speak of."""
    if isinstance(thing, ModuleType | list | tuple):
        for one in inside(thing):
            yield from attributes_of(one)
    elif not isinstance(thing, FunctionType):
        yield from getattr(thing, "__dict__", {})
        for method in methods_of(thing):
            yield from method.__code__.co_names


def inside(thing: ModuleType | Sequence[Any]) -> list[Any]:
    """What a module defines, or the layers of a chain."""
    if not isinstance(thing, ModuleType):
        return [*thing]
    here = thing.__name__
    return [x for x in vars(thing).values() if getattr(x, "__module__", "") == here]


def methods_of(thing: Any) -> list[FunctionType]:
    """The methods that a class, or that of an object, has and inherits."""
    cls = thing if isinstance(thing, type) else type(thing)
    found = [unwrap(getattr(m, "__func__", m)) for c in cls.__mro__ for m in vars(c).values()]
    return [method for method in found if isinstance(method, FunctionType)]
