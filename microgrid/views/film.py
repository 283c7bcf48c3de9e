"""The pictures of a film: whole, or with all blocks closed but the one whose gate is in turn."""

from __future__ import annotations

import copy
import hashlib
from functools import cached_property
from typing import Any
from xml.etree.ElementTree import Element

from microgrid.engine.value import Value, topological
from microgrid.views.dot_labels import Text, colored, extent
from microgrid.views.drawing import SHARES_UP_TO, Numbers, draw_gates
from microgrid.views.homes import Homes, by_home
from microgrid.views.picture import Layout, Picture, wire_id
from microgrid.views.storyboard import Lifetime, Storyboard
from microgrid.views.svg import LIT, with_all_numbers
from microgrid.views.tints import PLAIN, Look
from microgrid.views.wording import BLUE, GREEN, INK, RED, printable

BACKWARD = {RED: {"arrowhead": "inv"}}  # the arrows of gradients
THICK = 3  # points of a wire in turn
FLOWS = {INK: "", RED: "back", BLUE: "ahead"}  # the classes of a picture whose wires are marked
WHOLE, CLOSED = 0, 1  # the views of a film
FOLDS_FROM = SHARES_UP_TO + 1  # gates; smaller pictures are read whole
NONE = -1  # the frame before all others: no number is seen


class Film:
    """The pictures of a pass, by views: the whole one; with blocks, also one where all of them are
    closed, and one for each of them where it alone is open.

    All frames of one view have one layout.
    """

    def __init__(
        self, root: Value, board: Storyboard, layout: Layout | None, prefix: str | None
    ) -> None:
        self.board, self.frames, self.title, self.layout = board, board.frames, board.title, layout
        if prefix is None:
            told = repr([(f.lines, f.marks) for f in self.frames])
            prefix = f"s{hashlib.sha256(told.encode()).hexdigest()[:8]}-"
        self.prefix, self.lifetimes = prefix, board.lifetimes
        self.order = topological(copy.deepcopy(root))  # as it is now
        self.places: set[tuple[str, str]] = set()  # of numbers in the pictures, with their colours
        self.index = {v: i for i, v in enumerate(self.order)}
        homes = by_home(self.order)
        self.views, gates = [Homes(self.order, homes)], sum(v.op is not None for v in self.order)
        names = [*self.views[WHOLE].members] if gates >= FOLDS_FROM else []
        if names:
            closed = [names, *[[x for x in names if x != name] for name in names]]
            self.views += [Homes(self.order, homes, some) for some in closed]
        self.blocks = {
            name: [f"g{self.index[v]}" for v in self.views[WHOLE].members[name] if v.op]
            for name in names
        }
        self.opened = {
            gate: view for view, gates in enumerate(self.blocks.values(), 2) for gate in gates
        }
        self.room = self.picture(NONE).source

    def view(self, k: int) -> int:
        """The view of frame k that shows most and hides nothing in turn."""
        marks = self.frames[k].marks
        return self.opened.get(marks[0] if marks else "", min(CLOSED, len(self.views) - 1))

    def picture(self, k: int, view: int = WHOLE) -> Picture:
        """The picture of frame k; its layout is that of every other frame, and of NONE."""
        picture, frame = Picture(self.layout, self.prefix), self.frames[max(k, 0)]
        # A penwidth would make the picture a point higher, setlinewidth does not.
        lit = {"style": "rounded,filled,setlinewidth(3)", "fillcolor": LIT}
        thick = {"penwidth": "2.6", "color": frame.ink}
        turned = thick | BACKWARD.get(frame.ink, {})
        gate, *wires = frame.marks or [""]
        picture.looks = {id: turned if id in frame.branches else thick for id in wires}
        picture.looks[gate] = lit
        numbers = SeenNumbers(self, k)
        draw_gates(picture, self.order, numbers, homes=self.views[view])
        self.places |= numbers.places
        return picture

    def svg(self, view: int = WHOLE) -> Element:
        """The layout of a view with every number of every frame in it; those of the last are
        visible.
        """
        image, homes = self.picture(len(self.frames) - 1, view).pipe("svg"), self.views[view]
        rows = {  # of closed boxes
            homes.boxes[members[0]]: [f"n{self.index[v]}" for v in homes.rows(home)]
            for home, members in homes.members.items() if members[0] in homes.boxes
        }  # fmt: skip
        return with_all_numbers(image, self.prefix, self.lifetimes, self.frames, rows)

    @cached_property
    def key(self) -> str:
        """What the pictures depend on, beside the words of their numbers."""
        ids = [id for id, _ in self.placed()]
        told = repr((self.room, ids, [(f.marks, f.ink) for f in self.frames]))
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def placed(self) -> list[tuple[str, Lifetime]]:
        """The numbers that have a place in the pictures, with their ids; some shares have none."""
        found = [life for life in self.lifetimes if (life.place, life.color) in self.places]
        return [(self.prefix + life.id, life) for life in found]

    def data(self) -> dict[str, Any]:
        """What `Steps.data` gives, all but the sums."""
        return {
            "prefix": self.prefix,
            "title": self.title,
            "mode": self.board.mode,
            "frames": [
                {"phase": f.phase, "flow": FLOWS[f.ink], "lines": [*map(printable, f.lines)],
                 "marks": [self.prefix + mark for mark in f.marks]}
                for f in self.frames
            ],
            "spans": [(id, life.first, life.end, life.shown) for id, life in self.placed()],
            "homes": [
                {"id": f"{self.prefix}home{i}", "name": printable(name),
                 "gates": [self.prefix + gate for gate in gates]}
                for i, (name, gates) in enumerate(self.blocks.items())
            ],
        }  # fmt: skip


class SeenNumbers(Numbers):
    """The numbers that are seen in one frame, with room for the widest of all frames."""

    def __init__(self, film: Film, frame: int) -> None:
        super().__init__(film.order, film.board.digits)
        self.board, self.frame = film.board, frame
        self.index, self.marks = film.index, film.frames[max(frame, 0)].marks
        self.ink = film.frames[max(frame, 0)].ink
        self.places: set[tuple[str, str]] = set()  # those that were asked for

    def value(self, v: Value) -> Text:
        return self.seen(f"n{self.index[v]}", GREEN)

    def gradient(self, v: Value) -> Text:
        return self.seen(f"n{self.index[v]}", self.board.color)

    def line(self, v: Value) -> Look:
        return Look(self.ink, THICK) if f"n{self.index[v]}" in self.marks else PLAIN

    def at_branch(self, v: Value, k: int) -> Text | None:
        place = wire_id(self.index[v.parents[k]], self.index[v], k)
        known = (place, self.board.color) in self.board.numbers
        return self.seen(place, self.board.color) if known and self.written(v, k) else None

    def written(self, v: Value, k: int) -> bool:
        """Shares are written where they add up: gradients at forks, tangents behind gates."""
        return self.board.color != RED or self.uses[v.parents[k]] > 1

    def seen(self, place: str, color: str) -> Text:
        """The number of a place in this frame, bold where it is new."""
        self.places.add((place, color))
        numbers, last = self.board.numbers[place, color], len(self.board.frames) - 1
        since = max((first for first in numbers if first <= self.frame), default=None)
        shown = "" if since is None else numbers[since]
        new = since == self.frame and 0 < self.frame < last
        words = colored(color, f"<b>{shown}</b>" if new else shown)
        return Text(words, max(numbers.values(), key=extent))
