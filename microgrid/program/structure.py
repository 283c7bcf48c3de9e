"""Numbers in any structure as one flat row, and back: lists, tuples, dicts, arrays, models."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, islice
from operator import attrgetter
from typing import Any

import numpy as np

from microgrid.engine.arguments import scalar, variable
from microgrid.engine.errors import NumberError, RangeError, ShapeError, shown
from microgrid.engine.guards import is_real, no_number, real, refuse_foreign
from microgrid.engine.trees import Branch, branch, is_computed, is_model, tree_leaves, tree_map
from microgrid.engine.value import Value, peek
from microgrid.program.tape import Floats
from microgrid.views.wording import entry_names, printable

FLOAT = np.dtype(float)
op_of, shape, dtype = map(attrgetter, ("op", "shape", "dtype"))


@dataclass(frozen=True)
class Structure:
    """How an argument or a result is built: one number, an array, or a list or dict of such."""

    kind: type  # float, np.ndarray, dict, list or a kind of tuple
    shape: tuple[int, ...] = ()  # of an array
    parts: tuple[Structure, ...] = ()  # of all others
    keys: tuple[Any, ...] = ()  # of a dict

    @cached_property
    def size(self) -> int:
        """How many numbers it holds."""
        alone = self.kind in (float, np.ndarray)
        return math.prod(self.shape) if alone else sum([part.size for part in self.parts])

    @cached_property
    def is_vector(self) -> bool:
        """Whether it is a list of plain numbers."""
        alone = self.kind in (np.ndarray, dict)
        return not alone and all(part.kind is float for part in self.parts)

    @cached_property
    def places(self) -> Sequence[Any]:
        """Where the parts stand: the keys of a dict, else 0, 1, …"""
        return self.keys if self.kind is dict else range(len(self.parts))

    @cached_property
    def common_shape(self) -> tuple[int, ...] | None:
        """The shape, if lists of it could be an array; None where they could not."""
        if self.kind in (float, np.ndarray):
            return self.shape
        inner = [part.common_shape for part in self.parts]
        if self.kind is dict or None in inner or len({*inner}) > 1:
            return None
        return (len(self.parts), *(inner[0] or () if inner else ()))

    @cached_property
    def has_one_axis(self) -> bool:
        """Whether a batch of it is one array, and not arrays under names or of several shapes."""
        named = hasattr(self.kind, "_fields") or not all(part.has_one_axis for part in self.parts)
        return self.common_shape is not None and not named

    @cached_property
    def shapes(self) -> list[tuple[int, ...]] | None:
        """The shape of each part of a list of arrays; None for what is none."""
        alone = self.kind in (float, np.ndarray, dict) or not self.parts
        arrays = not alone and all(part.kind is np.ndarray for part in self.parts)
        return [part.shape for part in self.parts] if arrays else None

    @cached_property
    def spans(self) -> list[tuple[slice, tuple[int, ...]]]:
        """Where each part of a list of arrays stands in a row, and its shape."""
        ends = [0, *accumulate([part.size for part in self.parts])]
        return [(slice(*ends), part.shape) for *ends, part in zip(ends, ends[1:], self.parts)]

    def is_already(self, x: Any) -> bool:
        """Whether x is an array of floats of this shape."""
        same = type(x) is np.ndarray and x.shape == self.shape and x.dtype is FLOAT
        return same and self.kind is np.ndarray

    def is_list_of_floats(self, x: Any) -> bool:
        """Whether x is the list or tuple of so many plain floats that this is."""
        listed = type(x) in (list, tuple) and self.is_vector and len(x) == len(self.parts)
        return listed and {*map(type, x)} == {float}

    def is_list_of_arrays(self, x: Any) -> bool:
        """Whether x is the list or tuple of arrays of floats that this is."""
        listed = self.shapes is not None and type(x) in (list, tuple)
        alike = listed and {*map(type, x)} == {np.ndarray} and [*map(shape, x)] == self.shapes
        return alike and [*map(dtype, x)].count(FLOAT) == len(x)

    def flatten(self, x: Any, name: str) -> Floats:
        """x as a new row of floats; ShapeError unless it has this structure."""
        row = np.empty(self.size)
        self.write(row, x, name)
        return row

    def write(self, row: Floats, x: Any, name: str) -> None:
        """Write the floats that make up x into a row; ShapeError unless it has this structure."""
        if (type(x) is float and self.kind is float) or self.is_list_of_floats(x):
            row[:] = x
            return
        if self.is_list_of_arrays(x):
            np.concatenate(x, axis=None, out=row)
            return
        x = without_model(x)
        if getattr(x, "shape", ()) and not isinstance(x, np.ndarray):  # of another library
            x = np.asarray(refuse_foreign(x, f"{name}: real numbers are needed"))
        if self.is_already(x):
            row[:] = x.ravel()
        elif self.kind in (float, np.ndarray):
            if array_shape(x, name) != self.shape:
                raise self.misfit(x, name)
            row[:] = matrix_of(x, name).ravel()
        elif not self.is_alike(x, list | tuple | np.ndarray):
            raise self.misfit(x, name)
        elif self.is_vector and not any(hasattr(y, "__len__") for y in x):
            row[:] = matrix_of(x, name).ravel()
        else:
            end = 0
            for place, part in zip(self.places, self.parts):
                begin, end = end, end + part.size
                part.write(row[begin:end], x[place], f"{name}[{place!r}]")

    def is_alike(self, x: Any, listed: Any = list | tuple) -> bool:
        """Whether x has the keys of this dict, or is a list of as many parts."""
        if self.kind is dict:
            return isinstance(x, Mapping) and x.keys() == dict.fromkeys(self.keys).keys()
        return isinstance(x, listed) and len(x) == len(self.parts)

    def misfit(self, x: Any, name: str) -> ShapeError:
        """The error for what has another structure: what is taken, what came."""
        takes = {float: "one number", np.ndarray: f"shape {self.shape}"}.get(self.kind, self)
        said = f"{name}: the program takes {takes}"
        if isinstance(x, Mapping) and self.kind is dict:
            missing = [f"without {key!r}" for key in self.keys if key not in x]
            foreign = [f"with {key!r}" for key in x if key not in self.keys]
            return ShapeError(f"{said}, got one {', '.join([*missing, *foreign])}")
        try:
            shape = np.shape(x)
            got = f"{type(x).__name__} of shape {shape}" if shape else repr(x)
        except ValueError:
            got = f"ragged lists {x!r}"
        return ShapeError(f"{said}, got {got}")

    def unflatten(self, row: Any) -> Any:
        """The floats or nodes of a row in this structure; its arrays are views of the row.

        For a matrix with a row for each sample, arrays with the samples along their first axis.
        """
        single = row.ndim == 1
        if self.kind is np.ndarray:
            return row.reshape(self.shape if single else (len(row), *self.shape))
        if self.kind is float:
            return row.item() if single else row[:, 0]
        if self.is_vector and single:
            return self.build(row.tolist())
        if self.shapes is not None and single:
            return self.build([row[where].reshape(shape) for where, shape in self.spans])
        found, begin = [], 0
        for part in self.parts:
            end = begin + part.size
            found.append(part.unflatten(row[begin:end] if single else row[:, begin:end]))
            begin = end
        return self.build(found)

    def build(self, parts: Sequence[Any]) -> Any:
        """The dict, list or (named) tuple of these parts."""
        if self.kind is dict:
            return dict(zip(self.keys, parts))
        return getattr(self.kind, "_make", self.kind)(parts)

    def batch_into(self, found: list[tuple[str, Floats]], x: Any, axis: int, name: str) -> None:
        """Add each array of a batch by its name, as a matrix with a row for each sample.

        The samples are along this axis of the one array, or of each array under a name.
        """
        shape = self.common_shape
        plain = type(x) is np.ndarray and x.dtype is FLOAT and x.ndim and x.shape[1:] == shape
        if plain and axis == 0 and self.has_one_axis:  # at once: a loop of training waits for it
            found.append((name, x.reshape(len(x), self.size)))
            return
        of_rows = hasattr(self.kind, "_fields") and not hasattr(x, "_fields") and shape is not None
        if not self.has_one_axis and self.is_alike(x) and not of_rows:
            for place, part in zip(self.places, self.parts):
                part.batch_into(found, x[place], axis, f"{name}[{place!r}]")
            return
        if shape is None:
            raise self.misfit(x, name)
        array = x if type(x) is np.ndarray and x.dtype == float else matrix_of(x, name)
        moved = np.moveaxis(array, axis, 0) if axis and array.ndim == len(shape) + 1 else array
        if moved.ndim != len(shape) + 1 or moved.shape[1:] != shape:
            raise ShapeError(
                f"{name}: each sample has shape {shape}, with the batch along axis {axis}; "
                f"got shape {array.shape}"
            )
        found.append((name, moved.reshape(len(moved), self.size)))

    def columns(self, x: Any, axis: int, name: str) -> Floats:
        """A batch as one matrix with a row for each sample."""
        found: list[tuple[str, Floats]] = []
        self.batch_into(found, x, axis, name)
        return np.concatenate([matrix for _, matrix in found], axis=1)

    def batch_of(self, matrix: Floats, axis: int) -> Any:
        """The arrays of a batch in this structure, from its `columns`."""
        if self.has_one_axis:
            array = matrix.reshape(len(matrix), *(self.common_shape or ()))
            return np.moveaxis(array, 0, axis) if axis else array
        ends = np.cumsum([part.size for part in self.parts])
        columns = np.split(matrix, ends[:-1], axis=1)
        return self.build([part.batch_of(x, axis) for part, x in zip(self.parts, columns)])

    def arrays(self, name: str) -> Iterator[tuple[str, tuple[int, ...]]]:
        """The arrays that a batch consists of: their names, and their shapes for one sample."""
        if self.has_one_axis:
            yield name, self.common_shape or ()
        else:
            for place, part in zip(self.places, self.parts):
                yield from part.arrays(f"{name}[{place!r}]")

    def regular_shape(self, name: str) -> tuple[int, ...]:
        """The shape of a sample that is one array; ShapeError where it is none."""
        if self.common_shape is None:
            raise ShapeError(f"{name} is {self}, which has no one batch axis: use an array")
        return self.common_shape

    def __str__(self) -> str:
        if self.kind is float:
            return "a number"
        if self.kind is np.ndarray:
            return f"an array of shape {self.shape}"
        held = ", ".join(map(repr, self.keys)) or "nothing"
        return f"a {self.kind.__name__} of {held if self.kind is dict else len(self.parts)}"


def structure_of(x: Any) -> Structure:
    """The structure of numbers or Values; a model is one row of its parameters."""
    whole = branch(x)
    if whole is None:
        return Structure(float)
    if whole.flat:
        return Structure(np.ndarray, shape_of(x, whole))
    parts = tuple(map(structure_of, whole.parts))
    if isinstance(x, list | tuple):
        return Structure(type(x), (), parts)
    return Structure(dict, (), parts, tuple(whole.keys))


def shape_of(x: Any, whole: Branch) -> tuple[int, ...]:
    """The shape of an array; a model is one row of its parameters."""
    return (len(whole.parts),) if whole.is_model else np.shape(x)


def without_model(x: Any) -> Any:
    """The numbers of a model's parameters as one row; all else as it is."""
    if not is_model(x):
        return x
    parameters = x.parameters()
    leaves = {*map(type, parameters)} <= {Value} and {*map(op_of, parameters)} <= {None}
    if not leaves and any(map(is_computed, parameters)):
        raise NumberError("a program takes the numbers of a model, whose parameters are results")
    return np.array([*map(peek, parameters)], dtype=float)


