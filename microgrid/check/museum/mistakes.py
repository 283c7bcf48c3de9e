"""The classic mistakes, each with an engine, a sentence that names it and a hint that helps.

Most mistakes are made in one operation; then the engine is a function of the operation's name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, TypeVar

from microgrid.check.museum.base import Value
from microgrid.engine import ops


@dataclass(frozen=True)
class Mistake:
    """One mistake. `{op}` in the sentence stands for the operation that has it."""

    name: str
    says: str
    hint: str
    make: Callable[..., type[Value]]
    caught: str  # the property that finds it
    shows: str  # the smallest program that shows it
    operations: Callable[[str], bool] | None  # which may have it; None: the engine as a whole

    def sentence(self, op: str = "") -> str:
        return self.says.format(op=op)


MUSEUM: dict[str, Mistake] = {}
Made = TypeVar("Made", bound=Callable[..., Any])
ARITY = {name: len(entry.rules) for name, entry in ops.PUBLIC.items()}  # 0: any number
anywhere = ARITY.__contains__


def unary(op: str) -> bool:
    return ARITY.get(op) == 1


def binary(op: str) -> bool:
    return ARITY.get(op) == 2 and op != "power"  # whose exponent is a number as a rule


def among(*names: str) -> Callable[[str], bool]:
    return lambda op: op in names


def mistake(
    caught: str, shows: str, says: str, hint: str, operations: Any = None
) -> Callable[[Made], Made]:
    """Put an engine into the museum: a class, or a function of an operation that gives one."""

    def enter(made: Made) -> Made:
        name = made.__name__.strip("_")
        make = made if operations else lambda: made
        MUSEUM[name] = Mistake(name, says, hint, cache(make), caught, shows, operations)
        return made

    return enter


def engine(name: str, op: str = "") -> type[Value]:
    """The broken `Value` of this name; `op` is the operation that has the mistake."""
    entry = MUSEUM[name]
    made = entry.make(op) if entry.operations else entry.make()
    made.__name__ = "Value"  # as programs call it
    return made


def variant(**pieces: Any) -> type[Value]:
    """The right engine with some of its pieces replaced."""
    return type("Engine", (Value,), pieces)


def with_rule(op: str, rule: Callable[..., Any]) -> type[Value]:
    """An engine whose local gradients of one operation are these."""
    return variant(rules=Value.rules | {op: rule})


def with_send(op: str, send: Callable[[Any], None]) -> type[Value]:
    """An engine in which the nodes of one operation send their shares in this way."""
    return variant(send=lambda v: send(v) if v.op == op else Value.send(v))


# The chain rule, in one operation.


@mistake(
    "reuse", "a = Value(3); f = a + a; f.backward()",
    "your {op} overwrites `.grad` where it must add to it",
    "Every use of a node sends a share: use `+=` where you wrote `=`.", anywhere,
)  # fmt: skip
def overwrites(op: str) -> type[Value]:
    def send(self: Value) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.grad = local * self.grad

    return with_send(op, send)


@mistake(
    "upstream", "x = Value(0); f = exp(x) * 3; f.backward()",
    "your {op} passes on its local gradient without multiplying by its own `.grad`",
    "The chain rule: local gradient times `out.grad`. At the end of an expression `out.grad` is 1, "
    "so it only shows further inside.", anywhere,
)  # fmt: skip
def forgets_upstream(op: str) -> type[Value]:
    def send(self: Value) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.grad += local

    return with_send(op, send)


@mistake(
    "upstream", "x = Value(-2); f = abs(x * 2); f.backward()",
    "the result of your {op} does not know its parents",
    "Hand the operands to the new node as its parents; else the sort never reaches what lies "
    "behind it.", anywhere,
)  # fmt: skip
def without_parents(op: str) -> type[Value]:
    return variant(known=lambda v: () if v.op == op else v.parents)


@mistake(
    "one operation", "x = Value(2); f = abs(x); f.backward()",
    "no gradient comes back through your {op}",
    "Give the new node its parents and a rule for each: a node without them is a constant.",
    anywhere,
)  # fmt: skip
def cuts_the_graph(op: str) -> type[Value]:
    return with_rule(op, lambda y, *xs: [0] * len(xs))


# Wrong local gradients.


@mistake(
    "one operation", "a = Value(2); b = Value(3); f = a * b; f.backward()",
    "your {op} gives each operand the other one's local gradient",
    "Write the formula with both names: ∂(a·b)/∂a is b, ∂(a·b)/∂b is a.",
    lambda op: binary(op) and op != "add",
)  # fmt: skip
def swapped(op: str) -> type[Value]:
    return with_rule(op, lambda y, *xs: list(Value.rules[op](y, *xs))[::-1])


@mistake(
    "one operation", "a = Value(5); b = Value(3); f = a - b; f.backward()",
    "the right operand of your {op} gets its gradient with the wrong sign",
    "Vary the right operand a little: which way does the result go? ∂(a−b)/∂b is −1.", binary,
)  # fmt: skip
def right_sign(op: str) -> type[Value]:
    def rule(y: Any, *xs: Any) -> Any:
        left, right = Value.rules[op](y, *xs)
        return left, -right

    return with_rule(op, rule)


@mistake(
    "one operation", "a = Value(2); b = Value(3); f = a * b; f.backward()",
    "the right operand of your {op} gets no gradient",
    "An operation of two values has two local gradients: send a share to each parent.", binary,
)  # fmt: skip
def left_only(op: str) -> type[Value]:
    return with_rule(op, lambda y, *xs: [Value.rules[op](y, *xs)[0], 0])


@mistake(
    "one operation", "a = Value(2); b = Value(3); f = a * b; f.backward()",
    "the left operand of your {op} gets no gradient",
    "An operation of two values has two local gradients: send a share to each parent.", binary,
)  # fmt: skip
def right_only(op: str) -> type[Value]:
    return with_rule(op, lambda y, *xs: [0, Value.rules[op](y, *xs)[1]])


@mistake(
    "one operation", "x = Value(1); f = cos(x); f.backward()",
    "the derivative of your {op} has the wrong sign",
    "Look at the slope: does the function rise or fall there? (cos x)′ = −sin x.", unary,
)  # fmt: skip
def wrong_sign(op: str) -> type[Value]:
    return with_rule(op, lambda y, x: [-Value.rules[op](y, x)[0]])


@mistake(
    "one operation", "x = Value(0.5); f = exp(x); f.backward()",
    "your {op} passes its upstream on unchanged, as if its slope were 1",
    "Multiply `out.grad` by the derivative of the function at x.", unary,
)  # fmt: skip
def slope_one(op: str) -> type[Value]:
    return with_rule(op, lambda y, x: [1])


@mistake(
    "one operation", "x = Value(0.5); f = sin(x); f.backward()",
    "your {op} multiplies by its own value instead of its derivative",
    "Only exp is its own derivative.", lambda op: unary(op) and op != "exp",
)  # fmt: skip
def value_for_slope(op: str) -> type[Value]:
    return with_rule(op, lambda y, x: [y])


@mistake(
    "one operation", "x = Value(1); f = tanh(x); f.backward()",
    "the derivative of your {op} takes the input where its formula needs the output",
    "tanh′ = 1 − t² with t = tanh(x), σ′ = s(1 − s) with s = σ(x): use the result, not x.",
    among("tanh", "sigmoid", "exp", "sqrt"),
)  # fmt: skip
def input_for_output(op: str) -> type[Value]:
    formula: Callable[[Any], Any] = {
        "tanh": lambda x: 1 - x * x, "sigmoid": lambda x: x * (1 - x), "exp": lambda x: x,
        "sqrt": lambda x: 0.5 / x,
    }[op]  # fmt: skip
    return with_rule(op, lambda y, x: [formula(x)])


@mistake(
    "one operation", "x = Value(0.5); f = sigmoid(x); f.backward()",
    "the derivative of your {op} applies the function twice",
    "s(1 − s) with s = the result: it has been squashed already.",
    among("tanh", "sigmoid", "exp"),
)  # fmt: skip
def output_for_input(op: str) -> type[Value]:
    slope, forward = Value.rules[op], ops.PUBLIC[op].forward
    return with_rule(op, lambda y, x: slope(forward(y), y))


@mistake(
    "one operation", "x = Value(0.5); f = tanh(x); f.backward()",
    "the derivative of your {op} forgets the square: 1 − t for 1 − t²",
    "tanh′ = 1 − t².", among("tanh"),
)  # fmt: skip
def unsquared(op: str) -> type[Value]:
    return with_rule(op, lambda y, x: [1 - y])


@mistake(
    "one operation", "x = Value(2); f = log(x); f.backward()",
    "the derivative of your {op} is turned upside down: x for 1/x",
    "(log x)′ = 1/x.", among("log", "log2", "log10", "log1p", "sqrt", "reciprocal"),
)  # fmt: skip
def upside_down(op: str) -> type[Value]:
    return with_rule(op, lambda y, x: [1 / Value.rules[op](y, x)[0]])


@mistake(
    "one operation", "a = Value(6); b = Value(3); f = a / b; f.backward()",
    "the right operand of your {op} gets −a/b where −a/b² is right",
    "Write a/b as a·b⁻¹: the power rule brings down b⁻².", among("div"),
)  # fmt: skip
def divides_once(op: str) -> type[Value]:
    return with_rule(op, lambda y, a, b: [1 / b, -a / b])


@mistake(
    "one operation", "x = Value(3); f = x ** 2; f.backward()",
    "your {op} gives n·xⁿ where n·xⁿ⁻¹ is right",
    "The power rule lowers the exponent by one.", among("power"),
)  # fmt: skip
def power_not_lowered(op: str) -> type[Value]:
    return with_rule(op, lambda y, a, n: [n * y, 0])


@mistake(
    "one operation", "x = Value(3); f = x ** 2; f.backward()",
    "your {op} gives xⁿ⁻¹: the factor n is missing",
    "The power rule: n·xⁿ⁻¹.", among("power"),
)  # fmt: skip
def power_without_factor(op: str) -> type[Value]:
    return with_rule(op, lambda y, a, n: [a ** (n - 1) if a else 0, 0])


@mistake(
    "exponents", "a = Value(2); b = Value(3); f = a ** b; f.backward()",
    "the exponent of your {op} gets no gradient, though it is a Value",
    "∂aᵇ/∂b = aᵇ log a; or refuse a Value as an exponent.", among("power"),
)  # fmt: skip
def exponent_ignored(op: str) -> type[Value]:
    return with_rule(op, lambda y, a, n: [Value.rules[op](y, a, n)[0], 0])


@mistake(
    "powers of zero", "x = Value(0); f = x ** 0; f.backward()",
    "your {op} computes 0 · 0⁻¹ for the slope of x ** 0 at 0",
    "Where the factor n is 0 the slope is 0; x ** (n - 1) must not be computed.", among("power"),
)  # fmt: skip
def zero_to_minus_one(op: str) -> type[Value]:
    return with_rule(
        op, lambda y, a, n: [n * a ** (n - 1), Value.rules[op](y, a, n)[1] if a else 0]
    )


@mistake(
    "kinks", "x = Value(0); f = relu(x); f.backward()",
    "your {op} lets the gradient pass at 0: its gate is `>=`",
    "A convention: PyTorch and JAX take 0 there, with `>`.", among("relu"),
)  # fmt: skip
def gate_open_at_zero(op: str) -> type[Value]:
    return with_rule(op, lambda y, x: [int(x >= 0)])


@mistake(
    "kinks", "x = Value(2); y = Value(2); f = maximum([x, y]); f.backward()",
    "both operands of a tie get the whole gradient in your {op}",
    "The shares of a tie sum up to 1: half each, or all to one.", among("maximum", "minimum"),
)  # fmt: skip
def tie_counted_twice(op: str) -> type[Value]:
    return with_rule(op, lambda y, *xs: [int(x == y) for x in xs])


@mistake(
    "one operation", "x = Value(2); y = Value(4); f = mean([x, y]); f.backward()",
    "your mean sends each value the whole gradient, not 1/n of it",
    "The mean divides the sum by n; so does its gradient.", among("mean"),
)  # fmt: skip
def mean_not_divided(op: str) -> type[Value]:
    return with_rule(op, lambda y, *xs: [1] * len(xs))


# Plain numbers, several operands, names.


RIGHT_HANDED = {"add": "__radd__", "sub": "__rsub__", "mul": "__rmul__", "div": "__rtruediv__"}


@mistake(
    "constants", "x = Value(2); f = sum([x, x]); f.backward()",
    "your {op} has no method that works for a plain number on its left",
    "Python tries `x.__radd__(2)` for `2 + x`, and sum() begins with 0 + x. The same for "
    "`__rsub__`, `__rmul__`, `__rtruediv__`.", among(*RIGHT_HANDED),
)  # fmt: skip
def not_reflected(op: str) -> type[Value]:
    return variant(**{RIGHT_HANDED[op]: None})


@mistake(
    "constants", "x = Value(2); f = 5 - x; f.backward()",
    "a plain number on the left of your {op} is taken for the right operand",
    "`x.__rsub__(5)` means 5 − x: the other one stands on the left.", among("sub", "div"),
)  # fmt: skip
def reflected_swapped(op: str) -> type[Value]:
    return variant(**{RIGHT_HANDED[op]: lambda v, other: v.make(op, v, other)})


@mistake(
    "constants", "x = Value(2); f = 5 - x; f.backward()",
    "your {op} with a plain number on its left calls itself for ever",
    "Wrap the number in a Value first; the operator then finds the usual method.",
    among(*RIGHT_HANDED),
)  # fmt: skip
def reflected_for_ever(op: str) -> type[Value]:
    name = RIGHT_HANDED[op]
    return variant(**{name: lambda v, other: getattr(v, name)(other)})


@mistake(
    "in place", "x = Value(3); y = x * 1; y += x; y.backward()",
    "`f += x` changes the number of the node f instead of making a new node",
    "Leave `__iadd__` out: Python then writes f = f + x for you.",
)  # fmt: skip
class in_place_add(Value):
    def __iadd__(self, other: Any) -> Any:
        self.data += other.data if isinstance(other, Value) else other
        return self


@mistake(
    "one operation", "x = Value(1); y = Value(2); f = total([x, y]); f.backward()",
    "the closures that your loop makes all see its last value",
    "A closure looks a name up when it is called. Bind it: `def push(p=p):`.",
)  # fmt: skip
class late_binding(Value):
    def send(self) -> None:
        if self.op != "total":
            return super().send()
        for _ in self.parents:
            self.parents[-1].grad += self.grad


# The engine as a whole.


@mistake(
    "reuse", "a = Value(3); f = a * a; f.backward()",
    "a node that is used twice by one operation counts as one parent",
    "Keep the parents in a tuple: a set forgets that a * a has a twice.",
)  # fmt: skip
class parents_in_a_set(Value):
    def send(self) -> None:
        for parent, local in dict(zip(self.parents, self.local)).items():
            parent.grad += local * self.grad


@mistake(
    "upstream", "x = Value(2); y = Value(2); f = (x + 1) * (y + 1); f.backward()",
    "nodes with equal numbers are taken for one and the same node",
    "`==` and hash of a node must be its identity, or the set of visited nodes merges equal ones.",
)  # fmt: skip
class equal_nodes_merged(Value):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and bool(self.data == other.data)

    def __hash__(self) -> int:
        return hash(self.data)


@mistake(
    "order", "a = Value(1); b = a + a; f = b + b; f.backward()",
    "each node walks on to its parents at once, once for each path that reaches it",
    "A node may be visited only when all its uses have sent their shares: sort topologically.",
)  # fmt: skip
class recursion_for_sort(Value):
    def backward(self) -> None:
        self.start(self.order())
        self.walk()

    def walk(self) -> None:
        self.send()
        for parent in self.parents:
            parent.walk()


@mistake(
    "order", "a = Value(1); b = a + a; f = b + b; f.backward()",
    "each share is carried on to the leaves before the next one arrives, and then again",
    "A node may be visited only when all its uses have sent their shares: sort topologically.",
)  # fmt: skip
class share_by_share(Value):
    def backward(self) -> None:
        self.start(self.order())
        self.walk()

    def walk(self) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.grad += local * self.grad
            parent.walk()


@mistake(
    "order", "a = Value(1); b = a * 2; f = b + b * 3; f.backward()",
    "nodes are visited as a depth-first walk from the result meets them",
    "That walk can meet a node before its last use. Append a node after its parents, then reverse.",
)  # fmt: skip
class pre_order(Value):
    def order(self) -> list[Value]:
        seen: dict[Value, None] = {}
        stack: list[Value] = [self]
        while stack:
            v = stack.pop()
            if v not in seen:
                seen[v] = None
                stack += v.parents[::-1]
        return list(seen)[::-1]


@mistake(
    "order", "a = Value(1); b = a * 2; f = b + b * 3; f.backward()",
    "nodes are visited level by level from the result",
    "A node can lie on several levels: wait for its last use. Sort topologically.",
)  # fmt: skip
class level_by_level(Value):
    def order(self) -> list[Value]:
        seen: dict[Value, None] = {self: None}
        queue: list[Value] = [self]
        for v in queue:
            for p in v.parents:
                if p not in seen:
                    seen[p] = None
                    queue.append(p)
        return queue[::-1]


@mistake(
    "upstream", "x = Value(1); f = (x * 2) * 3; f.backward()",
    "only the last operation's shares arrive: the rules before it run too early, or not at all",
    "Call the rule of every node, from the result to the leaves: reversed(order).",
)  # fmt: skip
class not_reversed(Value):
    def backward(self) -> None:
        order = self.order()
        self.start(order)
        for v in order:
            v.send()


@mistake(
    "one operation", "x = Value(1); f = x * 2; f.backward()",
    "backward sends nothing to the parents",
    "After the sort, go through the nodes and call the rule of each.",
)  # fmt: skip
class sends_nothing(Value):
    def send(self) -> None:
        pass


@mistake(
    "contract", "x = Value(1); f = x * 2; f.backward()",
    "gradients start at 1, not at 0",
    "Only the result starts with 1, its derivative with respect to itself; `.grad` is 0 at first.",
)  # fmt: skip
class starts_at_one(Value):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.grad = 1


@mistake(
    "contract", "x = Value(1); f = x * 2; f.backward()",
    "the result's own gradient is never set to 1",
    "Before the pass: self.grad = 1, for ∂f/∂f.",
)  # fmt: skip
class no_seed(Value):
    def start(self, order: list[Value]) -> None:
        for v in order:
            v.grad = v.grad if not v.parents else 0


@mistake(
    "accumulation", "x = Value(1); y = x * 2; y.backward(); y.backward()",
    "the result adds 1 to its old gradient at each pass",
    "Set the result's gradient to 1; what it was in an earlier pass has been sent already.",
)  # fmt: skip
class seed_added(Value):
    def start(self, order: list[Value]) -> None:
        for v in order:
            v.grad = v.grad if not v.parents or v is self else 0
        self.grad += 1


@mistake(
    "accumulation", "x = Value(3); h = x * 2; (h * h).backward(); (h * 5).backward()",
    "inner nodes keep the gradient of an earlier pass and send it again",
    "Set the gradients of all inner nodes to 0 before each pass; only leaves add up.",
)  # fmt: skip
class inner_keep(Value):
    def start(self, order: list[Value]) -> None:
        self.grad = 1


@mistake(
    "accumulation", "x = Value(1); (x * 2).backward(); (x * 3).backward()",
    "backward sets the gradients of the leaves to 0, too",
    "Leaves add up over several passes (a batch, several losses); zeroing them is the user's call.",
)  # fmt: skip
class leaves_forget(Value):
    def start(self, order: list[Value]) -> None:
        for v in order:
            v.grad = 0
        self.grad = 1


@mistake(
    "zeroing", "x = Value(1); (x * 2).backward(); x.grad = 0; (x * 3).backward()",
    "a gradient that was set to 0 comes back",
    "Keep the gradient in one place only; `.grad = 0` must reach it.",
)  # fmt: skip
class zero_ignored(Value):
    received: Any = 0

    def start(self, order: Any) -> None:
        super().start(order)
        for v in order:
            if v.parents:
                v.received = 0

    def send(self) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.received += local * self.grad
            parent.grad = parent.received


# Fragile.


@mistake(
    "depth",
    "x = Value(1); f = x\nfor _ in range(1500): f = f + 1\nf.backward()",
    "your backward pass calls itself for each parent, and Python allows about 1,000 such calls",
    "Sort with a stack of your own: a list that you push to and pop from.",
)  # fmt: skip
class recursive_sort(Value):
    def order(self) -> list[Value]:
        order: list[Value] = []
        seen: set[Value] = set()

        def build(v: Value) -> None:
            if v not in seen:
                seen.add(v)
                for p in v.parents:
                    build(p)
                order.append(v)

        build(self)
        return order


@mistake(
    "leak", "x = Value(2); f = x * x; f.backward()",
    "each node is part of a cycle: it is freed only when the garbage collector runs",
    "A closure in `out._backward` that uses `out` holds the node that holds it; a nested function "
    "that calls itself is such a cycle, too, and keeps the list of nodes that it fills.",
)  # fmt: skip
class leaks(Value):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.me = self


@mistake(
    "leak", "x = Value(2); f = x * x; f.backward()",
    "every node is kept for ever, in a list that the class or the module holds",
    "A tape must be emptied when its graph is done with; or let each node hold its parents alone.",
)  # fmt: skip
class never_frees(Value):
    tape: ClassVar[list[Value]] = []

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.tape.append(self)


@mistake(
    "changed data", "x = Value(2); h = x * x; f = h * x; x.data = -2; f.backward()",
    "local gradients are computed from `.data` when backward runs, not when the value was made",
    "Keep the numbers of the forward pass, or refuse to go backward when data was set since.",
)  # fmt: skip
class reads_late(Value):
    def send(self) -> None:
        if self.parents:
            self.local = tuple(self.rules[self.op](self.data, *[p.data for p in self.parents]))
        super().send()


@mistake(
    "limits", "x = Value(1000); f = tanh(x); f.backward()",
    "your {op} computes exp of a large number, which overflows, though the result is small",
    "Use math.tanh; for σ use e/(1 + e) with e = exp(x) where x < 0.",
    among("tanh", "sigmoid", "softplus", "log_sigmoid", "silu"),
)  # fmt: skip
def overflows(op: str) -> type[Value]:
    naive = {
        "tanh": lambda x: (math.exp(2 * x) - 1) / (math.exp(2 * x) + 1),
        "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
        "softplus": lambda x: math.log(1 + math.exp(x)),
        "log_sigmoid": lambda x: -math.log(1 + math.exp(-x)),
        "silu": lambda x: x / (1 + math.exp(-x)),
    }[op]  # fmt: skip
    return variant(forward=Value.forward | {op: naive})


@mistake(
    "operands", "x = Value(2); y = Value(3); f = x * y; f.backward()",
    "the backward pass changes the data of the operands",
    "Backward reads data and writes gradients: it must not step the parameters itself.",
)  # fmt: skip
class changes_operands(Value):
    def send(self) -> None:
        super().send()
        for parent in self.parents:
            parent.data -= 0.1 * parent.grad
