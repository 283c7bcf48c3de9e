"""Classes as trials: the styles that people write, inputs, gradients, what is refused."""

from __future__ import annotations

import copy
import importlib.util
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from microgrid.check.handwritten import judge, museum
from microgrid.check.handwritten.forms import chains, classes, names
from microgrid.check.handwritten.forms.using import play
from microgrid.check.handwritten.forms.which_classes import classes_of
from microgrid.check.handwritten.forward.exact import exact
from microgrid.check.handwritten.trial import LayerError, Trial

HEAD = "import numpy as np\n"
COUNT = itertools.count()

# One Linear in many styles: where its parameters and its gradients are.
LINEARS = {
    "arrays given": """
class Affine:
    def __init__(self, W, b):
        self.W, self.b, self.x, self.dW, self.db = W, b, None, None, None
    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b
    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return np.dot(dout, self.W.T)
""",
    "all in attributes": """
class Layer_Dense:
    def __init__(self, n_inputs, n_neurons):
        self.weights = 0.01 * np.random.randn(n_inputs, n_neurons)
        self.biases = np.zeros((1, n_neurons))
    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases
    def backward(self, dvalues):
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
        self.dinputs = np.dot(dvalues, self.weights.T)
""",
    "dicts": """
class Dense:
    def __init__(self, nin, nout):
        self.params = {"W": np.random.randn(nin, nout), "b": np.zeros(nout)}
        self.grads = {}
    def forward(self, X):
        self.X = X
        return X @ self.params["W"] + self.params["b"]
    def backward(self, dY):
        self.grads["W"], self.grads["b"] = self.X.T @ dY, dY.sum(axis=0)
        return dY @ self.params["W"].T
""",
    "a dict with dW": """
class Dense:
    def __init__(self, nin, nout):
        self.weights = {"w": np.random.randn(nin, nout), "b": np.zeros(nout)}
        self.gradients = {"dw": None, "db": None}
    def forward(self, X):
        self.X = X
        return X @ self.weights["w"] + self.weights["b"]
    def backward(self, dY):
        self.gradients["dw"], self.gradients["db"] = self.X.T @ dY, dY.sum(axis=0)
        return dY @ self.weights["w"].T
""",
    "lists written in place": """
class Affine:
    def __init__(self, W, b):
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]
    def forward(self, x):
        W, b = self.params
        self.x = x
        return np.dot(x, W) + b
    def backward(self, dout):
        W, b = self.params
        self.grads[0][...] = np.dot(self.x.T, dout)
        self.grads[1][...] = np.sum(dout, axis=0)
        return np.dot(dout, W.T)
""",
    "objects for parameters": """
class Parameter:
    def __init__(self, data):
        self.data, self.grad = data, np.zeros_like(data)
class Module:
    def forward(self, x): raise NotImplementedError
    def __call__(self, x): return self.forward(x)
class Linear(Module):
    def __init__(self, in_features, out_features, bias=True):
        self.weight = Parameter(np.random.randn(out_features, in_features))
        self.bias = Parameter(np.zeros(out_features))
    def forward(self, x):
        self.x = x
        return x @ self.weight.data.T + self.bias.data
    def backward(self, grad_output):
        self.weight.grad += grad_output.T @ self.x
        self.bias.grad += grad_output.sum(0)
        return grad_output @ self.weight.data
""",
    "slots": """
class Linear:
    __slots__ = ("w", "b", "x", "grad_w", "grad_b")
    def __init__(self, in_dim, out_dim):
        self.w, self.b = np.random.randn(in_dim, out_dim), np.zeros(out_dim)
    def __call__(self, x):
        self.x = x
        return x @ self.w + self.b
    def backward(self, grad):
        self.grad_w, self.grad_b = self.x.T @ grad, grad.sum(0)
        return grad @ self.w.T
""",
    "returned, with a cache": """
class Linear:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)
    def forward(self, x):
        return x @ self.W + self.b, x
    def backward(self, dout, cache):
        dx, dW, db = dout @ self.W.T, cache.T @ dout, dout.sum(0)
        return dx, dW, db
""",
    "returned in another order": """
class Linear:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)
    def fwd(self, x):
        self.x = x
        return x @ self.W + self.b
    def bwd(self, dout):
        dx, dW, db = dout @ self.W.T, self.x.T @ dout, dout.sum(0)
        return db, dx, dW
""",
    "returned in a list within": """
class Linear:
    def __init__(self, in_size, out_size):
        self.W, self.b = np.random.randn(in_size, out_size), np.zeros(out_size)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, nextgrad):
        return nextgrad @ self.W.T, [self.x.T @ nextgrad, nextgrad.sum(0)]
""",
    "returned in a dict": """
class Linear:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)
    def forward_pass(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward_pass(self, dout):
        return {"dx": dout @ self.W.T, "dW": self.x.T @ dout, "db": dout.sum(0)}
""",
    "it updates itself": """
class Dense:
    def __init__(self, input_size, output_size):
        self.weights = np.random.randn(output_size, input_size)
        self.bias = np.random.randn(output_size, 1)
    def forward(self, input):
        self.input = input
        return np.dot(self.weights, self.input) + self.bias
    def backward(self, output_gradient, learning_rate):
        input_gradient = np.dot(self.weights.T, output_gradient)
        self.weights -= learning_rate * np.dot(output_gradient, self.input.T)
        self.bias -= learning_rate * np.sum(output_gradient, axis=1, keepdims=True)
        return input_gradient
""",
    "it updates itself by its own rate": """
class Dense:
    def __init__(self, in_dim, out_dim, lr=0.01):
        self.w, self.b, self.lr = np.random.randn(in_dim, out_dim), np.zeros((1, out_dim)), lr
    def forward(self, x):
        self.x = x
        return x @ self.w + self.b
    def backward(self, dout):
        dx = dout @ self.w.T
        self.w -= self.lr * self.x.T @ dout
        self.b -= self.lr * dout.sum(0, keepdims=True)
        return dx
""",
    "made by its first forward": """
class Dense:
    def __init__(self, units):
        self.units, self.W, self.b = units, None, None
    def forward(self, x):
        if self.W is None:
            self.W, self.b = np.random.randn(x.shape[1], self.units), np.zeros(self.units)
        self.x = x
        return x @ self.W + self.b
    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(0)
        return dout @ self.W.T
""",
    "an optimizer, and an initialize": """
class Dense:
    def __init__(self, n_units, input_shape=None):
        self.n_units, self.input_shape, self.W, self.w0 = n_units, input_shape, None, None
    def initialize(self, optimizer):
        self.W = np.random.randn(self.input_shape[0], self.n_units)
        self.w0, self.opt = np.zeros((1, self.n_units)), optimizer
    def forward_pass(self, X, training=True):
        self.layer_input = X
        return X.dot(self.W) + self.w0
    def backward_pass(self, accum_grad):
        W = self.W
        self.W = self.opt.update(self.W, self.layer_input.T.dot(accum_grad))
        self.w0 = self.opt.update(self.w0, np.sum(accum_grad, axis=0, keepdims=True))
        return accum_grad.dot(W.T)
""",
}

