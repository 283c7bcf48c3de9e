"""A second pass on the same object: what is left of the first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from microgrid.check.handwritten.forms.fit import every_parameter, has_default
from microgrid.check.handwritten.forms.names import words
from microgrid.check.handwritten.forms.random_arrays import signed
from microgrid.check.handwritten.forms.state import lying_at, walk
from microgrid.check.handwritten.forms.using import Played, Way, play, replay

CLEARERS = words(
    "zero_grad zero_grads clear_grad clear_grads zero_gradients reset_grads clear_gradients "
    "zero_gradient reset_state reset reset_gradients"
)


def again(way: Way, a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """What is wrong with a second forward and backward on the same object, or "".

    Its gradients must be those of a new object. Where backward takes a cache, that of the first
    forward must still be right after the second. A layer that updates itself is left out.
    """
    drawing = any(
        isinstance(x, np.random.Generator | np.random.RandomState) for _, x in walk(way.thing)
    )
    if way.updates_itself or drawing:
        return ""
    second = {**a, **{n: b[n] for n in way.inputs if n in b}}  # the same parameters
    if any(role == "cache" for _, role in way.roles):
        return overwritten(way, a, second)
    used, other = play(way, a), play(way, second)
    before = parameters(used)
    once = pulled(used)
    if changed := [n for n, x in parameters(used).items() if not np.array_equal(x, before[n])]:
        return f"its backward updates {', '.join(changed)}"
    clear(used.thing)
    fresh = pulled(other)
    twice = pulled(replay(way, used.thing, arguments(way, second)))
    for name, right in fresh.items():
        if near(twice[name], right):
            continue
        source = way.gradients[name]
        shown = source.shown if source else name
        if near(twice[name], total(once[name], right)):
            return f"it adds into {shown}: a second backward gives the sum of both passes"
        return (
            f"{shown} of a second pass is not that of a new object: something of the first is left"
        )
    return ""


def parameters(played: Played) -> dict[str, Any]:
    """The parameters of an object after a pass, by name."""
    places = played.way.parameters.items()
    return {n: np.array(lying_at(played.thing, p[0].steps), float) for n, p in places}


def overwritten(way: Way, a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """What is wrong if a second forward overwrites what the first one kept, or ""."""
    right = pulled(play(way, a))
    first = play(way, a)
    replay(way, first.thing, arguments(way, b))
    if all(near(x, right[n]) for n, x in pulled(first).items()):
        return ""
    return "its cache is overwritten by a second call"


def arguments(way: Way, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of forward with these inputs among them."""
    return {n: np.array(inputs[n]) if n in inputs else x for n, x in way.arguments.items()}


def pulled(played: Played) -> dict[str, Any]:
    """Copies of the gradients, for the same upstream each time."""
    rng = np.random.default_rng(played.way.seed + 2)
    found = played.pull([signed(np.shape(x), rng) for x in played.outputs])
    return {n: None if g is None else np.array(g, dtype=float) for n, g in found.items()}


def clear(thing: Any) -> None:
    """Call whatever clears the gradients of an object and of its parts."""
    for part in [thing, *(x for _, x in walk(thing))]:
        for name in CLEARERS:
            method = getattr(part, name, None) if hasattr(part, "__dict__") else None
            if callable(method) and all(has_default(p) for p in every_parameter(method)):
                method()


def near(x: Any, right: Any) -> bool:
    """Whether a gradient is another one up to rounding."""
    if x is None or right is None:
        return x is right
    return np.shape(x) == np.shape(right) and bool(np.allclose(x, right, rtol=1e-4, atol=1e-6))


def total(x: Any, y: Any) -> Any:
    """The sum of two gradients, where both are there."""
    return None if x is None or y is None or np.shape(x) != np.shape(y) else x + y
