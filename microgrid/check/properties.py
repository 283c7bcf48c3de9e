"""What a right engine does: one entry a property, in the order in which they build on each other.

A property gives cases, and a case draws examples. Where a case fails, its `breaks` are broken: the
checker does not run a later case that `needs` one of them, but reports it as a consequence. So each
finding stands on its own.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from json import dumps
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from microgrid.check import strategies
from microgrid.check.capabilities import OPERATIONS, Capabilities, Operation
from microgrid.check.example import Example, Failure, Judge, Outcome, Verdict, equal, sensible
from microgrid.check.kinds import FRAGILE, NOT_OFFERED, WRONG
from microgrid.check.protocol import encode, steps
from microgrid.check.strategies import LEAVES, numbers, source
from microgrid.matrices.formulas import affine_backward

WEIGHTS = "pqrs"
OF_NUMBERS: dict[str, Callable[[Any, Any], Any]] = {"mul": operator.mul, "div": operator.truediv}
PLAIN = ("add", "sub", "mul", "div")
KINK = 0.05  # no closer to a point without derivative
any_number = numbers()
yes_or_no, one_in_four = st.booleans(), st.sampled_from((False, False, False, True))
places = st.sampled_from([(False, True), (True, False), (True, True)])


@dataclass(frozen=True)
class Case:
    """One thing to find out; `subject` names the operation, "" the engine as a whole."""

    subject: str
    examples: Any  # a strategy of examples, or a list of them
    needs: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()
    optional: str = ""  # what an engine does not offer if it raises an error here
    chosen: str = ""  # an argument by which its user can have it
    first: tuple[Example, ...] = ()  # programs that are tried before the drawn ones
    kind: str = ""  # of its findings, if not that of the property
    one_will_do: bool = False  # fails only if each of its examples does
    side: str = ""  # of the operator, on which a plain number stands: "right" or "left"
    own: bool = False  # right is what the differences of the engine's own values give
    refused: str = ""  # the name in the museum of an engine that refuses this


Cases = Callable[[Capabilities], Iterable[Case]]


@dataclass(frozen=True)
class Property:
    """A sentence about every right engine, and where to look for a counterexample."""

    name: str
    says: str
    cases: Cases
    kind: str = WRONG
    after: tuple[str, ...] = ()  # where these properties fail, this one hardly can hold
    judge: Judge = equal
    patience: float = 1.0  # times the usual limit for one program
    draws: float = 1.0  # times the usual number of examples
    small: bool = True  # the museum's slowest engine can run its examples, too
    numbers: bool = False  # fragile, but a finite wrong number is wrong

    def __repr__(self) -> str:
        return f"<Property {self.name!r}: {self.says}>"


PROPERTIES: dict[str, Property] = {}
"""What is checked, by the names that `check(only=…)` takes; `.says` is each in one sentence."""


def holds(name: str, says: str, **more: Any) -> Callable[[Any], Any]:
    """Enter the cases of a property into the table."""

    def enter(cases: Cases) -> Cases:
        PROPERTIES[name] = Property(name, says, cases, **more)
        return cases

    return enter


fragile = partial(holds, kind=FRAGILE)


# What one use of an operation looks like.


@cache
def operands(operation: Operation, edges: bool = True) -> Any:
    """The leaves and the operands as text, with or without the edges of the domain."""
    found = operands_of(operation)
    return found if edges else found.filter(lambda pair: inside(operation, pair[0].values()))


@st.composite
def operands_of(draw: Any, operation: Operation) -> tuple[dict[str, Any], list[str]]:
    count = operation.arity or draw(st.integers(*operation.counts))
    if operation.plain:
        return {"a": draw(any_number)}, ["a", repr(draw(st.sampled_from(operation.plain)))]
    given = {name: draw(any_number) for name in LEAVES[:count]}
    assume(smooth_at(operation, given.values()))
    return given, list(given)


def one_pass(text: str, given: Mapping[str, Any], value: bool = False) -> Example:
    """The example that computes f, goes backward, and looks at the gradients of the leaves."""
    look = tuple(f"{name}.grad" for name in given)
    lines = (leaves(given), f"f = {text}; f.backward()")
    return Example(lines, ("f.data", *look) if value else look)


def leaves(given: Mapping[str, Any]) -> str:
    return "; ".join(f"{name} = Value({x!r})" for name, x in given.items())


def smooth_at(operation: Operation, xs: Iterable[Any]) -> bool:
    """Away from points without derivative."""
    kink = operation.entry.kink
    return kink is None or kink(*xs) > KINK


def inside(operation: Operation, xs: Iterable[Any]) -> bool:
    """Not at the edge of the domain, where slopes are infinite or one-sided."""
    return all(x not in edges for x, edges in zip(xs, operation.entry.domain))


def examples(make: Callable[..., Example]) -> Callable[..., Any]:
    """A strategy of the examples that have a right answer of moderate size."""
    composite = st.composite(make)
    return lambda *arguments: composite(*arguments).filter(sensible)


@examples
def once(draw: Any, operation: Operation, backward: bool) -> Example:
    given, texts = draw(operands(operation, edges=False))
    text = operation.write(*texts)
    if backward:
        return one_pass(text, given)
    return Example((leaves(given), f"f = {text}"), ("f.data",))


@holds("contract", "a Value keeps its number, and a backward pass reaches it")
def contract(can: Capabilities) -> Iterator[Case]:
    everything = ("contract", *can.offered)
    kept = [Example((f"x = Value({x})",), ("x.data",)) for x in (2, 0.5, -3)]
    yield Case("", kept, breaks=everything)
    texts = [text for name, text in (("add", "x + 1"), ("mul", "x * 1")) if name in can.offered]
    reached = [one_pass(text, {"x": 2}) for text in texts]
    yield Case("", reached, needs=("contract",), breaks=everything, one_will_do=True)


@fragile("leaf pass", "x.backward() of a leaf gives it the gradient 1")
def leaf_pass(can: Capabilities) -> Iterator[Case]:
    found = [Example((f"x = Value({x}); x.backward()",), ("x.grad",)) for x in (2, -0.5)]
    yield Case("", found, needs=("contract",))


def accepted(example: Example, actual: Outcome, expected: Outcome, digits: float) -> Verdict:
    """Wrong numbers and other errors are the business of others."""
    return equal(example, actual, expected, digits) if actual.unsuited else None


@holds("plain numbers", "an operator takes a plain number on either side: x - 2, 2 - x",
       kind=NOT_OFFERED, judge=accepted)  # fmt: skip
def plain_numbers(can: Capabilities) -> Iterator[Case]:
    for x in can.operations if can.numbers else ():
        if x.reflected and x.name not in can.useless:
            yield beside_number(x, "right", can.half.get((x.name, "right"), "values_only"))
            if x.name in PLAIN and x.name in can.right:  # else one finding is enough
                yield beside_number(x, "left", can.half.get((x.name, "left"), "not_reflected"))


def beside_number(operation: Operation, side: str, refused: str) -> Case:
    """A plain number on one side of an operator; the forward pass alone."""
    number = "2.5" if refused == "ints_only" else "3"
    line = operation.write(*(("x", number) if side == "right" else (number, "x")))
    example = Example((f"x = Value(2); f = {line}",), ("f.data",), as_written=True)
    return Case(operation.name, [example], side=side, refused=refused)


@holds("values", "f.data is what Python computes with plain numbers", draws=0.5)
def values(can: Capabilities) -> Iterator[Case]:
    for x in can.operations:
        texts = KINKS.get(x.name, ((),))[0]  # ties and zeros, which are seldom drawn
        at_points = [Example((leaves(p), f"f = {used(x, p)}"), ("f.data",)) for p in usual(x)]
        first = (*[Example((text,), ("f.data",)) for text in texts], *at_points)
        yield Case(x.name, once(x, False), breaks=(x.name,), first=first)


def data_kept(example: Example, actual: Outcome, expected: Outcome, digits: float) -> Verdict:
    """An error is the business of others."""
    return None if actual.error else equal(example, actual, expected, digits)


STEPS = ((2, 1), (-2, -1), (0.5, 0.25), (-0.5, -0.25), (1.5, 1), (0.1, 0.8), (-0.1, 1.5), (9, -2))


@cache
def usual(operation: Operation) -> tuple[dict[str, Any], ...]:
    """Points on both sides of 0 and ±1, inside of the domain, away from the kinks.

    An engine may compute in pieces, and be wrong in a short one, which is seldom drawn.
    """
    count = 1 if operation.plain else operation.arity or 2
    found = []
    for start, step in STEPS:
        given = dict(zip(LEAVES, (start + step * i for i in range(count))))
        smooth = smooth_at(operation, given.values()) and inside(operation, given.values())
        if smooth and sensible(one_pass(used(operation, given), given)):
            found.append(given)
    return tuple(found)


def used(operation: Operation, given: Iterable[str]) -> str:
    """One use of an operation; an exponent that must be a plain number is 2 or 3."""
    names = list(given)
    return operation.write(*([names[0], "3"] if operation.plain else names))


@holds("operands", "an operation and its backward pass leave the operands' data alone",
       judge=data_kept)  # fmt: skip
def operands_alone(can: Capabilities) -> Iterator[Case]:
    for x in can.operations:
        found = [
            replace(one_pass(used(x, given), given), look=tuple(f"{name}.data" for name in given))
            for given in usual(x)
        ]
        yield Case(x.name, found, needs=(x.name,), breaks=(x.name,))


@holds("one operation", "the gradient of a single operation is its derivative")
def one_operation(can: Capabilities) -> Iterator[Case]:
    for x in can.operations:
        first = tuple(one_pass(used(x, given), given) for given in usual(x))
        yield Case(x.name, once(x, True), needs=(x.name,), breaks=(x.name,), first=first)


@examples
def variable_exponent(draw: Any) -> Example:
    return one_pass("a ** b", {"a": draw(numbers(1)), "b": draw(any_number)}, value=True)


@holds("exponents", "where a ** b takes a Value as its exponent, b gets its gradient, too")
def exponents(can: Capabilities) -> Iterator[Case]:
    yield Case("power", variable_exponent(), needs=("power",), optional="a Value as exponent")


@examples
def with_constant(draw: Any, operation: Operation, left: bool) -> Example:
    x = draw(any_number)
    c = draw(st.sampled_from(operation.plain) if operation.plain and not left else any_number)
    line = operation.write(*((repr(c), "x") if left else ("x", repr(c))))
    assume(inside(operation, (c, x) if left else (x, c)))
    return replace(one_pass(line, {"x": x}, value=True), as_written=True)


@holds("constants", "x - 2 and 2 - x are right, and so are their gradients", draws=0.5)
def constants(can: Capabilities) -> Iterator[Case]:
    for x in can.operations:
        if x.name in can.right:
            yield Case(x.name, with_constant(x, False), needs=(x.name,), side="right",
                       refused="values_only")  # fmt: skip
        if x.name in can.left & can.right:
            yield Case(x.name, with_constant(x, True), needs=(x.name,), side="left",
                       refused="not_reflected")  # fmt: skip


@examples
def sandwiched(draw: Any, operation: Operation, factor: Operation) -> Example:
    """g(f(h(x))): the operation is not the first, or not the last, or neither."""
    given, texts = draw(operands(operation))
    before, behind = draw(places)
    w, xs = draw(numbers(2, 5)), list(given.values())
    assume(len({*xs, w}) > len(xs))  # equal numbers are another property's business
    if before:
        weights = dict(zip(WEIGHTS[: len(xs)], range(3, 7)))
        texts = [factor.write(*pair) for pair in zip(given, weights)] + texts[len(xs) :]
        xs = [OF_NUMBERS[factor.name](*pair) for pair in zip(xs, weights.values())]
        given |= weights
    text = operation.write(*texts)
    if behind:
        text = factor.write(text, "w")
        given["w"] = w
    assume(inside(operation, xs) and smooth_at(operation, xs))
    return one_pass(text, given)


@holds("upstream", "an operation multiplies by the gradient that comes from behind it", draws=0.7)
def upstream(can: Capabilities) -> Iterator[Case]:
    for x in sorted(
        can.operations, key=lambda x: (len(can.made_of.get(x.name, ())), x.name not in OF_NUMBERS)
    ):
        factor = next((name for name in OF_NUMBERS if can.sound(name)), "mul")
        found = sandwiched(x, OPERATIONS[factor])
        yield Case(x.name, found, needs=(factor, x.name), breaks=(x.name,))


@examples
def equal_numbers(draw: Any, first: str, second: str) -> Example:
    x, w = draw(numbers(1)), draw(numbers(2))
    inner, outer = OPERATIONS[first], OPERATIONS[second]
    line = outer.write(inner.write("x", "w"), inner.write("y", "v"))
    return one_pass(line, {"x": x, "w": w, "y": x, "v": w})


@holds("identity", "two nodes with equal numbers stay two nodes")
def identity(can: Capabilities) -> Iterator[Case]:
    for first, second in (("add", "mul"), ("mul", "add"), ("mul", "sub")):
        yield Case("", equal_numbers(first, second), needs=(first, second))


@examples
def used_twice(draw: Any, operation: Operation, join: str) -> Example:
    """f(x) + f(x), f(x, x), f(x, y) + f(z, x), ...: leaves alone are used more than once."""
    given, texts = draw(operands(operation))
    many = len(given) > 1  # f(x, x) comes first, as the smallest
    first = [texts[0]] * len(texts) if many and not draw(yes_or_no) else texts
    twice = draw(yes_or_no) or first == texts
    second = draw(st.permutations(texts)) if many and twice else texts
    text = operation.write(*first)
    if twice:
        text = OPERATIONS[join].write(text, operation.write(*second))
    xs = list(given.values())
    for point in (xs, xs if first == texts else xs[:1] * len(xs)):
        assume(inside(operation, point) and smooth_at(operation, point))
    used = {*first, *(second if twice else ())}
    return one_pass(text, {name: x for name, x in given.items() if name in used})


def beside(operation: Operation, join: str) -> Iterator[Example]:
    """f(x) + x and x + f(x): a rule that sets the gradient of x loses the other share."""
    for given in usual(operation) if operation.arity == 1 else ():
        for pair in ((used(operation, given), "a"), ("a", used(operation, given))):
            yield one_pass(OPERATIONS[join].write(*pair), given)


@holds("reuse", "a value that is used twice receives both shares", draws=0.6)
def reuse(can: Capabilities) -> Iterator[Case]:
    for x in can.operations:
        join = next((j for j in ("add", "sub", "mul") if can.sound(j)), "add")
        yield Case(x.name, used_twice(x, join), needs=(join, x.name), breaks=(x.name,),
                   first=tuple(beside(x, join)))  # fmt: skip


@examples
def in_place_example(draw: Any, symbol: str) -> Example:
    given = {name: draw(numbers(1)) for name in "xw"}
    return one_pass(f"x * w; f {symbol}= x", given, value=True)


@holds("in place", "f += x makes a new node of f and x", draws=0.5)
def in_place(can: Capabilities) -> Iterator[Case]:
    for x in can.operations:
        if x.name in PLAIN:
            yield Case(x.name, in_place_example(x.symbol), needs=("mul", x.name, "in place"))


# Graphs.


@examples
def graphs(draw: Any, names: Sequence[str], passes: int = 1) -> Example:
    """Random graphs whose inner nodes are shared, with one or several backward passes."""
    xs = draw(st.lists(numbers(), min_size=1, max_size=3))
    binary = [name for name in names if OPERATIONS[name].arity == 2]
    steps: list[tuple[Any, ...]] = []
    for _ in range(draw(st.integers(1, 6))):
        name = draw(st.sampled_from(names if draw(one_in_four) else binary))
        last = len(xs) + len(steps) - 1
        # Mostly the newest node with any other: what is not used by the next is by a later one.
        first = draw(st.integers(0, last)) if draw(one_in_four) else last
        inner_too = steps and draw(yes_or_no)
        second = draw(st.integers(len(xs) if inner_too else 0, last))
        operands = [first, second][: OPERATIONS[name].arity]
        steps.append((name, *(operands[::-1] if draw(yes_or_no) else operands)))
    last = len(xs) + len(steps) - 1
    inner = st.lists(st.integers(len(xs), last), min_size=2, max_size=passes)
    roots = [last] if passes == 1 else draw(inner)
    lines, texts = source(xs, steps, roots, lambda name, text: OPERATIONS[name].write(*text))
    calls = "; ".join(f"{texts[root]}.backward()" for root in roots)
    return Example((*lines, calls), tuple(f"{texts[i]}.grad" for i in range(len(xs)) if i in texts))


SMALL = (  # graphs in which the order of the walk matters: each node is used early and late
    "h = a + b; f = h + h; f.backward()",
    "h = a * b; f = h * h; f.backward()",
    "h = a + b; f = h + h * a; f.backward()",
    "h = a + b; f = h * a + h; f.backward()",
    "h = a * b; k = h + a; f = h * k; f.backward()",
    "h = a * b; k = h + a; f = k * h; f.backward()",
    "h = a * b; f = (h * a + h) * h; f.backward()",
    "h = a + b; k = h * b; f = k * h + k; f.backward()",
    "h = a + b; k = a * b; f = (h + k) * h + k; f.backward()",
)
ZEROES = "zero|reset|clear|accum"  # in the names of arguments of a backward pass
PASSES = (
    "f = a * b; f.backward(); g = a * b; g.backward()",
    "f = a * b; g = a * b; f.backward(); g.backward()",
)
AGAIN = (
    "h = a * b; (h * h).backward(); (h * 5).backward()",
    "f = a * b; f.backward(); f.backward()",
)


def small(texts: Sequence[str]) -> tuple[Example, ...]:
    """Programs of two leaves."""
    start = leaves({"a": 3, "b": 2})
    return tuple(Example((start, text), ("a.grad", "b.grad")) for text in texts)


def on_graphs(can: Capabilities, passes: int, first: Sequence[Example]) -> Iterator[Case]:
    """Graphs of the sound operations that are defined and smooth everywhere."""
    smooth = [
        x for x in can.operations
        if x.arity and x.entry.kink is None and not x.entry.domain and can.sound(x.name)
    ]  # fmt: skip
    names = [x.name for x in sorted(smooth, key=lambda x: x.arity != 2)]
    binary = any(x.arity == 2 for x in smooth)
    if not (can.sound("add") and can.sound("mul")):
        first = ()
    yield Case("", graphs(names, passes) if binary else [], needs=() if binary else PLAIN,
               first=tuple(first))  # fmt: skip


@holds("order", "a node waits until all its uses have sent their shares", draws=8)
def order(can: Capabilities) -> Iterator[Case]:
    # A walk over a set may change from run to run: several tries.
    yield from on_graphs(can, 1, 2 * small(SMALL))


@examples
def separate_graphs(draw: Any, names: Sequence[str]) -> Example:
    """Graphs that share leaves alone, each built before or after the passes of the others."""
    given = {name: draw(numbers(1)) for name in "ab"}
    texts = [OPERATIONS[draw(st.sampled_from(names))].write("a", "b") for _ in range(3)]
    build = [f"{root} = {text}" for root, text in zip("fgh", texts)]
    go = [f"{root}.backward()" for root in "fgh"]
    orders = ((0, 3, 1, 4, 2, 5), (0, 1, 2, 3, 4, 5), (0, 1, 3, 2, 4, 5), (0, 1, 2, 5, 3, 4))
    calls = "; ".join((*build, *go)[i] for i in draw(st.sampled_from(orders)))
    return Example((leaves(given), calls), ("a.grad", "b.grad"))


@holds("passes", "the gradients of several graphs add up on the leaves", after=("order",))
def passes(can: Capabilities) -> Iterator[Case]:
    names = [name for name in PLAIN if can.sound(name)]
    first = small(PASSES) if can.sound("mul") else ()
    yield Case("", separate_graphs(names) if names else [], needs=() if names else PLAIN,
               breaks=("passes",), first=first, chosen=can.choice(ZEROES))  # fmt: skip
    for x in can.operations:
        found = []
        for given in usual(x):
            # The result of abs(a) may be a itself: what a product gives is a new node.
            text = f"({used(x, given)}) * 3" if can.sound("mul") else used(x, given)
            line = f"f = {text}; f.backward(); g = {text}; g.backward()"
            found.append(replace(one_pass(text, given), lines=(leaves(given), line)))
        yield Case(x.name, found, needs=("passes", x.name), breaks=(x.name,),
                   chosen=can.choice(ZEROES))  # fmt: skip


@fragile("accumulation", "a second pass over a node that both share counts the first no more",
         after=("order", "passes"), draws=5)  # fmt: skip
def accumulation(can: Capabilities) -> Iterator[Case]:
    for case in on_graphs(can, 3, small(AGAIN)):
        choice = can.choice(f"{ZEROES}|retain|keep")
        yield replace(case, optional="a second pass over the same node", chosen=choice)


@st.composite
def zeroed(draw: Any, how: str) -> Example:
    given = {"x": draw(numbers(1)), "c": draw(numbers(2)), "d": draw(numbers(2))}
    lines = (leaves(given), f"(x * c).backward(); {how}; (x * d).backward()")
    return Example(lines, ("x.grad",), (float(given["d"]),))


@holds("zeroing", "after x.grad = 0 the next pass starts afresh", draws=0.5)
def zeroing(can: Capabilities) -> Iterator[Case]:
    yield Case("", zeroed("x.grad = 0"), needs=("mul", "set grad"), optional="x.grad = 0")
    yield Case("zero_grad", zeroed("x.zero_grad()"), needs=("mul", "zero"))


@st.composite
def built_in_sum(draw: Any) -> Example:
    given = dict(zip(LEAVES, draw(st.lists(numbers(), min_size=1, max_size=4))))
    return one_pass(f"sum([{', '.join(given)}])", given, value=True)


@examples
def listed(draw: Any, operation: Operation) -> Example:
    given, names = draw(operands(operation))
    given["w"] = draw(numbers(2, 5))
    return one_pass(f"w * {operation.write(*names)}", given, value=True)


@holds("several", "sums and other functions of any number of values reach each of them", draws=0.6)
def several(can: Capabilities) -> Iterator[Case]:
    yield Case("sum", built_in_sum(), needs=("add",))
    for x in can.operations:
        if x.arity == 0:
            yield Case(x.name, listed(x), needs=(x.name, "mul"), breaks=(x.name,))


@fragile("powers of zero", "x ** 0, x ** 1 and x ** 2 have a slope at x = 0", numbers=True)
def powers_of_zero(can: Capabilities) -> Iterator[Case]:
    for kind, exponents in ((WRONG, (2, 1)), (FRAGILE, (0,))):
        found = [one_pass(f"x ** {n}", {"x": 0}, value=True) for n in exponents]
        breaks = ("power",) if kind == WRONG else ()
        yield Case("power", found, needs=("power",), breaks=breaks, kind=kind)


# Where there is more than one right answer.

TIE = (
    "x = Value(2); y = Value(2); f = {}([x, y])",
    "x = Value(2.5); y = Value(3.5); f = {}([x + 1, y])",
)
TIES: Any = {(0.5, 0.5): "PyTorch and JAX", (1, 0): "the first", (0, 1): "the second"}
KINKS: Any = {  # operation: programs, bounds of each gradient, and who chose what
    "relu": (("x = Value(0); f = relu(x)",), (0, 1), {(0,): "PyTorch and JAX"}),
    "abs": (("x = Value(0); f = abs(x)",), (-1, 1), {(0,): "PyTorch", (1,): "JAX"}),
    "maximum": ([text.format("maximum") for text in TIE], (0, 1), TIES),
    "minimum": ([text.format("minimum") for text in TIE], (0, 1), TIES),
}


def subgradient(example: Example, actual: Outcome, expected: Outcome, digits: float) -> Verdict:
    """Any slope between those of both sides will do; another choice than PyTorch's is reported."""
    name = next(name for name in KINKS if f"{name}(" in example.text)
    _, (low, high), choices = KINKS[name]
    if expected.agrees(actual, digits):
        return None
    between = not actual.error and all(low - digits <= g <= high + digits for g in actual.numbers)
    if not between or (len(example.look) > 1 and abs(sum(actual.numbers) - 1) > digits):
        return Failure(example, actual, expected, "no subgradient lies there", digits=digits)
    chosen = choices.get(actual.numbers, "another subgradient")
    who = ", ".join(
        f"{' and '.join(f'{x:g}' for x in point)}: {whose}" for point, whose in choices.items()
    )
    return Failure(example, actual, expected, f"{chosen} ({who})", convention=True)


