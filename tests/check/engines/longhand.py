"""A right engine in which each operation has a rule of its own: none is made of others."""

import math


class Value:
    def __init__(self, data, parents=()):
        self.data, self.grad, self.parents = data, 0.0, parents
        self.rule = lambda: None

    def backward(self):
        order, seen, stack = [], set(), [(self, False)]
        while stack:
            v, ready = stack.pop()
            if ready:
                order.append(v)
            elif v not in seen:
                seen.add(v)
                stack.append((v, True))
                stack.extend((p, False) for p in v.parents)
        for v in order:
            v.grad = 0.0 if v.parents else v.grad
        self.grad += 1.0
        for v in reversed(order):
            v.rule()

    def __add__(self, other):
        other = lift(other)
        out = Value(self.data + other.data, (self, other))

        def rule():
            self.grad += out.grad
            other.grad += out.grad  # add

        out.rule = rule
        return out

    def __sub__(self, other):
        other = lift(other)
        out = Value(self.data - other.data, (self, other))

        def rule():
            self.grad += out.grad
            other.grad -= out.grad

        out.rule = rule
        return out

    def __mul__(self, other):
        other = lift(other)
        out = Value(self.data * other.data, (self, other))

        def rule():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.rule = rule
        return out

    def __truediv__(self, other):
        other = lift(other)
        out = Value(self.data / other.data, (self, other))

        def rule():
            self.grad += out.grad / other.data
            other.grad += -self.data / other.data**2 * out.grad

        out.rule = rule
        return out

    def __pow__(self, n):
        if isinstance(n, Value):
            raise TypeError("the exponent is a number")
        out = Value(self.data**n, (self,))

        def rule():
            slope = n * self.data ** (n - 1) if n else 0.0
            self.grad += slope * out.grad

        out.rule = rule
        return out

    def __neg__(self):
        out = Value(-self.data, (self,))

        def rule():
            self.grad -= out.grad

        out.rule = rule
        return out

    def __abs__(self):
        out = Value(abs(self.data), (self,))

        def rule():
            self.grad += math.copysign(1.0, self.data) * out.grad if self.data else 0.0

        out.rule = rule
        return out

    def exp(self):
        out = Value(math.exp(self.data), (self,))

        def rule():
            self.grad += out.data * out.grad

        out.rule = rule
        return out  # exp

    def log(self):
        out = Value(math.log(self.data), (self,))

        def rule():
            self.grad += 1 / self.data * out.grad

        out.rule = rule
        return out

    def sqrt(self):
        out = Value(math.sqrt(self.data), (self,))

        def rule():
            self.grad += 0.5 / out.data * out.grad

        out.rule = rule
        return out

    def sin(self):
        out = Value(math.sin(self.data), (self,))

        def rule():
            self.grad += math.cos(self.data) * out.grad

        out.rule = rule
        return out

    def tanh(self):
        t = math.tanh(self.data)
        out = Value(t, (self,))

        def rule():
            self.grad += (1 - t**2) * out.grad

        out.rule = rule
        return out

    def sigmoid(self):
        e = math.exp(-abs(self.data))
        s = 1 / (1 + e) if self.data > 0 else e / (1 + e)
        out = Value(s, (self,))

        def rule():
            self.grad += s * (1 - s) * out.grad

        out.rule = rule
        return out

    def relu(self):
        out = Value(max(self.data, 0.0), (self,))

        def rule():
            self.grad += (self.data > 0) * out.grad

        out.rule = rule
        return out

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __rsub__(self, other):
        return lift(other) - self

    def __rtruediv__(self, other):
        return lift(other) / self


def lift(x):
    return x if isinstance(x, Value) else Value(x)