OTHERS = {
    "relu": """
class Relu:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out
    def backward(self, dout):
        dout[self.mask] = 0
        return dout
""",
    "a slope without upstream": """
class Sigmoid:
    def __call__(self, x): return 1 / (1 + np.exp(-x))
    def gradient(self, x): return self(x) * (1 - self(x))
""",
    "kept by __call__": """
class Function:
    def __call__(self, *xs):
        self.inputs = xs
        return self.forward(*xs)
    def forward(self, *xs): raise NotImplementedError
    def backward(self, gy): raise NotImplementedError
class Mul(Function):
    def forward(self, a, b): return a * b
    def backward(self, gy):
        a, b = self.inputs
        return gy * b, gy * a
""",
    "sizes by unknown names": """
class Fc:
    def __init__(self, row, column): self.W = {"val": np.random.randn(row, column), "grad": 0}
    def forward(self, x):
        self.x = x
        return x @ self.W["val"].T
    def backward(self, d):
        self.W["grad"] = d.T @ self.x
        return d @ self.W["val"]
""",
    "a parameter that is a number": """
class PReLU:
    def __init__(self, alpha=0.25): self.alpha = alpha
    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.alpha * x)
    def backward(self, d):
        self.dalpha = (d * self.x * (self.x < 0)).sum()
        return d * np.where(self.x > 0, 1, self.alpha)
""",
    "dropout": """
class Dropout:
    def __init__(self, rate): self.rate = rate
    def forward(self, x, training=False):
        if not training: return x
        self.mask = np.random.binomial(1, 1 - self.rate, size=x.shape) / (1 - self.rate)
        return x * self.mask
    def backward(self, dout): return dout * self.mask
""",
    "dropout with its own generator": """
class Dropout:
    def __init__(self, p=0.5): self.p, self.rng, self.training = p, np.random.default_rng(3), True
    def forward(self, x):
        self.mask = self.rng.random(x.shape) > self.p
        return x * self.mask
    def backward(self, dout): return dout * self.mask
""",
    "batch normalization": """
class BatchNorm1d:
    def __init__(self, num_features, momentum=0.1, eps=1e-5):
        self.gamma, self.beta = np.ones((1, num_features)), np.zeros((1, num_features))
        self.running_mean = np.zeros((1, num_features))
        self.running_var = np.ones((1, num_features))
        self.m, self.eps, self.training = momentum, eps, True
    def forward(self, x):
        m, v = x.mean(0, keepdims=True), x.var(0, keepdims=True)
        self.running_mean = (1 - self.m) * self.running_mean + self.m * m
        self.running_var = (1 - self.m) * self.running_var + self.m * v
        self.s = 1 / np.sqrt(v + self.eps)
        self.xh = (x - m) * self.s
        return self.gamma * self.xh + self.beta
    def backward(self, d):
        self.dgamma = (d * self.xh).sum(0, keepdims=True)
        self.dbeta = d.sum(0, keepdims=True)
        g = d * self.gamma
        return self.s * (g - g.mean(0) - self.xh * (g * self.xh).mean(0))
""",
    "embedding": """
class Embedding:
    def __init__(self, vocab_size, embed_dim): self.weight = np.random.randn(vocab_size, embed_dim)
    def forward(self, tokens):
        self.t = tokens
        return self.weight[tokens]
    def backward(self, dout):
        self.grad_weight = np.zeros_like(self.weight)
        np.add.at(self.grad_weight, self.t, dout)
""",
    "convolution": """
class Conv2D:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        self.k, self.s, self.p = kernel_size, stride, padding
        self.kernels = np.random.randn(out_channels, in_channels, kernel_size, kernel_size)
        self.bias = np.zeros(out_channels)
    def windows(self, a):
        for i in range((a.shape[2] - self.k) // self.s + 1):
            for j in range((a.shape[3] - self.k) // self.s + 1):
                u, v = i * self.s, j * self.s
                yield i, j, np.s_[:, :, u:u + self.k, v:v + self.k]
    def forward(self, x):
        self.xp = np.pad(x, ((0, 0), (0, 0), (self.p,) * 2, (self.p,) * 2))
        N, _, H, W = self.xp.shape
        out = np.zeros((N, len(self.bias), (H - self.k) // self.s + 1, (W - self.k) // self.s + 1))
        for i, j, at in self.windows(self.xp):
            out[:, :, i, j] = np.tensordot(self.xp[at], self.kernels, ([1, 2, 3], [1, 2, 3]))
            out[:, :, i, j] += self.bias
        return out
    def backward(self, d):
        dxp, self.dkernels = np.zeros_like(self.xp), np.zeros_like(self.kernels)
        self.dbias = d.sum((0, 2, 3))
        for i, j, at in self.windows(self.xp):
            self.dkernels += np.tensordot(d[:, :, i, j], self.xp[at], ([0], [0]))
            dxp[at] += np.tensordot(d[:, :, i, j], self.kernels, ([1], [0]))
        _, _, H, W = dxp.shape
        return dxp[:, :, self.p:H - self.p, self.p:W - self.p]
""",
    "a recurrent step": """
class RNN:
    def __init__(self, Wx, Wh, b): self.params, self.grads = [Wx, Wh, b], [None, None, None]
    def forward(self, x, h_prev):
        Wx, Wh, b = self.params
        h_next = np.tanh(h_prev @ Wh + x @ Wx + b)
        self.cache = x, h_prev, h_next
        return h_next
    def backward(self, dh_next):
        Wx, Wh, b = self.params
        x, h_prev, h_next = self.cache
        dt = dh_next * (1 - h_next**2)
        self.grads = [x.T @ dt, h_prev.T @ dt, dt.sum(0)]
        return dt @ Wx.T, dt @ Wh.T
""",
    "lstm with two outputs": """
class LSTM:
    def __init__(self, Wx, Wh, b): self.Wx, self.Wh, self.b = Wx, Wh, b
    def forward(self, x, h_prev, c_prev):
        H = h_prev.shape[1]
        A = x @ self.Wx + h_prev @ self.Wh + self.b
        s = lambda z: 1 / (1 + np.exp(-z))
        f, g, i, o = s(A[:, :H]), np.tanh(A[:, H:2*H]), s(A[:, 2*H:3*H]), s(A[:, 3*H:])
        c = f * c_prev + g * i
        self.cache = x, h_prev, c_prev, i, f, g, o, c
        return o * np.tanh(c), c
    def backward(self, dh, dc):
        x, h_prev, c_prev, i, f, g, o, c = self.cache
        t = np.tanh(c)
        ds = dc + dh * o * (1 - t**2)
        dA = np.hstack((ds * c_prev * f * (1 - f), ds * i * (1 - g**2), ds * g * i * (1 - i),
                        dh * t * o * (1 - o)))
        self.dWx, self.dWh, self.db = x.T @ dA, h_prev.T @ dA, dA.sum(axis=0)
        return dA @ self.Wx.T, dA @ self.Wh.T, ds * f
""",
    "recurrent over time": """
class RNN:
    def __init__(self, input_size, hidden_size):
        self.H = hidden_size
        self.Wx, self.Wh = np.random.randn(input_size, self.H), np.random.randn(self.H, self.H)
        self.b = np.zeros(self.H)
    def forward(self, x):
        h = np.zeros((x.shape[1], self.H))
        self.hs, self.x = [h], x
        for t in range(len(x)):
            h = np.tanh(x[t] @ self.Wx + h @ self.Wh + self.b)
            self.hs.append(h)
        return np.stack(self.hs[1:])
    def backward(self, d):
        self.dWx, self.dWh, self.db = np.zeros_like(self.Wx), np.zeros_like(self.Wh), 0
        dx, dh = np.zeros_like(self.x), 0
        for t in reversed(range(len(d))):
            g = (d[t] + dh) * (1 - self.hs[t + 1] ** 2)
            self.dWx += self.x[t].T @ g
            self.dWh += self.hs[t].T @ g
            self.db = self.db + g.sum(0)
            dx[t], dh = g @ self.Wx.T, g @ self.Wh.T
        return dx
""",
    "attention": """
class SelfAttention:
    def __init__(self, d_model):
        self.Wq, self.Wk, self.Wv = (np.random.randn(d_model, d_model) for _ in range(3))
    def forward(self, x):
        self.x, self.q, self.k, self.v = x, x @ self.Wq, x @ self.Wk, x @ self.Wv
        s = self.q @ self.k.transpose(0, 2, 1) / np.sqrt(x.shape[-1])
        e = np.exp(s - s.max(-1, keepdims=True))
        self.p = e / e.sum(-1, keepdims=True)
        return self.p @ self.v
    def backward(self, d):
        dp, dv = d @ self.v.transpose(0, 2, 1), self.p.transpose(0, 2, 1) @ d
        ds = self.p * (dp - (dp * self.p).sum(-1, keepdims=True)) / np.sqrt(self.x.shape[-1])
        dq, dk = ds @ self.k, ds.transpose(0, 2, 1) @ self.q
        f = lambda a, b: np.einsum("nti,ntj->ij", a, b)
        self.dWq, self.dWk, self.dWv = f(self.x, dq), f(self.x, dk), f(self.x, dv)
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T
""",
    "layers within": """
class Linear:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d):
        self.dW, self.db = self.x.T @ d, d.sum(0)
        return d @ self.W.T
class Mlp:
    def __init__(self, d_in, d_hidden, d_out):
        self.layers = [Linear(d_in, d_hidden), Linear(d_hidden, d_out)]
    def forward(self, x):
        self.h = self.layers[0].forward(x)
        return self.layers[1].forward(np.maximum(0, self.h))
    def backward(self, dout):
        return self.layers[0].backward(self.layers[1].backward(dout) * (self.h > 0))
""",
}
OTHERS |= {
    "two directions over time": """
class TimeBiRNN:
    def __init__(self, Wx1, Wh1, b1, Wx2, Wh2, b2):
        self.params, self.grads = [Wx1, Wh1, b1, Wx2, Wh2, b2], [None] * 6
    def one(self, x, Wx, Wh, b):
        hs = [np.zeros((len(x), Wh.shape[0]))]
        for t in range(x.shape[1]): hs.append(np.tanh(x[:, t] @ Wx + hs[-1] @ Wh + b))
        return hs
    def forward(self, xs):
        self.x, p = xs, self.params
        self.a, self.b = self.one(xs, *p[:3]), self.one(xs[:, ::-1], *p[3:])
        return np.stack(self.a[1:], 1) + np.stack(self.b[1:], 1)[:, ::-1]
    def back(self, x, hs, d, Wx, Wh, b):
        dWx, dWh, db, dx, dh = np.zeros_like(Wx), np.zeros_like(Wh), 0, np.zeros_like(x), 0
        for t in reversed(range(x.shape[1])):
            g = (d[:, t] + dh) * (1 - hs[t + 1]**2)
            dWx += x[:, t].T @ g
            dWh += hs[t].T @ g
            db = db + g.sum(0)
            dx[:, t], dh = g @ Wx.T, g @ Wh.T
        return dx, [dWx, dWh, db]
    def backward(self, d):
        dx, one = self.back(self.x, self.a, d, *self.params[:3])
        dy, two = self.back(self.x[:, ::-1], self.b, d[:, ::-1], *self.params[3:])
        self.grads = one + two
        return dx + dy[:, ::-1]
""",
    "pooling with a window of its own, padding by a word": """
class MaxPool2D:
    def __init__(self, pool_size=(2, 2), strides=(2, 2), padding="valid"):
        self.size, self.step, self.padding = pool_size, strides, padding
    def windows(self):
        (h, w), (u, v) = self.size, self.step
        for i in range((self.x.shape[2] - h) // u + 1):
            for j in range((self.x.shape[3] - w) // v + 1):
                yield i, j, np.s_[:, :, i * u:i * u + h, j * v:j * v + w]
    def forward(self, x):
        if self.padding == "same": x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        self.x, out = x, {}
        for i, j, at in self.windows(): out[i, j] = x[at].max(axis=(2, 3))
        n, m = max(out)
        return np.stack([np.stack([out[i, j] for j in range(m + 1)], -1)
                         for i in range(n + 1)], -2)
    def backward(self, d):
        dx = np.zeros_like(self.x)
        for i, j, at in self.windows():
            top = self.x[at].max(axis=(2, 3), keepdims=True)
            dx[at] += (self.x[at] == top) * d[:, :, i, j, None, None]
        return dx[:, :, 1:-1, 1:-1] if self.padding == "same" else dx
""",
    "reshape to a shape": """
class Reshape:
    def __init__(self, input_shape, output_shape):
        self.a, self.b = input_shape, output_shape
    def forward(self, x): return np.reshape(x, self.b)
    def backward(self, d, learning_rate): return np.reshape(d, self.a)
""",
    "a kernel of four sizes": """
class Dense2D:
    def __init__(self, kernel, stride=(1, 1)):
        self.w, self.s = np.random.randn(*kernel), stride
    def forward(self, x):
        kh, kw, ci, co = self.w.shape
        self.x = x
        return np.stack([x[:, i:i + kh, 0:kw].reshape(len(x), -1) @ self.w.reshape(-1, co)
                         for i in range(0, x.shape[1] - kh + 1, self.s[0])], 1)
    def backward(self, d):
        kh, kw, ci, co = self.w.shape
        self.dw, dx = np.zeros_like(self.w), np.zeros_like(self.x)
        for k, i in enumerate(range(0, self.x.shape[1] - kh + 1, self.s[0])):
            part = self.x[:, i:i + kh, 0:kw]
            self.dw += (part.reshape(len(part), -1).T @ d[:, k]).reshape(self.w.shape)
            dx[:, i:i + kh, 0:kw] += (d[:, k] @ self.w.reshape(-1, co).T).reshape(part.shape)
        return dx
""",
    "settings in a dict that is kept": """
class Scale:
    def __init__(self, scale_params): self.scale_params = scale_params
    def forward(self, x):
        if self.scale_params["mode"] == "train": return x * self.scale_params["alpha"]
        return x
    def backward(self, d): return d * self.scale_params["alpha"]
""",
}
ONE_COLUMN = """
class Softmax:
    def forward(self, input):
        self.output = np.exp(input) / np.sum(np.exp(input))
        return self.output
    def backward(self, output_gradient, learning_rate):
        n = np.size(self.output)
        return np.dot((np.identity(n) - self.output.T) * self.output, output_gradient)
"""

