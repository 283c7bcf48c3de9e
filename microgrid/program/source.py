"""A recorded program as text that runs on its own: in plain Python, NumPy, JAX or PyTorch.

Plain Python gets the functions of numeric.py as they stand there, and so the bits of the program.
The libraries compute arrays of samples at once, where no `if` can choose: there each function is
translated from its own text into one without branches. So a new operation needs no line here.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import math
import operator
import re
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from microgrid import numeric, ops
from microgrid.errors import GraphError
from microgrid.program.forms import Form
from microgrid.program.tape import LAST_BIT, Tape
from microgrid.program.wengert import (
    ARITHMETIC,
    RESERVED,
    Apply,
    Expression,
    Statement,
    Wengert,
    identifier,
    product,
    tidy,
    wengert,
    written,
)
from microgrid.value import Op

WIDTH, INDENT = 100, "    "
PIECE = 100  # terms of a sum in one statement: the parser of Python goes no deeper than some 1000
LITERAL = re.compile(r"-?(\d[\d.]*(e[+-]?\d+)?|math\.(inf|nan))")
SIGNS = {
    operator.add: "({}) + ({})", operator.sub: "({}) - ({})", operator.mul: "({}) * ({})",
    operator.truediv: "({}) / ({})", operator.pow: "({}) ** ({})", operator.neg: "-({})",
    operator.pos: "({})", operator.abs: "abs({})",
}  # fmt: skip
FOLDS = {numeric.largest: "maximum", numeric.smallest: "minimum", max: "maximum", min: "minimum"}
SEQUENCES = (sum, len, range, zip, enumerate, reversed)  # of Python's lists, also of arrays


@dataclass(frozen=True)
class Library:
    """What a language calls things; the functions of math that it has, by their names there."""

    imports: str
    prefix: str  # empty for plain Python
    array: str = ""  # what makes a number or an array of samples an array
    helpers: dict[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    own: frozenset[str] = frozenset()  # operations of the table that it has under their names
    note: str = ""


SAME = "exp expm1 log log2 log10 log1p sqrt sin cos tan sinh cosh tanh hypot copysign floor ceil "
SAME += "trunc isnan isinf isfinite frexp ldexp"
OTHER = {"a" + f: "arc" + f for f in ["sin", "cos", "tan", "sinh", "cosh", "tanh", "tan2"]}
OWN = frozenset({"hypot", "logaddexp", "square", "reciprocal"})
FAR_OUT = """ works, too; but where a branch
overflows that is not taken, it may give nan, and value_and_grad does not."""
BATCH = """
An entry may also be an array, with a number for each sample of a batch; then the gradients, too,
have a number for each sample: add up those of entries that the samples share."""


def functions_of(prefix: str, **others: str) -> dict[str, str]:
    """The functions of math in a library, by their names in math."""
    names = {f: f for f in SAME.split()} | OTHER | {"fabs": "abs"}
    return {f: f"{prefix}.{name}" for f, name in names.items()} | others


LIBRARIES = {
    "python": Library("", ""),
    "numpy": Library(
        "import numpy as np", "np", "array",
        {"array": "def array(x):\n    return np.asarray(x, dtype=float)"},
        functions_of("np", cbrt="np.cbrt"), OWN, BATCH,
    ),
    "jax": Library(
        "import jax.numpy as jnp\nimport jax.scipy.special", "jnp", "array",
        {"array": "def array(x):\n    return jnp.asarray(x, dtype=float)"},
        functions_of(
            "jnp", cbrt="jnp.cbrt", erf="jax.scipy.special.erf", erfc="jax.scipy.special.erfc",
            lgamma="jax.scipy.special.gammaln",
        ), OWN,
        BATCH + '\nNumbers have 32 bits unless jax.config.update("jax_enable_x64", True) comes '
        "first.\njax.jit works. jax.grad of value" + FAR_OUT,
    ),
    "torch": Library(
        "import torch", "torch", "tensor",
        {
            "tensor": "def tensor(x):\n    return torch.as_tensor(x, dtype=torch.float64)",
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
        ), OWN | {"sigmoid", "relu"},
        BATCH + "\nAll is computed in float64. torch.autograd of value" + FAR_OUT,
    ),
}  # fmt: skip
MODULES = {"math", "functools", "operator", "jax", "jnp", "np", "torch"}


def source(
    tape: Tape, forms: Sequence[Form], names: Sequence[str], language: str,
    result: Form | None = None,
) -> str:  # fmt: skip
    """A program as a module of its own, with `value` and, for one output, `value_and_grad`.

    `result` is the form in which `value` returns several outputs; a flat list without it.
    """
    if language not in LIBRARIES:
        raise GraphError(f"there is no language {language!r}: {', '.join(LIBRARIES)}")
    return Module(tape, forms, names, language, result).text()


class Untranslatable(Exception):
    """Text for which there is no text without branches."""


class Module:
    """The text of one program in one language."""

    def __init__(
        self, tape: Tape, forms: Sequence[Form], names: Sequence[str], language: str,
        result: Form | None,
    ) -> None:  # fmt: skip
        self.tape, self.forms, self.language, self.result = tape, forms, language, result
        self.library, self.helpers = LIBRARIES[language], Helpers(language)
        everything = (1 << min(len(forms), LAST_BIT + 1)) - 1
        self.w = wengert(tape, everything if len(tape.outputs) == 1 else None)
        found = operations([*self.w.forward, *self.w.backward])
        for op in sorted(found, key=lambda op: ops.TABLE.get(op.name) is not op):  # own ones last
            self.helpers.call(op, ["1.0"] * (op.arity or 2))  # only to know the names
        self.names = named(self.w, self.helpers.busy())
        self.parameters = self.parameter_names(names)

    def parameter_names(self, names: Sequence[str]) -> list[str]:
        """An identifier for each argument: that of its number where it is one number."""
        taken, found, begin = self.helpers.busy() | set(self.names.values()), [], 0
        for form, name in zip(self.forms, names):
            own = self.names.get(begin, "") if form.kind is float else ""
            begin += form.size
            found.append(own if own == cleaned(name) else identifier(cleaned(name), taken))
            taken.add(found[-1])
        return found

    def text(self) -> str:
        """The whole module; the helpers and imports that it needs, and only those."""
        functions = [self.function("value", [])]
        if len(self.tape.outputs) == 1:
            functions.append(self.function("value_and_grad", self.w.backward))
        others = [*self.helpers.functions(), *functions]
        array = self.library.array
        others = [x for x in others if not x.startswith(f"def {array}(")
                  or any(re.search(rf"\b{array}\b", y) for y in others if y is not x)]  # fmt: skip
        parts = "\n\n\n".join(others)
        constants = "\n".join(self.helpers.constants())
        used = f"{constants}\n{parts}"
        imports = [f"import {m}" for m in ("functools", "math", "operator") if uses(used, m)]
        imports += sorted(self.helpers.imports)
        library = [x for x in self.library.imports.splitlines() if uses(used, x.split()[-1])]
        head = [self.header(), "\n".join(imports), "\n".join(library), constants]
        return "\n\n".join(filter(None, head)) + f"\n\n\n{parts}\n"

    def header(self) -> str:
        arguments = ", ".join(self.parameters)
        shapes = "; ".join([f"{p} is {form}" for p, form in zip(self.parameters, self.forms)])
        single = len(self.tape.outputs) == 1
        also = f" and value_and_grad({arguments})" if single else ""
        said = f"value({arguments}){also}: made by microgrid from a recorded program."
        note = f"{shapes or 'There are no arguments'}."
        lists = any(form.kind is not float for form in self.forms)
        note += " Lists may also be arrays." if lists else ""
        note += " Gradients come as (nested) lists." if lists and single else ""
        text = "\n\n".join(["\n".join(filled(x, WIDTH - 3)) for x in (said, note)])
        return f'"""{text}\n{self.library.note.lstrip()}'.rstrip() + '\n"""'

    def function(self, name: str, backward: list[Statement]) -> str:
        """`value`, or with the statements of the backward pass `value_and_grad`."""
        lines = [*self.unpacked(), *["# forward"] * bool(backward)]
        for s in self.w.forward:
            lines += self.statement(s)
        if backward or name != "value":
            lines += ["", "# backward: upstream × local"]
        for s in backward:
            lines += self.statement(s)
        lines += fitted(f"return {self.returned(name)}")
        head = ['@np.errstate(all="ignore")  # all branches are computed, where one is needed']
        text = "\n".join([*lines, *self.helpers.functions()])
        head = head if self.language == "numpy" and "np.where" in text else []
        body = "\n".join([f"{INDENT}{x}".rstrip() for x in lines])
        return "\n".join([*head, f"def {name}({', '.join(self.parameters)}):", body])

    def unpacked(self) -> list[str]:
        """The entries of the arguments get their names."""
        lines, begin = [], 0
        for form, parameter in zip(self.forms, self.parameters):
            entries = iter(range(begin, begin + form.size))
            begin += form.size
            lines += unpack(nested(form, map(self.names.get, entries)), parameter,
                            self.library.array)  # fmt: skip
        return lines

    def statement(self, s: Statement) -> list[str]:
        """One statement, or several where a sum is very long."""
        name = self.names[s.slot]
        terms = [self.term(product(u, x, ops.mul)) for u, x in s.terms]
        if not s.terms and isinstance(s.value, Apply) and s.value.op.arity is None:
            pairs = s.value.op.terms(*s.value.operands) if s.value.op.terms else []
            terms = [self.term(product(p, q, ops.mul)) for p, q in pairs]
        if not terms:
            terms = [self.term(s.value)]
        if len(terms) == 1 and LITERAL.fullmatch(terms[0]) and self.library.prefix:
            terms = [self.everywhere(s.slot, terms[0])]
        lines = fitted(f"{name} = {added(terms[:PIECE])}")
        for i in range(PIECE, len(terms), PIECE):
            lines += fitted(f"{name} = {added([name, *terms[i : i + PIECE]])}")
        return lines

    def everywhere(self, slot: int, number: str) -> str:
        """A gradient that is a mere number, for each sample of a batch."""
        of = next(self.names[s] for s, g in self.w.gradient.items() if g == slot)
        like = {"1.0": "ones_like", "0.0": "zeros_like"}
        if number in like:
            return f"{self.library.prefix}.{like[number]}({of})"
        return f"{self.library.prefix}.full_like({of}, {number})"

    def term(self, e: Expression) -> str:
        """An expression without needless brackets."""
        return tidy(written(e, self.names, self.helpers.call, number_text))

    def returned(self, name: str) -> str:
        outputs = [self.read(s) for s in self.tape.outputs.tolist()]
        if name != "value":
            gradients = map(self.gradient, range(self.tape.inputs))
            found = [bracketed(nested(form, gradients)) for form in self.forms]
            together = ", ".join(found)
            return f"{outputs[0]}, {together if len(found) == 1 else f'({together})'}"
        if self.result is None:
            return outputs[0] if len(outputs) == 1 else bracketed(outputs)
        return bracketed(nested(self.result, iter(outputs)))

    def read(self, slot: int) -> str:
        t = self.tape
        if t.inputs <= slot < t.first:
            return str(self.term(float(t.constants[slot - t.inputs])))
        return self.names[slot]

    def gradient(self, slot: int) -> str:
        """The name of the gradient of an input, or the 0 of one that leads nowhere."""
        if slot in self.w.gradient:
            return self.names[self.w.gradient[slot]]
        return f"{p}.zeros_like({self.names[slot]})" if (p := self.library.prefix) else "0.0"


class Helpers:
    """The functions, constants and imports that the text needs beside its statements."""

    def __init__(self, language: str) -> None:
        self.language, self.library = language, LIBRARIES[language]
        self.objects: dict[str, Any] = {}
        self.texts: dict[str, str] = {}
        self.imports: set[str] = set()
        if self.library.array:
            self.texts[self.library.array] = self.library.helpers[self.library.array]

    def busy(self) -> set[str]:
        """Names that no number of the program may have."""
        own = {"value", "value_and_grad", *self.library.helpers}
        return {*RESERVED, *MODULES, *self.objects, *own}

    def functions(self) -> list[str]:
        return [text for text in self.texts.values() if "\n" in text]

    def constants(self) -> list[str]:
        return [text for text in self.texts.values() if "\n" not in text]

    def call(self, op: Op, operands: list[str]) -> str:
        """The call of an operation, as text; adds the function that it needs."""
        if op.terms is not None:
            return added([f"({p}) * ({q})" if q != 1.0 else f"({p})"
                          for p, q in op.terms(*operands)])  # fmt: skip
        core, lib = core_of(op.forward, self.language), self.library
        if lib.prefix and ops.TABLE.get(op.name) is op:
            if op is ops.where:
                return self.where(f"({operands[0]}) != 0", *operands[1:])
            if core in FOLDS:
                return self.folded(FOLDS[core], operands)
            if op.name in lib.own:
                return f"{lib.prefix}.{op.name}({self.arrays(operands)})"
        if isinstance(core, BuiltinFunctionType):
            try:
                return self.builtin(core, operands)
            except Untranslatable as why:
                raise failure(op.name, self.language, why) from None
        if not isinstance(core, FunctionType):
            raise failure(op.name, self.language, "its forward is no function of Python's")
        name = self.required(op, core)
        sequence = op.arity is None and core is not op.forward
        return f"{name}(({self.arrays(operands)},))" if sequence else (
            f"{name}({self.arrays(operands)})")  # fmt: skip

    def arrays(self, operands: Sequence[str]) -> str:
        """Operands of a function; PyTorch's take tensors only."""
        if self.language != "torch":
            return ", ".join(operands)
        return ", ".join([f"tensor({x})" if LITERAL.fullmatch(x) else x for x in operands])

    def where(self, condition: str, a: str, b: str) -> str:
        if self.language == "torch":
            self.ready("where")
            return f"where({condition}, {a}, {b})"
        return f"{self.library.prefix}.where({condition}, {a}, {b})"

    def folded(self, name: str, operands: Sequence[str]) -> str:
        """The largest or smallest of several, two at a time."""
        if len(operands) > 4:
            return f"functools.reduce({self.library.prefix}.{name}, ({self.arrays(operands)}))"
        return reduce(lambda a, b: f"{self.library.prefix}.{name}({self.arrays([a, b])})", operands)

    def builtin(self, f: Any, operands: Sequence[str]) -> str:
        """The call of a function of math, operator or Python itself."""
        name = f.__name__
        if f in SIGNS:
            return SIGNS[f].format(*operands)
        if f.__module__ == "math":
            return self.mathematical(name, operands)
        if f.__module__ == "builtins" and (not self.library.prefix or f is abs):
            return f"{name}({', '.join(operands)})"
        raise Untranslatable(f"{f.__module__}.{name} has no counterpart")

    def mathematical(self, name: str, operands: Sequence[str]) -> str:
        """math.name in this language; of mere numbers it stays what it is."""
        lib = self.library
        if not lib.prefix:
            return f"math.{name}({', '.join(operands)})"
        if name in lib.functions and (name != "log" or len(operands) == 1):
            self.ready(lib.functions[name])
            return f"{lib.functions[name]}({self.arrays(operands)})"
        if self.language == "numpy":  # one sample after the other
            return f"np.vectorize(math.{name}, otypes=[float])({', '.join(operands)})"
        raise Untranslatable(f"math.{name} has no counterpart")

    def ready(self, name: str) -> None:
        """Take in a function that stands ready in the library's description."""
        if name in self.library.helpers:
            self.texts.setdefault(name, self.library.helpers[name])

    def required(self, op: Op, core: FunctionType) -> str:
        """The name of the function of an operation, whose text is taken in."""
        name = known = op.name if core.__closure__ else core.__name__
        count = 1
        while self.is_taken(name, core) or self.objects.get(name, core) is not core:
            count += 1
            name = f"{cleaned(known)}_{count}"
        try:
            self.take(name, core)
        except Untranslatable as why:
            raise failure(op.name, self.language, why) from None
        return name

    def is_taken(self, name: str, f: Any) -> bool:
        """Whether the text needs this name for something else."""
        own = {"value", "value_and_grad", *self.library.helpers, *MODULES, *dir(builtins)}
        return not name.isidentifier() or (name in own and not isinstance(f, ModuleType))

    def take(self, name: str, f: Any) -> None:
        """Take in a function or a constant under this name."""
        if self.objects.get(name, f) is not f or self.is_taken(name, f):
            raise Untranslatable(f"two things are called {name}")
        if name in self.objects:
            return
        before = dict(self.objects), dict(self.texts)
        self.objects[name] = f
        try:
            text = self.text_of(name, f)
        except Untranslatable:
            if self.language != "numpy" or not isinstance(f, FunctionType):
                raise
            self.objects, self.texts = before
            self.objects[name] = f
            text = self.vectorized(name, f)
        if text:
            self.texts[name] = text

    def text_of(self, name: str, f: Any) -> str:
        """The text that makes `name` this constant or function."""
        if isinstance(f, ModuleType):
            if f.__name__.split(".")[0] == "microgrid":
                raise Untranslatable(f"it uses {f.__name__}")
            self.imports.add(f"import {f.__name__}" + f" as {name}" * (f.__name__ != name))
            return ""
        if isinstance(f, int | float | str | None):
            return f"{name} = {number_text(f) if isinstance(f, float) else repr(f)}"
        core = core_of(f, self.language)
        if isinstance(core, BuiltinFunctionType):
            module = {"_operator": "operator"}.get(core.__module__, core.__module__)
            return f"{name} = {module}.{core.__name__}"
        if not isinstance(core, FunctionType):
            raise Untranslatable(f"{name} is no function and no number")
        body = Function(core)
        return body.copied(name, self) if not self.library.prefix else (
            Branchless(body, self).text(name))  # fmt: skip

    def vectorized(self, name: str, f: FunctionType) -> str:
        """The function in plain Python, which NumPy calls for one sample after the other."""
        plain = Helpers("python")
        text = Function(f).copied(name, plain)
        for key, thing in plain.objects.items():
            if self.objects.get(key, thing) is not thing or key in self.texts:
                raise Untranslatable(f"two things are called {key}")
        self.objects |= plain.objects
        self.texts |= plain.texts
        self.imports |= plain.imports
        return f"@functools.partial(np.vectorize, otypes=[float])\n{text}"


