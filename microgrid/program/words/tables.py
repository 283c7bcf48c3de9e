"""Which line computes each slot: its operation, or the terms that it adds up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from microgrid.program.plan.lines import FORWARD, REDUCE
from microgrid.program.plan.products import NONE, Found, depths
from microgrid.program.plan.schedule import Passes
from microgrid.program.tape import Ints


class Calls(NamedTuple):
    """Lines of one operation on so many operands."""

    code: int
    out: Ints
    args: Ints  # a row for each line
    phase: int


class Tables:
    """All lines of a plan by the slots that they set.

    The terms of slot s are those from `start[s]` to `start[s] + count[s]` of `p`, `q`, `reduce` (it
    adds over the batch) and `product` (which of the `products` it belongs to). A slot without terms
    is set by row `row[s]` of `calls[call[s]]`, or by no line.

    A line of a plan that multiplies matrices and then subtracts, as H W + b − Y, is two here, as it
    is on the tape: so what the network says has a name. Its gradient is that of the difference.
    """

    def __init__(self, passes: Passes, found: Found) -> None:
        lines, tape = passes.lines, passes.lines.tape
        to, sums = lines.resolved(), found.sums
        self.lines, self.to, self.gradient = lines, to, passes.gradient.copy()
        self.calls: list[Calls] = []
        self.call, self.row = [np.full(lines.slots, NONE) for _ in range(2)]
        for (out, _, size, phase, *_), (code, args) in zip(lines.columns, lines.args):
            if code >= 0 and len(out):
                self.call[out], self.row[out] = len(self.calls), np.arange(len(out))
                table = to[args].reshape(len(out), int(size[0]))
                self.calls.append(Calls(code, out, table, int(phase[0])))
        # a number times a vector is written entry by entry
        products = [x for x in found.products if x.shape[2] > 1 or min(x.out.shape) > 1]
        product = np.full(len(sums.line), NONE)
        for i, each in enumerate(products):
            product[each.terms] = i
        out = sums.out[sums.line]
        self.depth = 2 * depths(lines)
        self.is_forward = np.zeros(lines.slots, dtype=bool)
        self.is_forward[sums.out] = sums.phase == FORWARD
        for each in self.calls:
            self.is_forward[each.out] = each.phase == FORWARD

        # terms of the forward pass come first, in the order of the plan
        n = len(passes.terms.root)
        line, root = passes.terms.line, passes.terms.root
        minus_one = lines.slot_of.get((-1.0).hex(), NONE)
        multiplies = np.bincount(root[found.true[:n]], minlength=len(tape)) > 1
        own = line == root
        only_subtracts = np.ones(len(tape), dtype=bool)
        only_subtracts[root[own & (passes.terms.q != minus_one)]] = False
        splits = multiplies & only_subtracts
        splits &= np.isin(np.arange(len(tape)), root[own])
        splits[line[found.true[:n]]] = False  # a product of the line itself
        inner = tape.args[tape.start[:-1]]
        self.moved = np.arange(lines.slots)  # from what a line of the plan sets to its products
        roots = np.flatnonzero(splits)
        self.moved[tape.first + roots] = inner[roots]
        self.moved_terms = out = out.copy()  # the slot to which each term of the plan adds
        out[:n] = np.where(splits[root] & ~own, inner[root], out[:n])
        one = lines.constant(1.0)
        extra = np.full(len(roots), one)
        self.depth[inner[roots]] = self.depth[tape.first + roots] - 1
        self.is_forward[inner[roots]] = True
        if len(self.gradient):
            self.gradient[inner[roots]] = self.gradient[tape.first + roots]
        out = np.concatenate([tape.first + roots, out])
        p, q = np.concatenate([inner[roots], sums.p]), np.concatenate([extra, sums.q])
        reduce = np.concatenate([extra < 0, sums.code[sums.line] == REDUCE])
        product = np.concatenate([np.full(len(roots), NONE), product])

        so_far = (p == out) & ~reduce  # what a later piece adds to
        kept = np.flatnonzero(~so_far)
        kept = kept[np.argsort(out[kept], kind="stable")]
        self.p, self.q, self.product, self.reduce = [x[kept] for x in (p, q, product, reduce)]
        self.count = np.bincount(out[kept], minlength=lines.slots)
        self.start = np.cumsum(self.count) - self.count
        self.products = [
            replace(each, out=np.where(each.out >= 0, self.moved[each.out], NONE))
            for each in products
        ]

    @property
    def ones(self) -> Ints:
        """Slots whose lines set them to 1."""
        alone = np.flatnonzero(self.count == 1)
        one = self.lines.constant(1.0)
        found: Ints = alone[(self.p[self.start[alone]] == one) & (self.q[self.start[alone]] == one)]
        return found

    def tape_lines(self, slots: Ints) -> Ints:
        """The lines of the tape that compute slots of it, counted from 1, in order.

        Those that the plan has no line for are part of the sum that they lead to.
        """
        tape = self.lines.tape
        end = tape.first + len(tape)
        is_set = (self.count > 0) | (self.call >= 0)
        found, new = np.zeros(0, dtype=np.int64), slots[(slots >= tape.first) & (slots < end)]
        while len(new):
            found = np.concatenate([found, new])
            line = new - tape.first
            size = tape.start[line + 1] - tape.start[line]
            place = np.repeat(tape.start[line] - np.cumsum(size) + size, size)
            operands = tape.args[place + np.arange(len(place))]
            new = np.unique(operands[(operands >= tape.first) & ~is_set[operands]])
        lines: Ints = np.unique(found) - tape.first + 1
        return lines

    def terms(self, slots: Ints) -> Ints:
        """The terms of slots that have equally many, along a new last axis."""
        many = int(self.count[slots.flat[0]])
        found: Ints = self.start[slots][..., None] + np.arange(many)
        return found

    def operation(self, slots: Ints) -> tuple[Any, Ints] | None:
        """The operation that sets all of these slots, and its operands along a new last axis."""
        ids = self.call[slots]
        first = int(ids.flat[0])
        same = [c for c in np.unique(ids).tolist()]
        codes = {(self.calls[c].code, self.calls[c].args.shape[1]) for c in same if c >= 0}
        if first < 0 or NONE in same or len(codes) > 1:
            return None
        code, size = codes.pop()
        args = np.empty((*slots.shape, size), dtype=np.int64)
        for c in same:
            mine = ids == c
            args[mine] = self.calls[c].args[self.row[slots[mine]]]
        return self.lines.ops[code], args

    def terms_flat(self, slots: Ints) -> Ints:
        """The factors of all terms of slots that are in no product."""
        count = self.count[slots]
        line = np.repeat(np.arange(len(slots)), count)
        within = np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count)
        term = self.start[slots][line] + within
        term = term[self.product[term] < 0]
        return np.concatenate([self.p[term], self.q[term]])
