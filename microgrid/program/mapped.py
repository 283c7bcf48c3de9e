"""A function of one sample as a function of a batch: recorded once, at the first call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from inspect import Parameter, Signature
from typing import Any, NamedTuple

import numpy as np

from microgrid.engine.arguments import holds_value
from microgrid.engine.errors import ArgumentError, NumberError, ShapeError
from microgrid.engine.hints import hinted
from microgrid.engine.trees import branch, is_model
from microgrid.engine.value_array import as_array
from microgrid.program.batched import Batched, axes_of
from microgrid.program.program import argument_names, record
from microgrid.program.structure import matrix_of, structure_of

Build = Callable[[Sequence[Any]], Any]
Axes = tuple[int | None, ...]


@hinted
def vmap(f: Callable[..., Any], in_axes: Any = 0) -> Vmapped:
    """The function f of one sample, for a batch: its results are stacked along their first axis.

    `in_axes` is the axis of the samples, for all arguments or a tuple with one for each; None where
    all samples share an argument (as in JAX). Arguments are numbers, arrays, models of `nn` (which
    are shared), and dicts and tuples of such, whose arrays all have this axis; a list is an array.
    f is recorded at the first call, for the shapes of one sample, and again for others: what it may
    do is told in `record`. ShapeError where the axes do not fit, ArgumentError for another number
    of arguments, NumberError for what is no function. On Values, and so inside of `grad` or
    `record`, f is called for one sample after the other.

    >>> vmap(lambda x, w: x @ w, in_axes=(0, None))([[1.0, 2.0], [3.0, 4.0]], [1.0, -1.0])
    array([-1., -1.])
    """
    return Vmapped(f, in_axes)


class Vmapped:
    """A function of a batch, made by `vmap`; it keeps a program for each form of its arguments.

    >>> from microgrid import vmap
    >>> squares = vmap(lambda x: x * x)
    >>> squares([1.0, 2.0]).tolist()
    [1.0, 4.0]
    """

    def __init__(self, f: Callable[..., Any], in_axes: Any) -> None:
        if not callable(f):
            raise NumberError(f"vmap takes a function of one sample, got {f!r:.60}")
        self.__name__ = "vmap"
        update_wrapper(self, f)
        self._f, self._axes = f, axes_of(in_axes)
        self._several = isinstance(in_axes, list | tuple)
        self._programs: dict[Any, tuple[Batched, Build, Sequence[Any]]] = {}

    def __repr__(self) -> str:
        return f"vmap({getattr(self._f, '__name__', self._f)})"

    @hinted
    def __call__(self, *args: Any) -> Any:
        axes = self._axes if self._several else self._axes * len(args)
        if len(axes) != len(args) or not args:
            raise ArgumentError(f"in_axes has {len(axes)} entries, the call {len(args)} arguments")
        taken = [apart(x, lists=False) for x in args]
        axes = tuple([axis for t, axis in zip(taken, axes) for _ in t.parts])
        names = named(argument_names(self._f, len(args)), taken)
        leaves = [x for t in taken for x in t.parts]
        arrays = [x if k is None else batch(x, k, name) for x, k, name in zip(leaves, axes, names)]
        if holds_value(arrays):
            return self._one_by_one(arrays, axes, taken, names)
        samples = [x if k is None else sample(x, k) for x, k in zip(arrays, axes)]
        kinds = [id(x) if is_model(x) else structure_of(x) for x in samples]
        key = (axes, *kinds, *[t.form for t in taken])
        if key not in self._programs:
            self._programs[key] = self._recorded(samples, axes, taken, names)
        batched, build, _ = self._programs[key]
        return build(batched(*arrays))

    def _recorded(
        self, samples: Sequence[Any], axes: Axes, taken: Sequence[Apart], names: Sequence[str]
    ) -> tuple[Batched, Build, Sequence[Any]]:
        """The batched program; how its results are put together; the models of its key."""
        result: list[Apart] = []

        def of_arrays(*arrays: Any) -> list[Any]:
            result[:] = [apart(self._f(*rebuilt(arrays, taken)), lists=True)]
            return list(map(rows_of, result[0].parts))

        parameters = [Parameter(name, Parameter.POSITIONAL_ONLY) for name in names]
        update_wrapper(of_arrays, self._f)
        of_arrays.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        batched = record(of_arrays, *samples).batched(axes)
        return batched, result[0].build, [x for x in samples if is_model(x)]

    def _one_by_one(
        self, arrays: Sequence[Any], axes: Axes, taken: Sequence[Apart], names: Sequence[str]
    ) -> Any:
        """The stacked results of f, called for each sample."""
        sizes = {n: x.shape[k] for n, x, k in zip(names, arrays, axes) if k is not None}
        if len({*sizes.values()}) > 1 or not all(sizes.values()):
            said = ", ".join([f"{name} has {n}" for name, n in sizes.items()])
            raise ShapeError(f"the batch has one size, and on Values one sample or more: {said}")
        found = []
        for i in range(next(iter(sizes.values()))):
            own = [x if k is None else np.moveaxis(x, k, 0)[i] for x, k in zip(arrays, axes)]
            found.append(apart(self._f(*rebuilt(own, taken)), lists=True))
        columns = zip(*[map(rows_of, t.parts) for t in found])
        return found[0].build([as_array(np.array(rows, dtype=object)) for rows in columns])


class Apart(NamedTuple):
    """A structure taken apart: its arrays, numbers and models; what puts others in their place."""

    parts: list[Any]
    build: Build
    form: Any = None  # the same for structures that are built alike


def apart(xs: Any, lists: bool) -> Apart:
    """The parts of dicts and tuples, and with `lists` also of lists, which are arrays else."""
    whole = branch(xs)
    if whole is None or whole.flat or (isinstance(xs, list) and not lists):
        return Apart([xs], lambda parts: parts[0])
    taken = [apart(x, lists) for x in whole.parts]
    form = (type(xs), tuple(whole.keys), *[t.form for t in taken])
    return Apart(
        [x for t in taken for x in t.parts], lambda parts: whole.build(rebuilt(parts, taken)), form
    )


def rebuilt(parts: Sequence[Any], taken: Sequence[Apart]) -> list[Any]:
    """Structures as they were taken apart, with these parts, one after the other."""
    rest = iter(parts)
    return [t.build([next(rest) for _ in t.parts]) for t in taken]


def named(names: Sequence[str], taken: Sequence[Apart]) -> list[str]:
    """A name for each part of the arguments: numbered where an argument has several."""
    return [
        f"{name}_{i}" if len(t.parts) > 1 else name
        for name, t in zip(names, taken)
        for i in range(1, len(t.parts) + 1)
    ]


def batch(x: Any, axis: int, name: str) -> Any:
    """An argument with a batch axis as an array; ShapeError where it has no such axis."""
    if is_model(x):
        raise ShapeError(f"{name}: a model is shared by all samples: in_axes is None for it")
    array = x if holds_value(x) else matrix_of(x, name)
    array = as_array(np.asarray(array, dtype=None if array is not x else object))
    if not -array.ndim <= axis < array.ndim:
        shape = f"shape {array.shape}" if array.ndim else "one number"
        raise ShapeError(f"{name} has no axis {axis}: got {shape}; in_axes is None where all "
                         "samples share an argument")  # fmt: skip
    return array


def sample(array: Any, axis: int) -> Any:
    """The first sample; zeros of its shape where there is none."""
    moved = np.moveaxis(array, axis, 0)
    return moved[0] if len(moved) else np.zeros(moved.shape[1:])


def rows_of(x: Any) -> Any:
    """The parameters of a model as one row, like that of a gradient; all else as it is."""
    return np.array(x.parameters(), dtype=object) if is_model(x) else x
