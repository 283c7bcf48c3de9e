"""`microgrid steps --frames FOLDER`: the frames as slides, and the options for them."""

from __future__ import annotations

import argparse
from pathlib import Path

from microgrid.views.expression import ExpressionError
from microgrid.views.slides import CHOICES, KINDS
from microgrid.views.stepper import Steps
from microgrid.views.tables import shortened

OF_SLIDES = ("choose", "kinds", "aspect", "font_size", "no_captions", "color", "dpi")


def add_frames(parser: argparse.ArgumentParser) -> None:
    """The options for slides."""
    add = parser.add_argument_group("slides").add_argument
    add("--frames", type=Path, metavar="FOLDER", help="write the frames as slides into a folder")
    add("--choose", metavar="WHICH", help=f"{', '.join(CHOICES)}, or numbers such as 1,10-19")
    add("--kinds", metavar="KINDS", help=f"of {','.join(KINDS)}; tex is a Beamer file")
    add("--aspect", metavar="16:9", help="default: each as large as its picture")
    add("--font-size", type=int, metavar="POINTS", help="of the words beneath a picture")
    add("--no-captions", action="store_true", default=None, help="pictures without words")
    add("--color", metavar="NAME=#RRGGBB", action="append",
        help="of value, gradient, background, …; or dark; may be given several times")  # fmt: skip
    add("--dpi", type=int, metavar="N", help="of PNG, default 192")


def write_frames(film: Steps, options: argparse.Namespace) -> None:
    """Write the slides, if a folder is given; ExpressionError for their options without one."""
    given = {x: getattr(options, x) for x in OF_SLIDES if getattr(options, x) is not None}
    if options.frames is None:
        if given:
            name = min(given).replace("_", "-")
            raise ExpressionError(f"--{name} is an option of slides: give --frames FOLDER, too")
        return
    paths = film.save_frames(
        options.frames, given.get("dpi", 192), frames=given.get("choose", "all"),
        kinds=given.get("kinds", "svg,png"), aspect=given.get("aspect"),
        font_size=given.get("font_size"), captions="no_captions" not in given,
        colors=colors_of(given.get("color", [])),
    )  # fmt: skip
    names = [path.name for path in paths]
    print(f"wrote to {options.frames}: {', '.join(shortened(names))}")


def colors_of(words: list[str]) -> dict[str, str] | str:
    """Colours by name, or the one word for all of them."""
    if len(words) == 1 and "=" not in words[0]:
        return words[0]
    return {name: color for name, _, color in (word.partition("=") for word in words)}
