"""What was found out as JSON, from one process to another and into files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from microgrid.check.handwritten.results import ORDER, Found, Gradient, Line, Term, Worst
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
    Found(name='relu', ..., habits=['it changes dout in place'], inside='', refusal='', seconds=0.0)
    """
    try:
        return found_of(**said)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"no result of a check: {error}") from None


def found_of(gradients: Any, habits: Any, seconds: Any, **texts: str) -> Found:
    gradients = [gradient_of(**gradient) for gradient in gradients]
    return Found(**cleaned(texts), gradients=gradients, habits=list(map(printable, habits)),
                 seconds=float(seconds))  # fmt: skip


def gradient_of(
    entries: int, wrong: int, error: Any, sentences: Any, line: Any, worst: Any, **texts: str
) -> Gradient:
    if texts["verdict"] not in ORDER:
        raise KeyError(f"there is no verdict {texts['verdict']!r}")
    return Gradient(
        **cleaned(texts), entries=int(entries), wrong=int(wrong), error=float(error),
        sentences=list(map(printable, sentences)), line=line and line_of(**line),
        worst=worst and worst_of(**worst),
    )  # fmt: skip


def line_of(number: int, **texts: str) -> Line:
    return Line(number=int(number), **cleaned(texts))


def worst_of(entry: str, theirs: Any, right: Any, terms: Any, formulas: Any) -> Worst:
    return Worst(printable(entry), float(theirs), float(right), [term_of(**t) for t in terms],
                 list(map(printable, formulas)))  # fmt: skip


def term_of(theirs: Any, right: Any, **texts: str) -> Term:
    return Term(theirs=float(theirs), right=float(right), **cleaned(texts))


def cleaned(texts: Mapping[str, str]) -> dict[str, str]:
    return {key: printable(text) for key, text in texts.items()}
