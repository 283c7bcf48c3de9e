"""A layer that is ready to run: its inputs, and one function for its forward and its backward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from microgrid.engine.errors import MicrogridError

Array = NDArray[Any]


class LayerError(MicrogridError, ValueError):
    """A layer that cannot be checked; the message says why in a sentence.

    >>> from microgrid.check import layer
    >>> layer(lambda x: x * 2, None, x=(3,))
    Traceback (most recent call last):
        ...
    microgrid.check.handwritten.trial.LayerError: ...
    """


class Pass(NamedTuple):
    """One forward pass: what it gave, and the backward pass that follows it.

    `outputs` are the differentiable results, each an array (a number has no axes). `pull` takes an
    upstream gradient for each of them, in their shapes, and gives what their backward gives: the
    gradient by the name of the input, as it was written (any shape, None if it is not written). An
    input that they have no gradient for is not there. Call it once: a second pass is a new one.
    """

    outputs: list[Any]
    pull: Callable[[Sequence[Any]], Mapping[str, Any]]


@dataclass
class Trial:
    """Somebody's layer with inputs, whatever its form.

    `run(inputs)` is one fresh forward: every call starts from the same state (a new object or a
    deep copy, the same random seed). The inputs are floats, or Values in arrays of these shapes; a
    forward may write into them, so the caller copies. What is not differentiated (labels, strides,
    modes) is bound inside. `again(inputs, others)` uses one object twice, and says what is wrong
    with the second use, or "".

    >>> Trial("double", {"x": np.ones(3)}, lambda d: Pass([2 * d["x"]], lambda u: {"x": 2 * u[0]}))
    Trial(name='double', inputs={'x': array([1., 1., 1.])}, ...)
    """

    name: str  # as the report calls it: "affine", "Linear", "Softmax + CrossEntropy"
    inputs: dict[str, Array]  # drawn floats, by name: what to differentiate with respect to
    run: Callable[[Mapping[str, Any]], Pass]
    modules: list[ModuleType] = field(default_factory=list)  # theirs: the stand-in's place
    forwards: list[FunctionType] = field(default_factory=list)  # theirs, for lines and names
    backwards: list[FunctionType] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)  # input -> "dw", "self.dW", 'grads["W"]'
    setting: str = ""  # how it is called beyond its inputs: "stride=2, pad=1", "mode='train'"
    loss: bool = False  # one number, whose backward takes no upstream gradient
    samples: int = 1  # N, the length of the axis of samples
    hint: str = ""  # what to try where the backward crashes
    again: Callable[[Mapping[str, Any], Mapping[str, Any]], str] | None = None


def copies(inputs: Mapping[str, Any]) -> dict[str, Array]:
    """Copies of the inputs, for a forward that may write into them.

    >>> copies({"x": 3.0})
    {'x': array(3.)}
    """
    return {name: np.array(x) for name, x in inputs.items()}


def plain(x: Any) -> Any:
    """An array, or a number, of floats: of Values their numbers."""
    from microgrid.matrices.arrays import values

    return values(x) if getattr(x, "dtype", None) == np.dtype(object) else np.asarray(x)
