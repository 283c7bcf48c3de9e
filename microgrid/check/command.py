"""The command of an adapter: how an engine in another language is run.

The adapters that are shipped, and the protocol that they speak, are in the folder `adapters`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from json import dumps
from pathlib import Path
from typing import Any

from microgrid.check.isolation import MEMORY
from microgrid.check.process import Child, printable

ADAPTERS = {
    language: Path(__file__).parent / "adapters" / file
    for language, file in {"javascript": "javascript.mjs", "c": "c_adapter.c"}.items()
}
JAVASCRIPT = re.compile(r"(.+\.(?:[mc]?js|[mc]?ts))(?::(\w+))?")
WINDOWS = os.name == "nt"


def command_of(target: Any) -> list[str]:
    """The words of the command for a target: the adapter for its suffix, none for Python's own.

    >>> command_of(["node", "adapter.mjs", "engine.mjs"])
    ['node', 'adapter.mjs', 'engine.mjs']
    >>> command_of("my_engine.py")
    []
    """
    if isinstance(target, list | tuple):
        return [str(word) for word in target]
    if not isinstance(target, str | os.PathLike):
        return []
    if (found := JAVASCRIPT.fullmatch(str(target))) is None:
        return []
    file, cls = found.groups()
    if not Path(file).is_file():
        raise FileNotFoundError(f"there is no file {file}")
    return ["node", str(ADAPTERS["javascript"]), file, *([cls] if cls else [])]


def read_words(text: str, windows: bool = WINDOWS) -> list[str]:
    r"""The words of a command line; on Windows a backslash parts the folders of a path.

    >>> read_words("node 'my adapter.mjs' engine.mjs")
    ['node', 'my adapter.mjs', 'engine.mjs']
    >>> read_words(r'"C:\Program Files\node.exe" engine.mjs', windows=True)
    ['C:\\Program Files\\node.exe', 'engine.mjs']
    """
    reader = shlex.shlex(text, posix=True, punctuation_chars=False)
    reader.whitespace_split, reader.commenters = True, ""
    if windows:
        reader.escape = ""
    try:
        words = list(reader)
    except ValueError as error:
        raise ValueError(f"the command {text} cannot be read: {error}") from None
    if not words:
        raise ValueError("the command has no words")
    return words


class Command(Child):
    """A process that is an adapter; the end of what it says on its standard error is kept."""

    def __init__(self, process: Any) -> None:
        super().__init__(process, process.stdin, process.stdout)
        self.complaints: deque[str] = deque(maxlen=40)
        self.reader = threading.Thread(target=self.hear, args=(process.stderr,), daemon=True)
        self.reader.start()

    def hear(self, errors: Any) -> None:
        with suppress(OSError, ValueError), errors:
            while line := errors.readline(1000):
                self.complaints.append(line)

    def ending(self) -> str:
        """How it ended, with the line of its complaints that says most."""
        self.reader.join(1.0)
        lines = [line.strip() for line in self.complaints if line.strip()]
        said = next((line for line in lines if "error" in line.lower()), "".join(lines[-1:]))
        return super().ending() + (f": {printable(said)[:200]}" if said else "")


def commanded(command: Sequence[str], seconds: int, names: Mapping[str, str]) -> Command:
    """The process of a command; FileNotFoundError if there is no such program.

    `names` are what the user says of the engine's spelling; an adapter may read them.
    """
    name = command[0]
    if (program := shutil.which(name)) is None:
        raise FileNotFoundError(f"there is no program {name!r}: is it installed, and on the PATH?")
    process = subprocess.Popen(
        [program, *command[1:]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, text=True, encoding="utf-8", errors="replace",
        env=os.environ | {"MICROGRID_NAMES": dumps({k: v for k, v in names.items() if v})},
    )  # fmt: skip
    bounded(process.pid, seconds)
    return Command(process)


def bounded(process: int, seconds: int) -> None:
    """Bounds for the memory and the time of a process, where the system has them."""
    with suppress(ImportError, AttributeError, ValueError, OSError):
        import resource

        resource.prlimit(process, resource.RLIMIT_DATA, (MEMORY, MEMORY))
        resource.prlimit(process, resource.RLIMIT_CPU, (seconds, seconds + 1))
