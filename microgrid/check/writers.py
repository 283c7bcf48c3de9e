"""Results for machines: rows of any report as JUnit XML, or as Gradescope's results."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One thing that was checked. `passed` is None where that is not known."""

    name: str
    passed: bool | None
    headline: str = ""  # in a line: what is wrong, or why it is not known
    text: str = ""  # all about it
    stopped: bool = False  # not known, because the check ended too early
    counts: bool = True  # in a grade; what was not tried does not

    @property
    def outcome(self) -> str:
        """The element of JUnit: "" if it passed."""
        if self.passed is None:
            return "error" if self.stopped else "skipped"
        return "" if self.passed else "failure"


def junit(title: str, group: str, rows: Iterable[Row]) -> str:
    """JUnit XML: a test case for each row.

    >>> print(junit("layers.py", "microgrid.layers", [Row("affine: dw", False, "it is zero")]))
    <?xml version='1.0' encoding='...'?>
    <testsuites>
      <testsuite name="layers.py" tests="1" failures="1" errors="0" skipped="0">
        <testcase name="affine: dw" classname="microgrid.layers">
          <failure message="it is zero" />
        </testcase>
      </testsuite>
    </testsuites>
    """
    suite = ET.Element("testsuite", name=title)
    for row in rows:
        case = ET.SubElement(suite, "testcase", name=row.name, classname=group)
        if row.outcome:
            ET.SubElement(case, row.outcome, message=row.headline).text = row.text or None
        elif row.text:
            ET.SubElement(case, "system-out").text = row.text
    suite.set("tests", str(len(suite)))
    for count, what in ("failures", "failure"), ("errors", "error"), ("skipped", "skipped"):
        suite.set(count, str(len(suite.findall(f"testcase/{what}"))))
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True)


def gradescope(verdict: str, rows: Iterable[Row], points: float = 1.0) -> str:
    """Gradescope's results.json, which Otter writes, too: `points` for a row that passed.

    A row that does not count is told without points and without a status.

    >>> rows = [Row("dx", True), Row("dw", False, "zero"), Row("db", None, counts=False)]
    >>> graded = json.loads(gradescope("1 wrong", rows, 2))
    >>> graded["score"], [(test["name"], test.get("score")) for test in graded["tests"]]
    (2, [('dx', 2), ('dw', 0.0), ('db', None)])
    """
    rows = list(rows)
    tests = [
        {"name": row.name, "visibility": "visible", "output": row.text or row.headline}
        | (points_of(row, points) if row.counts else {})
        for row in rows
    ]
    score = points * sum(bool(row.passed) for row in rows)
    return json.dumps(
        {"score": score, "output": verdict, "tests": tests,
         "visibility": "visible", "stdout_visibility": "hidden"},
        ensure_ascii=False, indent=1,
    )  # fmt: skip


def points_of(row: Row, points: float) -> dict[str, Any]:
    won = points if row.passed else 0.0
    return {"score": won, "max_score": points, "status": "passed" if row.passed else "failed"}
