"""The backward pass frame by frame: one HTML page, slides, or an animation without a script.

There is one layout. What changes from frame to frame is which of its numbers are seen, which are
new (bold), and which gate and wires are marked: the page, the slides and the animation read that
from the same `Frame` and `Span`.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import os
import re
from collections.abc import Iterator
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from microgrid.engine.numeric import like
from microgrid.engine.value import Value, topological
from microgrid.views.dot_labels import colored, extent, text
from microgrid.views.drawing import draw
from microgrid.views.files import save_by_suffix
from microgrid.views.picture import Picture
from microgrid.views.storyboard import (
    HIDDEN,
    SEEN,
    Frame,
    Move,
    Script,
    Span,
    clean,
    escaped,
    signed,
)
from microgrid.views.wording import GREEN, INK, RED, caption, number

SVG = "{http://www.w3.org/2000/svg}"
LIT, PALE = "#ffe08a", "#f4f7fb"  # a gate in turn, and any other time
SECONDS = 2.0  # of a frame in the animation
MOST = 8  # lines of words beneath a slide; a page shows all
SHOWN = re.compile(rf'<font color="(?:{GREEN}|{RED})">[^<]*</font>')


def steps(
    root: Value, digits: int = 2, engine: str | None = None, prefix: str | None = None
) -> Steps:
    """Root's forward and backward pass, gate by gate; changes no node.

    A notebook shows it in place; `save` writes one HTML page, `save_frames` slides,
    `save_animation` an SVG that moves without a script, and `frames` tells it in words. `digits`
    and `engine` are those of `draw`; `prefix` begins every id, and by default follows from the
    content, so that several can stand on one page.

    >>> x = Value(3.0, "x")
    >>> for frame in steps(x * x).frames[-2:]:
    ...     print(frame.text)
    × is a switcher: local 3.00 × upstream 1.00 = share 3.00 to x, the first of 2 shares
    × is a switcher: local 3.00 × upstream 1.00 = share 3.00 to x; 3.00 + 3.00 = 6.00 in all
    Every gradient is there: x = 6.00
    """
    return Steps(root, digits, engine, prefix)


class Steps:
    """The frames of one pass, and the ways to look at them."""

    def __init__(self, root: Value, digits: int, engine: str | None, prefix: str | None) -> None:
        script = Script(root, digits)
        self.frames, self.spans, self.title = script.frames, script.spans, script.title
        self.rows = [(script.words(row.parent_node), row) for row in script.rows]
        self.digits = digits
        if prefix is None:
            told = repr([(f.lines, f.marks) for f in self.frames])
            prefix = f"s{hashlib.sha256(told.encode()).hexdigest()[:8]}-"
        # The private copy holds the widest number that will stand at each place: nothing moves.
        twin = copy.deepcopy(root)
        for i, v in enumerate(topological(twin)):
            v._grad = script.widest.get(i, like(v, 0))
        self.prefix, self.layout = prefix, draw(twin, digits, engine, prefix, level="gates")
        self._canvas: ElementTree.Element | None = None

    def __repr__(self) -> str:
        return f"<Steps: {len(self.frames)} frames; a notebook shows them, else save(path)>"

    # The page

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write one .html page that needs no server and no network, or the animation as .svg."""
        return save_by_suffix(path, {".html": self.page, ".svg": self.animated_svg})

    def page(self) -> str:
        """The page that `save` writes."""
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta name="color-scheme" content="light dark">\n<title>{escaped(self.title)}'
            "</title>\n<style>body{margin:0 auto;max-width:1180px}\n"
            "@media screen and (prefers-color-scheme:dark){body{background:#1b1f24}}</style>\n"
            f"</head>\n<body>\n{self._repr_html_()}</body>\n</html>\n"
        )

    def _repr_html_(self) -> str:
        """The final picture and the table; where scripts run, the step-through in their place."""
        data = {
            "title": self.title,
            "frames": [
                {"phase": f.phase, "lines": [clean(x) for x in f.lines], "marks": self.marked(f)}
                for f in self.frames
            ],
            "spans": [(id, s.first, s.end) for id, s in self.placed()],
        }
        as_text = json.dumps(data, separators=(",", ":")).replace("<", r"\u003c")
        fields = {
            "prefix": self.prefix,
            "image": base64.b64encode(serialized(self.canvas())).decode(),
            "width": f"{float(self.canvas().attrib['width'][:-2]) * 4 / 3:.0f}",
            "alt": escaped(f"{self.title}: all values and gradients"),
            "table": self.table(),
            "data": as_text,
        }
        template = Path(__file__).with_name("stepper.html").read_text(encoding="utf-8")
        return re.sub("@@([a-z]+)@@", lambda match: fields[match[1]], template)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> Any:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}

    def table(self) -> str:
        """The rows as an HTML table."""
        head = ("gate", "role", "to", "local", "upstream", "share", "total so far")
        lines = [
            "".join(
                f"<td>{escaped(cell)}</td>"
                for cell in (
                    caption(row.child_node),
                    row.role,
                    receiver,
                    *(self.number(x) for x in (row.local, row.upstream, row.share, row.total)),
                )
            )
            for receiver, row in self.rows
        ]
        body = "".join(f"<tr>{line}</tr>\n" for line in lines)
        cells = "".join(f'<th scope="col">{name}</th>' for name in head)
        return f"<table><thead><tr>{cells}</tr></thead>\n<tbody>\n{body}</tbody></table>"

    def number(self, x: Any) -> str:
        return signed(number(x, self.digits))

    # The picture as an SVG whose numbers and marks have ids

    def canvas(self) -> ElementTree.Element:
        """The layout with every number of every frame in it; those of the last are visible."""
        if self._canvas is None:
            self._canvas = plain(ElementTree.fromstring(self.layout.pipe("svg")))
            self._canvas.set("id", f"{self.prefix}svg")
            spans = {place: list(group) for place, group in groupby(self.spans, lambda s: s.place)}
            for group in self._canvas.iter("g"):
                name = group.get("id", "").removeprefix(self.prefix)
                if name in spans:
                    self.fill(group, spans[name])
                if group.get("class") == "gate":
                    group.append(pointer(group))
        return self._canvas

    def fill(self, group: ElementTree.Element, spans: list[Span]) -> None:
        """Replace the numbers of a wire or a branch by one element for each of its spans."""
        old = {t.get("fill"): t for t in group.iter("text") if t.get("fill")}
        middle = center(group)
        for i, span in enumerate(spans):
            if span.color not in old:
                continue
            new = copy.deepcopy(old[span.color])
            new.text = span.shown
            new.set("id", f"{self.prefix}{span.place}_{i}")
            if span.color == RED and middle is not None:
                new.set("x", f"{middle:g}")
                new.set("text-anchor", "middle")
            if span.end < len(self.frames):
                new.set("visibility", "hidden")
            group.append(new)
        for element in old.values():
            group.remove(element)

    def placed(self) -> list[tuple[str, Span]]:
        """The spans that have a place in the picture, with their ids; folded blocks have none."""
        numbered = [
            (f"{self.prefix}{place}_{i}", span)
            for place, group in groupby(self.spans, lambda s: s.place)
            for i, span in enumerate(group)
        ]
        return [(id, span) for id, span in numbered if id in self.ids]

    def marked(self, frame: Frame) -> list[str]:
        return [self.prefix + m for m in frame.marks if self.prefix + m in self.ids]

    @cached_property
    def ids(self) -> set[str]:
        return {e.get("id", "") for e in self.canvas().iter()}

    # Without a script

    def animated_svg(self) -> str:
        """An SVG that plays the frames over and over; it stands still for who wants no motion."""
        svg, count = copy.deepcopy(self.canvas()), len(self.frames)
        times = count + 2  # the last frame stays three times as long
        rules: dict[str, list[str]] = {}  # keyframes: the elements that follow them
        moves = [*self.numbers_appear(), *self.marks_wander()]
        for k, line in enumerate(self.captions(svg)):
            line.set("id", f"{self.prefix}line{k}")
            looks = {0: HIDDEN, k + 1: HIDDEN, k: SEEN}
            moves.append(
                (f"#{self.prefix}line{k}", looks if k + 1 < count else {0: HIDDEN, k: SEEN})
            )
        for selector, looks in moves:
            stops = [f"{100 * k / times:.4g}%{{{looks[k]}}}" for k in sorted(looks)]
            rules.setdefault("".join(stops), []).append(f"#{self.prefix}svg {selector}")
        css = []
        for i, (stops_, selectors) in enumerate(rules.items()):
            name, time = f"{self.prefix}k{i}", f"{times * SECONDS:g}s"
            css.append(f"@keyframes {name}{{{stops_}}}")
            css.append(f"{','.join(selectors)}{{animation:{name} {time} step-end infinite}}")
        still = f"#{self.prefix}svg *{{animation:none!important}}"
        css.append(f"@media (prefers-reduced-motion:reduce){{{still}}}")
        style = ElementTree.Element("style")
        style.text = "\n".join(css)
        svg.insert(0, style)
        return serialized(svg).decode()

    def numbers_appear(self) -> Iterator[Move]:
        """Each number is bold in the first frame that has it, and gone after the last."""
        for id, span in self.placed():
            new = 0 < span.first < len(self.frames) - 1
            looks = {0: HIDDEN, span.first + 1: f"{SEEN};font-weight:normal"} if new else {}
            looks[span.first] = f"{SEEN};font-weight:{'bold' if new else 'normal'}"
            if span.end < len(self.frames):
                looks[span.end] = HIDDEN
            yield f"#{id}", {0: HIDDEN} | looks

    def marks_wander(self) -> Iterator[Move]:
        """The gate in turn has a pointer, a thick outline and light, and its wires are thick."""
        turns: dict[str, list[int]] = {}
        for k, frame in enumerate(self.frames):
            for id in self.marked(frame):
                turns.setdefault(id, []).append(k)
        gates = {self.prefix + frame.marks[0] for frame in self.frames if frame.marks}
        for id, when in turns.items():
            if id in gates:
                yield f"#{id} .pointer", pulses(when, HIDDEN, dict.fromkeys(when, SEEN))
                off, on = f"fill:{PALE};stroke-width:1", f"fill:{LIT};stroke-width:3"
                yield f'#{id}>[fill="{PALE}"]', pulses(when, off, dict.fromkeys(when, on))
            else:
                ink = {k: self.frames[k].ink for k in when}
                thick = {k: f"stroke-width:2.6;stroke:{ink[k]}" for k in when}
                yield f"#{id} path", pulses(when, f"stroke-width:1;stroke:{INK}", thick)

    def captions(self, svg: ElementTree.Element) -> list[ElementTree.Element]:
        """Room beneath the picture with the words of each frame in it; the last are visible."""
        slides = [self.slide(f) for f in self.frames]
        wide = max(extent(line, 12) for lines in slides for line in lines) + 16
        left, top, width, height = map(float, svg.attrib["viewBox"].split())
        room, broad = 18 * max(map(len, slides)) + 8, max(width, wide)
        svg.set("viewBox", f"{left:g} {top:g} {broad:g} {height + room:g}")
        svg.set("width", f"{broad:g}pt")
        svg.set("height", f"{height + room:g}pt")
        paper = {"x": "0", "y": "0", "width": f"{broad:g}", "height": f"{height + room:g}"}
        svg.insert(0, ElementTree.Element("rect", {**paper, "fill": "white"}))
        groups = []
        for k, lines in enumerate(slides):
            look = {} if k == len(slides) - 1 else {"visibility": "hidden"}
            group = ElementTree.SubElement(svg, "g", {"font-size": "12", **look})
            for i, line in enumerate(lines):
                at = {"x": "8", "y": f"{height + 14 + 18 * i:g}"}
                ElementTree.SubElement(group, "text", at).text = clean(line)
            groups.append(group)
        return groups

    def slide(self, frame: Frame) -> list[str]:
        """The words that fit beneath a picture."""
        lines = list(frame.lines)
        return lines if len(lines) <= MOST else [*lines[: MOST - 1], f"… {len(lines)} lines in all"]

    def save_animation(self, path: str | os.PathLike[str]) -> None:
        """Write `animated_svg()`, for a README."""
        save_by_suffix(path, {".svg": self.animated_svg})

    # Slides: DOT again, since only a layout engine makes PNG

    def save_frames(self, folder: str | os.PathLike[str], dpi: int = 192) -> list[Path]:
        """Write frame-01.svg, frame-01.png, … into a folder (made if need be): all of one size."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        written_to = []
        for k in range(len(self.frames)):
            picture = self.picture(k)
            name = f"frame-{k + 1:0{max(2, len(str(len(self.frames))))}}"
            for kind in ("svg", "png"):
                path = Path(folder) / f"{name}.{kind}"
                path.write_bytes(picture.pipe(kind, dpi=72 if kind == "svg" else dpi))
                written_to.append(path)
        return written_to

    def picture(self, k: int) -> Picture:
        """Frame k as a picture with its words beneath."""
        frame, picture = self.frames[k], copy.copy(self.layout)
        seen = {(s.place, s.color): s for s in self.spans if s.first <= k < s.end}
        marks = {m: i for i, m in enumerate(frame.marks)}

        def redrawn(line: str) -> str:
            found = re.search(r'[ \[]id="?([\w-]+)"?[^<>]*$', line)
            name = found[1].removeprefix(self.prefix) if found else ""

            def shown(match: re.Match[str]) -> str:
                span = seen.get((name, GREEN if GREEN in match[0] else RED))
                if span is None:
                    return ""
                new = k == span.first and 0 < k < len(self.frames) - 1
                return colored(span.color, f"<b>{span.shown}</b>" if new else span.shown)

            line = SHOWN.sub(shown, line)
            if marks.get(name) == 0:
                # A penwidth would make the picture a point higher, setlinewidth does not.
                thick = re.sub(r'style="?([a-z,]*filled)"?', r'style="\1,setlinewidth(3)"', line)
                return thick.replace(f'fillcolor="{PALE}"', f'fillcolor="{LIT}"')
            if name in marks:
                return re.sub(r"\]\s*$", f' penwidth=2.6 color="{frame.ink}"]\n', line)
            return line

        picture.body = [redrawn(line) for line in self.layout.body]
        slides = [self.slide(f) for f in self.frames]
        wide = max(extent(line, 12) for lines in slides for line in lines)
        words = '<br align="left"/>'.join([*map(text, slides[k]), ""])
        room = f'fixedsize="true" width="{wide}" height="{18 * max(map(len, slides))}"'
        cell = f'<td {room} align="left" valign="top" balign="left">{words}</td>'
        label = f'<<table border="0" cellborder="0"><tr>{cell}</tr></table>>'
        picture.attr(label=label, labelloc="b", labeljust="l", fontname="Arial", fontsize="12")
        return picture


# SVG


def plain(svg: ElementTree.Element) -> ElementTree.Element:
    """The engine's SVG without what a page has no use for: tooltips, and a font on each word."""
    for parent in svg.iter():
        # ElementTree would call the namespace ns0, and its table of prefixes is global.
        parent.tag, parent.tail = parent.tag.removeprefix(SVG), None
        for title in parent.findall(f"{SVG}title"):
            parent.remove(title)
        if parent.tag != "text":
            parent.text = None
        else:
            parent.attrib.pop("font-family", None)
        if parent.get("class"):
            parent.set("class", parent.attrib["class"].split()[-1])
    svg.set("xmlns", "http://www.w3.org/2000/svg")
    svg.set("font-family", "Arial,Helvetica,sans-serif")
    return svg


