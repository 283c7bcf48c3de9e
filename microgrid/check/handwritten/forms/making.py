"""Objects of a class: the arguments of its constructor are chosen by their names, or tried."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator

from microgrid.check.handwritten.forms import random_arrays, sizes
from microgrid.check.handwritten.forms.sizes import has_default, parameters_of
from microgrid.check.handwritten.forms.sources import normal
from microgrid.check.handwritten.forms.state import is_floats, seeded
from microgrid.check.handwritten.trial import LayerError

EMPTY = inspect.Parameter.empty
AT_ONCE = 24  # combinations of unknown arguments
INITIALIZERS = ("initialize", "build", "init_weights", "initialize_parameters", "init_params")


class Optimizer:
    """A step of 0.5 down the gradient, for the layers that want an optimizer.

    >>> float(Optimizer().update(np.ones(2), np.ones(2))[0])
    0.5
    """

    lr = learning_rate = 0.5

    def update(self, w: Any, gradient: Any, *_: Any, **__: Any) -> Any:
        """The parameter after the step."""
        return w - self.lr * gradient

    step = __call__ = apply = update


def objects(
    cls: type, given: Mapping[str, Any], seed: int = 0, which: int = 0
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Objects of a class, each with the arguments that made it; the likeliest first.

    `which` chooses among strides and paddings. LayerError if it cannot be made at all.

    >>> class Linear:
    ...     def __init__(self, n_in, n_out):
    ...         self.W = np.ones((n_in, n_out))
    >>> next(objects(Linear, {}))[1]
    {'n_in': 4, 'n_out': 5}
    """
    error, made, seen = None, False, set()
    for chosen in _choices(cls, given, seed, which):
        told = repr({k: v.shape if is_floats(v) else v for k, v in chosen.items()})
        if told in seen:
            continue
        seen.add(told)
        for initializer, shape in _second(cls):
            try:
                with seeded(seed):
                    thing = cls(**chosen)
                    if shape:
                        thing.set_input_shape(shape=shape)
                    if initializer:
                        _initialize(thing, initializer)
            except Exception as caught:
                error = error or caught
                continue
            made = True
            yield thing, dict(chosen)
    if not made:
        raise LayerError(_unmade(cls, given, error))


def _second(cls: type) -> list[tuple[str, tuple[int, ...]]]:
    """What to call after the constructor: nothing, or what takes the shape of an input."""
    initializers = ["", *(n for n in INITIALIZERS if hasattr(cls, n))]
    shapes: list[tuple[int, ...]] = [()]
    if hasattr(cls, "set_input_shape"):
        shapes += [(sizes.IN,), (sizes.CHANNELS, 7, 5), (sizes.STEPS, sizes.IN)]
    return [(initializer, shape) for shape in shapes for initializer in initializers]


def _initialize(thing: Any, initializer: str) -> None:
    """Call a second constructor: `initialize(optimizer)`."""
    method = getattr(thing, initializer)
    method(**{p.name: _first(p) for p in parameters_of(method) if not has_default(p)})


def _first(p: inspect.Parameter) -> Any:
    known = sizes.size(p.name)
    return Optimizer() if "optim" in normal(p.name) else known if known else sizes.number(p.name)


def _choices(
    cls: type, given: Mapping[str, Any], seed: int, which: int
) -> Iterator[dict[str, Any]]:
    """Arguments to try: strides that overlap first, then their defaults, then what has none."""
    names, rng = parameters_of(cls), np.random.default_rng(seed)
    features = _features(names, given)
    for strides, optional in ((True, False), (False, False), (True, True)):
        for n in features:
            for world in sizes.worlds(n):
                options = [
                    _options(cls, p, given, rng, (n, world, which if strides else -1), optional)
                    for p in names
                ]
                for values in itertools.islice(itertools.product(*options), AT_ONCE):
                    chosen = {p.name: v for p, v in zip(names, values) if v is not EMPTY}
                    yield _apart(chosen, given)


