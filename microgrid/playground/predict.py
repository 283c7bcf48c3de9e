"""The judgement of a guess: is it what arrives at a node, or which of the usual mistakes is it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction

from microgrid.course.mistakes import NOT_KNOWN, share_mistakes
from microgrid.engine.errors import NumberError
from microgrid.engine.value import Value
from microgrid.playground.questions import Answer, is_finite
from microgrid.views import digits as equations
from microgrid.views.notation import called
from microgrid.views.numerals import read
from microgrid.views.rows import Row
from microgrid.views.wording import decimals

NO_NUMBER = "write a number, such as −0.5, 0,5 or 1/3"
NEAR = Fraction(1, 200)  # of a number that comes from rounded ones


def asked(rows: Sequence[Row]) -> Iterator[str]:
    """The question that each row of a pass answers: the gradient of a node when it has arrived."""
    uses, met = Counter(row.parent_node for row in rows), Counter[Value]()
    for row in rows:
        v = row.parent_node
        met[v] += 1
        after = f" after {met[v]} of its {uses[v]} shares" if uses[v] > 1 else ""
        yield f"What is the gradient of {called(v)}{after}?"


def judged(root: Value, rows: Sequence[Row], digits: int, guess: str) -> Answer:
    """Whether a guess is the total of the last of these rows; the hint of a mistake if it is one.

    It is right if it follows from the numbers as they are shown, with so many decimals.
    """
    *_, row = rows
    try:
        number = read(guess, row.parent)
    except NumberError as error:
        return {"right": False, "hint": str(error)}
    if number is None:
        return {"right": False, "hint": NO_NUMBER}
    before = [r.total for r in rows[:-1] if r.parent_node is row.parent_node][-1:]
    about = slack([*before, row.local, row.upstream], row, digits)
    if agree(number, row.total, digits, about):
        return {"right": True, "hint": ""}
    for hint, wrong in share_mistakes(root, rows):
        if agree(number, wrong, digits, about):
            return {"right": False, "hint": hint.replace("*", "")}
    return {"right": False, "hint": NOT_KNOWN}


def slack(numbers: Sequence[float], row: Row, digits: int) -> Fraction:
    """How far off is what somebody computes from numbers as they are shown, by their size."""
    shown = [*numbers, *[p.data for p in row.child_node.parents], row.child_node.data]
    rounded = any(equations.is_rounded(x, decimals(x, digits)) for x in shown)
    sizes = [abs(x) for x in (row.total, row.share) if is_finite(x)]
    return NEAR * Fraction(max(sizes, default=0)) * rounded


def agree(guess: Fraction | float, x: float, digits: int, about: Fraction) -> bool:
    """Whether a guess is a number, to its last decimal as it is shown, or about so far off."""
    if not (is_finite(x) and is_finite(guess)):
        return guess == x or (guess != guess and x != x)
    unit = Fraction(10) ** equations.exponent(decimals(x, digits))
    return abs(Fraction(guess) - Fraction(x)) <= max(unit * Fraction(501, 1000), about)
