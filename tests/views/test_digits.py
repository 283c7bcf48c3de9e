"""The digits of an equation: what is shown is right as it stands there, or the sign says so."""

import math
import operator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.planting import assert_caught
from shared.written import gives, is_rounded, number, table_is_right

from microgrid.views import digits
from microgrid.views.digits import MORE, Line, balanced, columns, one_kind
from microgrid.views.tables import short
from microgrid.views.wording import decimals

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-10, 10)
numbers |= st.fractions(max_denominator=500) | st.integers(-(10**6), 10**6)
signs = st.sampled_from([operator.add, operator.mul, operator.sub])


def result_of(f, a, b):
    try:
        return f(a, b)
    except OverflowError:
        return math.inf


@given(signs, numbers, numbers, st.integers(0, 6))
def test_what_is_shown_gives_the_shown_result_or_the_sign_is_another(f, a, b, places):
    end = result_of(f, a, b)
    if not math.isfinite(end):
        return
    shown = balanced(f, (a, b), end, places)
    assert gives(shown.sign, f(*map(number, shown.numbers)), shown.result)
    assert all(map(is_rounded, [*shown.numbers, shown.result], [a, b, end]))
    assert shown.result == decimals(end, places).replace("-", "−")


@given(signs, st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_the_sign_says_so_only_where_more_digits_are_no_help(f, a, b):
    end = f(a, b)
    shown = balanced(f, (a, b), end, 2)
    if shown.sign == "≈":
        assert not gives("=", f(*[number(decimals(x, 2 + MORE)) for x in (a, b)]), shown.result)


@pytest.mark.parametrize(
    ("f", "numbers", "result", "shown"),
    [
        (operator.mul, (-2.0, 0.19661193), -0.39322387, "−2.00 0.197 = −0.39"),
        (operator.mul, (-0.53, 1.0), -0.53, "−0.53 1.00 = −0.53"),
        (operator.mul, (-3.0, 0.00247), -0.00741, "−3.00 0.0025 = −0.01"),
        (operator.mul, (2.0, 0.00247), 0.00494, "2.00 0.00247 = 0.0049"),
        (operator.mul, (1e-5, 0.5), 5e-6, "1.0e−05 0.50 = 5.0e−06"),
        (operator.mul, (Fraction(1, 3), Fraction(3)), Fraction(1), "1/3 3 = 1"),
        (operator.mul, (math.inf, 2.0), math.inf, "inf 2.00 = inf"),
        (operator.mul, (math.inf, 0.0), math.nan, "inf 0.00 = nan"),
        (operator.add, (0.124, 0.124), 0.248, "0.124 0.124 = 0.25"),
        (operator.add, (1 / 3, 1 / 3), 2 / 3, "0.333 0.333 = 0.67"),
        (operator.add, (123456.789, -123456.788), 0.001, "1.2e+05 −1.2e+05 ≈ 0.0010"),
        (math.exp, (1000.0,), math.inf, "1000.00 ≈ inf"),
    ],
)
def test_equations_as_they_are_shown(f, numbers, result, shown):
    found = balanced(f, numbers, result, 2)
    assert " ".join([*found.numbers, found.sign, found.result]) == shown


@pytest.mark.parametrize(
    ("x", "shown"),
    [(0.005, "0.01"), (0.0049, "0.0049"), (1e-4, "0.00010"), (9.99e-5, "0.00010"),
     (9e-5, "9.0e-05"), (-0.0025, "-0.0025"), (0.0, "0.00"), (math.inf, "inf"),
     (99999.0, "99999.00"), (100000.0, "1.0e+05"), (Fraction(1, 3000), "1/3000"),
     (Fraction(1, 10**9), "1.0e-09")],
)  # fmt: skip
def test_decimals_say_what_they_can_without_an_exponent(x, shown):
    assert decimals(x) == shown


def test_equations_that_are_never_looked_at_are_caught(monkeypatch):
    """A test of the first test."""
    monkeypatch.setattr(digits, "right", lambda *args: True)
    assert_caught(test_what_is_shown_gives_the_shown_result_or_the_sign_is_another, monkeypatch)


@given(
    st.lists(st.tuples(st.sampled_from("xy"), numbers, numbers), min_size=1, max_size=5),
    st.sampled_from([(decimals, 2), (short, 4)]),
)
def test_each_line_of_a_table_is_right_as_it_stands_or_says_that_it_is_not(drawn, how):
    write, digits = how
    lines, totals = [], {}
    for key, a, b in drawn:
        share = result_of(operator.mul, a, b)
        totals[key] = result_of(operator.add, totals.get(key, 0), share)
        if not math.isfinite(totals[key]):
            return
        lines.append(Line(key, (a, b), share, totals[key]))
    shown = columns(lines, digits, write)
    assert table_is_right([(line.sum, *cells) for line, cells in zip(lines, shown, strict=True)])
    for line, cells in zip(lines, shown, strict=True):
        exact = (*line.factors, line.share, line.total)
        assert all(map(is_rounded, [cell.removeprefix("≈ ") for cell in cells], exact))


def test_a_table_that_takes_all_for_right_is_caught(monkeypatch):
    """A test of the test before."""
    monkeypatch.setattr(digits, "fits", lambda found, end: True)
    assert_caught(
        test_each_line_of_a_table_is_right_as_it_stands_or_says_that_it_is_not, monkeypatch
    )


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        ([("x", (0.0564, 0.0564), 0.00318096, 0.00318096)], ["0.0564 0.0564 0.0032 0.0032"]),
        ([("x", (1.0, 1 / 3), 1 / 3, 1 / 3), ("x", (1.0, 1 / 3), 1 / 3, 2 / 3)],
         ["1.00 0.333 0.333 0.33", "1.00 0.333 0.333 0.67"]),
        ([("x", (1.0, 1e5), 1e5, 1e5), ("y", (2.0, 3.0), 6.0, 6.0),
          ("x", (-1.0, 99999.999), -99999.999, 0.001)],
         ["1.00 1.0e+05 1.0e+05 1.0e+05", "2.00 3.00 6.00 6.00",
          "-1.00 99999.999 -99999.999 0.0010"]),
        ([("x", (1.0, 123456.789), 123456.789, 123456.789),
          ("x", (-1.0, 123456.788), -123456.788, 0.001)],
         ["1.00 1.2e+05 1.2e+05 1.2e+05", "-1.00 1.2e+05 -1.2e+05 ≈ 0.0010"]),
        ([("x", (math.inf, 0.0), math.nan, math.nan)], ["inf 0.00 nan nan"]),
        ([("x", (3,), 3, 5)], ["3.00 3.00 5.00"]),  # a sum that begins with 2
    ],
)  # fmt: skip
def test_lines_as_they_are_shown(lines, shown):
    found = columns([Line(*line) for line in lines], 2, decimals)
    assert [*map(" ".join, found)] == shown


@pytest.mark.parametrize(
    ("beside", "x", "shown"),
    [((Fraction(1, 3), 2), 1, "1"), ((Fraction(1, 3), 2.0), 2.0, "2"), ((1, 2.5), 1, "1.00"),
     ((Fraction(1, 3), 0.5), Fraction(1, 3), "0.33"), ((Fraction(1, 3), 0.5), 1, "1.00"),
     ((Fraction(1, 3), math.inf), Fraction(1, 3), "0.33"), ((), Fraction(1, 3), "1/3"),
     ((Fraction(10) ** 400, 0.5), Fraction(10) ** 400, "1.0e+400")],
)  # fmt: skip
def test_numbers_beside_each_other_are_of_one_kind(beside, x, shown):
    assert decimals(one_kind(beside)(x)) == shown
