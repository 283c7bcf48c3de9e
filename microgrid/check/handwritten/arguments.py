"""What a forward may be called with, and the labels of a loss: the likeliest shapes first."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator

from microgrid.check.handwritten import random_arrays, sizes
from microgrid.check.handwritten.making import draw, drawn
from microgrid.check.handwritten.sizes import (
    CHANNELS,
    IN,
    OUT,
    STEPS,
    N,
    has_default,
    parameters_of,
)
from microgrid.check.handwritten.sources import normal
from microgrid.check.handwritten.state import floats_of
from microgrid.check.handwritten.trial import Array

Shape = tuple[int, ...]
Shapes = dict[str, Shape]

TRAINING = {"train", "training", "istraining", "trainflg", "trainflag", "istrain", "trainmode"}
INTEGERS = {"idx", "indices", "tokens", "ids", "inputids", "tokenids", "idxs", "words", "index"}
LABELS = (  # likelier ones first
    "ytrue truth true actual expected groundtruth gt target targets label labels yactual trues "
    "truelabels ylabel ylabels onehot yreal".split(),
    "t y yt tgt ys".split(),
)
IMAGES = ("conv", "pool", "2d", "spatial", "flatten", "im2col")
SEQUENCES = ("rnn", "lstm", "gru", "time", "attention", "transformer", "encoder", "decoder")
PROBABLE = ("crossentropy", "bce", "nll", "logloss", "loglikelihood", "logistic", "entropy", "kl")
LOGITS = ("softmax(", "np.exp(", "sigmoid(", "logsumexp")
DISTANCES = ("mse", "mae", "squared", "huber", "l1", "l2", "mean", "absolute", "rmse")


def labelled(names: list[str]) -> str:
    """The name of the labels among the arguments of a loss, "" if there are none.

    >>> labelled(["y", "t"]), labelled(["y_pred", "y_true"]), labelled(["x", "h"])
    ('t', 'y_true', '')
    """
    for rank in LABELS:
        found = [n for n in names if normal(n) in rank]
        if found and len(names) > 1:
            return found[-1] if normal(found[0]) == "y" else found[0]
    return ""


def required(method: Any, given: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The arrays that a forward needs, and its modes: training.

    >>> required(lambda x, training=False: x, {})
    (['x'], {'training': True})
    """
    arrays, settings = [], {}
    for p in parameters_of(method):
        if p.kind == p.VAR_KEYWORD or (p.kind == p.VAR_POSITIONAL and arrays):
            continue
        if normal(p.name) in TRAINING and p.name not in given:
            settings[p.name] = True
        elif normal(p.name) == "mode" and p.name not in given:
            settings[p.name] = "train"
        elif p.name in given or not has_default(p) or p.kind == p.VAR_POSITIONAL:
            arrays.append(p.name)
    return arrays, settings