class Function:
    """A function of Python that stands as a plain `def` in a file."""

    def __init__(self, f: FunctionType) -> None:
        try:
            self.lines = textwrap.dedent(inspect.getsource(f.__code__)).splitlines()
            tree = ast.parse("\n".join(self.lines)).body[0]
        except (OSError, SyntaxError, IndexError):
            raise Untranslatable(f"the text of {f.__name__} is in no file") from None
        if not isinstance(tree, ast.FunctionDef) or f.__name__ == "<lambda>":
            raise Untranslatable("its function is a lambda: write a def")
        if f.__module__ != numeric.__name__ and (tree.decorator_list or hasattr(f, "__wrapped__")):
            raise Untranslatable(f"{f.__name__} is decorated")
        self.f, self.tree = f, tree
        for a in ast.walk(tree.args):
            if isinstance(a, ast.arg):
                a.annotation = None
        nodes = [n for s in tree.body for n in ast.walk(s)]
        self.local = {a.arg for a in ast.walk(tree) if isinstance(a, ast.arg)}
        self.local |= {n.id for n in nodes if isinstance(n, ast.Name) and stores(n)}
        self.local |= {n.name for n in nodes if isinstance(n, ast.FunctionDef)}
        free = f.__code__.co_freevars
        self.cells = {k: c.cell_contents for k, c in zip(free, f.__closure__ or ())}

    def meaning(self, name: str) -> Any:
        """What a name stands for that is not local."""
        for space in (self.cells, self.f.__globals__, vars(builtins)):
            if name in space:
                return space[name]
        raise Untranslatable(f"{self.f.__name__} uses {name}, which is not there")

    def loads(self) -> Iterator[ast.Name]:
        """Names that are read in the body and the defaults, but not local."""
        for part in (*self.tree.body, self.tree.args):
            for n in ast.walk(part):
                if isinstance(n, ast.Name) and not stores(n) and n.id not in self.local:
                    yield n

    def copied(self, name: str, helpers: Helpers) -> str:
        """The text as it stands, under another name; takes in what it uses.

        Annotations are left out, and the numbers of a closure are filled in.
        """
        body, fill = self.tree.body, []
        for n in self.loads():
            meaning = self.meaning(n.id)
            if n.id in self.cells and isinstance(meaning, int | float):
                fill.append((n, number_text(meaning)))
            elif n.id not in vars(builtins) or n.id in self.f.__globals__:
                if meaning is not self.f and (n.id, meaning) != ("math", math):
                    helpers.take(n.id, meaning)
                elif meaning is self.f and n.id != name:
                    raise Untranslatable(f"{n.id} calls itself")
        head = f"def {name}({ast.unparse(self.tree.args)}):\n"
        if body[0].lineno == self.tree.lineno:
            return head + textwrap.indent("\n".join(map(ast.unparse, body)), INDENT)
        lines = [x.encode() for x in self.lines]
        for n, text in sorted(fill, key=lambda x: (x[0].lineno, x[0].col_offset), reverse=True):
            line, end = lines[n.lineno - 1], n.end_col_offset
            lines[n.lineno - 1] = line[: n.col_offset] + text.encode() + line[end:]
        text = b"\n".join(lines[body[0].lineno - 1 : self.tree.end_lineno]).decode()
        return head + re.sub(r"  # type: ignore.*", "", text)


