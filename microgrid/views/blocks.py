"""Large graphs in a few boxes: which gates make up a block, and what a block and its wires show."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Container
from graphlib import CycleError, TopologicalSorter
from itertools import accumulate, pairwise
from math import isqrt
from typing import NamedTuple

from microgrid.engine.guards import Number
from microgrid.engine.labels import scope_of
from microgrid.engine.numeric import largest
from microgrid.engine.value import Constant, Value, peek_grad
from microgrid.views.dot_labels import EDGE, PALE, end, extent, inked, name_html, table, text, wire
from microgrid.views.labels import split
from microgrid.views.picture import Picture
from microgrid.views.wording import GREEN, RED, decimals, plural, signed, unique

MOST_BLOCKS = 40  # more boxes than that say no more than gates do
MOST_BANDS = 5
MOST_NUMBERS = 4  # of a bundle of wires
MOST_NAMES = 4  # of leaves that go into one block as wires of their own


class Block(NamedTuple):
    """What a block is known by; `turn` tells blocks of one name apart."""

    name: str
    turn: int = 0


Blocks = dict[Value, Block]  # every gate's block


# Which gates make up a block. In each way of grouping, no wire leaves a block and comes back.


def group_gates(order: list[Value]) -> tuple[Blocks, str]:
    """Each gate's block, and the way of grouping: the first that gives 2 to 40 blocks.

    1. One block for each scope, the outermost that tells gates apart.
    2. One for each labelled inner node and the gates that lead to it alone.
    3. Bands of depth, cut where few wires cross.
    """
    for way, found in (("", by_scope), (" by labelled node", by_label)):
        blocks = found(order)
        if 2 <= len(set(blocks.values())) <= MOST_BLOCKS:
            return blocks, way
    return by_depth(order), " by depth"


def by_scope(order: list[Value]) -> Blocks:
    """The gates of one outermost scope are a block; a scope that all of them share is left out.

    Where wires leave scopes and come back, as in "cell", "output", "cell" again, these scopes
    become several blocks, by the number of times that wires changed the scope on the way.
    """
    scopes = {v: scope_of(v) for v in order if v.op}
    depth = 0
    while len(outer := {scope[depth : depth + 1] for scope in scopes.values()}) == 1:
        if outer == {()}:
            return {}
        depth += 1
    names = {v: "".join(scope[depth : depth + 1]) or "other gates" for v, scope in scopes.items()}
    if len(set(names.values())) > MOST_BLOCKS:
        return {}
    turn: dict[Value, int] = {}
    for v, name in names.items():
        turn[v] = max((turn[p] + (names[p] != name) for p in v.parents if p.op), default=0)
    returning: set[str] = set()
    while True:
        blocks = {v: Block(s, turn[v] if s in returning else 0) for v, s in names.items()}
        try:
            TopologicalSorter(wires_between(blocks)).prepare()
            return blocks
        except CycleError as error:
            returning |= {block.name for block in error.args[1]}


def wires_between(blocks: Blocks) -> dict[Block, set[Block]]:
    """The blocks whose values each block uses."""
    sources: dict[Block, set[Block]] = {block: set() for block in blocks.values()}
    for v, block in blocks.items():
        sources[block] |= {blocks[p] for p in v.parents if p.op} - {block}
    return sources


def by_label(order: list[Value]) -> Blocks:
    """A labelled node is a block with the gates from which every way leads into that block.

    So a block has one output. A gate that two blocks use begins a block without a label.
    """
    blocks: Blocks = {}
    into: dict[Value, Block | None] = {}  # the block of all children so far; None: of several
    for i, v in reversed(list(enumerate(order))):
        if v.op:
            only = into.get(v)
            block = blocks[v] = only if only and not v.label else Block(v.label, i)
            for p in v.parents:
                into[p] = block if into.setdefault(p, block) == block else None
    named_inside = any(block.name for v, block in blocks.items() if v is not order[-1])
    return {v: blocks[v] for v in order if v.op} if named_inside else {}


def by_depth(order: list[Value]) -> Blocks:
    """Bands of about as many gates each, whose borders shift to where the fewest wires cross.

    The depth of a gate is the largest number of gates on the way from a leaf to it.
    """
    depth: dict[Value, int] = {}
    last: dict[Value, int] = {}  # the depth of the last gate that uses a value
    for v in order:
        if v.op:
            depth[v] = 1 + max((depth[p] for p in v.parents if p.op), default=0)
            last |= {p: max(depth[v], last.get(p, 0)) for p in v.parents if p.op}
    deepest, gates = max(depth.values()), Counter(depth.values())
    change = Counter(depth[v] for v in last)
    change.subtract(last.values())
    # Gates above, and wires that cross, the lower border of each depth.
    above, crossing = ([*accumulate(x[d] for d in range(deepest))] for x in (gates, change))
    band = len(depth) / min(MOST_BANDS, isqrt(len(depth)))
    borders: dict[int, list[tuple[int, float, int]]] = {}  # those around each ideal one
    for d in range(1, deepest):
        ideal = round(above[d] / band)
        if 0 < ideal < len(depth) / band:
            cost = crossing[d], abs(above[d] - ideal * band), d
            borders.setdefault(ideal, []).append(cost)
    cuts = [0, *[min(around)[-1] for _, around in sorted(borders.items())], deepest]
    names = [f"depth {a + 1}–{b}" if a + 1 < b else f"depth {b}" for a, b in pairwise(cuts)]
    return {v: Block(names[i := bisect_left(cuts, d) - 1], cuts[i]) for v, d in depth.items()}


# What the blocks and the wires between them show.


def draw_blocks(
    picture: Picture, order: list[Value], expected: dict[Value, Number], digits: int
) -> None:
    """A box for each block with its gates, its leaves and the largest |gradient| among them.

    Leaves are inputs and parameters alike: nodes that nothing computed, without plain numbers.
    One that several blocks use counts in each. Leaves of one name, like w_{11} and w_{12}, are one
    bundle of wires, unless more than four names go into one block. What a block computes for others
    leaves it as one bundle; an arrow to another block means that this uses some of it.
    """
    blocks, way = group_gates(order)
    ids = {block: i for i, block in enumerate(dict.fromkeys(blocks.values()))}
    users: dict[Value, set[int]] = {}  # the blocks to which a node goes
    for v, block in blocks.items():
        for p in v.parents:
            if not isinstance(p, Constant) and blocks.get(p) != block:
                users.setdefault(p, set()).add(ids[block])
    content, outputs = ([list[Value]() for _ in ids] for _ in range(2))
    for v in order:
        for i in {ids[blocks[v]]} if v.op else users.get(v, ()):
            content[i].append(v)
        if v.op and (v in users or v is order[-1]):
            outputs[ids[blocks[v]]].append(v)
    titles = unique([block.name or f"n{block.turn}" for block in ids])
    for i, (title, nodes) in enumerate(zip(titles, content)):
        box = summary(title, nodes, expected, digits)
        look = {"shape": "box", "style": "rounded,filled", "margin": "0.08,0.04"}
        picture._put(f"b{i}", "block", box, **look, fillcolor=PALE, color=EDGE)
    for i, ((name, into), nodes) in enumerate(bundles(users).items()):
        picture._put(f"name{i}", "name", end(name, "right"))
        picture._put(f"leaves{i}", "wire", bundle("", nodes, expected, digits))
        picture._join(f"name{i}", f"leaves{i}:line:w", f"e_name{i}", arrowhead="none", weight="10")
        for j in into:
            picture._join(f"leaves{i}:line:e", f"b{j}", f"e_leaves{i}_{j}")
    for i, nodes in enumerate(outputs):
        name = nodes[0].label if len(nodes) == 1 and nodes[0] is not order[-1] else ""
        picture._put(f"out{i}", "wire", bundle(name, nodes, expected, digits))
        picture._join(f"b{i}", f"out{i}:line:w", f"e_b{i}", arrowhead="none", weight="10")
        for j in sorted({j for v in nodes for j in users.get(v, ())}):
            picture._join(f"out{i}:line:e", f"b{j}", f"e{i}_{j}")
    picture._put("out", "name", end(order[-1].label, "left"))
    picture._join(f"out{ids[blocks[order[-1]]]}:line:e", "out", "e_out")
    counts = f"{plural(len(blocks), 'gate')} in {plural(len(ids), 'block')}"
    picture._caption(f"{counts}{way}; level='gates' shows them all")


def bundles(users: dict[Value, set[int]]) -> dict[tuple[str, tuple[int, ...]], list[Value]]:
    """The leaves of one name that go to the same blocks, unless a block would get too many."""
    found: dict[tuple[str, tuple[int, ...]], list[Value]] = {}
    for v, into in users.items():
        if not v.op and v.label:
            found.setdefault((split(v.label)[0], tuple(sorted(into))), []).append(v)
    names = Counter(i for _, into in found for i in into)
    kept = {key: vs for key, vs in found.items() if max(names[i] for i in key[1]) <= MOST_NAMES}
    return {(vs[0].label if len(vs) == 1 else key[0], key[1]): vs for key, vs in kept.items()}


def summary(title: str, nodes: list[Value], expected: dict[Value, Number], digits: int) -> str:
    """A block's name, its numbers of gates and leaves, and its largest |gradient| after a pass."""
    gates = sum(v.op is not None for v in nodes)
    lines = [plural(gates, "gate"), plural(len(nodes) - gates, "leaf", "leaves")]
    grads = [abs(g) for g in map(peek_grad, nodes) if g is not None]
    expected_grads = [abs(expected.get(v, 0)) for v in nodes]
    now, later = (f"max |grad| {signed(decimals(largest(g or [0]), digits))}"
                  for g in (grads, expected_grads))  # fmt: skip
    lines.append(now if grads else " ")
    width = max(extent(title, 15), *(extent(line, 11) for line in (*lines, later)))
    top = f'<td width="{width}" height="20"><font point-size="14"><b>{text(title)}</b></font></td>'
    rows = [f'<td height="15"><font point-size="11">{text(line)}</font></td>' for line in lines]
    return table(top, *rows)


