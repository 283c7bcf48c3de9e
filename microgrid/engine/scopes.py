"""Names for parts of a graph: pictures fold what was made inside one scope into a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from microgrid.engine.guards import checked_label, scope_of_label, scoped
from microgrid.engine.value import Value, unnamed


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Within the `with` block every new operation belongs to the block `name`; scopes nest.

    >>> x = Value(2.0)
    >>> with scope("layer 0"):
    ...     h = x * x
    >>> scope_of(h), scope_of(h + 1)
    (('layer 0',), ())
    """
    outer = scope_of_label(unnamed.get())
    token = unnamed.set(scoped("", (*outer, checked_label(name))))
    try:
        yield
    finally:
        unnamed.reset(token)


def scope_of(v: Value) -> tuple[str, ...]:
    """The names of the scopes, outermost first, in which a node was made."""
    return scope_of_label(v._label)
