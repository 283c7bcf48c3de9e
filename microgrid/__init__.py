"""Backpropagation you can read: numbers that remember how they were made.

>>> import microgrid as mg
>>> x, w = mg.Value(-1.0, "x"), mg.Value(2.0, "w")
>>> f = mg.sigmoid(w * x)
>>> f.backward()
>>> round(x.grad, 4), round(w.grad, 4)
(0.21, -0.105)

Read the code in this order: value.py (the node, the backward pass), ops.py (the table of
operations), calculus.py (derivatives of functions), explain.py and draw.py (views of the backward
pass), matrix.py and formulas.py (from scalars to the matrix formulas), examples.py (the lecture
notes); then steps.py, blocks.py, latex.py, derive.py and diagnose.py as you need them. Recorded
functions are the package `microgrid.program`, the checker of anyone's engine `microgrid.check`.
"""

from typing import TYPE_CHECKING, Any

from microgrid import copying as copying  # makes graphs picklable
from microgrid import derive, examples, formulas, nn, optim, plots
from microgrid.calculus import derivative, grad, gradients, hessian, hvp, jacobian, value_and_grad
from microgrid.diagnose import first_nonfinite, gradcheck
from microgrid.draw import draw
from microgrid.errors import MicrogridError
from microgrid.explain import explain
from microgrid.functions import FUNCTIONS, custom_op
from microgrid.latex import latex
from microgrid.matrix import affine, grads, matrix, partials, values
from microgrid.program import Program, record
from microgrid.scope import scope
from microgrid.steps import steps
from microgrid.value import Op, Value
from microgrid.version import __version__ as __version__

globals().update(FUNCTIONS)  # exp, log, sigmoid, …: every public operation of the table

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


__all__ = [
    "MicrogridError",
    "Op",
    "Program",
    "Value",
    "affine",
    "custom_op",
    "derivative",
    "derive",
    "draw",
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
    "latex",
    "matrix",
    "nn",
    "optim",
    "partials",
    "plots",
    "record",
    "scope",
    "steps",
    "value_and_grad",
    "values",
    *FUNCTIONS,
]
