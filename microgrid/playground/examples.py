"""The examples of the menu: each makes one point."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from microgrid.playground.questions import Answer
from microgrid.views.typeset import mathml


@dataclass(frozen=True)
class Example:
    """A circuit of the menu: its text, the numbers of its leaves, and the point that it makes."""

    name: str
    point: str
    text: str
    numbers: dict[str, float] = field(default_factory=dict)
    task: str = ""  # of a lesson about it
    hold: tuple[str, ...] = ()  # the leaves that descent does not move: data
    beside: tuple[str, ...] = ()  # formulas in LaTeX

    def told(self) -> Answer:
        """What the page has of it: its formulas as HTML."""
        formulas = "".join([f"<p>{mathml(formula)}</p>" for formula in self.beside])
        told = {name: x for name, x in asdict(self).items() if x}
        return told | {"beside": formulas} if formulas else told


SIGMOIDS = 4
EXAMPLES = (
    Example(
        "A fork: one value, three uses",
        "A value that is used several times gets the sum of what comes back from all its uses.",
        "f = (a*b + a)*a", {"a": 2.0, "b": -3.0},
        "How many shares arrive at a? Predict each of them, and their sum.",
    ),
    Example(
        "The sigmoid circuit",
        "Each gate knows its own slope and nothing else: on the way back these slopes multiply.",
        "f = 1/(1 + exp(-(w_0*x_0 + w_1*x_1 + w_2)))",
        {"w_0": 2.0, "x_0": -1.0, "w_1": -3.0, "x_1": -2.0, "w_2": -3.0},
        "Predict the gradient of each of the three weights, gate by gate.",
    ),
    Example(
        "Three gates: +, × and max",
        "+ hands the gradient on, × switches the inputs, and max gives all of it to the larger.",
        "f = 2*(x*y + max(z, w))", {"x": 3.0, "y": -4.0, "z": 2.0, "w": -1.0},
        "Drag w past z: who gets the gradient of max now?",
    ),
    Example(
        "A skip connection",
        "The gradient goes around a branch that is shut: x gets 1 from the sum in any case.",
        "y = x + relu(w*x)", {"x": 2.0, "w": 3.0},
        "Drag w below 0: what is left of the gradient of x?",
    ),
    Example(
        "A dead relu",
        "Below 0 relu sends nothing back: w and b hear nothing of the error, and never change it.",
        "h = w*x + b\nL = (relu(h) - t)^2", {"w": -1.0, "x": 1.5, "b": -0.5, "t": 1.0},
        "Take ten steps of descent: nothing moves. Then drag b until it does.",
        ("x", "t"),
    ),
    Example(
        "Sigmoids in a chain",
        "A sigmoid passes on a quarter of what it gets at most: little reaches the first weight.",
        "\n".join(["h_1 = sigmoid(x*w_1)", *[
            f"{'f' if i == SIGMOIDS else f'h_{i}'} = sigmoid(h_{i - 1}*w_{i})"
            for i in range(2, SIGMOIDS + 1)
        ]]), dict.fromkeys(["x", *[f"w_{i}" for i in range(1, SIGMOIDS + 1)]], 1.0),
        "How much smaller is the gradient of w₁ than that of w₄? Do larger weights help?",
    ),
    Example(
        "Cross-entropy of a softmax",
        "The gradient of each logit is its probability, less 1 for the right class.",
        "s = exp(z_1) + exp(z_2) + exp(z_3)\nL = log(s) - z_1",
        {"z_1": 2.0, "z_2": 1.0, "z_3": -1.0},
        "The gradients of the three logits add up to 0. Is that so for other numbers, too?",
        beside=(r"L = -\log p_1", r"p_i = \frac{\exp z_i}{s}",
                r"\frac{\partial L}{\partial z_i} = p_i - [i = 1]"),
    ),
    Example(
        "A neuron that learns",
        "Each step moves every weight against its gradient, and the loss falls.",
        "y = tanh(w_1*x_1 + w_2*x_2 + b)\nL = (y - t)^2",
        {"w_1": 0.5, "x_1": 1.0, "w_2": -1.0, "x_2": 2.0, "b": 0.0, "t": 0.5},
        "Step until the loss is below 0.01. What happens at a rate of 5?",
        ("x_1", "x_2", "t"),
    ),
    Example(
        "An affine layer, entry by entry",
        "What comes back to the entries of X, W and b are the entries of three matrix products.",
        "\n".join([
            *[f"y_{i}{j} = x_{i}1*w_1{j} + x_{i}2*w_2{j} + b_{j}" for i in "12" for j in "123"],
            "L = y_11 - 2*y_12 + 0.5*y_13 + 3*y_21 + 0.25*y_22 - y_23",
        ]),
        {"x_11": 1.0, "x_12": 2.0, "x_21": 3.0, "x_22": -1.0,
         "w_11": 2.0, "w_12": 0.0, "w_13": -1.0, "w_21": 1.0, "w_22": 3.0, "w_23": 0.5,
         "b_1": 0.5, "b_2": -1.0, "b_3": 2.0},
        "Compute the gradient of w₁₂ from the first column of X and the second of dY.",
        beside=(
            r"Y = X W + b", r"dY = \begin{bmatrix} 1 & -2 & 0.5 \\ 3 & 0.25 & -1 \end{bmatrix}",
            r"dX = dY \, W^T", r"dW = X^T \, dY", r"db = 1^T \, dY",
        ),
    ),
)  # fmt: skip