@holds("kinks", "where there is no derivative, a slope between those of both sides",
       judge=subgradient)  # fmt: skip
def kinks(can: Capabilities) -> Iterator[Case]:
    for name, (programs, _, choices) in KINKS.items():
        look = ("x.grad", "y.grad")[: len(next(iter(choices)))]
        found = [Example((f"{text}; f.backward()",), look) for text in programs]
        yield Case(name, found, needs=(name,))


# What breaks an engine before its mathematics does.


def no_number(example: Example, actual: Outcome, expected: Outcome, digits: float) -> Verdict:
    """An error, nan or an infinite number will do."""
    if actual.error or not math.isfinite(actual.numbers[0]):
        return None
    return Failure(example, actual, expected, "there is no right number: raise an error")


@fragile("domain", "where an operation has no value, it raises an error or gives nan",
         judge=no_number)  # fmt: skip
def domain(can: Capabilities) -> Iterator[Case]:
    for x in can.operations:
        found = []
        for point in ((-1,), (0,), (2,), (2, 0)):
            if len(point) == x.arity and not defined(x, point):
                given = dict(zip(LEAVES, point))
                look, right = [f"{name}.data" for name in given], map(float, point)
                lines = (f"{leaves(given)}; f = {x.write(*given)}",)
                found.append(Example(lines, ("f.data", *look), (math.nan, *right)))
        if found:
            yield Case(x.name, found, needs=(x.name,))


