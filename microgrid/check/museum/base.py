"""A right engine as a student writes one: the common base of the broken ones.

Each operation stores its local gradients as numbers when it is computed; `backward` sorts the
nodes, and each node sends upstream × local to its parents. A broken engine overrides one piece.
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
        return lambda y, *xs: [0 if local is NO_PATH else local for local in joint(y, *xs)]
    rules = entry.rules
    return lambda y, *xs: [rule(y, *xs) for rule in rules]


class Value:
    """A number that remembers how it was made."""

    forward: ClassVar[dict[str, Callable[..., Any]]] = {
        k: op.forward for k, op in ops.PUBLIC.items()
    }
    rules: ClassVar[dict[str, Locals]] = {name: rules_of(name) for name in ops.PUBLIC}

    def __init__(self, data: Any, parents: Any = (), local: Any = (), op: str = "") -> None:
        self.data, self.grad = data, 0
        self.parents, self.local, self.op = tuple(parents), tuple(local), op

    @classmethod
    def make(cls, op: str, *operands: Any) -> Self:
        """The node that an operation gives."""
        parents = [x if isinstance(x, Value) else cls(x) for x in operands]
        xs = [p.data for p in parents]
        y = cls.forward[op](*xs)
        return cls(y, parents, cls.rules[op](y, *xs), op)

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
                v.grad = 0
        self.grad += 1

    def send(self) -> None:
        """Send upstream × local to each parent."""
        for parent, local in zip(self.parents, self.local):
            parent.grad += local * self.grad

    def backward(self) -> None:
        order = self.order()
        self.start(order)
        for v in reversed(order):
            v.send()


def fill() -> None:
    """Methods for the operators and the functions of the table."""
    for name, entry in {**functions.OPERATORS, "neg": ops.neg, "abs": ops.absolute}.items():
        setattr(Value, f"__{name}__", of_operands(entry.name))
    for name, entry in functions.OPERATORS.items():
        setattr(Value, f"__r{name}__", reflected(entry.name))
    for name in functions.FUNCTIONS.keys() - {"absolute", "neg", "where", "dot"}:
        if name in ops.PUBLIC:
            joint = ops.PUBLIC[name].joint is not None
            setattr(Value, name, of_list(name) if joint else of_operands(name))


def of_operands(name: str) -> Any:
    return lambda self, *others: self.make(name, self, *others)


def reflected(name: str) -> Any:
    return lambda self, other: self.make(name, other, self)


def of_list(name: str) -> Any:
    return classmethod(lambda cls, xs: cls.make(name, *xs))


fill()


class Composed:
    """a - b is a + (-b), a / b is a * b**-1, -a is a * -1, as in most small engines."""

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
    """The names that examples use, for an engine of the museum."""
    names = {name: getattr(cls, name) for name in functions.FUNCTIONS if hasattr(cls, name)}
    return names | {"Value": cls}
