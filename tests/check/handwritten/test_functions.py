"""Functions as people write them: found, given inputs, and their gradients by the right names."""

import importlib.util
import linecache
import sys
import types

import numpy as np
import pytest

from microgrid.check.handwritten import forms, names, pairing
from microgrid.check.handwritten.discover import layers_of
from microgrid.check.handwritten.draw import fits
from microgrid.check.handwritten.functions import trials
from microgrid.check.handwritten.random_arrays import of_kind
from microgrid.check.handwritten.trial import LayerError

AFFINE = {
    "CS231n": """
def affine_forward(x, w, b):
    out = x.reshape(x.shape[0], -1) @ w + b
    cache = (x, w, b)
    return out, cache
def affine_backward(dout, cache):
    x, w, b = cache
    dx = (dout @ w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db
""",
    "other order, other names": """
def fc_fwd(bias, theta, data):
    return data @ theta + bias, dict(theta=theta, data=data)
def fc_bwd(grad_out, saved):
    return grad_out.sum(axis=0), saved["data"].T @ grad_out, grad_out @ saved["theta"].T
""",
    "unknown names": """
def f(u, v, t):
    r = np.dot(t, u) + v
    return r, (u, t)
def f_backward(e, k):
    u, t = k
    return t.T @ e, e.sum(0), e @ u.T
""",
    "no cache": """
def linear(x, w, b):
    return x @ w + b
def linear_backward(dy, x, w, b):
    return dy @ w.T, x.T @ dy, dy.sum(0)
""",
    "no cache, inputs in capitals": """
def linear(x, w, b):
    return x @ w + b
def linear_grad(X, W, dOut):
    dW = X.T @ dOut
    dX = dOut @ W.T
    dB = dOut.sum(0)
    return dW, dX, dB
""",
    "cache first": """
def layer_forward(x, w, b):
    cache = (x, w)
    return cache, x @ w + b
def layer_backward(cache, dout):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)
""",
    "dict": """
def dense_forward(inputs, weights, biases):
    return inputs @ weights + biases, (inputs, weights)
def dense_backward(dvalues, cache):
    inputs, weights = cache
    grads = {}
    grads["weights"] = inputs.T @ dvalues
    grads["biases"] = dvalues.sum(0)
    grads["inputs"] = dvalues @ weights.T
    return grads
""",
    "dict of d-names": """
def dense_forward(x, W, b):
    return x @ W + b, (x, W)
def dense_backward(dout, cache):
    x, W = cache
    return {"dW": x.T @ dout, "db": dout.sum(0), "dx": dout @ W.T}
""",
    "list": """
def dense_forward(x, W, b):
    return [x @ W + b, (x, W)]
def dense_backward(dout, cache):
    x, W = cache
    return [dout @ W.T, x.T @ dout, dout.sum(0)]
""",
    "columns": """
def linear_forward(A_prev, W, b):
    Z = np.dot(W, A_prev) + b
    cache = (A_prev, W, b)
    return Z, cache
def linear_backward(dZ, cache):
    A_prev, W, b = cache
    dW = np.dot(dZ, A_prev.T)
    db = np.sum(dZ, axis=1, keepdims=True)
    dA_prev = np.dot(W.T, dZ)
    return dA_prev, dW, db
""",
    "weights (out, in)": """
def dense_forward(x, weight, bias):
    return x @ weight.T + bias, (x, weight)
def dense_backward(gradOutput, ctx):
    x, weight = ctx
    grad_input = gradOutput @ weight
    grad_weight = gradOutput.T @ x
    grad_bias = gradOutput.sum(0)
    return grad_input, grad_weight, grad_bias
""",
    "camel case": """
def affineForward(x, w, b):
    return x @ w + b, (x, w)
def affineBackward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)
""",
    "d before the name": """
def affine(x, w, b):
    return x @ w + b
def d_affine(g, x, w, b):
    return g @ w.T, x.T @ g, g.sum(0)
""",
    "loops": """
def affine_forward(x, w, b):
    out = np.zeros((x.shape[0], w.shape[1]))
    for n in range(x.shape[0]):
        for m in range(w.shape[1]):
            out[n, m] = b[m]
            for d in range(x.shape[1]):
                out[n, m] += x[n, d] * w[d, m]
    return out, (x, w)
def affine_backward(dout, cache):
    x, w = cache
    dw = x.T @ dout
    db = dout.sum(0)
    dx = dout @ w.T
    return dw, db, dx
""",
    "a kept array beside the output": """
def affine_forward(x, w, b):
    z = x @ w + b
    return z, x
def affine_backward(dz, x, w):
    dx = dz @ w.T
    dw = x.T @ dz
    db = dz.sum(0)
    return dx, dw, db
""",
    "a bias that may be left out": """
def affine_forward(x, w, b=None):
    return x @ w + (0 if b is None else b), (x, w)
def affine_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)
""",
}

