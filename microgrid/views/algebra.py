"""The algebra of a derivative as people write it: −y·y of y = 1/x is −1/x², a quotient cancels.

The rules of the table are made for numbers: they save work and keep digits. Here a graph that a
rule built of symbols becomes a product of powers, in which each operation stands for what it means.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any, NamedTuple, Union

from microgrid.engine import ops, rules
from microgrid.engine.guards import Number
from microgrid.engine.value import Constant, Value
from microgrid.views.comparison import formal
from microgrid.views.wording import constant, multiple, signed

HALF = Fraction(1, 2)
FEW = 6  # terms that are written out
LARGE = 99  # exponent of a number
DOTS = "…"


class Symbol(NamedTuple):
    """An operand by its place; −1 is the result."""

    place: int


class Named(NamedTuple):
    """A number with a name of its own, like π."""

    number: float


class Sum(NamedTuple):
    """A sum of two terms or more, none of which is a sum."""

    terms: tuple[Product, ...]


class Call(NamedTuple):
    """An operation of products."""

    op: Any
    operands: tuple[Product, ...]


class Product(NamedTuple):
    """A number times powers; without powers the number alone."""

    number: Fraction
    powers: tuple[tuple[Base, Fraction], ...] = ()

    @property
    def alone(self) -> Base | None:
        """The base, if there is nothing else."""
        whole = self.number == 1 and [e for _, e in self.powers] == [1]
        return self.powers[0][0] if whole else None


Base = Union[Symbol, Named, Sum, Call]  # noqa: UP007  # a string would not be evaluated
RESULT = Symbol(-1)
ZERO = Product(Fraction(0))


def symbol(base: Base) -> Product:
    return Product(Fraction(1), ((base, Fraction(1)),))


def called(op: Any, *operands: Product) -> Product:
    return symbol(Call(op, operands))


E, PI = symbol(Named(math.e)), symbol(Named(math.pi))
IRRATIONAL = {  # numbers of the table that are written as what they are
    math.e: E, math.pi: PI, math.sqrt(math.pi): called(ops.sqrt, PI),
    math.sqrt(2 * math.pi): called(ops.sqrt, Product(Fraction(2), PI.powers)),
    ops.LOG2_E: Product(Fraction(1), ((Call(ops.log, (Product(Fraction(2)),)), Fraction(-1)),)),
    ops.LOG10_E: Product(Fraction(1), ((Call(ops.log, (Product(Fraction(10)),)), Fraction(-1)),)),
}  # fmt: skip


def plain(x: Number) -> Product:
    """A number; ValueError for inf and nan."""
    if x in IRRATIONAL:
        return IRRATIONAL[x]
    ratio, name = multiple(x) or (Fraction(x), "")
    return Product(ratio, {"": (), "π": PI.powers, "e": E.powers}[name])


def times(*factors: Product) -> Product:
    powers: dict[Base, Fraction] = {}
    for _, more in factors:
        for base, e in more:
            powers[base] = powers.get(base, Fraction(0)) + e
    number = math.prod([x for x, _ in factors], start=Fraction(1))
    return Product(number, tuple([(b, e) for b, e in powers.items() if e])) if number else ZERO


def raised(p: Product, exponent: Product) -> Product:
    """A power: of each factor, where the exponent is a whole number."""
    e, symbolic = exponent
    if symbolic or abs(e) > LARGE or (e <= 0 and not p.number):
        return called(ops.power, p, exponent)
    if e.denominator == 1:
        return times(Product(p.number ** int(e), tuple([(b, k * e) for b, k in p.powers])))
    if p.alone:
        return Product(Fraction(1), ((p.alone, e),))
    return called(ops.sqrt, p) if e == HALF else called(ops.power, p, exponent)


def plus(*terms: Product) -> Product:
    """A sum, flat, with the plain numbers added to the first of them; of symbols in order."""
    flat: list[Product] = []
    for term in terms:
        inner = term.alone
        flat += inner.terms if isinstance(inner, Sum) else [term]
    numbers = [i for i, term in enumerate(flat) if not term.powers]
    for i in reversed(numbers[1:]):
        flat[numbers[0]] = Product(flat[numbers[0]].number + flat.pop(i).number)
    flat = [term for term in flat if term.number]
    if not numbers and all(term.number > 0 for term in flat):
        flat.sort(key=lambda term: min(places_in(term), default=-1))  # b² + a² is a² + b²
    return symbol(Sum((*flat,))) if len(flat) > 1 else flat[0] if flat else ZERO


def places_in(p: Product) -> set[int]:
    """The places of the symbols in a product."""
    found, stack = set[int](), [p]
    while stack:
        for base, _ in stack.pop().powers:
            if isinstance(base, Symbol):
                found.add(base.place)
            elif isinstance(base, Sum):
                stack += base.terms
            elif isinstance(base, Call):
                stack += base.operands
    return found


def negative(p: Product) -> Product:
    return Product(-p.number, p.powers)


def over(a: Product, b: Product) -> Product:
    return times(a, raised(b, Product(Fraction(-1))))


ALGEBRA: dict[Any, Callable[..., Product]] = {
    ops.add: plus, ops.total: plus, ops.sub: lambda a, b: plus(a, negative(b)),
    ops.neg: negative, ops.mul: times, ops.div: over, ops.power: raised,
    ops.sqrt: lambda x: raised(x, Product(HALF)),
    ops.log: lambda x: Product(Fraction(1)) if x == E else called(ops.log, x),
}  # fmt: skip


class Fact(NamedTuple):
    """Why a switch is where it is: how the numbers of these products are ordered."""

    products: tuple[Product, ...]
    numbers: tuple[Number, ...]


class Reading:
    """The reading of graphs in symbols: `known` has the product of each node that is one.

    What is a call of `results`, or means the same, is read as the symbol RESULT. Switches and
    choices are read as what they are at the numbers of the graph, unless `anywhere`.
    """

    def __init__(
        self, known: dict[Value, Product], results: Collection[Product] = (), anywhere: bool = False
    ) -> None:
        self.known, self.results, self.anywhere = known, results, anywhere
        self.facts: dict[Value, Fact] = {}  # of each switch and each choice
        self.used: dict[Value, Sequence[Value]] = {}  # the operands that were read

    def read(self, v: Any) -> Product:
        """The product that a node or a number is; ValueError for inf and nan."""
        if not isinstance(v, Value):
            return plain(v)
        if v not in self.known:
            self.known[v] = self.compound(v) if v.op else plain(v.data)
        return self.known[v]

    def compound(self, v: Value) -> Product:
        """A node that an operation made."""
        op, xs = v.op, v.parents
        assert op is not None
        if op.joint is rules.select_rule and not self.anywhere:
            self.used[v] = xs = xs[0], xs[1 if xs[0].data else 2]
            c, chosen = map(self.read, xs)
            if c.alone:
                self.facts[v] = Fact((c,), (xs[0].data,))
            return chosen
        self.used[v] = xs
        operands = [*map(self.read, xs)]
        switch = op.joint is rules.no_path and op.kink  # set by the order of its operands
        if switch and not self.anywhere:
            zero = [] if xs[1:] else [0]
            self.facts[v] = Fact((*operands, *map(plain, zero)), (*[x.data for x in xs], *zero))
            return plain(v.data)
        return self.applied(op, operands)

    def applied(self, op: Any, operands: Sequence[Product]) -> Product:
        """An operation of products, as what it means."""
        found = called(op, *operands)
        if found not in self.results and op in ALGEBRA:
            found = ALGEBRA[op](*operands)
        elif found not in self.results and op.meaning:
            found = meaning(op, operands, self.results)
        return symbol(RESULT) if found in self.results else found

    def facts_of(self, v: Any) -> list[Fact]:
        """The facts by which v is what it was read as."""
        found, stack = dict[Value, None](), [v]
        while stack:
            if (x := stack.pop()) not in found and isinstance(x, Value):
                found[x] = None
                stack += self.used.get(x, ())
        return [*dict.fromkeys([self.facts[x] for x in found if x in self.facts])]


def meaning(op: Any, operands: Sequence[Product], results: Collection[Product] = ()) -> Product:
    """What an operation means, of these operands."""
    xs = [Value(0.5) for _ in operands]  # any number: only the graph is read
    return Reading(dict(zip(xs, operands)), results).read(op.meaning(*xs))


# Numbers for the symbols, and the graph that the one writer of formulas writes


def seen(x: Fraction) -> Fraction:
    """A number as it is written: with at most six digits."""
    return Fraction(written(x).replace("−", "-")) if x else x


def written(x: Fraction) -> str:
    """A number as a short fraction or decimal."""
    text = constant(float(x)) if x.denominator > 1 else constant(x.numerator)
    near = x.limit_denominator(99)
    fraction = len(text) > 6 and abs(near - x) < abs(x) / 10**15
    return signed(str(near)) if fraction else text


def value(p: Product, numbers: Sequence[Number], as_seen: bool = False) -> Number:
    """The number of a product, exactly where it is rational; numbers[-1] is the result's.

    With `as_seen` the plain numbers in it have the digits with which they are written.
    """
    found: Number = seen(p.number) if as_seen else p.number
    for base, e in p.powers:
        if isinstance(base, Symbol):
            x = numbers[base.place]
        elif isinstance(base, Named):
            x = base.number
        elif isinstance(base, Sum):
            x = sum([value(q, numbers, as_seen) for q in base.terms])
        else:
            x = base.op.forward(*[value(q, numbers, as_seen) for q in base.operands])
        found = found * (x ** int(e) if e.denominator == 1 else float(x) ** float(e))
    return found


def graph(p: Product, leaves: Sequence[Value]) -> Value:
    """A graph that is written as the product; it is for the eye and holds no numbers."""
    if not p.powers:
        return Constant(near(p.number))
    above = [power(b, e, leaves) for b, e in p.powers if e > 0]
    below = [power(b, -e, leaves) for b, e in p.powers if e < 0]
    size = abs(p.number)
    top, bottom = (size.numerator, size.denominator) if size.denominator < 10 else (near(size), 1)
    above = [*[Constant(top)] * (top != 1 or not above), *above]
    below = [*[Constant(bottom)] * (bottom != 1), *below]
    v = chained(ops.mul, above)
    v = formal(ops.div, v, chained(ops.mul, below)) if below else v
    return formal(ops.neg, v) if p.number < 0 else v


def near(x: Fraction) -> Number:
    """A number that is written like x: 1/3, but 0.1."""
    if x.denominator == 1:
        return x.numerator
    return seen(x) if "/" in written(x) else float(x)


def power(base: Base, e: Fraction, leaves: Sequence[Value]) -> Value:
    """The graph of one power."""
    if isinstance(base, Symbol):
        v = leaves[base.place]
    elif isinstance(base, Named):
        v = Constant(base.number)
    elif isinstance(base, Sum):
        v = summed(base.terms, leaves)
    else:
        v = formal(base.op, *[graph(q, leaves) for q in base.operands])
    if e == HALF:
        return formal(ops.sqrt, v)
    return v if e == 1 else formal(ops.power, v, Constant(e if e.denominator == 1 else float(e)))


def summed(terms: Sequence[Product], leaves: Sequence[Value]) -> Value:
    """A sum; of many terms the first and the last are written, with dots between them."""
    first, *others = terms
    v = graph(first, leaves)
    for term in others if len(terms) <= FEW else others[:2]:
        sign = ops.sub if term.number < 0 else ops.add
        v = formal(sign, v, graph(Product(abs(term.number), term.powers), leaves))
    if len(terms) <= FEW:
        return v
    return formal(ops.add, formal(ops.add, v, Value(0.0, DOTS)), graph(terms[-1], leaves))


def chained(op: Any, nodes: Sequence[Value]) -> Value:
    return reduce(lambda a, b: formal(op, a, b), nodes)
