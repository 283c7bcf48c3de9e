"""Which backward belongs to which forward, by their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

FORWARD = {"forward", "fwd", "fw", "fprop", "feedforward", "f", "forwards", "fp"}
BACKWARD = {
    "backward", "bwd", "bw", "back", "backprop", "bprop", "backpropagation", "backpropagate",
    "grad", "gradient", "gradients", "grads", "prime", "derivative", "deriv", "der", "derivate",
    "b", "d", "backwards", "bp", "diff", "dx", "vjp",
}  # fmt: skip
VERSIONS = {"alt", "naive", "vectorized", "fast", "slow", "simple", "loop", "loops", "v2", "2"}
EITHER = {"pass", "prop", "propagation", "propagate", "step"}


def words(name: str) -> list[str]:
    """The words of a name, in lower case.

    >>> words("conv_forward_naive"), words("reluBackward")
    (['conv', 'forward', 'naive'], ['relu', 'backward'])
    """
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return [word for word in apart.lower().split("_") if word]


def stem(name: str) -> str:
    """What a forward and its backward share in their names.

    A letter alone is a mark only where no word is one.

    >>> stem("conv_forward_naive"), stem("conv_b"), stem("layer_b_backward")
    ('conv_naive', 'conv', 'layer_b')
    """
    found = words(name)
    marked = [w for w in found if w in FORWARD | BACKWARD]
    marks = {w for w in FORWARD | BACKWARD if len(w) > 1 or not any(len(m) > 1 for m in marked)}
    dropped = marks | (EITHER - {"step"} if marked else set())
    return "_".join(w for w in found if w not in dropped)


def is_backward(name: str) -> bool:
    """Whether a function of this name is a backward pass.

    >>> is_backward("affine_backward"), is_backward("sigmoid_prime"), is_backward("affine")
    (True, True, False)
    """
    found = words(name)
    if any(w in BACKWARD and len(w) > 1 for w in found):
        return True
    letter = found[:1] == ["d"] or (found[-1:] in (["b"], ["d"]) and len(found) > 1)
    return letter and not any(w in FORWARD and len(w) > 1 for w in found)


def is_forward(name: str) -> bool:
    """Whether a function says by its name that it is a forward pass.

    >>> is_forward("affine_forward"), is_forward("affine")
    (True, False)
    """
    return bool(FORWARD & set(words(name)))


def pairs(functions: Mapping[str, Callable[..., Any]]) -> dict[str, str]:
    """The forward of each backward, by name; a second backward of a forward has it, too.

    >>> pairs({"relu": abs, "relu_backward": abs, "relu_backward_alt": abs, "drelu": abs})
    {'relu_backward': 'relu', 'relu_backward_alt': 'relu', 'drelu': 'relu'}
    """
    forwards = {n: stem(n) or n * (len(n) == 1) for n in functions if not is_backward(n)}
    forwards = {n: forwards[n] for n in sorted(forwards, key=lambda n: not is_forward(n))}
    found = {}
    for name in functions:
        mine = stem(name) if is_backward(name) else ""
        bare = re.sub(r"^d_?(?=\w{3})", "", name) if name not in forwards else ""
        if not is_backward(name) and name.startswith("d") and name[1:].lstrip("_") in forwards:
            mine, bare = stem(name[1:]), name[1:].lstrip("_")
        elif not is_backward(name):
            continue
        exact = [f for f, s in forwards.items() if f != name and s == mine and (s or is_forward(f))]
        looser = [
            f
            for f, s in forwards.items()
            if f not in exact and s and mine.startswith(s + "_")
            if is_forward(f) or mine[len(s) + 1 :] in VERSIONS
        ]
        best = [f for f in exact if f == bare] or exact or sorted(looser, key=len, reverse=True)
        if not best and not mine:  # forward_propagation_with_dropout
            best = [f for f in forwards if is_forward(f) and words(f)[0] in FORWARD][:1]
        if best:
            found[name] = best[0]
    return found
