"""The adapter for engines in Python: it loads one and runs the programs that it is sent.

adapters/README.md describes the programs. This process knows no right answer. It throws the
engine's own output away, and answers through a copy of the standard output that it made before it
loaded the engine. It imports the standard library alone, and binds here what it uses later, before
the engine can replace it.
"""

import builtins
import dis
import gc
import inspect
import linecache
import operator
import os
import pickle
import re
import sys
from base64 import b64decode
from contextlib import suppress
from json import dumps, loads
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

MEMORY = 4 << 30  # bytes of data, beside what there is at the start
QUIET = os.devnull
_float, _str, _type, _repr = float, str, type, repr
_isinstance, _getattr, _hasattr, _setattr = isinstance, getattr, hasattr, setattr
_list, _len, _abs, _bool, _range = list, len, abs, bool, range
BUILT_IN = frozenset(dir(builtins))  # in programs these are Python's own, as sum and range

# How engines call the three names of the contract, the usual one first.
NAMES = {
    "data": "data value val v item x _data _value num number scalar",
    "grad": "grad gradient grads _grad g dv adj adjoint derivative deriv",
    "backward": "backward backprop back_prop backpropagate backpropagation backward_pass back",
}
BACK = re.compile("(?!_).*back", re.IGNORECASE)
BACKWARD = re.compile(  # what else may be the name of a backward pass
    r"(?!_).*back|reverse_?(mode|pass)|(calc|comp).*grad|gradients?$|grad$|differentiate",
    re.IGNORECASE,
)
OPERATORS: dict[str, Any] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv,
    "power": operator.pow, "neg": operator.neg, "abs": _abs,
}  # fmt: skip
IN_PLACE: dict[str, Any] = {
    "add": operator.iadd, "sub": operator.isub, "mul": operator.imul, "div": operator.itruediv,
}  # fmt: skip
COMPARISONS: dict[str, Any] = {
    "Lt": operator.lt, "Gt": operator.gt, "LtE": operator.le, "GtE": operator.ge,
    "Eq": operator.eq, "NotEq": operator.ne, "In": lambda a, b: a in b,
}  # fmt: skip
CATEGORIES = (  # of errors in any language
    (OverflowError, "overflow"), (RecursionError, "depth"), (MemoryError, "depth"),
    (ZeroDivisionError, "domain"), (ValueError, "domain"),
)  # fmt: skip


class NoBackwardError(Exception):
    """The engine has no backward pass, or one whose name nobody guesses."""


