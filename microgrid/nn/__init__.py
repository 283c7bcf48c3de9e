"""Layers, networks and losses from scalar nodes.

>>> from microgrid import nn
>>> model = nn.Sequential(nn.Affine(2, 8, seed=1), nn.Tanh(), nn.Affine(8, 1, seed=2))
>>> loss = nn.squared_error(model([1.0, -1.0]), [0.5])
>>> loss.backward()
>>> model.parameters()[0].label
'layer0.w_{11}'
"""

from microgrid.nn.initial import INITIAL
from microgrid.nn.layers import (
    Activation,
    Affine,
    LeakyReLU,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
)
from microgrid.nn.losses import binary_cross_entropy, cross_entropy, hinge, one_hot, squared_error
from microgrid.nn.micrograd import MLP, Layer, Neuron
from microgrid.nn.module import Module
from microgrid.nn.predict import predict

__all__ = [
    "INITIAL",
    "MLP",
    "Activation",
    "Affine",
    "Layer",
    "LeakyReLU",
    "Module",
    "Neuron",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "binary_cross_entropy",
    "cross_entropy",
    "hinge",
    "one_hot",
    "predict",
    "squared_error",
]
