"""What a film of the backward pass says, marks and shows in each of its frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import Any, NamedTuple

from microgrid.engine.numeric import like
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.value import Constant, Value, edges, seed, topological
from microgrid.views.explanation import Row, explain
from microgrid.views.notation import NUMBERS, caption, write
from microgrid.views.wording import GREEN, INK, RED, decimals, lowered, signed

MOST = 8  # lines of words beneath a slide; a page shows all


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
    def few_lines(self) -> list[str]:
        """The lines that fit beneath a picture."""
        many = len(self.lines)
        some = self.lines if many <= MOST else self.lines[: MOST - 1]
        return [*some, *[f"… {many} lines in all"] * (many > MOST)]

    @property
    def ink(self) -> str:
        """The colour of the marked wires: red where a gradient flows."""
        return RED if self.phase == "backward" else INK


class Lifetime(NamedTuple):
    """A number of the picture, and the frames in which it is seen; new in the first of them."""

    place: str  # the id of a wire or a branch
    color: str
    shown: str
    first: int
    end: int

    @property
    def id(self) -> str:
        return f"{self.place}_{'r' if self.color == RED else 'g'}{self.first}"


class Storyboard:
    """The frames, and the lifetimes of their numbers: made from the rows of `explain` alone."""

    def __init__(self, root: Value, digits: int) -> None:
        self.rows, self.digits = explain(root).rows, digits
        order = topological(root)
        self.index = {v: i for i, v in enumerate(order) if v is root or not isinstance(v, Constant)}
        self.leaves = [v for v in self.index if v.op is None and v.label]
        name = lowered(root.label)
        self.title = f"The backward pass of {name}" if name else "A backward pass"
        self.frames: list[Frame] = []
        self.numbers: dict[tuple[str, str], dict[int, str]] = {}  # (place, colour): since when
        self.totals = {root: seed(root, 1)}
        self.forward()
        self.backward(root)
        self.finish(root)

    @property
    def lifetimes(self) -> list[Lifetime]:
        return [
            Lifetime(place, color, shown, first, end)
            for (place, color), numbers in self.numbers.items()
            for (first, shown), end in zip(numbers.items(), [*numbers, len(self.frames)][1:])
        ]

    def add_number(self, place: str, color: str, x: Any) -> None:
        """A number that is seen from the next frame on, in place of an earlier one."""
        self.numbers.setdefault((place, color), {})[len(self.frames)] = decimals(x, self.digits)

    def spoken(self, x: Any) -> str:
        return signed(decimals(x, self.digits))

    def words(self, v: Value) -> str:
        """The name of a node, or the gate that it comes out of and its value."""
        output = f"the output of {caption(v)} ({self.spoken(v.data)})"
        return lowered(v.label) if v.label else output

    def forward(self) -> None:
        for v, i in self.index.items():
            if v.op is None:
                self.add_number(f"n{i}", GREEN, v.data)
        given = listed(f"{lowered(v.label)} = {self.spoken(v.data)}" for v in self.leaves)
        self.frames.append(Frame("start", (f"The numbers at the leaves{given}",)))
        for v, i in self.index.items():
            if v.op is not None:
                numbers = {p: self.spoken(p.data) for p, _ in self.wires(v)}
                name = f"{lowered(v.label)} = " if v.label else ""
                formula = f"{name}{write(v, NUMBERS, numbers)} = {self.spoken(v.data)}"
                self.add_number(f"n{i}", GREEN, v.data)
                marks = f"g{i}", *[wire for _, wire in self.wires(v)]
                line = f"{caption(v)} computes {formula}"
                self.frames.append(Frame("forward", (line,), marks=marks))

    def backward(self, root: Value) -> None:
        name, one = lowered(root.label) or "the result", self.spoken(self.totals[root])
        line = f"Backward from {name}: its gradient with respect to itself is {one}"
        self.add_number(f"n{self.index[root]}", RED, self.totals[root])
        self.frames.append(Frame("seed", (line,)))
        expected = Counter(row.parent_node for row in self.rows)
        received: Counter[Value] = Counter()
        for child, group in groupby(self.rows, lambda row: row.child_node):
            rows, lines, branches = tuple(group), [], self.branches(child)
            for row, branch in zip(rows, branches, strict=True):
                v = row.parent_node
                received[v] += 1
                lines.append(self.sentence(row, received[v], expected[v]))
                self.totals[v] = row.total
                self.add_number(f"n{self.index[v]}", RED, row.total)
                self.add_number(branch, RED, row.share)
            marks = f"g{self.index[child]}", *branches
            self.frames.append(Frame("backward", tuple(lines), rows, marks))

    def sentence(self, row: Row, rank: int, among: int) -> str:
        """One += in words; at a fork with the sum so far."""
        local, upstream, share, total = map(self.spoken, row[3:7])
        role = f" is a {row.role}" if row.role else ""
        line = f"{caption(row.child_node)}{role}: local {local} × upstream {upstream}"
        line += f" = share {share} to {self.words(row.parent_node)}"
        if among == 1:
            return line
        if rank == 1:
            return f"{line}, the first of {among} shares"
        before = self.spoken(self.totals[row.parent_node])
        if rank < among:
            return f"{line}; {before} + {share} so far {total}"
        return f"{line}; {before} + {share} = {total} in all"

    def finish(self, root: Value) -> None:
        """The last frame: nodes that no path reaches get a gradient of zero."""
        before = f"∂{lowered(root.label)}/∂" if root.label else ""
        for v, i in self.index.items():
            for p, place in [(v, f"n{i}"), *self.wires(v)]:
                if (place, RED) not in self.numbers:
                    self.add_number(place, RED, like(p, 0))
        ends = [(lowered(v.label), self.totals.get(v, like(v, 0))) for v in self.leaves]
        found = listed(f"{before}{name} = {self.spoken(x)}" for name, x in ends)
        self.frames.append(Frame("done", (f"Every gradient is there{found}",)))

    def wires(self, v: Value) -> list[tuple[Value, str]]:
        """The operands of v that are no plain numbers, and the ids of the wires from them to v."""
        return [(p, self.wire(v, k)) for k, p in enumerate(v.parents) if p in self.index]

    def branches(self, v: Value) -> list[str]:
        """The ids of the wires along which v sends something back, in the order of its rows."""
        assert v.op is not None
        sent = [k for k, (_, local) in enumerate(edges(v, v.op)) if local is not NO_PATH]
        return [self.wire(v, k) for k in sent if v.parents[k] in self.index]

    def wire(self, v: Value, k: int) -> str:
        return f"e{self.index[v.parents[k]]}_{self.index[v]}_{k}"


def listed(items: Iterable[str]) -> str:
    """ ": a, b, c" for a sentence."""
    all_ = list(items)
    some = all_ if len(all_) <= 12 else [*all_[:11], f"… and {len(all_) - 11} more"]
    return f": {', '.join(some)}" if some else ""
