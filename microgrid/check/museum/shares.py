"""Slips in a rule: what a node sends to its parents, and where the rule hangs."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from microgrid.check.museum.base import Value
from microgrid.check.museum.mistakes import (
    BINARY,
    UNARY,
    mistake,
    sending_all,
    variant,
    variant_of,
    with_send,
)
from microgrid.check.museum.slopes import LISTS
from microgrid.check.museum.walks import SetWalk, as_chosen
from microgrid.engine import ops

Share = Callable[[Any, Any, Any], Any]  # (node, parent, local gradient) -> what the parent gets
CURVED = ops.PUBLIC.keys() - {"add", "sub", "neg", "total", "mean"}  # no constant slope


def sending(share: Share, op: str, overwrites: bool = False) -> type[Value]:
    """An engine in which the nodes of one operation send such shares."""

    def send(self: Value) -> None:
        for parent, local in zip(self.parents, self.local):
            sent = share(self, parent, local)
            parent.grad = sent if overwrites else parent.grad + sent

    return with_send(op, send)


# Name: who may have it, what a parent gets, the sentence, the hint, the property that finds it, the
# smallest program.

CHAIN = "The chain rule: local gradient times the gradient of the result, `out.grad`, once."
EXP_OF_2 = "x = Value(2); f = exp(x); f.backward()"
OF_RESULT = {"exp": lambda g: g, "tanh": lambda g: 1 - g * g, "sigmoid": lambda g: g * (1 - g)}
NOTHING: Any = None
A_NUMBER: Any = 1.0
SHARES: dict[str, tuple[Collection[str], Share, str, str, str, str]] = {
    "result_for_upstream": (ops.PUBLIC, lambda v, parent, local: local * v.data,
        "your {op} multiplies its local gradient by `out.data` where `out.grad` belongs", CHAIN,
        "one operation", EXP_OF_2),
    "plus_for_times": (ops.PUBLIC, lambda v, parent, local: local + v.grad,
        "your {op} adds the upstream to its local gradient where it must multiply", CHAIN,
        "one operation", EXP_OF_2),
    "upstream_twice": (ops.PUBLIC, lambda v, parent, local: local * v.grad * v.grad,
        "your {op} multiplies by its own `.grad` twice", CHAIN,
        "upstream", "x = Value(2); f = exp(x) * 3; f.backward()"),
    "upstream_for_result": (OF_RESULT, lambda v, parent, local: OF_RESULT[v.op](v.grad) * v.grad,
        "the derivative of your {op} takes `out.grad` where `out.data` belongs",
        "The result is `out.data`; `out.grad` is the upstream, by which you multiply once.",
        "one operation", "x = Value(0.5); f = tanh(x); f.backward()"),
    "product_over_operand": ({"mul"}, lambda v, parent, local: v.data / parent.data * v.grad,
        "your {op} divides its result by the operand to get a local gradient, which fails at 0",
        "∂(a·b)/∂a is b itself, not a·b/a: 0/0 is no number.",
        "one operation", "a = Value(2); b = Value(0); f = a * b; f.backward()"),
    "gate_of_the_upstream": ({"relu"}, lambda v, parent, local: max(v.grad, 0),
        "your {op} lets the upstream pass where it is positive, whatever x is",
        "The gate belongs to the operand: `(self.data > 0) * out.grad`.",
        "one operation", "x = Value(-2); f = relu(x); f.backward()"),
    "called_at_once": (ops.PUBLIC, lambda v, parent, local: NOTHING(),
        "your {op} calls its rule while it builds the node, and keeps the result of the call",
        "`out._backward = rule`, without brackets: backward calls it later.",
        "one operation", EXP_OF_2),
    "data_of_a_number": (ops.PUBLIC, lambda v, parent, local: A_NUMBER.data,
        "the rule of your {op} asks a plain number for its `.data`",
        "What holds a number is a number: only a Value has `.data`.",
        "one operation", EXP_OF_2),
}  # fmt: skip
for name, (operations, share, says, hint, caught, shows) in SHARES.items():
    mistake(says, hint, caught, shows, operations, name)(partial(sending, share))
    if operations is ops.PUBLIC:  # one loop may send the shares of all operations
        variant_of(name)(lambda op, share=share: sending_all(share))
for name in ("result_for_upstream", "plus_for_times"):
    variant_of(name)(partial(sending, SHARES[name][1], overwrites=True))
variant_of("forgets_upstream")(partial(sending, lambda v, parent, local: local, overwrites=True))


# A slip can be in one line of two.

Lines = Callable[[int], bool]
LINES: list[Lines] = [lambda i: True, lambda i: i == 0, lambda i: i == 1]


def by_line(right: Callable[[Any, int], Any], in_line: Lines, op: str) -> type[Value]:
    """An engine whose rule of one operation computes its i-th share so, in these lines."""

    def send(self: Value) -> None:
        for i, (parent, local) in enumerate(zip(self.parents, self.local)):
            parent.grad += right(self, i) if in_line(i) else local * self.grad

    return with_send(op, send)


Read = Callable[[Any, int], list[Any]]  # (parents, line) -> what the line takes for the operands


def reading(read: Read, v: Any, i: int) -> Any:
    """The share of a line that reads other numbers than the operands' data."""
    xs = read(v.parents, i)
    if v.op == "power":
        xs[1] = v.parents[1].data
    rule = PLAINLY.get(v.op) or (lambda *xs: Value.rules[v.op](Value.forward[v.op](*xs), *xs))
    return rule(*xs)[i] * v.grad