def defined(operation: Operation, xs: Sequence[float]) -> bool:
    """Whether plain Python has a value there."""
    try:
        return math.isfinite(operation.entry.forward(*map(float, xs)))
    except (ArithmeticError, ValueError):
        return False


@fragile("limits", "large numbers give the limit, not an overflow", numbers=True)
def limits(can: Capabilities) -> Iterator[Case]:
    for x in can.operations:
        if x.arity == 1:
            points: list[tuple[int, ...]] = [(s * size,) for size in (30, 1000) for s in (1, -1)]
        elif x.arity == 0 and x.entry.kink is None:
            points = [(1000, 999), (-1000, -1000)]
        else:
            continue
        given = [dict(zip(LEAVES, point)) for point in points]
        programs = [one_pass(x.write(*names), names, value=True) for names in given]
        if found := [program for program in programs if sensible(program, math.inf)]:
            yield Case(x.name, found, needs=(x.name,))


@fragile("diamonds", "a node is visited once, not once for each path to it", after=("order",),
         small=False, numbers=True)  # fmt: skip
def diamonds(can: Capabilities) -> Iterator[Case]:
    # A node that keeps its parents in a set sees one path in f + f.
    texts = ("f + f", "f + f * 1") if can.sound("mul") else ("f + f",)
    programs = [
        Example(("x = Value(1); f = x", f"for _ in range(40): f = {text}", "f.backward()"),
                ("x.grad",), (2.0**40,))
        for text in texts
    ]  # fmt: skip
    yield Case("", programs, needs=("add",), breaks=("fast",))


