"""What an engine can do, and how its users write it.

The contract is small: `Value(number)`, `.data`, `.grad`, `.backward()`, and the operators. Every
function of one number in the table of operations, and a few of several numbers, are looked for as
methods and as functions of the module, under their usual names.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from microgrid.check.engine import Engine
from microgrid.check.example import Example, Outcome, equal, expected, in_one_line, sensible
from microgrid.engine import functions, ops
from microgrid.engine.value import Op


@dataclass(frozen=True)
class Operation:
    """Something to be checked; `template` is how examples write it."""

    name: str
    template: str  # "{0} + {1}", "exp({0})", "dot({0}, {1})"
    arity: int  # 0: one list of numbers
    entry: Op
    method: str = ""  # the special method of an operator
    reflected: str = ""  # the one for a plain number on the left
    counts: tuple[int, int] = (1, 4)  # how many values a list has, at least and at most
    plain: tuple[float, ...] = ()  # if given, the right operand is one of these plain numbers

    @property
    def symbol(self) -> str:
        """The sign between two operands: +."""
        return self.template.split()[1]

    @property
    def sign(self) -> str:
        """How people write it: `+`, exp, `-x`."""
        if self.reflected:
            return f"`{self.symbol}`"
        return f"`{self.template.format('x')}`" if self.template.startswith("-") else self.name

    def write(self, *operands: str) -> str:
        if self.arity == 0:
            return self.template.format(f"[{', '.join(operands)}]")
        return self.template.format(*(f"({x})" for x in operands))

    @property
    def function(self) -> str:
        """The function that examples call."""
        return self.template.partition("(")[0]


EXPONENTS = (2, 3, 1, 0, -1, -2, 0.5, 1.5)
NO_OPERATIONS = {"backward", "zero_grad", "item", "detach"}
OF_A_LIST = {"maximum", "minimum", "logsumexp", "total", "mean"}
OTHERWISE = {"neg", "absolute", "gelu"}  # operators; gelu has two definitions, and both are right
ALIASES = {
    "log": ("ln",), "arcsin": ("asin",), "arccos": ("acos",), "arctan": ("atan",),
    "arcsinh": ("asinh",), "arccosh": ("acosh",), "arctanh": ("atanh",), "arctan2": ("atan2",),
    "abs": ("absolute",), "sigmoid": ("sigm", "logistic"), "silu": ("swish",), "square": ("sqr",),
    "maximum": ("max",), "minimum": ("min",), "total": ("sum", "add_all"),
    "reciprocal": ("inv", "inverse"), "log_sigmoid": ("logsigmoid",),
}  # fmt: skip


def operations() -> dict[str, Operation]:
    """All that the checker knows, in the order of the table: a new entry is covered unasked."""
    found = [
        Operation(entry.name, f"{{0}} {sign} {{1}}", 2, entry,
                  f"__{dunder}__", f"__r{dunder}__", plain=EXPONENTS if dunder == "pow" else ())
        for (dunder, entry), sign in zip(functions.OPERATORS.items(), functions.SIGNS, strict=True)
    ]  # fmt: skip
    found.append(Operation("neg", "-{0}", 1, ops.neg, "__neg__"))
    found.append(Operation("abs", "abs({0})", 1, ops.absolute, "__abs__"))
    for name, entry in ops.PUBLIC.items():
        is_function = functions.FUNCTIONS.get(name) is entry  # no other arguments, as a slope
        operands = {1: "{0}", 2: "{0}, {1}"}.get(len(entry.rules))
        if name in OF_A_LIST:
            found.append(Operation(name, f"{name}({{0}})", 0, entry))
        elif operands and name not in OTHERWISE and is_function:
            found.append(Operation(name, f"{name}({operands})", len(entry.rules), entry))
    return {x.name: x for x in found}


OPERATIONS = operations()
Speller = Callable[[list[ast.expr]], ast.expr]


@dataclass
class Capabilities:
    """What one engine offers, how its users write it, and what has not been found broken."""

    cls: str = "Value"
    spelling: dict[str, Speller] = field(default_factory=dict)
    offered: dict[str, Operation] = field(default_factory=dict)
    reflected: set[str] = field(default_factory=set)  # has the method for a number on the left
    methods: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)  # the names of methods that spell an operation
    broken: dict[str, Any] = field(default_factory=dict)  # what: the finding that says so

    @property
    def operations(self) -> list[Operation]:
        return list(self.offered.values())

    def sound(self, name: str) -> bool:
        return name in self.offered and name not in self.broken

    @property
    def missing(self) -> list[str]:
        return [name for name in OPERATIONS if name not in self.offered]

    @property
    def unknown(self) -> list[str]:
        """Methods that the checker can say nothing about."""
        return sorted(x for x in self.methods - self.used - NO_OPERATIONS if x[0] != "_")

    def translate(self, example: Example) -> Example:
        """The example as the engine's user would write it."""
        respell = Respell(self)
        lines = [in_one_line(respell.visit(ast.parse(line))) for line in example.lines]
        look = [ast.unparse(respell.visit(ast.parse(look, mode="eval"))) for look in example.look]
        return Example(tuple(lines), tuple(look))


