"""The kinds of findings and the states of a property: a mark, a colour, and what each means.

Every report reads them here: the text, the page with its pictures, the verdict, the exit code.
"""

from __future__ import annotations

from typing import NamedTuple

WRONG, FRAGILE, NOT_OFFERED, CONVENTION = "wrong", "fragile", "not offered", "convention"
KINDS = (WRONG, FRAGILE, NOT_OFFERED, CONVENTION)  # of findings, the worst first


class Kind(NamedTuple):
    """How a state is shown: its mark, its colour in the palette, and what a legend says of it."""

    mark: str
    color: str
    meaning: str
    strict: bool = False  # fails under --strict


STATES = {  # of a property, the worst first
    WRONG: Kind("✗", "wrong", "wrong", strict=True),
    FRAGILE: Kind("!", "fragile", "fragile", strict=True),
    NOT_OFFERED: Kind("○", "lacking", "not offered", strict=True),
    "not run": Kind("?", "soft", "not run"),
    CONVENTION: Kind("~", "soft", "convention"),
    "follows": Kind("↳", "soft", "because of another"),
    "waits": Kind("↳", "soft", "because of another"),
    "holds": Kind("✓", "holds", "holds"),
    "absent": Kind("·", "soft", "nothing to try"),
}


def failing(strict: bool) -> list[str]:
    """The kinds of findings that fail a check.

    >>> failing(False), failing(True)
    (['wrong'], ['wrong', 'fragile', 'not offered'])
    """
    return [kind for kind in KINDS if STATES[kind].strict and (strict or kind == WRONG)]


def color_of_right(kind: str) -> str:
    """The colour of the other number: green is what is right, not what somebody else chose."""
    return "soft" if kind == CONVENTION else "holds"


def whose(kind: str) -> str:
    """Whose the other number is."""
    return "PyTorch has" if kind == CONVENTION else "expected"
