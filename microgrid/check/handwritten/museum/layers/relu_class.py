"""The rectifier as a class that keeps what it gave."""

import numpy as np


class ReLU:
    def forward(self, x):
        self.out = np.maximum(x, 0)
        return self.out

    def backward(self, dout):
        return dout * (self.out > 0)
