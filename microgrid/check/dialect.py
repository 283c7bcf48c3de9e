"""What an engine can be asked for, and how it spells it.

The contract is small: `Value(number)`, `.data`, `.grad`, `.backward()`, and the operators. Every
function of one number in the table of operations, and a few of several numbers, are looked for as
methods and as functions of the module, under their usual names.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from microgrid.check.engine import Engine
from microgrid.check.trial import Outcome, Trial, equal, sensible, truth, written
from microgrid.engine import functions, ops
from microgrid.engine.value import Op


@dataclass(frozen=True)
class Operation:
    """Something to be checked: `template` writes it in the language of trials."""

    name: str
    template: str  # "{0} + {1}", "exp({0})", "dot({0}, {1})"
    arity: int  # 0: one list of numbers
    entry: Op
    method: str = ""  # the special method of an operator
    reflected: str = ""  # the one for a plain number on the left
    counts: tuple[int, int] = (1, 4)  # how many values a list has, at least and at most
    plain: tuple[float, ...] = ()  # if given, the right operand is one of these plain numbers

    @property
    def shown(self) -> str:
        """What people write: `+`, exp, -x."""
        if self.reflected:
            return f"`{self.template.split()[1]}`"
        return f"`{self.template.format('x')}`" if self.template.startswith("-") else self.name

    def write(self, *operands: str) -> str:
        if self.arity == 0:
            return self.template.format(f"[{', '.join(operands)}]")
        return self.template.format(*(f"({x})" for x in operands))


SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**"}
EXPONENTS = (2, 3, 1, 0, -1, -2, 0.5, 1.5)
NO_OPERATIONS = {"backward", "zero_grad", "item", "detach"}
TWO_DEFINITIONS = {"gelu"}  # exact, or by tanh: engines that differ are both right
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
        Operation(entry.name, f"{{0}} {SYMBOLS[dunder]} {{1}}", 2, entry,
                  f"__{dunder}__", f"__r{dunder}__", plain=EXPONENTS if dunder == "pow" else ())
        for dunder, entry in functions.OPERATORS.items()
    ]  # fmt: skip
    found.append(Operation("neg", "-{0}", 1, ops.neg, "__neg__"))
    found.append(Operation("abs", "abs({0})", 1, ops.absolute, "__abs__"))
    for name in functions.FUNCTIONS.keys() - {"absolute", "neg"} - TWO_DEFINITIONS:
        entry = ops.PUBLIC.get(name)
        if entry is not None and len(entry.rules) == 1:
            found.append(Operation(name, f"{name}({{0}})", 1, entry))
        elif entry is not None and len(entry.rules) == 2 and functions.FUNCTIONS[name] is entry:
            found.append(Operation(name, f"{name}({{0}}, {{1}})", 2, entry))
    for name in ("maximum", "minimum", "logsumexp", "total", "mean"):
        found.append(Operation(name, f"{name}({{0}})", 0, ops.PUBLIC[name]))
    order = list(functions.OPERATORS) + list(ops.PUBLIC)
    return {x.name: x for x in sorted(found, key=lambda x: (not x.method, place(order, x.name)))}


def place(order: list[str], name: str) -> int:
    return order.index(name) if name in order else len(order)


OPERATIONS = operations()
Speller = Callable[[list[ast.expr]], ast.expr]


@dataclass
class Dialect:
    """The names of one engine, and the way from the language of trials to its own."""

    cls: str = "Value"
    spelling: dict[str, Speller] = field(default_factory=dict)
    offered: dict[str, Operation] = field(default_factory=dict)
    reflected: set[str] = field(default_factory=set)  # has the method for a number on the left
    methods: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)  # the names of methods that spell an operation

    def translate(self, trial: Trial) -> Trial:
        """The trial as the engine's user would write it."""
        respell = Respell(self)
        lines = [written(respell.visit(ast.parse(line))) for line in trial.lines]
        look = [ast.unparse(respell.visit(ast.parse(look, mode="eval"))) for look in trial.look]
        return Trial(tuple(lines), tuple(look))

    @property
    def missing(self) -> list[str]:
        return [name for name in OPERATIONS if name not in self.offered]

    @property
    def unknown(self) -> list[str]:
        """Methods that the checker can say nothing about."""
        return sorted(x for x in self.methods - self.used - NO_OPERATIONS if x[0] != "_")


