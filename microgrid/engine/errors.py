"""What can go wrong: every error is a MicrogridError and the builtin named beside it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from fractions import Fraction
from typing import Any


class MicrogridError(Exception):
    """Base of every error that this package raises."""


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


class LabelError(MicrogridError, ValueError):
    """A label with a character that no picture can show."""


class ShapeError(MicrogridError, ValueError):
    """Arrays whose shapes do not fit."""


class ParameterError(MicrogridError, ValueError):
    """Parameters that do not belong to the model, or a setting that nothing can mean."""


class DivergedError(MicrogridError, ArithmeticError):
    """Training has left the finite numbers; `history` is what happened until then."""

    def __init__(self, loss: float, epoch: int, step: int, history: Any) -> None:
        super().__init__(
            f"the loss or its gradient is not finite at step {step} (epoch {epoch + 1}, loss "
            f"{loss}): try a smaller learning rate; first_nonfinite(loss) finds the node"
        )
        self.loss, self.epoch, self.step, self.history = loss, epoch, step, history

    def __reduce__(self) -> tuple[Any, ...]:
        history = self.history
        try:
            pickle.dumps(history)
        except Exception:  # a model made of lambdas: the losses travel without it
            history = copy.copy(history)
            history.parameters = None
        held = vars(self) | {"history": history}  # with the notes
        return type(self), (self.loss, self.epoch, self.step, history), held


class TargetError(MicrogridError, IndexError, ValueError):
    """A target that the loss cannot mean: a class beyond the logits, or what is no probability."""


class FrozenError(MicrogridError, ValueError):
    """A number that may change would be fixed for ever in a recorded program."""


class BranchError(MicrogridError, RuntimeError):
    """A function that is recorded looks at a number: other numbers might take another way."""


class EngineError(MicrogridError, RuntimeError):
    """An engine that is to be checked does not load."""


class ExpressionError(MicrogridError, ValueError):
    """Text that is not arithmetic."""


class ExerciseError(MicrogridError, LookupError):
    """No exercise of that number."""


class LayoutError(MicrogridError, RuntimeError):
    """No program that can lay out a picture, or none that writes such files."""


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


def several(operands: Sequence[Any], most: int = 4) -> str:
    return ", ".join([describe(x) for x in operands[:most]] + ["…"] * (len(operands) > most))


def failure(op: Any, operands: Sequence[Any], error: Exception) -> Exception:
    """The error of a forward pass: the operation, its operands, and what to do instead."""
    if isinstance(error, MicrogridError):
        return error
    kind = (
        DivisionError
        if isinstance(error, ZeroDivisionError)
        else RangeError
        if isinstance(error, OverflowError)
        else DomainError
    )
    told = "real value" in str(error)  # a root of a negative number: says enough
    advice = f": {op.hint}" if op.hint and not told else ""
    return kind(
        f"{op.name}({several(operands)}): {error.args[-1] if error.args else error}{advice}"
    )


def stale(v: Any) -> GraphError:
    """The error of a backward pass over numbers that are not those of the forward pass."""
    return GraphError(
        f"the gradient of {v.op.name}({several(v.parents)}) would be wrong: data was set after "
        f"{describe(v)} was computed; run the forward pass again"
    )
