"""The kinds of worksheets: what their circuits are about, and which numbers are blank."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """One kind of worksheet."""

    says: str
    task: str  # for the student
    gates: str  # names of operations; one that stands twice is drawn twice as often
    values: bool = False  # whether the values are blank
    gradients: bool = True  # whether the gradients are blank
    forks: int = 0  # the least number of values that are used more than once
    routers: int = 0  # the least number of routers
    tells: int = 0  # the least number of usual mistakes that give wrong gradients


FORWARD = "Write the value of each gate into the box above its wire."
BACKWARD = (
    "The values stand above the wires. Write into the box beneath each wire the gradient of f "
    "with respect to it. The gradient of f itself is 1."
)
KINDS = {
    "values": Kind(
        "the forward pass: the values of the gates are blank", FORWARD,
        "add sub mul add sub mul maximum relu square neg", values=True, gradients=False,
    ),
    "gradients": Kind(
        "the backward pass through trees: the gradients are blank", BACKWARD,
        "add sub mul add sub mul square neg", tells=7,
    ),
    "forks": Kind(
        "values that are used more than once: the gradients are blank",
        f"{BACKWARD} Look for the values that are used more than once.",
        "add sub mul add sub mul square", forks=1, tells=10,
    ),
    "routers": Kind(
        "max and relu: the gradients are blank",
        f"{BACKWARD} A max gate hands on the larger number; relu hands on what is above 0, "
        "and 0 for what is below.",
        "maximum maximum relu relu add sub mul mul", routers=2, tells=9,
    ),
    "mixed": Kind(
        "everything: the values and the gradients are blank",
        f"{FORWARD} Then write into the box beneath each wire the gradient of f with respect to "
        "it. The gradient of f itself is 1.",
        "add sub mul add sub mul maximum relu square neg",
        values=True, forks=1, routers=1, tells=12,
    ),
}  # fmt: skip
