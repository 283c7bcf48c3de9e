"""A right engine as most people write one: a rule a node, a recursive sort, composed operators."""

import math


class Value:
    def __init__(self, data, parents=()):
        self.data, self.grad, self.parents = data, 0.0, parents
        self.rule = lambda: None

    def lift(self, other):
        return other if isinstance(other, Value) else Value(other)

    def __add__(self, other):
        other = self.lift(other)
        out = Value(self.data + other.data, (self, other))

        def rule():
            self.grad += out.grad
            other.grad += out.grad

        out.rule = rule
        return out

    def __mul__(self, other):
        other = self.lift(other)
        out = Value(self.data * other.data, (self, other))

        def rule():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.rule = rule
        return out

    def __pow__(self, n):
        assert isinstance(n, (int, float)), "the exponent is a number"
        out = Value(self.data**n, (self,))

        def rule():
            slope = n * self.data ** (n - 1) if n else 0.0
            self.grad += slope * out.grad

        out.rule = rule
        return out

    def exp(self):
        out = Value(math.exp(self.data), (self,))

        def rule():
            self.grad += out.data * out.grad

        out.rule = rule
        return out

    def tanh(self):
        out = Value(math.tanh(self.data), (self,))

        def rule():
            self.grad += (1 - out.data**2) * out.grad

        out.rule = rule
        return out

    def relu(self):
        out = Value(max(self.data, 0.0), (self,))

        def rule():
            self.grad += (out.data > 0) * out.grad

        out.rule = rule
        return out

    def backward(self):
        order, seen = [], set()

        def build(v):
            if v not in seen:
                seen.add(v)
                for p in v.parents:
                    build(p)
                order.append(v)

        build(self)
        for v in order:
            v.grad = 0.0 if v.parents else v.grad
        self.grad += 1.0
        for v in reversed(order):
            v.rule()

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + (-other)

    def __truediv__(self, other):
        return self * other**-1

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __rsub__(self, other):
        return self.lift(other) - self

    def __rtruediv__(self, other):
        return self.lift(other) / self
