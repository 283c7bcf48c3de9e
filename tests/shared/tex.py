"""What must hold of every text in LaTeX."""

import re

READ = {  # a label: in words, and in LaTeX
    r"\theta_1": ("θ₁", r"\theta_1"),
    "theta_1": ("theta₁", r"\theta_1"),  # text can be typed again
    r"W^{(1)}": ("W⁽¹⁾", "W^{(1)}"),
    r"W^{(2)}_{ij}": ("Wᵢⱼ⁽²⁾", "W_{ij}^{(2)}"),
    r"\mathbf{W}^T": ("Wᵀ", r"\mathbf{W}^T"),
    r"\hat{y}": ("ŷ", r"\hat{y}"),
    r"\hat y_{12}": ("ŷ₁₂", r"\hat{y}_{12}"),
    r"\bar\theta": ("θ̄", r"\bar{\theta}"),
    r"\bar{\theta}_2": ("θ̄₂", r"\bar{\theta}_2"),
    "x_hat": ("x_hat", r"\mathit{x\_hat}"),
    r"\Delta w": ("Δw", r"\Delta w"),
    r"\mathcal{L}": ("ℒ", r"\mathcal{L}"),
    r"x_{\text{max}}": ("xₘₐₓ", "x_{max}"),
    r"x^\prime": ("x′", r"x^{{\prime}}"),
    r"\partial L / \partial w": ("∂L / ∂w", r"\partial L\ /\ \partial w"),
    "x_12": ("x₁₂", "x_{12}"),
    "learning_rate": ("learning_rate", r"\mathit{learning\_rate}"),
    "layer0.w_1": ("layer0.w₁", r"\mathit{layer0.w}_1"),
    r"W^{L-1}": ("W^{L-1}", r"W^{L\text{-}1}"),
}


def balanced(text: str) -> None:
    """Braces, \\left and \\right, and environments close in the order in which they open."""
    stack = []
    pattern = r"\\(begin|end)\{(\w+)\}|\\(left|right)\b|(\\.)|([{}])"
    for begins, environment, side, _, brace in re.findall(pattern, text):
        if begins == "begin" or side == "left" or brace == "{":
            stack.append(environment or side or brace)
        elif begins or side or brace:
            assert stack.pop() == (environment or side.replace("right", "left") or "{")
    assert not stack
