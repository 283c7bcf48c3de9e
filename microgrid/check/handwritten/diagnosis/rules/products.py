"""A sum of dout times an array: which array theirs takes, and which is right."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Draw, Guess, predicts
from microgrid.check.handwritten.diagnosis.rules.named_numbers import known, ratio, times
from microgrid.check.handwritten.diagnosis.world import Index, World
from microgrid.check.handwritten.trial import Array

Upstream = Callable[[World, Array], Array]


class Product(NamedTuple):
    """A way to write a gradient, and how it is computed from dout."""

    text: str
    of: Callable[[World, Array], Array]
    form: tuple[str, str] = ("", "")  # the upstream gradient, and what is done with it


def products(case: Case) -> Iterator[Guess]:
    """Theirs is a sum of dout times one array, and so is the right one."""
    if len(case.first.shapes) != 1:
        return
    theirs = fitting(case, case.theirs.shape, lambda draw: draw.theirs)
    if theirs is None:
        return
    right = fitting(case, case.first.shape, lambda draw: draw.right, theirs.form)
    if right is None and theirs.form[0] != "dout":
        return  # true, but another mistake: two ways of writing that only happen to agree
    words = f"yours is {theirs.text}, right is {right.text}" if right else f"yours is {theirs.text}"
    yield predicts(wrong_axis(words, theirs, right), theirs.of)


def wrong_axis(words: str, theirs: Product, right: Product | None) -> str:
    """The sentence, with what is plain from both ways of writing."""
    if right is None or ", axis=" not in right.text:
        return words
    if theirs.text == right.text.split(", axis=")[0] + ")":
        return f"it is summed over everything: {words}"
    if theirs.text.split(", axis=")[0] == right.text.split(", axis=")[0]:
        return f"it is summed over the wrong axis: {words}"
    return words


def fitting(
    case: Case, shape: Index, gradient: Callable[[Draw], Array], form: tuple[str, str] | None = None
) -> Product | None:
    """The simplest product, times a number with a name, that is this gradient in all draws."""
    g = gradient(case.here).ravel()
    if not g.any():
        return None
    for way in candidates(case, shape):
        if form not in (None, way.form):
            continue
        with np.errstate(all="ignore"):
            p = way.of(case.first, case.here.dout).ravel()
        if p.size != g.size or not np.isfinite(p).all():
            continue
        c = ratio(g, p)
        if not known(case, c) and not known(case, -c):
            continue
        whole = scaled(case, way, c)
        if case.always(
            lambda d, whole=whole: d.same(gradient(d).ravel(), whole.of(d.world, d.dout))  # type: ignore[misc]
        ):
            return whole
    return None


def scaled(case: Case, product: Product, c: float) -> Product:
    text = f"{'−' if c < 0 else ''}{times(case, abs(c))}{product.text}"
    return Product(text, lambda world, dout: c * product.of(world, dout), product.form)


def candidates(case: Case, shape: Index) -> Iterator[Product]:
    """The products of dout, or the gradient of an array inside, with another array or none."""
    arrays = distinct(case)
    if case.trial.loss:
        for name, z in arrays.items():
            if z.shape == shape:
                yield Product(name, take(name), ("dout", "itself"))
    for up, d in upstreams(case, arrays):
        out = d(case.first, case.here.dout).shape
        yield from sums("", np.ones(()), (up, d), out, shape)
        for name, z in arrays.items():
            yield from sums(name, z, (up, d), out, shape)
        for name, z in arrays.items():
            if z.ndim >= 2 and len(out) >= 2 and len(shape) == 2:
                yield from matrix_products(name, z, (up, d), out, shape)


def distinct(case: Case) -> dict[str, Array]:
    """The arrays of their forward, each once."""
    found: dict[str, Array] = {}
    for name, z in case.first.numbers.items():
        if z.size and not any(z.shape == a.shape and (z == a).all() for a in found.values()):
            found[name] = z
    return found


def upstreams(case: Case, arrays: Mapping[str, Array]) -> Iterator[tuple[str, Upstream]]:
    """dout, and the exact gradients of the arrays inside, in their shapes."""
    if not case.trial.loss:
        yield "dout", lambda world, dout: dout.reshape(world.shapes[0])
    for name, z in arrays.items():
        inside = name in case.first.exact.inner and name not in (*case.trial.inputs, "out")
        if inside and z.ndim and case.first.gradient_of(name, case.here.dout) is not None:
            yield f"d{name}", lambda world, dout, name=name: world.gradient_of(name, dout)  # type: ignore[misc]


def take(name: str) -> Callable[[World, Array], Array]:
    return lambda world, dout: world.numbers[name]


def sums(
    name: str, z: Array, upstream: tuple[str, Upstream], out: Index, shape: Index
) -> Iterator[Product]:
    """np.sum(dout * z, axis=…) in a shape."""
    try:
        if np.broadcast_shapes(z.shape, out) != out:
            return
    except ValueError:
        return
    up, d = upstream
    bare = tuple(n for n in shape if n != 1)
    term = f"{up} * {name}" if name else up

    def total(axes: Index) -> Callable[[World, Array], Array]:
        def of(world: World, dout: Array) -> Array:
            g = d(world, dout)
            result: Array = np.sum(g * world.numbers[name] if name else g, axis=axes)
            return result

        return of

    for k in range(len(out) + 1):
        for axes in combinations(range(len(out)), k):
            rest = tuple(n for a, n in enumerate(out) if a not in axes and n != 1)
            if rest == bare:
                axis = str(axes[0]) if k == 1 else str(axes)
                whole = "" if k == len(out) else f", axis={axis}"
                form = (up, "sum" if k else "times")
                yield Product(f"np.sum({term}{whole})" if k else term, total(axes), form)
    if bare:
        every = total(tuple(range(len(out))))
        yield Product(
            f"np.sum({term})", lambda w, dout: np.full(shape, every(w, dout)), (up, "sum")
        )


def matrix_products(
    name: str, z: Array, upstream: tuple[str, Upstream], out: Index, shape: Index
) -> Iterator[Product]:
    """The matrix products of dout and z that have this shape; axes before the last count as one."""
    up, g = upstream
    sizes = {f"{up}": (math.prod(out[:-1]), out[-1]), name: (math.prod(z.shape[:-1]), z.shape[-1])}
    for a, b in ((name, up), (up, name)):
        for turn_a, turn_b in product((False, True), repeat=2):
            (n, k), (m, j) = sizes[a][:: -1 if turn_a else 1], sizes[b][:: -1 if turn_b else 1]
            if k == m and (n, j) == shape:
                text = f"{a}{'.T' * turn_a} @ {b}{'.T' * turn_b}"

                def of(
                    world: World, dout: Array, a: str = a, ta: bool = turn_a, tb: bool = turn_b
                ) -> Array:
                    pair = [g(world, dout), world.numbers[name]][:: 1 if a == up else -1]
                    x, y = (m.reshape(-1, m.shape[-1]) for m in pair)
                    result: Array = (x.T if ta else x) @ (y.T if tb else y)
                    return result

                yield Product(text, of, (up, "@"))
