"""Numbers, nested lists and arrays as one flat row of floats, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from microgrid.engine.calculus import Variable
from microgrid.engine.errors import RangeError, ShapeError
from microgrid.engine.guards import is_real, no_number, real, refuse_foreign
from microgrid.engine.value import Value
from microgrid.program.tape import Floats
from microgrid.views.wording import subscripted

FLOAT = np.dtype(float)


@dataclass(frozen=True)
class Form:
    """How an argument or a result is built: one number, an array, or a list of such."""

    kind: type  # float, np.ndarray, list or tuple
    shape: tuple[int, ...] = ()  # of an array
    parts: tuple[Form, ...] = ()  # of a list

    @cached_property
    def size(self) -> int:
        """How many numbers it holds."""
        if self.parts or self.kind in (list, tuple):
            return sum([part.size for part in self.parts])
        return int(np.prod(self.shape, dtype=int))

    @cached_property
    def is_vector(self) -> bool:
        """Whether it is a list of plain numbers."""
        return self.kind is not np.ndarray and all(part.kind is float for part in self.parts)

    def is_already(self, x: Any) -> bool:
        """Whether x is an array of floats of this shape."""
        return type(x) is np.ndarray and x.shape == self.array_shape and x.dtype is FLOAT

    @cached_property
    def array_shape(self) -> tuple[int, ...] | None:
        return self.shape if self.kind is np.ndarray else None

    def flat(self, x: Any, name: str) -> Floats:
        """x as a row of floats; ShapeError unless it has this form."""
        found: list[Floats] = []
        self.pieces(x, name, found)
        return np.concatenate([np.zeros(0), *found])

    def pieces(self, x: Any, name: str, into: list[Floats]) -> None:
        """Add rows of floats that make up x; ShapeError unless it has this form."""
        x = opened(x)
        if getattr(x, "shape", ()) and not isinstance(x, np.ndarray):  # of another library
            x = np.asarray(refuse_foreign(x, f"{name}: real numbers are needed"))
        if self.is_already(x):
            into.append(x.ravel())
        elif self.kind is np.ndarray:
            if shape_of(x, name) != self.shape:
                raise ShapeError(f"{name}: the program takes shape {self.shape}, got {words(x)}")
            into.append(numbers(x, name))
        elif self.kind is float:
            if shape_of(x, name) != ():
                raise ShapeError(f"{name}: the program takes one number, got {words(x)}")
            into.append(numbers(x, name))
        elif not isinstance(x, list | tuple | np.ndarray) or len(x) != len(self.parts):
            raise ShapeError(f"{name}: the program takes {self}, got {words(x)}")
        elif self.is_vector and not any(hasattr(y, "__len__") for y in x):
            into.append(numbers(x, name))
        else:
            for i, part in enumerate(self.parts):
                y = x[i]
                if part.is_already(y):  # written out: a loop of training waits for it
                    into.append(y.ravel())
                else:
                    part.pieces(y, f"{name}[{i}]", into)

    def filled(self, row: Any) -> Any:
        """The entries of a row in this form, the numbers as floats; the row is not copied."""
        if self.kind is np.ndarray:
            return row.reshape(self.shape)
        if self.kind is float:
            return float(row[0])
        found, begin = [], 0
        for part in self.parts:
            end = begin + part.size
            if part.kind is np.ndarray:
                found.append(row[begin:end].reshape(part.shape))
            else:
                found.append(part.filled(row[begin:end]))
            begin = end
        return like(self.kind)(found)

    def rectangle(self, name: str) -> tuple[int, ...]:
        """The shape, if lists could be an array; ShapeError if not."""
        if self.kind in (float, np.ndarray):
            return self.shape
        inner = {part.rectangle(name) for part in self.parts}
        if len(inner) > 1:
            raise ShapeError(f"{name}: ragged lists have no batch axis; use an array")
        return (len(self.parts), *(inner.pop() if inner else ()))

    def __str__(self) -> str:
        if self.kind is float:
            return "a number"
        if self.kind is np.ndarray:
            return f"an array of shape {self.shape}"
        return f"a {self.kind.__name__} of {len(self.parts)}"


def is_model(x: Any) -> bool:
    """Whether x is made of parameters, like a Module of `nn`."""
    return hasattr(x, "with_parameters")


def opened(x: Any) -> Any:
    """The numbers of a model's parameters as one row; all else as it is."""
    return np.array([p._number for p in x.parameters()], dtype=float) if is_model(x) else x


