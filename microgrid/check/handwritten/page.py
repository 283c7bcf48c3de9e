"""The report on layers as a page: the mistakes first, then all gradients in a table."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from microgrid.check.handwritten import results
from microgrid.check.handwritten.results import FAILING, Found, Gradient, Worst
from microgrid.check.handwritten.telling import (
    MARKS,
    cells,
    full_name,
    name_of,
    number,
    settings,
    summary,
    told,
)
from microgrid.check.page import code, frame, heading, prose

MOODS = {**dict.fromkeys(FAILING, "wrong"), results.RIGHT: "holds", results.GUARD: "fragile",
         results.BY_DESIGN: "fragile"}  # fmt: skip


def body(
    target: str, about: str, verdict: str, ok: bool, found: Iterable[Found], remarks: Iterable[str]
) -> str:
    """The report on layers as one element."""
    layers = list(found)
    parts = [
        *(f"<p>{prose(remark)}</p>" for remark in remarks),
        *(article(layer, g) for layer in layers for g in layer.gradients if told_at_length(g)),
        "<article><h2>All gradients</h2>",
        "<table>",
        *map(rows, layers),
        "</table></article>",
    ]
    return frame(target, about, verdict, ok, parts)


def told_at_length(gradient: Gradient) -> bool:
    return gradient.verdict in FAILING or bool(gradient.sentences)


def article(found: Found, gradient: Gradient) -> str:
    """One mistake: its line, what is the matter, and the worst entry."""
    name = full_name(found, gradient)
    sentences = gradient.sentences or [gradient.detail or gradient.verdict]
    line = gradient.line if gradient.verdict in FAILING else None
    return "".join(
        [
            f"<article>{heading(gradient.verdict, mood(gradient), f'{name}: {sentences[0]}')}",
            f'<p class="soft">{escape(settings(found))}</p>' * bool(found.setting),
            f"<p>{prose(summary(found, gradient))}</p>" * bool(gradient.sentences),
            code(f"{line.number:4}  {line.text}") if line is not None else "",
            *(f"<p>{prose(sentence)}</p>" for sentence in sentences[1:]),
            f"<p>inside: {prose(found.inside)}</p>"
            * (bool(found.inside) and gradient.verdict == results.WRONG),
            worst_table(gradient.worst) if gradient.worst else "",
            "</article>",
        ]
    )


def mood(gradient: Gradient) -> str:
    return MOODS.get(gradient.verdict, "soft")


def worst_table(worst: Worst) -> str:
    """The worst entry and its terms, yours beside the right ones; both as formulas."""
    lines = [(worst.entry, number(worst.theirs), number(worst.right), "")]
    table = "".join(
        f'<tr><td class="number">{escape(what)}</td><td class="number wrong">{escape(theirs)}</td>'
        f'<td class="number holds">{escape(right)}</td><td>{escape(note)}</td></tr>'
        for what, theirs, right, note in [*lines, *map(cells, worst.terms)]
    )
    formulas = code("\n".join(worst.formulas)) if worst.formulas else ""
    head = "<tr><td></td><th>yours</th><th>right</th><td></td></tr>"
    return f'<div class="terms"><table>{head}{table}</table></div>{formulas}'


def rows(found: Found) -> str:
    """The rows of a layer in the table of all gradients."""
    name = f"<b>{escape(found.name)}</b>"
    setting = f' <span class="soft">{escape(settings(found))}</span>' * bool(found.setting)
    return "".join(
        [
            f'<tr><td colspan="3" class="long">{name}{setting}</td></tr>',
            *(
                f'<tr><td class="{mood(g)}">{MARKS[g.verdict]}</td>'
                f'<td class="long">{escape(name_of(g))}</td>'
                f"<td>{prose(summary(found, g))}</td></tr>"
                for g in found.gradients
            ),
            *(f'<tr><td></td><td colspan="2">{prose(line)}</td></tr>' for line in told(found)),
        ]
    )
