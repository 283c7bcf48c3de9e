"""A recorded program as text that runs on its own: in plain Python, NumPy, JAX or PyTorch.

Plain Python gets the functions of numeric.py as they stand there, and so the bits of the program;
the libraries get them translated (branchless.py). So a new operation needs no line here.
"""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np

from microgrid.engine import numeric, ops
from microgrid.engine.errors import GraphError
from microgrid.engine.trees import tree_leaves
from microgrid.engine.value import Constant, Op, Value, peek
from microgrid.program.signature import Signature
from microgrid.program.structure import Structure
from microgrid.program.tape import Tape
from microgrid.program.text import branchless
from microgrid.program.text.branchless import BATCH, INDENT, LIBRARIES, Untranslatable, literal
from microgrid.program.text.statements import Statements, identifier, sum_template, terms_of, total
from microgrid.views.notation import ARITHMETIC, ATOM, PYTHON, UNARY, write

IGNORING = '@np.errstate(all="ignore")  # all branches are computed, where one is needed'
WIDTH, STANDARD = 100, ("functools", "math", "operator")
FUNCTION = re.compile("def |@")
PIECE = 100  # terms of a sum in one statement: the parser of Python goes no deeper than some 1000


class Module:
    """A program as a module of its own, with `value` and, for one output, `value_and_grad`."""

    parameters: list[str]

    def __init__(self, tape: Tape, signature: Signature, language: str) -> None:
        if language not in LIBRARIES:
            raise GraphError(f"there is no language {language!r}: {', '.join(LIBRARIES)}")
        self.signature, self.single = signature, len(tape.outputs) == 1
        self.language, self.library = language, LIBRARIES[language]
        self.helpers = Helpers(self.library)
        self.notation = replace(
            PYTHON, call=self.helpers.call, join=self.library.join, number=number_and_strength
        )

    def body(self, name: str) -> tuple[list[str], list[str], list[str]]:
        """The statements of a function: they unpack the arguments, go forward, go backward."""
        raise NotImplementedError

    def returned(self, name: str) -> str:
        """What a function returns."""
        raise NotImplementedError

    def notes(self) -> list[str]:
        """What is to know about the arguments and the results, but for their shapes."""
        raise NotImplementedError

    def tables(self) -> list[str]:
        """Statements that make the constants of the module, beside those of its helpers."""
        return []

    def written(self, v: Value, names: Mapping[Value, str]) -> str:
        """The expression of a node; Untranslatable, which names the operation, without a text."""
        try:
            return write(v, self.notation, names)
        except Untranslatable as why:
            raise self.unwritten(v.op, why) from None

    def unwritten(self, op: Op | None, why: Untranslatable) -> Untranslatable:
        name = op.name if op else "?"
        return Untranslatable(f"the operation {name} has no text in {self.language}: {why.args[0]}")

    def text(self) -> str:
        """The whole module; the helpers and imports that it needs, and only those."""
        texts = [*self.helpers.texts.values(), *self.tables()]
        constants = "\n".join([x for x in texts if not FUNCTION.match(x)])
        functions = [x for x in texts if FUNCTION.match(x)]
        functions += map(self.function, ["value", "value_and_grad"][: 1 + self.single])
        for name, helper in reversed(self.library.helpers.items()):
            if any(mentions(x, rf"{name}[(,]") for x in functions):
                functions.insert(0, helper)
        used = "\n".join([constants, *functions])
        imports = {f"import {m}" for m in STANDARD if mentions(used, rf"{m}\.")}
        libraries = self.library.imports.splitlines()
        libraries = [x for x in libraries if mentions(used, re.escape(f"{x.split()[-1]}."))]
        head = [self.header(), "\n".join(sorted(imports | self.helpers.imports)),
                "\n".join(libraries), constants]  # fmt: skip
        return "\n\n\n".join(["\n\n".join(filter(None, head)), *functions]) + "\n"

    def header(self) -> str:
        """The docstring: what the functions are, what they take and what else is to know."""
        takes = ", ".join(self.parameters)
        also = f" and value_and_grad({takes})" if self.single else ""
        said = f"value({takes}){also}: made by microgrid from a recorded program."
        arguments = self.signature.arguments
        shapes = "; ".join([f"{p} is {x}" for p, x in zip(self.parameters, arguments)])
        first, *notes = self.notes()
        note = " ".join([f"{shapes or 'There are no arguments'}.", *[first] * bool(first)])
        text = "\n\n".join(["\n".join(rows_of(x, WIDTH - 3)) for x in (said, note)])
        return "\n".join([f'"""{text}', *notes, *self.library.notes, '"""'])

    def function(self, name: str) -> str:
        """`value`, or `value_and_grad` with the statements of the backward pass."""
        unpacked, forward, backward = self.body(name)
        lines = [*unpacked, *forward]
        if name != "value":
            lines = [*unpacked, *["# forward"] * bool(backward), *forward,
                     "", "# backward: upstream × local", *backward]  # fmt: skip
        lines.append(f"return {self.returned(name)}")
        body = fitted("\n".join([f"{INDENT}{x}".rstrip() for x in lines]))
        text = f"def {name}({', '.join(self.parameters)}):\n{body}"
        if "np.where" in "".join([text, *self.helpers.texts.values()]).replace("jnp.where", ""):
            text = f"{IGNORING}\n{text}"
        return text


