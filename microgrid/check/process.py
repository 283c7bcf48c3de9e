"""A process for somebody's code: it answers in lines of JSON, and can be ended at any time."""

from __future__ import annotations

import atexit
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from json import dumps, loads
from multiprocessing import get_context
from typing import Any

from microgrid.check.isolation import limited, silence
from microgrid.check.loading.folders import OURS
from microgrid.check.processor_time import PATIENCE, POLL, Stopwatch

LONGEST_ANSWER = 1_000_000  # characters


class Child:
    """Lines of JSON to and from a process; a thread reads, so that waiting can end in time."""

    def __init__(self, process: Any, requests: Any, answers: Any) -> None:
        self.process, self.requests, self.answers = process, requests, answers
        self.lines: queue.Queue[str] = queue.Queue()
        self.watch = Stopwatch(process.pid)
        threading.Thread(target=self.listen, daemon=True).start()
        atexit.register(self.kill)

    def listen(self) -> None:
        with suppress(OSError, ValueError), self.answers:
            while line := self.answers.readline(LONGEST_ANSWER):
                self.lines.put(line)
        self.lines.put("")

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        self.send(request)
        return self.read(seconds)

    def send(self, request: dict[str, Any]) -> None:
        """Write a request; a process that is gone says so when it is read."""
        with suppress(OSError):
            self.requests.write(dumps(request) + "\n")
            self.requests.flush()

    def read(self, seconds: float) -> dict[str, Any]:
        """The next answer; TimeoutError, or EOFError with the reason.

        The time counts that the process computes or sleeps, not that it waits for a core.
        """
        line = self.line(seconds)
        if not line:
            raise EOFError(self.ending())
        answer = loads(line)
        if not isinstance(answer, dict):
            raise ValueError(line[:80])
        return answer

    def line(self, seconds: float) -> str:
        with suppress(queue.Empty):  # as a rule it comes at once
            return self.lines.get(timeout=min(POLL, seconds))
        last, end = self.watch.seconds + seconds, time.monotonic() + PATIENCE * seconds
        while (start := time.monotonic()) < end and self.watch.seconds < last:
            with suppress(queue.Empty):
                return self.lines.get(timeout=POLL)
            self.watch.waited(since=start)
        raise TimeoutError

    def ending(self) -> str:
        """How the process ended, in words."""
        code = exit_code(self.process)
        if code is None:
            return "it closed its output"
        names = {-s.value: s.name for s in signal.Signals}
        return f"killed by {names.get(code, -code)}" if code < 0 else f"exit code {code}"

    def kill(self) -> None:
        """End the process and its session."""
        atexit.unregister(self.kill)
        self.watch.stop()
        with suppress(OSError, AttributeError):  # Windows has no killpg
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        exit_code(self.process)
        with suppress(OSError):
            self.requests.close()


def exit_code(process: Any) -> int | None:
    """None if the process does not end within a second: it may close its output and live on."""
    if not isinstance(process, subprocess.Popen):
        process.join(1.0)
        return process.exitcode  # type: ignore[no-any-return]
    with suppress(subprocess.TimeoutExpired):
        return process.wait(1.0)
    return None


def ours(module: str, *arguments: str) -> list[str]:
    """How Python runs `main` of a module of ours: with our folder first in its path until then."""
    start = f"import sys; sys.path.insert(0, sys.argv.pop(1)); from {module} import main; main()"
    return ["-P", "-c", start, str(OURS.parent), *arguments]


def spawned(arguments: Sequence[str], request: dict[str, Any] | None = None) -> Child:
    """A fresh interpreter with its arguments, and what it reads first."""
    process = subprocess.Popen(
        [sys.executable, "-B", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        start_new_session=True, text=True, env=os.environ | {"PYTHONHASHSEED": "0"},
    )  # fmt: skip
    child = Child(process, process.stdin, process.stdout)
    if request is not None:
        child.send(request)
    return child


def can_fork() -> bool:
    return hasattr(os, "fork")


def forked(work: Callable[[Any, Any], None], seconds: int) -> Child:
    """A copy of this process that works on its requests and writes its answers.

    It is for what no file holds, such as the functions of a notebook.
    """
    sys.stdout.flush()
    down, up = os.pipe(), os.pipe()
    process = get_context("fork").Process(target=serve, args=(work, down[0], up[1], seconds))
    with warnings.catch_warnings():  # from 3.12 on, of threads, none of which the copy needs
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    os.close(down[0])
    os.close(up[1])
    return Child(process, os.fdopen(down[1], "w"), os.fdopen(up[0]))


def serve(work: Callable[[Any, Any], None], requests: int, answers: int, seconds: int) -> None:
    """The work of the copy, which never returns to its caller."""
    try:
        os.setsid()
        os.dup2(requests, 0)
        os.dup2(answers, 1)
        os.closerange(3, 256)
        limited(seconds)
        work(*silence())
    finally:
        os._exit(0)


def printable(text: str) -> str:
    """Text without control characters: a terminal would obey them, and XML forbids them."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)
