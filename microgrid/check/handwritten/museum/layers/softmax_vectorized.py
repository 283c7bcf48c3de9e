"""The softmax loss of a linear classifier without loops."""

import numpy as np


def softmax_loss_vectorized(W, X, y, reg):
    num_train = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores)
    p /= np.sum(p, axis=1, keepdims=True)
    loss = np.sum(-np.log(p[np.arange(num_train), y]))
    loss = loss / num_train + reg * np.sum(W**2)
    p[np.arange(num_train), y] -= 1
    dW = X.T.dot(p) / num_train
    dW += 2 * reg * W
    return loss, dW