def array_shape(x: Any, name: str) -> tuple[int, ...]:
    """The shape of numbers; ShapeError for ragged lists."""
    try:
        return np.shape(refuse_foreign(x, f"{name}: real numbers are needed"))
    except ValueError:
        raise ShapeError(f"{name}: ragged lists, got {x!r}") from None


def matrix_of(x: Any, name: str) -> Floats:
    """An array of real numbers in floats."""
    needed = f"{name}: real numbers are needed"
    array_shape(x, name)
    array = np.asarray(x)
    try:
        for y in array.ravel().tolist() if array.dtype.kind not in "fiub" else ():
            if not is_real(y):
                raise no_number(y, needed)
        return array.astype(float)
    except OverflowError:
        raise RangeError(f"{name}: a number beyond the floats, in which a program runs") from None


def new_leaves(
    examples: Sequence[Any], names: Sequence[str], labelled: Sequence[Sequence[str]]
) -> list[tuple[Any, list[Value]]]:
    """New leaves in the structure of each argument, with the `labels` of all; and a row of them.

    A model is copied, with leaves that have the names of its parameters.
    """
    made = []
    for x, name, own in zip(examples, names, labelled):
        try:
            leaves = [new_leaf(y, label) for y, label in zip(tree_leaves(x), own)]
        except NumberError:  # told by its path, not by its label
            structure_of(x).flatten(tree_map(plain_number, x), name)
            raise
        made.append((rebuilt(x, iter(leaves)), leaves))
    return made


