"""Module, the base of every model: its parameters have names, and are replaced, saved, loaded."""

from __future__ import annotations

import copy
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Self

import numpy as np

from microgrid.engine.errors import ParameterError, ShapeError
from microgrid.engine.guards import real
from microgrid.engine.hints import Hinted
from microgrid.engine.trees import branch
from microgrid.engine.value import Value
from microgrid.engine.value_array import as_array
from microgrid.matrices.arrays import Array
from microgrid.nn.saving import Saved, floats, numbers_of, same_names, unique
from microgrid.views.wording import entry_names

op_of = operator.attrgetter("op")


class Module(Hinted, Saved):
    """A model. Its parameters are its attributes that are Values, arrays or lists of them, Modules.

    A subclass sets its attributes in `__init__` and says in `forward`, or in `__call__`, what it
    makes of its input. Attributes with a leading underscore are no parameters. Names come from
    attributes: the entry w[0, 1] of the first of `layers` is layer0.w_{12}.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.intercept = Value(2.0), Value(1.0)
    ...     def forward(self, x):
    ...         return self.slope * x + self.intercept
    >>> line = Line()
    >>> line(3.0).data, {name: p.data for name, p in line.named_parameters().items()}
    (7.0, {'slope': 2.0, 'intercept': 1.0})
    """

    _kept = "parameters"
    _given: tuple[Self, list[Any]]  # what it was made from, and the results that it was given

    def __call__(self, *inputs: Any, **keywords: Any) -> Any:
        """What `forward` makes of the inputs; ParameterError where there is none."""
        forward = getattr(self, "forward", None)
        if forward is None:
            name = type(self).__name__
            raise ParameterError(
                f"{name} has no forward and no __call__: define `def forward(self, x)` in it"
            )
        return forward(*inputs, **keywords)

    def named_parameters(self) -> dict[str, Value]:
        """Every parameter once, by name, in order; a weight in two places has its first name.

        >>> from microgrid import nn
        >>> list(nn.Affine(1, 2).named_parameters())
        ['w_{11}', 'w_{12}', 'b_1', 'b_2']
        """
        names: dict[Value, str] = {}
        for name, v in entries(groups(self)):
            names.setdefault(v, name)
        return unique((name, v) for v, name in names.items())

    def parameters(self) -> list[Value]:
        """Every parameter once, in the order of `named_parameters`.

        >>> from microgrid import nn
        >>> [p.data for p in nn.Affine(1, 2, init="zeros").parameters()]
        [0.0, 0.0, 0.0, 0.0]
        """
        if "_given" in vars(self):
            return list(self._given[1])
        found: dict[Value, None] = {}
        for _, group in groups(self):
            found.update(dict.fromkeys(group.ravel().tolist()))
        return list(found)

    def with_parameters(self, parameters: Iterable[Any]) -> Self:
        """A copy whose parameters are these Values or numbers, in the order of `parameters()`.

        Containers and Modules are copied, all other objects are shared with the original.
        ShapeError for another number of parameters.

        >>> from microgrid import nn
        >>> model = nn.Affine(1, 1, init="zeros")
        >>> model.with_parameters([2.0, 1.0])([3.0]), model([3.0])
        (ValueArray([7.0]), ValueArray([0.0]))
        """
        if "_given" in vars(self):
            return self._given[0].with_parameters(parameters)
        pairs = self._pairs(parameters)
        exchange, given = dict(pairs), [x for _, x in pairs]
        copied: Self = replaced(self, lambda v: exchange.get(v, v))
        nodes = [x for x in given if isinstance(x, Value)]
        if any(map(op_of, nodes)):  # elsewhere results are no parameters
            copied._given = self, given
        return copied

    def set_parameters(self, numbers: Iterable[Any]) -> None:
        """Give the parameters new numbers, in the order of `parameters()`: all of them, or none.

        ShapeError for another number of parameters; NumberError for what is no real number.

        >>> from microgrid import nn
        >>> model = nn.Affine(1, 1)
        >>> model.set_parameters([2.0, 1.0])
        >>> model.w[0, 0].data, model.b[0].data
        (2.0, 1.0)
        """
        for p, x in self._pairs(map(real, numbers)):
            p.data = x

    def _pairs(self, new: Iterable[Any]) -> list[tuple[Value, Any]]:
        """Each parameter with its replacement; ShapeError unless there is one for each."""
        mine, new = self.parameters(), list(new)
        if len(mine) != len(new):
            raise ShapeError(f"the model has {len(mine)} parameters, got {len(new)}")
        return list(zip(mine, new))

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to zero, before the next backward pass adds to it.

        >>> from microgrid import nn
        >>> model = nn.Affine(1, 1, init="zeros")
        >>> model([3.0])[0].backward()
        >>> [p.grad for p in model.parameters()]
        [3.0, 1.0]
        >>> model.zero_grad()
        >>> [p.grad for p in model.parameters()]
        [0.0, 0.0]
        """
        for p in self.parameters():
            p._grad = None

    def name_parameters(self) -> None:
        """Label every parameter with its name in this model, for pictures.

        `Sequential` and `MLP` do so when they are made; call it in the `__init__` of your own.

        >>> from microgrid import nn
        >>> class Twice(nn.Module):
        ...     def __init__(self):
        ...         self.layer = nn.Affine(1, 1)
        >>> model = Twice()
        >>> model.parameters()[0].label
        'w_{11}'
        >>> model.name_parameters()
        >>> model.parameters()[0].label
        'layer.w_{11}'
        """
        for name, p in self.named_parameters().items():
            p.label = name

    def state(self) -> dict[str, Array]:
        """The numbers of the parameters as arrays of floats, by the names of their attributes.

        >>> from microgrid import nn
        >>> {name: x.tolist() for name, x in nn.Affine(1, 2, init="zeros").state().items()}
        {'w': [[0.0, 0.0]], 'b': [0.0, 0.0]}
        """
        return {name: floats(name, group) for name, group in unique(groups(self)).items()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Set the parameters to the numbers that `state()` of such a model returned.

        ParameterError unless names and shapes are those of this model and all numbers are finite;
        then no parameter changes. `save` and `load` do the same through a file.

        >>> from microgrid import nn
        >>> one, other = nn.Affine(2, 1), nn.Affine(2, 1)
        >>> other.load_state(one.state())
        >>> other.w[0, 0].data == one.w[0, 0].data
        True
        """
        mine = unique(groups(self))
        same_names(state, mine, "the model of {}")
        new: dict[Value, float] = {}
        for name, nodes in mine.items():
            numbers = numbers_of(name, state[name], nodes.shape)
            for v, x in zip(nodes.ravel(), numbers.ravel().tolist()):
                if new.setdefault(v, x) != x:
                    raise ParameterError(f"{name} is a weight that has another number elsewhere")
        for v, x in new.items():
            v.data = x

    def __repr__(self) -> str:
        shown = [f"{name}={x!r}" for name, x in vars(self).items() if holds_modules(x)]
        return f"{type(self).__name__}({', '.join(shown)})"


