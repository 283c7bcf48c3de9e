"""The operations that the checker knows; what an engine can do, and how its users write it.

The contract is small: `Value(number)`, `.data`, `.grad`, `.backward()`, and the operators. Every
function of one number in the table of operations, and a few of several numbers, are looked for as
methods and as functions of the module, under their usual names (see `learning`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from microgrid.check import protocol
from microgrid.check.example import Example, in_one_line
from microgrid.check.protocol import Tree
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
OPERATORS = [name for name, operation in OPERATIONS.items() if operation.reflected]
OFFERS = ("set data", "set grad", "zero", "alive", "in place", "compare")  # beside operations


@dataclass(frozen=True)
class Spelling:
    """How the users of an engine call an operation: x.exp(), exp(x), Value.total([x, y])."""

    name: str
    is_method: bool = False
    takes_list: bool = False

    def tree(self, operands: Sequence[Tree]) -> Tree:
        """The call as an engine is sent it."""
        how = {"method" if self.is_method else "function": self.name, "of": operands}
        return how | ({"list": True} if self.takes_list else {})

    def call(self, operands: list[ast.expr]) -> ast.expr:
        """The call as people read it."""
        if self.takes_list:
            operands = [ast.List(operands, ast.Load())]
        if self.is_method:
            return ast.Call(ast.Attribute(operands[0], self.name, ast.Load()), operands[1:], [])
        return ast.Call(ast.parse(self.name, mode="eval").body, operands, [])


@dataclass
class Capabilities:
    """What one engine offers, how its users write it, and what has not been found broken.

    Where an operation takes no plain number on a side, every program has a Value there instead:
    `x * 2` is sent, and shown, as `x * Value(2)`.
    """

    cls: str = "Value"
    spelling: dict[str, Spelling] = field(default_factory=dict)
    offered: dict[str, Operation] = field(default_factory=dict)
    left: set[str] = field(default_factory=lambda: {*OPERATORS})  # take a plain number there
    right: set[str] = field(default_factory=lambda: {*OPERATORS})
    numbers: bool = True  # in this language an operator can take a plain number
    offers: set[str] = field(default_factory=lambda: {*OFFERS})
    made_of: dict[str, set[str]] = field(default_factory=dict)  # "sub": the operations it calls
    half: dict[tuple[str, str], str] = field(default_factory=dict)  # ints alone, or floats
    useless: set[str] = field(default_factory=set)  # operators that fail with Values, too
    calls: dict[str, str] = field(default_factory=dict)  # of functions that no table has: a call
    methods: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)  # the names of methods that spell an operation
    others: list[str] = field(default_factory=list)  # that the adapter says are not checked
    names: Mapping[str, str] = field(default_factory=dict)  # of data, grad and backward
    floats: bool = False  # numbers are written as floats: with ints its arrays would be of ints
    broken: dict[str, Any] = field(default_factory=dict)  # what: the finding that says so

    @property
    def operations(self) -> list[Operation]:
        """What it offers, and what is made of others behind these."""
        return sorted(self.offered.values(), key=lambda x: len(self.made_of.get(x.name, ())))

    def is_made(self, operation: Operation) -> bool:
        """Whether an operation calls others of the engine: what is wrong with them shows there."""
        return bool(self.made_of.get(operation.name))

    def sound(self, name: str) -> bool:
        return name in self.offered and name not in self.broken

    def lacks(self, name: str) -> bool:
        """Whether an operation, or one of the OFFERS, is not there."""
        known = self.offers if name in OFFERS else self.offered
        return name in (*OPERATIONS, *OFFERS) and name not in known

    @property
    def missing(self) -> list[str]:
        return [name for name in OPERATIONS if name not in self.offered]

    @property
    def unknown(self) -> list[str]:
        """Methods that the checker can say nothing about."""
        unused = self.methods - self.used - NO_OPERATIONS - {self.backward}
        return sorted([*self.others, *(x for x in unused if x[0] != "_")])

    @property
    def leaf(self) -> str:
        """How a node is made of a number that stands for VALUE."""
        options = self.names.get("options", "")
        return f"{self.cls}(VALUE{', ' * bool(options)}{options})"

    @property
    def backward(self) -> str:
        """The name of the method that goes backward."""
        return self.names.get("backward", "").removeprefix("VALUE.").partition("(")[0]

    def choice(self, pattern: str) -> str:
        """The argument of the backward pass with such a name, by which its user can choose."""
        choices = self.names.get("choices", "").split(", ")
        return next((f"backward({x}=…)" for x in choices if re.search(pattern, x)), "")

    def request(self, example: Example) -> tuple[Tree, list[str]]:
        """The steps of the example as the engine is sent them, and what is looked at."""
        program, look = protocol.encode(example)

        def spelled(e: Tree) -> Tree:
            name, operands = e["apply"], e["of"]
            if not example.as_written:
                operands = self.wrapped(name, operands)
            if spelling := self.spelling.get(name):
                return spelling.tree(operands)
            return e | {"of": operands}

        spelled_program = protocol.with_expressions(program, spelled)
        return (with_floats(spelled_program) if self.floats else spelled_program), look

    def wrapped(self, name: str, operands: Sequence[Tree]) -> list[Tree]:
        """The operands, with a leaf for a plain number where the operation does not take one."""
        sides = [self.left, *[self.right] * (len(operands) - 1)]
        return [
            {"leaf": x} if is_number(x) and name not in takes else x
            for x, takes in zip(operands, sides, strict=True)
        ]

    def translate(self, example: Example) -> Example:
        """The example as the engine's user would write it."""
        respell = Respell(self, example.as_written)
        lines = [in_one_line(respell.visit(ast.parse(line))) for line in example.lines]
        look = [ast.unparse(respell.visit(ast.parse(look, mode="eval"))) for look in example.look]
        return Example(tuple(lines), tuple(look))


