"""How the languages spell things, and functions of Python written in them, without branches.

Arrays compute many samples at once, so no `if` can choose among them: both sides are computed, and
where() chooses. A function that has no such text raises Untranslatable.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import itertools
import math
import operator
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from types import BuiltinFunctionType, CodeType, FunctionType
from typing import Any

from microgrid.engine import numeric
from microgrid.engine.errors import GraphError
from microgrid.engine.functions import OPERATORS
from microgrid.views.notation import joined

INDENT = "    "
LITERAL = re.compile(r"-?(\d[\d.]*(e[+-]?\d+)?|math\.(inf|nan))")
SIGNS = {name: op.text.replace("^", "**") for name, op in OPERATORS.items()}
SIGNS |= {"neg": "-{}", "pos": "+{}", "abs": "abs({})"}
FOLDS = {numeric.largest: "maximum", numeric.smallest: "minimum", max: "maximum", min: "minimum"}
OVER = {numeric.largest: "max", numeric.smallest: "min", numeric.average: "mean"}  # of an array
SEQUENCES = (sum, len, range, zip, enumerate, reversed)  # of Python's lists, also of arrays


class Untranslatable(GraphError):
    """A function for which there is no text in another language.

    `program.source` writes the functions of the table, and of your own operations those whose text
    is in a file and that use numbers, the modules math and operator, and each other. What is
    decorated, has no file or calls itself has no text.

    >>> import microgrid as mg
    >>> odd = mg.custom_op("odd", hash, lambda y, x: 0.0)
    >>> mg.record(odd, 1.0).source("numpy")
    Traceback (most recent call last):
        ...
    microgrid.program.text.branchless.Untranslatable: the operation odd has no text in numpy: ...
    """

    explained = True


@dataclass(frozen=True)
class Library:
    """How a language spells things; `functions` are those of math, by their names in math."""

    imports: str
    prefix: str  # empty for plain Python
    array: str  # what makes a float of a number, or an array of samples an array
    helpers: dict[str, str] = field(default_factory=dict)  # functions that stand ready
    functions: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)  # operations of the table that it has itself
    notes: tuple[str, ...] = ()  # lines on the precision, and on gradients by the library itself
    looks: bool = False  # whether a text may look at its numbers, to leave out what none needs

    def core(self, f: Any) -> Any:
        """The function of floats behind one of numeric.py; another function as it is.

        Some cores are for arrays alone: Python raises where IEEE arithmetic gives inf or nan.
        """
        core = inspect.unwrap(f) if getattr(f, "__module__", "") == numeric.__name__ else f
        for_arrays = core is operator.pow or hasattr(f, "raises")
        return f if for_arrays and not self.prefix else core

    def join(self, pieces: Sequence[str], operands: Sequence[str]) -> str:
        """A template with its operands. PyTorch's functions, all but where, take tensors only."""
        if self.prefix == "torch" and not pieces[0].startswith("where("):
            called = [piece.endswith(("(", ", ")) for piece in pieces]
            operands = [f"tensor({x})" if inside and LITERAL.fullmatch(x) else x
                        for x, inside in zip(operands, called)]  # fmt: skip
        return joined([piece.replace("^", " ** ") for piece in pieces], operands)

    def where(self, condition: str, a: str, b: str) -> str:
        where = "where" if "where" in self.helpers else f"{self.prefix}.where"
        return f"{where}({condition}, {a}, {b})"

    def fold(self, name: str, operands: Sequence[str]) -> str:
        """The largest or smallest of several, two at a time."""
        if len(operands) > 4:
            return self.folded(name, f"({', '.join(operands)})")
        return reduce(lambda a, b: f"{self.prefix}.{name}({a}, {b})", operands)

    def folded(self, name: str, sequence: str) -> str:
        """The same of a sequence."""
        return f"functools.reduce({self.prefix}.{name}, {sequence})"

    def over(self, name: str, text: str) -> str:
        """The largest, the smallest or the mean along the last axis of an array."""
        pair = self.prefix == "torch" and name != "mean"  # torch.max gives the places, too
        return f"{self.prefix}.{'a' * pair}{name}({text}, -1)"

    def builtin(self, f: Any, operands: Sequence[str]) -> str:
        """The call of a function of math, operator or Python itself."""
        name, plain = f.__name__, ", ".join(operands)
        if f.__module__ == "_operator" and name in SIGNS:
            return SIGNS[name].format(*operands)
        if f is abs or (f.__module__ == "builtins" and not self.prefix):
            return f"{name}({plain})"
        if f.__module__ == "math":
            if not self.prefix:
                return f"math.{name}({plain})"
            if name in self.functions and (name != "log" or len(operands) == 1):
                return f"{self.functions[name]}({plain})"
            if self.prefix == "np":  # one sample after the other
                return f"np.vectorize(math.{name}, otypes=[float])({plain})"
        raise Untranslatable(f"{f.__module__}.{name} has no counterpart")


