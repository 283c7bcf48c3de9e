"""What an object holds: its arrays, where they lie, and a copy of it with other arrays in it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from microgrid.check.handwritten.trial import LayerError

DEEPEST, LONGEST = 8, 200  # levels of objects within objects, entries of a list
CODE = (type, ModuleType, FunctionType, MethodType, BuiltinFunctionType)
NO_HOLDERS = (*CODE, str, bytes, np.generic)


@dataclass(frozen=True)
class Place:
    """Where something lies in an object: the steps to it, `(".", "params"), ("[]", "W")`.

    >>> str(Place(((".", "params"), ("[]", "W"))))
    "self.params['W']"
    """

    steps: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        return "self" + "".join(f".{k}" if dot == "." else f"[{k!r}]" for dot, k in self.steps)

    @property
    def key(self) -> Any:
        return self.steps[-1][1]

    @property
    def holder(self) -> tuple[tuple[str, Any], ...]:
        """The steps to the dict, list or object that it lies in."""
        return self.steps[:-1]

    @property
    def home(self) -> tuple[tuple[str, Any], ...]:
        """The steps to the object that it belongs to; its dicts and lists are not counted."""
        last = max((i for i, (dot, _) in enumerate(self.steps) if dot == "."), default=0)
        return self.steps[:last]

    @property
    def name(self) -> str:
        """What it is called: the last step that is a name."""
        return next((k for _, k in reversed(self.steps) if isinstance(k, str)), "self")


def children(thing: Any) -> Iterator[tuple[tuple[str, Any], Any]]:
    """The steps from a dict, a list, a tuple or an object, and what lies there."""
    if isinstance(thing, dict):
        yield from ((("[]", k), v) for k, v in list(thing.items()))
    elif isinstance(thing, list | tuple):
        yield from ((("[]", i), v) for i, v in enumerate(thing[:LONGEST]))
    elif not isinstance(thing, NO_HOLDERS) and type(thing).__module__.split(".")[0] != "numpy":
        slots = [s for c in type(thing).__mro__ for s in listed(getattr(c, "__slots__", ()))]
        held = dict(getattr(thing, "__dict__", {}))
        held |= {s: getattr(thing, s) for s in slots if hasattr(thing, s) and s[:2] != "__"}
        yield from (((".", k), v) for k, v in held.items())


def listed(slots: Any) -> list[str]:
    """The names in `__slots__`, which may be a single text."""
    return [slots] if isinstance(slots, str) else list(slots)


def walk(
    thing: Any, steps: tuple[tuple[str, Any], ...] = (), seen: set[int] | None = None
) -> Iterator[tuple[Place, Any]]:
    """All that lies in an object and its parts, each with its place; a part is entered once."""
    seen = set() if seen is None else seen
    if id(thing) in seen or len(steps) > DEEPEST:
        return
    seen.add(id(thing))
    for step, child in children(thing):
        yield Place((*steps, step)), child
        if not isinstance(child, np.ndarray):
            yield from walk(child, (*steps, step), seen)


def is_floats(x: Any) -> bool:
    """Whether it is an array of floats, or of what stands for floats."""
    return isinstance(x, np.ndarray) and (x.dtype.kind == "f" or x.dtype == object)


def floats_of(thing: Any) -> dict[Place, Any]:
    """The float arrays and the floats of an object by their places.

    >>> class Linear:
    ...     def __init__(self):
    ...         self.params = {"W": np.ones((2, 3))}
    >>> [str(place) for place in floats_of(Linear())]
    ["self.params['W']"]
    """
    return {p: x for p, x in walk(thing) if is_floats(x) or isinstance(x, float)}


def copied(thing: Any) -> Any:
    """A deep copy that shares the modules (`self.xp = np`); LayerError for what has none."""
    memo = {id(x): x for _, x in walk(thing) if isinstance(x, ModuleType)}
    try:
        return copy.deepcopy(thing, memo)
    except Exception as error:
        raise LayerError(
            f"a {type(thing).__name__} cannot be copied, so that two passes cannot start from the "
            f"same state ({type(error).__name__}: {error}): leave out of it what cannot be copied"
        ) from error


def exchanged(thing: Any, new: Mapping[int, Any], seen: set[int] | None = None) -> Any:
    """Put other arrays in the place of those with these ids, wherever they lie; tuples are made
    anew."""
    seen = set() if seen is None else seen
    if id(thing) in new:
        return new[id(thing)]
    if isinstance(thing, np.ndarray) or id(thing) in seen:
        return thing
    seen.add(id(thing))
    if type(thing) is tuple:
        return tuple(exchanged(x, new, seen) for x in thing)
    for step, child in children(thing):
        other = exchanged(child, new, seen)
        if other is not child:
            put(thing, step, other)
    return thing


def put(holder: Any, step: tuple[str, Any], x: Any) -> None:
    """Set one attribute or entry."""
    if step[0] == "[]":
        holder[step[1]] = x
    elif step[1] in getattr(holder, "__dict__", {}):
        holder.__dict__[step[1]] = x  # not through a property or a __setattr__ of theirs
    else:
        object.__setattr__(holder, step[1], x)


def lying_at(thing: Any, steps: tuple[tuple[str, Any], ...]) -> Any:
    """What lies at these steps."""
    for dot, key in steps:
        thing = thing[key] if dot == "[]" else getattr(thing, key)
    return thing
