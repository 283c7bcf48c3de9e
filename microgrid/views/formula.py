"""The formula of a graph in LaTeX, through each operation's own template.

A template is plain LaTeX with the operands as #1, #2, …, like the body of a TeX macro:
`\\frac{#1}{#2}`. How strongly it binds, and so where brackets are needed, is read off the template.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from microgrid.engine.guards import Number
from microgrid.engine.value import Constant, Op, Value
from microgrid.views.wording import constant, split
from microgrid.views.wording import number as decimals

# How strongly a formula binds: where a slot asks for more, it is put in brackets.
ANY, SUM, SIGN, PRODUCT, FRACTION, POWER, ATOM = range(7)
DEEPEST = 30  # brackets and braces inside each other: TeX gives up at 255 groups
WIDEST = 12  # operands of one operation
NAMES = "sin cos tan arcsin arccos arctan sinh cosh tanh exp log max min"
STANDARD = {name: "\\" + name for name in NAMES.split()} | {"log2": r"\log_2"}
STANDARD["log10"] = r"\log_{10}"
LETTERS = "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi"
LETTERS += " chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega partial nabla"
GREEK = {name: "\\" + name for name in LETTERS.split()}
GREEK |= dict(zip("αβγδεζηθκλμνξπρστφχψωΓΔΘΛΞΠΣΦΨΩ∂∇", GREEK.values(), strict=True))
ESCAPED = {c: "\\" + c for c in "_{}#$%&"} | {
    " ": r"\ ", "\\": r"\backslash{}", "^": r"{\wedge}", "~": r"{\sim}", "<": "{<}", ">": "{>}",
    "-": r"\text{-}", "`": r"\text{`}", '"': r"\text{''}", "'": r"\text{'}",
}  # fmt: skip
TALL = re.compile(r"\\frac|\\sqrt|\\left|\^")
FUNCTION_CALL = re.compile(r"[A-Za-z}\d](\\left)?\([^()]*\)$")
PLAIN_FACTOR = re.compile(r"(?!\\mathit|\\left|\\frac|\\dots)[A-Za-z\\]")


class Formula(str):
    """LaTeX text that a notebook shows as a formula."""

    __slots__ = ()

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self}$"


class Slot(NamedTuple):
    operand: int
    least: int  # what binds less stands in brackets
    first: bool  # a minus sign may stand here


class Template(NamedTuple):
    """A template cut at its slots, and how strongly the whole of it binds."""

    pieces: tuple[str, ...]  # one more than slots
    slots: tuple[Slot, ...]
    strength: int


class Part(NamedTuple):
    """A node to be written: how deep in brackets, and the places of its operands among all."""

    node: Value
    depth: int
    cut: bool = False
    operands: tuple[int, ...] = ()


def latex(root: Value, stop_at_labels: bool = False, most: int = 400) -> Formula:
    r"""The formula of root's graph, with the names or numbers of its leaves: LaTeX for math mode.

    Brackets stand only where the formula would mean something else without them. A node that is
    used twice is written twice; with `stop_at_labels` the formula ends at inner nodes that have a
    name. Floats show six digits. Beyond `most` nodes, or 30 brackets deep, or 12 operands, the
    outer part of the formula is shown and \dots for what was left out.

    >>> x, w = Value(2.0, "x"), Value(3.0, "w_{12}")
    >>> print(latex((x - (w - 1)) ** 2 / (1e-7 * x)))
    \frac{(x - (w_{12} - 1))^{2}}{10^{-7} x}
    """
    parts = outline(root, stop_at_labels, most)
    written: dict[int, tuple[str, int]] = {}
    for i in reversed(range(len(parts))):  # operands stand behind what is made of them
        part = parts[i]
        if part.cut:
            written[i] = r"\dots", ATOM
        elif part.operands:
            operands = [written.pop(k) for k in part.operands]
            written[i] = filled(template_of(part.node), operands)
        else:
            written[i] = leaf(part.node)
    return Formula(written[0][0])


def outline(root: Value, stop_at_labels: bool, most: int) -> list[Part]:
    """What is to be written, the outermost first: a tree, where a shared node comes twice."""
    parts, spent = [Part(root, 0)], 0
    for i, part in enumerate(parts):  # a list that grows
        v = part.node
        if not v.parents or part.cut or (stop_at_labels and v.label and i):
            continue
        spent += 1
        if i and (spent > most or part.depth > DEEPEST):
            parts[i] = part._replace(cut=True)
            continue
        template, start = template_of(v), len(parts)
        parts[i] = part._replace(operands=tuple(range(start, start + len(v.parents))))
        parts += [Part(p, part.depth) for p in v.parents]
        for k, slot in enumerate(template.slots):
            place = start + slot.operand
            inner = parts[place].node
            if len(template.slots) > WIDEST and WIDEST - 4 <= k < len(template.slots) - 2:
                parts[place] = Part(inner, part.depth, cut=True)
            elif inner.parents and not ANY < slot.least <= template_of(inner).strength:
                parts[place] = Part(inner, part.depth + 1)
    return parts


def filled(template: Template, operands: list[tuple[str, int]]) -> tuple[str, int]:
    """The template with its operands, each in brackets where it binds less than its slot asks."""
    if template.pieces == ("", ""):  # a sum of one is its term, and binds like it
        return operands[0]
    texts = []
    for slot in template.slots:
        text, strength = operands[slot.operand]
        signed = text.startswith("-") and not slot.first
        loose = strength < slot.least or (signed and slot.least > ANY)
        texts.append(bracketed(text) if loose else text)
    pieces = list(template.pieces)
    for k, piece in enumerate(pieces[1:-1], 1):
        if piece == " " or piece.startswith(" ("):
            pieces[k] = times(texts[k - 1], piece[1:] or texts[k]) + piece[1:]
    if pieces[0].endswith("(") and any(map(TALL.search, texts)):
        pieces[0], pieces[-1] = pieces[0][:-1] + r"\left(", r"\right)" + pieces[-1][1:]
    text = pieces[0] + "".join(t + piece for t, piece in zip(texts, pieces[1:], strict=True))
    return re.sub(r"\\dots(?:( \+ |, | | \\cdot )\\dots)+", r"\\dots", text), template.strength


def bracketed(text: str) -> str:
    return rf"\left({text}\right)" if TALL.search(text) else f"({text})"


def times(left: str, right: str) -> str:
    """Nothing but a space where two factors can stand side by side: 2 x and w x, but 2 · 3."""
    if PLAIN_FACTOR.match(right) and r"\mathit" not in left and not left.endswith(r"\dots"):
        return " "
    after_sum = left.endswith(")") and not FUNCTION_CALL.search(left)
    return " " if right.startswith(("(", r"\left(")) and after_sum else r" \cdot "


def template_of(v: Value) -> Template:
    assert v.op is not None
    return parsed(source(v.op, len(v.parents)))


def source(op: Op, n: int) -> str:
    """The operation's own template, else one made of how it is written in plain text."""
    if op.latex:
        return str(op.latex(n) if callable(op.latex) else op.latex)
    if op.text.count("{}") != n:
        name = STANDARD.get(op.text) or rf"\operatorname{{{escaped(op.text)}}}"
        return f"{name}({', '.join([f'#{i + 1}' for i in range(n)])})"
    text = re.sub(r"[%&$#]", r"\\\g<0>", op.text)
    for i in range(n):
        text = text.replace("{}", f"#{i + 1}", 1)
    text = re.sub(r"^(\S+) / (\S+)$", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\^(\S+)", r"^{\1}", text)
    text = re.sub(r"\|(.*)\|", r"\\left|\1\\right|", text)
    return text.replace(" * ", " ")


@lru_cache
def parsed(source: str) -> Template:
    """Where a template's operands stand, and how strongly it binds."""
    source = re.sub(r"^\{(#\d+)\}", r"\1", source)  # braces that nobody sees
    pieces = re.split(r"(?<!\\)#\d+", source)
    operands = [int(n) - 1 for n in re.findall(r"(?<!\\)#(\d+)", source)]
    depths, depth = [], 0
    for piece in pieces:
        depth += len(re.findall(r"(?<!\\)[{(\[]|\\left\|", piece))
        depth -= len(re.findall(r"(?<!\\)[})\]]|\\right\|", piece))
        depths.append(depth)
    beside = [(piece or " ").split() or [""] for piece in pieces]
    for signs_between in beside[1:-1]:
        signs_between[0] = signs_between[0] or "·"  # nothing but a space: a product
    slots: list[Slot] = []
    signs: set[str] = set()
    for k, operand in enumerate(operands):
        first, before, after = k == 0 and not pieces[0], beside[k][-1], beside[k + 1][0]
        if depths[k]:
            slots.append(Slot(operand, ANY, first))
            continue
        signs |= {before, after}
        least = max(asked(before, after=False), asked(after, after=True))
        slots.append(Slot(operand, SIGN if first and after == "·" else least, first))
    return Template(tuple(pieces), tuple(slots), binding(source, signs))


def asked(sign: str, after: bool) -> int:
    """How strongly an operand has to bind beside this sign, which stands after it or before."""
    if sign.startswith("^"):
        return ATOM
    strengths = {"": ANY, "+": SUM, "-": SUM if after else SIGN, "·": PRODUCT, r"\cdot": PRODUCT}
    return strengths.get(sign, ATOM)  # of an unknown sign nothing is known


def binding(source: str, signs: set[str]) -> int:
    """How strongly a whole template binds, in which these signs stand beside open operands."""
    infix = {sign for sign in signs if sign and not sign.startswith("^")}
    if source.startswith("-") and infix == {"-"}:
        return SIGN
    if infix - {"·", r"\cdot"}:
        return SUM
    if infix:
        return PRODUCT
    if source.startswith(r"\frac"):
        return FRACTION
    return POWER if "^" in source or source.endswith(")") else ATOM


def leaf(v: Value) -> tuple[str, int]:
    """The name of a node, else its number, and how strongly it binds."""
    return (name(v.label), ATOM) if v.label and type(v) is not Constant else number(v.data)


def name(label: str) -> str:
    r"""A label in math mode: w_{12} stays, alpha is a Greek letter, words stand in italics.

    >>> print(name("w_{12}"), name("alpha_0"), name("learning_rate"))
    w_{12} \alpha_0 \mathit{learning\_rate}
    """
    base, below = split(label)
    letter = GREEK.get(base) or (base if len(base) == 1 and base.isascii() else "")
    shown = letter if letter.isalpha() or letter in GREEK.values() else ""
    shown = shown or rf"\mathit{{{escaped(base)}}}"
    if not below:
        return shown
    return shown + (
        f"_{below}" if below.isascii() and len(below) == 1 else f"_{{{escaped(below)}}}"
    )


def escaped(words: str) -> str:
    """The user's words as LaTeX in math mode: no command, no group, no tag of HTML."""
    return "".join(c if c.isascii() and c.isalnum() else ESCAPED.get(c) or braced(c) for c in words)


def braced(c: str) -> str:
    if c in GREEK:
        return f"{{{GREEK[c]}}}"
    return c if c.isascii() else rf"\text{{{c}}}"


def number(x: Number) -> tuple[str, int]:
    """A number with six digits and a power of ten where it needs one, and how strongly it binds.

    >>> [number(x)[0] for x in (3, -0.5, 1e-7, 2.5e20, Fraction(-2, 3))]
    ['3', '-0.5', '10^{-7}', '2.5 \\\\cdot 10^{20}', '-\\\\frac{2}{3}']
    """
    if not x:
        return "0", ATOM  # -0.0, too
    if isinstance(x, Fraction) and x.denominator > 1 and len(str(x)) < 20:
        text, strength = rf"\frac{{{abs(x.numerator)}}}{{{x.denominator}}}", FRACTION
        return ("-" + text, SIGN) if x < 0 else (text, strength)
    written = decimals(x, 6) if isinstance(x, Fraction) else constant(x)
    match = re.fullmatch(r"(-?)([\d.]+|inf|nan)(?:e([+-]\d+))?", written.replace("−", "-"))
    if match is None:
        return rf"\text{{{escaped(written)}}}", ATOM
    sign, digits, exponent = match.groups()
    text, strength = {"inf": r"\infty", "nan": r"\mathrm{NaN}"}.get(digits, digits), ATOM
    if exponent:
        power = f"10^{{{int(exponent)}}}"
        one = float(digits) == 1
        text, strength = (power, POWER) if one else (rf"{digits} \cdot {power}", PRODUCT)
    return ("-" + text, SIGN) if sign else (text, strength)
