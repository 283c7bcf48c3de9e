"""A graph as a picture: values in green above the wires, gradients in red beneath them.

Every Value is a wire, every operation a gate in a circle; plain numbers are written into the gate.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from microgrid.engine.guards import Number
from microgrid.engine.labels import LabelError
from microgrid.engine.slopes import NO_PATH
from microgrid.engine.value import Constant, Value, accumulate, edges, seed, topological
from microgrid.views.blocks import draw_blocks, put_boxes
from microgrid.views.dot_labels import NOWHERE, Share, end, gate, small, sum_table, wire
from microgrid.views.picture import Picture
from microgrid.views.wording import caption

SHARES_UP_TO = 12  # gates; in a larger picture the numbers at the forks hide more than they show
HURRY_FROM = 120  # wires; from here on dot may take minutes to make it perfect
NO_NOTES: Mapping[Value, str] = MappingProxyType({})


def draw(
    root: Value, digits: int = 2, engine: str | None = None, prefix: str = "", *,
    level: str | None = None, share_leaves: bool = True, max_gates: int = 60,
    notes: Mapping[Value, str] = NO_NOTES,
    blank_values: Iterable[Value] = (), blank_gradients: Iterable[Value] = (),
) -> Picture:  # fmt: skip
    """The picture of root's graph, which shows itself in a notebook; changes no node.

    Gradients appear once a backward pass has come by; before, the layout is the same. The small
    red numbers at a fork are the shares that its branches sent back in the last pass. `digits` are
    the decimals shown; `engine` is a layout program (see `lay_out`); `prefix` begins every id of
    the SVG, so that several can stand on one page.

    `level="gates"` shows every gate, `level="blocks"` folds them (see `blocks.fold`: `scope` names
    the blocks), and None folds what has more than `max_gates`. With `share_leaves=False` each use
    of a leaf gets its own copy with its own share, each labelled inner node a box around what it
    is computed from, and a table sums up the shares; blocks share their leaves in any case.
    `notes` are words that some nodes have beneath their gradients, where gates are shown.
    `blank_values` and `blank_gradients` are nodes with an empty box to write into instead of the
    number: such a picture shows gates, and no share or sum that tells what is left blank.
    """
    if not re.fullmatch(r"[\w-]*", prefix, re.ASCII):
        raise LabelError(f"prefix {prefix!r}: ids are made of letters, digits, - and _")
    if level not in ("gates", "blocks", None):
        raise LabelError(f"level {level!r}: there are 'gates', 'blocks' and None, which chooses")
    blanks = Blanks(frozenset(blank_values), frozenset(blank_gradients))
    if any(blanks) and level == "blocks":
        raise LabelError("level 'blocks': only a picture of gates has blanks to fill in")
    picture = Picture(engine, prefix)
    order = topological(root)
    gates = sum(v.op is not None for v in order)
    folded = level == "blocks" or (level is None and gates > max_gates and not any(blanks))
    if root.op and folded:
        draw_blocks(picture, order, foreseen(order), digits)
    else:
        draw_gates(picture, order, share_leaves, digits, notes, blanks)
    return picture


class Blanks(NamedTuple):
    """The nodes whose value or gradient is an empty box."""

    values: frozenset[Value] = frozenset()
    gradients: frozenset[Value] = frozenset()


NO_BLANKS = Blanks()


def draw_gates(
    picture: Picture, order: list[Value], share_leaves: bool, digits: int,
    notes: Mapping[Value, str] = NO_NOTES, blanks: Blanks = NO_BLANKS,
) -> None:  # fmt: skip
    """Every gate and every wire; without `share_leaves`, a leaf of several uses is repeated."""
    root, expected = order[-1], foreseen(order)
    index = {v: i for i, v in enumerate(order) if v is root or not isinstance(v, Constant)}
    uses = Counter(p for v in order for p in v.parents)
    repeated = [v for v in index if not (share_leaves or v.op) and uses[v] > 1]
    sums: dict[Value, list[Share]] = {v: [] for v in repeated}  # of the copies
    leftmost: list[str] = []
    branches = shares(order, expected, uses, len(order) if sums else SHARES_UP_TO)
    if len(index) > HURRY_FROM:
        picture.attr(nslimit="1", mclimit="0.2")
    for v, i in index.items():
        if v not in sums:
            sent = v._grad, expected.get(v, 0)
            put_wire(picture, str(i), v, sent, digits, v is root, notes.get(v, ""), blanks)
    for v, i in index.items():
        operands = [(k, p) for k, p in enumerate(v.parents) if p in index]
        # Where wires cross or boxes are drawn, `ordering` alone does not keep the first above.
        crossing = len(operands) == 2 and (any(uses[p] > 1 for _, p in operands) or bool(sums))
        for k, p in operands:
            share = branches.get((v, k))
            if share and p in blanks.gradients:
                share = None, share[1]
            tail = str(index[p])
            if p in sums:
                tail, sent = f"{index[p]}-{i}-{k}", share or (None, 0)
                put_wire(picture, tail, p, sent, digits, blanks=blanks)
                sums[p].append(sent)
                if not any(q.op for q in v.parents):
                    leftmost.append(f"g{tail}" if p.label else f"n{tail}")
            label = small(*share, digits) if share and p not in sums else ""
            port = (":nw" if k == operands[0][0] else ":sw") if crossing else ""
            picture.join(f"n{tail}:line:e", f"g{i}{port}", f"e{index[p]}_{i}_{k}", label)
    picture.put("out", "name", end(root.label if root.op else "", "left") or NOWHERE)
    picture.join(f"n{index[root]}:line:e", "out", "e_out")
    if not share_leaves:
        put_boxes(picture, order, index, sums)
    sums = {v: sent for v, sent in sums.items() if v not in blanks.values | blanks.gradients}
    if sums:
        picture.put("sums", "sums", sum_table(sums, expected, digits))
        for i, copy in enumerate(leftmost):  # the table stands in a column of its own
            picture.join("sums", copy, f"e_sums{i}", style="invis")


def put_wire(
    picture: Picture, i: str, v: Value, gradient: Share, digits: int, last: bool = False,
    note: str = "", blanks: Blanks = NO_BLANKS,
) -> None:  # fmt: skip
    """The wire that carries v, behind the gate that made it or the name of a leaf."""
    begin = {"ordering": "in", **gate(caption(v))} if v.op else {"label": end(v.label, "right")}
    if v.op or v.label:
        picture.put(f"g{i}", "gate" if v.op else "name", **begin)
        picture.join(f"g{i}", f"n{i}:line:w", f"e{i}", arrowhead="none", weight="10")
    name = v.label if v.op and not last else ""
    boxes = v in blanks.values, v in blanks.gradients
    picture.put(f"n{i}", "wire", wire(name, v.data, *gradient, digits, note, boxes))


# The numbers of the backward pass. Where they cannot be had, because data was set since or a user's
# rule raises, there is a picture all the same.

Branch = tuple[Value, int]  # a gate and which of its operands


def foreseen(order: list[Value]) -> dict[Value, Number]:
    """The gradients of a backward pass from the last node, whether it has been made or not."""
    try:
        return accumulate(order, seed(order[-1], 1))
    except Exception:
        return {}


def shares(
    order: list[Value], expected: dict[Value, Number], uses: Counter[Value], most: int
) -> dict[Branch, Share]:
    """What each branch of a fork sent back, in a graph of at most so many gates."""
    found: dict[Branch, Share] = {}
    gates = [(v, v.op) for v in order if v.op]
    for v, op in gates if len(gates) <= most else []:
        try:
            locals_ = [0 if local is NO_PATH else local for _, local in edges(v, op)]
            sent = [None if v._grad is None else v._grad * local for local in locals_]
            later = [expected.get(v, 0) * local for local in locals_]
        except Exception:
            continue
        for k, p in enumerate(v.parents):
            if uses[p] > 1:
                found[v, k] = sent[k], later[k]
    return found