LOSSES = {
    "without an argument": """
class MSELoss:
    def forward(self, pred, target):
        self.diff = pred - target
        return np.mean(self.diff**2)
    def backward(self): return 2 * self.diff / self.diff.size
""",
    "dout=1, labels of both forms": """
class SoftmaxWithLoss:
    def forward(self, x, t):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.y, self.t = e / e.sum(axis=1, keepdims=True), t
        if t.size == x.size: t = t.argmax(axis=1)
        return -np.sum(np.log(self.y[np.arange(len(x)), t])) / len(x)
    def backward(self, dout=1):
        if self.t.size == self.y.size: return dout * (self.y - self.t) / len(self.t)
        dx = self.y.copy()
        dx[np.arange(len(dx)), self.t] -= 1
        return dout * dx / len(dx)
""",
    "predictions again, a mean above": """
class Loss:
    def calculate(self, output, y): return np.mean(self.forward(output, y))
class Loss_CategoricalCrossentropy(Loss):
    def forward(self, y_pred, y_true):
        clipped = np.clip(y_pred, 1e-7, 1 - 1e-7)
        if y_true.ndim == 1: return -np.log(clipped[range(len(clipped)), y_true])
        return -np.log(np.sum(clipped * y_true, axis=1))
    def backward(self, dvalues, y_true):
        if y_true.ndim == 1: y_true = np.eye(dvalues.shape[1])[y_true]
        self.dinputs = -y_true / dvalues / len(dvalues)
""",
    "the output again": """
class SoftmaxLoss:
    def forward(self, inputs, y_true):
        e = np.exp(inputs - inputs.max(axis=1, keepdims=True))
        self.output = e / e.sum(axis=1, keepdims=True)
        return -np.mean(np.log(np.sum(self.output * y_true, axis=1)))
    def backward(self, dvalues, y_true):
        self.dinputs = (dvalues - y_true) / len(dvalues)
""",
    "probabilities beside the loss": """
class SoftmaxCrossEntropy:
    def forward(self, x, classes):
        p = np.exp(x - np.max(x, axis=1, keepdims=True))
        p /= np.sum(p, axis=1, keepdims=True)
        self.cache = p, classes
        return p, -np.sum(np.log(p[np.arange(len(x)), classes])) / len(x)
    def backward(self):
        p, classes = self.cache
        self.dx = p.copy()
        self.dx[np.arange(len(p)), classes] -= 1
        self.dx /= len(p)
""",
    "of positive numbers": """
class Poisson:
    def __call__(self, y_true, y_pred):
        self.y, self.p = y_true, y_pred
        return np.mean(y_pred - y_true * np.log(y_pred))
    def gradient(self, y_true, y_pred): return (1 - y_true / y_pred) / y_pred.size
""",
    "one number an entry": """
class SquareLoss:
    def loss(self, y, y_pred): return 0.5 * np.power((y - y_pred), 2)
    def gradient(self, y, y_pred): return -(y - y_pred)
""",
    "binary": """
class BCELoss:
    def __call__(self, y_hat, y):
        self.p, self.y = y_hat, y
        return -np.mean(y * np.log(y_hat) + (1 - y) * np.log(1 - y_hat))
    def backward(self): return (self.p - self.y) / (self.p * (1 - self.p)) / self.p.size
""",
}

