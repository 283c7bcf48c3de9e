"""The lines of a plan as statements about whole arrays: y1 = x @ W + b, dW = x.T @ dy1.

Lines that run side by side and do the same become one statement, if each of their operands lies in
one array. Their order, and so the shape of the result, is the one in which the operands are views
that are short to write. Products of matrices come from plan/products.py. What a sum adds up more
than once from the same two arrays is a product of matrices or a sum along an axis, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan
from typing import Any

import numpy as np

from microgrid.engine.value import Constant, Op, Value, node
from microgrid.program.plan.lines import BACKWARD, FORWARD, REDUCE
from microgrid.program.plan.products import depths, discovered
from microgrid.program.plan.schedule import Passes
from microgrid.program.tape import Ints
from microgrid.program.text.contractions import Contractions
from microgrid.program.text.gathering import (
    BITS,
    CONSTANTS,
    NOWHERE,
    Text,
    Writer,
)  # fmt: skip
from microgrid.program.text.layouts import layouts
from microgrid.program.text.letters import is_called
from microgrid.program.text.tables import Tables
from microgrid.program.text.views import varying

PIECES = 12  # of a product
FILL = 3  # how many times as many terms a sum may have when it is filled with zeros


class Vectors(Contractions):
    """The statements for the lines of both passes; `arrays` holds them in order."""

    def __init__(self, passes: Passes, write: Writer) -> None:
        lines, depth = passes.lines, depths(passes.lines)
        self.tables = t = Tables(passes, discovered(lines, fill=1.0, depth=depth), depth)
        super().__init__(lines.slots, lines.constants, write)
        self.primal = np.full(len(self.place), NOWHERE)  # the slot of which it is the gradient
        known = np.concatenate([np.flatnonzero(t.gradient >= 0), t.inner])
        known = known[t.gradient[known] >= 0]
        self.primal[t.to[t.gradient[known]]] = known

    def new(self, count: int) -> Ints:
        """New slots, which are no gradients."""
        found = super().new(count)
        self.primal = np.append(self.primal, np.full(count, NOWHERE))
        return found

    def run(self) -> None:
        """Make statements of all lines."""
        t = self.tables
        for level in t.levels(np.arange(len(t.count))):
            for phase in (FORWARD, BACKWARD):
                mine = level[t.is_forward[level] == (phase == FORWARD)]
                for call in np.unique(t.call[mine][t.call[mine] >= 0]).tolist():
                    out, found = mine[t.call[mine] == call], t.calls[call]
                    self.operations(out, found.args[t.row[out]], found.op, phase)
                self.sums(mine[t.count[mine] > 0], phase)

    def operations(self, out: Ints, xs: Ints, op: Op, phase: int) -> None:
        """Statements for lines of one operation, a row of operands each."""
        places = self.places(xs)
        groups, doubles = self.alike(out, places, self.owners(places))
        for mine in groups:
            self.operation(out[mine], places[mine], op, phase)
        self.settle(doubles)

    def owners(self, places: Ints) -> Ints:
        """The array of each place; of a constant its own number, where the lines have few."""
        owner = places >> BITS
        for column in range(places.shape[1]):
            mine = owner[:, column] == CONSTANTS
            if len(np.unique(places[mine, column])) <= 2:
                owner[mine, column] = -2 - places[mine, column]
        return owner

    def alike(self, out: Ints, places: Ints, owner: Ints) -> tuple[list[Ints], tuple[Ints, Ints]]:
        """Rows with the same owners, one of those that are equal; the others, and their likes."""
        key = np.concatenate([places, owner], axis=1)
        _, first, which = np.unique(key, axis=0, return_index=True, return_inverse=True)
        same = first[which.ravel()]
        kept = np.unique(first)
        _, kind = np.unique(owner[kept], axis=0, return_inverse=True)
        kind = kind.ravel()
        groups = [kept[kind == i] for i in range(kind.max() + 1)] if len(kept) else []
        twice = np.flatnonzero(same != np.arange(len(out)))
        doubles = out[twice], out[same[twice]]
        return sorted(groups, key=lambda g: int(g[0])), doubles

    def is_at(self, out: Ints, places: Ints) -> None:
        """What these slots hold is there already; an array of them may be a gradient, too."""
        self.place[out] = places
        for k in np.unique(places >> BITS).tolist():
            a, mine = self.arrays[k], places >> BITS == k
            a.kind = "whole" if a.kind == "product" else a.kind
            if k != CONSTANTS and a.phase != FORWARD:
                slots = a.slots[places[mine] - (k << BITS)]
                self.primal[slots] = np.maximum(self.primal[slots], self.primal[out[mine]])

    def settle(self, doubles: tuple[Ints, Ints]) -> None:
        self.place[doubles[0]] = self.place[doubles[1]]

    def operation(self, out: Ints, places: Ints, op: Op, phase: int) -> None:
        """A statement for lines whose operands lie in the same arrays."""
        count = places.shape[1]
        owner = places[0] >> BITS
        cuts = [k for k in range(1, count) if owner[k] != owner[k - 1] or owner[k] == CONSTANTS]
        runs = np.split(np.arange(count), cuts)
        variadic = op.arity is None and any(len(r) > 1 for r in runs)

        def build(index: Ints) -> Text:
            if variadic:
                texts, batched = [], False
                for r in runs:
                    if len(r) == 1:
                        found = self.gathered(places[index][..., r[0]])
                        texts.append((found.text, ""))
                    else:
                        found = self.exactly(places[index][..., r])
                        texts.append((f"*{self.first(found, index.ndim)}", found.text))
                    batched |= found.batched
                return Text(self.write.several(op, texts), batched)
            names: dict[Value, str] = {}
            operands: list[Value] = []
            batched = False
            for k in range(count):
                at = places[index][..., k]
                if owner[k] == CONSTANTS and not varying(at):
                    operands.append(Constant(float(self.constant(at.ravel()[:1])[0])))
                    continue
                found = self.gathered(at)
                batched |= found.batched
                v = Value(nan)
                names[v] = found.text
                operands.append(v)
            a, b = operands if count == 2 else (tuple(operands), None)
            return Text(self.write.operation(node(op, a, b, nan, 0), names), batched)

        kind = "function" if is_called(op, count) else ""
        columns = [places[:, r[0]] for r in runs if owner[r[0]] != CONSTANTS]
        self.laid_out(out, columns, build, phase, kind)

    def first(self, found: Text, axes: int) -> str:
        """The text with its last axis in front; `axes` others stand before it."""
        axes += found.batched
        if axes == 0:
            return found.text
        moved = f"{found.text}.T" if axes == 1 else ""
        return moved or f"{self.write.prefix}.moveaxis({found.text}, -1, 0)"

    def laid_out(
        self, out: Ints, columns: Sequence[Ints], build: Callable[[Ints], Text], phase: int,
        kind: str,
    ) -> None:  # fmt: skip
        """Add the statement that `build` writes for lines in the order in which it is short."""
        primal = self.primal[out]
        given = self.place[primal]
        columns = [*[given] * bool((primal >= 0).all() and (given >= 0).all()), *columns]
        columns = [c for c in columns if len(np.unique(c >> BITS)) == 1]
        best = None
        for index in layouts(len(out), columns, self.grid):
            index = index.squeeze()  # gathered operands have no axes of length 1 in front
            text = build(index)
            cost = self.cost(text.text) + self.unlike(self.primal[out[index]], out[index])
            if best is None or cost < best[0]:
                best = cost, index, text
        assert best is not None
        _, index, text = best
        self.add(out[index], text.text, text.batched, phase, kind)

    def unlike(self, primal: Ints, out: Ints | None = None) -> int:
        """How far an order of results is from the best: that of what they are gradients of."""
        if primal.ndim and (primal >= 0).all() and (self.place[primal] >= 0).all():
            return 0 if (np.diff(self.place[primal].ravel()) > 0).all() else 8
        return 0 if out is None or (np.diff(out.ravel()) > 0).all() else 2

    def sums(self, out: Ints, phase: int) -> None:
        """Statements for slots that add up products."""
        t = self.tables
        term, line = t.terms_of(out)
        of, taken = t.product[term], np.zeros(len(term), dtype=bool)
        at = np.full(len(t.count), NOWHERE)
        at[out] = np.arange(len(out))
        more: list[tuple[Ints, Ints]] = []
        products = [(t.products[i], i) for i in np.unique(of[of >= 0]).tolist()]
        for found, i in sorted(products, key=lambda x: int(x[0].out.min())):
            left, right, reduce = (
                self.place[found.left],
                self.place[found.right],
                found.code == REDUCE,
            )
            either = np.concatenate([left.ravel(), right.ravel()]) >> BITS
            outer = found.shape[2] == 1 and (not reduce or min(found.out.shape) == 1)
            if outer or (either == CONSTANTS).any() or (at[found.out] < 0).any():
                continue  # as elementwise lines
            alone = t.count[found.out] == found.shape[2]
            written: list[tuple[Ints, Ints, Text, Callable[[], Any]]] = []
            for rows, columns, ks in self.pieces(left, right):
                own = found.out[np.ix_(rows, columns)]
                slots = self.new(own.size).reshape(own.shape)
                whole = alone[np.ix_(rows, columns)] & (len(ks) == found.shape[2])
                self.primal[slots] = np.where(whole, self.primal[own], NOWHERE)
                factors = left[np.ix_(rows, ks)], right[np.ix_(columns, ks)]
                if reduce and "n" not in "".join(map(self.labels, factors)):
                    written = []  # the same for all samples: see `term`
                    break
                written.append((at[own], slots, *self.product(slots, own, *factors, phase, reduce)))
            if not written:
                continue
            if min(found.out.shape) == 1 and any(self.lists(x[2].text) for x in written):
                continue  # a vector of what lies here and there: see `padded`
            for lines, slots, _, add in written:
                add()
                more.append((lines.ravel(), slots.ravel()))
            taken |= of == i
        one, term = self.number(1.0), term[~taken]
        line = np.concatenate([line[~taken], *[x for x, _ in more]])
        p = np.concatenate([self.places(t.p[term]), *[self.place[s] for _, s in more]])
        q = np.concatenate([self.places(t.q[term]), *[np.full(len(s), one) for _, s in more]])
        ready = np.concatenate([~t.reduce[term], *[np.full(len(s), True) for _, s in more]])
        self.added(out, line, p, q, ready, phase)

    def pieces(self, left: Ints, right: Ints) -> list[tuple[Ints, Ints, Ints]]:
        """Rows, columns and terms of a product that each lie in one array; all, if these are many.

        So dX = dQ @ Wq.T + dK @ Wk.T are two products, and not one of [dQ dK].
        """
        owners = [x >> BITS for x in (left, right)]
        (rows, i), (columns, j) = [
            np.unique(x, axis=0, return_inverse=True) for x in owners
        ]  # fmt: skip
        found: list[tuple[Ints, Ints, Ints]] = []
        for a, row in enumerate(rows):
            for b, column in enumerate(columns):
                pairs = np.stack([row, column])
                kinds, k = np.unique(pairs, axis=1, return_inverse=True)
                found += [
                    (np.flatnonzero(i.ravel() == a), np.flatnonzero(j.ravel() == b),
                     np.flatnonzero(k.ravel() == c)) for c in range(kinds.shape[1])
                ]  # fmt: skip
                if len(found) > PIECES:
                    return [(np.arange(len(left)), np.arange(len(right)), np.arange(len(left.T)))]
        return found

    def product(
        self, slots: Ints, of: Ints, left: Ints, right: Ints, phase: int, reduce: bool
    ) -> tuple[Text, Callable[[], Any]]:
        """The text of a product of matrices, a part of these lines, and what adds it."""
        (_, first, i), (_, head, j) = [
            np.unique(x, axis=0, return_index=True, return_inverse=True) for x in (left, right)
        ]  # fmt: skip
        if len(first) < len(left) or len(head) < len(right):  # equal rows are computed once
            some = np.ix_(first, head)
            text, add = self.product(slots[some], of[some], left[first], right[head], phase, reduce)

            def add_all() -> None:
                add()
                self.place[slots] = self.place[slots[some]][np.ix_(i.ravel(), j.ravel())]

            return text, add_all
        primal = self.primal[of]
        rows, columns = left.min(axis=1), right.min(axis=1)
        targets = [(rows, columns)]
        if (primal >= 0).all() and (self.place[primal] >= 0).all():
            place = self.place[primal]
            targets = [(place.min(axis=1), place.min(axis=0))]
        best = None
        for i, j in targets:
            i, j = np.argsort(i, kind="stable"), np.argsort(j, kind="stable")
            out, left, right = slots[np.ix_(i, j)], left[i], right[j]
            own, lines = primal[np.ix_(i, j)], of[np.ix_(i, j)]
            likes = (own, lines), (own.T, lines.T)
            orders = [np.argsort(left[0], kind="stable"), np.argsort(right[0], kind="stable")]
            for k in orders[: 1 + (orders[0] != orders[1]).any()]:
                shape = *out.shape, len(k)
                a = np.broadcast_to(left[:, k][:, None], shape)
                b = np.broadcast_to(right[:, k][None], shape)
                for swap in (False, True):
                    y = out.T if swap else out
                    p, q = [z.swapaxes(0, 1) if swap else z for z in (a, b)]
                    alone = tuple([0 if n == 1 else slice(None) for n in y.shape])
                    if len(k) == 1:
                        p, q = p[..., 0], q[..., 0]
                    text = self.contracted(p[alone], q[alone], reduce, int(len(k) > 1))
                    cost = self.cost(text.text) + self.unlike(*[z[alone] for z in likes[swap]])
                    if best is None or cost < best[0]:
                        best = cost, y[alone], text
        assert best is not None
        _, found, text = best
        return text, lambda: self.add(found, text.text, text.batched, phase, "product")

    def added(self, out: Ints, line: Ints, p: Ints, q: Ints, ready: Any, phase: int) -> None:
        """Statements for sums of p·q, given as places; over the samples where not `ready`."""
        swap = (p >> BITS == CONSTANTS) & (q >> BITS != CONSTANTS)
        p, q = np.where(swap, q, p), np.where(swap, p, q)
        line, p, q, ready = self.merged(line, p, q, ready)
        is_number = p >> BITS == CONSTANTS  # p·q is a constant
        if is_number.any():
            x = self.constant(p[is_number]) * self.constant(q[is_number])
            values, which = np.unique(x, return_inverse=True)
            at = np.array([self.number(float(v)) for v in values])
            p[is_number], q[is_number] = at[which.ravel()], self.number(1.0)
            kept = ~(is_number & (self.constant(p) == 0))  # x + 0 is x
            kept |= np.bincount(line[kept], minlength=len(out))[line] == 0
            line, p, q, ready, is_number = [x[kept] for x in (line, p, q, ready, is_number)]
        q_number = np.where(q >> BITS == CONSTANTS, q, NOWHERE)
        few = len(np.unique(q_number)) <= 5
        owner_q = np.where(q >> BITS == CONSTANTS, -2 - q if few else CONSTANTS, q >> BITS)
        owner_p = np.where(is_number & few, -2 - p, p >> BITS)
        kinds = np.stack([owner_p, owner_q, ready.astype(np.int64)])
        kinds, kind = np.unique(kinds, axis=1, return_inverse=True)
        kind = kind.ravel()
        line, p, q, kind = self.padded(line, p, q, kind)
        order = np.lexsort((q, p, kind, line))
        line, p, q, kind = line[order], p[order], q[order], kind[order]
        size = np.bincount(line, minlength=len(out))
        begin = np.cumsum(size) - size
        for length in np.unique(size[size > 0]):
            mine = np.flatnonzero(size == length)
            at = begin[mine][:, None] + np.arange(length)
            rows = np.concatenate([p[at], q[at]], axis=1)
            groups, doubles = self.alike(out[mine], rows, kind[at])
            for some in groups:
                self.sum(out[mine[some]], p[at[some]], q[at[some]], kind[at[some[0]]],
                         kinds, phase)  # fmt: skip
            self.settle(doubles)

    def padded(self, line: Ints, p: Ints, q: Ints, kind: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """The terms; sums with more and fewer terms of the same kinds get products with 0.

        So they are one statement: the entries of a matrix with zeros, the border of an image.
        """
        lines, which = np.unique(line, return_inverse=True)
        if kind.max(initial=0) >= PIECES:
            return line, p, q, kind
        counts = np.zeros((len(lines), int(kind.max(initial=0)) + 1), dtype=np.int64)
        np.add.at(counts, (which.ravel(), kind), 1)
        new: list[tuple[Ints, Ints, Ints, Ints]] = [(line, p, q, kind)]
        first = np.zeros(counts.shape, dtype=np.int64)
        first[which.ravel()[::-1], kind[::-1]] = np.arange(len(line))[::-1]
        _, alike = np.unique(counts > 0, axis=0, return_inverse=True)
        for some in [np.flatnonzero(alike.ravel() == i) for i in range(alike.max(initial=-1) + 1)]:
            most = counts[some].max(axis=0)
            plain = len(np.unique(counts[some], axis=0)) <= 2
            if plain or most.sum() * len(some) > FILL * counts[some].sum():
                continue
            for k in np.flatnonzero(most):
                times = most[k] - counts[some, k]
                at = np.repeat(first[some, k], times)
                zeros = np.full(len(at), self.number(0.0))
                new.append((np.repeat(lines[some], times), zeros, q[at], np.full(len(at), k)))
        line, p, q, kind = [np.concatenate(x) for x in zip(*new)]
        return line, p, q, kind

    def merged(self, line: Ints, p: Ints, q: Ints, ready: Any) -> tuple[Ints, Ints, Ints, Any]:
        """The terms, with one that comes several times as one, if its factor is a number."""
        order = np.lexsort((q, p, line, ready))
        same = (q >> BITS == CONSTANTS)[order[1:]]
        for x in (line, p, q, ready):
            same &= x[order[1:]] == x[order[:-1]]
        if not same.any():
            return line, p, q, ready
        begin = np.flatnonzero(np.concatenate([[True], ~same]))
        times = np.diff(np.append(begin, len(order)))
        kept = order[begin]
        q = q.copy()
        for k in np.flatnonzero(times > 1).tolist():
            q[kept[k]] = self.number(float(self.constant(q[kept[k]][None])[0] * times[k]))
        kept = np.sort(kept)
        return line[kept], p[kept], q[kept], ready[kept]

    def sum(self, out: Ints, p: Ints, q: Ints, kind: Ints, kinds: Ints, phase: int) -> None:
        """A statement for sums of the same kinds of terms, a row each."""
        ends = np.flatnonzero(np.diff(kind)) + 1
        runs = np.split(np.arange(len(kind)), ends)
        equal = [(p[:, r] == p[:, r[:1]]).all() and (q[:, r] == q[:, r[:1]]).all() for r in runs]
        times = [len(r) if same else 1 for r, same in zip(runs, equal)]
        runs = [r[:1] if same else r for r, same in zip(runs, equal)]
        ready = kinds[2][kind].astype(bool)
        one = self.number(1.0)
        if len(kind) == 1 and ready[0] and (q == one).all():  # nothing to compute
            self.is_at(out, p[:, 0])
            return
        if ready.all() and (p >> BITS == CONSTANTS).all():
            found = (self.constant(p) * self.constant(q)).sum(axis=1)
            self.place[out] = [self.number(x) for x in found.tolist()]
            return

        def build(index: Ints) -> Text:
            terms: list[tuple[float, str, bool]] = []
            batched = False
            for r, count in zip(runs, times):
                factor, found = self.term(p[index][..., r], q[index][..., r], ready[r[0]])
                batched |= found.batched
                is_product = self.arrays[p[0, r[0]] >> BITS].kind == "product"
                terms.append((factor * count, found.text, is_product))
            return Text(self.signed(terms), batched)

        columns = [x[:, r[0]] for r in runs for x in (p, q)]
        columns = [c for c in columns if (c >> BITS != CONSTANTS).all()]
        plain = all(len(r) == 1 for r in runs) and ready.all()
        self.laid_out(out, columns, build, phase, "linear" if plain else "sum")
