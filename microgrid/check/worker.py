"""The adapter for engines in Python: it loads one and runs the programs that it is sent.

adapters/README.md describes the programs. This process knows no right answer. It throws the
engine's own output away, and answers through a copy of the standard output that it made before it
loaded the engine. Of this package it imports what needs the standard library alone, and forgets it
before it loads the engine, which may have one of our names. It binds here what it uses later,
before the engine can replace it.
"""

import gc
import inspect
import operator
import os
import pickle
import sys
from base64 import b64decode
from contextlib import suppress
from json import dumps, loads
from types import ModuleType
from typing import Any

from microgrid.check.contract import Names, NoBackwardError, called, methods_of, names_of
from microgrid.check.isolation import limited, silence
from microgrid.check.loading.engines import load_engine
from microgrid.check.loading.errors import LoadError
from microgrid.check.raised import failed, said

_float, _str, _type, _repr = float, str, type, repr
_isinstance, _getattr, _hasattr, _setattr = isinstance, getattr, hasattr, setattr
_list, _len, _abs, _bool, _range = list, len, abs, bool, range
OPERATORS: dict[str, Any] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv,
    "power": operator.pow, "neg": operator.neg, "abs": _abs,
}  # fmt: skip
IN_PLACE: dict[str, Any] = {
    "add": operator.iadd, "sub": operator.isub, "mul": operator.imul, "div": operator.itruediv,
}  # fmt: skip
COMPARISONS: dict[str, Any] = {
    "Lt": operator.lt, "Gt": operator.gt, "LtE": operator.le, "GtE": operator.ge,
    "Eq": operator.eq, "NotEq": operator.ne,
}  # fmt: skip


class Engine:
    """The class, the functions of its module, and how programs use them."""

    def __init__(self, module: ModuleType | None, cls: Any, told: dict[str, str]) -> None:
        self.module, self.cls = module, cls
        self.functions = names_of(module, cls)
        self.names = Names(cls, self.functions, told)
        self.type = self.names.type
        self.space: dict[str, Any] = {}
        self.before: set[int] = set()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """What a request gives: numbers, or an error."""
        self.space = {}
        if "called" in request:
            return {"methods": self.methods_called(request["called"])}
        counts = "alive" in request["look"]
        if counts:
            gc.collect()
            gc.disable()
            self.before = {id(v) for v in self.living()}
        try:
            self.run(request["program"])
            return {"numbers": [self.look(name) for name in request["look"]]}
        except BaseException as error:  # SystemExit, too
            return failed(error)
        finally:
            self.space = {}
            if counts:
                gc.enable()

    def run(self, program: list[Any]) -> None:
        """The steps, one after the other."""
        for step in program:
            self.step(step)

    def step(self, step: dict[str, Any]) -> None:
        space = self.space
        if "set" in step:
            space[step["set"]] = self.value(step["to"])
        elif "backward" in step:
            self.names.go_backward(self.value(step["backward"]))
        elif "set data" in step:
            *path, last = self.names.data.split(".")
            _setattr(at(space[step["set data"]], path), last, step["to"])
        elif "set grad" in step:
            *path, last = self.names.grad.split(".")
            _setattr(at(space[step["set grad"]], path), last, step["to"])
        elif "zero" in step:
            space[step["zero"]].zero_grad()
        elif "repeat" in step:
            for _ in _range(step["repeat"]):
                self.run(step["program"])
        elif "forget" in step:
            for name in step["forget"]:
                del space[name]

    def value(self, e: Any) -> Any:
        """A node, or a plain number."""
        if _isinstance(e, _str):
            return self.space[e]
        if not _isinstance(e, dict):
            return e
        if "leaf" in e:
            return self.cls(e["leaf"])
        if "items" in e:
            return [self.value(x) for x in e["items"]]
        operands = [self.value(x) for x in e["of"]]
        if "item" in e:
            return operands[0][e["item"]]
        if e.get("list"):
            operands = [operands]
        if "apply" in e:
            return (IN_PLACE if e.get("in place") else OPERATORS)[e["apply"]](*operands)
        if "method" in e:
            return _getattr(operands[0], e["method"])(*operands[1:])
        if "compare" in e:
            return 1.0 if COMPARISONS[e["compare"]](*operands) else 0.0
        first, *path = e["function"].split(".")
        function = self.functions[first]
        for name in path:
            function = _getattr(function, name)
        return function(*operands)

    def look(self, what: str) -> Any:
        """A number of a node, or how many nodes are alive; nan and inf as text."""
        if what in ("alive", "collected"):
            if what == "collected":
                gc.collect()
            return _len([v for v in self.living() if id(v) not in self.before])
        name, _, attribute = what.partition(".")
        x = self.space[name]
        if not attribute:
            return number(what, x)
        spelled = self.names.grad if attribute == "grad" else self.names.data
        x = at(x, spelled.split("."))
        if x is None and attribute == "grad":
            return 0.0  # not reached yet
        if _isinstance(x, self.type):
            if attribute != "grad" or not self.names.every_gradient_is_a_node():
                raise TypeError(f"{name}.{spelled} is a {called(self.type)}, not a number")
            x = at(x, self.names.data.split("."))
        return number(f"{name}.{spelled}", x)

    def living(self) -> list[Any]:
        """All nodes that exist."""
        return [v for v in gc.get_objects() if _type(v) is self.type]

    def methods_called(self, program: list[Any]) -> list[str]:
        """The methods of the class that a program calls on its way."""
        codes: dict[Any, list[str]] = {}  # methods may share one
        for name in methods_of(self.type):
            code = _getattr(_getattr(self.type, name, None), "__code__", None)
            if code is not None:
                codes.setdefault(code, []).append(name)
        seen: dict[str, None] = {}

        def note(frame: Any, event: str, argument: Any) -> None:
            if event == "call" and frame.f_code in codes:
                seen.update(dict.fromkeys(codes[frame.f_code]))

        with suppress(BaseException):
            sys.setprofile(note)
            self.run(program)
        sys.setprofile(None)
        self.space = {}
        return _list(seen)

    def greeting(self) -> dict[str, Any]:
        """What the checker wants to know about the class."""
        module, own = self.module, called(self.cls)
        return {
            "protocol": 1, "language": "Python",
            "class": own,
            "module": module.__name__ if module else self.cls.__module__,
            "file": file_of(module),
            "names": self.names.shown(),
            "methods": [x for x in methods_of(self.type) if _len(x) < 40][:2000],
            "static": [x for x in methods_of(self.type) if is_static(self.type, x)],
            "functions": [name for name in self.functions if name != own],
        }  # fmt: skip


