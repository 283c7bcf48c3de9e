"""The reference as pages that pdoc writes: `python tests/shared/reference.py FOLDER`.

`python -m pdoc microgrid` cannot do it: it looks for names in `__dict__`, where those that are
imported later are not yet; it shows an operation as a constant; and it names a class by the room it
is at home in, which is no place that users import from. Any warning of pdoc's is an error here.
"""

import ast
import inspect
import re
import sys
import typing
import warnings
from functools import cache, cached_property
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any
from unittest import mock

import numpy as np
import pdoc.doc
import pdoc.doc_ast
import pdoc.doc_pyi
import pdoc.doc_types
from pdoc import render

import microgrid
from microgrid.engine import ops
from microgrid.engine.op import Op

BLANK = "\n\n"
LOOK = Path(__file__).parent / "reference"  # a template and colours
ARRAY = r"(?:numpy\.)?ndarray\[tuple\[Any, \.\.\.\], (?:numpy\.)?dtype\[(.*?)\]\]"


def public_modules(
    name: str = "microgrid", module: ModuleType = microgrid
) -> dict[str, ModuleType]:
    """Each module that users reach, by the name under which they reach it."""
    found = {name: module}
    for child in module.__all__:
        x = getattr(module, child)
        if isinstance(x, ModuleType):
            found |= public_modules(f"{name}.{child}", x)
    return found


@cache
def homes() -> dict[str, str]:
    """The public name of each class and function, by its full name at home."""
    found: dict[str, str] = {}
    for page, module in public_modules().items():
        for name in module.__all__:
            x = getattr(module, name)
            if isinstance(x, type | FunctionType):
                found.setdefault(f"{x.__module__}.{x.__qualname__}", f"{page}.{name}")
    return found


def by_public_names(text: str) -> str:
    """An annotation as users would write it."""
    text = re.sub(r"ForwardRef\('([^']*)'\)|\btyping\.(\w+)", r"\1\2", text)
    text = re.sub(ARRAY, r"NDArray[\1]", text)
    text = text.replace("numpy.random._generator.", "numpy.random.")
    return re.sub(r"microgrid(\.\w+)+", lambda found: homes().get(found[0], found[0]), text)


class Page(pdoc.doc.Module):
    """A module under the name by which users reach it, with what its `__all__` names."""

    def __init__(self, name: str, module: ModuleType) -> None:
        super(pdoc.doc.Module, self).__init__(name, "", module, (name, ""))

    @cached_property
    def _member_objects(self) -> dict[str, Any]:
        members = {name: getattr(self.obj, name) for name in self.obj.__all__}
        return {name: as_function(x) if isinstance(x, Op) else x for name, x in members.items()
                if not isinstance(x, ModuleType)}  # fmt: skip

    @cached_property
    def docstring(self) -> str:
        """What the module says, and each module below it with its first sentence."""
        below = [f"- `{page.fullname}`: {page.sentence}" for page in self.submodules]
        return "\n".join([inspect.getdoc(self.obj) or "", "", *below])

    @property
    def sentence(self) -> str:
        return (inspect.getdoc(self.obj) or "").partition(BLANK)[0].replace("\n", " ")

    @cached_property
    def submodules(self) -> list[pdoc.doc.Module]:
        return [page for name, page in pages().items() if name.rpartition(".")[0] == self.fullname]

    @cached_property
    def members(self) -> dict[str, pdoc.doc.Doc[Any]]:
        members = super().members
        for name, doc in members.items():
            for field in doc.members.values() if isinstance(doc, pdoc.doc.Class) else ():
                if field.docstring.startswith("Alias for field number"):  # of a named tuple
                    field.docstring = ""
            if name in entries():
                doc.source = entries()[name]
            if isinstance(doc, pdoc.doc.Variable):
                doc.docstring = doc.docstring or words_of(name, getattr(self.obj, name))
                if len(doc.default_value_str) > 100:
                    doc.default_value = pdoc.doc_types.empty
            home = homes().get(".".join(doc.taken_from), "")
            if self.obj is microgrid.results and not home.startswith(self.fullname):
                said = f"{doc.docstring.partition(BLANK)[0]} See `{home}`."
                members[name] = pdoc.doc.Variable(
                    self.fullname, name, taken_from=doc.taken_from, docstring=said
                )
        return members


@cache
def pages() -> dict[str, Page]:
    return {name: Page(name, module) for name, module in public_modules().items()}


def words_of(name: str, x: Any) -> str:
    """The string below the line that makes a constant, in whichever module that is."""
    for home in [m for n, m in sorted(sys.modules.items()) if n.startswith("microgrid")]:
        words = pdoc.doc_ast.walk_tree(home).var_docstrings
        if name in words and vars(home).get(name) is x:
            return words[name]
    return ""


def as_function(op: Op) -> FunctionType:
    """A function that looks like this operation, for pdoc shows no other object with operands."""

    def shown(*xs: Any) -> Any: ...

    shown.__name__ = shown.__qualname__ = op.name
    shown.__doc__, shown.__module__ = op.__doc__, "microgrid"
    shown.__signature__ = inspect.signature(op)  # type: ignore[attr-defined]
    return shown


