"""Names and numbers in words: how a label, a number and an operation are written for the eye."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction

from microgrid.engine.guards import Number
from microgrid.engine.value import Constant, Value

GREEN, RED, INK, NOTE = "#0a7d20", "#c62828", "#333333", "#6a3fa0"
SUBSCRIPT = re.compile(r"(.+)_(?:\{([^{}]+)\}|([0-9]+|[^\W_]))", re.DOTALL)
SIGNS = str.maketrans("*-", "×−", " ")
RAISED = str.maketrans("0123456789−-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻")
LOWERED = dict(zip("0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
WIDE = Context(prec=17, Emax=MAX_EMAX, Emin=MIN_EMIN)


def split(label: str) -> tuple[str, str]:
    """The name and its subscript: w_0, w_i, x_12 and x_{12} have one, all other text stays whole.

    >>> split("x_{12}"), split("learning_rate")
    (('x', '12'), ('learning_rate', ''))
    """
    match = SUBSCRIPT.fullmatch(label)
    return (match[1], match[2] or match[3]) if match else (label, "")


def lowered(label: str) -> str:
    """The label, with its subscript lowered where Unicode can.

    >>> lowered("w_{12}"), lowered("w_b")
    ('w₁₂', 'w_b')
    """
    base, below = split(label)
    return base + "".join([LOWERED[c] for c in below]) if set(below) <= set(LOWERED) else label


def subscripted(name: str, index: Sequence[int], comma: str = "") -> str:
    """The name of an entry, counted from 1.

    >>> subscripted("x", (0, 1)), subscripted("b", (2,)), subscripted("x", ())
    ('x_{12}', 'b_3', 'x')
    """
    subscript = comma.join([str(i + 1) for i in index])
    braced = f"{{{subscript}}}" if len(subscript) > 1 else subscript
    return f"{name}_{braced}" if name and subscript else name


def number(x: Number, digits: int = 2) -> str:
    """x with so many decimals; what would be too long or look like zero gets an exponent.

    >>> [number(x) for x in (0.731, -0.0, 1.2e-5, 123456789, Fraction(-2, 3))]
    ['0.73', '0.00', '1.2e-05', '1.2e+08', '-2/3']
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
    return f"{near:{scientific}}" if near and (abs(near) >= 1e5 or not float(plain)) else plain


def constant(x: Number) -> str:
    """A number inside an expression, without the zeros at its end: 1, −0.5, 1e-06."""
    try:
        return (str(x) if isinstance(x, Fraction) else f"{x:.6g}").replace("-", "−")
    except (OverflowError, ValueError):  # an int of hundreds of digits
        return number(x).replace("-", "−")


def caption(v: Value) -> str:
    """What the gate that made v does to its wires: ×, +1, x², exp; plain numbers are written out.

    >>> x = Value(2.0)
    >>> [caption(y) for y in (x * x, x + 1, 2 * x, 1 / x, x**2, 1 - x, abs(x))]
    ['×', '+1', '2×', '1/x', 'x²', '1−x', '|x|']
    """
    if v.op is None:
        return ""
    template, parents = v.op.text, v.parents
    wires = sum(not isinstance(p, Constant) for p in parents)
    if template.count("{}") != len(parents):
        return template if wires == len(parents) else f"{template}({operands(parents, wires)})"
    if wires > 1:
        return template.replace("{}", "").translate(SIGNS)
    written = ["x" if not isinstance(p, Constant) else constant(p.data) for p in parents]
    return leave_out_x(template.translate(SIGNS).format(*written))


def operands(parents: tuple[Value, ...], wires: int) -> str:
    """The operands of a function: a single wire is x, of several each is a dot."""
    wire = "x" if wires == 1 else "·"
    written = [constant(p.data) if isinstance(p, Constant) else wire for p in parents]
    return ", ".join(written if len(parents) <= 4 else [*written[:3], "…"])


def leave_out_x(formula: str) -> str:
    """x+1 → +1 and 2×x → 2×, where the place of the wire is plain; x^2 → x²; x−−2 → −(−2)."""
    formula = re.sub(r"(?<=[+−])(−.+)$", r"(\1)", formula)
    formula = re.sub(r"(?<=x)\^(−?[0-9]+)$", lambda m: m[1].translate(RAISED), formula)
    return re.sub(r"^x(?=[+×−/])|(?<=[+×])x$", "", formula)


def unique(names: Sequence[str]) -> list[str]:
    """The names, with (1), (2), … where one comes several times."""
    times, seen, found = Counter(names), Counter[str](), []
    for name in names:
        seen[name] += 1
        found.append(f"{name} ({seen[name]})" if times[name] > 1 else name)
    return found


def plural(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
