"""Arithmetic as people write it, spelt as Python: 2x, a·b², |x|, and lines `name = expression`.

Each piece of the Python text knows its place in the text that was written, so that an error can
point there. What Python's parser is given has been checked: what it says of a text is never shown.
"""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from collections.abc import Container
from dataclasses import dataclass, field
from typing import NamedTuple

from microgrid.engine.errors import MicrogridError
from microgrid.views.labels import MARKS, SYMBOLS, parts_of
from microgrid.views.numerals import is_dash

RAISED = "²³¹⁰ⁱ⁴-⁻ⁿʰ-ʸˡ-ˣᴬ-ᵡ"  # ranges of what Unicode calls superscripts and subscripts
LOWERED = "₀-₎ₐ-ₜᵢ-ᵪⱼ"
FRACTIONS = "¼-¾⅐-⅞"
LETTER = rf"((?![{RAISED}{FRACTIONS}]|_\{{)[\w{MARKS}])"
TEX = r"\\[A-Za-z]+(\{([^{}\n]|\{[^{}\n]*\})*\})?(_\w+)?"  # \hat{\theta}_1
SCRIPT = rf"_\{{[^{{}}\n]+\}}|\^\{{\(\w+\)\}}|⁽[{RAISED}]+⁾"  # of a name: _{12}, ^{(1)}, ⁽¹⁾
PI = "π"  # stands before what it multiplies, as a number does: 2πx
TOKENS = re.compile(
    rf"""(?P<space>[^\S\n]+|\#[^\n]*|\\[,;:!])
    |(?P<line>[\n;])
    |(?P<number>\d*[{FRACTIONS}]|(\d+(_\d+)*\.?(\d+(_\d+)*)?|\.\d+(_\d+)*)([eE][-+−]?\d+)?)
    |(?P<name>{PI}(?=(?![{LOWERED}\d_]){LETTER})|({TEX}|(?![{LOWERED}\d]){LETTER}+)({SCRIPT})*)
    |(?P<raised>[{RAISED}]+)
    |(?P<mark>\*\*|//|[<>=!]=|.)""",
    re.VERBOSE | re.DOTALL,
)
ABOVE = "ˆ"  # a letter that stands in an identifier for what is above a name: Wˆ1 is W^{(1)}
SIGNS = dict.fromkeys("·⋅∙•×∗✕", "*") | dict.fromkeys("÷∕⁄", "/")
SIGNS |= {"^": "**", "≤": "<=", "≥": ">=", "≠": "!="}
EXPONENT = re.compile(r"([-+]?)(\d+|[^\W\d]\w*)")
CLOSES = {")": "(", "]": "[", "|": "|"}
PRODUCT = "a product needs its *, like x*y, and a function its brackets, like sin(x)"
CHOICE = "choose with where(condition, a, b), such as where(x > 0, x, 0)"
POINT = "a decimal number has a point, like 1.5"
NESTED = 100  # Python's parser takes twice as much; in a browser, where the stack is short, less
TOO_DEEP = "nested too deeply: give the parts names"
LINE = "a line is name = expression, such as f = a*b, and == compares"
WORDS = dict.fromkeys(["and", "or", "not", "if", "else"], f"{{}} is not arithmetic; {CHOICE}")
WORDS |= dict.fromkeys(["True", "False", "None"], "{} is not a real number")
NO_LETTER = r"no name: one in LaTeX is a letter, such as \theta_1, \hat{y} or W^{(1)}"
OTHER_SIGNS = {
    "'": "a text is not arithmetic", '"': "a text is not arithmetic",
    "√": "the square root of x is sqrt(x)", "∞": "infinity is written inf",
    "=": LINE, "!": "the factorial of x is exp(lgamma(x + 1))",
}  # fmt: skip


class ExpressionError(MicrogridError, ValueError):
    """Text that is not arithmetic; the message has a mark below the place.

    `line` and `column` say where it is, counted from 1; None where it is at no place.

    >>> from microgrid.views.expression import parse
    >>> parse("w*x +", {"w": 1.0, "x": 2.0})
    Traceback (most recent call last):
        ...
    microgrid.views.spelling.ExpressionError: a number or a name is missing after +...
    """

    line: int | None = None
    column: int | None = None

    @property
    def reason(self) -> str:
        """The message alone, without the place."""
        return self._reason or str(self)

    _reason = ""


@dataclass(frozen=True)
class Language:
    """What may be written: the signs, and whether 2x is a product and lines have names."""

    signs: str = "+ - * / ** < <= > >= == != ( ) [ ] | ,"
    functions: Container[str] = ()
    allowed: str = "allowed are numbers, names and + - * /"
    lines: bool = True
    example: str = "w*x + b"
    product: str = ""  # what to write in the place of 2x
    longest: int = 10_000


