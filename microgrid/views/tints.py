"""Which wires matter: pale and thin for little, dark and thick for the most, grey for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from microgrid.engine.errors import ParameterError
from microgrid.engine.guards import Number
from microgrid.engine.numeric import divide, product
from microgrid.engine.value import Constant, Value, accumulate, seed
from microgrid.views.wording import INK

MEASURES: dict[str, tuple[str, Callable[[Number, Number], Number]]] = {
    "share": ("|value × gradient|", product),  # what a sum is made of, whatever the units
    "gradient": ("|gradient|", lambda value, gradient: gradient),
}
Sent = Callable[[Value], list[tuple[Any, Number]]]
LITTLE, MOST, NOTHING = (253, 227, 196), (232, 112, 10), "#b4b4b4"
WIDTHS = (1, 3, 5)  # points, odd: the middle of a line stays where it was


class Look(NamedTuple):
    """How a wire is drawn."""

    color: str = INK
    width: int = 1

    @property
    def edge(self) -> dict[str, str]:
        """The attributes of an edge; none where it looks as ever."""
        return {} if self == PLAIN else {"color": self.color, "penwidth": str(self.width)}

    @property
    def ground(self) -> str:
        """The colour behind the name of a leaf; none where it looks as ever or is grey."""
        return "" if self.color in (INK, NOTHING) else self.color


PLAIN = Look()


def top_of(weights: Iterable[Number]) -> Number:
    """The largest that is finite; 0 if there is none."""
    return max([x for x in weights if x - x == 0], default=0)


def look_of(weight: Number, top: Number) -> Look:
    """The look of a wire beside the one that matters most; nan is shown as what it is, nothing."""
    if not weight or weight != weight:
        return Look(NOTHING)
    part = min(1.0, float(divide(weight, top))) if weight - weight == 0 else 1.0
    mixed = [round(a + (b - a) * part) for a, b in zip(LITTLE, MOST)]
    return Look("#" + "".join([f"{c:02x}" for c in mixed]), WIDTHS[round(2 * part)])


class Tints:
    """The looks of the wires of a graph; a leaf or a gate sends its gradient, a branch its share.

    `sent` gives what a gate sends back to each operand. ParameterError for an unknown measure, and
    the errors of a backward pass where none can be made.
    """

    def __init__(self, order: list[Value], color_by: str, sent: Sent) -> None:
        if color_by not in MEASURES:
            known = " and ".join(map(repr, MEASURES))
            raise ParameterError(f"color_by {color_by!r}: there are {known}")
        self.formula, self.measure = MEASURES[color_by]
        self.sent, self.gradient = sent, accumulate(order, seed(order[-1], 1))
        self.top = top_of([self.weight(v) for v in order if not isinstance(v, Constant)])

    def weight(self, v: Value, k: int | None = None) -> Number:
        """How much the wire of v matters, or the branch from operand k to gate v."""
        if k is None:
            return abs(self.measure(v.data, self.gradient.get(v, 0)))
        return abs(self.measure(v.parents[k].data, self.sent(v)[k][1]))

    def look(self, v: Value, k: int | None = None) -> Look:
        return look_of(self.weight(v, k), self.top)
