"""From DOT to an image: the picture that a notebook shows, laid out by one of three programs."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import graphviz  # type: ignore[import-untyped]

from microgrid.engine.extras import install
from microgrid.engine.hints import Hinted
from microgrid.engine.labels import LabelError
from microgrid.engine.renamed import renamed
from microgrid.views.dot_labels import FRAME, text
from microgrid.views.files import LayoutError, save_by_suffix
from microgrid.views.image import as_image, fitted
from microgrid.views.pdf import pages
from microgrid.views.theme import PALETTE
from microgrid.views.wording import INK

IMAGES = (".svg", ".png", ".pdf")
LAYOUTS = ("dot", "graphviz-pure", "pygraphviz")
Layout = str | Callable[[str], bytes | str]  # a program, or DOT → SVG
SCRIPTS = (str(Path(sys.executable).parent), sysconfig.get_path("scripts"))


def wire_id(tail: int, gate: int, k: int) -> str:
    """The id of the wire from a node to operand k of a gate, by their places in a graph."""
    return f"e{tail}_{gate}_{k}"


class Picture(Hinted, graphviz.Digraph):  # type: ignore[misc]
    """DOT text that any of three layout programs turns into SVG or PNG.

    `source` is the text; `save`, `pipe` and `render` lay it out. `layout` is a program by name or
    path, or a function from DOT to SVG. A notebook shows it as wide as its cell at most, in its
    light or dark theme.

    >>> from microgrid import Value, draw
    >>> picture = draw(Value(2.0, "x") * 3.0)
    >>> picture
    <Picture: a notebook shows it; else save('f.svg'), save('f.png') or .source>
    >>> picture.pipe("png")[1:4], "tikzpicture" in picture.latex()
    (b'PNG', True)
    """

    @renamed(engine="layout")
    def __init__(
        self, layout: Layout | None = None, prefix: str | None = None, **options: Any
    ) -> None:
        prefix = "" if prefix is None else prefix
        if not isinstance(prefix, str) or not re.fullmatch(r"[\w-]*", prefix, re.ASCII):
            raise LabelError(f"prefix {prefix!r}: ids are made of letters, digits, - and _")
        super().__init__(**{"format": "svg"} | options)
        if layout is not None and not callable(layout):
            layout_program(layout)  # an error at once, not where the picture is shown
        self.layout, self.prefix = layout, prefix
        self.looks: dict[str, dict[str, str]] = {}  # by ids of nodes and edges, before all others
        self.alt = "a graph"  # for who does not see it
        self.attr(rankdir="LR", nodesep="0.12", ranksep="0.18", bgcolor="white", pad="0.1")
        self.attr(id=f"{prefix}graph")
        self.attr("node", shape="plain", fontname="Arial", fontsize="12")
        self.attr("edge", fontname="Arial", fontsize="10", color=INK, arrowsize="0.6")

    def _put(self, name: str, kind: str, label: str, **look: str) -> None:
        look |= {"class": kind, "id": self.prefix + name} | self.looks.get(name, {})
        self.node(name, f"<{label}>" if label else "", **look)

    def _join(self, tail: str, head: str, name: str, label: str = "", **look: str) -> None:
        look |= {"id": self.prefix + name} | self.looks.get(name, {})
        self.edge(tail, head, f"<{label}>" if label else None, **look)

    def _caption(self, words: str) -> None:
        """A line beneath the picture."""
        font = {"fontname": "Arial", "fontsize": "11", "fontcolor": INK}
        self.attr(label=f"<{text(words)}>", labelloc="b", **font)

    def _frame(self, name: str, label: str, members: Iterable[str], side: str = "l") -> None:
        """A box around nodes that are there already, its name at the left or the right."""
        look = f'id="{self.prefix}{name}" class=box style="rounded,filled" color="{FRAME}" '
        look += f'fillcolor="{PALETTE["box"][0]}" fontname=Arial labeljust={side} '
        look += f"label=<{label or ' '}>"
        self.body.append(f"\tsubgraph cluster_{name} {{ graph [{look}] {' '.join(members)} }}\n")

    def pipe(
        self, format: str | None = None, *, engine: str | None = None,
        encoding: str | None = None, dpi: int | None = None,
    ) -> Any:  # fmt: skip
        """The image as bytes, or as text where an encoding is given."""
        kind = format or self.format
        dpi = dpi or (72 if kind == "svg" else 96)  # an SVG says points, a PNG shows pixels
        data = lay_out(self.source, kind, engine or self.layout, dpi)
        data = fitted(data) if kind == "svg" else data
        return data.decode(encoding) if encoding else data

    def render(
        self, filename: Any = None, directory: Any = None, view: bool = False,
        cleanup: bool = False, format: str | None = None, *, outfile: Any = None, **_: Any,
    ) -> str:  # fmt: skip
        """Write the DOT text, and the image beside it or to `outfile`; the path of the image.

        LayoutError for a name that ends as one of an image: see `save`.
        """
        format = format or (Path(outfile).suffix[1:] if outfile else self.format)
        if Path(filename or "").suffix.lower() in IMAGES:
            hint = f"for the image save({filename!r})"
            raise LayoutError(f"render takes a name for the DOT text; {hint}")
        name = filename or (f"{outfile}.gv" if outfile else None)
        source = super().save(name, directory=directory)
        image = str(outfile or f"{source}.{format}")
        Path(image).write_bytes(self.pipe(format))
        if cleanup:
            os.remove(source)
        if view:
            graphviz.view(image)
        return image

    def __dir__(self) -> list[str]:  # graphviz's 29 names work, but hide what people need
        shown = "latex layout pipe prefix render save save_png save_svg source tikz"
        return [*[name for name in super().__dir__() if name.startswith("__")], *shown.split()]

    def __repr__(self) -> str:
        return "<Picture: a notebook shows it; else save('f.svg'), save('f.png') or .source>"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture as .svg, .png, .pdf or .tex, or its DOT text as .dot or .gv; the path.

        LayoutError for other suffixes, and where no layout program is there to draw it.
        """
        images = {kind: partial(self.pipe, kind[1:]) for kind in IMAGES}
        text = dict.fromkeys((".dot", ".gv"), lambda: self.source)
        return save_by_suffix(path, images | {".tex": self.latex} | text)

    def latex(self) -> str:
        """The picture as a LaTeX document of its size, for pdflatex."""
        from microgrid.views.tikz import document

        return document(self.pipe("svg"))

    def tikz(self) -> str:
        """The picture as a `tikzpicture` for a paper, in the paper's fonts: write it to a file and
        \\input that, with the packages amsmath, amssymb and tikz.
        """
        from microgrid.views.tikz import tikz

        return tikz(self.pipe("svg"))

    def save_svg(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture as SVG; the path. LayoutError for another suffix."""
        return save_by_suffix(path, {".svg": lambda: self.pipe("svg")})

    def save_png(self, path: str | os.PathLike[str], dpi: int = 192) -> Path:
        """Write the picture as PNG of so many dots per inch; the path.

        LayoutError for another suffix.
        """
        return save_by_suffix(path, {".png": lambda: self.pipe("png", dpi=dpi)})

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> Any:
        kinds = {"image/svg+xml", "image/png"}
        shown = super()._repr_mimebundle_(include or kinds, exclude)
        if "image/png" in shown:
            shown["image/png"] = smaller(shown["image/png"])
        if "image/svg+xml" in shown and include is None:
            # JupyterLab cuts a wide SVG off, and hides it in a notebook that is not trusted.
            shown["text/html"] = as_image(shown["image/svg+xml"], self.alt)
        return shown


def smaller(png: bytes) -> bytes:
    """The PNG in 64 colours, a third of the size; as it is where Pillow is not installed."""
    if find_spec("PIL") is None:
        return png
    from PIL import Image

    buffer = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(64).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def lay_out(
    source: str, format: str, layout: Layout | None = None, dpi: int = 96,
    timeout: float | None = None,
) -> bytes:  # fmt: skip
    """DOT text as an image of this format, by `layout` or else the first of LAYOUTS that is there.

    A function is asked for SVG alone. LayoutError if there is no layout program, if it fails, or if
    a program takes more seconds than `timeout`; pygraphviz and functions are not timed.
    """
    if callable(layout):
        if format != "svg":
            raise LayoutError(f"a layout function writes no {format}: Graphviz's dot does")
        try:
            image = layout(source)
        except LayoutError:
            raise
        except Exception as error:  # whatever stands behind it: another program, another language
            raise LayoutError(f"the layout function failed: {error}") from error
        return image.encode() if isinstance(image, str) else image
    program = layout_program(layout)
    if program == "pygraphviz":
        import pygraphviz  # type: ignore[import-untyped,import-not-found,unused-ignore]

        graph, options = pygraphviz.AGraph(string=source), f"-Gdpi={dpi}"
        return bytes(graph.draw(format=format, prog="dot", args=options))
    command = [program, "-q", f"-T{format}", f"-Gdpi={dpi}"]
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise LayoutError(f"{Path(program).name} took more than {timeout:g} s") from None
    if b"not recognized" in done.stderr and format == "pdf":
        return pages([lay_out(source, "svg", layout, 72)])
    if b"not recognized" in done.stderr:
        raise LayoutError(f"{Path(program).name} writes no {format}: Graphviz's dot does")
    if done.returncode:
        raise LayoutError(f"{program}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def layout_program(layout: str | None = None) -> str:
    """The path of a layout program, or "pygraphviz"; without a name, the first of LAYOUTS.

    It is a program that takes the options of Graphviz's `dot`, by name or path, or the package
    pygraphviz. LayoutError if it is not there.
    """
    if not isinstance(layout, str | None):
        raise LayoutError(f"layout is the name of a program, such as 'dot', got {layout!r}")
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), *SCRIPTS])
    for name in LAYOUTS if layout is None else [layout]:
        if name == "pygraphviz" and find_spec(name):
            return name
        if program := shutil.which(name, path=places):
            return program
    looked_for = ", ".join(LAYOUTS) if layout is None else layout
    way_out = f"{install('viz')}; a .dot file needs none"
    raise LayoutError(f"there is no layout program ({looked_for}): {way_out}")