PLAINLY: dict[str, Callable[..., Any]] = {  # as Python computes it: 1/0 raises
    "mul": lambda a, b: (b, a), "div": lambda a, b: (1 / b, -a / b**2),
    "power": lambda x, n: (n * x ** (n - 1), 0), "log": lambda x: (1 / x,),
    "sqrt": lambda x: (0.5 / math.sqrt(x),), "reciprocal": lambda x: (-1 / x**2,),
}  # fmt: skip
READ: list[tuple[Collection[str], Read]] = [
    ((), lambda parents, i: [p.grad for p in parents]),
    (BINARY, lambda parents, i: [parents[i].grad for _ in parents]),
    ({"div"}, lambda parents, i: [parents[0].grad, parents[1].data]),
    ({"div"}, lambda parents, i: [parents[0].data, parents[1].grad]),
]


@mistake("your {op} multiplies by `.grad` of an operand where its `.data` belongs",
         "Local gradients are made of numbers of the forward pass: `other.data * out.grad`.",
         "one operation", "a = Value(2); b = Value(3); f = a * b; f.backward()",
         CURVED - LISTS - {"where", "stop_gradient", "dot", "clip"})  # fmt: skip
def grad_for_data(op: str) -> type[Value]:
    return by_line(partial(reading, READ[0][1]), LINES[0], op)


for operations, read in READ:
    for in_line in LINES[not operations :]:
        slip = partial(by_line, partial(reading, read), in_line)
        variant_of("grad_for_data", operations or BINARY)(slip)
variant_of("grad_for_data", UNARY & CURVED)(
    partial(sending, lambda v, parent, local: parent.grad * v.grad)
)


@mistake("your {op} multiplies by `.grad` of an operand where that of the result belongs",
         "The upstream is the gradient of the result: `out.grad`.",
         "one operation", EXP_OF_2, ops.PUBLIC)  # fmt: skip
def upstream_of_operand(op: str) -> type[Value]:
    return by_line(lambda v, i: v.local[i] * v.parents[i].grad, LINES[0], op)


for in_line in LINES:
    for right in (
        lambda v, i: v.local[i] * v.parents[i].grad,
        lambda v, i: v.local[i] * v.parents[1 - i].grad,
    ):
        variant_of("upstream_of_operand", BINARY)(partial(by_line, right, in_line))


