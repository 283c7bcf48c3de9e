"""A pass frame by frame, backward or forward: an HTML page, slides, an animation without a script.

What changes from frame to frame is which numbers are seen, which are new (bold), and which gate and
wires are marked: the page, the slides and the animation read that from the same storyboard.
"""

from __future__ import annotations

import copy
import html
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from microgrid.engine.hints import Hinted
from microgrid.engine.renamed import renamed
from microgrid.engine.settings import whole
from microgrid.engine.value import Value
from microgrid.views.files import save_by_suffix
from microgrid.views.film import Film
from microgrid.views.image import coded, themed
from microgrid.views.modes import Seeds, is_forward
from microgrid.views.picture import Layout, Picture
from microgrid.views.slides import NO_COLORS, Slides, save_frames
from microgrid.views.storyboard import BackwardStory, ForwardStory, QuietStory, Storyboard
from microgrid.views.sums import sums
from microgrid.views.svg import animated
from microgrid.views.theme import FONT, GROUND, theme
from microgrid.views.wording import MOST_DECIMALS, printable
from microgrid.views.written import whole_page

STYLE = (
    f"{GROUND}main{{max-width:1680px;margin:0 auto}}h1{{font:bold 20px {FONT};margin:12px 12px 0}}"
)


@renamed(digits="decimals", engine="layout")
def steps(
    root: Value, decimals: int = 2, layout: Layout | None = None, prefix: str | None = None, *,
    mode: str = "backward", seeds: Seeds | None = None,
) -> Steps:  # fmt: skip
    """Root's forward and backward pass, gate by gate; changes no node.

    A notebook shows it in place; `save` writes one HTML page, `save_frames` slides,
    `save_animation` an SVG that moves without a script, and `frames` tells it in words. `decimals`
    and `layout` are those of `draw`; `prefix` begins every id, and by default follows from the
    content, so that several can stand on one page. ParameterError for decimals or a mode that
    cannot be, LayoutError for a program that is not there.

    >>> x = Value(3.0, "x")
    >>> for frame in steps(1 / x).frames[-2:]:
    ...     print(frame.text)
    1/x: (1/x)′ = −1/x² = −1/3.00² = −0.11; local −0.11 × upstream 1.00 = share −0.11 to x
    Every gradient is there: x = −0.11

    `mode="forward"` shows forward mode: each gate's value, and in blue beneath it the tangent, from
    those of the nodes in `seeds`, as in `explain`.

    >>> print(steps(1 / x, mode="forward", seeds={x: 1}).frames[2].text)
    1/x computes 1 / 3.00 = 0.33
    its tangent: (1/x)′ = −1/x² = −1/3.00² = −0.11; local −0.11 × tangent 1.00 of x = share −0.11
    """
    forward = is_forward(mode, seeds)
    digits = whole("decimals", decimals, 0, most=MOST_DECIMALS)
    board = ForwardStory(root, digits, seeds) if forward else BackwardStory(root, digits)
    return Steps(root, board, layout, prefix)


