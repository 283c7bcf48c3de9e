"""How long a process has worked: its processor time, which a busy machine does not lengthen.

A limit in seconds of the wall clock would blame a program for the others that run beside it. Here
time counts while a process computes or sleeps, and not while it waits for a core.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

POLL = 0.1  # seconds between two looks at a process
PATIENCE = 20  # seconds of the wall clock for one of a limit, after which even waiting ends
SHARE = 4  # where the system tells nothing: how many seconds of the wall clock count as one
TICK = 0.01  # of the clock that counts processor time
TOLD = Path("/proc/self/stat").exists()  # as on Linux
RUNS = "RDTt"  # on a core or in wait for one, for a disk, or for somebody who has stopped it
STATE, USED = 0, slice(11, 15)  # in what /proc/PID/stat says after the name


class Stopwatch:
    """The seconds that a process and those it started have computed or slept.

    >>> watch = Stopwatch(os.getpid())
    >>> start, end = watch.seconds, time.process_time() + 0.3
    >>> while time.process_time() < end:
    ...     pass
    >>> 0.1 < watch.seconds - start < 2
    True
    """

    def __init__(self, pid: int) -> None:
        self.pid, self.start, self.seen = pid, time.monotonic(), 0.0
        self.computed = self.asleep = 0.0
        self.stopped = False

    @property
    def seconds(self) -> float:
        """All of them; a look that is younger than POLL is not repeated."""
        if time.monotonic() - self.seen > POLL and not self.stopped:
            self.look()
        return self.computed + self.asleep

    def look(self) -> bool:
        """Read the time again; whether nothing of it runs or waits for a core."""
        self.seen = time.monotonic()
        if not TOLD:
            self.computed = (self.seen - self.start) / SHARE
            return False
        with suppress(OSError, ValueError, IndexError):  # it has ended
            computed, idle = family(self.pid)
            self.computed = max(self.computed, computed)
            return idle
        return True

    def waited(self, since: float) -> None:
        """Somebody has waited for the process from that time on, which counts if it was idle."""
        computed = self.computed
        if self.look() and self.computed - computed < TICK:
            self.asleep += self.seen - since

    def stop(self) -> None:
        """The process ends now."""
        self.look()
        self.stopped = True


class Budget:
    """The seconds that a check may take: of this process and of those it starts."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.watches = seconds, list[Stopwatch]()
        self.start, self.end = time.process_time(), time.monotonic() + PATIENCE * seconds

    @property
    def left(self) -> float:
        """How many are left, 0 at least."""
        if time.monotonic() > self.end:
            return 0.0
        ours, theirs = time.process_time() - self.start, sum(w.seconds for w in self.watches)
        return max(0.0, self.seconds - ours - theirs)


def family(pid: int) -> tuple[float, bool]:
    """The processor time of a process and its descendants, and whether none of them runs."""
    ticks, idle, waiting = 0, True, [str(pid)]
    while waiting:
        process = Path("/proc", waiting.pop())
        ticks += sum(map(int, fields(process)[USED]))
        for thread in process.joinpath("task").iterdir():
            with suppress(OSError, IndexError):  # it has ended since
                idle &= fields(thread)[STATE] not in RUNS
                waiting += thread.joinpath("children").read_text().split()
    return ticks / os.sysconf("SC_CLK_TCK"), idle


def fields(process: Path) -> list[str]:
    """What the system says of a process or a thread, after its name."""
    return (process / "stat").read_text().rpartition(")")[2].split()
