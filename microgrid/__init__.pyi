"""Written by tests/shared/stubs.py."""

# fmt: off
# ruff: noqa
# mypy: disable-error-code="overload-overlap"

from collections.abc import Iterable
from typing import Any, overload

from microgrid import check as check
from microgrid import course as course
from microgrid import errors as errors
from microgrid import nn as nn
from microgrid import optim as optim
from microgrid import plots as plots
from microgrid import program as program
from microgrid import results as results
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
from microgrid.engine.trees import tree_leaves as tree_leaves
from microgrid.engine.trees import tree_map as tree_map
from microgrid.engine.value import Value as Value
from microgrid.matrices import derive as derive
from microgrid.matrices import examples as examples
from microgrid.matrices import formulas as formulas
from microgrid.matrices.arrays import affine as affine
from microgrid.matrices.arrays import grads as grads
from microgrid.matrices.arrays import matrix as matrix
from microgrid.matrices.arrays import partials as partials
from microgrid.matrices.arrays import values as values
from microgrid.playground.notebook import play as play
from microgrid.program import Program as Program
from microgrid.program import record as record
from microgrid.program import vmap as vmap
from microgrid.views.drawing import draw as draw
from microgrid.views.explanation import explain as explain
from microgrid.views.formula import latex as latex
from microgrid.views.stepper import steps as steps
from microgrid.engine import signatures
from microgrid.engine.signatures import Array, Operand, PlainNumber
from microgrid.version import __version__ as __version__

