"""Functions as people write them: found, given inputs, and their gradients by the right names."""

import importlib.util
import linecache
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from microgrid.check.handwritten import judge, museum
from microgrid.check.handwritten.forms import kinds as forms
from microgrid.check.handwritten.forms import names, pairing
from microgrid.check.handwritten.forms.discover import layers_of
from microgrid.check.handwritten.forms.functions import trials
from microgrid.check.handwritten.forms.random_arrays import of_kind
from microgrid.check.handwritten.forms.search import fits
from microgrid.check.handwritten.process.checking import trials as trials_of_job
from microgrid.check.handwritten.process.job import Job
from microgrid.check.handwritten.trial import LayerError

MORE = {
    "a number for an argument": """
def scale_forward(x, s):
    return x * s
def scale_backward(dout, x, s):
    return dout * s, (dout * x).sum()
""",
    "layers one after another": """
def two_layer_forward(X, W1, b1, W2, b2):
    h = np.maximum(0, X @ W1 + b1)
    return h @ W2 + b2, (X, W2, h)
def two_layer_backward(dscores, cache):
    X, W2, h = cache
    dh = dscores @ W2.T * (h > 0)
    return {"W1": X.T @ dh, "b1": dh.sum(0), "W2": h.T @ dscores, "b2": dscores.sum(0)}
""",
    "gates": """
def gru_step_forward(x, h_prev, Wz, Uz, bz, Wh, Uh, bh):
    z = 1 / (1 + np.exp(-(x @ Wz + h_prev @ Uz + bz)))
    g = np.tanh(x @ Wh + h_prev @ Uh + bh)
    return z * h_prev + (1 - z) * g, (x, h_prev, Wz, Uz, Wh, Uh, z, g)
def gru_step_backward(dh, cache):
    x, hp, Wz, Uz, Wh, Uh, z, g = cache
    dz, dg = dh * (hp - g) * z * (1 - z), dh * (1 - z) * (1 - g**2)
    dx, dhp = dz @ Wz.T + dg @ Wh.T, dh * z + dz @ Uz.T + dg @ Uh.T
    return dx, dhp, x.T @ dz, hp.T @ dz, dz.sum(0), x.T @ dg, hp.T @ dg, dg.sum(0)
""",
    "a ctx that keeps": """
def linear_fwd(ctx, x, w, b):
    ctx.x, ctx["w"] = x, w
    return x @ w + b
def linear_bwd(ctx, g):
    return g @ ctx["w"].T, ctx.x.T @ g, g.sum(0)
""",
    "a flag for the derivative": """
def sigmoid(x, deriv=False):
    if deriv:
        return x * (1 - x)
    return 1 / (1 + np.exp(-x))
""",
    "attention": """
def attention_forward(Q, K, V):
    S = Q @ np.swapaxes(K, -1, -2) / np.sqrt(Q.shape[-1])
    A = np.exp(S) / np.exp(S).sum(-1, keepdims=True)
    return A @ V, (Q, K, V, A)
def attention_backward(dO, cache):
    Q, K, V, A = cache
    dV = np.swapaxes(A, -1, -2) @ dO
    dA = dO @ np.swapaxes(V, -1, -2)
    dS = A * (dA - (dA * A).sum(-1, keepdims=True)) / np.sqrt(Q.shape[-1])
    return dS @ K, np.swapaxes(dS, -1, -2) @ Q, dV
""",
}

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
    "names that say nothing, no cache": """
def dense(data, theta, bias):
    return data @ theta + bias
def dense_grad(above, data, theta, bias):
    gd = above @ theta.T
    gt = data.T @ above
    gb = above.sum(0)
    return gd, gt, gb
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


LAYERS = AFFINE | OTHERS | MORE


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
        return sum(
            np.sum(np.asarray(y, float) * d) for y, d in zip(trial.run(inputs).outputs, douts)
        )

    right = {}
    for name in theirs:
        right[name] = np.zeros(trial.inputs[name].shape)
        for i in np.ndindex(right[name].shape):
            up, down = copied(trial.inputs), copied(trial.inputs)
            up[name][i] += 1e-5
            down[name][i] -= 1e-5
            right[name][i] = (value(up) - value(down)) / 2e-5
    return theirs, right


@pytest.mark.parametrize("source", LAYERS.values(), ids=LAYERS)
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


@pytest.mark.parametrize("kind", forms.KINDS, ids=[kind.name for kind in forms.KINDS])
def test_the_sizes_of_a_form_differ_pairwise(kind):
    for form in kind.forms if "squares" not in kind.name else ():
        if "x" in form.shapes:
            data = [n for n in form.shape("x") if n != 1]
            assert len(set(data)) == len(data)
            assert 2 not in data
        if {"x", "w"} <= set(form.shapes) and len(form.shape("w")) == 2:
            assert len(set(form.shape("w"))) == 2 or 3 in form.shape("w")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(3,), (3, 4), (4, 1), (3, 4, 7, 5)])
def test_drawn_numbers_have_both_signs_no_ties_and_no_kink(shape, seed):
    x = of_kind("", shape, np.random.default_rng(seed))
    assert (x > 0).any()
    assert (x < 0).any()
    assert abs(x).min() > 0.05
    assert len(np.unique(x)) == x.size
    assert abs(x - 1).min() > 0.001


@pytest.mark.parametrize("seed", range(20))
def test_labels_differ_and_repeat(seed):
    y = of_kind("int:5", (3,), np.random.default_rng(seed))
    assert len(set(y.tolist())) == 2


def test_numbers_that_hide_mistakes_are_not_chosen():
    assert names.number("stride") == 2
    assert names.number("pad") == 1
    assert names.number("reg") not in (0, 1)
    assert names.number("keep_prob") not in (0, 0.5, 1)


def test_shapes_that_are_given_decide_on_the_others():
    [fit] = fits(lambda x, w, b: x @ w + b, {"x": (5, 9)})
    assert fit.inputs["w"].shape[0] == 9
    assert len({5, 9, *fit.inputs["w"].shape}) == 3


def test_arrays_numbers_and_classes_are_taken_as_they_are_given():
    [layer] = layers_of(written(OTHERS["loss of weights, with regularization"]))
    X = np.arange(12.0).reshape(4, 3) + 0.5
    [trial] = layer.trials(given={"X": X, "W": (3, 7), "y": "classes", "reg": 0.7})
    assert trial.setting == "reg=0.7"
    np.testing.assert_array_equal(trial.inputs["X"], X)
    labels = trial.run.fit.bound["y"]
    assert labels.shape == (4,)
    assert labels.max() < 7


@pytest.mark.parametrize(
    "given",
    [
        {"parameters": {"W1": (6, 2), "b1": (6, 1), "W2": (1, 6), "b2": (1, 1)}},
        {"W1": (6, 2), "b1": (6, 1), "W2": (1, 6), "b2": (1, 1)},
    ],
    ids=["dict", "by key"],
)
def test_the_parameters_of_a_network_are_given_as_shapes(given):
    [layer] = layers_of(written(OTHERS["network"]))
    [trial] = layer.trials(given=given)
    assert trial.inputs["W1"].shape == (6, 2)
    assert trial.inputs["X"].shape[0] == 2
    assert set(trial.places) == {"W1", "b1", "W2", "b2"}


def test_a_part_of_a_settings_dict_may_be_given():
    [layer] = layers_of(written(OTHERS["convolution, channels last"]))
    trial = layer.trials(given={"hparameters": {"stride": 1}})[0]
    assert trial.setting.startswith("stride=1, pad=1")


def test_the_same_seed_gives_the_same_inputs_and_another_one_others():
    module = written(AFFINE["CS231n"])
    one, same, other = (layers_of(module)[0].trials(seed=s)[0].inputs["x"] for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).all()


def test_every_run_starts_from_the_same_state():
    [layer] = layers_of(written(OTHERS["dropout of a generator"]))
    trial = layer.trials()[0]
    first, second = (trial.run(copied(trial.inputs)).outputs[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_random_masks_do_not_depend_on_what_was_drawn_before():
    [layer] = layers_of(written(OTHERS["dropout"]))
    trial = layer.trials()[0]
    first = trial.run(copied(trial.inputs)).outputs[0]
    np.random.rand()
    np.testing.assert_array_equal(trial.run(copied(trial.inputs)).outputs[0], first)


def test_a_run_leaves_the_settings_as_they_were():
    [layer] = layers_of(written(OTHERS["batch normalization"]))
    trial = layer.trials()[0]
    trial.run(copied(trial.inputs))
    assert "running_mean" not in trial.run.fit.bound["bn_param"]


def test_modes_are_checked_where_the_backward_looks_at_them():
    source = """
