"""A right engine as a student writes one: the common base of the broken ones.

Each operation stores its local gradients as numbers when it is computed; `backward` sorts the
nodes, and each node sends upstream × local to its parents. A broken engine overrides one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, ClassVar, Self

from microgrid.engine import ops
from microgrid.engine.functions import FUNCTIONS, OPERATORS
from microgrid.engine.op import Op
from microgrid.engine.slopes import NO_PATH

Locals = Callable[..., Sequence[Any]]  # (y, *xs) -> the local gradient of each operand


def rules_of(op: Op) -> Locals:
    joint = op.joint or (lambda y, *xs, rules=op.rules: [rule(y, *xs) for rule in rules])
    return lambda y, *xs: [0 if local is NO_PATH else local for local in joint(y, *xs)]


class Value:
    """A number that remembers how it was made: the right engine, which each mistake changes.

    >>> x = Value(3.0)
    >>> y = x * x
    >>> y.backward()
    >>> x.grad
    6.0

    Its pieces are what a mistake replaces: `make`, `order`, `known`, `start`, `send`, and the
    tables `forward` (the values) and `rules` (the local gradients) by the names of the operations.
    """

    forward: ClassVar[dict[str, Any]] = {name: op.forward for name, op in ops.PUBLIC.items()}
    instead: ClassVar[str] = ""  # what an operation computes in the place of its own
    in_all: ClassVar[bool] = False  # whether all operations have the mistake of one
    rules: ClassVar[dict[str, Locals]] = {name: rules_of(op) for name, op in ops.PUBLIC.items()}

    def __init__(self, data: Any, parents: Any = (), local: Any = (), op: str = "") -> None:
        self.data, self.grad = data, 0
        self.parents, self.local, self.op = tuple(parents), tuple(local), op

    def __repr__(self) -> str:
        return f"Value({self.data!r})"

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
        """Add ∂self/∂v to the `grad` of every node v below."""
        order = self.order()
        self.start(order)
        for v in reversed(order):
            v.send()


def method(op: str) -> Any:
    return lambda self, *others: self.make(op, self, *others)


def fill() -> None:
    """Methods for the operators and the functions of the table."""
    for name, entry in OPERATORS.items():
        setattr(Value, f"__{name}__", method(entry.name))
        setattr(Value, f"__r{name}__", lambda v, other, op=entry.name: v.make(op, other, v))
    for name, op in (("__neg__", "neg"), ("__abs__", "absolute")):
        setattr(Value, name, method(op))
    for name in FUNCTIONS.keys() & ops.PUBLIC.keys() - {"absolute", "neg", "where", "dot"}:
        of_list = classmethod(lambda cls, xs, op=name: cls.make(op, *xs))
        setattr(Value, name, of_list if ops.PUBLIC[name].joint else method(name))


fill()


class Composed(Value):
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
    """An engine with its minus and its quotient made of other operations, as in micrograd.

    >>> a, b = (composed(Value)(x) for x in (6.0, 2.0))
    >>> (a / b).data, (a / b).op
    (3.0, 'mul')
    """
    return type("Engine", (Composed,) if cls is Value else (cls, Composed), {})


def namespace(cls: Any) -> dict[str, Any]:
    """The names that examples use, for an engine of the museum.

    >>> names = namespace(Value)
    >>> names["Value"] is Value, "exp" in names
    (True, True)
    """
    names = {name: getattr(cls, name) for name in FUNCTIONS if hasattr(cls, name)}
    return names | {"Value": cls}
