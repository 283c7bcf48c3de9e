"""While their forward runs on Values, the names np, math, float, … in their modules are stand-ins.

Never in NumPy itself: compiled code takes what it makes for arrays of doubles and writes raw bytes.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from threading import RLock
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from microgrid.check.handwritten.forward.numpy_names import StandIns
from microgrid.check.handwritten.forward.rewritten import ENTER, LEAVE, LINE, OF, TOLD, rewritten
from microgrid.check.handwritten.forward.whose import Near, family, imported
from microgrid.engine.array_ufuncs import boxed
from microgrid.engine.labels import unnamed
from microgrid.engine.value import Value
from microgrid.engine.value_array import ValueArray, as_array, numbers

BUILTINS = {"float": float, "int": int, "round": round}
Where = Callable[[str], Any]
ONE_AT_A_TIME = RLock()  # another thread would take these stand-ins for what it has to put back


class Seen:
    """What was seen of their code: the arrays of Values that their functions held at their ends."""

    def __init__(self) -> None:
        self.inner: dict[str, Any] = {}
        self.callers: list[str] = []

    def enter(self) -> None:
        self.callers.append(unnamed.get())

    def leave(self, held: dict[str, Any]) -> None:
        unnamed.set(self.callers.pop())  # what the caller's line makes next is the caller's
        own = getattr(held.get("self"), "__dict__", {})
        for name, x in [*held.items(), *[(f"self.{k}", x) for k, x in own.items()]]:
            if isinstance(x, ValueArray | Value):
                self.inner.pop(name, None)
                self.inner[name] = x

    def names(self) -> dict[str, Any]:
        """The names that rewritten functions call."""
        made = {LINE: unnamed.set, ENTER: self.enter, LEAVE: self.leave}
        return {**made, OF: attribute, TOLD: in_text}


def attribute(x: Any, name: str) -> Any:
    """x.name, where the numbers in arrays of Values have what NumPy's numbers have."""
    if type(x) is float:
        return getattr(np.float64(x), name)
    if isinstance(x, ValueArray | Value):
        if name == "dtype":
            return np.dtype(float)
        if isinstance(x, Value):  # whose own `item` is a number, without a gradient
            return getattr(as_array(boxed(x)), name)
    return getattr(x, name)


def in_text(x: Any) -> Any:
    """What "%f" % x writes: the numbers of Values."""
    return tuple(map(in_text, x)) if type(x) is tuple else numbers(x)


@contextmanager
def standing_in(
    modules: Sequence[ModuleType], functions: Iterable[FunctionType] = ()
) -> Iterator[Seen]:
    """While it is open, these modules see a NumPy whose float arrays have room for Values.

    So do the modules of the same folders and packages, which theirs may import, and `functions`
    that stand in no module. NumPy, math and Python are untouched; in the end all is put back.

    >>> import microgrid as mg
    >>> student = ModuleType("student")
    >>> exec("import numpy as np\\ndef f(x):\\n  y = np.zeros(2)\\n  y[0] = x\\n  return y",
    ...      vars(student))
    >>> with standing_in([student]):
    ...     student.f(mg.Value(3.0))
    ValueArray([3.0, 0.0])
    >>> student.np is np
    True
    """
    names, seen, told = StandIns(), Seen(), unnamed.get()
    with ONE_AT_A_TIME, ExitStack() as undo:
        undo.callback(unnamed.set, told)
        functions = [*functions]
        theirs = family(modules)
        spaces = {id(vars(m)): vars(m) for m in theirs}
        spaces |= {id(f.__globals__): f.__globals__ for f in functions}
        known = {id(vars(m)) for m in imported(modules)} | {id(f.__globals__) for f in functions}
        found = Walk(spaces)
        for f in functions:
            found.visit(f)
        for space in list(spaces.values()):
            found.visit_all(space)
            changed(undo, space, {k: names.of(v) for k, v in space.items() if k[:2] != "__"})
            changed(undo, space, {k: names.of(v) for k, v in BUILTINS.items() if k not in space})
            changed(undo, space, seen.names())
        for holder in found.containers:
            replaced(undo, holder, names.of)
        for kind in found.classes:
            for name, x in list(vars(kind).items()):
                if isinstance(x, ModuleType) and names.of(x) is not x:
                    undo.callback(setattr, kind, name, x)
                    setattr(kind, name, names.of(x))
        for f in found.functions:
            exchanged(undo, f, names.of, id(f.__globals__) in known)
        guard_imports(undo, theirs, spaces, names)
        yield seen