def chain(depth: int) -> Example:
    lines = ("x = Value(1); f = x", f"for _ in range({depth}): f = f + 1", "f.backward()")
    return Example(lines, ("f.data", "x.grad"), (depth + 1.0, 1.0))


@fragile("depth", "a chain of 1,500 operations, as a small GPT has it", numbers=True)
def depth(can: Capabilities) -> Iterator[Case]:
    yield Case("", [chain(1500)], needs=("add",), breaks=("deep",))


@fragile("great depth", "a chain of 100,000 operations", patience=2, small=False, numbers=True)
def great_depth(can: Capabilities) -> Iterator[Case]:
    yield Case("", [chain(100_000)], needs=("add", "fast", "deep"))


def freed(uses: str) -> Example:
    lines = (
        "import gc; gc.collect(); gc.disable()",
        "alive = lambda: len([v for v in gc.get_objects() if type(v) is Value]); before = alive()",
        f"x = Value(2); f = x * x; {uses}del x, f",
        "left = alive() - before; gc.collect(); kept = alive() - before; gc.enable()",
    )
    sent = dumps([steps(ast.parse(lines[2]).body), ["alive", "collected"]])
    return Example(lines, ("left", "kept"), (0.0, 0.0), sent=sent)


@fragile("leak", "a graph is freed when its last name goes, without the garbage collector")
def leak(can: Capabilities) -> Iterator[Case]:
    yield Case("", [freed(""), freed("f.backward(); ")], needs=("mul", "alive"))


