"""What is shown of the things that people hold: a short line that says what it is."""

import numpy as np
import pytest

import microgrid as mg
from microgrid import nn, optim
from microgrid.check import check, museum
from microgrid.check.properties import PROPERTIES

x = mg.Value(2.0, "x")
y = x * x + 3.0
model = nn.Sequential(nn.Affine(2, 3, seed=0), nn.Tanh(), nn.Affine(3, 1, seed=1))
program = mg.record(lambda w, x: w * x, 1.0, 2.0)
broken = museum.broken("overwrites", "add")
trained = optim.SGD([mg.Value(1.0)], lr=optim.cosine(0.1, 100), momentum=0.9)
trained.step([1.0])
history = optim.fit(lambda w: w * w, 1.0, optimizer=optim.SGD(lr=0.25), epochs=3)


THINGS = {
    "a leaf": (x, "Value(2.0, label='x')"),
    "a node": (y, "Value(7.0, op='add')"),
    "a constant": (y.parents[1], "Value(3.0)"),
    "an operation": (mg.exp, "<Op exp>"),
    "a derivative": (mg.grad(np.cos), "grad(cos)"),
    "a scope": (mg.scope("layer 0"), "scope('layer 0')"),
    "a program": (program, "<Program of w (1), x (1): 1 line, 1 out, "),
    "a batched program": (program.batched((None, 0)), "<Batched of w (1), x (1), in_axes"),
    "a model": (model, "Sequential(Affine(2, 3), Tanh(), Affine(3, 1))"),
    "a neuron": (nn.Neuron(2), "ReLUNeuron(2)"),
    "a layer": (nn.LeakyReLU(0.2), "LeakyReLU(0.2)"),
    "an optimizer": (optim.Adam(model, lr=0.01), "Adam(13 parameters, lr=0.01, step 0)"),
    "one with a schedule": (
        trained, "SGD(1 parameter, lr=cosine(start=0.1, steps=100, end=0.0, warmup=0), momentum",
    ),
    "one with a function": (optim.SGD(lr=lambda k: 0.1), "SGD(0 parameters, lr=<lambda>, step 0)"),
    "a schedule": (optim.linear(0.1, 0.0, 9), "linear(start=0.1, end=0.0, steps=9)"),
    "a history": (history, "<3 epochs, 3 steps, loss 1 → 0.0625>"),
    "steps": (mg.steps(y), "<Steps: "),
    "a picture": (mg.draw(y), "<Picture: "),
    "what is not finite": (
        mg.first_nonfinite(mg.Value(1e200) * 1e200), "<the value of mul(1e+200, 1e+200) is inf>",
    ),
    "a broken engine": (broken, "<class 'microgrid.check.museum.mistakes.overwrites.Value'>"),
    "a value of it": (broken(3.0) + broken(1.0), "Value(4.0)"),
    **{f"weights: {k}": (init, "<weights: ") for k, init in nn.INITIAL.items()},
    **{f"museum: {k}": (mistake, f"<Mistake '{k}', ") for k, mistake in museum.MUSEUM.items()},
    **{f"property: {k}": (prop, f"<Property '{k}': ") for k, prop in PROPERTIES.items()},
}  # fmt: skip


@pytest.mark.parametrize("thing", THINGS)
def test_a_thing_says_in_a_short_line_what_it_is(thing):
    made, begins = THINGS[thing]
    shown = repr(made)
    assert shown.startswith(begins)
    assert shown.count("\n") == 0
    assert len(shown) < 120
    assert not any(word in shown for word in (" at 0x", "<locals>", "object at"))
    assert "<lambda>" not in shown or thing == "one with a function"


def test_what_a_check_finds_says_so_in_a_short_line():
    finding = check(broken, only=["reuse"], draws=1).findings[0]
    assert repr(finding) == "<Finding wrong: 'reuse' of add>"
    assert repr(finding.diagnosis) == "<Diagnosis 'overwrites'>"
