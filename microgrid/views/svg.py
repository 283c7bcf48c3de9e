"""The picture of a film as SVG: with the numbers of all frames, at rest or moving."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from microgrid.views.dot_labels import PALE, extent
from microgrid.views.image import tidied
from microgrid.views.storyboard import Frame, Lifetime
from microgrid.views.theme import PALETTE
from microgrid.views.wording import GREEN, INK, RED, printable

LIT = PALETTE["lit"][0]  # a gate in turn
HIDDEN, SEEN = "visibility:hidden", "visibility:visible"
SECONDS = 2.0  # of a frame
Move = tuple[str, list[str]]  # a selector, and its look in each frame


def with_all_numbers(
    image: bytes, prefix: str, lifetimes: Iterable[Lifetime], frames: list[Frame],
    rows: Mapping[str, Sequence[str]],
) -> Element:  # fmt: skip
    """The picture with the numbers of all frames in it; those seen until the end are visible.

    `rows` are the places of numbers in the rows of a box, by its id.
    """
    svg = tidied(ElementTree.fromstring(image))
    svg.set("id", f"{prefix}svg")
    by_place: dict[str, list[Lifetime]] = {}
    for life in lifetimes:
        by_place.setdefault(life.place, []).append(life)
    sent = {mark for frame in frames if frame.ink == RED for mark in frame.branches}
    for group in svg.iter("g"):
        id = group.get("id", "").removeprefix(prefix)
        places = [by_place.get(place, []) for place in rows.get(id, [id])]
        fill(group, prefix, places, len(frames))
        if group.get("class") == "gate":
            group.append(pointer(group))
        if id in sent and group.find("polygon") is not None:
            group.append(turned(group))
    return svg


def fill(group: Element, prefix: str, places: list[list[Lifetime]], end: int) -> None:
    """Replace the number of each place of a wire, a branch or a box, and of each colour, by one
    element for each lifetime.
    """
    corners = [bar.attrib["points"] for bar in group.findall("polygon")]  # of a wire's line
    xs = [float(x) for x in re.findall(r"\S+(?=,)", " ".join(corners))]
    named = any(text.get("fill") is None for text in group.iter("text"))
    for color in dict.fromkeys(life.color for lives in places for life in lives):
        old = [text for text in group.iter("text") if text.get("fill") == color]
        centered = group.get("class") == "wire" and not (color == GREEN and named)
        for text, lives in zip(old, places):  # a share may have no number
            for life in [life for life in lives if life.color == color]:
                new = copy.deepcopy(text)
                new.text = life.shown
                new.set("id", prefix + life.id)
                if centered:  # a branch's number stays, and one behind a name
                    new.attrib |= {"x": f"{(min(xs) + max(xs)) / 2:g}", "text-anchor": "middle"}
                if life.end < end:
                    new.set("visibility", "hidden")
                group.append(new)
            group.remove(text)


def pointer(gate: Element) -> Element:
    """A triangle above a gate: which gate is lit must be seen without colours, too."""
    circle = gate.find("ellipse")
    if circle is not None:
        cx, cy, ry = (float(circle.attrib[key]) for key in ("cx", "cy", "ry"))
        xs, ys = [cx], [cy - ry]
    else:
        corners = points(next(gate.iter("path")).attrib["d"])
        xs, ys = [p.real for p in corners], [p.imag for p in corners]
    x, top = (min(xs) + max(xs)) / 2, min(ys)
    d = f"M{x - 5:g},{top - 10:g}h10l-5,7z"
    return Element("path", {"class": "pointer", "d": d, "visibility": "hidden"})


def turned(edge: Element) -> Element:
    """The arrow of a wire turned round where it stands: hidden until a gradient is sent."""
    first, tip, second = points(next(edge.iter("polygon")).attrib["points"])[:3]
    half, along = first - second, (first + second) / 2 - tip
    corners = (tip + 2 * along, tip + half, tip - half)  # larger: a thick line ends there
    d = f"M{'L'.join(map(placed, corners))}Z"
    look = {"fill": RED, "stroke": RED, "visibility": "hidden"}
    return Element("path", {"class": "turned", "d": d, **look})


def points(text: str) -> list[complex]:
    return [complex(float(x), float(y)) for x, y in re.findall(r"([-\d.]+),([-\d.]+)", text)]


def placed(point: complex) -> str:
    return f"{point.real:.5g},{point.imag:.5g}"


# Without a script: CSS shows, hides and marks the elements.


def animated(
    svg: Element, prefix: str, frames: list[Frame], numbers: list[tuple[str, Lifetime]]
) -> str:
    """The frames over and over; the film stands still for those who want no motion.

    `svg` holds the numbers of all frames, under these ids.
    """
    svg, rules = copy.deepcopy(svg), dict[str, list[str]]()  # keyframes: who follows them
    times = len(frames) + 2  # the last frame stays three times as long
    moves = numbers_appear(numbers, frames), marks_wander(prefix, frames)
    for selector, looks in chain(*moves, words(svg, prefix, frames)):
        changes = [k for k, look in enumerate(looks) if not k or look != looks[k - 1]]
        stops = "".join([f"{100 * k / times:.4g}%{{{looks[k]}}}" for k in changes])
        rules.setdefault(stops, []).append(f"#{prefix}svg {selector}")
    style = Element("style")
    style.text = ""
    for i, (stops, selectors) in enumerate(rules.items()):
        move = f"{prefix}k{i} {times * SECONDS:g}s step-end infinite"
        style.text += f"@keyframes {prefix}k{i}{{{stops}}}\n"
        style.text += f"{','.join(selectors)}{{animation:{move}}}\n"
    still = f"#{prefix}svg *{{animation:none!important}}"
    style.text += f"@media (prefers-reduced-motion:reduce){{{still}}}"
    svg.insert(0, style)
    return ElementTree.tostring(svg, encoding="unicode")


def numbers_appear(numbers: list[tuple[str, Lifetime]], frames: list[Frame]) -> Iterator[Move]:
    """Each number is bold in the first frame that has it, and gone after the last."""
    for id, life in numbers:
        looks = [HIDDEN] * len(frames)
        looks[life.first : life.end] = [f"{SEEN};font-weight:normal"] * (life.end - life.first)
        if 0 < life.first < len(frames) - 1:
            looks[life.first] = f"{SEEN};font-weight:bold"
        yield f"#{id}", looks


def marks_wander(prefix: str, frames: list[Frame]) -> Iterator[Move]:
    """The gate in turn has a pointer, a thick outline and light, and its wires are thick."""
    gates = {frame.marks[0] for frame in frames if frame.marks}
    for mark in dict.fromkeys(mark for frame in frames for mark in frame.marks):
        marked = [(mark in frame.marks, frame.ink) for frame in frames]
        if mark in gates:
            off, on = f"fill:{PALE};stroke-width:1", f"fill:{LIT};stroke-width:3"
            yield f"#{prefix}{mark} .pointer", [SEEN if lit else HIDDEN for lit, _ in marked]
            yield f'#{prefix}{mark}>[fill="{PALE}"]', [on if lit else off for lit, _ in marked]
        else:
            looks = [(2.6, ink) if thick else (1, INK) for thick, ink in marked]
            back = [thick and ink == RED for thick, ink in marked]
            wire = f"#{prefix}{mark}"
            if mark[0] == "n":
                yield (
                    f"{wire} polygon",
                    [f"stroke:{ink};fill:{ink};stroke-width:{w - 1:g}" for w, ink in looks],
                )
                continue
            yield (
                f"{wire} path:not(.turned)",
                [f"stroke-width:{w};stroke:{ink}" for w, ink in looks],
            )
            if any(back):
                yield f"{wire} .turned", [SEEN if sent else HIDDEN for sent in back]
                yield f"{wire} polygon", [HIDDEN if sent else SEEN for sent in back]


def words(svg: Element, prefix: str, frames: list[Frame]) -> Iterator[Move]:
    """Room beneath the picture with the words of each frame in it; the last are visible."""
    slides = [frame.few_lines for frame in frames]
    wide = max(extent(line, 12) for lines in slides for line in lines) + 16
    left, top, width, height = map(float, svg.attrib["viewBox"].split())
    broad, tall = f"{max(width, wide):g}", f"{height + 18 * max(map(len, slides)) + 8:g}"
    svg.set("viewBox", f"{left:g} {top:g} {broad} {tall}")
    svg.attrib.update(width=f"{broad}pt", height=f"{tall}pt")
    svg.insert(0, Element("rect", x="0", y="0", width=broad, height=tall, fill="white"))
    for k, lines in enumerate(slides):
        look = {} if k == len(slides) - 1 else {"visibility": "hidden"}
        group = SubElement(svg, "g", {"font-size": "12", "id": f"{prefix}line{k}", **look})
        for i, line in enumerate(lines):
            y = f"{height + 14 + 18 * i:g}"
            SubElement(group, "text", x="8", y=y).text = printable(line)
        yield f"#{prefix}line{k}", [SEEN if i == k else HIDDEN for i in range(len(frames))]