class Branchless:
    """Translates a function of numbers into one of arrays: where() takes the place of `if`.

    `number` and `condition` give expressions as text, `block` statements and what they return.
    """

    def __init__(self, function: Function, helpers: Helpers) -> None:
        self.function, self.helpers = function, helpers
        self.renamed: dict[str, str] = {}
        self.taken = set(function.local)
        self.loose = plain_numbers(function.tree)
        self.defined = {a.arg for a in ast.walk(function.tree.args) if isinstance(a, ast.arg)}

    def text(self, name: str) -> str:
        tree, own = self.function.tree, {*MODULES, *self.helpers.library.helpers}
        if own & self.function.local:
            raise Untranslatable(f"{name} has a local {min(own & self.function.local)}")
        lines, result = self.block(tree.body)
        if result is None:
            raise Untranslatable(f"{name} may return nothing")
        defaults = [*tree.args.defaults, *filter(None, tree.args.kw_defaults)]
        if any(not isinstance(x, ast.Constant) for x in defaults):
            raise Untranslatable(f"{name} has defaults that are no numbers")
        body = "\n".join([*lines, f"return {result}"])
        found = ast.unparse(ast.parse(f"def {name}({ast.unparse(tree.args)}):\n"
                                      f"{textwrap.indent(body, INDENT)}"))  # fmt: skip
        return "\n".join([y for x in found.splitlines() for y in fitted(x)])

    # Statements.

    def block(self, stmts: Sequence[ast.stmt]) -> tuple[list[str], str | None]:
        """Lines without branches, and the text of what is returned, if anything is."""
        lines: list[str] = []
        for i, s in enumerate(stmts):
            match s:
                case ast.Return(value=ast.expr() as value):
                    return lines, self.number(value)
                case ast.Expr(value=ast.Constant(value=str(text))):
                    lines += [repr(line) for line in text.splitlines()[:1]]
                case ast.Assign(targets=[target]):
                    lines.append(f"{self.target(target)} = {self.number(s.value)}")
                    self.define(target)
                case ast.AugAssign(target=ast.Name() as target):  # not in place: arrays are shared
                    value = ast.BinOp(target, s.op, s.value)
                    lines.append(f"{self.target(target)} = {self.number(value)}")
                case ast.For(orelse=[]) if not returns(s.body):
                    self.define(s.target)
                    body, _ = self.block(s.body)
                    head = f"for {self.target(s.target)} in {self.number(s.iter)}:"
                    lines += [head, *[INDENT + x for x in body]]
                case ast.If() if ends(s.body):
                    more, result = self.early(s, [*s.orelse, *stmts[i + 1 :]])
                    return lines + more, result
                case ast.If(orelse=orelse) if orelse and ends(orelse):
                    opposite = ast.If(ast.UnaryOp(ast.Not(), s.test), orelse, s.body)
                    more, result = self.early(opposite, [*s.body, *stmts[i + 1 :]])
                    return lines + more, result
                case ast.If() if not returns([s]):
                    lines += self.merged(s)
                case ast.Pass():
                    pass
                case _:
                    raise Untranslatable(f"no array can follow `{first_line(s)}`")
        return lines, None

    def early(self, s: ast.If, rest: Sequence[ast.stmt]) -> tuple[list[str], str]:
        """`if c: return a` and the rest: where(c, a, rest)."""
        condition = self.condition(s.test)
        lines, a = self.inside(s.body)[:2]
        others, b = self.block(rest)
        if a is None or b is None:
            raise Untranslatable(f"nothing is returned beside `{first_line(s)}`")
        if {*stored(ast.parse("\n".join(others)).body)} & set(
            re.findall(r"\w+", f"{condition} {a}")
        ):  # keep what it is now
            kept = [self.fresh("early"), self.fresh("result")]
            lines += [f"{kept[0]} = {condition}", f"{kept[1]} = {a}"]
            condition, a = kept
        return lines + others, self.choice(condition, a, b)

    def inside(self, stmts: Sequence[ast.stmt]) -> tuple[list[str], str | None, dict[str, str]]:
        """A branch, whose names are its own; with it, the new names of those that it sets."""
        before = self.renamed, set(self.defined)
        names = {name: self.fresh(name) for name in stored(stmts)}
        lines, result = [], None
        for i, s in enumerate(stmts):
            if returns([s]) and not stored(stmts[i:]):
                more, result = self.block(stmts[i:])
                lines += more
                break
            lines += self.under(s, names)
        self.renamed, self.defined = before
        return lines, result, names

    def fresh(self, name: str) -> str:
        """A name that is not yet there."""
        count = 1
        while f"{name}_{count}" in self.taken:
            count += 1
        self.taken.add(f"{name}_{count}")
        return f"{name}_{count}"

    def under(self, s: ast.stmt, names: dict[str, str]) -> list[str]:
        """One statement of a branch; a name changes its meaning once it has been set."""
        match s:
            case ast.Assign(targets=[target], value=value):
                pass
            case ast.AugAssign(target=ast.Name() as target):
                value = ast.BinOp(target, s.op, s.value)
            case ast.If() if not returns([s]):
                return self.merged(s, names)
            case ast.Pass():
                return []
            case _:
                raise Untranslatable(f"no array can follow `{first_line(s)}` in a branch")
        text = self.number(value)
        self.renamed = self.renamed | {k: names[k] for k in self.define(target)}
        return [f"{self.target(target)} = {text}"]

    def merged(self, s: ast.If, into: dict[str, str] | None = None) -> list[str]:
        """`if c: x = a`: x = where(c, a, x), under the names that `into` gives."""
        condition = self.condition(s.test)
        lines, then = inlined(*self.inside(s.body))
        more, other = inlined(*self.inside(s.orelse))
        names = [n for n in {**then, **other} if n in self.defined or (n in then and n in other)]
        now = {n: self.renamed.get(n, n) for n in names}
        chosen = [self.choice(condition, then.get(n, now[n]), other.get(n, now[n])) for n in names]
        if not names:
            return []
        if into is not None:
            self.renamed = self.renamed | {n: into[n] for n in names}
        self.defined |= {*names}
        targets = [self.renamed.get(n, n) for n in names]
        return [*lines, *more, f"{', '.join(targets)} = {', '.join(chosen)}"]

    def define(self, target: ast.expr) -> list[str]:
        """The names of a target, which have a meaning from now on."""
        names = [n.id for n in ast.walk(target) if isinstance(n, ast.Name)]
        self.defined |= {*names}
        return names

    def target(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return self.renamed.get(node.id, node.id)
        if isinstance(node, ast.Tuple):
            return ", ".join(map(self.target, node.elts))
        raise Untranslatable(f"{ast.unparse(node)} is set")

    # Expressions.

    def number(self, node: ast.expr) -> str:
        """The text of a number, or of a sequence of numbers."""
        match node:
            case ast.Constant(value=bool(x)):
                return str(float(x))
            case ast.Constant(value=int() | float()):
                return f"({ast.unparse(node)})"
            case ast.Name(id=name):
                return self.name(name)
            case ast.Attribute(value=ast.Name(id="math"), attr=name):
                return f"math.{name}"
            case ast.Compare() | ast.UnaryOp(op=ast.Not()):
                return self.choice(self.condition(node), "1.0", "0.0")
            case ast.BoolOp() if all(map(is_condition, node.values)):
                return self.choice(self.condition(node), "1.0", "0.0")
            case ast.UnaryOp(op=ast.UAdd()):
                return self.number(node.operand)
            case ast.UnaryOp(op=ast.USub()):
                return f"(-{self.number(node.operand)})"
            case ast.BinOp():
                sign = ast.unparse(ast.BinOp(ast.Name("a"), node.op, ast.Name("b")))[1:-1]
                return f"({self.number(node.left)}{sign}{self.number(node.right)})"
            case ast.IfExp():
                return self.conditional(node)
            case ast.Tuple():
                return f"({''.join([self.number(x) + ', ' for x in node.elts])})"
            case ast.List():
                return f"[{', '.join(map(self.number, node.elts))}]"
            case ast.Subscript(slice=index):
                return f"{self.number(node.value)}[{ast.unparse(index)}]"
            case ast.ListComp(generators=[ast.comprehension(ifs=[]) as g]):
                each = f"for {self.target(g.target)} in {self.number(g.iter)}"
                return f"[{self.number(node.elt)} {each}]"
            case ast.Call(keywords=[]):
                return self.call(node)
        raise Untranslatable(f"no array can follow `{ast.unparse(node)}`")

    def condition(self, node: ast.expr) -> str:
        """The text of something true or false."""
        match node:
            case ast.Constant(value=bool(x)):
                return str(x)
            case ast.BoolOp():
                sign = " & " if isinstance(node.op, ast.And) else " | "
                return f"({sign.join(map(self.condition, node.values))})"
            case ast.UnaryOp(op=ast.Not()):
                return f"(~{self.condition(node.operand)})"
            case ast.Compare():
                terms = [self.number(x) for x in (node.left, *node.comparators)]
                signs = [ast.unparse(ast.Compare(ast.Name("a"), [x], [ast.Name("b")]))[1:-1]
                         for x in node.ops]  # fmt: skip
                if {x.strip() for x in signs} - {"<", "<=", ">", ">=", "==", "!="}:
                    raise Untranslatable(f"no array can follow `{ast.unparse(node)}`")
                links = [f"({a}{x}{b})" for a, x, b in zip(terms, signs, terms[1:])]
                return f"({' & '.join(links)})"
        return f"({self.number(node)} != 0)"

    def conditional(self, node: ast.IfExp) -> str:
        """a if c else b, also of two tuples."""
        condition, a, b = self.condition(node.test), node.body, node.orelse
        if isinstance(a, ast.Tuple) and isinstance(b, ast.Tuple):
            pairs = zip(a.elts, b.elts, strict=True)
            each = [self.choice(condition, self.number(x), self.number(y)) for x, y in pairs]
            return f"({', '.join(each)},)"
        return self.choice(condition, self.number(a), self.number(b))

    def choice(self, condition: str, a: str, b: str) -> str:
        return self.helpers.where(condition, a, b)

    def name(self, name: str) -> str:
        """A name as it is now; takes in what is not local."""
        f = self.function
        if name in f.local:
            return self.renamed.get(name, name)
        meaning = f.meaning(name)
        if name in f.cells and isinstance(meaning, int | float):
            return f"({number_text(meaning)})"
        if not isinstance(meaning, int | float):
            raise Untranslatable(f"{name} is no number")
        self.helpers.take(name, meaning)
        return name

    def call(self, node: ast.Call) -> str:
        """A call, as the library writes it."""
        match node.func:
            case ast.Call(func=ast.Name(id="type")):
                return self.number(node.args[0])
            case ast.Attribute(value=ast.Name(id="math"), attr=name):
                return self.mathematical(name, node.args)
            case ast.Name(id=name) if name not in self.function.local:
                meaning = self.function.meaning(name)
            case _:
                raise Untranslatable(f"no array can follow `{ast.unparse(node)}`")
        core = core_of(meaning, self.helpers.language)
        if core is numeric.where:
            return self.conditional(ast.IfExp(*node.args))
        if core in FOLDS:
            return self.folded(FOLDS[core], node.args)
        operands = [self.number(x) for x in node.args]
        if core is float:
            return operands[0]
        if core is round and len(operands) == 1:
            return f"{self.helpers.library.prefix}.round({operands[0]})"
        if core in SEQUENCES:
            return f"{name}({', '.join(operands)})"
        if isinstance(core, BuiltinFunctionType):
            if core.__module__ == "math":
                return self.mathematical(core.__name__, node.args)
            return self.helpers.builtin(core, operands)
        if not isinstance(core, FunctionType):
            raise Untranslatable(f"no array can follow `{ast.unparse(node)}`")
        self.helpers.take(name, meaning)
        return f"{name}({', '.join(operands)})"

    def mathematical(self, name: str, args: Sequence[ast.expr]) -> str:
        """A function of math; of constants alone it stays, and PyTorch's take tensors."""
        if not any(map(self.loads, args)):
            return f"math.{name}({', '.join(map(self.number, args))})"
        operands = list(map(self.operand, args))
        return self.helpers.mathematical(name, operands)

    def folded(self, name: str, args: Sequence[ast.expr]) -> str:
        """The largest or smallest of several numbers, or of one sequence."""
        if len(args) == 1 and isinstance(args[0], ast.Tuple | ast.List):
            args = args[0].elts
        if len(args) > 1:
            operands = list(map(self.operand, args))
            return self.helpers.folded(name, operands)
        return f"functools.reduce({self.helpers.library.prefix}.{name}, {self.number(args[0])})"

    def operand(self, node: ast.expr) -> str:
        """An operand of a library's function; PyTorch's take no plain numbers."""
        text = self.number(node)
        plain = self.helpers.language == "torch" and self.loads(node) <= self.loose
        return f"tensor({text})" if plain else text

    def loads(self, node: ast.expr) -> set[str]:
        """The local names that an expression depends on."""
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        return names & self.function.local


def plain_numbers(tree: ast.FunctionDef) -> set[str]:
    """Local names that may stand for plain numbers: from defaults, literals or a range."""
    names = {a.arg for a in [*tree.args.args[::-1][: len(tree.args.defaults)],
                             *tree.args.kwonlyargs]}  # fmt: skip
    for n in ast.walk(tree):
        if isinstance(n, ast.For) or (
            isinstance(n, ast.Assign)
            and not any(isinstance(x, ast.Name) and not stores(x) for x in ast.walk(n.value))
        ):
            target = n.target if isinstance(n, ast.For) else n.targets[0]
            names |= {x.id for x in ast.walk(target) if isinstance(x, ast.Name)}
    return names


def inlined(
    lines: list[str], result: str | None, names: dict[str, str]
) -> tuple[list[str], dict[str, str]]:
    """A branch that sets one name to one expression needs no line."""
    if len(lines) == len(names) == 1 and result is None:
        return [], dict.fromkeys(names, lines[0].partition(" = ")[2])
    return lines, names


def stores(n: ast.Name) -> bool:
    return isinstance(n.ctx, ast.Store)


def stored(stmts: Sequence[ast.stmt]) -> list[str]:
    """The names that statements set, in order."""
    nodes = [n for s in stmts for n in ast.walk(s) if isinstance(n, ast.Name) and stores(n)]
    return list(dict.fromkeys([n.id for n in nodes]))


def ends(stmts: Sequence[ast.stmt]) -> bool:
    """Whether a block always returns."""
    last = stmts[-1]
    if isinstance(last, ast.If) and last.orelse:
        return ends(last.body) and ends(last.orelse)
    return isinstance(last, ast.Return)


def returns(stmts: Sequence[ast.stmt]) -> bool:
    """Whether a block may leave early."""
    leaving = (ast.Return, ast.Break, ast.Continue)
    return any(isinstance(n, leaving) for s in stmts for n in ast.walk(s))


def is_condition(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return all(map(is_condition, node.values))
    return isinstance(node, ast.Compare) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )


def first_line(s: ast.stmt) -> str:
    return ast.unparse(s).splitlines()[0]


def core_of(f: Any, language: str) -> Any:
    """What a function of numeric.py does to floats; another function as it is.

    The core of a power leaves it to IEEE arithmetic what Python would raise.
    """
    if getattr(f, "__module__", "") != numeric.__name__:
        return f
    core = inspect.unwrap(f)
    return f if core is numeric.float_power and language == "python" else core


def failure(name: str, language: str, why: object) -> GraphError:
    return GraphError(f"the operation {name} has no text in {language}: {why}")


def operations(statements: Sequence[Statement]) -> dict[Op, None]:
    """The operations that statements call, in order."""
    found: dict[Op, None] = {}

    def visit(e: Expression) -> None:
        if isinstance(e, Apply):
            if e.op not in ARITHMETIC:
                found[e.op] = None
            for x in e.operands:
                visit(x)

    for s in statements:
        for e in (s.value, *[x for pair in s.terms for x in pair]):
            visit(e)
    return found


def named(w: Wengert, busy: set[str]) -> dict[int, str]:
    """An identifier for each slot that is no helper's."""
    taken = set(busy)
    return {slot: identifier(cleaned(label), taken) for slot, label in w.labels.items()}


def cleaned(label: str) -> str:
    """A label with no character that Python refuses in a name, such as ² or a ligature."""
    text = unicodedata.normalize("NFKC", label.replace("{", "").replace("}", ""))
    text = "".join([c if f"a{c}".isidentifier() else "_" for c in text]).strip("_")
    return text if not text or text.isidentifier() else f"v_{text}"


def number_text(x: float) -> str:
    """A number as Python writes it."""
    return repr(x) if math.isfinite(x) else "math.nan" if x != x else (
        "math.inf" if x > 0 else "-math.inf")  # fmt: skip


def added(terms: Sequence[str]) -> str:
    """The sum of texts without needless brackets, from the left; a + -b is a - b."""
    text = terms[0]
    for term in terms[1:]:
        tree = ast.parse(term, mode="eval").body
        loose = isinstance(tree, ast.IfExp) or (
            isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add | ast.Sub)
        )
        term = f"({term})" if loose else term
        text += f" - {term[1:]}" if term.startswith("-") else f" + {term}"
    return text


