"""The page and its answers from this process, to this machine alone.

A question is text and numbers, read by a list of what is allowed and never run as code; nothing is
kept and no file is read. What is guarded is the time of this machine, and that no page of another
site asks here: a browser would send its requests to a port of this machine, too. Host gives away a
name of another site that leads here (DNS rebinding), Origin and Sec-Fetch-Site a page of another
site, and JSON is a type that such a page cannot send without asking first.
"""

from __future__ import annotations

import io
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Any

from microgrid.playground.files import KINDS, POLICY

LARGEST = 65_536  # bytes of a question
MOST = 64  # connections at a time
WAITING, AT_ONCE = 16, 4  # questions that wait, those among them that are being answered
IDLE, PROMPT = 60.0, 10.0  # seconds: between two requests, for all of one
LOCAL = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
HEADERS = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class HttpError(Exception):
    """A request that is not answered: the status of HTTP, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Server(ThreadingTCPServer):
    """Serves `files` by name, and `reply` to the questions that are sent to /ask.

    Port 0 is a free one; `address` tells. OSError for a port that is taken.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = os.name == "posix"  # elsewhere it would share a port that is taken
    request_queue_size = MOST

    def __init__(
        self, files: Mapping[str, bytes], reply: Callable[[str], str], port: int = 0
    ) -> None:
        self.files = {f"/{name}": (KINDS[Path(name).suffix], data) for name, data in files.items()}
        self.files["/"] = self.files["/index.html"]
        self.reply = reply
        self.connections = threading.BoundedSemaphore(MOST)
        self.places = threading.BoundedSemaphore(WAITING)
        self.turns = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.connections.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hung up leaves no traceback here; a fault of our own does."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def answer(self, question: str) -> bytes:
        """The reply; HttpError where too many questions wait, and for a fault of our own."""
        if not self.places.acquire(blocking=False):
            raise HttpError(503, "too many questions wait for their answers: ask again")
        try:
            with self.turns:
                return self.reply(question).encode()
        except Exception as error:
            said = f"a fault of the server: {type(error).__name__}: {error}"
            raise HttpError(500, said) from error
        finally:
            self.places.release()


class Stream(io.RawIOBase):
    """What a socket receives, until a time: bytes that drip do not hold a thread for ever."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.end = connection, 0.0

    def within(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.connection.settimeout(left)
        return self.connection.recv_into(buffer)


class Handler(BaseHTTPRequestHandler):
    """One connection: GET of the files, POST of questions."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # of a first line that cannot be read
    disable_nagle_algorithm = True  # else the body waits 40 ms for the receipt of the headers
    server: Server

    def setup(self) -> None:
        super().setup()
        self.stream = Stream(self.connection)
        self.rfile: io.BufferedReader = io.BufferedReader(self.stream)

    def handle_one_request(self) -> None:
        self.close_connection = True
        try:
            self.stream.within(IDLE)
            if self.rfile.peek(1):
                self.stream.within(PROMPT)
                super().handle_one_request()
        except OSError:  # too slow, or gone
            self.close_connection = True

    def do_GET(self) -> None:
        try:
            self.check()
            if self.path == "/ask":
                raise HttpError(405, "questions are sent by POST")
            if self.path.partition("?")[0] not in self.server.files:
                raise HttpError(404, "there is no such file")
            self.send(200, *self.server.files[self.path.partition("?")[0]])
        except HttpError as error:
            self.refuse(error)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        try:
            self.check()
            if self.path != "/ask":
                raise HttpError(404, "questions are sent to /ask")
            if self.headers.get_content_type() != "application/json":
                raise HttpError(415, "questions are JSON: application/json")
            question = self.rfile.read(self.size())
            try:
                text = question.decode()
            except UnicodeDecodeError:
                raise HttpError(400, "questions are UTF-8") from None
            self.send(200, KINDS[".json"], self.server.answer(text))
        except HttpError as error:
            self.refuse(error)

    def check(self) -> None:
        """HttpError for what comes neither from our page nor from a person with the address."""
        for name in ("Host", "Origin", "Content-Type", "Content-Length"):
            if len(self.headers.get_all(name, [])) > 1:
                raise HttpError(400, f"{name} stands twice")
        host = self.headers.get("Host", "")
        if not LOCAL.fullmatch(host):
            raise HttpError(403, "this server answers to 127.0.0.1 and localhost alone")
        if self.headers.get("Origin", f"http://{host}").lower() != f"http://{host}".lower():
            raise HttpError(403, "asked by a page of another site")
        site = self.headers.get("Sec-Fetch-Site", "none")
        link = self.command == "GET" and self.headers.get("Sec-Fetch-Mode") == "navigate"
        if site not in ("same-origin", "none") and not link:
            raise HttpError(403, "asked by a page of another site")

    def size(self) -> int:
        """The length of the question; HttpError where it is not told, or too large."""
        told = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not re.fullmatch("[0-9]{1,20}", told):
            raise HttpError(411, "Content-Length tells how long a question is")
        if int(told) > LARGEST:
            raise HttpError(413, f"a question of {told} bytes; at most {LARGEST} here")
        return int(told)

    def refuse(self, error: HttpError) -> None:
        """Say why, and hang up; what else was sent is read for a moment, lest this be lost."""
        self.close_connection = True
        body = json.dumps({"error": {"message": str(error), "line": 0, "column": 0}})
        self.send(error.status, KINDS[".json"], body.encode())
        self.connection.shutdown(socket.SHUT_WR)
        self.stream.within(1)
        while self.rfile.read1(LARGEST):
            pass

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What BaseHTTPRequestHandler finds wrong, said as our own refusals."""
        self.command = getattr(self, "command", None) or "GET"
        self.refuse(HttpError(code, self.responses[code][0]))

    def send(self, status: int, kind: str, body: bytes) -> None:
        self.connection.settimeout(PROMPT)
        self.send_response(status)
        told = {"Content-Type": kind, "Content-Length": str(len(body))}
        told |= {"Connection": "close"} if self.close_connection else {}
        for name, words in {**HEADERS, **told}.items():
            self.send_header(name, words)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def version_string(self) -> str:
        return "microgrid"

    def log_message(self, format: str, *_: Any) -> None:
        """A lesson is no log file."""
