"""Average pooling as a class."""

import numpy as np


class AvgPool:
    def __init__(self, size=3, stride=2):
        self.size = size
        self.stride = stride

    def forward(self, x):
        self.x = x
        k, s = self.size, self.stride
        N, C, H, W = x.shape
        out = np.zeros((N, C, (H - k) // s + 1, (W - k) // s + 1))
        for i in range(out.shape[2]):
            for j in range(out.shape[3]):
                out[:, :, i, j] = x[:, :, i * s : i * s + k, j * s : j * s + k].mean(axis=(2, 3))
        return out

    def backward(self, dout):
        k, s = self.size, self.stride
        dx = np.zeros_like(self.x)
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                share = dout[:, :, i : i + 1, j : j + 1] / (k * k)
                dx[:, :, i * s : i * s + k, j * s : j * s + k] += share
        return dx
