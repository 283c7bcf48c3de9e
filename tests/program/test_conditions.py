"""What may stand in a recorded function: comparisons are lines; what is refused says what works."""

import copy
import math
import operator
import pickle
import random
import re
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import microgrid as mg
from microgrid import MicrogridError, Value, record
from microgrid.engine import ops
from microgrid.engine.conditions import Condition, comparison
from microgrid.engine.rules import no_path
from microgrid.program.impure import ImpureError
from microgrid.program.tracing import BranchError

ENGINES = ["numba", "numpy"]
COMPARE = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
    "!=": operator.ne,
}  # fmt: skip
near = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, 0.5, math.inf, -math.inf, math.nan, 1e-300])
halves = st.integers(-4, 4).map(lambda k: k / 2)  # so that ties are drawn


# A comparison is a line.


@pytest.mark.parametrize("sign", COMPARE)
@given(near, near)
def test_a_comparison_of_a_program_is_that_of_the_numbers(sign, a, b):
    compare = COMPARE[sign]
    assert record(lambda x: mg.where(compare(x, b), 1, 0), 0.5, pure=True)(a) == compare(a, b)
    assert record(lambda y: mg.where(compare(a, y), 1, 0), 0.5, pure=True)(b) == compare(a, b)
    assert record(lambda x, y: 1.0 * compare(x, y), 0.5, 0.5, pure=True)(a, b) == compare(a, b)


def huber(r):
    return mg.where(abs(r) <= 1, r * r / 2, abs(r) - 0.5)


ONE = {
    "leaky relu": lambda x: mg.where(x > 0, x, 0.1 * x),
    "huber": huber,
    "a product": lambda x: (x > 0) * x + 3 * (x >= 1) * x * x,
    "a sum of comparisons": lambda x: x * ((x > 0) + (x > 1) + (x < 2)),
    "np.where": lambda x: np.where(x > 0, x * x, -x),
    "np.greater": lambda x: np.greater(x, 0.5) * x,
    "np.maximum": lambda x: np.maximum(x, 0.5) * x,
    "maximum of one": lambda x: mg.maximum(x, x > 0),
    "equal": lambda x: mg.where(x == 1.0, 3 * x, x * x),
    "not equal": lambda x: mg.where(x != 1.0, mg.sin(x), 7.0),
    "beside an exact number": lambda x: mg.where(x > Fraction(1, 2), x, -x),
    "beside NumPy's numbers": lambda x: mg.where(x <= np.float32(0.5), x, np.int64(2) * x),
    "and, or, not": lambda x: mg.where(((x > 0) & (x < 1)) | (x == 2), x, x * x),
    "with a bool": lambda x: mg.where((x > 0) ^ True, x, 2 * x) + mg.where(True & (x > 1), x, 0),
    "behind a shut gate": lambda x: mg.where(x > 0, mg.sqrt(mg.maximum(x, 0)), x * 0.5),
    "of derivatives": lambda x: mg.grad(lambda z: mg.where(z > 0, z * z, 3 * z))(x) * x,
    "of a derivative at a number": lambda x: mg.grad(lambda z: mg.where(z > 1, z * x, z))(2.0) * x,
    "of higher order": lambda x: mg.grad(mg.grad(lambda z: mg.where(z > 0, z**3, z * z)))(x),
    "forward": lambda x: mg.jvp(lambda z: mg.where(z > 0, z * z, z), (x,), (x,))[1],
    "a dict keyed by Values": lambda x: {x: x * 2, x * 1.0: x * 3}[x],
    "a set of Values": lambda x: x * len({x, x * 2, x}),
    "what is in a list": lambda x: x * (x in [x, 5 * x]),
}
MANY = {
    "A > 0": lambda A: ((A > 0) * A).sum(),
    "np.where": lambda A: np.where(A > 0, A, 0.1 * A).sum(),
    "np.where of numbers": lambda A: (np.where(A >= 0.5, 1.0, 0.0) * A).sum(),
    "mg.where": lambda A: mg.where(A > 0, A, 0.1 * A).sum(),
    "np.maximum": lambda A: (np.maximum(A, 0) * A).sum(),
    "np.minimum of two": lambda A: (np.minimum(A, A[::-1] * 2) * A).sum(),
    "np.clip": lambda A: (np.clip(A, -1, 1) * A).sum(),
    "A.clip": lambda A: (A.clip(-1, 1) * A).sum(),
    "A.max": lambda A: A.max() * A[0] + A.min(),
    "np.max along an axis": lambda A: (np.max(A.reshape(2, 2), axis=1) * A[:2]).sum(),
    "max of all of a matrix": lambda A: A.reshape(2, 2).max() * 2,
    "a column": lambda A: ((A[:, None] > A) * A).sum(),
    "an entry": lambda A: ((A[0] <= A) * A).sum(),
    "an entry first": lambda A: ((A[0] + 0 > A) * A + (A[1] - 1 < A)).sum(),
    "numbers first": lambda A: np.where(np.array([0.0, 1.0, 0.5, 2.0]) < A, A, 2 * A).sum(),
    "numbers beside an entry": lambda A: np.where(np.array([0.0, 1.0]) < A[0], 2.0, A[1]).sum(),
    "~, & and |": lambda A: (A * (~(A > 0) | ((A > 1) & (A != 1.5)))).sum(),
    "astype": lambda A: ((A > 0).astype(float) * A).sum(),
    "after a function": lambda A: np.where(mg.tanh(A) > 0.5, A, -A).sum(),
    "after a product": lambda A: np.maximum(A @ np.ones((4, 2)), A[:2]).sum(),
    "of a gradient": lambda A: mg.grad(lambda B: (np.maximum(B, 0) * B).sum())(A).sum(),
    "in a list": lambda A: np.maximum(np.stack([A, 2 * A]), 0).sum(),
    "equal entries": lambda A: ((A == 0.5) * A * 3).sum(),
    "a mean of signs": lambda A: (A > 0).mean() * A.sum(),
}


