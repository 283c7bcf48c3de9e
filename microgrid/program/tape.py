"""A recorded graph as plain arrays: the Wengert list, with no Value left in it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgrid.errors import FrozenError, RangeError, describe, stale
from microgrid.ops import identity
from microgrid.value import Constant, Op, Value, node, topological

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
LAST_BIT = 62  # of an int64: arguments beyond share it


@dataclass(frozen=True, eq=False)
class Tape:
    """Slots hold numbers: first the inputs, then the constants, then what each line computes.

    Line i applies `ops[code[i]]` to the slots `args[start[i]:start[i + 1]]`, which all stand
    before its own. Input i belongs to argument[i] of the function.
    """

    ops: tuple[Op, ...]
    code: Ints
    start: Ints
    args: Ints
    constants: Floats
    argument: Ints
    outputs: Ints
    labels: dict[int, str]

    @property
    def inputs(self) -> int:
        """How many inputs there are."""
        return len(self.argument)

    @property
    def first(self) -> int:
        """The slot of the first line."""
        return self.inputs + len(self.constants)

    def __len__(self) -> int:
        return len(self.code)

    @cached_property
    def depths(self) -> tuple[Ints, Ints]:
        """For each slot its depth, and in bit k whether argument k leads to it."""
        level = [0] * self.first
        reach = [1 << min(k, LAST_BIT) for k in self.argument.tolist()] + [0] * len(self.constants)
        args, ends = self.args.tolist(), self.start[1:].tolist()
        begin = 0
        for end in ends:
            deepest, bits = 0, 0
            for s in args[begin:end]:
                bits |= reach[s]
                if level[s] > deepest:
                    deepest = level[s]
            level.append(deepest + 1)
            reach.append(bits)
            begin = end
        return np.array(level, dtype=np.int64), np.array(reach, dtype=np.int64)

    @property
    def level(self) -> Ints:
        return self.depths[0]

    @property
    def reach(self) -> Ints:
        return self.depths[1]

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

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
    moves = bytearray(b"\1" * len(inputs))  # whether a slot depends on an input
    number: dict[Op, int] = {}
    known: list[dict[Any, int]] = []  # for each operation: operands → slot
    constants: dict[Any, int] = {}
    values, spots, lines = array("d"), array("q"), array("q")  # slots as they come
    code, args, ends = array("q"), array("q"), array("q", [0])
    labels = {slot[v]: str(v._label) for v in inputs if v._label}

    for v in order_of(outputs):
        op, b = v.op, v._b
        # No containers here: the garbage collector would look at each, time and again.
        if op is None:
            if v in slot:
                continue
            text = number_of(v)
            here = constants.get(text)
            if here is None:
                here = constants[text] = len(moves)
                moves.append(0)
                values.append(as_float(v))
                spots.append(here)
            slot[v] = here
            continue
        k = number.get(op)
        if k is None:
            k = number[op] = len(number)
            known.append({})
        if b is not None:
            a = v._a
            if v._seen != a._version + b._version:
                raise stale(v)
            i, j = slot[a], slot[b]
            key: Any = i << 32 | j
        else:
            operands = [slot[p] for p in v.parents]
            if v._seen != sum([p._version for p in v.parents]):
                raise stale(v)
            key = operands[0] if len(operands) == 1 else tuple(operands)
        table = known[k]
        here = table.get(key)
        if here is None:
            here = table[key] = len(moves)
            depends = moves[i] | moves[j] if b is not None else max([moves[s] for s in operands])
            moves.append(depends)
            if depends or not isfinite(v._data):
                lines.append(here)
                code.append(k)
                if b is not None:
                    args.append(i)
                    args.append(j)
                else:
                    args.extend(operands)
                ends.append(len(args))
            else:  # what constants make is a constant
                values.append(as_float(v))
                spots.append(here)
        slot[v] = here
        if v._label and here not in labels:
            labels[here] = str(v._label)

    n, spot, line = len(inputs), np.array(spots), np.array(lines)
    place = np.arange(len(moves))
    place[spot] = n + np.arange(len(spot))
    place[line] = n + len(spot) + np.arange(len(line))
    return Tape(
        ops=tuple(number),
        code=np.array(code),
        start=np.array(ends),
        args=place[np.array(args)],
        constants=np.array(values),
        argument=np.array(argument or range(n), dtype=np.int64),
        outputs=place[[slot[v] for v in outputs]],
        labels={int(place[s]): name for s, name in labels.items()},
    )


def order_of(outputs: Sequence[Value]) -> list[Value]:
    """Every node that the outputs need, parents first."""
    if len(outputs) == 1:
        return topological(outputs[0])
    return topological(node(identity, tuple(outputs), None, 0.0, 0))[:-1]


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
