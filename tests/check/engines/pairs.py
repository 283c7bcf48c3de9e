"""A right engine whose nodes hold pairs of a parent and a local gradient; one loop sends all."""


class Value:
    def __init__(self, data, parents=()):
        self.data, self.grad, self.parents = data, 0.0, parents

    def __add__(self, other):
        other = lift(other)
        return Value(self.data + other.data, ((self, 1.0), (other, 1.0)))

    def __sub__(self, other):
        other = lift(other)
        return Value(self.data - other.data, ((self, 1.0), (other, -1.0)))

    def __mul__(self, other):
        other = lift(other)
        return Value(self.data * other.data, ((self, other.data), (other, self.data)))

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other):
        return lift(other) - self

    def backward(self):
        order, seen = [], set()

        def build(v):
            if v not in seen:
                seen.add(v)
                for p, _ in v.parents:
                    build(p)
                order.append(v)

        build(self)
        for v in order:
            v.grad = 0.0 if v.parents else v.grad
        self.grad += 1.0
        for v in reversed(order):
            for p, local in v.parents:
                p.grad += local * v.grad


def lift(x):
    return x if isinstance(x, Value) else Value(x)
