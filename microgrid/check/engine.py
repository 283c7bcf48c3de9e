"""The engine that is checked, in a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from json import dumps
from pathlib import Path
from typing import Any

from microgrid.check.by_value import packed
from microgrid.check.command import Command, command_of, commanded
from microgrid.check.example import Outcome
from microgrid.check.process import Child, ours, printable, spawned
from microgrid.check.processor_time import Budget
from microgrid.check.protocol import VERSION, Tree
from microgrid.engine.errors import MicrogridError
from microgrid.engine.extras import explained

WORKER = "microgrid.check.worker"
STRIKES = 3  # the checker gives up after so many programs that hung or killed the process

NOT_RUN = Outcome(error="out of time", stopped=True)
ERRORS = ("overflow", "domain", "depth", "other")  # kinds that every language has
NOT_TOLD: dict[str, Any] = {  # what an adapter may leave out of its greeting
    "module": "", "methods": [], "static": [], "functions": [], "operations": {}, "names": {},
    "offers": [], "not checked": [], "remarks": [], "language": "Python", "file": None,
}  # fmt: skip
NO_NAMES: Mapping[str, str] = {}
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
        self, target: Any, limit: float = 5.0, lifetime: float = 60.0, loading: float = 20.0,
        names: Mapping[str, str] = NO_NAMES,
    ) -> None:  # fmt: skip
        self.names = dict(names)
        self.target, self.limit, self.lifetime, self.loading = target, limit, lifetime, loading
        self.strikes = self.count = 0
        self.budget = Budget(lifetime)
        self.child: Child | None = None
        self.about = self.start()
        self.cls = self.about["class"]

    @property
    def given_up(self) -> bool:
        return self.strikes >= STRIKES

    def start(self) -> dict[str, Any]:
        """Start a process, and return what it says of the class."""
        name, about = name_of(self.target), {}
        try:
            self.child = spawn(self.target, self.lifetime, self.names)
            self.budget.watches.append(self.child.watch)
            about = self.child.read(min(self.loading, max(1.0, self.budget.left)))
            refusal = refused(about, name)
        except TimeoutError:
            refusal = f"loading {name} {UNENDED}"
            if isinstance(self.child, Command):
                refusal = f"{name} did not greet, as an adapter does"
        except EOFError as error:
            refusal = f"loading {name} ended the process ({error})"
        except OSError as error:
            refusal = str(error)
        except (ValueError, RecursionError) as error:
            said = printable(getattr(error, "doc", str(error)).strip())
            refusal = f"loading {name} answered nonsense: {said[:60]}"
        if refusal:
            self.close()
            raise EngineError(refusal)
        return about

    def run(
        self, program: list[Tree], look: Sequence[str] = (), limit: float | None = None
    ) -> Outcome:
        """The outcome of these steps: the numbers that are looked at after them."""
        left = self.budget.left
        if left <= 0 or self.given_up:
            return NOT_RUN
        limit = limit or self.limit
        try:
            if self.child is None:
                self.start()
            assert self.child is not None
            self.count += 1
            request = {"id": self.count, "program": program, "look": look}
            answer = self.child.ask(request, min(limit, left))
            if answer.get("id") != self.count:  # another process answered, which the engine started
                raise ValueError
            if "absent" in answer:
                return Outcome(error=printable(str(answer["absent"])), refused=True)
            if "error" in answer:
                kind = str(answer.get("kind")) if answer.get("kind") in ERRORS else "other"
                error, refused = printable(str(answer["error"])), bool(answer.get("refused"))
                where = printable(str(answer.get("where", "")))
                return Outcome(error=error, category=kind, refused=refused, where=where)
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

    def methods_called(self, program: list[Tree]) -> list[str]:
        """The methods of the class that a program calls; none where the language cannot tell."""
        if self.about["language"] != "Python" or self.child is None:
            return []
        self.count += 1
        try:
            answer = self.child.ask({"id": self.count, "called": program}, self.limit)
        except (TimeoutError, EOFError, ValueError):
            self.close()
            return []
        return [str(name) for name in answer.get("methods", [])]

    def close(self) -> None:
        if self.child is not None:
            self.child.kill()
            self.child = None

    def __exit__(self, *error: object) -> None:
        self.close()


def spawn(target: Any, lifetime: float, names: Mapping[str, str] = NO_NAMES) -> Child:
    """The process for a path, a module's name, a command, or a class of this process."""
    seconds = int(lifetime) + 30
    if command := command_of(target):
        return commanded(command, seconds, names)
    if isinstance(target, str | os.PathLike):
        return spawned(ours(WORKER, *parse(target), str(seconds), dumps(names)))
    if not isinstance(target, type):
        raise EngineError(
            f"a path, a module's name, a command or a class is checked, not {name_of(target)}"
        )
    request = {"class": sent(target), "path": [x for x in sys.path if isinstance(x, str)]}
    return spawned(ours(WORKER, "", "class", "", str(seconds), dumps(names)), request)


