"""A right engine on top of HIPS autograd: gradients of leaves, added up over passes."""

import autograd
import autograd.numpy as np


class Value:
    def __init__(self, data, compute=None, parents=()):
        self.data, self.compute, self.parents = data, compute, parents
        self.grad = 0.0

    def leaves(self):
        order, seen, stack = [], set(), [self]
        while stack:
            v = stack.pop()
            if v not in seen:
                seen.add(v)
                order.append(v)
                stack.extend(v.parents)
        return [v for v in order if not v.parents]

    def evaluate(self, numbers):
        found, stack = dict(numbers), [self]
        while stack:
            v = stack[-1]
            waiting = [p for p in v.parents if p not in found]
            if v in found or not waiting:
                stack.pop()
            stack.extend(waiting)
            if v not in found and not waiting:
                found[v] = v.compute(*(found[p] for p in v.parents))
        return found[self]

    def backward(self):
        leaves = self.leaves()
        at = [float(v.data) for v in leaves]
        f = lambda xs: self.evaluate(dict(zip(leaves, xs, strict=True)))  # noqa: E731
        for v, g in zip(leaves, autograd.grad(f)(at), strict=True):
            v.grad = v.grad + g


def operation(compute):
    def apply(*operands):
        parents = tuple(x if isinstance(x, Value) else Value(x) for x in operands)
        return Value(compute(*(float(p.data) for p in parents)), compute, parents)

    return apply


Value.__add__ = operation(lambda a, b: a + b)
Value.__sub__ = operation(lambda a, b: a - b)
Value.__mul__ = operation(lambda a, b: a * b)
Value.__truediv__ = operation(lambda a, b: a / b)
Value.__radd__ = operation(lambda a, b: b + a)
Value.__rsub__ = operation(lambda a, b: b - a)
Value.__rmul__ = operation(lambda a, b: b * a)
Value.__rtruediv__ = operation(lambda a, b: b / a)
Value.__neg__ = operation(lambda a: -a)
Value.__abs__ = operation(np.abs)
for name in ("exp", "log", "sin", "cos", "tan", "tanh", "sqrt", "arctan", "sinh", "cosh"):
    setattr(Value, name, operation(getattr(np, name)))