@cache
def entries() -> dict[str, str]:
    """The source of each operation: its entry in the table."""
    text = inspect.getsource(ops)
    return {
        statement.targets[0].id: ast.get_source_segment(text, statement) or ""
        for statement in ast.parse(text).body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }


def resolved(t: Any, globalns: Any, localns: Any, module: Any, fullname: str) -> Any:
    """The type that an annotation means, also where only a type checker imports its name."""
    known = {**vars(typing), "np": np, "PlainNumber": "PlainNumber"}
    for page in public_modules().values():
        known |= {name: getattr(page, name) for name in page.__all__}
    try:  # not among the names of the class, where `bytes` may be a method
        return pdoc.doc_types._eval_type(t, {**known, **globalns}, None)
    except Exception:
        return ORIGINAL(t, globalns, localns, module, fullname)


def bases(doc: pdoc.doc.Class) -> list[tuple[str, str, str]]:
    """Module, name and text of each base class, as users would write it; none of a private one."""
    found = []
    for base in doc.obj.__bases__:
        home = homes().get(f"{base.__module__}.{base.__qualname__}")
        page, _, name = (home or f"builtins.{base.__qualname__}").rpartition(".")
        if base is not object and (home or not base.__module__.startswith("microgrid")):
            found.append((page, name, name))
    return found


def is_ours(doc: pdoc.doc.Doc[Any]) -> bool:
    """Not what a class has from Python or graphviz, nor how a result is made: by no user."""
    made = doc.name == "__init__" and doc.qualname.split(".")[0] in microgrid.results.__all__
    return not made and ("." not in doc.qualname or doc.taken_from[0].startswith("microgrid"))


def is_field(doc: pdoc.doc.Doc[Any]) -> bool:
    """Whether it is a field of a result, which has no constructor that names it."""
    kind, _, name = doc.qualname.rpartition(".")
    found = getattr(microgrid.results, kind, None) if kind in microgrid.results.__all__ else None
    fields = getattr(found, "__dataclass_fields__", ()) or getattr(found, "_fields", ())
    return name in fields and not name.startswith("_")


def own_members(doc: pdoc.doc.Class) -> list[pdoc.doc.Doc[Any]]:
    """The members of a class, and those of its private bases, which have no page of their own.

    What a public base has from a private one stands with that base alone.
    """
    public = [x for x in doc.obj.__mro__[1:] if f"{x.__module__}.{x.__qualname__}" in homes()]

    def private(home: str, name: str) -> bool:
        kind, _, member = name.rpartition(".")
        own = homes().get(f"{home}.{kind}", doc.fullname) == doc.fullname
        return home.startswith("microgrid") and own and not any(hasattr(x, member) for x in public)

    mine = (doc.modulename, doc.qualname), doc.taken_from
    return [x for x in doc.members.values()
            if (x.taken_from[0], x.taken_from[1].rpartition(".")[0]) in mine
            or private(*x.taken_from)]  # fmt: skip


def plain_stars(docstring: str) -> str:
    """Markdown in which a**2 is no bold type, but for lines of code."""
    parts = re.split(r"(`[^`]*`|^ *>>>(?:.|\n)*?(?:\n\n|\Z))", docstring, flags=re.MULTILINE)
    parts[::2] = [re.sub(r"\*(?=[\w*])", r"\*", part) for part in parts[::2]]
    return "".join(parts)


ORIGINAL = pdoc.doc_types.safe_eval_type
FORMAT = inspect.formatannotation


def write(folder: Path) -> dict[str, Page]:
    """Write the pages into a folder; an error for whatever pdoc would warn of."""

    def format_annotation(*args: Any, **keywords: Any) -> str:
        return by_public_names(FORMAT(*args, **keywords))

    render.configure(docformat="markdown", template_directory=LOOK, footer_text=
                     f"microgrid {microgrid.__version__}")  # fmt: skip
    render.env.filters["to_markdown"] = plain_stars
    render.env.tests.update(ours=is_ours, field=is_field)
    with (
        warnings.catch_warnings(),
        mock.patch.object(pdoc.doc, "formatannotation", format_annotation),
        mock.patch.object(inspect, "formatannotation", format_annotation),
        mock.patch.object(pdoc.doc.Class, "bases", property(bases)),
        mock.patch.object(pdoc.doc.Class, "own_members", property(own_members)),
        mock.patch.object(pdoc.doc, "safe_eval_type", resolved),
        mock.patch.object(pdoc.doc_types, "safe_eval_type", resolved),
        mock.patch.object(pdoc.doc_pyi, "include_typeinfo_from_stub_files"),  # of checkers
    ):
        warnings.simplefilter("error")
        for name, page in pages().items():
            path = folder / f"{name.replace('.', '/')}.html"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(render.html_module(page, pages()), encoding="utf-8")
        (folder / "index.html").write_text(render.html_index(pages()), encoding="utf-8")
        (folder / "search.js").write_text(render.search_index(pages()), encoding="utf-8")
    return pages()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