def dropout_forward(x, dropout_param):
    p, mode = dropout_param["p"], dropout_param["mode"]
    mask = (np.random.rand(*x.shape) < p) / p
    return (x * mask if mode == "train" else x), (dropout_param, mask)
def dropout_backward(dout, cache):
    dropout_param, mask = cache
    return dout * mask if dropout_param["mode"] == "train" else dout
"""
    [layer] = layers_of(written(source))
    assert [t.setting for t in layer.trials()] == ["p=0.6, mode='train'", "p=0.6, mode='test'"]


def test_a_cache_that_a_second_forward_overwrites_is_told():
    source = """
cache = {}
def affine_forward(x, w):
    cache["x"], cache["w"] = x, w
    return x @ w
def affine_backward(dout):
    return dout @ cache["w"].T, cache["x"].T @ dout
"""
    [layer] = layers_of(written(source))
    [trial] = layer.trials()
    other = {name: x + 0.1 for name, x in trial.inputs.items()}
    assert trial.again(trial.inputs, other).startswith("a second forward overwrites")
    [right] = layers_of(written(AFFINE["no cache"]))[0].trials()
    assert right.again(right.inputs, {k: x + 0.1 for k, x in right.inputs.items()}) == ""


def test_grads_say_whose_gradient_is_whose():
    module = written("""
