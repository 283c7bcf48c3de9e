"""Arithmetic as text: parsed, never evaluated as code."""

import math
import sys
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.strategies import hundredths

from microgrid import Value
from microgrid.views.expression import CALLS, LISTS, ExpressionError, parse


@given(hundredths, hundredths)
def test_an_expression_means_what_python_means(x, y):
    text = "-x*y + 2*(x - y)**2 / (1 + x*x) - sin(y)"
    right = -x * y + 2 * (x - y) ** 2 / (1 + x * x) - math.sin(y)
    assert parse(text, {"x": x, "y": y}).data == right


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("max(x, 3, 2)", 3.0),
        ("where(x > 0, x, 0)", 1.0),
        ("sum([x, x, 2])", 4.0),
        ("logsumexp(x, x)", 1 + math.log(2)),
        ("abs(-x) + +x", 2.0),
        ("leaky_relu(-x)", -0.01),
        ("cos(pi * x)", -1.0),
        ("cos(π * x)", -1.0),
        ("ln(e * x)", 1.0),
        ("where(x == 1, 5, 0)", 5.0),
        ("where(x != 1, 5, 0)", 0.0),
        ("where(x == x + 0, 5, 0)", 5.0),
        ("where(0 < x < 1, 5, 0)", 0.0),
        ("where(0 < x <= 1 == x, 5, 0)", 5.0),
        ("3·x² − 2×x^3 ÷ 4 – x⁻¹", 1.5),
        ("where(x ≥ 1, 2, 3) + where(x ≠ 1, 5, 0) + where(x ≤ 0, 7, 0)", 2.0),
        ("x +\n  x", 2.0),
        ("cross_entropy([x, x], 1)", math.log(2)),
        ("cross_entropy([x, x], [0.25, 0.75])", math.log(2)),
        ("cross_entropy([x, x], [0, 1])", math.log(2)),
    ],
)
def test_functions_and_lists(text, value):
    assert parse(text, {"x": 1.0}).data == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "numbers", "words"),
    [
        ("x +", {"x": 1.0}, ["invalid syntax"]),
        ("(x", {"x": 1.0}, ["never closed"]),
        ("__import__('os')", {}, ["no function '__import__'"]),
        ("x.real", {"x": 1.0}, ["not arithmetic"]),
        ("x if x else 1", {"x": 1.0}, ["not arithmetic"]),
        ("lambda: 1", {}, ["not arithmetic"]),
        ("[x for x in [1]]", {}, ["not arithmetic"]),
        ("x @ x", {"x": 1.0}, ["not arithmetic"]),
        ("x % 2", {"x": 1.0}, ["not arithmetic"]),
        ("'a'", {}, ["not a real number"]),
        ("1j", {}, ["not a real number"]),
        ("True", {}, ["not a real number"]),
        ("x + y", {"x": 1.0}, ["y has no number", "y=", "    ^"]),
        ("x", {"x": 1.0, "y": 2.0}, ["y has a number"]),
        ("log(x - 2)", {"x": 1.0}, ["log", "x > 0"]),
        ("1 / (x - 1)", {"x": 1.0}, ["division by zero"]),
        ("relu(x, x)", {"x": 1.0}, ["takes 1", "2 were given"]),
        ("relu(x=1)", {}, ["not arithmetic"]),
        ("[x]", {"x": 1.0}, ["one number"]),
        ("x > 0", {"x": 1.0}, ["one number", "where(condition, a, b)"]),
        ("x == 1", {"x": 1.0}, ["one number", "where(condition, a, b)"]),
        ("x == 1 and x > 0", {"x": 1.0}, ["where(condition, a, b)"]),
        ("not x", {"x": 1.0}, ["where(condition, a, b)"]),
        ("if x > 0: 1", {"x": 1.0}, ["where(condition, a, b)"]),
        ("x == [1]", {"x": 1.0}, ["wrong operands"]),
        ("where(0 < x < [1], 1, 2)", {"x": 1.0}, ["wrong operands"]),
        ("where(x = 1, 1, 2)", {"x": 1.0}, ["== compares"]),
        ("f = x", {"x": 1.0}, ["leave out the name and ="]),
        ("1,5*x", {"x": 1.0}, ["one number", "a decimal number has a point, like 1.5"]),
        ("softmax([x, 1])", {"x": 1.0}, ["not a list of 2"]),
        ("log(x, 2)", {"x": 1.0}, ["takes 1 operand", "base b is log(x) / log(b)"]),
        ("where(x > 0, 1)", {"x": 1.0}, ["where takes 3 operands, but 2 were given"]),
        ("leaky_relu()", {}, ["takes 1 to 2 operands, but 0 were given"]),
        ("max()", {}, ["takes at least 1 operand"]),
        ("cross_entropy([1, 2], 1.9)", {}, ["got 1.9"]),
        ("cross_entropy([1, 2], -0.5)", {}, ["got -0.5"]),
        ("cross_entropy([1, 2], 2)", {}, ["out of range for 2 logits"]),
        ("(1,5)*x", {"x": 1.0}, ["a list where a number is needed", "like 1.5"]),
        ("[x, 2]*3", {"x": 1.0}, ["a list where a number is needed"]),
        ("-[x]", {"x": 1.0}, ["a list where a number is needed"]),
        ("sin([x])", {"x": 1.0}, ["a list where a number is needed"]),
        ("max([x, 2], [3])", {"x": 1.0}, ["a list where a number is needed"]),
        ("sum([x, [2]])", {"x": 1.0}, ["a list where a number is needed"]),
        ("sum(x, x)", {"x": 1.0}, ["takes 1 operand", "it takes 1 list like [x, 2]"]),
        ("dot(x, x)", {"x": 1.0}, ["dot takes 2 lists like [x, 2]"]),
        ("cross_entropy(x, 0)", {"x": 1.0}, ["cross_entropy takes 1 list like [x, 2]"]),
        ("cross_entropy([x])", {"x": 1.0}, ["takes 2 operands, but 1 was given"]),
        ("np.exp(x)", {"x": 1.0}, ["write exp(…), without a dot"]),
        ("SIGMOID(x)", {"x": 1.0}, ["did you mean sigmoid"]),
        ("x", {"x": 1.0, "y": 2.0, "z": 3.0}, ["y, z have numbers but are not in"]),
        ("2x", {"x": 1.0}, ["a product needs its *"]),
        ("2(x + 1)", {"x": 1.0}, ["a product needs its *"]),
        ("(x)(x)", {"x": 1.0}, ["a product needs its *"]),
        ("x(x + 1)", {"x": 1.0}, ["x is a number", "a product needs its *"]),
        ("sin x", {"x": 1.0}, ["brackets, like sin(x)"]),
        ("sin + x", {"x": 1.0}, ["sin is a function", "sin(x)"]),
        ("|x|", {"x": 1.0}, ["abs(x)"]),
        ("lambda*x", {"x": 1.0}, ["a word of Python, such as lambda"]),
        ("sigmod(x)", {"x": 1.0}, ["did you mean sigmoid"]),
        ("x*y*z*w", {"x": 1.0}, ["w, y, z have no numbers: add w=… y=… z=…"]),
        ("x*1e400", {"x": 1.0}, ["too large"]),
        ("x + " * 3000 + "x", {"x": 1.0}, ["12001 characters"]),
        ("x + " * 300 + "x", {"x": 1.0}, ["nested deeper"]),
        ("(" * 90 + "x" + ")" * 90 + "+" * 400 + "1", {"x": 1.0}, ["nested"]),
        ("1" * 400, {}, ["too large"]),
        ("", {}, ["invalid syntax"]),
        ("\0", {}, ["null"]),
    ],
    ids=lambda x: x[:20] if isinstance(x, str) else None,
)
def test_what_is_not_arithmetic_is_refused_with_its_place(text, numbers, words):
    with pytest.raises(ExpressionError) as error:
        parse(text, numbers)
    for word in words:
        assert word in str(error.value)


