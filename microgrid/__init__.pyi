"""Written by tests/shared/stubs.py."""

# fmt: off
# ruff: noqa
# mypy: disable-error-code="overload-overlap"

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from microgrid import errors as errors
from microgrid import nn as nn
from microgrid import optim as optim
from microgrid import plots as plots
from microgrid import program as program
from microgrid.check.gradient_check import first_nonfinite as first_nonfinite
from microgrid.check.gradient_check import gradcheck as gradcheck
from microgrid.engine.calculus import derivative as derivative
from microgrid.engine.calculus import grad as grad
from microgrid.engine.calculus import gradients as gradients
from microgrid.engine.calculus import hessian as hessian
from microgrid.engine.calculus import hvp as hvp
from microgrid.engine.calculus import jacobian as jacobian
from microgrid.engine.calculus import jvp as jvp
from microgrid.engine.calculus import tangents as tangents
from microgrid.engine.calculus import value_and_grad as value_and_grad
from microgrid.engine.calculus import vjp as vjp
from microgrid.engine.errors import MicrogridError as MicrogridError
from microgrid.engine.functions import custom_op as custom_op
from microgrid.engine.labels import scope as scope
from microgrid.engine.op import Op as Op
from microgrid.engine.value import Value as Value
from microgrid.matrices import derive as derive
from microgrid.matrices import examples as examples
from microgrid.matrices import formulas as formulas
from microgrid.matrices.arrays import affine as affine
from microgrid.matrices.arrays import grads as grads
from microgrid.matrices.arrays import matrix as matrix
from microgrid.matrices.arrays import partials as partials
from microgrid.matrices.arrays import values as values
from microgrid.program import Program as Program
from microgrid.program import record as record
from microgrid.views.drawing import draw as draw
from microgrid.views.explanation import explain as explain
from microgrid.views.formula import latex as latex
from microgrid.views.stepper import steps as steps
from microgrid.engine.signatures import Array, PlainNumber, Operand, Of_a_b, Of_c_a_b, Of_x
from microgrid.version import __version__ as __version__