@pytest.mark.parametrize("name", ONE)
@settings(deadline=None, max_examples=60)
@given(halves | near)
def test_a_recorded_comparison_is_the_direct_one_with_its_gradient(name, x):
    f = ONE[name]
    for program in recorded(name, f, 0.25):
        assert_alike(program, f, x)


@pytest.mark.parametrize("name", MANY)
@settings(deadline=None, max_examples=60)
@given(st.lists(halves, min_size=4, max_size=4).map(np.array))
@example(np.array([0.0, math.nan, 1.0, -1.0]))
@example(np.array([math.inf, -math.inf, 1.0, -0.0]))
def test_recorded_comparisons_of_arrays_are_the_direct_ones_with_their_gradients(name, x):
    f = MANY[name]
    for program in recorded(name, f, np.arange(4.0)):
        assert_alike(program, f, x)


PROGRAMS = {}


def recorded(name, f, x):
    if (name, np.ndim(x)) not in PROGRAMS:
        PROGRAMS[name, np.ndim(x)] = [record(f, x, backend=engine) for engine in ENGINES]
    return PROGRAMS[name, np.ndim(x)]


def assert_alike(program, f, x):
    """Value and gradient are those of the direct call, and so are the errors."""
    with np.errstate(invalid="ignore"):  # NumPy warns of nan where the entries are objects
        try:
            want = mg.value_and_grad(f)(x)
        except MicrogridError as error:
            with pytest.raises(type(error)):
                program.value_and_grad(x)
            return
    for got, expected in zip(program.value_and_grad(x), want, strict=True):
        np.testing.assert_array_equal(np.array(got, float), np.array(expected, float))


def by_number(x):
    return -x


def test_a_comparison_that_holds_where_it_should_not_is_seen(monkeypatch):
    """> that is ≥ in programs alone; nan that compares true."""
    f = ONE["leaky relu"]
    monkeypatch.setattr(Value, "__gt__", comparison(operator.gt, ops.greater_equal))
    with pytest.raises(AssertionError):
        assert_alike(record(f, 1.0, backend="numpy"), f, 0.0)
    not_less = mg.custom_op("not_less", lambda a, b: float(not a <= b), joint=no_path)
    monkeypatch.setattr(Value, "__gt__", comparison(operator.gt, not_less))
    assert_alike(record(f, 1.0, backend="numpy"), f, 0.0)
    with pytest.raises(AssertionError):
        assert_alike(record(ONE["np.where"], 1.0, backend="numpy"), by_number, math.nan)


def test_a_comparison_is_batched_listed_differentiated_and_written():
    program = record(huber, 1.0)
    x = np.array([0.5, -3.0, 1.0, math.nan])
    values, slopes = program.batched().value_and_grad(x)
    np.testing.assert_array_equal(values, [0.125, 2.5, 0.5, math.nan])
    np.testing.assert_array_equal(slopes, [0.5, -1.0, 1.0, math.nan])
    assert program.gradient()(-3.0) == -1.0
    assert program.hessian()(0.5).tolist() == [[1.0]]
    assert "1 >= " in str(program.listing())
    space = {}
    exec(program.source("numpy"), space)
    np.testing.assert_array_equal(space["value_and_grad"](x), (values, slopes))
    assert pickle.loads(pickle.dumps(program))(0.5) == 0.125


