"""A fully connected layer as a pair of functions, samples of any shape."""

import numpy as np


def affine_forward(x, w, b):
    rows = x.reshape(x.shape[0], -1)
    out = np.dot(rows, w) + b
    cache = (x, w, b)
    return out, cache


def affine_backward(dout, cache):
    x, w, b = cache
    rows = x.reshape(x.shape[0], -1)
    dx = np.dot(dout, w.T).reshape(x.shape)
    dw = np.dot(rows.T, dout)
    db = np.sum(dout, axis=0)
    return dx, dw, db