def nested(form: Form, entries: Iterator[Any]) -> Any:
    """Texts as nested lists in a form."""
    if form.kind is float:
        return next(entries)
    if form.kind in (list, tuple):
        return [nested(part, entries) for part in form.parts]
    return boxes(form.shape, entries)


def boxes(shape: tuple[int, ...], entries: Iterator[Any]) -> Any:
    """Texts as nested lists in the shape of an array."""
    if not shape:
        return next(entries)
    return [boxes(shape[1:], entries) for _ in range(shape[0])]


def bracketed(texts: Any) -> str:
    return texts if isinstance(texts, str) else f"[{', '.join(map(bracketed, texts))}]"


def unpack(names: Any, value: str, array: str) -> list[str]:
    """Statements that give the entries of a value their names, by rows where that is long."""
    if isinstance(names, str):
        text = f"{array}({value})" if array else value
        return [f"{names} = {text}"] * (names != text)
    deep = any(isinstance(x, list) for x in names)
    whole = f"{tupled(names)} = {value}"
    if deep and (array or len(whole) > WIDTH - len(INDENT)):
        return [s for i, row in enumerate(names) for s in unpack(row, f"{value}[{i}]", array)]
    if not names:
        return []
    value = f"map({array}, {value})" if array else value
    return fitted(f"{tupled(names)} = {value}", len(INDENT))


