"""A graph as a picture: values in green above the wires, gradients in red beneath them.

Every Value is a wire, every operation a gate in a circle; plain numbers are written into the gate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property

from microgrid.engine.errors import ParameterError
from microgrid.engine.forward import push_forward
from microgrid.engine.guards import Number
from microgrid.engine.labels import LabelError
from microgrid.engine.numeric import like
from microgrid.engine.op import TABLE, Op
from microgrid.engine.renamed import renamed
from microgrid.engine.settings import whole
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.value import Constant, Value, accumulate, edges, peek_grad, seed, topological
from microgrid.views.blocks import draw_blocks, put_boxes
from microgrid.views.digits import one_kind
from microgrid.views.dot_labels import Share, Text, end, gate, inked, small, sum_table, terms, wire
from microgrid.views.homes import NO_HOMES, Homes, put_homes
from microgrid.views.modes import Seeds, seeded
from microgrid.views.notation import NO_NAMES, called, caption
from microgrid.views.picture import Layout, Picture, wire_id
from microgrid.views.tints import PLAIN, Look, Tints
from microgrid.views.wording import (
    BLUE,
    GREEN,
    MOST_DECIMALS,
    RED,
    decimals,
    listed,
    lowered,
    plural,
    signed,
)  # fmt: skip

SHARES_UP_TO = 12  # gates; in a larger picture the numbers at the forks hide more than they show
HURRY_FROM = 120  # wires; from here on dot may take minutes to make it perfect
FIRST = {  # the mark at the end of the wire from the first of them
    "class": "first", "headlabel": "1", "labelfontname": "Arial", "labelfontsize": "8",
    "labelangle": "35", "labeldistance": "1.2",
}  # fmt: skip


@renamed(digits="decimals", engine="layout")
def draw(
    root: Value, decimals: int = 2, layout: Layout | None = None, prefix: str | None = None, *,
    level: str | None = None, share_leaves: bool = True, max_gates: int = 60,
    notes: Mapping[Value, str] = NO_NAMES,
    blank_values: Iterable[Value] = (), blank_gradients: Iterable[Value] = (),
    seeds: Seeds | None = None, color_by: str | None = None,
) -> Picture:  # fmt: skip
    """The picture of root's graph, which shows itself in a notebook; changes no node.

    Gradients appear after a backward pass; before it, the layout is the same. The small
    red numbers at a fork are the shares that its branches sent back in the last pass. `decimals` is
    how many are shown; `layout` is a program that takes the options of Graphviz's `dot`, by name or
    path, or "pygraphviz", or a function from DOT to SVG; `prefix` begins every id of the SVG, so
    that several can stand on one page. Where the two operands of a gate are not alike, as of −, a
    small 1 stands at the wire of the first. ParameterError for decimals that are no whole number
    from 0 to 17, LabelError for a prefix that no id can begin with, LayoutError for a program that
    is not there.

    `level="gates"` shows every gate, `level="blocks"` groups them (`scope` names
    the blocks), and None folds what has more than `max_gates`. With `share_leaves=False` each use
    of a leaf gets its own copy with its own share, each labelled inner node gets a box around what
    it is computed from, and a table sums up the shares; blocks always share their leaves.
    `notes` are words that some nodes have beneath their gradients, where gates are shown.
    `blank_values` and `blank_gradients` are nodes with an empty box to write into instead of the
    number: such a picture shows gates, and no share or sum that tells what is left blank.

    `seeds={x: 1}` adds the tangents of forward mode, in blue: how fast each node moves as x moves
    at the rate 1. `color_by="share"` tints and thickens each wire by its share of the result,
    |value × gradient|, beside the largest: what goes into a sum has the shares that it adds, and a
    factor has that of the product. At a fork each branch has its own part. `color_by="gradient"`
    leaves the value out: how much a wire could do, not how much it does. Both need no backward
    pass, and gates to be shown. ParameterError for other measures, and for nodes outside the graph.

    >>> x, w = Value(2.0, "x"), Value(3.0, "w")
    >>> picture = draw(w * x)
    >>> "label" in picture.source
    True
    """
    if level not in ("gates", "blocks", None):
        raise LabelError(f"level {level!r}: there are 'gates', 'blocks' and None, which chooses")
    digits = whole("decimals", decimals, 0, most=MOST_DECIMALS)
    max_gates = whole("max_gates", max_gates, 0)
    picture, order = Picture(layout, prefix), topological(root)
    numbers = Numbers(order, digits, blank_values, blank_gradients, seeds, color_by)
    blanks, asked = numbers.blank_values | numbers.blank_gradients, seeds is not None or color_by
    if blanks and level == "blocks":
        raise LabelError("level 'blocks': only a picture of gates has blanks to fill in")
    if asked and (blanks or level == "blocks"):
        said = "blanks" if blanks else "level 'blocks'"
        raise ParameterError(f"{said}: seeds and color_by need every gate with its numbers")
    gates = sum(v.op is not None for v in order)
    picture.alt = f"the graph of {lowered(root.label) or 'a result'}: {plural(gates, 'gate')}"
    folded = level is None and gates > max_gates and not (blanks or asked)
    if root.op and (level == "blocks" or folded):
        draw_blocks(picture, order, numbers.expected, digits)
    else:
        draw_gates(picture, order, numbers, share_leaves, notes)
    return picture


class Numbers:
    """What stands at each place of a picture of gates; None for a box to write into.

    Where a gradient cannot be had, because data was set since or a user's rule raises, there is a
    picture all the same.
    """

    def __init__(
        self, order: list[Value], digits: int,
        blank_values: Iterable[Value] = (), blank_gradients: Iterable[Value] = (),
        seeds: Seeds | None = None, color_by: str | None = None,
    ) -> None:  # fmt: skip
        self.order, self.digits, self.alike = order, digits, one_kind([v.data for v in order])
        self.blank_values, self.blank_gradients = {*blank_values}, {*blank_gradients}
        self.shares: dict[Value, list[Share]] = {}
        self.uses = Counter(p for v in order for p in v.parents)
        self.seeds = {} if seeds is None else seeded(order, seeds)
        self.tangents = push_forward(order, self.seeds) if self.seeds else {}
        self.tints = None if color_by is None else Tints(order, color_by, self.sent)

    def number(self, x: Number) -> str:
        return decimals(self.alike(x), self.digits)

    @cached_property
    def expected(self) -> dict[Value, Number]:
        """The gradients of a backward pass from the last node, whether it has been made or not."""
        try:
            return accumulate(self.order, seed(self.order[-1], 1))
        except Exception:
            return {}

    def value(self, v: Value) -> Text | None:
        return None if v in self.blank_values else inked(GREEN, self.number(v.data))

    def gradient(self, v: Value) -> Text | None:
        passed = self.passed(peek_grad(v), self.expected.get(v, 0))
        return None if v in self.blank_gradients else passed

    def tangent(self, v: Value) -> list[Text]:
        """The tangent, where there are seeds."""
        if not self.seeds:
            return []
        return [inked(BLUE, self.number(self.tangents.get(v, like(v, 0))))]

    def below(self, v: Value) -> list[Text | None]:
        """What stands beneath the wire of a node."""
        return [*self.tangent(v), self.gradient(v)]

    @property
    def legend(self) -> str:
        """What a reader cannot know of the colours: where tangents begin, what tints measure."""
        red = ", red: gradients" * (peek_grad(self.order[-1]) is not None)
        moves = [f"{called(v)} moves at {self.number(t)}" for v, t in self.seeds.items()]
        lines = [f"green: values, blue: tangents{red}; {listed(moves)}"] * bool(moves)
        if self.tints is not None:
            most = self.number(self.tints.top)
            lines.append(f"thick: {self.tints.formula}, at most {most}; grey: 0")
        return signed("; ".join(lines))

    def look(self, v: Value, k: int | None = None) -> Look:
        """The look of the wire that carries v, or of the branch from operand k to gate v."""
        return PLAIN if self.tints is None else self.tints.look(v, k)

    def line(self, v: Value) -> Look:
        """The look of the line between the value of v and its gradient."""
        return self.look(v)

    def share(self, v: Value, k: int) -> Text:
        """What gate v sent back to its operand k."""
        sent, expected = self.sent(v)[k]
        return self.passed(None if v.parents[k] in self.blank_gradients else sent, expected)

    def at_branch(self, v: Value, k: int) -> Text | None:
        """The number at the wire from operand k to gate v, if there is one: a share at a fork."""
        return self.share(v, k) if self.uses[v.parents[k]] > 1 else None

    def sent(self, v: Value) -> list[Share]:
        """What gate v sent back to each operand."""
        assert v.op is not None
        if v not in self.shares:
            self.shares[v], later = [(None, 0)] * len(v.parents), self.expected.get(v, 0)
            with suppress(Exception):
                locals_ = [0 if x is NO_PATH else x for _, x in edges(v, v.op)]
                grad = peek_grad(v)
                self.shares[v] = [(None if grad is None else grad * x, later * x) for x in locals_]
        return self.shares[v]

    def passed(self, gradient: Number | None, expected: Number) -> Text:
        """A gradient in red; before there is one, as much empty room."""
        words = "" if gradient is None else self.number(gradient)
        return inked(RED, words, self.number(expected))

    def sum(self, v: Value, shares: list[Share]) -> Text:
        """The shares of a leaf's copies, added up."""
        sent = [share for share, _ in shares if share is not None]
        grad = peek_grad(v)
        earlier = grad - sum(sent) if grad is not None and sent else 0
        later = terms([self.alike(share) for _, share in shares], 0, self.digits)
        return inked(RED, terms([*map(self.alike, sent)], self.alike(earlier), self.digits), later)


