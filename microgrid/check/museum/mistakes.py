"""The classic mistakes, each with an engine, a sentence that names it and a hint that helps.

Most mistakes are made in one operation; then the engine is a function of the operation's name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, ClassVar, TypeVar

from microgrid.check.museum.base import Value
from microgrid.engine import ops
from microgrid.engine.errors import ParameterError
from microgrid.engine.hints import no_key


@dataclass(frozen=True)
class Mistake:
    """One mistake: a sentence, a hint, the property that finds it, the smallest program.

    `{op}` in `says` stands for the operation that has it.

    >>> MUSEUM["overwrites"].sentence("+")
    'your + overwrites `.grad` where it must add to it'
    >>> MUSEUM["overwrites"].shows, MUSEUM["overwrites"].caught
    ('a = Value(3); f = a + a; f.backward()', 'reuse')
    """

    name: str
    says: str
    hint: str
    make: Callable[..., type[Value]]  # of the operation that has it
    caught: str  # the property that finds it
    shows: str  # the smallest program that shows it
    operations: Callable[[str], bool] | None  # which may have it; None: the engine as a whole
    variants: list[Any] = field(default_factory=list, compare=False)  # (which may have it, make)

    def __repr__(self) -> str:
        return f"<Mistake {self.name!r}, caught by {self.caught!r}>"

    def sentence(self, op: str = "") -> str:
        """What is wrong, in words, with the name of the operation."""
        return self.says.format(op=op)

    def engines(self, op: str) -> list[Any]:
        """An engine of each form of this mistake in an operation."""
        forms = [make for which, make in self.variants if not which or op in which]
        return [make(op) for make in (self.make, *forms)]


MUSEUM: dict[str, Mistake] = {}
"""Every mistake by its name; `.hint` says how to mend it, `.shows` is the smallest program."""
Made = TypeVar("Made", bound=Callable[..., Any])
UNARY, TWO = ({name for name, op in ops.PUBLIC.items() if len(op.rules) == n} for n in (1, 2))
BINARY = TWO - {"power"}  # whose exponent is a number as a rule


def mistake(
    says: str, hint: str, caught: str, shows: str, operations: Collection[str] = (), name: str = ""
) -> Callable[[Made], Made]:
    """Put an engine into the museum: a class, or a function of an operation that gives one."""

    def enter(made: Made) -> Made:
        key = name or made.__name__
        make, which = (made, operations.__contains__) if operations else (lambda op="": made, None)
        MUSEUM[key] = Mistake(key, says, hint, cache(make), caught, shows, which)
        return made

    return enter


def variant_of(name: str, operations: Collection[str] = ()) -> Callable[[Made], Made]:
    """One more form of a mistake: the sentence is the same, the numbers are others.

    `operations` are those that may have this form, if not all that may have the mistake.
    """

    def enter(made: Made) -> Made:
        found = MUSEUM[name]
        make = cache(made if found.operations else (lambda op="": made))
        found.variants.append((operations, make))
        return made

    return enter


def broken(name: str, op: str = "") -> type[Value]:
    """The broken `Value` of this name; `op` is the operation that has the mistake.

    UnknownKeyError for a mistake that is not in the museum, ParameterError for one that this
    operation cannot have.

    >>> Value = broken("overwrites", "add")
    >>> a = Value(3.0)
    >>> (a + a).backward()
    >>> a.grad
    1
    """
    if name not in MUSEUM:
        raise no_key("the museum", name, MUSEUM)
    found = MUSEUM[name]
    if found.operations and not found.operations(op):
        able = [x for x in ops.PUBLIC if found.operations(x)]
        raise ParameterError(f"{name} needs the operation that has it, got {op!r}; {listed(able)}")
    made = found.make(op)
    made.__name__ = "Value"  # as programs call it
    made.__qualname__ = f"{name}.Value"
    return made


def listed(names: Collection[str]) -> str:
    """The first of the names, each once."""
    first = list(dict.fromkeys(names))
    return f"there are {', '.join(first[:8])}{', …' * (len(first) > 8)}"


def variant(**pieces: Any) -> type[Value]:
    """The right engine with some of its pieces replaced."""
    return type("Engine", (Value,), pieces)


def with_rule(rule: Callable[..., Any], op: str) -> type[Value]:
    """An engine that makes wrong local gradients of an operation: rule(the right ones, y, *xs)."""
    right = Value.rules[op]
    return variant(rules=Value.rules | {op: lambda y, *xs: rule(right(y, *xs), y, *xs)})


def with_send(op: str, send: Callable[[Any], None]) -> type[Value]:
    """An engine in which the nodes of one operation send their shares in this way."""
    return variant(send=lambda v: send(v) if v.op == op else Value.send(v))


# The chain rule, in one operation.


@mistake("your {op} overwrites `.grad` where it must add to it",
         "Every use of a node sends a share: use `+=` where you wrote `=`.",
         "reuse", "a = Value(3); f = a + a; f.backward()", ops.PUBLIC)  # fmt: skip
def overwrites(op: str) -> type[Value]:
    def send(self: Value) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.grad = local * self.grad

    return with_send(op, send)


def overwrites_one(which: int) -> Callable[[str], type[Value]]:
    """The same for the share of one of its operands alone."""

    def send(self: Value) -> None:
        for i, (parent, local) in enumerate(zip(self.parents, self.local)):
            parent.grad = local * self.grad + (0 if i == which else parent.grad)

    return lambda op: with_send(op, send)


for which in (0, 1):
    variant_of("overwrites", TWO)(overwrites_one(which))


@mistake("your {op} passes on its local gradient without multiplying by its own `.grad`",
         "The chain rule: local gradient times `out.grad`. At the end of an expression `out.grad` "
         "is 1, so it only shows further inside.",
         "upstream", "x = Value(0); f = exp(x) * 3; f.backward()", ops.PUBLIC)  # fmt: skip
def forgets_upstream(op: str) -> type[Value]:
    def send(self: Value) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.grad += local

    return with_send(op, send)


@mistake("the result of your {op} does not know its parents",
         "Hand the operands to the new node as its parents; else the sort never reaches what lies "
         "behind it.",
         "upstream", "x = Value(-2); f = abs(x * 2); f.backward()", ops.PUBLIC)  # fmt: skip
def without_parents(op: str) -> type[Value]:
    return variant(known=lambda v: () if v.op == op else v.parents)


@variant_of("overwrites")
def overwrites_everywhere(op: str) -> type[Value]:
    """One loop sends the shares of all operations."""
    return sending_all(lambda v, parent, local: local * v.grad - parent.grad)


@variant_of("forgets_upstream")
def forgets_upstream_everywhere(op: str) -> type[Value]:
    return sending_all(lambda v, parent, local: local)


def sending_all(share: Callable[[Any, Any, Any], Any]) -> type[Value]:
    """An engine in which each parent gets share(node, parent, local gradient)."""

    def send(self: Value) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.grad += share(self, parent, local)

    return variant(send=send, in_all=True)


# Wrong local gradients. Name: who may have it, the rule made of the right local gradients and
# (y, *xs), the sentence, the hint, the property that finds it, the smallest program.

BOTH = "An operation of two values has two local gradients: send a share to each parent."
WRONG_RULES: dict[str, tuple[Collection[str], Callable[..., Any], str, str, str, str]] = {
    "cuts_the_graph": (ops.PUBLIC, lambda local, y, *xs: [0] * len(xs),
        "no gradient comes back through your {op}",
        "Give the new node its parents, and hang its rule on it, `out._backward = rule`, without "
        "calling it: a node without them is a constant.",
        "one operation", "x = Value(2); f = abs(x); f.backward()"),
    "swapped": (BINARY - {"add"}, lambda local, y, a, b: local[::-1],
        "your {op} gives each operand the other one's local gradient",
        "Write the formula with both names: ∂(a·b)/∂a is b, ∂(a·b)/∂b is a.",
        "one operation", "a = Value(2); b = Value(3); f = a * b; f.backward()"),
    "right_sign": (BINARY, lambda local, y, a, b: [local[0], -local[1]],
        "the right operand of your {op} gets its gradient with the wrong sign",
        "Vary the right operand a little: which way does the result go? ∂(a−b)/∂b is −1.",
        "one operation", "a = Value(5); b = Value(3); f = a - b; f.backward()"),
    "left_only": (BINARY, lambda local, y, a, b: [local[0], 0],
        "the right operand of your {op} gets no gradient", BOTH,
        "one operation", "a = Value(2); b = Value(3); f = a * b; f.backward()"),
    "right_only": (BINARY, lambda local, y, a, b: [0, local[1]],
        "the left operand of your {op} gets no gradient", BOTH,
        "one operation", "a = Value(2); b = Value(3); f = a * b; f.backward()"),
    "wrong_sign": (UNARY, lambda local, y, x: [-local[0]],
        "the derivative of your {op} has the wrong sign",
        "Look at the slope: does the function rise or fall there? (cos x)′ = −sin x.",
        "one operation", "x = Value(1); f = cos(x); f.backward()"),
    "slope_one": (UNARY - {"neg"}, lambda local, y, x: [1],
        "your {op} passes its upstream on unchanged, as if its slope were 1",
        "Multiply `out.grad` by the derivative of the function at x.",
        "one operation", "x = Value(0.5); f = exp(x); f.backward()"),
    "value_for_slope": (UNARY - {"exp"}, lambda local, y, x: [y],
        "your {op} multiplies by its own value instead of its derivative",
        "Only exp is its own derivative.",
        "one operation", "x = Value(0.5); f = sin(x); f.backward()"),
    "unsquared": ({"tanh"}, lambda local, y, x: [1 - y],
        "the derivative of your {op} forgets the square: 1 − t for 1 − t²", "tanh′ = 1 − t².",
        "one operation", "x = Value(0.5); f = tanh(x); f.backward()"),
    "upside_down": ({"log", "log2", "log10", "log1p", "sqrt", "reciprocal"},
        lambda local, y, x: [1 / local[0]],
        "the derivative of your {op} is turned upside down: x for 1/x", "(log x)′ = 1/x.",
        "one operation", "x = Value(2); f = log(x); f.backward()"),
    "divides_once": ({"div"}, lambda local, y, a, b: [1 / b, -a / b],
        "the right operand of your {op} gets −a/b where −a/b² is right",
        "Write a/b as a·b⁻¹: the power rule brings down b⁻².",
        "one operation", "a = Value(6); b = Value(3); f = a / b; f.backward()"),
    "power_not_lowered": ({"power"}, lambda local, y, a, n: [n * y, 0],
        "your {op} gives n·xⁿ where n·xⁿ⁻¹ is right", "The power rule lowers the exponent by one.",
        "one operation", "x = Value(3); f = x ** 2; f.backward()"),
    "power_without_factor": ({"power"}, lambda local, y, a, n: [a ** (n - 1) if a else 0, 0],
        "your {op} gives xⁿ⁻¹: the factor n is missing", "The power rule: n·xⁿ⁻¹.",
        "one operation", "x = Value(3); f = x ** 2; f.backward()"),
    "exponent_ignored": ({"power"}, lambda local, y, a, n: [local[0], 0],
        "the exponent of your {op} gets no gradient, though it is a Value",
        "∂aᵇ/∂b = aᵇ log a; or refuse a Value as an exponent.",
        "exponents", "a = Value(2); b = Value(3); f = a ** b; f.backward()"),
    "zero_to_minus_one": ({"power"}, lambda local, y, a, n: [n * a ** (n - 1), local[1]],
        "your {op} computes 0 · 0⁻¹ for the slope of x ** 0 at 0",
        "Where the factor n is 0 the slope is 0; x ** (n - 1) must not be computed.",
        "powers of zero", "x = Value(0); f = x ** 0; f.backward()"),
    "gate_open_at_zero": ({"relu"}, lambda local, y, x: [int(x >= 0)],
        "your {op} lets the gradient pass at 0: its gate is `>=`",
        "A convention: PyTorch and JAX take 0 there, with `>`.",
        "kinks", "x = Value(0); f = relu(x); f.backward()"),
    "tie_counted_twice": ({"maximum", "minimum"}, lambda local, y, *xs: [int(x == y) for x in xs],
        "both operands of a tie get the whole gradient in your {op}",
        "The shares of a tie sum up to 1: half each, or all to one.",
        "kinks", "x = Value(2); y = Value(2); f = maximum([x, y]); f.backward()"),
    "mean_not_divided": ({"mean"}, lambda local, y, *xs: [1] * len(xs),
        "your mean sends each value the whole gradient, not 1/n of it",
        "The mean divides the sum by n; so does its gradient.",
        "one operation", "x = Value(2); y = Value(4); f = mean([x, y]); f.backward()"),
}  # fmt: skip
for name, (operations, rule, says, hint, caught, shows) in WRONG_RULES.items():
    mistake(says, hint, caught, shows, operations, name)(partial(with_rule, rule))


@mistake("the derivative of your {op} takes the input where its formula needs the output",
         "tanh′ = 1 − t² with t = tanh(x), σ′ = s(1 − s) with s = σ(x): use the result, not x.",
         "one operation", "x = Value(1); f = tanh(x); f.backward()",
         {"tanh", "sigmoid", "exp", "sqrt"})  # fmt: skip
def input_for_output(op: str) -> type[Value]:
    formula: Callable[[Any], Any] = {
        "tanh": lambda x: 1 - x * x, "sigmoid": lambda x: x * (1 - x), "exp": lambda x: x,
        "sqrt": lambda x: 0.5 / x,
    }[op]  # fmt: skip
    return with_rule(lambda local, y, x: [formula(x)], op)


@mistake("the derivative of your {op} applies the function twice",
         "s(1 − s) with s = the result: it has been squashed already.",
         "one operation", "x = Value(0.5); f = sigmoid(x); f.backward()",
         {"tanh", "sigmoid", "exp"})  # fmt: skip
def output_for_input(op: str) -> type[Value]:
    return with_rule(lambda local, y, x: Value.rules[op](Value.forward[op](y), y), op)


# Plain numbers, several operands, names.


RIGHT_HANDED = {"add": "__radd__", "sub": "__rsub__", "mul": "__rmul__", "div": "__rtruediv__",
                "power": "__rpow__"}  # fmt: skip


@mistake("your {op} has no method that works for a plain number on its left",
         "Python tries `x.__radd__(2)` for `2 + x`, and sum() begins with 0 + x. The same for "
         "`__rsub__`, `__rmul__`, `__rtruediv__`.",
         "plain numbers", "x = Value(2); f = sum([x, x]); f.backward()", RIGHT_HANDED)  # fmt: skip
def not_reflected(op: str) -> type[Value]:
    return variant(**{RIGHT_HANDED[op]: None})


@mistake("your {op} can take Values only",
         "Wrap the other operand: `other = other if isinstance(other, Value) else Value(other)`.",
         "plain numbers", "x = Value(2); f = x + 3; f.backward()",
         RIGHT_HANDED.keys() | {"power"})  # fmt: skip
def values_only(op: str) -> type[Value]:
    left = RIGHT_HANDED.get(op, "__rpow__")
    return variant(**{left.replace("__r", "__"): taking(Value, op), left: None})


@mistake("your {op} can take ints but not floats",
         "Wrap every number that is no Value: `isinstance(other, (int, float))`.",
         "plain numbers", "x = Value(2); f = x + 0.5; f.backward()", RIGHT_HANDED)  # fmt: skip
def ints_only(op: str) -> type[Value]:
    left = RIGHT_HANDED[op]
    return variant(**{left.replace("__r", "__"): taking(Value | int, op)})


@mistake("your {op} can take floats but not ints",
         "Wrap every number that is no Value: `isinstance(other, (int, float))`.",
         "plain numbers", "x = Value(2); f = x + 3; f.backward()", RIGHT_HANDED)  # fmt: skip
def floats_only(op: str) -> type[Value]:
    left = RIGHT_HANDED[op]
    return variant(**{left.replace("__r", "__"): taking(Value | float, op)})


def taking(types: Any, op: str) -> Callable[[Any, Any], Any]:
    """An operator for right operands of these types alone."""

    def apply(v: Any, other: Any) -> Any:
        if not isinstance(other, types):
            raise AttributeError(f"{type(other).__name__!r} object has no attribute 'data'")
        return v.make(op, v, other)

    return apply


@mistake("a plain number on the left of your {op} is taken for the right operand",
         "`x.__rsub__(5)` means 5 − x: the other one stands on the left.",
         "constants", "x = Value(2); f = 5 - x; f.backward()", {"sub", "div", "power"})  # fmt: skip
def reflected_swapped(op: str) -> type[Value]:
    return variant(**{RIGHT_HANDED[op]: lambda v, other: v.make(op, v, other)})


@variant_of("reflected_swapped", {"power"})
def value_of_the_reflected_swapped(op: str) -> type[Value]:
    """The rule is right, the value is not: x ** 2 for 2 ** x."""

    def apply(v: Any, other: Any) -> Any:
        y = v.data**other
        return type(v)(y, (v,), (y * math.log(other),), op)

    return variant(__rpow__=apply)


@mistake("your {op} with a plain number on its left calls itself for ever",
         "Wrap the number in a Value first; the operator then finds the usual method.",
         "constants", "x = Value(2); f = 5 - x; f.backward()", RIGHT_HANDED)  # fmt: skip
def reflected_for_ever(op: str) -> type[Value]:
    name = RIGHT_HANDED[op]
    return variant(**{name: lambda v, other: getattr(v, name)(other)})


@mistake("`f += x` changes the number of the node f instead of making a new node",
         "Leave `__iadd__` out: Python then writes f = f + x for you.",
         "in place", "x = Value(3); y = x * 1; y += x; y.backward()")  # fmt: skip
class in_place_add(Value):
    def __iadd__(self, other: Any) -> Any:
        self.data += other.data if isinstance(other, Value) else other
        return self


@mistake("the closures that your loop makes all see its last value",
         "A closure looks a name up when it is called. Bind it: `def push(p=p):`.", "one operation",
         "x = Value(1); y = Value(2); f = total([x, y]); f.backward()")  # fmt: skip
class late_binding(Value):
    def send(self) -> None:
        if self.op != "total":
            return super().send()
        for _ in self.parents:
            self.parents[-1].grad += self.grad


# The engine as a whole.


@mistake("a node that is used twice by one operation counts as one parent",
         "Keep the parents in a tuple: a set forgets that a * a has a twice.",
         "reuse", "a = Value(3); f = a * a; f.backward()")  # fmt: skip
class parents_in_a_set(Value):
    def send(self) -> None:
        for parent, local in dict(zip(self.parents, self.local)).items():
            parent.grad += local * self.grad


@mistake("nodes with equal numbers are taken for one and the same node",
         "`==` and hash of a node must be its identity, or the set of visited nodes merges equal "
         "ones.",
         "upstream", "x = Value(2); y = Value(2); f = (x + 1) * (y + 1); f.backward()")  # fmt: skip
class equal_nodes_merged(Value):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and bool(self.data == other.data)

    def __hash__(self) -> int:
        return hash(self.data)


class equal_nodes_merged_late(equal_nodes_merged):
    """A node is marked as visited behind its parents, as in `if v not in order`."""

    def order(self) -> list[Value]:
        order: list[Value] = []

        def build(v: Value) -> None:
            if v not in order:
                for p in v.known():
                    build(p)
                order.append(v)

        build(self)
        return order


variant_of("equal_nodes_merged")(equal_nodes_merged_late)


@mistake("backward sends nothing to the parents",
         "After the sort, go through the nodes and call the rule of each.",
         "contract", "x = Value(1); f = x * 2; f.backward()")  # fmt: skip
class sends_nothing(Value):
    def send(self) -> None:
        pass


@mistake("gradients start at 1, not at 0",
         "Only the result starts with 1, its derivative with respect to itself; `.grad` is 0 at "
         "first.",
         "contract", "x = Value(1); f = x * 2; f.backward()")  # fmt: skip
class starts_at_one(Value):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.grad = 1


@mistake("the result's own gradient is never set to 1",
         "Before the pass: self.grad = 1, for ∂f/∂f.",
         "contract", "x = Value(1); f = x * 2; f.backward()")  # fmt: skip
class no_seed(Value):
    def start(self, order: list[Value]) -> None:
        for v in order:
            v.grad = 0 if v.parents else v.grad


@mistake("the result adds 1 to its old gradient at each pass",
         "Set the result's gradient to 1; what it was in an earlier pass has been sent already.",
         "accumulation", "x = Value(1); y = x * 2; y.backward(); y.backward()")  # fmt: skip
class seed_added(Value):
    def start(self, order: list[Value]) -> None:
        for v in order:
            v.grad = v.grad if not v.parents or v is self else 0
        self.grad += 1


@mistake("inner nodes keep the gradient of an earlier pass and send it again",
         "Set the gradients of all inner nodes to 0 before each pass; only leaves add up.",
         "accumulation",
         "x = Value(3); h = x * 2; (h * h).backward(); (h * 5).backward()")  # fmt: skip
class inner_keep(Value):
    def start(self, order: list[Value]) -> None:
        self.grad = 1


@mistake("backward sets the gradients of the leaves to 0, too",
         "Leaves add up over several passes (a batch, several losses); zeroing them is the user's "
         "call.",
         "passes", "x = Value(1); (x * 2).backward(); (x * 3).backward()")  # fmt: skip
class leaves_forget(Value):
    def start(self, order: list[Value]) -> None:
        for v in order:
            v.grad = 0
        self.grad = 1


@mistake("a gradient that was set to 0 comes back",
         "Keep the gradient in one place only; `.grad = 0` must reach it.",
         "zeroing", "x = Value(1); (x * 2).backward(); x.grad = 0; (x * 3).backward()")  # fmt: skip
class zero_ignored(Value):
    received: Any = 0

    def start(self, order: Any) -> None:
        super().start(order)
        for v in order:
            v.received = 0 if v.parents else v.received

    def send(self) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.received += local * self.grad
            parent.grad = parent.received


# Fragile.


@mistake("your backward pass calls itself for each parent, and a stack holds so many calls only: "
         "Python's about 1,000",
         "Sort with a stack of your own: a list that you push to and pop from.",
         "depth", "x = Value(1); f = x\nfor _ in range(1500): f = f + 1\nf.backward()")  # fmt: skip
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


@mistake("comparisons give a Value, and Python takes every Value for true",
         "Return what the numbers give: `return self.data < other.data`. `x in [y]` asks `==`, "
         "too.",
         "comparisons", "x = Value(3); y = Value(2); c = bool(x < y)")  # fmt: skip
class compares_to_value(Value):
    def __lt__(self, other: Any) -> Any:
        return Value(self.data < other.data)

    def __gt__(self, other: Any) -> Any:
        return Value(self.data > other.data)

    def __le__(self, other: Any) -> Any:
        return Value(self.data <= other.data)

    def __ge__(self, other: Any) -> Any:
        return Value(self.data >= other.data)


@mistake("the backward pass of a leaf does nothing",
         "A node without parents is a result, too: set its gradient to 1, then walk.",
         "leaf pass", "x = Value(2); x.backward()")  # fmt: skip
class leaf_does_nothing(Value):
    def backward(self) -> None:
        if self.parents:
            super().backward()


@mistake("each node is part of a cycle: it is freed only when the garbage collector runs",
         "A closure in `out._backward` that uses `out` holds the node that holds it; a nested "
         "function that calls itself is such a cycle, too, and keeps the list of nodes that it "
         "fills.",
         "leak", "x = Value(2); f = x * x; f.backward()")  # fmt: skip
class leaks(Value):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.me = self


@mistake("every node is kept for ever, in a list that the class or the module holds",
         "A tape must be emptied when its graph is done with; or let each node hold its parents "
         "alone.",
         "leak", "x = Value(2); f = x * x; f.backward()")  # fmt: skip
class never_frees(Value):
    tape: ClassVar[list[Value]] = []

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.tape.append(self)


@mistake("local gradients are computed from `.data` when backward runs, not when the value was "
         "made",
         "Keep the numbers of the forward pass, or refuse to go backward when data was set since.",
         "changed data",
         "x = Value(2); h = x * x; f = h * x; x.data = -3; f.backward()")  # fmt: skip
class reads_late(Value):
    def send(self) -> None:
        if self.parents:
            self.local = tuple(self.rules[self.op](self.data, *[p.data for p in self.parents]))
        super().send()


NAIVE: dict[str, Callable[..., Any]] = {  # formulas that overflow where their result does not
    "tanh": lambda x: (math.exp(2 * x) - 1) / (math.exp(2 * x) + 1),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "softplus": lambda x: math.log(1 + math.exp(x)),
    "log_sigmoid": lambda x: -math.log(1 + math.exp(-x)),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "logsumexp": lambda *xs: math.log(sum(map(math.exp, xs))),
    "logaddexp": lambda a, b: math.log(math.exp(a) + math.exp(b)),
}


@mistake("your {op} computes exp of a large number, which overflows, though the result is small",
         "Use math.tanh; for σ use e/(1 + e) with e = exp(x) where x < 0.",
         "limits", "x = Value(1000); f = tanh(x); f.backward()", NAIVE)  # fmt: skip
def overflows(op: str) -> type[Value]:
    return variant(forward=Value.forward | {op: NAIVE[op]})


@mistake("the backward pass changes the data of the operands",
         "Backward reads data and writes gradients: it must not step the parameters itself.",
         "operands", "x = Value(2); y = Value(3); f = x * y; f.backward()")  # fmt: skip
class changes_operands(Value):
    def send(self) -> None:
        super().send()
        for parent in self.parents:
            parent.data -= 0.1 * parent.grad