def _apart(chosen: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes out that are equal become different: `d_hidden=5, d_out=7`, and no square matrix."""
    found, spare = dict(chosen), [sizes.WORDS, 8, 9]
    seen: set[int] = set()
    for name, n in chosen.items():
        alike = sizes.size(name) in (sizes.OUT, None) and normal(name) not in sizes.STRIDES
        if type(n) is not int or not alike or name in given:
            continue
        if n in seen and spare:
            found[name] = spare.pop(0)
        seen.add(n)
    return found


def _features(names: list[inspect.Parameter], given: Mapping[str, Any]) -> list[int]:
    """How many features come in: the sizes of the inputs that were given, else 4."""
    made = {p.name for p in names}
    shapes = [
        x if isinstance(x, tuple) and all(isinstance(n, int) for n in x) else np.shape(x)
        for k, x in given.items()
        if k not in made and isinstance(x, tuple | list | np.ndarray)
    ]
    found = [n for s in shapes for n in reversed(s)]
    return list(dict.fromkeys([*found, *([sizes.IN] if not found else [])]))


def _options(
    cls: type,
    p: inspect.Parameter,
    given: Mapping[str, Any],
    rng: Generator,
    about: tuple[int, dict[str, tuple[int, ...]], int],
    optional: bool,
) -> list[Any]:
    """What to try for one argument of a constructor; EMPTY leaves it out, none rules it out."""
    features, world, which = about
    name, known, kind = normal(p.name), sizes.size(p.name), sizes.group(p.name)
    needed = p.default is EMPTY
    if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
        return [EMPTY]
    if p.name in given:
        return [drawn(p.name, given[p.name], rng)]
    if name in sizes.STRIDES and which >= 0 and not isinstance(p.default, str):
        n = sizes.STRIDES[name][which]
        return [(n, n)] if isinstance(p.default, tuple) else [n, (n, n)] if needed else [n]
    if which >= 0 and known == sizes.WINDOW and isinstance(p.default, int):
        return [sizes.WINDOW]  # a window of 2 with a stride of 2 hides what overlaps
    if not needed and not (optional and p.default is None and known):
        return [EMPTY]
    if kind and p.annotation not in (int, "int"):
        if "embed" in cls.__name__.lower() and kind == "w":
            return [draw(kind, (sizes.WORDS, sizes.OUT), rng)]
        return [draw(kind, world[kind], rng)] if kind in world else []
    if known == sizes.WINDOW:
        n, window = sizes.WINDOW, (sizes.WINDOW, sizes.WINDOW)
        kernel = (*window, sizes.CHANNELS, sizes.FILTERS)
        return [window, n, kernel] if "shape" in name else [n, window, kernel]
    if known is not None:
        n = features if known == sizes.IN else known
        if "embed" in cls.__name__.lower() and known == sizes.IN:
            return [sizes.WORDS, n]
        if "shape" in name:
            return [(n,), n, (sizes.CHANNELS, 7, 5), (7, 5, sizes.CHANNELS)]
        return [n, features] if n == sizes.CHANNELS else [n]
    if "optim" in name or name == "opt":
        return [Optimizer()]
    if name in sizes.STRIDES:
        return [sizes.STRIDES[name][max(which, 0)]]
    value = sizes.number(p.name)
    return [4, None, 5, "relu"] if value is None else [value]


def _unmade(cls: type, given: Mapping[str, Any], error: Exception | None) -> str:
    unknown = [p.name for p in parameters_of(cls) if not has_default(p) and p.name not in given]
    said = f" ({type(error).__name__}: {error})" if error else ""
    if not unknown:
        return f"{cls.__name__} cannot be made{said}: give an object of it"
    how = ", ".join(f"{n}=…" for n in unknown)
    return (
        f"{cls.__name__} cannot be made{said}: give its arguments ({how}: a number, or a shape "
        f"such as (4, 5) for an array), or an object of it"
    )


def draw(name: str, shape: tuple[int, ...], rng: Generator) -> Any:
    """Numbers of both signs that are not near 0, 1 or each other; weights are smaller.

    >>> draw("w", (2, 3), np.random.default_rng(0)).shape
    (2, 3)
    """
    numbers = random_arrays.signed(shape, rng)
    is_weight = len(shape) > 1 and normal(name) not in ("x", "input", "inputs")
    return numbers * 0.7 if is_weight else numbers


def drawn(name: str, given: Any, rng: Generator) -> Any:
    """What was given: a shape is drawn where the name is no size, anything else is itself.

    >>> drawn("W", (2, 3), np.random.default_rng(0)).shape, drawn("stride", (2, 2), None)
    ((2, 3), (2, 2))
    """
    is_shape = isinstance(given, tuple) and all(isinstance(n, int) for n in given)
    is_size = sizes.is_window(name) or "shape" in normal(name) or normal(name).endswith("size")
    if is_shape and not is_size:
        return draw(name, given, rng)
    return given.copy() if isinstance(given, np.ndarray) else given
