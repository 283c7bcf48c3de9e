"""The leaky rectifier."""

import numpy as np


class LeakyReLU:
    def __init__(self, alpha=0.1):
        self.alpha = alpha

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.alpha * x)

    def backward(self, dout):
        dx = dout.copy()
        dx[self.x <= 0] *= self.alpha
        return dx
