"""The lines of a plan as statements about whole arrays: y1 = x @ W + b, dW = x.T @ dy1.

Lines that run side by side and do the same become one statement, if each of their operands lies in
one array. Their order, and so the shape of the result, is the one in which the operands are views
that are short to write. Products of matrices come from plan/products.py. What a sum adds up more
than once from the same two arrays is a product of matrices or a sum along an axis, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import nan
from typing import Any

import numpy as np

from microgrid.engine.value import Constant, Op, Value, node
from microgrid.program.plan.lines import FORWARD, REDUCE, SUM
from microgrid.program.plan.products import Product, discovered
from microgrid.program.plan.schedule import Passes
from microgrid.program.tape import Ints
from microgrid.program.text.contractions import Contractions
from microgrid.program.text.gathering import (
    BITS,
    CONSTANTS,
    NOWHERE,
    Pending,
    Text,
    Writer,
)  # fmt: skip
from microgrid.program.text.layouts import layouts
from microgrid.program.text.letters import is_called
from microgrid.program.text.views import varying

PIECES = 12  # of a product
FILL = 3  # how many times as many terms a sum may have when it is filled with zeros


class Vectors(Contractions):
    """The statements for the lines of both passes; `arrays` holds them in order."""

    def __init__(self, passes: Passes, write: Writer) -> None:
        self.lines, self.to = passes.lines, passes.lines.resolved()
        self.found = discovered(passes.lines, fill=1.0)
        super().__init__(passes.lines.slots, passes.lines.constants, write)
        self.primal = np.full(len(self.place), NOWHERE)  # the slot of which it is the gradient
        known = np.flatnonzero(passes.gradient >= 0)
        self.primal[self.to[passes.gradient[known]]] = known

    def new(self, count: int) -> Ints:
        """New slots, which are no gradients."""
        found = super().new(count)
        self.primal = np.append(self.primal, np.full(count, NOWHERE))
        return found

    def run(self) -> None:
        """Make statements of all lines."""
        waiting = [*self.groups()]
        while waiting:
            later = []
            for make in waiting:
                try:
                    make()
                except Pending:
                    later.append(make)
            assert len(later) < len(waiting), "lines that wait for each other"
            waiting = later

    def groups(self) -> Iterator[Callable[[], None]]:
        """What makes statements of the lines that run side by side, in the order of the plan."""
        lines, sums = self.lines, self.found.sums
        made: list[tuple[Any, Callable[[], None]]] = []
        alike: dict[Any, list[tuple[Ints, Ints]]] = {}
        for (out, _, size, *order), (op, args) in zip(lines.columns, lines.args):
            if not len(out) or op in (SUM, REDUCE):
                continue
            keys, which = np.unique(np.stack([*order, size]), axis=1, return_inverse=True)
            begin = np.cumsum(size) - size
            for i, key in enumerate(keys.T.tolist()):
                mine = np.flatnonzero(which.ravel() == i)
                xs = self.to[args[begin[mine][:, None] + np.arange(key[-1])]]
                alike.setdefault((*key[:4], 0, op, key[4]), []).append((out[mine], xs))
        for key, blocks in alike.items():
            out, xs = [np.concatenate(column) for column in zip(*blocks)]
            made.append((key, self.maker(self.operations, out, xs, lines.ops[key[5]], key[0])))
        columns = np.stack([sums.phase, sums.window, sums.rank, sums.depth, sums.code])
        keys, which = np.unique(columns, axis=1, return_inverse=True)
        of_product = {id(q): which.ravel()[q.lines.ravel()[0]] for q in self.found.products}
        line_of_term = which.ravel()[sums.line]
        in_order = np.argsort(line_of_term, kind="stable")
        ends = np.searchsorted(line_of_term[in_order], np.arange(keys.shape[1] + 1))
        for i, k in enumerate(keys.T.tolist()):
            products = [q for q in self.found.products if of_product[id(q)] == i]
            products.sort(key=lambda q: int(q.out.min()))
            terms = in_order[ends[i] : ends[i + 1]]
            made.append(((*k[:4], 1, k[4], 0), self.maker(self.sums, products, terms, *k[::4])))
        for _, make in sorted(made, key=lambda x: x[0]):
            yield make

    @staticmethod
    def maker(f: Callable[..., None], *xs: Any) -> Callable[[], None]:
        return lambda: f(*xs)

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
        _, first, which = np.unique(places, axis=0, return_index=True, return_inverse=True)
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
            if k != CONSTANTS and self.arrays[k].phase != FORWARD:
                mine = places >> BITS == k
                slots = self.arrays[k].slots[places[mine] - (k << BITS)]
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
            return Text(self.write.operation(node(op, a, b, nan, 0), names), batched, False)

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

    def sums(self, products: Sequence[Product], terms: Ints, phase: int, code: int) -> None:
        """Statements for lines that add up products."""
        sums = self.found.sums
        line, p, q = sums.line[terms], sums.p[terms], sums.q[terms]
        self.places(p), self.places(q)  # all are there
        reduce = code == REDUCE
        taken = np.zeros(len(sums.line), dtype=bool)
        more: list[tuple[Ints, Ints]] = []
        for found in products:
            left, right = self.place[found.left], self.place[found.right]
            either = np.concatenate([left.ravel(), right.ravel()]) >> BITS
            outer = found.shape[2] == 1 and (not reduce or min(found.out.shape) == 1)
            if outer or (either == CONSTANTS).any():
                continue  # as elementwise lines
            alone = np.bincount(line, minlength=len(sums.out))[found.lines] == found.shape[2]
            written: list[tuple[Ints, Ints, Text, Callable[[], Any]]] = []
            for rows, columns, ks in self.pieces(left, right):
                lines = found.lines[np.ix_(rows, columns)]
                out = found.out[np.ix_(rows, columns)]
                slots = self.new(lines.size).reshape(lines.shape)
                whole = alone[np.ix_(rows, columns)] & (len(ks) == found.shape[2])
                self.primal[slots] = np.where(whole, self.primal[out], NOWHERE)
                factors = left[np.ix_(rows, ks)], right[np.ix_(columns, ks)]
                if reduce and "n" not in "".join(map(self.labels, factors)):
                    written = []  # the same for all samples: see `term`
                    break
                written.append((lines, slots, *self.product(slots, out, *factors, phase, reduce)))
            if not written:
                continue
            if min(found.out.shape) == 1 and any(self.lists(x[2].text) for x in written):
                continue  # a vector of what lies here and there: see `padded`
            for lines, slots, _, add in written:
                add()
                more.append((lines.ravel(), slots.ravel()))
            taken[found.terms.ravel()] = True
        keep = ~taken[terms]
        one = self.number(1.0)
        line, p, q = line[keep], self.place[p[keep]], self.place[q[keep]]
        line = np.concatenate([line, *[x for x, _ in more]])
        p = np.concatenate([p, *[self.place[s] for _, s in more]])
        q = np.concatenate([q, *[np.full(len(s), one) for _, s in more]])
        ready = np.concatenate([np.full(keep.sum(), not reduce), *[np.full(len(s), True)
                                                                   for _, s in more]])  # fmt: skip
        self.added(line, p, q, ready, phase)

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

    def added(self, line: Ints, p: Ints, q: Ints, ready: Any, phase: int) -> None:
        """Statements for sums of p·q, given as places; over the samples where not `ready`."""
        sums = self.found.sums
        swap = (p >> BITS == CONSTANTS) & (q >> BITS != CONSTANTS)
        p, q = np.where(swap, q, p), np.where(swap, p, q)
        line, p, q, ready = self.merged(line, p, q, ready)
        is_number = p >> BITS == CONSTANTS  # p·q is a constant
        if is_number.any():
            x = self.constant(p[is_number]) * self.constant(q[is_number])
            values, which = np.unique(x, return_inverse=True)
            at = np.array([self.number(float(v)) for v in values])
            p[is_number], q[is_number] = at[which.ravel()], self.number(1.0)
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
        size = np.bincount(line, minlength=len(sums.out))
        begin = np.cumsum(size) - size
        for length in np.unique(size[size > 0]):
            mine = np.flatnonzero(size == length)
            at = begin[mine][:, None] + np.arange(length)
            rows = np.concatenate([p[at], q[at]], axis=1)
            groups, doubles = self.alike(sums.out[mine], rows, kind[at])
            for some in groups:
                self.sum(sums.out[mine[some]], p[at[some]], q[at[some]], kind[at[some[0]]],
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
            return Text(self.signed(terms), batched, False)

        columns = [x[:, r[0]] for r in runs for x in (p, q)]
        columns = [c for c in columns if (c >> BITS != CONSTANTS).all()]
        plain = all(len(r) == 1 for r in runs) and ready.all()
        self.laid_out(out, columns, build, phase, "linear" if plain else "sum")
