"""What can go wrong: every error is a MicrogridError and the builtin named beside it."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, ClassVar

ENTRY = "; see help('microgrid.errors.{}')"  # works anywhere; a site of the reference may follow


class MicrogridError(Exception):
    """Base of every error that this package raises; each is also the builtin of its kind.

    The kinds are in `microgrid.errors`: a DomainError is a ValueError, a NumberError a TypeError.
    Where it takes more than a line to say what helps, the message ends with the entry to read.

    >>> import microgrid as mg
    >>> try:
    ...     mg.log(-1.0)
    ... except mg.MicrogridError as error:
    ...     type(error).__name__, isinstance(error, ValueError)
    ('DomainError', True)
    """

    explained: ClassVar[bool] = False  # whether the message names the entry

    def __str__(self) -> str:
        return super().__str__() + ENTRY.format(type(self).__name__) * self.explained


class NumberError(MicrogridError, TypeError):
    """Something that is not one real number stands where a number is needed.

    A text is read first (`float("3")`), a list or an array becomes Values by `matrix`, a Value is
    cut out of its graph by `v.detach()`. No function guesses.

    >>> import microgrid as mg
    >>> mg.Value("3")
    Traceback (most recent call last):
        ...
    microgrid.engine.errors.NumberError: a Value needs a real number, got str '3': ...
    """


class GradientLostError(MicrogridError, TypeError):
    """The operation would silently drop the gradient.

    `float(v)`, `math.exp(v)`, `int(v)`, `range(v)` and `round(v)` give plain numbers, which
    remember nothing: what is computed from them would have no gradient, without a word. NumPy
    functions without a derivative here are refused for the same reason.

    - To go on with the gradient, write `mg.exp(v)` or `v.exp()`: each operation is a function of
      `mg` and a method.
    - For the number alone, to print, count or compare, take `v.data`, or `mg.values(A)` of an
      array.

    >>> import microgrid as mg
    >>> import math
    >>> x = mg.Value(2.0, "x")
    >>> math.exp(x)
    Traceback (most recent call last):
        ...
    microgrid.engine.errors.GradientLostError: a plain number made from Value(2.0, label='x') ...
    >>> x.exp().data == math.exp(x.data)
    True
    """

    explained = True


class DomainError(MicrogridError, ValueError):
    """The operation has no real value at this operand.

    The message has the operation, its operands by their labels, what they must be, and often a
    function that is right where this one fails: `log_sigmoid(x)` for `log(sigmoid(x))`.

    >>> import microgrid as mg
    >>> mg.log(mg.Value(0.0, "p"))
    Traceback (most recent call last):
        ...
    microgrid.engine.errors.DomainError: log(p = 0.0): no real value: needs x > 0; ...
    """


class DivisionError(MicrogridError, ZeroDivisionError):
    """A division by zero.

    `where(b, a / b, 0.0)` does not help: both sides are computed. Make the divisor safe first:
    `a / where(b, b, 1.0)`.

    >>> import microgrid as mg
    >>> 1 / mg.Value(0.0, "x")
    Traceback (most recent call last):
        ...
    microgrid.engine.errors.DivisionError: div(1, x = 0.0): division by zero: the divisor ...
    """


class RangeError(MicrogridError, OverflowError):
    """The result is too large for a float, which ends at 1.8e308.

    Inside of a larger formula a stable function often has no large number on the way: sigmoid,
    softplus, logsumexp, softmax.

    >>> import microgrid as mg
    >>> mg.exp(1000.0)
    Traceback (most recent call last):
        ...
    microgrid.engine.errors.RangeError: exp(1000.0): too large for a float: ...
    """


class RuleError(MicrogridError, ValueError):
    """The rules of an operation of your own do not fit it, or give no number.

    A rule is called with `(y, *xs)`, the value and the operands, and gives the local gradient
    alone: the engine multiplies by the upstream one. There is a rule for each operand.

    >>> import microgrid as mg
    >>> mg.custom_op("cube", lambda x: x**3, lambda x: 3 * x**2)
    Traceback (most recent call last):
        ...
    microgrid.engine.errors.RuleError: op 'cube': a rule is called with (y, *xs), ...
    >>> cube = mg.custom_op("cube", lambda x: x**3, lambda y, x: 3 * x**2)
    """


class GraphError(MicrogridError, ValueError):
    """A derivative of something that has none: no graph, a cycle, a function without a number.

    >>> import microgrid as mg
    >>> mg.grad(lambda x: [x, x])(2.0)
    Traceback (most recent call last):
        ...
    microgrid.engine.errors.GraphError: the function returned list, not one number; ...
    """


class StaleError(GraphError, ValueError):
    """A graph whose data was set after the forward pass, so that its gradient would be wrong.

    A node remembers its parents, and not how to compute itself again. When `x.data` is set, what
    was computed from x keeps its old number, and local gradients of both would be those of no
    function. Run the forward pass again. An optimizer's step sets data, too: each step of a
    training loop computes its own loss.

    >>> import microgrid as mg
    >>> x = mg.Value(2.0, "x")
    >>> y = x * x
    >>> x.data = 3.0
    >>> y.backward()
    Traceback (most recent call last):
        ...
    microgrid.engine.errors.StaleError: the gradient of mul(x = 3.0, x = 3.0) would be wrong: ...
    >>> y = x * x
    >>> y.backward()
    >>> x.grad
    6.0
    """

    explained = True


class ArgumentError(GraphError, IndexError):
    """A derivative in an argument that the function does not have, or of no order.

    >>> import microgrid as mg
    >>> mg.grad(lambda x: x * x, argnums=1)(2.0)
    Traceback (most recent call last):
        ...
    microgrid.engine.errors.ArgumentError: argnums=1: the function has been given 1 argument
    """


class ShapeError(MicrogridError, ValueError):
    """Arrays whose shapes do not fit. The message has the shapes, and which sizes must be equal.

    >>> import microgrid as mg
    >>> mg.affine([[1.0, 2.0]], [[1.0]], [0.0])
    Traceback (most recent call last):
        ...
    microgrid.engine.errors.ShapeError: XW + b: X has shape (1, 2) and W (1, 1); ...
    """


class ParameterError(MicrogridError, ValueError):
    """Parameters that do not belong to the model, or a setting that nothing can mean.

    >>> import microgrid as mg
    >>> mg.optim.SGD(lr=-1)
    Traceback (most recent call last):
        ...
    microgrid.engine.errors.ParameterError: the learning rate is a number above 0 ..., got -1
    """


class TargetError(MicrogridError, IndexError, ValueError):
    """A target that the loss cannot mean: a class beyond the logits, or what is no probability.

    Classes are counted from 0; `nn.one_hot` makes rows of them, which a recorded program needs.

    >>> import microgrid as mg
    >>> mg.cross_entropy([1.0, 2.0], 2)
    Traceback (most recent call last):
        ...
    microgrid.engine.errors.TargetError: target 2 is out of range for 2 logits: 0 to 1
    """


def describe(v: Any) -> str:
    """A node or number in words: its name or the operation that made it, and its number."""
    if not hasattr(v, "op"):
        return shown(v)
    if v.label:
        return f"{v.label} = {shown(v.data)}"
    return f"{v.op.name}(…) = {shown(v.data)}" if v.op else shown(v.data)


def shown(x: Any) -> str:
    """A number as Python writes it, but no thousands of digits."""
    if isinstance(x, int | Fraction):
        bits = max(x.numerator.bit_length(), x.denominator.bit_length())
        if bits > 200:
            return f"{'an int' if isinstance(x, int) else 'a Fraction'} of {bits} bits"
    return repr(x)


def beyond_floats(x: Any) -> bool:
    """Whether a node or a number is exact, and larger than all floats."""
    x, most = getattr(x, "data", x), Fraction(sys.float_info.max)
    return isinstance(x, int | Fraction) and not -most <= x <= most


def several(operands: Sequence[Any]) -> str:
    return ", ".join([describe(x) for x in operands[:4]] + ["…"] * (len(operands) > 4))


FAILURES: dict[type[Exception], tuple[type[MicrogridError], str]] = {  # what Python raises
    ZeroDivisionError: (DivisionError, "division by zero"),
    OverflowError: (RangeError, "too large for a float"),
    Exception: (DomainError, "no real value"),
}
# What Python says, which differs between its versions; an operation of a user has words of its own.
OF_PYTHON = re.compile(r"math domain error|expected a.*, got \S+")


def failure(op: Any, operands: Sequence[Any], error: Exception) -> Exception:
    """The error of a forward pass: the operation, its operands, and what to do instead."""
    if isinstance(error, MicrogridError):
        return error
    kind, said = next(FAILURES[raised] for raised in FAILURES if isinstance(error, raised))
    own = str(error.args[-1]) if error.args else ""
    if kind is DomainError and own and not OF_PYTHON.fullmatch(own):
        said = own
    if kind is RangeError and any(map(beyond_floats, operands)):
        said = f"an operand is {said}"
    elif op.hint and "real value;" not in said:  # the hint is another one for a fractional power
        said += f": {op.hint}"
    return kind(f"{op.name}({several(operands)}): {said}")


def stale(v: Any) -> StaleError:
    """The error of a backward pass over numbers that are not those of the forward pass."""
    return StaleError(
        f"the gradient of {v.op.name}({several(v.parents)}) would be wrong: data was set after "
        f"{describe(v)} was computed; run the forward pass again"
    )
