"""Batch normalization, step by step, forward and back."""

import numpy as np


def batchnorm_forward(x, gamma, beta):
    eps = 1e-5
    mu = np.mean(x, axis=0)
    xmu = x - mu
    var = np.mean(xmu**2, axis=0)
    std = np.sqrt(var + eps)
    istd = 1.0 / std
    xhat = xmu * istd
    out = gamma * xhat + beta
    cache = (xhat, gamma, xmu, istd, std, var, eps)
    return out, cache


def batchnorm_backward(dout, cache):
    xhat, gamma, xmu, istd, std, var, eps = cache
    N, D = dout.shape
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    distd = np.sum(dxhat * xmu, axis=0)
    dstd = -distd / std**2
    dvar = 0.5 * dstd / np.sqrt(var + eps)
    dxmu = dxhat * istd
    dxmu += 2.0 / N * xmu * dvar
    dmu = -np.sum(dxmu, axis=0)
    dx = dxmu + dmu / N
    return dx, dgamma, dbeta