OTHERS = {
    "relu with an array for its cache": """
def relu_forward(x):
    out = np.maximum(0, x)
    return out, x
def relu_backward(dout, cache):
    return dout * (cache > 0)
""",
    "relu of Ng's course": """
def relu(Z):
    A = np.maximum(0, Z)
    return A, Z
def relu_backward(dA, cache):
    Z = cache
    dZ = np.array(dA, copy=True)
    dZ[Z <= 0] = 0
    return dZ
""",
    "leaky relu": """
def leaky_relu(x, alpha=0.01):
    return np.where(x > 0, x, alpha * x)
def leaky_relu_derivative(x, alpha=0.01):
    return np.where(x > 0, 1, alpha)
""",
    "derivative of the output": """
def sigmoid(x):
    return 1 / (1 + np.exp(-x))
def sigmoid_derivative(x):
    return x * (1 - x)
""",
    "derivative of the input": """
def tanh(z):
    return np.tanh(z)
def tanh_prime(z):
    return 1 - np.tanh(z) ** 2
""",
    "backward that takes the output": """
def tanh_forward(x):
    return np.tanh(x)
def tanh_backward(dout, out):
    return dout * (1 - out**2)
""",
    "backward of two outputs": """
def step_forward(x, prev_h, Wx, Wh):
    h = np.tanh(x @ Wx + prev_h @ Wh)
    c = x @ Wx
    return h, c, (x, prev_h, Wx, Wh, h)
def step_backward(dh, dc, cache):
    x, prev_h, Wx, Wh, h = cache
    da = dh * (1 - h**2)
    return da @ Wx.T + dc @ Wx.T, da @ Wh.T, x.T @ (da + dc), prev_h.T @ da
""",
    "batch normalization": """
def batchnorm_forward(x, gamma, beta, bn_param):
    mu, var = x.mean(0), x.var(0)
    bn_param["running_mean"] = 0.9 * bn_param.get("running_mean", 0) + 0.1 * mu
    std = np.sqrt(var + bn_param.get("eps", 1e-5))
    xhat = (x - mu) / std
    return gamma * xhat + beta, (xhat, gamma, std)
def batchnorm_backward(dout, cache):
    xhat, gamma, std = cache
    dxhat = dout * gamma
    dx = (dxhat - dxhat.mean(0) - xhat * (dxhat * xhat).mean(0)) / std
    return dx, (dout * xhat).sum(0), dout.sum(0)
""",
    "dropout": """
def dropout_forward(x, p):
    mask = (np.random.rand(*x.shape) < p) / p
    return x * mask, mask
def dropout_backward(dout, mask):
    return dout * mask
""",
    "dropout of a generator": """
rng = np.random.default_rng(0)
def dropout_forward(x, p=0.5):
    mask = (rng.random(x.shape) < p) / p
    return x * mask, mask
def dropout_backward(dout, cache):
    return dout * cache
""",
    "an activation by its name": """
def act_forward(Z, activation):
    if activation == "relu":
        A = np.maximum(0, Z)
    elif activation == "tanh":
        A = np.tanh(Z)
    return A, (Z, A)
def act_backward(dA, cache, activation):
    Z, A = cache
    if activation == "relu":
        return dA * (Z > 0)
    elif activation == "tanh":
        return dA * (1 - A**2)
""",
    "convolution, channels last": """
def conv_forward(A_prev, W, b, hparameters):
    s, p = hparameters["stride"], hparameters["pad"]
    m, H, V, C = A_prev.shape
    f, f, C, K = W.shape
    h, v = (H + 2 * p - f) // s + 1, (V + 2 * p - f) // s + 1
    Z = np.zeros((m, h, v, K))
    P = np.pad(A_prev, ((0, 0), (p, p), (p, p), (0, 0)))
    for i in range(h):
        for j in range(v):
            part = P[:, i * s : i * s + f, j * s : j * s + f, :]
            Z[:, i, j, :] = np.tensordot(part, W, 3) + b[0, 0, 0]
    return Z, (A_prev, W, b, hparameters)
def conv_backward(dZ, cache):
    A_prev, W, b, hparameters = cache
    s, p = hparameters["stride"], hparameters["pad"]
    f = W.shape[0]
    P = np.pad(A_prev, ((0, 0), (p, p), (p, p), (0, 0)))
    dP, dW, db = np.zeros(P.shape), np.zeros(W.shape), np.zeros(b.shape)
    for i in range(dZ.shape[1]):
        for j in range(dZ.shape[2]):
            part = P[:, i * s : i * s + f, j * s : j * s + f, :]
            dP[:, i * s : i * s + f, j * s : j * s + f, :] += np.tensordot(
                dZ[:, i, j, :], W, ([1], [3])
            )
            dW += np.tensordot(part, dZ[:, i, j, :], ([0], [0]))
            db += dZ[:, i, j, :].sum(0)
    return dP[:, p:-p, p:-p, :], dW, db
""",
    "pooling with numbers for arguments": """
def max_pool_forward(x, pool_size=2, stride=2):
    N, C, H, W = x.shape
    h, w = (H - pool_size) // stride + 1, (W - pool_size) // stride + 1
    out = np.zeros((N, C, h, w))
    for i in range(h):
        for j in range(w):
            a, b = i * stride, j * stride
            out[:, :, i, j] = x[:, :, a : a + pool_size, b : b + pool_size].max((2, 3))
    return out, (x, pool_size, stride)
def max_pool_backward(dout, cache):
    x, size, stride = cache
    dx = np.zeros(x.shape)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            a, b = i * stride, j * stride
            part = x[:, :, a : a + size, b : b + size]
            top = part == part.max((2, 3), keepdims=True)
            dx[:, :, a : a + size, b : b + size] += top * dout[:, :, i, j][:, :, None, None]
    return dx
""",
    "embedding": """
def word_embedding_forward(x, W):
    return W[x], (x, W)
def word_embedding_backward(dout, cache):
    x, W = cache
    dW = np.zeros_like(W)
    np.add.at(dW, x, dout)
    return dW
""",
    "softmax loss": """
def softmax_loss(x, y):
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    N = len(y)
    dx = p.copy()
    dx[np.arange(N), y] -= 1
    return -np.log(p[np.arange(N), y]).mean(), dx / N
""",
    "loss of weights, with regularization": """
def softmax_loss_vectorized(W, X, y, reg):
    p = np.exp(X @ W) / np.exp(X @ W).sum(1, keepdims=True)
    N = len(y)
    loss = -np.log(p[np.arange(N), y]).mean() + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    dW = X.T @ p / N + 2 * reg * W
    return loss, dW
""",
    "loss and its dict": """
def linear_loss(X, W, b, y):
    r = X @ W + b
    loss = 0.5 * np.sum((r - y) ** 2)
    grads = {"W": X.T @ (r - y), "b": (r - y).sum(0)}
    return loss, grads
""",
    "loss and a function for its gradient": """
def mse(y_true, y_pred):
    return np.mean((y_true - y_pred) ** 2)
def mse_prime(y_true, y_pred):
    return 2 * (y_pred - y_true) / y_true.size
""",
    "loss with a cache": """
def bce_forward(yhat, y):
    loss = -np.mean(y * np.log(yhat) + (1 - y) * np.log(1 - yhat))
    return loss, (yhat, y)
def bce_backward(cache):
    yhat, y = cache
    return (yhat - y) / (yhat * (1 - yhat)) / y.size
""",
    "gradients before the loss": """
def propagate(w, b, X, Y):
    m = X.shape[1]
    A = 1 / (1 + np.exp(-(np.dot(w.T, X) + b)))
    cost = -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / m
    grads = {"dw": np.dot(X, (A - Y).T) / m, "db": np.sum(A - Y) / m}
    return grads, cost
""",
    "softmax and the loss after it": """
def softmax(x):
    e = np.exp(x)
    return e / e.sum(axis=1, keepdims=True)
def cross_entropy(pred, y):
    return -np.sum(np.log(pred[range(len(y)), y])) / len(y)
def softmax_backward(pred, y):
    grad = pred.copy()
    grad[range(len(y)), y] -= 1
    return grad / len(y)
""",
    "network": """
def forward_propagation(X, parameters):
    W1, b1 = parameters["W1"], parameters["b1"]
    W2, b2 = parameters["W2"], parameters["b2"]
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = 1 / (1 + np.exp(-(np.dot(W2, A1) + b2)))
    return A2, {"A1": A1, "A2": A2}
def compute_cost(A2, Y):
    return float(np.squeeze(-np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2))))
def backward_propagation(parameters, cache, X, Y):
    m = X.shape[1]
    A1, A2 = cache["A1"], cache["A2"]
    dZ2 = A2 - Y
    dZ1 = np.dot(parameters["W2"].T, dZ2) * (1 - A1**2)
    return {
        "dZ2": dZ2,
        "dW2": np.dot(dZ2, A1.T) / m,
        "db2": np.sum(dZ2, axis=1, keepdims=True) / m,
        "dW1": np.dot(dZ1, X.T) / m,
        "db1": np.sum(dZ1, axis=1, keepdims=True) / m,
    }
""",
    "network that returns its cost": """
def forward_propagation(X, Y, parameters):
    W1, b1, W2, b2 = (parameters[k] for k in ("W1", "b1", "W2", "b2"))
    A1 = np.maximum(0, np.dot(W1, X) + b1)
    e = np.exp(np.dot(W2, A1) + b2)
    P = e / e.sum(axis=0)
    cost = -np.sum(Y * np.log(P)) / X.shape[1]
    return cost, (A1, P, W2)
def backward_propagation(X, Y, cache):
    A1, P, W2 = cache
    m = X.shape[1]
    dZ2 = (P - Y) / m
    dZ1 = np.dot(W2.T, dZ2) * (A1 > 0)
    return {"dW1": np.dot(dZ1, X.T), "db1": dZ1.sum(1, keepdims=True),
            "dW2": np.dot(dZ2, A1.T), "db2": dZ2.sum(1, keepdims=True)}
""",
    "network in a loop over its layers": """
def L_model_forward(X, parameters):
    caches, A, L = [], X, len(parameters) // 2
    for l in range(1, L + 1):
        Z = np.dot(parameters["W" + str(l)], A) + parameters["b" + str(l)]
        caches.append((A, parameters["W" + str(l)], Z))
        A = np.maximum(0, Z) if l < L else 1 / (1 + np.exp(-Z))
    return A, caches
def compute_cost(AL, Y):
    return -np.mean(Y * np.log(AL) + (1 - Y) * np.log(1 - AL))
def L_model_backward(AL, Y, caches):
    grads, L, m = {}, len(caches), Y.shape[1]
    dZ = (AL - Y) / m
    for l in range(L, 0, -1):
        A, W, Z = caches[l - 1]
        grads["dW" + str(l)] = np.dot(dZ, A.T)
        grads["db" + str(l)] = dZ.sum(axis=1, keepdims=True)
        dZ = np.dot(W.T, dZ)
        if l > 1:
            dZ = dZ * (caches[l - 2][2] > 0)
    return grads
""",
}