def arguments(
    thing: Any, forward: str, given: Mapping[str, Any], rng: Generator, made: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """What the forward of an object may be called with.

    >>> class Relu:
    ...     def forward(self, x):
    ...         return np.maximum(x, 0)
    >>> next(arguments(Relu(), "forward", {}, np.random.default_rng(0), {}))["x"].shape
    (3, 4)
    """
    arrays, settings = required(getattr(thing, forward), given)
    label = labelled(arrays)
    others = [a for a in arrays if a != label]
    for shapes in _shapes(thing, others, given, made):
        args = {a: _argument(a, given.get(a), shapes.get(a, ()), rng, thing) for a in others}
        if not label:
            yield args | settings
            continue
        for target in _targets(label, given.get(label), args, normal(type(thing).__name__), rng):
            yield {a: args.get(a, target) for a in arrays} | settings


def _shapes(
    thing: Any, names: list[str], given: Mapping[str, Any], made: Mapping[str, Any]
) -> Iterator[Shapes]:
    """Shapes of those arrays of a forward that were not given."""
    free = [n for n in names if n not in given]
    if not free:
        yield {}
        return
    cell = any("prev" in normal(n) for n in free)
    for x in _inputs(thing, made, cell):
        if len(free) == 1:
            yield {free[0]: x}
            continue
        for hidden in _hiddens(thing, x):
            yield {n: hidden if i and _is_state(n) else x for i, n in enumerate(free)}


def _is_state(name: str) -> bool:
    """Whether it is the state of a recurrent layer: h, c0, prev_h."""
    return normal(name)[:1] in "hcs" or "prev" in normal(name) or "state" in normal(name)


def _hiddens(thing: Any, x: Shape) -> list[Shape]:
    others = [n for n in _features(thing, {}) if x and n != x[-1]]
    batches = [(x[0], n) for n in others if len(x) > 1]
    return [*batches, *((n,) for n in others), *((n, 1) for n in others), x]


def _features(thing: Any, made: Mapping[str, Any]) -> list[int]:
    """Sizes that an axis of the input may have: those that made the object, and of its arrays."""
    found = [v for k, v in made.items() if type(v) is int and sizes.size(k) and not _is_window(k)]
    found += [n for v in made.values() if isinstance(v, tuple) for n in v if type(n) is int]
    for x in floats_of(thing).values():
        shape = np.shape(x)
        found += [shape[0], shape[-1]] if len(shape) > 1 else shape
        found += [shape[1]] if len(shape) == 4 else []
    held = getattr(thing, "__dict__", {})
    found += [v for k, v in held.items() if type(v) is int and 1 < v < 100 and not _is_window(k)]
    return list(dict.fromkeys(n for n in [*found, IN] if n > 1))


def _is_window(name: str) -> bool:
    return sizes.is_window(name)


def _inputs(thing: Any, made: Mapping[str, Any], cell: bool) -> list[Shape]:
    """Shapes of an input."""
    name, found = normal(type(thing).__name__), _features(thing, made)
    flat = [s for n in found for s in ((N, n), (n, N))]
    flat += [s for n in found for s in ((n,), (n, 1), (1, n))]
    channels = found if found != [IN] else [CHANNELS]
    images: list[Shape] = [s for n in channels for s in ((N, n, 7, 5), (N, 7, 5, n))]
    images += [s for n in channels for s in ((n, 7, 5), (7, 5, n), (N, n, 5, 5), (n, N, 7, 5))]
    images += [(N, CHANNELS, 7, 5), (N, CHANNELS, 6, 4), (N, 7, 5), (7, 5), (N, CHANNELS, 6, 6)]
    steps: list[Shape] = [s for n in found for s in ((N, STEPS, n), (STEPS, n), (STEPS, n, 1))]
    told = [v for v in made.values() if isinstance(v, tuple) and len(v) > 1]  # input_shape
    images = [*((N, *v) for v in told), *told, *images]
    if any(part in name for part in IMAGES):
        return [*images, *flat, *steps]
    if any(part in name for part in SEQUENCES) and not cell and "cell" not in name:
        return [*steps, *flat, *images]
    return [*flat, *steps, *images]


def _argument(name: str, given: Any, shape: Shape, rng: Generator, thing: Any) -> Any:
    """One array: as it was given, or integers, probabilities, numbers."""
    if isinstance(given, str) and given == "classes":
        return random_arrays.labels((N,), N, rng)
    if given is not None:
        return drawn(name, given, rng)
    cls = normal(type(thing).__name__)
    if normal(name) in INTEGERS or ("embed" in cls and "position" not in cls):
        return random_arrays.labels((N, 2), IN, rng)  # rows come again
    if _takes_probabilities(thing):
        return random_arrays.probabilities(shape, rng)
    return draw("x", shape, rng)


def _takes_probabilities(thing: Any) -> bool:
    """Whether it is a loss of probabilities: named so, and without an exponential of its own."""
    name = normal(type(thing).__name__)
    if not any(p in name for p in PROBABLE) or "logit" in name or "softmax" in name:
        return False
    try:
        source = inspect.getsource(type(thing)).lower()
    except (OSError, TypeError):
        return True
    return not any(word in source for word in LOGITS)


def _targets(
    label: str, given: Any, args: dict[str, Any], cls: str, rng: Generator
) -> Iterator[Any]:
    """Labels for the first argument: as given, or classes, rows with a 1, numbers, signs."""
    shape: Shape = np.shape(next(iter(args.values()), np.zeros((N, OUT)))) or (1,)
    classes: Array = random_arrays.labels(shape[:-1], shape[-1], rng)
    if given is not None:
        named = isinstance(given, str) and given == "classes"
        yield classes if named else drawn(label, given, rng)
        return
    rows, bits = random_arrays.one_hot(shape, rng), random_arrays.binary(shape, rng)
    numbers = draw("x", shape, rng)
    if any(word in cls for word in DISTANCES):
        yield from (numbers, rows, classes)
    elif any(word in cls for word in ("bce", "binary", "logistic", "sigmoid")):
        yield from (bits, bits.astype(int), rows, classes)
    elif "hinge" in cls:
        yield from (classes, 2 * bits - 1, rows)
    else:
        yield from (rows, classes, rows.astype(int), numbers, 2 * bits - 1)
