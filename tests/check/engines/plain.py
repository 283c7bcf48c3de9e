"""A right engine, written out by hand: what the checker must pass, and what mutants are made of."""

import math


class Value:
    """A number with its parents and its local gradients."""

    __slots__ = ("data", "grad", "local", "parents")

    def __init__(self, data, parents=(), local=()):
        self.data = data
        self.grad = 0.0
        self.parents = parents
        self.local = local

    def backward(self):
        order = []
        seen = set()
        stack = [(self, False)]
        while stack:
            v, ready = stack.pop()
            if ready:
                order.append(v)
            elif v not in seen:
                seen.add(v)
                stack.append((v, True))
                for p in v.parents:
                    stack.append((p, False))
        for v in order:
            if v.parents:
                v.grad = 0.0
        self.grad += 1.0
        for v in reversed(order):
            for p, local in zip(v.parents, v.local):
                p.grad += local * v.grad

    def zero_grad(self):
        self.grad = 0.0

    def __add__(self, other):
        other = wrap(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __sub__(self, other):
        other = wrap(other)
        return Value(self.data - other.data, (self, other), (1.0, -1.0))

    def __mul__(self, other):
        other = wrap(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __truediv__(self, other):
        other = wrap(other)
        slope = -self.data / other.data**2
        return Value(self.data / other.data, (self, other), (1 / other.data, slope))

    def __pow__(self, n):
        if isinstance(n, Value):
            raise TypeError("the exponent is a number")
        slope = n * self.data ** (n - 1) if n != 0 else 0.0
        return Value(self.data**n, (self,), (slope,))

    def __radd__(self, other):
        return wrap(other) + self

    def __rsub__(self, other):
        return wrap(other) - self

    def __rmul__(self, other):
        return wrap(other) * self

    def __rtruediv__(self, other):
        return wrap(other) / self

    def __neg__(self):
        return Value(-self.data, (self,), (-1.0,))

    def __abs__(self):
        sign = (self.data > 0) - (self.data < 0)
        return Value(abs(self.data), (self,), (float(sign),))

    def exp(self):
        y = math.exp(self.data)
        return Value(y, (self,), (y,))

    def log(self):
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def sqrt(self):
        y = math.sqrt(self.data)
        return Value(y, (self,), (0.5 / y,))

    def sin(self):
        return Value(math.sin(self.data), (self,), (math.cos(self.data),))

    def cos(self):
        return Value(math.cos(self.data), (self,), (-math.sin(self.data),))

    def tanh(self):
        t = math.tanh(self.data)
        return Value(t, (self,), (1 - t * t,))

    def sigmoid(self):
        e = math.exp(-abs(self.data))
        s = 1 / (1 + e) if self.data >= 0 else e / (1 + e)
        return Value(s, (self,), (s * (1 - s),))

    def relu(self):
        return Value(max(self.data, 0.0), (self,), (1.0 if self.data > 0 else 0.0,))


def wrap(x):
    return x if isinstance(x, Value) else Value(x)


def maximum(a, b):
    if a.data == b.data:
        return Value(a.data, (a, b), (0.5, 0.5))
    return Value(max(a.data, b.data), (a, b), (float(a.data > b.data), float(b.data > a.data)))


def total(xs):
    return Value(sum(x.data for x in xs), tuple(xs), (1.0,) * len(xs))


def mean(xs):
    n = len(xs)
    return Value(sum(x.data for x in xs) / n, tuple(xs), (1 / n,) * n)
