"""Random circuits for pencil and paper: few gates, small whole numbers, no kinks."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from microgrid.course.mistakes import slips
from microgrid.course.worksheets.diagnosis import misread
from microgrid.course.worksheets.kinds import Kind
from microgrid.engine import ops
from microgrid.engine.calculus import gradients
from microgrid.engine.value import Value, topological
from microgrid.views.explanation import explain

LEAVES, INNER, ROOT = "abcde", "pqrst", "f"
NUMBERS = (*range(1, 7), *range(1, 7), *range(-6, 0))  # twice as many are positive
LARGEST, DEEPEST = 99, 4  # of a number; gates from a leaf to the root
GATES: dict[str, tuple[Callable[..., Any], int]] = {  # and how many operands each has
    "+": (operator.add, 2),
    "-": (operator.sub, 2),
    "*": (operator.mul, 2),
    "max": (ops.maximum, 2),
    "relu": (ops.relu, 1),
    "square": (ops.square, 1),
    "neg": (operator.neg, 1),
}


def circuit(kind: Kind, rng: Random) -> Value:
    """The root of a random circuit of this kind, its nodes named a, b, …, p, q, … and f."""
    while True:
        root = proposal(kind, rng)
        if root is not None and fits(root, kind) and is_friendly(root) and tells(root, kind):
            return root


def proposal(kind: Kind, rng: Random) -> Value | None:
    """A circuit put together gate by gate; None if it does not come out as one."""
    numbers: dict[int, int] = {}  # by size: all leaves differ in it
    for x in rng.sample(NUMBERS, 6):
        numbers.setdefault(abs(x), x)
    made = [Value(x) for x in list(numbers.values())[: rng.randint(2 if kind.forks else 3, 5)]]
    ends = made[:]  # what no gate has used yet
    for _ in range(rng.randint(3, 6)):
        make, operands = GATES[rng.choice(kind.gates.split())]
        first = ends.pop(rng.randrange(len(ends)))
        again = (kind.forks or kind.values) and (not ends or rng.random() < 0.3)
        if operands == 1:
            y = make(first)
        elif again:
            y = make(first, rng.choice(made))
        elif ends:
            y = make(first, ends.pop(rng.randrange(len(ends))))
        else:
            return None
        ends.append(y)
        made.append(y)
    if len(ends) > 1:
        return None
    name(ends[0])
    return ends[0]


def name(root: Value) -> None:
    """Letters in the order of the forward pass."""
    order = topological(root)
    leaves, gates = ([v for v in order if bool(v.op) is inner] for inner in (False, True))
    for v, label in zip(leaves, LEAVES):
        v.label = label
    for v, label in zip(gates, INNER):
        v.label = label
    root.label = ROOT


def fits(root: Value, kind: Kind) -> bool:
    """Whether the circuit is about what its kind is about."""
    order = topological(root)
    uses = Counter(p for v in order for p in v.parents)
    forks = sum(count > 1 for count in uses.values())
    roles = Counter(v.op.role for v in order if v.op)
    return (
        forks >= kind.forks
        and roles[ops.ROUTER] >= kind.routers
        and depth(order) <= DEEPEST
        and not any(len(v.parents) == len(p.parents) == 1 for v in order for p in v.parents)
    )


def depth(order: Sequence[Value]) -> int:
    """The gates on the longest way to the root."""
    found: dict[Value, int] = {}
    for v in order:
        found[v] = 1 + max([found[p] for p in v.parents]) if v.op else 0
    return found[order[-1]]


def is_friendly(root: Value) -> bool:
    """Whether the numbers are small, few of them 0, and none at a kink."""
    order = topological(root)
    for v in order:
        if v.op and v.op.kink and not v.op.kink(*[p.data for p in v.parents]):
            return False
        if not v.data and not (v.op and v.op.role == ops.ROUTER):
            return False
    passed = gradients(root, order)
    cancelled = {v for v, g in zip(order, passed) if not g}
    if any(row.share for row in explain(root).rows if row.parent_node in cancelled):
        return False  # like a + b - a
    largest = max([abs(x) for x in (*passed, *[v.data for v in order])])
    return bool(
        root.data
        and largest <= LARGEST
        and len({abs(g) for g in passed}) >= 3
        and 3 * passed.count(0) <= len(passed)
    )


def tells(root: Value, kind: Kind) -> bool:
    """Whether the usual mistakes give other numbers than the right ones."""
    order = topological(root)
    if kind.values and not all(
        any(x != v.data for _, x in misread(v, [p.data for p in v.parents])) for v in order if v.op
    ):
        return False
    right = dict(zip(order, gradients(root, order)))
    showing = [
        hint for hint, wrong in slips(root) if any(wrong.get(v, g) != g for v, g in right.items())
    ]
    return not kind.gradients or len(showing) >= kind.tells
