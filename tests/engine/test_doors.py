"""By whatever door one enters: the same derivative, and the same sentence for bad input."""

import math
import operator
import pickle
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from shared.foreign import FOREIGN_ARRAYS, Tensor
from shared.strategies import fractions, hundredths

import microgrid as mg
from microgrid import Value, nn, optim
from microgrid.engine.errors import (
    GraphError,
    MicrogridError,
    NumberError,
    ParameterError,
    ShapeError,
)
from microgrid.program.tracing import BranchError

ENGINES = ["numpy", "numba"]


# A function that changes its argument in place.

STEPS = {  # in place, and the same as a new list
    "set": (lambda v, i, j: operator.setitem(v, i, v[i] * v[j]),
            lambda v, i, j: [x * v[j] if k == i else x for k, x in enumerate(v)]),
    "add to": (lambda v, i, j: operator.setitem(v, i, operator.iadd(v[i], v[j])),
               lambda v, i, j: [x + v[j] if k == i else x for k, x in enumerate(v)]),
    "number": (lambda v, i, j: operator.setitem(v, i, 3),
               lambda v, i, j: [3 if k == i else x for k, x in enumerate(v)]),
    "append": (lambda v, i, j: v.append(v[i] - v[j]), lambda v, i, j: [*v, v[i] - v[j]]),
    "insert": (lambda v, i, j: v.insert(0, v[i] * 2), lambda v, i, j: [v[i] * 2, *v]),
    "swap": (lambda v, i, j: v.reverse(), lambda v, i, j: v[::-1]),
    "delete": (lambda v, i, j: operator.delitem(v, i) if len(v) > 1 else None,
               lambda v, i, j: [x for k, x in enumerate(v) if k != i or len(v) == 1]),
}  # fmt: skip
edits = st.lists(st.tuples(st.sampled_from([*STEPS]), st.integers(0, 9), st.integers(0, 9)))


def score(v):
    """A polynomial that tells every order and every entry apart."""
    return sum([(k + 1) * x * x + x * v[0] for k, x in enumerate(v)])


def in_place(steps):
    def f(v):
        for name, i, j in steps:
            STEPS[name][0](v, i % len(v), j % len(v))
        return score(v)

    return f


def anew(steps):
    def f(v):
        for name, i, j in steps:
            v = STEPS[name][1](v, i % len(v), j % len(v))
        return score(v)

    return f


@settings(max_examples=150)
@given(st.lists(fractions, min_size=1, max_size=3), edits)
def test_changes_in_place_have_the_exact_derivatives_of_the_function_without_them(xs, steps):
    given_, v = list(xs), [Fraction(k + 1) for k in range(len(xs))]
    f, expected = in_place(steps), anew(steps)
    assert mg.value_and_grad(f)(xs) == mg.value_and_grad(expected)(xs)
    assert mg.grad(f)(xs) == mg.grad(expected)(xs)
    assert mg.jacobian(f)(xs).tolist() == mg.jacobian(expected)(xs).tolist()
    assert mg.hessian(f)(xs).tolist() == mg.hessian(expected)(xs).tolist()
    assert mg.hvp(f)(xs, v) == mg.hvp(expected)(xs, v)
    assert xs == given_


@settings(max_examples=25)
@given(st.lists(hundredths, min_size=1, max_size=3), edits)
def test_changes_in_place_are_seen_alike_by_gradcheck_and_by_programs(xs, steps):
    xs = [float(x) for x in xs]
    assume(abs(anew(steps)(xs)) < 1e6)
    value, gradient = mg.value_and_grad(anew(steps))(xs)
    assert mg.record(in_place(steps), xs, backend="numpy").value_and_grad(xs) == (
        pytest.approx(value), pytest.approx(gradient))  # fmt: skip
    report = mg.gradcheck(in_place(steps), xs)
    assert [e.gradient for e in report.entries] == pytest.approx(gradient)
    assert not any(e.verdict == "wrong" for e in report.entries)


ARRAYS = {
    "*=": (lambda A: A.__imul__(2), lambda A: A * 2),
    "/=": (lambda A: A.__itruediv__(A.sum()), lambda A: A / A.sum()),
    "a row": (lambda A: operator.setitem(A, 0, A[-1] * A[0]),
              lambda A: np.stack([A[-1] * A[0], *A[1:]])),
    "where": (lambda A: operator.setitem(A, np.eye(2) > 0, A[0, 0] * 3),
              lambda A: np.where(np.eye(2) > 0, A[0, 0] * 3, A)),
    "fill": (lambda A: A.fill(A[0, 1]), lambda A: A * 0 + A[0, 1]),
}  # fmt: skip


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_changed_in_place_have_the_right_derivatives(name):
    change, pure = ARRAYS[name]

    def f(A):
        change(A)
        return (A * A).sum() * A[0, 1]

    def expected(A):
        A = pure(A)
        return (A * A).sum() * A[0, 1]

    A, v = np.array([[1.0, 2.0], [4.0, 0.5]]), np.array([[1.0, 0.0], [2.0, 3.0]])
    before = A.copy()
    assert mg.grad(f)(A) == pytest.approx(mg.grad(expected)(A), rel=1e-14)
    assert mg.hessian(f)(A) == pytest.approx(mg.hessian(expected)(A), rel=1e-13)
    assert mg.hvp(f)(A, v) == pytest.approx(mg.hvp(expected)(A, v), rel=1e-13)
    assert mg.record(f, A)(A) == expected(A)
    assert (before == A).all()