LOSSES |= {
    "binary, of scores": """
class SigmoidWithLoss:
    def forward(self, x, t):
        self.y, self.t = 1 / (1 + np.exp(-x)), t
        return -np.mean(np.log(np.where(t, self.y, 1 - self.y)))
    def backward(self, dout=1): return (self.y - self.t) * dout / self.y.size
""",
    "labels that only the backward wants as rows": """
class Net:
    def __init__(self, input_size, hidden_size, output_size):
        self.params = {"W1": np.random.randn(input_size, hidden_size),
                       "W2": np.random.randn(hidden_size, output_size)}
    def predict(self, x):
        e = np.exp(np.tanh(x @ self.params["W1"]) @ self.params["W2"])
        return e / e.sum(axis=1, keepdims=True)
    def loss(self, x, t):
        if t.ndim == 2: t = t.argmax(axis=1)
        return -np.mean(np.log(self.predict(x)[np.arange(len(x)), t]))
    def gradient(self, x, t):
        h, dy = np.tanh(x @ self.params["W1"]), (self.predict(x) - t) / len(x)
        dz = dy @ self.params["W2"].T * (1 - h**2)
        return {"W1": x.T @ dz, "W2": h.T @ dy, "x": dz @ self.params["W1"].T}
""",
}
SOFTMAX = """
class Softmax:
    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = e / e.sum(axis=1, keepdims=True)
        return self.y
    def backward(self, dout): return dout
class CrossEntropy:
    def forward(self, p, y):
        self.p, self.y = p, y
        return -np.sum(y * np.log(p)) / len(p)
    def backward(self): return (self.p - self.y) / len(self.p)
"""


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Any]:
    """A function that makes a module of a source."""
    names = []

    def loaded(source: str) -> ModuleType:
        name = f"theirs_{next(COUNT)}"
        path = tmp_path / f"{name}.py"
        path.write_text(HEAD + source)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        names.append(name)
        spec.loader.exec_module(module)
        return module

    yield loaded
    for name in names:
        del sys.modules[name]


def fresh(trial: Trial) -> dict[str, Any]:
    return {n: x.copy() for n, x in trial.inputs.items()}


def upstream(trial: Trial) -> list[Any]:
    rng = np.random.default_rng(7)
    outputs = trial.run(fresh(trial)).outputs
    return [1.0 if trial.loss else rng.normal(size=np.shape(y)) for y in outputs]


def assert_right(trial: Trial) -> None:
    """Its gradients are the exact ones, and those of central differences."""
    above = upstream(trial)
    theirs = trial.run(fresh(trial)).pull(copy.deepcopy(above))
    J = exact(trial).jacobian()
    right = np.concatenate([np.ravel(d) for d in above]) @ J
    rng, h = np.random.default_rng(8), 1e-5
    way = {n: rng.normal(size=x.shape) for n, x in trial.inputs.items()}
    ends = []
    for sign in (1, -1):
        outputs = trial.run({n: x + sign * h * way[n] for n, x in trial.inputs.items()}).outputs
        ends.append(sum(np.sum(y * d) for y, d in zip(outputs, above)))
    slope = sum(np.sum(np.asarray(theirs[n]) * way[n]) for n in trial.inputs)
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * h), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(
        np.concatenate([np.ravel(theirs[n]) for n in trial.inputs]), right, rtol=1e-9, atol=1e-10
    )
    assert {n: np.shape(theirs[n]) for n in trial.inputs} == {
        n: x.shape for n, x in trial.inputs.items()
    }