class Scalars(Module):
    """A program as statements about numbers, a line each."""

    def __init__(self, tape: Tape, signature: Signature, language: str) -> None:
        super().__init__(tape, signature, language)
        self.statements = s = Statements(tape)
        called = [op for op in s.operations if op not in ARITHMETIC]
        for op in sorted(called, key=lambda op: ops.TABLE.get(op.name) is not op):
            try:  # only to know the names of its helpers
                self.helpers.call(op, [f"#{i + 1}" for i in range(op.arity or 2)])
            except Untranslatable as why:
                raise self.unwritten(op, why) from None
        taken = {*self.helpers.reserved, *self.helpers.objects}
        self.names = s.names(taken)
        self.parameters, begin = [], 0
        for structure, name in zip(signature.arguments, signature.names):
            own = self.names[s.inputs[begin]] if structure.kind is float else ""
            alike = own == identifier(name, set())  # one number is called like its argument
            self.parameters.append(own if alike else identifier(name, taken))
            begin += structure.size
        self.gradient_of = {gradient: v for v, gradient in s.gradient.items()}
        self.forward, self.backward = [
            [line for v in nodes for line in self.statement(v)] for nodes in (s.forward, s.backward)
        ]

    def body(self, name: str) -> tuple[list[str], list[str], list[str]]:
        return self.unpacked(), self.forward, self.backward

    def notes(self) -> list[str]:
        note = ""
        if any(x.kind is not float for x in self.signature.arguments):
            note = "Lists may also be arrays." + " Gradients come as (nested) lists." * self.single
        return [note, *BATCH] if self.library.prefix else [note]

    def unpacked(self) -> list[str]:
        """Statements that give the entries of the arguments their names."""
        names = iter([self.names[v] for v in self.statements.inputs])
        pairs = [(nested(x, names), p) for x, p in zip(self.signature.arguments, self.parameters)]
        return [line for names, p in pairs for line in unpack(names, p, self.library.array)]

    def statement(self, v: Value) -> list[str]:
        """The statement of a node, or several where a sum is very long."""
        name = self.names[v]
        if type(v) is Constant:  # a gradient that is a mere number, for each sample of a batch
            like = f"{'ones' if peek(v) else 'zeros'}_like({self.names[self.gradient_of[v]]})"
            prefix = self.library.prefix
            return [f"{name} = {prefix}.{like}" if prefix else f"{name} = {literal(peek(v))}"]
        terms = terms_of(v, self.names)
        pieces = [terms[i : i + PIECE] for i in range(0, len(terms), PIECE)]
        sums = [total(pieces[0]), *[total([(v, 1.0), *piece]) for piece in pieces[1:]]]
        sums = [v] if terms[0][0] is v else sums
        texts = [write(x, self.notation, self.names) for x in sums]
        return [f"{name} = {text}".replace(" + -", " - ") for text in texts]

    def returned(self, name: str) -> str:
        s, arguments = self.statements, self.signature.arguments
        outputs = iter([self.names.get(v) or literal(peek(v)) for v in s.outputs])
        value = next(outputs) if self.single else bracketed(nested(self.signature.result, outputs))
        if name == "value":
            return value
        gradients = iter([self.names[s.gradient[v]] for v in s.inputs])
        found = ", ".join([bracketed(nested(x, gradients)) for x in arguments])
        return f"{value}, {found if len(arguments) == 1 else f'({found})'}"