def f(x, w):
    return x * w
def f_backward(dout, x, w):
    one = dout * x
    two = dout * w
    return one, two
""")
    given = {"x": (3, 4), "w": (3, 4)}
    [trial] = trials(module.f, given=given, grads={"w": "one", "x": 1})
    theirs, right = differences(trial)
    np.testing.assert_allclose(theirs["w"], right["w"], atol=1e-7)
    np.testing.assert_allclose(theirs["x"], right["x"], atol=1e-7)


@pytest.mark.parametrize(
    ("names_", "found"),
    [
        (["relu", "relu_backward"], {"relu_backward": "relu"}),
        (["conv_forward_naive", "conv_backward_naive"],
         {"conv_backward_naive": "conv_forward_naive"}),
        (["bn_forward", "bn_backward", "bn_backward_alt"],
         {"bn_backward": "bn_forward", "bn_backward_alt": "bn_forward"}),
        (["affineForward", "affineBackward"], {"affineBackward": "affineForward"}),
        (["sigmoid", "dsigmoid"], {"dsigmoid": "sigmoid"}),
        (["sigmoid", "sigmoid_derivative"], {"sigmoid_derivative": "sigmoid"}),
        (["forward_prop", "back_prop"], {"back_prop": "forward_prop"}),
        (["forward", "backward"], {"backward": "forward"}),
        (["relu", "softmax", "dropout"], {}),
    ],
)  # fmt: skip
def test_a_backward_is_paired_by_its_name(names_, found):
    assert pairing.pairs(dict.fromkeys(names_)) == found


def test_layers_come_in_the_order_of_the_source_and_helpers_are_left_out():
    module = written("def helper(x):\n    return x\n" + OTHERS["softmax loss"] + AFFINE["CS231n"])
    assert [layer.name for layer in layers_of(module)] == ["softmax_loss", "affine"]


@pytest.mark.parametrize("name", ["affine", "affine_forward", "affine_backward", "Affine"])
def test_a_layer_is_found_by_its_name_or_that_of_its_functions(name):
    module = written(OTHERS["softmax loss"] + AFFINE["CS231n"])
    assert [layer.name for layer in layers_of(module, name)] == ["affine"]


def refused(source, **how):
    with pytest.raises(LayerError) as caught:
        layers_of(written(source))[0].trials(**how)
    return str(caught.value)


def test_what_cannot_be_checked_is_told_in_a_sentence():
    assert "has no layers" in refused("x = 1")
    assert "returns None: it is not written yet" in refused(
        "def f_forward(x):\n    pass\ndef f_backward(dout, cache):\n    pass"
    )
    assert "fails on floats, too: NameError" in refused(
        "def relu_forward(x):\n    return xrange(x)\ndef relu_backward(dout, x):\n    return dout"
    )
    said = refused("def f(q):\n    raise KeyError('q')\ndef f_backward(dout, q):\n    return dout")
    assert said.endswith("say what q is, as in q=(3, 4), on the command line q=3x4")
    assert "returns 2 gradients for 3 inputs" in refused(
        "def f_forward(x, w, b):\n    return x * w + b\n"
        "def f_backward(dout, x, w):\n    return dout * 1, dout * x",
        given={"x": (3, 4), "w": (3, 4), "b": (3, 4)},
    )
    assert "has no argument z" in refused(AFFINE["CS231n"], given={"z": (3, 4)})
    assert "its keys are a, c" in refused(
        "def f_forward(x):\n    return x * 1\ndef f_backward(dout):\n    return {'a': 1, 'c': 2}"
    )


@pytest.mark.parametrize(("code", "given", "said"), [
    ("x @ w + b", {"x": (3, 4), "w": (5, 6)},
     "x (3, 4) and w (5, 6) do not fit in `x @ w` (line 3)"),
    ("(x @\n        w + b)", {"x": (3, 4), "w": (4, 6), "b": (5,)},
     "x @ w (3, 6) and b (5,) do not fit in `x @ w + b` (line 3)"),
    ("np.dot(x.reshape(len(x), -1), w) + b", {"x": (3, 2, 2), "w": (5, 6), "b": (6,)},
     "x.reshape(len(x), -1) (3, 4) and w (5, 6) do not fit in "
     "`np.dot(x.reshape(len(x), -1), w)` (line 3)"),
    ("helper(x) + w + b", {"x": (3, 4), "w": (4,), "b": (4,)},
     "ZeroDivisionError: division by zero (line 5: `def helper(x): return 1 / 0`)"),
])  # fmt: skip
def test_shapes_that_do_not_fit_are_named_with_their_expression_and_line(code, given, said):
    source = f"def f_forward(x, w, b):\n    return {code}\n"
    source += "\n" * (4 - source.count("\n") - 1)
    source += "def helper(x): return 1 / 0\n"
    source += "def f_backward(dout, x, w, b):\n    return dout, dout, dout"
    assert refused(source, given=given) == f"f_forward does not run on the given inputs: {said}"


def test_a_name_that_is_not_there_is_told_with_its_line():
    source = "def f_forward(x, w):\n    return x @ w + missing\n"
    source += "def f_backward(dout, x, w):\n    return dout, dout"
    assert refused(source) == (
        "f_forward fails on floats, too: NameError: name 'missing' is not defined "
        "(line 3: `return x @ w + missing`)"
    )


def test_an_unknown_name_lists_the_layers_and_the_nearest():
    with pytest.raises(LayerError, match=r"its layers are affine; did you mean affine\?"):
        layers_of(written(AFFINE["CS231n"]), "afine")


def test_a_class_is_found_by_its_name_where_a_chain_has_it_and_the_file_is_named(
    tmp_path: Path,
) -> None:
    path = Path(museum.__file__).parent / "layers" / "softmax_chain.py"
    spec = importlib.util.spec_from_file_location("checked_engine", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["checked_engine"] = module
    spec.loader.exec_module(module)
    assert [x.name for x in layers_of(module)] == ["Softmax + CrossEntropyLoss"]
    for name in ("Softmax", "CrossEntropyLoss", "softmax"):
        [layer] = layers_of(module, name)
        assert layer.name.lower() == name.lower()
    with pytest.raises(LayerError, match=r"^softmax_chain.py has no layer relu"):
        layers_of(module, "relu")
    with pytest.raises(LayerError, match=r"^softmax_chain.py has no class Relu"):
        layers_of(module, "Relu + Softmax")


AFFINE_FLAT = """
def affine_forward(x, w, b):
    return x @ w + b, (x, w)