@pytest.mark.parametrize("style", LINEARS)
def test_a_linear_in_any_style_is_right_in_all_of_its_gradients(style: str, load: Any) -> None:
    *_, cls = classes_of(load(LINEARS[style]))
    [trial] = classes.trials(cls)
    assert len(trial.inputs) == 3
    assert len(trial.places) == 3
    assert trial.samples == 3
    assert_right(trial)


@pytest.mark.parametrize("style", LINEARS)
def test_a_linear_has_sizes_that_differ(style: str, load: Any) -> None:
    *_, cls = classes_of(load(LINEARS[style]))
    [trial] = classes.trials(cls)
    shapes = sorted((x.shape for x in trial.inputs.values()), key=np.prod)
    assert {n for shape in shapes for n in shape if n > 1} == {3, 4, 5}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_layer_of_any_kind_is_right(kind: str, load: Any) -> None:
    *_, cls = classes_of(load(OTHERS[kind]))
    for trial in classes.trials(cls):
        assert_right(trial)


@pytest.mark.parametrize("kind", LOSSES)
def test_a_loss_in_any_style_is_right(kind: str, load: Any) -> None:
    *_, cls = classes_of(load(LOSSES[kind]))
    for trial in classes.trials(cls):
        assert trial.loss or kind == "one number an entry"
        assert_right(trial)


@pytest.mark.parametrize("kind", [*LINEARS, *OTHERS])
def test_two_runs_agree_and_leave_the_object_and_the_generators_as_they_were(
    kind: str, load: Any
) -> None:
    *_, cls = classes_of(load((LINEARS | OTHERS)[kind]))
    trial, *_ = classes.trials(cls)
    inputs = fresh(trial)
    np.random.seed(5)
    first = trial.run(fresh(trial)).outputs[0]
    trial.run(fresh(trial)).pull(upstream(trial))
    drawn = np.random.rand()
    np.random.seed(5)
    np.testing.assert_array_equal(trial.run(fresh(trial)).outputs[0], first)
    assert np.random.rand() == drawn
    assert all((trial.inputs[n] == x).all() for n, x in inputs.items())


def test_an_object_that_is_given_is_not_touched(load: Any) -> None:
    layer = load(LINEARS["lists written in place"]).Affine(np.ones((4, 5)), np.zeros(5))
    [trial] = classes.trials(layer, x=(3, 4))
    trial.run(fresh(trial)).pull(upstream(trial))
    assert not hasattr(layer, "x")
    assert (layer.params[0] == 1).all()
    assert not layer.grads[0].any()
    assert_right(trial)


def test_caches_of_an_object_that_was_used_are_no_parameters(load: Any) -> None:
    layer = load(LINEARS["all in attributes"]).Layer_Dense(4, 5)
    layer.forward(np.ones((3, 4)))
    layer.backward(np.ones((3, 5)))
    [trial] = classes.trials(layer, inputs=(6, 4))
    assert set(trial.inputs) == {"inputs", "weights", "biases"}
    assert_right(trial)


def test_running_statistics_are_no_parameters_and_the_scale_is_not_one(load: Any) -> None:
    [trial] = classes.trials(load(OTHERS["batch normalization"]).BatchNorm1d)
    assert set(trial.inputs) == {"x", "gamma", "beta"}
    assert (abs(trial.inputs["gamma"] - 1) > 0.01).all()
    assert trial.inputs["beta"].all()


def test_windows_are_tried_with_a_stride_that_overlaps_and_with_one(load: Any) -> None:
    trials = classes.trials(load(OTHERS["convolution"]).Conv2D)
    assert [t.setting.split("kernel_size=3, ")[1] for t in trials] == [
        "stride=2, padding=1",
        "stride=1, padding=1",
    ]
    assert len({*trials[0].inputs["x"].shape, *trials[0].inputs["kernels"].shape}) == 5


def test_rows_of_an_embedding_come_again(load: Any) -> None:
    [trial] = classes.trials(load(OTHERS["embedding"]).Embedding)
    assert trial.inputs["weight"].shape == (6, 4)
    gradient = trial.run(fresh(trial)).pull([np.ones((3, 7, 4))])["weight"]
    assert gradient.max() > 1


def test_labels_are_tried_as_rows_and_as_class_numbers(load: Any) -> None:
    trials = classes.trials(load(LOSSES["dout=1, labels of both forms"]).SoftmaxWithLoss)
    assert [t.setting for t in trials] == ["t=class numbers", "t=rows with a 1"]


def test_arrays_of_the_constructor_and_inputs_are_as_given(load: Any) -> None:
    cls = load(LINEARS["arrays given"]).Affine
    [trial] = classes.trials(cls, W=(3, 5), b=np.arange(5.0), x=(4, 3))
    assert {n: x.shape for n, x in trial.inputs.items()} == {"x": (4, 3), "W": (3, 5), "b": (5,)}
    np.testing.assert_array_equal(trial.inputs["b"], np.arange(5.0))


def test_sizes_of_the_constructor_follow_the_input_that_is_given(load: Any) -> None:
    [trial] = classes.trials(load(LINEARS["dicts"]).Dense, X=(2, 6))
    assert trial.inputs["W"].shape == (6, 5)


def test_parameters_within_layers_are_named_after_them(load: Any) -> None:
    [trial] = classes.trials(load(OTHERS["layers within"]).Mlp)
    assert trial.places["layers[1].W"] == "self.layers[1].dW"
    assert trial.inputs["layers[1].W"].shape == (5, 7)


def test_a_layer_that_reads_its_weights_after_the_update_is_wrong_in_dx(load: Any) -> None:
    source = LINEARS["it updates itself by its own rate"].replace("lr=0.01", "lr=0.5")
    late = source.replace("        dx = dout @ self.w.T\n", "").replace(
        "return dx", "return dout @ self.w.T"
    )
    [trial] = classes.trials(load(late).Dense)
    with pytest.raises(AssertionError):
        assert_right(trial)


def test_float32_stays(load: Any) -> None:
    source = LINEARS["dicts"].replace("randn(nin, nout)", "randn(nin, nout).astype(np.float32)")
    [trial] = classes.trials(load(source).Dense)
    assert trial.inputs["W"].dtype == np.float32
    trial.run(fresh(trial))


@pytest.mark.parametrize(
    ("grads", "place"),
    [
        ({"W": "self.slope", "b": "other"}, "self.slope"),
        ({"W": "slope", "b": "self.__dict__['other']"}, "slope"),
        ({"W": "(slope.T).T", "self.b": "other * 1"}, "(slope.T).T"),
    ],
)
def test_gradients_are_where_the_user_says(grads: dict[str, str], place: str, load: Any) -> None:
    source = (
        LINEARS["arrays given"].replace("self.dW", "self.slope").replace("self.db", "self.other")
    )
    [trial] = classes.trials(load(source).Affine, grads)
    assert trial.places["W"] == place
    assert_right(trial)