neg: signatures.neg
"""The number with the other sign: -x.

- `y = −x`
- `∂y/∂x = −1`

>>> import microgrid as mg
>>> mg.neg(2.0)
-2.0
>>> mg.grad(mg.neg)(2.0)
-1.0
"""
absolute: signatures.absolute
"""The distance of x from 0: abs(x).

- `y = |x|`
- `∂y/∂x = sign(x)`
- `sign(x)`: −1, 0 or 1 (0 at the kink), nan for nan
- slope at `absolute(0.0)`: 0
- see also `numpy.absolute`

>>> import microgrid as mg
>>> mg.absolute(2.0)
2.0
>>> mg.grad(mg.absolute)(2.0)
1.0
"""
exp: signatures.exp
"""The exponential function: e to the power of x.

- `y = exp(x)`
- `∂y/∂x = y`
- `exp(1000.0)` raises `RangeError`: needs x <= 709.78; sigmoid, softplus and logsumexp do not
  overflow
- see also `Value.exp`, `numpy.exp`

>>> import microgrid as mg
>>> round(mg.exp(2.0), 4)
7.3891
>>> round(mg.grad(mg.exp)(2.0), 4)
7.3891
"""
expm1: signatures.expm1
"""exp(x) - 1, to the last digits also near 0.

- `y = expm1(x)`
- `∂y/∂x = e^x`
- `expm1(1000.0)` raises `RangeError`: above 709.78 there is no float
- see also `Value.expm1`, `numpy.expm1`

>>> import microgrid as mg
>>> round(mg.expm1(2.0), 4)
6.3891
>>> round(mg.grad(mg.expm1)(2.0), 4)
7.3891
"""
log: signatures.log
"""The natural logarithm.

- `y = log(x)`
- `∂y/∂x = 1 / x`
- `log(0.0)` raises `DomainError`: needs x > 0; log_sigmoid(x) for log(sigmoid(x)), logsumexp
  for the log of a sum
- see also `Value.log`, `numpy.log`

>>> import microgrid as mg
>>> round(mg.log(2.0), 4)
0.6931
>>> mg.grad(mg.log)(2.0)
0.5
"""
log2: signatures.log2
"""The logarithm to base 2.

- `y = log2(x)`
- `∂y/∂x = 1 / (log(2)·x)`
- `log2(0.0)` raises `DomainError`: needs x > 0
- see also `Value.log2`, `numpy.log2`

>>> import microgrid as mg
>>> mg.log2(2.0)
1.0
>>> round(mg.grad(mg.log2)(2.0), 4)
0.7213
"""
log10: signatures.log10
"""The logarithm to base 10.

- `y = log10(x)`
- `∂y/∂x = 1 / (log(10)·x)`
- `log10(0.0)` raises `DomainError`: needs x > 0
- see also `Value.log10`, `numpy.log10`

>>> import microgrid as mg
>>> round(mg.log10(2.0), 4)
0.301
>>> round(mg.grad(mg.log10)(2.0), 4)
0.2171
"""
log1p: signatures.log1p
"""log(1 + x), to the last digits also near 0.

- `y = log1p(x)`
- `∂y/∂x = 1 / (1 + x)`
- `log1p(-1.0)` raises `DomainError`: needs x > -1
- see also `Value.log1p`, `numpy.log1p`

>>> import microgrid as mg
>>> round(mg.log1p(2.0), 4)
1.0986
>>> round(mg.grad(mg.log1p)(2.0), 4)
0.3333
"""
sqrt: signatures.sqrt
"""The square root.

- `y = sqrt(x)`
- `∂y/∂x = 1 / (2·y)`
- `sqrt(-0.5)` raises `DomainError`: needs x >= 0
- see also `Value.sqrt`, `numpy.sqrt`

>>> import microgrid as mg
>>> round(mg.sqrt(2.0), 4)
1.4142
>>> round(mg.grad(mg.sqrt)(2.0), 4)
0.3536
"""
cbrt: signatures.cbrt
"""The cube root, also of negative numbers.

- `y = cbrt(x)`
- `∂y/∂x = 1 / (3·y²)`
- slope at `cbrt(0.0)`: inf
- see also `Value.cbrt`, `numpy.cbrt`

>>> import microgrid as mg
>>> round(mg.cbrt(2.0), 4)
1.2599
>>> round(mg.grad(mg.cbrt)(2.0), 4)
0.21
"""
square: signatures.square
"""The square: x times x.

- `y = x²`
- `∂y/∂x = 2·x`
- see also `Value.square`, `numpy.square`

>>> import microgrid as mg
>>> mg.square(2.0)
4.0
>>> mg.grad(mg.square)(2.0)
4.0
"""
reciprocal: signatures.reciprocal
"""One divided by x.

- `y = 1 / x`
- `∂y/∂x = −1 / x²`
- `reciprocal(0.0)` raises `DivisionError`
- see also `Value.reciprocal`, `numpy.reciprocal`

>>> import microgrid as mg
>>> mg.reciprocal(2.0)
0.5
>>> mg.grad(mg.reciprocal)(2.0)
-0.25
"""
sin: signatures.sin
"""The sine of an angle in radians.

- `y = sin(x)`
- `∂y/∂x = cos(x)`
- `sin(inf)` raises `DomainError`: needs a finite angle
- see also `Value.sin`, `numpy.sin`

>>> import microgrid as mg
>>> round(mg.sin(2.0), 4)
0.9093
>>> round(mg.grad(mg.sin)(2.0), 4)
-0.4161
"""
cos: signatures.cos
"""The cosine of an angle in radians.

- `y = cos(x)`
- `∂y/∂x = −sin(x)`
- `cos(inf)` raises `DomainError`: needs a finite angle
- see also `Value.cos`, `numpy.cos`

>>> import microgrid as mg
>>> round(mg.cos(2.0), 4)
-0.4161
>>> round(mg.grad(mg.cos)(2.0), 4)
-0.9093
"""
tan: signatures.tan
"""The tangent of an angle in radians.

- `y = tan(x)`
- `∂y/∂x = 1 + y²`
- `tan(inf)` raises `DomainError`: needs a finite angle
- see also `Value.tan`, `numpy.tan`

>>> import microgrid as mg
>>> round(mg.tan(0.5), 4)
0.5463
>>> round(mg.grad(mg.tan)(0.5), 4)
1.2984
"""
arcsin: signatures.arcsin
"""The angle from -π/2 to π/2 whose sine is x.

- `y = arcsin(x)`
- `∂y/∂x = 1 / sqrt(1 − x²)`
- `arcsin(2.0)` raises `DomainError`: needs |x| <= 1
- see also `Value.arcsin`, `numpy.arcsin`

>>> import microgrid as mg
>>> round(mg.arcsin(0.5), 4)
0.5236
>>> round(mg.grad(mg.arcsin)(0.5), 4)
1.1547
"""
arccos: signatures.arccos
"""The angle from 0 to π whose cosine is x.

- `y = arccos(x)`
- `∂y/∂x = −1 / sqrt(1 − x²)`
- `arccos(2.0)` raises `DomainError`: needs |x| <= 1
- see also `Value.arccos`, `numpy.arccos`

>>> import microgrid as mg
>>> round(mg.arccos(0.5), 4)
1.0472
>>> round(mg.grad(mg.arccos)(0.5), 4)
-1.1547
"""
arctan: signatures.arctan
"""The angle between -π/2 and π/2 whose tangent is x.

- `y = arctan(x)`
- `∂y/∂x = 1 / (1 + x²)`
- see also `Value.arctan`, `numpy.arctan`

>>> import microgrid as mg
>>> round(mg.arctan(2.0), 4)
1.1071
>>> round(mg.grad(mg.arctan)(2.0), 4)
0.2
"""
sinh: signatures.sinh
"""The hyperbolic sine: (exp(x) - exp(-x)) / 2.

- `y = sinh(x)`
- `∂y/∂x = sqrt(1 + y²)`
- `sinh(1000.0)` raises `RangeError`: above 710.47 there is no float
- see also `Value.sinh`, `numpy.sinh`

>>> import microgrid as mg
>>> round(mg.sinh(2.0), 4)
3.6269
>>> round(mg.grad(mg.sinh)(2.0), 4)
3.7622
"""
cosh: signatures.cosh
"""The hyperbolic cosine: (exp(x) + exp(-x)) / 2.

- `y = cosh(x)`
- `∂y/∂x = sinh(x)`
- `cosh(1000.0)` raises `RangeError`: above 710.47 there is no float
- see also `Value.cosh`, `numpy.cosh`

>>> import microgrid as mg
>>> round(mg.cosh(2.0), 4)
3.7622
>>> round(mg.grad(mg.cosh)(2.0), 4)
3.6269
"""
tanh: signatures.tanh
"""The hyperbolic tangent: sinh(x) / cosh(x), from -1 to 1.

- `y = tanh(x)`
- `∂y/∂x = 1 − y²`
- see also `Value.tanh`, `numpy.tanh`

>>> import microgrid as mg
>>> round(mg.tanh(2.0), 4)
0.964
>>> round(mg.grad(mg.tanh)(2.0), 4)
0.0707
"""
arcsinh: signatures.arcsinh
"""The number whose hyperbolic sine is x.

- `y = arcsinh(x)`
- `∂y/∂x = 1 / sqrt(1 + x²)`
- see also `Value.arcsinh`, `numpy.arcsinh`

>>> import microgrid as mg
>>> round(mg.arcsinh(2.0), 4)
1.4436
>>> round(mg.grad(mg.arcsinh)(2.0), 4)
0.4472
"""
arccosh: signatures.arccosh
"""The number from 0 on whose hyperbolic cosine is x.

- `y = arccosh(x)`
- `∂y/∂x = 1 / (sqrt(x − 1)·sqrt(x + 1))`
- `arccosh(0.0)` raises `DomainError`: needs x >= 1
- see also `Value.arccosh`, `numpy.arccosh`

>>> import microgrid as mg
>>> round(mg.arccosh(2.0), 4)
1.317
>>> round(mg.grad(mg.arccosh)(2.0), 4)
0.5774
"""
arctanh: signatures.arctanh
"""The number whose hyperbolic tangent is x.

- `y = arctanh(x)`
- `∂y/∂x = 1 / (1 − x²)`
- `arctanh(1.0)` raises `DomainError`: needs -1 < x < 1
- see also `Value.arctanh`, `numpy.arctanh`

>>> import microgrid as mg
>>> round(mg.arctanh(0.5), 4)
0.5493
>>> round(mg.grad(mg.arctanh)(0.5), 4)
1.3333
"""
erf: signatures.erf
"""The error function: 2 / sqrt(π) times the integral of exp(-t²) from 0 to x.

- `y = erf(x)`
- `∂y/∂x = 2·e^(−x²) / sqrt(π)`
- see also `Value.erf`

>>> import microgrid as mg
>>> round(mg.erf(2.0), 4)
0.9953
>>> round(mg.grad(mg.erf)(2.0), 4)
0.0207
"""
erfc: signatures.erfc
"""The complementary error function: 1 - erf(x), to the last digits also far out.

- `y = erfc(x)`
- `∂y/∂x = −2·e^(−x²) / sqrt(π)`
- see also `Value.erfc`

>>> import microgrid as mg
>>> round(mg.erfc(2.0), 4)
0.0047
>>> round(mg.grad(mg.erfc)(2.0), 4)
-0.0207
"""
normal_cdf: signatures.normal_cdf
"""The distribution function of the standard normal distribution, from 0 to 1.

- `y = normal_cdf(x)`
- `∂y/∂x = e^(−x² / 2) / sqrt(2·π)`
- see also `Value.normal_cdf`

>>> import microgrid as mg
>>> round(mg.normal_cdf(2.0), 4)
0.9772
>>> round(mg.grad(mg.normal_cdf)(2.0), 4)
0.054
"""
lgamma: signatures.lgamma
"""The logarithm of |Γ(x)|, to the last digits also near 1 and 2; Γ(n) = (n - 1)!.

- `y = lgamma(x)`
- `∂y/∂x = digamma(x)`
- `lgamma(0.0)` raises `DomainError`: x is not 0, -1, -2, …, and below 2.5e305
- see also `Value.lgamma`

>>> import microgrid as mg
>>> mg.lgamma(2.0)
0.0
>>> round(mg.grad(mg.lgamma)(2.0), 4)
0.4228
"""
digamma: signatures.digamma
"""The slope of lgamma, Γ'(x) / Γ(x).

- `y = digamma(x)`
- `∂y/∂x = polygamma1(x)`
- `polygamma1(x)`: ψ⁽ᵏ⁾(x) for k = 1
- `digamma(0.0)` raises `DomainError`: needs another x than 0, -1, -2, …
- see also `Value.digamma`

>>> import microgrid as mg
>>> round(mg.digamma(2.0), 4)
0.4228
>>> round(mg.grad(mg.digamma)(2.0), 4)
0.6449
"""
sigmoid: signatures.sigmoid
"""The logistic function: 1 / (1 + exp(-x)), from 0 to 1.

- `y = sigmoid(x)`
- `∂y/∂x = y·(1 − y)`
- see also `Value.sigmoid`

>>> import microgrid as mg
>>> round(mg.sigmoid(2.0), 4)
0.8808
>>> round(mg.grad(mg.sigmoid)(2.0), 4)
0.105
"""
softplus: signatures.softplus
"""The smooth relu: log(1 + exp(x)), without overflow.

- `y = softplus(x)`
- `∂y/∂x = sigmoid(x)`
- see also `Value.softplus`

>>> import microgrid as mg
>>> round(mg.softplus(2.0), 4)
2.1269
>>> round(mg.grad(mg.softplus)(2.0), 4)
0.8808
"""
log_sigmoid: signatures.log_sigmoid
"""The logarithm of sigmoid(x), without overflow.

- `y = log_sigmoid(x)`
- `∂y/∂x = sigmoid(−x)`
- see also `Value.log_sigmoid`

>>> import microgrid as mg
>>> round(mg.log_sigmoid(2.0), 4)
-0.1269
>>> round(mg.grad(mg.log_sigmoid)(2.0), 4)
0.1192
"""
relu: signatures.relu
"""The rectified linear unit: x above zero, 0 below.

- `y = relu(x)`
- `∂y/∂x = step(x)`
- `step(x)`: 1 for x > 0, else 0; nan for nan
- slope at `relu(0.0)`: 0
- see also `Value.relu`

>>> import microgrid as mg
>>> mg.relu(2.0)
2.0
>>> mg.grad(mg.relu)(2.0)
1.0
"""
silu: signatures.silu
"""The sigmoid linear unit, also called swish: x * sigmoid(x).

- `y = silu(x)`
- `∂y/∂x = sigmoid(x) + x·sigmoid(x)·(1 − sigmoid(x))`
- see also `Value.silu`

>>> import microgrid as mg
>>> round(mg.silu(2.0), 4)
1.7616
>>> round(mg.grad(mg.silu)(2.0), 4)
1.0908
"""
gelu: signatures.gelu
"""The Gaussian error linear unit: x Φ(x), with the normal distribution function Φ.

- `y = gelu(x)`
- `∂y/∂x = normal_cdf(x) + x·e^(−x² / 2) / sqrt(2·π)`
- see also `Value.gelu`

>>> import microgrid as mg
>>> round(mg.gelu(2.0), 4)
1.9545
>>> round(mg.grad(mg.gelu)(2.0), 4)
1.0852
"""
softsign: signatures.softsign
"""A smooth sign: x / (1 + |x|), from -1 to 1.

- `y = softsign(x)`
- `∂y/∂x = 1 / (1 + |x|)²`
- see also `Value.softsign`

>>> import microgrid as mg
>>> round(mg.softsign(2.0), 4)
0.6667
>>> round(mg.grad(mg.softsign)(2.0), 4)
0.1111
"""
@overload
def leaky_relu(x: float, slope: float = ...) -> float:
    """x above zero, slope * x below.

    - `y = leaky_relu(x, slope)`
    - `∂y/∂x = where(step(x), step(x), slope)`, `∂y/∂slope = where(step(x), step(x) − 1, x)`
    - `step(x)`: 1 for x > 0, else 0; nan for nan
    - slopes at `leaky_relu(0.0)`: 0.01, 0
    - see also `Value.leaky_relu`

    >>> import microgrid as mg
    >>> mg.leaky_relu(2.0)
    2.0
    >>> mg.grad(mg.leaky_relu)(2.0)
    1.0
    """
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
def elu(x: float, alpha: float = ...) -> float:
    """x above zero, alpha * (exp(x) - 1) below.

    - `y = elu(x, alpha)`
    - `∂y/∂x = where(step(x), step(x), alpha·e^where(step(x), step(x) − 1, x))`, `∂y/∂alpha =
      expm1(where(step(x), step(x) − 1, x))`
    - `step(x)`: 1 for x > 0, else 0; nan for nan
    - slopes at `elu(0.0)`: 1, 0
    - see also `Value.elu`

    >>> import microgrid as mg
    >>> mg.elu(2.0)
    2.0
    >>> mg.grad(mg.elu)(2.0)
    1.0
    """
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
hypot: signatures.hypot
"""The length of the vector (a, b): sqrt(a**2 + b**2), without overflow.

- `y = hypot(a, b)`
- `∂y/∂a = a / y`, `∂y/∂b = b / y`
- slopes at `hypot(0.0, 0.0)`: 0, 0
- see also `Value.hypot`, `numpy.hypot`

>>> import microgrid as mg
>>> round(mg.hypot(2.0, 3.0), 4)
3.6056
>>> [round(g, 4) for g in mg.grad(mg.hypot, (0, 1))(2.0, 3.0)]
[0.5547, 0.8321]
"""
arctan2: signatures.arctan2
"""The angle of the point with height a and abscissa b, from -π to π.

- `y = arctan2(a, b)`
- `∂y/∂a = b / (a² + b²)`, `∂y/∂b = −a / (a² + b²)`
- slopes at `arctan2(0.0, 0.0)`: 0, 0
- see also `Value.arctan2`, `numpy.arctan2`

>>> import microgrid as mg
>>> round(mg.arctan2(2.0, 3.0), 4)
0.588
>>> [round(g, 4) for g in mg.grad(mg.arctan2, (0, 1))(2.0, 3.0)]
[0.2308, -0.1538]
"""
logaddexp: signatures.logaddexp
"""log(exp(a) + exp(b)), without overflow.

- `y = logaddexp(a, b)`
- `∂y/∂a = sigmoid(a − b)`, `∂y/∂b = sigmoid(b − a)`
- see also `Value.logaddexp`, `numpy.logaddexp`

>>> import microgrid as mg
>>> round(mg.logaddexp(2.0, 3.0), 4)
3.3133
>>> [round(g, 4) for g in mg.grad(mg.logaddexp, (0, 1))(2.0, 3.0)]
[0.2689, 0.7311]
"""
xlogy: signatures.xlogy
"""a log(b), and 0 where a = 0, as the terms of an entropy need it.

- `y = xlogy(a, b)`
- `∂y/∂a = log(b)`, `∂y/∂b = a / b`
- `xlogy(1.0, 0.0)` raises `DomainError`: needs b > 0, unless a = 0
- see also `Value.xlogy`

>>> import microgrid as mg
>>> round(mg.xlogy(2.0, 3.0), 4)
2.1972
>>> [round(g, 4) for g in mg.grad(mg.xlogy, (0, 1))(2.0, 3.0)]
[1.0986, 0.6667]
"""
@overload
def clip(x: float, low: float | None = ..., high: float | None = ...) -> float:
    """x brought between two bounds, high where they cross; None for no bound (`out` is NumPy's).

    - `y = clip(x, low, high)`
    - `∂y/∂x = inside(x, low, high)`, `∂y/∂low = exceeds(low, x)·exceeds(high, low)`, `∂y/∂high =
      exceeds(max(x, low), high)`
    - `inside(x, low, high)`: 1 from low to high, bounds included, else 0; nan where one is nan
    - `exceeds(x, y)`: 1 where x > y, else 0; nan where one is nan
    - slopes at `clip(0.0, 0.0, 1.0)`: 1, 0, 0
    - see also `Value.clip`, `numpy.clip`

    >>> import microgrid as mg
    >>> mg.clip(2.0, 3.0, 4.0)
    3.0
    >>> mg.grad(mg.clip, (0, 1, 2))(2.0, 3.0, 4.0)
    (0.0, 1.0, 0.0)
    """
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
where: signatures.where
"""a where c is not 0, else b; c is no part of the derivative.

- `y = where(c, a, b)`
- `∂y/∂c = 0`, `∂y/∂a = where(c, 1, 0)`, `∂y/∂b = where(c, 0, 1)`
- see also `numpy.where`

>>> import microgrid as mg
>>> mg.where(2.0, 3.0, 4.0)
3.0
>>> mg.grad(mg.where, (0, 1, 2))(2.0, 3.0, 4.0)
(0.0, 1.0, 0.0)
"""
stop_gradient: signatures.stop_gradient
"""x itself, through which no gradient flows back: x + stop_gradient(step(x) - x) has the value of step(x) and slope 1.

- `y = stop_gradient(x)`
- `∂y/∂x = 0`
- see also `Value.stop_gradient`

>>> import microgrid as mg
>>> mg.stop_gradient(2.0)
2.0
>>> mg.grad(mg.stop_gradient)(2.0)
0.0
"""
@overload
def maximum(*xs: float) -> float:
    """The largest of any number of values, one by one or as a list; ties share the gradient.

    - `y = max(x₁, x₂)`
    - `∂y/∂x₁ = same(x₁, y) / (same(x₁, y) + same(x₂, y))`
    - `same(x, y)`: 1 where x = y, else 0; nan where one is nan
    - slopes at `maximum(1.0, 1.0)`: 0.5, 0.5
    - see also `Value.maximum`, `numpy.maximum`

    >>> import microgrid as mg
    >>> mg.maximum(2.0, 3.0)
    3.0
    >>> mg.grad(mg.maximum, (0, 1))(2.0, 3.0)
    (0.0, 1.0)
    """
