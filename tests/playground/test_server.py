"""The server of `microgrid play`: what it sends, and what it refuses, by a socket's own bytes."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest
from shared.playground import QUESTION, WRONG, playing, running

from microgrid.cli.commands import main
from microgrid.playground import server as served
from microgrid.playground.files import files
from microgrid.playground.server import LARGEST

JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
def server():
    with running() as found:
        yield found


def exchange(server, data, wait=10.0):
    """What the server sends for these bytes, on a connection of their own."""
    with socket.create_connection(server.server_address, timeout=wait) as link:
        return sent(link, data)


def sent(link, data):
    link.sendall(data)
    found = b""
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while not complete(found, data.startswith(b"HEAD")) and (more := link.recv(65_536)):
            found += more
    return found


def complete(reply, of_head):
    head, end, body = reply.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return bool(end and length) and (of_head or len(body) >= int(length[1]))


def request(first, *lines, host="127.0.0.1:8137", body=b""):
    hosts = [f"Host: {host}"] if host else []
    return "\r\n".join([first, *hosts, *lines, "", ""]).encode("latin-1") + body


def question(*lines, body=QUESTION, kind=JSON, **options):
    body = body.encode() if isinstance(body, str) else body
    length = [] if "length" in options else [f"Content-Length: {len(body)}"]
    options.pop("length", None)
    kinds = [kind] if kind else []
    return request("POST /ask HTTP/1.1", *kinds, *length, *lines, body=body, **options)


def status(reply):
    return int(reply.split(b" ", 2)[1]) if reply else 0


def told(reply):
    return json.loads(reply.partition(b"\r\n\r\n")[2])


GOOD = {
    "the page": request("GET / HTTP/1.1"),
    "a file": request("GET /page.js HTTP/1.1"),
    "a query": request("GET /page.css?x HTTP/1.1"),
    "an old browser": request("GET / HTTP/1.0", host="localhost"),
    "a head": request("HEAD / HTTP/1.1"),
    "another name of this machine": request("GET / HTTP/1.1", host="LocalHost:9000"),
    "a link on another page": request(
        "GET / HTTP/1.1", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"
    ),
    "a question": question(),
    "with a charset": question(kind=f"{JSON}; charset=utf-8"),
    "from our page": question("Origin: http://127.0.0.1:8137", "Sec-Fetch-Site: same-origin"),
    "through a tunnel": question("Origin: http://localhost:9000", host="localhost:9000"),
}
BAD = {
    "a name that leads here": (403, request("GET / HTTP/1.1", host="evil.example:8137")),
    "a name that begins as ours": (403, request("GET / HTTP/1.1", host="127.0.0.1.evil.example")),
    "a name before an @": (403, request("GET / HTTP/1.1", host="localhost@evil.example")),
    "no host": (403, request("GET / HTTP/1.1", host="")),
    "two hosts": (400, request("GET / HTTP/1.1", "Host: evil.example")),
    "a question of such a name": (403, question(host="evil.example")),
    "a page of another site": (403, question("Origin: http://evil.example")),
    "a page of another port": (403, question("Origin: http://127.0.0.1:8888")),
    "a page without an origin": (403, question("Origin: null")),
    "a page by https": (403, question("Origin: https://127.0.0.1:8137")),
    "two origins": (400, question("Origin: http://127.0.0.1:8137", "Origin: null")),
    "another site": (403, question("Sec-Fetch-Site: cross-site")),
    "another port": (403, question("Sec-Fetch-Site: same-site")),
    "a script of another site": (
        403, request("GET /page.js HTTP/1.1", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors")
    ),
    "a form": (415, question(kind="Content-Type: text/plain")),
    "a form that posts": (415, question(kind="Content-Type: application/x-www-form-urlencoded")),
    "no type": (415, question(kind="")),
    "two types": (400, question("Content-Type: text/plain")),
    "too large": (413, question(body="x" * (LARGEST + 1))),
    "told to be huge": (413, question("Content-Length: 99999999999999999999", length=None)),
    "no length": (411, question(length=None)),
    "a negative length": (411, question("Content-Length: -1", length=None)),
    "a length with a sign": (411, question("Content-Length: +5", length=None)),
    "no number": (411, question("Content-Length: ²", length=None)),
    "two lengths": (400, question("Content-Length: 1")),
    "in chunks": (411, question("Transfer-Encoding: chunked")),
    "not UTF-8": (400, question(body=b'{"ask": "\xff"}')),
    "a question to a file": (404, question().replace(b"/ask", b"/index.html")),
    "a question as a file": (405, request("GET /ask HTTP/1.1")),
    "no file": (404, request("GET /answer.py HTTP/1.1")),
    "a folder above": (404, request("GET /../server.py HTTP/1.1")),
    "a folder above, hidden": (404, request("GET /%2e%2e/server.py HTTP/1.1")),
    "a path from the root": (404, request("GET //etc/passwd HTTP/1.1")),
    "backslashes": (404, request("GET /..\\server.py HTTP/1.1")),
    "a zero": (404, request("GET /page.js%00.html HTTP/1.1")),
    "a whole address": (404, request("GET http://evil.example/page.js HTTP/1.1")),
    "OPTIONS": (501, request("OPTIONS /ask HTTP/1.1", "Origin: http://evil.example")),
    "PUT": (501, request("PUT /page.js HTTP/1.1", "Content-Length: 1", body=b"x")),
    "DELETE": (501, request("DELETE /page.js HTTP/1.1")),
    "TRACE": (501, request("TRACE / HTTP/1.1")),
    "CONNECT": (501, request("CONNECT evil.example:443 HTTP/1.1")),
    "a name of a method": (501, request("check / HTTP/1.1")),
    "no HTTP": (400, b"\x16\x03\x01\x02\x00\x01\xfc\x03\x03\r\n\r\n"),
    "another version": (505, request("GET / HTTP/2.0")),
    "a long address": (414, request(f"GET /{'a' * 70_000} HTTP/1.1")),
    "a long header": (431, request("GET / HTTP/1.1", f"X: {'a' * 70_000}")),
    "many headers": (431, request("GET / HTTP/1.1", *["X: 1"] * 200)),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_our_page_is_answered(name, server):
    reply = exchange(server, GOOD[name])
    assert status(reply) == 200
    head = reply.partition(b"\r\n\r\n")[0].decode()
    for told in ("Content-Security-Policy: default-src 'none'", "frame-ancestors 'none'",
                 "X-Content-Type-Options: nosniff", "Cache-Control: no-store"):  # fmt: skip
        assert told in head
    assert "Access-Control" not in head
    assert "Python" not in head


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_from_our_page_is_refused(name, server):
    expected, data = BAD[name]
    reply = exchange(server, data)
    assert status(reply) == expected
    assert b"\r\nConnection: close\r\n" in reply
    assert set(told(reply)["error"]) == {"message", "line", "column"}
    assert b"evil" not in reply


@pytest.mark.parametrize("name", WRONG)
def test_a_question_that_cannot_be_answered_gets_words(name, server):
    reply = exchange(server, question(body=WRONG[name]))
    assert status(reply) == 200
    message = told(reply)["error"]["message"]
    assert message
    assert "\n" not in message
    assert "Traceback" not in message


def test_the_tables_are_of_what_is_refused_alone(server):
    """Without the one thing that is wrong, each is answered: so the check that is meant is made."""
    assert told(exchange(server, question()))["result"]["value"] == 27
    assert len({data for _, data in BAD.values()}) == len(BAD)


def test_one_connection_takes_many_requests(server):
    with socket.create_connection(server.server_address, timeout=10) as link:
        for data in (GOOD["a question"], GOOD["a head"], GOOD["the page"], GOOD["a question"]):
            assert status(sent(link, data)) == 200


@pytest.mark.parametrize("data", [b"GET / HTT", request("GET / HTTP/1.1")[:-2], question()[:-9]])
def test_bytes_that_drip_do_not_hold_a_connection(data):
    """Half a request is ended after PROMPT seconds, however many more bytes come meanwhile."""
    with running(PROMPT=0.3) as server, socket.create_connection(server.server_address, 10) as link:
        link.sendall(data)
        drips = 0
        with contextlib.suppress(OSError):
            while drips < 500 and not readable(link, 0.05):
                link.sendall(b" ")
                drips += 1
        assert drips < 500
        assert status(exchange(server, question())) == 200


def readable(link, seconds):
    link.settimeout(seconds)
    with contextlib.suppress(TimeoutError):
        link.recv(1)
        return True
    return False


def test_silent_connections_are_ended_and_too_many_are_not_taken():
    with running(IDLE=0.5) as server:
        silent = [socket.create_connection(server.server_address, 10) for _ in range(80)]
        for link in silent:
            assert link.recv(1) == b""
            link.close()
        assert status(exchange(server, question())) == 200


def test_a_hundred_questions_at_once_are_answered_or_told_to_wait():
    begun, go_on = threading.Semaphore(0), threading.Event()

    def slow(text):
        begun.release()
        go_on.wait(10)
        return text

    with running(slow) as server, ThreadPoolExecutor(100) as pool:
        replies = [pool.submit(exchange, server, question(body="1")) for _ in range(100)]
        for _ in range(served.AT_ONCE):
            assert begun.acquire(timeout=10)
        assert not begun.acquire(blocking=False)  # the others wait
        assert status(exchange(server, request("GET / HTTP/1.1"))) == 200
        while sum(reply.done() for reply in replies) < 100 - served.WAITING:
            time.sleep(0.01)
        go_on.set()
        found = [status(reply.result()) for reply in replies]
    assert found.count(200) == served.WAITING
    assert {*found} <= {200, 503, 0}  # 0: hung up on, where there were too many connections


def test_a_fault_of_the_engine_is_told_and_breaks_nothing(capsys):
    def broken(text):
        raise RuntimeError("planted")

    with running(broken) as server:
        reply = exchange(server, question())
        assert status(reply) == 500
        assert told(reply)["error"]["message"] == "a fault of the server: RuntimeError: planted"
        assert status(exchange(server, request("GET / HTTP/1.1"))) == 200
    assert capsys.readouterr().err == ""


# The command


def test_play_prints_the_address_of_the_circuit_and_ends_quietly():
    with playing("h = w*x + b", "tanh(h)²", "w=1/2", "--port", "0", "x=-3") as (run, address):
        parts = urlsplit(address)
        assert parse_qs(parts.fragment) == {
            "text": ["h = w*x + b\ntanh(h)²"], "numbers": ["w:0.5,x:-3"],
        }  # fmt: skip
        with socket.create_connection((parts.hostname, parts.port), 10) as link:
            link.sendall(question())
            assert status(link.recv(65_536)) == 200
        if os.name == "posix":
            run.send_signal(signal.SIGINT)
            _, errors = run.communicate(timeout=10)
            assert (run.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["w*x +"], "a number or a name is missing after +"),
        (["w*x", "y=2"], "y has a number but is not in 'w*x'"),
        (["w*x", "w=1", "w=2"], "w has two numbers"),
        (["w=2"], "there is no expression"),
        (["__import__('os')"], "not arithmetic"),
        (["open(x)"], "no function 'open'"),
    ],
)
def test_play_says_what_is_wrong_with_an_expression_before_anything_starts(words, said, capsys):
    assert main(["play", *words]) == 2
    assert said in capsys.readouterr().err


def test_play_opens_the_browser(tmp_path, monkeypatch):
    """Here a program that writes down which address it is to open."""
    browser, told = tmp_path / "browser.py", tmp_path / "told"
    browser.write_text(
        f"import os, sys; open({str(told)!r} + '_', 'w').write(sys.argv[1])\n"
        f"os.rename({str(told)!r} + '_', {str(told)!r})"
    )
    monkeypatch.setenv("BROWSER", f"{sys.executable} {browser} %s")
    with playing("x*x", "--open") as (_, address):
        while not told.exists():
            time.sleep(0.01)
        assert told.read_text() == address


def test_play_says_that_a_port_is_taken(capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["play", "--port", str(port)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"microgrid play: port {port} ")
    with pytest.raises(SystemExit):
        main(["play", "--port", "65536"])


def test_play_needs_neither_numpy_nor_the_page_to_start():
    """It starts in a moment: what takes long is not imported."""
    text = (
        "import sys; from microgrid.cli.playground import fragment_of; fragment_of(['w*x']); "
        "from microgrid.playground import answer, files, server; "
        "print(sorted({'numpy', 'hypothesis', 'numba', 'matplotlib'} & {*sys.modules}))"
    )
    told = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_the_files_of_the_page_name_no_other_host():
    for name, data in files("pyodide").items():
        hosts = set(re.findall(rb"https?://[\w.]+", data)) - {
            b"http://www.w3.org",
            b"http://localhost",
        }
        assert not hosts, name
