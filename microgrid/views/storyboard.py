"""What a film of a pass, backward or forward, says, marks and shows in each of its frames."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, repeat
from typing import Any, NamedTuple

from microgrid.engine.numeric import like
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.value import Constant, Value, edges, seed, topological
from microgrid.views.digits import Shown, balanced
from microgrid.views.explanation import explain
from microgrid.views.modes import Seeds, seeded
from microgrid.views.notation import NUMBERS, called, caption, write
from microgrid.views.picture import wire_id
from microgrid.views.rows import ForwardRow, Pass, Row
from microgrid.views.rule import LocalRule
from microgrid.views.wording import BLUE, GREEN, INK, RED, decimals, listed, lowered, signed

MOST = 8  # lines of words beneath a slide; a page shows all
KINDS = {GREEN: "g", RED: "r", BLUE: "t"}  # the numbers of a place, in their ids


class Frame(NamedTuple):
    """One picture of the sequence: what is said, the rows of `explain` it shows, what is marked."""

    phase: str  # start, forward, seed, backward, done
    lines: tuple[str, ...]
    rows: tuple[Any, ...] = ()
    marks: tuple[str, ...] = ()  # ids: the gate in turn, then all pieces of its operands' wires
    ink: str = INK  # of the marked wires: red where gradients flow, blue where tangents do

    @property
    def branches(self) -> list[str]:
        """Of the marked pieces of wires the last ones, which end in the gate in turn."""
        return [mark for mark in self.marks if "_" in mark]

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)

    @property
    def few_lines(self) -> list[str]:
        """The lines that fit beneath a picture."""
        many = len(self.lines)
        some = self.lines if many <= MOST else self.lines[: MOST - 1]
        return [*some, *[f"… {many} lines in all"] * (many > MOST)]


class Lifetime(NamedTuple):
    """A number of the picture, and the frames in which it is seen; new in the first of them."""

    place: str  # the id of a wire or a branch
    color: str
    shown: str
    first: int
    end: int

    @property
    def id(self) -> str:
        return f"{self.place}_{KINDS[self.color]}{self.first}"


class Storyboard:
    """The frames, and the lifetimes of their numbers: made from the rows of `explain` alone."""

    mode: str
    title: str
    word: str  # what stands beneath the wires
    color: str  # and its colour
    head: tuple[str, ...]  # of the table of all rows
    rows: Sequence[Any]  # of `explain`
    ruled: Sequence[tuple[Any, Any]]  # each with its rule

    def __init__(self, root: Value, digits: int) -> None:
        self.root, self.digits, self.order = root, digits, topological(root)
        shown = [(v, i) for i, v in enumerate(self.order) if not isinstance(v, Constant)]
        self.index = dict(shown or [(root, 0)])
        self.leaves = [v for v in self.index if v.op is None and v.label]
        self.name = lowered(root.label)
        self.frames: list[Frame] = []
        self.numbers: dict[tuple[str, str], dict[int, str]] = {}  # (place, colour): since when
        self.totals: dict[Value, Any] = {}  # gradients or tangents so far
        self.received: Counter[Value] = Counter()
        self.sentences: dict[int, str] = {}  # by the ids of rows

    def tell(self, rows: Sequence[Any]) -> None:
        """The rows of the pass, each with its rule."""
        self.rows, self.told = rows, Pass(rows)
        self.kind = self.told.kind
        self.ruled = [*zip(rows, self.rules(), strict=True)]

    def rules(self) -> Iterable[LocalRule | None]:
        """The rule of each row."""
        return self.told.rules()

    def cells(self) -> list[tuple[str, ...]]:
        """The rows in words and numbers, beneath `head`."""
        raise NotImplementedError

    def sentence(self, row: Any, rule: LocalRule) -> str:
        """One += in words."""
        raise NotImplementedError

    def said(self, row: Any, rule: LocalRule) -> str:
        """The sentence of a row, which is made once."""
        if id(row) not in self.sentences:
            self.sentences[id(row)] = self.sentence(row, rule)
        return self.sentences[id(row)]

    @property
    def lifetimes(self) -> list[Lifetime]:
        return [
            Lifetime(place, color, shown, first, end)
            for (place, color), numbers in self.numbers.items()
            for (first, shown), end in zip(numbers.items(), [*numbers, len(self.frames)][1:])
        ]

    def add_number(self, place: str, color: str, x: Any) -> None:
        """A number that is seen from the next frame on, in place of an earlier one."""
        self.numbers.setdefault((place, color), {})[len(self.frames)] = self.spoken(x)

    def spoken(self, x: Any) -> str:
        return signed(decimals(self.kind(x), self.digits))

    def balanced(self, compute: Callable[..., Any], numbers: Iterable[Any], result: Any) -> Shown:
        """An equation in the numbers of this film."""
        return balanced(compute, [*map(self.kind, numbers)], self.kind(result), self.digits)

    def four(self) -> list[tuple[str, ...]]:
        """The numbers of each row, right as they stand in a table."""
        return [tuple(map(signed, row)) for row in self.told.numbers(self.digits, decimals)]

    def words(self, v: Value) -> str:
        """The name of a node, or the gate that it comes out of and its value."""
        return called(v) if v.label else f"{called(v)} ({self.spoken(v.data)})"

    def start(self) -> None:
        """The first frame: the leaves have their numbers."""
        for v, i in self.index.items():
            if v.op is None:
                self.add_number(f"n{i}", GREEN, v.data)
        numbers = [f"{lowered(v.label)} = {self.spoken(v.data)}" for v in self.leaves]
        self.frames.append(Frame("start", (f"The numbers at the leaves{listed(numbers, ': ')}",)))

    def compute(self, v: Value) -> str:
        """What gate v computes, in words; its value is seen from the next frame on."""
        self.add_number(f"n{self.index[v]}", GREEN, v.data)
        return f"{caption(v)} computes {self.formula(v)}"

    def formula(self, v: Value) -> str:
        """What gate v computes, in numbers."""
        assert v.op is not None
        wires, forward = [*dict.fromkeys([p for p, _ in self.wires(v)])], v.op.forward

        def compute(*xs: Any) -> Any:
            known = dict(zip(wires, xs))
            return forward(*[known.get(p, p.data) for p in v.parents])

        shown = self.balanced(compute, [p.data for p in wires], v.data)
        name = f"{lowered(v.label)} = " if v.label else ""
        text = write(v, NUMBERS, dict(zip(wires, shown.numbers)))
        return f"{name}{text} {shown.sign} {shown.result}"

    def add(self, v: Value, row: Any, among: int) -> str:
        """What is to say of the sum when v receives the share of a row, one among several."""
        self.received[v] += 1
        before, self.totals[v] = self.totals.get(v), row.total
        if before is None:
            return f", the first of {among} shares" * (among > 1)
        (so_far, share), sign, total = self.balanced(operator.add, (before, row.share), row.total)
        more = f"({share})" if share.startswith("−") else share
        end = "in all" if self.received[v] == among else "so far"
        return f"; {so_far} + {more} {sign} {total} {end}"

    def product(self, row: Any, rule: LocalRule, of: str) -> str:
        """The rule of the local gradient, and the product that is the share of a row."""
        (local, other), sign, share = self.balanced(operator.mul, row[3:5], row.share)
        product = f"local {local} × {of.format(other)} {sign} share {share}"
        return f"{rule.text(self.digits)}; {product}"

    def wires(self, v: Value) -> list[tuple[Value, str]]:
        """The operands of v that are no plain numbers, and the ids of the wires from them to v."""
        return [(p, self.wire(v, k)) for k, p in enumerate(v.parents) if p in self.index]

    def paths(self, v: Value) -> list[tuple[Value, str]]:
        """Those wires along which a derivative travels, in the order of the rows of v."""
        assert v.op is not None
        kept = [k for k, (_, local) in enumerate(edges(v, v.op)) if local is not NO_PATH]
        return [(v.parents[k], self.wire(v, k)) for k in kept if v.parents[k] in self.index]

    def wire(self, v: Value, k: int) -> str:
        return wire_id(self.index[v.parents[k]], self.index[v], k)

    def marks(self, v: Value, wires: Iterable[tuple[Value, str]]) -> tuple[str, ...]:
        """Gate v and the wires of some operands, whole: from the gate back to where each begins."""
        ids = [f"g{self.index[v]}"]
        for p, branch in wires:
            i = self.index[p]
            ids += [branch, f"n{i}", *[f"e{i}"] * bool(p.op or p.label)]
        return tuple(dict.fromkeys(ids))


class BackwardStory(Storyboard):
    """The values gate by gate, then the gradients, gate by gate back again."""

    mode, word, color = "backward", "gradient", RED
    head = ("gate", "role", "to", "rule", "local", "upstream", "share", "total so far")

    def __init__(self, root: Value, digits: int) -> None:
        super().__init__(root, digits)
        self.tell(explain(root).rows)
        self.title = f"The backward pass of {self.name}" if self.name else "A backward pass"
        self.totals[root] = seed(root, 1)
        self.start()
        self.forward()
        self.backward()
        self.finish()

    def cells(self) -> list[tuple[str, ...]]:
        return [
            (caption(r.child_node), r.role, self.words(r.parent_node), rule.symbols(), *four)
            for (r, rule), four in zip(self.ruled, self.four())
        ]

    def forward(self) -> None:
        for v in self.index:
            if v.op is not None:
                frame = Frame("forward", (self.compute(v),), marks=self.marks(v, self.wires(v)))
                self.frames.append(frame)

    def backward(self) -> None:
        name, one = self.name or "the result", self.spoken(self.totals[self.root])
        line = f"Backward from {name}: its gradient with respect to itself is {one}"
        self.add_number(f"n{self.index[self.root]}", RED, self.totals[self.root])
        self.frames.append(Frame("seed", (line,)))
        expected = Counter(row.parent_node for row in self.rows)
        for child, group in groupby(self.ruled, lambda pair: pair[0].child_node):
            ruled, lines, paths = [*group], [], self.paths(child)
            for (row, rule), (_, branch) in zip(ruled, paths, strict=True):
                v = row.parent_node
                lines.append(self.said(row, rule) + self.add(v, row, expected[v]))
                self.add_number(f"n{self.index[v]}", RED, row.total)
                self.add_number(branch, RED, row.share)
            rows = tuple([row for row, _ in ruled])
            frame = Frame("backward", tuple(lines), rows, self.marks(child, paths), RED)
            self.frames.append(frame)

    def sentence(self, row: Row, rule: LocalRule) -> str:
        """One += in words."""
        role = f" is a {row.role}" if row.role else ""
        shares = self.product(row, rule, "upstream {}")
        return f"{caption(row.child_node)}{role}: {shares} to {self.words(row.parent_node)}"

    def finish(self) -> None:
        """The last frame: nodes that no path reaches get a gradient of zero."""
        before = f"∂{self.name}/∂" if self.name else ""
        for v, i in self.index.items():
            for p, place in [(v, f"n{i}"), *self.wires(v)]:
                if (place, RED) not in self.numbers:
                    self.add_number(place, RED, like(p, 0))
        ends = [(lowered(v.label), self.totals.get(v, like(v, 0))) for v in self.leaves]
        found = [f"{before}{name} = {self.spoken(x)}" for name, x in ends]
        self.frames.append(Frame("done", (f"Every gradient is there{listed(found, ': ')}",)))


class QuietStory(BackwardStory):
    """A backward pass that is told in one frame alone: all its numbers, while they move."""

    def __init__(self, root: Value, digits: int, frame: int) -> None:
        self.frame = frame
        super().__init__(root, digits)

    @property
    def speaks(self) -> bool:
        """Whether the next frame has words."""
        return len(self.frames) == self.frame

    def rules(self) -> Iterable[None]:
        return repeat(None, len(self.rows))  # one is made where the frame has words

    def formula(self, v: Value) -> str:
        return super().formula(v) if self.speaks else ""

    def sentence(self, row: Row, rule: Any) -> str:
        return super().sentence(row, self.told.rule(row)) if self.speaks else ""

    def add(self, v: Value, row: Row, among: int) -> str:
        if self.speaks:
            return super().add(v, row, among)
        self.received[v] += 1
        self.totals[v] = row.total
        return ""


class ForwardStory(Storyboard):
    """The values gate by gate, and each value's tangent with it: one pass."""

    mode, word, color = "forward", "tangent", BLUE
    head = ("gate", "computes", "from", "rule", "local", "tangent", "share", "total so far")

    def __init__(self, root: Value, digits: int, seeds: Seeds | None) -> None:
        super().__init__(root, digits)
        self.tell(explain(root, mode="forward", seeds=seeds).rows)
        self.seeds = seeded(self.order, seeds)
        self.totals |= self.seeds
        names = [self.words(v) for v in self.seeds]
        moving = f"{', '.join(names[:3])}{', …' * (len(names) > 3)}"
        of = f" of {self.name}" if self.name else ""
        self.title = f"Forward mode{of}: {moving} move{'s' * (len(names) == 1)}"
        self.start()
        self.begin()
        self.forward()
        self.finish()

    def cells(self) -> list[tuple[str, ...]]:
        return [
            (caption(r.child_node), self.formula(r.child_node), self.words(r.parent_node),
             rule.symbols(), *four)
            for (r, rule), four in zip(self.ruled, self.four())
        ]  # fmt: skip

    def begin(self) -> None:
        """The frame of the seeds: a leaf that has none does not move."""
        for v, i in self.index.items():
            if v.op is None:
                self.add_number(f"n{i}", BLUE, self.tangent(v))
        given = listed(f"{self.words(v)} = {self.spoken(t)}" for v, t in self.seeds.items())
        others = any(v.op is None and v not in self.seeds for v in self.index)
        line = f"The tangents to begin with: {given}{'; no other leaf moves' * others}"
        self.frames.append(Frame("seed", (line,)))

    def forward(self) -> None:
        ruled = {v: [*pairs] for v, pairs in groupby(self.ruled, lambda pair: pair[0].child_node)}
        for v, i in self.index.items():
            if v.op is None:
                continue
            rows = tuple([row for row, _ in ruled.get(v, ())])
            moving = [(p, wire) for p, wire in self.paths(v) if p in self.totals and rows]
            lines = [self.compute(v)]
            for (row, rule), (_, wire) in zip(ruled.get(v, ()), moving, strict=True):
                lines.append(self.said(row, rule) + self.add(v, row, len(rows)))
                if len(rows) > 1:
                    self.add_number(wire, BLUE, row.share)
            if not rows:
                lines.append(f"its tangent is {self.spoken(self.tangent(v))}: no operand moves")
            self.add_number(f"n{i}", BLUE, self.tangent(v))
            marks = self.marks(v, moving or self.wires(v))
            self.frames.append(Frame("forward", tuple(lines), rows, marks, BLUE if rows else INK))

    def sentence(self, row: ForwardRow, rule: LocalRule) -> str:
        """One += in words."""
        of = f"tangent {{}} of {self.words(row.parent_node)}"
        return f"its tangent: {self.product(row, rule, of)}"

    def tangent(self, v: Value) -> Any:
        return self.totals.get(v, like(v, 0))

    def finish(self) -> None:
        """The last frame; of one leaf that moves by 1 the tangent is the derivative."""
        (v, rate), *others = self.seeds.items()
        named = bool(self.name and v.label) and v is not self.root
        slope = f"∂{self.name}/∂{lowered(v.label)} = " * (named and rate == 1 and not others)
        end = f"{slope}{self.spoken(self.tangent(self.root))}"
        more = "; each other leaf takes a pass of its own" * (slope != "" and len(self.leaves) > 1)
        line = f"The tangent of {self.name or 'the result'} is {end}{more}"
        self.frames.append(Frame("done", (line,)))
