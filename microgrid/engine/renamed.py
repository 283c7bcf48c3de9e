"""Keywords that had another name: the old one still works, the signature shows the new one."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def renamed(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator that takes old keywords for new ones: `@renamed(old="new")`.

    >>> @renamed(digits="decimals")
    ... def rounded(x, decimals=2):
    ...     return round(x, decimals)
    >>> rounded(0.123456, digits=3)
    0.123
    """

    def decorate(f: Callable[P, R]) -> Callable[P, R]:
        @wraps(f)
        def called(*args: P.args, **keywords: P.kwargs) -> R:
            for old in names.keys() & keywords.keys():
                if names[old] in keywords:
                    raise TypeError(f"{f.__name__}() got {names[old]} twice: {old} is its old name")
                keywords[names[old]] = keywords.pop(old)
            return f(*args, **keywords)

        return called

    return decorate
