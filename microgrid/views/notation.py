"""The one writer of formulas: the expression of a node as text, in the notation that is asked for.

An operation's template has its operands as #1, #2, …, like the body of a TeX macro: `#1 / #2`. How
strongly it binds, and so where brackets are needed, is read off the signs beside its operands.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from inspect import signature
from itertools import chain, count, zip_longest
from types import MappingProxyType
from typing import Any, NamedTuple

from microgrid.engine import ops
from microgrid.engine.functions import FUNCTIONS, SIGNS
from microgrid.engine.guards import Number
from microgrid.engine.value import Constant, Op, Value
from microgrid.views.comparison import Compared, Comparison
from microgrid.views.labels import parts_of
from microgrid.views.wording import constant, lowered, multiple, raised

# How strongly a text binds: where its place asks for more, it is put in brackets.
ANY, SUM, QUOTIENT, SIGN, PRODUCT, UNARY, POWER, ATOM = range(8)
ARITHMETIC = {*SIGNS.values(), ops.neg}
MINUS = "-", "−"
SIGNS_IN_LABELS = frozenset("+-−*·×/÷=<>|")
BRACKET = re.compile(r"(?<!\\)(?:\\left|\\right)?([][(){}|,])")  # or a comma
FRACTION, EXPONENT = re.compile(r"\d+/\d+"), re.compile(r"\de[-−+]\d")
INTEGER, LETTER = re.compile(r"\(?([-−]?\d+)\)?"), re.compile(r"\(?([-−]?[a-pr-z])\)?")
NO_NAMES: Mapping[Value, str] = MappingProxyType({})

# For each sign: what must bind at least before it and after it, and how strongly the whole binds.
# People leave out the brackets of a + (b + c); for Python these would be the sums of another graph.
Signs = dict[str, tuple[int, int, int]]
UNKNOWN, LOOSE, RELATION = (ATOM, ATOM, SUM), (ANY, ANY, ANY), (SUM, SUM, ANY)
FOR_PEOPLE: Signs = {
    "+": (SUM, SUM, SUM), "-": (SUM, QUOTIENT, SUM), "negative": (ANY, QUOTIENT, SIGN),
    "*": (SIGN, PRODUCT, PRODUCT), "/": (SIGN, UNARY, QUOTIENT), "^": (ATOM, ATOM, POWER),
    r"\cdot": (SIGN, PRODUCT, PRODUCT), "": (ANY, ANY, ATOM),
    **dict.fromkeys(["<", "<=", ">", ">=", "==", "!=", "="], RELATION),
    **dict.fromkeys([r"\le", r"\ge", r"\geq", r"\ne"], RELATION),
}  # fmt: skip
FOR_PYTHON: Signs = FOR_PEOPLE | {
    "+": (SUM, QUOTIENT, SUM), "negative": (ANY, UNARY, UNARY), "^": (ATOM, UNARY, POWER),
    "*": (PRODUCT, UNARY, PRODUCT), "/": (PRODUCT, UNARY, PRODUCT), "**": (ATOM, UNARY, POWER),
    **dict.fromkeys(["not", "and", "or", "if", "else"], LOOSE),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Notation:
    """How formulas are spelt; `dataclasses.replace` makes another of it.

    `formula(op, n)` is the template of an operation on n operands, "" for one that is no
    arithmetic: then `call(op, operands)` writes it, given #1, #2, … for the operands.
    `join(pieces, operands)` puts a template that was cut at its operands together again. `name`
    writes a label, and `number` a number and how strongly it binds.
    """

    formula: Callable[[Op, int], str]
    call: Callable[[Op, Sequence[str]], str]
    join: Callable[[Sequence[str], Sequence[str]], str]
    name: Callable[[str], str]
    number: Callable[[Number], tuple[str, int]]
    signs: Signs = field(default_factory=lambda: FOR_PEOPLE)
    brackets: Callable[[str], str] = "({})".format
    signs_meet: bool = False  # a minus sign may stand behind another sign: a * -b
    alone: Callable[[str], int] = lambda template: ATOM  # how a template without signs binds
    dots: str = "…"
    shown: tuple[int, int, int] = (12, 10, 1)  # of more operands than that, the first and the last
    deepest: int = sys.maxsize  # brackets inside each other


class Slot(NamedTuple):
    """The place of an operand in a template."""

    operand: int
    least: int  # what binds less stands in brackets
    first: bool  # a minus sign may stand here


class Template(NamedTuple):
    """A template cut at its operands, and how strongly the whole of it binds."""

    pieces: tuple[str, ...]  # one more than slots
    slots: tuple[Slot, ...]
    strength: int


# A node to be written, or None for dots; its depth of brackets; the places of its operands.
Part = tuple[Value | None, int, range]


def write(
    v: Value, notation: Notation, names: Mapping[Value, str] = NO_NAMES, most: int = sys.maxsize
) -> str:
    """The expression of v, in which every other node of `names` is written by its name.

    A node without a name that is used twice is written twice. Brackets stand only where the text
    would mean something else without them. Beyond `most` nodes, or the limits of the notation, the
    outer part is shown and dots for what was left out.

    >>> x, y = Value(2.0, "x"), Value(3.0, "w_{12}")
    >>> print(write(-(x - (y - 1)) ** 2 * y, TEXT), "or", write(-(x - (y - 1)) ** 2 * y, PYTHON))
    −(x − (w₁₂ − 1))²·w₁₂ or -(x - (w_12 - 1)) ** 2 * w_12
    """
    if v.parents and len(v.parents) <= notation.shown[0] and all(p in names for p in v.parents):
        return filled(v, [leaf(p, notation, names) for p in v.parents], notation)[0]  # mostly
    parts = outline(v, notation, names, most)
    written = [(notation.dots, ATOM)] * len(parts)
    for i in reversed(range(len(parts))):  # operands stand behind what is made of them
        node, _, operands = parts[i]
        if node is not None and operands:
            written[i] = filled(node, [written[k] for k in operands], notation)
        elif node is not None:
            written[i] = leaf(node, notation, names if i else NO_NAMES)
    return written[0][0]


def outline(root: Value, notation: Notation, names: Mapping[Value, str], most: int) -> list[Part]:
    """The parts, the outermost first: a tree, where a shared node comes twice."""
    parts: list[Part] = [(root, 0, range(0))]
    spent = 0
    widest, leading, trailing = notation.shown
    for i, (v, depth, _) in enumerate(parts):  # a list that grows
        if v is None or not v.parents or (i and v in names):
            continue
        spent += 1
        if i and (spent > most or depth > notation.deepest):
            parts[i] = None, depth, range(0)
            continue
        slots, start = template_of(v, notation).slots, len(parts)
        parts[i] = v, depth, range(start, start + len(v.parents))
        parts += [(p, depth, range(0)) for p in v.parents]
        for k, (operand, least, _) in enumerate(slots):
            inner = v.parents[operand]
            if len(slots) > widest and leading <= k < len(slots) - trailing:
                parts[start + operand] = None, depth, range(0)
            elif inner.parents and not ANY < least <= template_of(inner, notation).strength:
                parts[start + operand] = inner, depth + 1, range(0)
    return parts


def filled(v: Value, operands: list[tuple[str, int]], notation: Notation) -> tuple[str, int]:
    """The template of v with its operands, in brackets where they bind less than its slots ask."""
    template = template_of(v, notation)
    if template.pieces == ("", ""):  # a sum of one is its term, and binds like it
        return operands[0]
    texts = []
    for slot in template.slots:
        text, strength = operands[slot.operand]
        signed = text.startswith(MINUS) and not (slot.first or notation.signs_meet)
        loose = strength < slot.least or (signed and slot.least > ANY)
        texts.append(notation.brackets(text) if loose else text)
    text = notation.join(template.pieces, texts)
    if notation.dots in text:
        dots = re.escape(notation.dots)
        text = re.sub(rf"{dots}(?:( \+ |, | | \\cdot |·){dots})+", dots, text)
    return text, template.strength


def leaf(v: Value, notation: Notation, names: Mapping[Value, str]) -> tuple[str, int]:
    """The name of a node, or a number in its place, else its own number; and how it binds."""
    if isinstance(v, Compared):
        return write(v.shown, notation), ANY
    if (name := names.get(v)) is not None:
        if name.startswith(MINUS):
            return name, UNARY if notation.signs_meet else SIGN
        power = POWER if "^" in name or EXPONENT.search(name) else ATOM
        number = notation.number(v.data)[1] if isinstance(v, Constant) else ATOM
        return name, QUOTIENT if FRACTION.fullmatch(name) else min(power, number)
    if v.label and type(v) is not Constant:
        return notation.name(v.label), binding(v.label)
    return notation.number(v.data)


def binding(label: str) -> int:
    """How strongly a label binds: W^{(1)} as a power does, and Δw as a product."""
    parts = parts_of(label)
    if len(parts) == 1:
        return POWER if parts[0].above else ATOM
    return SUM if any(part.text in SIGNS_IN_LABELS for part in parts) else PRODUCT


def template_of(v: Value, notation: Notation) -> Template:
    assert v.op is not None
    return parsed(v.op, len(v.parents), notation)


@lru_cache(1024)
def parsed(op: Op, n: int, notation: Notation) -> Template:
    """Where an operation's template has its operands, and how strongly it binds."""
    text = notation.formula(op, n) or notation.call(op, [f"#{i + 1}" for i in range(n)])
    pieces = re.split(r"(?<!\\)#\d+", text)
    slots, strength, depth, bars = list[Slot](), notation.alone(text), 0, 0
    for k, operand in enumerate(re.findall(r"(?<!\\)#(\d+)", text)):
        left, right = BRACKET.split(pieces[k]), BRACKET.split(pieces[k + 1])
        bars += left.count("|")
        depth += sum(map(left.count, "([{")) - sum(map(left.count, ")]}"))
        bar = "|" * (bars % 2)
        begins = left[-2] in ("(", "[", "{", ",", bar) if left[1:] else k == 0
        ends = right[1] in (")", "]", "}", ",", bar) if right[1:] else k + 2 == len(pieces)
        before = left[-1].split() or ["" if begins else "*"]  # nothing but a space: a product
        after = re.findall(r"\^|\S+", right[0]) or ["" if ends else "*"]
        signs = "negative" if begins and before == ["-"] else before[-1], after[0]
        one, other = (notation.signs.get(sign, UNKNOWN) for sign in signs)
        if not (depth or bar):
            strength = min(strength, one[2], other[2])
        slots.append(Slot(int(operand) - 1, max(one[1], other[0]), begins and before == [""]))
    return Template(tuple(pieces), tuple(slots), strength)