FAR_OUT = (
    " works, too. Its gradient may be",
    "nan where an unused branch overflows; value_and_grad is right there.",
)
BATCH = (
    "An entry may also be an array with a number for each sample of a batch. Then the gradients",
    "have a number for each sample, too: add up those of entries that the samples share.",
)
OWN = ["hypot", "logaddexp", "square", "reciprocal"]  # all have them, under these names
SAME = "exp expm1 log log2 log10 log1p sqrt sin cos tan sinh cosh tanh hypot copysign floor ceil "
SAME += "trunc isnan isinf isfinite frexp ldexp"
NAMES = {f: f for f in SAME.split()} | {"fabs": "abs"}
NAMES |= {"a" + f: "arc" + f for f in ["sin", "cos", "tan", "sinh", "cosh", "tanh", "tan2"]}


def functions_of(prefix: str, **others: str) -> dict[str, str]:
    """The functions of math in a library, by their names in math."""
    return {f: f"{prefix}.{name}" for f, name in NAMES.items()} | others


def own(prefix: str, *names: str, **others: str) -> dict[str, str]:
    """How a library writes operations of the table that it has, by their names in the table."""
    return {name: f"{prefix}.{name}({{}})" for name in [*OWN, *names]} | others


SHAPED = """def shaped(x, *sizes):
    \"\"\"x as an array of these sizes; "n" is any number of samples.\"\"\"
    x = {}(x)
    if len(x.shape) != len(sizes) or any(m not in ("n", k) for k, m in zip(x.shape, sizes)):
        raise ValueError(f"the sizes {{sizes}} are needed, got {{tuple(x.shape)}}")
    return x"""

LIBRARIES = {
    "python": Library("", "", "float"),
    "numpy": Library(
        "import numpy as np", "np", "array",
        {"array": "def array(x):\n    return np.asarray(x, dtype=float)",
         "shaped": SHAPED.format("array")},
        functions_of("np", cbrt="np.cbrt"), own("np"),
    ),
    "jax": Library(
        "import jax.lax\nimport jax.numpy as jnp\nimport jax.scipy.special", "jnp", "array",
        {"array": "def array(x):\n    return jnp.asarray(x, dtype=float)",
         "shaped": SHAPED.format("array")},
        functions_of(
            "jnp", cbrt="jnp.cbrt", erf="jax.scipy.special.erf", erfc="jax.scipy.special.erfc",
            lgamma="jax.scipy.special.gammaln",
        ), own("jnp", stop_gradient="jax.lax.stop_gradient({})"),
        ('Numbers have 32 bits unless jax.config.update("jax_enable_x64", True) comes first.',
         "jax.jit works. jax.grad of value" + FAR_OUT[0], FAR_OUT[1]),
    ),
    "torch": Library(
        "import torch", "torch", "tensor",
        {
            "tensor": "def tensor(x):\n    return torch.as_tensor(x, dtype=torch.float64)",
            "shaped": SHAPED.format("tensor"),
            "where": "def where(c, a, b):\n"
            '    """torch.where, also for plain numbers."""\n'
            "    return torch.where(torch.as_tensor(c), tensor(a), tensor(b))",
            "cbrt": "def cbrt(x):\n    return torch.sign(x) * torch.abs(x) ** (1 / 3)",
            "ldexp": "def ldexp(x, n):\n"
            '    """x 2^n in two factors: 2^n itself may be beyond the floats."""\n'
            "    half = n // 2\n"
            "    two = tensor(2.0)\n"
            "    return x * two ** half * two ** (n - half)",
        },
        functions_of(
            "torch", cbrt="cbrt", ldexp="ldexp", erf="torch.special.erf",
            erfc="torch.special.erfc", lgamma="torch.special.gammaln",
        ), own("torch", "sigmoid", "relu", stop_gradient="tensor({}).detach()"),
        ("All is computed in float64. torch.autograd of value" + FAR_OUT[0], FAR_OUT[1]),
    ),
}  # fmt: skip
MODULES = {"math", "functools", "operator", "jax", "jnp", "np", "torch"}
Take = Callable[[str, Any], None]  # makes a name mean this thing where the text stands