def affine_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)
"""
RELU = """
def relu_forward(x):
    return np.maximum(0, x), x
def relu_backward(dout, x):
    return dout * (x > 0)
"""


def verdicts(source, **how):
    """The verdict on each gradient of the first layer, and the trials."""
    made = layers_of(written(source))[0].trials(**how)
    return {g.input: g.verdict for g in judge.examine(made).gradients}, made


@pytest.mark.parametrize("fill", [np.zeros, np.ones])
def test_arrays_that_are_given_are_taken_as_they_are(fill):
    given = {"x": fill((3, 4)), "w": fill((4, 5)), "b": np.zeros(5)}
    found, [trial] = verdicts(AFFINE_FLAT, given=given)
    assert found == dict.fromkeys("xwb", "right")
    for name, x in given.items():
        np.testing.assert_array_equal(trial.inputs[name], x)
    found, [trial] = verdicts(RELU, given={"x": np.full((2, 3), -1.0)})  # all outputs are 0
    assert found == {"x": "right"}


def test_whole_numbers_and_lists_that_are_given_are_floats():
    given = {"x": [[1, 2.0], [3, 4]], "w": [[1, 2, 3], [4, 5, 6]], "b": [1, 2, 3]}
    found, [trial] = verdicts(AFFINE_FLAT, given=given)
    assert found == dict.fromkeys("xwb", "right")
    assert {x.dtype.kind for x in trial.inputs.values()} == {"f"}
    assert verdicts(RELU, given={"x": np.arange(1, 7).reshape(2, 3)})[0] == {"x": "right"}
    square = "def f(x):\n    return x * x\ndef f_backward(dout, x):\n    return 2 * x * dout\n"
    found, [trial] = verdicts(square, given={"x": 3.0})
    assert found == {"x": "right"}
    assert trial.inputs["x"].shape == ()


def test_whole_numbers_that_are_indices_stay_whole():
    source = """