def written(source: str, name: str = "theirs_functions") -> types.ModuleType:
    """A module of this source, whose functions can be read."""
    file = f"<{name}>"
    text = "import numpy as np\n" + source
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    module = types.ModuleType(name)
    module.__spec__ = importlib.util.spec_from_loader(name, None)
    sys.modules[name] = module
    exec(compile(text, file, "exec"), vars(module))
    return module


def copied(inputs):
    return {name: x.copy() for name, x in inputs.items()}


def differences(trial, seed=0):
    """The gradients that central differences give for random upstream gradients, and theirs."""
    rng = np.random.default_rng(seed)
    out = trial.run(copied(trial.inputs))
    douts = [rng.normal(size=np.shape(y)) if not trial.loss else np.ones(()) for y in out.outputs]
    theirs = out.pull([d.copy() for d in douts])

    def value(inputs):
        return sum(np.sum(np.asarray(y, float) * d) for y, d in zip(trial.run(inputs).outputs, douts))

    right = {}
    for name in theirs:
        right[name] = np.zeros(trial.inputs[name].shape)
        for i in np.ndindex(right[name].shape):
            up, down = copied(trial.inputs), copied(trial.inputs)
            up[name][i] += 1e-5
            down[name][i] -= 1e-5
            right[name][i] = (value(up) - value(down)) / 2e-5
    return theirs, right


@pytest.mark.parametrize("source", [*AFFINE.values(), *OTHERS.values()], ids=[*AFFINE, *OTHERS])
def test_a_right_layer_runs_without_options_and_agrees_with_central_differences(source):
    for layer in layers_of(written(source)):
        for trial in layer.trials():
            theirs, right = differences(trial)
            assert theirs
            for name, gradient in theirs.items():
                np.testing.assert_allclose(gradient, right[name], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("source", AFFINE.values(), ids=AFFINE)
def test_an_affine_layer_has_a_gradient_for_each_of_its_three_inputs(source):
    [layer] = layers_of(written(source))
    trial = layer.trials()[0]
    assert set(trial.places) == set(trial.inputs)
    assert sorted(x.size for x in trial.inputs.values()) == [5, 12, 20]
