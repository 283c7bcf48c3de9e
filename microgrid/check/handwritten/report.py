"""The report on layers: for a terminal, and as a page, JSON, JUnit XML or Gradescope's results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from microgrid.check import writers
from microgrid.check.columns import wrapped
from microgrid.check.handwritten import results
from microgrid.check.handwritten.page import body
from microgrid.check.handwritten.process.serialization import to_json
from microgrid.check.handwritten.results import FAILING, ORDER, Found, Gradient
from microgrid.check.handwritten.telling import (
    full_name,
    layer_lines,
    mistake_lines,
    setting_of,
    told,
)
from microgrid.check.page import page
from microgrid.check.writers import Row
from microgrid.views.written import Written

UNKNOWN = (results.NOT_WRITTEN, results.TIE)  # nothing was held against anything


@dataclass
class LayerReport(Written):
    """What is right and what is wrong with layers: true if nothing is wrong or left unwritten.

    `found` has a result for each layer, with its `gradients`, `habits` and, where it could not be
    checked, the `refusal`; settings of a layer that could not be run are `refused`. `remarks` are
    about the whole file, `unfinished` says why some layers were not looked at. `save` writes the
    report as .html, .json, .txt, or JUnit's .xml.

    >>> from microgrid.check.handwritten.results import Found, Gradient
    >>> report = LayerReport("layers.py", [Found("relu", gradients=[Gradient("x", "dx")])])
    >>> bool(report), report.verdict
    (True, 'passes: 1 right in 1 layer')
    >>> report.found[0].gradients.append(Gradient("a", "da", "wrong", 4, 4, sentences=["it is 0"]))
    >>> report.ok, report.exit_code, report.count("wrong")
    (False, 1, 1)
    >>> print(report)
    layers.py
    <BLANKLINE>
    relu
      ✓ dx  right
      ✗ da  wrong, 4 of 4 entries
          it is 0
    <BLANKLINE>
    fails: 1 wrong, 1 right in 1 layer
    """

    target: str
    found: list[Found]
    seed: int = 0
    remarks: list[str] = field(default_factory=list)
    unfinished: str = ""

    @property
    def gradients(self) -> list[Gradient]:
        """Those of all layers."""
        return [gradient for found in self.found for gradient in found.gradients]

    def count(self, verdict: str) -> int:
        """How many gradients are "right", "wrong", "shape", …"""
        return sum(gradient.verdict == verdict for gradient in self.gradients)

    @property
    def exit_code(self) -> int:
        """0 if nothing is wrong, 1 if something is, 2 if nothing, or not all, could be checked."""
        if any(self.count(verdict) for verdict in FAILING):
            return 1
        checked = any(gradient.verdict not in UNKNOWN for gradient in self.gradients)
        return 0 if checked and not self.unfinished else 2

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, nothing is left unwritten, and every layer was checked."""
        refused = any(found.refusal for found in self.found)
        return self.exit_code == 0 and not refused and not self.count(results.NOT_WRITTEN)

    def __bool__(self) -> bool:
        return self.ok

    @property
    def verdict(self) -> str:
        """Whether it passes, and how many gradients have each verdict, in one line."""
        word = ("passes" if self.ok else "nothing is wrong, but not all was checked", "fails",
                "was not checked")[self.exit_code]  # fmt: skip
        counts = [f"{n} {verdict}" for verdict in ORDER if (n := self.count(verdict))]
        refused = sum(bool(found.refusal) for found in self.found)
        layers = f"{len(self.found)} layer{'s' * (len(self.found) != 1)}"
        within = f"{', '.join(counts) or 'nothing'} in {layers}"
        not_checked = f", {refused} of them not checked" * bool(refused)
        unfinished = f"; {self.unfinished}" if self.unfinished else ""
        return f"{word}: {within}{not_checked}{unfinished}"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    __repr__ = __str__

    def lines(self) -> Iterator[str]:
        """The report as lines of text: each layer with its gradients, then the verdict."""
        yield self.target
        for remark in self.remarks:
            yield from wrapped(remark, "  ", "    ")
        for found in self.found:
            yield ""
            yield from layer_lines(found)
        yield ""
        yield from wrapped(self.verdict, rest="  ")

    def _repr_html_(self) -> str:
        return body(self.target, f"seed {self.seed}", self.verdict, self.ok, self.found,
                    self.remarks)  # fmt: skip

    def html(self) -> str:
        """One page that loads nothing else."""
        return page(f"microgrid layers {self.target}", self._repr_html_())

    def written(self, format: str) -> str:
        """The report as "html", "json", "junit" or "gradescope"."""
        return str(getattr(self, format)()) + "\n"

    def json(self) -> str:
        """Everything, as JSON: target, ok, verdict, exit_code, seed, remarks, unfinished, layers.

        >>> from microgrid.check.handwritten.results import Found, Gradient
        >>> report = LayerReport("layers.py", [Found("relu", gradients=[Gradient("x", "dx")])])
        >>> json.loads(report.json())["layers"][0]["gradients"][0]["verdict"]
        'right'
        """
        return json.dumps(
            {
                "target": self.target, "ok": self.ok, "verdict": self.verdict,
                "exit_code": self.exit_code, "seed": self.seed, "remarks": self.remarks,
                "unfinished": self.unfinished, "layers": [to_json(found) for found in self.found],
            },
            ensure_ascii=False, indent=1,
        )  # fmt: skip

    def junit(self) -> str:
        """JUnit XML: a test case for each gradient, and for what could not be checked."""
        rows = [*self._rows, *self._refused]
        return writers.junit(f"microgrid layers {self.target}", "microgrid.layers", rows)

    def gradescope(self, points: float = 1.0) -> str:
        """Gradescope's results.json, which Otter writes, too: `points` a gradient that is right."""
        return writers.gradescope(self.verdict, self._rows, points)

    @property
    def _rows(self) -> Iterator[Row]:
        """A row for each gradient, and one for a layer that could not be checked."""
        for found in self.found:
            if found.refusal:
                yield Row(found.name, None, found.refusal)
            for gradient in found.gradients:
                yield row(found, gradient)
        if self.unfinished:
            yield Row("all layers", None, self.unfinished, stopped=True, counts=False)

    @property
    def _refused(self) -> Iterator[Row]:
        """A row for each setting of a layer that could not be run, which costs no points."""
        for found in self.found:
            for refused in found.refused:
                yield Row(found.name, None, f"with {refused}")


def row(found: Found, gradient: Gradient) -> Row:
    """A gradient for machines; where it is wrong, all that is told of its layer."""
    failing = gradient.verdict in FAILING
    passed = None if gradient.verdict in UNKNOWN else not failing
    where = setting_of(found, gradient)
    setting = f" ({where})" if where else ""
    lines = [line[6:] for line in mistake_lines(gradient)] + (told(found) if failing else [])
    headline = "; ".join([gradient.verdict, *gradient.sentences[:1]])
    if gradient.detail:
        headline += f": {gradient.detail}"
    return Row(f"{full_name(found, gradient)}{setting}", passed, headline, "\n".join(lines))
