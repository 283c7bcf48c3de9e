"""A number that remembers how it was made, and the backward pass over such numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from microgrid.engine import ops
from microgrid.engine.errors import GraphError, NumberError, RuleError, describe, stale
from microgrid.engine.guards import (
    Number,
    in_a_graph,
    is_masked,
    is_real,
    no_node,
    no_number,
    real,
)
from microgrid.engine.hints import hinted
from microgrid.engine.labels import checked_label, scope_of, scoped, unnamed
from microgrid.engine.modes import ieee
from microgrid.engine.numeric import like, product
from microgrid.engine.op import Op as Op
from microgrid.engine.op import Rule, evaluate
from microgrid.engine.ops import one
from microgrid.engine.recorder import failed, on_read
from microgrid.engine.refusals import RefusedOperators
from microgrid.engine.slopes import NO_PATH, check_slopes, slopes
from microgrid.engine.walks import numbered, walking, walks

if TYPE_CHECKING:
    from microgrid.engine.signatures import Methods, Operator, PlainNumber
else:
    Methods = object  # exp, relu, …, <, ==, …: functions.py and conditions.py attach them

Trace = Callable[..., None]  # (child, parent, local, upstream, share, total) of one +=
new, unnamed_label = object.__new__, unnamed.get
PLAIN = {float, int, Fraction, type(None)}  # None: no path


def unary(op: Op) -> Callable[[Value], Value]:
    """The method of Value that applies op to it."""

    def method(self: Value) -> Value:
        return node(op, self, None, evaluate(op, (self._number,), (self,)), self._version)

    return method


def binary(op: Op) -> tuple[Operator, Operator]:
    """The methods for a ∘ b and for b ∘ a, where b may be a plain number."""
    forward = op.forward

    def method(self: Value, other: Any) -> Any:
        if not isinstance(other, Value):
            if not is_real(other):
                return not_beside(self, other)
            other = Constant(other)
        try:
            y = forward(self._number, other._number)
        except (ArithmeticError, ValueError) as error:
            y = failed(op, (self, other), error)
        v: Value = new(Value)  # node(op, self, other, …), written out for speed
        v._number, v._grad, v._label = y, None, unnamed_label()
        v.op, v._a, v._b = op, self, other
        v._walk, v._version, v._parent_versions = None, 0, self._version + other._version
        return v

    def reflected(self: Value, other: Any) -> Any:
        return method(Constant(other), self) if is_real(other) else not_beside(self, other)

    return method, reflected  # type: ignore[return-value]


class Value(RefusedOperators, Methods):
    """A node of a computation graph: an exact number, the operation that made it, its parents.

    >>> x = Value(3.0, "x")
    >>> y = x * x
    >>> y.backward()
    >>> x.grad
    6.0
    """

    # Two slots for the parents, not a tuple: more than half of the time of a forward pass went into
    # the garbage collector, which counts containers. Any other number than two is a tuple in _a.
    __slots__ = ("_a", "_b", "_grad", "_label", "_number", "_parent_versions", "_place", "_version",
                 "_walk", "op")  # fmt: skip

    def __init__(self, data: PlainNumber, label: str = "") -> None:
        self._number = real(data)
        self._grad: Number = None  # before the first backward pass
        self._label = checked_label(label)
        self.op: Op | None = None  # a leaf
        self._a: Any = ()
        self._b: Value | None = None
        # No gradient is taken of old numbers: _parent_versions is the sum of the parents' _version
        # when the data was computed, and a backward pass compares it with their sum now.
        self._version = 0  # how often `data` was set
        self._parent_versions = 0
        self._walk: object = None  # what walks.py is about: the mark of the last walk
        self._place = 0

    __add__, __radd__ = binary(ops.add)
    __sub__, __rsub__ = binary(ops.sub)
    __mul__, __rmul__ = binary(ops.mul)
    __truediv__, __rtruediv__ = binary(ops.div)
    __pow__, __rpow__ = binary(ops.power)
    __neg__, __abs__ = unary(ops.neg), unary(ops.absolute)
    _told = on_read  # by what refusals.py refuses

    def __pos__(self) -> Value:
        """The Value itself: also its conjugate, for which np.var, np.std and np.vdot ask."""
        return self

    conjugate = __pos__

    def item(self) -> Number:
        """The number, as `data`: what the scalars of NumPy and PyTorch call it."""
        return self if ieee.get() else self.data

    def __bool__(self) -> bool:
        on_read(self, "truth")
        return bool(self._number)

    def __format__(self, spec: str) -> str:
        return format(self.data, spec)

    def __repr__(self) -> str:
        told = {"label": self._label or None, "op": self.op and self.op.name, "grad": self._grad}
        said = [f", {name}={x!r}" for name, x in told.items() if x is not None]
        return f"Value({self._number!r}{''.join(said)})"

    @property
    def data(self) -> Number:
        """The number. Graphs that were built on the old one will refuse to go backward.

        >>> x = Value(3.0)
        >>> x.data -= 0.5
        >>> x
        Value(2.5)
        """
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
        return like(self, 0) if self._grad is None else self._grad

    @grad.setter
    def grad(self, grad: Number) -> None:
        self._grad = real(grad)

    @property
    def label(self) -> str:
        """The name in pictures and tables; w_0 and x_{12} are shown with a subscript."""
        return self._label

    @label.setter
    def label(self, label: str) -> None:
        self._label = scoped(checked_label(label), scope_of(self))

    @property
    def parents(self) -> tuple[Value, ...]:
        """The nodes it was made from, in order; x * x has x twice.

        >>> x = Value(3.0, "x")
        >>> (x * x).parents
        (Value(3.0, label='x'), Value(3.0, label='x'))
        """
        if self._b is not None:
            return self._a, self._b
        return self._a if type(self._a) is tuple else (self._a,)

    @property
    def local_gradients(self) -> tuple[Rule, ...]:
        """One closure per parent: called with (y, *xs) it gives ∂y/∂parent.

        >>> y = Value(3.0) * Value(4.0)
        >>> [local(12.0, 3.0, 4.0) for local in y.local_gradients]
        [4.0, 3.0]
        """
        if self.op is None or self.op.joint is None:
            return self.op.rules if self.op else ()
        return tuple(partial(one_slope, self.op, i) for i in range(len(self.parents)))

    @hinted
    def backward(self, upstream: Number = 1) -> None:
        """Accumulate ∂(upstream · self)/∂v into v.grad for every node v of the graph.

        Leaves add to what they hold, so that several passes sum up; inner nodes hold this pass
        alone. Where anything raises, no gradient has changed. `upstream` is one number: of an array
        Y with the upstream gradients G go back from the sum, `(Y * G).sum().backward()`.
        GraphError where data was set since the forward pass. See also `gradients`, which changes
        no node, and `explain`, which shows each `+=`.

        >>> x, w = Value(2.0), Value(3.0)
        >>> (w * x + x).backward()
        >>> x.grad, w.grad
        (4.0, 2.0)
        >>> (w * x).backward(upstream=10.0)
        >>> x.grad, w.grad
        (34.0, 22.0)
        """
        order = topological(self)
        gradient = totals(order, seed(self, upstream))
        if None in gradient:  # no path reaches some nodes
            gradient = [like(v, 0) if g is None else g for v, g in zip(order, gradient)]
        for i in [i for i, v in enumerate(order) if v.op is None and v._grad is not None]:
            gradient[i] = order[i]._grad + gradient[i]
        any(map(set_grad, order, gradient))  # at one go: no Ctrl-C comes in between

    def zero_grad(self) -> None:
        """Set the gradient of every node of this node's graph to zero.

        >>> x = Value(3.0)
        >>> y = x * x
        >>> y.backward()
        >>> y.zero_grad()
        >>> x.grad
        0.0
        """
        for v in topological(self):
            v._grad = None

    def detach(self) -> Value:
        """A new leaf with the same number, through which no gradient flows.

        `stop_gradient` does so inside of a graph: programs can record it. Here is a step function
        with the slope of x, a straight-through estimator:

        >>> import microgrid as mg
        >>> def rounded(x):
        ...     return x + mg.stop_gradient((x > 0.5) - x)
        >>> mg.value_and_grad(rounded)(0.75)
        (1.0, 1.0)
        >>> mg.record(rounded, 0.75).value_and_grad(0.25)
        (0.0, 1.0)
        """
        on_read(self, "detach")
        return Value(self._number, str(self._label))

    def _made_by(self, op: Op, operands: Iterable[Any]) -> Value:
        return apply(op, *[x if isinstance(x, Value) else Constant(x) for x in operands])


class Constant(Value):
    """A plain number inside an expression, like the 2 of 2 * x: its gradient is never shown."""

    __slots__ = ()


def topological(root: Value) -> list[Value]:
    """Every node of root's graph once, parents before children; no recursion."""
    if not isinstance(root, Value):
        raise no_node(root)
    order: list[Value] = []
    stack, met, done = [root], object(), object()
    with walking:
        number = next(walks)
        while stack:
            v = stack.pop()
            back = v._walk is met  # its parents, which stood above it, are done
            while v._walk is not done:
                if back or v.op is None:
                    v._walk = done
                    order.append(v)
                elif v._walk is met:
                    raise GraphError(f"there is a cycle through {describe(v)}: no gradient exists")
                else:  # its first parent now, then the others, then the node again
                    v._walk = met
                    stack.append(v)
                    a, b = v._a, v._b
                    if b is None:
                        stack += v.parents[::-1]
                        if met not in [p._walk for p in v.parents]:
                            break
                        a = v
                    elif b._walk is not done:
                        stack.append(b)
                        a = v if b._walk is met else a
                    v = a
                    continue  # CPython 3.11 specializes a loop at such jumps, before it ends
        # If another walk came in between, some nodes were met twice.
        return order if next(walks) == number + 1 else list(dict.fromkeys(order))


