"""The report as a page: a verdict, a row for each property, each finding with program and graph."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from microgrid.check.columns import folded
from microgrid.check.kinds import COLORS, STATES, color_of_right, whose
from microgrid.views.files import LayoutError
from microgrid.views.written import whole_page

if TYPE_CHECKING:  # which needs hypothesis: the page of layers does not
    from microgrid.check.findings import Finding, Result

# The class stands twice: notebooks have rules of their own for the tables in them.
STYLE = """
.microgrid-check{--bg:#fff;--fg:#1b1f24;--line:#d0d7de;--back:#f6f8fa;--ink:#333333;@@light@@;
color-scheme:light;background:var(--bg);color:var(--fg);font:16px/1.5 Arial,Helvetica,sans-serif;
padding:12px;max-width:1080px;margin:0 auto;box-sizing:border-box}
.microgrid-check *{box-sizing:border-box}
.microgrid-check h1{font-size:22px;margin:0 0 4px;overflow-wrap:anywhere}
.microgrid-check h2{font-size:17px;margin:28px 0 6px;overflow-wrap:anywhere}
.microgrid-check p{margin:4px 0;overflow-wrap:anywhere}
.microgrid-check .verdict{font-weight:bold;font-size:18px}
@@classes@@
.microgrid-check .kind{display:inline-block;border:1px solid currentColor;border-radius:4px;
font-size:13px;padding:0 6px;margin-right:6px;text-transform:uppercase}
.microgrid-check pre{background:var(--back);color:var(--fg);border:1px solid var(--line);
border-radius:6px;padding:8px 10px;margin:8px 0;overflow-x:auto;
font:14px/1.5 ui-monospace,Menlo,Consolas,monospace}
.microgrid-check.microgrid-check table{border-collapse:collapse;table-layout:auto;margin:8px 0;
font-size:15px;color:var(--fg)}
.microgrid-check.microgrid-check tr:nth-child(n){background:none}
.microgrid-check.microgrid-check :is(td,th):nth-child(n){border-bottom:1px solid var(--line);
padding:3px 14px 3px 0;text-align:left;vertical-align:top;overflow-wrap:anywhere}
.microgrid-check.microgrid-check :is(td:first-child,td.name,.terms *){white-space:nowrap;
overflow-wrap:normal}
.microgrid-check.microgrid-check td.long{white-space:normal;overflow-wrap:anywhere;min-width:6em}
.microgrid-check th{font-weight:bold;color:var(--soft)}
.microgrid-check .terms{overflow-x:auto}
.microgrid-check .number{font-family:ui-monospace,Menlo,Consolas,monospace}
.microgrid-check figure{margin:8px 0}
.microgrid-check figure div{overflow-x:auto}
.microgrid-check figcaption{font-size:14px;color:var(--soft)}
.microgrid-check figure svg{display:block;max-width:100%;height:auto}
.microgrid-check :focus-visible{outline:3px solid var(--lacking);outline-offset:2px}
.microgrid-check article{border-top:2px solid var(--line);margin-top:20px}
@media (max-width:560px){.microgrid-check .says{display:none}
.microgrid-check.microgrid-check .terms :is(td,th):nth-child(n){padding-right:8px;font-size:13px}}
@media screen and (prefers-color-scheme:dark){
.microgrid-check{--bg:#1b1f24;--fg:#f0f3f6;--line:#444c56;--back:#252b33;--ink:#d0d7de;@@dark@@;
color-scheme:dark}
.microgrid-check svg text:not([fill]){fill:var(--fg)}
.microgrid-check svg [fill=white]{fill:var(--bg)}
.microgrid-check svg [fill="#f4f7fb"]{fill:#2d3742;stroke:#9fb3c8}
.microgrid-check svg [fill="#333333"]{fill:var(--ink)}
.microgrid-check svg [stroke="#333333"]{stroke:var(--ink)}
@@pictures@@}
@media print{.microgrid-check article{break-inside:avoid}}
"""
RULES = {
    "light": (";", "--{name}:{light}"), "dark": (";", "--{name}:{dark}"),
    "classes": ("\n", ".microgrid-check .{name}{{color:var(--{name})}}"),
    "pictures": ("\n", '.microgrid-check svg [fill="{light}"]{{fill:var(--{name})}}'),
}  # fmt: skip
for place, (between, rule) in RULES.items():
    rules = [rule.format(name=n, light=light, dark=dark) for n, (light, dark) in COLORS.items()]
    STYLE = STYLE.replace(f"@@{place}@@", between.join(rules))
CAPTION = (
    "Above each wire stands its value, beneath it its gradient; at a fork, the share of each use."
)
GROUND = (  # of the page that holds nothing else
    ":root{color-scheme:light dark}body{margin:0}"
    "@media screen and (prefers-color-scheme:dark){body{background:#1b1f24}}"
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
    program = escape("\n".join(folded(finding.program.lines)))
    note = f'<p class="number">{escape(finding.failure.note)}</p>' * bool(finding.failure.note)
    more = escape("\n".join(finding._others()))
    return (
        f"<article>{heading(finding.kind, color, finding.sentence)}"
        f'<p class="soft">{escape(finding.prop.name)}: {escape(finding.prop.says)}</p>'
        f'<pre tabindex="0">{program}</pre>{comparison(finding)}{note}'
        f"{picture(finding, number, caption)}"
        f"{f'<p>The same with</p><pre tabindex=0>{more}</pre>' * bool(more)}"
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
        return f'<pre tabindex="0">{escape(tree)}</pre>'
    svg = re.sub(r"^.*?(?=<svg)", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<svg width="(\d+)pt"', r'<svg style="min-width:\1px" width="\1pt"', svg)
    words = f"<figcaption>{caption}</figcaption>" * bool(caption)
    name = 'tabindex="0" role="group" aria-label="the graph of the program"'
    return f"<figure><div {name}>{svg}</div>{words}</figure>"
