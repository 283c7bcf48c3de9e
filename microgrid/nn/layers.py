"""Layers: the affine layer from scalar nodes, activations, and layers behind each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from microgrid.engine import functions, ops
from microgrid.engine.errors import ParameterError, ShapeError
from microgrid.engine.guards import real
from microgrid.engine.hints import hinted
from microgrid.engine.labels import scope
from microgrid.engine.renamed import renamed
from microgrid.engine.value import Value
from microgrid.matrices.arrays import Array, affine, array_of, entrywise, matrix
from microgrid.nn.initial import Draw, Seed, weights
from microgrid.nn.module import Module


class Affine(Module):
    """Y = XW + b of D inputs and M outputs, with w (D, M) and b (M,) as Values.

    X is (N, D), or one row (D,). `init` is "lecun", "glorot", "he", "uniform" (−1 to 1), "zeros",
    or a function (generator, inputs, outputs) -> weights; b begins at zero. The same `seed` draws
    the same weights; give all layers of a model one generator, and it is always the same. Layers
    without a seed all differ: their weights depend on how many layers were made since the process
    began, or since `nn.seed`. ParameterError for sizes or an `init` that cannot be.

    >>> layer = Affine(2, 3, seed=1)
    >>> layer([1.0, 2.0]).shape, layer([[1.0, 2.0]]).shape, list(layer.named_parameters())[:3]
    ((3,), (1, 3), ['w_{11}', 'w_{12}', 'w_{13}'])
    """

    @renamed(D="inputs", M="outputs")
    @hinted
    def __init__(
        self, inputs: int, outputs: int, init: str | Draw = "lecun", seed: Seed = None
    ) -> None:
        self.w = matrix(weights(init, seed, inputs, outputs), "w")
        self.b = matrix(np.zeros(outputs), "b")

    def __call__(self, X: Any) -> Array:
        X = array_of(X)
        return affine(X[None], self.w, self.b)[0] if X.ndim == 1 else affine(X, self.w, self.b)

    def __repr__(self) -> str:
        return f"Affine({', '.join(map(str, self.w.shape))})"


class Activation(Module):
    """A function of one number, applied to each entry: the base of the layers without parameters.

    A subclass names its function; a layer without a class of its own is the function itself.

    >>> from microgrid import square
    >>> class Square(Activation):
    ...     function = square
    >>> Square()([-1.0, 3.0]).tolist(), Sequential(Affine(2, 3), square)
    ([1.0, 9.0], Sequential(Affine(2, 3), square))
    """

    function: ClassVar[Callable[..., Any]]

    def __call__(self, X: Any) -> Array:
        return entrywise(type(self).function, array_of(X))


class Sigmoid(Activation):
    """1 / (1 + exp −x) of each entry.

    >>> Sigmoid()([0.0, 0.0]).tolist()
    [0.5, 0.5]
    """

    function = ops.sigmoid


class Tanh(Activation):
    """tanh x of each entry.

    >>> Tanh()([[0.0, 20.0]]).tolist()
    [[0.0, 1.0]]
    """

    function = ops.tanh


class ReLU(Activation):
    """max(0, x) of each entry.

    >>> ReLU()([-1.0, 2.0]).tolist()
    [0.0, 2.0]
    """

    function = ops.relu


class LeakyReLU(Activation):
    """x above zero, slope · x below, of each entry; a Value as the slope is a parameter.

    >>> LeakyReLU(0.2)([-1.0, 1.0]).tolist()
    [-0.2, 1.0]
    """

    function = functions.leaky_relu

    def __init__(self, slope: float | Value = 0.01) -> None:
        self.slope = slope if isinstance(slope, Value) else real(slope)

    def __call__(self, X: Any) -> Array:
        return entrywise(lambda x: functions.leaky_relu(x, self.slope), array_of(X))

    def __repr__(self) -> str:
        slope = repr(self.slope)
        return f"LeakyReLU({slope if slope != '0.01' else ''})"


class Softmax(Module):
    """exp x / Σ exp x of a row of numbers, or of each row of an array; ShapeError for one number.

    >>> Softmax()([[0.0, 0.0], [1000.0, 0.0]]).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """

    def __call__(self, X: Any) -> Array:
        X = array_of(X)
        if not X.ndim:
            raise ShapeError(f"Softmax takes a row of numbers or several, got {X.item()!r}")
        rows = [functions.softmax(row) for row in X.reshape(-1, X.shape[-1])]
        return array_of(rows).reshape(X.shape)


class Sequential(Module):
    """Layers behind each other: Modules, or any functions of an array. Pictures fold each layer.

    The labels of the parameters become their names in the whole: w_{11} is layer0.w_{11}.
    ParameterError for what cannot be called, like a list or a class of layers.

    >>> model = Sequential(Affine(2, 3, seed=1), Tanh(), Affine(3, 1, seed=2))
    >>> len(model.parameters()), list(model.named_parameters())[-1]
    (13, 'layer2.b_1')
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        for i, layer in enumerate(layers):
            is_class = isinstance(layer, type) and issubclass(layer, Module)
            if is_class or not callable(layer):
                got = f"the class {layer.__name__}" if is_class else repr(layer)
                raise ParameterError(
                    f"Sequential takes layers one by one, like Sequential(Affine(2, 3), ReLU()): "
                    f"layer {i} is {got}"
                )
        self.layers = list(layers)
        self.name_parameters()

    def __call__(self, X: Any) -> Any:
        for i, layer in enumerate(self.layers):
            with scope(f"layer{i} {self._name_of(layer)}"):
                X = layer(X)
        return X

    @staticmethod
    def _name_of(layer: Any) -> str:
        """The name of a layer in pictures."""
        if isinstance(layer, Module):
            return type(layer).__name__
        name = getattr(layer, "__name__", "") or getattr(layer, "name", "")  # that of an operation
        return name if name.isidentifier() else "lambda" * (name == "<lambda>") or "function"

    def __getitem__(self, i: int) -> Any:
        return self.layers[i]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    def __repr__(self) -> str:
        parts = [repr(x) if isinstance(x, Module) else self._name_of(x) for x in self]
        return f"Sequential({', '.join(parts)})"


if not TYPE_CHECKING:
    # A new layer is one class: `nn` needs no second list.
    kinds = {k: x for k, x in globals().items() if isinstance(x, type) and issubclass(x, Module)}
    __all__ = [k for k, x in kinds.items() if x is not Module]