def pick_forward(x, ids):
    return x[ids], (x.shape, ids)
def pick_backward(dout, cache):
    shape, ids = cache
    dx = np.zeros(shape)
    np.add.at(dx, ids, dout)
    return dx
"""
    found, [trial] = verdicts(source, given={"x": (4, 3), "ids": [0, 2, 0]})
    assert found == {"x": "right"}
    assert list(trial.inputs) == ["x"]


@pytest.mark.parametrize("name", ["bn2", "norm2", "batch_norm2", "batchnorm3"])
def test_a_digit_numbers_a_normalization(name):
    source = f"""
def {name}_forward(x, gamma, beta):
    xc = x - x.mean(axis=0)
    std = np.sqrt((xc**2).mean(axis=0) + 1e-5)
    return gamma * xc / std + beta, (xc / std, std, gamma)
def {name}_backward(dout, cache):
    xhat, std, gamma = cache
    d = dout * gamma
    dx = (d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0)) / std
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
"""
    found, made = verdicts(source)
    assert set(found.values()) == {"right"}
    assert all(trial.inputs["x"].ndim == 2 for trial in made)


def test_shapes_that_only_happen_to_broadcast_are_not_chosen():
    source = """
def instancenorm_forward(x, gamma, beta):
    xc = x - x.mean(axis=(2, 3), keepdims=True)
    std = np.sqrt((xc**2).mean(axis=(2, 3), keepdims=True) + 1e-5)
    out = xc / std * gamma[None, :, None, None] + beta[None, :, None, None]
    return out, (xc / std, std, gamma)
def instancenorm_backward(dout, cache):
    xhat, std, gamma = cache
    d = dout * gamma[None, :, None, None]
    mean = lambda a: a.mean(axis=(2, 3), keepdims=True)
    dx = (d - mean(d) - xhat * mean(d * xhat)) / std
    return dx, (dout * xhat).sum(axis=(0, 2, 3)), dout.sum(axis=(0, 2, 3))
"""
    found, [trial] = verdicts(source)
    assert found == dict.fromkeys(("x", "gamma", "beta"), "right")
    assert trial.inputs["gamma"].ndim == 1
    wrong = source.replace("dout.sum(axis=(0, 2, 3))", "dout.sum(axis=(0, 2))")
    assert verdicts(wrong)[0]["beta"] == "wrong"


def test_one_matrix_for_x_and_h_put_together_has_the_rows_of_both():
    source = """
