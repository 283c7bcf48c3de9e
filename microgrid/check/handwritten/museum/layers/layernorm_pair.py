"""Layer normalization of the rows of a matrix."""

import numpy as np


def layernorm_forward(x, gamma, beta, ln_param):
    eps = ln_param.get("eps", 1e-5)
    mu = np.mean(x, axis=1, keepdims=True)
    var = np.var(x, axis=1, keepdims=True)
    sigma = np.sqrt(var + eps)
    xhat = (x - mu) / sigma
    out = gamma * xhat + beta
    cache = (xhat, gamma, sigma)
    return out, cache


def layernorm_backward(dout, cache):
    xhat, gamma, sigma = cache
    dgamma = np.sum(dout * xhat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dxhat = dout * gamma
    mean_dxhat = np.mean(dxhat, axis=1, keepdims=True)
    mean_dxhat_xhat = np.mean(dxhat * xhat, axis=1, keepdims=True)
    dx = (dxhat - mean_dxhat - xhat * mean_dxhat_xhat) / sigma
    return dx, dgamma, dbeta
