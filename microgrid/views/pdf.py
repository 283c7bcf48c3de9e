"""Pictures as the pages of a PDF, drawn by Matplotlib from the SVG of any layout engine."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from microgrid.engine.extras import needs
from microgrid.views.files import LayoutError
from microgrid.views.image import SVG

FONTS = ("Arial", "Liberation Sans", "Helvetica", "Nimbus Sans", "DejaVu Sans")
WIDE = {"DejaVu Sans": 0.89}  # the layout has room for words in Arial
SHIFTS = {"sub": 0.25, "super": -0.35}  # of the size of the letters
CODES = {"M": 1, "L": 2, "C": 4, "Z": 79}  # of Matplotlib's Path
Frame = tuple[float, float, float]  # how much larger, and then moved by how much


def pages(images: Iterable[bytes]) -> bytes:
    """A PDF with a page for each SVG, of its size; LayoutError without Matplotlib."""
    if find_spec("matplotlib") is None:
        raise LayoutError(needs("without Graphviz's dot a PDF needs", "course"))
    import matplotlib
    from matplotlib.backends.backend_pdf import PdfPages

    buffer = io.BytesIO()
    with (
        matplotlib.rc_context({"pdf.fonttype": 42, "path.simplify": False}),
        PdfPages(buffer, metadata={"CreationDate": None}) as pdf,
    ):
        for image in images:
            pdf.savefig(figure(ElementTree.fromstring(image)))
    return buffer.getvalue()


def figure(svg: Element) -> Any:
    """The page of one picture."""
    from matplotlib.figure import Figure

    _, _, width, height = map(float, svg.attrib["viewBox"].split())
    wide, high = (float(re.sub("[a-z]+", "", svg.attrib[key])) for key in ("width", "height"))
    page = Figure(figsize=(wide / 72, high / 72), dpi=72)
    axes = page.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    fonts = installed()
    for e, frame in placed(svg, (1.0, 0.0, 0.0)):
        if draw := SHAPES.get(e.tag.removeprefix(SVG)):
            draw(axes, e, frame, fonts, wide / width)
    return page


def installed() -> list[str]:
    """Those of the fonts that are there; the last of them is Matplotlib's own."""
    from matplotlib.font_manager import fontManager

    names = set(fontManager.get_font_names())
    return [name for name in FONTS if name in names]


def placed(e: Element, frame: Frame) -> Iterator[tuple[Element, Frame]]:
    """What is seen, from the back to the front, and where its group has been moved to."""
    if e.get("visibility") == "hidden":
        return
    if found := re.search(
        r"scale\(([-\d.]+).*translate\(([-\d.]+)[ ,]([-\d.]+)\)", e.get("transform", "")
    ):
        scale, x, y = map(float, found.groups())
        larger, left, top = frame
        frame = larger * scale, left + larger * scale * x, top + larger * scale * y
    yield e, frame
    for inner in e:
        yield from placed(inner, frame)


def shape(axes: Any, e: Element, frame: Frame, fonts: list[str], scale: float) -> None:
    """A polygon, a line, a path or an ellipse."""
    from matplotlib.patches import Ellipse, PathPatch
    from matplotlib.path import Path

    larger, left, top = frame
    fill, stroke = e.get("fill", "black"), e.get("stroke", "none")
    look: dict[str, Any] = {
        "facecolor": fill, "edgecolor": stroke, "joinstyle": "miter",
        "linewidth": float(e.get("stroke-width", "1")) * larger * scale * (stroke != "none"),
        "linestyle": "--" if e.get("stroke-dasharray") else "-",
    }  # fmt: skip
    if e.tag.endswith("ellipse"):
        cx, cy, rx, ry = (larger * float(e.attrib[key]) for key in ("cx", "cy", "rx", "ry"))
        axes.add_patch(Ellipse((left + cx, top + cy), 2 * rx, 2 * ry, **look))
        return
    tag = e.tag.removeprefix(SVG)
    d = e.attrib["d"] if tag == "path" else f"M{e.attrib['points']}" + "Z" * (tag == "polygon")
    points, codes = list[tuple[float, float]](), list[int]()
    for letter, rest in re.findall(r"([MLCZz])([^MLCZz]*)", d):
        for k, (x, y) in enumerate(re.findall(r"([-\d.]+)[, ]([-\d.]+)", rest) or [(0, 0)]):
            points.append((left + larger * float(x), top + larger * float(y)))
            codes.append(CODES["L" if k and letter == "M" else letter.upper()])
    axes.add_patch(PathPatch(Path(points, codes), **look))


def words(axes: Any, e: Element, frame: Frame, fonts: list[str], scale: float) -> None:
    """Words at their base line; those beneath or above it are of the size that they have."""
    larger, left, top = frame
    size = float(e.get("font-size", "14"))
    points = size * larger * scale * WIDE.get(fonts[0], 1.0)
    y = float(e.attrib["y"]) + size * SHIFTS.get(e.get("baseline-shift", ""), 0)
    anchor = {"start": "left", "middle": "center", "end": "right"}[e.get("text-anchor", "start")]
    axes.text(
        left + larger * float(e.attrib["x"]), top + larger * y, e.text or "", fontsize=points,
        color=e.get("fill", "black"), family=fonts, ha=anchor, va="baseline", parse_math=False,
        style=e.get("font-style", "normal"), weight=e.get("font-weight", "normal"),
    )  # fmt: skip


SHAPES: dict[str, Callable[..., None]] = {
    "polygon": shape, "polyline": shape, "path": shape, "ellipse": shape, "text": words,
}  # fmt: skip
