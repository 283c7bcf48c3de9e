"""The playground in tests: its runtime from npm, its folder behind a plain file server."""

import contextlib
import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import warnings
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from microgrid.playground import server as served
from microgrid.playground.answer import Playground
from microgrid.playground.files import files
from microgrid.playground.runtime import INSTALL, VERSIONS, SiteError, runtime

KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "microgrid"


QUESTION = json.dumps({"ask": "circuit", "text": "(a*b + a) * a", "numbers": {"a": 3, "b": 2}})
WRONG = {  # questions that are answered by words alone
    "no JSON": "hello",
    "nothing": "",
    "a list": "[]",
    "half": QUESTION[:-1],
    "nested deeply": "[" * 30_000,
    "nested objects": '{"a":' * 10_000,
    "NaN": QUESTION.replace("3", "NaN"),
    "Infinity": QUESTION.replace("3", "-Infinity"),
    "1e999": QUESTION.replace("3", "1e999"),
    "a long number": QUESTION.replace("3", "9" * 5000),
    "code": QUESTION.replace("(a*b + a) * a", "__import__('os').getpid()"),
    "half a character": QUESTION.replace("(a*b + a) * a", "\\ud800"),
    "half a character in a name": '{"ask": "circuit", "numbers": {"\\ud800": "1"}, "text": "x"}',
    "many signs": QUESTION.replace("(a*b + a) * a", "-" * 3900 + "a"),
    "nested brackets": QUESTION.replace("(a*b + a) * a", "(" * 1900 + "a" + ")" * 1900),
    "a power of powers": QUESTION.replace("(a*b + a) * a", "9**9**9**9 * a"),
}


@pytest.fixture(scope="session")
def npm_packages():
    """The folder that the command of `microgrid site --help` fetches, kept from run to run."""
    folder = KEPT / "-".join(["npm", *VERSIONS.values()])
    with contextlib.suppress(SiteError):
        runtime(folder)
        return folder
    npm = shutil.which("npm")
    why = "there is no npm: apt-get install npm"
    if npm:
        KEPT.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.mkdtemp(dir=KEPT)
        command = [npm, *shlex.split(INSTALL)[1:], "--prefix", scratch, "--ignore-scripts"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        with contextlib.suppress(OSError):  # another process was first
            os.replace(scratch, folder)
        with contextlib.suppress(SiteError):
            runtime(folder)
            return folder
        why = f"npm gave no packages: {done.stderr.strip()[-300:]}"
    loud = f"THE SITE IS NOT TESTED IN A BROWSER: {why}"
    warnings.warn(loud, stacklevel=1)
    pytest.skip(loud)


@contextlib.contextmanager
def playing(*words):
    """`microgrid play` in a process of its own, and the address that it prints."""
    command = [sys.executable, "-m", "microgrid", "play", *words]
    both = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, text=True, encoding="utf-8", **both) as run:
        try:
            yield run, run.stdout.readline().partition(": ")[2].strip()
        finally:
            run.kill()


@contextlib.contextmanager
def running(reply=None, page=None, **limits):
    """The server in a thread of this process, with other limits than those of its module."""
    reply, page = reply or Playground().reply, page or files("server")
    with pytest.MonkeyPatch.context() as patch, served.Server(page, reply) as server:
        for name, limit in limits.items():
            patch.setattr(served, name, limit)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


class Plain(SimpleHTTPRequestHandler):
    """What `python -m http.server` sends."""

    def log_message(self, *_):
        pass


class Open(Plain):
    """The same, to pages of all sites, as a network of copies does."""

    def end_headers(self):
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()


@contextlib.contextmanager
def file_server(folder, handler=Plain):
    """A server of the files of a folder; gives its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=folder)) as at:
        threading.Thread(target=at.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{at.server_address[1]}/"
        at.shutdown()