def bundle(name: str, nodes: list[Value], expected: dict[Value, Number], digits: int) -> str:
    """The values of several wires over their gradients, cut short."""
    some = nodes[:MOST_NUMBERS]
    more = f", … ({len(nodes)})" if len(nodes) > len(some) else ""
    values = ", ".join(decimals(v.data, digits) for v in some) + more
    grads = [peek_grad(v) for v in some]
    passed = ["–" if g is None else decimals(g, digits) for g in grads]
    below = "" if grads.count(None) == len(grads) else ", ".join(passed) + more[:3]
    later = ", ".join(decimals(expected.get(v, 0), digits) for v in some) + more[:3]
    return wire(name, inked(GREEN, values), inked(RED, below, later))


# Leaves repeated at each use: a box for each labelled node.


def put_boxes(
    picture: Picture, order: list[Value], index: dict[Value, int], repeated: Container[Value]
) -> None:
    """A frame around each labelled inner node and what leads to it alone, leaves included."""
    blocks = by_label(order)
    members: dict[Block, list[str]] = {block: [] for block in blocks.values()}
    homes: dict[Value, set[Block]] = {}
    for v, block in blocks.items():
        members[block] += [f"g{index[v]}", f"n{index[v]}"]
        for k, p in enumerate(v.parents):
            if p in repeated:
                members[block] += ids_of(p, f"{index[p]}-{index[v]}-{k}")
            elif p in index and not p.op:
                homes.setdefault(p, set()).add(block)
    for p, several in homes.items():
        if len(several) == 1:
            members[several.pop()] += ids_of(p, str(index[p]))
    for i, (block, ids) in enumerate(members.items()):
        if block.name and block != blocks[order[-1]]:
            picture._frame(f"box{i}", name_html(block.name, 12), ids)


def ids_of(v: Value, i: str) -> list[str]:
    return [f'"n{i}"', f'"g{i}"'] if v.op or v.label else [f'"n{i}"']
