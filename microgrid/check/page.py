"""The report as a page: a verdict, a row for each property, each finding with program and graph."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from microgrid.check.columns import folded
from microgrid.check.kinds import STATES, color_of_right, whose
from microgrid.views.files import LayoutError
from microgrid.views.theme import GROUND, theme
from microgrid.views.written import inline, whole_page

if TYPE_CHECKING:  # which needs hypothesis: the page of layers does not
    from microgrid.check.findings import Finding, Result

CLASSES = ("wrong", "holds", "fragile", "lacking", "soft")
STYLE = (
    theme("microgrid-check")
    + "\n".join([f".microgrid-check .{name}{{color:var(--{name})}}" for name in CLASSES])
    + """
.microgrid-check{max-width:1080px;margin:0 auto}
.microgrid-check .verdict{font-weight:bold;font-size:18px}
.microgrid-check .kind{display:inline-block;border:1px solid currentColor;border-radius:4px;
font-size:13px;padding:0 6px;margin-right:6px;text-transform:uppercase}
.microgrid-check.microgrid-check table{table-layout:auto}
.microgrid-check.microgrid-check :is(td,th):nth-child(n){text-align:left;overflow-wrap:anywhere}
.microgrid-check.microgrid-check :is(td:first-child,td.name,.terms *){white-space:nowrap;
overflow-wrap:normal}
.microgrid-check.microgrid-check td.long{white-space:normal;overflow-wrap:anywhere;min-width:6em}
.microgrid-check figcaption{font-size:14px;color:var(--soft)}
.microgrid-check article{border-top:2px solid var(--line);margin-top:20px}
@media (max-width:560px){.microgrid-check .says{display:none}
.microgrid-check.microgrid-check .terms :is(td,th):nth-child(n){padding-right:8px;font-size:13px}}
@media print{.microgrid-check article{break-inside:avoid}}
"""
)
CAPTION = (
    "Above each wire stands its value, beneath it its gradient; at a fork, the share of each use."
)


def page(title: str, report: str) -> str:
    """A report as a page that loads nothing else."""
    return whole_page(title, GROUND, f"<main>{report}</main>")


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
    found = list(findings)
    first = next((f for f in found if f.anatomy), None)
    parts = [
        *(article(f, i, CAPTION * (f is first)) for i, f in enumerate(found)),
        "<article><h2>All properties</h2>",
        '<table><tr><th>result</th><th>property</th><th class="says">says</th><th>where</th></tr>',
        *map(row, results),
        "</table>",
        *(f'<p class="soft">{prose(remark)}</p>' for remark in remarks),
        "</article>",
    ]
    return frame(target, about, verdict, ok, parts)


def row(result: Result) -> str:
    """One property."""
    mark, color, meaning, _ = STATES[result.state]
    return (
        f'<tr><td class="{color}">{mark} {meaning if result.state == "absent" else result.state}'
        f'</td><td class="name">{escape(result.prop.name)}</td>'
        f'<td class="says">{escape(result.prop.says)}</td>'
        f'<td class="soft">{prose(result.detail)}</td></tr>'
    )


def article(finding: Finding, number: int, caption: str) -> str:
    """One finding; its picture has a caption."""
    color = STATES[finding.kind].color
    program = "\n".join(folded(finding.program.lines))
    note = f'<p class="number">{escape(finding.failure.note)}</p>' * bool(finding.failure.note)
    more = "\n".join(finding._others())
    return (
        f"<article>{heading(finding.kind, color, finding.sentence)}"
        f'<p class="soft">{escape(finding.prop.name)}: {escape(finding.prop.says)}</p>'
        f"{code(program)}{comparison(finding)}{note}"
        f"{picture(finding, number, caption)}"
        f"{f'<p>The same with</p>{code(more)}' * bool(more)}"
        f"<p><b>Hint.</b> {prose(finding.hint)}</p></article>"
    )


def comparison(finding: Finding) -> str:
    """What came out beside what is expected; an error stands alone, without a place."""
    entries = finding.comparison
    if not entries:
        return ""
    error = not any(look for look, *_ in entries)
    columns = [
        ("looked at", ""), ("actual", STATES[finding.kind].color),
        (whose(finding.kind), color_of_right(finding.kind)),
    ][error:]  # fmt: skip
    head = "".join(f"<th>{words}</th>" for words, _ in columns)
    long = "long" * error
    rows = ""
    for entry in entries:
        pairs = zip(columns, entry[error:])
        cells = [f'<td class="number {long} {c}">{escape(x)}</td>' for (_, c), x in pairs]
        rows += f"<tr>{''.join(cells)}</tr>"
    return f"<table><tr>{head}</tr>{rows}</table>"


def code(text: str) -> str:
    """Lines of code, which the keyboard scrolls, too."""
    return f'<pre tabindex="0">{escape(text)}</pre>'


def prose(text: str) -> str:
    """A sentence in which `code` is set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def picture(finding: Finding, number: int, caption: str) -> str:
    """The graph as SVG; as text where no layout engine is installed."""
    if finding.anatomy is None:
        return ""
    try:
        svg = finding.anatomy.picture(finding.kind, f"f{number}-").pipe("svg", encoding="utf-8")
    except LayoutError:
        tree = "\n".join(finding.anatomy.text(finding.kind))
        return code(tree)
    words = f"<figcaption>{caption}</figcaption>" * bool(caption)
    name = 'class="scroll" tabindex="0" role="group" aria-label="the graph of the program"'
    return f"<figure><div {name}>{inline(svg)}</div>{words}</figure>"
