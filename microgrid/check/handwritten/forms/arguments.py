"""What a forward may be called with, and the labels of a loss: the likeliest shapes first."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator

from microgrid.check.handwritten.forms import random_arrays, sizes
from microgrid.check.handwritten.forms.making import draw, drawn
from microgrid.check.handwritten.forms.sizes import (
    CHANNELS,
    IN,
    OUT,
    STEPS,
    N,
    has_default,
    parameters_of,
)
from microgrid.check.handwritten.forms.sizes import IMAGES as M
from microgrid.check.handwritten.forms.sources import normal, words
from microgrid.check.handwritten.forms.state import floats_of
from microgrid.check.handwritten.trial import Array

Shape = tuple[int, ...]
Shapes = dict[str, Shape]

TRAINING = {"train", "training", "istraining", "trainflg", "trainflag", "istrain", "trainmode"}
INTEGERS = {"idx", "indices", "tokens", "ids", "inputids", "tokenids", "idxs", "words", "index"}
LABELS = (  # likelier ones first
    words(
        "ytrue truth true actual expected groundtruth gt target targets label labels yactual "
        "trues truelabels ylabel ylabels onehot yreal classes answers correct desired teacher"
    ),
    words("t y ts yt tgt ys"),
)
SPATIAL = ("conv", "pool", "2d", "spatial", "flatten", "im2col")
SEQUENCES = ("rnn", "lstm", "gru", "time", "attention", "transformer", "encoder", "decoder")
PROBABLE = ("crossentropy", "bce", "nll", "logloss", "loglikelihood", "logistic", "entropy", "kl")
PREDICTED = words("p prob probs ypred yhat ypredicted probabilities yprob")
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
    arrays: list[str] = []
    settings: dict[str, Any] = {}
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
    method = getattr(thing, forward)
    if all(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters_of(method)):
        method = getattr(thing, "forward", method)  # __call__(self, *inputs)
    arrays, settings = required(method, given)
    label = labelled(arrays)
    others = [a for a in arrays if a != label]
    kinds = (
        ("",) if not label else ("prob", "") if _of_probabilities(thing, others) else ("", "prob")
    )
    for kind, shapes in itertools.product(kinds, _shapes(thing, others, given, made)):
        args = {a: _argument(a, given.get(a), shapes.get(a, ()), rng, thing, kind) for a in others}
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
    sized = {k: v for k, v in made.items() if type(v) is int and sizes.size(k)}
    found = [v for k, v in sized.items() if not _is_window(k) and sizes.size(k) != sizes.OUT]
    found += [] if found or floats_of(thing) else [IN]
    found += [v for k, v in sized.items() if sizes.size(k) == sizes.OUT]
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
    flat: list[Shape] = [s for n in found for s in ((N, n), (n, N))]
    flat += [s for n in found for s in ((n,), (n, 1), (1, n))]
    known = any(sizes.size(k) and not _is_window(k) for k in made) or floats_of(thing)
    channels = found if known else [CHANNELS]
    images: list[Shape] = [s for n in channels for s in ((M, n, 7, 5), (M, 7, 5, n))]
    images += [s for n in channels for s in ((n, 7, 5), (7, 5, n), (M, n, 5, 5), (n, M, 7, 5))]
    images += [(M, CHANNELS, 7, 5), (M, CHANNELS, 6, 4), (M, 7, 5), (7, 5), (M, CHANNELS, 6, 6)]
    steps: list[Shape] = [s for n in found for s in ((N, STEPS, n), (STEPS, n), (STEPS, n, 1))]
    told = [v for k, v in made.items() if isinstance(v, tuple) and len(v) > 1 and "put" in k]
    shape = getattr(thing, "input_shape", None)
    told += [shape] if isinstance(shape, tuple) and all(type(n) is int for n in shape) else []
    images = [*((M, *v) for v in told), *told, *images]
    if any(part in name for part in SPATIAL):
        return [*images, *flat, *steps]
    if any(part in name for part in SEQUENCES) and not cell and "cell" not in name:
        return [*steps, *flat, *images]
    return [*flat, *steps, *images]


def _argument(name: str, given: Any, shape: Shape, rng: Generator, thing: Any, kind: str) -> Any:
    """One array: as it was given, or integers, or numbers of a kind: probabilities, any."""
    if isinstance(given, str) and given == "classes":
        return random_arrays.labels((N,), N, rng)
    if given is not None:
        return drawn(name, given, rng)
    cls = normal(type(thing).__name__)
    if normal(name) in INTEGERS or ("embed" in cls and "position" not in cls):
        return random_arrays.labels((N, 2), IN, rng)  # rows come again
    return random_arrays.of_kind(kind, shape, rng) if kind else draw("x", shape, rng)


def _of_probabilities(thing: Any, names: list[str]) -> bool:
    """Whether it is a loss of probabilities: named so, and without an exponential of its own."""
    name = normal(type(thing).__name__)
    if not any(p in name for p in PROBABLE) or "logit" in name or "softmax" in name:
        return False
    if any(normal(n) in PREDICTED for n in names):
        return True
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
