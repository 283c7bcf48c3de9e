"""The report as a page: a verdict, a row for each property, each finding with program and graph."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from microgrid.views.files import LayoutError

if TYPE_CHECKING:  # which needs hypothesis: the page of layers does not
    from microgrid.check.findings import Finding, Result

# The class stands twice: notebooks have rules of their own for the tables in them.
STYLE = """
.microgrid-check{--bg:#fff;--fg:#1b1f24;--soft:#57606a;--line:#d0d7de;--back:#f6f8fa;
--wrong:#b3261e;--fragile:#8a5a00;--convention:#57606a;--holds:#0a7d20;color-scheme:light;
background:var(--bg);color:var(--fg);font:16px/1.5 Arial,Helvetica,sans-serif;padding:12px;
max-width:1080px;box-sizing:border-box}
.microgrid-check *{box-sizing:border-box}
.microgrid-check h1{font-size:22px;margin:0 0 4px;overflow-wrap:anywhere}
.microgrid-check h2{font-size:17px;margin:28px 0 6px;overflow-wrap:anywhere}
.microgrid-check p{margin:4px 0}
.microgrid-check .soft{color:var(--soft)}
.microgrid-check .verdict{font-weight:bold;font-size:18px}
.microgrid-check .wrong{color:var(--wrong)}.microgrid-check .fragile{color:var(--fragile)}
.microgrid-check .convention{color:var(--convention)}.microgrid-check .holds{color:var(--holds)}
.microgrid-check .kind{display:inline-block;border:1px solid currentColor;border-radius:4px;
font-size:13px;padding:0 6px;margin-right:6px;text-transform:uppercase}
.microgrid-check pre{background:var(--back);border:1px solid var(--line);border-radius:6px;
padding:8px 10px;margin:8px 0;overflow-x:auto;font:14px/1.5 ui-monospace,Menlo,Consolas,monospace}
.microgrid-check.microgrid-check table{border-collapse:collapse;table-layout:auto;margin:8px 0;
font-size:15px}
.microgrid-check.microgrid-check tr:nth-child(n){background:none}
.microgrid-check.microgrid-check :is(td,th):nth-child(n){border-bottom:1px solid var(--line);
padding:3px 14px 3px 0;text-align:left;vertical-align:top;overflow-wrap:anywhere}
.microgrid-check.microgrid-check :is(td:first-child,td.name,.terms *){white-space:nowrap;
overflow-wrap:normal}
.microgrid-check.microgrid-check td.long{white-space:normal;overflow-wrap:anywhere;min-width:6em}
.microgrid-check th{font-weight:bold;color:var(--soft)}
.microgrid-check .terms{overflow-x:auto}
.microgrid-check .number{font-family:ui-monospace,Menlo,Consolas,monospace}
.microgrid-check figure{margin:8px 0;overflow-x:auto;background:#fff}
.microgrid-check figure svg{max-width:none;height:auto}
.microgrid-check article{border-top:2px solid var(--line);margin-top:20px}
@media (max-width:560px){.microgrid-check .says{display:none}
.microgrid-check.microgrid-check .terms :is(td,th):nth-child(n){padding-right:8px;font-size:13px}}
@media print{.microgrid-check article{break-inside:avoid}}
"""


def frame(title: str, about: str, verdict: str, ok: bool, parts: Iterable[str]) -> str:
    """A report as one element, for a notebook, too: the verdict, then its parts."""
    return "\n".join(
        [
            f'<div class="microgrid-check"><style>{STYLE}</style>',
            f"<h1>{escape(title)}</h1>",
            f'<p class="soft">{escape(about)}</p>',
            f'<p class="verdict {"holds" if ok else "wrong"}">{escape(verdict)}</p>',
            *parts,
            "</div>",
        ]
    )


def heading(kind: str, mood: str, sentence: str) -> str:
    """The heading of a mistake: its kind in a box, and the sentence that names it."""
    return f'<h2><span class="kind {mood}">{escape(kind)}</span>{prose(sentence)}</h2>'


def body(
    target: str, about: str, verdict: str, ok: bool, findings: Iterable[Finding],
    results: Iterable[Result], remarks: Iterable[str],
) -> str:  # fmt: skip
    """The report on an engine as one element."""
    rows = "".join(
        f'<tr><td class="soft {r.state}">{r.state.replace("absent", "not offered")}</td>'
        f'<td class="name">{escape(r.prop.name)}</td>'
        f'<td class="says">{escape(r.prop.says)}</td><td class="soft">{prose(r.detail)}</td></tr>'
        for r in results
    )
    parts = [
        *(article(f, i) for i, f in enumerate(findings)),
        "<article><h2>All properties</h2>",
        '<table><tr><th></th><th>property</th><th class="says">says</th><th></th></tr>',
        f"{rows}</table>",
        *(f'<p class="soft">{escape(remark)}</p>' for remark in remarks),
        "</article>",
    ]
    return frame(target, about, verdict, ok, parts)


def article(finding: Finding, number: int) -> str:
    """One finding."""
    program = escape("\n".join(finding.program.lines))
    notes = [*([finding.failure.note] if finding.failure.note else []), *finding.more]
    note = "".join(f'<p class="number">{escape(note)}</p>' for note in notes)
    rows = "".join(
        f'<tr><td class="number">{escape(look)}</td><td class="number {finding.kind}">'
        f'{escape(actual)}</td><td class="number holds">{escape(expected)}</td></tr>'
        for look, actual, expected in finding.comparison
    )
    return (
        f"<article>{heading(finding.kind, finding.kind, finding.sentence)}"
        f'<p class="soft">{escape(finding.prop.name)}: {escape(finding.prop.says)}</p>'
        f"<pre>{program}</pre>"
        f"<table><tr><th></th><th>actual</th><th>expected</th></tr>{rows}</table>{note}"
        f"{picture(finding, number)}<p><b>Hint.</b> {prose(finding.hint)}</p></article>"
    )


def prose(text: str) -> str:
    """A sentence in which `code` is set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def picture(finding: Finding, number: int) -> str:
    """The graph as SVG; as text where no layout engine is installed."""
    if finding.anatomy is None:
        return ""
    try:
        svg = finding.anatomy.picture(f"f{number}-").pipe("svg", encoding="utf-8")
    except LayoutError:
        return f"<pre>{escape(chr(10).join(finding.anatomy.text()))}</pre>"
    svg = re.sub(r"^.*?(?=<svg)", "", svg, flags=re.DOTALL)
    return f"<figure>{svg}</figure>"
