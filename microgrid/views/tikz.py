"""The SVG of a picture as TikZ: the same places, lines and colours, with words set by LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from microgrid.views.formula import worded
from microgrid.views.image import SVG

NAMED = {"white": (255, 255, 255), "black": (0, 0, 0)}
ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}
SHIFTED = {"sub": 3.0}  # points below the line
DOCUMENT = r"""\documentclass[border=2pt]{standalone}
\usepackage[T1]{fontenc}
\usepackage{amsmath,amssymb,tikz}
\begin{document}
\begin{tikzpicture}[x=1bp, y=-1bp, line width=1bp,
  words/.style={inner sep=0pt, outer sep=0pt,
    font=\fontfamily{phv}\fontsize{#1bp}{#1bp}\selectfont}]
PICTURE
\end{tikzpicture}
\end{document}
"""


def tikz(svg: bytes) -> str:
    """A LaTeX document that draws what Graphviz drew; pdflatex makes it a page of that size."""
    elements = [e for e in ElementTree.fromstring(svg).iter() if e.get("visibility") != "hidden"]
    found = [(e, e.tag.removeprefix(SVG)) for e in elements]
    ground, *lines = [DRAWN[tag](e) for e, tag in found if tag in DRAWN]
    box = re.sub(r"\[.*?\]", "[use as bounding box]", ground, count=1)
    return DOCUMENT.replace("PICTURE", "\n".join([box, *lines]))


def polygon(e: Element) -> str:
    return rf"\path[{look(e)}] {' -- '.join(points(e.attrib['points']))} -- cycle;"


def path(e: Element) -> str:
    """Graphviz writes M and one point, then C or L and more; a closed path ends in Z."""
    drawn = ""
    for letter, rest in re.findall(r"([A-Za-z])([^A-Za-z]*)", e.attrib["d"]):
        at = points(rest)
        if letter == "C":
            curves = zip(at[::3], at[1::3], at[2::3], strict=True)
            drawn += "".join([f" .. controls {a} and {b} .. {c}" for a, b, c in curves])
        else:
            drawn += {"M": " ".join(at), "L": "".join([f" -- {p}" for p in at]),
                      "Z": " -- cycle", "z": " -- cycle"}[letter]  # fmt: skip
    return rf"\path[{look(e)}] {drawn};"


def ellipse(e: Element) -> str:
    cx, cy, rx, ry = (e.attrib[key] for key in ("cx", "cy", "rx", "ry"))
    return rf"\path[{look(e)}] ({cx},{cy}) ellipse [x radius={rx}, y radius={ry}];"


def words(e: Element) -> str:
    """Words at their base line; a sign before digits is a minus, not a hyphen."""
    anchor, size = ANCHORS[e.get("text-anchor", "start")], float(e.get("font-size", "14"))
    about = f"words={size:g}, anchor={anchor}, text={color(e.get('fill', 'black'))}"
    y = float(e.attrib["y"]) + SHIFTED.get(e.get("baseline-shift", ""), 0.0)
    style = r"\itshape " * (e.get("font-style") == "italic")
    style += r"\bfseries " * (e.get("font-weight") == "bold")
    text = worded(re.sub(r"(?<![\w.])-(?=[\d.])", "−", e.text or ""))
    return rf"\node[{about}] at ({e.attrib['x']},{y:g}) {{{style}{text}}};"


def look(e: Element) -> str:
    """How an element is filled and drawn."""
    fill, stroke = e.get("fill", "black"), e.get("stroke", "none")
    looks = {"fill": fill, "draw": stroke}
    keys = [f"{key}={color(x)}" for key, x in looks.items() if x != "none"]
    keys += [f"line width={width}bp"] if (width := e.get("stroke-width")) else []
    keys += ["densely dashed"] * bool(e.get("stroke-dasharray"))
    return ", ".join(keys)


def color(name: str) -> str:
    """A colour of SVG as xcolor writes it."""
    r, g, b = NAMED.get(name) or tuple(bytes.fromhex(name[1:]))
    return f"{{rgb,255:red,{r};green,{g};blue,{b}}}"


def points(text: str) -> list[str]:
    return [f"({x},{y})" for x, y in re.findall(r"([-\d.]+),([-\d.]+)", text)]


DRAWN: dict[str, Callable[[Element], str]] = {
    "polygon": polygon, "path": path, "ellipse": ellipse, "text": words,
}  # fmt: skip
