"""A picture on a page: as wide as its place at most, light or dark as the page is."""

from __future__ import annotations

import re
from base64 import b64encode
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from microgrid.views.dot_labels import EDGE, FRAME, GROUND, PALE
from microgrid.views.wording import BLUE, GREEN, INK, NOTE, RED

SVG = "{http://www.w3.org/2000/svg}"
LIT = "#ffe08a"  # a gate in turn
FIRST = "first operand"  # what the mark at the end of a wire says
NIGHT = {  # the colours of a picture, and what they are on a dark page
    "white": "#1b1f24", "black": "#f0f3f6", PALE: "#2d3742", EDGE: "#9fb3c8", GROUND: "#22282f",
    FRAME: "#9fb3c8", INK: "#d0d7de", GREEN: "#6fdc8c", RED: "#ff9a91", BLUE: "#8ab8ff",
    NOTE: "#c9a8ff",
}  # fmt: skip


def fitted(image: bytes) -> bytes:
    """The engine's SVG, as wide as its place at most; of its titles the readers' alone are kept."""
    text = re.sub(r"<title>.*?</title>\n?", "", image.decode(), flags=re.DOTALL)
    text = re.sub(r'<g [^>]*class="edge first">', rf"\g<0><title>{FIRST}</title>", text)
    return text.replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1).encode()


def lights(selector: str) -> str:
    """CSS: light or dark as JupyterLab and VS Code are, else as the system is; light on paper."""
    day = ("[data-jp-theme-light=true]", ".vscode-light", ".vscode-high-contrast-light")
    night = ("[data-jp-theme-light=false]", ".vscode-dark",
             ".vscode-high-contrast:not(.vscode-high-contrast-light)")  # fmt: skip
    by_day, by_night = (",".join([f"{x} {selector}" for x in page]) for page in (day, night))
    return (
        f"{selector}{{color-scheme:light}}@media screen{{{selector}{{color-scheme:light dark}}"
        f"{by_day}{{color-scheme:light}}{by_night}{{color-scheme:dark}}}}"
    )


def colors(selector: str) -> str:
    """CSS: the colours of a picture, by day and by night."""
    text = f"{selector} text:not([fill]){{fill:light-dark(black,{NIGHT['black']})}}"
    for day, night in NIGHT.items():
        for key in ("fill", "stroke"):
            text += f'{selector} [{key}="{day}"]{{{key}:light-dark({day},{night})}}'
    return text


def themed(svg: Element) -> Element:
    """A picture that is light or dark as the page that holds it; of tints, always light."""
    known = {*NIGHT, LIT, "none", "transparent", None}
    if all(e.get(key) in known for e in svg.iter() for key in ("fill", "stroke")):
        style = Element("style")
        style.text = f"svg{{color-scheme:light dark}}{colors('svg')}"
        svg.insert(0, style)
    return svg


def coded(svg: Element) -> str:
    """The picture as the source of an image in a page."""
    return f"data:image/svg+xml;base64,{b64encode(ElementTree.tostring(svg, 'utf-8')).decode()}"


def tidied(svg: Element) -> Element:
    """The engine's SVG without what a page does not need, such as a font on each word."""
    for parent in svg.iter():
        # ElementTree would call the namespace ns0, and its table of prefixes is global.
        parent.tag, parent.tail = parent.tag.removeprefix(SVG), None
        parent.text = parent.text if parent.tag in ("text", "title") else None
        parent.attrib.pop("font-family", None)
        if parent.get("class"):
            parent.set("class", re.sub("^(node|cluster) ", "", parent.attrib["class"]))
    svg.attrib |= {"xmlns": SVG[1:-1], "font-family": "Arial,Helvetica,sans-serif"}
    return svg
