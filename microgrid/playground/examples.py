"""The examples of the menu: each makes one point."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from microgrid.playground.questions import Answer


@dataclass(frozen=True)
class Example:
    """A circuit of the menu: its text, numbers at its leaves, and the point that it makes."""

    name: str
    text: str
    numbers: dict[str, float]
    point: str
    task: str = ""  # of a lesson
    hold: tuple[str, ...] = ()  # leaves that descent does not move
    beside: str = ""  # HTML that stands beside it

    def told(self) -> Answer:
        """As the page has it."""
        return {name: x for name, x in asdict(self).items() if x}


EXAMPLES = [
    Example(
        "The sigmoid circuit", "f = 1/(1 + exp(-(w_0*x_0 + w_1*x_1 + w_2)))",
        {"w_0": 2.0, "x_0": -1.0, "w_1": -3.0, "x_1": -2.0, "w_2": -3.0},
        "A function is a chain of gates, and each knows its own slope: that is all that "
        "backpropagation needs.",
    ),
]  # fmt: skip
