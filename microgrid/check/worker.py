"""The child process: it loads one engine and evaluates the programs that it is sent.

It knows no right answer. It throws the engine's own output away, and answers through a copy of the
standard output that it made before it loaded the engine. It imports the standard library alone, and
binds here what it uses later, before the engine can replace it.
"""

import builtins
import importlib
import importlib.util
import os
import sys
from contextlib import suppress
from json import dumps, loads
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

MEMORY = 4 << 30  # bytes of data, beside what there is at the start
QUIET, ODD = os.devnull, "checked_engine"  # the name of a module whose file cannot be imported
_compile, _exec, _eval, _float, _str, _type = compile, exec, eval, float, str, type
_isinstance = isinstance
BUILT_IN = frozenset(dir(builtins))  # in programs these are Python's own, as sum and range


def load(target: str, path: bool) -> ModuleType:
    """The module at a path or of a name; a file inside a package is imported as its part."""
    if not path:
        sys.path.insert(0, os.getcwd())
        return importlib.import_module(target)
    file = Path(target).resolve()
    folder, name = file.parent, file.name if file.is_dir() else file.stem
    while (folder / "__init__.py").exists():
        folder, name = folder.parent, f"{folder.name}.{name}"
    name = name.removesuffix(".__init__")
    sys.path.insert(0, _str(folder))
    if name.split(".")[0] in sys.modules or not all(x.isidentifier() for x in name.split(".")):
        found = importlib.util.spec_from_file_location(ODD, file)  # its name is taken, or odd
        if found is None or found.loader is None:
            raise ImportError(f"{file} is not a Python file")
        module = importlib.util.module_from_spec(found)
        sys.modules[ODD] = module
        found.loader.exec_module(module)
        return module
    return importlib.import_module(name)


def names_of(module: ModuleType | None, cls: Any) -> dict[str, Any]:
    """The class, and the functions of its module or package."""
    package = module.__name__.split(".")[0] if module else ""
    names = {
        name: thing
        for name, thing in (vars(module).items() if module else ())
        if isinstance(thing, FunctionType)
        and name not in BUILT_IN
        and (thing.__module__ or "").split(".")[0] == package
    }
    return names | {called(cls): cls}


def called(cls: Any) -> str:
    """The name that programs give the class."""
    name = cls.__name__
    return name if _isinstance(name, _str) and name.isidentifier() else "Value"


def introduce(module: ModuleType | None, cls: Any) -> dict[str, Any]:
    """What the parent wants to know about the class."""
    return {
        "class": called(cls),
        "module": module.__name__ if module else cls.__module__,
        "file": getattr(module, "__file__", None),
        "methods": methods(cls),
        "functions": [name for name in names_of(module, cls) if name != called(cls)],
    }


def methods(cls: Any) -> list[str]:
    """The names of its methods, or if it is a function, of the methods of its result."""
    owner = cls if isinstance(cls, _type) else _type(cls(1.0))
    names = {name for base in _type.__dict__["__mro__"].__get__(owner) for name in vars(base)}
    return [x for x in sorted(names) if len(x) < 40 and callable(getattr(owner, x, None))][:2000]


def find(module: ModuleType, name: str) -> Any:
    thing: Any = module
    for part in name.split("."):
        if not hasattr(thing, part):
            classes = [n for n, c in vars(module).items() if isinstance(c, type)]
            raise AttributeError(
                f"{module.__name__} has no class {name!r}; it has {', '.join(classes) or 'none'}"
            )
        thing = getattr(thing, part)
    if not callable(thing):
        raise TypeError(f"{module.__name__}.{name} is no class")
    return thing


def evaluate(request: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    """Run the lines, then look."""
    space = dict(names)
    try:
        _exec(_compile(request["text"], "<program>", "exec"), space)
        return {"numbers": [number(look, _eval(look, space)) for look in request["look"]]}
    except BaseException as error:  # SystemExit, too
        return {"error": said(error)}


def number(look: str, x: Any) -> float:
    """The engine's number as a plain float; a gradient that is still None counts as zero."""
    if x is None and look.endswith(".grad"):
        return 0.0
    if _isinstance(x, (_str, bytes, bytearray)):
        raise TypeError(f"{look} is text, not a number")
    return _float(x)


def said(error: BaseException) -> str:
    with suppress(BaseException):
        return f"{_type(error).__name__}: {_str(error)[:300]}"
    return _type(error).__name__


def serve(requests: Any, answers: Any, start: Any) -> None:
    """Answer one line of JSON with another until the requests end."""

    def say(message: dict[str, Any]) -> None:
        answers.write(dumps(message) + "\n")
        answers.flush()

    try:
        module, cls = start()
        say(introduce(module, cls))
    except BaseException as error:
        say({"error": said(error)})
        return
    names = names_of(module, cls)
    for line in requests:
        request = loads(line)
        say({"id": request["id"]} | evaluate(request, names))


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
    quiet = os.open(QUIET, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(quiet, standard)
    # The copy of a notebook has streams of its own, which go to the page.
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    return requests, answers


def main() -> None:
    target, is_path, name, seconds = sys.argv[1:]
    sys.path[:] = [x for x in sys.path if x != _str(Path(__file__).parent)]
    limited(int(seconds))
    requests, answers = silence()

    def start() -> tuple[ModuleType, Any]:
        module = load(target, is_path == "path")
        return module, find(module, name)

    serve(requests, answers, start)
    os._exit(0)  # whatever the engine started may not keep the process alive


if __name__ == "__main__":
    main()