# Plain text for people, and Python


def placed(text: str, n: int) -> str:
    """The text with #1, #2, … in its n places for operands; "" if it has not so many."""
    places = count(1)
    return re.sub(r"\{\}", lambda _: f"#{next(places)}", text) if text.count("{}") == n else ""


def spelled(
    signs: Mapping[str, str], letters: bool = False
) -> Callable[[Sequence[str], Sequence[str]], str]:
    """A way to join pieces with other signs, like · for *, and with raised exponents.

    Those are whole numbers, and with `letters` single letters, too.
    """

    def respelled(piece: str) -> str:
        for sign, spelling in signs.items():
            piece = piece.replace(sign, spelling)
        return re.sub(r"\^(−?\d+)$", lambda found: raised(found[1]), piece)

    def join(pieces: Sequence[str], operands: Sequence[str]) -> str:
        text = respelled(pieces[0])
        for operand, piece in zip(operands, pieces[1:], strict=True):
            short = INTEGER.fullmatch(operand) or (letters and LETTER.fullmatch(operand))
            if text.endswith("^") and short:
                text, operand = text[:-1], raised(short[1])
            text += operand + respelled(piece)
        return text

    return join


def joined(pieces: Sequence[str], operands: Sequence[str]) -> str:
    """The template as it stands."""
    return "".join(chain(*zip_longest(pieces, operands, fillvalue="")))


