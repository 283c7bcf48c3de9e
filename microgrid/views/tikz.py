"""The SVG of a picture as TikZ: the same places, lines and colours, with words set by LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from microgrid.views.dot_labels import extent
from microgrid.views.formula import CLUSTER, SIGNS, in_tex, worded
from microgrid.views.image import SVG
from microgrid.views.svg import LIT
from microgrid.views.theme import DRAWN
from microgrid.views.wording import ABOVE, LOWERED
from microgrid.views.written import EXPONENT, powers

ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}
FLAT = {  # the letters that a raised or a lowered one stands for
    sign: {small: c for c, small in table.items() if c not in (small, "−")}
    for sign, table in (("^", ABOVE), ("_", LOWERED))
}
SMALL = [f"[{''.join(letters)}]+" for letters in FLAT.values()]
TOKENS = re.compile(
    "|".join([r"[\d.]+e[-+]\d+", *SMALL, "[A-Za-z]{2,}", CLUSTER.pattern]), re.DOTALL
)
SCRIPTS = {"sub": "_", "super": "^"}
COLORS = {"white": "white", "black": "black", LIT: "lit"} | {  # the names that they have in LaTeX
    color: name for color, name in DRAWN.items() if color[0] == "#"
}
MATHEMATICS = ("wire", "gate", "name", "edge")  # the groups of a picture whose words are formulas
PACKAGES = r"\usepackage{amsmath,amssymb,tikz}"
DOCUMENT = rf"""\documentclass[border=2pt]{{standalone}}
\usepackage[T1]{{fontenc}}
\IfFileExists{{lmodern.sty}}{{\usepackage{{lmodern}}}}{{}}
{PACKAGES}
\begin{{document}}
PICTURE
\end{{document}}
"""
Groups = dict[str, list[str]]


def document(svg: bytes) -> str:
    """A LaTeX document that draws what Graphviz drew; pdflatex makes it a page of that size."""
    return DOCUMENT.replace("PICTURE", tikz(svg))


def tikz(svg: bytes) -> str:
    """The picture for a document that has the packages amsmath, amssymb and tikz, in its fonts.

    The colours have names at its top; \\scalebox makes it larger or smaller with its words.
    """
    lines = [line for group in groups(svg).values() for line in group]
    return f"% {PACKAGES}\n{environment(lines)}"


def environment(lines: list[str], defined: Collection[str] = ()) -> str:
    """The lines of a picture within their environment, and the colours that they name.

    Those that are `defined` already are left out.
    """
    used = {*re.findall(r"(?<==)\w+|(?<=\\textcolor{)\w+", "\n".join(lines))}.difference(defined)
    named = [
        rf"\definecolor{{{name}}}{{HTML}}{{{color[1:].upper()}}}"
        for color, name in COLORS.items() if color[0] == "#" and name in used
    ]  # fmt: skip
    sizes = dict.fromkeys(re.findall(r"\[words ([\d.]+)", "\n".join(lines)))
    font = r", words {0}/.style={{inner sep=0pt, font=\fontsize{{{0}bp}}{{{0}bp}}\selectfont}}"
    styles = "".join(map(font.format, sizes))
    begin = rf"\begin{{tikzpicture}}[x=1bp, y=-1bp, line width=1bp{styles}]"
    return "\n".join([begin, *named, *lines, r"\end{tikzpicture}"])


def groups(svg: bytes) -> Groups:
    """The lines that draw each node and each edge, by their ids; the ground comes first."""
    found: Groups = {}
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        if id := group.get("id"):
            shapes, texts = list[str](), list[Element]()
            for e in own(group):
                tag = e.tag.removeprefix(SVG)
                if tag == "text":
                    texts.append(e)
                elif tag in SHAPES:
                    shapes.append(SHAPES[tag](e))
            found[id] = [*shapes, *words(group, texts)]
    ground, *_ = found.values()
    ground[0] = re.sub(r"\[.*?\]", "[use as bounding box]", ground[0], count=1)
    return found


def own(group: Element) -> Iterator[Element]:
    """What a group draws, without the groups in it that have an id of their own."""
    for e in group:
        if e.tag == f"{SVG}g" or e.tag == f"{SVG}a":
            yield from own(e) if not e.get("id") or e.tag == f"{SVG}a" else ()
        elif e.get("visibility") != "hidden":
            yield e


# Shapes


def polygon(e: Element) -> str:
    return rf"\path[{look(e)}] {' -- '.join(points(e.attrib['points']))} -- cycle;"


def polyline(e: Element) -> str:
    return rf"\path[{look(e)}] {' -- '.join(points(e.attrib['points']))};"


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


def look(e: Element) -> str:
    """How an element is filled and drawn."""
    fill, stroke = e.get("fill", "black"), e.get("stroke", "none")
    looks = {"fill": fill, "draw": stroke}
    keys = [f"{key}={color(x)}" for key, x in looks.items() if x != "none"]
    keys += [f"line width={width}bp"] if (width := e.get("stroke-width")) else []
    keys += ["densely dashed"] * bool(e.get("stroke-dasharray"))
    return ", ".join(keys)


def color(name: str) -> str:
    """A colour of SVG by its name in COLORS, else as xcolor writes it."""
    if name in COLORS:
        return COLORS[name]
    r, g, b = bytes.fromhex(name[1:])
    return f"{{rgb,255:red,{r};green,{g};blue,{b}}}"


def points(text: str) -> list[str]:
    return [f"({x},{y})" for x, y in re.findall(r"([-\d.]+),([-\d.]+)", text)]


SHAPES: dict[str, Callable[[Element], str]] = {
    "polygon": polygon, "polyline": polyline, "path": path, "ellipse": ellipse,
}  # fmt: skip

# Words. Graphviz places each piece of a label by the widths of Arial; in another font a name and
# its subscript belong into one node, and a number stands in the middle of its wire.


def words(group: Element, texts: list[Element]) -> Iterator[str]:
    """The words of a group: those of a wire, a gate or a name are mathematics."""
    kind = group.get("class", " ").split()[-1]
    middle = middle_of(group) if kind in ("wire", "gate") else None
    for pieces in joined(texts, whole=kind in MATHEMATICS):
        first = pieces[0]
        anchor = "base" if middle else ANCHORS[first.get("text-anchor", "start")]
        x = middle or first.attrib["x"]
        about = f"words {float(first.get('font-size', '14')):g}, anchor={anchor}"
        about += "" if kind in MATHEMATICS else f", text={color(first.get('fill', 'black'))}"
        text = "".join([mathematics(e) for e in pieces]) if kind in MATHEMATICS else ""
        text = f"${text}$" if text else "".join(map(plain, pieces))
        yield rf"\node[{about}] at ({x},{first.attrib['y']}) {{{text}}};"


def middle_of(group: Element) -> str:
    """Where the middle of a wire or of a gate is, from left to right."""
    if (circle := group.find(f".//{SVG}ellipse")) is not None:
        return circle.attrib["cx"]
    shapes = [e.get("points", "") + e.get("d", "") for e in group.iter()]
    xs = [float(x) for x in re.findall(r"([-\d.]+),[-\d.]+", " ".join(shapes))]
    return f"{(min(xs) + max(xs)) / 2:g}" if xs else ""


def joined(texts: list[Element], whole: bool) -> Iterator[list[Element]]:
    """The pieces that are one text: of a line, or a name with what stands below and above it."""
    found: list[list[Element]] = []
    for e in texts:
        before = found[-1][-1] if found else None
        same = before is not None and before.get("y") == e.get("y")
        if (
            before is not None
            and same
            and (whole or "baseline-shift" in {*e.keys(), *before.keys()})
        ):
            width = extent(before.text or "", round(float(before.get("font-size", "14"))))
            if whole or float(e.attrib["x"]) - float(before.attrib["x"]) <= width:
                found[-1].append(e)
                continue
        found.append([e])
    yield from found


def mathematics(e: Element) -> str:
    """A piece in math mode: one letter is a variable, a word stands upright or in italics."""
    slanted, words = e.get("font-style") == "italic", (e.text or "").replace("−", "-")
    text = ""
    for word in TOKENS.findall(words.strip() if "=" in words else words):
        if EXPONENT.fullmatch(word):
            text += powers(word)
        elif word.isascii() and word.isalpha() and word[1:]:
            text += rf"\math{'it' if slanted else 'rm'}{{{word}}}"
        elif script := next((sign for sign, plain in FLAT.items() if word[0] in plain), ""):
            text += f"{script}{{{''.join([FLAT[script][c] for c in word])}}}"
        elif word in ("-", "+"):
            text += f"{{{word}}}" if text else word  # with no space around it
        else:
            text += f"{SIGNS[word]} " if word in SIGNS else in_tex(word)
    if e.get("font-weight") == "bold":
        text = rf"\boldsymbol{{{text}}}"
    if name := e.get("fill"):
        text = rf"\textcolor{{{color(name).strip('{}')}}}{{{text}}}"
    script = SCRIPTS.get(e.get("baseline-shift", ""), "")
    return f"{script}{{{text}}}" if script else text


def plain(e: Element) -> str:
    """A piece outside of math mode; a sign before digits is a minus, not a hyphen."""
    if e.get("baseline-shift") in SCRIPTS:
        return f"${mathematics(e)}$"
    style = r"\itshape " * (e.get("font-style") == "italic")
    style += r"\bfseries " * (e.get("font-weight") == "bold")
    text = worded(re.sub(r"(?<![\w.])-(?=[\d.])", "−", e.text or ""))
    return f"{{{style}{text}}}" if style else text
