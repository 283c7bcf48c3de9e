"""Where a local gradient comes from: (1/x)′ = −1/x² = −1/1.37² = −0.53.

The rule of the operation, as the table has it, is applied to symbols; algebra.py makes of it what
people know, and the one writer of formulas writes it, with letters and with numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from inspect import signature
from typing import Any, NamedTuple

from microgrid.engine.guards import Number
from microgrid.engine.op import Op
from microgrid.engine.slopes import NO_PATH, slopes
from microgrid.engine.value import Constant, Value, apply
from microgrid.views.algebra import (
    DOTS,
    RESULT,
    Fact,
    Product,
    Reading,
    Symbol,
    called,
    graph,
    meaning,
    places_in,
    plain,
    symbol,
    value,
)
from microgrid.views.comparison import formal
from microgrid.views.digits import balanced
from microgrid.views.formula import LATEX, letter
from microgrid.views.notation import (
    NAMES,
    TEXT,
    Notation,
    caption,
    function_of,
    spelled,
    write,
)
from microgrid.views.wording import decimals, lowered, signed
from microgrid.views.written import powers


def with_dots(notation: Notation, **looks: Any) -> Notation:
    """A notation in which what is left out has its dots."""
    shown = lambda label: notation.dots if label == DOTS else notation.name(label)  # noqa: E731
    return replace(notation, name=shown, **looks)


def greek_call(op: Op, operands: Sequence[str]) -> str:
    """σ(x) where the operation has such a letter, else a call as in other texts."""
    return f"{c}({', '.join(operands)})" if (c := letter(op)) else TEXT.call(op, operands)


DIVIDED = {" / ": "/", "-": "−"}
NAME = re.compile(r"[^\W\d][\w{}]*|\\[^\s*/+-]+")  # or a command of LaTeX
X = re.compile("(?<![a-z])x(?![a-z])")
LONG = 9  # characters: a longer name is no help in a formula
MANY = 50  # operands, of which no formula is made
SPARE = "uvwxyzpqrsthkmn"
FIRST = "abcd"  # the letters of a few operands, of which there may be any number


class Spelling(NamedTuple):
    """How rules are written in one kind of text."""

    letters: Notation
    numbers: Notation
    shown: Callable[[str], str] = str  # a number
    prime: str = "′"
    partial: str = "∂{}/∂{}"
    branch: str = "{}: "
    signs: Mapping[str, str] = {"=": "=", "≈": "≈", "≠": "≠"}


LETTERS = with_dots(
    TEXT, join=spelled(DIVIDED | {" * ": "·"}, letters=True), call=greek_call, shown=(4, 3, 1)
)
IN_TEXT = Spelling(LETTERS, replace(LETTERS, join=spelled(DIVIDED | {"*": "×"})))
IN_NAMES = Spelling(with_dots(NAMES), NAMES)
IN_LATEX = Spelling(
    with_dots(LATEX), with_dots(LATEX), lambda x: powers(x.replace("−", "-")), "'",
    r"\frac{{\partial {}}}{{\partial {}}}", r"{}:\ ", {"=": "=", "≈": r"\approx", "≠": r"\ne"},
)  # fmt: skip


def same(x: Number) -> Number:
    return x


class Gate:
    """What the rules of one gate share: its operands, their names and numbers, its slopes."""

    def __init__(
        self, gate: Value, taken: Collection[str] = (), kind: Callable[[Number], Number] = same
    ) -> None:
        """`taken` are names of other nodes of the graph; `kind` makes its numbers alike."""
        assert gate.op is not None
        self.taken, self.kind = taken, kind
        self.node, self.op, self.operands = gate, gate.op, gate.parents
        self.moving = sum(not isinstance(p, Constant) for p in self.operands)
        self.numbers = [kind(x.data) for x in (*self.operands, gate)]
        self.slope = in_symbols(
            self.op, [p if isinstance(p, Constant) else p.data for p in self.operands]
        )

    @cached_property
    def letters(self) -> list[str]:
        """The operands' own names if they are short, else letters of the table or others."""
        own = ["" if isinstance(p, Constant) else short_name(p.label) for p in self.operands]
        taken, times = {*map(lowered, own), *self.taken}, Counter(own)
        own = [name if times[name] == 1 else "" for name in own]
        if self.moving == 1:
            shown = X.search(caption(self.node))  # 1/x stands on the gate itself
            x = "x" if shown else next((c for c in f"x{SPARE}" if c not in taken), "x")
            return [name or x for name in own]
        letters = parameters(self.op, len(own))
        if taken & {lowered(c) for name, c in zip(own, letters) if not name}:
            spare = [c for c in SPARE if c not in taken]
            numbered = [f"{c}_{{{i}}}" for i, _ in enumerate(own, 1) for c in (spare or SPARE)[:1]]
            letters = spare if len(own) <= len(spare) else numbered
        return [name or letter for name, letter in zip(own, letters)]

    @cached_property
    def leaves(self) -> list[Value]:
        """The symbols as nodes, the last of them the result as the operation writes it."""
        leaves = [
            p if isinstance(p, Constant) else Value(0.0, name)
            for p, name in zip(self.operands, self.letters)
        ]
        if self.op.meaning:
            operands = [plain(p.data) if isinstance(p, Constant) else symbol(Symbol(i))
                        for i, p in enumerate(leaves)]  # fmt: skip
            return [*leaves, graph(meaning(self.op, operands), leaves)]
        return [*leaves, formal(self.op, *leaves)]

    @cached_property
    def texts(self) -> dict[Notation, str]:
        """The gate in each notation, as far as it was asked for."""
        return {}

    def text(self, notation: Notation) -> str:
        """What the gate computes, in symbols."""
        if notation not in self.texts:
            self.texts[notation] = write(self.leaves[-1], notation)
        return self.texts[notation]