class Walk:
    """The functions of some modules, and the lists and dicts in which they keep functions."""

    def __init__(self, spaces: dict[int, dict[str, Any]]) -> None:
        self.spaces, self.done = spaces, set[int]()
        self.functions: list[FunctionType] = []
        self.containers: list[Any] = []
        self.classes: list[type] = []

    def visit_all(self, space: dict[str, Any]) -> None:
        for name, x in list(space.items()):
            if name[:2] != "__":
                self.visit(x)
                if type(x) is dict or type(x) is list:
                    self.containers.append(x)
                    for y in list(x.values() if type(x) is dict else x):
                        self.visit(y)

    def visit(self, x: Any) -> None:
        if isinstance(x, staticmethod | classmethod):
            x = x.__func__
        if isinstance(x, partial):
            x = x.func
        x = getattr(x, "py_func", x)  # of numba
        if id(x) in self.done:
            return
        self.done.add(id(x))
        if isinstance(x, property):
            for f in (x.fget, x.fset, x.fdel):
                self.visit(f)
        elif isinstance(x, type):
            space = getattr(sys.modules.get(x.__module__), "__dict__", None)
            if id(space) in self.spaces or x.__module__ in self.module_names():
                self.classes.append(x)
                for y in list(vars(x).values()):
                    self.visit(y)
        elif isinstance(x, FunctionType):
            if id(x.__globals__) in self.spaces:
                self.functions.append(x)
            for cell in x.__closure__ or ():
                self.visit(held(cell))
            self.visit(getattr(x, "__wrapped__", None))

    def module_names(self) -> set[Any]:
        return {space.get("__name__") for space in self.spaces.values()}


def held(cell: Any) -> Any:
    """What a closure holds; None before it is assigned."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


# Put in, and back again


def changed(undo: ExitStack, space: dict[str, Any], new: dict[str, Any]) -> None:
    """Set names of a module until the end."""
    for name, x in new.items():
        if name in space and space[name] is x:
            continue
        if name in space:
            undo.callback(space.__setitem__, name, space[name])
        else:
            undo.callback(space.pop, name, None)
        space[name] = x


def replaced(undo: ExitStack, holder: Any, of: Where) -> None:
    """Exchange the entries of a list or a dict until the end."""
    for key, x in list(holder.items() if type(holder) is dict else enumerate(holder)):
        if of(x) is not x:
            undo.callback(holder.__setitem__, key, x)
            holder[key] = of(x)


def exchanged(undo: ExitStack, f: FunctionType, of: Where, lines: bool) -> None:
    """Give a function the code that says its lines, and stand-ins for what it holds."""
    code = rewritten(f) if lines else None  # of all that lies beside it would take seconds
    if code is not None:
        undo.callback(setattr, f, "__code__", f.__code__)
        f.__code__ = code
    if f.__defaults__ and any(of(x) is not x for x in f.__defaults__):
        undo.callback(setattr, f, "__defaults__", f.__defaults__)
        f.__defaults__ = tuple(map(of, f.__defaults__))
    if f.__kwdefaults__:
        replaced(undo, f.__kwdefaults__, of)
    for cell in f.__closure__ or ():
        x = held(cell)
        if of(x) is not x:
            undo.callback(setattr, cell, "cell_contents", x)
            cell.cell_contents = of(x)


def guard_imports(
    undo: ExitStack, theirs: list[ModuleType], spaces: dict[int, dict[str, Any]], names: StandIns
) -> None:
    """Give stand-ins to an import inside of their functions, too."""
    real, near = builtins.__import__, Near(theirs)
    before = set(sys.modules)

    def guarded(name: str, space: Any = None, *rest: Any, **options: Any) -> Any:
        module = real(name, space, *rest, **options)
        own = space is not None and (
            id(space) in spaces or near(sys.modules.get(space.get("__name__")))
        )
        return names.of(module) if own else module

    def clean() -> None:  # modules that were first imported meanwhile keep no stand-in
        for name in set(sys.modules) - before:
            if near(module := sys.modules.get(name)):
                for key, x in list(vars(module).items()):
                    vars(module)[key] = names.behind(x)

    undo.callback(clean)
    undo.callback(setattr, builtins, "__import__", real)
    builtins.__import__ = guarded  # type: ignore[assignment]
