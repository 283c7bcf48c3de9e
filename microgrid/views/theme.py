"""How pages look, in the light and in the dark: one palette, in which a colour means one thing.

A page, or the part of a notebook that shows a result, is an element with a class of its own;
`theme` writes the rules for what is in it. Its colours are variables of CSS, so that a page has
two palettes and states each rule once. A notebook's own theme decides, where it says so; else the
system does.
"""

from __future__ import annotations

from collections.abc import Callable

from microgrid.views.wording import BLUE, GREEN, INK, NOTE, RED

FONT = "Arial,Helvetica,sans-serif"
CODE = "ui-monospace,Menlo,Consolas,monospace"
PALETTE = {  # what each colour means: on a light page, and on a dark one
    "bg": ("#ffffff", "#1b1f24"),  # the page
    "fg": ("#1b1f24", "#f0f3f6"),  # words
    "soft": ("#57606a", "#b1bac4"),  # words beside the point
    "line": ("#8093ab", "#768390"),  # between rows, around boxes
    "panel": ("#f6f8fa", "#252b33"),  # the ground of code
    "focus": ("#0550ae", "#79b8ff"),  # where the keyboard is
    "value": (GREEN, "#6fdc8c"),
    "gradient": (RED, "#ff9a91"),
    "tangent": (BLUE, "#8ab8ff"),
    "note": (NOTE, "#c9a6f5"),
    "ink": (INK, "#d0d7de"),  # wires
    "gate": ("#f4f7fb", "#2d3742"),
    "edge": ("#34495e", "#9fb3c8"),  # around a gate
    "box": ("#f7f9fc", "#22282f"),  # the ground of a frame around gates
    "folded": ("#e8eef6", "#2d3742"),  # a frame that hides them
    "lit": ("#ffe08a", "#ffe08a"),  # a gate in turn
    "on-lit": ("#1b1f24", "#1b1f24"),  # words on it
    "holds": (GREEN, "#6fdc8c"),
    "wrong": (RED, "#ff9a91"),
    "fragile": ("#8a5a00", "#f0b458"),
    "lacking": (BLUE, "#8ab8ff"),
}
DRAWN = {  # the colours that a layout engine writes into a picture
    "white": "bg", PALETTE["gate"][0]: "gate", PALETTE["edge"][0]: "edge",
    PALETTE["line"][0]: "line", PALETTE["box"][0]: "box", PALETTE["folded"][0]: "folded",
    GREEN: "value", RED: "gradient", BLUE: "tangent", NOTE: "note", INK: "ink",
    PALETTE["fragile"][0]: "fragile", PALETTE["soft"][0]: "soft",
}  # fmt: skip
# JupyterLab, VS Code, Colab: each says around its outputs whether it is dark.
THEMED = "[data-jp-theme-light],[data-vscode-theme-kind],html[theme]"
IS_DARK = (
    "[data-jp-theme-light=false],[data-vscode-theme-kind*=dark],[data-vscode-theme-kind$=contrast],"
    "html[theme=dark]"
)


def variable(color: str) -> str:
    """The colour of a picture as one of the palette, or as it is where there is no theme."""
    return f"var(--{DRAWN[color]},{color})" if color in DRAWN else color


def variables(dark: bool) -> str:
    """The palette."""
    colors = "".join([f"--{name}:{pair[dark]};" for name, pair in PALETTE.items()])
    return f"{colors}color-scheme:{'dark' if dark else 'light'}"


def palette(selector: str) -> str:
    """The palette for an element: dark where its notebook is, or the system; light on paper."""
    return lights(selector, variables(False), variables(True))


def lights(selector: str, light: str, dark: str) -> str:
    """The rules of an element for light pages and for dark ones, as `palette` chooses them."""
    return (
        f"{selector}{{{light}}}\n"
        f"@media screen{{:is({IS_DARK}) {selector}{{{dark}}}}}\n"
        "@media screen and (prefers-color-scheme:dark)"
        f"{{{selector}:not(:is({THEMED}) *){{{dark}}}}}\n"
    )


def drawn(within: str, shown: Callable[[str], str]) -> str:
    """The rules for what is drawn within an element: `shown` writes a colour of the palette."""
    rules = [f"{within}text:not([fill]){{fill:{shown('fg')}}}"]
    for color, name in DRAWN.items():
        for kind in ("fill", "stroke"):
            rules.append(f'{within}[{kind}="{color}"]{{{kind}:{shown(name)}}}')
    return "\n".join(rules) + "\n"


# A class stands twice where a notebook has rules of its own, for tables above all.
BASE = """
.X{background:var(--bg);color:var(--fg);font:16px/1.5 @@font@@;padding:12px;
box-sizing:border-box;text-align:left}
.X *{box-sizing:border-box}
.X h1{font-size:22px;margin:0 0 8px;overflow-wrap:anywhere}
.X h2{font-size:17px;margin:20px 0 6px;overflow-wrap:anywhere}
.X p{margin:6px 0;overflow-wrap:anywhere}
.X figure{margin:8px 0}
.X svg{display:block;max-width:100%;height:auto}
.X.X table{border-collapse:collapse;margin:8px 0;font-size:15px;color:var(--fg)}
.X.X tr:nth-child(n){background:none}
.X.X :is(td,th):nth-child(n){border-bottom:1px solid var(--line);padding:3px 14px 3px 0;
vertical-align:top}
.X caption{text-align:left;padding-bottom:6px;color:var(--soft)}
.X th{font-weight:bold;color:var(--soft)}
.X pre{background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:8px 10px;
margin:8px 0;overflow-x:auto;color:var(--fg);font:14px/1.5 @@code@@}
.X .number{font-family:@@code@@}
.X .scroll{overflow-x:auto;max-width:100%}
.X .scroll td:first-child{white-space:nowrap}
.X :focus-visible{outline:3px solid var(--focus);outline-offset:2px}
@media print{.X{padding:0}.X .scroll{overflow:visible}.X svg{min-width:0!important}}
""".replace("@@font@@", FONT).replace("@@code@@", CODE)


def theme(name: str, with_pictures: bool = True) -> str:
    """The rules for elements of a class, and for what is in them: words, tables, pictures."""
    rules = palette(f".{name}") + BASE.replace(".X", f".{name}")
    return rules + drawn(f".{name} svg ", "var(--{})".format) * with_pictures


LIGHT, DARK = PALETTE["bg"]
GROUND = (  # of a page that holds nothing else
    f":root{{color-scheme:light dark}}body{{margin:0;background:{LIGHT}}}"
    f"@media screen and (prefers-color-scheme:dark){{body{{background:{DARK}}}}}"
)