def test_two_values_have_equal_numbers_in_a_program_and_are_one_outside():
    """As where the function gets plain numbers; lists and dicts of nodes ask outside."""

    def f(x, y):
        return mg.where(x == y, 1.0 * x, 2.0 * x) + mg.where(x != y, x, 0)

    program = record(f, 1.0, 2.0)
    for y in (3.0, 4.0, math.nan):
        assert program(3.0, y) == f(3.0, y)
    x, y = Value(3.0), Value(3.0)
    assert (x == y, x != y, y in [x], [y, x].index(x)) == (False, True, False, 1)


def test_outside_of_recording_comparisons_are_bools():
    x = Value(1.0)
    found = [x > 0, x >= 1, x < 0, x <= 1, x == 1, x != 1, 0 < x, x > Value(0.5)]  # noqa: SIM300
    assert found == [True, True, False, True, True, False, True, True]
    assert {type(y) for y in found} == {bool}
    assert (mg.matrix([1.0, -1.0]) > 0).dtype == bool


def test_a_comparison_of_plain_numbers_decides_while_a_function_is_recorded():
    """A variable of a derivative that has been taken inside, a Constant: the same for all data."""
    slope = record(lambda x: x if mg.grad(lambda z: z * z)(2.0) > 3 else -x, 1.0)
    assert slope(2.0) == 2.0


def test_a_comparison_is_a_node_that_can_be_copied():
    kept = []

    def f(x):
        kept.append(x > 0)
        return x * 1.0

    record(f, 1.0, pure=True)
    assert type(kept[0]) is Condition
    assert copy.deepcopy(kept[0]).op.name == "greater"
    assert bool(kept[0])  # no function is recorded now


def test_rules_may_compare():
    hard = mg.custom_op("hard", lambda x: max(x, 0.0), lambda y, x: (x > 0) * 2.0)
    assert hard(Value(3.0)).data == 3.0
    program = record(lambda x: hard(x) * x, 1.0)
    assert program.value_and_grad(3.0) == mg.value_and_grad(lambda x: hard(x) * x)(3.0)


def test_python_refuses_and_or_of_what_does_not_compare():
    for combine in (operator.and_, operator.or_, operator.xor):
        with pytest.raises(TypeError):
            record(lambda x, combine=combine: combine(x > 0, x), 1.0)
        with pytest.raises(TypeError):
            combine(Value(1.0), True)


# What is refused says what works instead.


def power(x, n):
    y = 1.0
    for _ in range(n):
        y = y * x
    return y


def entry(xs, i):
    return xs[i]


def scaled(x, n):
    return x * int(n)


def padded(x, n):
    return x + sum([0] * n)


def zeros(x, n):
    return x + np.zeros(n).sum()


def halved(x, n):
    while n > 0:
        x, n = x / 2, n - 1
    return x


def below_one(x):
    while x > 1:
        x = x / 2
    return x


BOUND = {  # the function, examples, the argument that decides, and what is said of it
    power: ((2.0, 3), "n decides how often the loop of power, line {}, runs"),
    entry: (([1.0, 2.0], 1), "i counts or indexes in entry, line {}, `return xs[i]`"),
    scaled: ((2.0, 3), "n becomes an int in scaled, line {}, `return x * int(n)`"),
    padded: ((2.0, 3), "n stands beside a list in padded, line {}, `return x + sum([0] * n)`"),
    zeros: ((2.0, 3), "n counts or indexes in zeros, line {}, `return x + np.zeros(n).sum()`"),
    halved: ((2.0, 3), "n decides how often the loop of halved, line {}, runs"),
}


@pytest.mark.parametrize("f", BOUND, ids=lambda f: f.__name__)
def test_an_argument_that_counts_is_to_be_bound_and_the_advice_records(f):
    examples, said = BOUND[f]
    with pytest.raises(BranchError) as caught:
        record(f, *examples)
    text = str(caught.value)
    line = int(text.split(", line ")[1].split(",")[0])
    assert f.__code__.co_firstlineno < line < f.__code__.co_firstlineno + 4
    assert said.format(line) in text
    assert "a program has one length; bind it: " in text
    advice = text.split("bind it: ")[1].split("; see ")[0]
    xs = examples[:1]
    space = {"record": record, f.__name__: f, "x": xs[0], "xs": xs[0]}
    assert eval(advice, space)(*xs) == f(*examples)


