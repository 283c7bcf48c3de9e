"""Runs every reader on operations of the table: `python every_reader.py READERS NAMES` prints JSON.

test_new_operation.py runs it where the table has new entries, which no other file knows.
"""

import contextlib
import doctest
import importlib.util
import io
import json
import pydoc
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

import microgrid as mg
from microgrid.check import check
from microgrid.cli import main
from microgrid.engine.functions import FUNCTIONS

# The formula, and points where it is smooth; the program x.sum() + … is too far from any table.
ORACLES: dict[str, tuple[Callable[..., Any], list[list[float]]]] = {
    "bent": (lambda x: x * abs(x), [[0.75], [-1.5]]),
    "bell": (lambda x: mpmath.exp(-x * x), [[0.5], [-1.25]]),
    "xlog1py": (lambda x, y: x * mpmath.log1p(y), [[1.5, 0.75], [0.25, 2.5]]),
}
READERS: dict[str, Callable[..., Any]] = {}


def reader(f: Callable[..., Any]) -> Callable[..., Any]:
    READERS[f.__name__] = f
    return f


def close(found: Any, expected: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(np.array(found, dtype=float), np.array(expected, dtype=float),
                               rtol=tolerance, atol=tolerance)  # fmt: skip


def slope(oracle: Any, point: list[float], *orders: int) -> float:
    """A partial derivative of the formula, by mpmath in 60 digits."""
    with mpmath.workdps(60):
        return float(mpmath.diff(oracle, tuple(point), orders))


def gradient(oracle: Any, point: list[float]) -> list[float]:
    n = len(point)
    return [slope(oracle, point, *[int(i == k) for i in range(n)]) for k in range(n)]


def node(name: str, point: list[float]) -> Any:
    return FUNCTIONS[name](*[mg.Value(x, f"x_{i}") for i, x in enumerate(point)])


@reader
def eager(name: str, oracle: Any, point: list[float]) -> None:
    y = node(name, point)
    y.backward()
    close(y.data, oracle(*point))
    close([x.grad for x in y.parents], gradient(oracle, point))
    close(FUNCTIONS[name](*point), oracle(*point))


@reader
def method(name: str, oracle: Any, point: list[float]) -> None:
    x, *others = point
    close(getattr(mg.Value(x), name)(*others).data, oracle(*point))
    close(getattr(mg, name)(*point), oracle(*point))


@reader
def documentation(name: str, oracle: Any, point: list[float]) -> None:
    text = pydoc.plain(pydoc.render_doc(getattr(mg, name)))
    assert re.search(rf"^{name}\(\w.*\)$", text, re.MULTILINE), text
    assert f"= {name}(x" in text
    assert "∂" in text
    assert name in getattr(mg.Value, name).__doc__
    session = doctest.DocTestParser().get_doctest(getattr(mg, name).__doc__, {}, name, None, None)
    assert len(session.examples) == 3
    assert doctest.DocTestRunner(verbose=False).run(session).failed == 0


@reader
def arrays(name: str, oracle: Any, point: list[float]) -> None:
    columns = [mg.matrix([x, x]) for x in point]
    close(mg.values(FUNCTIONS[name](*columns)), [oracle(*point)] * 2)


@reader
def fifth_derivative(name: str, oracle: Any, point: list[float]) -> None:
    x, *others = point
    found = mg.derivative(lambda x: FUNCTIONS[name](x, *others), 5)(x)
    close(found, slope(lambda x: oracle(x, *others), [x], 5), 1e-9)


@reader
def hessian(name: str, oracle: Any, point: list[float]) -> None:
    n = range(len(point))
    expected = [[slope(oracle, point, *[(i == k) + (j == k) for k in n]) for j in n] for i in n]
    close(mg.hessian(lambda v: FUNCTIONS[name](*v))(point), expected, 1e-9)


@reader
def latex(name: str, oracle: Any, point: list[float]) -> None:
    assert name in str(mg.latex(node(name, point)))


@reader
def explain(name: str, oracle: Any, point: list[float]) -> None:
    assert f"{name}(" in str(mg.explain(node(name, point)))


@reader
def draw(name: str, oracle: Any, point: list[float]) -> None:
    assert name in mg.draw(node(name, point)).source


@reader
def steps(name: str, oracle: Any, point: list[float]) -> None:
    assert name in mg.steps(node(name, point)).table()


@reader
def gradcheck(name: str, oracle: Any, point: list[float]) -> None:
    assert mg.gradcheck(FUNCTIONS[name], *point)


def recorded(name: str, oracle: Any, point: list[float], engine: str) -> None:
    program = mg.record(FUNCTIONS[name], *point, backend=engine)
    y, slopes = program.value_and_grad(*point, argnums=tuple(range(len(point))))
    close(y, oracle(*point))
    close(slopes, gradient(oracle, point))


@reader
def record_numpy(name: str, oracle: Any, point: list[float]) -> None:
    recorded(name, oracle, point, "numpy")


if importlib.util.find_spec("numba"):

    @reader
    def record_numba(name: str, oracle: Any, point: list[float]) -> None:
        recorded(name, oracle, point, "numba")


@reader
def listing(name: str, oracle: Any, point: list[float]) -> None:
    found = mg.record(FUNCTIONS[name], *point).listing(*point)
    assert name in str(found)
    assert name in found.latex()


def written(name: str, oracle: Any, point: list[float], language: str) -> None:
    """The text of the program in a language gives the same value and gradient."""
    space: dict[str, Any] = {}
    exec(mg.record(FUNCTIONS[name], *point).source(language), space)
    plain = language == "python"
    y, slopes = space["value_and_grad"](*[x if plain else np.array(x) for x in point])
    tolerance = 1e-12 if plain or language == "numpy" else 1e-5
    close(y, oracle(*point), tolerance)
    close(np.ravel(slopes)[: len(point)], gradient(oracle, point), tolerance)


for language, needs in {"python": "math", "numpy": "numpy", "jax": "jax", "torch": "torch"}.items():
    if importlib.util.find_spec(needs):
        READERS[f"source_{language}"] = lambda name, oracle, point, language=language: written(
            name, oracle, point, language
        )


@reader
def command_line(name: str, oracle: Any, point: list[float]) -> None:
    names = [f"x{i}" for i in range(len(point))]
    words = [f"{n}={x}" for n, x in zip(names, point)]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        main(["explain", f"{name}({', '.join(names)})", *words])
    assert name in printed.getvalue()


@reader
def checker(name: str, oracle: Any, point: list[float]) -> None:
    report = check("microgrid:Value", only=["one operation"], draws=2, require=[name])
    assert report.ok, str(report)


def run(titles: list[str], names: list[str]) -> dict[str, dict[str, str]]:
    """What went wrong, by reader and operation; empty where nothing did."""
    found: dict[str, dict[str, str]] = {}
    for title in titles:
        f = READERS[title]
        for name in names:
            try:
                for point in ORACLES[name][1][: 1 if f is checker else 2]:
                    f(name, ORACLES[name][0], point)
                error = ""
            except Exception:
                error = traceback.format_exc()
            found.setdefault(title, {})[name] = error
    return found


if __name__ == "__main__":
    titles, names = (text.split(",") for text in sys.argv[1:])
    print(json.dumps(run(titles, names)))
