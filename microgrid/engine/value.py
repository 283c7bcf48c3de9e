"""A number that remembers how it was made, and the backward pass over such numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from fractions import Fraction
from inspect import signature
from typing import Any

from microgrid.engine.errors import GraphError, RuleError, describe, stale
from microgrid.engine.guards import (
    Number,
    RefusedOperators,
    elementwise,
    failed,
    is_real,
    no_number,
    on_read,
    real,
    relabelled,
    rooted,
    seed,
)
from microgrid.engine.numeric import float_sum, product
from microgrid.engine.slopes import NO_PATH, check_slopes, slopes

Rule = Callable[..., Any]  # (y, *xs) -> ∂y/∂x of one parent
JointRule = Callable[..., Sequence[Any]]  # (y, *xs) -> ∂y/∂x of every parent
Trace = Callable[..., None]  # (child, parent, local, upstream, share, total) of one +=
new = object.__new__
PLAIN = {float, int, Fraction}
unnamed: ContextVar[str] = ContextVar("unnamed", default="")  # the label of new nodes: see scope.py


class Op:
    """One operation: its value, its local gradients, and what readers of graphs want to know.

    `forward(*xs)` maps numbers to a number. `rules` holds one local-gradient closure per parent,
    called with `(y, *xs)`; for any number of parents there is one `joint` rule that returns them
    all, with slopes.NO_PATH where nothing flows back. Numbers give numbers and Values give Values.
    `text` and `latex` are how it is written, `role` what it does to a gradient, `domain` what each
    operand may be, `kink(*xs)` the distance to a point without derivative, `hint` what helps
    where it raises (without both it never does).
    What is a sum of products says so: `terms(*xs)` are its pairs of factors, in order.
    """

    __slots__ = ("domain", "forward", "hint", "joint", "kink", "latex", "name", "role", "rules",
                 "terms", "text")  # fmt: skip

    def __init__(
        self, name: str, forward: Callable[..., Number], *rules: Rule, text: str = "",
        joint: JointRule | None = None, latex: Any = "", role: str = "", hint: str = "",
        domain: Sequence[tuple[float, float]] = (), kink: Callable[..., Number] | None = None,
        terms: Callable[..., list[tuple[Any, Any]]] | None = None,
    ) -> None:  # fmt: skip
        self.name, self.forward, self.rules, self.joint = name, forward, rules, joint
        self.text, self.latex, self.role, self.hint = text or name, latex, role, hint
        self.domain, self.kink, self.terms = domain, kink, terms

    def __repr__(self) -> str:
        return f"<Op {self.name}>"

    @property
    def arity(self) -> int | None:
        """How many operands it takes; None for any number."""
        if self.joint is None:
            return len(self.rules)
        takes = signature(self.forward, follow_wrapped=False).parameters.values()
        return None if any(p.kind is p.VAR_POSITIONAL for p in takes) else len(takes)

    def __call__(self, *xs: Any) -> Any:
        """A Value where an operand is one, else a plain number; arrays go element by element."""
        if all(type(x) is float for x in xs):
            return evaluate(self, xs, xs)
        if any(getattr(x, "shape", None) for x in xs):
            return elementwise(self, xs)
        if any(isinstance(x, Value) for x in xs):
            return apply(self, *[x if isinstance(x, Value) else Constant(x) for x in xs])
        return evaluate(self, list(map(real, xs)), xs)


class Value(RefusedOperators):
    """A node of a computation graph: an exact number, the operation that made it, its parents.

    >>> x = Value(3.0, "x")
    >>> y = x * x
    >>> y.backward()
    >>> x.grad
    6.0
    """

    # Two slots for the parents, not a tuple: more than half of the time of a forward pass went into
    # the garbage collector, which counts containers. Any other number than two is a tuple in _a.
    __slots__ = ("_a", "_b", "_grad", "_label", "_number", "_parent_versions", "_version", "op")

    def __init__(self, data: Number, label: str = "") -> None:
        self._number = real(data)
        self._grad: Number = None  # until a backward pass comes by
        self._label = relabelled("", label)
        self.op: Op | None = None  # a leaf
        self._a: Any = ()
        self._b: Value | None = None
        self._version = 0  # how often `data` was set
        self._parent_versions = 0  # the parents' versions, summed, when the data was computed

    @property
    def data(self) -> Number:
        """The number. Graphs that were built on the old one will refuse to go backward."""
        on_read(self)
        return self._number

    @data.setter
    def data(self, data: Number) -> None:
        on_read(self)
        self._number = real(data)
        self._version += 1
        if self.op is not None:
            self._parent_versions = -1  # it no longer follows from the parents

    @property
    def grad(self) -> Number:
        """∂(roots of the backward passes)/∂(this node); zero before any."""
        on_read(self)
        return zero(self) if self._grad is None else self._grad

    @grad.setter
    def grad(self, grad: Number) -> None:
        self._grad = real(grad)

    @property
    def label(self) -> str:
        """The name in pictures and tables; w_0 and x_{12} are shown with a subscript."""
        return self._label

    @label.setter
    def label(self, label: str) -> None:
        self._label = relabelled(self._label, label)

    @property
    def parents(self) -> tuple[Value, ...]:
        """The nodes it was made from, in order; x * x has x twice."""
        if self._b is not None:
            return self._a, self._b
        return self._a if type(self._a) is tuple else (self._a,)

    @property
    def local_gradients(self) -> tuple[Rule, ...]:
        """One closure per parent: called with (y, *xs) it gives ∂y/∂parent."""
        if self.op is None or self.op.joint is None:
            return self.op.rules if self.op else ()
        joint = self.op.joint
        return tuple(
            lambda y, *xs, i=i: 0 if (local := joint(y, *xs)[i]) is NO_PATH else +local
            for i in range(len(self.parents))
        )

    def backward(self, upstream: Number = 1) -> None:
        """Accumulate ∂(upstream · self)/∂v into v.grad for every node v of the graph.

        Leaves add to what they hold, so that several passes sum up; inner nodes hold this pass
        alone. Where anything raises, no gradient has changed.
        """
        order = topological(self)
        gradient = accumulate(order, seed(self, upstream))
        if len(gradient) < len(order):  # nodes behind a shut gate
            gradient |= {v: zero(v) for v in order if v not in gradient}
        for v, passed in gradient.items():
            v._grad = passed if v._grad is None or v.op is not None else v._grad + passed

    def zero_grad(self) -> None:
        """Set the gradient of every node of this node's graph to zero."""
        for v in topological(self):
            v._grad = None

    def detach(self) -> Value:
        """A new leaf with the same number, through which no gradient flows."""
        return Value(self._number, str(self._label))


