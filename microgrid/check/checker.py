"""Run the properties on one engine: find the smallest counterexamples, name them, order them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from typing import Any

from microgrid.check import protocol
from microgrid.check.anatomy import Anatomy, anatomy, unnested
from microgrid.check.capabilities import OPERATIONS
from microgrid.check.engine import NOT_RUN, Engine, EngineError, name_of
from microgrid.check.example import DIGITS, SINGLE, Example, Failure, Outcome, expected
from microgrid.check.findings import Finding, Result, example_in_one_line, way
from microgrid.check.kinds import CONVENTION, NOT_OFFERED, WRONG
from microgrid.check.learning import learn, run
from microgrid.check.naming import Diagnosis, diagnose, exhibit
from microgrid.check.properties import PROPERTIES, Case, Property
from microgrid.check.report import Report
from microgrid.check.searches import search, undisturbed
from microgrid.engine.renamed import renamed

OF_OPERATIONS = (
    "values", "operands", "one operation", "exponents", "constants", "upstream", "identity",
    "reuse",
)  # fmt: skip
FLOATS = "its numbers are floats in these programs: of a whole number it makes an array of ints"
TOLD = Outcome(error="an earlier finding tells it", refused=True)
applied = cache(protocol.operations_of)
Progress = Callable[[Property], None]


@renamed(examples="draws")
def check(
    target: Any, *, only: Iterable[str] = (), draws: int = 20, seed: int = 0,
    timeout: float = 60.0, require: Iterable[str] = (), strict: bool = False,
    progress: Progress | None = None, data: str = "", grad: str = "", backward: str = "",
) -> Report:  # fmt: skip
    """What is right and what is wrong with an engine, each mistake with its smallest program.

    `target` is "PATH[:CLASS]", "MODULE[:CLASS]", a class, or a list of words: the command of the
    adapter for an engine in another language, ["node", "adapter.mjs", "engine.mjs"]. The engine
    runs in a process of its own, with the rights of the caller, for at most `timeout` seconds of
    processor time. `only` names properties, `draws` is how many programs each property draws for
    each operation, and the same `seed` draws the same programs. `data`, `grad` and `backward` tell
    how the engine spells the three, where they are not found by trying. `require` names operations
    that must be offered and properties that must hold; beside these, what is fragile or not offered
    fails only if `strict`. EngineError if the engine does not load, or for an unknown name.

    >>> from microgrid.check import museum
    >>> report = check(museum.broken("overwrites", "add"), only=["values", "reuse"])
    >>> print(report.findings[0].headline)
    your `+` overwrites `.grad` where it must add to it: a.grad = 1, expected 2
    """
    chosen = known(only, PROPERTIES, "property")
    required = known(require, OPERATIONS | PROPERTIES, "operation or property")
    if chosen:
        chosen += [name for name in required if name in PROPERTIES]
    names = {"data": data, "grad": grad, "backward": backward}
    limit = max(0.5, timeout / 12)
    with undisturbed(), Engine(target, limit, lifetime=timeout, names=names) as engine:
        checker = Checker(engine, draws, seed)
        checker.examine(
            [p for p in PROPERTIES.values() if not chosen or p.name in (*chosen, "contract")],
            progress or (lambda prop: None),
        )
        return Report(
            target=name_of(target), about=engine.about, results=checker.results,
            missing=checker.can.missing, unknown=checker.can.unknown, required=required,
            strict=strict, single=checker.digits == SINGLE,
            options={"seed": seed, "examples": draws},
        )  # fmt: skip


def known(names: Iterable[str], table: Any, what: str) -> list[str]:
    given = list(names)
    for name in given:
        if name not in table:
            raise EngineError(f"there is no {what} {name!r}; there are {', '.join(table)}")
    return given


class Checker:
    """One run: the results so far, and what the engine can still do."""

    def __init__(self, engine: Engine, draws: int, seed: int) -> None:
        self.engine, self.draws, self.seed = engine, draws, seed
        self.can = learn(engine)
        self.digits = DIGITS
        self.results: list[Result] = []
        self.refused: dict[str, Finding] = {}  # the operations that take no plain number
        self.ask = cache(self.probed)
        tenth = self.outcome(Example(("x = Value(0.1)",), ("x.data",)))
        if tenth.numbers and 1e-12 < abs(tenth.numbers[0] - 0.1) < 1e-7:
            self.digits = SINGLE

    def outcome(self, example: Example, patience: float = 1.0) -> Outcome:
        limit = self.engine.limit * patience
        outcome = run(self.engine, self.can, example, limit)
        if "UFunc" in outcome.kind and not self.can.floats:  # NumPy adds no float to an int array
            self.can.floats = True
            self.engine.about["remarks"].append(FLOATS)
            return run(self.engine, self.can, example, limit)
        return outcome

    def probed(self, example: Example) -> Outcome:
        """The outcome of a program that names a mistake; it may need what is not offered."""
        lacking = sorted(protocol.operations_of(example) - self.can.offered.keys())
        if lacking:
            return Outcome(error=f"there is no {', '.join(lacking)}", refused=True)
        return self.outcome(example)

    def ask_about(self, subject: str) -> Callable[[Example], Outcome]:
        """The outcomes of programs that name a mistake of the subject, without those that fail
        because of what an earlier finding tells."""
        broken = {name for name in self.can.broken if name in OPERATIONS and name != subject}
        told = [f.diagnosis for f in self.findings if f.diagnosis]

        def ask(example: Example) -> Outcome:
            actual, right = self.ask(example), expected(example)
            if right.agrees(actual):
                return actual
            failure = Failure(example, actual, right)
            known = applied(example) & broken or any(d._explains(failure) for d in told)
            return TOLD if known else actual

        return ask

    @property
    def stopped(self) -> str:
        """Why no more programs are run."""
        if self.engine.given_up:
            return "too many programs hung or ended the process"
        return "" if self.engine.budget.left else "out of time"

    def examine(self, properties: list[Property], progress: Progress) -> None:
        """All cases; what is made of other operations waits until these are known to be right."""
        self.results = [Result(prop) for prop in properties]
        for of_operations, results in groupby(self.results, lambda r: r.prop.name in OF_OPERATIONS):
            several = list(results)
            for composed in (False, True) if of_operations else (None,):
                for result in several:
                    if not composed:
                        progress(result.prop)
                    self.cases(result, composed)

    def cases(self, result: Result, composed: bool | None) -> None:
        """The cases of a property: of composed operations, of the others, or (None) of all."""
        for case in result.prop.cases(self.can):
            if composed is not None:
                is_composed = any(map(self.made_of, (case.subject, *case.needs)))
                if is_composed != composed:
                    continue
            if self.stopped:
                result.not_run = self.stopped
                break
            self.case(result.prop, case, result)

    @property
    def findings(self) -> list[Finding]:
        return [finding for result in self.results for finding in result.findings]

    def case(self, prop: Property, case: Case, result: Result) -> None:
        cause = self.cause(case)
        missing = [name for name in case.needs if self.can.lacks(name)]
        if cause is not None:
            result.waits.setdefault(case.subject, cause)
            for name in case.breaks:  # it may be broken, too
                self.can.broken.setdefault(name, cause)
            return
        if missing:
            result.absent.append(case.subject or ", ".join(missing))
            return
        found = self.search(prop, case)
        if found.failure is not None and case.chosen:
            result.absent.append(case.chosen)
            return
        if found.failure is not None:
            self.report(prop, case, found.failure, result)
        elif self.stopped:
            result.not_run = self.stopped
        elif found.refusal and not found.right:
            result.absent.append(case.optional or case.subject)
        else:
            (result.held if found.right else result.absent).append(case.subject)

    def cause(self, case: Case) -> Finding | None:
        """What is wrong with something that the case needs, or that this is made of."""
        needs = dict.fromkeys((*case.needs, case.subject))
        for name in needs.copy():
            needs |= dict.fromkeys(sorted(self.made_of(name)))
        return next((self.can.broken[name] for name in needs if name in self.can.broken), None)

    def made_of(self, name: str) -> set[str]:
        """The operations that an operation of this engine calls, and those that they call."""
        found = self.can.made_of.get(name, set())  # each of the other, where they share a function
        return {x for x in found if name not in self.can.made_of.get(x, ())}

    def report(self, prop: Property, case: Case, failure: Failure, result: Result) -> None:
        """A new finding, or one more operation of a finding, or a consequence of an earlier one."""
        kind = kind_of(prop, case, failure)
        diagnosis: Diagnosis | None = None
        if kind == NOT_OFFERED and prop.kind != NOT_OFFERED and self.fails_forward(failure):
            kind = prop.kind  # it takes the number, and makes nothing of it
        cause = self.refusal(case, failure) or self.alike(case, failure, result)
        if cause is None and kind == NOT_OFFERED:
            diagnosis = exhibit(case.refused, case.subject)
        elif cause is None:
            explaining = (  # its mistake alone gives these wrong numbers, too
                f for f in self.findings
                if f.kind in (WRONG, prop.kind) and f.diagnosis and f.diagnosis._explains(failure)
            )  # fmt: skip
            cause = next(explaining, None) if prop.small else None
            if cause is not None and self.is_shared(cause, case, result):
                diagnosis, cause = cause.diagnosis, None
            elif cause is None:
                ask, made_of = self.ask_about(case.subject), self.made_of(case.subject)
                diagnosis = diagnose(failure, case.subject, prop, ask, made_of)
                cause = self.told(diagnosis, prop)
            if not (diagnosis and prop.small and diagnosis.mistake.caught == prop.name):
                cause = cause or next((f for f in self.findings if f.prop.name in prop.after), None)
        if case.side:  # from now on, a Value stands there
            self.can.left.discard(case.subject)
        if case.side == "right":
            self.can.right.discard(case.subject)
        if cause is not None:
            result.follows[case.subject] = cause
            self.can.broken |= dict.fromkeys(case.breaks, cause)
            return
        subject, broken = case.subject, case.breaks
        if diagnosis is not None and (part := diagnosis._part(self.made_of(subject))):
            subject, broken = part, (*broken, part)
        own = self.can.translate(failure.example)
        finding = next((f for f in result.findings if f._shares(kind, diagnosis, failure)), None)
        if finding is None:
            finding = Finding(
                kind, prop, [], own, diagnosis, failure, None if case.own else self.anatomy(failure)
            )
            result.findings.append(finding)
        elif diagnosis is None:
            finding.more.append(example_in_one_line(own, failure))
        if subject not in finding.subjects:
            finding.subjects.append(subject)
        if kind == NOT_OFFERED:
            self.refused.setdefault(subject, finding)
        elif kind != CONVENTION:
            self.can.broken |= dict.fromkeys(broken, finding)

    def is_shared(self, finding: Finding, case: Case, result: Result) -> bool:
        """Whether the mistake of a finding stands in the code that all operations share."""
        assert finding.diagnosis is not None
        own = case.subject in OPERATIONS and not self.made_of(case.subject)
        return own and finding.diagnosis.engine.in_all and finding in result.findings

    def told(self, diagnosis: Diagnosis | None, prop: Property) -> Finding | None:
        """The finding of another property that names the same mistake of the engine as a whole."""
        if diagnosis is None or diagnosis.mistake.operations is not None:
            return None
        found = (
            f for f in self.findings
            if f.prop is not prop and f.diagnosis and f.diagnosis.mistake is diagnosis.mistake
        )  # fmt: skip
        return next(found, None)

    def refusal(self, case: Case, failure: Failure) -> Finding | None:
        """The finding that an operation refuses plain numbers, if this one is made with them."""
        refuses = failure.actual.unsuited or (case.side and failure.actual.error)
        made_of = sorted(self.made_of(case.subject)) if refuses else []
        return next((self.refused[name] for name in made_of if name in self.refused), None)

    def fails_forward(self, failure: Failure) -> bool:
        """Whether it fails before the backward pass."""
        forward = [line.partition("; f.backward()")[0] for line in failure.example.lines]
        example = replace(failure.example, lines=tuple(forward), look=("f.data",))
        return bool(self.outcome(example).error)

    def alike(self, case: Case, failure: Failure, result: Result) -> Finding | None:
        """The finding of an operation that this one is made of, if both fail in the same way."""
        made_of, how = self.made_of(case.subject), way(failure)
        found = (f for f in result.findings if made_of & {*f.subjects} and way(f.failure) == how)
        return next(found, None)

    def anatomy(self, failure: Failure) -> Anatomy | None:
        """The graph of a program, with the engine's gradient of every node."""
        finite = all(map(math.isfinite, failure.expected.numbers))
        example = unnested(failure.example) if finite else None
        if example is None or failure.actual.error:
            return None
        actual = self.ask(example)
        gradients = dict(zip(example.look, actual.numbers))
        tolerance = failure.expected.tolerance(self.digits)
        return None if actual.error else anatomy(example, gradients, tolerance)

    def search(self, prop: Property, case: Case) -> Found:
        """The smallest failure: of the given programs, or of those that hypothesis draws."""
        found = Found()

        def fails(example: Example) -> bool:
            if case.own:
                slopes = self.slopes(example)
                if slopes is None:
                    return False
                example = replace(example, expected=slopes)
            actual = NOT_RUN if self.stopped else self.outcome(example, prop.patience)
            if actual is NOT_RUN:
                return False
            digits = SINGLE if case.own else self.digits
            failure = prop.judge(example, actual, expected(example), digits)
            if failure is not None and forgiven(prop, case, actual):
                found.refusal = actual.error
                return False
            if failure is not None and actual.error and not actual.stopped:
                again = floats(example)  # integers may be refused, where their floats are not
                if again != example and self.holds(prop, again):
                    failure = None
            found.right += failure is None
            if failure is not None:
                found.add(failure)
            return failure is not None

        given = case.examples if isinstance(case.examples, list) else case.first
        if case.one_will_do:
            if not all(fails(example) for example in given):
                found.failure = None
        elif not any(fails(example) for example in given) and given is not case.examples:
            seed = f"{self.seed} {prop.name} {case.subject}"
            search(case.examples, fails, max(1, round(self.draws * prop.draws)), seed)
        return found

    def slopes(self, example: Example) -> tuple[float, ...] | None:
        """How f changes with each leaf, by the engine's own values; None where it has no value."""
        found = []
        start, line = example.lines
        for look in example.look:
            name, step = look.removesuffix(".grad"), 1e-2 if self.digits == SINGLE else 1e-4
            values = [
                self.outcome(Example((moved(start, name, dx), line.partition(";")[0]), ("f.data",)))
                for dx in (step, -step)
            ]
            if any(value.error or not math.isfinite(*value.numbers) for value in values):
                return None
            (high,), (low,) = (value.numbers for value in values)
            found.append((high - low) / (2 * step))
        return tuple(found)

    def holds(self, prop: Property, example: Example) -> bool:
        """Whether an example is right."""
        actual = self.outcome(example, prop.patience)
        return prop.judge(example, actual, expected(example), self.digits) is None


