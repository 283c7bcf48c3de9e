"""A recorded graph as plain arrays: the Wengert list, with no Value left in it."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, reduce
from math import isfinite, nan
from operator import or_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgrid.engine.errors import GraphError, MicrogridError, RangeError, describe, stale
from microgrid.engine.value import Constant, Op, Value, apply, node
from microgrid.engine.walks import undisturbed
from microgrid.program.tracing import is_plain
from microgrid.views.wording import subscripted

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
LAST_BIT = 62  # of an int64: arguments beyond share it
# The key of a line: its operation << 52 | first operand << 26 | second operand.
BITS = 26
SEVERAL = (1 << BITS) - 1  # as the second: the first is the number of a tuple of operands


class FrozenError(MicrogridError, ValueError):
    """A number that may change would be fixed for ever in a recorded program.

    A recorded function reads a Value that is none of its arguments. The program would hold the
    number that it has now, and a later `w.data = …`, or an optimizer's step, would not reach it.

    - What changes, or needs a gradient, is an argument: a number, an array, a model of `nn`.
    - What stays is written as a plain number: `2.0`, `w.data`.

    >>> import microgrid as mg
    >>> w = mg.Value(3.0, "w")
    >>> mg.record(lambda x: w * x, 1.0)
    Traceback (most recent call last):
        ...
    microgrid.program.tape.FrozenError: the leaf w = 3.0 is not among the inputs, ...
    >>> mg.record(lambda w, x: w * x, 1.0, 1.0)(3.0, 2.0)
    6.0
    """

    explained = True


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
        args, begin = self.args.tolist(), 0
        for end in self.start[1:].tolist():
            xs = args[begin:end]
            if end - begin == 2:  # nearly every line: written out for speed
                a, b = xs
                deepest = level[a] if level[a] > level[b] else level[b]
                reach.append(reach[a] | reach[b])
            else:
                deepest = max([level[s] for s in xs], default=0)
                reach.append(reduce(or_, [reach[s] for s in xs], 0))
            level.append(deepest + 1)
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
        found: list[int] = self.args[self.start[line] : self.start[line + 1]].tolist()
        return found

    def names(self) -> dict[int, str]:
        """Inputs and lines by their labels, each label once; v_1, v_2, … for the others."""
        slots = [*range(self.inputs), *range(self.first, self.first + len(self))]
        owner = {self.labels[s]: s for s in reversed(slots) if self.labels.get(s)}
        own = {s: label for label, s in owner.items()}
        others = (subscripted("v", (i,)) for i in itertools.count())
        free = itertools.filterfalse(owner.__contains__, others)
        return {s: own.get(s) or next(free) for s in slots}

    def nodes(self, inputs: Sequence[float] | None = None) -> list[Value]:
        """The graph again, a node for each slot: with its number at these inputs, else with nan."""
        found = [Value(x) for x in inputs or [nan] * self.inputs]
        found += [Constant(x) for x in self.constants.tolist()]
        for line, code in enumerate(self.code.tolist()):
            op, parents = self.ops[code], tuple([found[s] for s in self.operands(line)])
            number = float(op.forward(*[p._number for p in parents])) if inputs is not None else nan
            a, b = parents if len(parents) == 2 else (parents, None)
            found.append(node(op, a, b, number, 0))
        for slot, name in self.names().items():
            found[slot]._label = name
        return found

    def applied(self, inputs: Sequence[Value]) -> list[Value]:
        """The outputs as nodes that are made of these inputs."""
        found = [*inputs, *map(Constant, self.constants.tolist())]
        for line, code in enumerate(self.code.tolist()):
            found.append(apply(self.ops[code], *[found[s] for s in self.operands(line)]))
        return [found[s] for s in self.outputs.tolist()]


def tape_of(
    outputs: Sequence[Value], inputs: Sequence[Value], argument: Sequence[int] = ()
) -> Tape:
    """The tape from input leaves to output nodes; input i belongs to argument[i].

    Equal lines become one, lines of constants alone become constants, and what leads to no output
    is left out. FrozenError where a leaf is neither an input nor a plain number.
    """
    return undisturbed(lambda: walked(outputs, inputs, argument))


def walked(outputs: Sequence[Value], inputs: Sequence[Value], argument: Sequence[int]) -> Tape:
    """What `tape_of` gives; it writes in the nodes."""
    mark, count = object(), len(inputs)
    for i, v in enumerate(inputs):
        v._walk, v._place = mark, i
    labels = {v._place: str(v._label) for v in inputs if v._label}
    number: dict[Op, int] = {}  # of each operation, where it stands in a key
    several: dict[tuple[int, ...], int] = {}  # operands that are not two
    known: dict[Any, int] = {}  # key of a line, or a plain number → slot
    moves = bytearray(b"\1" * count)  # whether slots depend on an input
    values, keys = array("d"), array("q")  # of the constants, of the lines

    # Once for each node, so everything is written out, and nothing is made at which the garbage
    # collector would look. The order is that of value.topological: a node waits below its parents
    # until they are marked, and have their slots for places.
    stack: list[Any] = list(reversed(outputs))
    while stack:
        v = stack.pop()
        if v._walk is mark:
            continue
        op, b = v.op, v._b
        if b is not None:
            a = v._a
            if not (a._walk is mark is b._walk):
                stack += (v, b, a)
                continue
            i, j = a._place, b._place
            if v._parent_versions != a._version + b._version:
                raise stale(v)
            key, moving = i << BITS | j, moves[i] | moves[j]
        elif op is not None:
            parents = v.parents
            if {p._walk for p in parents} - {mark}:
                stack += (v, *parents[::-1])
                continue
            operands = tuple([p._place for p in parents])
            if v._parent_versions != sum([p._version for p in parents]):
                raise stale(v)
            key = several.setdefault(operands, len(several)) << BITS | SEVERAL
            moving = max([moves[s] for s in operands])
        else:
            key, moving = number_of(v), 0
        if op is not None:
            code = number.get(op)
            if code is None:
                code = number[op] = len(number) << 2 * BITS
                if code >> 63:
                    raise GraphError(f"a program has at most {len(number) - 1:,} operations")
            key |= code
        here = known.setdefault(key, count)
        if here == count:
            count += 1
            if moving or not (op is None or isfinite(v._number)):
                moves.append(1)
                keys.append(key)
            else:  # what constants make is a constant
                moves.append(0)
                values.append(as_float(v))
        v._walk, v._place = mark, here
        if v._label and here not in labels:
            labels[here] = str(v._label)
    if len(moves) > SEVERAL:
        raise GraphError(f"a program has at most {SEVERAL:,} lines; this one has {len(moves):,}")

    n, moving_slots = len(inputs), np.frombuffer(moves, dtype=np.uint8).astype(bool)
    line = np.flatnonzero(moving_slots)[n:]
    place = np.arange(len(moves))
    place[~moving_slots] = n + np.arange(len(values))
    place[line] = n + len(values) + np.arange(len(line))
    start, args = unpacked(np.array(keys), list(several))
    at = place.tolist()
    return Tape(
        ops=tuple(number),
        code=np.array(keys) >> 2 * BITS,
        start=start,
        args=place[args],
        constants=np.array(values),
        argument=np.array(argument or range(n), dtype=np.int64),
        outputs=place[[v._place for v in outputs]],
        labels={at[s]: name for s, name in labels.items()},
    )


def tidied(order: Sequence[Value], kept: Collection[Value] = ()) -> dict[Value, Value]:
    """Which node stands for each node of an order: x for 1·x, and one for all that are equal.

    The parents of the nodes are set accordingly. What is kept stands for itself.
    """
    stands_for: dict[Value, Value] = {}
    first: dict[Any, Value] = {}  # of equal nodes
    for v in order:
        parents = tuple([stands_for[p] for p in v.parents])
        v._a, v._b = parents if len(parents) == 2 else (parents, None)
        terms = v.op.terms(*parents) if v.op and v.op.terms else []
        factors: Any = terms[0] if len(terms) == 1 else (0.0, 0.0)
        key = (v.op, *parents) if v.op else as_float(v).hex() if type(v) is Constant else v
        if v in kept:
            stands_for[v] = v
        elif any(map(is_one, factors)):
            x = stands_for[v] = factors[is_one(factors[0])]
            x._label = x._label or v._label
        else:
            stands_for[v] = first.setdefault(key, v)
    return stands_for


def is_one(x: Any) -> bool:
    """Whether a factor is the plain number 1."""
    return x == 1 if not isinstance(x, Value) else type(x) is Constant and x._number == 1


def unpacked(keys: Ints, several: list[tuple[int, ...]]) -> tuple[Ints, Ints]:
    """Where the operands of each line begin, and all of them, from the keys of the lines."""
    first, second = keys >> BITS & SEVERAL, keys & SEVERAL
    sizes = np.array([len(x) for x in several], dtype=np.int64)
    size = np.full(len(keys), 2)
    other = np.flatnonzero(second == SEVERAL)
    size[other] = sizes[first[other]]
    start = np.concatenate([[0], np.cumsum(size)])
    args = np.empty(start[-1], dtype=np.int64)
    two = start[:-1][second != SEVERAL]
    args[two], args[two + 1] = first[second != SEVERAL], second[second != SEVERAL]
    for at, k in zip(start[other].tolist(), first[other].tolist()):
        args[at : at + len(several[k])] = several[k]
    return start, args


def number_of(v: Value) -> Any:
    """The key of a plain number; 0 and −0 are two."""
    if not is_plain(v):
        raise FrozenError(
            f"the leaf {describe(v)} is not among the inputs, and would be frozen into the "
            "program: pass it as an argument, or write it as a plain number (2.0, not Value(2.0))"
        )
    return as_float(v).hex()


def as_float(v: Value) -> float:
    try:
        return float(v._number)
    except OverflowError:
        raise RangeError(f"{describe(v)} is beyond the floats, in which a program runs") from None
