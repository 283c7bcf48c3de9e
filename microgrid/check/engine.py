"""The engine that is checked, in a process of its own."""

from __future__ import annotations

import atexit
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager, suppress
from json import dumps, loads
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from microgrid.check import worker
from microgrid.check.example import Outcome
from microgrid.engine.errors import MicrogridError

LONGEST_ANSWER = 1_000_000  # characters
STRIKES = 3  # the checker gives up after so many programs that hung or killed the process

NOT_RUN = Outcome(error="out of time", stopped=True)
UNENDED, NO_ANSWER = "did not end", "no answer within"  # how its errors begin or end


class EngineError(MicrogridError, RuntimeError):
    """An engine that is to be checked does not load; the message has what Python said.

    >>> from microgrid.check import check
    >>> check("missing.py")
    Traceback (most recent call last):
        ...
    microgrid.check.engine.EngineError: there is no file missing.py
    """


class Engine(AbstractContextManager["Engine"]):
    """A child process that evaluates programs, started again when it dies.

    The child has a session of its own, so that the processes it starts end with it. EngineError if
    it cannot load the engine.
    """

    def __init__(
        self, target: Any, limit: float = 5.0, lifetime: float = 60.0, loading: float = 20.0
    ) -> None:
        self.target, self.limit, self.lifetime, self.loading = target, limit, lifetime, loading
        self.strikes = self.count = 0
        self.end = time.monotonic() + lifetime
        self.child: Child | None = None
        self.about = self.start()
        self.cls = self.about["class"]

    @property
    def given_up(self) -> bool:
        return self.strikes >= STRIKES

    def start(self) -> dict[str, Any]:
        """Start a process, and return what it says of the class."""
        self.child = spawn(self.target, self.lifetime)
        name, about = name_of(self.target), {}
        try:
            about = self.child.read(min(self.loading, max(1.0, self.end - time.monotonic())))
            refusal = refused(about, name)
        except TimeoutError:
            refusal = f"loading {name} {UNENDED}"
        except EOFError as error:
            refusal = f"loading {name} ended the process ({error})"
        except (ValueError, RecursionError):
            refusal = f"loading {name} answered nonsense"
        if refusal:
            self.close()
            raise EngineError(refusal)
        return about

    def run(self, text: str, look: tuple[str, ...], limit: float | None = None) -> Outcome:
        """The outcome of these lines: the numbers that the expressions have after them."""
        left = self.end - time.monotonic()
        if left <= 0 or self.given_up:
            return NOT_RUN
        limit = limit or self.limit
        try:
            if self.child is None:
                self.start()
            assert self.child is not None
            self.count += 1
            request = {"id": self.count, "text": text, "look": look}
            answer = self.child.ask(request, min(limit, left))
            if answer.get("id") != self.count:  # another process answered, which the engine started
                raise ValueError
            if "error" in answer:
                return Outcome(error=printable(str(answer["error"])))
            numbers = tuple(float(x) for x in answer["numbers"])
            if len(numbers) != len(look):
                raise ValueError
            return Outcome(numbers)
        except TimeoutError:
            if left < limit:
                self.close()
                return NOT_RUN
            ended = f"{NO_ANSWER} {limit:g} s"
        except (EOFError, EngineError) as error:
            ended = f"the process ended ({error})"
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            ended = "the process answered with something else than numbers"
        self.strikes += 1
        self.close()
        return Outcome(error=ended, stopped=True)

    def close(self) -> None:
        if self.child is not None:
            self.child.kill()
            self.child = None

    def __exit__(self, *error: object) -> None:
        self.close()


class Child:
    """Lines of JSON to and from a process; a thread reads, so that waiting can end in time."""

    def __init__(self, process: Any, requests: Any, answers: Any) -> None:
        self.process, self.requests, self.answers = process, requests, answers
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()
        atexit.register(self.kill)

    def listen(self) -> None:
        with suppress(OSError, ValueError), self.answers:
            while line := self.answers.readline(LONGEST_ANSWER):
                self.lines.put(line)
        self.lines.put("")

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        try:
            self.requests.write(dumps(request) + "\n")
            self.requests.flush()
        except OSError:
            raise EOFError(self.ending()) from None
        return self.read(seconds)

    def read(self, seconds: float) -> dict[str, Any]:
        """The next answer; TimeoutError, or EOFError with the reason."""
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None
        if not line:
            raise EOFError(self.ending())
        answer = loads(line)
        if not isinstance(answer, dict):
            raise ValueError(line[:80])
        return answer

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