@overload
def maximum(*xs: Operand) -> Value: ...
@overload
def maximum(xs: Iterable[float]) -> float: ...
@overload
def maximum(xs: Iterable[Operand]) -> Value: ...
@overload
def maximum(*xs: Operand | Array) -> Array: ...
@overload
def minimum(*xs: float) -> float:
    """The smallest of any number of values, one by one or as a list; ties share the gradient.

    - `y = min(x₁, x₂)`
    - `∂y/∂x₁ = same(x₁, y) / (same(x₁, y) + same(x₂, y))`
    - `same(x, y)`: 1 where x = y, else 0; nan where one is nan
    - slopes at `minimum(1.0, 1.0)`: 0.5, 0.5
    - see also `Value.minimum`, `numpy.minimum`

    >>> import microgrid as mg
    >>> mg.minimum(2.0, 3.0)
    2.0
    >>> mg.grad(mg.minimum, (0, 1))(2.0, 3.0)
    (1.0, 0.0)
    """
@overload
def minimum(*xs: Operand) -> Value: ...
@overload
def minimum(xs: Iterable[float]) -> float: ...
@overload
def minimum(xs: Iterable[Operand]) -> Value: ...
@overload
def minimum(*xs: Operand | Array) -> Array: ...
@overload
def logsumexp(*xs: float) -> float:
    """log Σ exp(x) of any number of values, one by one or as a list, without overflow.

    - `y = logsumexp(x₁, x₂)`
    - `∂y/∂x₁ = e^x₁ / (e^x₁ + e^x₂)`
    - see also `Value.logsumexp`

    >>> import microgrid as mg
    >>> round(mg.logsumexp(2.0, 3.0), 4)
    3.3133
    >>> [round(g, 4) for g in mg.grad(mg.logsumexp, (0, 1))(2.0, 3.0)]
    [0.2689, 0.7311]
    """
