"""How an engine spells the contract: `.data`, `.grad` and `.backward()`, told or learnt by trying.

It runs in the process of the engine, and imports the standard library alone.
"""

import builtins
import inspect
import re
from contextlib import suppress
from types import FunctionType, ModuleType
from typing import Any

_float, _str, _type, _repr = float, str, type, repr  # an engine may replace them
_isinstance, _getattr, _hasattr = isinstance, getattr, hasattr
_len, _abs, _bool = len, abs, bool
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


def called(cls: Any) -> str:
    """The name that programs give the class."""
    name = cls.__name__
    return name if _isinstance(name, _str) and name.isidentifier() else "Value"


def methods_of(owner: Any) -> list[str]:
    """The names of the methods of a class."""
    names = {name for base in _type.__dict__["__mro__"].__get__(owner) for name in vars(base)}
    return [x for x in sorted(names) if callable(_getattr(owner, x, None))]
