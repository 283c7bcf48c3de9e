"""What was found: for a terminal, and as JSON, JUnit XML or Gradescope's results."""

from __future__ import annotations

import json
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from microgrid.check.anatomy import Anatomy
from microgrid.check.diagnosis import Diagnosis
from microgrid.check.page import body, page
from microgrid.check.properties import CONVENTION, FRAGILE, WRONG, Property
from microgrid.check.trial import Failure, Trial

MARKS = {"holds": "✓", WRONG: "✗", FRAGILE: "!", CONVENTION: "~", "follows": "↳", "absent": "·",
         "not run": "?"}  # fmt: skip


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

    def shares(self, kind: str, diagnosis: Diagnosis | None) -> bool:
        """Whether another case of the same property has the same cause."""
        mine, other = self.diagnosis, diagnosis
        alike = (mine and mine.exhibit.name) == (other and other.exhibit.name)
        return self.kind == kind and alike

    @property
    def operations(self) -> str:
        return ", ".join(name for name in self.subjects if name)

    @property
    def comparison(self) -> list[tuple[str, str, str]]:
        """(what was looked at, what came, what is right) where they differ."""
        came, right = self.failure.came, self.failure.right
        if came.error:
            looks = zip(self.program.look, right.numbers)
            rights = ", ".join(f"{look} = {short(x)}" for look, x in looks)
            return [("it", came.error, rights)]
        return [
            (look, short(a), short(b))
            for look, a, b in zip(self.program.look, came.numbers, right.numbers)
            if short(a) != short(b)
        ]

    @property
    def sentence(self) -> str:
        """The likely mistake, or the property that does not hold."""
        if self.diagnosis:
            return self.diagnosis.exhibit.sentence(self.operations or "engine")
        where = f" ({self.operations})" if self.operations else ""
        return f"not so: {self.prop.says}{where}"

    @property
    def headline(self) -> str:
        """One line: the mistake, and what came of it."""
        return f"{self.sentence}: {self.summary}"

    @property
    def summary(self) -> str:
        note = f" ({self.failure.note})" if self.failure.note else ""
        if not self.comparison:
            return self.failure.note
        look, came, right = self.comparison[0]
        return f"{look} came {came}, right {right}{note}"

    def __str__(self) -> str:
        return "\n".join(finding_lines(self))

    @property
    def hint(self) -> str:
        if self.diagnosis:
            return self.diagnosis.exhibit.hint
        return "A mistake that the museum does not have: work the program out by hand."


@dataclass
class Result:
    """What came of one property."""

    prop: Property
    held: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    follows: dict[str, Finding] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    not_run: str = ""

    @property
    def state(self) -> str:
        if self.findings:
            kinds = {f.kind for f in self.findings}
            return next(kind for kind in (WRONG, FRAGILE, CONVENTION) if kind in kinds)
        if self.not_run:
            return "not run"
        if self.follows:
            return "follows"
        return "holds" if self.held else "absent"

    @property
    def detail(self) -> str:
        """Which operations, and why."""
        parts = []
        names = [name for name in dict.fromkeys(self.held) if name]
        for finding in self.findings:
            parts.append(finding.operations or finding.summary)
        if self.follows:
            causes = dict.fromkeys(f.prop.name for f in self.follows.values())
            waiting = [name for name in self.follows if name]
            which = f"{', '.join(waiting[:6])}{' …' * (len(waiting) > 6)} " if waiting else ""
            parts.append(f"{which}follows from {', '.join(causes)}")
        if names and self.state == "holds":
            parts.append(f"{len(names)} operations" if len(names) > 3 else ", ".join(names))
        if self.state == "absent" and any(self.absent):
            parts.append(f"not offered: {', '.join(dict.fromkeys(self.absent))}")
        return "; ".join([*parts, *([self.not_run] if self.not_run else [])])


