"""What happens if a number moves: a nudge beside what the gradient says of it, and descent."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from microgrid.engine.calculus import gradients
from microgrid.engine.errors import MicrogridError
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.value import Constant, Value, edges, topological
from microgrid.playground.circuits import Source
from microgrid.playground.questions import Answer, Refused, is_finite, plain
from microgrid.views.expression import Circuit, ExpressionError
from microgrid.views.notation import caption
from microgrid.views.tables import short
from microgrid.views.wording import decimals, lowered, plural, signed

MOST_WORK = 50_000  # steps × nodes: about a second


def nudge(
    source: Source, numbers: Mapping[str, float], leaf: str, by: float, digits: int
) -> Answer:
    """How far the result moves when a leaf does, beside its gradient times that step."""
    here = source(numbers)
    x, f = leaf_of(here, leaf), lowered(here.root.label)
    says = gradients(here.root, [x])[0] * by
    step = f"{lowered(leaf)} {'−' if by < 0 else '+'} {short(abs(by))}"

    def shown(y: float) -> str:
        return signed(decimals(y, digits + 2))

    try:
        there = source({**numbers, leaf: x.data + by})
        moved = there.root.data - here.root.data
    except (MicrogridError, Refused) as error:
        sentence = f"{step}: {f} has no value there: {reason(error)}"
        return {"sentence": sentence, "moved": "nan", "says": plain(says)}
    if not (is_finite(moved) and is_finite(says)):
        told = f"{step}: {f} would be {shown(there.root.data)}; the gradient says {shown(says)}"
        return {"sentence": told, "moved": plain(moved), "says": plain(says)}
    sentence = f"{step} moves {f} by {shown(moved)}; the gradient says {shown(says)}"
    if shown(moved) != shown(says):
        sentence += f": {why_not(here, there, abs(moved - says))}"
    return {"sentence": sentence, "moved": plain(moved), "says": plain(says)}


def why_not(here: Circuit, there: Circuit, apart: float) -> str:
    """Why a step moves the result by another number than the gradient says: so far apart."""
    before, behind = topological(here.root), topological(there.root)
    if apart <= max([math.ulp(v.data) for v in before]):
        return "floats as large as these do not show so small a step"
    if [*map(fixed_part, before)] != [*map(fixed_part, behind)]:
        return "another branch is taken there"
    for v, w in zip(before, behind):
        if crosses(v, w):
            return f"{caption(v)} has a kink on the way"
        if v.op and all(part is NO_PATH for _, part in edges(v, v.op)):
            return f"through {caption(v)} nothing flows back"
    return f"{lowered(here.root.label)} is curved, and a smaller step comes closer"


def fixed_part(v: Value) -> Any:
    """What does not move: the operation, and a plain number, such as the condition of `where`."""
    return v.op, v.data if isinstance(v, Constant) else None


def crosses(v: Value, w: Value) -> bool:
    """Whether the kink of a gate lies between its operands and those after a step."""
    kink = v.op.kink if v.op else None
    xs, ys = ([p.data for p in u.parents] for u in (v, w))
    return bool(kink and kink(*xs) <= sum(abs(x - y) for x, y in zip(xs, ys)) > 0)


def descend(
    source: Source, numbers: Mapping[str, float], rate: float, steps: int, fixed: Collection[str]
) -> Answer:
    """The numbers of the leaves after some steps of descent, and the losses on the way.

    It stops before a number or the loss is not finite, and says so.
    """
    found, said = source(numbers), ""
    losses = [found.root.data]
    at = {name: v.data for name, v in found.leaves.items()}
    if not is_finite(losses[0]):
        raise Refused(f"{lowered(found.root.label)} is {losses[0]}: there is no way down from it")
    most = MOST_WORK // max(10, len(topological(found.root)))
    moving = [name for name in found.leaves if name not in fixed]
    for k in range(min(steps, most)):
        slopes = gradients(found.root, [found.leaves[name] for name in moving])
        if steep := [name for name, slope in zip(moving, slopes) if not is_finite(slope)]:
            said = f"stopped after {plural(k, 'step')}: the gradient of {lowered(steep[0])} is "
            said += signed(short(slopes[moving.index(steep[0])]))
            break
        after = at | {name: at[name] - rate * slope for name, slope in zip(moving, slopes)}
        try:
            found = source(after)
            loss = found.root.data
        except (MicrogridError, Refused) as error:
            said = reason(error)
        else:
            if not all(map(is_finite, (loss, *after.values()))):
                said = f"{lowered(found.root.label)} would be {signed(short(float(loss)))}"
        if said:
            said = f"stopped after {plural(k, 'step')}: {said}; try a smaller rate"
            break
        at, losses = after, [*losses, loss]
    if steps > most and not said:
        said = f"stopped after {most} steps: a circuit of this size takes no more at once"
    moved = {name: plain(x) for name, x in at.items()}
    return {"numbers": moved, "losses": [*map(plain, losses)], "said": said or None}


def reason(error: Exception) -> str:
    """What an error says, without a place."""
    return error.reason if isinstance(error, ExpressionError) else str(error)


def leaf_of(found: Circuit, name: str) -> Value:
    if name not in found.leaves:
        raise Refused(f"leaf: there are {', '.join(found.leaves) or 'none'}")
    return found.leaves[name]
