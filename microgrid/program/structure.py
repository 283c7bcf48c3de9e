"""Numbers, nested lists and arrays as one flat row, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from microgrid.engine.calculus import Variable
from microgrid.engine.errors import RangeError, ShapeError
from microgrid.engine.guards import is_real, no_number, real, refuse_foreign
from microgrid.engine.value import Value, peek
from microgrid.program.recorded_array import as_array
from microgrid.program.tape import Floats
from microgrid.views.wording import subscripted

FLOAT = np.dtype(float)


@dataclass(frozen=True)
class Structure:
    """How an argument or a result is built: one number, an array, or a list of such."""

    kind: type  # float, np.ndarray, list or tuple
    shape: tuple[int, ...] = ()  # of an array
    parts: tuple[Structure, ...] = ()  # of a list

    @cached_property
    def size(self) -> int:
        """How many numbers it holds."""
        listed = issubclass(self.kind, list | tuple)
        return sum([part.size for part in self.parts]) if listed else math.prod(self.shape)

    @cached_property
    def is_vector(self) -> bool:
        """Whether it is a list of plain numbers."""
        return self.kind is not np.ndarray and all(part.kind is float for part in self.parts)

    def is_already(self, x: Any) -> bool:
        """Whether x is an array of floats of this shape."""
        same = type(x) is np.ndarray and x.shape == self.shape and x.dtype is FLOAT
        return same and self.kind is np.ndarray

    def flatten(self, x: Any, name: str) -> Floats:
        """x as a new row of floats; ShapeError unless it has this structure."""
        rows: list[Floats] = []
        self.flatten_into(rows, x, name)
        return np.concatenate([np.zeros(0), *rows])

    def flatten_into(self, rows: list[Floats], x: Any, name: str) -> None:
        """Add rows of floats that make up x; ShapeError unless it has this structure."""
        x = without_model(x)
        if getattr(x, "shape", ()) and not isinstance(x, np.ndarray):  # of another library
            x = np.asarray(refuse_foreign(x, f"{name}: real numbers are needed"))
        if self.is_already(x):
            rows.append(x.ravel())
        elif self.kind in (float, np.ndarray):
            if shape_of(x, name) != self.shape:
                raise self.misfit(x, name)
            rows.append(matrix_of(x, name).ravel())
        elif not isinstance(x, list | tuple | np.ndarray) or len(x) != len(self.parts):
            raise self.misfit(x, name)
        elif self.is_vector and not any(hasattr(y, "__len__") for y in x):
            rows.append(matrix_of(x, name).ravel())
        else:
            for i, part in enumerate(self.parts):
                y = x[i]
                if part.is_already(y):  # written out: a loop of training waits for it
                    rows.append(y.ravel())
                else:
                    part.flatten_into(rows, y, f"{name}[{i}]")

    def misfit(self, x: Any, name: str) -> ShapeError:
        takes = {float: "one number", np.ndarray: f"shape {self.shape}"}.get(self.kind, self)
        try:
            shape = np.shape(x)
            got = f"{type(x).__name__} of shape {shape}" if shape else repr(x)
        except ValueError:
            got = f"ragged lists {x!r}"
        return ShapeError(f"{name}: the program takes {takes}, got {got}")

    def unflatten(self, row: Any) -> Any:
        """The floats or nodes of a row in this structure; its arrays are views of the row.

        For a matrix with a row for each sample, arrays with the samples along their first axis.
        """
        single = row.ndim == 1
        if self.kind is np.ndarray:
            return row.reshape(self.shape if single else (len(row), *self.shape))
        if self.kind is float:
            return row.item() if single else row[:, 0]
        found, begin = [], 0
        for part in self.parts:
            end = begin + part.size
            found.append(part.unflatten(row[begin:end] if single else row[:, begin:end]))
            begin = end
        return getattr(self.kind, "_make", self.kind)(found)  # also of a named tuple

    def regular_shape(self, name: str) -> tuple[int, ...]:
        """The shape, if lists could be an array; ShapeError if not."""
        if self.kind in (float, np.ndarray):
            return self.shape
        inner = {part.regular_shape(name) for part in self.parts}
        if len(inner) > 1:
            raise ShapeError(f"{name}: ragged lists have no batch axis; use an array")
        return (len(self.parts), *(inner.pop() if inner else ()))

    def __str__(self) -> str:
        if self.kind is float:
            return "a number"
        if self.kind is np.ndarray:
            return f"an array of shape {self.shape}"
        return f"a {self.kind.__name__} of {len(self.parts)}"


def structure_of(x: Any) -> Structure:
    """The structure of numbers or Values."""
    if isinstance(x, list | tuple):
        return Structure(type(x), (), tuple(map(structure_of, x)))
    if np.shape(x) == () or isinstance(x, Value):
        return Structure(float)
    return Structure(np.ndarray, np.shape(x))


def is_model(x: Any) -> bool:
    """Whether x is made of parameters, like a Module of `nn`."""
    return hasattr(x, "with_parameters")


def without_model(x: Any) -> Any:
    """The numbers of a model's parameters as one row; all else as it is."""
    return np.array([*map(peek, x.parameters())], dtype=float) if is_model(x) else x


def shape_of(x: Any, name: str) -> tuple[int, ...]:
    """The shape of numbers; ShapeError for ragged lists."""
    try:
        return np.shape(refuse_foreign(x, f"{name}: real numbers are needed"))
    except ValueError:
        raise ShapeError(f"{name}: ragged lists, got {x!r}") from None


def matrix_of(x: Any, name: str) -> Floats:
    """An array of real numbers in floats."""
    needed = f"{name}: real numbers are needed"
    shape_of(x, name)
    array = np.asarray(x)
    try:
        for y in array.ravel().tolist() if array.dtype.kind not in "fiub" else ():
            if not is_real(y):
                raise no_number(y, needed)
        return array.astype(float)
    except OverflowError:
        raise RangeError(f"{name}: a number beyond the floats, in which a program runs") from None


def new_leaves(x: Any, name: str) -> tuple[Any, list[Value]]:
    """New leaves in the structure of numbers or Values, named like the entries of a matrix.

    A model is copied, with leaves that have the names of its parameters.
    """
    if is_model(x):
        nodes, leaves = new_leaves(np.array(x.parameters(), dtype=object), name)
        return x.with_parameters(nodes), leaves
    entries = list(indexed(x, ()))
    comma = "," if max([i for index, _ in entries for i in index], default=0) > 8 else ""
    leaves = [new_leaf(y, subscripted(name, index, comma)) for index, y in entries]
    return structure_of(x).unflatten(as_array(np.array(leaves, dtype=object))), leaves


def indexed(x: Any, index: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Every entry with its indices."""
    if isinstance(x, list | tuple):
        for i, y in enumerate(x):
            yield from indexed(y, (*index, i))
    elif not isinstance(x, Value) and np.shape(x):
        for inner, y in np.ndenumerate(refuse_foreign(x)):
            yield (*index, *inner), y
    else:
        yield index, x


def new_leaf(x: Any, label: str) -> Value:
    """A variable, so that derivatives inside of the function are graphs as well."""
    if not isinstance(x, Value) and not is_real(x):
        raise no_number(x, f"{label}: real numbers are needed")
    try:
        v = Variable(float(real(peek(x) if isinstance(x, Value) else x)))
    except OverflowError:
        v = Variable(1.0)  # any number will do
    v.label = getattr(x, "_label", "") or label
    return v
