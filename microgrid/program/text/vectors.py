"""The lines of a plan as statements about whole arrays: y1 = x @ W + b, h1 = tanh(y1), dW = x.T @ dy1.

Lines that run side by side and do the same become one statement, if each of their operands lies in
one array. Their order, and so the shape of the result, is the one in which the operands are views
that are short to write. Products of matrices come from plan/products.py. What a sum adds up more
than once from the same two arrays is a product of matrices or a sum along an axis, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import nan, prod
from typing import Any, NamedTuple

import numpy as np

from microgrid.engine.value import Constant, Op, Value, node
from microgrid.program.plan.lines import FORWARD, REDUCE, SUM, Lines
from microgrid.program.plan.products import Product, discovered
from microgrid.program.plan.schedule import Passes
from microgrid.program.tape import Ints
from microgrid.program.text.views import Shape, core, part, transposed, varying, widened

LETTERS = "ijkpqrtuvwxyz"  # axes in einsum; n are the samples, s is what is added up
CONSTANTS, NOWHERE = 0, -1  # the array of the plain numbers; the place of what is not computed yet
BITS = 32  # a place is array << BITS | entry
LONG = 30  # how many characters of text an index list counts for, beside its own
PIECES = 12  # of a product


class Text(NamedTuple):
    """An expression; whether it has the samples along a first axis, and whether it is an atom."""

    text: str
    batched: bool
    atom: bool = True


@dataclass(eq=False)
class Array:
    """A variable of the text: its shape without the axis of samples, its slots, its expression."""

    shape: Shape
    batched: bool
    slots: Ints
    text: str = ""
    phase: int = FORWARD
    kind: str = ""
    name: str = ""
    primal: int = NOWHERE  # the array of which it is the gradient
    uses: list[int] = field(default_factory=list)


class Pending(Exception):
    """An operand is not computed yet."""


class Writer(NamedTuple):
    """What writes operations, numbers and tables in the language."""

    prefix: str
    array: str  # the function that makes an array of a number
    operation: Callable[[Value, dict[Value, str]], str]
    several: Callable[[Op, Sequence[tuple[str, str]]], str]
    number: Callable[[float], str]
    indices: Callable[[Ints], str]
    table: Callable[[Any], str]


class Vectors:
    """The statements for the lines of both passes; `arrays` holds them in order."""

    def __init__(self, passes: Passes, write: Writer) -> None:
        self.write, self.lines = write, passes.lines
        lines = passes.lines
        self.to = lines.resolved()
        self.found = discovered(lines, fill=1.0)
        sums = self.found.sums
        many = lines.slots + 2 * len(sums.out) + 1
        self.place = np.full(many, NOWHERE, dtype=np.int64)
        self.next = lines.slots
        self.numbers = [*lines.constants.values()]
        self.place[[*lines.constants]] = np.arange(len(self.numbers))
        self.arrays = [Array((len(self.numbers),), False, np.array([*lines.constants]))]
        self.primal = np.full(many, NOWHERE)
        known = np.flatnonzero(passes.gradient >= 0)
        self.primal[self.to[passes.gradient[known]]] = known
        self.samples = ""  # the text of the number of samples

    # Arrays, and what is taken of them.

    def add(
        self, slots: Ints, text: str, batched: bool, phase: int = FORWARD, kind: str = ""
    ) -> int:
        """A new array that holds these slots."""
        self.arrays.append(Array(slots.shape, batched, slots.ravel(), text, phase, kind))
        at = len(self.arrays) - 1
        self.place[slots.ravel()] = (at << BITS) + np.arange(slots.size)
        return at

    def new(self, count: int) -> Ints:
        self.next += count
        return np.arange(self.next - count, self.next)

    def places(self, slots: Ints) -> Ints:
        """Where slots lie; Pending where one is not computed yet."""
        found: Ints = self.place[slots]
        if (found < 0).any():
            raise Pending
        return found

    def constant(self, places: Ints) -> Any:
        """The numbers at places that are constants, nan elsewhere."""
        found = np.full(places.shape, nan)
        mine = places >> BITS == CONSTANTS
        found[mine] = np.array([*self.numbers, 0.0])[places[mine]]
        return found

    def number(self, x: float) -> int:
        """The place of a plain number."""
        keys = [y.hex() for y in self.numbers]
        if x.hex() not in keys:
            self.numbers.append(x)
            return len(keys)
        return keys.index(x.hex())

    def gathered(self, places: Ints) -> Text:
        """The entries at these places, for one that adds axes as NumPy does."""
        axes = varying(places)
        text, batched, _ = self.inner(core(places))
        if axes or not self.is_number(places):
            text = widened(text, axes, places.ndim, batched, leading=False)
        return Text(text, batched)

    def is_number(self, places: Ints) -> bool:
        """Whether one plain number stands at all places."""
        return (places >> BITS == CONSTANTS).all() and not varying(places)

    def exactly(self, places: Ints, batched: bool = False) -> Text:
        """The entries as an array of this shape, with an axis of samples if asked for."""
        array = self.write.array
        if not places.size:
            return Text(self.spread(f"{array}(0.0)", places.shape, batched), batched)
        axes = varying(places)
        inner = self.inner(core(places))
        batched |= inner.batched
        if any(n > 1 and k not in axes for k, n in enumerate(places.shape)):
            text = self.gathered(places).text
        elif self.is_number(places):
            text = inner.text
        else:
            text = widened(inner.text, axes, places.ndim, inner.batched, leading=True)
            if batched == inner.batched:
                return Text(text, batched)
        text = f"{array}({text})" if self.is_number(places) else text
        alone = not places.ndim and not batched
        return Text(text if alone else self.spread(text, places.shape, batched), batched)

    def spread(self, text: str, shape: Shape, batched: bool) -> str:
        sizes = [self.samples] * batched + [*map(str, shape)]
        comma = "," * (len(sizes) == 1)
        return f"{self.write.prefix}.broadcast_to({text}, ({', '.join(sizes)}{comma}))"

    def inner(self, places: Ints) -> Text:
        """The entries at places that vary along all axes."""
        owner = places >> BITS
        owners = np.unique(owner)
        if len(owners) == 1 and owners[0] == CONSTANTS:
            numbers = self.constant(places)
            if not places.ndim:
                return Text(self.write.number(float(numbers)), False)
            return Text(self.write.table(numbers.tolist()), False)
        if len(owners) == 1:
            a = self.arrays[owners[0]]
            entries = places - (owner << BITS)
            return Text(self.part(f"«{owners[0]}»", a.shape, entries, a.batched), a.batched)
        batched = any(self.arrays[k].batched for k in owners)
        prefix = self.write.prefix
        cuts = []
        for k in range(places.ndim):
            across = np.moveaxis(owner, k, 0).reshape(places.shape[k], -1)
            if (across == across[:, :1]).all():
                cuts.append((np.count_nonzero(np.diff(across[:, 0])), k, across[:, 0]))
        if cuts:
            _, k, along = min(cuts, key=lambda x: x[:2])
            ends = np.flatnonzero(np.diff(along)) + 1
            pieces = np.split(places, ends, axis=k)
            stacked = all(x.shape[k] == 1 for x in pieces)
            if stacked:
                pieces = [x.take(0, k) for x in pieces]
            texts = [self.exactly(x, batched).text for x in pieces]
            name, axis = ("stack", k - places.ndim) if stacked else ("concatenate", k - places.ndim)
            whole = not batched and axis == -places.ndim
            return Text(f"{prefix}.{name}([{', '.join(texts)}]{'' if whole else f', {axis}'})",
                        batched)  # fmt: skip
        flat = np.unique(places)
        text = self.inner(flat).text
        return Text(self.part(text, flat.shape, np.searchsorted(flat, places), batched), batched)

    def part(self, text: str, shape: Shape, entries: Ints, batched: bool) -> str:
        return part(text, shape, entries, batched, self.write.prefix, self.write.indices)

    # The lines, group by group.

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
        order = np.argsort(line_of_term, kind="stable")
        ends = np.searchsorted(line_of_term[order], np.arange(keys.shape[1] + 1))
        for i, k in enumerate(keys.T.tolist()):
            products = [q for q in self.found.products if of_product[id(q)] == i]
            terms = order[ends[i] : ends[i + 1]]
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

    def alike(
        self, out: Ints, places: Ints, owner: Ints
    ) -> tuple[list[Ints], tuple[Ints, Ints]]:
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
            operands, batched = [], False
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

        kind = "v" if variadic or len(out) == 1 else "h"

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
        best = None
        for index in self.layouts(out, columns):
            text = build(index)
            cost = self.cost(text.text) + self.unlike(self.primal[out[index]], out[index])
            if best is None or cost < best[0]:
                best = cost, index, text
        assert best is not None
        _, index, text = best
        self.add(out[index], text.text, text.batched, phase, kind)

    def layouts(self, out: Ints, columns: Sequence[Ints]) -> Iterator[Ints]:
        """Orders of lines, as indices in the shape of the result."""
        n = len(out)
        if n == 1:
            yield np.zeros((), dtype=int)
            return
        primal = self.primal[out]
        given = self.place[primal]
        columns = [*[given] * bool((primal >= 0).all() and (given >= 0).all()), *columns]
        columns = [c for i, c in enumerate(columns) if len(np.unique(c >> BITS)) == 1
                   and not any((c == d).all() for d in columns[:i])]  # fmt: skip
        uniques = [np.unique(c, return_inverse=True) for c in columns]
        for places, inverse in uniques:
            if len(places) == n:
                yield np.argsort(inverse.ravel()).reshape(self.grid(places))
        for i, (a, x) in enumerate(uniques):
            for j, (b, y) in enumerate(uniques):
                if i != j and 1 < len(a) < n and 1 < len(b) < n:
                    yield from self.blocks(a, x.ravel(), b, y.ravel())
        yield np.arange(n)

    def blocks(self, a: Ints, x: Ints, b: Ints, y: Ints) -> Iterator[Ints]:
        """An order of lines with operands a[x] and b[y], if these are all pairs, or blocks of all
        pairs."""
        low = np.full(len(a), len(b))
        np.minimum.at(low, x, y)
        _, block = np.unique(low[x], return_inverse=True)
        count = block.max() + 1
        number = np.lexsort((y, x, block))
        size = len(x) // count
        rows = x[number].reshape(count, -1) if len(x) == count * size else None
        if rows is None or (np.bincount(block) != size).any():
            return
        width = int((rows == rows[:, :1]).sum(axis=1)[0])
        if size % width:
            return
        index = number.reshape(count, -1, width)
        xs, ys = x[index], y[index]
        if (xs != xs[:, :, :1]).any() or (ys != ys[:, :1]).any() or (np.diff(ys) <= 0).any():
            return
        if count == 1:
            yield number.reshape(*self.grid(a), *self.grid(b))
        else:
            yield index
            yield index.swapaxes(0, 1)

    def grid(self, places: Ints) -> Shape:
        """The shape of a part of an array that holds these places, in order."""
        if len(places) == 1:
            return ()
        shape = self.arrays[places[0] >> BITS].shape
        index = np.unravel_index(places - (places >> BITS << BITS), shape)
        sizes = tuple([n for n in [len(np.unique(x)) for x in index] if n > 1])
        return sizes if prod(sizes) == len(places) else (len(places),)

    def unlike(self, primal: Ints, out: Ints | None = None) -> int:
        """How far an order of results is from the best: that of what they are gradients of."""
        if primal.ndim and (primal >= 0).all() and (self.place[primal] >= 0).all():
            return 0 if (np.diff(self.place[primal].ravel()) > 0).all() else 8
        return 0 if out is None or (np.diff(out.ravel()) > 0).all() else 2

    # Sums.

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
            for rows, columns, ks in self.pieces(left, right):
                lines = found.lines[np.ix_(rows, columns)]
                out = found.out[np.ix_(rows, columns)]
                slots = self.new(lines.size).reshape(lines.shape)
                whole = alone[np.ix_(rows, columns)] & (len(ks) == found.shape[2])
                self.primal[slots] = np.where(whole, self.primal[out], NOWHERE)
                self.product(slots, out, left[np.ix_(rows, ks)],
                             right[np.ix_(columns, ks)], phase, reduce)  # fmt: skip
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
        found = []
        for a, row in enumerate(rows):
            for b, column in enumerate(columns):
                pairs = np.stack([row, column])
                kinds, k = np.unique(pairs, axis=1, return_inverse=True)
                found += [
                    (np.flatnonzero(i.ravel() == a), np.flatnonzero(j.ravel() == b),
                     np.flatnonzero(k.ravel() == c)) for c in range(kinds.shape[1])
                ]  # fmt: skip
                if len(found) > PIECES:
                    return [tuple([np.arange(n) for n in (*map(len, (left, right)), len(left.T))])]
        return found

    def product(
        self, slots: Ints, of: Ints, left: Ints, right: Ints, phase: int, reduce: bool
    ) -> None:
        """A statement for a product of matrices, which is a part of these lines."""
        (_, first, i), (_, head, j) = [
            np.unique(x, axis=0, return_index=True, return_inverse=True) for x in (left, right)
        ]  # fmt: skip
        if len(first) < len(left) or len(head) < len(right):  # equal rows are computed once
            some = np.ix_(first, head)
            self.product(slots[some], of[some], left[first], right[head], phase, reduce)
            self.place[slots] = self.place[slots[some]][np.ix_(i.ravel(), j.ravel())]
            return
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
        self.add(best[1], best[2].text, best[2].batched, phase, "product")

    @staticmethod
    def cost(text: str) -> int:
        """How long a text is to read: a list of indices longer than it looks."""
        lists = text.count("index_") + len(re.findall(r"\[\d+, ", text))
        return len(text) + LONG * lists + 20 * text.count("einsum")

    def contracted(self, p: Ints, q: Ints, reduce: bool, inner: int = 1) -> Text:
        """Σ p·q along the last axes, `inner` of them, and over the samples if asked: `@` if it can
        be."""
        a, b = self.labels(p), self.labels(q)
        outer = LETTERS[: p.ndim - inner]
        batched = "n" in a + b and not reduce
        out = "n" * batched + "".join([x for x in outer if x in a + b])
        again = prod([n for n, x in zip(p.shape, LETTERS) if x not in a + b + outer])
        inside = "".join(sorted({*a, *b} - {*out}))
        text, atom = "", True
        if again > 1 or not inside:  # the same terms again and again
            here = tuple([slice(None) if x in a + b + outer else slice(1)
                          for x in LETTERS[: p.ndim]])  # fmt: skip
            p, q = p[here], q[here]
        if not inside:
            ends = (..., *[0] * inner)
            x, y = self.gathered(p[ends]), self.gathered(q[ends])
            text, atom = f"{x.text} * {y.text}", False
        elif len(a) != len(b) and not {*inside} & {*min(a, b, key=len)}:
            few, many, axes = (p, q, b) if len(a) < len(b) else (q, p, a)
            x = self.gathered(few[(..., *[0] * inner)])
            if {*inside} <= {*axes} and inner < 2 and (not inner or LETTERS[p.ndim - 1] in inside):
                y = self.total(many if inner else many[..., None], "n" in inside, inner)
                text, atom = f"{x.text} * {y.text}", False
        if text:
            pass
        elif ways := [way for way in (
            self.matmul(p, a, q, b, inside, out), self.matmul(q, b, p, a, inside, out)
        ) if way]:  # fmt: skip
            text, atom = min(ways, key=len), False
        elif {*a} >= {*b} or {*a} <= {*b}:
            x, y = self.gathered(p), self.gathered(q)
            many = a if {*a} >= {*b} else b
            axes = [0] * ("n" in inside) + [
                k - p.ndim for k in range(p.ndim) if LETTERS[k] in inside
            ]  # fmt: skip
            if not {*outer} <= {*many}:  # what does not vary keeps its axis
                out = out or "n"
            axis = "" if not out else str(axes[0]) if len(axes) == 1 else str(tuple(axes))
            text = f"({x.text} * {y.text}).sum({axis})"
        else:
            texts = [self.arranged(x, xs, xs) for x, xs in ((p, a), (q, b))]
            text = f'{self.write.prefix}.einsum("{a},{b}->{out}", {texts[0]}, {texts[1]})'
        return Text(f"{again} * " * (again > 1) + text, batched, atom and again == 1)

    def matmul(self, x: Ints, xs: str, y: Ints, ys: str, c: str, out: str) -> str:
        """The product x @ y over the axis c, "" where it is none; xs, ys and `out` label axes."""
        if {*c} - {*xs} or {*c} - {*ys} or not c:
            return ""
        if len(c) > 1:
            return self.matmul_of_all(x, xs, y, ys, c, out)
        common = "".join([k for k in out if k in xs and k in ys])
        own, foreign = ["".join([k for k in z if k not in common + c]) for z in (xs, ys)]
        plain = not common and len(foreign) <= 1 and "n" not in foreign and out == own + foreign
        spread = not common and len(own) == 1 and len(foreign) == 2 and foreign[0] == "n"
        spread &= own != "n" and out == "n" + own + foreign[1:]
        heads = bool(common) and len(own) == len(foreign) == 1 and out == common + own + foreign
        heads &= "n" not in own + foreign
        if not (plain or spread or heads):
            return ""
        left = self.arranged(x, xs, common + own + c)
        right = self.arranged(y, ys, common + "n" * spread + c + foreign.replace("n", ""))
        return f"{left} @ {right}" if left and right else ""

    def matmul_of_all(self, x: Ints, xs: str, y: Ints, ys: str, c: str, out: str) -> str:
        """X.T @ Y where all samples and some axes are added up: these become one axis."""
        own, foreign = ["".join([k for k in z if k not in c]) for z in (xs, ys)]
        if "n" not in c or len(own) != 1 or len(foreign) != 1 or out != own + foreign:
            return ""
        c = "n" + c.replace("n", "")
        texts = []
        for z, zs, k in ((x, xs, own), (y, ys, foreign)):
            size = z.shape[LETTERS.index(k)]
            texts.append(f"{self.arranged(z, zs, c + k)}.reshape(-1, {size})")
        return f"{texts[0]}.T @ {texts[1]}"

    def labels(self, places: Ints) -> str:
        """A letter for each axis of what stands at places."""
        owners = np.unique(places >> BITS)
        batched = any(self.arrays[k].batched for k in owners)
        return "n" * batched + "".join([LETTERS[k] for k in varying(places)])

    def arranged(self, places: Ints, labels: str, wanted: str) -> str:
        """What stands at places, with its axes in the wanted order."""
        inner = labels.replace("n", "")
        order = [inner.index(x) for x in wanted.replace("n", "")]
        text = self.inner(core(places).transpose(order)).text
        if "n" in wanted[1:]:
            return f"{text}.T" if len(wanted) == 2 else ""
        return text

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
        order = np.lexsort((q, p, kind.ravel(), line))
        line, p, q, kind = line[order], p[order], q[order], kind.ravel()[order]
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

    def merged(self, line: Ints, p: Ints, q: Ints, ready: Any) -> tuple[Ints, Ints, Ints, Any]:
        """The same terms with each that comes several times as one, where its factor is a number."""
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

    def sum(
        self, out: Ints, p: Ints, q: Ints, kind: Ints, kinds: Ints, phase: int
    ) -> None:
        """A statement for sums of the same kinds of terms, a row each."""
        ends = np.flatnonzero(np.diff(kind)) + 1
        runs = np.split(np.arange(len(kind)), ends)
        equal = [(p[:, r] == p[:, r[:1]]).all() and (q[:, r] == q[:, r[:1]]).all() for r in runs]
        times = [len(r) if same else 1 for r, same in zip(runs, equal)]
        runs = [r[:1] if same else r for r, same in zip(runs, equal)]
        ready = kinds[2][kind].astype(bool)
        one = self.number(1.0)
        if len(kind) == 1 and ready[0] and (q == one).all():  # nothing to compute
            self.place[out] = p[:, 0]
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

    def term(self, p: Ints, q: Ints, ready: bool) -> tuple[float, Text]:
        """Σ p·q along the last axis, and over the samples unless `ready`; a factor before it."""
        number = self.constant(q.ravel()[:1])[0]
        is_number = number == number and not varying(q)
        batched = [any(self.arrays[k].batched for k in np.unique(x >> BITS)) for x in (p, q)]
        over = not ready and any(batched)
        times = self.samples if not ready and not over else ""
        if not is_number:
            number = 1.0
            forms = {self.grid(x.reshape(-1, x.shape[-1])[0]) for x in (p, q)
                     if (np.diff(x.reshape(-1, x.shape[-1])[0]) > 0).all()
                     and x.ravel()[0] >> BITS != CONSTANTS}  # fmt: skip
            forms = {f for f in forms if prod(f) == p.shape[-1]}
            forms |= {p.shape[-1:] if p.shape[-1] > 1 else ()}
            ways = [
                self.contracted(p.reshape((*p.shape[:-1], *form)), q.reshape((*p.shape[:-1], *form)),
                                over, len(form)) for form in sorted(forms, key=len)
            ]  # fmt: skip
            found = min(ways, key=lambda x: self.cost(x.text))
        elif p.shape[-1] == 1:
            if self.constant(p.ravel()[:1])[0] == 1 and not varying(p):
                p, number = q, 1.0  # a plain number, without factor
            found = self.total(p, True, 0) if over else self.gathered(p[..., 0])
        else:
            found = self.total(p, over)
        if times:
            is_plain = not found.text.startswith(("«", "("))
            text = f"{times} * {found.text}"
            found = Text(f"{self.write.array}({text})" if is_plain else text, False, is_plain)
        return float(number), found

    def total(self, p: Ints, over: bool, inner: int = 1) -> Text:
        """The sum along the last axis, unless `inner` is 0, and over the samples if asked."""
        if not inner:
            return Text(f"{self.gathered(p[..., 0]).text}.sum(0)", False)
        found = self.gathered(p)
        batched = found.batched
        flat = re.fullmatch(r"(«\d+»)\.reshape\((-1|-1, \d+)\)", found.text)
        text, axes = found.text, [0] * over + [-1]
        if flat:  # of all entries
            array = self.arrays[int(flat[1].strip("«»"))]
            text, axes = flat[1], [*range(not over, len(array.shape) + 1)] if batched else [-1]
        elif text.endswith(swap := ".swapaxes(1, 2)" if batched else ".T"):
            text, axes = text.removesuffix(swap), [0] * over + [int(batched)]
        whole = p.ndim == 1 and (over or not batched)
        axis = "" if whole else str(axes[0]) if len(axes) == 1 else str(tuple(axes))
        return Text(f"{text}.sum({axis})", batched and not over)

    def signed(self, terms: Sequence[tuple[float, str, bool]]) -> str:
        """Terms with their factors as a sum: those with a minus sign last, products first."""
        terms = sorted(terms, key=lambda x: (x[0] < 0, not x[2]))
        text = ""
        for factor, term, _ in terms:
            sign = " - " if factor < 0 else " + "
            size = abs(factor)
            own = term if size == 1 else f"{self.write.number(size)} * {term}"
            text += (sign if text else sign.strip() if factor < 0 else "") + own
        return text
