"""Which classes are layers: those that have a forward and a backward of their own."""

from __future__ import annotations

import dis
import inspect
from types import FunctionType, ModuleType
from typing import Any

from microgrid.check.handwritten.forms import torch_functions
from microgrid.check.handwritten.forms.fit import every_parameter
from microgrid.check.handwritten.forms.names import words
from microgrid.check.handwritten.forms.using import SLOPES
from microgrid.check.handwritten.trial import LayerError

FORWARDS = words(
    "forward forward_pass fwd forward_propagation forward_prop feedforward forwardpass "
    "feed_forward propagate call calculate loss compute_loss compute activate apply function fn f "
    "__call__"
)
BACKWARDS = words(
    "backward backward_pass bwd backprop backpropagate back_propagation backpropagation "
    "backward_propagation backward_prop backwardpass back"
)
LAYERS = ("layer", "layers", "module", "modules", "blocks", "layer_to_add")
ADDERS = ("add", "add_layer", "addLayer", "append", "add_module")


def classes_of(module: ModuleType) -> list[type]:
    """The classes of a module that have a forward and a backward, in the order of its source.

    >>> import math
    >>> classes_of(math)
    []
    """
    own = [c for c in vars(module).values() if isinstance(c, type)]
    own = [c for c in dict.fromkeys(own) if c.__module__ == module.__name__]
    bases = {b for c in own for b in c.__mro__[1:]}
    layers = [c for c in own if is_layer(c) and not (c in bases and is_abstract(c))]
    layers = [c for c in layers if not is_container(c)]
    return [c for c in layers if torch_functions.is_function(c) or not calls_abstract(c)]


def is_abstract(cls: type) -> bool:
    """Whether it leaves a method to others."""
    return any(is_left(f) for f in vars(cls).values())


def is_left(function: Any) -> bool:
    """Whether a method is left to others: it raises NotImplementedError."""
    return isinstance(function, FunctionType) and (
        "NotImplementedError" in function.__code__.co_names
    )


def calls_abstract(cls: type) -> bool:
    """Whether its forward or backward calls a method that is left to others."""
    forwards, backward = methods(cls)
    passes = [inspect.getattr_static(cls, n) for n in (forwards[0], backward)]
    codes = [f.__code__ for f in passes if isinstance(f, FunctionType)]
    used = {name for code in codes for name in code.co_names}
    return any(is_left(inspect.getattr_static(cls, name, None)) for name in used)


def is_container(cls: type) -> bool:
    """Whether it is made of other layers, which are passed to it or added: a Sequential.

    >>> class Sequential:
    ...     def __init__(self, *layers):
    ...         self.layers = layers
    >>> is_container(Sequential)
    True
    """
    adders = [m for n in ADDERS if callable(m := getattr(cls, n, None))]
    taken = [p.name.lower() for f in (cls, *adders) for p in every_parameter(f)]
    return any(name.endswith(LAYERS) and not name.startswith("n") for name in taken)


def is_layer(cls: type) -> bool:
    """Whether a class has a forward and a backward."""
    try:
        methods(cls)
    except LayerError:
        return False
    return True


def methods(layer: Any) -> tuple[list[str], str]:
    """The forwards of a class, the likeliest first, and its backward.

    LayerError if one is missing.

    >>> class Double:
    ...     def forward(self, x):
    ...         return 2 * x
    ...     def backward(self, dout):
    ...         return 2 * dout
    >>> methods(Double)
    (['forward'], 'backward')
    """
    cls = layer if isinstance(layer, type) else type(layer)
    forwards = written(layer)
    backwards = [n for n in (*BACKWARDS, *SLOPES) if is_written(cls, n) and n not in forwards]
    if forwards and backwards:
        return forwards, backwards[0]
    missing, like = ("backward", BACKWARDS) if forwards else ("forward", FORWARDS)
    raise LayerError(
        f"{cls.__name__} has no {missing}: write a method named {', '.join(like[:3])} or the like"
    )


def written(layer: Any) -> list[str]:
    """The names of its forwards, the likeliest first."""
    cls = layer if isinstance(layer, type) else type(layer)
    found = [n for n in FORWARDS if is_written(cls, n)]
    if "calculate" in found:  # of nnfs: the mean of what forward gives
        found.sort(key=lambda n: n != "calculate")
    return found


def is_written(cls: type, name: str) -> bool:
    """Whether a class has this method, and it is not one that a base leaves to others."""
    function = inspect.getattr_static(cls, name, None)
    if isinstance(function, classmethod) and name not in vars(cls):
        return False  # a base's `apply`, which calls forward
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType) or getattr(function, "__isabstractmethod__", False):
        return False
    done = {i.opname for i in dis.get_instructions(function)}
    empty = done <= {"RESUME", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "NOP"}
    return "NotImplementedError" not in function.__code__.co_names and not empty