def rnn_step_forward(x, h_prev, W, b):
    xh = np.concatenate([x, h_prev], axis=1)
    h = np.tanh(xh @ W + b)
    return h, (xh, W, h, x.shape[1])
def rnn_step_backward(dh, cache):
    xh, W, h, D = cache
    dz = dh * (1 - h**2)
    dxh = dz @ W.T
    return dxh[:, :D], dxh[:, D:], xh.T @ dz, dz.sum(axis=0)
"""
    for given in ({}, {"x": (2, 6), "h_prev": (2, 3)}):
        found, [trial] = verdicts(source, given=given)
        assert found == dict.fromkeys(("x", "h_prev", "W", "b"), "right")
        assert [*trial.places.values()][:2] == ["dx", "dh_prev"]


def test_a_backward_for_one_sample_says_with_which_shape_it_runs():
    source = """
def fc_forward(x, w, b):
    return x @ w + b.reshape(1, -1), (x, w)
def fc_backward(dout, cache):
    x, w = cache
    db = np.zeros((1, w.shape[1]))
    db += dout
    return dout @ w.T, x.T @ dout, db
"""
    [crash] = judge.examine(layers_of(written(source))[0].trials()).gradients
    assert crash.verdict == "crashes"
    assert crash.sentences[-1] == "for a layer of one sample give x=(1, 4)"
    found, _ = verdicts(source, given={"x": (1, 4)})
    assert found == {"x": "right", "w": "right", "b": "shape"}
    crashing = source.replace("x.T @ dout", "x.T @ dout.T @ dout.T")  # for one sample, too
    [crash] = judge.examine(layers_of(written(crashing))[0].trials()).gradients
    assert not any("sample" in said for said in crash.sentences)


def test_what_is_not_given_is_asked_for():
    with pytest.raises(LayerError, match=r"returns no gradients: give its backward, too"):
        trials(lambda x: x)
    with pytest.raises(LayerError, match=r"print returns None: a forward returns its outputs"):
        trials(print)
    with pytest.raises(LayerError, match="wrap it in a def"):
        trials(np.tanh, lambda dout, x: dout)


def assert_right(trial):
    theirs, right = differences(trial)
    for name in trial.inputs:
        np.testing.assert_allclose(theirs[name], right[name], rtol=1e-5, atol=1e-7)


PRODUCT = """
def mul_forward({0}, {1}):
    return {0} * {1} - {1}, ({0}, {1})
def mul_backward(dz, cache):
    p, q = cache
    return dz * q, dz * (p - 1)
"""


@pytest.mark.parametrize(
    "arguments", [("x", "y"), ("y", "x"), ("p", "q"), ("q", "k"), ("x", "t"), ("x", "mask")]
)
def test_what_has_a_gradient_is_an_input_whatever_its_name(arguments):
    [trial] = [t for x in layers_of(written(PRODUCT.format(*arguments))) for t in x.trials()]
    assert list(trial.inputs) == list(trial.places) == list(arguments)
    assert_right(trial)


def test_probabilities_beside_others_are_drawn_positive_and_both_are_inputs():
    source = """
def kl_forward(p, q):
    return np.sum(p * (np.log(p) - np.log(q))), (p, q)
def kl_backward(dout, cache):
    p, q = cache
    return dout * (np.log(p) - np.log(q) + 1), -dout * p / q
"""
    [trial] = layers_of(written(source))[0].trials()
    assert list(trial.places) == ["p", "q"]
    assert_right(trial)


def test_a_number_that_is_bound_takes_its_place_among_the_gradients():
    source = """
def scaled_forward(stride, x, z):
    return stride * x + 3 * z, None
def scaled_backward(dout, cache):
    return None, 2 * dout, 3 * dout
"""
    [trial] = layers_of(written(source))[0].trials(given={"stride": 2})
    assert list(trial.places) == ["x", "z"]
    assert_right(trial)


def test_gradients_in_a_dict_beside_others_are_found_by_their_keys():
    source = """
