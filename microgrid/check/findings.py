"""The result of each property: its findings, each with a program, a likely mistake and a hint."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from microgrid.check.anatomy import Anatomy
from microgrid.check.capabilities import OPERATIONS
from microgrid.check.columns import WIDTH, folded, wrapped
from microgrid.check.example import Example, Failure, close, short, told_apart
from microgrid.check.kinds import CONVENTION, failing, whose
from microgrid.check.naming import Diagnosis
from microgrid.check.properties import Property
from microgrid.engine.hints import Hinted


@dataclass
class Finding(Hinted):
    """One mistake: the property it breaks, the operations that have it, the smallest program.

    `kind` is "wrong" (a number is), "fragile" (it ends in an error or takes too long), "not
    offered" or "convention" (another choice than PyTorch's where there is no derivative). `program`
    is the smallest that shows it, `diagnosis` the mistake of the museum that does the same, if one
    does. `sentence`, `summary` and `hint` say what it is, what came out, and what to change.

    >>> from microgrid.check import check, museum
    >>> report = check(museum.broken("overwrites", "add"), only=["reuse"])
    >>> finding = report.findings[0]
    >>> finding.kind, finding.operations, finding.comparison
    ('wrong', '`+`', [('a.grad', '1', '2')])
    >>> print(finding.headline)
    your `+` overwrites `.grad` where it must add to it: a.grad = 1, expected 2
    """

    kind: str
    prop: Property
    subjects: list[str]
    program: Example  # in the engine's own names
    diagnosis: Diagnosis | None
    failure: Failure
    anatomy: Anatomy | None = None  # of programs that have a graph worth drawing
    more: list[str] = field(default_factory=list)  # programs of other operations, a line each

    def __repr__(self) -> str:
        of = f" of {', '.join(filter(None, self.subjects))}" if any(self.subjects) else ""
        return f"<Finding {self.kind}: {self.prop.name!r}{of:.60}>"

    def _shares(self, kind: str, diagnosis: Diagnosis | None, failure: Failure) -> bool:
        """Whether another case of the same property belongs to this finding."""
        if self.kind != kind or kind == CONVENTION:
            return False
        if self.diagnosis and diagnosis:
            return self.diagnosis._is_that_of(diagnosis)
        return self.diagnosis is diagnosis is None and way(self.failure) == way(failure)

    @property
    def operations(self) -> str:
        """The operations that have the mistake, as a reader knows them: + for add, in backticks."""
        return ", ".join(sign(name) for name in self.subjects if name)

    @property
    def comparison(self) -> list[tuple[str, str, str]]:
        """(what was looked at, actual, expected) where they differ; an error stands alone."""
        return compared(self.program, self.failure)

    @property
    def sentence(self) -> str:
        """The likely mistake, or the property that does not hold."""
        where = f" ({self.operations})" if self.operations else ""
        if self.kind == CONVENTION:
            return f"another choice than PyTorch's where there is no derivative{where}"
        if self.diagnosis:
            return self.diagnosis._sentence(self.operations or self.diagnosis._of)
        if self._raises:
            return f"your {self.operations or 'engine'} raises {self.failure.actual.kind}"
        return f"does not hold here: {self.prop.says}{where}"

    @property
    def _raises(self) -> bool:
        """Whether it is an error of the engine's code that no mathematics explains."""
        actual = self.failure.actual
        return actual.category == "other" and actual.kind.isidentifier() and not actual.stopped

    @property
    def summary(self) -> str:
        """The first number that differs, or the error."""
        if not self.comparison:
            return self.failure.note
        note = f" ({self.failure.note})" if self.failure.note else ""
        return f"{difference(*self.comparison[0])}{note}"

    @property
    def _brief(self) -> str:
        """The summary in a few words: of an error its type."""
        differs = [difference(*entry) for entry in self.comparison[:1]]
        return self.failure.actual.kind or "".join(differs) or self.failure.note

    @property
    def headline(self) -> str:
        """One line: the mistake, and the first number that differs."""
        return f"{self.sentence}: {self.summary}"

    @property
    def hint(self) -> str:
        """What to change, in a sentence; "" where the mistake has no name."""
        if self.kind == CONVENTION:
            return "Nothing to mend, if it is meant."
        if self.diagnosis:
            return self.diagnosis.mistake.hint
        if self.failure.actual.stopped:
            return "The program hung or ended the process: run it by hand."
        if self._raises and self.failure.actual.where:
            return f"It is raised in {self.failure.actual.where}"
        where = self.anatomy.suspect() if self.anatomy else ""
        return where or "No classic mistake gives these numbers: follow the program line by line."

    def lines(self) -> Iterator[str]:
        """As text: the mistake, the program, the comparison, a small picture, the hint."""
        yield from wrapped(f"{self.kind.upper()} {self.prop.name}: {self.sentence}", rest="  ")
        yield from (f"    {line}" for line in folded(self.program.lines, WIDTH - 4))
        for line in self._told:
            yield from wrapped(line, "    # ", "    #   ")
        if self.anatomy is not None:
            yield from (f"    | {line}" for line in self.anatomy.text(self.kind))
        yield from (f"    {line}" for line in self._others(4))
        yield from wrapped(f"Hint: {self.hint}", "  ")

    def _others(self, indent: int = 0) -> Iterator[str]:
        """The programs of other operations, each with what differs beneath."""
        for text in self.more:
            program, _, difference = text.partition("  # ")
            yield from folded([program], WIDTH - indent)
            yield from wrapped(difference, "# ", "#   ", WIDTH - indent)

    @property
    def _told(self) -> list[str]:
        """What came out and what is expected, each in a line."""
        lines = []
        for look, actual, expected in self.comparison:
            both = f"{look} = {actual}, {whose(self.kind)} {expected}"
            if look:
                lines.append(both)
                continue
            raised = self.failure.actual.where if self.diagnosis else ""  # else the hint says it
            lines += [f"{actual} ({raised})" if raised else actual, f"expected {expected}"]
        return [*lines, *filter(None, [self.failure.note])]

    def __str__(self) -> str:
        return "\n".join(self.lines())


