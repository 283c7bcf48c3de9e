"""Answers that are no numbers: some of several letters, or a function."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any, cast

import numpy as np

from microgrid.course.exercise import Exercise, Mistake

NO_FUNCTION = "a function is asked for: give its name, or lambda …: …, without quotes"


def function(answer: Any) -> Callable[..., Any]:
    """The answer, if it is a function; else a TypeError that says how to give one."""
    if not callable(answer):
        raise TypeError(NO_FUNCTION)
    return cast(Callable[..., Any], answer)


CONNECTING = {"AND", "OR", "UND"}


def chosen(letters: Iterable[str], answer: Any) -> Any:
    """The letters that an answer names, in order: a text, or texts in a list, set or array.

    Anything else as it is.

    >>> chosen("ABC", "c and A"), chosen("ABC", {"C", "A"}), chosen("ABC", "none"), chosen("ABC", 7)
    ('AC', 'AC', 'none', 7)
    """
    several = isinstance(answer, list | tuple | set | frozenset | np.ndarray)
    texts = list(answer) if several else [answer]
    if not all(isinstance(text, str) for text in texts):
        return answer
    said = unicodedata.normalize("NFKC", " ".join(texts)).upper()
    named = set("".join(set(re.findall(r"[^\W_]+", said)) - CONNECTING))
    return "".join(sorted(named)) if named and named <= set(letters) else answer


def choice(
    question: str, right: str, hints: Mapping[str, str], mistakes: Sequence[Mistake] = (),
    why: str = "",
) -> Exercise:  # fmt: skip
    """The exercise to choose from the letters of `hints`, which say what to look at for each.

    Every wrong choice gets the hint of one of its wrong letters, one that was chosen before one
    that is missing, unless it is among the `mistakes`.
    """
    known = [mistake.answer for mistake in mistakes]
    others = []
    for size in range(1, len(hints) + 1):
        for letters in map("".join, combinations(hints, size)):
            wrong = [c for c in letters if c not in right] + [c for c in right if c not in letters]
            if wrong and letters not in known:
                others.append(Mistake(letters, f"Look again at {wrong[0]}: {hints[wrong[0]]}"))
    return Exercise(question, right, [*mistakes, *others], why, probe=partial(chosen, hints))
