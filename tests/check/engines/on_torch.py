"""A right engine on top of PyTorch."""

import torch


class Value:
    def __init__(self, data):
        is_tensor = isinstance(data, torch.Tensor)
        tensor = data if is_tensor else torch.tensor(float(data), dtype=torch.float64)
        self.tensor = tensor if is_tensor else tensor.requires_grad_()

    @property
    def data(self):
        return self.tensor.item()

    @data.setter
    def data(self, number):
        self.tensor.data.fill_(float(number))

    @property
    def grad(self):
        return self.tensor.grad

    @grad.setter
    def grad(self, number):
        self.tensor.grad = torch.full_like(self.tensor, float(number))

    def backward(self):
        self.tensor.backward(retain_graph=True)


def tensor(x):
    return x.tensor if isinstance(x, Value) else x


def operation(compute):
    return lambda *operands: Value(compute(*map(tensor, operands)))


for name in ("add", "sub", "mul", "truediv", "pow", "radd", "rsub", "rmul", "rtruediv"):
    setattr(Value, f"__{name}__", operation(getattr(torch.Tensor, f"__{name}__")))
Value.__neg__, Value.__abs__ = operation(torch.neg), operation(torch.abs)
for name in (
    "exp", "expm1", "log", "log2", "log10", "log1p", "sqrt", "square", "reciprocal", "sin", "cos",
    "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh",
    "sigmoid", "relu",
):  # fmt: skip
    setattr(Value, name, operation(getattr(torch, name)))
for name in ("softplus", "silu"):
    setattr(Value, name, operation(getattr(torch.nn.functional, name)))
for name in ("hypot", "arctan2", "logaddexp", "maximum", "minimum"):
    setattr(Value, name, operation(getattr(torch, name)))


def total(xs):
    # After stack([a, b]).sum() both gradients are one number in PyTorch 2.13: a second pass adds
    # to it twice, and gives 3 for 2. The factor gives each a number of its own.
    return Value(torch.stack([tensor(x) for x in xs]).mul(1.0).sum())


def mean(xs):
    return Value(torch.stack([tensor(x) for x in xs]).mean())


def logsumexp(xs):
    return Value(torch.stack([tensor(x) for x in xs]).logsumexp(0))
