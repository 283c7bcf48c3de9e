"""An end for statements that train: they are stopped from within, on every system."""

from __future__ import annotations

import _thread
import math
import signal
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from types import FrameType
from typing import Any

STEP = 0.02  # seconds between two looks at the clock
ASLEEP = 0.02  # of the time on the wall: what uses less of the processor is not waiting for it
LONGEST = 10.0  # times the limit, by the clock on the wall


class TooLongError(BaseException):
    """A statement takes too long: no `except Exception` of theirs may catch that."""


def limit(seconds: float) -> AbstractContextManager[None]:
    """TooLongError in what takes longer, counted in time of the processor.

    Elsewhere than in the main thread there is no limit.

    >>> try:
    ...     with limit(0.05):
    ...         while True:
    ...             pass
    ... except TooLongError:
    ...     print("stopped")
    stopped
    """
    if math.isinf(seconds) or threading.current_thread() is not threading.main_thread():
        return nullcontext()
    return Limit(seconds)


class Limit(AbstractContextManager[None]):
    """A thread looks at the clock and interrupts the main thread as Ctrl-C does.

    It does so again and again until the statement gives way, but never in this file: what ends the
    thread is not interrupted.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self.main = seconds, _thread.get_ident()
        self.over = threading.Event()
        self.watch = threading.Thread(target=self.look, daemon=True)

    def __enter__(self) -> None:
        self.used, self.began = time.process_time(), time.monotonic()
        self.before = signal.signal(signal.SIGINT, self.stop)
        self.watch.start()

    def __exit__(self, *raised: object) -> None:
        self.over.set()
        self.watch.join()
        signal.signal(signal.SIGINT, self.before)

    def look(self) -> None:
        while not self.over.wait(STEP):
            if self.is_over():
                if hasattr(signal, "pthread_kill"):
                    signal.pthread_kill(self.main, signal.SIGINT)  # wakes up what sleeps, too
                else:
                    _thread.interrupt_main()

    def is_over(self) -> bool:
        busy, passed = time.process_time() - self.used, time.monotonic() - self.began
        asleep = passed > max(1.0, self.seconds) and busy < ASLEEP * passed
        return asleep or busy > self.seconds or passed > LONGEST * self.seconds

    def stop(self, number: int, frame: FrameType | None) -> Any:
        while frame is not None and frame.f_code.co_filename == THREADING:
            frame = frame.f_back
        if not (self.over.is_set() or frame is None or frame.f_code.co_filename == HERE):
            raise TooLongError


HERE, THREADING = (f.__code__.co_filename for f in (limit, threading.Event.set))
