"""Layer normalization of the last axis, for sequences (N, T, D)."""

import numpy as np


class LayerNorm:
    def __init__(self, gamma, beta, eps=1e-5):
        self.gamma = gamma
        self.beta = beta
        self.eps = eps

    def forward(self, x):
        N, T, D = x.shape
        mean = x.mean(axis=-1, keepdims=True)
        var = x.var(axis=-1, keepdims=True)
        self.std = np.sqrt(var + self.eps)
        self.xhat = (x - mean) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma = np.sum(dout * self.xhat, axis=(0, 1))
        self.dbeta = np.sum(dout, axis=(0, 1))
        dxhat = dout * self.gamma
        m1 = dxhat.mean(axis=-1, keepdims=True)
        m2 = (dxhat * self.xhat).mean(axis=-1, keepdims=True)
        return (dxhat - m1 - self.xhat * m2) / self.std
