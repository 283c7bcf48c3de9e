"""Which arrays of an object are its parameters, and where the gradient of each is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from microgrid.check.handwritten.forms import reading, sources
from microgrid.check.handwritten.forms.fit import every_parameter
from microgrid.check.handwritten.forms.names import short
from microgrid.check.handwritten.forms.random_arrays import signed
from microgrid.check.handwritten.forms.sources import Source
from microgrid.check.handwritten.forms.state import (
    Place,
    copied,
    floats_of,
    is_floats,
    lying_at,
    walk,
)
from microgrid.check.handwritten.forms.using import RATE, RATES, Played, Way, play
from microgrid.check.handwritten.trial import LayerError

EXPECTED = {"w", "weight", "weights", "b", "bias", "biases", "gamma", "beta", "kernel", "kernels"}
EXPECTED |= {"filters", "filter", "wx", "wh"}  # parameters, with or without a gradient
NOWHERE = 99  # the position of what has none in a return statement
OF_INPUT = ("dinputs", "dx", "dinput", "dX", "grad_input")


def match(way: Way, grads: Mapping[str, str]) -> bool:
    """Find the parameters of a way and the gradients; whether its backward ran.

    LayerError where `grads` has a name that is not there, or where a parameter has no gradient by
    any known name, but their backward made an array of its shape.
    """
    played = play(way, {})
    rng = np.random.default_rng(way.seed)
    upstream = [signed(np.shape(x), rng) for x in played.outputs]
    way.rate = rate_of(way)
    way.thing = warmed(way, played)
    start = {p: x.copy() if is_floats(x) else x for p, x in floats_of(played.thing).items()}
    try:
        returned = played.backward(upstream)
    except Exception:
        returned, way.crashed = None, True
    find(way, played, returned, start, grads)
    return not way.crashed


def warmed(way: Way, played: Played) -> Any:
    """The object; after its first forward, where that makes its parameters."""
    fresh, after = floats_of(way.thing), floats_of(played.thing)
    made = [p for p, x in after.items() if p not in fresh and is_floats(x)]
    warm = replace(way, thing=copied(played.thing))
    return next((warm.thing for p in made if is_made(warm, played, p)), way.thing)


def is_made(warm: Way, played: Played, place: Place) -> bool:
    """Whether a forward made this array as a parameter."""
    return is_expected(warm, last_name(place), [place]) and matters(warm, played, [place])


def rate_of(way: Way) -> float:
    """The learning rate: ours, if backward takes it, else theirs."""
    told = [float(x) for n, x in way.told.items() if short(n) in RATES]
    if told or any(role in ("rate", "optimizer") for _, role in way.roles):
        return told[0] if told else RATE
    theirs = [x for p, x in walk(way.thing) if short(p.name) in RATES - {"alpha", "rate"}]
    theirs = [float(x) for x in theirs if isinstance(x, int | float) and x]
    return theirs[0] if theirs else RATE


def find(
    way: Way,
    played: Played,
    returned: Any,
    start: Mapping[Place, Any],
    grads: Mapping[str, str],
) -> None:
    """Write into the way which arrays are parameters, and where each gradient is."""
    after = floats_of(played.thing)
    named = named_places(way, played)
    expected = [n for n, places in named.items() if is_expected(way, n, places)]
    names = reading.returned(getattr(way.thing, way.backward), True) if way.backward else []
    if len(names) > 1:  # that of an argument of backward says nothing
        taken_up = {p.name for p in every_parameter(getattr(way.thing, way.backward))}
        names = ["" if n in taken_up else n for n in names]
    order = [*way.inputs, *expected]
    refuse_unknown_grads(way, grads, named)
    parameters = {p for places in named.values() for p in places}  # none is a gradient
    candidates = {p: x for p, x in after.items() if p not in parameters}

    def in_returned(name: str, position: int, count: int, *known: Any) -> Source | None:
        return sources.of_returned(name, position, count, returned, names, *known)

    way.parameters = {}
    way.gradients = {
        name: source_told(grads, name)
        or in_returned(
            name, *place_in_order(way, name, i, len(order), returned), [*way.inputs, *named]
        )
        or of_input(name, i, after)
        for i, name in enumerate(way.inputs)
    }
    for name, places in named.items():
        source = source_told(grads, name, places) or sources.of_parameter(places, candidates)
        if source is None and isinstance(returned, dict | tuple | list):
            position = order.index(name) if name in order else NOWHERE
            source = in_returned(last_name(places[0]), position, len(order))
        if source is None and not way.crashed:
            source = of_change(places[0], start, after)
        if source is not None or name in expected:
            way.parameters[name], way.gradients[name] = places, source
    if not way.crashed:
        refuse_unfound(way, after, start)


def of_change(
    place: Place, start: Mapping[Place, Any], after: Mapping[Place, Any]
) -> Source | None:
    """The gradient of a parameter that backward moves: what it was moved by."""
    if np.array_equal(after.get(place, 0.0), start[place]):
        return None
    return Source("(before - after) / lr", f"the change of {place}")


def place_in_order(way: Way, name: str, i: int, count: int, returned: Any) -> tuple[int, int]:
    """Where the gradient of an input stands if no name tells, and how many there are.

    They come in the order of the arguments: of all (what is bound takes its place, too), or of the
    inputs.
    """
    given = len(sources.parts_of(returned))
    if given == len(way.arguments):
        return list(way.arguments).index(name), given
    return i, given if given == len(way.inputs) else count


def named_places(way: Way, played: Played) -> dict[str, list[Place]]:
    """The places of each array (and float) that the forward looks at, by a name for it.

    One array may lie in several places. The name is that of the constructor's argument, the last
    in its place, or the whole place where two are alike.
    """
    held: dict[Any, list[Place]] = {}
    for place, x in floats_of(way.thing).items():
        held.setdefault(id(x) if isinstance(x, np.ndarray) else place, []).append(place)
    groups = [places for places in held.values() if matters(way, played, places)]
    last = [last_name(places[0]) for places in groups]
    named = {}
    for places, name in zip(groups, last):
        x = lying_at(way.thing, places[0].steps)
        given = [n for n, a in way.made.items() if is_floats(a) and a.size and equal(a, x)]
        alone = last.count(name) == 1 and name not in way.inputs
        named[given[0] if given else name if alone else whole_name(places[0])] = places
    return named


def matters(way: Way, played: Played, places: list[Place]) -> bool:
    """Whether the forward looks at this array: buffers, caches and gradients are no parameters."""
    old = lying_at(way.thing, places[0].steps)
    moved = np.asarray(old, float) + signed(np.shape(old), np.random.default_rng(1))
    trying = replace(way, parameters={"moved": places})
    try:
        with np.errstate(all="ignore"):
            outputs = play(trying, {"moved": moved}).outputs
    except Exception:
        return True
    return not all(equal(a, b) for a, b in zip(outputs, played.outputs))


def equal(a: Any, b: Any) -> bool:
    """Whether two arrays have the same shape and the same numbers."""
    return np.shape(a) == np.shape(b) and np.array_equal(a, b)


def last_name(place: Place) -> str:
    """W of self.W, of self.params["W"] and of self.W.data; weights[0] of a list."""
    if isinstance(place.key, int):
        return f"{place.name}[{place.key}]"
    if short(place.key) in sources.DATA - {"w", "weight"} and len(place.steps) > 1:
        return last_name(Place(place.steps[:-1]))
    return str(place.key)


def whole_name(place: Place) -> str:
    """fc1.W of self.fc1.params["W"]."""
    home = str(Place(place.home))[5:] if place.home else ""
    name = last_name(place)
    return f"{home}.{name}" if home and home != name else name if home else str(place)[5:]


def is_expected(way: Way, name: str, places: Sequence[Place]) -> bool:
    """Whether it is a parameter by its name alone; the weights in a loss are none."""
    if way.loss or not is_floats(lying_at(way.thing, places[0].steps)):
        return False
    if short(name.split(".")[-1]) in EXPECTED:
        return True
    return any(
        p.steps[-1][0] == "[]" and short(p.holder[-1][1]) in ("params", "parameters")
        for p in places
    )


def keys_of(name: str, places: Sequence[Place]) -> list[str]:
    """What a parameter may be called in `grads`."""
    return [name, *(k for p in places for k in (str(p), str(p)[5:], p.name, last_name(p)))]


def source_told(grads: Mapping[str, str], name: str, places: Sequence[Place] = ()) -> Source | None:
    """Where the user says that a gradient is; None where nothing is said."""
    told = next((grads[k] for k in keys_of(name, places) if k in grads), None)
    return Source(told, told) if told else None


def refuse_unknown_grads(
    way: Way, grads: Mapping[str, str], named: Mapping[str, list[Place]]
) -> None:
    """LayerError where `grads` has a name that is not there."""
    known = {k for n, places in named.items() for k in keys_of(n, places)} | set(way.inputs)
    unknown = [n for n in grads if n not in known]
    if unknown:
        names = ", ".join([*named, *way.inputs]) or "none"
        raise LayerError(f"grads: {way.name} has no parameter {unknown[0]}; there are {names}")


def of_input(name: str, position: int, after: Mapping[Place, Any]) -> Source | None:
    """The gradient of an input among the attributes of the object itself."""
    own = [p for p in after if len(p.steps) == 1]
    ranked = [(r, str(p)) for p in own if (r := sources.named_as_gradient(p.key, name)) >= 0]
    if not ranked and position == 0:
        ranked = [(9, str(p)) for p in own if p.key in OF_INPUT]
    return Source(min(ranked)[1], min(ranked)[1]) if ranked else None


def refuse_unfound(way: Way, after: Mapping[Place, Any], start: Mapping[Place, Any]) -> None:
    """A parameter without a gradient, but backward made an array of its shape: which is it?"""
    used = {s.expression for s in way.gradients.values() if s is not None}
    made = [
        p
        for p, x in after.items()
        if not equal(x, start.get(p)) and str(p) not in used and is_floats(x)
    ]
    for name, source in way.gradients.items():
        if source is not None or name not in way.parameters:
            continue
        shape = np.shape(lying_at(way.thing, way.parameters[name][0].steps))
        like = [str(p) for p in made if bare_shape(np.shape(after[p])) == bare_shape(shape)]
        if like:
            raise LayerError(
                f"{way.name}: no gradient of {name} was found by its name, but backward wrote "
                f'{", ".join(like)}: say grads={{"{name}": "{like[0]}"}}, '
                f"on the command line --grads {name}={like[0]}"
            )


def bare_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its axes of length 1."""
    return tuple(n for n in shape if n != 1)