def accumulate(
    order: list[Value], upstream: Any, as_graph: bool = False, trace: Trace | None = None
) -> dict[Value, Any]:
    """∂(upstream · root)/∂v for the nodes v of a topological order; changes no node.

    With `as_graph` the local gradients are built from the nodes themselves, so that the results
    can be differentiated in turn. A node that no path reaches has no entry. `trace` is called for
    each += with (child, parent, local, upstream, share, total).
    """
    total = totals(order, upstream, as_graph, trace)
    return {v: g for v, g in zip(order, total) if g is not None}


def totals(
    order: list[Value], upstream: Any, as_graph: bool = False, trace: Trace | None = None
) -> list[Any]:
    """What `accumulate` gives, in the order of the nodes; None where no path leads."""
    total = [None] * (len(order) - 1) + [upstream]
    if not as_graph:
        on_read(order[-1])
    try:
        send_back(order, total, as_graph, trace)
    except TypeError:  # what a rule gave is no number: this one or one before
        check_slopes(sent(order, total, as_graph), as_graph)
        raise
    if not as_graph and not PLAIN.issuperset(map(type, total)):
        check_slopes(sent(order, total))
        total = [g if g is None else real(g) for g in total]
    return total


def send_back(order: list[Value], total: list[Any], as_graph: bool, trace: Trace | None) -> None:
    """The backward pass: each node sends upstream × local to its parents, where shares add up."""
    (mark, place), quick = numbered(order), not as_graph and trace is None
    for v, upstream in zip(reversed(order), reversed(total)):  # all shares of v have arrived
        op, a, b = v.op, v._a, v._b
        if op is None or upstream is None:
            continue
        if quick and b is not None and op.joint is None:  # nearly every node: written out for speed
            i, j = a._place, b._place  # read before the marks: see numbered
            ours = a._walk is mark is b._walk and a is not b
            if ours and v._parent_versions == a._version + b._version:
                rule_a, rule_b = op.rules
                try:
                    to_a = to_b = upstream
                    if rule_a is not one:
                        to_a = upstream * rule_a(v._number, a._number, b._number)
                    if rule_b is not one:
                        to_b = upstream * rule_b(v._number, a._number, b._number)
                    sum_a = to_a if total[i] is None else total[i] + to_a
                    sum_b = to_b if total[j] is None else total[j] + to_b
                except (OverflowError, TypeError):
                    pass  # with more care, below
                else:
                    total[i], total[j] = sum_a, sum_b
                    continue
        for parent, local in edges(v, op, as_graph):
            if local is NO_PATH:
                continue
            i = place(parent)
            try:
                share = upstream * local  # the chain rule
                total[i] = share if total[i] is None else total[i] + share
            except OverflowError:
                share, total[i] = in_floats(upstream, local, total[i] or 0.0)
            if trace is not None:
                trace(v, parent, local, upstream, share, total[i])


