"""The documentation of an operation, made from its entry of the table.

The slopes are written by the rules themselves, applied to symbols. Errors, kinks and the example
are found by calling the operation at a few points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from inspect import signature, unwrap
from itertools import product
from textwrap import fill
from typing import Any, NamedTuple

from microgrid.engine import ops
from microgrid.engine.calculus import gradients
from microgrid.engine.errors import MicrogridError
from microgrid.engine.functions import FUNCTIONS, NO_METHODS
from microgrid.engine.guards import Number, real
from microgrid.engine.op import Op
from microgrid.engine.slopes import NO_PATH, slopes
from microgrid.engine.value import Value, apply, topological
from microgrid.views.algebra import graph
from microgrid.views.notation import PYTHON, TEXT, function_of, lists_of, python_call, write
from microgrid.views.rule import has_branches, in_symbols, with_dots
from microgrid.views.wording import constant, lowered

SAMPLES = (2.0, 3.0, 4.0, 5.0), (0.5, 0.25, 0.75, 0.125), (-0.5,)  # in the order they are tried
PROBES = (1.0, 0.0, -0.5, -1.0, 2.0, -2.0, 1000.0, -1000.0, math.inf)  # tame ones first
SYMBOLS = with_dots(TEXT)
MOST = 4  # operands of what is tried at points


class Call(NamedTuple):
    """How an operation is called: its operands by name, and the numbers that have a default."""

    function: Callable[..., Any]
    names: list[str]
    defaults: tuple[float, ...]

    @property
    def free(self) -> int:
        """How many operands have to be given."""
        return len(self.names) - len(self.defaults)


def describe(op: Op) -> str:
    """What an operation is, its slopes, where it raises, its slopes at a kink, and an example."""
    call = call_of(op)
    points = [*formulas(op, call), *errors(op, call), *kink(op, call), *related(op)]
    lines = [fill(f"- {text}", 96, subsequent_indent="  ", break_long_words=False,
                  break_on_hyphens=False) for text in points]  # fmt: skip
    parts = [op.doc or f"The operation {op.name}.", "\n".join(lines), *example(op, call)]
    return "\n\n".join(filter(None, parts))


def call_of(op: Op) -> Call:
    """The call of an operation, with two operands for any number of them."""
    f = function_of(op)
    parameters = signature(f).parameters.values()
    names = [p.name for p in parameters][: op.arity]
    if op.arity is None:
        names = [f"{p.name[:1]}_{i}" for p in parameters for i in (1, 2)]
    return Call(f, names, tuple(p.default for p in parameters if type(p.default) is float))


def sample(op: Op, call: Call) -> tuple[Number, ...]:
    """Operands where the operation has a value and a slope; none where it is not found."""
    for numbers in SAMPLES:
        point = numbers[: call.free] + call.defaults
        inside = all(low < x < high for x, (low, high) in zip(point, op.domain))
        fits = inside and len(point) == len(call.names) and not refusal(op.forward, point)
        if fits and (op.kink is None or op.kink(*point)):
            return point
    return ()


def refusal(f: Callable[..., Any], point: Sequence[Number]) -> Exception | None:
    """What f raises at a point: it may be anyone's function."""
    try:
        f(*point)
    except Exception as error:
        return error
    return None


def formulas(op: Op, call: Call) -> Iterator[str]:
    """The value and the slopes in symbols, and what the operations in them mean."""
    xs = [Value(x, name) for x, name in zip(sample(op, call), call.names)]
    if not xs:
        return
    y, slope = apply(op, *xs), in_symbols(op, [x.data for x in xs], has_branches(op))
    result = Value(0.0, "z" if "y" in call.names else "y")
    yield f"`{result.label} = {write(y, TEXT)}`"
    found = [slope(i)[0] for i, x in enumerate(xs) if op.arity or x.label.endswith("_1")]
    known = [p for p in found if p is not None]
    if len(known) < len(found):
        yield "no slope in symbols: the rule takes numbers alone, so it cannot be differentiated"
        return
    nodes = [graph(p, [*xs, result]) for p in known]
    shown = [x for x in xs if op.arity or x.label.endswith("_1")]
    yield ", ".join([f"`∂{result.label}/∂{lowered(x.label)} = {write(g, SYMBOLS)}`"
                     for x, g in zip(shown, nodes)])  # fmt: skip
    for inner in dict.fromkeys(v.op for g in nodes for v in topological(g) if v.op):
        if ops.PUBLIC.get(inner.name) is not inner and inner is not op:
            yield from legend(inner)


