"""What `help`, an editor and the reference show of an operation: its docstring, its signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import Parameter, Signature, cleandoc, signature
from types import FunctionType
from typing import Any

from microgrid.engine.manual import MANUAL


class Own:
    """An attribute that each instance has of its own; `of_class` is that of the class."""

    def __init__(self, make: Callable[[Any], Any], *of_class: Any) -> None:
        self.make, self.of_class = make, of_class

    def __get__(self, x: Any, kind: Any = None) -> Any:
        if x is not None:
            return self.make(x)
        if self.of_class:
            return self.of_class[0]
        raise AttributeError


class Documented:
    """The base of Op: `inspect` takes an operation for a function with a docstring of its own."""

    __slots__ = ()
    __name__ = Own(lambda op: op.name)
    __signature__ = Own(lambda op: signature_of(op))

    def __init_subclass__(cls) -> None:
        cls.__doc__ = Own(documentation, cls.__doc__)  # type: ignore[assignment]

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        """The operation itself: like a builtin it is no method of a class that has it."""
        return self


def documentation(op: Any) -> str:
    """The docstring of an operation: from the manual, else written now from its fields."""
    from microgrid.engine.op import TABLE

    entry: Any = TABLE.get(op.name)
    if op.name in MANUAL and entry is op:
        return MANUAL[op.name]
    # By name, since views stand above the engine: the engine needs them only where somebody asks.
    written: str = import_module("microgrid.views.reference").describe(op)
    return written


def signature_of(op: Any) -> Signature:
    """The operands of an operation, named as in its rules."""
    try:
        rule = signature(op.joint or op.rules[0], follow_wrapped=False)
    except (IndexError, TypeError, ValueError):  # no rule, or one of C without a signature
        return Signature([Parameter("xs", Parameter.VAR_POSITIONAL)])
    first, *rest = rule.parameters.values()
    operands = [first] if first.kind is first.VAR_POSITIONAL else rest[: op.arity]
    several = Parameter.VAR_POSITIONAL
    kinds = [p.kind if p.kind is several else p.POSITIONAL_ONLY for p in operands]
    return Signature([Parameter(p.name, kind) for p, kind in zip(operands, kinds)])


def method(f: Callable[..., Any]) -> Callable[..., Any]:
    """f as a method of its first operand."""

    def called(self: Any, *others: Any, **keywords: Any) -> Any:
        return f(self, *others, **keywords)

    takes = signature(f).parameters.values()
    first, *rest = operands = [p.replace(annotation=p.empty) for p in takes]
    several = first.kind is first.VAR_POSITIONAL
    owner = Parameter("self", first.POSITIONAL_OR_KEYWORD if several else first.kind)
    called.__signature__ = Signature([owner, *(operands if several else rest)])  # type: ignore[attr-defined]
    return called


def document(owner: type, table: Mapping[str, Any], functions: Mapping[str, Any]) -> None:
    """Functions and methods get the docstrings of their operations, methods also their names.

    What a function says of itself is what the documentation of its operation begins with.
    """
    for name, f in functions.items():
        if name in table and f is not table[name]:
            table[name].doc = cleandoc(f.__doc__)
            f.__doc__ = MANUAL.get(name, f.__doc__)
    for name, called in vars(owner).items():
        if isinstance(called, FunctionType):
            called.__name__, called.__qualname__ = name, f"{owner.__name__}.{name}"  # in messages
            if name in functions and name in table:
                elsewhere = f"{table[name].doc} See `microgrid.{name}`.".strip()
                called.__doc__ = MANUAL.get(name, elsewhere)