class Token(NamedTuple):
    """A piece of a text, as Python writes it, and where it begins and ends in that text."""

    kind: str  # number, name, raised, mark or line
    text: str
    place: int
    end: int


@dataclass
class Line:
    """One line, spelt as Python: its name, if any, and the places of its pieces."""

    name: Token | None = None
    pieces: list[tuple[str, int]] = field(default_factory=list)
    end: int = 0

    @property
    def python(self) -> str:
        return " ".join([piece for piece, _ in self.pieces])

    def place(self, offset: int, sign_behind: bool = False) -> int:
        """The place in the text of what Python has at this offset, which counts bytes.

        With `sign_behind` it is that of the next sign which closes no bracket.
        """
        at = 0
        for piece, place in self.pieces:
            if at >= offset and not (sign_behind and piece == ")"):
                return place
            at += len(piece.encode()) + 1
        return self.end


def at(text: str, place: int, message: str) -> ExpressionError:
    """The error with a pointer under its place in the text, of which 60 characters are shown."""
    begin = text.rfind("\n", 0, place) + 1
    line, column = text.count("\n", 0, place), place - begin
    shown = re.sub(r"\s", " ", text[begin:].partition("\n")[0])
    start = max(0, column - 30)
    where = f" (line {line + 1})" if "\n" in text.strip() else ""
    excerpt = f"\n  {shown[start : start + 60]}\n  {' ' * (column - start)}^" if shown else ""
    error = ExpressionError(f"{message}{where}{excerpt}")
    error.line, error.column, error._reason = line + 1, column + 1, message
    return error


def name_in(text: str) -> str:
    r"""The name that a text is, as Python has it; "" if it is none.

    A name in LaTeX is that of its letters: \theta_1 is θ_1, but theta_1 is a name of its own.

    >>> name_in(" x₁₂"), name_in("w_{12}"), name_in("µ"), name_in(r"\theta_1"), name_in("2x")
    ('x_12', 'w_12', 'μ', 'θ_1', '')
    """
    found = TOKENS.fullmatch(text := text.strip())
    return identifier(text) if found and found.lastgroup == "name" else ""


def identifier(text: str) -> str:
    """The name that a piece is, as Python has it; "" for what is no letter with its scripts."""
    lowered = re.sub(rf"[{LOWERED}]+", lambda found: f"_{found[0]}", text)
    if re.search(r"[\\{⁽]", text):
        above = re.sub("⁽(.+)⁾", r"^{(\1)}", re.sub(r"_(\w+)", r"_{\1}", lowered))
        part, *more = parts_of(above)
        if more or part.bold or not re.fullmatch(r"\(\w+\)|", part.above):
            return ""
        lowered = part.text + f"_{part.below}" * bool(part.below)
        lowered += ABOVE * bool(part.above) + part.above.strip("()")
    name = unicodedata.normalize("NFKC", lowered)  # as Python reads it
    return name if name.isidentifier() else ""


def label_of(name: str) -> str:
    """The label of a name: that is its letters, with a superscript where it has one."""
    below, sign, above = name.partition(ABOVE)
    return re.sub(r"_(\w+)$", r"_{\1}", below) + f"^{{({above})}}" if sign else name


def tokens(text: str) -> list[Token]:
    """The pieces of a text; signs are those of a keyboard.

    >>> " ".join(token.text for token in tokens("a·b² − x₁"))
    'a * b 2 - x_1'
    """
    found = []
    for match in TOKENS.finditer(text):
        kind, piece = str(match.lastgroup), match[0]
        if kind == "name" and not (piece := identifier(match[0])):
            kind, piece = "mark", SYMBOLS.get(match[0][1:], match[0])  # \\cdot is a sign
            kind = kind if piece else "space"
        if kind == "raised":
            piece = unicodedata.normalize("NFKC", piece).replace("−", "-")
        elif kind == "mark" and len(piece) == 1:
            wide = unicodedata.normalize("NFKC", piece) if "！" <= piece <= "～" else piece
            piece = "-" if is_dash(wide) else SIGNS.get(wide, wide)
        elif kind == "number":
            piece = "".join([str(unicodedata.decimal(c, c)) for c in piece]).replace("−", "-")
            if unicodedata.category(piece[-1]) == "No":
                piece = str(int(piece[:-1] or 0) + unicodedata.numeric(piece[-1]))
        if kind != "space" and unicodedata.category(piece[0]) != "Cf":  # marks without a width
            found.append(Token(kind, piece, *match.span()))
    return found


def lines(text: str, language: Language) -> list[Line]:
    """The lines of a text; ExpressionError, with the place, for what is no arithmetic."""
    if len(text) > language.longest:
        most = f"at most {language.longest} here"
        raise ExpressionError(f"an expression of {len(text)} characters; {most}")
    return Speller(text, language).lines()


