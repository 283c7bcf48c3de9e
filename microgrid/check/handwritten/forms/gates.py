"""Layers with many weights: W1, b1, W2, b2 one after another, or Wz, Uz, bz beside each other."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from microgrid.check.handwritten.forms import names
from microgrid.check.handwritten.forms.kinds import Form, Kind

DATA_SHAPES = ("N D", "D N", "D 1", "N T D")
WEIGHT_SHAPES = ("D H", "H D", "H H", "S H", "H S")  # S: what is put together from x and h
WIDTHS = "DJZRX"  # of the layers of a network: 4, 6, 8, 9, 7, and then 5


def kinds_of(arrays: Sequence[str]) -> list[tuple[Kind, dict[str, str]]]:
    """Guesses for arrays with these names: kinds, each with the role of every array.

    >>> [kind.name for kind, roles in kinds_of(["x", "W1", "b1", "W2", "b2"])][0]
    'layers one after another'
    """
    ws = [a for a in arrays if names.role(a) in ("w", "wx", "wh") or a[0] in "WU"]
    bs = [a for a in arrays if a[0] in "b" and a not in ws]
    if len(ws) < 2:
        return []
    rest = [a for a in arrays if a not in ws and a not in bs]
    found = list(layers(rest, ws, bs)) if all(re.search(r"\d$", a) for a in ws) else []
    found += list(attention(rest, ws, bs))
    found += list(gates(rest, ws, bs))
    roles = {a: a for a in arrays}
    empty = re.compile("$^")
    return [(Kind(name, empty, (Form(shapes),)), roles) for name, shapes in found]


def layers(
    rest: Sequence[str], ws: Sequence[str], bs: Sequence[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Weights one after another, each with a bias."""
    sizes = [*WIDTHS[: len(ws)], "C"]
    for turned, x in ((False, "N D"), (True, "D N"), (True, "N D")):
        last = "C N" if x == "D N" else "N C"
        for labels in ("int:5 N", f"onehot{'0' if x == 'D N' else ''} {last}", last):
            for b in ("{}", "{} 1", "1 {}"):
                shapes = {a: labels if names.role(a) == "y" else x for a in rest}
                for i, w in enumerate(ws):
                    ends = (sizes[i + 1], sizes[i]) if turned else (sizes[i], sizes[i + 1])
                    shapes[w] = " ".join(ends)
                shapes |= {a: b.format(sizes[i + 1]) for i, a in enumerate(bs)}
                yield "layers one after another", shapes


def attention(
    rest: Sequence[str], ws: Sequence[str], bs: Sequence[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Weights of queries and keys, of values, and of what comes out: Wq, Wk, Wv, Wo."""
    letters = {w: w.rstrip("_")[-1].lower() for w in ws}
    if set(letters.values()) - set("qkvo") or len(rest) > 3:
        return
    for q, v, o in (("H", "F", "X"), ("H", "H", "X"), ("D", "D", "D")):  # last: heads, a residual
        ends = {"q": ("D", q), "k": ("D", q), "v": ("D", v), "o": (v, o)}
        for data in ("N T D", "T D"):
            shapes = dict.fromkeys(rest, data) | {w: " ".join(ends[letters[w]]) for w in ws}
            yield (
                "attention",
                shapes | {b: ends.get(b.rstrip("_")[-1].lower(), ends["o"])[1] for b in bs},
            )


def gates(
    rest: Sequence[str], ws: Sequence[str], bs: Sequence[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Weights whose names begin alike are of one shape; else those of x and those of h are."""
    for first in (letter, of_x_or_h):
        groups = sorted({first(w) for w in ws})
        if len(groups) > 3:
            continue
        for x, b, *shapes in itertools.product(
            DATA_SHAPES, ("H", "1 H", "H 1"), *[WEIGHT_SHAPES] * len(groups)
        ):
            state = {"N D": "N H", "D N": "H N", "D 1": "H 1", "N T D": "N H"}[x]
            kept = {a: state if names.role(a) in ("h", "c") or a[0] in "hc" else x for a in rest}
            of = dict(zip(groups, shapes))
            yield "gates", kept | {w: of[first(w)] for w in ws} | dict.fromkeys(bs, b)


def letter(name: str) -> str:
    """The first letter of a name."""
    return name[0]


def of_x_or_h(name: str) -> str:
    """The letter of a name that says whether it belongs to x or to h."""
    found = re.search(r"[xhi]", name[1:].lower())
    return found.group() if found else ""
