"""Backpropagation you can read: numbers that remember how they were made.

>>> import microgrid as mg
>>> x, w = mg.Value(-1.0, "x"), mg.Value(2.0, "w")
>>> f = mg.sigmoid(w * x)
>>> f.backward()
>>> round(x.grad, 4), round(w.grad, 4)
(0.21, -0.105)

The folders are the order in which to read the code, and each imports only what stands before it:
`engine` (the node, the table of operations, the backward pass), `views` (a graph as table, picture,
film, formula), `matrices` (from scalars to the matrix formulas), `program` (record and replay),
`nn` (layers, losses), `check` (anyone's engine, anyone's gradient), plots.py and `optim`
(training), `course` (exercises and worksheets), `playground` (a live page), `cli` (the command
line).
"""

from microgrid.engine.calculus import (
    derivative,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    tangents,
    value_and_grad,
    vjp,
)
from microgrid.engine.errors import MicrogridError
from microgrid.engine.functions import FUNCTIONS as _FUNCTIONS
from microgrid.engine.functions import custom_op
from microgrid.engine.labels import scope
from microgrid.engine.lazy import lazily as _lazily
from microgrid.engine.op import Op
from microgrid.engine.trees import tree_leaves, tree_map
from microgrid.engine.value import Value

_LATER = {  # imported where they are asked for: an engine alone needs no NumPy
    "version": "__version__",
    "views.explanation": "explain",
    "views.drawing": "draw",
    "views.stepper": "steps",
    "views.formula": "latex",
    "matrices": "derive examples formulas",
    "matrices.arrays": "affine grads matrix partials values",
    "program": "Program record vmap",
    "": "check course errors nn optim plots program results",
    "check.gradient_check": "first_nonfinite gradcheck",
    "playground.notebook": "play",
}
globals().update(_FUNCTIONS)  # exp, log, sigmoid, …: every public operation of the table

__getattr__, __dir__ = _lazily(__name__, _LATER)

__all__ = [
    "MicrogridError",
    "Op",
    "Program",
    "Value",
    "affine",
    "check",
    "course",
    "custom_op",
    "derivative",
    "derive",
    "draw",
    "errors",
    "examples",
    "explain",
    "first_nonfinite",
    "formulas",
    "grad",
    "gradcheck",
    "gradients",
    "grads",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "latex",
    "matrix",
    "nn",
    "optim",
    "partials",
    "play",
    "plots",
    "program",
    "record",
    "results",
    "scope",
    "steps",
    "tangents",
    "tree_leaves",
    "tree_map",
    "value_and_grad",
    "values",
    "vjp",
    "vmap",
    *_FUNCTIONS,
]