def with_floats(program: Tree) -> Tree:
    """The same steps with floats for whole numbers.

    >>> with_floats([{"repeat": 3, "program": [{"set": "x", "to": {"leaf": 2}}]}])
    [{'repeat': 3, 'program': [{'set': 'x', 'to': {'leaf': 2.0}}]}]
    """
    match program:
        case list():
            return [with_floats(x) for x in program]
        case dict():
            return {k: x if k == "repeat" else with_floats(x) for k, x in program.items()}
        case int() if is_number(program):
            return float(program)
    return program


def is_number(e: Tree) -> bool:
    return isinstance(e, int | float) and not isinstance(e, bool)


class Respell(ast.NodeTransformer):
    """The names of the class, its attributes and its functions in the engine's own spelling."""

    def __init__(self, can: Capabilities, as_written: bool) -> None:
        self.can, self.as_written = can, as_written

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self.can.cls, node.ctx) if node.id == "Value" else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        path = self.can.names.get(node.attr, node.attr) if node.attr != "backward" else node.attr
        return as_expression(f"VALUE.{path}", node.value, node.ctx)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        is_whole = self.can.floats and is_number(node.value)
        return ast.Constant(float(node.value)) if is_whole else node  # type: ignore[arg-type]

    def visit_For(self, node: ast.For) -> ast.AST:
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        name = protocol.OPERATORS[type(node.op)]
        if name not in self.can.left:
            node.left = self.leaf(node.left)
        if name not in self.can.right:
            node.right = self.leaf(node.right)
        return node

    def leaf(self, operand: ast.expr) -> ast.expr:
        """A Value in place of a plain number."""
        inner = operand.operand if isinstance(operand, ast.UnaryOp) else operand
        if self.as_written or not isinstance(inner, ast.Constant):
            return operand
        return as_expression(self.can.leaf, operand, ast.Load())

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        spelling = self.can.spelling.get(name)
        self.generic_visit(node)
        if name == "Value":
            return as_expression(self.can.leaf, node.args[0], ast.Load())
        if isinstance(node.func, ast.Attribute) and node.func.attr == "backward":
            call = self.can.names.get("backward", "VALUE.backward()")
            return as_expression(call, node.func.value, ast.Load())
        if name == "sum" and "add" not in self.can.left and len(node.args) == 1:
            node.args.append(as_expression(self.can.leaf, ast.Constant(0), ast.Load()))
        if spelling is None:
            return node
        alone = node.args[0] if len(node.args) == 1 else None
        return spelling.call(alone.elts if isinstance(alone, ast.List) else list(node.args))


class Fill(ast.NodeTransformer):
    """Put an expression in the place of VALUE."""

    def __init__(self, value: ast.expr) -> None:
        self.value = value

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self.value if node.id == "VALUE" else node


def as_expression(text: str, value: ast.expr, context: ast.expr_context) -> ast.expr:
    """The expression of a text, with another one for VALUE in it.

    >>> ast.unparse(as_expression("back_prop(VALUE)", ast.Name("f"), ast.Load()))
    'back_prop(f)'
    """
    found = Fill(value).visit(ast.parse(text, mode="eval").body)
    if isinstance(found, ast.Attribute):
        found.ctx = context
    return found  # type: ignore[no-any-return]
