"""Self-attention with one head, for sequences (N, T, D)."""

import numpy as np


class SelfAttention:
    def __init__(self, Wq, Wk, Wv, Wo):
        self.Wq, self.Wk, self.Wv, self.Wo = Wq, Wk, Wv, Wo

    def forward(self, x):
        self.x = x
        self.q, self.k, self.v = x @ self.Wq, x @ self.Wk, x @ self.Wv
        self.scale = 1 / np.sqrt(self.q.shape[-1])
        scores = self.q @ self.k.transpose(0, 2, 1) * self.scale
        exps = np.exp(scores - scores.max(axis=-1, keepdims=True))
        self.weights = exps / exps.sum(axis=-1, keepdims=True)
        self.context = self.weights @ self.v
        return self.context @ self.Wo

    def backward(self, dout):
        xT = self.x.transpose(0, 2, 1)
        self.dWo = np.sum(self.context.transpose(0, 2, 1) @ dout, axis=0)
        dcontext = dout @ self.Wo.T
        dweights = dcontext @ self.v.transpose(0, 2, 1)
        dv = self.weights.transpose(0, 2, 1) @ dcontext
        inner = np.sum(dweights * self.weights, axis=-1, keepdims=True)
        dscores = self.weights * (dweights - inner)
        dscores = dscores * self.scale
        dq = dscores @ self.k
        dk = dscores.transpose(0, 2, 1) @ self.q
        self.dWq = np.sum(xT @ dq, axis=0)
        self.dWk = np.sum(xT @ dk, axis=0)
        self.dWv = np.sum(xT @ dv, axis=0)
        dx = dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T
        return dx
