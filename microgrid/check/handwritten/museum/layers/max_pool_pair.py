"""Max pooling with loops."""

import numpy as np


def max_pool_forward_naive(x, pool_param):
    HH, WW = pool_param["pool_height"], pool_param["pool_width"]
    S = pool_param["stride"]
    N, C, H, W = x.shape
    H_out, W_out = 1 + (H - HH) // S, 1 + (W - WW) // S
    out = np.zeros((N, C, H_out, W_out))
    for n in range(N):
        for c in range(C):
            for i in range(H_out):
                for j in range(W_out):
                    out[n, c, i, j] = np.max(x[n, c, i * S : i * S + HH, j * S : j * S + WW])
    return out, (x, pool_param)


def max_pool_backward_naive(dout, cache):
    x, pool_param = cache
    HH, WW = pool_param["pool_height"], pool_param["pool_width"]
    S = pool_param["stride"]
    N, C, H_out, W_out = dout.shape
    dx = np.zeros_like(x)
    for n in range(N):
        for c in range(C):
            for i in range(H_out):
                for j in range(W_out):
                    window = x[n, c, i * S : i * S + HH, j * S : j * S + WW]
                    h, w = np.unravel_index(np.argmax(window), window.shape)
                    dx[n, c, i * S + h, j * S + w] += dout[n, c, i, j]
    return dx