@dataclass
class Found:
    """What came of the programs of a case."""

    right: int = 0  # how many programs
    refusal: str = ""  # what the engine says that it cannot do
    failure: Failure | None = None  # the smallest

    def add(self, failure: Failure) -> None:
        if self.failure is None or size(failure.example) <= size(self.failure.example):
            self.failure = failure


def forgiven(prop: Property, case: Case, actual: Outcome) -> bool:
    """Whether it is an error by which an engine says that it does not offer something."""
    if not actual.error or actual.stopped:
        return False
    absent = actual.refused and not actual.category  # so says an adapter
    refused = actual.refused and case.subject and prop.kind != NOT_OFFERED
    return bool(absent or refused or case.optional)


def moved(line: str, name: str, dx: float) -> str:
    """The line of leaves with one of them moved.

    >>> moved("a = Value(0.3); b = Value(0.6)", "b", 0.25)
    'a = Value(0.3); b = Value(0.85)'
    """
    leaf = rf"\b{name} = Value\((.*?)\)"
    return re.sub(leaf, lambda found: f"{name} = Value({float(found[1]) + dx!r})", line)


def floats(example: Example) -> Example:
    """The same with floats in the leaves and beside them.

    >>> floats(Example(("x = Value(2); f = x * 3 - x ** 2",), ("f.data",))).text
    'x = Value(2.0); f = x * 3.0 - x ** 2'
    """
    if example.sent:
        return example
    leaves = [re.sub(r"Value\((-?\d+)\)", r"Value(\1.0)", line) for line in example.lines]
    operands = [re.sub(r"(?<=[^*] [+*/-] )(\d+)\b(?!\.)", r"\1.0", line) for line in leaves]
    return replace(example, lines=tuple(operands))


def kind_of(prop: Property, case: Case, failure: Failure) -> str:
    """WRONG for a finite wrong number, however large or deep the program was."""
    actual = failure.actual
    if failure.convention:
        return CONVENTION
    if case.refused and actual.unsuited:
        return NOT_OFFERED
    finite = not actual.error and all(map(math.isfinite, actual.numbers))
    return WRONG if finite and prop.numbers else case.kind or prop.kind


def size(example: Example) -> tuple[int, int]:
    return len(example.look), len(example.text)
