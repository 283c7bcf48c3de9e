"""A recorded graph as plain arrays: the Wengert list, with no Value left in it."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgrid.errors import FrozenError, RangeError, describe, stale
from microgrid.value import Constant, Op, Value, topological

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
LAST_BIT = 62  # of an int64: arguments beyond share it


@dataclass(frozen=True, eq=False)
class Tape:
    """Slots hold numbers: first the inputs, then the constants, then what each line computes.

    Line i applies `ops[code[i]]` to the slots `args[start[i]:start[i + 1]]`, which all stand
    before its own. `level` is the depth of a slot; bit k of `reach` tells whether argument k leads
    to it.
    """

    ops: tuple[Op, ...]
    code: Ints
    start: Ints
    args: Ints
    constants: Floats
    inputs: int
    outputs: Ints
    level: Ints
    reach: Ints
    labels: dict[int, str]

    @property
    def first(self) -> int:
        """The slot of the first line."""
        return self.inputs + len(self.constants)

    def __len__(self) -> int:
        return len(self.code)

    def operands(self, line: int) -> list[int]:
        return [int(s) for s in self.args[self.start[line] : self.start[line + 1]]]


def tape_of(
    outputs: Sequence[Value], inputs: Sequence[Value], argument: Sequence[int] = ()
) -> Tape:
    """The tape from input leaves to output nodes; input i belongs to argument[i].

    Equal lines become one, lines of constants alone become constants, and what leads to no output
    is left out. FrozenError where a leaf is neither an input nor a plain number.
    """
    slot = {v: i for i, v in enumerate(inputs)}
    reach = [1 << min(k, LAST_BIT) for k in argument or range(len(inputs))]
    level = [0] * len(inputs)
    known: defaultdict[Op | None, dict[Any, int]] = defaultdict(dict)
    constants: dict[int, float] = {}
    lines: list[int] = []  # their slots as they come, which are renumbered at the end
    number: dict[Op, int] = {}
    code, args, ends = array("q"), array("q"), array("q", [0])
    labels = {slot[v]: str(v._label) for v in inputs if v._label}

    for v in order_of(outputs, slot):
        op, b = v.op, v._b
        # No containers here: the garbage collector would look at each, time and again.
        if b is not None:
            a = v._a
            if v._seen != a._version + b._version:
                raise stale(v)
            i, j = slot[a], slot[b]
            key: Any = i << 32 | j
        elif op is None:
            key = number_of(v)
        else:
            operands = [slot[p] for p in v.parents]
            if v._seen != sum([p._version for p in v.parents]):
                raise stale(v)
            key = operands[0] if len(operands) == 1 else tuple(operands)
        table = known[op]
        here = table.get(key)
        if here is None:
            here = table[key] = len(reach)
            if b is not None:
                bits, above, beside = reach[i] | reach[j], level[i], level[j]
                above = above if above > beside else beside
            elif op is None:
                bits, above = 0, -1
            else:
                bits, above = 0, max([level[s] for s in operands])
                for s in operands:
                    bits |= reach[s]
            reach.append(bits)
            level.append(above + 1)
            if not bits and (op is None or isfinite(v._data)):  # what constants make is constant
                constants[here] = as_float(v)
            else:
                lines.append(here)
                code.append(number.setdefault(op, len(number)))  # type: ignore[arg-type]
                if b is not None:
                    args.append(i)
                    args.append(j)
                else:
                    args.extend(operands)
                ends.append(len(args))
        slot[v] = here
        if v._label and here not in labels:
            labels[here] = str(v._label)

    where = np.array(lines, dtype=np.int64)
    place = np.arange(len(reach))
    place[list(constants)] = len(inputs) + np.arange(len(constants))
    place[where] = len(inputs) + len(constants) + np.arange(len(lines))
    levels, reaches = np.zeros((2, len(reach)), dtype=np.int64)
    levels[place], reaches[place] = level, reach
    return Tape(
        ops=tuple(number),
        code=np.array(code),
        start=np.array(ends),
        args=place[np.array(args)],
        constants=np.array(list(constants.values()), dtype=float),
        inputs=len(inputs),
        outputs=place[[slot[v] for v in outputs]],
        level=levels,
        reach=reaches,
        labels={int(place[s]): name for s, name in labels.items()},
    )


def order_of(outputs: Sequence[Value], known: dict[Value, int]) -> list[Value]:
    """Every node that the outputs need, parents first, without those that are known."""
    orders = [topological(v) for v in outputs]
    if len(orders) == 1:
        return [v for v in orders[0] if v not in known]
    seen = dict.fromkeys(known)
    for order in orders:
        seen |= dict.fromkeys(order)
    return list(seen)[len(known) :]


def number_of(v: Value) -> Any:
    """The key of a plain number; 0 and −0 are two."""
    if type(v) is not Constant:
        raise FrozenError(
            f"the leaf {describe(v)} is not among the inputs, and would be frozen into the "
            "program: pass it as an argument, or write it as a plain number (2.0, not Value(2.0))"
        )
    x = as_float(v)
    return x.hex()


def as_float(v: Value) -> float:
    try:
        return float(v._data)
    except OverflowError:
        raise RangeError(f"{describe(v)} is beyond the floats, in which a program runs") from None
