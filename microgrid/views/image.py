"""A picture on a page: as wide as its place at most, light or dark as the page is."""

from __future__ import annotations

import re
from base64 import b64encode
from html import escape
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from microgrid.views.theme import DRAWN, FONT, PALETTE, drawn, lights

SVG = "{http://www.w3.org/2000/svg}"
FIRST = "first operand"  # what the mark at the end of a wire says


def fitted(image: bytes) -> bytes:
    """The engine's SVG, as wide as its place at most; of its titles the readers' alone are kept."""
    text = re.sub(r"<title>.*?</title>\n?", "", image.decode(), flags=re.DOTALL)
    text = re.sub(r'<g [^>]*class="edge first">', rf"\g<0><title>{FIRST}</title>", text)
    return text.replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1).encode()


def as_image(svg: str, alt: str) -> str:
    """The SVG as an image of a page, as wide as its place at most; its colours follow the page."""
    source = coded(themed(tidied(ElementTree.fromstring(svg.encode()))))
    style = lights(".microgrid-picture", "color-scheme:light", "color-scheme:dark")
    look = 'class="microgrid-picture" style="max-width:100%;height:auto"'
    return f'<style>{style}</style><img {look} src="{source}" alt="{escape(alt)}">'


def themed(svg: Element) -> Element:
    """A picture that is light or dark as the page that holds it; of tints, always light."""
    known = {*DRAWN, PALETTE["lit"][0], "none", "transparent", None}
    if all(e.get(key) in known for e in svg.iter() for key in ("fill", "stroke")):
        style = Element("style")
        style.text = "svg{color-scheme:light dark}" + drawn("", either)
        svg.insert(0, style)
    return svg


def either(name: str) -> str:
    return f"light-dark({','.join(PALETTE[name])})"


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
    svg.attrib |= {"xmlns": SVG[1:-1], "font-family": FONT}
    return svg
