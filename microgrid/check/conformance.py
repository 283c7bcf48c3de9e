"""The properties as data: small programs with the right numbers, for unit tests in any language.

A case is a program as adapters/README.md describes it, and what must be read after it has run;
cases.schema.json describes the whole file.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample

from microgrid.check import protocol
from microgrid.check.capabilities import Capabilities, operations
from microgrid.check.example import DIGITS, Example, equal, expected
from microgrid.check.properties import KINKS, PROPERTIES, Case, Property, subgradient

VERSION = 1
DRAWS = 60  # programs of which the smallest are kept
GRAPHS = 12  # kept of a property of whole graphs
OF_GRAPHS = ("order", "passes", "accumulation")


def cases(seed: int = 0) -> dict[str, Any]:
    """A few hundred small programs with their right values and gradients, as JSON can hold them.

    They cover every operation, each property of a right engine that numbers can show, and the
    points without derivative, where `"accepts"` says what else is right and who chose it. The same
    `seed` gives the same cases; of each kind the smallest programs come first.

    >>> suite = cases()
    >>> len(suite["cases"]) > 300
    True
    >>> case = next(case for case in suite["cases"] if case["property"] == "reuse")
    >>> case["lines"], case["look"], case["expected"]
    (['a = Value(2)', 'f = a + a; f.backward()'], ['a.grad'], [2.0])
    """
    return {
        "format": "microgrid-cases", "version": VERSION, "protocol": protocol.VERSION,
        "seed": seed, "tolerance": DIGITS,
        "cases": [case for prop in PROPERTIES.values() for case in cases_of(prop, seed)],
    }  # fmt: skip


def cases_of(prop: Property, seed: int) -> Iterator[dict[str, Any]]:
    """The cases of one property, if numbers show it and its programs are small."""
    if prop.judge not in (equal, subgradient) or not prop.small:
        return
    can = Capabilities(offered=operations())
    seen: set[Example] = set()
    for case in prop.cases(can):
        if "alive" in case.needs:  # a language with a collector has no answer
            continue
        count = GRAPHS if prop.name in OF_GRAPHS else 2 if case.subject == "" else 1
        for number, example in enumerate(smallest(prop, case, count, seed)):
            if example not in seen:
                seen.add(example)
                name = f"{prop.name}: {case.subject or 'engine'} {number + 1}"
                yield described(name, prop, case, example, can)


def smallest(prop: Property, case: Case, count: int, seed: int) -> list[Example]:
    """The smallest example of a case, and the smallest of some that differ from it."""
    if isinstance(case.examples, list):
        return case.examples
    effort = settings(
        max_examples=DRAWS, database=None, deadline=None, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck), derandomize=False,
    )  # fmt: skip
    draws = random.Random(f"{seed} {prop.name} {case.subject}")
    drawn: dict[Example, None] = {}

    def collected(example: Example) -> bool:
        drawn[example] = None
        return False

    first = find(case.examples, lambda example: True, settings=effort, random=draws)
    with suppress(NoSuchExample):
        find(case.examples, collected, settings=effort, random=draws)
    others = sorted(drawn.keys() - {first}, key=lambda x: (len(x.text), x.text))
    step = max(1, len(others) // count)  # some of each size
    return [first, *others[step - 1 :: step][:count]]


def described(
    name: str, prop: Property, case: Case, example: Example, can: Capabilities
) -> dict[str, Any]:
    """One case as it is written into the file."""
    program, look = can.request(example)
    outcome = expected(example)
    found = {
        "name": name, "property": prop.name, "operations": applied(program),
        "lines": list(example.lines), "program": program, "look": look,
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


def text(seed: int = 0) -> str:
    """The cases as a file: one case a line."""
    suite = cases(seed)
    lines = [json.dumps(case, ensure_ascii=False) for case in suite.pop("cases")]
    head = json.dumps(suite, ensure_ascii=False)[:-1]
    return f'{head}, "cases": [\n' + ",\n".join(lines) + "\n]}\n"
