"""Exercises of notebook 3: the sigmoid circuit."""

from __future__ import annotations

import microgrid as mg
from microgrid.course.mistakes import backward_pass, gradients_of
from microgrid.course.question import Exercise
from microgrid.engine.value import Value
from microgrid.matrices.examples import gates_circuit, sigmoid_circuit

ADD_MULTIPLY_MAX = gradients_of(
    "**Add, multiply, max.** $f = 2\\,(x \\cdot y + \\max(z, w))$ at $x = 3$, $y = -4$, "
    "$z = 2$, $w = -1$. Which gradients arrive at the four leaves? "
    'Answer with a dict: `{"x": …, "y": …, "z": …, "w": …}`.',
    gates_circuit(),
    "xyzw",
    {
        "A router does not share out: all of the upstream goes one way.": {"z": 1, "w": 1},
        "A multiply gate switches: which number is the *other* input?": {"x": 6, "y": -8},
    },
    why="Upstream 2 at the sum; the product switches, the max routes.",
)


def shared_weight() -> Exercise:
    """The gradients of a circuit with one weight in two places, and the score 0."""
    w, x0, x1, b = Value(3.0, "w"), Value(5.0, "x_0"), Value(2.0, "x_1"), Value(-21.0, "b")
    score = w * x0 + w * x1 + b
    f = mg.sigmoid(score)
    undamped = mg.gradients(f.data * score)
    return gradients_of(
        "**One weight in two places.** $f = \\sigma(w\\,x_0 + w\\,x_1 + b)$ at $w = 3$, $x_0 = 5$, "
        "$x_1 = 2$, $b = -21$; the score is $0$. By hand: which gradients arrive at $w$, $x_0$ "
        'and $b$? Answer with a dict: `{"w": …, "x_0": …, "b": …}`.',
        f,
        ("w", "x_0", "b"),
        {"0.5 is the *value* of the sigmoid gate; its local gradient is σ (1 − σ).": undamped},
        why="The sigmoid gate sends 0.5 · 0.5 = 0.25 back; w is used twice and gets both shares.",
    )


def two_passes() -> Exercise:
    """The gradient of a leaf after two backward passes through one inner node."""
    x = Value(2.0, "x")
    h = x * 3
    first, second = h * h, h * x
    passes = ((first, x), (second, x), (first, h), (h, x))
    once, again, held, slope = [mg.gradients(y, v) for y, v in passes]
    first.backward()
    second.backward()
    return Exercise(
        "**Two losses.** $x = 2$ and $h = 3x$. First $h \\cdot h$ goes backward, then "
        "$h \\cdot x$. Nothing is set to zero. What is `x.grad` now? Answer with a number.",
        x.grad,
        {
            "That is the second pass alone. A leaf keeps adding.": again,
            "That is the first pass alone. The second one adds to it.": once,
            "You sent the gradient that h held after the first pass down a second time. "
            "An inner node starts anew in each pass.": x.grad + held * slope,
            "In h · x there are two ways to x: through h, and directly.": once + x.data * slope,
        },
        why="9x² gives 18x = 36, and 3x² gives 6x = 12.",
    )


def early_and_right(circuit: Value) -> list[dict[str, float]]:
    """The gradients if each share is rounded to two decimals, and the right ones."""
    early = backward_pass(
        circuit,
        mg.explain(circuit).rows,
        share=lambda row, upstream: round(row.local * upstream, 2),
    )
    return [{v.label: g for v, g in found.items()} for found in (early, mg.gradients(circuit))]


before, exact = early_and_right(sigmoid_circuit())
early, right = early_and_right(sigmoid_circuit(w=(2.0, -300.0, -3.0), x=(-1.0, -0.02)))
EARLY, RIGHT = early["x_1"], right["x_1"]  # w_2 has the gradient at the score
ROUNDING = Exercise(
    "**Rounded too early.** The circuit of this notebook with $w_1 = -300$ and $x_1 = -0.02$: "
    "their product is $6$ as before, so all gradients to the right of it are as before. "
    "Somebody rounds the gradient to two decimals at *every* gate. How far from the right "
    "gradient at $x_1$ is the result? Answer with a positive number, to two decimals.",
    abs(RIGHT - EARLY),
    {
        "How *far*: a positive number.": -abs(RIGHT - EARLY),
        "That was the error with w_1 = −3. The last gate multiplies the error, too.": abs(
            exact["x_1"] - before["x_1"]
        ),
        "That is the error at the score. One more gate follows.": abs(right["w_2"] - early["w_2"]),
        "That is for one rounding, at the score. Here every gate rounds: "
        "see the section *Break it*.": abs(round(right["w_2"], 2) * -300 - RIGHT),
        "Now you have rounded too early yourself: keep the digits of "
        "the right gradient until you take the difference.": abs(round(RIGHT) - EARLY),
        "That is the rounded gradient. How far is it from the right one?": EARLY,
        "That is the right gradient. How far is the rounded one from it?": RIGHT,
        "That is the size of the rounded gradient. How far off is it?": -EARLY,
        "That is the size of the right gradient. How far off is the rounded one?": -RIGHT,
    },
    why="0.19 in place of 0.1966 is multiplied by 300, and so is its error.",
)

EXERCISES = [ADD_MULTIPLY_MAX, shared_weight(), two_passes(), ROUNDING]