def in_floats(upstream: Number, local: Number, before: Number) -> tuple[Number, float]:
    """The share and the sum where a float meets an int or a Fraction beyond the floats."""
    share = product(upstream, local)
    return share, float(product(before, 1.0) + product(share, 1.0))


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


def sent(order: list[Value], total: list[Any], as_graph: bool = False) -> Iterator[tuple[Op, Any]]:
    """(operation, local gradient) of every edge along which a backward pass came."""
    for v, upstream in zip(reversed(order), reversed(total)):
        if v.op is not None and upstream is not None:
            yield from [(v.op, local) for _, local in edges(v, v.op, as_graph)]


def seed(root: Value, upstream: Any) -> Number:
    """The upstream gradient in the kind of root's number; NumberError unless it is a number."""
    if not is_real(upstream):
        raise no_number(upstream, "the upstream gradient must be one real number")
    return real(upstream) * like(root, 1)


def one_slope(op: Op, i: int, y: Any, *xs: Any) -> Any:
    """The i-th local gradient of a joint rule; 0 for no path, a node for a masked one."""
    local = slopes(op, y, xs)[i]
    return 0 if local is NO_PATH else +local


def apply(op: Op, *parents: Value) -> Value:
    """The node that op makes from these parents."""
    data = evaluate(op, [p._number for p in parents], parents)
    if not is_real(data):
        raise no_number(data, f"op {op.name!r} gives one real number")
    if op.joint is None and len(op.rules) != len(parents):
        raise RuleError(f"op {op.name!r} has {len(parents)} parents but gave {len(op.rules)}")
    a, b = parents if len(parents) == 2 else (parents, None)
    return node(op, a, b, real(data), sum([p._version for p in parents]))


def node(op: Op, a: Any, b: Value | None, data: Number, parent_versions: int) -> Value:
    """A new node, filled in without the checks that a user's number needs."""
    v: Value = new(Value)
    v._number, v._grad, v._label, v.op = data, None, unnamed_label(), op
    v._a, v._b, v._walk, v._version, v._parent_versions = a, b, None, 0, parent_versions
    return v


def not_beside(v: Value, other: Any) -> Any:
    """NotImplemented for what may know what to do beside a Value; NumberError for what does not.

    A list would be repeated by `*`, a masked array hides numbers, another library's graph ends.
    """
    if isinstance(other, list | tuple):
        on_read(v, "list")
        raise NumberError(
            f"a {type(other).__name__} is no array: beside a Value write np.array(…) of its numbers"
        )
    if is_masked(other) or in_a_graph(other):
        raise no_number(other, "beside a Value stand real numbers")
    return NotImplemented


# The number of a node, and its gradient (None before a backward pass): the recorder is not told.
peek, peek_grad, set_grad = (
    operator.attrgetter("_number"), operator.attrgetter("_grad"), Value.__dict__["_grad"].__set__
)  # fmt: skip
