"""A worksheet as a page to print, and as a LaTeX document."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from html import escape

from microgrid.course.worksheets.problem import Problem, Sheet
from microgrid.engine.value import topological
from microgrid.views.drawing import draw
from microgrid.views.explanation import names_of
from microgrid.views.files import LayoutError
from microgrid.views.formula import LATEX
from microgrid.views.formula import latex as formula
from microgrid.views.notation import NAMES, write
from microgrid.views.tables import short
from microgrid.views.theme import GROUND, theme
from microgrid.views.wording import lowered, signed
from microgrid.views.written import inline, whole_page

STYLE = (
    theme("microgrid-sheet")
    + """
.microgrid-sheet{line-height:1.45;padding:16px;max-width:1000px;margin:0 auto}
.microgrid-sheet h2{margin:0 0 4px}
.microgrid-sheet h2 .formula{font-weight:normal;margin-left:10px}
.microgrid-sheet h2 .told{font-weight:normal;font-size:14px;color:var(--soft);margin-left:10px}
.microgrid-sheet h2 .points{float:right;font-weight:normal;font-size:14px;color:var(--soft)}
.microgrid-sheet .name{display:flex;flex-wrap:wrap;gap:8px 24px;margin:14px 0}
.microgrid-sheet .name span{flex:1 1 140px;border-bottom:1px solid var(--fg);min-height:24px}
.microgrid-sheet .name span:first-child{flex:3 1 260px}
.microgrid-sheet article{border-top:1px solid var(--line);margin-top:16px;padding-top:12px;
break-inside:avoid}
.microgrid-sheet figure{margin:6px 0;overflow-x:auto}
.microgrid-sheet .small{color:var(--soft);font-size:12px;float:right;margin:6px 0 0 12px}
.microgrid-sheet.microgrid-sheet table{font-size:13px}
.microgrid-sheet .appendix{break-before:page;border-top:1px solid var(--line);margin-top:16px;
padding-top:16px}
.microgrid-sheet .appendix table{width:100%}.microgrid-sheet .appendix h2{margin-top:14px}
.microgrid-sheet .appendix td:first-child{width:56%}.microgrid-sheet tr{break-inside:avoid}
.microgrid-sheet .appendix h2{break-after:avoid}
.microgrid-sheet.microgrid-sheet .blanks{font-size:15px}
.microgrid-sheet.microgrid-sheet .blanks :is(td,th):nth-child(n){border:1px solid var(--line);
padding:5px 12px;min-width:64px;text-align:left}
@media (max-width:560px){.microgrid-sheet .small{float:none;margin:0 0 6px}}
@media print{.microgrid-sheet{padding:0;max-width:none;font-size:11pt}
.microgrid-sheet .appendix{border:0}.microgrid-sheet article{margin-top:10px;padding-top:8px}
.microgrid-sheet figure{overflow:visible;margin:2px 0}.microgrid-sheet .name{margin:8px 0}
.microgrid-sheet figure svg{width:auto;max-width:100%;max-height:43mm}}
"""
)


FIELDS = '<p class="name"><span>Name</span><span>Date</span></p>'
PAPER = GROUND + "@page{size:A4;margin:15mm}"  # not for a notebook that shows the sheet


def html(sheet: Sheet, answers: bool = False) -> str:
    """One page without network or script, for screen and A4; with `answers`, the solution."""
    main = f"<main>{body(sheet, answers)}</main>"
    return whole_page(title(sheet, answers), PAPER, main, xml=True)


def title(sheet: Sheet, answers: bool) -> str:
    return f"{'Answers to ' * answers}Worksheet {sheet.seed}: {sheet.kind}"


def body(sheet: Sheet, answers: bool) -> str:
    """The sheet or its solution as one element, for a notebook, too."""
    kind = sheet.problems[0].kind
    task = f"{FIELDS}<p>{escape(kind.task)}</p>"
    legend = f"<p>{SHARES}</p>" if kind.forks else ""
    return "\n".join(
        [
            f'<div class="microgrid-sheet"><style>{STYLE}</style>',
            f'<p class="small">{escape(sheet.command)}</p>',
            f"<h1>{escape(title(sheet, answers))}</h1>{legend if answers else task}",
            *[article(sheet, i, answers) for i in range(len(sheet.problems))],
            f"{appendix(sheet) if answers else ''}</div>",
        ]
    )


SHARES = "The small red numbers at a fork are shares: their sum is the gradient."


def single(problem: Problem, title: str) -> str:
    """One page as `html`, of one problem that belongs to no sheet; its solution is behind it."""
    parts = [
        f'<div class="microgrid-sheet"><style>{STYLE}</style><h1>{escape(title)}</h1>',
        f"{FIELDS}<p>{escape(problem.kind.task)}</p>{solved(0, problem, 'w-', False)}",
        f'<div class="appendix"><h2>Answers</h2>{solved(0, problem, "a-", True)}</div></div>',
    ]
    return whole_page(title, PAPER, f"<main>{''.join(parts)}</main>", xml=True)


def article(sheet: Sheet, i: int, answers: bool) -> str:
    """One problem of a sheet, or its solution."""
    prefix = f"w{sheet.kind}{sheet.seed}-{i + 1}{'a' * answers}-"
    return solved(i, sheet.problems[i], prefix, answers)


def solved(i: int, problem: Problem, prefix: str, answers: bool) -> str:
    """A problem, or its solution."""
    points = len(problem.blanks)
    count = f"{points} points" if answers else f"… / {points}"
    drawn = picture(problem, prefix, answers)
    return f"<article>{heading(i, problem, count)}{drawn}</article>"


def heading(i: int, problem: Problem, count: str = "") -> str:
    points = f'<span class="points">{count}</span>' if count else ""
    values = [f"{lowered(x)}\u00a0=\u00a0{short(problem.given[x])}" for x in problem.leaves]
    told = signed(", ".join(values))
    formula = f'<span class="formula">{escape(problem.expression)}</span>'
    return f'<h2>{points}{i + 1}{formula} <span class="told">{escape(told)}</span></h2>'


def picture(problem: Problem, prefix: str, answers: bool) -> str:
    """The circuit with boxes to write into; a table where no layout engine is installed."""
    twin = copy.deepcopy(problem.root)  # the owner of the problem may have run its graph
    twin.zero_grad()
    if problem.kind.gradients:
        twin.backward()
    node = dict(zip(problem.order, topological(twin)))
    blanks = () if answers else problem.blanks
    values, passed = ([node[b.node] for b in blanks if b.gradient is g] for g in (False, True))
    drawn = draw(
        twin, problem.decimals, problem.layout, prefix, level="gates", blank_values=values,
        blank_gradients=passed,
    )  # fmt: skip
    try:
        svg = drawn.pipe("svg", encoding="utf-8")
    except LayoutError:
        return blanks_table(problem, answers)
    label = f'role="img" aria-label="{escape(problem.expression)}"'
    name = f'tabindex="0" role="group" aria-label="circuit {escape(problem.expression)}"'
    return f"<figure {name}>{inline(svg).replace('<svg', f'<svg {label}', 1)}</figure>"


def entries(problem: Problem, answers: bool) -> Iterator[tuple[str, str, str | None, str | None]]:
    """Of each node its name, formula, value, gradient; None is a blank, "" is not on the sheet."""
    blanks = {(b.node, b.gradient) for b in problem.blanks if not answers}
    names = names_of(problem.order)
    for v in [v for v in problem.order if v.label]:
        value = None if (v, False) in blanks else signed(short(v.data))
        passed = signed(short(problem.gradients[v])) if problem.kind.gradients else ""
        gradient = None if (v, True) in blanks else passed
        yield v.label, write(v, NAMES, names) if v.op else "", value, gradient


def blanks_table(problem: Problem, answers: bool) -> str:
    """The circuit without a picture: a row for each node, empty cells for blanks."""
    head = ["node", "gate", "value", *["gradient"] * problem.kind.gradients]
    lines = ["".join(f"<th>{name}</th>" for name in head)]
    for row in entries(problem, answers):
        lines.append("".join(f"<td>{escape(x or '')}</td>" for x in row[: len(head)]))
    return f'<table class="blanks">{"".join(f"<tr>{line}</tr>" for line in lines)}</table>'


def appendix(sheet: Sheet) -> str:
    """For teachers who mark by hand: the usual mistakes, and the numbers that each gives."""
    parts = []
    for i, problem in enumerate(sheet.problems):
        rows = [f"<tr><td>{escape(x)}</td><td>{escape(y)}</td></tr>" for x, y in wrong(problem)]
        parts.append(f"<section>{heading(i, problem)}<table>{''.join(rows)}</table></section>")
    head = "<h2>Wrong numbers and where they come from</h2>"
    return f'<div class="appendix">{head}{"".join(parts)}</div>'


def wrong(problem: Problem) -> list[tuple[str, str]]:
    """The hint of each usual mistake, and its numbers where they are not the right ones."""
    found: dict[str, list[str]] = {}
    for blank in problem.blanks:
        for hint, x in problem.mistakes(blank):
            if x != blank.right:
                found.setdefault(hint, []).append(f"{blank.key}\u00a0=\u00a0{signed(short(x))}")
    return [(hint.replace("*", ""), ", ".join(told)) for hint, told in found.items()]


# LaTeX

PREAMBLE = r"""\documentclass[11pt]{article}
\usepackage[a4paper,margin=20mm]{geometry}
\usepackage{amsmath}
\setlength{\parindent}{0pt}
\renewcommand{\arraystretch}{1.6}
\newcommand{\blank}{\framebox[16mm]{\rule{0pt}{4mm}}}
\begin{document}
"""


def latex(sheet: Sheet, answers: bool = False) -> str:
    """A LaTeX document: each circuit as a formula, and a table of its nodes with blanks."""
    name = r"Name: \hrulefill{} Date: \makebox[40mm]{\hrulefill}\par\medskip" + "\n"
    parts = [
        PREAMBLE + rf"\section*{{{title(sheet, answers)}}}",
        ("" if answers else name) + tex_task(sheet.problems[0]),
        *[tex_problem(i, problem, answers) for i, problem in enumerate(sheet.problems, 1)],
        rf"\vfill{{\footnotesize\texttt{{{sheet.command.replace('--', '-{}-')}}}}}",
        r"\end{document}",
    ]
    return "\n\n".join(parts) + "\n"


def tex_task(problem: Problem) -> str:
    """The task, in words for a table without wires."""
    asked = ["value"] * problem.kind.values + ["gradient"] * problem.kind.gradients
    told = "The gradient of $f$ with respect to each node; that of $f$ itself is 1."
    return f"Fill in each {' and each '.join(asked)}. {told * problem.kind.gradients}".strip()


def tex_problem(number: int, problem: Problem, answers: bool) -> str:
    """One problem on one page."""
    head = ["node", "gate", "value", *["gradient"] * problem.kind.gradients]
    names = {v.label: v for v in problem.order}
    rows = []
    for label, gate, *numbers in entries(problem, answers):
        made = f"${formula(names[label], stop_at_labels=True)}$" if gate else ""
        cells = [r"\blank" if x is None else f"${x.replace('−', '-')}$" for x in numbers]
        rows.append(" & ".join([f"${label}$", made, *cells][: len(head)]) + r" \\")
    formulas = "$, $".join(problem.statements(LATEX))
    return "\n".join(
        [
            r"\begin{minipage}{\textwidth}\medskip",
            rf"\textbf{{{number}}}\quad ${formulas}$\par\smallskip",
            rf"\begin{{tabular}}{{ll{'r' * (len(head) - 2)}}}",
            " & ".join(head) + r" \\ \hline",
            *rows,
            r"\end{tabular}",
            r"\end{minipage}",
        ]
    )
