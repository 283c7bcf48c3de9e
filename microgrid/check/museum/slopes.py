"""Slips in a derivative: a formula tells the wrong local gradients of each operation."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from microgrid.check.museum.base import Value
from microgrid.check.museum.mistakes import BINARY, UNARY, mistake, variant_of, with_rule

LISTS = {"total", "mean", "maximum", "minimum", "logsumexp"}
BY_X = UNARY - {"exp", "log", "log2", "log10", "sqrt", "square", "tanh", "sigmoid", "reciprocal"}
"""Where "multiplies by x" is not what another entry says better."""

# Wrong local gradients. Name: the rule of each operation that may have it, made of the right local
# gradients and (y, *xs), the sentence, the hint, the smallest program.

Formulas = dict[str, Callable[..., Any]]


def log(x: Any) -> float:
    return math.log(x) if x > 0 else math.nan


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
    "factor_for_exponent": (of({"power"}, lambda local, y, x, n: [(n - 1) * y, 0]),
        "your {op} gives (n − 1)·xⁿ: the exponent is lowered by one, not the factor", POWER,
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
        [y * log(x), local[1]]),
        "your {op} gives the base xⁿ log x, which belongs to the exponent", POWER,
        "x = Value(3); f = x ** 2; f.backward()"),
    "exponential_as_power": (of({"exp"}, lambda local, y, x: [x * math.exp(x - 1)]),
        "your {op} has the power rule: x·eˣ⁻¹", "exp is its own derivative.",
        "x = Value(2); f = exp(x); f.backward()"),
    "operand_times_result": (of({"exp"}, lambda local, y, x: [x * y]),
        "your {op} multiplies by x once too often", "exp is its own derivative.",
        "x = Value(2); f = exp(x); f.backward()"),
    "operand_for_slope": (of(BY_X | {"power"}, lambda local, y, x, *n: [x, *n]),
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
    "log_of_the_exponent": (lambda local, y, a, b: [local[0], y * log(b)],
        "the exponent of your {op} gets aᵇ log b, where the log is that of the base"),
    "log_alone": (lambda local, y, a, b: [local[0], log(a)],
        "the exponent of your {op} gets log a: the factor aᵇ is missing"),
    "exponent_as_base": (lambda local, y, a, b: [local[0], local[0]],
        "the exponent of your {op} gets the gradient of the base"),
}  # fmt: skip
for name, (rule, says) in WRONG_EXPONENTS.items():
    shows = "a = Value(2); b = Value(3); f = a ** b; f.backward()"
    mistake(says, EXPONENT, "exponents", shows, {"power"}, name)(partial(with_rule, rule))