def sent(cls: type) -> str:
    """A class of this process as text; EngineError where that cannot be."""
    try:
        return packed(cls)
    except ModuleNotFoundError as error:
        told = explained(error, "to be sent to its process a class needs")
        raise EngineError(f"{told}; or write it to a file, and check the file") from None
    except Exception as error:
        raise EngineError(
            f"{name_of(cls)} cannot be sent to a process of its own ({printable(str(error))}): "
            "write it to a file, and check the file"
        ) from None


def parse(target: str | os.PathLike[str]) -> tuple[str, str, str]:
    """(place, "path" or "module", class) of PATH[:CLASS] or MODULE[:CLASS]; class "" if not told.

    >>> parse("micrograd.engine:Value")
    ('micrograd.engine', 'module', 'Value')
    >>> parse("micrograd.engine")
    ('micrograd.engine', 'module', '')
    """
    place, name = str(target), ""
    before, colon, after = place.rpartition(":")
    if colon and all(part.isidentifier() for part in after.split(".")) and not Path(place).exists():
        place, name = before, after
    path = Path(place)
    is_path = place.endswith((".py", ".ipynb")) or os.sep in place or "/" in place or path.is_file()
    if is_path and not path.exists():
        raise EngineError(f"there is no file {place}")
    if is_path and path.is_dir() and not (path / "__init__.py").exists():
        raise EngineError(f"{place} is a folder without __init__.py: name the file")
    if is_path and path.is_file() and path.suffix not in (".py", ".ipynb"):
        raise EngineError(f"{place} is not a Python file: its name must end with .py or .ipynb")
    if not is_path and not all(part.isidentifier() for part in place.split(".")):
        raise EngineError(f"{place!r} is neither a file nor the name of a module")
    return place, "path" if is_path else "module", name


def refused(about: dict[str, Any], name: str) -> str:
    """Why an engine that says this of itself cannot be checked; "" if it can."""
    if "error" in about:
        return f"{name} could not be loaded: {printable(str(about['error']))}"
    if not sane(about):
        return f"loading {name} answered nonsense"
    if about["protocol"] != VERSION:
        return f"{name} speaks protocol {about['protocol']}, the checker {VERSION}"
    offered = {*about["methods"], *about["operations"]}
    offered &= {"__add__", "__mul__", "add", "mul"}
    return "" if offered else f"{about['class']} of {name} has no + and no *"


def sane(about: dict[str, Any]) -> bool:
    """Whether the child said it of a class, not an engine in the child's place.

    What an adapter may leave out is filled in.
    """
    about.update(NOT_TOLD | about)
    texts = [about.get("class"), about["module"], about["language"]]
    for key in ("methods", "static", "functions", "offers", "not checked", "remarks"):
        texts += about[key] if isinstance(about[key], list) else [None]
    tables = [about["operations"], about["names"]]
    tables += about["operations"].values() if isinstance(about["operations"], dict) else []
    sound = all(isinstance(table, dict) for table in tables)
    sound = sound and isinstance(about.get("protocol"), int)
    return sound and all(isinstance(text, str) for text in texts) and about["class"].isidentifier()


def name_of(target: Any) -> str:
    if isinstance(target, str | os.PathLike):
        return str(target)
    if command := command_of(target):
        return " ".join(command)
    return str(getattr(target, "__name__", target))
