"""Programs written for other engines run on ours with nothing changed but the import."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from shared.strategies import affine_problems

import microgrid as mg

CLIENTS = Path(__file__).parent / "clients"


def run(client, imports=(), **names):
    """What a client leaves behind, with other imports (old, new) and the free names it asks for."""
    text = (CLIENTS / client).read_text(encoding="utf-8")
    for old, new in imports:
        assert text.count(old + "\n") == 1
        text = text.replace(old, new)
    exec(compile(text, client, "exec"), names)
    return names


def start(count):
    return np.random.default_rng(1).uniform(-1, 1, count).tolist()


def test_the_demo_of_micrograd_runs_here_and_trains_with_the_same_numbers():
    free = {"POINTS": 15, "STEPS": 8, "START": start}
    theirs = run("moons.py", **free)
    ours = run("moons.py", [
        ("from micrograd.engine import Value", "from microgrid import Value"),
        ("from micrograd.nn import MLP", "from microgrid.nn import MLP"),
    ], **free)  # fmt: skip
    assert type(ours["model"]).__module__ == "microgrid.nn.micrograd"
    assert ours["losses"] == pytest.approx(theirs["losses"], rel=1e-9)
    assert ours["accuracies"] == theirs["accuracies"]
    assert (ours["signs"] == theirs["signs"]).all()
    numbers = [[p.data for p in ran["model"].parameters()] for ran in (ours, theirs)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-8)
    assert repr(ours["model"]) == repr(theirs["model"])
    assert ours["losses"][-1] < 0.5 * ours["losses"][0]


def test_the_training_loop_of_microgpt_runs_here_with_the_numbers_of_a_plain_engine():
    old = "from engine import Value"
    ours = run("letters.py", [(old, "from microgrid import Value")], STEPS=12)
    plain = run("letters.py", [(old, "from check.engines.plain import Value")], STEPS=12)
    assert ours["losses"] == pytest.approx(plain["losses"], rel=1e-9)
    assert ours["losses"][0] == pytest.approx(np.log(len(ours["LETTERS"]) + 1), rel=0.05)
    assert ours["losses"][-1] < ours["losses"][0]


@given(affine_problems())
def test_the_affine_layer_of_the_note_runs_on_values_and_its_backward_is_the_graphs(problem):
    X, W, b, dY = map(np.array, problem)
    layer = run("affine_layer.py")["AffineLayer"](W, b)
    layer.forward(X)
    dX = layer.backward(dY)
    leaves = [mg.matrix(A) for A in (X, W, b)]
    Y = run("affine_layer.py")["AffineLayer"](*leaves[1:]).forward(leaves[0])
    assert (mg.values(Y) == mg.formulas.affine_forward(X, W, b)).all()
    mg.total((Y * dY).ravel()).backward()
    for nodes, right in zip(leaves, (dX, layer.dW, layer.db)):
        assert (mg.grads(nodes) == right).all()