class Names:
    """How this engine spells `.data`, `.grad` and `.backward()`: told, or learnt by trying."""

    def __init__(self, cls: Any, functions: dict[str, Any], told: dict[str, str]) -> None:
        self.cls, self.functions, self.told = cls, functions, told
        self.grad, self.backward, self.is_method = "grad", "backward", True
        self.arguments: tuple[float, ...] = ()
        self.choices = ""
        try:
            x = self.cls(2.5)
        except BaseException:
            if not _isinstance(cls, _type):
                raise
            self.type, self.data = cls, "data"
            return
        self.type = _type(x)
        self.data = told.get("data") or self.holding(x, 2.5)
        self.learn_backward(x)
        self.learn_grad()

    def holding(self, x: Any, number: float) -> str:
        """The attribute that holds a number, or the path to it: data.value."""
        if _hasattr(x, "data") and not callable(x.data):
            inner = x.data if read(x, "data") is None else None
            found = [n for n in NAMES["data"].split() if same(read(inner, n), number)]
            return f"data.{found[0]}" if found and not _isinstance(inner, self.type) else "data"
        usual = [n for n in NAMES["data"].split() if same(read(x, n), number)]
        others = [n for n in attributes(x) if same(read(x, n), number)]
        return [*usual, *others, "data"][0]

    def learn_backward(self, x: Any) -> None:
        """The method or the function of the module that goes backward."""
        methods = [n for n in methods_of(_type(x)) if n[:2] != "__"]
        found = [self.told["backward"]] if self.told.get("backward") else []
        if found and not (found[0] in self.functions or _hasattr(x, found[0])):
            raise NoBackwardError(f"neither {called(self.cls)} nor its module has {found[0]}")
        found += [n for n in NAMES["backward"].split() if n in methods]
        for pattern in (BACK, BACKWARD):
            found += [n for n in (*methods, *self.functions) if pattern.match(n)]
        if callable(_getattr(x, "backward", None)):
            found.append("backward")  # of each node, a rule in some engines
        if not found:
            raise NoBackwardError(
                f"{called(self.cls)} has no backward pass; if it has one, say --backward NAME"
            )
        self.backward, self.is_method = found[0], _hasattr(x, found[0])
        self.arguments = needed(self.function_of(x, found[0]))
        self.choices = optional(self.function_of(x, found[0]))

    def function_of(self, x: Any, name: str) -> Any:
        """The call without arguments: a bound method, or a function of the module."""
        if _hasattr(x, name):
            return _getattr(x, name)
        function = self.functions[name]
        return lambda *more: function(x, *more)

    def learn_grad(self) -> None:
        """The attribute that backward changes on a leaf."""
        told = self.told.get("grad")
        if told:
            self.grad = told
            return
        x, y = self.cls(2.5), self.cls(1.25)
        inside = self.data.partition(".")[2]
        if _hasattr(x, "grad"):
            if inside and read(x, "grad") is None and _hasattr(x.grad, inside):
                self.grad = f"grad.{inside}"  # it holds a number in an object, as data does
            return
        before = {n: read(x, n) for n in attributes(x) if n != self.data}
        with suppress(BaseException):
            self.go_backward(x * y + x)
        changed = [n for n in before if not same(read(x, n), before[n])]
        named = NAMES["grad"].split() + [n for n in before if "grad" in n.lower()]
        found = [n for n in named if n in changed] + changed + [n for n in named if n in before]
        self.grad = [*found, "grad"][0]

    def every_gradient_is_a_node(self) -> bool:
        """Whether even those of a sum are: then the engine means it, for derivatives of them."""
        with suppress(BaseException):
            x, y = self.cls(2.5), self.cls(1.25)
            self.go_backward(x + y)
            return _isinstance(_getattr(x, self.grad), self.type)
        return False

    def go_backward(self, x: Any) -> None:
        """The backward pass from x."""
        self.function_of(x, self.backward)(*self.arguments)

    def shown(self) -> dict[str, str]:
        """The three, as people write them."""
        arguments = ", ".join(map(_repr, self.arguments))
        name, comma = self.backward, ", " * _bool(arguments)
        call = f"VALUE.{name}(" if self.is_method else f"{name}(VALUE{comma}"
        beside = _str(_getattr(self.cls, "arguments", ""))  # what leaves are given beside a number
        call += f"{arguments})"
        return {"data": self.data, "grad": self.grad, "backward": call, "options": beside,
                "choices": self.choices}  # fmt: skip


def at(x: Any, path: list[str]) -> Any:
    """What lies at the end of a path of attributes."""
    for name in path:
        x = _getattr(x, name)
    return x


def needed(call: Any) -> tuple[float, ...]:
    """A 1.0 for the argument that a backward pass must have: the gradient of the result."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    must = [p for p in parameters(call) if p.kind in positional and p.default is p.empty]
    return (1.0,) * _len(must)


def optional(call: Any) -> str:
    """What a caller of the backward pass may choose: zero_grad, retain_graph."""
    return ", ".join(p.name for p in parameters(call) if p.default is not p.empty)


def parameters(call: Any) -> list[inspect.Parameter]:
    try:
        return [*inspect.signature(call).parameters.values()]
    except (TypeError, ValueError):
        return []


def attributes(x: Any) -> list[str]:
    """The names of what an object holds."""
    names = dict.fromkeys(_getattr(x, "__dict__", ()))
    for base in _type(x).__mro__:
        slots = _getattr(base, "__slots__", ())
        names |= dict.fromkeys([slots] if _isinstance(slots, _str) else slots)
        names |= dict.fromkeys(n for n, v in vars(base).items() if _isinstance(v, property))
    return [n for n in names if n[:2] != "__"]


def read(x: Any, name: str) -> Any:
    """An attribute as a number; None if it is no number."""
    with suppress(BaseException):
        return _float(_getattr(x, name))
    return None


def same(a: Any, b: Any) -> bool:
    return a is b or (a is not None and b is not None and _abs(a - b) < 1e-6)


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


def number(look: str, x: Any) -> Any:
    """The engine's number as a plain float; nan and inf as text, since JSON has none."""
    if _isinstance(x, (_str, bytes, bytearray, memoryview)):
        raise TypeError(f"{look} is a {_type(x).__name__}, not a number")
    y = _float(x)
    return y if y - y == 0 else _repr(y)


def failed(error: BaseException) -> dict[str, Any]:
    """An error, its kind in any language, and whether the engine raised it on purpose.

    What fails since a module is not installed is no mistake.
    """
    if _isinstance(error, ModuleNotFoundError):
        return {"absent": _str(error)}
    answer = {"error": said(error), "kind": category(error), "refused": is_refusal(error)}
    return answer | {"where": where(error)}


