"""The docstrings of operations and the stubs for editors: `python tests/shared/stubs.py`."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import microgrid
from microgrid import errors, results
from microgrid.engine.functions import FUNCTIONS, NO_METHODS
from microgrid.engine.op import Op
from microgrid.engine.ops import PUBLIC, TABLE
from microgrid.views.reference import describe

PACKAGE = Path(microgrid.__file__).parent
WRITTEN = '''"""Written by tests/shared/stubs.py."""

# fmt: off
# ruff: noqa
# mypy: disable-error-code="overload-overlap"
'''
HEAD = """
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

"""
HEAD_OF_PACKAGE = "\nfrom collections.abc import Iterable\nfrom typing import Any, overload\n\n"
KINDS = """from microgrid.engine.op import Op
from microgrid.engine.value import Value

PlainNumber = float | Fraction | np.number[Any] | np.bool_
Operand = Value | PlainNumber
Array = NDArray[Any]

class Operator:  # a method of Value, by which two numbers become one
    def __get__(self, v: Value, kind: type[Value]) -> BoundOperator: ...

class BoundOperator:
    @overload
    def __call__(self, other: Operand, /) -> Value: ...
    @overload
    def __call__(self, other: Array, /) -> Array: ...

class Comparison:
    def __get__(self, v: Value, kind: type[Value]) -> BoundComparison: ...

class BoundComparison:
    @overload
    def __call__(self, other: Operand, /) -> bool: ...
    @overload
    def __call__(self, other: Array, /) -> Array: ...

