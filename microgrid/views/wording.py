"""How a label and a number are written for the eye, and the colours that pictures share."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import count, product

from microgrid.engine.guards import Number
from microgrid.views.labels import parts_of

GREEN, RED, BLUE = "#0a7d20", "#c62828", "#0b57d0"  # values, gradients, tangents
INK, NOTE = "#333333", "#6a3fa0"
RAISED = dict(zip("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻", strict=True))
RAISED |= dict(zip("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ", strict=True))
LOWERED = dict(zip("0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
ABOVE = RAISED | {"(": "⁽", ")": "⁾", "+": "⁺", "−": "⁻", "i": "ⁱ", "n": "ⁿ", "T": "ᵀ", "⊤": "ᵀ"}
ABOVE |= {c: c for c in "′∗⋆*†"}  # these stand high as they are
MOST_DECIMALS = 17  # no float has more digits
WIDE = Context(prec=17, Emax=MAX_EMAX, Emin=MIN_EMIN)


def lowered(label: str) -> str:
    r"""The label on one line, with its subscript lowered and its superscript raised as far as
    Unicode can.

    >>> [lowered(x) for x in ("w_{12}", "w_b", r"\hat{y}_{cd}", "W^{(1)}", "W^{L-1}", r"\theta_1")]
    ['w₁₂', 'w_b', 'ŷ_{cd}', 'W⁽¹⁾', 'W^{L-1}', 'θ₁']
    """
    text = ""
    for part in parts_of(label):
        text += f"{part.text}{moved(part.below, LOWERED, '_')}{moved(part.above, ABOVE, '^')}"
    return text


def typed(label: str) -> str:
    r"""The label beside what a keyboard writes: w_12; of other letters and LaTeX as it is read.

    >>> [typed(x) for x in ("w_0", "w_{12}", r"\theta_1", "θ_1", "W^{(1)}", "learning_rate")]
    ['w_0', 'w_12', 'θ₁', 'θ₁', 'W⁽¹⁾', 'learning_rate']
    """
    if re.search(r"[\\^]", label) or not label.isascii():
        return lowered(label)
    return re.sub(r"_\{(\w+)\}$", r"_\1", label)


def moved(script: str, signs: Mapping[str, str], sign: str, braced: bool = True) -> str:
    """A subscript or superscript in small letters, else behind its sign, perhaps in braces."""
    if set(script) <= signs.keys():
        return "".join([signs[c] for c in script])
    return f"{sign}{{{script}}}" if braced and len(script) > 1 else f"{sign}{script}"


def raised(exponent: str) -> str:
    return "".join([RAISED[digit] for digit in exponent.replace("−", "-")])


def signed(text: str) -> str:
    """A number with a real minus sign, which screen readers speak."""
    return text.replace("-", "−")


def subscripted(name: str, index: Sequence[int], comma: str = "") -> str:
    """The name of an entry, counted from 1.

    >>> subscripted("x", (0, 1)), subscripted("b", (2,)), subscripted("x", ())
    ('x_{12}', 'b_3', 'x')
    """
    return entry_names(name, (), comma, index)[0]


def entry_names(
    name: str, shape: Sequence[int], comma: str = "", before: Sequence[int] = ()
) -> list[str]:
    """The names of all entries of an array, row by row; `before` stand the indices of the array.

    >>> entry_names("x", (2, 2)), entry_names("x", (3,), before=[0])
    (['x_{11}', 'x_{12}', 'x_{21}', 'x_{22}'], ['x_{11}', 'x_{12}', 'x_{13}'])
    """
    axes = [[str(i + 1)] for i in before] + [[*map(str, range(1, n + 1))] for n in shape]
    found = list(map(comma.join, product(*axes)))
    if not (name and axes):
        return [name] * len(found)
    return [f"{name}_{{{x}}}" if len(x) > 1 else f"{name}_{x}" for x in found]


def decimals(x: Number, digits: int = 2) -> str:
    """x with so many decimals; with more if it would look like zero, or with an exponent.

    >>> [decimals(x) for x in (0.731, -0.0, 0.00254, 1.2e-5, 123456789, Fraction(-2, 3))]
    ['0.73', '0.00', '0.0025', '1.2e-05', '1.2e+08', '-2/3']
    """
    scientific = f".{max(digits - 1, 0)}e"
    if isinstance(x, Fraction) and len(bin(x.numerator)) + len(bin(x.denominator)) < 30:
        return str(x)  # at most 9 characters, and exact
    try:
        near = float(x)
    except OverflowError:
        near = 0.0
    if not near and x:  # an int or a Fraction beyond the floats
        return format(WIDE.divide(*map(Decimal, x.as_integer_ratio())), scientific)
    plain = f"{near or 0.0:.{digits}f}"  # -0.0 or 0.0 is 0.0
    if not near or (float(plain) and abs(near) < 1e5):
        return plain
    short = f"{near:{scientific}}"
    place = int(short.partition("e")[2]) if near - near == 0 else 0  # of the first digit
    return f"{near:.{max(digits, 1) - 1 - place}f}" if -4 <= place < 0 else short


@lru_cache(1024)
def multiple(x: float) -> tuple[Fraction, str] | None:
    """Which small multiple of π or e a number is, to its last digit; None for all others.

    >>> multiple(math.e), multiple(-2 * math.pi / 3), multiple(3.14)
    ((Fraction(1, 1), 'e'), (Fraction(-2, 3), 'π'), None)
    """
    for c, name in ((math.pi, "π"), (math.e, "e")):
        if type(x) is float and 0.01 < abs(x) < 100:
            ratio = Fraction(x / c).limit_denominator(12)
            if ratio.numerator * c / ratio.denominator == x and abs(ratio.numerator) <= 12:
                return ratio, name
    return None


def constant(x: Number) -> str:
    """A number inside an expression, without the zeros at its end: 1, −0.5, 1e-06."""
    try:
        return signed(str(x) if isinstance(x, Fraction) else f"{x:.6g}")
    except (OverflowError, ValueError):  # an int of hundreds of digits
        return signed(decimals(x))


def printable(words: str) -> str:
    """The words without the characters that XML forbids."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\ufffd", words)


def unique(names: Sequence[str]) -> list[str]:
    """The names, with (1), (2), … where one comes several times."""
    times, numbers = Counter(names), {name: count(1) for name in names}
    return [f"{x} ({next(numbers[x])})" if times[x] > 1 else x for x in names]


def plural(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def listed(items: Iterable[str], before: str = "") -> str:
    """The words for a sentence, a, b, c, … and how many more; nothing where there are none."""
    words = list(items)
    some = words if len(words) <= 12 else [*words[:11], f"… and {len(words) - 11} more"]
    return f"{before}{', '.join(some)}" if some else ""
