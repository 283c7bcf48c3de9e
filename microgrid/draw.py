"""A graph as a picture: values in green above the wires, gradients in red beneath them.

Every Value is a wire, every operation a gate in a circle; plain numbers are written into the gate.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import graphviz  # type: ignore[import-untyped]

from microgrid.blocks import draw_blocks, put_boxes
from microgrid.errors import LabelError, LayoutError
from microgrid.files import save_by_suffix
from microgrid.guards import Number, seed
from microgrid.labels import (
    INK,
    NOWHERE,
    Share,
    caption,
    end,
    gate,
    html_like,
    small,
    sum_table,
    wire,
)
from microgrid.slopes import SHUT
from microgrid.value import Constant, Value, accumulate, edges, topological

SHARES_UP_TO = 12  # gates; in a larger picture the numbers at the forks hide more than they show
HURRY_FROM = 120  # wires; from here on dot may take minutes to make it perfect
NO_NOTES: Mapping[Value, str] = MappingProxyType({})
ENGINES = ("dot", "graphviz-pure", "pygraphviz")
SCRIPTS = (str(Path(sys.executable).parent), sysconfig.get_path("scripts"))


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
            locals_ = [0 if local is SHUT else local for _, local in edges(v, op)]
            sent = [None if v._grad is None else v._grad * local for local in locals_]
            later = [expected.get(v, 0) * local for local in locals_]
        except Exception:
            continue
        for k, p in enumerate(v.parents):
            if uses[p] > 1:
                found[v, k] = sent[k], later[k]
    return found


# From DOT to an image.


class Picture(graphviz.Digraph):  # type: ignore[misc]
    """DOT text that any of three layout engines turns into SVG or PNG.

    `source` is the text; `save`, `pipe` and `render` lay it out.
    """

    def __init__(self, engine: str | None = None, prefix: str = "", **options: Any) -> None:
        super().__init__(**{"format": "svg"} | options)
        self.layout_engine, self.prefix = engine, prefix
        self.attr(rankdir="LR", nodesep="0.12", ranksep="0.18", bgcolor="white", pad="0.1")
        self.attr(id=f"{prefix}graph")
        self.attr("node", shape="plain", fontname="Arial", fontsize="12")
        self.attr("edge", fontname="Arial", fontsize="9", color=INK, arrowsize="0.6")

    def put(self, name: str, kind: str, label: str, **look: str) -> None:
        look |= {"class": kind, "id": self.prefix + name}
        self.node(name, html_like(label), **look)

    def join(self, tail: str, head: str, name: str, label: str = "", **look: str) -> None:
        self.edge(tail, head, html_like(label) or None, id=self.prefix + name, **look)

    def frame(self, name: str, label: str, members: Iterable[str]) -> None:
        """A box around nodes that are there already."""
        look = f'id="{self.prefix}{name}" class=box style="rounded,filled" color="#8093ab" '
        look += f'fillcolor="#f7f9fc" fontname=Arial labeljust=l label=<{label or " "}>'
        self.body.append(f"\tsubgraph cluster_{name} {{ graph [{look}] {' '.join(members)} }}\n")

    def pipe(
        self, format: str | None = None, *, engine: str | None = None,
        encoding: str | None = None, dpi: int | None = None,
    ) -> Any:  # fmt: skip
        """The image as bytes, or as text where an encoding is given."""
        kind = format or self.format
        dpi = dpi or (72 if kind == "svg" else 96)  # an SVG says points, a PNG shows pixels
        data = lay_out(self.source, kind, engine or self.layout_engine, dpi)
        return data.decode(encoding) if encoding else data

    def render(
        self, filename: Any = None, directory: Any = None, view: bool = False,
        cleanup: bool = False, format: str | None = None, *, outfile: Any = None, **_: Any,
    ) -> str:  # fmt: skip
        """Write the DOT text, and the image beside it or to `outfile`; the path of the image."""
        format = format or (Path(outfile).suffix[1:] if outfile else self.format)
        if Path(filename or "").suffix.lower() in IMAGES:
            raise LayoutError(
                f"render takes a name for the DOT text; for the image save({filename!r})"
            )
        source = super().save(
            filename or (f"{outfile}.gv" if outfile else None), directory=directory
        )
        image = str(outfile or f"{source}.{format}")
        Path(image).write_bytes(self.pipe(format))
        if cleanup:
            os.remove(source)
        if view:
            graphviz.view(image)
        return image

    def __repr__(self) -> str:
        return "<Picture: a notebook shows it; else save('f.svg'), save('f.png') or .source>"

    def save(self, filename: Any = None, directory: Any = None, **options: Any) -> Any:
        """Write the picture as .svg, .png or .pdf, or its DOT text as .dot or .gv; the path."""
        path = Path(directory or "", filename or "")
        if path.suffix.lower() in ("", ".dot", ".gv"):
            return Path(super().save(filename, directory=directory, **options))
        return save_by_suffix(path, {kind: partial(self.pipe, kind[1:]) for kind in IMAGES}, ".dot")

    def save_svg(self, path: str | os.PathLike[str]) -> None:
        """Write the picture as SVG."""
        save_by_suffix(path, {".svg": lambda: self.pipe("svg")})

    def save_png(self, path: str | os.PathLike[str], dpi: int = 192) -> None:
        """Write the picture as PNG."""
        save_by_suffix(path, {".png": lambda: self.pipe("png", dpi=dpi)})

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> Any:
        # An untrusted notebook shows no SVG, but the PNG beside it.
        shown = super()._repr_mimebundle_(include or {"image/svg+xml", "image/png"}, exclude)
        return {kind: smaller(x) if kind == "image/png" else x for kind, x in shown.items()}


IMAGES = (".svg", ".png", ".pdf")


def smaller(png: bytes) -> bytes:
    """The PNG in 64 colours, a third of the size; as it is where Pillow is not installed."""
    if find_spec("PIL") is None:
        return png
    from PIL import Image

    buffer = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(64).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def lay_out(source: str, format: str, engine: str | None = None, dpi: int = 96) -> bytes:
    """DOT text as an image of this format, by `engine` or else the first of ENGINES that is there.

    An engine is a program that takes the options of Graphviz's `dot`, by name or path, or the
    package pygraphviz. LayoutError if there is none, or if it fails.
    """
    for name in [engine] if engine else ENGINES:
        if name == "pygraphviz" and find_spec(name):
            import pygraphviz  # type: ignore[import-untyped,import-not-found,unused-ignore]

            graph, options = pygraphviz.AGraph(string=source), f"-Gdpi={dpi}"
            return bytes(graph.draw(format=format, prog="dot", args=options))
        places = os.pathsep.join([os.environ.get("PATH", os.defpath), *SCRIPTS])
        if program := shutil.which(name, path=places):
            command = [program, "-q", f"-T{format}", f"-Gdpi={dpi}"]
            done = subprocess.run(command, input=source.encode(), capture_output=True)
            if done.returncode:
                raise LayoutError(f"{program}: {done.stderr.decode(errors='replace').strip()}")
            return done.stdout
    raise LayoutError(
        f"no layout engine ({engine or ', '.join(ENGINES)}): pip install "
        '"microgrid-autodiff[viz]"; the DOT text is in .source'
    )