def test_a_step_is_taken_where_the_gradient_is_only_seen_in_the_update(load: Any) -> None:
    source = LINEARS["arrays given"].replace("self.dW", "self._1").replace("self.db", "self._2")
    source += (
        "    def step(self, lr):\n        self.W -= lr * self._1\n        self.b -= lr * self._2\n"
    )
    how = "(before - after) / lr"
    [trial] = classes.trials(load(source).Affine, {"W": how, "b": how})
    assert_right(trial)


def test_a_gradient_by_no_known_name_is_asked_for(load: Any) -> None:
    source = LINEARS["arrays given"].replace("self.dW", "self.slope")
    with pytest.raises(
        LayerError, match=r'backward wrote self.slope: say grads=\{"W": "self.slope"'
    ):
        classes.trials(load(source).Affine)


def test_a_gradient_that_is_not_written_is_none(load: Any) -> None:
    source = LINEARS["arrays given"].replace("self.db = np.sum(dout, axis=0)", "pass")
    [trial] = classes.trials(load(source).Affine)
    assert trial.run(fresh(trial)).pull(upstream(trial))["b"] is None


@pytest.mark.parametrize(
    ("style", "planted", "said"),
    [
        ("dicts", "", ""),
        ("objects for parameters", "", "it adds into self.weight.grad: a second backward"),
        (
            "objects for parameters",
            "    def zero_grad(self):\n        self.weight.grad[:], self.bias.grad[:] = 0, 0\n",
            "",
        ),
        ("returned, with a cache", "", ""),
    ],
)
def test_what_a_second_pass_keeps_of_the_first_is_told(
    style: str, planted: str, said: str, load: Any
) -> None:
    *_, cls = classes_of(load(LINEARS[style] + planted))
    [trial] = classes.trials(cls)
    assert trial.again is not None
    other = {n: 0.5 * x for n, x in trial.inputs.items()}
    assert trial.again(trial.inputs, other).startswith(said)
    assert bool(trial.again(trial.inputs, other)) == bool(said)


def test_a_cache_that_a_second_call_overwrites_is_told(load: Any) -> None:
    source = LINEARS["returned, with a cache"].replace(
        "return x @ self.W + self.b, x",
        "self.kept[:] = [x]\n        return x @ self.W + self.b, self.kept",
    )
    source = source.replace("cache.T", "cache[0].T").replace(
        "def forward", "kept = []\n    def forward"
    )
    [trial] = classes.trials(load(source).Linear)
    assert trial.again is not None
    said = trial.again(trial.inputs, {n: 0.5 * x for n, x in trial.inputs.items()})
    assert said == "its cache is overwritten by a second call"


def test_classes_of_a_module_are_those_with_both_passes_in_the_order_of_the_source(
    load: Any,
) -> None:
    module = load(
        LINEARS["objects for parameters"] + OTHERS["relu"] + "from fractions import Fraction"
    )
    assert [c.__name__ for c in classes_of(module)] == ["Linear", "Relu"]


@pytest.mark.parametrize(
    "methods",
    ["def __init__(self, *layers): self.layers = layers",
     "def __init__(self, modules: list): self.layers = modules",
     "def __init__(self): self.layers = []\n    def add(self, layer): self.layers.append(layer)"],
)  # fmt: skip
def test_a_container_of_layers_is_no_layer_and_one_that_counts_them_is(
    methods: str, load: Any
) -> None:
    source = f"""
class Sequential:
    {methods}
    def forward(self, x):
        for layer in self.layers: x = layer.forward(x)
        return x
    def backward(self, d):
        for layer in reversed(self.layers): d = layer.backward(d)
        return d
class Tower:
    def __init__(self, num_layers): self.n = num_layers
    def forward(self, x): return x * 2**self.n
    def backward(self, d): return d * 2**self.n
"""
    assert [c.__name__ for c in classes_of(load(source))] == ["Tower"]


def test_a_backward_that_updates_parameters_beside_its_gradients_says_so(load: Any) -> None:
    source = LINEARS["arrays given"].replace(
        "self.db = np.sum(dout, axis=0)",
        "self.db = np.sum(dout, axis=0)\n        self.W -= 0.1 * self.dW",
    )
    [trial] = classes.trials(load(source).Affine)
    assert trial.again is not None
    other = {n: 0.5 * x for n, x in trial.inputs.items()}
    assert trial.again(trial.inputs, other) == "its backward updates W"


def test_a_derivative_that_is_a_jacobian_is_multiplied_by_the_gradient_from_above(
    load: Any,
) -> None:
    source = """
class Softmax:
    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    def derivative(self, x):
        s = self.forward(x)
        return np.einsum("ni,ij->nij", s, np.eye(s.shape[1])) - np.einsum("ni,nj->nij", s, s)
"""
    [trial] = classes.trials(load(source).Softmax)
    assert_right(trial)


def test_a_backward_that_returns_a_jacobian_is_told_so(load: Any) -> None:
    source = """
class Softmax:
    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.s = e / e.sum(axis=1, keepdims=True)
        return self.s
    def backward(self, dout):
        s = self.s
        return np.einsum("ni,ij->nij", s, np.eye(s.shape[1])) - np.einsum("ni,nj->nij", s, s)
"""
    [gradient] = judge.examine(classes.trials(load(source).Softmax)).gradients
    assert gradient.verdict == "wrong"
    assert "it is the Jacobian of each row, without dout" in gradient.sentences[0]


def test_a_part_of_a_framework_is_refused_and_no_crash(load: Any) -> None:
    source = """
class Variable:
    def __init__(self, data): self.data = data
class Exp:
    def __call__(self, x):
        self.x = x
        return Variable(self.forward(x))
    def forward(self, x): return np.exp(x)
    def backward(self, gy): return gy * np.exp(self.x)
"""
    with pytest.raises(LayerError, match=r"needs self.x, which is set by a __call__"):
        classes.trials(load(source).Exp)


def test_no_size_is_chosen_that_hides_a_mistake_of_the_backward(load: Any) -> None:
    """N = 1 would: the forward alone decides which shapes fit."""
    cls = load(ONE_COLUMN).Softmax
    [trial] = classes.trials(cls)
    assert min(trial.inputs["input"].shape) > 1
    with pytest.raises(ValueError, match="operands could not be broadcast"):
        trial.run(fresh(trial)).pull(upstream(trial))
    [given] = classes.trials(cls, input=(4, 1))
    assert_right(given)
    source = """
class FullyConnected:
    def __init__(self, input_size, output_size):
        self.weights = np.random.randn(input_size, output_size)
        self.bias = np.random.randn(1, output_size)
    def forward(self, input_data):
        self.input = input_data
        return input_data @ self.weights + self.bias
    def backward(self, output_error, learning_rate):
        dx = output_error @ self.weights.T
        self.weights -= learning_rate * self.input.T @ output_error
        self.bias -= learning_rate * np.sum(output_error, axis=1, keepdims=True)
        return dx
"""
    [trial] = classes.trials(load(source).FullyConnected)
    assert trial.inputs["input_data"].shape == (3, 4)
    with pytest.raises(ValueError, match="doesn't match the broadcast shape"):
        trial.run(fresh(trial)).pull(upstream(trial))


