"""Every kind of result that is saved: how one is made, and the kinds of files that it can be."""

import numpy as np

import microgrid as mg
from microgrid import nn, optim, plots
from microgrid.check import check, museum
from microgrid.course import worksheet

TEXT = (".txt", ".html", ".tex", ".md", ".csv")


def trained():
    model, X = nn.Affine(1, 1, seed=0), np.ones((4, 1))
    return optim.fit(lambda m, x, y: (m(x) - y)[0] ** 2, model, (X, X), optimizer=optim.SGD(lr=0.1))


def layer():
    return mg.record(lambda W, x: mg.tanh(W @ x).sum(), np.ones((3, 2)), np.ones(2))


def circuit():
    f = mg.examples.sigmoid_circuit()
    f.backward()
    return f


RESULTS = {  # what is saved: how it is made, and the kinds of files
    "Picture": (lambda: mg.draw(circuit()), (".svg", ".png", ".pdf", ".tex", ".dot", ".gv")),
    "Steps": (lambda: mg.steps(circuit()), (".html", ".svg")),
    "Plot": (lambda: plots.functions({"f": mg.sin}), (".svg", ".png", ".pdf")),
    "Formula": (lambda: mg.latex(circuit()), (".txt", ".tex", ".md")),
    "Explanation": (lambda: mg.explain(circuit()), TEXT),
    "ForwardExplanation": (lambda: mg.explain(circuit(), mode="forward"), TEXT),
    "Paths": (lambda: mg.explain(x := mg.Value(3.0, "x|_1"), of=x), TEXT),
    "Listing": (lambda: mg.record(mg.tanh, 1.0).listing(), (".txt", ".html", ".tex", ".md")),
    "Matrices": (lambda: layer().matrices(), (".txt", ".html", ".tex", ".md")),
    "GradientReport": (lambda: mg.gradcheck(mg.sin, 1.0), TEXT),
    "Derivation": (lambda: mg.derive.affine(1, 2, 2), (".txt", ".html", ".tex", ".md")),
    "History": (trained, TEXT),
    "Worksheet": (lambda: worksheet(7, n=1), (".html", ".tex")),
    "Marks": (lambda: worksheet(7, n=1).check({"1.a": "−5_%"}), TEXT),
    "ClassMarks": (lambda: worksheet(7, n=1).mark_all({"Ada": {"1.a": 5}, "Zoë": {}}),
                   (".txt", ".html", ".md", ".csv")),
    "Report": (lambda: check(museum.Value, only=["reuse"], draws=1),
               (".txt", ".html", ".json", ".xml")),
    "Module": (lambda: nn.Affine(2, 1, seed=0), (".json", ".npz")),
}  # fmt: skip
