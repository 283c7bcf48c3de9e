r"""How a label is read that is written in LaTeX: `\theta_1`, `W^{(1)}`, `\hat{y}`.

It becomes letters of Unicode, with what stands below and above them; text, DOT and LaTeX are
written from these. A plain label is its name and its subscript, and what is no formula stays as it
was typed, to the last backslash.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from functools import lru_cache
from string import ascii_uppercase
from typing import NamedTuple

SUBSCRIPT = re.compile(r"(.+)_(?:\{([^{}]+)\}|([0-9]+|[^\W_]))", re.DOTALL)

LETTERS = (
    "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi chi "
    "psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega partial nabla"
)
GREEK = dict(zip(LETTERS.split(), "αβγδεζηθκλμνξπρστφχψωΓΔΘΛΞΠΣΦΨΩ∂∇", strict=True))
SYMBOLS = GREEK | {
    "iota": "ι", "upsilon": "υ", "Upsilon": "Υ", "varepsilon": "ϵ", "vartheta": "ϑ", "varphi": "ϕ",
    "varrho": "ϱ", "varsigma": "ς", "ell": "ℓ", "hbar": "ħ", "infty": "∞", "prime": "′",
    "times": "×", "cdot": "·", "div": "÷", "pm": "±", "mp": "∓", "odot": "⊙", "oplus": "⊕",
    "otimes": "⊗", "ast": "∗", "star": "⋆", "circ": "∘", "dagger": "†", "top": "⊤", "perp": "⊥",
    "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "approx": "≈", "sim": "∼",
    "propto": "∝", "in": "∈", "to": "→", "rightarrow": "→", "leftarrow": "←", "mid": "|",
    "vert": "|", "lvert": "|", "rvert": "|", "Vert": "‖", "langle": "⟨", "rangle": "⟩",
    "sum": "∑", "prod": "∏", "int": "∫", "dots": "…", "ldots": "…", "cdots": "…",
    "left": "", "right": "", "limits": "",
    " ": " ", ",": " ", ";": " ", ":": " ", "!": "", "quad": " ",
    **{c: c for c in "{}_#$%&"}, "|": "‖",
    **{word: word for word in ("log", "ln", "exp", "sin", "cos", "tan", "tanh", "max", "min")},
}  # fmt: skip
ACCENTS = {  # combining characters, which follow the letter that they stand above
    "hat": "\u0302", "widehat": "\u0302", "tilde": "\u0303", "widetilde": "\u0303",
    "bar": "\u0304", "overline": "\u0304", "dot": "\u0307", "ddot": "\u0308", "vec": "\u20d7",
}  # fmt: skip
BOLD = {"mathbf", "boldsymbol", "bm", "symbf", "textbf"}
ALPHABETS = {  # the letters from A to Z
    "mathcal": "𝒜ℬ𝒞𝒟ℰℱ𝒢ℋℐ𝒥𝒦ℒℳ𝒩𝒪𝒫𝒬ℛ𝒮𝒯𝒰𝒱𝒲𝒳𝒴𝒵",
    "mathbb": "𝔸𝔹ℂ𝔻𝔼𝔽𝔾ℍ𝕀𝕁𝕂𝕃𝕄ℕ𝕆ℙℚℝ𝕊𝕋𝕌𝕍𝕎𝕏𝕐ℤ",
}
CAPITALS = {
    capital: rf"\{command}{{{letter}}}"
    for command, capitals in ALPHABETS.items()
    for letter, capital in zip(ascii_uppercase, capitals, strict=True)
}
PLAIN = {"mathrm", "mathit", "mathsf", "text", "textit", "textrm", "operatorname"}
MARKS = r"\u0300-\u036f\u20d0-\u20f0"  # combining characters
TOKEN = re.compile(rf"\\[A-Za-z]+\s*|\\.|([^\W\d_][{MARKS}]*)+|\d+|\s+|.", re.DOTALL)
DEEPEST = 20  # braces inside each other


class Part(NamedTuple):
    """Some letters of a label, with a subscript and a superscript."""

    text: str
    below: str = ""
    above: str = ""
    bold: bool = False


@lru_cache(4096)
def parts_of(label: str) -> tuple[Part, ...]:
    r"""The parts of a label; one part, as it was typed, for what cannot be read.

    >>> parts_of(r"\hat{y}_1^{(i)}"), parts_of("w_12"), parts_of("learning_rate")
    ((Part(text='ŷ', below='1', above='(i)', bold=False),), (Part(text='w', below='12', ... bold=...
    >>> parts_of(r"\input{x}")
    (Part(text='\\input{x}', below='', above='', bold=False),)
    """
    if re.search(r"\\|\^|_\{.*_\{", label):
        with suppress(ValueError):
            if parts := Reader(label).parts():
                return parts
    return (Part(*split(label)),)


def split(label: str) -> tuple[str, str]:
    """The name and its subscript: w_0, w_i, x_12 and x_{12} have one, all other text stays whole.

    >>> split("x_{12}"), split("learning_rate")
    (('x', '12'), ('learning_rate', ''))
    """
    match = SUBSCRIPT.fullmatch(label)
    return (match[1], match[2] or match[3]) if match else (label, "")


def accented(letter: str, accent: str) -> str:
    return unicodedata.normalize("NFC", letter + ACCENTS[accent])


class Reader:
    """Reads a label in the notation of TeX; ValueError for commands that are not in the tables."""

    def __init__(self, label: str) -> None:
        self.tokens = [token.rstrip() if token[0] == "\\" and token[1:2].isalpha() else token
                       for token in (found[0] for found in TOKEN.finditer(label))]  # fmt: skip
        self.at, self.depth = 0, 0

    def next(self) -> str:
        """The token in turn, which is taken; "" at the end."""
        self.at += 1
        return self.tokens[self.at - 1] if self.at <= len(self.tokens) else ""

    def parts(self, end: str = "", bold: bool = False) -> tuple[Part, ...]:
        """Parts up to this token, which is taken, too."""
        found = list[Part]()
        while (token := self.next()) != end:
            if token in ("", "}"):
                raise ValueError
            if token in ("_", "^"):
                found[-1:] = [self.scripted(token, found)]
            elif token == "{":
                found += self.group(bold)
            elif token[1:] in BOLD:
                found += self.argument(bold=True)
            elif text := self.symbol(token):
                found.append(Part(text, bold=bold))
        return tuple(found)

    def scripted(self, sign: str, before: list[Part]) -> Part:
        """The last part with what stands below or above it."""
        if not before or (before[-1].below if sign == "_" else before[-1].above):
            raise ValueError
        text = self.script()
        below = sign == "_"
        return before[-1]._replace(below=text) if below else before[-1]._replace(above=text)

    def script(self) -> str:
        """A subscript or a superscript: one line of letters, in which all else is as typed."""
        token = self.next()
        if token != "{":
            if not token or token in "}_^" or token.isspace():
                raise ValueError
            if token.isalpha() and len(token) > 1 and token[0] != "\\":  # x_ab is x_a b
                self.at -= 1
                self.tokens[self.at] = token[1:]
                token = token[0]
            return self.symbol(token)
        start, depth, text = self.at, 1, ""
        while depth:
            token = self.next()
            depth += (token == "{") - (token == "}")
            if not token:
                raise ValueError
            text += "" if token in "{}" else token if token in "_^" else self.symbol(token)
        if not text or self.at == start + 1:
            raise ValueError
        return text

    def symbol(self, token: str) -> str:
        """The letters that a token stands for."""
        command = token[1:]
        if token[0] != "\\":
            return token
        if command in ACCENTS:
            return accented(self.letters(), command)
        if command in ALPHABETS:
            capitals = dict(zip(ascii_uppercase, ALPHABETS[command], strict=True))
            if (letter := self.letters()) not in capitals:
                raise ValueError
            return capitals[letter]
        if command in PLAIN:
            return self.letters(many=True)
        if command in SYMBOLS:
            return SYMBOLS[command]
        raise ValueError

    def letters(self, many: bool = False) -> str:
        """An argument of one letter, or of many."""
        parts = self.argument()
        text = "".join([part.text for part in parts])
        if any(part.below or part.above for part in parts) or not text:
            raise ValueError
        if not many and len(unicodedata.normalize("NFC", text)) > 1:
            raise ValueError
        return text

    def argument(self, bold: bool = False) -> tuple[Part, ...]:
        token = self.next()
        if token == "{":
            return self.group(bold)
        if not token or token in "}_^":
            raise ValueError
        if token[0] != "\\" and len(token) > 1:
            self.at -= 1
            self.tokens[self.at] = token[1:]
            token = token[0]
        return (Part(self.symbol(token), bold=bold),)

    def group(self, bold: bool = False) -> tuple[Part, ...]:
        self.depth += 1
        if self.depth > DEEPEST:
            raise ValueError
        found = self.parts("}", bold)
        self.depth -= 1
        return found
