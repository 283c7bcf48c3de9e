"""The kinds of findings and the states of a property: a mark, a colour, and what each means.

Every report reads them here: the text, the page, the verdict and the exit code.
"""

from __future__ import annotations

from typing import NamedTuple

WRONG, FRAGILE, NOT_OFFERED, CONVENTION = "wrong", "fragile", "not offered", "convention"


class Kind(NamedTuple):
    """How a state is shown; `color` is a class of the page's style."""

    mark: str
    color: str
    meaning: str
    strict: bool = False  # fails under --strict, too


STATES = {  # of a property; the first four are the kinds of findings, the worst first
    WRONG: Kind("✗", "wrong", "wrong", strict=True),
    FRAGILE: Kind("!", "fragile", "fragile", strict=True),
    NOT_OFFERED: Kind("○", "lacking", "not offered", strict=True),
    CONVENTION: Kind("~", "soft", "convention"),
    "not run": Kind("?", "soft", "not run"),
    "follows": Kind("↳", "soft", "because of another"),
    "waits": Kind("↳", "soft", "because of another"),
    "holds": Kind("✓", "holds", "holds"),
    "absent": Kind("·", "soft", "nothing to try"),
}
KINDS = (WRONG, FRAGILE, NOT_OFFERED, CONVENTION)


def failing(strict: bool) -> list[str]:
    """The kinds of findings that fail a check.

    >>> failing(False), failing(True)
    (['wrong'], ['wrong', 'fragile', 'not offered'])
    """
    return [kind for kind in KINDS if STATES[kind].strict and (strict or kind == WRONG)]
