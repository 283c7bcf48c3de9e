"""Attention from one sequence to another, both normalized first."""

import numpy as np


class Norm:
    def forward(self, x):
        self.std = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
        self.xhat = (x - x.mean(axis=-1, keepdims=True)) / self.std
        return self.xhat

    def backward(self, dout):
        m1 = dout.mean(axis=-1, keepdims=True)
        m2 = (dout * self.xhat).mean(axis=-1, keepdims=True)
        return (dout - m1 - self.xhat * m2) / self.std


class CrossAttention:
    def __init__(self, Wq, Wk, Wv):
        self.Wq, self.Wk, self.Wv = Wq, Wk, Wv
        self.norm_x = Norm()
        self.norm_context = Norm()

    def forward(self, x, context):
        self.nx = self.norm_x.forward(x)
        self.nc = self.norm_context.forward(context)
        self.q, self.k, self.v = self.nx @ self.Wq, self.nc @ self.Wk, self.nc @ self.Wv
        scores = self.q @ self.k.transpose(0, 2, 1)
        exps = np.exp(scores - scores.max(axis=-1, keepdims=True))
        self.weights = exps / exps.sum(axis=-1, keepdims=True)
        return self.weights @ self.v

    def backward(self, dout):
        dv = self.weights.transpose(0, 2, 1) @ dout
        dweights = dout @ self.v.transpose(0, 2, 1)
        inner = np.sum(dweights * self.weights, axis=-1, keepdims=True)
        dscores = self.weights * (dweights - inner)
        dq = dscores @ self.k
        dk = dscores.transpose(0, 2, 1) @ self.q
        self.dWq = np.einsum("ntd,nte->de", self.nx, dq)
        self.dWk = np.einsum("ntd,nte->de", self.nc, dk)
        self.dWv = np.einsum("ntd,nte->de", self.nc, dv)
        dx = self.norm_x.backward(dq @ self.Wq.T)
        dcontext = self.norm_context.backward(dk @ self.Wk.T + dv @ self.Wv.T)
        return dx, dcontext
