"""The names that inputs may have: arguments of the functions, and what objects keep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from inspect import signature, unwrap
from types import FunctionType, ModuleType
from typing import Any

from microgrid.check.handwritten.forms.names import is_cache, is_upstream
from microgrid.check.handwritten.trial import LayerError

ANYTHING = "**"  # a function that takes every keyword


def refuse_unknown(inputs: Mapping[str, Any], things: Iterable[Any]) -> None:
    """LayerError for an input that nothing here takes.

    >>> refuse_unknown({"X": (3, 4)}, [lambda x, w: x @ w])
    Traceback (most recent call last):
        ...
    microgrid.check.handwritten.trial.LayerError: there is no argument 'X': did you mean x? ...
    """
    every = [*parts(things)]
    if strange := [name for name in inputs if name not in inputs_of(inputs, every)]:
        lower = {name.lower(): name for thing in every for name in arguments_of(thing)}
        near = get_close_matches(strange[0].lower(), lower, 1)
        meant = f"did you mean {lower[near[0]]}? There" if near else "there"
        shown = [n for n in lower.values() if not (is_upstream(n) or is_cache(n))][:12]
        raise LayerError(f"there is no argument {strange[0]!r}: {meant} are {', '.join(shown)}")


def inputs_of(inputs: Mapping[str, Any], things: Iterable[Any]) -> dict[str, Any]:
    """The inputs that one of these takes.

    >>> inputs_of({"x": 1, "w": 2}, [lambda x: x])
    {'x': 1}
    """
    takes = {n for x in parts(things) for n in (*arguments_of(x), *attributes_of(x))}
    return {name: x for name, x in inputs.items() if name in takes or ANYTHING in takes}


def parts(things: Iterable[Any]) -> Iterator[Any]:
    """The functions, classes and objects; those of a chain, and what a module defines."""
    for thing in things:
        if isinstance(thing, ModuleType):
            own = vars(thing).values()
            yield from (x for x in own if getattr(x, "__module__", "") == thing.__name__)
        elif isinstance(thing, list | tuple):
            yield from parts(thing)
        else:
            yield thing


def arguments_of(thing: Any) -> Iterator[str]:
    """The arguments of a function, and of the methods of a class or an object."""
    functions = [thing] if isinstance(thing, FunctionType) else methods_of(thing)
    for function in functions:
        for parameter in signature(function).parameters.values():
            if parameter.name not in ("self", "cls", "ctx"):
                several = parameter.kind is parameter.VAR_KEYWORD
                yield ANYTHING if several else parameter.name
    if not functions and callable(thing):
        yield ANYTHING  # a partial, a compiled function: who knows


def attributes_of(thing: Any) -> Iterator[str]:
    """What an object keeps, parameters above all: the names that its methods speak of."""
    if not isinstance(thing, FunctionType):
        yield from getattr(thing, "__dict__", {})
        for method in methods_of(thing):
            yield from method.__code__.co_names


def methods_of(thing: Any) -> list[FunctionType]:
    """The methods that a class, or that of an object, has and inherits."""
    cls = thing if isinstance(thing, type) else type(thing)
    found = [unwrap(getattr(m, "__func__", m)) for c in cls.__mro__ for m in vars(c).values()]
    return [method for method in found if isinstance(method, FunctionType)]
