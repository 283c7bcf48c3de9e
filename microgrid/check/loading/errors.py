"""What cannot be loaded, in words for its author."""

from __future__ import annotations

from contextlib import suppress


class LoadError(Exception):  # of the child, whose parent raises an EngineError of it
    """A file cannot be loaded, or has no engine; the text says why, and needs no more around it."""


def said(error: BaseException) -> str:
    """The error as Python prints it, in one line."""
    with suppress(BaseException):
        return " ".join(f"{type(error).__name__}: {str(error)[:300]}".split())
    return type(error).__name__
