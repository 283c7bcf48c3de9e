"""Numbers as people write them: each reads back as itself, and nothing else is a number."""

import math
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid import Value
from microgrid.engine.errors import NumberError
from microgrid.views.numerals import missing, plain, read, unfilled

SCRIPTS = ["0123456789", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "０１２３４５６７８９", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗"]
SPACES = [" ", "\u00a0", "\u202f", "\u2009", "\u3000"]
DASHES = [*"-−–—‒‐‑―－﹣﹘⁻➖ー"]
VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅝": "5/8", "⅒": "1/10"}


def grouped(digits, mark):
    """1234567 as 1,234,567."""
    first = len(digits) % 3 or 3
    return mark.join([digits[:first], *[digits[i : i + 3] for i in range(first, len(digits), 3)]])


@st.composite
def sizes(draw):
    """A number without a sign, and a way to write it."""
    kind = draw(st.sampled_from(["decimal", "fraction", "vulgar", "mixed"]))
    whole = draw(st.integers(0, 10**9))
    if kind == "vulgar":
        sign = draw(st.sampled_from(sorted(VULGAR)))
        shown = str(whole) + draw(st.sampled_from(["", *SPACES])) if whole else ""
        return whole + Fraction(VULGAR[sign]), shown + sign
    under = draw(st.integers(2, 999))
    over, space = draw(st.integers(1, under - 1)), draw(st.sampled_from(["", *SPACES]))
    slash = space + draw(st.sampled_from("/⁄∕÷／")) + space
    if kind == "fraction":
        return Fraction(whole, under), f"{whole}{slash}{under}"
    if kind == "mixed":
        return whole + Fraction(over, under), f"{whole}{space or ' '}{over}{slash}{under}"
    part = draw(st.text("0123456789", max_size=12))
    point = draw(st.sampled_from([*".,٫．，"]))
    power = draw(st.none() | st.integers(-20, 20))
    marks = [*"'’_", *SPACES, *([","] if point in ".٫．" else ["."])]
    mark = draw(st.sampled_from(["", *marks]))
    digits = str(whole)
    shown = grouped(digits, mark) if mark else digits
    if part or draw(st.booleans()):
        shown = (shown if whole or draw(st.booleans()) or not part else "") + point + part
    elif mark in (",", ".") and shown.count(mark) == 1:
        shown = digits  # 1,000 could be two numbers, and 1.000 is 1
    if plain(point) == "," and len(part) == 3 and len(digits) <= 3 and whole:
        part, shown = part + "0", shown + "0"
    exponent = "" if power is None else draw(st.sampled_from("eE")) + str(power)
    size = Fraction(f"{whole}.{part or 0}") * Fraction(10) ** (power or 0)
    return size, shown + exponent


@st.composite
def spellings(draw):
    """A number, and a way to write it."""
    size, shown = draw(sizes())
    digits = draw(st.sampled_from(SCRIPTS))
    shown = shown.translate({ord(str(i)): c for i, c in enumerate(digits)})
    if draw(st.booleans()):
        size, shown = size / 100, shown + draw(st.sampled_from(["%", " %", "％", "٪"]))
    space = draw(st.sampled_from(["", *SPACES]))
    sign = draw(st.sampled_from(["", "+", *DASHES]))
    x = -size if sign in DASHES else size
    shown = f"{sign}{space}{shown}" if sign else shown
    if sign and draw(st.booleans()):
        shown = f"({space}{shown}{space})"
    shown = draw(st.sampled_from(["", "=", f"={space}", "≈", "x=", f"X{space}=", "ｘ ="])) + shown
    return x, f"{space}{shown}{draw(st.sampled_from(['', ' ', chr(10), chr(0xFEFF)]))}"


@given(spellings())
def test_a_number_in_any_spelling_reads_back_as_that_number(spelling):
    x, shown = spelling
    assert read(shown, name="x") == x


@given(st.floats() | st.integers() | st.fractions() | st.decimals(-(10**99), 10**99))
def test_a_python_number_is_itself_and_what_python_prints_is_the_same_number(x):
    right = Fraction(x) if math.isfinite(x) else x
    printed = Fraction(str(x)) if math.isfinite(x) else x
    for near, expected in ((read(x), right), (read(str(x)), printed), (read(np.array(x)), right)):
        assert near == expected or (near != near and x != x)
    if isinstance(x, float) and x == 0:
        assert math.copysign(1, read(str(x))) == math.copysign(1, x)


@pytest.mark.parametrize("power", [10**4, 10**17])
def test_a_number_beyond_all_sizes_takes_no_time(power):
    assert read(Decimal(f"1e{power}")) == math.inf
    assert read(Decimal(f"1e-{power}")) == 0
    assert read(f"1e{power}") is None


@given(st.text(max_size=30) | st.text("0123456789.,+-eE_ '()%/½−٣nainf=", max_size=12))
def test_what_python_reads_as_a_float_is_read_alike_and_nothing_raises_another_error(text):
    with suppress(NumberError):
        near = read(text)
        with suppress(ValueError):
            right = float(text)
            if near is None:
                assert right in (0, math.inf, -math.inf)  # by a power beyond all sizes
            elif abs(near) < 10**300:
                assert float(near) == right
            else:
                assert abs(right) >= 1e300 or right != right


@pytest.mark.parametrize(
    "text",
    ["", " ", "one", "x", "e", "pi", "1 2", "1,2,3", "1.2.3", "1;2", "--1", "+-1", "- -1", "1-",
     "1+1", "2*3", "1/0", "1//2", "1/2/3", "1.5/2", "1./2", "3²", "²", "①", "Ⅳ", "x1", "1x", "0x10",
     "1e", "e1", "1 e3", "1e5000", "1,00,000", "1,0000,000", "1 3/2", "1:2", "√2", "1+0j", "True",
     "[1]", "==1", "=", "1=1", "y=", "((1))", "(", "()", "%", "5%%", "\u00ad18", "一", "9" * 5000,
     "1 0", "12 34", "1.000.00", "1'00", "__import__('os')", "lambda: 1", "\0", "1\0"],
    ids=repr,
)  # fmt: skip
def test_what_is_no_number_is_none(text):
    assert read(text) is None
    assert read(text, name="x") is None


@pytest.mark.parametrize(
    "x",
    [None, ..., True, False, np.True_, np.array(True), 1j, np.complex128(1), b"1", [1], (1,),
     {1: 1}, np.array([1]), np.datetime64("2020"), np.timedelta64(3, "s"),
     np.ma.masked, Value],
    ids=repr,
)  # fmt: skip
def test_what_holds_no_number_is_none(x):
    assert read(x) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,000", "may be 1000 or 1.000"), ("1,000e3", "may be 1000 or 1.000"),
        ("1 000/3", "a fraction of thousands"), ("-18,000", "may be 18000 or 18.000"),
        ("123,456 %", "may be 123456 or 123.456"), ("(1)", "is 1 in brackets, or −1"),
        ("(0,5)", "leave the brackets out"), ("y=1", "is about y: here the number is that of x"),
        ("x=1,000", "may be"), ("=(1)", "in brackets"),
    ],
)  # fmt: skip
def test_what_could_be_two_numbers_is_refused(text, words):
    with pytest.raises(NumberError, match="'") as error:
        read(text, name="x")
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "x"),
    [("1.000", 1), ("0,500", 0.5), ("1234,567", Fraction("1234.567")), ("1,000,000", 10**6),
     ("1.000,5", 1000.5), ("(0)", 0), ("(-1)", -1), ("1_0", 10), ("∞", math.inf),
     ("- Inf", -math.inf)],
)  # fmt: skip
def test_what_only_looks_like_two_numbers_is_read(text, x):
    assert read(text) == x


@given(st.text() | st.floats() | st.integers() | st.none() | st.booleans())
def test_a_cell_is_empty_or_a_number_or_neither_but_not_both(x):
    with suppress(NumberError):
        assert not missing(x) or read(x) is None or read(x) != read(x)
    assert missing(x) or not unfilled(x)
