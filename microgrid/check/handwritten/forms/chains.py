"""Layers one after another, as one: softmax and its loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any

import numpy as np

from microgrid.check.handwritten.forms.classes import trial_of, trials, ways_of
from microgrid.check.handwritten.forms.fit import every_parameter
from microgrid.check.handwritten.forms.names import label_of, short
from microgrid.check.handwritten.forms.which_classes import classes_of, methods, written
from microgrid.check.handwritten.trial import Array, LayerError, Pass, Trial

SQUASHING = ("softmax", "sigmoid")


def chain(
    layers: Sequence[Any], /, grads: Mapping[str, str] | None = None, seed: int = 0, **given: Any
) -> list[Trial]:
    """Classes or objects one after another as one layer: backward runs in reverse order.

    Each takes those of the arguments that it knows; what comes from the layer before is its first.
    A layer without a backward hands through, as for a loss that returns p − y.

    >>> class Double:
    ...     def forward(self, x):
    ...         return 2 * x
    ...     def backward(self, dout):
    ...         return 2 * dout
    >>> [both] = chain([Double, Double()], x=(2, 3))
    >>> both.name, both.run(both.inputs).pull([np.ones((2, 3))])["x"][0, 0]
    ('Double + Double', np.float64(4.0))
    """
    if not layers:
        raise LayerError("a chain needs layers: chain([Softmax, CrossEntropy])")
    parts: list[tuple[Trial, str]] = []  # each with the name of its first input
    unused, x = set(given), None
    for layer in layers:
        known = {p.name for p in parameters(layer)}
        unused -= known
        own = {n: v for n, v in given.items() if n in known}
        called = [p.name for n in written(layer)[:1] for p in every_parameter(getattr(layer, n))]
        called = [n for n in called if n != "self"]
        first = next((n for n in called if n != label_of(called)), "x")
        if x is not None:
            own[first] = np.array(x)
        through = len(layers) > 1 and not has_backward(layer)
        trial = trial_of(ways_of(layer, grads or {}, seed, own, through)[0])
        parts.append((trial, first))
        x = trial.run({n: v.copy() for n, v in trial.inputs.items()}).outputs[0]
    if unused:
        raise LayerError(f"no layer of {name_of(parts)} takes {', '.join(sorted(unused))}")
    return [joined(parts)]


def parameters(layer: Any) -> list[Any]:
    """The arguments of a layer's constructor and of its forward."""
    made = every_parameter(layer) if isinstance(layer, type) else []
    return [*made, *(p for n in written(layer)[:1] for p in every_parameter(getattr(layer, n)))]


def has_backward(layer: Any) -> bool:
    """Whether a class or an object has a backward that is known by its name."""
    try:
        methods(layer)
    except LayerError:
        return False
    return True


def name_of(parts: Sequence[tuple[Trial, str]]) -> str:
    """The names of the layers, with a plus between them."""
    return " + ".join(trial.name for trial, _ in parts)


def joined(parts: list[tuple[Trial, str]]) -> Trial:
    """One trial of several: the inputs of the first, and the parameters of all."""
    trials, last = [trial for trial, _ in parts], parts[-1][0]
    inputs, ours = names_of_inputs(parts)

    def run(given: Mapping[str, Any]) -> Pass:
        steps: list[Pass] = []
        for (trial, first), names in zip(parts, ours):
            own = {n: given[our] for n, our in names.items() if our in given}
            if steps:
                own[first] = np.asanyarray(steps[-1].outputs[0])
            steps.append(trial.run(own))
        return Pass(steps[-1].outputs, lambda upstream: pull(steps, upstream))

    def pull(steps: list[Pass], upstream: Sequence[Any]) -> dict[str, Any]:
        found: dict[str, Any] = dict.fromkeys(inputs)
        for step, (_, first), names in reversed([*zip(steps, parts, ours)]):
            gradients = step.pull(upstream)
            found |= {our: gradients.get(own) for own, our in names.items()}
            if gradients.get(first) is None:
                return found
            upstream = [gradients[first]]
        return found

    placed = [(names, t.places.items()) for t, names in zip(trials, ours)]
    return Trial(
        name=name_of(parts),
        inputs=inputs,
        run=run,
        modules=list(dict.fromkeys(m for t in trials for m in t.modules)),
        forwards=list(dict.fromkeys(f for t in trials for f in t.forwards)),
        backwards=list(dict.fromkeys(f for t in trials for f in t.backwards)),
        places={names[n]: p for names, places in placed for n, p in places if n in names},
        setting=", ".join(t.setting for t in trials if t.setting),
        loss=last.loss,
        samples=trials[0].samples,
    )


