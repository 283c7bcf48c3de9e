"""Check layers in a process of their own: start it, listen, start it again after one that hangs."""

from __future__ import annotations

import json
import linecache
import re
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from pickle import PicklingError, dumps
from typing import Any

from microgrid.check.handwritten.process import worker
from microgrid.check.handwritten.process.job import Job
from microgrid.check.handwritten.process.serialization import from_json
from microgrid.check.handwritten.process.worker import SMALLER
from microgrid.check.handwritten.report import LayerReport
from microgrid.check.handwritten.results import Found
from microgrid.check.handwritten.trial import LayerError
from microgrid.check.loading.folders import is_theirs
from microgrid.check.process import Child, can_fork, forked, ours, printable, spawned

Progress = Callable[[str, int, int], None]  # the layer's name, how many were checked, of how many
GRACE = 2.0  # seconds until a process that should have ended itself is ended


def run(job: Job, timeout: float, progress: Progress | None = None) -> LayerReport:
    """The report on all layers of a job; LayerError if there is nothing to check."""
    session = Session(job, timeout, progress or (lambda name, done, total: None))
    if job.layer is not None and not can_fork():
        worker.work(job, 0, session.hear, timeout, lambda seconds: None)
    else:
        session.run()
    return session.report


class Session:
    """One check: what was found so far, and what the process is at."""

    def __init__(self, job: Job, timeout: float, progress: Progress) -> None:
        self.job, self.progress = job, progress
        self.end = time.monotonic() + timeout
        self.limit = max(1.0, timeout / 6)  # of one layer
        self.timeout = timeout
        self.names: list[str] = []
        self.loaded = False
        self.report = LayerReport(job.target, [], job.seed)

    @property
    def left(self) -> float:
        return self.end - time.monotonic()

    @property
    def done(self) -> int:
        return len(self.report.found)

    def run(self) -> None:
        """Start a process as often as needed: each one begins after the layers that are done."""
        while not self.loaded or self.done < len(self.names):
            if self.left <= 0:
                rest = f"not checked were {', '.join(self.names[self.done :])}"
                rest = rest if self.names else f"{self.job.target} was not loaded"
                self.report.unfinished = f"{self.timeout:g} s were over: {rest}"
                return
            child = self.start()
            try:
                self.listen(child)
            finally:
                child.kill()

    def start(self) -> Child:
        limit = max(0.5, min(self.limit, self.left))
        seconds, skip, job = int(self.timeout) + 30, self.done, self.job
        if job.layer is not None:
            return forked(lambda _, said: worker.serve(job, skip, limit, said), seconds)
        try:
            pickled = b64encode(dumps(job)).decode()
        except (PicklingError, TypeError, AttributeError) as error:
            raise LayerError(f"an input cannot be sent to another process: {error}") from None
        child = spawned(ours(worker.__name__, str(seconds)))
        with suppress(OSError):  # a process that is gone says so when it is read
            child.requests.write(json.dumps({"job": pickled, "skip": skip, "limit": limit}) + "\n")
            child.requests.flush()
        return child

    def listen(self, child: Child) -> None:
        """Hear the process until it ends or says too little in its time."""
        trace: list[str] = []
        while not self.loaded or self.done < len(self.names):
            try:
                step = self.limit * (1 if self.loaded else worker.LOADING)
                self.hear(child.read(max(0.1, min(step, self.left)) + GRACE))
            except json.JSONDecodeError as error:
                trace.append(error.doc)  # where it was, when its time was over or it died
            except TimeoutError:
                return self.broke(f"did not end within {self.limit:g} s")
            except EOFError as error:
                if self.loaded and is_of_ours("".join(trace)):
                    return self.gave_up()
                return self.broke(ending(trace, str(error), self.limit))
            except LayerError:
                raise
            except (ValueError, KeyError, TypeError, IndexError, RecursionError):
                return self.broke("answered nonsense")
        return None

    def hear(self, message: dict[str, Any]) -> None:
        """One message of the process."""
        if "error" in message:
            raise LayerError(printable(str(message["error"])))
        if "layers" in message:
            self.names, self.loaded = [printable(str(x)) for x in message["layers"]], True
            said = [printable(str(x)) for x in message["remarks"]]
            self.report.remarks += [x for x in said if x not in self.report.remarks]
        elif "layer" in message:
            self.progress(self.names[message["layer"]], self.done, len(self.names))
        else:
            self.report.found.append(from_json(message["found"]))

    def gave_up(self) -> None:
        """The layer was too much for the run on Values."""
        name, said = self.names[self.done], f"on Values it did not end within {self.limit:g} s"
        self.report.found.append(Found(name, refusal=f"{said}: its inputs are large; {SMALLER}"))

    def broke(self, how: str) -> None:
        """The process is gone: the layer that it was at crashes."""
        if not self.loaded:
            trains = 'put what trains under `if __name__ == "__main__":`'
            raise LayerError(f"loading {self.job.target} {how}{f'; {trains}' * ('end' in how)}")
        if self.left > 0:
            self.report.found.append(worker.crashed(self.names[self.done], f"it {how}"))


def is_of_ours(trace: str) -> bool:
    """Whether the time was over in the run on Values or in the diagnosis, not in a run of theirs.

    On floats their code ended: what takes long is ours.
    """
    stack = re.findall(r'File "(.*)", line \d+ in (\S+)', trace.split("Thread 0x")[-1])
    places = [(Path(file).name, function) for file, function in stack]
    on_values = ("exact.py", "exact") in places and ("exact.py", "on_floats") not in places
    theirs = any(is_theirs(file) for file, _ in stack)
    return trace.startswith("Timeout") and (on_values or not theirs)


def ending(trace: list[str], how: str, limit: float) -> str:
    """Why a process ended, from what it wrote about itself, and at which line of their code."""
    text = "".join(trace)
    timed_out = text.startswith("Timeout")
    said = f"did not end within {limit:g} s" if timed_out else f"ended the process ({how})"
    where = line_of(text.split("Thread 0x")[-1] if timed_out else text)
    return f"{said}: {where}" if where else said


def line_of(trace: str) -> str:
    """The innermost line of a stack that is neither ours nor of what is installed."""
    for file, number, function in re.findall(r'File "(.*)", line (\d+) in (\S+)', trace):
        if is_theirs(file):
            text = linecache.getline(file, int(number)).strip()
            code = f", `{text}`" if text else ""
            return printable(f"it was in `{function}`, line {number}{code}")
    return ""