"""


def parameters(f: object) -> list[inspect.Parameter]:
    """The operands of a function; those of an operation are named as in its rules."""
    if isinstance(f, Op):
        return list(inspect.signature(f.joint or f.rules[0]).parameters.values())[1:]
    return [p for p in inspect.signature(f).parameters.values() if p.name != "out"]


def docstring(text: str, indent: str = "") -> str:
    """A docstring as it stands in a file."""
    assert not {"\\", '"""'} & {*re.findall(r'\\|"""', text)}
    return "\n".join([indent + line if line else "" for line in f'"""{text}\n"""\n'.split("\n")])


def overloads(
    name: str, found: list[tuple[str, str]], indent: str = "", doc: str | None = None
) -> str:
    """The ways to call a function, as (parameters, result); the first has the docstring."""
    many = f"{indent}@overload\n" * (len(found) > 1)
    lines = [f"{many}{indent}def {name}({took}) -> {gave}:" for took, gave in found]
    first = f"{lines[0]}\n{docstring(doc, indent + '    ')}" if doc else f"{lines[0]} ...\n"
    return first + "".join(f"{line} ...\n" for line in lines[1:])


def elementwise(params: list[inspect.Parameter], bare: bool) -> Iterator[tuple[str, str]]:
    """Floats give a float; with a Value the result is one, with an array it is an array."""

    def written(kinds: list[str], required: int) -> str:
        found = []
        for i, (p, kind) in enumerate(zip(params, kinds)):
            free = p.default is not p.empty and i > required
            none = " | None" if p.default is None and kind not in ("Value", "Array") else ""
            found.append(f"{p.name}: {kind}{none}" + " = ..." * free)
        return ", ".join(found + ["/"] * bare)

    n = len(params)
    yield written(["float"] * n, 0), "float"
    for kind, others in (("Value", "Operand"), ("Array", "Operand | Array")):
        before = "PlainNumber" if kind == "Value" else "Operand"
        for i in range(n):
            yield written([before] * i + [kind] + [others] * (n - i - 1), i), kind
    yield written(["PlainNumber"] * n, 0), "PlainNumber"


def of_rows(f: object) -> Iterator[tuple[str, str]]:
    """A function of rows of numbers, or of numbers one by one."""
    params = parameters(f)
    result = "list[{}]" if "list" in str(inspect.signature(f).return_annotation) else "{}"
    if params[0].kind is inspect.Parameter.VAR_POSITIONAL:
        for kind, gave in (("float", "float"), ("Operand", "Value")):
            yield f"*xs: {kind}", gave
    for kind, gave in (("float", "float"), ("Operand", "Value")):
        rows = [p.name for p in params if "Iterable" in str(p.annotation) or p.name == "xs"]
        rest = [f"{p.name}: Any" for p in params if p.name not in rows]
        yield ", ".join([f"{row}: Iterable[{kind}]" for row in rows] + rest), result.format(gave)
    if params[0].kind is inspect.Parameter.VAR_POSITIONAL:
        yield "*xs: Operand | Array", "Array"


def takes_rows(f: object) -> bool:
    return "Iterable" in str(inspect.signature(f)) or "*" in str(inspect.signature(f))


def signatures() -> str:
    """What functions and methods take and give."""
    text = WRITTEN + HEAD + KINDS
    shapes = {kind(f): f for f in FUNCTIONS.values() if isinstance(f, Op)}
    for shape, f in sorted(shapes.items()):
        text += f"class {shape}(Op):\n"
        text += overloads("__call__", [("self, " + took, gave) for took, gave in
                                       elementwise(parameters(f), bare=True)], "    ")  # fmt: skip
        text += "\n"
    for name, f in FUNCTIONS.items():
        if isinstance(f, Op):  # a class of its own, whose docstring editors show
            text += f"class {name}({kind(f)}):\n{docstring(describe(f), '    ')}\n"
    text += "class Methods:  # of Value\n"
    text += "".join([f"    __{name}__: Comparison\n" for name in ("lt", "le", "gt", "ge")])
    text += "    def __eq__(self, other: object) -> bool: ...\n"
    for name, f in FUNCTIONS.items():
        if name not in NO_METHODS:
            rest = ["self"]
            for p in parameters(f)[1:] or parameters(f)[:1] * (TABLE[name].arity is None):
                star = "*" * (p.kind is inspect.Parameter.VAR_POSITIONAL)
                none = " | None" * (p.default is None)
                free = " = ..." * (p.default is not p.empty)
                rest.append(f"{star}{p.name}: Operand{none}{free}")
            text += overloads(name, [(", ".join(rest), "Value")], "    ", describe(TABLE[name]))
    return text


def kind(f: Op) -> str:
    """The class of operations with these operands."""
    return f"Of_{'_'.join(p.name for p in parameters(f))}"


def described(name: str, f: object) -> str:
    """The docstring of a function of the table."""
    return describe(TABLE[name]) if name in TABLE else inspect.getdoc(f) or ""


def function(name: str, f: object) -> str:
    """The line of a function of the table."""
    if isinstance(f, Op):
        return f"{name}: signatures.{name}\n{docstring(describe(f))}"
    found = of_rows(f) if takes_rows(f) else elementwise(parameters(f), bare=False)
    return overloads(name, list(found), doc=described(name, f))


def names_of(module: ModuleType, rooms: dict[str, str]) -> str:
    """Every public name that is no function of the table, imported from the room it is at home."""
    homes = {name: room for room, names in rooms.items() for name in names.split()}
    lines = []
    for name in {*module.__all__, *homes}.difference(FUNCTIONS, ["__version__"]):
        x = getattr(module, name)
        home = x.__module__ if not isinstance(x, ModuleType) else x.__name__.rpartition(".")[0]
        if name in homes and not isinstance(x, ModuleType):
            home = f"microgrid.{homes[name]}"
        lines.append(f"from {home} import {name} as {name}\n")
    return "".join(sorted(lines))


def manual() -> str:
    """What `help` shows, in the package: the functions and methods need it when they are made."""
    text = '"""The docstrings of the operations, written by tests/shared/stubs.py."""\n\n'
    text += "# fmt: off\n# ruff: noqa\n\nMANUAL: dict[str, str] = {}\n"
    for name, op in PUBLIC.items():
        text += f"MANUAL[{name!r}] = {docstring(describe(op))}"
    return text


def stubs() -> dict[Path, str]:
    """The text of every stub."""
    text = WRITTEN + HEAD_OF_PACKAGE + names_of(microgrid, microgrid._LATER)
    text += "from microgrid.engine import signatures\n"
    text += "from microgrid.engine.signatures import Array, Operand, PlainNumber\n"
    text += "from microgrid.version import __version__ as __version__\n\n"
    text += "".join(function(name, f) for name, f in FUNCTIONS.items())
    text += f"\n__all__ = {microgrid.__all__!r}\n"
    return {
        PACKAGE / "engine" / "manual.py": manual(),
        PACKAGE / "__init__.pyi": text,
        PACKAGE / "errors.pyi": WRITTEN + names_of(errors, errors.ROOMS),
        PACKAGE / "results.pyi": WRITTEN + names_of(results, results.ROOMS),
        PACKAGE / "engine" / "signatures.pyi": signatures(),
    }


if __name__ == "__main__":
    for path, text in stubs().items():
        path.write_text(text, encoding="utf-8")