class Helpers:
    """The functions, constants and imports that the text needs beside its statements."""

    def __init__(self, library: branchless.Library) -> None:
        self.library = library
        self.reserved = {"value", "value_and_grad", *branchless.MODULES, *library.helpers}
        self.objects: dict[str, Any] = {}
        self.texts: dict[str, str] = {}
        self.imports: set[str] = set()

    def call(self, op: Op, operands: Sequence[str]) -> str:
        """The call of an operation, as text; adds the function that it needs."""
        if op.terms is not None:
            return sum_template(op, operands)
        lib, plain = self.library, ", ".join(operands)
        core = lib.core(op.forward)
        if lib.prefix and ops.TABLE.get(op.name) is op:
            if core is numeric.where:
                return lib.where(f"{operands[0]} != 0", *operands[1:])
            if core in branchless.FOLDS:
                return lib.fold(branchless.FOLDS[core], operands)
            if op.name in lib.own:
                return lib.own[op.name].format(plain)
        if isinstance(core, BuiltinFunctionType):
            return lib.builtin(core, operands)
        if not isinstance(core, FunctionType):
            raise Untranslatable("its forward is no function of Python's")
        others = {name for name, f in self.objects.items() if f is not core}
        alike = core.__closure__ or core.__name__ == "<lambda>"  # in name alone
        known = op.name if alike else core.__name__
        name = identifier(known, {*self.reserved, *dir(builtins), *others})
        self.take(name, core)
        sequence = op.arity is None and core is not op.forward
        return f"{name}(({plain}{',' * (len(operands) == 1)}))" if sequence else f"{name}({plain})"

    def over(self, op: Op, operands: Sequence[tuple[str, str]]) -> str:
        """The call of an operation on many operands, of which `*x` are the entries of an array.

        With each such text comes that of the array with its entries along the last axis.
        """
        core: Any = self.library.core(op.forward)
        fold, over = branchless.FOLDS.get(core, ""), branchless.OVER.get(core, "")
        if fold or (over and len(operands) == 1):
            each = [self.library.over(over, last) if last else x for x, last in operands]
            return each[0] if len(each) == 1 else self.library.fold(fold, each)
        text = self.call(op, [x for x, _ in operands])
        first = operands[0][0]
        return text.replace(f"({first},)", first[1:]) if len(operands) == 1 else text

    def take(self, name: str, f: Any) -> None:
        """Take in a function or a constant under this name."""
        own = {*self.reserved, *dir(builtins)}
        if self.objects.get(name, f) is not f or (name in own and not isinstance(f, ModuleType)):
            raise Untranslatable(f"two things are called {name}")
        if name in self.objects:
            if self.library.prefix and isinstance(f, FunctionType) and name not in self.texts:
                raise Untranslatable(f"{name} calls itself")  # without a branch for ever
            return
        before = {**self.objects, name: f}, dict(self.texts)
        self.objects[name] = f
        try:
            text = self.text_of(name, f)
        except Untranslatable:
            if self.library.prefix != "np" or not isinstance(f, FunctionType):
                raise
            self.objects, self.texts = before
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
        if isinstance(f, tuple):
            return fitted(f"{name} = {f!r}")
        if isinstance(f, int | float | str | None):
            return f"{name} = {literal(f) if isinstance(f, float) else repr(f)}"
        core = self.library.core(f)
        if isinstance(core, BuiltinFunctionType):
            return f"{name} = {core.__module__.lstrip('_')}.{core.__name__}"
        if not isinstance(core, FunctionType):
            raise Untranslatable(f"{name} is no function and no number")
        function = branchless.Function(core)
        if not self.library.prefix:
            return function.copied(name, self.take)
        return fitted(branchless.Branchless(function, self.library, self.take).text(name))

    def vectorized(self, name: str, f: FunctionType) -> str:
        """The function in plain Python, which NumPy calls for one sample after the other."""
        plain = Helpers(LIBRARIES["python"])
        plain.take(name, f)
        text = plain.texts.pop(name)
        for key, other in plain.texts.items():
            if key in self.objects and self.texts.get(key) != other:
                raise Untranslatable(f"two things are called {key}")
        self.objects |= plain.objects
        self.texts |= plain.texts
        self.imports |= plain.imports
        return f"@functools.partial(np.vectorize, otypes=[float])\n{text}"


def number_and_strength(x: float) -> tuple[str, int]:
    """A number, and how strongly it binds."""
    text = literal(float(x))
    return text, UNARY if text.startswith("-") else ATOM