class LocalRule:
    r"""Why a gate's gradient with respect to one of its operands is what it is.

    `formula` is what the operation's rule gives for symbols, None where it gives numbers alone.
    Beyond it stand the facts by which a branch was chosen.

    >>> x = Value(-2.0, "x")
    >>> print(LocalRule(Gate(1 / x), 1, -0.25))
    (1/x)′ = −1/x² = −1/(−2.00)² = −0.25
    >>> print(LocalRule(Gate(Value(3.0, "w") * x), 0, -2.0).latex())
    \frac{\partial (w x)}{\partial w} = x = -2.00
    """

    def __init__(self, gate: Gate, place: int, local: Number) -> None:
        self.gate, self.place, self.local = gate, place, gate.kind(local)
        self.formula, self.facts = gate.slope(place)
        if self.formula and not self.holds():
            self.formula, self.facts = None, []

    def holds(self) -> bool:
        """Whether the formula gives the number; true where it cannot be computed so."""
        assert self.formula is not None
        try:
            found = float(value(self.formula, self.gate.numbers))
        except (ArithmeticError, ValueError):
            return True
        return bool(found == self.local or abs(found - self.local) <= 1e-6 * abs(self.local))

    # Texts

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def text(self, digits: int = 2) -> str:
        """The rule in symbols, then with numbers, then the number."""
        return self.written(IN_TEXT, digits)

    def latex(self, digits: int = 2) -> str:
        """The same in LaTeX, for math mode."""
        return self.written(IN_LATEX, digits)

    def symbols(self) -> str:
        """The rule in symbols alone, (1/x)′ = −1/x²; "" where there is none."""
        words = Words(IN_TEXT, self.gate.leaves, {})
        begin = f"{self.symbol(words)} = "
        return self.branch(words, self.formula, begin) if self.formula else ""

    def short(self, names: Mapping[Value, str], latex: bool = False) -> str:
        """What stands behind the equals sign, in the names of the nodes; "" where there is none."""
        if self.formula is None:
            return ""
        nodes = *self.gate.operands, self.gate.node
        leaves = [p if isinstance(p, Constant) else Value(0.0) for p in nodes]
        known = {x: names[v] for x, v in zip(leaves, nodes)}
        words = Words(IN_LATEX if latex else IN_NAMES, leaves, known)
        text = self.branch(words, self.formula)
        return text if latex else text.replace("−", "-")

    def written(self, spelling: Spelling, digits: int) -> str:
        words = Words(spelling, leaves := self.gate.leaves, {})
        end = spelling.shown(signed(decimals(self.local, digits)))
        begin = self.symbol(words)
        if self.formula is None:
            return f"{begin} = {end}"
        text = self.branch(words, self.formula, f"{begin} = ")
        places = sorted(places_in(self.formula))
        root = graph(self.formula, leaves)
        if not self.formula.powers and type(root.data) is not Fraction:
            return text

        def compute(*xs: Number) -> Number:
            numbers = [*self.gate.numbers]
            for place, x in zip(places, xs):
                numbers[place] = x
            assert self.formula is not None
            return value(self.formula, numbers, as_seen=True)

        shown = balanced(compute, [self.gate.numbers[i] for i in places], self.local, digits)
        known = {leaves[i]: spelling.shown(x) for i, x in zip(places, shown.numbers)}
        numbers = Words(spelling, leaves, known).write(self.formula, spelling.numbers)
        between = f" = {numbers}" * (numbers != end and bool(places))
        return f"{text}{between} {spelling.signs[shown.sign]} {end}"

    def symbol(self, words: Words) -> str:
        """(1/x)′, or ∂(a·b)/∂a where several operands can move."""
        spelling = words.spelling
        text = self.gate.text(spelling.letters)
        if self.gate.moving == 1:
            return f"{spelling.letters.brackets(text)}{spelling.prime}"
        closed = re.fullmatch(r"[\\\w{}]+\([^()]*\)|\|[^|]*\|", text)
        whole = text if closed else spelling.letters.brackets(text)
        return spelling.partial.format(whole, words.write(symbol(Symbol(self.place))))

    def branch(self, words: Words, formula: Product, begin: str = "") -> str:
        """The formula, after the facts by which a branch was chosen."""
        facts = ", ".join(self.stated(words))
        before = words.spelling.branch.format(facts) if facts else ""
        return f"{before}{begin}{words.write(formula)}"

    def stated(self, words: Words) -> list[str]:
        """The facts that concern this operand, of an operation that has branches."""
        if not has_branches(self.gate.op):
            return []
        numbers_of, operands = self.gate.numbers, self.gate.operands
        this, told = symbol(Symbol(self.place)), dict[str, None]()
        for products, numbers in self.facts:
            terms = [*zip(products, numbers)]
            if (y := (symbol(RESULT), numbers_of[-1])) in terms:
                if this not in products:
                    continue
                if len(operands) == 2:  # of two operands one is the result
                    other = 1 - self.place
                    y = symbol(Symbol(other)), numbers_of[other]
                terms = [(this, numbers_of[self.place]), y]
            told[words.order(terms, this)] = None
        return [*told]