def test_the_jacobian_of_what_was_changed_in_place_is_that_of_the_inputs():
    assert mg.jacobian(lambda v: v.__imul__(2))(np.array([2.0, 3.0])).tolist() == [[2, 0], [0, 2]]


def test_nested_lists_may_be_changed_at_every_level():
    def f(v):
        v[0][1] = v[0][1] * v[1][0]
        v[1] = v[0]
        return v[1][1]

    assert mg.grad(f)([[2.0, 3.0], [5.0]]) == [[0.0, 5.0], [3.0]]


# == and != with a number.


@given(fractions | st.floats() | st.integers(), fractions | st.floats() | st.integers())
@example(math.nan, math.nan)
@example(2**53, float(2**53))
def test_a_value_compares_with_a_number_as_its_number_does(a, b):
    x = Value(a)
    for compare in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge):
        assert compare(x, b) is compare(a, b)
        assert compare(b, x) is compare(b, a)
    assert (x in [b]) is (a in [b] if a == a else False)
    assert [b].count(x) == (a == b)


def test_two_values_are_equal_only_if_they_are_one_node():
    x, y = Value(1.0), Value(1.0)
    assert x == x
    assert x != y
    assert {x: "x", y: "y"}[x] == "x"
    assert [y, x].index(x) == 1
    nan = Value(math.nan)
    assert nan != nan
    assert nan in [nan]  # as among floats, where Python looks for the thing itself first
    assert {nan: 1}[nan] == 1


@pytest.mark.parametrize(
    ("number", "equal"),
    [(np.float32(1), True), (np.int8(1), True), (np.True_, True), (True, True), (1 + 0j, True),
     (Decimal(1), True), (np.array(1.0), True), (np.longdouble(1), True), (1j, False),
     (Decimal("1.1"), False), (np.array(2), False), ("1", False), (None, False), ((1,), False)],
)  # fmt: skip
def test_every_kind_of_number_is_compared_by_its_number(number, equal):
    assert (Value(1.0) == number) is equal
    assert (number == Value(1.0)) == equal
    assert (Value(1.0) != number) is not equal


COMPARED = {  # of an array and the number 2
    "==": lambda A: A == 2,
    "!=": lambda A: A != 2,
    "== array": lambda A: np.array([1.0, 2.0, 3.0]) == A,
    "where": lambda A: np.where(A == 2, 7.0, 0.0),
    "accuracy": lambda A: np.mean(np.array([1.0, 0.0, 2.0]) == A),
    "one-hot": lambda A: (A[:, None] == np.arange(4)).astype(float),
    "mask": lambda A: (A[A == 2]).size,
    "count_nonzero": lambda A: np.count_nonzero(A == 2),
    "isin": lambda A: np.isin(A, [2.0, 5.0]),
    "array_equal": lambda A: np.array_equal(A, [1.0, 2.0, 2.0]),
    "in": lambda A: 2 in A,
    "in list": lambda A: 2.0 in list(A),
    "index": lambda A: list(A).index(2.0),
    "equal": lambda A: np.equal(A, 2.0).tolist(),
    "not_equal.outer": lambda A: np.not_equal.outer(A, [1.0, 2.0]).tolist(),
    "A != A": lambda A: A != A,
}


@pytest.mark.parametrize("name", COMPARED)
def test_numpy_compares_values_with_numbers_as_numbers(name):
    numbers = [1.0, 2.0, 2.0]
    actual, expected = COMPARED[name](mg.matrix(numbers)), COMPARED[name](np.array(numbers))
    assert np.asarray(actual).tolist() == np.asarray(expected).tolist()


@pytest.mark.parametrize("name", COMPARED)
def test_a_comparison_is_heard_while_a_function_is_recorded(name):
    def f(A):
        return A[0] * float(np.sum(COMPARED[name](A)))

    with pytest.raises(BranchError, match="looks at a number in"):
        mg.record(f, np.array([1.0, 2.0, 2.0]))


@pytest.mark.parametrize("name", ["nansum", "nanmean", "nanmin", "nanmax", "nanprod", "nanargmax"])
def test_the_nan_functions_of_numpy_leave_out_nan(name):
    numbers = [1.0, math.nan, 3.0, 2.0]
    f = getattr(np, name)
    y = f(mg.matrix(numbers))
    assert (y.data if isinstance(y, Value) else y) == f(np.array(numbers))


@pytest.mark.parametrize("name", ["nansum", "nanmean", "nanprod"])
def test_the_gradients_of_the_nan_functions_leave_out_nan(name):
    A = mg.matrix([1.0, math.nan, 3.0])
    getattr(np, name)(A).backward()
    B = mg.matrix([1.0, 3.0])
    getattr(np, name.removeprefix("nan"))(B).backward()
    assert mg.grads(A).tolist() == [B[0].grad, 0.0, B[1].grad]