def labels(xs: Sequence[Any], names: Sequence[str]) -> list[list[str]]:
    """A label for each number of some structures with names, like that of an entry of a matrix.

    What stands under a key is named by it: {"w": [1.0, 2.0]} has w_1 and w_2, with the name of the
    structure before it where another has such a key.
    """
    places = [[*entries(x)] for x in xs]
    stems = [{words or name for words, *_ in each} for each, name in zip(places, names)]
    uses = Counter([stem for each in stems for stem in each])
    found = []
    for name, each in zip(names, places):
        counts = [n for _, index, shape in each for n in (*[i + 1 for i in index], *shape)]
        comma = "," if max(counts, default=0) > 9 else ""
        found.append(own := list[str]())
        for words, index, shape in each:
            alone = words and uses[words] == 1 and not words[0].isdigit()
            stem = words if alone else f"{name}{'.' * words[:1].isalpha()}{words}"
            own += entry_names(stem, shape, comma, index)
    return found


def outputs_of(y: Any) -> list[Value]:
    """The nodes that a function returned; NumberError, which tells the place, for what is none."""
    leaves, found = tree_leaves(y), []
    for i, v in enumerate(leaves):
        try:
            found.append(scalar(v))
        except NumberError as error:
            if branch(y) is None:
                raise
            place = list(paths(y, "the result"))[i]
            raise NumberError(f"{place} is {shown(v)}, not one number: {error}") from None
    return found


