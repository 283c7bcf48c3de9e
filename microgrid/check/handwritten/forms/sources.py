"""Where the gradient of an input is, once their backward ran: an expression, found by names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from microgrid.check.handwritten.forms.names import short, words
from microgrid.check.handwritten.forms.state import Place

GROUPS = (  # names of the same parameter
    words("w weight weights kernel kernels filter filters wt theta"),
    words("b bias biases"),
    words("gamma g scale weight"),
    words("beta b shift bias"),
    words("x input inputs inp in xs values data"),
)
BEFORE = words(
    "d grad grads gradient gradients delta dld dlossd dcostd nabla ded djd der partial gradof "
    "gradwrt gradientwrt g"
)
AFTER = words("grad grads gradient gradients delta deriv derivative")
HOLDERS = {"grads", "gradients", "grad", "gradient", "dparams", "deltas", "derivatives", "dgrads"}
PARAMETERS = {"params", "parameters", "param", "weights", "variables"}
DATA = {"data", "value", "values", "val", "array", "param", "tensor", "w", "weight", "v"}
GRAD = {"grad", "gradient", "g", "diff", "d", "derivative", "grads", "delta"}


class Source(NamedTuple):
    """Where a gradient is: an expression over `self`, its attributes and what backward returned.

    `before`, `after` (the parameter) and `lr` may stand in it as well. `shown` is how they write
    it.
    """

    expression: str
    shown: str


def same_names(name: Any) -> list[str]:
    """The names of the same parameter, its own first; a number at the end is kept.

    >>> same_names("W1")[:3]
    ['w1', 'weight1', 'weights1']
    """
    own = short(name)
    stem = own.rstrip("0123456789")
    number = own[len(stem) :]
    others = [n for group in GROUPS if stem in group for n in group if n != stem]
    return [own, *(n + number for n in others)]


def named_as_gradient(candidate: Any, name: Any) -> int:
    """How near a name is to "the gradient of that name", from 0; −1 where it is none.

    >>> named_as_gradient("dweights", "weights"), named_as_gradient("mask", "weights")
    (0, -1)
    """
    said = short(candidate)
    for rank, stem in enumerate(same_names(name)):
        if said in {b + stem for b in BEFORE} | {stem + a for a in AFTER}:
            return rank
    return -1


def rank_of(parameter: Place, candidate: Place) -> int:
    """How near a place is to that of a parameter's gradient, from 0; −1 where it is not."""
    key, other = parameter.key, candidate.key
    if parameter.holder == candidate.holder and short(key) in DATA and short(other) in GRAD:
        return 0  # one object or dict for both
    if parameter.home != candidate.home:
        return -1
    container = short(candidate.holder[-1][1]) if candidate.steps[-1][0] == "[]" else ""
    if isinstance(other, str):
        rank = named_as_gradient(other, key)
        if rank < 0 and container in HOLDERS and short(other) in same_names(key):
            rank = same_names(key).index(short(other))
        return rank
    if parameter.steps[-1][0] != "[]" or other != key:
        return -1
    ours = parameter.holder[-1][1]
    by_list = container in HOLDERS and short(ours) in PARAMETERS
    return 1 if by_list or named_as_gradient(candidate.holder[-1][1], ours) >= 0 else -1


def of_parameter(places: Sequence[Place], candidates: Iterable[Place]) -> Source | None:
    """The gradient of a parameter that lies in these places (the same array), among others.

    >>> W, dW = Place(((".", "W"),)), Place(((".", "dW"),))
    >>> of_parameter([W], [W, dW]).expression
    'self.dW'
    """
    ranked = [
        (rank, i, c)
        for i, c in enumerate(candidates)
        if c not in places and (rank := max(rank_of(p, c) for p in places)) >= 0
    ]
    if not ranked:
        return None
    best = str(min(ranked, key=lambda r: r[:2])[2])
    return Source(best, best)


def is_number(x: Any) -> bool:
    """Whether something can be a gradient: an array or a number."""
    return isinstance(x, np.ndarray | np.number | float | int) and not isinstance(x, bool)


def of_returned(
    name: str, position: int, count: int, returned: Any, names: Sequence[str],
    others: Sequence[str] | None = None,
) -> Source | None:  # fmt: skip
    """The gradient of a name in what backward returned: by its name there, else by its position.

    `names` are those of the return statement, `count` is of inputs and parameters together. A name
    that is of none of the `others` says nothing.

    >>> of_returned("W", 1, 2, (1.0, 2.0), ["dx", "dW"])
    Source(expression='returned[1]', shown='dW')
    """
    if isinstance(returned, dict):
        ranked = [(named_as_gradient(k, name), str(k), k) for k in returned]
        ranked += [(9, str(k), k) for k in returned if short(k) in same_names(name)]
        ranked = [r for r in ranked if r[0] >= 0]
        return Source(f"returned[{min(ranked)[2]!r}]", min(ranked)[1]) if ranked else None
    if not isinstance(returned, tuple | list):
        if position or returned is None:
            return None
        return Source("returned", names[0] if len(names) == 1 and names[0] else "d" + name)
    parts = parts_of(returned)
    known = names if len(names) == len(parts) else [""] * len(parts)
    near = [(named_as_gradient(n, name), i) for i, n in enumerate(known) if n]
    near = [r for r in near if r[0] >= 0]
    if near:
        return Source(parts[min(near)[1]], known[min(near)[1]])
    mine = known[position] if position < len(known) else ""
    meant = others is None or any(named_as_gradient(mine, other) >= 0 for other in others)
    if position and meant and all(n and short(n)[0] in "dg" for n in known):
        return None  # the names say of what they are
    if position < len(parts) and (len(parts) == count or position == 0):
        return Source(parts[position], known[position] or "d" + name)
    return None


def parts_of(returned: Any, path: str = "returned") -> list[str]:
    """The expressions of what was returned, with lists and tuples in it taken apart."""
    if not isinstance(returned, tuple | list):
        return [path]
    return [p for i, x in enumerate(returned) for p in parts_of(x, f"{path}[{i}]")]
