"""Layers, networks and losses from scalar nodes.

Read module.py first (what holds parameters) with saving.py, then layers.py with initial.py,
losses.py, prediction.py, data.py; micrograd.py has the networks of micrograd's demo.

Layers made without a seed all differ. They draw from one generator, which is the same in each
process; `nn.seed(0)` begins anew.

>>> from microgrid import nn
>>> model = nn.Sequential(nn.Affine(2, 8, seed=1), nn.Tanh(), nn.Affine(8, 1, seed=2))
>>> loss = nn.squared_error(model([1.0, -1.0]), [0.5])
>>> loss.backward()
>>> model.parameters()[0].label
'layer0.w_{11}'
"""

from microgrid.engine.lazy import public
from microgrid.nn import layers
from microgrid.nn.data import batches
from microgrid.nn.initial import INITIAL, seed
from microgrid.nn.layers import *  # noqa: F403
from microgrid.nn.losses import binary_cross_entropy, cross_entropy, hinge, one_hot, squared_error
from microgrid.nn.micrograd import MLP, Layer, Neuron
from microgrid.nn.module import Module
from microgrid.nn.prediction import predict

__all__ = ["INITIAL", "MLP", "Layer", "Module", "Neuron", "batches", "binary_cross_entropy"]
__all__ += ["cross_entropy", "hinge", "one_hot", "predict", "seed", "squared_error"]
__all__ += vars(layers)["__all__"]  # each class of layers.py that is a Module
__dir__ = public(__name__)