neg: Of_x
absolute: Of_x
exp: Of_x
expm1: Of_x
log: Of_x
log2: Of_x
log10: Of_x
log1p: Of_x
sqrt: Of_x
cbrt: Of_x
square: Of_x
reciprocal: Of_x
sin: Of_x
cos: Of_x
tan: Of_x
arcsin: Of_x
arccos: Of_x
arctan: Of_x
sinh: Of_x
cosh: Of_x
tanh: Of_x
arcsinh: Of_x
arccosh: Of_x
arctanh: Of_x
erf: Of_x
erfc: Of_x
normal_cdf: Of_x
lgamma: Of_x
digamma: Of_x
sigmoid: Of_x
softplus: Of_x
log_sigmoid: Of_x
relu: Of_x
silu: Of_x
gelu: Of_x
softsign: Of_x
@overload
def leaky_relu(x: float, slope: float = ...) -> float: ...
@overload
def leaky_relu(x: Value, slope: Operand = ...) -> Value: ...
@overload
def leaky_relu(x: PlainNumber, slope: Value) -> Value: ...
@overload
def leaky_relu(x: Array, slope: Operand | Array = ...) -> Array: ...
@overload
def leaky_relu(x: Operand, slope: Array) -> Array: ...
@overload
def leaky_relu(x: PlainNumber, slope: PlainNumber = ...) -> PlainNumber: ...
@overload
def elu(x: float, alpha: float = ...) -> float: ...
@overload
def elu(x: Value, alpha: Operand = ...) -> Value: ...
@overload
def elu(x: PlainNumber, alpha: Value) -> Value: ...
@overload
def elu(x: Array, alpha: Operand | Array = ...) -> Array: ...
@overload
def elu(x: Operand, alpha: Array) -> Array: ...
@overload
def elu(x: PlainNumber, alpha: PlainNumber = ...) -> PlainNumber: ...
hypot: Of_a_b
arctan2: Of_a_b
logaddexp: Of_a_b
xlogy: Of_a_b
@overload
def clip(x: float, low: float | None = ..., high: float | None = ...) -> float: ...
@overload
def clip(x: Value, low: Operand | None = ..., high: Operand | None = ...) -> Value: ...
@overload
def clip(x: PlainNumber, low: Value, high: Operand | None = ...) -> Value: ...
@overload
def clip(x: PlainNumber, low: PlainNumber | None, high: Value) -> Value: ...
@overload
def clip(x: Array, low: Operand | Array | None = ..., high: Operand | Array | None = ...) -> Array: ...
@overload
def clip(x: Operand, low: Array, high: Operand | Array | None = ...) -> Array: ...
@overload
def clip(x: Operand, low: Operand | None, high: Array) -> Array: ...
@overload
def clip(x: PlainNumber, low: PlainNumber | None = ..., high: PlainNumber | None = ...) -> PlainNumber: ...
where: Of_c_a_b
stop_gradient: Of_x
@overload
def maximum(*xs: float) -> float: ...
@overload
def maximum(*xs: Operand) -> Value: ...
@overload
def maximum(xs: Iterable[float]) -> float: ...
@overload
def maximum(xs: Iterable[Operand]) -> Value: ...
@overload
def maximum(*xs: Operand | Array) -> Array: ...
@overload
def minimum(*xs: float) -> float: ...
@overload
def minimum(*xs: Operand) -> Value: ...
@overload
def minimum(xs: Iterable[float]) -> float: ...
@overload
def minimum(xs: Iterable[Operand]) -> Value: ...
@overload
def minimum(*xs: Operand | Array) -> Array: ...
@overload
def logsumexp(*xs: float) -> float: ...
@overload
def logsumexp(*xs: Operand) -> Value: ...
@overload
def logsumexp(xs: Iterable[float]) -> float: ...
@overload
def logsumexp(xs: Iterable[Operand]) -> Value: ...
@overload
def logsumexp(*xs: Operand | Array) -> Array: ...
@overload
def total(xs: Iterable[float]) -> float: ...
@overload
def total(xs: Iterable[Operand]) -> Value: ...
@overload
def mean(xs: Iterable[float]) -> float: ...
@overload
def mean(xs: Iterable[Operand]) -> Value: ...
@overload
def dot(xs: Iterable[float], ys: Iterable[float]) -> float: ...
@overload
def dot(xs: Iterable[Operand], ys: Iterable[Operand]) -> Value: ...
@overload
def softmax(xs: Iterable[float]) -> list[float]: ...
@overload
def softmax(xs: Iterable[Operand]) -> list[Value]: ...
@overload
def cross_entropy(logits: Iterable[float], target: Any) -> float: ...
@overload
def cross_entropy(logits: Iterable[Operand], target: Any) -> Value: ...

__all__ = ['MicrogridError', 'Op', 'Program', 'Value', 'affine', 'custom_op', 'derivative', 'derive', 'draw', 'examples', 'explain', 'first_nonfinite', 'formulas', 'grad', 'gradcheck', 'gradients', 'grads', 'hessian', 'hvp', 'jacobian', 'jvp', 'latex', 'matrix', 'nn', 'optim', 'partials', 'plots', 'record', 'scope', 'steps', 'tangents', 'value_and_grad', 'values', 'vjp', 'neg', 'absolute', 'exp', 'expm1', 'log', 'log2', 'log10', 'log1p', 'sqrt', 'cbrt', 'square', 'reciprocal', 'sin', 'cos', 'tan', 'arcsin', 'arccos', 'arctan', 'sinh', 'cosh', 'tanh', 'arcsinh', 'arccosh', 'arctanh', 'erf', 'erfc', 'normal_cdf', 'lgamma', 'digamma', 'sigmoid', 'softplus', 'log_sigmoid', 'relu', 'silu', 'gelu', 'softsign', 'leaky_relu', 'elu', 'hypot', 'arctan2', 'logaddexp', 'xlogy', 'clip', 'where', 'stop_gradient', 'maximum', 'minimum', 'logsumexp', 'total', 'mean', 'dot', 'softmax', 'cross_entropy']