class Respell(ast.NodeTransformer):
    """Calls of known functions, in the engine's own spelling."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self.dialect.cls, node.ctx) if node.id == "Value" else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        spell = None
        if isinstance(node.func, ast.Name):
            spell = self.dialect.spelling.get(node.func.id)
        self.generic_visit(node)
        return spell(list(node.args)) if spell else node


def method(name: str) -> Speller:
    return lambda xs: ast.Call(ast.Attribute(xs[0], name, ast.Load()), xs[1:], [])


def function(name: str) -> Speller:
    return lambda xs: ast.Call(ast.Name(name, ast.Load()), xs, [])


def one_by_one(spell: Speller) -> Speller:
    """The elements of the one list, as arguments of their own."""
    return lambda xs: spell(xs[0].elts if isinstance(xs[0], ast.List) else xs)


def static(cls: str, name: str) -> Speller:
    path = ast.Attribute(ast.Name(cls, ast.Load()), name, ast.Load())
    return lambda xs: ast.Call(path, xs, [])


@dataclass(frozen=True)
class Way:
    """One way of calling an operation; `usual` under its own name, `apart` without a list."""

    spell: Speller
    usual: bool = False
    apart: bool = False
    method: str = ""  # its name in the class, "" for a function of the module


class Learner:
    """Finds out which operations an engine offers, by their names and by trying them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.methods = {name.lower(): name for name in engine.about["methods"]}
        self.functions = {name.lower(): name for name in engine.about["functions"]}

    def dialect(self) -> Dialect:
        dialect = Dialect(self.engine.cls, methods=set(self.methods.values()))
        for name, operation in OPERATIONS.items():
            if operation.method in self.methods:
                dialect.offered[name] = operation
                if operation.reflected in self.methods:
                    dialect.reflected.add(name)
            elif not operation.reflected and (way := self.way(operation)):
                dialect.spelling[operation.template.partition("(")[0]] = way.spell
                dialect.used.add(way.method)
                dialect.offered[name] = (
                    replace(operation, counts=(2, 2))
                    if self.takes_two(operation, way)
                    else operation
                )
        return dialect

    def way(self, operation: Operation) -> Way | None:
        """The first way of calling it that works, or the most usual one though it fails."""
        there = list(self.ways(operation))
        if len(there) == 1 and there[0].method and operation.arity:
            return there[0]
        right = (way for way in there if self.works(operation, way))
        usual = (
            way for way in there if (operation.arity or way.usual) and self.is_one(operation, way)
        )
        return next(right, None) or next(usual, None)

    def is_one(self, operation: Operation, way: Way) -> bool:
        """A method, or a function of the module that takes Values: not one of plain numbers."""
        kind = self.outcome(operation, way, operation.arity or 2)[1].kind
        return (
            bool(way.method) or not operation.arity or kind not in ("TypeError", "AttributeError")
        )

    def ways(self, operation: Operation) -> Iterable[Way]:
        name = operation.template.partition("(")[0]
        for spelled in (name, *ALIASES.get(name, ())):
            of_class, of_module = self.methods.get(spelled), self.functions.get(spelled)
            if operation.arity:
                yield from [Way(method(of_class), method=of_class)] if of_class else []
                yield from [Way(function(of_module))] if of_module else []
                continue
            usual = spelled == name
            spells = [(function(of_module), "")] if of_module else []
            spells += [(static(self.engine.cls, of_class), of_class)] if of_class else []
            for spell, name_of_class in spells:
                yield Way(spell, usual, method=name_of_class)
                yield Way(one_by_one(spell), usual, apart=True, method=name_of_class)
            if of_class:
                yield Way(one_by_one(method(of_class)), apart=True, method=of_class)

    def takes_two(self, operation: Operation, way: Way) -> bool:
        """Whether a function whose operands stand apart takes just two of them."""
        if operation.arity or not way.apart:
            return False
        return all(self.outcome(operation, way, n)[1].kind == "TypeError" for n in (1, 3))

    def works(self, operation: Operation, way: Way) -> bool:
        """Whether it gives the right value for two numbers."""
        trial, came = self.outcome(operation, way, operation.arity or 2)
        return equal(trial, came, truth(trial), 1e-3) is None

    def outcome(self, operation: Operation, way: Way, count: int) -> tuple[Trial, Outcome]:
        dialect = Dialect(self.engine.cls, {operation.template.partition("(")[0]: way.spell})
        names = [f"x{i}" for i in range(count)]
        for start in (1.5, 0.25):  # arcsin has no value at 1.5
            lines = [f"{x} = Value({i + start})" for i, x in enumerate(names)]
            trial = Trial((*lines, f"y = {operation.write(*names)}"), ("y.data",))
            if sensible(trial):
                break
        return trial, run(self.engine, dialect, trial)


def learn(engine: Engine) -> Dialect:
    """What this engine offers, and how."""
    return Learner(engine).dialect()


def run(engine: Any, dialect: Dialect, trial: Trial, limit: float | None = None) -> Outcome:
    """What the engine makes of a trial."""
    own = dialect.translate(trial)
    outcome: Outcome = engine.run(own.text, own.look, limit)
    return outcome
