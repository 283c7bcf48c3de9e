"""Exercises to choose from letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import combinations
from typing import Any

from microgrid.course.question import Exercise, Mistake, Mistakes, is_array, listed

CONNECTING = {"AND", "OR", "UND"}


def chosen(letters: Iterable[str], answer: Any) -> Any:
    """The letters that an answer names, in order; the answer itself if it names no letters.

    It may be a text, or a list, set or array of texts.

    >>> chosen("ABC", "c and A"), chosen("ABC", {"C", "A"}), chosen("ABC", "none"), chosen("ABC", 7)
    ('AC', 'AC', 'none', 7)
    """
    several = isinstance(answer, list | tuple | set | frozenset) or is_array(answer)
    texts = list(answer) if several else [answer]
    if not all(isinstance(text, str) for text in texts):
        return answer
    said = unicodedata.normalize("NFKC", " ".join(texts)).upper()
    named = set("".join(set(re.findall(r"[^\W_]+", said)) - CONNECTING))
    return "".join(sorted(named)) if named and named <= set(letters) else answer


def choice(
    question: str, right: str, hints: Mapping[str, str], mistakes: Mistakes = (),
    why: str = "",
) -> Exercise:  # fmt: skip
    """The exercise to choose some of the letters of `hints`.

    A wrong choice that is not among the `mistakes` gets the hint of a letter that is wrong in it:
    a chosen one if there is one, else a missing one.
    """
    found = listed(mistakes)
    known = {mistake.answer for mistake in found}
    for size in range(1, len(hints) + 1):
        for letters in map("".join, combinations(hints, size)):
            wrong = [c for c in letters if c not in right] + [c for c in right if c not in letters]
            if wrong and letters not in known:
                found.append(Mistake(letters, f"Look again at {wrong[0]}: {hints[wrong[0]]}"))
    return Exercise(question, right, found, why, probe=partial(chosen, hints))
