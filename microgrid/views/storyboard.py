"""What a film of the backward pass shows and when: frames, and the spans of its numbers."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import Any, NamedTuple

from microgrid.engine.guards import seed
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.value import Constant, Value, edges, topological, zero
from microgrid.views.dot_labels import extent
from microgrid.views.explanation import Row, explain, written
from microgrid.views.wording import GREEN, INK, RED, caption, constant, lowered, number

HIDDEN, SEEN = "visibility:hidden", "visibility:visible"
Move = tuple[str, dict[int, str]]  # a selector, and from which frame on it looks how


class Frame(NamedTuple):
    """One picture of the sequence: what is said, the rows of `explain` it shows, what is marked."""

    phase: str  # start, forward, seed, backward, done
    lines: tuple[str, ...]
    rows: tuple[Row, ...] = ()
    marks: tuple[str, ...] = ()  # ids: the gate in turn, then the wires it reads or sends along

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)

    @property
    def ink(self) -> str:
        """The colour of the marked wires: red where a gradient flows."""
        return RED if self.phase == "backward" else INK


class Span(NamedTuple):
    """A number of the picture, and the frames in which it is seen; new in the first of them."""

    place: str  # the id of a wire or a branch
    color: str
    shown: str
    first: int
    end: int


class Script:
    """What happens in which frame: made from the rows of `explain` alone."""

    def __init__(self, root: Value, digits: int) -> None:
        self.rows, self.digits = explain(root).rows, digits
        order = topological(root)
        self.index = {v: i for i, v in enumerate(order) if v is root or not isinstance(v, Constant)}
        name = lowered(root.label) if root.label else "the result"
        self.title = f"The backward pass of {name}" if root.label else "A backward pass"
        self.frames: list[Frame] = []
        self.spans: list[Span] = []
        self.forward(order)
        self.backward(root, name)
        # A span is found by its place in the picture, and its id is its rank there.
        self.spans.sort(key=lambda s: (s.place, s.first))

    def number(self, x: Any) -> str:
        return signed(number(x, self.digits))

    def words(self, v: Value) -> str:
        """The name of a node, or the gate that it comes out of and its value."""
        return (
            lowered(v.label) if v.label else f"the output of {caption(v)} ({self.number(v.data)})"
        )

    def forward(self, order: list[Value]) -> None:
        leaves = [v for v in order if v.op is None and v.label and not isinstance(v, Constant)]
        given = self.listed(f"{lowered(v.label)} = {self.number(v.data)}" for v in leaves)
        self.frames.append(Frame("start", (f"The numbers at the leaves{given}",)))
        for v in order:
            if v.op is not None:
                told = f"{caption(v)} computes {lowered(v.label)} = {self.formula(v)}".replace(
                    "  = ", " "
                )
                said = (f"{told} = {self.number(v.data)}",)
                self.frames.append(Frame("forward", said, marks=self.marks(v)))
            if v in self.index:
                self.see(f"n{self.index[v]}", GREEN, v.data, len(self.frames) - 1 if v.op else 0)

    def formula(self, v: Value) -> str:
        """The operation with its operands' numbers: 0.37 + 1."""
        assert v.op is not None
        infix = "{}" in v.op.text
        shown = {
            p: constant(p.data) if isinstance(p, Constant) else self.number(p.data)
            for p in v.parents
        }
        if infix:
            shown = {p: f"({x})" if x.startswith("−") else x for p, x in shown.items()}
            return written(v, shown).replace(" * ", " × ").replace(" - ", " − ").replace("-", "−")
        return written(v, shown)

    def backward(self, root: Value, name: str) -> None:
        self.totals: dict[Value, Any] = {root: seed(root, 1)}
        self.stages = {root: [(len(self.frames), self.totals[root])]}
        sent: dict[str, tuple[int, Any]] = {}
        expected = Counter(row.parent_node for row in self.rows)
        received: Counter[Value] = Counter()
        one = self.number(self.totals[root])
        line = f"Backward from {name}: its gradient with respect to itself is {one}"
        self.frames.append(Frame("seed", (line,)))
        for child, group in groupby(self.rows, lambda row: row.child_node):
            rows, lines, k = tuple(group), [], len(self.frames)
            for row, branch in zip(rows, self.branches(child), strict=True):
                received[row.parent_node] += 1
                rank = received[row.parent_node], expected[row.parent_node]
                lines.append(self.told(row, *rank))
                self.totals[row.parent_node] = row.total
                self.stages.setdefault(row.parent_node, []).append((k, row.total))
                sent[branch] = k, row.share
            marks = (f"g{self.index[child]}", *self.branches(child))
            self.frames.append(Frame("backward", tuple(lines), rows, marks))
        self.finish(root, sent)

    def told(self, row: Row, rank: int, among: int) -> str:
        """One += in words; at a fork with the sum so far."""
        numbers = [self.number(x) for x in (row.local, row.upstream, row.share)]
        role = f" is a {row.role}" if row.role else ""
        line = "{}{}: local {} × upstream {} = share {} to {}".format(
            caption(row.child_node), role, *numbers, self.words(row.parent_node)
        )
        if among == 1:
            return line
        if rank == 1:
            return f"{line}, the first of {among} shares"
        before, share, total = map(
            self.number, (self.totals[row.parent_node], row.share, row.total)
        )
        if rank < among:
            return f"{line}; {before} + {share} so far {total}"
        return f"{line}; {before} + {share} = {total} in all"

    def finish(self, root: Value, sent: dict[str, tuple[int, Any]]) -> None:
        """The last frame, in which also those have a gradient that no path reaches: zero."""
        last = len(self.frames)
        leaves = [v for v in self.index if v.op is None and v.label]
        before = f"∂{lowered(root.label)}/∂" if root.label else ""
        found = self.listed(
            f"{before}{lowered(v.label)} = {self.number(self.totals.get(v, zero(v)))}"
            for v in leaves
        )
        self.frames.append(Frame("done", (f"Every gradient is there{found}",)))
        self.widest: dict[int, Any] = {}
        for v, i in self.index.items():
            stages = dict(self.stages.get(v, [(last, zero(v))]))  # of one frame the last holds
            ends = [*list(stages)[1:], last + 1]
            for (first, total), end in zip(stages.items(), ends, strict=True):
                self.see(f"n{i}", RED, total, first, end)
            self.widest[i] = max(stages.values(), key=lambda x: extent(number(x, self.digits)))
            for k, p in enumerate(v.parents):
                if p in self.index:
                    branch = f"e{self.index[p]}_{i}_{k}"
                    first, share = sent.get(branch, (last, zero(p)))
                    self.see(branch, RED, share, first)
        self.spans = [s._replace(end=last + 1) if s.end < 0 else s for s in self.spans]

    def see(self, place: str, color: str, x: Any, first: int, end: int = -1) -> None:
        self.spans.append(Span(place, color, number(x, self.digits), first, end))

    def branches(self, v: Value) -> list[str]:
        """The ids of the wires along which v sends something back, in the order of its rows."""
        assert v.op is not None
        return [
            f"e{self.index[p]}_{self.index[v]}_{k}"
            for k, (p, local) in enumerate(edges(v, v.op))
            if local is not NO_PATH and not isinstance(p, Constant)
        ]

    def marks(self, v: Value) -> tuple[str, ...]:
        """Gate and wires while v is computed."""
        i = self.index[v]
        read = [f"e{self.index[p]}_{i}_{k}" for k, p in enumerate(v.parents) if p in self.index]
        return (f"g{i}", *read)

    def listed(self, items: Iterable[str]) -> str:
        """ ": a, b, c" for a sentence."""
        all_ = list(items)
        some = all_ if len(all_) <= 12 else [*all_[:11], f"… and {len(all_) - 11} more"]
        return f": {', '.join(some)}" if some else ""


# Words


def signed(shown: str) -> str:
    """A number with a real minus sign, which screen readers speak."""
    return shown.replace("-", "−")


def clean(words: str) -> str:
    """Words without the characters that XML forbids."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\ufffd", words)


def escaped(words: str) -> str:
    return html.escape(clean(words))