class Constant(Value):
    """A plain number inside an expression, like the 2 of 2 * x: a leaf that nobody asks about."""

    __slots__ = ()


def topological(root: Value) -> list[Value]:
    """Every node of root's graph once, parents before children; no recursion."""
    order: list[Value] = []
    finished: dict[Value, bool] = {}
    stack: list[Any] = [rooted(root)]
    while stack:
        v = stack.pop()
        if v is None:  # the parents of the next node are done
            v = stack.pop()
        elif v in finished:
            if not finished[v]:
                raise GraphError(f"there is a cycle through {describe(v)}: no gradient exists")
            continue
        elif v.op is not None:
            finished[v] = False
            stack += (v, None, v._b, v._a) if v._b is not None else (v, None, *v.parents[::-1])
            continue
        finished[v] = True
        order.append(v)
    return order


def accumulate(
    order: list[Value], upstream: Any, as_graph: bool = False, trace: Trace | None = None
) -> dict[Value, Any]:
    """∂(upstream · root)/∂v for the nodes v of a topological order; changes no node.

    With `as_graph` the local gradients are built from the nodes themselves, so that the results
    can be differentiated in turn. A node that no path reaches has no entry.
    """
    gradient = {order[-1]: upstream}
    if not as_graph:
        on_read(order[-1])
    for v in reversed(order):
        if v.op is None or v not in gradient:
            continue
        upstream = gradient[v]
        for parent, local in edges(v, v.op, as_graph):
            if local is NO_PATH:
                continue
            try:
                share = upstream * local  # the chain rule
                gradient[parent] = gradient[parent] + share if parent in gradient else share
            except OverflowError:  # a float beside an int or a Fraction beyond the floats
                share = product(upstream, local)
                gradient[parent] = float_sum(gradient.get(parent, 0.0), share)
            except TypeError:  # what a rule gave is no number: this one or one before
                check_slopes(sent(order, gradient, as_graph), as_graph)
                raise
            if trace is not None:
                trace(v, parent, local, upstream, share, gradient[parent])
    if not as_graph and not PLAIN.issuperset(map(type, gradient.values())):
        check_slopes(sent(order, gradient))
        gradient = {v: real(g) for v, g in gradient.items()}
    return gradient


def edges(v: Value, op: Op, as_graph: bool = False) -> Iterable[tuple[Value, Any]]:
    """Each parent of v with ∂v/∂parent: a number, or with `as_graph` whatever the rule builds."""
    a, b = v._a, v._b
    if b is not None and op.joint is None:  # nearly every node: written out for speed
        rule_a, rule_b = op.rules
        if v._parent_versions != a._version + b._version:
            raise stale(v)
        if as_graph:
            return (a, rule_a(v, a, b)), (b, rule_b(v, a, b))
        y, x_a, x_b = v._number, a._number, b._number
        return (a, rule_a(y, x_a, x_b)), (b, rule_b(y, x_a, x_b))
    parents = v.parents
    if v._parent_versions != sum([p._version for p in parents]):
        raise stale(v)
    y, xs = (v, parents) if as_graph else (v._number, [p._number for p in parents])
    return zip(parents, slopes(op, y, xs))


def sent(
    order: list[Value], gradient: dict[Value, Any], as_graph: bool = False
) -> Iterator[tuple[Op, Any]]:
    """(operation, local gradient) of every edge along which a backward pass came."""
    for v in reversed(order):
        if v.op is not None and v in gradient:
            yield from [(v.op, local) for _, local in edges(v, v.op, as_graph)]


def apply(op: Op, *parents: Value) -> Value:
    """The node that op makes from these parents."""
    data = evaluate(op, [p._number for p in parents], parents)
    if not is_real(data):
        raise no_number(data, f"op {op.name!r} gives one real number")
    if op.joint is None and len(op.rules) != len(parents):
        raise RuleError(f"op {op.name!r} has {len(parents)} parents but gave {len(op.rules)}")
    a, b = parents if len(parents) == 2 else (parents, None)
    return node(op, a, b, real(data), sum([p._version for p in parents]))


def evaluate(op: Op, numbers: Sequence[Number], operands: Sequence[Any]) -> Number:
    """The number that op gives; an error names the operands."""
    try:
        return op.forward(*numbers)
    except (ArithmeticError, ValueError) as error:
        return failed(op, operands, error)


def node(op: Op, a: Any, b: Value | None, data: Number, seen: int) -> Value:
    """A new node, filled in without the checks that a user's number needs."""
    v: Value = new(Value)
    v._number, v._grad, v._label, v.op = data, None, unnamed.get(), op
    v._a, v._b, v._version, v._parent_versions = a, b, 0, seen
    return v


def zero(v: Value) -> Number:
    """Zero of the kind of v's number: a Fraction's gradient is a Fraction."""
    return type(v._number)(0)
