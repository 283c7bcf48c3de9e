"""The formula of a graph in LaTeX, through each operation's own template.

A template is plain LaTeX with the operands as #1, #2, …, like the body of a TeX macro:
`\\frac{#1}{#2}`. How strongly it binds, and so where brackets are needed, is read off the template.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction

from microgrid.engine.guards import Number
from microgrid.engine.renamed import renamed
from microgrid.engine.settings import whole
from microgrid.engine.value import Op, Value, topological
from microgrid.views.labels import ACCENTS, CAPITALS, GREEK, SYMBOLS, Part, parts_of
from microgrid.views.notation import ATOM, POWER, PRODUCT, SIGN, Notation, joined, placed, write
from microgrid.views.wording import ABOVE, LOWERED, RAISED, constant, decimals, multiple
from microgrid.views.written import Written

NAMES = "sin cos tan arcsin arccos arctan sinh cosh tanh exp log max min"
STANDARD = {name: "\\" + name for name in NAMES.split()} | {"log2": r"\log_2"}
STANDARD["log10"] = r"\log_{10}"
IN_TEX = {c: "\\" + name for name, c in reversed(SYMBOLS.items()) if not c.isascii()} | CAPITALS
LETTERED = {command: c for c, command in IN_TEX.items()}
ACCENTS_IN_TEX = {mark: "\\" + name for name, mark in reversed(ACCENTS.items())}
ESCAPED = {c: "\\" + c for c in "_{}#$%&"} | {
    " ": r"\ ", "\\": r"\backslash{}", "^": r"{\wedge}", "~": r"{\sim}", "<": "{<}", ">": "{>}",
    "-": r"\text{-}", "`": r"\text{`}", '"': r"\text{''}", "'": r"\text{'}",
} | {c: f"{{{command}}}" for c, command in IN_TEX.items()}  # fmt: skip
SIGNS = {"×": r"\times", "÷": r"\div", "·": r"\cdot", "→": r"\to", "↓": r"\downarrow",
         "↑": r"\uparrow", "√": r"\surd", "∛": r"\sqrt[3]{\ }", "≤": r"\le", "≥": r"\ge",
         "≈": r"\approx", "′": "'", "≠": r"\ne",
         "∞": r"\infty", "✓": r"\checkmark", "✗": r"\times", "…": r"\dots",
         "⁺": "^+", "⁻": "^{-}", "ˣ": "^x", "ᵀ": "^T"}  # fmt: skip
SIGNS = {high: f"^{{{x}}}" for x, high in (ABOVE | RAISED).items() if high != x} | SIGNS
SIGNS |= {lowered: f"_{{{x}}}" for x, lowered in LOWERED.items()}
SIGNS = IN_TEX | SIGNS
WORDS = {c: f"${command} $" for c, command in SIGNS.items()} | {c: "\\" + c for c in "_{}#$%&"} | {
    "−": r"\textminus{}", "\\": r"\textbackslash{}", "|": r"\textbar{}",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", '"': r"\textquotedbl{}",
}  # fmt: skip
LAST_LETTER = "ſ"  # of the Latin ones that LaTeX has as such
CLUSTER = re.compile(f".[{''.join(ACCENTS_IN_TEX)}]?", re.DOTALL)
TALL = re.compile(r"\\frac|\\sqrt|\\left|\^")
FUNCTION_CALL = re.compile(r"[A-Za-z}\d](\\left)?\([^()]*\)$")
PLAIN_FACTOR = re.compile(r"(?!\\mathit|\\left|\\frac|\\dots)[A-Za-z\\]")


class Formula(Written, str):
    """LaTeX text that a notebook shows as a formula; `save` writes it as .tex, .md or .txt.

    >>> from microgrid import latex
    >>> formula = latex(Value(2.0, "x_1") ** 3)
    >>> formula, formula.markdown()
    ('x_1^{3}', '$$\\nx_1^{3}\\n$$')
    """

    __slots__ = ()

    def latex(self) -> str:
        """The text itself, for math mode."""
        return str(self)

    def markdown(self) -> str:
        """The formula between dollar signs."""
        return f"$$\n{self}\n$$"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self}$"


@renamed(most="max_nodes")
def latex(root: Value, stop_at_labels: bool = False, max_nodes: int = 400) -> Formula:
    r"""The formula of root's graph, with the names or numbers of its leaves: LaTeX for math mode.

    Brackets stand only where the formula would mean something else without them. A node that is
    used twice is written twice; with `stop_at_labels` the formula ends at inner nodes that have a
    name. Floats show six digits. Beyond `max_nodes` nodes, or 30 brackets deep, or 12 operands, the
    outer part of the formula is shown and \dots for what was left out. ParameterError for
    `max_nodes` below 0.

    >>> x, w = Value(2.0, "x"), Value(3.0, "w_{12}")
    >>> print(latex((x - (w - 1)) ** 2 / (1e-7 * x)))
    \frac{(x - (w_{12} - 1))^{2}}{10^{-7} x}
    """
    whole("max_nodes", max_nodes, 0)
    named = [v for v in topological(root) if v.label and stop_at_labels]
    return Formula(write(root, LATEX, {v: name(v.label) for v in named if v.op}, max_nodes))


def join(pieces: Sequence[str], operands: Sequence[str]) -> str:
    """A template put together, with a sign of multiplication and large brackets where needed."""
    pieces = list(pieces)
    for k, left in enumerate(["", *operands[:-1]]):
        if product := re.fullmatch(r"(|.*[}\d]) (|\(.*)", pieces[k]):
            before, behind = product.groups()
            pieces[k] = before + times(left + before, behind or operands[k]) + behind
    whole = "".join([pieces[0][-1:], *pieces[1:-1], pieces[-1][:1]])  # up to the last piece
    if re.fullmatch(r"\([^()]*\)", whole) and any(map(TALL.search, operands)):
        pieces[0], pieces[-1] = pieces[0][:-1] + r"\left(", r"\right)" + pieces[-1][1:]
    return joined(pieces, operands)


def bracketed(text: str) -> str:
    return rf"\left({text}\right)" if TALL.search(text) else f"({text})"


def times(left: str, right: str) -> str:
    """Nothing but a space where two factors can stand side by side: 2 x and w x, but 2 · 3."""
    if PLAIN_FACTOR.match(right) and r"\mathit" not in left and not left.endswith(r"\dots"):
        return " "
    after_sum = left.endswith(")") and not FUNCTION_CALL.search(left)
    return " " if right.startswith(("(", r"\left(")) and after_sum else r" \cdot "


def formula(op: Op, n: int) -> str:
    """The operation's own template, else one made of how it is written in plain text."""
    if op.latex:  # without braces that nobody sees
        return re.sub(r"^\{(#\d+)\}", r"\1", str(op.latex(n) if callable(op.latex) else op.latex))
    text = placed(re.sub(r"[%&$#]", r"\\\g<0>", op.text), n)
    text = re.sub(r"^(\S+) / (\S+)$", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\^(\S+)", r"^{\1}", text)
    text = re.sub(r"\|(.*)\|", r"\\left|\1\\right|", text)
    return text.replace(" * ", " ")


def letter(op: Op) -> str:
    """The letter that is the name of an operation in formulas, σ of sigmoid; "" without one."""
    found = re.fullmatch(r"(\\\w+)\(#1\)", op.latex if isinstance(op.latex, str) else "")
    return LETTERED.get(found[1], "") if found else ""


def call(op: Op, operands: Sequence[str]) -> str:
    words = STANDARD.get(op.text) or rf"\operatorname{{{escaped(op.text)}}}"
    return f"{words}({', '.join(operands)})"


def alone(template: str) -> int:
    """How strongly a template binds that has no sign beside an operand."""
    if template.startswith(r"\frac"):
        return PRODUCT
    return POWER if "^" in template or template.endswith(")") else ATOM


def name(label: str) -> str:
    r"""A label in math mode: w_{12} stays, alpha is a Greek letter, words stand in italics.

    >>> print(name("w_{12}"), name("alpha_0"), name("learning_rate"))
    w_{12} \alpha_0 \mathit{learning\_rate}
    """
    text, parts = "", parts_of(label)
    for part in parts:
        shown = base(part, alone=len(parts) == 1)
        text += " " * (text[-1:].isalpha() and "\\" in text and shown[0].isalpha()) + shown
        for sign, script in (("_", part.below), ("^", part.above)):
            if len(script) == 1 and script.isascii() and script not in ESCAPED:
                text += sign + script
            elif script:
                text += f"{sign}{{{escaped(script)}}}"
    return text


def base(part: Part, alone: bool) -> str:
    """The letters of a part of a label: one is a variable, words stand in italics."""
    text = part.text
    if part.bold:
        return rf"\{'mathbf' if text.isascii() else 'boldsymbol'}{{{escaped(text)}}}"
    if accented(text):
        return in_tex(text)
    if text.isascii() and text.isalpha() and len(text) == 1:
        return text
    if alone:  # alpha is a Greek letter
        text = GREEK.get(text, text)
    if text in IN_TEX:
        return IN_TEX[text]
    word = alone or any(map(str.isalpha, text))  # no sign between letters
    return rf"\mathit{{{escaped(text)}}}" if word else escaped(text)


def escaped(words: str) -> str:
    """The user's words as LaTeX in math mode: no command, no group, no tag of HTML."""
    return "".join(map(in_tex, CLUSTER.findall(words)))


def accented(c: str) -> tuple[str, str] | None:
    """A letter with an accent above it in two; None for all else."""
    letter, mark = (decomposed := unicodedata.normalize("NFD", c))[:1], decomposed[1:]
    return (letter, mark) if mark in ACCENTS_IN_TEX else None


def in_tex(c: str) -> str:
    """A character in math mode, perhaps with an accent."""
    if parts := accented(c):
        letter, mark = parts
        return rf"{ACCENTS_IN_TEX[mark]}{{{IN_TEX.get(letter) or in_tex(letter)}}}"
    return ESCAPED.get(c, c if c.isascii() else rf"\text{{{c}}}")


def worded(words: str) -> str:
    """The user's words as LaTeX outside of math mode, where ö and ŷ are letters, ẋ is none.

    >>> print(worded("a_1 × σ"))
    a\\_1 $\\times $ $\\sigma $
    """
    return "".join([
        f"${in_tex(c)}$" if c[1:] or (c > LAST_LETTER and accented(c)) else WORDS.get(c, c)
        for c in CLUSTER.findall(words)
    ])  # fmt: skip


def number(x: Number) -> tuple[str, int]:
    """A number with six digits and a power of ten where it needs one, and how strongly it binds.

    >>> [number(x)[0] for x in (3, -0.5, 1e-7, 2.5e20, Fraction(-2, 3))]
    ['3', '-0.5', '10^{-7}', '2.5 \\\\cdot 10^{20}', '-\\\\frac{2}{3}']
    """
    if not x:
        return "0", ATOM  # -0.0, too
    if found := multiple(x):
        ratio, name = found
        top = rf"{abs(ratio.numerator)} {IN_TEX.get(name, name)}".removeprefix("1 ")
        text = rf"\frac{{{top}}}{{{ratio.denominator}}}" if ratio.denominator > 1 else top
        strength = ATOM if abs(ratio) == 1 else PRODUCT
        return ("-" + text, SIGN) if ratio < 0 else (text, strength)
    if isinstance(x, Fraction) and x.denominator > 1 and len(str(x)) < 20:
        text, strength = rf"\frac{{{abs(x.numerator)}}}{{{x.denominator}}}", PRODUCT
        return ("-" + text, SIGN) if x < 0 else (text, strength)
    written = decimals(x, 6) if isinstance(x, Fraction) else constant(x)
    match = re.fullmatch(r"(-?)([\d.]+|inf|nan)(?:e([+-]\d+))?", written.replace("−", "-"))
    if match is None:
        return rf"\text{{{escaped(written)}}}", ATOM
    sign, digits, exponent = match.groups()
    text, strength = {"inf": r"\infty", "nan": r"\mathrm{NaN}"}.get(digits, digits), ATOM
    if exponent:
        text, strength = f"10^{{{int(exponent)}}}", POWER
        if float(digits) != 1:
            text, strength = rf"{digits} \cdot {text}", PRODUCT
    return ("-" + text, SIGN) if sign else (text, strength)


LATEX = Notation(
    formula, call, join, name, number, brackets=bracketed, alone=alone, dots=r"\dots",
    shown=(12, 8, 2), deepest=30,  # TeX gives up at 255 groups
)  # fmt: skip