def where(error: BaseException) -> str:
    """The line of the engine that raised it, or called what did."""
    found = ""
    with suppress(BaseException):
        trace = error.__traceback__
        while trace is not None:
            file, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
            if file != __file__ and not file.startswith(("<frozen", sys.base_prefix, sys.prefix)):
                text = linecache.getline(file, line).strip()
                found = f"line {line}" + (f": {text[:100]}" if text else "")
            trace = trace.tb_next
    return found


def category(error: BaseException) -> str:
    """The kind of an error in any language."""
    return next((kind for types, kind in CATEGORIES if _isinstance(error, types)), "other")


def is_refusal(error: BaseException) -> bool:
    """Whether a `raise` or an `assert` of the engine's own code made it."""
    with suppress(BaseException):
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is None or trace.tb_frame.f_code.co_filename == __file__:
            return False
        code = trace.tb_frame.f_code.co_code
        name = dis.opname[code[trace.tb_lasti]]
        return name == "RAISE_VARARGS" and not _isinstance(error, (SystemExit, KeyboardInterrupt))
    return False


def said(error: BaseException) -> str:
    with suppress(BaseException):
        return f"{_type(error).__name__}: {_str(error)[:300]}"
    return _type(error).__name__


def load(place: str, is_path: bool, name: str) -> tuple[ModuleType, Any, list[str]]:
    """The module and its class, and what is told of the loading.

    Our own modules, which load it, are forgotten: the engine may have one of their names.
    """
    sys.path.insert(0, _str(Path(__file__).parents[2]))
    from microgrid.check.loading.engines import load_engine

    del sys.path[0]
    for ours in [x for x in sys.modules if x.split(".")[0] == "microgrid"]:
        del sys.modules[ours]
    return load_engine(place, is_path, name)


def names_of(module: ModuleType | None, cls: Any) -> dict[str, Any]:
    """The class, and the functions of its module or package."""
    package = module.__name__.split(".")[0] if module else ""
    names = {
        name: thing
        for name, thing in (vars(module).items() if module else ())
        if isinstance(thing, FunctionType)
        and name not in BUILT_IN
        and (thing.__module__ or "").split(".")[0] == package
    }
    return names | {called(cls): cls}


def file_of(module: ModuleType | None) -> str | None:
    """The file from which programs can import the class; a notebook is none."""
    if module is None or "checked_file" in module.__name__:
        return None
    file = _getattr(module, "__file__", None)
    return file if file and _str(file)[-3:] == ".py" else None


def called(cls: Any) -> str:
    """The name that programs give the class."""
    name = cls.__name__
    return name if _isinstance(name, _str) and name.isidentifier() else "Value"


def is_static(owner: Any, name: str) -> bool:
    """Whether a method gets its operands alone: Value.exp(x)."""
    found = inspect.getattr_static(owner, name, None)
    return _isinstance(found, (staticmethod, classmethod))


def methods_of(owner: Any) -> list[str]:
    """The names of the methods of a class."""
    names = {name for base in _type.__dict__["__mro__"].__get__(owner) for name in vars(base)}
    return [x for x in sorted(names) if callable(_getattr(owner, x, None))]


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
        is_told = _type(error).__name__ in ("LoadError", "NoBackwardError")  # in words
        say({"error": _str(error) if is_told else said(error)})
        return
    for line in requests:
        request = loads(line)
        say({"id": request["id"]} | engine.answer(request))


def data_size() -> int:
    """The bytes of data that the process has: a copy of a notebook may begin with many."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGESIZE")
    return 0


def limited(seconds: int) -> None:
    """Bounds for memory and time, where the system has them."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        memory = data_size() + MEMORY
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    with suppress(Exception):  # Linux: do not outlive the parent
        import ctypes

        ctypes.CDLL(None).prctl(1, 9)


def silence() -> tuple[Any, Any]:
    """Private copies of the standard input and output; the engine gets the null device."""
    requests, answers = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    quiet = os.open(QUIET, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(quiet, standard)
    # The copy of a notebook has streams of its own, which go to the page.
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    return requests, answers


def received(request: dict[str, Any]) -> Any:
    """The class that another process sent, which imports what that one can import."""
    sys.path[:] = request["path"]
    return pickle.loads(b64decode(request["class"]))


def main() -> None:
    place, kind, name, seconds, told = sys.argv[1:]
    sys.argv[1:] = []
    sys.path[:] = [x for x in sys.path if x != _str(Path(__file__).parent)]
    limited(int(seconds))
    requests, answers = silence()

    def start() -> tuple[ModuleType | None, Any, list[str]]:
        if kind == "class":
            return None, received(loads(requests.readline())), []
        return load(place, kind == "path", name)

    serve(requests, answers, start, loads(told))
    os._exit(0)  # whatever the engine started may not keep the process alive


if __name__ == "__main__":
    main()
