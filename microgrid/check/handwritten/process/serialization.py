"""What was found out as JSON, from one process to another and into files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, get_args, get_type_hints

from microgrid.check.handwritten.results import ORDER, Found, Gradient
from microgrid.check.process import printable


def to_json(found: Found) -> dict[str, Any]:
    """All of it in dicts and lists; a number that JSON cannot write is a text, such as "nan".

    >>> to_json(Found("relu", seconds=math.inf))["seconds"]
    'inf'
    """
    plain: dict[str, Any] = spelled(asdict(found))
    return plain


def spelled(x: Any) -> Any:
    if isinstance(x, dict):
        return {key: spelled(value) for key, value in x.items()}
    if isinstance(x, list):
        return [spelled(value) for value in x]
    return str(x) if isinstance(x, float) and not math.isfinite(x) else x


def from_json(said: Mapping[str, Any]) -> Found:
    """The same again, its texts without control characters; ValueError for anything else.

    >>> from_json(to_json(Found("relu", habits=["it changes dout in place"])))
    Found(name='relu', ..., habits=['it changes dout in place'], ...)
    """
    try:
        found: Found = read(Found, said)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"no result of a check: {error}") from None
    return found


def read(kind: Any, x: Any) -> Any:
    """A value of a type: text, a number, one of our classes, a list of these, or None."""
    if is_dataclass(kind):
        kinds = get_type_hints(kind)
        if x.keys() != kinds.keys():
            raise KeyError(f"these are no fields of it: {[*x]}")
        made = kind(**{name: read(kinds[name], value) for name, value in x.items()})  # type: ignore[operator]
        if isinstance(made, Gradient) and made.verdict not in ORDER:
            raise KeyError(f"there is no verdict {made.verdict!r}")
        return made
    if inner := get_args(kind):
        if isinstance(x, list):
            return [read(inner[0], one) for one in x]
        return None if x is None else read(inner[0], x)
    return printable(x) if kind is str else kind(x)