def text_number(x: Number) -> tuple[str, int]:
    """A number, where it is a multiple of π or e by that name, and how strongly it binds."""
    if found := multiple(x):
        ratio, name = found
        top, below = abs(ratio.numerator), ratio.denominator
        text = f"{top if top > 1 else ''}{name}{f'/{below}' * (below > 1)}"
        strength = QUOTIENT if below > 1 else PRODUCT if top > 1 else ATOM
        return (f"−{text}", SIGN) if ratio < 0 else (text, strength)
    text = constant(x)
    return text, SIGN if text.startswith(MINUS) else QUOTIENT if "/" in text else ATOM


def python_number(x: Number) -> tuple[str, int]:
    text = repr(x) if x - x == 0 else f"float({str(x)!r})"
    return text, UNARY if text.startswith(MINUS) else ATOM


def python_call(op: Op, operands: Sequence[str]) -> str:
    """A call of microgrid's function, with lists where it takes them: dot([a, b], [c, d])."""
    if lists := lists_of(function_of(op)):
        size = len(operands) // lists
        starts = range(0, len(operands), size)
        operands = [f"[{', '.join(operands[i : i + size])}]" for i in starts]
    return f"{op.name}({', '.join(operands)})"


def function_of(op: Op) -> Callable[..., Any]:
    """What people call: the function of the operation's name, or the operation itself."""
    return FUNCTIONS.get(op.name, op) if ops.TABLE.get(op.name) is op else op


