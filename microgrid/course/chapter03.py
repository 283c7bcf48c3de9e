"""Exercises of notebook 3: the sigmoid circuit."""

from microgrid.course.circuits import gradients_of
from microgrid.examples import gates_circuit

EXERCISES = [
    gradients_of(
        "**Add, multiply, max.** $f = 2\\,(x \\cdot y + \\max(z, w))$ at $x = 3$, $y = -4$, "
        "$z = 2$, $w = -1$. Which gradients arrive at the four leaves? "
        'Answer with a dict: `{"x": …, "y": …, "z": …, "w": …}`.',
        gates_circuit, "xyzw",
        why="Upstream 2 at the sum; the product switches, the max routes.",
    ),
]  # fmt: skip