def old_or_new(example: Example, actual: Outcome, expected: Outcome, digits: float) -> Verdict:
    """The gradient at the old point, at the new one, or an error; not a mixture."""
    if actual.error and not actual.stopped:
        return None
    old, new = expected.numbers
    if any(replace(expected, numbers=(x,)).agrees(actual, digits) for x in (old, new)):
        return None
    note = f"neither {old:g}, where the forward pass ran, nor {new:g}, nor an error"
    return Failure(example, actual, replace(expected, numbers=(old,)), note)


@st.composite
def moved(draw: Any) -> Example:
    a, b = draw(numbers(2)), draw(numbers(-3, -2))
    lines = (f"x = Value({a!r}); h = x * x; f = h * x", f"x.data = {b!r}; f.backward()")
    return Example(lines, ("x.grad",), (3.0 * a * a, 3.0 * b * b))


@fragile("changed data", "data changed between forward and backward gives no mixture of both",
         judge=old_or_new)  # fmt: skip
def changed_data(can: Capabilities) -> Iterator[Case]:
    yield Case("", moved(), needs=("mul", "set data"))


@st.composite
def one_step(draw: Any) -> Example:
    x, w = draw(numbers(1)), draw(numbers(1))
    lines = (
        leaves({"x": x, "w": w}),
        "f = x * w; f.backward()",
        f"w.data = {w - 0.5 * x!r}; w.grad = 0; x.grad = 0",
        "f = x * w; f.backward()",
    )
    new = w - 0.5 * x
    return Example(lines, ("f.data", "x.grad", "w.grad"), (x * new, new, float(x)))


