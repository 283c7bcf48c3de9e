"""Arithmetic written as text, turned into a graph: parsed and checked, never evaluated as code."""

from __future__ import annotations

import ast
import keyword
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from inspect import Parameter, signature
from operator import eq, ge, gt, le, lt, ne, neg, pos
from types import MappingProxyType
from typing import Any

from microgrid.engine.errors import MicrogridError
from microgrid.engine.functions import FUNCTIONS, SIGNS
from microgrid.engine.value import Op, Value
from microgrid.views.notation import lists_of
from microgrid.views.numerals import is_dash
from microgrid.views.wording import LOWERED, RAISED, plural

LONGEST, DEEPEST = 10_000, 250
BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    type(tree.op): entry
    for sign, entry in SIGNS.items()
    if isinstance(tree := ast.parse(f"a {sign} b", mode="eval").body, ast.BinOp)
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: neg, ast.UAdd: pos}
COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: lt, ast.LtE: le, ast.Gt: gt, ast.GtE: ge, ast.Eq: eq, ast.NotEq: ne,
}  # fmt: skip


def arity(function: Callable[..., Any]) -> tuple[int, int | None]:
    """How many operands a function takes, at least and at most."""
    if isinstance(function, Op):
        return function.arity or 1, function.arity
    takes = signature(function).parameters.values()
    most = None if any(p.kind is Parameter.VAR_POSITIONAL for p in takes) else len(takes)
    return sum(p.default is p.empty for p in takes), most


CONSTANTS = {"pi": math.pi, "π": math.pi, "e": math.e}
CALLS = {**FUNCTIONS, "abs": FUNCTIONS["absolute"], "max": FUNCTIONS["maximum"]}
CALLS |= {"min": FUNCTIONS["minimum"], "sum": FUNCTIONS["total"], "ln": FUNCTIONS["log"]}
LISTS = {  # functions: how many lists come first, at least and at most
    name: (lists, arity(function)[1] or lists)
    for name, function in CALLS.items()
    if (lists := lists_of(function))
}
KEYS = str.maketrans(dict(zip("·⋅×÷^≤≥≠", ["*", "*", "*", "/", "**", "<=", ">=", "!="])))
RAISES, LOWERS = [re.compile(f"[{''.join(t.values())}]+") for t in (RAISED, LOWERED)]
ON_LINE = str.maketrans({c: plain for t in (RAISED, LOWERED) for plain, c in t.items()})
ALLOWED = (
    "allowed are numbers, names, + - * / **, < <= > >= == !=, lists and the functions of microgrid"
)
PRODUCT = "a product needs its *, like 2*x, and a function its brackets, like sin(x)"
CHOICE = "choose with where(condition, a, b), such as where(x > 0, x, 0)"
POINT = "a decimal number has a point, like 1.5"
HINTS = [  # what is found in a text that cannot be read, and what helps
    (r"\b(and|or|not|if|else)\b", CHOICE),
    (rf"\b({'|'.join(keyword.kwlist)})\b", "a name must not be a word of Python, such as {}"),
    (r"\|", "the absolute value of x is abs(x)"),
    (r"(?<![=<>!])=(?!=)", "leave out the name and = before an expression; == compares"),
    (r"\b\d+ *[^\W\d]|[\w)] +\w|\) *\w", PRODUCT),
]


class ExpressionError(MicrogridError, ValueError):
    """Text that is not arithmetic; the message has a mark below the place.

    >>> parse("2 x", {"x": 1.0})
    Traceback (most recent call last):
        ...
    microgrid.views.expression.ExpressionError: invalid syntax; a product needs its *, ...
    """


def parse(text: str, numbers: Mapping[str, float]) -> Value:
    """The graph of an arithmetic expression, with a labelled leaf for every name in it.

    a·b², x^2 and − are read as they are written by hand. ExpressionError, with the place, for
    anything that is not arithmetic, for a name without a number and for a number without a use.
    Every literal is a float, so 9**9**9 overflows at once.

    >>> f = parse("x * y + sin(x)", {"x": 0.0, "y": 2.0})
    >>> f.backward()
    >>> f.parents[0].parents[0].grad
    3.0
    """
    reader = Reader(text, {name: Value(x, name) for name, x in numbers.items()})
    root, tree = reader.root(), reader.tree
    if unused := [name for name in numbers if name not in reader.used]:
        has = "has a number but is" if len(unused) == 1 else "have numbers but are"
        raise ExpressionError(f"{', '.join(unused)} {has} not in {text!r}")
    if isinstance(root, bool | list):
        what = f"a list of {len(root)}" if isinstance(root, list) else f"a truth: {CHOICE}"
        point = f": {POINT}" if isinstance(tree, ast.Tuple) else ""
        raise reader.error(tree, f"the expression must give one number, not {what}{point}")
    return root if isinstance(root, Value) else Value(root)