@overload
def logsumexp(*xs: Operand) -> Value: ...
@overload
def logsumexp(xs: Iterable[float]) -> float: ...
@overload
def logsumexp(xs: Iterable[Operand]) -> Value: ...
@overload
def logsumexp(*xs: Operand | Array) -> Array: ...
@overload
def total(xs: Iterable[float]) -> float:
    """Σ x as one node, added up from the left; 0 for none.

    - `y = sum(x₁, x₂)`
    - `∂y/∂x₁ = 1`

    >>> import microgrid as mg
    >>> mg.total([2.0, 3.0])
    5.0
    >>> mg.grad(mg.total)([2.0, 3.0])
    [1.0, 1.0]
    """
@overload
def total(xs: Iterable[Operand]) -> Value: ...
@overload
def mean(xs: Iterable[float]) -> float:
    """Σ x / n as one node, added up from the left.

    - `y = mean(x₁, x₂)`
    - `∂y/∂x₁ = 0.5`
    - see also `numpy.mean`

    >>> import microgrid as mg
    >>> mg.mean([2.0, 3.0])
    2.5
    >>> mg.grad(mg.mean)([2.0, 3.0])
    [0.5, 0.5]
    """
@overload
def mean(xs: Iterable[Operand]) -> Value: ...
@overload
def dot(xs: Iterable[float], ys: Iterable[float]) -> float:
    """Σ x y as one node, added up from the left; ShapeError unless both are equally long.

    - `y = dot(x₁, x₂, y₁, y₂)`
    - `∂y/∂x₁ = y₁`, `∂y/∂y₁ = x₁`
    - see also `numpy.dot`

    >>> import microgrid as mg
    >>> mg.dot([2.0, 3.0], [4.0, 5.0])
    23.0
    >>> mg.grad(mg.dot, (0, 1))([2.0, 3.0], [4.0, 5.0])
    ([4.0, 5.0], [2.0, 3.0])
    """
