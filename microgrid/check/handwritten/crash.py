"""Their code raises: what Python said, the line of theirs where it happened, and what would fit."""

from __future__ import annotations

import ast
import linecache
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from microgrid.check.handwritten.forward.whose import family
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


def misfit(text: str, names: dict[str, Any]) -> str:
    """For a product of matrices that do not fit: their shapes, and which transpose would.

    >>> misfit("dx = dout @ w", {"dout": np.ones((3, 5)), "w": np.ones((4, 5))})
    '`dout` is (3, 5) and `w` (4, 5); `dout @ w.T` fits'
    """
    with suppress(SyntaxError, ValueError):
        for node in ast.walk(ast.parse(text)):
            if (pair := factors(node)) is not None:
                with suppress(Exception):
                    if told := transpose_that_fits(*pair, names):
                        return told
    return ""


def transpose_that_fits(left: ast.expr, right: ast.expr, names: dict[str, Any]) -> str:
    """The shapes of two matrices that cannot be multiplied, and which transpose can; or ""."""
    a, b = [eval(compile(ast.Expression(x), "", "eval"), names) for x in (left, right)]
    if not np.ndim(a) == np.ndim(b) == 2 or a.shape[1] == b.shape[0]:
        return ""
    x, y = ast.unparse(left), ast.unparse(right)
    ways = [f"`{x} @ {turned(y)}`"] * (a.shape[1] == b.shape[1])
    ways += [f"`{turned(x)} @ {y}`"] * (a.shape[0] == b.shape[0])
    shapes = f"`{x}` is {a.shape} and `{y}` {b.shape}"
    return f"{shapes}; {' or '.join(ways)} fits" if ways else ""


def turned(text: str) -> str:
    """The transpose of an expression.

    >>> turned("w"), turned("w.T")
    ('w.T', 'w')
    """
    return text.removesuffix(".T") if text.endswith(".T") else f"{text}.T"


def factors(node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
    """Both factors of a product of matrices; None for what is none.

    >>> [ast.unparse(x) for x in factors(ast.parse("np.dot(dout, w.T)", mode="eval").body)]
    ['dout', 'w.T']
    """
    match node:
        case ast.BinOp(left=a, op=ast.MatMult(), right=b):
            pair = a, b
        case ast.Call(func=ast.Attribute(attr="dot" | "matmul"), args=[a, b]):
            pair = a, b
        case ast.Call(func=ast.Attribute(value=a, attr="dot"), args=[b]):
            pair = a, b
        case _:
            return None
    simple = ast.Name | ast.Attribute | ast.Subscript
    return pair if all(isinstance(x, simple) for x in pair) else None
