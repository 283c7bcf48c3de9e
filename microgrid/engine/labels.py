"""Labels of nodes, and the scopes in which nodes are made: pictures fold a scope into a block."""

from __future__ import annotations

import unicodedata
from contextlib import ContextDecorator
from contextvars import ContextVar
from typing import Any

from microgrid.engine.errors import MicrogridError, NumberError

unnamed: ContextVar[str] = ContextVar("unnamed", default="")  # the label of new nodes


class LabelError(MicrogridError, ValueError):
    """A label with a character that no picture can show.

    >>> from microgrid import Value
    >>> Value(1.0, "a\\nb")
    Traceback (most recent call last):
        ...
    microgrid.engine.labels.LabelError: label 'a\\nb': character 1 is ...
    """


class ScopedLabel(str):
    """A label that knows the `scope` in which its node was made."""

    __slots__ = ("scope",)
    scope: tuple[str, ...]


def scoped(label: str, scope: tuple[str, ...]) -> str:
    """The label with a scope, or as it is without one."""
    if not scope:
        return label
    named = ScopedLabel(label)
    named.scope = scope
    return named


def checked_label(label: str) -> str:
    """The label itself; LabelError if it holds a character that no picture can show."""
    if not isinstance(label, str):
        raise NumberError(f"a label is text, got {type(label).__name__} {label!r}")
    if not label.isprintable():
        for i, c in enumerate(label):
            if unicodedata.category(c) in ("Cc", "Cs") or c in "\ufffe\uffff":
                raise LabelError(
                    f"label {label!r}: character {i} is the control character U+{ord(c):04X}; "
                    "leave it out"
                )
    return label


class scope(ContextDecorator):
    """Within the `with` block every new operation belongs to the block `name`; scopes nest.

    `draw(y, level="blocks")` shows a box for each block.

    >>> import microgrid as mg
    >>> x = mg.Value(2.0, "x")
    >>> with mg.scope("layer 0"):
    ...     h = x * x
    >>> "layer 0" in mg.draw(h + 1, level="blocks").source
    True
    """

    def __init__(self, name: str) -> None:
        self.name = checked_label(name)

    def __enter__(self) -> None:
        unnamed.set(scoped("", (*getattr(unnamed.get(), "scope", ()), self.name)))

    def __exit__(self, *_: object) -> None:
        unnamed.set(scoped("", getattr(unnamed.get(), "scope", ())[:-1]))

    def __repr__(self) -> str:
        return f"scope({self.name!r})"


def scope_of(v: Any) -> tuple[str, ...]:
    """The names of the scopes in which a node was made, outermost first."""
    return getattr(v._label, "scope", ())