class Respell(ast.NodeTransformer):
    """Calls of known functions, in the engine's own spelling."""

    def __init__(self, can: Capabilities) -> None:
        self.can = can

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self.can.cls, node.ctx) if node.id == "Value" else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        spell = self.can.spelling.get(name)
        self.generic_visit(node)
        return spell(list(node.args)) if spell else node


def run(engine: Engine, can: Capabilities, example: Example, limit: float | None = None) -> Outcome:
    """The outcome of an example on an engine, in the engine's own spelling."""
    own = can.translate(example)
    return engine.run(own.text, own.look, limit)


# Which operations an engine offers: found by their names, and by trying them.


def learn(engine: Engine) -> Capabilities:
    """What this engine offers, and how its users write it."""
    methods = named(engine, "methods")
    can = Capabilities(engine.cls, methods=set(methods.values()))
    for name, operation in OPERATIONS.items():
        if operation.method in methods:
            can.offered[name] = operation
            if operation.reflected in methods:
                can.reflected.add(name)
        elif not operation.reflected and (call := usable(list(spellings(engine, operation)))):
            can.spelling[operation.function] = call.spell
            can.used.add(call.method)
            two = replace(operation, counts=(2, 2))
            can.offered[name] = two if call.takes_two() else operation
    return can


def named(engine: Engine, kind: str) -> dict[str, str]:
    """The names of its methods or functions, by their lower-case form."""
    return {name.lower(): name for name in engine.about[kind]}


@dataclass(frozen=True)
class CallSpelling:
    """One way of calling an operation of an engine."""

    engine: Engine
    operation: Operation
    spell: Speller
    usual: bool = True  # under the operation's own name, not an alias
    apart: bool = False  # the operands one by one, where examples write a list
    method: str = ""  # its name in the class, "" for a function of the module

    def works(self) -> bool:
        """Whether it gives the right value for two numbers."""
        example, actual = self.outcome(self.operation.arity or 2)
        return equal(example, actual, expected(example), 1e-3) is None

    def is_of_values(self) -> bool:
        """Whether it is a method, or a function that takes Values, not one of plain numbers."""
        if self.method or not self.operation.arity:
            return True
        return self.outcome(self.operation.arity)[1].kind not in ("TypeError", "AttributeError")

    def takes_two(self) -> bool:
        """Whether a function whose operands stand apart takes just two of them."""
        return self.apart and all(self.outcome(n)[1].kind == "TypeError" for n in (1, 3))

    def outcome(self, count: int) -> tuple[Example, Outcome]:
        """An example of that many operands, and its outcome."""
        can = Capabilities(self.engine.cls, {self.operation.function: self.spell})
        names = [f"x{i}" for i in range(count)]
        for start in (1.5, 0.25):  # arcsin has no value at 1.5
            lines = [f"{x} = Value({i + start})" for i, x in enumerate(names)]
            example = Example((*lines, f"y = {self.operation.write(*names)}"), ("y.data",))
            if sensible(example):
                break
        return example, run(self.engine, can, example)


def usable(calls: list[CallSpelling]) -> CallSpelling | None:
    """The first way of calling that works, or the most usual one though it fails."""
    if len(calls) == 1 and calls[0].method and calls[0].operation.arity:
        return calls[0]
    right = (call for call in calls if call.works())
    usual = (call for call in calls if call.usual and call.is_of_values())
    return next(right, None) or next(usual, None)


def spellings(engine: Engine, operation: Operation) -> Iterator[CallSpelling]:
    """All ways of calling an operation for which the engine has the name."""
    methods, functions = named(engine, "methods"), named(engine, "functions")
    for name in (operation.function, *ALIASES.get(operation.function, ())):
        of_class, of_module = methods.get(name, ""), functions.get(name, "")
        if operation.arity:
            if of_class:
                yield CallSpelling(engine, operation, method(of_class), method=of_class)
            if of_module:
                yield CallSpelling(engine, operation, function(of_module))
            continue
        usual = name == operation.function
        static = f"{engine.cls}.{of_class}" if of_class else ""
        for found, owner in ((of_module, ""), (static, of_class)):
            if found:
                spell = function(found)
                yield CallSpelling(engine, operation, spell, usual, method=owner)
                yield CallSpelling(engine, operation, one_by_one(spell), usual, True, owner)
        if of_class:
            spell = one_by_one(method(of_class))
            yield CallSpelling(engine, operation, spell, usual=False, apart=True, method=of_class)


def method(name: str) -> Speller:
    return lambda xs: ast.Call(ast.Attribute(xs[0], name, ast.Load()), xs[1:], [])


def function(name: str) -> Speller:
    """A call of a function, or of a static method: "Value.exp"."""
    path = ast.parse(name, mode="eval").body
    return lambda xs: ast.Call(path, xs, [])


def one_by_one(spell: Speller) -> Speller:
    """The elements of the one list, as arguments of their own."""
    return lambda xs: spell(xs[0].elts if isinstance(xs[0], ast.List) else xs)