class Bracket(NamedTuple):
    """An open bracket or bar; whether it calls a function, the sign before it, where all begins,
    and how deep this is nested.
    """

    token: Token
    calls: bool
    before: str
    begin: int
    depth: int


NOTHING = Token("", "", 0, 0)


class Speller:
    """Goes over the pieces once: after each either an operand is needed, or a sign.

    A line ends where it is written to end, unless a bracket is open or an operand missing. A
    number, a bracket or a power stands before what it multiplies, 2x and 2(x + 1), but not behind /
    or ^, where this could mean two things.
    """

    def __init__(self, text: str, language: Language) -> None:
        self.text, self.language = text, language
        self.tokens, self.signs = tokens(text), frozenset(language.signs.split())
        self.start()

    def start(self) -> None:
        """At the beginning of a line."""
        self.line = Line()
        self.open: list[Bracket] = []
        self.before, self.begin = "", 0  # the sign before the operand, and the place of its begin
        self.last = NOTHING
        self.complete = self.attribute = False  # an operand is; a dot stands before
        self.depth = 0  # open brackets, and signs that wait for what stands behind them

    def lines(self) -> list[Line]:
        done, new_line = list[Line](), False
        for token, follows, then in zip(
            self.tokens, [*self.tokens[1:], NOTHING], [*self.tokens[2:], NOTHING, NOTHING]
        ):
            if token.text == "\n" and not self.language.lines:
                continue
            if token.kind == "line" and self.language.lines:
                new_line = True
                if not self.goes_on(token, follows, then):
                    self.finish(done)
                continue
            named = self.language.lines and follows.text == "="
            try:
                if token.kind == "name" and named and new_line and self.open:
                    raise self.unclosed()
                if token.kind == "name" and named and self.last is NOTHING:
                    self.word(token)
                    self.line.name = self.last = token
                elif token.text == "=" and self.line.name is self.last:
                    self.last = token
                else:
                    self.take(token, follows)
            except ExpressionError:
                if new_line and self.open:  # what is wrong is the bracket on a line before
                    raise self.unclosed() from None
                raise
            new_line = False
        self.finish(done)
        if not done:
            said = f"there is no expression: write one, such as {self.language.example}"
            raise at(self.text, 0, said)
        return done

    def goes_on(self, end: Token, follows: Token, then: Token) -> bool:
        """Whether the next line belongs to this one: a bracket is open, or an operand missing."""
        if end.text == ";" or self.last is NOTHING:
            return False
        operand = follows.kind in ("number", "name") or follows.text in ("(", "[", "|")
        bracket = any(b.token.text in "([" for b in self.open)
        return bracket or (not self.complete and operand and then.text != "=")

    def finish(self, done: list[Line]) -> None:
        if self.last is not NOTHING:
            if not self.complete:
                raise self.missing()
            if self.open:
                raise self.unclosed()
            self.line.end = self.last.end
            done.append(self.line)
        self.start()

    def take(self, token: Token, follows: Token) -> None:
        """One more piece."""
        kind, sign = token.kind, token.text
        if kind == "name":
            self.word(token)
        if kind in ("mark", "line") and sign not in self.signs:
            raise self.error(token, self.refused(token, follows))
        if kind in ("number", "name") or (sign in ("(", "[", "|") and not self.complete):
            self.operand(token)
        elif kind == "raised":
            self.power(token)
        elif sign in ("(", "|") and not (sign == "|" and self.is_open("|")):
            self.operand(token)
        elif sign == "[":
            raise self.error(token, "there are no entries: write x_1 for x[1]")
        elif sign in CLOSES:
            self.close(token)
        elif self.complete:
            self.attribute = sign == "."
            if sign == "," and not self.is_open("(") and not self.is_open("["):
                raise self.error(token, f"a comma stands only inside of brackets; {POINT}")
            self.complete, self.before = False, "" if sign == "," else sign
            self.put(token)
            if sign == "**":
                self.nest(token)
            else:
                self.unnest()
        elif sign in ("+", "-"):
            self.put(token)
            self.nest(token)
        else:
            raise self.missing(token)

    def operand(self, token: Token) -> None:
        """A number, a name, or what opens one; behind a complete operand it multiplies."""
        calls = token.text == "(" and self.complete and self.last.kind == "name"
        calls = calls and self.last.text != PI
        if self.complete and not calls:
            self.multiply(token)
        if not (calls or self.attribute):
            self.begin = token.place
        if token.kind == "mark":
            self.put(token, "abs (" if token.text == "|" else token.text)
            self.open.append(Bracket(token, calls, self.before, self.begin, self.depth))
            self.nest(token)
            self.complete, self.before = False, ""
        else:
            self.put(token, self.number(token) if token.kind == "number" else token.text)
            self.complete, self.attribute = True, False

    def multiply(self, token: Token) -> None:
        """The sign that people leave out; ExpressionError where nobody would."""
        last, said = self.last, self.language.product
        if last.kind == "name" and last.text in self.language.functions:
            said = f"a function needs its brackets, like {last.text}(x)"
        factor = last.kind in ("number", "raised") or last.text in (")", PI)
        bar = token.text == "|" and last.kind != "number"
        if said or not factor or token.kind == "number" or bar:
            raise self.error(token, said or PRODUCT)
        if self.before in ("/", "**"):
            product = " ".join(self.text[self.begin : token.end].split())
            shown = product if len(product) < 20 else f"…{product[-20:]}"
            two = f"{'/' if self.before == '/' else '^'}{shown}{'…' * (token.text in '(|')}"
            raise self.error(token, f"{two} could mean two things: write the * and brackets")
        if last.text == "0" and re.match("[box]", token.text, re.I) and last.end == token.place:
            raise self.error(token, PRODUCT)  # a number to base 16 would be another one
        self.line.pieces.append(("*", token.place))
        self.before = "*"
        self.unnest()

    def number(self, token: Token) -> str:
        value = float(token.text)
        if math.isinf(value):
            raise self.error(token, "too large for a float")
        if not value and re.search("[1-9]", token.text.lower().partition("e")[0]):
            raise self.error(token, "too small for a float")
        return str(int(token.text)) if token.text.isdecimal() and value < 1e15 else repr(value)

    def power(self, token: Token) -> None:
        """A raised exponent."""
        found = EXPONENT.fullmatch(token.text)
        if not self.complete or "**" not in self.signs:
            raise self.missing(token) if not self.complete else self.error(token, self.not_allowed)
        if found is None:
            raise self.error(token, f"write ^({token.text}) for what is raised here")
        self.put(token, "**")
        self.nest(token)
        exponent = [x.lstrip("0") or "0" if x.isdecimal() else x for x in found.groups() if x]
        self.line.pieces += [(piece, token.place) for piece in exponent]

    def close(self, token: Token) -> None:
        if not self.open:
            raise self.error(token, f"there is no {CLOSES[token.text]} before this {token.text}")
        top = self.open[-1]
        if top.token.text != CLOSES[token.text]:
            raise self.unclosed()
        empty = self.last is top.token and token.text != "|" and (top.calls or token.text == "]")
        if not self.complete and not empty:
            raise self.missing(token)
        self.open.pop()
        self.put(token, ")" if token.text == "|" else token.text)
        self.complete, self.before, self.begin = True, top.before, top.begin
        self.depth = top.depth

    def nest(self, token: Token) -> None:
        """One level deeper; ExpressionError before it is too deep for Python's parser."""
        self.depth += 1
        if self.depth > NESTED:
            raise self.error(token, TOO_DEEP)

    def unnest(self) -> None:
        """Behind a sign that stands between two operands."""
        self.depth = self.open[-1].depth + 1 if self.open else 0

    def put(self, token: Token, python: str = "") -> None:
        self.line.pieces += [(piece, token.place) for piece in (python or token.text).split()]
        self.last = token

    def word(self, token: Token) -> None:
        """ExpressionError for a word of Python."""
        if keyword.iskeyword(token.text):
            said = WORDS.get(token.text, "a name must not be a word of Python, such as {}")
            raise self.error(token, said.format(token.text))

    def is_open(self, sign: str) -> bool:
        return bool(self.open) and self.open[-1].token.text == sign

    @property
    def not_allowed(self) -> str:
        return f"not arithmetic; {self.language.allowed}"

    def refused(self, token: Token, follows: Token) -> str:
        """What to write in the place of a sign that is none of arithmetic."""
        if token.text == "." and follows.text in self.language.functions:
            return f"not arithmetic; write {follows.text}(…), without a dot before it"
        if token.text[0] == "\\" and len(token.text) > 1:
            return f"{token.text} is {NO_LETTER}"
        said = OTHER_SIGNS.get(token.text) if self.language.lines else ""
        return said or f"{token.text!r} is {self.not_allowed}"

    def missing(self, token: Token | None = None) -> ExpressionError:
        """The error for an operand that is missing, before a piece or at the end."""
        said = "a name" if self.attribute else "a number or a name"
        if token is not None:
            return self.error(token, f"{said} is missing before {self.shown(token)}")
        return at(self.text, self.last.end, f"{said} is missing after {self.shown(self.last)}")

    def unclosed(self) -> ExpressionError:
        token = self.open[-1].token
        return self.error(token, f"this {token.text} is never closed")

    def shown(self, token: Token) -> str:
        return self.text[token.place : token.end]

    def error(self, token: Token, message: str) -> ExpressionError:
        return at(self.text, token.place, message)
