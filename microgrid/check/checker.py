"""Run the properties on one engine: find the smallest counterexamples, name them, order them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from microgrid.check.anatomy import Anatomy, anatomy, unnested
from microgrid.check.capabilities import OPERATIONS
from microgrid.check.engine import NOT_RUN, Engine, EngineError, name_of
from microgrid.check.example import DIGITS, SINGLE, Example, Failure, Outcome, expected
from microgrid.check.findings import Finding, Result, example_in_one_line
from microgrid.check.kinds import CONVENTION, WRONG
from microgrid.check.learning import learn, run
from microgrid.check.naming import diagnose
from microgrid.check.properties import PROPERTIES, Case, Property
from microgrid.check.report import Report
from microgrid.check.searches import search, undisturbed
from microgrid.engine.renamed import renamed

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
    how the engine spells the three, where they are not found by trying. An operation that is not
    offered fails only if `require` names it, a fragile finding only if `strict`. EngineError if
    the engine does not load, or for an unknown name.

    >>> from microgrid.check import museum
    >>> report = check(museum.broken("overwrites", "add"), only=["values", "reuse"])
    >>> print(report.findings[0].headline)
    your `+` overwrites `.grad` where it must add to it: a.grad = 1, expected 2
    """
    chosen, required = known(only, PROPERTIES, "property"), known(require, OPERATIONS, "operation")
    names = {"data": data, "grad": grad, "backward": backward}
    limit = max(0.5, timeout / 12)
    with undisturbed(), Engine(target, limit, lifetime=timeout, names=names) as engine:
        checker = Checker(engine, draws, seed)
        for prop in PROPERTIES.values():
            if progress is not None:
                progress(prop)
            if not chosen or prop.name in chosen or prop.name == "contract":
                checker.examine(prop)
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
        self.ask = cache(self.outcome)
        tenth = self.outcome(Example(("x = Value(0.1)",), ("x.data",)))
        if tenth.numbers and 1e-12 < abs(tenth.numbers[0] - 0.1) < 1e-7:
            self.digits = SINGLE

    def outcome(self, example: Example, patience: float = 1.0) -> Outcome:
        return run(self.engine, self.can, example, self.engine.limit * patience)

    @property
    def stopped(self) -> str:
        """Why no more programs are run."""
        if self.engine.given_up:
            return "too many programs hung or ended the process"
        return "" if self.engine.budget.left else "out of time"

    def examine(self, prop: Property) -> None:
        """All cases of one property."""
        result = Result(prop)
        self.results.append(result)
        for case in prop.cases(self.can):
            if self.stopped:
                result.not_run = self.stopped
                break
            self.case(prop, case, result)

    @property
    def findings(self) -> list[Finding]:
        return [finding for result in self.results for finding in result.findings]

    def case(self, prop: Property, case: Case, result: Result) -> None:
        cause = next((self.can.broken[n] for n in case.needs if n in self.can.broken), None)
        missing = [name for name in case.needs if self.can.lacks(name)]
        if cause is not None:
            result.waits.setdefault(case.subject, cause)
            for name in case.breaks:  # it may be broken, too
                self.can.broken.setdefault(name, cause)
            return
        if missing:
            result.absent.append(case.subject or ", ".join(missing))
            return
        programs, failure = self.search(prop, case)
        if failure is None and self.stopped:
            result.not_run = self.stopped
        elif failure is None:
            (result.held if programs else result.absent).append(case.subject)
        elif case.optional and failure.actual.error and not failure.actual.stopped:
            result.absent.append(case.optional)
        else:
            self.report(prop, case, failure, result)

    def report(self, prop: Property, case: Case, failure: Failure, result: Result) -> None:
        """A new finding, or one more operation of a finding, or a consequence of an earlier one."""
        kind = kind_of(prop, failure)
        explaining = (  # its mistake alone gives these wrong numbers, too
            f for f in self.findings
            if f.kind in (WRONG, prop.kind) and f.diagnosis and f.diagnosis._explains(failure)
        )  # fmt: skip
        cause = next(explaining, None) if prop.small else None
        unexplained = prop.small and cause is None
        diagnosis = diagnose(failure, case.subject, prop, self.ask) if unexplained else None
        if diagnosis is None or diagnosis.mistake.caught != prop.name:
            cause = cause or next((f for f in self.findings if f.prop.name in prop.after), None)
        if cause is not None:
            result.follows[case.subject] = cause
            self.can.broken |= dict.fromkeys(case.breaks, cause)
            return
        own = self.can.translate(failure.example)
        finding = next((f for f in result.findings if f._shares(kind, diagnosis)), None)
        if finding is None:
            finding = Finding(kind, prop, [], own, diagnosis, failure, self.anatomy(failure))
            result.findings.append(finding)
        elif diagnosis is None:
            finding.more.append(example_in_one_line(own, failure))
        finding.subjects.append(case.subject)
        if kind != CONVENTION:
            self.can.broken |= dict.fromkeys(case.breaks, finding)

    def anatomy(self, failure: Failure) -> Anatomy | None:
        """The graph of a program, with the engine's gradient of every node."""
        example = unnested(failure.example)
        if example is None or failure.actual.error:
            return None
        actual = self.ask(example)
        gradients = dict(zip(example.look, actual.numbers))
        tolerance = failure.expected.tolerance(self.digits)
        return None if actual.error else anatomy(example, gradients, tolerance)

    def search(self, prop: Property, case: Case) -> tuple[int, Failure | None]:
        """How many programs were run, and the smallest failure that hypothesis finds."""
        best: list[Failure] = []
        programs = 0

        def fails(example: Example) -> bool:
            nonlocal programs
            actual = NOT_RUN if self.stopped else self.outcome(example, prop.patience)
            if actual is NOT_RUN:
                return False
            programs += 1
            failure = prop.judge(example, actual, expected(example), self.digits)
            if failure is not None and (not best or size(example) <= size(best[0].example)):
                best[:] = [failure]
            return failure is not None

        if isinstance(case.examples, list):
            any(fails(example) for example in case.examples)
        else:
            seed = f"{self.seed} {prop.name} {case.subject}"
            search(case.examples, fails, self.draws * prop.draws, seed)
        return programs, best[0] if best else None


def kind_of(prop: Property, failure: Failure) -> str:
    """WRONG for a finite wrong number, however large or deep the program was."""
    if failure.convention:
        return CONVENTION
    finite = not failure.actual.error and all(map(math.isfinite, failure.actual.numbers))
    return WRONG if finite and prop.numbers else prop.kind


def size(example: Example) -> tuple[int, int]:
    return len(example.look), len(example.text)