def spawn(target: Any, lifetime: float) -> Child:
    """The process for a path, a module's name, or a class that lives in this process."""
    if not isinstance(target, str | os.PathLike):
        return fork(target, int(lifetime) + 30)
    place, kind, name = parse(target)
    command = [sys.executable, "-B", worker.__file__, place, kind, name, str(int(lifetime) + 30)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        start_new_session=True, text=True, env=os.environ | {"PYTHONHASHSEED": "0"},
    )  # fmt: skip
    return Child(process, process.stdin, process.stdout)


def fork(cls: Any, seconds: int) -> Child:
    """A copy of this process, for a class that no file holds, such as a notebook's."""
    if not isinstance(cls, type):
        raise EngineError(
            f"a path, a module's name or a class is checked, not {getattr(cls, '__name__', cls)}"
        )
    if not hasattr(os, "fork"):
        raise EngineError("this system cannot fork: write the class to a file, and check the file")
    sys.stdout.flush()
    down, up = os.pipe(), os.pipe()
    process = get_context("fork").Process(target=serve, args=(cls, down[0], up[1], seconds))
    process.start()
    os.close(down[0])
    os.close(up[1])
    return Child(process, os.fdopen(down[1], "w"), os.fdopen(up[0]))


def serve(cls: type, requests: int, answers: int, seconds: int) -> None:
    """The work of the copy, which never returns to its caller."""
    try:
        os.setsid()
        os.dup2(requests, 0)
        os.dup2(answers, 1)
        os.closerange(3, 256)
        worker.limited(seconds)
        worker.serve(*worker.silence(), lambda: (None, cls))
    finally:
        os._exit(0)


def parse(target: str | os.PathLike[str]) -> tuple[str, str, str]:
    """(place, "path" or "module", class) of PATH[:CLASS] or MODULE[:CLASS].

    >>> parse("micrograd.engine:Value")
    ('micrograd.engine', 'module', 'Value')
    >>> parse("micrograd.engine")
    ('micrograd.engine', 'module', 'Value')
    """
    place, name = str(target), "Value"
    before, colon, after = place.rpartition(":")
    if colon and all(part.isidentifier() for part in after.split(".")) and not Path(place).exists():
        place, name = before, after
    path = Path(place)
    is_path = place.endswith(".py") or os.sep in place or "/" in place or path.is_file()
    if is_path and not path.exists():
        raise EngineError(f"there is no file {place}")
    if is_path and path.is_dir() and not (path / "__init__.py").exists():
        raise EngineError(f"{place} is a folder without __init__.py: name the file")
    if is_path and path.is_file() and path.suffix != ".py":
        hint = "; write the class to a .py file" if path.suffix == ".ipynb" else ""
        raise EngineError(f"{place} is not a Python file{hint}")
    if not is_path and not all(part.isidentifier() for part in place.split(".")):
        raise EngineError(f"{place!r} is neither a file nor the name of a module")
    return place, "path" if is_path else "module", name


def refused(about: dict[str, Any], name: str) -> str:
    """Why an engine that says this of itself cannot be checked; "" if it can."""
    if "error" in about:
        return f"{name} could not be loaded: {printable(str(about['error']))}"
    if not sane(about):
        return f"loading {name} answered nonsense"
    if not {"__add__", "__mul__"} & set(about["methods"]):
        return f"{about['class']} of {name} has no + and no *"
    return ""


def sane(about: dict[str, Any]) -> bool:
    """Whether the child said it of a class, not an engine in the child's place."""
    texts = [about.get("class"), about.get("module")]
    for key in ("methods", "functions"):
        texts += about[key] if isinstance(about.get(key), list) else [None]
    return all(isinstance(text, str) for text in texts) and about["class"].isidentifier()


def name_of(target: Any) -> str:
    return str(target) if isinstance(target, str | os.PathLike) else str(target.__name__)


def printable(text: str) -> str:
    """Text without control characters: a terminal would obey them, and XML forbids them."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)
