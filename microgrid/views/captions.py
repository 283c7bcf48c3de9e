"""How one operation is written: as a caption, and with names or numbers as operands."""

from __future__ import annotations

import re
from dataclasses import replace

from microgrid.engine.value import Constant, Value
from microgrid.views.notation import ANY, FOR_PEOPLE, PRODUCT, TEXT, joined, placed, spelled, write

NARROW = {" + ": "+", " - ": "−", " * ": "×", " / ": "/", "-": "−"}
CAPTION = replace(
    TEXT, join=spelled(NARROW), signs=FOR_PEOPLE | {"*": (ANY, ANY, PRODUCT)}, shown=(4, 3, 0)
)
NAMES = replace(TEXT, join=joined, signs_meet=True, shown=(4, 3, 1))  # w_0 * x_0 or exp(n7)
NUMBERS = replace(TEXT, join=spelled({"*": "×", "-": "−"}), shown=(4, 3, 1))


def caption(v: Value) -> str:
    """What the gate that made v does to its wires: ×, +1, x², exp; plain numbers are written out.

    >>> x = Value(2.0)
    >>> [caption(y) for y in (x * x, x + 1, 2 * x, 1 / x, x**2, 1 - x, abs(x))]
    ['×', '+1', '2×', '1/x', 'x²', '1−x', '|x|']
    """
    if v.op is None:
        return ""
    wires = [p for p in v.parents if not isinstance(p, Constant)]
    infix = placed(v.op.text, len(v.parents))
    if not infix and len(wires) == len(v.parents):
        return v.op.text
    wire = "x" if len(wires) == 1 else "" if infix else "·"
    text = write(v, CAPTION, dict.fromkeys(wires, wire))
    return re.sub("^x(?=[+×−/])|(?<=[+×])x$", "", text)  # where the place of the wire is plain