class Function:
    """A function of Python whose text stands in a file: a plain `def`, or a lambda."""

    def __init__(self, f: FunctionType) -> None:
        name, body = f.__name__, list[ast.stmt]()
        with suppress(OSError, SyntaxError):
            text_of = lambda_as_def if name == "<lambda>" else inspect.getsource
            self.lines = textwrap.dedent(text_of(f.__code__)).splitlines()
            body = ast.parse("\n".join(self.lines)).body
        if not body or not isinstance(tree := body[0], ast.FunctionDef):
            raise Untranslatable(f"the text of {name} is in no file")
        if f.__module__ != numeric.__name__ and tree.decorator_list:
            raise Untranslatable(f"{name} is decorated")
        self.f, self.tree = f, tree
        self.arguments = [n for n in ast.walk(tree) if isinstance(n, ast.arg)]
        for a in self.arguments:
            a.annotation = None
        nodes = [n for s in tree.body for n in ast.walk(s)]
        inner = [n.name for n in nodes if isinstance(n, ast.FunctionDef)]
        self.local = {*[a.arg for a in self.arguments], *stored(tree.body), *inner}
        self.cells = inspect.getclosurevars(f).nonlocals

    def meaning(self, name: str) -> Any:
        """What a name stands for that is not local."""
        for space in (self.cells, self.f.__globals__, vars(builtins)):
            if name in space:
                return space[name]
        raise Untranslatable(f"{self.f.__name__} uses {name}, which is not there")

    def copied(self, name: str, take: Take) -> str:
        """The text as it stands, under another name; takes in what it uses.

        Annotations are left out, and the numbers of a closure are set at the top.
        """
        body, numbers = self.tree.body, {}
        for n in names_in([*body, self.tree.args]):
            if n.id in self.local or (n.id, meaning := self.meaning(n.id)) == ("math", math):
                continue
            if n.id in self.cells and isinstance(meaning, int | float):
                numbers[n.id] = literal(meaning)
            elif meaning is not vars(builtins).get(n.id, self):
                take(n.id, meaning)
        lines = self.lines[body[0].lineno - 1 : self.tree.end_lineno]
        margin = " " * body[0].col_offset
        if body[0].lineno == self.tree.lineno:  # def and body in one line
            lines, margin = [INDENT + ast.unparse(s) for s in body], INDENT
        lines = [f"{margin}{k} = {x}" for k, x in numbers.items()] + lines
        head = f"def {name}({ast.unparse(self.tree.args)}):\n"
        return head + re.sub(r"  # type: ignore.*", "", "\n".join(lines))


def lambda_as_def(code: CodeType) -> str:
    """The text of a lambda as a `def`; the places of its instructions tell which one it is."""
    places = [((p[0], p[2]), (p[1], p[3])) for p in code.co_positions() if p[3]]
    found = []
    for n in ast.walk(ast.parse("".join(inspect.findsource(code)[0]))):
        if isinstance(n, ast.Lambda) and n.lineno == code.co_firstlineno:
            x: Any = n.body
            first, last = (x.lineno, x.col_offset), (x.end_lineno, x.end_col_offset)
            if all(first <= begin and end <= last for begin, end in places):
                found.append(f"def f({ast.unparse(n.args)}):\n    return {ast.unparse(x)}")
    return found[-1] if found and (places or len(found) == 1) else ""  # the innermost


