"""What came of each property: a mistake with its program, its likely name and a hint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from textwrap import wrap

from microgrid.check.anatomy import Anatomy
from microgrid.check.diagnosis import Diagnosis
from microgrid.check.dialect import OPERATIONS
from microgrid.check.properties import CONVENTION, FRAGILE, WRONG, Property
from microgrid.check.trial import Failure, Trial, close, short, told_apart


@dataclass
class Finding:
    """One mistake: the property it breaks, the operations that have it, the smallest program."""

    kind: str
    prop: Property
    subjects: list[str]
    program: Trial  # in the engine's own names
    diagnosis: Diagnosis | None
    failure: Failure
    anatomy: Anatomy | None = None  # of programs that have a graph worth drawing
    more: list[str] = field(default_factory=list)  # programs of other operations, a line each

    def shares(self, kind: str, diagnosis: Diagnosis | None) -> bool:
        """Whether another case of the same property is told together with this one."""
        if self.kind != kind or kind == CONVENTION:
            return False
        mine, other = self.diagnosis, diagnosis
        return (mine and mine.exhibit) is (other and other.exhibit)

    @property
    def operations(self) -> str:
        """As a reader knows them: `+` for add."""
        return ", ".join(shown(name) for name in self.subjects if name)

    @property
    def comparison(self) -> list[tuple[str, str, str]]:
        """(what was looked at, what came, what is right) where they differ."""
        return compared(self.program, self.failure)

    @property
    def sentence(self) -> str:
        """The likely mistake, or the property that does not hold."""
        where = f" ({self.operations})" if self.operations else ""
        if self.kind == CONVENTION:
            return f"another choice than PyTorch's where there is no derivative{where}"
        if self.diagnosis:
            return self.diagnosis.exhibit.sentence(self.operations or "engine")
        return f"does not hold here: {self.prop.says}{where}"

    @property
    def summary(self) -> str:
        """What came of the program, and what is right."""
        note = f" ({self.failure.note})" if self.failure.note else ""
        if not self.comparison:
            return self.failure.note
        look, came, right = self.comparison[0]
        return f"{look} came {came}, right {right}{note}"

    @property
    def headline(self) -> str:
        """One line: the mistake, and what came of it."""
        return f"{self.sentence}: {self.summary}"

    @property
    def hint(self) -> str:
        if self.kind == CONVENTION:
            return "Nothing to mend, if it is meant."
        if self.diagnosis:
            return self.diagnosis.exhibit.hint
        if self.failure.came.stopped:
            return "The program hung or ended the process: run it by hand."
        where = self.anatomy.suspect() if self.anatomy else ""
        return where or "No classic mistake gives these numbers: follow the program line by line."

    def lines(self) -> Iterator[str]:
        """As text: the mistake, the program, what came, a small picture, the hint."""
        yield from wrap(f"{self.kind.upper()} {self.prop.name}: {self.sentence}", 100)
        for line in self.program.lines:
            yield f"    {line}"
        for look, came, right in self.comparison:
            told = (
                f"# {look} came {came}, {'PyTorch' if self.kind == CONVENTION else 'right'} {right}"
            )
            yield from wrap(told, 96, initial_indent="    ", subsequent_indent="    #   ")
        if self.failure.note:
            yield f"    # {self.failure.note}"
        if self.anatomy is not None:
            yield from (f"    | {line}" for line in self.anatomy.text())
        for line in self.more:
            yield from wrap(f"also {line}", 96, initial_indent="    ", subsequent_indent="      ")
        yield from wrap(f"Hint: {self.hint}", 98, initial_indent="  ", subsequent_indent="  ")

    def __str__(self) -> str:
        return "\n".join(self.lines())


def compared(program: Trial, failure: Failure) -> list[tuple[str, str, str]]:
    came, right = failure.came, failure.right
    if came.error:
        looks = zip(program.look, right.numbers)
        return [("it", came.error, ", ".join(f"{look} = {short(x)}" for look, x in looks))]
    tolerance = right.tolerance(failure.digits)
    return [
        (look, *told_apart(a, b))
        for look, a, b in zip(program.look, came.numbers, right.numbers)
        if not close(a, b, tolerance)
    ]


def in_one_line(program: Trial, failure: Failure) -> str:
    """The program of one more operation, and what came."""
    rest = compared(program, failure)
    told = f"  # {rest[0][0]} came {rest[0][1]}, right {rest[0][2]}" if rest else ""
    return f"{'; '.join(program.lines)}{told}"


def shown(name: str) -> str:
    return OPERATIONS[name].shown if name in OPERATIONS else name


@dataclass
class Result:
    """What came of one property."""

    prop: Property
    held: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    follows: dict[str, Finding] = field(default_factory=dict)  # fails as the finding makes it fail
    waits: dict[str, Finding] = field(default_factory=dict)  # not run: it needs what is broken
    absent: list[str] = field(default_factory=list)
    not_run: str = ""

    @property
    def state(self) -> str:
        """The worst that there is to say."""
        for kind in (WRONG, FRAGILE):
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
        parts = [finding.operations or finding.summary for finding in self.findings]
        for words, subjects in (("follows from", self.follows), ("waits for", self.waits)):
            if subjects:
                causes = dict.fromkeys(finding.prop.name for finding in subjects.values())
                names = [shown(name) for name in subjects if name]
                which = f"{', '.join(names[:6])}{' …' * (len(names) > 6)} " if names else ""
                parts.append(f"{which}{words} {', '.join(causes)}")
        held = [shown(name) for name in dict.fromkeys(self.held) if name]
        if held and self.state == "holds":
            parts.append(f"{len(held)} operations" if len(held) > 3 else ", ".join(held))
        if self.state == "absent" and any(self.absent):
            parts.append(f"not offered: {', '.join(map(shown, dict.fromkeys(self.absent)))}")
        return "; ".join([*parts, *([self.not_run] if self.not_run else [])])