def paths(x: Any, name: str) -> Iterator[str]:
    """Where each number of a structure stands, like params['w'][2]."""
    whole = branch(x)
    if whole is None:
        yield name
        return
    for key, part in zip(whole.keys, whole.parts):
        inner = f"{name}[{key!r}]"
        yield from [inner] if whole.flat else paths(part, inner)


def arrayed(x: Any) -> Any:
    """What NumPy alone knows as an array, like a range, as one; all else as it is."""
    alone = not (isinstance(x, Value) or is_model(x)) and branch(x) is None
    return np.asarray(x) if alone and array_shape(x, "x") else x


def plain_number(x: Any) -> Any:
    """The number of a Value; all else as it is."""
    return peek(x) if isinstance(x, Value) else x


def rebuilt(x: Any, row: Iterator[Value]) -> Any:
    """The structure of x with the nodes of a row in the place of its numbers."""
    whole = branch(x)
    if whole is None:
        return next(row)
    if whole.flat:
        return whole.build(list(islice(row, len(whole.parts))))
    return whole.build([rebuilt(part, row) for part in whole.parts])


def entries(
    x: Any, words: str = "", index: tuple[int, ...] = ()
) -> Iterator[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    """For each number, array and model the keys that lead to it, as words; its indices; its shape.

    >>> list(entries({"layers": [{"w": [5.0, np.zeros((2, 3))]}]}))
    [('layers0.w', (0,), ()), ('layers0.w', (1,), (2, 3))]
    """
    whole = branch(x)
    if whole is None or whole.flat:
        yield words, index, shape_of(x, whole) if whole else ()
        return
    for key, part in zip(getattr(x, "_fields", whole.keys), whole.parts):
        if isinstance(x, Mapping) or hasattr(x, "_fields"):
            before = words + "".join(map(str, index))
            yield from entries(part, f"{before}.{printable(str(key))}".lstrip("."))
        else:
            yield from entries(part, words, (*index, key))


def new_leaf(x: Any, label: str) -> Value:
    """A variable, so that derivatives inside of the function are graphs as well."""
    number = peek(x) if isinstance(x, Value) else x
    if type(number) is not float:
        if number is x and not is_real(x):
            raise no_number(x, f"{label}: real numbers are needed")
        try:
            number = float(real(number))
        except OverflowError:
            number = 1.0  # any number will do
    return variable(number, getattr(x, "_label", "") or label)  # which is printable
