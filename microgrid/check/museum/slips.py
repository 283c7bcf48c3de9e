"""Slips in one operation: in its derivative, its value, or in how its shares are sent.

The tables hold what a formula can tell; the functions behind them, what a node does otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from microgrid.check.museum.base import Value
from microgrid.check.museum.mistakes import (
    BINARY,
    RIGHT_HANDED,
    TWO,
    UNARY,
    mistake,
    variant,
    variant_of,
    with_rule,
    with_send,
)
from microgrid.check.museum.walks import SetWalk, as_chosen
from microgrid.engine import ops

LISTS = {"total", "mean", "maximum", "minimum", "logsumexp"}
CONSTANT = {"add", "sub", "neg", "total", "mean"}  # their local gradients are constants
BOUNDED = {"log", "log2", "log10", "log1p", "sqrt", "arcsin", "arccos", "arctanh", "arccosh"}
CURVED = ops.PUBLIC.keys() - CONSTANT

# Wrong local gradients. Name: the rule of each operation that may have it, made of the right local
# gradients and (y, *xs), the sentence, the hint, the smallest program.

Formulas = dict[str, Callable[..., Any]]


def of(operations: Collection[str], formula: Callable[..., Any]) -> Formulas:
    return dict.fromkeys(operations, formula)


COPIED = "A line was copied: each operand has a local gradient of its own."
QUOTIENT = "For a/b: ∂/∂a = 1/b and ∂/∂b = −a/b²."
POWER = "The power rule: n·xⁿ⁻¹, in Python n * x ** (n - 1)."
EXPONENT = "∂aᵇ/∂b = aᵇ log a; or refuse a Value as an exponent."
SQUASH = "tanh′ = 1 − t² with t = tanh x; σ′ = s(1 − s) with s = σ(x)."

SLOPES: dict[str, tuple[Formulas, str, str, str]] = {
    "rule_of_plus": (of({"mul", "div"}, lambda local, y, a, b: [1, 1]),
        "your {op} has the rule of `+`: both operands get the upstream as it is",
        "∂(a·b)/∂a is b, ∂(a·b)/∂b is a.",
        "a = Value(2); b = Value(3); f = a * b; f.backward()"),
    "rule_of_times": (of({"add", "sub", "div"}, lambda local, y, a, b: [b, a]),
        "your {op} has the rule of `*`: each operand gets the other one as its local gradient",
        "∂(a+b)/∂a is 1, whatever the numbers are.",
        "a = Value(2); b = Value(3); f = a + b; f.backward()"),
    "both_signs": (of({"add", "mul", "div"}, lambda local, y, *xs: [-x for x in local]),
        "both operands of your {op} get their gradients with the wrong sign",
        "Shares are added, not subtracted: `+=` where you wrote `-=`.",
        "a = Value(2); b = Value(3); f = a + b; f.backward()"),
    "left_sign": (of(BINARY, lambda local, y, a, b: [-local[0], local[1]]),
        "the left operand of your {op} gets its gradient with the wrong sign",
        "Vary the left operand a little, and see which way the result goes.",
        "a = Value(2); b = Value(3); f = a + b; f.backward()"),
    "left_twice": (of({"mul", "div"}, lambda local, y, a, b: [local[0]] * 2),
        "both operands of your {op} get the left one's local gradient", COPIED,
        "a = Value(2); b = Value(3); f = a * b; f.backward()"),
    "right_twice": (of({"mul", "div"}, lambda local, y, a, b: [local[1]] * 2),
        "both operands of your {op} get the right one's local gradient", COPIED,
        "a = Value(2); b = Value(3); f = a * b; f.backward()"),
    "both_to_the_left": (of({"add", "mul", "div"}, lambda local, y, a, b: [sum(local), 0]),
        "your {op} sends both shares to the left operand", COPIED,
        "a = Value(2); b = Value(3); f = a + b; f.backward()"),
    "both_to_the_right": (of({"add", "mul", "div"}, lambda local, y, a, b: [0, sum(local)]),
        "your {op} sends both shares to the right operand", COPIED,
        "a = Value(2); b = Value(3); f = a + b; f.backward()"),
    "result_for_factor": (of({"mul", "div"}, lambda local, y, a, b: [y, y]),
        "your {op} multiplies by its own result where a local gradient belongs",
        "∂(a·b)/∂a is b, not a·b.",
        "a = Value(2); b = Value(3); f = a * b; f.backward()"),
    "numerator_forgotten": (of({"div"}, lambda local, y, a, b: [1 / b, -1 / b**2]),
        "the right operand of your {op} gets −1/b²: the numerator a is forgotten", QUOTIENT,
        "a = Value(6); b = Value(3); f = a / b; f.backward()"),
    "sign_and_square": (of({"div"}, lambda local, y, a, b: [1 / b, a / b]),
        "the right operand of your {op} gets a/b: the sign and the square are forgotten", QUOTIENT,
        "a = Value(6); b = Value(3); f = a / b; f.backward()"),
    "times_for_over": (of({"div"}, lambda local, y, a, b: [b, local[1]]),
        "the left operand of your {op} gets b where 1/b is right", QUOTIENT,
        "a = Value(6); b = Value(3); f = a / b; f.backward()"),
    "divisor_ignored": (of({"div"}, lambda local, y, a, b: [1, local[1]]),
        "the left operand of your {op} gets the upstream as it is, not divided by b", QUOTIENT,
        "a = Value(6); b = Value(3); f = a / b; f.backward()"),
    "power_minus_one": (of({"power"}, lambda local, y, x, n: [n * x**n - 1, 0]),
        "your {op} gives n·xⁿ − 1: the exponent n − 1 needs brackets", POWER,
        "x = Value(3); f = x ** 2; f.backward()"),
    "factor_lowered": (of({"power"}, lambda local, y, x, n: [(n - 1) * x ** (n - 1), 0]),
        "your {op} gives (n − 1)·xⁿ⁻¹: the factor is n", POWER,
        "x = Value(3); f = x ** 2; f.backward()"),
    "factor_inside": (of({"power"}, lambda local, y, x, n: [(n * x) ** (n - 1), 0]),
        "your {op} gives (n·x)ⁿ⁻¹: the factor n stands before the power", POWER,
        "x = Value(3); f = x ** 3; f.backward()"),
    "power_raised": (of({"power"}, lambda local, y, x, n: [n * x ** (n + 1), 0]),
        "your {op} raises the exponent where it must lower it", POWER,
        "x = Value(3); f = x ** 2; f.backward()"),
    "always_square": (of({"power"}, lambda local, y, x, n: [n * x, 0]),
        "your {op} gives n·x, which is right for squares only", POWER,
        "x = Value(3); f = x ** 3; f.backward()"),
    "power_as_exponential": (of({"power"}, lambda local, y, x, n:
        [y * math.log(x) if x > 0 else math.nan, local[1]]),
        "your {op} gives the base xⁿ log x, which belongs to the exponent", POWER,
        "x = Value(3); f = x ** 2; f.backward()"),
    "exponential_as_power": (of({"exp"}, lambda local, y, x: [x * math.exp(x - 1)]),
        "your {op} has the power rule: x·eˣ⁻¹", "exp is its own derivative.",
        "x = Value(2); f = exp(x); f.backward()"),
    "operand_times_result": (of({"exp"}, lambda local, y, x: [x * y]),
        "your {op} multiplies by x once too often", "exp is its own derivative.",
        "x = Value(2); f = exp(x); f.backward()"),
    "operand_for_slope": (of(UNARY - {"exp", "log", "log2", "log10", "sqrt", "square", "tanh",
                                      "sigmoid", "reciprocal"}, lambda local, y, x: [x]),
        "your {op} multiplies by its operand instead of its derivative",
        "Multiply `out.grad` by the derivative of the function at x.",
        "x = Value(0.5); f = sin(x); f.backward()"),
    "output_for_operand": ({"log": lambda local, y, x: [1 / y], "sin": lambda local, y, x:
        [math.cos(y)], "cos": lambda local, y, x: [-math.sin(y)]},
        "the derivative of your {op} takes the result where its formula needs x",
        "(log x)′ = 1/x, (sin x)′ = cos x: of x, not of `out.data`.",
        "x = Value(2); f = log(x); f.backward()"),
    "base_forgotten": (of({"log2", "log10"}, lambda local, y, x: [1 / x]),
        "the derivative of your {op} forgets the base", "(logₙ x)′ = 1/(x log n).",
        "x = Value(2); f = log2(x); f.backward()"),
    "half_forgotten": (of({"sqrt"}, lambda local, y, x: [1 / y]),
        "the derivative of your {op} forgets the factor ½", "(√x)′ = 1/(2√x).",
        "x = Value(4); f = sqrt(x); f.backward()"),
    "half_of_root": (of({"sqrt"}, lambda local, y, x: [0.5 * y]),
        "the derivative of your {op} multiplies by √x where it must divide", "(√x)′ = 1/(2√x).",
        "x = Value(4); f = sqrt(x); f.backward()"),
    "two_forgotten": (of({"square"}, lambda local, y, x: [x]),
        "the derivative of your {op} forgets the factor 2", "(x²)′ = 2x.",
        "x = Value(3); f = square(x); f.backward()"),
    "reciprocal_unsquared": (of({"reciprocal"}, lambda local, y, x: [-y]),
        "the derivative of your {op} forgets the square: −1/x for −1/x²", "(1/x)′ = −1/x².",
        "x = Value(2); f = reciprocal(x); f.backward()"),
    "plus_for_minus": ({"tanh": lambda local, y, x: [1 + y * y],
                        "sigmoid": lambda local, y, x: [y * (1 + y)]},
        "the derivative of your {op} has a plus where a minus belongs", SQUASH,
        "x = Value(0.5); f = tanh(x); f.backward()"),
    "other_squashing": ({"tanh": lambda local, y, x: [y * (1 - y)],
                         "sigmoid": lambda local, y, x: [1 - y * y]},
        "your {op} has the derivative of the other squashing function", SQUASH,
        "x = Value(0.5); f = tanh(x); f.backward()"),
    "square_outside": (of({"tanh"}, lambda local, y, x: [(1 - y) ** 2]),
        "the derivative of your {op} squares the difference: (1 − t)² for 1 − t²", SQUASH,
        "x = Value(0.5); f = tanh(x); f.backward()"),
    "only_the_square": (of({"tanh", "sigmoid"}, lambda local, y, x: [y * y]),
        "the derivative of your {op} is the square of its result", SQUASH,
        "x = Value(0.5); f = tanh(x); f.backward()"),
    "one_minus_alone": (of({"sigmoid"}, lambda local, y, x: [1 - y]),
        "the derivative of your {op} forgets the factor s: 1 − s for s(1 − s)", SQUASH,
        "x = Value(0.5); f = sigmoid(x); f.backward()"),
    "gate_turned": (of({"relu"}, lambda local, y, x: [int(x <= 0)]),
        "your {op} lets the gradient pass where x is negative",
        "The gate is open where x > 0.",
        "x = Value(2); f = relu(x); f.backward()"),
    "shares_of_the_loser": (of({"maximum", "minimum"},
                               lambda local, y, *xs: [int(x != y) for x in xs]),
        "your {op} sends the gradient to the operands that were not chosen",
        "Only the operand that the result is equal to moves the result.",
        "x = Value(2); y = Value(3); f = maximum([x, y]); f.backward()"),
    "everyone_wins": (of({"maximum", "minimum"}, lambda local, y, *xs: [1] * len(xs)),
        "your {op} sends the gradient to every operand",
        "Only the operand that the result is equal to moves the result.",
        "x = Value(2); y = Value(3); f = maximum([x, y]); f.backward()"),
    "first_of_the_list": (of(LISTS, lambda local, y, *xs: [local[0], *[0] * (len(xs) - 1)]),
        "only the first value of your {op} gets a gradient",
        "Send a share to each parent: the loop must not return, or break, after the first.",
        "x = Value(2); y = Value(3); f = total([x, y]); f.backward()"),
    "divided_total": (of({"total"}, lambda local, y, *xs: [1 / len(xs)] * len(xs)),
        "your {op} sends each value 1/n of the gradient, as a mean does",
        "Each value of a sum moves it by as much as itself.",
        "x = Value(2); y = Value(3); f = total([x, y]); f.backward()"),
}  # fmt: skip


def with_slope(formulas: Formulas, op: str) -> type[Value]:
    return with_rule(formulas[op], op)


for name, (formulas, says, hint, shows) in SLOPES.items():
    mistake(says, hint, "one operation", shows, formulas, name)(partial(with_slope, formulas))


variant_of("gate_turned")(lambda op: with_rule(lambda local, y, x: [int(x < 0)], op))


def leaking(leak: float, op: str) -> type[Value]:
    return with_rule(lambda local, y, x: [1 if x > 0 else leak], op)


mistake("your {op} sends a part of the gradient back where its slope is 0",
        "Below 0 the relu is constant; a leaky relu leaks in its value, too.",
        "one operation", "x = Value(-2); f = relu(x); f.backward()", {"relu"},
        "leaks_backward")(partial(leaking, 0.01))  # fmt: skip
for leak in (0.001, 0.05, 0.1, 0.2, 0.5, -1):
    variant_of("leaks_backward")(partial(leaking, leak))

WRONG_EXPONENTS: dict[str, tuple[Callable[..., Any], str]] = {
    "exponent_without_log": (lambda local, y, a, b: [local[0], y],
        "the exponent of your {op} gets aᵇ: the factor log a is missing"),
    "log_of_the_exponent": (lambda local, y, a, b: [local[0], y * math.log(b)],
        "the exponent of your {op} gets aᵇ log b, where the log is that of the base"),
    "log_alone": (lambda local, y, a, b: [local[0], math.log(a)],
        "the exponent of your {op} gets log a: the factor aᵇ is missing"),
    "exponent_as_base": (lambda local, y, a, b: [local[0], local[0]],
        "the exponent of your {op} gets the gradient of the base"),
}  # fmt: skip
for name, (rule, says) in WRONG_EXPONENTS.items():
    shows = "a = Value(2); b = Value(3); f = a ** b; f.backward()"
    mistake(says, EXPONENT, "exponents", shows, {"power"}, name)(partial(with_rule, rule))


# Wrong values. Name: the function that each operation computes, the sentence, the hint, the
# smallest program.

ALIKE = ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "expm1", "square", "sqrt", "absolute",
         "relu", "sigmoid", "softplus", "log", "log1p", "arctan", "erf")  # fmt: skip
VALUES: dict[str, tuple[Formulas, str, str, str]] = {
    "operands_swapped": ({"sub": lambda a, b: b - a, "div": lambda a, b: b / a,
                          "power": lambda a, b: b**a},
        "your {op} takes its operands in the wrong order",
        "In `a - b` self is a and other is b.", "a = Value(2); b = Value(3); f = a - b"),
    "other_operator": ({"sub": lambda a, b: a + b, "div": lambda a, b: a * b,
                        "mul": lambda a, b: a + b, "power": lambda a, b: a * b},
        "your {op} computes another operator",
        "A copied line? Look at the sign between the two numbers.",
        "a = Value(2); b = Value(3); f = a - b"),
    "other_function": ({op: math.cos if op == "sin" else math.sin for op in ALIKE},
        "your {op} computes another function",
        "A copied line? Look at the name of the function behind `math.`.",
        "x = Value(2); f = cos(x)"),
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
for other in ALIKE:
    bounded = {"log", "sqrt"} if other in ("relu", "absolute") else set()  # there it is x itself
    formula = of(set(ALIKE) - {other} - bounded, Value.forward[other])
    variant_of("other_function", formula)(partial(with_value, formula))
variant_of("right_ignored", {"div"})(lambda op: with_value({"div": lambda a, b: 1 / a}, op))
variant_of("other_base", {"log"})(lambda op: with_value({"log": math.log2}, op))
variant_of("other_base", {"exp"})(lambda op: with_value({"exp": lambda x: 10**x}, op))


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


# How shares are sent.


@mistake("your {op} multiplies by `.grad` of an operand where its `.data` belongs",
         "Local gradients are made of numbers of the forward pass: `other.data * out.grad`.",
         "one operation", "a = Value(2); b = Value(3); f = a * b; f.backward()",
         CURVED - LISTS - {"where", "stop_gradient", "dot", "clip"})  # fmt: skip
def grad_for_data(op: str) -> type[Value]:
    return reading(op, grads, lambda i: True)


def reading(
    op: str, of_operands: Callable[..., Any], in_line: Callable[[int], bool]
) -> type[Value]:
    """The rule of the lines that are wrong reads `of_operands(line, parents)` for their data."""

    def send(self: Value) -> None:
        for i, parent in enumerate(self.parents):
            local: Any = self.local[i]
            if in_line(i):
                xs = of_operands(i, self.parents)
                if op == "power":
                    xs[1] = self.parents[1].data
                local = PLAINLY[op](*xs)[i] if op in PLAINLY else plain_rule(op, xs)[i]
            parent.grad += local * self.grad

    return with_send(op, send)


def plain_rule(op: str, xs: list[Any]) -> Any:
    return Value.rules[op](Value.forward[op](*xs), *xs)


PLAINLY: dict[str, Callable[..., Any]] = {  # as Python computes it: 1/0 raises
    "mul": lambda a, b: (b, a), "div": lambda a, b: (1 / b, -a / b**2),
    "power": lambda x, n: (n * x ** (n - 1), 0), "log": lambda x: (1 / x,),
    "sqrt": lambda x: (0.5 / math.sqrt(x),), "reciprocal": lambda x: (-1 / x**2,),
}  # fmt: skip


def grads(i: int, parents: Any) -> list[Any]:
    return [p.grad for p in parents]


def own_grad(i: int, parents: Any) -> list[Any]:
    return [parents[i].grad for _ in parents]


LINES: list[Callable[[int], bool]] = [lambda i: True, lambda i: i == 0, lambda i: i == 1]
for in_line in LINES:
    for of_operands in (grads, own_grad):
        slip = partial(reading, of_operands=of_operands, in_line=in_line)
        variant_of("grad_for_data", BINARY)(slip)


ONE_GRAD: list[Callable[..., list[Any]]] = [
    lambda i, parents: [parents[0].grad, parents[1].data],
    lambda i, parents: [parents[0].data, parents[1].grad],
]
for of_operands in ONE_GRAD:
    for in_line in (LINES[0], LINES[2]):
        slip = partial(reading, of_operands=of_operands, in_line=in_line)
        variant_of("grad_for_data", {"div"})(slip)


@variant_of("grad_for_data", UNARY & CURVED)
def grad_for_slope(op: str) -> type[Value]:
    def send(self: Value) -> None:
        self.parents[0].grad += self.parents[0].grad * self.grad

    return with_send(op, send)


@mistake("your {op} multiplies by `.grad` of an operand where that of the result belongs",
         "The upstream is the gradient of the result: `out.grad`.",
         "one operation", "x = Value(2); f = exp(x); f.backward()", ops.PUBLIC)  # fmt: skip
def upstream_of_operand(op: str) -> type[Value]:
    return upstream_of(lambda i: i, LINES[0], op)


def upstream_of(
    whose: Callable[[int], int], in_line: Callable[[int], bool], op: str
) -> type[Value]:
    def send(self: Value) -> None:
        for i, (parent, local) in enumerate(zip(self.parents, self.local)):
            parent.grad += local * (self.parents[whose(i)] if in_line(i) else self).grad

    return with_send(op, send)


for in_line in LINES:
    for whose in (lambda i: i, lambda i: 1 - i):
        variant_of("upstream_of_operand", BINARY)(partial(upstream_of, whose, in_line))


@mistake("the derivative of your {op} takes `out.grad` where `out.data` belongs",
         "The result is `out.data`; `out.grad` is the upstream, by which you multiply once.",
         "one operation", "x = Value(0.5); f = tanh(x); f.backward()",
         {"exp", "tanh", "sigmoid"})  # fmt: skip
def upstream_for_result(op: str) -> type[Value]:
    formula = {"exp": lambda g: g, "tanh": lambda g: 1 - g * g, "sigmoid": lambda g: g * (1 - g)}

    def send(self: Value) -> None:
        self.parents[0].grad += formula[op](self.grad) * self.grad

    return with_send(op, send)


@mistake("your {op} multiplies its local gradient by `out.data` where `out.grad` belongs",
         "The chain rule: local gradient times the gradient of the result, `out.grad`.",
         "one operation", "x = Value(2); f = exp(x); f.backward()", ops.PUBLIC)  # fmt: skip
def result_for_upstream(op: str) -> type[Value]:
    def send(self: Value) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.grad += local * self.data

    return with_send(op, send)


@mistake("your {op} adds the upstream to its local gradient where it must multiply",
         "The chain rule: local gradient times `out.grad`.",
         "one operation", "x = Value(2); f = exp(x); f.backward()", ops.PUBLIC)  # fmt: skip
def plus_for_times(op: str) -> type[Value]:
    def send(self: Value) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.grad += local + self.grad

    return with_send(op, send)


@variant_of("plus_for_times")
def plus_and_overwrites(op: str) -> type[Value]:
    def send(self: Value) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.grad = local + self.grad

    return with_send(op, send)


@variant_of("result_for_upstream")
def result_for_upstream_and_overwrites(op: str) -> type[Value]:
    def send(self: Value) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.grad = local * self.data

    return with_send(op, send)


@variant_of("forgets_upstream")
def forgets_and_overwrites(op: str) -> type[Value]:
    def send(self: Value) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.grad = local

    return with_send(op, send)


@mistake("your {op} divides its result by the operand to get a local gradient, which fails at 0",
         "∂(a·b)/∂a is b itself, not a·b/a: 0/0 is no number.",
         "one operation", "a = Value(2); b = Value(0); f = a * b; f.backward()",
         {"mul"})  # fmt: skip
def product_over_operand(op: str) -> type[Value]:
    def send(self: Value) -> None:
        for parent in self.parents:
            parent.grad += self.data / parent.data * self.grad

    return with_send(op, send)


@mistake("your {op} multiplies by its own `.grad` twice",
         "The chain rule: local gradient times `out.grad`, once.",
         "upstream", "x = Value(2); f = exp(x) * 3; f.backward()", ops.PUBLIC)  # fmt: skip
def upstream_twice(op: str) -> type[Value]:
    def send(self: Value) -> None:
        for parent, local in zip(self.parents, self.local):
            parent.grad += local * self.grad * self.grad

    return with_send(op, send)


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


@mistake("your {op} lets the upstream pass where it is positive, whatever x is",
         "The gate belongs to the operand: `(self.data > 0) * out.grad`.",
         "one operation", "x = Value(-2); f = relu(x); f.backward()", {"relu"})  # fmt: skip
def gate_of_the_upstream(op: str) -> type[Value]:
    def send(self: Value) -> None:
        self.parents[0].grad += max(self.grad, 0)

    return with_send(op, send)


@mistake("your {op} keeps its local gradients by the parent: of `x - x` only the last remains",
         "A dictionary has one entry a key: keep the local gradients in a list, beside the "
         "parents.",
         "reuse", "x = Value(2); f = x - x; f.backward()", BINARY)  # fmt: skip
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


@mistake("the rule of your {op} computes with Values, so that `.grad` becomes one",
         "A gradient is a number: inside a rule write `self.data`, `other.data`, `out.data`.",
         "one operation", "x = Value(3); f = x ** 2; f.backward()", CURVED)  # fmt: skip
def value_in_rule(op: str) -> type[Value]:
    return of_nodes(LINES[0], op)


def of_nodes(in_line: Callable[[int], bool], op: str) -> type[Value]:
    def send(self: Value) -> None:
        for i, (parent, local) in enumerate(zip(self.parents, self.local)):
            factor: Any = Value(local) if in_line(i) else local
            parent.grad += factor * self.grad

    return with_send(op, send)


for in_line in LINES[1:]:
    variant_of("value_in_rule", BINARY)(partial(of_nodes, in_line))


@mistake("your {op} calls its rule while it builds the node, and keeps the result of the call",
         "`out._backward = rule`, without brackets: backward calls it later.",
         "one operation", "x = Value(2); f = exp(x); f.backward()", ops.PUBLIC)  # fmt: skip
def called_at_once(op: str) -> type[Value]:
    def send(self: Value) -> None:
        raise TypeError("'NoneType' object is not callable")

    return with_send(op, send)


@mistake("the rule of your {op} asks a plain number for its `.data`",
         "What holds a number is a number: only a Value has `.data`.",
         "one operation", "x = Value(2); f = exp(x); f.backward()", ops.PUBLIC)  # fmt: skip
def data_of_a_number(op: str) -> type[Value]:
    return with_send(op, lambda v: getattr(v.data, "data of a number"))


@mistake("your {op} hangs its rule on the operand, not on the result",
         "`out._backward = rule` before `return out`: with `self._backward` the rule that made "
         "self is lost.",
         "upstream", "x = Value(2); f = exp(x * 2); f.backward()", ops.PUBLIC)  # fmt: skip
def rule_on_operand(op: str) -> type[Value]:
    return on_operand(0, op)


def on_operand(which: int, op: str) -> type[Value]:
    def make(cls: Any, name: str, *operands: Any) -> Any:
        out = Value.make.__func__(cls, name, *operands)  # type: ignore[attr-defined]
        if name == op and out.parents:
            out.parents[which].rule_of = out
        return out

    def send(self: Any) -> None:
        rule_of = getattr(self, "rule_of", self if self.op != op else None)
        if rule_of is not None:
            Value.send(rule_of)

    return variant(make=classmethod(make), send=send)


variant_of("rule_on_operand", BINARY)(partial(on_operand, 1))


# What an operation does to its operands, and what it returns.


def making(op: str, made: Callable[..., Any]) -> type[Value]:
    """An engine in which one operation is made as `made(the usual way, operands)` says."""

    def make(cls: Any, name: str, *operands: Any) -> Any:
        usual = partial(Value.make.__func__, cls, name)  # type: ignore[attr-defined]
        return made(usual, *operands) if name == op else usual(*operands)

    return variant(make=classmethod(make))


@mistake("your {op} changes the number of its operand and returns the operand",
         "An operation makes a new node: `out = Value(…, (self,))`. Its operand may be needed "
         "elsewhere.",
         "operands", "x = Value(-2); f = abs(x); f.backward()", UNARY)  # fmt: skip
def returns_the_operand(op: str) -> type[Value]:
    def made(usual: Any, x: Any) -> Any:
        x.data = Value.forward[op](x.data)
        return x

    return making(op, made)


@mistake("your {op} changes the number of its operand",
         "Compute the new number in a name of its own; `self.data` belongs to the operand.",
         "operands", "x = Value(-2); f = abs(x); f.backward()", UNARY)  # fmt: skip
def overwrites_the_operand(op: str) -> type[Value]:
    def made(usual: Any, x: Any) -> Any:
        out = usual(x)
        x.data = out.data
        return out

    return making(op, made)


@mistake("your {op} returns nothing",
         "A function without `return` gives None: end it with `return out`.",
         "values", "x = Value(2); f = exp(x)", ops.PUBLIC)  # fmt: skip
def returns_nothing(op: str) -> type[Value]:
    return making(op, lambda usual, *operands: None)


@mistake("your {op} returns a number, not a Value",
         "An operation makes a new node: `return Value(…, (self, other))`.",
         "values", "x = Value(2); f = exp(x)", ops.PUBLIC)  # fmt: skip
def returns_a_number(op: str) -> type[Value]:
    return making(op, lambda usual, *operands: float(usual(*operands).data))


@mistake("your {op} makes a node without a number: its `.data` is None",
         "Give the new node its number: a function that computes it needs a `return`, too.",
         "values", "x = Value(2); f = exp(x)", ops.PUBLIC)  # fmt: skip
def without_a_number(op: str) -> type[Value]:
    def made(usual: Any, *operands: Any) -> Any:
        out = usual(*operands)
        out.data = None
        return out

    return making(op, made)


@mistake("your {op} computes the number of the new node with Values, so that `.data` is one",
         "A node holds a number: `Value(self.data * other.data, …)`.",
         "values", "x = Value(2); f = exp(x)", ops.PUBLIC)  # fmt: skip
def value_as_data(op: str) -> type[Value]:
    def made(usual: Any, *operands: Any) -> Any:
        out = usual(*operands)
        out.data = Value(out.data)
        return out

    return making(op, made)


@mistake("your {op} hands the Value itself to a function of numbers",
         "`math.exp(self.data)`, not `math.exp(self)`.",
         "values", "x = Value(2); f = exp(x)", UNARY)  # fmt: skip
def value_for_number(op: str) -> type[Value]:
    return refusing(TypeError("must be real number, not Value"), op)


def refusing(error: Exception, op: str) -> type[Value]:
    def made(usual: Any, *operands: Any) -> Any:
        raise error

    return making(op, made)


UFUNC = TypeError("loop of ufunc does not support argument 0 of type Value")
variant_of("value_for_number")(partial(refusing, UFUNC))


@mistake("your {op} uses a name that is not defined",
         "Is it imported, and spelled as where it was made?",
         "values", "x = Value(2); f = exp(x)", ops.PUBLIC)  # fmt: skip
def undefined_name(op: str) -> type[Value]:
    return refusing(NameError("name 'np' is not defined"), op)


UNKNOWN = AttributeError("module 'numpy' has no attribute 'sigmoid'")
variant_of("undefined_name")(partial(refusing, UNKNOWN))


@variant_of("undefined_name")
def undefined_name_in_the_rule(op: str) -> type[Value]:
    def send(self: Value) -> None:
        raise NameError("name 'x' is not defined")

    return with_send(op, send)


@mistake("your {op} is made with `-other`, but the class has no `__neg__`",
         "Write `__neg__`, which makes `-x`, or subtract the numbers themselves.",
         "values", "x = Value(2); y = Value(3); f = x - y", {"sub"})  # fmt: skip
def minus_without_neg(op: str) -> type[Value]:
    return refusing(TypeError("bad operand type for unary -: 'Value'"), op)


@mistake("your {op} sets the gradients of its operands to 0 in the forward pass",
         "A forward pass writes no gradients: the operand may have received some already.",
         "passes", "x = Value(1); (x * 2).backward(); (x * 3).backward()",
         ops.PUBLIC)  # fmt: skip
def zeroes_in_forward(op: str) -> type[Value]:
    return zeroing(op, slice(None))


def zeroing(op: str, which: slice) -> type[Value]:
    def made(usual: Any, *operands: Any) -> Any:
        out = usual(*operands)
        for p in out.parents[which]:
            p.grad = 0
        return out

    return making(op, made)


variant_of("zeroes_in_forward", TWO)(lambda op: zeroing(op, slice(1)))
variant_of("zeroes_in_forward", TWO)(lambda op: zeroing(op, slice(1, None)))


@mistake("your {op} takes the logarithm of its base though the exponent is a plain number",
         "log a belongs to the gradient of the exponent: compute it only where the exponent is a "
         "Value.",
         "values", "x = Value(-3); f = x ** 2", {"power"})  # fmt: skip
def log_of_base(op: str) -> type[Value]:
    def made(usual: Any, x: Any, n: Any) -> Any:
        math.log(x.data if isinstance(x, Value) else x)
        return usual(x, n)

    return making(op, made)


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

    return making(op, made)


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
    def changed(self: Value, other: Any) -> Value:
        self.data = Value.forward[op](self.data, getattr(other, "data", other))
        return self

    return variant(**{RIGHT_HANDED[op].replace("__r", "__i"): changed})


@mistake("the rules are hung on the operands, not on the results",
         "`out._backward = rule` before `return out`: with `self._backward` the rule that made "
         "self is lost.",
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
class rules_on_operands_left_first(rules_on_operands):
    def known(self) -> tuple[Value, ...]:
        return self.parents[::-1]


@variant_of("rules_on_operands")
class rules_on_operands_of_sets(rules_on_operands, SetWalk):
    known, backward = as_chosen, Value.backward
