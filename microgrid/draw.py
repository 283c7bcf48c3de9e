"""A graph as a picture: values in green above the wires, gradients in red beneath them.

Every Value is a wire, every operation a gate in a circle; plain numbers are written into the gate.
"""

from __future__ import annotations

import html
import math
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import graphviz  # type: ignore[import-untyped]

from microgrid.errors import LabelError, LayoutError
from microgrid.guards import Number
from microgrid.labels import caption, number, split
from microgrid.value import Constant, Value, accumulate, edges, seed, topological

GREEN, RED, INK = "#0a7d20", "#c62828", "#333333"
SHARES_UP_TO = 12  # gates; in a larger picture the numbers at the forks hide more than they show
HURRY_FROM = 120  # wires; from here on dot may take minutes to make it perfect
ENGINES = ("dot", "graphviz-pure", "pygraphviz")
SCRIPTS = (str(Path(sys.executable).parent), sysconfig.get_path("scripts"))


def draw(root: Value, digits: int = 2, engine: str | None = None, prefix: str = "") -> Picture:
    """The picture of root's graph, which shows itself in a notebook; changes no node.

    Gradients appear once a backward pass has come by; before, the layout is the same. The small
    red numbers at a fork are the shares that its branches sent back in the last pass. `digits` are
    the decimals shown; `engine` is a layout program (see `lay_out`); `prefix` begins every id of
    the SVG, so that several can stand on one page.
    """
    if not re.fullmatch(r"[\w-]*", prefix, re.ASCII):
        raise LabelError(f"prefix {prefix!r}: ids are made of letters, digits, - and _")
    picture = Picture(engine, prefix)
    order = topological(root)
    index = {v: i for i, v in enumerate(order) if v is root or not isinstance(v, Constant)}
    expected = foreseen(order)
    if len(index) > HURRY_FROM:
        picture.attr(nslimit="1", mclimit="0.2")
    for v, i in index.items():
        begin = {"ordering": "in", **gate(caption(v))} if v.op else {"label": end(v.label, "right")}
        if v.op or v.label:
            picture.put(f"g{i}", "gate" if v.op else "name", **begin)
            picture.join(f"g{i}", f"n{i}:line:w", f"e{i}", arrowhead="none", weight="10")
        name = v.label if v.op and v is not root else ""
        picture.put(f"n{i}", "wire", wire(name, v.data, v._grad, expected.get(v, 0), digits))
    branches = shares(order, expected)
    for v, i in index.items():
        for k, p in enumerate(v.parents):
            if p in index:
                share = small(*branches[v, k], digits) if (v, k) in branches else ""
                picture.join(f"n{index[p]}:line:e", f"g{i}", f"e{index[p]}_{i}_{k}", share)
    picture.put("out", "name", end(root.label if root.op else "", "left"))
    picture.join(f"n{index[root]}:line:e", "out", "e_out")
    return picture


# What a wire, a gate and a name look like. How wide a number is depends on what it is expected to
# be, not on whether it is there yet: so nothing moves when the backward pass fills it in.


def wire(name: str, value: Number, gradient: Number, expected: Number, digits: int) -> str:
    """Value over line over gradient; an inner wire that has a name shows it before the value."""
    above, below, later = (number(x or 0, digits) for x in (value, gradient, expected))
    named_above = f"{name} = {above}" if name else above
    width = max(40, *map(extent, (named_above, below, later)))
    # The edges join the line 2 points from its ends: dot ends them 1 point short of a port.
    line = f'<td bgcolor="{INK}" cellpadding="0" height="1" width="{{}}"{{}}></td>'.format
    prefix = f"{named(name, 12)} = " if name else ""
    return table(
        f'<td colspan="3" height="18">{prefix}{colored(GREEN, above)}</td>',
        line(2, "") + line(width - 4, ' port="line"') + line(2, ""),
        f'<td colspan="3" height="18">{colored(RED, below) if gradient is not None else ""}</td>',
    )


