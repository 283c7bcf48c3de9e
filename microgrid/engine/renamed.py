"""Keywords that had another name: the old one still works, the signature shows the new one.

Other keywords that the function does not take are refused with a hint.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from microgrid.engine.hints import hinted, keywords_of

F = TypeVar("F", bound=Callable[..., Any])


def renamed(**names: str) -> Callable[[F], F]:
    """A decorator that takes old keywords for new ones: `@renamed(old="new")`.

    >>> @renamed(digits="decimals")
    ... def rounded(x, decimals=2):
    ...     return round(x, decimals)
    >>> rounded(0.123456, digits=3)
    0.123
    """

    def decorate(f: F) -> F:
        checked, takes = hinted(f), keywords_of(f).keys()

        @wraps(f)
        def called(*args: Any, **keywords: Any) -> Any:
            if keywords.keys() <= takes:  # at once: a loop of training waits for it
                return f(*args, **keywords)
            for old in names.keys() & keywords.keys():
                if names[old] in keywords:
                    raise TypeError(f"{f.__name__}() got {names[old]} twice: {old} is its old name")
                keywords[names[old]] = keywords.pop(old)
            return checked(*args, **keywords)

        return cast(F, called)

    return decorate