def draw_gates(
    picture: Picture, order: list[Value], numbers: Numbers, share_leaves: bool = True,
    notes: Mapping[Value, str] = NO_NAMES, homes: Homes = NO_HOMES,
) -> None:  # fmt: skip
    """Every gate and every wire; without `share_leaves`, a leaf of several uses is repeated.

    With `homes` there is a frame around each, or a closed box in the place of what is in it.
    """
    root, blank = order[-1], numbers.blank_values | numbers.blank_gradients
    index = {v: i for i, v in enumerate(order) if v is root or not isinstance(v, Constant)}
    uses = numbers.uses
    # The shares of the copies of each leaf that is repeated, and the copies farthest to the left.
    sums = {v: list[Share]() for v in index if not (share_leaves or v.op) and uses[v] > 1}
    leftmost = list[str]()
    with_shares = bool(sums) or sum(v.op is not None for v in order) <= SHARES_UP_TO
    firsts = {(i, 0) for v, i in index.items() if v.op and is_ordered(v.op)
              and v not in homes.boxes and all(p in index for p in v.parents)}  # fmt: skip
    if len(index) > HURRY_FROM:
        picture.attr(nslimit="1", mclimit="0.2")
    for v, i in index.items():
        if v not in sums and not homes.hides(v):
            name = v.label if v.op and v is not root else ""
            texts = numbers.value(v), *numbers.below(v)
            label = wire(name, *texts, note=notes.get(v, ""), look=numbers.line(v))
            begin = homes.boxes.get(v, "")
            put_wire(picture, str(i), v, label, numbers.look(v), homes.short(v), begin)
    for v, i in index.items():
        operands = [(k, p) for k, p in enumerate(v.parents) if p in index]
        # Where wires cross or boxes are drawn, `ordering` alone does not keep the first above.
        crossing = len(operands) == 2 and (any(uses[p] > 1 for _, p in operands) or bool(sums))
        for k, p in operands:
            tail, label, look = str(index[p]), "", numbers.look(v, k)
            if p in sums:
                tail = f"{index[p]}-{i}-{k}"
                sums[p].append(numbers.sent(v)[k])
                share = None if p in numbers.blank_gradients else numbers.share(v, k)
                texts = numbers.value(p), *numbers.tangent(p), share
                put_wire(picture, tail, p, wire("", *texts, look=look), look, p.label)
                if not any(q.op for q in v.parents):
                    leftmost.append(f"g{tail}" if p.label else f"n{tail}")
            elif with_shares and (share := numbers.at_branch(v, k)):
                label = small(share)
            port = (":nw" if k == operands[0][0] else ":sw") if crossing else ""
            edge, mark = wire_id(index[p], i, k), FIRST if (i, k) in firsts else {}
            head = homes.boxes.get(v, f"g{i}{port}")
            if v not in homes.boxes or homes.enters(v, k):
                picture._join(f"n{tail}:line:e", head, edge, label, **look.edge, **mark)
    picture._put("out", "name", end(root.label if root.op else "", "left"))
    picture._join(f"n{index[root]}:line:e", "out", "e_out", **numbers.look(root).edge)
    said = [words for words in (numbers.legend, "1: the first operand" * bool(firsts)) if words]
    if said:
        picture._caption("; ".join(said))
    put_homes(picture, homes, index, lambda v: [numbers.value(v), *numbers.below(v)])
    if not share_leaves:
        put_boxes(picture, order, index, sums)
    rows = [
        (v.label, numbers.value(v), numbers.gradient(v), numbers.sum(v, sent))
        for v, sent in sums.items()
        if v not in blank
    ]
    if rows:
        picture._put("sums", "sums", sum_table(rows))
        for i, copy in enumerate(leftmost):  # the table stands in a column of its own
            picture._join("sums", copy, f"e_sums{i}", style="invis")


def is_ordered(op: Op) -> bool:
    """Whether an operation has two operands that are not alike; of people's own, all that have."""
    ours = TABLE.get(op.name) is op
    return op.arity == 2 and not (ours and op.forward(0.25, 0.5) == op.forward(0.5, 0.25))


def put_wire(
    picture: Picture, i: str, v: Value, label: str, look: Look, name: str, box: str = ""
) -> None:
    """The wire that carries v, behind the gate that made it, its closed box, or its leaf's name."""
    named = {"label": end(name, "right", look.ground)}
    begin = {"ordering": "in", **gate(caption(v))} if v.op else named
    if v.op or v.label:
        if not box:
            picture._put(f"g{i}", "gate" if v.op else "name", **begin)
        style = {"arrowhead": "none", "weight": "10"} | look.edge
        picture._join(box or f"g{i}", f"n{i}:line:w", f"e{i}", **style)
    picture._put(f"n{i}", "wire", label)