def net_forward(params, x):
    return x @ params["W"] + params["b"], (params, x)
def net_backward(d, c):
    p, x = c
    return {"W": x.T @ d, "b": d.sum(0)}, d @ p["W"].T
"""
    [trial] = layers_of(written(source))[0].trials()
    assert {n: x.shape for n, x in trial.inputs.items()} == {"W": (4, 5), "b": (5,), "x": (3, 4)}
    assert_right(trial)


def test_the_crash_of_a_backward_that_returns_a_dict_is_its_own():
    source = """
def linear_forward(*, inputs, weights, bias):
    return inputs @ weights + bias, dict(inputs=inputs, weights=weights)
def linear_backward(upstream, *, cache):
    d_inputs = upstream @ cache["weights"]
    return {"inputs": d_inputs, "weights": cache["inputs"].T @ upstream, "bias": upstream.sum(0)}
"""
    [trial] = layers_of(written(source))[0].trials()
    with pytest.raises(ValueError, match="matmul"):
        trial.run(copied(trial.inputs)).pull([np.ones((3, 5))])


def test_a_letter_is_a_mark_only_where_no_word_is_one():
    source = """
def layer_b_forward(x):
    return x * 1
def layer_b_backward(g):
    return g * 1
def layer_d_forward(x):
    return x * 2
def layer_d_backward(g):
    return g * 2
"""
    assert [x.name for x in layers_of(written(source))] == ["layer_b", "layer_d"]
    assert pairing.pairs({"f": abs, "f_backward": abs}) == {"f_backward": "f"}


def test_bound_methods_are_those_of_their_object():
    class Linear:
        def __init__(self):
            self.W = np.ones((4, 5))

        def there(self, x):
            self.x = x
            return x @ self.W

        def back_again(self, dout):
            self.dW = self.x.T @ dout
            return dout @ self.W.T

    layer = Linear()
    [trial] = trials_of_job(layer.there, layer.back_again, Job("", inputs={"x": (3, 4)}))
    assert trial.places == {"x": "dx", "W": "self.dW"}


@pytest.mark.parametrize("seeding", [
    "np.random.seed(None)", "np.random.seed()", "np.random.seed(seed=None)", "random.seed()",
    "rng = np.random.default_rng()",
])  # fmt: skip
def test_a_forward_that_seeds_with_nothing_gives_the_same_numbers_twice(seeding):
    source = f"""
import random
import numpy as np
def dropout_forward(x):
    rng = np.random
    {seeding}
    mask = (rng.normal(size=x.shape) < random.random()) * 1.0
    return x * mask, mask
def dropout_backward(dout, mask):
    return dout * mask
"""
    module = written(source, "seeding")
    seeds = np.random.seed, np.random.default_rng
    [trial] = trials(module.dropout_forward)
    first, second = [trial.run(trial.inputs).outputs[0] for _ in range(2)]
    assert (first == second).all()
    assert (np.random.seed, np.random.default_rng) == seeds


def test_sizes_that_are_divided_by_are_odd_and_differ_also_where_one_is_given():
    module = written(
        "def batchnorm_forward(x, gamma, beta):\n"
        "    xhat = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)\n"
        "    return gamma * xhat + beta, xhat\n"
        "def batchnorm_backward(dout, xhat):\n"
        "    return dout, (dout * xhat).sum(0), dout.sum(0)\n"
    )
    for given in ({}, {"gamma": (5,)}, {"beta": (3,)}):
        [trial] = trials(module.batchnorm_forward, given=given)
        samples, features = trial.inputs["x"].shape
        assert samples != features
        assert given or (samples % 2, features % 2) == (1, 1)


def test_a_loss_that_returns_expressions_is_known_by_its_name():
    source = "def mse(p, y):\n    d = p - y\n    return (d * d).mean(), 2 * d / {}\n"
    assert [x.name for x in layers_of(written(source.format("p.size"), "expressions"))] == ["mse"]
    other = "import numpy as np\ndef softmax(x):\n    return np.exp(x), np.exp(x).sum()\n"
    with pytest.raises(LayerError, match="has no layers"):
        layers_of(written(other, "no_loss"))
