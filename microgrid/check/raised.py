"""An error of the engine's code: what it says, its kind in any language, and where it was raised.

It runs in the process of the engine, and imports the standard library alone.
"""

import dis
import linecache
import sys
from contextlib import suppress
from types import TracebackType
from typing import Any

_str, _type, _isinstance = str, type, isinstance  # an engine may replace them
CATEGORIES = (  # of errors in any language
    (OverflowError, "overflow"), (RecursionError, "depth"), (MemoryError, "depth"),
    (ZeroDivisionError, "domain"), (ValueError, "domain"),
)  # fmt: skip
INSTALLED = ("<frozen", sys.base_prefix, sys.prefix)
CHECKER = {f"microgrid.check.{name}" for name in ("worker", "contract")}


def failed(error: BaseException) -> dict[str, Any]:
    """An error, its kind in any language, and whether the engine raised it on purpose.

    What fails since a module is not installed is no mistake.
    """
    if _isinstance(error, ModuleNotFoundError):
        return {"absent": _str(error)}
    answer = {"error": said(error), "kind": category(error), "refused": is_refusal(error)}
    return answer | {"where": where(error)}


def where(error: BaseException) -> str:
    """The line of the engine that raised it, or called what did."""
    found = ""
    with suppress(BaseException):
        trace = error.__traceback__
        while trace is not None:
            file, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
            if not (of_the_checker(trace) or file.startswith(INSTALLED)):
                text = linecache.getline(file, line).strip()
                found = f"line {line}" + (f": {text[:100]}" if text else "")
            trace = trace.tb_next
    return found


def of_the_checker(trace: TracebackType) -> bool:
    """Whether it is the process that runs the programs, not the engine."""
    return trace.tb_frame.f_globals.get("__name__") in CHECKER


def category(error: BaseException) -> str:
    """The kind of an error in any language."""
    return next((kind for types, kind in CATEGORIES if _isinstance(error, types)), "other")


def is_refusal(error: BaseException) -> bool:
    """Whether a `raise` or an `assert` of the engine's own code made it."""
    with suppress(BaseException):
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is None or of_the_checker(trace):
            return False
        code = trace.tb_frame.f_code.co_code
        name = dis.opname[code[trace.tb_lasti]]
        return name == "RAISE_VARARGS" and not _isinstance(error, (SystemExit, KeyboardInterrupt))
    return False


def said(error: BaseException) -> str:
    """The error as Python prints it, in one line."""
    with suppress(BaseException):
        return " ".join(f"{_type(error).__name__}: {_str(error)[:300]}".split())
    return _type(error).__name__
