"""What a process does before it runs somebody's code: bounds, and streams of its own."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

MEMORY = 4 << 30  # bytes of data, beside what there is at the start


def data_size() -> int:
    """The bytes of data that the process has: a copy of a notebook may begin with many."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGESIZE")
    return 0


def limited(seconds: int) -> None:
    """Bounds for memory and time, where the system has them."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        memory = data_size() + MEMORY
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    with suppress(Exception):  # Linux: do not outlive the parent
        import ctypes

        ctypes.CDLL(None).prctl(1, 9)


def silence() -> tuple[Any, Any]:
    """Private copies of the standard input and output; the engine gets the null device."""
    requests, answers = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    quiet = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(quiet, standard)
    # The copy of a notebook has streams of its own, which go to the page.
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    return requests, answers
