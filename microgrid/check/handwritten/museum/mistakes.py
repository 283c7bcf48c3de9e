"""The usual mistakes of a backward pass, by the numbers of their kinds."""

from __future__ import annotations

from microgrid.check.handwritten.museum.exhibit import Mistake, source
from microgrid.check.handwritten.results import CRASHES, SHAPE, TRANSPOSED
from microgrid.engine.hints import no_key

HABIT = ""
MISTAKES = [
    # 1 to 11: layers with weights.
    Mistake(
        "dx by w instead of its transpose", 1, "affine_pair",
        "dx = np.dot(dout, w.T).reshape(x.shape)", "dx = np.dot(dout, w).reshape(x.shape)",
        ("x",), r"np\.dot\(dout, w\)|not aligned|transpos",
        "dx = dout · Wᵀ: the shapes (N, M)·(M, D) give (N, D).", CRASHES),
    Mistake(
        "a square matrix not transposed", 1, "attention_class",
        "dcontext = dout @ self.Wo.T", "dcontext = dout @ self.Wo",
        ("x", "Wq", "Wk", "Wv"), r"transpos|dcontext|self\.context @ self\.Wo",
        "Back through `context @ Wo` goes `dout @ Wo.T`; a square Wo hides the missing `.T`."),
    Mistake(
        "dw the other way round", 2, "affine_pair",
        "dw = np.dot(rows.T, dout)", "dw = np.dot(dout.T, rows)",
        ("w",), r"transpos", "dW = Xᵀ · dout has the shape of W, dout.T · X that of its transpose.",
        TRANSPOSED),
    Mistake(
        "db over the features", 3, "affine_pair",
        "db = np.sum(dout, axis=0)", "db = np.sum(dout, axis=1)",
        ("b",), r"axis|shape", "b is added to each sample: sum over the samples, axis 0."),
    Mistake(
        "db is the sum of everything", 4, "affine_class",
        "self.db = np.sum(dout, axis=0)", "self.db = np.sum(dout)",
        ("b",), r"axis|shape \(\)|number", "Each feature has a bias: sum over axis 0."),
    Mistake(
        "db is a mean", 5, "affine_pair",
        "db = np.sum(dout, axis=0)", "db = np.mean(dout, axis=0)",
        ("b",), r"1/N|mean|divided by N",
        "Each sample sends its share to b: add them up; a division by N belongs into the loss "
        "alone."),
    Mistake(
        "dW is divided by N", 5, "affine_class",
        "self.dW = np.dot(self.x.T, dout)",
        "self.dW = np.dot(self.x.T, dout) / self.x.shape[0]",
        ("W",), r"1/N|mean|divided by N",
        "The loss divides by N already: its upstream gradient brings the 1/N along."),
    Mistake(
        "dw of the last sample", 6, "affine_loops",
        "dw += np.outer(x[n], dout[n])", "dw = np.outer(x[n], dout[n])",
        ("w",), r"last sample|overwrit", "Every sample uses w: `+=` where you wrote `=`."),
    Mistake(
        "db of the last sample", 6, "affine_loops",
        "db += dout[n]", "db = dout[n]",
        ("b",), r"last sample|overwrit", "Every sample uses b: `+=` where you wrote `=`."),
    Mistake(
        "the last step of time only", 6, "rnn_pair",
        "dWx += dWx_t", "dWx = dWx_t",
        ("Wx",), r"overwrit|nothing comes from|only",
        "Every step of time uses Wx: `+=` where you wrote `=`."),
    Mistake(
        "db keeps its row", 7, "affine_pair",
        "db = np.sum(dout, axis=0)", "db = np.sum(dout, axis=0, keepdims=True)",
        ("b",), r"shape \(1, \d\)", "Leave out keepdims=True, or give b the shape (1, M).", SHAPE),
    Mistake(
        "db without dout", 8, "affine_pair",
        "db = np.sum(dout, axis=0)", "db = np.full(b.shape, float(x.shape[0]))",
        ("b",), r"upstream|dout", "The chain rule: multiply the local gradient by dout."),
    Mistake(
        "the slope without dout", 8, "sigmoid_class",
        "dx = dout * self.out * (1 - self.out)", "dx = self.out * (1 - self.out)",
        ("x",), r"upstream|dout", "The chain rule: multiply by dout."),
    Mistake(
        "the mask without dout", 8, "relu_class",
        "return dout * (self.out > 0)", "return (self.out > 0).astype(float)",
        ("x",), r"upstream|dout", "The chain rule: multiply by dout."),
    Mistake(
        "W after its update", 9, "affine_updates",
        "return dx", "return grad @ self.W.T",
        ("x",), r"update|changes? W|self\.W -=|line",
        "Compute dx before you change W: the forward used the old W."),
    Mistake(
        "dW adds up", 10, "affine_class",
        "self.dW = np.dot(self.x.T, dout)", "self.dW += np.dot(self.x.T, dout)",
        (), r"clear|add", "Clear the gradient in every backward pass, or before it.", HABIT),
    Mistake(
        "weight decay inside the layer", 11, "affine_pair",
        "dw = np.dot(rows.T, dout)", "dw = np.dot(rows.T, dout) + 0.1 * w",
        ("w",), r"not 0 where|regulari", "What does not come from dout belongs into the loss."),
    Mistake(
        "regularization without the 2", 11, "svm_naive",
        "dW += 2 * reg * W", "dW += reg * W",
        ("W",), r"reg", "The gradient of reg · ΣW² is 2 · reg · W."),
    Mistake(
        "regularization forgotten", 11, "svm_naive",
        "dW += 2 * reg * W", "",
        ("W",), r"reg", "The loss has reg · ΣW²: its gradient is 2 · reg · W."),
    Mistake(
        "regularization twice", 11, "svm_vectorized",
        "dW += reg * W", "dW += 2 * reg * W",
        ("W",), r"reg", "The gradient of ½ reg · ΣW² is reg · W."),
    Mistake(
        "regularization divided by N", 11, "svm_naive",
        "dW += 2 * reg * W", "dW += 2 * reg * W / num_train",
        ("W",), r"reg", "Only the sum over the samples is divided by N."),
    Mistake(
        "regularization in the gradient only", 11, "softmax_vectorized",
        "loss = loss / num_train + reg * np.sum(W**2)", "loss = loss / num_train",
        ("W",), r"reg",
        "The gradient regularizes, the loss does not: add reg · ΣW² to the loss."),
    # 12 to 16: elementwise functions.
    Mistake(
        "relu looks at dout", 12, "relu_pair",
        "dx = dout * (x > 0)", "dx = dout * (dout > 0)",
        ("x",), r"mask", "The mask is of the input x: where x > 0, dout goes through."),
    Mistake(
        "relu looks at dout, in place", 12, "relu_pair",
        "dx = dout * (x > 0)", "dx = dout.copy()\ndx[dout <= 0] = 0",
        ("x",), r"mask", "The mask is of the input x: where x > 0, dout goes through."),
    Mistake(
        "relu looks at both", 13, "relu_pair",
        "dx = dout * (x > 0)", "dx = dout * (x > 0) * (dout > 0)",
        ("x",), r"mask", "A negative dout goes through, too: the mask is of x alone."),
    Mistake(
        "relu mask with >=", 14, "relu_class",
        "return dout * (self.out > 0)", "return dout * (self.out >= 0)",
        ("x",), r">= ?0|mask|everywhere|hands|does not belong|where x",
        "The output of relu is never negative: ask out > 0, or x > 0."),
    Mistake(
        "leaky relu masks the wrong side", 14, "leaky_relu_class",
        "dx[self.x <= 0] *= self.alpha", "dx[self.x > 0] *= self.alpha",
        ("x",), r"mask|where|yours is|factor|times", "The slope is alpha where x is negative."),
    Mistake(
        "sigmoid slope of x", 15, "sigmoid_class",
        "dx = dout * self.out * (1 - self.out)", "dx = dout * self.x * (1 - self.x)",
        ("x",), r"x\W*\(1 . x\)|x . x²|x for|yours is",
        "s(1 − s) is written with the output s, not with x."),
    Mistake(
        "sigmoid slope with a square", 15, "sigmoid_class",
        "dx = dout * self.out * (1 - self.out)", "dx = dout * self.out**2 * (1 - self.out)",
        ("x",), r"yours is|s²|y²|out²", "The slope of the logistic function is s(1 − s)."),
    Mistake(
        "tanh slope of x", 15, "tanh_pair",
        "dx = dout * (1 - out**2)", "dx = dout * (1 - x**2)",
        ("x",), r"1 . x²|x for|yours is",
        "1 − tanh² is written with the output, not with x."),
    Mistake(
        "tanh slope without the square", 15, "tanh_pair",
        "dx = dout * (1 - out**2)", "dx = dout * (1 - out)",
        ("x",), r"yours is|1 . y", "The slope of tanh is 1 − tanh²."),
    Mistake(
        "a power in the slope of gelu", 15, "gelu_class",
        "dt = (1 - t**2) * self.c * (1 + 3 * 0.044715 * x**2)",
        "dt = (1 - t**2) * self.c * (1 + 3 * 0.044715 * x**3)",
        ("x",), r"x\*\*3|x³|line|yours is", "The derivative of x³ is 3x²."),
    Mistake(
        "the slope of one tanh forgotten", 15, "rnn_pair",
        "dz = dnext_h * (1 - next_h**2)", "dz = dnext_h * (1 - next_h)",
        ("x", "h0", "Wx", "Wh", "b"), r"tanh|dz|1 . ", "The slope of tanh is 1 − tanh²."),
    Mistake(
        "sigmoid of minus x", 16, "sigmoid_class",
        "self.out = 1 / (1 + np.exp(-x))", "self.out = 1 / (1 + np.exp(x))",
        ("x",), r"sign", "The logistic function is 1 / (1 + exp(−x)): look at the forward."),
    Mistake(
        "y minus p", 16, "bce_class",
        "return (self.p - self.y) / (self.p * (1 - self.p)) / self.y.size",
        "return (self.y - self.p) / (self.p * (1 - self.p)) / self.y.size",
        ("y_pred",), r"sign", "The gradient is p − y: it points to where the loss grows."),
    # 17 to 21: losses and softmax.
    Mistake(
        "softmax loss without 1/N", 17, "softmax_loss",
        "dx /= N", "",
        ("x",), r"N = \d|division by N|N times|times N", "The loss is a mean: divide by N."),
    Mistake(
        "softmax loss with 1/N twice", 17, "softmax_loss",
        "dx /= N", "dx /= N * N",
        ("x",), r"1/N|divided by N", "One division by N is enough."),
    Mistake(
        "mse without the 2", 0, "mse_class",
        "return 2 * self.diff / self.diff.size", "return self.diff / self.diff.size",
        ("y_pred",), r"half|0\.5", "The derivative of a square is 2 · diff."),
    Mistake(
        "whole columns minus 1", 18, "softmax_loss",
        "dx[np.arange(N), y] -= 1", "dx[:, y] -= 1",
        ("x",), r"\[:, y\]|column|arange|label|class",
        "One entry a row: dx[np.arange(N), y] -= 1."),
    Mistake(
        "only the right class", 19, "softmax_loss",
        "dx = probs.copy()", "dx = np.zeros_like(x)\ndx[np.arange(N), y] = probs[np.arange(N), y]",
        ("x",), r"class|label|probs",
        "The other classes get their probabilities as gradient."),
    Mistake(
        "1/N on one part only", 19, "softmax_loss",
        "dx[np.arange(N), y] -= 1", "dx[np.arange(N), y] -= 1 / N",
        ("x",), r"class|label|1/N|N =", "Subtract 1, then divide all of it by N."),
    Mistake(
        "the right class counted once", 19, "svm_loss",
        "dx[np.arange(N), y] -= np.sum(margins > 0, axis=1)", "dx[np.arange(N), y] -= 1",
        ("x",), r"class|label", "The right class loses 1 for each margin that is violated."),
    Mistake(
        "the right class forgotten", 19, "svm_naive",
        "dW[:, y[i]] -= X[i]", "",
        ("W",), r"right class|correct_class_score",
        "The score of the right class stands in every margin with a minus."),
    Mistake(
        "diagonal of softmax", 20, "softmax_class",
        "dx = s * (dout - np.sum(dout * s, axis=1, keepdims=True))", "dx = dout * s * (1 - s)",
        ("x",), r"diagonal",
        "Each probability depends on all scores: s · (dout − Σ dout · s) has all terms."),
    Mistake(
        "diagonal of softmax in attention", 20, "attention_class",
        "dscores = self.weights * (dweights - inner)",
        "dscores = dweights * self.weights * (1 - self.weights)",
        ("x", "Wq", "Wk"), r"diagonal|dscores|exps|scores|softmax",
        "Each weight depends on all scores of its row: the sum of dweights · weights is missing."),
    Mistake(
        "softmax handed through", 20, "softmax_class",
        "dx = s * (dout - np.sum(dout * s, axis=1, keepdims=True))", "dx = dout",
        ("x",), r"through|dout itself|identity|yours is|diagonal",
        "A softmax layer has a gradient of its own, if the loss does not bring p − y."),
    Mistake(
        "softmax sums over the batch", 21, "softmax_class",
        "dx = s * (dout - np.sum(dout * s, axis=1, keepdims=True))",
        "dx = s * (dout - np.sum(dout * s, axis=0))",
        ("x",), r"sample|batch|axis", "The sum runs over the classes of a sample: axis 1."),
    # 22 to 28: normalization.
    Mistake(
        "no path through the mean", 22, "batchnorm_pair",
        "dx = dxmu + dmu / N", "dx = dxmu",
        ("x",), r"mu = np\.mean|path.*mu", "x moves the mean, too: add dmu / N."),
    Mistake(
        "layer normalization without the mean", 22, "layernorm_pair",
        "dx = (dxhat - mean_dxhat - xhat * mean_dxhat_xhat) / sigma",
        "dx = (dxhat - xhat * mean_dxhat_xhat) / sigma",
        ("x",), r"mu = np\.mean|mean", "x moves the mean, too: subtract the mean of dxhat."),
    Mistake(
        "no path through the variance", 23, "batchnorm_pair",
        "dxmu += 2.0 / N * xmu * dvar", "",
        ("x",), r"var|std", "x moves the variance, too: add 2/N · xmu · dvar to dxmu."),
    Mistake(
        "layer normalization without the variance", 23, "layernorm_pair",
        "dx = (dxhat - mean_dxhat - xhat * mean_dxhat_xhat) / sigma",
        "dx = (dxhat - mean_dxhat) / sigma",
        ("x",), r"var|sigma", "x moves the variance, too: subtract xhat · mean(dxhat · xhat)."),
    Mistake(
        "no path through the root mean square", 23, "rmsnorm_class",
        "dx += drms * self.x / (D * self.rms)", "",
        ("x",), r"rms", "x moves the root mean square, too: add drms · x / (D · rms)."),
    Mistake(
        "the root mean square twice", 23, "rmsnorm_class",
        "dx += drms * self.x / (D * self.rms)", "dx += 2 * drms * self.x / (D * self.rms)",
        ("x",), r"twice|2 times|2 ×", "The derivative of the root brings ½, that of the square 2."),
    Mistake(
        "neither mean nor variance", 24, "batchnorm_alt",
        "dx = (N * dx_hat - dx_hat.sum(axis=0) - x_hat * (dx_hat * x_hat).sum(axis=0)) / (N * std)",
        "dx = dx_hat / std",
        ("x",), r"mean.*(var|std)|(var|std).*mean|diagonal",
        "x moves the mean and the variance of its feature: both send a share."),
    Mistake(
        "gamma forgotten", 25, "batchnorm_pair",
        "dxhat = dout * gamma", "dxhat = dout",
        ("x",), r"gamma", "Back through gamma · xhat: dxhat = dout · gamma."),
    Mistake(
        "gamma forgotten in layer normalization", 25, "layernorm_class",
        "dxhat = dout * self.gamma", "dxhat = dout",
        ("x",), r"gamma", "Back through gamma · xhat: dxhat = dout · gamma."),
    Mistake(
        "dgamma of the output", 26, "batchnorm_pair",
        "dgamma = np.sum(dout * xhat, axis=0)", "dgamma = np.sum(dout * (gamma * xhat), axis=0)",
        ("gamma",), r"xhat|gamma|yours is|times", "dgamma takes xhat, before gamma and beta."),
    Mistake(
        "dgamma of what was centered", 27, "batchnorm_pair",
        "dgamma = np.sum(dout * xhat, axis=0)", "dgamma = np.sum(dout * xmu, axis=0)",
        ("gamma",), r"std|xhat|xmu|yours is|times", "dgamma takes xhat, divided by the root."),
    Mistake(
        "N minus 1 for N", 27, "batchnorm_pair",
        "dxmu += 2.0 / N * xmu * dvar", "dxmu += 2.0 / (N - 1) * xmu * dvar",
        ("x",), r"var|N . 1", "The forward takes the mean of the squares: divide by N."),
    Mistake(
        "dgamma over the features", 27, "layernorm_pair",
        "dgamma = np.sum(dout * xhat, axis=0)", "dgamma = np.sum(dout * xhat, axis=1)",
        ("gamma",), r"axis|shape", "gamma has an entry for each feature: sum over the samples."),
    Mistake(
        "eps outside the root", 28, "batchnorm_pair",
        "std = np.sqrt(var + eps)", "std = np.sqrt(var) + eps",
        ("x",), r"eps|std = np\.sqrt|guard",
        "The forward and the slope must have eps in the same place: in the root, both."),
    Mistake(
        "eps in one of two roots", 28, "batchnorm_pair",
        "dvar = 0.5 * dstd / np.sqrt(var + eps)", "dvar = 0.5 * dstd / np.sqrt(var)",
        ("x",), r"eps|std = np\.sqrt|dvar|guard", "The slope of the root takes var + eps, too."),
    # 29 to 31: windows.
    Mistake(
        "pooling overwrites", 29, "max_pool_pair",
        "dx[n, c, i * S + h, j * S + w] += dout[n, c, i, j]",
        "dx[n, c, i * S + h, j * S + w] = dout[n, c, i, j]",
        ("x",), r"overwrit|overlap|\+=",
        "Windows overlap where the stride is smaller than the window: `+=`."),
    Mistake(
        "average pooling overwrites", 29, "avg_pool_class",
        "dx[:, :, i * s : i * s + k, j * s : j * s + k] += share",
        "dx[:, :, i * s : i * s + k, j * s : j * s + k] = share",
        ("x",), r"overwrit|overlap|\+=",
        "Windows overlap where the stride is smaller than the window: `+=`."),
    Mistake(
        "dw forgets the stride", 30, "conv_naive",
        "dw[f] += dout[n, f, i, j] * x_pad[n, :, hs : hs + HH, ws : ws + WW]",
        "dw[f] += dout[n, f, i, j] * x_pad[n, :, hs : hs + HH, j : j + WW]",
        ("w",), r"stride", "Window j starts at j · stride.", settings="stride=2"),
    Mistake(
        "dx forgets the stride", 30, "conv_naive",
        "dx_pad[n, :, hs : hs + HH, ws : ws + WW] += dout[n, f, i, j] * w[f]",
        "dx_pad[n, :, i : i + HH, ws : ws + WW] += dout[n, f, i, j] * w[f]",
        ("x",), r"stride", "Window i starts at i · stride.", settings="stride=2"),
    Mistake(
        "im2col forgets to turn dout", 0, "conv_im2col",
        "dout = dout.transpose(0, 2, 3, 1).reshape(-1, FN)", "dout = dout.reshape(-1, FN)",
        ("W", "b", "x"), r"transpos|order|axes",
        "Channels last before the reshape, as in the forward: transpose(0, 2, 3, 1)."),
    Mistake(
        "return inside the loop", 31, "avg_pool_class",
        "dx[:, :, i * s : i * s + k, j * s : j * s + k] += share",
        "dx[:, :, i * s : i * s + k, j * s : j * s + k] += share\nreturn dx",
        ("x",), r"nothing comes from|only|return", "`return` belongs behind the loops."),
    # 32 to 36: uses.
    Mistake(
        "one object normalizes twice", 32, "cross_attention",
        "self.norm_context = Norm()", "self.norm_context = self.norm_x",
        ("x",), r"overwr|twice|same object|norm_x|second call|cache",
        "An object keeps the cache of its last call: make one for each use."),
    Mistake(
        "dout changed in place", 33, "relu_pair",
        "dx = dout * (x > 0)", "dx = dout\ndx[x <= 0] = 0",
        (), r"dout in place", "Copy before you write: dx = dout * (x > 0).", HABIT),
    Mistake(
        "x changed in place", 33, "relu_pair",
        "out = np.maximum(0, x)", "x[x < 0] = 0\nout = x",
        (), r"x in place", "Copy before you write: out = np.maximum(0, x).", HABIT),
    Mistake(
        "mse over the samples only", 34, "mse_class",
        "return 2 * self.diff / self.diff.size", "return 2 * self.diff / self.diff.shape[0]",
        ("y_pred",), r"times|mean|columns|D =", "np.mean divides by N · D: so must the gradient."),
    Mistake(
        "huber over the samples only", 34, "huber_class",
        "return grad / self.error.size", "return grad / self.error.shape[0]",
        ("y_pred",), r"times|mean|columns|D =", "np.mean divides by N · D: so must the gradient."),
    Mistake(
        "dgamma of a matrix for a sequence", 35, "layernorm_class",
        "self.dgamma = np.sum(dout * self.xhat, axis=(0, 1))",
        "self.dgamma = np.sum(dout * self.xhat, axis=0)",
        ("gamma",), r"axis|shape", "Sum over samples and steps of time: axis=(0, 1)."),
    Mistake(
        "the mean of a matrix for a sequence", 35, "layernorm_class",
        "m1 = dxhat.mean(axis=-1, keepdims=True)", "m1 = dxhat.mean(axis=1, keepdims=True)",
        ("x",), r"axis|mean", "Layer normalization is over the last axis: axis=-1."),
    Mistake(
        "repeated words count once", 36, "embedding_pair",
        "np.add.at(dW, x, dout)", "dW[x] += dout",
        ("W",), r"add\.at|repeat|overwrit|dW\[x\]",
        "`dW[x] += dout` adds once for a repeated index: np.add.at(dW, x, dout)."),
    # The same kinds in larger layers, and others.
    Mistake(
        "sum over the features in columns", 3, "two_layer_net",
        "db1 = np.sum(dZ1, axis=1, keepdims=True)", "db1 = np.sum(dZ1, axis=0, keepdims=True)",
        ("b1",), r"axis|shape", "The samples stand in columns: sum over axis 1."),
    Mistake(
        "one layer's 1/m twice", 17, "two_layer_net",
        "dW2 = np.dot(dZ2, A1.T)", "dW2 = np.dot(dZ2, A1.T) / m",
        ("W2",), r"1/N|1/m|divided by", "dZ2 has the 1/m already."),
    Mistake(
        "the slope of the hidden layer", 15, "two_layer_net",
        "dZ1 = dA1 * (1 - A1**2)", "dZ1 = dA1 * (1 - Z1**2)",
        ("W1", "b1"), r"dZ1|tanh", "The slope of tanh is 1 − A1², with its output."),
    Mistake(
        "the cell of an lstm without tanh", 15, "lstm_pair",
        "dc = dnext_c + dnext_h * o * (1 - tanh_c**2)", "dc = dnext_c + dnext_h * o",
        ("x", "prev_h", "prev_c", "Wx", "Wh", "b"), r"tanh|dc|next_h",
        "next_h = o · tanh(next_c): its slope is 1 − tanh²."),
    Mistake(
        "dropout forgets its mask", 0, "dropout_pair",
        "dx = dout * mask", "dx = dout",
        ("x",), r"mask|dout itself", "What was dropped gets nothing: dx = dout · mask."),
]  # fmt: skip
MUSEUM: dict[str, Mistake] = {mistake.name: mistake for mistake in MISTAKES}
"""Every mistake by its name; `.hint` says how to mend it."""


def broken(*names: str) -> str:
    """The source of a layer with the mistakes of these names, all of one layer.

    UnknownKeyError for a mistake that is not in the museum.

    >>> print(broken("relu looks at dout").splitlines()[-2].strip())
    dx = dout * (dout > 0)
    """
    for name in names:
        if name not in MUSEUM:
            raise no_key("the museum", name, MUSEUM)
    mistakes = [MUSEUM[name] for name in names]
    return source(mistakes[0].of, *mistakes)
