"""A right engine as a student writes one: the common base of the broken ones.

Each operation stores its local gradients as numbers when it is computed; `backward` sorts the
nodes, and each node pushes upstream × local to its parents. The exhibits override one piece each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, ClassVar, Self

from microgrid.engine import functions, ops
from microgrid.engine.slopes import NO_PATH

Locals = Callable[..., Sequence[Any]]  # (y, *xs) -> the local gradient of each operand


def rules_of(name: str) -> Locals:
    entry = ops.PUBLIC[name]
    if entry.joint is not None:
        joint = entry.joint
        return lambda y, *xs: [0.0 if local is NO_PATH else local for local in joint(y, *xs)]
    return lambda y, *xs: [rule(y, *xs) for rule in entry.rules]


class Value:
    """A number that remembers how it was made."""

    forward: ClassVar[dict[str, Callable[..., Any]]] = {
        k: op.forward for k, op in ops.PUBLIC.items()
    }
    rules: ClassVar[dict[str, Locals]] = {name: rules_of(name) for name in ops.PUBLIC}

    def __init__(self, data: Any, op: str = "", parents: Any = (), locals_: Any = ()) -> None:
        self.data, self.grad = data, 0.0
        self.op, self.parents, self.locals = op, tuple(parents), tuple(locals_)

    @classmethod
    def make(cls, op: str, *operands: Any) -> Self:
        """The node that an operation gives."""
        parents = [x if isinstance(x, Value) else cls(x) for x in operands]
        xs = [p.data for p in parents]
        y = cls.forward[op](*xs)
        return cls(y, op, parents, cls.rules[op](y, *xs))

    def order(self) -> list[Value]:
        """Every node once, parents first."""
        order: list[Value] = []
        seen: set[Value] = set()
        stack: list[tuple[Value, bool]] = [(self, False)]
        while stack:
            v, ready = stack.pop()
            if ready:
                order.append(v)
            elif v not in seen:
                seen.add(v)
                stack.append((v, True))
                stack += [(p, False) for p in v.known()]
        return order

    def known(self) -> tuple[Value, ...]:
        """The parents that the sort sees."""
        return self.parents

    def start(self, order: list[Value]) -> None:
        """Inner nodes hold one pass; leaves add up."""
        for v in order:
            if v.parents:
                v.grad = 0.0
        self.grad += 1.0

    def push(self) -> None:
        """Send upstream × local to each parent."""
        for parent, local in zip(self.parents, self.locals):
            parent.grad += local * self.grad

    def backward(self) -> None:
        order = self.order()
        self.start(order)
        for v in reversed(order):
            v.push()

    def __add__(self, other: Any) -> Self:
        return self.make("add", self, other)

    def __sub__(self, other: Any) -> Self:
        return self.make("sub", self, other)

    def __mul__(self, other: Any) -> Self:
        return self.make("mul", self, other)

    def __truediv__(self, other: Any) -> Self:
        return self.make("div", self, other)

    def __pow__(self, other: Any) -> Self:
        return self.make("power", self, other)

    def __radd__(self, other: Any) -> Self:
        return self.make("add", other, self)

    def __rsub__(self, other: Any) -> Self:
        return self.make("sub", other, self)

    def __rmul__(self, other: Any) -> Self:
        return self.make("mul", other, self)

    def __rtruediv__(self, other: Any) -> Self:
        return self.make("div", other, self)

    def __rpow__(self, other: Any) -> Self:
        return self.make("power", other, self)

    def __neg__(self) -> Self:
        return self.make("neg", self)

    def __abs__(self) -> Self:
        return self.make("absolute", self)


def of_one(name: str) -> Any:
    return lambda self, *others: self.make(name, self, *others)


def of_list(name: str) -> Any:
    return classmethod(lambda cls, xs: cls.make(name, *xs))


def fill() -> None:
    """Methods for the functions of the table."""
    for name in functions.FUNCTIONS:
        entry = ops.PUBLIC.get(name)
        if entry is not None and name not in ("absolute", "neg", "where", "dot"):
            setattr(Value, name, of_one(name) if entry.joint is None else of_list(name))


fill()


class Composed:
    """a - b is a + (-b), a / b is a * b**-1, -a is a * -1: as most small engines have it."""

    def __neg__(self: Any) -> Any:
        return self * -1

    def __sub__(self: Any, other: Any) -> Any:
        return self + (-other)

    def __rsub__(self: Any, other: Any) -> Any:
        return other + (-self)

    def __truediv__(self: Any, other: Any) -> Any:
        return self * other**-1

    def __rtruediv__(self: Any, other: Any) -> Any:
        return other * self**-1


@cache
def composed(cls: Any) -> Any:
    """An engine with its minus and its quotient made of other operations."""
    own = {name: method for name, method in vars(Composed).items()
           if callable(method) and name not in vars(cls)}  # fmt: skip
    return type("Engine", (cls,), own)


def namespace(cls: Any) -> dict[str, Any]:
    """What the language of trials needs, for an engine of the museum."""
    names = {name: getattr(cls, name) for name in functions.FUNCTIONS if hasattr(cls, name)}
    return names | {"Value": cls}
