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
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import graphviz  # type: ignore[import-untyped]

from microgrid.errors import LabelError, LayoutError
from microgrid.guards import Number
from microgrid.labels import caption, number, split
from microgrid.value import Constant, Value, accumulate, local_gradients, seed, topological

GREEN, RED, INK = "#0a7d20", "#c62828", "#333333"
SHARES_UP_TO = 12  # gates; in a larger picture the numbers at the forks hide more than they show
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
    for v, i in index.items():
        begin = {"ordering": "in", **gate(caption(v))} if v.op else {"label": end(v.label, "right")}
        if v.op or v.label:
            picture.put(f"g{i}", "gate" if v.op else "name", **begin)
            picture.join(f"g{i}", f"n{i}:w", f"e{i}", arrowhead="none", weight="10")
        picture.put(f"n{i}", "wire", label=wire(v, expected.get(v, 0), v is not root, digits))
    branches = shares(order, expected)
    for v, i in index.items():
        for k, p in enumerate(v.parents):
            if p in index:
                share = small(*branches[v, k], digits) if (v, k) in branches else {}
                picture.join(f"n{index[p]}:e", f"g{i}", f"e{index[p]}_{i}_{k}", **share)
    picture.put("out", "name", label=end(root.label if root.op else "", "left"))
    picture.join(f"n{index[root]}:e", "out", "e_out")
    return picture


# What a wire, a gate and a name look like. How wide a number is depends on what it is expected to
# be, not on whether it is there yet: so nothing moves when the backward pass fills it in.


def wire(v: Value, expected: Number, inner: bool, digits: int) -> str:
    """Value over line over gradient; a named inner wire has its name before the value."""
    above, below, later = (number(x, digits) for x in (v.data, v.grad, expected))
    name = f"{named(v.label, 12)} = " if inner and v.op and v.label else ""
    width = max(40, extent(name and f"{v.label} = {above}"), *map(extent, (above, below, later)))
    return table(
        f'<td width="{width}" height="18">{name}{colored(GREEN, above)}</td></tr><hr/><tr>'
        f'<td height="18">{"" if v._grad is None else colored(RED, below)}</td>'
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
    if not label:
        return ""
    return table(f'<td width="{extent(label, 14)}" height="18" align="{side}">{named(label)}</td>')


def small(share: Number | None, expected: Number, digits: int) -> dict[str, str]:
    """The share of one branch on its edge; as much empty room before there is one."""
    shown = "" if share is None else colored(RED, number(share, digits))
    width = extent(number(expected if share is None else share, digits), 9)
    return {"label": "<" + table(f'<td width="{width}" height="14">{shown}</td>') + ">"}


def table(cells: str) -> str:
    look = f'border="0" cellborder="0" cellspacing="0" cellpadding="1" color="{INK}"'
    return f"<table {look}><tr>{cells}</tr></table>"


def extent(words: str, size: int = 12) -> int:
    """Points that the words take at most, roughly, and an even number of them: where the corners
    of boxes are whole points, wires stay unbroken and Graphviz finds its way between them."""
    wide = sum(0.9 if c in "mwMW@%—" else 0.34 if c in "ijl.,;:|!'()[]-/ " else 0.6 for c in words)
    return 2 * math.ceil(size * wide / 2) + 2


def named(label: str, size: int = 14) -> str:
    """A name in italics, with its subscript."""
    base, below = split(label)
    sub = f'<sub><font point-size="9">{text(below)}</font></sub>' if below else ""
    return f'<font point-size="{size}"><i>{text(base)}{sub}</i></font>'


def colored(color: str, words: str) -> str:
    return f'<font color="{color}">{words}</font>'


def text(words: str) -> str:
    """The user's words as text of an HTML-like label: no tag, no entity, no backslash escape."""
    printable = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\ufffd", words)
    return html.escape(printable).replace("\\", "\\\\")


# The numbers of the backward pass.


def foreseen(order: list[Value]) -> dict[Value, Number]:
    """The gradients of a backward pass from the last node, whether it has been made or not."""
    try:
        return accumulate(order, seed(order[-1], 1))
    except Exception:  # data set since, or a user's rule that raises: it still has a picture
        return {}


def shares(
    order: list[Value], expected: dict[Value, Number]
) -> dict[tuple[Value, int], tuple[Number | None, Number]]:
    """For each branch of a fork, as (child, operand): its share, None before a pass, and what
    it is expected to be."""
    uses = Counter(p for v in order for p in v.parents if not isinstance(p, Constant))
    gates = [v for v in order if v.op is not None]
    found: dict[tuple[Value, int], tuple[Number | None, Number]] = {}
    for v in gates if len(gates) <= SHARES_UP_TO and max(uses.values(), default=0) > 1 else []:
        try:
            locals_: Sequence[Any] = local_gradients(v, v.op)
        except Exception:  # as in `foreseen`
            continue
        for k, (p, local) in enumerate(zip(v.parents, locals_)):
            if uses[p] > 1:
                upstream = (v._grad, expected.get(v, 0))
                local = 0 if local is None else local
                found[v, k] = tuple(None if u is None else u * local for u in upstream)
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
        self.node(name, f"<{label}>" if label else "", {"class": kind}, id=self.prefix + name, **look)

    def join(self, tail: str, head: str, name: str, **look: str) -> None:
        self.edge(tail, head, id=self.prefix + name, **look)

    def pipe(
        self, format: str | None = None, *, engine: str | None = None,
        encoding: str | None = None, dpi: int = 96,
    ) -> Any:  # fmt: skip
        """The image as bytes, or as text where an encoding is given."""
        data = lay_out(self.source, format or self.format, engine or self.layout_engine, dpi)
        return data.decode(encoding) if encoding else data

    def render(
        self, filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None, view: bool = False,
        cleanup: bool = False, format: str | None = None, *,
        outfile: str | os.PathLike[str] | None = None,
    ) -> str:  # fmt: skip
        """Write the DOT text and the image beside it; the path of the image."""
        if outfile is not None:
            filename, format = filename or f"{outfile}.gv", format or Path(outfile).suffix[1:]
        source = self.save(filename, directory)
        image = Path(outfile or f"{source}.{format or self.format}")
        image.write_bytes(self.pipe(format))
        if cleanup:
            os.remove(source)
        if view:
            self._view(str(image), format=format or self.format, quiet=True)
        return str(image)

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
            import pygraphviz  # type: ignore[import-not-found]

            graph = pygraphviz.AGraph(string=source)
            return bytes(graph.draw(format=format, prog="dot", args=f"-Gdpi={dpi}"))
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