class Branchless:
    """Translates a function of numbers into one of arrays: where() takes the place of `if`.

    `number` and `condition` write expressions, `block` writes statements.
    """

    def __init__(self, function: Function, library: Library, take: Take) -> None:
        self.function, self.library, self.take = function, library, take
        self.now = {a.arg: a.arg for a in function.arguments}  # what names are called by now
        self.own: dict[str, str] = {}  # what a branch calls the names that it sets
        self.taken = set(function.local)
        self.loose = plain_numbers(function.tree)

    def text(self, name: str) -> str:
        """The function under this name."""
        args = self.function.tree.args
        if clash := {*MODULES, *self.library.helpers} & self.function.local:
            raise Untranslatable(f"{name} has a local {min(clash)}")
        if any(x and not isinstance(x, ast.Constant) for x in [*args.defaults, *args.kw_defaults]):
            raise Untranslatable(f"{name} has defaults that are no numbers")
        lines, result = self.block(self.function.tree.body)
        if result is None:
            raise Untranslatable(f"{name} may return nothing")
        body = textwrap.indent("\n".join([*lines, f"return {result}"]), INDENT)
        return ast.unparse(ast.parse(f"def {name}({ast.unparse(args)}):\n{body}"))

    # Statements.

    def block(self, statements: Sequence[ast.stmt]) -> tuple[list[str], str | None]:
        """Lines without branches, and the text of what is returned, if anything is."""
        lines: list[str] = []
        for i, s in enumerate(statements):
            match s:
                case ast.Return(value=ast.expr() as value):
                    return lines, self.number(value)
                case ast.Expr(value=ast.Constant(value=str(text))):
                    lines.append(repr(text.partition("\n")[0]))
                case ast.Assign(targets=[target]):
                    lines.append(self.assignment(target, s.value))
                case ast.AugAssign(target=ast.Name() as target):  # not in place: arrays are shared
                    lines.append(self.assignment(target, ast.BinOp(target, s.op, s.value)))
                case ast.For(orelse=[]) if not may_leave(s):
                    lines += self.loop(s)
                case ast.If() if may_leave(s):
                    more, result = self.early_return(s, statements[i + 1 :])
                    return lines + more, result
                case ast.If():
                    lines += self.choice_of_names(s)
                case _ if not isinstance(s, ast.Pass):
                    raise refused(s)
        return lines, None

    def assignment(self, target: ast.expr, value: ast.expr) -> str:
        text = self.number(value)  # first: the target changes what names mean
        return f"{self.target(target)} = {text}"

    def target(self, node: ast.expr) -> str:
        """The text of what is set; its names have this meaning from now on."""
        match node:
            case ast.Name(id=name):
                self.now[name] = self.own.get(name, name)
                return self.now[name]
            case ast.Tuple(elts=elts):
                return f"({''.join([self.target(x) + ', ' for x in elts])})"
        raise Untranslatable(f"{ast.unparse(node)} is set")

    def loop(self, s: ast.For) -> list[str]:
        """A loop; a name that it sets is called the same in every round, and before the first."""
        over, before = self.number(s.iter), dict(self.now)
        names = [n for n in stored(s.body) if n in before]
        lines = [f"{self.target(ast.Name(n))} = {before[n]}" for n in names]
        lines = [line for n, line in zip(names, lines) if self.now[n] != before[n]]
        head = f"for {self.target(s.target)} in {over}:"
        body = self.block(s.body)[0] or ["pass"]
        return [*lines, head, *[INDENT + x for x in body]]

    def early_return(self, s: ast.If, rest: Sequence[ast.stmt]) -> tuple[list[str], str]:
        """`if c: return a` and the rest: where(c, a, rest)."""
        condition = self.condition(s.test)
        then, other = [x if always_returns(x) else [*x, *rest] for x in (s.body, s.orelse)]
        lines, a, _ = self.branch(then, stored(then))
        used = re.findall(r"\w+", f"{condition} {a}")  # must still be what they are
        more, b, _ = self.branch(other, [n for n in stored(other) if self.now.get(n) in used])
        if a is None or b is None:
            raise refused(s, "nothing is returned beside")
        if self.library.looks and (lines or more or "(" in a + b):
            all_of, x, y = map(self.fresh, ("all", "then", "other"))
            return [
                f"{all_of} = {condition}", f"{x} = {y} = math.nan",
                f"if np.any({all_of}):", *[INDENT + k for k in (*lines, f"{x} = {a}")],
                f"if not np.all({all_of}):", *[INDENT + k for k in (*more, f"{y} = {b}")],
            ], self.library.where(all_of, x, y)  # fmt: skip
        return lines + more, self.library.where(condition, a, b)

    def choice_of_names(self, s: ast.If) -> list[str]:
        """`if c: x = a`: x = where(c, a, x)."""
        condition = self.condition(s.test)
        lines, _, then = self.branch(s.body, stored(s.body))
        more, _, other = self.branch(s.orelse, stored(s.orelse))
        then, other = self.now | then, self.now | other
        names = [n for n in stored([s]) if n in then and n in other]
        chosen = [self.library.where(condition, then[n], other[n]) for n in names]
        targets = [self.target(ast.Name(n)) for n in names]
        return [*lines, *more, f"{', '.join(targets)} = {', '.join(chosen)}"] if names else []

    def branch(
        self, statements: Sequence[ast.stmt], names: Sequence[str]
    ) -> tuple[list[str], str | None, dict[str, str]]:
        """A block that calls these names its own way; with it, what they are at its end."""
        before = self.now, self.own
        self.now, self.own = dict(self.now), self.own | {n: self.fresh(n) for n in names}
        lines, result = self.block(statements)
        found = {n: self.now[n] for n in names if n in self.now}
        self.now, self.own = before
        if result is None and len(lines) == len(found) == 1:  # one expression needs no line
            return [], None, dict.fromkeys(found, lines[0].partition(" = ")[2])
        return lines, result, found

    def fresh(self, name: str) -> str:
        """A name that is not yet there."""
        unique = next(x for i in itertools.count(1) if (x := f"{name}_{i}") not in self.taken)
        self.taken.add(unique)
        return unique

    # Expressions: their texts bind as strongly as a name, so that any text may stand around them.

    def number(self, node: ast.expr) -> str:
        """The text of a number, or of a sequence of numbers."""
        match node:
            case ast.Constant(value=int() | float() as x):
                return f"({literal(float(x) if isinstance(x, bool) else x)})"
            case ast.Name(id=name):
                return self.current_name(name)
            case ast.Attribute(value=ast.Name(id="math")):
                return ast.unparse(node)
            case ast.Compare() | ast.UnaryOp(op=ast.Not()):
                return self.library.where(self.condition(node), "1.0", "0.0")
            case ast.IfExp():
                return self.choice(node.test, node.body, node.orelse)
            case ast.Call(keywords=[]):
                return self.call(node)
            case ast.UnaryOp(op=ast.UAdd()):
                return self.number(node.operand)
            case ast.UnaryOp(op=ast.USub()) | ast.BinOp() | ast.Tuple() | ast.List():
                fields = [self.spot(x) for _, x in ast.iter_fields(node)]
                return f"({ast.unparse(type(node)(*fields))})"
            case ast.Subscript(slice=index):
                return f"({ast.unparse(ast.Subscript(self.spot(node.value), index))})"
            case ast.ListComp(generators=[ast.comprehension(ifs=[]) as g]):
                over, before = self.number(g.iter), self.now
                self.now = dict(before)  # its names end with it
                head = f"for {self.target(g.target)} in {over}"
                text = f"[{self.number(node.elt)} {head}]"
                self.now = before
                return text
        raise refused(node)

    def spot(self, part: Any) -> Any:
        """A part of a tree that is to be written, with the texts of its numbers."""
        if isinstance(part, list):
            return [*map(self.spot, part)]
        return ast.Name(self.number(part)) if isinstance(part, ast.expr) else part

    def condition(self, node: ast.expr) -> str:
        """The text of something true or false."""
        match node:
            case ast.BoolOp():
                sign = " & " if isinstance(node.op, ast.And) else " | "
                return f"({sign.join(map(self.condition, node.values))})"
            case ast.UnaryOp(op=ast.Not()):
                return f"({self.condition(node.operand)} ^ True)"  # ~ does not invert Python's True
            case ast.Compare():
                if any(isinstance(x, ast.Is | ast.IsNot | ast.In | ast.NotIn) for x in node.ops):
                    raise refused(node)
                terms = [self.spot(x) for x in (node.left, *node.comparators)]
                links = [ast.Compare(a, [x], [b]) for a, x, b in zip(terms, node.ops, terms[1:])]
                return f"({' & '.join([f'({ast.unparse(x)})' for x in links])})"
        return f"({self.number(node)} != 0)"

    def choice(self, test: ast.expr, a: ast.expr, b: ast.expr) -> str:
        """a if test else b, also of two tuples."""
        condition = self.condition(test)
        if isinstance(a, ast.Tuple) and isinstance(b, ast.Tuple) and len(a.elts) == len(b.elts):
            pairs = [(self.number(x), self.number(y)) for x, y in zip(a.elts, b.elts)]
            return f"({''.join([self.library.where(condition, *p) + ', ' for p in pairs])})"
        return self.library.where(condition, self.number(a), self.number(b))

    def current_name(self, name: str) -> str:
        """A name as it is now; takes in what is not local."""
        if name in self.function.local:
            if name not in self.now:
                raise Untranslatable(f"{name} may not be set")
            return self.now[name]
        meaning = self.function.meaning(name)
        if not isinstance(meaning, int | float | tuple):
            raise Untranslatable(f"{name} is no number")
        if name in self.function.cells and not isinstance(meaning, tuple):
            return f"({literal(meaning)})"
        self.take(name, meaning)
        return name

    def call(self, node: ast.Call) -> str:
        """A call, as the library spells it."""
        library, args = self.library, node.args
        match node.func:
            case ast.Call(func=ast.Name(id="type")):
                return self.number(args[0])
            case ast.Attribute(value=ast.Name(id="math"), attr=name):
                meaning: Any = getattr(math, name)
            case ast.Name(id=name) if name not in self.function.local:
                meaning = self.function.meaning(name)
            case _:
                raise refused(node)
        core = library.core(meaning)
        if core is numeric.where:
            return self.choice(*args)
        if core in FOLDS:
            return self.fold(FOLDS[core], args)
        operands = ", ".join(map(self.number, args))
        if core is float:
            return operands
        if core is round and len(args) == 1:
            return f"({library.prefix}.round({operands}) + 0.0)"  # Python's is an int, never −0
        if core in SEQUENCES:
            return f"{name}({operands})"
        if isinstance(core, BuiltinFunctionType):
            if core.__module__ == "math" and not any(map(self.locals_of, args)):
                return f"math.{core.__name__}({operands})"  # of constants it stays
            write = self.operand if core.__module__ == "math" else self.number
            return f"({library.builtin(core, list(map(write, args)))})"
        if not isinstance(core, FunctionType):
            raise refused(node)
        self.take(name, meaning)
        return f"{name}({operands})"

    def fold(self, name: str, args: Sequence[ast.expr]) -> str:
        """The largest or smallest of several numbers, or of one sequence."""
        if len(args) == 1 and isinstance(args[0], ast.Tuple | ast.List):
            args = args[0].elts
        if len(args) > 1:
            return self.library.fold(name, list(map(self.operand, args)))
        return self.library.folded(name, self.number(args[0]))

    def operand(self, node: ast.expr) -> str:
        """An operand of a library's function; PyTorch's take no plain numbers."""
        plain = self.library.prefix == "torch" and self.locals_of(node) <= self.loose
        return f"tensor({self.number(node)})" if plain else self.number(node)

    def locals_of(self, node: ast.expr) -> set[str]:
        """The local names that an expression depends on."""
        return {n.id for n in names_in([node])} & self.function.local