def test_the_message_for_the_power_of_the_issue():
    with pytest.raises(BranchError) as caught:
        record(power, 2.0, 3)
    line = power.__code__.co_firstlineno + 2
    assert str(caught.value).startswith(
        f"n decides how often the loop of power, line {line}, runs: a program has one length; "
        "bind it: record(lambda x: power(x, 3), x); see help("
    )
    assert mg.grad(power)(2.0, 3) == 12.0
    assert mg.gradcheck(power, 2.0, 3, argnums=0)
    with pytest.raises(MicrogridError, match="argnums=0"):
        mg.gradcheck(power, 2.0, 3)


def test_a_number_of_numpy_is_bound_as_pythons():
    with pytest.raises(BranchError, match=r"record\(lambda x: power\(x, 3\), x\)"):
        record(power, 2.0, np.int64(3))


def test_a_bound_argument_that_is_long_keeps_its_name_and_one_alone_has_no_program():
    with pytest.raises(BranchError, match=r"record\(lambda x: chosen\(x, k\), x\)"):
        record(chosen, 1.0, list(range(100)))
    with pytest.raises(BranchError, match=r"n decides .*; call count itself, without record"):
        record(count, 3)


def chosen(x, k):
    return x * [1.0, 2.0][k[1]]


def count(n):
    return sum([1.0 for _ in range(n)])


USES = {  # code of x that is refused, and what its message recommends
    "x if x > 0 else -x": "where(x > 0, a, b)",
    "x if x < 2 else -x": "where(x < 2, a, b)",
    "x if x >= y else -x": "where(x >= y, a, b)",
    "x if not x != 1 else -x": "where(condition, a, b)",
    "x if x == 1 else -x": "where(x == 1, a, b)",
    "x if x else -x": "where(condition, a, b)",
    "x if x > 0 and y > 0 else -x": "where(x > 0, a, b)",
    "x if x in [1.0, 2.0] else -x": "where(x == 1.0, a, b)",
    "max(x, y)": "maximum",
    "min(x, y)": "minimum",
    "sorted([x, y])[0]": "minimum",
    "x * x.data": "where(x > 0, a, b)",
    "x * float(x)": "mg.exp for math.exp",
    "x * math.exp(x)": "mg.exp for math.exp",
    "x * round(x)": "mg.custom_op('rounded', round, lambda y, x: 0)(x)",
    "x * (x // 2)": "mg.custom_op('rounded', round, lambda y, x: 0)(x)",
    "x * x.detach()": "mg.stop_gradient(x)",
    "x * float(f'{x}')": "where(x > 0, a, b)",
    "x if x in [y] else -x": "where(y == x, a, b)",
    "A[A > 0].sum()": "where(A_1 > 0, a, b)",
    "np.sort(A)[0]": "minimum",
}


def test_the_remedies_that_are_named_record():
    """Each call that a message recommends is recorded: with some operands it makes a program."""
    remedies = set()
    for code in USES:
        remedies |= remedies_of(code)
    assert len(remedies) > 12
    for remedy in remedies:
        f = eval(f"lambda x, y, A, a, b, condition: {remedy}", {**vars(mg), "mg": mg})
        numbers = 1.5, 2.5, [1.0, 2.0], 3.0, 4.0, 1.0
        made = record(lambda x, y, A, a, b, condition, f=f: f(x, y, A, a, b, condition), *numbers)
        assert math.isfinite(made(*numbers))


def message(code):
    f = eval(f"lambda x, y, A: {code}", {"np": np, "math": math})
    f.__name__ = "f"
    with pytest.raises(BranchError) as caught:
        record(f, 1.0, 2.0, np.array([1.0, -2.0]))
    return str(caught.value)


def remedies_of(code):
    """The calls that a message names, with arguments where it names a function alone."""
    told = message(code).split("like it alone; ")[1]
    told = re.sub(r"\bA_(\d)", lambda found: f"A[{int(found[1]) - 1}]", told)  # a label
    named = {f"{name}(x, 2.0)" for name in re.findall(r"\b(maximum|minimum)\b", told)}
    named |= {f"{name}(x)" for name in re.findall(r"\b(relu)\b", told)}
    named |= {f"{name}(x, 0, 1)" for name in re.findall(r"\b(clip)\b", told)}
    named |= {f"{name}(x)" for name in re.findall(r"\b(mg\.exp) for", told)}
    return named | {
        c[0] for c in re.findall(r"((mg\.stop|mg\.custom|where)\w*\([^()]*\)(\(x\))?)", told)
    }