def typed(text: str) -> str:
    """The text with the signs of a keyboard.

    >>> typed("a·b² − x₁⁻¹ × 2^n")
    'a*b**2 - x_1**-1 * 2**n'
    """
    text = RAISES.sub(lambda found: f"**{found[0].translate(ON_LINE)}", " ".join(text.split()))
    text = LOWERS.sub(lambda found: f"_{found[0].translate(ON_LINE)}", text)
    return "".join(["-" if is_dash(c) else c for c in text]).translate(KEYS)


class Reader:
    """Walks the syntax tree of a text; `used` holds the names that it met.

    A subclass can allow another arithmetic: `attributes` are what may stand behind a dot.
    ExpressionError, with the place, for what is not allowed.
    """

    longest, allowed = LONGEST, ALLOWED
    hints: Sequence[tuple[str, str]] = HINTS
    binary: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = BINARY
    attributes: Mapping[str, Callable[[Any], Any]] = MappingProxyType({})

    def __init__(self, text: str, leaves: Mapping[str, Value]) -> None:
        if len(text) > self.longest:
            most = f"at most {self.longest} here"
            raise ExpressionError(f"an expression of {len(text)} characters; {most}")
        self.text, self.leaves = typed(text), leaves
        self.used: set[str] = set()
        try:
            self.tree = ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            said = error.msg.partition(". ")[0]  # what Python goes on to guess is no arithmetic
            hint = "" if "closed" in said or "unmatched" in said else f"; {self.advice()}"
            raise at(self.text, (error.offset or 1) - 1, f"{said}{hint}") from None
        except (ValueError, MemoryError, RecursionError) as error:
            raise ExpressionError(f"cannot be read: {str(error) or 'nested too deeply'}") from None

    def advice(self) -> str:
        """What helps with a text that cannot be read."""
        for pattern, hint in self.hints:
            if found := re.search(pattern, self.text):
                return hint.format(found[0])
        return self.allowed

    def root(self) -> Any:
        """What the whole text stands for."""
        try:
            return self.read(self.tree, 0)
        except RecursionError:  # the caller stands deep in calls already
            raise ExpressionError("nested too deeply: give the parts names") from None

    def read(self, tree: ast.expr, depth: int) -> Any:
        if depth > DEEPEST:
            raise self.error(tree, f"nested deeper than {DEEPEST} levels: give the parts names")
        match tree:
            case ast.Constant(value=bool() | complex() | str() | bytes() | None):
                raise self.error(tree, f"{tree.value!r} is not a real number")
            case ast.Constant(value=int() | float() as number):
                with suppress(OverflowError):
                    if math.isfinite(number := float(number)):
                        return number
                raise self.error(tree, "too large for a float")
            case ast.Name(id=name):
                return self.leaf(tree, name)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in self.binary:
                a, b = self.one(left, depth), self.one(right, depth)
                return self.compute(tree, self.binary[type(op)], a, b)
            case ast.UnaryOp(op=sign, operand=x) if type(sign) in UNARY:
                return self.compute(tree, UNARY[type(sign)], self.one(x, depth))
            case ast.Attribute(value=x, attr=name) if name in self.attributes:
                return self.compute(tree, self.attributes[name], self.one(x, depth))
            case ast.Compare(left, ops, right) if {*map(type, ops)} <= {*COMPARE}:
                sides = [self.one(x, depth) for x in (left, *right)]
                numbers = [getattr(x, "data", x) for x in sides]
                pairs = zip(ops, numbers, numbers[1:])
                return all(self.compute(tree, COMPARE[type(op)], a, b) for op, a, b in pairs)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self.one(x, depth) for x in items]
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self.call(tree, name, args, depth)
            case ast.Call(func=ast.Attribute(attr=name)) if name in CALLS:
                raise self.error(tree, f"not arithmetic; write {name}(…), without a dot before it")
            case ast.Call(func=func) if not isinstance(func, ast.Name | ast.Attribute):
                raise self.error(tree, f"not arithmetic; {PRODUCT}")
            case ast.BoolOp() | ast.IfExp() | ast.UnaryOp(op=ast.Not()):
                raise self.error(tree, f"not arithmetic; {CHOICE}")
        raise self.error(tree, f"not arithmetic; {self.allowed}")

    def one(self, tree: ast.expr, depth: int) -> Any:
        """What stands for one number."""
        x = self.read(tree, depth + 1)
        if isinstance(x, list):
            point = f"; {POINT}" if isinstance(tree, ast.Tuple) else ""
            raise self.error(tree, f"wrong operands: a list where a number is needed{point}")
        return x

    def call(self, tree: ast.expr, name: str, args: Sequence[ast.expr], depth: int) -> Any:
        """The value of a function; there are lists where it takes them."""
        function = self.function(tree, name, len(args))
        alone = len(args) == 1 and arity(function)[1] is None  # max([x, y]) is max(x, y)
        least, most = LISTS.get(name, (0, int(alone)))
        xs: list[Any] = [self.read(x, depth + 1) for x in args[:most]]
        xs += [self.one(x, depth) for x in args[most:]]
        if not all(isinstance(x, list) for x in xs[:least]):
            raise self.error(tree, f"{name} takes {plural(least, 'list')} like [x, 2]")
        return self.compute(tree, function, *xs)

    def leaf(self, tree: ast.expr, name: str) -> Any:
        if name in self.leaves:
            self.used.add(name)
            return self.leaves[name]
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name in CALLS:
            raise self.error(tree, f"{name} is a function: it needs brackets, like {name}(x)")
        calls = {x.func for x in ast.walk(self.tree) if isinstance(x, ast.Call)}
        names = [x.id for x in ast.walk(self.tree) if isinstance(x, ast.Name) and x not in calls]
        unknown = sorted({*names} - {*self.leaves, *CONSTANTS, *CALLS})
        has, add = "has no number" if len(unknown) == 1 else "have no numbers", "=… ".join(unknown)
        raise self.error(tree, f"{', '.join(unknown)} {has}: add {add}=…")

    def function(self, tree: ast.expr, name: str, given: int) -> Callable[..., Any]:
        """The function of this name, if it takes so many operands."""
        if name in self.leaves:
            raise self.error(tree, f"{name} is a number; {PRODUCT}")
        if name not in CALLS:
            near = get_close_matches(name.lower(), CALLS)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(CALLS)}"
            raise self.error(tree, f"no function {name!r}; {hint}")
        least, most = arity(CALLS[name])
        if not least <= given <= (most or given):
            takes = "at least 1 operand" if most is None else plural(most, "operand")
            takes = f"{least} to {takes}" if most and least < most else takes
            lists, _ = LISTS.get(name, (0, 0))
            hint = f"; it takes {plural(lists, 'list')} like [x, 2]" if lists else ""
            if CALLS[name] is CALLS["log"]:
                hint = "; the logarithm to base b is log(x) / log(b)"
            were = plural(given, "was", "were")
            raise self.error(tree, f"{name} takes {takes}, but {were} given{hint}")
        return CALLS[name]

    def compute(self, tree: ast.expr, function: Callable[..., Any], *xs: Any) -> Any:
        try:
            return function(*xs)
        except (MicrogridError, ArithmeticError, ValueError) as error:
            raise self.error(tree, str(error.args[-1])) from None
        except TypeError as error:
            raise self.error(tree, f"wrong operands: {error}") from None

    def error(self, tree: ast.expr, message: str) -> ExpressionError:
        column = len(self.text.encode()[: tree.col_offset].decode())  # ast counts bytes
        return at(self.text, column, message)


def at(text: str, column: int, message: str) -> ExpressionError:
    """The error with a pointer under its place in the text, of which 60 characters are shown."""
    start = max(0, min(column, len(text)) - 30)
    shown, pointer = text[start : start + 60], " " * (column - start) + "^"
    return ExpressionError(f"{message}\n  {shown}\n  {pointer}")
