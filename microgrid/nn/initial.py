"""Initial weights: distributions by name, drawn from a seed or from the caller's generator."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from microgrid.engine.errors import ParameterError
from microgrid.engine.settings import is_bool, whole
from microgrid.matrices.arrays import Array

Seed = int | np.random.Generator | None
Draw = Callable[[np.random.Generator, int, int], Array]  # (generator, inputs, outputs) -> weights


@dataclass(frozen=True, repr=False)
class Initial:
    """A distribution of weights: called with (generator, inputs, outputs) it draws them all."""

    says: str
    draw: Draw

    def __call__(self, rng: np.random.Generator, d: int, m: int) -> Array:
        return self.draw(rng, d, m)

    def __repr__(self) -> str:
        return f"<weights: {self.says}>"


# LeCun et al., Efficient BackProp (1/d); Glorot and Bengio, Understanding the difficulty of
# training deep feedforward networks (2/(d + m)); He et al., Delving Deep into Rectifiers (2/d).
INITIAL: dict[str, Draw] = {
    "lecun": Initial(
        "normal of variance 1/inputs",
        lambda rng, d, m: rng.normal(0.0, math.sqrt(1 / d), (d, m)),
    ),
    "glorot": Initial(
        "uniform of variance 2/(inputs + outputs)",
        lambda rng, d, m: rng.uniform(-(a := math.sqrt(6 / (d + m))), a, (d, m)),
    ),
    "he": Initial(
        "normal of variance 2/inputs",
        lambda rng, d, m: rng.normal(0.0, math.sqrt(2 / d), (d, m)),
    ),
    "uniform": Initial("uniform from -1 to 1", lambda rng, d, m: rng.uniform(-1.0, 1.0, (d, m))),
    "zeros": Initial("zeros", lambda rng, d, m: np.zeros((d, m))),
}
"""How weights begin, by the names that `Affine(init=…)` takes: (generator, d, m) → array (d, m)."""

# Layers without a seed draw from this, one after the other: the same numbers in each process.
UNSEEDED = np.random.default_rng(0)


def seed(number: int = 0) -> None:
    """Begin anew with the weights of layers that are made without a seed.

    Each process begins with seed(0). `fit` and whatever has a seed of its own do not draw from it.
    ParameterError unless the seed is a whole number from 0 on.

    >>> from microgrid import nn
    >>> nn.seed(7)
    >>> first, second = nn.Affine(2, 1), nn.Affine(2, 1)  # never alike
    >>> nn.seed(7)
    >>> again = nn.Affine(2, 1)
    >>> again.state()["w"].tolist() == first.state()["w"].tolist()
    True
    """
    number = whole("seed", number, 0)
    UNSEEDED.bit_generator.state = np.random.default_rng(number).bit_generator.state


def generator(seed: Seed) -> np.random.Generator:
    """The generator of a seed; a generator is returned as it is, for None the shared one.

    ParameterError for anything else.
    """
    if seed is None:
        return UNSEEDED
    with suppress(TypeError, ValueError):
        if not is_bool(seed):
            return np.random.default_rng(seed)
    raise ParameterError(f"seed is a whole number from 0 on or a NumPy generator, got {seed!r}")


def weights(init: str | Draw, seed: Seed, d: int, m: int) -> Array:
    """Weights (d, m) for d inputs and m outputs; ParameterError for an unknown initialisation."""
    for size in (d, m):
        whole("each size of a layer", size, 1)
    if not callable(init) and (not isinstance(init, str) or init not in INITIAL):
        raise ParameterError(
            f"there is no initialisation {init!r}: {', '.join(INITIAL)}, or a function (generator, "
            "inputs, outputs) -> weights; a seed is written seed=0"
        )
    draw: Any = INITIAL[init] if isinstance(init, str) else init
    drawn: Array = np.asarray(draw(generator(seed), d, m), dtype=float)
    if drawn.shape != (d, m):
        raise ParameterError(f"the initialisation gave shape {drawn.shape}, not {(d, m)}")
    return drawn
