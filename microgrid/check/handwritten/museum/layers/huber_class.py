"""The Huber loss: quadratic near zero, linear outside."""

import numpy as np


class HuberLoss:
    def __init__(self, delta=1.0):
        self.delta = delta

    def forward(self, y_pred, y_true):
        self.error = y_pred - y_true
        small = np.abs(self.error) <= self.delta
        linear = self.delta * (np.abs(self.error) - 0.5 * self.delta)
        return np.mean(np.where(small, 0.5 * self.error**2, linear))

    def backward(self):
        grad = np.clip(self.error, -self.delta, self.delta)
        return grad / self.error.size