def names_of_inputs(
    parts: Sequence[tuple[Trial, str]],
) -> tuple[dict[str, Array], list[dict[str, str]]]:
    """All inputs by a name for each, and these names by those that each part has for them."""
    head = parts[0][0]
    inputs: dict[str, Array] = dict(head.inputs)
    ours: list[dict[str, str]] = [{n: n for n in inputs}]
    for trial, first in parts[1:]:
        own = [n for n in trial.inputs if n != first]
        ours.append({n: f"{trial.name}.{n}" if n in inputs else n for n in own})
        inputs |= {our: trial.inputs[n] for n, our in ours[-1].items()}
    return inputs, ours


def chains_of(module: ModuleType) -> list[tuple[type, type]]:
    """The pairs of a module that belong together: a softmax, and a loss that returns p − y.

    >>> import math
    >>> chains_of(math)
    []
    """
    squashing = [c for c in forwards_of_module(module) if squashes(c)]
    losses = [c for c in classes_of(module) if not squashes(c) and takes_labels(c)]
    return [(s, c) for c in losses for s in squashing if returns_difference(c)]


def hands_through(cls: type) -> bool:
    """Whether its backward returns what it gets: the loss after it gives the gradient of both.

    >>> class Softmax:
    ...     def forward(self, x):
    ...         return np.exp(x) / np.exp(x).sum()
    ...     def backward(self, dout):
    ...         return dout
    >>> hands_through(Softmax)
    True
    """
    upstream = object()
    with suppress(Exception):  # it may look at self
        return getattr(cls, methods(cls)[1])(None, upstream) is upstream
    return False


def forwards_of_module(module: ModuleType) -> list[type]:
    """The classes of a module that have a forward, in the order of its source."""
    own = [c for c in vars(module).values() if isinstance(c, type)]
    return [c for c in dict.fromkeys(own) if c.__module__ == module.__name__ and written(c)]


def squashes(cls: type) -> bool:
    """Whether it is a softmax or a sigmoid by its name, and no loss."""
    name = short(cls.__name__)
    return any(w in name for w in SQUASHING) and "loss" not in name and "entropy" not in name


def takes_labels(cls: type) -> bool:
    """Whether its forward takes labels."""
    return bool(label_of([p.name for p in every_parameter(getattr(cls, written(cls)[0]))]))


def returns_difference(cls: type) -> bool:
    """Whether what a loss gives for the gradient is p − y, up to a factor: that of the logits."""
    try:
        trial = trials(cls)[0]
        (p,) = trial.inputs.values()
        step = trial.run({n: x.copy() for n, x in trial.inputs.items()})
        (found,) = (np.asarray(g, float) for g in step.pull([1.0]).values())
    except Exception:
        return False
    if not trial.loss or found.shape != p.shape or p.ndim != 2 or (p <= 0).any():
        return False
    shares = [found / (c * 1.0) for c in (1, 1 / len(p), 1 / p.size)]
    rest = [p - share for share in shares]
    return any(
        np.allclose(np.sort(y, axis=-1), np.sort(np.round(y), axis=-1), atol=1e-6)
        and set(np.unique(np.round(y))) <= {0.0, 1.0}
        for y in rest
    )
