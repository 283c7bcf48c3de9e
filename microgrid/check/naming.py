"""The name of a mistake: the engine of the museum that gives the same wrong numbers.

A mistake is a candidate if the museum's engine with it gives the same outcome of the failing
program. Then both run a handful of probes. The probes that the mistake gets wrong are its symptoms:
the more of them the checked engine shows, the likelier is the mistake.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from microgrid.check.capabilities import OPERATIONS
from microgrid.check.example import Example, Failure, Outcome, expected, outcome_here, sensible
from microgrid.check.museum import MUSEUM, Mistake, Value, composed, namespace
from microgrid.check.museum.mistakes import NAIVE
from microgrid.check.properties import PLAIN, PROPERTIES, Property, leaves
from microgrid.check.strategies import LEAVES, source

ENOUGH = 0.8  # of the symptoms of a mistake
NEARLY_ALL = 0.95  # where the order in a set may explain many numbers
HALF = 0.5  # of all wrong probes: an engine may have another mistake, too
RIVALS, ROUNDS, MORE = 8, 4, 6  # likely mistakes, and programs that tell them apart
BITS = 6  # the order in a set is tried for so many nodes
NOT_FINITE = "no finite number"
SINGLE = {"values", "operands", "one operation", "exponents", "constants"}
RIGHT = (Value, composed(Value))
OF_GRADIENTS = {"one operation", "upstream", "reuse", "passes"}
Ask = Callable[[Example], Outcome]


@dataclass(frozen=True)
class Diagnosis:
    """A likely mistake, and the engine of the museum that has it in the same operation.

    It is likely, not certain: the engine of the museum gave the same wrong numbers, and agreed on
    most of the programs that tell mistakes apart. `mistake.hint` says what to change, `of` names
    the operation.

    >>> from microgrid.check import check, museum
    >>> report = check(museum.broken("overwrites", "add"), only=["reuse"])
    >>> diagnosis = report.findings[0].diagnosis
    >>> diagnosis, diagnosis.engine
    (<Diagnosis 'overwrites'>, <class 'microgrid.check.museum.mistakes.overwrites...'>)
    >>> print(diagnosis.mistake.hint)
    Every use of a node sends a share: use `+=` where you wrote `=`.
    """

    mistake: Mistake
    engine: Any
    op: str = ""  # the operation that has it in this engine

    def __repr__(self) -> str:
        return f"<Diagnosis {self.mistake.name!r}>"

    @property
    def _of(self) -> str:
        """The operation as people write it, or "engine"."""
        return OPERATIONS[self.op].sign if self.op in OPERATIONS else "engine"

    def _sentence(self, of: str) -> str:
        """What is wrong with an operation, in words, and what it computes instead."""
        instead = self.engine.instead
        return self.mistake.sentence(of) + f", {instead}" * bool(instead)

    def _is_that_of(self, other: Diagnosis) -> bool:
        """Whether both are one mistake, perhaps of two operations."""
        return self.mistake is other.mistake and self.engine.instead == other.engine.instead

    def _part(self, made_of: Iterable[str]) -> str:
        """The one of these operations that has the mistake, "" if none of them has."""
        if self.mistake.operations is None:
            return ""
        return next((x for x in sorted(made_of) if OPERATIONS[x].entry.name == self.op), "")

    def _explains(self, failure: Failure) -> bool:
        """Whether this mistake alone gives the same wrong numbers."""
        museum = museum_outcomes(self.engine, failure.example)
        return any(same(failure.actual, outcome, failure.expected) for outcome in museum)


def diagnose(
    failure: Failure, subject: str, found_by: Property, ask: Ask, made_of: Iterable[str] = ()
) -> Diagnosis | None:
    """The most likely mistake, or None for one that the museum does not have.

    It may be one of an operation that the subject is made of, as * is in `x / y` of many engines.

    Where several are as likely, they run more programs until they differ, and the checked engine
    decides. Of those that never differ the one that this property is made to find comes first.
    """
    if found_by.name == "limits" and failure.actual.category == "overflow" and subject in NAIVE:
        return exhibit("overflows", subject)
    if found_by.name == "domain":
        kept = failure.actual.numbers[1:] == failure.expected.numbers[1:]
        return exhibit("clamped" if kept else "clamps_the_operand", subject)
    if found_by.name in ("depth", "great depth") and is_full(failure.actual):
        return Diagnosis(MUSEUM["recursive_sort"], MUSEUM["recursive_sort"].make(""))
    if found_by.name == "comparisons":
        given = {ask(failure.example).numbers, ask(turned(failure.example)).numbers}
        always = given == {(0.0 if subject == "!=" else 1.0,)}
        mistake = MUSEUM["compares_to_value"]
        return Diagnosis(mistake, mistake.make("")) if always else None
    if not found_by.small or failure.actual.stopped:
        return by_time(failure, found_by, ask)
    of_values = found_by.name == "values"
    probes = [] if of_values else [*GENERAL]
    if subject in OPERATIONS:
        made_of = [x for x in sorted(made_of) if x in OPERATIONS]
        for name in (subject, *made_of):
            probes += values_of(name) if of_values else values_of(name) + probes_of(name)
    if found_by.name == "exponents":
        probes += EXPONENTS
    if not any(right(failure, engine) for engine in RIGHT):
        return None  # it says nothing of a mistake
    found = [
        x for x in candidates(subject, found_by, made_of)
        if not (failure.convention and x.mistake.caught != found_by.name) and x._explains(failure)
    ]  # fmt: skip
    for _ in range(ROUNDS):
        likely = [(likeness(x.engine, probes, ask), x) for x in found]
        likely.sort(key=lambda entry: (entry[0], entry[1].mistake.caught == found_by.name),
                    reverse=True)  # fmt: skip
        found = [
            x for like, x in likely
            if like.enough(here := near(x.mistake.caught, found_by.name))
            and (x.mistake.operations or likeness(x.engine, GENERAL, ask).enough(here))
        ]  # fmt: skip
        more = [] if of_values else telling(found[:RIVALS], subject, probes)
        if not more:
            break
        probes += more
    return found[0] if found else None


def turned(example: Example) -> Example:
    """The same comparison of x and y with their numbers exchanged."""
    return replace(example, lines=tuple(
        line.translate(str.maketrans("23", "32")) for line in example.lines
    ), expected=None)  # fmt: skip


def near(caught: str, found_by: str) -> bool:
    """Whether a property is made to find a mistake, or one that looks at single operations, too."""
    return caught == found_by or {caught, found_by} <= SINGLE


def right(failure: Failure, engine: Any) -> bool:
    """Whether a right engine of the museum gives the expected numbers, or cannot run that."""
    outcome = museum_outcome(engine, failure.example)
    return outcome.kind == "TypeError" or failure.expected.agrees(outcome)


def telling(found: list[Diagnosis], subject: str, probes: Sequence[Example]) -> list[Example]:
    """Programs of which the first of these engines gives wrong numbers, or another one others."""
    if not found:
        return []
    first, *others = found
    more = []
    for example in more_programs(subject):
        if example in probes:
            continue
        mine = museum_outcomes(first.engine, example)
        if any(x.mistake is not first.mistake and museum_outcomes(x.engine, example) != mine
               for x in others):  # fmt: skip
            more.append(example)
    return more[:MORE]


def is_full(outcome: Outcome) -> bool:
    """Whether the stack was full, which ends a compiled program."""
    return outcome.category == "depth" or "SIGSEGV" in outcome.error


def by_time(failure: Failure, found_by: Property, ask: Ask) -> Diagnosis | None:
    """A program that does not end: is it the pass forward or backward that takes so long?"""
    if found_by.name != "diamonds" or not failure.actual.error:
        return None
    lines = tuple(x for x in failure.example.lines if not x.endswith(".backward()"))
    alone = ask(replace(failure.example, lines=lines, look=("f.data",)))
    if alone.error or failure.actual.stopped:
        mistake = MUSEUM["forward_again" if alone.error else "each_path_again"]
        return Diagnosis(mistake, mistake.make(""))
    return None


def exhibit(name: str, subject: str) -> Diagnosis:
    """A mistake that is known without a comparison: an operator refuses a plain number."""
    mistake = MUSEUM[name]
    op = OPERATIONS[subject].entry.name
    return Diagnosis(mistake, mistake.make(op), op)


def candidates(
    subject: str, found_by: Property, made_of: Iterable[str] = ()
) -> Iterator[Diagnosis]:
    """The mistakes that this operation can have, each on an engine of both kinds of operators.

    Of the engine as a whole, also those of +, -, *, / that this property is made to find.
    """
    own, *parts = [
        OPERATIONS[x].entry.name if x in OPERATIONS else x for x in (subject, *sorted(made_of))
    ]
    for mistake in MUSEUM.values():
        prop = PROPERTIES[mistake.caught]
        if prop.kind != found_by.kind or not prop.small:  # those that only the time tells
            continue
        finds = mistake.caught == found_by.name
        finds |= found_by.name == "contract" and mistake.caught in OF_GRADIENTS
        of_one = mistake.operations is not None and finds
        for op in PLAIN if of_one and not subject else (own,):
            if parts and mistake.operations is not None and mistake.caught in OF_GRADIENTS:
                continue  # the parts send the shares
            if mistake.operations is None or mistake.operations(op):
                for engine in mistake.engines(op):
                    yield Diagnosis(mistake, engine, op)
                    yield Diagnosis(mistake, composed(engine), op)
        for op in parts:
            if mistake.operations is not None and mistake.operations(op):
                for engine in mistake.engines(op):
                    yield Diagnosis(mistake, composed(engine), op)


@dataclass(order=True)
class Likeness:
    """How much the checked engine is like one of the museum, on some probes."""

    in_common: float  # of the probes that either gets wrong, those that both get wrong alike
    shown: float  # of the symptoms of the mistake, those that the checked engine shows
    luck: float  # below 0 if the mistake may give other numbers as well, as walks over sets do

    def enough(self, expected_here: bool) -> bool:
        """Whether it is a likely name; one that another property is made to find must explain
        the half of all that is wrong, since an engine may have several mistakes."""
        shown = self.shown >= (NEARLY_ALL if self.luck else ENOUGH)
        return shown and (expected_here or self.in_common >= HALF)


def likeness(engine: Any, probes: Sequence[Example], ask: Ask) -> Likeness:
    """How much the checked engine is like this one of the museum."""
    shown, symptoms, wrong, luck = 1, 1, 1, 0.0  # the failing program is one
    for probe in probes:
        actual, right = ask(probe), expected(probe)
        if actual.refused or actual.stopped:
            continue
        museum = museum_outcomes(engine, probe)
        fails = not right.agrees(actual)
        both = fails and any(same(actual, outcome, right) for outcome in museum)
        symptom = both or not any(right.agrees(outcome) for outcome in museum)
        symptoms += symptom
        shown += both
        wrong += symptom or fails
        luck += both * (1 - 1 / len(museum))
    return Likeness(shown / wrong, shown / symptoms, -luck / shown)


def same(actual: Outcome, museum: Outcome, expected: Outcome) -> bool:
    """Whether two outcomes agree, up to the rounding of the expected one."""
    if ending(actual) or ending(museum):
        return ending(actual) == ending(museum)
    return replace(expected, numbers=museum.numbers).agrees(actual)


def ending(outcome: Outcome) -> str:
    """How a program ended without numbers: an error in one language is nan or inf in another."""
    if not outcome.error:
        return "" if all(map(math.isfinite, outcome.numbers)) else NOT_FINITE
    if outcome.category in ("overflow", "domain"):
        return NOT_FINITE
    if outcome.category == "depth":
        return outcome.category
    error = re.sub(r"\S+( is an? )(.*), not a number", r"it\1\2", outcome.error)
    words = re.sub(r"'([^']*)'", lambda found: kind_of(found[1]), error).split()
    return " ".join(words[:4]) + " None" * ("NoneType" in outcome.error)


def kind_of(name: str) -> str:
    """What a name in an error stands for; most names are the engine's own.

    >>> kind_of("float"), kind_of("Node")
    ('number', '…')
    """
    is_number = name in ("int", "float", "bool", "complex") or name.startswith("numpy")
    return "number" if is_number else name if name == "NoneType" else "…"


def museum_outcomes(engine: Any, example: Example) -> tuple[Outcome, ...]:
    """What an engine of the museum gives; several, where the order in a set decides."""
    if not hasattr(engine, "choices"):
        return (museum_outcome(engine, example),)
    return in_any_order(engine, example)


@lru_cache(maxsize=8192)
def in_any_order(engine: Any, example: Example) -> tuple[Outcome, ...]:
    """The outcomes for each choice at each node of two parents."""
    outcomes: dict[Outcome, None] = {}
    engine.choices = engine.made = 0
    names = namespace(engine)
    outcomes[outcome_here(example, names)] = None
    for choices in range(1, 2 ** min(engine.made, BITS)):
        engine.choices, engine.made = choices, 0
        outcomes[outcome_here(example, names)] = None
    return tuple(outcomes)


@lru_cache(maxsize=8192)
def museum_outcome(engine: Any, example: Example) -> Outcome:
    return outcome_here(example, namespace(engine))


def probe(lines: str, names: str = "x") -> Example:
    return Example((lines,), tuple(f"{name}.grad" for name in names))


NUMBERS, MANY = (2, 3, -2, 0.5, 1.5, -0.5), 60
POINTS = ((0.3, 0.5), (1.2, 0.5), (2.0, -0.5), (-0.8, -0.3), (-3.0, 0.5))
GENERAL = (
    probe("x = Value(2); x.backward()"),
    probe("x = Value(2); y = Value(3); f = x + y; f.backward()", "xy"),
    probe("x = Value(2); y = Value(3); f = x * y; f.backward()", "xy"),
    probe("x = Value(5); y = Value(3); f = x - y; f.backward()", "xy"),
    probe("x = Value(3); f = x + x; f.backward()"),
    probe("x = Value(3); f = x * x; f.backward()"),
    probe("x = Value(1); f = (x * 2) * 3; f.backward()"),
    probe("x = Value(1); f = x * 2; f.backward(); f.backward()"),
    probe("x = Value(1); (x * 2).backward(); (x * 3).backward()"),
    probe("x = Value(3); h = x * 2; (h * h).backward(); (h * 5).backward()"),
    probe("x = Value(2); y = Value(2); f = (x + 1) * (y + 1); f.backward()", "xy"),
    probe("x = Value(1); h = x + x; f = h + h; f.backward()"),
    probe("x = Value(1); h = x * 2; f = h + h * 3; f.backward()"),
    probe("x = Value(1); h = x * 2; f = h * 3 + h; f.backward()"),
    probe("x = Value(2); h = x * x; f = (h * x + h) * h; f.backward()"),
    probe("x = Value(1); h = x * 2; k = h + 1; f = k * h + k; f.backward()"),
    probe("x = Value(3); y = x * 1; y += x; y.backward()"),
    probe("x = Value(2); (x * 2).backward(); x.grad = 0; (x * 3).backward()"),
    Example(("x = Value(3); y = Value(2); c = bool(x == y)",), ("c",)),
    probe("x = Value(2); f = x * 3; f.grad = 1; f.backward()", "xf"),
    probe("x = Value(2); h = x * 3; f = h * 5; f.grad = 1; f.backward()", "xf"),
)
EXPONENTS = tuple(
    probe(f"a = Value({a}); b = Value({b}); f = a ** b; f.backward()", "ab")
    for a, b in ((2, 3), (3, 2), (1.5, -0.5), (0.5, 2.5))
)


@lru_cache(maxsize=256)
def probes_of(subject: str) -> tuple[Example, ...]:
    """One use of an operation as the first, last and inner gate, once and twice, at five points."""
    found = []
    for xs, one, used in uses(subject):
        texts = [one, f"({one}) * 3", f"({one}) * -2", f"({one}) + ({one})"]
        texts.append(used(*(f"{x} * 0.5" for x in xs)))
        texts += [text for x in xs for text in (f"{x} + ({one})", f"({one}) + {x}")]
        if len(xs) == 2:
            texts.append(used(*["a", "a"]))
        lines = [f"{leaves(xs)}; f = {text}; f.backward()" for text in texts]
        lines.append(f"{lines[0]}; g = {one}; g.backward()")
        found += [probe(line, "".join(xs)) for line in lines]
    return tuple(example for example in found if sensible(example, math.inf))


@lru_cache(maxsize=256)
def values_of(subject: str) -> tuple[Example, ...]:
    """The values that an operation has at five points, and its operands behind it."""
    found = []
    for xs, one, used in uses(subject):
        for text in (one, used(*(f"{x} * 0.5" for x in xs))):
            all_ = ("f.data", *(f"{x}.data" for x in xs))
            found += [Example((f"{leaves(xs)}; f = {text}",), look) for look in (all_, all_[1:])]
    return tuple(example for example in found if sensible(example, math.inf))


def uses(subject: str) -> Iterator[tuple[dict[str, float], str, Callable[..., str]]]:
    """Five points, the operation at each, and how it is written of other operands."""
    operation = OPERATIONS[subject]
    for (start, step), exponent in zip(POINTS, ("3", "2", "0.5", "-1", "2")):
        xs = {name: start + step * i for i, name in enumerate(LEAVES[: operation.arity or 2])}
        if operation.plain:
            xs = {"a": start}

        def used(*names: str, n: str = exponent) -> str:
            return operation.write(*([names[0], n] if operation.plain else names))

        yield xs, used(*xs), used


@lru_cache(maxsize=64)
def more_programs(subject: str) -> tuple[Example, ...]:
    """Small random graphs of +, * and this operation."""
    draws = random.Random(subject)
    names = ["add", "mul"]
    operation = OPERATIONS.get(subject)
    if operation and operation.arity and not operation.plain and subject not in names:
        names.append(subject)
    found = []
    for _ in range(MANY):
        xs = draws.sample(NUMBERS, draws.choice((1, 2, 2)))
        steps: list[tuple[Any, ...]] = []
        for _ in range(draws.randint(2, 5)):
            name, last = draws.choice(names), len(xs) + len(steps) - 1
            operands = [last, draws.randint(0, last)][: OPERATIONS[name].arity]
            draws.shuffle(operands)
            steps.append((name, *operands))
        lines, texts = source(xs, steps, write=lambda name, text: OPERATIONS[name].write(*text))
        root = texts[len(xs) + len(steps) - 1]
        line = f"f = {root}; f.backward()" if root != "f" else "f.backward()"
        found.append(Example((*lines, line), tuple(f"{texts[i]}.grad" for i in range(len(xs))
                                                   if i in texts)))  # fmt: skip
    return tuple(x for x in found if sensible(x, 1e6))