@mistake("the rule of your {op} computes with Values, so that `.grad` becomes one",
         "A gradient is a number: inside a rule write `self.data`, `other.data`, `out.data`.",
         "one operation", "x = Value(3); f = x ** 2; f.backward()", CURVED)  # fmt: skip
def value_in_rule(op: str) -> type[Value]:
    return by_line(of_nodes, LINES[0], op)


def of_nodes(v: Any, i: int) -> Any:
    return type(v)(v.local[i]) * v.grad


for in_line in LINES[1:]:
    variant_of("value_in_rule", BINARY)(partial(by_line, of_nodes, in_line))


@mistake("your {op} sets the gradient to 0 where its slope is 0",
         "In `grad = grad + out.grad if x > 0 else 0` the condition covers the whole sum: "
         "`grad += (x > 0) * out.grad`.",
         "reuse", "x = Value(-2); f = x * 3 + relu(x); f.backward()",
         {"relu", "maximum", "minimum"})  # fmt: skip
def sets_to_zero(op: str) -> type[Value]:
    def send(self: Value) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.grad = parent.grad + self.grad * local if local else 0

    return with_send(op, send)


@mistake("your {op} keeps its local gradients by the parent: of `x - x` only the last remains",
         "A dictionary has one entry a key: keep the local gradients in a list, beside the "
         "parents.",
         "reuse", "x = Value(2); f = x - x; f.backward()",
         BINARY - {"add", "mul", "hypot", "logaddexp"})  # fmt: skip
def local_by_parent(op: str) -> type[Value]:
    def send(self: Value) -> None:
        last = dict(zip(self.parents, self.local))
        for parent in self.parents:
            parent.grad += last[parent] * self.grad

    return with_send(op, send)


@variant_of("local_by_parent")
def share_by_parent(op: str) -> type[Value]:
    def send(self: Value) -> None:
        for parent, local in dict(zip(self.parents, self.local)).items():
            parent.grad += local * self.grad

    return with_send(op, send)


# Where the rule hangs.

LOST = "`out._backward = rule` before `return out`: with `self._backward` the rule of self is lost."


@mistake("your {op} hangs its rule on the operand, not on the result", LOST,
         "upstream", "x = Value(2); f = exp(x * 2); f.backward()", ops.PUBLIC)  # fmt: skip
def rule_on_operand(op: str) -> type[Value]:
    return on_operand(0, op)


def on_operand(which: int, op: str, walk: slice = slice(None)) -> type[Value]:
    def make(cls: Any, name: str, *operands: Any) -> Any:
        out = Value.make.__func__(cls, name, *operands)  # type: ignore[attr-defined]
        if name == op and out.parents:
            out.parents[which].rule_of = out
        return out

    def send(self: Any) -> None:
        rule_of = getattr(self, "rule_of", self if self.op != op else None)
        if rule_of is not None:
            Value.send(rule_of)

    return variant(make=classmethod(make), send=send, known=lambda v: v.parents[walk])


BACK = slice(None, None, -1)
variant_of("rule_on_operand", BINARY)(partial(on_operand, 0, walk=BACK))
variant_of("rule_on_operand", BINARY)(partial(on_operand, 1))
variant_of("rule_on_operand", BINARY)(partial(on_operand, 1, walk=BACK))


@mistake("the rules are hung on the operands, not on the results", LOST,
         "reuse", "x = Value(1); f = x * 2 + x * 3; f.backward()")  # fmt: skip
class rules_on_operands(Value):
    rule_of: Any = None

    @classmethod
    def make(cls, op: str, *operands: Any) -> Any:
        out = super().make(op, *operands)
        out.parents[0].rule_of = out
        return out

    def send(self) -> None:
        if self.rule_of is not None:
            Value.send(self.rule_of)


@variant_of("rules_on_operands")
class left_first(rules_on_operands):
    def known(self) -> tuple[Value, ...]:
        return self.parents[::-1]


@variant_of("rules_on_operands")
class in_sets(rules_on_operands, SetWalk):
    known, backward = as_chosen, Value.backward
