"""An end for statements that train: they are stopped from within, on every system."""

from __future__ import annotations

import _thread
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

STEP = 0.02  # seconds between two looks at the clock
ASLEEP = (
    0.02  # of the time on the wall: what uses less of the processor does not merely wait for it
)
LONGEST = 10.0  # times the limit, by the clock on the wall


class TooLongError(BaseException):
    """A statement takes too long: no `except Exception` of theirs may catch that."""


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """TooLongError in what takes longer, counted in time of the processor.

    A thread looks at the clock and interrupts the main thread as Ctrl-C does, again and again until
    the statement gives way. Elsewhere than in the main thread there is no limit.

    >>> try:
    ...     with limit(0.05):
    ...         while True:
    ...             pass
    ... except TooLongError:
    ...     print("stopped")
    stopped
    """
    if math.isinf(seconds) or threading.current_thread() is not threading.main_thread():
        yield
        return
    over, main = threading.Event(), _thread.get_ident()
    used, began = time.process_time(), time.monotonic()

    def is_over() -> bool:
        busy, passed = time.process_time() - used, time.monotonic() - began
        asleep = passed > max(1.0, seconds) and busy < ASLEEP * passed
        return asleep or busy > seconds or passed > LONGEST * seconds

    def look() -> None:
        while not over.wait(STEP):
            if is_over():
                if hasattr(signal, "pthread_kill"):
                    signal.pthread_kill(main, signal.SIGINT)  # wakes up what sleeps, too
                else:
                    _thread.interrupt_main()

    def stop(*_: Any) -> None:
        if not over.is_set():
            raise TooLongError

    before = signal.signal(signal.SIGINT, stop)
    watch = threading.Thread(target=look, daemon=True)
    watch.start()
    try:
        yield
    finally:
        with suppress(TooLongError):  # it may come as late as here
            over.set()
        over.set()
        watch.join()
        signal.signal(signal.SIGINT, before)
