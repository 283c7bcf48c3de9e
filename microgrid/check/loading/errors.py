"""What cannot be loaded, in words for its author."""

from __future__ import annotations


class LoadError(Exception):  # of the child, whose parent raises an EngineError of it
    """A file cannot be loaded, or has no engine; the text says why, and needs no more around it."""