BRANCHES = {
    "where": (lambda x: mg.where(x == 0, 1.0, 5 * x), 0.0, 1.0, 0.0),
    "if": (lambda x: 5 * x if x == 1.0 else x * x, 1.0, 5.0, 5.0),
    "if not": (lambda x: mg.sin(x) / x if x != 0 else 1 + 0 * x, 0.0, 1.0, 0.0),
    "where, elsewhere": (lambda x: mg.where(x == 0, 1.0, 5 * x), 2.0, 10.0, 5.0),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_a_branch_on_equality_takes_the_branch_of_the_number(name):
    f, x, value, slope = BRANCHES[name]
    assert mg.value_and_grad(f)(x) == (value, slope)
    if name.startswith("where"):
        assert mg.record(f, 7.0).value_and_grad(x) == (value, slope)
        return
    with pytest.raises(BranchError):
        mg.record(f, x)


# The same derivative by every door, also behind a shut gate.

SINGULAR = [  # with no finite slope, or no value, for some x
    lambda x: mg.sqrt(x),
    lambda x: mg.sqrt(x * x),
    lambda x: mg.sqrt(mg.maximum(x, 0)),
    lambda x: mg.log(mg.maximum(x * x, 0) + 1e-300),
    lambda x: mg.cbrt(x),
    lambda x: mg.arcsin(mg.clip(x, -1, 1)),
    lambda x: abs(x) ** 0.5,
    lambda x: mg.arccosh(mg.maximum(x, 1.0)),
]
SMOOTH = [
    lambda x: x * x - 2,
    lambda x: mg.sin(x) * x,
    lambda x: 1 / (x * x + 1),
    lambda x: x,
    lambda x: mg.tanh(x) + x**3,
]
DOORS = {  # the first derivative of a function of one number
    "grad": lambda f, x: mg.grad(f)(x),
    "value_and_grad": lambda f, x: mg.value_and_grad(f)(x)[1],
    "derivative": lambda f, x: mg.derivative(f, 1)(x),
    "jacobian": lambda f, x: mg.jacobian(f)(x).item(),
    "create_graph": lambda f, x: mg.gradients(f(v := Value(x)), v, create_graph=True).data,
    "backward": lambda f, x: (f(v := Value(x)).backward(), v.grad)[1],
    "partials": lambda f, x: mg.partials([f(v := Value(x))], [v]).item(),
    "inside of a sum": lambda f, x: mg.grad(lambda v: f(v) + 0 * v)(x),
    "in a list": lambda f, x: mg.grad(lambda v: f(v[0]))([x])[0],
}
SECOND = {
    "derivative": lambda f, x: mg.derivative(f, 2)(x),
    "grad of grad": lambda f, x: mg.grad(mg.grad(f))(x),
    "hessian": lambda f, x: mg.hessian(f)(x).item(),
    "hessian of a list": lambda f, x: mg.hessian(lambda v: f(v[0]))([x]).item(),
    "hvp": lambda f, x: mg.hvp(f)(x, 1.0),
    "grad of derivative": lambda f, x: mg.grad(mg.derivative(f, 1))(x),
    "jacobian of grad": lambda f, x: mg.jacobian(mg.grad(f))(x).item(),
}
RECORDED = {
    "program": lambda f, x, e: mg.record(f, 1.0, backend=e).value_and_grad(x)[1],
    "batched": lambda f, x, e: (
        mg.record(f, 1.0, backend=e).batched().value_and_grad(np.array([x, 1.5]))[1][0]
    ),
    "program of grad": lambda f, x, e: mg.record(mg.grad(f), 1.0, backend=e)(x),
    "program of derivative": lambda f, x, e: mg.record(mg.derivative(f, 1), 1.0, backend=e)(x),
    "source": lambda f, x, e: source_of(f)(x)[1],
}
RECORDED_SECOND = {
    "program of grad": lambda f, x, e: mg.record(mg.grad(f), 1.0, backend=e).value_and_grad(x)[1],
    "program of derivative": lambda f, x, e: mg.record(mg.derivative(f, 2), 1.0, backend=e)(x),
    "program of hessian": lambda f, x, e: mg.record(mg.hessian(f), 1.0, backend=e)(x).item(),
}


def source_of(f):
    space = {}
    exec(mg.record(f, 1.0).source("python"), space)
    return space["value_and_grad"]


def same(a, b):
    return (a != a and b != b) or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


@st.composite
def guarded(draw, depth=2):
    """(f, taken): a function with gates whose conditions do not compare, and the branch at x.

    What stands behind a shut gate may have any slope; what is taken is smooth.
    """
    smooth = draw(st.sampled_from(SMOOTH))
    if depth == 0:
        return smooth, smooth
    f, taken = draw(guarded(depth - 1))
    bad, times = draw(st.sampled_from(SINGULAR)), draw(st.sampled_from(SMOOTH))
    gate = draw(st.sampled_from(["zero", "one"]))
    inner = draw(st.sampled_from([lambda x: bad(x) * times(x), lambda x: times(bad(x)), bad]))
    if gate == "zero":  # never open
        whole = lambda x: mg.where(x * 0, inner(x), f(x))  # noqa: E731
    else:  # never shut
        whole = lambda x: mg.where(x * 0 + 1, f(x), inner(x))  # noqa: E731
    outer = draw(st.sampled_from(SMOOTH))
    return (lambda x: outer(whole(x)) + smooth(x)), (lambda x: outer(taken(x)) + smooth(x))


POINTS = [0.0, 1.0, 0.25, 2.0, 1e-320]


@settings(max_examples=60)
@given(guarded(), st.sampled_from(POINTS))
def test_behind_a_shut_gate_nothing_comes_back_by_any_door(functions, x):
    f, taken = functions
    expected = [mg.grad(taken)(x), mg.derivative(taken, 2)(x)]
    for doors, want in zip((DOORS, SECOND), expected, strict=True):
        found = {name: door(f, x) for name, door in doors.items()}
        assert all(same(y, want) for y in found.values()), (want, found)
    assert same(mg.derivative(f, 3)(x), mg.derivative(taken, 3)(x))


@settings(max_examples=12)
@given(guarded(), st.sampled_from(POINTS))
def test_behind_a_shut_gate_nothing_comes_back_in_a_program(functions, x):
    f, taken = functions
    expected = [mg.grad(taken)(x), mg.derivative(taken, 2)(x)]
    for doors, want in zip((RECORDED, RECORDED_SECOND), expected, strict=True):
        found = {(n, e): door(f, x, e) for n, door in doors.items() for e in ENGINES}
        assert all(same(y, want) for y in found.values()), (want, found)


REPORTED = {  # f, x, its first and second derivative there
    "guarded root": (lambda x: mg.where(x, mg.sqrt(x), 0.0), 0.0, 0.0, 0.0),
    "guarded twice": (
        lambda x: mg.where(x <= 0, 0.0, mg.sqrt(mg.maximum(x, 0.0))), -1.0, 0.0, 0.0),
    "the other side": (
        lambda x: mg.where(x >= 0, x, mg.sqrt(mg.maximum(-x, 0.0))), 1.0, 1.0, 0.0),
    "safe division": (lambda x: mg.where(x, mg.sin(x) / mg.where(x, x, 1), 1.0), 0.0, 0.0, 0.0),
    "safe log": (lambda x: mg.where(x, x * mg.log(mg.where(x, x, 1)), 0.0), 0.0, 0.0, 0.0),
}  # fmt: skip


@pytest.mark.parametrize("name", REPORTED)
def test_reported_gates_give_the_same_derivatives_by_every_door(name):
    f, x, first, second = REPORTED[name]
    assert {n: door(f, x) for n, door in DOORS.items()} == dict.fromkeys(DOORS, first)
    assert {n: door(f, x) for n, door in SECOND.items()} == dict.fromkeys(SECOND, second)
    if name not in ("guarded twice", "the other side"):  # which compare
        for doors, want in ((RECORDED, first), (RECORDED_SECOND, second)):
            assert {door(f, x, e) for door in doors.values() for e in ENGINES} == {want}


def test_a_slope_of_plain_inf_behind_a_shut_gate_does_not_come_back():
    steep = mg.custom_op("steep", lambda x: 2 * x, lambda y, x: math.inf)
    f = lambda x: mg.where(x * 0, steep(x), x)  # noqa: E731
    assert {name: door(f, 2.0) for name, door in DOORS.items()} == dict.fromkeys(DOORS, 1.0)
    assert mg.record(mg.grad(f), 1.0)(2.0) == mg.record(f, 1.0).value_and_grad(2.0)[1] == 1.0


class Box:
    mask = True


def test_things_that_only_look_foreign_are_no_business_of_a_value():
    x, box = Value(1.0), Box()
    assert x != box
    assert x in [box, x]


def test_a_gate_with_several_arguments_has_a_symmetric_hessian_recorded_or_not():
    f = lambda v: mg.where(v[0], mg.sqrt(v[0]) * v[1], v[1] ** 2)  # noqa: E731
    expected = [[0, 0], [0, 2]]
    assert mg.hessian(f)([0.0, 3.0]).tolist() == expected
    for engine in ENGINES:
        program = mg.record(mg.hessian(f), [1.0, 1.0], backend=engine)
        assert program([0.0, 3.0]).tolist() == expected
        condition = mg.record(
            lambda c, x: mg.grad(lambda x: mg.where(c, mg.sqrt(x), x))(x), 1.0, 1.0
        )
        assert condition(0.0, 0.0) == 1.0


# a ** b, base and exponent both variable.

SECOND_OF_POWER = {  # a, b: ∂²/∂a², ∂²/∂a∂b, ∂²/∂b²
    (0.0, 2.0): (2.0, 0.0, 0.0),
    (0.0, 3.0): (0.0, 0.0, 0.0),
    (0.0, 2.5): (0.0, 0.0, 0.0),
    (0.0, 1.5): (math.inf, 0.0, 0.0),
    (0.0, 1.0): (0.0, -math.inf, 0.0),
    (1e-200, 2.0): (2.0, 1e-200 * (1 + 2 * math.log(1e-200)), 0.0),
    (1.155, -3.4e283): (0.0, 0.0, 0.0),
    (2.0, 3.0): (12.0, 4 * (1 + 3 * math.log(2)), 8 * math.log(2) ** 2),
}


@pytest.mark.parametrize("point", SECOND_OF_POWER)
def test_the_hessian_of_a_power_is_right_and_symmetric_recorded_or_not(point):
    aa, ab, bb = SECOND_OF_POWER[point]
    f = lambda v: v[0] ** v[1]  # noqa: E731
    actual = mg.hessian(f)([*point])
    assert actual == pytest.approx(np.array([[aa, ab], [ab, bb]]), rel=1e-12, abs=0)
    for engine in ENGINES:
        recorded = mg.record(mg.hessian(f), [1.0, 1.0], backend=engine)([*point])
        assert recorded == pytest.approx(actual, rel=1e-14, abs=0, nan_ok=True)


# What is no real number.

FOREIGN = {  # what it is, and what helps
    "masked": (np.ma.masked_array([1.0, 9.0], mask=[False, True]), "compressed"),
    "complex": (np.array([1j, 2]), ".real"),
    "dates": (np.array(["2020-01-01", "2020-01-02"], dtype="M8[ns]"), "timedelta64"),
    "durations": (np.array([1, "NaT"], dtype="m8[D]"), "timedelta64"),
    "texts": (np.array(["1", "2"]), "float('0.5')"),
    "bytes": (np.array([b"1", b"2"]), "float('0.5')"),
    "list of texts": (["1", "2"], "float('0.5')"),
    "list of complex": ([1j, 2.0], ".real"),
    "list of dates": ([date(2020, 1, 1)] * 2, "timedelta64"),
    "list of durations": ([timedelta(1)] * 2, "timedelta64"),
    "list of Decimals": ([Decimal(1), Decimal(2)], "Fraction"),
    "list with nothing": ([1.0, None], ""),
    "masked in a list": ([1.0, np.ma.masked], "compressed"),
    "NA": (pd.Series([1, pd.NA], dtype="Int64"), "leave"),
    "NA of floats": (pd.Series([1, pd.NA], dtype="Float64"), "leave"),
    "NaT of pandas": ([1.0, pd.NaT], "leave out"),
    "objects": (np.array([object(), object()]), ""),
}
ADMITTED = {
    "matrix": mg.matrix,
    "program": lambda x: mg.record(lambda v: v[0] * v[1], [1.0, 1.0])(x),
    "program of an array": lambda x: mg.record(lambda v: v.sum(), np.zeros(2))(x),
    "program of rows": lambda x: mg.record(lambda A: A.sum(), np.zeros((2, 2)))([x, [3.0, 4.0]]),
    "batched": lambda x: mg.record(lambda v: v * v, 1.0).batched()(x),
    "batched rows": lambda x: mg.record(lambda v: v.sum(), np.zeros(2)).batched()([x, x]),
    "total": mg.total,
    "softmax": mg.softmax,
    "exp of each": lambda x: [mg.exp(y) for y in x],
    "fit": lambda x: optim.fit(
        lambda w, a: (w[0] - a) ** 2, [0.0], (x,), optimizer=optim.SGD(lr=0.1), epochs=1),
    "validation": lambda x: optim.fit(
        lambda w, a: (w[0] - a) ** 2, [0.0], ([1.0, 2.0],), optimizer=optim.SGD(lr=0.1), epochs=1,
        validation=(x,)),
    "predict": lambda x: nn.predict(nn.Affine(2, 1), [x]),
    "grad": lambda x: mg.grad(lambda v: v[0] * v[1])(x),
    "matrix of rows": lambda x: mg.matrix([x, x]),
    "Value": lambda x: [Value(y) for y in x],
}  # fmt: skip


@pytest.mark.parametrize("door", ADMITTED)
@pytest.mark.parametrize("name", FOREIGN)
def test_every_door_refuses_what_is_no_real_number_and_says_what_helps(name, door):
    x, advice = FOREIGN[name]
    before = repr(x)
    with pytest.raises(NumberError) as caught:
        ADMITTED[door](x)
    assert advice in str(caught.value)
    assert "real number" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert repr(x) == before


NO_NUMBERS = [np.ma.masked, np.timedelta64(3, "D"), np.datetime64("NaT"), "3", 1j, Decimal(1), None]


@pytest.mark.parametrize("number", NO_NUMBERS)
def test_data_and_gradients_are_set_to_real_numbers_only(number):
    v = Value(1.0)
    for name in ("data", "grad"):
        with pytest.raises(NumberError, match="real number"):
            setattr(v, name, number)
    assert (v.data, v.grad) == (1.0, 0.0)


OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("left", [True, False])
def test_a_value_beside_a_masked_array_keeps_its_gradient_or_is_refused(op, left):
    m = np.ma.masked_array([1.0, 2.0, 9.0], mask=[False, False, True])
    x = Value(2.0)
    try:
        y = op(x, m) if left else op(m, x)
    except TypeError:  # NumberError, or NumPy's own for a quotient and a power
        return
    kept = [v for v in y.compressed() if isinstance(v, Value)]
    assert len(kept) == 2
    sum(kept).backward()
    plain = Value(2.0)
    sum([op(plain, c) if left else op(c, plain) for c in (1.0, 2.0)]).backward()
    assert x.grad == plain.grad


def test_numpys_masked_functions_do_not_cut_the_graph():
    x = Value(2.0)
    for f in (lambda: np.ma.multiply(x, 3.0), lambda: np.ma.exp(x), lambda: np.ma.add(3.0, x)):
        with pytest.raises(AttributeError, match="Value"):  # NumPy asks it for an array's attribute
            f()
    loss = sum([(x - c) * (x - c) for c in np.ma.masked_array([1.0, 9.0], [0, 1]).compressed()])
    loss.backward()
    assert x.grad == 2.0


@pytest.mark.parametrize("other", [[1.0, 2.0], (1.0,)])
def test_a_list_beside_a_value_is_told_to_be_an_array(other):
    for run in (lambda: other * Value(2.0), lambda: Value(2.0) * other, lambda: other + Value(1.0)):
        with pytest.raises(NumberError, match=r"np\.array\("):
            run()


@pytest.mark.parametrize("run", [lambda v: "2" * v, lambda v: v * b"2", range, lambda v: [1][v]])
def test_what_counts_or_repeats_asks_for_the_number(run):
    with pytest.raises(MicrogridError, match=r"to count, index or repeat .* v\.data"):
        run(Value(2.0))


# What is a number, though it does not look like one.


@pytest.mark.parametrize("number", [np.array(2), np.float32(2), np.longdouble(2), np.True_, True])
@pytest.mark.parametrize("op", OPERATORS)
def test_numbers_of_every_kind_stand_beside_a_value(op, number):
    for y, expected in (
        (op(Value(3.0), number), op(3.0, float(number))),
        (op(number, Value(3.0)), op(float(number), 3.0)),
    ):
        assert type(y) is Value
        assert y.data == expected
        assert type(y.data) in (float, int)


def test_long_doubles_become_floats():
    assert type(Value(np.longdouble(2)).data) is float
    with pytest.raises(ZeroDivisionError):
        Value(np.longdouble(2)) / 0
    A = np.array([1.0, 2.0], dtype=np.longdouble)
    y = A @ mg.matrix([3.0, 4.0])
    assert (y.data, type(y.data)) == (11.0, float)
    assert nn.Affine(2, 1, init="zeros")(A)[0].data == 0.0


@pytest.mark.parametrize("x", [np.array([1, 2]), np.array([True, False]), np.array([1, 2], "i1")])
def test_gradients_at_whole_numbers_are_arrays_of_floats(x):
    f = lambda v: v[0] * v[0] + 3 * v[1]  # noqa: E731
    A = mg.matrix(x)
    for gradient in (mg.grad(f)(x), mg.value_and_grad(f)(x)[1], mg.gradients(f(A), A)):
        assert gradient.dtype == float
        assert gradient.tolist() == [2.0 * x[0], 3.0]
    assert mg.grad(f)(np.array([Fraction(1, 3), Fraction(1)])).tolist() == [Fraction(2, 3), 3]
    big = np.array([2**60 + 1, 1], dtype=object)
    assert mg.grad(f)(big).tolist() == [2**61 + 2, 3]  # exact, where no float is


def test_a_result_that_numpy_has_packed_is_a_result():
    x = np.array([2.0, 3.0])
    for f in (
        lambda v: np.einsum("i,i->", v, v, optimize=True),
        lambda v: np.array((v * v).sum()),
        lambda v: np.sum(v * v, keepdims=True).reshape(()),
    ):
        assert mg.grad(f)(x).tolist() == [4.0, 6.0]
        assert mg.jacobian(f)(x).tolist() == [[4.0, 6.0]]
        assert mg.record(f, x)(x) == 13.0
        assert mg.gradcheck(f, x)


@pytest.mark.parametrize("library", FOREIGN_ARRAYS)
def test_arrays_of_other_libraries_are_taken_as_plain_numbers(library):
    x = FOREIGN_ARRAYS[library]()([2.0, 3.0])
    f = lambda v: v[0] * v[0] * v[1]  # noqa: E731
    assert mg.grad(f)(x).tolist() == [12.0, 4.0]
    assert mg.jacobian(f)(x).tolist() == [[12.0, 4.0]]
    assert mg.hessian(f)(x).tolist() == [[6.0, 4.0], [4.0, 0.0]]
    assert mg.gradcheck(f, x)
    assert mg.record(f, [1.0, 1.0])(x) == 12.0
    assert mg.values(mg.matrix(x)).tolist() == [2.0, 3.0]
    assert mg.exp(x).tolist() == [math.exp(2.0), math.exp(3.0)]


@pytest.mark.parametrize("library", ["a stand-in", "torch", "jax"])
def test_a_tensor_of_one_number_stands_beside_a_value(library):
    two = FOREIGN_ARRAYS[library]()(2.0)
    x = Value(3.0)
    assert [type(y) for y in (x * two, x - two)] == [Value] * 2
    assert (x**two).data == 9.0
    assert Value(two).data == 2.0
    assert x != two


def test_a_tensor_of_another_librarys_graph_is_refused():
    two = Tensor(2.0, requires_grad=True)
    row = Tensor([1.0], requires_grad=True)
    for run in (lambda: Value(two), lambda: Value(3.0) * two, lambda: mg.matrix(row)):
        with pytest.raises(NumberError, match="another library's graph"):
            run()


# What NumPy and plots make of a Value: a number is asked for, and the sentence says how to get it.

ASKED = {
    "array of floats": lambda v: np.array([v], dtype=float),
    "asarray": lambda v: np.asarray([[v], [v]], dtype=float),
    "an entry": lambda v: operator.setitem(np.zeros(2), 0, v),
    "a slice": lambda v: operator.setitem(np.zeros(2), slice(None), [v, v]),
    "float64": np.float64,
    "full": lambda v: np.full(2, v, dtype=float),
    "float": float,
    "math": math.exp,
}


@pytest.mark.parametrize("name", ASKED)
def test_what_would_drop_the_gradient_says_how_to_get_the_number(name):
    with pytest.raises(MicrogridError, match=r"v\.data"):
        ASKED[name](Value(2.0))


def test_plots_of_values_say_how_to_get_the_numbers():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    for draw in (figure.subplots().plot, figure.subplots().bar, figure.subplots().scatter):
        with pytest.raises(MicrogridError, match=r"v\.data"):
            draw([0, 1], [Value(1.0), Value(2.0)])


def test_a_value_has_no_items():
    """NumPy takes what has a __getitem__ for a sequence, and drops the sentence above."""
    with pytest.raises(TypeError, match="not subscriptable"):
        Value(1.0)[0]
    assert np.array([Value(1.0)], dtype=object).shape == (1,)


STATISTICS = {
    "var": np.var,
    "std": np.std,
    "std, ddof": lambda A: np.std(A, ddof=1),
    "A.std()": lambda A: A.std(),
    "vdot": lambda A: np.vdot(A, A),
    "norm": lambda A: np.linalg.norm(A.reshape(1, -1), axis=1)[0],
    "conj": lambda A: (A.conj() * A).sum(),
    "clip of one": lambda A: np.clip(A[0], 0, 1.5) * 3,
    "clip above": lambda A: np.clip(A[0], None, 0.5),
    "fmax of one": lambda A: np.fmax(A[0], 0.5) * 2,
    "fmin of one": lambda A: np.fmin(A[0], 0.5) * A[1],
}


@pytest.mark.parametrize("name", STATISTICS)
def test_numpys_statistics_work_on_values_and_have_their_gradients(name):
    f, x = STATISTICS[name], np.array([1.0, 2.0, 4.0])
    assert mg.value_and_grad(f)(x)[0] == pytest.approx(float(f(x)))
    assert mg.gradcheck(f, x)


def test_questions_about_a_number_are_answered_and_heard():
    x, nan = Value(2.0), Value(math.nan)
    assert [bool(np.isnan(v)) for v in (x, nan)] == [False, True]
    assert [bool(np.isfinite(v)) for v in (x, nan)] == [True, False]
    assert np.fmax(nan, 3.0) == 3.0
    assert np.fmin(x, math.nan) is x
    for f in (np.isnan, np.isfinite, np.isinf, np.signbit):
        with pytest.raises(BranchError):
            mg.record(lambda v, f=f: v * bool(f(v)), 1.0)
    with pytest.raises(MicrogridError, match=r"np\.heaviside"):
        np.heaviside(x, 0.0)


# Arguments of a derivative.

WRONG_CALLS = {
    "argnums is a text": (lambda f: mg.value_and_grad(f, "x"), "an int or a tuple of ints"),
    "argnums has a text": (lambda f: mg.jacobian(f, (0, "x")), "an int or a tuple of ints"),
    "argnums is True": (lambda f: mg.grad(f, True), "an int or a tuple of ints"),
    "no such argument": (lambda f: mg.grad(f, 5)(2.0, 3.0), "given 2 arguments"),
    "no argument": (lambda f: mg.grad(f)(), "given 0 arguments"),
    "no argument by position": (lambda f: mg.jacobian(f)(x=2.0), "given 0 arguments"),
    "a set": (lambda f: mg.grad(f)({2.0}), "got set"),
    "a text in a dict": (lambda f: mg.hessian(f)([{"w": "2"}]), "real number, got str"),
    "none of hessian": (lambda f: mg.hessian(f)(), "given 0 arguments"),
    "one too few of hessian": (lambda f: mg.hessian(f, (0, 2))(1.0, 2.0), r"argnums=\(0, 2\)"),
    "two of derivative": (lambda f: mg.derivative(f)(1.0, 2.0), "bind the others"),
    "an unknown mode": (lambda f: mg.jacobian(f, mode="back"), "'forward' or 'reverse'"),
    "jvp of bare numbers": (lambda f: mg.jvp(f, 1.0, 2.0), r"a tuple .* like \(1.0,\)"),
    "jvp without tangents": (
        lambda f: mg.jvp(f, (1.0,), ()),
        "has the form of what it stands beside",
    ),
    "jvp of another form": (lambda f: mg.jvp(f, ([1.0],), (1.0,)), r"\[a list of 1\]"),
    "jvp of a dict without w": (
        lambda f: mg.jvp(f, ({"w": 1.0},), ({"v": 1.0},)),
        "a dict of 'v'.*a dict of 'w'",
    ),
    "jvp of a node": (lambda f: mg.jvp(Value(2.0), (1.0,), (1.0,)), "takes a function"),
    "vjp of a node": (lambda f: mg.vjp(Value(2.0), 1.0), "takes a function"),
    "a pullback of another form": (
        lambda f: mg.vjp(f, [1.0])[1](1.0),
        "form of what it stands beside",
    ),
    "tangents of a function": (lambda f: mg.tangents(f, {}), "tangents are of Values"),
    "tangents of no node": (lambda f: mg.tangents(Value(1.0), {2.0: 1}), "nodes with their tang"),
    "a text as a tangent": (lambda f: mg.jvp(f, (1.0,), ("x",)), "one real number, got str"),
    "hvp without direction": (lambda f: mg.hvp(f)(1.0), "direction"),
    "hvp transposed": (lambda f: mg.hvp(f)(np.ones((2, 3)), np.ones((3, 2))), r"\(3, 2\)"),
    "hvp raveled": (lambda f: mg.hvp(f)(np.ones((2, 3)), np.ones(6)), r"\(6,\)"),
    "hvp nested": (lambda f: mg.hvp(f)([[1.0, 2.0]], [1.0, 2.0]), r"\[a list of 2\]"),
    "nothing returned": (lambda f: mg.grad(lambda x: None)(1.0), "end in return"),
    "a node": (lambda f: mg.grad(Value(2.0))(1.0), "takes a function"),
    "a node of hessian": (lambda f: mg.hessian(Value(2.0)), "takes a function"),
    "a list": (lambda f: mg.grad([f]), "takes a function"),
    "half an order": (lambda f: mg.derivative(f, 1.5), "whole number"),
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_a_wrong_call_of_a_derivative_is_told_what_is_wrong(name):
    run, words = WRONG_CALLS[name]
    with pytest.raises(MicrogridError, match=words) as caught:
        run(lambda *xs: xs[0])
    assert isinstance(caught.value, NumberError | GraphError | ShapeError | ParameterError)


def test_hvp_takes_a_direction_of_the_same_shape_in_lists_or_arrays():
    f = lambda x: (x[0] ** 2).sum() + (x[1] ** 3).sum()  # noqa: E731
    x, v = np.ones((2, 3)), np.arange(6.0).reshape(2, 3)
    expected = [[0, 2, 4], [18, 24, 30]]
    assert mg.hvp(f)(x, v).tolist() == mg.hvp(f)(x, v.tolist()).tolist() == expected


def test_other_arguments_may_be_anything():
    f = lambda x, how: x * how["k"][0]  # noqa: E731
    assert mg.grad(f)(2.0, {"k": (3.0,)}) == 3.0
    w = Value(5.0)
    assert isinstance(mg.grad(f)(2.0, {"k": (w,)}), Value)  # so that w can be differentiated


def cubic(v):
    return v[0] ** 3 * v[1]


@pytest.mark.parametrize("of", [mg.grad, mg.value_and_grad, mg.jacobian, mg.hessian])
def test_derivatives_pickle_and_have_the_name_and_the_parameters_of_the_function(of):
    made = of(cubic)
    copied = pickle.loads(pickle.dumps(made))
    assert str(copied([2.0, 3.0])) == str(made([2.0, 3.0]))
    assert (str(made), made.__name__) == (f"{made.name}(cubic)", "cubic")


def test_gradients_of_plain_numbers_are_refused():
    for plain in ([3.0, 2.0], np.array([3.0]), [Value(1.0), 2.0]):
        with pytest.raises(NumberError, match="has no gradient: make the array with matrix"):
            mg.grads(plain)
    assert mg.values([3.0, Value(2.0)]).tolist() == [3.0, 2.0]


def test_frames_and_nullable_columns_are_taken_as_plain_numbers():
    f = lambda A: (A * A).sum()  # noqa: E731
    frame = pd.DataFrame({"a": [1.0, 2.0], "bb": [3, 4]})
    assert mg.values(mg.matrix(frame)).tolist() == [[1.0, 3.0], [2.0, 4.0]]
    assert mg.grad(f)(frame).tolist() == [[2.0, 6.0], [4.0, 8.0]]
    assert mg.hvp(f)(frame, frame).tolist() == [[2.0, 6.0], [4.0, 8.0]]
    assert mg.record(f, np.zeros((2, 2)))(frame) == 30.0
    whole = pd.Series([1, 2], dtype="Int64")
    assert mg.grad(f)(whole).tolist() == [2.0, 4.0]
    assert mg.grad(lambda x, how: x * how["a"][0])(2.0, frame) == 1.0


@pytest.mark.parametrize("make", [lambda xs: Tensor(xs), np.array, pd.Series])
def test_a_value_compares_with_each_entry_of_an_array(make):
    assert np.asarray(Value(2.0) == make([2.0, 3.0])).tolist() == [True, False]
    assert np.asarray(Value(2.0) != make([2.0, 3.0])).tolist() == [False, True]
    with pytest.raises(BranchError):
        mg.record(lambda x: x * float(np.sum(np.asarray(x == make([2.0, 3.0])))), 2.0)


def test_what_compares_with_no_number_is_not_equal_or_is_refused():
    x = Value(1.0)
    assert not any(x == other for other in (np.datetime64("2020-01-01"), pd.NaT, "1", [1.0]))
    for hidden in (np.ma.masked, Tensor(1.0, requires_grad=True)):
        with pytest.raises(NumberError, match="compares with real numbers"):
            x == hidden  # noqa: B015


def test_a_function_that_sets_the_data_of_its_argument_has_no_silent_derivative():
    def scaled(x):
        x.data = x.data * 2
        return x * x

    def step(w):
        loss = (w - 1) ** 2
        loss.backward()
        w.data -= 0.1 * w.grad
        return (w - 1) ** 2

    for f in (scaled, step):
        for door in (mg.grad, mg.value_and_grad, mg.jacobian, mg.hessian, mg.derivative):
            with pytest.raises(GraphError, match="sets the data of its argument"):
                door(f)(3.0)
        with pytest.raises(GraphError, match="sets the data of its argument"):
            mg.gradcheck(f, 3.0)


def test_a_direction_of_values_keeps_its_gradient():
    f = lambda v: v[0] ** 2 * v[1]  # noqa: E731
    w = Value(3.0)
    (w * w + mg.total(mg.hvp(f)([1.0, 2.0], [w, 0.0]))).backward()
    assert w.grad == 12.0


class Cubed:
    def value(self, x):
        return x**3

    slope = mg.grad(value, argnum=1)


def test_a_derivative_binds_as_the_function_does():
    assert Cubed().slope(2.0) == 12.0
    assert mg.grad(mg.tanh).__name__ == "tanh"


IN_PLACE = {
    "+=": lambda acc, v: operator.iadd(acc, v),
    "*=": lambda acc, v: operator.imul(acc, v),
    "out": lambda acc, v: np.add(acc, v, out=acc),
    "exp into": lambda acc, v: np.exp(v, out=acc),
    "array": lambda acc, v: operator.iadd(acc, mg.matrix([1.0, 2.0])),
    "add.at": lambda acc, v: np.add.at(acc, [0, 0], v),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_no_value_fits_into_an_array_of_floats(name):
    with pytest.raises(MicrogridError, match=r"v\.data"):
        IN_PLACE[name](np.zeros(2), Value(2.0))


def test_a_long_double_beyond_the_floats_is_refused():
    if np.finfo(np.longdouble).max > np.finfo(float).max:
        with pytest.raises(OverflowError, match="beyond the floats"):
            Value(np.longdouble("1e4000"))
    assert Value(np.longdouble("inf")).data == math.inf
