"""Micrograd's Neuron, Layer and MLP: networks neuron by neuron, on which micrograd's demo runs.

Unlike in micrograd, a Layer always returns a list, and weights come from a seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from microgrid.engine.errors import ParameterError, ShapeError
from microgrid.engine.labels import scope
from microgrid.engine.ops import relu
from microgrid.engine.settings import whole
from microgrid.engine.value import Value
from microgrid.matrices.arrays import matrix
from microgrid.nn.initial import Seed, generator, weights
from microgrid.nn.module import Module


class Neuron(Module):
    """relu(b + Σ w x), or without `nonlin` the sum alone; weights are uniform from −1 to 1.

    Neurons of the same seed are equal, and stay equal in training: give all of them one generator,
    or no seed. ShapeError for another number of inputs than `nin`.

    >>> neuron = Neuron(2, nonlin=False, seed=0)
    >>> neuron.set_parameters([2.0, 3.0, 1.0])  # w_0, w_1, b
    >>> neuron([10.0, 100.0]).data
    321.0
    """

    def __init__(self, nin: int, nonlin: bool = True, seed: Seed = None) -> None:
        self.w = list(matrix(weights("uniform", seed, nin, 1)[:, 0], "w"))
        self.b = Value(0.0, "b")
        self.nonlin = nonlin

    def __call__(self, x: Sequence[Any]) -> Any:
        if len(x) != len(self.w):
            raise ShapeError(f"a neuron of {len(self.w)} inputs got {len(x)} numbers")
        act = sum((wi * xi for wi, xi in zip(self.w, x)), self.b)
        return relu(act) if self.nonlin else act

    def __repr__(self) -> str:
        return f"{'ReLU' if self.nonlin else 'Linear'}Neuron({len(self.w)})"


class Layer(Module):
    """Neurons side by side: returns a list of their outputs, also of a single one.

    ParameterError for no neurons, ShapeError for another number of inputs than `nin`.

    >>> Layer(2, 1, seed=0), len(Layer(2, 3)([1.0, 2.0]))
    (Layer of [ReLUNeuron(2)], 3)
    """

    def __init__(self, nin: int, nout: int, nonlin: bool = True, seed: Seed = None) -> None:
        rng = generator(seed)
        whole("nout", nout, 1)
        self.neurons = [Neuron(nin, nonlin, rng) for _ in range(nout)]

    def __call__(self, x: Sequence[Any]) -> list[Any]:
        return [neuron(x) for neuron in self.neurons]

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(Module):
    """Layers behind each other, all but the last with relu.

    It returns a list of outputs; made for one output, it returns that Value. ParameterError for
    sizes that cannot be, ShapeError for other inputs than one sample of `nin` numbers. `Affine` and
    `Sequential` are faster, take whole batches, and have other first weights and activations.

    >>> model = MLP(2, [4, 1], seed=1)
    >>> model
    MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2), ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(4)]]
    >>> type(model([1.0, 2.0])).__name__
    'Value'
    """  # noqa: E501

    def __init__(self, nin: int, nouts: Sequence[int], seed: Seed = None) -> None:
        if not hasattr(nouts, "__len__") or not len(nouts):
            raise ParameterError(f"nouts are the sizes of the layers, like [4, 1], got {nouts!r}")
        rng, sizes = generator(seed), [nin, *nouts]
        last = len(nouts) - 1
        self.layers = [Layer(sizes[i], m, i != last, rng) for i, m in enumerate(nouts)]
        self.name_parameters()

    def __call__(self, x: Sequence[Any]) -> Any:
        if isinstance(x, np.ndarray) and x.ndim != 1:
            raise ShapeError(f"an MLP takes one sample at a time, got shape {x.shape}; see predict")
        for i, layer in enumerate(self.layers):
            with scope(f"layer{i}"):
                x = layer(x)
        return x[0] if len(self.layers[-1].neurons) == 1 else x

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"
