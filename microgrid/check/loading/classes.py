"""Which class of a module is the engine, and how a number of it is made."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from microgrid.check.contract import BACKWARD
from microgrid.check.loading.clock import TooLongError, limit
from microgrid.check.loading.errors import LoadError
from microgrid.check.loading.folders import is_theirs

USUAL = "Value"
NUMBER = re.compile(r"_?(data|val|value|v|x|num|number|scalar|n|item)$")
FILLED: tuple[tuple[str, Callable[[int], Any]], ...] = (  # what other arguments of it get
    (r"name|label|symbol|id$|tag", "v{}".format),
    (r"op|fn_?name|func_?name|kind|type|desc", lambda _: ""),
    (r"child|parent|prev|input|depend|source|arg|from|edges|creator", lambda _: ()),
    (r"(requires?|needs?)_?grad|trainable|track|is_|leaf", lambda _: True),
    (r"grad|deriv|adjoint|bar", lambda _: 0.0),
    (r"", lambda _: None),
)
TRACKS = re.compile(r"(requires?|needs?)_?grad|trainable|track")
LAZY = ("eval", "evaluate", "forward", "realize", "compute", "run", "calculate", "get_value")
PATIENCE = 1.0  # seconds for a sum


class Chosen(NamedTuple):
    """What makes the numbers of an engine, and what is told of the choice."""

    cls: Any
    remarks: list[str]


def choose(module: ModuleType, name: str = "", missing: dict[str, str] | None = None) -> Chosen:
    """The class of that name, else `Value`, else the only one with `+` and a backward pass.

    `missing` says what cannot be defined. LoadError if there is none, or more than one.
    """
    told: list[str] = []
    if name:
        cls = named(module, name, missing or {})
    else:
        cls = only(module, missing or {})
        if (took := cls.__name__) != USUAL:
            told = [f"the engine is taken to be {took}: no other class has + and a backward pass"]
    make, arguments = maker(cls)
    if arguments:
        told.append(f"its numbers are made with {arguments}")
    if by := lazy(make):
        raise LoadError(
            f"{cls.__name__} is lazy: a sum has no number before .{by}() is called; only engines "
            "that compute at once can be checked"
        )
    return Chosen(make, told)


def named(module: ModuleType, name: str, missing: dict[str, str]) -> Any:
    """The class, or the function that makes numbers, of a dotted name."""
    thing: Any = module
    for part in name.split("."):
        if not hasattr(thing, part):
            why = (
                f": {missing[part]}"
                if part in missing
                else f"; it has {listed(classes_of(module))}"
            )
            raise LoadError(f"it has no class {name!r}{why}")
        thing = getattr(thing, part)
    if not callable(thing):
        raise LoadError(f"{name} is no class")
    return thing


def only(module: ModuleType, missing: dict[str, str]) -> Any:
    """`Value`, or the only engine of the module; else the only one that it imports."""
    usual = vars(module).get(USUAL)
    if callable(usual) and (not isinstance(usual, type) or has_plus(usual)):
        return usual
    classes = [*classes_of(module)]
    own = [cls for cls in classes if cls.__module__ == module.__name__]
    theirs = [cls for cls in classes if of_theirs(cls)]
    for among in (own, theirs):
        if found := best(among):
            if len(found) == 1:
                return found[0]
            names = ", ".join(cls.__name__ for cls in found)
            raise LoadError(
                f"it has several classes with + and a backward pass, {names}: name one, as in "
                f"{place_of(module)}:{found[0].__name__}"
            )
    if callable(usual):
        return usual  # it is told what it lacks
    whys = "".join(f"; {name}: {why}" for name, why in missing.items())
    raise LoadError(f"it has no class with + and a backward pass; it has {listed(classes)}{whys}")


def best(classes: Iterable[type]) -> list[type]:
    """Those that are most like an engine: with `+`, a backward pass, and numbers made of them."""
    plus = [cls for cls in classes if has_plus(cls)]
    among = [cls for cls in plus if has_backward(cls)] or plus
    return first_of_their_kind([*filter(makes_numbers, among)] or among)


def classes_of(module: ModuleType) -> Iterator[type]:
    """The classes that a module knows, each once."""
    seen = []
    for thing in vars(module).values():
        if isinstance(thing, type) and thing not in seen:
            seen.append(thing)
            yield thing


def has_plus(cls: type) -> bool:
    """Whether it has `+`, and not from Python."""
    return any(
        {"__add__", "__radd__"} & {*vars(base)} and base.__module__ != "builtins"
        for base in cls.__mro__
    )


def has_backward(cls: type) -> bool:
    return any(BACKWARD.match(name) and callable(getattr(cls, name, None)) for name in dir(cls))


def of_theirs(cls: type) -> bool:
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return bool(file) and is_theirs(str(file))


def makes_numbers(cls: type) -> bool:
    """Whether it can be called with one number: the nodes of single operations cannot."""
    return refusal(maker(cls)[0]) is None


def refusal(make: Any) -> BaseException | None:
    """What is raised where something is made of a number; None where that works."""
    try:
        with limit(PATIENCE):
            make(2.0)
    except BaseException as error:
        return error
    return None


def first_of_their_kind(classes: list[type]) -> list[type]:
    """Those that inherit from none of the others."""
    return [c for c in classes if not any(issubclass(c, d) for d in classes if d is not c)]


def maker(cls: Any) -> tuple[Any, str]:
    """What makes a node of a number, and the arguments that it is given beside the number.

    They are those that it must be given, and a `requires_grad` that is usually off.
    """
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return cls, ""
    needed = [
        p.name for p in parameters
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]  # fmt: skip
    off = [p.name for p in parameters if p.default is False and TRACKS.search(p.name)]
    if len(needed) < 2 and not off:
        return cls, ""
    first = [p.name for p in parameters][:1]
    number = next(filter(NUMBER.match, needed), [*needed, *first][0])
    others = [name for name in needed if name != number] + off
    numbers = count(1)

    def make(x: Any = 0.0) -> Any:
        """A node of a number, with what it is given beside."""
        n = next(numbers)
        return cls(**{number: x}, **{name: filled(name, n) for name in others})

    if refusal(make):
        return cls, ""
    for name in dir(cls):
        if name[:2] != "__":
            setattr(make, name, getattr(cls, name))
    make.__name__, make.__module__ = cls.__name__, cls.__module__
    make.__wrapped__ = cls  # type: ignore[attr-defined]
    arguments = ", ".join(f"{name}={filled(name, 1)!r}" for name in others)
    make.arguments = arguments  # type: ignore[attr-defined]  # which programs show
    return make, arguments


def filled(name: str, number: int) -> Any:
    """What an argument of that name gets; of the names of nodes no two are the same.

    >>> filled("label", 3), filled("_children", 3), filled("grad", 3)
    ('v3', (), 0.0)
    """
    return next(value for pattern, value in FILLED if re.search(pattern, name))(number)


def lazy(make: Any) -> str:
    """The method that computes a sum, where `+` does not; "" where it does, or fails."""
    with suppress(Exception, TooLongError), limit(PATIENCE):
        for method in LAZY:
            total = make(2.0) + make(3.0)
            if any(map(is_five, held(total))):
                return ""
            call = getattr(total, method, None)
            if callable(call):
                with suppress(Exception):
                    result = call()
                    if any(map(is_five, [result, *held(result), *held(total)])):
                        return method
    return ""


def held(node: Any) -> list[Any]:
    """The attributes of a node that are no methods."""
    found = []
    for name in dir(node):
        if not name.startswith("__"):
            with suppress(Exception):
                found.append(getattr(node, name))
    return found


def is_five(thing: Any) -> bool:
    with suppress(Exception):
        return not callable(thing) and float(thing) == 5.0
    return False


def listed(classes: Iterable[type]) -> str:
    """The names of classes in words."""
    return ", ".join([cls.__name__ for cls in classes][:12]) or "no class"


def place_of(module: ModuleType) -> str:
    return Path(getattr(module, "__file__", None) or module.__name__).name