ATTENTION = Path(museum.__file__).parent / "layers"


@pytest.mark.parametrize("file", ["attention_class", "cross_attention"])
def test_attention_by_matrices_has_sizes_that_differ(file: str, load: Any) -> None:
    *_, cls = classes_of(load((ATTENTION / f"{file}.py").read_text()))
    [trial] = classes.trials(cls)
    assert trial.inputs["Wq"].shape == trial.inputs["Wk"].shape == (4, 5)
    assert trial.inputs["Wv"].shape == (4, 6)
    assert_right(trial)


def test_a_setting_tells_what_does_not_follow_from_the_shapes(load: Any) -> None:
    source = """
class Scaled:
    def __init__(self, in_features, out_features, scale=1.0, rate=None, reg=0.0, eps=1e-5):
        self.W, self.reg = np.random.randn(in_features, out_features), reg
    def forward(self, x):
        self.x = x
        return x @ self.W + self.reg
    def backward(self, d):
        self.dW = self.x.T @ d
        return d @ self.W.T
"""
    [trial] = classes.trials(load(source).Scaled)
    assert trial.setting == "reg=0.3"
    [trial] = classes.trials(load(LINEARS["all in attributes"]).Layer_Dense)
    assert trial.setting == ""


def test_a_class_whose_forward_is_left_to_others_is_no_layer(load: Any) -> None:
    source = """
class Activation:
    def func(self, x): raise NotImplementedError
    def forward(self, x): return self.func(x)
    def backward(self, d): return d * self.slope
class Twice(Activation):
    slope = 2
    def func(self, x): return 2 * x
"""
    assert [c.__name__ for c in classes_of(load(source))] == ["Twice"]


def test_a_chain_is_right_where_its_parts_are_not(load: Any) -> None:
    module = load(SOFTMAX)
    [trial] = chains.chain([module.Softmax, module.CrossEntropy])
    assert trial.name == "Softmax + CrossEntropy"
    assert trial.loss
    assert_right(trial)
    [alone] = [t for t in classes.trials(module.CrossEntropy) if not t.setting]
    with pytest.raises(AssertionError):
        assert_right(alone)


def test_chains_are_suggested_for_a_loss_that_returns_p_minus_y(load: Any) -> None:
    module = load(SOFTMAX)
    assert chains.chains_of(module) == [(module.Softmax, module.CrossEntropy)]
    right = SOFTMAX.replace("(self.p - self.y) / len", "-self.y / self.p / len")
    assert chains.chains_of(load(right)) == []


def test_a_chain_has_the_parameters_of_all_its_layers(load: Any) -> None:
    module = load(LINEARS["arrays given"] + SOFTMAX)
    [trial] = chains.chain([module.Affine, module.Affine(np.ones((5, 7)), np.ones(7)),
                             module.Softmax, module.CrossEntropy], x=(2, 4))  # fmt: skip
    assert list(trial.inputs) == ["x", "W", "b", "Affine.W", "Affine.b"]
    assert_right(trial)


@pytest.mark.parametrize(
    ("source", "how", "said"),
    [
        ("class L:\n    def forward(self, x): return x\n", {}, "L has no backward: write a method"),
        ("class L:\n    def backward(self, d): return d\n", {}, "L has no forward"),
        (
            "class L:\n    def __init__(self, colour): self.c = colour.red\n"
            "    def forward(self, x): return x * 2\n    def backward(self, d): return d * 2\n",
            {},
            r"L cannot be made .*colour=…",
        ),
        (
            "class L:\n    def forward(self, x): return x.nothing\n"
            "    def backward(self, d): return d + 1\n",
            {},
            r"L fails on floats, too \(with x \(3, 4\): .*other inputs are given as in x=\(3, 4\)",
        ),
        (
            LINEARS["dicts"],
            {"y": (3, 4)},
            "Dense has no argument y: its arguments are X, nin",
        ),
        (LINEARS["dicts"], {"grads": {"V": "dV"}}, "has no parameter V; there are W, b, X"),
    ],
)
def test_what_cannot_be_a_trial_is_refused_in_a_sentence(
    source: str, how: dict[str, Any], said: str, load: Any
) -> None:
    module = load(source)
    cls = next(c for c in vars(module).values() if isinstance(c, type))
    with pytest.raises(LayerError, match=said) as caught:
        classes.trials(cls, **how)
    assert "\n" not in str(caught.value)


def test_an_object_that_cannot_be_copied_is_refused(load: Any) -> None:
    layer = load(LINEARS["dicts"]).Dense(4, 5)
    layer.lines = (line for line in "ab")
    with pytest.raises(LayerError, match="a Dense cannot be copied"):
        classes.trials(layer)


def test_sizes_out_of_a_constructor_differ_from_each_other(load: Any) -> None:
    cls = load(OTHERS["layers within"]).Mlp
    [way] = classes.ways_of(cls, {}, 0, {})
    assert len(set(way.made.values())) == 3
    assert names.count("in_features") != names.count("out_features") != names.count("vocab_size")


def test_values_take_the_places_of_parameters_that_lie_in_two_places(load: Any) -> None:
    source = LINEARS["arrays given"].replace(
        "W, b, None", "W, b, None; self.params = (self.W, self.b); self.x", 1
    )
    source = source.replace("self.x, self.dW, self.db = W, b, None; self.params",
                            "self.x = W, b, None; self.params")  # fmt: skip
    source = source.replace("; self.x, None, None", "").replace(
        "np.dot(x, self.W)", "np.dot(x, self.params[0])"
    )
    [trial] = classes.trials(load(source).Affine)
    assert_right(trial)


def test_a_forward_on_floats_and_a_second_one_do_not_share_their_object(load: Any) -> None:
    cls = load(LINEARS["lists written in place"]).Affine
    [way] = classes.ways_of(cls, {}, 0, {})
    one, two = play(way, {}), play(way, {})
    one.thing.params[0][...] = 0
    assert two.thing.params[0].all()


@pytest.mark.parametrize("kept", ["saved", "saved_tensors"])
@pytest.mark.parametrize("own", [True, False])
def test_passes_that_are_functions_of_a_context_are_a_layer(
    load: Any, kept: str, own: bool
) -> None:
    source = """
class Context:
    def __init__(self):
        self.KEPT = ()
    def save_for_backward(self, *arrays):
        self.KEPT = arrays
""".replace("KEPT", kept) if own else ""  # fmt: skip
    source += f"""
class Function:
    @classmethod
    def apply(cls, *args):
        return cls.forward(Context(), *args)
class Linear(Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return x @ weight + bias
    @staticmethod
    def backward(ctx, grad_output):
        x, weight = ctx.{kept if own else "saved_tensors"}
        return grad_output @ weight.T, x.T @ grad_output, grad_output.sum(axis=0)
"""
    module = load(source)
    assert classes_of(module) == [module.Linear]
    [trial] = classes.trials(module.Linear)
    assert list(trial.inputs) == ["x", "weight", "bias"]
    assert_right(trial)


