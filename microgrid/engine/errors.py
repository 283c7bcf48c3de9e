"""What can go wrong: every error is a MicrogridError and the builtin named beside it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any


class MicrogridError(Exception):
    """Base of every error that this package raises; each is also the builtin of its kind.

    The kinds are in `microgrid.errors`: a DomainError is a ValueError, a NumberError a TypeError.

    >>> import microgrid as mg
    >>> try:
    ...     mg.log(-1.0)
    ... except mg.MicrogridError as error:
    ...     type(error).__name__, isinstance(error, ValueError)
    ('DomainError', True)
    """


class NumberError(MicrogridError, TypeError):
    """Something that is not one real number stands where a number is needed."""


class GradientLostError(MicrogridError, TypeError):
    """The operation would silently drop the gradient."""


class DomainError(MicrogridError, ValueError):
    """The operation has no real value at this operand."""


class DivisionError(MicrogridError, ZeroDivisionError):
    """A division by zero."""


class RangeError(MicrogridError, OverflowError):
    """The result is too large for a float."""


class RuleError(MicrogridError, ValueError):
    """The rules of an operation give no number, or another number of them than it has parents."""


class GraphError(MicrogridError, ValueError):
    """The graph is not what the forward pass left: data changed since, or a cycle made by hand."""


class ArgumentError(GraphError, IndexError):
    """A derivative in an argument that the function does not have, or of no order."""


class ShapeError(MicrogridError, ValueError):
    """Arrays whose shapes do not fit."""


class ParameterError(MicrogridError, ValueError):
    """Parameters that do not belong to the model, or a setting that nothing can mean."""


class TargetError(MicrogridError, IndexError, ValueError):
    """A target that the loss cannot mean: a class beyond the logits, or what is no probability."""


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


def several(operands: Sequence[Any]) -> str:
    return ", ".join([describe(x) for x in operands[:4]] + ["…"] * (len(operands) > 4))


def failure(op: Any, operands: Sequence[Any], error: Exception) -> Exception:
    """The error of a forward pass: the operation, its operands, and what to do instead."""
    if isinstance(error, MicrogridError):
        return error
    kinds = {ZeroDivisionError: DivisionError, OverflowError: RangeError, Exception: DomainError}
    kind = next(kinds[raised] for raised in kinds if isinstance(error, raised))
    said = str(error.args[-1]) if error.args else ""
    if op.hint and "real value" not in said:  # a root of a negative number: says enough
        said += f": {op.hint}"
    return kind(f"{op.name}({several(operands)}): {said}")


def stale(v: Any) -> GraphError:
    """The error of a backward pass over numbers that are not those of the forward pass."""
    return GraphError(
        f"the gradient of {v.op.name}({several(v.parents)}) would be wrong: data was set after "
        f"{describe(v)} was computed; run the forward pass again"
    )
