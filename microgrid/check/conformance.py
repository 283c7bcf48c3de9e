"""The properties as data: small programs with the right numbers, for unit tests in any language.

A case is a program as adapters/README.md describes it, and what must be read after it has run;
cases.schema.json describes the whole file.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from microgrid.check import protocol
from microgrid.check.capabilities import Capabilities, operations
from microgrid.check.example import DIGITS, Example, equal, expected
from microgrid.check.properties import (
    KINKS,
    PROPERTIES,
    Case,
    Property,
    data_kept,
    subgradient,
)
from microgrid.check.searches import search, undisturbed

VERSION = 1
DRAWS = 8  # programs of which a few are kept
GRAPHS = 12  # kept of a property of whole graphs
OF_GRAPHS = ("order", "passes", "accumulation")


def cases(seed: int = 0, only: Iterable[str] = PROPERTIES) -> dict[str, Any]:
    """A few hundred small programs with their right values and gradients, as JSON can hold them.

    They cover every operation, each property of a right engine that numbers can show, and the
    points without derivative, where `"accepts"` says what else is right and who chose it. The same
    `seed` gives the same cases; of each kind the smallest programs come first. `only` names
    properties.

    >>> case = cases(only=["reuse"])["cases"][0]
    >>> case["lines"], case["look"], case["expected"]
    (['a = Value(2)', 'f = a + a; f.backward()'], ['a.grad'], [2.0])
    """
    with undisturbed():
        found = [case for name in only for case in cases_of(PROPERTIES[name], seed)]
    return {
        "format": "microgrid-cases", "version": VERSION, "protocol": protocol.VERSION,
        "seed": seed, "tolerance": DIGITS, "cases": found,
    }  # fmt: skip


def cases_of(prop: Property, seed: int) -> Iterator[dict[str, Any]]:
    """The cases of one property, if numbers show it and its programs are small."""
    if prop.judge not in (equal, subgradient, data_kept) or not prop.small:
        return
    can = Capabilities(offered=operations())
    seen: set[Example] = set()
    counts: Counter[str] = Counter()
    for case in prop.cases(can):
        if "alive" in case.needs:  # a language with a collector has no answer
            continue
        count = GRAPHS if prop.name in OF_GRAPHS else 2 if not case.subject else 1
        for example in smallest(prop, case, count, seed):
            if example not in seen:
                seen.add(example)
                subject = case.subject or "engine"
                counts[subject] += 1
                name = f"{prop.name}: {subject} {counts[subject]}"
                yield described(name, prop, case, example, can)


def smallest(prop: Property, case: Case, count: int, seed: int) -> list[Example]:
    """The smallest example of a case, then a few larger ones."""
    if isinstance(case.examples, list):
        return case.examples
    draws = f"{seed} {prop.name} {case.subject}"
    drawn: set[Example] = set()

    def taken(example: Example) -> bool:
        drawn.add(example)
        return not several

    for several in (0, DRAWS * count):  # one that is shrunk, and then some that are not
        search(case.examples, taken, several or 1, draws)
    first, *others = sorted(drawn, key=size)
    step = max(1, len(others) // count)
    return [first, *others[step - 1 :: step][:count]]


def size(example: Example) -> tuple[int, str]:
    return len(example.text), example.text


def described(
    name: str, prop: Property, case: Case, example: Example, can: Capabilities
) -> dict[str, Any]:
    """One case as it is written into the file."""
    program, look = can.request(example)
    outcome = expected(example)
    found = {
        "name": name, "property": prop.name, "operations": applied(program),
        "lines": list(can.translate(example).lines), "program": program, "look": look,
        "expected": [written(x) for x in outcome.numbers], "scale": max(1.0, outcome.scale),
    }  # fmt: skip
    if case.subject in KINKS and prop.judge is subgradient:
        _, (low, high), choices = KINKS[case.subject]
        conventions = {who: list(map(float, point)) for point, who in choices.items()}
        found["accepts"] = {"between": [float(low), float(high)], "conventions": conventions}
    if case.optional:
        found["optional"] = case.optional
    return found


def applied(program: Any) -> list[str]:
    """The operations that a program needs, in the order of their first use."""
    names: dict[str, None] = {}

    def note(e: Any) -> Any:
        names[e["apply"]] = None
        return e

    protocol.with_expressions(program, note)
    return list(names)


def written(x: float) -> float | str:
    """A number; nan and inf as text, since JSON has none."""
    return float(x) if math.isfinite(x) else repr(float(x))
