"""Layers, networks and losses from scalar nodes.

>>> from microgrid import nn
>>> model = nn.Sequential(nn.Affine(2, 8, seed=1), nn.Tanh(), nn.Affine(8, 1, seed=2))
>>> loss = nn.squared_error(model([1.0, -1.0]), [0.5])
>>> loss.backward()
>>> model.parameters()[0].label
'layer0.w_{11}'
"""

from microgrid.nn.initial import INITIAL as INITIAL
from microgrid.nn.layers import *  # noqa: F403
from microgrid.nn.losses import binary_cross_entropy as binary_cross_entropy
from microgrid.nn.losses import cross_entropy as cross_entropy
from microgrid.nn.losses import hinge as hinge
from microgrid.nn.losses import one_hot as one_hot
from microgrid.nn.losses import squared_error as squared_error
from microgrid.nn.micrograd import MLP as MLP
from microgrid.nn.micrograd import Layer as Layer
from microgrid.nn.micrograd import Neuron as Neuron
from microgrid.nn.module import Module as Module
from microgrid.nn.prediction import predict as predict
