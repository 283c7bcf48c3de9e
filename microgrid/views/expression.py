"""Arithmetic written as text, turned into a graph: parsed and checked, never evaluated as code."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from inspect import Parameter, signature
from itertools import chain, count
from operator import eq, ge, gt, le, lt, ne, neg, pos
from types import MappingProxyType
from typing import Any, NamedTuple

from microgrid.engine.errors import MicrogridError
from microgrid.engine.functions import FUNCTIONS, SIGNS
from microgrid.engine.hints import close, nearest
from microgrid.engine.value import Constant, Op, Value
from microgrid.views.comparison import Compared, comparison, formal, restored
from microgrid.views.formula import letter
from microgrid.views.notation import TEXT, lists_of, outline
from microgrid.views.spelling import (
    CHOICE,
    POINT,
    TOO_DEEP,
    Language,
    Line,
    at,
    label_of,
    lines,
    name_in,
)  # fmt: skip
from microgrid.views.spelling import ExpressionError as ExpressionError
from microgrid.views.wording import plural

DEEPEST = 250
COMPARED = 8  # operations that are written of the sides of a comparison
FACTOR = re.compile(r"\d*[^\W\d_](_?\d+)?")  # x, 2x or x_1
BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    type(tree.op): entry
    for sign, entry in SIGNS.items()
    if isinstance(tree := ast.parse(f"a {sign} b", mode="eval").body, ast.BinOp)
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: neg, ast.UAdd: pos}
COMPARISONS = {"<": lt, "<=": le, ">": gt, ">=": ge, "==": eq, "!=": ne}
COMPARE: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], bool]]] = {
    type(tree.ops[0]): (sign, holds)
    for sign, holds in COMPARISONS.items()
    if isinstance(tree := ast.parse(f"a {sign} b", mode="eval").body, ast.Compare)
}


def arity(function: Callable[..., Any]) -> tuple[int, int | None]:
    """How many operands a function takes, at least and at most."""
    if isinstance(function, Op):
        return function.arity or 1, function.arity
    takes = signature(function).parameters.values()
    most = None if any(p.kind is Parameter.VAR_POSITIONAL for p in takes) else len(takes)
    return sum(p.default is p.empty for p in takes), most


CONSTANTS = {"pi": math.pi, "π": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan}
CALLS = {**FUNCTIONS, "abs": FUNCTIONS["absolute"], "max": FUNCTIONS["maximum"]}
CALLS |= {"min": FUNCTIONS["minimum"], "sum": FUNCTIONS["total"], "ln": FUNCTIONS["log"]}
GREEK = {  # σ(x), though σ alone is a name as any other
    c: f for f in FUNCTIONS.values() if isinstance(f, Op) and (c := letter(f))
}
LISTS = {  # functions: how many lists come first, at least and at most
    name: (lists, arity(function)[1] or lists)
    for name, function in CALLS.items()
    if (lists := lists_of(function))
}
ARITHMETIC = Language(
    functions=CALLS,
    allowed="allowed are numbers, names, + - * / ^, < <= > >= == !=, |x|, lists and the functions "
    "of microgrid",
)
POWERS = "^ is read as a power: a^2 is a**2"
RESULTS = ("f", "y", "L", "result")
NO_NUMBERS: Mapping[str, float] = MappingProxyType({})


class Circuit(NamedTuple):
    """What a text says: its result, and in the order of the text its leaves and its named lines."""

    root: Value
    leaves: dict[str, Value]
    lines: dict[str, Value]
    notes: list[str]  # what is read in one of two ways


def parse(text: str, numbers: Mapping[str, float]) -> Value:
    """The graph of an arithmetic expression, with a labelled leaf for every name in it.

    It is read as by `circuit`, but every name needs a number, and every number a use.

    >>> f = parse("x·y + sin(x)", {"x": 0.0, "y": 2.0})
    >>> f.backward()
    >>> f.parents[0].parents[0].grad
    3.0
    """
    return circuit(text, numbers, None).root


def circuit(
    text: str, numbers: Mapping[str, float] = NO_NUMBERS, missing: float | None = 1.0
) -> Circuit:
    r"""The graph of an expression, or of lines `name = expression`; the last is the result.

    A name that no line defines is a leaf, and so is that of a line with a number alone. The number
    of a leaf is that in `numbers`, else that of its line, else `missing`. a·b², 2x, |x|, x^2 and −
    are read as they are written by hand. A line goes on while a bracket is open or an operand
    missing; what stands behind # is not read. ExpressionError, with line and column, for what is
    not arithmetic, for all names without a number where `missing` is None, and for numbers without
    a use. Every literal is a float, so 9**9**9 overflows at once.

    >>> found = circuit("h = w·x + 1  # a neuron\nf = h²", {"x": 3.0})
    >>> found.root.data, [(name, leaf.data) for name, leaf in found.leaves.items()]
    (16.0, [('w', 1.0), ('x', 3.0)])
    """
    return Text(text).circuit(numbers, missing)


class Text:
    """A text that has been read: the circuit that it says, with these numbers or with those.

    `places` has the leaves, and where each first stands. ExpressionError as from `circuit`.
    """

    def __init__(self, text: str) -> None:
        self.text, self.reader = text, Reader(text, {})
        self.places = self.reader.leaf_places()

    def circuit(
        self, numbers: Mapping[str, float], missing: float | None = 1.0, lenient: bool = False
    ) -> Circuit:
        """The circuit; with `lenient`, numbers without a use are left aside."""
        text, reader, places = self.text, copy(self.reader), self.places
        given = {name_in(name) or name: x for name, x in numbers.items()}
        named = {line.name.text for line, _ in reader.trees if line.name}
        unused = [name for name in given if name not in {*places, *named}]
        unknown = [name for name in places if name not in {*given, *CONSTANTS}]
        if bare := next((name for name in unknown if name in CALLS), ""):
            said = f"{bare} is a function: it needs brackets, like {bare}(x)"
            raise at(text, places[bare], said)
        if unknown and missing is None:
            raise at(text, places[unknown[0]], without_numbers(unknown, unused))
        free = [name for name in places if name in given or name not in CONSTANTS]
        leaves = {name: Value(given.get(name, missing or 0.0), label_of(name)) for name in free}
        others = {} if lenient else {name: Value(given[name], name) for name in unused}
        reader.leaves = {**others, **leaves}
        made = dict[str, Value]()
        for line, tree in reader.trees:
            name = line.name.text if line.name else ""
            y = reader.number(line, tree)
            if not isinstance(y, Value):
                y = Value(given.get(name, y), label_of(name))
                leaves |= {name: y} if name else {}
            elif name in given and not lenient:
                said = f"{label_of(name)} is computed by its line and takes no number"
                raise at(text, line.pieces[0][1], said)
            elif y.op and not y.label:
                y.label = label_of(name)
            if name:
                reader.leaves[name] = made[name] = y
        if others:
            has = "has a number but is" if len(unused) == 1 else "have numbers but are"
            raise ExpressionError(f"{', '.join(map(label_of, unused))} {has} not in {text!r}")
        hats = any(text[place] in "^＾" for line, _ in reader.trees for _, place in line.pieces)
        leaves, made = ({label_of(x): v for x, v in found.items()} for found in (leaves, made))
        return Circuit(y, leaves, made, [POWERS] if hats else [])


def with_a_name(found: Circuit) -> Circuit:
    """The same circuit: a result without a name gets the first of these that is free."""
    taken = {*found.leaves, *found.lines}
    free = chain(RESULTS, (f"result_{i}" for i in count()))
    found.root.label = found.root.label or next(x for x in free if x not in taken)
    return found


def without_numbers(names: Sequence[str], unused: Sequence[str]) -> str:
    """What to say of names that have no number, beside numbers whose names are not there."""
    labels = [*map(label_of, names)]
    has, add = "has no number" if len(names) == 1 else "have no numbers", "=… ".join(labels)
    near = [found for name in names if (found := nearest(name, [*unused, "pi", "e"]))]
    meant = near[0].replace(":", ";", 1) if near else ""
    calls = [call for name in names if (call := called_in(name, {*names, *unused}))]
    meant = f"; did you mean {calls[0]}?" if calls else meant
    return f"{', '.join(labels)} {has}: add {add}=…{meant}"


def called_in(name: str, known: Collection[str]) -> str:
    """The call that a name without brackets may be: sin(2x) for sin2x; "" for other names.

    >>> called_in("lnx", ()), called_in("tanhh_1", ["h_1"]), called_in("expected", ["x"])
    ('ln(x)', 'tanh(h_1)', '')
    """
    for function in sorted(CALLS, key=len, reverse=True):
        operand = name.removeprefix(function)
        if operand != name and (operand in known or FACTOR.fullmatch(operand)):
            return f"{function}({operand})"
    return ""


class Reader:
    """Walks the syntax trees of the lines of a text; `leaves` are what names stand for.

    A subclass can allow another arithmetic: `attributes` are what may stand behind a dot.
    ExpressionError, with the place, for what is not allowed.
    """

    language: Language = ARITHMETIC
    binary: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = BINARY
    attributes: Mapping[str, Callable[[Any], Any]] = MappingProxyType({})

    def __init__(self, text: str, leaves: Mapping[str, Value]) -> None:
        self.text, self.leaves = text, dict[str, Any](leaves)
        self.trees = [(line, self.tree(line)) for line in lines(text, self.language)]
        self.line = self.trees[-1][0]  # the one that is being read

    def tree(self, line: Line) -> ast.expr:
        try:
            return ast.parse(line.python, mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            deep = sum(piece in ("(", "[") for piece, _ in line.pieces) > DEEPEST // 4
            said = TOO_DEEP if deep else f"not arithmetic; {self.language.allowed}"
            raise at(self.text, line.pieces[0][1], said) from None

    def root(self) -> Any:
        """What the last line stands for."""
        return self.value(*self.trees[-1])

    def value(self, line: Line, tree: ast.expr) -> Any:
        """What a line stands for."""
        self.line = line
        try:
            return self.read(tree, 0)
        except RecursionError:  # the caller stands deep in calls already
            raise ExpressionError(TOO_DEEP) from None

    def number(self, line: Line, tree: ast.expr) -> Any:
        """The one number that a line stands for."""
        y = self.value(line, tree)
        if isinstance(y, Compared | list):
            what = f"a list of {len(y)}" if isinstance(y, list) else f"a truth: {CHOICE}"
            point = f": {POINT}" if isinstance(tree, ast.Tuple) else ""
            raise self.error(tree, f"the expression must give one number, not {what}{point}")
        return y

    def leaf_places(self) -> dict[str, int]:
        """Where each name first stands that no line above it defines.

        ExpressionError for a name that two lines define, or a line below one that uses it.
        """
        places, defined = dict[str, int](), set[str]()
        for line, tree in self.trees:
            calls = {x.func for x in ast.walk(tree) if isinstance(x, ast.Call)}
            names = [x for x in ast.walk(tree) if isinstance(x, ast.Name) and x not in calls]
            for x in sorted(names, key=lambda x: x.col_offset):
                if x.id not in defined:
                    places.setdefault(x.id, line.place(x.col_offset))
            if line.name:
                self.check_name(line.name.text, line.name.place, places, defined)
                defined.add(line.name.text)
            elif line is not self.trees[-1][0]:
                said = "only the last line may do without a name: write name = expression"
                raise at(self.text, line.pieces[0][1], said)
        return places

    def check_name(
        self, name: str, place: int, places: Mapping[str, int], defined: set[str]
    ) -> None:
        if name in CALLS:
            raise at(self.text, place, f"{name} is a function: give this line another name")
        if name in defined:
            raise at(self.text, place, f"{name} has a line already: give this one another name")
        if name in places:
            raise at(self.text, place, f"{name} is used before this line defines it")

    def read(self, tree: ast.expr, depth: int) -> Any:
        if depth > DEEPEST:
            raise self.error(tree, f"nested deeper than {DEEPEST} levels: give the parts names")
        match tree:
            case ast.Constant(value=int() | float() as number):
                return float(number)
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
                holds = [self.compute(tree, COMPARE[type(op)][1], a, b) for op, a, b in pairs]
                return compared(all(holds), [COMPARE[type(op)][0] for op in ops], sides)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self.one(x, depth) for x in items]
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self.call(tree, name, args, depth)
        raise self.error(tree, f"not arithmetic; {self.language.allowed}")

    def one(self, tree: ast.expr, depth: int) -> Any:
        """What stands for one number."""
        return self.no_list(tree, self.read(tree, depth + 1))

    def no_list(self, tree: ast.expr, x: Any) -> Any:
        if isinstance(x, list):
            point = f"; {POINT}" if isinstance(tree, ast.Tuple) else ""
            raise self.error(tree, f"wrong operands: a list where a number is needed{point}")
        return x

    def call(self, tree: ast.expr, name: str, args: Sequence[ast.expr], depth: int) -> Any:
        """The value of a function; there are lists where it takes them."""
        function = self.function(tree, name)
        xs = [self.read(x, depth + 1) for x in args]
        lists, most = LISTS.get(name, (0, 0))
        xs = self.in_lists(name, xs, lambda x: isinstance(x, list), list)
        self.check_count(tree, name, len(xs))
        alone = len(xs) == 1 and arity(function)[1] is None  # max([x, y]) is max(x, y)
        for x, arg in zip(xs[max(most, alone) :], args[max(most, alone) :]):
            self.no_list(arg, x)
        if not all(isinstance(x, list) for x in xs[:lists]):
            raise self.error(tree, f"{name} takes {plural(lists, 'list')} like [x, 2]")
        return self.compute(tree, function, *xs)

    @staticmethod
    def in_lists(
        name: str, xs: list[Any], is_list: Callable[[Any], bool], as_list: Callable[[Any], Any]
    ) -> list[Any]:
        """The operands of a function, in lists where it takes lists alone.

        Such a function takes their numbers one by one, too, as `notation` writes them.
        """
        lists, _ = LISTS.get(name, (0, 0))
        alone = lists > 0 and arity(CALLS[name]) == (lists, lists)
        if not (alone and xs) or len(xs) % lists or any(map(is_list, xs)):
            return xs
        size = len(xs) // lists
        return [as_list(xs[i : i + size]) for i in range(0, len(xs), size)]

    def leaf(self, tree: ast.expr, name: str) -> Any:
        if name in self.leaves:
            return self.leaves[name]
        return CONSTANTS[name]

    def function(self, tree: ast.expr, name: str) -> Callable[..., Any]:
        """The function of this name."""
        if name in self.leaves:
            raise self.error(tree, f"{name} is a number: a product is {name}*(…)")
        if name not in CALLS and name not in GREEK:
            near = close(name.lower(), CALLS, 3, 0.6)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(CALLS)}"
            raise self.error(tree, f"no function {name!r}; {hint}")
        return CALLS[name] if name in CALLS else GREEK[name]

    def check_count(self, tree: ast.expr, name: str, given: int) -> None:
        """ExpressionError unless the function takes so many operands."""
        least, most = arity(self.function(tree, name))
        if not least <= given <= (most or given):
            takes = "at least 1 operand" if most is None else plural(most, "operand")
            takes = f"{least} to {takes}" if most and least < most else takes
            lists, _ = LISTS.get(name, (0, 0))
            hint = f"; it takes {plural(lists, 'list')} like [x, 2]" if lists else ""
            if name in ("log", "ln"):
                hint = "; the logarithm to base b is log(x) / log(b)"
            were = plural(given, "was", "were")
            raise self.error(tree, f"{name} takes {takes}, but {were} given{hint}")

    def compute(self, tree: ast.expr, function: Callable[..., Any], *xs: Any) -> Any:
        try:
            return function(*xs)
        except (MicrogridError, ArithmeticError, ValueError) as error:
            raise self.error(tree, str(error.args[-1])) from None
        except TypeError as error:
            raise self.error(tree, f"wrong operands: {error}") from None

    def error(self, tree: ast.expr, message: str) -> ExpressionError:
        """The error at the sign of an operation, else where the tree begins."""
        if isinstance(tree, ast.BinOp):
            place = self.line.place(tree.left.end_col_offset or 0, sign_behind=True)
        else:
            place = self.line.place(tree.col_offset)
        return at(self.text, place, message)


def compared(holds: bool, signs: Sequence[str], sides: Sequence[Any]) -> Compared:
    """Whether the sides, nodes or numbers, compare so; of long sides the outer part is kept.

    >>> from microgrid.views.notation import write
    >>> print(write(parse("where(0 < x <= 2, x, 0)", {"x": 1.0}), TEXT))
    where(0 < x <= 2, x, 0)
    """
    nodes = [x if isinstance(x, Value) else Constant(x) for x in sides]
    named = {x: x.label for x in nodes if x.op and x.label}
    parts = outline(formal(comparison(*signs), *nodes), TEXT, named, COMPARED)
    copies = [Value(0.0, TEXT.dots)] * len(parts)
    for i in reversed(range(len(parts))):  # operands stand behind what is made of them
        v, _, operands = parts[i]
        if v is not None and operands:
            copies[i] = formal(v.op, *[copies[k] for k in operands])
        elif v is not None:
            copies[i] = v if isinstance(v, Constant) else Value(v.data, v.label)
    return restored(int(holds), copies[0])
