"""Normalization by the root mean square."""

import numpy as np


class RMSNorm:
    def __init__(self, gamma, eps=1e-6):
        self.gamma = gamma
        self.eps = eps

    def forward(self, x):
        self.x = x
        self.rms = np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + self.eps)
        self.normed = x / self.rms
        return self.gamma * self.normed

    def backward(self, dout):
        D = self.x.shape[-1]
        self.dgamma = np.sum(dout * self.normed, axis=tuple(range(dout.ndim - 1)))
        dnormed = dout * self.gamma
        drms = np.sum(-dnormed * self.x / self.rms**2, axis=-1, keepdims=True)
        dx = dnormed / self.rms
        dx += drms * self.x / (D * self.rms)
        return dx