@overload
def dot(xs: Iterable[Operand], ys: Iterable[Operand]) -> Value: ...
@overload
def softmax(xs: Iterable[float]) -> list[float]:
    """exp(x) / Σ exp(x) for each x, as a list; the largest is taken off first.

    DomainError for no numbers, ShapeError for a matrix: give one row at a time.

    >>> import microgrid as mg
    >>> mg.softmax([1.0, 1.0])
    [0.5, 0.5]
    >>> mg.grad(lambda xs: mg.softmax(xs)[0])([1.0, 1.0])  # p (1 - p), -p q
    [0.25, -0.25]
    """
@overload
def softmax(xs: Iterable[Operand]) -> list[Value]: ...
@overload
def cross_entropy(logits: Iterable[float], target: Any) -> float:
    """−Σ t log softmax(x) = Σ t · log Σ exp(x) − Σ t x, without overflow and to the last digits.

    The target is the number of the right class, counted from 0, or a row t, with a probability for
    each of two classes or more: none is below 0 and their sum is 1, up to the rounding of float32.
    TargetError for others, like a row of class numbers: the formula would be smallest where the
    softmax is not t, or nowhere; ShapeError for a row t beside one logit. See also
    `nn.cross_entropy`, the mean over the rows of a matrix.

    >>> import microgrid as mg
    >>> round(mg.cross_entropy([2.0, 0.0], 0), 4)
    0.1269
    >>> [round(g, 4) for g in mg.grad(mg.cross_entropy)([2.0, 0.0], 0)]  # softmax(x) - t
    [-0.1192, 0.1192]
    """