def gate(words: str) -> dict[str, str]:
    """A circle where the caption fits, else a rounded box around it."""
    width = extent(words)
    look = {"label": text(words), "fillcolor": "#f4f7fb", "color": "#34495e", "fixedsize": "true"}
    if width <= 36:
        return {"shape": "circle", "style": "filled", "width": "0.5", **look}
    size = {"width": f"{(width + 12) / 72:.4f}", "height": "0.4444"}
    return {"shape": "box", "style": "rounded,filled", **size, **look}


def end(label: str, side: str) -> str:
    """A name where a wire begins or ends, aligned to the wire."""
    look = f'width="{extent(label, 14)}" height="18" cellpadding="3" align="{side}"'
    return table(f"<td {look}>{named(label)}</td>") if label else ""


def small(share: Number | None, expected: Number, digits: int) -> str:
    """The share of one branch, for its edge; as much empty room before there is one."""
    shown = number(expected if share is None else share, digits)
    look = f'width="{extent(shown, 9)}" height="14"'
    return table(f"<td {look}>{colored(RED, shown) if share is not None else ''}</td>")


def table(*rows: str) -> str:
    look = 'border="0" cellborder="0" cellspacing="0" cellpadding="1"'
    return f"<table {look}>{''.join([f'<tr>{row}</tr>' for row in rows])}</table>"


def extent(words: str, size: int = 12) -> int:
    """Points that the words take at most, roughly, and an even number of them: where the corners
    of boxes are whole points, wires stay unbroken and dot never fails to find its way."""
    narrow, broad = "ijl.,;:|!'()[]-/ ", "mwMW@%—"
    em = [0.34 if c in narrow else 0.9 if c in broad else 1.1 if c > "⺀" else 0.6 for c in words]
    return 2 * math.ceil(size * sum(em) / 2) + 2


def named(label: str, size: int = 14) -> str:
    """A name in italics, with its subscript."""
    base, below = split(label)
    sub = f'<sub><font point-size="9">{text(below)}</font></sub>' if below else ""
    return f'<font point-size="{size}"><i>{text(base)}{sub}</i></font>' if label else ""


def colored(color: str, words: str) -> str:
    return f'<font color="{color}">{words}</font>'


def html_like(label: str) -> str:
    return f"<{label}>" if label else ""


def text(words: str) -> str:
    """The user's words as text of an HTML-like label: no tag, no entity, no backslash escape."""
    printable = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\ufffd", words)
    return html.escape(printable).replace("\\", "\\\\")


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
    order: list[Value], expected: dict[Value, Number]
) -> dict[Branch, tuple[Number | None, Number]]:
    """What each branch of a fork sent back, None before a pass, and what it is expected to."""
    uses = Counter(p for v in order for p in v.parents)
    found: dict[Branch, tuple[Number | None, Number]] = {}
    gates = [(v, v.op) for v in order if v.op]
    for v, op in gates if len(gates) <= SHARES_UP_TO else []:
        try:
            locals_ = [local or 0 for _, local in edges(v, op)]  # None: a shut gate
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

    `source` is the text; `save_svg`, `save_png`, `pipe` and `render` lay it out.
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
        source = self.save(filename or (f"{outfile}.gv" if outfile else None), directory=directory)
        image = str(outfile or f"{source}.{format}")
        Path(image).write_bytes(self.pipe(format))
        if cleanup:
            os.remove(source)
        if view:
            graphviz.view(image)
        return image

    def __repr__(self) -> str:
        return "<Picture: a notebook shows it; else save_svg(path), save_png(path) or .source>"

    def save_svg(self, path: str | os.PathLike[str]) -> None:
        """Write the picture as SVG."""
        Path(path).write_bytes(self.pipe("svg"))

    def save_png(self, path: str | os.PathLike[str], dpi: int = 192) -> None:
        """Write the picture as PNG."""
        Path(path).write_bytes(self.pipe("png", dpi=dpi))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> Any:
        # An untrusted notebook shows no SVG, but the PNG beside it.
        return super()._repr_mimebundle_(include or {"image/svg+xml", "image/png"}, exclude)


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
