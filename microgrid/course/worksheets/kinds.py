"""What a worksheet can be about, and which of its numbers are left blank."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """What is left blank in the circuits of a sheet, and what they are about."""

    says: str
    task: str  # for the student
    gates: str  # of the table in random_circuits.py; one that comes twice is drawn twice as often
    values: bool = False  # left blank
    gradients: bool = True
    forks: int = 0  # values that are used more than once, at least
    routers: int = 0  # gates of this role, at least
    tells: int = 0  # usual mistakes of the backward pass that give other numbers, at least


FORWARD = "Write the value of each gate into the box above its wire."
BACKWARD = (
    "The values stand above the wires. Write into the box beneath each wire the gradient of f "
    "with respect to it. The gradient of f itself is 1."
)
KINDS = {
    "values": Kind(
        "the forward pass: the values of the gates are blank", FORWARD,
        "+ - * + - * max relu square neg", values=True, gradients=False,
    ),
    "gradients": Kind(
        "the backward pass through trees: the gradients are blank", BACKWARD,
        "+ - * + - * square neg", tells=7,
    ),
    "forks": Kind(
        "values that are used more than once: the gradients are blank",
        f"{BACKWARD} Look for the values that are used more than once.",
        "+ - * + - * square", forks=1, tells=10,
    ),
    "routers": Kind(
        "max and relu: the gradients are blank",
        f"{BACKWARD} A max gate hands on the larger number; relu hands on what is above 0, "
        "and 0 for what is below.",
        "max max relu relu + - * *", routers=2, tells=9,
    ),
    "mixed": Kind(
        "everything: the values and the gradients are blank",
        f"{FORWARD} Then write into the box beneath each wire the gradient of f with respect to "
        "it. The gradient of f itself is 1.",
        "+ - * + - * max relu square neg", values=True, forks=1, routers=1, tells=12,
    ),
}  # fmt: skip