def short_name(label: str) -> str:
    """What a formula can call a node of this label: w_1 of layer0.w_1; "" for what is no name."""
    name = label.rpartition(".")[2]
    return name if len(name) < LONG and NAME.fullmatch(name) else ""


class Words(NamedTuple):
    """The writer of products in given symbols."""

    spelling: Spelling
    leaves: Sequence[Value]
    known: Mapping[Value, str]  # the names of some leaves

    def write(self, p: Product, notation: Notation | None = None) -> str:
        root = graph(p, self.leaves)
        return self.known.get(root) or write(root, notation or self.spelling.letters, self.known)

    def order(self, terms: list[tuple[Product, Number]], this: Product) -> str:
        """How the numbers of terms are ordered, as far as one of them is concerned: a > b."""
        if len(terms) > 2:
            terms = sorted(terms, key=lambda term: term[1])
            k = [p for p, _ in terms].index(this)
            terms = terms[max(0, k - 1) : k + 2]
        (p, x), *others = terms
        text = self.write(p)
        if not others:
            return f"{text} {self.spelling.signs['≠'] if x else '='} 0"
        for q, y in others:
            text += f" {'<' if x < y else '>' if x > y else '='} {self.write(q)}"
            x = y
        return text


Found = Callable[[int], tuple[Product | None, list[Fact]]]


def in_symbols(op: Op, numbers: Sequence[Any], anywhere: bool = False) -> Found:
    """The slopes of an operation as its rules give them for symbols, with these numbers.

    A Constant among the numbers is no symbol. None where a rule cannot be applied to symbols, and
    for what is made of very many operands.
    """
    xs = [x if isinstance(x, Constant) else Value(x) for x in numbers]
    known = {x: symbol(Symbol(i)) for i, x in enumerate(xs) if not isinstance(x, Constant)}
    results = set[Product]()
    try:
        y = apply(op, *xs)
        operands = [known[x] if x in known else plain(x.data) for x in xs]
        known[y] = Reading({}).applied(op, operands)
        if not all(isinstance(b, Symbol) and e.denominator == 1 for b, e in known[y].powers):
            results, known[y] = {called(op, *operands), known[y]}, symbol(RESULT)
        found = slopes(op, y, xs)
    except Exception:  # anyone's rule
        return lambda place: (None, [])
    reading = Reading(known, results, anywhere)

    def slope(place: int) -> tuple[Product | None, list[Fact]]:
        if len(xs) > MANY and isinstance(found[place], Value) and found[place] not in known:
            return None, []
        try:
            g = found[place] if found[place] is NO_PATH else +found[place]
            return reading.read(0 if g is NO_PATH else g), reading.facts_of(g)
        except Exception:  # inf, nan, or deep
            return None, []

    return slope


def has_branches(op: Op) -> bool:
    """Whether an operation does different things here and there; else a choice is a guard."""
    return bool(op.kink or op.role)


def parameters(op: Op, n: int) -> list[str]:
    """The names of n operands of an operation: those of its function, of a list x_1, x_2, …"""
    takes = [*signature(function_of(op)).parameters.values()]
    if op.arity is not None:
        return [p.name for p in takes][:n]
    if len(takes) == 1 and n <= len(FIRST):
        return [*FIRST[:n]]
    single = [p.name for p in takes[:-1] if takes[-1].kind is p.VAR_POSITIONAL]
    lists = takes[len(single) :]
    each = (n - len(single)) // len(lists)
    return [*single, *[f"{p.name[:1]}_{i + 1}" for p in lists for i in range(each)]]