def lists_of(function: Callable[..., Any]) -> int:
    """How many lists of numbers a function takes."""
    return sum("Iterable" in str(p.annotation) for p in signature(function).parameters.values())


PYTHON = Notation(
    lambda op, n: placed(op.text, n) if op in ARITHMETIC or isinstance(op, Comparison) else "",
    python_call,
    spelled({"^": " ** "}), lambda label: re.sub("[{}]", "", label), python_number, FOR_PYTHON,
    signs_meet=True, shown=(sys.maxsize, 0, 0),
)  # fmt: skip
TEXT = Notation(
    lambda op, n: placed(op.text, n),
    lambda op, xs: f"{op.name if '{' in op.text else op.text}({', '.join(xs)})",
    spelled({" * ": "·", "-": "−"}), lowered, text_number,
)  # fmt: skip
NAMES = replace(TEXT, join=joined, signs_meet=True, shown=(4, 3, 1))  # w_0 * x_0 or exp(n7)
NUMBERS = replace(TEXT, join=spelled({"*": "×", "-": "−"}), shown=(4, 3, 1))
NARROW = {" + ": "+", " - ": "−", " * ": "×", " / ": "/", "-": "−"}
CAPTION = replace(
    TEXT, join=spelled(NARROW), signs=FOR_PEOPLE | {"*": (ANY, ANY, PRODUCT)}, shown=(4, 3, 0)
)


def caption(v: Value) -> str:
    """What the gate that made v does to its wires: ×, +1, x², exp; plain numbers are written out.

    >>> x = Value(2.0)
    >>> [caption(y) for y in (x * x, x + 1, 2 * x, 1 / x, x**2, 1 - x, abs(x))]
    ['×', '+1', '2×', '1/x', 'x²', '1−x', '|x|']
    """
    if v.op is None:
        return ""
    wires = [p for p in v.parents if not isinstance(p, Constant)]
    infix = placed(v.op.text, len(v.parents))
    if not infix and len(wires) == len(v.parents):
        return v.op.text
    alone = len(wires) == 1 and not any(isinstance(p, Compared) for p in v.parents)
    wire = "x" if alone else "" if infix else "·"
    text = write(v, CAPTION, dict.fromkeys(wires, wire))
    return re.sub("^x(?=[+×−/])|(?<=[+×])x$", "", text)  # where the place of the wire is plain


def called(v: Value) -> str:
    """The name of a node within a sentence, or the gate that it comes out of."""
    return lowered(v.label) or (f"the output of {caption(v)}" if v.op else "a leaf")
