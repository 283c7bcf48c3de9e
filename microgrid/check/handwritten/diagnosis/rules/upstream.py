"""Gradients that are no linear function of dout: it is not used, or a mask looks at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from microgrid.check.handwritten.diagnosis.case import Case, Draw, Guess, predicts
from microgrid.check.handwritten.diagnosis.rules.named_numbers import ratio
from microgrid.check.handwritten.diagnosis.world import World
from microgrid.check.handwritten.trial import Array


def forgotten(case: Case) -> Iterator[Guess]:
    """dout is not used."""
    if case.trial.loss or not case.theirs.any():
        return

    def test(draw: Draw) -> bool:
        return draw.equals(draw.world.theirs(0 * draw.dout)) and draw.equals(
            draw.world.theirs(-2 * draw.dout)
        )

    def ones(draw: Draw, c: float) -> bool:
        return test(draw) and draw.equals(c * draw.world.right(np.ones_like(draw.dout)))

    for c, besides in ((1.0, ""), (-1.0, ", with the wrong sign")):
        yield Guess(
            f"dout is not used: yours is the right gradient for a dout of ones only{besides}",
            partial(ones, c=c),
        )
    yield Guess("dout is not used: the gradient is the same for every dout", test)


def masked(case: Case) -> Iterator[Guess]:
    """A mask looks at dout, instead of the input or besides."""
    if case.S is not None or case.trial.loss:
        return
    for words, mask in (("positive", np.greater), ("negative", np.less)):
        passed = masked_with(mask)
        if case.first.shapes == [case.first.shape]:
            yield predicts(
                f"the mask looks at dout, not at {case.input}:"
                f" yours is dout where dout is {words}, and 0 elsewhere",
                lambda world, dout, passed=passed: world.upstream(passed(dout)),  # type: ignore[misc]
            )
        yield predicts(
            f"a mask looks at dout, too: where dout is not {words}, it is taken for 0",
            lambda world, dout, passed=passed: world.right(passed(dout)),  # type: ignore[misc]
        )


def masked_with(mask: Callable[[Array, float], Array]) -> Callable[[Array], Array]:
    return lambda dout: dout * mask(dout, 0.0)


def updated(case: Case) -> Iterator[Guess]:
    """A parameter is read after its update: theirs is the right gradient at the new one."""
    if case.S is not None or case.trial.loss:
        return
    draw = case.here
    difference = draw.theirs.ravel() - draw.right
    for name in case.trial.inputs:
        if name == case.input or not difference.any():
            continue
        step = draw.right - moved(draw.world, name, draw.dout, 1.0)
        lr = -ratio(difference, step)
        if lr > 0 and step.any():
            yield predicts(
                f"{name} is read after its update: yours is right for"
                f" {name} − {lr:.4g} · d{name}, not for {name}",
                lambda world, dout, name=name, lr=lr: moved(world, name, dout, lr),  # type: ignore[misc]
            )


def moved(world: World, name: str, dout: Array, lr: float) -> Array:
    """The right gradient where one input has made a step against its own gradient."""
    inputs = dict(world.trial.inputs)
    a = np.asarray(inputs[name], float)
    inputs[name] = a - lr * (dout @ world.exact.jacobian([name])).reshape(a.shape)
    return world.at(inputs).right(dout)