class Steps(Hinted):
    """The frames of one pass, and the ways to look at them.

    `frames` has the words of each, `picture(k)` draws frame k with its words beneath, `table()` has
    all rows as HTML, `layout` is the picture of the last frame, laid out when it is first shown.

    >>> from microgrid import steps
    >>> x = Value(3.0, "x")
    >>> film = steps(x * x)
    >>> film, film.frames[0].text
    (<Steps: 5 frames; a ...>, 'The numbers at the leaves: x = 3.00')
    >>> film.picture(0)
    <Picture: ...>
    """

    def __init__(
        self, root: Value, board: Storyboard, layout: Layout | None, prefix: str | None
    ) -> None:
        self._film = film = Film(root, board, layout, prefix)
        self.frames, self.title, self.prefix = film.frames, film.title, film.prefix
        self._sums = [] if isinstance(board, QuietStory) else sums(board, film.prefix)

    def __repr__(self) -> str:
        return f"<Steps: {len(self.frames)} frames; a notebook shows them, else save(path)>"

    @cached_property
    def layout(self) -> Picture:
        """The picture of the last frame."""
        return self._film.picture(len(self.frames) - 1)

    # The page

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write one .html page that needs no server and no network, or the animation as .svg.

        LayoutError for another suffix.
        """
        return save_by_suffix(path, {".html": self.html, ".svg": self.animated_svg})

    def html(self) -> str:
        """The page that `save` writes."""
        title = printable(self.title)
        heading = f"<h1>{html.escape(title)}</h1>"
        return whole_page(title, STYLE, f"<main data-alone>{heading}{self._repr_html_()}</main>")

    page = html  # its older name

    def _repr_html_(self) -> str:
        """The final picture and the table; where scripts run, the step-through in their place."""
        fields = {
            "prefix": self.prefix,
            "style": theme("microgrid-steps") + part("player.css"),
            "script": part("player.js"),
            "image": coded(themed(copy.deepcopy(self._canvas))),
            "alt": escape(f"{self.title}: all values and {self._film.board.word}s"),
            "mode": self._film.board.mode,
            "table": self.table(),
            "data": in_script(self.data()),
            "folded": in_script(self.folded()),
        }
        return re.sub("@@([a-z]+)@@", lambda match: fields[match[1]], part("stepper.html"))

    def data(self) -> dict[str, Any]:
        """What the player shows, to be sent as JSON; no picture is laid out for it.

        The frames, with the ids of what is marked; the numbers, each with its id, the first frame
        that has it, the first that has it no more, and its text; and of each wire the sum that adds
        up there, and its paths.
        """
        return {**self._film.data(), "wires": self._sums}

    def folded(self) -> list[str]:
        """The pictures that the player shows where that of `svg` is too large: with all blocks
        closed, then with one open, for each block in turn. Empty where there are no blocks.
        """
        views = range(1, len(self._film.views))
        return [ElementTree.tostring(self._film.svg(view), "unicode") for view in views]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> Any:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}

    def table(self) -> str:
        """The rows as an HTML table."""
        body = ""
        for line in self._film.board.cells():
            body += f"<tr>{''.join([f'<td>{escape(cell)}</td>' for cell in line])}</tr>\n"
        top = "".join([f'<th scope="col">{name}</th>' for name in self._film.board.head])
        return f"<table><thead><tr>{top}</tr></thead>\n<tbody>\n{body}</tbody></table>"

    @cached_property
    def _canvas(self) -> Element:
        """The picture of all frames."""
        return self._film.svg()

    def svg(self) -> str:
        """The picture that the player shows, with the numbers of all frames; laid out once."""
        return ElementTree.tostring(self._canvas, encoding="unicode")

    @cached_property
    def key(self) -> str:
        """What the picture depends on, beside the words of its numbers.

        Of two films with the same prefix and key, `svg` and `folded` of one do for the other: their
        `data` has the numbers, for which there is room.

        >>> films = [steps(1 / Value(x, "x"), prefix="f-") for x in (3.0, 1.25, 1e-7)]
        >>> films[0].key == films[1].key, films[0].key == films[2].key
        (True, False)
        """
        return self._film.key

    # Without a script

    def animated_svg(self) -> str:
        """An SVG that plays the frames over and over; it stands still for who wants no motion."""
        return animated(self._canvas, self.prefix, self.frames, self._film.placed())

    def save_animation(self, path: str | os.PathLike[str]) -> Path:
        """Write `animated_svg()`, for a README; the path. LayoutError for another suffix."""
        return save_by_suffix(path, {".svg": self.animated_svg})

    # Slides: DOT again, since only a layout engine makes PNG

    def save_frames(
        self, folder: str | os.PathLike[str], dpi: int = 192, *,
        frames: str | int | Iterable[int] = "all",
        kinds: Collection[str] | str = ("svg", "png"),
        aspect: str | float | None = None, font_size: float | None = None, captions: bool = True,
        colors: Mapping[str, str] | str = NO_COLORS,
    ) -> list[Path]:  # fmt: skip
        """Write the frames as slides into a folder, which is made if need be; the paths.

        `frames` are "all"; "backward", from the result back; "gates", one for each gate's step of
        the backward pass; "lecture", the forward pass in one and then gate by gate; or their
        numbers as the page counts them, such as "1,10-19" or range(10, 20). `kinds` are "svg" and
        "png", frame-01.svg and so on; "pdf", all in slides.pdf; "tex", a Beamer file slides.tex
        with overlays, in the fonts of LaTeX.

        Each slide is as large as its picture, or, with an `aspect` such as "16:9", 540 points high;
        then the circuit is as large as the slide allows. `font_size` is that of the words beneath,
        in points; `captions=False` leaves them out. `colors` are "dark", or others by what they
        mean, such as {"value": "#0072b2", "gradient": "#d55e00"}. Of a network of more than 12
        gates a slide shows the block in turn, and the others as boxes. ParameterError for what is
        none of these, LayoutError for a PDF without matplotlib.

        >>> from tempfile import mkdtemp
        >>> x = Value(3.0, "x")
        >>> paths = steps(x * x).save_frames(mkdtemp(), frames="lecture", aspect="16:9")
        >>> [path.name for path in paths[:3]]
        ['frame-01.svg', 'frame-01.png', 'frame-02.svg']
        """
        return save_frames(
            self._film, folder, dpi, frames=frames, kinds=kinds, aspect=aspect, font_size=font_size,
            captions=captions, colors=colors,
        )  # fmt: skip

    def picture(self, k: int) -> Picture:
        """Frame k as a picture with its words beneath."""
        return Slides(self._film, range(len(self.frames))).picture(k)


def part(name: str) -> str:
    """A part of the page, from the file that stands beside this one."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8").rstrip("\n")


def escape(words: str) -> str:
    return html.escape(printable(words))


def in_script(data: Any) -> str:
    """Data as JavaScript, with no tag in it."""
    return json.dumps(data, separators=(",", ":")).replace("<", r"\u003c")
