"""Which line computes each slot: its operation, or the terms that it adds up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from microgrid.engine.value import Op
from microgrid.program.plan.lines import FORWARD, REDUCE, followed
from microgrid.program.plan.products import NONE, Found
from microgrid.program.plan.schedule import Passes
from microgrid.program.tape import Ints


class Calls(NamedTuple):
    """All lines of one operation on so many operands."""

    op: Op
    out: Ints
    args: Ints  # a row for each line


class Tables:
    """All lines of a plan by the slots that they set.

    The terms of slot s are those from `start[s]` to `start[s] + count[s]` of `p`, `q`, `reduce` (it
    adds over the batch) and `product` (which of the `products` it belongs to). A slot without terms
    is set by row `row[s]` of `calls[call[s]]`, or by no line.

    A line of a plan that multiplies matrices and then subtracts, as H W + b − Y, is two here, as it
    is on the tape: so what the network says has a name. Its gradient is that of the difference.
    """

    def __init__(self, passes: Passes, found: Found, depth: Ints) -> None:
        lines, tape = passes.lines, passes.lines.tape
        to, sums = lines.resolved(), found.sums
        self.samples = passes.samples
        self.lines, self.to, self.gradient = lines, to, passes.gradient.copy()
        self.depth = 2 * depth  # an odd one between two lines
        self.is_forward = np.zeros(lines.slots, dtype=bool)
        self.is_forward[sums.out] = sums.phase == FORWARD
        called: dict[tuple[int, int], list[tuple[Ints, Ints]]] = {}
        for (out, _, size, phase, *_), (code, args) in zip(lines.columns, lines.args):
            if code >= 0 and len(out):
                self.is_forward[out] = phase == FORWARD
                some = called.setdefault((code, int(size[0])), [])
                some.append((out, to[args].reshape(len(out), -1)))
        self.calls = [Calls(lines.ops[code], *map(np.concatenate, zip(*some)))
                      for (code, _), some in called.items()]  # fmt: skip
        self.call, self.row = [np.full(lines.slots, NONE) for _ in range(2)]
        for i, calls in enumerate(self.calls):
            self.call[calls.out], self.row[calls.out] = i, np.arange(len(calls.out))

        # a number times a vector is written entry by entry
        products = [x for x in found.products if x.shape[2] > 1 or min(x.out.shape) > 1]
        product = np.full(len(sums.line), NONE)
        for i, each in enumerate(products):
            product[each.terms] = i
        roots = differences(passes, found)
        total, inner = tape.first + roots, tape.args[tape.start[roots]]
        self.depth[inner], self.is_forward[inner] = self.depth[total] - 1, True
        if len(self.gradient):
            self.gradient[inner] = self.gradient[total]
        self.inner = inner
        moved = np.arange(lines.slots)  # from what a line of the plan sets to its products
        moved[total] = inner
        out, n = sums.out[sums.line], len(passes.terms.root)
        within = passes.terms.line != passes.terms.root  # terms of the forward pass come first
        out[:n] = np.where(within, moved[out[:n]], out[:n])
        self.out = out  # of each term of the plan

        one = np.full(len(roots), lines.constant(1.0))
        out, p, q = [np.concatenate(x) for x in ((total, out), (inner, sums.p), (one, sums.q))]
        reduce = np.concatenate([one < 0, sums.code[sums.line] == REDUCE])
        product = np.concatenate([np.full(len(roots), NONE), product])
        kept = np.flatnonzero((p != out) | reduce)  # but the sum so far, to which a piece adds
        kept = kept[np.argsort(out[kept], kind="stable")]
        self.p, self.q, self.product, self.reduce = [x[kept] for x in (p, q, product, reduce)]
        self.count = np.bincount(out[kept], minlength=lines.slots)
        self.start = np.cumsum(self.count) - self.count
        self.products = [replace(x, out=np.where(x.out >= 0, moved[x.out], NONE)) for x in products]

    def levels(self, slots: Ints) -> Iterator[Ints]:
        """Slots that are computed, those side by side whose lines need none of the others."""
        slots = slots[(self.count[slots] > 0) | (self.call[slots] >= 0)]
        slots = slots[np.argsort(self.depth[slots], kind="stable")]
        if len(slots):
            yield from np.split(slots, np.flatnonzero(np.diff(self.depth[slots])) + 1)

    @property
    def ones(self) -> Ints:
        """Slots whose lines set them to 1."""
        alone = np.flatnonzero(self.count == 1)
        one = self.lines.constant(1.0)
        found: Ints = alone[(self.p[self.start[alone]] == one) & (self.q[self.start[alone]] == one)]
        return found

    @cached_property
    def leads_to(self) -> Ints:
        """For each line of the tape the slot that the plan has for it: its own, or its sum's."""
        tape = self.lines.tape
        is_set = (self.count > 0) | (self.call >= 0)
        user = np.arange(tape.first + len(tape))
        inside = ~is_set[tape.args]  # used once, by the sum that it is part of
        line = np.repeat(np.arange(len(tape)), np.diff(tape.start))
        user[tape.args[inside]] = tape.first + line[inside]
        found: Ints = followed(user)[tape.first :]
        return found

    def tape_lines(self, slots: Ints) -> Ints:
        """The lines of the tape that compute these slots, counted from 1, in order."""
        found: Ints = np.flatnonzero(np.isin(self.leads_to, slots)) + 1
        return found

    def terms_of(self, slots: Ints) -> tuple[Ints, Ints]:
        """The terms of slots, one slot after the other; with each which of the slots it is."""
        count = self.count[slots]
        of = np.repeat(np.arange(len(slots)), count)
        within = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
        term: Ints = self.start[slots][of] + within
        return term, of

    def terms(self, slots: Ints) -> Ints:
        """The terms of slots that have equally many, along a new last axis."""
        many = int(self.count[slots.flat[0]])
        found: Ints = self.start[slots][..., None] + np.arange(many)
        return found

    def operation(self, slots: Ints) -> tuple[Op, Ints] | None:
        """The operation that sets all of these slots, and its operands along a new last axis."""
        call = self.call[slots.flat[0]]
        if call < 0 or (self.call[slots] != call).any():
            return None
        return self.calls[call].op, self.calls[call].args[self.row[slots]]


def differences(passes: Passes, found: Found) -> Ints:
    """The lines of the tape that subtract from a sum of products, and do nothing else."""
    lines, terms = passes.lines, passes.terms
    n, count = len(terms.root), len(lines.tape)
    true, own = found.true[:n], terms.line == terms.root
    minus_one = lines.slot_of.get((-1.0).hex(), NONE)
    multiplies = np.bincount(terms.root[true], minlength=count) > 1
    multiplies[terms.line[true & own]] = False  # a product of the line itself
    subtracts = np.bincount(terms.root[own & (terms.q == minus_one)], minlength=count)
    does = np.bincount(terms.root[own], minlength=count)
    return np.flatnonzero(multiplies & (subtracts > 0) & (subtracts == does))