def holds_modules(x: Any) -> bool:
    """Whether x is a Module, or a list or dict of some."""
    if isinstance(x, dict | list | tuple):
        return any(map(holds_modules, x.values() if isinstance(x, dict) else x))
    return isinstance(x, Module)


def groups(x: Any, name: str = "") -> Iterator[tuple[str, Array]]:
    """Each Value, array or list of Values in the attributes of x or of its parts, as an array."""
    parts: Iterable[tuple[str, Any]] = ()
    if is_group(x):
        yield name, np.asarray(x, dtype=object)
    elif isinstance(x, Module):
        dot = "." if name else ""
        parts = [(f"{name}{dot}{k}", y) for k, y in vars(x).items() if not k.startswith("_")]
    elif isinstance(x, list | tuple):
        one = re.sub(r"(?<![aius])s$", "", name)  # layers become layer0; bias and class stay
        parts = [(f"{one}{i}", y) for i, y in enumerate(x)]
    elif isinstance(x, dict):
        parts = [(f"{name}.{key}", y) for key, y in x.items()]
    for part, y in parts:
        yield from groups(y, part)


def is_group(x: Any) -> bool:
    """Whether x is a leaf, or a non-empty array or list of leaves; ParameterError for a mixture.

    A result of an operation, which a model may keep for later, is no parameter.
    """
    several = isinstance(x, np.ndarray) and x.dtype == object
    nodes = x.ravel().tolist() if several else x if isinstance(x, list | tuple) else [x]
    if {*map(type, nodes)} == {Value} and {*map(op_of, nodes)} == {None}:
        return True  # at once: a model may have many
    kinds = {isinstance(v, Value) and (v.op is None or "result") for v in nodes}
    if (several or False not in kinds) and True in kinds and len(kinds) > 1:
        raise ParameterError(
            "an array or list of parameters holds leaves only: numbers and results of operations "
            "belong into __call__"
        )
    return kinds == {True}


def entries(found: Iterable[tuple[str, Array]]) -> Iterator[tuple[str, Value]]:
    """Every Value with its name, like w_{12}."""
    for name, nodes in found:
        comma = "," if max(nodes.shape, default=0) > 9 else ""
        yield from zip(entry_names(name, nodes.shape, comma), nodes.ravel().tolist())


def replaced(x: Any, new: Callable[[Value], Any], made: dict[int, Any] | None = None) -> Any:
    """A copy of x with `new(v)` in the place of each Value v; shared parts stay shared."""
    made = {} if made is None else made
    if isinstance(x, Value):
        return new(x)
    if id(x) in made:
        return made[id(x)]
    copied: Any = x
    if is_group(x) and isinstance(x, np.ndarray):
        copied = as_array(np.frompyfunc(new, 1, 1)(x, np.empty(x.shape, dtype=object)))
    elif isinstance(x, list | tuple | dict) and (whole := branch(x)):
        copied = whole.build([replaced(y, new, made) for y in whole.parts])
    elif isinstance(x, Module):
        copied = copy.copy(x)
        vars(copied).update({k: replaced(y, new, made) for k, y in vars(x).items()})
    made[id(x)] = copied
    return copied


def holders(x: Any) -> list[tuple[Any, Any]]:
    """What holds the parameters of x, each with a copy of what it holds now, for `put_back`.

    What else x remembers, like a counter or a running mean, is not in it.
    """
    held = copy.copy(x) if isinstance(x, dict | list | np.ndarray) else x
    if isinstance(x, Module):
        held = {k: y for k, y in vars(x).items() if any(groups(y))}
    parts = held.values() if isinstance(held, dict) else held
    inner = [holders(y) for y in parts] if isinstance(held, dict | list | tuple) else []
    return [(x, held), *chain(*inner)]


def put_back(kept: Iterable[tuple[Any, Any]]) -> None:
    """Restore the parameters, and their containers, to what they were."""
    for x, held in kept:
        if isinstance(x, Module):
            vars(x).update(held)
        elif isinstance(x, dict):
            x.clear()
            x.update(held)
        elif isinstance(x, list):
            x[:] = held
        elif isinstance(x, np.ndarray) and any(map(operator.is_not, x.flat, held.flat)):
            x[...] = held
