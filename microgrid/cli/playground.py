"""`microgrid play` and `microgrid site`: the playground from this process, or as a folder."""

from __future__ import annotations

import argparse
import shlex
import sys
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

from microgrid.cli.arguments import numbers_of, whole
from microgrid.views.expression import ExpressionError, circuit

PORT = 8137  # so that an address stays what it was when the server starts again
LINES = """

Each EXPR is a line of the page: name = expression; the last may do without a
name. A word like x=-0.5 is the number of a leaf; one without a number has 1."""

RUNTIME = """

The engine runs in the browser of whoever reads the page. Without --runtime this
browser gets Python and Graphviz from cdn.jsdelivr.net, pinned by their hashes.
With it they are a part of the folder, which then needs no network:

  INSTALL
  microgrid site -o site --runtime runtime

A browser reads the page from a web server, not as a file."""


def add_play(parser: argparse.ArgumentParser) -> None:
    parser.epilog = f"{parser.epilog}{LINES}"
    add = parser.add_argument
    what = "lines of a circuit, and numbers for its names"
    add("numbers", nargs="*", metavar="EXPR|name=number", help=what)
    free = f"default {PORT}, or a free one where it is taken"
    add("--port", type=port, metavar="N", help=f"of this machine alone ({free})")
    add("--open", action="store_true", help="open the page in the browser")


def run_play(options: argparse.Namespace) -> None:
    fragment = fragment_of(options.numbers)
    from microgrid.playground.answer import Playground
    from microgrid.playground.files import files
    from microgrid.playground.server import Server

    page, reply = files("server"), Playground().reply
    try:
        server = Server(page, reply, PORT if options.port is None else options.port)
    except OSError as error:
        if options.port is not None:
            raise OSError(f"port {options.port} cannot be had: {error.strerror}") from None
        server = Server(page, reply)
    with server, suppress(KeyboardInterrupt):
        address = server.address + fragment
        print(f"The playground: {address}\nCtrl-C ends it.", flush=True)
        if options.open:
            threading.Thread(target=show, args=(address,), daemon=True).start()
        server.serve_forever()


def add_site(parser: argparse.ArgumentParser) -> None:
    from microgrid.playground.runtime import INSTALL

    parser.epilog = f"{parser.epilog}{RUNTIME.replace('INSTALL', INSTALL)}"
    add = parser.add_argument
    add("-o", "--output", type=Path, required=True, metavar="FOLDER", help="where it is written")
    add("--runtime", type=Path, metavar="FOLDER", help="packages of npm that it takes along")
    add("--force", action="store_true", help="write into a folder that has other files, too")


def run_site(options: argparse.Namespace) -> None:
    from microgrid.playground.site import write_site

    paths = write_site(options.output, options.runtime, options.force)
    size = sum(path.stat().st_size for path in paths) / 1e6
    print(f"wrote {options.output}: {len(paths)} files, {size:.1f} MB")
    print(f"python -m http.server -d {shlex.quote(str(options.output))} shows it on this machine")


def show(address: str) -> None:
    if not webbrowser.open(address):
        print("microgrid play: no browser was found: open the address yourself", file=sys.stderr)


def port(text: str) -> int:
    """The number of a port."""
    number = whole(text)
    if not 0 <= number < 65_536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, from 0 to 65535")
    return number


def fragment_of(words: list[str]) -> str:
    """What the page's address has behind it for these words; ExpressionError as `circuit` has it.

    >>> fragment_of(["w*x + b", "w=2"])
    '#text=w*x+%2B+b&numbers=w:2'
    """
    given = [word for word in words if is_number(word)]
    lines = [word.strip() for word in words if word not in given]
    if not words:
        return ""
    text, numbers = "\n".join(lines), numbers_of(given)
    circuit(text, numbers)
    told = ",".join([f"{name}:{repr(x).removesuffix('.0')}" for name, x in numbers.items()])
    return f"#{urlencode({'text': text, **({'numbers': told} if told else {})}, safe='*,:()')}"


def is_number(word: str) -> bool:
    with suppress(ExpressionError):
        return bool(numbers_of([word]))
    return False
