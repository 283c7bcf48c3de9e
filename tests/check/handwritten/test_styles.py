"""An affine layer with the usual mistakes, in the styles in which people write it."""

from pathlib import Path

import pytest

from microgrid.check import layers
from microgrid.check.handwritten.results import FAILING

DX, DW, DB = "g @ W.T", "x.T @ g", "g.sum(axis=0)"
MISTAKES = {  # what is planted: which gradient, what stands there, a word of the sentence
    "transposed": ("W", "g.T @ x", "transpose"),
    "other axis": ("b", "g.sum(axis=1)", "axis 1"),
    "whole sum": ("b", "g.sum()", "all entries"),
    "mean": ("b", "g.mean(axis=0)", "1/N"),
    "mean of W": ("W", "x.T @ g / len(x)", "1/N"),
    "last sample": ("b", "g[-1]", "last sample"),
    "last sample of W": ("W", "np.outer(x[-1], g[-1])", "last sample"),
    "kept row": ("b", "g.sum(axis=0, keepdims=True)", "reshape"),
    "no upstream": ("x", "np.ones_like(g) @ W.T", "dout is not used"),
    "no upstream of W": ("W", "x.T @ np.ones_like(g)", "dout is not used"),
    "regularized": ("W", "x.T @ g + 0.1 * W", "regularization"),
}
PAIR = """
def affine{k}_forward(x, W, b):
    return x @ W + b, (x, W)


def affine{k}_backward(g, cache):
    x, W = cache
    dx = {dx}
    dW = {dW}
    db = {db}
    return dx, dW, db
"""
ATTRIBUTES = """
class Affine{k}:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, g):
        x, W = self.x, self.W
        self.dW = {dW}
        self.db = {db}
        return {dx}
"""
DICTS = """
class Dense{k}:
    def __init__(self, n_in: int, n_out: int, *, scale: float = 0.5) -> None:
        self.params = {{"W": scale * np.random.randn(n_in, n_out), "b": np.zeros(n_out)}}
        self.grads = {{}}

    def forward(self, x):
        self.cache = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, g):
        x, W = self.cache, self.params["W"]
        self.grads["W"] = {dW}
        self.grads["b"] = {db}
        return {dx}
"""


@pytest.mark.parametrize("style", [PAIR, ATTRIBUTES, DICTS], ids=["pair", "attributes", "dicts"])
def test_each_mistake_is_named_with_its_line_and_nothing_else_is_blamed(
    style: str, tmp_path: Path
) -> None:
    text = "import numpy as np\n" + style.format(k="", dx=DX, dW=DW, db=DB)
    for k, (input, planted, _) in enumerate(MISTAKES.values()):
        right = {"dx": DX, "dW": DW, "db": DB, f"d{input}": planted}
        text += "\n" + style.format(k=k + 1, **right)
    (tmp_path / "layers.py").write_text(text)
    first, *broken = layers(tmp_path / "layers.py").found
    assert [g.verdict for g in first.gradients] == ["right"] * 3
    assert len(broken) == len(MISTAKES)
    for found, (input, planted, word) in zip(broken, MISTAKES.values(), strict=True):
        (wrong,) = [g for g in found.gradients if g.verdict in FAILING]
        assert wrong.input == input
        assert wrong.line is not None
        assert planted in wrong.line.text
        assert word in " ".join(wrong.sentences), (found.name, wrong.sentences)
