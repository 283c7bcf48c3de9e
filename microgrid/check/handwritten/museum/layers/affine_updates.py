"""A fully connected layer that takes its own step of gradient descent in backward."""

import numpy as np


class Dense:
    def __init__(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad, learning_rate):
        dW = self.x.T @ grad
        db = np.sum(grad, axis=0)
        dx = grad @ self.W.T
        self.W -= learning_rate * dW
        self.b -= learning_rate * db
        return dx