def tupled(names: Any) -> str:
    """Names as the target of an assignment."""
    each = [x if isinstance(x, str) else f"({tupled(x)})" for x in names]
    return f"({each[0]},)" if len(each) == 1 else ", ".join(each)


def fitted(line: str, indent: int = len(INDENT)) -> list[str]:
    """A statement in lines that are not too long."""
    if len(line) + indent <= WIDTH or line.lstrip().startswith(('"""', "for ", "def ", "@")):
        return [line]
    margin = line[: len(line) - len(line.lstrip())]
    head, gap, value = line.strip().partition(" = ")
    if not gap:
        head, gap, value = "return", " ", line.strip().removeprefix("return ")
    tree = ast.parse(value).body[0]
    if isinstance(tree, ast.Expr) and isinstance(tree.value, ast.Tuple) and value[0] == "(":
        value = value[1:-1].removesuffix(",")
    if len(head) > len(value):  # an unpacking
        rows = filled(head, WIDTH - 2 * len(INDENT))
        return [margin + "(", *[margin + INDENT + x for x in rows], f"{margin}) = {value}"]
    rows = filled(value, WIDTH - 2 * len(INDENT) - len(margin))
    return [f"{margin}{head}{gap}(", *[margin + INDENT + x for x in rows], margin + ")"]


def filled(text: str, width: int = WIDTH) -> list[str]:
    """Lines of this width; products stay in one piece, and a sign stands before its term."""
    for sign in "*/":
        text = text.replace(f" {sign} ", f"\0{sign}\0")
    for sign in "+-":
        text = text.replace(f" {sign} ", f" {sign}\0")
    rows = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [row.replace("\0", " ") for row in rows]


def uses(text: str, module: str) -> bool:
    """Whether a text uses a module."""
    return re.search(rf"(?<![\w.]){module}\.", text) is not None