@dataclass
class Report:
    """All that was found; prints as text, shows as a page in a notebook."""

    target: str
    about: dict[str, Any]
    results: list[Result]
    missing: list[str]
    required: list[str]
    single: bool
    options: dict[str, Any]

    @property
    def findings(self) -> list[Finding]:
        """Wrong ones first."""
        found = [f for result in self.results for f in result.findings]
        return sorted(found, key=lambda f: (WRONG, FRAGILE, CONVENTION).index(f.kind))

    def count(self, kind: str) -> int:
        return sum(f.kind == kind for f in self.findings)

    @property
    def complete(self) -> bool:
        return not any(result.not_run for result in self.results)

    @property
    def ok(self) -> bool:
        """No wrong number, nothing required that is missing, and all was run."""
        return not self.count(WRONG) and not self.required and self.complete

    def exit_code(self, strict: bool = False) -> int:
        """0 passes, 1 fails, 2 could not run to the end; strict counts what is fragile, too."""
        if self.count(WRONG) or self.required or (strict and self.count(FRAGILE)):
            return 1
        return 0 if self.complete else 2

    @property
    def verdict(self) -> str:
        counts = [f"{self.count(kind)} {kind}" for kind in (WRONG, FRAGILE, CONVENTION)]
        missing = f", required but not offered: {', '.join(self.required)}" * bool(self.required)
        if not self.complete:
            missing += ", not all was run"
        return f"{'passes' if self.ok else 'fails'}: {', '.join(counts)}{missing}"

    def __str__(self) -> str:
        return "\n".join(text_lines(self))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return body(self)

    def html(self) -> str:
        """One page that needs nothing else, with the graph of each counterexample."""
        return page(self)

    def written(self, format: str, strict: bool = False) -> str:
        """The report as "html", "json", "junit" or "gradescope"."""
        if format in ("junit", "gradescope"):
            return self.junit(strict) if format == "junit" else self.gradescope(strict)
        return self.html() if format == "html" else self.json()

    def json(self) -> str:
        """Everything, as JSON."""
        return json.dumps(
            {
                "target": self.target, "ok": self.ok, "verdict": self.verdict, **self.options,
                "results": [
                    {"property": r.prop.name, "says": r.prop.says, "state": r.state,
                     "held": r.held, "not_offered": r.absent, "not_run": r.not_run,
                     "follows": {name: f.prop.name for name, f in r.follows.items()}}
                    for r in self.results
                ],
                "findings": [described(f) for f in self.findings],
                "not_offered": self.missing, "required": self.required,
            },
            ensure_ascii=False, indent=1,
        )  # fmt: skip

    def junit(self, strict: bool = False) -> str:
        """JUnit XML: one test case a property."""
        suite = ET.Element("testsuite", name=f"microgrid check {self.target}")
        counts = {"failures": 0, "errors": 0, "skipped": 0}
        for result, failed in graded(self, strict):
            case = ET.SubElement(
                suite, "testcase", name=result.prop.name, classname="microgrid.check"
            )
            told = "\n\n".join(str(f) for f in result.findings)
            if result.not_run and not failed:
                counts["errors"] += 1
                ET.SubElement(case, "error", message=result.not_run)
            elif failed is None:
                counts["skipped"] += 1
                ET.SubElement(case, "skipped", message=result.detail)
            elif failed:
                counts["failures"] += 1
                message = result.findings[0].headline if result.findings else result.detail
                ET.SubElement(case, "failure", message=message).text = told
            elif told:
                ET.SubElement(case, "system-out").text = told
        suite.attrib["tests"] = str(len(self.results))
        suite.attrib |= {name: str(n) for name, n in counts.items()}
        suites = ET.Element("testsuites")
        suites.append(suite)
        ET.indent(suites)
        return ET.tostring(suites, encoding="unicode", xml_declaration=True)

    def gradescope(self, strict: bool = False, points: float = 1.0) -> str:
        """Gradescope's results.json, which Otter writes, too: `points` a property that holds."""
        tests = []
        for result, failed in graded(self, strict):
            if result.state == "absent":
                continue
            score = points if failed is False else 0.0
            told = "\n\n".join(str(f) for f in result.findings)
            tests.append(
                {"name": result.prop.name, "score": score, "max_score": points,
                 "status": "passed" if score else "failed", "visibility": "visible",
                 "output": f"{result.prop.says}\n{told or result.detail}".strip()}
            )  # fmt: skip
        return json.dumps(
            {"score": sum(t["score"] for t in tests), "output": self.verdict, "tests": tests,
             "visibility": "visible", "stdout_visibility": "hidden"},
            ensure_ascii=False, indent=1,
        )  # fmt: skip


def graded(report: Report, strict: bool) -> Iterator[tuple[Result, bool | None]]:
    """Each property, and whether it failed; None where nothing can be said."""
    for result in report.results:
        if result.state in ("absent", "follows", "not run"):
            yield result, None
        else:
            yield result, result.state == WRONG or (strict and result.state == FRAGILE)


def described(finding: Finding) -> dict[str, Any]:
    diagnosis = finding.diagnosis
    return {
        "kind": finding.kind, "property": finding.prop.name, "operations": finding.subjects,
        "mistake": diagnosis.exhibit.name if diagnosis else None, "sentence": finding.sentence,
        "hint": finding.hint, "program": list(finding.program.lines),
        "compared": [
            {"look": look, "came": came, "right": right}
            for look, came, right in finding.comparison
        ],
        "note": finding.failure.note,
    }  # fmt: skip


def text_lines(report: Report) -> Iterator[str]:
    cls, module = report.about["class"], report.about["module"]
    yield f"{report.target}: {cls} of {module}"
    wide = max(len(r.prop.name) for r in report.results)
    for result in report.results:
        detail = f"  [{result.detail}]" if result.detail else ""
        line = f"  {MARKS[result.state]} {result.prop.name:{wide}}  {result.prop.says}{detail}"
        yield from textwrap.wrap(line, 100, subsequent_indent=" " * (wide + 6))
    if report.missing:
        yield from textwrap.wrap(
            f"not offered: {', '.join(report.missing)}", 100, initial_indent="  ",
            subsequent_indent="    ",
        )  # fmt: skip
    if report.single:
        yield "  single precision: numbers were compared to three digits"
    for finding in report.findings:
        yield ""
        yield from finding_lines(finding)
    yield ""
    yield report.verdict


def finding_lines(finding: Finding) -> Iterator[str]:
    """A finding as text: the mistake, the program, what came, the hint, a small picture."""
    yield from textwrap.wrap(f"{finding.kind.upper()} {finding.prop.name}: {finding.sentence}", 100)
    for line in finding.program.lines:
        yield f"    {line}"
    for look, came, right in finding.comparison:
        yield from textwrap.wrap(
            f"# {look} came {came}, right {right}", 96, initial_indent="    ",
            subsequent_indent="    #   ",
        )  # fmt: skip
    if finding.failure.note:
        yield f"    # {finding.failure.note}"
    if finding.anatomy is not None:
        yield from (f"    | {line}" for line in finding.anatomy.text())
    yield from textwrap.wrap(f"Hint: {finding.hint}", 98, initial_indent="  ",
                             subsequent_indent="  ")  # fmt: skip


def short(x: float) -> str:
    """Six digits, and no more; no minus zero."""
    return f"{x + 0.0:.6g}"