def plain_numbers(tree: ast.FunctionDef) -> set[str]:
    """Local names that may stand for plain numbers: from defaults, literals or a range."""
    args = tree.args
    names = {a.arg for a in [*args.args[len(args.args) - len(args.defaults) :], *args.kwonlyargs]}
    for n in ast.walk(tree):
        if isinstance(n, ast.For):
            names |= {x.id for x in names_in([n.target], ast.Store)}
        elif isinstance(n, ast.Assign) and not any(names_in([n.value])):
            names |= {x.id for x in names_in(n.targets, ast.Store)}
    return names


def names_in(nodes: Iterable[ast.AST], context: type = ast.Load) -> Iterator[ast.Name]:
    """The names that are read, or with ast.Store set."""
    found = (n for node in nodes for n in ast.walk(node))
    return (n for n in found if isinstance(n, ast.Name) and isinstance(n.ctx, context))


def stored(statements: Sequence[ast.stmt]) -> list[str]:
    """The names that statements set, in order."""
    return list(dict.fromkeys([n.id for n in names_in(statements, ast.Store)]))


def always_returns(statements: Sequence[ast.stmt]) -> bool:
    """Whether a block always returns."""
    match statements:
        case [*_, ast.If(body=body, orelse=orelse)]:
            return always_returns(body) and always_returns(orelse)
        case [*_, ast.Return()]:
            return True
    return False


def may_leave(s: ast.stmt) -> bool:
    """Whether a statement may leave the block around it."""
    return any(isinstance(n, ast.Return | ast.Break | ast.Continue) for n in ast.walk(s))


def refused(node: ast.AST, why: str = "no array can follow") -> Untranslatable:
    return Untranslatable(f"{why} `{ast.unparse(node).splitlines()[0]}`")


def literal(x: float) -> str:
    """A number as Python writes it."""
    return repr(x) if math.isfinite(x) else f"{'-' * (x < 0)}math.{abs(x)}"