def test_a_forward_of_starred_arguments_takes_one_array(load: Any) -> None:
    source = LINEARS["all in attributes"].replace("forward(self, inputs):", "forward(self, *args):")
    source = source.replace("self.inputs = inputs", "inputs, = self.inputs, = args")
    [trial] = classes.trials(load(source).Layer_Dense)
    assert next(iter(trial.inputs)) == "args"
    assert_right(trial)


LAYER_NORM = """
class LayerNorm:
    def __init__(self, dim):
        self.gamma, self.beta = np.ones(dim), np.zeros(dim)
    def forward(self, x):
        self.sd = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        self.xhat = (x - x.mean(-1, keepdims=True)) / self.sd
        return self.xhat * self.gamma + self.beta
    def backward(self, dout):
        self.dgamma = np.sum(dout * self.xhat, axis=AXES)
        self.dbeta = np.sum(dout, axis=AXES)
        d = dout * self.gamma
        mean = lambda a: a.mean(-1, keepdims=True)
        return (d - mean(d) - self.xhat * mean(d * self.xhat)) / self.sd
"""


@pytest.mark.parametrize("size", ["dim", "normalized_shape", "n_features"])
def test_a_layer_normalization_along_the_last_axis_is_run_on_sequences_too(
    load: Any, size: str
) -> None:
    source = LAYER_NORM.replace("dim", size).replace(f"keep{size}s", "keepdims")
    right = load(source.replace("AXES", "tuple(range(dout.ndim - 1))")).LayerNorm
    made = classes.trials(right)
    assert [trial.inputs["x"].ndim for trial in made] == [2, 3]
    for trial in made:
        assert trial.inputs["gamma"].ndim == 1
        assert_right(trial)
    found = judge.examine(classes.trials(load(source.replace("AXES", "0")).LayerNorm)).gradients
    assert [g.verdict for g in found] == ["right", "wrong", "wrong"]
    assert all(g.hidden for g in found[1:])


def test_a_name_that_the_object_makes_itself_asks_for_its_arguments(load: Any) -> None:
    source = LINEARS["dicts"]
    with pytest.raises(
        LayerError, match="Dense makes X itself, from its arguments: give data, nin"
    ):
        classes.trials(load(source.replace("forward(self, X):", "forward(self, data):").replace(
            "self.X = X", "self.X = X = data")).Dense, X=(3, 4))  # fmt: skip


ELEMENTWISE = """
class MulLayer:
    def forward(self, {0}, {1}{2}):
        self.p, self.q = {0}, {1}
        return {0} * {1}
    def backward(self, dout):
        dx = dout * self.q
        dy = dout * self.p
        return dx, dy
"""


@pytest.mark.parametrize(
    ("first", "second", "stars"),
    [("x", "y", ""), ("x", "t", ""), ("q", "k", ""), ("x", "mask", ""), ("a", "b", ", /")],
)
def test_what_a_backward_has_a_gradient_for_is_an_input(
    load: Any, first: str, second: str, stars: str
) -> None:
    [trial] = classes.trials(load(ELEMENTWISE.format(first, second, stars)).MulLayer)
    assert list(trial.inputs) == [first, second]
    assert len({x.shape for x in trial.inputs.values()}) == 1
    assert_right(trial)


RNN_CELL = """
class RNNCell:
    def __init__(self, input_size, hidden_size):
        self.Wx = np.random.randn(input_size, hidden_size)
        self.Wh = np.random.randn(hidden_size, hidden_size)
    def forward(self, x, h_prev):
        self.x, self.h_prev = x, h_prev
        self.h = np.tanh(x @ self.Wx + h_prev @ self.Wh)
        return self.h
    def backward(self, dh):
        dz = dh * (1 - self.h**2)
        self.dWx = self.x.T @ dz
        self.dWh = self.h_prev.T @ dz
        return {}
"""


def test_the_state_of_a_cell_is_an_input_beside_its_weights(load: Any) -> None:
    source = RNN_CELL.format("dz @ self.Wx.T, dz @ self.Wh.T")
    [trial] = classes.trials(load(source).RNNCell)
    assert list(trial.inputs) == ["x", "h_prev", "Wx", "Wh"]
    assert_right(trial)


def test_an_array_without_a_gradient_is_told(load: Any) -> None:
    [trial] = classes.trials(load(RNN_CELL.format("dz @ self.Wx.T")).RNNCell)
    assert list(trial.inputs) == ["x", "Wx", "Wh"]
    assert trial.setting == "h_prev is not checked"


def test_a_parameter_is_not_the_gradient_of_another(load: Any) -> None:
    source = """
class Scaled:
    def __init__(self, n_in, n_out):
        self.v = np.random.randn(n_in, n_out)
        self.g = np.random.rand(n_out)
    def forward(self, x):
        self.x = x
        return x @ (self.g * self.v)
    def backward(self, d):
        dw = self.x.T @ d
        self.dg = (dw * self.v).sum(0)
        self.dv = self.g * dw
        return d @ (self.g * self.v).T
"""
    [trial] = classes.trials(load(source).Scaled)
    assert trial.places == {"x": "dx", "v": "self.dv", "g": "self.dg"}


def test_a_gradient_by_another_name_is_hinted_at_though_it_has_an_axis_more(load: Any) -> None:
    source = """
class Dense:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out)
        self.b = np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d):
        self.grad_w = self.x.T @ d
        self.grad_w0 = d.sum(axis=0, keepdims=True)
        return d @ self.W.T
"""
    with pytest.raises(LayerError, match=r"--grads b=self\.grad_w0$"):
        classes.trials(load(source).Dense)


def test_the_apply_of_a_base_is_no_forward(load: Any) -> None:
    source = """
class Function:
    @classmethod
    def apply(cls, *args):
        return cls.forward(*args)
class Exp(Function):
    def forward(self, a):
        self.out = np.exp(a)
        return self.out
    def backward(self, grad):
        return grad * self.out
"""
    assert classes.methods(load(source).Exp) == (["forward"], "backward")


def test_a_path_is_named_by_its_array_and_by_no_sign_that_is_not_there(load: Any) -> None:
    source = """
class Norm:
    def forward(self, x):
        self.x = x
        self.mu, self.var = x.mean(0), x.var(0)
        return (x - self.mu) / np.sqrt(self.var + 1e-5)
    def backward(self, dout):
        N, std = len(dout), np.sqrt(self.var + 1e-5)
        xhat = (self.x - self.mu) / std
        return (dout - dout.mean(0) - xhat * (dout * xhat).sum(0) / (N - 1)) / std
"""
    [gradient] = judge.examine(classes.trials(load(source).Norm)).gradients
    said = " ".join(gradient.sentences)
    assert "the path through `self.var` is counted 1.25 times (N/(N − 1))" in said
    assert "of `*` in line" not in said
