"""Softmax that hands its gradient through, and the loss that is written for it."""

import numpy as np


class Softmax:
    def forward(self, x):
        exps = np.exp(x - np.max(x, axis=1, keepdims=True))
        self.out = exps / np.sum(exps, axis=1, keepdims=True)
        return self.out

    def backward(self, dout):
        return dout


class CrossEntropyLoss:
    def forward(self, probs, y):
        self.probs = probs
        self.y = y
        N = probs.shape[0]
        return -np.sum(np.log(probs[np.arange(N), y])) / N

    def backward(self):
        N = self.probs.shape[0]
        dx = self.probs.copy()
        dx[np.arange(N), self.y] -= 1
        return dx / N
