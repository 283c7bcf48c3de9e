"""Exercises of notebook 3: the sigmoid circuit."""

from __future__ import annotations

from microgrid.course.circuits import gradients_of
from microgrid.course.exercise import Exercise
from microgrid.engine.calculus import gradients
from microgrid.engine.ops import sigmoid
from microgrid.engine.value import Value
from microgrid.matrices.examples import gates_circuit, named, sigmoid_circuit
from microgrid.views.explanation import explain


def add_multiply_max() -> Exercise:
    """The gradients of the second example, with two mistakes at one gate alone."""
    return gradients_of(
        "**Add, multiply, max.** $f = 2\\,(x \\cdot y + \\max(z, w))$ at $x = 3$, $y = -4$, "
        "$z = 2$, $w = -1$. Which gradients arrive at the four leaves? "
        'Answer with a dict: `{"x": …, "y": …, "z": …, "w": …}`.',
        gates_circuit,
        "xyzw",
        why="Upstream 2 at the sum; the product switches, the max routes.",
        before={
            "A router does not share out: all of the upstream goes one way.": {"z": 1, "w": 1},
            "A multiply gate switches: which number is the *other* input?": {"x": 6, "y": -8},
        },
    )


def score_of_one_weight() -> Value:
    """s = w x₀ + w x₁ + b, which is 0."""
    w, x0, x1, b = Value(3.0, "w"), Value(5.0, "x_0"), Value(2.0, "x_1"), Value(-21.0, "b")
    s: Value = w * x0 + w * x1 + b
    return s


def one_weight_twice() -> Value:
    """f = σ(w x₀ + w x₁ + b)."""
    f: Value = sigmoid(score_of_one_weight())
    f.label = "f"
    return f


def shared_weight() -> Exercise:
    """The gradients of a circuit with one weight in two places."""
    root = score_of_one_weight()
    half = root.sigmoid().data
    leaves = [named(root)[name] for name in ("w", "x_0", "b")]
    undamped = {v.label: half * g for v, g in zip(leaves, gradients(root, leaves))}
    hint = "0.5 is the *value* of the sigmoid gate; its local gradient is σ (1 − σ)."
    return gradients_of(
        "**One weight in two places.** $f = \\sigma(w\\,x_0 + w\\,x_1 + b)$ at $w = 3$, $x_0 = 5$, "
        "$x_1 = 2$, $b = -21$; the score is $0$. By hand: which gradients arrive at $w$, $x_0$ "
        'and $b$? Answer with a dict: `{"w": …, "x_0": …, "b": …}`.',
        one_weight_twice,
        ["w", "x_0", "b"],
        why="The sigmoid gate sends 0.5 · 0.5 = 0.25 back; w is used twice and gets both shares.",
        after={
            hint: undamped,
        },
    )


def two_passes() -> Exercise:
    """The gradient of a leaf after two backward passes through one inner node."""
    x = Value(2.0, "x")
    h = x * 3
    first, second = h * h, h * x
    (once,), (again,) = gradients(first, [x]), gradients(second, [x])
    (held,), (slope,) = gradients(first, [h]), gradients(h, [x])
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


def rounded_at_every_gate(root: Value) -> dict[str, float]:
    """The gradients of a student who rounds each share to two decimals."""
    gradient = {root: 1.0}
    for row in explain(root).rows:
        share = round(row.local * gradient[row.child_node], 2)
        gradient[row.parent_node] = gradient.get(row.parent_node, 0.0) + share
    return {v.label: g for v, g in gradient.items()}


def rounding() -> Exercise:
    """The error of early rounding where a large number follows."""
    circuit = sigmoid_circuit(w=(2.0, -300.0, -3.0), x=(-1.0, -0.02))
    early, usual = rounded_at_every_gate(circuit), rounded_at_every_gate(sigmoid_circuit())
    circuit.backward()
    right = named(circuit)["x_1"].grad
    at_score = named(circuit)["w_2"].grad
    off = abs(right - early["x_1"])
    plain = sigmoid_circuit()
    plain.backward()
    return Exercise(
        "**Rounded too early.** The circuit of this notebook with $w_1 = -300$ and $x_1 = -0.02$: "
        "their product is $6$ as before, so all gradients to the right of it are as before. "
        "Somebody rounds the gradient to two decimals at *every* gate. How far from the right "
        "gradient at $x_1$ is the result? Answer with a positive number, to two decimals.",
        off,
        {
            "How *far*: a positive number.": -off,
            "That was the error with w_1 = −3. The last gate multiplies the error, too.": abs(
                usual["x_1"] - named(plain)["x_1"].grad
            ),
            "That is the error at the score. One more gate follows.": abs(at_score - early["w_2"]),
            "That is for one rounding, at the score. Here every gate rounds: "
            "see the section *Break it*.": abs(round(at_score, 2) * -300 - right),
            "Now you have rounded too early yourself: keep the digits of "
            "the right gradient until you take the difference.": abs(round(right) - early["x_1"]),
            "That is the rounded gradient. How far is it from the right one?": early["x_1"],
            "That is the right gradient. How far is the rounded one from it?": right,
            "That is the size of the rounded gradient. How far off is it?": -early["x_1"],
            "That is the size of the right gradient. How far off is the rounded one?": -right,
        },
        why="0.19 in place of 0.1966 is multiplied by 300, and so is its error.",
    )


EXERCISES = [
    add_multiply_max(),
    shared_weight(),
    two_passes(),
    rounding(),
]
