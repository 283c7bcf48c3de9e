"""Numbers as people write them: −18, 0,5, 1½, 1 / 3, =1, 50 %. They are never evaluated.

A text that could be two numbers, like 1,000, is refused: nobody gets a mark for a number that they
did not write. 1.000 is 1, as Python prints it.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from numbers import Rational, Real
from typing import Any

from microgrid.engine.errors import NumberError
from microgrid.engine.value import Value

LONGEST = 1000  # characters
MINUS = "−⁻₋˗➖"  # beside all that Unicode calls a dash
MARKS = {"⁄": "/", "∕": "/", "÷": "/", "٫": ".", "٬": "'", "’": "'", "٪": "%", "﹢": "+", "﹪": "%"}
NOTHING = {"", "na", "nan", "nat", "nil", "none", "null"}  # how tables write an empty cell
DIGITS = r"\d+(_\d+)*"
UNSIGNED = re.compile(
    rf"(?P<whole>{DIGITS}|[1-9]\d{{0,2}}((?P<group>[,.' ])\d{{3}}((?P=group)\d{{3}})*)|)"
    rf"((?P<point>[.,])(?P<part>{DIGITS})?)?(e(?P<power>[+-]?{DIGITS}))?",
    re.ASCII | re.IGNORECASE,
)
FRACTION = re.compile(r"((?P<whole>\d+) )?(?P<over>\d+) ?/ ?(?P<under>\d+)", re.ASCII)
THOUSANDS = re.compile(r"(?P<whole>[1-9]\d{0,2}),(?P<thousands>\d{3})(e[+-]?\d+)?", re.ASCII | re.I)


def read(x: Any, name: str = "") -> Fraction | float | None:
    """The number that x is or says, exactly; None if it is none.

    A text may have a decimal point or comma, marks between thousands, any dash for a minus, digits
    of any script, a fraction, a percent sign, and before it all an equals sign, with `name` or
    alone. NumberError where it could be two numbers, like 1,000, or is about another name. inf,
    nan and -0 are floats.

    >>> [str(read(text)) for text in ("−0,5", "1½", "- 1 / 3", "=1e2", "1 234.5", "50 %")]
    ['-1/2', '3/2', '-1/3', '100', '2469/2', '1/2']
    >>> read("one"), read(True), read("x = 3", name="x")
    (None, None, Fraction(3, 1))
    """
    if isinstance(x, str):
        return number_in(x, name)
    if isinstance(x, Value):
        return read(x.data)
    if isinstance(x, bool) or getattr(getattr(x, "dtype", None), "kind", "") in [*"bmM"]:
        return None  # a truth, a date, a span of time
    if isinstance(x, Decimal):
        small = x.is_finite() and abs(x.adjusted()) < LONGEST
        return Fraction(x) if small else float("nan") if x.is_nan() else float(x)
    if isinstance(x, Rational):
        return Fraction(int(x.numerator), int(x.denominator))
    if isinstance(x, Real):
        with suppress(AttributeError, OverflowError, ValueError):  # inf and nan are no ratios
            return Fraction(*x.as_integer_ratio())  # type: ignore[attr-defined]
        return float(x)
    if getattr(x, "shape", None) == () and hasattr(x, "item") and not hidden(x):
        return read(x.item(), name)  # an array or a tensor of one number
    return None


def number_in(text: str, name: str) -> Fraction | float | None:
    """The number that a text says."""
    words = " ".join(plain(text).split()) if len(text) <= LONGEST else ""
    *before, words = re.split("[=≈]", words, maxsplit=1)
    about, words = "".join(before).strip(), words.strip()
    if about and about.casefold() != plain(name).strip().casefold():
        if name and about.isidentifier() and signed_number(words) is not None:
            raise NumberError(f"{text!r} is about {about}: here the number is that of {name}")
        return None
    return signed_number(words)


def signed_number(words: str) -> Fraction | float | None:
    """The number that plain words say, without a name or an equals sign."""
    if words.startswith("(") and words.endswith(")"):
        inner = words[1:-1].strip()
        found = None if inner.startswith("(") else signed_number(inner)
        if found and inner[0] not in "+-":
            both = f"{inner} in brackets, or −{inner} as accountants write it"
            raise NumberError(f"{words!r} is {both}: leave the brackets out")
        return found
    size = words[1:].lstrip() if words.startswith(("-", "+")) else words
    found = unsigned_number(size.removesuffix("%").rstrip())
    if found and size.endswith("%"):
        found /= 100
    return found if found is None or not words.startswith("-") else -found or -0.0


def unsigned_number(words: str) -> Fraction | float | None:
    """The number that words without a sign say."""
    if words.casefold() in ("inf", "infinity", "∞", "nan"):
        return float(words.casefold().replace("∞", "inf"))
    if parts := FRACTION.fullmatch(words):
        if parts["whole"] and len(parts["over"]) == 3 and parts["over"].startswith("0"):
            raise NumberError(f"{words!r} may be a fraction of thousands: write it without a space")
        over, under = int(parts["over"]), int(parts["under"])
        if not under or (parts["whole"] and over >= under):
            return None
        return int(parts["whole"] or 0) + Fraction(over, under)
    if found := THOUSANDS.fullmatch(words):
        either = found.expand(r"\g<whole>\g<thousands> or \g<whole>.\g<thousands>")
        raise NumberError(f"{words!r} may be {either}: write it without a comma")
    parts = UNSIGNED.fullmatch(words)
    if parts is None or parts["point"] == (parts["group"] or ""):
        return None
    power, whole = int(parts["power"] or 0), re.sub(r"[,.' _]", "", parts["whole"])
    if not (whole or parts["part"]) or abs(power) >= LONGEST:
        return None
    return Fraction(f"{whole or 0}.{parts['part'] or 0}e{power}")


def plain(text: str) -> str:
    """The text with ASCII digits, minus signs, spaces, slashes and marks; nothing is left out.

    >>> plain("x − ３½")
    'x - 3 1/2 '
    """
    return text if text.isascii() else "".join(map(plain_character, text))


def is_dash(c: str) -> bool:
    return c in MINUS or unicodedata.category(c) == "Pd"


def plain_character(c: str) -> str:
    kind = unicodedata.category(c)
    if is_dash(c) or c == "ー":  # on a Japanese keyboard; in a name it is a letter
        return "-"
    if kind == "Nd":
        return str(unicodedata.decimal(c))
    if "！" <= c <= "～":
        return unicodedata.normalize("NFKC", c)
    if kind == "No" and "⁄" in (written := unicodedata.normalize("NFKC", c)):
        return f" {written.replace('⁄', '/')} "  # what stands behind is no part of it
    if c.isspace():
        return " "
    if kind == "Cf" and c != "\u00ad":  # marks without a width; but a soft hyphen may be a minus
        return ""
    return MARKS.get(c, c)


def unfilled(x: Any) -> bool:
    """Whether nothing is written here: None, ..., an empty cell of a table, a text of mere marks.

    >>> [unfilled(x) for x in (None, " ", "–", "?", "…", "0", "none")]
    [True, True, True, True, True, False, False]
    """
    if isinstance(x, str):
        return not letters_and_digits(x)
    return x is None or x is ... or type(x).__name__ in ("NAType", "NaTType") or hidden(x)


def missing(x: Any) -> bool:
    """Whether no number is written here: unfilled, nan, or a word like n/a.

    >>> [missing(x) for x in (float("nan"), "#N/A", "None", "0", "one")]
    [True, True, True, False, False]
    """
    if isinstance(x, str):
        return letters_and_digits(x) in NOTHING
    if unfilled(x) or isinstance(x, Value):  # a nan that was computed is an answer
        return unfilled(x)
    if getattr(getattr(x, "dtype", None), "kind", "") in [*"mM"]:
        return bool(getattr(x, "shape", None) == () and x != x)
    found = read(x)
    return found is not None and found != found


def letters_and_digits(text: str) -> str:
    """The letters and digits of a text."""
    return re.sub(r"[^\w∞]|_", "", plain(text)).casefold()


def hidden(x: Any) -> bool:
    """Whether x stands behind a mask."""
    return getattr(x, "shape", None) == () and bool(getattr(x, "mask", False))
