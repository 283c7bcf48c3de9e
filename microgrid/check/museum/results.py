"""Slips in a result: a wrong value, a node that is none, an operand that is changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from functools import partial
from operator import attrgetter
from typing import Any

from microgrid.check.museum.base import Value
from microgrid.check.museum.mistakes import (
    RIGHT_HANDED,
    TWO,
    UNARY,
    mistake,
    variant,
    variant_of,
    with_send,
)
from microgrid.check.museum.slopes import Formulas, of
from microgrid.engine import ops
from microgrid.engine.functions import SIGNS

BOUNDED = {"log", "log2", "log10", "log1p", "sqrt", "arcsin", "arccos", "arctanh", "arccosh"}

# Wrong values. Name: the function that each operation computes, the sentence, the hint, the
# smallest program.

SIGN = {entry.name: f"`{sign}`" for sign, entry in SIGNS.items()}
ALIKE = ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "expm1", "square", "sqrt", "absolute",
         "relu", "sigmoid", "softplus", "log", "log1p", "arctan", "erf")  # fmt: skip
VALUES: dict[str, tuple[Formulas, str, str, str]] = {
    "operands_swapped": ({"sub": lambda a, b: b - a, "div": lambda a, b: b / a,
                          "power": lambda a, b: b**a},
        "your {op} takes its operands in the wrong order",
        "In `a - b` self is a and other is b.", "a = Value(2); b = Value(3); f = a - b"),
    "right_ignored": ({"add": lambda a, b: a, "sub": lambda a, b: a, "mul": lambda a, b: a,
                       "div": lambda a, b: a, "power": lambda a, b: a},
        "your {op} does not use its right operand", "The result depends on self and on other.",
        "a = Value(2); b = Value(3); f = a * b"),
    "floor_division": (of({"div"}, lambda a, b: a // b),
        "your {op} rounds down: it computes `//`",
        "`/` divides, `//` divides and rounds down.", "a = Value(2); b = Value(4); f = a / b"),
    "not_applied": (of(UNARY, lambda x: x),
        "your {op} returns the number of its operand: the function is not applied to it",
        "Compute the value of the function for the new node's data.", "x = Value(2); f = exp(x)"),
    "argument_negated": ({op: lambda x, op=op: Value.forward[op](-x)
                          for op in ("exp", "sigmoid", "softplus", "silu", "relu", "tanh")},
        "your {op} takes −x for x", "The sign of an exponent: σ(x) = 1/(1 + e⁻ˣ).",
        "x = Value(2); f = exp(x)"),
    "smaller_for_larger": ({"relu": lambda x: min(0, x), "maximum": lambda *xs: min(xs),
                            "minimum": lambda *xs: max(xs)},
        "your {op} takes the wrong one of smaller and larger", "relu(x) = max(0, x).",
        "x = Value(2); f = relu(x)"),
    "other_base": ({"log": math.log10, "log2": math.log, "log10": math.log,
                    "exp": lambda x: 2**x},
        "your {op} has another base", "math.log is the natural logarithm, of base e.",
        "x = Value(2); f = log(x)"),
    "degrees": ({op: lambda x, op=op: Value.forward[op](math.radians(x))
                 for op in ("sin", "cos", "tan")},
        "your {op} takes degrees", "math.sin takes radians, and so does everyone who calls yours.",
        "x = Value(2); f = sin(x)"),
    "half_argument": (of({"tanh"}, lambda x: math.tanh(x / 2)),
        "your {op} is that of x/2: the exponents need 2x",
        "tanh x = (e²ˣ − 1)/(e²ˣ + 1), or math.tanh(x).", "x = Value(2); f = tanh(x)"),
    "reciprocal_exponent": (of({"sigmoid"}, lambda x: 1 + math.exp(-x)),
        "your {op} is not turned over: 1 + e⁻ˣ for 1/(1 + e⁻ˣ)", "σ(x) = 1/(1 + e⁻ˣ).",
        "x = Value(2); f = sigmoid(x)"),
    "mean_as_total": (of({"mean"}, lambda *xs: sum(xs)),
        "your {op} is the total, not divided by the number of values", "Divide by len(xs).",
        "x = Value(2); y = Value(4); f = mean([x, y])"),
    "total_as_mean": (of({"total"}, lambda *xs: sum(xs) / len(xs)),
        "your {op} is the mean, divided by the number of values", "A sum is not divided.",
        "x = Value(2); y = Value(4); f = total([x, y])"),
}  # fmt: skip


def with_value(formulas: Formulas, op: str) -> type[Value]:
    return variant(forward=Value.forward | {op: formulas[op]})


for name, (formulas, says, hint, shows) in VALUES.items():
    mistake(says, hint, "values", shows, formulas, name)(partial(with_value, formulas))
variant_of("right_ignored", {"div"})(lambda op: with_value({"div": lambda a, b: 1 / a}, op))
variant_of("other_base", {"log"})(lambda op: with_value({"log": math.log2}, op))
variant_of("other_base", {"exp"})(lambda op: with_value({"exp": lambda x: 10**x}, op))


def in_place_of(other: Mapping[str, str], op: str) -> type[Value]:
    """An engine in which an operation computes another one."""
    name = other[op]
    return variant(forward=Value.forward | {op: Value.forward[name]}, instead=SIGN.get(name, name))


FIRST_OPERATOR = {"add": "sub", "sub": "add", "mul": "add", "div": "mul", "power": "mul"}
FIRST_FUNCTION = {op: "cos" if op == "sin" else "sin" for op in ALIKE}
mistake("your {op} computes another operator",
        "A copied line? Look at the sign between the two numbers.",
        "values", "a = Value(2); b = Value(3); f = a - b", FIRST_OPERATOR,
        "other_operator")(partial(in_place_of, FIRST_OPERATOR))  # fmt: skip
mistake("your {op} computes another function",
        "A copied line? Look at the name of the function behind `math.`.",
        "values", "x = Value(2); f = cos(x)", FIRST_FUNCTION,
        "other_function")(partial(in_place_of, FIRST_FUNCTION))  # fmt: skip
for name, alike in (("other_operator", SIGN), ("other_function", ALIKE)):
    for other in alike:
        itself = {"log", "sqrt"} if other in ("relu", "absolute") else set()  # there it is x
        replaced = dict.fromkeys(set(alike) - {other} - itself, other)
        variant_of(name, replaced)(partial(in_place_of, replaced))


def guarded(guard: float, op: str) -> type[Value]:
    right = Value.forward[op]
    guarded_one = (lambda a, b: a / (b + guard)) if op == "div" else (lambda x: right(x + guard))
    return variant(forward=Value.forward | {op: guarded_one})


mistake("your {op} adds a small number to its operand",
        "A guard against 0 changes every result a little: leave it out, or let users add it.",
        "values", "x = Value(2); f = log(x)", {"log", "log2", "log10", "sqrt", "div"},
        "guarded_operand")(partial(guarded, 1e-7))  # fmt: skip
for guard in (1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2):
    variant_of("guarded_operand")(partial(guarded, guard))


# What an operation does to its operands, and what it returns.


def making(made: Callable[..., Any], op: str) -> type[Value]:
    """An engine in which one operation is made as `made(the usual way, operands)` says."""

    def make(cls: Any, name: str, *operands: Any) -> Any:
        usual = partial(Value.make.__func__, cls, name)  # type: ignore[attr-defined]
        return made(usual, *operands) if name == op else usual(*operands)

    return variant(make=classmethod(make))


def renumbered(out: Any, data: Any) -> Any:
    out.data = data
    return out


def changed(usual: Any, x: Any) -> Any:
    out = usual(x)
    x.data = out.data
    return out


SOMETHING: Any = object()


def with_nodes(usual: Any, *operands: Any) -> Any:
    return math.exp(operands[0]) if len(operands) == 1 else 2.0**SOMETHING


def undefined(*given: Any) -> Any:
    return eval("np.exp(x)")


def zeroing(which: slice) -> Callable[..., Any]:
    """An operation that sets the gradients of these operands to 0."""

    def made(usual: Any, *operands: Any) -> Any:
        out = usual(*operands)
        for p in out.parents[which]:
            p.grad = 0
        return out

    return made


# Name: who may have it, what is made (of the usual way and the operands), the sentence, the hint,
# the property that finds it, the smallest program.

OF_2, OF_MINUS_2 = "x = Value(2); f = exp(x)", "x = Value(-2); f = abs(x); f.backward()"
MADE: dict[str, tuple[Collection[str], Callable[..., Any], str, str, str, str]] = {
    "returns_the_operand": (UNARY, lambda usual, x: renumbered(x, usual(x).data),
        "your {op} changes the number of its operand and returns the operand",
        "An operation makes a new node: `out = Value(…, (self,))`. Its operand may be needed "
        "elsewhere.",
        "operands", OF_MINUS_2),
    "overwrites_the_operand": (UNARY, changed,
        "your {op} changes the number of its operand",
        "Compute the new number in a name of its own; `self.data` belongs to the operand.",
        "operands", OF_MINUS_2),
    "returns_nothing": (ops.PUBLIC, lambda usual, *operands: None,
        "your {op} returns nothing",
        "A function without `return` gives None: end it with `return out`.",
        "values", OF_2),
    "returns_a_number": (ops.PUBLIC, lambda usual, *operands: float(usual(*operands).data),
        "your {op} returns a number, not a Value",
        "An operation makes a new node: `return Value(…, (self, other))`.",
        "values", OF_2),
    "without_a_number": (ops.PUBLIC, lambda usual, *operands: renumbered(usual(*operands), None),
        "your {op} makes a node without a number: its `.data` is None",
        "Give the new node its number: a function that computes it needs a `return`, too.",
        "values", OF_2),
    "value_as_data": (ops.PUBLIC,
        lambda usual, *operands: renumbered(usual(*operands), usual(*operands)),
        "your {op} computes the number of the new node with Values, so that `.data` is one",
        "A node holds a number: `Value(self.data * other.data, …)`.",
        "values", OF_2),
    "value_for_number": (UNARY | TWO, with_nodes,
        "your {op} computes with a Value where its number belongs",
        "`math.exp(self.data)`, not `math.exp(self)`; `self.data ** other.data`.",
        "values", OF_2),
    "undefined_name": (ops.PUBLIC, undefined,
        "your {op} uses a name that is not defined",
        "Is it imported, and spelled as where it was made? Write it the same in both places.",
        "values", OF_2),
    "minus_without_neg": ({"sub"}, lambda usual, a, b: -SOMETHING,
        "your {op} is made with `-other`, but the class has no `__neg__`",
        "Write `__neg__`, which makes `-x`, or subtract the numbers themselves.",
        "values", "x = Value(2); y = Value(3); f = x - y"),
    "zeroes_in_forward": (ops.PUBLIC, zeroing(slice(None)),
        "your {op} sets the gradients of its operands to 0 in the forward pass",
        "A forward pass writes no gradients: the operand may have received some already.",
        "passes", "x = Value(1); (x * 2).backward(); (x * 3).backward()"),
}  # fmt: skip
MADE_TOO: list[tuple[str, Collection[str], Callable[..., Any]]] = [  # other forms
    ("undefined_name", (), lambda *given: attrgetter("sigmoid")(math)),
    ("zeroes_in_forward", TWO, zeroing(slice(1))),
    ("zeroes_in_forward", TWO, zeroing(slice(1, None))),
]  # fmt: skip
for name, (operations, made, says, hint, caught, shows) in MADE.items():
    mistake(says, hint, caught, shows, operations, name)(partial(making, made))
for name, operations, made in MADE_TOO:
    variant_of(name, operations)(partial(making, made))


variant_of("undefined_name")(partial(with_send, send=undefined))


@mistake("your {op} takes the logarithm of its base though the exponent is a plain number",
         "log a belongs to the gradient of the exponent: compute it only where the exponent is a "
         "Value.",
         "values", "x = Value(-3); f = x ** 2", {"power"})  # fmt: skip
def log_of_base(op: str) -> type[Value]:
    def made(usual: Any, x: Any, n: Any) -> Any:
        math.log(x.data if isinstance(x, Value) else x)
        return usual(x, n)

    return making(made, op)


@variant_of("log_of_base")
def log_of_base_in_the_rule(op: str) -> type[Value]:
    def send(self: Value) -> None:
        x, n = self.parents
        x.grad += self.local[0] * self.grad
        n.grad += self.data * math.log(x.data) * self.grad

    return with_send(op, send)


@mistake("your {op} gives a number where it has none: it clamps its operand, or adds to it",
         "Python raises for log(0); who sees a number looks for the fault elsewhere.",
         "domain", "x = Value(-1); f = log(x)", BOUNDED)  # fmt: skip
def clamped(op: str) -> type[Value]:
    return within(lambda x, low: low, op)


@mistake("your {op} changes its operand where it has no value for it",
         "The number of the operand belongs to the user, and to the operand's other uses: raise "
         "an error.",
         "domain", "x = Value(-1); f = log(x)", BOUNDED)  # fmt: skip
def clamps_the_operand(op: str) -> type[Value]:
    def set_data(x: Any, low: float) -> Any:
        x.data = low
        return x

    return within(set_data, op)


def within(replaced: Callable[[Any, float], Any], op: str) -> type[Value]:
    """An engine that replaces operands outside of the domain."""

    def made(usual: Any, *operands: Any) -> Any:
        xs = [x if isinstance(x, Value) else Value(x) for x in operands]
        for i, (low, high) in enumerate(ops.PUBLIC[op].domain):
            if not low < xs[i].data < high:
                xs[i] = replaced(xs[i], low + 1e-7 if math.isfinite(low) else high - 1e-7)
        return usual(*xs)

    return making(made, op)


@mistake("your {op} with a plain number on its left gives a node without parents",
         "Let the right-handed method use the usual one: `__radd__` returns self + other.",
         "constants", "x = Value(2); f = 5 - x; f.backward()", RIGHT_HANDED)  # fmt: skip
def reflected_constant(op: str) -> type[Value]:
    return variant(**{RIGHT_HANDED[op]: lambda v, other: v.make(op, other, v.data)})


@mistake("your {op} changes the number of a node where `f *= x` must make a new one",
         "Leave `__imul__` and its like out: Python then writes f = f * x for you.",
         "in place", "x = Value(3); y = x * 1; y *= x; y.backward()",
         {"sub", "mul", "div"})  # fmt: skip
def in_place(op: str) -> type[Value]:
    def apply(self: Value, other: Any) -> Value:
        self.data = Value.forward[op](self.data, getattr(other, "data", other))
        return self

    return variant(**{RIGHT_HANDED[op].replace("__r", "__i"): apply})
