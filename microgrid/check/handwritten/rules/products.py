"""A sum of dout times an array: which array theirs takes, and which is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from microgrid.check.handwritten.case import Case, Draw, Guess, Index, World, predicts
from microgrid.check.handwritten.rules.factors import known, ratio, times
from microgrid.check.handwritten.trial import Array


class Product(NamedTuple):
    """A way to write a gradient, and how it is computed from dout."""

    text: str
    of: Callable[[World, Array], Array]


def products(case: Case) -> Iterator[Guess]:
    """Theirs is a sum of dout times one array, and so is the right one."""
    if len(case.first.shapes) != 1:
        return
    theirs = fitting(case, case.theirs.shape, lambda draw: draw.theirs)
    if theirs is None:
        return
    right = fitting(case, case.first.shape, lambda draw: draw.right)
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


def fitting(case: Case, shape: Index, gradient: Callable[[Draw], Array]) -> Product | None:
    """The simplest product, times a number with a name, that is this gradient in all draws."""
    g = gradient(case.draws[0]).ravel()
    if not g.any():
        return None
    for product in candidates(case, shape):
        with np.errstate(all="ignore"):
            p = product.of(case.first, case.draws[0].dout).ravel()
        if p.size != g.size or not np.isfinite(p).all():
            continue
        c = ratio(g, p)
        if not known(case, c) and not known(case, -c):
            continue
        whole = scaled(case, product, c)
        if all(draw.same(gradient(draw).ravel(), whole.of(draw.world, draw.dout)) for draw in case.draws):
            return whole
    return None


def scaled(case: Case, product: Product, c: float) -> Product:
    text = f"{'−' if c < 0 else ''}{times(case, abs(c))}{product.text}"
    return Product(text, lambda world, dout: c * product.of(world, dout))


def candidates(case: Case, shape: Index) -> Iterator[Product]:
    """The products of dout with an array, or with none, that have this shape."""
    out = case.first.shapes[0]
    arrays = {} if case.trial.loss else {"": np.ones(())}
    seen: list[Array] = []
    for name, z in case.first.numbers.items():
        if not any(z.shape == a.shape and (z == a).all() for a in seen) and z.size:
            seen.append(z)
            arrays[name] = z
    if case.trial.loss:
        for name, z in arrays.items():
            if z.shape == shape:
                yield Product(name, take(name))
        return
    for name, z in arrays.items():
        yield from sums(name, z, out, shape)
    for name, z in arrays.items():
        if z.ndim >= 2 and len(out) >= 2 and len(shape) == 2:
            yield from matrix_products(name, z, out, shape)


def take(name: str) -> Callable[[World, Array], Array]:
    return lambda world, dout: world.numbers[name]


def sums(name: str, z: Array, out: Index, shape: Index) -> Iterator[Product]:
    """np.sum(dout * z, axis=…) in a shape."""
    try:
        if np.broadcast_shapes(z.shape, out) != out:
            return
    except ValueError:
        return
    bare = tuple(n for n in shape if n != 1)
    term = f"dout * {name}" if name else "dout"

    def total(axes: Index) -> Callable[[World, Array], Array]:
        def of(world: World, dout: Array) -> Array:
            d = dout.reshape(world.shapes[0])
            result: Array = np.sum(d * world.numbers[name] if name else d, axis=axes)
            return result

        return of

    for k in range(len(out) + 1):
        for axes in combinations(range(len(out)), k):
            rest = tuple(n for a, n in enumerate(out) if a not in axes and n != 1)
            if rest == bare:
                axis = str(axes[0]) if k == 1 else str(axes)
                whole = "" if k == len(out) else f", axis={axis}"
                yield Product(f"np.sum({term}{whole})" if k else term, total(axes))
    if bare:
        every = total(tuple(range(len(out))))
        yield Product(f"np.sum({term})", lambda w, d: np.full(shape, every(w, d)))


def matrix_products(name: str, z: Array, out: Index, shape: Index) -> Iterator[Product]:
    """The matrix products of dout and z that have this shape; axes before the last count as one."""
    m, n = out[-1], int(np.prod(out[:-1]))
    k, j = z.shape[-1], int(np.prod(z.shape[:-1]))

    def made(f: Callable[[Array, Array], Array]) -> Callable[[World, Array], Array]:
        return lambda world, dout: f(dout.reshape(n, m), world.numbers[name].reshape(j, k))

    if j == n and shape == (k, m):
        yield Product(f"{name}.T @ dout", made(lambda d, z: z.T @ d))
    if j == n and shape == (m, k):
        yield Product(f"dout.T @ {name}", made(lambda d, z: d.T @ z))
    if len(out) == 2 and k == m and shape == (n, j):
        yield Product(f"dout @ {name}.T", made(lambda d, z: d @ z.T))
    if len(out) == 2 and j == m and shape == (n, k):
        yield Product(f"dout @ {name}", made(lambda d, z: d @ z))
    if len(out) == 2 and k == n and shape == (j, m):
        yield Product(f"{name} @ dout", made(lambda d, z: z @ d))
    if len(out) == 2 and k == m and shape == (j, n):
        yield Product(f"{name} @ dout.T", made(lambda d, z: z @ d.T))