def test_the_pointer_counts_characters_not_bytes():
    with pytest.raises(ExpressionError) as error:
        parse("σ + q", {"σ": 1.0})
    _, line, pointer = str(error.value).splitlines()
    assert line[pointer.index("^")] == "q"


def test_a_caller_deep_in_calls_gets_an_error_and_no_crash():
    def deep(calls):
        return deep(calls - 1) if calls else parse("sin(" * 150 + "x" + ")" * 150, {"x": 1.0})

    outcomes = set()
    for calls in range(0, sys.getrecursionlimit() - 200, 50):
        try:
            outcomes.add(type(deep(calls)))
        except ExpressionError as error:
            outcomes.add(str(error))
        except RecursionError:  # nothing was left to say it with
            break
    assert outcomes == {Value, "nested too deeply: give the parts names"}


def test_towers_of_powers_end_at_once():
    start = time.perf_counter()
    with pytest.raises(ExpressionError):
        parse("9**9**9**9", {})
    assert time.perf_counter() - start < 5  # Python's integers would compute until the machine ends


@pytest.mark.parametrize("name", sorted(CALLS))
@pytest.mark.parametrize("count", range(5))
def test_a_function_takes_the_operands_that_it_takes_in_python_and_no_others(name, count):
    words = (["[x, 0.25]"] * LISTS.get(name, (0,))[0] + ["x", "0.25", "0.5", "1"])[:count]
    x = Value(0.5)
    try:
        right = CALLS[name](*[eval(word, {"x": x}) for word in words])
        assert not isinstance(right, list)  # of softmax
    except Exception:
        with pytest.raises(ExpressionError):
            parse(f"{name}({', '.join(words)})", {"x": 0.5})
    else:
        assert parse(f"{name}({', '.join(words)})", {"x": 0.5}).data == right.data


@given(st.text(max_size=60))
def test_any_text_gives_a_graph_or_one_clear_error(text):
    with suppress(ExpressionError):
        assert isinstance(parse(text, {"x": 1.0}), Value)