def legend(op: Op) -> Iterator[str]:
    """What an operation means that is not public, as its function says it."""
    meaning = (unwrap(op.forward).__doc__ or "").split("\n")[0].rstrip(".")
    with suppress(ValueError):  # a function of C without a signature
        takes = signature(op.forward, follow_wrapped=False).parameters.values()
        if meaning and not TEXT.formula(op, len(takes)):
            operands = ["*" * (p.kind is p.VAR_POSITIONAL) + p.name for p in takes]
            yield f"`{TEXT.call(op, operands)}`: {meaning}"


def points(call: Call) -> list[tuple[Number, ...]]:
    """Points to try, tame ones first."""
    if call.free > 2:
        found = list(product((0.0, 1.0), repeat=call.free if call.free <= MOST else 0))
    else:
        places = sorted(product(range(len(PROBES)), repeat=call.free), key=sum)
        found = [tuple(PROBES[i] for i in point) for point in places]
    return [point + call.defaults for point in found if point]


def errors(op: Op, call: Call) -> Iterator[str]:
    """The errors that the operation raises, each with the first point that does."""
    found: dict[str, str] = {}
    for point in points(call):
        error = refusal(op, point)
        if isinstance(error, MicrogridError):
            found.setdefault(type(error).__name__, spelled(op, call, point))
    raises = [f"`{where}` raises `{error}`" for error, where in found.items()]
    if raises:
        yield ", ".join(raises) + f": {op.hint}" * bool(op.hint)


def kink(op: Op, call: Call) -> Iterator[str]:
    """The slopes where the operation has none by the book, at the plainest such point."""

    def plain(point: tuple[Number, ...]) -> tuple[int, bool]:
        return -len(set(point)), list(point) != sorted(point)

    for point in sorted(points(call), key=plain) if op.kink else ():
        if op.kink and op.kink(*point) == 0 and not refusal(op.forward, point):
            found = [0 if g is NO_PATH else g for g in slopes(op, op.forward(*point), point)]
            slope = ", ".join([constant(real(g) + 0) for g in found])
            yield f"{'slopes' if found[1:] else 'slope'} at `{spelled(op, call, point)}`: {slope}"
            return


def related(op: Op) -> Iterator[str]:
    """The method of Value and NumPy's function of this name."""
    if FUNCTIONS.get(op.name) and ops.TABLE[op.name] is op:
        import numpy as np

        method = [f"`Value.{op.name}`"] * (op.name not in NO_METHODS)
        if told := method + [f"`numpy.{op.name}`"] * hasattr(np, op.name):
            yield f"see also {', '.join(told)}"


def spelled(op: Op, call: Call, point: Sequence[Number]) -> str:
    """The call of an operation at a point, as Python."""
    numbers = [repr(x) for x in point[: call.free]]
    template = "" if op.name in FUNCTIONS else PYTHON.formula(op, len(numbers))
    if not template:
        return python_call(op, numbers)
    for i, x in enumerate(numbers, 1):
        template = template.replace(f"#{i}", f"({x})" if x.startswith("-") else x)
    return template.replace("^", " ** ")


def example(op: Op, call: Call) -> Iterator[str]:
    """A session with a value and all slopes, of an operation that has a public name."""
    point = sample(op, call)[: call.free]
    if not point or ops.PUBLIC.get(op.name) is not op:
        return
    yield "\n".join([">>> import microgrid as mg", *session(op, call, point)])


def session(op: Op, call: Call, point: tuple[Number, ...]) -> Iterator[str]:
    text = spelled(op, call, point)
    if op.name not in FUNCTIONS:  # an operator
        xs = [Value(x, name) for x, name in zip(point, call.names)]
        names, y = ", ".join(call.names), apply(op, *xs)
        yield f">>> {names} = {', '.join([f'mg.Value({x!r})' for x in point])}"
        yield shown(f"({write(y, PYTHON)}).data", y.data)
        yield shown(f"mg.gradients({write(y, PYTHON)}, [{names}])", gradients(y, xs))
        return
    n = max(1, lists_of(call.function))
    rows = [list(map(Value, point[i * len(point) // n :][: len(point) // n])) for i in range(n)]
    args: list[Any] = rows if lists_of(call.function) else rows[0]
    y = call.function(*args)
    slope = tuple(gradients(y, args)) if args[1:] else gradients(y, args[0])
    which = f", {tuple(range(len(args)))}" if args[1:] else ""
    yield shown(f"mg.{text}", y.data)
    yield shown(f"mg.grad(mg.{op.name}{which}){text.removeprefix(op.name)}", slope)


def shown(code: str, result: Any) -> str:
    """A line of a session and what it prints; in four digits where there would be many."""
    several = isinstance(result, list | tuple)
    if len(str(result)) > 12 * (len(result) if several else 1):
        code = f"[round(g, 4) for g in {code}]" if several else f"round({code}, 4)"
        result = [round(g, 4) for g in result] if several else round(result, 4)
    return f">>> {code}\n{result!r}"