def way(failure: Failure) -> Any:
    """In which way a program fails; different ways have different causes.

    An error has its kind and its words without the names and numbers, numbers have their relation
    to the right ones. What cannot be compared is like itself only.
    """
    actual = failure.actual
    if actual.error:
        words = re.sub(r"'[^']*'|[\d.]+", "", actual.error)
        return actual.stopped or words
    pairs = zip(actual.numbers, failure.expected.numbers)
    tolerance = failure.expected.tolerance(failure.digits)
    ways = {relation(a, b) for a, b in pairs if not close(a, b, tolerance)}
    return failure if None in ways else ways


def relation(a: float, b: float) -> str | None:
    """What a wrong number is of the right one; None if it is nothing simple."""
    simple = {"nothing": 0.0, "the opposite": -b, "the half": b / 2, "the double": 2 * b}
    if not math.isfinite(a):
        return "not finite"
    return next((name for name, x in simple.items() if close(a, x, 1e-9)), None)


def compared(program: Example, failure: Failure) -> list[tuple[str, str, str]]:
    actual, expected = failure.actual, failure.expected
    if actual.error:
        numbers = ", ".join(f"{x} = {short(y)}" for x, y in zip(program.look, expected.numbers))
        return [("", actual.error, numbers)]
    tolerance = expected.tolerance(failure.digits)
    return [
        (look, *told_apart(a, b))
        for look, a, b in zip(program.look, actual.numbers, expected.numbers)
        if not close(a, b, tolerance)
    ]


def difference(look: str, actual: str, expected: str, whose: str = "expected") -> str:
    return f"{f'{look} = ' if look else ''}{actual}, {whose} {expected}"


def example_in_one_line(program: Example, failure: Failure) -> str:
    """The program of one more operation, and the first number that differs."""
    differences = [f"  # {difference(*entry)}" for entry in compared(program, failure)]
    return f"{'; '.join(program.lines)}{''.join(differences[:1])}"


def sign(name: str) -> str:
    """How people write an operation: `+` for add."""
    return OPERATIONS[name].sign if name in OPERATIONS else name


@dataclass
class Result:
    """What was found out about one property: `state` in a word, and `detail`.

    `held` are the operations of which it holds, `findings` its mistakes; `follows` are operations
    of which it fails because of another finding, `waits` those that were not run because of one,
    `absent` those that the engine does not offer.

    >>> from microgrid.check import check, museum
    >>> report = check(museum.broken("overwrites", "add"), only=["reuse"])
    >>> [(result.prop.name, result.state, result.detail) for result in report.results]
    [('contract', 'holds', ''), ('reuse', 'wrong', '`+`')]
    """

    prop: Property
    held: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    follows: dict[str, Finding] = field(default_factory=dict)  # fails because of that finding
    waits: dict[str, Finding] = field(default_factory=dict)  # not run: that finding broke its needs
    absent: list[str] = field(default_factory=list)  # not offered
    not_run: str = ""

    @property
    def state(self) -> str:
        """One word for it: the worst that applies."""
        for kind in failing(strict=True):
            if any(f.kind == kind for f in self.findings):
                return kind
        if self.not_run:
            return "not run"
        if self.findings:
            return CONVENTION
        if self.follows or self.waits:
            return "follows" if self.follows else "waits"
        return "holds" if self.held else "absent"

    @property
    def detail(self) -> str:
        """Which operations, and why."""
        parts = [finding.operations or finding._brief for finding in self.findings]
        for words, subjects in (("follows from", self.follows), ("waits for", self.waits)):
            for cause in dict.fromkeys(finding.prop.name for finding in subjects.values()):
                names = [n for n, finding in subjects.items() if finding.prop.name == cause]
                parts.append(f"{words} {cause}{few(names)}")
        held = [sign(name) for name in dict.fromkeys(self.held) if name]
        if held and self.state == "holds":
            parts.append(f"{len(held)} operations" if len(held) > 3 else ", ".join(held))
        if self.state == "absent" and any(self.absent):
            parts.append(f"not offered: {', '.join(map(sign, dict.fromkeys(self.absent)))}")
        return "; ".join([*parts, *([self.not_run] if self.not_run else [])])


def few(operations: Iterable[str]) -> str:
    """The first of them in brackets; "" for the engine as a whole."""
    names = [sign(name) for name in operations if name]
    return f" ({', '.join(names[:6])}{', …' * (len(names) > 6)})" if names else ""