@overload
def cross_entropy(logits: Iterable[Operand], target: Any) -> Value: ...

__all__ = ['MicrogridError', 'Op', 'Program', 'Value', 'affine', 'check', 'course', 'custom_op', 'derivative', 'derive', 'draw', 'errors', 'examples', 'explain', 'first_nonfinite', 'formulas', 'grad', 'gradcheck', 'gradients', 'grads', 'hessian', 'hvp', 'jacobian', 'jvp', 'latex', 'matrix', 'nn', 'optim', 'partials', 'play', 'plots', 'program', 'record', 'results', 'scope', 'steps', 'tangents', 'tree_leaves', 'tree_map', 'value_and_grad', 'values', 'vjp', 'vmap', 'neg', 'absolute', 'exp', 'expm1', 'log', 'log2', 'log10', 'log1p', 'sqrt', 'cbrt', 'square', 'reciprocal', 'sin', 'cos', 'tan', 'arcsin', 'arccos', 'arctan', 'sinh', 'cosh', 'tanh', 'arcsinh', 'arccosh', 'arctanh', 'erf', 'erfc', 'normal_cdf', 'lgamma', 'digamma', 'sigmoid', 'softplus', 'log_sigmoid', 'relu', 'silu', 'gelu', 'softsign', 'leaky_relu', 'elu', 'hypot', 'arctan2', 'logaddexp', 'xlogy', 'clip', 'where', 'stop_gradient', 'maximum', 'minimum', 'logsumexp', 'total', 'mean', 'dot', 'softmax', 'cross_entropy']
