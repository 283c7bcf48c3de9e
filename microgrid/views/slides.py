r"""The frames of a film as slides: SVG and PNG, one PDF, and one Beamer file with overlays."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from xml.etree import ElementTree

from microgrid.engine.errors import ParameterError
from microgrid.engine.settings import number, whole
from microgrid.views.dot_labels import extent, text
from microgrid.views.files import write
from microgrid.views.film import Film
from microgrid.views.formula import worded
from microgrid.views.pdf import pages
from microgrid.views.picture import Picture
from microgrid.views.storyboard import Frame
from microgrid.views.svg import LIT
from microgrid.views.theme import DRAWN, PALETTE
from microgrid.views.tikz import PACKAGES, Groups, environment, groups
from microgrid.views.wording import printable

HEIGHT, MARGIN = 540, 24  # points of a slide: 16:9 is 960 wide, as other programs have it
LINE = 1.3  # from one line of words to the next, in sizes of its letters
WORDS = range(24, 17, -1)  # points on a slide: the largest that need no more lines than the last
LEAST_WORDS = 14  # points, where there are many words
MOST_WORDS = 0.42  # of the height of a slide, unless they would be smaller than that
ROOMY = 1.12  # how much `extent` says too much
LARGEST = 2.0  # times as large as elsewhere
MEANT = {**DRAWN, LIT: "lit", "white": "background"}
PAGE = {"words": "fg", "background": "bg"}  # as the theme calls them
LISTS = ("start", "done")  # the phases of frames that list the numbers at the leaves
KINDS = ("svg", "png", "pdf", "tex")
COLORS = (*dict.fromkeys(MEANT.values()), "words")  # all that a picture is made of, and the words
NO_COLORS: Mapping[str, str] = MappingProxyType({})
CHOICES: dict[str, Callable[[Frame, Sequence[Frame]], bool]] = {
    "all": lambda frame, frames: True,
    # From where derivatives set out.
    "backward": lambda frame, frames: frame.phase in ("seed", "backward", "done"),
    # In which a gate passes a derivative on.
    "gates": lambda frame, frames: frame.phase == passing(frames),
    # The forward pass in one, then gate by gate.
    "lecture": lambda frame, frames: frame.phase != "forward" or passing(frames) == "forward"
    or frame is [f for f in frames if f.phase == "forward"][-1],
}  # fmt: skip


def save_frames(
    film: Film, folder: str | os.PathLike[str], dpi: int = 192, *,
    frames: str | int | Iterable[int] = "all", kinds: Collection[str] | str = ("svg", "png"),
    aspect: str | float | None = None, font_size: float | None = None, captions: bool = True,
    colors: Mapping[str, str] | str = NO_COLORS,
) -> list[Path]:  # fmt: skip
    """Write the slides into a folder, which is made if need be; the paths."""
    numbers, kinds = chosen(film.frames, frames), checked_kinds(kinds)
    slides = Slides(film, numbers, aspect, font_size, captions, colors)
    shape = "16:9" if aspect is None else aspect  # a Beamer file has one
    folder, digits = Path(folder), max(2, len(str(len(film.frames))))
    folder.mkdir(parents=True, exist_ok=True)
    makers: dict[str, Callable[[], bytes]] = {}
    for k in numbers:
        name = f"frame-{k + 1:0{digits}}"
        makers[f"{name}.svg"] = partial(slides.svg, k)
        makers[f"{name}.png"] = partial(slides.png, k, dpi)
    makers["slides.pdf"] = lambda: pages([slides.svg(k) for k in numbers])
    shaped = partial(Slides, film, numbers, shape, font_size, captions, colors)
    makers["slides.tex"] = lambda: shaped().beamer().encode()
    paths = [folder / name for name in makers if name.rpartition(".")[2] in kinds]
    for path in paths:
        write(path, makers[path.name]())
    return paths


def checked_kinds(kinds: Collection[str] | str) -> list[str]:
    """The kinds of files; ParameterError for another."""
    found = [
        kind.strip().lstrip(".") for kind in (kinds.split(",") if isinstance(kinds, str) else kinds)
    ]
    for kind in found:
        if kind not in KINDS:
            raise ParameterError(f"slides of kind {kind!r}: there are {', '.join(KINDS)}")
    return found


def chosen(frames: Sequence[Frame], which: str | int | Iterable[int]) -> list[int]:
    """The indices of frames: by a word, or by their numbers from 1 on, such as "1,10-19".

    ParameterError for what is neither, and where nothing is left.
    """
    if isinstance(which, str) and which in CHOICES:
        found = [k for k, frame in enumerate(frames) if CHOICES[which](frame, frames)]
    elif isinstance(which, str):
        found = []
        for piece in which.split(","):
            if not (match := re.fullmatch(r"\s*(\d+)\s*(?:[-–]\s*(\d*)\s*)?", piece)):
                known = ", ".join(CHOICES)
                raise ParameterError(
                    f"frames {which!r}: there are {known}, and numbers as in 1,10-19"
                )
            first, last = match.groups()
            begin, stop = int(first), int(first if last is None else last or len(frames))
            found += range(begin - 1, min(stop, begin + len(frames)))  # one beyond is enough
    else:
        found = [whole("frames", k, 1) - 1 for k in ([which] if isinstance(which, int) else which)]
    if outside := [k + 1 for k in found if not 0 <= k < len(frames)]:
        raise ParameterError(f"frame {outside[0]}: the film has frames 1 to {len(frames)}")
    if not found:
        raise ParameterError(f"frames {which!r}: the film has none of these")
    return list(dict.fromkeys(found))


def passing(frames: Sequence[Frame]) -> str:
    """The phase in which derivatives are passed on: backward, or in forward mode forward."""
    return "backward" if any(frame.phase == "backward" for frame in frames) else "forward"


def width_of(aspect: str | float) -> float:
    """The width of a slide of this shape, such as "16:9"; ParameterError for what is none."""
    match = re.fullmatch(r"\s*([\d.]+)\s*[:/x×]\s*([\d.]+)\s*", str(aspect))
    try:
        ratio = float(match[1]) / float(match[2]) if match else float(aspect)
    except (ValueError, TypeError, ZeroDivisionError):
        ratio = 0.0
    if not 0.5 <= ratio <= 4:
        raise ParameterError(f"aspect {aspect!r}: it is width to height, such as 16:9 or 4:3")
    return HEIGHT * ratio


def changed_colors(colors: Mapping[str, str] | str) -> dict[str, str]:
    """Colours by what they mean; ParameterError for an unknown meaning or for no colour."""
    if isinstance(colors, str):
        if colors not in ("light", "dark"):
            raise ParameterError(f"colors {colors!r}: there are light, dark, and colours by name")
        return (
            {name: PALETTE[PAGE.get(name, name)][1] for name in COLORS} if colors == "dark" else {}
        )
    for name, color in colors.items():
        if name not in COLORS:
            raise ParameterError(f"color {name!r}: there are {', '.join(COLORS)}")
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", str(color)):
            raise ParameterError(f"color {name}={color!r}: a colour is written like #0072b2")
    return {name: color.lower() for name, color in colors.items()}


class Slides:
    """How some frames of a film are shown.

    Without `aspect` each slide is as large as its picture. With it, a slide is 540 points high, the
    picture as large as it can be, and the words beneath have `font_size` points, by default 18 to
    24, or down to 14 where they would need more than 42 % of the height. A film that has blocks
    shows the one whose gate is in turn, and the others as boxes.
    """

    def __init__(
        self, film: Film, numbers: Sequence[int], aspect: str | float | None = None,
        font_size: float | None = None, captions: bool = True,
        colors: Mapping[str, str] | str = NO_COLORS,
    ) -> None:  # fmt: skip
        if font_size is not None and not 4 <= number("font_size", font_size, "above 0") <= 100:
            raise ParameterError(f"font_size {font_size!r}: it is a number of points from 4 to 100")
        self.film, self.numbers, self.captions = film, numbers, captions
        self.width = None if aspect is None else width_of(aspect)
        self.colors = changed_colors(colors)
        self.size: float = font_size or (12 if aspect is None else WORDS[-1])
        if self.width and font_size is None:
            lines = self.most_lines
            for self.size in WORDS:
                if self.most_lines == lines:
                    break
        room = MOST_WORDS * HEIGHT
        while self.width and self.size > LEAST_WORDS and self.height_of_words > room:
            self.size -= 1
        self.fits: dict[int, tuple[str, float]] = {}  # of each view that was asked for

    # The words beneath a picture

    def lines(self, k: int) -> list[str]:
        """The words of frame k, in lines that fit on the slide."""
        return [
            line if i == 0 or self.width is None else f"   {line}"
            for lines in self.paragraphs(k) for i, line in enumerate(lines)
        ]  # fmt: skip

    def paragraphs(self, k: int) -> list[list[str]]:
        """What is said in frame k, each in lines that fit; a list of what the picture shows, too,
        takes no more room than the words of other frames do.
        """
        found, frame = self.broken(k), self.film.frames[k]
        if frame.phase in LISTS and self.most:
            for lines in found:
                if len(lines) > self.most:
                    lines[self.most - 1 :] = [f"{lines[self.most - 1].rpartition(',')[0]}, …"]
        return found

    def broken(self, k: int) -> list[list[str]]:
        """What is said in frame k, each in lines that fit on the slide."""
        lines = self.film.frames[k].few_lines
        if self.width is None:
            return [[line] for line in lines]
        room, found = (self.width - 2 * MARGIN) * ROOMY, list[list[str]]()
        for line in lines:
            begin, *others = re.split("(?<!=) (?![=(])", line)
            found.append([begin])
            for word in others:
                longer = f"{found[-1][-1]} {word}"
                if extent(longer, 100) * self.size > 100 * room:
                    found[-1].append(word)
                else:
                    found[-1][-1] = longer
        return found

    @property
    def most(self) -> int:
        """How many lines frames have that do more than list numbers; 0 where there are none."""
        frames = [k for k in self.numbers if self.film.frames[k].phase not in LISTS]
        return max([sum(map(len, self.broken(k))) for k in frames], default=0)

    @property
    def height_of_words(self) -> float:
        """Room for the words of every frame."""
        return LINE * self.size * self.most_lines * self.captions

    @property
    def most_lines(self) -> int:
        """How many lines of words the frames have at most."""
        return max(len(self.lines(k)) for k in self.numbers)

    # The pictures

    def svg(self, k: int) -> bytes:
        image: bytes = self.picture(k).pipe("svg")
        return image

    def png(self, k: int, dpi: int) -> bytes:
        image: bytes = self.picture(k).pipe("png", dpi=dpi)
        return image

    def picture(self, k: int) -> Picture:
        """Frame k, counted from 0, with its words beneath."""
        picture, zoom = self.bare(k, self.colors), 1.0
        if self.width is not None:
            _, zoom = self.fit(self.film.view(k))
            picture.attr(viewport=f"{self.width:g},{HEIGHT},{zoom:.4f}")
        if self.captions:
            every = [line for number in self.numbers for line in self.lines(number)]
            wide = max(extent(line, 12) for line in every) * self.size / 12
            room = self.width - 2 * MARGIN if self.width else wide
            words = '<br align="left"/>'.join([*map(text, self.lines(k)), ""])
            look = f'width="{room / zoom:.0f}" height="{self.height_of_words / zoom:.0f}"'
            look += ' fixedsize="true" align="left" valign="top" balign="left"'
            cell = f'<table border="0" cellborder="0"><tr><td {look}>{words}</td></tr></table>'
            font = {"fontname": "Arial", "fontsize": f"{self.size / zoom:.4g}"}
            if "words" in self.colors:
                font["fontcolor"] = self.colors["words"]
            picture.attr(label=f"<{cell}>", labelloc="b", labeljust="l", **font)
        return picture

    def bare(self, k: int, colors: Mapping[str, str], apart: str = "") -> Picture:
        """Frame k without words; on a slide its numbers are large and its gates close together."""
        picture = self.film.picture(k, self.film.view(k))
        body = "".join(picture.body)
        if self.width is not None:
            body = re.sub(
                r"(label=<[^<>\n]{1,3}> .* shape=circle .*)width=0.5\b", r"\1width=0.44", body
            )
            body = body.replace(" fontsize=12 ", f" fontsize={self.number_size} ", 1)
        if "words" in self.colors:  # a gate in turn is light, whatever the words are
            ink = PALETTE["on-lit"][0]
            body = body.replace(f'fillcolor="{LIT}"', f'fillcolor="{LIT}" fontcolor="{ink}"')
        picture.body[:] = [recolored(body, colors)]
        if self.width is not None:
            picture.attr(ranksep="0.02", nodesep=apart or self.fit(self.film.view(k))[0])
        return picture

    @cached_property
    def number_size(self) -> int:
        """The size of numbers in a picture: larger ones, where all of them fit in a wire."""
        board, (*_, root) = self.film.board, self.film.board.order
        named = any(v.op and v.label for v in board.order if v is not root)
        numbers = [shown for life in board.numbers.values() for shown in life.values()]
        return 12 if named or max(extent(shown, 14) for shown in numbers) > 42 else 14

    def fit(self, view: int) -> tuple[str, float]:
        """How far apart rows stand, in inches, and how much larger a view is on its slides."""
        if view not in self.fits:
            assert self.width is not None
            wide, high = self.width - 2 * MARGIN, HEIGHT - 2 * MARGIN - self.height_of_words
            k, found = [k for k in self.numbers if self.film.view(k) == view][-1], []
            for apart in ("0.5", "0.3", "0.12"):
                width, height = size_of(self.bare(k, NO_COLORS, apart).pipe("svg"))
                found.append((min(wide / width, high / height, LARGEST), apart))
            zoom = max(zoom for zoom, _ in found)
            best = next(apart for z, apart in found if z > 0.98 * zoom)
            self.fits[view] = best, 0.98 * zoom
        return self.fits[view]

    # One file for LaTeX

    def beamer(self) -> str:
        """A Beamer file: one frame whose overlays are the slides; colours are set at its top."""
        ratio = (self.width or HEIGHT) / HEIGHT
        aspect, paper_width, paper_height = PAPERS[min(PAPERS, key=lambda x: abs(x - ratio))]
        scale = paper_height / HEIGHT
        wide = paper_width - 2 * scale * MARGIN
        high = paper_height - 48 - scale * self.height_of_words
        views: dict[int, list[int]] = {}  # the slides of each
        for i, k in enumerate(self.numbers, 1):
            views.setdefault(self.film.view(k), []).append(i)
        pictures = list[str]()
        for slides in views.values():
            drawn = {i: self.bare(self.numbers[i - 1], NO_COLORS).pipe("svg") for i in slides}
            width, height = size_of(drawn[slides[-1]])
            larger = 0.98 * min(wide / width, high / height, LARGEST * scale)
            lines = overlaid({i: groups(svg) for i, svg in drawn.items()})
            picture = f"\\scalebox{{{larger:.3f}}}{{%\n{environment(lines, self.colors)}}}"
            pictures.append(rf"\only<{spans(slides)}>{{{picture}}}" if len(views) > 1 else picture)
        words = ""
        for i, k in enumerate(self.numbers, 1) if self.captions else ():
            said = r"\par ".join([worded(" ".join(lines)) for lines in self.paragraphs(k)])
            words += f"\\only<{i}>{{{said}}}%\n"
        defined = [
            rf"\definecolor{{{k}}}{{HTML}}{{{x[1:].upper()}}}" for k, x in self.colors.items()
        ]
        background = r"\setbeamercolor{background canvas}{bg=background}" * (
            "background" in self.colors
        )
        foreground = r"\setbeamercolor{normal text}{fg=words}\setbeamercolor{frametitle}{fg=words}"
        foreground *= "words" in self.colors
        pieces = {
            "ASPECT": aspect,
            "COLORS": "\n".join([*defined, background, foreground]),
            "TITLE": worded(printable(self.film.title)),
            "PICTURE": "%\n".join(pictures),
            "SIZE": f"{scale * self.size:.1f}bp", "LINE": f"{scale * self.size * 1.2:.1f}bp",
            "MARGIN": f"{scale * MARGIN:.1f}bp",
            "HEIGHT": f"{scale * self.height_of_words:.0f}bp",
            "WORDS": words.rstrip(),
        }  # fmt: skip
        return re.sub("@([A-Z]+)@", lambda found: pieces[found[1]], BEAMER)


def recolored(dot: str, colors: Mapping[str, str]) -> str:
    """DOT text with other colours."""
    changed = {f'"{color}"': f'"{colors[name]}"' for color, name in MEANT.items() if name in colors}
    if changed:
        dot = re.sub("|".join(changed), lambda found: changed[found[0]], dot)
    if "words" in colors:
        default = r"^(\tnode|\tsubgraph \w+ \{ graph) \["  # of nodes, and of the name on a frame
        dot = re.sub(default, rf'\1 [fontcolor="{colors["words"]}" ', dot, flags=re.MULTILINE)
    return dot.replace("bgcolor=white", f'bgcolor="{colors.get("background", "white")}"', 1)


def size_of(image: bytes) -> tuple[float, float]:
    """The width and the height of a picture in points."""
    svg = ElementTree.fromstring(image)
    width, height = (float(svg.attrib[key].removesuffix("pt")) for key in ("width", "height"))
    return width, height


def overlaid(pictures: Mapping[int, Groups]) -> list[str]:
    """The lines of all pictures: once what they share, the rest on the overlays that have it.

    The pictures are given by the numbers of their overlays.
    """
    ground, *others = dict.fromkeys(id for picture in pictures.values() for id in picture)
    lines = list(next(iter(pictures.values()))[ground])
    for id in others:
        slides: dict[tuple[str, ...], list[int]] = {}
        for k, picture in pictures.items():
            slides.setdefault(tuple(picture.get(id, ())), []).append(k)
        for shown, ks in slides.items():
            if len(ks) == len(pictures):
                lines += shown
            elif shown:
                lines += [rf"\only<{spans(ks)}>{{%", *shown, "}"]
    return lines


def spans(numbers: Sequence[int]) -> str:
    """Numbers in order as Beamer takes them.

    >>> spans([1, 2, 3, 5, 8, 9])
    '1-3,5,8-9'
    """
    found = list[str]()
    for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        first, *others = [number for _, number in group]
        found.append(f"{first}-{others[-1]}" if others else str(first))
    return ",".join(found)


PAPERS = {  # width to height: Beamer's number, and the points of its paper
    16 / 9: ("169", 453.5, 255.1), 16 / 10: ("1610", 453.5, 283.5), 14 / 9: ("149", 396.9, 255.1),
    3 / 2: ("32", 382.7, 255.1), 4 / 3: ("43", 362.8, 272.1), 5 / 4: ("54", 354.3, 283.5),
}  # fmt: skip
BEAMER = rf"""\documentclass[aspectratio=@ASPECT@]{{beamer}}
\usepackage[T1]{{fontenc}}
\IfFileExists{{lmodern.sty}}{{\usepackage{{lmodern}}}}{{}}
{PACKAGES}
\usefonttheme[onlymath]{{serif}}
\setbeamertemplate{{navigation symbols}}{{}}
\setbeamersize{{text margin left=@MARGIN@,text margin right=@MARGIN@}}
@COLORS@
\begin{{document}}
\begin{{frame}}[t]{{@TITLE@}}
\vfill
{{\centering
@PICTURE@\par}}
\vfill
\begin{{overlayarea}}{{\textwidth}}{{@HEIGHT@}}
\fontsize{{@SIZE@}}{{@LINE@}}\selectfont\raggedright
@WORDS@
\end{{overlayarea}}
\end{{frame}}
\end{{document}}
"""
