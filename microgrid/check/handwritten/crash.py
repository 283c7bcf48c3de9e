"""Their code raises: what Python said, the line of theirs where it happened, and what would fit."""

from __future__ import annotations

import linecache
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np

from microgrid.check.handwritten.forward.whose import family
from microgrid.check.handwritten.misfit import misfit
from microgrid.check.handwritten.results import Line
from microgrid.check.handwritten.trial import LayerError, Trial


class Crash(Exception):
    """Their code raised: the message has the line of theirs.

    >>> str(Crash("ValueError: no", Line(9, "dx = dout @ w")))
    'ValueError: no (line 9: `dx = dout @ w`)'
    """

    def __init__(self, said: str, line: Line | None = None, hint: str = "") -> None:
        self.said, self.line, self.hint = said, line, hint
        at = f" (line {line.number}: `{line.text}`)" if line else ""
        super().__init__(f"{said}{at}{'; ' * bool(hint)}{hint}")


@contextmanager
def guarded(trial: Trial) -> Iterator[None]:
    """Runs their code: without warnings, and Crash for what it raises."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (LayerError, Crash):
        raise
    except (Exception, SystemExit) as error:
        at = innermost(error.__traceback__, files(trial))
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300].removesuffix(": ")
        if at is None:
            raise Crash(said) from error
        frame, number = at.tb_frame, at.tb_lineno
        file = frame.f_code.co_filename
        text = linecache.getline(file, number, frame.f_globals).strip()
        line = Line(number, text, Path(file).name)
        raise Crash(said, line, misfit(text, {**frame.f_globals, **frame.f_locals})) from error


def files(trial: Trial) -> set[str]:
    """The files of their code."""
    functions = {f.__code__.co_filename for f in (*trial.forwards, *trial.backwards)}
    return functions | {str(getattr(m, "__file__", None)) for m in family(trial.modules)}


def innermost(tb: TracebackType | None, files: set[str]) -> TracebackType | None:
    """The last place of a traceback that is in one of these files."""
    found = None
    while tb is not None:
        if tb.tb_frame.f_code.co_filename in files:
            found = tb
        tb = tb.tb_next
    return found
