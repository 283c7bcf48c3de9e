"""The files of the page: the same for both back ends, but for one word and the policy."""

from __future__ import annotations

import json
from pathlib import Path

from microgrid.views.stepper import part
from microgrid.views.theme import GROUND, theme

PAGE = Path(__file__).with_name("page")
SCRIPTS = ("parts.js", "page.js")
KINDS = {  # suffix: what a server says that the file is
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
}
CHARSET = '<meta charset="utf-8">'
ENGINE = '<body data-engine="server">'
UNSERVED = (  # hidden by what the script puts behind it
    '<p class="unserved">Browsers run this page from a web server, not as a file. In its folder, '
    "<code>python -m http.server</code> shows it at http://localhost:8000.</p>"
)
POLICY = (  # what the page may load: its own files alone
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src data: blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)


def files(backend: str) -> dict[str, bytes]:
    """The page's files by name, for "server" or "pyodide".

    A server states the policy in a header. The page of a site states it itself; a worker is held
    by the headers of its own file alone, so that this page names no other host.
    """
    index = read("index.html")
    if backend != "server":
        index = replaced(index, ENGINE, f'<body data-engine="{backend}">')
        policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        index = replaced(index, CHARSET, CHARSET + policy)
        index = replaced(index, "</main>", f"{UNSERVED}</main>")
    return {
        "index.html": index.encode(),
        "page.css": style().encode(),
        "page.js": script().encode(),
    }


def style(ground: str = GROUND) -> str:
    """The rules of the page; without a ground those of what stands in a page of others."""
    themes = theme("microgrid-play", with_pictures=False) + theme("microgrid-steps")
    return "\n".join([ground, themes, part("player.css"), read("page.css")])


def script() -> str:
    """The one module of the page, which defines `mount`."""
    frame = f"const FRAME = {json.dumps(read('frame.html'))};"
    return "\n".join([part("player.js"), frame, *map(read, SCRIPTS)])


def read(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def replaced(text: str, old: str, new: str) -> str:
    """The text with the one place that says `old` saying `new`."""
    before, _, after = text.partition(old)
    if before == text or old in after:
        raise ValueError(f"{old} stands not exactly once in index.html")
    return before + new + after