@holds("training step", "after w.data was set, a new forward and backward pass use it")
def training_step(can: Capabilities) -> Iterator[Case]:
    needs = ("mul", "set data", "set grad")
    yield Case("", one_step(), needs=needs, optional="w.data = ... and w.grad = 0")


COMPARED = {"<": (0, 1), ">": (1, 0), "<=": (0, 1), ">=": (1, 0), "==": (0, 0), "!=": (1, 1)}


@holds("comparisons", "x < y is true or false, as that of the numbers")
def comparisons(can: Capabilities) -> Iterator[Case]:
    for sign, truths in COMPARED.items():
        found = [
            Example((f"x = Value({x}); y = Value({y}); c = bool(x {sign} y)",), ("c",), (truth,))
            for (x, y), truth in zip(((3, 2), (2, 3)), map(float, truths))
        ]
        yield Case(sign, found, optional=sign)


POINTS = ({"a": 0.3, "b": 0.6, "c": 0.8, "d": 0.4}, {"a": 0.7, "b": 0.2, "c": 0.1, "d": 0.9})


@holds("functions", "the gradient of any other function is the slope of its own value", small=False,
       after=("order", "passes"))  # fmt: skip
def functions(can: Capabilities) -> Iterator[Case]:
    for name, call in can.calls.items():
        used = [x for x in "abcd" if re.search(rf"\b{x}\b", call.partition("(")[2])]
        given = [{x: point[x] for x in used} for point in POINTS]
        if call.endswith("[0]") and name.lower() == "softmax":
            yield Case(name, [softmax_value(call, point) for point in given], breaks=(name,))
        factors = ("", " * 3") if can.sound("mul") else ("",)
        found = [one_pass(f"{call}{factor}", point) for factor in factors for point in given]
        yield Case(name, found, own=True)


