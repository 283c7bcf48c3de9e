"""Rows taken for columns: of the gradient, of dout, or of another input."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Draw, Guess, predicts
from microgrid.check.handwritten.diagnosis.world import Index, World
from microgrid.check.handwritten.trial import Array


def transposed(case: Case) -> Iterator[Guess]:
    """Theirs is the right gradient, transposed, or for a transposed dout or input."""
    shape = case.first.shape
    if len(shape) == 2 and shape[0] == shape[1]:
        yield predicts(
            f"it is transposed: yours is {case.gradient}.T of the right one",
            lambda world, dout: world.right(dout).reshape(shape).T,
        )
    if len(case.first.shapes) == 1 and not case.trial.loss:
        yield from reordered(case)
        for axes in permuted(case.first.shapes[0]):
            words = "dout.T" if len(axes) == 2 else f"dout.transpose{axes}"
            yield predicts(
                f"yours is the right gradient for {words}: axes are mixed up",
                lambda world, dout, axes=axes: world.right(turned(world, dout, axes)),  # type: ignore[misc]
            )
    for name, a in case.trial.inputs.items():
        if np.ndim(a) == 2 and a.shape[0] == a.shape[1] and name != case.input and len(a) > 1:
            yield predicts(
                f"yours is right for the transposed {name}:"
                f" {name} stands for {name}.T, or vice versa",
                lambda world, dout, name=name: with_transposed(world, name).right(dout),  # type: ignore[misc]
            )


def permuted(shape: Index) -> Iterator[Index]:
    """The orders of axes, but their own, that leave this shape."""
    for axes in permutations(range(len(shape))):
        if axes != tuple(range(len(shape))) and tuple(shape[a] for a in axes) == shape:
            yield axes


def turned(world: World, dout: Array, axes: Index) -> Array:
    return dout.reshape(world.shapes[0]).transpose(axes).ravel()


def with_transposed(world: World, name: str) -> World:
    """The layer with this input transposed."""
    inputs = dict(world.trial.inputs)
    return world.at(inputs | {name: np.array(inputs[name]).T.copy()})


def reordered(case: Case) -> Iterator[Guess]:
    """dout, or the gradient, was reshaped where its axes should have been exchanged first."""
    for axes in permutations(range(len(case.first.shapes[0]))):
        if axes != tuple(range(len(axes))):
            yield predicts(
                f"dout is reshaped as it is: dout.transpose{axes} comes before the reshape",
                lambda world, dout, axes=axes: world.right(misread(dout, world.shapes[0], axes)),  # type: ignore[misc]
            )
    shape = case.first.shape
    for axes in permutations(range(len(shape))):
        if axes != tuple(range(len(shape))) and len(axes) > 2:
            yield predicts(
                f"the gradient is reshaped as it is: its axes must be exchanged by {axes}",
                lambda world, dout, axes=axes: misread(world.right(dout), shape, axes),  # type: ignore[misc]
            )


def misread(a: Array, shape: Index, axes: Index) -> Array:
    """The entries of `a`, read as those of `a.transpose(axes)`, in the order of a."""
    turned = a.reshape([shape[axis] for axis in axes])
    return turned.transpose(np.argsort(axes)).ravel()


def shifted(case: Case) -> Iterator[Guess]:
    """Theirs is the right gradient, shifted: the padding is cut off at another place."""
    shape = case.first.shape
    if len(shape) < 2:
        return
    for i, j in sorted(product(range(-3, 4), repeat=2), key=lambda step: sum(map(abs, step))):
        if (i or j) and abs(i) < shape[-2] - 1 and abs(j) < shape[-1] - 1:
            words = " and ".join(
                f"{k:+d} along axis {len(shape) + axis}" for k, axis in ((i, -2), (j, -1)) if k
            )
            yield Guess(
                f"it is the right gradient, shifted by {words}: look where the padding is cut off",
                lambda draw, i=i, j=j: moved_by(draw, i, j),  # type: ignore[misc]
            )


def moved_by(draw: Draw, i: int, j: int) -> bool:
    """Whether theirs is the right gradient, shifted, as far as both reach."""
    theirs, right = draw.theirs, draw.right.reshape(draw.theirs.shape)
    a = theirs[..., ends(i), ends(j)]
    b = right[..., ends(-i), ends(-j)]
    return draw.same(a.ravel(), b)


def ends(k: int) -> slice:
    """What is left of an axis where k entries are cut off in front, or −k in the end."""
    return slice(k, None) if k >= 0 else slice(None, k)