@pytest.mark.parametrize("code", USES)
def test_what_cannot_be_recorded_is_told_with_what_can(code):
    said = message(code)
    assert said.startswith("f looks at a number in ")
    assert USES[code] in said


def test_a_while_that_a_number_ends_says_that_a_program_has_one_length():
    with pytest.raises(BranchError, match=r"one length: loop a fixed .* where\(x > 1, a, b\)"):
        record(below_one, 9.0)


def test_an_error_that_a_library_hides_is_the_branch_error_all_the_same():
    def f(x):
        try:
            bool(x > 0)
        except BranchError:
            raise ValueError("hidden") from None

    with pytest.raises(BranchError, match="looks at a number"):
        record(f, 1.0)


# Straight through.


def test_a_straight_through_estimator_is_one_line():
    hard = mg.custom_op("hard", lambda x: float(x > 0), lambda y, x: 0.0)
    program = record(lambda x: 3 * (x + mg.stop_gradient(hard(x) - x)), 1.0)
    assert program.value_and_grad(0.25) == (3.0, 3.0)
    compared = record(lambda x: 3 * (x + mg.stop_gradient((x > 0) - x)), 1.0)
    assert compared.value_and_grad(0.25) == (3.0, 3.0)


# Impure functions.

ELSEWHERE = {"scale": 1.0, "nodes": []}
RANDOM = np.random.default_rng(0)


def by_random(x):
    return x * random.random()


def by_numpy(x):
    return x * RANDOM.normal()


def by_clock(x):
    return x + time.perf_counter_ns()


def by_global(x):
    ELSEWHERE["scale"] += 1
    return x * ELSEWHERE["scale"]


def by_iterator(x, numbers=iter(range(100))):  # noqa: B008
    return x * next(numbers)


def by_choice(x, turns=iter(range(100))):  # noqa: B008
    return x * x if next(turns) % 2 else mg.sin(x)


def by_length(x, seen=[]):  # noqa: B006
    seen.append(1.0)
    return mg.total([x + y for y in seen])


def by_entry(x, turns=iter(range(100))):  # noqa: B008
    return [x, x * 2][next(turns) % 2]


def by_memory(x):
    ELSEWHERE["nodes"].append(x)
    return mg.total(ELSEWHERE["nodes"])


def by_shut_gate(x):
    return mg.where(x > 5, random.random(), x)


IMPURE = [by_random, by_numpy, by_clock, by_global, by_iterator, by_choice, by_length, by_entry]
IMPURE += [by_memory, by_shut_gate]


@pytest.mark.parametrize("f", IMPURE, ids=lambda f: f.__name__)
def test_a_function_that_computes_something_else_the_next_time_is_refused(f):
    with pytest.raises(ImpureError, match=rf"{f.__name__} .* when it runs again"):
        record(f, 0.0)


def test_what_a_function_may_do_although_it_runs_twice():
    """A constant from outside; a seed of its own; an operation made inside; nan; a memo."""
    mask = RANDOM.normal(size=3)
    assert record(lambda A: (A * mask).sum(), np.ones(3))(np.ones(3)) == mask.sum()
    record(lambda x: x * random.Random(0).random(), 1.0)
    record(lambda x: mg.custom_op("rounded", round, lambda y, x: 0)(x) * x, 1.0)
    assert math.isnan(record(lambda x: x * math.nan, 1.0)(1.0))
    memo = {}
    assert record(lambda x: x * memo.setdefault("scale", 2.0), 1.0)(3.0) == 6.0


def test_a_function_that_is_said_to_be_pure_runs_once():
    runs = []
    for pure, times in [(True, 1), (False, 2)]:
        runs.clear()
        record(lambda x: (runs.append(x), x * 2.0)[1], 1.0, pure=pure)
        assert len(runs) == times


def test_the_advice_for_an_impure_function_records():
    with pytest.raises(ImpureError) as caught:
        record(by_random, 1.0)
    advice = re.search(r"record\(.*?0\.5\)", str(caught.value))[0]
    assert eval(advice, {"record": record})(2.0, 3.0) == 6.0