def softmax_value(call: str, given: Mapping[str, float]) -> Example:
    total = sum(map(math.exp, given.values()))
    right = math.exp(next(iter(given.values()))) / total
    return Example((leaves(given), f"f = {call}"), ("f.data",), (right,))


# What it is all for.


@st.composite
def affine_example(draw: Any) -> Example:
    X, W, b, dY = draw(strategies.affine_problems(st.integers(-3, 3).map(float)))
    lines = (
        f"X, W = [[[Value(v) for v in row] for row in A] for A in ({whole(X)}, {whole(W)})]",
        f"b = [Value(v) for v in {whole(b)}]; dY = {whole(dY)}",
        "Y = [[sum((x * w for x, w in zip(row, column)), bias) "
        "for column, bias in zip(zip(*W), b)] for row in X]",
        "sum((y * dy for row in zip(Y, dY) for y, dy in zip(*row)), Value(0)).backward()",
    )
    right = affine_backward(X, W, b, dY)
    look = [f"{name}{''.join(f'[{i}]' for i in index)}.grad"
            for name, A in zip("XWb", (X, W, b)) for index in np.ndindex(A.shape)]  # fmt: skip
    numbers = tuple(float(x) for A in right for x in A.ravel())
    return Example(lines, tuple(look), numbers, sent=dumps(affine_program(X, W, b, dY)))