def serialized(svg: ElementTree.Element) -> bytes:
    data: bytes = ElementTree.tostring(svg, encoding="utf-8")
    return data


def center(group: ElementTree.Element) -> float | None:
    """The middle of a wire's line; None for a branch, whose number stays where it was put."""
    xs = [
        float(point.split(",")[0])
        for bar in group.findall("polygon")
        if group.get("class") == "wire"
        for point in bar.attrib["points"].split()
    ]
    return (min(xs) + max(xs)) / 2 if xs else None


def pointer(gate: ElementTree.Element) -> ElementTree.Element:
    """A triangle above a gate: which gate is lit must be seen without colours, too."""
    circle = gate.find("ellipse")
    if circle is not None:
        x, top = (
            float(circle.attrib["cx"]),
            float(circle.attrib["cy"]) - float(circle.attrib["ry"]),
        )
    else:
        path = next(p for p in gate.iter("path"))
        points = [
            tuple(map(float, p)) for p in re.findall(r"([-\d.]+),([-\d.]+)", path.attrib["d"])
        ]
        x = (min(p[0] for p in points) + max(p[0] for p in points)) / 2
        top = min(p[1] for p in points)
    d = f"M{x - 5:g},{top - 10:g}h10l-5,7z"
    return ElementTree.Element("path", {"class": "pointer", "d": d, "visibility": "hidden"})


def pulses(when: list[int], off: str, on: dict[int, str]) -> dict[int, str]:
    """A look that is on in some frames only."""
    return {0: off} | {k + 1: off for k in when} | on
