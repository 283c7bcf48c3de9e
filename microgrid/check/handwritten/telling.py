"""A layer's result as lines of text: a line a gradient, the wrong ones with what is the matter."""

from __future__ import annotations

from collections.abc import Iterator

from microgrid.check.columns import wrapped
from microgrid.check.handwritten import results
from microgrid.check.handwritten.results import FAILING, Found, Gradient, Term, Worst

MARKS = {
    **dict.fromkeys(FAILING, "✗"), results.RIGHT: "✓", results.GUARD: "~", results.BY_DESIGN: "~",
    results.NOT_WRITTEN: "·", results.TIE: "?",
}  # fmt: skip


def layer_lines(found: Found) -> Iterator[str]:
    """All about one layer."""
    yield from indented(f"{found.name}  {settings(found)}", 0, 4)
    wide = min(30, max((len(name_of(gradient)) for gradient in found.gradients), default=0))
    for gradient in found.gradients:
        name = f"{name_of(gradient):{wide}}  " if wide else ""
        yield from indented(
            f"{MARKS[gradient.verdict]} {name}{summary(found, gradient)}", 2, 6 + wide
        )
        yield from mistake_lines(gradient)
    for line in told(found):
        yield from indented(line, 2, 4)


def settings(found: Found) -> str:
    """How the layer was run: in one setting, and in others."""
    return "; also with ".join(filter(None, [found.setting, *found.also]))


def told(found: Found) -> list[str]:
    """What is told of the layer beside its gradients."""
    return [
        *([f"? not checked: {found.refusal}"] if found.refusal else []),
        *(f"? not checked with {refused}" for refused in found.refused),
        *([f"inside: {found.inside}"] if found.inside else []),
        *(f"habit: {habit}" for habit in found.habits),
    ]


def name_of(gradient: Gradient) -> str:
    """The gradient's name as they write it."""
    return gradient.name or (f"d{gradient.input}" if gradient.input else "")


def full_name(found: Found, gradient: Gradient) -> str:
    """The names of the layer and of its gradient."""
    return f"{found.name}: {name_of(gradient)}".removesuffix(": ")


def setting_of(found: Found, gradient: Gradient) -> str:
    """Where a mistake was found, unless that is how the whole layer was called."""
    elsewhere = gradient.hidden or gradient.setting not in found.setting
    return gradient.setting if elsewhere and not gradient.ok else ""


def summary(found: Found, gradient: Gradient) -> str:
    """The verdict in a line, with how many entries are wrong and where it was found."""
    detail = f": {gradient.detail}" if gradient.detail else ""
    some = gradient.wrong and not gradient.ok
    counted = f", {gradient.wrong} of {gradient.entries} entries" if some else ""
    where = setting_of(found, gradient)
    setting = f" with {where}" if where else ""
    hidden = f"; right with {gradient.hidden}, which hides it" if gradient.hidden else ""
    return f"{gradient.verdict}{setting}{counted}{detail}{hidden}"


def mistake_lines(gradient: Gradient) -> Iterator[str]:
    """The line of their backward, the sentences, and the worst entry."""
    if gradient.line is not None and gradient.verdict in FAILING:
        yield from indented(f"line {gradient.line.number}: {gradient.line.text}", 6, 8)
    for sentence in gradient.sentences:
        yield from indented(sentence, 6, 8)
    if gradient.worst is not None:
        yield from worst_lines(gradient.worst)


def worst_lines(worst: Worst) -> Iterator[str]:
    """The worst entry, yours beside the right one; below it its terms, and both as formulas."""
    yield f"      {worst.entry}: yours {number(worst.theirs)}, right {number(worst.right)}"
    rows = [("", "yours", "right", ""), *map(cells, worst.terms)]
    wide = [max(len(row[i]) for row in rows) for i in range(3)]
    for output, theirs, right, note in rows if worst.terms else ():
        row = f"{output:{wide[0]}}  {theirs:>{wide[1]}}  {right:>{wide[2]}}  {note}"
        yield from indented(row, 8, 12)
    for formula in worst.formulas:
        yield from indented(formula, 8, 10)


def cells(term: Term) -> tuple[str, str, str, str]:
    return f"of {term.output}", number(term.theirs), number(term.right), term.note


def number(x: float) -> str:
    """Six digits; the 0 without its sign.

    >>> number(-0.0), number(1 / 3), number(float("nan"))
    ('0', '0.333333', 'nan')
    """
    return f"{x or 0.0:.6g}"


def indented(text: str, first: int, other: int) -> list[str]:
    return wrapped(text, " " * first, " " * other)