def affine_program(X: Any, W: Any, b: Any, dY: Any) -> list[Any]:
    """The same, entry by entry: the steps, and the gradients to look at."""
    leaves = [
        (f"{name}{'_'.join(map(str, index))}", A[index])
        for name, A in zip("XWb", (X, W, b)) for index in np.ndindex(A.shape)
    ]  # fmt: skip
    lines = [f"{name} = Value({int(x)})" for name, x in leaves]
    total = "Value(0)"
    for n, m in np.ndindex(dY.shape):
        products = " + ".join(f"X{n}_{d} * W{d}_{m}" for d in range(len(W)))
        lines.append(f"Y{n}_{m} = b{m} + {products}")
        total += f" + Y{n}_{m} * {int(dY[n, m])}"
    lines.append(f"f = {total}; f.backward()")
    return [*encode(Example(tuple(lines), tuple(f"{name}.grad" for name, _ in leaves)))]


def whole(A: Any) -> Any:
    return A.astype(int).tolist()


@holds("affine layer", "Y = XW + b gets dX = dY Wᵀ, dW = Xᵀ dY, db = 1ᵀ dY", after=("order",))
def affine_layer(can: Capabilities) -> Iterator[Case]:
    yield Case("", affine_example(), needs=("add", "mul"))


@st.composite
def circuit(draw: Any, gates: bool) -> Example:
    given = {name: draw(numbers(-2, 2)) for name in ("w0", "x0", "w1", "x1", "w2")}
    w0, x0, w1, x1, w2 = given.values()
    sum_ = "w0 * x0 + w1 * x1 + w2"
    text = f"1 / (1 + exp(-({sum_})))" if gates else f"sigmoid({sum_})"
    s = 1 / (1 + math.exp(-(w0 * x0 + w1 * x1 + w2)))
    right = tuple(s * (1 - s) * factor for factor in (x0, w0, x1, w1, 1))
    return replace(one_pass(text, given), expected=right)


@holds("sigmoid circuit", "f = 1 / (1 + exp(-(w0 x0 + w1 x1 + w2))) gets f (1 - f) times ...")
def sigmoid_circuit(can: Capabilities) -> Iterator[Case]:
    if "exp" in can.offered:
        needs = ("add", "mul", "div", "neg", "exp")
        yield Case("gate by gate", circuit(True), needs=needs)
    if "sigmoid" in can.offered:
        yield Case("as one gate", circuit(False), needs=("add", "mul", "sigmoid"))
