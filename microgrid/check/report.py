"""The report: for a terminal, and as a page, JSON, JUnit XML or Gradescope's results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from microgrid.check import writers
from microgrid.check.columns import WIDTH, wrapped
from microgrid.check.findings import Finding, Result, sign
from microgrid.check.kinds import CONVENTION, KINDS, NOT_OFFERED, STATES, failing
from microgrid.check.page import body, page
from microgrid.check.process import printable
from microgrid.check.writers import Row
from microgrid.views.written import Written

NO_BREAK = "\u00a0"
HELD = ("holds", CONVENTION, "not run")  # what is not run has an exit code of its own
UNTRIED = ("absent", NOT_OFFERED, "waits", "not run")  # states of which no grade can say anything


@dataclass
class Report(Written):
    """The results of a check: true to `ok` if it passes; prints as text, shows as a page.

    `findings` are the mistakes, `missing` the operations that the engine does not offer, `results`
    what came of each property. `save` writes it as .html, .json, .txt, or JUnit's .xml.

    >>> from microgrid.check import check, museum
    >>> report = check(museum.broken("overwrites", "add"), only=["reuse"])
    >>> report.ok, report.verdict
    (False, 'fails: 1 wrong')
    >>> print(report.findings[0].hint)
    Every use of a node sends a share: use `+=` where you wrote `=`.
    >>> report.count("wrong"), report.complete, report.lacking, report.exit_code
    (1, True, [], 1)
    """

    target: str
    about: dict[str, Any]
    results: list[Result]
    missing: list[str]  # operations that are not offered
    unknown: list[str]  # methods that the checker does not know
    required: list[str]
    strict: bool
    single: bool
    options: dict[str, Any]

    @property
    def findings(self) -> list[Finding]:
        """Wrong ones first."""
        found = [f for result in self.results for f in result.findings]
        return sorted(found, key=lambda f: KINDS.index(f.kind))

    def count(self, kind: str) -> int:
        """How many findings are "wrong", "fragile", "not offered" or "convention"."""
        return sum(f.kind == kind for f in self.findings)

    @property
    def lacking(self) -> list[str]:
        """Required operations that are not offered, and required properties that do not hold."""
        unsound = {r.prop.name for r in self.results if r.state not in HELD}
        return [name for name in self.required if name in unsound or name in self.missing]

    @property
    def complete(self) -> bool:
        """Whether all was run, and no time limit cut it short."""
        return not any(result.not_run for result in self.results)

    @property
    def exit_code(self) -> int:
        """0 if it passes, 1 if it fails (strict: also by what is fragile), 2 if cut short."""
        if self.lacking or any(map(self.count, failing(self.strict))):
            return 1
        return 0 if self.complete else 2

    @property
    def ok(self) -> bool:
        """Whether no number is wrong, no required operation is lacking, and all was run."""
        return self.exit_code == 0

    @property
    def verdict(self) -> str:
        """Whether it passes, and how many findings of each kind there are, in one line."""
        word = ("passes", "fails", "was not checked to the end")[self.exit_code]
        if self.exit_code == 2 and not any(row.counts for row in self._rows):
            word = "nothing could be judged"
        counts = [f"{self.count(kind)} {kind}" for kind in KINDS if self.count(kind)]
        lacking = f", required but lacking: {', '.join(self.lacking)}" * bool(self.lacking)
        strict = " (strict)" if self.strict else ""
        early = "" if self.complete else ", not all was run"
        return f"{word}{strict}: {', '.join(counts) or 'no findings'}{lacking}{early}"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        options = [f"{name} {value}" for name, value in self.options.items()]
        about = "; ".join([*self._heading, ", ".join(options)])
        return body(self.target, about, self.verdict, self.ok, self.findings, self.results,
                    self.remarks)  # fmt: skip

    @property
    def _heading(self) -> list[str]:
        """What was checked, how its programs begin, and what was to be said when it was loaded."""
        name, module, language = (self.about[key] for key in ("class", "module", "language"))
        remarks = map(printable, self.about.get("remarks", []))
        if language != "Python":
            return [f"{name}, in {language}", "programs are shown as Python writes them", *remarks]
        begin = [f"programs begin with: from {module} import *"] * bool(self.about["file"])
        return [f"{name} of {module}", *begin, *remarks]

    @property
    def remarks(self) -> list[str]:
        """What was not offered or not checked, and whether in single precision."""
        remarks = [*map(printable, self.about["remarks"])]
        remarks += [f"not offered: {', '.join(map(sign, self.missing))}"] if self.missing else []
        if self.unknown:
            remarks.append(f"NOT CHECKED, as the checker does not know: {', '.join(self.unknown)}")
        if self.single:
            remarks.append("single precision: numbers were compared to three digits")
        return remarks

    def lines(self) -> Iterator[str]:
        """The report as lines of text: each property with a mark, then each finding."""
        target, *more = self._heading
        yield from wrapped(f"{self.target}: {target}", rest="  ")
        for line in more:
            yield from wrapped(line, "  ", "    ")
        yield ""
        yield from self._table
        for remark in self.remarks:
            yield from wrapped(remark, "  ", "    ")
        for finding in self.findings:
            yield ""
            yield from finding.lines()
        yield ""
        yield from wrapped(self.verdict, rest="  ")

    @property
    def _table(self) -> Iterator[str]:
        """What each property says and what came of it; then what the marks mean."""
        wide = max(len(r.prop.name) for r in self.results)
        room = " " * (wide + 6)
        for result in self.results:
            begin = f"  {STATES[result.state].mark} {result.prop.name:{wide}}  "
            if result.detail and result.state in ("waits", "follows", "absent"):
                yield from wrapped(result.detail, begin, room)
                continue
            *before, last = wrapped(result.prop.says, begin, room)
            detail = f"[{result.detail}]" if result.detail else ""
            beside = f"{last}  {detail}".rstrip()
            fits = len(beside) <= WIDTH
            yield from [*before, beside if fits else last]
            yield from [] if fits else wrapped(detail, room, f"{room} ")
        states = {result.state for result in self.results}
        known = [f"{kind.mark} {kind.meaning}" for name, kind in STATES.items() if name in states]
        legend = "   ".join(dict.fromkeys(name.replace(" ", NO_BREAK) for name in known))
        yield from (line.replace(NO_BREAK, " ") for line in wrapped(legend, "  "))

    def html(self) -> str:
        """One page that loads nothing else, with the graph of each counterexample."""
        return page(f"microgrid check {self.target}", self._repr_html_())

    def written(self, format: str) -> str:
        """The report as "html", "json", "junit" or "gradescope"."""
        return str(getattr(self, format)()) + "\n"

    def json(self) -> str:
        """Everything, as JSON.

        Its keys: target, class, language, ok, verdict, the options of the check, results (of each
        property: what it says, its state, and the operations of which it held), findings (kind,
        property, operations, mistake, sentence, hint, program, what was compared), not_offered,
        not_checked, required, lacking.

        >>> import json
        >>> from microgrid.check import check, museum
        >>> report = check(museum.broken("overwrites", "add"), only=["reuse"])
        >>> found = json.loads(report.json())["findings"][0]
        >>> found["mistake"], found["operations"], found["compared"]
        ('overwrites', ['add'], [{'look': 'a.grad', 'actual': '1', 'expected': '2'}])
        """
        return json.dumps(
            {
                "target": self.target, "class": self.about["class"],
                "language": self.about["language"], "ok": self.ok, "verdict": self.verdict,
                **self.options,
                "results": [
                    {"property": r.prop.name, "says": r.prop.says, "state": r.state,
                     "held": r.held, "not_offered": r.absent, "not_run": r.not_run,
                     "follows": {name: f.prop.name for name, f in r.follows.items()},
                     "waits": {name: f.prop.name for name, f in r.waits.items()}}
                    for r in self.results
                ],
                "findings": [described(f) for f in self.findings],
                "not_offered": self.missing, "not_checked": self.unknown,
                "required": self.required, "lacking": self.lacking,
            },
            ensure_ascii=False, indent=1,
        )  # fmt: skip

    def junit(self) -> str:
        """JUnit XML: one test case a property, and one for each operation that is required."""
        return writers.junit(f"microgrid check {self.target}", "microgrid.check", self._rows)

    def gradescope(self, points: float = 1.0) -> str:
        """Gradescope's results.json, which Otter writes, too: `points` a property that holds.

        A property that was not run to its end, that waits for another to be mended, or for which
        the engine offers nothing to try, is told without points.
        """
        return writers.gradescope(self.verdict, self._rows, points)

    @property
    def _rows(self) -> Iterator[Row]:
        """Each property, then each operation that is required."""
        fails = failing(self.strict)
        for r in self.results:
            tried = r.state not in UNTRIED or r.state in fails
            passed = r.state not in fails if tried and r.state != "follows" else None
            headline = r.findings[0].headline if passed is False else r.detail
            text = "\n\n".join(map(str, r.findings))
            yield Row(r.prop.name, passed, headline, text, bool(r.not_run), tried)
        for name in self.required:
            lacks = name in self.lacking
            yield Row(f"requires {name}", not lacks, "not offered" * lacks)


def described(finding: Finding) -> dict[str, Any]:
    diagnosis = finding.diagnosis
    return {
        "kind": finding.kind, "property": finding.prop.name, "operations": finding.subjects,
        "mistake": diagnosis.mistake.name if diagnosis else None, "sentence": finding.sentence,
        "hint": finding.hint, "program": list(finding.program.lines),
        "compared": [
            {"look": look, "actual": actual, "expected": expected}
            for look, actual, expected in finding.comparison
        ],
        "note": finding.failure.note,
    }  # fmt: skip