def nested(form: Structure, entries: Iterator[Any]) -> Any:
    """Texts as nested lists and dicts in a structure; the keys of a dict are texts as well."""
    if form.kind is dict:
        return {key_text(key): nested(part, entries) for key, part in zip(form.keys, form.parts)}
    if form.kind is not float and form.kind is not np.ndarray:
        return [nested(part, entries) for part in form.parts]
    rows = [Structure(np.ndarray, form.shape[1:])] * form.shape[0] if form.shape else []
    return [nested(row, entries) for row in rows] if form.shape else next(entries)


def key_text(key: Any) -> str:
    """A key of a dict as text; GraphError unless it is a text or a number, or a tuple of such."""
    try:
        if ast.literal_eval(repr(key)) == key:
            return repr(key)
    except (ValueError, SyntaxError):
        pass
    raise GraphError(f"the key {key!r} of a dict has no text: use a string")


def bracketed(texts: Any) -> str:
    if isinstance(texts, dict):
        return f"{{{', '.join([f'{key}: {bracketed(x)}' for key, x in texts.items()])}}}"
    return texts if isinstance(texts, str) else f"[{', '.join(map(bracketed, texts))}]"


def unpack(names: Any, value: str, array: str) -> list[str]:
    """Statements that give the entries of a value their names, as floats or arrays of samples."""
    if isinstance(names, str):
        return [f"{names} = {array}({value})"]
    if holds_dict(names):
        keys = names if isinstance(names, dict) else map(str, range(len(names)))
        parts = names.values() if isinstance(names, dict) else names
        return [line for k, x in zip(keys, parts) for line in unpack(x, f"{value}[{k}]", array)]
    if numbers := numbers_by_row(names, value, array):
        return [f"{tupled(names)} = {numbers}"] * bool(names)
    flat = tree_leaves(names)
    return [f"{tupled(names)} = {value}", *unpack(flat, f"({tupled(flat)})", array)]


def holds_dict(names: Any) -> bool:
    return isinstance(names, dict) or (isinstance(names, list) and any(map(holds_dict, names)))


def numbers_by_row(names: Sequence[Any], value: str, array: str) -> str:
    """The entries of a value as numbers, row by row; no text where its rows are not alike."""
    if all(isinstance(x, str) for x in names):
        return f"map({array}, {value})"
    each = "entries" if value == "row" else "row"
    rows = {"" if isinstance(x, str) else numbers_by_row(x, each, array) for x in names}
    return f"[{rows.pop()} for {each} in {value}]" if len(rows) == 1 and all(rows) else ""


def tupled(names: Any) -> str:
    """Names as the target of an assignment."""
    each = [x if isinstance(x, str) else f"({tupled(x)})" for x in names]
    return f"({each[0]},)" if len(each) == 1 else ", ".join(each)


QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")


def fitted(text: str) -> str:
    """A text in lines that are not too long."""
    return "\n".join([y for x in text.splitlines() for y in wrapped(x)])


def wrapped(line: str) -> list[str]:
    """A statement in lines that are not too long."""
    bare = line.lstrip()
    if len(line) <= WIDTH or bare.startswith(('"""', "for ", "def ")):
        return [line]
    margin = line[: len(line) - len(bare)]
    bare = QUOTED.sub(lambda key: key[0].replace(" ", "\0"), bare)  # a key stays in one piece
    head, gap, value = bare.partition(" = " if " = " in bare else " ")  # or return
    unpacking = len(head) > len(value)
    rows = rows_of(head if unpacking else value, WIDTH - len(INDENT) - len(margin))
    rows = [margin + INDENT + x for x in rows]
    first, last = ("(", f") = {value}") if unpacking else (f"{head}{gap}(", ")")
    return [x.replace("\0", " ") for x in (margin + first, *rows, margin + last)]


def rows_of(text: str, width: int) -> list[str]:
    """A text in lines of this width. Products stay in one piece, a sign stands before its term."""
    text = re.sub(r" ([*/]) ", "\0\\1\0", text)
    text = re.sub(r" ([+-]) ", " \\1\0", text)
    rows = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [row.replace("\0", " ") for row in rows]


def mentions(text: str, pattern: str) -> bool:
    """Whether a text has this word, not as an attribute."""
    return re.search(rf"(?<![\w.]){pattern}", text) is not None