def at(x: Any, path: list[str]) -> Any:
    """What lies at the end of a path of attributes."""
    for name in path:
        x = _getattr(x, name)
    return x


def number(look: str, x: Any) -> Any:
    """The engine's number as a plain float; nan and inf as text, since JSON has none."""
    if _isinstance(x, (_str, bytes, bytearray, memoryview)):
        raise TypeError(f"{look} is a {_type(x).__name__}, not a number")
    y = _float(x)
    return y if y - y == 0 else _repr(y)


def file_of(module: ModuleType | None) -> str | None:
    """The file from which programs can import the class; a notebook is none."""
    if module is None or "checked_file" in module.__name__:
        return None
    file = _getattr(module, "__file__", None)
    return file if file and _str(file)[-3:] == ".py" else None


def is_static(owner: Any, name: str) -> bool:
    """Whether a method gets its operands alone: Value.exp(x)."""
    found = inspect.getattr_static(owner, name, None)
    return _isinstance(found, (staticmethod, classmethod))


def serve(requests: Any, answers: Any, start: Any, told: dict[str, str] | None = None) -> None:
    """Answer one line of JSON with another until the requests end."""

    def say(message: dict[str, Any]) -> None:
        answers.write(dumps(message) + "\n")
        answers.flush()

    try:
        module, cls, remarks = start()
        engine = Engine(module, cls, told or {})
        say(engine.greeting() | {"remarks": remarks})
    except BaseException as error:
        is_told = _isinstance(error, (LoadError, NoBackwardError))  # in words
        say({"error": _str(error) if is_told else said(error)})
        return
    for line in requests:
        request = loads(line)
        say({"id": request["id"]} | engine.answer(request))


def received(request: dict[str, Any]) -> Any:
    """The class that another process sent, which imports what that one can import."""
    sys.path[:] = request["path"]
    return pickle.loads(b64decode(request["class"]))


def forget() -> None:
    """Make this package unknown, whose folder stands first in the path."""
    del sys.path[0]
    for ours in [x for x in sys.modules if x.split(".")[0] == "microgrid"]:
        del sys.modules[ours]


def main() -> None:
    place, kind, name, seconds, told = sys.argv[1:]
    sys.argv[1:] = []
    forget()
    limited(int(seconds))
    requests, answers = silence()

    def start() -> tuple[ModuleType | None, Any, list[str]]:
        if kind == "class":
            return None, received(loads(requests.readline())), []
        return load_engine(place, kind == "path", name)

    serve(requests, answers, start, loads(told))
    os._exit(0)  # whatever the engine started may not keep the process alive