def like(kind: Any) -> Any:
    """What makes a list, a tuple or a named tuple of its entries."""
    return getattr(kind, "_make", kind)


def shape_of(x: Any, name: str) -> tuple[int, ...]:
    """The shape of numbers; ShapeError for ragged lists."""
    try:
        return np.shape(refuse_foreign(x, f"{name}: real numbers are needed"))
    except ValueError:
        raise ShapeError(f"{name}: ragged lists, got {x!r}") from None


def words(x: Any) -> str:
    try:
        shape = np.shape(x)
    except ValueError:
        return f"ragged lists {x!r}"
    return f"{type(x).__name__} of shape {shape}" if shape else repr(x)


def numbers(x: Any, name: str) -> Floats:
    """An array of real numbers as a row of floats."""
    return matrix_of(x, name).ravel()


def matrix_of(x: Any, name: str) -> Floats:
    """An array of real numbers in floats."""
    needed = f"{name}: real numbers are needed"
    shape_of(x, name)
    array = np.asarray(x)
    try:
        if array.dtype.kind in "fiub":
            return array.astype(float)
        for y in array.ravel().tolist():
            if not is_real(y):
                raise no_number(y, needed)
        return array.astype(float)
    except OverflowError:
        raise RangeError(f"{name}: a number beyond the floats, in which a program runs") from None


def form_of(x: Any) -> Form:
    """The form of numbers or Values."""
    if isinstance(x, list | tuple):
        return Form(type(x), (), tuple(map(form_of, x)))
    if np.shape(x) == () or isinstance(x, Value):
        return Form(float)
    return Form(np.ndarray, np.shape(x))


def leaves(x: Any, name: str) -> Any:
    """New leaves in the form of numbers or Values, named like the entries of a matrix.

    A model is copied, with leaves that have the names of its parameters.
    """
    if is_model(x):
        nodes, made = leaves(np.array(x.parameters(), dtype=object), name)
        return x.with_parameters(nodes), made
    entries = list(paths(x, ()))
    comma = "," if max([i for path, _ in entries for i in path], default=0) > 8 else ""
    made = [leaf(y, subscripted(name, path, comma)) for path, y in entries]
    return filled(form_of(x), iter(made)), made


def paths(x: Any, path: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Every entry with its indices."""
    if isinstance(x, list | tuple):
        for i, y in enumerate(x):
            yield from paths(y, (*path, i))
    elif not isinstance(x, Value) and np.shape(x):
        for index, y in np.ndenumerate(refuse_foreign(x)):
            yield (*path, *index), y
    else:
        yield path, x


def leaf(x: Any, label: str) -> Value:
    """A variable, so that derivatives inside of the function are graphs as well."""
    if not isinstance(x, Value) and not is_real(x):
        raise no_number(x, f"{label}: real numbers are needed")
    try:
        v = Variable(float(real(x._number if isinstance(x, Value) else x)))
    except OverflowError:
        v = Variable(1.0)  # any number will do
    v.label = getattr(x, "_label", "") or label
    return v


def filled(form: Form, nodes: Iterator[Value]) -> Any:
    """Nodes in a form, arrays as object arrays."""
    if form.kind is np.ndarray:
        array = np.empty(form.size, dtype=object)
        array[:] = [next(nodes) for _ in range(form.size)]
        return array.reshape(form.shape)
    if form.kind is float:
        return next(nodes)
    return like(form.kind)([filled(part, nodes) for part in form.parts])
